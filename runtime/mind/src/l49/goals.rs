//! Phase 1: what the agent wants of itself (MSCP Level 4.9, section 3).
//!
//! ```text
//! what is seen → detect: Signal → synthesize: a GoalSpec that can be carried out → novelty, rate, capacity
//!     → matrix: five criteria → approved → proposal → phase 5 → the kernel's table
//!                             → sandboxed: 200 cycles of Lookahead → proposal | rejected
//!                             → rejected: 20 cycles without another of this origin
//! ```
//!
//! Invariants:
//! 1. Every goal that leaves is one that the kernel's executor can run, and its success does not hold yet.
//! 2. No goal leaves that phase 5 has not passed; one that it vetoed counts for nothing but the record of it.
//! 3. No more than 5 goals in 100 cycles, no two alike, at most 3 in the sandbox.
//! 4. Goals of users and of Level 4.8 are read, never changed.

mod book;
mod court;
mod detect;
mod generate;
mod matrix;
mod novelty;
mod rate;
mod signal;
mod synthesize;
#[cfg(test)]
mod tests;

pub use book::{Book, Counters, Fate, GoalEntry, MAX_ENTRIES};
pub use detect::{
    DECILE_SAMPLES, Detector, EXPLORATORY_DECILE, GAP_MAGNITUDE, GAP_TIME_TO_NEED_CYCLES, MIN_GAIN, MIN_PROBABILITY,
    NEEDED_CHANCE, NEGLECT_ALIGNMENT, NEGLECT_CYCLES, OPPORTUNITY_CYCLES, PURPOSE_ALIGNMENT, Surroundings,
    group_variances, skill_confidence,
};
pub use generate::{Generate, GenerateState, Generating, GoalProposal, GoalsOutput, MAX_SANDBOXED};
pub use matrix::{
    Criteria, Criterion, FEASIBILITY, Grade, PURPOSE, RESOURCE, SANDBOX_CYCLES, SCOPE_FACTOR, SPECTRAL_MARGINAL,
    STABILITY_CYCLES, VALUE, Verdict,
};
pub use novelty::{MIN_NOVELTY, Profile, novelty, similarity};
pub use rate::{COOLDOWN_CYCLES, MAX_GOALS_IN_WINDOW, RATE_WINDOW_CYCLES, Rate};
pub use signal::{GoalOrigin, Signal};
pub use synthesize::{IMPROVEMENT, Idea, RECOVERY, synthesize};
