use super::*;
use crate::report::Advice;
use rungs_types::{EventKind, Invariant, RolePath, Violation};

fn role(text: &str) -> RolePath {
    RolePath::new(text).expect("a valid role")
}

fn at(cycle: u64) -> At {
    At {
        cycle,
        now_ms: cycle * 100,
    }
}

fn panic_of_observe() -> Fault {
    Fault::Panic {
        level: Level::L48,
        role: role("l48/observe"),
        message: "index out of bounds".into(),
    }
}

fn invariants(which: &[Invariant]) -> Fault {
    let violation = |&invariant| Violation {
        invariant,
        value: 1.0,
        limit: 0.5,
        magnitude: 1.0,
    };
    Fault::Invariants {
        level: Level::L48,
        violations: which.iter().map(violation).collect(),
        severity: 2.5,
    }
}

/// A ladder whose levels up to `top` all have full authority and a checkpoint.
fn at_full(top: Level) -> Ladder {
    let mut ladder = Ladder::new(top);
    for level in Level::ALL.into_iter().filter(|level| *level <= top) {
        ladder.on_request(level, Request::Verified(CheckpointId(7)), at(1));
        let to = Authority::Full;
        ladder.on_request(
            level,
            Request::Authority {
                to,
                reason: "activation".into(),
            },
            at(1),
        );
    }
    ladder
}

fn raise(ladder: &mut Ladder, to: Authority) {
    ladder.on_request(
        Level::L48,
        Request::Authority {
            to,
            reason: "recovery".into(),
        },
        at(1),
    );
}

fn authority_event(level: Level, from: Authority, to: Authority, reason: &str) -> Action {
    Action::Emit(EventKind::Authority {
        level,
        from,
        to,
        reason: reason.into(),
    })
}

#[test]
fn a_panicking_phase_freezes_reverts_withdraws_and_restarts_in_that_order() {
    let mut ladder = at_full(Level::L48);
    let (level, checkpoint) = (Level::L48, CheckpointId(7));
    let cause = panic_of_observe().cause();
    assert_eq!(
        ladder.on_fault(&panic_of_observe(), at(20)),
        vec![
            Action::FreezeFrom { level, hold: false },
            Action::Withdraw { level, checkpoint },
            Action::Revert { level, checkpoint },
            Action::Restart {
                role: role("l48/observe"),
                cause: cause.clone()
            },
            Action::Emit(EventKind::Frozen {
                level,
                cause,
                checkpoint
            }),
            authority_event(level, Authority::Full, Authority::Frozen, "freeze"),
            Action::Emit(EventKind::Reverted { level, checkpoint }),
        ]
    );
    assert_eq!(ladder.authority(Level::L45), Authority::Full, "the level below goes on");
    assert_eq!(
        (ladder.epoch(Level::L48), ladder.epoch(Level::L45)),
        (Epoch(1), Epoch(0))
    );
    assert_eq!(ladder.freezes(), 1);
}

#[test]
fn every_level_above_freezes_with_the_one_that_fails_the_highest_first() {
    let mut ladder = at_full(Level::L49);
    let actions = ladder.on_fault(&panic_of_observe(), at(20));
    let checkpoint = CheckpointId(7);
    assert_eq!(
        actions[1],
        Action::Withdraw {
            level: Level::L49,
            checkpoint
        }
    );
    assert_eq!(
        actions[2],
        Action::Withdraw {
            level: Level::L48,
            checkpoint
        }
    );
    assert_eq!(
        actions[3],
        Action::Revert {
            level: Level::L49,
            checkpoint
        }
    );
    assert_eq!(ladder.authority(Level::L49), Authority::Frozen);
    let told = authority_event(
        Level::L49,
        Authority::Full,
        Authority::Frozen,
        "freeze of a level below",
    );
    assert!(actions.contains(&told), "{actions:?}");
}

