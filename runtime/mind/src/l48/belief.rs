//! A belief: weighted particles over a block of dimensions (MSCP Level 4.8, Definition 8).
//!
//! The transition and the Gaussian likelihood of Definitions 8 and 9 are products over dimensions, so the exact
//! posterior is one too. The world model therefore holds one belief per dimension: with joint weights the same
//! particles would have to be right in all dimensions at once, and their number would have to grow exponentially with
//! the dimensions (P. Rebeschini and R. van Handel, "Can local particle filters beat the curse of dimensionality?",
//! 2015; here without their bias, for the blocks are independent). An observation that couples dimensions or is not
//! linear goes through [`Belief::observe`], which takes any likelihood over a block of any size.
//!
//! - [`Belief::observe_direct`]: the state is seen through Gaussian noise. Proposal and weights are the locally optimal
//!   ones in closed form (A. Doucet et al., 2000); because the weights do not depend on the proposed state, particles
//!   are resampled before they move, which keeps them distinct. The moments are those of the mixture of conditional
//!   posteriors, not of its samples (Rao-Blackwell).
//! - [`Belief::observe`]: each particle is spread over 16 children, drawn from the transition; the children are weighted
//!   by the likelihood and thinned to N again, in sorted order where the block has one dimension, so that the mass of
//!   separate modes does not drift. Copies of one child are moved by a Metropolis step that keeps the target.
//!
//! Invariants:
//! 1. Weights are finite and sum to 1; states and moments are finite.
//! 2. Weights live in logarithms while they are multiplied (the seed's product underflows).
//! 3. Whatever the observation, a step ends with a usable belief: one that no particle supports reinitialises it.
//! 4. Nothing is allocated once [`Scratch`] has grown to its size, in the first step.

mod general;
mod moments;
mod resample;

use super::ar::{MIN_VARIANCE, Transition};
use crate::numeric::normal;
use rand::RngExt;
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use resample::{Weights, systematic};
use serde::Serialize;

/// Distance from every particle, in standard deviations of its prediction, beyond which an observation is an outlier
/// that no particle supports.
pub const SUPPORT_SD: f64 = 6.0;
/// The least weight entropy, in nats (MSCP Level 4.8, section 10.1, invariant 5).
pub const ENTROPY_FLOOR: f64 = 1.0;
/// Standard deviation of the jitter below that floor, in posterior standard deviations.
const JITTER: f64 = 0.2;
/// Largest magnitude of a state, in standard deviations of its dimension.
pub const MAX_STATE: f64 = 1e6;

/// Weighted particles over a block of dimensions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Belief {
    dims: usize,
    /// Particle by particle, `dims` values each.
    states: Vec<f64>,
    /// Normalised, one per particle.
    weights: Vec<f64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Health {
    /// Effective sample size before resampling, in particles.
    pub ess: f64,
    /// Weight entropy before resampling, in nats.
    pub entropy: f64,
    /// No particle supported the observation: the belief was reinitialised around it.
    pub shock: bool,
    /// The entropy was below its floor: the particles were resampled with jitter.
    pub jittered: bool,
}

impl Health {
    /// The weights alone no longer described the posterior.
    pub fn degenerate(&self) -> bool {
        self.shock || self.jittered
    }
}

/// Room for intermediate results, shared by all beliefs of a filter; holds no state.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// Predictions or children, particle by particle.
    points: Vec<f64>,
    /// Predictions of the parents of the general step.
    parents: Vec<f64>,
    /// The children while the general step searches elsewhere.
    spare: Vec<f64>,
    weights: Weights,
    order: Vec<u32>,
    picks: Vec<u32>,
}

impl Belief {
    /// `particles` particles over `dims` dimensions, each standard normal.
    pub fn new(dims: usize, particles: usize, rng: &mut Pcg64Mcg) -> Self {
        let mut belief = Self {
            dims,
            states: vec![0.0; dims * particles],
            weights: vec![0.0; particles],
            mean: vec![0.0; dims],
            variance: vec![1.0; dims],
        };
        belief.reinitialise(&vec![(0.0, 1.0); dims], rng);
        belief
    }

    /// Number of dimensions.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Number of particles.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// No particle: never true of a belief made by [`Belief::new`] with at least one.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Posterior mean of each dimension.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Posterior variance of each dimension, at least 0.
    pub fn variance(&self) -> &[f64] {
        &self.variance
    }

    /// The particles with their weights.
    pub fn particles(&self) -> impl Iterator<Item = (&[f64], f64)> {
        self.states.chunks_exact(self.dims).zip(self.weights.iter().copied())
    }

    /// Draws all particles anew from independent normals with these means and variances, with equal weights.
    pub fn reinitialise(&mut self, moments: &[(f64, f64)], rng: &mut Pcg64Mcg) {
        for state in self.states.chunks_exact_mut(self.dims) {
            for (value, (mean, variance)) in state.iter_mut().zip(moments) {
                *value = bounded(mean + variance.sqrt() * rng.sample::<f64, _>(StandardNormal));
            }
        }
        self.equal_weights();
        for ((own_mean, own_variance), (mean, variance)) in self.mean.iter_mut().zip(&mut self.variance).zip(moments) {
            (*own_mean, *own_variance) = (bounded(*mean), *variance);
        }
    }

    fn equal_weights(&mut self) {
        let equal = 1.0 / self.weights.len() as f64;
        self.weights.fill(equal);
    }

