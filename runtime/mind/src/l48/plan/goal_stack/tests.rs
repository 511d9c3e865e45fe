use super::*;
use proptest::prelude::*;

fn id(name: &str) -> GoalId {
    GoalId::new(name).unwrap()
}

fn sighted(name: &str, urgency: f64) -> Sighted {
    Sighted {
        goal: id(name),
        tier: Tier::Tactical,
        assigned: false,
        active: true,
        feasibility: 0.8,
        resilience: 0.6,
        evr: 2.0,
        urgency,
        alignment: 0.4,
        after: Vec::new(),
        targets: Vec::new(),
        idle_cycles: 0,
        blocked: false,
    }
}

fn names(stack: &GoalStack) -> Vec<&str> {
    stack.ranked.iter().map(|ranked| ranked.goal.as_str()).collect()
}

#[test]
fn the_priority_is_the_weighted_sum_of_its_five_parts() {
    assert!((WEIGHTS.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    // 0.25 * 0.8 + 0.15 * 0.6 + 0.25 * 2/4 + 0.20 * 0.5 + 0.15 * 0.4.
    assert!((priority(&sighted("a", 0.5), 4.0) - 0.575).abs() < 1e-12);
    let only = |change: fn(&mut Sighted)| {
        let mut goal = Sighted {
            feasibility: 0.0,
            resilience: 0.0,
            evr: 0.0,
            alignment: 0.0,
            ..sighted("a", 0.0)
        };
        change(&mut goal);
        priority(&goal, 4.0)
    };
    let parts = [
        only(|g| g.feasibility = 1.0),
        only(|g| g.resilience = 1.0),
        only(|g| g.evr = 4.0),
        only(|g| g.urgency = 1.0),
        only(|g| g.alignment = 1.0),
    ];
    assert_eq!(parts, WEIGHTS);
}

#[test]
fn a_goal_that_brings_nothing_has_no_value_and_nan_counts_as_none() {
    let at = |evr, most| {
        priority(
            &Sighted {
                evr,
                ..sighted("a", 0.0)
            },
            most,
        )
    };
    assert_eq!(at(-1.0, 4.0), at(0.0, 4.0));
    assert_eq!(at(0.0, 0.0), at(0.0, 4.0));
    assert_eq!(at(f64::NAN, 4.0), at(0.0, 4.0));
    let blind = Sighted {
        feasibility: f64::NAN,
        ..sighted("a", f64::NAN)
    };
    assert!(priority(&blind, 2.0).is_finite());
}

#[test]
fn goals_are_in_order_of_priority_and_equal_ones_as_they_were_set() {
    let stack = evaluate(&[sighted("a", 0.1), sighted("b", 0.9), sighted("c", 0.1)]);
    assert_eq!(names(&stack), ["b", "a", "c"]);
    assert!(stack.pathologies.is_empty() && stack.remedies.is_empty());
    assert!((stack.priority_of(&id("b")) - stack.priority_of(&id("a")) - 0.16).abs() < 1e-12);
}

#[test]
fn over_the_cap_of_a_tier_the_lowest_waits_and_nothing_is_dropped() {
    for tier in Tier::ALL {
        let goals: Vec<Sighted> = (0..=tier.cap())
            .map(|index| Sighted {
                tier,
                assigned: index == 0,
                // The first is the lowest, and a user's.
                ..sighted(&format!("g{index}"), index as f64 / 100.0)
            })
            .collect();
        let stack = evaluate(&goals);
        assert_eq!(stack.ranked.len(), tier.cap() + 1);
        let queued: Vec<&str> = stack
            .ranked
            .iter()
            .filter(|r| r.queued)
            .map(|r| r.goal.as_str())
            .collect();
        assert_eq!(queued, ["g1"], "{tier}: the lowest that is not assigned");
        assert!(
            evaluate(&goals[1..]).ranked.iter().all(|ranked| !ranked.queued),
            "{tier}: at the cap"
        );
    }
}

fn with_targets(name: &str, urgency: f64, targets: &[u32]) -> Sighted {
    Sighted {
        targets: targets.to_vec(),
        ..sighted(name, urgency)
    }
}

#[test]
fn two_active_goals_conflict_above_half_and_not_at_half() {
    let at_half = evaluate(&[with_targets("a", 0.9, &[1, 2]), with_targets("b", 0.1, &[2, 3])]);
    assert!(at_half.pathologies.is_empty());
    let above = evaluate(&[with_targets("a", 0.1, &[1, 2, 3]), with_targets("b", 0.9, &[2, 3, 4])]);
    let conflict = Pathology::Conflict {
        stronger: id("b"),
        weaker: id("a"),
        overlap: 2.0 / 3.0,
    };
    assert_eq!(above.pathologies, [conflict]);
    let remedy = Remedy::Reallocate {
        to: id("b"),
        from: id("a"),
        share: 2.0 / 3.0,
    };
    assert_eq!(above.remedies, [remedy]);
    let idle = Sighted {
        active: false,
        ..with_targets("a", 0.1, &[2])
    };
    assert!(evaluate(&[idle, with_targets("b", 0.9, &[2])]).pathologies.is_empty());
    assert_eq!((overlap(&[], &[1]), overlap(&[1], &[1, 2, 3])), (0.0, 1.0));
}

fn waiting(name: &str, urgency: f64, after: &[&str]) -> Sighted {
    Sighted {
        after: after.iter().map(|name| id(name)).collect(),
        blocked: true,
        active: false,
        ..sighted(name, urgency)
    }
}

#[test]
fn a_circle_is_broken_at_its_lowest_goal_that_no_user_assigned() {
    // d waits for the circle and is not in it; e has nothing to do with it.
    let mut goals = vec![
        waiting("a", 0.9, &["b"]),
        waiting("b", 0.5, &["c"]),
        waiting("c", 0.1, &["a"]),
        waiting("d", 0.0, &["a"]),
        waiting("e", 0.0, &["gone"]),
    ];
    let stack = evaluate(&goals);
    assert_eq!(
        stack.pathologies,
        [Pathology::Circular {
            goals: vec![id("a"), id("b"), id("c")]
        }]
    );
    let abandon = |goal: &str| Remedy::Abandon {
        goal: id(goal),
        circular: true,
    };
    assert_eq!(stack.remedies, [abandon("c")]);
    goals[2].assigned = true;
    assert_eq!(evaluate(&goals).remedies, [abandon("b")]);
    goals.iter_mut().for_each(|goal| goal.assigned = true);
    assert_eq!(
        evaluate(&goals).remedies,
        [Remedy::Review { goal: id("c") }],
        "a user's goal is never pruned"
    );
}

#[test]
fn a_goal_that_waits_for_itself_and_two_circles_are_all_found() {
    let stack = evaluate(&[
        waiting("a", 0.9, &["a"]),
        waiting("b", 0.5, &["c"]),
        waiting("c", 0.4, &["b"]),
    ]);
    assert_eq!(
        stack.pathologies,
        [
            Pathology::Circular { goals: vec![id("a")] },
            Pathology::Circular {
                goals: vec![id("b"), id("c")]
            }
        ]
    );
    assert!(
        evaluate(&[waiting("a", 0.1, &["b"]), waiting("b", 0.1, &[])])
            .pathologies
            .is_empty()
    );
}

#[test]
fn a_goal_is_stale_after_two_hundred_idle_cycles_with_nothing_in_the_way() {
    let idle = |idle_cycles, assigned, blocked| {
        let goal = Sighted {
            idle_cycles,
            assigned,
            blocked,
            ..sighted("a", 0.1)
        };
        evaluate(&[goal]).remedies
    };
    let review = [Remedy::Review { goal: id("a") }];
    let abandon = [Remedy::Abandon {
        goal: id("a"),
        circular: false,
    }];
    assert_eq!(idle(200, false, false), []);
    assert_eq!(idle(201, false, false), review);
    assert_eq!(idle(400, false, false), review);
    assert_eq!(idle(401, false, false), abandon);
    assert_eq!(idle(401, true, false), review, "a user's goal is never pruned");
    assert_eq!(idle(401, false, true), []);
}

proptest! {
    #[test]
    fn every_goal_is_ranked_once_and_no_users_goal_is_abandoned(
        goals in prop::collection::vec(
            (any::<f64>(), any::<f64>(), any::<bool>(), prop::collection::vec(0..40_usize, 0..3), 0..600_u64),
            0..40,
        ),
    ) {
        let goals: Vec<Sighted> = goals
            .into_iter()
            .enumerate()
            .map(|(index, (urgency, evr, assigned, after, idle_cycles))| Sighted {
                tier: Tier::ALL[index % 3],
                evr,
                assigned,
                after: after.iter().map(|other| id(&format!("g{other}"))).collect(),
                targets: vec![index as u32 % 5],
                idle_cycles,
                ..sighted(&format!("g{index}"), urgency)
            })
            .collect();
        let stack = evaluate(&goals);
        prop_assert_eq!(stack.ranked.len(), goals.len());
        for goal in &goals {
            prop_assert_eq!(stack.ranked.iter().filter(|ranked| ranked.goal == goal.goal).count(), 1);
        }
        prop_assert!(stack.ranked.iter().all(|ranked| (0.0..=1.0 + 1e-12).contains(&ranked.priority)));
        prop_assert_eq!(stack.pathologies.len(), stack.remedies.len());
        for remedy in &stack.remedies {
            if let Remedy::Abandon { goal, .. } = remedy {
                prop_assert!(goals.iter().any(|other| other.goal == *goal && !other.assigned));
            }
        }
        // What is left after the circles are broken has none.
        let broken = |goal: &GoalId| stack.remedies.iter().any(|remedy| {
            matches!(remedy, Remedy::Abandon { goal: other, .. } | Remedy::Review { goal: other } if other == goal)
        });
        let left: Vec<&Sighted> = goals.iter().filter(|goal| !broken(&goal.goal)).collect();
        prop_assert_eq!(circle_in(&left), None);
        for tier in Tier::ALL {
            let running = stack.ranked.iter().filter(|ranked| ranked.tier == tier && !ranked.queued).count();
            prop_assert!(running <= tier.cap());
        }
    }
}

#[test]
fn an_overlap_of_51_of_101_targets_is_a_conflict_and_one_of_50_of_100_is_none() {
    let conflicts = |targets: u32, shared: u32| {
        let first: Vec<u32> = (0..targets).collect();
        let second: Vec<u32> = (targets - shared..2 * targets - shared).collect();
        !evaluate(&[with_targets("a", 0.9, &first), with_targets("b", 0.1, &second)])
            .pathologies
            .is_empty()
    };
    assert!(conflicts(101, 51));
    assert!(!conflicts(100, 50));
}
