//! [`Meter`]: what an agent costs, summed over its actors: computing time, messages, bytes. Whoever enforces a quota
//! reads it; nothing is decided here.

use crate::clock::Stopwatch;
use serde::{Deserialize, Serialize};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The costs of one agent (or of whatever it is given to). Counters only rise, except `state_bytes`, a gauge.
#[derive(Debug, Default)]
pub struct Meter {
    busy_nanos: AtomicU64,
    messages: AtomicU64,
    state_bytes: AtomicU64,
}

/// The costs up to now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MeterReading {
    /// Time spent polling its futures and running its computations, in nanoseconds.
    pub busy_nanos: u64,
    /// Messages its actors handled.
    pub messages: u64,
    /// Bytes of its state and last snapshot, as last reported.
    pub state_bytes: u64,
}

impl Meter {
    /// Adds computing time.
    pub fn add_busy(&self, busy: Duration) {
        let nanos = busy.as_nanos().try_into().unwrap_or(u64::MAX);
        self.busy_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Counts one handled message.
    pub fn count_message(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// Replaces the gauge of bytes held.
    pub fn set_state_bytes(&self, bytes: u64) {
        self.state_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The costs up to now.
    pub fn read(&self) -> MeterReading {
        MeterReading {
            busy_nanos: self.busy_nanos.load(Ordering::Relaxed),
            messages: self.messages.load(Ordering::Relaxed),
            state_bytes: self.state_bytes.load(Ordering::Relaxed),
        }
    }

    /// Runs a computation and adds the time it took, also when it panics.
    pub fn measure<T>(&self, compute: impl FnOnce() -> T) -> T {
        let _lap = Lap::start(self);
        compute()
    }

    /// Awaits a future and adds the time it spends in `poll`; the time it waits is free.
    pub async fn metered<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| self.measure(|| future.as_mut().poll(context))).await
    }
}

/// Adds its lifetime to a meter when dropped.
struct Lap<'a> {
    meter: &'a Meter,
    watch: Stopwatch,
}

impl<'a> Lap<'a> {
    fn start(meter: &'a Meter) -> Self {
        let watch = Stopwatch::start();
        Self { meter, watch }
    }
}

impl Drop for Lap<'_> {
    fn drop(&mut self) {
        self.meter.add_busy(self.watch.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes until so much real time has passed.
    fn compute(busy: Duration) {
        let watch = Stopwatch::start();
        while watch.elapsed() < busy {
            std::hint::spin_loop();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_time_spent_polling_counts() {
        let meter = Meter::default();
        let busy = Duration::from_millis(2);
        let work = async {
            compute(busy);
            tokio::time::sleep(Duration::from_secs(3600)).await;
            compute(busy);
            7
        };
        assert_eq!(meter.metered(work).await, 7);
        let spent = Duration::from_nanos(meter.read().busy_nanos);
        assert!(spent >= busy * 2 && spent < Duration::from_secs(600), "{spent:?}");
    }

    #[test]
    fn a_panicking_computation_is_charged_too() {
        let meter = Meter::default();
        let faulty = std::panic::AssertUnwindSafe(|| {
            meter.measure(|| {
                compute(Duration::from_millis(1));
                panic!("no")
            })
        });
        std::panic::catch_unwind(faulty)
            .map(|()| "returned")
            .expect_err("panics");
        assert!(meter.read().busy_nanos >= 1_000_000);
    }

    #[test]
    fn counters_rise_and_the_gauge_is_replaced() {
        let meter = Meter::default();
        meter.count_message();
        meter.count_message();
        meter.set_state_bytes(10);
        meter.set_state_bytes(4);
        let reading = meter.read();
        assert_eq!((reading.messages, reading.state_bytes), (2, 4));
    }
}
