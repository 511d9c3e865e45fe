//! The phase: one step per pass.

use super::drift::{DriftMonitor, DriftStatus};
use super::evidence::{Evidence, GoalEvidence};
use super::mutation::{MAX_MUTATIONS, Mutation};
use super::sandbox::{Rejection, Trial, Verdict};
use super::state::{Applied, MutationRecord, Pending, Values};
use super::vector::ValueVector;
use crate::budget::Budget;
use crate::l49::ahead::{Scene, WhatIf, served};
use crate::l49::below::Below;
use crate::l49::ruling::Ruling;
use crate::l49::stability::{Condition, Decision, DecisionKind, Limit};
use crate::lookahead::LookaheadError;
use rungs_types::GoalId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most open goals whose beginning is remembered: as many as a table has.
const MAX_BEGUN: usize = crate::goals::MAX_OPEN;
/// SEOF that a mutation may cost once it is in force: what the sandbox allows it.
const MAX_SEOF_LOSS: f64 = 0.03;
/// The least score that the drift alone leaves of a change of the values: that of a healthy cycle. On live metrics, values
/// that were let go to 0.20 (below it the level only advises, section 7.2) left so little that the level went to and fro.
const HEALTHY_SCORE: f64 = 0.50;
/// Cycles after which what a mutation has done to SEOF can be told: over so many SEOF takes its derivatives.
const TOLD_AFTER_CYCLES: u64 = 100;
/// Most mutations whose SEOF is remembered.
const MAX_WATCHED: usize = 9;
/// Subjects of decisions that take mutations back, beside the dimensions that are changed.
const ROLL_BACK_SUBJECT: u64 = 100;
const REVERT_SUBJECT: u64 = 200;

/// What phase 5 is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueAct {
    /// A mutation that the sandbox has approved comes into force.
    Apply(Pending),
    /// A mutation is taken back, with those after it: SEOF has fallen since.
    RollBack(Applied),
    /// The values return to the last stable checkpoint: they have drifted critically.
    Revert,
}

impl ValueAct {
    /// It takes back what was done: it may not be held back for what is bad already.
    pub fn is_protective(&self) -> bool {
        !matches!(self, ValueAct::Apply(_))
    }

    /// What phase 5 knows it by.
    pub fn decision(&self) -> Decision {
        let subject = match self {
            ValueAct::Apply(pending) => pending.mutation.dimension as u64,
            ValueAct::RollBack(applied) => ROLL_BACK_SUBJECT + applied.mutation.dimension as u64,
            ValueAct::Revert => REVERT_SUBJECT,
        };
        let kind = DecisionKind::Value;
        Decision { kind, subject }
    }
}

/// A change that phase 5 is asked for, and the values after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ValueProposal {
    /// The change.
    pub act: ValueAct,
    /// The values after it.
    pub after: ValueVector,
}

/// What the phase found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValuesOutput {
    /// The values in force.
    pub vector: ValueVector,
    /// How far they have drifted.
    pub drift: DriftStatus,
    /// Coherence, as the criterion takes it.
    pub coherence: f64,
    /// Coherence as the seed defines it.
    pub literal_coherence: f64,
    /// The mutations in the sandbox.
    pub pending: Vec<Pending>,
    /// Mutations that were rejected in this pass.
    pub rejected: Vec<Mutation>,
    /// What phase 5 is asked for; at most one.
    pub proposal: Option<ValueProposal>,
    /// How mutations fared.
    pub record: MutationRecord,
    /// The values were the same before and after the sandbox.
    pub contained: bool,
}

/// What the phase remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EvolveState {
    values: Values,
    monitor: DriftMonitor,
    evidence: Evidence,
    /// SEOF when each open goal was first seen.
    begun: Vec<(GoalId, f64)>,
    /// When mutations came into force, and SEOF then.
    watched: Vec<(u64, f64)>,
    /// What phase 5 was asked for, and in which pass.
    asked: Option<(u64, ValueProposal)>,
}

impl EvolveState {
    /// A state that was read back can be used only if this holds; its parts were checked when they were read.
    pub fn is_valid(&self) -> bool {
        let seof = |seof: f64| (-1.0..=1.0).contains(&seof);
        self.begun.len() <= MAX_BEGUN
            && self.begun.iter().all(|(_, at)| seof(*at))
            && self.watched.len() <= MAX_WATCHED
            && self.watched.iter().all(|(_, at)| seof(*at))
    }

    /// The values.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Share of the mutation budget that is left at `cycle`.
    pub fn mutation_left(&self, cycle: u64) -> f64 {
        1.0 - self.values.mutations_within(cycle) as f64 / MAX_MUTATIONS as f64
    }
}

