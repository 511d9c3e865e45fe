//! What the cluster's store holds of membership, and the one way to change it: a [`Proposal`], of which the store makes
//! everything or nothing.
//!
//! [`View::commit`] says what a proposal means. A store does the same with its own tables; simulations and tests use it as
//! their store. Rows, and the pins, encode with `rungs_host::codec`; the map has an encoding of its own
//! ([`crate::placement::encoding`]). What a new map raises is to be fenced in the same commit
//! ([`ShardMap::raised_since`]).

use crate::placement::{Candidate, MapVersion, Pins, ShardMap, Standing, Zone};
use rungs_mesh::role::Role;
use rungs_types::{NodeId, NodeName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// What became of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// Is being given its share of the shards.
    Joining,
    /// Has its share.
    Live,
    /// Hands over all it has, and will leave.
    Draining,
    /// Left, with nothing.
    Left,
    /// Its lease ended.
    Dead,
}

impl MemberState {
    /// Whether the member holds a lease.
    pub fn is_present(self) -> bool {
        matches!(self, Self::Joining | Self::Live | Self::Draining)
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Joining => "joining",
            Self::Live => "live",
            Self::Draining => "draining",
            Self::Left => "left",
            Self::Dead => "dead",
        })
    }
}

/// What a node says of itself when it joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its name and incarnation.
    pub node: NodeId,
    /// What it is. An admin joins as others do and owns nothing.
    pub role: Role,
    /// What it fails together with.
    pub zone: Zone,
    /// Its share of the shards, relative to others.
    pub weight: u32,
    /// Where others reach it, if it listens.
    pub address: Option<SocketAddr>,
}

/// A member, in the table of members by its node's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// Who it is.
    pub identity: Identity,
    /// What became of it.
    pub state: MemberState,
}

/// A lease, in the table of leases by its holder's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaseRow {
    /// Who holds it.
    pub holder: NodeId,
    /// Counts renewals, over all incarnations of the name.
    pub renewal: u64,
}

/// What a proposal takes for granted. If it is no longer so, nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The map has this version.
    Map(MapVersion),
    /// A member's row is this.
    Member(NodeName, Option<MemberRow>),
    /// A lease is this.
    Lease(NodeName, Option<LeaseRow>),
    /// The pins are these.
    Pins(Arc<Pins>),
}

/// What a proposal changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// The map.
    Map(Arc<ShardMap>),
    /// A member's row.
    Member(MemberRow),
    /// A lease.
    Lease(LeaseRow),
    /// A lease that is over.
    DropLease(NodeName),
    /// Where operators keep shards.
    Pins(Arc<Pins>),
}

/// A change of membership, all or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// On what condition.
    pub needs: Vec<Need>,
    /// What then is.
    pub writes: Vec<Write>,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is in force since this revision.
    Committed(Revision),
    /// Something it needed is not so. Certainly nothing changed.
    Conflict,
    /// The store was not reached, or did not say. It may come to be in force at any later time.
    Unknown,
}

/// Counts the commits of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// All of it, as of one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Of when it is.
    pub revision: Revision,
    /// Who owns what.
    pub map: Arc<ShardMap>,
    /// Who is or was there.
    pub members: BTreeMap<NodeName, MemberRow>,
    /// Who may act.
    pub leases: BTreeMap<NodeName, LeaseRow>,
    /// What operators keep where.
    pub pins: Arc<Pins>,
}

impl View {
    /// The store after a proposal; `None` if something that it needs is not so.
    pub fn commit(&self, proposal: &Proposal) -> Option<Self> {
        let holds = |need: &Need| match need {
            Need::Map(version) => self.map.version() == *version,
            Need::Member(node, row) => self.members.get(node) == row.as_ref(),
            Need::Lease(node, row) => self.leases.get(node) == row.as_ref(),
            Need::Pins(pins) => self.pins == *pins,
        };
        if !proposal.needs.iter().all(holds) {
            return None;
        }
        let mut after = self.clone();
        for write in &proposal.writes {
            match write.clone() {
                Write::Map(map) => after.map = map,
                Write::Member(row) => drop(after.members.insert(row.identity.node.name.clone(), row)),
                Write::Lease(row) => drop(after.leases.insert(row.holder.name.clone(), row)),
                Write::DropLease(node) => drop(after.leases.remove(&node)),
                Write::Pins(pins) => after.pins = pins,
            }
        }
        after.revision = Revision(self.revision.0 + 1);
        Some(after)
    }

    /// Who may own shards, without those that `dead` says are not to.
    pub fn candidates(&self, dead: &dyn Fn(&NodeName) -> bool) -> Vec<Candidate> {
        let rows = self.members.iter().filter(|(node, _)| !dead(node));
        rows.filter_map(|(node, row)| {
            let standing = match row.state {
                MemberState::Joining => Standing::Joining,
                MemberState::Live => Standing::Live,
                MemberState::Draining => Standing::Draining,
                MemberState::Left | MemberState::Dead => return None,
            };
            (row.identity.role != Role::Admin).then(|| Candidate {
                node: node.clone(),
                weight: row.identity.weight,
                zone: row.identity.zone.clone(),
                standing,
            })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::Shard;
    use rungs_host::codec::{CodecError, decode, encode};
    use rungs_types::Incarnation;

    #[test]
    fn rows_come_back_from_their_bytes() {
        let node: NodeId = "n1~7".parse().unwrap();
        let member = MemberRow {
            identity: Identity {
                node: node.clone(),
                role: Role::Member,
                zone: Zone::new("eu-1/a").unwrap(),
                weight: 3,
                address: Some(([127, 0, 0, 1], 7101).into()),
            },
            state: MemberState::Draining,
        };
        assert_eq!(decode(&encode(&member).unwrap()), Ok(member));
        let lease = LeaseRow {
            holder: node.clone(),
            renewal: 9,
        };
        assert_eq!(decode(&encode(&lease).unwrap()), Ok(lease));
        let mut pins = Pins::default();
        pins.pin(Shard::new(4_095).unwrap(), node.name).unwrap();
        assert_eq!(decode(&encode(&pins).unwrap()), Ok(pins));
    }

    #[test]
    fn bytes_that_name_what_cannot_be_are_refused() {
        let pins = encode(&BTreeMap::from([(4_096_u16, "n1")])).unwrap();
        assert!(matches!(decode::<Pins>(&pins), Err(CodecError::Malformed { .. })));
        let zone = encode(&"a b").unwrap();
        assert!(matches!(decode::<Zone>(&zone), Err(CodecError::Malformed { .. })));
    }

    #[test]
    fn a_proposal_is_made_true_as_a_whole_or_not_at_all() {
        let holder = NodeId {
            name: NodeName::new("n1").unwrap(),
            incarnation: Incarnation(1),
        };
        let name = holder.name.clone();
        let row = LeaseRow { holder, renewal: 1 };
        let mut proposal = Proposal {
            needs: vec![Need::Lease(name.clone(), None), Need::Map(MapVersion(1))],
            writes: vec![Write::Lease(row.clone())],
        };
        let empty = View::default();
        assert_eq!(empty.commit(&proposal), None);
        proposal.needs.pop();
        let after = empty.commit(&proposal).unwrap();
        assert_eq!((after.revision, after.leases.get(&name)), (Revision(1), Some(&row)));
        // The same again, as a doubled request would.
        assert_eq!(after.commit(&proposal), None);
    }
}
