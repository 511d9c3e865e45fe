//! Phase 3: which strategy is in force, what the guard, the reserve and each goal may use, and in which order goals are
//! worked on (MSCP Level 4.8, section 5).

pub mod allocator;
pub mod comparator;
pub mod goal_stack;
pub mod reward;
pub mod strategy;

pub use allocator::{Allocation, GUARD_SHARE, Grant};
pub use comparator::{Comparison, Outcome, Row, Scored};
pub use goal_stack::{GoalStack, Pathology, Ranked, Remedy, Sighted};
pub use strategy::{Archetype, Strategy};
