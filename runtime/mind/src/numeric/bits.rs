//! The last yes-or-no outcomes, one bit each: what shares of a window are counted with.

use serde::{Deserialize, Serialize};

/// Most outcomes that a window remembers.
pub const MAX_CAPACITY: u16 = 256;

/// A window of at most [`MAX_CAPACITY`] outcomes in 40 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawBits", into = "RawBits")]
pub struct BitWindow {
    words: [u64; 4],
    capacity: u16,
    len: u16,
    /// Where the next outcome goes.
    next: u16,
}

impl BitWindow {
    /// An empty window.
    ///
    /// # Panics
    /// On a capacity outside 1..=[`MAX_CAPACITY`]: it is a constant of the caller.
    pub fn new(capacity: u16) -> Self {
        assert!(
            (1..=MAX_CAPACITY).contains(&capacity),
            "a capacity of 1 to {MAX_CAPACITY}"
        );
        Self {
            words: [0; 4],
            capacity,
            len: 0,
            next: 0,
        }
    }

    /// Takes an outcome in, and the oldest out of a full window.
    pub fn push(&mut self, outcome: bool) {
        let (word, bit) = (usize::from(self.next / 64), self.next % 64);
        self.words[word] = self.words[word] & !(1 << bit) | u64::from(outcome) << bit;
        self.next = (self.next + 1) % self.capacity;
        self.len = (self.len + 1).min(self.capacity);
    }

    /// Outcomes held.
    pub fn len(&self) -> u16 {
        self.len
    }

    /// No outcome is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Outcomes held that are yes.
    pub fn count(&self) -> u16 {
        // Bits beyond `len` are 0: they are written only by `push`, and `clear` zeroes all.
        self.words.iter().map(|word| word.count_ones() as u16).sum()
    }

    /// The share that is yes; `None` of none.
    pub fn share(&self) -> Option<f64> {
        (self.len > 0).then(|| f64::from(self.count()) / f64::from(self.len))
    }

    /// Forgets all outcomes.
    pub fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }
}

/// What [`BitWindow`] reads and writes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RawBits {
    words: [u64; 4],
    capacity: u16,
    len: u16,
    next: u16,
}

/// A stored window that no sequence of outcomes could have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("capacity {capacity}, length {len}, next {next}; expected next below capacity, len at most capacity <= 256")]
pub struct BitsError {
    capacity: u16,
    len: u16,
    next: u16,
}

impl TryFrom<RawBits> for BitWindow {
    type Error = BitsError;

    fn try_from(raw: RawBits) -> Result<Self, BitsError> {
        let RawBits {
            words,
            capacity,
            len,
            next,
        } = raw;
        let filled = len == capacity || next == len;
        if !(1..=MAX_CAPACITY).contains(&capacity) || len > capacity || next >= capacity || !filled {
            return Err(BitsError { capacity, len, next });
        }
        let window = Self {
            words,
            capacity,
            len,
            next,
        };
        if (len..MAX_CAPACITY).any(|bit| words[usize::from(bit / 64)] >> (bit % 64) & 1 == 1) {
            return Err(BitsError { capacity, len, next });
        }
        Ok(window)
    }
}

impl From<BitWindow> for RawBits {
    fn from(window: BitWindow) -> Self {
        let BitWindow {
            words,
            capacity,
            len,
            next,
        } = window;
        Self {
            words,
            capacity,
            len,
            next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_the_last_outcomes_only() {
        let mut window = BitWindow::new(200);
        assert_eq!(window.share(), None);
        (0..100).for_each(|_| window.push(true));
        assert_eq!(window.share(), Some(1.0));
        (0..150).for_each(|_| window.push(false));
        assert_eq!((window.len(), window.count()), (200, 50), "50 of the 100 have left");
        window.clear();
        assert!(window.is_empty());
    }

    #[test]
    fn a_stored_window_reads_back_and_a_broken_one_is_refused() {
        let mut window = BitWindow::new(3);
        [true, false, true, true]
            .into_iter()
            .for_each(|outcome| window.push(outcome));
        assert_eq!(window.count(), 2, "false, true, true");
        assert_eq!(BitWindow::try_from(RawBits::from(window)), Ok(window));
        let raw = RawBits::from(window);
        for broken in [
            RawBits { capacity: 0, ..raw },
            RawBits { capacity: 257, ..raw },
            RawBits { len: 4, ..raw },
            RawBits { next: 3, ..raw },
            RawBits {
                words: [8, 0, 0, 0],
                ..raw
            },
            RawBits { len: 2, next: 1, ..raw },
        ] {
            assert!(BitWindow::try_from(broken).is_err(), "{broken:?}");
        }
    }
}
