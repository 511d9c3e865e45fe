use super::capability::General;
use super::gap::GapReason;
use super::*;
use crate::budget::Unlimited;
use crate::l3::ActionKind;
use crate::l48::fixtures;
use crate::l48::observe::{Observe, ObserveConfig};
use proptest::prelude::*;

const GROUPS: [u16; 2] = [0, 1];
const FORECAST: [Skill; 2] = [Skill::Forecast { group: 0 }, Skill::Forecast { group: 1 }];

fn phase() -> Introspect {
    Introspect::new(GROUPS.into())
}

/// A report whose values were forecast with this error in group 0 and twice it in group 1, persistence with 1.
fn world(cycle: u64, error: f64) -> ObserveOutput {
    let score = |nth: u64| Score {
        cycle: cycle - 9 + nth / 2,
        dimension: (nth % 2) as u16,
        forecast: 0.0,
        half_width: 2.0,
        persistence: 1.0 + error * (nth % 2 + 1) as f64,
        observed: error * (nth % 2 + 1) as f64,
        ..Score::default()
    };
    ObserveOutput {
        cycle,
        rdf: 10_000.0,
        variance: vec![0.1; 2],
        scores: (0..20).map(score).collect(),
        ..ObserveOutput::default()
    }
}

fn report(cycle: u64) -> CycleReport {
    CycleReport {
        groups: GROUPS.into(),
        ..fixtures::report(cycle, 2, |cycle, _| (cycle as f64).sin())
    }
}

fn pass(phase: &mut Introspect, cycle: u64, error: f64) -> IntrospectOutput {
    pass_with(phase, cycle, error, Epoch::default(), &[], &[])
}

fn pass_with(
    phase: &mut Introspect,
    cycle: u64,
    error: f64,
    epoch: Epoch,
    outcomes: &[Outcome],
    demands: &[Requirement],
) -> IntrospectOutput {
    phase.step(&Introspected {
        report: &report(cycle),
        floor: &FloorReport::default(),
        world: &world(cycle, error),
        epoch,
        outcomes,
        demands,
    })
}

fn of(output: &IntrospectOutput, skill: Skill) -> Capability {
    *output
        .capabilities
        .iter()
        .find(|capability| capability.skill == skill)
        .expect("listed")
}

#[test]
fn before_ten_reports_there_is_no_confidence_and_no_error() {
    let mut phase = phase();
    for pass_number in 1..10 {
        let output = pass(&mut phase, pass_number * 10, 0.6);
        assert_eq!((output.confidence, output.mce), (None, None));
    }
    let output = pass(&mut phase, 100, 0.6);
    // Group 0 beats persistence in ten of ten reports, group 1 in none; reasoning (an error of 0) in all.
    assert_eq!(of(&output, FORECAST[0]).success_rate, Some(1.0));
    assert_eq!(of(&output, FORECAST[1]).success_rate, Some(0.0));
    assert_eq!(output.mce, Some(0.5));
    let mean = (0.53 + 0.45 + 0.53) / 3.0;
    assert!(
        output
            .confidence
            .is_some_and(|confidence| (confidence - mean).abs() < 1e-12)
    );
    assert_eq!(output.mce_target, 0.10);
}

#[test]
fn confidence_comes_to_the_success_rate_and_the_error_below_its_target() {
    let mut phase = phase();
    let mut output = IntrospectOutput::default();
    for pass_number in 1..=60 {
        output = pass(&mut phase, pass_number * 10, 0.3);
    }
    // From 0.50 by 0.03: 0.92 after 14 corrections, and then nine tenths of the gap for 37 more.
    assert!(output.mce.is_some_and(|mce| mce < 0.01), "{:?}", output.mce);
    assert!(output.confidence.is_some_and(|confidence| confidence > 0.99));
    assert!(output.gaps.is_empty() && output.weaknesses.is_empty() && output.low_domains.is_empty());
}

