//! How far the agent's picture of the world can be trusted: the uncertainty index U, and divergence.
//!
//! U has four parts, each the excess over what is usual for this agent (its own median of the last 1,000 cycles), so
//! that a noisy world is not taken for an uncertain agent. A part without an observation is 1: a blind agent must not
//! look certain.

use crate::numeric::running::Scale;
use crate::numeric::window::Window;
use crate::report::DivergenceBand;
use serde::{Deserialize, Serialize};

/// Cycles without any observation after which the agent is blind.
pub const BLIND_CYCLES: u32 = 50;
/// From this uncertainty on, horizons count half …
pub const HALVE_HORIZONS: f64 = 0.7;
/// … and structural change is blocked.
pub const BLOCK_STRUCTURAL: f64 = 0.8;
/// Observations (rows with at least one) that the error's size is averaged over.
const ERROR_ROWS: usize = 50;
/// Rows before which an average is no evidence.
const MIN_ERROR_ROWS: usize = 10;
/// Cycles over which divergence may not rise.
const SLOPE_CYCLES: usize = 100;
/// Cycles between two entries of the medians, and entries: 1,000 cycles together.
const MEDIAN_EVERY_CYCLES: u32 = 10;
const MEDIAN_ENTRIES: usize = 100;
/// Mean of |z| for a standard normal z, as the definition has it.
const MEAN_ABS_Z: f64 = 0.798;
/// Errors are cut at this many forecast standard deviations.
const ERROR_CUT: f64 = 5.0;
/// Observations over which a dimension's scale is known.
const SCALE_HORIZON: u32 = 1000;

/// One row of a dimension: NaN where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The observation.
    pub value: f64,
    /// What had been forecast.
    pub forecast: f64,
    /// Standard deviation of the forecast's error.
    pub sd: f64,
    /// Half the width of its 90 % interval.
    pub half_width: f64,
}

/// What the cycle's uncertainty is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// U, in [0, 1].
    pub uncertainty: f64,
    /// Divergence, in [0, 1]; `None` while nothing was observed.
    pub divergence: Option<f64>,
}

/// What divergence asks for; nothing observed asks for the most.
pub fn band(divergence: Option<f64>) -> DivergenceBand {
    match divergence {
        Some(d) if d < 0.10 => DivergenceBand::Normal,
        Some(d) if d < 0.25 => DivergenceBand::Warning,
        Some(d) if d < 0.50 => DivergenceBand::Recalibrate,
        _ => DivergenceBand::Frozen,
    }
}

/// A quantity and its usual size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Usual {
    entries: Window,
    median: Option<f64>,
}

impl Default for Usual {
    fn default() -> Self {
        Self {
            entries: Window::new(MEDIAN_ENTRIES),
            median: None,
        }
    }
}

impl Usual {
    fn enter(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.entries.push(value);
            self.median = self.entries.median();
        }
    }

    /// The value over the median, less 1; 0 for a value whose usual size is 0 or not known yet.
    fn excess(&self, value: f64) -> f64 {
        match self.median {
            Some(median) if median > 0.0 => value / median - 1.0,
            _ => 0.0,
        }
    }
}

/// The last known forecast of a dimension, in its own scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Forecast {
    scale: Scale,
    /// Variance and interval width in units of the dimension's deviation; `None` before the first forecast and for what
    /// has not moved.
    variance: Option<f64>,
    width: Option<f64>,
}

/// Uncertainty of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Uncertainty {
    dimensions: Vec<Forecast>,
    /// Mean |error| of each row in forecast deviations (for divergence) and in the dimensions' deviations (for U).
    relative: Window,
    scaled: Window,
    divergence: Window,
    usual_variance: Usual,
    usual_width: Usual,
    usual_error: Usual,
    blind_cycles: u32,
    cycles_to_entry: u32,
    /// Sums of the row that is being taken in: errors in both units, and how many.
    row: [f64; 2],
    row_count: u32,
    row_observed: bool,
}

impl Uncertainty {
    /// Nothing seen yet.
    pub fn new(dimensions: usize) -> Self {
        let forecast = Forecast {
            scale: Scale::new(SCALE_HORIZON),
            variance: None,
            width: None,
        };
        Self {
            dimensions: vec![forecast; dimensions],
            relative: Window::new(ERROR_ROWS),
            scaled: Window::new(ERROR_ROWS),
            divergence: Window::new(SLOPE_CYCLES + 1),
            usual_variance: Usual::default(),
            usual_width: Usual::default(),
            usual_error: Usual::default(),
            blind_cycles: BLIND_CYCLES,
            cycles_to_entry: MEDIAN_EVERY_CYCLES,
            row: [0.0; 2],
            row_count: 0,
            row_observed: false,
        }
    }

