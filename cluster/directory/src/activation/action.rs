//! What the activator is told and what it says is to be done.

use super::index::Index;
use super::waiting::{Parcel, Unwanted};
use crate::placement::Shard;
use rungs_types::{AgentId, Epoch};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<T> {
    /// Start the agent in this epoch; then tell [`Activator::started`](super::Activator::started).
    Activate {
        /// The agent.
        agent: AgentId,
        /// The epoch of its shard.
        epoch: Epoch,
    },
    /// Let the agent save its state and come to rest; then tell [`Activator::rested`](super::Activator::rested).
    Passivate {
        /// The agent.
        agent: AgentId,
    },
    /// Give these to the agent that runs, in this order.
    Deliver {
        /// The agent.
        agent: AgentId,
        /// What waited.
        contents: Vec<T>,
    },
    /// Give this back to its sender.
    GiveBack(Unwanted<T>),
    /// No agent of this shard runs here any more.
    Released {
        /// The shard.
        shard: Shard,
    },
}

/// Why an agent is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted<T> {
    /// There is something for it.
    For(Parcel<T>),
    /// It is to run: a timer, a goal, an operator.
    ToRun,
}

/// How an agent failed to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// There is no such agent: its record is gone.
    Unknown,
    /// It did not start, now.
    Failed,
}

/// A shard that comes to this node.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Which.
    pub shard: Shard,
    /// In which epoch it is this node's.
    pub epoch: Epoch,
    /// Its agents.
    pub known: Index,
    /// Those of them that run on this node already.
    pub running: Vec<AgentId>,
}
