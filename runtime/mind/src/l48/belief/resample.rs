//! Weights in logarithms, and systematic resampling.

use super::Health;

/// Weights on their way from logarithms to shares.
#[derive(Debug, Clone, Default)]
pub(super) struct Weights {
    values: Vec<f64>,
}

impl Weights {
    /// Takes logarithms of weights, not normalised, and normalises them (log-sum-exp). Where none is finite all
    /// weights are equal.
    pub(super) fn set(&mut self, log_weights: impl Iterator<Item = f64>) {
        self.values.clear();
        self.values.extend(log_weights);
        let greatest = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !greatest.is_finite() {
            let equal = 1.0 / self.values.len() as f64;
            self.values.fill(equal);
            return;
        }
        let mut sum = 0.0;
        for value in &mut self.values {
            let weight = (*value - greatest).exp();
            *value = if weight.is_nan() { 0.0 } else { weight };
            sum += *value;
        }
        self.values.iter_mut().for_each(|value| *value /= sum);
    }

    /// The weights; they sum to 1.
    pub(super) fn normalised(&self) -> &[f64] {
        &self.values
    }

    /// Effective sample size `1 / sum w^2` and entropy `-sum w ln w`.
    pub(super) fn health(&self) -> Health {
        let squares: f64 = self.values.iter().map(|w| w * w).sum();
        let entropy = self.values.iter().filter(|w| **w > 0.0).map(|w| -w * w.ln()).sum();
        Health {
            ess: 1.0 / squares,
            entropy,
            ..Health::default()
        }
    }
}

/// Systematic resampling: `count` picks at equal distances through the cumulative weights, taken in this order, the
/// first at `offset / count` with `offset` in [0, 1). A particle of weight w is picked `floor(count w)` or one more
/// times.
pub(super) fn systematic(weights: &[f64], order: &[u32], count: usize, offset: f64, picks: &mut Vec<u32>) {
    picks.clear();
    let mut cumulative = 0.0;
    let mut remaining = order.iter();
    let mut current = 0;
    for pick in 0..count {
        let target = (pick as f64 + offset) / count as f64;
        while cumulative <= target {
            // Rounding may leave the sum just below 1: then the last particle with weight takes the rest.
            let Some(&next) = remaining.next() else { break };
            let weight = weights[next as usize];
            if weight > 0.0 {
                current = next;
                cumulative += weight;
            }
        }
        picks.push(current);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_weights_far_below_the_smallest_float_still_normalise() {
        let mut weights = Weights::default();
        // Proportions 1 : 3, at exp(-5000).
        weights.set([-5000.0, -5000.0 + 3.0_f64.ln(), f64::NEG_INFINITY].into_iter());
        let expected = [0.25, 0.75, 0.0];
        assert!(
            weights
                .normalised()
                .iter()
                .zip(expected)
                .all(|(w, e)| (w - e).abs() < 1e-12)
        );
        // 1 / (1/16 + 9/16) = 1.6; -(0.25 ln 0.25 + 0.75 ln 0.75) = 0.562_335_144_6.
        assert!((weights.health().ess - 1.6).abs() < 1e-12);
        assert!((weights.health().entropy - 0.562_335_144_618_81).abs() < 1e-12);
    }

    #[test]
    fn weights_that_are_all_zero_or_not_numbers_become_equal() {
        let mut weights = Weights::default();
        weights.set([f64::NEG_INFINITY; 4].into_iter());
        assert_eq!(weights.normalised(), [0.25; 4]);
        weights.set([f64::NAN, 0.0].into_iter());
        assert_eq!(weights.normalised(), [0.0, 1.0]);
    }

    #[test]
    fn systematic_picks_are_the_hand_worked_ones() {
        let mut picks = Vec::new();
        // Cumulative 0.1, 0.6, 0.6, 1.0; targets 0.125, 0.375, 0.625, 0.875.
        systematic(&[0.1, 0.5, 0.0, 0.4], &[0, 1, 2, 3], 4, 0.5, &mut picks);
        assert_eq!(picks, [1, 1, 3, 3]);
        // In another order: 3 reaches to 0.4, 1 to 0.9, 0 to 1.0; targets 0, 0.25, 0.5, 0.75.
        systematic(&[0.1, 0.5, 0.0, 0.4], &[3, 2, 1, 0], 4, 0.0, &mut picks);
        assert_eq!(picks, [3, 3, 1, 1]);
    }
}
