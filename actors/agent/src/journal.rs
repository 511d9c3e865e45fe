//! The kernel's way to its task log: what happens to its goals is handed over as it happens, and what must be durable
//! first is waited for without waiting.
//!
//! Part of the kernel. Decided in `rungs_mind::goals`: what needs to be durable, and what it means that it is not.
//!
//! Invariants:
//! 1. A caller is told that its goal is set, or cancelled, when that is durable, or that it is not known to be.
//! 2. A store that fails is told of once until it works again, and so is that it works again.

use crate::error::AgentError;
use crate::goals::GoalEntry;
use crate::tree::Tree;
use rungs_host::codec;
use rungs_host::{Refusal, Reply};
use rungs_mind::goals::{Change, Entry, Runner};
use rungs_store::{LogEntry, TaskLog};
use rungs_types::{ErrorCode, EventKind};

/// Callers that wait for the disk.
const MAX_WAITING: usize = 64;

/// See the module.
pub(crate) struct Journal {
    log: TaskLog,
    /// The last change that the snapshot has from which the agent goes on.
    in_snapshot: u64,
    waiting: Vec<Waiting>,
    failing: bool,
}

/// A caller, and the number of the change that it waits for.
struct Waiting {
    seq: u64,
    reply: Reply<GoalEntry>,
    entry: GoalEntry,
}

/// Opens the task log of an agent; gives what is in it. What is odd about it is told.
pub(crate) async fn open(tree: &Tree, warnings: &mut Vec<String>) -> Result<(Journal, Vec<Entry>), AgentError> {
    let agent = tree.shared.agent();
    let opened = tree.runtime.tasks.open(agent.clone()).await;
    let (log, tail) = opened.map_err(|error| AgentError::Snapshots {
        agent: agent.clone(),
        reason: error.to_string(),
    })?;
    if tail.torn_bytes > 0 {
        let torn = tail.torn_bytes;
        warnings.push(format!(
            "the last {torn} bytes of the task log were not written to their end and are left out"
        ));
    }
    let mut kept = Vec::with_capacity(tail.entries.len());
    for LogEntry { seq, bytes } in tail.entries {
        match codec::decode::<(u64, Change)>(&bytes) {
            Ok((cycle, change)) => kept.push(Entry { seq, cycle, change }),
            Err(error) => warnings.push(format!("change {seq} in the task log does not decode: {error}")),
        }
    }
    let journal = Journal {
        log,
        in_snapshot: 0,
        waiting: Vec::new(),
        failing: false,
    };
    Ok((journal, kept))
}

impl Journal {
    /// The same, of an agent that goes on from a snapshot which has the changes up to this one.
    pub(crate) fn after(self, in_snapshot: u64) -> Self {
        Self { in_snapshot, ..self }
    }

    /// `wake` is called, on any thread, when [`Journal::look`] has something for callers that wait.
    pub(crate) fn on_change(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.log.on_change(wake);
    }

    /// Hands over what has happened, and looks. Gives what is to be told.
    pub(crate) fn write(&mut self, goals: &mut Runner) -> Option<EventKind> {
        let entries = goals.take_journal();
        let relied_on = entries.iter().any(|entry| entry.change.is_relied_on());
        self.log.append(encode(entries), relied_on);
        self.look(goals)
    }

    /// Answers a caller when all that has happened is durable.
    pub(crate) fn answer(
        &mut self,
        goals: &mut Runner,
        reply: Reply<GoalEntry>,
        entry: GoalEntry,
    ) -> Option<EventKind> {
        if self.waiting.len() == MAX_WAITING {
            let text = "the goal is taken, but too many wait for the disk to know it durable; ask again";
            reply.send(Err(Refusal::new(ErrorCode::Overloaded, text)));
            return self.write(goals);
        }
        let seq = goals.seq();
        self.log.want_wake();
        self.log.append(encode(goals.take_journal()), true);
        self.waiting.push(Waiting { seq, reply, entry });
        self.look(goals)
    }

    /// Tells the runner how far the log is durable, and answers who has waited for it. Gives what is to be told.
    pub(crate) fn look(&mut self, goals: &mut Runner) -> Option<EventKind> {
        let (durable, failure) = (self.log.durable().max(self.in_snapshot), self.log.failure());
        goals.durable(durable, failure.is_some());
        let (answered, waiting) = self.waiting.drain(..).partition(|waiting| waiting.seq <= durable);
        self.waiting = waiting;
        let answered: Vec<Waiting> = answered;
        for Waiting { reply, entry, .. } in answered {
            reply.send(Ok(entry));
        }
        if let Some(error) = &failure {
            for Waiting { reply, .. } in self.waiting.drain(..) {
                let text = format!("the goal is taken, but not known to be durable; ask again: {error}");
                reply.send(Err(Refusal::new(ErrorCode::Internal, &text)));
            }
        } else if !self.waiting.is_empty() {
            self.log.want_wake();
        }
        let summary = match (std::mem::replace(&mut self.failing, failure.is_some()), failure) {
            (false, Some(error)) => {
                format!(
                    "what happens to goals is not durable, and no task is begun whose repetition does harm: {error}"
                )
            }
            (true, None) => "what happens to goals is durable again".to_owned(),
            _ => return None,
        };
        Some(EventKind::Warning { summary })
    }

    /// Tries again what the store has not done.
    pub(crate) fn retry(&self) {
        if self.failing {
            self.log.retry();
        }
    }
}

fn encode(entries: Vec<Entry>) -> Vec<LogEntry> {
    let bytes = |entry: &Entry| {
        codec::encode(&(entry.cycle, &entry.change)).expect("invariant: a change is of plain data and small")
    };
    let entries = entries.iter().map(|entry| LogEntry {
        seq: entry.seq,
        bytes: bytes(entry),
    });
    entries.collect()
}
