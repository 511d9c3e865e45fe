use super::*;
use crate::goals::{Change, GoalTable};
use crate::l45::purpose::{Finding, MAX_FINDINGS, Pathology, Remedy};
use crate::l48::plan::{Allocation, Grant};
use crate::l49::resources::SurvivalState;
use rungs_types::CheckpointId;
use std::sync::Arc;

fn goal(name: &str) -> GoalId {
    GoalId::new(name).unwrap()
}

/// Open goals, each with the value that it serves.
fn open(goals: &[(&str, &str)]) -> Vec<GoalRecord> {
    let mut table = GoalTable::default();
    for (name, value) in goals {
        let spec = serde_json::json!({
            "goal": name, "origin": "l49", "intent": "see more", "weights": { *value: 1.0 },
            "success": { "all": [{ "of": "eu", "is": "at_most", "value": 0.0 }] },
            "tasks": [{ "name": "a", "does": { "sample_faster": { "group": 0 } } }],
        });
        let set = Change::Set {
            spec: Arc::new(serde_json::from_value(spec).unwrap()),
            checkpoint: CheckpointId(0),
        };
        table.apply(&set, 0);
    }
    table.open().to_vec()
}

fn allocation(shares: &[(&str, f64)]) -> InForce {
    let grant = |(name, share): &(&str, f64)| Grant {
        goal: goal(name),
        share: *share,
    };
    InForce {
        allocation: Allocation {
            goals: shares.iter().map(grant).collect(),
            ..Allocation::minimal()
        },
        ..InForce::default()
    }
}

/// Actions that a goal takes in a hundred cycles when it acts whenever it may.
fn actions(share: Option<f64>, weight: f64, value: &str, limits: &Constraints) -> u32 {
    let open = open(&[("a", value)]);
    let allocation = share.map(|share| allocation(&[("a", share)]));
    let mut grants = Grants::default();
    let mut taken = 0;
    for _ in 0..100 {
        grants.cycle(allocation.as_ref().map(|plan| (plan, weight)), &open, limits);
        if grants.permits(&goal("a")) {
            grants.spend(&goal("a"));
            taken += 1;
        }
    }
    taken
}

#[test]
fn a_goal_acts_in_its_share_of_the_cycles_by_the_weight_of_the_advice() {
    let actions = |share, weight| actions(Some(share), weight, "growth", &Constraints::default());
    // The first action is from what every goal begins with.
    assert_eq!(actions(0.2, 1.0), 21);
    assert_eq!(actions(0.2, 0.5), 61);
    assert_eq!(actions(0.2, 0.0), 100);
    assert_eq!(actions(0.0, 1.0), 1);
}

#[test]
fn while_resources_are_critical_four_fifths_are_left_to_goals_of_survival() {
    let critical = Constraints::of(SurvivalState::Critical, true);
    assert_eq!(actions(None, 0.0, "growth", &critical), 21);
    assert_eq!(actions(Some(0.5), 1.0, "growth", &critical), 11);
    assert_eq!(actions(None, 0.0, "stability", &critical), 100);
    assert_eq!(actions(None, 0.0, "safety", &critical), 100);
    let advice = Constraints::of(SurvivalState::Critical, false);
    assert_eq!(actions(None, 0.0, "growth", &advice), 100, "not binding");
    let warning = Constraints::of(SurvivalState::Warning, true);
    assert_eq!(actions(None, 0.0, "growth", &warning), 100);
}

#[test]
fn who_is_not_named_is_not_limited_and_a_change_of_the_allocation_keeps_what_was_saved() {
    let (mut grants, none) = (Grants::default(), Constraints::default());
    let open = open(&[("a", "growth"), ("b", "growth")]);
    assert!(grants.permits(&goal("a")));
    grants.cycle(Some((&allocation(&[("a", 0.0)]), 1.0)), &open, &none);
    grants.spend(&goal("a"));
    assert!(!grants.permits(&goal("a")) && grants.permits(&goal("b")));
    grants.cycle(Some((&allocation(&[("b", 0.5), ("a", 0.0)]), 1.0)), &open, &none);
    assert!(!grants.permits(&goal("a")));
    grants.cycle(None, &open, &none);
    assert!(grants.permits(&goal("a")), "withdrawn");
}

#[test]
fn no_more_than_five_cycles_are_saved() {
    let (mut grants, allocation) = (Grants::default(), allocation(&[("a", 0.9)]));
    let open = open(&[("a", "growth")]);
    (0..100).for_each(|_| grants.cycle(Some((&allocation, 1.0)), &open, &Constraints::default()));
    (0..5).for_each(|_| grants.spend(&goal("a")));
    assert!(!grants.permits(&goal("a")));
}

#[test]
fn five_cycles_are_saved_and_no_more() {
    let open = open(&[("a", "growth")]);
    let share = allocation(&[("a", 0.95)]);
    let mut grants = Grants::default();
    (0..100).for_each(|_| grants.cycle(Some((&share, 1.0)), &open, &Constraints::default()));
    for _ in 0..5 {
        assert!(grants.permits(&goal("a")));
        grants.spend(&goal("a"));
    }
    // Nothing is left over that would make a whole one of the next 0.95.
    grants.cycle(Some((&share, 1.0)), &open, &Constraints::default());
    assert!(!grants.permits(&goal("a")));
}

#[test]
fn a_constrained_goal_has_half_of_what_it_would_have() {
    let actions = |share: Option<f64>, ill: bool| {
        let open = open(&[("a", "growth")]);
        let allocation = share.map(|share| allocation(&[("a", share)]));
        let mut findings = [None; MAX_FINDINGS];
        findings[0] = ill.then_some(Finding {
            goal: open[0].number,
            pathology: Pathology::SelfReinforcing,
            measure: 0.7,
            remedy: Remedy::Constrain,
        });
        let mut grants = Grants::default();
        grants.relieve(Relief::of(&findings, &open));
        let mut count = 0;
        for _ in 0..100 {
            grants.cycle(
                allocation.as_ref().map(|plan| (plan, 1.0)),
                &open,
                &Constraints::default(),
            );
            if grants.permits(&goal("a")) {
                grants.spend(&goal("a"));
                count += 1;
            }
        }
        count
    };
    // The first action is from what every goal begins with.
    assert_eq!((actions(Some(0.2), false), actions(Some(0.2), true)), (21, 11));
    assert_eq!((actions(None, false), actions(None, true)), (100, 51));
}

#[test]
fn under_the_fallback_a_goal_has_nothing_whether_or_not_it_is_named() {
    let (open, none) = (open(&[("a", "growth")]), Constraints::default());
    let (mut grants, fallback) = (Grants::default(), InForce::fallback());
    let mut taken = 0;
    for _ in 0..100 {
        grants.cycle(Some((&fallback, 1.0)), &open, &none);
        if grants.permits(&goal("a")) {
            grants.spend(&goal("a"));
            taken += 1;
        }
    }
    assert_eq!(taken, 1, "what every goal begins with");
}
