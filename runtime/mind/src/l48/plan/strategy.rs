//! A strategy: one setting of every knob that the kernel, the executor of tasks and the allocator really use.
//!
//! Three archetypes, and variants that were learned: the strategy in force with one knob moved by a step, kept when it was
//! chosen, with the SEOF that it had while it was in force. A model tier is no knob as long as no model is asked.

use crate::goals::Limits;
use rungs_types::goal::{Knob, KnobSetting};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One setting of every knob, each within [`Knob::range`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 6]", into = "[f64; 6]")]
pub struct Strategy([f64; Knob::ALL.len()]);

/// Why a stored strategy is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{knob} is {found}, which it cannot be set to")]
pub struct StrategyError {
    /// Which knob.
    pub knob: Knob,
    /// Its setting.
    pub found: f64,
}

/// The strategies that are always candidates (MSCP Level 4.8, section 5.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Archetype {
    /// Much at once, little held back.
    Aggressive,
    /// In between; in force at the start.
    #[default]
    Balanced,
    /// One thing after the other, much held back; the fallback when two invariants are violated.
    Conservative,
    /// Learned.
    Learned,
}

impl Archetype {
    /// Those that are always candidates.
    pub const ALL: [Archetype; 3] = [Archetype::Aggressive, Archetype::Balanced, Archetype::Conservative];
}

impl fmt::Display for Archetype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Archetype::Aggressive => "aggressive",
            Archetype::Balanced => "balanced",
            Archetype::Conservative => "conservative",
            Archetype::Learned => "learned",
        })
    }
}

impl Default for Strategy {
    fn default() -> Self {
        Self::BALANCED
    }
}

impl Strategy {
    /// Exploration 0.05, 6 tasks, 3 retries, 200 cycles ahead, risk cap 0.75, a tenth in reserve.
    pub const AGGRESSIVE: Strategy = Strategy([0.05, 6.0, 3.0, 1.0, 0.75, 0.1]);
    /// Exploration 0.02, 3 tasks, 2 retries, 200 cycles ahead, risk cap 0.60, a fifth in reserve: what the kernel does of
    /// itself.
    pub const BALANCED: Strategy = Strategy([0.02, 3.0, 2.0, 1.0, 0.60, 0.2]);
    /// Exploration 0.005, 1 task, 1 retry, 200 cycles ahead, risk cap 0.40, two fifths in reserve.
    pub const CONSERVATIVE: Strategy = Strategy([0.005, 1.0, 1.0, 1.0, 0.40, 0.4]);
    /// What is in force while two invariants are violated.
    pub const FALLBACK: Strategy = Strategy::CONSERVATIVE;

    /// The strategy of an archetype; `None` for what is learned.
    pub fn of(archetype: Archetype) -> Option<Strategy> {
        match archetype {
            Archetype::Aggressive => Some(Self::AGGRESSIVE),
            Archetype::Balanced => Some(Self::BALANCED),
            Archetype::Conservative => Some(Self::CONSERVATIVE),
            Archetype::Learned => None,
        }
    }

    /// Where a knob is set to.
    pub fn get(&self, knob: Knob) -> f64 {
        self.0[knob.index()]
    }

    /// The same with one knob set anew; a setting that the knob does not have leaves it as it is.
    #[must_use]
    pub fn with(mut self, setting: KnobSetting) -> Self {
        if setting.is_valid() {
            self.0[setting.knob.index()] = setting.to;
        }
        self
    }

    /// SI of Definition 7: how far a change from `current` would go, in [0, 1]: the mean over knobs of the distance as a
    /// share of the knob's range.
    pub fn inertia(&self, current: &Strategy) -> f64 {
        let each = Knob::ALL.map(|knob| {
            let (low, high) = knob.range();
            (self.get(knob) - current.get(knob)).abs() / (high - low)
        });
        each.iter().sum::<f64>() / each.len() as f64
    }

