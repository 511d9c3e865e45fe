//! All that the world model holds of one dimension of the environment.
//!
//! Invariants:
//! 1. Belief, model and innovations are in standard deviations around the running mean; when these move, the belief is
//!    expressed in the new ones, so that it stays where it was in the environment's units.
//! 2. A row is predicted before it is looked at: innovation and forecast errors are out of sample.

mod summary;

pub(super) use summary::DimensionSummary;

use super::ar::{LEARN_OBSERVATIONS, Model};
use super::belief::{Belief, Health, Scratch};
use super::forecast::{Forecast, Forecaster, HISTORY};
use super::risk::{STALE_CYCLES, Surprises};
use super::scenario::Anchor;
use crate::numeric::running::{RunningMean, Scale};
use crate::numeric::window::{MAX_VALUE, Window};
use rand_pcg::Pcg64Mcg;
use serde::Serialize;

/// Horizon of the running mean and standard deviation, in observations.
pub(super) const SCALE_HORIZON: u32 = 1_000;
/// Horizon of the mean number of cycles between observations.
const INTERVAL_HORIZON: u32 = 200;
/// Most cycles between two observations that are told apart.
const MAX_INTERVAL_CYCLES: f64 = 10_000.0;
/// Observations between two fits of the model.
const FIT_EVERY: u32 = 10;
/// Largest distance of an observation from the mean, in standard deviations, that is told apart.
const MAX_Z: f64 = 1e3;
/// The variance that a dimension counts which was not seen for 50 cycles.
const UNSEEN_VARIANCE: f64 = 1.0;

/// One dimension.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Dimension {
    pub(super) scale: Scale,
    /// The last values, in the environment's units.
    pub(super) history: Window,
    /// Mean cycles between two observations.
    pub(super) interval: RunningMean,
    pub(super) model: Model,
    pub(super) belief: Belief,
    pub(super) surprises: Surprises,
    pub(super) forecaster: Forecaster,
    pub(super) last_seen: Option<u64>,
    pub(super) shocks: u64,
}

/// What a row brought for a dimension that was observed in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// The observation in standard deviations around the mean before it.
    pub(super) standardised: f64,
    pub(super) health: Health,
}

impl Dimension {
    pub(super) fn new(particles: usize, rng: &mut Pcg64Mcg) -> Self {
        Self {
            scale: Scale::new(SCALE_HORIZON),
            history: Window::new(HISTORY),
            interval: RunningMean::new(INTERVAL_HORIZON),
            model: Model::PRIOR,
            belief: Belief::new(1, particles, rng),
            surprises: Surprises::default(),
            forecaster: Forecaster::default(),
            last_seen: None,
            shocks: 0,
        }
    }

    /// Mean cycles between two observations, at least 1.
    pub(super) fn interval_cycles(&self) -> f64 {
        self.interval.get().unwrap_or(1.0).max(1.0)
    }

    /// `cycles` go by without an observation.
    pub(super) fn pass(&mut self, cycles: u64, rng: &mut Pcg64Mcg) {
        if cycles > 0 {
            let transition = self.model.transition.over(cycles as f64 / self.interval_cycles());
            self.belief.predict(&[transition], rng);
        }
    }

    /// One cycle with the observation `y`; one that is not finite is none.
    pub(super) fn observe(&mut self, y: f64, cycle: u64, scratch: &mut Scratch, rng: &mut Pcg64Mcg) -> Option<Seen> {
        if !y.is_finite() {
            self.pass(1, rng);
            return None;
        }
        let y = y.clamp(-MAX_VALUE, MAX_VALUE);
        let transition = self.model.transition.over(1.0 / self.interval_cycles());
        let (mean, variance) = self.belief.predictive(&transition, self.model.noise);
        let standardised = self.scale.in_sd(y - self.scale.mean(), MAX_Z);
        if self.scale.sd() > 0.0 {
            self.surprises.note((standardised - mean) / variance.sqrt());
        }
        let forecast = self.scale.mean() + self.scale.sd() * mean;
        self.forecaster.learn(y, forecast, &self.history, &self.scale);
        self.take_in(y, cycle);
        self.forecaster.look_ahead(&self.history, &self.scale);
        let now = self.scale.in_sd(y - self.scale.mean(), MAX_Z);
        let health = self
            .belief
            .observe_direct(&transition, self.model.noise, now, scratch, rng);
        self.shocks += u64::from(health.shock);
        Some(Seen { standardised, health })
    }

    /// Statistics, history and model with one more value; the belief in the new units.
    fn take_in(&mut self, y: f64, cycle: u64) {
        let before = self.scale;
        self.scale.push(y);
        let (old, new) = (before.sd(), self.scale.sd());
        if old > 0.0 && new > 0.0 {
            self.belief
                .rescale(0, old / new, (before.mean() - self.scale.mean()) / new);
        }
        self.history.push(y);
        if let Some(last) = self.last_seen {
            let cycles = cycle.saturating_sub(last) as f64;
            self.interval.push(cycles.clamp(1.0, MAX_INTERVAL_CYCLES));
        }
        self.last_seen = Some(cycle);
        // After a restart from a snapshot the history is short for a while: the model that was kept knows more.
        let whole = self.history.len() >= LEARN_OBSERVATIONS.min(self.scale.count() as usize);
        if whole && self.scale.count().is_multiple_of(FIT_EVERY) {
            self.model = Model::learn(&self.history, self.scale.mean(), self.scale.sd());
        }
    }

    /// The posterior variance that counts at `cycle`: that of the belief, or 1 where it was not seen for 50 cycles.
    pub(super) fn variance_at(&self, cycle: u64) -> f64 {
        match self.last_seen {
            Some(last) if cycle.saturating_sub(last) < STALE_CYCLES => self.belief.variance()[0],
            _ => UNSEEN_VARIANCE,
        }
    }

    /// The posterior mean in the environment's units; NaN before the first observation.
    pub(super) fn mean(&self) -> f64 {
        match self.last_seen {
            Some(_) => self.scale.mean() + self.scale.sd() * self.belief.mean()[0],
            None => f64::NAN,
        }
    }

    /// The forecast of the next cycle.
    pub(super) fn forecast(&self) -> Forecast {
        let transition = self.model.transition.over(1.0 / self.interval_cycles());
        let (mean, _) = self.belief.predictive(&transition, self.model.noise);
        let belief = match self.last_seen {
            Some(_) => self.scale.mean() + self.scale.sd() * mean,
            None => f64::NAN,
        };
        self.forecaster.forecast(belief)
    }

    /// Where scenarios start; `None` before the first observation.
    pub(super) fn anchor(&self) -> Option<Anchor> {
        self.last_seen?;
        let (mean, variance) = (self.belief.mean()[0], self.belief.variance()[0]);
        Some(Anchor::new(mean, variance, &self.model, self.interval_cycles()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn what_was_not_seen_for_fifty_cycles_is_as_uncertain_as_can_be() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let (mut dimension, mut scratch) = (Dimension::new(50, &mut rng), Scratch::default());
        assert_eq!(dimension.variance_at(7), 1.0);
        dimension.observe(3.0, 7, &mut scratch, &mut rng);
        let seen = dimension.belief.variance()[0];
        assert!(seen < 1.0);
        assert_eq!([7, 56, 57].map(|cycle| dimension.variance_at(cycle)), [seen, seen, 1.0]);
    }
}
