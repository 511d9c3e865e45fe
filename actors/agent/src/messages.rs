//! What an agent, and the actors of its tree, receive by name: from the shell, another node, or the embedding program.
//!
//! The same types are JSON in the shell and bincode between nodes; [`crate::AgentHandle`] sends them on this node.

use crate::mind::VetoRow;
use crate::qualification::Qualification;
use crate::self_model::SelfModel;
use rungs_host::Wire;
use rungs_host::metering::MeterReading;
use rungs_types::peer::Answer;
use rungs_types::{AgentId, AgentSpec, AgentStatus, Authority, CheckpointId, Epoch, Level, NodeName, PeerMessage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest name of an operator, in characters; longer ones are cut.
pub const MAX_OPERATOR_CHARS: usize = 64;

macro_rules! wire {
    ($message:ty, $kind:literal => $reply:ty, $example:expr) => {
        impl Wire for $message {
            const KIND: &'static str = $kind;
            type Reply = $reply;

            fn example() -> Self {
                $example
            }
        }
    };
}

/// The state of the agent in one line of a status view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetStatus {}
wire!(GetStatus, "agent.status" => AgentStatus, Self {});

/// All about the agent: what it was asked to be, its levels, the actors of its tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Describe {}
wire!(Describe, "agent.describe" => AgentDescription, Self {});

/// How a level stands in its audit: each criterion, the score, and whether that qualifies; none of a level that the
/// agent does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Qualify {
    /// L4.8, which is meant without it, or L4.9.
    #[serde(default = "default_audited")]
    pub level: Level,
}
wire!(Qualify, "agent.qualification" => Option<Qualification>, Self { level: Level::L49 });

fn default_audited() -> Level {
    Level::L48
}

/// The last advice of the highest level that may be seen, and how old it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetForecast {}
wire!(GetForecast, "agent.forecast" => Option<Forecast>, Self {});

/// Freezes a level and every level above it until [`Thaw`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The level: L4.5, L4.8, L4.9 or L6.
    pub level: Level,
    /// Who orders it, at most [`MAX_OPERATOR_CHARS`] characters; `operator` if empty.
    #[serde(default)]
    pub who: String,
}
wire!(Freeze, "agent.freeze" => LevelStanding, Self { level: Level::L48, who: "ada".into() });

/// Lets a level that an operator has frozen come back by its own protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Thaw {
    /// The level.
    pub level: Level,
    /// Who orders it.
    #[serde(default)]
    pub who: String,
}
wire!(Thaw, "agent.thaw" => LevelStanding, Self { level: Level::L48, who: "ada".into() });

/// Gives a level an authority, at most that of the level below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAuthority {
    /// The level.
    pub level: Level,
    /// The authority it is to have.
    pub value: Authority,
    /// Who orders it.
    #[serde(default)]
    pub who: String,
}
wire!(
    SetAuthority,
    "agent.authority" => LevelStanding,
    Self { level: Level::L48, value: Authority::Advisory, who: "ada".into() }
);

/// Clears a level's suspension and its persistent veto; it comes back by its own protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clear {
    /// The level.
    pub level: Level,
    /// Who orders it.
    #[serde(default)]
    pub who: String,
}
wire!(Clear, "agent.clear" => LevelStanding, Self { level: Level::L48, who: "ada".into() });

/// The agent is to be someone else from now on: the identity that its integrity is measured by is taken anew, from its next
/// 200 converged cycles. Until then its integrity is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetIdentity {
    /// Who orders it.
    #[serde(default)]
    pub who: String,
}
wire!(ResetIdentity, "agent.reset_identity" => LevelStanding, Self { who: "ada".into() });

/// Writes a snapshot now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeSnapshot {}
wire!(TakeSnapshot, "agent.snapshot" => SnapshotTaken, Self {});

