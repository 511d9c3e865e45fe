//! The envelope: what is written around every message between two nodes.
//!
//! Its header is laid out by hand, because it is read for each message, borrowed from the frame without an allocation,
//! and because a node must be able to refuse a version it does not know; whatever is inside is `host::codec` or JSON.
//! Little endian:
//!
//! ```text
//! u8 class · u16 fields · u64 sequence
//!   [DEADLINE  u32 milliseconds left]       [TRACE u128 trace, u64 span]   [MESSAGE_ID u128]
//!   [MAP       u64 version]
//!   [FROM      u16 length, address]         [TO    u16 length, address]
//!   [PAYLOAD   u8 length, kind, u16 schema version, the rest of the envelope]
//! ```
//!
//! The sequence numbers the messages, questions and streams of one direction of one conversation; whatever answers or
//! continues one carries its number.
//! Decoding never panics and never allocates.

use rungs_host::Format;
use rungs_types::MessageId;
use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

/// Longest address, in bytes: two names of 63 characters, a role of 127, separators.
pub const MAX_ADDRESS_BYTES: usize = 63 + 1 + 63 + 1 + 127;
/// Longest message kind, in bytes.
pub const MAX_KIND_BYTES: usize = 127;
/// Most bytes of an envelope beside its payload.
pub const MAX_HEADER_BYTES: usize = 11 + 4 + 24 + 16 + 8 + 2 * (2 + MAX_ADDRESS_BYTES) + 1 + MAX_KIND_BYTES + 2;

/// What an envelope is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// The first of each direction: versions, features, names.
    Hello = 1,
    /// A message without an answer.
    Tell = 2,
    /// A message with an answer.
    Ask = 3,
    /// The answer.
    Reply = 4,
    /// The negative answer to a message of any class.
    Refusal = 5,
    /// The asker no longer waits.
    Cancel = 6,
    /// Asks for a stream of events.
    Subscribe = 7,
    /// One event of a stream.
    Event = 8,
    /// So many events of a stream were lost.
    Lagged = 9,
    /// Room for more events of a stream.
    EventGrant = 10,
    /// Ends a stream, from either side.
    StreamEnd = 11,
    /// Room for more messages: what the receiver has worked off so far.
    Grant = 12,
    /// Are you there?
    Ping = 13,
    /// Yes.
    Pong = 14,
    /// The sender ends the conversation and says why.
    Bye = 15,
    /// How many frames of the conversation have come; what is acknowledged is never sent again.
    Ack = 16,
}

impl Class {
    const ALL: [Class; 16] = [
        Class::Hello,
        Class::Tell,
        Class::Ask,
        Class::Reply,
        Class::Refusal,
        Class::Cancel,
        Class::Subscribe,
        Class::Event,
        Class::Lagged,
        Class::EventGrant,
        Class::StreamEnd,
        Class::Grant,
        Class::Ping,
        Class::Pong,
        Class::Bye,
        Class::Ack,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }

    /// Whether it takes room in the receiver's window: messages for actors do, what only concerns the link does not.
    pub fn is_metered(self) -> bool {
        matches!(self, Class::Tell | Class::Ask)
    }
}

mod field {
    pub(super) const DEADLINE: u16 = 1;
    pub(super) const TRACE: u16 = 1 << 1;
    pub(super) const MESSAGE_ID: u16 = 1 << 2;
    pub(super) const FROM: u16 = 1 << 3;
    pub(super) const TO: u16 = 1 << 4;
    pub(super) const PAYLOAD: u16 = 1 << 5;
    /// The payload is JSON.
    pub(super) const JSON: u16 = 1 << 6;
    /// The version of the map of shards that the sender went by.
    pub(super) const MAP: u16 = 1 << 7;
    pub(super) const KNOWN: u16 = (1 << 8) - 1;
}

/// The content of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body<'a> {
    /// The kind of the message (`host::Wire::KIND`); empty in envelopes that only concern the link.
    pub kind: &'a str,
    /// The version of the message's schema.
    pub version: u16,
    /// How to read the bytes.
    pub format: Format,
    /// The encoded message.
    pub bytes: &'a [u8],
}

/// One envelope. `A` is an `Address` when it is written and text when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a, A = &'a str> {
    /// What it is for.
    pub class: Class,
    /// Its number, or the number of what it answers.
    pub sequence: u64,
    /// Time left to answer, whole milliseconds.
    pub deadline: Option<Duration>,
    /// Trace and span of the sender.
    pub trace: Option<(u128, u64)>,
    /// The id under which the sender knows the message.
    pub message_id: Option<MessageId>,
    /// Who sends.
    pub from: Option<A>,
    /// For whom.
    pub to: Option<A>,
    /// The version of the map of shards by which it was sent.
    pub map: Option<u64>,
    /// What.
    pub body: Option<Body<'a>>,
}

/// Why bytes are not an envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// They end within a field.
    #[error("an envelope ends within its {field}")]
    Short {
        /// The field.
        field: &'static str,
    },
    /// The class is unknown.
    #[error("envelope class {found}; expected 1 to {}", Class::ALL.len())]
    Class {
        /// What was found.
        found: u8,
    },
    /// A field that this version does not know.
    #[error("envelope fields {found:#x}; expected some of {:#x}", field::KNOWN)]
    Fields {
        /// What was found.
        found: u16,
    },
    /// A text is too long or not UTF-8.
    #[error("the {field} of an envelope is not text of at most {limit} bytes")]
    Text {
        /// The field.
        field: &'static str,
        /// Its limit.
        limit: usize,
    },
    /// Bytes are left over.
    #[error("{left} bytes behind an envelope without payload; expected none")]
    Trailing {
        /// How many.
        left: usize,
    },
}

