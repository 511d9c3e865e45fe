//! [`TaskLogs`]: how actors use a [`TaskLogStore`], which blocks. An actor hands entries over without waiting; a few
//! threads write what waits of an agent in one go, with at most one sync, and say how far it is durable. For a store that
//! many share, what nobody relies on is held back until there is something to write, or [`TaskLog::write_out`] is called.
//!
//! Invariants:
//! 1. Of one log, one call at a time, in the order in which the entries were handed over.
//! 2. What failed stays and is tried again with the next entries or at [`TaskLog::write_out`]; what waits is bounded, and what
//!    finds no room is dropped with all before it, which the numbers show.
//! 3. A log is opened only when nothing of an earlier opening is being written.

use super::{Base, LogEntry, Tail, TaskLogStore};
use crate::offload::{MAX_CONCURRENT_CALLS, STORE_DEADLINE, bounded};
use crate::snapshot::StoreError;
use rungs_types::{AgentId, Epoch};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Entries of one agent that wait for the disk.
pub const MAX_PENDING_ENTRIES: usize = 4096;
/// Entries of one agent that are held back from a shared store while nobody relies on them.
pub const MAX_HELD_ENTRIES: usize = 64;
/// Threads that write to a disk at the same time.
const MAX_WRITERS: usize = 4;
/// Threads that write to a shared store at the same time: it makes one batch of what comes together.
const MAX_SHARED_WRITERS: usize = 64;

/// A cheap, cloneable way to a store.
#[derive(Clone)]
pub struct TaskLogs(Arc<Shared>);

struct Shared {
    store: Box<dyn TaskLogStore>,
    kind: Kind,
    queue: Mutex<Queue>,
    logs: Mutex<BTreeMap<AgentId, Weak<Log>>>,
    /// For calls that somebody waits for; see [`bounded`].
    turns: Arc<Semaphore>,
    calls: Arc<AtomicUsize>,
}

/// How a store wants to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It does not block: by whoever has something for it.
    Inline,
    /// It blocks.
    Disk,
    /// It blocks, is far away, and likes much at a time.
    Shared,
}

impl Kind {
    fn writers(self) -> usize {
        match self {
            Kind::Inline | Kind::Disk => MAX_WRITERS,
            Kind::Shared => MAX_SHARED_WRITERS,
        }
    }

    /// Calls that somebody waits for and that use the store at the same time.
    fn calls(self) -> usize {
        match self {
            Kind::Inline | Kind::Disk => MAX_CONCURRENT_CALLS,
            Kind::Shared => MAX_SHARED_WRITERS,
        }
    }
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Arc<Log>>,
    writers: usize,
}

/// The log of one agent, of the one actor that appends to it.
pub struct TaskLog(Arc<Log>);

struct Log {
    shared: Arc<Shared>,
    agent: AgentId,
    epoch: Epoch,
    pending: Mutex<Pending>,
    durable: AtomicU64,
    /// What the store said last, if it failed.
    failure: Mutex<Option<Arc<StoreError>>>,
    busy: watch::Sender<bool>,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    wake_wanted: AtomicBool,
}

