//! What a snapshot keeps of a dimension: sufficient statistics, about 900 bytes at most.

use super::{Dimension, INTERVAL_HORIZON, MAX_INTERVAL_CYCLES, SCALE_HORIZON};
use crate::l48::ar::{MAX_PHI, MIN_VARIANCE, Model, Transition};
use crate::l48::belief::{Belief, MAX_STATE};
use crate::l48::forecast::{Forecaster, ForecasterSummary, HISTORY, KEPT_VALUES};
use crate::l48::risk::{Surprises, SurprisesSummary};
use crate::numeric::condense::{Refused, Steps, narrow};
use crate::numeric::running::{CLIP_SD, RunningMean, Scale};
use crate::numeric::window::Window;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

/// Rounding of a number that was kept in four bytes.
const ROUNDING: f64 = 1e-6;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::l48) struct DimensionSummary {
    scale: Scale,
    history: Steps,
    interval: RunningMean,
    /// phi, mean and variance of the transition, and the noise.
    model: [f32; 4],
    /// Mean and variance, and the variance after the last observation.
    belief: [f32; 3],
    surprises: SurprisesSummary,
    forecaster: ForecasterSummary,
    /// Cycles since it was seen.
    unseen: Option<u64>,
    shocks: u64,
}

impl Dimension {
    /// What a snapshot at `cycle` keeps.
    pub(in crate::l48) fn summary(&self, cycle: u64) -> DimensionSummary {
        let skip = self.history.len().saturating_sub(KEPT_VALUES);
        let recent: Vec<f64> = self.history.iter().skip(skip).collect();
        let Transition { phi, mean, variance } = self.model.transition;
        DimensionSummary {
            scale: self.scale,
            history: Steps::of(&recent),
            interval: self.interval,
            model: [phi, mean, variance, self.model.noise].map(narrow),
            belief: [self.belief.mean()[0], self.belief.variance()[0], self.posterior].map(narrow),
            surprises: self.surprises.summary(),
            forecaster: self.forecaster.summary(),
            unseen: self.last_seen.map(|last| cycle.saturating_sub(last)),
            shocks: self.shocks,
        }
    }

    /// From what a snapshot at `cycle` kept.
    pub(in crate::l48) fn from_summary(
        summary: &DimensionSummary,
        cycle: u64,
        particles: usize,
        rng: &mut Pcg64Mcg,
    ) -> Result<Self, Refused> {
        let DimensionSummary { scale, interval, .. } = *summary;
        summary.history.check(KEPT_VALUES)?;
        let values = summary.history.values();
        let seen = summary.unseen.map(|unseen| cycle.checked_sub(unseen));
        let counts = values.len() <= scale.count() as usize && interval.count() <= scale.count();
        if scale.horizon() != SCALE_HORIZON || !counts {
            return Err(Refused("the scale"));
        }
        if interval.horizon() != INTERVAL_HORIZON
            || interval
                .get()
                .is_some_and(|c| !(0.0..=MAX_INTERVAL_CYCLES).contains(&c))
        {
            return Err(Refused("the interval between observations"));
        }
        if seen == Some(None) || seen.is_some() == values.is_empty() {
            return Err(Refused("the last observation"));
        }
        let [mean, variance, posterior] = summary.belief.map(f64::from);
        let spread = 0.0..=MAX_STATE * MAX_STATE * (1.0 + ROUNDING);
        if !(mean.abs() <= MAX_STATE && spread.contains(&variance) && spread.contains(&posterior)) {
            return Err(Refused("the belief"));
        }
        let forecaster = Forecaster::from_summary(&summary.forecaster, &values, &scale)?;
        let mut history = Window::new(HISTORY);
        values.into_iter().for_each(|value| history.push(value));
        Ok(Self {
            scale,
            history,
            interval,
            model: model(summary.model)?,
            belief: Belief::from_moments(mean, variance, particles, rng),
            posterior,
            surprises: Surprises::from_summary(summary.surprises)?,
            forecaster,
            last_seen: seen.flatten(),
            shocks: summary.shocks,
        })
    }
}

fn model(kept: [f32; 4]) -> Result<Model, Refused> {
    let [phi, mean, variance, noise] = kept.map(f64::from);
    let spread = MIN_VARIANCE * (1.0 - ROUNDING)..=CLIP_SD * CLIP_SD;
    let valid = (0.0..=MAX_PHI + ROUNDING).contains(&phi) && mean.abs() <= CLIP_SD;
    if !(valid && spread.contains(&variance) && spread.contains(&noise)) {
        return Err(Refused("the model"));
    }
    Ok(Model {
        transition: Transition {
            phi: phi.min(MAX_PHI),
            mean,
            variance: variance.max(MIN_VARIANCE),
        },
        noise: noise.max(MIN_VARIANCE),
    })
}

#[cfg(test)]
mod tests;
