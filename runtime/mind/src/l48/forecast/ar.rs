//! Autoregression by recursive least squares, with Huber weights: an error beyond the mean absolute error weighs as if
//! it were linear, so that a spike moves the fit no more than an ordinary error does.

use crate::numeric::rls::Rls;
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
