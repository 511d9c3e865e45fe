//! The directory: who lives where, and how a message gets there.
//!
//! It implements `host::Router` on top of the mesh: an address becomes a local mailbox or the gateway of the node that
//! owns it. Who owns what is a map in the cluster's store, which follows who is there: nodes hold leases, one that dies loses
//! its shards when its lease is over, one that joins gets its share, and one that leaves hands over what it has.
//! It never decides by a clock of another node, starts no agent without a lease, and knows no kind of agent.
//!
//! Start reading at [`placement`] (agent → shard → node), then [`directory`] (the router), [`activation`] (which agents run),
//! [`records`] (which there are), [`inbox`] (goals that wait for them), [`copies`] (how what they know follows them), [`users`]
//! (actors found by name), [`groups`] (agents found by their group) and [`stream`] (events of the whole cluster). What moves
//! shards: [`membership`] (who is there; pure), [`handover`] (how a shard goes from one to the other; pure), [`member`]
//! (carries both out), [`routing`] (what a message is sent by), [`scale`] (how far that goes).

pub mod activation;
pub mod actor;
pub mod copies;
pub mod directory;
pub mod groups;
pub mod handover;
mod holding;
pub mod inbox;
pub mod member;
pub mod membership;
pub mod placement;
pub mod records;
pub mod routing;
#[doc = include_str!("scale.md")]
pub mod scale {}
pub mod stream;
pub mod users;

pub use directory::Directory;
pub use placement::{Member, Placement, PlacementError, SHARDS, Shard, ShardMap, StaticPlacement};
