use super::*;
use crate::cluster::{
    Answer, Changes, CommitError, Head, MemoryStore, Page, ReadError, Revision, Row, RowId, Scan, Seen, Since,
};
use crate::task_log::{MAX_ENTRY_BYTES, conformance};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Runtime;

const SHARD: u16 = 7;
const NOW: Epoch = Epoch(0);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn agent() -> AgentId {
    "acme/a".parse().expect("an agent")
}

fn entries(seqs: std::ops::RangeInclusive<u64>) -> Vec<LogEntry> {
    let entry = |seq: u64| LogEntry {
        seq,
        bytes: vec![seq as u8; 20],
    };
    seqs.map(entry).collect()
}

/// A log on one of several nodes that share a store.
fn on(store: &Arc<MemoryStore>, runtime: &Runtime) -> StoreTaskLogs {
    StoreTaskLogs::new(Arc::clone(store) as _, runtime.handle().clone(), |_| SHARD)
}

fn raise(store: &MemoryStore, runtime: &Runtime) {
    let fence = Fence {
        shard: SHARD,
        epoch: NOW,
    };
    let commit = Commit::new([Precondition::FenceIs(fence)], [Write::Raise(fence.next())]);
    let raised = runtime.block_on(store.commit(commit, STORE_WITHIN));
    assert!(matches!(raised, Ok(Outcome::Committed(_))));
}

fn found(logs: &StoreTaskLogs) -> Vec<LogEntry> {
    logs.read(&agent(), 0).expect("reads").entries
}

#[test]
fn logs_in_a_store_conform() {
    let runtime = runtime();
    conformance::check(|| on(&Arc::default(), &runtime));
    conformance::check_bases(|| on(&Arc::default(), &runtime));
}

#[test]
fn whoever_comes_next_finds_all_and_whoever_was_before_is_refused() {
    let (runtime, store) = (runtime(), Arc::default());
    let (first, second) = (on(&store, &runtime), on(&store, &runtime));
    assert_eq!(first.append(&agent(), NOW, &entries(1..=3), true).expect("appends"), 3);
    raise(&store, &runtime);
    assert_eq!(found(&second), entries(1..=3));
    let late = [
        first.append(&agent(), NOW, &entries(4..=4), true).map(|_| ()),
        first.keep(&agent(), NOW, &Base { seq: 3, bytes: vec![] }),
        first.remove(&agent(), NOW).map(|_| ()),
    ];
    for refused in late {
        let error = refused.expect_err("another node's");
        assert!(matches!(&error, StoreError::Moved { .. }), "{error}");
        assert!(
            error.to_string().starts_with("agent acme/a is another node's now"),
            "{error}"
        );
    }
    let next = NOW.next();
    assert_eq!(
        second.append(&agent(), next, &entries(4..=5), true).expect("appends"),
        5
    );
    assert_eq!(found(&second), entries(1..=5));
    let early = second.append(&agent(), next.next(), &entries(6..=6), true);
    assert!(
        matches!(early, Err(StoreError::Moved { .. })),
        "an epoch that has not come"
    );
}

#[test]
fn an_agent_that_comes_back_goes_on_from_what_was_written_elsewhere() {
    let (runtime, store) = (runtime(), Arc::default());
    let (here, there) = (on(&store, &runtime), on(&store, &runtime));
    here.append(&agent(), NOW, &entries(1..=3), true).expect("appends");
    there.read(&agent(), 0).expect("reads");
    there.append(&agent(), NOW, &entries(4..=6), true).expect("appends");
    // It did not look first.
    let blind = here.append(&agent(), NOW, &entries(4..=6), true);
    assert_eq!(blind.expect("the same entries"), 6);
    let foreign = LogEntry { seq: 7, bytes: vec![1] };
    there.append(&agent(), NOW, &[foreign], true).expect("appends");
    let blind = here.append(&agent(), NOW, &entries(7..=7), true);
    assert!(matches!(blind, Err(StoreError::Changed { .. })), "{blind:?}");
    assert_eq!(found(&here).len(), 7);
    assert_eq!(here.append(&agent(), NOW, &entries(8..=8), true).expect("appends"), 8);
}

#[test]
fn rows_are_few_and_bounded() {
    let (runtime, store) = (runtime(), Arc::<MemoryStore>::default());
    let logs = on(&store, &runtime);
    logs.append(&agent(), NOW, &entries(1..=1000), true).expect("appends");
    let count = || {
        let scan = Scan::all(TaskLogTable::ID, 1024);
        let page = runtime.block_on(store.scan(scan, Consistency::Local, STORE_WITHIN));
        page.expect("reads").rows.len()
    };
    assert_eq!(count(), 2, "the head and one row");
    for seq in 1001..=1300 {
        logs.append(&agent(), NOW, &entries(seq..=seq), true).expect("appends");
        let bytes = vec![1; 9];
        logs.trim(&agent(), NOW, &Base { seq: seq - 1, bytes }).expect("trims");
        assert!(count() <= TRIM_FROM_ROWS + 2);
    }
    assert!(count() < 100, "it was made shorter");
    let large: Vec<_> = (1301..=1320)
        .map(|seq| LogEntry {
            seq,
            bytes: vec![2; MAX_ENTRY_BYTES],
        })
        .collect();
    assert_eq!(
        logs.append(&agent(), NOW, &large, true).expect("in several commits"),
        1320
    );
    assert!(logs.remove(&agent(), NOW).expect("removes"));
    assert_eq!(count(), 0);
}

