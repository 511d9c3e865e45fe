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
/// The variance that a dimension counts which is not seen any more.
const UNSEEN_VARIANCE: f64 = 1.0;
/// Intervals between observations after which the next one is overdue.
const OVERDUE_INTERVALS: f64 = 2.0;
/// Those after which a dimension is not seen any more, if 50 cycles have passed as well.
const STALE_INTERVALS: f64 = 3.0;

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
    /// Variance of the belief after the last observation.
    pub(super) posterior: f64,
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
            posterior: UNSEEN_VARIANCE,
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
        self.posterior = self.belief.variance()[0];
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

    /// The posterior variance that counts at `cycle`.
    ///
    /// It counts observations, as the model does: what the last one left, until another is overdue, from then on what
    /// the model says of the time since; 1 where nothing was seen for three intervals, and at least 50 cycles. Taken
    /// between two observations of a sensor that is slower than a cycle, it would say how slow the sensor is, not how well
    /// the quantity is known: what changes from one observation to the next would count as unknown most of the time.
    pub(super) fn variance_at(&self, cycle: u64) -> f64 {
        let Some(last) = self.last_seen else {
            return UNSEEN_VARIANCE;
        };
        let unseen = cycle.saturating_sub(last);
        let intervals = unseen as f64 / self.interval_cycles();
        if unseen >= STALE_CYCLES && intervals >= STALE_INTERVALS {
            return UNSEEN_VARIANCE;
        }
        if intervals <= OVERDUE_INTERVALS {
            return self.posterior;
        }
        let since = self.model.transition.over(intervals);
        since.phi * since.phi * self.posterior + since.variance
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
    use crate::l48::ar::Transition;
    use rand::SeedableRng;

    /// Seen once, in cycle 7, with one cycle from observation to observation.
    fn seen() -> Dimension {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut dimension = Dimension::new(50, &mut rng);
        assert_eq!(dimension.variance_at(7), 1.0);
        dimension.observe(3.0, 7, &mut Scratch::default(), &mut rng);
        assert_eq!(dimension.posterior, dimension.belief.variance()[0]);
        dimension
    }

    #[test]
    fn what_was_not_seen_for_fifty_cycles_is_as_uncertain_as_can_be() {
        // In the long run the prior's variance is 0.9.
        let dimension = seen();
        let at = [56, 57].map(|cycle| dimension.variance_at(cycle));
        assert!(at[0] < 1.0 && at[1] == 1.0, "{at:?}");
    }

    /// Seen every `interval` cycles, the last time in cycle 7; in the long run the variance is 0.6 / 0.75 = 0.8.
    fn every(interval: f64) -> Dimension {
        let mut dimension = seen();
        dimension.posterior = 0.25;
        dimension.model.transition = Transition {
            phi: 0.5,
            mean: 0.0,
            variance: 0.6,
        };
        (0..3).for_each(|_| dimension.interval.push(interval));
        dimension
    }

    #[test]
    fn between_two_observations_nothing_is_less_certain_until_one_is_overdue() {
        // Due in cycle 11, overdue from 16 on; after three intervals 0.25 / 64 + 0.8 * 63 / 64.
        let at = [7, 15, 19].map(|cycle| every(4.0).variance_at(cycle));
        assert_eq!(at[..2], [0.25, 0.25]);
        assert!((at[2] - 0.791_406_25).abs() < 1e-12, "{at:?}");
    }

    #[test]
    fn a_sensor_that_is_slower_than_that_is_lost_after_three_of_its_intervals() {
        let at = [206, 207, 307].map(|cycle| every(100.0).variance_at(cycle));
        assert!(at[0] == 0.25 && at[1] == 0.25 && at[2] == 1.0, "{at:?}");
        let at = every(100.0).variance_at(306);
        assert!((0.78..0.80).contains(&at), "{at}");
    }
}
