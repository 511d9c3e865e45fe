//! How far two clocks are apart, checked when a node joins.
//!
//! Leases do not depend on it (see `lease`); durable timers and deadlines that name a time of day do, and a node whose
//! clock is wrong would fire them early or late.

use std::time::Duration;

/// How far two clocks that show the time of day may be apart.
pub const MAX_SKEW: Duration = Duration::from_millis(500);

/// A question for another node's time of day, and its answer. Milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSample {
    /// When it was asked, by the asker.
    pub sent_ms: u64,
    /// When it answered, by its own clock.
    pub theirs_ms: u64,
    /// When the answer came, by the asker.
    pub received_ms: u64,
}

/// What a sample says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skew {
    /// The clocks are certainly no further apart than [`MAX_SKEW`].
    Within,
    /// They certainly are: set the clock right. Positive if this node's is behind.
    Beyond {
        /// By how much, to the nearest that the round trip allows.
        ahead_ms: i64,
    },
    /// The answer took too long to say. Ask again.
    Unclear,
}

impl ClockSample {
    /// The other clock was read at some moment between question and answer, so the difference is known to half of the
    /// time in between (Cristian, 1989).
    pub fn skew(&self) -> Skew {
        let Some(round_trip) = self.received_ms.checked_sub(self.sent_ms) else {
            // The own clock was set in between.
            return Skew::Unclear;
        };
        let middle = i128::from(self.sent_ms) + i128::from(round_trip / 2);
        let ahead = i128::from(self.theirs_ms) - middle;
        let doubt = i128::from(round_trip.div_ceil(2));
        let limit = MAX_SKEW.as_millis() as i128;
        if ahead.abs() + doubt <= limit {
            Skew::Within
        } else if ahead.abs() - doubt > limit {
            let ahead_ms = i64::try_from(ahead).unwrap_or(if ahead < 0 { i64::MIN } else { i64::MAX });
            Skew::Beyond { ahead_ms }
        } else {
            Skew::Unclear
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skew(sent_ms: u64, theirs_ms: u64, received_ms: u64) -> Skew {
        let sample = ClockSample {
            sent_ms,
            theirs_ms,
            received_ms,
        };
        sample.skew()
    }

    #[test]
    fn clocks_are_within_or_beyond_the_bound_or_it_is_not_clear() {
        assert_eq!(skew(10_000, 10_010, 10_020), Skew::Within);
        assert_eq!(skew(10_000, 10_500, 10_020), Skew::Within);
        assert_eq!(skew(10_000, 9_520, 10_020), Skew::Within);
        assert_eq!(skew(10_000, 10_501, 10_020), Skew::Unclear);
        assert_eq!(skew(10_000, 10_521, 10_020), Skew::Beyond { ahead_ms: 511 });
        assert_eq!(skew(10_000, 9_499, 10_020), Skew::Beyond { ahead_ms: -511 });
        assert_eq!(skew(10_000, 10_500, 11_002), Skew::Unclear);
        assert_eq!(skew(10_000, 10_000, 9_999), Skew::Unclear);
        assert_eq!(skew(0, u64::MAX, 0), Skew::Beyond { ahead_ms: i64::MAX });
    }
}
