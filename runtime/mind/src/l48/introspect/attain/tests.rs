use super::*;
use crate::goals::{Change, Failure, GoalRecord, GoalState, GoalTable, Waiver};
use crate::numeric::bits::Tally;
use crate::report::GoalReport;
use rungs_types::CheckpointId;
use rungs_types::goal::{Quantity, TaskAction};
use std::sync::Arc;

/// A goal that turns to a group and is reached when the uncertainty index is at most `value`.
fn goal(name: &str, value: f64, deadline_cycles: Option<u64>) -> GoalSpec {
    let text = format!(
        r#"{{"goal": "{name}", "intent": "calm down", "success": {{"all": [{{"of": "uncertainty", "is": "at_most", "value": {value}}}]}},
            "tasks": [{{"name": "look", "does": {{"sample_faster": {{"group": 0}}}}}}]}}"#
    );
    let spec: GoalSpec = serde_json::from_str(&text).expect("a goal");
    GoalSpec {
        deadline_cycles,
        ..spec
    }
}

fn with_uncertainty(values: impl IntoIterator<Item = f64>) -> Attainment {
    let mut attainment = Attainment::new(1);
    for uncertainty in values {
        let floor = FloorReport {
            uncertainty,
            ..FloorReport::default()
        };
        attainment.step(&report(&[]), &floor, &ObserveOutput::default());
    }
    attainment
}

fn report(observations: &[f64]) -> CycleReport {
    CycleReport {
        dimensions: 1,
        observations: observations.to_vec(),
        ..CycleReport::default()
    }
}

fn close(found: Option<f64>, expected: f64) {
    let found = found.expect("known");
    assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
}

/// One sample above the bound and two below it, seven times.
fn waves() -> Attainment {
    with_uncertainty((0..21).map(|nth| if nth % 3 == 0 { 1.0 } else { 0.0 }))
}

#[test]
fn a_chance_is_that_of_one_sample_as_often_as_there_is_time() {
    // It had not held for two samples at 14 of them, and did at the next at 7. Mean 1/3, deviation sqrt(2)/3: 0.354 of it
    // away, which a normal quantity is below with 0.638163: (7 + 10 x 0.638163) / (14 + 10) = 0.557568. By where it is it has
    // no memory: 0.638163 at each sample from the second on, which is the first at which it can have held for two.
    let chance = |deadline| waves().chance(&goal("g", 0.5, Some(deadline)));
    close(chance(19), 0.0);
    close(chance(20), 0.5 * (0.557_568 + 0.638_163));
    close(
        chance(30),
        0.5 * (1.0 - 0.442_432_f64.powi(2) + 1.0 - 0.361_837_f64.powi(2)),
    );
}

#[test]
fn what_comes_back_slowly_is_the_less_likely_the_farther_it_is_away_now() {
    let steps = with_uncertainty((0..20).map(|nth| if nth < 10 { 1.0 } else { 3.0 }));
    let usual = steps.usual(Quantity::Uncertainty).expect("known");
    // Of 19 products of neighbours 18 are 1 and one is -1, of 20 squares all 1.
    assert_eq!((usual.mean, usual.sd, usual.memory), (2.0, 1.0, 0.85));
    // From 3, two samples on: mean 2 + 0.7225, deviation sqrt(1 - 0.7225^2) = 0.691370, at most 1 with 0.006361; of a
    // sample 0.15 is new: 1 - 0.993639^0.15 = 0.000957. How often: 10 x 0.158655 / (9 + 10) = 0.083503.
    close(steps.chance(&goal("g", 1.0, Some(20))), 0.5 * (0.000_957 + 0.083_503));
    let nearer = with_uncertainty((0..20).map(|nth| if nth < 10 { 1.0 } else { 3.0 }).chain([1.5]));
    assert!(nearer.chance(&goal("g", 1.0, Some(20))) > steps.chance(&goal("g", 1.0, Some(20))));
}

#[test]
fn without_a_deadline_or_with_a_late_one_there_are_two_hundred_cycles() {
    let chance = |deadline| waves().chance(&goal("g", 0.001, deadline));
    assert_eq!(chance(None), chance(Some(200)));
    assert_eq!(chance(Some(5_000)), chance(Some(200)));
    assert!(chance(Some(190)) < chance(Some(200)));
}

