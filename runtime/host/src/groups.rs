//! Groups: which agents of this node can be reached by the name of their group.
//!
//! Invariant: an agent is in the table for as long as a [`Membership`] of it lives, and a group for as long as it has
//! members; so the table is bounded by the agents of the node.

use rungs_types::AgentId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

/// Each member with the number of its memberships: an agent that is started again joins before its last tree is gone.
type Members = BTreeMap<AgentId, usize>;

/// The groups of a node.
#[derive(Debug, Default)]
pub struct Groups(RwLock<BTreeMap<AgentId, Members>>);

impl Groups {
    /// The agent is in the group for as long as the result lives.
    pub fn join(self: &Arc<Self>, group: AgentId, agent: AgentId) -> Membership {
        self.write(|groups| {
            let count = groups
                .entry(group.clone())
                .or_default()
                .entry(agent.clone())
                .or_default();
            *count += 1;
        });
        Membership {
            groups: Arc::clone(self),
            group,
            agent,
        }
    }

    /// The first members by name.
    pub fn members(&self, group: &AgentId, limit: usize) -> BTreeSet<AgentId> {
        let groups = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let members = groups.get(group).into_iter().flat_map(BTreeMap::keys);
        members.take(limit).cloned().collect()
    }

    fn write(&self, change: impl FnOnce(&mut BTreeMap<AgentId, Members>)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// An agent's place in a group; dropping it takes the agent out.
#[derive(Debug)]
#[must_use = "dropping a membership takes the agent out of the group"]
pub struct Membership {
    groups: Arc<Groups>,
    group: AgentId,
    agent: AgentId,
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.groups.write(|groups| {
            let Some(members) = groups.get_mut(&self.group) else {
                return;
            };
            if let Some(count) = members.get_mut(&self.agent) {
                *count -= 1;
                if *count == 0 {
                    members.remove(&self.agent);
                }
            }
            if members.is_empty() {
                groups.remove(&self.group);
            }
        });
    }
}

/// To whom something goes that is sent to a group: the `limit` members that come after the sender in the order of names,
/// and on from the first; never the sender. So each member is heard by as many as it hears, however many there are.
pub fn recipients(members: &BTreeSet<AgentId>, sender: Option<&AgentId>, limit: usize) -> Vec<AgentId> {
    let Some(sender) = sender else {
        return members.iter().take(limit).cloned().collect();
    };
    let after = members.range((Bound::Excluded(sender), Bound::Unbounded));
    let before = members.range::<AgentId, _>((Bound::Unbounded, Bound::Excluded(sender)));
    after.chain(before).take(limit).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AgentId {
        text.parse().expect("a name")
    }

    fn names(text: &str) -> BTreeSet<AgentId> {
        text.split_whitespace().map(id).collect()
    }

    #[test]
    fn an_agent_is_a_member_while_one_of_its_memberships_lives() {
        let groups = Arc::new(Groups::default());
        let members = || groups.members(&id("web"), 10);
        let first = groups.join(id("web"), id("a"));
        let other = groups.join(id("web"), id("b"));
        let elsewhere = groups.join(id("acme/web"), id("acme/c"));
        assert_eq!(members(), names("a b"));
        let again = groups.join(id("web"), id("a"));
        drop(first);
        assert_eq!(members(), names("a b"));
        assert_eq!(groups.members(&id("web"), 1), names("a"));
        drop(again);
        assert_eq!(members(), names("b"));
        drop((other, elsewhere));
        assert!(groups.0.read().expect("not poisoned").is_empty());
    }

    #[test]
    fn each_member_of_a_large_group_is_heard_by_as_many_as_it_hears() {
        let members: BTreeSet<AgentId> = (1..=40).map(|index| id(&format!("a-{index}"))).collect();
        let mut heard = BTreeMap::<AgentId, usize>::new();
        for sender in &members {
            let to = recipients(&members, Some(sender), 5);
            assert!(to.len() == 5 && !to.contains(sender));
            assert_eq!(to, recipients(&members, Some(sender), 5), "the same each time");
            to.into_iter().for_each(|agent| *heard.entry(agent).or_default() += 1);
        }
        assert!(heard.len() == 40 && heard.values().all(|count| *count == 5));
        assert_eq!(recipients(&names("a b c"), Some(&id("b")), 5), [id("c"), id("a")]);
        assert_eq!(
            recipients(&names("a b c"), Some(&id("bb")), 5),
            [id("c"), id("a"), id("b")]
        );
        assert_eq!(recipients(&names("a"), Some(&id("a")), 5), []);
        assert_eq!(recipients(&names("a b c"), None, 2), [id("a"), id("b")]);
    }
}
