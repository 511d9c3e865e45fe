//! Phase 2: the values of the agent, made explicit, and the narrow way in which they may change (MSCP Level 4.9,
//! section 4).
//!
//! ```text
//! goals that closed → Evidence::proposals → Values::check (pre-check) → admit → sandbox (200 cycles, twice the same
//! world: with and without the change) → approve: apply, 500 cycles to take it back | reject: no trace
//! ```
//!
//! Invariants:
//! 1. Weights are finite, not negative and sum to 1, always.
//! 2. No weight changes but through a [`Verdict::Approved`] of the sandbox, a rollback to a vector that was in force
//!    before, or a revert to the last stable checkpoint.
//! 3. A rejected mutation leaves no trace: the state is, byte for byte, what it was before it was admitted.
//! 4. No new dimension: there are seven, and their number is in the type.

mod derived;
mod drift;
mod evidence;
mod evolve;
mod mutation;
mod sandbox;
mod state;
#[cfg(test)]
mod tests;
mod vector;

pub use derived::Derived;
pub use drift::{DRIFT_CHECK_CYCLES, DimensionDrift, DriftBand, DriftMonitor, DriftStatus};
pub use evidence::{Evidence, GoalEvidence, MAX_EVIDENCE, MIN_EVIDENCE, PROPOSAL_CYCLES};
pub use evolve::{Evolve, EvolveState, Evolving, ValueAct, ValueProposal, ValuesOutput};
pub use mutation::{
    Admission, MAX_DIMENSION_DRIFT, MAX_MUTATION, MAX_MUTATIONS, MAX_PENDING, MUTATION_WINDOW_CYCLES, Mutation, Refusal,
};
pub use sandbox::{CONVERGED_WITHIN, Rejection, SANDBOX_CYCLES, SANDBOX_LIMIT_CYCLES, Trial, Verdict, judge, run};
pub use state::{Applied, MutationRecord, Pending, ROLLBACK_CYCLES, Values};
pub use vector::{COMPETING, DIMENSIONS, MIN_COHERENCE, ValueDimension, ValueVector};
