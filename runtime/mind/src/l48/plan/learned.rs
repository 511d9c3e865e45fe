//! Strategies that were learned: chosen once as a neighbour of another, and kept with what they were worth.

use super::strategy::Strategy;
use serde::{Deserialize, Serialize};

/// Most learned strategies that are kept.
pub const MAX_LEARNED: usize = 3;
/// Passes over which the worth of a strategy is averaged.
const WORTH_PASSES: f64 = 20.0;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// The strategy.
    pub strategy: Strategy,
    /// Mean SEOF over the last 20 passes in which it was in force, in [-1, 1].
    pub worth: f64,
    /// Passes in which it was in force.
    pub passes: u32,
}

/// Adds a strategy that was chosen for the first time; over the limit the one of least worth goes.
pub(super) fn keep(learned: &mut Vec<Learned>, strategy: Strategy) {
    if learned.iter().any(|known| known.strategy == strategy) {
        return;
    }
    if learned.len() >= MAX_LEARNED {
        let least = (0..learned.len()).min_by(|a, b| learned[*a].worth.total_cmp(&learned[*b].worth));
        if let Some(least) = least {
            learned.remove(least);
        }
    }
    learned.push(Learned {
        strategy,
        worth: 0.0,
        passes: 0,
    });
}

/// The strategy was in force in a pass of this SEOF; one that is not a number says nothing.
pub(super) fn note(learned: &mut [Learned], strategy: &Strategy, seof: f64) {
    if seof.is_nan() {
        return;
    }
    if let Some(known) = learned.iter_mut().find(|known| known.strategy == *strategy) {
        known.passes = known.passes.saturating_add(1);
        let weight = 1.0 / f64::from(known.passes).min(WORTH_PASSES);
        known.worth += weight * (seof.clamp(-1.0, 1.0) - known.worth);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worth_is_the_mean_of_the_passes_in_force_and_the_least_makes_room() {
        let mut learned = Vec::new();
        let strategies: Vec<Strategy> = (0..4).map(|nth| Strategy::BALANCED.neighbour(nth)).collect();
        for (strategy, seof) in strategies.iter().zip([0.5, 0.1, 0.3]) {
            keep(&mut learned, *strategy);
            keep(&mut learned, *strategy);
            note(&mut learned, strategy, seof - 0.1);
            note(&mut learned, strategy, f64::NAN);
            note(&mut learned, strategy, seof + 0.1);
        }
        let worths: Vec<f64> = learned.iter().map(|known| known.worth).collect();
        assert!(
            worths
                .iter()
                .zip([0.5, 0.1, 0.3])
                .all(|(found, expected)| (found - expected).abs() < 1e-12)
        );
        assert_eq!(learned[0].passes, 2);
        keep(&mut learned, strategies[3]);
        assert_eq!(learned.len(), MAX_LEARNED);
        assert!(!learned.iter().any(|known| known.strategy == strategies[1]));
    }
}