/// What one step takes in.
#[derive(Clone, Copy)]
pub struct Evolving<'a> {
    /// What the levels below say.
    pub below: &'a Below,
    /// Where the agent stands; `None` while nothing can be looked ahead.
    pub scene: Option<&'a Scene>,
    /// What phase 5 has said of the last pass.
    pub ruling: Option<&'a Ruling>,
    /// The number of the pass.
    pub pass: u64,
}

/// The phase.
#[derive(Debug, Clone, Default)]
pub struct Evolve {
    state: Arc<EvolveState>,
}

impl Evolve {
    /// A phase whose values are the baseline.
    pub fn new() -> Self {
        Self::default()
    }

    /// A phase with this state.
    pub fn from_state(state: Arc<EvolveState>) -> Self {
        Self { state }
    }

    /// The state after the last step, shared.
    pub fn state(&self) -> Arc<EvolveState> {
        Arc::clone(&self.state)
    }

    /// Goes back to a state that [`Evolve::state`] gave.
    pub fn revert(&mut self, state: Arc<EvolveState>) {
        self.state = state;
    }

    /// One pass. What there is no time to simulate waits.
    pub fn step(&mut self, input: &Evolving<'_>, budget: &dyn Budget) -> ValuesOutput {
        Arc::make_mut(&mut self.state).advance(input, budget)
    }
}

impl EvolveState {
    fn advance(&mut self, input: &Evolving<'_>, budget: &dyn Budget) -> ValuesOutput {
        let (below, cycle) = (input.below, input.below.cycle());
        self.settle(input.ruling, below);
        self.note_goals(below);
        let drift = self.monitor.check(self.values.vector(), cycle);
        if self.monitor.due(cycle) {
            let vector = *self.values.vector();
            self.monitor.apply(&drift, &vector);
        }
        self.admit(below);
        let mut rejected = Vec::new();
        let before = *self.values.vector();
        let approved = self.evaluate(input, budget, &mut rejected);
        let contained = *self.values.vector() == before;
        let approved = approved.filter(|pending| self.is_bearable(pending, cycle, &mut rejected));
        let act = if drift.band.reverts() {
            Some(ValueAct::Revert)
        } else {
            self.regretted(below)
                .map(ValueAct::RollBack)
                .or(approved.map(ValueAct::Apply))
        };
        let proposal = act.map(|act| ValueProposal {
            act,
            after: self.after(&act),
        });
        self.asked = proposal.map(|proposal| (input.pass, proposal));
        let vector = *self.values.vector();
        ValuesOutput {
            vector,
            drift,
            coherence: vector.coherence(),
            literal_coherence: vector.literal_coherence(),
            pending: self.values.pending().copied().collect(),
            rejected,
            proposal,
            record: self.values.record(),
            contained,
        }
    }

    /// What phase 5 has passed is carried out; a mutation that it vetoed leaves the sandbox without a trace.
    fn settle(&mut self, ruling: Option<&Ruling>, below: &Below) {
        let cycle = below.cycle();
        if let Some((pass, proposal)) = self.asked.take() {
            let ruling = ruling.filter(|ruling| ruling.pass == pass);
            let passed = ruling.is_some_and(|ruling| ruling.values.first() == Some(&true));
            match proposal.act {
                ValueAct::Apply(pending) if passed => {
                    if self.values.settle(&pending, Verdict::Approved, cycle) {
                        self.watch(cycle, below.floor.seof);
                    }
                }
                // A level that only advises changes nothing: it waits in the sandbox.
                ValueAct::Apply(_) if ruling.is_some_and(|ruling| !ruling.acts) => {}
                ValueAct::Apply(pending) => {
                    self.values
                        .settle(&pending, Verdict::Rejected(Rejection::Invariant), cycle);
                }
                ValueAct::RollBack(applied) if passed => {
                    self.values.roll_back(&applied, cycle);
                }
                ValueAct::Revert if passed => self.values.revert(),
                ValueAct::RollBack(_) | ValueAct::Revert => {}
            }
        }
        if ruling.is_some_and(|ruling| ruling.sound) {
            self.values.verified();
        }
    }

    fn watch(&mut self, cycle: u64, seof: f64) {
        if self.watched.len() == MAX_WATCHED {
            self.watched.remove(0);
        }
        if (-1.0..=1.0).contains(&seof) {
            self.watched.push((cycle, seof));
        }
    }

