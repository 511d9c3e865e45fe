//! Merging reports for a level that is busy: overload shows as fewer passes of the level, never as growing memory.

use crate::goals::MAX_CLOSED;
use crate::report::{CycleReport, FloorReport, MAX_REPORT_CYCLES, RhoState};
use std::sync::Arc;

/// A report of the kernel with L4.5's answer to it, and those that came while they waited.
#[derive(Debug)]
pub struct Pending {
    report: Arc<CycleReport>,
    floor: FloorReport,
}

impl Pending {
    /// One that came alone.
    pub fn new(report: Arc<CycleReport>, floor: FloorReport) -> Self {
        Self { report, floor }
    }

    /// Adds what came later; the oldest cycles above [`MAX_REPORT_CYCLES`] are lost, and counted.
    pub fn with(self, later: &CycleReport, later_floor: FloorReport) -> Self {
        let mut report = Arc::unwrap_or_clone(self.report);
        append(&mut report, later);
        Self {
            report: Arc::new(report),
            floor: merge_floors(self.floor, later_floor),
        }
    }

    /// Cycles that wait.
    pub fn cycles(&self) -> usize {
        self.report.facts.len()
    }

    /// What Level 4.8 reads.
    pub fn into_parts(self) -> (Arc<CycleReport>, Arc<FloorReport>) {
        (self.report, Arc::new(self.floor))
    }
}

fn append(report: &mut CycleReport, later: &CycleReport) {
    report.facts.extend_from_slice(&later.facts);
    report.observations.extend_from_slice(&later.observations);
    report.forecasts.extend_from_slice(&later.forecasts);
    report.forecast_sd.extend_from_slice(&later.forecast_sd);
    report.forecast_half_width.extend_from_slice(&later.forecast_half_width);
    report.resources.clone_from(&later.resources);
    report.trial = later.trial;
    report.dropped_cycles += later.dropped_cycles;
    report.goals.open.clone_from(&later.goals.open);
    report.goals.closed.extend_from_slice(&later.goals.closed);
    let forgotten = report.goals.closed.len().saturating_sub(MAX_CLOSED);
    report.goals.closed.drain(..forgotten);
    report.goals.refused.extend_from_slice(&later.goals.refused);
    let forgotten = report.goals.refused.len().saturating_sub(MAX_CLOSED);
    report.goals.refused.drain(..forgotten);
    let lost = report.facts.len().saturating_sub(MAX_REPORT_CYCLES);
    if lost > 0 {
        let cells = lost * report.dimensions;
        report.facts.drain(..lost);
        for column in [
            &mut report.observations,
            &mut report.forecasts,
            &mut report.forecast_sd,
            &mut report.forecast_half_width,
        ] {
            column.drain(..cells.min(column.len()));
        }
        report.dropped_cycles += lost as u64;
    }
}

/// The later report speaks for both, except for what happened in either.
fn merge_floors(earlier: FloorReport, later: FloorReport) -> FloorReport {
    FloorReport {
        lyapunov: joined(earlier.lyapunov, &later.lyapunov),
        states: joined(earlier.states, &later.states),
        guard_stage: later.guard_stage.max(earlier.guard_stage),
        rho_state: worse(earlier.rho_state, later.rho_state),
        iis: smaller(earlier.iis, later.iis),
        contained: earlier.contained && later.contained,
        ethics_intact: earlier.ethics_intact && later.ethics_intact,
        success_fall: earlier.success_fall || later.success_fall,
        structural_permitted: earlier.structural_permitted && later.structural_permitted,
        ..later
    }
}

/// The last [`MAX_REPORT_CYCLES`] of both.
fn joined<T: Copy>(mut earlier: Vec<T>, later: &[T]) -> Vec<T> {
    earlier.extend_from_slice(later);
    let lost = earlier.len().saturating_sub(MAX_REPORT_CYCLES);
    earlier.drain(..lost);
    earlier
}

/// Of two verdicts the worse; `Unknown` is worse than nothing that was found.
fn worse(earlier: RhoState, later: RhoState) -> RhoState {
    match (earlier, later) {
        (RhoState::Violation, _) | (_, RhoState::Violation) => RhoState::Violation,
        (RhoState::Warning, _) | (_, RhoState::Warning) => RhoState::Warning,
        (_, later) => later,
    }
}

/// Of two identity integrities the worse: a violation that waits is none the less one. What is not a number is worst.
fn smaller(earlier: Option<f64>, later: Option<f64>) -> Option<f64> {
    match (earlier, later) {
        (Some(earlier), Some(later)) if earlier.is_nan() || earlier < later => Some(earlier),
        (Some(_), Some(later)) => Some(later),
        (earlier, later) => later.or(earlier),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::CycleFacts;

    /// Cycles `from..to` of one dimension whose observation is the cycle's number.
    fn report(from: u64, to: u64) -> CycleReport {
        let column: Vec<f64> = (from..to).map(|cycle| cycle as f64).collect();
        CycleReport {
            dimensions: 1,
            groups: Arc::from([0]),
            facts: (from..to)
                .map(|cycle| CycleFacts {
                    cycle,
                    ..CycleFacts::default()
                })
                .collect(),
            observations: column.clone(),
            forecasts: column.clone(),
            forecast_sd: column.clone(),
            forecast_half_width: column,
            ..CycleReport::default()
        }
    }

    fn floor(cycle: u64) -> FloorReport {
        FloorReport {
            cycle,
            lyapunov: vec![cycle as f64; 10],
            contained: true,
            ethics_intact: true,
            ..FloorReport::default()
        }
    }

    #[test]
    fn what_waits_keeps_every_cycle_up_to_the_limit_and_counts_those_it_loses() {
        let mut pending = Pending::new(Arc::new(report(1, 11)), floor(10));
        for i in 1..10 {
            pending = pending.with(&report(i * 10 + 1, i * 10 + 11), floor(i * 10 + 10));
        }
        assert_eq!((pending.cycles(), pending.report.dropped_cycles), (100, 0));
        let (merged, floor_report) = pending.with(&report(101, 111), floor(110)).into_parts();
        assert_eq!((merged.facts.len(), merged.dropped_cycles), (100, 10));
        assert_eq!((merged.facts[0].cycle, merged.facts[99].cycle), (11, 110));
        for column in [
            &merged.observations,
            &merged.forecasts,
            &merged.forecast_sd,
            &merged.forecast_half_width,
        ] {
            assert_eq!((column.len(), column[0], column[99]), (100, 11.0, 110.0));
        }
        assert_eq!((floor_report.cycle, floor_report.lyapunov.len()), (110, 100));
        assert_eq!(floor_report.lyapunov[0], 20.0);
    }

    #[test]
    fn what_happened_in_either_report_is_in_the_merged_one() {
        let bad = FloorReport {
            rho_state: RhoState::Violation,
            contained: false,
            success_fall: true,
            guard_stage: 3,
            ..floor(10)
        };
        let good = FloorReport {
            rho_state: RhoState::Stable,
            ..floor(20)
        };
        for merged in [merge_floors(bad.clone(), good.clone()), merge_floors(good, bad)] {
            assert_eq!(merged.rho_state, RhoState::Violation);
            assert!(!merged.contained && merged.success_fall && merged.ethics_intact);
            assert_eq!(merged.guard_stage, 3);
        }
    }
}