#[test]
fn a_missed_deadline_violated_invariants_and_a_critical_guard_freeze_l48() {
    let deadline = Fault::MissedDeadline {
        level: Level::L48,
        role: role("l48/verify"),
        deadline_ms: 250,
    };
    let guard = Fault::GuardCritical {
        metric: "IFI 0.61".into(),
    };
    let three = invariants(&[Invariant::Spectral, Invariant::Identity, Invariant::Lyapunov]);
    for fault in [deadline, guard, three] {
        let mut ladder = at_full(Level::L48);
        let actions = ladder.on_fault(&fault, at(20));
        assert_eq!(
            actions[0],
            Action::FreezeFrom {
                level: Level::L48,
                hold: false
            },
            "{fault:?}"
        );
        let (level, checkpoint) = (Level::L48, CheckpointId(7));
        let told = Action::Emit(EventKind::Frozen {
            level,
            cause: fault.cause(),
            checkpoint,
        });
        assert!(
            actions.contains(&told),
            "every freeze tells its cause and checkpoint: {actions:?}"
        );
    }
}

#[test]
fn two_missed_heartbeats_are_nothing_and_the_third_is_critical() {
    let mut ladder = at_full(Level::L48);
    assert_eq!(ladder.on_fault(&Fault::HeartbeatMissed { in_a_row: 2 }, at(20)), vec![]);
    assert!(
        !ladder
            .on_fault(&Fault::HeartbeatMissed { in_a_row: 3 }, at(30))
            .is_empty()
    );
    assert_eq!(ladder.authority(Level::L48), Authority::Frozen);
}

#[test]
fn a_fault_of_a_frozen_level_is_stale() {
    let mut ladder = at_full(Level::L48);
    ladder.on_fault(&panic_of_observe(), at(20));
    assert_eq!(ladder.on_fault(&panic_of_observe(), at(21)), vec![]);
    assert_eq!((ladder.epoch(Level::L48), ladder.freezes()), (Epoch(1), 1));
}

#[test]
fn a_failed_floor_stabilizes_l3_until_it_runs_again_and_l48_waits_for_its_own_protocol() {
    let mut ladder = at_full(Level::L48);
    let fault = Fault::Panic {
        level: Level::L45,
        role: role("l45"),
        message: "overflow".into(),
    };
    let actions = ladder.on_fault(&fault, at(20));
    assert_eq!(
        actions[0],
        Action::FreezeFrom {
            level: Level::L45,
            hold: false
        }
    );
    assert!(actions.contains(&Action::Stabilize { on: true }));
    assert!(actions.contains(&Action::Restart {
        role: role("l45"),
        cause: fault.cause()
    }));
    let [full, frozen] = [Authority::Full, Authority::Frozen];
    assert_eq!(ladder.authorities(), [full, frozen, frozen, frozen, frozen]);

    let expected = vec![
        Action::Stabilize { on: false },
        Action::SetAuthority {
            level: Level::L45,
            from: frozen,
            to: full,
        },
        authority_event(Level::L45, frozen, full, "restarted"),
    ];
    assert_eq!(ladder.on_floor_started(), expected);
    assert_eq!(ladder.authorities(), [full, full, frozen, frozen, frozen]);
    assert_eq!(ladder.on_floor_started(), vec![], "it was not down");
}

#[test]
fn a_failed_kernel_restarts_the_agent_and_the_fifth_failure_in_a_minute_parks_it() {
    let mut ladder = at_full(Level::L48);
    let fault = Fault::KernelFailed {
        role: role("kernel"),
        message: "boom".into(),
    };
    for (failure, delay_ms) in [100, 200, 400, 800].into_iter().enumerate() {
        let cause = fault.cause();
        let at = At {
            cycle: 20,
            now_ms: failure as u64 * 10_000,
        };
        assert_eq!(
            ladder.on_fault(&fault, at),
            vec![Action::RestartAgent { delay_ms, cause }]
        );
    }
    let actions = ladder.on_fault(
        &fault,
        At {
            cycle: 20,
            now_ms: 50_000,
        },
    );
    assert!(actions.contains(&Action::Park { cause: fault.cause() }));
    assert!(actions.contains(&Action::Emit(EventKind::Parked { cause: fault.cause() })));
    let incident = |action: &Action| matches!(action, Action::Emit(EventKind::Incident { raised: true, .. }));
    assert!(actions.iter().any(incident));
    assert!(ladder.is_parked());
    assert_eq!(
        ladder.on_fault(&panic_of_observe(), at(30)),
        vec![],
        "nothing runs any more"
    );
}

