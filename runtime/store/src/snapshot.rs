//! [`SnapshotStore`]: the last states of agents, as bytes that the store does not look into.
//!
//! Promises of every implementation:
//! 1. When `put` has returned `Ok`, that snapshot or a later one is what `latest` finds, also after the process was
//!    killed at any moment (implementations that say so: only while the process lives).
//! 2. `latest` never returns bytes that were not put as they are: what is damaged, or newer than the reader can read, is
//!    refused and named, and the one before is used.
//! 3. Sequence numbers of an agent rise by one with each `put`, also after one was adopted, until it is removed.
//! 4. An agent's name can lead nowhere but to its own snapshots.
//! 5. Of two snapshots, that of the later epoch is the later one, whatever their numbers: see [`Stamp`].

use crate::cluster::CommitError;
use crate::cluster::table::TableError;
use rungs_types::{AgentId, Epoch};
use sha2::{Digest, Sha256};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes of one snapshot.
pub const MAX_SNAPSHOT_BYTES: usize = 4 * 1024 * 1024;
/// Snapshots of one agent that are kept: the last, and the one before for the day the last is damaged.
pub const KEPT_SNAPSHOTS: usize = 2;

/// Which of an agent's snapshots one is, on whatever node it was written: the greater, the later. When an agent goes on
/// on another node, in a later epoch of its shard, from a snapshot that was not quite the last, its numbers repeat
/// themselves; so the epoch counts first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The epoch of the agent's shard in which it was written; 0 if its writer knew none.
    pub epoch: Epoch,
    /// Rises by one with each `put` of the agent, from 1.
    pub sequence: u64,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.sequence, self.epoch)
    }
}

/// What is known of a snapshot beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotMeta {
    /// The epoch in which it was written, as in [`Stamp`].
    pub epoch: Epoch,
    /// Rises by one with each `put` of the agent, from 1.
    pub sequence: u64,
    /// The version of the content, as its writer numbers it.
    pub version: u16,
}

impl SnapshotMeta {
    /// Which one it is.
    pub fn stamp(&self) -> Stamp {
        let (epoch, sequence) = (self.epoch, self.sequence);
        Stamp { epoch, sequence }
    }
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Which one.
    pub meta: SnapshotMeta,
    /// The content.
    pub bytes: Vec<u8>,
}

/// Why a snapshot is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Shorter or longer than it says, or not a snapshot at all.
    #[error("not a whole snapshot")]
    Torn,
    /// The checksum does not match the content.
    #[error("the checksum does not match")]
    Corrupt,
    /// The file has a format of a later release.
    #[error("file format {found}; expected at most {newest}")]
    NewerFormat {
        /// Its format.
        found: u16,
        /// The latest format known here.
        newest: u16,
    },
    /// The content has a later version than the reader can read.
    #[error("content version {found}; expected at most {newest}")]
    NewerContent {
        /// Its version.
        found: u16,
        /// The latest version the reader knows.
        newest: u16,
    },
    /// It says to be another one than its place says.
    #[error("it is number {found}")]
    Misplaced {
        /// What it says.
        found: Stamp,
    },
}

/// A snapshot that is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Which one.
    pub sequence: u64,
    /// Why.
    pub reason: Reason,
}

/// What there is of an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latest {
    /// The last snapshot that can be used.
    pub snapshot: Option<Snapshot>,
    /// Later ones that cannot, last first; worth a warning.
    pub refused: Vec<Refused>,
    /// A later one that was written on another node and could not be had; worth a warning. A store knows of none, see
    /// [`Follower`](crate::offload::Follower).
    pub missing: Option<Stamp>,
}

/// Why the store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// More than [`MAX_SNAPSHOT_BYTES`]; nothing was written.
    #[error("a snapshot of {bytes} bytes; expected at most {MAX_SNAPSHOT_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// One entry of a task log has more than [`crate::task_log::MAX_ENTRY_BYTES`]; nothing was written.
    #[error("an entry of {bytes} bytes; expected at most {}", crate::task_log::MAX_ENTRY_BYTES)]
    EntryTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A task log has more than [`crate::task_log::MAX_LOG_BYTES`]; a snapshot that takes it over makes room.
    #[error("the task log {} is full at {bytes} bytes; a snapshot makes room", path.display())]
    LogFull {
        /// The log.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A task log is damaged before entries that were durable: what happened is not known any more.
    #[error(
        "the task log {} is damaged at byte {at}, before changes that were durable; restore it, or move it away to start \
         from the last snapshot without what happened to goals since",
        path.display()
    )]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Where.
        at: u64,
    },
    /// The state of an agent's goals has more than [`crate::task_log::MAX_BASE_BYTES`]; nothing was written.
    #[error(
        "the goals of an agent take {bytes} bytes; expected at most {}",
        crate::task_log::MAX_BASE_BYTES
    )]
    BaseTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The agent's shard is in another epoch than when it was started: whatever it does is not its to do any more.
    #[error("agent {agent} is another node's now: {epoch} of its shard, in which it was started here, is over")]
    Moved {
        /// The agent.
        agent: AgentId,
        /// The epoch that is over.
        epoch: Epoch,
    },
    /// An earlier start of the agent has written after this one had read: it must start again, from what is there.
    #[error("the task log of {agent} has entries of an earlier start that came late; the agent must start again")]
    Changed {
        /// The agent.
        agent: AgentId,
    },
    /// A base is referred to and is not there as a whole: what has happened to goals is not known any more.
    #[error("the goals of {agent} in the store are not whole; restore the store from a backup, or remove the agent")]
    BaseMissing {
        /// The agent.
        agent: AgentId,
    },
    /// The cluster's store did not write, or it is not known whether it did.
    #[error("the store of the cluster: {0}")]
    Commit(#[from] CommitError),
    /// The cluster's store does not give what was asked for.
    #[error("the store of the cluster: {0}")]
    Table(#[from] TableError),
    /// No room on the disk, or in the quota; the last snapshot is what it was.
    #[error("no room at {}", path.display())]
    Full {
        /// What was to be written.
        path: PathBuf,
    },
    /// The disk or the folder may not be written; the last snapshot is what it was.
    #[error("{} may not be written", path.display())]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
    },
    /// Another process uses the folder.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Reading or writing failed otherwise. After a failed write the last snapshot is what it was, or the new one.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done, such as `read`.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Too many calls wait for the disk; nothing was done, try later.
    #[error("too many calls wait for the disk")]
    Busy,
    /// The disk did not answer in time; it may have been done.
    #[error("the disk did not answer within {} ms; it may have been done", .0.as_millis())]
    TimedOut(std::time::Duration),
    /// The implementation panicked or the runtime ended; it may have been done.
    #[error("the store ended before it answered; it may have been done")]
    Ended,
}

