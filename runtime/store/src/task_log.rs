//! [`TaskLogStore`]: of each agent, what has happened to its goals since its last snapshots, as numbered entries that the
//! store does not look into.
//!
//! Promises of every implementation:
//! 1. What `append` has said to be durable is what `read` finds, also after the process was killed or the power failed at
//!    any moment (implementations that say so: only while the process lives), until it is trimmed.
//! 2. `read` never returns bytes that were not appended as they are. What a crash left at the end, of entries that were
//!    never said to be durable, is left out and reported; damage before durable entries is refused.
//! 3. Entries are found in the order of their numbers. One whose number is not above the last is there already and is
//!    passed over, so that an append can be repeated.
//! 4. An agent's name can lead nowhere but to its own log.
//!
//! [`writer`] is how an actor appends: it hands entries over and is told later how far the log is durable.

#[cfg(test)]
mod conformance;
mod files;
mod frame;
mod memory;
mod writer;

pub use files::FileTaskLogs;
pub use memory::MemoryTaskLogs;
pub use writer::{MAX_PENDING_ENTRIES, TaskLog, TaskLogs};

use crate::snapshot::StoreError;
use rungs_types::AgentId;

/// Most bytes of one entry.
pub const MAX_ENTRY_BYTES: usize = 64 * 1024;
/// Most bytes of an agent's log.
pub const MAX_LOG_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes from which a log is made shorter when it may be.
pub const TRIM_FROM_BYTES: u64 = 64 * 1024;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number; numbers rise.
    pub seq: u64,
    /// The content.
    pub bytes: Vec<u8>,
}

/// What is found of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail {
    /// The entries, in order.
    pub entries: Vec<LogEntry>,
    /// Bytes at the end that a crash left of entries that were never durable; worth a warning.
    pub torn_bytes: u64,
}

/// Keeps logs; calls block. Of one agent, one call at a time has a meaning.
pub trait TaskLogStore: Send + Sync + 'static {
    /// Appends entries; `sync`: and makes the whole log durable. Gives the number up to which it is.
    fn append(&self, agent: &AgentId, entries: &[LogEntry], sync: bool) -> Result<u64, StoreError>;

    /// The entries after this number.
    fn read(&self, agent: &AgentId, after: u64) -> Result<Tail, StoreError>;

    /// The entries up to this number are not needed any more and may be forgotten.
    fn trim(&self, agent: &AgentId, up_to: u64) -> Result<(), StoreError>;

    /// Forgets an agent's log; `false` if there was none.
    fn remove(&self, agent: &AgentId) -> Result<bool, StoreError>;
}

fn check_sizes(entries: &[LogEntry]) -> Result<(), StoreError> {
    let large = entries
        .iter()
        .map(|entry| entry.bytes.len())
        .find(|bytes| *bytes > MAX_ENTRY_BYTES);
    large.map_or(Ok(()), |bytes| Err(StoreError::EntryTooLarge { bytes }))
}
