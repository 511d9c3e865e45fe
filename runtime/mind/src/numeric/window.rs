//! The last values of a quantity, and what they say: mean, standard deviation, median, slope.
//!
//! Invariants:
//! 1. Every value held is finite and at most [`MAX_VALUE`] in magnitude, so no statistic of it overflows.
//! 2. Statistics are computed from the values each time, oldest first: what has left the window leaves no trace, and a
//!    window that was stored and read back gives the same bits.
//! 3. Nothing is allocated after construction.

use super::history::{History, HistoryError, HistoryState, MAX_CAPACITY};
use serde::{Deserialize, Serialize};

/// Larger values are taken as this, with their sign: a square of it is still finite.
pub const MAX_VALUE: f64 = 1e150;

/// The last values of a quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "HistoryState<f64>", into = "HistoryState<f64>")]
pub struct Window(History<f64>);

/// Why a stored window is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WindowError {
    /// Its shape is impossible.
    #[error(transparent)]
    Shape(#[from] HistoryError),
    /// A value that no window would have taken.
    #[error("value {found}; expected at most 1e150 in magnitude")]
    Value {
        /// The value.
        found: f64,
    },
}

impl Window {
    /// An empty window.
    ///
    /// # Panics
    /// On a capacity outside 1..=[`MAX_CAPACITY`]: it is a constant of the caller.
    pub fn new(capacity: usize) -> Self {
        Self(History::new(capacity))
    }

    /// Takes a value in, and the oldest out of a full window. NaN is no value and changes nothing.
    pub fn push(&mut self, value: f64) {
        if !value.is_nan() {
            self.0.push(value.clamp(-MAX_VALUE, MAX_VALUE));
        }
    }

    /// Number of values held.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No value is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As many values are held as fit.
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The values, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        self.0.iter()
    }

    /// The value that leaves next.
    pub fn oldest(&self) -> Option<f64> {
        self.0.oldest()
    }

    /// The value that came last.
    pub fn newest(&self) -> Option<f64> {
        self.0.newest()
    }

    /// The sum of the values; 0 of none.
    pub fn sum(&self) -> f64 {
        self.iter().sum()
    }

    /// The mean; `None` of none.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sum() / self.len() as f64)
    }

    /// The largest value; `None` of none.
    pub fn max(&self) -> Option<f64> {
        self.0.unordered().iter().copied().reduce(f64::max)
    }

    /// The standard deviation of the values as a whole population (divided by their number); `None` of fewer than two.
    pub fn sd(&self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.len() >= 2)?;
        let squares: f64 = self.iter().map(|v| (v - mean).powi(2)).sum();
        Some((squares / self.len() as f64).sqrt())
    }

    /// The middle value, or the mean of the two; `None` of none.
    pub fn median(&self) -> Option<f64> {
        let count = self.len();
        if count == 0 {
            return None;
        }
        let mut scratch = [0.0; MAX_CAPACITY];
        let values = &mut scratch[..count];
        values.copy_from_slice(self.0.unordered());
        let (below, &mut upper, _) = values.select_nth_unstable_by(count / 2, f64::total_cmp);
        if count % 2 == 1 {
            return Some(upper);
        }
        let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(lower / 2.0 + upper / 2.0)
    }

    /// Slope of the least-squares line through the values, per value; `None` of fewer than two.
    pub fn slope(&self) -> Option<f64> {
        if self.len() < 2 {
            return None;
        }
        let count = self.len() as f64;
        let middle = (count - 1.0) / 2.0;
        let weighted: f64 = self.iter().enumerate().map(|(i, v)| (i as f64 - middle) * v).sum();
        Some(weighted / (count * (count * count - 1.0) / 12.0))
    }
}

impl TryFrom<HistoryState<f64>> for Window {
    type Error = WindowError;

    fn try_from(state: HistoryState<f64>) -> Result<Self, WindowError> {
        let history = History::try_from(state)?;
        let damaged = history.iter().find(|v| v.is_nan() || v.abs() > MAX_VALUE);
        match damaged {
            Some(found) => Err(WindowError::Value { found }),
            None => Ok(Self(history)),
        }
    }
}

impl From<Window> for HistoryState<f64> {
    fn from(window: Window) -> Self {
        window.0.into()
    }
}

#[cfg(test)]
mod tests;
