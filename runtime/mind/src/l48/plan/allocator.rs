//! The strategic resource allocator: what share of the agent's budget the guard, the reserve and each goal may use
//! (MSCP Level 4.8, sections 8.5 and 10.1, invariant 3).
//!
//! The guard comes first, with a tenth at least, and more as risk rises; then the reserve of the strategy, raised while
//! the runway is short; then the goals, by their priority. What no goal asks for is reserve.
//!
//! Invariants: 1. the guard has at least [`GUARD_SHARE`]. 2. No share is negative, and all of them together are 1. 3. No
//! goal has more than it asked for.

use rungs_types::GoalId;
use serde::{Deserialize, Serialize};

/// Least share of the guard.
pub const GUARD_SHARE: f64 = 0.10;
/// How much more it has at the highest risk.
const GUARD_RISK_SHARE: f64 = 0.20;
/// Runway below which goals get less, in cycles (target of Definition 4).
const SHORT_RUNWAY_CYCLES: f64 = 100.0;

/// Who may use how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// Stability monitoring.
    pub guard: f64,
    /// Held back.
    pub reserve: f64,
    /// Goals, in the order in which they were named.
    pub goals: Vec<Grant>,
}

/// What a goal may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Which goal.
    pub goal: GoalId,
    /// Its share.
    pub share: f64,
}

/// What a goal asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Which goal.
    pub goal: GoalId,
    /// The share that it asks for, in [0, 1].
    pub share: f64,
    /// Its priority, in [0, 1].
    pub priority: f64,
}

impl Default for Allocation {
    fn default() -> Self {
        Self::minimal()
    }
}

impl Allocation {
    /// Nothing for goals: in force while two invariants are violated.
    pub fn minimal() -> Self {
        Self {
            guard: GUARD_SHARE,
            reserve: 1.0 - GUARD_SHARE,
            goals: Vec::new(),
        }
    }

    /// The share of a goal; 0 for one that has none.
    pub fn share_of(&self, goal: &GoalId) -> f64 {
        let grant = self.goals.iter().find(|grant| grant.goal == *goal);
        grant.map_or(0.0, |grant| grant.share)
    }

    /// The invariants above hold.
    pub fn is_valid(&self) -> bool {
        let shares = || self.goals.iter().map(|grant| grant.share);
        let total = self.guard + self.reserve + shares().sum::<f64>();
        self.guard >= GUARD_SHARE && self.reserve >= 0.0 && shares().all(|s| s >= 0.0) && (total - 1.0).abs() < 1e-9
    }
}

/// Allocates to goals in any order. `risk` is RES, `runway_cycles` RDF, `reserve_share` the strategy's; what is not a
/// number counts as the worst.
pub fn allocate(asks: &[Ask], reserve_share: f64, risk: f64, runway_cycles: f64) -> Allocation {
    let share = |value: f64, worst: f64| if value.is_nan() { worst } else { value.clamp(0.0, 1.0) };
    let guard = GUARD_SHARE + GUARD_RISK_SHARE * share(risk, 1.0);
    let runway = share(runway_cycles / SHORT_RUNWAY_CYCLES, 0.0);
    let free = (1.0 - guard) * (1.0 - share(reserve_share, 1.0)) * runway;
    let grants = fill(asks, free);
    let used: f64 = grants.iter().sum();
    Allocation {
        guard,
        reserve: (1.0 - guard - used).max(0.0),
        goals: asks
            .iter()
            .zip(grants)
            .map(|(ask, share)| Grant {
                goal: ask.goal.clone(),
                share,
            })
            .collect(),
    }
}