#[test]
fn a_wrong_ethics_hash_parks_the_agent_at_once() {
    let mut ladder = at_full(Level::L48);
    let actions = ladder.on_fault(&Fault::EthicsHash, at(20));
    assert_eq!(
        actions[0],
        Action::FreezeFrom {
            level: Level::L45,
            hold: true
        }
    );
    assert!(actions.contains(&Action::Park {
        cause: Cause::EthicsHash
    }));
    assert!(ladder.is_parked());
}

#[test]
fn an_agent_over_its_quota_is_parked_and_that_is_no_veto_of_any_level() {
    let mut ladder = at_full(Level::L48);
    let fault = Fault::Quota { share: 1.5 };
    let actions = ladder.on_fault(&fault, at(20));
    assert!(actions.contains(&Action::Park {
        cause: Cause::Quota { share: 1.5 }
    }));
    assert!(ladder.is_parked() && VetoKey::of(&fault.cause()).is_empty());
}

#[test]
fn an_operator_starts_a_parked_agent_and_its_levels_come_back_by_their_own_protocols() {
    let mut ladder = at_full(Level::L48);
    assert_eq!(ladder.on_unpark("ada"), [], "it is not parked");
    ladder.on_fault(&Fault::EthicsHash, at(5));
    let actions = ladder.on_unpark("ada");
    let (level, to) = (Level::L45, Authority::Full);
    assert_eq!(
        actions[..2],
        [Action::Reenable { level: Level::L48 }, Action::Stabilize { on: false }]
    );
    assert!(actions.contains(&authority_event(level, Authority::Frozen, to, "operator ada")));
    assert!(!ladder.is_parked());
    assert_eq!(ladder.authority(Level::L48), Authority::Frozen);
    // Its failures are forgotten: it takes five more to park it again.
    let failed = Fault::KernelFailed {
        role: role("kernel"),
        message: "x".into(),
    };
    let parks = (0..5).map(|_| {
        ladder
            .on_fault(&failed, at(6))
            .contains(&Action::Park { cause: failed.cause() })
    });
    assert_eq!(parks.collect::<Vec<_>>(), [false, false, false, false, true]);
}

#[test]
fn a_held_level_is_told_from_a_frozen_one() {
    let mut ladder = at_full(Level::L48);
    ladder.on_fault(&panic_of_observe(), at(5));
    assert!(!ladder.is_held(Level::L48));
    let order = Order::Freeze {
        level: Level::L48,
        who: "ada".into(),
    };
    ladder.on_order(&order).expect("accepted");
    assert!(ladder.is_held(Level::L48));
}

#[test]
fn the_fourth_freeze_by_one_cause_in_1000_cycles_suspends_until_an_operator_clears() {
    let mut ladder = at_full(Level::L48);
    let level = Level::L48;
    for cycle in [100, 400, 700] {
        let actions = ladder.on_fault(&panic_of_observe(), at(cycle));
        assert!(!actions.contains(&Action::Suspend { level }), "cycle {cycle}");
        raise(&mut ladder, Authority::Full);
    }
    let actions = ladder.on_fault(&panic_of_observe(), at(1_000));
    assert!(actions.contains(&Action::Suspend { level }));
    let cause = panic_of_observe().cause();
    assert_eq!(
        actions.last(),
        Some(&Action::Emit(EventKind::Suspended { level, cause }))
    );

    raise(&mut ladder, Authority::Full);
    assert_eq!(
        ladder.authority(level),
        Authority::Frozen,
        "only an operator ends a suspension"
    );
    let who = || "ann".to_owned();
    assert_eq!(
        ladder.on_order(&Order::Thaw { level, who: who() }),
        Err(OrderError::Suspended { level })
    );
    assert_eq!(
        ladder.on_order(&Order::Clear { level, who: who() }),
        Ok(vec![Action::Reenable { level }])
    );
    raise(&mut ladder, Authority::Advisory);
    assert!(
        !ladder
            .on_fault(&panic_of_observe(), at(1_050))
            .contains(&Action::Suspend { level }),
        "counted anew"
    );
}

