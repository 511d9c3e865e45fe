use super::*;
use crate::budget::Unlimited;
use crate::lookahead::{
    DecisionState, DimensionLaw, Domain, Dynamics, Goal, LookaheadReport, MAX_RESOURCES, ResourceState, Rollout,
    Trajectories,
};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

/// No dimension, or one that moves as its law says.
struct Still {
    dimensions: usize,
}

impl Trajectories for Still {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn law(&self, _: usize) -> DimensionLaw {
        DimensionLaw {
            phi: 0.9,
            mean: 0.0,
            innovation_sd: 0.4,
            noise_sd: 0.3,
            belief_mean: 0.0,
            belief_variance: 0.1,
            error_ratio: 1.0,
            interval_cycles: Some(1),
            unseen_cycles: 0,
            domain: 0,
        }
    }

    fn draw_start(&self, _: usize, _: &mut Pcg64Mcg) -> f64 {
        0.0
    }
}

/// At home, P = 0.5, four goals of 100 cycles each that use one unit of a resource of 1,000 per cycle.
fn state() -> DecisionState {
    let mut state = DecisionState {
        x: [0.9, 1.0, 0.95, 0.1, 1.0],
        ..DecisionState::default()
    };
    state.domains[0] = Some(Domain::working(0.5, 0.5));
    state.resources[0] = Some(ResourceState {
        level: 1_000.0,
        base_per_cycle: 1.0,
        warning_level: 10.0,
    });
    let mut cost_per_cycle = [0.0; MAX_RESOURCES];
    cost_per_cycle[0] = 1.0;
    for goal in &mut state.goals[..4] {
        *goal = Some(Goal {
            rate_per_cycle: 1.0 / 128.0,
            cost_per_cycle,
            ..Goal::default()
        });
    }
    state
}

fn law() -> Dynamics {
    Dynamics {
        rest: state().x,
        rho: 0.5,
        ..Dynamics::default()
    }
}

fn run(course: &Course, cycles: u32) -> LookaheadReport {
    run_in(&Still { dimensions: 0 }, course, cycles)
}

fn run_in(world: &Still, course: &Course, cycles: u32) -> LookaheadReport {
    let mut rollout = Rollout::start_on(course, &state(), &law(), world, Pcg64Mcg::seed_from_u64(3)).unwrap();
    rollout.advance(cycles, &Unlimited).unwrap();
    rollout.report()
}

const TODAY: Course = Course::AS_TODAY;

#[test]
fn a_course_as_today_is_the_rollout_without_one() {
    let world = Still { dimensions: 8 };
    let mut plain = Rollout::start(&state(), &law(), &world, Pcg64Mcg::seed_from_u64(3)).unwrap();
    plain.advance(300, &Unlimited).unwrap();
    assert_eq!(run_in(&world, &TODAY, 300), plain.report());
}

#[test]
fn so_many_goals_move_at_once_as_the_course_lets() {
    let two = Course {
        parallel_goals: 2,
        ..TODAY
    };
    assert_eq!(run(&TODAY, 128).goal_completion, Some(1.0));
    assert_eq!(run(&two, 128).goal_completion, Some(0.5));
    assert_eq!(run(&two, 255).goal_completion, Some(0.5));
    assert_eq!(run(&two, 256).goal_completion, Some(1.0));
    // 128 cycles with two goals and what is used anyway: 3 each.
    assert!((run(&two, 128).spent[0] - 384.0).abs() < 1e-9);
}

