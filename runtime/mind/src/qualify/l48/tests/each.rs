//! What each criterion counts, by hand-worked numbers.

use super::*;

/// The value of a criterion after these passes.
fn after(id: &str, worlds: &[World]) -> Option<f64> {
    value(&fed(worlds).report(), id)
}

/// So many worlds, changed.
fn some(count: u64, mut change: impl FnMut(u64, &mut World)) -> Vec<World> {
    let self_model = watched();
    let quiet = |nth| {
        let mut quiet = world(nth, &self_model);
        quiet.world.shocks = 0;
        quiet.world.res.score = 0.1;
        (quiet.open, quiet.closed) = (Vec::new(), Vec::new());
        quiet.capability.corrected.clear();
        change(nth, &mut quiet);
        quiet
    };
    (1..=count).map(quiet).collect()
}

fn near(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 1e-6)
}

/// A rank of one of 100 places.
fn at(percent: u8) -> Option<Rank> {
    Some(Rank {
        below: f32::from(percent) / 100.0,
        up_to: f32::from(percent + 1) / 100.0,
    })
}

fn scored(rank: u8, persistence: u8, moved: bool) -> Score {
    Score {
        observed: if moved { 1.0 } else { 0.0 },
        rank: at(rank),
        persistence_rank: at(persistence),
        ..Score::default()
    }
}

#[test]
fn accuracy_is_the_share_inside_the_central_eighty_percent() {
    let scores = vec![
        scored(79, 99, true),
        scored(80, 99, true),
        scored(10, 99, true),
        scored(0, 99, true),
    ];
    let worlds = some(5, |_, world| world.world.scores.clone_from(&scores));
    assert!(near(after("EA-1", &worlds), 0.75));
}

#[test]
fn an_interval_that_is_wider_than_persistences_counts_nothing_and_one_as_wide_counts() {
    // 100 values: forecasts inside 85, persistence inside as many plus some.
    let with = |held: usize| {
        let score = |place: usize| {
            scored(
                if place < 85 { 10 } else { 90 },
                if place < held { 10 } else { 90 },
                true,
            )
        };
        some(1, |_, world| world.world.scores = (0..100).map(score).collect())
    };
    assert!(near(after("EA-1", &with(85)), 0.85));
    assert!(near(after("EA-1", &with(86)), 0.85), "two in a hundred may be chance");
    assert!(near(after("EA-1", &with(88)), 0.0));
}

#[test]
fn a_band_that_holds_up_to_eighty_percent_around_the_last_value_is_not_too_wide_however_little_it_holds() {
    let with = |held: usize| {
        let score = |place: usize| {
            scored(
                if place < 50 { 10 } else { 90 },
                if place < held { 10 } else { 90 },
                true,
            )
        };
        some(1, |_, world| world.world.scores = (0..100).map(score).collect())
    };
    assert!(near(after("EA-1", &with(81)), 0.50));
    assert!(near(after("EA-1", &with(83)), 0.0));
}

#[test]
fn an_observation_that_equals_the_one_before_says_nothing_of_persistence() {
    // Nine of ten never move and lie inside; that the band around the last value holds them is no fault.
    let score = |place: usize| {
        if place.is_multiple_of(10) {
            scored(70, 95, true)
        } else {
            scored(10, 10, false)
        }
    };
    let worlds = some(2, |_, world| world.world.scores = (0..50).map(score).collect());
    assert!(near(after("EA-1", &worlds), 1.0));
    let still = some(2, |_, world| world.world.scores = vec![scored(10, 10, false); 50]);
    assert_eq!(
        (after("EA-1", &still), after("EA-3", &still)),
        (None, None),
        "nothing moved at all"
    );
}

#[test]
fn calibration_is_the_mean_gap_at_ten_levels_from_five_to_ninety_five_percent() {
    let of = |ranks: &[u8]| {
        let scores: Vec<Score> = ranks.iter().map(|rank| scored(*rank, 99, true)).collect();
        after("EA-3", &some(1, |_, world| world.world.scores.clone_from(&scores)))
    };
    // All at the median: nothing up to 45 %, all from 55 %: gaps 5, 15, .., 45, 45, .., 5.
    assert!(near(of(&[50]), 0.25));
    // All at the bottom: 95, 85, .., 5 %.
    assert!(near(of(&[0]), 0.5));
    // All beyond 95 %: 5, 15, .., 95 %.
    assert!(near(of(&[98]), 0.5));
    assert!(near(of(&[10, 30, 50, 70, 90]), 0.05));
}

#[test]
fn scores_without_a_rank_say_nothing() {
    let worlds = some(3, |_, world| {
        world.world.scores = vec![
            Score {
                rank: None,
                ..scored(1, 1, true)
            };
            10
        ]
    });
    assert_eq!((after("EA-1", &worlds), after("EA-3", &worlds)), (None, None));
}

