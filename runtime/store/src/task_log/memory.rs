//! [`MemoryTaskLogs`]: logs that live as long as the process. For tests, and for nodes that need not remember.

use super::{Base, LogEntry, MAX_LOG_BYTES, Tail, TaskLogStore, check_base, check_sizes};
use crate::snapshot::StoreError;
use rungs_types::{AgentId, Epoch};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

type Table = BTreeMap<AgentId, Log>;

#[derive(Debug, Default)]
struct Log {
    entries: Vec<LogEntry>,
    last: u64,
    base: Option<Base>,
}

impl Log {
    fn rebase(&mut self, base: &Base) {
        if self.base.as_ref().is_some_and(|kept| kept.seq >= base.seq) || base.seq == 0 {
            return;
        }
        self.entries.retain(|entry| entry.seq > base.seq);
        self.last = self.last.max(base.seq);
        self.base = Some(base.clone());
    }
}

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
    fn append(&self, agent: &AgentId, _: Epoch, entries: &[LogEntry], _: bool) -> Result<u64, StoreError> {
        check_sizes(entries)?;
        self.with(|table| {
            let log = table.entry(agent.clone()).or_default();
            let bytes = size(&log.entries);
            if bytes + size(entries) > MAX_LOG_BYTES {
                let path = PathBuf::from(agent.to_string());
                return Err(StoreError::LogFull { path, bytes });
            }
            for entry in entries {
                if entry.seq > log.last {
                    log.last = entry.seq;
                    log.entries.push(entry.clone());
                }
            }
            Ok(log.last)
        })
    }

    fn read(&self, agent: &AgentId, after: u64) -> Result<Tail, StoreError> {
        Ok(self.with(|table| {
            let Some(log) = table.get(agent) else {
                return Tail::default();
            };
            let entries = log.entries.iter().filter(|entry| entry.seq > after);
            Tail {
                base: log.base.clone(),
                entries: entries.cloned().collect(),
                torn_bytes: 0,
            }
        }))
    }

    fn trim(&self, agent: &AgentId, _: Epoch, base: &Base) -> Result<(), StoreError> {
        check_base(base)?;
        self.with(|table| {
            if let Some(log) = table.get_mut(agent) {
                log.rebase(base);
            }
        });
        Ok(())
    }

    fn keep(&self, agent: &AgentId, _: Epoch, base: &Base) -> Result<(), StoreError> {
        check_base(base)?;
        self.with(|table| table.entry(agent.clone()).or_default().rebase(base));
        Ok(())
    }

    fn remove(&self, agent: &AgentId, _: Epoch) -> Result<bool, StoreError> {
        Ok(self.with(|table| table.remove(agent).is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_conforms() {
        crate::task_log::conformance::check(MemoryTaskLogs::new);
        crate::task_log::conformance::check_bases(MemoryTaskLogs::new);
    }
}
