//! The way out to one peer: envelopes are written straight into the frame that will carry them, so that whatever comes
//! together within one scheduler tick leaves together.
//!
//! Invariants: messages and bytes that the peer has not yet worked off never exceed the window it gave; bytes waiting
//! here never exceed [`MAX_QUEUED_BYTES`] (plus [`RESERVED_BYTES`] for what keeps the link alive).

use crate::envelope::{Class, Envelope, MAX_KIND_BYTES};
use crate::frame::{self, FRAME_HEADER_BYTES, MAX_FRAME_BYTES, TRAILER_BYTES};
use crate::peer::Grant;
use rungs_host::Refusal;
use rungs_host::codec::MAX_ENCODED_BYTES;
use rungs_types::{Address, ErrorCode};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Bytes that may wait for one peer.
pub const MAX_QUEUED_BYTES: usize = 16 * 1024 * 1024;
/// Beyond that, for envelopes of the link itself: grants, refusals, cancellations, pings.
pub const RESERVED_BYTES: usize = 4 * 1024 * 1024;
/// What a sender is told to wait when there is no room.
pub const RETRY_AFTER: Duration = Duration::from_millis(10);
/// Smallest capacity of a new frame; it is made as large as the last one was.
const MIN_FRAME_CAPACITY: usize = 512;

/// Why an envelope was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PushError {
    #[error("the link is closed")]
    Closed,
    #[error("the link has no room, retry after {} ms", RETRY_AFTER.as_millis())]
    Full,
    #[error("{bytes} bytes; expected at most {MAX_ENCODED_BYTES}")]
    TooLarge { bytes: usize },
    #[error("a message kind of {bytes} bytes; expected at most {MAX_KIND_BYTES}")]
    Kind { bytes: usize },
}

impl PushError {
    /// The same for a caller who wanted to reach `node`.
    pub(crate) fn refusal(self, node: &rungs_types::NodeId) -> Refusal {
        let code = match self {
            PushError::Closed => ErrorCode::NodeDown,
            PushError::Full => ErrorCode::Overloaded,
            PushError::TooLarge { .. } => ErrorCode::TooLarge,
            PushError::Kind { .. } => ErrorCode::Malformed,
        };
        Refusal {
            retry_after_ms: (self == PushError::Full).then_some(RETRY_AFTER.as_millis() as u64),
            ..Refusal::new(code, &format!("{}: {self}", node.name))
        }
    }
}

/// Who sends what was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The peer's task, in the next turn of the scheduler, with whatever else has come by then.
    Task,
    /// The caller, at once.
    Caller,
}

/// What is waiting and under way, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Bytes that wait to be sent.
    pub queued_bytes: u64,
    /// Messages sent or waiting that the peer has not worked off.
    pub outstanding_messages: u64,
    /// Their bytes.
    pub outstanding_bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    /// Complete frames, in order.
    sealed: VecDeque<Vec<u8>>,
    /// The batch that is being filled; empty when there is none.
    open: Vec<u8>,
    queued_bytes: usize,
    last_frame_bytes: usize,
    next_frame: u64,
    next_sequence: u64,
    /// Metered envelopes handed in so far.
    sent: Grant,
    /// What the peer has worked off so far.
    released: Grant,
    /// How much more than that it takes.
    window: Grant,
}

/// The queue to one peer.
#[derive(Debug)]
pub(crate) struct Outgoing {
    state: Mutex<State>,
    wake: Arc<Notify>,
}