/// RES as it is by pass, and a shock in the last.
fn lead(res: &[f64]) -> Option<f64> {
    let last = res.len() as u64;
    after(
        "EA-4",
        &some(last, |nth, world| {
            world.world.res.score = res[nth as usize - 1];
            world.world.shocks = u64::from(nth == last);
        }),
    )
}

#[test]
fn the_lead_runs_from_the_alarm_to_the_first_cycle_of_the_report_with_the_shock() {
    assert_eq!(lead(&[0.1, 0.40, 0.5]), Some(1.0));
    assert_eq!(
        lead(&[0.1, 0.40, 0.3, 0.5, 0.5]),
        Some(21.0),
        "what eases and comes back began with the first"
    );
    assert_eq!(
        lead(&[0.1, 0.40, 0.1, 0.4, 0.5]),
        Some(1.0),
        "what has passed is no warning of what comes later"
    );
}

#[test]
fn a_shock_that_was_foreshadowed_without_an_alarm_was_missed_and_one_out_of_the_blue_does_not_count() {
    assert_eq!(lead(&[0.1, 0.20, 0.5]), Some(0.0));
    assert_eq!(lead(&[0.1, 0.399, 0.5]), Some(0.0));
    assert_eq!(lead(&[0.1, 0.199, 0.9]), None);
}

#[test]
fn what_follows_a_shock_is_its_aftermath_until_nothing_is_foreshadowed() {
    let worlds = some(12, |nth, world| {
        // Alarm at pass 2; shocks at 5, 6, 7; calm at 9; alarm at 10 and shock at 12.
        world.world.res.score = if [1, 9].contains(&nth) { 0.1 } else { 0.5 };
        world.world.shocks = match nth {
            0..5 => 0,
            5 => 1,
            6 => 2,
            7..12 => 3,
            _ => 4,
        };
    });
    // 41 - 20 = 21 and 111 - 100 = 11.
    assert_eq!(after("EA-4", &worlds), Some(16.0));
}

/// The runway by pass; the resource is used up in the last.
fn runway(rdf: &[f64]) -> Option<f64> {
    let last = rdf.len() as u64;
    after(
        "EA-4",
        &some(last, |nth, world| {
            world.world.rdf = rdf[nth as usize - 1];
            let level = if nth == last { 0.0 } else { 1.0 };
            world.report.resources = vec![Resource {
                level,
                ..Resource::default()
            }];
        }),
    )
}

#[test]
fn an_exhaustion_is_announced_by_a_runway_of_a_hundred_cycles_and_foreshadowed_by_two_hundred() {
    assert_eq!(runway(&[150.0, 100.0, 60.0, 0.0]), Some(11.0));
    assert_eq!(runway(&[150.0, 101.0, 101.0, 0.0]), Some(0.0));
    assert_eq!(runway(&[200.0, 0.0]), Some(0.0));
    assert_eq!(runway(&[201.0, 0.0]), None, "at once");
    assert_eq!(runway(&[f64::NAN, 0.0]), Some(1.0), "what is not a number is an alarm");
}

#[test]
fn a_resource_that_stays_used_up_is_one_exhaustion_and_a_short_runway_announces_no_shock() {
    let worlds = some(6, |nth, world| {
        world.world.rdf = 50.0;
        let level = if nth > 3 { 0.0 } else { 1.0 };
        world.report.resources = vec![Resource {
            level,
            ..Resource::default()
        }];
        world.world.shocks = u64::from(nth > 4);
    });
    assert_eq!(after("EA-4", &worlds), Some(21.0), "31 - 10, and no shock with a lead");
}

#[test]
fn means_over_passes_leave_out_those_without_evidence() {
    let worlds = some(4, |nth, world| {
        world.world.scenario_coverage = (nth % 2 == 0).then_some(0.25 * nth as f64);
        world.capability.mce = (nth > 2).then_some(0.125 * nth as f64);
        world.plan = (nth < 3).then(|| plan(0.25 * nth as f64));
    });
    assert_eq!(after("EA-2", &worlds), Some(0.75));
    assert_eq!(after("SM-5", &worlds), Some(0.4375));
    assert_eq!(after("SA-10", &worlds), Some(0.375));
}

#[test]
fn the_detector_is_probed_in_every_five_hundredth_cycle() {
    let planted = |count: u64| fed(&some(count, |_, _| {})).blocks.sum().planted;
    assert_eq!([49, 50, 99, 100, 300].map(planted), [0, 2, 2, 4, 12], "two groups each");
}

