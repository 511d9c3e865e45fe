//! Goals that run: the kernel's table of them, and the executor of their tasks.
//!
//! The table belongs to the kernel. Level 4.8 orders it, Level 4.9 proposes to it; whoever put a goal there can take it
//! back, by origin and checkpoint, and nobody else's goal is touched.
//!
//! Each cycle: [`GoalTable::decide`] says what follows from what is observed, [`GoalTable::next`] which task is to be
//! started, [`GoalTable::settle`] what an outcome means. All three take `&self` and give [`Change`]s;
//! [`GoalTable::apply`] cannot fail, so that a replay is a fold of it. The [`Runner`] numbers what it applies and hands it
//! out to be kept; after a crash it goes on from its last state and what was kept since ([`Runner::resumed`]).
//!
//! Invariants:
//! 1. A goal succeeds only if its condition was false when it was approved, and then held for 20 cycles in a row after
//!    one of its own tasks was done.
//! 2. A task that is done is never started again, also not after a restart; one that was under way is started again only
//!    if it is idempotent, and else counts as uncertain.
//! 3. Outcomes of an attempt other than the one under way change nothing.
//! 4. A task whose repetition does harm is not begun before it is durable that it is about to be.
//! 5. Open goals, remembered goals, attempts and waiting times are bounded; a goal that finds no place waits, and one that
//!    is refused is refused aloud.

mod change;
mod decide;
mod grants;
mod journal;
mod observed;
mod places;
mod record;
mod relief;
mod runner;
mod start;
mod table;

#[cfg(test)]
mod tests;

pub use change::{Change, tally};
pub use grants::{Grants, MAX_SAVED_CYCLES};
pub use journal::{Entry, MAX_UNTAKEN, RunnerState};
pub use observed::{FloorSight, Observed, WorldSight};
pub use places::{Candidate, Places, give_places};
pub use record::{Failure, GoalRecord, GoalState, GoalView, TaskRecord, TaskState, Waiver};
pub use relief::{CONSTRAINED_SHARE, Relief, merges};
pub use runner::Runner;
pub use start::{Limits, Start, TaskOutcome, TaskReport, action_of};
pub use table::{GoalTable, Refusal, RestoreError, Submission, SubmitError, TableState};

/// Cycles in a row for which a success must hold.
pub const HOLD_CYCLES: u32 = 20;
/// Cycles that a success may take to show after the last task.
pub const SETTLE_CYCLES: u64 = 200;
/// Cycles after which an attempt without an outcome counts as lost.
pub const LOST_CYCLES: u64 = 1_000;
/// Most goals that are open at the same time.
pub const MAX_OPEN: usize = 64;
/// Closed goals that are remembered.
pub const MAX_CLOSED: usize = 64;
