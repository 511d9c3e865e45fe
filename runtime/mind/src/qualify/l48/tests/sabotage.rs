//! Each criterion fails when it is sabotaged, and only that one.

use super::*;

type Sabotage = fn(u64, &mut World);

fn fails(id: &str, sabotage: Sabotage) {
    let report = changed(sabotage);
    assert_eq!(failed(&report), [id], "{report}");
    let reading = report.reading(id).expect("a criterion");
    assert_eq!(report.qualified, !reading.target.always, "{report}");
}

#[test]
fn intervals_that_hold_too_little_fail_the_accuracy_only() {
    // 66.7 % inside the 80 % interval: ranks of a third lie beyond it; calibration stays within its gap.
    fails("EA-1", |_, world| {
        for (place, score) in world.world.scores.iter_mut().enumerate() {
            if place % 10 < 2 {
                score.rank = Some(Rank {
                    below: 0.95,
                    up_to: 1.0,
                });
            }
        }
    });
}

#[test]
fn scenarios_that_hold_too_little_fail_the_coverage_only() {
    fails("EA-2", |_, world| world.world.scenario_coverage = Some(0.849));
}

#[test]
fn intervals_that_hold_too_much_fail_the_calibration_only() {
    // All errors among the smallest twentieth: every level but the least is wholly covered. Mean of 1 - level.
    fails("EA-3", |_, world| {
        for score in &mut world.world.scores {
            score.rank = Some(Rank {
                below: 0.0,
                up_to: 0.05,
            });
        }
    });
}

#[test]
fn an_alarm_that_comes_late_fails_the_lead_time_only() {
    fails("EA-4", |nth, world| {
        if nth == 47 {
            world.world.res.score = 0.39;
        }
    });
}

#[test]
fn confidence_that_is_off_fails_the_calibration_error_only() {
    fails("SM-5", |_, world| world.capability.mce = Some(0.101));
}

#[test]
fn a_detector_that_sees_too_little_to_tell_fails_the_recall_only() {
    // One value in a report: the five reports of a probe are too few to be told from what is known.
    fails("SM-6", |_, world| {
        let cells = world.report.observations.iter_mut().enumerate();
        cells
            .filter(|(cell, _)| *cell >= 2)
            .for_each(|(_, value)| *value = f64::NAN);
    });
}

#[test]
fn overconfidence_that_lasts_fails_its_correction_only() {
    fails("SM-7", |_, world| {
        world
            .capability
            .corrected
            .iter_mut()
            .for_each(|corrected| corrected.cycles = 21);
    });
}

#[test]
fn feasibility_that_says_nothing_fails_the_prediction_only() {
    fails("SM-8", |_, world| {
        world.open.iter_mut().for_each(|goal| goal.feasibility = 0.5)
    });
}

#[test]
fn goals_that_fail_fail_the_completion_only() {
    fails("SA-9", |nth, world| {
        for goal in world.closed.iter_mut().filter(|_| nth / 30 == 5) {
            goal.succeeded = Some(false);
        }
        // What was predicted of it goes with it.
        if nth / 30 == 5 {
            world.open.iter_mut().for_each(|goal| goal.feasibility = 0.2);
        }
    });
}

#[test]
fn a_choice_that_is_best_in_one_scenario_only_fails_the_robustness_only() {
    fails("SA-10", |_, world| world.plan = Some(plan(0.69)));
}

#[test]
fn a_rising_v_fails_the_decay_and_where_it_rises_for_long_the_duration_too() {
    // A saw: up by 0.03 a cycle for ten cycles in each 100, then down at once.
    let report = changed(|nth, world| {
        let v = |place: u64| match nth % 10 {
            0 => 0.2 + 0.03 * place as f64,
            _ => 0.2,
        };
        world.floor.lyapunov = (0..10).map(v).collect();
    });
    assert!(failed(&report).contains(&"SP-11"), "{report}");
    assert!(
        value(&report, "SP-11").is_some_and(|share| (0.80..0.95).contains(&share)),
        "{report}"
    );
}

#[test]
fn one_radius_of_one_fails_the_spectral_criterion_only_and_bars() {
    fails("SP-12", |nth, world| {
        if nth == 10 {
            world.floor.rho = 1.0;
        }
    });
    fails("SP-12", |nth, world| {
        if nth == 10 {
            world.floor.rho = f64::NAN;
        }
    });
    fails("SP-12", |nth, world| {
        if nth == 10 {
            (world.floor.rho, world.floor.rho_state) = (0.9, RhoState::Violation);
        }
    });
}

#[test]
fn two_passes_in_a_row_against_an_invariant_fail_the_duration_only() {
    fails("SP-13", |nth, world| {
        if (100..=101).contains(&nth) {
            world.verdict.violations = vec![violation(Invariant::Uncertainty)];
        }
    });
}

#[test]
fn a_strategy_that_is_taken_back_in_every_tenth_pass_fails_the_revert_rate_only() {
    fails("SP-14", |nth, world| {
        if nth % 10 == 0 {
            world.verdict.response = Response::Rebalance;
        }
    });
}
