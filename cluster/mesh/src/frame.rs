//! Frames: how envelopes travel. A frame is what a transport carries in one piece, at most [`MAX_FRAME_BYTES`].
//!
//! ```text
//! u8 layout version · u8 shape · u64 number
//!   BATCH  (u32 length · envelope)*           several small envelopes
//!   PART   u32 bytes still to come · bytes    a piece of one envelope that is too large for a frame
//! ```
//!
//! Frames of one direction of one link count up from 0: a repeated one is dropped, a missing one is an error, after
//! which the link starts anew. The parts of an envelope follow each other without anything in between, so that order is kept and a receiver holds
//! at most one unfinished envelope per link. It never allocates more than has arrived.

use crate::envelope::MAX_HEADER_BYTES;
use bytes::{Bytes, BytesMut};
use rungs_host::codec::MAX_ENCODED_BYTES;

/// First byte of every frame. A frame with another one comes from a node that lays frames out otherwise.
pub const LAYOUT_VERSION: u8 = 1;
/// Most bytes of a frame.
pub const MAX_FRAME_BYTES: usize = 256 * 1024;
/// Most bytes of an envelope: a message of 4 MiB and its header.
pub const MAX_ENVELOPE_BYTES: usize = MAX_ENCODED_BYTES + MAX_HEADER_BYTES;
/// Bytes of a frame before its content.
pub const FRAME_HEADER_BYTES: usize = 10;

/// Bytes that a transport may append to a frame on the way; buffers are made with room for them.
pub const TRAILER_BYTES: usize = 16;

const BATCH: u8 = 1;
const PART: u8 = 2;
const PART_HEADER_BYTES: usize = FRAME_HEADER_BYTES + 4;

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
    /// Neither batch nor part.
    #[error("frame shape {found}; expected {BATCH} or {PART}")]
    Shape {
        /// The shape found.
        found: u8,
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
        /// Bytes that were still to come; 0 when no envelope was under way.
        expected: usize,
    },
}

fn begin(frame: &mut Vec<u8>, shape: u8, number: u64) {
    frame.extend_from_slice(&[LAYOUT_VERSION, shape]);
    frame.extend_from_slice(&number.to_le_bytes());
}

/// Begins a batch in an empty buffer.
pub(crate) fn begin_batch(frame: &mut Vec<u8>, number: u64) {
    begin(frame, BATCH, number);
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

/// Cuts an envelope that is too large for a batch into frames, numbered from `first`.
pub(crate) fn split(envelope: &[u8], first: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut left = envelope.len();
    let parts = envelope.chunks(MAX_FRAME_BYTES - PART_HEADER_BYTES);
    (first..).zip(parts).map(move |(number, part)| {
        left -= part.len();
        let mut frame = Vec::with_capacity(PART_HEADER_BYTES + part.len() + TRAILER_BYTES);
        begin(&mut frame, PART, number);
        let claim = u32::try_from(left).expect("an envelope has at most 4 MiB and a header");
        frame.extend_from_slice(&claim.to_le_bytes());
        frame.extend_from_slice(part);
        frame
    })
}

/// Puts the frames of one link together again.
#[derive(Debug, Default)]
pub struct Assembler {
    next: u64,
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
    /// A part of an envelope that is not complete yet, or a repeated frame.
    Nothing,
}

impl Assembler {
    /// Takes a frame in.
    pub fn accept(&mut self, frame: Bytes) -> Result<Content, FrameError> {
        if frame.len() > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge {
                bytes: frame.len(),
                limit: MAX_FRAME_BYTES,
            });
        }
        let short = FrameError::Short { field: "header" };
        let &[layout, shape, number @ ..] = frame.first_chunk::<FRAME_HEADER_BYTES>().ok_or(short)?;
        if layout != LAYOUT_VERSION {
            return Err(FrameError::Layout { found: layout });
        }
        let number = u64::from_le_bytes(number);
        if number < self.next {
            return Ok(Content::Nothing);
        }
        if number > self.next {
            return Err(FrameError::Gap {
                found: number,
                expected: self.next,
            });
        }
        self.next += 1;
        match shape {
            BATCH if self.to_come == 0 => Ok(Content::Batch(frame.slice(FRAME_HEADER_BYTES..))),
            BATCH => Err(FrameError::OutOfOrder {
                found: 0,
                expected: self.to_come,
            }),
            PART => self.accept_part(&frame),
            found => Err(FrameError::Shape { found }),
        }
    }

    fn accept_part(&mut self, frame: &[u8]) -> Result<Content, FrameError> {
        let short = FrameError::Short { field: "part" };
        let (header, part) = frame.split_first_chunk::<PART_HEADER_BYTES>().ok_or(short.clone())?;
        let [.., a, b, c, d] = *header;
        let left = u32::from_le_bytes([a, b, c, d]) as usize;
        let announced = left.saturating_add(part.len());
        if part.is_empty() {
            return Err(short);
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
            Content::Nothing => None,
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
