//! P4 and P8: what agents cost that rest, and how long it takes until one of them answers.

use super::agents::AgentHost;
use super::process;
use super::progress::Progress;
use super::report::{Figure, Target, median, median_of};
use super::resources::resident_bytes;
use rungs_agent::{AgentHandle, Hosts};
use rungs_directory::Shard;
use rungs_directory::activation::{Activator, Arrival, Index, Limits};
use rungs_types::{AgentId, AgentSpec, Epoch};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// Agents of which a node knows.
const KNOWN: u32 = 1_000_000;
/// Agents that are started one after the other.
const STARTED: u32 = 300;
/// Those that start before: what is made once for all is none of the others' cost.
const FIRST: u32 = 20;

/// Bytes that each of the agents takes that a node knows of and that rest.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Known {
    bytes_each: f64,
    mib: f64,
}

/// Times from the order to start to the first answer.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Starts {
    p50_ms: f64,
    p99_ms: f64,
}

/// The measuring process: what a million agents take that rest, or how fast agents start. Prints what it found.
pub async fn child(known: bool) -> anyhow::Result<()> {
    if known {
        println!("{}", serde_json::to_string(&know()?)?);
    } else {
        println!("{}", serde_json::to_string(&start().await?)?);
    }
    Ok(())
}

fn know() -> anyhow::Result<Known> {
    let before = resident_bytes()?;
    let mut indices: BTreeMap<Shard, Index> = BTreeMap::new();
    for number in 0..KNOWN {
        let agent: AgentId = format!("fleet-{number:07}").parse()?;
        indices.entry(Shard::of(&agent)).or_default().insert(&agent, false);
    }
    let mut activator: Activator<()> = Activator::new(Limits::default());
    for (shard, mut known) in indices {
        known.shrink();
        let (epoch, running) = (Epoch(1), Vec::new());
        let actions = activator.own(Arrival {
            shard,
            epoch,
            known,
            running,
        });
        anyhow::ensure!(actions.is_empty(), "nobody is wanted");
    }
    let bytes = resident_bytes()?.saturating_sub(before) as f64;
    anyhow::ensure!(activator.counts() == (KNOWN as usize, 0), "all of them rest");
    Ok(Known {
        bytes_each: bytes / f64::from(KNOWN),
        mib: bytes / f64::from(1 << 20),
    })
}

fn spec(index: u32) -> anyhow::Result<AgentSpec> {
    Ok(AgentSpec {
        rests_after_s: Some(60),
        ..AgentSpec::new(format!("rests-{index}").parse()?)
    })
}

/// Starts an agent from its last state and waits for its first answer.
async fn answered(hosts: &Hosts, spec: AgentSpec) -> anyhow::Result<AgentHandle> {
    let agent = hosts.spawn(spec).await?;
    agent.describe().await?;
    Ok(agent)
}

async fn start() -> anyhow::Result<Starts> {
    let host = AgentHost::start().await?;
    for index in 0..FIRST + STARTED {
        let agent = answered(&host.hosts, spec(index)?).await?;
        host.hosts.stop(agent.id()).await?;
    }
    let mut times = Vec::new();
    for index in 0..FIRST + STARTED {
        let began = Instant::now();
        let agent = answered(&host.hosts, spec(index)?).await?;
        if index >= FIRST {
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        host.hosts.stop(agent.id()).await?;
    }
    times.sort_by(f64::total_cmp);
    let rank = (times.len() * 99).div_ceil(100) - 1;
    Ok(Starts {
        p99_ms: times[rank],
        p50_ms: median(times),
    })
}

/// A process each.
pub async fn measure(runs: u32, progress: &Progress) -> anyhow::Result<Vec<Figure>> {
    let (mut known, mut starts): (Vec<Known>, Vec<Starts>) = Default::default();
    for run in 1..=runs {
        progress.say(&format!("{KNOWN} agents that rest, run {run} of {runs}"));
        known.push(process::measure(&["rest", "--known"]).await?);
        progress.say(&format!("{STARTED} agents that start, run {run} of {runs}"));
        starts.push(process::measure(&["rest"]).await?);
    }
    let figure = |id, what, value, unit, target| Figure {
        id,
        what,
        value,
        unit,
        baseline: "",
        baseline_value: None,
        target,
    };
    let each = median_of(&known, |known| known.bytes_each);
    let all = median_of(&known, |known| known.mib);
    let p50 = median_of(&starts, |starts| starts.p50_ms);
    let p99 = median_of(&starts, |starts| starts.p99_ms);
    Ok(vec![
        figure("P4", "memory of an agent that rests", each, "B", Target::AtMost(256.0)),
        figure("P4", "memory of a million of them", all, "MiB", Target::AtMost(300.0)),
        figure("P8", "start of an agent from its state, p50", p50, "ms", Target::None),
        figure(
            "P8",
            "start of an agent from its state, p99",
            p99,
            "ms",
            Target::AtMost(20.0),
        ),
    ])
}
