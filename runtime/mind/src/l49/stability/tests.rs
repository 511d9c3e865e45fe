use super::*;
use crate::budget::BudgetExceeded;
use crate::l49::values::ValueVector;
use crate::lookahead::{Broken, LookaheadError, LookaheadReport, MAX_RESOURCES};
use proptest::prelude::*;
use rungs_types::Authority;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard()).unwrap()
}

fn restore<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let read = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
    read.ok().map(|(value, _)| value)
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

/// Each condition at its comfort point.
const COMFORTABLE: Readings = Readings {
    rho: 0.90,
    identity: Some(0.95),
    total_drift: 0.10,
    min_survival_cycles: 200.0,
    cascade_depth: 0,
};

fn violated(readings: Readings) -> Vec<Condition> {
    violations(&readings).iter().map(|v| v.condition).collect()
}

#[test]
fn a_spectral_radius_of_0_98_violates_and_one_below_does_not() {
    let at = |rho| violated(Readings { rho, ..COMFORTABLE });
    assert_eq!(at(0.979_999), []);
    assert_eq!(at(0.98), [Condition::Spectral]);
}

#[test]
fn an_identity_of_0_88_holds_and_one_below_does_not() {
    let at = |identity| {
        violated(Readings {
            identity,
            ..COMFORTABLE
        })
    };
    assert_eq!(at(Some(0.88)), []);
    assert_eq!(at(Some(0.879_999)), [Condition::Identity]);
    assert_eq!(at(None), [], "warming up: nothing reads it");
}

#[test]
fn a_total_drift_of_0_25_violates_and_one_below_does_not() {
    let at = |total_drift| {
        violated(Readings {
            total_drift,
            ..COMFORTABLE
        })
    };
    assert_eq!(at(0.249_999), []);
    assert_eq!(at(0.25), [Condition::ValueDrift]);
}

#[test]
fn a_survival_of_30_cycles_violates_and_one_above_does_not() {
    let at = |min_survival_cycles| {
        violated(Readings {
            min_survival_cycles,
            ..COMFORTABLE
        })
    };
    assert_eq!(at(30.000_001), []);
    assert_eq!(at(30.0), [Condition::Survival]);
}

#[test]
fn a_cascade_of_depth_2_holds_and_one_of_3_does_not() {
    let at = |cascade_depth| {
        violated(Readings {
            cascade_depth,
            ..COMFORTABLE
        })
    };
    assert_eq!(at(2), []);
    assert_eq!(at(3), [Condition::Cascade]);
}

#[test]
fn violations_come_in_the_order_of_the_conditions_and_say_what_was_found() {
    let readings = Readings {
        rho: f64::NAN,
        identity: Some(0.5),
        total_drift: 0.3,
        min_survival_cycles: 0.0,
        cascade_depth: 9,
    };
    assert_eq!(violated(readings), Condition::ALL);
    let text: Vec<String> = violations(&readings).iter().map(ToString::to_string).collect();
    assert_eq!(text[0], "spectral is not a number (limit 0.98)");
    assert_eq!(text[2], "value_drift 0.300 (limit 0.25)");
}

#[test]
fn the_score_is_1_at_the_comfort_points_and_beyond_and_0_at_any_limit() {
    assert_eq!(scores(&COMFORTABLE).ass, 1.0);
    let beyond = Readings {
        rho: 0.1,
        identity: Some(1.0),
        total_drift: 0.0,
        min_survival_cycles: 10_000.0,
        cascade_depth: 0,
    };
    assert_eq!(scores(&beyond).ass, 1.0, "none masks another");
    for at_limit in [
        Readings { rho: 0.98, ..beyond },
        Readings {
            identity: Some(0.88),
            ..beyond
        },
        Readings {
            total_drift: 0.25,
            ..beyond
        },
        Readings {
            min_survival_cycles: 30.0,
            ..beyond
        },
        Readings {
            cascade_depth: 3,
            ..beyond
        },
    ] {
        assert_eq!(scores(&at_limit).ass, 0.0, "{at_limit:?}");
    }
}

