//! [`Plan`]: what is to change in a map and why, as a value that can be read before anything moves.

use super::{MapStep, MapVersion, Shard};
use rungs_types::NodeName;
use std::collections::BTreeMap;
use std::fmt;

/// Why a shard moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It has no owner.
    Unowned,
    /// Its owner is dead or has left.
    OwnerGone,
    /// An operator pinned it to its target.
    Pinned,
    /// Its owner is being drained.
    Draining,
    /// Its target joins, and wants it more than its owner does.
    Joined,
    /// An operator asked for balance, and its target wants it most.
    Rebalance,
}

impl Reason {
    /// Whether it takes effect at once: nobody is there to hand the shard over.
    pub fn is_at_once(self) -> bool {
        matches!(self, Self::Unowned | Self::OwnerGone)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unowned => "it has no owner",
            Self::OwnerGone => "its owner is gone",
            Self::Pinned => "pinned",
            Self::Draining => "its owner is drained",
            Self::Joined => "its new owner joins",
            Self::Rebalance => "balance",
        })
    }
}

/// One shard that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The shard.
    pub shard: Shard,
    /// Its owner, if it has one.
    pub from: Option<NodeName>,
    /// Its next owner.
    pub to: NodeName,
    /// Why.
    pub reason: Reason,
}

/// What is to change in one version of the map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The version that it was made for, and that it applies to only.
    pub from: MapVersion,
    /// Moves under way that end where they began: their targets may get nothing any more.
    pub cancelled: Vec<Shard>,
    /// What moves now.
    pub moves: Vec<Move>,
    /// How many more would, if more might move at a time.
    pub waiting: usize,
    /// Joining nodes that have all they will be given.
    pub settled: Vec<NodeName>,
}

impl Plan {
    /// Whether there is nothing to change in the map.
    pub fn is_empty(&self) -> bool {
        self.cancelled.is_empty() && self.moves.is_empty()
    }

    /// What it comes to in the map.
    pub fn steps(&self) -> Vec<MapStep> {
        let cancelled = self.cancelled.iter().map(|shard| MapStep::Cancel { shard: *shard });
        let moves = self.moves.iter().map(|it| {
            let (shard, to) = (it.shard, it.to.clone());
            match it.reason.is_at_once() {
                true => MapStep::Give { shard, to },
                false => MapStep::Begin { shard, to },
            }
        });
        cancelled.chain(moves).collect()
    }
}

/// Moves of one kind share a line; `{:#}` names each shard.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (moves, cancelled) = (self.moves.len(), self.cancelled.len());
        write!(f, "plan for map {}: {moves} moves", self.from)?;
        if self.waiting > 0 {
            write!(f, ", {} wait", self.waiting)?;
        }
        if cancelled > 0 {
            write!(f, ", {cancelled} cancelled")?;
        }
        let mut kinds: BTreeMap<_, Vec<Shard>> = BTreeMap::new();
        for it in &self.moves {
            let kind = (it.from.as_ref(), &it.to, it.reason);
            kinds.entry(kind).or_default().push(it.shard);
        }
        for ((from, to, reason), shards) in kinds {
            let from = from.map_or("nobody", NodeName::as_str);
            write!(f, "\n  {from} -> {to}: {} ({reason})", shards.len())?;
            if f.alternate() {
                let shards: Vec<_> = shards.iter().map(Shard::to_string).collect();
                write!(f, ": {}", shards.join(" "))?;
            }
        }
        Ok(())
    }
}
