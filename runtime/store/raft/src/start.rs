//! Starting a voter, in one place.
//!
//! A new voter of a cluster joins it one step a second, and the one that leads waits five seconds for another to do so. So
//! it uses the replicas of others until its own takes part. One that took part before is in the log with its addresses, and
//! is started as if it were alone: it has nothing to join, nor anything to wait for but an election.

use crate::config::{Config, ConfigError, Remote, Sync};
use rungs_store::cluster::format::NewerFormat;
use rungs_store_replica::{Error, LogSync, Node, NodeConfig, Replica, ServerTlsConfig, ServerTlsConfigCerts};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

/// Size of the files of the log. Each entry must fit into one: batches have a megabyte, and their statements.
const LOG_FILE_BYTES: u32 = 64 * 1024 * 1024;
/// An election begins when the leader was silent for this many heartbeats, at least and at most.
const ELECTION_HEARTBEATS: [u64; 2] = [3, 6];

const LOCK_FILE: &str = "LOCK";
/// Is there when the voter has taken part in its cluster.
const JOINED_FILE: &str = "JOINED";
/// Where the log is.
const LOG_FOLDER: &str = "logs";

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

/// A voter at work.
pub(crate) struct Begun {
    pub(crate) replica: Replica,
    /// Its own replica, if that does not take part yet.
    pub(crate) joining: Option<Joining>,
}

/// A replica on its way into its cluster.
pub(crate) struct Joining {
    start: JoinSet<Result<Replica, Error>>,
    /// When it has started.
    here: Option<Replica>,
    folder: PathBuf,
    this: u64,
    nodes: Vec<Node>,
    tls: bool,
    secret: String,
}

/// Starts the replica and waits until somebody leads.
pub(crate) async fn start(config: Config, until: Instant) -> Result<Begun, OpenError> {
    let folder = config.folder.clone();
    if config.voters.len() == 1 || has_joined(&folder) {
        let alone = node_config(Config {
            voters: config
                .voters
                .into_iter()
                .filter(|voter| voter.id == config.this)
                .collect(),
            ..config
        })?;
        let replica = wait_for(rungs_store_replica::start(alone), until).await?;
        let joining = None;
        return Ok(Begun { replica, joining });
    }
    let others = connect(remote(&config), until);
    let mut joining = Joining {
        start: JoinSet::new(),
        here: None,
        folder,
        this: config.this,
        nodes: nodes(&config),
        tls: config.tls.is_some(),
        secret: config.secrets.client.clone(),
    };
    joining.start.spawn(rungs_store_replica::start(node_config(config)?));
    tokio::select! {
        joined = joining.joined() => Ok(Begun { replica: joined?, joining: None }),
        replica = others => Ok(Begun { replica: replica?, joining: Some(joining) }),
    }
}

impl Joining {
    /// The replica, when it takes part. May be dropped, and waited for again.
    pub(crate) async fn joined(&mut self) -> Result<Replica, OpenError> {
        let replica = match &self.here {
            Some(replica) => replica.clone(),
            None => self.here.insert(started(self.start.join_next().await)?).clone(),
        };
        let (this, others): (Vec<Node>, Vec<Node>) = self.nodes.iter().cloned().partition(|node| node.id == self.this);
        for this in this {
            let (others, secret) = (others.clone(), self.secret.clone());
            replica.vote(this, others, self.tls, secret).await?;
        }
        let path = self.folder.join(JOINED_FILE);
        if let Err(error) = fs::write(&path, []) {
            // The next start takes longer, and that is all.
            tracing::warn!(%error, path = %path.display(), "it is not kept that the voter takes part");
        }
        Ok(replica)
    }
}

/// Without its log a voter joins again, which the others have to know.
fn has_joined(folder: &Path) -> bool {
    let mut log = fs::read_dir(folder.join(LOG_FOLDER)).into_iter().flatten();
    folder.join(JOINED_FILE).exists() && log.next().is_some()
}

/// The way to all voters, as a client.
pub(crate) fn remote(config: &Config) -> Remote {
    Remote {
        voters: config.voters.iter().map(|voter| voter.client).collect(),
        secret: config.secrets.client.clone(),
        tls: config.tls.is_some(),
        heartbeat: config.heartbeat,
        kept_deletions: config.kept_deletions,
    }
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
        Ok(ended) => started(ended),
        Err(_) => Err(OpenError::NoMajority),
    }
}

fn started(ended: Option<Result<Result<Replica, Error>, JoinError>>) -> Result<Replica, OpenError> {
    match ended {
        Some(Ok(replica)) => Ok(replica?),
        Some(Err(panic)) => Err(OpenError::Replica(panic.to_string())),
        // It was asked for before, and has ended then.
        None => Err(OpenError::Replica("it is not starting".to_owned())),
    }
}

pub(crate) fn node_config(config: Config) -> Result<NodeConfig, OpenError> {
    let this = config.voters.iter().find(|voter| voter.id == config.this);
    let Some(this) = this.cloned() else {
        return Err(ConfigError::Voters { this: config.this }.into());
    };
    let nodes = nodes(&config);
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
        nodes,
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

fn nodes(config: &Config) -> Vec<Node> {
    let voters = config.voters.iter().map(|voter| Node {
        id: voter.id,
        addr_raft: voter.replica.to_string(),
        addr_api: voter.client.to_string(),
    });
    voters.collect()
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
