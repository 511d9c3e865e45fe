//! hiqlite behind boxed functions, and nothing else.
//!
//! Its functions are generic or asynchronous: the whole of the Raft, of its network and of its database is compiled where
//! they are called, again for each crate and for each test of it, which takes a minute. They are called here, in a crate
//! that seldom changes, and `rungs-store-raft`, which does, compiles in seconds.

pub use hiqlite::tls::{ServerTlsConfig, ServerTlsConfigCerts};
pub use hiqlite::{Error, LogSync, Node, NodeConfig, Param, Row};

use hiqlite::Client;
use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;

/// What every function here returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;
/// A statement and its parameters.
pub type Statement = (Cow<'static, str>, Vec<Param>);

/// A running replica, or a way to those of others; cheap to clone. It runs until it is shut down or the process ends.
#[derive(Clone)]
pub struct Replica {
    client: Client,
    is_here: bool,
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica").finish_non_exhaustive()
    }
}

/// Starts a replica. What is wrong panics more often than it is an error.
pub fn start(config: NodeConfig) -> Answer<'static, Replica> {
    Box::pin(async {
        let client = hiqlite::start_node(config).await?;
        let is_here = true;
        Ok(Replica { client, is_here })
    })
}

/// Finds the replicas of others, by the addresses of some, and waits until somebody leads.
pub fn connect(addresses: Vec<String>, tls: bool, secret: String) -> Answer<'static, Replica> {
    Box::pin(async move {
        let client = Client::remote(addresses, tls, false, secret, false, None).await?;
        let is_here = false;
        Ok(Replica { client, is_here })
    })
}

impl Replica {
    /// Runs statements as one transaction, an entry of the log, and tells how many rows each changed or returned.
    pub fn transaction(&self, statements: Vec<Statement>) -> Answer<'_, Vec<Result<usize, Error>>> {
        Box::pin(self.client.txn(statements))
    }

    /// Asks this replica, or the leader if there is none here.
    pub fn query(&self, sql: Cow<'static, str>, parameters: Vec<Param>) -> Answer<'_, Vec<Row<'static>>> {
        Box::pin(async { owned(self.client.query_raw(sql, parameters).await?) })
    }

    /// Asks the leader, after it has made sure that it leads.
    pub fn query_leader(&self, sql: Cow<'static, str>, parameters: Vec<Param>) -> Answer<'_, Vec<Row<'static>>> {
        Box::pin(async { owned(self.client.query_consistent(sql, parameters).await?) })
    }

    /// Who leads, as far as this replica knows; without one here nobody knows.
    pub fn leader(&self) -> Pin<Box<dyn Future<Output = Option<u64>> + Send + '_>> {
        Box::pin(async {
            // Elsewhere it would be a request, to a leader that perhaps lives no more.
            let known = self.is_here.then(|| self.client.metrics_db());
            known?.await.ok()?.current_leader
        })
    }

    /// Whether the replica here has ended, by an error that it gave as the leader, which it is for ever to itself.
    pub async fn has_ended(&self, error: &Error) -> bool {
        let ended = match error {
            Error::RaftErrorFatal(_) => true,
            Error::RaftError(error) => error.fatal().is_some(),
            Error::ClientWriteError(error) => error.fatal().is_some(),
            Error::CheckIsLeaderError(error) => error.fatal().is_some(),
            _ => false,
        };
        ended && self.client.is_leader_db().await
    }

    /// Stops it, if it is here. In a cluster this takes ten seconds.
    pub fn shutdown(&self) -> Answer<'_, ()> {
        Box::pin(self.client.shutdown())
    }
}

/// The rows, none of which borrows anything.
fn owned(rows: Vec<Row<'_>>) -> Result<Vec<Row<'static>>, Error> {
    let owned = rows.into_iter().map(|row| match row {
        Row::Owned(row) => Ok(Row::Owned(row)),
        Row::Borrowed(_) => Err(Error::Error(Cow::Borrowed("a row that borrows"))),
    });
    owned.collect()
}