#[test]
fn an_operators_freeze_holds_until_the_thaw_and_never_suspends() {
    let mut ladder = at_full(Level::L48);
    let level = Level::L48;
    for round in 0..10 {
        let freeze = ladder
            .on_order(&Order::Freeze {
                level,
                who: "ann".into(),
            })
            .expect("accepted");
        assert_eq!(freeze[0], Action::FreezeFrom { level, hold: true }, "round {round}");
        raise(&mut ladder, Authority::Advisory);
        assert_eq!(ladder.authority(level), Authority::Frozen, "held");
        let thaw = ladder.on_order(&Order::Thaw {
            level,
            who: "ann".into(),
        });
        assert_eq!(thaw, Ok(vec![Action::Reenable { level }]));
        raise(&mut ladder, Authority::Full);
        assert_eq!(ladder.authority(level), Authority::Full);
    }
    assert!(!ladder.is_suspended(level));
}

#[test]
fn an_order_that_makes_no_sense_is_refused_and_changes_nothing() {
    let mut ladder = at_full(Level::L48);
    let before = ladder.clone();
    let who = || "ann".to_owned();
    let freeze = |level| Order::Freeze { level, who: who() };
    assert_eq!(ladder.on_order(&freeze(Level::L3)), Err(OrderError::AlwaysOn));
    assert_eq!(
        ladder.on_order(&freeze(Level::L49)),
        Err(OrderError::NoSuchLevel { level: Level::L49 })
    );
    let level = Level::L48;
    assert_eq!(
        ladder.on_order(&Order::Thaw { level, who: who() }),
        Err(OrderError::NotFrozen { level })
    );
    assert_eq!(
        ladder.on_order(&Order::Clear { level, who: who() }),
        Err(OrderError::NotSuspended { level })
    );
    assert_eq!(ladder, before);
    ladder.on_order(&freeze(level)).expect("accepted");
    let half = Order::Authority {
        level,
        to: Authority::Half,
        who: who(),
    };
    assert_eq!(ladder.on_order(&half), Err(OrderError::Frozen { level }));
}

#[test]
fn an_operators_demotion_of_the_floor_takes_the_level_above_down_first() {
    let mut ladder = at_full(Level::L48);
    let order = Order::Authority {
        level: Level::L45,
        to: Authority::Half,
        who: "ann".into(),
    };
    let actions = ladder.on_order(&order).expect("accepted");
    let [full, half] = [Authority::Full, Authority::Half];
    assert_eq!(
        actions[0],
        Action::SetAuthority {
            level: Level::L48,
            from: full,
            to: half
        }
    );
    assert_eq!(
        actions[1],
        Action::SetAuthority {
            level: Level::L45,
            from: full,
            to: half
        }
    );
    assert_eq!(
        actions[2],
        Action::Place {
            level: Level::L45,
            authority: half
        }
    );
    assert_eq!(ladder.authority(Level::L48), half);
    let raise = Order::Authority {
        level: Level::L45,
        to: full,
        who: "ann".into(),
    };
    let actions = ladder.on_order(&raise).expect("accepted");
    assert_eq!(
        actions[1],
        Action::SetAuthority {
            level: Level::L45,
            from: half,
            to: full
        },
        "the lower level first"
    );
    assert_eq!(
        actions[2],
        Action::SetAuthority {
            level: Level::L48,
            from: half,
            to: full
        }
    );
}

#[test]
fn advice_of_an_older_epoch_is_dropped() {
    let mut ladder = at_full(Level::L48);
    let advice = std::sync::Arc::new(Advice {
        level: Level::L48,
        epoch: Epoch(0),
        authority: Authority::Full,
        checkpoint: CheckpointId(8),
        from_cycle: 20,
        effective_at: 30,
        forecast: vec![],
        variance: vec![],
        eu: 0.1,
        res: 0.1,
        rdf: 1e4,
        confidence: None,
        structural_permitted: true,
        plan: crate::l48::plan::InForce::default(),
    });
    let request = || Request::Advise(advice.clone());
    assert_eq!(
        ladder.on_request(Level::L48, request(), at(20)),
        vec![Action::Advise(advice.clone())]
    );
    ladder.on_fault(&panic_of_observe(), at(21));
    assert_eq!(ladder.on_request(Level::L48, request(), at(22)), vec![]);
}