impl Outgoing {
    /// An empty queue; `wake` is notified when there is something for the task to send. Until the peer has given a window,
    /// nothing metered is taken.
    pub(crate) fn new(wake: Arc<Notify>) -> Self {
        Self {
            state: Mutex::default(),
            wake,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an envelope that answers or continues something; it keeps its number.
    pub(crate) fn push(&self, envelope: &Envelope<'_, &Address>, sender: Sender) -> Result<(), PushError> {
        self.enqueue(&mut self.lock(), envelope, sender)
    }

    /// Numbers an envelope and takes it. `numbered` runs before anybody can answer.
    pub(crate) fn push_numbered(
        &self,
        mut envelope: Envelope<'_, &Address>,
        sender: Sender,
        numbered: impl FnOnce(u64),
    ) -> Result<u64, PushError> {
        let mut state = self.lock();
        envelope.sequence = state.next_sequence;
        self.enqueue(&mut state, &envelope, sender)?;
        state.next_sequence += 1;
        numbered(envelope.sequence);
        Ok(envelope.sequence)
    }

    fn enqueue(&self, state: &mut State, envelope: &Envelope<'_, &Address>, sender: Sender) -> Result<(), PushError> {
        if state.closed {
            return Err(PushError::Closed);
        }
        let (kind_bytes, bytes) = envelope.body.map_or((0, 0), |body| (body.kind.len(), body.bytes.len()));
        if bytes > MAX_ENCODED_BYTES {
            return Err(PushError::TooLarge { bytes });
        }
        if kind_bytes > MAX_KIND_BYTES {
            return Err(PushError::Kind { bytes: kind_bytes });
        }
        if !state.has_room(envelope.class, bytes) {
            return Err(PushError::Full);
        }
        let was_empty = state.queued_bytes == 0;
        let length = state.write(envelope);
        if envelope.class.is_metered() {
            state.sent.add(length as u64);
        }
        if was_empty && sender == Sender::Task {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The next frame to send.
    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let frame = match state.sealed.pop_front() {
            Some(frame) => frame,
            None if state.open.is_empty() => return None,
            None => std::mem::take(&mut state.open),
        };
        state.queued_bytes -= frame.len();
        state.last_frame_bytes = frame.len();
        Some(frame)
    }

    /// Whether anything waits.
    pub(crate) fn is_waiting(&self) -> bool {
        self.lock().queued_bytes > 0
    }

    /// The window that the peer gives, at the beginning.
    pub(crate) fn open_window(&self, window: Grant) {
        self.lock().window = window;
    }

    /// What the peer has worked off so far. Answers whether it can be true.
    pub(crate) fn released(&self, so_far: Grant) -> bool {
        let mut state = self.lock();
        let plausible = so_far.messages <= state.sent.messages && so_far.bytes <= state.sent.bytes;
        if plausible {
            state.released = Grant {
                messages: state.released.messages.max(so_far.messages),
                bytes: state.released.bytes.max(so_far.bytes),
            };
        }
        plausible
    }

    /// Takes nothing more and forgets what was waiting.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.sealed.clear();
        state.open = Vec::new();
        state.queued_bytes = 0;
        self.wake.notify_one();
    }

    /// What is waiting.
    pub(crate) fn backlog(&self) -> Backlog {
        let state = self.lock();
        Backlog {
            queued_bytes: state.queued_bytes as u64,
            outstanding_messages: state.sent.messages - state.released.messages,
            outstanding_bytes: state.sent.bytes - state.released.bytes,
        }
    }
}

impl State {
    fn has_room(&self, class: Class, bytes: usize) -> bool {
        let limit = match class {
            Class::Tell | Class::Ask | Class::Reply | Class::Event => MAX_QUEUED_BYTES,
            _ => MAX_QUEUED_BYTES + RESERVED_BYTES,
        };
        if self.queued_bytes + bytes > limit {
            return false;
        }
        let outstanding = self.sent.messages - self.released.messages;
        let outstanding_bytes = self.sent.bytes - self.released.bytes;
        !class.is_metered()
            || (outstanding < self.window.messages && outstanding_bytes + bytes as u64 <= self.window.bytes)
    }

    /// Writes the envelope into the open batch, or into frames of its own if it is too large; returns its length.
    fn write(&mut self, envelope: &Envelope<'_, &Address>) -> usize {
        if self.open.is_empty() {
            self.begin();
        }
        let before = self.open.len();
        let length = frame::append(&mut self.open, |out| envelope.encode(out));
        self.queued_bytes += self.open.len() - before;
        if self.open.len() <= MAX_FRAME_BYTES {
            return length;
        }
        let tail = self.open.split_off(before);
        self.queued_bytes -= tail.len();
        if before > FRAME_HEADER_BYTES {
            self.sealed.push_back(std::mem::take(&mut self.open));
            self.begin();
        }
        if FRAME_HEADER_BYTES + tail.len() <= MAX_FRAME_BYTES {
            self.open.extend_from_slice(&tail);
            self.queued_bytes += tail.len();
            return length;
        }
        // The batch just begun stays unused: the parts take its number.
        self.queued_bytes -= self.open.len();
        self.open.clear();
        self.next_frame -= 1;
        for part in frame::split(&tail[4..], self.next_frame) {
            self.next_frame += 1;
            self.queued_bytes += part.len();
            self.sealed.push_back(part);
        }
        length
    }

    fn begin(&mut self) {
        self.open
            .reserve(self.last_frame_bytes.max(MIN_FRAME_CAPACITY) + TRAILER_BYTES);
        frame::begin_batch(&mut self.open, self.next_frame);
        self.next_frame += 1;
        self.queued_bytes += self.open.len();
    }
}

#[cfg(test)]
mod tests;
