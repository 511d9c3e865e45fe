//! Phase 2: the agent's model of itself - what it can do, how sure it may be of it, what it does not know, and what it
//! lacks (MSCP Level 4.8, section 4 and 8.5).
//!
//! One step per pass, after phase 1: the report's [`evidence`] goes into the [`capability`] matrix and the [`weakness`]
//! map, confidence is corrected ([`calibration`]), [`unknown`] domains are detected, changes of confidence are passed
//! on along the [`dependency`] graph, every demand is checked for a [`gap`], and what can be brought about is learnt
//! ([`attain`]).
//!
//! Invariants:
//! 1. Whatever comes in, all that leaves is finite and bounded in size, and in an order that follows from it alone.
//! 2. A report is judged before anything is learnt from it.
//! 3. After a freeze (a greater epoch), what was on trial has failed, and the weakness map has it as evidence.

pub mod attain;
pub mod calibration;
pub mod capability;
pub mod dependency;
pub mod evidence;
pub mod gap;
mod summary;
pub mod unknown;
pub mod weakness;

pub use summary::IntrospectSummary;

use super::observe::{ObserveOutput, Score};
use super::scenario;
use crate::report::{CycleReport, FloorReport};
use attain::Attainment;
use calibration::target;
use capability::{Capability, Corrected, Domain, Matrix, Outcome, Skill};
use dependency::{Dependencies, Impact};
use evidence::trials::Trials;
use gap::{Demand, Gap, Requirement};
use rungs_types::Epoch;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use unknown::{Detector, Probed, Reading, UnknownDomain};
use weakness::{Weakness, WeaknessMap};

/// Most weaknesses and gaps that are told, the worst first.
pub const MAX_TOLD: usize = 32;

/// What the phase found: M_cap of section 2.3.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IntrospectOutput {
    /// The last cycle it covers.
    pub cycle: u64,
    /// Every skill, in order.
    pub capabilities: Vec<Capability>,
    /// Mean calibrated confidence over the skills with evidence; `None` without one.
    pub confidence: Option<f64>,
    /// Mean calibration error (Definition 5), before this pass's correction; `None` without evidence.
    pub mce: Option<f64>,
    /// What it is to be below: 0.10, more while the agent adapts to what was unknown.
    pub mce_target: f64,
    /// Overconfidence that this pass found corrected.
    pub corrected: Vec<Corrected>,
    /// Domains in which mean confidence is below one half, the lowest first.
    pub low_domains: Vec<(Domain, f64)>,
    /// What each group's report said of its domain.
    pub readings: Vec<Reading>,
    /// The domains that are unknown now.
    pub unknown: Vec<UnknownDomain>,
    /// Domains that were registered as unknown since the start.
    pub unknown_registered: u64,
    /// What lately changed confidences mean downstream.
    pub impacts: Vec<Impact>,
    /// What is asked for and may not be done, the least feasible first.
    pub gaps: Vec<Gap>,
    /// What consistently fails in which scenario, the worst first.
    pub weaknesses: Vec<Weakness>,
}

/// What one step takes in.
#[derive(Debug, Clone, Copy)]
pub struct Introspected<'a> {
    /// What L3 did and saw.
    pub report: &'a CycleReport,
    /// What L4.5 says of it.
    pub floor: &'a FloorReport,
    /// What phase 1 made of it.
    pub world: &'a ObserveOutput,
    /// The level's epoch.
    pub epoch: Epoch,
    /// Outcomes that are not in the report: of tools, and of tasks by their kind.
    pub outcomes: &'a [Outcome],
    /// What is asked for beside the watch over each group.
    pub demands: &'a [Requirement],
}

/// What the phase remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntrospectState {
    groups: Arc<[u16]>,
    matrix: Matrix,
    weaknesses: WeaknessMap,
    detector: Detector,
    trials: Trials,
    /// Shared with whoever reads it.
    attainment: Arc<Attainment>,
    epoch: Epoch,
    /// What prevailed at the last report.
    scenario: scenario::Kind,
}

impl IntrospectState {
    fn new(groups: Arc<[u16]>) -> Self {
        let count = group_count(&groups);
        Self {
            matrix: Matrix::new(count),
            weaknesses: WeaknessMap::default(),
            detector: Detector::new(Arc::clone(&groups)),
            trials: Trials::new(usize::from(count)),
            attainment: Arc::new(Attainment::new(groups.len())),
            epoch: Epoch::default(),
            scenario: scenario::Kind::Baseline,
            groups,
        }
    }

    /// The state is of an agent whose dimensions are in these groups, and whole: one that was read back is used only
    /// then.
    pub fn is_for(&self, groups: &[u16]) -> bool {
        let trials = Trials::new(usize::from(group_count(groups)));
        let parts = self.detector.is_for(groups) && self.attainment.is_for(groups.len());
        *self.groups == *groups && parts && self.trials.groups() == trials.groups()
    }

