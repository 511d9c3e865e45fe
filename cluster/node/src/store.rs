//! The node's way to the store of its cluster: as one of its voters, with a replica in the data folder, or as a client. A
//! node that was told of no store has one of its own, whose only voter it is.

mod moved;

use anyhow::Context as _;
use futures::future::BoxFuture;
use rungs_cli::config::StoreConfig;
use rungs_cli::local::node_home;
use rungs_cli::store::{OwnStore, REPLICA_FOLDER, StoreSecrets};
use rungs_store::cluster::limits::KEPT_DELETIONS;
use rungs_store::cluster::{Consistency, RowId, Store as _, TableId};
use rungs_store_raft::{Config, OpenError, RaftStore, Remote, Secrets, Tls, Voter};
use rungs_types::NodeName;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long the store may take to be ready: it may have to read its whole log, and other voters may have to start.
const OPEN_WITHIN: Duration = Duration::from_secs(60);

/// A store that has not answered for so long is taken to be lost, by a node that stops anyway.
const LOST_AFTER: Duration = Duration::from_secs(2);
/// How often that is looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(500);

/// What the node is to its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The only voter of it.
    Alone,
    /// One voter of several.
    Voter,
    /// It holds no replica.
    Client,
}

/// The store, open.
#[derive(Debug)]
pub(crate) struct OpenStore {
    pub(crate) store: Arc<RaftStore>,
    part: Part,
}

impl OpenStore {
    /// Returns when the store does not answer any more, as where most voters have stopped.
    pub(crate) async fn lost(&self) {
        // Any row will do.
        let row = || RowId::new(TableId::FIRST_FREE, Vec::new());
        while self.store.get(row(), Consistency::Consistent, LOST_AFTER).await.is_ok() {
            tokio::time::sleep(LOOK_PERIOD).await;
        }
    }

    /// Stops the replica, if it is the only one. Of several, one that is just gone loses as little and is missed for a
    /// shorter time than one that takes its leave.
    pub(crate) async fn close(&self) {
        if self.part != Part::Alone {
            return;
        }
        if let Err(error) = self.store.close().await {
            // Nothing is lost: the next start reads the log.
            tracing::warn!(%error, "the store was not closed in order");
        }
    }
}

/// Opens the store of a node.
pub(crate) fn open<'a>(
    node: &'a NodeName,
    data: &'a Path,
    cluster: Option<&'a StoreConfig>,
) -> BoxFuture<'a, anyhow::Result<OpenStore>> {
    Box::pin(async move {
        match cluster {
            Some(cluster) => open_clusters(node, data, cluster).await,
            None => open_own(data).await,
        }
    })
}

async fn open_clusters(node: &NodeName, data: &Path, cluster: &StoreConfig) -> anyhow::Result<OpenStore> {
    let secrets = secrets(&StoreSecrets::read(&cluster.secrets).context("the secrets of the store")?);
    let before = moved::Before::take(data, node, cluster)?;
    let opened = match cluster.place_of(node) {
        Some(place) => {
            let config = Config {
                tls: cluster.tls.as_ref().map(|tls| Tls {
                    certificate: tls.certificate.clone(),
                    key: tls.key.clone(),
                }),
                ..Config::new(data.join(REPLICA_FOLDER), number(place), voters(cluster), secrets)
            };
            let part = match cluster.voters.len() {
                1 => Part::Alone,
                _ => Part::Voter,
            };
            (part, RaftStore::open(config, OPEN_WITHIN).await)
        }
        None => (
            Part::Client,
            RaftStore::connect(remote(cluster, secrets), OPEN_WITHIN).await,
        ),
    };
    let (part, store) = opened;
    let store = Arc::new(store.map_err(|error| explain(error, node, cluster))?);
    if let Some(before) = before {
        before.bring_into(&store).await?;
    }
    tracing::info!(part = ?part, "the store is open");
    Ok(OpenStore { store, part })
}

