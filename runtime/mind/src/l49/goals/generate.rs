//! The phase: one step per pass.

use super::book::{Book, Counters, Fate, GoalEntry};
use super::court::Court;
use super::detect::{Detector, Surroundings};
use super::matrix::{Criteria, Verdict, subject};
use super::novelty::{Profile, is_new, novelty};
use super::rate::Rate;
use super::signal::{GoalOrigin, Signal};
use super::synthesize::synthesize;
use crate::budget::{Budget, BudgetExceeded};
use crate::l45::jacobian::SpectralReading;
use crate::l48::Response;
use crate::l49::ahead::{Prospective, Scene, TRAJECTORIES, WhatIf};
use crate::l49::below::{Below, Look};
use crate::l49::resources::{Gauges, Survival, project};
use crate::l49::ruling::{InForce, Ruling};
use crate::l49::stability::{Decision, DecisionKind};
use crate::lookahead::SelfModel;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rungs_types::GoalId;
use rungs_types::goal::GoalSpec;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most goals in the sandbox (section 3.5).
pub const MAX_SANDBOXED: usize = 3;
/// The reward of an aspirational goal: its priority is low.
const ASPIRATIONAL_REWARD: f64 = 0.25;

/// A goal that phase 5 is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoalProposal {
    /// The goal with all that is known of it.
    pub entry: GoalEntry,
    /// What phase 5 knows it by.
    pub decision: Decision,
}

/// What the phase found.
#[derive(Debug, Clone)]
pub struct GoalsOutput {
    /// The last cycle it covers.
    pub cycle: u64,
    /// Where the agent stands, for whoever looks ahead after it; `None` until the law of its state is known.
    pub scene: Option<Arc<Scene>>,
    /// For how long resources last.
    pub survival: Survival,
    /// What was seen.
    pub signals: Vec<Signal>,
    /// The goals that phase 5 is asked for.
    pub proposals: Vec<GoalProposal>,
    /// Goals that were rejected or sandboxed in this pass.
    pub others: Vec<GoalEntry>,
    /// How goals fared so far.
    pub counters: Counters,
}

impl GoalsOutput {
    /// A proposal as a Lookahead takes it.
    pub fn prospective(proposal: &GoalProposal) -> Prospective {
        let Criteria {
            feasibility, purpose, ..
        } = proposal.entry.criteria;
        Prospective::candidate(&proposal.entry.spec, feasibility, purpose)
    }
}

/// What the phase remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenerateState {
    rng: Pcg64Mcg,
    /// The law of the agent's own state.
    model: SelfModel,
    detector: Detector,
    rate: Rate,
    book: Book,
    /// Numbers given to goals.
    numbers: u64,
    /// What the last candidate was like.
    last: Option<Profile>,
    /// What phase 5 was asked for, and in which pass.
    asked: Option<(u64, Vec<GoalProposal>)>,
}

impl GenerateState {
    fn new(seed: u64) -> Self {
        Self {
            rng: Pcg64Mcg::seed_from_u64(seed),
            model: SelfModel::default(),
            detector: Detector::default(),
            rate: Rate::default(),
            book: Book::default(),
            numbers: 0,
            last: None,
            asked: None,
        }
    }

    /// A state that was read back can be used only if this holds.
    pub fn is_valid(&self) -> bool {
        let asked = self.asked.as_ref().map_or(0, |(_, proposals)| proposals.len());
        let in_sandbox = self.book.sandboxed().count() <= MAX_SANDBOXED;
        let parts = self.detector.is_valid() && self.rate.is_valid() && self.book.is_valid();
        parts && in_sandbox && asked <= super::MAX_GOALS_IN_WINDOW
    }

    /// What became of each goal.
    pub fn book(&self) -> &Book {
        &self.book
    }
}

/// The phase.
#[derive(Debug, Clone)]
pub struct Generate {
    state: Arc<GenerateState>,
}

