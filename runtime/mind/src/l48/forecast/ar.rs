//! Autoregression by recursive least squares, with Huber weights: an error beyond the mean absolute error weighs as if
//! it were linear, so that a spike moves the fit no more than an ordinary error does.

use crate::numeric::condense::{Refused, narrow};
use crate::numeric::rls::{MAX_THETA, Rls};
use crate::numeric::running::{RunningMean, Scale};
use crate::numeric::window::Window;
use serde::{Deserialize, Serialize};

/// Lags of the autoregression.
pub const ORDER: usize = 12;
/// Weight of a sample one step older.
const FORGETTING: f64 = 0.999;
/// Prior variance of a coefficient.
const PRIOR_VARIANCE: f64 = 0.1;
/// Standard deviations at which lags and targets are clipped.
pub(super) const CLIP_SD: f64 = 4.0;
/// Observations over which the mean absolute error is taken.
const ERROR_HORIZON: u32 = 200;

/// A linear fit whose first regressor is the last value; it starts as persistence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RobustAr {
    rls: Rls,
    error: RunningMean,
}

impl RobustAr {
    /// A fit with `dim` regressors.
    pub(super) fn new(dim: usize) -> Self {
        let mut rls = Rls::new(dim, FORGETTING, PRIOR_VARIANCE);
        let mut persistence = vec![0.0; dim];
        persistence[0] = 1.0;
        rls.set_theta(&persistence);
        Self {
            rls,
            error: RunningMean::new(ERROR_HORIZON),
        }
    }

    /// The fitted value.
    pub(super) fn predict(&self, x: &[f64]) -> Option<f64> {
        let z = self.rls.predict(x)?;
        Some(z.clamp(-CLIP_SD, CLIP_SD))
    }

    /// Takes a sample in, with weight `min(1, mean error / error)`.
    pub(super) fn learn<const N: usize>(&mut self, x: &[f64; N], target: f64) {
        let Some(fitted) = self.rls.predict(x) else { return };
        let error = (target - fitted).abs();
        let usual = self.error.get().unwrap_or(error);
        let root = if error > usual { (usual / error).sqrt() } else { 1.0 };
        self.error.push(error);
        self.rls.update(&x.map(|value| root * value), root * target);
    }

    /// Takes in that `weight` samples were like this one, for a fit whose coefficients come from a snapshot.
    pub(super) fn recall<const N: usize>(&mut self, x: &[f64; N], target: f64, weight: f64) {
        let Some(fitted) = self.rls.predict(x) else { return };
        let error = (target - fitted).abs();
        let usual = self.error.get().unwrap_or(error);
        let robust = if error > usual { usual / error } else { 1.0 };
        let root = (weight * robust).sqrt();
        self.rls.inform(&x.map(|value| root * value));
    }

    /// What a snapshot keeps: not the covariance, which [`RobustAr::recall`] makes anew.
    pub(super) fn summary(&self) -> ArSummary {
        ArSummary {
            theta: self.rls.theta().iter().map(|&theta| narrow(theta)).collect(),
            error: self.error,
        }
    }

    /// From what a snapshot kept of a fit with `dim` regressors; its covariance is that of the prior.
    pub(super) fn from_summary(summary: &ArSummary, dim: usize) -> Result<Self, Refused> {
        let theta: Vec<f64> = summary.theta.iter().map(|&theta| f64::from(theta)).collect();
        let known = theta.iter().all(|theta| theta.abs() <= MAX_THETA);
        let error = summary.error;
        if theta.len() != dim || !known || error.horizon() != ERROR_HORIZON || error.get().is_some_and(|e| e < 0.0) {
            return Err(Refused("an autoregression"));
        }
        let mut ar = Self::new(dim);
        ar.rls.set_theta(&theta);
        ar.error = error;
        Ok(ar)
    }
}

/// What a snapshot keeps of [`RobustAr`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ArSummary {
    theta: Vec<f32>,
    error: RunningMean,
}

/// The weight of each of `kept` samples that stand for all that a fit has seen: `seen` of them, forgotten by 0.999.
pub(super) fn weight_of_each(kept: usize, seen: u32) -> f64 {
    let all = (1.0 - FORGETTING.powf(f64::from(seen))) / (1.0 - FORGETTING);
    (all / kept.max(1) as f64).max(1.0)
}

/// The last `N` values, newest first, standardised and clipped; the oldest stands for those before it. `None` of no
/// values, and where the quantity never moved.
pub(super) fn lags<const N: usize>(history: &Window, scale: &Scale) -> Option<[f64; N]> {
    let oldest = history.oldest()?;
    if scale.sd() <= 0.0 {
        return None;
    }
    let count = history.len().min(N);
    let mut lags = [oldest; N];
    for (slot, value) in lags[..count]
        .iter_mut()
        .rev()
        .zip(history.iter().skip(history.len() - count))
    {
        *slot = value;
    }
    Some(lags.map(|value| scale.in_sd(value - scale.mean(), CLIP_SD)))
}

/// The regressors and a 1 behind them; `M` is one more than there are, or as many as fit.
pub(super) fn with_intercept<const M: usize>(regressors: &[f64]) -> [f64; M] {
    let mut x = [1.0; M];
    x.iter_mut().zip(regressors).for_each(|(slot, value)| *slot = *value);
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn a_recalled_fit_says_the_same_and_is_about_as_certain() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let samples: Vec<([f64; 2], f64)> = (0..3_000)
            .map(|_| {
                let x = [rng.random_range(-1.0..1.0), 1.0];
                (x, 0.5 * x[0] + rng.random_range(-0.1..0.1))
            })
            .collect();
        let mut ar = RobustAr::new(2);
        samples.iter().for_each(|(x, y)| ar.learn(x, *y));
        let mut restored = RobustAr::from_summary(&ar.summary(), 2).expect("undamaged");
        let kept = &samples[2_880..];
        let weight = weight_of_each(kept.len(), 3_000);
        assert!((weight - (1.0 - 0.999_f64.powi(3_000)) / 0.001 / 120.0).abs() < 1e-9);
        kept.iter().for_each(|(x, y)| restored.recall(x, *y, weight));
        for x in [[1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]] {
            let (there, here) = (restored.predict(&x).expect("fits"), ar.predict(&x).expect("fits"));
            assert!((there - here).abs() < 1e-6);
            let certainty = restored.rls.variance_at(&x).expect("finite") / ar.rls.variance_at(&x).expect("finite");
            assert!((0.5..2.0).contains(&certainty), "{certainty}");
        }
    }

    #[test]
    fn a_damaged_summary_is_refused() {
        let good = RobustAr::new(3).summary();
        assert!(RobustAr::from_summary(&good, 3).is_ok());
        assert!(RobustAr::from_summary(&good, 4).is_err(), "of another order");
        for theta in [f32::NAN, f32::INFINITY, 2e9] {
            let theta = vec![0.0, theta, 0.0];
            assert!(RobustAr::from_summary(&ArSummary { theta, ..good.clone() }, 3).is_err());
        }
        let mut negative = RunningMean::new(ERROR_HORIZON);
        negative.push(-1.0);
        for error in [negative, RunningMean::new(7)] {
            assert!(RobustAr::from_summary(&ArSummary { error, ..good.clone() }, 3).is_err());
        }
    }
}
