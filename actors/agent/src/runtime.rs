//! [`AgentRuntime`]: what agents need of the node or program that hosts them. Assembled once, shared by all.

use crate::environment::{Environment, EnvironmentError};
use crate::ports::Peers;
use rungs_host::clock::Clock;
use rungs_host::compute::ComputePool;
use rungs_host::faults::Faults;
use rungs_host::{Endpoints, EventHub, Latencies, LeaseGate, Timers};
use rungs_mind::ladder::At;
use rungs_store::{Snapshots, TaskLogs};
use rungs_types::{AgentId, EnvironmentSpec, NodeName};
use std::sync::Arc;

/// Opens the environment that a specification asks for, for one agent. It may wait for a disk, and is called where that
/// is allowed.
pub type OpenEnvironment =
    Arc<dyn Fn(&EnvironmentSpec, &AgentId) -> Result<Box<dyn Environment>, EnvironmentError> + Send + Sync>;

/// See the module.
#[derive(Clone)]
pub struct AgentRuntime {
    /// The node, for events.
    pub node: NodeName,
    /// Its clock.
    pub clock: Clock,
    /// Its timer wheel: cycles, deadlines, snapshots, restarts.
    pub timers: Timers,
    /// Its level threads.
    pub compute: ComputePool,
    /// Its injected faults.
    pub faults: Arc<Faults>,
    /// Where snapshots go.
    pub snapshots: Snapshots,
    /// Where goes what happens to goals between them.
    pub tasks: TaskLogs,
    /// Who is told of events.
    pub events: EventHub,
    /// What is reachable by name.
    pub endpoints: Arc<Endpoints>,
    /// The way to other agents.
    pub peers: Arc<dyn Peers>,
    /// What agents can watch.
    pub environments: OpenEnvironment,
    /// How long after a cycle was due what it decided was done.
    pub decisions: Arc<Latencies>,
    /// Whether the node may act: an agent does nothing while it may not.
    pub gate: LeaseGate,
    /// Most agents that may run at a time.
    pub max_agents: usize,
}

impl AgentRuntime {
    /// Now, at a cycle of an agent, as its ladder counts it.
    pub(crate) fn at(&self, cycle: u64) -> At {
        let now_ms = self.clock.elapsed().as_millis();
        At {
            cycle,
            now_ms: u64::try_from(now_ms).unwrap_or(u64::MAX),
        }
    }
}

impl std::fmt::Debug for AgentRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentRuntime")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
