//! A belief made anew from its mean and variance, as a snapshot keeps it.

use super::{Belief, bounded};
use crate::numeric::normal;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

impl Belief {
    /// A belief of one dimension with this mean and variance, which its particles have exactly: one is drawn from each
    /// of as many parts of equal probability, and all are moved and stretched. Given a Gaussian transition and
    /// [`Belief::observe_direct`] alone, mean and variance are all there is to know (a Kalman filter's state).
    pub fn from_moments(mean: f64, variance: f64, particles: usize, rng: &mut Pcg64Mcg) -> Self {
        let share = |part: usize, within: f64| ((part as f64 + within) / particles as f64).clamp(1e-9, 1.0 - 1e-9);
        let mut states: Vec<f64> = (0..particles)
            .map(|part| normal::quantile(share(part, rng.random())))
            .collect();
        let count = particles as f64;
        let centre = states.iter().sum::<f64>() / count;
        let spread = (states.iter().map(|z| (z - centre).powi(2)).sum::<f64>() / count).sqrt();
        let stretch = if spread > 0.0 { variance.sqrt() / spread } else { 0.0 };
        for state in &mut states {
            *state = bounded(mean + stretch * (*state - centre));
        }
        Self {
            dims: 1,
            states,
            weights: vec![1.0 / count; particles],
            mean: vec![bounded(mean)],
            variance: vec![variance],
        }
    }
}
