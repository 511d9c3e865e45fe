//! Watching: what has become of rows since a revision.
//!
//! A watcher learns the last state of each row that changed, not each change: who is slow misses states in between, and
//! needs no memory of the store's. Rows that are gone are told too, for [`KEPT_DELETIONS`](super::limits::KEPT_DELETIONS)
//! commits; who comes from before is told of a gap, and reads all anew.

use crate::cluster::commit::{Revision, TableId};
use crate::cluster::limits::MAX_PAGE_ROWS;
use crate::cluster::read::{ReadError, Row, page_rows};
use crate::cluster::{Head, Store};
use std::sync::Arc;
use std::time::Duration;

/// Asks what has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// In this table; without it in all.
    pub table: Option<TableId>,
    /// In rows whose key begins with this.
    pub prefix: Vec<u8>,
    /// By commits after this one. From revision 0 every row is new and there is no gap; cheaper is to scan the table,
    /// and to go on from the revision of the first page.
    pub after: Revision,
    /// Where the store stood when the watcher began with revision 0, and knew nothing; else 0. What was deleted until then
    /// it has never seen.
    pub began: Revision,
}

impl Since {
    /// From revision 0.
    pub fn the_beginning(table: Option<TableId>) -> Self {
        Self {
            table,
            prefix: Vec::new(),
            after: Revision(0),
            began: Revision(0),
        }
    }

    /// Goes on behind an answer.
    pub fn go_on(&mut self, told: &Changes) {
        if self.after == Revision(0) {
            self.began = told.head.revision;
        }
        self.after = told.through;
    }

    /// Whether the watcher may miss a deletion, if all up to this one may have been forgotten.
    pub fn misses(&self, forgotten: Revision) -> bool {
        self.after > Revision(0) && self.after.max(self.began) < forgotten
    }
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its table.
    pub table: TableId,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value; none if it was deleted.
    pub value: Option<Vec<u8>>,
    /// Its key in each index, up to the last it has.
    pub indexes: Vec<Option<Vec<u8>>>,
    /// The commit that did it.
    pub revision: Revision,
}

impl Change {
    /// The row, if it is there.
    pub fn into_row(self) -> Option<Row> {
        let Self { key, revision, .. } = self;
        self.value.map(|value| Row { key, value, revision })
    }
}

/// Changes, in the order of their revisions. The changes of one commit are in one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// What has changed.
    pub changes: Vec<Change>,
    /// Up to this commit, all is told. Go on from here.
    pub through: Revision,
    /// Where the replica stood: there is more if that is further.
    pub head: Head,
}

/// Makes an answer of what was found, in order of revisions, of which more than [`MAX_PAGE_ROWS`] means that there is
/// more: cuts it where a commit ends.
pub fn whole_commits(mut found: Vec<Change>, head: Head) -> Changes {
    let values = found.iter().map(|change| change.value.as_ref().map_or(0, Vec::len));
    let fit = page_rows(values, MAX_PAGE_ROWS);
    let mut through = head.revision;
    if let Some(first_left) = found.get(fit).map(|change| change.revision) {
        let first = found[0].revision;
        // A commit is smaller than a page of rows, but its values may reach over the end of one in bytes.
        let end = if first == first_left {
            found.partition_point(|change| change.revision <= first)
        } else {
            found.partition_point(|change| change.revision < first_left)
        };
        found.truncate(end);
        through = found.last().map_or(through, |change| change.revision);
    }
    Changes {
        changes: found,
        through,
        head,
    }
}

/// Goes on and on.
pub struct Watch {
    store: Arc<dyn Store>,
    since: Since,
}

impl Watch {
    /// Watches a table, or a part of it.
    pub fn new(store: Arc<dyn Store>, since: Since) -> Self {
        Self { store, since }
    }

    /// The commit up to which all was told.
    pub fn through(&self) -> Revision {
        self.since.after
    }

    /// The next changes; none if there are none in this time.
    ///
    /// # Errors
    /// As [`Store::changes`]. After a gap this watch is of no use.
    pub async fn next(&mut self, within: Duration) -> Result<Vec<Change>, ReadError> {
        let end = tokio::time::Instant::now() + within;
        loop {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            let told = self.store.changes(self.since.clone(), left.max(LEAST_WAIT)).await?;
            self.since.go_on(&told);
            if !told.changes.is_empty() {
                return Ok(told.changes);
            }
            if told.head.revision > told.through {
                continue;
            }
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() || self.store.moved(told.through, left).await?.revision <= told.through {
                return Ok(Vec::new());
            }
        }
    }
}

/// A look at what is there takes some time, also when no time is to be waited.
const LEAST_WAIT: Duration = Duration::from_millis(100);
