//! The environment inside a rollout: one trajectory, and what the agent would see and expect of it.

use super::state::MAX_DOMAINS;
use super::{LookaheadError, require};
use crate::numeric::normal::MEAN_ABSOLUTE;
use rand::RngExt;
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rungs_types::spec::MAX_DIMENSIONS;

/// Cycles without an observation from which a dimension counts as unseen, with variance 1.
pub const UNSEEN_CYCLES: u32 = 50;
/// Errors are cut off at this many standard deviations, as the divergence has it.
const MAX_ERROR_SD: f64 = 5.0;
/// Most by which errors can be larger than the law expects.
const MAX_ERROR_RATIO: f64 = 10.0;
/// Largest magnitude of a state and of its variance, in standard deviations of the dimension.
const MAX_STATE: f64 = 1e6;

/// One dimension as the world model knows it, in standardised units and for one cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DimensionLaw {
    /// Persistence, in [0, 1].
    pub phi: f64,
    /// Long-run mean.
    pub mean: f64,
    /// Standard deviation of the innovation, at least 0.
    pub innovation_sd: f64,
    /// Standard deviation of an observation around the state, at least 0.
    pub noise_sd: f64,
    /// Posterior mean of the belief.
    pub belief_mean: f64,
    /// Posterior variance of the belief, at least 0.
    pub belief_variance: f64,
    /// How much larger errors are than the law expects: mean |error| / expected, in [0, 10]. What is wrong with the
    /// model today stays wrong in the rollout.
    pub error_ratio: f64,
    /// Cycles from one observation to the next, at least 1; `None` if none is to be expected.
    pub interval_cycles: Option<u32>,
    /// Cycles since the last observation.
    pub unseen_cycles: u32,
    /// The domain of capability that it belongs to.
    pub domain: u8,
}

impl DimensionLaw {
    fn check(&self) -> Result<(), LookaheadError> {
        require("persistence", self.phi, 0.0, 1.0)?;
        require("long-run mean", self.mean, -MAX_STATE, MAX_STATE)?;
        require("innovation", self.innovation_sd, 0.0, MAX_STATE)?;
        require("observation noise", self.noise_sd, 0.0, MAX_STATE)?;
        require("belief", self.belief_mean, -MAX_STATE, MAX_STATE)?;
        require("belief variance", self.belief_variance, 0.0, MAX_STATE)?;
        require("error ratio", self.error_ratio, 0.0, MAX_ERROR_RATIO)?;
        require(
            "sampling interval",
            f64::from(self.interval_cycles.unwrap_or(1)),
            1.0,
            f64::from(u32::MAX),
        )?;
        if usize::from(self.domain) < MAX_DOMAINS {
            Ok(())
        } else {
            Err(LookaheadError::Index {
                what: "domain",
                found: usize::from(self.domain),
            })
        }
    }
}

/// A world model from which trajectories are drawn.
pub trait Trajectories {
    /// Number of dimensions, at most 64.
    fn dimensions(&self) -> usize;

    /// The law of a dimension, below [`Trajectories::dimensions`].
    fn law(&self, dimension: usize) -> DimensionLaw;

    /// The state of one particle of the dimension's belief, drawn by its weight.
    fn draw_start(&self, dimension: usize, rng: &mut Pcg64Mcg) -> f64;
}

/// One dimension on its way.
#[derive(Debug, Clone, Copy)]
struct Dimension {
    law: DimensionLaw,
    innovation_variance: f64,
    noise_variance: f64,
    state: f64,
    belief_mean: f64,
    belief_variance: f64,
    /// Cycles to the next observation, 1 = in the next cycle.
    due_cycles: u32,
    unseen_cycles: u32,
}

/// One trajectory.
#[derive(Debug, Clone)]
pub(super) struct World {
    dimensions: [Option<Dimension>; MAX_DIMENSIONS],
    count: usize,
}

/// What one cycle of the world was to the agent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Mean |z| / 0.798 - 1 over the dimensions observed; `None` if there was none.
    pub(super) surprise: Option<f64>,
    /// The same for each domain.
    pub(super) by_domain: [Option<f64>; MAX_DOMAINS],
    /// Share of dimensions unseen for 50 cycles; 0 without dimensions.
    pub(super) blind_share: f64,
    /// Mean posterior variance, unseen dimensions counted as 1 (Definition 2); 0 without dimensions.
    pub(super) eu: f64,
}

