//! One lane of the way out: the frames that were sent and not acknowledged, those that wait, and the one being filled.
//!
//! Invariant: `frames` holds the frames from `first` on without a hole, the first `sent` of them sent on the link of now.

use crate::frame::{self, FRAME_HEADER_BYTES, Lane, MAX_FRAME_BYTES};
use bytes::Bytes;
use serde::Serialize;
use std::collections::VecDeque;

/// Smallest capacity of a new frame; it is made as large as the last one was.
const MIN_FRAME_CAPACITY: usize = 256;
/// Buffers of acknowledged frames that are kept for new ones, if they are at least half as large as a frame may be: as
/// many as can wait, so that at a high rate every buffer comes from there. An idle lane gives them back by and by.
const MAX_SPARE: usize = super::MAX_QUEUED_BYTES / MAX_FRAME_BYTES;

/// Messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Load {
    /// How many.
    pub messages: u64,
    /// Bytes of the frames that they are in.
    pub bytes: u64,
}

impl Load {
    pub(super) fn add(&mut self, other: Load) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }

    fn subtract(&mut self, other: Load) {
        self.messages -= other.messages;
        self.bytes -= other.bytes;
    }
}

#[derive(Debug)]
struct Sealed {
    frame: Bytes,
    messages: u64,
    /// Frames of [`Lane::Data`] that belong before it.
    data_before: u64,
}

impl Sealed {
    fn load(&self) -> Load {
        Load {
            messages: self.messages,
            bytes: self.frame.len() as u64,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct LaneOut {
    lane: Lane,
    frames: VecDeque<Sealed>,
    first: u64,
    sent: usize,
    /// Frames below this number were sent on an earlier link.
    once_sent: u64,
    open: Vec<u8>,
    open_messages: u64,
    last_frame_bytes: usize,
    spare: Vec<Vec<u8>>,
    waiting: Load,
    unacknowledged: Load,
}

impl LaneOut {
    pub(super) fn new(lane: Lane) -> Self {
        Self {
            lane,
            frames: VecDeque::new(),
            first: 0,
            sent: 0,
            once_sent: 0,
            open: Vec::new(),
            open_messages: 0,
            last_frame_bytes: 0,
            spare: Vec::new(),
            waiting: Load::default(),
            unacknowledged: Load::default(),
        }
    }

    /// What waits to be sent.
    pub(super) fn waiting(&self) -> Load {
        self.waiting
    }

    /// What was sent and may have to be sent again.
    pub(super) fn unacknowledged(&self) -> Load {
        self.unacknowledged
    }

    /// The number of the next frame that is sent: so many were on the link, or on one before it.
    pub(super) fn sent(&self) -> u64 {
        self.first + self.sent as u64
    }

    /// Frames that are acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.first
    }

    /// The number after that of the newest frame.
    pub(super) fn end(&self) -> u64 {
        self.first + self.frames.len() as u64 + u64::from(!self.open.is_empty())
    }

    /// Writes an envelope of at most `most_bytes` into the batch under way; returns its length.
    pub(super) fn write(&mut self, most_bytes: usize, encode: impl FnOnce(&mut Vec<u8>)) -> usize {
        if !self.open.is_empty() && self.open.len() + 4 + most_bytes > MAX_FRAME_BYTES {
            self.seal();
        }
        if self.open.is_empty() {
            let capacity = (self.last_frame_bytes + 4 + most_bytes).clamp(MIN_FRAME_CAPACITY, MAX_FRAME_BYTES);
            self.open = match self.spare.pop_if(|_| capacity >= MAX_FRAME_BYTES / 2) {
                Some(spare) => spare,
                None => Vec::with_capacity(capacity),
            };
            frame::begin_batch(&mut self.open, self.lane, self.first + self.frames.len() as u64);
            self.waiting.bytes += FRAME_HEADER_BYTES as u64;
        }
        let before = self.open.len();
        let length = frame::append(&mut self.open, encode);
        self.waiting.bytes += (self.open.len() - before) as u64;
        self.waiting.messages += 1;
        self.open_messages += 1;
        length
    }

    /// Cuts an envelope into pieces that travel by themselves; so many frames of [`Lane::Data`] belong before it.
    pub(super) fn split(&mut self, envelope: &[u8], data_before: u64) {
        let first = self.first + self.frames.len() as u64;
        for frame in frame::split(envelope, first, data_before) {
            let sealed = Sealed {
                frame,
                messages: 0,
                data_before,
            };
            self.waiting.add(sealed.load());
            self.frames.push_back(sealed);
        }
        if let Some(last) = self.frames.back_mut() {
            last.messages = 1;
            self.waiting.messages += 1;
        }
    }

    fn seal(&mut self) {
        let frame = std::mem::take(&mut self.open);
        self.last_frame_bytes = frame.len();
        self.frames.push_back(Sealed {
            frame: frame::seal(frame),
            messages: std::mem::take(&mut self.open_messages),
            data_before: 0,
        });
    }

    /// How many frames of [`Lane::Data`] belong before the next one here; `None` if nothing waits.
    pub(super) fn next_needs(&self) -> Option<u64> {
        match self.frames.get(self.sent) {
            Some(sealed) => Some(sealed.data_before),
            None => (!self.open.is_empty()).then_some(0),
        }
    }

    /// The next frame to send, and whether it has been sent before.
    pub(super) fn take(&mut self) -> Option<(Bytes, bool)> {
        if self.sent == self.frames.len() {
            if self.open.is_empty() {
                return None;
            }
            self.seal();
        }
        let sealed = self.frames.get(self.sent)?;
        let again = self.sent() < self.once_sent;
        self.waiting.subtract(sealed.load());
        self.unacknowledged.add(sealed.load());
        let frame = sealed.frame.clone();
        self.sent += 1;
        Some((frame, again))
    }

    /// The peer has the frames below this number. `false` if that cannot be.
    pub(super) fn acknowledge(&mut self, below: u64) -> bool {
        if below > self.sent().max(self.once_sent) {
            return false;
        }
        while self.first < below
            && let Some(sealed) = self.frames.pop_front()
        {
            self.first += 1;
            if self.sent > 0 {
                self.sent -= 1;
                self.unacknowledged.subtract(sealed.load());
            } else {
                // It came over the link before, and waits here to be sent again.
                self.waiting.subtract(sealed.load());
            }
            self.keep(sealed.frame);
        }
        true
    }

    fn keep(&mut self, frame: Bytes) {
        if frame.len() >= MAX_FRAME_BYTES / 2 && self.spare.len() < MAX_SPARE && frame.is_unique() {
            let mut buffer = Vec::from(frame);
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Gives half of the buffers back if nothing is under way.
    pub(super) fn trim(&mut self) {
        if self.waiting.bytes == 0 && self.unacknowledged.bytes == 0 {
            self.spare.truncate(self.spare.len() / 2);
        }
    }

    /// A new link: what was not acknowledged waits again.
    pub(super) fn rewind(&mut self) {
        self.once_sent = self.once_sent.max(self.sent());
        self.sent = 0;
        self.waiting.add(self.unacknowledged);
        self.unacknowledged = Load::default();
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.lane);
    }
}
