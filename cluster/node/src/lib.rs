//! Rungs: a distributed actor runtime for agents whose autonomy is governed.
//!
//! This crate is the assembly: it puts runtime, agents, mesh, directory and shell together to a [`Node`], and is what an
//! embedding program depends on. It decides nothing itself.
//!
//! Start reading at [`prelude`] (what a program needs), then `assembly` (who is supervised by whom on a node).
//!
//! ```no_run
//! use rungs::prelude::*;
//!
//! #[tokio::main]
//! async fn main() -> rungs::Result<()> {
//!     let node = Node::builder().data_dir("./data").start().await?;
//!     let agent = node.spawn(AgentSpec::new("ops-1".parse()?)).await?;
//!     println!("{:?}", agent.status());
//!     node.shutdown().await
//! }
//! ```

mod assembly;
mod builder;
mod control;
pub mod daemon;
mod goals;
mod guests;
mod lateness;
mod membership;
mod node;
mod peers;
pub mod prelude;
mod stop;
mod store;
mod system;
mod task_logs;
mod user;

pub use builder::NodeBuilder;
pub use node::{CALL_DEADLINE, Node};
pub use stop::{Failure, StopReason};
pub use user::UserActor;

/// What a program that embeds Rungs gets: an error with its causes.
pub type Result<T, E = anyhow::Error> = std::result::Result<T, E>;
