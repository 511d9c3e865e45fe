//! [`GoalInbox`]: goals that the cluster has accepted and that their agents have not taken yet, in the store.
//!
//! Any node may put one in for any agent, without a fence, so that a goal can be accepted while its agent's node is down. Who
//! owns the agent's shard offers it to the agent, and takes it out when the agent has it durably in its own log. Each has a
//! number, under which an agent that was offered it before knows it again: offering it twice does no harm.
//!
//! Nothing here knows what an agent does with a goal.

use crate::placement::Shard;
use rungs_store::cluster::key::{Key, Parts};
use rungs_store::cluster::read::{By, Consistency};
use rungs_store::cluster::table::{Entry, Table, TableError, Typed, delete, entry, put, row_id};
use rungs_store::cluster::{
    Commit, CommitError, Inserted, Precondition, ReadError, Revision, Scan, Store, TableId, insert_if_absent,
};
use rungs_types::{AgentId, GoalSpec};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long one call of the store may take.
const STORE_WITHIN: Duration = Duration::from_secs(3);
/// Goals that wait for one agent; as many as it can have open.
pub const MAX_WAITING: usize = 64;
/// Goals that are looked at in one go.
pub const MAX_OFFERED: usize = 1_024;
/// Most bytes of an idempotency key.
pub const MAX_KEY_BYTES: usize = 200;
/// Attempts at a call whose outcome was not known, or whose row went away meanwhile.
const MAX_ATTEMPTS: usize = 3;

/// A goal that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// For whom.
    pub agent: AgentId,
    /// The goal.
    pub spec: GoalSpec,
}

/// What a goal is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxKey {
    /// The agent's tenant.
    pub tenant: String,
    /// The idempotency key, one of the tenant's.
    pub key: String,
}

/// The table of goals that wait.
#[derive(Debug, Clone, Copy)]
pub struct GoalInboxTable;

/// Its index by shard, tenant and name of the agent.
const BY_AGENT: By = By::Index(0);

impl Table for GoalInboxTable {
    const ID: TableId = TableId(26);
    const NAME: &'static str = "goal inbox";
    const SCHEMA: u16 = 1;
    const INDEXES: &'static [&'static str] = &["agent"];
    type Key = InboxKey;
    type Value = Waiting;

    fn key(key: &InboxKey) -> Vec<u8> {
        Key::new().text(&key.tenant).text(&key.key).bytes()
    }

    fn read_key(bytes: &[u8]) -> Option<InboxKey> {
        let mut parts = Parts::of(bytes);
        let [tenant, key] = [parts.text()?, parts.text()?].map(String::from_utf8);
        Some(InboxKey {
            tenant: tenant.ok()?,
            key: key.ok()?,
        })
    }

    // Text, so that a field may come or go.
    fn encode(waiting: &Waiting) -> Vec<u8> {
        serde_json::to_vec(waiting).expect("invariant: a goal has a JSON form")
    }

    fn decode(_schema: u16, bytes: &[u8]) -> Option<Waiting> {
        serde_json::from_slice(bytes).ok()
    }

    fn indexes(_: &InboxKey, waiting: &Waiting) -> Vec<Option<Vec<u8>>> {
        vec![Some(of_agent(&waiting.agent))]
    }
}

fn of_agent(agent: &AgentId) -> Vec<u8> {
    let shard = Key::new().number(u64::from(Shard::of(agent).number()));
    shard.text(agent.tenant.as_str()).text(agent.name.as_str()).bytes()
}