    /// Goals that are new are remembered with SEOF as it is; of those that are closed, what they served and what became
    /// of SEOF is evidence.
    fn note_goals(&mut self, below: &Below) {
        let seof = below.floor.seof;
        if !(-1.0..=1.0).contains(&seof) {
            return;
        }
        for record in below.closed.iter() {
            let Some(at) = self.begun.iter().position(|(goal, _)| *goal == record.spec.goal) else {
                continue;
            };
            let (_, before) = self.begun.remove(at);
            self.evidence.note(GoalEvidence {
                shares: served(&record.spec, &below.purpose),
                seof_change: seof - before,
            });
        }
        let is_open = |goal: &GoalId| below.open.iter().any(|record| record.spec.goal == *goal);
        self.begun.retain(|(goal, _)| is_open(goal));
        for record in below.open.iter() {
            let known = self.begun.iter().any(|(goal, _)| *goal == record.spec.goal);
            if !known && self.begun.len() < MAX_BEGUN {
                self.begun.push((record.spec.goal.clone(), seof));
            }
        }
    }

    /// Every 200 cycles the mutations that the evidence asks for go into the sandbox, as far as they pass the pre-check.
    fn admit(&mut self, below: &Below) {
        let cycle = below.cycle();
        if !below.floor.permits_growth() || !self.evidence.due(cycle) {
            return;
        }
        let share = below.floor.stage().mutation_share();
        for mutation in self.evidence.proposals(&self.monitor) {
            let mutation = Mutation {
                delta: share * mutation.delta,
                ..mutation
            };
            if let Ok(admission) = self.values.check(&mutation, cycle) {
                self.values.admit(admission);
            }
        }
        self.evidence.proposed_at(cycle);
    }

    /// The sandbox: the first mutation that it approves; those that it rejects are gone.
    fn evaluate(&mut self, input: &Evolving<'_>, budget: &dyn Budget, rejected: &mut Vec<Mutation>) -> Option<Pending> {
        let cycle = input.below.cycle();
        let waiting: Vec<Pending> = self.values.pending().copied().collect();
        let mut approved = None;
        for pending in waiting {
            let verdict = self.values.evaluate(&pending, cycle, |vector, cycles| {
                let scene = input
                    .scene
                    .ok_or(LookaheadError::Budget(crate::budget::BudgetExceeded))?;
                let report = scene.look(&WhatIf::nothing(*vector), &input.below.source(), cycles, budget)?;
                Ok(Trial::from(&report))
            });
            match verdict {
                Verdict::Approved => approved = approved.or(Some(pending)),
                Verdict::Rejected(_) => {
                    rejected.push(pending.mutation);
                    self.values.settle(&pending, verdict, cycle);
                }
                Verdict::Waits => {}
            }
        }
        approved
    }

    /// With the mutation, the drift alone leaves the score of phase 5 at that of a healthy agent: a level that went beyond
    /// would sooner or later put itself out of action by its values, and have no authority to bring them back. One that is
    /// not bearable is rejected.
    fn is_bearable(&mut self, pending: &Pending, cycle: u64, rejected: &mut Vec<Mutation>) -> bool {
        let Limit { limit, comfort } = Condition::ValueDrift.limit();
        let most = limit - HEALTHY_SCORE * (limit - comfort);
        let after = self.after(&ValueAct::Apply(*pending)).total_drift();
        let bearable = after <= most || after <= self.values.vector().total_drift();
        if !bearable {
            rejected.push(pending.mutation);
            self.values
                .settle(pending, Verdict::Rejected(Rejection::Invariant), cycle);
        }
        bearable
    }

    /// A mutation since which SEOF has fallen, as soon as that can be told.
    fn regretted(&self, below: &Below) -> Option<Applied> {
        let (cycle, seof) = (below.cycle(), below.floor.seof);
        let fell = |applied: &&Applied| {
            let watched = self.watched.iter().find(|(then, _)| *then == applied.cycle);
            let told = cycle.saturating_sub(applied.cycle) >= TOLD_AFTER_CYCLES;
            told && watched.is_some_and(|(_, before)| before - seof > MAX_SEOF_LOSS)
        };
        self.values.reversible(cycle).find(fell).copied()
    }

    fn after(&self, act: &ValueAct) -> ValueVector {
        match act {
            ValueAct::Apply(pending) => {
                let Mutation { dimension, delta } = pending.mutation;
                self.values.vector().with(dimension, delta)
            }
            ValueAct::RollBack(applied) => applied.before,
            ValueAct::Revert => *self.values.checkpoint(),
        }
    }
}

#[cfg(test)]
mod tests;
