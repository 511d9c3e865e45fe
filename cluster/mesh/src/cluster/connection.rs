//! One connection: what its two stream halves, its ractor_cluster session, its data stream and its link share.
//!
//! Its life: opened (TLS has proven the peer's certificate) → authenticated (the session knows the cookie and its name
//! is the certificate's) → offered (the acceptor has sent a one-time token over the session) → linked (the data stream
//! that showed the token carries frames) → closed. It can be closed at any point, once.

use super::data::{DATA_DEADLINE, DataStream, Token};
use super::stream::AUTH_DEADLINE;
use super::tls::Proven;
use crate::ca::now_unix;
use crate::transport::{LinkEvents, PeerIdentity};
use futures::task::AtomicWaker;
use ractor::ActorRef;
use ractor_cluster::NodeSessionMessage;
use rungs_types::NodeId;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

/// The peer's messages that may be inside ractor_cluster on their way in; beyond that the socket is not read.
pub const MAX_FRAMES_IN: u64 = 4;

/// From the TLS handshake to a link: to authenticate, and to open the data stream.
const LINK_DEADLINE: Duration = AUTH_DEADLINE.saturating_add(DATA_DEADLINE);

/// Which side opened a connection.
pub(crate) enum Side {
    /// The peer did; the place among the half-open connections, until authenticated.
    Accepted {
        /// Given back when it is dropped.
        _place: OwnedSemaphorePermit,
    },
    /// This node did; where the token goes when it comes.
    Dialed(oneshot::Sender<Token>),
}

/// The shared state of a connection.
pub(crate) struct Connection {
    /// Its number in this process.
    pub(crate) id: u64,
    pub(crate) proven: Proven,
    /// Whether the peer opened it.
    pub(crate) accepted: bool,
    side: Mutex<Option<Side>>,
    /// The name and incarnation, once the session has said it.
    node: OnceLock<PeerIdentity>,
    session: OnceLock<ActorRef<NodeSessionMessage>>,
    token: OnceLock<Token>,
    linked: AtomicBool,
    /// Gone when it is closed: both hold it in turn.
    data: Mutex<Option<Arc<DataStream>>>,
    events: Mutex<Option<Arc<dyn LinkEvents>>>,
    authenticated: AtomicBool,
    closed: AtomicBool,
    closing: Notify,
    reason: OnceLock<String>,
    pub(crate) read_waker: AtomicWaker,
    pub(crate) write_waker: AtomicWaker,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    reader_waits: AtomicBool,
    frames_read: AtomicU64,
    frames_handled: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    pub(crate) fn new(id: u64, proven: Proven, side: Side) -> Self {
        Self {
            id,
            proven,
            accepted: matches!(side, Side::Accepted { .. }),
            side: Mutex::new(Some(side)),
            node: OnceLock::new(),
            session: OnceLock::new(),
            token: OnceLock::new(),
            linked: AtomicBool::new(false),
            data: Mutex::new(None),
            events: Mutex::new(None),
            authenticated: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
            reason: OnceLock::new(),
            read_waker: AtomicWaker::new(),
            write_waker: AtomicWaker::new(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            reader_waits: AtomicBool::new(false),
            frames_read: AtomicU64::new(0),
            frames_handled: AtomicU64::new(0),
        }
    }

    /// A half-open connection gives its place to the next one.
    fn release_place(&self) {
        lock(&self.side).take_if(|side| matches!(side, Side::Accepted { .. }));
    }

    /// The session that runs over it.
    pub(crate) fn set_session(&self, session: ActorRef<NodeSessionMessage>) {
        drop(self.session.set(session));
        if self.is_closed() {
            self.stop_session();
        }
    }

    /// The session has shown that it knows the cookie.
    pub(crate) fn set_authenticated(&self, node: NodeId) {
        let identity = PeerIdentity {
            node,
            roles: self.proven.roles,
        };
        drop(self.node.set(identity));
        self.release_place();
        self.authenticated.store(true, Ordering::Release);
        self.read_waker.wake();
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.authenticated.load(Ordering::Acquire)
    }

    /// The peer, once authenticated.
    pub(crate) fn identity(&self) -> Option<&PeerIdentity> {
        self.node.get()
    }

    /// The token that this node has offered.
    pub(crate) fn set_token(&self, token: Token) -> bool {
        self.token.set(token).is_ok()
    }

    /// The token that this node has offered, if it has.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.get()
    }