#[test]
fn more_attempts_are_faster_by_what_they_bring_and_cost_as_much_more() {
    // P = 0.5: one attempt 0.5, two 0.75: half as fast again. 128 / 1.5 = 85.3 cycles.
    let stubborn = Course { attempts: 2, ..TODAY };
    assert!((stubborn.pace(0.5) - 1.5).abs() < 1e-12);
    assert_eq!(run(&stubborn, 85).goal_completion, Some(0.0));
    assert_eq!(run(&stubborn, 86).goal_completion, Some(1.0));
    assert!((run(&stubborn, 85).spent[0] - 85.0 * (1.0 + 4.0 * 1.5)).abs() < 1e-9);
    // Nothing is gained where every attempt comes out, and a domain that never does counts as one in twenty.
    assert_eq!(stubborn.pace(1.0), 1.0);
    assert!((stubborn.pace(0.0) - 1.95).abs() < 1e-12);
    let as_before = Course {
        attempts: 3,
        attempts_today: 3,
        ..TODAY
    };
    assert_eq!(as_before.pace(0.3), 1.0);
}

#[test]
fn from_the_risk_cap_on_no_goal_moves() {
    // C_L4 is 0.1 (1 - 0.9, to the last bit of it).
    let c_l4 = 1.0 - state().x[0];
    let at = |risk_cap| run(&Course { risk_cap, ..TODAY }, 200).goal_completion;
    assert_eq!(at(c_l4), Some(0.0));
    assert_eq!(at(c_l4 + 1e-9), Some(1.0));
}

#[test]
fn no_goal_takes_from_the_reserve() {
    let at = |reserve_share| run(&Course { reserve_share, ..TODAY }, 128);
    // Together 5 per cycle: 500 of 1,000 are left after 100 cycles, and then only the base is used.
    let half = at(0.5);
    assert_eq!(half.goal_completion, Some(0.0));
    assert!((half.spent[0] - (500.0 + 28.0)).abs() < 1e-9);
    // Of 1,000, 601 are left after 79.8 cycles at 5: in the 80th three goals of four find enough.
    let odd = run(
        &Course {
            reserve_share: 0.601,
            ..TODAY
        },
        80,
    );
    assert!((odd.spent[0] - 399.0).abs() < 1e-9, "{}", odd.spent[0]);
    assert_eq!(at(0.3).goal_completion, Some(1.0));
}

#[test]
fn exploring_costs_complexity_and_finds_performance() {
    let explore = |exploration| run(&Course { exploration, ..TODAY }, 200);
    // 0.15 * 0.2 when its window of 200 cycles is full.
    assert!((explore(0.2).max_c_l4 - (0.1 + 0.03)).abs() < 1e-12);
    assert!((explore(0.0).max_c_l4 - 0.1).abs() < 1e-12);
    // P goes to 0.5 + 0.5 * 0.2 * 0.5 = 0.55 with a lag of 100 cycles, so that SEOF gains its trend and loses C_L4's.
    let mut rollout = Rollout::start_on(
        &Course {
            exploration: 0.2,
            ..TODAY
        },
        &state(),
        &law(),
        &Still { dimensions: 0 },
        Pcg64Mcg::seed_from_u64(3),
    )
    .unwrap();
    let (mut performance, mut lagged, mut complexity) = (0.5, 0.5, 0.1);
    for cycle in 1..=200 {
        rollout.advance(1, &Unlimited).unwrap();
        performance += (0.55 - performance) / 100.0;
        lagged += (performance - lagged) / 100.0;
        let c_l4 = 0.1 + 0.03 * f64::from(cycle) / 200.0;
        complexity += (c_l4 - complexity) / 100.0;
        let expected = 0.25 * (performance - lagged) + 0.25 * (1.0 - (c_l4 - complexity)) + 0.20 * 0.95;
        assert!((rollout.report().seof_last - expected).abs() < 1e-12);
    }
}

#[test]
fn a_scenario_uses_up_more_and_surprises_more() {
    let thirsty = Course {
        consumption: 2.0,
        ..TODAY
    };
    assert!((run(&thirsty, 10).spent[0] - 100.0).abs() < 1e-9, "twice 5 per cycle");
    let mut dynamics = law();
    dynamics.response[3] = 0.05;
    let top = |spread| {
        let course = Course { spread, ..TODAY };
        let world = Still { dimensions: 16 };
        let rng = Pcg64Mcg::seed_from_u64(3);
        let mut rollout = Rollout::start_on(&course, &state(), &dynamics, &world, rng).unwrap();
        rollout.advance(200, &Unlimited).unwrap();
        rollout.report().max_uncertainty
    };
    assert!(top(3.0) > top(1.0) + 0.03, "{} {}", top(3.0), top(1.0));
}

