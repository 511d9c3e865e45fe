use super::*;
use crate::goals::GoalRecord;
use crate::l45::fixtures::{goal, of};
use crate::l45::projection::Posture;
use crate::report::{CycleFacts, DivergenceBand, MAX_REPORT_CYCLES, REPORT_CYCLES, Resource};
use proptest::prelude::*;
use rungs_types::goal::{Origin, Quantity, TaskAction};

const GROUPS: [u16; 2] = [0, 1];
const NEEDED: [u32; 6] = [1000, 500, 500, 20, 300, 200];

fn level() -> Level45 {
    Level45::new(Level45Config {
        groups: Arc::from(GROUPS),
        seed: 1,
    })
    .expect("valid")
}

/// What a kernel reports of a calm agent in a world where both dimensions alternate between 1 and -1 (persistence is 2
/// off), and forecasts are 1.4 off at a standard deviation of 1.4 / 0.798: divergence 0, skill 0.8.
#[derive(Clone, Copy)]
struct Row {
    facts: CycleFacts,
    error: [f64; 2],
    sd: [f64; 2],
    breach: bool,
}

fn calm(cycle: u64) -> Row {
    let facts = CycleFacts {
        cycle,
        identity: [1.0, 1.0, 0.75, 1.0, 1.0],
        converged: true,
        volatility: [0.1, 0.3, 0.0, 0.0],
        ethical_first_pass: true,
        confidence: 0.75,
        strategy_decisions: 1,
        ..CycleFacts::default()
    };
    Row {
        facts,
        error: [1.4; 2],
        sd: [1.4 / 0.798; 2],
        breach: false,
    }
}

fn report(rows: impl Iterator<Item = Row>) -> CycleReport {
    let mut report = CycleReport {
        dimensions: 2,
        groups: Arc::from(GROUPS),
        ..CycleReport::default()
    };
    for row in rows {
        let value = if row.facts.cycle % 2 == 0 { 1.0 } else { -1.0 };
        report.facts.push(CycleFacts {
            breaches: u16::from(row.breach),
            ..row.facts
        });
        for (error, sd) in row.error.into_iter().zip(row.sd) {
            report.observations.push(value);
            report.forecasts.push(value - error);
            report.forecast_sd.push(sd);
            report.forecast_half_width.push(1.645 * sd);
        }
    }
    report
}

/// Cycles `1..=cycles` in reports of ten, each row changed by `change`.
fn run(level: &mut Level45, cycles: u64, change: impl Fn(u64, &mut Row)) -> FloorReport {
    let mut floor = FloorReport::default();
    for first in (1..=cycles).step_by(REPORT_CYCLES) {
        let rows = (first..first + REPORT_CYCLES as u64).map(|cycle| {
            let mut row = calm(cycle);
            change(cycle, &mut row);
            row
        });
        floor = level.step(&report(rows));
    }
    floor
}

#[test]
fn a_calm_agent_meets_every_criterion_at_a_thousand_cycles() {
    let mut level = level();
    let floor = run(&mut level, 1000, |_, _| {});
    for (criterion, (count, needed)) in floor.sustained.iter().zip(NEEDED).enumerate() {
        assert!(*count >= needed, "criterion {}: {count} of {needed}", criterion + 1);
    }
    // C_L4 = 0.15 * 0.1 + 0.15 * 0.3; SEOF at rest with two domains alike, IIS 1.
    assert!((floor.c_l4 - 0.06).abs() < 1e-12);
    assert!((floor.seof - 0.65).abs() < 1e-9 && (floor.seof_maturity - 1.0).abs() < 1e-9);
    assert!(floor.performance.is_some_and(|p| (p - 0.8).abs() < 1e-9));
    assert!((floor.cdi - 1.0).abs() < 1e-12 && floor.iis.is_some_and(|iis| (iis - 1.0).abs() < 1e-12));
    assert!(floor.uncertainty < 1e-9 && floor.divergence < 1e-9);
    assert_eq!(
        (floor.tier, floor.guard_stage, floor.divergence_band),
        (0, 0, DivergenceBand::Normal)
    );
    assert!(floor.structural_permitted && floor.ethics_intact && floor.contained && !floor.horizons_halved);
    assert_eq!((floor.cycle, floor.lyapunov.len()), (1000, 10));
    let [s, g, i, u, e] = floor.x;
    assert!((s - 0.94).abs() < 1e-12 && g == 1.0 && (i - 1.0).abs() < 1e-12 && u < 1e-9 && e == 1.0);
    assert!((floor.lyapunov[9] - 0.357 * 0.06 * 0.06).abs() < 1e-9);
}

