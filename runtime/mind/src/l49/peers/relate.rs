//! The phase: one step per pass. Mail is read, claims and promises are checked against own observation, and what to do
//! with each agent, and what to say, is put to phase 5.

use super::belief::GoalKind;
use super::class::StrategyClass;
use super::game::PeerAction;
use super::interaction::Recommendation;
use super::ledger::{Pledge, PledgeKind};
use super::outbox::Outbox;
use super::peer::Peer;
use super::speak::own_load;
use super::table::{MAX_PEERS, Peers};
use super::trust::TrustLevel;
use crate::l49::below::Below;
use crate::l49::resources::{Survival, SurvivalState};
use crate::l49::ruling::Ruling;
use crate::l49::stability::Decision;
use crate::l49::values::ValueDimension;
use rungs_types::goal::{Condition, KnobSetting, TaskAction};
use rungs_types::{AgentId, AgentName, Mail, PeerMessage};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most facts that wait to be checked: the open ones of five agents.
const MAX_FACTS: usize = MAX_PEERS * super::ledger::MAX_OPEN;
/// Most offers of others that are remembered.
const MAX_OFFERS: usize = 8;
/// What a claim or a promise that held, or did not, was worth.
const PLEDGE_OUTCOME: f64 = 0.5;
/// What being awarded work is worth to the two.
const AWARD_OUTCOME: f64 = 0.3;
/// What a question that was not answered was worth to the agent; the other lost nothing by it.
const UNANSWERED_OUTCOME: f64 = -0.3;
/// Change of load that counts as a whole outcome is 1 / this.
const LOAD_GAIN: f64 = 10.0;

/// A fact that another agent has claimed or promised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Fact {
    from: AgentId,
    kind: PledgeKind,
    id: u64,
    fact: Condition,
    /// The other says that it has kept its promise.
    said_kept: bool,
}

/// To whom a message goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipients {
    /// At most five agents.
    Agents(Vec<AgentId>),
    /// A group; the gateway fans it out.
    Group(AgentName),
}

/// A message on its way out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    /// To whom.
    pub to: Recipients,
    /// What.
    pub message: PeerMessage,
}

/// What phase 5 is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerAct {
    /// To deal with an agent in this way.
    Deal {
        /// With whom.
        with: AgentId,
        /// How.
        action: PeerAction,
        /// With what to expect.
        recommendation: Recommendation,
    },
    /// To say this.
    Say(Outgoing),
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerProposal {
    /// What.
    pub act: PeerAct,
    /// What phase 5 knows it by.
    pub decision: Decision,
    /// Share of the agent's compute that is lost if the other does its worst.
    pub stake: f64,
}

/// One modelled agent, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerView {
    /// Who.
    pub agent: AgentId,
    /// How far it is trusted.
    pub trust: f64,
    /// The level of that.
    pub level: TrustLevel,
    /// What it does, as interactions show.
    pub class: StrategyClass,
    /// What it is treated as.
    pub treated_as: StrategyClass,
    /// What it most likely wants.
    pub wants: Option<ValueDimension>,
    /// Share of its claims and promises that held.
    pub reliability: Option<f64>,
    /// Share of its promises that it kept.
    pub capability: f64,
}

/// What the phase found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PeersOutput {
    /// The modelled agents.
    pub peers: Vec<PeerView>,
    /// What phase 5 is asked for.
    pub proposals: Vec<PeerProposal>,
    /// Settings of agents whose recommendations are accepted, to be tried.
    pub lessons: Vec<(AgentId, Vec<KnobSetting>)>,
    /// Share of predicted goals (MA-1); `None` without a prediction.
    pub accuracy: Option<f64>,
    /// Mean |trust - reliability| (MA-2); `None` before a check.
    pub calibration_error: Option<f64>,
    /// Interaction recommendations that passed so far (MA-3).
    pub recommended: u64,
    /// Messages that were malformed, so far.
    pub malformed: u64,
}

