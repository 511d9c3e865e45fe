//! Time as a node reads it, and the times of the protocol of leases.

use std::fmt;
use std::time::Duration;

/// A reading of one node's steady clock, in milliseconds. It means nothing on another node and nothing after a restart.
///
/// The clock behind it has to run on while the machine sleeps (`CLOCK_BOOTTIME` on Linux), and is never set. A node that
/// slept through the end of its lease has to notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// This much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(ms))
    }

    /// How long ago an earlier reading was; nothing if it was later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}s", self.0 / 1_000, self.0 % 1_000)
    }
}

/// The times of the protocol. All nodes of a cluster have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timing {
    /// How long a lease holds. A node is dead when its lease was not renewed for this long.
    pub ttl: Duration,
    /// How long after the last renewal the next is sent.
    pub renew: Duration,
    /// By how much the clocks of two nodes may drift apart within `ttl`. Where they began does not matter.
    pub skew: Duration,
    /// How long it takes to stop all agents.
    pub stop: Duration,
    /// How long an answer of the store is waited for.
    pub answer: Duration,
    /// How long after a read of the store the next is due, if nothing asks for one earlier.
    pub read: Duration,
    /// How long the second in line waits for the first to change the map, the third for the second, and so on.
    pub stagger: Duration,
}

impl Timing {
    /// The times of a cluster.
    pub const DEFAULT: Self = Self {
        ttl: Duration::from_millis(6_000),
        renew: Duration::from_millis(2_000),
        skew: Duration::from_millis(500),
        stop: Duration::from_millis(500),
        answer: Duration::from_millis(1_000),
        read: Duration::from_millis(1_000),
        stagger: Duration::from_millis(500),
    };

    /// Whether a node can keep its lease: one renewal may get lost before it has to stop.
    pub fn check(&self) -> Result<(), TimingError> {
        let needed = self.renew + self.answer + self.answer + self.skew + self.stop;
        if needed > self.ttl || self.renew.is_zero() || self.answer.is_zero() || self.read.is_zero() {
            let ttl = self.ttl;
            return Err(TimingError { ttl, needed });
        }
        Ok(())
    }

    /// From the sending of a renewal to when its holder must have stopped.
    pub(super) fn holds(&self) -> Duration {
        self.ttl.saturating_sub(self.skew)
    }
}

/// A lease would end before its holder can renew it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a lease of {ttl:?} is too short: a renewal, two answers, skew and stop take {needed:?}, none of them zero")]
pub struct TimingError {
    /// The lease.
    pub ttl: Duration,
    /// What it has to last for.
    pub needed: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_outlasts_a_lost_renewal() {
        assert_eq!(Timing::DEFAULT.check(), Ok(()));
        let short = Timing {
            ttl: Duration::from_millis(4_999),
            ..Timing::DEFAULT
        };
        let (ttl, needed) = (short.ttl, Duration::from_millis(5_000));
        assert_eq!(short.check(), Err(TimingError { ttl, needed }));
        let never = Timing {
            renew: Duration::ZERO,
            ..Timing::DEFAULT
        };
        assert!(never.check().is_err());
    }

    #[test]
    fn time_does_not_run_backwards() {
        let (early, late) = (Time(1_500), Time(1_500).after(Duration::from_millis(20)));
        assert_eq!(late.since(early), Duration::from_millis(20));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.to_string(), "1.520s");
    }
}
