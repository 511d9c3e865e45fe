//! `rungs replay`: agents over recorded time series, without actors and as fast as it goes.
//!
//! The files become recordings ([`recordings`]), each recording an agent that is driven row by row ([`drive`]), what it
//! did a summary ([`summary`]), the summaries a table or JSON ([`report`]). Where there are labels ([`labels`]), detection
//! is scored against them ([`detection`]); where a plot is asked for, what it shows is kept ([`history`]) and drawn
//! ([`chart`]) into a file ([`plots`]).

pub mod chart;
pub mod detection;
pub mod drive;
pub mod history;
pub mod labels;
pub mod plots;
pub mod recordings;
pub mod report;
pub mod summary;
mod watch;

use crate::args::Replay;
use anyhow::Context as _;
use detection::{Detection, Judged};
use drive::Course;
use history::History;
use indicatif::{ProgressBar, ProgressStyle};
use labels::Labels;
use plots::Plots;
use recordings::Recording;
use rungs_mind::stack::Told;
use rungs_shell::table::Style;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use summary::{Summary, Total};
use watch::Watch;

/// What one replay gave.
#[derive(Debug)]
struct Replayed {
    summary: Summary,
    judged: Option<Judged>,
    history: Option<History>,
}

/// Runs the command.
pub fn run(replay: &Replay) -> anyhow::Result<()> {
    let recordings = recordings::chosen(replay)?;
    let labels = replay.labels.as_deref().map(Labels::read).transpose()?;
    if let Some(labels) = &labels {
        recordings
            .iter()
            .try_for_each(|r| labels.of(r.path(), recordings.len()).map(drop))?;
    }
    let names: Vec<String> = recordings.iter().map(Recording::name).collect();
    let plots = replay
        .plot
        .as_deref()
        .map(|path| Plots::prepare(path, &names))
        .transpose()?;
    let mut events = replay.events.as_deref().map(EventFile::create).transpose()?;
    let bar = progress(&recordings, replay.limit);
    let mut replayed: Vec<Replayed> = Vec::with_capacity(recordings.len());
    // What was replayed before a recording that cannot be read is shown all the same.
    let mut refused = None;
    for recording in &recordings {
        bar.set_message(recording.name());
        match watch(recording, recordings.len(), replay, labels.as_ref(), &bar, &mut events) {
            Ok(one) => replayed.push(one),
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
    tell(replayed, replay, plots.as_ref())?;
    refused.map_or(Ok(()), Err)
}

/// The same without a word: what all recordings come to, and how detection does where there are labels.
pub fn figures(replay: &Replay) -> anyhow::Result<(Total, Option<Detection>)> {
    let recordings = recordings::chosen(replay)?;
    let labels = replay.labels.as_deref().map(Labels::read).transpose()?;
    let (mut summaries, mut judged) = (Vec::new(), Vec::new());
    for recording in &recordings {
        let hidden = ProgressBar::hidden();
        let one = watch(recording, recordings.len(), replay, labels.as_ref(), &hidden, &mut None)?;
        judged.extend(one.judged.map(|judged| (one.summary.recording.clone(), judged)));
        summaries.push(one.summary);
    }
    let detection = labels
        .map(|_| Detection::of(&judged, replay.threshold, replay.limit.is_some()))
        .transpose()?;
    Ok((Total::of(&summaries), detection))
}

/// Prints and draws what there is.
fn tell(replayed: Vec<Replayed>, replay: &Replay, plots: Option<&Plots>) -> anyhow::Result<()> {
    if replayed.is_empty() {
        return Ok(());
    }
    let (mut summaries, mut judged, mut histories) = (Vec::new(), Vec::new(), Vec::new());
    for one in replayed {
        judged.extend(one.judged.map(|judged| (one.summary.recording.clone(), judged)));
        histories.extend(one.history);
        summaries.push(one.summary);
    }
    let detection = match judged.is_empty() {
        true => None,
        false => Some(Detection::of(&judged, replay.threshold, replay.limit.is_some())),
    };
    // What needs no labels is shown even if they do not fit.
    print(
        &summaries,
        detection.as_ref().and_then(|found| found.as_ref().ok()),
        replay,
    )?;
    let detection = detection.transpose()?;
    if let Some(plots) = plots {
        for (index, (summary, history)) in summaries.iter().zip(&histories).enumerate() {
            let labelled = judged.get(index).map(|(_, judged)| judged).zip(detection.as_ref());
            plots.write(index, &chart::draw(history, &plots::notes(summary, index, labelled)))?;
        }
    }
    Ok(())
}

/// One agent over one recording.
fn watch(
    recording: &Recording,
    recordings: usize,
    replay: &Replay,
    labels: Option<&Labels>,
    bar: &ProgressBar,
    events: &mut Option<EventFile>,
) -> anyhow::Result<Replayed> {
    let mut trace = recording.open()?;
    let spec = recording.agent(replay.seed, replay.particles);
    let spans = labels
        .map(|labels| labels.of(recording.path(), recordings))
        .transpose()?;
    let mut watch = Watch::new(&trace, spans, replay.plot.is_some(), bar, events);
    let course = Course {
        limit: replay.limit,
        place: replay.place,
        spans: spans.unwrap_or_default(),
    };
    let tally = drive::drive(&mut trace, &spec, &course, &mut watch)?;
    let (judged, history) = watch.into_parts();
    let summary = tally.summary(recording.name(), trace.bad_rows(), trace.first_bad_row());
    if let (0, Some(bad)) = (summary.rows, &summary.first_bad_row) {
        anyhow::bail!("no row can be used; the first is refused: {bad}");
    }
    Ok(Replayed {
        summary,
        judged,
        history,
    })
}

fn print(summaries: &[Summary], detection: Option<&Detection>, replay: &Replay) -> anyhow::Result<()> {
    let total = Total::of(summaries);
    let mut out = std::io::stdout().lock();
    if replay.json {
        for summary in summaries {
            writeln!(out, "{}", serde_json::to_string(summary)?)?;
        }
        writeln!(out, "{}", serde_json::to_string(&total)?)?;
        if let Some(detection) = detection {
            writeln!(out, "{}", serde_json::json!({ "detection": detection }))?;
        }
    } else {
        let style = Style::of_output();
        write!(
            out,
            "{}",
            report::text(summaries, &total, replay.labels.is_some(), style)
        )?;
        if let Some(detection) = detection {
            write!(out, "{}", report::detection(detection, style))?;
        }
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
#[derive(Debug)]
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
