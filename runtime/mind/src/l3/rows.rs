//! The report under construction: one row per cycle until the host takes it.

use crate::l3::environment::{Environment, measurement};
use crate::report::{CycleFacts, CycleReport, GoalReport, MAX_REPORT_CYCLES, REPORT_CYCLES, Resource};
use std::sync::Arc;

/// Most resources that a report carries; further ones are left out.
pub(super) const MAX_RESOURCES: usize = 16;

/// An empty report with room for one period, so that filling it allocates nothing.
pub(super) fn empty(groups: &Arc<[u16]>) -> CycleReport {
    let dimensions = groups.len();
    let cells = || Vec::with_capacity(REPORT_CYCLES * dimensions);
    CycleReport {
        dimensions,
        groups: Arc::clone(groups),
        facts: Vec::with_capacity(REPORT_CYCLES),
        observations: cells(),
        forecasts: cells(),
        forecast_sd: cells(),
        forecast_half_width: cells(),
        resources: Vec::with_capacity(MAX_RESOURCES),
        trial: None,
        dropped_cycles: 0,
        goals: GoalReport::default(),
    }
}

/// Empties a report that the host has finished with, keeping its room, so that it can be filled again.
pub(super) fn recycle(report: &mut CycleReport, groups: &Arc<[u16]>) {
    report.dimensions = groups.len();
    report.groups = Arc::clone(groups);
    report.facts.clear();
    for cells in cells_of(report) {
        cells.clear();
    }
    report.resources.clear();
    report.trial = None;
    report.dropped_cycles = 0;
    report.goals.open.clear();
    report.goals.closed.clear();
    report.goals.refused.clear();
}

/// Writes one cycle's observations and what was expected of them. The facts follow with [`close_row`].
pub(super) fn open_row(report: &mut CycleReport, row: &[f64], environment: &Environment) {
    if report.facts.len() >= MAX_REPORT_CYCLES {
        drop_oldest(report);
    }
    for d in 0..report.dimensions {
        let value = row.get(d).copied().and_then(measurement).unwrap_or(f64::NAN);
        report.observations.push(value);
        let expectation = environment.expectation(d);
        report.forecasts.push(expectation.map_or(f64::NAN, |e| e.forecast));
        report
            .forecast_sd
            .push(expectation.and_then(|e| e.sd).unwrap_or(f64::NAN));
        report
            .forecast_half_width
            .push(expectation.and_then(|e| e.half_width).unwrap_or(f64::NAN));
    }
}

/// Writes the cycle's facts, the state of the resources after it, and what a trial has shown.
pub(super) fn close_row(
    report: &mut CycleReport,
    facts: CycleFacts,
    resources: &[Resource],
    environment: &Environment,
) {
    report.facts.push(facts);
    report.trial = environment.trial();
    report.resources.clear();
    report.resources.extend(resources.iter().take(MAX_RESOURCES));
}

/// The reader is slow: the oldest period goes, and is counted.
fn drop_oldest(report: &mut CycleReport) {
    let dropped = REPORT_CYCLES.min(report.facts.len());
    report.facts.drain(..dropped);
    let cells = dropped * report.dimensions;
    for column in cells_of(report) {
        column.drain(..cells);
    }
    report.dropped_cycles += dropped as u64;
}

fn cells_of(report: &mut CycleReport) -> [&mut Vec<f64>; 4] {
    [
        &mut report.observations,
        &mut report.forecasts,
        &mut report.forecast_sd,
        &mut report.forecast_half_width,
    ]
}

/// Every column has a row per cycle, and there are not too many.
pub(super) fn is_valid(report: &CycleReport, groups: &Arc<[u16]>) -> bool {
    let cells = report.facts.len() * groups.len();
    report.dimensions == groups.len()
        && report.groups == *groups
        && report.facts.len() <= MAX_REPORT_CYCLES
        && report.resources.len() <= MAX_RESOURCES
        && [
            &report.observations,
            &report.forecasts,
            &report.forecast_sd,
            &report.forecast_half_width,
        ]
        .iter()
        .all(|column| column.len() == cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(cycles: u64) -> CycleReport {
        let groups: Arc<[u16]> = Arc::from([0, 1]);
        let environment = Environment::new(Arc::clone(&groups));
        let mut report = empty(&groups);
        for cycle in 1..=cycles {
            open_row(&mut report, &[cycle as f64, f64::INFINITY], &environment);
            close_row(
                &mut report,
                CycleFacts {
                    cycle,
                    ..CycleFacts::default()
                },
                &[],
                &environment,
            );
        }
        report
    }

    #[test]
    fn a_row_holds_what_was_measured_and_what_was_expected() {
        let report = filled(2);
        assert!(is_valid(&report, &report.groups));
        assert_eq!(report.observations[0], 1.0);
        assert!(report.observations[1].is_nan(), "infinity is no measurement");
        assert!(
            report.forecasts.iter().all(|f| f.is_nan()),
            "nothing was expected of an environment never seen"
        );
    }

    #[test]
    fn a_slow_reader_loses_the_oldest_period_and_hears_of_it() {
        let report = filled(100);
        assert_eq!((report.facts.len(), report.dropped_cycles), (100, 0));
        let report = filled(101);
        assert_eq!(
            (report.facts.len(), report.dropped_cycles, report.facts[0].cycle),
            (91, 10, 11)
        );
        assert_eq!(report.observations[0], 11.0);
        let report = filled(1000);
        assert_eq!(report.facts.last().map(|f| f.cycle), Some(1000));
        assert_eq!(report.dropped_cycles + report.facts.len() as u64, 1000);
        assert!(is_valid(&report, &report.groups));
    }

    #[test]
    fn a_recycled_report_is_empty_and_keeps_its_room() {
        let mut report = filled(50);
        let room = report.observations.capacity();
        let groups = Arc::clone(&report.groups);
        recycle(&mut report, &groups);
        assert_eq!(
            (
                report.facts.len(),
                report.observations.len(),
                report.observations.capacity()
            ),
            (0, 0, room)
        );
        assert!(is_valid(&report, &groups));
    }
}
