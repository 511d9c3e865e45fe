//! What is sent to a group: to at most five of its members, wherever they are.
//!
//! Each node says which of its own agents are in a group; the answers are good for [`KNOWN_FOR`], so that a chatty group
//! costs each pair of nodes one question in that time. A node that does not answer is left out until the next look-up.

use crate::actor::{self, Members};
use crate::directory::{Directory, Inner, LOCATE_DEADLINE};
use rungs_host::{Context, Format, Payload, Refusal, groups};
use rungs_mesh::Outbound;
use rungs_types::peer::MAX_RECIPIENTS;
use rungs_types::{Address, AgentId, ErrorCode, NodeName};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Most members of a group that one node tells another.
pub const MAX_MEMBERS: usize = 1_000;
/// Most groups whose members on other nodes are remembered.
pub const MAX_GROUPS: usize = 256;
/// For how long they are.
pub const KNOWN_FOR: Duration = Duration::from_secs(5);

/// The members of a group, and when they were asked for.
type Asked = (Arc<BTreeSet<AgentId>>, Instant);

/// The members of groups on other nodes, as of the last look-up.
#[derive(Debug, Default)]
pub(crate) struct Known {
    groups: Mutex<HashMap<AgentId, Asked>>,
    /// One look-up at a time: who waits for it mostly finds what it looked for.
    look_up: tokio::sync::Mutex<()>,
}

impl Known {
    fn get(&self, group: &AgentId) -> Option<Arc<BTreeSet<AgentId>>> {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let (members, until) = groups.get(group)?;
        (*until > Instant::now()).then(|| Arc::clone(members))
    }

    /// When full, what has expired goes first, then whatever expires first.
    fn note(&self, group: &AgentId, members: &Arc<BTreeSet<AgentId>>) {
        let now = Instant::now();
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if groups.len() >= MAX_GROUPS && !groups.contains_key(group) {
            groups.retain(|_, (_, until)| *until > now);
        }
        if groups.len() >= MAX_GROUPS && !groups.contains_key(group) {
            let first = groups.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(first) = first.map(|(group, _)| group.clone()) {
                groups.remove(&first);
            }
        }
        groups.insert(group.clone(), (Arc::clone(members), now + KNOWN_FOR));
    }
}

impl Directory {
    /// Sends to at most five members of a group other than the sender, the same ones while the group stays the same; to how
    /// many it was sent. Members that cannot be reached are left out; it is an error only if none can be, or there are none.
    pub async fn tell_group(
        &self,
        group: &AgentId,
        sender: Option<&AgentId>,
        payload: &Payload,
    ) -> Result<usize, Refusal> {
        self.inner.tell_group(group, sender, payload).await
    }

    /// The members of a group on every node that answers, as of the last look-up.
    pub async fn members_of(&self, group: &AgentId) -> BTreeSet<AgentId> {
        self.inner.members_of(group).await
    }
}

impl Inner {
    pub(crate) async fn tell_group(
        &self,
        group: &AgentId,
        sender: Option<&AgentId>,
        payload: &Payload,
    ) -> Result<usize, Refusal> {
        let members = self.members_of(group).await;
        let mut failed = None;
        let mut sent = 0;
        for agent in groups::recipients(&members, sender, MAX_RECIPIENTS) {
            let to = Address::from(agent);
            match Box::pin(self.tell(to, payload.clone())).await {
                Ok(()) => sent += 1,
                Err(refusal) => failed = Some(refusal),
            }
        }
        match failed {
            Some(refusal) if sent == 0 => Err(refusal),
            None if sent == 0 => {
                let text = format!("nobody else is in group:{group}");
                Err(Refusal::new(ErrorCode::NotFound, &text))
            }
            _ => Ok(sent),
        }
    }

    async fn members_of(&self, group: &AgentId) -> BTreeSet<AgentId> {
        let mut members = self.mesh.endpoints().groups().members(group, usize::MAX);
        members.extend(self.members_elsewhere(group).await.iter().cloned());
        members
    }

    async fn members_elsewhere(&self, group: &AgentId) -> Arc<BTreeSet<AgentId>> {
        if let Some(known) = self.known.get(group) {
            return known;
        }
        let _turn = self.known.look_up.lock().await;
        if let Some(known) = self.known.get(group) {
            return known;
        }
        let linked = self.mesh.peers();
        let members = self.routing.members();
        let nodes = members.iter().filter(|node| linked.contains_key(*node));
        let asked = nodes.map(|node| self.members_on(node, group));
        let answers = futures::future::join_all(asked).await;
        let members = Arc::new(answers.into_iter().flatten().flatten().collect());
        self.known.note(group, &members);
        members
    }

    async fn members_on(&self, node: &NodeName, group: &AgentId) -> Result<Vec<AgentId>, Refusal> {
        let question = Members { group: group.clone() };
        let message = Outbound {
            to: &actor::address(node),
            payload: &Payload::of(&question, Format::Binary)?,
            context: &Context::default(),
            sent_by: None,
        };
        let members: Vec<AgentId> = self.mesh.ask(node, message, LOCATE_DEADLINE).await?.decode()?;
        // What another node says is taken as far as a node may say it.
        let same_tenant = members.into_iter().filter(|agent| agent.tenant == group.tenant);
        Ok(same_tenant.take(MAX_MEMBERS).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_said_of_a_group_is_good_for_a_while_and_no_more_groups_than_the_limit_are_remembered() {
        let known = Known::default();
        let group = |index: usize| -> AgentId { format!("g-{index}").parse().expect("a name") };
        let members = Arc::new(BTreeSet::from([group(0)]));
        for index in 0..=MAX_GROUPS {
            known.note(&group(index), &members);
            tokio::time::advance(Duration::from_micros(1)).await;
        }
        assert_eq!(known.groups.lock().expect("not poisoned").len(), MAX_GROUPS);
        assert_eq!(known.get(&group(0)), None);
        assert_eq!(known.get(&group(MAX_GROUPS)), Some(members));
        tokio::time::advance(KNOWN_FOR).await;
        assert_eq!(known.get(&group(MAX_GROUPS)), None);
    }
}
