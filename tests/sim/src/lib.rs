//! Membership and placement in simulation: the real state machines of a few nodes, in one thread, in virtual time, around
//! a model of the store and of the network, with faults drawn from one seed.
//!
//! [`run`] gives what a seed comes to: how many messages and faults there were, what the independent witness found wrong
//! ([`Violation`]), and the log. The same seed gives the same log.
//!
//! What is modelled: an agent is active at (node, epoch); its messages are routed by map version and forwarded once; each
//! effect on its state is fenced at the store, each effect on the world outside is not, and is seen by the witness only.
//! What is not: the mesh (packets may be lost, late, doubled or out of order here, but each is taken once) and the inside
//! of the store (a commit takes effect if its node reaches a majority of voters).
//!
//! Start reading at [`world`]; a node's glue is in [`node`], what must hold in [`witness`].

pub mod agents;
mod befall;
pub mod clock;
pub mod faults;
mod judge;
pub mod network;
pub mod node;
pub mod options;
pub mod store;
pub mod witness;
pub mod world;

pub use judge::Outcome;
pub use options::{Clocks, Options, Sabotage};
pub use witness::Violation;
pub use world::run;
