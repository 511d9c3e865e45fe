//! The way out to one peer: envelopes are written straight into the frame that will carry them, so that whatever comes
//! together within one scheduler tick leaves together; a frame is kept until the peer has acknowledged it.
//!
//! What is urgent passes what is not ([`Lane`]): answers and grants pass messages, small messages pass the pieces of
//! large ones, except those to the same target, which follow it in its lane. So what one sender sends to one target
//! stays in order.
//!
//! Invariants: messages and bytes that the peer has not yet worked off never exceed the window it gave; what waits here
//! or is not acknowledged never exceeds [`MAX_QUEUED_BYTES`] and [`MAX_QUEUED_MESSAGES`] (plus [`RESERVED_BYTES`] and
//! [`RESERVED_MESSAGES`] for what keeps a conversation going).

use super::lane::{LaneOut, Load};
use crate::envelope::{Class, Envelope, MAX_HEADER_BYTES, MAX_KIND_BYTES};
use crate::frame::{Counts, LANES, Lane};
use crate::peer::Grant;
use bytes::Bytes;
use rungs_host::Refusal;
use rungs_host::codec::MAX_ENCODED_BYTES;
use rungs_types::{Address, ErrorCode};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Bytes that may wait for one peer or for its acknowledgement.
pub const MAX_QUEUED_BYTES: usize = 8 * 1024 * 1024;
/// Beyond that, for what keeps a conversation going: grants, refusals, cancellations.
pub const RESERVED_BYTES: usize = 4 * 1024 * 1024;
/// Messages that may wait for one peer or for its acknowledgement.
pub const MAX_QUEUED_MESSAGES: u64 = 64 * 1024;
/// Beyond that, for what keeps a conversation going.
pub const RESERVED_MESSAGES: u64 = 64 * 1024;
/// A message from so many bytes on travels in pieces.
pub const BULK_FROM_BYTES: usize = 32 * 1024;
/// The part of a window, as a divisor, that large messages leave to small ones.
const SMALL_PART: u64 = 8;
/// So many frames of messages in a row, then one piece of a large one.
const BULK_EVERY: u32 = 8;
/// What a sender is told to wait when there is no room.
pub const RETRY_AFTER: Duration = Duration::from_millis(10);

/// Why an envelope was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PushError {
    #[error("the link is closed")]
    Closed,
    #[error("the link has no room, retry after {} ms", RETRY_AFTER.as_millis())]
    Full,
    #[error(
        "the resend buffer is full: {messages} messages are not acknowledged, retry after {} ms",
        RETRY_AFTER.as_millis()
    )]
    Unacknowledged { messages: u64 },
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
            PushError::Full | PushError::Unacknowledged { .. } => ErrorCode::Overloaded,
            PushError::TooLarge { .. } => ErrorCode::TooLarge,
            PushError::Kind { .. } => ErrorCode::Malformed,
        };
        Refusal {
            retry_after_ms: (code == ErrorCode::Overloaded).then_some(RETRY_AFTER.as_millis() as u64),
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
    /// What waits to be sent: answers and what keeps the conversation going, messages, large messages.
    pub queued: [Load; LANES],
    /// What was sent and not yet acknowledged.
    pub unacknowledged: Load,
    /// Messages sent or waiting that the peer has not worked off.
    pub outstanding_messages: u64,
    /// Their bytes.
    pub outstanding_bytes: u64,
    /// Frames that were sent again on a later link.
    pub resent_frames: u64,
}

impl Backlog {
    /// Bytes that wait to be sent.
    pub fn queued_bytes(&self) -> u64 {
        self.queued.iter().map(|load| load.bytes).sum()
    }
}

