//! The transition of one dimension and how its parameters are learned (MSCP Level 4.8, Definition 9).
//!
//! Definition 9 counts observations; the belief moves in cycles. [`Transition::over`] gives the transition over any
//! number of steps, also a part of one.

use crate::numeric::running::CLIP_SD;
use crate::numeric::window::Window;
use serde::{Deserialize, Serialize};

/// Observations over which parameters are learned.
pub const LEARN_OBSERVATIONS: usize = 200;
/// Observations before which the prior holds.
pub const MIN_OBSERVATIONS: usize = 30;
/// The largest persistence.
pub const MAX_PHI: f64 = 0.999;
/// Observation noise is at least this share of the observed variance.
pub const NOISE_FLOOR: f64 = 0.01;
/// The least variance of noise, in squared standard deviations of the dimension: keeps densities finite.
pub const MIN_VARIANCE: f64 = 1e-6;

/// `E' = phi E + (1 - phi) mean + N(0, variance)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Persistence, in [0, 0.999].
    pub phi: f64,
    /// Long-run mean.
    pub mean: f64,
    /// Variance of the innovation, at least [`MIN_VARIANCE`].
    pub variance: f64,
}

impl Transition {
    /// The expected state after one step.
    pub fn predict(&self, state: f64) -> f64 {
        self.mean + self.phi * (state - self.mean)
    }

    /// Variance of the state in the long run.
    pub fn long_run_variance(&self) -> f64 {
        self.variance / (1.0 - self.phi * self.phi)
    }

    /// The transition over `steps` steps, also a part of one: the long-run distribution is the same.
    pub fn over(&self, steps: f64) -> Self {
        let phi = self.phi.powf(steps);
        let variance = self.long_run_variance() * (1.0 - phi * phi);
        Self {
            phi,
            mean: self.mean,
            variance: variance.max(MIN_VARIANCE),
        }
    }
}

/// One dimension's state-space model, in standardised units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// From one observation to the next.
    pub transition: Transition,
    /// Variance of the observation around the state, at least [`MIN_VARIANCE`].
    pub noise: f64,
}

impl Model {
    /// Before anything is learned: a slow process of variance 1, a tenth of it noise.
    pub const PRIOR: Model = Model {
        transition: Transition {
            phi: 0.9,
            mean: 0.0,
            variance: 0.9 * 0.19,
        },
        noise: 0.1,
    };

    /// The model that has these autocovariances at lags 0, 1, 2 and this mean.
    ///
    /// With `g_k` the autocovariances of an AR(1) process under white noise, `phi = g2 / g1` and the noise is
    /// `g0 - g1 / phi`, at least 0.01 g0. Where `g1 <= 0.1 g0` both are too small to divide, and plain Yule-Walker
    /// holds: `phi = g1 / g0` with the least noise.
    pub fn from_autocovariances(mean: f64, [g0, g1, g2]: [f64; 3]) -> Self {
        let (phi, noise) = if g1 <= 0.1 * g0 {
            (g1 / g0.max(MIN_VARIANCE), 0.0)
        } else {
            let phi = (g2 / g1).clamp(0.0, MAX_PHI);
            (phi, g0 - g1 / phi.max(f64::MIN_POSITIVE))
        };
        let phi = phi.clamp(0.0, MAX_PHI);
        let noise = noise.max(NOISE_FLOOR * g0).max(MIN_VARIANCE);
        let variance = ((g0 - noise) * (1.0 - phi * phi)).max(MIN_VARIANCE);
        Self {
            transition: Transition { phi, mean, variance },
            noise,
        }
    }
}

impl Model {
    /// The model of the last 200 of these values, in units of `sd` around `centre`; the prior for fewer than 30, and
    /// for a quantity without spread. Values count as clipped at 6 standard deviations, as in the scale itself.
    pub fn learn(history: &Window, centre: f64, sd: f64) -> Self {
        let count = history.len().min(LEARN_OBSERVATIONS);
        if count < MIN_OBSERVATIONS || sd <= 0.0 {
            return Self::PRIOR;
        }
        let mut scaled = [0.0; LEARN_OBSERVATIONS];
        let scaled = &mut scaled[..count];
        for (slot, value) in scaled.iter_mut().zip(history.iter().skip(history.len() - count)) {
            *slot = ((value - centre) / sd).clamp(-CLIP_SD, CLIP_SD);
        }
        let mean = scaled.iter().sum::<f64>() / count as f64;
        scaled.iter_mut().for_each(|value| *value -= mean);
        let autocovariance = |lag: usize| {
            let products = scaled.iter().zip(&scaled[lag..]).map(|(a, b)| a * b);
            products.sum::<f64>() / count as f64
        };
        Self::from_autocovariances(mean, [0, 1, 2].map(autocovariance))
    }
}

#[cfg(test)]
mod tests;
