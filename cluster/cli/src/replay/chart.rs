//! The picture of one replay: each dimension against its forecast, how strange each row was, the authority of each level,
//! and drift, all over the same rows.

use super::history::{History, Panel};
use crate::plot::axis::{Axis, calendar};
use crate::plot::svg::{Path, Svg};
use crate::plot::thin::Thin;
use rungs_types::{Authority, Level};

const WIDTH: f64 = 1_200.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = WIDTH - 20.0;
/// Where the first panel's name is.
const TOP: f64 = 92.0;
/// Above a panel, for its name, and below it.
const NAME_ROOM: f64 = 20.0;
const GAP: f64 = 16.0;
/// Of the panel of one dimension, where there is one, and where there are many.
const TALL: f64 = 250.0;
const LOW: f64 = 110.0;
const ANOMALY: f64 = 80.0;
const LANE: f64 = 22.0;
const DRIFT: f64 = 90.0;
/// Below the last panel, for rows and times.
const BOTTOM: f64 = 52.0;
/// Of the axis of anomaly scores, in thresholds, at most; what is beyond lies at its end.
const THRESHOLDS: f64 = 3.0;
/// Most rows at which an alarm is marked.
const MAX_DOTS: usize = 500;

/// What is drawn beside the history.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// The recording.
    pub recording: String,
    /// What it came to, in a line.
    pub figures: String,
    /// First and last row of each labelled window.
    pub windows: Vec<(u64, u64)>,
    /// Rows at the start that are not judged.
    pub probation: u64,
    /// From where on a row is an alarm.
    pub threshold: Option<f64>,
    /// Rows that are one.
    pub alarms: Vec<u64>,
}

/// The picture as an SVG file.
pub fn draw(history: &History, notes: &Notes) -> String {
    Chart::new(history, notes).draw()
}

struct Chart<'a> {
    history: &'a History,
    notes: &'a Notes,
    rows: Axis,
    svg: Svg,
    /// Where the next panel begins.
    y: f64,
}

impl<'a> Chart<'a> {
    fn new(history: &'a History, notes: &'a Notes) -> Self {
        let panels = history.panels.len() as f64 * (panel_height(history) + NAME_ROOM + GAP);
        let lanes = levels(history).count() as f64 * LANE;
        let others = ANOMALY + lanes + DRIFT + 3.0 * (NAME_ROOM + GAP);
        let height = TOP + panels + others - GAP + BOTTOM;
        Self {
            history,
            notes,
            rows: Axis::new(1.0, history.rows.max(2) as f64, LEFT, RIGHT),
            svg: Svg::new(WIDTH, height, &format!("replay of {}", notes.recording)),
            y: TOP,
        }
    }

    fn draw(mut self) -> String {
        self.heading();
        for panel in &self.history.panels {
            self.dimension(panel);
        }
        self.anomaly();
        self.authority();
        self.drift();
        self.row_ticks();
        self.svg.finish()
    }

    /// Where a row is that is counted from 0; people count from 1.
    fn x(&self, row: f64) -> f64 {
        self.rows.at(row + 1.0)
    }

