//! [`Clock`]: the only place that reads the wall clock, and the mint of message ids and incarnations.
//!
//! Durations and deadlines are monotonic (tokio's clock, which tests pause). Wall-clock time is for people, for files
//! and for comparing with other nodes; it may jump, and nothing here breaks when it does.

use rungs_types::{Incarnation, MessageId};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use uuid::{ContextV7, Timestamp, Uuid};

/// Largest offset that may be set, in milliseconds: one day.
pub const MAX_OFFSET_MS: i64 = 24 * 3600 * 1000;

#[derive(Debug)]
enum Source {
    /// The machine's clock.
    System,
    /// A time that moves with tokio's clock from a given start: for simulation and paused tests.
    Anchored { unix: Duration },
}

#[derive(Debug)]
struct Inner {
    source: Source,
    started: Instant,
    offset_ms: AtomicI64,
    // Cannot be shared without a lock; one id is minted per message that leaves the node.
    ids: Mutex<ContextV7>,
}

/// A cheap, cloneable clock; clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::new(Source::System)
    }

    /// A clock that shows `unix_ms` now and then moves with tokio's time, also when that is paused.
    pub fn anchored(unix_ms: u64) -> Self {
        let unix = Duration::from_millis(unix_ms);
        Self::new(Source::Anchored { unix })
    }

    fn new(source: Source) -> Self {
        Self(Arc::new(Inner {
            source,
            started: Instant::now(),
            offset_ms: AtomicI64::new(0),
            ids: Mutex::new(ContextV7::new()),
        }))
    }

    /// Monotonic time, for deadlines.
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Monotonic time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Wall-clock time in milliseconds since 1970, with the offset.
    pub fn unix_ms(&self) -> u64 {
        self.unix().as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// Makes the wall clock wrong on purpose, to test that nothing depends on it; cut at [`MAX_OFFSET_MS`].
    pub fn set_offset_ms(&self, offset_ms: i64) {
        let offset_ms = offset_ms.clamp(-MAX_OFFSET_MS, MAX_OFFSET_MS);
        self.0.offset_ms.store(offset_ms, Ordering::Relaxed);
    }

    /// A new id (UUID version 7): unique in the cluster, and rising within this process unless the wall clock steps back.
    pub fn message_id(&self) -> MessageId {
        let unix = self.unix();
        let ids = self.0.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let timestamp = Timestamp::from_unix(&*ids, unix.as_secs(), unix.subsec_nanos());
        MessageId(Uuid::new_v7(timestamp))
    }

    /// The incarnation of a node that starts now: greater than the one before, also when the wall clock stepped back.
    pub fn incarnation(&self, previous: Option<Incarnation>) -> Incarnation {
        let least = previous.map_or(0, |Incarnation(number)| number.saturating_add(1));
        Incarnation(self.unix_ms().max(least))
    }

    fn unix(&self) -> Duration {
        let unix = match self.0.source {
            Source::System => system_time(),
            Source::Anchored { unix } => unix.saturating_add(self.elapsed()),
        };
        let offset_ms = self.0.offset_ms.load(Ordering::Relaxed);
        let offset = Duration::from_millis(offset_ms.unsigned_abs());
        if offset_ms < 0 {
            unix.saturating_sub(offset)
        } else {
            unix.saturating_add(offset)
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn system_time() -> Duration {
    // A machine whose clock is before 1970 counts from 1970.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A stopwatch for computing time, which must run also while tokio's clock is paused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[allow(
        clippy::disallowed_methods,
        reason = "computing time is real time, also in a paused test"
    )]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 3600 * 1000;

    #[tokio::test(start_paused = true)]
    async fn an_anchored_clock_moves_with_paused_time_and_its_offset() {
        let clock = Clock::anchored(DAY_MS * 20_000);
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(clock.unix_ms(), DAY_MS * 20_000 + 1500);
        assert_eq!(clock.elapsed(), Duration::from_millis(1500));
        clock.set_offset_ms(-3_600_000);
        assert_eq!(clock.unix_ms(), DAY_MS * 20_000 + 1500 - 3_600_000);
        assert_eq!(clock.elapsed(), Duration::from_millis(1500));
        clock.set_offset_ms(i64::MIN);
        assert_eq!(clock.unix_ms(), DAY_MS * 19_999 + 1500);
        clock.set_offset_ms(i64::MAX);
        assert_eq!(clock.unix_ms(), DAY_MS * 20_001 + 1500);
    }

    #[tokio::test(start_paused = true)]
    async fn time_before_1970_and_the_end_of_time_are_no_panic() {
        let first = Clock::anchored(0);
        first.set_offset_ms(-1);
        assert_eq!(first.unix_ms(), 0);
        let last = Clock::anchored(u64::MAX);
        last.set_offset_ms(1);
        assert_eq!(last.unix_ms(), u64::MAX);
        let _some_id = last.message_id();
    }

    #[tokio::test(start_paused = true)]
    async fn message_ids_rise_within_one_millisecond_and_differ_between_clocks() {
        let clock = Clock::anchored(DAY_MS * 20_000);
        let ids: Vec<_> = (0..1000).map(|_| clock.message_id()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids[0].0.get_version_num(), 7);
        let (seconds, _) = ids[999].0.get_timestamp().expect("version 7").to_unix();
        assert_eq!(seconds, DAY_MS * 20_000 / 1000);
        let other = Clock::anchored(DAY_MS * 20_000);
        assert_ne!(other.message_id(), ids[0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_incarnation_is_greater_than_the_one_before_whatever_the_clock_says() {
        let clock = Clock::anchored(5000);
        assert_eq!(clock.incarnation(None), Incarnation(5000));
        assert_eq!(clock.incarnation(Some(Incarnation(4000))), Incarnation(5000));
        assert_eq!(clock.incarnation(Some(Incarnation(9000))), Incarnation(9001));
    }

    #[tokio::test]
    async fn the_system_clock_shows_a_time_after_this_was_written() {
        assert!(Clock::system().unix_ms() > 1_785_000_000_000);
    }
}
