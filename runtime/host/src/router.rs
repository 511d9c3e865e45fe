//! [`Router`]: how a message finds its actor, wherever it lives. The directory of a cluster implements it; this crate
//! and the agents know only the trait.

use crate::events::EventStream;
use crate::wire::{Payload, Refusal};
use futures::future::BoxFuture;
use rungs_types::{Address, AgentId, NodeName};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Which events a subscriber wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EventFilter {
    /// Only of this agent; `None` for all.
    pub agent: Option<AgentId>,
    /// Also the frequent status events, not only changes.
    pub status: bool,
}

/// Sends by address. Delivery: `tell` at most once; `ask` with a deadline, and an error that says whether the message
/// may have been executed. First in, first out for one sender and one receiver while the receiver stays where it is.
pub trait Router: Send + Sync + 'static {
    /// Sends and does not wait for the actor; `Ok` means that the owner's mailbox or the link to it took the message.
    fn tell(&self, to: Address, payload: Payload) -> BoxFuture<'_, Result<(), Refusal>>;

    /// Sends and waits for the answer, at most `deadline`.
    fn ask(&self, to: Address, payload: Payload, deadline: Duration) -> BoxFuture<'_, Result<Payload, Refusal>>;

    /// The configured members of the cluster, sorted; some may be down.
    fn members(&self) -> Vec<NodeName>;

    /// The node on which the actor of this address lives, or would live if it were started.
    fn owner<'a>(&'a self, of: &'a Address) -> BoxFuture<'a, Result<NodeName, Refusal>>;

    /// Streams the events of agents anywhere in the cluster.
    fn subscribe(&self, filter: EventFilter) -> BoxFuture<'_, Result<EventStream, Refusal>>;
}
