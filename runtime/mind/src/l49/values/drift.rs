//! The drift monitor (MSCP Level 4.9, sections 4.2 and 9.3): every 50 cycles, how far the weights are from the baseline,
//! how fast they move, and what follows.

use super::vector::{DIMENSIONS, ValueDimension, ValueVector};
use crate::numeric::condense::Refused;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;

/// Cycles between two checks.
pub const DRIFT_CHECK_CYCLES: u64 = 50;
/// Velocity is taken over at least so many cycles.
const VELOCITY_CYCLES: u64 = 100;
/// A weight that moves faster than this per cycle, either way, is drifting.
const MAX_VELOCITY: f64 = 0.001;
/// For so many cycles before it is an alert.
const SUSTAINED_CYCLES: u64 = 200;
/// Checks remembered: those of the last 100 cycles and the one before.
const MAX_SAMPLES: usize = 3;

/// How far the values have drifted (section 4.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftBand {
    /// Below 0.10: normal operation.
    #[default]
    Nominal,
    /// From 0.10: watched.
    Moderate,
    /// From 0.25: no mutation.
    Elevated,
    /// From 0.40: no mutation, and back to the last stable checkpoint.
    Critical,
}

impl DriftBand {
    /// The band of a total drift; a number that is not finite is critical.
    pub fn of(total_drift: f64) -> Self {
        match total_drift {
            drift if drift < 0.10 => DriftBand::Nominal,
            drift if drift < 0.25 => DriftBand::Moderate,
            drift if drift < 0.40 => DriftBand::Elevated,
            _ => DriftBand::Critical,
        }
    }

    /// Mutations are frozen.
    pub fn freezes_mutations(self) -> bool {
        self >= DriftBand::Elevated
    }

    /// The values return to the last stable checkpoint.
    pub fn reverts(self) -> bool {
        self == DriftBand::Critical
    }
}

impl fmt::Display for DriftBand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DriftBand::Nominal => "nominal",
            DriftBand::Moderate => "moderate",
            DriftBand::Elevated => "elevated",
            DriftBand::Critical => "critical",
        })
    }
}

/// One dimension at a check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DimensionDrift {
    /// |w - baseline|.
    pub drift: f64,
    /// Change of the weight per cycle over the last 100 cycles; 0 before there are so many.
    pub velocity: f64,
    /// It has moved faster than 0.001 per cycle for 200 cycles: its mutations are halved.
    pub sustained: bool,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DriftStatus {
    /// When.
    pub cycle: u64,
    /// TotalDrift (Definition 5).
    pub total_drift: f64,
    /// The largest drift of a dimension.
    pub max_drift: f64,
    /// What follows.
    pub band: DriftBand,
    /// Each dimension, in the order of [`ValueDimension::ALL`].
    pub dimensions: [DimensionDrift; DIMENSIONS],
}

/// Remembers the weights of the last checks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawMonitor")]
pub struct DriftMonitor {
    /// Cycle and weights of the last checks, oldest first.
    samples: VecDeque<(u64, ValueVector)>,
    /// Since when each dimension has been moving too fast.
    fast_since: [Option<u64>; DIMENSIONS],
}

/// What [`DriftMonitor`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawMonitor {
    samples: VecDeque<(u64, ValueVector)>,
    fast_since: [Option<u64>; DIMENSIONS],
}

impl TryFrom<RawMonitor> for DriftMonitor {
    type Error = Refused;

    fn try_from(RawMonitor { samples, fast_since }: RawMonitor) -> Result<Self, Refused> {
        let ordered = samples.iter().zip(samples.iter().skip(1)).all(|(a, b)| a.0 < b.0);
        let last = samples.back().map(|sample| sample.0);
        let known = fast_since.iter().flatten().all(|since| Some(*since) <= last);
        if samples.len() <= MAX_SAMPLES && ordered && known {
            Ok(Self { samples, fast_since })
        } else {
            Err(Refused("the checks of value drift"))
        }
    }
}

impl DriftMonitor {
    /// 50 cycles have gone by since the last check, or there was none.
    pub fn due(&self, cycle: u64) -> bool {
        self.samples
            .back()
            .is_none_or(|(last, _)| cycle >= last.saturating_add(DRIFT_CHECK_CYCLES))
    }

    /// What a check of these weights finds.
    pub fn check(&self, vector: &ValueVector, cycle: u64) -> DriftStatus {
        let drifts = vector.drifts();
        let before = self
            .samples
            .iter()
            .rev()
            .find(|(then, _)| cycle.saturating_sub(*then) >= VELOCITY_CYCLES);
        let dimensions = std::array::from_fn(|d| {
            let velocity = before.map_or(0.0, |(then, old)| {
                (vector.weights()[d] - old.weights()[d]) / cycle.saturating_sub(*then) as f64
            });
            let since = self.fast_since[d].filter(|_| velocity.abs() > MAX_VELOCITY);
            DimensionDrift {
                drift: drifts[d],
                velocity,
                sustained: since.is_some_and(|since| cycle.saturating_sub(since) >= SUSTAINED_CYCLES),
            }
        });
        let total_drift = vector.total_drift();
        DriftStatus {
            cycle,
            total_drift,
            max_drift: vector.max_drift(),
            band: DriftBand::of(total_drift),
            dimensions,
        }
    }

    /// Takes a check in. One that is not later than the last is ignored.
    pub fn apply(&mut self, status: &DriftStatus, vector: &ValueVector) {
        if self.samples.back().is_some_and(|(last, _)| status.cycle <= *last) {
            return;
        }
        for (since, found) in self.fast_since.iter_mut().zip(&status.dimensions) {
            let fast = found.velocity.abs() > MAX_VELOCITY;
            *since = fast.then(|| since.unwrap_or(status.cycle));
        }
        if self.samples.len() == MAX_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((status.cycle, *vector));
    }

    /// The factor by which a mutation of this dimension is reduced: 0.5 under a sustained-drift alert, else 1. Reads
    /// the last check.
    pub fn mutation_factor(&self, dimension: ValueDimension) -> f64 {
        let last = self.samples.back().map_or(0, |(cycle, _)| *cycle);
        let since = self.fast_since[dimension as usize];
        if since.is_some_and(|since| last.saturating_sub(since) >= SUSTAINED_CYCLES) {
            0.5
        } else {
            1.0
        }
    }
}
