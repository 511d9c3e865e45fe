//! A proposed change of one weight, and the pre-check that it must pass before the sandbox looks at it (MSCP Level 4.9,
//! sections 4.3 and 4.4).

use super::drift::DriftBand;
use super::state::Values;
use super::vector::{MIN_COHERENCE, ValueDimension};
use serde::{Deserialize, Serialize};

/// Largest change of a weight by one mutation.
pub const MAX_MUTATION: f64 = 0.05;
/// Largest drift of one dimension from its baseline.
pub const MAX_DIMENSION_DRIFT: f64 = 0.15;
/// Most mutations within [`MUTATION_WINDOW_CYCLES`].
pub const MAX_MUTATIONS: usize = 3;
/// The window in which mutations are counted.
pub const MUTATION_WINDOW_CYCLES: u64 = 200;
/// Most mutations in the sandbox.
pub const MAX_PENDING: usize = 2;
/// Sums of weights are compared up to rounding: 0.10 + 0.05 is a little more than 0.15.
const ROUNDING: f64 = 1e-12;

/// A change of one weight; all are divided by their sum afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mutation {
    /// Which weight.
    pub dimension: ValueDimension,
    /// By how much.
    pub delta: f64,
}

impl Mutation {
    /// Its size is one that a mutation may have.
    pub(super) fn size(&self) -> Result<(), Refusal> {
        match self.delta.abs() {
            size if size > 0.0 && size <= MAX_MUTATION => Ok(()),
            _ => Err(Refusal::Size { delta: self.delta }),
        }
    }
}

/// A mutation that passed the pre-check: what [`Values::admit`] takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Admission {
    pub(super) mutation: Mutation,
    pub(super) cycle: u64,
}

/// Why a mutation does not reach the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Too large, nothing, or not a number.
    #[error("a change of {delta}; expected at most {MAX_MUTATION} either way, and not 0")]
    Size {
        /// The change.
        delta: f64,
    },
    /// The values have drifted too far for any mutation.
    #[error("total drift {total_drift:.3}; mutations are frozen from 0.25")]
    Frozen {
        /// TotalDrift.
        total_drift: f64,
    },
    /// A dimension would be too far from its baseline.
    #[error("{dimension} would drift by {drift:.3}; expected at most {MAX_DIMENSION_DRIFT}")]
    Drift {
        /// Which.
        dimension: ValueDimension,
        /// How far.
        drift: f64,
    },
    /// Competing values would weigh too much together.
    #[error("coherence would be {coherence:.3}; expected at least {MIN_COHERENCE}")]
    Incoherent {
        /// The coherence.
        coherence: f64,
    },
    /// Too many mutations within 200 cycles, those in the sandbox among them.
    #[error("{found} mutations within {MUTATION_WINDOW_CYCLES} cycles; expected at most {MAX_MUTATIONS}")]
    TooMany {
        /// How many, with this one.
        found: usize,
    },
    /// The sandbox is full, or holds a mutation of this dimension.
    #[error("the sandbox is full or holds a mutation of the same dimension")]
    Sandbox,
}

impl Values {
    /// The pre-check of section 4.3: the size, the drift of each dimension after it, and the number of mutations. The
    /// drift that counts is the distance from the baseline that results, so a mutation back towards the baseline is
    /// never refused for drift that it takes away.
    pub fn check(&self, mutation: &Mutation, cycle: u64) -> Result<Admission, Refusal> {
        mutation.size()?;
        let total_drift = self.vector().total_drift();
        if DriftBand::of(total_drift).freezes_mutations() {
            return Err(Refusal::Frozen { total_drift });
        }
        self.bounds(mutation)?;
        if self.pending().len() >= MAX_PENDING || self.pending().any(|p| p.mutation.dimension == mutation.dimension) {
            return Err(Refusal::Sandbox);
        }
        let found = self.mutations_within(cycle) + self.pending().len() + 1;
        if found > MAX_MUTATIONS {
            return Err(Refusal::TooMany { found });
        }
        Ok(Admission {
            mutation: *mutation,
            cycle,
        })
    }

    /// What the vector would be stays within the bounds: the weight itself before the division, each weight after it,
    /// and the coherence, which may be low if it does not become lower.
    pub(super) fn bounds(&self, mutation: &Mutation) -> Result<(), Refusal> {
        let Mutation { dimension, delta } = *mutation;
        let baseline = super::ValueVector::BASELINE.weight(dimension);
        let (weight, drift) = (
            self.vector().weight(dimension),
            self.vector().drifts()[dimension as usize],
        );
        // A weight does not go below 0: where there is none left to take, nothing would change.
        let effective = delta.max(-weight);
        if effective.abs() <= ROUNDING {
            return Err(Refusal::Size { delta: effective });
        }
        let raw = (weight + effective - baseline).abs();
        if raw > MAX_DIMENSION_DRIFT + ROUNDING && raw > drift {
            return Err(Refusal::Drift { dimension, drift: raw });
        }
        let after = self.vector().with(dimension, delta);
        let (before, drifts) = (self.vector().drifts(), after.drifts());
        for (d, dimension) in ValueDimension::ALL.into_iter().enumerate() {
            if drifts[d] > MAX_DIMENSION_DRIFT + ROUNDING && drifts[d] > before[d] {
                return Err(Refusal::Drift {
                    dimension,
                    drift: drifts[d],
                });
            }
        }
        let coherence = after.coherence();
        if coherence < MIN_COHERENCE && coherence < self.vector().coherence() {
            return Err(Refusal::Incoherent { coherence });
        }
        Ok(())
    }
}