#[test]
fn what_was_never_reached_is_the_less_likely_the_farther_it_is_away() {
    // Mean and deviation 0.5; at -1, three deviations below, it is with 0.00135: 0.0135 / (20 + 10) at each sample.
    let wavering = with_uncertainty((0..20).map(|nth| f64::from(nth % 2)));
    // Of what was before the first sample nothing is known; the nineteen others follow one that did not hold.
    let each = 10.0 * 0.001_349_898 / (19.0 + 10.0);
    let often = 1.0 - (1.0_f64 - each).powi(19);
    let near = 1.0 - (1.0_f64 - 0.001_349_898).powi(19);
    close(wavering.chance(&goal("g", -1.0, Some(200))), 0.5 * (often + near));
    let farther = wavering.chance(&goal("g", -3.0, Some(200))).expect("known");
    assert!(farther < 1e-9, "seven deviations: {farther}");
}

#[test]
fn nineteen_samples_tell_nothing_and_twenty_do() {
    let after = |samples: usize| with_uncertainty(vec![0.2; samples]);
    let of = Quantity::Uncertainty;
    assert_eq!((after(19).level(of, true), after(19).usual(of)), (None, None));
    assert_eq!(after(19).chance(&goal("g", 0.1, None)), None);
    assert_eq!(after(20).level(of, true), Some(f64::from(0.2_f32)));
    assert!(after(20).chance(&goal("g", 0.1, None)).is_some());
}

#[test]
fn a_level_is_what_the_worse_of_two_samples_in_a_row_kept_to_at_half_of_the_times() {
    let of = Quantity::Uncertainty;
    // Nineteen pairs: nine of 1 and 1, one across, nine of 3 and 3; the tenth of them by size is 3 the one way, 1 the other.
    let steps = with_uncertainty((0..20).map(|nth| if nth < 10 { 1.0 } else { 3.0 }));
    assert_eq!((steps.level(of, true), steps.level(of, false)), (Some(3.0), Some(1.0)));
    // What lasts for one sample only is kept by no pair.
    let spikes = with_uncertainty((0..40).map(|nth| f64::from(nth % 2)));
    assert_eq!(
        (spikes.level(of, true), spikes.level(of, false)),
        (Some(1.0), Some(0.0))
    );
    let usual = spikes.usual(of).expect("known");
    assert_eq!((usual.mean, usual.sd), (0.5, 0.5));
}

#[test]
fn only_the_last_hundred_samples_count() {
    let of = Quantity::Uncertainty;
    let old_and_new = with_uncertainty((0..199).map(|nth| if nth < 100 { 9.0 } else { 1.0 }));
    let usual = old_and_new.usual(of).expect("known");
    close(Some(usual.mean), 1.08);
    let new = with_uncertainty((0..200).map(|nth| if nth < 100 { 9.0 } else { 1.0 }));
    assert_eq!(
        new.usual(of),
        Some(Usual {
            mean: 1.0,
            sd: 0.0,
            memory: 0.0
        })
    );
}

#[test]
fn a_dimension_holds_only_what_all_of_a_sample_held_and_is_what_it_was_until_it_is_seen_again() {
    let mut attainment = Attainment::new(1);
    let mut step = |observations: &[f64]| {
        attainment.step(
            &report(observations),
            &FloorReport::default(),
            &ObserveOutput::default(),
        );
    };
    step(&[1.0, 3.0, f64::NAN]);
    (0..19).for_each(|_| step(&[f64::NAN; 3]));
    let of = Quantity::Dimension(0);
    assert_eq!(
        (attainment.level(of, true), attainment.level(of, false)),
        (Some(3.0), Some(1.0))
    );
    assert_eq!(
        attainment.usual(of),
        Some(Usual {
            mean: 2.0,
            sd: 0.0,
            memory: 0.0
        })
    );
    assert_eq!(
        attainment.level(Quantity::Dimension(1), true),
        None,
        "there is no such dimension"
    );
}

