use super::dynamics::{HORIZON_CYCLES, MAX_SURPRISE};
use super::measures::{SeofTerms, diversity, lyapunov, seof};
use super::world::World;
use super::*;
use crate::budget::{Budget, Unlimited};
use crate::l45::jacobian::{Jacobian, SpectralReading};
use crate::report::RhoState;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rungs_types::Invariant;

const HOME: [f64; 5] = [0.9, 0.8, 0.95, 0.2, 0.9];

fn rng(seed: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(seed)
}

/// Calibrated AR(1) dimensions: phi 0.9, long-run variance 1, noise variance 0.1.
#[derive(Clone, Copy)]
pub(super) struct Calm {
    dimensions: usize,
    pub(super) law: DimensionLaw,
}

const LAW: DimensionLaw = DimensionLaw {
    phi: 0.9,
    mean: 0.0,
    innovation_sd: 0.435_889_894_354_067_4, // sqrt(0.19)
    noise_sd: 0.316_227_766_016_837_94,     // sqrt(0.1)
    belief_mean: 0.0,
    belief_variance: 0.07,
    error_ratio: 1.0,
    interval_cycles: Some(1),
    unseen_cycles: 0,
    domain: 0,
};

impl Calm {
    pub(super) fn of(dimensions: usize) -> Self {
        Self { dimensions, law: LAW }
    }
}

impl Trajectories for Calm {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn law(&self, _: usize) -> DimensionLaw {
        self.law
    }

    fn draw_start(&self, _: usize, rng: &mut Pcg64Mcg) -> f64 {
        self.law.belief_mean + self.law.belief_variance.sqrt() * rng.sample::<f64, _>(StandardNormal)
    }
}

pub(super) fn state() -> DecisionState {
    let mut state = DecisionState {
        x: HOME,
        ..DecisionState::default()
    };
    state.domains[0] = Some(Domain {
        performance: 0.7,
        usual: 0.7,
        sensitivity: 0.8,
    });
    state
}

/// X relaxes by 0.8 in each component and nothing else happens.
pub(super) fn relaxation() -> Dynamics {
    let mut dynamics = Dynamics {
        rest: HOME,
        rho: 0.8,
        ..Dynamics::default()
    };
    for c in 0..5 {
        dynamics.jacobian[c][c] = 0.8;
    }
    dynamics
}

pub(super) fn run(
    state: &DecisionState,
    dynamics: &Dynamics,
    source: &impl Trajectories,
    cycles: u32,
) -> LookaheadReport {
    let mut rollout = Rollout::start(state, dynamics, source, rng(1)).unwrap();
    rollout.advance(cycles, &Unlimited).unwrap();
    rollout.report()
}

#[test]
fn a_state_at_home_in_a_calm_world_stays_there() {
    let report = run(&state(), &relaxation(), &Calm::of(0), 200);
    assert!((report.max_c_l4 - 0.1).abs() < 1e-12);
    assert!((report.min_iis - 0.95).abs() < 1e-12);
    // 0.25 * 0 + 0.25 * (1 - 0) + 0.20 * 0 + 0.20 * 0.95 - 0
    assert!((report.seof_first - 0.44).abs() < 1e-12 && (report.seof_last - 0.44).abs() < 1e-12);
    assert_eq!((report.goal_completion, report.cascade_depth), (None, 0));
    assert!(report.broken.is_empty());
}

#[test]
fn x_relaxes_by_its_jacobian() {
    let mut away = state();
    away.x[2] = 0.7; // identity: 0.25 from home
    let mut rollout = Rollout::start(&away, &relaxation(), &Calm::of(0), rng(1)).unwrap();
    rollout.advance(10, &Unlimited).unwrap();
    let report = rollout.report();
    assert_eq!(report.min_iis, 0.7);
    assert!(report.broken.contains(Invariant::Identity));
    // SEOF last: 0.25 + 0.20 (0.95 - 0.25 * 0.8^10).
    let integrity = 0.95 - 0.25 * 0.8_f64.powi(10);
    assert!((report.seof_last - (0.25 + 0.20 * integrity)).abs() < 1e-12);
}