/// What another agent says. An agent with Level 4.9 takes in one message of each other agent of its tenant in 50 of its
/// cycles, and refuses the others.
///
/// That it is `from` whom it says is vouched for by the node that sends it, whose certificate the cluster's authority has
/// signed; nobody without one can send it. There is no proof by the agent itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Say {
    /// Who says it.
    pub from: AgentId,
    /// What.
    pub message: PeerMessage,
}
wire!(Say, "agent.peer" => Heard, Self { from: example_agent(), message: PeerMessage::Kept { id: 1 } });

/// Another agent asks what is to be expected of a group of dimensions; sent to `<agent>#kernel`. An agent with Level 4.9
/// answers one question of each other agent of its tenant in 50 of its cycles, unless it has come to distrust it, and
/// refuses the others. Who asks is vouched for as in [`Say`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// Who asks.
    pub from: AgentId,
    /// The name of the group, as the environment of whoever is asked has it.
    pub about: String,
}
wire!(Ask, "agent.ask" => Answer, Self { from: example_agent(), about: "cpu".to_owned() });

/// What the agent has heard of other agents, and which of them it models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetPeers {}
wire!(GetPeers, "agent.peers" => Acquaintance, Self {});

/// The state of one actor of the tree; sent to a role such as `ops-1#l48/observe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetRoleState {}
wire!(GetRoleState, "role.state" => RoleState, Self {});

/// Starts an agent on this node. Not received by name: whoever starts an agent registers it first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpawnAgent {
    /// What it is to be.
    pub spec: AgentSpec,
    /// The epoch of its shard in which it is started: whatever it writes for others to see carries it.
    #[serde(default)]
    pub epoch: Epoch,
}
wire!(SpawnAgent, "agents.spawn" => AgentEntry, Self { spec: AgentSpec::new(example_agent()), epoch: Epoch(1) });

/// Stops an agent of this node in order, with a last snapshot. Not received by name either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopAgent {
    /// Which.
    pub agent: AgentId,
}
wire!(StopAgent, "agents.stop" => AgentEntry, Self { agent: example_agent() });

/// Starts a parked agent again; sent to `@node/agents`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnparkAgent {
    /// Which.
    pub agent: AgentId,
}
wire!(UnparkAgent, "agents.unpark" => AgentEntry, Self { agent: example_agent() });

/// The agents of this node, by name; sent to `@node/agents`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAgents {
    /// Only those after this one.
    #[serde(default)]
    pub after: Option<AgentId>,
    /// At most so many, 1 to [`MAX_LISTED_AGENTS`].
    #[serde(default = "default_listed_agents")]
    pub limit: u32,
}
wire!(ListAgents, "agents.list" => Vec<AgentEntry>, Self { after: None, limit: default_listed_agents() });

/// Most agents that one [`ListAgents`] answers with.
pub const MAX_LISTED_AGENTS: u32 = 1_000;

fn default_listed_agents() -> u32 {
    MAX_LISTED_AGENTS
}

fn example_agent() -> AgentId {
    "ops-1".parse().expect("invariant: a valid name")
}

/// A level's place after an order was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LevelStanding {
    /// The level.
    pub level: Level,
    /// Its effective authority.
    pub authority: Authority,
    /// Its epoch; a freeze raises it.
    pub epoch: Epoch,
    /// Its last verified state.
    pub checkpoint: CheckpointId,
}

/// What the agent has heard of other agents, and which of them it models.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Acquaintance {
    /// Messages taken in since the last start of its tree.
    pub heard: u64,
    /// Messages and questions refused since then.
    pub refused: u64,
    /// Questions put to other agents since then that were answered.
    pub answered: u64,
    /// Questions put to other agents since then that were not answered.
    pub unanswered: u64,
    /// The agents that Level 4.9 models, as of its last pass.
    pub modelled: Vec<ModelledAgent>,
}

/// An agent that another one models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelledAgent {
    /// Which.
    pub agent: AgentId,
    /// How far it is trusted, 0 to 1; 0.5 at first.
    pub trust: f64,
    /// Share of its claims and promises that held; absent before one was checked.
    pub reliability: Option<f64>,
}

/// What another agent said was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heard {
    /// In which of the listener's cycles.
    pub cycle: u64,
}