#[test]
fn each_criterion_alone_holds_back_when_its_failure_is_planted() {
    type Plant = fn(u64, &mut Row);
    let plants: [(&str, Plant); 6] = [
        ("complexity", |_, row| row.facts.volatility = [0.5, 0.6, 0.0, 0.0]),
        ("maturity: skill in one of two domains is none", |_, row| {
            (row.error[1], row.sd[1]) = (4.0, 4.0 / 0.798)
        }),
        ("identity: an eighth departed", |cycle, row| {
            if cycle > 500 {
                row.facts.identity[1] = 1.0 - 0.12 * 4.5625_f64.sqrt();
            }
        }),
        ("a breach in each second check", |cycle, row| {
            row.breach = cycle % 20 == 5
        }),
        ("divergence: errors of 1.1 deviations", |_, row| row.sd = [1.4 / 1.1; 2]),
        ("a late cycle in each hundred", |cycle, row| {
            row.facts.late = cycle % 100 == 0
        }),
    ];
    for (criterion, (what, plant)) in plants.into_iter().enumerate() {
        let mut level = level();
        let floor = run(&mut level, 1500, plant);
        for (other, (count, needed)) in floor.sustained.iter().zip(NEEDED).enumerate() {
            assert_eq!(
                *count >= needed,
                other != criterion,
                "{what}: criterion {} has {count}",
                other + 1
            );
        }
    }
}

#[test]
fn stabilization_and_skipped_cycles_count_as_degradation() {
    let mut level = level();
    run(&mut level, 300, |cycle, row| row.facts.stabilizing = cycle == 295);
    assert_eq!(level.state.sustained.counts()[5], 5);
    level.step(&report((302..=311).map(calm)));
    assert_eq!(level.state.sustained.counts()[5], 9, "301 was skipped");
}

#[test]
fn lost_cycles_start_every_count_anew() {
    let mut level = level();
    run(&mut level, 1000, |_, _| {});
    let mut slow = report((1101..=1110).map(calm));
    slow.dropped_cycles = 100;
    let floor = level.step(&slow);
    assert_eq!(floor.sustained, [10, 10, 10, 1, 10, 9]);
}

#[test]
fn merged_reports_say_the_same_as_single_ones() {
    let mut single = level();
    let mut merged = level();
    let one = run(&mut single, 900, |cycle, row| row.breach = cycle == 895);
    let mut other = FloorReport::default();
    for first in (1..=900_u64).step_by(90) {
        other = merged.step(&report((first..first + 90).map(|cycle| Row {
            breach: cycle == 895,
            ..calm(cycle)
        })));
    }
    assert_eq!(other.lyapunov.len(), 90);
    assert_eq!(other.lyapunov[80..], one.lyapunov);
    assert_eq!(other.states[80..], one.states);
    assert_eq!(one.states.last(), Some(&one.x));
    assert_eq!(
        FloorReport {
            lyapunov: vec![],
            states: vec![],
            ..other
        },
        FloorReport {
            lyapunov: vec![],
            states: vec![],
            ..one
        }
    );
    assert_eq!(single.snapshot(), merged.snapshot());
}

