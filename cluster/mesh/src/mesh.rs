//! [`Mesh`], the handle of a node to all its peers.
//!
//! It owns the table of peers: one link for each node name, the newest incarnation's. A message for a node that is not
//! in it is refused with `node_down`.

use crate::ClusterId;
use crate::envelope::Class;
use crate::frame::Counts;
use crate::hello::{FEATURES, Hello, MIN_PROTOCOL, PROTOCOL};
use crate::peer::{Backlog, Events, Peer, PushError, Sender, Session, WINDOW_BYTES, WINDOW_MESSAGES, enclose};
use crate::role::Roles;
use crate::transport::{Link, LinkEvents, Traffic, Transport, TransportError, Uplink};
use dashmap::DashMap;
use rungs_host::endpoints::ReplySender;
use rungs_host::{Context, Endpoints, EventFilter, EventHub, EventStream, Payload, Refusal};
use rungs_types::{Address, ErrorCode, MAX_DEADLINE, NodeId, NodeName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// Most refused nodes that are remembered with the reason.
pub const MAX_REFUSALS: usize = 64;

/// Who this node is to its peers.
#[derive(Debug, Clone)]
pub struct MeshConfig {
    /// Its name and incarnation.
    pub node: NodeId,
    /// What it is.
    pub roles: Roles,
    /// Its cluster.
    pub cluster: ClusterId,
}

/// A message that has arrived for an address without an endpoint on this node.
#[derive(Debug)]
pub struct Misdirected {
    /// The peer that sent it.
    pub from: NodeId,
    /// For whom.
    pub to: Address,
    /// What.
    pub payload: Payload,
    /// Trace and sender.
    pub context: Context,
    /// Where the answer goes, if one is expected.
    pub reply: ReplySender,
    /// Time left to answer.
    pub deadline: Duration,
    /// The version of the map of shards by which it was sent here; none if its sender follows no map.
    pub sent_by: Option<u64>,
}

/// Decides on messages for addresses without an endpoint here: the directory, which knows the owners.
pub trait Forward: Send + Sync + 'static {
    /// Sends the message on, or refuses it. Must not block.
    fn forward(&self, message: Misdirected) -> Result<(), Refusal>;
}

/// A message on its way out.
#[derive(Debug, Clone, Copy)]
pub struct Outbound<'a> {
    /// For whom.
    pub to: &'a Address,
    /// What.
    pub payload: &'a Payload,
    /// Trace and sender.
    pub context: &'a Context,
    /// The version of the map of shards by which it is sent; none if that has nothing to do with it.
    pub sent_by: Option<u64>,
}

/// A peer whose link is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its name and incarnation.
    pub node: NodeId,
    /// What its certificate allows it to be.
    pub roles: Roles,
    /// The protocol version spoken with it.
    pub protocol: u16,
    /// The features shared with it.
    pub features: BTreeSet<String>,
}

/// The peers whose links are up, by name.
pub type Peers = Arc<BTreeMap<NodeName, PeerInfo>>;

/// Figures of one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkMetrics {
    /// The peer.
    pub node: NodeId,
    /// How long the link has been up.
    pub age: Duration,
    /// How long a ping took last.
    pub round_trip: Option<Duration>,
    /// What the transport has carried.
    pub traffic: Traffic,
    /// What waits and what the peer has not worked off.
    pub backlog: Backlog,
    /// Questions that wait for an answer.
    pub pending_asks: u64,
    /// Messages told to the peer.
    pub told: u64,
    /// Questions asked of the peer.
    pub asked: u64,
    /// Messages from the peer that reached a mailbox.
    pub delivered: u64,
    /// Messages from the peer that were refused.
    pub refused: u64,
    /// Messages to the peer that it refused; of a `tell`, nobody else learns.
    pub refused_by_peer: u64,
    /// Frames that came again after a lost link and were dropped.
    pub duplicate_frames: u64,
    /// How often the conversation went on over another link.
    pub resumed: u64,
}

/// What all peers of a node share.
pub(crate) struct Local {
    pub(crate) hello: Hello,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) events: EventHub,
    forward: OnceLock<Arc<dyn Forward>>,
    /// The conversation with each node; it may wait for a link.
    peers: DashMap<NodeName, Arc<Peer>>,
    view: watch::Sender<Peers>,
    refusals: Mutex<BTreeMap<NodeName, Refusal>>,
    greetings: AtomicU64,
    /// One link at a time takes its place in the table.
    joining: Mutex<()>,
}

