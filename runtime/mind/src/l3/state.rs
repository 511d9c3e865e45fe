//! All that a kernel knows, as it is stored and read back.

use super::action::Action;
use super::affect::Affect;
use super::complexity::{Reflection, Stabilization};
use super::environment::Environment;
use super::habits::Habits;
use super::identity::{COMPONENTS, Identity, Motion};
use super::input::{KernelConfig, KernelError};
use super::models::Models;
use super::operations::{CYCLES, Operations};
use super::rows;
use crate::numeric::window::Window;
use crate::report::CycleReport;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// All that a kernel knows: the sufficient statistics of its models, and the report under construction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelState {
    pub(super) identity: Identity,
    pub(super) operations: Operations,
    pub(super) environment: Environment,
    pub(super) models: Models,
    pub(super) habits: Habits,
    pub(super) affect: Affect,
    pub(super) stabilization: Stabilization,
    pub(super) reflection: Reflection,
    /// Lengths of the last moves of I.
    pub(super) steps: Window,
    /// The last move, the action taken after it, and the change that it was expected to cause.
    pub(super) last: Option<LastTurn>,
    pub(super) rng: Pcg64Mcg,
    pub(super) report: CycleReport,
}

/// What the next turn compares with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct LastTurn {
    pub(super) motion: Motion,
    pub(super) action: Action,
    pub(super) predicted: [f64; COMPONENTS],
}

impl KernelState {
    /// The state of a kernel that has seen nothing.
    pub(super) fn new(config: &KernelConfig) -> Self {
        let environment = Environment::new(Arc::clone(&config.groups));
        Self {
            identity: Identity::new(config.identity),
            operations: Operations::default(),
            models: Models::new(config.groups.len()),
            habits: Habits::new(environment.group_count()),
            affect: Affect::default(),
            stabilization: Stabilization::default(),
            reflection: Reflection::default(),
            steps: Window::new(CYCLES),
            last: None,
            rng: Pcg64Mcg::seed_from_u64(config.seed),
            report: rows::empty(&config.groups),
            environment,
        }
    }

    /// Refuses a state that a kernel of this configuration cannot have reached.
    pub(super) fn check(&self, config: &KernelConfig) -> Result<(), KernelError> {
        if self.identity.id() != config.identity {
            return Err(KernelError::Identity {
                found: self.identity.id(),
                expected: config.identity,
            });
        }
        let parts = [
            ("identity", self.identity.is_valid()),
            ("operational data", self.operations.is_valid()),
            ("environment", self.environment.is_valid(&config.groups)),
            ("prediction model", self.models.is_valid(config.groups.len())),
            ("habits", self.habits.is_valid(self.environment.group_count())),
            ("affect", self.affect.is_valid()),
            ("reflection", self.reflection.is_valid()),
            ("last turn", self.last.is_none_or(|last| last.is_valid())),
            ("report", rows::is_valid(&self.report, &config.groups)),
        ];
        match parts.into_iter().find(|(_, valid)| !valid) {
            Some((part, _)) => Err(KernelError::State { part }),
            None => Ok(()),
        }
    }
}

impl LastTurn {
    fn is_valid(&self) -> bool {
        let Motion {
            taken,
            left,
            velocity,
            acceleration,
            ..
        } = &self.motion;
        let numbers = taken
            .iter()
            .chain(left)
            .chain([velocity, acceleration])
            .chain(&self.predicted);
        numbers.into_iter().all(|v| v.is_finite())
    }
}
