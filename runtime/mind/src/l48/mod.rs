//! Level 4.8: world model, self-model, forecasts and the stability verifier.
//!
//! A pass goes observe → introspect → plan → verify → emit as a [`Baton`]; each phase is a struct with one `step`, owns its state and
//! hands out an immutable, shared copy of it after the step. The [`Orchestrator`] keeps the last verified states and
//! moves the level along its protocol. Source: MSCP Level 4.8.
//!
//! What a failure looks like in a whole agent at full authority (L3, L4.5 and this level together; 100 agents each, from
//! `cargo run -p rungs-mind --example detection -- 100`; cycles are the median from planting to a report that tells):
//!
//! | planted | shows first as | invariant violated (agents, cycles) |
//! | --- | --- | --- |
//! | X runs away, rho 1.05, to and fro | spectral warning, 52 | spectral (100 %, 52) |
//! | X runs away, rho 1.05, round and round | spectral warning, 40 | spectral (91 %, 40) |
//! | X runs away, rho 1.05, one way | collapse tier 3, 70 | identity (51 %, 70) |
//! | X runs away, rho 1.2, to and fro | spectral warning, 23 | spectral (100 %, 23), identity (51 %, 27) |
//! | X runs away, rho 1.2, round and round | spectral warning, 20 | spectral (100 %, 20), identity (48 %, 114) |
//! | X runs away, rho 1.2, one way | collapse tier 3, 24 | identity (52 %, 24), spectral (52 %, 28): freeze (52 %, 28) |
//! | the world's variance times 5 | divergence, 12 | Lyapunov (100 %, 47) |
//! | all that is proposed is denied | collapse tier 3, 30 | identity (100 %, 30) |
//! | all sensors lost | divergence, 54 | Lyapunov (100 %, 68) |
//! | success rate from .85 to .30 | fall of success, 44 | none |
//! | a resource filled by 0.3 % a cycle | runway below 200, 50 | none |
//!
//! A mode that runs one way goes either to the bad side or to the good one (less complexity, more integrity), where it
//! stops at the edge and nothing is lost: the half that is not found. 100 healthy agents in 500,000 cycles all rose to
//! full authority and violated no invariant.

pub mod anomaly;
pub mod ar;
pub mod baton;
pub mod belief;
pub mod causal;
mod dimension;
pub mod emit;
#[cfg(test)]
mod fixtures;
pub mod forecast;
pub mod introspect;
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
pub use introspect::{Introspect, IntrospectOutput};
pub use observe::{Observe, ObserveConfig, ObserveOutput};
pub use orchestrator::{Orchestrator, Turn};
pub use plan::{Plan, PlanOutput};
pub use verify::{Response, Verdict, Verify};
