//! Delayed reward (MSCP Level 4.8, Definition 6): what a goal brings, at once and later.

use rungs_types::goal::{Reward, Tier};

/// How much a reward one L4.8 cycle later counts.
pub const GAMMA: f64 = 0.95;
/// L3 cycles of one step of Definition 6: an L4.8 cycle.
const STEP_CYCLES: u32 = 10;

/// H of Definition 6: the steps that a goal of this tier looks ahead: 100, 20, 5.
pub fn horizon_steps(tier: Tier) -> u32 {
    tier.horizon_cycles() / STEP_CYCLES
}

/// EVR(G) = R_immediate + sum over k = 1..H of gamma^k R_delayed(k) (Definition 6). In the unit of the reward; finite,
/// for a reward that is valid is.
pub fn evr(reward: &Reward, horizon_steps: u32) -> f64 {
    let within = reward
        .delayed
        .iter()
        .filter(|delayed| (1..=horizon_steps).contains(&delayed.after));
    let later: f64 = within
        .map(|delayed| GAMMA.powi(delayed.after as i32) * delayed.amount)
        .sum();
    reward.immediate + later
}

/// The bound of Proposition 1: |R_immediate| + 2 |R_immediate| / (1 - gamma).
pub fn evr_bound(immediate: f64) -> f64 {
    immediate.abs() + 2.0 * immediate.abs() / (1.0 - GAMMA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rungs_types::goal::{DelayedReward, MAX_REWARD};

    fn reward(immediate: f64, delayed: &[(u32, f64)]) -> Reward {
        Reward {
            immediate,
            delayed: delayed
                .iter()
                .map(|&(after, amount)| DelayedReward { after, amount })
                .collect(),
        }
    }

    #[test]
    fn evr_is_the_immediate_reward_and_the_discounted_later_ones() {
        // 1 + 0.95 * 2 - 0.9025 * 1 = 1.9975.
        assert!((evr(&reward(1.0, &[(1, 2.0), (2, -1.0)]), 5) - 1.9975).abs() < 1e-12);
        assert_eq!(evr(&reward(3.0, &[]), 5), 3.0);
    }

    #[test]
    fn a_reward_at_the_horizon_counts_and_one_beyond_it_does_not() {
        // 0.95^5 = 0.7737809375.
        assert!((evr(&reward(1.0, &[(5, 1.0)]), 5) - 1.773_780_937_5).abs() < 1e-12);
        assert_eq!(evr(&reward(1.0, &[(6, 1.0)]), 5), 1.0);
    }

    #[test]
    fn the_tiers_look_a_hundred_twenty_and_five_steps_ahead() {
        assert_eq!(Tier::ALL.map(horizon_steps), [100, 20, 5]);
    }

    #[test]
    fn the_bound_of_proposition_1_is_forty_one_times_the_immediate_reward() {
        assert!((evr_bound(-2.0) - 82.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn evr_of_a_valid_reward_is_within_the_bound_of_proposition_1(
            immediate in -MAX_REWARD..=MAX_REWARD,
            shares in prop::collection::vec(-2.0..=2.0f64, 0..=32),
            horizon in 0..=100_u32,
        ) {
            let delayed: Vec<(u32, f64)> = (1..).zip(shares).map(|(k, share)| (k, share * immediate.abs())).collect();
            let reward = reward(immediate, &delayed);
            prop_assert_eq!(reward.validate(), Ok(()));
            prop_assert!(evr(&reward, horizon).abs() <= evr_bound(immediate) * (1.0 + 1e-12));
        }
    }
}
