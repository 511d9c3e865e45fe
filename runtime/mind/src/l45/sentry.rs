//! The sentry: the existential guard and the ethical kernel's hash check over the kernel's raw reports, and nothing that
//! a level could have smoothed.
//!
//! Invariant: a level above L4.5 is frozen once when the stage becomes critical, not at each report of that stage.

use super::ethics::EthicalKernel;
use super::growth::Growth;
use super::guard::{ExistentialGuard, Stage};
use super::metrics::RawMetrics;
use super::purpose::own_share;
use crate::ladder::Fault;
use crate::report::{CycleReport, GuardReadings};
use serde::{Deserialize, Serialize};

/// What the sentry knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sentry {
    growth: Growth,
    metrics: RawMetrics,
    guard: ExistentialGuard,
    cycle: u64,
    reports: u64,
}

impl Sentry {
    /// Reads one report and gives the faults that it shows.
    pub fn read(&mut self, report: &CycleReport, ethics: &EthicalKernel) -> Vec<Fault> {
        let mut faults = Vec::new();
        let goals = report.goals.open.iter().chain(&report.goals.closed);
        self.metrics.set_goals(own_share(goals));
        for facts in &report.facts {
            let slope = self.growth.update(facts).slope;
            let readings = self.metrics.update(facts, slope);
            let before = self.guard.stage();
            let stage = self.guard.update(&readings);
            if stage == Stage::Critical && before < Stage::Critical {
                faults.push(Fault::GuardCritical {
                    metric: worst(&readings),
                });
            }
            self.cycle = facts.cycle;
        }
        self.reports = self.reports.saturating_add(1);
        if !ethics.is_intact() {
            faults.push(Fault::EthicsHash);
        }
        faults
    }

    /// Whether this can have come from [`Sentry::read`]: a state from a store may be damaged.
    pub fn is_valid(&self) -> bool {
        self.guard.is_valid() && self.metrics.is_valid()
    }

    /// The last cycle that it has read.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Reports that it has read.
    pub fn reports(&self) -> u64 {
        self.reports
    }

    /// The stage of the existential guard.
    pub fn stage(&self) -> Stage {
        self.guard.stage()
    }
}

/// The metric that calls for the critical stage, with its value.
fn worst(readings: &GuardReadings) -> String {
    let calls = |alone: GuardReadings| super::guard::stage_of(&alone) == Stage::Critical;
    let GuardReadings { rod, cas, ifi, gsrs } = *readings;
    let none = GuardReadings::default();
    if calls(GuardReadings { rod, ..none }) {
        format!("depth of self-reference {rod}")
    } else if calls(GuardReadings { ifi, ..none }) {
        format!("fragmentation of identity {:.4}", ifi.unwrap_or(f64::NAN))
    } else if calls(GuardReadings { gsrs, ..none }) {
        format!("self-reference of goals {:.4}", gsrs.unwrap_or(f64::NAN))
    } else {
        format!("slope of confidence {:.4} per cycle", cas.unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l45::ethics::Predicate;
    use crate::l45::fixtures::{goal, of};
    use crate::report::CycleFacts;
    use rungs_types::goal::{Origin, Quantity, TaskAction};
    use std::sync::Arc;

    fn report(cycles: std::ops::Range<u64>, depth: u8) -> CycleReport {
        let facts = |cycle| CycleFacts {
            cycle,
            self_reference_depth: depth,
            confidence: 0.5,
            identity: [1.0, 1.0, 0.5, 1.0, 1.0],
            ..CycleFacts::default()
        };
        CycleReport {
            facts: cycles.map(facts).collect(),
            ..CycleReport::default()
        }
    }

    #[test]
    fn the_critical_stage_is_told_once_until_it_was_left() {
        let ethics = EthicalKernel::default();
        let mut state = Sentry::default();
        assert_eq!(state.read(&report(1..11, 1), &ethics), []);
        let metric = "depth of self-reference 4".to_owned();
        assert_eq!(
            state.read(&report(11..21, 4), &ethics),
            [Fault::GuardCritical { metric: metric.clone() }]
        );
        assert_eq!(state.read(&report(21..31, 4), &ethics), []);
        // 300 clean cycles lead out of it.
        assert_eq!(state.read(&report(31..331, 0), &ethics), []);
        assert_eq!(
            state.read(&report(331..332, 4), &ethics),
            [Fault::GuardCritical { metric }]
        );
        assert_eq!((state.cycle, state.reports), (331, 5));
    }

    #[test]
    fn an_identity_that_turns_is_critical_and_so_are_goals_and_actions_about_nothing_but_the_agent() {
        let ethics = EthicalKernel::default();
        let mut state = Sentry::default();
        let with = |cycles: std::ops::Range<u64>, change: fn(&mut CycleFacts)| {
            let mut report = report(cycles, 0);
            report.facts.iter_mut().for_each(change);
            report
        };
        assert_eq!(
            state.read(
                &with(1..1_001, |facts| facts.identity = [1.0, 0.0, 0.0, 0.0, 0.0]),
                &ethics
            ),
            []
        );
        let faults = state.read(
            &with(1_001..1_021, |facts| facts.identity = [0.0, 1.0, 0.0, 0.0, 0.0]),
            &ethics,
        );
        let [Fault::GuardCritical { metric }] = faults.as_slice() else {
            panic!("{faults:?}")
        };
        assert!(metric.starts_with("fragmentation of identity 0."), "{metric}");
        // All goals about itself are half of GSRS; 40 of 200 actions make it 0.6.
        let mut own = goal(1, Origin::L49, vec![TaskAction::SampleFaster { group: 0 }]);
        Arc::make_mut(&mut own.spec).success = of(&[Quantity::Seof]);
        let mut state = Sentry::default();
        let mut inward = |cycles, change: fn(&mut CycleFacts)| {
            let mut report = with(cycles, change);
            report.goals.open = vec![own.clone()];
            state.read(&report, &ethics)
        };
        assert_eq!(inward(1..201, |_| ()), []);
        assert_eq!(inward(201..240, |facts| facts.self_directed = true), [], "39 of 200");
        let metric = "self-reference of goals 0.6000".to_owned();
        assert_eq!(
            inward(240..241, |facts| facts.self_directed = true),
            [Fault::GuardCritical { metric }]
        );
    }

    #[test]
    fn an_ethical_kernel_that_is_not_the_builds_is_a_fault_at_each_report() {
        let shorter = EthicalKernel::with_predicates(Predicate::ALL[1..].to_vec());
        let mut state = Sentry::default();
        for from in [1, 11] {
            assert_eq!(state.read(&report(from..from + 10, 0), &shorter), [Fault::EthicsHash]);
        }
    }
}