/// What phase 5 was asked for in a pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct AskedFor {
    pub(super) pass: u64,
    /// The last cycle of the pass.
    pub(super) cycle: u64,
    pub(super) proposals: Vec<PeerProposal>,
}

/// What the phase remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RelateState {
    pub(super) peers: Peers,
    pub(super) outbox: Outbox,
    pub(super) facts: Vec<Fact>,
    /// The last load that each modelled agent reported.
    pub(super) loads: Vec<(AgentId, f64)>,
    pub(super) own_load: Option<f64>,
    /// Offers of others that are not answered.
    pub(super) offers: Vec<(AgentId, u64, TaskAction)>,
    /// A bid for the agent's own offer that is to be awarded.
    pub(super) bid: Option<(AgentId, u64)>,
    /// Offers made so far.
    pub(super) offered: u64,
    pub(super) recommended: u64,
    pub(super) malformed: u64,
    /// What phase 5 was asked for.
    pub(super) asked: Option<AskedFor>,
}

impl RelateState {
    /// A state that was read back can be used only if this holds; its parts were checked when they were read.
    pub fn is_valid(&self) -> bool {
        let load = |load: f64| (0.0..=1.0).contains(&load);
        let asked = self.asked.as_ref().map_or(0, |asked| asked.proposals.len());
        self.facts.len() <= MAX_FACTS
            && self.facts.iter().all(|fact| fact.fact.value.is_finite())
            && self.loads.len() <= MAX_PEERS
            && self.loads.iter().all(|(_, of)| load(*of))
            && self.own_load.is_none_or(load)
            && self.offers.len() <= MAX_OFFERS
            && asked <= MAX_PEERS + 1
    }

    /// The models.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }
}

/// What one step takes in.
#[derive(Clone, Copy)]
pub struct Relating<'a> {
    /// What the levels below say, with the mail.
    pub below: &'a Below,
    /// For how long resources last.
    pub survival: &'a Survival,
    /// The mode in force.
    pub mode: SurvivalState,
    /// What phase 5 has said of the last pass.
    pub ruling: Option<&'a Ruling>,
    /// The number of the pass.
    pub pass: u64,
}

/// The phase.
#[derive(Debug, Clone, Default)]
pub struct Relate {
    state: Arc<RelateState>,
}

impl Relate {
    /// A phase that knows nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// A phase with this state.
    pub fn from_state(state: Arc<RelateState>) -> Self {
        Self { state }
    }

    /// The state after the last step, shared.
    pub fn state(&self) -> Arc<RelateState> {
        Arc::clone(&self.state)
    }

    /// Goes back to a state that [`Relate::state`] gave.
    pub fn revert(&mut self, state: Arc<RelateState>) {
        self.state = state;
    }

    /// One pass.
    pub fn step(&mut self, input: &Relating<'_>) -> PeersOutput {
        Arc::make_mut(&mut self.state).advance(input)
    }
}

impl RelateState {
    fn advance(&mut self, input: &Relating<'_>) -> PeersOutput {
        let (below, cycle) = (input.below, input.below.cycle());
        self.settle(input.ruling);
        let mut output = PeersOutput::default();
        let own_change = self.note_own_load(below);
        for mail in &below.mail {
            self.read(mail, cycle, own_change, &mut output);
        }
        self.check_facts(below);
        self.note_unanswered(below);
        self.peers.pass(cycle);
        self.forget_strangers();
        self.propose(input, &mut output);
        self.asked = (!output.proposals.is_empty()).then(|| AskedFor {
            pass: input.pass,
            cycle,
            proposals: output.proposals.clone(),
        });
        output.peers = self.peers.iter().map(view).collect();
        output.accuracy = self.peers.accuracy();
        output.calibration_error = self.peers.calibration_error();
        output.recommended = self.recommended;
        output.malformed = self.malformed;
        output
    }

