//! The rows of a [`MemoryStore`](super::MemoryStore), and how a commit changes them.

use crate::cluster::change::{Change, Changes, Since, whole_commits};
use crate::cluster::commit::{Commit, Outcome, Precondition, Revision, RowId, TableId, Write};
use crate::cluster::fence::Fence;
use crate::cluster::limits::MAX_PAGE_ROWS;
use crate::cluster::read::{By, Continuation, Head, Page, ReadError, Row, Scan, page_rows};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// A row, or what is left of it.
#[derive(Debug, Clone)]
struct Cell {
    /// None if it was deleted.
    value: Option<Vec<u8>>,
    indexes: Vec<Option<Vec<u8>>>,
    revision: Revision,
}

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    rows: BTreeMap<RowId, Cell>,
    /// Table, index, key in it, key.
    indexed: BTreeSet<(TableId, u8, Vec<u8>, Vec<u8>)>,
    by_revision: BTreeSet<(Revision, RowId)>,
    /// Of the rows in `by_revision`, those that were deleted.
    deleted: BTreeSet<(Revision, RowId)>,
    forgotten: Revision,
    kept_deletions: u64,
    head: Head,
}

impl State {
    pub(super) fn keeping(kept_deletions: u64) -> Self {
        Self {
            kept_deletions,
            ..Self::default()
        }
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Applies a commit that keeps to the rules.
    pub(super) fn apply(&mut self, commit: Commit) -> Outcome {
        self.head.time = self.head.time.max(commit.at.unwrap_or_default());
        let broken = commit.preconditions.iter().position(|must| !self.holds(must));
        if let Some(place) = broken {
            return Outcome::Conflict(place);
        }
        self.head.revision.0 += 1;
        for write in commit.writes {
            match write {
                Write::Put { row, value, indexes } => self.set(row, Some(value), indexes),
                Write::Delete(row) if self.present(&row).is_some() => self.set(row, None, Vec::new()),
                Write::Delete(_) => {}
                Write::Raise(fence) => self.set(fence.row(), fence.value(), Vec::new()),
            }
        }
        self.forget();
        Outcome::Committed(self.head.revision)
    }

    fn holds(&self, must: &Precondition) -> bool {
        match must {
            Precondition::Absent(row) => self.present(row).is_none(),
            Precondition::RevisionIs(row, revision) => {
                self.present(row).is_some_and(|(cell, _)| cell.revision == *revision)
            }
            Precondition::FenceIs(fence) => self.in_epoch(*fence),
            Precondition::NotBefore(time) => self.head.time >= *time,
            Precondition::Before(time) => self.head.time < *time,
        }
    }

    fn in_epoch(&self, fence: Fence) -> bool {
        self.present(&fence.row()).map(|(_, value)| value) == fence.value().as_ref()
    }

    fn present(&self, row: &RowId) -> Option<(&Cell, &Vec<u8>)> {
        let cell = self.rows.get(row)?;
        Some((cell, cell.value.as_ref()?))
    }

    fn set(&mut self, row: RowId, value: Option<Vec<u8>>, indexes: Vec<Option<Vec<u8>>>) {
        self.take_out(&row);
        let revision = self.head.revision;
        for (index, ordered) in present_keys(&indexes) {
            self.indexed
                .insert((row.table, index, ordered.to_vec(), row.key.clone()));
        }
        self.by_revision.insert((revision, row.clone()));
        if value.is_none() {
            self.deleted.insert((revision, row.clone()));
        }
        let cell = Cell {
            value,
            indexes,
            revision,
        };
        self.rows.insert(row, cell);
    }

    fn take_out(&mut self, row: &RowId) {
        let Some(cell) = self.rows.remove(row) else {
            return;
        };
        for (index, ordered) in present_keys(&cell.indexes) {
            self.indexed
                .remove(&(row.table, index, ordered.to_vec(), row.key.clone()));
        }
        let place = (cell.revision, row.clone());
        self.by_revision.remove(&place);
        self.deleted.remove(&place);
    }

    fn forget(&mut self) {
        let oldest = Revision(self.head.revision.0.saturating_sub(self.kept_deletions));
        while let Some((revision, row)) = self.deleted.first().cloned() {
            if revision > oldest {
                break;
            }
            self.take_out(&row);
            self.forgotten = revision;
        }
    }

    pub(super) fn get(&self, row: &RowId) -> Option<Row> {
        let (cell, value) = self.present(row)?;
        Some(Row {
            key: row.key.clone(),
            value: value.clone(),
            revision: cell.revision,
        })
    }

    pub(super) fn scan(&self, scan: &Scan) -> Page {
        let mut found: Vec<(Continuation, Row)> = match scan.by {
            By::Key => self.by_key(scan),
            By::Index(index) => self.by_index(scan, index),
        };
        let more = found.len();
        let fit = page_rows(found.iter().map(|(_, row)| row.value.len()), scan.max_rows);
        found.truncate(fit);
        let next = (more > fit).then(|| found.last().map(|(place, _)| place.clone()));
        Page {
            head: self.head,
            next: next.flatten(),
            rows: found.into_iter().map(|(_, row)| row).collect(),
        }
    }

    /// The rows of the scan and, if there are more than it asks for, one more.
    fn by_key(&self, scan: &Scan) -> Vec<(Continuation, Row)> {
        let table = scan.table;
        let from = match &scan.after {
            Some(place) => Bound::Excluded(RowId::new(table, place.key.clone())),
            None => Bound::Included(RowId::new(table, scan.from.clone())),
        };
        let rows = self.rows.range((from, Bound::Unbounded));
        let rows = rows.take_while(|(row, _)| row.table == table && before(&row.key, scan));
        let rows = rows.filter_map(|(row, _)| self.get(row)).map(|row| {
            let (ordered, key) = (row.key.clone(), row.key.clone());
            (Continuation { ordered, key }, row)
        });
        rows.take(scan.max_rows + 1).collect()
    }

    fn by_index(&self, scan: &Scan, index: u8) -> Vec<(Continuation, Row)> {
        let table = scan.table;
        let from = match &scan.after {
            Some(place) => Bound::Excluded((table, index, place.ordered.clone(), place.key.clone())),
            None => Bound::Included((table, index, scan.from.clone(), Vec::new())),
        };
        let entries = self.indexed.range((from, Bound::Unbounded));
        let entries = entries.take_while(|(t, i, ordered, _)| *t == table && *i == index && before(ordered, scan));
        let rows = entries.filter_map(|(_, _, ordered, key)| {
            let row = self.get(&RowId::new(table, key.clone()))?;
            let (ordered, key) = (ordered.clone(), key.clone());
            Some((Continuation { ordered, key }, row))
        });
        rows.take(scan.max_rows + 1).collect()
    }

    pub(super) fn changes(&self, since: &Since) -> Result<Changes, ReadError> {
        if since.misses(self.forgotten) {
            let forgotten = self.forgotten;
            return Err(ReadError::Gap { forgotten });
        }
        let from = Revision(since.after.0.saturating_add(1));
        let first = (from, RowId::new(TableId(0), Vec::new()));
        let all = self.by_revision.range(first..);
        let wanted = all.filter(|(_, row)| {
            since.table.is_none_or(|table| table == row.table) && row.key.starts_with(&since.prefix)
        });
        let cells = wanted.filter_map(|(_, row)| Some((row, self.rows.get(row)?)));
        let changes: Vec<Change> = cells
            .take(MAX_PAGE_ROWS + 1)
            .map(|(row, cell)| Change {
                table: row.table,
                key: row.key.clone(),
                value: cell.value.clone(),
                indexes: cell.indexes.clone(),
                revision: cell.revision,
            })
            .collect();
        Ok(whole_commits(changes, self.head))
    }
}

fn present_keys(indexes: &[Option<Vec<u8>>]) -> impl Iterator<Item = (u8, &[u8])> {
    (0..).zip(indexes).filter_map(|(at, key)| Some((at, key.as_deref()?)))
}

fn before(ordered: &[u8], scan: &Scan) -> bool {
    scan.to.as_ref().is_none_or(|to| ordered < to.as_slice())
}
