//! The actor `@node/copies`: keeps copies of other nodes' snapshots and hands them out, and lets this node's own be copied.
//!
//! Supervised by the node, as a permanent child. Invariants:
//! 1. It waits for no disk and no other node: each message is worked off by a task, which holds the message's credit.
//! 2. Its loops end with it, and it with its loops; both begin again with the one that comes after.

use super::handle::{CopiesParts, newest};
use super::index::Index;
use super::messages::{DropCopies, GetCopy, Kept, PutCopies, SnapshotCopy};
use super::sender;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rungs_host::{Delivered, EndpointBuilder, Handle, Mailbox, Refusal, Reply, Request, tasks};
use rungs_store::{Stamp, StoreError};
use rungs_types::{Address, ErrorCode, NodeName, RolePath};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The role of the actor on each node.
pub const ROLE: &str = "copies";
/// Messages that it works off at a time.
const MAX_MESSAGES: u32 = 256;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 32 << 20;

/// What the actor receives.
#[derive(Debug)]
pub enum CopiesMessage {
    /// See [`PutCopies`].
    Put(Request<PutCopies>),
    /// See [`GetCopy`].
    Get(Request<GetCopy>),
    /// See [`DropCopies`].
    Drop(Request<DropCopies>),
}

impl From<Request<PutCopies>> for CopiesMessage {
    fn from(request: Request<PutCopies>) -> Self {
        Self::Put(request)
    }
}

impl From<Request<GetCopy>> for CopiesMessage {
    fn from(request: Request<GetCopy>) -> Self {
        Self::Get(request)
    }
}

impl From<Request<DropCopies>> for CopiesMessage {
    fn from(request: Request<DropCopies>) -> Self {
        Self::Drop(request)
    }
}

/// The address of a node's actor.
pub fn address(node: &NodeName) -> Address {
    Address::Node {
        node: node.clone(),
        role: RolePath::new(ROLE).expect("a constant role"),
    }
}

/// See the module.
pub(super) struct CopiesActor {
    pub(super) parts: Arc<CopiesParts>,
    pub(super) index: Arc<Index>,
    pub(super) mailbox: Arc<Mailbox>,
}

/// The state of a [`CopiesActor`].
pub(super) struct Running {
    _loops: [Aborted; 2],
}

/// A task that ends with this.
struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The actor stops when this is dropped, to be started anew.
struct Ends(ActorRef<Delivered<CopiesMessage>>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.stop(Some("its loops have ended".to_owned()));
    }
}

pub(super) fn mailbox() -> Mailbox {
    Mailbox::bounded(MAX_MESSAGES, MAX_BYTES)
}

impl Actor for CopiesActor {
    type Msg = Delivered<CopiesMessage>;
    type State = Running;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, (): ()) -> Result<Running, ActorProcessingErr> {
        let ending = myself.clone();
        let endpoint = EndpointBuilder::new(Handle::sharing(myself, Arc::clone(&self.mailbox)))
            .receives::<PutCopies>()
            .receives::<GetCopy>()
            .receives::<DropCopies>();
        let at = address(&self.parts.node);
        self.parts.mesh.endpoints().register(at, endpoint.build());
        let shelf = self.parts.shelf.clone();
        let load = tasks::spawn("look at the copies", async move {
            if let Err(error) = shelf.load().await {
                tracing::warn!(%error, "the copies of other nodes' snapshots cannot be read; none is taken");
            }
        });
        let (parts, index) = (Arc::clone(&self.parts), Arc::clone(&self.index));
        let ends = Ends(ending);
        let send = tasks::spawn("send copies", async move {
            let _ends = ends;
            sender::run(parts, index).await;
        });
        Ok(Running {
            _loops: [Aborted(load), Aborted(send)],
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        _: &mut Running,
    ) -> Result<(), ActorProcessingErr> {
        let Delivered { message, credit, .. } = delivered;
        let parts = Arc::clone(&self.parts);
        tasks::spawn("copies", async move {
            match message {
                CopiesMessage::Put(Request { message, reply }) => put(&parts, message, reply).await,
                CopiesMessage::Get(Request { message, reply }) => {
                    let found = newest(&parts, &message.agent, message.newest_version).await;
                    let copy = found.map(|found| found.map(|found| SnapshotCopy::new(message.agent, found)));
                    reply.send(copy.map_err(|error| unusable(&error)));
                }
                CopiesMessage::Drop(Request { message, reply }) => {
                    let (epoch, sequence) = (message.epoch, message.sequence);
                    let dropped = parts.shelf.remove(&message.agent, Stamp { epoch, sequence }).await;
                    reply.send(dropped.map_err(|error| unusable(&error)));
                }
            }
            drop(credit);
        });
        Ok(())
    }
}

fn unusable(error: &StoreError) -> Refusal {
    let code = match error {
        StoreError::Busy | StoreError::TimedOut(_) | StoreError::Full { .. } => ErrorCode::Overloaded,
        _ => ErrorCode::Internal,
    };
    Refusal::new(code, &error.to_string())
}

async fn put(parts: &CopiesParts, message: PutCopies, reply: Reply<Vec<Kept>>) {
    if let Err(refusal) = message.check() {
        return reply.send(Err(refusal));
    }
    if !parts.shelf.is_loaded() {
        let text = format!("{} has not yet looked at the copies that it has", parts.node);
        return reply.send(Err(Refusal::new(ErrorCode::Overloaded, &text)));
    }
    // At the same time: each waits for the disk.
    let kept = message.copies.into_iter().map(|copy| parts.shelf.put(copy));
    reply.send(Ok(futures::future::join_all(kept).await));
}
