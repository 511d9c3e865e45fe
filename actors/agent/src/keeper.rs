//! The keeper of an agent's snapshots: writes the record after a cut and after each change of authority.
//!
//! Part of the root. Invariant: a record is written whole or not at all, and nobody goes on believing in one that was
//! not written: who needs it to be durable gets the error.

use crate::error::AgentError;
use crate::journal;
use crate::kernel::KernelPart;
use crate::level45::Cut;
use crate::level48::Level48Cell;
use crate::level49::Level49Cell;
use crate::messages::SnapshotTaken;
use crate::snapshot::{NEWEST_VERSION, Record};
use crate::tree::Tree;
use rungs_host::codec::CodecError;
use rungs_store::{Base, StoreError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How long the root waits for the store.
const STORE_DEADLINE: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct Keeper {
    tree: Arc<Tree>,
    level48: Option<Arc<Level48Cell>>,
    level49: Option<Arc<Level49Cell>>,
    last: Option<SnapshotTaken>,
    /// Floor and guard as they were last written: what is late for a cut is written as it was.
    floor: Option<Vec<u8>>,
    guard: Option<Vec<u8>>,
    /// The goals of the cut before; the snapshot before the last may be needed.
    goals_before: Option<Base>,
    /// The last change of goals that the task log need not have any more.
    trimmed: u64,
}

impl Keeper {
    /// A keeper that goes on from a record.
    pub(crate) fn new(
        tree: Arc<Tree>,
        level48: Option<Arc<Level48Cell>>,
        level49: Option<Arc<Level49Cell>>,
        record: &Record,
    ) -> Self {
        Self {
            tree,
            level48,
            level49,
            last: None,
            floor: record.floor.clone(),
            guard: record.guard.clone(),
            goals_before: None,
            trimmed: 0,
        }
    }

    /// The last record that was written.
    pub(crate) fn last(&self) -> Option<&SnapshotTaken> {
        self.last.as_ref()
    }

    /// Writes a record of the whole agent as it was at one report.
    pub(crate) async fn save_cut(&mut self, cut: &Cut, orderly: bool) -> Result<SnapshotTaken, AgentError> {
        let mut record = Record {
            orderly,
            ..Record::default()
        };
        let guard = self.tree.parts().guard.take();
        let parts = record.set_cut(&cut.kernel, cut.floor.as_deref(), guard.as_deref());
        parts.map_err(|error| self.failed(&error))?;
        record.floor = record.floor.or_else(|| self.floor.take());
        record.guard = record.guard.or_else(|| self.guard.take());
        self.floor.clone_from(&record.floor);
        self.guard.clone_from(&record.guard);
        let taken = self.write(record).await?;
        self.trim_log(&cut.kernel).await;
        Ok(taken)
    }

    /// Lets the task log forget what both snapshots have; where snapshots may be lost without it, it keeps the goals that
    /// this has led to.
    async fn trim_log(&mut self, kernel: &KernelPart) {
        let now = journal::base(kernel.cycle, &kernel.goals);
        let before = std::mem::replace(&mut self.goals_before, now);
        let Some(base) = before.filter(|base| base.seq > self.trimmed) else {
            return;
        };
        let (shared, seq) = (&self.tree.shared, base.seq);
        let trim = self.tree.runtime.tasks.trim(shared.agent().clone(), shared.epoch, base);
        match self.in_time(trim).await {
            Ok(()) => self.trimmed = seq,
            // It only stays longer; a log that cannot be written the kernel tells of.
            Err(error) => tracing::warn!(%error, "a task log was not made shorter"),
        }
    }

    /// Writes the ladder and Level 4.8 as they are now; the rest stays as it was last written.
    pub(crate) async fn save_authority(&mut self) -> Result<SnapshotTaken, AgentError> {
        let agent = self.tree.shared.agent();
        let latest = self
            .in_time(self.tree.runtime.snapshots.latest(agent.clone(), NEWEST_VERSION))
            .await?;
        // One that does not decode was told of at the start; it is not carried on.
        let record = latest
            .snapshot
            .and_then(|snapshot| Record::decode(&snapshot.bytes).ok());
        let record = Record {
            orderly: false,
            ..record.unwrap_or_default()
        };
        self.write(record).await
    }

    async fn write(&mut self, mut record: Record) -> Result<SnapshotTaken, AgentError> {
        let shared = &self.tree.shared;
        record.agent = Some(shared.agent().clone());
        record.ladder = Some(shared.governor.ladder());
        record.event_seq = shared.log.last_seq();
        if let Some(part) = &self.level48 {
            let part = Arc::clone(&part.lock().unwrap_or_else(PoisonError::into_inner));
            if let Some(bundle) = part.orchestrator.verified() {
                let set = record.set_level48(part.epoch, &part.orchestrator, &bundle);
                set.map_err(|error| self.failed(&error))?;
                record.set_audit(&part.audit).map_err(|error| self.failed(&error))?;
            }
        }
        if let Some(part) = &self.level49 {
            let part = Arc::clone(&part.lock().unwrap_or_else(PoisonError::into_inner));
            if let Some(bundle) = part.orchestrator.verified() {
                let set = record.set_level49(part.epoch, &part.orchestrator, &bundle, &part.audit);
                set.map_err(|error| self.failed(&error))?;
            }
        }
        let cycle = record.cycle;
        let bytes = record.encode().map_err(|error| self.failed(&error))?;
        let size = bytes.len() as u64;
        // In the epoch in which the agent was started: one that still runs after its shard was lost and came back must not
        // pass for later than what was written elsewhere meanwhile.
        let (agent, epoch) = (shared.agent().clone(), shared.epoch);
        let put = self.tree.runtime.snapshots.put_in(agent, epoch, NEWEST_VERSION, bytes);
        let meta = self.in_time(put).await?;
        self.tree.shared.meter.set_state_bytes(size);
        let taken = SnapshotTaken {
            sequence: meta.sequence,
            cycle,
            bytes: size,
        };
        self.last = Some(taken.clone());
        Ok(taken)
    }

    /// Waits for the store, and not for long: the root has other things to do.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, AgentError> {
        match tokio::time::timeout(STORE_DEADLINE, call).await {
            Ok(done) => done.map_err(|error| self.refused(&error.to_string())),
            Err(_) => Err(self.refused("the store did not answer in time")),
        }
    }

    fn failed(&self, error: &CodecError) -> AgentError {
        self.refused(&format!("the record does not encode: {error}"))
    }

    fn refused(&self, reason: &str) -> AgentError {
        AgentError::Snapshots {
            agent: self.tree.shared.agent().clone(),
            reason: reason.to_owned(),
        }
    }
}
