//! `rungs bench`: this build on this machine, beside a baseline in the same run where there is one.
//!
//! Ratios are what counts: a busy machine is busy for both sides. The benches of single crates (`cargo bench`) go
//! deeper; these go end to end.

pub mod activation;
pub mod agents;
pub mod cycle;
pub mod decide;
pub mod filter;
pub mod freeze;
pub mod kills;
pub mod local;
pub mod mesh;
pub mod mind;
pub mod process;
pub mod progress;
pub mod report;
pub mod resources;

use crate::args::{Bench, BenchChild, BenchPart};
use clap::ValueEnum;
use progress::Progress;
use report::Figure;
use rungs_shell::table::Style;
use std::io::Write;

/// Runs the parts that were asked for, or all.
pub async fn run(bench: Bench) -> anyhow::Result<()> {
    if bench.mind {
        let figures = tokio::task::block_in_place(|| mind::measure(&bench))?;
        return tell(&figures, &bench);
    }
    let mut figures = Vec::new();
    for part in BenchPart::value_variants() {
        if bench.parts.is_empty() || bench.parts.contains(part) {
            let of_part = measure(*part, &bench).await?;
            if bench.json {
                tell(&of_part, &bench)?;
            }
            figures.extend(of_part);
        }
    }
    if !bench.json {
        tell(&figures, &bench)?;
    }
    Ok(())
}

fn tell(figures: &[Figure], bench: &Bench) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if bench.json {
        figures
            .iter()
            .try_for_each(|figure| writeln!(out, "{}", figure.json()))?;
        return Ok(());
    }
    let table = report::table(figures, Style::of_output());
    // What is computed, not timed, is the same each time.
    let runs = if bench.mind { 1 } else { bench.runs };
    writeln!(out, "{table}\n{}", report::summary(figures, runs).trim_end())?;
    Ok(())
}

async fn measure(part: BenchPart, bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let runs = bench.runs;
    let progress = Progress::default();
    match part {
        BenchPart::Local => {
            progress.say("messages on one node");
            local::measure(runs).await
        }
        BenchPart::Mesh => mesh::measure(runs, &progress).await,
        BenchPart::Cycle => {
            progress.say("the cycle of L3 and L4.5");
            let mut figures = tokio::task::block_in_place(|| cycle::measure(runs))?;
            figures.extend(decide::measure(runs, &progress).await?);
            Ok(figures)
        }
        BenchPart::Filter => {
            progress.say("the filter of L4.8");
            tokio::task::block_in_place(|| filter::measure(runs))
        }
        BenchPart::Agents => agents::measure(runs, &progress).await,
        BenchPart::Activation => activation::measure(runs, &progress).await,
        BenchPart::Freeze => freeze::measure(&progress).await,
        BenchPart::Kills => kills::measure(bench.kills, bench.agents, &progress).await,
    }
}

/// One process of a measurement.
pub async fn child(child: BenchChild) -> anyhow::Result<()> {
    match child {
        BenchChild::Serve { link, dir } => mesh::serve_until_closed(link, &dir).await,
        BenchChild::Send { link, dir, address } => mesh::send(link, &dir, address).await,
        BenchChild::Rest { known } => activation::child(known).await,
        BenchChild::Decide { timers } => decide::child(!timers).await,
        BenchChild::Crowd { level } => agents::crowd(level.level()).await,
    }
}
