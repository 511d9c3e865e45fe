//! Incident detection against labels: how strange each row is to the agent, which rows are labelled, and what both come
//! to by the benchmark's scoring ([`nab`]).

pub mod nab;

use super::labels::Span;
use nab::{Series, Verdict, Window};
use rungs_mind::l48::anomaly::Anomaly;
use rungs_mind::l48::observe::Score;
use serde::Serialize;

/// Why a recording cannot be held against its labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetectionError {
    /// Rows without a time.
    #[error("{recording} has no column of times, and labels are times; expected a first column named timestamp")]
    NoTimes {
        /// The recording.
        recording: String,
    },
    /// A window without a row.
    #[error("{recording}: window {number} in time covers no row; expected times from {from} to {to}")]
    Outside {
        /// The recording.
        recording: String,
        /// The window, from 1.
        number: usize,
        /// The first row's time.
        from: String,
        /// The last row's.
        to: String,
    },
}

/// How strange the rows of a recording are: a row is as strange as its strangest dimension.
#[derive(Debug, Clone)]
pub struct Strangeness {
    dimensions: Vec<Anomaly>,
}

impl Strangeness {
    /// Of so many dimensions.
    pub fn new(dimensions: usize) -> Self {
        Self {
            dimensions: vec![Anomaly::default(); dimensions],
        }
    }

    /// Takes in what was forecast and what came, in order; gives rows, from 0, with how strange they are. A row comes
    /// once for each dimension.
    pub fn take<'a>(&'a mut self, scores: &'a [Score]) -> impl Iterator<Item = (u64, f64)> + 'a {
        scores.iter().map(|score| {
            let strange = self.dimensions[usize::from(score.dimension)].step(score);
            (score.cycle.saturating_sub(1), strange)
        })
    }
}

/// The labelled rows of one recording and how strange each row is.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    spans: Vec<Span>,
    /// First and last row of each span.
    rows_of: Vec<Option<Window>>,
    scores: Vec<f64>,
    /// Rows at which the agent raised an incident.
    raised: Vec<usize>,
    times: Option<(i64, i64)>,
}

impl Judged {
    /// Of a recording with these labels.
    pub fn new(spans: &[Span]) -> Self {
        Self {
            spans: spans.to_vec(),
            rows_of: vec![None; spans.len()],
            ..Self::default()
        }
    }

    /// The next row has this time, and the agent raised an incident at it or did not.
    pub fn row(&mut self, time_micros: Option<i64>, raised: bool) {
        let row = self.scores.len();
        self.scores.push(0.0);
        if raised {
            self.raised.push(row);
        }
        let Some(time) = time_micros else { return };
        self.times = Some(self.times.map_or((time, time), |(first, _)| (first, time)));
        for (span, window) in self.spans.iter().zip(&mut self.rows_of) {
            if (span.start_micros..=span.end_micros).contains(&time) {
                let first = window.map_or(row, |window| window.first);
                *window = Some(Window { first, last: row });
            }
        }
    }

    /// A row is at least this strange.
    pub fn score(&mut self, row: u64, strange: f64) {
        if let Some(score) = self.scores.get_mut(row as usize) {
            *score = score.max(strange);
        }
    }

    /// What the scoring needs. A window after the last row counts nothing where the recording was cut off.
    pub fn series(&self, recording: &str, cut_off: bool) -> Result<Series, DetectionError> {
        let Some((from, to)) = self.times else {
            let recording = recording.to_owned();
            return Err(DetectionError::NoTimes { recording });
        };
        let mut windows = Vec::with_capacity(self.spans.len());
        for (number, (span, rows)) in (1..).zip(self.spans.iter().zip(&self.rows_of)) {
            match rows {
                Some(rows) => windows.push(*rows),
                None if cut_off && span.start_micros > to => {}
                None => {
                    return Err(DetectionError::Outside {
                        recording: recording.to_owned(),
                        number,
                        from: crate::plot::axis::calendar(from),
                        to: crate::plot::axis::calendar(to),
                    });
                }
            }
        }
        let scores = self.scores.clone();
        Ok(Series { scores, windows })
    }

    /// The same with the incidents that the agent raised in the place of scores: 1 at each, 0 elsewhere.
    pub fn incidents(&self, series: &Series) -> Series {
        let mut scores = vec![0.0; series.scores.len()];
        self.raised.iter().for_each(|row| scores[*row] = 1.0);
        Series {
            scores,
            windows: series.windows.clone(),
        }
    }
}

/// What detection comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detection {
    /// The threshold was sought for the best score of all recordings together, not given.
    pub optimised: bool,
    /// Of all recordings together, at one threshold.
    pub total: Figures,
    /// Of the incidents that the agent raised itself.
    pub incidents: Figures,
    /// Of each recording at the same threshold.
    pub recordings: Vec<OfRecording>,
}

/// One recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfRecording {
    /// Its name.
    pub recording: String,
    /// How it did.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A verdict with its shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// What was counted.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// See [`Verdict::precision`].
    pub precision: Option<f64>,
    /// See [`Verdict::recall`].
    pub recall: Option<f64>,
    /// See [`Verdict::f1`].
    pub f1: Option<f64>,
}

impl From<Verdict> for Figures {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            precision: verdict.precision(),
            recall: verdict.recall(),
            f1: verdict.f1(),
        }
    }
}

impl Detection {
    /// Of these recordings at a threshold, or at the best.
    pub fn of(recordings: &[(String, Judged)], threshold: Option<f64>, cut_off: bool) -> Result<Self, DetectionError> {
        let each = recordings.iter().map(|(name, judged)| judged.series(name, cut_off));
        let all = each.collect::<Result<Vec<Series>, _>>()?;
        let total = threshold.map_or_else(|| nab::best(&all), |threshold| nab::at(&all, threshold));
        let raised: Vec<Series> = recordings
            .iter()
            .zip(&all)
            .map(|((_, judged), series)| judged.incidents(series))
            .collect();
        let of_recording = |((name, _), series): (&(String, Judged), &Series)| OfRecording {
            recording: name.clone(),
            figures: nab::at(std::slice::from_ref(series), total.threshold).into(),
        };
        Ok(Self {
            optimised: threshold.is_none(),
            total: total.into(),
            incidents: nab::at(&raised, 1.0).into(),
            recordings: recordings.iter().zip(&all).map(of_recording).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
