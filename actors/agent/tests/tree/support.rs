//! What the tests of the agent's tree share: a small seeded world, a runtime in memory, and ways to wait for events.

use rungs_agent::{
    AgentEvents, AgentHandle, AgentRuntime, Command, Description, Dimension, Environment, EnvironmentError, Hosts,
    LocalPeers, Observed,
};
use rungs_host::clock::Clock;
use rungs_host::compute::ComputePool;
use rungs_host::faults::{Fault, Faults};
use rungs_host::{Endpoints, EventHub, Timers, Watched};
use rungs_store::{MemorySnapshots, MemoryTaskLogs, Snapshots, TaskLogs};
use rungs_types::{AgentId, AgentSpec, Authority, Event, EventKind, Level, NodeName};
use std::sync::Arc;
use std::time::Duration;

/// Dimensions of the test world, two to a group.
pub(crate) const DIMENSIONS: usize = 4;

/// Independent AR(1) processes (phi 0.8, noise uniform with variance 1) from a linear congruential generator.
pub(crate) struct World {
    description: Description,
    state: [f64; DIMENSIONS],
    seed: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let dimension = |index: usize| Dimension {
            name: format!("d{index}"),
            unit: String::new(),
            group: (index / 2) as u16,
            capacity: None,
        };
        Self {
            description: Description {
                name: "world".into(),
                dimensions: (0..DIMENSIONS).map(dimension).collect(),
                groups: vec!["first".into(), "second".into()],
                adjustable: true,
            },
            state: [0.0; DIMENSIONS],
            seed: seed.wrapping_mul(2).wrapping_add(1),
        }
    }

    /// Uniform in [-1, 1) (Knuth's MMIX constants).
    fn noise(&mut self) -> f64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

impl Environment for World {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn observe(&mut self, _: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        for (index, value) in row.iter_mut().enumerate() {
            self.state[index] = 0.8 * self.state[index] + 3_f64.sqrt() * self.noise();
            *value = self.state[index];
        }
        Ok(Observed::Row)
    }

    fn act(&mut self, _: Command) -> Result<(), EnvironmentError> {
        Ok(())
    }
}

/// A node's worth of runtime in memory.
pub(crate) struct Node {
    pub(crate) runtime: Arc<AgentRuntime>,
    pub(crate) hosts: Hosts,
}

/// A runtime whose level threads are the current runtime's, for paused time.
pub(crate) fn paused_runtime(snapshots: Snapshots) -> Arc<AgentRuntime> {
    paused_runtime_with(snapshots, TaskLogs::inline(MemoryTaskLogs::new()))
}

/// The same with other task logs.
pub(crate) fn paused_runtime_with(snapshots: Snapshots, tasks: TaskLogs) -> Arc<AgentRuntime> {
    let faults = Faults::allowed();
    let compute = ComputePool::on_current_runtime(4, Arc::clone(&faults), |_| {});
    runtime(snapshots, tasks, faults, compute)
}

/// A runtime with level threads of its own, for real time.
pub(crate) fn threaded_runtime(threads: usize) -> Arc<AgentRuntime> {
    let faults = Faults::allowed();
    let compute = ComputePool::start(threads, Arc::clone(&faults), |_| {}).expect("threads");
    runtime(memory(), TaskLogs::inline(MemoryTaskLogs::new()), faults, compute)
}

pub(crate) fn memory() -> Snapshots {
    Snapshots::new(MemorySnapshots::new())
}

fn runtime(snapshots: Snapshots, tasks: TaskLogs, faults: Arc<Faults>, compute: ComputePool) -> Arc<AgentRuntime> {
    let endpoints = Arc::new(Endpoints::new());
    Arc::new(AgentRuntime {
        node: NodeName::new("n1").expect("a name"),
        clock: Clock::anchored(1_800_000_000_000),
        timers: Timers::start(),
        compute,
        faults,
        snapshots,
        tasks,
        events: EventHub::default(),
        peers: Arc::new(LocalPeers::new(&endpoints)),
        endpoints,
        environments: Arc::new(|_, agent| Ok(Box::new(World::new(agent.name.as_str().len() as u64)))),
        decisions: Arc::default(),
        gate: rungs_host::LeaseGate::always_open(),
        max_agents: 1_000,
    })
}

impl Node {
    pub(crate) async fn start(runtime: Arc<AgentRuntime>) -> Self {
        let hosts = Hosts::start(Arc::clone(&runtime), None).await.expect("starts");
        Self { runtime, hosts }
    }

    pub(crate) async fn paused() -> Self {
        Self::start(paused_runtime(memory())).await
    }
}

pub(crate) fn id(name: &str) -> AgentId {
    name.parse().expect("a name")
}

/// Ten cycles a second, seed 1.
pub(crate) fn spec(name: &str) -> AgentSpec {
    AgentSpec {
        seed: 1,
        ..AgentSpec::new(id(name))
    }
}

/// Waits until the agent has completed a cycle.
pub(crate) async fn cycle(agent: &AgentHandle, cycle: u64) {
    while agent.cycle() < cycle {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The next event that is wanted; panics after a minute without it, with what came instead.
pub(crate) async fn until(events: &mut AgentEvents, wanted: impl Fn(&EventKind) -> bool) -> Arc<Event> {
    let mut seen = Vec::new();
    let search = async {
        loop {
            match events.next().await {
                Some(Watched::Event(event)) if wanted(&event.kind) => return event,
                Some(Watched::Event(event)) => {
                    if !matches!(event.kind, EventKind::Status(_)) {
                        seen.push(event);
                    }
                }
                Some(Watched::Lagged(lost)) => panic!("{lost} events lost"),
                None => panic!("the node has ended"),
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(600), search).await;
    found.unwrap_or_else(|_| panic!("not seen; instead {seen:#?}"))
}

/// A level 4.8 at full authority, by an operator's order.
pub(crate) async fn at_full(node: &Node, name: &str) -> AgentHandle {
    let agent = node.hosts.spawn(spec(name)).await.expect("starts");
    cycle(&agent, 50).await;
    let standing = agent
        .authority(Level::L48, Authority::Full, "ada")
        .await
        .expect("accepted");
    assert_eq!(standing.authority, Authority::Full);
    agent
}

pub(crate) fn inject(node: &Node, address: &str, fault: Fault) {
    node.runtime
        .faults
        .inject(address.parse().expect("an address"), fault)
        .expect("allowed");
}

pub(crate) fn frozen(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Frozen { .. })
}

/// Lets time pass; for lives that start paused.
pub(crate) async fn later(time: Duration) {
    tokio::time::sleep(time).await;
}
