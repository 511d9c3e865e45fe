//! The knobs of a strategy: what of the kernel, the executor of tasks and the allocator can be turned while they run.

use super::expect_computed;
use crate::spec::SpecError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One knob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Knob {
    /// Probability per cycle that the kernel tries an action that is better than holding but not the best.
    ExplorationRate,
    /// Tasks under way at the same time.
    ParallelTasks,
    /// Attempts after a failed one, where the task allows so many.
    RetryBudget,
    /// How far a comparison of strategies looks ahead: 0 for 50 cycles, 1 for 200, 2 for 1,000.
    PlanningDepth,
    /// C_L4 from which no task is started.
    RiskCap,
    /// Share of each resource that no goal may use.
    ReserveShare,
}

impl Knob {
    /// All knobs.
    pub const ALL: [Knob; 6] = [
        Knob::ExplorationRate,
        Knob::ParallelTasks,
        Knob::RetryBudget,
        Knob::PlanningDepth,
        Knob::RiskCap,
        Knob::ReserveShare,
    ];

    /// The knob's place in [`Knob::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Lowest and highest setting.
    pub fn range(self) -> (f64, f64) {
        match self {
            Knob::ExplorationRate => (0.0, 0.2),
            Knob::ParallelTasks => (1.0, 8.0),
            Knob::RetryBudget => (0.0, 5.0),
            Knob::PlanningDepth => (0.0, 2.0),
            Knob::RiskCap => (0.0, 1.0),
            Knob::ReserveShare => (0.0, 0.5),
        }
    }

    /// Only whole numbers are settings of it.
    pub fn is_whole(self) -> bool {
        matches!(self, Knob::ParallelTasks | Knob::RetryBudget | Knob::PlanningDepth)
    }

    /// The name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Knob::ExplorationRate => "exploration_rate",
            Knob::ParallelTasks => "parallel_tasks",
            Knob::RetryBudget => "retry_budget",
            Knob::PlanningDepth => "planning_depth",
            Knob::RiskCap => "risk_cap",
            Knob::ReserveShare => "reserve_share",
        }
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A knob and where it is set to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnobSetting {
    /// Which.
    pub knob: Knob,
    /// The setting, within [`Knob::range`].
    pub to: f64,
}

impl KnobSetting {
    /// The setting is one that the knob has.
    pub fn is_valid(&self) -> bool {
        let (low, high) = self.knob.range();
        (low..=high).contains(&self.to) && (!self.knob.is_whole() || self.to.fract() == 0.0)
    }

    pub(super) fn validate(&self) -> Result<(), SpecError> {
        let (low, high) = self.knob.range();
        let kind = if self.knob.is_whole() { "a whole number, " } else { "" };
        let found = format!("{} for {}", self.to, self.knob);
        let expected = format!("{kind}{low} to {high}");
        expect_computed(self.is_valid(), "goal.tasks.does.to", &found, expected)
    }
}
