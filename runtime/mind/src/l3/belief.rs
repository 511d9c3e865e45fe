//! L3's own belief about one dimension: a first-order autoregressive process seen through noise, filtered exactly.
//!
//! So cheap that every agent has it, and the floor does not depend on the level above. The belief's clock is that of
//! the dimension's own sensor: a sensor that samples every twelfth cycle makes one step per sample, and further steps
//! only once a sample is overdue. Between samples that come when they are due, nothing is missing.
//!
//! Parameters come from the autocovariances of the last 200 observations: phi = g2 / g1 and noise = g0 - g1 / phi
//! (floor 0.01 g0), plain Yule-Walker where g1 <= 0.1 g0. Invariant: every number is finite, and
//! 0 <= variance <= long-run variance.

use crate::numeric::running::RunningMean;
use serde::{Deserialize, Serialize};

/// Observations that the autocovariances look back on.
const HORIZON: u32 = 200;
/// Observations before which the belief knows nothing.
pub const MIN_OBSERVATIONS: u32 = 5;
/// Largest persistence.
pub const MAX_PHI: f64 = 0.999;
/// Least share of the variance that is observation noise.
const NOISE_FLOOR: f64 = 0.01;
/// Below this first autocorrelation, its ratio to the second says nothing.
const WEAK_AUTOCORRELATION: f64 = 0.1;
/// Movement smaller than this share of the mean is rounding.
const RESOLUTION: f64 = 1e-12;
/// Variances below this have no precision left for ratios.
const LEAST_VARIANCE: f64 = 1e-280;
/// Most steps that a missing dimension is predicted ahead; beyond them the long run is reached.
const MAX_STEPS: u32 = 10_000;

/// The belief. Values are in the environment's units, at most 1e100 in magnitude.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    mean: RunningMean,
    /// Autocovariances of lag 0, 1, 2.
    autocovariance: [RunningMean; 3],
    /// The last two observations, newest first.
    last: [Option<f64>; 2],
    /// Posterior of the state at the last observation.
    state: f64,
    /// In units of the long-run variance, in [0, 1].
    variance: f64,
}

/// The parameters of the process, as far as the observations tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    /// Persistence from one observation to the next, in [0, 0.999].
    pub phi: f64,
    /// Long-run mean.
    pub mean: f64,
    /// Long-run variance of the state (without observation noise).
    pub variance: f64,
    /// Variance of the observation noise.
    pub noise: f64,
    /// Share of the first autocorrelation that is more than two standard errors of white noise, in [0, 1]: how far
    /// persistence is more than chance.
    pub certainty: f64,
}

impl Default for Belief {
    fn default() -> Self {
        Self {
            mean: RunningMean::new(HORIZON),
            autocovariance: [RunningMean::new(HORIZON); 3],
            last: [None; 2],
            state: 0.0,
            variance: 1.0,
        }
    }
}

impl Belief {
    /// The process; `None` before [`MIN_OBSERVATIONS`] or for a quantity that has not moved.
    pub fn process(&self) -> Option<Process> {
        let [g0, g1, g2] = self.autocovariance.map(|g| g.get().unwrap_or(0.0));
        let mean = self.mean.get()?;
        // Below: rounding of the mean, not movement.
        let least = (RESOLUTION * mean).powi(2).max(LEAST_VARIANCE);
        if self.mean.count() < MIN_OBSERVATIONS || g0 <= least {
            return None;
        }
        let (phi, noise) = if g1 <= WEAK_AUTOCORRELATION * g0 || g2 <= 0.0 {
            ((g1 / g0).clamp(0.0, MAX_PHI), NOISE_FLOOR * g0)
        } else {
            let phi = (g2 / g1).clamp(0.0, MAX_PHI);
            (phi, (g0 - g1 / phi).clamp(NOISE_FLOOR * g0, g0))
        };
        let variance = (g0 - noise).max(NOISE_FLOOR * g0);
        let standard_error = 1.0 / f64::from(self.mean.count().min(HORIZON)).sqrt();
        let certainty = if g1 > 0.0 {
            (1.0 - 2.0 * standard_error * g0 / g1).clamp(0.0, 1.0)
        } else {
            0.0
        };
        Some(Process {
            phi,
            mean,
            variance,
            noise,
            certainty,
        })
    }

    /// Takes in an observation that came `steps` sampling periods after the last (at least 1).
    pub fn observe(&mut self, value: f64, steps: u32) {
        if let Some(process) = self.process() {
            let (state, variance) = self.predicted(&process, steps);
            // In units of the long-run variance: gain = v / (v + noise / long-run).
            let gain = variance / (variance + process.noise / process.variance);
            self.state = state + gain * (value - state);
            self.variance = (1.0 - gain) * variance;
        } else {
            self.state = value;
        }
        self.mean.push(value);
        let mean = self.mean.get().unwrap_or(value);
        let lagged = [Some(value), self.last[0], self.last[1]];
        for (g, earlier) in self.autocovariance.iter_mut().zip(lagged) {
            if let Some(earlier) = earlier {
                g.push((value - mean) * (earlier - mean));
            }
        }
        self.last = [Some(value), self.last[0]];
    }

    /// Mean of the state `steps` sampling periods after the last observation; `None` before the first.
    pub fn forecast(&self, steps: u32) -> Option<f64> {
        let last = self.last[0]?;
        Some(self.process().map_or(last, |process| self.predicted(&process, steps).0))
    }

    /// Variance of the state `steps` sampling periods after the last observation, as a share of the long-run variance,
    /// in [0, 1]: 1 = nothing is known. A quantity that has not moved in five observations or more has no uncertainty.
    pub fn uncertainty(&self, steps: u32) -> f64 {
        match self.process() {
            Some(process) => self.predicted(&process, steps).1,
            None if self.mean.count() >= MIN_OBSERVATIONS => 0.0,
            None => 1.0,
        }
    }

    fn predicted(&self, process: &Process, steps: u32) -> (f64, f64) {
        let decay = process.phi.powi(steps.min(MAX_STEPS) as i32);
        let state = process.mean + decay * (self.state - process.mean);
        let variance = 1.0 - decay * decay * (1.0 - self.variance);
        (state, variance.clamp(0.0, 1.0))
    }

    /// Every number is one that the belief could have reached by itself.
    pub(super) fn is_valid(&self) -> bool {
        let finite = |v: Option<f64>| v.is_none_or(f64::is_finite);
        self.last.into_iter().all(finite) && self.state.is_finite() && (0.0..=1.0).contains(&self.variance)
    }
}

#[cfg(test)]
mod tests;