impl Local {
    /// Numbers a greeting.
    pub(crate) fn next_greeting(&self) -> u64 {
        self.greetings.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The conversation with exactly this incarnation, if there is one to go on with.
    pub(crate) fn conversation_with(&self, node: &NodeId) -> Option<Arc<Peer>> {
        let peer = self.peers.get(&node.name).map(|peer| Arc::clone(&peer))?;
        (peer.identity().node == *node && !peer.has_ended()).then_some(peer)
    }

    /// A peer has greeted: from now on it is in the table, unless a newer incarnation of the same node is. An error breaks
    /// the protocol.
    pub(crate) fn joined(&self, peer: &Arc<Peer>, session: &Arc<Session>, received: Counts) -> Result<(), Refusal> {
        let _joining = self.joining.lock().unwrap_or_else(PoisonError::into_inner);
        let node = peer.identity().node.clone();
        let listed = self.peers.get(&node.name).map(|old| Arc::clone(&old));
        if let Some(old) = &listed
            && old.identity().node.incarnation > node.incarnation
        {
            let text = format!(
                "{node} is obsolete: {} is up; a node that starts again needs a later incarnation, and no two nodes the \
                 same name",
                old.identity().node
            );
            peer.end(&text);
            session.refuse(&Refusal::new(ErrorCode::Forbidden, &text));
            return Ok(());
        }
        if peer.has_ended() {
            session.close("the conversation has ended meanwhile");
            return Ok(());
        }
        peer.attach(session, received)?;
        self.peers.insert(node.name.clone(), Arc::clone(peer));
        if let Some(old) = listed.filter(|old| !Arc::ptr_eq(old, peer)) {
            old.end("the node has started anew");
        }
        let info = PeerInfo {
            node: node.clone(),
            roles: peer.identity().roles,
            protocol: peer.agreement().protocol,
            features: peer.agreement().features.clone(),
        };
        self.view.send_modify(|peers| {
            Arc::make_mut(peers).insert(node.name.clone(), info);
        });
        self.lock_refusals().remove(&node.name);
        tracing::info!(peer = %node, "link up");
        // A link that ended before it was listed.
        self.left(peer);
        Ok(())
    }

    /// The link of a peer has ended; its conversation may go on over another one.
    pub(crate) fn left(&self, peer: &Peer) {
        let node = &peer.identity().node;
        self.view.send_if_modified(|peers| {
            let listed = peers.get(&node.name).is_some_and(|info| info.node == *node);
            // It may have another link already.
            let gone = listed && !peer.is_up();
            if gone {
                Arc::make_mut(peers).remove(&node.name);
            }
            gone
        });
    }

    /// A conversation has ended.
    pub(crate) fn ended(&self, peer: &Peer) {
        let name = &peer.identity().node.name;
        self.peers
            .remove_if(name, |_, listed| std::ptr::eq(Arc::as_ptr(listed), peer));
    }

    fn lock_refusals(&self) -> std::sync::MutexGuard<'_, BTreeMap<NodeName, Refusal>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers why a node and this one do not work together.
    pub(crate) fn note_refusal(&self, node: &NodeName, refusal: Refusal) {
        let mut refusals = self.lock_refusals();
        if refusals.len() < MAX_REFUSALS || refusals.contains_key(node) {
            refusals.insert(node.clone(), refusal);
        }
    }

    /// A message for an address without an endpoint.
    pub(crate) fn misdirected(&self, message: Misdirected) -> Result<(), Refusal> {
        match self.forward.get() {
            Some(forward) => forward.forward(message),
            None => Err(not_found(&message.to, &self.hello.node.name)),
        }
    }
}

/// The refusal of a message whose target does not live on the node.
pub fn not_found(to: &Address, node: &NodeName) -> Refusal {
    Refusal::new(ErrorCode::NotFound, &format!("{node} has no {to}"))
}

struct Listening(Arc<Local>);

impl Uplink for Listening {
    fn link_up(&self, link: Arc<dyn Link>) -> Arc<dyn LinkEvents> {
        Arc::new(Events(Session::start(Arc::clone(&self.0), link)))
    }

