//! The directory: who lives where, and how a message gets there.
//!
//! It implements `host::Router` on top of the mesh: an address becomes a local mailbox or the gateway of the node that
//! owns it. Placement is static until leases decide it; agents of a dead node are not reachable until it is back.
//!
//! Start reading at [`placement`] (agent → shard → node), then [`directory`] (the router), [`users`] (actors found by
//! name), [`groups`] (agents found by their group) and [`stream`] (events of the whole cluster).

pub mod actor;
pub mod directory;
pub mod groups;
pub mod handover;
pub mod membership;
pub mod placement;
pub mod stream;
pub mod users;

pub use directory::Directory;
pub use placement::{Member, Placement, PlacementError, SHARDS, Shard, ShardMap, StaticPlacement};
