//! [`MemoryTaskLogs`]: logs that live as long as the process. For tests, and for nodes that need not remember.

use super::{LogEntry, MAX_LOG_BYTES, Tail, TaskLogStore, check_sizes};
use crate::snapshot::StoreError;
use rungs_types::AgentId;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

type Table = BTreeMap<AgentId, Vec<LogEntry>>;

/// See the module.
#[derive(Debug, Default)]
pub struct MemoryTaskLogs {
    table: Mutex<Table>,
}

impl MemoryTaskLogs {
    /// No logs.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Table) -> T) -> T {
        // Nothing that a panic could leave half-done makes an entry another one.
        act(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn size(log: &[LogEntry]) -> u64 {
    log.iter().map(|entry| entry.bytes.len() as u64).sum()
}

impl TaskLogStore for MemoryTaskLogs {
    fn append(&self, agent: &AgentId, entries: &[LogEntry], _: bool) -> Result<u64, StoreError> {
        check_sizes(entries)?;
        self.with(|table| {
            let log = table.entry(agent.clone()).or_default();
            let bytes = size(log) + size(entries);
            if bytes > MAX_LOG_BYTES {
                let path = PathBuf::from(agent.to_string());
                return Err(StoreError::LogFull { path, bytes: size(log) });
            }
            for entry in entries {
                if log.last().is_none_or(|last| entry.seq > last.seq) {
                    log.push(entry.clone());
                }
            }
            Ok(log.last().map_or(0, |last| last.seq))
        })
    }

    fn read(&self, agent: &AgentId, after: u64) -> Result<Tail, StoreError> {
        let log = self.with(|table| table.get(agent).cloned().unwrap_or_default());
        Ok(Tail {
            entries: log.into_iter().filter(|entry| entry.seq > after).collect(),
            torn_bytes: 0,
        })
    }

    fn trim(&self, agent: &AgentId, up_to: u64) -> Result<(), StoreError> {
        self.with(|table| {
            if let Some(log) = table.get_mut(agent) {
                // The last stays: it says which numbers were given.
                let last = log.last().map_or(0, |last| last.seq);
                log.retain(|entry| entry.seq > up_to || entry.seq == last);
            }
        });
        Ok(())
    }

    fn remove(&self, agent: &AgentId) -> Result<bool, StoreError> {
        Ok(self.with(|table| table.remove(agent).is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_conforms() {
        crate::task_log::conformance::check(MemoryTaskLogs::new);
    }
}
