//! Complexity of growth C_L4: how fast the agent changes itself.

use crate::numeric::history::History;
use crate::numeric::window::Window;
use crate::report::CycleFacts;
use serde::{Deserialize, Serialize};

/// Cycles over which growth is counted.
pub const CYCLES: usize = 200;
/// Cycles before which a slope is noise.
pub const MIN_SLOPE_CYCLES: usize = 50;
/// Growth is frozen from here on.
pub const GROWTH_FROZEN: f64 = 0.8;
/// Cycles per skill or goal at full expansion velocity.
const FULL_EXPANSION_CYCLES: f64 = 20.0;
/// Slope of confidence per cycle at full capability growth.
const FULL_GROWTH_SLOPE: f64 = 0.01;

/// What C_L4 is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    confidence: Window,
    expansions: History<u16>,
    /// Decisions about strategy, and changes among them.
    strategy: History<[u16; 2]>,
}

/// C_L4 of one cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// C_L4, in [0, 1].
    pub c_l4: f64,
    /// Slope of mean confidence per cycle; `None` before 50 cycles.
    pub slope: Option<f64>,
    /// The part of C_L4 that only renewed growth keeps up: 0.20 expansion velocity + 0.15 capability growth, in [0, 0.35].
    pub kept_up: f64,
}

impl Default for Growth {
    fn default() -> Self {
        Self {
            confidence: Window::new(CYCLES),
            expansions: History::new(CYCLES),
            strategy: History::new(CYCLES),
        }
    }
}

impl Growth {
    /// Takes in one cycle and gives 0.15 identity volatility + 0.15 H_bel + 0.10 goal mutation + 0.10 consistency
    /// volatility + 0.20 expansion velocity + 0.15 capability growth + 0.15 strategy mutation; a volatility that is not
    /// a number counts as 1.
    pub fn update(&mut self, facts: &CycleFacts) -> Reading {
        self.confidence.push(facts.confidence);
        self.expansions.push(facts.expansions);
        self.strategy.push([facts.strategy_decisions, facts.strategy_changes]);
        let [identity, belief, goals, consistency] = facts
            .volatility
            .map(|v| if v.is_nan() { 1.0 } else { v.clamp(0.0, 1.0) });
        let slope = (self.confidence.len() >= MIN_SLOPE_CYCLES)
            .then(|| self.confidence.slope())
            .flatten();
        let growth = (slope.unwrap_or(0.0) / FULL_GROWTH_SLOPE).clamp(0.0, 1.0);
        let kept_up = 0.20 * self.expansion_velocity() + 0.15 * growth;
        let c_l4 = 0.15 * identity
            + 0.15 * belief
            + 0.10 * goals
            + 0.10 * consistency
            + kept_up
            + 0.15 * self.strategy_mutation();
        Reading {
            c_l4: c_l4.clamp(0.0, 1.0),
            slope,
            kept_up,
        }
    }

    /// Skills and goals that the agent gave itself over 200 cycles; one per 20 cycles = 1.
    fn expansion_velocity(&self) -> f64 {
        let count: u64 = self.expansions.unordered().iter().map(|n| u64::from(*n)).sum();
        (count as f64 * FULL_EXPANSION_CYCLES / CYCLES as f64).min(1.0)
    }

    /// Share of the decisions about strategy over 200 cycles that changed it; 0 without any.
    fn strategy_mutation(&self) -> f64 {
        let (mut decisions, mut changes) = (0_u64, 0_u64);
        for [decided, changed] in self.strategy.unordered() {
            decisions += u64::from(*decided);
            changes += u64::from(*changed);
        }
        if decisions > 0 {
            (changes as f64 / decisions as f64).min(1.0)
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn last(facts: impl Iterator<Item = CycleFacts>) -> Reading {
        let mut growth = Growth::default();
        facts.map(|f| growth.update(&f)).last().expect("cycles")
    }

    #[test]
    fn volatilities_weigh_as_written() {
        let volatility = [0.4, 0.8, 0.5, 0.3];
        let reading = last(std::iter::once(CycleFacts {
            volatility,
            ..CycleFacts::default()
        }));
        assert!((reading.c_l4 - (0.06 + 0.12 + 0.05 + 0.03)).abs() < 1e-15);
        assert_eq!(reading.slope, None);
        let reading = last(std::iter::once(CycleFacts {
            volatility: [f64::NAN; 4],
            ..CycleFacts::default()
        }));
        assert!((reading.c_l4 - 0.5).abs() < 1e-15);
    }

    #[test]
    fn one_expansion_per_twenty_cycles_is_full_velocity() {
        let per = |every: u16, cycles: u16| {
            let facts = (1..=cycles).map(|c| CycleFacts {
                expansions: u16::from(c % every == 0),
                ..CycleFacts::default()
            });
            last(facts).c_l4
        };
        assert!((per(20, 200) - 0.20).abs() < 1e-12);
        assert!((per(40, 200) - 0.10).abs() < 1e-12);
        assert!((per(1, 200) - 0.20).abs() < 1e-12);
        assert!((per(20, 1000) - 0.20).abs() < 1e-12, "only the last 200 cycles count");
    }

    #[test]
    fn confidence_that_rises_by_a_hundredth_per_cycle_is_full_growth_and_a_fall_is_none() {
        let sloped = |slope: f64, cycles: u32| {
            last((0..cycles).map(|c| CycleFacts {
                confidence: 0.5 + slope * f64::from(c),
                ..CycleFacts::default()
            }))
        };
        assert_eq!(sloped(0.005, 49), Reading::default());
        let half = sloped(0.005, 50);
        assert!((half.kept_up - 0.075).abs() < 1e-9);
        assert!((half.c_l4 - 0.075).abs() < 1e-9 && half.slope.is_some_and(|s| (s - 0.005).abs() < 1e-9));
        assert!((sloped(0.02, 50).c_l4 - 0.15).abs() < 1e-12);
        assert_eq!(sloped(-0.01, 200).c_l4, 0.0);
    }

    #[test]
    fn strategy_mutation_is_the_share_of_decisions_that_changed_it() {
        let facts = |decisions, changes| CycleFacts {
            strategy_decisions: decisions,
            strategy_changes: changes,
            ..CycleFacts::default()
        };
        assert!((last([facts(3, 0), facts(1, 1)].into_iter()).c_l4 - 0.15 * 0.25).abs() < 1e-15);
        assert_eq!(last([facts(0, 0)].into_iter()).c_l4, 0.0);
        assert!((last([facts(1, u16::MAX)].into_iter()).c_l4 - 0.15).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn c_l4_is_a_share_whatever_comes(
            cycles in prop::collection::vec((prop::array::uniform4(any::<f64>()), any::<f64>(), any::<[u16; 3]>()), 1..80),
        ) {
            let mut growth = Growth::default();
            for (volatility, confidence, [expansions, strategy_decisions, strategy_changes]) in cycles {
                let facts = CycleFacts {
                    volatility, confidence, expansions, strategy_decisions, strategy_changes, ..CycleFacts::default()
                };
                let reading = growth.update(&facts);
                prop_assert!((0.0..=1.0).contains(&reading.c_l4));
                prop_assert!(reading.slope.is_none_or(f64::is_finite));
            }
        }
    }
}
