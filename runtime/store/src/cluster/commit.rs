//! [`Commit`]: what must be so, and what is written then.

use crate::cluster::fence::Fence;
use crate::cluster::limits::Malformed;
use std::fmt;
use std::time::Duration;

/// A table. Numbers below [`TableId::FIRST_FREE`] are the store's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u16);

impl TableId {
    /// The first number for tables of others.
    pub const FIRST_FREE: Self = Self(16);
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}", self.0)
    }
}

/// The number of a commit. They rise by one; a row's is that of the commit that wrote it last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

/// Milliseconds since 1970, as some committer told them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreTime {
    /// The milliseconds.
    pub ms: u64,
}

impl StoreTime {
    /// A time in milliseconds since 1970.
    pub fn from_ms(ms: u64) -> Self {
        Self { ms }
    }

    /// This much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        let more_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let ms = self.ms.saturating_add(more_ms);
        Self { ms }
    }

    /// How long until then; zero if it is over.
    pub fn until(self, then: Self) -> Duration {
        Duration::from_millis(then.ms.saturating_sub(self.ms))
    }
}

/// Names a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    /// The table.
    pub table: TableId,
    /// The key; bytes compare as unsigned numbers, a prefix comes first.
    pub key: Vec<u8>,
}

impl RowId {
    /// A row of a table.
    pub fn new(table: TableId, key: impl Into<Vec<u8>>) -> Self {
        let key = key.into();
        Self { table, key }
    }
}

/// What must be so for a commit to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// There is no such row.
    Absent(RowId),
    /// The row is there and was written last by this commit.
    RevisionIs(RowId, Revision),
    /// The shard is in this very epoch. An older one is stale; a newer one was made up.
    FenceIs(Fence),
    /// The store's time is not before this one.
    NotBefore(StoreTime),
    /// The store's time is before this one.
    Before(StoreTime),
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// The row is there with this value, whether or not it was there before.
    Put {
        /// Which row.
        row: RowId,
        /// Its value.
        value: Vec<u8>,
        /// Its key in each index of the table, in the order in which the table declares them; the row is not in an
        /// index in which it has no key. The same value of the same key always has the same index keys.
        indexes: Vec<Option<Vec<u8>>>,
    },
    /// The row is not there, whether or not it was before.
    Delete(RowId),
    /// The shard is in this epoch from now on. The commit must also say in which smaller one it is
    /// ([`Precondition::FenceIs`]).
    Raise(Fence),
}

impl Write {
    /// Puts a row that is in no index.
    pub fn put(row: RowId, value: impl Into<Vec<u8>>) -> Self {
        let value = value.into();
        let indexes = Vec::new();
        Self::Put { row, value, indexes }
    }
}

/// Writes that are applied together if all preconditions hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// The committer's clock. The store's time becomes the later of this and what it was, before the preconditions are
    /// looked at and whether or not they hold. So it is the committer who decides what is over, and every replica comes
    /// to the same answer. How far clocks may differ is the membership's business.
    pub at: Option<StoreTime>,
    /// What must be so, looked at in this order.
    pub preconditions: Vec<Precondition>,
    /// What is written, in this order: the last write of a row counts.
    pub writes: Vec<Write>,
}

impl Commit {
    /// A commit that tells no time.
    pub fn new(preconditions: impl IntoIterator<Item = Precondition>, writes: impl IntoIterator<Item = Write>) -> Self {
        Self {
            at: None,
            preconditions: preconditions.into_iter().collect(),
            writes: writes.into_iter().collect(),
        }
    }

    /// The same, telling the time.
    #[must_use]
    pub fn at(self, time: StoreTime) -> Self {
        let at = Some(time);
        Self { at, ..self }
    }
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was applied, as this revision.
    Committed(Revision),
    /// Nothing was written, because the precondition at this place of the list does not hold: the first of those.
    Conflict(usize),
}

/// Why a commit has no outcome, by what is certain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Not applied, and never will be: it is against the rules.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Not applied: too many commits wait. Try again later.
    #[error("too many commits wait")]
    Overloaded,
    /// Not applied: the store was not to be reached in time, and it never left. Try again.
    #[error("the store was not reached in time")]
    Unavailable,
    /// It may have been applied, or may still be. Read what it would have written, or do it again if that is harmless.
    #[error("not known whether the commit was applied")]
    Unknown,
}