    fn peers(&self) -> watch::Receiver<Peers> {
        self.0.view.subscribe()
    }
}

/// The handle of a node to all its peers; cheap to clone.
#[derive(Clone)]
pub struct Mesh {
    local: Arc<Local>,
    transport: Arc<dyn Transport>,
}

impl std::fmt::Debug for Mesh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mesh")
            .field("node", &self.local.hello.node)
            .finish_non_exhaustive()
    }
}

impl Mesh {
    /// Begins to connect and to accept. Messages from peers are delivered through `endpoints`; `events` is what peers
    /// may subscribe to.
    pub async fn start(
        config: MeshConfig,
        transport: Arc<dyn Transport>,
        endpoints: Arc<Endpoints>,
        events: EventHub,
    ) -> Result<Self, TransportError> {
        let hello = Hello {
            protocol: PROTOCOL,
            min_protocol: MIN_PROTOCOL,
            features: FEATURES.iter().map(|feature| (*feature).to_owned()).collect(),
            cluster: config.cluster,
            node: config.node,
            roles: config.roles,
            window_messages: WINDOW_MESSAGES,
            window_bytes: WINDOW_BYTES,
            greeting: 0,
            resume: None,
        };
        Self::start_as(hello, transport, endpoints, events).await
    }

    /// The same with a given greeting.
    pub(crate) async fn start_as(
        hello: Hello,
        transport: Arc<dyn Transport>,
        endpoints: Arc<Endpoints>,
        events: EventHub,
    ) -> Result<Self, TransportError> {
        let local = Arc::new(Local {
            hello,
            endpoints,
            events,
            forward: OnceLock::new(),
            peers: DashMap::new(),
            view: watch::Sender::default(),
            refusals: Mutex::default(),
            greetings: AtomicU64::new(0),
            joining: Mutex::default(),
        });
        transport.start(Arc::new(Listening(Arc::clone(&local)))).await?;
        Ok(Self { local, transport })
    }

    /// Says who decides on messages for addresses without an endpoint here. Only the first call counts; until then
    /// they are refused with `not_found`.
    pub fn set_forward(&self, forward: Arc<dyn Forward>) {
        drop(self.local.forward.set(forward));
    }

    /// This node.
    pub fn node(&self) -> &NodeId {
        &self.local.hello.node
    }

    /// The endpoints through which messages from peers are delivered.
    pub fn endpoints(&self) -> &Arc<Endpoints> {
        &self.local.endpoints
    }

    /// The events of this node that peers may subscribe to.
    pub fn events(&self) -> &EventHub {
        &self.local.events
    }

    /// The peers whose links are up.
    pub fn peers(&self) -> Peers {
        Arc::clone(&self.local.view.borrow())
    }

    /// The peers whose links are up, whenever they change.
    pub fn watch(&self) -> watch::Receiver<Peers> {
        self.local.view.subscribe()
    }

    /// Why nodes that tried are not peers, by name; forgotten when they are.
    pub fn refusals(&self) -> BTreeMap<NodeName, Refusal> {
        self.local.lock_refusals().clone()
    }

    /// Ends the conversation with this start of a node, if there is one: questions that wait for it are over at once.
    pub fn end(&self, node: &NodeId, reason: &str) {
        let peer = self.local.peers.get(&node.name).map(|peer| Arc::clone(&peer));
        if let Some(peer) = peer.filter(|peer| peer.identity().node.incarnation <= node.incarnation) {
            peer.end(reason);
        }
    }

    fn peer(&self, node: &NodeName) -> Result<Arc<Peer>, Refusal> {
        let down = || Refusal::new(ErrorCode::NodeDown, &format!("node {node} is not reachable"));
        self.local
            .peers
            .get(node)
            .filter(|peer| peer.is_up())
            .map(|peer| Arc::clone(&peer))
            .ok_or_else(down)
    }

