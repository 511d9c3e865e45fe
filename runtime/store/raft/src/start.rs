//! Starting a voter, in one place.

use crate::config::{Config, ConfigError, Remote, Sync};
use rungs_store::cluster::format::NewerFormat;
use rungs_store_replica::{Error, LogSync, Node, NodeConfig, Replica, ServerTlsConfig, ServerTlsConfigCerts};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// Size of the files of the log. Each entry must fit into one: batches have a megabyte, and their statements.
const LOG_FILE_BYTES: u32 = 64 * 1024 * 1024;
/// An election begins when the leader was silent for this many heartbeats, at least and at most.
const ELECTION_HEARTBEATS: [u64; 2] = [3, 6];

const LOCK_FILE: &str = "LOCK";

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another process, or another store of this one, uses the folder.
    #[error("{} is in use", .0.display())]
    InUse(PathBuf),
    /// The folder cannot be used.
    #[error("{}: {source}", .path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A newer program wrote it.
    #[error(transparent)]
    Newer(#[from] NewerFormat),
    /// A majority of the voters was not there in time. What was started goes on in this process: only another one can try
    /// again with this folder.
    #[error("a majority of the voters was not there in time")]
    NoMajority,
    /// The replica says no.
    #[error("the replica: {0}")]
    Replica(String),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        Self::Replica(error.to_string())
    }
}

/// Makes the folder and locks it for as long as the result lives.
pub(crate) fn lock(folder: &Path) -> Result<File, OpenError> {
    let failed = |path: &Path, source| OpenError::Folder {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let path = folder.join(LOCK_FILE);
    let options = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = options.map_err(|error| failed(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(&path, error)),
    }
}

/// Starts the replica and waits until somebody leads.
pub(crate) async fn start(config: Config, until: Instant) -> Result<Replica, OpenError> {
    wait_for(rungs_store_replica::start(node_config(config)?), until).await
}

/// Finds the replicas and waits until somebody leads.
pub(crate) async fn connect(remote: Remote, until: Instant) -> Result<Replica, OpenError> {
    let addresses = remote.voters.iter().map(ToString::to_string).collect();
    wait_for(
        rungs_store_replica::connect(addresses, remote.tls, remote.secret),
        until,
    )
    .await
}

async fn wait_for(start: rungs_store_replica::Answer<'static, Replica>, until: Instant) -> Result<Replica, OpenError> {
    let mut starting = JoinSet::new();
    // A task of its own: what is wrong at the start is a panic more often than an error.
    starting.spawn(start);
    match timeout_at(until, starting.join_next()).await {
        Ok(Some(Ok(replica))) => Ok(replica?),
        Ok(Some(Err(panic))) => Err(OpenError::Replica(panic.to_string())),
        Ok(None) => unreachable!("one task was started"),
        Err(_) => Err(OpenError::NoMajority),
    }
}

fn node_config(config: Config) -> Result<NodeConfig, OpenError> {
    let this = config.voters.iter().find(|voter| voter.id == config.this);
    let Some(this) = this.cloned() else {
        return Err(ConfigError::Voters { this: config.this }.into());
    };
    let nodes = config.voters.iter().map(|voter| Node {
        id: voter.id,
        addr_raft: voter.replica.to_string(),
        addr_api: voter.client.to_string(),
    });
    let tls = config.tls.as_ref().map(|tls| {
        let (key, certificate) = (tls.key.display().to_string(), tls.certificate.display().to_string());
        ServerTlsConfig::Specific(ServerTlsConfigCerts::new(key, certificate))
    });
    let heartbeat_ms = u64::try_from(config.heartbeat.as_millis()).unwrap_or(u64::MAX);
    let mut raft_config = NodeConfig::default_raft_config(config.entries_until_copy);
    raft_config.heartbeat_interval = heartbeat_ms;
    raft_config.max_in_snapshot_log_to_keep = config.entries_until_copy;
    [raft_config.election_timeout_min, raft_config.election_timeout_max] =
        ELECTION_HEARTBEATS.map(|heartbeats| heartbeats * heartbeat_ms);
    Ok(NodeConfig {
        node_id: config.this,
        nodes: nodes.collect(),
        listen_addr_api: host(this.client).into(),
        listen_addr_raft: host(this.replica).into(),
        data_dir: config.folder.display().to_string().into(),
        wal_sync: match config.sync {
            Sync::AtOnce => LogSync::Immediate,
            Sync::Every(time) => LogSync::IntervalMillis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        },
        wal_size: LOG_FILE_BYTES,
        raft_config,
        tls_raft: tls.clone(),
        tls_api: tls,
        secret_raft: config.secrets.replica,
        secret_api: config.secrets.client,
        // It is for load balancers, which this has none of.
        health_check_delay: Duration::ZERO,
        ..NodeConfig::default()
    })
}

/// The address without its port, which is put behind it again.
fn host(address: std::net::SocketAddr) -> String {
    match address {
        std::net::SocketAddr::V4(address) => address.ip().to_string(),
        std::net::SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

/// Waits until somebody else leads.
pub(crate) async fn another_leads(replica: &Replica, before: Option<u64>, pace: Duration) {
    loop {
        sleep(pace).await;
        let now = replica.leader().await;
        if now.is_some() && now != before {
            return;
        }
    }
}
