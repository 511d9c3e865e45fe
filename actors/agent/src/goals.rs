//! The goals of an agent by name: what its kernel receives about them, beside ticks and questions. The kernel owns the
//! table; what is decided about it is in `rungs_mind::goals`.

use rungs_host::{Refusal, Wire};
use rungs_mind::goals::{GoalRecord, GoalView, Runner, SubmitError};
use rungs_types::goal::{
    Comparison, Condition, GoalBudget, Origin, Quantity, Reward, Success, TaskAction, TaskSpec, Tier,
};
use rungs_types::{Address, AgentId, CheckpointId, ErrorCode, GoalId, GoalSpec, NodeName, TaskName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sets a goal; sent to `<agent>#kernel`. Whoever sends it is a user, whatever its origin says. It is answered when the
/// goal is durable. The same goal twice is one, so that a caller who got no answer can ask again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitGoal {
    /// The goal.
    pub spec: GoalSpec,
}

/// Sets a goal, whichever node its agent is on; sent to `@node/goals` of any node. It is answered when the goal is durable:
/// with what the agent says, or as `accepted` when the agent has yet to take it. The same goal twice is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptGoal {
    /// Whose goal it is to be.
    pub agent: AgentId,
    /// The goal.
    pub spec: GoalSpec,
    /// What tells a submission that is repeated from another one, within the tenant; without it the names of agent and goal.
    #[serde(default)]
    pub key: Option<String>,
}

/// Sets a goal that the cluster has accepted; sent to `<agent>#kernel` by whoever keeps it until then. A goal that was set
/// under its number is not set again, also when it is closed by now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeGoal {
    /// The goal.
    pub spec: GoalSpec,
    /// Its number, from 1; no other goal that was accepted has it.
    pub number: u64,
}

/// Cancels a goal that a user has set; sent to `<agent>#kernel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelGoal {
    /// Which.
    pub goal: GoalId,
}

/// The goals that are worked on, those that wait, and those closed lately; sent to `<agent>#kernel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListGoals {}

/// All about a goal in the table; sent to `<agent>#kernel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetGoal {
    /// Which.
    pub goal: GoalId,
}

/// A goal in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GoalEntry {
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

/// All about a goal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GoalDetail {
    /// As it was asked for.
    pub spec: GoalSpec,
    /// Where it stands, and why.
    pub state: String,
    /// The cycle in which it was set.
    pub set_at: u64,
    /// The cycle in which it was approved.
    pub approved_at: Option<u64>,
    /// The cycle in which it was closed.
    pub closed_at: Option<u64>,
    /// The cycle by which it must succeed; absent without a deadline, and until it is approved.
    pub deadline_at: Option<u64>,
    /// Environment actions taken for it.
    pub actions: u32,
    /// Cycles in a row for which its success has held, of 20.
    pub held_cycles: u32,
    /// Its tasks, in the order of the spec's.
    pub tasks: Vec<TaskDetail>,
}

/// A task of a goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskDetail {
    /// Its name.
    pub name: TaskName,
    /// Where it stands.
    pub state: String,
    /// Attempts started.
    pub attempts: u32,
    /// Those of them that failed.
    pub failures: u8,
    /// The cycle by which it must be done; absent without a deadline, and until the tasks before it are done.
    pub deadline_at: Option<u64>,
}

/// The role of the actor of each node that accepts goals.
pub const ACCEPTOR_ROLE: &str = "goals";

/// Where a node accepts goals.
pub fn acceptor_of(node: &NodeName) -> Address {
    Address::Node {
        node: node.clone(),
        role: crate::tree::role(ACCEPTOR_ROLE),
    }
}

/// Who has an agent's goals.
pub fn kernel_of(agent: &AgentId) -> Address {
    Address::Agent {
        agent: agent.clone(),
        role: Some(crate::tree::role(crate::kernel::ROLE)),
    }
}

impl GoalEntry {
    /// A goal that is durable, and that its agent has yet to take.
    pub fn accepted(spec: &GoalSpec) -> Self {
        Self {
            goal: spec.goal.clone(),
            intent: spec.intent.clone(),
            origin: spec.origin.to_string(),
            tier: spec.tier.to_string(),
            state: "accepted".to_owned(),
            tasks_done: 0,
            tasks: u32::try_from(spec.tasks.len()).unwrap_or(u32::MAX),
            actions: 0,
            after: spec.after.clone(),
        }
    }
}

impl From<&GoalRecord> for GoalDetail {
    fn from(record: &GoalRecord) -> Self {
        let by = |from: Option<u64>, cycles: Option<u64>| Some(from?.saturating_add(cycles?));
        let tasks = record
            .spec
            .tasks
            .iter()
            .zip(&record.tasks)
            .map(|(spec, task)| TaskDetail {
                name: spec.name.clone(),
                state: task.state.to_string(),
                attempts: task.attempts,
                failures: task.failures,
                deadline_at: by(task.ready_at, spec.deadline_cycles.map(u64::from)),
            });
        Self {
            spec: GoalSpec::clone(&record.spec),
            state: record.state.to_string(),
            set_at: record.set_at,
            approved_at: record.approved_at,
            closed_at: record.closed_at,
            deadline_at: by(record.approved_at, record.spec.deadline_cycles),
            actions: record.actions,
            held_cycles: record.held_cycles,
            tasks: tasks.collect(),
        }
    }
}

