//! What can happen to a table of goals, and its application, which cannot fail: what is not there any more is passed
//! over.

use super::record::{GoalRecord, GoalState, TaskState, Waiver};
use super::table::GoalTable;
use super::{MAX_CLOSED, MAX_OPEN};
use crate::l3::Outcomes;
use rungs_types::goal::GoalSpec;
use rungs_types::{CheckpointId, GoalId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Something that happens to a goal. Tasks are named by their place in the goal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is set.
    Set {
        /// As asked for.
        spec: Arc<GoalSpec>,
        /// The verified state of the level that sets it.
        checkpoint: CheckpointId,
    },
    /// It is worked on from now on.
    Approve {
        /// Which.
        goal: GoalId,
    },
    /// Its success has held for so many cycles in a row.
    Hold {
        /// Which.
        goal: GoalId,
        /// How many.
        cycles: u32,
    },
    /// No task of it can move any more, or one can again.
    Settle {
        /// Which.
        goal: GoalId,
        /// None can.
        settled: bool,
    },
    /// The tasks before this one are done.
    Ready {
        /// Which goal.
        goal: GoalId,
        /// Which task.
        task: u8,
    },
    /// An attempt at a task whose repetition does harm begins as soon as this is durable.
    Intend {
        /// Which goal.
        goal: GoalId,
        /// Which task.
        task: u8,
    },
    /// It does not begin after all.
    Withhold {
        /// Which goal.
        goal: GoalId,
        /// Which task.
        task: u8,
    },
    /// An attempt begins.
    Start {
        /// Which goal.
        goal: GoalId,
        /// Which task.
        task: u8,
        /// It is an environment action and counts against the goal's budget.
        acts: bool,
    },
    /// An attempt succeeded.
    Done {
        /// Which goal.
        goal: GoalId,
        /// Which task.
        task: u8,
    },
    /// An attempt failed or was cut off, and there will be another.
    Retry {
        /// Which goal.
        goal: GoalId,
        /// Which task.
        task: u8,
        /// Its first cycle.
        not_before: u64,
        /// The one before counts as a failure.
        failed: bool,
    },
    /// The task failed.
    GiveUp {
        /// Which goal.
        goal: GoalId,
        /// Which task.
        task: u8,
    },
    /// It is not known whether the task was done, and it is not repeated.
    Doubt {
        /// Which goal.
        goal: GoalId,
        /// Which task.
        task: u8,
    },
    /// It is closed.
    Close {
        /// Which.
        goal: GoalId,
        /// As what.
        state: GoalState,
    },
    /// The open goals in order of priority, the highest first; those that are not named come after, oldest first.
    Order {
        /// The order.
        goals: Vec<GoalId>,
    },
}

impl Change {
    /// Somebody relies on it from now on, so that it, and with it all before it, is written through to the disk. The
    /// others are come to again when they are lost with the power.
    pub fn is_relied_on(&self) -> bool {
        match self {
            Change::Set { .. }
            | Change::Intend { .. }
            | Change::Done { .. }
            | Change::GiveUp { .. }
            | Change::Close { .. } => true,
            Change::Approve { .. }
            | Change::Doubt { .. }
            | Change::Hold { .. }
            | Change::Settle { .. }
            | Change::Ready { .. }
            | Change::Withhold { .. }
            | Change::Start { .. }
            | Change::Retry { .. }
            | Change::Order { .. } => false,
        }
    }
}

/// Counts what a change means for the identity of the agent: tasks and goals that went well or not.
pub fn tally(change: &Change, outcomes: &mut Outcomes) {
    let count = match change {
        Change::Done { .. } => &mut outcomes.tasks_succeeded,
        Change::GiveUp { .. } => &mut outcomes.tasks_failed,
        Change::Close { state, .. } => match state {
            GoalState::Succeeded | GoalState::Failed(_) => &mut outcomes.goals_kept,
            // Nothing was given up: there was nothing to do, or its owner took it back.
            GoalState::Abandoned(Waiver::AlreadyHolds | Waiver::Cancelled) | GoalState::Withdrawn => return,
            GoalState::Abandoned(_) => &mut outcomes.goals_broken,
            GoalState::Waiting | GoalState::Active => return,
        },
        _ => return,
    };
    *count = count.saturating_add(1);
}

