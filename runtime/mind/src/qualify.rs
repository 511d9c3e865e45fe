//! Qualification: does a level do what its class of agents is defined by? (MSCP Level 4.8, section 11; Level 4.9,
//! section 12.)
//!
//! An audit is fed once per pass of its level, keeps what the last 3,000 cycles of that level were like in a few kilobytes
//! ([`Audit48`], [`Audit49`]), and gives a [`Report`] on demand: each criterion against its target, a score for each
//! category, their weighted sum (SMS, AMS), and whether that qualifies. An audit only looks: nothing of the level depends on
//! it, and whoever asks decides what follows.
//!
//! Invariants:
//! 1. Scores are in [0, 1] and numbers are finite, whatever is fed.
//! 2. What has no evidence is not passed: a criterion without any hands its weight to the others of its category, a
//!    category without any fails and bars qualification. The one exception is dealing with peers by an agent that has none:
//!    it is left out, and the report says so.
//! 3. What must hold always counts 1 or 0, and 0 bars qualification.
//! 4. Nothing qualifies before the window is full.
//! 5. Nothing is allocated while an audit is fed, but for the probe of Level 4.8 in every 500th cycle, and a list of the
//!    goals in a baton that has some.

mod category;
mod criterion;
mod display;
mod events;
pub mod l48;
pub mod l49;
mod report;

pub use category::{Category, Standing};
pub use criterion::{Bound, Criterion, Reading, Target, Verdict};
pub use l48::{Audit48, ClosedGoal, OpenGoal, Pass48};
pub use l49::{Audit49, Pass49, Totals49};
pub use report::{Report, WEIGHT_TOLERANCE};

/// Cycles that an audit looks back on: those in which its level ran, so that a freeze takes none of them away (MSCP Level
/// 4.9, section 12.1; for Level 4.8, which names none, the same).
pub const WINDOW_CYCLES: u32 = 3_000;

/// A value that is told instead of one that is not a number, or beyond it.
const MAX_TOLD: f64 = 1e6;

/// Something that can be told and added up: cut to the range of what is told; not a number is the worst of it, `worst`.
fn told(value: f64, worst: f64) -> f64 {
    if value.is_nan() {
        worst
    } else {
        value.clamp(-MAX_TOLD, MAX_TOLD)
    }
}

/// A share in [0, 1]; what is not a number is none.
fn share(value: f64) -> Option<f64> {
    (!value.is_nan()).then(|| value.clamp(0.0, 1.0))
}

/// `part` of `whole`; `None` of none.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}
