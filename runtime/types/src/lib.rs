//! Names, addresses, levels, specifications, events and error codes: the vocabulary that every crate shares.
//!
//! Pure: no clock, no I/O, no async, no global state. Every id has one text form, and `Display`, `FromStr` and serde
//! agree on it, so that a log line, a shell command and a configuration file name a thing the same way.
//!
//! Start reading at [`address`] (who can be talked to), then [`level`] (the ladder), then [`event`] (what is told
//! about it) and [`goal`] (what an agent is asked to reach).

pub mod address;
pub mod autonomy;
pub mod error;
pub mod event;
pub mod goal;
pub mod id;
pub mod level;
pub mod name;
pub mod peer;
pub mod spec;

pub use address::{Address, RolePath};
pub use error::{ErrorCode, MAX_DEADLINE};
pub use event::{AgentStatus, Cause, Event, EventKind, Invariant, Violation};
pub use goal::{GoalSpec, Origin, Tier};
pub use id::{AgentId, CheckpointId, Epoch, Incarnation, MessageId, NodeId};
pub use level::{Authority, Level};
pub use name::{AgentName, GoalId, NameError, NodeName, SkillName, TaskName, TenantName, UserName};
pub use peer::{Mail, PeerMessage};
pub use spec::{AgentSpec, EnvironmentSpec, SimDimension, SimEvent, SimSpec, SpecError};
