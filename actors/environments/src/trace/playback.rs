//! A recording at the pace of its own timestamps, or a multiple of it.
//!
//! The first row is due at the first observation, each other row when as much time has passed, times the speed, as lies
//! between its timestamp and the first. A row whose time is not later than that of the first is due at once.

use super::{Part, broken, describe_file, only_watched};
use rungs_agent::{Command, Description, Environment, EnvironmentError, Observed};
use rungs_types::spec::SPEED_RANGE;
use std::path::Path;
use std::time::Duration;

/// Most rows that one observation takes in; a reader further behind than that stays behind for some cycles more.
pub const MAX_ROWS_PER_CYCLE: usize = 1000;

/// A recording that is replayed by the clock.
#[derive(Debug)]
pub struct Playback {
    description: Description,
    part: Part,
    /// Multiple of the recording's own time.
    speed: f64,
    /// The row that has been read and is not due yet: its time is set, its values are here.
    ahead: Vec<f64>,
    ahead_micros: Option<i64>,
    /// When the first row was handed out, and its time.
    start: Option<(Duration, i64)>,
    refused: Option<EnvironmentError>,
}

impl Playback {
    /// A CSV file with times; `speed` is 1 for real time.
    pub fn open(path: &Path, speed: f64) -> Result<Self, EnvironmentError> {
        if !SPEED_RANGE.contains(&speed) {
            let (slowest, fastest) = (SPEED_RANGE.start(), SPEED_RANGE.end());
            let reason = format!("a speed of {speed}; expected {slowest} to {fastest}");
            return Err(broken(path, reason));
        }
        let part = Part::open(path)?;
        if !part.table.timed() {
            let reason = "no column of times to be played by; expected the first column to be one";
            return Err(broken(path, reason.to_owned()));
        }
        Ok(Self {
            description: describe_file(path, &part.table),
            ahead: vec![f64::NAN; part.table.names().len()],
            ahead_micros: None,
            part,
            speed,
            start: None,
            refused: None,
        })
    }

    /// Rows that were skipped so far.
    pub fn bad_rows(&self) -> u64 {
        self.part.table.bad_rows()
    }

    /// Lays all rows that are due over each other; a later value of a dimension covers an earlier one.
    fn take_due(&mut self, now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        let mut observed = Observed::End;
        for _ in 0..MAX_ROWS_PER_CYCLE {
            let Some(micros) = self.look_ahead()? else {
                return Ok(observed);
            };
            if observed == Observed::End {
                row.fill(f64::NAN);
                observed = Observed::Row;
            }
            let (started, first_micros) = *self.start.get_or_insert((now, micros));
            let due_seconds = micros.saturating_sub(first_micros) as f64 / 1e6 / self.speed;
            if due_seconds > now.saturating_sub(started).as_secs_f64() {
                return Ok(observed);
            }
            self.ahead_micros = None;
            for (cell, value) in row.iter_mut().zip(&self.ahead) {
                if !value.is_nan() {
                    *cell = *value;
                }
            }
        }
        Ok(observed)
    }

    /// The time of the next row, which is read if it has not been; none at the end.
    fn look_ahead(&mut self) -> Result<Option<i64>, EnvironmentError> {
        if self.ahead_micros.is_none() {
            let info = self.part.next_row(&mut self.ahead)?;
            self.ahead_micros = info.and_then(|info| info.time_micros);
        }
        Ok(self.ahead_micros)
    }
}

impl Environment for Playback {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn observe(&mut self, now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        crate::check_row(&self.description, row)?;
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let observed = self.take_due(now, row);
        self.refused = observed.clone().err();
        observed
    }

    fn act(&mut self, _command: Command) -> Result<(), EnvironmentError> {
        Err(only_watched(&self.description))
    }
}
