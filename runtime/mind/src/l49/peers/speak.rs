//! How to deal with each agent, and what to say: what the phase puts to phase 5.

use super::belief::GoalKind;
use super::game::{PeerAction, expected, matrix};
use super::outbox::Audience;
use super::relate::{Outgoing, PeerAct, PeerProposal, PeersOutput, Recipients, RelateState, Relating};
use super::trust::TrustLevel;
use crate::l49::ahead::served;
use crate::l49::below::Below;
use crate::l49::goals::{group_variances, skill_confidence};
use crate::l49::resources::SurvivalState;
use crate::l49::stability::{Decision, DecisionKind};
use crate::l49::values::ValueDimension;
use rungs_types::goal::TaskAction;
use rungs_types::{AgentId, PeerMessage, SkillName};
use sha2::{Digest, Sha256};

/// Survival from which nothing is scarce, in cycles.
const PLENTY_CYCLES: f64 = 500.0;
/// Share of the agent's compute that is at stake in an interaction whose outcome is a whole loss.
const STAKE: f64 = 0.05;
/// Share of a doer's budget that an offer may take.
const OFFER_SHARE: f64 = 0.1;
/// Confidence in a skill of which nothing is known.
const UNKNOWN_CONFIDENCE: f64 = 0.5;

impl RelateState {
    pub(super) fn propose(&self, input: &Relating<'_>, output: &mut PeersOutput) {
        let scarcity = 1.0 - input.survival.min_survival.min(PLENTY_CYCLES) / PLENTY_CYCLES;
        let own = own_kinds(input.below);
        for peer in self.peers.iter() {
            let same: f64 = own
                .iter()
                .map(|kind| peer.goals().probability(GoalKind(kind.index() as u32)))
                .sum();
            let matrix = matrix(scarcity, scarcity * same);
            let Some(recommendation) = matrix.recommend_for(peer, &expected(peer)) else {
                continue;
            };
            output.proposals.push(PeerProposal {
                decision: decision(&peer.id().to_string()),
                stake: STAKE * (-recommendation.worst).max(0.0),
                act: PeerAct::Deal {
                    with: peer.id().clone(),
                    action: PeerAction::ALL[recommendation.action],
                    recommendation,
                },
            });
        }
        let Some(outgoing) = self.message(input) else {
            return;
        };
        let audience = match &outgoing.to {
            Recipients::Agents(agents) => Audience::Agents(agents.len()),
            Recipients::Group(_) => Audience::Group,
        };
        if self.outbox.check(audience, input.below.cycle()).is_ok() {
            output.proposals.push(PeerProposal {
                decision: decision("say"),
                stake: 0.0,
                act: PeerAct::Say(outgoing),
            });
        }
    }

    /// What is to be said, the most pressing first: an award, a bid, an offer when resources are short, a report.
    fn message(&self, input: &Relating<'_>) -> Option<Outgoing> {
        let to = |agent: &AgentId| Recipients::Agents(vec![agent.clone()]);
        if let Some((who, offer)) = &self.bid {
            let message = PeerMessage::Award { offer: *offer };
            return Some(Outgoing { to: to(who), message });
        }
        let at_ease = input.mode <= SurvivalState::Adequate;
        if let Some((who, offer, task)) = self.offers.first().filter(|_| at_ease) {
            let message = PeerMessage::Bid {
                offer: *offer,
                confidence: confidence(input.below, task),
            };
            return Some(Outgoing { to: to(who), message });
        }
        let trusted = self
            .peers
            .iter()
            .filter(|peer| peer.trust().level() >= TrustLevel::Moderate);
        let trusted: Vec<AgentId> = trusted.map(|peer| peer.id().clone()).collect();
        if !at_ease && !trusted.is_empty() {
            let most = group_variances(input.below)
                .into_iter()
                .max_by(|a, b| a.1.total_cmp(&b.1));
            let group = most.map_or(0, |(group, _)| group);
            let message = PeerMessage::Offer {
                id: self.offered.saturating_add(1),
                task: TaskAction::SampleFaster { group },
                share: OFFER_SHARE,
            };
            let to = Recipients::Agents(trusted);
            return Some(Outgoing { to, message });
        }
        let agents: Vec<AgentId> = self.peers.iter().map(|peer| peer.id().clone()).collect();
        let to = match &input.below.group {
            Some(group) => Recipients::Group(group.clone()),
            None if agents.is_empty() => return None,
            None => Recipients::Agents(agents),
        };
        let message = PeerMessage::Report {
            goals: own_kinds(input.below),
            load: own_load(input.below)?,
        };
        Some(Outgoing { to, message })
    }
}

/// What the open goals serve most, the largest share of the budget first; each once.
fn own_kinds(below: &Below) -> Vec<ValueDimension> {
    let mut shares = ValueDimension::ALL.map(|dimension| (dimension, 0.0));
    for record in below.open.iter() {
        let served = served(&record.spec, &below.purpose);
        let main = ValueDimension::ALL
            .into_iter()
            .rev()
            .max_by(|a, b| served[a.index()].total_cmp(&served[b.index()]));
        if let Some(main) = main {
            shares[main.index()].1 += record.spec.budget.share;
        }
    }
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    shares
        .into_iter()
        .filter(|(_, share)| *share > 0.0)
        .map(|(dimension, _)| dimension)
        .collect()
}

/// Share of the agent's capacity in use; `None` if it is not known.
pub(super) fn own_load(below: &Below) -> Option<f64> {
    let last = below.report.facts.last()?.utilisation;
    last.is_finite().then(|| last.clamp(0.0, 1.0))
}

fn confidence(below: &Below, task: &TaskAction) -> f64 {
    let name = match task {
        TaskAction::SampleFaster { .. } => "sample-faster",
        TaskAction::SampleSlower { .. } => "sample-slower",
        TaskAction::SwitchForecaster { .. } => "switch-forecaster",
        TaskAction::RaiseIncident { .. } => "raise-incident",
        TaskAction::ClearIncident => "clear-incident",
        TaskAction::AskPeer { .. } => "ask-peer",
        TaskAction::ChangePeriod { .. } => "change-period",
        TaskAction::Turn(_) => "abstract-planning",
    };
    let known = SkillName::new(name)
        .ok()
        .and_then(|name| skill_confidence(below, &name));
    known.unwrap_or(UNKNOWN_CONFIDENCE)
}

/// What phase 5 knows it by: the first eight bytes of the hash of whom it is about.
fn decision(about: &str) -> Decision {
    let hash = Sha256::digest(about.as_bytes());
    let subject = hash
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    Decision {
        kind: DecisionKind::Peer,
        subject,
    }
}