impl World {
    /// Draws a start state. `spread` multiplies the error ratio of each dimension, up to its limit.
    pub(super) fn draw(source: &impl Trajectories, spread: f64, rng: &mut Pcg64Mcg) -> Result<Self, LookaheadError> {
        let count = source.dimensions();
        if count > MAX_DIMENSIONS {
            return Err(LookaheadError::Dimensions { found: count });
        }
        let mut dimensions = [None; MAX_DIMENSIONS];
        for (index, slot) in dimensions.iter_mut().take(count).enumerate() {
            let mut law = source.law(index);
            law.check()?;
            law.error_ratio = (law.error_ratio * spread).min(MAX_ERROR_RATIO);
            let state = source.draw_start(index, rng);
            require("particle", state, -MAX_STATE, MAX_STATE)?;
            *slot = Some(Dimension {
                law,
                innovation_variance: law.innovation_sd * law.innovation_sd,
                noise_variance: law.noise_sd * law.noise_sd,
                state,
                belief_mean: law.belief_mean,
                belief_variance: law.belief_variance,
                due_cycles: law
                    .interval_cycles
                    .map_or(0, |interval| interval.saturating_sub(law.unseen_cycles).max(1)),
                unseen_cycles: law.unseen_cycles,
            });
        }
        Ok(Self { dimensions, count })
    }

    /// Moves on by one cycle.
    pub(super) fn step(&mut self, rng: &mut Pcg64Mcg) -> Seen {
        let mut errors = [(0.0, 0_u32); MAX_DOMAINS];
        let (mut variance, mut blind) = (0.0, 0_u32);
        for dimension in self.dimensions[..self.count].iter_mut().flatten() {
            if let Some(error) = dimension.step(rng) {
                let (sum, count) = &mut errors[usize::from(dimension.law.domain)];
                *sum += error;
                *count += 1;
            }
            let unseen = dimension.unseen_cycles >= UNSEEN_CYCLES;
            blind += u32::from(unseen);
            variance += if unseen { 1.0 } else { dimension.belief_variance };
        }
        let total = errors.iter().fold((0.0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
        let share = 1.0 / self.count.max(1) as f64;
        Seen {
            surprise: surprise(total),
            by_domain: errors.map(surprise),
            blind_share: f64::from(blind) * share,
            eu: variance * share,
        }
    }
}

fn surprise((sum, count): (f64, u32)) -> Option<f64> {
    (count > 0).then(|| sum / (f64::from(count) * MEAN_ABSOLUTE) - 1.0)
}

impl Dimension {
    /// Moves on by one cycle; |error| in forecast standard deviations if it is observed.
    fn step(&mut self, rng: &mut Pcg64Mcg) -> Option<f64> {
        let law = &self.law;
        let drift = (1.0 - law.phi) * law.mean;
        let innovation = law.innovation_sd * law.error_ratio * rng.sample::<f64, _>(StandardNormal);
        self.state = (law.phi * self.state + drift + innovation).clamp(-MAX_STATE, MAX_STATE);
        self.belief_mean = law.phi * self.belief_mean + drift;
        self.belief_variance = (law.phi * law.phi * self.belief_variance + self.innovation_variance).min(MAX_STATE);
        if self.due_cycles != 1 {
            self.due_cycles = self.due_cycles.saturating_sub(1);
            self.unseen_cycles = self.unseen_cycles.saturating_add(1);
            return None;
        }
        self.due_cycles = law.interval_cycles.unwrap_or(0);
        self.unseen_cycles = 0;
        let noise = law.noise_sd * law.error_ratio * rng.sample::<f64, _>(StandardNormal);
        let error = self.state + noise - self.belief_mean;
        let variance = self.belief_variance + self.noise_variance;
        if variance <= 0.0 {
            return Some(if error == 0.0 { 0.0 } else { MAX_ERROR_SD });
        }
        let gain = self.belief_variance / variance;
        self.belief_mean += gain * error;
        self.belief_variance -= gain * self.belief_variance;
        Some((error.abs() / variance.sqrt()).min(MAX_ERROR_SD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn surprise_is_the_mean_error_over_its_expectation() {
        // sqrt(pi / 2) = 1.2533.
        let found = surprise((3.0, 2)).expect("two errors");
        assert!((found - (1.5 * 1.253_314_137_315_500_3 - 1.0)).abs() < 1e-12);
        assert_eq!(surprise((0.0, 0)), None);
    }

    #[test]
    fn an_error_counts_at_most_five_standard_deviations() {
        let law = DimensionLaw {
            phi: 1.0,
            mean: 0.0,
            innovation_sd: 0.0,
            noise_sd: 0.0,
            belief_mean: 0.0,
            belief_variance: 1.0,
            error_ratio: 1.0,
            interval_cycles: Some(1),
            unseen_cycles: 0,
            domain: 0,
        };
        let error = |state: f64, belief_variance: f64| {
            let mut dimension = Dimension {
                law,
                innovation_variance: 0.0,
                noise_variance: 0.0,
                state,
                belief_mean: 0.0,
                belief_variance,
                due_cycles: 1,
                unseen_cycles: 0,
            };
            dimension.step(&mut Pcg64Mcg::seed_from_u64(1))
        };
        assert_eq!([4.95, 5.05].map(|state| error(state, 1.0)), [Some(4.95), Some(5.0)]);
        // Where no error was possible, any is the largest.
        assert_eq!([0.0, 0.1].map(|state| error(state, 0.0)), [Some(0.0), Some(5.0)]);
    }
}
