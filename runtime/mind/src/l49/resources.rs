//! Phase 3: how long the agent's resources last, what falls with what, and what it may still do (MSCP Level 4.9,
//! section 5).
//!
//! ```text
//! readings → Meter (rates: slopes over 50 cycles) → Gauges → project → Survival → Modes (every 10 cycles) → Regime
//!                                                     └→ cascade (what a shortage does downstream)
//! ```
//!
//! Invariants:
//! 1. Every number that comes out is finite: horizons are cut to [0, 10,000] cycles, levels to [0, 1].
//! 2. A resource that is not measured says nothing; one that is at or below its critical level lasts 0 cycles.
//! 3. The mutation budget never shortens survival.
//! 4. A mode gets worse at once, and better by one step after 50 cycles of a better state.

mod cascade;
mod forecast;
mod meter;
mod mode;
mod survival;
mod survive;
#[cfg(test)]
mod tests;

pub use cascade::{Cascade, DEPENDENCIES, Dependency, cascade};
pub use forecast::{CascadeRecord, Exhaustion, ForecastRecord};
pub use meter::{Meter, RATE_CYCLES, Reading};
pub use mode::{EASING_CYCLES, MODE_CYCLES, ModeTurn, Modes, Operation, Regime};
pub use survival::{
    Gauge, Gauges, Horizons, MAX_HORIZON_CYCLES, RESOURCES, ResourceKind, Survival, SurvivalState, Thresholds,
    horizons, project,
};
pub(in crate::l49) use survive::follow;
pub use survive::{ModeProposal, ResourcesOutput, Survive, SurviveState, Surviving};