#[derive(Default)]
struct Pending {
    entries: Vec<LogEntry>,
    sync: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change under these locks is one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TaskLogs {
    /// A way to a store that blocks.
    pub fn new(store: impl TaskLogStore) -> Self {
        Self::with(store, Kind::Disk)
    }

    /// A way to a store that never blocks: what is handed over is durable, as far as it ever is, at once.
    pub fn inline(store: impl TaskLogStore) -> Self {
        Self::with(store, Kind::Inline)
    }

    /// A way to a store that blocks and that many share.
    pub fn shared(store: impl TaskLogStore) -> Self {
        Self::with(store, Kind::Shared)
    }

    fn with(store: impl TaskLogStore, kind: Kind) -> Self {
        Self(Arc::new(Shared {
            store: Box::new(store),
            kind,
            queue: Mutex::default(),
            logs: Mutex::default(),
            turns: Arc::new(Semaphore::new(kind.calls())),
            calls: Arc::default(),
        }))
    }

    /// Opens an agent's log for the one actor that appends to it, in the epoch in which the agent is started, with what is
    /// there.
    pub async fn open(&self, agent: AgentId, epoch: Epoch) -> Result<(TaskLog, Tail), StoreError> {
        let before = lock(&self.0.logs).get(&agent).and_then(Weak::upgrade);
        if let Some(before) = before {
            let mut busy = before.busy.subscribe();
            let idle = tokio::time::timeout(STORE_DEADLINE, busy.wait_for(|busy| !busy)).await;
            idle.map_err(|_| StoreError::TimedOut(STORE_DEADLINE))?
                .map_err(|_| StoreError::Ended)?;
        }
        let of = agent.clone();
        let tail = self.call(move |store| store.read(&of, 0)).await?;
        let log = Arc::new(Log {
            shared: Arc::clone(&self.0),
            agent: agent.clone(),
            epoch,
            pending: Mutex::default(),
            durable: AtomicU64::new(0),
            failure: Mutex::default(),
            busy: watch::Sender::new(false),
            wake: OnceLock::new(),
            wake_wanted: AtomicBool::new(false),
        });
        lock(&self.0.logs).insert(agent, Arc::downgrade(&log));
        Ok((TaskLog(log), tail))
    }

    /// See [`TaskLogStore::trim`].
    pub async fn trim(&self, agent: AgentId, epoch: Epoch, base: Base) -> Result<(), StoreError> {
        self.call(move |store| store.trim(&agent, epoch, &base)).await
    }

    /// See [`TaskLogStore::keep`].
    pub async fn keep(&self, agent: AgentId, epoch: Epoch, base: Base) -> Result<(), StoreError> {
        self.call(move |store| store.keep(&agent, epoch, &base)).await
    }

    /// See [`TaskLogStore::remove`].
    pub async fn remove(&self, agent: AgentId, epoch: Epoch) -> Result<bool, StoreError> {
        self.call(move |store| store.remove(&agent, epoch)).await
    }

    async fn call<T: Send + 'static>(
        &self,
        act: impl FnOnce(&dyn TaskLogStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.0.kind == Kind::Inline {
            return act(self.0.store.as_ref());
        }
        let shared = Arc::clone(&self.0);
        bounded(&self.0.turns, &self.0.calls, move || act(shared.store.as_ref())).await
    }
}

impl TaskLog {
    /// Is called, on any thread, when the log has become durable further or the store has failed, once after each
    /// [`TaskLog::want_wake`]. Only the first one counts.
    pub fn on_change(&self, wake: impl Fn() + Send + Sync + 'static) {
        // A second one is not expected, and would be of the same actor.
        drop(self.0.wake.set(Box::new(wake)));
    }

    /// The next change is to be told; say so before handing over what is waited for.
    pub fn want_wake(&self) {
        self.0.wake_wanted.store(true, Ordering::Release);
    }

    /// Hands entries over; `sync`: they, and all before, are to be made durable. Waits for nothing.
    pub fn append(&self, entries: Vec<LogEntry>, sync: bool) {
        if entries.is_empty() && !sync {
            return;
        }
        let log = &self.0;
        let mut pending = lock(&log.pending);
        if pending.entries.len() + entries.len() > MAX_PENDING_ENTRIES {
            tracing::warn!(agent = %log.agent, dropped = pending.entries.len(), "the task log does not keep up");
            pending.entries.clear();
        }
        pending.entries.extend(entries);
        pending.sync |= sync;
        if self.0.is_due(&pending) {
            self.start(pending);
        }
    }

    /// Writes what waits: what has failed, and what was held back. To be called every so often.
    pub fn write_out(&self) {
        let pending = lock(&self.0.pending);
        if pending.sync || !pending.entries.is_empty() {
            self.start(pending);
        }
    }

