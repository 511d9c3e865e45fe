use super::*;
use crate::l48::fixtures;
use crate::l48::observe::Score;
use crate::l48::scenario::Kind;

const GROUPS: [u16; 2] = [0, 1];

/// Ten cycles up to `last` in which `kind` is the action of the first.
fn report(last: u64, kind: ActionKind, group: Option<u16>) -> CycleReport {
    let mut report = fixtures::report(last, 2, |_, _| 0.0);
    report.groups = GROUPS.into();
    (report.facts[0].action, report.facts[0].action_group) = (kind, group);
    report
}

fn world(cycle: u64, variance: [f64; 2]) -> ObserveOutput {
    ObserveOutput {
        cycle,
        variance: variance.into(),
        ..ObserveOutput::default()
    }
}

/// Acts in cycles 1 to 10 with the group's variance `before`, and gives what is judged when it has come to `now`, by the
/// cycle of the judgement.
fn tried(kind: ActionKind, before: f64, now: f64) -> Vec<(u64, bool)> {
    let mut trials = Trials::new(2);
    let mut judged = Vec::new();
    for last in (10..=300).step_by(10) {
        let (kind, variance) = match last {
            10 => (kind, before),
            _ => (ActionKind::Hold, now),
        };
        let report = report(last, kind, Some(1));
        for outcome in trials.step(&GROUPS, &report, &world(last, [9.0, variance]), Kind::Baseline) {
            assert!(outcome.skill.is_learnt() || matches!(outcome.skill, Skill::Act(_)));
            judged.push((last, outcome.succeeded));
        }
    }
    judged
}

#[test]
fn faster_sampling_succeeds_if_its_group_is_less_uncertain_after_fifty_cycles() {
    // Taken in cycle 1: 59 cycles later is the first report at least 50 after it.
    assert_eq!(tried(ActionKind::SampleFaster, 0.5, 0.49), [(60, true)]);
    assert_eq!(tried(ActionKind::SampleFaster, 0.5, 0.5), [(60, false)]);
    assert_eq!(tried(ActionKind::AskPeer, 0.5, 0.4), [(60, true)]);
}

#[test]
fn slower_sampling_may_cost_a_tenth() {
    assert_eq!(tried(ActionKind::SampleSlower, 0.5, 0.6), [(60, true)]);
    assert_eq!(tried(ActionKind::SampleSlower, 0.5, 0.601), [(60, false)]);
}

#[test]
fn holding_promises_nothing() {
    assert!(tried(ActionKind::Hold, 0.5, 0.1).is_empty());
}

#[test]
fn a_cleared_incident_is_over_if_none_is_raised_within_200_cycles() {
    assert_eq!(tried(ActionKind::ClearIncident, 0.0, 0.0), [(210, true)]);
    let mut trials = Trials::new(2);
    trials.step(
        &GROUPS,
        &report(10, ActionKind::ClearIncident, None),
        &world(10, [0.1; 2]),
        Kind::Baseline,
    );
    let raised = report(150, ActionKind::RaiseIncident, Some(0));
    let judged = trials.step(&GROUPS, &raised, &world(150, [0.1; 2]), Kind::Disruption);
    assert_eq!(judged.len(), 1, "without a forecast nothing is said of the new one");
    assert_eq!(
        (judged[0].skill, judged[0].succeeded),
        (Skill::Act(ActionKind::ClearIncident), false)
    );
}

#[test]
fn an_incident_was_one_if_more_than_fifteen_percent_were_outside_their_interval() {
    let raised = |outside: usize, of: usize| {
        let score = |nth: usize| Score {
            cycle: 1,
            dimension: 1,
            forecast: 0.0,
            half_width: 1.0,
            persistence: 0.0,
            observed: if nth < outside { 5.0 } else { 0.5 },
            ..Score::default()
        };
        let world = ObserveOutput {
            scores: (0..of).map(score).collect(),
            ..world(10, [0.1; 2])
        };
        let report = report(10, ActionKind::RaiseIncident, Some(1));
        Trials::new(2).step(&GROUPS, &report, &world, Kind::Baseline)[0].succeeded
    };
    assert!(!raised(3, 20) && raised(4, 20), "0.15 and 0.20");
    assert!(!raised(9, 60) && raised(10, 66), "0.15 and 0.1515");
}