#[test]
fn growth_fades_as_its_window_empties_and_complexity_with_it() {
    let mut growing = state();
    growing.growth_complexity = 0.2;
    growing.x[0] = 0.7; // 0.9 without growth: at home
    let mut rollout = Rollout::start(&growing, &relaxation(), &Calm::of(0), rng(1)).unwrap();
    let mut lagged = 0.3;
    for cycle in 1..=200 {
        rollout.advance(1, &Unlimited).unwrap();
        let c_l4 = 0.1 + 0.2 * (1.0 - f64::from(cycle) / 200.0);
        lagged += (c_l4 - lagged) / 100.0;
        let expected = 0.25 * (1.0 - (c_l4 - lagged)) + 0.20 * 0.95;
        assert!((rollout.report().seof_last - expected).abs() < 1e-12);
    }
    assert!((rollout.report().max_c_l4 - 0.3).abs() < 1e-12);
}

#[test]
fn surprise_moves_x_by_its_response() {
    // Errors twice as large as the law expects, and usual surprise 0: s is 1 on average.
    let mut world = Calm::of(32);
    world.law.error_ratio = 2.0;
    let mut dynamics = relaxation();
    dynamics.response[3] = 0.05;
    // At rest U departs by 0.05 * 1 / (1 - 0.8) = 0.25 from 0.2 on average; |z| is cut off at 5, which costs little.
    let mut rollout = Rollout::start(&state(), &dynamics, &world, rng(3)).unwrap();
    rollout.advance(100, &Unlimited).unwrap();
    let top = rollout.report().max_uncertainty;
    assert!((0.40..0.60).contains(&top), "found {top}");
    dynamics.usual_surprise = 1.0;
    let same = run(&state(), &dynamics, &world, 100);
    assert!(
        same.max_uncertainty < 0.32,
        "usual surprise is no push: found {}",
        same.max_uncertainty
    );
}

#[test]
fn a_calibrated_agent_is_not_surprised_on_average() {
    let mut generator = rng(5);
    let mut world = World::draw(&Calm::of(8), 1.0, &mut generator).unwrap();
    let (mut sum, mut squares, cycles) = (0.0, 0.0, 20_000);
    for _ in 0..cycles {
        let seen = world.step(&mut generator);
        let surprise = seen.surprise.unwrap();
        assert_eq!(seen.by_domain[0], Some(surprise));
        sum += surprise;
        squares += surprise * surprise;
        assert_eq!(seen.blind_share, 0.0);
    }
    // Mean 0; variance of |z| / 0.798 over 8: (1 / 0.6366 - 1) / 8 = 0.0713. Standard error of the mean 0.0019.
    assert!((sum / f64::from(cycles)).abs() < 0.01);
    assert!((squares / f64::from(cycles) - 0.0713).abs() < 0.004);
}

#[test]
fn posterior_variance_is_that_of_the_kalman_filter() {
    // The fixed point of p = (0.81 p + 0.19) 0.1 / (0.81 p + 0.29): 0.81 p² + 0.209 p - 0.019 = 0.
    let expected = (-0.209 + (0.209_f64 * 0.209 + 4.0 * 0.81 * 0.019).sqrt()) / 1.62;
    let mut generator = rng(5);
    let mut world = World::draw(&Calm::of(3), 1.0, &mut generator).unwrap();
    let seen = (0..200).map(|_| world.step(&mut generator)).last().unwrap();
    assert!(
        (seen.eu - expected).abs() < 1e-9,
        "found {}, expected {expected}",
        seen.eu
    );
}

#[test]
fn a_sensor_is_seen_at_its_interval() {
    let mut slow = Calm::of(1);
    slow.law.interval_cycles = Some(4);
    slow.law.unseen_cycles = 1;
    let mut generator = rng(5);
    let mut world = World::draw(&slow, 1.0, &mut generator).unwrap();
    let seen: Vec<bool> = (0..12).map(|_| world.step(&mut generator).surprise.is_some()).collect();
    assert_eq!(
        seen,
        [3, 7, 11].iter().fold(vec![false; 12], |mut all, i| {
            all[i - 1] = true;
            all
        })
    );
}

