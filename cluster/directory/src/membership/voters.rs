//! Who holds a replica of the store: one node, then three, then five, as a plan of single changes.

use super::records::{MemberState, View};
use crate::placement::Zone;
use rungs_mesh::role::Role;
use rungs_types::NodeName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Most voters: more make every write slower and tolerate failures that do not happen together.
pub const MAX_VOTERS: usize = 5;

/// A node that votes or could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Electable {
    /// Its name.
    pub node: NodeName,
    /// What it fails together with.
    pub zone: Zone,
    /// Whether it votes now.
    pub votes: bool,
    /// Whether it holds a lease and stays. A voter without is to be replaced.
    pub stays: bool,
}

impl Electable {
    /// Every member that may vote or does: those of the role, by what became of them, and those that vote though they are no
    /// members any more.
    pub fn of(view: &View, voters: &BTreeSet<NodeName>) -> Vec<Self> {
        let rows = view.members.iter();
        let rows = rows.filter(|(node, row)| row.identity.role == Role::Voter || voters.contains(*node));
        let present = rows.map(|(node, row)| Self {
            node: node.clone(),
            zone: row.identity.zone.clone(),
            votes: voters.contains(node),
            stays: row.identity.role == Role::Voter && matches!(row.state, MemberState::Joining | MemberState::Live),
        });
        let unknown = voters.iter().filter(|node| !view.members.contains_key(*node));
        let unknown = unknown.map(|node| Self {
            node: node.clone(),
            zone: Zone::default(),
            votes: true,
            stays: false,
        });
        present.chain(unknown).collect()
    }
}

/// One change of the voters. The next is begun when this one is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoterChange {
    /// The node begins to vote.
    Add(NodeName),
    /// The node votes no longer.
    Remove(NodeName),
}

impl fmt::Display for VoterChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(node) => write!(f, "{node} begins to vote"),
            Self::Remove(node) => write!(f, "{node} votes no longer"),
        }
    }
}

/// Too few voters are left to change anything; bring one of them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{present} of {voters} voters are there, which is no majority")]
pub struct NoMajority {
    /// How many vote.
    pub voters: usize,
    /// How many of those are there.
    pub present: usize,
}