#[test]
fn another_forecaster_is_judged_by_the_error_relative_to_persistence() {
    let with_error = |last: u64, kind, error: f64| {
        // Persistence is wrong by 1 in every cycle.
        let mut report = report(last, kind, Some(0));
        for row in 0..10 {
            report.observations[row * 2] = row as f64;
        }
        report.forecasts = report.observations.iter().map(|value| value + error).collect();
        report
    };
    let judged = |after: f64| {
        let mut trials = Trials::new(2);
        trials.step(
            &GROUPS,
            &with_error(10, ActionKind::Hold, 0.8),
            &world(10, [0.1; 2]),
            Kind::Baseline,
        );
        let mut judged = Vec::new();
        for last in (20..=80).step_by(10) {
            let kind = if last == 20 {
                ActionKind::SwitchForecaster
            } else {
                ActionKind::Hold
            };
            judged.extend(trials.step(
                &GROUPS,
                &with_error(last, kind, after),
                &world(last, [0.1; 2]),
                Kind::Baseline,
            ));
        }
        judged.iter().map(|outcome| outcome.succeeded).collect::<Vec<_>>()
    };
    assert_eq!(judged(0.7), [true]);
    assert_eq!(judged(0.9), [false]);
}

#[test]
fn a_longer_period_fails_if_more_cycles_are_late_than_before() {
    let judged = |late: usize| {
        let mut trials = Trials::new(2);
        let mut judged = Vec::new();
        for last in (10..=80).step_by(10) {
            let kind = if last == 20 {
                ActionKind::ChangePeriod
            } else {
                ActionKind::Hold
            };
            let mut report = report(last, kind, None);
            let late = if last == 10 { 2 } else { late };
            report.facts.iter_mut().take(late).for_each(|facts| facts.late = true);
            judged.extend(trials.step(&GROUPS, &report, &world(last, [0.1; 2]), Kind::Baseline));
        }
        judged.iter().map(|outcome| outcome.succeeded).collect::<Vec<_>>()
    };
    assert_eq!(judged(2), [true]);
    assert_eq!(judged(3), [false]);
}

#[test]
fn what_a_freeze_interrupts_has_failed() {
    let mut trials = Trials::new(2);
    trials.step(
        &GROUPS,
        &report(10, ActionKind::SampleFaster, Some(0)),
        &world(10, [0.1; 2]),
        Kind::Baseline,
    );
    let failed = trials.interrupt(20, Kind::Disruption);
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (failed[0].succeeded, failed[0].scenario, failed[0].cycle),
        (false, Kind::Disruption, 20)
    );
    assert!(trials.interrupt(30, Kind::Disruption).is_empty());
}

#[test]
fn trials_are_bounded_and_broken_ones_are_refused() {
    let mut trials = Trials::new(2);
    for last in (10..=50).step_by(10) {
        let mut report = report(last, ActionKind::SampleFaster, Some(0));
        for facts in &mut report.facts {
            (facts.action, facts.action_group) = (ActionKind::SampleFaster, Some(0));
        }
        trials.step(&GROUPS, &report, &world(last, [0.1; 2]), Kind::Baseline);
    }
    assert_eq!(trials.open.len(), MAX_TRIALS);
    let raw = RawTrials::from(trials.clone());
    assert_eq!(Trials::try_from(raw.clone()), Ok(trials));
    let mut broken = raw.clone();
    broken.open[0].before = f64::NAN;
    assert!(Trials::try_from(broken).is_err());
    let mut many = raw;
    many.open.push(many.open[0]);
    assert!(Trials::try_from(many).is_err());
}

#[test]
fn what_was_done_in_cycle_10_is_judged_at_60_and_a_cleared_incident_at_210() {
    for (kind, expected) in [(ActionKind::SampleFaster, 60), (ActionKind::ClearIncident, 210)] {
        let mut trials = Trials::new(2);
        let mut judged = Vec::new();
        for last in (10..=300).step_by(10) {
            let mut report = report(last, ActionKind::Hold, Some(1));
            if last == 10 {
                report.facts[9].action = kind;
                report.facts[9].action_group = Some(1);
            }
            let outcomes = trials.step(&GROUPS, &report, &world(last, [9.0, 0.5]), Kind::Baseline);
            judged.extend(outcomes.iter().map(|_| last));
        }
        assert_eq!(judged, [expected], "{kind:?}");
    }
}

#[test]
fn late_cycles_and_errors_are_means_over_five_reports() {
    let mut trials = Trials::new(2);
    let mut late = report(10, ActionKind::Hold, None);
    late.facts.iter_mut().for_each(|facts| facts.late = true);
    let in_time = report(10, ActionKind::Hold, None);
    (0..5).for_each(|_| trials.measure(&GROUPS, &late));
    trials.measure(&GROUPS, &in_time);
    // The sixth counts a fifth.
    assert!((trials.late.get().expect("six reports") - 0.8).abs() < 1e-12);
}
