//! Goals: what an agent is asked to reach, by which tasks, until when and at which cost.
//!
//! A goal succeeds by what is observed, not by what was done: its [`Success`] was false when the goal was approved and
//! then holds for 20 cycles after at least one action of the goal's own. Tasks are environment actions and changes of
//! knobs; they form a DAG.

mod condition;
mod knob;
mod reward;
mod task;

pub use condition::{Comparison, Condition, MAX_CONDITIONS, Quantity, Success};
pub use knob::{Knob, KnobSetting};
pub use reward::{DelayedReward, MAX_DELAYED_REWARDS, MAX_REWARD, MAX_REWARD_STEPS, Reward};
pub use task::{MAX_RETRIES, MAX_TASK_DEADLINE_CYCLES, PeriodStep, Speaker, TaskAction, TaskSpec};

use crate::name::{GoalId, SkillName};
use crate::spec::SpecError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Longest intent, in bytes.
pub const MAX_INTENT_BYTES: usize = 280;
/// Most tasks of one goal.
pub const MAX_TASKS: usize = 32;
/// Most goals that one goal waits for.
pub const MAX_PREREQUISITES: usize = 8;
/// Most skills that one goal needs.
pub const MAX_SKILLS: usize = 8;
/// Longest deadline, in L3 cycles.
pub const MAX_DEADLINE_CYCLES: u64 = 10_000_000;
/// Most environment actions that one goal may take.
pub const MAX_GOAL_ACTIONS: u32 = 10_000;
/// The guard keeps a tenth of everything, so no goal can ask for more than the rest.
pub const MAX_GOAL_SHARE: f64 = 0.9;

/// A goal, as asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GoalSpec {
    /// Its name within the agent: the same name submitted twice is one goal.
    pub goal: GoalId,
    /// What it is for, in the words of whoever set it, 1 to 280 bytes.
    pub intent: String,
    /// Who set it.
    #[serde(default)]
    pub origin: Origin,
    /// How far ahead it lies.
    #[serde(default)]
    pub tier: Tier,
    /// When it is reached.
    pub success: Success,
    /// What is done for it, 1 to 32 tasks.
    pub tasks: Vec<TaskSpec>,
    /// Goals that must have succeeded before it is approved, at most 8.
    #[serde(default)]
    pub after: Vec<GoalId>,
    /// L3 cycles from approval within which it must succeed, 1 to 10,000,000; without it, it may take any time.
    #[serde(default)]
    pub deadline_cycles: Option<u64>,
    /// What it may use.
    #[serde(default)]
    pub budget: GoalBudget,
    /// Skills that it needs, at most 8.
    #[serde(default)]
    pub skills: Vec<SkillName>,
    /// What it brings.
    #[serde(default)]
    pub reward: Reward,
    /// What it serves: a weight of 0 to 1 for each value dimension. Empty: the agent's purpose.
    #[serde(default)]
    pub weights: BTreeMap<ValueDimension, f64>,
}

/// Who set a goal. Only the same origin can take it back.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A person, or a program in a person's name.
    #[default]
    User,
    /// Level 4.8.
    L48,
    /// Level 4.9.
    L49,
    /// Level 6.
    L6,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Origin::User => "user",
            Origin::L48 => "l48",
            Origin::L49 => "l49",
            Origin::L6 => "l6",
        })
    }
}

/// How far ahead a goal lies (MSCP Level 4.8, section 5.1).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Where the agent is to be in the long run.
    Strategic,
    /// What leads there.
    Operational,
    /// What is next.
    #[default]
    Tactical,
}

impl Tier {
    /// All tiers, the farthest first.
    pub const ALL: [Tier; 3] = [Tier::Strategic, Tier::Operational, Tier::Tactical];

    /// The tier's place in [`Tier::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Goals of the tier that are worked on at the same time: 3, 7, 15.
    pub fn cap(self) -> usize {
        [3, 7, 15][self.index()]
    }

    /// L3 cycles that it looks ahead: 1,000, 200, 50.
    pub fn horizon_cycles(self) -> u32 {
        [1_000, 200, 50][self.index()]
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(["strategic", "operational", "tactical"][self.index()])
    }
}

/// What a goal may use.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GoalBudget {
    /// Environment actions, retries included, 1 to 10,000.
    pub actions: u32,
    /// Share of the agent's own budget that it asks for, above 0, at most 0.9.
    pub share: f64,
}

impl Default for GoalBudget {
    fn default() -> Self {
        Self {
            actions: 100,
            share: 0.1,
        }
    }
}

/// What an agent can value (MSCP Level 4.9, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueDimension {
    /// That it does not tip over.
    Stability,
    /// That it gets better.
    Growth,
    /// That it does what it is there for.
    PurposeFidelity,
    /// That it wastes nothing.
    Efficiency,
    /// That it learns what it does not know.
    Exploration,
    /// That it does no harm.
    Safety,
    /// That it works well with others.
    AgentCooperation,
}