    /// Expresses the belief in other units: each state becomes `factor * state + offset`.
    pub fn rescale(&mut self, dim: usize, factor: f64, offset: f64) {
        for state in self.states.chunks_exact_mut(self.dims) {
            state[dim] = bounded(factor * state[dim] + offset);
        }
        self.mean[dim] = bounded(factor * self.mean[dim] + offset);
        self.variance[dim] = (self.variance[dim] * factor * factor).min(MAX_STATE * MAX_STATE);
    }

    /// One step without an observation: the particles move, the weights stay.
    pub fn predict(&mut self, transitions: &[Transition], rng: &mut Pcg64Mcg) {
        for state in self.states.chunks_exact_mut(self.dims) {
            for (value, transition) in state.iter_mut().zip(transitions) {
                let noise = transition.variance.sqrt() * rng.sample::<f64, _>(StandardNormal);
                *value = bounded(transition.predict(*value) + noise);
            }
        }
        let moments = self.mean.iter_mut().zip(&mut self.variance);
        for ((mean, variance), transition) in moments.zip(transitions) {
            *mean = transition.predict(*mean);
            *variance = transition.phi * transition.phi * *variance + transition.variance;
        }
    }

    /// One step of a block of one dimension whose state is seen as `observation` through Gaussian noise of variance
    /// `noise`. An observation that is not finite is none: the particles only move.
    pub fn observe_direct(
        &mut self,
        transition: &Transition,
        noise: f64,
        observation: f64,
        scratch: &mut Scratch,
        rng: &mut Pcg64Mcg,
    ) -> Health {
        debug_assert_eq!(self.dims, 1, "the closed form is for one dimension");
        if !observation.is_finite() {
            self.predict(std::slice::from_ref(transition), rng);
            return Health {
                ess: self.len() as f64,
                entropy: (self.len() as f64).ln(),
                ..Health::default()
            };
        }
        let (predicted_variance, noise) = (transition.variance, noise.max(MIN_VARIANCE));
        let spread = predicted_variance + noise;
        scratch.points.clear();
        scratch
            .points
            .extend(self.states.iter().map(|&state| transition.predict(state)));
        let distance = |&point: &f64| (observation - point).abs();
        let nearest = scratch.points.iter().map(distance).fold(f64::INFINITY, f64::min);
        if nearest > SUPPORT_SD * spread.sqrt() {
            self.reinitialise(&[(observation, noise)], rng);
            return Health {
                shock: true,
                ..Health::default()
            };
        }
        let weighted = scratch.points.iter().zip(&self.weights);
        let log_weights = weighted.map(|(&point, &weight)| weight.ln() - 0.5 * (observation - point).powi(2) / spread);
        scratch.weights.set(log_weights);
        let mut health = scratch.weights.health();

        // Conditional posterior of each particle: N(pull * observation + (1 - pull) * point, left).
        let pull = predicted_variance / spread;
        let left = predicted_variance * noise / spread;
        let weights = scratch.weights.normalised();
        let expected: f64 = scratch
            .points
            .iter()
            .zip(weights)
            .map(|(point, weight)| weight * point)
            .sum();
        let deviation = |(point, weight): (&f64, &f64)| weight * (point - expected).powi(2);
        let between: f64 = scratch.points.iter().zip(weights).map(deviation).sum();
        self.mean[0] = bounded(expected + pull * (observation - expected));
        self.variance[0] = left + (1.0 - pull).powi(2) * between;

        health.jittered = health.entropy < ENTROPY_FLOOR;
        let resampled = health.jittered || health.ess < 0.5 * self.len() as f64;
        let jitter = if health.jittered {
            JITTER * self.variance[0].sqrt()
        } else {
            0.0
        };
        if resampled {
            scratch.pick_sorted(self.len(), 1, rng);
            self.equal_weights();
        } else {
            self.weights.copy_from_slice(scratch.weights.normalised());
        }
        let sd = (left + jitter * jitter).sqrt();
        for (index, state) in self.states.iter_mut().enumerate() {
            let parent = if resampled {
                scratch.picks[index] as usize
            } else {
                index
            };
            let point = scratch.points[parent];
            let noise = sd * rng.sample::<f64, _>(StandardNormal);
            *state = bounded(point + pull * (observation - point) + noise);
        }
        health
    }

    /// Logarithm of the density of an observation of a one-dimensional block under the belief before it, for a
    /// normal approximation of the prediction.
    pub fn ln_predictive(&self, transition: &Transition, noise: f64, observation: f64) -> f64 {
        let (mean, variance) = self.predictive(transition, noise);
        normal::ln_density(observation, mean, variance)
    }

    /// Mean and variance of the next observation of a one-dimensional block.
    pub fn predictive(&self, transition: &Transition, noise: f64) -> (f64, f64) {
        let variance = transition.phi * transition.phi * self.variance[0] + transition.variance + noise;
        (transition.predict(self.mean[0]), variance)
    }
}

impl Scratch {
    /// Picks `count` of the weighted points by systematic resampling; in sorted order if they have one dimension.
    fn pick_sorted(&mut self, count: usize, dims: usize, rng: &mut Pcg64Mcg) {
        let Self {
            points,
            weights,
            order,
            picks,
            ..
        } = self;
        order.clear();
        order.extend(0..(points.len() / dims) as u32);
        if dims == 1 {
            order.sort_unstable_by(|&a, &b| points[a as usize].total_cmp(&points[b as usize]));
        }
        systematic(weights.normalised(), order, count, rng.random(), picks);
    }
}

/// Keeps a state within reach, and a number.
fn bounded(state: f64) -> f64 {
    if state.is_nan() {
        0.0
    } else {
        state.clamp(-MAX_STATE, MAX_STATE)
    }
}

#[cfg(test)]
mod tests;
