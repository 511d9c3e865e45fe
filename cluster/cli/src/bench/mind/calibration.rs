//! Confidence against success, and intervals against what they are to hold.

use super::super::report::{Figure, Target};
use super::alone;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rungs_mind::l48::forecast::{COVERAGE, Conformal};
use rungs_mind::l48::introspect::calibration;

/// Skills, and corrections of each.
const SKILLS: usize = 2_000;
const PASSES: usize = 300;
/// Outcomes that a success rate is taken of.
const OUTCOMES: usize = 50;
/// Bins of confidence.
const BINS: usize = 10;
/// What a miss moves the level of an interval by (I. Gibbs and E. Candès, "Adaptive Conformal Inference Under Distribution
/// Shift", NeurIPS 2021).
const STEP: f64 = 0.02;
/// Errors of each stream of forecasts.
const ERRORS: usize = 20_000;

/// Expected calibration error (M. Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI
/// 2015): the gap between mean confidence and share of successes in each bin, weighed by how many are in it.
fn ece(confident: &[(f64, bool)]) -> f64 {
    let mut bins = [(0.0, 0.0, 0.0); BINS];
    for (confidence, success) in confident {
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        *bin = (bin.0 + 1.0, bin.1 + confidence, bin.2 + f64::from(*success));
    }
    let gaps = bins
        .iter()
        .filter(|bin| bin.0 > 0.0)
        .map(|(_, confidence, successes)| (confidence - successes).abs());
    gaps.sum::<f64>() / confident.len() as f64
}

/// The error of skills of any quality whose confidence starts anywhere, before and after they are corrected; outcomes
/// are new ones.
fn skills() -> [f64; 2] {
    let mut rng = Pcg64Mcg::seed_from_u64(11);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for _ in 0..SKILLS {
        let quality: f64 = rng.random();
        let first: f64 = rng.random();
        let mut confidence = first;
        let mut outcomes = [false; OUTCOMES];
        outcomes.fill_with(|| rng.random::<f64>() < quality);
        for pass in 0..PASSES {
            outcomes[pass % OUTCOMES] = rng.random::<f64>() < quality;
            let rate = outcomes.iter().filter(|success| **success).count() as f64 / OUTCOMES as f64;
            confidence = calibration::correct(confidence, rate).confidence;
        }
        for _ in 0..OUTCOMES {
            let success = rng.random::<f64>() < quality;
            before.push((first, success));
            after.push((confidence, success));
        }
    }
    [ece(&before), ece(&after)]
}

/// Share of errors inside the interval given before each: of errors that are always alike, and of errors that grow
/// tenfold and shrink again.
fn coverage(changing: bool) -> f64 {
    let mut rng = Pcg64Mcg::seed_from_u64(12);
    let mut conformal = Conformal::default();
    let (mut inside, mut told) = (0.0, 0.0);
    for step in 0..ERRORS {
        let scale = if changing && step / 2_500 % 2 == 1 { 10.0 } else { 1.0 };
        let error = scale * rng.sample::<f64, _>(StandardNormal).abs();
        if let Some(was_inside) = conformal.learn(error) {
            inside += f64::from(was_inside);
            told += 1.0;
        }
    }
    inside / told
}

/// How far intervals are from the order statistic that the definition names (V. Vovk et al., *Algorithmic Learning in a
/// Random World*): the `ceil((n + 1)(1 - outside))`-th smallest of n errors, found by sorting all of them, at the level
/// that the misses so far have moved.
fn rank_error() -> f64 {
    let mut worst: f64 = 0.0;
    for count in [1_usize, 9, 19, 50, 99, 199] {
        let mut conformal = Conformal::default();
        let (mut errors, mut outside) = (Vec::new(), 1.0 - COVERAGE);
        for step in 0..count {
            let error = ((step * 7_919 + 13) % 1_009) as f64;
            if let Some(inside) = conformal.learn(error) {
                outside += STEP * (1.0 - COVERAGE - f64::from(!inside));
            }
            errors.push(error);
        }
        errors.sort_by(f64::total_cmp);
        let rank = ((count + 1) as f64 * (1.0 - outside)).ceil() as usize;
        let expected = errors
            .get(rank - 1)
            .copied()
            .or(errors.last().map(|largest| 1.5 * largest));
        worst = worst.max((conformal.half_width().unwrap_or(f64::INFINITY) - expected.unwrap_or(0.0)).abs());
    }
    worst
}

pub(super) fn measure() -> Vec<Figure> {
    let [before, after] = skills();
    let share = Target::Within(0.88, 0.92);
    vec![
        Figure {
            id: "M4",
            what: "calibration error (ECE) of 2,000 skills after 300 passes",
            value: after,
            unit: "",
            baseline: "uncorrected",
            baseline_value: Some(before),
            target: Target::AtMost(calibration::TARGET),
        },
        alone(
            "M5",
            "conformal rank, worst of 6 counts",
            rank_error(),
            "abs.",
            Target::AtMost(0.0),
        ),
        alone(
            "M5",
            "in the 90 % interval, errors all alike",
            coverage(false),
            "share",
            share,
        ),
        alone(
            "M5",
            "in the 90 % interval, errors that grow tenfold",
            coverage(true),
            "share",
            share,
        ),
    ]
}
