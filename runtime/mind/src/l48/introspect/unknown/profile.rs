//! How a group of sensors behaves, in three numbers per dimension: level, dispersion around it, and step from one value
//! to the next.

use super::summary::{resume_mean, resume_scale};
use crate::l48::introspect::summary::half::Half;
use crate::numeric::condense::{Refused, narrow};
use crate::numeric::running::{RunningMean, Scale};
use serde::{Deserialize, Serialize};

/// Values over which a recent profile is taken.
const RECENT_VALUES: f64 = 20.0;
/// Values before which it says nothing.
const MIN_VALUES: u32 = 10;
/// Reports over which a known domain is taken.
const KNOWN_REPORTS: u32 = 200;
/// Larger values are taken as this, with their sign.
const MAX_VALUE: f64 = 1e100;
/// Least standard deviation, as a share of the level: what is finer than this is rounding.
const RESOLUTION: f64 = 1e-3;
/// Least variance.
const MIN_VARIANCE: f64 = 1e-12;
/// Features of a dimension.
const FEATURES: f64 = 3.0;
/// Square of a feature's distance that counts at most.
const MAX_SQUARE: f64 = 100.0;

/// The last values of one dimension, exponentially weighed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    count: u32,
    last: f64,
    mean: f64,
    variance: f64,
    step: f64,
}

impl Profile {
    /// Every number is one that values could have left.
    pub(super) fn is_valid(&self) -> bool {
        let finite = [self.last, self.mean].iter().all(|value| value.abs() <= MAX_VALUE);
        finite
            && [self.variance, self.step]
                .iter()
                .all(|square| (0.0..=f64::MAX).contains(square))
    }

    /// Where the level is.
    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// Takes a value in; says whether it was one.
    pub fn push(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        let value = value.clamp(-MAX_VALUE, MAX_VALUE);
        if self.count > 0 {
            let rate = (1.0 / f64::from(self.count)).max(1.0 / RECENT_VALUES);
            self.step += rate * ((value - self.last).powi(2) - self.step);
        }
        self.count = self.count.saturating_add(1);
        let rate = (1.0 / f64::from(self.count)).max(1.0 / RECENT_VALUES);
        let delta = value - self.mean;
        self.mean += rate * delta;
        self.variance = (1.0 - rate) * (self.variance + rate * delta * delta);
        self.last = value;
        true
    }
}

/// One dimension of a known domain.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Usual {
    /// Where the level is, and how far it wanders.
    level: Scale,
    /// Variance around the level.
    within: RunningMean,
    /// Mean square of a step.
    step: RunningMean,
}

impl Default for Usual {
    fn default() -> Self {
        Self {
            level: Scale::new(KNOWN_REPORTS),
            within: RunningMean::new(KNOWN_REPORTS),
            step: RunningMean::new(KNOWN_REPORTS),
        }
    }
}

impl Usual {
    fn floor(&self) -> f64 {
        (RESOLUTION * self.level.mean()).powi(2).max(MIN_VARIANCE)
    }

    fn within(&self) -> f64 {
        self.within.get().unwrap_or(0.0).max(self.floor())
    }

    fn step(&self) -> f64 {
        self.step.get().unwrap_or(0.0).max(self.floor())
    }
}

/// A known domain: what is usual in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    dimensions: Vec<Usual>,
    observations: u32,
    met: u64,
}

/// What a snapshot keeps of a known domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct KnownSummary {
    /// Level, its variance, variance around it, and mean square step.
    dimensions: Vec<(f32, [Half; 3])>,
    /// Reports that it was learnt from, up to 255.
    reports: u8,
}

impl Known {
    /// A domain of which nothing is known yet.
    pub fn new(dimensions: usize) -> Self {
        Self {
            dimensions: vec![Usual::default(); dimensions],
            observations: 0,
            met: 0,
        }
    }

    /// What a snapshot keeps of it.
    pub(super) fn summary(&self) -> KnownSummary {
        let dimensions = self.dimensions.iter().map(|usual| {
            let [within, step] = [usual.within, usual.step].map(|mean| mean.get().unwrap_or(0.0));
            let squares = [usual.level.variance(), within, step].map(Half::of);
            (narrow(usual.level.mean()), squares)
        });
        KnownSummary {
            dimensions: dimensions.collect(),
            reports: self.reports().min(u32::from(u8::MAX)) as u8,
        }
    }

