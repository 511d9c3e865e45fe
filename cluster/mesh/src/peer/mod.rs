//! One peer: the conversation with one incarnation of a node, over all links that carry it one after another.
//!
//! A conversation begins when two nodes have greeted each other ([`session`]). When its link is lost it waits
//! [`RESUME_WITHIN`] for another one; over that, both send again what the other one does not have, in order, and drop
//! what they have already: a message is delivered at most once, and once if both nodes live. It ends with a `Bye`, with
//! a broken rule, when the peer comes without it (it has started anew), or when no link comes; then every question
//! under way learns that it may have been executed, and nothing of it is ever delivered to another incarnation.
//!
//! Invariants: every question gets an answer, a refusal or its deadline; a broken rule ends link and conversation and
//! says so in the log.

mod answering;
mod lane;
mod outgoing;
mod pending;
mod serve;
mod session;
mod stream;
mod window;

pub use answering::MAX_SERVED_ASKS;
pub use lane::Load;
pub use outgoing::{
    BULK_FROM_BYTES, Backlog, MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, RESERVED_BYTES, RESERVED_MESSAGES, RETRY_AFTER,
};
pub use pending::MAX_PENDING_ASKS;
pub use stream::{EVENT_CREDIT, MAX_STREAMS, passes};
pub use window::{WINDOW_BYTES, WINDOW_MESSAGES};

pub(crate) use outgoing::{Outgoing, PushError, Sender};
pub(crate) use session::{Events, Session};
pub(crate) use window::Grant;

use crate::envelope::{Class, Envelope};
use crate::frame::{Assembler, Content, Counts, FrameError, Numbered};
use crate::hello::{Agreement, ConversationId};
use crate::mesh::Local;
use crate::transport::PeerIdentity;
use bytes::Bytes;
use pending::Pending;
use rungs_host::tasks;
use rungs_host::{Format, Payload, Refusal, codec};
use rungs_types::{Address, ErrorCode};
use serde::Serialize;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use window::InboundWindow;

/// How long a peer may take to greet.
pub const HELLO_DEADLINE: Duration = Duration::from_secs(5);
/// How often a peer is asked whether it is there.
pub const PING_INTERVAL: Duration = Duration::from_secs(3);
/// A peer that has said nothing for so long is gone.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(15);
/// How long a conversation waits for another link.
pub const RESUME_WITHIN: Duration = Duration::from_secs(15);
/// How often these times are looked at, and how long a refused peer has to read why.
const TICK: Duration = Duration::from_secs(1);
/// Frames after which the peer is told that they have come; it keeps them until then.
const ACK_EVERY_FRAMES: u32 = 32;
/// With at most so many questions under way, each leaves at once; beyond, they leave together with what else has come.
const HURRY_UP_TO: usize = 4;

/// Messages that have passed in a conversation.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) told: AtomicU64,
    pub(crate) asked: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) refused_by_peer: AtomicU64,
    pub(crate) duplicate_frames: AtomicU64,
    pub(crate) resumed: AtomicU64,
}

/// What has come in.
#[derive(Default)]
struct Incoming {
    assembler: Assembler,
    /// Frames that the peer does not know to have come.
    unacknowledged: u32,
}

