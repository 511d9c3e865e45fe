//! One report in, one floor report out.

use super::criteria::{Standing, Sustained};
use super::ethics::EthicalKernel;
use super::growth::{self, Growth};
use super::guard::{ExistentialGuard, Stage};
use super::integrity::Integrity;
use super::jacobian::{SpectralDetector, SpectralReading};
use super::performance::{self, Performance};
use super::seof::{self, Seof};
use super::stability::{Checked, Collapse, Decay, StateVector};
use super::uncertainty::{self, Cell, Uncertainty};
use crate::l3::action::MAX_GROUPS;
use crate::numeric::history::History;
use crate::report::{CycleFacts, CycleReport, FloorReport, GuardReadings, REPORT_CYCLES, RhoState};
use rungs_types::spec::MAX_DIMENSIONS;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Actions over which E counts.
const ETHICS_ACTIONS: usize = 200;
/// The tier from which structural change is not permitted.
const BLOCKING_TIER: u8 = 3;

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

/// All that L4.5 knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level45State {
    growth: Growth,
    performance: Performance,
    seof: Seof,
    integrity: Integrity,
    uncertainty: Uncertainty,
    ethics: History<bool>,
    decay: Decay,
    collapse: Collapse,
    guard: ExistentialGuard,
    detector: SpectralDetector,
    spectral: SpectralReading,
    sustained: Sustained,
    last_cycle: Option<u64>,
    /// Cycles until the invariants are verified again.
    cycles_to_check: u32,
    /// Breaches of the sandbox since the last check.
    breaches: u32,
}

/// L4.5, the floor. Reads reports only; has no way to reach the kernel.
#[derive(Debug, Clone)]
pub struct Level45 {
    config: Level45Config,
    ethics: EthicalKernel,
    state: Level45State,
}

impl Level45 {
    /// An L4.5 that has read nothing.
    pub fn new(config: Level45Config) -> Result<Self, Level45Error> {
        config.validate()?;
        let dimensions = config.groups.len();
        let state = Level45State {
            growth: Growth::default(),
            performance: Performance::new(dimensions),
            seof: Seof::new(config.seed),
            integrity: Integrity::default(),
            uncertainty: Uncertainty::new(dimensions),
            ethics: History::new(ETHICS_ACTIONS),
            decay: Decay::default(),
            collapse: Collapse::default(),
            guard: ExistentialGuard::default(),
            detector: SpectralDetector::default(),
            spectral: SpectralReading::default(),
            sustained: Sustained::default(),
            last_cycle: None,
            cycles_to_check: REPORT_CYCLES as u32,
            breaches: 0,
        };
        Ok(Self {
            config,
            ethics: EthicalKernel::default(),
            state,
        })
    }