    /// The domain that goes on from a summary, met at this cycle.
    pub(super) fn from_summary(summary: &KnownSummary, dimensions: usize, met: u64) -> Result<Self, Refused> {
        let mut known = Self::new(dimensions);
        if summary.dimensions.len() != dimensions {
            return Err(Refused("a known domain's number of sensors"));
        }
        let reports = u32::from(summary.reports);
        for (usual, kept) in known.dimensions.iter_mut().zip(&summary.dimensions) {
            let (level, [wander, within, step]) = (f64::from(kept.0), kept.1.map(Half::get));
            let squares = [wander, within, step]
                .iter()
                .all(|square| (0.0..=f64::MAX).contains(square));
            if !level.is_finite() || !squares {
                return Err(Refused("a known domain"));
            }
            resume_scale(&mut usual.level, level, wander, reports);
            resume_mean(&mut usual.within, within, reports);
            resume_mean(&mut usual.step, step, reports);
        }
        known.met = met;
        known.observations = 10 * reports;
        Ok(known)
    }

    /// Reports that it was learnt from.
    fn reports(&self) -> u32 {
        self.dimensions
            .iter()
            .map(|usual| usual.within.count())
            .max()
            .unwrap_or(0)
    }

    /// The usual level of the dimension at this place, and the standard deviation of values around it, wandering
    /// included; `None` before the first.
    pub(super) fn level(&self, place: usize) -> Option<(f64, f64)> {
        let usual = self.dimensions.get(place).filter(|usual| usual.level.count() > 0)?;
        let variance = usual.level.variance() + usual.within();
        Some((usual.level.mean(), variance.sqrt()))
    }

    /// Dimensions of the group.
    pub fn dimensions(&self) -> usize {
        self.dimensions.len()
    }

    /// Rows that it was learnt from.
    pub fn observations(&self) -> u32 {
        self.observations
    }

    /// The cycle at which it was met last.
    pub fn last_met(&self) -> u64 {
        self.met
    }

    /// Learns from `rows` more rows up to this cycle, of which this is the profile.
    pub fn learn(&mut self, recent: &[Profile], rows: u32, cycle: u64) {
        self.met = cycle;
        for (usual, profile) in self.dimensions.iter_mut().zip(recent) {
            if profile.count >= MIN_VALUES {
                usual.level.push(profile.mean);
                usual.within.push(profile.variance);
                usual.step.push(profile.step);
            }
        }
        self.observations = self.observations.saturating_add(rows);
    }

    /// Pairs of a dimension's profile and what is usual, of those with enough values.
    fn pairs<'a>(&'a self, recent: &'a [Profile]) -> impl Iterator<Item = (&'a Profile, &'a Usual)> {
        let each = recent.iter().zip(&self.dimensions);
        each.filter(|(profile, usual)| profile.count >= MIN_VALUES && usual.level.count() > 0)
    }
}

/// Similarity of the context's signature to a known domain, in [0, 1]: exp(-d^2 / 2), with d^2 the mean over dimensions
/// and features of the squared distance in level (in standard deviations), in the logarithm of the dispersion and in that
/// of the step (as standard deviations). `None` without values.
pub fn similarity(recent: &[Profile], known: &Known) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for (profile, usual) in known.pairs(recent) {
        let level = (profile.mean - usual.level.mean()).powi(2) / (usual.level.variance() + usual.within());
        let log_ratio = |now: f64, usually: f64, floor: f64| (0.5 * (now.max(floor) / usually).ln()).powi(2);
        let dispersion = log_ratio(profile.variance, usual.within(), usual.floor());
        let step = log_ratio(profile.step, usual.step(), usual.floor());
        sum += [level, dispersion, step]
            .map(|square| square.min(MAX_SQUARE))
            .iter()
            .sum::<f64>();
        count += FEATURES;
    }
    (count > 0.0).then(|| (-0.5 * sum / count).exp())
}

/// Kullback-Leibler divergence of the recent distribution of level and step from a known one, in nat per dimension: both
/// Gaussian, the level's with the variance of its wandering added on both sides, the step's around 0. `None` without
/// values.
pub fn divergence(recent: &[Profile], known: &Known) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for (profile, usual) in known.pairs(recent) {
        let wander = usual.level.variance();
        let shift = profile.mean - usual.level.mean();
        let floored = |variance: f64| variance.max(usual.floor());
        sum += gaussian(shift, floored(profile.variance) + wander, usual.within() + wander);
        sum += gaussian(0.0, floored(profile.step), usual.step());
        count += 1.0;
    }
    (count > 0.0).then(|| sum / count)
}