    /// What phase 5 has passed is done, and was when it passed it, not now; of all else nothing is left.
    fn settle(&mut self, ruling: Option<&Ruling>) {
        let Some(AskedFor { pass, cycle, proposals }) = self.asked.take() else {
            return;
        };
        let passed = ruling
            .filter(|ruling| ruling.pass == pass)
            .map_or(&[][..], |ruling| &ruling.peers);
        let passed = proposals.into_iter().zip(passed).filter(|(_, passed)| **passed);
        for (proposal, _) in passed {
            match proposal.act {
                PeerAct::Deal { .. } => self.recommended = self.recommended.saturating_add(1),
                PeerAct::Say(outgoing) => self.said(&outgoing, cycle),
            }
        }
    }

    fn said(&mut self, outgoing: &Outgoing, cycle: u64) {
        self.outbox.sent(cycle);
        match &outgoing.message {
            PeerMessage::Bid { offer, .. } => self.offers.retain(|(_, id, _)| id != offer),
            PeerMessage::Award { .. } => self.bid = None,
            PeerMessage::Offer { id, .. } => self.offered = self.offered.max(*id),
            _ => {}
        }
    }

    /// By how much the agent's own load has fallen since the last pass; `None` if it is not known.
    fn note_own_load(&mut self, below: &Below) -> Option<f64> {
        let now = own_load(below)?;
        let before = self.own_load.replace(now);
        before.map(|before| before - now)
    }

    fn read(&mut self, mail: &Mail, cycle: u64, own_change: Option<f64>, output: &mut PeersOutput) {
        let Mail { from, message } = mail;
        if message.validate().is_err() {
            self.malformed = self.malformed.saturating_add(1);
            return;
        }
        let level = self.peers.meet(from, cycle).trust().level();
        match message {
            PeerMessage::Report { goals, load } => self.read_report(from, goals, *load, own_change, cycle),
            PeerMessage::Claim {
                id,
                fact,
                within_cycles,
            } => {
                self.pledge(
                    from,
                    PledgeKind::Claim,
                    *id,
                    *fact,
                    cycle.saturating_add(u64::from(*within_cycles)),
                    cycle,
                );
            }
            PeerMessage::Promise {
                id,
                fact,
                within_cycles,
            } => {
                let due = cycle.saturating_add(u64::from(*within_cycles));
                self.pledge(from, PledgeKind::Promise, *id, *fact, due, cycle);
            }
            // Whether it was kept is seen, not said; what is said is checked.
            PeerMessage::Kept { id } => {
                let promised =
                    |fact: &&mut Fact| fact.from == *from && fact.kind == PledgeKind::Promise && fact.id == *id;
                if let Some(fact) = self.facts.iter_mut().find(promised) {
                    fact.said_kept = true;
                }
            }
            PeerMessage::Offer { id, task, .. } => {
                let known = self.offers.iter().any(|(who, offer, _)| who == from && offer == id);
                if level >= TrustLevel::Moderate && !known && self.offers.len() < MAX_OFFERS {
                    self.offers.push((from.clone(), *id, *task));
                }
            }
            PeerMessage::Bid { offer, .. } => {
                if level >= TrustLevel::Moderate && *offer == self.offered && self.offered > 0 {
                    self.bid.get_or_insert((from.clone(), *offer));
                }
            }
            PeerMessage::Award { .. } => {
                self.peers
                    .meet(from, cycle)
                    .interacted(AWARD_OUTCOME, AWARD_OUTCOME, cycle);
            }
            PeerMessage::Lesson { settings, .. } => {
                if level.accepts_recommendations() {
                    output.lessons.push((from.clone(), settings.clone()));
                }
            }
        }
    }

