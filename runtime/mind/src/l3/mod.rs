//! L3, the kernel: predict, act, compare, update. Always on; the rung that cannot be frozen.
//!
//! [`Kernel::step`] is one turn. It takes in what was observed and what came of earlier actions, moves the identity
//! vector, judges itself, decides on an action, passes it through the [`Gate`], and predicts what it will change. The
//! levels above hear of it through the [`crate::report::CycleReport`] that it fills, and speak to it through
//! [`crate::report::Advice`] and [`Floor`] only.
//!
//! Invariants:
//! 1. A turn always ends, with an action that the gate has granted or with [`Action::Hold`].
//! 2. Nothing but finite numbers leaves, except NaN for "missing" in a report.
//! 3. The same configuration, inputs and verdicts of the gate give the same steps, bit for bit, also across
//!    [`Kernel::snapshot`] and [`Kernel::restore`].
//! 4. In steady state nothing is allocated.
//!
//! Read [`kernel`] (the turn), then [`choose`] (the decision), then [`identity`] and [`operations`] (the self).

pub mod action;
pub mod affect;
pub mod belief;
pub mod choose;
pub mod complexity;
pub mod dimension;
pub mod environment;
pub mod graph;
pub mod habits;
pub mod identity;
pub mod input;
pub mod kernel;
pub mod models;
pub mod operations;
mod rows;
mod state;

pub use action::{Action, ActionKind, Available, Forecaster, Gate, GroupSet, PeriodChange, Refusal};
pub use environment::{Outlook, Skill};
pub use identity::IdentityId;
pub use input::{Duty, Floor, Input, KernelConfig, KernelError, Pace, Step, TaskTurn};
pub use kernel::Kernel;
pub use operations::Outcomes;
pub use state::KernelState;