/// A store of which each commit's answer is lost; the next ones' as often as said. Some were applied, some are applied only
/// before the next.
struct Lossy {
    inner: MemoryStore,
    lost: AtomicUsize,
    applied_late: bool,
    late: Mutex<Vec<Commit>>,
}

impl Lossy {
    fn losing(applied_late: bool) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            lost: AtomicUsize::new(0),
            applied_late,
            late: Mutex::default(),
        })
    }

    fn lose(&self, commits: usize) {
        self.lost.store(commits, Ordering::Release);
    }

    fn catch_up(&self, runtime: &Runtime) {
        for commit in std::mem::take(&mut *self.late.lock().expect("not poisoned")) {
            runtime
                .block_on(self.inner.commit(commit, STORE_WITHIN))
                .expect("applied or not");
        }
    }
}

impl Store for Lossy {
    fn commit(&self, commit: Commit, within: Duration) -> Answer<'_, Outcome, CommitError> {
        let left = self.lost.load(Ordering::Acquire);
        if left == 0 {
            return self.inner.commit(commit, within);
        }
        self.lost.store(left - 1, Ordering::Release);
        Box::pin(async move {
            if self.applied_late {
                self.late.lock().expect("not poisoned").push(commit);
            } else {
                self.inner.commit(commit, within).await?;
            }
            Err(CommitError::Unknown)
        })
    }

    fn get(&self, row: RowId, how: Consistency, within: Duration) -> Answer<'_, Seen<Option<Row>>, ReadError> {
        self.inner.get(row, how, within)
    }

    fn scan(&self, scan: Scan, how: Consistency, within: Duration) -> Answer<'_, Page, ReadError> {
        self.inner.scan(scan, how, within)
    }

    fn changes(&self, since: Since, within: Duration) -> Answer<'_, Changes, ReadError> {
        self.inner.changes(since, within)
    }

    fn moved(&self, past: Revision, within: Duration) -> Answer<'_, Head, ReadError> {
        self.inner.moved(past, within)
    }
}

#[test]
fn a_commit_whose_answer_is_lost_is_found_by_the_next() {
    let (runtime, store) = (runtime(), Lossy::losing(false));
    let logs = StoreTaskLogs::new(Arc::clone(&store) as _, runtime.handle().clone(), |_| SHARD);
    for (first, last) in [(1, 3), (4, 9)] {
        store.lose(1);
        let lost = logs.append(&agent(), NOW, &entries(first..=last), true);
        assert!(
            matches!(lost, Err(StoreError::Commit(CommitError::Unknown))),
            "{lost:?}"
        );
        // With what has come since.
        let again = logs.append(&agent(), NOW, &entries(first..=last + 1), true);
        assert_eq!(again.expect("appends"), last + 1);
    }
    store.lose(1);
    let base = Base { seq: 5, bytes: vec![1] };
    assert!(logs.keep(&agent(), NOW, &base).is_err());
    assert_eq!(
        logs.append(&agent(), NOW, &entries(11..=11), true).expect("appends"),
        11
    );
    let tail = logs.read(&agent(), 0).expect("reads");
    assert_eq!((tail.base, tail.entries), (Some(base), entries(6..=11)));
}

#[test]
fn a_commit_that_is_applied_late_overwrites_nothing() {
    let (runtime, store) = (runtime(), Lossy::losing(true));
    let logs = StoreTaskLogs::new(Arc::clone(&store) as _, runtime.handle().clone(), |_| SHARD);
    store.lose(1);
    assert!(logs.append(&agent(), NOW, &entries(1..=3), true).is_err());
    assert_eq!(logs.append(&agent(), NOW, &entries(1..=5), true).expect("appends"), 5);
    store.catch_up(&runtime);
    assert_eq!(found(&logs), entries(1..=5));
    // The agent starts again, and something else happens; what comes late is of its life before.
    store.lose(1);
    assert!(logs.append(&agent(), NOW, &entries(6..=6), true).is_err());
    assert_eq!(found(&logs), entries(1..=5));
    store.catch_up(&runtime);
    let other = LogEntry {
        seq: 6,
        bytes: vec![99],
    };
    let refused = logs.append(&agent(), NOW, &[other], true);
    assert!(matches!(refused, Err(StoreError::Changed { .. })), "{refused:?}");
    assert_eq!(found(&logs), entries(1..=6));
}
