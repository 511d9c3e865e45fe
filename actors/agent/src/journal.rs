//! The kernel's way to its task log: what happens to its goals is handed over as it happens, and what must be durable
//! first is waited for without waiting.
//!
//! Part of the kernel. Decided in `rungs_mind::goals`: what needs to be durable, and what it means that it is not.
//!
//! Invariants:
//! 1. A caller is told that its goal is set, or cancelled, when that is durable, or that it is not known to be. Nobody is
//!    told so by an agent that has moved.
//! 2. A store that fails is told of once until it works again, and so is that it works again.

use crate::error::AgentError;
use crate::goals::GoalEntry;
use crate::tree::Tree;
use rungs_host::codec;
use rungs_host::{Refusal, Reply};
use rungs_mind::goals::{Change, Entry, Runner, RunnerState};
use rungs_store::{Base, LogEntry, StoreError, TaskLog};
use rungs_types::{ErrorCode, EventKind};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Callers that wait for the disk.
const MAX_WAITING: usize = 64;
/// How long an agent that ends waits for its last entries to be written.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);

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

/// The goals at a cycle, as they are kept beside the log.
#[derive(Debug, Deserialize)]
enum Versioned {
    V1(u64, RunnerState),
}

/// The same, to be written.
#[derive(Serialize)]
enum VersionedRef<'a> {
    V1(u64, &'a RunnerState),
}

/// Goals at a cycle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GoalsAt {
    pub(crate) cycle: u64,
    pub(crate) goals: RunnerState,
}

/// What is known of an agent's goals without its snapshots.
pub(crate) struct Told {
    /// Where they stood when the log begins; none if it begins with the agent.
    pub(crate) base: Option<GoalsAt>,
    /// What has happened since.
    pub(crate) kept: Vec<Entry>,
}

impl Told {
    /// The goals of an agent whose snapshot has these: they, or those of the base if those are further. Also whether the
    /// log does not tell what has led to them.
    pub(crate) fn go_on(&mut self, snapshot: Option<GoalsAt>) -> (GoalsAt, bool) {
        let none = || GoalsAt {
            cycle: 0,
            goals: RunnerState::default(),
        };
        let cycle = snapshot.as_ref().map_or(0, |at| at.cycle);
        let in_snapshot = snapshot.unwrap_or_else(none);
        let told_from = self.base.as_ref().map_or(0, |base| base.goals.seq);
        let from = match self.base.take() {
            Some(base) if base.goals.seq > in_snapshot.goals.seq => GoalsAt {
                cycle,
                goals: base.goals.brought_to(base.cycle, cycle),
            },
            Some(_) | None => in_snapshot,
        };
        let mut told_to = told_from;
        for entry in self.kept.iter().skip_while(|entry| entry.seq <= told_from) {
            if entry.seq != told_to + 1 {
                break;
            }
            told_to = entry.seq;
        }
        let untold = from.goals.seq > told_to;
        (from, untold)
    }
}

/// The base of goals as they are at a cycle; none of an agent to whose goals nothing has ever happened.
pub(crate) fn base(cycle: u64, goals: &RunnerState) -> Option<Base> {
    if goals.seq == 0 {
        return None;
    }
    match codec::encode(&VersionedRef::V1(cycle, goals)) {
        Ok(bytes) => Some(Base { seq: goals.seq, bytes }),
        Err(error) => {
            tracing::warn!(%error, "the goals of an agent do not encode; its task log is not made shorter");
            None
        }
    }
}

/// Keeps a base that the log does not tell of.
pub(crate) async fn keep(tree: &Tree, base: Base) -> Result<(), AgentError> {
    let (agent, epoch) = (tree.shared.agent(), tree.shared.epoch);
    let kept = tree.runtime.tasks.keep(agent.clone(), epoch, base).await;
    kept.map_err(|error| unreadable(tree, &error))
}

fn unreadable(tree: &Tree, error: &StoreError) -> AgentError {
    AgentError::Snapshots {
        agent: tree.shared.agent().clone(),
        reason: error.to_string(),
    }
}

