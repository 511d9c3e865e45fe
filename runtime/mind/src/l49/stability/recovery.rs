//! What happens after a freeze: what is taken back, 100 cycles under Level 4.8 alone, and the way up again (MSCP Level
//! 4.9, section 7.3).
//!
//! ```text
//! Full ─ freeze → Monitoring 100 ─→ Advisory 200 ─→ Half 200 ─→ Full
//!                      ↑ re-veto ───────┴──────────────┘
//! ```
//!
//! Invariants:
//! 1. Authority rises by one step at a time, and only on a live check without a violation whose score is at least 0.20.
//! 2. A freeze on the way up starts the monitoring anew, at once.

use super::conditions::{Condition, Scores};
use super::judge::{Action, LiveVerdict};
use crate::l49::values::ValueVector;
use crate::numeric::condense::Refused;
use rungs_types::{Authority, Cause};
use serde::{Deserialize, Serialize};

/// Cycles under Level 4.8 alone.
pub const MONITORING_CYCLES: u64 = 100;
/// Cycles of Advisory, then of Half.
const STEP_CYCLES: u64 = 200;

/// One thing that a rollback does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackStep {
    /// The pass under way is dropped, with all that it decided: which of it would have led here cannot be told.
    RejectDecisions,
    /// All of Level 4.9 freezes.
    Freeze,
    /// Its goals leave the goal table: those with its origin and checkpoint, nobody else's.
    RemoveOwnGoals,
    /// The values return to the snapshot.
    RevertValues,
    /// The resources are measured anew.
    RecalculateResources,
    /// The models of other agents stay as they are.
    FreezePeers,
    /// 100 cycles under Level 4.8 alone.
    Monitor,
}

/// The steps, in their order; where no pass is under way there is none to reject.
pub fn rollback_steps(pass_under_way: bool) -> impl Iterator<Item = RollbackStep> {
    [
        RollbackStep::RejectDecisions,
        RollbackStep::Freeze,
        RollbackStep::RemoveOwnGoals,
        RollbackStep::RevertValues,
        RollbackStep::RecalculateResources,
        RollbackStep::FreezePeers,
        RollbackStep::Monitor,
    ]
    .into_iter()
    .filter(move |step| pass_under_way || *step != RollbackStep::RejectDecisions)
}

/// What is kept of a rollback, for people and for finding its cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollbackRecord {
    /// When.
    pub cycle: u64,
    /// The pass that was under way, and is rejected with its decisions.
    pub rejected: Option<u64>,
    /// Why the level froze, as it was told; `None` until it is.
    pub cause: Option<Cause>,
    /// The conditions that did not hold, in the order of section 7.1: none if it was not the live state that froze the
    /// level.
    pub violated: Vec<Condition>,
    /// The scores of the live state.
    pub scores: Scores,
    /// The cycle of the checkpoint that the level returned to.
    pub checkpoint_cycle: u64,
    /// The values that it returned to.
    pub values: ValueVector,
}

impl RollbackRecord {
    /// The record of a freeze at `cycle`, with the live state as it was then.
    pub fn of(
        verdict: &LiveVerdict,
        cycle: u64,
        rejected: Option<u64>,
        checkpoint_cycle: u64,
        values: &ValueVector,
    ) -> Self {
        Self {
            cycle,
            rejected,
            cause: None,
            violated: verdict.violations.iter().map(|v| v.condition).collect(),
            scores: verdict.scores,
            checkpoint_cycle,
            values: *values,
        }
    }
}

/// Where the level is on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Full.
    #[default]
    Full,
    /// Level 4.8 alone, since this cycle.
    Monitoring {
        /// Since.
        since: u64,
    },
    /// Advises, since this cycle.
    Advisory {
        /// Since.
        since: u64,
    },
    /// Weighs half, since this cycle.
    Half {
        /// Since.
        since: u64,
    },
}

impl Stage {
    /// The most authority that the level has.
    pub fn authority(self) -> Authority {
        match self {
            Stage::Monitoring { .. } => Authority::Frozen,
            Stage::Advisory { .. } => Authority::Advisory,
            Stage::Half { .. } => Authority::Half,
            Stage::Full => Authority::Full,
        }
    }
}

/// What a live check changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageChange {
    /// The stage from now on.
    pub to: Stage,
    /// This is a freeze: the steps of [`rollback_steps`] are due.
    pub rolls_back: bool,
}

/// The way of the level after freezes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRecovery")]
pub struct Recovery {
    stage: Stage,
    rollbacks: u64,
}

/// What [`Recovery`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawRecovery {
    stage: Stage,
    rollbacks: u64,
}

impl TryFrom<RawRecovery> for Recovery {
    type Error = Refused;

    fn try_from(RawRecovery { stage, rollbacks }: RawRecovery) -> Result<Self, Refused> {
        let monitoring_without_a_rollback = rollbacks == 0 && matches!(stage, Stage::Monitoring { .. });
        if monitoring_without_a_rollback {
            Err(Refused("the recovery of a level"))
        } else {
            Ok(Self { stage, rollbacks })
        }
    }
}

impl Recovery {
    /// The stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Rollbacks so far (criterion AS-4).
    pub fn rollbacks(&self) -> u64 {
        self.rollbacks
    }

    /// What a live check at `cycle` changes. Marginal scores take a level on its way, or at Full, down to Advisory from
    /// where it comes back by the same steps; nothing lifts the monitoring before 100 cycles.
    pub fn decide(&self, verdict: &LiveVerdict, cycle: u64) -> Option<StageChange> {
        let after = |since: u64, cycles: u64| cycle >= since.saturating_add(cycles);
        let moves = |to| Some(StageChange { to, rolls_back: false });
        match (verdict.action, self.stage) {
            (Action::Freeze, Stage::Monitoring { .. }) => moves(Stage::Monitoring { since: cycle }),
            (Action::Freeze, _) => Some(StageChange {
                to: Stage::Monitoring { since: cycle },
                rolls_back: true,
            }),
            (Action::Advisory, Stage::Monitoring { .. }) => None,
            (Action::Advisory, _) => moves(Stage::Advisory { since: cycle }),
            (Action::Continue, _) if !verdict.passed() => None,
            (Action::Continue, Stage::Monitoring { since }) if after(since, MONITORING_CYCLES) => {
                moves(Stage::Advisory { since: cycle })
            }
            (Action::Continue, Stage::Advisory { since }) if after(since, STEP_CYCLES) => {
                moves(Stage::Half { since: cycle })
            }
            (Action::Continue, Stage::Half { since }) if after(since, STEP_CYCLES) => moves(Stage::Full),
            (Action::Continue, _) => None,
        }
    }

    /// Carries a change out.
    pub fn apply(&mut self, change: &StageChange) {
        self.stage = change.to;
        self.rollbacks = self.rollbacks.saturating_add(u64::from(change.rolls_back));
    }
}
