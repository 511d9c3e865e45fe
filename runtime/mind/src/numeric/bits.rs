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

    /// Most outcomes that it holds.
    pub fn capacity(&self) -> u16 {
        self.capacity
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

    /// How many outcomes are held, and how many of them are yes.
    pub fn tally(&self) -> Tally {
        Tally {
            len: self.len,
            count: self.count(),
        }
    }

    /// A window of this tally, the yes among the no at equal distances: when each of them came is lost.
    ///
    /// # Panics
    /// On a capacity outside 1..=[`MAX_CAPACITY`]: it is a constant of the caller.
    pub fn from_tally(capacity: u16, Tally { len, count }: Tally) -> Result<Self, BitsError> {
        let mut window = Self::new(capacity);
        if len > capacity || count > len {
            return Err(BitsError::Tally { capacity, len, count });
        }
        let before = |outcome: u16| u32::from(outcome) * u32::from(count) / u32::from(len);
        (0..len).for_each(|outcome| window.push(before(outcome + 1) > before(outcome)));
        Ok(window)
    }
}

/// What is kept of a window whose order does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Outcomes held.
    pub len: u16,
    /// Those of them that are yes.
    pub count: u16,
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
pub enum BitsError {
    /// The ring's numbers do not fit each other.
    #[error(
        "capacity {capacity}, length {len}, next {next}; expected next below capacity, len at most capacity <= 256"
    )]
    Ring {
        /// Most outcomes.
        capacity: u16,
        /// Outcomes held.
        len: u16,
        /// Where the next one goes.
        next: u16,
    },
    /// More are yes than are held, or more are held than fit.
    #[error("{count} of {len}; expected at most {capacity}")]
    Tally {
        /// Most outcomes.
        capacity: u16,
        /// Outcomes held.
        len: u16,
        /// Those that are yes.
        count: u16,
    },
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
            return Err(BitsError::Ring { capacity, len, next });
        }
        let window = Self {
            words,
            capacity,
            len,
            next,
        };
        if (len..MAX_CAPACITY).any(|bit| words[usize::from(bit / 64)] >> (bit % 64) & 1 == 1) {
            return Err(BitsError::Ring { capacity, len, next });
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

    #[test]
    fn a_window_of_a_tally_holds_as_many_evenly_and_an_impossible_tally_is_refused() {
        let window = BitWindow::from_tally(100, Tally { len: 60, count: 6 }).expect("possible");
        assert_eq!(window.tally(), Tally { len: 60, count: 6 });
        let mut half = window;
        // Forty fill it; thirty more push out half of the sixty.
        (0..70).for_each(|_| half.push(false));
        assert_eq!(half.count(), 3);
        assert!(BitWindow::from_tally(100, Tally { len: 101, count: 0 }).is_err());
        assert!(BitWindow::from_tally(100, Tally { len: 5, count: 6 }).is_err());
        assert!(BitWindow::from_tally(100, Tally::default()).expect("empty").is_empty());
    }
}
