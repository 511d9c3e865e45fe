//! The agent: one supervision tree that hosts the levels of `rungs-mind` as actors.
//!
//! It owns the tree, the baton, the authority cell, freeze and revert. It decides nothing about cognition (that is
//! `rungs-mind`), opens no socket and knows no mesh.
//!
//! Start reading at [`environment`] (what an agent watches).

pub mod environment;

pub use environment::{Command, Description, Dimension, Environment, EnvironmentError, Observed};
