//! The one binary codec: bincode 2 with serde behind a version byte. Wire messages and snapshots use nothing else, so
//! that replacing the codec touches this file only.
//!
//! Decoding never panics, never trusts a length it has not checked against the limit, and refuses trailing bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// First byte of everything encoded here.
pub const CODEC_VERSION: u8 = 1;
/// Most bytes that decode; larger content goes by content address.
pub const MAX_ENCODED_BYTES: usize = 4 * 1024 * 1024;

/// Why a value does not encode or bytes do not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// No bytes at all.
    #[error("no bytes; expected at least the codec version")]
    Empty,
    /// Written by another codec.
    #[error("codec version {found}; expected {CODEC_VERSION}")]
    Version {
        /// The version byte found.
        found: u8,
    },
    /// More than [`MAX_ENCODED_BYTES`].
    #[error("{bytes} bytes; expected at most {MAX_ENCODED_BYTES}")]
    TooLarge {
        /// The size.
        bytes: usize,
    },
    /// The bytes are not a value of the expected type.
    #[error("not a {expected}")]
    Malformed {
        /// The expected type.
        expected: &'static str,
    },
    /// Bytes are left over behind the value.
    #[error("{left} bytes behind the value; expected none")]
    Trailing {
        /// How many.
        left: usize,
    },
}

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_ENCODED_BYTES>()
}

/// Encodes a value: the version byte, then bincode.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![CODEC_VERSION];
    let malformed = |_| CodecError::Malformed {
        expected: std::any::type_name::<T>(),
    };
    bincode::serde::encode_into_std_write(value, &mut bytes, config()).map_err(malformed)?;
    if bytes.len() > MAX_ENCODED_BYTES {
        return Err(CodecError::TooLarge { bytes: bytes.len() });
    }
    Ok(bytes)
}

/// Decodes what [`encode`] wrote.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (&version, body) = bytes.split_first().ok_or(CodecError::Empty)?;
    if version != CODEC_VERSION {
        return Err(CodecError::Version { found: version });
    }
    if bytes.len() > MAX_ENCODED_BYTES {
        return Err(CodecError::TooLarge { bytes: bytes.len() });
    }
    let malformed = |_| CodecError::Malformed {
        expected: std::any::type_name::<T>(),
    };
    let (value, read) = bincode::serde::decode_from_slice(body, config()).map_err(malformed)?;
    match body.len() - read {
        0 => Ok(value),
        left => Err(CodecError::Trailing { left }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_and_nothing_else_does() {
        let value = ("ops-1".to_owned(), 7_u64, Some(vec![1.5_f64]));
        let bytes = encode(&value).expect("encodes");
        assert_eq!(decode::<(String, u64, Option<Vec<f64>>)>(&bytes), Ok(value));
        assert_eq!(decode::<u8>(&[]), Err(CodecError::Empty));
        assert_eq!(decode::<u8>(&[9, 1]), Err(CodecError::Version { found: 9 }));
        assert_eq!(decode::<u8>(&[1, 1, 2]), Err(CodecError::Trailing { left: 1 }));
        assert_eq!(decode::<u8>(&[1]), Err(CodecError::Malformed { expected: "u8" }));
    }

    #[test]
    fn a_huge_length_prefix_is_refused_without_allocating_it() {
        let claim = encode(&u64::MAX).expect("encodes");
        assert!(decode::<Vec<u8>>(&claim).is_err());
        assert!(decode::<String>(&claim).is_err());
    }
}