/// What one step takes in.
#[derive(Clone, Copy)]
pub struct Generating<'a> {
    /// What the levels below say.
    pub below: &'a Below,
    /// The resources since the last pass, oldest first; at least one.
    pub looks: &'a [Look],
    /// What is in force.
    pub in_force: &'a InForce,
    /// What phase 5 has said of the last pass.
    pub ruling: Option<&'a Ruling>,
    /// The number of the pass.
    pub pass: u64,
}

impl Generate {
    /// A phase that has wanted nothing; `seed` is that of all its randomness.
    pub fn new(seed: u64) -> Self {
        Self::from_state(Arc::new(GenerateState::new(seed)))
    }

    /// A phase with this state.
    pub fn from_state(state: Arc<GenerateState>) -> Self {
        Self { state }
    }

    /// The state after the last step, shared.
    pub fn state(&self) -> Arc<GenerateState> {
        Arc::clone(&self.state)
    }

    /// Goes back to a state that [`Generate::state`] gave.
    pub fn revert(&mut self, state: Arc<GenerateState>) {
        self.state = state;
    }

    /// One pass. When the time is over the state is as before.
    pub fn step(&mut self, input: &Generating<'_>, budget: &dyn Budget) -> Result<GoalsOutput, BudgetExceeded> {
        let mut next = GenerateState::clone(&self.state);
        let output = next.advance(input, budget)?;
        self.state = Arc::new(next);
        Ok(output)
    }
}

impl GenerateState {
    fn advance(&mut self, input: &Generating<'_>, budget: &dyn Budget) -> Result<GoalsOutput, BudgetExceeded> {
        let below = input.below;
        self.settle(input.ruling, below.cycle());
        self.book.close(&below.closed);
        self.book.refuse(&below.refused);
        self.watch(below);
        let gauges: Gauges = input.looks.last().map_or_else(Gauges::default, |look| look.gauges);
        let survival = project(&gauges);
        // Drawn whether they are used or not, so that what is drawn later does not depend on it.
        let seeds = std::array::from_fn::<u64, TRAJECTORIES, _>(|_| self.rng.random());
        let reading = SpectralReading {
            rho: below.floor.rho,
            state: below.floor.rho_state,
        };
        let dynamics = self.model.dynamics(reading, None);
        let scene = dynamics.map(|dynamics| Arc::new(Scene::new(below, &gauges, dynamics, seeds)));
        let mut output = GoalsOutput {
            cycle: below.cycle(),
            scene,
            survival,
            signals: Vec::new(),
            proposals: Vec::new(),
            others: Vec::new(),
            counters: self.book.counters(),
        };
        if let Some(scene) = output.scene.clone() {
            let court = Court {
                input,
                scene: &scene,
                survival: &survival,
                budget,
                alone: WhatIf::nothing(input.in_force.values),
            };
            self.consider(&court, &mut output)?;
        }
        let at = Surroundings {
            below,
            values: &input.in_force.values,
            survival: &survival,
            gain: None,
        };
        self.detector.note(&at);
        self.asked = (!output.proposals.is_empty()).then(|| (input.pass, output.proposals.clone()));
        output.counters = self.book.counters();
        Ok(output)
    }

    /// What phase 5 has passed is set; all else that was asked for has not happened, but for the record of it.
    fn settle(&mut self, ruling: Option<&Ruling>, cycle: u64) {
        let Some((pass, proposals)) = self.asked.take() else {
            return;
        };
        let ruling = ruling.filter(|ruling| ruling.pass == pass);
        let passed = ruling.map_or(&[][..], |ruling| &ruling.goals);
        for (index, proposal) in proposals.into_iter().enumerate() {
            if passed.get(index).copied().unwrap_or(false) {
                self.rate.set(cycle);
                self.book
                    .passed(proposal.entry, ruling.is_some_and(|ruling| ruling.acts));
            } else {
                // It may be thought of again: what was vetoed is nothing that another must differ from.
                self.last.take_if(|last| *last == proposal.entry.profile());
                self.book.vetoed(proposal.entry);
            }
        }
    }

