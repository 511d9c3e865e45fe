//! What a snapshot keeps of the world model: sufficient statistics rather than particles, so that 10,000 agents can be
//! stored every few seconds.
//!
//! Kept exactly, or to the precision of an `f32`: scales, models, beliefs (mean and variance), coefficients, regrets.
//! Kept by their distribution, not their order in time: forecast errors, surprises, coverage, the scenarios' fits.
//! Kept in a byte per value: the last 96 of 200 values, and the profile of a season. Not kept: particles and the
//! covariances of the autoregressions, which are made anew, and the search for another season where one is known.

use super::{ConfigError, ObserveConfig, ObserveState};
use crate::l48::causal::{CausalGraph, CausalSummary};
use crate::l48::dimension::{Dimension, DimensionSummary};
use crate::l48::scenario::{Scenarios, ScenariosSummary};
use crate::numeric::condense::Refused;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

/// See the module. Whatever it holds, [`ObserveSummary::restore`] refuses it or gives a state that a model of this
/// configuration can be in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObserveSummary {
    cycle: u64,
    dimensions: Vec<DimensionSummary>,
    scenarios: ScenariosSummary,
    causal: Option<CausalSummary>,
}

/// Why a summary is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The configuration is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It is of another environment.
    #[error("{found} dimensions; expected {expected}")]
    Dimensions {
        /// The summary's.
        found: usize,
        /// The configuration's.
        expected: usize,
    },
    /// A dimension is damaged.
    #[error("dimension {dimension}: {part}")]
    Dimension {
        /// Which.
        dimension: usize,
        /// What of it.
        part: Refused,
    },
    /// The scenarios or the causes are damaged.
    #[error(transparent)]
    Part(#[from] Refused),
}

impl ObserveState {
    /// What a snapshot keeps of it, after a step.
    pub fn summary(&self) -> ObserveSummary {
        let dimensions = self.dimensions.iter();
        ObserveSummary {
            cycle: self.cycle,
            dimensions: dimensions.map(|dimension| dimension.summary(self.cycle)).collect(),
            scenarios: self.scenarios.summary(),
            causal: self.causal.as_ref().map(CausalGraph::summary),
        }
    }
}

impl ObserveSummary {
    /// The state from which the model goes on: the same summary and configuration give the same state. The particles
    /// may be as many as the configuration says, whatever they were.
    pub fn restore(&self, config: ObserveConfig) -> Result<ObserveState, RestoreError> {
        config.check()?;
        if self.dimensions.len() != config.dimensions {
            return Err(RestoreError::Dimensions {
                found: self.dimensions.len(),
                expected: config.dimensions,
            });
        }
        // Not the stream that the model began with: another for each cycle at which it may be restored.
        let mut rng = Pcg64Mcg::seed_from_u64(config.seed ^ self.cycle.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let particles = config.particles as usize;
        let restored = self.dimensions.iter().enumerate().map(|(dimension, summary)| {
            Dimension::from_summary(summary, self.cycle, particles, &mut rng)
                .map_err(|part| RestoreError::Dimension { dimension, part })
        });
        let dimensions: Vec<Dimension> = restored.collect::<Result<_, _>>()?;
        Ok(ObserveState {
            config,
            cycle: self.cycle,
            scenarios: Scenarios::from_summary(&self.scenarios, config.dimensions)?,
            causal: self.causal.as_ref().map(CausalGraph::from_summary).transpose()?,
            anchors: dimensions.iter().map(Dimension::anchor).collect(),
            anchored: self.cycle,
            dimensions,
            rng,
        })
    }
}

#[cfg(test)]
mod tests;
