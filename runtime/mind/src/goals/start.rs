//! Which task is started next, and what the outcome of an attempt means.

use super::change::Change;
use super::grants::Grants;
use super::observed::Observed;
use super::record::{GoalRecord, GoalState, TaskState};
use super::table::GoalTable;
use crate::l3::{Action, Forecaster, PeriodChange};
use rungs_types::GoalId;
use rungs_types::goal::{PeriodStep, Speaker, TaskAction, TaskSpec};
use serde::{Deserialize, Serialize};

/// What the strategy in force lets the executor do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Tasks under way at the same time.
    pub parallel_tasks: u8,
    /// Attempts after a failed one, where the task allows so many.
    pub retry_budget: u8,
    /// C_L4 from which no task is started.
    pub risk_cap: f64,
    /// What happens cannot be made durable at the moment: no task is started whose repetition does harm.
    pub harmless_only: bool,
}

impl Limits {
    /// It counts against the goal's budget of actions: knobs are the agent's own.
    pub(super) fn acts(&self, action: &TaskAction) -> bool {
        action_of(action).is_some()
    }
}

/// A task to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Of which goal.
    pub goal: GoalId,
    /// Which task.
    pub task: u8,
    /// The number of the attempt, from 1: it comes back with the outcome.
    pub attempt: u32,
    /// What is to be done.
    pub does: TaskAction,
}

impl Start {
    /// It begins.
    pub fn change(&self) -> Change {
        Change::Start {
            goal: self.goal.clone(),
            task: self.task,
            acts: action_of(&self.does).is_some(),
        }
    }

    /// It came out so.
    pub fn report(&self, outcome: TaskOutcome) -> TaskReport {
        TaskReport {
            goal: self.goal.clone(),
            task: self.task,
            attempt: self.attempt,
            outcome,
        }
    }
}

/// How an attempt came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOutcome {
    /// Done.
    Done,
    /// Not done: the environment could not, or a gate refused.
    Failed,
}

/// The outcome of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Of which goal.
    pub goal: GoalId,
    /// Which task.
    pub task: u8,
    /// Which attempt; an older one is stale.
    pub attempt: u32,
    /// How.
    pub outcome: TaskOutcome,
}

/// The kernel's action that a task is; `None` if it turns a knob.
pub fn action_of(task: &TaskAction) -> Option<Action> {
    Some(match *task {
        TaskAction::SampleFaster { group } => Action::SampleFaster { group },
        TaskAction::SampleSlower { group } => Action::SampleSlower { group },
        TaskAction::SwitchForecaster { group, to } => Action::SwitchForecaster {
            group,
            to: match to {
                Speaker::Linear => Forecaster::Linear,
                Speaker::Belief => Forecaster::Belief,
                Speaker::Smoothing => Forecaster::Smoothing,
                Speaker::Persistence => Forecaster::Persistence,
            },
        },
        TaskAction::RaiseIncident { group } => Action::RaiseIncident { group },
        TaskAction::ClearIncident => Action::ClearIncident,
        TaskAction::AskPeer { group } => Action::AskPeer { group },
        TaskAction::ChangePeriod { change } => Action::ChangePeriod {
            change: match change {
                PeriodStep::Longer => PeriodChange::Longer,
                PeriodStep::Shorter => PeriodChange::Shorter,
            },
        },
        TaskAction::Turn(_) => return None,
    })
}

impl GoalTable {
    /// The next task: of the goal of highest priority that can move, the first of its tasks that can. `None` if as many
    /// are under way as may be, if C_L4 has reached the risk cap, or while it is not known. A goal that has used its share
    /// of cycles waits for more, and one that Level 4.5 has paused rests.
    pub fn next(&self, cycle: u64, observed: &Observed<'_>, limits: &Limits, grants: &Grants) -> Option<Start> {
        let calm = observed.floor.is_some_and(|floor| floor.c_l4 < limits.risk_cap);
        let under_way: usize = self.open.iter().map(GoalRecord::in_flight).sum();
        if !calm || under_way >= usize::from(limits.parallel_tasks) {
            return None;
        }
        let works = |record: &&GoalRecord| record.state == GoalState::Active && !grants.rests(&record.spec.goal);
        let mut active = self.running().into_iter().filter(works);
        active.find_map(|record| {
            let mut tasks = record.each_task();
            let (index, spec, task) = tasks.find(|(_, spec, task)| {
                let waiting = task.state == TaskState::Waiting && task.ready_at.is_some();
                let granted = action_of(&spec.does).is_none() || grants.permits(&record.spec.goal);
                let safe = !limits.harmless_only || spec.does.is_idempotent();
                waiting && safe && granted && task.not_before <= cycle && may_start(record, spec, observed, limits)
            })?;
            Some(Start {
                goal: record.spec.goal.clone(),
                task: index as u8,
                attempt: task.attempts + 1,
                does: spec.does,
            })
        })
    }

    /// What an outcome means; `None` if it is stale.
    pub fn settle(&self, report: &TaskReport, cycle: u64, limits: &Limits) -> Option<Change> {
        let record = self.open.iter().find(|record| record.spec.goal == report.goal)?;
        let (index, spec, task) = record.each_task().nth(usize::from(report.task))?;
        if !matches!(task.state, TaskState::InFlight { .. }) || task.attempts != report.attempt {
            return None;
        }
        let (goal, number) = (report.goal.clone(), report.task);
        Some(match report.outcome {
            TaskOutcome::Done => Change::Done { goal, task: number },
            TaskOutcome::Failed if task.failures < spec.retries.min(limits.retry_budget) => Change::Retry {
                goal,
                task: number,
                not_before: cycle + back_off(record.number, index as u64, task.failures),
                failed: true,
            },
            TaskOutcome::Failed => Change::GiveUp { goal, task: number },
        })
    }
}

fn may_start(record: &GoalRecord, spec: &TaskSpec, observed: &Observed<'_>, limits: &Limits) -> bool {
    let affordable = record.actions < record.spec.budget.actions || !limits.acts(&spec.does);
    let holds = |condition: &rungs_types::goal::Condition| condition.holds(observed.measure(condition.of));
    affordable && spec.when.iter().all(|condition| holds(condition) == Some(true))
}

/// Cycles before the next attempt after so many failures before this one: 2, 4, 8 and so on, and up to as many more, so that tasks that failed together
/// do not come back together. The same task waits the same time in every run.
pub(super) fn back_off(number: u64, task: u64, failures: u8) -> u64 {
    let base = 2_u64 << failures.min(10);
    let mut hash = number ^ task.rotate_left(20) ^ u64::from(failures).rotate_left(40);
    // The finaliser of SplitMix64.
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    base + (hash ^ (hash >> 31)) % (base + 1)
}