impl GoalTable {
    /// Carries out a change at `cycle`.
    pub fn apply(&mut self, change: &Change, cycle: u64) {
        match change {
            Change::Set { spec, checkpoint } => self.apply_set(spec, *checkpoint, cycle),
            Change::Order { goals } => {
                self.order.clear();
                self.order.extend(goals.iter().take(MAX_OPEN).cloned());
            }
            Change::Approve { goal } => self.with(goal, |record| {
                record.state = GoalState::Active;
                record.approved_at = Some(cycle);
                record.progressed_at = cycle;
            }),
            Change::Hold { goal, cycles } => self.with(goal, |record| record.held_cycles = *cycles),
            Change::Settle { goal, settled } => {
                self.with(goal, |record| record.settled_at = settled.then_some(cycle));
            }
            Change::Close { goal, state } => self.apply_close(goal, state, cycle),
            Change::Ready { goal, task }
            | Change::Intend { goal, task }
            | Change::Withhold { goal, task }
            | Change::Start { goal, task, .. }
            | Change::Done { goal, task }
            | Change::Retry { goal, task, .. }
            | Change::GiveUp { goal, task }
            | Change::Doubt { goal, task } => self.with(goal, |record| apply_to_task(record, *task, change, cycle)),
        }
    }

    fn with(&mut self, goal: &GoalId, change: impl FnOnce(&mut GoalRecord)) {
        if let Some(record) = self.open.iter_mut().find(|record| record.spec.goal == *goal) {
            change(record);
        }
    }

    fn apply_set(&mut self, spec: &Arc<GoalSpec>, checkpoint: CheckpointId, cycle: u64) {
        self.numbers += 1;
        let mut record = GoalRecord::new(Arc::clone(spec), self.numbers, checkpoint, cycle);
        for (index, before) in spec.after.iter().enumerate() {
            let succeeded = |record: &&GoalRecord| record.spec.goal == *before && record.state == GoalState::Succeeded;
            if self.closed.iter().any(|record| succeeded(&record)) {
                record.met |= 1 << index;
            }
        }
        // A name is of one goal: the closed one that had it is forgotten.
        self.closed.retain(|record| record.spec.goal != spec.goal);
        self.open.push(record);
    }

    fn apply_close(&mut self, goal: &GoalId, state: &GoalState, cycle: u64) {
        let Some(index) = self.open.iter().position(|record| record.spec.goal == *goal) else {
            return;
        };
        let mut record = self.open.remove(index);
        record.state = state.clone();
        record.closed_at = Some(cycle);
        if *state == GoalState::Succeeded {
            for waiting in &mut self.open {
                if let Some(index) = waiting.spec.after.iter().position(|before| before == goal) {
                    waiting.met |= 1 << index;
                }
            }
        }
        self.order.retain(|ordered| ordered != goal);
        if self.closed.len() == MAX_CLOSED {
            self.closed.remove(0);
        }
        self.closed.push(record);
    }
}

fn apply_to_task(record: &mut GoalRecord, task: u8, change: &Change, cycle: u64) {
    let Some(own) = record.tasks.get_mut(usize::from(task)) else {
        return;
    };
    match change {
        Change::Ready { .. } => own.ready_at = Some(cycle),
        Change::Intend { .. } => own.intended = true,
        Change::Withhold { .. } => own.intended = false,
        Change::Start { acts, .. } => {
            own.intended = false;
            own.state = TaskState::InFlight { since: cycle };
            own.attempts = own.attempts.saturating_add(1);
            record.actions = record.actions.saturating_add(u32::from(*acts));
        }
        Change::Done { .. } => {
            own.state = TaskState::Done;
            record.progressed_at = cycle;
        }
        Change::Retry { not_before, failed, .. } => {
            own.failures = own.failures.saturating_add(u8::from(*failed));
            own.state = TaskState::Waiting;
            own.not_before = *not_before;
        }
        Change::GiveUp { .. } => own.state = TaskState::Failed,
        Change::Doubt { .. } => {
            own.intended = false;
            own.state = TaskState::Uncertain;
        }
        _ => {}
    }
}
