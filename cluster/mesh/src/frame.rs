//! Frames: how envelopes travel. A frame is what a link carries in one piece, at most [`MAX_FRAME_BYTES`].
//!
//! ```text
//! u32 bytes that follow · u8 layout version · u8 kind · u64 number
//!   CONTROL, DATA  (u32 length · envelope)*                            several small envelopes
//!   BULK           u32 bytes still to come · u64 data before · bytes   a piece of one envelope
//!   LINK           envelope                                            concerns this link only; its number is 0
//! ```
//!
//! There are three [`Lane`]s. The frames of one lane of one direction of a conversation count up from 0, over all links
//! it has: a repeated one is dropped, a missing one is an error, after which the link starts anew and what was not
//! acknowledged is sent again. The lanes pass each other; where order matters across them, a piece of a large envelope
//! says how many frames of [`Lane::Data`] belong before it. The pieces of an envelope follow each other within their
//! lane, so that a receiver holds at most one unfinished envelope per conversation. It never allocates more than has
//! arrived.

use crate::envelope::MAX_HEADER_BYTES;
use bytes::{Bytes, BytesMut};
use rungs_host::codec::MAX_ENCODED_BYTES;
use serde::{Deserialize, Serialize};

/// The layout of frames. One with another version comes from a node that lays frames out otherwise.
pub const LAYOUT_VERSION: u8 = 2;
/// Most bytes of a frame, with the length before it: little enough that a ping behind one does not wait long, and that
/// the memory of one is taken and given back without asking the system.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;
/// Most bytes of an envelope: a message of 4 MiB and its header.
pub const MAX_ENVELOPE_BYTES: usize = MAX_ENCODED_BYTES + MAX_HEADER_BYTES;
/// Bytes of the length before a frame.
pub const LENGTH_BYTES: usize = 4;
/// Bytes of a frame before its content, with its length.
pub const FRAME_HEADER_BYTES: usize = LENGTH_BYTES + 10;

const LINK: u8 = 4;
const BULK_HEADER_BYTES: usize = FRAME_HEADER_BYTES + 12;

/// How many [`Lane`]s there are.
pub const LANES: usize = 3;

/// What travels together in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Lane {
    /// Answers and what keeps a conversation going; passes everything else.
    Control = 1,
    /// Messages and events.
    Data = 2,
    /// Large envelopes, in pieces between which the others pass.
    Bulk = 3,
}

impl Lane {
    /// All lanes, the most urgent first.
    pub const ALL: [Lane; LANES] = [Lane::Control, Lane::Data, Lane::Bulk];

    /// Its place in [`Counts`].
    pub fn index(self) -> usize {
        self as usize - 1
    }
}

/// Frames of each lane, by [`Lane::index`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts(pub [u64; LANES]);

impl Counts {
    /// Those of one lane.
    pub fn of(self, lane: Lane) -> u64 {
        self.0[lane.index()]
    }

    /// Whether none of them is above the other's.
    pub fn within(self, other: Counts) -> bool {
        self.0.iter().zip(other.0).all(|(ours, theirs)| *ours <= theirs)
    }
}

/// Why bytes are not a frame, or not the one that was due.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Fewer bytes than the header, or than an envelope in it claims.
    #[error("a frame ends within its {field}")]
    Short {
        /// Within what.
        field: &'static str,
    },
    /// Laid out by another version.
    #[error("frame layout {found}; expected {LAYOUT_VERSION}")]
    Layout {
        /// The version found.
        found: u8,
    },
    /// Neither a lane nor for the link.
    #[error("frame kind {found}; expected 1 to {LINK}")]
    Kind {
        /// The kind found.
        found: u8,
    },
    /// It says that it is longer or shorter than it is.
    #[error("a frame of {found} bytes says it has {claimed}")]
    Length {
        /// Bytes behind the length.
        found: usize,
        /// What the length says.
        claimed: usize,
    },
    /// More bytes than a frame or an envelope may have.
    #[error("{bytes} bytes; expected at most {limit}")]
    TooLarge {
        /// The size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// One or more frames before it are missing.
    #[error("frame {found}; expected {expected}")]
    Gap {
        /// Its number.
        found: u64,
        /// The number that was due.
        expected: u64,
    },
    /// A part that does not continue the envelope under way.
    #[error("a part of {found} bytes in all; expected the next of {expected}")]
    OutOfOrder {
        /// Bytes that the part announces.
        found: usize,
        /// Bytes that were still to come.
        expected: usize,
    },
}