/// A conversation; see the module.
pub(crate) struct Peer {
    me: Weak<Peer>,
    local: Arc<Local>,
    id: ConversationId,
    identity: PeerIdentity,
    agreement: Agreement,
    pub(crate) outgoing: Outgoing,
    pub(crate) pending: Pending,
    window: Arc<InboundWindow>,
    wake: Arc<Notify>,
    /// The link that carries it. Held while frames are sent, so that they leave in the order in which they were taken.
    session: Mutex<Option<Arc<Session>>>,
    /// Held while a frame is worked off, so that an old link and its successor do not mix.
    incoming: Mutex<Incoming>,
    answering: answering::Table,
    streams: stream::Streams,
    up: AtomicBool,
    ended: AtomicBool,
    lost: Mutex<Instant>,
    pub(crate) counters: Counters,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peer {
    /// Begins a conversation with a peer that gives `window`.
    pub(crate) fn start(
        local: Arc<Local>,
        id: ConversationId,
        identity: PeerIdentity,
        agreement: Agreement,
        window: Grant,
    ) -> Arc<Self> {
        let wake = Arc::new(Notify::new());
        let peer = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            local,
            id,
            identity,
            agreement,
            outgoing: Outgoing::new(Arc::clone(&wake), window),
            pending: Pending::default(),
            window: Arc::new(InboundWindow::new(Arc::clone(&wake))),
            wake,
            session: Mutex::new(None),
            incoming: Mutex::default(),
            answering: answering::Table::default(),
            streams: stream::Streams::default(),
            up: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            lost: Mutex::new(Instant::now()),
            counters: Counters::default(),
        });
        tasks::spawn("mesh peer", Arc::clone(&peer).run());
        peer
    }

    /// Which conversation it is.
    pub(crate) fn id(&self) -> ConversationId {
        self.id
    }

    /// With whom.
    pub(crate) fn identity(&self) -> &PeerIdentity {
        &self.identity
    }

    /// What was agreed on.
    pub(crate) fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// Whether a link carries it.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// Whether it is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The link that carries it.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        lock(&self.session).clone()
    }

    /// The frames that have come.
    pub(crate) fn received(&self) -> Counts {
        lock(&self.incoming).assembler.received()
    }

    /// Sends what waits, watches the times; ends with the conversation.
    async fn run(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.has_ended() {
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                _ = ticks.tick() => self.tick(),
            }
            self.flush();
        }
    }

    /// From now on the link carries the conversation; over it the peer says what it has.
    pub(crate) fn attach(&self, session: &Arc<Session>, received: Counts) -> Result<(), Refusal> {
        let mut current = lock(&self.session);
        if !self.outgoing.resume(received) {
            let text = "the peer has more frames than were sent";
            return Err(Refusal::new(ErrorCode::Malformed, text));
        }
        let old = current.replace(Arc::clone(session));
        self.up.store(true, Ordering::Release);
        drop(current);
        if let Some(old) = old {
            old.close("replaced by a newer link of the same node");
        }
        if session.is_closed() {
            // It has ended meanwhile, and could not say so to a conversation that it did not carry yet.
            self.detach(session);
        }
        self.wake.notify_one();
        Ok(())
    }

    /// The link has ended.
    pub(crate) fn detach(&self, session: &Session) {
        let mut current = lock(&self.session);
        if !current.as_deref().is_some_and(|of| std::ptr::eq(of, session)) {
            return;
        }
        *current = None;
        self.up.store(false, Ordering::Release);
        *lock(&self.lost) = Instant::now();
        drop(current);
        self.local.left(self);
    }

    /// Ends the conversation, and its link.
    pub(crate) fn end(&self, reason: &str) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::debug!(peer = %self.identity.node, reason, "conversation ended");
        let session = self.session();
        self.outgoing.close();
        self.pending.close();
        self.answering.close();
        self.streams.close();
        if let Some(session) = session {
            session.close(reason);
        }
        self.local.ended(self);
        self.wake.notify_one();
    }

    /// Sends what waits, as far as the link takes it.
    fn flush(&self) {
        if let Some(grant) = self.window.grant(false) {
            self.push_control(Class::Grant, 0, &grant);
        }
        let session = lock(&self.session);
        self.send_frames(session);
    }

    /// Sends at once if the link is idle: a question or an answer that somebody waits for need not wait for the task.
    /// On a busy link it travels with whatever else has come by then.
    pub(crate) fn hurry(&self) {
        let few = self.pending.len() <= HURRY_UP_TO && self.answering.len() <= HURRY_UP_TO;
        match self.session.try_lock() {
            Ok(session) if few && session.as_ref().is_some_and(|of| of.link.is_idle()) => self.send_frames(session),
            _ => self.wake.notify_one(),
        }
    }

    fn send_frames(&self, session: MutexGuard<'_, Option<Arc<Session>>>) {
        let Some(current) = &*session else { return };
        while current.link.is_writable() {
            let Some(frame) = self.outgoing.take() else { return };
            if current.link.send(frame).is_err() {
                let current = Arc::clone(current);
                drop(session);
                return current.close("the transport has closed the link");
            }
        }
    }

    pub(crate) fn writable(&self) {
        if self.outgoing.is_waiting() {
            self.wake.notify_one();
        }
    }

    fn tick(&self) {
        self.answering.sweep(Instant::now());
        self.outgoing.trim();
        let session = lock(&self.session);
        let Some(current) = session.clone() else {
            drop(session);
            if lock(&self.lost).elapsed() > RESUME_WITHIN {
                self.end("no link within 15 s");
            }
            return;
        };
        let checked = current.tick(self.outgoing.sent());
        drop(session);
        if let Err(reason) = checked {
            return current.close(reason);
        }
        if let Some(grant) = self.window.grant(true) {
            self.push_control(Class::Grant, 0, &grant);
        }
        self.acknowledge(&current, &mut lock(&self.incoming));
    }

    /// Tells the peer what has come, if it does not know.
    fn acknowledge(&self, session: &Session, incoming: &mut Incoming) {
        if incoming.unacknowledged > 0 && session.link.is_writable() {
            session.send_content(Class::Ack, 0, &incoming.assembler.received());
            incoming.unacknowledged = 0;
        }
    }

    /// Takes an envelope of the conversation itself. What keeps it going has a reserve; if even that is full, the peer
    /// has stalled.
    fn push_control(&self, class: Class, sequence: u64, content: &impl Serialize) {
        let pushed = codec::encode(content).map(|bytes| {
            let envelope = Envelope::new(class, sequence).with(&bytes, Format::Binary);
            self.outgoing.push(&envelope, Sender::Task)
        });
        match pushed {
            Ok(Ok(()) | Err(PushError::Closed)) => {}
            Ok(Err(_)) => self.end("the peer takes nothing"),
            Err(error) => self.end(&error.to_string()),
        }
    }

    fn refuse(&self, sequence: u64, refusal: &Refusal) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        self.push_control(Class::Refusal, sequence, refusal);
    }

    /// Takes a frame in. An error breaks the protocol.
    pub(crate) fn accept(&self, frame: Numbered, session: &Session) -> Result<(), Refusal> {
        let mut incoming = lock(&self.incoming);
        let content = match incoming.assembler.accept(frame) {
            Ok(Content::Repeated) => {
                self.counters.duplicate_frames.fetch_add(1, Ordering::Relaxed);
                Content::Repeated
            }
            Ok(content) => content,
            Err(error @ FrameError::Gap { .. }) => {
                drop(incoming);
                // The network has lost something: over the next link it is sent again.
                session.close(&error.to_string());
                return Ok(());
            }
            Err(error) => return Err(broken(error)),
        };
        let mut cache = serve::Cache::of(session.identity().roles);
        for envelope in content {
            self.receive(&envelope.map_err(broken)?, &mut cache)?;
        }
        incoming.unacknowledged += 1;
        if incoming.unacknowledged >= ACK_EVERY_FRAMES {
            self.acknowledge(session, &mut incoming);
        }
        Ok(())
    }

    fn receive(&self, bytes: &Bytes, cache: &mut serve::Cache) -> Result<(), Refusal> {
        let envelope = Envelope::decode(bytes).map_err(broken)?;
        match envelope.class {
            Class::Tell | Class::Ask => self.serve(bytes, &envelope, cache)?,
            Class::Reply => self.answered(bytes, &envelope)?,
            Class::Refusal => self.refused_by_peer(envelope.sequence, decode(&envelope)?),
            Class::Cancel => self.answering.cancel(envelope.sequence),
            Class::Grant => {
                let malformed = || Refusal::new(ErrorCode::Malformed, "more worked off than was sent");
                let plausible = self.outgoing.released(decode(&envelope)?);
                plausible.then_some(()).ok_or_else(malformed)?;
            }
            Class::Subscribe | Class::Event | Class::Lagged | Class::EventGrant | Class::StreamEnd => {
                self.streamed(&envelope)?;
            }
            Class::Hello | Class::Ping | Class::Pong | Class::Bye | Class::Ack => {
                let text = format!("{:?} is for a link, not for a conversation", envelope.class);
                return Err(Refusal::new(ErrorCode::Forbidden, &text));
            }
        }
        Ok(())
    }

    fn answered(&self, bytes: &Bytes, envelope: &Envelope<'_>) -> Result<(), Refusal> {
        let payload = payload(bytes, envelope)?;
        if let Some(answer) = self.pending.remove(envelope.sequence) {
            // An asker that has just given up is no error.
            drop(answer.send(Ok(payload)));
        }
        Ok(())
    }

    fn refused_by_peer(&self, sequence: u64, refusal: Refusal) {
        self.counters.refused_by_peer.fetch_add(1, Ordering::Relaxed);
        if let Some(answer) = self.pending.remove(sequence) {
            drop(answer.send(Err(refusal)));
        } else if self.streams.refused(sequence) {
            tracing::warn!(peer = %self.identity.node, %refusal, "subscription refused");
        } else {
            tracing::debug!(peer = %self.identity.node, sequence, %refusal, "message refused");
        }
    }

    #[cfg(test)]
    pub(crate) fn answering_len(&self) -> usize {
        self.answering.len()
    }

    #[cfg(test)]
    pub(crate) fn published_len(&self) -> usize {
        self.streams.published_len()
    }
}