#[test]
fn a_blind_agent_does_not_look_certain() {
    let mut lost = Calm::of(4);
    lost.law.interval_cycles = None;
    let report = run(&state(), &relaxation(), &lost, 49);
    assert!((report.max_uncertainty - 0.2).abs() < 1e-12);
    let mut pending = state();
    pending.structural_pending = true;
    let report = run(&pending, &relaxation(), &lost, 50);
    assert_eq!(report.max_uncertainty, 1.0);
    assert!(report.broken.contains(Invariant::Uncertainty));
}

#[test]
fn a_goal_completes_at_its_rate_and_costs_until_then() {
    let mut working = state();
    working.resources[0] = Some(ResourceState {
        level: 100.0,
        base_per_cycle: 0.5,
        warning_level: 10.0,
    });
    let mut cost_per_cycle = [0.0; MAX_RESOURCES];
    cost_per_cycle[0] = 2.0;
    working.goals[0] = Some(Goal {
        progress: 0.75,
        rate_per_cycle: 0.03125,
        cost_per_cycle,
        domain: 0,
        depends_on: 0,
    });
    let report = run(&working, &relaxation(), &Calm::of(0), 20);
    // Eight cycles to completion: 8 * 2 + 20 * 0.5.
    assert_eq!(report.goal_completion, Some(1.0));
    assert!((report.spent[0] - 26.0).abs() < 1e-9);
    assert_eq!(report.cascade_depth, 0);
}

#[test]
fn a_resource_that_runs_out_takes_its_goals_and_theirs_with_it() {
    let mut chain = state();
    chain.resources[1] = Some(ResourceState {
        level: 20.0,
        base_per_cycle: 1.0,
        warning_level: 5.0,
    });
    let mut cost_per_cycle = [0.0; MAX_RESOURCES];
    cost_per_cycle[1] = 1.0;
    let goal = Goal {
        rate_per_cycle: 0.01,
        domain: 0,
        ..Goal::default()
    };
    chain.goals[0] = Some(Goal { cost_per_cycle, ..goal });
    chain.goals[1] = Some(Goal {
        depends_on: 0b001,
        ..goal
    });
    chain.goals[2] = Some(Goal {
        depends_on: 0b010,
        ..goal
    });
    chain.goals[3] = Some(goal);
    let report = run(&chain, &relaxation(), &Calm::of(0), 200);
    assert!((report.spent[1] - 20.0).abs() < 1e-9);
    assert_eq!(report.goal_completion, Some(0.25)); // the one that needs nothing
    assert_eq!(report.cascade_depth, 4); // resource, goal 0, goal 1, goal 2
    let early = run(&chain, &relaxation(), &Calm::of(0), 5);
    assert_eq!(early.cascade_depth, 0);
}

#[test]
fn a_dependent_goal_waits_for_the_one_before() {
    let mut chain = state();
    let goal = Goal {
        rate_per_cycle: 0.125,
        domain: 0,
        ..Goal::default()
    };
    chain.goals[0] = Some(goal);
    chain.goals[1] = Some(Goal {
        depends_on: 0b1,
        ..goal
    });
    assert_eq!(run(&chain, &relaxation(), &Calm::of(0), 8).goal_completion, Some(0.5));
    assert_eq!(run(&chain, &relaxation(), &Calm::of(0), 15).goal_completion, Some(0.5));
    assert_eq!(run(&chain, &relaxation(), &Calm::of(0), 16).goal_completion, Some(1.0));
}

#[test]
fn a_circle_of_goals_never_completes_and_ends_the_report() {
    let mut circle = state();
    circle.resources[0] = Some(ResourceState {
        level: 1.0,
        base_per_cycle: 1.0,
        warning_level: 0.5,
    });
    let mut cost_per_cycle = [0.0; MAX_RESOURCES];
    cost_per_cycle[0] = 1.0;
    let goal = Goal {
        rate_per_cycle: 0.5,
        cost_per_cycle,
        domain: 0,
        ..Goal::default()
    };
    circle.goals[0] = Some(Goal {
        depends_on: 0b10,
        ..goal
    });
    circle.goals[1] = Some(Goal {
        depends_on: 0b01,
        ..goal
    });
    let report = run(&circle, &relaxation(), &Calm::of(0), 10);
    assert_eq!(
        (report.goal_completion, report.cascade_depth),
        (Some(0.0), MAX_GOALS as u8 + 1)
    );
}

