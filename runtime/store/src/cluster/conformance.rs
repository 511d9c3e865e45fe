//! What every [`Store`] must do, whatever it is made of.
//!
//! One store is enough for all checks: each uses tables of its own, and none asks where the store stood before. So a
//! store that takes long to start can run it, also over and over.

mod changes;
mod commits;
mod leases;
mod model;
mod reads;

use crate::cluster::commit::{Commit, CommitError, Outcome, Precondition, Revision, RowId, TableId, Write};
use crate::cluster::limits::MAX_WRITES;
use crate::cluster::read::{Consistency, ReadError, Row, Scan, Seen};
use crate::cluster::{Head, Store};
use std::sync::Arc;
use std::time::Duration;

pub use model::{Act, Guard, Model, Step, run, steps};

/// Longer than any call should take, also on a busy machine.
const WITHIN: Duration = Duration::from_secs(20);

/// A store to be looked at.
#[derive(Clone)]
pub struct Subject {
    /// The store.
    pub store: Arc<dyn Store>,
    /// For how many commits it remembers deletions: few, so that the suite sees what happens then.
    pub kept_deletions: u64,
}

/// Runs the suite.
///
/// # Panics
/// If the store does not do what it must.
pub async fn check(subject: &Subject) {
    // It may have run before.
    for number in 0..LAST_TABLE {
        subject.clear(table(number)).await;
    }
    commits::check(subject).await;
    reads::check(subject).await;
    changes::check(subject).await;
    leases::check(subject).await;
    for seed in 0..4 {
        model::check(subject, seed).await;
    }
}

/// One more than the last number of a table below.
const LAST_TABLE: u16 = 110;

/// Tables for the checks, far from everybody's.
fn table(number: u16) -> TableId {
    TableId(50_000 + number)
}

impl Subject {
    async fn commit(&self, commit: Commit) -> Outcome {
        self.store.commit(commit, WITHIN).await.expect("commits")
    }

    async fn refused(&self, commit: Commit) -> CommitError {
        self.store.commit(commit, WITHIN).await.expect_err("is refused")
    }

    /// Commits what must not conflict.
    async fn write(
        &self,
        must: impl IntoIterator<Item = Precondition>,
        writes: impl IntoIterator<Item = Write>,
    ) -> Revision {
        match self.commit(Commit::new(must, writes)).await {
            Outcome::Committed(revision) => revision,
            Outcome::Conflict(place) => panic!("precondition {place} should hold"),
        }
    }

    async fn conflict(
        &self,
        must: impl IntoIterator<Item = Precondition>,
        writes: impl IntoIterator<Item = Write>,
    ) -> usize {
        match self.commit(Commit::new(must, writes)).await {
            Outcome::Committed(revision) => panic!("committed as {revision} against its preconditions"),
            Outcome::Conflict(place) => place,
        }
    }

    /// Deletes all rows of a table.
    async fn clear(&self, table: TableId) {
        loop {
            let scan = Scan::all(table, MAX_WRITES);
            let rows = self.scan(scan).await.expect("scans");
            let rows = rows.into_iter().take(MAX_WRITES);
            let deletes: Vec<_> = rows.map(|row| Write::Delete(RowId::new(table, row.key))).collect();
            if deletes.is_empty() {
                return;
            }
            self.write([], deletes).await;
        }
    }

    async fn get(&self, row: &RowId) -> Option<Row> {
        self.seen(row).await.value
    }

    async fn seen(&self, row: &RowId) -> Seen<Option<Row>> {
        let read = self.store.get(row.clone(), Consistency::Consistent, WITHIN).await;
        read.expect("reads")
    }

    async fn head(&self) -> Head {
        self.seen(&RowId::new(table(0), [])).await.head
    }

    /// All rows of a scan, over all pages.
    async fn scan(&self, scan: Scan) -> Result<Vec<Row>, ReadError> {
        let (mut rows, mut next) = (Vec::new(), Some(scan.clone()));
        while let Some(scan) = next {
            let page = self.store.scan(scan.clone(), Consistency::Consistent, WITHIN).await?;
            assert!(page.rows.len() <= scan.max_rows);
            assert!(page.next.is_none() || !page.rows.is_empty(), "a page leads on");
            rows.extend(page.rows);
            next = page.next.map(|after| scan.after(after));
        }
        Ok(rows)
    }
}

fn keys(rows: &[Row]) -> Vec<&[u8]> {
    rows.iter().map(|row| row.key.as_slice()).collect()
}
