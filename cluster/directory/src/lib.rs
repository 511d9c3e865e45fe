//! The directory: who lives where, and how a message gets there.
//!
//! It implements `host::Router` on top of the mesh: an address becomes a local mailbox or the gateway of the node that
//! owns it. Its router follows a static placement; agents of a dead node are not reachable there until it is back.
//! Membership by leases, and the map that follows it, are decided in [`membership`], [`handover`] and
//! [`placement::planner`], which are pure: what they say is carried out by others.
//!
//! Start reading at [`placement`] (agent → shard → node), then [`directory`] (the router), [`activation`] (which agents run),
//! [`records`] (which there are), [`inbox`] (goals that wait for them), [`users`] (actors found by name), [`groups`] (agents found by their group) and [`stream`]
//! (events of the whole cluster). Of what is to come:
//! [`membership`] (who is there), [`handover`] (how a shard goes from one to the other), [`scale`] (how far that goes).

pub mod activation;
pub mod actor;
pub mod directory;
pub mod groups;
pub mod handover;
pub mod inbox;
pub mod membership;
pub mod placement;
pub mod records;
#[doc = include_str!("scale.md")]
pub mod scale {}
pub mod stream;
pub mod users;

pub use directory::Directory;
pub use placement::{Member, Placement, PlacementError, SHARDS, Shard, ShardMap, StaticPlacement};
