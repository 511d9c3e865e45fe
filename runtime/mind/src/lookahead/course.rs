//! The course of action that a rollout is on: what a strategy lets goals do, and in which scenario.
//!
//! - *Parallel goals.* In a cycle at most so many goals move, those of lower index first.
//! - *Attempts.* A step of a goal comes out with probability p, the performance of its domain; within a attempts it does
//!   with 1 - (1 - p)^a. Relative to the attempts of today, that is how much faster the goal moves, and how much more it
//!   uses: an attempt costs what it costs.
//! - *Risk cap.* From this C_L4 on no goal moves.
//! - *Reserve.* No goal takes a resource below this share of what there is today.
//! - *Exploration* beyond today's rate is a change of strategy in that share of cycles: it adds 0.15 of it to C_L4 as the
//!   200-cycle window of strategy mutation fills (L4.5). What it finds is a prior: half of what the usual performance
//!   leaves, times the rate.
//! - *Expansion* is what the agent gives itself with what is decided, in units of the velocity at which L4.5 counts it: 0.20
//!   of it is added to C_L4 until its window of 200 cycles is over. The other components of X answer to the S that this
//!   leaves, by the law that they answer to any S.
//! - *Objective* has the weights by which SEOF is taken: those of the values that are looked ahead under.
//! - *Scenario.* Its spread multiplies what the world does beyond its law, its consumption what is used up.

use super::measures::SEOF_WEIGHTS;
use super::{LookaheadError, require};
use serde::{Deserialize, Serialize};

/// Weight of strategy mutation in C_L4 (L4.5).
pub(super) const MUTATION_WEIGHT: f64 = 0.15;
/// Weight of expansion velocity in it.
pub(super) const EXPANSION_WEIGHT: f64 = 0.20;
/// Share of the missing performance that exploring in every cycle would find.
pub(super) const EXPLORATION_GAIN: f64 = 0.5;
/// Most attempts at a step.
pub const MAX_ATTEMPTS: u8 = 6;
/// A domain that performs worse than this counts as if it performed so: it is tried all the same.
const MIN_CHANCE: f64 = 0.05;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Goals that move in one cycle, 1 to 255.
    pub parallel_goals: u8,
    /// Attempts at a step, 1 to 6.
    pub attempts: u8,
    /// Attempts at a step today: the rates of goals were measured with them.
    pub attempts_today: u8,
    /// C_L4 from which no goal moves, 0 to 2; above 1 there is none.
    pub risk_cap: f64,
    /// Share of each resource of today that no goal takes, 0 to 1.
    pub reserve_share: f64,
    /// Exploration rate less that of today, -1 to 1.
    pub exploration: f64,
    /// Expansion velocity that is added for 200 cycles, 0 to 1.
    pub expansion: f64,
    /// Weights of SEOF, as [`SEOF_WEIGHTS`] has them, each 0 to 1.
    pub objective: [f64; 5],
    /// Multiple of the world's errors, 0 to 10.
    pub spread: f64,
    /// Multiple of what is used up, 0 to 10.
    pub consumption: f64,
}

impl Default for Course {
    fn default() -> Self {
        Self::AS_TODAY
    }
}

impl Course {
    /// Everything goes on as it is.
    pub const AS_TODAY: Course = Course {
        parallel_goals: u8::MAX,
        attempts: 1,
        attempts_today: 1,
        risk_cap: 2.0,
        reserve_share: 0.0,
        exploration: 0.0,
        expansion: 0.0,
        objective: SEOF_WEIGHTS,
        spread: 1.0,
        consumption: 1.0,
    };

    pub(super) fn check(&self) -> Result<(), LookaheadError> {
        require("number of parallel goals", f64::from(self.parallel_goals), 1.0, 255.0)?;
        for attempts in [self.attempts, self.attempts_today] {
            require("number of attempts", f64::from(attempts), 1.0, f64::from(MAX_ATTEMPTS))?;
        }
        require("risk cap", self.risk_cap, 0.0, 2.0)?;
        require("reserve", self.reserve_share, 0.0, 1.0)?;
        require("exploration", self.exploration, -1.0, 1.0)?;
        require("expansion velocity", self.expansion, 0.0, 1.0)?;
        let mut weights = self.objective.iter();
        weights.try_for_each(|weight| require("weight of SEOF", *weight, 0.0, 1.0))?;
        require("spread of a scenario", self.spread, 0.0, 10.0)?;
        require("consumption of a scenario", self.consumption, 0.0, 10.0)
    }

    /// How much faster than today a goal moves, and how much more it uses, in a domain of this performance.
    pub(super) fn pace(&self, performance: f64) -> f64 {
        if self.attempts == self.attempts_today {
            return 1.0;
        }
        let miss = 1.0 - performance.clamp(MIN_CHANCE, 1.0);
        let within = |attempts: u8| 1.0 - miss.powi(i32::from(attempts));
        within(self.attempts) / within(self.attempts_today)
    }
}

#[cfg(test)]
mod tests;