#[test]
fn overconfidence_that_stays_open_counts_once_it_is_older_than_twenty_cycles() {
    let of = |passes: u64| {
        after(
            "SM-7",
            &some(passes, |_, world| {
                world.capability.capabilities = vec![capability(0.8, 0.5, 0.3)]
            }),
        )
    };
    assert_eq!((of(2), of(3), of(4)), (None, None, Some(30.0)));
    let corrected = |cycles| Corrected { skill: SKILL, cycles };
    let worlds = some(4, |nth, world| {
        world.capability.capabilities = vec![capability(0.8, 0.5, 0.3)];
        if nth == 2 {
            world.capability.corrected = vec![corrected(10), corrected(20)];
        }
    });
    assert_eq!(after("SM-7", &worlds), Some(20.0), "10, 20 and 30 so far");
}

#[test]
fn neither_underconfidence_nor_an_error_of_a_tenth_is_overconfidence_and_what_is_over_is_closed() {
    for not_over in [capability(0.5, 0.8, 0.3), capability(0.89, 0.8, 0.10)] {
        let worlds = some(9, |_, world| world.capability.capabilities = vec![not_over]);
        assert_eq!(after("SM-7", &worlds), None, "{not_over:?}");
    }
    let worlds = some(9, |nth, world| {
        // Over in passes 1 to 3 and from 7 on.
        let error = if (4..7).contains(&nth) { 0.05 } else { 0.102 };
        world.capability.capabilities = vec![capability(0.8, 0.7, error)];
    });
    assert_eq!(after("SM-7", &worlds), None, "20 cycles so far");
}

fn open(number: u64, feasibility: f64, active: bool) -> OpenGoal {
    OpenGoal {
        number,
        feasibility,
        active,
    }
}

fn closed(number: u64, succeeded: Option<bool>) -> ClosedGoal {
    ClosedGoal { number, succeeded }
}

#[test]
fn the_prediction_of_a_goal_is_the_last_one_before_work_on_it_began() {
    let worlds = some(4, |nth, world| {
        world.open = match nth {
            1 => vec![open(1, 0.1, false), open(2, 0.5, false)],
            2 => vec![open(1, 0.9, false), open(2, 0.5, true)],
            3 => vec![open(1, 0.7, true), open(2, 0.99, true)],
            _ => Vec::new(),
        };
        if nth == 4 {
            world.closed = vec![closed(1, Some(true)), closed(2, Some(false))];
        }
    });
    // 0.7 when it became active, against 0.5.
    assert_eq!(after("SM-8", &worlds), Some(1.0));
    assert_eq!(after("SA-9", &worlds), Some(0.5));
}

#[test]
fn a_goal_counts_once_and_one_that_nobody_wanted_or_nobody_saw_open_not_at_all() {
    let worlds = some(4, |nth, world| {
        let opened = (1..=3).map(|number| open(number, 0.5, true));
        world.open = opened.filter(|_| nth == 1).collect();
        world.closed = match nth {
            1 => Vec::new(),
            _ => vec![
                closed(1, Some(true)),
                closed(2, None),
                closed(3, Some(false)),
                closed(9, Some(true)),
            ],
        };
    });
    let audit = fed(&worlds);
    let all = audit.blocks.sum();
    assert_eq!((all.completed, all.closed), (1, 2));
    assert_eq!(
        value(&audit.report(), "SM-8"),
        Some(0.5),
        "equal predictions count half"
    );
}

#[test]
fn a_cycle_counts_against_the_lyapunov_invariant_when_v_counts_as_rising() {
    // V from 0.2 to 0.5 at cycle 31: 19 cycles count (0.03 k above 0.01, up and down again).
    let worlds = some(20, |nth, world| {
        world.floor.lyapunov = vec![if nth > 3 { 0.5 } else { 0.2 }; 10]
    });
    assert!(near(after("SP-11", &worlds), 1.0 - 19.0 / 200.0));
    assert_eq!(after("SP-13", &worlds), Some(19.0));
    let none = some(3, |_, world| world.floor.lyapunov.clear());
    assert_eq!(after("SP-11", &none), None);
}

#[test]
fn a_run_goes_on_from_pass_to_pass_and_block_to_block_and_a_freeze_ends_it() {
    let with = |frozen_before: u64| {
        some(40, |nth, world| {
            if (8..13).contains(&nth) {
                world.verdict.violations = vec![violation(Invariant::Identity)];
            }
            world.epoch = Epoch(u64::from(nth >= frozen_before));
        })
    };
    assert_eq!(after("SP-13", &with(99)), Some(50.0));
    assert_eq!(after("SP-13", &with(11)), Some(30.0));
    let lyapunov = some(5, |_, world| {
        world.verdict.violations = vec![violation(Invariant::Lyapunov)]
    });
    assert_eq!(
        after("SP-13", &lyapunov),
        Some(0.0),
        "its cycles are counted by themselves"
    );
    let one = some(5, |nth, world| {
        if nth == 3 {
            world.verdict.violations = vec![violation(Invariant::Sandbox)];
        }
    });
    assert_eq!(after("SP-13", &one), Some(10.0));
    let without_v = some(2, |_, world| {
        world.verdict.violations = vec![violation(Invariant::Sandbox)];
        world.floor.lyapunov.clear();
    });
    assert_eq!(after("SP-13", &without_v), Some(20.0));
}

