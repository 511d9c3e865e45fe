use super::*;

fn acted(operations: &mut Operations, kind: ActionKind, cycles: usize) {
    (0..cycles).for_each(|_| operations.acted(kind, 0, &Outcomes::default()));
}

#[test]
fn without_data_the_self_is_consistent_and_half_confident() {
    let measured = Operations::default().measure(None);
    assert_eq!(measured.identity, [1.0, 1.0, 0.5, 1.0, 1.0]);
    assert_eq!((measured.consistency_volatility, measured.goal_mutation), (0.0, 0.0));
}

#[test]
fn persona_consistency_is_the_cosine_of_recent_and_long_run_actions() {
    let mut operations = Operations::default();
    acted(&mut operations, ActionKind::Hold, 50);
    acted(&mut operations, ActionKind::AskPeer, 50);
    // Recent: all AskPeer. Long run: a half each. Cosine 1 / sqrt 2.
    assert!((operations.measure(None).identity[0] - 0.5_f64.sqrt()).abs() < 1e-12);
}

#[test]
fn value_alignment_is_the_share_of_proposals_that_were_not_denied() {
    let mut operations = Operations::default();
    operations.acted(
        ActionKind::Hold,
        1,
        &Outcomes {
            proposals: 4,
            denied: 2,
            ..Outcomes::default()
        },
    );
    // Proposals 1 + 1 + 4, denied 1 + 2.
    assert_eq!(operations.measure(None).identity[1], 0.5);
}

#[test]
fn confidence_is_the_success_of_tasks_or_of_forecasts_without_tasks() {
    let mut operations = Operations::default();
    operations.take_in(&Outcomes::default(), Some(0.8));
    // One success, one failure, and 0.8.
    assert!((operations.measure(None).identity[2] - 0.6).abs() < 1e-15);
    let tasks = Outcomes {
        tasks_succeeded: 1,
        tasks_failed: 3,
        ..Outcomes::default()
    };
    operations.take_in(&tasks, Some(1.0));
    // And 0.25: the forecast of this cycle does not count beside a task.
    assert!((operations.measure(None).identity[2] - 0.5125).abs() < 1e-15);
    for _ in 0..100 {
        operations.take_in(&Outcomes::default(), Some(1.0));
    }
    assert!((operations.measure(None).identity[2] - 0.5125).abs() < 1e-15);
    operations.take_in(&Outcomes::default(), Some(1.0));
    assert!((operations.measure(None).identity[2] - 3.05 / 5.0).abs() < 1e-15);
}

#[test]
fn calibrated_confidence_counts_by_its_weight() {
    let mut operations = Operations::default();
    assert!((operations.measure(Some((0.6, 0.5))).identity[2] - 0.55).abs() < 1e-15);
    assert_eq!(operations.measure(Some((0.6, 1.0))).identity[2], 0.6);
    assert_eq!(operations.measure(Some((f64::NAN, 1.0))).identity[2], 0.5);
}

#[test]
fn emotional_stability_falls_with_the_spread_of_valence() {
    let mut operations = Operations::default();
    for valence in [0.5, 0.1] {
        operations.felt(valence);
    }
    assert!((operations.measure(None).identity[3] - 0.8).abs() < 1e-15);
}

#[test]
fn goal_persistence_counts_broken_goals_among_the_last_twenty() {
    let mut operations = Operations::default();
    operations.take_in(
        &Outcomes {
            goals_kept: 3,
            goals_broken: 2,
            ..Outcomes::default()
        },
        None,
    );
    // 2 / (5 + 20).
    assert!((operations.measure(None).goal_mutation - 0.08).abs() < 1e-15);
    operations.take_in(
        &Outcomes {
            goals_broken: u16::MAX,
            ..Outcomes::default()
        },
        None,
    );
    assert_eq!(operations.measure(None).identity[4], 0.5);
}

#[test]
fn consistency_volatility_is_its_spread_in_fifths() {
    let mut operations = Operations::default();
    acted(&mut operations, ActionKind::Hold, 1);
    operations.measure(None);
    acted(&mut operations, ActionKind::Hold, 49);
    acted(&mut operations, ActionKind::AskPeer, 50);
    // Persona consistency 1, then 1 / sqrt 2: deviation half the difference.
    let volatility = operations.measure(None).consistency_volatility;
    assert!((volatility - (1.0 - 0.5_f64.sqrt()) / 2.0 / 0.2).abs() < 1e-12);
}

#[test]
fn affect_is_caused_by_shares_of_tasks_and_a_rise_of_seof() {
    let mut operations = Operations::default();
    operations.take_in(
        &Outcomes {
            tasks_succeeded: 3,
            tasks_failed: 1,
            ..Outcomes::default()
        },
        None,
    );
    operations.causes(0.0, 0.0, Some(0.4));
    let causes = operations.causes(0.3, 0.2, Some(0.5));
    assert_eq!(
        (causes.succeeded, causes.failed, causes.uncertainty, causes.risk),
        (0.75, 0.25, 0.3, 0.2)
    );
    assert!((causes.seof_rise - 0.1).abs() < 1e-15);
    assert_eq!(operations.causes(0.0, 0.0, Some(0.1)).seof_rise, 0.0);
}
