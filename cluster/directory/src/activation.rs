//! Activation: agents that cost nothing until they are wanted.
//!
//! ```text
//!             a message, a timer, a goal           it runs
//!  passive ───────────────────────────▶ activating ───────▶ active
//!     ▲   it does not start: its messages are refused  │       │ idle, or its shard leaves
//!     └────────────────────────────────────────────────┘       ▼
//!     └──────────────────────────────────────────────────  passivating
//! ```
//! A passive agent is a line in the [`Index`] of its shard. What arrives for an agent that does not run waits, in order and
//! bounded, until it does; what arrives while it comes to rest waits likewise and wakes it again.
//!
//! [`machine`] decides, and reads no clock: the same lines run in a node and in simulation. [`actor`] carries out.

pub mod action;
pub mod actor;
mod arriving;
mod door;
mod follow;
mod handle;
pub mod index;
pub mod limits;
pub mod machine;
pub mod messages;
mod orders;
mod shards;
mod waiting;

pub(crate) use door::{give, refuse};

pub use action::{Action, Arrival, Failure, Wanted};
pub use actor::{Guests, Letter, ROLE, StartError, address};
pub use handle::{Activation, ActivationError, ActivationParts, Counts};
pub use index::Index;
pub use limits::Limits;
pub use machine::Activator;
pub use waiting::{Parcel, Unwanted, Why};
