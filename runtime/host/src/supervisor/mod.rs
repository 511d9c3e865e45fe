//! Supervision on ractor: what happens when an actor ends.
//!
//! Children are keyed by role and generation (the count of starts), never by name: an event of an earlier generation is
//! recognised by its actor id and ignored. Who decides: [`plan`], a pure table that turns exits and time into
//! decisions and steps. Who carries out: [`Children`], which any supervising actor embeds in its state, so that it can
//! do what it must (freeze a level, tell a watcher) before anything restarts; [`SupervisorActor`] is one that has
//! nothing of its own to do.
//!
//! Invariants:
//! 1. A parent that ends by [`Children::shutdown`] has drained its children first, each with its `post_stop`; ractor
//!    alone would kill them.
//! 2. No supervisor waits in a handler for a back-off or for a child to end; it is told by an event or a timer. It does
//!    wait for a child's `pre_start`, for at most the child's start deadline.
//! 3. Restarts are bounded: too many in a window end the supervisor or park the child ([`Exhausted`]).
//! 4. One stuck child delays its supervisor by nothing: it is drained until its deadline, then killed, then, if it spins
//!    and cannot be killed, abandoned.

mod actor;
mod change;
mod child;
mod children;
pub mod plan;
mod policy;
mod stop;
mod tree;

pub use actor::{Observer, Supervising, SupervisorActor, SupervisorHandle, SupervisorMessage, SupervisorSpec};
pub use change::{Change, Escalation, Exited, ShutdownReport};
pub use child::{ChildSpec, DEFAULT_START_WITHIN, DEFAULT_STOP_WITHIN, StartContext, StartError, Started};
pub use children::Children;
pub use plan::{Exit, PlanError, Request};
pub use policy::{Exhausted, MAX_RESTARTS, Policy, Restart, StopOrder, Strategy};
pub use tree::{MAX_TREE_DEPTH, MAX_TREE_NODES, NodeState, Note, TreeNode, TreeView};