    /// The one in between: `weight` of it is this strategy, the rest `own`; counted knobs are rounded. So advice of half
    /// authority is followed halfway.
    #[must_use]
    pub fn blend(&self, own: &Strategy, weight: f64) -> Strategy {
        let weight = if weight.is_nan() { 0.0 } else { weight.clamp(0.0, 1.0) };
        Strategy(Knob::ALL.map(|knob| {
            let (low, high) = knob.range();
            let between = (weight * self.get(knob) + (1.0 - weight) * own.get(knob)).clamp(low, high);
            if knob.is_whole() { between.round() } else { between }
        }))
    }

    /// What it lets the executor of tasks do.
    pub fn limits(&self) -> Limits {
        Limits {
            parallel_tasks: self.get(Knob::ParallelTasks) as u8,
            retry_budget: self.get(Knob::RetryBudget) as u8,
            risk_cap: self.get(Knob::RiskCap),
            harmless_only: false,
        }
    }

    /// Cycles that a comparison looks ahead under it: 50, 200 or 1,000.
    pub fn depth_cycles(&self) -> u32 {
        match self.get(Knob::PlanningDepth) as u8 {
            0 => 50,
            1 => 200,
            _ => 1_000,
        }
    }

    /// The `nth` neighbour: one knob moved by an eighth of its range (one, for a counted knob), up or down. At the end of
    /// a knob's range it is the strategy itself.
    #[must_use]
    pub fn neighbour(&self, nth: u32) -> Strategy {
        let count = Knob::ALL.len() as u32;
        let knob = Knob::ALL[(nth % count) as usize];
        let up = (nth / count).is_multiple_of(2);
        let (low, high) = knob.range();
        let step = if knob.is_whole() { 1.0 } else { (high - low) / 8.0 };
        let to = self.get(knob) + if up { step } else { -step };
        self.with(KnobSetting {
            knob,
            to: to.clamp(low, high),
        })
    }
}

impl TryFrom<[f64; 6]> for Strategy {
    type Error = StrategyError;

    fn try_from(settings: [f64; 6]) -> Result<Self, StrategyError> {
        for (knob, to) in Knob::ALL.into_iter().zip(settings) {
            if !(KnobSetting { knob, to }).is_valid() {
                return Err(StrategyError { knob, found: to });
            }
        }
        Ok(Self(settings))
    }
}

impl From<Strategy> for [f64; 6] {
    fn from(strategy: Strategy) -> Self {
        strategy.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, prop_assert, proptest};

    #[test]
    fn every_archetype_is_a_strategy_and_each_takes_less_risk_than_the_one_before() {
        let all = Archetype::ALL.map(|archetype| Strategy::of(archetype).unwrap());
        for strategy in all {
            assert_eq!(Strategy::try_from(<[f64; 6]>::from(strategy)), Ok(strategy));
        }
        for pair in all.windows(2) {
            for knob in [
                Knob::ExplorationRate,
                Knob::ParallelTasks,
                Knob::RetryBudget,
                Knob::RiskCap,
            ] {
                assert!(pair[0].get(knob) > pair[1].get(knob), "{knob}");
            }
            assert!(pair[0].get(Knob::ReserveShare) < pair[1].get(Knob::ReserveShare));
        }
        assert_eq!(Strategy::of(Archetype::Learned), None);
        assert_eq!(
            (
                Strategy::BALANCED.get(Knob::ExplorationRate),
                crate::setup::EXPLORATION_RATE
            ),
            (0.02, 0.02)
        );
    }

    #[test]
    fn inertia_is_the_mean_distance_of_the_knobs_in_their_ranges() {
        // 0.03/0.2, 3/7, 1/5, 0/2, 0.15/1, 0.1/0.5 = 0.15 + 0.428571 + 0.2 + 0 + 0.15 + 0.2, over 6.
        let inertia = Strategy::AGGRESSIVE.inertia(&Strategy::BALANCED);
        assert!((inertia - 1.128_571_428_571_428_6 / 6.0).abs() < 1e-12);
        assert_eq!(Strategy::BALANCED.inertia(&Strategy::BALANCED), 0.0);
        let low = Strategy(Knob::ALL.map(|knob| knob.range().0));
        let high = Strategy(Knob::ALL.map(|knob| knob.range().1));
        assert_eq!(low.inertia(&high), 1.0);
    }