    /// Learns the law of X from the cycles of the report.
    fn watch(&mut self, below: &Below) {
        let (report, floor) = (&below.report, &below.floor);
        let skipped = report.facts.len().saturating_sub(floor.states.len());
        for (x, row) in floor.states.iter().zip(skipped..) {
            self.model.observe(*x, 0.0, report.surprise(row));
        }
    }

    fn consider(&mut self, court: &Court<'_>, output: &mut GoalsOutput) -> Result<(), BudgetExceeded> {
        let below = court.input.below;
        let signals = self.detector.detect(&Surroundings {
            below,
            values: &court.input.in_force.values,
            survival: court.survival,
            gain: court.gain()?,
        });
        let permitted = below.level48.stability.response == Response::Continue && below.floor.permits_growth();
        if permitted {
            let factor = court.input.in_force.modes.regime().l49.candidates();
            let considered = (factor * signals.len() as f64).ceil() as usize;
            for signal in &signals[..considered.min(signals.len())] {
                self.candidate(signal, court, output)?;
            }
            self.judge_sandboxed(court, output)?;
        }
        output.signals = signals;
        Ok(())
    }

    /// One signal on its way to a proposal.
    fn candidate(
        &mut self,
        signal: &Signal,
        court: &Court<'_>,
        output: &mut GoalsOutput,
    ) -> Result<(), BudgetExceeded> {
        let (below, cycle) = (court.input.below, court.input.below.cycle());
        let origin = signal.origin();
        let room = self.rate.left(cycle) > output.proposals.len();
        if !room || self.rate.cools_down(origin, cycle) {
            return Ok(());
        }
        let Some(idea) = synthesize(signal, below, self.numbers + 1) else {
            return Ok(());
        };
        let profile = Profile {
            skills: idea.spec.skills.clone(),
            tier: idea.spec.tier,
            origin: Some(origin),
        };
        if !is_new(self.novelty(&profile, below, output)) || !has_place(&idea.spec, below, output) {
            return Ok(());
        }
        self.numbers += 1;
        self.last = Some(profile);
        let (idea, criteria, reduced) = court.validate_scoped(idea)?;
        let mut verdict = criteria.verdict();
        if matches!(verdict, Verdict::Sandboxed { .. }) && self.book.sandboxed().count() >= MAX_SANDBOXED {
            verdict = Verdict::SandboxFull;
        }
        let entry = GoalEntry {
            spec: Arc::new(idea.spec),
            origin,
            signal: signal.clone(),
            cycle,
            criteria: criteria.finite(),
            verdict,
            reduced,
            fate: Fate::Rejected,
        };
        self.place(entry, cycle, output);
        Ok(())
    }

    fn place(&mut self, entry: GoalEntry, cycle: u64, output: &mut GoalsOutput) {
        let origin = entry.origin;
        match entry.verdict {
            Verdict::Approved | Verdict::Aspirational | Verdict::Tried { .. } => {
                let proposal = proposal(entry);
                self.book.note(proposal.entry.clone());
                output.proposals.push(proposal);
            }
            Verdict::Sandboxed { .. } => {
                let fate = Fate::Sandboxed;
                let entry = GoalEntry { fate, ..entry };
                self.book.note(entry.clone());
                output.others.push(entry);
            }
            Verdict::Rejected(_) | Verdict::SandboxFull | Verdict::Overtaken => {
                self.rate.rejected(origin, cycle);
                self.book.note(entry.clone());
                output.others.push(entry);
            }
        }
    }

