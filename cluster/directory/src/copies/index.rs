//! The index of snapshots in the store: which snapshot of an agent is known to be the last, and which nodes have it.
//!
//! Rows are ordered by shard, so that who gets a shard reads its agents in one go. They are written in rounds, a few
//! hundred in a commit, in the epoch of their shards: whoever has lost a shard changes no row of it any more.

use crate::copies::queue::Named;
use crate::placement::Shard;
use crate::records::{RecordError, STORE_DEADLINE};
use rungs_host::codec;
use rungs_store::Stamp;
use rungs_store::cluster::fence::FENCES;
use rungs_store::cluster::limits::{MAX_PAGE_ROWS, MAX_PRECONDITIONS, MAX_WRITES};
use rungs_store::cluster::table::{Table, TableError, Typed, delete, put};
use rungs_store::cluster::{
    By, Commit, Consistency, Fence, Outcome, Precondition, ReadError, Scan, Store, TableId, Write, key,
};
use rungs_types::{AgentId, Epoch, NodeName};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The least time between the beginnings of two rounds; a round that takes longer is followed by the next at once.
pub const INDEX_PERIOD: Duration = Duration::from_secs(5);
/// A row that would change in its number alone is written in every so manieth round.
pub const REPEAT_EVERY: u64 = 3;

/// What the index says of an agent's last snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indexed {
    /// The epoch of the shard in which it was written.
    pub epoch: Epoch,
    /// Its number.
    pub sequence: u64,
    /// The node that wrote it.
    pub writer: NodeName,
    /// The node that has a copy of it, or of one before it; later ones may be there, too.
    pub holder: Option<NodeName>,
    /// The SHA-256 of its content, if it had been copied when this was written.
    pub hash: Option<[u8; 32]>,
}

impl Indexed {
    /// Which snapshot it is.
    pub fn stamp(&self) -> Stamp {
        Stamp {
            epoch: self.epoch,
            sequence: self.sequence,
        }
    }
}

/// The table of snapshots. Its key is the shard, the tenant, the name.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotIndex;

fn shard_key(shard: Shard) -> key::Key {
    key::Key::new().number(u64::from(shard.number()))
}

impl Table for SnapshotIndex {
    const ID: TableId = TableId(18);
    const NAME: &'static str = "snapshots";
    const SCHEMA: u16 = 1;
    type Key = AgentId;
    type Value = Indexed;

    fn key(agent: &AgentId) -> Vec<u8> {
        let shard = shard_key(Shard::of(agent));
        shard.text(agent.tenant.as_str()).text(agent.name.as_str()).bytes()
    }

    fn read_key(bytes: &[u8]) -> Option<AgentId> {
        let mut parts = key::Parts::of(bytes);
        let _shard = parts.number()?;
        let [tenant, name] = [parts.text()?, parts.text()?].map(String::from_utf8);
        format!("{}/{}", tenant.ok()?, name.ok()?).parse().ok()
    }

    fn encode(indexed: &Indexed) -> Vec<u8> {
        codec::encode(indexed).expect("invariant: a row of the index is small")
    }

    fn decode(_schema: u16, bytes: &[u8]) -> Option<Indexed> {
        codec::decode(bytes).ok()
    }
}

/// Reads and writes the table.
pub(super) struct Index {
    node: NodeName,
    store: Arc<dyn Store>,
    /// The shards whose fence has ever been raised in the store, as it was last looked at.
    raised: Mutex<Option<Arc<Raised>>>,
}

/// Shards whose fence has been raised, with its epoch.
type Raised = BTreeMap<u16, Epoch>;
/// Rows of one commit, by the fences that they carry.
type Rows = BTreeMap<(Shard, Epoch), Vec<Named>>;

impl Index {
    pub(super) fn new(node: NodeName, store: Arc<dyn Store>) -> Self {
        let raised = Mutex::default();
        Self { node, store, raised }
    }

    /// All rows of a shard.
    pub(super) async fn of_shard(&self, shard: Shard) -> Result<HashMap<AgentId, Indexed>, RecordError> {
        self.rows(shard, Consistency::Consistent).await
    }

    /// The rows of a shard as the nearest replica knows them.
    pub(super) async fn known_here(&self, shard: Shard) -> Result<HashMap<AgentId, Indexed>, RecordError> {
        self.rows(shard, Consistency::Local).await
    }

    async fn rows(&self, shard: Shard, how: Consistency) -> Result<HashMap<AgentId, Indexed>, RecordError> {
        let table: Typed<SnapshotIndex> = Typed::of(Arc::clone(&self.store));
        let (prefix, mut rows, mut after) = (shard_key(shard).bytes(), HashMap::new(), None);
        loop {
            let page = table.page(By::Key, &prefix, after, how, STORE_DEADLINE);
            let page = page.await?;
            rows.extend(page.entries.into_iter().map(|entry| (entry.key, entry.value)));
            after = page.next;
            if after.is_none() {
                return Ok(rows);
            }
        }
    }

    /// The row of an agent.
    pub(super) async fn get(&self, agent: &AgentId) -> Result<Option<Indexed>, RecordError> {
        let table: Typed<SnapshotIndex> = Typed::of(Arc::clone(&self.store));
        let seen = table.get(agent, Consistency::Consistent, STORE_DEADLINE).await?;
        Ok(seen.value.map(|entry| entry.value))
    }

