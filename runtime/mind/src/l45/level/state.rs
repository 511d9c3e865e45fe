//! What L4.5 knows, how one cycle changes it, and what of both is in a floor report.

use super::Level45Config;
use super::foresight::{Foresight, View};
use crate::l3::graph::TrialReport;
use crate::l45::criteria::{Standing, Sustained};
use crate::l45::growth::{self, Growth};
use crate::l45::guard::{ExistentialGuard, Stage};
use crate::l45::integrity::Integrity;
use crate::l45::jacobian::{SpectralDetector, SpectralReading};
use crate::l45::metrics::RawMetrics;
use crate::l45::performance::{self, Performance};
use crate::l45::purpose::Purpose;
use crate::l45::seof::{self, Seof};
use crate::l45::stability::{Checked, Collapse, Decay, StateVector};
use crate::l45::uncertainty::{self, Uncertainty};
use crate::numeric::history::History;
use crate::report::{CycleFacts, FloorReport, GoalReport, GuardReadings, REPORT_CYCLES, Resource, RhoState};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Actions over which E counts.
const ETHICS_ACTIONS: usize = 200;
/// The tier from which structural change is not permitted.
const BLOCKING_TIER: u8 = 3;

/// All that L4.5 knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level45State {
    growth: Growth,
    pub(super) performance: Performance,
    seof: Seof,
    pub(super) integrity: Integrity,
    pub(super) uncertainty: Uncertainty,
    ethics: History<bool>,
    decay: Decay,
    collapse: Collapse,
    metrics: RawMetrics,
    purpose: Purpose,
    pub(super) foresight: Foresight,
    pub(super) guard: ExistentialGuard,
    detector: SpectralDetector,
    pub(super) spectral: SpectralReading,
    pub(super) sustained: Sustained,
    last_cycle: Option<u64>,
    /// Cycles until the invariants are verified again.
    pub(super) cycles_to_check: u32,
    /// Breaches of the sandbox since the last check.
    breaches: u32,
}

/// What one cycle amounts to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cycle {
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
    confidence: f64,
}

/// What a check looks at beside the cycle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) groups: &'a Arc<[u16]>,
    pub(super) resources: &'a [Resource],
    pub(super) ethics_intact: bool,
    pub(super) trial: Option<TrialReport>,
    pub(super) degraded: bool,
}

impl Level45State {
    /// What an L4.5 knows that has read nothing.
    pub(super) fn new(config: &Level45Config) -> Self {
        let dimensions = config.groups.len();
        Self {
            growth: Growth::default(),
            performance: Performance::new(dimensions),
            seof: Seof::new(config.seed),
            integrity: Integrity::default(),
            uncertainty: Uncertainty::new(dimensions),
            ethics: History::new(ETHICS_ACTIONS),
            decay: Decay::default(),
            collapse: Collapse::default(),
            metrics: RawMetrics::default(),
            purpose: Purpose::default(),
            foresight: Foresight::new(&config.groups, config.seed),
            guard: ExistentialGuard::default(),
            detector: SpectralDetector::default(),
            spectral: SpectralReading::default(),
            sustained: Sustained::default(),
            last_cycle: None,
            cycles_to_check: REPORT_CYCLES as u32,
            breaches: 0,
        }
    }

