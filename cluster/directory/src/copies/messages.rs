//! What nodes say to `@node/copies` of each other.

use rungs_host::{Refusal, Wire};
use rungs_store::{MAX_SNAPSHOT_BYTES, Snapshot, SnapshotMeta, Stamp, content_hash};
use rungs_types::{AgentId, Epoch, ErrorCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most copies of one message.
pub const MAX_BATCH_COPIES: usize = 64;
/// Most bytes of their contents together; one alone may have [`MAX_COPY_BYTES`].
pub const MAX_BATCH_BYTES: usize = 512 * 1024;
/// Most bytes of the content of one copy: a message must have room for what is beside it. A snapshot that is larger is
/// kept by its own node only.
pub const MAX_COPY_BYTES: usize = MAX_SNAPSHOT_BYTES - 4096;

/// A snapshot on its way to another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotCopy {
    /// Whose.
    pub agent: AgentId,
    /// The epoch of the agent's shard in which it was written.
    pub epoch: Epoch,
    /// Its number.
    pub sequence: u64,
    /// The version of the content, as its writer numbers it.
    pub version: u16,
    /// The SHA-256 of the content.
    pub hash: [u8; 32],
    /// The content.
    pub bytes: Vec<u8>,
}

impl SnapshotCopy {
    /// Of an agent's snapshot.
    pub fn new(agent: AgentId, snapshot: Snapshot) -> Self {
        let Snapshot { meta, bytes } = snapshot;
        Self {
            agent,
            epoch: meta.epoch,
            sequence: meta.sequence,
            version: meta.version,
            hash: content_hash(&bytes),
            bytes,
        }
    }

    /// Which of the agent's snapshots it is.
    pub fn stamp(&self) -> Stamp {
        Stamp {
            epoch: self.epoch,
            sequence: self.sequence,
        }
    }

    /// The snapshot, if the content is what the hash says.
    ///
    /// # Errors
    /// If it is not, or too large.
    pub fn checked(self) -> Result<Snapshot, CopyError> {
        match self.bytes.len() {
            bytes if bytes > MAX_COPY_BYTES => return Err(CopyError::TooLarge { bytes }),
            _ if content_hash(&self.bytes) != self.hash => return Err(CopyError::Corrupt),
            _ => {}
        }
        let meta = SnapshotMeta {
            epoch: self.epoch,
            sequence: self.sequence,
            version: self.version,
        };
        let bytes = self.bytes;
        Ok(Snapshot { meta, bytes })
    }
}

/// Why a copy is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// More than [`MAX_COPY_BYTES`].
    #[error("a copy of {bytes} bytes; expected at most {MAX_COPY_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The content is not what its hash says.
    #[error("the content is not what its hash says")]
    Corrupt,
}

/// Keep these copies: 1 to [`MAX_BATCH_COPIES`] of them, of at most [`MAX_BATCH_BYTES`] together or one alone. The answer
/// has a line for each, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutCopies {
    /// The copies.
    pub copies: Vec<SnapshotCopy>,
}

impl PutCopies {
    /// Whether it keeps to the limits.
    ///
    /// # Errors
    /// The limit that it is against.
    pub fn check(&self) -> Result<(), Refusal> {
        let count = self.copies.len();
        if count == 0 || count > MAX_BATCH_COPIES {
            let text = format!("{count} copies in one message; expected 1 to {MAX_BATCH_COPIES}");
            return Err(Refusal::new(ErrorCode::Malformed, &text));
        }
        let bytes: usize = self.copies.iter().map(|copy| copy.bytes.len()).sum();
        if count > 1 && bytes > MAX_BATCH_BYTES {
            let text = format!("{count} copies of {bytes} bytes together; expected at most {MAX_BATCH_BYTES}");
            return Err(Refusal::new(ErrorCode::TooLarge, &text));
        }
        Ok(())
    }
}

/// What became of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It is durable.
    Kept,
    /// There is a later one, which stays.
    Later {
        /// The epoch in which that was written.
        epoch: Epoch,
        /// Its number.
        sequence: u64,
    },
    /// It is not kept.
    Refused {
        /// Why, for people.
        reason: String,
    },
}

/// The last snapshot of an agent that a node has, as a copy or of its own, and whose content its reader can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetCopy {
    /// The agent.
    pub agent: AgentId,
    /// The latest version of the content that the reader can read.
    pub newest_version: u16,
}

/// The agent is no more: its copies up to this one need not be kept. The answer says whether there were any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DropCopies {
    /// The agent.
    pub agent: AgentId,
    /// The epoch of the last one.
    pub epoch: Epoch,
    /// Its number.
    pub sequence: u64,
}

fn ops_1() -> AgentId {
    "ops-1".parse().expect("a constant name")
}

impl Wire for PutCopies {
    const KIND: &'static str = "copies.put";
    type Reply = Vec<Kept>;

    fn example() -> Self {
        let meta = SnapshotMeta {
            epoch: Epoch(1),
            sequence: 7,
            version: 1,
        };
        let bytes = Vec::new();
        let copies = vec![SnapshotCopy::new(ops_1(), Snapshot { meta, bytes })];
        Self { copies }
    }
}

impl Wire for GetCopy {
    const KIND: &'static str = "copies.get";
    type Reply = Option<SnapshotCopy>;

    fn example() -> Self {
        let newest_version = 1;
        let agent = ops_1();
        Self { agent, newest_version }
    }
}

impl Wire for DropCopies {
    const KIND: &'static str = "copies.drop";
    type Reply = bool;

    fn example() -> Self {
        Self {
            agent: ops_1(),
            epoch: Epoch(1),
            sequence: 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(bytes: usize) -> SnapshotCopy {
        let meta = PutCopies::example().copies[0].clone().checked().expect("whole").meta;
        let bytes = vec![7; bytes];
        SnapshotCopy::new(ops_1(), Snapshot { meta, bytes })
    }

    #[test]
    fn a_message_has_some_copies_and_not_too_many_bytes() {
        let code = |copies: Vec<SnapshotCopy>| PutCopies { copies }.check().map_err(|refusal| refusal.code);
        assert_eq!(code(Vec::new()), Err(ErrorCode::Malformed));
        assert_eq!(code(vec![copy(1); MAX_BATCH_COPIES]), Ok(()));
        assert_eq!(code(vec![copy(1); MAX_BATCH_COPIES + 1]), Err(ErrorCode::Malformed));
        assert_eq!(code(vec![copy(MAX_BATCH_BYTES / 2); 2]), Ok(()));
        assert_eq!(code(vec![copy(MAX_BATCH_BYTES / 2 + 1); 2]), Err(ErrorCode::TooLarge));
        assert_eq!(code(vec![copy(MAX_COPY_BYTES)]), Ok(()));
    }

    #[test]
    fn the_largest_copy_fits_into_a_message_and_a_larger_one_is_refused() {
        let largest = PutCopies {
            copies: vec![copy(MAX_COPY_BYTES)],
        };
        assert!(rungs_host::codec::encode(&largest).is_ok());
        let bytes = MAX_COPY_BYTES + 1;
        assert_eq!(copy(bytes).checked(), Err(CopyError::TooLarge { bytes }));
    }

    #[test]
    fn a_changed_content_is_noticed() {
        let mut changed = copy(9);
        changed.bytes[3] ^= 1;
        assert_eq!(changed.checked(), Err(CopyError::Corrupt));
        assert!(copy(9).checked().is_ok());
    }
}
