//! How large things may be, and the check of a commit against it.

use crate::cluster::commit::{Commit, Precondition, RowId, TableId, Write};
use crate::cluster::fence::{FENCES, Fence};
use crate::cluster::read::{By, Scan};

/// Most bytes of a key, and of a row's key in an index.
pub const MAX_KEY_BYTES: usize = 512;
/// Most bytes of a value. What is larger goes to the object store, by content address.
pub const MAX_VALUE_BYTES: usize = 256 * 1024;
/// Most indexes of a table.
pub const MAX_INDEXES: usize = 4;
/// Most preconditions of a commit.
pub const MAX_PRECONDITIONS: usize = 400;
/// Most writes of a commit. A page of changes holds whole commits, so it is at least this large.
pub const MAX_WRITES: usize = 512;
/// Most bytes of a commit (keys, values and index keys), and of the commits that are written to the log as one.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Most rows of a page.
pub const MAX_PAGE_ROWS: usize = 1024;
/// A page ends with the first row that makes it as large as this, in bytes of values.
pub const MAX_PAGE_BYTES: usize = 1024 * 1024;
/// Deletions are remembered for this many commits; who watches from before is told of a gap.
pub const KEPT_DELETIONS: u64 = 100_000;

/// How a commit or a scan is against the rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A key, or a key in an index, is longer than [`MAX_KEY_BYTES`].
    #[error("a key of {bytes} bytes in {table}, allowed are {MAX_KEY_BYTES}")]
    KeyTooLong {
        /// Where.
        table: TableId,
        /// How long it is.
        bytes: usize,
    },
    /// A value is longer than [`MAX_VALUE_BYTES`].
    #[error("a value of {bytes} bytes in {table}, allowed are {MAX_VALUE_BYTES}")]
    ValueTooLong {
        /// Where.
        table: TableId,
        /// How long it is.
        bytes: usize,
    },
    /// More than [`MAX_INDEXES`].
    #[error("{count} indexes of {table}, allowed are {MAX_INDEXES}")]
    TooManyIndexes {
        /// Where.
        table: TableId,
        /// How many.
        count: usize,
    },
    /// More than [`MAX_PRECONDITIONS`].
    #[error("{count} preconditions, allowed are {MAX_PRECONDITIONS}")]
    TooManyPreconditions {
        /// How many.
        count: usize,
    },
    /// None, or more than [`MAX_WRITES`].
    #[error("{count} writes, allowed are 1 to {MAX_WRITES}")]
    NumberOfWrites {
        /// How many.
        count: usize,
    },
    /// More than [`MAX_BATCH_BYTES`] together.
    #[error("a commit of {bytes} bytes, allowed are {MAX_BATCH_BYTES}")]
    CommitTooLarge {
        /// How many.
        bytes: usize,
    },
    /// More than [`MAX_PAGE_ROWS`] asked for, or none.
    #[error("a page of {rows} rows, allowed are 1 to {MAX_PAGE_ROWS}")]
    PageSize {
        /// How many.
        rows: usize,
    },
    /// Fences change by being raised only.
    #[error("the table of fences is written by raising them only")]
    WritesFences,
    /// A commit raises a fence without naming the smaller epoch it has before.
    #[error("{0} is raised without naming the smaller epoch it has before")]
    UncheckedRaise(Fence),
    /// A row is to be inserted by something that does not put one.
    #[error("only a put can insert")]
    NotAPut,
}

impl Commit {
    /// What it takes in a batch, in bytes.
    pub fn bytes(&self) -> usize {
        let checked = self.preconditions.iter().map(|precondition| match precondition {
            Precondition::Absent(row) | Precondition::RevisionIs(row, _) => row.key.len(),
            Precondition::FenceIs(_) | Precondition::NotBefore(_) | Precondition::Before(_) => 0,
        });
        checked.chain(self.writes.iter().map(write_bytes)).sum()
    }

    /// Whether it keeps to the rules. Every implementation asks first.
    ///
    /// # Errors
    /// The first rule it is against.
    pub fn check(&self) -> Result<(), Malformed> {
        let (count, writes) = (self.preconditions.len(), self.writes.len());
        if count > MAX_PRECONDITIONS {
            return Err(Malformed::TooManyPreconditions { count });
        }
        if writes == 0 || writes > MAX_WRITES {
            return Err(Malformed::NumberOfWrites { count: writes });
        }
        for precondition in &self.preconditions {
            if let Precondition::Absent(row) | Precondition::RevisionIs(row, _) = precondition {
                check_key(row.table, &row.key)?;
            }
        }
        for write in &self.writes {
            self.check_write(write)?;
        }
        match self.bytes() {
            bytes if bytes > MAX_BATCH_BYTES => Err(Malformed::CommitTooLarge { bytes }),
            _ => Ok(()),
        }
    }

    fn check_write(&self, write: &Write) -> Result<(), Malformed> {
        match write {
            Write::Put { row, .. } | Write::Delete(row) if row.table == FENCES => Err(Malformed::WritesFences),
            Write::Put { row, value, indexes } => check_put(row, value, indexes),
            Write::Delete(row) => check_key(row.table, &row.key),
            Write::Raise(to) => {
                let from = self.preconditions.iter().any(|precondition| {
                    matches!(precondition, Precondition::FenceIs(from)
                        if from.shard == to.shard && from.epoch < to.epoch)
                });
                if from {
                    Ok(())
                } else {
                    Err(Malformed::UncheckedRaise(*to))
                }
            }
        }
    }
}

impl Scan {
    /// Whether it keeps to the rules. Every implementation asks first.
    ///
    /// # Errors
    /// The first rule it is against.
    pub fn check(&self) -> Result<(), Malformed> {
        if self.max_rows == 0 || self.max_rows > MAX_PAGE_ROWS {
            return Err(Malformed::PageSize { rows: self.max_rows });
        }
        match self.by {
            By::Index(index) if usize::from(index) >= MAX_INDEXES => Err(Malformed::TooManyIndexes {
                table: self.table,
                count: usize::from(index) + 1,
            }),
            By::Index(_) | By::Key => Ok(()),
        }
    }
}

fn write_bytes(write: &Write) -> usize {
    match write {
        Write::Put { row, value, indexes } => {
            let indexed = indexes.iter().flatten().map(Vec::len);
            row.key.len() + value.len() + indexed.sum::<usize>()
        }
        Write::Delete(row) => row.key.len(),
        Write::Raise(fence) => fence.row().key.len(),
    }
}

fn check_put(row: &RowId, value: &[u8], indexes: &[Option<Vec<u8>>]) -> Result<(), Malformed> {
    let table = row.table;
    check_key(table, &row.key)?;
    if value.len() > MAX_VALUE_BYTES {
        let bytes = value.len();
        return Err(Malformed::ValueTooLong { table, bytes });
    }
    if indexes.len() > MAX_INDEXES {
        let count = indexes.len();
        return Err(Malformed::TooManyIndexes { table, count });
    }
    indexes.iter().flatten().try_for_each(|key| check_key(table, key))
}

fn check_key(table: TableId, key: &[u8]) -> Result<(), Malformed> {
    match key.len() {
        bytes if bytes > MAX_KEY_BYTES => Err(Malformed::KeyTooLong { table, bytes }),
        _ => Ok(()),
    }
}
