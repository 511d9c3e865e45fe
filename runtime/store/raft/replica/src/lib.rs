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
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::runtime::{self, Runtime};

/// How often others are asked for a vote.
const VOTE_PACE: Duration = Duration::from_secs(1);
/// How long one of them may take to give it: all voters have to know of it.
const VOTE_TIMEOUT: Duration = Duration::from_secs(10);

/// What every function here returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;
/// A statement and its parameters.
pub type Statement = (Cow<'static, str>, Vec<Param>);

/// A running replica, or a way to those of others; cheap to clone. A replica runs until it is shut down or the process ends.
#[derive(Clone)]
pub struct Replica {
    place: Arc<RwLock<Place>>,
}

/// Who answers.
enum Place {
    Here(Client),
    /// The others, over links that end with the runtime.
    Elsewhere {
        client: Client,
        _links: Links,
    },
}

/// What a way to others runs on: its tasks have no other end.
struct Links(Option<Runtime>);

impl Links {
    fn new() -> Result<Self, Error> {
        let builder = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store links")
            .enable_all()
            .build();
        let runtime = builder.map_err(|error| Error::Error(Cow::Owned(error.to_string())))?;
        Ok(Self(Some(runtime)))
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // It may be dropped where nothing may wait.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
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
        Ok(Replica::at(Place::Here(client)))
    })
}

/// Finds the replicas of others, by the addresses of some, and waits until somebody leads.
pub fn connect(addresses: Vec<String>, tls: bool, secret: String) -> Answer<'static, Replica> {
    Box::pin(async move {
        let links = Links::new()?;
        let Some(runtime) = &links.0 else {
            unreachable!("it was just made");
        };
        let connecting = runtime.spawn(Client::remote(addresses, tls, false, secret, false, None));
        let client = connecting.await;
        let client = client.map_err(|panic| Error::Error(Cow::Owned(panic.to_string())))??;
        Ok(Replica::at(Place::Elsewhere { client, _links: links }))
    })
}

impl Replica {
    fn at(place: Place) -> Self {
        let place = Arc::new(RwLock::new(place));
        Self { place }
    }

    fn client(&self) -> (Client, bool) {
        match &*self.place.read().unwrap_or_else(PoisonError::into_inner) {
            Place::Here(client) => (client.clone(), true),
            Place::Elsewhere { client, .. } => (client.clone(), false),
        }
    }

    /// From now on the replica here answers instead of others. What these were asked and have not answered fails.
    pub fn is_now(&self, here: &Self) {
        let (client, _) = here.client();
        *self.place.write().unwrap_or_else(PoisonError::into_inner) = Place::Here(client);
    }

    /// Makes the replica here a voter, if it only learns: one that was killed between the two goes on learning for ever, and
    /// counts for nobody. Returns when it votes; until then each of the others, one of whom leads, is asked every second.
    pub fn vote(&self, this: Node, others: Vec<Node>, tls: bool, secret: String) -> Answer<'static, ()> {
        let (client, _) = self.client();
        Box::pin(async move {
            while !votes(&client, this.id).await? {
                for other in &others {
                    // Whoever does not lead refuses.
                    drop(ask_for_vote(&this, other, tls, &secret).await);
                }
                tokio::time::sleep(VOTE_PACE).await;
            }
            Ok(())
        })
    }

    /// Whether it is a replica here that answers.
    pub fn is_here(&self) -> bool {
        self.client().1
    }

    /// Runs statements as one transaction, an entry of the log, and tells how many rows each changed or returned.
    pub fn transaction(&self, statements: Vec<Statement>) -> Answer<'_, Vec<Result<usize, Error>>> {
        let (client, _) = self.client();
        Box::pin(async move { client.txn(statements).await })
    }

    /// Asks this replica, or the leader if there is none here.
    pub fn query(&self, sql: Cow<'static, str>, parameters: Vec<Param>) -> Answer<'_, Vec<Row<'static>>> {
        let (client, _) = self.client();
        Box::pin(async move { owned(client.query_raw(sql, parameters).await?) })
    }

    /// Asks the leader, after it has made sure that it leads.
    pub fn query_leader(&self, sql: Cow<'static, str>, parameters: Vec<Param>) -> Answer<'_, Vec<Row<'static>>> {
        let (client, _) = self.client();
        Box::pin(async move { owned(client.query_consistent(sql, parameters).await?) })
    }

    /// Who leads, as far as this replica knows; without one here nobody knows.
    pub fn leader(&self) -> Pin<Box<dyn Future<Output = Option<u64>> + Send + '_>> {
        let (client, is_here) = self.client();
        Box::pin(async move {
            // Elsewhere it would be a request, to a leader that perhaps lives no more.
            let known = is_here.then(|| client.metrics_db());
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
        ended && self.client().0.is_leader_db().await
    }

    /// Stops it, if it is here. In a cluster this takes ten seconds.
    pub fn shutdown(&self) -> Answer<'_, ()> {
        let (client, is_here) = self.client();
        Box::pin(async move {
            match is_here {
                true => client.shutdown().await,
                false => Ok(()),
            }
        })
    }
}

async fn votes(client: &Client, this: u64) -> Result<bool, Error> {
    let metrics = client.metrics_db().await?;
    Ok(metrics.membership_config.voter_ids().any(|voter| voter == this))
}

async fn ask_for_vote(this: &Node, other: &Node, tls: bool, secret: &str) -> Result<(), reqwest::Error> {
    let scheme = if tls { "https" } else { "http" };
    let url = format!("{scheme}://{}/cluster/become_member/sqlite", other.addr_api);
    let (id, api, raft) = (this.id, &this.addr_api, &this.addr_raft);
    let request = reqwest::Client::builder()
        .timeout(VOTE_TIMEOUT)
        .build()?
        .post(url)
        .header("X-API-SECRET", secret)
        .header("Content-Type", "application/json")
        .body(format!(r#"{{"node_id":{id},"addr_api":"{api}","addr_raft":"{raft}"}}"#));
    request.send().await?.error_for_status()?;
    Ok(())
}

/// The rows, none of which borrows anything.
fn owned(rows: Vec<Row<'_>>) -> Result<Vec<Row<'static>>, Error> {
    let owned = rows.into_iter().map(|row| match row {
        Row::Owned(row) => Ok(Row::Owned(row)),
        Row::Borrowed(_) => Err(Error::Error(Cow::Borrowed("a row that borrows"))),
    });
    owned.collect()
}
