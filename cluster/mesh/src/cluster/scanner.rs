//! Follows ractor_cluster's frames in a byte stream: an 8-byte big-endian length, then one protobuf message
//! (`protocol/*.proto` of ractor_cluster 0.16.5).
//!
//! It reads of each frame what it is and which actors it announces: ractor_cluster makes an actor for each that a peer
//! names, and has no limit. A session needs little, so what it may have is little; more than that is a [`Violation`],
//! which ends it.
//!
//! Invariant: what is let through is read by ractor_cluster as it was read here. So only the form that it writes itself
//! passes: one field in the frame, and one in the control message within.

use std::time::Duration;
use tokio::time::Instant;

/// Largest frame, in bytes: a token, or an announcement of gateways, has a few hundred.
pub const MAX_SESSION_FRAME_BYTES: usize = 4096;
/// Most actors that a session may announce, each as often as it is named. A peer names each of its gateways twice: when it
/// tells its actors and when it tells their group.
pub const MAX_ANNOUNCED_ACTORS: usize = 64;
/// Most frames in [`CONTROL_WINDOW`] that are no messages. A session sends its announcements and then, every 1 to 5 s, a
/// ping, and answers those of the other side.
pub const MAX_CONTROL_FRAMES: u32 = 256;
/// See [`MAX_CONTROL_FRAMES`].
pub const CONTROL_WINDOW: Duration = Duration::from_secs(10);

/// Why the frames of a session are not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    /// A frame is too large.
    #[error("a session frame of {bytes} bytes; expected at most {MAX_SESSION_FRAME_BYTES}")]
    Large {
        /// Its bytes.
        bytes: u64,
    },
    /// A frame is not what the session of a node sends.
    #[error("a session frame that no node sends")]
    Form,
    /// Too many actors are announced.
    #[error("it has announced {announced} actors; expected at most {MAX_ANNOUNCED_ACTORS}")]
    Announced {
        /// How many, with those of this frame.
        announced: usize,
    },
    /// Too many frames that are no messages.
    #[error("more than {MAX_CONTROL_FRAMES} control frames within 10 s")]
    Control,
}

/// What a ractor_cluster frame carries, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    /// A step of its authentication.
    Authentication,
    /// A message between actors: one of our frames.
    Message,
    /// Anything else: pings, announcements.
    Other,
}

impl Carries {
    fn of(first: Option<u8>) -> Self {
        // Field numbers 1 and 2, wire type 2 (bytes).
        match first {
            Some(0x0a) => Self::Authentication,
            Some(0x12) => Self::Message,
            _ => Self::Other,
        }
    }
}

/// Bytes of the length before each frame.
pub(crate) const LENGTH_BYTES: usize = 8;

/// The first frame in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its bytes, with the length before it.
    pub(crate) bytes: u64,
    /// What it carries.
    pub(crate) carries: Carries,
}

/// Reads the head of a buffer; `None` if that needs more bytes.
pub(crate) fn head(buffer: &[u8]) -> Option<Head> {
    let (length, body) = buffer.split_first_chunk::<LENGTH_BYTES>()?;
    let length = u64::from_be_bytes(*length);
    if length > 0 && body.is_empty() {
        return None;
    }
    Some(Head {
        bytes: length.saturating_add(LENGTH_BYTES as u64),
        carries: Carries::of(body.first().copied().filter(|_| length > 0)),
    })
}

/// A whole frame.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    /// A message between actors.
    Message,
    /// A step of the authentication, or a control message that names so many actors.
    Control { announced: usize },
}

/// Fields of the frame (`meta.proto`), of a control message, and of what announces actors (`control.proto`).
mod field {
    pub(super) const AUTHENTICATION: u64 = 1;
    pub(super) const MESSAGE: u64 = 2;
    pub(super) const CONTROL: u64 = 3;

    pub(super) const SPAWN: u64 = 1;
    pub(super) const TERMINATE: u64 = 2;
    pub(super) const PING: u64 = 3;
    pub(super) const PONG: u64 = 4;
    pub(super) const JOIN: u64 = 5;
    pub(super) const LEAVE: u64 = 6;
    pub(super) const READY: u64 = 9;

