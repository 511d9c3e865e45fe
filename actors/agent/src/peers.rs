//! Other agents: what they say goes to Level 4.9's inbox, and what Level 4.9 says goes out.
//!
//! Nothing here waits: a message that has no room is dropped, like one that is lost on its way, and Level 4.9 lives with
//! both.

use crate::agent::Root;
use crate::inbox::Unheard;
use crate::messages::{Acquaintance, Heard, ModelledAgent, Say};
use crate::ports::Letter;
use rungs_host::{Refusal, Request};
use rungs_mind::l49::L49Output;
use rungs_types::{Level, Mail};

impl Root {
    /// Another agent says something.
    pub(crate) fn hear(&self, request: Request<Say>) {
        let Say { from, message } = request.message;
        let cycle = self.tree.shared.cycle();
        let heard = self.take_in(Mail { from, message }, cycle);
        if let Err(unheard) = &heard
            && self.tree.inbox().refused(cycle)
        {
            self.warn(&format!("what another agent said is refused: {unheard}"));
        }
        request.reply.send(heard.map_err(Refusal::from));
    }

    /// What has been heard, and of whom.
    pub(crate) fn acquaintance(&self) -> Acquaintance {
        let (heard, refused) = self.tree.inbox().counts();
        let output = self.tree.shared.autonomy();
        let modelled = output.iter().flat_map(|output| &output.peers.peers);
        Acquaintance {
            heard,
            refused,
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
        let spec = &self.tree.shared.spec;
        let agent = spec.agent.clone();
        if spec.highest < Level::L49 {
            return Err(Unheard::Deaf { agent });
        }
        if mail.from == agent || mail.from.tenant != agent.tenant {
            let from = mail.from;
            return Err(Unheard::Stranger { agent, from });
        }
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