fn begin(frame: &mut Vec<u8>, kind: u8, number: u64) {
    frame.extend_from_slice(&[0; LENGTH_BYTES]);
    frame.extend_from_slice(&[LAYOUT_VERSION, kind]);
    frame.extend_from_slice(&number.to_le_bytes());
}

/// Begins a batch in an empty buffer.
pub(crate) fn begin_batch(frame: &mut Vec<u8>, lane: Lane, number: u64) {
    begin(frame, lane as u8, number);
}

/// Appends one envelope, written by `encode`, to a batch; returns its length.
pub(crate) fn append(frame: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = frame.len();
    frame.extend_from_slice(&[0; 4]);
    encode(frame);
    let length = frame.len() - start - 4;
    let claim = u32::try_from(length).expect("an envelope has at most 4 MiB and a header");
    frame[start..start + 4].copy_from_slice(&claim.to_le_bytes());
    length
}

/// Writes the length; the frame is complete.
pub(crate) fn seal(mut frame: Vec<u8>) -> Bytes {
    let claim = u32::try_from(frame.len() - LENGTH_BYTES).expect("a frame has at most 64 KiB");
    frame[..LENGTH_BYTES].copy_from_slice(&claim.to_le_bytes());
    frame.into()
}

/// A frame that concerns one link only.
pub(crate) fn link(encode: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut frame = Vec::with_capacity(128);
    begin(&mut frame, LINK, 0);
    encode(&mut frame);
    seal(frame)
}

/// Cuts an envelope into frames of [`Lane::Bulk`], numbered from `first`; so many frames of [`Lane::Data`] belong before
/// it.
pub(crate) fn split(envelope: &[u8], first: u64, data_before: u64) -> impl Iterator<Item = Bytes> {
    let mut left = envelope.len();
    let parts = envelope.chunks(MAX_FRAME_BYTES - BULK_HEADER_BYTES);
    (first..).zip(parts).map(move |(number, part)| {
        left -= part.len();
        let mut frame = Vec::with_capacity(BULK_HEADER_BYTES + part.len());
        begin(&mut frame, Lane::Bulk as u8, number);
        let claim = u32::try_from(left).expect("an envelope has at most 4 MiB and a header");
        frame.extend_from_slice(&claim.to_le_bytes());
        frame.extend_from_slice(&data_before.to_le_bytes());
        frame.extend_from_slice(part);
        seal(frame)
    })
}

/// The length that a frame claims, with that of the length itself; `None` if that needs more bytes.
pub(crate) fn claimed(bytes: &[u8]) -> Option<Result<usize, FrameError>> {
    let length = u32::from_le_bytes(*bytes.first_chunk::<LENGTH_BYTES>()?) as usize;
    let limit = MAX_FRAME_BYTES - LENGTH_BYTES;
    let too_large = FrameError::TooLarge { bytes: length, limit };
    Some((length <= limit).then_some(length + LENGTH_BYTES).ok_or(too_large))
}

/// A frame whose header has been read.
#[derive(Debug)]
pub enum Frame {
    /// An envelope that concerns the link only.
    Link(Bytes),
    /// One of a lane.
    Numbered(Numbered),
}

/// A frame of a lane.
#[derive(Debug)]
pub struct Numbered {
    lane: Lane,
    number: u64,
    content: Bytes,
}

