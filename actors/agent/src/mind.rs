//! What an agent's levels came to in their last passes, as people and programs read it: a view for each question that
//! one asks of a mind. What a level has not come to yet is absent.

mod autonomy;
mod foresight;
mod goal;
mod plan;

pub use autonomy::{
    AutonomyScore, ConditionRow, OwnGoalRow, OwnGoals, PeerRow, ResourceRow, Resources, RollbackRow, TrustTable,
    ValueRow, Values, VetoRow, Vetoes,
};
pub(crate) use foresight::Foresight;
pub use foresight::{BallotRow, CourseRow, FrameRow, Projection, Votes};
pub use goal::{CriterionGrade, OwnGoal};
pub use plan::{Allocation, GoalOrder, GrantRow, OrderedGoal, ScenarioRow, Scenarios, Strategies, StrategyRow};

use crate::self_model::SelfModel;
use rungs_host::Wire;
use rungs_types::GoalId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every view of the agent's mind; sent to its root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetMind {}

impl Wire for GetMind {
    const KIND: &'static str = "agent.mind";
    type Reply = Mind;

    fn example() -> Self {
        Self {}
    }
}

/// A goal that the agent thought of itself, with all that was said of it; sent to its root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetOwnGoal {
    /// Which.
    pub goal: GoalId,
}

impl Wire for GetOwnGoal {
    const KIND: &'static str = "agent.own_goal";
    type Reply = Option<OwnGoal>;

    fn example() -> Self {
        Self {
            goal: GoalId::new("l49-gap-1").expect("invariant: a valid name"),
        }
    }
}

/// Every view.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mind {
    /// The agent's last cycle.
    pub cycle: u64,
    /// How the frames of Level 4.5 voted; absent before its first report.
    pub votes: Option<Votes>,
    /// Where Level 4.5 sees the agent going; absent before its first report.
    pub projection: Option<Projection>,
    /// The open goals as Level 4.8 ranks them; absent before its first pass, as all of Level 4.8.
    pub order: Option<GoalOrder>,
    /// How strategies compare.
    pub strategies: Option<Strategies>,
    /// Who may use how much.
    pub allocation: Option<Allocation>,
    /// How the world may go on.
    pub scenarios: Option<Scenarios>,
    /// What the agent knows of itself.
    pub capabilities: Option<SelfModel>,
    /// The goals that Level 4.9 thought of; absent before its first pass, as all of Level 4.9.
    pub own_goals: Option<OwnGoals>,
    /// What the agent values.
    pub values: Option<Values>,
    /// For how long its resources last.
    pub resources: Option<Resources>,
    /// What it thinks of other agents.
    pub trust: Option<TrustTable>,
    /// How stable its autonomy is.
    pub ass: Option<AutonomyScore>,
    /// What it was not let do.
    pub vetoes: Option<Vetoes>,
}

/// A number as it is told: what is not finite is absent.
fn told(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
