//! [`Snapshots`]: how actors use a [`SnapshotStore`], which blocks. Calls run on the blocking threads of the runtime, a
//! few at a time; what waits is bounded, and what takes too long is given up.

use crate::snapshot::{Latest, SnapshotMeta, SnapshotStore, StoreError};
use rungs_types::AgentId;
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

/// A cheap, cloneable way to a store. Of one agent, wait for a `put` before the next: two at a time may be done in
/// either order.
#[derive(Clone)]
pub struct Snapshots {
    store: Arc<dyn SnapshotStore>,
    turns: Arc<Semaphore>,
    pending: Arc<AtomicUsize>,
}

impl Snapshots {
    /// A way to this store; all clones share its bounds.
    pub fn new(store: impl SnapshotStore) -> Self {
        Self {
            store: Arc::new(store),
            turns: Arc::new(Semaphore::new(MAX_CONCURRENT_CALLS)),
            pending: Arc::default(),
        }
    }

    /// Keeps a snapshot; durable when this returns `Ok`. See [`SnapshotStore::put`].
    pub async fn put(&self, agent: AgentId, version: u16, bytes: Vec<u8>) -> Result<SnapshotMeta, StoreError> {
        self.call(move |store| store.put(&agent, version, &bytes)).await
    }

    /// See [`SnapshotStore::latest`].
    pub async fn latest(&self, agent: AgentId, newest_version: u16) -> Result<Latest, StoreError> {
        self.call(move |store| store.latest(&agent, newest_version)).await
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
        let pending = Pending::enter(&self.pending).ok_or(StoreError::Busy)?;
        let work = async {
            let turn = Arc::clone(&self.turns)
                .acquire_owned()
                .await
                .map_err(|_| StoreError::Ended)?;
            let store = Arc::clone(&self.store);
            let done = tokio::task::spawn_blocking(move || {
                // Both are held until the disk has answered, also when nobody waits any more: a stuck disk must not
                // collect threads.
                let _held = (turn, pending);
                act(store.as_ref())
            });
            done.await.unwrap_or(Err(StoreError::Ended))
        };
        let late = |_| Err(StoreError::TimedOut(STORE_DEADLINE));
        tokio::time::timeout(STORE_DEADLINE, work).await.unwrap_or_else(late)
    }
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
        fn put(&self, agent: &AgentId, version: u16, bytes: &[u8]) -> Result<SnapshotMeta, StoreError> {
            let _released = self.release.lock().expect("not poisoned").recv();
            self.inner.put(agent, version, bytes)
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