#[test]
fn the_score_is_the_product_of_how_far_each_is_from_its_limit() {
    // (0.98 - 0.94) / 0.08 = 0.5; (0.915 - 0.88) / 0.07 = 0.5; (0.25 - 0.13) / 0.15 = 0.8;
    // (115 - 30) / 170 = 0.5; (3 - 1) / 3 = 2/3: product 1/15.
    let readings = Readings {
        rho: 0.94,
        identity: Some(0.915),
        total_drift: 0.13,
        min_survival_cycles: 115.0,
        cascade_depth: 1,
    };
    close(scores(&readings).ass, 1.0 / 15.0);
    assert_eq!(scores(&readings).band(), Band::Marginal);
    let warming = Readings {
        identity: None,
        ..readings
    };
    close(scores(&warming).ass, 2.0 / 15.0);
}

#[test]
fn the_literal_product_would_freeze_a_comfortable_agent() {
    // 0.08/0.98 * 0.07/0.88 * 0.15/0.25 * 1 * 1 = 0.0038961.
    let literal = scores(&COMFORTABLE).literal;
    close(literal, 0.08 / 0.98 * 0.07 / 0.88 * 0.6);
    assert_eq!(Band::of(literal), Band::Critical);
    assert_eq!(
        live(&COMFORTABLE).action,
        Action::Continue,
        "it is reported, not followed"
    );
    let deep = Readings {
        cascade_depth: 1,
        ..COMFORTABLE
    };
    close(scores(&deep).literal, literal / 2.0);
}

#[test]
fn bands_begin_at_0_05_at_0_20_and_above_0_50() {
    let bands = [0.0, 0.0499, 0.05, 0.1999, 0.20, 0.50, 0.5001, 1.0, f64::NAN].map(Band::of);
    use Band::{Adequate, Critical, Healthy, Marginal};
    assert_eq!(
        bands,
        [
            Critical, Critical, Marginal, Marginal, Adequate, Adequate, Healthy, Healthy, Critical
        ]
    );
    assert_eq!(
        [Critical, Marginal, Adequate, Healthy].map(Action::of),
        [Action::Freeze, Action::Advisory, Action::Continue, Action::Continue]
    );
}

#[test]
fn the_live_action_follows_the_score_and_a_violation_always_freezes() {
    // rho alone: 0.976 leaves 0.05, 0.964 leaves 0.20.
    let at = |rho| live(&Readings { rho, ..COMFORTABLE });
    assert_eq!(at(0.963).action, Action::Continue);
    assert_eq!(at(0.965).action, Action::Advisory);
    assert_eq!(at(0.977).action, Action::Freeze);
    assert!(
        at(0.977).passed(),
        "no condition is violated yet: the score is the early warning"
    );
    assert_eq!(at(0.99).action, Action::Freeze);
    assert!(!at(0.99).passed());
}

fn decision(subject: u64) -> Decision {
    Decision {
        kind: DecisionKind::Goal,
        subject,
    }
}

#[test]
fn a_decision_is_judged_by_the_state_after_it_and_by_nothing_else() {
    let tracker = VetoTracker::default();
    let good = judge(&decision(1), &tracker, |_| Ok(COMFORTABLE));
    assert!(good.passed());
    for kind in [
        DecisionKind::Goal,
        DecisionKind::Value,
        DecisionKind::Resource,
        DecisionKind::Peer,
    ] {
        let verdict = judge(&Decision { kind, subject: 1 }, &tracker, |_| {
            Ok(Readings {
                total_drift: 0.25,
                ..COMFORTABLE
            })
        });
        let DecisionVerdict::Vetoed { violations, .. } = verdict else {
            panic!("{kind:?} passed");
        };
        assert_eq!(violations[0].condition, Condition::ValueDrift);
    }
}

#[test]
fn a_thin_margin_after_a_decision_is_no_veto() {
    let thin = Readings {
        rho: 0.979,
        ..COMFORTABLE
    };
    assert!(judge(&decision(1), &VetoTracker::default(), |_| Ok(thin)).passed());
}

#[test]
fn a_decision_whose_outcome_cannot_be_told_is_not_carried_out() {
    let verdict = judge(&decision(1), &VetoTracker::default(), |_| {
        Err(LookaheadError::Budget(BudgetExceeded))
    });
    assert_eq!(
        verdict,
        DecisionVerdict::Unknown(LookaheadError::Budget(BudgetExceeded))
    );
    assert!(!verdict.passed());
}

