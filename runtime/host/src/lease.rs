//! [`SteadyClock`] and [`LeaseGate`]: whether a node may act at this moment.
//!
//! A node acts in the name of what it owns only while its lease holds. Whoever renews the lease says until when, and whoever is
//! about to act looks, so that a process that slept through the end of its lease, with all its threads, does nothing when
//! it wakes up.

use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// A clock that is never set and, where the system has one that does, runs on while the machine sleeps. It counts
/// milliseconds and means nothing on another machine.
#[derive(Debug, Clone, Copy)]
pub enum SteadyClock {
    /// The machine's.
    Machine,
    /// Tokio's since some moment, which tests can pause.
    Tokio(Instant),
}

impl SteadyClock {
    /// Now, in milliseconds.
    pub fn ms(&self) -> u64 {
        match self {
            Self::Machine => machine_ms(),
            Self::Tokio(since) => u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(target_os = "linux")]
const STEADY: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const STEADY: ClockId = ClockId::Monotonic;

fn machine_ms() -> u64 {
    let time = clock_gettime(STEADY);
    // Neither is negative: the clock began at 0 when the machine did.
    time.tv_sec.unsigned_abs() * 1_000 + time.tv_nsec.unsigned_abs() / 1_000_000
}

/// See the module. Cheap to clone; clones are the same gate.
#[derive(Debug, Clone)]
pub struct LeaseGate(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    clock: SteadyClock,
    /// In the clock's milliseconds; before it the gate is open.
    until_ms: AtomicU64,
}

impl LeaseGate {
    /// A gate that is closed until it is opened.
    pub fn closed(clock: SteadyClock) -> Self {
        Self(Arc::new(Gate {
            clock,
            until_ms: AtomicU64::new(0),
        }))
    }

    /// A gate that nobody closes: of a program without a cluster.
    pub fn always_open() -> Self {
        let gate = Self::closed(SteadyClock::Machine);
        gate.open_until(u64::MAX);
        gate
    }

    /// The clock that it goes by.
    pub fn clock(&self) -> SteadyClock {
        self.0.clock
    }

    /// Opens it until a moment, in the milliseconds of its clock; closes it if that is over.
    pub fn open_until(&self, until_ms: u64) {
        self.0.until_ms.store(until_ms, Ordering::Release);
    }

    /// Whether the node may act.
    pub fn is_open(&self) -> bool {
        let until = self.0.until_ms.load(Ordering::Acquire);
        until == u64::MAX || self.0.clock.ms() < until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_gate_closes_by_itself_when_the_lease_is_over() {
        let gate = LeaseGate::closed(SteadyClock::Tokio(Instant::now()));
        assert!(!gate.is_open());
        gate.open_until(1_500);
        tokio::time::advance(Duration::from_millis(1_499)).await;
        assert!(gate.clone().is_open());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!gate.is_open());
        gate.open_until(2_000);
        assert!(gate.is_open());
        gate.open_until(0);
        assert!(!gate.is_open());
        assert!(LeaseGate::always_open().is_open());
    }

    #[test]
    fn the_machines_clock_goes_on() {
        let before = SteadyClock::Machine.ms();
        assert!(before > 0);
        assert!(SteadyClock::Machine.ms() >= before);
    }
}