#[test]
fn what_happened_in_any_cycle_of_a_report_is_told() {
    let mut level = level();
    run(&mut level, 500, |_, _| {});
    let rows = (501..=530).map(|cycle| {
        let mut row = calm(cycle);
        row.breach = cycle == 503;
        row.facts.self_reference_depth = if cycle == 505 { 2 } else { 0 };
        row
    });
    let floor = level.step(&report(rows));
    assert!(!floor.contained);
    assert_eq!((floor.guard.rod, floor.guard_stage), (2, 1));
    assert_eq!(floor.guard.gsrs, None, "absent, not 0");
    assert!(floor.guard.ifi.is_some_and(|ifi| ifi < 1e-9));
    let floor = level.step(&report((531..=540).map(calm)));
    assert!(floor.contained && floor.guard.rod == 0);
}

/// An alternating world whose agent has these goals in every report.
fn with_goals(level: &mut Level45, cycles: std::ops::RangeInclusive<u64>, goals: &[GoalRecord]) -> FloorReport {
    let mut floor = FloorReport::default();
    for first in cycles.step_by(REPORT_CYCLES) {
        let mut report = report((first..first + REPORT_CYCLES as u64).map(calm));
        report.goals.open = goals.to_vec();
        floor = level.step(&report);
    }
    floor
}

#[test]
fn g_is_pcs_once_the_agent_has_goals_and_no_goal_that_comes_or_goes_is_a_runaway() {
    let mut level = level();
    assert_eq!(run(&mut level, 900, |_, _| {}).x[1], 1.0);
    let user = goal(1, Origin::User, vec![TaskAction::SampleFaster { group: 0 }]);
    for turn in 0..6_u64 {
        let goals = if turn % 2 == 0 {
            std::slice::from_ref(&user)
        } else {
            &[]
        };
        let floor = with_goals(&mut level, 901 + 100 * turn..=1_000 + 100 * turn, goals);
        let pcs = if goals.is_empty() { 1.0 } else { 1.4 / 1.8 };
        assert!((floor.x[1] - pcs).abs() < 1e-9, "{:?}", floor.x);
        assert_eq!(floor.purpose.pcs.is_some(), !goals.is_empty());
        assert_eq!(floor.rho_state, RhoState::Stable);
        assert!((floor.lyapunov[9] - 0.357 * 0.06 * 0.06).abs() < 1e-9, "G is not in V");
        assert_eq!(floor.guard.gsrs, (!goals.is_empty()).then_some(0.0));
    }
}

#[test]
fn an_agent_whose_goals_are_all_about_itself_warns_the_guard() {
    let mut own = goal(1, Origin::L49, vec![TaskAction::SampleFaster { group: 0 }]);
    Arc::make_mut(&mut own.spec).success = of(&[Quantity::Seof]);
    let mut level = level();
    run(&mut level, 300, |_, _| {});
    let floor = with_goals(&mut level, 301..=310, &[own]);
    assert_eq!(
        (floor.guard.gsrs, floor.guard_stage),
        (Some(0.5), Stage::Warning.as_byte())
    );
    assert!(!floor.structural_permitted);
}

#[test]
fn it_is_projected_every_hundred_cycles_and_far_every_thousand() {
    let mut level = level();
    let at = |floor: &FloorReport| {
        let horizons = floor.projection.paths[0].horizons;
        horizons.map(|outlook| outlook.map(|outlook| outlook.at_cycle))
    };
    assert_eq!(at(&run(&mut level, 90, |_, _| {})), [None; 3]);
    for (cycle, far) in [
        (100, 100),
        (190, 100),
        (200, 100),
        (1_090, 100),
        (1_100, 1_100),
        (2_090, 1_100),
    ] {
        let mut level = self::level();
        let floor = run(&mut level, cycle, |_, _| {});
        let near = cycle / 100 * 100;
        assert_eq!(at(&floor), [Some(near), Some(near), Some(far)], "{cycle}");
        // It has no goals and nothing to find: to explore less is calmer, and all else is alike.
        assert_eq!(floor.posture, Posture::Conservative);
        assert!(floor.votes.posture.iter().all(Option::is_some) && floor.votes.structural.is_none());
        assert!(floor.projection.aggressive_open);
    }
}

