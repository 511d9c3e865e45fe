//! One link to a peer: greeting, liveness, and the conversation that it carries.
//!
//! Its life: both sides send [`Hello`]; once the peer's is agreed to, the link carries the conversation that both offer
//! to go on with, or a new one; it ends by a `Bye`, by silence, by a broken rule, by a newer link, or by the transport.
//!
//! Invariants: before its greeting a peer can do nothing else; what concerns the link only is never sent again.

use super::{Grant, HELLO_DEADLINE, PING_INTERVAL, Peer, SILENCE_LIMIT, TICK, decode};
use crate::envelope::{Class, Envelope};
use crate::frame::{self, Counts, Frame};
use crate::hello::{Agreement, ConversationId, Hello, MAX_HELLO_BYTES, Resume};
use crate::mesh::Local;
use crate::transport::{Link, LinkEvents, PeerIdentity};
use bytes::Bytes;
use rungs_host::tasks;
use rungs_host::{Format, Refusal, codec, wire};
use rungs_types::{Address, ErrorCode};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// One link; see the module.
pub(crate) struct Session {
    local: Arc<Local>,
    pub(crate) link: Arc<dyn Link>,
    hello: Hello,
    /// The conversation that this node offers to go on with.
    offered: Option<Arc<Peer>>,
    peer: OnceLock<Arc<Peer>>,
    refused: AtomicBool,
    closed: AtomicBool,
    ended: Notify,
    began: Instant,
    heard_ms: AtomicU64,
    ping: Mutex<Option<(u64, Instant)>>,
    round_trip_us: AtomicU64,
}

impl Session {
    /// Greets the peer of a new link.
    pub(crate) fn start(local: Arc<Local>, link: Arc<dyn Link>) -> Arc<Self> {
        let offered = local.conversation_with(&link.peer().node);
        let hello = Hello {
            greeting: local.next_greeting(),
            resume: offered.as_ref().map(|peer| Resume {
                conversation: peer.id(),
                received: peer.received(),
            }),
            ..local.hello.clone()
        };
        let session = Arc::new(Self {
            local,
            link,
            hello,
            offered,
            peer: OnceLock::new(),
            refused: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            ended: Notify::new(),
            began: Instant::now(),
            heard_ms: AtomicU64::new(0),
            ping: Mutex::new(None),
            round_trip_us: AtomicU64::new(0),
        });
        session.greet();
        tasks::spawn("mesh greeting", Arc::clone(&session).watch_greeting());
        session
    }

    fn greet(&self) {
        match wire::encode(&self.hello, Format::Json) {
            Ok(hello) => self.send(Envelope::new(Class::Hello, 0).with(&hello, Format::Json)),
            Err(error) => self.close(&format!("the greeting does not encode: {error}")),
        }
    }

    /// A peer that does not greet, or has been refused, does not stay. Until it has greeted, it is greeted again: a
    /// network may have lost the first.
    async fn watch_greeting(self: Arc<Self>) {
        while self.peer.get().is_none() && self.began.elapsed() < HELLO_DEADLINE {
            tokio::select! {
                () = self.ended.notified() => break,
                () = tokio::time::sleep(TICK) => {}
            }
            if self.peer.get().is_none() {
                self.greet();
            }
        }
        if self.refused.load(Ordering::Acquire) {
            // The peer has had its time to read why.
            tokio::time::sleep(TICK).await;
            self.close("refused");
        } else if self.peer.get().is_none() {
            self.close("no greeting within 5 s");
        }
    }

    /// Who is at the other end.
    pub(crate) fn identity(&self) -> &PeerIdentity {
        self.link.peer()
    }