#[test]
fn a_group_that_is_never_forecast_well_becomes_a_weakness_and_then_a_gap() {
    let mut phase = phase();
    let (mut weak_at, mut gap_at) = (None, None);
    for cycle in (10..=600).step_by(10) {
        let output = pass(&mut phase, cycle, 0.6);
        if let Some(weakness) = output.weaknesses.first() {
            assert_eq!(weakness.skill, FORECAST[1]);
            weak_at = weak_at.or(Some(cycle));
        }
        if let Some(gap) = output.gaps.first() {
            assert_eq!((gap.what, gap.weakest), (Demand::Watch { group: 1 }, Some(FORECAST[1])));
            assert_eq!(gap.reason, GapReason::Infeasible);
            gap_at = gap_at.or(Some(cycle));
        }
    }
    // Five failures; and 0.50 less eight corrections of 0.05 from the tenth report on: 0.10 is below 0.15.
    assert_eq!((weak_at, gap_at), (Some(50), Some(170)));
}

#[test]
fn what_comes_beside_the_report_counts_and_demands_are_checked() {
    let mut phase = phase();
    let tool = Skill::Tool { number: 3 };
    let outcome = Outcome {
        skill: tool,
        succeeded: false,
        cycle: 10,
        scenario: scenario::Kind::Baseline,
    };
    let demand = Requirement {
        what: Demand::Goal { number: 7 },
        skills: vec![tool, Skill::General(General::AbstractPlanning)],
    };
    let output = pass_with(&mut phase, 10, 0.3, Epoch(0), &[outcome; 12], &[demand]);
    assert_eq!(
        (of(&output, tool).outcomes, of(&output, tool).success_rate),
        (12, Some(0.0))
    );
    // 0.45 x 0.50 = 0.225 is feasible; without the tool nothing is.
    assert!(output.gaps.is_empty());
    let unskilled = Requirement {
        what: Demand::Goal { number: 8 },
        skills: vec![Skill::Tool { number: 4 }],
    };
    let output = pass_with(&mut phase, 20, 0.3, Epoch(0), &[], &[unskilled]);
    assert_eq!(
        (output.gaps[0].what, output.gaps[0].feasibility),
        (Demand::Goal { number: 8 }, 0.0)
    );
}

#[test]
fn a_fall_of_a_forecast_is_expected_of_incidents_too() {
    let mut phase = phase();
    (1..=40).for_each(|pass_number| drop(pass(&mut phase, pass_number * 10, 0.3)));
    let mut output = IntrospectOutput::default();
    for pass_number in 41..=70 {
        output = pass(&mut phase, pass_number * 10, 0.6);
    }
    let impact = output
        .impacts
        .iter()
        .find(|impact| impact.skill == Skill::Act(ActionKind::RaiseIncident));
    let impact = impact.expect("passed on");
    assert!(impact.change < 0.0 && impact.hop == 0, "{impact:?}");
}

#[test]
fn after_a_freeze_what_was_on_trial_has_failed_in_the_weakness_map() {
    let mut phase = phase();
    let mut failures = 0;
    for epoch in 0..5 {
        let mut report = report(10 + epoch * 10);
        (report.facts[9].action, report.facts[9].action_group) = (ActionKind::SampleFaster, Some(0));
        let output = phase.step(&Introspected {
            report: &report,
            floor: &FloorReport::default(),
            world: &world(10 + epoch * 10, 0.3),
            epoch: Epoch(epoch),
            outcomes: &[],
            demands: &[],
        });
        failures = of(&output, Skill::Act(ActionKind::SampleFaster)).outcomes;
    }
    assert_eq!(failures, 4, "the fifth is on trial");
    let output = pass_with(&mut phase, 60, 0.3, Epoch(5), &[], &[]);
    let weakness = output.weaknesses.first().expect("five failures");
    assert_eq!(
        (weakness.skill, weakness.failure_rate),
        (Skill::Act(ActionKind::SampleFaster), 1.0)
    );
}