#[test]
fn an_agent_that_is_not_certain_looks_half_as_far() {
    let mut level = level();
    let floor = run(&mut level, 1_000, |cycle, row| {
        if cycle > 900 {
            // Twice as wrong, and aware of it: variance, interval and gap are all at their worst, the divergence is not.
            (row.error, row.sd) = ([2.9; 2], [2.9 / 0.798; 2]);
        }
    });
    assert!(
        floor.horizons_halved && floor.divergence_band == DivergenceBand::Normal,
        "{floor:?}"
    );
    let [near, middle, far] = floor.projection.paths[0]
        .horizons
        .map(|outlook| outlook.map(|o| o.cycles));
    assert_eq!(
        (near, middle, far),
        (Some(25), Some(100), Some(1_000)),
        "the far one is of cycle 100"
    );
}

#[test]
fn while_the_divergence_is_frozen_nothing_is_projected_and_the_conservative_frame_decides() {
    let mut level = level();
    let floor = run(&mut level, 1_000, |cycle, row| {
        if cycle > 900 {
            row.sd = [0.5; 2];
        }
    });
    assert_eq!(floor.divergence_band, DivergenceBand::Frozen);
    assert!(floor.projection.frozen && floor.projection.paths.iter().all(|path| path.horizons == [None; 3]));
    assert_eq!((floor.posture, floor.votes.posture), (Posture::Conservative, [None; 2]));
}

#[test]
fn a_guard_that_warns_forbids_structural_change_until_two_hundred_clean_cycles() {
    let mut level = level();
    run(&mut level, 500, |_, _| {});
    let deep = |cycle| {
        let mut row = calm(cycle);
        row.facts.self_reference_depth = 3;
        row
    };
    assert!(!level.step(&report((501..=510).map(deep))).structural_permitted);
    assert_eq!(level.guard_stage(), Stage::Warning);
    for first in (511..=690).step_by(10) {
        assert!(!level.step(&report((first..first + 10).map(calm))).structural_permitted);
    }
    let floor = level.step(&report((701..=710).map(calm)));
    assert!(!floor.structural_permitted);
    assert!(level.step(&report((711..=720).map(calm))).structural_permitted);
}

#[test]
fn an_ethical_kernel_that_is_not_the_builds_is_told_and_permits_nothing() {
    let mut level = level().with_ethics(EthicalKernel::with_predicates(vec![]));
    let floor = run(&mut level, 300, |_, _| {});
    assert!(!floor.ethics_intact && !floor.structural_permitted);
}

#[test]
fn a_report_of_another_environment_is_blindness() {
    let mut level = level();
    run(&mut level, 500, |_, _| {});
    let mut floor = FloorReport::default();
    for first in (501..=600).step_by(10) {
        let mut other = report((first..first + 10).map(calm));
        other.dimensions = 3;
        floor = level.step(&other);
    }
    assert_eq!((floor.uncertainty, floor.divergence), (1.0, 1.0));
    assert_eq!((floor.divergence_band, floor.tier), (DivergenceBand::Frozen, 3));
    assert!(floor.horizons_halved && !floor.structural_permitted);
}

#[test]
fn an_empty_report_permits_nothing() {
    let floor = level().step(&CycleReport::default());
    assert!(!floor.structural_permitted);
    assert_eq!((floor.sustained, floor.lyapunov.len()), ([0; 6], 0));
}

#[test]
fn identity_warms_up_and_only_an_operator_takes_it_anew() {
    let mut level = level();
    assert_eq!(run(&mut level, 490, |_, _| {}).iis, None);
    assert!(level.step(&report((491..=500).map(calm))).iis.is_some());
    level.reset_identity_reference();
    let floor = level.step(&report((501..=510).map(calm)));
    assert_eq!((floor.iis, floor.sustained[2]), (None, 0));
}

#[test]
fn a_kept_floor_report_is_written_over_as_a_new_one() {
    let mut kept = FloorReport::default();
    let (mut one, mut other) = (level(), level());
    for first in (1..=400_u64).step_by(10) {
        let report = report((first..first + 10).map(|cycle| Row {
            breach: cycle % 70 == 3,
            ..calm(cycle)
        }));
        one.step_into(&report, &mut kept);
        assert_eq!(kept, other.step(&report));
    }
}

