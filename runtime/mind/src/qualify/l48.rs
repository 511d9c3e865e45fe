//! The fourteen criteria of Level 4.8 and its strategic maturity score SMS (MSCP Level 4.8, section 11, Definition 13).
//!
//! What is counted, over the last 3,000 cycles of the level, in blocks of 100:
//!
//! | criterion | value |
//! | --- | --- |
//! | EA-1 prediction accuracy | share of observations inside the central 80 % interval that was forecast; 0 if that interval is wider than persistence's (`block`) |
//! | EA-2 scenario coverage | mean over passes of the share of realised values inside the scenarios' envelope |
//! | EA-3 belief calibration | mean over ten levels of the gap between the share that an interval is to hold and the share that it held |
//! | EA-4 risk forecast lead time | median cycles from the alarm to a shock or an exhaustion (`alarm`) |
//! | SM-5 mean calibration error | mean over passes of MCE |
//! | SM-6 unknown-domain recall | share of planted shifts, every 500 cycles, that a copy of the detector flags |
//! | SM-7 overconfidence correction | median cycles from detection to an error of 0.10; an open one counts once it is too old (`correction`) |
//! | SM-8 skill gap prediction | area under the curve of the feasibility that was predicted against what became of the goal |
//! | SA-9 goal completion rate | goals that succeeded, of those that were closed with an outcome |
//! | SA-10 strategy robustness | mean over passes of the share of scenarios in which the choice is within 10 % of the best |
//! | SP-11 Lyapunov decay | share of cycles in which V did not count as rising |
//! | SP-12 spectral radius | the largest |
//! | SP-13 instability cluster duration | the longest run of cycles that count against an invariant (`instability`) |
//! | SP-14 strategic revert rate | choices of strategy that did not hold, of all (`strategy`) |
//!
//! EU, the fifth category, is the share of cycles with EU below its target.
//!
//! What agents that watch one operational series come to (18 series of 1,100 to 22,700 observations, nothing planted, no
//! goals): EA-1 0.71 to 0.86, EA-2 0.88 to 0.98, EA-3 0.003 to 0.062, SM-5 0.009 to 0.044, SM-6 1, SA-10 0.97 to 1, SP-11
//! 0.91 to 1 and below its target in 4, SP-13 above its target in 11 (a single step of V counts for 19 cycles), SP-14 at
//! most 0.003, EU 0.49 to 1; SMS 0.89 to 1.00.

mod alarm;
mod block;
mod correction;
mod goals;
mod instability;
mod state;
mod strategy;
#[cfg(test)]
mod tests;

pub use goals::{ClosedGoal, OpenGoal};
pub use state::RawAudit48;

use super::category::{Category, Kind};
use super::criterion::{Criterion, Reading, Target};
use super::report::{Parts, Report};
use super::{WINDOW_CYCLES, ratio};
use crate::l48::introspect::IntrospectState;
use crate::l48::plan::{PlanOutput, SelfSight};
use crate::l48::verify::{Response, Verdict};
use crate::l48::{Baton, IntrospectOutput, ObserveOutput};
use crate::report::{CycleReport, FloorReport};
use alarm::Alarms;
pub use alarm::{ALARM_RES, ALARM_RUNWAY_CYCLES, FORESHADOW};
use block::Blocks;
pub use block::{CENTRAL, WIDTH_TOLERANCE};
use correction::Corrections;
use goals::Goals;
use instability::Instability;
use rungs_types::{Epoch, Level};
use serde::{Deserialize, Serialize};
use strategy::Strategies;

/// SMS from which Level 4.8 qualifies (Definition 13).
pub const NEEDED_SMS: f64 = 0.80;
/// SMS from which Level 4.9 may stand on it (MSCP Level 4.9, section 10.1).
pub const NEEDED_SMS_FOR_L49: f64 = 0.85;
/// EU is low below this (Definition 2).
pub const LOW_EU: f64 = 0.15;
/// Cycles between two probes of the unknown-domain detector.
pub const PROBE_CYCLES: u32 = 500;

