//! Who may own shards, and what operators pinned.

use super::{MAX_WEIGHT, Score, Shard};
use rungs_types::{AgentId, NodeName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Longest name of a zone, in bytes.
pub const MAX_ZONE_BYTES: usize = 63;

/// What fails together: a rack, a room, a data centre's zone. Nodes without one share the zone `default`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(Arc<str>);

/// A zone's name is empty, too long, or has something other than visible ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {MAX_ZONE_BYTES} visible ASCII characters as a zone")]
pub struct ZoneError;

impl Zone {
    /// Checks the text.
    pub fn new(text: &str) -> Result<Self, ZoneError> {
        let fits = (1..=MAX_ZONE_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.into())).ok_or(ZoneError)
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;

    fn try_from(text: String) -> Result<Self, ZoneError> {
        Self::new(&text)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0.as_ref().to_owned()
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a node's membership means for placement. A node that is not a candidate at all is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Is being given its share: takes from others what it wants more than they do.
    Joining,
    /// Keeps what it has, and gets of what others lose.
    Live,
    /// Loses all it has, and gets nothing.
    Draining,
}

/// A node that shards may be placed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub node: NodeName,
    /// Its share, 1 to [`MAX_WEIGHT`]; anything else is taken as the nearest of these.
    pub weight: u32,
    /// What it fails together with.
    pub zone: Zone,
    /// What it may get.
    pub standing: Standing,
}

impl Candidate {
    /// Whether it may get shards.
    pub fn receives(&self) -> bool {
        self.standing != Standing::Draining
    }

    pub(super) fn weight(&self) -> u32 {
        self.weight.clamp(1, MAX_WEIGHT)
    }

    pub(super) fn score(&self, shard: Shard) -> Score {
        Score::of(&self.node, self.weight(), shard)
    }
}

/// The candidate, of those given, that wants a shard most; ties go to the first.
pub(super) fn first_choice<'a>(among: impl Iterator<Item = &'a Candidate>, shard: Shard) -> Option<&'a Candidate> {
    let scored = among.map(|candidate| (candidate, candidate.score(shard)));
    let best = scored.reduce(|best, other| if other.1.beats(best.1) { other } else { best });
    best.map(|(candidate, _)| candidate)
}

/// Where copies of a shard's snapshots go: to the node, other than its owner, that wants it most, in another zone than
/// the owner's if there is one.
///
/// If the owner's zone fails as a whole, this is the node that gets the shard, so its copies are at hand. If only the owner
/// does, the shard may go to a neighbour in its zone, which then fetches the copy from here.
pub fn copy_holder<'a>(candidates: &'a [Candidate], shard: Shard, owner: &NodeName) -> Option<&'a NodeName> {
    let zone = candidates.iter().find(|candidate| candidate.node == *owner);
    let zone = zone.map(|candidate| &candidate.zone);
    let others = || candidates.iter().filter(|it| it.receives() && it.node != *owner);
    let elsewhere = first_choice(others().filter(|it| Some(&it.zone) != zone), shard);
    elsewhere
        .or_else(|| first_choice(others(), shard))
        .map(|candidate| &candidate.node)
}

/// Two agents of one shard are wanted on two nodes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shard} is pinned to {pinned} already, and its agents move together; unpin it first")]
pub struct PinConflict {
    /// The shard.
    pub shard: Shard,
    /// Where it is pinned.
    pub pinned: NodeName,
}

/// Shards that operators keep on a node. While that node may not get shards, the pin waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins(BTreeMap<Shard, NodeName>);

impl Pins {
    /// Keeps a shard on a node.
    pub fn pin(&mut self, shard: Shard, node: NodeName) -> Result<(), PinConflict> {
        match self.0.get(&shard) {
            Some(pinned) if *pinned != node => Err(PinConflict {
                shard,
                pinned: pinned.clone(),
            }),
            _ => {
                self.0.insert(shard, node);
                Ok(())
            }
        }
    }

    /// Keeps an agent, with all other agents of its shard, on a node.
    pub fn pin_agent(&mut self, agent: &AgentId, node: NodeName) -> Result<(), PinConflict> {
        self.pin(Shard::of(agent), node)
    }

    /// Lets a shard go where it would; whether it was pinned.
    pub fn unpin(&mut self, shard: Shard) -> bool {
        self.0.remove(&shard).is_some()
    }

    /// Every pinned shard with its node, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Shard, &NodeName)> {
        self.0.iter().map(|(shard, node)| (*shard, node))
    }

    /// Where a shard is pinned.
    pub fn of(&self, shard: Shard) -> Option<&NodeName> {
        self.0.get(&shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(node: &str, zone: &str, standing: Standing) -> Candidate {
        Candidate {
            node: NodeName::new(node).unwrap(),
            weight: 1,
            zone: Zone::new(zone).unwrap(),
            standing,
        }
    }

    #[test]
    fn a_zone_is_visible_text() {
        assert_eq!(Zone::new(""), Err(ZoneError));
        assert_eq!(Zone::new("a b"), Err(ZoneError));
        assert_eq!(Zone::new(&"z".repeat(MAX_ZONE_BYTES + 1)), Err(ZoneError));
        assert_eq!(Zone::new("eu-1/a").unwrap().to_string(), "eu-1/a");
    }

    #[test]
    fn copies_go_to_another_zone_if_there_is_one() {
        let live = Standing::Live;
        let nodes = [
            candidate("n1", "a", live),
            candidate("n2", "a", live),
            candidate("n3", "b", live),
            candidate("n4", "b", Standing::Draining),
        ];
        let n1 = &nodes[0].node;
        assert!(Shard::all().all(|shard| copy_holder(&nodes, shard, n1) == Some(&nodes[2].node)));
        assert!(Shard::all().all(|shard| copy_holder(&nodes[..2], shard, n1) == Some(&nodes[1].node)));
        assert_eq!(copy_holder(&nodes[..1], Shard::new(0).unwrap(), n1), None);
    }

    #[test]
    fn when_a_zone_fails_its_shards_go_where_their_copies_are() {
        let nodes: Vec<_> = ["a", "a", "b", "b", "c"]
            .iter()
            .enumerate()
            .map(|(index, zone)| candidate(&format!("n{index}"), zone, Standing::Live))
            .collect();
        for shard in Shard::all() {
            let owner = first_choice(nodes.iter(), shard).unwrap();
            let left = nodes.iter().filter(|it| it.zone != owner.zone);
            let heir = first_choice(left, shard).map(|heir| &heir.node);
            assert_eq!(copy_holder(&nodes, shard, &owner.node), heir);
        }
    }

    #[test]
    fn two_agents_of_a_shard_are_not_pinned_to_two_nodes() {
        let [n1, n2] = ["n1", "n2"].map(|name| NodeName::new(name).unwrap());
        let agent: AgentId = "ops-1".parse().unwrap();
        let shard = Shard::of(&agent);
        let mut pins = Pins::default();
        assert_eq!(pins.pin_agent(&agent, n1.clone()), Ok(()));
        assert_eq!(pins.pin(shard, n1.clone()), Ok(()));
        let pinned = n1.clone();
        assert_eq!(pins.pin(shard, n2.clone()), Err(PinConflict { shard, pinned }));
        assert!(pins.unpin(shard) && !pins.unpin(shard));
        assert_eq!(pins.pin(shard, n2.clone()), Ok(()));
        assert_eq!(pins.of(shard), Some(&n2));
    }
}