fn bytes(state: &Level45State) -> Vec<u8> {
    bincode::serde::encode_to_vec(state, bincode::config::standard()).expect("serialises")
}

#[test]
fn a_restored_level_is_the_same_to_the_byte_and_goes_on_alike() {
    let noisy = |cycle: u64, row: &mut Row| {
        row.error[0] = (cycle as f64 * 0.7).sin();
        row.facts.volatility[0] = 0.1 + 0.05 * (cycle as f64 * 0.3).sin();
        row.facts.identity[2] = 0.75 + 0.05 * (cycle as f64 * 0.1).sin();
    };
    for stop in [130, 770] {
        let mut level = level();
        run(&mut level, stop, noisy);
        let stored = bytes(&level.snapshot());
        let (state, read): (Level45State, usize) =
            bincode::serde::decode_from_slice(&stored, bincode::config::standard()).expect("reads back");
        assert_eq!(read, stored.len());
        let mut restored = Level45::restore(level.config.clone(), state).expect("valid");
        assert_eq!(bytes(&restored.snapshot()), stored);
        for first in (stop + 1..stop + 500).step_by(10) {
            let rows = (first..first + 10).map(|cycle| {
                let mut row = calm(cycle);
                noisy(cycle, &mut row);
                row
            });
            let report = report(rows);
            assert_eq!(level.step(&report), restored.step(&report));
        }
        assert_eq!(bytes(&level.snapshot()), bytes(&restored.snapshot()));
    }
}

#[test]
fn a_state_of_another_environment_or_a_damaged_one_is_refused() {
    let level = level();
    let other = Level45Config {
        groups: Arc::from([0]),
        seed: 1,
    };
    let refused = Level45::restore(other, level.snapshot())
        .expect_err("refused")
        .to_string();
    assert_eq!(
        refused,
        "the performance of the stored state is damaged or of another environment"
    );
    let mut damaged = level.snapshot();
    damaged.cycles_to_check = 0;
    let refused = Level45::restore(level.config.clone(), damaged).expect_err("refused");
    assert_eq!(refused, Level45Error::State { part: "check" });
    assert!(matches!(
        Level45::new(Level45Config {
            groups: Arc::from([]),
            seed: 1
        }),
        Err(Level45Error::Dimensions { found: 0 })
    ));
    assert!(matches!(
        Level45::new(Level45Config {
            groups: Arc::from([64]),
            seed: 1
        }),
        Err(Level45Error::Group { found: 64 })
    ));
}

fn share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_reported_what_leaves_is_finite_and_in_range(
        rows in prop::collection::vec((prop::array::uniform5(any::<f64>()), prop::array::uniform8(any::<f64>()), any::<[u16; 6]>()), 1..MAX_REPORT_CYCLES),
        short in 0..3_usize, cycle in any::<u64>(), flags in any::<[bool; 4]>(),
    ) {
        let mut level = level();
        run(&mut level, 600, |_, _| {});
        let mut report = CycleReport { dimensions: 2, groups: Arc::from(GROUPS), ..CycleReport::default() };
        for (identity, cells, counts) in rows {
            let [a, b, c, d, confidence, e, f, g] = cells;
            report.facts.push(CycleFacts {
                cycle, identity, volatility: [a, b, c, d], confidence, complexity: e, identity_error: f,
                environment_error: g, converged: flags[0], stabilizing: flags[1], late: flags[2],
                ethical_first_pass: flags[3], tasks: [counts[0], counts[1]], expansions: counts[2],
                strategy_decisions: counts[3], strategy_changes: counts[4], strategy_flips: counts[5],
                breaches: counts[0], self_reference_depth: counts[1] as u8, ..CycleFacts::default()
            });
            for column in [&mut report.observations, &mut report.forecasts] {
                column.extend([a, b]);
            }
            report.forecast_sd.extend([c, d]);
            report.forecast_half_width.extend([e, f]);
            report.resources = vec![Resource { level: a, consumption_per_cycle: b, utilisation: c }];
        }
        report.observations.truncate(report.observations.len() - short.min(report.observations.len()));
        let floor = level.step(&report);
        prop_assert!(floor.x.iter().all(|x| share(*x)), "{:?}", floor.x);
        for value in [floor.c_l4, floor.cdi, floor.uncertainty, floor.divergence, floor.seof_ensemble] {
            prop_assert!(share(value), "{floor:?}");
        }
        prop_assert!((-1.0..=1.0).contains(&floor.seof) && floor.seof_maturity.is_finite());
        prop_assert!(floor.iis.is_none_or(share) && floor.performance.is_none_or(share));
        prop_assert!(floor.rho.is_finite() && floor.lyapunov.iter().all(|v| v.is_finite()));
        prop_assert!(floor.guard.cas.is_none_or(f64::is_finite) && floor.tier <= 3 && floor.guard_stage <= 3);
        let restored = Level45::restore(level.config.clone(), level.snapshot());
        prop_assert!(restored.is_ok(), "{:?}", restored.err());
    }
}

