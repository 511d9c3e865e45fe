//! [`Records`]: the agents that are registered, in the store: what each is to be, and who wanted it.
//!
//! A record is all that there is of an agent that rests, besides its last state. It is written before the agent runs and
//! deleted after it has ended, so that what was answered as registered is there after any crash.
//!
//! Rows are ordered by shard: who gets a shard reads its agents in one go.
//!
//! All nodes of a cluster write here at the same time, each what its configuration lists ([`Records::configure`]). Whoever
//! writes an agent first keeps it: each write is on condition that the row still is as it was read.

mod configure;

pub use configure::Configured;

use crate::activation::Index;
use crate::placement::Shard;
use futures::future::try_join_all;
use rungs_host::Refusal;
use rungs_store::cluster::read::{By, Consistency, ReadError};
use rungs_store::cluster::table::{Entry, Table, TableError, Typed, delete, entry, put, row_id};
use rungs_store::cluster::{
    Commit, CommitError, Fence, Outcome, Precondition, Revision, RowId, Since, Store, TableId, key,
};
use rungs_types::{AgentId, AgentSpec, ErrorCode, NodeName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long one call of the store may take.
pub const STORE_DEADLINE: Duration = Duration::from_secs(10);

/// Records that are written at the same time.
const AT_ONCE: usize = 256;

/// Most shards whose agents are read shard by shard: each is a call of the store, and so is each thousand of all agents.
const MAX_PREFIXES: usize = 64;
/// Shards that are read at the same time.
const PREFIXES_AT_ONCE: usize = 16;

/// Who wanted an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The configuration of a node: when that no longer lists the agent, the record goes. Records of before a cluster had one
    /// store do not say which node.
    Configuration(Option<NodeName>),
    /// An operator or a program, until one of them takes it away.
    Order,
}

/// What is kept of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct AgentRecord {
    /// What it is to be.
    pub spec: AgentSpec,
    /// Who wanted it.
    pub origin: Origin,
}

/// A record as it is written: programs that know no nodes of configurations read it, and this one reads theirs.
#[derive(Serialize, Deserialize)]
struct Stored {
    spec: AgentSpec,
    origin: StoredOrigin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configured_by: Option<NodeName>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredOrigin {
    Configuration,
    Order,
}

impl From<Stored> for AgentRecord {
    fn from(stored: Stored) -> Self {
        let origin = match stored.origin {
            StoredOrigin::Configuration => Origin::Configuration(stored.configured_by),
            StoredOrigin::Order => Origin::Order,
        };
        let spec = stored.spec;
        Self { spec, origin }
    }
}

impl From<AgentRecord> for Stored {
    fn from(record: AgentRecord) -> Self {
        let (origin, configured_by) = match record.origin {
            Origin::Configuration(node) => (StoredOrigin::Configuration, node),
            Origin::Order => (StoredOrigin::Order, None),
        };
        let spec = record.spec;
        Self {
            spec,
            origin,
            configured_by,
        }
    }
}

impl AgentRecord {
    /// It is to run always.
    pub fn is_resident(&self) -> bool {
        self.spec.rests_after_s.is_none()
    }
}

/// The table of agents. Its key is the shard, the tenant, the name.
#[derive(Debug, Clone, Copy)]
pub struct AgentTable;

impl Table for AgentTable {
    const ID: TableId = TableId(16);
    const NAME: &'static str = "agents";
    const SCHEMA: u16 = 1;
    type Key = AgentId;
    type Value = AgentRecord;

    fn key(agent: &AgentId) -> Vec<u8> {
        let shard = key::Key::new().number(u64::from(Shard::of(agent).number()));
        shard.text(agent.tenant.as_str()).text(agent.name.as_str()).bytes()
    }

    fn read_key(bytes: &[u8]) -> Option<AgentId> {
        let mut parts = key::Parts::of(bytes);
        let _shard = parts.number()?;
        let [tenant, name] = [parts.text()?, parts.text()?].map(String::from_utf8);
        format!("{}/{}", tenant.ok()?, name.ok()?).parse().ok()
    }

