//! Backup and restore of any [`Store`], while it is in use.
//!
//! A backup is what a watcher of all tables is told from the beginning, until it has caught up: a row that changes meanwhile
//! is told again, later, so that, read in order, the records come to the state after one commit, of all tables together.
//! It ends with a [`Manifest`]: that commit, the numbers of records of each table, and a checksum over it all. What does
//! not end so, or does not add up, is refused before anything is restored.
//!
//! Revisions begin anew in the restored store, epochs, tokens of leases and the time do not. Who remembers a revision of
//! the store before (a watcher, a holder of a lease) has to read again.

mod record;

use crate::cluster::Store;
use crate::cluster::change::{Change, Since};
use crate::cluster::commit::{Commit, CommitError, Outcome, Precondition, TableId, Write};
use crate::cluster::fence::{FENCES, Fence};
use crate::cluster::limits::{MAX_BATCH_BYTES, MAX_WRITES};
use crate::cluster::read::{Head, ReadError};
use record::{Reader, Record, Writer};
use rungs_types::Epoch;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncSeek, AsyncSeekExt, AsyncWrite};

/// What a backup holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The commit whose state it is, and the latest time told until then.
    pub head: Head,
    /// Records of each table. A row that changed while the backup was made has several.
    pub records: BTreeMap<TableId, u64>,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It cannot be written.
    #[error("the backup cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Why a backup was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It cannot be read.
    #[error("the backup cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not a backup, or of a newer program, or not whole, or was changed. Nothing was restored.
    #[error("the backup is damaged: {0}")]
    Damaged(&'static str),
    /// There are rows in the store. Nothing was restored.
    #[error("the store is not empty")]
    NotEmpty,
    /// The store does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store does not take a commit. A part was restored: begin anew with an empty store.
    #[error("{0}; a part was restored")]
    Commit(#[from] CommitError),
    /// Somebody else writes to the store. A part was restored: begin anew with an empty store.
    #[error("somebody else writes to the store; a part was restored")]
    InUse,
}

/// Writes a backup. Each call of the store has this much time.
///
/// # Errors
/// See [`BackupError`].
pub async fn backup<W: AsyncWrite + Unpin + Send>(
    store: &dyn Store,
    out: &mut W,
    within: Duration,
) -> Result<Manifest, BackupError> {
    let mut writer = Writer::begin(out).await?;
    let mut manifest = Manifest::default();
    let mut since = Since::the_beginning(None);
    loop {
        let told = store.changes(since.clone(), within).await?;
        since.go_on(&told);
        for change in told.changes {
            *manifest.records.entry(change.table).or_default() += 1;
            writer.change(&change).await?;
        }
        manifest.head = told.head;
        if since.after >= told.head.revision {
            writer.end(&manifest).await?;
            return Ok(manifest);
        }
    }
}

/// Reads a backup to its end and says what it holds.
///
/// # Errors
/// If it is damaged or cannot be read.
pub async fn verify<R: AsyncRead + Unpin + Send>(from: &mut R) -> Result<Manifest, RestoreError> {
    let mut reader = Reader::begin(from).await?;
    let mut records = BTreeMap::new();
    loop {
        match reader.next().await? {
            Record::Change(change) => *records.entry(change.table).or_default() += 1,
            Record::End(manifest) if manifest.records == records => return Ok(manifest),
            Record::End(_) => return Err(RestoreError::Damaged("records are missing")),
        }
    }
}

/// Restores a backup, which is read from its beginning, into an empty store that nobody else uses yet. Each call of the store has this much time.
///
/// # Errors
/// See [`RestoreError`].
pub async fn restore<R: AsyncRead + AsyncSeek + Unpin + Send>(
    store: &dyn Store,
    from: &mut R,
    within: Duration,
) -> Result<Manifest, RestoreError> {
    from.rewind().await?;
    verify(from).await?;
    from.rewind().await?;
    let all = Since::the_beginning(None);
    if !store.changes(all, within).await?.changes.is_empty() {
        return Err(RestoreError::NotEmpty);
    }
    let mut reader = Reader::begin(from).await?;
    let mut restore = Restore::default();
    loop {
        match reader.next().await? {
            Record::Change(change) => {
                if !restore.fits(&change) {
                    restore.commit(store, within).await?;
                }
                restore.add(change)?;
            }
            Record::End(manifest) => {
                restore.next.at = Some(manifest.head.time);
                restore.commit(store, within).await?;
                return Ok(manifest);
            }
        }
    }
}

#[derive(Default)]
struct Restore {
    next: Commit,
    epochs: BTreeMap<u16, Epoch>,
}

impl Restore {
    /// Whether a change has room in the next commit. A fence gets one of its own, as each names the epoch before.
    fn fits(&self, change: &Change) -> bool {
        let keys = change.indexes.iter().flatten().map(Vec::len).sum::<usize>() + change.key.len();
        let bytes = self.next.bytes() + keys + change.value.as_ref().map_or(0, Vec::len);
        change.table != FENCES
            && self.next.preconditions.is_empty()
            && self.next.writes.len() < MAX_WRITES
            && bytes <= MAX_BATCH_BYTES
    }

    fn add(&mut self, change: Change) -> Result<(), RestoreError> {
        if change.table == FENCES {
            let (from, to) = self.fence(&change).ok_or(RestoreError::Damaged("a fence"))?;
            self.next.preconditions.push(Precondition::FenceIs(from));
            self.next.writes.push(Write::Raise(to));
            return Ok(());
        }
        let row = crate::cluster::RowId::new(change.table, change.key);
        self.next.writes.push(match change.value {
            Some(value) => Write::Put {
                row,
                value,
                indexes: change.indexes,
            },
            None => Write::Delete(row),
        });
        Ok(())
    }

    fn fence(&mut self, change: &Change) -> Option<(Fence, Fence)> {
        let shard = u16::from_be_bytes(change.key.as_slice().try_into().ok()?);
        let epoch = Epoch(u64::from_be_bytes(change.value.as_deref()?.try_into().ok()?));
        let before = self.epochs.insert(shard, epoch).unwrap_or_default();
        Some((Fence { shard, epoch: before }, Fence { shard, epoch }))
    }

    async fn commit(&mut self, store: &dyn Store, within: Duration) -> Result<(), RestoreError> {
        let commit = std::mem::take(&mut self.next);
        if commit.writes.is_empty() {
            return Ok(());
        }
        match store.commit(commit, within).await? {
            Outcome::Committed(_) => Ok(()),
            Outcome::Conflict(_) => Err(RestoreError::InUse),
        }
    }
}

#[cfg(test)]
mod tests;