    #[test]
    fn a_blend_of_half_weight_is_in_the_middle_and_counts_whole() {
        let half = Strategy::CONSERVATIVE.blend(&Strategy::BALANCED, 0.5);
        assert!((half.get(Knob::ExplorationRate) - 0.0125).abs() < 1e-12);
        assert_eq!(half.get(Knob::ParallelTasks), 2.0);
        assert_eq!(half.get(Knob::RetryBudget), 2.0, "1.5 is rounded");
        assert_eq!(
            Strategy::CONSERVATIVE.blend(&Strategy::BALANCED, 0.0),
            Strategy::BALANCED
        );
        assert_eq!(
            Strategy::CONSERVATIVE.blend(&Strategy::BALANCED, 1.0),
            Strategy::CONSERVATIVE
        );
        assert_eq!(
            Strategy::CONSERVATIVE.blend(&Strategy::BALANCED, f64::NAN),
            Strategy::BALANCED
        );
    }

    #[test]
    fn the_knobs_are_what_the_executor_and_the_comparison_use() {
        let limits = Strategy::BALANCED.limits();
        assert_eq!(
            (limits.parallel_tasks, limits.retry_budget, limits.risk_cap),
            (3, 2, 0.60)
        );
        let depth = |to| {
            let knob = Knob::PlanningDepth;
            Strategy::BALANCED.with(KnobSetting { knob, to }).depth_cycles()
        };
        assert_eq!([depth(0.0), depth(1.0), depth(2.0)], [50, 200, 1_000]);
        assert_eq!(depth(3.0), 200, "no setting of the knob");
    }

    #[test]
    fn the_archetypes_risk_three_quarters_three_fifths_and_two_fifths_and_hold_back_one_two_and_four_tenths() {
        let all = Archetype::ALL.map(|archetype| <[f64; 6]>::from(Strategy::of(archetype).unwrap()));
        assert_eq!(all[0], [0.05, 6.0, 3.0, 1.0, 0.75, 0.1]);
        assert_eq!(all[1], [0.02, 3.0, 2.0, 1.0, 0.60, 0.2]);
        assert_eq!(all[2], [0.005, 1.0, 1.0, 1.0, 0.40, 0.4]);
    }

    #[test]
    fn a_neighbour_differs_in_one_knob_by_a_step() {
        let base = Strategy::BALANCED;
        assert_eq!(base.neighbour(1).get(Knob::ParallelTasks), 4.0);
        assert_eq!(base.neighbour(7).get(Knob::ParallelTasks), 2.0);
        assert!((base.neighbour(4).get(Knob::RiskCap) - 0.725).abs() < 1e-12);
        let lowest = Strategy::CONSERVATIVE.neighbour(7);
        assert_eq!(lowest, Strategy::CONSERVATIVE, "there is no fewer than one task");
    }

    #[test]
    fn a_stored_strategy_out_of_range_is_refused_by_its_knob() {
        let mut settings: [f64; 6] = Strategy::BALANCED.into();
        settings[1] = 2.5;
        assert_eq!(
            Strategy::try_from(settings).unwrap_err().to_string(),
            "parallel_tasks is 2.5, which it cannot be set to"
        );
        settings[1] = f64::NAN;
        assert!(Strategy::try_from(settings).is_err());
    }

    proptest! {
        #[test]
        fn neighbours_and_blends_are_strategies_at_a_distance_of_a_share(
            steps in prop::collection::vec(any::<u32>(), 0..40), weight in any::<f64>(),
        ) {
            let walked = steps.iter().fold(Strategy::BALANCED, |strategy, nth| strategy.neighbour(*nth));
            for strategy in [walked, walked.blend(&Strategy::AGGRESSIVE, weight)] {
                prop_assert!(Strategy::try_from(<[f64; 6]>::from(strategy)).is_ok());
                prop_assert!((0.0..=1.0).contains(&strategy.inertia(&Strategy::BALANCED)));
            }
        }
    }
}
