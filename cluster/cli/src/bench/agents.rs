//! A node's worth of agents for measurements, in a world that notes when it is looked at; and P5: what an active agent
//! takes of the machine, against a bare actor.

use super::process;
use super::progress::Progress;
use super::report::{Figure, Target, median_of};
use super::resources::{computed_us, resident_bytes};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rungs_agent::{
    AgentHandle, AgentRuntime, Command, Description, Dimension, Environment, EnvironmentError, Hosts, LocalPeers,
    Observed,
};
use rungs_host::clock::Clock;
use rungs_host::compute::ComputePool;
use rungs_host::faults::Faults;
use rungs_host::{Delivered, Endpoints, EventHub, Latencies, Timers};
use rungs_store::{MemorySnapshots, MemoryTaskLogs, Snapshots, TaskLogs};
use rungs_types::{AgentSpec, Authority, Level, NodeName};
use serde::{Deserialize, Serialize};
use std::num::NonZero;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Agents that are measured together.
const CROWD: u32 = 500;
/// Those that run before: what is made once for all is none of the others' cost.
const FIRST: u32 = 20;
/// Their cycles per second.
const CROWD_RATE_HZ: f64 = 2.0;
/// Cycles before and while their computing is measured.
const WARM_UP: u64 = 12;
const CYCLES: u64 = 10;
const DIMENSIONS: usize = 8;
const BASELINE: &str = "bare actor";

/// When each cycle observed, shared by all worlds.
pub type Marks = Arc<Mutex<Vec<Instant>>>;

/// Eight sawteeth.
struct World {
    description: Description,
    step: u64,
    marks: Marks,
}

impl World {
    fn new(marks: Marks) -> Self {
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
                groups: (0..DIMENSIONS / 2).map(|group| format!("g{group}")).collect(),
                adjustable: false,
            },
            step: 0,
            marks,
        }
    }
}

impl Environment for World {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn observe(&mut self, _: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        self.step += 1;
        for (index, value) in row.iter_mut().enumerate() {
            *value = (self.step % (7 + index as u64)) as f64;
        }
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.push(Instant::now());
        Ok(Observed::Row)
    }

    fn act(&mut self, _: Command) -> Result<(), EnvironmentError> {
        Ok(())
    }
}

/// The part of a node that runs agents.
pub struct AgentHost {
    /// Breaks them on purpose.
    pub faults: Arc<Faults>,
    /// Starts and stops them.
    pub hosts: Hosts,
    /// How late what they decide is done.
    pub decisions: Arc<Latencies>,
    /// When each cycle of each of them began.
    pub marks: Marks,
}

impl AgentHost {
    /// Without an agent.
    pub async fn start() -> anyhow::Result<Self> {
        let faults = Faults::allowed();
        let decisions: Arc<Latencies> = Arc::default();
        let marks: Marks = Arc::default();
        let worlds = Arc::clone(&marks);
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let endpoints = Arc::new(Endpoints::new());
        let runtime = AgentRuntime {
            node: NodeName::new("n1")?,
            clock: Clock::system(),
            timers: Timers::start(),
            compute: ComputePool::start(threads, Arc::clone(&faults), |_| {})?,
            faults: Arc::clone(&faults),
            snapshots: Snapshots::new(MemorySnapshots::new()),
            tasks: TaskLogs::inline(MemoryTaskLogs::new()),
            events: EventHub::default(),
            peers: Arc::new(LocalPeers::new(&endpoints)),
            endpoints,
            environments: Arc::new(move |_, _| Ok(Box::new(World::new(Arc::clone(&worlds))))),
            decisions: Arc::clone(&decisions),
            gate: rungs_host::LeaseGate::always_open(),
            max_agents: 100_000,
        };
        let hosts = Hosts::start(Arc::new(runtime), None).await?;
        Ok(Self {
            faults,
            hosts,
            decisions,
            marks,
        })
    }
}

