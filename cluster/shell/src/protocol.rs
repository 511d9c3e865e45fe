//! The messages of `@node/admin`, the actor of each node that answers the shell. What concerns one agent goes to the
//! agent itself, starting and stopping agents to `@node/activator` (see `rungs_directory::activation::messages`), and what
//! is parked to `@node/agents` (see `rungs_agent::messages`).

use rungs_host::{KindDescription, TreeNode, Wire};
use rungs_types::{Address, AgentId, Authority, EnvironmentSpec, NodeName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The role of the actor that receives these messages.
pub const ADMIN_ROLE: &str = "admin";

/// Asks what a node is and how it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeInfo {}

/// How a node is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeReport {
    /// Its name and incarnation, `name~incarnation`.
    pub node: String,
    /// Its roles, such as `voter`.
    pub roles: Vec<String>,
    /// Its process id.
    pub pid: u32,
    /// Since its start, in milliseconds.
    pub uptime_ms: u64,
    /// Agents that run on it.
    pub agents: u32,
    /// Agents that are parked on it.
    pub parked: u32,
    /// Agents that rest on it until they are wanted.
    pub passive: u64,
    /// Cycles of all its agents in the last second.
    pub cycles_per_s: f64,
    /// In how long after its cycle was due 99 of 100 decisions were done, in microseconds, over the last 10 s; absent while
    /// there were none.
    pub decision_us_p99: Option<u64>,
    /// How old the oldest snapshot of its agents is of which no other node has a copy, nor of a later one, in milliseconds; 0
    /// if all are copied. Absent for a node that is alone.
    pub copy_age_ms: Option<u64>,
    /// Resident memory of the process, without what is mapped from files, in bytes; 0 where the system does not tell.
    pub resident_bytes: u64,
    /// Threads of phases that were abandoned because they did not end.
    pub abandoned_threads: u32,
    /// Fault injection is allowed.
    pub faults_allowed: bool,
    /// The node is stopping: its agents are saved and its links closed.
    pub draining: bool,
    /// The other members as this node sees them.
    pub peers: Vec<PeerReport>,
}

/// One node in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeRow {
    /// Its name.
    pub node: NodeName,
    /// How it is; absent if it does not answer.
    pub report: Option<NodeReport>,
}

/// Another node as one node sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PeerReport {
    /// Its name.
    pub node: NodeName,
    /// The incarnation the link leads to; absent while there is no link.
    pub incarnation: Option<u64>,
    /// The link is up.
    pub up: bool,
    /// Milliseconds since it came up; 0 while it is down.
    pub since_ms: u64,
    /// Round trip of the last probe, in microseconds.
    pub round_trip_us: Option<u64>,
    /// Bytes sent and received over the link.
    pub bytes: [u64; 2],
}

/// Asks for the links of a node.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListLinks {}

/// A link as the node at this end of it sees it. Counts are since the conversation with the peer began; it may have gone on
/// over several connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LinkRow {
    /// The node.
    pub node: NodeName,
    /// The peer, `name~incarnation`.
    pub peer: String,
    /// Milliseconds since the connection came up.
    pub age_ms: u64,
    /// Round trip of the last probe, in microseconds.
    pub round_trip_us: Option<u64>,
    /// Bytes sent and received over the connection.
    pub bytes: [u64; 2],
    /// Messages told and questions asked.
    pub sent: [u64; 2],
    /// Messages from the peer that reached a mailbox, and that were refused.
    pub received: [u64; 2],
    /// Messages to the peer that it refused.
    pub refused_by_peer: u64,
    /// Questions that wait for an answer.
    pub pending_asks: u64,
    /// Messages that wait to be sent: control, data, large ones.
    pub queued: [u64; 3],
    /// Messages sent and not yet acknowledged, and their bytes.
    pub unacknowledged: [u64; 2],
    /// How often the conversation went on over another connection.
    pub resumed: u64,
    /// Frames that were sent again then, and frames of the peer that came again and were dropped.
    pub repeated_frames: [u64; 2],
}

/// Asks for a supervision tree.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// Only this agent's; the whole node without it.
    #[serde(default)]
    pub agent: Option<AgentId>,
}

/// Asks which agents a node runs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAgents {}