#[test]
fn the_readings_after_a_lookahead_are_its_worst() {
    let report = LookaheadReport {
        cycles: 200,
        seof_first: 0.4,
        seof_last: 0.4,
        max_c_l4: 0.2,
        min_iis: 0.87,
        max_uncertainty: 0.1,
        max_rho: 0.97,
        final_cdi: 0.5,
        goal_completion: None,
        spent: [0.0; MAX_RESOURCES],
        broken: Broken::default(),
        cascade_depth: 1,
    };
    let readings = Readings::after(&report, 0.2, 40.0, 3);
    assert_eq!(violated(readings), [Condition::Identity, Condition::Cascade]);
    assert_eq!((readings.rho, readings.cascade_depth), (0.97, 3));
}

fn veto(tracker: &mut VetoTracker, subject: u64, readings: Readings, cycle: u64) -> DecisionVerdict {
    let verdict = judge(&decision(subject), tracker, |_| Ok(readings));
    tracker.note(&decision(subject), &verdict, cycle);
    verdict
}

#[test]
fn the_fourth_veto_by_one_condition_within_1000_cycles_is_persistent_and_bars_what_it_vetoed() {
    let unstable = Readings {
        rho: 0.99,
        ..COMFORTABLE
    };
    let mut tracker = VetoTracker::default();
    for (subject, cycle) in [(1, 1), (2, 300), (3, 600)] {
        assert!(!veto(&mut tracker, subject, unstable, cycle).passed());
    }
    let mut late = tracker.clone();
    veto(&mut late, 4, unstable, 1_001);
    assert_eq!(late.persistent().count(), 0, "cycle 1 is 1,000 cycles back");
    veto(&mut tracker, 4, unstable, 1_000);
    assert_eq!(tracker.persistent().collect::<Vec<_>>(), [Condition::Spectral]);
    for subject in 1..=4 {
        let verdict = veto(&mut tracker, subject, COMFORTABLE, 1_100);
        assert_eq!(verdict, DecisionVerdict::Barred, "{subject}");
    }
    assert!(veto(&mut tracker, 5, COMFORTABLE, 1_100).passed(), "another pattern");
    tracker.clear(Condition::Spectral);
    assert!(veto(&mut tracker, 1, COMFORTABLE, 9_000).passed());
}

#[test]
fn vetoes_by_different_conditions_do_not_add_up() {
    let mut tracker = VetoTracker::default();
    let drifting = Readings {
        total_drift: 0.3,
        ..COMFORTABLE
    };
    let unstable = Readings {
        rho: 0.99,
        ..COMFORTABLE
    };
    for (cycle, readings) in [
        (1, drifting),
        (2, unstable),
        (3, drifting),
        (4, unstable),
        (5, drifting),
    ] {
        veto(&mut tracker, 1, readings, cycle);
    }
    assert_eq!(tracker.persistent().count(), 0);
    assert_eq!(tracker.count(Condition::ValueDrift, 5), 3);
}

#[test]
fn only_what_the_persistent_condition_vetoed_is_barred() {
    let mut tracker = VetoTracker::default();
    veto(
        &mut tracker,
        9,
        Readings {
            total_drift: 0.3,
            ..COMFORTABLE
        },
        1,
    );
    for cycle in 2..6 {
        veto(
            &mut tracker,
            1,
            Readings {
                rho: 0.99,
                ..COMFORTABLE
            },
            cycle,
        );
    }
    assert!(tracker.barred(&Pattern::of(&decision(1))));
    assert!(!tracker.barred(&Pattern::of(&decision(9))));
}

#[test]
fn the_veto_rate_is_the_share_of_decisions_that_were_not_carried_out() {
    let mut tracker = VetoTracker::default();
    assert_eq!(tracker.rate(), None);
    for subject in 0..10 {
        let rho = if subject == 0 { 0.99 } else { 0.90 };
        veto(&mut tracker, subject, Readings { rho, ..COMFORTABLE }, subject);
    }
    assert_eq!(tracker.rate(), Some(0.1));
}