fn closed(name: &str, state: GoalState) -> GoalRecord {
    let mut table = GoalTable::default();
    let spec = Arc::new(goal(name, 0.5, None));
    let goal = spec.goal.clone();
    let checkpoint = CheckpointId::default();
    table.apply(&Change::Set { spec, checkpoint }, 1);
    table.apply(&Change::Close { goal, state }, 2);
    table.closed()[0].clone()
}

fn after_goals(attainment: &mut Attainment, states: Vec<GoalState>) {
    let goals = GoalReport {
        closed: states.into_iter().map(|state| closed("g", state)).collect(),
        ..GoalReport::default()
    };
    let report = CycleReport { goals, ..report(&[]) };
    attainment.step(&report, &FloorReport::default(), &ObserveOutput::default());
}

#[test]
fn a_goal_is_the_less_likely_the_fewer_of_its_sort_were_reached_of_which_two_count_before_the_first() {
    let mut attainment = Attainment::new(1);
    let asked = goal("h", 0.5, None);
    let both = vec![GoalState::Succeeded, GoalState::Failed(Failure::NotReached)];
    after_goals(&mut attainment, both);
    assert_eq!(attainment.chance(&asked), None, "goals alone tell nothing");
    // An uncertainty of 0 all the time: the record is sure of it. (1 + 2) / (2 + 2).
    (0..20).for_each(|_| after_goals(&mut attainment, Vec::new()));
    close(attainment.chance(&asked), 0.75);
    after_goals(&mut attainment, vec![GoalState::Failed(Failure::Deadline)]);
    close(attainment.chance(&asked), 0.6);
    let other = GoalSpec {
        tasks: vec![rungs_types::goal::TaskSpec {
            does: TaskAction::ClearIncident,
            ..asked.tasks[0].clone()
        }],
        ..asked
    };
    close(attainment.chance(&other), 1.0);
}

#[test]
fn a_goal_that_was_not_tried_to_its_end_is_no_lesson() {
    let mut attainment = Attainment::new(1);
    let untried = [
        GoalState::Withdrawn,
        GoalState::Abandoned(Waiver::AlreadyHolds),
        GoalState::Abandoned(Waiver::Cancelled),
    ];
    after_goals(&mut attainment, untried.to_vec());
    assert_eq!(attainment.lessons().tally(&goal("h", 0.5, None)), Tally::default());
    after_goals(&mut attainment, vec![GoalState::Abandoned(Waiver::Stale)]);
    assert_eq!(
        attainment.lessons().tally(&goal("h", 0.5, None)),
        Tally { len: 1, count: 0 }
    );
}

#[test]
fn what_is_stored_is_read_back_and_what_could_not_have_been_is_refused() {
    let mut attainment = waves();
    after_goals(&mut attainment, vec![GoalState::Succeeded; 25]);
    let stored = serde_json::to_value(waves().lessons()).expect("encodes");
    assert_eq!(stored, serde_json::json!([]));
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(&attainment, config).expect("encodes");
    let (read, _): (Attainment, usize) = bincode::serde::decode_from_slice(&bytes, config).expect("reads back");
    assert_eq!(read, attainment);
    let summary = attainment.lessons().summary();
    let lessons = Lessons::from_summary(&summary).expect("reads back");
    assert_eq!(lessons.tally(&goal("h", 0.5, None)), Tally { len: 20, count: 20 });
    for refused in [
        r#"{"sorts": [[[9, 0], {"len": 1, "count": 1}]]}"#,
        r#"{"sorts": [[[0, 9], {"len": 1, "count": 1}]]}"#,
        r#"{"sorts": [[[0, 0], {"len": 21, "count": 1}]]}"#,
        r#"{"sorts": [[[0, 0], {"len": 1, "count": 2}]]}"#,
        r#"{"sorts": [[[1, 0], {"len": 1, "count": 1}], [[1, 0], {"len": 1, "count": 1}]]}"#,
    ] {
        let summary: LessonsSummary = serde_json::from_str(refused).expect("of this form");
        assert!(Lessons::from_summary(&summary).is_err(), "{refused}");
    }
    let whole = r#"{"sorts": [[[8, 8], {"len": 20, "count": 20}]]}"#;
    assert!(Lessons::from_summary(&serde_json::from_str(whole).expect("of this form")).is_ok());
}
