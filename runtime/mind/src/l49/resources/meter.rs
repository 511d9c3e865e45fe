//! Rates of the resources: slopes of their levels over 50 cycles.

use super::survival::{Gauge, Gauges, RESOURCES, ResourceKind};
use crate::numeric::condense::Refused;
use crate::numeric::history::History;
use serde::{Deserialize, Serialize};

/// Cycles over which rates are taken.
pub const RATE_CYCLES: u64 = 50;
/// Readings remembered: one a cycle.
const MAX_READINGS: usize = 51;
/// Readings from which a slope is told.
const MIN_READINGS: usize = 2;

/// What is measured of a dimension in a cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What is left, as a share of the whole; cut to [0, 1].
    pub level: f64,
    /// What was renewed in the cycle, where that is metered: the rest of the slope is consumption.
    pub renewed: Option<f64>,
}

/// A reading with its cycle.
type Row = (u64, f64, f64);

/// The readings of the last 50 cycles of each dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawMeter")]
pub struct Meter {
    rows: [History<Row>; RESOURCES],
}

/// What [`Meter`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawMeter {
    rows: [History<Row>; RESOURCES],
}

impl TryFrom<RawMeter> for Meter {
    type Error = Refused;

    fn try_from(RawMeter { rows }: RawMeter) -> Result<Self, Refused> {
        let sane = |row: &Row| (0.0..=1.0).contains(&row.1) && (0.0..=1.0).contains(&row.2);
        let whole = rows.iter().all(|rows| {
            let ordered = rows.iter().zip(rows.iter().skip(1)).all(|(a, b)| a.0 < b.0);
            rows.capacity() == MAX_READINGS && ordered && rows.iter().all(|row| sane(&row))
        });
        if whole {
            Ok(Self { rows })
        } else {
            Err(Refused("the readings of resources"))
        }
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            rows: std::array::from_fn(|_| History::new(MAX_READINGS)),
        }
    }
}

impl Meter {
    /// Takes a reading in. One that is not finite, or not later than the last, is none.
    pub fn note(&mut self, kind: ResourceKind, reading: &Reading, cycle: u64) {
        let rows = &mut self.rows[kind as usize];
        let renewed = reading.renewed.unwrap_or(0.0);
        let late = rows.newest().is_none_or(|(last, ..)| cycle > last);
        if late && reading.level.is_finite() && renewed.is_finite() {
            rows.push((cycle, reading.level.clamp(0.0, 1.0), renewed.clamp(0.0, 1.0)));
        }
    }

    /// The resource vector at `cycle`: a dimension without a reading in the last 50 cycles is not measured.
    pub fn gauges(&self, cycle: u64) -> Gauges {
        std::array::from_fn(|d| self.gauge(ResourceKind::ALL[d], cycle))
    }

    /// One dimension: the newest level, and its rates. Consumption less replenishment is the slope of the level by
    /// least squares, so that a level that only fluctuates uses up nothing. With a metered renewal, that is the
    /// replenishment; without, a level that rises is renewed and one that falls is used up.
    pub fn gauge(&self, kind: ResourceKind, cycle: u64) -> Option<Gauge> {
        let rows = || {
            let within = move |row: &Row| cycle.saturating_sub(row.0) <= RATE_CYCLES;
            self.rows[kind as usize].iter().filter(within)
        };
        let level = rows().last()?.1;
        let count = rows().count() as f64;
        let (first, _, _) = rows().next()?;
        let renewed = rows().map(|row| row.2).sum::<f64>() / count;
        let net = if rows().count() < MIN_READINGS {
            0.0
        } else {
            let at = |row: &Row| (row.0 - first) as f64;
            let (mean_x, mean_y) = (
                rows().map(|r| at(&r)).sum::<f64>() / count,
                rows().map(|r| r.1).sum::<f64>() / count,
            );
            let xx: f64 = rows().map(|r| (at(&r) - mean_x).powi(2)).sum();
            let xy: f64 = rows().map(|r| (at(&r) - mean_x) * (r.1 - mean_y)).sum();
            -xy / xx
        };
        let consumption = (net + renewed).max(0.0);
        Some(Gauge {
            level,
            consumption,
            replenishment: (consumption - net).max(0.0),
        })
    }
}
