//! Agents and their messages: what is active on a node, and what waits there.

use rungs_directory::Shard;
use rungs_directory::placement::MapVersion;
use rungs_types::{AgentId, AgentName, Epoch};
use std::collections::VecDeque;

/// An agent of the simulation.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Who it is.
    pub id: AgentId,
    /// Its shard.
    pub shard: Shard,
}

/// So many agents.
pub fn agents(count: usize) -> Vec<Agent> {
    let of = |index: usize| {
        let name = AgentName::new(&format!("a{index}")).expect("a letter and digits");
        let id = AgentId::of_default_tenant(name);
        let shard = Shard::of(&id);
        Agent { id, shard }
    };
    (0..count).map(of).collect()
}

/// A message to an agent, which answers it when its effect is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Names it; never used again.
    pub id: u64,
    /// For whom, by its place.
    pub agent: usize,
    /// Who asked.
    pub origin: (usize, u64),
    /// By which map it was sent where it is; none where it began.
    pub sent_by: Option<MapVersion>,
}

/// What the one who asked hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// Certainly nothing happened; ask again.
    Refused,
    /// It may have been done.
    Unknown,
}

/// What an activation is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Waits for its state.
    Loading,
    /// Waits for messages.
    Idle,
    /// Handles one.
    Busy(Message),
}

/// An agent that is active on a node.
#[derive(Debug, Clone)]
pub struct Activation {
    /// Names it, in the whole simulation.
    pub number: u64,
    /// What it acts with.
    pub epoch: Epoch,
    /// What it does.
    pub work: Work,
    /// How many effects it knows of.
    pub base: usize,
    /// What it has not begun.
    pub queue: VecDeque<Message>,
    /// Whether it stops when it has finished what it does.
    pub is_releasing: bool,
}