    fn heading(&mut self) {
        let (history, notes) = (self.history, self.notes);
        self.svg.text("title", (LEFT, 30.0), &notes.recording);
        self.svg.text("note", (LEFT, 50.0), &notes.figures);
        let hidden = history.dimensions.saturating_sub(history.panels.len());
        if hidden > 0 {
            let text = format!("{} of {} columns drawn", history.panels.len(), history.dimensions);
            self.svg.text("note end", (RIGHT, 30.0), &text);
        }
        let mut x = LEFT;
        let keys: [(&str, Key, &str, bool); 8] = [
            ("observed", Key::Line, "observed", true),
            ("forecast", Key::Line, "forecast", true),
            ("interval", Key::Box, "90 % interval", true),
            ("label", Key::Box, "labelled window", !notes.windows.is_empty()),
            ("probation", Key::Box, "not judged", notes.probation > 0),
            ("hit", Key::Dot, "detection in a window", !notes.windows.is_empty()),
            ("alarm", Key::Dot, "detection outside", notes.threshold.is_some()),
            (
                "incident",
                Key::Dot,
                "incident raised by the agent",
                !history.incidents.is_empty(),
            ),
        ];
        for (class, key, text, _) in keys.into_iter().filter(|(.., shown)| *shown) {
            match key {
                Key::Line => self.svg.line(class, (x, 68.0), (x + 18.0, 68.0)),
                Key::Box => self.svg.rect(class, [x, 62.0, 18.0, 12.0]),
                Key::Dot => self.svg.dot(class, (x + 9.0, 68.0), 4.0, text),
            }
            self.svg.text("", (x + 24.0, 72.0), text);
            x += 44.0 + 6.4 * text.len() as f64;
        }
    }

    /// Begins a panel with a name: its frame, and what is shaded in all of them.
    fn panel(&mut self, name: &str, note: &str, height: f64) -> (f64, f64) {
        self.svg.group(name);
        self.svg.text("name", (LEFT, self.y + 10.0), name);
        self.svg.text("note end", (RIGHT, self.y + 10.0), note);
        let (top, bottom) = (self.y + NAME_ROOM, self.y + NAME_ROOM + height);
        let span = |first: u64, last: u64| {
            let (from, to) = (self.x(first as f64), self.x(last as f64));
            [from, top, (to - from).max(1.0), height]
        };
        let shaded: Vec<_> = self
            .notes
            .windows
            .iter()
            .map(|(first, last)| span(*first, *last))
            .collect();
        if self.notes.probation > 0 {
            self.svg.rect("probation", span(0, self.notes.probation));
        }
        shaded.into_iter().for_each(|rect| self.svg.rect("label", rect));
        self.y = bottom + GAP;
        (top, bottom)
    }

    fn end_panel(&mut self, (top, bottom): (f64, f64)) {
        self.svg.rect("frame", [LEFT, top, RIGHT - LEFT, bottom - top]);
        self.svg.end_group();
    }

    /// Lines across at the ticks of an axis.
    fn ticks(&mut self, axis: &Axis, about: usize) {
        for (value, label) in axis.ticks(about) {
            let y = axis.at(value);
            self.svg.line("grid", (LEFT, y), (RIGHT, y));
            self.svg.text("end", (LEFT - 8.0, y + 4.0), &label);
        }
    }

    fn dimension(&mut self, panel: &Panel) {
        let height = panel_height(self.history);
        let place = self.panel(&panel.name, "", height);
        // What was observed decides the scale; of the interval, what is not far outside of it.
        let (low, high) = panel.observed.range();
        let room = 0.15 * (high - low);
        let (least, _) = panel.low.range();
        let (_, greatest) = panel.high.range();
        let axis = Axis::new(
            low.min(least.max(low - room)),
            high.max(greatest.min(high + room)),
            place.1,
            place.0,
        );
        let axis = axis.roomy(0.04);
        self.ticks(&axis, if height > LOW { 6 } else { 3 });
        self.band(&panel.low, &panel.high, &axis);
        self.mean("forecast", &panel.forecast, &axis);
        self.extent("observed", &panel.observed, &axis);
        let last = self.history.rows.saturating_sub(1);
        for &(first, end) in &self.history.incidents {
            let says = match end {
                Some(end) => format!("incident from row {} to {}", first + 1, end + 1),
                None => format!("incident from row {}", first + 1),
            };
            let (from, to) = (self.x(first as f64), self.x(end.unwrap_or(last) as f64));
            self.svg
                .rect("incident", [from, place.1 - 4.0, (to - from).max(2.0), 4.0]);
            self.svg.dot("incident", (from, place.1 - 8.0), 4.0, &says);
        }
        for &row in self.notes.alarms.iter().take(MAX_DOTS) {
            self.svg.dot(
                self.kind(row),
                (self.x(row as f64), place.0 + 8.0),
                4.0,
                &format!("row {}", row + 1),
            );
        }
        self.end_panel(place);
    }