#[test]
fn a_level_without_recovery_is_suspended_once() {
    let mut ladder = at_full(Level::L48);
    ladder.on_fault(&panic_of_observe(), at(20));
    let cause = panic_of_observe().cause();
    let level = Level::L48;
    let fault = Fault::NoRecovery {
        level,
        cause: cause.clone(),
    };
    let expected = vec![
        Action::Suspend { level },
        Action::Emit(EventKind::Suspended { level, cause }),
    ];
    assert_eq!(ladder.on_fault(&fault, at(120)), expected);
    assert_eq!(ladder.on_fault(&fault, at(130)), vec![]);
}

/// Any sequence of 400 faults, orders and requests keeps the order of authorities, after each single action.
#[test]
fn authority_never_exceeds_that_of_the_level_below_whatever_happens() {
    use rand::{RngExt, SeedableRng};
    for seed in 0..50 {
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(seed);
        let mut ladder = Ladder::new(Level::L6);
        let mut cell = ladder.authorities();
        for step in 0..400 {
            let level = Level::ALL[rng.random_range(0..5)];
            let to = Authority::ALL[rng.random_range(0..5)];
            let who = "ann".to_owned();
            let at = at(step * 10);
            let actions = match rng.random_range(0..7) {
                0 => ladder.on_fault(
                    &Fault::Panic {
                        level,
                        role: role("x"),
                        message: String::new(),
                    },
                    at,
                ),
                1 => ladder.on_fault(&Fault::GuardCritical { metric: String::new() }, at),
                2 => ladder
                    .on_order(&Order::Authority { level, to, who })
                    .unwrap_or_default(),
                3 => ladder.on_order(&Order::Thaw { level, who }).unwrap_or_default(),
                4 => ladder.on_order(&Order::Clear { level, who }).unwrap_or_default(),
                5 => ladder.on_floor_started(),
                _ => {
                    let level = level.max(Level::L48);
                    ladder.on_request(
                        level,
                        Request::Authority {
                            to,
                            reason: "activation".into(),
                        },
                        at,
                    )
                }
            };
            for action in &actions {
                match action {
                    Action::FreezeFrom { level, .. } => cell[level.index()..].fill(Authority::Frozen),
                    Action::SetAuthority { level, from, to } => {
                        assert_eq!(cell[level.index()], *from, "seed {seed} step {step}: {actions:?}");
                        cell[level.index()] = *to;
                    }
                    _ => {}
                }
                assert!(
                    cell.is_sorted_by(|low, high| low >= high),
                    "seed {seed} step {step}: {cell:?}"
                );
            }
            assert_eq!(cell, ladder.authorities(), "what is told is what is in force");
            assert_eq!(cell[0], Authority::Full, "L3 is always on");
            let first_rise = actions
                .iter()
                .position(|a| matches!(a, Action::SetAuthority { from, to, .. } if to > from));
            let last_fall = actions.iter().rposition(Action::is_demotion);
            if let (Some(rise), Some(fall)) = (first_rise, last_fall) {
                assert!(fall < rise, "demotions first: {actions:?}");
            }
        }
    }
}

#[test]
fn the_ladder_survives_its_serde_form_and_stays_small() {
    let mut ladder = at_full(Level::L49);
    for cycle in 0..200 {
        let role = role(&format!("l48/phase-{cycle}"));
        ladder.on_fault(
            &Fault::Panic {
                level: Level::L48,
                role,
                message: "x".into(),
            },
            at(cycle),
        );
        raise(&mut ladder, Authority::Full);
    }
    let bytes = bincode::serde::encode_to_vec(&ladder, bincode::config::standard()).expect("encodes");
    assert!(bytes.len() <= 2_048, "{} bytes", bytes.len());
    let (read, _): (Ladder, _) =
        bincode::serde::decode_from_slice(&bytes, bincode::config::standard()).expect("decodes");
    assert_eq!(read, ladder);
}

