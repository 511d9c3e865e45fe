//! P6: how long after its cycle was due a decision is done, of a thousand agents at ten cycles a second, beside as many
//! timers that do nothing else.

use super::agents::{AgentHost, cycle};
use super::process;
use super::progress::Progress;
use super::report::{Figure, Target, median_of};
use rungs_host::{Latencies, LatencyReading, Timers};
use rungs_types::{AgentSpec, Level};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Agents, and the cycles of each per second.
const AGENTS: u32 = 1_000;
const RATE_HZ: f64 = 10.0;
/// Cycles before those that count: windows are full, starts are over.
const WARM_UP: u64 = 100;
/// Cycles of each that count.
const CYCLES: u64 = 100;

/// Milliseconds that half and 99 of 100 do not exceed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Late {
    p50_ms: f64,
    p99_ms: f64,
}

impl Late {
    fn of(reading: &LatencyReading) -> anyhow::Result<Self> {
        let ms = |share| {
            let late: Option<Duration> = reading.quantile(share);
            late.map(|late| late.as_secs_f64() * 1e3)
                .ok_or_else(|| anyhow::anyhow!("nothing was decided"))
        };
        Ok(Self {
            p50_ms: ms(0.5)?,
            p99_ms: ms(0.99)?,
        })
    }
}

/// The measuring process: of agents up to L4.5, or of timers alone. Prints what it found.
pub async fn child(agents: bool) -> anyhow::Result<()> {
    let late = if agents { of_agents().await? } else { of_timers().await? };
    println!("{}", serde_json::to_string(&late)?);
    Ok(())
}

async fn of_agents() -> anyhow::Result<Late> {
    let host = AgentHost::start().await?;
    let mut last = None;
    for index in 0..AGENTS {
        let spec = AgentSpec {
            rate_hz: RATE_HZ,
            highest: Level::L45,
            ..AgentSpec::new(format!("decide-{index}").parse()?)
        };
        last = Some(host.hosts.spawn(spec).await?);
    }
    let last = last.ok_or_else(|| anyhow::anyhow!("no agents"))?;
    cycle(&last, WARM_UP).await;
    let before = host.decisions.read();
    cycle(&last, WARM_UP + CYCLES).await;
    Late::of(&host.decisions.read().since(&before))
}

async fn of_timers() -> anyhow::Result<Late> {
    let (timers, late) = (Timers::start(), Arc::new(Latencies::default()));
    let period = Duration::from_secs_f64(1.0 / RATE_HZ);
    let mut running = Vec::with_capacity(AGENTS as usize);
    for index in 0..AGENTS {
        let late = Arc::clone(&late);
        let first = period * index / AGENTS;
        running.push(timers.every("bench", first, period, move |tick| late.note(tick.due.elapsed()))?);
    }
    tokio::time::sleep(period * CYCLES as u32).await;
    Late::of(&late.read())
}

/// A process each for agents and for timers.
pub async fn measure(runs: u32, progress: &Progress) -> anyhow::Result<Vec<Figure>> {
    let (mut agents, mut timers): (Vec<Late>, Vec<Late>) = Default::default();
    for run in 1..=runs {
        progress.say(&format!("decisions of {AGENTS} agents, run {run} of {runs}"));
        agents.push(process::measure(&["decide"]).await?);
        timers.push(process::measure(&["decide", "--timers"]).await?);
    }
    let figure = |what, late: fn(&Late) -> f64, target| Figure {
        id: "P6",
        what,
        value: median_of(&agents, late),
        unit: "ms",
        baseline: "timers alone",
        baseline_value: Some(median_of(&timers, late)),
        target,
    };
    Ok(vec![
        figure(
            "decision latency p50, 1,000 agents at 10/s",
            |late| late.p50_ms,
            Target::None,
        ),
        figure(
            "decision latency p99, 1,000 agents at 10/s",
            |late| late.p99_ms,
            Target::AtMost(10.0),
        ),
    ])
}