#[test]
fn a_domain_that_becomes_unknown_is_a_gap_and_relaxes_the_target() {
    let config = ObserveConfig {
        dimensions: 2,
        particles: 20,
        seed: 3,
    };
    let (mut observe, mut phase) = (Observe::new(config).expect("valid"), phase());
    let mut output = IntrospectOutput::default();
    for cycle in (10..=420).step_by(10) {
        let level = |dimension| if cycle > 400 && dimension == 1 { 500.0 } else { 0.0 };
        let report = CycleReport {
            groups: GROUPS.into(),
            ..fixtures::report(cycle, 2, |cycle, dimension| {
                level(dimension) + ((cycle * 37 % 101) as f64 / 50.0).sin()
            })
        };
        let world = observe.step(&report, false, &Unlimited).expect("computes");
        output = phase.step(&Introspected {
            report: &report,
            floor: &FloorReport::default(),
            world: &world,
            epoch: Epoch(0),
            outcomes: &[],
            demands: &[],
        });
        if cycle <= 400 {
            assert!(output.unknown.is_empty(), "{cycle}: {:?}", output.unknown);
        }
    }
    assert_eq!(
        output.unknown.iter().map(|unknown| unknown.group).collect::<Vec<_>>(),
        [1]
    );
    assert!(output.mce_target > 0.14, "{}", output.mce_target);
    let gap = output
        .gaps
        .iter()
        .find(|gap| gap.what == Demand::Watch { group: 1 })
        .expect("a gap");
    assert_eq!(gap.reason, GapReason::UnknownDomain);
}

#[test]
fn a_phase_goes_on_from_a_state_as_if_nothing_had_been() {
    let mut phase = phase();
    (1..=30).for_each(|pass_number| drop(pass(&mut phase, pass_number * 10, 0.6)));
    let state = phase.state();
    let config = bincode::config::standard();
    let stored = bincode::serde::encode_to_vec(&*state, config).expect("serialises");
    let (read, _): (IntrospectState, usize) = bincode::serde::decode_from_slice(&stored, config).expect("reads back");
    assert_eq!(read, *state);
    assert!(read.is_for(&GROUPS) && !read.is_for(&[0, 0]) && !read.is_for(&[0, 1, 1]));
    let mut other = Introspect::from_state(Arc::new(read));
    assert_eq!(pass(&mut phase, 310, 0.3), pass(&mut other, 310, 0.3));
    phase.revert(Arc::clone(&state));
    assert_eq!(phase.state(), state);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_comes_in_what_leaves_is_finite_and_bounded(
        numbers in prop::collection::vec(prop::num::f64::ANY, 120),
        counts in prop::collection::vec(any::<u16>(), 8),
    ) {
        let mut phase = phase();
        let mut numbers = numbers.into_iter().cycle();
        let mut next = || numbers.next().unwrap_or(0.0);
        for cycle in (10..=400_u64).step_by(10) {
            let mut report = report(cycle);
            for facts in &mut report.facts {
                facts.identity_error = next();
                facts.tasks = [counts[0], counts[1]];
                (facts.strategy_changes, facts.strategy_flips) = (counts[2], counts[3]);
                facts.action = ActionKind::ALL[usize::from(counts[4]) % 8];
                facts.action_group = Some(counts[5]);
            }
            report.observations.iter_mut().for_each(|value| *value = next());
            let mut world = world(cycle, next());
            for score in &mut world.scores {
                (score.observed, score.half_width, score.dimension) = (next(), next(), counts[6] % 4);
            }
            (world.variance, world.rdf) = (vec![next(), next()], next());
            let output = phase.step(&Introspected {
                report: &report, world: &world, epoch: Epoch(u64::from(counts[7])), outcomes: &[], demands: &[],
                floor: &FloorReport::default(),
            });
            let shares = output.confidence.into_iter().chain(output.mce).chain([output.mce_target]);
            let of_skills = output.capabilities.iter().flat_map(|c| [Some(c.confidence), c.success_rate, c.calibration_error]);
            for share in shares.chain(of_skills.flatten()).chain(output.gaps.iter().map(|gap| gap.feasibility)) {
                prop_assert!((0.0..=1.0).contains(&share));
            }
            prop_assert!(output.capabilities.len() <= capability::MAX_SKILLS);
            prop_assert!(output.weaknesses.len() <= MAX_TOLD && output.gaps.len() <= MAX_TOLD);
        }
        prop_assert!(phase.state().is_for(&GROUPS));
    }
}
