//! The last values of a quantity, and what they say: mean, standard deviation, median, slope.
//!
//! Invariants:
//! 1. Every value held is finite and at most [`MAX_VALUE`] in magnitude, so no statistic of it overflows.
//! 2. Statistics are computed from the values each time: they are exact, and what has left the window leaves no trace.
//! 3. Nothing is allocated after construction.

use serde::{Deserialize, Serialize};

/// Most values of one window.
pub const MAX_CAPACITY: usize = 256;
/// Larger values are taken as this, with their sign: a square of it is still finite.
pub const MAX_VALUE: f64 = 1e150;

/// The last `capacity` values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WindowState", into = "WindowState")]
pub struct Window {
    /// Ring: the oldest is at `next` once the window is full, at 0 before.
    values: Vec<f64>,
    capacity: usize,
    next: usize,
}

/// What [`Window`] reads and writes: its values, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WindowState {
    capacity: usize,
    values: Vec<f64>,
}

/// Why a stored window is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WindowError {
    /// The capacity is out of range.
    #[error("capacity {found}; expected 1 to {MAX_CAPACITY}")]
    Capacity {
        /// The capacity.
        found: usize,
    },
    /// More values than the capacity.
    #[error("{found} values; expected at most {capacity}")]
    TooMany {
        /// How many there are.
        found: usize,
        /// The capacity.
        capacity: usize,
    },
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
        assert!(
            (1..=MAX_CAPACITY).contains(&capacity),
            "capacity {capacity}; expected 1 to {MAX_CAPACITY}"
        );
        Self {
            values: Vec::with_capacity(capacity),
            capacity,
            next: 0,
        }
    }

    /// Takes a value in, and the oldest out of a full window. NaN is no value and changes nothing.
    pub fn push(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        let value = value.clamp(-MAX_VALUE, MAX_VALUE);
        if self.values.len() < self.capacity {
            self.values.push(value);
        } else {
            self.values[self.next] = value;
        }
        self.next = (self.next + 1) % self.capacity;
    }

    /// Number of values held.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// No value is held.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// As many values are held as fit.
    pub fn is_full(&self) -> bool {
        self.values.len() == self.capacity
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.values.clear();
        self.next = 0;
    }

    /// The values, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        let split = if self.is_full() { self.next } else { 0 };
        self.values[split..].iter().chain(&self.values[..split]).copied()
    }

    /// The value that leaves next.
    pub fn oldest(&self) -> Option<f64> {
        self.iter().next()
    }

    /// The value that came last.
    pub fn newest(&self) -> Option<f64> {
        let last = self.next.checked_sub(1).unwrap_or(self.capacity - 1);
        self.values.get(last).copied()
    }

    /// The sum of the values; 0 of none.
    pub fn sum(&self) -> f64 {
        self.values.iter().sum()
    }

    /// The mean; `None` of none.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sum() / self.len() as f64)
    }

    /// The largest value; `None` of none.
    pub fn max(&self) -> Option<f64> {
        self.values.iter().copied().reduce(f64::max)
    }

    /// The standard deviation of the values as a whole population (divided by their number); `None` of fewer than two.
    pub fn sd(&self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.len() >= 2)?;
        let squares: f64 = self.values.iter().map(|v| (v - mean).powi(2)).sum();
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
        values.copy_from_slice(&self.values);
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

impl TryFrom<WindowState> for Window {
    type Error = WindowError;

    fn try_from(state: WindowState) -> Result<Self, WindowError> {
        let WindowState { capacity, values } = state;
        if !(1..=MAX_CAPACITY).contains(&capacity) {
            return Err(WindowError::Capacity { found: capacity });
        }
        if values.len() > capacity {
            return Err(WindowError::TooMany {
                found: values.len(),
                capacity,
            });
        }
        if let Some(&found) = values.iter().find(|v| v.is_nan() || v.abs() > MAX_VALUE) {
            return Err(WindowError::Value { found });
        }
        let mut window = Self::new(capacity);
        values.into_iter().for_each(|value| window.push(value));
        Ok(window)
    }
}

impl From<Window> for WindowState {
    fn from(window: Window) -> Self {
        Self {
            capacity: window.capacity,
            values: window.iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
