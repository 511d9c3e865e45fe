//! [`Latencies`]: how long things of one sort took on this node, counted without a lock by whoever does them.
//!
//! A duration falls into one of sixteen parts of its power of two in microseconds, so that a quantile is too large by at most
//! a sixteenth. Counts only rise; what lies between two readings is their difference.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Parts of each power of two.
const PARTS: u64 = 16;
/// log2 of [`PARTS`].
const PART_BITS: u32 = PARTS.ilog2();
/// Powers of two that are told apart: up to 2^36 microseconds, 19 hours. What is longer counts as that.
const POWERS: usize = 36;
const BUCKETS: usize = (POWERS - PART_BITS as usize + 1) * PARTS as usize;

/// See the module.
#[derive(Debug)]
pub struct Latencies {
    counts: Box<[AtomicU64]>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

/// The counts at one moment; by default, before anything was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatencyReading {
    counts: Vec<u64>,
}

impl Latencies {
    /// Counts one.
    pub fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros)].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts up to now.
    pub fn read(&self) -> LatencyReading {
        LatencyReading {
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
        }
    }
}

impl LatencyReading {
    /// What was counted since an earlier reading of the same.
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let pairs = self.counts.iter().zip(before);
        Self {
            counts: pairs.map(|(now, before)| now.saturating_sub(before)).collect(),
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The duration that a share of all, in (0, 1], does not exceed, rounded up to the end of its part; `None` of nothing.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        let rank = ((count as f64 * share).ceil() as u64).clamp(1, count.max(1));
        let mut below = 0;
        let bucket = self.counts.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        Some(Duration::from_micros(most(bucket)))
    }
}

/// The part that so many microseconds fall into. Below [`PARTS`] each has its own.
fn bucket(micros: u64) -> usize {
    let Some(power) = micros.checked_ilog2().filter(|power| *power >= PART_BITS) else {
        return micros as usize;
    };
    let shift = power - PART_BITS;
    let part = (micros >> shift) - PARTS;
    let index = u64::from(shift + 1) * PARTS + part;
    (index as usize).min(BUCKETS - 1)
}

/// The most microseconds that fall into a part.
fn most(bucket: usize) -> u64 {
    let (power, part) = (bucket as u64 / PARTS, bucket as u64 % PARTS);
    match power {
        0 => part,
        power => ((PARTS + part + 1) << (power - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_begins_where_the_one_before_ends() {
        assert_eq!((most(15), most(16), most(31), most(32), most(47)), (15, 16, 31, 33, 63));
        for part in 0..BUCKETS - 1 {
            assert_eq!(bucket(most(part)), part, "the end of {part}");
            assert_eq!(bucket(most(part) + 1), part + 1, "behind {part}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1, "more than is told apart");
    }

    #[test]
    fn a_quantile_is_at_most_a_sixteenth_too_large() {
        let latencies = Latencies::default();
        (1..=1000).for_each(|ms| latencies.note(Duration::from_millis(ms)));
        let reading = latencies.read();
        assert_eq!(reading.count(), 1000);
        for (share, exact) in [(0.001, 1.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = reading.quantile(share).expect("there are some").as_secs_f64() * 1e3;
            assert!((exact..=exact * 17.0 / 16.0).contains(&found), "{share}: {found}");
        }
    }

    #[test]
    fn of_nothing_there_is_no_quantile() {
        let latencies = Latencies::default();
        assert_eq!(latencies.read().quantile(0.99), None);
        latencies.note(Duration::from_micros(7));
        let before = latencies.read();
        latencies.note(Duration::from_micros(9));
        let since = latencies.read().since(&before);
        assert_eq!(
            (since.count(), since.quantile(0.5)),
            (1, Some(Duration::from_micros(9)))
        );
        assert_eq!(before.since(&before).quantile(0.5), None);
    }
}