    pub(super) const SPAWNED_ACTOR: u64 = 1;
    pub(super) const JOINED_ACTOR: u64 = 2;
}

/// Reads the fields of a protobuf message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The next field: its number and its bytes, which are none for a number. `None` if it is malformed.
    fn next(&mut self) -> Option<(u64, &'a [u8])> {
        let tag = self.varint()?;
        let bytes = match tag & 7 {
            0 => {
                self.varint()?;
                &[][..]
            }
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                bytes
            }
            _ => return None,
        };
        Some((tag >> 3, bytes))
    }

    /// The only field of a message.
    fn only(message: &'a [u8]) -> Option<(u64, &'a [u8])> {
        // As bytes: a number is no message.
        (message.first()? & 7 == 2).then_some(())?;
        let mut fields = Self(message);
        let field = fields.next()?;
        fields.0.is_empty().then_some(field)
    }

    /// How often a field occurs.
    fn count(message: &'a [u8], number: u64) -> Option<usize> {
        let mut fields = Self(message);
        let mut count = 0;
        while !fields.0.is_empty() {
            count += usize::from(fields.next()?.0 == number);
        }
        Some(count)
    }
}

impl Frame {
    /// Reads what was behind the length; `None` if no node sends it.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, content) = Fields::only(bytes)?;
        let announced = match kind {
            field::MESSAGE => return Some(Self::Message),
            field::AUTHENTICATION => 0,
            field::CONTROL => match Fields::only(content)? {
                (field::SPAWN, actors) => Fields::count(actors, field::SPAWNED_ACTOR)?,
                (field::JOIN, group) => Fields::count(group, field::JOINED_ACTOR)?,
                (field::TERMINATE | field::PING | field::PONG | field::LEAVE | field::READY, _) => 0,
                // Whom it is connected with is nobody's business, and later ones are not known.
                _ => return None,
            },
            _ => return None,
        };
        Some(Self::Control { announced })
    }
}

/// Follows the frames of one session, and counts.
#[derive(Debug)]
pub(crate) struct Scanner {
    /// The frame under way, with the length before it.
    frame: Vec<u8>,
    announced: usize,
    /// Frames that were no messages since the window began.
    control: u32,
    window: Instant,
}

impl Scanner {
    /// Nothing has come yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            frame: Vec::new(),
            announced: 0,
            control: 0,
            window: now,
        }
    }

    /// Takes the next bytes; returns how many messages they complete.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], now: Instant) -> Result<u64, Violation> {
        let mut messages = 0;
        while !bytes.is_empty() {
            let whole = match self.frame.first_chunk::<LENGTH_BYTES>() {
                None => LENGTH_BYTES,
                Some(length) => LENGTH_BYTES + length_of(*length)?,
            };
            let taken = (whole - self.frame.len()).min(bytes.len());
            self.frame.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if let Some((length, frame)) = self.frame.split_first_chunk::<LENGTH_BYTES>()
                && length_of(*length)? == frame.len()
            {
                match Frame::read(frame).ok_or(Violation::Form)? {
                    Frame::Message => messages += 1,
                    Frame::Control { announced } => self.control(announced, now)?,
                }
                self.frame.clear();
            }
        }
        Ok(messages)
    }

    fn control(&mut self, announced: usize, now: Instant) -> Result<(), Violation> {
        self.announced += announced;
        if self.announced > MAX_ANNOUNCED_ACTORS {
            let announced = self.announced;
            return Err(Violation::Announced { announced });
        }
        if now.saturating_duration_since(self.window) >= CONTROL_WINDOW {
            (self.window, self.control) = (now, 0);
        }
        self.control += 1;
        if self.control > MAX_CONTROL_FRAMES {
            return Err(Violation::Control);
        }
        Ok(())
    }
}

/// The length before a frame.
fn length_of(bytes: [u8; LENGTH_BYTES]) -> Result<usize, Violation> {
    let bytes = u64::from_be_bytes(bytes);
    let length = usize::try_from(bytes)
        .ok()
        .filter(|length| *length <= MAX_SESSION_FRAME_BYTES);
    length.ok_or(Violation::Large { bytes })
}

#[cfg(test)]
mod tests;
