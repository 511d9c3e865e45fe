//! Events of the whole cluster in one stream: this node's hub and every peer's, for as long as they are up. A short loss of
//! a link costs nothing, because the mesh goes on where it was; a peer that has started anew, or comes back late, is
//! subscribed to again, and what happened meanwhile is not told.

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use rungs_host::{EventFilter, EventStream, Watched, tasks};
use rungs_mesh::Mesh;
use rungs_mesh::peer::passes;
use rungs_types::NodeId;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

/// Events that wait for the reader of a merged stream; beyond that each source holds its own back.
pub const MERGED_BUFFER: usize = 256;

/// How often a peer that is up but has ended its stream is subscribed to again.
const RETRY: Duration = Duration::from_secs(1);

enum Item {
    Watched(Watched),
    Ended(NodeId),
}

/// Starts the stream.
pub(crate) fn merged(mesh: Mesh, filter: EventFilter) -> EventStream {
    let (events, stream) = mpsc::channel(MERGED_BUFFER);
    // Subscribed before the task runs, so that nothing from now on is missed.
    let sources = Sources::new(&mesh, &filter);
    tasks::spawn("directory events", merge(mesh, filter, sources, events));
    stream
}

struct Sources {
    items: SelectAll<BoxStream<'static, Item>>,
    peers: BTreeSet<NodeId>,
}

impl Sources {
    fn new(mesh: &Mesh, filter: &EventFilter) -> Self {
        let mut sources = Self {
            items: SelectAll::new(),
            peers: BTreeSet::new(),
        };
        let (hub, filter_here) = (mesh.events().subscribe(), filter.clone());
        let here = futures::stream::unfold((hub, filter_here), |(mut hub, filter)| async move {
            loop {
                let watched = match hub.recv().await {
                    Ok(event) if passes(&filter, &event) => Watched::Event(event),
                    Ok(_) => continue,
                    Err(RecvError::Lagged(lost)) => Watched::Lagged(lost),
                    Err(RecvError::Closed) => return None,
                };
                return Some((Item::Watched(watched), (hub, filter)));
            }
        });
        sources.items.push(here.boxed());
        sources.reconcile(mesh, filter);
        sources
    }

    /// Subscribes to peers that are new or back.
    fn reconcile(&mut self, mesh: &Mesh, filter: &EventFilter) {
        for (name, info) in mesh.peers().iter() {
            if self.peers.contains(&info.node) {
                continue;
            }
            match mesh.subscribe(name, filter.clone()) {
                Ok(mut events) => {
                    self.peers.insert(info.node.clone());
                    let items = futures::stream::poll_fn(move |cx| events.poll_recv(cx)).map(Item::Watched);
                    let ended = info.node.clone();
                    let ended = futures::stream::once(async move { Item::Ended(ended) });
                    self.items.push(items.chain(ended).boxed());
                }
                Err(refusal) => tracing::debug!(peer = %info.node, %refusal, "cannot subscribe"),
            }
        }
    }
}

async fn merge(mesh: Mesh, filter: EventFilter, mut sources: Sources, events: mpsc::Sender<Watched>) {
    let mut peers = mesh.watch();
    let mut retry = tokio::time::interval(RETRY);
    loop {
        tokio::select! {
            item = sources.items.next() => match item {
                Some(Item::Watched(watched)) => {
                    if events.send(watched).await.is_err() {
                        return;
                    }
                }
                Some(Item::Ended(node)) => drop(sources.peers.remove(&node)),
                None => return,
            },
            _ = retry.tick() => sources.reconcile(&mesh, &filter),
            changed = peers.changed() => {
                if changed.is_err() {
                    return;
                }
                sources.reconcile(&mesh, &filter);
            }
            () = events.closed() => return,
        }
    }
}