#[test]
fn a_rollback_rejects_freezes_and_takes_back_in_this_order() {
    use RollbackStep::*;
    let all = [
        RejectDecisions,
        Freeze,
        RemoveOwnGoals,
        RevertValues,
        RecalculateResources,
        FreezePeers,
        Monitor,
    ];
    assert_eq!(rollback_steps(true).collect::<Vec<_>>(), all);
    assert_eq!(rollback_steps(false).collect::<Vec<_>>(), all[1..]);
}

#[test]
fn a_rollback_record_names_the_conditions_and_where_the_level_returned_to() {
    let verdict = live(&Readings {
        rho: 0.99,
        total_drift: 0.3,
        ..COMFORTABLE
    });
    let record = RollbackRecord::of(&verdict, 700, Some(7), 650, &ValueVector::BASELINE);
    assert_eq!(record.violated, [Condition::Spectral, Condition::ValueDrift]);
    assert_eq!(record.scores.ass, 0.0);
    assert_eq!((record.cycle, record.checkpoint_cycle), (700, 650));
    assert_eq!(restore(&bytes(&record)), Some(record));
}

fn step(recovery: &mut Recovery, rho: f64, cycle: u64) -> Option<bool> {
    let change = recovery.decide(&live(&Readings { rho, ..COMFORTABLE }), cycle);
    change.iter().for_each(|change| recovery.apply(change));
    change.map(|change| change.rolls_back)
}

#[test]
fn after_a_freeze_come_100_cycles_of_monitoring_200_of_advice_and_200_of_half_authority() {
    let mut recovery = Recovery::default();
    assert_eq!(step(&mut recovery, 0.90, 900), None);
    assert_eq!(step(&mut recovery, 0.98, 1_000), Some(true));
    let expect = [
        (1_099, Authority::Frozen),
        (1_100, Authority::Advisory),
        (1_299, Authority::Advisory),
        (1_300, Authority::Half),
        (1_499, Authority::Half),
        (1_500, Authority::Full),
    ];
    for (cycle, authority) in expect {
        step(&mut recovery, 0.90, cycle);
        assert_eq!(recovery.stage().authority(), authority, "{cycle}");
    }
    assert_eq!(recovery.rollbacks(), 1);
}

#[test]
fn a_veto_on_the_way_up_starts_the_monitoring_anew() {
    for (until, authority) in [(1_100, Authority::Advisory), (1_300, Authority::Half)] {
        let mut recovery = Recovery::default();
        step(&mut recovery, 0.98, 1_000);
        for cycle in [1_100, 1_300].into_iter().filter(|cycle| *cycle <= until) {
            step(&mut recovery, 0.90, cycle);
        }
        assert_eq!(recovery.stage().authority(), authority);
        assert_eq!(step(&mut recovery, 0.99, until + 10), Some(true));
        assert_eq!(recovery.stage(), Stage::Monitoring { since: until + 10 });
        assert_eq!(recovery.rollbacks(), 2);
    }
}

#[test]
fn monitoring_lasts_while_the_live_score_stays_below_0_20() {
    let mut recovery = Recovery::default();
    step(&mut recovery, 0.99, 0);
    assert_eq!(
        step(&mut recovery, 0.99, 50),
        Some(false),
        "still critical: from here again"
    );
    assert_eq!(recovery.rollbacks(), 1, "there is nothing left to take back");
    assert_eq!(step(&mut recovery, 0.970, 150), None, "0.125: marginal");
    assert_eq!(step(&mut recovery, 0.90, 151), Some(false));
    assert_eq!(recovery.stage(), Stage::Advisory { since: 151 });
}

#[test]
fn a_marginal_score_takes_a_full_level_down_to_advice() {
    let mut recovery = Recovery::default();
    assert_eq!(step(&mut recovery, 0.970, 400), Some(false));
    assert_eq!(recovery.stage(), Stage::Advisory { since: 400 });
    assert_eq!(step(&mut recovery, 0.90, 600), Some(false));
    assert_eq!(recovery.stage(), Stage::Half { since: 600 });
    assert_eq!(recovery.rollbacks(), 0);
}

