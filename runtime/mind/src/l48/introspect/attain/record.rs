//! What conditions look at, every ten cycles for a thousand cycles.

use super::ObserveOutput;
use crate::numeric::condense::{Refused, narrow};
use crate::report::{CycleReport, FloorReport, REPORT_CYCLES};
use rungs_types::goal::Quantity;
use rungs_types::spec::MAX_DIMENSIONS;
use serde::{Deserialize, Serialize};

/// Cycles from one sample to the next: one report.
pub const SAMPLE_CYCLES: usize = REPORT_CYCLES;
/// Samples remembered.
pub const SAMPLES: usize = 100;
/// Samples below which nothing is told of a quantity.
pub const MIN_SAMPLES: usize = 20;
/// Quantities that are none of a dimension.
const SCALARS: usize = 7;
/// Of each dimension: its variance, and the least and the largest value that it had since the sample before.
const OF_DIMENSION: usize = 3;

/// What a quantity usually is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation.
    pub sd: f64,
    /// How much of its distance from the mean is left at the next sample, in [0, 1]: its correlation with the one before.
    pub memory: f64,
}

/// The samples; NaN stands for what is not known.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "RawRecord", into = "RawRecord")]
pub(super) struct Record {
    dimensions: usize,
    /// A ring of rows: the oldest begins at row `next` once it is full, at 0 before.
    cells: Vec<f32>,
    next: usize,
}

/// What [`Record`] reads and writes: the rows, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RawRecord {
    dimensions: u16,
    cells: Vec<f32>,
}

/// One sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    cells: &'a [f32],
}

fn width(dimensions: usize) -> usize {
    SCALARS + OF_DIMENSION * dimensions
}

/// Where a quantity stands in a row; of a dimension's values the least or the largest. A dimension that there is not is
/// beyond its end.
fn place(of: Quantity, least: bool) -> usize {
    let of_dimension = |dimension: u16, part: usize| SCALARS + OF_DIMENSION * usize::from(dimension) + part;
    match of {
        Quantity::Eu => 0,
        Quantity::Res => 1,
        Quantity::Rdf => 2,
        Quantity::Seof => 3,
        Quantity::Iis => 4,
        Quantity::CL4 => 5,
        Quantity::Uncertainty => 6,
        Quantity::Variance(dimension) => of_dimension(dimension, 0),
        Quantity::Dimension(dimension) => of_dimension(dimension, if least { 1 } else { 2 }),
    }
}

impl Row<'_> {
    /// The value of a quantity; `None` if it is not known.
    pub(super) fn get(&self, of: Quantity, least: bool) -> Option<f64> {
        let value = self.cells.get(place(of, least))?;
        (!value.is_nan()).then(|| f64::from(*value))
    }
}

/// A number as the record keeps it.
fn cell(value: f64) -> f32 {
    if value.is_nan() { f32::NAN } else { narrow(value) }
}

impl Record {
    pub(super) fn new(dimensions: usize) -> Self {
        Self {
            dimensions,
            cells: Vec::new(),
            next: 0,
        }
    }

    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Samples held.
    pub(super) fn len(&self) -> usize {
        self.cells.len() / width(self.dimensions)
    }

    /// Takes a sample in, and the oldest out of a full record.
    pub(super) fn note(&mut self, report: &CycleReport, floor: &FloorReport, world: &ObserveOutput) {
        let mut row = vec![f32::NAN; width(self.dimensions)];
        for (of, value) in [
            (Quantity::Eu, world.eu),
            (Quantity::Res, world.res.score),
            (Quantity::Rdf, world.rdf),
            (Quantity::Seof, floor.seof),
            (Quantity::Iis, floor.iis.unwrap_or(f64::NAN)),
            (Quantity::CL4, floor.c_l4),
            (Quantity::Uncertainty, floor.uncertainty),
        ] {
            row[place(of, true)] = cell(value);
        }
        for dimension in 0..self.dimensions.min(usize::from(u16::MAX)) {
            let at = |of: fn(u16) -> Quantity, least: bool| place(of(dimension as u16), least);
            let variance = world.variance.get(dimension).copied().unwrap_or(f64::NAN);
            row[at(Quantity::Variance, true)] = cell(variance);
            let seen = self.seen(report, dimension);
            let known = seen.or_else(|| self.last_of(dimension as u16));
            if let Some((least, largest)) = known {
                row[at(Quantity::Dimension, true)] = cell(least);
                row[at(Quantity::Dimension, false)] = cell(largest);
            }
        }
        self.push(&row);
    }