impl Frame {
    /// Reads the header.
    pub fn read(mut frame: Bytes) -> Result<Self, FrameError> {
        let short = FrameError::Short { field: "header" };
        let claimed = claimed(&frame).ok_or(short.clone())??;
        if claimed != frame.len() {
            return Err(FrameError::Length {
                found: frame.len() - LENGTH_BYTES,
                claimed: claimed - LENGTH_BYTES,
            });
        }
        let header = frame.first_chunk::<FRAME_HEADER_BYTES>().ok_or(short)?;
        let &[_, _, _, _, layout, kind, number @ ..] = header;
        if layout != LAYOUT_VERSION {
            return Err(FrameError::Layout { found: layout });
        }
        let number = u64::from_le_bytes(number);
        bytes::Buf::advance(&mut frame, FRAME_HEADER_BYTES);
        if kind == LINK {
            return Ok(Self::Link(frame));
        }
        let lane = Lane::ALL.into_iter().find(|lane| *lane as u8 == kind);
        let lane = lane.ok_or(FrameError::Kind { found: kind })?;
        Ok(Self::Numbered(Numbered {
            lane,
            number,
            content: frame,
        }))
    }
}

/// Puts the frames of one direction of a conversation together again.
#[derive(Debug, Default)]
pub struct Assembler {
    next: Counts,
    parts: BytesMut,
    to_come: usize,
}

/// The envelopes of a frame; iterating ends with the first error.
#[derive(Debug)]
pub enum Content {
    /// A batch.
    Batch(Bytes),
    /// One envelope, now complete.
    Whole(Bytes),
    /// A part of an envelope that is not complete yet, or the end.
    Nothing,
    /// The frame has been here before.
    Repeated,
}

impl Assembler {
    /// How many frames of each lane have come.
    pub fn received(&self) -> Counts {
        self.next
    }

    /// Takes a frame in.
    pub fn accept(&mut self, frame: Numbered) -> Result<Content, FrameError> {
        let Numbered { lane, number, content } = frame;
        let expected = self.next.of(lane);
        if number < expected {
            return Ok(Content::Repeated);
        }
        if number > expected {
            return Err(FrameError::Gap {
                found: number,
                expected,
            });
        }
        let content = match lane {
            Lane::Control | Lane::Data => Content::Batch(content),
            Lane::Bulk => self.accept_part(&content)?,
        };
        self.next.0[lane.index()] += 1;
        Ok(content)
    }

    fn accept_part(&mut self, content: &[u8]) -> Result<Content, FrameError> {
        let short = FrameError::Short { field: "part" };
        let (header, part) = content.split_first_chunk::<12>().ok_or(short.clone())?;
        let [a, b, c, d, data_before @ ..] = *header;
        let left = u32::from_le_bytes([a, b, c, d]) as usize;
        let data_before = u64::from_le_bytes(data_before);
        let announced = left.saturating_add(part.len());
        if part.is_empty() {
            return Err(short);
        }
        if self.next.of(Lane::Data) < data_before {
            return Err(FrameError::Gap {
                found: data_before,
                expected: self.next.of(Lane::Data),
            });
        }
        if self.to_come == 0 && announced > MAX_ENVELOPE_BYTES {
            return Err(FrameError::TooLarge {
                bytes: announced,
                limit: MAX_ENVELOPE_BYTES,
            });
        }
        if self.to_come != 0 && announced != self.to_come {
            return Err(FrameError::OutOfOrder {
                found: announced,
                expected: self.to_come,
            });
        }
        self.parts.extend_from_slice(part);
        self.to_come = left;
        if left > 0 {
            return Ok(Content::Nothing);
        }
        Ok(Content::Whole(std::mem::take(&mut self.parts).freeze()))
    }
}

impl Iterator for Content {
    type Item = Result<Bytes, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        match std::mem::replace(self, Content::Nothing) {
            Content::Nothing | Content::Repeated => None,
            Content::Whole(envelope) => Some(Ok(envelope)),
            Content::Batch(rest) if rest.is_empty() => None,
            Content::Batch(mut rest) => {
                let Some(length) = rest.first_chunk::<4>().map(|claim| u32::from_le_bytes(*claim) as usize) else {
                    return Some(Err(FrameError::Short { field: "length" }));
                };
                if rest.len() - 4 < length {
                    return Some(Err(FrameError::Short { field: "envelope" }));
                }
                let envelope = rest.slice(4..4 + length);
                bytes::Buf::advance(&mut rest, 4 + length);
                *self = Content::Batch(rest);
                Some(Ok(envelope))
            }
        }
    }
}

#[cfg(test)]
mod tests;
