//! Detection of incidents on recordings with labels, beside two detectors that the benchmark itself is told by, over the
//! same rows, windows and scoring.

use super::super::report::{Figure, Target};
use super::alone;
use crate::args::Replay;
use crate::replay::detection::{Detection, Judged};
use crate::replay::labels::Labels;
use crate::replay::recordings;
use anyhow::Context as _;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use rungs_agent::{Environment as _, Observed};
use rungs_mind::l48::anomaly::Anomaly;
use rungs_mind::l48::observe::Score;
use std::path::Path;
use std::time::Duration;

/// Values of the windowed Gaussian (as the benchmark has it).
const GAUSSIAN_WINDOW: usize = 1_000;
/// Bins and values of a window of relative entropy (as the benchmark has it), and the point of the chi-squared
/// distribution with 4 degrees of freedom that 1 in 100 exceeds.
const BINS: usize = 5;
const ENTROPY_WINDOW: usize = 52;
const CHI_SQUARED: f64 = 13.276_704_135_987_625;
/// Random halves by which it is told what a threshold is worth on series that it was not chosen on.
const HALVINGS: u32 = 50;

/// How far each value is from the mean of up to 1,000 before it, in their standard deviations: the order that the tails
/// of a normal distribution give.
fn gaussian(values: &[f64]) -> Vec<f64> {
    let score = |row: usize| {
        let before = &values[row.saturating_sub(GAUSSIAN_WINDOW)..row];
        let count = before.len().max(1) as f64;
        let mean = before.iter().sum::<f64>() / count;
        let sd = (before.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
        let z = (values[row] - mean).abs() / if sd > 0.0 { sd } else { 1e-6 };
        // From here on the benchmark's tail is 0 to its last digit, and all such rows are equally strange.
        if row == 0 { 0.0 } else { z.min(8.3) }
    };
    (0..values.len()).map(score).collect()
}

/// Multinomial goodness of fit: 1 where the last 52 values, in five bins of the range, fit no hypothesis so far, and are
/// then one (C. Wang et al., "Statistical Techniques for Online Anomaly Detection in Data Centers", 2011). The range is
/// that of the whole recording, which the benchmark tells its detectors in advance.
fn relative_entropy(values: &[f64]) -> Vec<f64> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step = (greatest - least) / BINS as f64;
    let mut hypotheses: Vec<[f64; BINS]> = Vec::new();
    let mut scores = vec![0.0; values.len()];
    if step <= 0.0 {
        return scores;
    }
    for (end, window) in (ENTROPY_WINDOW - 1..).zip(values.windows(ENTROPY_WINDOW)) {
        let mut shares = [0.0; BINS];
        for value in window {
            // The upper edge of a bin belongs to it, and what is above the fourth to the last.
            shares[(((value - least) / step).ceil() as usize).min(BINS - 1)] += 1.0 / ENTROPY_WINDOW as f64;
        }
        let statistic = |of: &[f64; BINS]| {
            let terms = shares.iter().zip(of).filter(|(p, _)| **p > 0.0);
            2.0 * ENTROPY_WINDOW as f64 * terms.map(|(p, q)| p * (p / q).ln()).sum::<f64>()
        };
        if !hypotheses.iter().any(|of| statistic(of) < CHI_SQUARED) {
            // The first window is what all else is held against.
            scores[end] = f64::from(!hypotheses.is_empty());
            hypotheses.push(shares);
        }
    }
    scores
}

/// The values of a recording's first column with a judge who knows its rows and labels.
fn read(replay: &Replay, labels: &Path) -> anyhow::Result<Vec<(String, Judged, Vec<f64>)>> {
    let labels = Labels::read(labels)?;
    let recordings = recordings::chosen(replay)?;
    let mut all = Vec::with_capacity(recordings.len());
    for recording in &recordings {
        let mut trace = recording.open()?;
        let mut judged = Judged::new(labels.of(recording.path(), recordings.len())?);
        let mut row = vec![f64::NAN; trace.describe().dimensions.len()];
        let mut values = Vec::new();
        while trace.observe(Duration::ZERO, &mut row)? != Observed::End {
            values.push(row[0]);
            judged.row(trace.time_micros(), false);
        }
        all.push((recording.name(), judged, values));
    }
    Ok(all)
}

