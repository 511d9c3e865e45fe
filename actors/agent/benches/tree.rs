//! What a freeze and an agent cost, end to end, on this machine: `cargo bench -p rungs-agent`.
//!
//! 1. From the panic of a phase to the authority cell: 100 agents, each frozen once.
//! 2. What L3 notices of it: the largest gap between two cycles, in periods, of interleaved runs with and without a
//!    freeze in the middle.
//! 3. Time to start, memory and computing time per cycle of an agent at L4.5 and of one with Level 4.8.

use rungs_agent::{
    AgentHandle, AgentRuntime, Command, Description, Dimension, Environment, EnvironmentError, Hosts, Observed,
};
use rungs_host::clock::Clock;
use rungs_host::compute::ComputePool;
use rungs_host::faults::{Fault, Faults};
use rungs_host::{Endpoints, EventHub, Timers};
use rungs_store::{MemorySnapshots, Snapshots};
use rungs_types::{AgentId, AgentSpec, Authority, Level, NodeName};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const FREEZES: usize = 100;
const RUNS: usize = 20;
const CYCLES_AROUND: usize = 500;
const RATE_HZ: f64 = 200.0;
const CROWD: usize = 1_000;
const DIMENSIONS: usize = 8;

/// When each cycle observed, shared by all worlds.
type Marks = Arc<Mutex<Vec<Instant>>>;

/// Eight sawteeth; notes when it is looked at.
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
        self.marks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Instant::now());
        Ok(Observed::Row)
    }

    fn act(&mut self, _: Command) -> Result<(), EnvironmentError> {
        Ok(())
    }
}

struct Node {
    runtime: Arc<AgentRuntime>,
    hosts: Hosts,
    marks: Marks,
    panicked: Arc<Mutex<Option<Instant>>>,
}

async fn node() -> Node {
    let faults = Faults::allowed();
    let marks: Marks = Arc::default();
    let worlds = Arc::clone(&marks);
    let panicked: Arc<Mutex<Option<Instant>>> = Arc::default();
    let hook = Arc::clone(&panicked);
    // The moment of the panic is that of the detection.
    std::panic::set_hook(Box::new(move |_| {
        *hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }));
    let runtime = Arc::new(AgentRuntime {
        node: NodeName::new("n1").expect("a name"),
        clock: Clock::system(),
        timers: Timers::start(),
        compute: ComputePool::start(2, Arc::clone(&faults), |_| {}).expect("threads"),
        faults,
        snapshots: Snapshots::new(MemorySnapshots::new()),
        events: EventHub::default(),
        endpoints: Arc::new(Endpoints::new()),
        environments: Arc::new(move |_, _| Ok(Box::new(World::new(Arc::clone(&worlds))))),
        max_agents: 100_000,
    });
    let hosts = Hosts::start(Arc::clone(&runtime), None).await.expect("starts");
    Node {
        runtime,
        hosts,
        marks,
        panicked,
    }
}

fn id(name: &str) -> AgentId {
    name.parse().expect("a name")
}

impl Node {
    async fn at_full(&self, name: &str) -> AgentHandle {
        let spec = AgentSpec {
            rate_hz: RATE_HZ,
            ..AgentSpec::new(id(name))
        };
        let agent = self.hosts.spawn(spec).await.expect("starts");
        cycle(&agent, 20).await;
        agent
            .authority(Level::L48, Authority::Full, "bench")
            .await
            .expect("accepted");
        agent
    }

    fn inject(&self, name: &str) {
        let address = format!("{name}#l48/verify").parse().expect("an address");
        self.runtime.faults.inject(address, Fault::Panic).expect("allowed");
    }
}

