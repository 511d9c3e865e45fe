//! [`Snapshots`]: how actors use a [`SnapshotStore`], which blocks. Calls run on the blocking threads of the runtime, a
//! few at a time; what waits is bounded, and what takes too long is given up. A [`Follower`] learns of what is written.

use crate::snapshot::{Latest, Snapshot, SnapshotMeta, SnapshotStore, Stamp, StoreError};
use rungs_types::{AgentId, Epoch};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Calls that use the disk at the same time.
pub const MAX_CONCURRENT_CALLS: usize = 8;
/// Calls that wait or run; one more is told to try later.
pub const MAX_PENDING_CALLS: usize = 4096;
/// Longest wait for the disk, turn and work together.
pub const STORE_DEADLINE: Duration = Duration::from_secs(30);

/// Who copies what is written to other nodes. It is called on the way of each write and must not wait.
pub trait Follower: Send + Sync + 'static {
    /// The epoch of the agent's shard, as the node knows it.
    fn epoch(&self, agent: &AgentId) -> Epoch;

    /// A snapshot of so many bytes is durable on this node.
    fn written(&self, agent: &AgentId, meta: SnapshotMeta, bytes: usize);

    /// A later snapshot than those on this node that is known and could not be had.
    fn missing(&self, agent: &AgentId) -> Option<Stamp>;
}

/// A cheap, cloneable way to a store. Of one agent, wait for a `put` before the next: two at a time may be done in
/// either order.
#[derive(Clone)]
pub struct Snapshots {
    store: Arc<dyn SnapshotStore>,
    follower: Option<Arc<dyn Follower>>,
    turns: Arc<Semaphore>,
    pending: Arc<AtomicUsize>,
}

impl Snapshots {
    /// A way to this store; all clones share its bounds.
    pub fn new(store: impl SnapshotStore) -> Self {
        Self {
            store: Arc::new(store),
            follower: None,
            turns: Arc::new(Semaphore::new(MAX_CONCURRENT_CALLS)),
            pending: Arc::default(),
        }
    }

    /// The same, with somebody who is told of what is written through it.
    #[must_use]
    pub fn followed(self, follower: Arc<dyn Follower>) -> Self {
        let follower = Some(follower);
        Self { follower, ..self }
    }

    /// The same as [`Snapshots::put_in`] in the epoch that the follower says.
    pub async fn put(&self, agent: AgentId, version: u16, bytes: Vec<u8>) -> Result<SnapshotMeta, StoreError> {
        let epoch = self.follower.as_ref().map(|follower| follower.epoch(&agent));
        self.put_in(agent, epoch.unwrap_or_default(), version, bytes).await
    }

    /// Keeps a snapshot that was written in an epoch of the agent's shard; durable when this returns `Ok`. See
    /// [`SnapshotStore::put_in`].
    pub async fn put_in(
        &self,
        agent: AgentId,
        epoch: Epoch,
        version: u16,
        bytes: Vec<u8>,
    ) -> Result<SnapshotMeta, StoreError> {
        let follower = self.follower.clone();
        let put = move |store: &dyn SnapshotStore| {
            let meta = store.put_in(&agent, epoch, version, &bytes)?;
            // Here, so that it is told also if the caller has given up.
            if let Some(follower) = follower {
                follower.written(&agent, meta, bytes.len());
            }
            Ok(meta)
        };
        self.call(put).await
    }

    /// See [`SnapshotStore::latest`].
    pub async fn latest(&self, agent: AgentId, newest_version: u16) -> Result<Latest, StoreError> {
        let follower = self.follower.clone();
        let latest = move |store: &dyn SnapshotStore| {
            let latest = store.latest(&agent, newest_version)?;
            let missing = follower.and_then(|follower| follower.missing(&agent));
            Ok(Latest { missing, ..latest })
        };
        self.call(latest).await
    }

    /// Keeps a snapshot that was written on another node. See [`SnapshotStore::adopt`].
    pub async fn adopt(&self, agent: AgentId, snapshot: Snapshot) -> Result<bool, StoreError> {
        self.call(move |store| store.adopt(&agent, &snapshot)).await
    }

    /// See [`SnapshotStore::remove`].
    pub async fn remove(&self, agent: AgentId) -> Result<bool, StoreError> {
        self.call(move |store| store.remove(&agent)).await
    }

    /// See [`SnapshotStore::list`].
    pub async fn list(&self) -> Result<Vec<AgentId>, StoreError> {
        self.call(|store| store.list()).await
    }

    async fn call<T: Send + 'static>(
        &self,
        act: impl FnOnce(&dyn SnapshotStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.store);
        bounded(&self.turns, &self.pending, move || act(store.as_ref())).await
    }
}

/// Does something that blocks, on a thread of its own, when one of the `turns` is free; `pending` counts those that wait or
/// run.
pub(crate) async fn bounded<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    pending: &Arc<AtomicUsize>,
    act: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let pending = Pending::enter(pending).ok_or(StoreError::Busy)?;
    let work = async {
        let turn = Arc::clone(turns).acquire_owned().await.map_err(|_| StoreError::Ended)?;
        let done = tokio::task::spawn_blocking(move || {
            // Both are held until the disk has answered, also when nobody waits any more: a stuck disk must not collect
            // threads.
            let _held = (turn, pending);
            act()
        });
        done.await.unwrap_or(Err(StoreError::Ended))
    };
    let late = |_| Err(StoreError::TimedOut(STORE_DEADLINE));
    tokio::time::timeout(STORE_DEADLINE, work).await.unwrap_or_else(late)
}

/// One of the [`MAX_PENDING_CALLS`] places.
struct Pending(Arc<AtomicUsize>);