impl StoreError {
    /// Sorts an error of the system by what the caller can do next.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { path },
            _ => Self::Io { action, path, source },
        }
    }
}

/// Keeps snapshots; calls block. Of one agent, one `put` at a time has a meaning: the caller waits for the one before.
pub trait SnapshotStore: Send + Sync + 'static {
    /// Keeps a snapshot, written in an epoch of the agent's shard, and forgets all but the last [`KEPT_SNAPSHOTS`]. It is
    /// later than all before, so one that comes with a smaller epoch than the one before has that one's.
    fn put_in(&self, agent: &AgentId, epoch: Epoch, version: u16, bytes: &[u8]) -> Result<SnapshotMeta, StoreError>;

    /// The same in the epoch of the one before.
    fn put(&self, agent: &AgentId, version: u16, bytes: &[u8]) -> Result<SnapshotMeta, StoreError> {
        self.put_in(agent, Epoch::default(), version, bytes)
    }

    /// Keeps a snapshot that was written elsewhere as it is, so that `latest` finds it and the next `put` continues after
    /// it; `false`, and nothing is changed, if there is one that can be used and is as late or later.
    fn adopt(&self, agent: &AgentId, snapshot: &Snapshot) -> Result<bool, StoreError>;

    /// The last snapshot whose content has at most `newest_version`.
    fn latest(&self, agent: &AgentId, newest_version: u16) -> Result<Latest, StoreError>;

    /// Forgets an agent; `false` if nothing was known of it.
    fn remove(&self, agent: &AgentId) -> Result<bool, StoreError>;

    /// All agents with a snapshot, sorted.
    fn list(&self) -> Result<Vec<AgentId>, StoreError>;
}

impl<S: SnapshotStore> SnapshotStore for Arc<S> {
    fn put_in(&self, agent: &AgentId, epoch: Epoch, version: u16, bytes: &[u8]) -> Result<SnapshotMeta, StoreError> {
        self.as_ref().put_in(agent, epoch, version, bytes)
    }

    fn adopt(&self, agent: &AgentId, snapshot: &Snapshot) -> Result<bool, StoreError> {
        self.as_ref().adopt(agent, snapshot)
    }

    fn latest(&self, agent: &AgentId, newest_version: u16) -> Result<Latest, StoreError> {
        self.as_ref().latest(agent, newest_version)
    }

    fn remove(&self, agent: &AgentId) -> Result<bool, StoreError> {
        self.as_ref().remove(agent)
    }

    fn list(&self) -> Result<Vec<AgentId>, StoreError> {
        self.as_ref().list()
    }
}

/// The SHA-256 of a content, by which two nodes see that they have the same.
pub fn content_hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What the next `put` makes of what there is: later than all of it.
pub(crate) fn next(last: Option<Stamp>, epoch: Epoch, version: u16) -> SnapshotMeta {
    let last = last.unwrap_or_default();
    SnapshotMeta {
        epoch: epoch.max(last.epoch),
        sequence: last.sequence.saturating_add(1),
        version,
    }
}

pub(crate) fn check_size(bytes: &[u8]) -> Result<(), StoreError> {
    match bytes.len() {
        bytes if bytes > MAX_SNAPSHOT_BYTES => Err(StoreError::TooLarge { bytes }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_the_caller_can_do() {
        let sorted = |kind: io::ErrorKind| StoreError::io("write", Path::new("x"), kind.into());
        assert!(matches!(sorted(io::ErrorKind::StorageFull), StoreError::Full { .. }));
        assert!(matches!(sorted(io::ErrorKind::QuotaExceeded), StoreError::Full { .. }));
        assert!(matches!(
            sorted(io::ErrorKind::ReadOnlyFilesystem),
            StoreError::ReadOnly { .. }
        ));
        assert!(matches!(
            sorted(io::ErrorKind::PermissionDenied),
            StoreError::ReadOnly { .. }
        ));
        assert!(matches!(sorted(io::ErrorKind::Other), StoreError::Io { .. }));
    }
}