    /// Whether a data stream carries frames for it, or has.
    pub(crate) fn is_linked(&self) -> bool {
        self.linked.load(Ordering::Acquire)
    }

    /// The data stream; only the first one counts.
    pub(crate) fn set_data(&self, data: Arc<DataStream>) -> bool {
        if self.linked.swap(true, Ordering::AcqRel) {
            return false;
        }
        *lock(&self.data) = Some(data);
        if self.is_closed() {
            self.stop_data();
        }
        true
    }

    /// The link is up: its owner is told of its end.
    pub(crate) fn set_events(&self, events: Arc<dyn LinkEvents>) {
        *lock(&self.events) = Some(events);
        if self.is_closed() {
            self.tell_end();
        }
    }

    /// A message of the peer has come out of ractor_cluster. There is one: the token, for the side that dialed.
    pub(crate) fn frame(&self, message: &[u8]) {
        let waiting = lock(&self.side).take_if(|side| matches!(side, Side::Dialed(_)));
        match (message.try_into(), waiting) {
            // Nobody waits for it any more if the connection is being closed.
            (Ok(token), Some(Side::Dialed(waiting))) => drop(waiting.send(token)),
            _ => self.close("a message that nobody waits for"),
        }
        self.handled();
    }

    fn handled(&self) {
        self.frames_handled.fetch_add(1, Ordering::SeqCst);
        // A reader that waits for the network need not be woken.
        if self.reader_waits.swap(false, Ordering::SeqCst) {
            self.read_waker.wake();
        }
    }

    /// Whether the socket may be read on; if not, the reader is woken when it may.
    pub(crate) fn may_read(&self) -> bool {
        if self.has_room() {
            return true;
        }
        self.reader_waits.store(true, Ordering::SeqCst);
        // A frame may have been handled just before that.
        self.has_room()
    }

    fn has_room(&self) -> bool {
        let read = self.frames_read.load(Ordering::SeqCst);
        read.saturating_sub(self.frames_handled.load(Ordering::SeqCst)) < MAX_FRAMES_IN
    }

    /// Bytes have been read, completing so many frames.
    pub(crate) fn count_read(&self, bytes: usize, frames: u64) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
        self.frames_read.fetch_add(frames, Ordering::AcqRel);
    }

    /// Bytes have been written.
    pub(crate) fn count_written(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes read and written by the session.
    pub(crate) fn session_bytes(&self) -> [u64; 2] {
        [&self.bytes_in, &self.bytes_out].map(|bytes| bytes.load(Ordering::Relaxed))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits for its end.
    pub(crate) async fn until_closed(&self) {
        let mut closing = std::pin::pin!(self.closing.notified());
        closing.as_mut().enable();
        if !self.is_closed() {
            closing.await;
        }
    }

    /// Closes it if it does not come to a link in time.
    pub(crate) async fn until_linked_or_closed(&self) {
        let closed = tokio::time::timeout(LINK_DEADLINE, self.until_closed()).await;
        if closed.is_err() && !self.is_linked() {
            self.close("no data stream within 10 s");
        }
    }

    /// Closes it when the peer's certificate ends.
    pub(crate) async fn until_expired_or_closed(&self) {
        let left = self.proven.expiry.saturating_sub(now_unix());
        if tokio::time::timeout(left, self.until_closed()).await.is_err() {
            tracing::warn!(peer = %self.proven.name, "the peer's certificate has expired");
            self.close("the peer's certificate has expired");
        }
    }

    /// Why it was closed.
    pub(crate) fn reason(&self) -> &str {
        self.reason.get().map_or("closed", String::as_str)
    }

    fn stop_session(&self) {
        if let Some(session) = self.session.get() {
            session.stop(Some(self.reason().to_owned()));
        }
    }

    fn stop_data(&self) {
        let data = lock(&self.data).take();
        if let Some(data) = data {
            data.stop();
        }
    }

    fn tell_end(&self) {
        let events = lock(&self.events).take();
        if let Some(events) = events {
            events.closed(self.reason());
        }
    }

    /// Closes it. The session ends, all streams fail, and the owner of the link is told.
    pub(crate) fn close(&self, reason: &str) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        drop(self.reason.set(reason.to_owned()));
        drop(lock(&self.side).take());
        self.stop_session();
        self.stop_data();
        self.read_waker.wake();
        self.write_waker.wake();
        self.closing.notify_waiters();
        tracing::debug!(connection = self.id, peer = %self.proven.name, reason, "connection closed");
        self.tell_end();
    }
}
