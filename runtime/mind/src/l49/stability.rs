//! Phase 5: the five conditions, the score of how far they are from failing, and the veto that nothing overrides (MSCP
//! Level 4.9, section 7).
//!
//! There are two checks, not one:
//! - [`judge`] looks at the state after a decision (a Lookahead, never the live state) and vetoes that decision, or not.
//! - [`live`] looks at the live state and says what the level does: its [`Action`] follows the band of the score.
//!
//! Invariants:
//! 1. A decision whose state after it cannot be told is vetoed.
//! 2. A number that is not finite violates its condition and leaves no margin.
//! 3. ASS is in [0, 1], and no margin that grows lowers it.

mod assess;
mod conditions;
mod judge;
mod recovery;
#[cfg(test)]
mod tests;
mod veto;

pub(in crate::l49) use assess::live_readings;
pub use assess::{Assess, AssessState, Assessed, Assessing, DECISION_CYCLES, Veto, VetoedBy};
pub use conditions::{Band, Condition, Limit, Readings, Scores, Violated, ratios, scores, violations};
pub use judge::{Action, Decision, DecisionKind, DecisionVerdict, LiveVerdict, judge, live};
pub use recovery::{MONITORING_CYCLES, Recovery, RollbackRecord, RollbackStep, Stage, StageChange, rollback_steps};
pub use veto::{MAX_VETOES, Pattern, VETO_WINDOW_CYCLES, VetoTracker};