    /// Takes in one dimension's cell of a row.
    pub fn observe(&mut self, dimension: usize, cell: &Cell) {
        let Some(own) = self.dimensions.get_mut(dimension).filter(|_| cell.value.is_finite()) else {
            return;
        };
        self.row_observed = true;
        own.scale.push(cell.value);
        let sd = own.scale.sd();
        let size = |v: f64| (0.0..=f64::MAX).contains(&v);
        if !(cell.forecast.is_finite() && size(cell.sd) && size(cell.half_width)) {
            return;
        }
        let error = (cell.value - cell.forecast).abs();
        if sd > 0.0 {
            own.variance = Some((cell.sd / sd).powi(2).min(MAX_RATIO));
            own.width = Some((cell.half_width / sd).min(MAX_RATIO));
        }
        // A forecast that was never wrong and is right again says nothing about its error.
        if cell.sd > 0.0 || error > 0.0 {
            let relative = if cell.sd > 0.0 {
                (error / cell.sd).min(ERROR_CUT)
            } else {
                ERROR_CUT
            };
            self.row[0] += relative;
            self.row[1] += own.scale.in_sd(error, ERROR_CUT);
            self.row_count += 1;
        }
    }

    /// Ends a row and gives its reading:
    /// U = 0.30 prediction variance + 0.25 interval width + 0.25 simulation-reality gap + 0.20 divergence slope.
    pub fn cycle(&mut self) -> Reading {
        self.blind_cycles = if self.row_observed {
            0
        } else {
            self.blind_cycles.saturating_add(1)
        };
        if self.row_count > 0 {
            let count = f64::from(self.row_count);
            self.relative.push(self.row[0] / count);
            self.scaled.push(self.row[1] / count);
        }
        (self.row, self.row_count, self.row_observed) = ([0.0; 2], 0, false);
        let divergence = self.divergence_now();
        self.divergence.push(divergence.unwrap_or(f64::NAN));
        let variance = mean(self.dimensions.iter().filter_map(|d| d.variance));
        let width = mean(self.dimensions.iter().filter_map(|d| d.width));
        let error = self.scaled.mean().filter(|_| self.scaled.len() >= MIN_ERROR_ROWS);
        self.enter_medians(variance, width, error);
        if self.blind_cycles >= BLIND_CYCLES {
            return Reading {
                uncertainty: 1.0,
                divergence: None,
            };
        }
        let part = |value: Option<f64>| value.map_or(1.0, |v| v.clamp(0.0, 1.0));
        let uncertainty = 0.30 * part(variance.map(|v| self.usual_variance.excess(v) / 3.0))
            + 0.25 * part(width.map(|w| self.usual_width.excess(w)))
            + 0.25 * part(error.map(|e| self.usual_error.excess(e)))
            + 0.20 * part(divergence.map(|d| self.rise(d)));
        Reading {
            uncertainty: uncertainty.clamp(0.0, 1.0),
            divergence,
        }
    }

    /// Mean over the last 50 rows of |error| in forecast deviations, over 0.798, less 1, clamped to [0, 1].
    fn divergence_now(&self) -> Option<f64> {
        let mean = self.relative.mean().filter(|_| self.relative.len() >= MIN_ERROR_ROWS)?;
        Some((mean / MEAN_ABS_Z - 1.0).clamp(0.0, 1.0))
    }

    /// How much more divergence there is than 100 cycles ago; 0 while that is not known.
    fn rise(&self, now: f64) -> f64 {
        self.divergence
            .oldest()
            .filter(|_| self.divergence.is_full())
            .map_or(0.0, |then| now - then)
    }

    fn enter_medians(&mut self, variance: Option<f64>, width: Option<f64>, error: Option<f64>) {
        self.cycles_to_entry -= 1;
        if self.cycles_to_entry == 0 {
            self.cycles_to_entry = MEDIAN_EVERY_CYCLES;
            self.usual_variance.enter(variance);
            self.usual_width.enter(width);
            self.usual_error.enter(error);
        }
    }

    /// Every number is one that the module could have reached by itself.
    pub(super) fn is_valid(&self, dimensions: usize) -> bool {
        let ratio = |r: Option<f64>| r.is_none_or(|r| (0.0..=MAX_RATIO).contains(&r));
        self.dimensions.len() == dimensions
            && self.dimensions.iter().all(|d| ratio(d.variance) && ratio(d.width))
            && (1..=MEDIAN_EVERY_CYCLES).contains(&self.cycles_to_entry)
            && self.row.iter().all(|sum| sum.is_finite())
            && [&self.usual_variance, &self.usual_width, &self.usual_error]
                .iter()
                .all(|usual| usual.median.is_none_or(f64::is_finite))
    }
}

/// Variances and widths beyond this multiple of a dimension's own are all the same.
const MAX_RATIO: f64 = 1e6;

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests;
