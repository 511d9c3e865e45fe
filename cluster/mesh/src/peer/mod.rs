//! One peer over one link: greeting, liveness, and what happens to each envelope.
//!
//! The life of a link: both sides send [`Hello`]; once the peer's is agreed to, the link is up and the mesh lists the
//! peer; it ends by a `Bye`, by silence, by a broken rule, by a newer link of the same node, or by the transport. A peer
//! that comes back comes on a new link; nothing carries over.
//!
//! Invariants: before its greeting a peer can do nothing else; every question gets an answer, a refusal or its
//! deadline; a broken rule ends the link and says so in the log.

mod answering;
mod outgoing;
mod pending;
mod serve;
mod stream;
mod window;

pub use answering::MAX_SERVED_ASKS;
pub use outgoing::{Backlog, MAX_QUEUED_BYTES, RESERVED_BYTES, RETRY_AFTER};
pub use pending::MAX_PENDING_ASKS;
pub use stream::{EVENT_CREDIT, MAX_STREAMS, passes};
pub use window::{WINDOW_BYTES, WINDOW_MESSAGES};

pub(crate) use outgoing::{Outgoing, PushError, Sender};
pub(crate) use window::Grant;

use crate::envelope::{Class, Envelope};
use crate::frame::Assembler;
use crate::hello::{Agreement, Hello, MAX_HELLO_BYTES};
use crate::mesh::Local;
use crate::transport::{Link, LinkEvents, PeerIdentity};
use bytes::Bytes;
use pending::Pending;
use rungs_host::tasks;
use rungs_host::{Format, Payload, Refusal, codec, wire};
use rungs_types::{Address, ErrorCode};
use serde::Serialize;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
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
/// How often these times are looked at, and how long a refused peer has to read why.
const TICK: Duration = Duration::from_secs(1);

/// Messages that have passed over a link.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) told: AtomicU64,
    pub(crate) asked: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) refused_by_peer: AtomicU64,
}

/// A peer over one link.
pub(crate) struct Peer {
    me: Weak<Peer>,
    local: Arc<Local>,
    pub(crate) link: Arc<dyn Link>,
    pub(crate) outgoing: Outgoing,
    pub(crate) pending: Pending,
    window: Arc<InboundWindow>,
    wake: Arc<Notify>,
    sending: Mutex<()>,
    assembler: Mutex<Assembler>,
    answering: answering::Table,
    streams: stream::Streams,
    agreement: OnceLock<Agreement>,
    refused: AtomicBool,
    closed: AtomicBool,
    began: Instant,
    heard_ms: AtomicU64,
    ping: Mutex<Option<(u64, Instant)>>,
    round_trip_us: AtomicU64,
    pub(crate) counters: Counters,
}

impl Peer {
    /// Greets the peer of a new link.
    pub(crate) fn start(local: Arc<Local>, link: Arc<dyn Link>) -> Arc<Self> {
        let wake = Arc::new(Notify::new());
        let peer = Arc::new_cyclic(|me| Self {
            me: me.clone(),
            link,
            outgoing: Outgoing::new(Arc::clone(&wake)),
            pending: Pending::default(),
            window: Arc::new(InboundWindow::new(Arc::clone(&wake))),
            wake,
            sending: Mutex::default(),
            assembler: Mutex::default(),
            answering: answering::Table::default(),
            streams: stream::Streams::default(),
            agreement: OnceLock::new(),
            refused: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            began: Instant::now(),
            heard_ms: AtomicU64::new(0),
            ping: Mutex::new(None),
            round_trip_us: AtomicU64::new(0),
            counters: Counters::default(),
            local,
        });
        match wire::encode(&peer.local.hello, Format::Json) {
            Ok(hello) => {
                let greeting = Envelope::new(Class::Hello, 0).with(&hello, Format::Json);
                peer.outgoing.push_numbered(greeting, Sender::Task, |_| ()).ok();
            }
            Err(error) => peer.close(&format!("the greeting does not encode: {error}")),
        }
        tasks::spawn("mesh peer", Arc::clone(&peer).run());
        peer
    }

    /// Who is at the other end.
    pub(crate) fn identity(&self) -> &PeerIdentity {
        self.link.peer()
    }

