//! Level 4.8: world model, forecasts and the stability verifier.
//!
//! A pass goes observe → verify → emit as a [`Baton`]; each phase is a struct with one `step`, owns its state and
//! hands out an immutable, shared copy of it after the step. The [`Orchestrator`] keeps the last verified states and
//! moves the level along its protocol. Source: MSCP Level 4.8.

pub mod ar;
pub mod baton;
pub mod belief;
mod dimension;
pub mod emit;
#[cfg(test)]
mod fixtures;
pub mod forecast;
pub mod invariants;
pub mod observe;
pub mod orchestrator;
pub mod plan;
pub mod risk;
pub mod scenario;
pub mod standing;
pub mod verify;

pub use baton::{Baton, Bundle, Leg, Pass, PhaseError, PhaseName};
pub use emit::{Emit, L48Output, Status};
pub use observe::{Observe, ObserveConfig, ObserveOutput};
pub use orchestrator::{Orchestrator, Turn};
pub use verify::{Response, Verdict, Verify};