async fn open_own(data: &Path) -> anyhow::Result<OpenStore> {
    let own = match OwnStore::read(data)? {
        Some(own) => own,
        None => OwnStore::choose(data)?,
    };
    let (store, part) = (open_alone(&own, &data.join(REPLICA_FOLDER)).await?, Part::Alone);
    Ok(OpenStore {
        store: Arc::new(store),
        part,
    })
}

/// The store of a cluster that runs, for a program that is no node of it.
pub(crate) async fn connect(cluster: &StoreConfig) -> anyhow::Result<Arc<RaftStore>> {
    let secrets = secrets(&StoreSecrets::read(&cluster.secrets).context("the secrets of the store")?);
    let store = RaftStore::connect(remote(cluster, secrets), OPEN_WITHIN).await;
    let store = store.context("the store of the cluster is not reached; does a majority of its voters run?")?;
    Ok(Arc::new(store))
}

/// All voters of a local cluster, in this process; the way to the store by the first. The others live until it ends.
pub(crate) async fn open_voters(dir: &Path, cluster: &StoreConfig) -> anyhow::Result<Arc<RaftStore>> {
    let secrets = secrets(&StoreSecrets::read(&cluster.secrets).context("the secrets of the store")?);
    let opened = cluster.voters.iter().enumerate().map(|(place, voter)| {
        let folder = node_home(dir, &voter.node).join("data").join(REPLICA_FOLDER);
        let config = Config::new(folder, number(place), voters(cluster), secrets.clone());
        RaftStore::open(config, OPEN_WITHIN)
    });
    let mut opened = futures::future::try_join_all(opened).await?.into_iter();
    let first = opened.next().context("a store has a voter")?;
    opened.for_each(std::mem::forget);
    Ok(Arc::new(first))
}

/// Opens a store whose only voter this node is.
async fn open_alone(own: &OwnStore, folder: &Path) -> anyhow::Result<RaftStore> {
    let voter = Voter {
        id: 1,
        replica: own.replica,
        client: own.client,
    };
    let config = Config::new(folder.to_owned(), 1, vec![voter], secrets(&own.secrets()));
    let store = RaftStore::open(config, OPEN_WITHIN).await;
    store.with_context(|| format!("cannot open the store in {}", folder.display()))
}

fn voters(cluster: &StoreConfig) -> Vec<Voter> {
    let voters = cluster.voters.iter().enumerate();
    let voters = voters.map(|(place, voter)| Voter {
        id: number(place),
        replica: voter.replica,
        client: voter.client,
    });
    voters.collect()
}

/// Voters are numbered from 1.
fn number(place: usize) -> u64 {
    place as u64 + 1
}

fn remote(cluster: &StoreConfig, secrets: Secrets) -> Remote {
    Remote {
        voters: cluster.voters.iter().map(|voter| voter.client).collect(),
        secret: secrets.client,
        tls: cluster.is_encrypted(),
        heartbeat: rungs_store_raft::heartbeat(cluster.voters.len()),
        kept_deletions: KEPT_DELETIONS,
    }
}

fn secrets(secrets: &StoreSecrets) -> Secrets {
    Secrets {
        replica: secrets.replica_secret.clone(),
        client: secrets.client_secret.clone(),
    }
}

/// Says who has to be there.
fn explain(error: OpenError, node: &NodeName, cluster: &StoreConfig) -> anyhow::Error {
    let voters = cluster
        .voters
        .iter()
        .map(|voter| format!("{} at {}", voter.node, voter.client));
    let voters = voters.collect::<Vec<_>>().join(", ");
    let needed = cluster.voters.len() / 2 + 1;
    let text = match error {
        OpenError::NoMajority => format!("{node} waited for {needed} of the store's voters: {voters}"),
        _ => format!("cannot open the store of {voters}"),
    };
    anyhow::Error::new(error).context(text)
}
