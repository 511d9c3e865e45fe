//! What `@node/membership` is asked: by other nodes what time it is, by operators who is there and who owns what, and what
//! they want changed.

use crate::membership::MemberState;
use crate::placement::MapVersion;
use rungs_host::Wire;
use rungs_types::NodeName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Most moves that an answer lists.
pub const MAX_MOVES_LISTED: usize = 256;

/// What time it is on the node, for a node that joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeOfDay {}

impl Wire for TimeOfDay {
    const KIND: &'static str = "membership.time";
    /// Milliseconds since 1970.
    type Reply = u64;

    fn example() -> Self {
        Self {}
    }
}

/// Who is there, as the node that is asked sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListMembers {}

impl Wire for ListMembers {
    const KIND: &'static str = "membership.members";
    type Reply = Vec<MemberEntry>;

    fn example() -> Self {
        Self {}
    }
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberEntry {
    /// Its name.
    pub node: NodeName,
    /// Which start of it.
    pub incarnation: u64,
    /// `voter`, `member` or `admin`.
    pub role: String,
    /// What it fails together with.
    pub zone: String,
    /// Its share of the shards, relative to others.
    pub weight: u32,
    /// What became of it.
    pub state: MemberState,
    /// Whether it holds a lease.
    pub has_lease: bool,
    /// Whether the node that answers has lost its session with it.
    pub is_suspect: bool,
    /// Shards that it owns.
    pub shards: u32,
    /// Shards that are on their way to it.
    pub arriving: u32,
    /// Where it listens.
    pub address: Option<SocketAddr>,
}

/// Who owns what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListShards {}

impl Wire for ListShards {
    const KIND: &'static str = "membership.shards";
    type Reply = ShardsReport;

    fn example() -> Self {
        Self {}
    }
}

/// The map, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShardsReport {
    /// Its version.
    pub version: u64,
    /// Shards without an owner.
    pub unowned: u32,
    /// The moves that are under way, at most [`MAX_MOVES_LISTED`].
    pub moves: Vec<MoveEntry>,
    /// How many are under way.
    pub moving: u32,
    /// Shards that operators pinned.
    pub pinned: Vec<(u16, NodeName)>,
    /// How many shards each node owns.
    pub owned: Vec<(NodeName, u32)>,
}

/// A shard that moves or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MoveEntry {
    /// The shard.
    pub shard: u16,
    /// Its owner.
    pub from: Option<NodeName>,
    /// Its next one.
    pub to: NodeName,
    /// Why, where that is known.
    pub reason: Option<String>,
}

/// What an operator wants changed. It is in force when it is answered; what follows from it takes its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Change {
    /// A member hands over all its shards and stays.
    Drain {
        /// The member.
        node: NodeName,
    },
    /// It gets its share again.
    Undrain {
        /// The member.
        node: NodeName,
    },
    /// A shard goes to a node and is kept there.
    Pin {
        /// The shard.
        shard: u16,
        /// The node.
        node: NodeName,
    },
    /// A shard goes where it would.
    Unpin {
        /// The shard.
        shard: u16,
    },
    /// Each shard goes to the node that wants it most.
    Rebalance {
        /// Only say what would move.
        dry_run: bool,
    },
}

/// Asks for a [`Change`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Which.
    pub change: Change,
}

impl Wire for Order {
    const KIND: &'static str = "membership.order";
    type Reply = Ordered;

    fn example() -> Self {
        let change = Change::Rebalance { dry_run: true };
        Self { change }
    }
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ordered {
    /// The map that it was decided by.
    pub version: u64,
    /// Of a rebalance: what moves, or would, at most [`MAX_MOVES_LISTED`].
    pub moves: Vec<MoveEntry>,
    /// How many shards.
    pub moving: u32,
}

impl Ordered {
    pub(super) fn by(version: MapVersion) -> Self {
        Self {
            version: version.0,
            moves: Vec::new(),
            moving: 0,
        }
    }
}