#[test]
fn a_runaway_law_breaks_invariants_and_stays_finite() {
    let mut dynamics = relaxation();
    dynamics.jacobian[3][3] = 1.2;
    dynamics.jacobian[0][3] = -0.5;
    dynamics.noise_sd[3] = 0.01;
    dynamics.rho = 1.2;
    let report = run(&state(), &dynamics, &Calm::of(4), 1_000);
    assert!(report.broken.contains(Invariant::Spectral));
    assert_eq!(report.max_rho, 1.2);
    assert!((0.0..=1.0).contains(&report.max_c_l4) && report.seof_last.is_finite());
}

#[test]
fn a_rising_lyapunov_function_is_counted_and_a_noisy_one_is_not() {
    // U climbs from 0.2 to 1 by 0.01 a cycle: V = 0.286 U² passes 0.10 at U = 0.6, and its mean rises by more than 0.01.
    let mut climbing = relaxation();
    climbing.jacobian[3] = [0.0; 5];
    climbing.jacobian[3][3] = 0.99;
    climbing.rest[3] = 1.0;
    assert!(
        run(&state(), &climbing, &Calm::of(0), 200)
            .broken
            .contains(Invariant::Lyapunov)
    );
    let mut noisy = relaxation();
    noisy.noise_sd = [0.02; 5];
    assert!(
        !run(&state(), &noisy, &Calm::of(0), 1_000)
            .broken
            .contains(Invariant::Lyapunov)
    );
}

#[test]
fn the_same_inputs_give_the_same_report_and_the_live_state_is_untouched() {
    let (live, dynamics, world) = (state(), relaxation(), Calm::of(8));
    let before = decision_state_hash(&live);
    let first = run(&live, &dynamics, &world, 300);
    assert_eq!(first, run(&live, &dynamics, &world, 300));
    assert_eq!(decision_state_hash(&live), before);
    let mut in_parts = Rollout::start(&live, &dynamics, &world, rng(1)).unwrap();
    for cycles in [50, 150, 100] {
        in_parts.advance(cycles, &Unlimited).unwrap();
    }
    assert_eq!(in_parts.report(), first);
}

#[test]
fn the_hash_sees_every_field() {
    let mut full = state();
    full.resources[0] = Some(ResourceState {
        level: 1.0,
        base_per_cycle: 1.0,
        warning_level: 0.5,
    });
    full.goals[0] = Some(Goal::default());
    let changes: [fn(&mut DecisionState); 19] = [
        |s| s.x[4] = 0.5,
        |s| s.growth_complexity = 0.1,
        |s| s.trends[1] = 0.1,
        |s| s.oscillation = 0.1,
        |s| s.domains[1] = Some(Domain::default()),
        |s| {
            s.domains[0] = Some(Domain {
                performance: 0.1,
                ..s.domains[0].unwrap()
            })
        },
        |s| {
            s.domains[0] = Some(Domain {
                usual: 0.1,
                ..s.domains[0].unwrap()
            })
        },
        |s| {
            s.domains[0] = Some(Domain {
                sensitivity: 0.1,
                ..s.domains[0].unwrap()
            })
        },
        |s| s.resources[7] = Some(ResourceState::default()),
        |s| {
            s.resources[0] = Some(ResourceState {
                level: 0.1,
                ..s.resources[0].unwrap()
            })
        },
        |s| {
            s.resources[0] = Some(ResourceState {
                base_per_cycle: 0.1,
                ..s.resources[0].unwrap()
            })
        },
        |s| {
            s.resources[0] = Some(ResourceState {
                warning_level: 0.1,
                ..s.resources[0].unwrap()
            })
        },
        |s| s.goals[0] = None,
        |s| {
            s.goals[0] = Some(Goal {
                progress: 0.1,
                ..Goal::default()
            })
        },
        |s| {
            s.goals[0] = Some(Goal {
                rate_per_cycle: 0.1,
                ..Goal::default()
            })
        },
        |s| {
            s.goals[0] = Some(Goal {
                cost_per_cycle: [0.1; MAX_RESOURCES],
                ..Goal::default()
            })
        },
        |s| {
            s.goals[0] = Some(Goal {
                domain: 1,
                ..Goal::default()
            })
        },
        |s| {
            s.goals[0] = Some(Goal {
                depends_on: 1,
                ..Goal::default()
            })
        },
        |s| s.structural_pending = true,
    ];
    let mut hashes = vec![decision_state_hash(&full)];
    for change in changes {
        let mut changed = full;
        change(&mut changed);
        hashes.push(decision_state_hash(&changed));
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), changes.len() + 1);
}

