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
//! | starting takes several heartbeats | heartbeats of 100 ms, 200 ms between several | [`config`] |
//! | a voter joins its cluster one step a second; who leads waits five seconds for another to do so | others answer until it takes part; one that took part before does not wait | [`start`] |
//! | a voter that was away for so long that it is sent a copy of all rows ends, and nobody is told | noticed; entries are kept for those who come back sooner | [`health`], [`config`] |
//! | it panics where the folder is in use, and wherever something is wrong at its start | a lock of our own first; it starts in a task of its own | [`start`] |
//! | the log is synced every 200 ms | at once, unless the configuration says otherwise | [`config`] |
//! | secrets go over plain TCP, its own certificates are not verified | loopback, or TLS with certificates that are | [`config`] |
//! | its functions take a minute to compile wherever they are called | called in one crate that does nothing else | [`rungs_store_replica`] |
//! | a voter that is killed while it joins may learn for ever and never vote | asks for its vote | [`start`] |
//! | a replica that was killed shows a state of long ago while it runs its log again | the leader is asked until it has caught up | [`reader`] |
//! | leaving takes ten seconds in a cluster | being killed is as good: the log is what counts | [`RaftStore::close`] |
//! | the tasks of a client never end | they have a runtime of their own, which does | [`rungs_store_replica`] |
//! | a client notices the end of the leader when a call fails, and takes a second or more to find the next | the call is made again | [`writer`], [`reader`] |
//! | a client that finds voters but nobody who leads asks again at once, for as long as that is so | nothing can be done here: it takes a core | |
//! | it deletes its log where `HQL_DANGER_RAFT_STATE_RESET` is set | nothing can be done here: do not set it | |
//!
//! Read [`schema`] first, then [`batch`]: how preconditions are checked inside the replicated write.

mod batch;
mod config;
mod format;
mod head;
mod health;
mod reader;
mod schema;
mod start;
mod writer;

pub use config::{Config, ConfigError, Remote, Secrets, Sync, Tls, Voter, heartbeat};
pub use health::Ended;
pub use start::OpenError;

use head::HeadWatch;
use health::Health;
use reader::Reader;
use rungs_store::cluster::group::{GroupCommit, group_commit};
use rungs_store::cluster::{
    Answer, Changes, Commit, CommitError, Consistency, Head, Outcome, Page, ReadError, Revision, Row, RowId, Scan,
    Seen, Since, Store,
};
use rungs_store_replica::Replica;
use start::{Begun, Joining};
use std::fmt;
use std::fs::File;
use std::sync::{Mutex, PoisonError};
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
    health: Health,
    heartbeat: Duration,
    catch_up: Duration,
    head: HeadWatch,
    work: JoinSet<()>,
    // Of a voter; held until the store is dropped or the process ends.
    lock: Option<Mutex<Option<File>>>,
}

impl RaftStore {
    /// Starts this voter and waits until the store can be used, which needs a majority of the voters that have joined. One
    /// that is new uses the replicas of others until it has joined.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(config: Config, within: Duration) -> Result<Self, OpenError> {
        let until = Instant::now() + within;
        config.check()?;
        let lock = start::lock(&config.folder)?;
        let (kept_deletions, times) = (config.kept_deletions, [config.heartbeat, config.catch_up]);
        let begun = match start::start(config, until).await {
            Ok(Begun { replica, joining }) => {
                let store = Self::begin(replica, times, kept_deletions, until).await;
                store.map(|store| store.joining(joining))
            }
            Err(error) => Err(error),
        };
        match begun {
            Ok(store) => Ok(Self {
                lock: Some(Mutex::new(Some(lock))),
                ..store
            }),
            Err(error) => {
                // What was started goes on, and uses the folder until the process ends.
                std::mem::forget(lock);
                Err(error)
            }
        }
    }

    /// Goes over to the own replica when that takes part.
    fn joining(mut self, joining: Option<Joining>) -> Self {
        let Some(mut joining) = joining else {
            return self;
        };
        let (replica, health) = (self.replica.clone(), self.health.clone());
        self.work.spawn(async move {
            match joining.joined().await {
                Ok(here) => {
                    replica.is_now(&here);
                    tracing::info!("the replica of this voter takes part");
                }
                Err(error) => {
                    tracing::error!(%error, "the replica of this voter does not start");
                    health.does_not_start();
                }
            }
        });
        self
    }

    /// Uses the replicas of others: the store of a node that is no voter. Its local reads ask the leader, which answers
    /// without making sure that it leads.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn connect(remote: Remote, within: Duration) -> Result<Self, OpenError> {
        let until = Instant::now() + within;
        remote.check()?;
        let (kept_deletions, times) = (remote.kept_deletions, [remote.heartbeat, config::CATCH_UP]);
        let replica = start::connect(remote, until).await?;
        Self::begin(replica, times, kept_deletions, until).await
    }

    async fn begin(
        replica: Replica,
        [pace, catch_up]: [Duration; 2],
        kept_deletions: u64,
        until: Instant,
    ) -> Result<Self, OpenError> {
        format::bring_up(&replica, pace, until).await?;
        let health = Health::default();
        let reader = Reader::new(replica.clone(), health.clone(), pace);
        let (group, work) = group_commit(Writer::new(replica.clone(), reader.clone(), pace, kept_deletions));
        let (head, watching) = head::watch(reader.clone());
        let mut tasks = JoinSet::new();
        let behind = reader.clone();
        tasks.spawn(async move { behind.catch_up().await });
        tasks.spawn(work);
        tasks.spawn(watching);
        Ok(Self {
            replica,
            group,
            reader,
            health,
            heartbeat: pace,
            catch_up,
            head,
            work: tasks,
            lock: None,
        })
    }

    /// Whether a replica here answers: that of a voter which has joined.
    pub fn takes_part(&self) -> bool {
        self.replica.is_here()
    }

    /// The voter that leads, as far as this one knows.
    pub async fn leader(&self) -> Option<u64> {
        self.replica.leader().await
    }

    /// Returns when the replica of this voter has ended, which nothing else tells. The process should end then and be
    /// started anew; until then it is a voter less, and its local reads grow old. For a client it never returns.
    pub async fn ended(&self) -> Ended {
        if self.lock.is_none() {
            return std::future::pending().await;
        }
        self.health.ended(&self.reader, self.heartbeat, self.catch_up).await
    }

    /// Stops the replica of a voter; of a client there is nothing to stop. In a cluster this takes ten seconds, in which others may take the lead. A process that ends
    /// without it loses nothing, but builds its rows anew from the log when it starts.
    ///
    /// # Errors
    /// If it has not stopped by then.
    pub async fn close(&self) -> Result<(), OpenError> {
        self.replica.shutdown().await.map_err(OpenError::from)?;
        // Its folder can be used again, also while somebody still holds this.
        if let Some(lock) = &self.lock {
            drop(lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        Ok(())
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
