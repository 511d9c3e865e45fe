//! The node processes of a local cluster: started, watched, started again, ended.
//!
//! Invariants:
//! 1. A node never outlives its `up`: its standard input is a socket from here, and it ends when that closes, however
//!    `up` ends.
//! 2. A node's port is taken from before its first start until it is left alone, also while no process of it runs: the
//!    listening socket is made here and given to each start of the node (see [`super::socket`]).

use super::socket;
use rungs_types::NodeName;
use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Starts of one node within [`RESTART_WINDOW`] after which it is left alone.
pub const MAX_RESTARTS: usize = 5;
/// See [`MAX_RESTARTS`].
pub const RESTART_WINDOW: Duration = Duration::from_secs(60);
/// Between the end of a node and its next start.
pub const RESTART_DELAY: Duration = Duration::from_secs(1);
/// How long a node may take to end by itself before it is killed.
pub const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// Largest log file of a node that is kept from before; a larger one is begun anew.
const MAX_LOG_BYTES: u64 = 16 * 1024 * 1024;

/// The file in a node's folder that has its output.
pub const NODE_LOG: &str = "node.log";
/// How much of the end of a log is searched for its last line.
const TAIL_BYTES: u64 = 8 * 1024;
/// Longest last line that is shown, in characters.
const MAX_LAST_CHARS: usize = 300;

/// What is needed to run a node.
#[derive(Debug)]
pub struct NodeProcess {
    /// Which node.
    pub node: NodeName,
    /// Its configuration.
    pub config: PathBuf,
    /// Where it listens.
    pub socket: TcpListener,
}

/// What became of a node process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessEvent {
    /// It runs, with this process id.
    Started {
        /// Which node.
        node: NodeName,
        /// Its process id.
        pid: u32,
    },
    /// It ended without being told to.
    Ended {
        /// Which node.
        node: NodeName,
        /// How, such as `signal 9` or `exit code 1`.
        how: String,
        /// It will be started again.
        again: bool,
        /// The last line of its log; empty if there is none.
        last: String,
    },
}

/// A node process could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start node {node}: {error}")]
pub struct StartError {
    node: NodeName,
    error: std::io::Error,
}

/// How a node process is started.
#[derive(Debug)]
struct Recipe {
    node: NodeName,
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    socket: TcpListener,
}

impl Recipe {
    fn start(&self) -> Result<Running, StartError> {
        let start = || {
            let (leash, theirs) = UnixStream::pair()?;
            socket::send(&leash, &self.socket)?;
            let keep = std::fs::metadata(&self.log).is_ok_and(|log| log.len() < MAX_LOG_BYTES);
            let mut options = std::fs::OpenOptions::new();
            let log = options
                .create(true)
                .write(true)
                .append(keep)
                .truncate(!keep)
                .open(&self.log)?;
            Command::new(&self.program)
                .arg("node")
                .arg("--config")
                .arg(&self.config)
                .args(["--follow-stdin", "--socket-on-stdin"])
                .stdin(OwnedFd::from(theirs))
                .stdout(log.try_clone()?)
                .stderr(log)
                .kill_on_drop(true)
                .spawn()
                .map(|child| Running { child, leash })
        };
        start().map_err(|error| StartError {
            node: self.node.clone(),
            error,
        })
    }
}

/// A node process and the socket whose end ends it.
struct Running {
    child: Child,
    leash: UnixStream,
}

/// The last line of a log that says something, without what only colours it.
fn last_line(log: &Path) -> String {
    let tail = || {
        let mut file = std::fs::File::open(log)?;
        let bytes = file.metadata()?.len();
        file.seek(SeekFrom::Start(bytes.saturating_sub(TAIL_BYTES)))?;
        let mut tail = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut tail)?;
        Ok::<_, std::io::Error>(tail)
    };
    let tail = tail().unwrap_or_default();
    let text = String::from_utf8_lossy(&tail);
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let shown = last.unwrap_or_default().trim_start_matches("error: ").chars();
    shown.filter(|c| !c.is_control()).take(MAX_LAST_CHARS).collect()
}

/// All node processes of a local cluster.
pub struct Processes {
    tasks: BTreeMap<NodeName, (mpsc::Sender<()>, tokio::task::JoinHandle<()>)>,
}

impl Processes {
    /// Starts a process for each configuration; what becomes of them arrives in `events`.
    pub fn start(
        program: &Path,
        nodes: impl IntoIterator<Item = NodeProcess>,
        events: &mpsc::Sender<ProcessEvent>,
    ) -> Result<Self, StartError> {
        let mut tasks = BTreeMap::new();
        for NodeProcess { node, config, socket } in nodes {
            let recipe = Recipe {
                node: node.clone(),
                program: program.to_owned(),
                log: config.with_file_name(NODE_LOG),
                config,
                socket,
            };
            let running = recipe.start()?;
            let (stop, stopped) = mpsc::channel(1);
            let keeper = keep_running(recipe, running, stopped, events.clone());
            tasks.insert(
                node,
                (stop, rungs_host::tasks::spawn("keep a node process running", keeper)),
            );
        }
        Ok(Self { tasks })
    }

    /// Closes the pipes and waits until every process has ended; those that do not in time are killed.
    pub async fn stop(self) {
        for (stop, _) in self.tasks.values() {
            // A keeper that is gone has no process any more.
            let _ = stop.send(()).await;
        }
        for (_, task) in self.tasks.into_values() {
            drop(task.await);
        }
    }
}

async fn keep_running(
    recipe: Recipe,
    mut running: Running,
    mut stopped: mpsc::Receiver<()>,
    events: mpsc::Sender<ProcessEvent>,
) {
    let mut starts = VecDeque::new();
    loop {
        let started = ProcessEvent::Started {
            node: recipe.node.clone(),
            pid: running.child.id().unwrap_or(0),
        };
        drop(events.send(started).await);
        let status = tokio::select! {
            status = running.child.wait() => status,
            _ = stopped.recv() => return end(running).await,
        };
        let now = Instant::now();
        starts.push_back(now);
        starts.retain(|at| now.duration_since(*at) < RESTART_WINDOW);
        // Who ended in order was told to, by an operator.
        let in_order = status.as_ref().is_ok_and(std::process::ExitStatus::success);
        let again = !in_order && starts.len() < MAX_RESTARTS;
        let how = status.map_or_else(|error| error.to_string(), describe);
        drop(
            events
                .send(ProcessEvent::Ended {
                    node: recipe.node.clone(),
                    how,
                    again,
                    last: last_line(&recipe.log),
                })
                .await,
        );
        if !again {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(RESTART_DELAY) => {}
            _ = stopped.recv() => return,
        }
        match recipe.start() {
            Ok(next) => running = next,
            Err(error) => {
                let event = ProcessEvent::Ended {
                    node: recipe.node.clone(),
                    how: error.to_string(),
                    again: false,
                    last: String::new(),
                };
                drop(events.send(event).await);
                return;
            }
        }
    }
}

async fn end(running: Running) {
    let Running { mut child, leash } = running;
    drop(leash);
    if tokio::time::timeout(STOP_DEADLINE, child.wait()).await.is_err() {
        // It may have ended in between, which is as good.
        drop(child.kill().await);
    }
}

fn describe(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_log_is_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let log = dir.path().join(NODE_LOG);
        assert_eq!(last_line(&log), "");
        std::fs::write(&log, "x\n".repeat(10_000) + "INFO up\nerror: cannot listen\x07\n\n").expect("written");
        assert_eq!(last_line(&log), "cannot listen");
    }
}