/// The fourteen, in the order of section 11.1.
pub const CRITERIA: [Criterion; 14] = [
    criterion("EA-1", "prediction accuracy", Target::at_least(0.70)),
    criterion("EA-2", "scenario coverage", Target::at_least(0.85)),
    criterion("EA-3", "belief calibration", Target::below(0.15)),
    criterion("EA-4", "risk forecast lead time, cycles", Target::at_least(20.0)),
    criterion("SM-5", "mean calibration error", Target::below(0.10)),
    criterion("SM-6", "unknown-domain recall", Target::at_least(0.90)),
    criterion("SM-7", "overconfidence correction, cycles", Target::at_most(20.0)),
    criterion("SM-8", "skill gap prediction", Target::at_least(0.75)),
    criterion("SA-9", "goal completion rate", Target::at_least(0.60)),
    criterion("SA-10", "strategy robustness", Target::at_least(0.70)),
    criterion("SP-11", "Lyapunov decay, share of cycles", Target::at_least(0.95)),
    criterion("SP-12", "spectral radius", Target::below(1.0).always()),
    criterion("SP-13", "instability cluster duration, cycles", Target::at_most(15.0)),
    criterion("SP-14", "strategic revert rate", Target::below(0.10)),
];

const fn criterion(id: &'static str, name: &'static str, target: Target) -> Criterion {
    Criterion { id, name, target }
}

/// The five categories with the weights of Definition 13.
const CATEGORIES: [Kind; 5] = [
    kind("EA", "environmental awareness", 0.25),
    kind("SM", "self-modeling", 0.25),
    kind("SA", "strategic acuity", 0.20),
    kind("SP", "stability preservation", 0.20),
    kind("EU", "uncertainty handling", 0.10),
];

const fn kind(id: &'static str, name: &'static str, weight: f64) -> Kind {
    Kind { id, name, weight }
}

/// The end of each category's criteria in [`CRITERIA`].
const ENDS: [usize; 4] = [4, 8, 10, 14];

/// One pass that came back, also one whose verdict is a freeze.
#[derive(Debug, Clone, Copy)]
pub struct Pass48<'a> {
    /// The level's epoch; a greater one says that it was frozen since the last pass.
    pub epoch: Epoch,
    /// What L3 did and saw.
    pub report: &'a CycleReport,
    /// What L4.5 says of it.
    pub floor: &'a FloorReport,
    /// Phase 1.
    pub world: &'a ObserveOutput,
    /// Phase 2.
    pub capability: &'a IntrospectOutput,
    /// The state of phase 2 after the pass, whose detector is probed.
    pub self_model: &'a IntrospectState,
    /// Phase 3; `None` where nothing is planned.
    pub plan: Option<&'a PlanOutput>,
    /// Phase 4.
    pub verdict: &'a Verdict,
    /// All goals that are open.
    pub open: &'a [OpenGoal],
    /// Goals that are closed; one that was told before, or never as open, changes nothing.
    pub closed: &'a [ClosedGoal],
}

/// The rolling audit of Level 4.8. Its serde form is its whole state, which a store keeps beside the level's snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawAudit48", into = "RawAudit48")]
pub struct Audit48 {
    /// Seed of the probes.
    seed: u64,
    /// The last cycle fed.
    cycle: u64,
    epoch: Option<Epoch>,
    /// The last pass ended with a freeze, which is counted.
    froze: bool,
    blocks: Blocks,
    /// Cycles fed since the last probe.
    since_probe: u32,
    probes: u64,
    alarms: Alarms,
    corrections: Corrections,
    goals: Goals,
    instability: Instability,
    strategies: Strategies,
}