    /// The class of an alarm.
    fn kind(&self, row: u64) -> &'static str {
        let hit = self
            .notes
            .windows
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&row));
        if hit { "hit" } else { "alarm" }
    }

    fn anomaly(&mut self) {
        let note = self.notes.threshold.filter(|t| t.is_finite());
        let note = note.map_or_else(String::new, |threshold| format!("threshold {threshold:.3}"));
        let place = self.panel("anomaly score", &note, ANOMALY);
        let (_, high) = self.history.anomaly.range();
        let threshold = self.notes.threshold.filter(|threshold| threshold.is_finite());
        // One row that is far beyond all others must not make a line of the rest.
        let high = threshold.map_or(high, |threshold| high.clamp(1.25 * threshold, THRESHOLDS * threshold));
        let axis = Axis::new(0.0, high.max(1e-9), place.1, place.0 + 4.0);
        self.ticks(&axis, 3);
        self.extent("anomaly", &self.history.anomaly, &axis);
        if let Some(threshold) = threshold {
            let y = axis.at(threshold);
            self.svg.line("threshold", (LEFT, y), (RIGHT, y));
        }
        self.end_panel(place);
    }

    /// A lane for each level; the higher the step, the more authority.
    fn authority(&mut self) {
        let shown: Vec<usize> = levels(self.history).collect();
        let place = self.panel(
            "authority",
            "frozen · shadow · advisory · half · full",
            LANE * shown.len() as f64,
        );
        let last = self.history.rows.saturating_sub(1) as f64;
        for (lane, index) in shown.iter().rev().enumerate() {
            let bottom = place.0 + LANE * (lane + 1) as f64;
            self.svg
                .text("end", (LEFT - 8.0, bottom - 6.0), &Level::ALL[*index].to_string());
            self.svg.line("grid", (LEFT, bottom), (RIGHT, bottom));
            let height = |authority: Authority| {
                let rank = Authority::ALL.iter().position(|a| *a == authority).unwrap_or(0) as f64;
                bottom - 1.0 - (LANE - 5.0) * rank / (Authority::ALL.len() - 1) as f64
            };
            let mut step = Path::default();
            let mut area = Path::default().to((LEFT, bottom));
            let mut before = None;
            let ends = self
                .history
                .authorities
                .iter()
                .skip(1)
                .map(|(row, _)| *row as f64)
                .chain([last]);
            for ((row, authorities), end) in self.history.authorities.iter().zip(ends) {
                let y = height(authorities[*index]);
                let (from, to) = (self.x(*row as f64), self.x(end));
                if before != Some(y) {
                    step.draw((from, y));
                    area.draw((from, y));
                }
                step.draw((to, y));
                area.draw((to, y));
                before = Some(y);
            }
            area.draw((self.x(last), bottom));
            area.close();
            self.svg.path("level", &area);
            self.svg.path("step", &step);
            for (row, level) in &self.history.freezes {
                if *level == Level::ALL[*index] {
                    let x = self.x(*row as f64);
                    self.svg.line("freeze", (x, bottom - LANE + 2.0), (x, bottom));
                }
            }
        }
        self.end_panel(place);
    }

    fn drift(&mut self) {
        let history = self.history;
        let place = self.panel("drift", "", DRIFT);
        let lines = [
            ("divergence", "divergence", &history.divergence),
            ("lyapunov", "V(X)", &history.lyapunov),
            ("identity", "1 - identity integrity", &history.identity),
        ];
        let mut x = LEFT + 48.0;
        for (class, text, _) in lines {
            self.svg.line(class, (x, place.0 - 14.0), (x + 18.0, place.0 - 14.0));
            self.svg.text("", (x + 24.0, place.0 - 10.0), text);
            x += 48.0 + 6.4 * text.len() as f64;
        }
        let high = lines.iter().map(|(_, _, thin)| thin.range().1).fold(0.1, f64::max);
        let axis = Axis::new(0.0, high, place.1, place.0 + 4.0);
        self.ticks(&axis, 3);
        lines
            .into_iter()
            .for_each(|(class, _, thin)| self.extent(class, thin, &axis));
        self.end_panel(place);
    }

    /// Rows below the last panel, with their times.
    fn row_ticks(&mut self) {
        let bottom = self.y - GAP;
        for (row, label) in self.rows.ticks(8) {
            let x = self.rows.at(row);
            self.svg.line("frame", (x, bottom), (x, bottom + 5.0));
            let class = if x > RIGHT - 48.0 { "end" } else { "middle" };
            self.svg.text(class, (x, bottom + 20.0), &label);
            let time = self
                .history
                .times
                .runs()
                .flatten()
                .min_by(|(a, _), (b, _)| (a + 1.0 - row).abs().total_cmp(&(b + 1.0 - row).abs()));
            if let Some((_, bucket)) = time {
                self.svg.text(
                    &format!("note {class}"),
                    (x, bottom + 36.0),
                    &calendar(bucket.low as i64),
                );
            }
        }
        self.svg.text("note end", (LEFT - 20.0, bottom + 20.0), "row");
    }

    /// A line through least and greatest value of each bucket.
    fn extent(&mut self, class: &str, thin: &Thin, axis: &Axis) {
        let mut path = Path::default();
        for run in thin.runs() {
            let mut last = None;
            for (row, bucket) in run {
                let x = self.x(row);
                let (low, high) = (axis.at(bucket.low), axis.at(bucket.high));
                // The nearer of both first: the line goes on from where it is.
                let ends = match last {
                    Some(y) if f64::abs(y - high) < f64::abs(y - low) => [high, low],
                    _ => [low, high],
                };
                match last {
                    Some(_) => path.draw((x, ends[0])),
                    None => path.jump((x, ends[0])),
                }
                if (ends[0] - ends[1]).abs() >= 0.05 || last.is_none() {
                    path.draw((x, ends[1]));
                }
                last = Some(ends[1]);
            }
        }
        self.svg.path(class, &path);
    }

    /// A line through the mean of each bucket.
    fn mean(&mut self, class: &str, thin: &Thin, axis: &Axis) {
        let mut path = Path::default();
        for run in thin.runs() {
            for (index, (row, bucket)) in run.into_iter().enumerate() {
                let point = (self.x(row), axis.at(bucket.mean()));
                if index == 0 { path.jump(point) } else { path.draw(point) }
            }
        }
        self.svg.path(class, &path);
    }

    /// What lies between two series.
    fn band(&mut self, low: &Thin, high: &Thin, axis: &Axis) {
        let mut path = Path::default();
        for (below, above) in low.runs().zip(high.runs()) {
            let upper = above.iter().map(|(row, bucket)| (*row, bucket.mean()));
            let lower = below.iter().rev().map(|(row, bucket)| (*row, bucket.mean()));
            for (index, (row, value)) in upper.chain(lower).enumerate() {
                let point = (self.x(row), axis.at(value));
                if index == 0 { path.jump(point) } else { path.draw(point) }
            }
            path.close();
        }
        self.svg.path("interval", &path);
    }
}

enum Key {
    Line,
    Box,
    Dot,
}

fn panel_height(history: &History) -> f64 {
    match history.panels.len() {
        0 | 1 => TALL,
        2 | 3 => 0.5 * (TALL + LOW),
        _ => LOW,
    }
}

/// Levels that were ever more than frozen, by their place in [`Level::ALL`].
fn levels(history: &History) -> impl Iterator<Item = usize> + '_ {
    (0..Level::ALL.len()).filter(|index| {
        let mut changes = history.authorities.iter();
        *index < 3 || changes.any(|(_, authorities)| authorities[*index] > Authority::Frozen)
    })
}

#[cfg(test)]
mod tests;
