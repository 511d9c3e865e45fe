//! Averages with a horizon: plain means while young, exponential averages once `horizon` values are in.
//!
//! The plain start makes the first values count fully, without a prior that would have to be forgotten.
//! Invariant: what is held is finite, a variance is at least 0, and nothing is allocated.

use super::window::MAX_VALUE;
use serde::{Deserialize, Serialize};

/// Samples after which [`Scale`] clips what it takes in.
pub const CLIP_AFTER: u32 = 50;
/// Standard deviations at which [`Scale`] clips.
pub const CLIP_SD: f64 = 6.0;

/// The mean of what came, with weight `max(1 / n, 1 / horizon)` for the newest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct RunningMean {
    horizon: u32,
    count: u32,
    mean: f64,
}

impl RunningMean {
    /// An average without a value yet.
    ///
    /// # Panics
    /// On a horizon of 0: it is a constant of the caller.
    pub fn new(horizon: u32) -> Self {
        assert!(horizon > 0, "a horizon is at least 1");
        Self {
            horizon,
            count: 0,
            mean: 0.0,
        }
    }

    /// Takes a value in. NaN is no value and changes nothing; magnitudes are cut at [`MAX_VALUE`].
    pub fn push(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        self.count = self.count.saturating_add(1);
        self.mean += (value.clamp(-MAX_VALUE, MAX_VALUE) - self.mean) / f64::from(self.count.min(self.horizon));
    }

    /// The average; `None` before the first value.
    pub fn get(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// Values taken in.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Values after which it is an exponential average.
    pub fn horizon(&self) -> u32 {
        self.horizon
    }
}

/// Mean and variance of what came (Welford), with the same weights; once [`CLIP_AFTER`] values are in, a value further
/// than [`CLIP_SD`] standard deviations from the mean counts as one at that distance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawScale", into = "RawScale")]
pub struct Scale {
    horizon: u32,
    count: u32,
    mean: f64,
    variance: f64,
}

impl Scale {
    /// A scale without a value yet.
    ///
    /// # Panics
    /// On a horizon of 0: it is a constant of the caller.
    pub fn new(horizon: u32) -> Self {
        assert!(horizon > 0, "a horizon is at least 1");
        Self {
            horizon,
            count: 0,
            mean: 0.0,
            variance: 0.0,
        }
    }

    /// Takes a value in. NaN is no value and changes nothing.
    pub fn push(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        let mut value = value.clamp(-MAX_VALUE / 4.0, MAX_VALUE / 4.0);
        if self.count >= CLIP_AFTER && self.variance > 0.0 {
            let reach = CLIP_SD * self.sd();
            value = value.clamp(self.mean - reach, self.mean + reach);
        }
        self.count = self.count.saturating_add(1);
        let rate = 1.0 / f64::from(self.count.min(self.horizon));
        let delta = value - self.mean;
        self.mean += rate * delta;
        self.variance = (1.0 - rate) * (self.variance + rate * delta * delta);
    }

    /// Values taken in.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Values after which these are exponential averages.
    pub fn horizon(&self) -> u32 {
        self.horizon
    }

    /// The mean; 0 before the first value.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The variance; 0 before the second value.
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// The standard deviation; 0 before the second value and for a quantity that never moved.
    pub fn sd(&self) -> f64 {
        self.variance.sqrt()
    }

    /// `difference` in standard deviations, within plus or minus `limit`: 0 for no difference, and `limit` for a
    /// difference in a quantity that never moved.
    pub fn in_sd(&self, difference: f64, limit: f64) -> f64 {
        let sd = self.sd();
        if difference == 0.0 || difference.is_nan() {
            0.0
        } else if sd > 0.0 {
            (difference / sd).clamp(-limit, limit)
        } else {
            limit.copysign(difference)
        }
    }
}

/// What [`RunningMean`] reads and writes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Raw {
    horizon: u32,
    count: u32,
    mean: f64,
}

/// What [`Scale`] reads and writes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RawScale {
    horizon: u32,
    count: u32,
    mean: f64,
    variance: f64,
}

/// A stored average is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("average over {horizon} with mean {mean} and variance {variance}; expected a horizon and finite numbers")]
pub struct RunningError {
    horizon: u32,
    mean: f64,
    variance: f64,
}

fn checked(horizon: u32, mean: f64, variance: f64) -> Result<(), RunningError> {
    let valid = horizon > 0 && mean.abs() <= MAX_VALUE && (0.0..=f64::MAX).contains(&variance);
    if valid {
        Ok(())
    } else {
        Err(RunningError {
            horizon,
            mean,
            variance,
        })
    }
}

impl TryFrom<Raw> for RunningMean {
    type Error = RunningError;

    fn try_from(Raw { horizon, count, mean }: Raw) -> Result<Self, RunningError> {
        checked(horizon, mean, 0.0)?;
        Ok(Self { horizon, count, mean })
    }
}

impl From<RunningMean> for Raw {
    fn from(RunningMean { horizon, count, mean }: RunningMean) -> Self {
        Self { horizon, count, mean }
    }
}

impl TryFrom<RawScale> for Scale {
    type Error = RunningError;

    fn try_from(
        RawScale {
            horizon,
            count,
            mean,
            variance,
        }: RawScale,
    ) -> Result<Self, RunningError> {
        checked(horizon, mean, variance)?;
        Ok(Self {
            horizon,
            count,
            mean,
            variance,
        })
    }
}

impl From<Scale> for RawScale {
    fn from(
        Scale {
            horizon,
            count,
            mean,
            variance,
        }: Scale,
    ) -> Self {
        Self {
            horizon,
            count,
            mean,
            variance,
        }
    }
}

#[cfg(test)]
mod tests;