/// One agent in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentRow {
    /// The agent.
    pub agent: AgentId,
    /// The node it runs on.
    pub node: NodeName,
    /// `starting`, `running`, `waiting` (to be started again), `parked` or `stopped`.
    pub state: String,
    /// What it watches.
    pub environment: EnvironmentSpec,
    /// Its highest level above L3 that computes, such as `L4.8`.
    pub level: String,
    /// The authority of that level.
    pub authority: String,
    /// Cycles since its first start.
    pub cycles: u64,
    /// Cycles in the last second.
    pub cycles_per_s: f64,
    /// Environmental uncertainty; absent while unknown.
    pub eu: Option<f64>,
    /// Risk exposure; absent while unknown.
    pub res: Option<f64>,
    /// Mean absolute forecast error relative to persistence; absent without evidence.
    pub forecast_ratio: Option<f64>,
    /// Freezes since its first start.
    pub freezes: u32,
    /// Cycles that came late.
    pub late_cycles: u64,
    /// What L4.8 waits for; empty when it has full authority.
    pub waiting_for: String,
    /// What L4.9 waits for, likewise; empty also of an agent without it.
    pub autonomy_waits_for: String,
    /// The Autonomy Stability Score; absent while L4.9 has not looked.
    pub ass: Option<f64>,
    /// The authority of each level, lowest first.
    pub authorities: [Authority; 5],
}

impl AgentRow {
    /// What the lowest level that is not at full authority waits for: those above it wait for that, too.
    pub fn waits_for(&self) -> String {
        match (self.waiting_for.is_empty(), self.autonomy_waits_for.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!("L4.9: {}", self.autonomy_waits_for),
            (false, _) => self.waiting_for.clone(),
        }
    }
}

/// Asks what an actor of this node receives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Describe {
    /// The actor; it must be on this node.
    pub target: Address,
}

/// Asks which actors of this node are reachable by name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListActors {}

/// Breaks an actor on purpose.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InjectFault {
    /// The actor; it must be on this node.
    pub target: Address,
    /// How.
    pub fault: FaultSpec,
}

/// Takes the fault of an actor away, and lets go whoever is stalled in it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearFault {
    /// The actor; it must be on this node.
    pub target: Address,
}

/// Asks which faults are armed, or being stalled in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListFaults {}

/// A fault that is armed, or being stalled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultRow {
    /// The node.
    pub node: NodeName,
    /// The actor.
    pub target: Address,
    /// The fault.
    pub fault: FaultSpec,
}

/// How an actor is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultSpec {
    /// It panics at its next message.
    Panic,
    /// It waits for ever at its next message, without using the processor.
    StallAwait,
    /// It computes for ever at its next message.
    StallSpin,
    /// It waits before each message, until the fault is cleared.
    Delay {
        /// How long, in milliseconds, at most 60,000.
        ms: u64,
    },
    /// Its next messages are lost.
    Drop {
        /// How many, at most 10,000.
        count: u32,
    },
}

/// Changes what a node logs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLog {
    /// error, warn, info, debug or trace.
    pub level: String,
    /// The module; all of Rungs without it.
    #[serde(default)]
    pub target: Option<String>,
}

/// Lets a node stop by itself: agents saved, links closed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {}

macro_rules! wire {
    ($($type:ident, $kind:literal, $reply:ty, $example:expr;)*) => {
        $(impl Wire for $type {
            const KIND: &'static str = $kind;
            type Reply = $reply;

            fn example() -> Self {
                $example
            }
        })*
    };
}

fn ops_1() -> AgentId {
    crate::command::default_agent(1)
}

wire! {
    NodeInfo, "node.info", NodeReport, Self {};
    Tree, "node.tree", TreeNode, Self { agent: Some(ops_1()) };
    ListAgents, "node.agents", Vec<AgentRow>, Self {};
    ListActors, "node.actors", Vec<Address>, Self {};
    Describe, "node.describe", Vec<KindDescription>, Self { target: ops_1().into() };
    ListLinks, "node.links", Vec<LinkRow>, Self {};
    ClearFault, "node.clear_fault", bool, Self { target: ops_1().into() };
    ListFaults, "node.faults", Vec<FaultRow>, Self {};
    InjectFault, "node.inject", (), Self { target: ops_1().into(), fault: FaultSpec::Panic };
    SetLog, "node.log", (), Self { level: "debug".into(), target: Some("rungs_mesh".into()) };
    Shutdown, "node.shutdown", (), Self {};
}