    /// The least and the largest value of a dimension in a report; `None` if it was not seen.
    fn seen(&self, report: &CycleReport, dimension: usize) -> Option<(f64, f64)> {
        let rows = report.observations.chunks_exact(self.dimensions);
        let values = rows.filter_map(|row| row.get(dimension).copied().filter(|value| value.is_finite()));
        values.fold(None, |known: Option<(f64, f64)>, value| {
            Some(known.map_or((value, value), |(least, largest)| {
                (least.min(value), largest.max(value))
            }))
        })
    }

    /// What a dimension was at the sample before: it is what it was until it is seen again.
    fn last_of(&self, dimension: u16) -> Option<(f64, f64)> {
        let row = self.rows().last()?;
        let of = Quantity::Dimension(dimension);
        row.get(of, true).zip(row.get(of, false))
    }

    fn push(&mut self, row: &[f32]) {
        let width = width(self.dimensions);
        if self.len() < SAMPLES {
            self.cells.extend_from_slice(row);
        } else {
            self.cells[self.next * width..][..width].copy_from_slice(row);
        }
        self.next = (self.next + 1) % SAMPLES;
    }

    /// The samples, oldest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let width = width(self.dimensions);
        let split = if self.len() == SAMPLES { self.next * width } else { 0 };
        let (newer, older) = self.cells.split_at(split);
        let rows = older.chunks_exact(width).chain(newer.chunks_exact(width));
        rows.map(|cells| Row { cells })
    }

    /// The values of a quantity, oldest first, those that are known.
    fn values(&self, of: Quantity, least: bool) -> Vec<f64> {
        self.rows().filter_map(|row| row.get(of, least)).collect()
    }

    /// See [`super::Attainment::usual`]. A dimension counts by the middle of what it was within a sample.
    pub(super) fn usual(&self, of: Quantity) -> Option<Usual> {
        let (least, largest) = (self.values(of, true), self.values(of, false));
        if least.len() < MIN_SAMPLES {
            return None;
        }
        let count = least.len() as f64;
        let pairs = least.iter().zip(&largest);
        let middle: Vec<f64> = pairs.map(|(least, largest)| 0.5 * (least + largest)).collect();
        let mean = middle.iter().sum::<f64>() / count;
        let squares: f64 = middle.iter().map(|value| (value - mean).powi(2)).sum();
        let products: f64 = middle.windows(2).map(|two| (two[0] - mean) * (two[1] - mean)).sum();
        let memory = if squares > 0.0 {
            (products / squares).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let sd = (squares / count).sqrt();
        (mean.is_finite() && sd.is_finite()).then_some(Usual { mean, sd, memory })
    }

    /// Of all runs of so many samples the worst that the quantity was in the run, in rising order; some.
    pub(super) fn kept(&self, of: Quantity, lower: bool, samples: usize) -> Option<Vec<f64>> {
        let values = self.values(of, !lower);
        if values.len() < MIN_SAMPLES {
            return None;
        }
        let worse = |a: f64, b: f64| if lower { a.max(b) } else { a.min(b) };
        let runs = values.windows(samples.max(1));
        let mut worst: Vec<f64> = runs.filter_map(|run| run.iter().copied().reduce(worse)).collect();
        worst.sort_by(f64::total_cmp);
        (!worst.is_empty()).then_some(worst)
    }
}

/// NaN is what is not known, and equal to itself.
impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        let bits = |record: &Self| record.cells.iter().map(|cell| cell.to_bits()).collect::<Vec<_>>();
        (self.dimensions, self.next) == (other.dimensions, other.next) && bits(self) == bits(other)
    }
}

impl TryFrom<RawRecord> for Record {
    type Error = Refused;

    fn try_from(RawRecord { dimensions, cells }: RawRecord) -> Result<Self, Refused> {
        let dimensions = usize::from(dimensions);
        let rows = cells.len() / width(dimensions);
        let whole = cells.len() == rows * width(dimensions) && rows <= SAMPLES && dimensions <= MAX_DIMENSIONS;
        let sane = cells.iter().all(|cell| !cell.is_infinite());
        let record = Self {
            dimensions,
            cells,
            next: rows % SAMPLES,
        };
        (whole && sane)
            .then_some(record)
            .ok_or(Refused("the record of quantities"))
    }
}

impl From<Record> for RawRecord {
    fn from(record: Record) -> Self {
        let cells = record.rows().flat_map(|row| row.cells.iter().copied()).collect();
        Self {
            dimensions: record.dimensions as u16,
            cells,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_holds_seven_quantities_and_three_of_each_dimension() {
        assert_eq!((width(0), width(2)), (7, 13));
        assert_eq!(place(Quantity::Uncertainty, true), 6);
        assert_eq!(place(Quantity::Dimension(1), false), 12, "the last of two dimensions");
    }
}