#[test]
fn what_is_out_of_range_is_refused() {
    let start = |state: &DecisionState, dynamics: &Dynamics, source: &Calm| {
        Rollout::start(state, dynamics, source, rng(1)).map(|_| ()).unwrap_err()
    };
    let (good, law, world) = (state(), relaxation(), Calm::of(1));
    let mut bad = good;
    bad.x[0] = f64::NAN;
    assert_eq!(start(&bad, &law, &world), LookaheadError::Range { what: "level of X" });
    bad = good;
    bad.goals[2] = Some(Goal {
        domain: 3,
        ..Goal::default()
    });
    assert_eq!(
        start(&bad, &law, &world),
        LookaheadError::Index {
            what: "domain",
            found: 3
        }
    );
    bad.goals[2] = Some(Goal {
        depends_on: 0b10,
        ..Goal::default()
    });
    assert_eq!(
        start(&bad, &law, &world),
        LookaheadError::Index { what: "goal", found: 1 }
    );
    let mut infinite = law;
    infinite.jacobian[1][1] = f64::INFINITY;
    assert_eq!(
        start(&good, &infinite, &world),
        LookaheadError::Range { what: "Jacobian" }
    );
    for (usual_surprise, is_fine) in [(6.0, true), (6.05, false), (-1.0, true), (-1.05, false)] {
        let law = Dynamics { usual_surprise, ..law };
        assert_eq!(
            Rollout::start(&good, &law, &world, rng(1)).is_ok(),
            is_fine,
            "{usual_surprise}"
        );
    }
    let mut wild = world;
    wild.law.phi = 1.01;
    assert_eq!(start(&good, &law, &wild), LookaheadError::Range { what: "persistence" });
    wild = world;
    wild.law.interval_cycles = Some(0);
    assert_eq!(
        start(&good, &law, &wild),
        LookaheadError::Range {
            what: "sampling interval"
        }
    );
    assert_eq!(
        start(&good, &law, &Calm::of(65)),
        LookaheadError::Dimensions { found: 65 }
    );
    let mut rollout = Rollout::start(&good, &law, &world, rng(1)).unwrap();
    let found = MAX_CYCLES + 1;
    let expected = LookaheadError::Count {
        what: "cycles",
        found,
        most: MAX_CYCLES,
    };
    assert_eq!(rollout.advance(found, &Unlimited), Err(expected));
}

#[test]
fn a_rollout_whose_time_is_over_stops() {
    struct Over;
    impl Budget for Over {
        fn exceeded(&self) -> bool {
            true
        }
    }
    let mut rollout = Rollout::start(&state(), &relaxation(), &Calm::of(1), rng(1)).unwrap();
    assert_eq!(
        rollout.advance(10, &Over),
        Err(LookaheadError::Budget(crate::budget::BudgetExceeded))
    );
}

#[test]
fn a_projection_has_three_horizons_with_falling_confidence() {
    let found = project(&state(), &relaxation(), &Calm::of(4), 3, false, &mut rng(9), &Unlimited).unwrap();
    let horizons = found.horizons.map(Option::unwrap);
    assert_eq!(horizons.map(|h| h.cycles), HORIZONS);
    for (horizon, confidence) in horizons.iter().zip([0.975_309_912, 0.904_837_418, 0.606_530_660]) {
        assert!((horizon.confidence - confidence).abs() < 1e-9);
        // At rest: trend 0, C_L4 0.1, IIS 0.95, one domain.
        assert!(
            (horizon.score - (0.30 * 0.9 + 0.20 * 0.95)).abs() < 0.01,
            "found {}",
            horizon.score
        );
    }
    let halved = project(&state(), &relaxation(), &Calm::of(4), 1, true, &mut rng(9), &Unlimited).unwrap();
    assert_eq!(halved.horizons.map(|h| h.unwrap().cycles), [25, 100, 500]);
    let none = project(&state(), &relaxation(), &Calm::of(4), 0, false, &mut rng(9), &Unlimited);
    assert!(matches!(
        none,
        Err(LookaheadError::Count {
            what: "trajectories",
            ..
        })
    ));
}