/// Shares `free` out by priority times ask; what is more than a goal asks for goes to the others, until all have what they
/// ask for or nothing is left. Each round satisfies a goal or ends it, so there are at most as many as goals.
fn fill(asks: &[Ask], free: f64) -> Vec<f64> {
    let sound = |value: f64| if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    let wanted: Vec<f64> = asks.iter().map(|ask| sound(ask.share)).collect();
    // A priority of 0 still counts a little: a goal with a place is worked on.
    let weight: Vec<f64> = asks
        .iter()
        .map(|ask| sound(ask.share) * sound(ask.priority).max(0.01))
        .collect();
    let mut granted = vec![0.0; asks.len()];
    let mut left = free.max(0.0);
    for _ in 0..asks.len() {
        let open = |index: &usize| granted[*index] < wanted[*index];
        let hungry: Vec<usize> = (0..asks.len()).filter(open).collect();
        let total: f64 = hungry.iter().map(|index| weight[*index]).sum();
        if hungry.is_empty() || left <= 0.0 || total <= 0.0 {
            break;
        }
        let mut satisfied = false;
        let offer = left / total;
        for index in hungry {
            let missing = wanted[index] - granted[index];
            if offer * weight[index] >= missing {
                granted[index] = wanted[index];
                left -= missing;
                satisfied = true;
            }
        }
        if !satisfied {
            for ((granted, wanted), weight) in granted.iter_mut().zip(&wanted).zip(&weight) {
                if *granted < *wanted {
                    *granted = offer * weight;
                }
            }
            break;
        }
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NO_LIMIT: f64 = 10_000.0;

    fn ask(name: &str, share: f64, priority: f64) -> Ask {
        Ask {
            goal: GoalId::new(name).unwrap(),
            share,
            priority,
        }
    }

    fn shares(allocation: &Allocation) -> Vec<f64> {
        allocation.goals.iter().map(|grant| grant.share).collect()
    }

    #[test]
    fn the_guard_has_a_tenth_without_risk_and_three_tenths_at_the_highest() {
        assert_eq!(allocate(&[], 0.2, 0.0, NO_LIMIT).guard, 0.10);
        assert!((allocate(&[], 0.2, 1.0, NO_LIMIT).guard - 0.30).abs() < 1e-12);
        assert!((allocate(&[], 0.2, f64::NAN, NO_LIMIT).guard - 0.30).abs() < 1e-12);
        assert_eq!(allocate(&[], 0.2, -5.0, NO_LIMIT).guard, GUARD_SHARE);
    }

    #[test]
    fn goals_get_what_they_ask_for_while_there_is_enough() {
        let found = allocate(&[ask("a", 0.2, 0.9), ask("b", 0.3, 0.1)], 0.2, 0.0, NO_LIMIT);
        assert_eq!(shares(&found), [0.2, 0.3]);
        assert!(
            (found.reserve - 0.4).abs() < 1e-12,
            "its fifth of 0.9 and what nobody asked for"
        );
        assert!(found.is_valid());
    }

    #[test]
    fn what_is_short_is_shared_out_by_priority_and_nobody_gets_more_than_asked() {
        // Free: 0.9 * 0.5 = 0.45. Weights 0.5 * 0.8 = 0.40 and 0.5 * 0.4 = 0.20: 0.30 and 0.15.
        let found = allocate(&[ask("a", 0.5, 0.8), ask("b", 0.5, 0.4)], 0.5, 0.0, NO_LIMIT);
        assert!((found.goals[0].share - 0.30).abs() < 1e-12 && (found.goals[1].share - 0.15).abs() < 1e-12);
        // The small one would get 0.45 * 0.08 / 0.28 = 0.129 and needs 0.1; the other has the rest.
        let found = allocate(&[ask("a", 0.1, 0.8), ask("b", 0.5, 0.4)], 0.5, 0.0, NO_LIMIT);
        assert_eq!(found.goals[0].share, 0.1);
        assert!((found.goals[1].share - 0.35).abs() < 1e-12);
        assert!(found.is_valid());
    }

    #[test]
    fn a_short_runway_takes_from_the_goals_and_a_hundred_cycles_do_not() {
        let at = |runway| shares(&allocate(&[ask("a", 0.9, 1.0)], 0.0, 0.0, runway))[0];
        assert_eq!(at(100.0), 0.9);
        assert!((at(99.0) - 0.891).abs() < 1e-12);
        assert!((at(50.0) - 0.45).abs() < 1e-12);
        assert_eq!((at(0.0), at(f64::NAN)), (0.0, 0.0));
    }

    #[test]
    fn the_minimal_allocation_is_the_guards_tenth_and_reserve() {
        let minimal = Allocation::minimal();
        assert!(minimal.is_valid() && minimal.goals.is_empty());
        assert_eq!((minimal.guard, minimal.reserve), (0.10, 0.90));
        assert_eq!(minimal.share_of(&GoalId::new("a").unwrap()), 0.0);
        let less = Allocation {
            guard: 0.099,
            reserve: 0.901,
            goals: Vec::new(),
        };
        assert!(!less.is_valid());
    }

    proptest! {
        #[test]
        fn whatever_is_asked_the_guard_has_its_tenth_and_the_sum_is_one(
            asks in prop::collection::vec((any::<f64>(), any::<f64>()), 0..25),
            reserve in any::<f64>(), risk in any::<f64>(), runway in any::<f64>(),
        ) {
            let asks: Vec<Ask> = asks.iter().enumerate().map(|(i, (s, p))| ask(&format!("g{i}"), *s, *p)).collect();
            let found = allocate(&asks, reserve, risk, runway);
            prop_assert!(found.is_valid(), "{found:?}");
            for (ask, grant) in asks.iter().zip(&found.goals) {
                prop_assert!(grant.share <= ask.share.max(0.0) || ask.share.is_nan() && grant.share == 0.0);
            }
        }
    }
}
