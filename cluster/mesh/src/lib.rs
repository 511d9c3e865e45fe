//! The mesh: how nodes talk to each other.
//!
//! It owns transports, conversations, envelopes and flow control. A conversation of two nodes outlives the links that
//! carry it: what one of them broke is sent again over the next, in order, and taken once. It is the only crate that
//! names ractor_cluster; no shim, cell or actor id of another node leaves it. It knows nodes and addresses, but not where
//! an agent lives: that is the directory's.
//!
//! Start reading at [`mesh`] (the handle), then [`envelope`] (what is written around a message), [`frame`] (how it
//! travels), [`peer`] (how it arrives once) and [`transport`] (what carries it).

pub mod bench;
pub mod ca;
pub mod cluster;
pub mod envelope;
pub mod frame;
pub mod hello;
pub mod identity;
pub mod memory;
pub mod mesh;
pub mod peer;
pub mod role;
pub mod transport;

pub use ca::Ca;
pub use cluster::{ClusterConfig, ClusterTransport, Listen, Renewal, Seed};
pub use hello::ClusterId;
pub use identity::{Identity, IdentityError};
pub use mesh::{Forward, LinkMetrics, Mesh, MeshConfig, Misdirected, Outbound, PeerInfo, Peers};
pub use peer::{Backlog, Load};
pub use role::{Role, Roles};
pub use transport::{Transport, TransportError};