/// Why a goal is not accepted, or the inbox not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
    /// Choose another key, or wait until that goal was taken.
    #[error("another goal waits under the key {key:?}")]
    Taken {
        /// The key.
        key: String,
    },
    /// Choose a shorter one.
    #[error("an idempotency key of {bytes} bytes; expected 1 to {MAX_KEY_BYTES}")]
    Key {
        /// How long it is.
        bytes: usize,
    },
    /// Wait until the agent has taken some of them.
    #[error("{MAX_WAITING} goals wait for {agent} already")]
    Full {
        /// The agent.
        agent: AgentId,
    },
    /// Not written, or not known whether: do it again with the same key.
    #[error("the goal is not known to be accepted; submit it again: {0}")]
    Write(#[from] CommitError),
    /// Read again later, or use a newer program; the text says which.
    #[error(transparent)]
    Read(#[from] TableError),
}

impl From<ReadError> for InboxError {
    fn from(error: ReadError) -> Self {
        Self::Read(error.into())
    }
}

/// A goal that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// What it is found by.
    pub key: InboxKey,
    /// For whom, and which.
    pub waiting: Waiting,
    /// No other has this number.
    pub number: u64,
}

impl From<Entry<InboxKey, Waiting>> for Accepted {
    fn from(entry: Entry<InboxKey, Waiting>) -> Self {
        Self {
            key: entry.key,
            waiting: entry.value,
            number: entry.revision.0,
        }
    }
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct GoalInbox {
    store: Arc<dyn Store>,
}

impl std::fmt::Debug for GoalInbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GoalInbox").finish_non_exhaustive()
    }
}

impl GoalInbox {
    /// The inbox in this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Accepts a goal: when this returns it is durable. The same goal under the same key is one, as long as it waits.
    ///
    /// # Errors
    /// See [`InboxError`].
    pub async fn accept(&self, key: &str, waiting: Waiting) -> Result<Accepted, InboxError> {
        if !(1..=MAX_KEY_BYTES).contains(&key.len()) {
            return Err(InboxError::Key { bytes: key.len() });
        }
        let key = InboxKey {
            tenant: waiting.agent.tenant.to_string(),
            key: key.to_owned(),
        };
        let mut unknown = CommitError::Unknown;
        for _ in 0..MAX_ATTEMPTS {
            if let Some(there) = self.get(&key).await? {
                return same(there, waiting);
            }
            self.check_room(&waiting.agent).await?;
            match insert_if_absent(&*self.store, put::<GoalInboxTable>(&key, &waiting), STORE_WITHIN).await {
                Ok(Inserted::New(Revision(number))) => return Ok(Accepted { key, waiting, number }),
                // It is read, or was taken out between the two.
                Ok(Inserted::WasThere) | Err(CommitError::Unknown) => {}
                Err(error @ (CommitError::Overloaded | CommitError::Unavailable)) => unknown = error,
                Err(error @ CommitError::Malformed(_)) => return Err(error.into()),
            }
        }
        Err(unknown.into())
    }

    async fn get(&self, key: &InboxKey) -> Result<Option<Accepted>, InboxError> {
        let row = row_id::<GoalInboxTable>(key);
        let seen = self.store.get(row, Consistency::Consistent, STORE_WITHIN).await?;
        let found = seen.value.as_ref().map(entry::<GoalInboxTable>).transpose()?;
        Ok(found.map(Accepted::from))
    }

    /// Counts what the nearest replica knows: those who come at the same moment may be a few more.
    async fn check_room(&self, agent: &AgentId) -> Result<(), InboxError> {
        let scan = Scan::prefix(GoalInboxTable::ID, BY_AGENT, &of_agent(agent), MAX_WAITING);
        let page = self.store.scan(scan, Consistency::Local, STORE_WITHIN).await?;
        if page.rows.len() == MAX_WAITING {
            return Err(InboxError::Full { agent: agent.clone() });
        }
        Ok(())
    }