    /// Whether it has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Since when there is a link.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// The time a ping took last, if one was answered.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        match self.round_trip_us.load(Ordering::Relaxed) {
            0 => None,
            us => Some(Duration::from_micros(us)),
        }
    }

    fn send(&self, envelope: Envelope<'_, &Address>) {
        // A closed link tells its end by itself.
        self.link.send(frame::link(|out| envelope.encode(out))).ok();
    }

    /// Sends something that concerns the link only. On a link that takes nothing it is left out: whatever it is comes
    /// again, or its absence ends the link.
    pub(super) fn send_content(&self, class: Class, sequence: u64, content: &impl Serialize) {
        if !self.link.is_writable() {
            return;
        }
        match codec::encode(content) {
            Ok(bytes) => self.send(Envelope::new(class, sequence).with(&bytes, Format::Binary)),
            Err(error) => tracing::error!(?class, %error, "what concerns a link does not encode"),
        }
    }

    /// Looks at the times; to be called every [`TICK`] while the link carries a conversation, with what has been sent on
    /// it. An error is why the link is to be closed.
    pub(super) fn tick(&self, sent: Counts) -> Result<(), &'static str> {
        let heard = Duration::from_millis(self.heard_ms.load(Ordering::Acquire));
        if self.began.elapsed().saturating_sub(heard) > SILENCE_LIMIT {
            return Err("silent for 15 s");
        }
        let mut ping = self.ping.lock().unwrap_or_else(PoisonError::into_inner);
        if ping.is_none_or(|(_, sent)| sent.elapsed() >= PING_INTERVAL) {
            let number = ping.map_or(0, |(number, _)| number + 1);
            *ping = Some((number, Instant::now()));
            drop(ping);
            self.send_content(Class::Ping, number, &sent);
        }
        Ok(())
    }

    /// Tells the peer why this node ends the conversation.
    pub(crate) fn say_good_bye(&self, refusal: &Refusal) {
        self.send_content(Class::Bye, 0, refusal);
    }

    /// Ends the link; the conversation waits for another one.
    pub(crate) fn close(&self, reason: &str) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::info!(peer = %self.identity().node, reason, "link closed");
        self.link.close(reason);
        self.ended.notify_one();
        if let Some(peer) = self.peer.get() {
            peer.detach(self);
        }
    }

    /// A broken rule: ends link and conversation.
    fn violation(&self, what: &str) {
        tracing::warn!(peer = %self.identity().node, what, "peer breaks the protocol");
        if let Some(peer) = self.peer.get() {
            peer.end(what);
        }
        self.close(what);
    }

    fn receive(self: &Arc<Self>, bytes: &Bytes) -> Result<(), Refusal> {
        let envelope = Envelope::decode(bytes).map_err(malformed)?;
        let peer = self.peer.get();
        match (envelope.class, peer) {
            (Class::Hello, None) => self.greeted(&envelope),
            // Once is enough.
            (Class::Hello, Some(_)) => Ok(()),
            (Class::Bye, _) => self.dismissed(&envelope),
            (_, None) => Err(Refusal::new(ErrorCode::Forbidden, "an envelope before the greeting")),
            (Class::Ping, Some(peer)) => {
                self.send_content(Class::Pong, envelope.sequence, &());
                if !decode::<Counts>(&envelope)?.within(peer.received()) {
                    self.close("frames are missing");
                }
                Ok(())
            }
            (Class::Pong, Some(_)) => {
                self.ponged(envelope.sequence);
                Ok(())
            }
            (Class::Ack, Some(peer)) => {
                let implausible = || Refusal::new(ErrorCode::Malformed, "more acknowledged than was sent");
                peer.outgoing
                    .acknowledged(decode(&envelope)?)
                    .then_some(())
                    .ok_or_else(implausible)
            }
            (class, Some(_)) => {
                let text = format!("{class:?} is not for a link that is up");
                Err(Refusal::new(ErrorCode::Forbidden, &text))
            }
        }
    }

    fn greeted(self: &Arc<Self>, envelope: &Envelope<'_>) -> Result<(), Refusal> {
        let bytes = envelope.body.map_or(&[][..], |body| body.bytes);
        if bytes.len() > MAX_HELLO_BYTES {
            return Err(Refusal::new(ErrorCode::TooLarge, "a greeting above 4096 bytes"));
        }
        let theirs: Hello = wire::decode(bytes, Format::Json)?;
        let identity = self.identity();
        match self.hello.agree(&theirs, &identity.node, identity.roles) {
            Ok(agreement) => self.agreed(&theirs, agreement),
            Err(error) => {
                tracing::warn!(peer = %identity.node, %error, "peer refused");
                let refusal = Refusal::from(&error);
                self.local.note_refusal(&identity.node.name, refusal.clone());
                self.refuse(&refusal);
                Ok(())
            }
        }
    }

    /// Says why there is no conversation. The peer closes when it has read it.
    pub(crate) fn refuse(&self, refusal: &Refusal) {
        self.refused.store(true, Ordering::Release);
        self.say_good_bye(refusal);
        self.ended.notify_one();
    }

    fn agreed(self: &Arc<Self>, theirs: &Hello, agreement: Agreement) -> Result<(), Refusal> {
        let both = self.offered.clone().zip(theirs.resume);
        let resumed = both.filter(|(peer, resume)| peer.id() == resume.conversation);
        let (peer, received) = match resumed {
            Some((peer, resume)) => {
                peer.counters.resumed.fetch_add(1, Ordering::Relaxed);
                (peer, resume.received)
            }
            None => {
                let window = Grant {
                    messages: theirs.window_messages,
                    bytes: theirs.window_bytes,
                };
                let id = ConversationId::begun(&self.hello, theirs);
                let local = Arc::clone(&self.local);
                let peer = Peer::start(local, id, self.identity().clone(), agreement, window);
                (peer, Counts::default())
            }
        };
        drop(self.peer.set(Arc::clone(&peer)));
        self.local.joined(&peer, self, received)
    }

    fn dismissed(&self, envelope: &Envelope<'_>) -> Result<(), Refusal> {
        let refusal: Refusal = decode(envelope)?;
        let node = &self.identity().node;
        match refusal.code {
            // It stops, as a shell does after each command.
            ErrorCode::NodeDown => tracing::info!(peer = %node, "peer says good-bye"),
            code => tracing::warn!(peer = %node, %code, message = refusal.message, "peer says good-bye"),
        }
        self.local.note_refusal(&node.name, refusal);
        if let Some(peer) = self.peer.get() {
            peer.end("the peer said good-bye");
        }
        self.close("the peer said good-bye");
        Ok(())
    }

    fn ponged(&self, number: u64) {
        let ping = *self.ping.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sent)) = ping.filter(|(pinged, _)| *pinged == number) {
            let us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
            self.round_trip_us.store(us, Ordering::Relaxed);
        }
    }
}

fn malformed(error: crate::envelope::EnvelopeError) -> Refusal {
    Refusal::new(ErrorCode::Malformed, &error.to_string())
}

/// The link as its transport sees it.
pub(crate) struct Events(pub(crate) Arc<Session>);

impl LinkEvents for Events {
    fn frame(&self, frame: Bytes) {
        let session = &self.0;
        if session.closed.load(Ordering::Acquire) || session.refused.load(Ordering::Acquire) {
            return;
        }
        let ms = u64::try_from(session.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        session.heard_ms.store(ms, Ordering::Release);
        let result = match (Frame::read(frame), session.peer.get()) {
            (Ok(Frame::Link(envelope)), _) => session.receive(&envelope),
            (Ok(Frame::Numbered(frame)), Some(peer)) => peer.accept(frame, session),
            (Ok(Frame::Numbered(_)), None) => return session.close("a frame before the greeting"),
            (Err(error), _) => return session.violation(&error.to_string()),
        };
        if let Err(refusal) = result {
            session.violation(&refusal.message);
        }
    }

    fn writable(&self) {
        if let Some(peer) = self.0.peer.get() {
            peer.writable();
        }
    }

    fn closed(&self, reason: &str) {
        self.0.close(reason);
    }
}
