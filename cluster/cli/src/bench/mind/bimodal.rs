//! A posterior with two modes, of a state of which only a function is seen: the filter beside a bootstrap filter of a
//! thousand times as many particles. A Kalman filter, whose posterior has one mode, cannot pass.

use super::super::report::{Figure, Target};
use super::alone;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rungs_mind::budget::Unlimited;
use rungs_mind::l48::ar::Transition;
use rungs_mind::l48::belief::{Belief, Scratch};

/// Particles of the filter, and of the reference.
const PARTICLES: usize = 100;
const REFERENCE: usize = 100_000;
/// Observations of a run.
const STEPS: u32 = 60;
/// Bins of a quarter over which shares of weight are compared: eight to each side of 0, and one for all beyond.
const BINS: usize = 18;

/// A slow process of long-run variance 1.
const WORLD: Transition = Transition {
    phi: 0.95,
    mean: 0.0,
    variance: 1.0 - 0.95 * 0.95,
};

/// Moves each state, weighs it by the likelihood and resamples systematically (N. Gordon et al., 1993).
fn bootstrap(states: &mut [f64], likelihood: impl Fn(f64) -> f64, rng: &mut Pcg64Mcg) {
    let sd = WORLD.variance.sqrt();
    let mut cumulative = Vec::with_capacity(states.len());
    let mut total = 0.0;
    for state in states.iter_mut() {
        *state = WORLD.predict(*state) + sd * rng.sample::<f64, _>(StandardNormal);
        total += likelihood(*state);
        cumulative.push(total);
    }
    let moved = states.to_vec();
    let offset: f64 = rng.random();
    let mut from = 0;
    for (pick, state) in states.iter_mut().enumerate() {
        let target = (pick as f64 + offset) / moved.len() as f64 * total;
        while cumulative[from] < target && from + 1 < moved.len() {
            from += 1;
        }
        *state = moved[from];
    }
}

fn histogram(points: impl Iterator<Item = (f64, f64)>) -> [f64; BINS] {
    let mut shares = [0.0; BINS];
    let middle = BINS as f64 / 2.0;
    for (state, weight) in points {
        shares[(4.0 * state + middle).floor().clamp(0.0, BINS as f64 - 1.0) as usize] += weight;
    }
    shares
}

/// Mean total variation between the filter and the reference, and between the normal distribution of the reference's own
/// moments and the reference: the least that a filter of one mode leaves.
fn distances(seen: fn(f64) -> f64, noise: f64, seed: u64) -> [f64; 2] {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let (mut belief, mut scratch) = (Belief::new(1, PARTICLES, &mut rng), Scratch::default());
    let mut reference: Vec<f64> = (0..REFERENCE).map(|_| rng.sample(StandardNormal)).collect();
    let (mut state, mut sums) = (0.8, [0.0; 2]);
    for _ in 0..STEPS {
        state = WORLD.predict(state) + WORLD.variance.sqrt() * rng.sample::<f64, _>(StandardNormal);
        let y = seen(state) + noise.sqrt() * rng.sample::<f64, _>(StandardNormal);
        let ln_likelihood = |point: &[f64]| -0.5 * (y - seen(point[0])).powi(2) / noise;
        belief
            .observe(&[WORLD], &ln_likelihood, &mut scratch, &mut rng, &Unlimited)
            .expect("invariant: nothing limits it");
        bootstrap(&mut reference, |state| ln_likelihood(&[state]).exp(), &mut rng);
        let share = 1.0 / REFERENCE as f64;
        let exact = histogram(reference.iter().map(|state| (*state, share)));
        let mean = share * reference.iter().sum::<f64>();
        let sd = (share * reference.iter().map(|state| (state - mean).powi(2)).sum::<f64>()).sqrt();
        let normal = histogram((0..REFERENCE).map(|_| (mean + sd * rng.sample::<f64, _>(StandardNormal), share)));
        let own = histogram(belief.particles().map(|(state, weight)| (state[0], weight)));
        for (sum, other) in sums.iter_mut().zip([own, normal]) {
            *sum += 0.5 * other.iter().zip(&exact).map(|(a, b)| (a - b).abs()).sum::<f64>();
        }
    }
    sums.map(|sum| sum / f64::from(STEPS))
}

pub(super) fn measure() -> Vec<Figure> {
    let row = |what, [own, normal]: [f64; 2]| Figure {
        baseline: "normal of its moments",
        baseline_value: Some(normal),
        ..alone("M1", what, own, "TV", Target::AtMost(0.10))
    };
    vec![
        row(
            "two modes, |x| seen, to 100,000 particles",
            distances(f64::abs, 0.04, 41),
        ),
        row(
            "two modes, x squared seen, to 100,000 particles",
            distances(|x| x * x, 0.25, 42),
        ),
    ]
}
