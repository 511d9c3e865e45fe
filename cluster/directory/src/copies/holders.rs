//! [`Holders`]: which node should hold the copies of a shard's snapshots.

use crate::placement::candidate::copy_holder;
use crate::placement::{Candidate, Member, Placement, Shard, Standing, Zone};
use rungs_types::NodeName;
use std::sync::Arc;

/// Says where the copies of this node's shards go. Asked at each snapshot: it must be quick and must not wait.
pub trait Holders: Send + Sync + 'static {
    /// The node that should hold copies of a shard that this node owns; none while there is no other.
    fn holder(&self, shard: Shard) -> Option<NodeName>;

    /// Whether this node owns a shard.
    fn owns(&self, shard: Shard) -> bool;

    /// Whether this node is its whole cluster and always was, so that nothing of its agents is anywhere else.
    fn alone(&self) -> bool;
}

/// The holders among members that do not change.
pub struct ConfiguredHolders {
    node: NodeName,
    candidates: Vec<Candidate>,
    placement: Arc<dyn Placement>,
}

impl ConfiguredHolders {
    /// For this node among these members, itself among them, and where their shards are placed. All are in one zone.
    pub fn new(node: NodeName, members: &[Member], placement: Arc<dyn Placement>) -> Self {
        let candidate = |member: &Member| Candidate {
            node: member.node.clone(),
            weight: member.weight,
            zone: Zone::default(),
            standing: Standing::Live,
        };
        let candidates = members.iter().map(candidate).collect();
        Self {
            node,
            candidates,
            placement,
        }
    }
}

impl Holders for ConfiguredHolders {
    fn holder(&self, shard: Shard) -> Option<NodeName> {
        copy_holder(&self.candidates, shard, &self.node).cloned()
    }

    fn owns(&self, shard: Shard) -> bool {
        self.placement.owner(shard) == Some(&self.node)
    }

    fn alone(&self) -> bool {
        self.candidates.iter().all(|candidate| candidate.node == self.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::StaticPlacement;

    fn members(names: &[&str]) -> Vec<Member> {
        let member = |name: &&str| Member {
            node: NodeName::new(name).expect("a name"),
            weight: 1,
        };
        names.iter().map(member).collect()
    }

    #[test]
    fn a_node_never_holds_its_own_copies_and_a_lone_one_has_no_holder() {
        let three = members(&["n1", "n2", "n3"]);
        let holders = |members: &[Member]| {
            let placement = StaticPlacement::new(members.to_vec()).expect("a placement");
            ConfiguredHolders::new(members[0].node.clone(), members, Arc::new(placement))
        };
        let of_n1 = holders(&three);
        let count = |node: usize| {
            let held = |shard: &Shard| of_n1.holder(*shard).as_ref() == Some(&three[node].node);
            Shard::all().filter(held).count()
        };
        assert_eq!(count(0), 0);
        assert!(count(1) > 1_800 && count(2) > 1_800, "{} and {}", count(1), count(2));
        let owned = Shard::all().filter(|shard| of_n1.owns(*shard)).count();
        assert!((1_200..1_500).contains(&owned) && !of_n1.alone(), "{owned}");
        let one = holders(&three[..1]);
        assert!(
            one.alone()
                && one.owns(Shard::of(&"a".parse().expect("an agent")))
                && one.holder(Shard::of(&"a".parse().expect("an agent"))).is_none()
        );
    }
}
