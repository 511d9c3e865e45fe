//! Level 4.9: what the agent wants, what it values, how long it lasts, whom it trusts, and the check that may stop all
//! of it. Source: MSCP Level 4.9.
//!
//! Every 50 cycles a [`Baton`] goes goals → values → resources → peers → stability; each phase is a struct with one
//! `step`, owns its state and hands out an immutable, shared copy of it. Phases 1 to 4 only ask: each thing that they would
//! do is a decision, which phase 5 judges on a Lookahead of the state after it, and what it passes is carried out in
//! the next pass ([`ruling`]). The [`Orchestrator`] measures the resources and recomputes ASS with every pass of Level
//! 4.8, keeps the last verified states, and moves the level along its protocol ([`standing`]).
//!
//! What the level reads is one value, [`Below`]; what leaves it is one value, [`L49Output`].
//!
//! Plain structs, one folder for each concern. A deciding method takes `&self` and returns a value, an applying one takes
//! `&mut self` and cannot fail; a stored state is checked when it is read back. Numbers that are not finite may come
//! in; none goes out.
//!
//! Strictly additive, as every level: it reads the levels below, and shares what it reads,
//!
//! ```
//! use rungs_mind::l49::Baton;
//! fn a_phase_reads(baton: &mut Baton) -> (f64, usize) {
//!     (baton.below.floor.rho, baton.below.open.len())
//! }
//! ```
//!
//! and cannot change them:
//!
//! ```compile_fail,E0594
//! use rungs_mind::l49::Baton;
//! fn a_phase_changes(baton: &mut Baton) {
//!     baton.below.purpose[0] = 1.0;
//! }
//! ```

pub mod ahead;
pub mod baton;
pub mod below;
mod extremes;
#[cfg(test)]
mod fixtures;
pub mod goals;
pub mod orchestrator;
pub mod output;
pub mod peers;
pub mod resources;
pub mod ruling;
pub mod stability;
pub mod standing;
#[cfg(test)]
mod tests;
pub mod values;

pub use baton::{Baton, Bundle, PhaseError, PhaseName};
pub use below::{Aside, Below, Look, Qualification, Quotas};
pub use extremes::Extremes;
pub use orchestrator::{Back, Orchestrator, Turn};
pub use output::{Constraints, Injection, L49Output, Status};
pub use standing::Standing;

/// Pearson's correlation of the pairs, in [-1, 1]; `None` where one side does not vary. The numbers are of the order of 1.
fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    const LEAST_VARIANCE: f64 = 1e-12;
    let count = pairs.len() as f64;
    let mean = |side: fn(&(f64, f64)) -> f64| pairs.iter().map(side).sum::<f64>() / count;
    let (mean_a, mean_b) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum = |part: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(a, b)| part(a - mean_a, b - mean_b)).sum::<f64>();
    let (aa, bb, ab) = (sum(&|a, _| a * a), sum(&|_, b| b * b), sum(&|a, b| a * b));
    (aa > count * LEAST_VARIANCE && bb > count * LEAST_VARIANCE).then(|| (ab / (aa * bb).sqrt()).clamp(-1.0, 1.0))
}
