//! The value vector: seven weights on the simplex, how far they are from where they began, and how much competing ones
//! pull against each other.

use crate::numeric::condense::Refused;
pub use rungs_types::goal::ValueDimension;
use serde::{Deserialize, Serialize};

/// Dimensions of value. A new one cannot be added while the agent runs.
pub const DIMENSIONS: usize = 7;
/// Least coherence (Definition 4).
pub const MIN_COHERENCE: f64 = 0.80;
/// How far from 1 the sum of stored weights may be: rounding only.
const SUM_TOLERANCE: f64 = 1e-9;
/// The combined weight of a competing pair from which the criterion counts tension.
const TENSE_FROM: f64 = 0.35;
/// The combined weight beyond [`TENSE_FROM`] at which tension is complete.
const TENSE_OVER: f64 = 0.10;

/// The pairs that compete (section 4.1).
pub const COMPETING: [(ValueDimension, ValueDimension); 3] = [
    (ValueDimension::Stability, ValueDimension::Exploration),
    (ValueDimension::Efficiency, ValueDimension::Exploration),
    (ValueDimension::Growth, ValueDimension::Safety),
];

/// Seven weights, finite, not negative, with the sum 1. Stored ones that are not are refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; DIMENSIONS]")]
pub struct ValueVector([f64; DIMENSIONS]);

impl Default for ValueVector {
    fn default() -> Self {
        Self::BASELINE
    }
}

impl TryFrom<[f64; DIMENSIONS]> for ValueVector {
    type Error = Refused;

    fn try_from(weights: [f64; DIMENSIONS]) -> Result<Self, Refused> {
        let each = weights.iter().all(|weight| (0.0..=1.0).contains(weight));
        let sum: f64 = weights.iter().sum();
        if each && (sum - 1.0).abs() <= SUM_TOLERANCE {
            Ok(Self(weights))
        } else {
            Err(Refused("a value vector"))
        }
    }
}

impl ValueVector {
    /// The weights that every agent begins with and that drift is measured from (section 4.1).
    pub const BASELINE: ValueVector = ValueVector([0.20, 0.20, 0.20, 0.15, 0.10, 0.10, 0.05]);

    /// The weights in the order of [`ValueDimension::ALL`].
    pub fn weights(&self) -> &[f64; DIMENSIONS] {
        &self.0
    }

    /// One weight.
    pub fn weight(&self, dimension: ValueDimension) -> f64 {
        self.0[dimension as usize]
    }

    /// The vector with `delta` added to one weight, then all divided by their sum; a weight does not go below 0. A delta
    /// that is not finite changes nothing.
    pub fn with(&self, dimension: ValueDimension, delta: f64) -> Self {
        let mut weights = self.0;
        let raw = &mut weights[dimension as usize];
        let delta = if delta.is_finite() { delta.clamp(-1.0, 1.0) } else { 0.0 };
        *raw = (*raw + delta).max(0.0);
        let sum: f64 = weights.iter().sum();
        if sum <= 0.0 {
            return *self;
        }
        Self(weights.map(|weight| weight / sum))
    }

    /// |w - baseline| of each dimension.
    pub fn drifts(&self) -> [f64; DIMENSIONS] {
        std::array::from_fn(|d| (self.0[d] - Self::BASELINE.0[d]).abs())
    }

    /// TotalDrift (Definition 5): the sum of the drifts, in [0, 2].
    pub fn total_drift(&self) -> f64 {
        self.drifts().iter().sum()
    }

    /// The largest drift of a dimension.
    pub fn max_drift(&self) -> f64 {
        self.drifts().into_iter().fold(0.0, f64::max)
    }

    /// Coherence as the seed defines it (Definitions 4 and 9): 1 - mean of max(0, w_i + w_j - 1) over the competing
    /// pairs. On the simplex no two weights exceed 1, so it is always 1 (up to rounding): reported, and of no use.
    pub fn literal_coherence(&self) -> f64 {
        1.0 - self.mean_tension(|sum| (sum - 1.0).max(0.0))
    }

    /// Coherence as the criterion takes it: 1 - mean of min(1, max(0, w_i + w_j - 0.35) / 0.10). At the baseline it is
    /// 1, for the competing pairs weigh 0.30, 0.25 and 0.30.
    pub fn coherence(&self) -> f64 {
        1.0 - self.mean_tension(|sum| ((sum - TENSE_FROM).max(0.0) / TENSE_OVER).min(1.0))
    }

    fn mean_tension(&self, tension: impl Fn(f64) -> f64) -> f64 {
        let sum: f64 = COMPETING
            .iter()
            .map(|(one, other)| tension(self.weight(*one) + self.weight(*other)))
            .sum();
        sum / COMPETING.len() as f64
    }

    /// Value alignment of what pulls towards `intent` with the share `share` of the agent's budget (section 9.2, check
    /// 2): 1 - |v_post - v| / |v| with v_post = (1 - share) v + share intent, in [0, 1]. What is not finite, or is no
    /// direction at all, is not aligned: 0.
    pub fn alignment(&self, intent: &[f64; DIMENSIONS], share: f64) -> f64 {
        let sane = intent.iter().all(|part| (0.0..=1.0).contains(part)) && intent.iter().any(|part| *part > 0.0);
        if !sane || !(0.0..=1.0).contains(&share) {
            return 0.0;
        }
        let norm = |parts: [f64; DIMENSIONS]| parts.iter().map(|part| part * part).sum::<f64>().sqrt();
        let moved = norm(std::array::from_fn(|d| share * (intent[d] - self.0[d])));
        (1.0 - moved / norm(self.0)).clamp(0.0, 1.0)
    }
}