    /// Writes rows, each if its shard is in the epoch in which it may be said; calls `done` with those that are written, and
    /// with those that are not this node's to write any more. Of those of a commit that fails it is not told: they are due
    /// again.
    pub(super) async fn write(&self, rows: Vec<Named>, mut done: impl FnMut(Vec<Named>)) {
        let mut by_fence = Rows::new();
        for named in rows {
            let fence = (Shard::of(&named.agent), named.epoch);
            by_fence.entry(fence).or_default().push(named);
        }
        for some in commits(by_fence) {
            match self.write_some(some).await {
                Ok(written) => done(written),
                Err(error) => tracing::warn!(%error, "the index of snapshots is not written; it is tried again"),
            }
        }
    }

    /// Writes the rows of one commit. Those of a shard whose fence does not hold are left out, and the rest tried again.
    async fn write_some(&self, mut rows: Rows) -> Result<Vec<Named>, RecordError> {
        let (mut finished, mut fresh) = (Vec::new(), false);
        while !rows.is_empty() {
            let raised = self.raised(fresh).await?;
            let places: Vec<(Shard, Epoch)> = rows.keys().copied().collect();
            let fences = places.iter().map(|(shard, epoch)| fence_of(&raised, *shard, *epoch));
            let writes = rows.values().flatten().map(|named| self.row(named));
            let commit = Commit::new(fences.map(Precondition::FenceIs), writes);
            match self.store.commit(commit, STORE_DEADLINE).await? {
                Outcome::Committed(_) => {
                    finished.extend(std::mem::take(&mut rows).into_values().flatten());
                }
                // Perhaps it was raised since the fences were looked at.
                Outcome::Conflict(_) if !fresh => fresh = true,
                Outcome::Conflict(place) => {
                    let stale = places[place.min(places.len() - 1)];
                    tracing::info!(shard = %stale.0, epoch = %stale.1, "no longer this node's: its snapshots are not indexed");
                    finished.extend(rows.remove(&stale).into_iter().flatten());
                }
            }
        }
        Ok(finished)
    }

    fn row(&self, named: &Named) -> Write {
        let indexed = Indexed {
            epoch: named.stamp.epoch,
            sequence: named.stamp.sequence,
            writer: self.node.clone(),
            holder: named.holder.clone(),
            hash: named.hash,
        };
        put::<SnapshotIndex>(&named.agent, &indexed)
    }

    /// Takes an agent's row out, in the epoch of its shard.
    pub(super) async fn delete(&self, agent: &AgentId, epoch: Epoch) -> Result<(), RecordError> {
        for fresh in [false, true] {
            let raised = self.raised(fresh).await?;
            let fence = fence_of(&raised, Shard::of(agent), epoch);
            let commit = Commit::new([Precondition::FenceIs(fence)], [delete::<SnapshotIndex>(agent)]);
            if let Outcome::Committed(_) = self.store.commit(commit, STORE_DEADLINE).await? {
                break;
            }
        }
        Ok(())
    }

    /// The fences that have been raised; `fresh` looks again.
    async fn raised(&self, fresh: bool) -> Result<Arc<Raised>, RecordError> {
        let known = self.raised.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|_| !fresh) {
            return Ok(known);
        }
        let raised = read_fences(self.store.as_ref()).await.map_err(TableError::from)?;
        let raised = Arc::new(raised);
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&raised));
        Ok(raised)
    }
}

/// The fence that a shard's rows carry. A shard that nobody has raised in the store yet is in epoch 0 there, whatever its
/// owner calls its epoch; its rows are written as long as that is so.
fn fence_of(raised: &Raised, shard: Shard, epoch: Epoch) -> Fence {
    let shard = shard.number();
    let epoch = if raised.contains_key(&shard) {
        epoch
    } else {
        Epoch::default()
    };
    Fence { shard, epoch }
}

async fn read_fences(store: &dyn Store) -> Result<Raised, ReadError> {
    let (mut fences, mut after) = (Raised::new(), None);
    loop {
        let scan = Scan {
            after,
            ..Scan::all(FENCES, MAX_PAGE_ROWS)
        };
        let page = store.scan(scan, Consistency::Consistent, STORE_DEADLINE).await?;
        for row in &page.rows {
            if let (Ok(shard), Ok(epoch)) = (row.key.as_slice().try_into(), row.value.as_slice().try_into()) {
                fences.insert(u16::from_be_bytes(shard), Epoch(u64::from_be_bytes(epoch)));
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(fences);
        }
    }
}

/// Parts of the rows that are one commit each: few enough fences, and few enough rows.
fn commits(rows: Rows) -> Vec<Rows> {
    let (mut commits, mut last, mut count) = (Vec::new(), Rows::new(), 0);
    for (fence, named) in rows {
        for some in named.chunks(MAX_WRITES) {
            let full = last.len() == MAX_PRECONDITIONS || count + some.len() > MAX_WRITES;
            if full {
                commits.push(std::mem::take(&mut last));
                count = 0;
            }
            count += some.len();
            last.entry(fence).or_default().extend_from_slice(some);
        }
    }
    if !last.is_empty() {
        commits.push(last);
    }
    commits
}

#[cfg(test)]
mod tests;
