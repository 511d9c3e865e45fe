use super::*;
use proptest::prelude::*;

const SHARES: [f64; 2] = [0.5, 0.5];

/// An agent whose second group forecasts badly.
const STANDING: Standing<'_> = Standing {
    cycle: FROM_CYCLE,
    seof: 0.5,
    c_l4: 0.1,
    iis: Some(0.95),
    permitted: true,
    skills: &[Some(0.8), Some(0.2)],
    shares: &SHARES,
    trial: None,
};

fn said(number: u32, skill: Option<[f64; 2]>) -> Option<TrialReport> {
    Some(TrialReport {
        number,
        applicable: true,
        committed: false,
        skill,
    })
}

/// Skills whose difference is `gain` of SEOF: 0.25 of the difference, of half the dimensions.
fn gaining(gain: f64) -> Option<[f64; 2]> {
    Some([0.2, 0.2 + gain * 8.0])
}

fn proposed() -> Recomposition {
    let mut recomposition = Recomposition::new(2);
    assert_eq!(recomposition.check(&STANDING), Step::Wait);
    recomposition
}

fn stage(recomposition: &Recomposition) -> Option<TrialStage> {
    recomposition.order().map(|order| order.stage)
}

/// Checks each ten cycles up to and including `to`.
fn run(recomposition: &mut Recomposition, from: u64, to: u64, standing: Standing<'_>) -> Step {
    let mut last = Step::Wait;
    for cycle in (from..=to).step_by(10) {
        last = recomposition.check(&Standing { cycle, ..standing });
    }
    last
}

#[test]
fn the_group_that_forecasts_worst_is_tried_first_with_the_least_risky_operation() {
    let recomposition = proposed();
    let order = recomposition.order().expect("proposed");
    assert_eq!((order.number, order.group, order.operation), (1, 1, Operation::Bypass));
    assert_eq!(order.stage, TrialStage::Shadow);
}

#[test]
fn nothing_is_proposed_where_it_could_not_pay_or_is_not_permitted() {
    let none = |standing: Standing<'_>| {
        let mut recomposition = Recomposition::new(2);
        recomposition.check(&standing);
        recomposition.order().is_none()
    };
    assert!(!none(STANDING));
    assert!(none(Standing {
        permitted: false,
        ..STANDING
    }));
    assert!(none(Standing { iis: None, ..STANDING }));
    assert!(
        !none(Standing {
            iis: Some(0.85),
            ..STANDING
        }) && none(Standing {
            iis: Some(0.849),
            ..STANDING
        })
    );
    assert!(
        !none(Standing {
            c_l4: 0.799,
            ..STANDING
        }) && none(Standing { c_l4: 0.80, ..STANDING })
    );
    assert!(none(Standing { cycle: 999, ..STANDING }));
    assert!(
        none(Standing {
            skills: &[],
            ..STANDING
        }),
        "its performance is its tasks"
    );
    // What is missing to 1 must be able to raise SEOF by 8 %: 0.04 at most 0.25 * 0.5 * (1 - skill).
    let can = |skill| {
        !none(Standing {
            skills: &[Some(skill)],
            ..STANDING
        })
    };
    assert!(can(0.679) && !can(0.681));
}

#[test]
fn it_goes_in_steps_of_two_hundred_cycles_from_shadow_to_commit() {
    let mut recomposition = proposed();
    let heard = Standing {
        trial: said(1, gaining(0.05)),
        ..STANDING
    };
    assert_eq!(run(&mut recomposition, 1_010, 1_190, heard), Step::Wait);
    assert_eq!(run(&mut recomposition, 1_199, 1_199, heard), Step::Wait);
    let Step::Vote { group: 1, gain } = run(&mut recomposition, 1_200, 1_200, heard) else {
        panic!("a vote")
    };
    assert!((gain - 0.4).abs() < 1e-12);
    assert_eq!(stage(&recomposition), Some(TrialStage::Shadow), "not before the vote");
    recomposition.decided(Some(true), 1_200);
    for (from, next) in [
        (1_200, TrialStage::Most),
        (1_400, TrialStage::Whole),
        (1_600, TrialStage::Commit),
    ] {
        let before = stage(&recomposition);
        run(&mut recomposition, from + 10, from + 190, heard);
        assert_eq!(stage(&recomposition), before);
        run(&mut recomposition, from + 200, from + 200, heard);
        assert_eq!(stage(&recomposition), Some(next));
    }
    // It is asked for until the kernel has done it.
    run(&mut recomposition, 1_810, 1_900, heard);
    assert_eq!(stage(&recomposition), Some(TrialStage::Commit));
    let done = TrialReport {
        number: 1,
        applicable: false,
        committed: true,
        skill: None,
    };
    run(
        &mut recomposition,
        1_910,
        1_910,
        Standing {
            trial: Some(done),
            ..STANDING
        },
    );
    let ended = recomposition.ended();
    assert_eq!((ended.committed, ended.rolled_back), (1, 0));
    assert_eq!(ended.last.map(|(order, cause)| (order.number, cause)), Some((1, None)));
    // 300 cycles of rest, and then the next operation.
    run(&mut recomposition, 1_920, 2_200, STANDING);
    run(&mut recomposition, 2_209, 2_209, STANDING);
    assert_eq!(recomposition.order(), None);
    run(&mut recomposition, 2_210, 2_210, STANDING);
    let order = recomposition.order().expect("rested");
    assert_eq!((order.number, order.operation), (2, Operation::Parallelize));
}

