//! [`ShardMap`]: which node owns each shard, at which epoch, and which moves are under way.
//!
//! 1. A map never changes; [`ShardMap::apply`] makes the next version. Whoever writes it compares the version it began
//!    from, so that two writers never both succeed.
//! 2. An epoch never falls, and rises whenever the owner changes, or an earlier activation on the same owner has to
//!    become stale. What is done in the name of a shard carries its epoch, and a smaller one is refused.
//! 3. A move in flight leaves the shard with its owner until the owner has handed it over ([`MapStep::Finish`]).

use super::{MAX_MEMBERS, Placement, SHARDS, Shard};
use rungs_types::{Epoch, NodeName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Counts the changes of a map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapVersion(pub u64);

impl fmt::Display for MapVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// Most changes of shards in one version, so that a version is written in one small commit.
pub const MAX_STEPS: usize = 256;

/// No node: neither owner nor target of a move.
const NOBODY: u16 = u16::MAX;

/// A shard's line in the map; nodes are places in the table of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) owner: u16,
    pub(super) next: u16,
    pub(super) epoch: Epoch,
}

/// Who holds a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding<'a> {
    /// Who owns it; nobody in a new cluster.
    pub owner: Option<&'a NodeName>,
    /// The epoch of that ownership.
    pub epoch: Epoch,
    /// Where it is moving to, if it is.
    pub next: Option<&'a NodeName>,
}

/// One change of one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapStep {
    /// It belongs to a node at once: it had no owner, or its owner is dead.
    Give {
        /// The shard.
        shard: Shard,
        /// Its new owner.
        to: NodeName,
    },
    /// Its owner is to hand it over.
    Begin {
        /// The shard.
        shard: Shard,
        /// To whom.
        to: NodeName,
    },
    /// Its owner has handed it over to where it was moving.
    Finish {
        /// The shard.
        shard: Shard,
    },
    /// It moves nowhere.
    Cancel {
        /// The shard.
        shard: Shard,
    },
    /// Its owner begins again: what it did before is stale.
    Raise {
        /// The shard.
        shard: Shard,
    },
}

impl MapStep {
    /// The shard that it changes.
    pub fn shard(&self) -> Shard {
        match self {
            Self::Give { shard, .. }
            | Self::Begin { shard, .. }
            | Self::Finish { shard }
            | Self::Cancel { shard }
            | Self::Raise { shard } => *shard,
        }
    }

    fn to(&self) -> Option<&NodeName> {
        match self {
            Self::Give { to, .. } | Self::Begin { to, .. } => Some(to),
            Self::Finish { .. } | Self::Cancel { .. } | Self::Raise { .. } => None,
        }
    }
}

/// Why a step does not fit a map. Nothing of it was applied; read the map and decide again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// To finish or cancel there has to be a move.
    #[error("{shard} is moving nowhere")]
    NotMoving {
        /// The shard.
        shard: Shard,
    },
    /// To begin one there must be none.
    #[error("{shard} is moving already")]
    Moving {
        /// The shard.
        shard: Shard,
    },
    /// It would move to where it is, or be given to whom it belongs.
    #[error("{shard} is there already")]
    There {
        /// The shard.
        shard: Shard,
    },
    /// Only what has an owner can be moved or begun again.
    #[error("{shard} has no owner")]
    Unowned {
        /// The shard.
        shard: Shard,
    },
    /// More changes than one version may have.
    #[error("{found} changes; a version has at most {MAX_STEPS}")]
    TooManySteps {
        /// How many.
        found: usize,
    },
    /// More nodes than a map may name.
    #[error("{found} nodes; a map names at most {MAX_MEMBERS}")]
    TooManyNodes {
        /// How many.
        found: usize,
    },
}

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct ShardMap {
    pub(super) version: MapVersion,
    /// Every node that is an owner or a target, sorted.
    pub(super) nodes: Vec<NodeName>,
    /// [`SHARDS`] of them.
    pub(super) entries: Vec<Entry>,
}

impl Default for ShardMap {
    /// The map of a new cluster: version 0, no owners.
    fn default() -> Self {
        let entry = Entry {
            owner: NOBODY,
            next: NOBODY,
            epoch: Epoch::default(),
        };
        Self {
            version: MapVersion::default(),
            nodes: Vec::new(),
            entries: vec![entry; usize::from(SHARDS)],
        }
    }
}

impl fmt::Debug for ShardMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShardMap({}", self.version)?;
        for (node, shards) in self.loads() {
            write!(f, " {node}:{shards}")?;
        }
        write!(f, " moving:{})", self.moving())
    }
}

impl ShardMap {
    /// Which version this is.
    pub fn version(&self) -> MapVersion {
        self.version
    }

    /// Every node that is an owner or the target of a move, sorted.
    pub fn nodes(&self) -> &[NodeName] {
        &self.nodes
    }

