//! [`MemorySnapshots`]: snapshots that live as long as the process. For tests, and for nodes that need not remember.

use crate::snapshot::{
    KEPT_SNAPSHOTS, Latest, Reason, Refused, Snapshot, SnapshotMeta, SnapshotStore, StoreError, check_size, next,
};
use rungs_types::{AgentId, Epoch};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

type Table = BTreeMap<AgentId, VecDeque<Snapshot>>;

/// See the module.
#[derive(Debug, Default)]
pub struct MemorySnapshots {
    // Oldest first, never empty.
    table: Mutex<Table>,
}

impl MemorySnapshots {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Table) -> T) -> T {
        // No panic can leave the table half-changed: each change is one insertion or removal.
        act(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn keep(kept: &mut VecDeque<Snapshot>, last: Snapshot) {
    kept.push_back(last);
    while kept.len() > KEPT_SNAPSHOTS {
        kept.pop_front();
    }
}

impl SnapshotStore for MemorySnapshots {
    fn put_in(&self, agent: &AgentId, epoch: Epoch, version: u16, bytes: &[u8]) -> Result<SnapshotMeta, StoreError> {
        check_size(bytes)?;
        let bytes = bytes.to_vec();
        Ok(self.with(|table| {
            let kept = table.entry(agent.clone()).or_default();
            let meta = next(kept.back().map(|last| last.meta.stamp()), epoch, version);
            keep(kept, Snapshot { meta, bytes });
            meta
        }))
    }

    fn adopt(&self, agent: &AgentId, snapshot: &Snapshot) -> Result<bool, StoreError> {
        check_size(&snapshot.bytes)?;
        Ok(self.with(|table| {
            let kept = table.entry(agent.clone()).or_default();
            let later = kept.back().is_none_or(|last| last.meta.stamp() < snapshot.meta.stamp());
            if later {
                keep(kept, snapshot.clone());
            }
            later
        }))
    }

    fn latest(&self, agent: &AgentId, newest_version: u16) -> Result<Latest, StoreError> {
        Ok(self.with(|table| {
            let mut latest = Latest::default();
            for snapshot in table.get(agent).into_iter().flatten().rev() {
                let SnapshotMeta { sequence, version, .. } = snapshot.meta;
                if version <= newest_version {
                    latest.snapshot = Some(snapshot.clone());
                    break;
                }
                let reason = Reason::NewerContent {
                    found: version,
                    newest: newest_version,
                };
                latest.refused.push(Refused { sequence, reason });
            }
            latest
        }))
    }

    fn remove(&self, agent: &AgentId) -> Result<bool, StoreError> {
        Ok(self.with(|table| table.remove(agent).is_some()))
    }

    fn list(&self) -> Result<Vec<AgentId>, StoreError> {
        Ok(self.with(|table| table.keys().cloned().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_conforms() {
        crate::conformance::check(MemorySnapshots::new);
    }
}
