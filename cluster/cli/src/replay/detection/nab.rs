//! The scoring of the Numenta Anomaly Benchmark (A. Lavin and S. Ahmad, "Evaluating Real-Time Anomaly Detection
//! Algorithms", ICMLA 2015), standard profile, as version 1.1 of the benchmark does it.
//!
//! Each row has a worth, by where it lies. In a window it is that of the first row detected there, by the scaled
//! sigmoid of its place: nearly 1 at the left edge, little at the right. Outside it is a loss, small just behind a window
//! and 0.11 from three widths on. A window without a detection loses 1. The sum is told between that of a detector that
//! says nothing (0) and one that finds all windows at once (100). The weights are those of the benchmark's
//! `config/profiles.json`, standard: 1 for a window found, 1 for one missed, 0.11 for a false alarm. All figures that are
//! published of the benchmark are by these; a file of early drafts of the benchmark had 1 for a false alarm too.
//!
//! Invariants:
//! 1. A row is detected if its score is at least the threshold; rows of the probationary period are not judged.
//! 2. One threshold counts for all series.

use serde::Serialize;

/// Share of a series at its start that is not judged ...
pub const PROBATION_SHARE: f64 = 0.15;
/// ... but of no more than so many rows.
pub const PROBATION_ROWS: f64 = 5_000.0;
/// What a window that is missed loses.
const MISSED: f64 = 1.0;
/// What a false alarm far from any window loses: with it, random detections of a tenth of all rows would come to about 0.
const FALSE_ALARM: f64 = 0.11;
/// Widths behind a window from which on a false alarm is as bad as any.
const FAR: f64 = 3.0;

/// Rows of one labelled window, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub first: usize,
    /// The last.
    pub last: usize,
}

/// A series with what a detector says of each row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// The higher, the stranger; NaN says nothing.
    pub scores: Vec<f64>,
    /// In order, without overlap, each within the rows.
    pub windows: Vec<Window>,
}

/// A row that is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    score: f64,
    /// The window it is in, counted over all series.
    window: Option<usize>,
    worth: f64,
}

/// What a threshold comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// The threshold.
    pub threshold: f64,
    /// 0 as a detector that says nothing, 100 as one that finds all windows at once; false alarms can take it below 0.
    /// `None` without a window.
    pub nab: Option<f64>,
    /// Windows with a detection.
    pub found: u64,
    /// Windows that are judged.
    pub windows: u64,
    /// Rows detected outside all windows.
    pub false_alarms: u64,
}

impl Verdict {
    /// Share of detections that are right, a window counting as one; `None` without a detection.
    pub fn precision(&self) -> Option<f64> {
        share(self.found, self.found + self.false_alarms)
    }

    /// Share of windows that are found; `None` without one.
    pub fn recall(&self) -> Option<f64> {
        share(self.found, self.windows)
    }

    /// The harmonic mean of both; `None` without a detection and a window.
    pub fn f1(&self) -> Option<f64> {
        share(2 * self.found, self.found + self.false_alarms + self.windows)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Rows at the start of a series of so many that are not judged.
pub fn probation(rows: usize) -> usize {
    let rows = (PROBATION_SHARE * rows as f64).floor();
    // The bound is at a whole number of rows.
    rows.min(PROBATION_SHARE * PROBATION_ROWS) as usize
}

/// `2 / (1 + e^(5 x)) - 1`, and -1 from three on.
fn scaled_sigmoid(x: f64) -> f64 {
    if x >= FAR {
        return -1.0;
    }
    2.0 / (1.0 + (5.0 * x).exp()) - 1.0
}

/// What a detection of each row of a series is worth, and in which window it is.
fn worths(rows: usize, windows: &[Window]) -> impl Iterator<Item = (Option<usize>, f64)> {
    let best = scaled_sigmoid(-1.0);
    let mut next = 0;
    (0..rows).map(move |row| {
        while windows.get(next).is_some_and(|window| window.last < row) {
            next += 1;
        }
        if let Some(window) = windows.get(next).filter(|window| window.first <= row) {
            let width = (window.last - window.first + 1) as f64;
            let place = -((window.last - row + 1) as f64) / width;
            return (Some(next), scaled_sigmoid(place) / best);
        }
        let behind = next.checked_sub(1).map_or(FAR, |before| {
            let window = windows[before];
            // A window of one row has no width in the benchmark, which then cannot go on; here it has one.
            (row - window.last) as f64 / (window.last - window.first).max(1) as f64
        });
        (None, FALSE_ALARM * scaled_sigmoid(behind))
    })
}

/// All rows that are judged, the strangest first, and how many windows there are. A window that ends in the probationary
/// period is counted, and has no row.
fn points(all: &[Series]) -> (Vec<Point>, usize) {
    let (mut points, mut windows) = (Vec::new(), 0);
    for series in all {
        let judged = worths(series.scores.len(), &series.windows)
            .zip(&series.scores)
            .skip(probation(series.scores.len()));
        points.extend(judged.map(|((window, worth), &score)| Point {
            score: if score.is_nan() { f64::NEG_INFINITY } else { score },
            window: window.map(|window| windows + window),
            worth,
        }));
        windows += series.windows.len();
    }
    points.sort_by(|a, b| b.score.total_cmp(&a.score));
    (points, windows)
}

/// Walks the thresholds downwards, each score one; `on_level` hears what each comes to, the first of them that nothing
/// is detected.
fn walk(all: &[Series], mut on_level: impl FnMut(Verdict)) {
    let (points, windows) = points(all);
    let mut judged = vec![false; windows];
    points
        .iter()
        .filter_map(|point| point.window)
        .for_each(|w| judged[w] = true);
    let judged = judged.iter().filter(|judged| **judged).count() as u64;
    let nothing = -MISSED * judged as f64;
    // A perfect detector finds all windows, and so also those that nobody can be judged by: the benchmark has it so.
    let perfect = windows as f64;
    let mut best: Vec<Option<f64>> = vec![None; windows];
    let mut total = nothing;
    let mut verdict = Verdict {
        threshold: f64::INFINITY,
        nab: (windows > 0).then_some(0.0),
        windows: judged,
        ..Verdict::default()
    };
    for (index, point) in points.iter().enumerate() {
        if point.score == f64::NEG_INFINITY {
            break;
        }
        if index == 0 || point.score != points[index - 1].score {
            on_level(verdict);
            verdict.threshold = point.score;
        }
        match point.window {
            None => {
                total += point.worth;
                verdict.false_alarms += 1;
            }
            Some(window) => {
                let before = best[window].unwrap_or(-MISSED);
                verdict.found += u64::from(best[window].is_none());
                best[window] = Some(before.max(point.worth));
                total += before.max(point.worth) - before;
            }
        }
        verdict.nab = (windows > 0).then(|| 100.0 * (total - nothing) / (perfect - nothing));
    }
    on_level(verdict);
}

/// The threshold that is best for all series together; of equals the highest. One that detects nothing is infinite.
pub fn best(all: &[Series]) -> Verdict {
    let mut best: Option<Verdict> = None;
    walk(all, |verdict| {
        if best.is_none_or(|best| verdict.nab > best.nab) {
            best = Some(verdict);
        }
    });
    best.expect("invariant: the level at which nothing is detected is always told")
}

/// What a threshold comes to over all series together.
pub fn at(all: &[Series], threshold: f64) -> Verdict {
    let mut last = Verdict::default();
    walk(all, |verdict| {
        if verdict.threshold >= threshold {
            last = verdict;
        }
    });
    Verdict { threshold, ..last }
}

#[cfg(test)]
mod tests;
