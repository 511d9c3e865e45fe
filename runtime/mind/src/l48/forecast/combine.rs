//! The combination of several forecasts: polynomial weights with multiple learning rates (P. Gaillard, G. Stoltz and
//! T. van Erven, "A second-order bound with excess losses", COLT 2014) on the gradient of the absolute error. It has
//! nothing to tune, and its mean error approaches that of the best convex combination. Regrets are forgotten by 0.998
//! per observation, since which forecaster is best changes; one without an opinion sleeps.

use crate::numeric::condense::{Refused, narrow};
use serde::{Deserialize, Serialize};

/// Forecasters combined.
pub(super) const EXPERTS: usize = 6;
/// What each of them says; `None` sleeps.
pub(super) type Opinions = [Option<f64>; EXPERTS];

/// What a regret of one observation before weighs.
const FORGETTING: f64 = 0.998;
/// The sum of squares before the first observation: keeps the learning rate finite.
const FIRST_SQUARES: f64 = 1e-9;

/// How much each forecaster would have been better than the combination, in standard deviations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Combination {
    regrets: [f64; EXPERTS],
    squares: [f64; EXPERTS],
}

impl Default for Combination {
    fn default() -> Self {
        Self {
            regrets: [0.0; EXPERTS],
            squares: [FIRST_SQUARES; EXPERTS],
        }
    }
}

impl Combination {
    /// The combined forecast: weights are the positive part of regret over squares, equal where there is none.
    /// `None` if all sleep.
    pub(super) fn combine(&self, opinions: &Opinions) -> Option<f64> {
        let awake = || (0..EXPERTS).filter_map(|i| Some((self.regrets[i].max(0.0) / self.squares[i], opinions[i]?)));
        let total: f64 = awake().map(|(weight, _)| weight).sum();
        if total > 0.0 {
            return Some(awake().map(|(weight, opinion)| weight / total * opinion).sum());
        }
        let count = awake().count();
        (count > 0).then(|| awake().map(|(_, opinion)| opinion / count as f64).sum())
    }

    /// Takes in what came: `y`, where `combined` was forecast; `unit` is the dimension's standard deviation.
    pub(super) fn learn(&mut self, opinions: &Opinions, combined: f64, y: f64, unit: f64) {
        if combined == y || unit <= 0.0 {
            return;
        }
        let slope = (combined - y).signum() / unit;
        let both = self.regrets.iter_mut().zip(&mut self.squares);
        for ((regret, squares), opinion) in both.zip(opinions) {
            let Some(opinion) = opinion else { continue };
            let gain = slope * (combined - opinion);
            if !gain.is_finite() {
                continue;
            }
            *regret = FORGETTING * *regret + gain;
            *squares = FORGETTING * FORGETTING * *squares + gain * gain;
        }
    }

    /// What a snapshot keeps.
    pub(super) fn summary(&self) -> CombinationSummary {
        CombinationSummary {
            regrets: self.regrets.map(narrow),
            squares: self.squares.map(narrow),
        }
    }

    /// From what a snapshot kept.
    pub(super) fn from_summary(summary: &CombinationSummary) -> Result<Self, Refused> {
        let valid = summary.regrets.iter().all(|regret| regret.is_finite())
            && summary.squares.iter().all(|squares| (0.0..=f32::MAX).contains(squares));
        if !valid {
            return Err(Refused("a combination of forecasts"));
        }
        Ok(Self {
            regrets: summary.regrets.map(f64::from),
            squares: summary.squares.map(|squares| f64::from(squares.max(f32::MIN_POSITIVE))),
        })
    }
}

/// What a snapshot keeps of [`Combination`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CombinationSummary {
    regrets: [f32; EXPERTS],
    squares: [f32; EXPERTS],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opinions(values: [f64; 2]) -> Opinions {
        let [a, b] = values.map(Some);
        [a, b, None, None, None, None]
    }

    #[test]
    fn before_any_regret_all_that_are_awake_weigh_the_same() {
        assert_eq!(Combination::default().combine(&opinions([1.0, 3.0])), Some(2.0));
        assert_eq!(Combination::default().combine(&[None; EXPERTS]), None);
    }

    #[test]
    fn regrets_are_the_hand_worked_ones() {
        let mut combination = Combination::default();
        // Combined 2 against 0, unit 2: slope 1/2; gains (2 - 1)/2 = 0.5 and (2 - 3)/2 = -0.5.
        combination.learn(&opinions([1.0, 3.0]), 2.0, 0.0, 2.0);
        assert_eq!(combination.regrets[..2], [0.5, -0.5]);
        assert_eq!(
            combination.combine(&opinions([1.0, 3.0])),
            Some(1.0),
            "only the first has a positive regret"
        );
        // Combined 1 against 4: slope -1/2; gains 0 and 1. Regrets 0.998 0.5 = 0.499 and -0.499 + 1 = 0.501.
        combination.learn(&opinions([1.0, 3.0]), 1.0, 4.0, 2.0);
        assert!((combination.regrets[0] - 0.499).abs() < 1e-12 && (combination.regrets[1] - 0.501).abs() < 1e-12);
        assert!((combination.squares[1] - (0.996_004 * 0.25 + 1.0)).abs() < 1e-8);
    }

    #[test]
    fn it_comes_close_to_the_better_of_two_and_follows_a_change() {
        let mut combination = Combination::default();
        let mut late_error = [0.0; 2];
        for step in 0..4_000 {
            let y = if step % 2 == 0 { 1.0 } else { -1.0 };
            let (good, bad) = (y * 0.9, -y);
            let opinions = if step < 2_000 {
                opinions([good, bad])
            } else {
                opinions([bad, good])
            };
            let combined = combination.combine(&opinions).expect("awake");
            if step % 2_000 >= 1_000 {
                late_error[step / 2_000] += (combined - y).abs() / 1_000.0;
            }
            combination.learn(&opinions, combined, y, 1.0);
        }
        assert!(
            late_error.iter().all(|error| *error < 0.15),
            "{late_error:?}: the better one errs by 0.1"
        );
    }

    #[test]
    fn a_summary_combines_alike_and_a_damaged_one_is_refused() {
        let mut combination = Combination::default();
        combination.learn(&opinions([1.0, 3.0]), 2.0, 0.0, 2.0);
        let restored = Combination::from_summary(&combination.summary()).expect("undamaged");
        assert_eq!(restored.combine(&opinions([1.0, 3.0])), Some(1.0));
        let good = combination.summary();
        let with = |regret, squares| CombinationSummary {
            regrets: [regret; EXPERTS],
            squares: [squares; EXPERTS],
        };
        let faint = Combination::from_summary(&with(1.0, 0.0)).expect("what has faded away");
        assert_eq!(faint.combine(&opinions([1.0, 3.0])), Some(2.0));
        assert!(Combination::from_summary(&good).is_ok());
        for (regret, squares) in [
            (f32::NAN, 1.0),
            (f32::INFINITY, 1.0),
            (0.0, f32::NAN),
            (0.0, -1.0),
            (0.0, f32::INFINITY),
        ] {
            assert!(
                Combination::from_summary(&with(regret, squares)).is_err(),
                "{regret} {squares}"
            );
        }
    }
}
