//! The phase: one step per pass. It looks at the resources of every tenth cycle since the last pass.

use super::cascade::{Cascade, DEPENDENCIES, cascade};
use super::forecast::{CascadeRecord, Exhaustion, ForecastRecord};
use super::mode::Modes;
use super::survival::{RESOURCES, ResourceKind, Survival, SurvivalState, horizons, project};
use crate::l49::below::Look;
use crate::l49::ruling::InForce;
use crate::l49::stability::{Decision, DecisionKind};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A change of mode that phase 5 is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeProposal {
    /// The mode in force.
    pub from: SurvivalState,
    /// The mode that is due.
    pub to: SurvivalState,
}

impl ModeProposal {
    /// It takes something away: it may not be held back for what is bad already.
    pub fn is_protective(&self) -> bool {
        self.to > self.from
    }

    /// What phase 5 knows it by.
    pub fn decision(&self) -> Decision {
        Decision {
            kind: DecisionKind::Resource,
            subject: self.to as u64,
        }
    }
}

/// What the phase found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourcesOutput {
    /// For how long the resources last.
    pub survival: Survival,
    /// What is left of each, as a share of the whole.
    pub levels: [Option<f64>; RESOURCES],
    /// The modes if phase 5 lets them pass; without a proposal they are what they were, and in force at once.
    pub modes: Modes,
    /// The change of mode among them.
    pub proposal: Option<ModeProposal>,
    /// Resources that were used up since the last pass.
    pub exhausted: Vec<Exhaustion>,
    /// Mean error of the survival forecasts (RA-2); `None` while nothing was used up.
    pub forecast_error: Option<f64>,
    /// Exhaustions that were not foreseen (RA-4).
    pub surprises: u64,
    /// Share of the expected falls that came (section 2.2).
    pub cascade_accuracy: Option<f64>,
}

/// What the phase remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SurviveState {
    forecasts: ForecastRecord,
    cascades: CascadeRecord,
}

impl SurviveState {
    /// A state that was read back can be used: its parts were checked when they were read.
    pub fn is_valid(&self) -> bool {
        self.forecasts.error().is_none_or(f64::is_finite)
    }
}

/// What one step takes in.
#[derive(Debug, Clone, Copy)]
pub struct Surviving<'a> {
    /// The resources since the last pass, oldest first.
    pub looks: &'a [Look],
    /// What is in force.
    pub in_force: &'a InForce,
    /// The last cycle of the pass.
    pub cycle: u64,
}

/// The phase.
#[derive(Debug, Clone, Default)]
pub struct Survive {
    state: Arc<SurviveState>,
}

impl Survive {
    /// A phase that has measured nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A phase with this state.
    pub fn from_state(state: Arc<SurviveState>) -> Self {
        Self { state }
    }

    /// The state after the last step, shared.
    pub fn state(&self) -> Arc<SurviveState> {
        Arc::clone(&self.state)
    }

    /// Goes back to a state that [`Survive::state`] gave.
    pub fn revert(&mut self, state: Arc<SurviveState>) {
        self.state = state;
    }

    /// One pass.
    pub fn step(&mut self, input: &Surviving<'_>) -> ResourcesOutput {
        Arc::make_mut(&mut self.state).advance(input)
    }
}

/// The modes after these looks: one turn each, as far as one is due.
pub(in crate::l49) fn follow(modes: &Modes, looks: &[Look]) -> Modes {
    let mut modes = *modes;
    for look in looks {
        if modes.due(look.cycle) {
            let turn = modes.decide(project(&look.gauges).state, look.cycle);
            modes.apply(&turn);
        }
    }
    modes
}

impl SurviveState {
    fn advance(&mut self, input: &Surviving<'_>) -> ResourcesOutput {
        let gauges = input.looks.last().map(|look| look.gauges).unwrap_or_default();
        let survival = project(&gauges);
        let levels = gauges.map(|gauge| gauge.map(|gauge| gauge.level));
        let exhausted = self.exhaustions(input.looks);
        for kind in ResourceKind::ALL {
            let Some(gauge) = gauges[kind as usize] else { continue };
            let horizon = horizons(kind, &gauge).baseline;
            self.forecasts.foresee(kind, horizon, input.cycle);
        }
        let projected: Cascade = cascade(&levels, &levels, &DEPENDENCIES);
        self.cascades.apply(&levels, &projected, input.cycle);
        let before = input.in_force.modes;
        let modes = follow(&before, input.looks);
        let (from, to) = (before.mode(), modes.mode());
        ResourcesOutput {
            survival,
            levels,
            modes,
            proposal: (from != to).then_some(ModeProposal { from, to }),
            exhausted,
            forecast_error: self.forecasts.error(),
            surprises: self.forecasts.surprises(),
            cascade_accuracy: self.cascades.accuracy(),
        }
    }

    /// What was used up since the last pass. A resource at its critical level leaves the level no margin and freezes it, so
    /// the pass in which an exhaustion is told is mostly one after it: each look counts, not only the last.
    fn exhaustions(&mut self, looks: &[Look]) -> Vec<Exhaustion> {
        let mut exhausted = Vec::new();
        for look in looks {
            for (kind, gauge) in ResourceKind::ALL.into_iter().zip(look.gauges) {
                let Some(gauge) = gauge else { continue };
                let found = self.forecasts.exhaustion(kind, &gauge, look.cycle);
                self.forecasts.apply(kind, &gauge, found.as_ref());
                exhausted.extend(found);
            }
        }
        exhausted
    }
}