#[derive(Debug)]
struct State {
    closed: bool,
    control: LaneOut,
    data: LaneOut,
    bulk: LaneOut,
    /// Frames of messages since the last piece of a large one.
    data_run: u32,
    /// For each target of a large message that is not acknowledged, the number after its last piece.
    behind: HashMap<u64, u64>,
    resent_frames: u64,
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
    /// An empty queue to a peer that gives `window`; `wake` is notified when there is something for the task to send.
    pub(crate) fn new(wake: Arc<Notify>, window: Grant) -> Self {
        let state = State {
            closed: false,
            control: LaneOut::new(Lane::Control),
            data: LaneOut::new(Lane::Data),
            bulk: LaneOut::new(Lane::Bulk),
            data_run: 0,
            behind: HashMap::new(),
            resent_frames: 0,
            next_sequence: 0,
            sent: Grant::default(),
            released: Grant::default(),
            window,
        };
        Self {
            state: Mutex::new(state),
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
        state.check_room(envelope.class, bytes)?;
        let was_empty = state.is_empty();
        let length = state.write(envelope, MAX_HEADER_BYTES + bytes);
        if envelope.class.is_metered() {
            state.sent.add(length as u64);
        }
        if was_empty && sender == Sender::Task {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The next frame to send.
    pub(crate) fn take(&self) -> Option<Bytes> {
        let mut state = self.lock();
        let (frame, again) = state.take()?;
        state.resent_frames += u64::from(again);
        Some(frame)
    }

    /// Whether anything waits.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.lock().is_empty()
    }

    /// The peer has these frames. Answers whether it can be true.
    pub(crate) fn acknowledged(&self, received: Counts) -> bool {
        self.lock().acknowledged(received)
    }

    /// Frames of each lane that were sent on the link.
    pub(crate) fn sent(&self) -> Counts {
        let state = self.lock();
        Counts(state.lanes().map(LaneOut::sent))
    }

    /// A new link, over which the peer says what it has: the rest is sent again. Answers whether it can be true.
    pub(crate) fn resume(&self, received: Counts) -> bool {
        let mut state = self.lock();
        // What it said may be older than its last acknowledgement.
        let mut received = received;
        for (count, lane) in received.0.iter_mut().zip(state.lanes()) {
            *count = (*count).max(lane.acknowledged());
        }
        let plausible = state.acknowledged(received);
        state.control.rewind();
        state.data.rewind();
        state.bulk.rewind();
        plausible
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

    /// Gives back memory that an idle conversation does not need.
    pub(crate) fn trim(&self) {
        let mut state = self.lock();
        state.control.trim();
        state.data.trim();
        state.bulk.trim();
    }

    /// Takes nothing more and forgets what was waiting.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.control.clear();
        state.data.clear();
        state.bulk.clear();
        self.wake.notify_one();
    }

    /// What is waiting.
    pub(crate) fn backlog(&self) -> Backlog {
        let state = self.lock();
        Backlog {
            queued: state.lanes().map(LaneOut::waiting),
            unacknowledged: state.held(false),
            outstanding_messages: state.sent.messages - state.released.messages,
            outstanding_bytes: state.sent.bytes - state.released.bytes,
            resent_frames: state.resent_frames,
        }
    }
}

impl State {
    fn lanes(&self) -> [&LaneOut; LANES] {
        [&self.control, &self.data, &self.bulk]
    }

    fn is_empty(&self) -> bool {
        self.lanes().iter().all(|lane| lane.waiting().bytes == 0)
    }

    /// What is not acknowledged, with or without what waits.
    fn held(&self, waiting: bool) -> Load {
        let mut sum = Load::default();
        for lane in self.lanes() {
            sum.add(lane.unacknowledged());
            if waiting {
                sum.add(lane.waiting());
            }
        }
        sum
    }

    fn check_room(&self, class: Class, bytes: usize) -> Result<(), PushError> {
        let (max_bytes, max_messages) = match class {
            Class::Tell | Class::Ask | Class::Reply | Class::Event => (MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES),
            _ => (
                MAX_QUEUED_BYTES + RESERVED_BYTES,
                MAX_QUEUED_MESSAGES + RESERVED_MESSAGES,
            ),
        };
        let fits = |load: Load| load.bytes + bytes as u64 <= max_bytes as u64 && load.messages < max_messages;
        let unacknowledged = self.held(false);
        if !fits(unacknowledged) {
            let messages = unacknowledged.messages;
            return Err(PushError::Unacknowledged { messages });
        }
        let outstanding = self.sent.messages - self.released.messages;
        let outstanding_bytes = self.sent.bytes - self.released.bytes;
        // Large messages leave room for small ones.
        let window_bytes = match outstanding_bytes {
            0 => self.window.bytes,
            _ if bytes < BULK_FROM_BYTES => self.window.bytes,
            _ => self.window.bytes - self.window.bytes / SMALL_PART,
        };
        let window_full = class.is_metered()
            && (outstanding >= self.window.messages || outstanding_bytes + bytes as u64 > window_bytes);
        if window_full || !fits(self.held(true)) {
            return Err(PushError::Full);
        }
        Ok(())
    }

    /// Writes the envelope into the batch of its lane, or into frames of its own; returns its length.
    fn write(&mut self, envelope: &Envelope<'_, &Address>, most_bytes: usize) -> usize {
        let large = envelope.body.is_some_and(|body| body.bytes.len() >= BULK_FROM_BYTES);
        let follows = large || !self.behind.is_empty();
        let key = follows.then(|| order_key(envelope)).flatten();
        let behind = key.is_some_and(|key| self.behind.contains_key(&key));
        if large || behind {
            let mut bytes = Vec::with_capacity(most_bytes);
            envelope.encode(&mut bytes);
            self.bulk.split(&bytes, self.data.end());
            if let Some(key) = key {
                self.behind.insert(key, self.bulk.end());
            }
            return bytes.len();
        }
        let lane = match envelope.class {
            Class::Reply | Class::Refusal | Class::Cancel | Class::Grant | Class::EventGrant => &mut self.control,
            _ => &mut self.data,
        };
        lane.write(most_bytes, |out| envelope.encode(out))
    }

    fn take(&mut self) -> Option<(Bytes, bool)> {
        if let Some(frame) = self.control.take() {
            return Some(frame);
        }
        let bulk_may = self
            .bulk
            .next_needs()
            .is_some_and(|data_before| data_before <= self.data.sent());
        if !(bulk_may && self.data_run >= BULK_EVERY)
            && let Some(frame) = self.data.take()
        {
            self.data_run += 1;
            return Some(frame);
        }
        self.data_run = 0;
        // With nothing left of the messages, whatever belonged before it is sent.
        self.bulk.take()
    }

    fn acknowledged(&mut self, received: Counts) -> bool {
        let plausible = self.control.acknowledge(received.of(Lane::Control))
            && self.data.acknowledge(received.of(Lane::Data))
            && self.bulk.acknowledge(received.of(Lane::Bulk));
        let below = self.bulk.acknowledged();
        self.behind.retain(|_, end| *end > below);
        plausible
    }
}

/// What must stay in order: what is for one target, and what is of one stream. Two things with one key only wait for
/// each other needlessly.
fn order_key(envelope: &Envelope<'_, &Address>) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    match (envelope.class, envelope.to) {
        (Class::Reply, _) => return None,
        (_, Some(to)) => to.hash(&mut hasher),
        (class, None) if class != Class::Event && class != Class::Lagged && class != Class::StreamEnd => return None,
        (_, None) => envelope.sequence.hash(&mut hasher),
    }
    Some(hasher.finish())
}

#[cfg(test)]
mod tests;
