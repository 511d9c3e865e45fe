//! Other agents: what they say goes to Level 4.9's inbox, and what Level 4.9 says goes out.
//!
//! Nothing here waits: a message that has no room is dropped, like one that is lost on its way, and Level 4.9 lives with
//! both.

use crate::agent::Root;
use crate::inbox::{Counts, Unheard};
use crate::messages::{Acquaintance, Heard, ModelledAgent, Say};
use crate::ports::{Letter, Whom};
use crate::tree::Tree;
use rungs_host::{Refusal, Request, tasks};
use rungs_mind::l49::L49Output;
use rungs_mind::l49::peers::{PeerView, TrustLevel};
use rungs_types::{AgentId, Authority, EventKind, Level, Mail};
use std::sync::Arc;

impl Root {
    /// Another agent says something.
    pub(crate) fn hear(&self, request: Request<Say>) {
        let Say { from, message } = request.message;
        let cycle = self.tree.shared.cycle();
        let heard = self.take_in(Mail { from, message }, cycle);
        if let Err(unheard) = &heard {
            self.tree.refuses("said", unheard, cycle);
        }
        request.reply.send(heard.map_err(Refusal::from));
    }

    /// What has been heard, and of whom.
    pub(crate) fn acquaintance(&self) -> Acquaintance {
        let Counts {
            heard,
            refused,
            answered,
            unanswered,
        } = self.tree.inbox().counts();
        let output = self.tree.shared.autonomy();
        let modelled = output.iter().flat_map(|output| &output.peers.peers);
        Acquaintance {
            heard,
            refused,
            answered,
            unanswered,
            modelled: modelled
                .map(|peer| ModelledAgent {
                    agent: peer.agent.clone(),
                    trust: peer.trust,
                    reliability: peer.reliability,
                })
                .collect(),
        }
    }

    fn take_in(&self, mail: Mail, cycle: u64) -> Result<Heard, Unheard> {
        self.tree.hears(&mail.from)?;
        self.tree.inbox().take_in(mail, cycle)?;
        Ok(Heard { cycle })
    }

    /// What Level 4.9 says.
    pub(crate) fn speak(&self, output: &L49Output) {
        for outgoing in &output.peers.messages {
            self.tree.runtime.peers.send(Letter {
                from: self.tree.shared.agent().clone(),
                to: outgoing.to.clone(),
                message: outgoing.message.clone(),
            });
        }
    }
}

impl Tree {
    /// Whether anything of `from` is heard: of another agent of the tenant, by an agent that has Level 4.9.
    pub(crate) fn hears(&self, from: &AgentId) -> Result<(), Unheard> {
        let spec = &self.shared.spec;
        let agent = || spec.agent.clone();
        if spec.highest < Level::L49 {
            return Err(Unheard::Deaf { agent: agent() });
        }
        if *from == spec.agent || from.tenant != spec.agent.tenant {
            let from = from.clone();
            return Err(Unheard::Stranger { agent: agent(), from });
        }
        Ok(())
    }

    /// Counts what is refused, and tells watchers of it every now and then; `what` other agents did.
    pub(crate) fn refuses(&self, what: &str, unheard: &Unheard, cycle: u64) {
        if self.inbox().refused(cycle) {
            let summary = tasks::shorten(&format!("what another agent {what} is refused: {unheard}"));
            self.shared.log.emit(cycle, EventKind::Warning { summary });
        }
    }

    /// What Level 4.9 has come to, while it acts; what it thinks otherwise counts for nobody.
    fn acting_autonomy(&self) -> Option<Arc<L49Output>> {
        let authority = self.shared.governor.reader().read(Level::L49).authority;
        self.shared.autonomy().filter(|_| authority >= Authority::Half)
    }

    /// How far an agent is trusted; none of one that is not modelled, nor while Level 4.9 does not act.
    pub(crate) fn trust_in(&self, agent: &AgentId) -> Option<TrustLevel> {
        let output = self.acting_autonomy()?;
        let known = output.peers.peers.iter().find(|peer| peer.agent == *agent);
        known.map(|peer| peer.level)
    }

    /// There may be somebody to ask.
    pub(crate) fn has_peers(&self) -> bool {
        let spec = &self.shared.spec;
        let modelled = || {
            let output = self.acting_autonomy();
            output.is_some_and(|output| output.peers.peers.iter().any(is_trusted))
        };
        spec.highest >= Level::L49 && (spec.group.is_some() || modelled())
    }

    /// Who is to be asked: of those that Level 4.9 models and trusts the one that it trusts most, else one of the group; and
    /// who not, although it is in the group.
    pub(crate) fn whom_to_ask(&self) -> Option<(Whom, Vec<AgentId>)> {
        let output = self.acting_autonomy();
        let modelled = output.iter().flat_map(|output| &output.peers.peers);
        let distrusted = modelled.clone().filter(|peer| !is_trusted(peer));
        let avoid = distrusted.map(|peer| peer.agent.clone()).collect();
        // Of equals the first by name: the last that `max_by` sees.
        let most = modelled
            .rev()
            .filter(|peer| is_trusted(peer))
            .max_by(|a, b| a.trust.total_cmp(&b.trust));
        let group = || self.shared.spec.group.clone().map(Whom::OneOf);
        let whom = most.map(|peer| Whom::Agent(peer.agent.clone())).or_else(group)?;
        Some((whom, avoid))
    }
}

/// Cooperation begins here (MSCP Level 4.9, section 6.5).
fn is_trusted(peer: &PeerView) -> bool {
    peer.level >= TrustLevel::Moderate
}