impl ValueDimension {
    /// All seven, in the order of MSCP Level 4.9, section 4.1.
    pub const ALL: [ValueDimension; 7] = [
        ValueDimension::Stability,
        ValueDimension::Growth,
        ValueDimension::PurposeFidelity,
        ValueDimension::Efficiency,
        ValueDimension::Exploration,
        ValueDimension::Safety,
        ValueDimension::AgentCooperation,
    ];

    /// The dimension's place in [`ValueDimension::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ValueDimension::Stability => "stability",
            ValueDimension::Growth => "growth",
            ValueDimension::PurposeFidelity => "purpose_fidelity",
            ValueDimension::Efficiency => "efficiency",
            ValueDimension::Exploration => "exploration",
            ValueDimension::Safety => "safety",
            ValueDimension::AgentCooperation => "agent_cooperation",
        }
    }
}

impl std::fmt::Display for ValueDimension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl GoalSpec {
    /// Checks every range and reference that can be checked without knowing the agent, and names the field at fault.
    pub fn validate(&self) -> Result<(), SpecError> {
        let intent = self.intent.len();
        expect(
            (1..=MAX_INTENT_BYTES).contains(&intent),
            "goal.intent",
            &format!("{intent} bytes"),
            "1 to 280 bytes",
        )?;
        self.success.validate()?;
        task::validate_all(&self.tasks)?;
        self.validate_references()?;
        let deadline = self.deadline_cycles.unwrap_or(1);
        let deadline_fits = (1..=MAX_DEADLINE_CYCLES).contains(&deadline);
        expect(deadline_fits, "goal.deadline_cycles", &deadline, "1 to 10000000")?;
        let GoalBudget { actions, share } = self.budget;
        let actions_fit = (1..=MAX_GOAL_ACTIONS).contains(&actions);
        expect(actions_fit, "goal.budget.actions", &actions, "1 to 10000")?;
        let share_fits = share > 0.0 && share <= MAX_GOAL_SHARE;
        expect(share_fits, "goal.budget.share", &share, "above 0, at most 0.9")?;
        self.reward.validate()?;
        let weight = self.weights.values().find(|weight| !(0.0..=1.0).contains(*weight));
        expect(weight.is_none(), "goal.weights", &weight.unwrap_or(&0.0), "0 to 1")?;
        let idle = !self.weights.is_empty() && self.weights.values().all(|weight| *weight == 0.0);
        expect(!idle, "goal.weights", &"0 for all", "one above 0")
    }

    fn validate_references(&self) -> Result<(), SpecError> {
        let after = self.after.len();
        expect(after <= MAX_PREREQUISITES, "goal.after", &after, "at most 8")?;
        let itself = !self.after.contains(&self.goal);
        expect(itself, "goal.after", &self.goal, "another goal")?;
        expect_distinct(&self.after, "goal.after")?;
        let skills = self.skills.len();
        expect(skills <= MAX_SKILLS, "goal.skills", &skills, "at most 8")?;
        expect_distinct(&self.skills, "goal.skills")
    }

    /// Checks what it says of an environment with so many dimensions and groups.
    pub fn validate_for(&self, dimensions: usize, groups: usize) -> Result<(), SpecError> {
        let conditions = self.success.conditions();
        let mut all = conditions.chain(self.tasks.iter().flat_map(|task| &task.when));
        let beyond = all.find_map(|c| c.of.dimension().filter(|d| usize::from(*d) >= dimensions));
        let fits = beyond.is_none();
        let expected = format!("below {dimensions}, the dimensions of the environment");
        expect_computed(fits, "goal.condition.dimension", &beyond.unwrap_or(0), expected)?;
        let mut groups_used = self.tasks.iter().filter_map(|task| task.does.group());
        let beyond = groups_used.find(|group| usize::from(*group) >= groups);
        let expected = format!("below {groups}, the groups of the environment");
        expect_computed(
            beyond.is_none(),
            "goal.tasks.does.group",
            &beyond.unwrap_or(0),
            expected,
        )
    }
}

fn expect(holds: bool, field: &'static str, found: &dyn fmt::Display, expected: &'static str) -> Result<(), SpecError> {
    expect_computed(holds, field, found, expected.to_owned())
}

fn expect_computed(
    holds: bool,
    field: &'static str,
    found: &dyn fmt::Display,
    expected: String,
) -> Result<(), SpecError> {
    if holds {
        return Ok(());
    }
    let found = found.to_string();
    Err(SpecError::OutOfRange { field, found, expected })
}

fn expect_distinct<T: PartialEq + fmt::Display>(names: &[T], field: &'static str) -> Result<(), SpecError> {
    let mut rest = names.iter().enumerate();
    let twice = rest.find(|(index, name)| names[..*index].contains(name));
    let found = twice.map_or(String::new(), |(_, name)| format!("{name} twice"));
    expect(twice.is_none(), field, &found, "each once")
}

#[cfg(test)]
mod tests;