impl Audit48 {
    /// An audit of a level that has done nothing; `seed` is that of its probes.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            cycle: 0,
            epoch: None,
            froze: false,
            blocks: Blocks::default(),
            since_probe: 0,
            probes: 0,
            alarms: Alarms::default(),
            corrections: Corrections::default(),
            goals: Goals::default(),
            instability: Instability::default(),
            strategies: Strategies::default(),
        }
    }

    /// Cycles that the window holds, at most [`WINDOW_CYCLES`].
    pub fn seen(&self) -> u32 {
        self.blocks.cycles().min(WINDOW_CYCLES)
    }

    /// Takes in a baton that came back; one that has not passed all phases changes nothing.
    pub fn feed_baton(&mut self, baton: &Baton) {
        let (Some(observe), Some(introspect), Some(verify)) = (&baton.observe, &baton.introspect, &baton.verify) else {
            return;
        };
        let goals = &baton.report.goals;
        let skills = SelfSight {
            output: &introspect.output,
            attainment: introspect.state.attainment(),
        };
        let open: Vec<OpenGoal> = goals
            .open
            .iter()
            .filter_map(|record| OpenGoal::of(record, &skills))
            .collect();
        let closed: Vec<ClosedGoal> = goals.closed.iter().filter_map(ClosedGoal::of).collect();
        self.feed(&Pass48 {
            epoch: baton.pass.epoch,
            report: &baton.report,
            floor: &baton.floor,
            world: &observe.output,
            capability: &introspect.output,
            self_model: &introspect.state,
            plan: baton.plan.as_ref().map(|leg| &*leg.output),
            verdict: &verify.output,
            open: &open,
            closed: &closed,
        });
    }

    /// Takes one pass in.
    pub fn feed(&mut self, pass: &Pass48<'_>) {
        self.thaw(pass.epoch);
        let cycles = pass.report.facts.len() as u32;
        self.cycle = pass.floor.cycle;
        let number = self.blocks.number();
        let current = self.blocks.current();
        current.see(pass.report, pass.world, pass.capability);
        current.stand(pass.floor);
        self.instability.step(pass, current);
        self.strategies.step(pass.plan, pass.verdict.response, current);
        self.goals.step(pass.open, pass.closed, number, current);
        self.alarms.step(pass.report, pass.world, number);
        self.corrections.step(pass.capability, number);
        self.since_probe = self.since_probe.saturating_add(cycles);
        if self.since_probe >= PROBE_CYCLES {
            self.since_probe = 0;
            self.probe(pass);
        }
        self.froze = pass.verdict.response == Response::Freeze;
        self.blocks.advance();
    }

    /// A freeze since the last pass took back what the level had decided, and ended what it was in.
    fn thaw(&mut self, epoch: Epoch) {
        let known = self.epoch.replace(epoch);
        if known.is_some_and(|known| known != epoch) {
            if !self.froze {
                let current = self.blocks.current();
                current.reverts = current.reverts.saturating_add(1);
            }
            self.instability.restart();
            self.alarms.restart();
        }
    }

    fn probe(&mut self, pass: &Pass48<'_>) {
        self.probes = self.probes.wrapping_add(1);
        let seed = self.seed.wrapping_add(self.probes);
        let found = pass.self_model.probe(pass.report, &pass.world.scores, seed);
        let current = self.blocks.current();
        current.planted = current.planted.saturating_add(found.planted);
        current.flagged = current.flagged.saturating_add(found.flagged);
    }

    /// How the level stands now.
    pub fn report(&self) -> Report {
        let all = self.blocks.sum();
        let seen = self.seen();
        let read = |(criterion, value): (&Criterion, Option<f64>)| Reading::new(criterion, value, seen, WINDOW_CYCLES);
        let readings: Vec<Reading> = CRITERIA.iter().zip(self.values(&all)).map(read).collect();
        let mut from = 0;
        let mut categories: Vec<Category> = Vec::with_capacity(CATEGORIES.len());
        for (kind, end) in CATEGORIES.iter().zip(ENDS) {
            categories.push(kind.of(&readings[from..end]));
            from = end;
        }
        categories.push(CATEGORIES[4].scored(ratio(all.certain.into(), all.cycles.into())));
        Report::of(Parts {
            level: Level::L48,
            cycle: self.cycle,
            score_name: "SMS",
            needed: NEEDED_SMS,
            categories,
            readings,
            notes: Vec::new(),
            window: [seen, WINDOW_CYCLES],
        })
    }

    /// The value of each criterion; `None` without evidence.
    fn values(&self, all: &block::Sum) -> [Option<f64>; 14] {
        let oldest = self.blocks.oldest();
        [
            all.accuracy(),
            ratio(all.scenario, all.scenario_passes.into()),
            all.calibration_gap(),
            self.alarms.lead_time(oldest),
            ratio(all.mce, all.mce_passes.into()),
            ratio(all.flagged.into(), all.planted.into()),
            self.corrections.median(oldest, self.cycle),
            self.goals.auc(oldest),
            ratio(all.completed.into(), all.closed.into()),
            ratio(all.robustness, all.robustness_passes.into()),
            ratio(all.rises.into(), all.lyapunov_cycles.into()).map(|rises| 1.0 - rises),
            all.rho,
            (all.cycles > 0).then(|| f64::from(all.longest_run)),
            ratio(all.reverts.into(), all.decisions.into()).map(|rate| rate.min(1.0)),
        ]
    }
}