impl Pending {
    fn enter(count: &Arc<AtomicUsize>) -> Option<Self> {
        let before = count.fetch_add(1, Ordering::AcqRel);
        let pending = Self(Arc::clone(count));
        (before < MAX_PENDING_CALLS).then_some(pending)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemorySnapshots;
    use std::sync::{Mutex, mpsc};

    fn agent(text: &str) -> AgentId {
        text.parse().expect("an agent")
    }

    /// A disk that answers only when told to.
    struct Stuck {
        release: Mutex<mpsc::Receiver<()>>,
        inner: MemorySnapshots,
    }

    impl SnapshotStore for Stuck {
        fn put_in(
            &self,
            agent: &AgentId,
            epoch: Epoch,
            version: u16,
            bytes: &[u8],
        ) -> Result<SnapshotMeta, StoreError> {
            let _released = self.release.lock().expect("not poisoned").recv();
            self.inner.put_in(agent, epoch, version, bytes)
        }

        fn adopt(&self, agent: &AgentId, snapshot: &Snapshot) -> Result<bool, StoreError> {
            self.inner.adopt(agent, snapshot)
        }

        fn latest(&self, _: &AgentId, _: u16) -> Result<Latest, StoreError> {
            panic!("a defect of the store")
        }

        fn remove(&self, agent: &AgentId) -> Result<bool, StoreError> {
            self.inner.remove(agent)
        }

        fn list(&self) -> Result<Vec<AgentId>, StoreError> {
            self.inner.list()
        }
    }

    fn stuck() -> (mpsc::Sender<()>, Snapshots) {
        let (sender, receiver) = mpsc::channel();
        let inner = MemorySnapshots::new();
        let release = Mutex::new(receiver);
        (sender, Snapshots::new(Stuck { release, inner }))
    }

    #[tokio::test(start_paused = true)]
    async fn calls_reach_the_store() {
        let snapshots = Snapshots::new(MemorySnapshots::new());
        let meta = snapshots.put(agent("a"), 1, b"x".to_vec()).await.expect("writes");
        let latest = snapshots.latest(agent("a"), 1).await.expect("reads");
        assert_eq!(latest.snapshot.expect("there").meta, meta);
        assert_eq!(snapshots.list().await.expect("lists"), [agent("a")]);
        assert!(snapshots.remove(agent("a")).await.expect("removes"));
        assert_eq!(snapshots.pending.load(Ordering::Acquire), 0);
    }

    /// Knows one epoch, and keeps what it is told.
    #[derive(Default)]
    struct Following(Mutex<Vec<(AgentId, SnapshotMeta, usize)>>);

    impl Follower for Following {
        fn epoch(&self, _: &AgentId) -> Epoch {
            Epoch(4)
        }

        fn written(&self, agent: &AgentId, meta: SnapshotMeta, bytes: usize) {
            self.0.lock().expect("not poisoned").push((agent.clone(), meta, bytes));
        }

        fn missing(&self, agent: &AgentId) -> Option<Stamp> {
            let (epoch, sequence) = (Epoch(3), 9);
            (agent.name.as_str() == "a").then_some(Stamp { epoch, sequence })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_follower_gives_the_epoch_and_is_told_of_what_is_durable() {
        let following = Arc::new(Following::default());
        let snapshots = Snapshots::new(MemorySnapshots::new()).followed(Arc::clone(&following) as _);
        let meta = snapshots.put(agent("a"), 1, b"xy".to_vec()).await.expect("writes");
        assert_eq!((meta.epoch, meta.sequence), (Epoch(4), 1));
        let too_large = vec![0; crate::MAX_SNAPSHOT_BYTES + 1];
        snapshots.put(agent("a"), 1, too_large).await.expect_err("refused");
        assert_eq!(*following.0.lock().expect("not poisoned"), [(agent("a"), meta, 2)]);
        let latest = snapshots.latest(agent("a"), 1).await.expect("reads");
        assert_eq!(
            latest.missing.map(|stamp| stamp.to_string()).as_deref(),
            Some("9 of e3")
        );
        assert_eq!(snapshots.latest(agent("b"), 1).await.expect("reads").missing, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_does_not_answer_is_given_up_and_its_thread_not_forgotten() {
        let (release, snapshots) = stuck();
        let put = snapshots.put(agent("a"), 1, b"x".to_vec());
        tokio::pin!(put);
        assert!(futures_pending(&mut put).await);
        tokio::time::advance(STORE_DEADLINE).await;
        assert!(matches!(put.await, Err(StoreError::TimedOut(STORE_DEADLINE))));
        assert_eq!(snapshots.turns.available_permits(), MAX_CONCURRENT_CALLS - 1);
        drop(release);
        while snapshots.turns.available_permits() < MAX_CONCURRENT_CALLS {
            tokio::task::yield_now().await;
        }
        // It may have been done: here it was.
        assert_eq!(snapshots.list().await.expect("lists"), [agent("a")]);
    }

    /// Polls once.
    async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|context| {
            let polled = std::pin::Pin::new(&mut *future).poll(context);
            std::task::Poll::Ready(polled.is_pending())
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn more_calls_than_the_limit_are_refused() {
        let snapshots = Snapshots::new(MemorySnapshots::new());
        snapshots.pending.store(MAX_PENDING_CALLS, Ordering::Release);
        assert!(matches!(snapshots.list().await, Err(StoreError::Busy)));
        snapshots.pending.store(MAX_PENDING_CALLS - 1, Ordering::Release);
        assert!(snapshots.list().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_the_store_is_an_error_of_the_call() {
        let (_release, snapshots) = stuck();
        assert!(matches!(snapshots.latest(agent("a"), 1).await, Err(StoreError::Ended)));
        assert_eq!(snapshots.pending.load(Ordering::Acquire), 0);
    }
}
