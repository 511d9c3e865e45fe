//! The last values of anything small: a ring with a capacity. Nothing is allocated after construction.

use serde::{Deserialize, Serialize};

/// Most values of one history.
pub const MAX_CAPACITY: usize = 256;

/// The last `capacity` values, oldest first for whoever reads or stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "HistoryState<T>", into = "HistoryState<T>")]
#[serde(bound(serialize = "T: Copy + Serialize", deserialize = "T: Copy + Deserialize<'de>"))]
pub struct History<T: Copy> {
    /// Ring: the oldest is at `next` once it is full, at 0 before.
    values: Vec<T>,
    capacity: usize,
    next: usize,
}

/// What [`History`] reads and writes: its values, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HistoryState<T> {
    pub(super) capacity: usize,
    pub(super) values: Vec<T>,
}

/// Why a stored history is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HistoryError {
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
}

impl<T: Copy> History<T> {
    /// An empty history.
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

    /// Takes a value in, and the oldest out of a full history.
    pub fn push(&mut self, value: T) {
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

    /// Most values that it holds.
    pub fn capacity(&self) -> usize {
        self.capacity
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
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        let split = if self.is_full() { self.next } else { 0 };
        self.values[split..].iter().chain(&self.values[..split]).copied()
    }

    /// The values in no particular order, for what does not depend on it (a sum of floating-point numbers does).
    pub fn unordered(&self) -> &[T] {
        &self.values
    }

    /// The value that leaves next.
    pub fn oldest(&self) -> Option<T> {
        self.iter().next()
    }

    /// The value that came last.
    pub fn newest(&self) -> Option<T> {
        let last = self.next.checked_sub(1).unwrap_or(self.capacity - 1);
        self.values.get(last).copied()
    }
}

impl History<bool> {
    /// Share of the values that are true; `None` of none.
    pub fn share(&self) -> Option<f64> {
        let hits = self.values.iter().filter(|v| **v).count();
        (!self.is_empty()).then(|| hits as f64 / self.len() as f64)
    }
}

impl<T: Copy + PartialEq> PartialEq for History<T> {
    /// The same values in the same order, wherever they are in the ring.
    fn eq(&self, other: &Self) -> bool {
        self.capacity == other.capacity && self.iter().eq(other.iter())
    }
}

impl<T: Copy> TryFrom<HistoryState<T>> for History<T> {
    type Error = HistoryError;

    fn try_from(state: HistoryState<T>) -> Result<Self, HistoryError> {
        let HistoryState { capacity, values } = state;
        if !(1..=MAX_CAPACITY).contains(&capacity) {
            return Err(HistoryError::Capacity { found: capacity });
        }
        if values.len() > capacity {
            return Err(HistoryError::TooMany {
                found: values.len(),
                capacity,
            });
        }
        let mut history = Self::new(capacity);
        values.into_iter().for_each(|value| history.push(value));
        Ok(history)
    }
}

impl<T: Copy> From<History<T>> for HistoryState<T> {
    fn from(history: History<T>) -> Self {
        Self {
            capacity: history.capacity,
            values: history.iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_last_values_in_order() {
        let mut history = History::new(3);
        assert_eq!((history.oldest(), history.newest()), (None, None));
        for value in 1..=5 {
            history.push(value);
        }
        assert_eq!(history.iter().collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(
            (history.oldest(), history.newest(), history.is_full()),
            (Some(3), Some(5), true)
        );
        history.clear();
        assert!(history.is_empty() && !history.is_full());
    }

    #[test]
    fn a_share_counts_what_is_true() {
        let mut history = History::new(4);
        assert_eq!(history.share(), None);
        for value in [false, true, true, false, true] {
            history.push(value);
        }
        assert_eq!(history.share(), Some(0.75));
    }

    #[test]
    fn it_reads_back_equal_and_goes_on_alike() {
        let mut history = History::new(3);
        for value in 0..4_u8 {
            history.push(value);
        }
        let mut restored = History::try_from(HistoryState::from(history.clone())).expect("valid");
        assert_eq!(history, restored);
        history.push(9);
        restored.push(9);
        assert_eq!(history, restored);
    }

    #[test]
    fn a_damaged_history_is_refused() {
        let refused = |capacity, count| {
            History::try_from(HistoryState {
                capacity,
                values: vec![0_u8; count],
            })
            .expect_err("damaged")
            .to_string()
        };
        assert_eq!(refused(0, 0), "capacity 0; expected 1 to 256");
        assert_eq!(refused(257, 0), "capacity 257; expected 1 to 256");
        assert_eq!(refused(1, 2), "2 values; expected at most 1");
    }
}
