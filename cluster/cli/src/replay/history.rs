//! What a plot shows of one recording, kept in constant memory while the agent is driven.

use super::drive::Step;
use crate::plot::thin::Thin;
use rungs_mind::l48::observe::Score;
use rungs_types::{Authority, EventKind, Level};

/// Most dimensions that are drawn.
pub const MAX_PANELS: usize = 8;
/// Most marks of a kind that are kept.
pub const MAX_MARKS: usize = 2_000;

/// One dimension.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    /// The column.
    pub name: String,
    /// What came.
    pub observed: Thin,
    /// What was forecast.
    pub forecast: Thin,
    /// The lower edge of the 90 % interval.
    pub low: Thin,
    /// Its upper edge.
    pub high: Thin,
}

/// See the module. Rows count from 0.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Rows so far.
    pub rows: u64,
    /// Columns of the recording.
    pub dimensions: usize,
    /// The first of them.
    pub panels: Vec<Panel>,
    /// Time of the rows, in microseconds since 1970.
    pub times: Thin,
    /// How strange each row is.
    pub anomaly: Thin,
    /// Divergence, V(X), and 1 - identity integrity.
    pub divergence: Thin,
    /// See [`History::divergence`].
    pub lyapunov: Thin,
    /// See [`History::divergence`].
    pub identity: Thin,
    /// The authorities from a row on.
    pub authorities: Vec<(u64, [Authority; Level::ALL.len()])>,
    /// First and last row of each incident; one that is open has no last.
    pub incidents: Vec<(u64, Option<u64>)>,
    /// Rows at which a level was frozen, with the level.
    pub freezes: Vec<(u64, Level)>,
}

impl History {
    /// Nothing yet, of these columns.
    pub fn new(names: &[String]) -> Self {
        let panel = |name: &String| Panel {
            name: name.clone(),
            ..Panel::default()
        };
        Self {
            dimensions: names.len(),
            panels: names.iter().take(MAX_PANELS).map(panel).collect(),
            ..Self::default()
        }
    }

    /// One row more.
    pub fn step(&mut self, step: &Step<'_>) {
        let row = self.rows;
        self.rows += 1;
        for (panel, value) in self.panels.iter_mut().zip(step.row) {
            panel.observed.push(row, *value);
        }
        if let Some(micros) = step.time_micros {
            self.times.push(row, micros as f64);
        }
        if self
            .authorities
            .last()
            .is_none_or(|(_, last)| *last != step.authorities)
            && self.authorities.len() < MAX_MARKS
        {
            self.authorities.push((row, step.authorities));
        }
        if let Some(floor) = &step.cycle.floor {
            self.divergence.push(row, floor.divergence);
            self.identity.push(row, floor.iis.map_or(f64::NAN, |iis| 1.0 - iis));
            let first = self.rows.saturating_sub(floor.lyapunov.len() as u64);
            (first..)
                .zip(&floor.lyapunov)
                .for_each(|(row, v)| self.lyapunov.push(row, *v));
        }
        for told in &step.cycle.told {
            self.mark(row, &told.kind);
        }
    }

    fn mark(&mut self, row: u64, kind: &EventKind) {
        match kind {
            EventKind::Incident { raised: true, .. } if self.incidents.len() < MAX_MARKS => {
                self.incidents.push((row, None));
            }
            EventKind::Incident { raised: false, .. } => {
                let open = self.incidents.iter_mut().filter(|(_, end)| end.is_none());
                open.for_each(|(_, end)| *end = Some(row));
            }
            EventKind::Frozen { level, .. } if self.freezes.len() < MAX_MARKS => self.freezes.push((row, *level)),
            _ => {}
        }
    }

    /// Forecasts against what came.
    pub fn score(&mut self, score: &Score) {
        let Some(panel) = self.panels.get_mut(usize::from(score.dimension)) else {
            return;
        };
        let row = score.cycle.saturating_sub(1);
        panel.forecast.push(row, score.forecast);
        panel.low.push(row, score.forecast - score.half_width);
        panel.high.push(row, score.forecast + score.half_width);
    }
}
