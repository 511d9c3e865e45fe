//! [`Index`]: the agents of one shard that are known, at a few tens of bytes each.
//!
//! Where a million agents rest, what counts is what one of them takes: its name, and a byte of what must be known before
//! its record is read. Everything else is in the store.

use rungs_types::AgentId;
use std::collections::HashMap;

/// What is known of an agent that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// It runs when it is wanted.
    OnDemand,
    /// It runs always: when its shard comes, it is started.
    Resident,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Index {
    // The shortest form of a name that there is: `tenant/name`, or `name` in the default tenant.
    agents: HashMap<Box<str>, Rest>,
}

impl Index {
    /// Takes an agent in; `false` if it was known. `resident`: it is to run always.
    pub fn insert(&mut self, agent: &AgentId, resident: bool) -> bool {
        let rest = if resident { Rest::Resident } else { Rest::OnDemand };
        self.agents.insert(agent.to_string().into_boxed_str(), rest).is_none()
    }

    /// Forgets an agent; `false` if it was not known.
    pub fn remove(&mut self, agent: &AgentId) -> bool {
        self.agents.remove(agent.to_string().as_str()).is_some()
    }

    /// Whether the agent is known.
    pub fn contains(&self, agent: &AgentId) -> bool {
        self.agents.contains_key(agent.to_string().as_str())
    }

    /// Whether the agent is to run always.
    pub fn is_resident(&self, agent: &AgentId) -> bool {
        self.agents.get(agent.to_string().as_str()) == Some(&Rest::Resident)
    }

    /// The agents that are to run always, by name.
    pub fn residents(&self) -> Vec<AgentId> {
        let residents = self.agents.iter().filter(|(_, rest)| **rest == Rest::Resident);
        let mut residents: Vec<AgentId> = residents.filter_map(|(name, _)| name.parse().ok()).collect();
        residents.sort();
        residents
    }

    /// How many agents are known.
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// Gives back what growing has left over.
    pub fn shrink(&mut self) {
        self.agents.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(text: &str) -> AgentId {
        text.parse().expect("a valid name")
    }

    #[test]
    fn what_was_taken_in_is_known_until_it_is_forgotten() {
        let mut index = Index::default();
        assert!(index.insert(&agent("a"), false));
        assert!(
            index.insert(&agent("acme/a"), true),
            "another tenant's is another agent"
        );
        assert!(
            !index.insert(&agent("default/a"), false),
            "the default tenant needs no name"
        );
        assert_eq!((index.len(), index.residents()), (2, vec![agent("acme/a")]));
        assert!(index.contains(&agent("a")) && !index.is_resident(&agent("a")));
        assert!(index.remove(&agent("a")) && !index.remove(&agent("a")));
        assert!(!index.contains(&agent("a")) && index.is_resident(&agent("acme/a")));
    }

    #[test]
    fn residents_come_in_order() {
        let mut index = Index::default();
        for name in ["c", "a", "b"] {
            index.insert(&agent(name), name != "b");
        }
        assert_eq!(index.residents(), [agent("a"), agent("c")]);
    }
}