/// A snapshot that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotTaken {
    /// Its number; a later one is greater.
    pub sequence: u64,
    /// The L3 cycle it stands at.
    pub cycle: u64,
    /// Its size.
    pub bytes: u64,
}

/// The last advice that an agent's levels gave, in the environment's units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// Who forecasts.
    pub level: Level,
    /// The last cycle that was known to it.
    pub from_cycle: u64,
    /// One per dimension, in the environment's order.
    pub dimensions: Vec<DimensionForecast>,
    /// Environmental uncertainty (MSCP Level 4.8, Definition 2).
    pub eu: f64,
    /// Risk exposure score (Definition 3).
    pub res: f64,
    /// Cycles of runway (Definition 4).
    pub rdf: f64,
}

/// The forecast of one dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DimensionForecast {
    /// The dimension's name.
    pub name: String,
    /// One cycle ahead of the last observation; absent while there is none.
    pub value: Option<f64>,
    /// Posterior variance, standardised; absent while there is none.
    pub variance: Option<f64>,
}

/// All about an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentDescription {
    /// What it was asked to be.
    pub spec: AgentSpec,
    /// The node it runs on.
    pub node: NodeName,
    /// Its state.
    pub status: AgentStatus,
    /// Its levels, lowest first.
    pub levels: Vec<LevelDescription>,
    /// The actors of its tree, in the order of their start.
    pub actors: Vec<ActorDescription>,
    /// What it observes.
    pub dimensions: Vec<String>,
    /// The last snapshot; absent before the first.
    pub snapshot: Option<SnapshotTaken>,
    /// What it knows of itself; absent before Level 4.8's first pass on this node.
    pub self_model: Option<SelfModel>,
    /// The scores of its levels above L4.5; absent of an agent that has none.
    pub autonomy: Option<AutonomySummary>,
    /// What it has cost since its first start on this node.
    pub cost: MeterReading,
}

/// How far an agent has come, in three scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AutonomySummary {
    /// The score of Level 4.8's audit; qualifies from 0.80.
    pub sms: f64,
    /// The score of Level 4.9's audit; qualifies from 0.80. Absent without Level 4.9.
    pub ams: Option<f64>,
    /// The Autonomy Stability Score; absent while Level 4.9 has not looked.
    pub ass: Option<f64>,
    /// What Level 4.9 was not let do last.
    pub last_veto: Option<VetoRow>,
}

/// One level of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LevelDescription {
    /// Level, authority, epoch, checkpoint.
    pub standing: LevelStanding,
    /// What it is doing and what it waits for, in one line.
    pub state: String,
}

/// One actor of an agent's tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActorDescription {
    /// Its role, such as `l48/observe`; the root's is `agent`.
    pub role: String,
    /// How often it has been started; 1 is the first start.
    pub generation: u32,
    /// Messages waiting in its mailbox.
    pub mailbox_depth: u32,
}

/// The state of one actor of an agent's tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoleState {
    /// Its role.
    pub role: String,
    /// The last L3 cycle it has worked on.
    pub cycle: u64,
    /// Pieces of work done since its start: cycles, reports or batons.
    pub steps: u64,
    /// What it is doing, in one line.
    pub detail: String,
}

/// An agent that a node hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentEntry {
    /// The agent.
    pub agent: AgentId,
    /// What it does.
    pub state: AgentState,
    /// How often it has been started on this node; 1 is the first start.
    pub generation: u32,
}

/// What a hosted agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Its tree is being started.
    Starting,
    /// It cycles.
    Running,
    /// It failed and waits for its next start.
    Waiting,
    /// It failed too often and rests until an operator starts it.
    Parked,
    /// It is being stopped, or has been.
    Stopped,
}

/// An operator's name as it goes into events: cut, and never empty.
pub(crate) fn operator(who: &str) -> String {
    let cut: String = who.trim().chars().take(MAX_OPERATOR_CHARS).collect();
    if cut.is_empty() { "operator".to_owned() } else { cut }
}