#[test]
fn the_third_tier_forbids_structural_change_and_the_second_does_not() {
    // |I_ref| is the root of 4.5625; the departure of one component is the whole distance.
    let permitted = |departure: f64| {
        let floor = run(&mut level(), 1000, |cycle, row| {
            if cycle > 500 {
                row.facts.identity[1] = 1.0 - departure * 4.5625_f64.sqrt();
            }
        });
        (floor.tier, floor.structural_permitted)
    };
    assert_eq!(permitted(0.14), (2, true));
    assert_eq!(permitted(0.16), (3, false));
}

#[test]
fn a_refused_action_counts_against_ethics_for_200_cycles() {
    let ethics = |cycles: u64| {
        let floor = run(&mut level(), cycles, |cycle, row| {
            row.facts.ethical_first_pass = cycle != 150;
        });
        floor.x[4]
    };
    assert_eq!(ethics(340), 199.0 / 200.0);
    assert_eq!(ethics(350), 1.0);
}

#[test]
fn horizons_are_halved_at_an_uncertainty_of_0_705_and_not_at_0_695() {
    // Variance and width are more than twice what is usual and count 0.30 and 0.25; the error exceeds its usual size by
    // the given share, and no more than its deviation does, so that divergence stays 0.
    let at = |excess: f64| {
        let floor = run(&mut level(), 1050, |cycle, row| {
            if cycle > 1000 {
                row.error = [1.4 * (1.0 + excess); 2];
                row.sd = [2.5 * 1.4 / 0.798; 2];
            }
        });
        (floor.uncertainty, floor.horizons_halved)
    };
    let (uncertainty, halved) = at(0.58);
    assert!((uncertainty - 0.695).abs() < 1e-6 && !halved, "{uncertainty}");
    let (uncertainty, halved) = at(0.62);
    assert!((uncertainty - 0.705).abs() < 1e-6 && halved, "{uncertainty}");
}

#[test]
fn while_degraded_no_structure_changes_and_nothing_is_projected_beyond_fifty_cycles() {
    let mut level = level();
    let ahead = |floor: &FloorReport| floor.projection.paths.map(|path| path.horizons.map(|h| h.is_some()));
    let floor = run(&mut level, 1_000, |_, _| {});
    assert_eq!(ahead(&floor), [[true; 3]; 3]);
    let goes_on = |level: &mut Level45, from: u64| {
        let mut floor = FloorReport::default();
        for first in (from..from + 1_000).step_by(10) {
            floor = level.step(&report((first..first + 10).map(calm)));
        }
        floor
    };
    level.constrain(true);
    let first = level.step(&report((1_001..=1_010).map(calm)));
    assert_eq!(
        (ahead(&first), first.structural_permitted),
        ([[true, false, false]; 3], false)
    );
    let floor = goes_on(&mut level, 1_011);
    assert_eq!(
        (ahead(&floor), floor.structural_permitted),
        ([[true, false, false]; 3], false)
    );
    level.constrain(false);
    let floor = goes_on(&mut level, 2_011);
    assert_eq!((ahead(&floor), floor.structural_permitted), ([[true; 3]; 3], true));
}
