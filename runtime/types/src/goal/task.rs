//! The tasks of a goal: what is done, after what, under which conditions, how often and until when.

use super::condition::{Condition, validate_list};
use super::{KnobSetting, MAX_TASKS, expect, expect_distinct};
use crate::name::TaskName;
use crate::spec::SpecError;
use serde::{Deserialize, Serialize};

/// Most attempts after a failed one.
pub const MAX_RETRIES: u8 = 5;
/// Longest deadline of a task, in L3 cycles.
pub const MAX_TASK_DEADLINE_CYCLES: u32 = 1_000_000;

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// Its name within the goal.
    pub name: TaskName,
    /// What is done.
    pub does: TaskAction,
    /// Tasks of the same goal that must be done before.
    #[serde(default)]
    pub after: Vec<TaskName>,
    /// What must hold before it is started, at most 16 conditions.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// Attempts after a failed one, 0 to 5.
    #[serde(default)]
    pub retries: u8,
    /// L3 cycles from when its predecessors are done, waiting and retries included, 1 to 1,000,000.
    #[serde(default)]
    pub deadline_cycles: Option<u32>,
}

/// What a task does. Groups are indices of the environment's groups of dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TaskAction {
    /// Samples a group more often.
    SampleFaster {
        /// Which.
        group: u16,
    },
    /// Samples a group less often.
    SampleSlower {
        /// Which.
        group: u16,
    },
    /// Lets another forecaster speak for a group.
    SwitchForecaster {
        /// Which.
        group: u16,
        /// Who speaks from now on.
        to: Speaker,
    },
    /// Raises an incident about a group.
    RaiseIncident {
        /// Which.
        group: u16,
    },
    /// Clears the open incident.
    ClearIncident,
    /// Asks a peer about a group.
    AskPeer {
        /// Which.
        group: u16,
    },
    /// Changes the agent's own period.
    ChangePeriod {
        /// In which direction.
        change: PeriodStep,
    },
    /// Turns a knob of the strategy in force.
    Turn(KnobSetting),
}

/// A forecaster of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The linear prediction model.
    Linear,
    /// The AR(1) belief.
    Belief,
    /// Exponential smoothing.
    Smoothing,
    /// The last value.
    Persistence,
}

/// In which direction a period changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeriodStep {
    /// Fewer cycles per second.
    Longer,
    /// More cycles per second.
    Shorter,
}

impl TaskAction {
    /// Doing it twice is doing it once: it may be repeated when it is unknown whether it was done.
    pub fn is_idempotent(self) -> bool {
        match self {
            TaskAction::SwitchForecaster { .. }
            | TaskAction::RaiseIncident { .. }
            | TaskAction::ClearIncident
            | TaskAction::Turn(_) => true,
            TaskAction::SampleFaster { .. }
            | TaskAction::SampleSlower { .. }
            | TaskAction::AskPeer { .. }
            | TaskAction::ChangePeriod { .. } => false,
        }
    }

    /// The group that it is about, if it is about one.
    pub fn group(self) -> Option<u16> {
        match self {
            TaskAction::SampleFaster { group }
            | TaskAction::SampleSlower { group }
            | TaskAction::SwitchForecaster { group, .. }
            | TaskAction::RaiseIncident { group }
            | TaskAction::AskPeer { group } => Some(group),
            TaskAction::ClearIncident | TaskAction::ChangePeriod { .. } | TaskAction::Turn(_) => None,
        }
    }
}

pub(super) fn validate_all(tasks: &[TaskSpec]) -> Result<(), SpecError> {
    let count = tasks.len();
    expect((1..=MAX_TASKS).contains(&count), "goal.tasks", &count, "1 to 32")?;
    let names: Vec<&TaskName> = tasks.iter().map(|task| &task.name).collect();
    expect_distinct(&names, "goal.tasks.name")?;
    for task in tasks {
        let stranger = task.after.iter().find(|before| !names.contains(before));
        let found = stranger.map_or(String::new(), |name| format!("{name} in task {}", task.name));
        expect(stranger.is_none(), "goal.tasks.after", &found, "tasks of the same goal")?;
        expect_distinct(&task.after, "goal.tasks.after")?;
        validate_list(&task.when, "goal.tasks.when")?;
        let retries_fit = task.retries <= MAX_RETRIES;
        expect(retries_fit, "goal.tasks.retries", &task.retries, "0 to 5")?;
        let deadline = task.deadline_cycles.unwrap_or(1);
        let deadline_fits = (1..=MAX_TASK_DEADLINE_CYCLES).contains(&deadline);
        expect(deadline_fits, "goal.tasks.deadline_cycles", &deadline, "1 to 1000000")?;
        if let TaskAction::Turn(setting) = task.does {
            setting.validate()?;
        }
    }
    validate_order(tasks)
}

/// The tasks form a DAG: taking away, again and again, those whose predecessors are all gone leaves none.
fn validate_order(tasks: &[TaskSpec]) -> Result<(), SpecError> {
    let mut left: Vec<&TaskSpec> = tasks.iter().collect();
    loop {
        let count = left.len();
        let names: Vec<&TaskName> = left.iter().map(|task| &task.name).collect();
        left.retain(|task| task.after.iter().any(|before| names.contains(&before)));
        if left.len() == count {
            let found = left
                .first()
                .map_or(String::new(), |task| format!("a circle with {}", task.name));
            return expect(left.is_empty(), "goal.tasks.after", &found, "an order without circles");
        }
    }
}
