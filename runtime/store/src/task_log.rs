//! [`TaskLogStore`]: of each agent, what has happened to its goals since its last snapshots, as numbered entries that the
//! store does not look into, and where it can lose its snapshots also what had happened before, as a [`Base`].
//!
//! Promises of every implementation:
//! 1. What `append` has said to be durable is what `read` finds, also after the process was killed or the power failed at
//!    any moment (implementations that say so: only while the process lives), until it is trimmed.
//! 2. `read` never returns bytes that were not appended as they are. What a crash left at the end, of entries that were
//!    never said to be durable, is left out and reported; damage before durable entries is refused.
//! 3. Entries are found in the order of their numbers. One whose number is not above the last is there already and is
//!    passed over, so that an append can be repeated.
//! 4. An agent's name can lead nowhere but to its own log.
//! 5. Where bases are kept, the entries that are found and the base are all there is to know: entries are forgotten only
//!    in or after the step that keeps the base which stands for them.
//! 6. A store that others can write too refuses whoever starts the agent in an epoch of its shard that is over
//!    ([`StoreError::Moved`]). Others need no epoch: nobody else can write there.
//!
//! [`writer`] is how an actor appends: it hands entries over and is told later how far the log is durable.

#[cfg(test)]
mod conformance;
mod files;
mod frame;
mod memory;
pub mod stored;
pub mod table;
mod writer;

pub use files::FileTaskLogs;
pub use memory::MemoryTaskLogs;
pub use stored::StoreTaskLogs;
pub use writer::{MAX_HELD_ENTRIES, MAX_PENDING_ENTRIES, TaskLog, TaskLogs};

use crate::snapshot::StoreError;
use rungs_types::{AgentId, Epoch};

/// Most bytes of one entry.
pub const MAX_ENTRY_BYTES: usize = 64 * 1024;
/// Most bytes of a base.
pub const MAX_BASE_BYTES: usize = 4 * 1024 * 1024;
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

/// The state that the entries up to one have led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The number of that entry, from 1.
    pub seq: u64,
    /// The state.
    pub bytes: Vec<u8>,
}

/// What is found of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail {
    /// What stands for the entries that were forgotten, where such is kept.
    pub base: Option<Base>,
    /// The entries, in order.
    pub entries: Vec<LogEntry>,
    /// Bytes at the end that a crash left of entries that were never durable; worth a warning.
    pub torn_bytes: u64,
}

/// Keeps logs; calls block. Of one agent, one call at a time has a meaning.
pub trait TaskLogStore: Send + Sync + 'static {
    /// Appends entries; `sync`: and makes the whole log durable. Gives the number up to which it is. `epoch` is the one in
    /// which the agent was started, here and below.
    fn append(&self, agent: &AgentId, epoch: Epoch, entries: &[LogEntry], sync: bool) -> Result<u64, StoreError>;

    /// The base, and the entries after this number.
    fn read(&self, agent: &AgentId, after: u64) -> Result<Tail, StoreError>;

    /// All snapshots that may be needed have the entries up to this base, so they may be forgotten: now, or when it is worth
    /// it and the log is in use. Where bases are kept, it is kept with that.
    fn trim(&self, agent: &AgentId, epoch: Epoch, base: &Base) -> Result<(), StoreError>;

    /// Keeps a base now, because the log does not tell what has led to it. Does nothing where bases are not kept: there the
    /// log is lost only with the snapshots.
    fn keep(&self, _agent: &AgentId, _epoch: Epoch, _base: &Base) -> Result<(), StoreError> {
        Ok(())
    }

    /// Forgets an agent's log; `false` if there was none.
    fn remove(&self, agent: &AgentId, epoch: Epoch) -> Result<bool, StoreError>;

    /// Nobody uses this log for now: what is remembered about it in memory may be forgotten.
    fn close(&self, _agent: &AgentId) {}
}

fn check_base(base: &Base) -> Result<(), StoreError> {
    match base.bytes.len() {
        bytes if bytes > MAX_BASE_BYTES => Err(StoreError::BaseTooLarge { bytes }),
        _ => Ok(()),
    }
}

fn check_sizes(entries: &[LogEntry]) -> Result<(), StoreError> {
    let large = entries
        .iter()
        .map(|entry| entry.bytes.len())
        .find(|bytes| *bytes > MAX_ENTRY_BYTES);
    large.map_or(Ok(()), |bytes| Err(StoreError::EntryTooLarge { bytes }))
}