    /// An L4.5 that goes on where [`Level45::snapshot`] was taken.
    pub fn restore(config: Level45Config, state: Level45State) -> Result<Self, Level45Error> {
        config.validate()?;
        let dimensions = config.groups.len();
        let parts = [
            ("performance", state.performance.is_valid(dimensions)),
            ("objective", state.seof.is_valid()),
            ("identity integrity", state.integrity.is_valid()),
            ("uncertainty", state.uncertainty.is_valid(dimensions)),
            ("collapse tier", state.collapse.is_valid()),
            ("guard", state.guard.is_valid()),
            ("check", (1..=REPORT_CYCLES as u32).contains(&state.cycles_to_check)),
        ];
        match parts.into_iter().find(|(_, valid)| !valid) {
            Some((part, _)) => Err(Level45Error::State { part }),
            None => Ok(Self {
                config,
                ethics: EthicalKernel::default(),
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
        if report.dropped_cycles > 0 {
            self.state.sustained.lost();
        }
        for (row, facts) in report.facts.iter().enumerate() {
            let resources = report.resources.as_slice();
            self.observe(report, row);
            let cycle = self.state.cycle(facts, &self.config.groups, resources);
            cycle.write(floor);
            self.state.check_when_due(&cycle, floor);
        }
        floor.ethics_intact = self.ethics.is_intact();
        self.state.write(floor);
    }

    /// Takes in the observations of one row; a report of another environment has none.
    fn observe(&mut self, report: &CycleReport, row: usize) {
        let dimensions = self.config.groups.len();
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
            self.state.performance.observe(d, cell.value, cell.forecast);
            self.state.uncertainty.observe(d, &cell);
        }
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

/// What one cycle amounts to.
#[derive(Debug, Clone, Copy)]
struct Cycle {
    number: u64,
    x: StateVector,
    lyapunov: f64,
    growth: growth::Reading,
    performance: performance::Reading,
    objective: seof::Reading,
    iis: Option<f64>,
    uncertainty: uncertainty::Reading,
    tier: u8,
    stage: Stage,
    readings: GuardReadings,
}

impl Level45State {
    fn cycle(&mut self, facts: &CycleFacts, groups: &Arc<[u16]>, resources: &[crate::report::Resource]) -> Cycle {
        let growth = self.growth.update(facts);
        let performance = self.performance.cycle(facts.tasks, groups);
        let iis = self.integrity.update(facts.cycle, &facts.identity, facts.converged);
        let parts = seof::Parts {
            performance: performance.performance,
            c_l4: growth.c_l4,
            cdi: performance.cdi,
            domains: performance.domains,
            iis,
            flips: facts.strategy_flips,
            action: facts.action,
        };
        let objective = self.seof.update(&parts, resources);
        let uncertainty = self.uncertainty.cycle();
        self.ethics.push(facts.ethical_first_pass);
        let x = StateVector {
            stability: 1.0 - growth.c_l4,
            goals: 1.0,
            identity: iis.unwrap_or(1.0),
            uncertainty: uncertainty.uncertainty,
            ethics: self.ethics.share().unwrap_or(1.0),
        };
        let lyapunov = x.lyapunov();
        self.decay.update(lyapunov);
        self.detector.observe(x.to_array());
        let tier = self.collapse.update(x.tier(self.spectral.rho));
        let readings = GuardReadings {
            rod: facts.self_reference_depth,
            cas: growth.slope,
            ifi: None,
            gsrs: None,
        };
        let stage = self.guard.update(&readings);
        self.breaches = self.breaches.saturating_add(u32::from(facts.breaches));
        let skipped = self.last_cycle.is_some_and(|last| facts.cycle != last.wrapping_add(1));
        self.last_cycle = Some(facts.cycle);
        self.sustained.cycle(&Standing {
            c_l4: growth.c_l4,
            maturity: objective.maturity,
            iis,
            divergence: uncertainty.divergence,
            degraded: facts.late || facts.stabilizing || skipped,
        });
        let number = facts.cycle;
        Cycle {
            number,
            x,
            lyapunov,
            growth,
            performance,
            objective,
            iis,
            uncertainty,
            tier,
            stage,
            readings,
        }
    }

    /// Every 10 cycles: the spectral detector and the five invariants.
    fn check_when_due(&mut self, cycle: &Cycle, floor: &mut FloorReport) {
        self.cycles_to_check -= 1;
        if self.cycles_to_check > 0 {
            return;
        }
        self.cycles_to_check = REPORT_CYCLES as u32;
        self.spectral = self.detector.check();
        let contained = self.breaches == 0;
        let checked = Checked {
            rising_share: self.decay.share(),
            rho: self.spectral.rho,
            rho_state: self.spectral.state,
            iis: cycle.iis,
            contained,
            uncertainty: cycle.x.uncertainty,
        };
        self.sustained.check(checked.all_hold());
        floor.contained &= contained;
        if badness(self.spectral.state) > badness(floor.rho_state) {
            floor.rho_state = self.spectral.state;
        }
        self.breaches = 0;
    }

    /// What a report says at its end, whatever its cycles were.
    fn write(&self, floor: &mut FloorReport) {
        floor.rho = self.spectral.rho;
        if badness(self.spectral.state) > badness(floor.rho_state) {
            floor.rho_state = self.spectral.state;
        }
        floor.contained &= self.breaches == 0;
        floor.sustained = self.sustained.counts();
        floor.structural_permitted = floor.cycle > 0
            && floor.ethics_intact
            && floor.guard_stage < Stage::Warning.as_byte()
            && floor.tier < BLOCKING_TIER
            && floor.uncertainty < uncertainty::BLOCK_STRUCTURAL
            && floor.c_l4 < growth::GROWTH_FROZEN;
    }
}

impl Cycle {
    /// The last cycle of a report speaks for it, except for what happened in any of them.
    fn write(&self, floor: &mut FloorReport) {
        floor.cycle = self.number;
        floor.x = self.x.to_array();
        floor.c_l4 = self.growth.c_l4;
        floor.iis = self.iis;
        floor.seof = self.objective.seof;
        floor.seof_maturity = self.objective.maturity;
        floor.seof_ensemble = self.objective.ensemble;
        floor.performance = self.performance.performance;
        floor.cdi = self.performance.cdi;
        floor.uncertainty = self.uncertainty.uncertainty;
        floor.horizons_halved = self.uncertainty.uncertainty >= uncertainty::HALVE_HORIZONS;
        floor.divergence = self.uncertainty.divergence.unwrap_or(1.0);
        floor.divergence_band = uncertainty::band(self.uncertainty.divergence);
        floor.lyapunov.push(self.lyapunov);
        floor.states.push(self.x.to_array());
        floor.tier = self.tier;
        floor.guard_stage = self.stage.as_byte();
        floor.guard = GuardReadings {
            rod: floor.guard.rod.max(self.readings.rod),
            ..self.readings
        };
        floor.success_fall |= self.performance.success_fall;
    }
}

/// Orders verdicts: of several checks in one report the worst is told.
fn badness(state: RhoState) -> u8 {
    match state {
        RhoState::Unknown => 0,
        RhoState::Stable => 1,
        RhoState::Warning => 2,
        RhoState::Violation => 3,
    }
}

#[cfg(test)]
mod tests;
