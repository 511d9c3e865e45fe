//! The admin actor shell: lines in, typed messages to actors anywhere in the cluster, answers for people or as JSON.
//!
//! It owns the grammar, the messages of `@node/admin` and how answers look. It decides nothing: what a command does is
//! decided by the actor that receives its message. It opens no socket; it sends through a [`rungs_host::Router`].
//!
//! Start reading at [`command`] (what can be typed), then [`session`] (what is sent for it), then [`views`] (what is
//! printed).

pub mod admin;
pub mod capabilities;
pub mod command;
pub mod completion;
pub mod event_line;
pub mod goals;
pub mod mind;
pub mod protocol;
pub mod qualification;
pub mod repl;
pub mod session;
pub mod table;
pub mod views;

pub use admin::{Admin, AdminMessage, NodeControl};
pub use session::{Flow, Options, Session, ShellError};