/// How strange this project's own detector finds each value.
fn own(values: &[f64]) -> Vec<f64> {
    let mut anomaly = Anomaly::default();
    let observed = |&observed: &f64| {
        if observed.is_finite() {
            anomaly.step(&Score {
                observed,
                ..Score::default()
            })
        } else {
            0.0
        }
    };
    values.iter().map(observed).collect()
}

fn judged(recordings: &[(String, Judged, Vec<f64>)], detector: fn(&[f64]) -> Vec<f64>) -> Vec<(String, Judged)> {
    let each = recordings.iter().map(|(name, judged, values)| {
        let mut judged = judged.clone();
        (0..)
            .zip(detector(values))
            .for_each(|(row, strange)| judged.score(row, strange));
        (name.clone(), judged)
    });
    each.collect()
}

/// The score, at this threshold or at the best one, and the threshold.
fn score(judged: &[(String, Judged)], threshold: Option<f64>) -> anyhow::Result<(f64, f64)> {
    let verdict = Detection::of(judged, threshold, false)?.total.verdict;
    Ok((verdict.nab.context("there is no labelled window")?, verdict.threshold))
}

/// Mean score of one half of the recordings at the threshold that is best for the other, over [`HALVINGS`] random halves,
/// each both ways.
fn of_unseen_half(mut judged: Vec<(String, Judged)>) -> anyhow::Result<f64> {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let (mut sum, mut count) = (0.0, 0);
    for _ in 0..HALVINGS {
        judged.shuffle(&mut rng);
        let (one, other) = judged.split_at(judged.len() / 2);
        for (known, unseen) in [(one, other), (other, one)] {
            let (_, threshold) = score(known, None)?;
            sum += score(unseen, Some(threshold))?.0;
            count += 1;
        }
    }
    Ok(sum / f64::from(count))
}

/// What a replay with labels came to, and the same of the references.
pub(super) fn figures(replay: &Replay, labels: &Path, detection: &Detection) -> anyhow::Result<Vec<Figure>> {
    let nab = detection.total.verdict.nab.context("there is no labelled window")?;
    let recordings = read(replay, labels)?;
    let beside = |baseline, value, target| Figure {
        baseline,
        baseline_value: Some(value),
        ..alone(
            "M7",
            "incidents: NAB, standard profile, one threshold",
            nab,
            "NAB",
            target,
        )
    };
    let mut figures = vec![
        beside(
            "windowed Gaussian",
            score(&judged(&recordings, gaussian), None)?.0,
            Target::AtLeast(54.0),
        ),
        beside(
            "relative entropy",
            score(&judged(&recordings, relative_entropy), None)?.0,
            Target::RatioAtLeast(1.0),
        ),
    ];
    if recordings.len() > 1 {
        let unseen = of_unseen_half(judged(&recordings, own))?;
        let what = "incidents: NAB, the threshold from the other half";
        // The second of the two targets: on series not used in development.
        figures.push(alone("M7", what, unseen, "NAB", Target::AtLeast(70.0)));
    }
    for (what, share) in [
        ("incidents: precision", detection.total.precision),
        ("incidents: recall", detection.total.recall),
    ] {
        figures.extend(share.map(|share| alone("M7", what, share, "share", Target::None)));
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_as_far_as_the_standard_deviations_before_it_say() {
        // Of 1, 3 the mean is 2 and the standard deviation 1.
        assert_eq!(gaussian(&[1.0, 3.0, 5.0]), [0.0, 8.3, 3.0]);
    }

    #[test]
    fn a_window_that_fits_no_hypothesis_is_strange_once_and_then_one() {
        // 52 low values with one high, then high ones. By hand, with the shares p = k/52 in the upper bin and q = 1/52:
        // the statistic is 104 (p ln(p/q) + (1-p) ln((1-p)/(1-q))); at k = 6 it is 12.01, at k = 7 it is 15.98, six rows on.
        // From the hypothesis of k = 7, k = 13 is only 4.93 away.
        let mut values = vec![0.0; 52];
        values[51] = 10.0;
        values.extend([10.0; 12]);
        let scores = relative_entropy(&values);
        let strange: Vec<usize> = (0..scores.len()).filter(|row| scores[*row] > 0.0).collect();
        assert_eq!(strange, [51 + 6]);
        assert_eq!(relative_entropy(&[3.0; 100]), [0.0; 100]);
    }
}
