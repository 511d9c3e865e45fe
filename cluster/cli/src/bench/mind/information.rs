//! Divergence and entropy against constants of reference libraries.
//!
//! The divergence is that of two profiles of values, whose moments are by exact fractions of these values and whose
//! integral of `p ln(p / q)` is by mpmath 1.4 `quad` with 40 digits (`scipy.integrate.quad` agrees to its 14). Entropies are
//! by `scipy.stats.entropy` 1.17 and, where its rounding shows, by mpmath.

use super::super::report::{Figure, Target};
use super::alone;
use anyhow::Context as _;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use rungs_mind::l48::ar::Transition;
use rungs_mind::l48::belief::{Belief, Scratch};
use rungs_mind::l48::introspect::unknown::{Known, Profile, divergence};
use rungs_mind::lookahead::measures::diversity;

/// Values of a dimension: calm at two levels, restless, and low.
const LOW: [f64; 12] = [1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 2.0, 3.0, 5.0, 4.0, 7.0, 1.0];
const HIGH: [f64; 12] = [9.0, 7.0, 8.0, 10.0, 6.0, 9.0, 8.0, 11.0, 7.0, 10.0, 9.0, 8.0];
const BETWEEN: [f64; 12] = [4.0, 4.5, 6.0, 5.0, 7.0, 6.5, 5.5, 8.0, 6.0, 5.0, 4.5, 7.0];
const NEAR_ZERO: [f64; 12] = [0.5, 0.25, 0.75, 0.5, 1.0, 0.0, 0.5, 0.25, 1.25, 0.75, 0.5, 0.25];

fn profile(values: &[f64]) -> [Profile; 1] {
    let mut profile = Profile::default();
    values.iter().for_each(|value| {
        profile.push(*value);
    });
    [profile]
}

/// Largest relative error of the divergence of recent values from a domain that was met twice.
fn kullback_leibler() -> anyhow::Result<f64> {
    let cases = [
        (BETWEEN, [LOW, HIGH], 0.222_942_395_661_159_1),
        (HIGH, [LOW, LOW], 3.622_511_618_767_265_2),
        (NEAR_ZERO, [LOW, BETWEEN], 3.527_535_518_512_195),
    ];
    let mut worst: f64 = 0.0;
    for (recent, met, expected) in cases {
        let mut known = Known::new(1);
        for (cycle, values) in (1..).zip(met) {
            known.learn(&profile(&values), values.len() as u32, cycle);
        }
        let found = divergence(&profile(&recent), &known).context("twelve values are enough")?;
        worst = worst.max((found / expected - 1.0).abs());
    }
    Ok(worst)
}

/// Largest error of the entropy of shares over its largest value.
fn shares() -> f64 {
    let cases: [(&[f64], f64); 4] = [
        (&[1.0, 2.0, 3.0, 4.0], 0.923_219_672_335_507_7),
        (&[0.5, 0.25, 0.125, 0.0625, 0.0625], 0.807_518_546_387_612),
        (&[10.0, 0.1, 0.01, 0.0, 3.7], 0.389_911_504_809_435_5),
        (&[1.0, 1e-9], 3.134_004_786_425_653e-8),
    ];
    let error = |(masses, expected): &(&[f64], f64)| (diversity(masses.iter().copied()) - expected).abs();
    cases.iter().map(error).fold(0.0, f64::max)
}

/// Largest error of a filter's weight entropy: beside `ln S - sum(w ln w) / S` of the plain likelihoods of its particles,
/// with S their sum.
fn weights() -> f64 {
    let transition = Transition {
        phi: 0.8,
        mean: 0.0,
        variance: 0.36,
    };
    let mut worst: f64 = 0.0;
    for (seed, noise) in [(31, 0.01), (32, 0.25), (33, 4.0)] {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut belief = Belief::new(1, 100, &mut rng);
        let observation = 0.7;
        let likelihood = |state: f64| (-0.5 * (observation - transition.predict(state)).powi(2) / (0.36 + noise)).exp();
        let plain: Vec<f64> = belief.particles().map(|(state, _)| likelihood(state[0])).collect();
        let sum: f64 = plain.iter().sum();
        let expected = sum.ln() - plain.iter().map(|w| w * w.ln()).sum::<f64>() / sum;
        let health = belief.observe_direct(&transition, noise, observation, &mut Scratch::default(), &mut rng);
        worst = worst.max((health.entropy - expected).abs());
    }
    worst
}

pub(super) fn measure() -> anyhow::Result<Vec<Figure>> {
    let nine = Target::AtMost(1e-9);
    Ok(vec![
        alone(
            "M3",
            "Kullback-Leibler divergence, worst of 3",
            kullback_leibler()?,
            "rel.",
            nine,
        ),
        alone("M3", "entropy of shares, worst of 4", shares(), "abs.", nine),
        alone("M3", "entropy of particle weights, worst of 3", weights(), "abs.", nine),
    ])
}