/// What to change, in this order, so that as many vote as the nodes that stay allow: one, three or five.
///
/// A voter that is gone is removed only with its replacement at hand, and before that is added: with it the new one
/// would raise the majority while the gone one cannot help to reach it. New voters come from the zones that have fewest.
pub fn plan(nodes: &[Electable]) -> Result<Vec<VoterChange>, NoMajority> {
    let voters: Vec<_> = nodes.iter().filter(|it| it.votes).collect();
    let present = voters.iter().filter(|it| it.stays).count();
    if !voters.is_empty() && present * 2 <= voters.len() {
        let voters = voters.len();
        return Err(NoMajority { voters, present });
    }
    let wanted = match nodes.iter().filter(|it| it.stays).count() {
        0 => 0,
        1..=2 => 1,
        3..=4 => 3,
        _ => MAX_VOTERS,
    };
    // Who votes keeps its vote, also when fewer could now: no failure is tolerated better by fewer.
    let wanted = wanted.max(voters.len());
    let mut zones: BTreeMap<&Zone, usize> = BTreeMap::new();
    for voter in voters.iter().filter(|it| it.stays) {
        *zones.entry(&voter.zone).or_default() += 1;
    }
    let mut gone: Vec<_> = voters.iter().filter(|it| !it.stays).map(|it| &it.node).collect();
    gone.sort();
    let mut gone = gone.into_iter();
    let mut free: Vec<_> = nodes.iter().filter(|it| it.stays && !it.votes).collect();
    let mut changes = Vec::new();
    for _ in present..wanted {
        let fewest = |it: &&Electable| (zones.get(&it.zone).copied().unwrap_or_default(), it.node.clone());
        let Some(chosen) = free.iter().copied().min_by_key(fewest) else {
            break;
        };
        free.retain(|it| it.node != chosen.node);
        *zones.entry(&chosen.zone).or_default() += 1;
        changes.extend(gone.next().cloned().map(VoterChange::Remove));
        changes.push(VoterChange::Add(chosen.node.clone()));
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Names with `*` if they vote and `-` if they are gone; each in the zone of its last letter.
    fn nodes(text: &str) -> Vec<Electable> {
        let of = |word: &str| {
            let name = word.trim_end_matches(['*', '-']);
            Electable {
                node: NodeName::new(name).unwrap(),
                zone: Zone::new(&name[name.len() - 1..]).unwrap(),
                votes: word.contains('*'),
                stays: !word.contains('-'),
            }
        };
        text.split_whitespace().map(of).collect()
    }

    fn changes(text: &str) -> String {
        match plan(&nodes(text)) {
            Ok(changes) => changes
                .iter()
                .map(|change| match change {
                    VoterChange::Add(node) => format!("+{node}"),
                    VoterChange::Remove(node) => format!("-{node}"),
                })
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn voters_grow_from_one_to_three_to_five_over_the_zones() {
        for (nodes, expected) in [
            ("", ""),
            ("1a", "+1a"),
            ("1a* 2b", ""),
            ("1a* 2a 3b 4c", "+3b +4c"),
            ("1a* 2b* 3c* 4a", ""),
            ("1a* 2b* 3c* 4a 5b 6b", "+4a +5b"),
            ("1a* 2a* 3a* 4a 5a 6a", "+4a +5a"),
        ] {
            assert_eq!(changes(nodes), expected, "{nodes}");
        }
    }

    #[test]
    fn a_voter_that_is_gone_is_replaced_and_otherwise_kept() {
        for (nodes, expected) in [
            ("1a* 2b* 3c*-", ""),
            ("1a* 2b* 3c*- 4a", "-3c +4a"),
            ("1a* 2b* 3c*- 4a 5c", "-3c +5c"),
            ("1a* 2b* 3c* 4d*- 5e*-", ""),
            ("1a* 2b*- 3c*-", "1 of 3 voters are there, which is no majority"),
            ("1a*-", "0 of 1 voters are there, which is no majority"),
        ] {
            assert_eq!(changes(nodes), expected, "{nodes}");
        }
    }

    #[test]
    fn a_voter_is_replaced_when_it_drains_leaves_dies_or_is_forgotten() {
        use crate::membership::records::{Identity, MemberRow};
        let name = |text: &str| NodeName::new(text).unwrap();
        let row = |text: &str, role, state| {
            let node = format!("{text}~1").parse().unwrap();
            let zone = Zone::default();
            let identity = Identity {
                node,
                role,
                zone,
                weight: 1,
                address: None,
            };
            (name(text), MemberRow { identity, state })
        };
        let view = View {
            members: BTreeMap::from([
                row("n1", Role::Voter, MemberState::Live),
                row("n2", Role::Voter, MemberState::Joining),
                row("n3", Role::Voter, MemberState::Draining),
                row("n4", Role::Voter, MemberState::Live),
                row("n5", Role::Member, MemberState::Live),
                row("n6", Role::Voter, MemberState::Dead),
            ]),
            ..View::default()
        };
        let voters = |names: &[&str]| names.iter().map(|text| name(text)).collect();
        for gone in ["n3", "n6", "n9", "n5"] {
            let found = plan(&Electable::of(&view, &voters(&["n1", "n2", gone])));
            let expected = vec![VoterChange::Remove(name(gone)), VoterChange::Add(name("n4"))];
            assert_eq!(found, Ok(expected), "{gone}");
        }
    }

    proptest! {
        #[test]
        fn every_step_of_a_plan_keeps_a_majority_there(
            flags in prop::collection::vec((any::<bool>(), any::<bool>(), 0_u8..3), 1..12)
        ) {
            let of = |(index, (votes, stays, zone)): (usize, &(bool, bool, u8))| Electable {
                node: NodeName::new(&format!("n{index}")).unwrap(),
                zone: Zone::new(&zone.to_string()).unwrap(),
                votes: *votes,
                stays: *stays,
            };
            let mut nodes: Vec<_> = flags.iter().enumerate().map(of).collect();
            let Ok(changes) = plan(&nodes) else { return Ok(()) };
            for change in changes {
                let (name, votes) = match &change {
                    VoterChange::Add(node) => (node, true),
                    VoterChange::Remove(node) => (node, false),
                };
                let node = nodes.iter_mut().find(|it| it.node == *name).unwrap();
                prop_assert!(node.votes != votes);
                node.votes = votes;
                let voters = nodes.iter().filter(|it| it.votes);
                prop_assert!(voters.clone().filter(|it| it.stays).count() * 2 > voters.count());
            }
            prop_assert_eq!(plan(&nodes), Ok(Vec::new()));
        }
    }
}
