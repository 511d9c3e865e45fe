//! Which goal may take a cycle's action: the allocation of Level 4.8, put in force.
//!
//! A goal with a grant of 0.2 earns a fifth of a cycle in each cycle, and saves at most [`MAX_SAVED_CYCLES`]; an action
//! costs one. A goal that the allocation does not name, and every goal while nobody allocates, is not limited: advice
//! limits by its weight, so that half of it leaves half of the cycles free. While the fallback is in force, a goal has what
//! that names for it: nothing. While resources are critical, goals that do
//! not serve survival have what the survival share leaves, whatever else they are granted. A goal that Level 4.5 has
//! constrained has half of what it would have, and one that it has paused takes no turn at all.

use super::record::GoalRecord;
use super::relief::Relief;
use crate::l48::plan::InForce;
use crate::l49::Constraints;
use rungs_types::GoalId;
use rungs_types::goal::{GoalSpec, ValueDimension};

/// Cycles that a goal can save up: it acts a few times in a row when its time has come.
pub const MAX_SAVED_CYCLES: f64 = 5.0;
/// What sums of shares may lack of a whole cycle.
const ROUNDING: f64 = 1e-9;

/// What each limited goal has saved, and what Level 4.5 has found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grants {
    saved: Vec<(GoalId, f64)>,
    relief: Relief,
}

impl Grants {
    /// From now on goals have this relief.
    pub fn relieve(&mut self, relief: Relief) {
        self.relief = relief;
    }

    /// The relief in force.
    pub fn relief(&self) -> &Relief {
        &self.relief
    }

    /// One more cycle under the allocation of this plan, if there is one, of this weight in [0, 1], and under what the mode
    /// of the resources leaves to these open goals.
    pub fn cycle(&mut self, plan: Option<(&InForce, f64)>, open: &[GoalRecord], limits: &Constraints) {
        let left = 1.0 - limits.survival_share();
        let granted = |goal: &GoalId| {
            let (plan, weight) = plan?;
            let named = plan.allocation.goals.iter().any(|grant| grant.goal == *goal);
            let share = plan.allocation.share_of(goal);
            (named || plan.fallback).then_some(weight * share + (1.0 - weight))
        };
        let before = std::mem::take(&mut self.saved);
        for record in open {
            let goal = &record.spec.goal;
            let share = granted(goal);
            let left = if serves_survival(&record.spec) { 1.0 } else { left };
            let factor = left * self.relief.share(goal);
            if share.is_none() && factor >= 1.0 {
                continue;
            }
            let saved = before
                .iter()
                .find(|(other, _)| other == goal)
                .map_or(1.0, |(_, saved)| *saved);
            let earned = factor * share.unwrap_or(1.0);
            self.saved.push((goal.clone(), (saved + earned).min(MAX_SAVED_CYCLES)));
        }
    }

    /// No task of the goal is started, whatever it does.
    pub fn rests(&self, goal: &GoalId) -> bool {
        self.relief.rests(goal)
    }

    /// The goal may act now.
    pub fn permits(&self, goal: &GoalId) -> bool {
        let saved = self.saved.iter().find(|(other, _)| other == goal);
        saved.is_none_or(|(_, saved)| *saved >= 1.0 - ROUNDING)
    }

    /// The goal has acted.
    pub fn spend(&mut self, goal: &GoalId) {
        if let Some((_, saved)) = self.saved.iter_mut().find(|(other, _)| other == goal) {
            *saved = (*saved - 1.0).max(0.0);
        }
    }
}

/// The value that it serves most is stability or safety.
fn serves_survival(spec: &GoalSpec) -> bool {
    let most = spec.weights.iter().max_by(|a, b| a.1.total_cmp(b.1));
    most.is_some_and(|(value, _)| matches!(value, ValueDimension::Stability | ValueDimension::Safety))
}

#[cfg(test)]
mod tests;
