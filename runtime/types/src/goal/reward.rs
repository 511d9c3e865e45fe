//! What a goal brings, at once and later (MSCP Level 4.8, Definition 6).

use super::expect;
use crate::spec::SpecError;
use serde::{Deserialize, Serialize};

/// Most delayed rewards of one goal.
pub const MAX_DELAYED_REWARDS: usize = 32;
/// Farthest delayed reward, in L4.8 cycles.
pub const MAX_REWARD_STEPS: u32 = 100;
/// Largest magnitude of an immediate reward.
pub const MAX_REWARD: f64 = 1e6;

/// What a goal brings, in any unit that all goals of the agent share. Without it each goal brings 1 at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reward {
    /// When it is reached, at most 1e6 in magnitude.
    pub immediate: f64,
    /// Afterwards, in rising order of `after`, at most 32; none is more than twice the immediate one in magnitude.
    #[serde(default)]
    pub delayed: Vec<DelayedReward>,
}

/// A reward that comes later.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DelayedReward {
    /// How many L4.8 cycles after the goal is reached: the k of Definition 6, 1 to 100.
    pub after: u32,
    /// How much.
    pub amount: f64,
}

impl Default for Reward {
    fn default() -> Self {
        Self {
            immediate: 1.0,
            delayed: Vec::new(),
        }
    }
}

impl Reward {
    /// Checks the ranges, and the assumption of Proposition 1: |R_delayed(k)| <= 2 |R_immediate|.
    pub fn validate(&self) -> Result<(), SpecError> {
        let immediate_fits = self.immediate.abs() <= MAX_REWARD;
        expect(
            immediate_fits,
            "goal.reward.immediate",
            &self.immediate,
            "at most 1e6 in magnitude",
        )?;
        let count = self.delayed.len();
        let count_fits = count <= MAX_DELAYED_REWARDS;
        expect(count_fits, "goal.reward.delayed", &count, "at most 32")?;
        let mut before = 0;
        for DelayedReward { after, amount } in &self.delayed {
            let after_fits = (1..=MAX_REWARD_STEPS).contains(after);
            expect(after_fits, "goal.reward.delayed.after", after, "1 to 100")?;
            expect(*after > before, "goal.reward.delayed.after", after, "a rising order")?;
            let amount_fits = amount.abs() <= 2.0 * self.immediate.abs();
            expect(
                amount_fits,
                "goal.reward.delayed.amount",
                amount,
                "at most twice the immediate reward in magnitude",
            )?;
            before = *after;
        }
        Ok(())
    }
}
