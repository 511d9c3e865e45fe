//! The last values of a series, and which earlier stretch of them is nearest to the last.

/// Share of the values kept by which more are held, so that they move up once in so many.
const SPARE_SHARE: usize = 16;

/// The last value and so many before it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Past {
    kept: usize,
    /// The newest last; at most `most()`.
    values: Vec<f64>,
}

impl Past {
    /// With so many values before the last, at least 1.
    pub(super) fn new(kept: usize) -> Self {
        Self {
            kept: kept.max(1),
            values: Vec::new(),
        }
    }

    /// Values that are held at most.
    fn most(&self) -> usize {
        self.kept + 1 + self.kept / SPARE_SHARE
    }

    /// Takes in the next value.
    pub(super) fn push(&mut self, value: f64) {
        if self.values.len() == self.most() {
            // What is left is one less than is kept with the last, which comes now.
            self.values.drain(..self.most() - self.kept);
        }
        self.values.push(value);
    }

    /// Root mean square distance of the last `length` values to the nearest stretch of as many that ends before they
    /// begin, in units of the values; `None` while there is none. Infinite where a distance is beyond all numbers.
    pub(super) fn nearest(&self, length: usize) -> Option<f64> {
        let now = self.values.len().checked_sub(1)?;
        let (length, first) = (length.max(1), now.saturating_sub(self.kept));
        // Ends of stretches that lie within what is known.
        let (earliest, latest) = (first + length - 1, now.checked_sub(length)?);
        if latest < earliest {
            return None;
        }
        let last = &self.values[now + 1 - length..];
        let mut nearest = f64::INFINITY;
        for stretch in self.values[first..=latest].windows(length) {
            let mut sum = 0.0;
            for (a, b) in last.iter().zip(stretch).rev() {
                sum += (a - b) * (a - b);
                // Further than the nearest already: the rest cannot mend that.
                if sum >= nearest {
                    break;
                }
            }
            nearest = nearest.min(sum);
        }
        Some((nearest / length as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_stretch_is_the_one_that_every_comparison_finds() {
        // Of the last two, (4, 6): to (1, 5) sqrt((9 + 1)/2), to (5, 2) sqrt((1 + 16)/2), to (2, 9) sqrt((4 + 9)/2);
        // (9, 4) shares a value with it. The last alone: 6 is 1 from 5.
        let mut past = Past::new(8);
        [1.0, 5.0, 2.0, 9.0, 4.0, 6.0].into_iter().for_each(|v| past.push(v));
        assert_eq!(past.nearest(2), Some(5.0_f64.sqrt()));
        assert_eq!(past.nearest(1), Some(1.0));
        // (9, 4, 6) to (1, 5, 2): sqrt((64 + 1 + 16)/3).
        assert_eq!(past.nearest(3), Some(27.0_f64.sqrt()));
        assert_eq!(past.nearest(4), None, "two of four do not fit into six");
    }

    #[test]
    fn what_is_longer_ago_than_is_kept_is_forgotten_and_memory_does_not_grow() {
        let mut past = Past::new(32);
        for step in 0..1_000_u32 {
            past.push(f64::from(step));
            assert!(past.values.len() <= 35);
            // 32 before the last: the nearest is the one before, or of stretches of 16 the one that ends 16 before.
            let known = step.min(32);
            assert_eq!(past.nearest(1), (known >= 1).then_some(1.0), "{step}");
            assert_eq!(past.nearest(16), (known >= 31).then_some(16.0), "{step}");
        }
        past.push(0.0);
        assert_eq!(past.nearest(1), Some(968.0), "0 itself is long forgotten, 968 is not");
    }

    #[test]
    fn nothing_is_near_before_there_is_something_and_distances_may_be_infinite() {
        let mut past = Past::new(4);
        assert_eq!(past.nearest(1), None);
        past.push(1e200);
        assert_eq!(past.nearest(1), None);
        past.push(-1e200);
        assert_eq!(past.nearest(1), Some(f64::INFINITY));
    }
}
