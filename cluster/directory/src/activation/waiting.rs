//! What waits for agents that do not run yet: in order, bounded for each and for all together.

use rungs_types::{AgentId, ErrorCode};
use std::collections::VecDeque;
use std::time::Duration;

/// Something for an agent: a message with the way back to its sender, or anything else in a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel<T> {
    /// What.
    pub content: T,
    /// What it weighs, in bytes.
    pub bytes: u64,
    /// When nobody waits for it any more, since the start of the node.
    pub until: Duration,
}

/// Why something cannot be given to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody knows the agent.
    Unknown,
    /// Too much waits, for this agent or for all.
    Full,
    /// It has just failed to start; it is tried again after this time.
    Failing {
        /// From now on.
        retry_after: Duration,
    },
    /// It did not start in time.
    Late,
    /// Its shard is another node's.
    Moved,
}

impl Why {
    /// What the sender can do.
    pub fn code(self) -> ErrorCode {
        match self {
            Why::Unknown => ErrorCode::NotFound,
            Why::Full | Why::Failing { .. } => ErrorCode::Overloaded,
            Why::Late => ErrorCode::DeadlineExceeded,
            Why::Moved => ErrorCode::NodeDown,
        }
    }
}

/// What is given back, and why. Nothing of it was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwanted<T> {
    /// For whom it was.
    pub agent: AgentId,
    /// What.
    pub content: T,
    /// Why.
    pub why: Why,
}

/// The parcels of one agent.
#[derive(Debug, Clone)]
pub(super) struct Waiting<T> {
    parcels: VecDeque<Parcel<T>>,
    bytes: u64,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self {
            parcels: VecDeque::new(),
            bytes: 0,
        }
    }
}

/// What waits for all agents together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) parcels: usize,
    pub(super) bytes: u64,
}

impl<T> Waiting<T> {
    pub(super) fn push(&mut self, parcel: Parcel<T>, load: &mut Load) {
        self.bytes += parcel.bytes;
        load.bytes += parcel.bytes;
        load.parcels += 1;
        self.parcels.push_back(parcel);
    }

    pub(super) fn load(&self) -> Load {
        Load {
            parcels: self.parcels.len(),
            bytes: self.bytes,
        }
    }

    /// Takes all, in order.
    pub(super) fn take(&mut self, load: &mut Load) -> Vec<Parcel<T>> {
        load.parcels -= self.parcels.len();
        load.bytes -= self.bytes;
        self.bytes = 0;
        self.parcels.drain(..).collect()
    }

    /// Takes those that nobody waits for any more.
    pub(super) fn take_late(&mut self, now: Duration, load: &mut Load) -> Vec<Parcel<T>> {
        let (late, waiting): (VecDeque<_>, VecDeque<_>) =
            self.parcels.drain(..).partition(|parcel| parcel.until <= now);
        let bytes: u64 = late.iter().map(|parcel| parcel.bytes).sum();
        self.bytes -= bytes;
        load.bytes -= bytes;
        load.parcels -= late.len();
        self.parcels = waiting;
        late.into()
    }
}
