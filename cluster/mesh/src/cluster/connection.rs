//! One connection: what its two stream halves, its ractor_cluster session and its link share.
//!
//! Its life: opened (TLS has proven the peer's certificate) → authenticated (the session knows the cookie and its name
//! is the certificate's) → linked (frames pass) → closed. It can be closed at any point, once.

use super::tls::Proven;
use crate::transport::{LinkEvents, PeerIdentity, Traffic};
use bytes::Bytes;
use futures::task::AtomicWaker;
use ractor::ActorRef;
use ractor_cluster::NodeSessionMessage;
use rungs_types::NodeId;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// Our frames that may be inside ractor_cluster on their way out; the rest waits in the peer's bounded queue, where it
/// is also put together to fewer, larger frames.
pub const MAX_FRAMES_OUT: u64 = 4;
/// The peer's frames that may be inside ractor_cluster on their way in; beyond that the socket is not read.
pub const MAX_FRAMES_IN: u64 = 16;

/// Where the peer's frames go.
enum Inlet {
    /// The link is not up yet: they wait here, at most [`MAX_FRAMES_IN`] because the socket is not read further.
    Waiting(VecDeque<Bytes>),
    Open(Arc<dyn LinkEvents>),
    Closed,
}

/// The shared state of a connection.
pub(crate) struct Connection {
    /// Its number in this process.
    pub(crate) id: u64,
    pub(crate) proven: Proven,
    /// The name and incarnation, once the session has said it.
    node: OnceLock<PeerIdentity>,
    session: OnceLock<ActorRef<NodeSessionMessage>>,
    inlet: Mutex<Inlet>,
    /// The place among the half-open connections, until authenticated.
    half_open: Mutex<Option<OwnedSemaphorePermit>>,
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
    frames_handed: AtomicU64,
    frames_written: AtomicU64,
}

impl Connection {
    pub(crate) fn new(id: u64, proven: Proven, half_open: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            id,
            proven,
            node: OnceLock::new(),
            session: OnceLock::new(),
            inlet: Mutex::new(Inlet::Waiting(VecDeque::new())),
            half_open: Mutex::new(half_open),
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
            frames_handed: AtomicU64::new(0),
            frames_written: AtomicU64::new(0),
        }
    }

    fn inlet(&self) -> MutexGuard<'_, Inlet> {
        self.inlet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_inlet(&self) -> Option<Arc<dyn LinkEvents>> {
        match &*self.inlet() {
            Inlet::Open(events) => Some(Arc::clone(events)),
            Inlet::Waiting(_) | Inlet::Closed => None,
        }
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
        drop(self.half_open.lock().unwrap_or_else(PoisonError::into_inner).take());
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

    /// The link is up: what has waited and what comes goes to its owner.
    pub(crate) fn open(&self, events: Arc<dyn LinkEvents>) {
        loop {
            let mut inlet = self.inlet();
            let next = match &mut *inlet {
                Inlet::Waiting(waiting) => waiting.pop_front(),
                Inlet::Open(_) => return,
                Inlet::Closed => {
                    drop(inlet);
                    return events.closed(self.reason());
                }
            };
            let Some(frame) = next else {
                *inlet = Inlet::Open(events);
                return;
            };
            drop(inlet);
            events.frame(frame);
            self.handled();
        }
    }

    /// A frame of the peer has come out of ractor_cluster.
    pub(crate) fn frame(&self, frame: Bytes) {
        let events = match &mut *self.inlet() {
            Inlet::Waiting(waiting) => return waiting.push_back(frame),
            Inlet::Open(events) => Arc::clone(events),
            Inlet::Closed => return,
        };
        events.frame(frame);
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

    /// Bytes have been written, completing so many frames.
    pub(crate) fn count_written(&self, bytes: usize, frames: u64) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        if frames > 0 {
            self.frames_written.fetch_add(frames, Ordering::AcqRel);
            if let Some(events) = self.open_inlet() {
                events.writable();
            }
        }
    }

    /// A frame is handed to ractor_cluster.
    pub(crate) fn count_handed(&self) {
        self.frames_handed.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether another frame may be handed over.
    pub(crate) fn may_write(&self) -> bool {
        let written = self.frames_written.load(Ordering::Acquire);
        self.frames_handed.load(Ordering::Acquire).saturating_sub(written) < MAX_FRAMES_OUT
    }

    /// Whether everything that was handed over is written.
    pub(crate) fn is_idle(&self) -> bool {
        self.frames_handed.load(Ordering::Acquire) == self.frames_written.load(Ordering::Acquire)
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            frames_in: self.frames_handled.load(Ordering::Relaxed),
            frames_out: self.frames_written.load(Ordering::Relaxed),
        }
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

    /// Why it was closed.
    pub(crate) fn reason(&self) -> &str {
        self.reason.get().map_or("closed", String::as_str)
    }

    fn stop_session(&self) {
        if let Some(session) = self.session.get() {
            session.stop(Some(self.reason().to_owned()));
        }
    }

    /// Closes it. The session ends, both stream halves fail, and the owner of the link is told.
    pub(crate) fn close(&self, reason: &str) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        drop(self.reason.set(reason.to_owned()));
        drop(self.half_open.lock().unwrap_or_else(PoisonError::into_inner).take());
        let inlet = std::mem::replace(&mut *self.inlet(), Inlet::Closed);
        self.stop_session();
        self.read_waker.wake();
        self.write_waker.wake();
        self.closing.notify_waiters();
        tracing::debug!(connection = self.id, peer = %self.proven.name, reason, "connection closed");
        if let Inlet::Open(events) = inlet {
            events.closed(reason);
        }
    }
}
