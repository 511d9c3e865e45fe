//! [`Store`]: what a cluster agrees on, as rows of bytes in tables. One node, three or five hold replicas of it; every
//! other node is a client.
//!
//! ```text
//! rows      (table, key) → value, revision, up to four index keys        what is written
//! fences    a reserved table: shard → epoch                              who may still write for a shard
//! leases    a reserved table: name → holder, token, end                  who is alive, see [`lease`]
//! head      revision of the last commit, time as committers told it      where the store stands
//! ```
//!
//! Promises of every implementation:
//! 1. A [`Commit`] is applied as a whole or not at all. Its preconditions and its writes see the same state, between
//!    which no other commit comes. Commits are in one order, and each gets the next [`Revision`].
//! 2. What was answered [`Outcome::Committed`] is there after any process, or a minority of the replicas, was killed at
//!    any moment (the in-memory store: only while the process lives).
//! 3. A consistent read sees every commit that was answered before it began. A local one sees a prefix of the commits.
//! 4. An error says whether the commit was applied: certainly not, or unknown. It never lies.
//! 5. Replicas read no clock: time is told by commits ([`Commit::at`]) and never goes back.
//! 6. Every call ends, at the latest at its deadline. Every size has a limit, in [`limits`].
//!
//! Start reading at [`commit`], then [`read`] and [`change`]. [`table`] puts types on top. [`conformance`] is what each
//! implementation passes.

pub mod backup;
pub mod change;
pub mod commit;
pub mod conformance;
pub mod fence;
pub mod format;
pub mod group;
pub mod key;
pub mod lease;
pub mod limits;
pub mod memory;
pub mod read;
pub mod table;

pub use change::{Change, Changes, Since, Watch};
pub use commit::{Commit, CommitError, Outcome, Precondition, Revision, RowId, StoreTime, TableId, Write};
pub use fence::Fence;
pub use limits::Malformed;
pub use memory::MemoryStore;
pub use read::{By, Consistency, Continuation, Head, Page, ReadError, Row, Scan, Seen};

use std::pin::Pin;
use std::time::Duration;

/// What a call of a [`Store`] returns: boxed, so that callers hold an `Arc<dyn Store>` and compile no database.
pub type Answer<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// See the module.
pub trait Store: Send + Sync + 'static {
    /// Applies the writes if all preconditions hold, all at once. Dropping the future before it ends leaves the outcome
    /// unknown.
    ///
    /// # Errors
    /// See [`CommitError`]: certainly not applied, or unknown.
    fn commit(&self, commit: Commit, within: Duration) -> Answer<'_, Outcome, CommitError>;

    /// The row with this key, if there is one.
    ///
    /// # Errors
    /// If the store does not answer in time.
    fn get(&self, row: RowId, how: Consistency, within: Duration) -> Answer<'_, Seen<Option<Row>>, ReadError>;

    /// A page of rows, ordered by key or by one of the indexes.
    ///
    /// # Errors
    /// If the scan asks for more than the limits allow, or the store does not answer in time.
    fn scan(&self, scan: Scan, how: Consistency, within: Duration) -> Answer<'_, Page, ReadError>;

    /// What has changed since a revision, as the local replica knows it. Of each row its last change only.
    ///
    /// # Errors
    /// [`ReadError::Gap`] if deletions since that revision have been forgotten.
    fn changes(&self, since: Since, within: Duration) -> Answer<'_, Changes, ReadError>;

    /// Waits until the local replica has gone past this revision, or until the time is over; tells where it stands.
    ///
    /// # Errors
    /// If the local replica cannot be read.
    fn moved(&self, past: Revision, within: Duration) -> Answer<'_, Head, ReadError>;
}

/// Puts a row where none with its key is, whoever owns its shard: the unfenced insert of goal inboxes, whose key is
/// tenant and idempotency key. Doing it again is harmless.
///
/// # Errors
/// As [`Store::commit`]; after [`CommitError::Unknown`] do it again.
pub async fn insert_if_absent(store: &dyn Store, put: Write, within: Duration) -> Result<Inserted, CommitError> {
    let absent = match &put {
        Write::Put { row, .. } => Precondition::Absent(row.clone()),
        Write::Delete(_) | Write::Raise(_) => return Err(Malformed::NotAPut.into()),
    };
    match store.commit(Commit::new([absent], [put]), within).await? {
        Outcome::Committed(revision) => Ok(Inserted::New(revision)),
        Outcome::Conflict(_) => Ok(Inserted::WasThere),
    }
}

/// What became of [`insert_if_absent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The row is new.
    New(Revision),
    /// A row with this key was there, and is as it was.
    WasThere,
}
