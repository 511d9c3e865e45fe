//! What may be sent by name from elsewhere: [`Wire`] types, their [`Payload`] on the way, and the [`Reply`] that comes
//! back. The same type is bincode on the mesh and JSON in the shell.

use crate::codec::{self, CodecError, MAX_ENCODED_BYTES};
use bytes::Bytes;
use rungs_types::ErrorCode;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use tokio::sync::oneshot;

/// Longest text of a [`Refusal`], in bytes.
pub const MAX_REFUSAL_BYTES: usize = 1024;

/// A message type that an actor receives by name from anywhere: another node, the shell, the API.
pub trait Wire: Serialize + DeserializeOwned + JsonSchema + Send + 'static {
    /// The name under which it is sent, such as `agent.freeze`; unique per receiving actor.
    const KIND: &'static str;
    /// Raised when the type changes in a way that old readers cannot read.
    const VERSION: u16 = 1;
    /// What comes back.
    type Reply: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// A message that a person can copy and change.
    fn example() -> Self;
}

/// A [`Wire`] message with the way back; `M: From<Request<W>>` makes an actor with messages `M` receive it.
#[derive(Debug)]
pub struct Request<W: Wire> {
    /// The message.
    pub message: W,
    /// The way back; a `tell` has one that leads nowhere.
    pub reply: Reply<W::Reply>,
}

/// How the bytes of a payload are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// [`crate::codec`].
    Binary,
    /// JSON text.
    Json,
}

/// A message or a reply as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// [`Wire::KIND`].
    pub kind: Cow<'static, str>,
    /// [`Wire::VERSION`].
    pub version: u16,
    /// How to read the bytes; a reply comes in the format of its request.
    pub format: Format,
    /// The content.
    pub bytes: Bytes,
}

impl Payload {
    /// Encodes a message.
    pub fn of<W: Wire>(message: &W, format: Format) -> Result<Self, Refusal> {
        let bytes = encode(message, format)?;
        Ok(Self {
            kind: Cow::Borrowed(W::KIND),
            version: W::VERSION,
            format,
            bytes,
        })
    }

    /// Decodes the content, or says what was wrong with it.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        decode(&self.bytes, self.format)
    }
}

/// Encodes a value in a format.
pub fn encode<T: Serialize>(value: &T, format: Format) -> Result<Bytes, Refusal> {
    let bytes = match format {
        Format::Binary => codec::encode(value).map_err(Refusal::from)?,
        Format::Json => {
            serde_json::to_vec(value).map_err(|error| Refusal::new(ErrorCode::Internal, &error.to_string()))?
        }
    };
    check_size(bytes.len())?;
    Ok(bytes.into())
}

/// What is wrong with a JSON text, with the field it is in where the error names none.
fn json_problem(bytes: &[u8], error: &serde_json::Error) -> String {
    let text = error.to_string();
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
    match field_before(bytes, error) {
        Some(field) if is_json && !text.contains("field `") => format!("field `{field}`: {text}"),
        _ => text,
    }
}

/// The last field that begins before the place of an error.
fn field_before(bytes: &[u8], error: &serde_json::Error) -> Option<String> {
    let line = error.line().checked_sub(1)?;
    let before: usize = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .take(line)
        .map(<[u8]>::len)
        .sum();
    let text = bytes.get(..(before + error.column()).min(bytes.len()))?;
    let (mut field, mut string, mut inside, mut escaped) = (None, Vec::new(), false, false);
    for &byte in text {
        match byte {
            b'"' if !escaped => {
                inside = !inside;
                if inside {
                    string.clear();
                }
            }
            b':' if !inside => field = Some(String::from_utf8_lossy(&string).into_owned()),
            _ if inside => string.push(byte),
            _ => {}
        }
        escaped = inside && byte == b'\\' && !escaped;
    }
    field
}

/// Decodes a value from a format.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], format: Format) -> Result<T, Refusal> {
    check_size(bytes.len())?;
    match format {
        Format::Binary => codec::decode(bytes).map_err(Refusal::from),
        Format::Json => {
            let problem = |error| Refusal::new(ErrorCode::Malformed, &json_problem(bytes, &error));
            serde_json::from_slice(bytes).map_err(problem)
        }
    }
}

fn check_size(bytes: usize) -> Result<(), Refusal> {
    if bytes > MAX_ENCODED_BYTES {
        return Err(CodecError::TooLarge { bytes }.into());
    }
    Ok(())
}

/// A negative answer: a code that says what to do next, and a text for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What the caller can do next.
    pub code: ErrorCode,
    /// What was wrong and what was expected, at most [`MAX_REFUSAL_BYTES`] bytes.
    pub message: String,
    /// With [`ErrorCode::Overloaded`]: when to try again, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal with a text, cut to [`MAX_REFUSAL_BYTES`].
    pub fn new(code: ErrorCode, message: &str) -> Self {
        let end = message.floor_char_boundary(MAX_REFUSAL_BYTES);
        Self {
            code,
            message: message[..end].to_owned(),
            retry_after_ms: None,
        }
    }
}

impl From<CodecError> for Refusal {
    fn from(error: CodecError) -> Self {
        let code = match error {
            CodecError::TooLarge { .. } => ErrorCode::TooLarge,
            CodecError::Version { .. } => ErrorCode::Incompatible,
            CodecError::Empty | CodecError::Malformed { .. } | CodecError::Trailing { .. } => ErrorCode::Malformed,
        };
        Self::new(code, &error.to_string())
    }
}

/// The way back of a question. Dropped without an answer, the caller learns that none will come.
#[derive(Debug)]
pub struct Reply<R>(Way<R>);

#[derive(Debug)]
enum Way<R> {
    Nowhere,
    Local(oneshot::Sender<Result<R, Refusal>>),
    Bytes {
        format: Format,
        kind: &'static str,
        version: u16,
        sender: oneshot::Sender<Result<Payload, Refusal>>,
    },
}

impl<R> Reply<R> {
    /// The way back of a `tell`.
    pub fn nowhere() -> Self {
        Self(Way::Nowhere)
    }

    /// A way back on this node, and where the answer comes out.
    pub fn local() -> (Self, oneshot::Receiver<Result<R, Refusal>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Way::Local(sender)), receiver)
    }

    /// A way back that encodes the answer.
    pub fn bytes<W: Wire<Reply = R>>(format: Format, sender: oneshot::Sender<Result<Payload, Refusal>>) -> Self {
        Self(Way::Bytes {
            format,
            kind: W::KIND,
            version: W::VERSION,
            sender,
        })
    }
}

impl<R: Serialize> Reply<R> {
    /// Answers. A caller that no longer waits is no error.
    pub fn send(self, result: Result<R, Refusal>) {
        match self.0 {
            Way::Nowhere => {}
            Way::Local(sender) => drop(sender.send(result)),
            Way::Bytes {
                format,
                kind,
                version,
                sender,
            } => {
                let payload = result.and_then(|value| {
                    let bytes = encode(&value, format)?;
                    Ok(Payload {
                        kind: Cow::Borrowed(kind),
                        version,
                        format,
                        bytes,
                    })
                });
                drop(sender.send(payload));
            }
        }
    }
}

#[cfg(test)]
mod tests;