    /// Sees to it that somebody writes what waits.
    fn start(&self, pending: MutexGuard<'_, Pending>) {
        if self.0.busy.send_replace(true) {
            return;
        }
        drop(pending);
        if self.0.shared.kind == Kind::Inline {
            while self.0.write() {}
        } else {
            enqueue(&self.0);
        }
    }

    /// Writes what waits, and waits until that is done or has failed, or the time is over.
    pub async fn settle(&self, within: Duration) {
        self.write_out();
        let mut busy = self.0.busy.subscribe();
        let idle = tokio::time::timeout(within, busy.wait_for(|busy| !busy)).await;
        if idle.is_err() {
            let ms = within.as_millis();
            tracing::warn!(agent = %self.0.agent, ms, "the last entries of a task log were not written in time");
        }
    }

    /// The number up to which this opening has made the log durable.
    pub fn durable(&self) -> u64 {
        self.0.durable.load(Ordering::Acquire)
    }

    /// Why the store did not do as asked last time; `None` if it did.
    pub fn failure(&self) -> Option<Arc<StoreError>> {
        lock(&self.0.failure).clone()
    }
}

/// Gives a log with something to write to a thread.
fn enqueue(log: &Arc<Log>) {
    let shared = &log.shared;
    let mut queue = lock(&shared.queue);
    queue.ready.push_back(Arc::clone(log));
    if queue.writers < shared.kind.writers() {
        queue.writers += 1;
        let shared = Arc::clone(shared);
        tokio::task::spawn_blocking(move || write_all(&shared));
    }
}

/// Writes until there is nothing to write. One batch of each log in turn: none waits for another's flood.
fn write_all(shared: &Shared) {
    loop {
        let log = {
            let mut queue = lock(&shared.queue);
            let Some(log) = queue.ready.pop_front() else {
                queue.writers -= 1;
                return;
            };
            log
        };
        if log.write() {
            lock(&shared.queue).ready.push_back(log);
        }
    }
}

impl Log {
    /// What waits is to be written now.
    fn is_due(&self, pending: &Pending) -> bool {
        let held = match self.shared.kind {
            Kind::Inline | Kind::Disk => 0,
            Kind::Shared => MAX_HELD_ENTRIES - 1,
        };
        pending.sync || pending.entries.len() > held
    }

    /// Writes what waits; whether more has come meanwhile. Only for whoever has set `busy`.
    fn write(&self) -> bool {
        let Pending { entries, sync } = std::mem::take(&mut *lock(&self.pending));
        let store = &self.shared.store;
        // A defect of the store is an error of this batch, and no end of the thread that counts as a writer.
        let append = || store.append(&self.agent, self.epoch, &entries, sync);
        let appended = catch_unwind(AssertUnwindSafe(append)).unwrap_or(Err(StoreError::Ended));
        let mut pending = lock(&self.pending);
        let more = match appended {
            Ok(durable) => {
                self.durable.fetch_max(durable, Ordering::AcqRel);
                *lock(&self.failure) = None;
                self.is_due(&pending)
            }
            Err(error) => {
                *lock(&self.failure) = Some(Arc::new(error));
                let later = std::mem::take(&mut pending.entries);
                if entries.len() + later.len() <= MAX_PENDING_ENTRIES {
                    pending.entries = entries;
                }
                pending.entries.extend(later);
                pending.sync |= sync;
                false
            }
        };
        if !more {
            self.busy.send_replace(false);
        }
        drop(pending);
        if self.wake_wanted.swap(false, Ordering::AcqRel)
            && let Some(wake) = self.wake.get()
        {
            wake();
        }
        more
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let mut logs = lock(&self.shared.logs);
        // Unless it was opened again.
        if logs.get(&self.agent).is_some_and(|log| log.strong_count() == 0) {
            logs.remove(&self.agent);
            self.shared.store.close(&self.agent);
        }
    }
}

impl std::fmt::Debug for TaskLogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskLogs")
            .field("kind", &self.0.kind)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TaskLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskLog")
            .field("agent", &self.0.agent)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
