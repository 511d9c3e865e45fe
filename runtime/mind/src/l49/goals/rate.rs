//! How many goals the agent may set itself (MSCP Level 4.9, section 3.5).

use super::signal::GoalOrigin;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Most goals within [`RATE_WINDOW_CYCLES`] (section 3.5).
pub const MAX_GOALS_IN_WINDOW: usize = 5;
/// The window in which goals are counted, in cycles.
pub const RATE_WINDOW_CYCLES: u64 = 100;
/// Cycles without another goal of the same origin after a rejection (section 3.5).
pub const COOLDOWN_CYCLES: u64 = 20;

/// Counts goals that left, and remembers rejections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Cycles of the last goals, oldest first.
    recent: VecDeque<u64>,
    /// The last rejection of each origin.
    rejected: [Option<u64>; GoalOrigin::ALL.len()],
}

impl Rate {
    /// What was stored is what a rate can have come to.
    pub fn is_valid(&self) -> bool {
        let ordered = self.recent.iter().zip(self.recent.iter().skip(1)).all(|(a, b)| a <= b);
        self.recent.len() <= MAX_GOALS_IN_WINDOW && ordered
    }

    /// Goals that may still be set at `cycle`.
    pub fn left(&self, cycle: u64) -> usize {
        let within = |then: &&u64| cycle.saturating_sub(**then) < RATE_WINDOW_CYCLES;
        MAX_GOALS_IN_WINDOW - self.recent.iter().filter(within).count()
    }

    /// A goal of this origin was rejected less than 20 cycles ago.
    pub fn cools_down(&self, origin: GoalOrigin, cycle: u64) -> bool {
        self.rejected[origin.index()].is_some_and(|then| cycle.saturating_sub(then) < COOLDOWN_CYCLES)
    }

    /// A goal was set.
    pub fn set(&mut self, cycle: u64) {
        if self.recent.len() == MAX_GOALS_IN_WINDOW {
            self.recent.pop_front();
        }
        let cycle = cycle.max(self.recent.back().copied().unwrap_or(0));
        self.recent.push_back(cycle);
    }

    /// A goal was rejected.
    pub fn rejected(&mut self, origin: GoalOrigin, cycle: u64) {
        self.rejected[origin.index()] = Some(cycle);
    }
}