/// Opens the task log of an agent; gives what is in it. What is odd about it is told.
pub(crate) async fn open(tree: &Tree, warnings: &mut Vec<String>) -> Result<(Journal, Told), AgentError> {
    let agent = tree.shared.agent();
    let opened = tree.runtime.tasks.open(agent.clone(), tree.shared.epoch).await;
    let (log, tail) = opened.map_err(|error| unreadable(tree, &error))?;
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
    let base = tail.base.and_then(|Base { seq, bytes }| match codec::decode(&bytes) {
        Ok(Versioned::V1(cycle, goals)) => Some(GoalsAt { cycle, goals }),
        Err(error) => {
            warnings.push(format!(
                "the goals as of change {seq} in the task log do not decode: {error}"
            ));
            None
        }
    });
    let journal = Journal {
        log,
        in_snapshot: 0,
        waiting: Vec::new(),
        failing: false,
    };
    Ok((journal, Told { base, kept }))
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
        let over = failure.as_deref().is_some_and(is_over);
        let (answered, waiting) = self
            .waiting
            .drain(..)
            .partition(|waiting| waiting.seq <= durable && !over);
        self.waiting = waiting;
        let answered: Vec<Waiting> = answered;
        for Waiting { reply, entry, .. } in answered {
            reply.send(Ok(entry));
        }
        if let Some(error) = failure
            .as_deref()
            .filter(|error| matches!(error, StoreError::Moved { .. }))
        {
            for Waiting { reply, .. } in self.waiting.drain(..) {
                let text = format!("{error}; nothing is set or cancelled here: ask again");
                reply.send(Err(Refusal::new(ErrorCode::NodeDown, &text)));
            }
        } else if let Some(error) = &failure {
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

    /// Writes what was held back, and tries again what the store has not done. To be called every so often.
    pub(crate) fn write_out(&self) {
        if !self.log.failure().as_deref().is_some_and(is_over) {
            self.log.write_out();
        }
    }

    /// The agent ends: what was handed over is to be in the log before another start reads it.
    pub(crate) async fn settle(&self) {
        self.log.settle(SETTLE_WITHIN).await;
    }

    /// Why the agent cannot go on from here, but must start again from what is in the log.
    pub(crate) fn broken(&self) -> Option<Arc<StoreError>> {
        if !self.failing {
            return None;
        }
        let failure = self.log.failure()?;
        matches!(*failure, StoreError::Changed { .. }).then_some(failure)
    }
}

/// Trying again does not help.
fn is_over(error: &StoreError) -> bool {
    matches!(error, StoreError::Moved { .. } | StoreError::Changed { .. })
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

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_mind::goals::GoalTable;

    fn at(cycle: u64, seq: u64) -> GoalsAt {
        let goals = RunnerState {
            seq,
            table: GoalTable::default(),
            ..RunnerState::default()
        };
        GoalsAt { cycle, goals }
    }

    /// The entries of these numbers, after a base.
    fn told(base: Option<GoalsAt>, seqs: &[u64]) -> Told {
        let change = Change::Order { goals: Vec::new() };
        let entry = |seq: &u64| Entry {
            seq: *seq,
            cycle: 9,
            change: change.clone(),
        };
        Told {
            base,
            kept: seqs.iter().map(entry).collect(),
        }
    }

    #[test]
    fn an_agent_goes_on_from_what_is_furthest_and_keeps_what_only_its_snapshot_has() {
        let from = |base, seqs: &[u64], snapshot| {
            let (from, untold) = told(base, seqs).go_on(snapshot);
            (from.goals.seq, from.cycle, untold)
        };
        assert_eq!(from(None, &[], None), (0, 0, false), "a new agent");
        assert_eq!(from(None, &[1, 2, 3], None), (0, 0, false));
        assert_eq!(from(None, &[1, 2, 3], Some(at(7, 2))), (2, 7, false));
        assert_eq!(from(Some(at(9, 5)), &[6, 7], None), (5, 0, false), "no snapshot");
        assert_eq!(
            from(Some(at(9, 5)), &[6, 7], Some(at(4, 3))),
            (5, 4, false),
            "an old one"
        );
        assert_eq!(from(Some(at(9, 5)), &[6, 7], Some(at(12, 7))), (7, 12, false));
        assert_eq!(
            from(Some(at(9, 5)), &[6, 7], Some(at(12, 8))),
            (8, 12, true),
            "further than the log"
        );
        assert_eq!(
            from(None, &[4, 5], Some(at(12, 5))),
            (5, 12, true),
            "the log begins too late"
        );
        assert_eq!(
            from(Some(at(9, 5)), &[8, 9], Some(at(12, 9))),
            (9, 12, true),
            "it has a gap"
        );
        assert_eq!(
            from(Some(at(9, 5)), &[6, 9], Some(at(12, 6))),
            (6, 12, false),
            "the gap is behind the snapshot"
        );
        assert_eq!(from(None, &[], Some(at(12, 5))), (5, 12, true), "there is no log");
    }

    #[test]
    fn a_base_is_read_as_it_was_written() {
        assert_eq!(base(3, &RunnerState::default()), None, "nothing has happened");
        let base = base(3, &at(3, 8).goals).expect("something has");
        let Versioned::V1(cycle, goals) = codec::decode(&base.bytes).expect("decodes");
        assert_eq!((base.seq, GoalsAt { cycle, goals }), (8, at(3, 8)));
    }
}