    /// The part that an L4.5 of this many dimensions cannot have reached.
    pub(super) fn damaged(&self, groups: &Arc<[u16]>) -> Option<&'static str> {
        let dimensions = groups.len();
        let parts = [
            ("performance", self.performance.is_valid(dimensions)),
            ("objective", self.seof.is_valid()),
            ("identity integrity", self.integrity.is_valid()),
            ("uncertainty", self.uncertainty.is_valid(dimensions)),
            ("collapse tier", self.collapse.is_valid()),
            ("guard", self.guard.is_valid() && self.metrics.is_valid()),
            ("purpose", self.purpose.is_valid()),
            ("check", (1..=REPORT_CYCLES as u32).contains(&self.cycles_to_check)),
        ];
        let own = parts.into_iter().find(|(_, valid)| !valid).map(|(part, _)| part);
        own.or_else(|| self.foresight.damaged(groups))
    }

    /// Takes in the goals as they are at the end of a report.
    pub(super) fn take_goals(&mut self, goals: &GoalReport) {
        self.purpose.take_goals(goals.open.iter().chain(&goals.closed));
        self.metrics.set_goals(self.purpose.own_share());
    }

    /// Takes in one cycle.
    pub(super) fn cycle(&mut self, facts: &CycleFacts, groups: &Arc<[u16]>, resources: &[Resource]) -> Cycle {
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
            goals: self.purpose.pcs().unwrap_or(1.0),
            identity: iis.unwrap_or(1.0),
            uncertainty: uncertainty.uncertainty,
            ethics: self.ethics.share().unwrap_or(1.0),
        };
        let lyapunov = x.lyapunov();
        self.decay.update(lyapunov);
        self.detector.observe(
            StateVector {
                goals: self.purpose.settled(),
                ..x
            }
            .to_array(),
        );
        let tier = self.collapse.update(x.tier(self.spectral.rho));
        self.foresight.cycle(x.to_array(), growth.kept_up);
        let readings = self.metrics.update(facts, growth.slope);
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
            confidence: facts.confidence,
        }
    }

    /// Every 10 cycles: the spectral detector, the five invariants, and what lies ahead.
    pub(super) fn check_when_due(&mut self, cycle: &Cycle, around: &Around<'_>, floor: &mut FloorReport) {
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
        self.look_ahead(cycle, around);
    }

    fn look_ahead(&mut self, cycle: &Cycle, around: &Around<'_>) {
        self.purpose
            .check(cycle.number, cycle.growth.c_l4, cycle.objective.seof);
        let view = View {
            cycle: cycle.number,
            x: cycle.x.to_array(),
            growth: cycle.growth,
            objective: cycle.objective,
            performance: cycle.performance,
            skills: &self.performance.skills(around.groups),
            confidence: cycle.confidence,
            iis: cycle.iis,
            divergence: uncertainty::band(cycle.uncertainty.divergence),
            halved: cycle.uncertainty.uncertainty >= uncertainty::HALVE_HORIZONS,
            permitted: around.ethics_intact && cycle.permits_structure() && !around.degraded,
            spectral: self.spectral,
            resources: around.resources,
            groups: around.groups,
            trial: around.trial,
            degraded: around.degraded,
        };
        let before = Foresight::live(&view, self.purpose.aims());
        let escalates = self.foresight.check(&view, self.purpose.aims());
        if Foresight::live(&view, self.purpose.aims()) != before {
            self.breaches = self.breaches.saturating_add(1);
        }
        if escalates {
            self.purpose.escalate(cycle.number);
        }
    }

    /// What a report says at its end, whatever its cycles were.
    pub(super) fn write(&self, floor: &mut FloorReport) {
        floor.rho = self.spectral.rho;
        if badness(self.spectral.state) > badness(floor.rho_state) {
            floor.rho_state = self.spectral.state;
        }
        floor.contained &= self.breaches == 0;
        floor.sustained = self.sustained.counts();
        floor.structural_permitted =
            floor.cycle > 0 && floor.ethics_intact && floor.stage().permits_structure() && is_calm(floor);
        floor.purpose = *self.purpose.report();
        self.foresight.write(floor);
    }
}

/// Tier, uncertainty and growth permit structural change.
pub(crate) fn is_calm(floor: &FloorReport) -> bool {
    floor.tier < BLOCKING_TIER
        && floor.uncertainty < uncertainty::BLOCK_STRUCTURAL
        && floor.c_l4 < growth::GROWTH_FROZEN
}

impl Cycle {
    /// Guard, tier, uncertainty and growth permit structural change.
    fn permits_structure(&self) -> bool {
        self.number > 0
            && self.stage.permits_structure()
            && self.tier < BLOCKING_TIER
            && self.uncertainty.uncertainty < uncertainty::BLOCK_STRUCTURAL
            && self.growth.c_l4 < growth::GROWTH_FROZEN
    }

    /// The last cycle of a report speaks for it, except for what happened in any of them.
    pub(super) fn write(&self, floor: &mut FloorReport) {
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