impl From<GoalView> for GoalEntry {
    fn from(view: GoalView) -> Self {
        Self {
            goal: view.goal,
            intent: view.intent,
            origin: view.origin,
            tier: view.tier,
            state: view.state,
            tasks_done: view.tasks_done,
            tasks: view.tasks,
            actions: view.actions,
            after: view.after,
        }
    }
}

impl Wire for SubmitGoal {
    const KIND: &'static str = "goal.submit";
    type Reply = GoalEntry;

    fn example() -> Self {
        Self { spec: example() }
    }
}

impl Wire for AcceptGoal {
    const KIND: &'static str = "goal.accept";
    type Reply = GoalEntry;

    fn example() -> Self {
        Self {
            agent: "ops-1".parse().expect("invariant: a valid name"),
            spec: example(),
            key: None,
        }
    }
}

impl Wire for TakeGoal {
    const KIND: &'static str = "goal.take";
    type Reply = GoalEntry;

    fn example() -> Self {
        Self {
            spec: example(),
            number: 1,
        }
    }
}

impl Wire for CancelGoal {
    const KIND: &'static str = "goal.cancel";
    type Reply = GoalEntry;

    fn example() -> Self {
        Self { goal: example().goal }
    }
}

impl Wire for GetGoal {
    const KIND: &'static str = "goal.show";
    type Reply = GoalDetail;

    fn example() -> Self {
        Self { goal: example().goal }
    }
}

impl Wire for ListGoals {
    const KIND: &'static str = "goal.list";
    type Reply = Vec<GoalEntry>;

    fn example() -> Self {
        Self {}
    }
}

/// A goal of one task: to be told when the first dimension is above 90, and to see it below 80 again.
fn example() -> GoalSpec {
    let first = |is, value| Condition {
        of: Quantity::Dimension(0),
        is,
        value,
    };
    GoalSpec {
        goal: GoalId::new("calm").expect("invariant: a valid name"),
        intent: "have somebody look when the load is high".into(),
        origin: Origin::User,
        tier: Tier::Tactical,
        success: Success {
            all: vec![first(Comparison::Below, 80.0)],
            any: Vec::new(),
        },
        tasks: vec![TaskSpec {
            name: TaskName::new("tell").expect("invariant: a valid name"),
            does: TaskAction::RaiseIncident { group: 0 },
            after: Vec::new(),
            when: vec![first(Comparison::Above, 90.0)],
            retries: 1,
            deadline_cycles: None,
        }],
        after: Vec::new(),
        deadline_cycles: Some(10_000),
        budget: GoalBudget::default(),
        skills: Vec::new(),
        reward: Reward::default(),
        weights: BTreeMap::new(),
    }
}

/// Sets a user's goal that was accepted under a number, unless it was set under it before.
pub(crate) fn take(goals: &mut Runner, taken: TakeGoal) -> Result<GoalEntry, Refusal> {
    let TakeGoal { spec, number } = taken;
    let number = CheckpointId(number);
    let known = |record: &GoalRecord| record.spec.origin == Origin::User && record.checkpoint == number;
    if goals.goal(&spec.goal).is_some_and(known) {
        return entry(goals, &spec.goal);
    }
    set(goals, spec, number)
}

/// Sets a user's goal.
pub(crate) fn submit(goals: &mut Runner, spec: GoalSpec) -> Result<GoalEntry, Refusal> {
    set(goals, spec, CheckpointId::default())
}

fn set(goals: &mut Runner, spec: GoalSpec, number: CheckpointId) -> Result<GoalEntry, Refusal> {
    let goal = spec.goal.clone();
    let spec = GoalSpec {
        origin: Origin::User,
        ..spec
    };
    let set = goals.submit(&Arc::new(spec), number, true);
    set.map_err(|error| Refusal::new(code_of(&error), &error.to_string()))?;
    entry(goals, &goal)
}

/// Cancels a user's goal.
pub(crate) fn cancel(goals: &mut Runner, goal: &GoalId) -> Result<GoalEntry, Refusal> {
    if goals.cancel(goal, Origin::User) {
        entry(goals, goal)
    } else {
        let text = format!("no goal {goal} of a user is open");
        Err(Refusal::new(ErrorCode::NotFound, &text))
    }
}

/// Every goal.
pub(crate) fn list(goals: &Runner) -> Vec<GoalEntry> {
    goals.views().into_iter().map(GoalEntry::from).collect()
}

/// All about one.
pub(crate) fn show(goals: &Runner, goal: &GoalId) -> Result<GoalDetail, Refusal> {
    goals.goal(goal).map(GoalDetail::from).ok_or_else(|| missing(goal))
}

fn missing(goal: &GoalId) -> Refusal {
    Refusal::new(ErrorCode::NotFound, &format!("no goal {goal}"))
}

fn entry(goals: &Runner, goal: &GoalId) -> Result<GoalEntry, Refusal> {
    let found = list(goals).into_iter().find(|entry| entry.goal == *goal);
    found.ok_or_else(|| missing(goal))
}

fn code_of(error: &SubmitError) -> ErrorCode {
    match error {
        SubmitError::Spec(_) => ErrorCode::Malformed,
        SubmitError::Full { .. } => ErrorCode::Overloaded,
        SubmitError::Taken { .. } | SubmitError::AlreadyHolds { .. } | SubmitError::NotPermitted => ErrorCode::Refused,
    }
}