#[test]
fn seof_must_rise_by_eight_percent_at_the_end_of_each_stage() {
    let after_shadow = |gain: f64, seof: f64| {
        let mut recomposition = proposed();
        let trial = said(1, gaining(gain));
        let step = run(
            &mut recomposition,
            1_010,
            1_200,
            Standing {
                trial,
                seof,
                ..STANDING
            },
        );
        (
            matches!(step, Step::Vote { .. }),
            recomposition.ended().last.map(|(_, cause)| cause),
        )
    };
    // 8 % of 0.5 is 0.04.
    assert_eq!(after_shadow(0.0401, 0.5), (true, None));
    assert_eq!(after_shadow(0.0399, 0.5), (false, Some(Some(RolledBack::NoGain))));
    assert!(after_shadow(0.0601, 0.75).0 && !after_shadow(0.0599, 0.75).0);
    assert!(after_shadow(0.0401, -0.5).0 && !after_shadow(0.0399, -0.5).0);
    // Near 0 SEOF counts as 0.1.
    assert!(after_shadow(0.00801, 0.0).0 && !after_shadow(0.00799, 0.0).0);
    assert!(!after_shadow(f64::NAN, 0.5).0);
    // In use, a gain that is lost takes it back.
    let mut recomposition = proposed();
    run(
        &mut recomposition,
        1_010,
        1_200,
        Standing {
            trial: said(1, gaining(0.05)),
            ..STANDING
        },
    );
    recomposition.decided(Some(true), 1_200);
    let lost = Standing {
        trial: said(1, gaining(0.03)),
        ..STANDING
    };
    assert_eq!(run(&mut recomposition, 1_210, 1_390, lost), Step::Wait);
    assert_eq!(run(&mut recomposition, 1_400, 1_400, lost), Step::Withdrawn);
    assert_eq!((stage(&recomposition), recomposition.ended().rolled_back), (None, 1));
}

