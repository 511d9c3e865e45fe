//! Tests with real processes: a cluster as `rungs up` starts it, and the shell as an operator uses it.
//!
//! [`Cluster`] is one running `rungs up` in a folder of its own, with the commands that the tests run against it.

use rungs_test_support::{Process, Signal, TempDir, program, temp_dir};
use serde_json::Value;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// How long a cluster may take to be up, on a busy machine.
pub const UP_WITHIN: Duration = Duration::from_secs(60);
/// How long anything else may take.
pub const WITHIN: Duration = Duration::from_secs(60);

/// Runs one shell command against the cluster of a folder, without questions, and prints JSON.
pub async fn exec_in(dir: &Path, command: &str) -> Output {
    let mut exec = Command::new(program());
    exec.arg("exec").arg(command).arg("--data").arg(dir);
    exec.arg("--yes").arg("--json");
    exec.output().await.expect("the program runs")
}

/// A running `rungs up`. Dropped, it is killed, and its nodes with it.
pub struct Cluster {
    up: Process,
    dir: TempDir,
}

impl Cluster {
    /// Starts `rungs up` with these arguments and waits until it says that it is up.
    pub async fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_in(temp_dir(name).expect("a folder can be made"), arguments).await
    }

    /// The same in a folder that is there.
    pub async fn start_in(dir: TempDir, arguments: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.arg("up").arg("--data").arg(dir.path()).args(arguments);
        let mut up = Process::start(command).expect("the program starts");
        let up_after = |line: &str| line.contains("up after");
        up.line("the cluster to be up", UP_WITHIN, up_after)
            .await
            .expect("it is up");
        Self { up, dir }
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process of `up`.
    pub fn up(&mut self) -> &mut Process {
        &mut self.up
    }

    /// Runs one shell command.
    pub async fn exec(&self, command: &str) -> Output {
        exec_in(self.dir(), command).await
    }

    /// Runs a shell over these lines; it ends at the first that fails.
    pub async fn shell(&self, lines: &str) -> Output {
        let mut shell = Command::new(program());
        shell.arg("shell").arg("--data").arg(self.dir()).arg("--json");
        shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut shell = shell.kill_on_drop(true).spawn().expect("the program runs");
        let mut input = shell.stdin.take().expect("it is piped");
        let lines = lines.to_owned();
        let (written, output) = tokio::join!(
            async move { input.write_all(lines.as_bytes()).await },
            shell.wait_with_output()
        );
        // A shell that ended at a failed line reads no further.
        drop(written);
        output.expect("the program ends")
    }

    /// Runs one shell command that has to succeed and answers with JSON.
    pub async fn json(&self, command: &str) -> Value {
        let output = self.exec(command).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {error}");
        serde_json::from_slice(&output.stdout).expect("one line of JSON")
    }

    /// Runs one shell command that has to fail, and returns exit code and error text.
    pub async fn refused(&self, command: &str) -> (Option<i32>, String) {
        let output = self.exec(command).await;
        assert!(!output.status.success(), "{command} is refused");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    /// Ends the process of a node at once.
    pub async fn kill(&self, node: &str) {
        let pid = self.json(&format!("call @{node}/admin node.info")).await["pid"].to_string();
        let killed = Command::new("kill")
            .args(["-9", &pid])
            .status()
            .await
            .expect("kill runs");
        assert!(killed.success(), "{killed}");
    }

    /// Ends `up` as Ctrl-C does and waits for it.
    pub async fn stop(self) {
        drop(self.end().await);
    }

    /// The same, and keeps the folder.
    pub async fn end(mut self) -> TempDir {
        self.up.signal(Signal::INT).expect("it runs");
        let status = self.up.exit(WITHIN).await.expect("it ends");
        assert!(status.success(), "{status}: {}", self.up.printed());
        self.dir
    }
}