impl<'a, A> Envelope<'a, A> {
    /// An envelope with nothing but its class and number.
    pub fn new(class: Class, sequence: u64) -> Self {
        Self {
            class,
            sequence,
            deadline: None,
            trace: None,
            message_id: None,
            from: None,
            to: None,
            map: None,
            body: None,
        }
    }

    /// The same with a content that only concerns the link.
    #[must_use]
    pub fn with(mut self, bytes: &'a [u8], format: Format) -> Self {
        self.body = Some(Body {
            kind: "",
            version: 1,
            format,
            bytes,
        });
        self
    }

    fn fields(&self) -> u16 {
        let json = self.body.as_ref().is_some_and(|body| body.format == Format::Json);
        [
            (self.deadline.is_some(), field::DEADLINE),
            (self.trace.is_some(), field::TRACE),
            (self.message_id.is_some(), field::MESSAGE_ID),
            (self.from.is_some(), field::FROM),
            (self.to.is_some(), field::TO),
            (self.body.is_some(), field::PAYLOAD),
            (json, field::JSON),
            (self.map.is_some(), field::MAP),
        ]
        .into_iter()
        .fold(0, |fields, (present, bit)| if present { fields | bit } else { fields })
    }
}

impl<A: Display> Envelope<'_, A> {
    /// Appends the envelope to a buffer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.class as u8);
        out.extend_from_slice(&self.fields().to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        if let Some(deadline) = self.deadline {
            let ms = u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX);
            out.extend_from_slice(&ms.to_le_bytes());
        }
        if let Some((trace, span)) = self.trace {
            out.extend_from_slice(&trace.to_le_bytes());
            out.extend_from_slice(&span.to_le_bytes());
        }
        if let Some(MessageId(id)) = self.message_id {
            out.extend_from_slice(&id.as_u128().to_le_bytes());
        }
        if let Some(version) = self.map {
            out.extend_from_slice(&version.to_le_bytes());
        }
        for address in [&self.from, &self.to].into_iter().flatten() {
            put_text(out, address);
        }
        if let Some(body) = &self.body {
            out.push(u8::try_from(body.kind.len()).expect("a kind has at most 127 bytes"));
            out.extend_from_slice(body.kind.as_bytes());
            out.extend_from_slice(&body.version.to_le_bytes());
            out.extend_from_slice(body.bytes);
        }
    }
}

/// Appends a length and a text, the text straight into the buffer.
fn put_text(out: &mut Vec<u8>, text: &impl Display) {
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    write!(out, "{text}").expect("writing to a vector cannot fail");
    let length = u16::try_from(out.len() - start - 2).expect("an address has at most 255 bytes");
    out[start..start + 2].copy_from_slice(&length.to_le_bytes());
}

/// Reads fields off the front of a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], EnvelopeError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(EnvelopeError::Short { field })?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], EnvelopeError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(EnvelopeError::Short { field })?;
        self.0 = rest;
        Ok(*head)
    }

    fn text(&mut self, length: usize, limit: usize, field: &'static str) -> Result<&'a str, EnvelopeError> {
        let wrong = EnvelopeError::Text { field, limit };
        if length > limit {
            return Err(wrong);
        }
        std::str::from_utf8(self.take(length, field)?).map_err(|_| wrong)
    }

    fn address(&mut self, field: &'static str) -> Result<&'a str, EnvelopeError> {
        let length = u16::from_le_bytes(self.array(field)?);
        self.text(usize::from(length), MAX_ADDRESS_BYTES, field)
    }
}

impl<'a> Envelope<'a, &'a str> {
    /// Reads what [`Envelope::encode`] wrote; everything is borrowed from `bytes`.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let mut reader = Reader(bytes);
        let [class] = reader.array("class")?;
        let class = Class::from_byte(class).ok_or(EnvelopeError::Class { found: class })?;
        let fields = u16::from_le_bytes(reader.array("fields")?);
        if fields & !field::KNOWN != 0 {
            return Err(EnvelopeError::Fields { found: fields });
        }
        let has = |bit| fields & bit != 0;
        let mut envelope = Self::new(class, u64::from_le_bytes(reader.array("sequence")?));
        if has(field::DEADLINE) {
            let ms = u32::from_le_bytes(reader.array("deadline")?);
            envelope.deadline = Some(Duration::from_millis(ms.into()));
        }
        if has(field::TRACE) {
            let trace = u128::from_le_bytes(reader.array("trace")?);
            envelope.trace = Some((trace, u64::from_le_bytes(reader.array("span")?)));
        }
        if has(field::MESSAGE_ID) {
            let id = u128::from_le_bytes(reader.array("message id")?);
            envelope.message_id = Some(MessageId(uuid::Uuid::from_u128(id)));
        }
        if has(field::MAP) {
            envelope.map = Some(u64::from_le_bytes(reader.array("map version")?));
        }
        if has(field::FROM) {
            envelope.from = Some(reader.address("sender")?);
        }
        if has(field::TO) {
            envelope.to = Some(reader.address("target")?);
        }
        if has(field::PAYLOAD) {
            let [length] = reader.array("kind")?;
            let kind = reader.text(usize::from(length), MAX_KIND_BYTES, "kind")?;
            envelope.body = Some(Body {
                kind,
                version: u16::from_le_bytes(reader.array("schema version")?),
                format: if has(field::JSON) { Format::Json } else { Format::Binary },
                bytes: reader.0,
            });
        } else if !reader.0.is_empty() {
            return Err(EnvelopeError::Trailing { left: reader.0.len() });
        }
        Ok(envelope)
    }
}

#[cfg(test)]
mod tests;
