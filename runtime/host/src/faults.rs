//! [`Faults`]: faults injected on purpose, to see the tree heal. They enter in two places only: where an actor receives
//! a message ([`Hosted`](crate::hosting::Hosted)) and where a computation starts on its thread
//! ([`ComputePool`](crate::compute::ComputePool)).
//!
//! Invariants: off unless the node was started with it allowed; while nothing is armed a message pays one atomic load;
//! one injection is one fault, so that what restarts can recover; whatever stalls is let go by [`Faults::clear`].

use crate::clock::Stopwatch;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use rungs_types::Address;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Most addresses with a fault at a time.
pub const MAX_FAULTS: usize = 1024;
/// Longest delay of a message.
pub const MAX_FAULT_DELAY: Duration = Duration::from_secs(60);
/// Longest time that an injected spin burns a thread when nobody clears it.
pub const MAX_SPIN: Duration = Duration::from_secs(60);

/// A fault to inject into one actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Panics on its next message.
    Panic,
    /// Never finishes its next message, at an await: the actor can still be killed.
    StallAwait,
    /// Spins in its next computation, which nothing can interrupt. Only phases compute; other actors never hit it.
    StallSpin,
    /// Takes so many milliseconds longer for each message, until cleared.
    DelayMs(u64),
    /// Loses its next messages, so many.
    Drop(u32),
}

/// Why a fault is not injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The node does not allow it.
    #[error("fault injection is off; expected a node started with --allow-faults")]
    NotAllowed,
    /// [`MAX_FAULTS`] are armed.
    #[error("{MAX_FAULTS} faults are armed; expected fewer")]
    TooMany,
    /// Longer than [`MAX_FAULT_DELAY`].
    #[error("a delay of {found_ms} ms; expected at most {} ms", MAX_FAULT_DELAY.as_millis())]
    TooLong {
        /// The delay.
        found_ms: u64,
    },
}

/// What becomes of a message at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It is handled.
    Deliver,
    /// It is lost.
    Drop,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    // A stall that somebody is in; it is not hit again.
    hit: bool,
    release: Arc<Release>,
}

#[derive(Debug, Default)]
struct Release {
    open: AtomicBool,
    notify: Notify,
}

impl Release {
    fn open(&self) {
        self.open.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    async fn wait(&self) {
        let notified = self.notify.notified();
        if !self.open.load(Ordering::Acquire) {
            notified.await;
        }
    }

    fn spin(&self) {
        let watch = Stopwatch::start();
        while !self.open.load(Ordering::Acquire) && watch.elapsed() < MAX_SPIN {
            std::hint::spin_loop();
        }
    }
}

/// The faults of a node.
#[derive(Debug, Default)]
pub struct Faults {
    allowed: bool,
    armed: AtomicUsize,
    table: DashMap<Address, Armed>,
}

impl Faults {
    /// None, and none can be injected.
    pub fn off() -> Arc<Self> {
        Arc::default()
    }

    /// None yet.
    pub fn allowed() -> Arc<Self> {
        Arc::new(Self {
            allowed: true,
            ..Self::default()
        })
    }

    /// Arms a fault; replaces, and lets go, the one before at the same address.
    pub fn inject(&self, address: Address, fault: Fault) -> Result<(), FaultError> {
        if !self.allowed {
            return Err(FaultError::NotAllowed);
        }
        if let Fault::DelayMs(found_ms) = fault
            && Duration::from_millis(found_ms) > MAX_FAULT_DELAY
        {
            return Err(FaultError::TooLong { found_ms });
        }
        if self.armed.load(Ordering::Acquire) >= MAX_FAULTS && !self.table.contains_key(&address) {
            return Err(FaultError::TooMany);
        }
        tracing::warn!(%address, ?fault, "fault injected");
        let armed = Armed {
            fault,
            hit: false,
            release: Arc::default(),
        };
        match self.table.insert(address, armed) {
            Some(before) => before.release.open(),
            None => drop(self.armed.fetch_add(1, Ordering::AcqRel)),
        }
        Ok(())
    }

    /// Takes the fault of an address away and lets go whoever is stalled in it; `false` if there was none.
    pub fn clear(&self, address: &Address) -> bool {
        let removed = self.table.remove(address);
        if let Some((_, armed)) = &removed {
            armed.release.open();
            self.armed.fetch_sub(1, Ordering::AcqRel);
        }
        removed.is_some()
    }

    /// What is armed or being stalled in, sorted by address.
    pub fn list(&self) -> Vec<(Address, Fault)> {
        let rows = self.table.iter().map(|entry| (entry.key().clone(), entry.fault));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        rows
    }

    /// The gate before each message of an actor.
    ///
    /// # Panics
    /// When told to.
    pub async fn on_message(&self, address: &Address) -> Gate {
        if self.armed.load(Ordering::Acquire) == 0 {
            return Gate::Deliver;
        }
        match self.hit(address, |fault| fault != Fault::StallSpin) {
            Some((Fault::Panic, _)) => panic!("injected fault"),
            Some((Fault::StallAwait, release)) => release.wait().await,
            Some((Fault::DelayMs(ms), _)) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Some((Fault::Drop(_), _)) => return Gate::Drop,
            Some((Fault::StallSpin, _)) | None => {}
        }
        Gate::Deliver
    }

    /// The gate before each computation of an actor, on the thread that computes.
    pub fn on_compute(&self, address: &Address) {
        if self.armed.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some((_, release)) = self.hit(address, |fault| fault == Fault::StallSpin) {
            release.spin();
        }
    }

    /// Uses the fault at an address up, if it belongs here and is not in use. Returns before anything waits, so that no
    /// lock is held.
    fn hit(&self, address: &Address, belongs: impl FnOnce(Fault) -> bool) -> Option<(Fault, Arc<Release>)> {
        let Entry::Occupied(mut entry) = self.table.entry(address.clone()) else {
            return None;
        };
        let armed = entry.get_mut();
        if armed.hit || !belongs(armed.fault) {
            return None;
        }
        let hit = (armed.fault, Arc::clone(&armed.release));
        let used_up = match &mut armed.fault {
            Fault::Panic => true,
            Fault::Drop(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            Fault::StallAwait | Fault::StallSpin => {
                armed.hit = true;
                false
            }
            Fault::DelayMs(_) => false,
        };
        if used_up {
            entry.remove();
            self.armed.fetch_sub(1, Ordering::AcqRel);
        }
        Some(hit)
    }
}

#[cfg(test)]
mod tests;