#[test]
fn a_bound_that_is_left_takes_it_back_at_the_next_check() {
    type Leave = fn(&mut Standing<'_>);
    let leaves: [Leave; 4] = [
        |s| s.c_l4 = 0.80,
        |s| s.iis = Some(0.8499),
        |s| s.iis = None,
        |s| s.permitted = false,
    ];
    for leave in leaves {
        let mut recomposition = proposed();
        let heard = Standing {
            trial: said(1, gaining(0.05)),
            ..STANDING
        };
        run(&mut recomposition, 1_010, 1_200, heard);
        recomposition.decided(Some(true), 1_200);
        let mut left = heard;
        leave(&mut left);
        assert_eq!(run(&mut recomposition, 1_210, 1_210, left), Step::Withdrawn);
        assert_eq!(
            recomposition.ended().last.and_then(|(_, cause)| cause),
            Some(RolledBack::OutOfBounds)
        );
    }
}

#[test]
fn an_operation_that_cannot_act_gives_way_to_the_next_at_once() {
    let mut recomposition = proposed();
    let not = TrialReport {
        number: 1,
        applicable: false,
        committed: false,
        skill: None,
    };
    run(
        &mut recomposition,
        1_010,
        1_010,
        Standing {
            trial: Some(not),
            ..STANDING
        },
    );
    assert_eq!(
        recomposition.ended().last.and_then(|(_, cause)| cause),
        Some(RolledBack::NotApplicable)
    );
    run(&mut recomposition, 1_020, 1_020, STANDING);
    assert_eq!(recomposition.order().map(|o| o.operation), Some(Operation::Parallelize));
}

#[test]
fn a_kernel_that_says_nothing_for_ten_checks_is_taken_not_to_do_it() {
    let mut recomposition = proposed();
    run(&mut recomposition, 1_010, 1_090, STANDING);
    assert!(recomposition.order().is_some());
    run(&mut recomposition, 1_100, 1_100, STANDING);
    assert_eq!(
        recomposition.ended().last.and_then(|(_, cause)| cause),
        Some(RolledBack::Unheard)
    );
    // One that did it and then changed the group itself has ended the trial.
    let mut recomposition = proposed();
    run(
        &mut recomposition,
        1_010,
        1_050,
        Standing {
            trial: said(1, None),
            ..STANDING
        },
    );
    let gone = TrialReport {
        number: 1,
        applicable: false,
        committed: false,
        skill: None,
    };
    run(
        &mut recomposition,
        1_060,
        1_060,
        Standing {
            trial: Some(gone),
            ..STANDING
        },
    );
    assert_eq!(
        recomposition.ended().last.and_then(|(_, cause)| cause),
        Some(RolledBack::Unheard)
    );
}

#[test]
fn frames_that_are_against_it_end_it_and_ten_votes_without_a_result_too() {
    let shadowed = || {
        let mut recomposition = proposed();
        run(
            &mut recomposition,
            1_010,
            1_200,
            Standing {
                trial: said(1, gaining(0.05)),
                ..STANDING
            },
        );
        recomposition
    };
    let mut recomposition = shadowed();
    recomposition.decided(Some(false), 1_200);
    assert_eq!(
        recomposition.ended().last.and_then(|(_, cause)| cause),
        Some(RolledBack::Outvoted)
    );
    let mut recomposition = shadowed();
    (0..9).for_each(|_| recomposition.decided(None, 1_200));
    assert!(recomposition.order().is_some());
    recomposition.decided(None, 1_200);
    assert_eq!(recomposition.order(), None);
    recomposition.decided(Some(true), 1_200);
    assert_eq!(recomposition.order(), None, "there is nothing to decide on");
}

#[test]
fn a_kernel_that_outlived_the_level_gets_a_number_that_it_has_not_used() {
    let mut recomposition = Recomposition::new(2);
    recomposition.check(&Standing {
        trial: said(7, None),
        ..STANDING
    });
    assert_eq!(recomposition.order().map(|order| order.number), Some(8));
}

#[test]
fn ethical_kernel_guard_and_identity_are_immune_and_no_operation_names_them() {
    let immune = [
        Node::EthicalKernel,
        Node::Guard,
        Node::Identity,
        Node::Detector(0),
        Node::Executor,
    ];
    assert!(immune.iter().all(|node| !node.is_open()));
    assert!(Operation::ALL.iter().all(|operation| Node::of(*operation, 3).is_open()));
}

proptest! {
    #[test]
    fn one_at_a_time_and_never_within_the_cooldown(
        checks in prop::collection::vec((0.0..1.0f64, 0.7..1.0f64, any::<bool>(), -0.2..0.2f64, 0..4_u8), 1..400),
    ) {
        let mut recomposition = Recomposition::new(2);
        let (mut ended_at, mut number) = (None::<u64>, 0);
        for (index, (c_l4, iis, permitted, gain, speaks)) in checks.into_iter().enumerate() {
            let cycle = FROM_CYCLE + 10 * index as u64;
            let before = recomposition.order();
            let trial = before.and_then(|order| match speaks {
                0 => None,
                1 => Some(TrialReport { number: order.number, applicable: false, committed: order.stage == TrialStage::Commit, skill: None }),
                _ => said(order.number, gaining(gain)),
            });
            let step = recomposition.check(&Standing { cycle, c_l4, iis: Some(iis), permitted, trial, ..STANDING });
            if let Step::Vote { .. } = step {
                recomposition.decided(Some(speaks == 2), cycle);
            }
            prop_assert!(recomposition.is_valid(2));
            match (before, recomposition.order()) {
                (Some(_), None) => {
                    let cause = recomposition.ended().last.and_then(|(_, cause)| cause);
                    ended_at = (cause != Some(RolledBack::NotApplicable)).then_some(cycle);
                }
                (None, Some(order)) => {
                    prop_assert!(order.number > number && order.stage == TrialStage::Shadow);
                    prop_assert!(ended_at.is_none_or(|at| cycle - at >= COOLDOWN_CYCLES));
                    number = order.number;
                }
                (Some(old), Some(new)) => prop_assert!(old.number == new.number && new.stage >= old.stage),
                (None, None) => {}
            }
        }
    }
}