    /// What was agreed on, once the link is up.
    pub(crate) fn agreement(&self) -> Option<&Agreement> {
        self.agreement.get()
    }

    /// The time a ping took last, if one was answered.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        match self.round_trip_us.load(Ordering::Relaxed) {
            0 => None,
            us => Some(Duration::from_micros(us)),
        }
    }

    /// Since when there is a link.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Sends what waits, watches the times; ends with the link.
    async fn run(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.closed.load(Ordering::Acquire) {
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                _ = ticks.tick() => self.tick(),
            }
            self.flush();
        }
    }

    /// Sends what waits, as far as the link takes it.
    fn flush(&self) {
        if let Some(grant) = self.window.grant(false) {
            self.push_control(Class::Grant, 0, &grant);
        }
        // Frames leave in the order in which they were taken.
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        self.send_frames();
    }

    /// Sends at once if the link is idle: a question or an answer that somebody waits for need not wait for the task.
    /// On a busy link it travels with whatever else has come by then.
    pub(crate) fn hurry(&self) {
        match self.sending.try_lock() {
            Ok(_sending) if self.link.is_idle() => self.send_frames(),
            _ => self.wake.notify_one(),
        }
    }

    fn send_frames(&self) {
        while self.link.is_writable() {
            let Some(frame) = self.outgoing.take() else { return };
            if self.link.send(frame).is_err() {
                return self.close("the transport has closed the link");
            }
        }
    }

    fn tick(&self) {
        let silent = self.silent_for();
        if self.refused.load(Ordering::Acquire) {
            return self.close("refused");
        }
        if self.agreement.get().is_none() && self.began.elapsed() > HELLO_DEADLINE {
            return self.close("no greeting within 5 s");
        }
        if silent > SILENCE_LIMIT {
            return self.close("silent for 15 s");
        }
        self.answering.sweep(Instant::now());
        if let Some(grant) = self.window.grant(true) {
            self.push_control(Class::Grant, 0, &grant);
        }
        let mut ping = self.ping.lock().unwrap_or_else(PoisonError::into_inner);
        if ping.is_none_or(|(_, sent)| sent.elapsed() >= PING_INTERVAL) {
            let sent = self
                .outgoing
                .push_numbered(Envelope::new(Class::Ping, 0), Sender::Task, |_| ());
            *ping = sent.ok().map(|sequence| (sequence, Instant::now()));
        }
    }

    fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.heard_ms.load(Ordering::Acquire));
        self.began.elapsed().saturating_sub(heard)
    }

    /// Ends the link.
    pub(crate) fn close(&self, reason: &str) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::info!(peer = %self.identity().node, reason, "link closed");
        self.outgoing.close();
        self.link.close(reason);
        self.pending.close();
        self.answering.close();
        self.streams.close();
        if let Some(me) = self.me.upgrade() {
            self.local.left(&me);
        }
        self.wake.notify_one();
    }

    /// Takes an envelope of the link itself. What keeps the link alive has a reserve; a link on which even that is full
    /// has stalled.
    fn push_control(&self, class: Class, sequence: u64, content: &impl Serialize) {
        let pushed = codec::encode(content).map(|bytes| {
            let envelope = Envelope::new(class, sequence).with(&bytes, Format::Binary);
            self.outgoing.push(&envelope, Sender::Task)
        });
        match pushed {
            Ok(Ok(()) | Err(PushError::Closed)) => {}
            Ok(Err(_)) => self.close("the peer takes nothing"),
            Err(error) => self.close(&error.to_string()),
        }
    }

    fn refuse(&self, sequence: u64, refusal: &Refusal) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        self.push_control(Class::Refusal, sequence, refusal);
    }

    /// A broken rule.
    fn violation(&self, what: &str) {
        tracing::warn!(peer = %self.identity().node, what, "peer breaks the protocol");
        self.close(what);
    }

    fn receive(&self, bytes: &Bytes, cache: &mut serve::Cache) {
        let envelope = match Envelope::decode(bytes) {
            Ok(envelope) => envelope,
            Err(error) => return self.violation(&error.to_string()),
        };
        let up = self.agreement.get().is_some();
        let result = match envelope.class {
            Class::Hello if !up => self.greeted(&envelope),
            Class::Bye => self.dismissed(&envelope),
            _ if !up => Err(Refusal::new(ErrorCode::Forbidden, "an envelope before the greeting")),
            Class::Hello => Err(Refusal::new(ErrorCode::Forbidden, "a second greeting")),
            Class::Tell | Class::Ask => self.serve(bytes, &envelope, cache),
            Class::Reply => self.answered(bytes, &envelope),
            Class::Refusal => decode(&envelope).map(|refusal| self.refused_by_peer(envelope.sequence, refusal)),
            Class::Cancel => {
                self.answering.cancel(envelope.sequence);
                Ok(())
            }
            Class::Grant => decode(&envelope).and_then(|grant| {
                let malformed = || Refusal::new(ErrorCode::Malformed, "more worked off than was sent");
                self.outgoing.released(grant).then_some(()).ok_or_else(malformed)
            }),
            Class::Subscribe | Class::Event | Class::Lagged | Class::EventGrant | Class::StreamEnd => {
                self.streamed(&envelope)
            }
            Class::Ping => {
                let pong = Envelope::new(Class::Pong, envelope.sequence);
                self.outgoing.push(&pong, Sender::Task).or(Ok(()))
            }
            Class::Pong => {
                self.ponged(envelope.sequence);
                Ok(())
            }
        };
        if let Err(refusal) = result {
            self.violation(&refusal.message);
        }
    }

    fn greeted(&self, envelope: &Envelope<'_>) -> Result<(), Refusal> {
        let bytes = envelope.body.map_or(&[][..], |body| body.bytes);
        if bytes.len() > MAX_HELLO_BYTES {
            return Err(Refusal::new(ErrorCode::TooLarge, "a greeting above 4096 bytes"));
        }
        let theirs: Hello = wire::decode(bytes, Format::Json)?;
        let peer = self.identity();
        match self.local.hello.agree(&theirs, &peer.node, peer.roles) {
            Ok(agreement) => {
                self.outgoing.open_window(Grant {
                    messages: theirs.window_messages,
                    bytes: theirs.window_bytes,
                });
                drop(self.agreement.set(agreement));
                if let Some(me) = self.me.upgrade() {
                    self.local.joined(me);
                }
            }
            Err(error) => {
                tracing::warn!(peer = %peer.node, %error, "peer refused");
                let refusal = Refusal::from(&error);
                self.local.note_refusal(&peer.node.name, refusal.clone());
                self.push_control(Class::Bye, 0, &refusal);
                // The peer closes when it has read why; if it does not, the next tick does.
                self.refused.store(true, Ordering::Release);
            }
        }
        Ok(())
    }

    fn dismissed(&self, envelope: &Envelope<'_>) -> Result<(), Refusal> {
        let refusal: Refusal = decode(envelope)?;
        let node = &self.identity().node;
        tracing::warn!(peer = %node, code = %refusal.code, message = refusal.message, "peer says good-bye");
        self.local.note_refusal(&node.name, refusal);
        self.close("the peer said good-bye");
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
            tracing::warn!(peer = %self.identity().node, %refusal, "subscription refused");
        } else {
            tracing::debug!(peer = %self.identity().node, sequence, %refusal, "message refused");
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

    fn ponged(&self, sequence: u64) {
        let ping = *self.ping.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sent)) = ping.filter(|(pinged, _)| *pinged == sequence) {
            let us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
            self.round_trip_us.store(us, Ordering::Relaxed);
        }
    }
}

impl LinkEvents for Peer {
    fn frame(&self, frame: Bytes) {
        if self.closed.load(Ordering::Acquire) || self.refused.load(Ordering::Acquire) {
            return;
        }
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(ms, Ordering::Release);
        let content = self
            .assembler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .accept(frame);
        let envelopes = match content {
            Ok(envelopes) => envelopes,
            Err(error) => return self.violation(&error.to_string()),
        };
        let mut cache = serve::Cache::default();
        for envelope in envelopes {
            match envelope {
                Ok(bytes) => self.receive(&bytes, &mut cache),
                Err(error) => return self.violation(&error.to_string()),
            }
        }
    }

    fn writable(&self) {
        if self.outgoing.is_waiting() {
            self.wake.notify_one();
        }
    }

    fn closed(&self, reason: &str) {
        self.close(reason);
    }
}

/// Decodes the content of an envelope that concerns the link.
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