#[test]
fn the_tactical_alarm_freezes_the_longer_horizons() {
    let mut sinking = relaxation();
    sinking.rest[0] = 0.1;
    let found = project(&state(), &sinking, &Calm::of(1), 2, false, &mut rng(9), &Unlimited).unwrap();
    assert!(found.tactical_alarm);
    assert!(found.horizons[0].is_some() && found.horizons[1].is_none() && found.horizons[2].is_none());
}

#[test]
fn pooled_reports_average_values_and_keep_the_worst_risk() {
    let first = run(&state(), &relaxation(), &Calm::of(0), 10);
    let mut second = first;
    second.seof_last = first.seof_last + 0.2;
    second.min_iis = 0.5;
    second.max_c_l4 = 0.9;
    second.broken.insert(Invariant::Identity);
    let mut pool = ReportPool::default();
    assert_eq!(pool.report(), None);
    pool.add(&first);
    pool.add(&second);
    let pooled = pool.report().unwrap();
    assert!((pooled.seof_last - first.seof_last - 0.1).abs() < 1e-12);
    assert_eq!((pooled.min_iis, pooled.max_c_l4), (0.5, 0.9));
    assert_eq!(pooled.broken.iter().collect::<Vec<_>>(), [Invariant::Identity]);
}

#[test]
fn measures_are_those_of_their_definitions() {
    assert_eq!(diversity([0.5].into_iter()), 0.0);
    assert!((diversity([0.5, 0.5].into_iter()) - 1.0).abs() < 1e-12);
    // p = (1/4, 3/4): (0.25 ln 4 + 0.75 ln(4/3)) / ln 2
    assert!((diversity([0.2, 0.6].into_iter()) - 0.811_278_124_459_132_9).abs() < 1e-12);
    assert_eq!(diversity([0.0, 0.0].into_iter()), 0.0);
    let terms = SeofTerms {
        performance_trend: 0.4,
        complexity_trend: -0.2,
        diversity: 0.5,
        integrity: 0.9,
        oscillation: 0.3,
    };
    assert!((seof(&terms) - (0.1 + 0.3 + 0.1 + 0.18 - 0.03)).abs() < 1e-12);
    assert!((lyapunov(&[0.9, 0.3, 0.8, 0.5, 0.7]) - (0.00357 + 0.0715 + 0.00856 + 0.01287)).abs() < 1e-12);
}

const STABLE: SpectralReading = SpectralReading {
    rho: 0.8,
    state: RhoState::Stable,
};

/// X of an agent with a known law for `cycles`; the model that has watched it.
fn watched(truth: &Dynamics, cycles: u32) -> SelfModel {
    let mut generator = rng(11);
    let mut model = SelfModel::default();
    let mut x = truth.rest;
    for _ in 0..cycles {
        let surprise: f64 = 0.3 * generator.sample::<f64, _>(StandardNormal) + truth.usual_surprise;
        let departure: [f64; 5] = std::array::from_fn(|c| x[c] - truth.rest[c]);
        x = std::array::from_fn(|c| {
            let pull: f64 = truth.jacobian[c].iter().zip(&departure).map(|(j, d)| j * d).sum();
            let noise = truth.noise_sd[c] * generator.sample::<f64, _>(StandardNormal);
            let push = truth.response[c] * (surprise - truth.usual_surprise);
            (truth.rest[c] + pull + push + noise).clamp(0.0, 1.0)
        });
        model.observe(x, 0.0, Some(surprise));
    }
    model
}

