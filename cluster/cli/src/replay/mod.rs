//! `rungs replay`: agents over recorded time series, without actors and as fast as it goes.
//!
//! The files become recordings ([`recordings`]), each recording an agent that is driven row by row ([`drive`]), what it
//! did a summary ([`summary`]), the summaries a table or JSON ([`report`]).

pub mod drive;
pub mod recordings;
pub mod report;
pub mod summary;

use crate::args::Replay;
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use recordings::Recording;
use rungs_mind::stack::Told;
use rungs_shell::table::Style;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use summary::{Summary, Total};

/// Rows between two looks at the progress bar.
const ROWS_PER_TICK: u64 = 256;

/// Runs the command.
pub fn run(replay: &Replay) -> anyhow::Result<()> {
    let recordings = recordings::chosen(replay)?;
    let mut events = replay.events.as_deref().map(EventFile::create).transpose()?;
    let bar = progress(&recordings, replay.limit);
    let mut summaries: Vec<Summary> = Vec::with_capacity(recordings.len());
    // What was replayed before a recording that cannot be read is shown all the same.
    let mut refused = None;
    for recording in &recordings {
        bar.set_message(recording.name());
        match watch(recording, replay, &bar, &mut events) {
            Ok(summary) => summaries.push(summary),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    bar.finish_and_clear();
    if let Some(file) = events {
        file.finish()?;
    }
    if !summaries.is_empty() {
        print(&summaries, replay.json)?;
    }
    refused.map_or(Ok(()), Err)
}

/// One agent over one recording.
fn watch(
    recording: &Recording,
    replay: &Replay,
    bar: &ProgressBar,
    events: &mut Option<EventFile>,
) -> anyhow::Result<Summary> {
    let mut trace = recording.open()?;
    let spec = recording.agent(replay.seed, replay.particles);
    let mut progressed = 0;
    let on_row = |rows: u64| {
        if rows.is_multiple_of(ROWS_PER_TICK) {
            bar.inc(rows - progressed);
            progressed = rows;
        }
    };
    let on_event = |told: &Told| events.as_mut().map_or(Ok(()), |file| file.write(told));
    let tally = drive::drive(&mut trace, &spec, replay.limit, on_row, on_event)?;
    Ok(tally.summary(recording.name(), trace.bad_rows()))
}

fn print(summaries: &[Summary], json: bool) -> anyhow::Result<()> {
    let total = Total::of(summaries);
    let mut out = std::io::stdout().lock();
    if json {
        for summary in summaries {
            writeln!(out, "{}", serde_json::to_string(summary)?)?;
        }
        writeln!(out, "{}", serde_json::to_string(&total)?)?;
    } else {
        write!(out, "{}", report::text(summaries, &total, Style::of_output()))?;
    }
    Ok(())
}

/// A bar on the standard error; nothing where that is no terminal, and then no row is counted for it.
fn progress(recordings: &[Recording], limit: Option<u64>) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} rows, {eta} left, {wide_msg}");
    let bar = ProgressBar::new(0).with_style(style.expect("invariant: a constant that is a valid template"));
    if !bar.is_hidden() {
        bar.set_length(recordings.iter().map(|recording| recording.rows_at_most(limit)).sum());
    }
    bar
}

/// Where `--events` go.
struct EventFile {
    name: String,
    file: BufWriter<File>,
}

impl EventFile {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let file = File::create(path).with_context(|| format!("cannot write {name}"))?;
        let file = BufWriter::new(file);
        Ok(Self { name, file })
    }

    fn write(&mut self, told: &Told) -> anyhow::Result<()> {
        let line = serde_json::to_string(told)?;
        writeln!(self.file, "{line}").with_context(|| format!("cannot write {}", self.name))
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.file.flush().with_context(|| format!("cannot write {}", self.name))
    }
}

#[cfg(test)]
mod tests;
