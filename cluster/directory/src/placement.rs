//! Where agents live: agent → shard → node.
//!
//! An agent's `tenant/name` hashes to one of [`SHARDS`] shards; a shard belongs to one node. [`StaticPlacement`] gives
//! each shard to the configured member with the best score (weighted rendezvous hashing): every node computes the same
//! map from the same members, and a change of members moves only what must move.
//!
//! A placement that changes is a [`ShardMap`]: it begins as that static map would, changes by a [`Plan`], and moves no
//! more than it must. Start reading at [`map`], then [`planner`].
//!
//! The hash is FNV-1a (64 bits) with the finalizer of SplitMix64, and scores are whole numbers, so that the map is the
//! same on every machine and in every build. Changing any of it moves agents: it is a change of the protocol.

mod bits;
pub mod candidate;
pub mod encoding;
pub mod map;
pub mod plan;
pub mod planner;

pub use candidate::{Candidate, MAX_ZONE_BYTES, Pins, Standing, Zone};
pub use map::{Holding, MAX_STEPS, MapError, MapStep, MapVersion, ShardMap};
pub use plan::{Move, Plan, Reason};

use rungs_types::{AgentId, NodeName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of shards.
pub const SHARDS: u16 = 4096;
/// Largest weight of a member.
pub const MAX_WEIGHT: u32 = 1 << 16;
/// Most members of a static placement.
pub const MAX_MEMBERS: usize = 1024;

/// One of [`SHARDS`] parts of all agents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Shard(u16);

/// A number is no shard's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no shard; expected less than {SHARDS}")]
pub struct ShardError(u16);

impl TryFrom<u16> for Shard {
    type Error = ShardError;

    fn try_from(number: u16) -> Result<Self, ShardError> {
        Self::new(number).ok_or(ShardError(number))
    }
}

impl From<Shard> for u16 {
    fn from(shard: Shard) -> Self {
        shard.0
    }
}

impl Shard {
    /// The shard of an agent.
    pub fn of(agent: &AgentId) -> Self {
        let hash = Hash::default()
            .with(agent.tenant.as_str().as_bytes())
            .with(b"/")
            .with(agent.name.as_str().as_bytes())
            .finish();
        // The remainder of a power of two: the lowest twelve bits.
        Self((hash % u64::from(SHARDS)) as u16)
    }

    /// All shards.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }

    /// The shard of a number below [`SHARDS`].
    pub fn new(number: u16) -> Option<Self> {
        (number < SHARDS).then_some(Self(number))
    }

    /// Its number, below [`SHARDS`].
    pub fn number(self) -> u16 {
        self.0
    }

    /// Its place in a table of all shards.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// A stable hash: FNV-1a, then the finalizer of SplitMix64 for bits that depend on all others.
#[derive(Debug, Clone, Copy)]
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn with(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(bytes.iter().fold(self.0, step))
    }

    fn finish(self) -> u64 {
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Decides which node owns a shard.
pub trait Placement: Send + Sync + 'static {
    /// The owner of a shard; `None` while it has none.
    fn owner(&self, shard: Shard) -> Option<&NodeName>;

    /// The nodes that may own shards, sorted.
    fn members(&self) -> &[NodeName];
}

/// A node that owns shards in proportion to its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub node: NodeName,
    /// Its share, 1 to [`MAX_WEIGHT`].
    pub weight: u32,
}

/// Why members make no placement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// None, or too many.
    #[error("{found} members; expected 1 to {MAX_MEMBERS}")]
    Count {
        /// How many.
        found: usize,
    },
    /// The same name twice.
    #[error("member {node} is named twice")]
    Twice {
        /// The name.
        node: NodeName,
    },
    /// A weight out of range.
    #[error("member {node} has weight {found}; expected 1 to {MAX_WEIGHT}")]
    Weight {
        /// The member.
        node: NodeName,
        /// Its weight.
        found: u32,
    },
}