    /// Who holds a shard.
    pub fn holding(&self, shard: Shard) -> Holding<'_> {
        let entry = self.entries[shard.index()];
        Holding {
            owner: self.nodes.get(usize::from(entry.owner)),
            epoch: entry.epoch,
            next: self.nodes.get(usize::from(entry.next)),
        }
    }

    /// Every shard with who holds it, in order.
    pub fn holdings(&self) -> impl Iterator<Item = (Shard, Holding<'_>)> {
        Shard::all().map(|shard| (shard, self.holding(shard)))
    }

    /// The shards that a node owns, in order.
    pub fn owned_by(&self, node: &NodeName) -> impl Iterator<Item = Shard> + '_ {
        let index = self.index_of(node);
        Shard::all().filter(move |shard| index == Some(self.entries[shard.index()].owner))
    }

    /// Whether a node owns a shard or is to get one.
    pub fn names(&self, node: &NodeName) -> bool {
        self.index_of(node).is_some()
    }

    /// How many shards each owner has.
    pub fn loads(&self) -> BTreeMap<&NodeName, usize> {
        let counts = self.counts(|entry| [entry.owner]);
        let owners = self.nodes.iter().zip(counts);
        owners.filter(|(_, count)| *count > 0).collect()
    }

    /// How often each node in the table is named in these parts of the lines.
    fn counts<const N: usize>(&self, parts: impl Fn(&Entry) -> [u16; N]) -> Vec<usize> {
        let mut counts = vec![0; self.nodes.len()];
        for index in self.entries.iter().flat_map(parts) {
            if let Some(count) = counts.get_mut(usize::from(index)) {
                *count += 1;
            }
        }
        counts
    }

    /// How many shards are moving.
    pub fn moving(&self) -> usize {
        self.entries.iter().filter(|entry| entry.next != NOBODY).count()
    }

    /// The next version, with these steps taken in order. All of them, or none.
    pub fn apply(&self, steps: &[MapStep]) -> Result<Self, MapError> {
        if steps.len() > MAX_STEPS {
            return Err(MapError::TooManySteps { found: steps.len() });
        }
        let targets = steps.iter().filter_map(MapStep::to);
        let mut next = self.renumbered(self.nodes.iter().chain(targets).cloned().collect());
        for step in steps {
            next.take(step)?;
        }
        let counts = next.counts(|entry| [entry.owner, entry.next]);
        let used = next.nodes.iter().zip(counts).filter(|(_, count)| *count > 0);
        let used: BTreeSet<NodeName> = used.map(|(node, _)| node.clone()).collect();
        if used.len() > MAX_MEMBERS {
            return Err(MapError::TooManyNodes { found: used.len() });
        }
        if used.len() < next.nodes.len() {
            next = next.renumbered(used);
        }
        next.version = MapVersion(self.version.0 + 1);
        Ok(next)
    }

    /// Every shard whose epoch this map raises over an earlier one, with both epochs: what the store has to fence.
    pub fn raised_since<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = (Shard, Epoch, Epoch)> + 'a {
        let pairs = Shard::all().zip(earlier.entries.iter().zip(&self.entries));
        let raised = pairs.filter(|(_, (before, after))| before.epoch < after.epoch);
        raised.map(|(shard, (before, after))| (shard, before.epoch, after.epoch))
    }

    fn index_of(&self, node: &NodeName) -> Option<u16> {
        self.nodes.binary_search(node).ok().map(|index| index as u16)
    }

    /// The same map over another table of names, which has all that are used.
    fn renumbered(&self, names: BTreeSet<NodeName>) -> Self {
        let nodes: Vec<NodeName> = names.into_iter().collect();
        let places: Vec<u16> = self
            .nodes
            .iter()
            .map(|node| nodes.binary_search(node).map_or(NOBODY, |index| index as u16))
            .collect();
        let place = |index: u16| places.get(usize::from(index)).copied().unwrap_or(NOBODY);
        let entries = self.entries.iter().map(|entry| Entry {
            owner: place(entry.owner),
            next: place(entry.next),
            epoch: entry.epoch,
        });
        Self {
            version: self.version,
            entries: entries.collect(),
            nodes,
        }
    }

    fn take(&mut self, step: &MapStep) -> Result<(), MapError> {
        let shard = step.shard();
        let target = step.to().and_then(|node| self.index_of(node)).unwrap_or(NOBODY);
        let entry = &mut self.entries[shard.index()];
        if target != NOBODY && entry.owner == target {
            return Err(MapError::There { shard });
        }
        match step {
            MapStep::Give { .. } => {
                *entry = Entry {
                    owner: target,
                    next: NOBODY,
                    epoch: entry.epoch.next(),
                };
            }
            MapStep::Begin { .. } if entry.owner == NOBODY => return Err(MapError::Unowned { shard }),
            MapStep::Begin { .. } if entry.next != NOBODY => return Err(MapError::Moving { shard }),
            MapStep::Begin { .. } => entry.next = target,
            MapStep::Finish { .. } | MapStep::Cancel { .. } if entry.next == NOBODY => {
                return Err(MapError::NotMoving { shard });
            }
            MapStep::Finish { .. } => {
                *entry = Entry {
                    owner: entry.next,
                    next: NOBODY,
                    epoch: entry.epoch.next(),
                };
            }
            MapStep::Cancel { .. } => entry.next = NOBODY,
            MapStep::Raise { .. } if entry.owner == NOBODY => return Err(MapError::Unowned { shard }),
            MapStep::Raise { .. } => entry.epoch = entry.epoch.next(),
        }
        Ok(())
    }
}

impl Placement for ShardMap {
    fn owner(&self, shard: Shard) -> Option<&NodeName> {
        self.holding(shard).owner
    }

    fn members(&self) -> &[NodeName] {
        self.nodes()
    }
}

#[cfg(test)]
mod tests;
