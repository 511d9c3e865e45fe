//! One goal as the table keeps it.

use rungs_types::goal::{GoalSpec, TaskSpec};
use rungs_types::{CheckpointId, GoalId, TaskName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Where a goal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalState {
    /// For goals before it, for a place, or for the first evidence that it is not reached yet.
    Waiting,
    /// It is worked on.
    Active,
    /// It is reached.
    Succeeded,
    /// It cannot be reached.
    Failed(Failure),
    /// Nobody works on it any more.
    Abandoned(Waiver),
    /// The level that had set it took it back.
    Withdrawn,
}

/// Why a goal failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Its time was over.
    Deadline,
    /// It has taken as many actions as it may.
    Budget,
    /// A task failed at its last attempt, or missed its deadline.
    Task(TaskName),
    /// A task was under way when the agent ended; whether it was done is not known.
    Uncertain(TaskName),
    /// All tasks are done and what they were to bring about did not come.
    NotReached,
}

/// Why nobody works on a goal any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiver {
    /// Whoever had set it does not want it any more.
    Cancelled,
    /// It was reached before anything was done for it.
    AlreadyHolds,
    /// A goal that had to succeed before did not.
    Prerequisite(GoalId),
    /// It waited, in a circle, for itself.
    Circular,
    /// It made no progress for too long.
    Stale,
    /// It did what this other goal does.
    Merged(GoalId),
}

impl GoalState {
    /// It is not closed.
    pub fn is_open(&self) -> bool {
        matches!(self, GoalState::Waiting | GoalState::Active)
    }
}

impl fmt::Display for GoalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GoalState::Waiting => f.write_str("waiting"),
            GoalState::Active => f.write_str("active"),
            GoalState::Succeeded => f.write_str("succeeded"),
            GoalState::Failed(Failure::Deadline) => f.write_str("failed: its time was over"),
            GoalState::Failed(Failure::Budget) => f.write_str("failed: no more actions allowed"),
            GoalState::Failed(Failure::Task(task)) => write!(f, "failed: task {task}"),
            GoalState::Failed(Failure::Uncertain(task)) => write!(f, "failed: unknown whether task {task} was done"),
            GoalState::Failed(Failure::NotReached) => f.write_str("failed: all done, not reached"),
            GoalState::Abandoned(Waiver::Cancelled) => f.write_str("abandoned: cancelled"),
            GoalState::Abandoned(Waiver::AlreadyHolds) => f.write_str("abandoned: reached before anything was done"),
            GoalState::Abandoned(Waiver::Prerequisite(goal)) => write!(f, "abandoned: {goal} did not succeed"),
            GoalState::Abandoned(Waiver::Circular) => f.write_str("abandoned: waited for itself"),
            GoalState::Abandoned(Waiver::Stale) => f.write_str("abandoned: no progress"),
            GoalState::Abandoned(Waiver::Merged(into)) => write!(f, "abandoned: {into} does the same"),
            GoalState::Withdrawn => f.write_str("withdrawn"),
        }
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// For tasks before it, for its conditions, for its turn.
    #[default]
    Waiting,
    /// Its attempt is under way.
    InFlight {
        /// The cycle in which it was started.
        since: u64,
    },
    /// It is done, and not done again.
    Done,
    /// It failed at its last attempt, or missed its deadline.
    Failed,
    /// It was under way when the agent ended, and is not repeated.
    Uncertain,
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskState::Waiting => f.write_str("waiting"),
            TaskState::InFlight { since } => write!(f, "under way since cycle {since}"),
            TaskState::Done => f.write_str("done"),
            TaskState::Failed => f.write_str("failed"),
            TaskState::Uncertain => f.write_str("uncertain"),
        }
    }
}

/// One task as the table keeps it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Where it stands.
    pub state: TaskState,
    /// Attempts started; the last one is the only one whose outcome counts.
    pub attempts: u32,
    /// Those of them that failed; one that a restart cut off did not.
    pub failures: u8,
    /// An attempt at it begins as soon as that is known to be durable; after a restart it may have begun.
    pub intended: bool,
    /// The cycle in which the tasks before it were done.
    pub ready_at: Option<u64>,
    /// The first cycle of the next attempt.
    pub not_before: u64,
}

/// One goal as the table keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoalRecord {
    /// As it was asked for.
    pub spec: Arc<GoalSpec>,
    /// Counts goals; no two have the same.
    pub number: u64,
    /// The verified state of the level that set it; for a user's the number under which the cluster accepted it, 0 without.
    pub checkpoint: CheckpointId,
    /// Where it stands.
    pub state: GoalState,
    /// The cycle in which it was set.
    pub set_at: u64,
    /// The cycle in which it was approved.
    pub approved_at: Option<u64>,
    /// The cycle in which it was closed.
    pub closed_at: Option<u64>,
    /// The last cycle in which something was done for it.
    pub progressed_at: u64,
    /// The cycle from which no task of it could move any more.
    pub settled_at: Option<u64>,
    /// A bit for each goal before it that has succeeded, in the order of `spec.after`.
    pub met: u8,
    /// Environment actions taken, failed attempts included.
    pub actions: u32,
    /// Cycles in a row for which its success has held.
    pub held_cycles: u32,
    /// Its tasks, in the order of `spec.tasks`.
    pub tasks: Vec<TaskRecord>,
}

