//! A running process, with what it prints, that ends with its value.

use rustix::process::{Pid, kill_process, kill_process_group};
use std::collections::VecDeque;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::timeout;

pub use rustix::process::Signal;

/// Lines kept of what a process printed and nobody waited for; older ones are forgotten.
const KEPT_LINES: usize = 10_000;
/// Lines shown when a wait fails.
const SHOWN_LINES: usize = 40;

/// Why a wait for a process failed. Each shows the last lines the process had printed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started or reached.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// It ended before it printed the line.
    #[error("the process closed its output before {what}; it printed:\n{printed}")]
    Ended {
        /// What was waited for.
        what: String,
        /// Its last lines.
        printed: String,
    },
    /// The deadline passed.
    #[error("no {what} within {} ms; the process printed:\n{printed}", within.as_millis())]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
        /// Its last lines.
        printed: String,
    },
}

/// A process of its own group. Its output is read as it comes, so that it never blocks on a full pipe. Dropped, the
/// whole group is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    group: Pid,
    input: Option<ChildStdin>,
    printed: Arc<Mutex<Printed>>,
    changed: watch::Receiver<()>,
}

#[derive(Debug, Default)]
struct Printed {
    /// Lines nobody has waited past yet.
    fresh: VecDeque<String>,
    /// The last lines, waited for or not.
    last: VecDeque<String>,
}

impl Printed {
    fn push(&mut self, line: String) {
        for (lines, limit) in [(&mut self.last, SHOWN_LINES), (&mut self.fresh, KEPT_LINES)] {
            if lines.len() == limit {
                lines.pop_front();
            }
            lines.push_back(line.clone());
        }
    }

    /// Takes the first fresh line that fits, and forgets those before it.
    fn take(&mut self, fits: &dyn Fn(&str) -> bool) -> Option<String> {
        let at = self.fresh.iter().position(|line| fits(line))?;
        self.fresh.drain(..=at).next_back()
    }
}

impl Process {
    /// Starts `command` with its input, output and error output connected.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(mut command: Command) -> Result<Self, ProcessError> {
        let io = |error| ProcessError::Io { what: "start", error };
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(io)?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let group = group.expect("a process that was not waited for has an id");
        let printed = Arc::default();
        let (change, changed) = watch::channel(());
        if let Some(output) = child.stdout.take() {
            read(output, &printed, change.clone());
        }
        if let Some(output) = child.stderr.take() {
            read(output, &printed, change);
        }
        Ok(Self {
            group,
            input: child.stdin.take(),
            child,
            printed,
            changed,
        })
    }

    /// Waits for the first line, of either output, that `fits`; lines before it are skipped, and the next call looks
    /// behind it. `what` names it in the error.
    ///
    /// # Errors
    /// If the deadline passes, or the process closes its outputs, without such a line.
    pub async fn line(
        &mut self,
        what: &str,
        within: Duration,
        fits: impl Fn(&str) -> bool,
    ) -> Result<String, ProcessError> {
        let printed = Arc::clone(&self.printed);
        let take = || printed.lock().unwrap_or_else(PoisonError::into_inner).take(&fits);
        let changed = &mut self.changed;
        let search = async {
            loop {
                // Marked before the search, so that a line which comes during it is a change.
                let open = changed.has_changed().is_ok();
                changed.mark_unchanged();
                if let Some(line) = take() {
                    return Some(line);
                }
                if !open || changed.changed().await.is_err() {
                    return take();
                }
            }
        };
        let what = what.to_owned();
        match timeout(within, search).await {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(ProcessError::Ended {
                what,
                printed: self.printed(),
            }),
            Err(_) => Err(ProcessError::Deadline {
                what,
                within,
                printed: self.printed(),
            }),
        }
    }

    /// The last lines it printed.
    pub fn printed(&self) -> String {
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = printed.last.iter().map(String::as_str).collect();
        lines.join("\n")
    }

    /// Writes a line to its input.
    ///
    /// # Errors
    /// If its input is closed.
    pub async fn write_line(&mut self, line: &str) -> Result<(), ProcessError> {
        let io = |error| ProcessError::Io { what: "write", error };
        let input = self
            .input
            .as_mut()
            .ok_or_else(|| io(std::io::ErrorKind::BrokenPipe.into()))?;
        input.write_all(format!("{line}\n").as_bytes()).await.map_err(io)?;
        input.flush().await.map_err(io)
    }

    /// Closes its input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Sends a signal to the process alone, not to its children: `Signal::TERM` and `Signal::INT` ask it to end,
    /// `Signal::KILL` ends it, `Signal::STOP` and `Signal::CONT` hold it.
    ///
    /// # Errors
    /// If it has ended and was waited for.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let io = |error: std::io::Error| ProcessError::Io { what: "signal", error };
        if self.child.id().is_none() {
            return Err(io(std::io::ErrorKind::NotFound.into()));
        }
        kill_process(self.group, signal).map_err(|error| io(error.into()))
    }

    /// Its process id, `None` after it was waited for.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for it to end.
    ///
    /// # Errors
    /// If it runs on past the deadline.
    pub async fn exit(&mut self, within: Duration) -> Result<ExitStatus, ProcessError> {
        match timeout(within, self.child.wait()).await {
            Ok(status) => status.map_err(|error| ProcessError::Io { what: "wait", error }),
            Err(_) => Err(ProcessError::Deadline {
                what: "end".to_owned(),
                within,
                printed: self.printed(),
            }),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The leader may have ended and left children. A group without members is no error to us.
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}

fn read(output: impl AsyncRead + Unpin + Send + 'static, printed: &Arc<Mutex<Printed>>, change: watch::Sender<()>) {
    let printed = Arc::clone(printed);
    let reader = async move {
        let mut lines = BufReader::new(output).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            printed.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            change.send_replace(());
        }
    };
    #[allow(
        clippy::disallowed_methods,
        reason = "test code has no host, and the task ends with the pipe it reads"
    )]
    tokio::spawn(reader);
}

#[cfg(test)]
mod tests;