    /// What is known of bringing things about.
    pub fn attainment(&self) -> &Arc<Attainment> {
        &self.attainment
    }
}

impl IntrospectState {
    /// Shows a planted shift to a copy of the detector; see [`Detector::probe`].
    pub fn probe(&self, report: &CycleReport, scores: &[Score], seed: u64) -> Probed {
        self.detector.probe(report, scores, seed)
    }
}

fn group_count(groups: &[u16]) -> u16 {
    groups.iter().map(|group| group.saturating_add(1)).max().unwrap_or(0)
}

/// The phase.
#[derive(Debug, Clone)]
pub struct Introspect {
    state: Arc<IntrospectState>,
    /// Which skills rest on which; follows from the groups.
    dependencies: Dependencies,
    /// The watch over each group.
    duties: Vec<Requirement>,
}

impl Introspect {
    /// The self-model of an agent that has done nothing; `groups` has the group of each dimension.
    pub fn new(groups: Arc<[u16]>) -> Self {
        Self::from_state(Arc::new(IntrospectState::new(groups)))
    }

    /// A phase with this state.
    pub fn from_state(state: Arc<IntrospectState>) -> Self {
        let count = group_count(&state.groups);
        let watched = Skill::of_watcher(count).into_iter();
        let duties = watched.filter_map(|skill| match skill {
            Skill::Forecast { group } => Some(Requirement {
                what: Demand::Watch { group },
                skills: vec![skill],
            }),
            _ => None,
        });
        Self {
            duties: duties.collect(),
            dependencies: Dependencies::of_watcher(count),
            state,
        }
    }

    /// The state after the last step, shared.
    pub fn state(&self) -> Arc<IntrospectState> {
        Arc::clone(&self.state)
    }

    /// Goes back to a state that [`Introspect::state`] gave.
    pub fn revert(&mut self, state: Arc<IntrospectState>) {
        self.state = state;
    }

    /// One pass.
    pub fn step(&mut self, input: &Introspected<'_>) -> IntrospectOutput {
        let cycle = input.world.cycle;
        let state = Arc::make_mut(&mut self.state);
        let readings = state.detector.step(cycle, input.report, &input.world.scores);
        Arc::make_mut(&mut state.attainment).step(input.report, input.floor, input.world);
        for outcome in state.outcomes(input) {
            state.matrix.note(&outcome);
            state.weaknesses.note(&outcome);
        }
        let corrected = state.matrix.calibrate(cycle);
        let impacts = self.dependencies.impacts(&state.matrix.changes());
        let demands: Vec<&Requirement> = self.duties.iter().chain(input.demands).collect();
        let registry = state.detector.registry();
        let gaps = gap::gaps(
            &demands,
            |skill| state.matrix.confidence(skill).map(|now| expected(now, skill, &impacts)),
            |what| matches!(what, Demand::Watch { group } if registry.is_open(group)),
        );
        let mut output = IntrospectOutput {
            cycle,
            capabilities: state.matrix.capabilities(),
            confidence: state.matrix.mean_confidence(),
            mce: state.matrix.mean_calibration_error(),
            mce_target: target(registry.cycles_since(cycle)),
            corrected,
            low_domains: state.matrix.low_domains(),
            readings,
            unknown: registry.open().copied().collect(),
            unknown_registered: registry.registered(),
            impacts,
            gaps,
            weaknesses: state.weaknesses.weaknesses(),
        };
        output.gaps.truncate(MAX_TOLD);
        output.weaknesses.truncate(MAX_TOLD);
        output
    }
}

/// Confidence in a skill less what it is about to lose because of a skill that it rests on.
fn expected(now: f64, skill: Skill, impacts: &[Impact]) -> f64 {
    let impact = impacts.iter().find(|impact| impact.skill == skill);
    (now + impact.map_or(0.0, |impact| impact.change.min(0.0))).clamp(0.0, 1.0)
}

impl IntrospectState {
    /// All outcomes of a pass: of what a freeze interrupted, of the report, of actions that were on trial, and those
    /// that came beside it.
    fn outcomes(&mut self, input: &Introspected<'_>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        if input.epoch != self.epoch {
            self.epoch = input.epoch;
            outcomes.extend(self.trials.interrupt(input.world.cycle, self.scenario));
        }
        self.scenario = evidence::prevailing(input.world);
        outcomes.extend(evidence::outcomes(&self.groups, input.report, input.world));
        outcomes.extend(self.trials.step(&self.groups, input.report, input.world, self.scenario));
        outcomes.extend(input.outcomes);
        outcomes
    }
}

#[cfg(test)]
mod tests;
