//! [`Records`]: the agents that are registered, in the store: what each is to be, and who wanted it.
//!
//! A record is all that there is of an agent that rests, besides its last state. It is written before the agent runs and
//! deleted after it has ended, so that what was answered as registered is there after any crash.
//!
//! Rows are ordered by shard: who gets a shard reads its agents in one go.

use crate::activation::Index;
use crate::placement::Shard;
use futures::future::try_join_all;
use rungs_host::Refusal;
use rungs_store::cluster::read::{By, Consistency};
use rungs_store::cluster::table::{Table, TableError, Typed, delete, put, row_id};
use rungs_store::cluster::{Commit, CommitError, Fence, Outcome, Precondition, Store, TableId, key};
use rungs_types::{AgentId, AgentSpec, ErrorCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long one call of the store may take.
pub const STORE_DEADLINE: Duration = Duration::from_secs(10);

/// Records that are written at the same time.
const AT_ONCE: usize = 256;

/// Who wanted an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The configuration of a node: when it no longer lists the agent, the record goes.
    Configuration,
    /// An operator or a program, until one of them takes it away.
    Order,
}

/// What is kept of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// What it is to be.
    pub spec: AgentSpec,
    /// Who wanted it.
    pub origin: Origin,
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
}

impl From<RecordError> for Refusal {
    fn from(error: RecordError) -> Self {
        let code = match &error {
            RecordError::Read(TableError::Newer { .. }) => ErrorCode::Incompatible,
            RecordError::Read(TableError::Damaged { .. }) => ErrorCode::Internal,
            RecordError::Read(TableError::Read(_)) | RecordError::Write(_) => ErrorCode::Overloaded,
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

/// What a configuration changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configured {
    /// Records that are new or differ from what was.
    pub written: usize,
    /// Records of agents that the configuration no longer lists.
    pub deleted: Vec<AgentId>,
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
        self.each(|record| {
            let agent = &record.spec.agent;
            if let Some(index) = indices.get_mut(&Shard::of(agent)) {
                index.insert(agent, record.is_resident());
            }
        })
        .await?;
        indices.values_mut().for_each(Index::shrink);
        Ok(indices.into_iter().collect())
    }

    /// Makes the records that a configuration wrote those that it lists now. Those that others wrote stay as they are, also
    /// where the configuration lists them.
    ///
    /// # Errors
    /// If the store does not answer or a write fails; what was written until then stays, and the next call goes on.
    pub async fn configure(&self, specs: &[AgentSpec]) -> Result<Configured, RecordError> {
        let mut listed: BTreeMap<&AgentId, &AgentSpec> = specs.iter().map(|spec| (&spec.agent, spec)).collect();
        let (mut changed, mut configured) = (Vec::new(), Configured::default());
        self.each(|record| {
            let agent = &record.spec.agent;
            match (listed.remove(agent), record.origin) {
                (Some(spec), Origin::Configuration) if *spec != record.spec => changed.push(spec.clone()),
                (None, Origin::Configuration) => configured.deleted.push(agent.clone()),
                (_, Origin::Order) | (Some(_), Origin::Configuration) => {}
            }
        })
        .await?;
        changed.extend(listed.into_values().cloned());
        configured.written = changed.len();
        let origin = Origin::Configuration;
        let records: Vec<AgentRecord> = changed.into_iter().map(|spec| AgentRecord { spec, origin }).collect();
        // Together, so that the store writes them as few batches: one by one each waits for the disk.
        for some in records.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|record| self.replace(record))).await?;
        }
        for some in configured.deleted.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|agent| self.delete(agent, None))).await?;
        }
        Ok(configured)
    }

    async fn each(&self, mut look: impl FnMut(AgentRecord)) -> Result<(), RecordError> {
        let (table, mut after) = (self.table(), None);
        loop {
            let page = table
                .page(By::Key, &[], after, Consistency::Consistent, STORE_DEADLINE)
                .await?;
            page.entries.into_iter().for_each(|entry| look(entry.value));
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
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
    async fn a_configuration_adds_changes_and_takes_away_its_own_records_only() {
        let records = records();
        assert_eq!(insert(&records, &ordered("mine")).await, Ok(Inserted::New));
        let first = records.configure(&[spec("a"), spec("b"), spec("mine")]).await;
        let expected = Configured {
            written: 2,
            deleted: Vec::new(),
        };
        assert_eq!(first, Ok(expected));
        let changed = AgentSpec { seed: 9, ..spec("a") };
        let second = records.configure(&[changed.clone(), spec("c")]).await;
        let expected = Configured {
            written: 2,
            deleted: vec![spec("b").agent],
        };
        assert_eq!(second, Ok(expected));
        let a = records.get(&changed.agent).await.expect("reads").expect("is there");
        assert_eq!((a.spec, a.origin), (changed.clone(), Origin::Configuration));
        assert_eq!(records.get(&spec("mine").agent).await, Ok(Some(ordered("mine"))));
        assert_eq!(
            records.configure(&[changed, spec("c")]).await,
            Ok(Configured::default())
        );
    }
}
