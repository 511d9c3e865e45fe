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

/// A running replica, cheap to clone. It runs until it is shut down or the process ends.
#[derive(Clone)]
pub struct Replica(Client);

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica").finish_non_exhaustive()
    }
}

/// Starts a replica. What is wrong panics more often than it is an error.
pub fn start(config: NodeConfig) -> Answer<'static, Replica> {
    Box::pin(async { hiqlite::start_node(config).await.map(Replica) })
}

impl Replica {
    /// Runs statements as one transaction, an entry of the log, and tells how many rows each changed or returned.
    pub fn transaction(&self, statements: Vec<Statement>) -> Answer<'_, Vec<Result<usize, Error>>> {
        Box::pin(self.0.txn(statements))
    }

    /// Asks this replica.
    pub fn query(&self, sql: Cow<'static, str>, parameters: Vec<Param>) -> Answer<'_, Vec<Row<'static>>> {
        Box::pin(async { owned(self.0.query_raw(sql, parameters).await?) })
    }

    /// Asks the leader, after it has made sure that it leads.
    pub fn query_leader(&self, sql: Cow<'static, str>, parameters: Vec<Param>) -> Answer<'_, Vec<Row<'static>>> {
        Box::pin(async { owned(self.0.query_consistent(sql, parameters).await?) })
    }

    /// Who leads, as far as this replica knows.
    pub fn leader(&self) -> Pin<Box<dyn Future<Output = Option<u64>> + Send + '_>> {
        Box::pin(async { self.0.metrics_db().await.ok()?.current_leader })
    }

    /// Stops it. In a cluster this takes ten seconds.
    pub fn shutdown(&self) -> Answer<'_, ()> {
        Box::pin(self.0.shutdown())
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