/// A placement that follows from the configured members and never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticPlacement {
    members: Vec<NodeName>,
    /// For each shard the index of its owner.
    owners: Vec<u16>,
}

impl StaticPlacement {
    /// Computes the map.
    pub fn new(mut members: Vec<Member>) -> Result<Self, PlacementError> {
        if members.is_empty() || members.len() > MAX_MEMBERS {
            return Err(PlacementError::Count { found: members.len() });
        }
        members.sort_by(|a, b| a.node.cmp(&b.node));
        if let Some(pair) = members.windows(2).find(|pair| pair[0].node == pair[1].node) {
            let node = pair[0].node.clone();
            return Err(PlacementError::Twice { node });
        }
        if let Some(member) = members.iter().find(|member| !(1..=MAX_WEIGHT).contains(&member.weight)) {
            return Err(PlacementError::Weight {
                node: member.node.clone(),
                found: member.weight,
            });
        }
        let owners = Shard::all().map(|shard| best(&members, shard)).collect();
        let members = members.into_iter().map(|member| member.node).collect();
        Ok(Self { members, owners })
    }
}

impl Placement for StaticPlacement {
    fn owner(&self, shard: Shard) -> Option<&NodeName> {
        let index = self.owners.get(usize::from(shard.0))?;
        self.members.get(usize::from(*index))
    }

    fn members(&self) -> &[NodeName] {
        &self.members
    }
}

/// How much a member wants a shard: the smaller -log2(u) / weight, the more, where u in (0, 1] is the hash of shard and
/// name.
#[derive(Debug, Clone, Copy)]
struct Score {
    hash: u64,
    /// The member's weight, 1 to [`MAX_WEIGHT`].
    weight: u32,
}

impl Score {
    fn of(node: &NodeName, weight: u32, shard: Shard) -> Self {
        let hash = Hash::default()
            .with(&shard.0.to_le_bytes())
            .with(node.as_str().as_bytes())
            .finish();
        Self { hash, weight }
    }

    /// Whether this member wants the shard more: its cost by its weight is smaller, compared without dividing. A tie is no
    /// win.
    fn beats(self, other: Score) -> bool {
        // No logarithm is needed where the hashes say it: they fall as it rises.
        if self.weight <= other.weight && self.hash <= other.hash {
            return false;
        }
        let (cost, others) = (minus_log2(self.hash), minus_log2(other.hash));
        u128::from(cost) * u128::from(other.weight) < u128::from(others) * u128::from(self.weight)
    }
}

/// The member that wants a shard most. Ties go to the first name.
fn best(members: &[Member], shard: Shard) -> u16 {
    let score = |member: &Member| Score::of(&member.node, member.weight, shard);
    let mut best = (0, score(&members[0]));
    for (index, member) in members.iter().enumerate().skip(1) {
        let candidate = score(member);
        if candidate.beats(best.1) {
            best = (index, candidate);
        }
    }
    best.0 as u16
}

/// Bits behind the point of [`minus_log2`].
const FRACTION_BITS: u32 = 32;

/// -log2((hash + 1) / 2^64) with 32 bits behind the point, rounded down in the logarithm: whole numbers only, by
/// repeated squaring.
fn minus_log2(hash: u64) -> u64 {
    let value = u128::from(hash) + 1;
    let whole = value.ilog2();
    // The mantissa in [1, 2) with 63 bits behind the point; 2^64 itself has the mantissa 1.
    let mut mantissa = if whole > 63 {
        1 << 63
    } else {
        (value as u64) << (63 - whole)
    };
    let mut log = u64::from(whole) << FRACTION_BITS;
    for bit in (0..FRACTION_BITS).rev() {
        let square = (u128::from(mantissa) * u128::from(mantissa)) >> 63;
        let is_two = square >> 64 != 0;
        mantissa = (square >> u32::from(is_two)) as u64;
        log |= u64::from(is_two) << bit;
    }
    (64_u64 << FRACTION_BITS) - log
}

#[cfg(test)]
mod tests;
