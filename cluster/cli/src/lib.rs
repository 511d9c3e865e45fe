//! The command line: what `rungs` does for each of its commands.
//!
//! It owns arguments, the configuration file, local clusters on disk, the live view, replays and benchmarks. It does not
//! assemble nodes: the program that contains it does, behind [`RunNode`].
//!
//! Start reading at [`args`] (what can be typed), then [`up`] (the local cluster).

pub mod args;
mod backup;
pub mod bench;
pub mod config;
pub mod interrupt;
pub mod join;
pub mod local;
pub mod plot;
pub mod replay;
pub mod store;
pub mod up;

use anyhow::Context as _;
use args::{Arguments, Cert, Command, Connect};
use clap::{CommandFactory, Parser};
use config::{ConfigError, NodeConfig, StoreConfig};
use futures::future::BoxFuture;
use local::LocalCluster;
use rungs_mesh::Ca;
use rungs_shell::table::Style;
use rungs_shell::{Options, Session, ShellError};
use rungs_store::cluster::Store;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Bad usage.
const EXIT_USAGE: u8 = 2;
/// The command failed.
const EXIT_FAILED: u8 = 1;

/// Runs a node: the assembly, which is above this crate.
pub trait RunNode: Send + Sync {
    /// Runs until the node is told to stop.
    fn run(&self, config: NodeConfig, launch: Launch) -> BoxFuture<'_, anyhow::Result<()>>;

    /// The store of a cluster that runs, as a client of its voters.
    fn store(&self, cluster: StoreConfig) -> BoxFuture<'_, anyhow::Result<Arc<dyn Store>>>;

    /// The store of a local cluster that does not run: all its voters in this process, which should end soon after.
    fn voters(&self, dir: PathBuf, cluster: LocalCluster) -> BoxFuture<'_, anyhow::Result<Arc<dyn Store>>>;
}

/// How a node process was started, beside its configuration.
#[derive(Debug, Default)]
pub struct Launch {
    /// It ends when its standard input does.
    pub follow_stdin: bool,
    /// The socket it was given; without it, it listens where the configuration says.
    pub socket: Option<std::net::TcpListener>,
}

/// The whole program.
pub fn main(arguments: impl IntoIterator<Item = OsString>, nodes: &dyn RunNode) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed standard output leaves nobody to tell.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { 0 });
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.context("cannot start the runtime").and_then(|runtime| {
        let result = runtime.block_on(run(arguments.command, nodes));
        // Reads of the standard input cannot be interrupted; they must not keep the program.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match error.downcast_ref::<ShellError>() {
                Some(error) => eprintln!("{}", error.line()),
                None => eprintln!("error: {error:#}"),
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(error) = error.downcast_ref::<ShellError>() {
        return error.exit_code();
    }
    match error.downcast_ref::<ConfigError>() {
        Some(error) if error.is_usage() => EXIT_USAGE,
        _ => EXIT_FAILED,
    }
}

async fn run(command: Command, nodes: &dyn RunNode) -> anyhow::Result<()> {
    match command {
        Command::Up(up) => up::run(up).await,
        Command::Node(node) => {
            let config = NodeConfig::load(&node.config, std::env::vars(), &node.settings)?;
            if node.check {
                rungs_mesh::Identity::load(&config.certificates, &config.name).with_context(|| {
                    let (dir, name) = (config.certificates.display(), &config.name);
                    format!(
                        "no certificate; make one with `rungs cert init --dir {dir}`, once for the cluster, and \
                         `rungs cert issue --dir {dir} --name {name} --role voter`"
                    )
                })?;
                print!("{}", config.to_toml());
                return Ok(());
            }
            let socket = node.socket_on_stdin.then(|| up::socket::receive(std::io::stdin()));
            let launch = Launch {
                follow_stdin: node.follow_stdin,
                socket: socket
                    .transpose()
                    .context("no listening socket on the standard input")?,
            };
            nodes.run(config, launch).await
        }
        Command::Shell(connect) => shell(connect).await,
        Command::Exec(exec) => run_one(&exec.command, &exec.connect).await,
        Command::Qualify(qualify) => {
            let line = format!("qualify {} {}", qualify.agent, qualify.level);
            run_one(&line, &qualify.connect).await
        }
        Command::Replay(replay) => tokio::task::block_in_place(|| replay::run(&replay)),
        Command::Bench(bench) => bench::run(bench).await,
        Command::BenchChild(child) => bench::child(child).await,
        Command::Backup(arguments) => backup::make(arguments, nodes).await,
        Command::Restore(arguments) => backup::take_back(arguments, nodes).await,
        Command::Cert(cert) => cert_command(cert),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "rungs", &mut std::io::stdout());
            Ok(())
        }
    }
}

/// Runs one command of the shell.
async fn run_one(command: &str, connect: &Connect) -> anyhow::Result<()> {
    let joined = join::join(&connect.data, connect.connect, true).await?;
    let mut session = Session::new(joined.router.clone(), options(connect));
    let result = session.run(command, &mut std::io::stdout()).await;
    joined.leave().await;
    Ok(result.map(drop)?)
}

async fn shell(connect: Connect) -> anyhow::Result<()> {
    let joined = join::join(&connect.data, connect.connect, true).await?;
    let mut session = Session::new(joined.router.clone(), options(&connect));
    let result = rungs_shell::repl::run(&mut session, Some(&connect.data.join("history"))).await;
    joined.leave().await;
    Ok(result?)
}

fn options(connect: &Connect) -> Options {
    Options {
        style: Style::of_output(),
        json: connect.json,
        yes: connect.yes,
    }
}

fn cert_command(cert: Cert) -> anyhow::Result<()> {
    match cert {
        Cert::Init { dir } => {
            let ca = Ca::create_or_load(&dir)?;
            println!("certificate authority of cluster {} in {}", ca.cluster(), dir.display());
            let secrets = dir.join(local::SECRETS_FILE);
            if !secrets.exists() {
                store::StoreSecrets::choose()?.keep(&secrets)?;
            }
            println!("secrets of its store in {}", secrets.display());
        }
        Cert::Issue { dir, name, roles, days } => {
            let validity = Duration::from_secs(u64::from(days) * 24 * 3600);
            Ca::load(&dir)?.issue_for(&name, &roles, validity)?.save(&dir)?;
            let nodes = dir.join("nodes");
            println!(
                "certificate and key of {name} in {}, valid for {days} days",
                nodes.display()
            );
        }
    }
    Ok(())
}