/// KL(N(shift, p) || N(0, q)) in nat, at most 100.
fn gaussian(shift: f64, p: f64, q: f64) -> f64 {
    (0.5 * (p / q + shift * shift / q - 1.0 - (p / q).ln())).clamp(0.0, MAX_SQUARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(mean: f64, variance: f64, step: f64) -> Profile {
        Profile {
            count: 100,
            last: mean,
            mean,
            variance,
            step,
        }
    }

    /// Levels 10 plus and minus 1 (variance 1), dispersion 3, step 2.
    fn known() -> Known {
        let mut known = Known::new(1);
        for level in [9.0, 11.0] {
            known.learn(&[profile(level, 3.0, 2.0)], 10, 1);
        }
        known
    }

    fn near(value: Option<f64>, expected: f64) -> bool {
        value.is_some_and(|value| (value - expected).abs() < 1e-9)
    }

    #[test]
    fn a_profile_has_mean_variance_and_mean_square_step() {
        let mut profile = Profile::default();
        for value in [1.0, 3.0, 2.0, f64::NAN, 6.0] {
            assert_eq!(profile.push(value), !value.is_nan());
        }
        // Mean 3, variance (4 + 0 + 1 + 9) / 4, steps 4, 1 and 16.
        assert!((profile.mean - 3.0).abs() < 1e-12 && (profile.variance - 3.5).abs() < 1e-12);
        assert!((profile.step - 7.0).abs() < 1e-12);
    }

    #[test]
    fn the_usual_context_is_wholly_similar_and_does_not_diverge() {
        let usual = [profile(10.0, 3.0, 2.0)];
        assert!(near(similarity(&usual, &known()), 1.0) && near(divergence(&usual, &known()), 0.0));
    }

    #[test]
    fn a_level_off_by_two_standard_deviations_is_exp_of_minus_two_thirds_similar_and_two_nat_away() {
        // (14 - 10)^2 / (1 + 3) = 4, over three features; KL of the level 4 / 2, of the step 0.
        let off = [profile(14.0, 3.0, 2.0)];
        assert!(near(similarity(&off, &known()), (-2.0_f64 / 3.0).exp()));
        assert!(near(divergence(&off, &known()), 2.0));
    }

    #[test]
    fn similarity_falls_below_three_tenths_at_a_level_of_2_7_standard_deviations() {
        // exp(-d^2 / 6) = 0.3 at d = sqrt(6 ln(1 / 0.3)) = 2.6878.
        let at = |sd: f64| similarity(&[profile(10.0 + 2.0 * sd, 3.0, 2.0)], &known()).expect("known");
        assert!(at(2.68) > 0.3 && at(2.69) < 0.3);
    }

    #[test]
    fn nine_times_the_variance_diverges_by_its_gaussian_formula() {
        let wild = [profile(10.0, 27.0, 18.0)];
        // Level: p / q = 28 / 4 = 7; step: 9. Half of (7 - 1 - ln 7) + (9 - 1 - ln 9).
        let expected = 0.5 * (6.0 - 7.0_f64.ln() + 8.0 - 9.0_f64.ln());
        assert!(near(divergence(&wild, &known()), expected));
        // Dispersion and step: ln 3 each; similarity exp(-(2 ln^2 3) / 6).
        assert!(near(similarity(&wild, &known()), (-(3.0_f64.ln().powi(2)) / 3.0).exp()));
    }

    #[test]
    fn a_window_of_a_slow_series_is_not_unlike_the_series_because_it_is_calm() {
        let mut slow = Known::new(1);
        for level in [-10.0, 10.0] {
            slow.learn(&[profile(level, 1.0, 0.1)], 10, 1);
        }
        let window = [profile(5.0, 0.2, 0.1)];
        assert!(divergence(&window, &slow).expect("known") < 0.15);
        assert!(similarity(&window, &slow).expect("known") > 0.8);
    }

    #[test]
    fn a_sensor_that_never_moved_and_one_with_too_few_values_do_no_harm() {
        let mut constant = Known::new(1);
        constant.learn(&[profile(5.0, 0.0, 0.0)], 10, 1);
        assert!(near(similarity(&[profile(5.0, 0.0, 0.0)], &constant), 1.0));
        let moved = [profile(1e100, 1e200, 1e200)];
        assert!(near(divergence(&moved, &constant), 200.0), "each part at most 100 nat");
        assert!(similarity(&moved, &constant).is_some_and(|s| (0.0..1e-9).contains(&s)));
        let short = Profile {
            count: 9,
            ..profile(5.0, 0.0, 0.0)
        };
        assert_eq!(
            (similarity(&[short], &constant), divergence(&[short], &constant)),
            (None, None)
        );
        let enough = Profile { count: 10, ..short };
        assert!(near(similarity(&[enough], &constant), 1.0));
        let mut learnt = Known::new(1);
        learnt.learn(&[short], 9, 1);
        assert_eq!(similarity(&[enough], &learnt), None, "nine values teach nothing");
        learnt.learn(&[enough], 10, 2);
        assert!(near(similarity(&[enough], &learnt), 1.0));
    }
}