#[test]
fn the_spectral_radius_is_the_largest_that_is_known() {
    let worlds = some(3, |nth, world| {
        world.floor.rho = [0.5, 0.9, 0.0][nth as usize - 1];
        world.floor.rho_state = if nth == 3 { RhoState::Unknown } else { RhoState::Stable };
    });
    assert_eq!(after("SP-12", &worlds), Some(0.9));
    let unknown = some(3, |_, world| world.floor.rho_state = RhoState::Unknown);
    assert_eq!(after("SP-12", &unknown), None);
    let violated = |rho| {
        some(3, |_, world| {
            (world.floor.rho, world.floor.rho_state) = (rho, RhoState::Violation)
        })
    };
    assert_eq!(
        after("SP-12", &violated(0.9)),
        Some(1.0),
        "a violation is one, whatever is handed on"
    );
    assert_eq!(after("SP-12", &violated(1.01)), Some(1.01));
}

/// Reverts of so many decisions.
fn reverts(worlds: &[World]) -> [u32; 2] {
    let all = fed(worlds).blocks.sum();
    [all.reverts, all.decisions]
}

#[test]
fn a_strategy_is_reverted_by_a_verdict_that_does_not_let_it_stand() {
    let (a, b) = (Archetype::Balanced, Archetype::Conservative);
    let with = |response, plan: &PlanOutput| {
        reverts(&some(1, |_, world| {
            world.verdict.response = response;
            world.plan = Some(plan.clone());
        }))
    };
    for (response, changed, unchanged) in [
        (Response::Continue, 0, 0),
        (Response::Throttle, 1, 0),
        (Response::Rebalance, 1, 1),
        (Response::Freeze, 1, 1),
    ] {
        assert_eq!(with(response, &change(a, b)), [changed, 1], "{response}");
        assert_eq!(with(response, &change(a, a)), [unchanged, 1], "{response}");
    }
}

#[test]
fn a_strategy_that_goes_back_to_the_one_left_last_is_reverted_and_one_that_goes_on_is_not() {
    let (a, b, c) = (Archetype::Balanced, Archetype::Conservative, Archetype::Aggressive);
    let run = |plans: &[PlanOutput]| {
        reverts(&some(plans.len() as u64, |nth, world| {
            world.plan = Some(plans[nth as usize - 1].clone());
        }))
    };
    assert_eq!(run(&[change(a, b), change(b, b), change(b, a)]), [1, 3]);
    assert_eq!(run(&[change(a, b), change(b, c), change(c, a)]), [0, 3]);
    assert_eq!(run(&[change(a, b), change(b, a), change(a, b)]), [2, 3]);
}

#[test]
fn a_freeze_takes_back_one_decision_whether_its_verdict_was_fed_or_not() {
    let with = |fed_verdict: bool| {
        some(4, |nth, world| {
            world.epoch = Epoch(u64::from(nth > 2));
            if nth == 2 && fed_verdict {
                world.verdict.response = Response::Freeze;
            }
        })
    };
    assert_eq!(reverts(&with(true)), [1, 4]);
    assert_eq!(reverts(&with(false)), [1, 4]);
}

#[test]
fn a_plan_that_compared_nothing_is_no_decision() {
    let worlds = some(3, |_, world| world.plan = Some(PlanOutput::default()));
    assert_eq!(reverts(&worlds), [0, 0]);
    assert_eq!((after("SP-14", &worlds), after("SA-10", &worlds)), (None, None));
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let mut worlds = some(310, |_, _| {});
    worlds[0].floor.rho = 1.5;
    (worlds[1].open, worlds[2].closed) = (vec![open(1, 0.5, true)], vec![closed(1, Some(true))]);
    let mut audit = Audit48::new(7);
    for (nth, world) in (1..).zip(&worlds) {
        audit.feed(&world.pass());
        if nth == 309 {
            assert_eq!(value(&audit.report(), "SP-12"), Some(1.5));
            assert_eq!(value(&audit.report(), "SA-9"), Some(1.0));
        }
    }
    assert_eq!(value(&audit.report(), "SP-12"), Some(0.99));
    assert_eq!(value(&audit.report(), "SA-9"), None);
}

#[test]
fn eu_is_low_below_fifteen_hundredths() {
    let share = |eu: f64| fed(&some(10, |_, world| world.world.eu = eu)).report().categories[4].score;
    assert_eq!([0.149, 0.15, f64::NAN].map(share), [1.0, 0.0, 0.0]);
}
