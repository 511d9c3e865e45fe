//! Cost of a Lookahead per simulated cycle: at most 0.4 microseconds, and 0.05 for each goal.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rungs_mind::budget::Unlimited;
use rungs_mind::lookahead::{
    Course, DecisionState, DimensionLaw, Domain, Dynamics, Goal, MAX_GOALS, ResourceState, Rollout, Trajectories,
};

const CYCLES: u32 = 1_000;

struct Ar1 {
    dimensions: usize,
}

impl Trajectories for Ar1 {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn law(&self, dimension: usize) -> DimensionLaw {
        DimensionLaw {
            phi: 0.9,
            mean: 0.1,
            innovation_sd: 0.44,
            noise_sd: 0.1,
            belief_mean: 0.2,
            belief_variance: 0.05,
            error_ratio: 1.0,
            interval_cycles: Some(1),
            unseen_cycles: 0,
            domain: (dimension % 2) as u8,
        }
    }

    fn draw_start(&self, _: usize, rng: &mut Pcg64Mcg) -> f64 {
        0.2 + 0.22 * rng.sample::<f64, _>(StandardNormal)
    }
}

fn state(goals: usize) -> DecisionState {
    let mut state = DecisionState {
        x: [0.95, 1.0, 0.98, 0.1, 1.0],
        ..DecisionState::default()
    };
    state.domains[0] = Some(Domain::watching(0.7));
    state.domains[1] = Some(Domain::watching(0.6));
    for resource in &mut state.resources[..3] {
        *resource = Some(ResourceState {
            level: 1e9,
            base_per_cycle: 1.0,
            warning_level: 100.0,
        });
    }
    for (index, goal) in state.goals.iter_mut().take(goals).enumerate() {
        let cost_per_cycle = std::array::from_fn(|r| if r < 3 { 0.1 } else { 0.0 });
        let domain = (index % 2) as u8;
        *goal = Some(Goal {
            rate_per_cycle: 1e-6,
            cost_per_cycle,
            domain,
            ..Goal::default()
        });
    }
    state
}

fn dynamics() -> Dynamics {
    let mut dynamics = Dynamics {
        rest: [0.95, 1.0, 0.98, 0.1, 1.0],
        rho: 0.9,
        ..Dynamics::default()
    };
    for c in 0..5 {
        dynamics.jacobian[c] = std::array::from_fn(|k| if k == c { 0.8 } else { 0.02 });
    }
    dynamics.response = [-0.01, 0.0, -0.005, 0.05, 0.0];
    dynamics.noise_sd = [0.005, 0.0, 0.002, 0.01, 0.0];
    dynamics
}

fn rollout(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookahead_cycle");
    // The reported time per element is the time per cycle.
    group.throughput(Throughput::Elements(u64::from(CYCLES)));
    for (dimensions, goals) in [(1, 0), (8, 0), (8, 3), (8, MAX_GOALS), (64, MAX_GOALS)] {
        let (state, dynamics, world) = (state(goals), dynamics(), Ar1 { dimensions });
        let id = BenchmarkId::from_parameter(format!("{dimensions}_dimensions_{goals}_goals"));
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                let mut rollout = Rollout::start(&state, &dynamics, &world, Pcg64Mcg::seed_from_u64(7)).expect("valid");
                rollout.advance(CYCLES, &Unlimited).expect("no limit");
                rollout.report()
            });
        });
    }
    // The same on another course than today's: every knob of a strategy has its effect.
    let course = Course {
        parallel_goals: 6,
        attempts: 4,
        attempts_today: 3,
        risk_cap: 0.75,
        reserve_share: 0.1,
        exploration: 0.07,
        expansion: 0.1,
        spread: 1.5,
        consumption: 1.5,
        ..Course::AS_TODAY
    };
    for goals in [0, 3, MAX_GOALS] {
        let (state, dynamics, world) = (state(goals), dynamics(), Ar1 { dimensions: 8 });
        let id = BenchmarkId::from_parameter(format!("8_dimensions_{goals}_goals_on_a_course"));
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                let rng = Pcg64Mcg::seed_from_u64(7);
                let mut rollout = Rollout::start_on(&course, &state, &dynamics, &world, rng).expect("valid");
                rollout.advance(CYCLES, &Unlimited).expect("no limit");
                rollout.report()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, rollout);
criterion_main!(benches);