#[test]
fn the_law_of_an_agent_is_learned_from_its_cycles() {
    let mut truth = relaxation();
    truth.rest = [0.7, 0.6, 0.7, 0.3, 0.7];
    truth.jacobian[0][3] = -0.2;
    truth.response = [-0.05, 0.0, -0.02, 0.15, 0.01];
    truth.noise_sd = [0.02; 5];
    truth.usual_surprise = 0.1;
    let learned = watched(&truth, 2_000).dynamics(STABLE, None).unwrap();
    for row in 0..5 {
        assert!(
            (learned.rest[row] - truth.rest[row]).abs() < 0.05,
            "rest {row}: {}",
            learned.rest[row]
        );
        assert!(
            (learned.response[row] - truth.response[row]).abs() < 0.02,
            "response {row}: {}",
            learned.response[row]
        );
        assert!(
            (learned.noise_sd[row] - 0.02).abs() < 0.005,
            "noise {row}: {}",
            learned.noise_sd[row]
        );
        for column in 0..5 {
            let error = (learned.jacobian[row][column] - truth.jacobian[row][column]).abs();
            assert!(error < 0.25, "J[{row}][{column}]: {}", learned.jacobian[row][column]);
        }
    }
    assert!((learned.usual_surprise - 0.1).abs() < 0.08);
    assert_eq!(learned.rho, 0.8);
}

#[test]
fn there_is_no_law_before_fifty_cycles() {
    let truth = relaxation();
    assert_eq!(watched(&truth, 49).dynamics(STABLE, None), None);
    assert!(watched(&truth, 50).dynamics(STABLE, None).is_some());
}

#[test]
fn a_law_is_stable_unless_the_detector_has_evidence() {
    let mut truth = relaxation();
    truth.noise_sd = [0.01; 5];
    truth.jacobian[3][3] = 0.999;
    let model = watched(&truth, 400);
    let runaway = Jacobian::from_diagonal_element(1.1);
    let stable = model.dynamics(STABLE, Some(runaway)).unwrap();
    assert!(stable.jacobian[3][3] < 0.98);
    let warned = model
        .dynamics(
            SpectralReading {
                rho: 1.1,
                state: RhoState::Violation,
            },
            Some(runaway),
        )
        .unwrap();
    assert_eq!((warned.jacobian[3][3], warned.rho), (1.1, 1.1));
}

#[test]
fn a_restored_self_model_goes_on_as_the_one_that_was_stored() {
    let model = watched(&relaxation(), HORIZON_CYCLES);
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(&model, config).unwrap();
    let (restored, _): (SelfModel, _) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
    assert_eq!(restored, model);
}

#[test]
fn the_projected_mean_and_spread_are_those_of_the_law() {
    // One component with phi 0.9, noise 0.01: after 50 cycles the departure 0.1 is 0.1 * 0.9^50 = 0.0005, the standard
    // deviation 0.01 / sqrt(1 - 0.81) = 0.0229.
    let mut dynamics = relaxation();
    dynamics.jacobian[2][2] = 0.9;
    dynamics.noise_sd[2] = 0.01;
    dynamics.rest[2] = 0.5;
    let mut away = state();
    away.x[2] = 0.6;
    let ends: Vec<f64> = (0..2_000)
        .map(|seed| {
            let mut rollout = Rollout::start(&away, &dynamics, &Calm::of(0), rng(seed)).unwrap();
            rollout.advance(50, &Unlimited).unwrap();
            // SEOF = 0.25 + 0.20 I while P and C_L4 rest.
            (rollout.report().seof_last - 0.25) / 0.20
        })
        .collect();
    let mean = ends.iter().sum::<f64>() / 2_000.0;
    let sd = (ends.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 2_000.0).sqrt();
    assert!((mean - 0.5005).abs() < 0.002, "mean {mean}");
    assert!((sd - 0.0229).abs() < 0.0015, "sd {sd}");
}

proptest! {
    #[test]
    fn whatever_a_self_model_sees_its_law_is_finite(
        cycles in prop::collection::vec((any::<[f64; 5]>(), any::<f64>(), prop::option::of(any::<f64>())), 0..200),
    ) {
        let mut model = SelfModel::default();
        for (x, growth, surprise) in cycles {
            model.observe(x, growth, surprise);
            model.observe(x.map(|v| v.rem_euclid(1.0)), 0.0, surprise.map(|s| s.rem_euclid(MAX_SURPRISE)));
        }
        if let Some(dynamics) = model.dynamics(STABLE, None) {
            prop_assert!(dynamics.check().is_ok());
            let report = run(&state(), &dynamics, &Calm::of(2), 50);
            prop_assert!(report.seof_last.is_finite() && (0.0..=1.0).contains(&report.max_c_l4));
        }
    }
}
