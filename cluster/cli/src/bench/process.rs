//! Children of a measurement: this program again, in a role of its own, so that what is measured shares its process
//! with nothing else. A child prints one line of JSON.

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// Longest time until a child says its line.
const DEADLINE: Duration = Duration::from_secs(300);

/// A child that runs until its value is dropped.
#[derive(Debug)]
pub struct Serving {
    /// The line it printed.
    pub line: String,
    // Killed, and told by the end of its input, with this value.
    _child: Child,
    _input: Option<ChildStdin>,
}

/// Starts a child and waits for its line.
pub async fn serve(arguments: &[&str]) -> anyhow::Result<Serving> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    command
        .arg("bench-child")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().context("cannot start a measuring process")?;
    let output = child.stdout.take().context("a measuring process has an output")?;
    let mut line = String::new();
    let mut output = BufReader::new(output);
    let read = tokio::time::timeout(DEADLINE, output.read_line(&mut line)).await;
    read.with_context(|| format!("no figures from {arguments:?} within {} s", DEADLINE.as_secs()))??;
    anyhow::ensure!(!line.is_empty(), "the measuring process {arguments:?} failed");
    let input = child.stdin.take();
    Ok(Serving {
        line,
        _child: child,
        _input: input,
    })
}

/// Runs a child and reads its line.
pub async fn measure<T: DeserializeOwned>(arguments: &[&str]) -> anyhow::Result<T> {
    let served = serve(arguments).await?;
    serde_json::from_str(&served.line).with_context(|| format!("{arguments:?} printed {:?}", served.line.trim()))
}

/// Folders of other processes that are passed over in search of a free name.
const MAX_FOLDERS: u32 = 1000;

/// A folder that is gone with its value.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new one among the temporary files, for this user alone: keys lie in it.
    pub fn new() -> std::io::Result<Self> {
        let (all, process) = (std::env::temp_dir(), std::process::id());
        let mut number = 0;
        loop {
            let path = all.join(format!("rungs-bench-{process}-{number}"));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                // Left by a process of the same number, or put there by somebody: not ours in either case.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && number < MAX_FOLDERS => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Temporary files that stay are a nuisance, not an error.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
