//! What an agent starts from: the last snapshot of it that is anywhere.
//!
//! When a shard has come, in an epoch of its own, its part of the index is read once, when the first of its agents starts.
//! Each agent is then looked for once: from then on this node alone writes its snapshots. So what is written meanwhile is
//! not waited for, and starting an agent for a second time asks nobody.

use super::actor::address;
use super::handle::Copies;
use super::index::Indexed;
use super::messages::{GetCopy, SnapshotCopy};
use crate::placement::Shard;
use rungs_host::{Context, Format, Payload, Refusal};
use rungs_mesh::Outbound;
use rungs_store::{Snapshot, StoreError};
use rungs_types::{AgentId, Epoch, ErrorCode, NodeName};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long a node may take to hand out a copy.
pub(super) const GET_DEADLINE: Duration = Duration::from_secs(1);

/// The agents of a shard that the index names and that have not been looked for yet. As many as the shard has.
type Unseen = Mutex<HashMap<AgentId, Indexed>>;

/// The shards that have come, each in its epoch.
#[derive(Default)]
pub(super) struct Arrivals(Mutex<HashMap<Shard, Arrival>>);

#[derive(Clone)]
struct Arrival {
    epoch: Epoch,
    unseen: Arc<OnceCell<Unseen>>,
}

impl Arrivals {
    /// The one of a shard in this epoch; what was known in an earlier one is forgotten.
    fn of(&self, shard: Shard, epoch: Epoch) -> Arc<OnceCell<Unseen>> {
        let mut arrivals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arrival {
            epoch,
            unseen: Arc::default(),
        };
        let arrival = arrivals.entry(shard).or_insert_with(new);
        if arrival.epoch != epoch {
            *arrival = new();
        }
        Arc::clone(&arrival.unseen)
    }
}

fn with<T>(unseen: &Unseen, act: impl FnOnce(&mut HashMap<AgentId, Indexed>) -> T) -> T {
    act(&mut unseen.lock().unwrap_or_else(PoisonError::into_inner))
}

fn refusal(error: &StoreError) -> Refusal {
    Refusal::new(ErrorCode::Internal, &error.to_string())
}

impl Copies {
    /// An agent starts, or runs already, in this epoch of its shard: what it writes from now on is of this epoch. Epochs
    /// never fall.
    pub fn enter(&self, agent: &AgentId, epoch: Epoch) {
        self.parts.outgoing.enter(Shard::of(agent), epoch);
    }

    /// Sees to it that the last snapshot of an agent is among this node's own, before the agent starts in an epoch of its
    /// shard. If a later one is known and cannot be had, the agent is told so with its latest snapshot
    /// ([`Latest::missing`](rungs_store::Latest::missing)).
    ///
    /// # Errors
    /// If the index cannot be read: to start from what happens to be here might be to go back in time. Or if the disk
    /// fails.
    pub async fn recall(&self, agent: &AgentId, epoch: Epoch, newest_version: u16) -> Result<(), Refusal> {
        self.enter(agent, epoch);
        if self.parts.outgoing.holders.alone() {
            return Ok(());
        }
        let shard = Shard::of(agent);
        let arrival = self.arrivals.of(shard, epoch);
        let unseen = arrival.get_or_try_init(|| self.arrive(shard)).await?;
        let known = with(unseen, |unseen| unseen.get(agent).cloned());
        if known.is_some() || self.parts.shelf.has(agent) {
            self.fetch(agent, known.as_ref(), newest_version).await?;
            with(unseen, |unseen| unseen.remove(agent));
        }
        Ok(())
    }

    async fn arrive(&self, shard: Shard) -> Result<Unseen, Refusal> {
        if let Err(error) = self.parts.shelf.load().await {
            tracing::warn!(%error, "the copies on this node cannot be read");
        }
        Ok(Mutex::new(self.index.of_shard(shard).await?))
    }

    /// Looks for the last snapshot of an agent, first here, then where the index says that it is.
    async fn fetch(&self, agent: &AgentId, known: Option<&Indexed>, newest_version: u16) -> Result<(), Refusal> {
        let parts = &self.parts;
        let own = parts.snapshots.latest(agent.clone(), newest_version).await;
        let own = own.map_err(|error| refusal(&error))?.snapshot;
        let own = own.map(|snapshot| snapshot.meta.stamp());
        let shelved = parts.shelf.get(agent, newest_version).await.unwrap_or_else(|error| {
            tracing::warn!(%agent, %error, "the copies on this node cannot be read");
            None
        });
        let mut best = shelved.filter(|copy| Some(copy.meta.stamp()) > own);
        let found = |best: &Option<Snapshot>| best.as_ref().map(|best| best.meta.stamp()).max(own);
        if let Some(known) = known {
            for node in self.who_may_have(agent, known) {
                if found(&best) >= Some(known.stamp()) {
                    break;
                }
                match self.get_from(&node, agent, known, newest_version).await {
                    Ok(copy) if copy.as_ref().map(|copy| copy.meta.stamp()) > found(&best) => best = copy,
                    Ok(_) => {}
                    Err(refusal) => tracing::info!(%agent, %node, %refusal, "no snapshot from a node that may have it"),
                }
            }
            if found(&best) < Some(known.stamp()) {
                parts.outgoing.note_missing(agent, known.stamp());
            }
        }
        if let Some(best) = best {
            let adopted = parts.snapshots.adopt(agent.clone(), best).await;
            adopted.map_err(|error| refusal(&error))?;
        }
        // What this node has on its own disk twice protects from nothing.
        if let Err(error) = parts.shelf.clear(agent).await {
            tracing::warn!(%agent, %error, "copies are not removed");
        }
        Ok(())
    }

    /// The nodes to ask, each once: who wrote it has all of them, who holds the copies nearly so, and who is to hold them
    /// now may have got them meanwhile.
    fn who_may_have(&self, agent: &AgentId, known: &Indexed) -> Vec<NodeName> {
        let present = self.parts.outgoing.holders.holder(Shard::of(agent));
        let all = [Some(known.writer.clone()), known.holder.clone(), present];
        let mut nodes = Vec::new();
        for node in all.into_iter().flatten() {
            if node != self.parts.node && !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        nodes
    }

    async fn get_from(
        &self,
        node: &NodeName,
        agent: &AgentId,
        known: &Indexed,
        newest_version: u16,
    ) -> Result<Option<Snapshot>, Refusal> {
        let question = GetCopy {
            agent: agent.clone(),
            newest_version,
        };
        let payload = Payload::of(&question, Format::Binary)?;
        let to = address(node);
        let message = Outbound {
            to: &to,
            payload: &payload,
            context: &Context::default(),
            sent_by: None,
        };
        let answer = self.parts.mesh.ask(node, message, GET_DEADLINE).await?;
        let Some(copy) = answer.decode::<Option<SnapshotCopy>>()? else {
            return Ok(None);
        };
        let wrong = |text: &str| Refusal::new(ErrorCode::Malformed, text);
        if copy.agent != *agent {
            return Err(wrong(&format!("{node} has sent a snapshot of {}", copy.agent)));
        }
        if copy.stamp() == known.stamp() && known.hash.is_some_and(|hash| hash != copy.hash) {
            return Err(wrong(&format!(
                "snapshot {} on {node} is not the one that the index names",
                known.stamp()
            )));
        }
        copy.checked().map(Some).map_err(|error| wrong(&error.to_string()))
    }
}
