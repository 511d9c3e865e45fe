//! `sim`: a seeded world of AR(1) dimensions with planted events, for tests, verification and demonstrations.
//!
//! What is true is decided in `world`; this file decides what of it is sampled: a group is sampled every so many
//! cycles (its period, which the agent halves and doubles with [`Command`]), a planted gap hides it, and a share of
//! the samples is lost at random.
//!
//! Invariants:
//! 1. Deterministic: the same specification and the same commands give the same rows, whatever `now` is; a cycle is a
//!    call of `observe`.
//! 2. Commands, gaps and losses change which values are seen, never the values.

mod world;

use rand::distr::StandardUniform;
use rand_distr::Distribution as _;
use rand_pcg::Pcg64Mcg;
use rungs_agent::{Command, Description, Dimension, Environment, EnvironmentError, Observed};
use rungs_types::spec::{MAX_SIM_PERIOD_CYCLES, SimSpec, SpecError};
use std::time::Duration;
use world::World;

/// The name in descriptions and errors.
const NAME: &str = "sim";
/// The generator of random losses; the dimensions use their index.
const LOSSES_STREAM: u64 = u64::MAX - 1;

/// A simulated environment.
#[derive(Debug)]
pub struct Sim {
    description: Description,
    world: World,
    /// Cycles between samples, by group; the agent's own.
    period_cycles: Vec<u32>,
    /// The cycle that does not come; none if the world never ends.
    end: Option<u64>,
    dropout: f64,
    losses: Pcg64Mcg,
}

impl Sim {
    /// The world that a specification describes, before its first cycle.
    pub fn new(spec: &SimSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        let description = describe(spec);
        Ok(Self {
            period_cycles: vec![spec.period_cycles; description.groups.len()],
            description,
            world: World::new(spec),
            end: spec.cycles,
            dropout: spec.dropout,
            losses: world::generator(spec.seed, LOSSES_STREAM),
        })
    }

    fn period_of(&mut self, group: u16) -> Result<&mut u32, EnvironmentError> {
        let groups = self.period_cycles.len();
        self.period_cycles
            .get_mut(usize::from(group))
            .ok_or_else(|| not_applicable(format!("there is no group {group}; expected 0 to {}", groups - 1)))
    }
}

fn describe(spec: &SimSpec) -> Description {
    let groups = 1 + spec.dimensions.iter().map(|d| d.group).max().unwrap_or(0);
    Description {
        name: NAME.to_owned(),
        dimensions: (0..)
            .zip(&spec.dimensions)
            .map(|(index, dimension): (usize, _)| Dimension {
                name: format!("x{index}"),
                unit: String::new(),
                group: dimension.group,
                capacity: dimension.capacity,
            })
            .collect(),
        groups: (0..groups).map(|group| format!("g{group}")).collect(),
        adjustable: true,
    }
}

fn not_applicable(reason: String) -> EnvironmentError {
    EnvironmentError::NotApplicable {
        environment: NAME.to_owned(),
        reason,
    }
}

impl Environment for Sim {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn observe(&mut self, _now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        crate::check_row(&self.description, row)?;
        let cycle = self.world.cycle();
        if self.end.is_some_and(|end| cycle >= end) {
            return Ok(Observed::End);
        }
        for ((cell, truth), dimension) in row.iter_mut().zip(self.world.step()).zip(&self.description.dimensions) {
            let period = u64::from(self.period_cycles[usize::from(dimension.group)]);
            let uniform: f64 = StandardUniform.sample(&mut self.losses);
            let seen = cycle.is_multiple_of(period) && !truth.hidden && uniform >= self.dropout;
            *cell = if seen { truth.value } else { f64::NAN };
        }
        Ok(Observed::Row)
    }

    fn act(&mut self, command: Command) -> Result<(), EnvironmentError> {
        match command {
            Command::SampleFaster { group } => match self.period_of(group)? {
                1 => Err(not_applicable("the group is sampled each cycle already".to_owned())),
                period => {
                    *period /= 2;
                    Ok(())
                }
            },
            Command::SampleSlower { group } => match self.period_of(group)? {
                &mut MAX_SIM_PERIOD_CYCLES => Err(not_applicable(format!(
                    "the group is sampled each {MAX_SIM_PERIOD_CYCLES} cycles, the limit"
                ))),
                period => {
                    *period = (*period * 2).min(MAX_SIM_PERIOD_CYCLES);
                    Ok(())
                }
            },
        }
    }
}

#[cfg(test)]
mod tests;
