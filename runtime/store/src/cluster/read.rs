//! Reading: one row, or pages of rows in order.

use crate::cluster::commit::{Revision, StoreTime, TableId};
use crate::cluster::limits::{MAX_PAGE_BYTES, Malformed};

/// Where a store stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// The last commit.
    pub revision: Revision,
    /// The latest time a commit told.
    pub time: StoreTime,
}

/// What was read, and where the store stood: as after the commit `head.revision` and before the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen<T> {
    /// Where the store stood.
    pub head: Head,
    /// What was read.
    pub value: T,
}

/// How fresh a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Sees every commit that was answered before the read began. Asks a majority of the replicas.
    Consistent,
    /// What the nearest replica knows: all commits up to some revision. Cheap.
    Local,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// The commit that wrote it last.
    pub revision: Revision,
}

/// The order of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By key.
    Key,
    /// By the key in this index of the table, and by key among equals. Rows without a key in it are left out.
    Index(u8),
}

/// Asks for a page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The table.
    pub table: TableId,
    /// The order, and what `from` and `to` are compared with.
    pub by: By,
    /// Rows at or after this.
    pub from: Vec<u8>,
    /// Rows before this; without it to the end of the table.
    pub to: Option<Vec<u8>>,
    /// Goes on where a page ended.
    pub after: Option<Continuation>,
    /// Most rows of the page.
    pub max_rows: usize,
}

impl Scan {
    /// All rows of a table, by key.
    pub fn all(table: TableId, max_rows: usize) -> Self {
        Self::prefix(table, By::Key, &[], max_rows)
    }

    /// The rows whose key (in the index) begins with this.
    pub fn prefix(table: TableId, by: By, prefix: &[u8], max_rows: usize) -> Self {
        Self {
            table,
            by,
            from: prefix.to_vec(),
            to: after_prefix(prefix),
            after: None,
            max_rows,
        }
    }

    /// The same from where a page ended.
    #[must_use]
    pub fn after(self, continuation: Continuation) -> Self {
        let after = Some(continuation);
        Self { after, ..self }
    }
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    /// The key in the order of the scan.
    pub ordered: Vec<u8>,
    /// The key of the row.
    pub key: Vec<u8>,
}

/// Some rows, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where the store stood. The next page may be of a later state.
    pub head: Head,
    /// The rows.
    pub rows: Vec<Row>,
    /// Where to go on; none if there are no more.
    pub next: Option<Continuation>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It asks for more than the limits allow.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The store was not reached in time. Try again.
    #[error("the store was not reached in time")]
    Unavailable,
    /// Deletions up to this revision have been forgotten. Read all rows, then watch from there.
    #[error("deletions up to {} have been forgotten", .forgotten.0)]
    Gap {
        /// The last commit whose deletions may be missing.
        forgotten: Revision,
    },
}

/// The least byte string that is greater than all that begin with the prefix; none if there is none.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    Some(after)
}

/// How many of these values, in bytes, make a page: at most `max_rows`, and none after the limit in bytes was reached.
pub fn page_rows(value_bytes: impl IntoIterator<Item = usize>, max_rows: usize) -> usize {
    let mut total = 0;
    let fits = value_bytes.into_iter().take(max_rows).take_while(|bytes| {
        let fits = total < MAX_PAGE_BYTES;
        total += bytes;
        fits
    });
    fits.count()
}
