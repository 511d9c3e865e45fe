//! One report in, one floor report out.

mod foresight;
mod state;

pub use state::Level45State;
pub(crate) use state::is_calm;

use self::state::Around;

use super::ethics::EthicalKernel;
use super::guard::Stage;
use super::uncertainty::Cell;
use crate::l3::action::MAX_GROUPS;
use crate::report::{CycleReport, FloorReport, GuardReadings, RhoState};
use rungs_types::spec::MAX_DIMENSIONS;
use std::sync::Arc;

/// What an agent's L4.5 is made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Level45Config {
    /// The group of each dimension, as the kernel has it.
    pub groups: Arc<[u16]>,
    /// Seed of the ensemble's perturbations.
    pub seed: u64,
}

/// Why an L4.5 cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Level45Error {
    /// Too many dimensions.
    #[error("{found} dimensions; expected 1 to {MAX_DIMENSIONS}")]
    Dimensions {
        /// How many there are.
        found: usize,
    },
    /// A group number is too large.
    #[error("group {found}; expected below {MAX_GROUPS}")]
    Group {
        /// The number.
        found: u16,
    },
    /// The state cannot have been reached by an L4.5 of this configuration.
    #[error("the {part} of the stored state is damaged or of another environment")]
    State {
        /// Which part.
        part: &'static str,
    },
}

/// L4.5, the floor. Reads reports only; has no way to reach the kernel.
#[derive(Debug, Clone)]
pub struct Level45 {
    config: Level45Config,
    ethics: EthicalKernel,
    /// See [`Level45::constrain`]. Not part of the state: whoever constrains says so again after a restart.
    degraded: bool,
    state: Level45State,
}

impl Level45 {
    /// An L4.5 that has read nothing.
    pub fn new(config: Level45Config) -> Result<Self, Level45Error> {
        config.validate()?;
        let state = Level45State::new(&config);
        Ok(Self {
            config,
            ethics: EthicalKernel::default(),
            degraded: false,
            state,
        })
    }

    /// An L4.5 that goes on where [`Level45::snapshot`] was taken.
    pub fn restore(config: Level45Config, state: Level45State) -> Result<Self, Level45Error> {
        config.validate()?;
        match state.damaged(&config.groups) {
            Some(part) => Err(Level45Error::State { part }),
            None => Ok(Self {
                config,
                ethics: EthicalKernel::default(),
                degraded: false,
                state,
            }),
        }
    }

    /// The same with another ethical kernel than that of the build; its hash is checked as any other's.
    #[must_use]
    pub fn with_ethics(mut self, ethics: EthicalKernel) -> Self {
        self.ethics = ethics;
        self
    }

    /// What it is made for.
    pub fn config(&self) -> &Level45Config {
        &self.config
    }

    /// The whole state; [`Level45::restore`] goes on from it as if nothing had happened.
    pub fn snapshot(&self) -> Level45State {
        self.state.clone()
    }

    /// From now on it is degraded, or no more: no structural change is permitted and nothing is looked ahead beyond the
    /// tactical horizon of 50 cycles, as the agent's resources are critical (MSCP Level 4.9, section 5.3).
    pub fn constrain(&mut self, degraded: bool) {
        self.degraded = degraded;
    }

    /// An operator says that the agent is to be someone else from now on: the identity reference is taken anew.
    pub fn reset_identity_reference(&mut self) {
        self.state.integrity.reset();
    }

    /// The existential guard's stage.
    pub fn guard_stage(&self) -> Stage {
        self.state.guard.stage()
    }

    /// Reads one report. One without a cycle says nothing and permits nothing.
    pub fn step(&mut self, report: &CycleReport) -> FloorReport {
        let mut floor = FloorReport::default();
        self.step_into(report, &mut floor);
        floor
    }

    /// The same, without allocation once `floor` has held a report of this length.
    pub fn step_into(&mut self, report: &CycleReport, floor: &mut FloorReport) {
        floor.lyapunov.clear();
        floor.states.clear();
        floor.guard = GuardReadings::default();
        (floor.rho_state, floor.success_fall, floor.contained) = (RhoState::Unknown, false, true);
        floor.ethics_intact = self.ethics.is_intact();
        let around = Around {
            groups: &self.config.groups,
            resources: report.resources.as_slice(),
            ethics_intact: floor.ethics_intact,
            trial: report.trial,
            degraded: self.degraded,
        };
        if report.dropped_cycles > 0 {
            self.state.sustained.lost();
        }
        self.state.take_goals(&report.goals);
        for (row, facts) in report.facts.iter().enumerate() {
            observe(&mut self.state, report, row, self.config.groups.len());
            let cycle = self.state.cycle(facts, &self.config.groups, around.resources);
            cycle.write(floor);
            self.state.check_when_due(&cycle, &around, floor);
        }
        self.state.write(floor);
        floor.structural_permitted &= !self.degraded;
    }
}

/// Takes in the observations of one row; a report of another environment has none.
fn observe(state: &mut Level45State, report: &CycleReport, row: usize, dimensions: usize) {
    if report.dimensions != dimensions {
        return;
    }
    for d in 0..dimensions {
        let at = |column: &[f64]| column.get(row * dimensions + d).copied().unwrap_or(f64::NAN);
        let cell = Cell {
            value: at(&report.observations),
            forecast: at(&report.forecasts),
            sd: at(&report.forecast_sd),
            half_width: at(&report.forecast_half_width),
        };
        state.performance.observe(d, cell.value, cell.forecast);
        state.uncertainty.observe(d, &cell);
        state.foresight.watch.observe(d, cell.value, cell.forecast, cell.sd);
    }
}

impl Level45Config {
    fn validate(&self) -> Result<(), Level45Error> {
        let dimensions = self.groups.len();
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(Level45Error::Dimensions { found: dimensions });
        }
        match self.groups.iter().find(|group| usize::from(**group) >= MAX_GROUPS) {
            Some(&found) => Err(Level45Error::Group { found }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