async fn cycle(agent: &AgentHandle, cycle: u64) {
    while agent.cycle() < cycle {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// From the panic to the moment at which the cell says `Frozen`, in microseconds, as a thread of its own sees it.
async fn freeze_us(node: &Node, name: &str) -> f64 {
    let agent = node.at_full(name).await;
    *node.panicked.lock().expect("no panic under it") = None;
    let watched = agent.clone();
    let watch = tokio::task::spawn_blocking(move || {
        while watched.authorities()[Level::L48.index()] != Authority::Frozen {
            std::hint::spin_loop();
        }
        Instant::now()
    });
    node.inject(name);
    let frozen = watch.await.expect("no panic");
    let panicked = node.panicked.lock().expect("no panic under it").expect("it panicked");
    node.hosts.stop(&id(name)).await.expect("stops");
    frozen.saturating_duration_since(panicked).as_secs_f64() * 1e6
}

/// The largest gap between two cycles of a run, in periods.
async fn largest_gap(node: &Node, name: &str, freeze: bool) -> f64 {
    let agent = node.at_full(name).await;
    node.marks.lock().expect("no panic under it").clear();
    let from = agent.cycle();
    cycle(&agent, from + CYCLES_AROUND as u64).await;
    if freeze {
        node.inject(name);
    }
    cycle(&agent, from + 2 * CYCLES_AROUND as u64).await;
    let marks = std::mem::take(&mut *node.marks.lock().expect("no panic under it"));
    assert_eq!(agent.status().freezes, u32::from(freeze));
    node.hosts.stop(&id(name)).await.expect("stops");
    let gaps = marks.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * RATE_HZ);
    gaps.fold(0.0, f64::max)
}

/// Resident memory of this process, in bytes.
fn resident_bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(f64::NAN);
    pages * 4096.0
}

/// Computing time of this process, in microseconds.
fn computed_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th field behind it, in 1/100 s.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    ticks.iter().sum::<f64>() * 1e4
}

/// What one of many agents costs.
struct Cost {
    start_us: f64,
    bytes: f64,
    cycle_us: f64,
}

async fn crowd(node: &Node, highest: Level) -> Cost {
    let name = |index: usize| format!("{}-{index}", highest.role());
    let (before, began) = (resident_bytes(), Instant::now());
    for index in 0..CROWD {
        let spec = AgentSpec {
            rate_hz: 1.0,
            highest,
            ..AgentSpec::new(id(&name(index)))
        };
        node.hosts.spawn(spec).await.expect("starts");
    }
    let start_us = began.elapsed().as_secs_f64() * 1e6 / CROWD as f64;
    let last = node.hosts.get(&id(&name(CROWD - 1))).expect("runs");
    cycle(&last, 12).await;
    let bytes = (resident_bytes() - before) / CROWD as f64;
    let (computed, from) = (computed_us(), last.cycle());
    cycle(&last, from + 10).await;
    let cycle_us = (computed_us() - computed) / (CROWD as f64 * (last.cycle() - from) as f64);
    for index in 0..CROWD {
        node.hosts.stop(&id(&name(index))).await.expect("stops");
    }
    Cost {
        start_us,
        bytes,
        cycle_us,
    }
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

#[tokio::main]
async fn main() {
    let node = node().await;
    for highest in [Level::L45, Level::L48] {
        let cost = crowd(&node, highest).await;
        let (start_us, kib, cycle_us) = (cost.start_us, cost.bytes / 1024.0, cost.cycle_us);
        println!(
            "{highest}, one of {CROWD}: start {start_us:.0} us, {kib:.0} KiB, {cycle_us:.0} us of a core per cycle"
        );
    }
    let mut freezes = Vec::new();
    for round in 0..FREEZES {
        freezes.push(freeze_us(&node, &format!("freeze-{round}")).await);
    }
    let (p50, p99) = (quantile(&mut freezes, 0.5), quantile(&mut freezes, 0.99));
    println!("freeze: p50 {p50:.0} us, p99 {p99:.0} us of {FREEZES}");
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        with.push(largest_gap(&node, &format!("with-{run}"), true).await);
        without.push(largest_gap(&node, &format!("without-{run}"), false).await);
    }
    let (with, without) = (quantile(&mut with, 0.5), quantile(&mut without, 0.5));
    println!(
        "largest gap between cycles, median of {RUNS} runs at {RATE_HZ} Hz: {with:.3} periods with a freeze, {without:.3} \
         without, ratio {:.3}",
        with / without
    );
}