#[test]
fn a_course_out_of_range_is_refused() {
    let refused = |course: Course| {
        let start = Rollout::start_on(
            &course,
            &state(),
            &law(),
            &Still { dimensions: 1 },
            Pcg64Mcg::seed_from_u64(1),
        );
        matches!(start, Err(LookaheadError::Range { .. }))
    };
    assert!(!refused(TODAY));
    assert!(refused(Course {
        parallel_goals: 0,
        ..TODAY
    }));
    assert!(refused(Course {
        expansion: 1.01,
        ..TODAY
    }));
    assert!(refused(Course {
        objective: [0.25, 0.25, 0.20, 0.20, f64::NAN],
        ..TODAY
    }));
    assert!(refused(Course { attempts: 0, ..TODAY }));
    assert!(refused(Course { attempts: 7, ..TODAY }));
    assert!(refused(Course {
        risk_cap: f64::NAN,
        ..TODAY
    }));
    assert!(refused(Course {
        reserve_share: 1.01,
        ..TODAY
    }));
    assert!(refused(Course {
        exploration: -1.01,
        ..TODAY
    }));
    assert!(refused(Course { spread: 10.01, ..TODAY }));
    assert!(refused(Course {
        consumption: -0.01,
        ..TODAY
    }));
}

#[test]
fn today_nothing_is_held_back_explored_or_scaled() {
    let today = Course::AS_TODAY;
    assert_eq!((today.attempts, today.attempts_today), (1, 1));
    assert_eq!(
        [today.risk_cap, today.reserve_share, today.exploration],
        [2.0, 0.0, 0.0]
    );
    assert_eq!([today.spread, today.consumption], [1.0, 1.0]);
}

#[test]
fn expansion_is_complexity_for_two_hundred_cycles_and_the_other_components_answer_to_it() {
    let world = Still { dimensions: 0 };
    let mut law = law();
    law.jacobian[2][0] = 0.5;
    let course = Course {
        expansion: 0.5,
        ..TODAY
    };
    let [s, _, iis, ..] = law.rest;
    let mut rollout = Rollout::start_on(&course, &state(), &law, &world, Pcg64Mcg::seed_from_u64(3)).unwrap();
    rollout.advance(200, &Unlimited).unwrap();
    let report = rollout.report();
    // 0.20 of a half, and half of that in the identity.
    assert!((report.max_c_l4 - (1.0 - s + 0.10)).abs() < 1e-12, "{report:?}");
    assert!((report.min_iis - (iis - 0.05)).abs() < 1e-12, "{report:?}");
    let [before, after] = [200, 201].map(|cycles| run_by(&course, &law, cycles).seof_last);
    assert!(after > before + 0.02, "it has left its window: {before} {after}");
}

fn run_by(course: &Course, law: &Dynamics, cycles: u32) -> LookaheadReport {
    let world = Still { dimensions: 0 };
    let mut rollout = Rollout::start_on(course, &state(), law, &world, Pcg64Mcg::seed_from_u64(3)).unwrap();
    rollout.advance(cycles, &Unlimited).unwrap();
    rollout.report()
}

#[test]
fn seof_is_taken_by_the_weights_of_the_course() {
    let objective = [0.1, 0.3, 0.3, 0.2, 0.1];
    let weighed = run(&Course { objective, ..TODAY }, 100);
    let plain = run(&TODAY, 100);
    // At rest: 0.3 + 0.2 IIS, and 0.25 + 0.2 IIS; there is one domain, and so no diversity.
    let domains = state().domains.iter().flatten().count();
    assert_eq!(domains, 1);
    assert!((weighed.seof_last - plain.seof_last - 0.05).abs() < 1e-12);
    assert_eq!(weighed.max_c_l4, plain.max_c_l4);
}