    /// Novelty against the open goals, what is asked for already, what is in the sandbox, and the last candidate.
    fn novelty(&self, profile: &Profile, below: &Below, output: &GoalsOutput) -> f64 {
        let open = below.open.iter().map(|record| Profile {
            skills: record.spec.skills.clone(),
            tier: record.spec.tier,
            origin: self.book.get(&record.spec.goal).map(|entry| entry.origin),
        });
        let asked = output.proposals.iter().map(|proposal| proposal.entry.profile());
        let sandboxed = self.book.sandboxed().map(GoalEntry::profile);
        let recent = self.last.iter().filter(|_| self.is_recent(below.cycle())).cloned();
        let others: Vec<Profile> = open.chain(asked).chain(sandboxed).chain(recent).collect();
        novelty(profile, &others)
    }

    /// The last candidate was thought of within the window in which goals are counted: one that is long over may be
    /// tried again.
    fn is_recent(&self, cycle: u64) -> bool {
        let last = self.book.entries().iter().map(|entry| entry.cycle).max();
        last.is_some_and(|last| cycle.saturating_sub(last) < super::RATE_WINDOW_CYCLES)
    }

    /// Each goal in the sandbox has its 200 cycles of Lookahead; its verdict is final. One that was reached meanwhile has no
    /// more use.
    fn judge_sandboxed(&mut self, court: &Court<'_>, output: &mut GoalsOutput) -> Result<(), BudgetExceeded> {
        let cycle = court.input.below.cycle();
        let waiting: Vec<GoalEntry> = self.book.sandboxed().cloned().collect();
        for entry in waiting {
            if self.rate.left(cycle) <= output.proposals.len() {
                break;
            }
            let observed = court.input.below.observed();
            if entry.spec.success.holds(|of| observed.measure(of)) == Some(true) {
                let (verdict, fate) = (Verdict::Overtaken, Fate::Rejected);
                let entry = GoalEntry { verdict, fate, ..entry };
                self.book.keep(entry.clone());
                output.others.push(entry);
                continue;
            }
            let (verdict, criteria) = court.sandbox(&entry)?;
            let fate = Fate::Rejected;
            let criteria = criteria.finite();
            let entry = GoalEntry {
                verdict,
                criteria,
                fate,
                ..entry
            };
            if verdict.is_approved() {
                let proposal = proposal(entry);
                self.book.keep(proposal.entry.clone());
                output.proposals.push(proposal);
            } else {
                self.rate.rejected(entry.origin, cycle);
                self.book.keep(entry.clone());
                output.others.push(entry);
            }
        }
        Ok(())
    }
}

/// What phase 5 is asked for. An aspirational goal brings less, so that its priority is low.
fn proposal(entry: GoalEntry) -> GoalProposal {
    let mut spec = GoalSpec::clone(&entry.spec);
    if entry.verdict == Verdict::Aspirational {
        spec.reward.immediate = ASPIRATIONAL_REWARD;
    }
    let decision = Decision {
        kind: DecisionKind::Goal,
        subject: subject(entry.origin),
    };
    let entry = GoalEntry {
        spec: Arc::new(spec),
        fate: Fate::Proposed,
        ..entry
    };
    GoalProposal { entry, decision }
}

/// Its tier has a place for it: the capacity filter.
fn has_place(spec: &GoalSpec, below: &Below, output: &GoalsOutput) -> bool {
    let open = below.open.iter().filter(|record| record.spec.tier == spec.tier).count();
    let asked = output
        .proposals
        .iter()
        .filter(|proposal| proposal.entry.spec.tier == spec.tier)
        .count();
    let name_is_free = |goal: &GoalId| {
        below
            .open
            .iter()
            .chain(&*below.closed)
            .all(|record| record.spec.goal != *goal)
    };
    open + asked < spec.tier.cap()
        && below.open.len() + output.proposals.len() < crate::goals::MAX_OPEN
        && name_is_free(&spec.goal)
}

/// Where goals come from, for those who list them.
impl GoalsOutput {
    /// The origins of the proposals, in their order.
    pub fn origins(&self) -> impl Iterator<Item = GoalOrigin> + '_ {
        self.proposals.iter().map(|proposal| proposal.entry.origin)
    }
}
