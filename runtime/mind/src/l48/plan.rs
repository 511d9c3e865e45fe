//! Phase 3: which strategy is in force, what the guard, the reserve and each goal may use, and in which order goals are
//! worked on (MSCP Level 4.8, section 5).
//!
//! One step per pass, after phase 2: the goals are ranked and what is wrong with them is found ([`goal_stack`]); each
//! candidate [`strategy`] is looked ahead in each scenario and the best selected ([`comparator`]); the budget is shared
//! out ([`allocator`]).
//!
//! Invariants:
//! 1. No Lookahead touches anything outside itself; all candidates meet the same worlds, drawn from the same seeds.
//! 2. The strategy changes at most once in [`DWELL_PASSES`], and not while structural change is not permitted: a change
//!    that the verifier did not permit has not happened.
//! 3. No strategy is chosen whose course L4.5's projection and frames do not leave open; an aggressive one in force whose
//!    course closes is left at once.
//! 4. A step whose time is over leaves the phase as it was.
//! 5. Until the law of the agent's own state is known, and where a number that a Lookahead needs is none, nothing is
//!    compared and the strategy stays.

pub mod allocator;
pub mod comparator;
mod courses;
pub mod goal_stack;
mod learned;
pub mod reward;
pub(crate) mod sight;
mod simulate;
mod state;
pub mod strategy;
mod summary;

pub use allocator::{Allocation, GUARD_SHARE, Grant};
pub use comparator::{Comparison, Outcome, Row, Scored};
pub use goal_stack::{GoalStack, Pathology, Ranked, Remedy, Sighted};
pub use learned::{Learned, MAX_LEARNED};
pub use sight::{PURPOSE, SelfSight, SkillSight, feasibility};
pub use state::PlanState;
pub use strategy::{Archetype, Strategy};
pub use summary::{PlanRestoreError, PlanSummary};

use super::observe::{BeliefTrajectories, ObserveOutput};
use super::verify::Response;
use crate::budget::{Budget, BudgetExceeded};
use crate::goals::GoalRecord;
use crate::report::{CycleReport, FloorReport};
use rungs_types::GoalId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Passes between two changes of strategy.
pub const DWELL_PASSES: u32 = 10;
/// Simulated cycles of one pass, if each candidate can be looked ahead once in each scenario within them.
pub const SIMULATED_CYCLES: u32 = 10_000;
/// Most trajectories of one candidate in one scenario.
pub const MAX_TRAJECTORIES: u32 = 8;

/// What one step takes in.
#[derive(Clone, Copy)]
pub struct Planning<'a> {
    /// What L3 did and saw.
    pub report: &'a CycleReport,
    /// What L4.5 says of it.
    pub floor: &'a FloorReport,
    /// What phase 1 made of it.
    pub world: &'a ObserveOutput,
    /// Where worlds are drawn from.
    pub source: BeliefTrajectories<'a>,
    /// The open goals that have a place, in the order in force, and then those that wait.
    pub goals: &'a [GoalRecord],
    /// What phase 2 knows of skills.
    pub skills: &'a dyn SkillSight,
    /// Weight of each value dimension in the agent's purpose.
    pub purpose: &'a [f64; 7],
    /// The last verdict permits structural changes.
    pub structural_permitted: bool,
    /// Half of the candidates will do: resources are short (MSCP Level 4.9, section 5.3).
    pub reduced: bool,
}

/// A strategy with its sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Its sort.
    pub archetype: Archetype,
    /// The strategy.
    pub strategy: Strategy,
}

impl Choice {
    /// What is in force while two invariants are violated.
    pub const FALLBACK: Choice = Choice {
        archetype: Archetype::Conservative,
        strategy: Strategy::FALLBACK,
    };
}

/// What the phase found: s* of section 2.3, and what belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanOutput {
    /// The last cycle it covers.
    pub cycle: u64,
    /// The strategy in force from now on.
    pub chosen: Choice,
    /// The one before.
    pub before: Choice,
    /// They differ.
    pub changed: bool,
    /// How the candidates compare; empty while nothing can be compared.
    pub comparison: Comparison,
    /// Trajectories of each candidate in each scenario.
    pub trajectories: u32,
    /// The goals, and what is wrong with them.
    pub stack: GoalStack,
    /// Who may use how much.
    pub allocation: Allocation,
    /// The live state was, by its fingerprint, the same before and after the Lookaheads.
    pub contained: bool,
}

/// What of a plan holds under a verdict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InForce {
    /// The strategy.
    pub choice: Choice,
    /// The allocation.
    pub allocation: Allocation,
    /// The open goals, the highest priority first.
    pub order: Vec<GoalId>,
    /// What is done about goals with which something is wrong.
    pub remedies: Vec<Remedy>,
    /// This is the fallback: it holds whole while the level is to be seen at all, whatever its advice weighs, and a goal
    /// that the allocation does not name has nothing.
    pub fallback: bool,
}

impl InForce {
    /// Two invariants are violated, or were and the level only advises since: the fallback strategy, nothing for goals.
    pub fn fallback() -> Self {
        Self {
            choice: Choice::FALLBACK,
            fallback: true,
            ..Self::default()
        }
    }
}

impl PlanOutput {
    /// What of it holds under the verdict of the same pass (section 8.5): all of it; without the change of strategy, and
    /// without giving goals up, when one invariant is violated; the fallback and the minimal allocation when more are.
    pub fn under(&self, response: Response) -> InForce {
        match response {
            Response::Continue => InForce {
                choice: self.chosen,
                allocation: self.allocation.clone(),
                order: self.order(),
                remedies: self.stack.remedies.clone(),
                fallback: false,
            },
            Response::Throttle => InForce {
                choice: self.before,
                allocation: self.allocation.clone(),
                order: self.order(),
                remedies: Vec::new(),
                fallback: false,
            },
            Response::Rebalance | Response::Freeze => InForce::fallback(),
        }
    }

    fn order(&self) -> Vec<GoalId> {
        self.stack.ranked.iter().map(|ranked| ranked.goal.clone()).collect()
    }
}

/// The phase.
#[derive(Debug, Clone)]
pub struct Plan {
    state: Arc<PlanState>,
}

impl Plan {
    /// A phase that has planned nothing; `seed` is that of all its randomness.
    pub fn new(seed: u64) -> Self {
        Self::from_state(Arc::new(PlanState::new(seed)))
    }

    /// A phase with this state.
    pub fn from_state(state: Arc<PlanState>) -> Self {
        Self { state }
    }

    /// The state after the last step, shared.
    pub fn state(&self) -> Arc<PlanState> {
        Arc::clone(&self.state)
    }

    /// Goes back to a state that [`Plan::state`] gave.
    pub fn revert(&mut self, state: Arc<PlanState>) {
        self.state = state;
    }

    /// One pass. When the time is over the state is as before.
    pub fn step(&mut self, input: &Planning<'_>, budget: &dyn Budget) -> Result<PlanOutput, BudgetExceeded> {
        let mut next = PlanState::clone(&self.state);
        let output = next.advance(input, budget)?;
        self.state = Arc::new(next);
        Ok(output)
    }
}

#[cfg(test)]
mod tests;
