//! Who looks on while a recording is replayed: the progress bar, the file of events, and, where they are asked for, what
//! detection is scored by and what a plot shows.

use super::EventFile;
use super::detection::{Judged, Strangeness};
use super::drive::{Step, Watcher};
use super::history::History;
use super::labels::Span;
use indicatif::ProgressBar;
use rungs_agent::Environment as _;
use rungs_environments::Trace;
use rungs_mind::l48::observe::Score;
use rungs_types::EventKind;

/// Rows between two looks at the progress bar.
const ROWS_PER_TICK: u64 = 256;

/// See the module.
pub(super) struct Watch<'a> {
    bar: &'a ProgressBar,
    progressed: u64,
    events: &'a mut Option<EventFile>,
    /// Where somebody asks how strange rows are.
    strangeness: Option<Strangeness>,
    judged: Option<Judged>,
    history: Option<History>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        trace: &Trace,
        spans: Option<&[Span]>,
        plotted: bool,
        bar: &'a ProgressBar,
        events: &'a mut Option<EventFile>,
    ) -> Self {
        let names: Vec<String> = trace.describe().dimensions.iter().map(|d| d.name.clone()).collect();
        Self {
            bar,
            progressed: 0,
            events,
            strangeness: (spans.is_some() || plotted).then(|| Strangeness::new(names.len())),
            judged: spans.map(Judged::new),
            history: plotted.then(|| History::new(&names)),
        }
    }

    pub(super) fn into_parts(self) -> (Option<Judged>, Option<History>) {
        (self.judged, self.history)
    }

    fn score(&mut self, scores: &[Score]) {
        let Some(strangeness) = &mut self.strangeness else {
            return;
        };
        for (row, strange) in strangeness.take(scores) {
            if let Some(judged) = &mut self.judged {
                judged.score(row, strange);
            }
            if let Some(history) = &mut self.history {
                history.anomaly.push(row, strange);
            }
        }
        if let Some(history) = &mut self.history {
            scores.iter().for_each(|score| history.score(score));
        }
    }
}

impl Watcher for Watch<'_> {
    fn step(&mut self, step: &Step<'_>) -> anyhow::Result<()> {
        let rows = step.cycle.number;
        if rows.is_multiple_of(ROWS_PER_TICK) {
            self.bar.inc(rows - self.progressed);
            self.progressed = rows;
        }
        if let Some(file) = self.events {
            step.cycle.told.iter().try_for_each(|told| file.write(told))?;
        }
        if let Some(judged) = &mut self.judged {
            let raises = |kind: &EventKind| matches!(kind, EventKind::Incident { raised: true, .. });
            judged.row(step.time_micros, step.cycle.told.iter().any(|told| raises(&told.kind)));
        }
        if let Some(history) = &mut self.history {
            history.step(step);
        }
        if let Some(world) = &step.cycle.world {
            self.score(&world.scores);
        }
        Ok(())
    }

    fn end(&mut self, tail: &[Score]) {
        self.score(tail);
    }
}