    // Text, so that a field may come or go.
    fn encode(record: &AgentRecord) -> Vec<u8> {
        serde_json::to_vec(record).expect("invariant: a record has a JSON form")
    }

    fn decode(_schema: u16, bytes: &[u8]) -> Option<AgentRecord> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Why a record is not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Read again later, or use a newer program; the text says which.
    #[error(transparent)]
    Read(#[from] TableError),
    /// Not written, or not known whether: do it again.
    #[error(transparent)]
    Write(#[from] CommitError),
    /// What has changed is not read: try again later, or read all of it anew if there is a gap.
    #[error(transparent)]
    Changes(#[from] ReadError),
    /// Others changed the record each time before this one could: do it again.
    #[error("others keep changing the record of agent {0}")]
    Contended(AgentId),
}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Self {
        let code = match &error {
            RecordError::Read(TableError::Newer { .. }) => ErrorCode::Incompatible,
            RecordError::Read(TableError::Damaged { .. }) => ErrorCode::Internal,
            RecordError::Read(TableError::Read(_))
            | RecordError::Write(_)
            | RecordError::Changes(_)
            | RecordError::Contended(_) => ErrorCode::Overloaded,
        };
        Refusal::new(code, &error.to_string())
    }
}

/// What became of a record that was to be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is there.
    New,
    /// There is one of this name.
    WasThere,
    /// Its shard is another node's now. Nothing was written.
    Moved,
}

/// What came of records that were brought into another store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brought {
    /// Records that are new there.
    pub written: usize,
    /// Agents of which there is another record there, which stays.
    pub left: Vec<AgentId>,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Records {
    store: Arc<dyn Store>,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

impl Records {
    /// The records in this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    fn table(&self) -> Typed<AgentTable> {
        Typed::of(Arc::clone(&self.store))
    }

    /// The record of an agent.
    ///
    /// # Errors
    /// If the store does not answer, or the row is damaged or of a newer program.
    pub async fn get(&self, agent: &AgentId) -> Result<Option<AgentRecord>, RecordError> {
        let seen = self.table().get(agent, Consistency::Consistent, STORE_DEADLINE).await?;
        Ok(seen.value.map(|entry| entry.value))
    }

    /// Writes a record if there is none of this name and its shard is still in this epoch: so whoever gets the shard next
    /// finds it.
    ///
    /// # Errors
    /// If it is not written, or not known whether it is.
    pub async fn insert(&self, record: &AgentRecord, fence: Fence) -> Result<Inserted, RecordError> {
        let agent = &record.spec.agent;
        let conditions = [
            Precondition::FenceIs(fence),
            Precondition::Absent(row_id::<AgentTable>(agent)),
        ];
        let commit = Commit::new(conditions, [put::<AgentTable>(agent, record)]);
        match self.store.commit(commit, STORE_DEADLINE).await {
            Ok(Outcome::Committed(_)) => Ok(Inserted::New),
            Ok(Outcome::Conflict(0)) => Ok(Inserted::Moved),
            Ok(Outcome::Conflict(_)) => Ok(Inserted::WasThere),
            // It may have been written: by this call, if it is there as it was to be.
            Err(CommitError::Unknown) => match self.get(agent).await? {
                Some(found) if found == *record => Ok(Inserted::New),
                Some(_) => Ok(Inserted::WasThere),
                None => Err(CommitError::Unknown.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a record, whether or not there is one of this name.
    ///
    /// # Errors
    /// If it is not written, or not known whether it is.
    pub async fn replace(&self, record: &AgentRecord) -> Result<(), RecordError> {
        let commit = Commit::new([], [put::<AgentTable>(&record.spec.agent, record)]);
        self.store.commit(commit, STORE_DEADLINE).await?;
        Ok(())
    }

    /// Deletes the record of an agent, if there is one; `false` if its shard is in another epoch than this one.
    ///
    /// # Errors
    /// If it is not deleted, or not known whether it is.
    pub async fn delete(&self, agent: &AgentId, fence: Option<Fence>) -> Result<bool, RecordError> {
        let fence = fence.map(Precondition::FenceIs);
        let commit = Commit::new(fence, [delete::<AgentTable>(agent)]);
        let outcome = self.store.commit(commit, STORE_DEADLINE).await?;
        Ok(matches!(outcome, Outcome::Committed(_)))
    }

    /// All agents that are registered in these shards, each with what is known of one that rests.
    ///
    /// # Errors
    /// If the store does not answer, or a row is damaged or of a newer program.
    pub async fn index(&self, shards: impl IntoIterator<Item = Shard>) -> Result<Vec<(Shard, Index)>, RecordError> {
        let mut indices: BTreeMap<Shard, Index> = shards.into_iter().map(|shard| (shard, Index::default())).collect();
        let prefixes: Vec<Vec<u8>> = indices.keys().copied().map(prefix).collect();
        let mut take = |entry: Entry<AgentId, AgentRecord>| {
            if let Some(index) = indices.get_mut(&Shard::of(&entry.key)) {
                index.insert(&entry.key, entry.value.is_resident());
            }
        };
        if prefixes.len() > MAX_PREFIXES {
            self.each(&[], take).await?;
        } else if !prefixes.is_empty() {
            let now = self.known_here().await?;
            for some in prefixes.chunks(PREFIXES_AT_ONCE) {
                let read = some.iter().map(|prefix| self.all(prefix, now));
                try_join_all(read).await?.into_iter().flatten().for_each(&mut take);
            }
        }
        indices.values_mut().for_each(Index::shrink);
        Ok(indices.into_iter().collect())
    }

    /// From where on [`changed`](Self::changed) tells what has changed after this call.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn since(&self) -> Result<Since, RecordError> {
        // Any row will do: it is where the store stands that counts.
        let row = RowId::new(AgentTable::ID, Vec::new());
        let seen = self.store.get(row, Consistency::Consistent, STORE_DEADLINE).await?;
        Ok(Since {
            // From 0 on nothing is ever missed, and there is nothing before.
            after: seen.head.revision,
            began: seen.head.revision,
            ..Since::the_beginning(Some(AgentTable::ID))
        })
    }

    /// What has become of some records that have changed since, and whether that is all. `since` goes on behind them.
    ///
    /// # Errors
    /// If the store does not answer, has forgotten what was deleted, or a row is damaged or of a newer program.
    pub async fn changed(&self, since: &mut Since) -> Result<(Vec<(AgentId, Option<AgentRecord>)>, bool), RecordError> {
        let told = self.store.changes(since.clone(), STORE_DEADLINE).await?;
        since.go_on(&told);
        let is_all = told.through >= told.head.revision;
        let mut changed = Vec::new();
        for change in told.changes {
            let damaged = TableError::Damaged {
                table: AgentTable::NAME,
            };
            let agent = AgentTable::read_key(&change.key).ok_or(damaged)?;
            let record = change.into_row().as_ref().map(entry::<AgentTable>).transpose()?;
            changed.push((agent, record.map(|entry| entry.value)));
        }
        Ok((changed, is_all))
    }

    /// Writes what operators and programs registered here into another store, where nobody of the same name is.
    ///
    /// # Errors
    /// If one of the stores does not answer; what was written until then stays, and the next call goes on.
    pub async fn bring_into(&self, to: &Self) -> Result<Brought, RecordError> {
        let mut ordered = Vec::new();
        self.each(&[], |entry| match entry.value.origin {
            Origin::Order => ordered.push(entry.value),
            Origin::Configuration(_) => {}
        })
        .await?;
        let mut brought = Brought::default();
        for some in ordered.chunks(AT_ONCE) {
            let inserted = try_join_all(some.iter().map(|record| to.add(record))).await?;
            for (record, is_new) in some.iter().zip(inserted) {
                if is_new {
                    brought.written += 1;
                } else if to.get(&record.spec.agent).await?.as_ref() != Some(record) {
                    brought.left.push(record.spec.agent.clone());
                }
            }
        }
        Ok(brought)
    }

    /// Writes a record if there is none of this name, whoever has its shard.
    async fn add(&self, record: &AgentRecord) -> Result<bool, RecordError> {
        let agent = &record.spec.agent;
        let absent = Precondition::Absent(row_id::<AgentTable>(agent));
        let commit = Commit::new([absent], [put::<AgentTable>(agent, record)]);
        let outcome = self.store.commit(commit, STORE_DEADLINE).await?;
        Ok(matches!(outcome, Outcome::Committed(_)))
    }

    /// Where the store stands, once the replica that answers here knows as much. To make sure of that takes all voters, and
    /// much longer than to read a few rows: so it is done once, and what is read then is read here.
    async fn known_here(&self) -> Result<Revision, RecordError> {
        let now = self.since().await?.after;
        if let Some(before) = now.0.checked_sub(1) {
            self.store.moved(Revision(before), STORE_DEADLINE).await?;
        }
        Ok(now)
    }

    /// The records whose keys begin with this, as of `now` or later.
    async fn all(&self, prefix: &[u8], now: Revision) -> Result<Vec<Entry<AgentId, AgentRecord>>, RecordError> {
        let page = self
            .table()
            .page(By::Key, prefix, None, Consistency::Local, STORE_DEADLINE)
            .await?;
        if page.head.revision >= now && page.next.is_none() {
            return Ok(page.entries);
        }
        let mut all = Vec::new();
        self.each(prefix, |entry| all.push(entry)).await?;
        Ok(all)
    }

    /// Looks at each record whose key begins with this.
    async fn each(&self, prefix: &[u8], mut look: impl FnMut(Entry<AgentId, AgentRecord>)) -> Result<(), RecordError> {
        let (table, mut after) = (self.table(), None);
        loop {
            let page = table
                .page(By::Key, prefix, after, Consistency::Consistent, STORE_DEADLINE)
                .await?;
            page.entries.into_iter().for_each(&mut look);
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// What the keys of a shard's agents begin with.
fn prefix(shard: Shard) -> Vec<u8> {
    key::Key::new().number(u64::from(shard.number())).bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_store::cluster::MemoryStore;

    fn records() -> Records {
        Records::new(Arc::new(MemoryStore::new()))
    }

    fn spec(name: &str) -> AgentSpec {
        AgentSpec::new(name.parse().expect("a valid name"))
    }

    fn ordered(name: &str) -> AgentRecord {
        AgentRecord {
            spec: spec(name),
            origin: Origin::Order,
        }
    }

    /// Shards that were never raised are in epoch 0.
    async fn insert(records: &Records, record: &AgentRecord) -> Result<Inserted, RecordError> {
        let shard = Shard::of(&record.spec.agent).number();
        let epoch = rungs_types::Epoch(0);
        records.insert(record, Fence { shard, epoch }).await
    }

    #[tokio::test]
    async fn a_record_is_not_written_for_a_shard_that_has_moved() {
        let records = records();
        let record = ordered("acme/a");
        let shard = Shard::of(&record.spec.agent).number();
        let before = Fence {
            shard,
            epoch: rungs_types::Epoch(0),
        };
        let raise = rungs_store::cluster::Write::Raise(before.next());
        let commit = Commit::new([Precondition::FenceIs(before)], [raise]);
        records.store.commit(commit, STORE_DEADLINE).await.expect("raised");
        assert_eq!(records.insert(&record, before).await, Ok(Inserted::Moved));
        assert_eq!(records.get(&record.spec.agent).await, Ok(None));
        assert_eq!(records.insert(&record, before.next()).await, Ok(Inserted::New));
        assert_eq!(records.delete(&record.spec.agent, Some(before)).await, Ok(false));
        assert_eq!(records.delete(&record.spec.agent, Some(before.next())).await, Ok(true));
    }

    #[tokio::test]
    async fn a_record_is_written_once_and_read_as_it_was_written() {
        let records = records();
        assert_eq!(insert(&records, &ordered("acme/a")).await, Ok(Inserted::New));
        let other = AgentRecord {
            spec: AgentSpec {
                seed: 7,
                ..spec("acme/a")
            },
            origin: Origin::Order,
        };
        assert_eq!(insert(&records, &other).await, Ok(Inserted::WasThere));
        assert_eq!(records.get(&spec("acme/a").agent).await, Ok(Some(ordered("acme/a"))));
        assert_eq!(records.get(&spec("a").agent).await, Ok(None), "another tenant's");
        assert_eq!(records.replace(&other).await, Ok(()));
        assert_eq!(records.get(&spec("acme/a").agent).await, Ok(Some(other)));
        assert_eq!(records.delete(&spec("acme/a").agent, None).await, Ok(true));
        assert_eq!(records.delete(&spec("acme/a").agent, None).await, Ok(true));
        assert_eq!(records.get(&spec("acme/a").agent).await, Ok(None));
    }

    #[tokio::test]
    async fn a_shard_knows_its_agents_over_many_pages() {
        let records = records();
        let names: Vec<String> = (0..3_000).map(|number| format!("a-{number}")).collect();
        for name in &names {
            let rests_after_s = (!name.ends_with('0')).then_some(60);
            let spec = AgentSpec {
                rests_after_s,
                ..spec(name)
            };
            let origin = Origin::Order;
            assert_eq!(insert(&records, &AgentRecord { spec, origin }).await, Ok(Inserted::New));
        }
        let indices = records.index(Shard::all()).await.expect("reads");
        let known: usize = indices.iter().map(|(_, index)| index.len()).sum();
        let residents: usize = indices.iter().map(|(_, index)| index.residents().len()).sum();
        assert_eq!((indices.len(), known, residents), (4096, 3_000, 300));
        let agent = spec("a-17").agent;
        let one = records.index([Shard::of(&agent)]).await.expect("reads");
        assert!(one.len() == 1 && one[0].1.contains(&agent) && !one[0].1.is_resident(&agent));
    }

    #[tokio::test]
    async fn a_few_shards_are_read_alone() {
        let records = records();
        for number in 0..500 {
            assert_eq!(records.add(&ordered(&format!("a-{number}"))).await, Ok(true));
        }
        let all = records.index(Shard::all()).await.expect("reads");
        for few in [1, 17, MAX_PREFIXES, MAX_PREFIXES + 1] {
            let some = all.iter().take(few).map(|(shard, _)| *shard);
            for ((shard, index), (expected_shard, expected)) in
                records.index(some).await.expect("reads").iter().zip(&all)
            {
                assert_eq!((shard, index.residents()), (expected_shard, expected.residents()));
            }
        }
    }

    #[test]
    fn records_of_before_and_after_nodes_were_named_are_read() {
        let of = |text: &str| serde_json::from_str::<AgentRecord>(text).expect("a record").origin;
        let text = |rest: &str| format!(r#"{{"spec":{{"agent":"a"}},"origin":{rest}}}"#);
        assert_eq!(of(&text(r#""order""#)), Origin::Order);
        assert_eq!(of(&text(r#""configuration""#)), Origin::Configuration(None));
        let named = Origin::Configuration(Some(NodeName::new("n1").expect("a name")));
        assert_eq!(of(&text(r#""configuration","configured_by":"n1""#)), named);
        for origin in [named, Origin::Configuration(None), Origin::Order] {
            let record = AgentRecord {
                spec: spec("a"),
                origin,
            };
            let bytes = AgentTable::encode(&record);
            assert_eq!(AgentTable::decode(1, &bytes), Some(record));
        }
    }

    #[tokio::test]
    async fn what_was_ordered_goes_into_another_store_once() {
        let (from, to) = (records(), records());
        let node = NodeName::new("n2").expect("a name");
        assert!(from.configure(&node, &[spec("listed")]).await.is_ok());
        for name in ["a", "b", "c"] {
            assert_eq!(from.add(&ordered(name)).await, Ok(true));
        }
        let other = AgentRecord {
            spec: AgentSpec { seed: 7, ..spec("b") },
            origin: Origin::Order,
        };
        assert_eq!(to.add(&other).await, Ok(true));
        let left = vec![other.spec.agent.clone()];
        for written in [2, 0] {
            let left = left.clone();
            assert_eq!(from.bring_into(&to).await, Ok(Brought { written, left }));
        }
        assert_eq!(to.get(&spec("a").agent).await, Ok(Some(ordered("a"))));
        assert_eq!(to.get(&other.spec.agent).await, Ok(Some(other)));
        assert_eq!(
            to.get(&spec("listed").agent).await,
            Ok(None),
            "whoever lists it writes it"
        );
    }
}