/// Waits until the agent has begun this cycle.
pub async fn cycle(agent: &AgentHandle, cycle: u64) {
    while agent.cycle() < cycle {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What one of many takes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Cost {
    start_us: f64,
    kib: f64,
    cycle_us: f64,
}

/// The measuring process: prints what one of [`CROWD`] agents takes, or one of as many bare actors.
pub async fn crowd(level: Option<Level>) -> anyhow::Result<()> {
    let cost = match level {
        Some(level) => agents(level).await?,
        None => actors().await?,
    };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

async fn agents(highest: Level) -> anyhow::Result<Cost> {
    let host = AgentHost::start().await?;
    let first = start(&host, 0..FIRST, highest).await?;
    cycle(&first, WARM_UP).await;
    let (before, began) = (resident_bytes()?, Instant::now());
    let last = start(&host, FIRST..FIRST + CROWD, highest).await?;
    let start_us = began.elapsed().as_secs_f64() * 1e6 / f64::from(CROWD);
    cycle(&last, WARM_UP).await;
    let kib = resident_bytes()?.saturating_sub(before) as f64 / 1024.0 / f64::from(CROWD);
    let (computed, from) = (computed_us()?, last.cycle());
    cycle(&last, from + CYCLES).await;
    let cycles = f64::from(FIRST + CROWD) * (last.cycle() - from) as f64;
    let cycle_us = (computed_us()? - computed) / cycles;
    Ok(Cost {
        start_us,
        kib,
        cycle_us,
    })
}

/// Starts agents and returns the last.
async fn start(host: &AgentHost, indices: Range<u32>, highest: Level) -> anyhow::Result<AgentHandle> {
    let mut last = None;
    for index in indices {
        let spec = AgentSpec {
            rate_hz: CROWD_RATE_HZ,
            highest,
            ..AgentSpec::new(format!("crowd-{index}").parse()?)
        };
        let agent = host.hosts.spawn(spec).await?;
        if highest == Level::L49 {
            // Its phases run from Shadow on, which it would reach after thousands of cycles only.
            agent.authority(Level::L49, Authority::Shadow, "bench").await?;
        }
        last = Some(agent);
    }
    last.ok_or_else(|| anyhow::anyhow!("a crowd of none"))
}

struct Bare;

impl Actor for Bare {
    type Msg = Delivered<()>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

async fn actors() -> anyhow::Result<Cost> {
    let mut actors = Vec::with_capacity((FIRST + CROWD) as usize);
    for _ in 0..FIRST {
        actors.push(Actor::spawn(None, Bare, ()).await?);
    }
    let (before, began) = (resident_bytes()?, Instant::now());
    for _ in 0..CROWD {
        actors.push(Actor::spawn(None, Bare, ()).await?);
    }
    let start_us = began.elapsed().as_secs_f64() * 1e6 / f64::from(CROWD);
    let kib = resident_bytes()?.saturating_sub(before) as f64 / 1024.0 / f64::from(CROWD);
    Ok(Cost {
        start_us,
        kib,
        cycle_us: 0.0,
    })
}

/// A process each for agents up to each level above L3, and for actors.
pub async fn measure(runs: u32, progress: &Progress) -> anyhow::Result<Vec<Figure>> {
    let levels = [Level::L45, Level::L48, Level::L49].map(|level| level.to_string());
    let kinds: Vec<String> = levels.into_iter().chain(["none".to_owned()]).collect();
    let mut costs: [Vec<Cost>; 4] = Default::default();
    for run in 1..=runs {
        for (kind, costs) in kinds.iter().zip(&mut costs) {
            progress.say(&format!("{CROWD} agents, level {kind}, run {run} of {runs}"));
            costs.push(process::measure(&["crowd", kind]).await?);
        }
    }
    Ok(figures(&costs))
}

/// What agents cost: up to L4.5, L4.8 and L4.9, beside bare actors.
fn figures([l45, l48, l49, bare]: &[Vec<Cost>; 4]) -> Vec<Figure> {
    let figure = |what, value, unit, target, baseline: Option<f64>| Figure {
        id: "P5",
        what,
        value,
        unit,
        baseline: if baseline.is_some() { BASELINE } else { "" },
        baseline_value: baseline,
        target,
    };
    let kib = |costs: &[Cost]| median_of(costs, |cost| cost.kib);
    let start_us = |costs: &[Cost]| median_of(costs, |cost| cost.start_us);
    let cycle_us = |costs: &[Cost]| median_of(costs, |cost| cost.cycle_us);
    let memory = |what, costs, target| figure(what, kib(costs), "KiB", target, Some(kib(bare)));
    let computing = |what, costs, target| figure(what, cycle_us(costs), "us", target, None);
    // 10,000 at L4.5, or 500 at L4.9, at a cycle a second in 60 % of one processor.
    let (most_45, most_49) = (Target::AtMost(60.0), Target::AtMost(1_200.0));
    vec![
        memory("memory of an agent at L4.5", l45, Target::AtMost(64.0)),
        memory("memory of an agent at L4.8", l48, Target::None),
        memory("memory of an agent at L4.9", l49, Target::AtMost(256.0)),
        figure(
            "start of an agent at L4.8",
            start_us(l48),
            "us",
            Target::None,
            Some(start_us(bare)),
        ),
        computing("computing of an agent per cycle at L4.5", l45, most_45),
        computing("computing of an agent per cycle at L4.8", l48, Target::None),
        computing("computing of an agent per cycle at L4.9", l49, most_49),
    ]
}