/// What breaks the protocol.
fn broken(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(ErrorCode::Malformed, &error.to_string())
}

/// Decodes the content of an envelope of a link or conversation.
fn decode<T: serde::de::DeserializeOwned>(envelope: &Envelope<'_>) -> Result<T, Refusal> {
    let bytes = envelope.body.map_or(&[][..], |body| body.bytes);
    Ok(codec::decode(bytes)?)
}

/// The message in an envelope, without a copy of its bytes.
fn payload(bytes: &Bytes, envelope: &Envelope<'_>) -> Result<Payload, Refusal> {
    let missing = || Refusal::new(ErrorCode::Malformed, "an envelope without a message");
    let body = envelope.body.as_ref().ok_or_else(missing)?;
    Ok(Payload {
        kind: Cow::Owned(body.kind.to_owned()),
        version: body.version,
        format: body.format,
        bytes: bytes.slice_ref(body.bytes),
    })
}

/// The envelope around a message.
pub(crate) fn enclose<'a>(class: Class, payload: &'a Payload) -> Envelope<'a, &'a Address> {
    let mut envelope = Envelope::new(class, 0);
    envelope.body = Some(crate::envelope::Body {
        kind: &payload.kind,
        version: payload.version,
        format: payload.format,
        bytes: &payload.bytes,
    });
    envelope
}