    /// The goals that wait for agents that `wanted` knows, ordered by shard and agent; at most [`MAX_OFFERED`]. As the nearest
    /// replica knows it.
    ///
    /// # Errors
    /// If the store does not answer. Rows that cannot be read are left out and told.
    pub async fn waiting(&self, wanted: impl Fn(&AgentId) -> bool) -> Result<Vec<Accepted>, InboxError> {
        let table = Typed::<GoalInboxTable>::of(Arc::clone(&self.store));
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = table
                .page(BY_AGENT, &[], after, Consistency::Local, STORE_WITHIN)
                .await?;
            let own = page.entries.into_iter().filter(|entry| wanted(&entry.value.agent));
            found.extend(own.map(Accepted::from));
            after = page.next.filter(|_| found.len() < MAX_OFFERED);
            if after.is_none() {
                found.truncate(MAX_OFFERED);
                return Ok(found);
            }
        }
    }

    /// Takes a goal out: its agent has it, or will never. Does nothing if it is gone, or is another by now.
    ///
    /// # Errors
    /// If it is not known whether it is out; it is offered again then.
    pub async fn take_out(&self, accepted: &Accepted) -> Result<(), InboxError> {
        let row = row_id::<GoalInboxTable>(&accepted.key);
        let unchanged = Precondition::RevisionIs(row, Revision(accepted.number));
        let commit = Commit::new([unchanged], [delete::<GoalInboxTable>(&accepted.key)]);
        self.store.commit(commit, STORE_WITHIN).await?;
        Ok(())
    }
}

fn same(there: Accepted, waiting: Waiting) -> Result<Accepted, InboxError> {
    if there.waiting == waiting {
        Ok(there)
    } else {
        Err(InboxError::Taken { key: there.key.key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_store::cluster::MemoryStore;

    fn goal(agent: &str, name: &str) -> Waiting {
        let spec = serde_json::json!({
            "goal": name, "intent": "wait",
            "success": {"all": [{"of": {"dimension": 0}, "is": "above", "value": 1000.0}]},
            "tasks": [{"name": "tell", "does": {"raise_incident": {"group": 0}}}]
        });
        Waiting {
            agent: agent.parse().expect("a name"),
            spec: serde_json::from_value(spec).expect("a goal"),
        }
    }

    fn inbox() -> GoalInbox {
        GoalInbox::new(Arc::new(MemoryStore::new()))
    }

    async fn waiting(inbox: &GoalInbox) -> Vec<Accepted> {
        inbox.waiting(|_| true).await.expect("reads")
    }

    #[tokio::test]
    async fn a_goal_is_accepted_once_under_a_key_until_it_is_taken_out() {
        let inbox = inbox();
        let first = inbox.accept("k", goal("acme/a", "g")).await.expect("accepts");
        assert_eq!(inbox.accept("k", goal("acme/a", "g")).await, Ok(first.clone()));
        let other = inbox.accept("k", goal("acme/a", "h")).await;
        assert_eq!(other, Err(InboxError::Taken { key: "k".into() }));
        let elsewhere = inbox.accept("k", goal("b", "g")).await.expect("another tenant's key");
        assert_eq!(waiting(&inbox).await.len(), 2);
        let own = inbox.waiting(|agent| agent.to_string() == "b").await;
        assert_eq!(own, Ok(vec![elsewhere]));
        inbox.take_out(&first).await.expect("takes out");
        inbox.take_out(&first).await.expect("is gone");
        let again = inbox.accept("k", goal("acme/a", "g")).await.expect("accepts");
        assert!(again.number > first.number);
        inbox.take_out(&first).await.expect("is another");
        assert_eq!(waiting(&inbox).await.len(), 2);
    }

    #[tokio::test]
    async fn keys_and_goals_that_wait_for_an_agent_are_bounded() {
        let inbox = inbox();
        for bytes in [0, MAX_KEY_BYTES + 1] {
            let refused = inbox.accept(&"k".repeat(bytes), goal("a", "g")).await;
            assert_eq!(refused, Err(InboxError::Key { bytes }));
        }
        for number in 0..MAX_WAITING {
            let name = format!("g{number}");
            inbox.accept(&name, goal("a", &name)).await.expect("accepts");
        }
        let agent = goal("a", "g").agent;
        assert_eq!(inbox.accept("k", goal("a", "g")).await, Err(InboxError::Full { agent }));
        assert!(inbox.accept("g7", goal("a", "g7")).await.is_ok(), "it waits already");
        assert!(inbox.accept("k", goal("aa", "g")).await.is_ok(), "another agent's");
        assert_eq!(waiting(&inbox).await.len(), MAX_WAITING + 1);
    }
}