#[test]
fn a_level_that_the_agent_gets_later_begins_in_shadow_and_freezes_like_any_other() {
    let mut ladder = at_full(Level::L48);
    assert_eq!(ladder.fit(Level::L48), [], "it has just these");
    let (level, shadow) = (Level::L49, Authority::Shadow);
    let reason = "the highest level is L4.9";
    assert_eq!(
        ladder.fit(level),
        [
            Action::SetAuthority {
                level,
                from: Authority::Frozen,
                to: shadow
            },
            authority_event(level, Authority::Frozen, shadow, reason),
        ]
    );
    let to = Authority::Full;
    let reason = "activation".to_owned();
    ladder.on_request(level, Request::Authority { to, reason }, at(2));
    assert_eq!(ladder.authority(level), Authority::Full);
    let fault = Fault::Autonomy {
        violated: Vec::new(),
        ass: 0.01,
    };
    let actions = ladder.on_fault(&fault, at(3));
    let checkpoint = CheckpointId::default();
    assert!(actions.contains(&Action::Withdraw { level, checkpoint }));
    assert!(actions.contains(&Action::Revert { level, checkpoint }));
    assert_eq!(
        (ladder.authority(level), ladder.epoch(level)),
        (Authority::Frozen, Epoch(1))
    );
    let who = "ada".to_owned();
    assert!(ladder.on_order(&Order::Thaw { level, who }).is_ok());
}

#[test]
fn a_level_that_the_agent_has_no_more_is_frozen_its_goals_go_and_nothing_raises_it() {
    let mut ladder = at_full(Level::L49);
    let (level, checkpoint) = (Level::L49, CheckpointId(7));
    let (from, to) = (Authority::Full, Authority::Frozen);
    assert_eq!(
        ladder.fit(Level::L48),
        [
            Action::Withdraw { level, checkpoint },
            Action::SetAuthority { level, from, to },
            authority_event(level, from, to, "the highest level is L4.8"),
        ]
    );
    assert_eq!(ladder.epoch(level), Epoch(1), "what it said is stale");
    let reason = "activation".to_owned();
    let request = Request::Authority {
        to: Authority::Full,
        reason,
    };
    assert_eq!(ladder.on_request(level, request, at(2)), []);
    assert_eq!(ladder.authority(Level::L48), Authority::Full);
}

#[test]
fn a_suspension_outlives_a_time_without_the_level() {
    let mut ladder = at_full(Level::L48);
    (1..=4).for_each(|n| {
        raise(&mut ladder, Authority::Full);
        ladder.on_fault(&panic_of_observe(), at(n));
    });
    assert!(ladder.is_suspended(Level::L48));
    ladder.fit(Level::L45);
    assert_eq!(ladder.fit(Level::L48), [], "down, until an operator clears it");
    assert!(ladder.is_suspended(Level::L48));
}

#[test]
fn an_agent_that_is_started_again_keeps_the_suspension_and_the_hold_of_its_floor() {
    let floor = Fault::Panic {
        level: Level::L45,
        role: role("l45"),
        message: "x".into(),
    };
    let level = Level::L45;
    let stays_down = |ladder: &mut Ladder| {
        ladder.on_fault(&Fault::Quota { share: 1.5 }, at(10));
        assert_eq!(ladder.on_unpark("ada"), [Action::Stabilize { on: true }]);
        assert!(!ladder.is_parked());
        assert_eq!(ladder.authority(level), Authority::Frozen);
        assert_eq!(
            ladder.on_floor_started(),
            [Action::Stabilize { on: true }],
            "whenever it is started"
        );
    };
    let mut ladder = at_full(Level::L48);
    (1..=4).for_each(|n| {
        ladder.on_fault(&floor, at(n));
        ladder.on_floor_started();
    });
    assert!(ladder.is_suspended(level));
    stays_down(&mut ladder);
    let who = "ada".to_owned();
    assert!(ladder.on_order(&Order::Clear { level, who }).is_ok());
    assert_eq!(ladder.authority(level), Authority::Full, "an operator has cleared it");

    let mut ladder = at_full(Level::L48);
    let who = "ada".to_owned();
    ladder.on_order(&Order::Freeze { level, who }).expect("accepted");
    stays_down(&mut ladder);
    let who = "ada".to_owned();
    assert!(ladder.on_order(&Order::Thaw { level, who }).is_ok());
    assert_eq!(ladder.authority(level), Authority::Full);
}
