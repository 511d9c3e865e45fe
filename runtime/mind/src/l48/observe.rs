//! Phase 1: takes in the observations of a report, keeps the world model, and says how uncertain and how exposed the
//! agent is (MSCP Level 4.8, section 3).

mod state;
mod summary;
mod trajectories;

pub use state::ObserveState;
pub use summary::{ObserveSummary, RestoreError};
pub use trajectories::BeliefTrajectories;
pub(crate) use trajectories::domain_of;

use super::belief::Scratch;
use super::causal::Causes;
use super::forecast::{Forecast, Rank};
use super::risk::RiskExposure;
use super::scenario::Scenario;
use crate::budget::{Budget, BudgetExceeded};
use crate::report::{CycleReport, MAX_REPORT_CYCLES};
use rungs_types::spec::{MAX_DIMENSIONS, PARTICLES_RANGE};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the world model is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserveConfig {
    /// Dimensions of the environment, 1 to [`MAX_DIMENSIONS`].
    pub dimensions: usize,
    /// Particles of each dimension's belief, 10 to 10,000.
    pub particles: u32,
    /// Seed of all the model's randomness.
    pub seed: u64,
}

/// Why a configuration is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Too few or too many dimensions.
    #[error("{found} dimensions; expected 1 to {MAX_DIMENSIONS}")]
    Dimensions {
        /// How many.
        found: usize,
    },
    /// Too few or too many particles.
    #[error("{found} particles; expected {} to {}", PARTICLES_RANGE.start(), PARTICLES_RANGE.end())]
    Particles {
        /// How many.
        found: u32,
    },
}

impl ObserveConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let found = self.dimensions;
        if !(1..=MAX_DIMENSIONS).contains(&found) {
            return Err(ConfigError::Dimensions { found });
        }
        let found = self.particles;
        if !PARTICLES_RANGE.contains(&found) {
            return Err(ConfigError::Particles { found });
        }
        Ok(())
    }
}

/// Why a report is refused; the phase is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It has other dimensions than the model.
    #[error("{found} dimensions; expected {expected}")]
    Dimensions {
        /// The report's.
        found: usize,
        /// The model's.
        expected: usize,
    },
    /// The rows of observations are not one per row of facts.
    #[error("{found} observations; expected {expected}, one row per cycle")]
    Shape {
        /// How many there are.
        found: usize,
        /// How many the facts call for.
        expected: usize,
    },
    /// It carries more cycles than a report may.
    #[error("{found} cycles; expected at most {MAX_REPORT_CYCLES}")]
    TooLong {
        /// How many.
        found: usize,
    },
}

/// Why a step gave no output; the phase is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// The report is malformed.
    #[error("the report is malformed: {0}")]
    Report(#[from] ReportError),
    /// The time was over.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
}

/// A change of what the agent is made of, which waits for the verifier's permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Structural {
    /// Another forecaster is to speak for this dimension.
    SwitchForecaster {
        /// Which dimension.
        dimension: u16,
    },
}

/// What was forecast for one observation before it was looked at, and what came; in the environment's units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The cycle of the observation.
    pub cycle: u64,
    /// The dimension.
    pub dimension: u16,
    /// What was forecast.
    pub forecast: f64,
    /// Half the width of the central 90 % interval; NaN before the first scored forecast.
    pub half_width: f64,
    /// The observation before: what persistence forecasts.
    pub persistence: f64,
    /// What came.
    pub observed: f64,
    /// Where the forecast's error falls among its last 200: the whole distribution that was forecast, not one interval
    /// of it. `None` before the first.
    pub rank: Option<Rank>,
    /// Where persistence's error falls among the same.
    pub persistence_rank: Option<Rank>,
}

/// What the phase found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ObserveOutput {
    /// The last cycle it covers.
    pub cycle: u64,
    /// Environmental uncertainty (Definition 2): mean posterior variance over dimensions, standardised; a dimension
    /// unseen for 50 cycles counts 1.
    pub eu: f64,
    /// Risk exposure (Definition 3) with its parts.
    pub res: RiskExposure,
    /// Runway in cycles (Definition 4), at most 10,000.
    pub rdf: f64,
    /// Posterior mean of each dimension, in the environment's units.
    pub mean: Vec<f64>,
    /// Posterior variance of each dimension, standardised.
    pub variance: Vec<f64>,
    /// Forecast of each dimension's next observation, in the environment's units.
    pub forecasts: Vec<Forecast>,
    /// The scenarios with their probabilities.
    pub scenarios: Vec<Scenario>,
    /// What is out of the normal, why, and what it may bring about.
    pub causes: Causes,
    /// Share of the last 200 realised values inside the scenarios' envelope; `None` before the first.
    pub scenario_coverage: Option<f64>,
    /// Mean absolute forecast error relative to persistence over the last 200 observations, over all dimensions;
    /// `None` without evidence.
    pub forecast_ratio: Option<f64>,
    /// Share of the last 200 observations inside their 90 % interval; `None` before the first.
    pub interval_coverage: Option<f64>,
    /// The filter was degenerate in this pass: reinitialised, or below its entropy floor.
    pub degenerate: bool,
    /// Observations beyond the filter's support since the start.
    pub shocks: u64,
    /// One for each observation of the report that was forecast, in order.
    pub scores: Vec<Score>,
    /// Changes that wait for permission.
    pub pending: Vec<Structural>,
}

/// The phase.
#[derive(Debug, Clone)]
pub struct Observe {
    state: Arc<ObserveState>,
    scratch: Scratch,
}

impl Observe {
    /// A world model that has seen nothing.
    pub fn new(config: ObserveConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self::from_state(Arc::new(ObserveState::new(config))))
    }

    /// A phase with this state.
    pub fn from_state(state: Arc<ObserveState>) -> Self {
        Self {
            state,
            scratch: Scratch::default(),
        }
    }

    /// The state after the last step, shared.
    pub fn state(&self) -> Arc<ObserveState> {
        Arc::clone(&self.state)
    }

    /// Goes back to a state that [`Observe::state`] gave.
    pub fn revert(&mut self, state: Arc<ObserveState>) {
        self.state = state;
    }

    /// Takes in a report; `structural_permitted` is that of the last verdict. On an error the state is as before.
    ///
    /// Each row is one predict and one update; cycles that no row covers, because they were dropped or the level was
    /// frozen, are predicted through.
    pub fn step(
        &mut self,
        report: &CycleReport,
        structural_permitted: bool,
        budget: &dyn Budget,
    ) -> Result<ObserveOutput, ObserveError> {
        let mut next = ObserveState::clone(&self.state);
        let output = next.advance(report, structural_permitted, &mut self.scratch, budget)?;
        self.state = Arc::new(next);
        Ok(output)
    }
}

fn check_report(report: &CycleReport, dimensions: usize) -> Result<(), ReportError> {
    if report.dimensions != dimensions {
        return Err(ReportError::Dimensions {
            found: report.dimensions,
            expected: dimensions,
        });
    }
    if report.facts.len() > MAX_REPORT_CYCLES {
        return Err(ReportError::TooLong {
            found: report.facts.len(),
        });
    }
    let expected = report.facts.len() * dimensions;
    if report.observations.len() != expected {
        return Err(ReportError::Shape {
            found: report.observations.len(),
            expected,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