    /// Sends a message to an actor on a peer. `Ok` means that the link took it.
    pub fn tell(&self, node: &NodeName, message: Outbound<'_>) -> Result<(), Refusal> {
        let peer = self.peer(node)?;
        let envelope = message.envelope(Class::Tell);
        peer.outgoing
            .push_numbered(envelope, Sender::Task, |_| ())
            .map_err(|error| error.refusal(&peer.identity().node))?;
        peer.counters.told.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Asks an actor on a peer and waits at most `deadline` (cut at [`MAX_DEADLINE`]). Dropping the future withdraws
    /// the question.
    pub async fn ask(&self, node: &NodeName, message: Outbound<'_>, deadline: Duration) -> Result<Payload, Refusal> {
        let deadline = deadline.min(MAX_DEADLINE);
        let peer = self.peer(node)?;
        if !peer.pending.has_room() {
            return Err(PushError::Full.refusal(&peer.identity().node));
        }
        let (sender, answer) = oneshot::channel();
        let mut envelope = message.envelope(Class::Ask);
        envelope.deadline = Some(deadline);
        let sequence = peer
            .outgoing
            .push_numbered(envelope, Sender::Caller, |sequence| {
                peer.pending.insert(sequence, sender)
            })
            .map_err(|error| error.refusal(&peer.identity().node))?;
        peer.counters.asked.fetch_add(1, Ordering::Relaxed);
        peer.hurry();
        let question = Question { peer, sequence };
        let answer = tokio::time::timeout(deadline, answer).await;
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => {
                let text = format!("{node} was lost or started anew; the message may have been executed");
                Err(Refusal::new(ErrorCode::TargetEnded, &text))
            }
            Err(_) => {
                drop(question);
                let text = format!(
                    "no answer from {} on {node} within {} ms; it may have been executed",
                    message.to,
                    deadline.as_millis()
                );
                Err(Refusal::new(ErrorCode::DeadlineExceeded, &text))
            }
        }
    }

    /// Streams a peer's events that pass the filter, from now on. Ends with the link.
    pub fn subscribe(&self, node: &NodeName, filter: EventFilter) -> Result<EventStream, Refusal> {
        self.peer(node)?.subscribe(filter)
    }

    /// Figures of all links that are up, by name.
    pub fn metrics(&self) -> Vec<LinkMetrics> {
        let mut metrics: Vec<_> = self.local.peers.iter().filter_map(|peer| metrics_of(&peer)).collect();
        metrics.sort_by(|a, b| a.node.cmp(&b.node));
        metrics
    }

    /// Closes all links and stops.
    pub async fn stop(&self) {
        let peers: Vec<_> = self.local.peers.iter().map(|peer| Arc::clone(&peer)).collect();
        let stops = Refusal::new(ErrorCode::NodeDown, &format!("{} stops", self.local.hello.node));
        for peer in peers {
            if let Some(session) = peer.session() {
                session.say_good_bye(&stops);
            }
            peer.end("this node stops");
        }
        self.transport.stop().await;
    }
}

impl<'a> Outbound<'a> {
    fn envelope(&self, class: Class) -> crate::envelope::Envelope<'a, &'a Address> {
        let mut envelope = enclose(class, self.payload);
        envelope.to = Some(self.to);
        envelope.from = self.context.from.as_ref();
        envelope.trace = self.context.trace;
        envelope.message_id = self.context.message_id;
        envelope.map = self.sent_by;
        envelope
    }
}

/// A question under way; dropped before its answer has come, it is withdrawn.
struct Question {
    peer: Arc<Peer>,
    sequence: u64,
}

impl Drop for Question {
    fn drop(&mut self) {
        if self.peer.pending.remove(self.sequence).is_some() {
            let cancel = crate::envelope::Envelope::new(Class::Cancel, self.sequence);
            // On a full or closed link the peer finds out by itself: by the deadline, or by the end of the link.
            self.peer.outgoing.push(&cancel, Sender::Task).ok();
        }
    }
}

fn metrics_of(peer: &Peer) -> Option<LinkMetrics> {
    let session = peer.session()?;
    let counters = &peer.counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Some(LinkMetrics {
        node: peer.identity().node.clone(),
        age: Instant::now().saturating_duration_since(session.began()),
        round_trip: session.round_trip(),
        traffic: session.link.traffic(),
        backlog: peer.outgoing.backlog(),
        pending_asks: peer.pending.len() as u64,
        told: count(&counters.told),
        asked: count(&counters.asked),
        delivered: count(&counters.delivered),
        refused: count(&counters.refused),
        refused_by_peer: count(&counters.refused_by_peer),
        duplicate_frames: count(&counters.duplicate_frames),
        resumed: count(&counters.resumed),
    })
}

#[cfg(test)]
mod tests;