#[test]
fn a_verdict_with_a_violation_never_lifts_a_level_whatever_its_action_says() {
    let mut recovery = Recovery::default();
    step(&mut recovery, 0.99, 0);
    let contradictory = LiveVerdict {
        action: Action::Continue,
        ..live(&Readings {
            rho: 0.99,
            ..COMFORTABLE
        })
    };
    assert_eq!(recovery.decide(&contradictory, 500), None);
}

#[test]
fn a_stored_recovery_that_cannot_have_been_is_refused() {
    let impossible = bytes(&(Stage::Monitoring { since: 3 }, 0_u64));
    assert_eq!(restore::<Recovery>(&impossible), None);
    let mut recovery = Recovery::default();
    step(&mut recovery, 0.99, 3);
    assert_eq!(restore(&bytes(&recovery)), Some(recovery));
}

fn readings() -> impl Strategy<Value = Readings> {
    let around = |low: f64, high: f64| prop_oneof![4 => low..high, 1 => any::<f64>()];
    let identity = prop::option::weighted(0.9, around(0.80, 1.0));
    (
        around(0.8, 1.1),
        identity,
        around(0.0, 0.4),
        around(0.0, 300.0),
        0_u8..5,
    )
        .prop_map(
            |(rho, identity, total_drift, min_survival_cycles, cascade_depth)| Readings {
                rho,
                identity,
                total_drift,
                min_survival_cycles,
                cascade_depth,
            },
        )
}

proptest! {
    #[test]
    fn whatever_is_read_both_scores_are_in_0_to_1_and_a_violation_leaves_none(readings in readings()) {
        let Scores { ass, literal } = scores(&readings);
        prop_assert!((0.0..=1.0).contains(&ass));
        prop_assert!((0.0..=1.0).contains(&literal));
        let violations = violations(&readings);
        prop_assert!(violations.is_empty() || ass == 0.0);
        prop_assert!(violations.iter().all(|v| v.found.is_none_or(f64::is_finite) && v.limit.is_finite()));
        let numbers = [readings.rho, readings.total_drift, readings.min_survival_cycles, readings.identity.unwrap_or(1.0)];
        let finite = numbers.iter().all(|n| n.is_finite());
        prop_assert!(finite || !violations.is_empty(), "a number that is not finite violates");
    }

    #[test]
    fn no_margin_that_grows_lowers_the_score(readings in readings(), which in 0_usize..5, more in 0.0..1.0_f64) {
        let better = match which {
            0 => Readings { rho: readings.rho - more * readings.rho.abs().min(1.0), ..readings },
            1 => Readings { identity: readings.identity.map(|identity| identity + more), ..readings },
            2 => Readings { total_drift: (readings.total_drift - more).max(0.0), ..readings },
            3 => Readings { min_survival_cycles: readings.min_survival_cycles + 100.0 * more, ..readings },
            _ => Readings { cascade_depth: readings.cascade_depth.saturating_sub(1), ..readings },
        };
        let valid = better.rho >= 0.0 || readings.rho.is_nan() || readings.rho < 0.0;
        prop_assume!(valid);
        prop_assert!(scores(&better).ass >= scores(&readings).ass);
        prop_assert!(scores(&better).literal >= scores(&readings).literal);
    }

    #[test]
    fn nothing_that_violates_a_condition_passes(readings in readings(), subject in any::<u64>()) {
        let verdict = judge(&decision(subject), &VetoTracker::default(), |_| Ok(readings));
        prop_assert_eq!(verdict.passed(), violations(&readings).is_empty());
    }

    #[test]
    fn the_tracker_stays_bounded_and_is_read_back_as_it_was(all in prop::collection::vec((readings(), 0_u64..5, any::<u64>()), 0..120)) {
        let (mut tracker, mut cycle) = (VetoTracker::default(), 0_u64);
        for (readings, cycles, subject) in all {
            cycle += cycles;
            let verdict = judge(&decision(subject), &tracker, |_| Ok(readings));
            tracker.note(&decision(subject), &verdict, cycle);
        }
        prop_assert!(bytes(&tracker).len() < 4_096);
        let restored = restore::<VetoTracker>(&bytes(&tracker));
        prop_assert_eq!(restored.as_ref(), Some(&tracker));
    }
}
