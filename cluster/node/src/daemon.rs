//! `rungs node`: a node from a configuration file, until it is told to stop.

use crate::builder::NodeBuilder;
use crate::node::Node;
use crate::stop::StopReason;
use anyhow::Context as _;
use futures::future::BoxFuture;
use rungs_cli::Launch;
use rungs_cli::config::{LogFormat, NodeConfig, StoreConfig};
use rungs_cli::interrupt::Interrupt;
use rungs_cli::local::LocalCluster;
use rungs_host::telemetry::{self, Telemetry};
use rungs_mesh::Listen;
use rungs_store::cluster::Store;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::AsyncReadExt;

/// Runs nodes for the command line.
#[derive(Debug)]
pub struct Daemon;

impl rungs_cli::RunNode for Daemon {
    fn run(&self, config: NodeConfig, launch: Launch) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(run(config, launch))
    }

    fn store(&self, cluster: StoreConfig) -> BoxFuture<'_, anyhow::Result<Arc<dyn Store>>> {
        Box::pin(async move { Ok(crate::store::connect(&cluster).await? as Arc<dyn Store>) })
    }

    fn voters(&self, dir: PathBuf, cluster: LocalCluster) -> BoxFuture<'_, anyhow::Result<Arc<dyn Store>>> {
        Box::pin(async move {
            let store = cluster.store(&dir).context("the cluster has a store")?;
            Ok(crate::store::open_voters(&dir, &store).await? as Arc<dyn Store>)
        })
    }
}

async fn run(config: NodeConfig, launch: Launch) -> anyhow::Result<()> {
    let format = match config.log_format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    let telemetry = Telemetry::install(format, &config.log)?;
    log_panics();
    let builder = NodeBuilder {
        data: config.data,
        listen: Some(launch.socket.map_or(Listen::At(config.listen), Listen::On)),
        members: config.members,
        store: config.store,
        agents: config.agents,
        allow_faults: config.allow_faults,
        telemetry: Some(telemetry),
        ..NodeBuilder::default()
    };
    let builder = builder.certificates(&config.certificates, &config.name)?;
    let mut interrupt = Interrupt::listen().context("cannot wait for signals")?;
    let end = async {
        tokio::select! {
            how = interrupt.received() => how,
            () = stdin_closed(), if launch.follow_stdin => "standard input closed",
        }
    };
    tokio::pin!(end);
    // A start may take long: the store has to be read. Whoever wants the node to end is heard all the same.
    let node = tokio::select! {
        node = builder.start() => node?,
        why = &mut end => anyhow::bail!("{why} before the node was up"),
    };
    tracing::info!(node = %node.name(), address = ?node.local_addr(), "node up");
    until_stopped(&node, end).await
}

/// Runs the node until it is to stop, and stops it. An error if it could not go on: the program is to fail, so that whoever
/// keeps it running starts it anew.
pub(crate) async fn until_stopped(node: &Node, end: impl Future<Output = &'static str>) -> anyhow::Result<()> {
    let why = tokio::select! {
        reason = node.stop_requested() => match reason {
            StopReason::Asked => "asked to stop",
            StopReason::Failed(_) => "it cannot go on",
        },
        why = end => why,
    };
    tracing::info!(why, "node stops");
    node.shutdown().await
}

/// A panic is one line of the log, at once: to print a backtrace, as the standard hook may, takes longer than a phase's
/// deadline, and the panic would be told as a stall.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, message, "panic");
    }));
}

/// Whoever started the node holds the other end; when that process ends, however it ends, so does the node.
async fn stdin_closed() {
    let mut byte = [0_u8; 64];
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut byte).await.is_ok_and(|read| read > 0) {}
}