impl GoalRecord {
    pub(super) fn new(spec: Arc<GoalSpec>, number: u64, checkpoint: CheckpointId, cycle: u64) -> Self {
        let tasks = vec![TaskRecord::default(); spec.tasks.len()];
        Self {
            spec,
            number,
            checkpoint,
            state: GoalState::Waiting,
            set_at: cycle,
            approved_at: None,
            closed_at: None,
            progressed_at: cycle,
            settled_at: None,
            met: 0,
            actions: 0,
            held_cycles: 0,
            tasks,
        }
    }

    /// Everything was so many cycles earlier.
    pub(super) fn put_back(&mut self, cycles: u64) {
        let back = |cycle: &mut u64| *cycle = cycle.saturating_sub(cycles);
        back(&mut self.set_at);
        back(&mut self.progressed_at);
        let known = [&mut self.approved_at, &mut self.closed_at, &mut self.settled_at];
        known.into_iter().flatten().for_each(back);
        for task in &mut self.tasks {
            task.ready_at.iter_mut().for_each(back);
            back(&mut task.not_before);
            if let TaskState::InFlight { since } = &mut task.state {
                back(since);
            }
        }
    }

    /// All goals before it have succeeded.
    pub fn prerequisites_met(&self) -> bool {
        (0..self.spec.after.len()).all(|index| self.met & (1 << index) != 0)
    }

    /// Whether it was reached; `None` of one that is open, or that nobody tried to the end: that nobody wanted any more, that
    /// was reached before anything was done, that was merged into another, or withdrawn with its level.
    pub fn outcome(&self) -> Option<bool> {
        match &self.state {
            GoalState::Succeeded => Some(true),
            GoalState::Failed(_) => Some(false),
            GoalState::Abandoned(Waiver::Prerequisite(_) | Waiver::Circular | Waiver::Stale) => Some(false),
            GoalState::Abandoned(Waiver::Cancelled | Waiver::AlreadyHolds | Waiver::Merged(_))
            | GoalState::Waiting
            | GoalState::Active
            | GoalState::Withdrawn => None,
        }
    }

    /// Share of its tasks that are done, in [0, 1]; 1 once it has succeeded.
    pub fn progress(&self) -> f64 {
        if self.state == GoalState::Succeeded {
            return 1.0;
        }
        self.done() as f64 / self.tasks.len().max(1) as f64
    }

    /// Tasks that are done.
    pub fn done(&self) -> usize {
        let done = self.tasks.iter().filter(|task| task.state == TaskState::Done);
        done.count()
    }

    pub(super) fn in_flight(&self) -> usize {
        let flying = self
            .tasks
            .iter()
            .filter(|t| matches!(t.state, TaskState::InFlight { .. }));
        flying.count()
    }

    /// The tasks with what they were asked for.
    pub(super) fn each_task(&self) -> impl Iterator<Item = (usize, &TaskSpec, &TaskRecord)> {
        let pairs = self.spec.tasks.iter().zip(&self.tasks);
        pairs.enumerate().map(|(index, (spec, task))| (index, spec, task))
    }

    pub(super) fn task_is_done(&self, name: &TaskName) -> bool {
        self.each_task()
            .any(|(_, spec, task)| spec.name == *name && task.state == TaskState::Done)
    }

    /// What [`GoalRecord`] says to people.
    pub fn view(&self, queued: bool) -> GoalView {
        GoalView {
            goal: self.spec.goal.clone(),
            intent: self.spec.intent.clone(),
            origin: self.spec.origin.to_string(),
            tier: self.spec.tier.to_string(),
            state: if queued {
                "queued".to_owned()
            } else {
                self.state.to_string()
            },
            tasks_done: self.done() as u32,
            tasks: self.tasks.len() as u32,
            actions: self.actions,
            after: self.spec.after.clone(),
        }
    }

    /// The record can have been reached by a table.
    pub(super) fn is_valid(&self) -> bool {
        let attempts_fit = |(_, spec, task): (usize, &TaskSpec, &TaskRecord)| {
            task.failures <= spec.retries + 1
                && u32::from(task.failures) <= task.attempts
                && (task.state != TaskState::Done || task.attempts > 0)
        };
        self.tasks.len() == self.spec.tasks.len()
            && self.spec.validate().is_ok()
            && self.each_task().all(attempts_fit)
            && self.held_cycles <= super::HOLD_CYCLES
            && self.state.is_open() == self.closed_at.is_none()
            && (self.state != GoalState::Active || self.approved_at.is_some())
    }
}

/// One line of a list of goals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoalView {
    /// Its name.
    pub goal: GoalId,
    /// What it is for.
    pub intent: String,
    /// Who set it.
    pub origin: String,
    /// How far ahead it lies.
    pub tier: String,
    /// Where it stands, and why.
    pub state: String,
    /// Tasks that are done.
    pub tasks_done: u32,
    /// Tasks that it has.
    pub tasks: u32,
    /// Environment actions taken for it.
    pub actions: u32,
    /// Goals that must succeed before it.
    pub after: Vec<GoalId>,
}
