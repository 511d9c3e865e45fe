//! [`Outgoing`]: what this node has written, on its way to other nodes. Told of each snapshot by those who write it
//! ([`Follower`]), on whatever thread they are.

use super::holders::Holders;
use super::queue::{Batch, Confirmed, MAX_TRACKED, Named, Queue};
use crate::placement::{SHARDS, Shard};
use rungs_store::{Follower, SnapshotMeta, Stamp};
use rungs_types::{AgentId, Epoch, NodeName};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Agents of which is remembered that a later snapshot could not be had, until they write one.
const MAX_MISSING: usize = 4096;

/// See the module.
pub struct Outgoing {
    pub(super) holders: Arc<dyn Holders>,
    began: Instant,
    /// Of each shard, the latest epoch in which an agent of it was started here.
    epochs: Vec<AtomicU64>,
    queue: Mutex<Queue>,
    missing: Mutex<HashMap<AgentId, Stamp>>,
    changed: Notify,
    /// It has been told that there are more agents than are followed.
    overflowed: AtomicBool,
}

/// A copy of an agent is on its way.
#[derive(Debug)]
pub(super) struct OnItsWay;

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}

impl Outgoing {
    /// Nothing is written yet.
    pub fn new(holders: Arc<dyn Holders>) -> Arc<Self> {
        Arc::new(Self {
            holders,
            began: Instant::now(),
            epochs: (0..SHARDS).map(|_| AtomicU64::new(0)).collect(),
            queue: Mutex::new(Queue::bounded(MAX_TRACKED)),
            missing: Mutex::default(),
            changed: Notify::new(),
            overflowed: AtomicBool::new(false),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Its changes are small and do not panic half-way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing_table(&self) -> MutexGuard<'_, HashMap<AgentId, Stamp>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// An agent of a shard is about to start in this epoch. Epochs never fall.
    pub(super) fn enter(&self, shard: Shard, epoch: Epoch) {
        self.epochs[shard.index()].fetch_max(epoch.0, Ordering::AcqRel);
    }

    pub(super) fn epoch_of(&self, shard: Shard) -> Epoch {
        Epoch(self.epochs[shard.index()].load(Ordering::Acquire))
    }

    /// Copies that are due, for a holder that is up.
    pub(super) fn take(&self, up: impl Fn(&NodeName) -> bool) -> Option<Batch> {
        let now = self.now();
        self.queue().take(now, |agent| self.holder_up(agent, &up))
    }

    fn holder_up(&self, agent: &AgentId, up: impl Fn(&NodeName) -> bool) -> Option<NodeName> {
        self.holders.holder(Shard::of(agent)).filter(|holder| up(holder))
    }

    pub(super) fn done(&self, agent: &AgentId, confirmed: Option<Confirmed>) {
        let now = self.now();
        self.queue().done(agent, confirmed, now);
    }

    pub(super) fn postponed(&self, agent: &AgentId) {
        let now = self.now();
        self.queue().postponed(agent, now);
    }

    pub(super) fn left_over(&self, agent: &AgentId) {
        let now = self.now();
        self.queue().left_over(agent, now);
    }

    /// `true` if it is given up.
    pub(super) fn failed(&self, agent: &AgentId) -> bool {
        let now = self.now();
        self.queue().failed(agent, now)
    }

    pub(super) fn recover(&self) {
        let now = self.now();
        self.queue().recover(now);
    }

    pub(super) fn to_index(&self, round: u64) -> Vec<Named> {
        let now = self.now();
        self.queue().to_index(round, now)
    }

    /// `false` if there is no room for it.
    pub(super) fn repair(&self, said: Named) -> bool {
        let now = self.now();
        let fits = self.queue().repair(said, now);
        self.changed.notify_one();
        fits
    }

    pub(super) fn indexed(&self, named: &[Named]) {
        let mut queue = self.queue();
        named.iter().for_each(|named| queue.indexed(named));
    }

    pub(super) fn rested(&self, agent: &AgentId) {
        self.queue().rested(agent);
    }

    pub(super) fn forget(&self, agent: &AgentId) -> Option<(Stamp, Option<NodeName>)> {
        self.missing_table().remove(agent);
        self.queue().forget(agent)
    }

    /// The same, unless a copy of it is on its way: which would arrive after all.
    pub(super) fn forget_unsent(&self, agent: &AgentId) -> Result<Option<(Stamp, Option<NodeName>)>, OnItsWay> {
        let mut queue = self.queue();
        if queue.is_sending(agent) {
            Err(OnItsWay)
        } else {
            Ok(queue.forget(agent))
        }
    }

    /// A later snapshot of an agent than those on this node is known and could not be had.
    pub(super) fn note_missing(&self, agent: &AgentId, stamp: Stamp) {
        let mut missing = self.missing_table();
        if missing.len() < MAX_MISSING || missing.contains_key(agent) {
            missing.insert(agent.clone(), stamp);
        }
    }

    pub(super) fn is_busy(&self, up: impl Fn(&NodeName) -> bool) -> bool {
        self.queue().is_busy(|agent| self.holder_up(agent, &up))
    }

    /// Waits for the next change.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How old the oldest snapshot is that no holder has confirmed, nor a later one of its agent; zero if all are. None for
    /// a node that is alone.
    pub(super) fn age(&self) -> Option<Duration> {
        if self.holders.alone() {
            return None;
        }
        let (now, oldest) = (self.now(), self.queue().oldest());
        Some(oldest.map_or(Duration::ZERO, |since| now.saturating_sub(since)))
    }
}

impl Follower for Outgoing {
    fn epoch(&self, agent: &AgentId) -> Epoch {
        self.epoch_of(Shard::of(agent))
    }

    fn written(&self, agent: &AgentId, meta: SnapshotMeta, bytes: usize) {
        if self.holders.alone() {
            return;
        }
        let now = self.now();
        let fits = self.queue().written(agent, meta.stamp(), bytes, now);
        if !fits && !self.overflowed.swap(true, Ordering::AcqRel) {
            tracing::warn!(%agent, "more than {MAX_TRACKED} agents wait to be copied; the first is left out until its next snapshot");
        }
        self.missing_table().remove(agent);
        self.changed.notify_one();
    }

    fn missing(&self, agent: &AgentId) -> Option<Stamp> {
        self.missing_table().get(agent).copied()
    }
}