    /// Its goals are observed; what its load and the agent's own did since its last report is an interaction.
    fn read_report(
        &mut self,
        from: &AgentId,
        goals: &[ValueDimension],
        load: f64,
        own_change: Option<f64>,
        cycle: u64,
    ) {
        let peer = self.peers.meet(from, cycle);
        if let Some(first) = goals.first() {
            peer.observe_goal(GoalKind(first.index() as u32), cycle);
        }
        let known = self.loads.iter_mut().find(|(who, _)| who == from);
        let before = match known {
            Some((_, last)) => Some(std::mem::replace(last, load)),
            None => {
                self.loads.push((from.clone(), load));
                None
            }
        };
        if let (Some(own), Some(before)) = (own_change, before) {
            peer.interacted(LOAD_GAIN * own, LOAD_GAIN * (before - load), cycle);
        }
        self.forget_strangers();
    }

    fn pledge(&mut self, from: &AgentId, kind: PledgeKind, id: u64, fact: Condition, due: u64, cycle: u64) {
        let peer = self.peers.meet(from, cycle);
        let is_open = |peer: &Peer| {
            peer.ledger()
                .open()
                .iter()
                .any(|open| open.kind == kind && open.id == id)
        };
        let known = is_open(peer);
        peer.pledge(Pledge { kind, id, due }, cycle);
        // The first fact of an id is the one that counts.
        if !known && is_open(peer) {
            self.facts.push(Fact {
                from: from.clone(),
                kind,
                id,
                fact,
                said_kept: false,
            });
        }
        self.forget_strangers();
    }

    /// A claim is checked as soon as its fact is measured. A promise is kept once its fact is seen to hold, and broken if
    /// it is said to be kept and does not; if nothing is said and seen, it is broken when it is due.
    fn check_facts(&mut self, below: &Below) {
        let (cycle, observed) = (below.cycle(), below.observed());
        for pending in std::mem::take(&mut self.facts) {
            let held = pending.fact.holds(observed.measure(pending.fact.of));
            let decided = match (pending.kind, held) {
                (PledgeKind::Promise, Some(false)) if !pending.said_kept => None,
                (_, held) => held,
            };
            let Some(held) = decided else {
                self.facts.push(pending);
                continue;
            };
            let Fact { from, kind, id, .. } = pending;
            let peer = self.peers.meet(&from, cycle);
            if peer.checked(kind, id, held, cycle) {
                let own = if held { PLEDGE_OUTCOME } else { -PLEDGE_OUTCOME };
                peer.interacted(own, PLEDGE_OUTCOME, cycle);
            }
        }
    }

    /// Who gave no answer was no help. It broke no promise: its reliability stays what it is, and of an agent that is not
    /// modelled nothing is learnt.
    fn note_unanswered(&mut self, below: &Below) {
        let cycle = below.cycle();
        for who in &below.unanswered {
            if self.peers.get(who).is_some() {
                self.peers.meet(who, cycle).interacted(UNANSWERED_OUTCOME, 0.0, cycle);
            }
        }
    }

    /// Facts that are no longer open, and what is known of agents that are no longer modelled, go.
    fn forget_strangers(&mut self) {
        let peers = &self.peers;
        self.facts.retain(|fact| {
            let open = peers.get(&fact.from).map_or(&[][..], |peer| peer.ledger().open());
            open.iter().any(|open| open.kind == fact.kind && open.id == fact.id)
        });
        self.loads.retain(|(who, _)| peers.get(who).is_some());
        self.offers.retain(|(who, ..)| peers.get(who).is_some());
    }
}

fn view(peer: &Peer) -> PeerView {
    let (trust, class) = (peer.trust(), peer.class());
    let wants = peer.goals().most_likely();
    PeerView {
        agent: peer.id().clone(),
        trust: trust.get(),
        level: trust.level(),
        class,
        treated_as: class.as_trusted(trust.level()),
        wants: wants.and_then(|kind| ValueDimension::ALL.get(kind.0 as usize).copied()),
        reliability: peer.reliability(),
        capability: peer.capability(),
    }
}

#[cfg(test)]
mod tests;
