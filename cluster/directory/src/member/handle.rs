//! [`MemberHandle`]: the way to a node's membership, also after its actor was started again.

use super::actor::{MAX_BYTES, MAX_MESSAGES, MemberActor, MemberMessage, Shards};
use crate::membership::{Identity, Notice, Predecessor, Timing};
use crate::placement::{MapVersion, Shard};
use crate::routing::Routes;
use ractor::{Actor, ActorCell, SpawnErr};
use rungs_host::supervisor::Started;
use rungs_host::{Clock, Handle, Mailbox, Timers};
use rungs_mesh::Mesh;
use rungs_store::cluster::Store;
use rungs_types::NodeName;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use tokio::sync::Notify;

/// Told where a node is that this one has no address of yet.
pub type Introduce = Box<dyn Fn(&NodeName, SocketAddr) + Send + Sync>;

/// What the actor needs of its node.
pub struct MemberParts {
    /// This node.
    pub me: Identity,
    /// Whether an earlier start of it is known to have ended.
    pub predecessor: Predecessor,
    /// The times of the protocol.
    pub timing: Timing,
    /// The cluster's store.
    pub store: Arc<dyn Store>,
    /// The way to the others.
    pub mesh: Mesh,
    /// Where it says who owns what, and until when this node may act.
    pub routes: Arc<Routes>,
    /// Its timer wheel.
    pub timers: Timers,
    /// The time of day, for others to compare.
    pub clock: Clock,
    /// Runs what belongs to shards.
    pub shards: Arc<dyn Shards>,
    /// Told where members are.
    pub introduce: Introduce,
}

/// The way to the actor, also after it was started again. Cheap to clone.
#[derive(Clone, Default)]
pub struct MemberHandle {
    actor: Arc<RwLock<Option<Handle<MemberMessage>>>>,
    pub(super) over: Arc<OnceLock<Notice>>,
    pub(super) changed: Arc<Notify>,
}

impl std::fmt::Debug for MemberHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemberHandle").finish_non_exhaustive()
    }
}

impl MemberHandle {
    /// Starts the actor below its supervisor.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(&self, parts: &Arc<MemberParts>, supervisor: ActorCell) -> Result<Started, SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let actor = MemberActor {
            parts: Arc::clone(parts),
            mailbox: Arc::clone(&mailbox),
            handle: self.clone(),
        };
        let (actor, _) = Actor::spawn_linked(None, actor, (), supervisor).await?;
        let handle = Handle::sharing(actor, mailbox);
        let started = Started::from(&handle);
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        Ok(started)
    }

    fn signal(&self, message: MemberMessage) {
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(actor) = actor.as_ref() {
            actor.signal(message);
        }
    }

    /// Somebody acts by a map that this node has not seen.
    pub fn newer_map(&self, version: MapVersion) {
        self.signal(MemberMessage::Newer(version));
    }

    /// The agents of a shard that was to be held have stopped.
    pub fn released(&self, shard: Shard) {
        self.signal(MemberMessage::Released(shard));
    }

    /// Hands everything over and leaves; returns when the node has left, or will never act again for another reason, or there
    /// is nobody who could take anything.
    pub async fn leave(&self) {
        self.signal(MemberMessage::Leave);
        loop {
            let changed = self.changed.notified();
            if self.over.get().is_some() {
                return;
            }
            changed.await;
        }
    }

    /// Returns when this node will never act again although nobody told it to leave.
    pub async fn ended(&self) -> Notice {
        loop {
            let changed = self.changed.notified();
            if let Some(notice) = self.over.get() {
                return notice.clone();
            }
            changed.await;
        }
    }
}
