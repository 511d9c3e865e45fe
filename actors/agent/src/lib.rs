//! The agent: one supervision tree that hosts the levels of `rungs-mind` as actors.
//!
//! It owns the tree, the baton, the authority cell, freeze and revert, and snapshots. It decides nothing about
//! cognition (that is `rungs-mind`), opens no socket and knows no mesh.
//!
//! Start reading at [`messages`] (what an agent receives by name), then [`environment`] (what it watches).

pub mod authority;
pub mod environment;
pub mod error;
pub mod messages;

pub use authority::{AuthorityReader, Standing};
pub use environment::{Command, Description, Dimension, Environment, EnvironmentError, Observed};
pub use error::AgentError;
