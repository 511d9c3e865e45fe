//! Lookahead: what becomes of the agent if the world goes on as its world model believes.
//!
//! A cheap copy of the agent's decision state ([`DecisionState`]) is driven by a trajectory of the environment drawn
//! from the world model ([`Trajectories`]) for some cycles, and summarised as one [`LookaheadReport`]. Whatever asks
//! "what if" uses this one primitive: start a [`Rollout`], advance it, take its report.
//!
//! # The model
//! Each cycle, in this order:
//! 1. *World.* Each dimension moves by its law E' = μ + φ (E - μ) + σ η (MSCP Level 4.8, Definition 9). The agent
//!    watches it as it really does: at its sampling interval, through observation noise, with the Kalman filter of the
//!    same law. The standardised forecast errors z are the only way in which the world reaches the agent (`world`).
//! 2. *Surprise.* s = mean |z| / 0.798 - 1 over the dimensions observed, and the same for each domain: 0 on average for
//!    a calibrated agent, whatever its dimensions are. It is the gap that the uncertainty index measures (L4.5).
//! 3. *State.* X' = m + J (X - m) + B (s - s̄) + e, cut off at 0 and 1: relaxation to where X is at home, pushed by
//!    surprise and by what surprise does not explain. m, J, B, s̄ and the spread of e are learned from the agent's own
//!    cycles ([`SelfModel`]); where the spectral detector has evidence of a runaway mode, its Jacobian is J. The share
//!    of dimensions unseen for 50 cycles is a floor under U: a blind agent must not look certain.
//! 4. *Complexity.* C_L4 = 1 - S + the part that only renewed growth keeps up (expansion, capability growth), which
//!    fades as its 200-cycle window empties, + what a decision adds to it.
//! 5. *Performance.* P of each domain follows what surprise leaves of it over 100 cycles. SEOF is taken of its mean, of
//!    C_L4, IIS, the diversity of the domains and the oscillation that the agent had ([`measures`]).
//! 6. *Goals* progress at their measured rate times the performance of their domain relative to today's, unless a
//!    resource they need is used up or a goal they depend on is not complete; what they cost stops when they are. How
//!    many move at once, how often a step is tried, what is held back and what exploring adds is the [`Course`].
//!
//! # What a decision acts on
//! A goal: resources and progress, and through the expansion of the agent C_L4, and by S every other component of X. A
//! strategy, or a knob that a goal turns: what the [`Course`] has of it. Values: the order of goals, the weights of SEOF, the
//! strategy that they prefer, exploration. Another graph: what its domain usually performs. Nothing that is decided changes
//! J, the law itself: the spectral radius in a report is that of the law, with the decision as without it.
//!
//! Invariants: 1. no effect outside itself: everything is taken by shared reference and copied. 2. Deterministic: the
//! same state, model, world and generator give the same report, bit for bit. 3. Nothing is allocated after the start of
//! a rollout. 4. What goes in is checked once, at the start; every number that comes out is finite.
//!
//! # Cost
//! `cargo bench -p rungs-mind --bench lookahead`.

mod course;
pub mod dynamics;
pub mod measures;
mod projection;
mod report;
mod rollout;
mod state;
mod world;

#[cfg(test)]
mod boundaries;
#[cfg(test)]
mod tests;

pub use course::{Course, MAX_ATTEMPTS};
pub use dynamics::{Dynamics, SelfModel};
pub use projection::{
    HORIZONS, HorizonProjection, MAX_TRAJECTORIES, Projecting, Projection, TACTICAL_ALARM, project, project_on,
};
pub use report::{Broken, LookaheadReport, ReportPool};
pub use rollout::{MAX_CYCLES, Rollout};
pub use state::{
    DecisionState, Domain, Goal, MAX_DOMAINS, MAX_GOALS, MAX_RESOURCES, ResourceState, decision_state_hash, live_hash,
};
pub use world::{DimensionLaw, Trajectories, UNSEEN_CYCLES};

use crate::budget::BudgetExceeded;
use rungs_types::spec::MAX_DIMENSIONS;
use thiserror::Error;

/// Why there is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LookaheadError {
    /// A number is missing or outside its range.
    #[error("found a {what} that is not finite or out of range")]
    Range {
        /// Which.
        what: &'static str,
    },
    /// The world has too many dimensions.
    #[error("found {found} dimensions, expected at most {MAX_DIMENSIONS}")]
    Dimensions {
        /// How many.
        found: usize,
    },
    /// An index points at nothing.
    #[error("found {what} {found}, expected one that exists")]
    Index {
        /// What it should point at.
        what: &'static str,
        /// The index.
        found: usize,
    },
    /// More cycles than a rollout may have, or more trajectories than a projection, or none.
    #[error("found {found} {what}, expected 1 to {most}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many.
        found: u32,
        /// How many there may be.
        most: u32,
    },
    /// The time was over.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
}

/// `value` lies in [`low`, `high`]; NaN lies nowhere.
fn require(what: &'static str, value: f64, low: f64, high: f64) -> Result<(), LookaheadError> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(LookaheadError::Range { what })
    }
}
