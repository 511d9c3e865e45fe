//! `rungs bench`: this build on this machine, each figure beside its baseline in the same run.
//!
//! Ratios are what counts: a busy machine is busy for both sides. The benches of single crates (`cargo bench`) go
//! deeper; these go end to end.

pub mod cycle;
pub mod local;
pub mod report;

use crate::args::{Bench, BenchPart};
use std::io::IsTerminal;

/// Runs the parts that were asked for, or all.
pub async fn run(bench: Bench) -> anyhow::Result<()> {
    let wanted = |part| bench.parts.is_empty() || bench.parts.contains(&part);
    let mut figures = Vec::new();
    if wanted(BenchPart::Local) {
        figures.extend(local::measure(bench.runs).await?);
    }
    if wanted(BenchPart::Cycle) {
        figures.extend(tokio::task::block_in_place(|| cycle::measure(bench.runs))?);
    }
    if bench.json {
        for figure in &figures {
            println!("{}", serde_json::to_string(figure)?);
        }
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        print!("{}", report::table(&figures, colour));
    }
    Ok(())
}
