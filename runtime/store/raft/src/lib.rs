//! [`RaftStore`]: the cluster's [`Store`] in SQLite, replicated by Raft (hiqlite), inside the process. One voter, three or
//! five; nothing to install.
//!
//! What is known of hiqlite 0.15.3 and wrapped here, so that nobody else sees it:
//!
//! | what it does | what is done about it | where |
//! | --- | --- | --- |
//! | a transaction returns numbers of rows, no values | numbers come back as numbers of rows | [`batch`] |
//! | a call sent to a leader that dies never returns, and the caller does not know | tried again until its deadline; each batch is numbered, so that it is applied once | [`writer`] |
//! | leadership is lost for moments on a busy machine | the same | [`writer`], [`reader`] |
//! | a log entry larger than the file of the log ends the Raft | files of 64 MiB, batches of 1 MiB | [`start`] |
//! | starting takes several heartbeats | heartbeats of 100 ms | [`config`] |
//! | it panics where the folder is in use, and wherever something is wrong at its start | a lock of our own first; it starts in a task of its own | [`start`] |
//! | the log is synced every 200 ms | at once, unless the configuration says otherwise | [`config`] |
//! | secrets go over plain TCP, its own certificates are not verified | loopback, or TLS with certificates that are | [`config`] |
//! | its functions take a minute to compile wherever they are called | called in one crate that does nothing else | [`rungs_store_replica`] |
//! | leaving takes ten seconds in a cluster | being killed is as good: the log is what counts | [`RaftStore::close`] |
//! | it deletes its log where `HQL_DANGER_RAFT_STATE_RESET` is set | nothing can be done here: do not set it | |
//!
//! Read [`schema`] first, then [`batch`]: how preconditions are checked inside the replicated write.

mod batch;
mod config;
mod format;
mod head;
mod reader;
mod schema;
mod start;
mod writer;

pub use config::{Config, ConfigError, Secrets, Sync, Tls, Voter};
pub use start::OpenError;

use head::HeadWatch;
use reader::Reader;
use rungs_store::cluster::group::{GroupCommit, group_commit};
use rungs_store::cluster::{
    Answer, Changes, Commit, CommitError, Consistency, Head, Outcome, Page, ReadError, Revision, Row, RowId, Scan,
    Seen, Since, Store,
};
use rungs_store_replica::Replica;
use std::fmt;
use std::fs::File;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use writer::Writer;

/// See the crate. Work under way ends when it is dropped; the replica goes on until the process ends or [`close`].
///
/// [`close`]: Self::close
pub struct RaftStore {
    replica: Replica,
    group: GroupCommit,
    reader: Reader,
    head: HeadWatch,
    _work: JoinSet<()>,
    // Held until the store is dropped or the process ends.
    _lock: File,
}

impl RaftStore {
    /// Starts this voter and waits until it can be used, which needs a majority of the voters.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(config: Config, within: Duration) -> Result<Self, OpenError> {
        let until = Instant::now() + within;
        config.check()?;
        let lock = start::lock(&config.folder)?;
        let (kept_deletions, pace) = (config.kept_deletions, config.heartbeat);
        let replica = start::start(config, until).await?;
        format::bring_up(&replica, pace, until).await?;
        let reader = Reader::new(replica.clone(), pace);
        let (group, work) = group_commit(Writer::new(replica.clone(), reader.clone(), pace, kept_deletions));
        let (head, watching) = head::watch(reader.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(work);
        tasks.spawn(watching);
        Ok(Self {
            replica,
            group,
            reader,
            head,
            _work: tasks,
            _lock: lock,
        })
    }

    /// The voter that leads, as far as this one knows.
    pub async fn leader(&self) -> Option<u64> {
        self.replica.leader().await
    }

    /// Stops the replica. In a cluster this takes ten seconds, in which others may take the lead. A process that ends
    /// without it loses nothing, but builds its rows anew from the log when it starts.
    ///
    /// # Errors
    /// If it has not stopped by then.
    pub async fn close(&self) -> Result<(), OpenError> {
        self.replica.shutdown().await.map_err(OpenError::from)
    }
}

#[cfg(test)]
impl RaftStore {
    fn pace(&self) -> Duration {
        Duration::from_millis(50)
    }
}

impl fmt::Debug for RaftStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaftStore").finish_non_exhaustive()
    }
}

impl Store for RaftStore {
    fn commit(&self, commit: Commit, within: Duration) -> Answer<'_, Outcome, CommitError> {
        Box::pin(self.group.commit(commit, within))
    }

    fn get(&self, row: RowId, how: Consistency, within: Duration) -> Answer<'_, Seen<Option<Row>>, ReadError> {
        Box::pin(self.reader.get(row, how, within))
    }

    fn scan(&self, scan: Scan, how: Consistency, within: Duration) -> Answer<'_, Page, ReadError> {
        Box::pin(self.reader.scan(scan, how, within))
    }

    fn changes(&self, since: Since, within: Duration) -> Answer<'_, Changes, ReadError> {
        Box::pin(self.reader.changes(since, within))
    }

    fn moved(&self, past: Revision, within: Duration) -> Answer<'_, Head, ReadError> {
        Box::pin(self.head.moved(past, within))
    }
}

#[cfg(test)]
mod tests;
