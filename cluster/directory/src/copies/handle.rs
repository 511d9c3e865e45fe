//! [`Copies`]: what the node does with the copies of snapshots, its own and those of others.

use super::actor::{CopiesActor, address, mailbox};
use super::index::Index;
use super::messages::DropCopies;
use super::outgoing::Outgoing;
use super::recall::{Arrivals, GET_DEADLINE};
use super::sender::{self, PUT_DEADLINE};
use super::shelf::Shelf;
use crate::placement::Shard;
use ractor::{Actor, ActorCell, SpawnErr};
use rungs_host::supervisor::Started;
use rungs_host::{Context, Format, Handle, Payload, Refusal};
use rungs_mesh::{Mesh, Outbound};
use rungs_store::cluster::Store;
use rungs_store::{Snapshot, Snapshots, Stamp, StoreError};
use rungs_types::{AgentId, Epoch, NodeName};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether everything has been copied, by who waits for it.
const SETTLE_LOOK: Duration = Duration::from_millis(20);

/// What copying needs of its node.
pub struct CopiesParts {
    /// The node.
    pub node: NodeName,
    /// The way to the others.
    pub mesh: Mesh,
    /// Where the index is.
    pub store: Arc<dyn Store>,
    /// The snapshots of the node's own agents, followed by `outgoing`.
    pub snapshots: Snapshots,
    /// What has been written and not yet copied.
    pub outgoing: Arc<Outgoing>,
    /// The copies that it holds for others.
    pub shelf: Shelf,
}

impl CopiesParts {
    pub(super) fn is_up(&self, node: &NodeName) -> bool {
        self.mesh.peers().contains_key(node)
    }
}

/// The last snapshot of an agent that is on this node, as a copy or of its own.
pub(super) async fn newest(
    parts: &CopiesParts,
    agent: &AgentId,
    newest_version: u16,
) -> Result<Option<Snapshot>, StoreError> {
    let own = parts.snapshots.latest(agent.clone(), newest_version).await?.snapshot;
    let copy = parts.shelf.get(agent, newest_version).await?;
    Ok(own.into_iter().chain(copy).max_by_key(|snapshot| snapshot.meta.stamp()))
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Copies {
    pub(super) parts: Arc<CopiesParts>,
    pub(super) index: Arc<Index>,
    pub(super) arrivals: Arc<Arrivals>,
}

impl std::fmt::Debug for Copies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copies")
            .field("node", &self.parts.node)
            .finish_non_exhaustive()
    }
}

impl Copies {
    /// Nothing runs yet.
    pub fn new(parts: CopiesParts) -> Self {
        let index = Index::new(parts.node.clone(), Arc::clone(&parts.store));
        Self {
            parts: Arc::new(parts),
            index: Arc::new(index),
            arrivals: Arc::default(),
        }
    }

    /// Starts `@node/copies` below its supervisor.
    ///
    /// # Errors
    /// If the actor does not start.
    pub async fn start(&self, supervisor: ActorCell) -> Result<Started, SpawnErr> {
        let mailbox = Arc::new(mailbox());
        let actor = CopiesActor {
            parts: Arc::clone(&self.parts),
            index: Arc::clone(&self.index),
            mailbox: Arc::clone(&mailbox),
        };
        let (actor, _) = Actor::spawn_linked(None, actor, (), supervisor).await?;
        Ok(Started::from(&Handle::sharing(actor, mailbox)))
    }

    /// An agent has come to rest: it writes no snapshot until it starts again.
    pub fn rested(&self, agent: &AgentId) {
        self.parts.outgoing.rested(agent);
    }

    /// An agent is no more: its copies need not be kept, nor the index name it. What cannot be done now is left: a copy that
    /// stays takes room until others need it.
    pub async fn forget(&self, agent: &AgentId) {
        if self.parts.outgoing.holders.alone() {
            return;
        }
        let shard = Shard::of(agent);
        let unsent = tokio::time::timeout(PUT_DEADLINE, async {
            loop {
                if let Ok(known) = self.parts.outgoing.forget_unsent(agent) {
                    return known;
                }
                tokio::time::sleep(SETTLE_LOOK).await;
            }
        });
        let known = unsent
            .await
            .unwrap_or(None)
            .or_else(|| self.parts.outgoing.forget(agent));
        // One that rests is not followed any more; the index knows who has its copies.
        let indexed = self.index.get(agent).await.ok().flatten();
        let holder = known.as_ref().and_then(|(_, holder)| holder.clone());
        let holder = holder.or_else(|| indexed.as_ref()?.holder.clone());
        let last = known
            .map(|(stamp, _)| stamp)
            .max(indexed.map(|indexed| indexed.stamp()));
        let deleted = self.index.delete(agent, self.parts.outgoing.epoch_of(shard)).await;
        if let Err(error) = deleted {
            tracing::warn!(%agent, %error, "the index still names a snapshot of an agent that is no more");
        }
        if let (Some(holder), Some(last)) = (holder, last)
            && let Err(refusal) = self.drop_at(&holder, agent, last).await
        {
            tracing::debug!(%agent, %holder, %refusal, "the copies of an agent that is no more stay");
        }
    }

    async fn drop_at(&self, holder: &NodeName, agent: &AgentId, last: Stamp) -> Result<bool, Refusal> {
        let message = DropCopies {
            agent: agent.clone(),
            epoch: last.epoch,
            sequence: last.sequence,
        };
        let payload = Payload::of(&message, Format::Binary)?;
        let to = address(holder);
        let message = Outbound {
            to: &to,
            payload: &payload,
            context: &Context::default(),
            sent_by: None,
        };
        self.parts.mesh.ask(holder, message, GET_DEADLINE).await?.decode()
    }

    /// Waits until every snapshot whose holder is up has been copied, and the index names what it does not name yet: for a
    /// node that stops. `false` if that is not done in time.
    pub async fn settle(&self, within: Duration) -> bool {
        let settled = async {
            while self.parts.outgoing.is_busy(|node| self.parts.is_up(node)) {
                // Looked at, not waited for: also a holder that goes down ends this.
                tokio::time::sleep(SETTLE_LOOK).await;
            }
            sender::index_round(&self.parts, &self.index, 0).await;
        };
        tokio::time::timeout(within, settled).await.is_ok()
    }

    /// How old the oldest snapshot is of which no other node has confirmed a copy, nor of a later one of its agent; zero
    /// if there is none. None for a node that is alone.
    pub fn age(&self) -> Option<Duration> {
        self.parts.outgoing.age()
    }

    /// The epoch in which agents of a shard were started here last.
    pub fn epoch(&self, shard: Shard) -> Epoch {
        self.parts.outgoing.epoch_of(shard)
    }
}
