use super::*;
use crate::cluster::conformance::{self, Subject};
use crate::cluster::{Answer, Changes, Consistency, MemoryStore, Page, Revision, Row, RowId, Scan, Seen, StoreTime};
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const WITHIN: Duration = Duration::from_secs(1);

fn put(key: u64, value: &[u8]) -> Write {
    Write::Put {
        row: RowId::new(TableId(20), key.to_be_bytes()),
        value: value.to_vec(),
        indexes: vec![None, Some(value.to_vec())],
    }
}

async fn commit(
    store: &dyn Store,
    must: impl IntoIterator<Item = Precondition>,
    writes: impl IntoIterator<Item = Write>,
) {
    let outcome = store.commit(Commit::new(must, writes), WITHIN).await.expect("commits");
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
}

/// All there is in a store, but for revisions.
async fn content(store: &dyn Store) -> Vec<Change> {
    let (mut all, mut since) = (Vec::new(), Since::the_beginning(None));
    loop {
        let told = store.changes(since.clone(), WITHIN).await.expect("tells");
        since.go_on(&told);
        let present = told.changes.into_iter().filter(|change| change.value.is_some());
        all.extend(present.map(|change| Change {
            revision: Revision(0),
            ..change
        }));
        if since.after >= told.head.revision {
            all.sort_by(|a, b| (a.table, &a.key).cmp(&(b.table, &b.key)));
            return all;
        }
    }
}

/// A store in use: between two answers to a backup, somebody writes, for some time.
struct Busy {
    inner: MemoryStore,
    left: AtomicU64,
}

impl Store for Busy {
    fn commit(&self, commit: Commit, within: Duration) -> Answer<'_, Outcome, CommitError> {
        self.inner.commit(commit, within)
    }

    fn get(&self, row: RowId, how: Consistency, within: Duration) -> Answer<'_, Seen<Option<Row>>, ReadError> {
        self.inner.get(row, how, within)
    }

    fn scan(&self, scan: Scan, how: Consistency, within: Duration) -> Answer<'_, Page, ReadError> {
        self.inner.scan(scan, how, within)
    }

    fn changes(&self, since: Since, within: Duration) -> Answer<'_, Changes, ReadError> {
        Box::pin(async move {
            let told = self.inner.changes(since, within).await;
            if self.left.load(Ordering::Relaxed) > 0 {
                let left = self.left.fetch_sub(1, Ordering::Relaxed);
                // What was told first, what will be told last, and one that goes.
                let writes = [
                    put(0, b"again"),
                    put(10_000 + left, b"new"),
                    Write::Delete(RowId::new(TableId(20), left.to_be_bytes())),
                ];
                commit(&self.inner, [], writes).await;
            }
            told
        })
    }

    fn moved(&self, past: Revision, within: Duration) -> Answer<'_, Head, ReadError> {
        self.inner.moved(past, within)
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_in_use_is_restored_as_it_was_after_one_commit() {
    let busy = Busy {
        inner: MemoryStore::new(),
        left: AtomicU64::new(0),
    };
    let fence = |epoch| Fence {
        shard: 7,
        epoch: Epoch(epoch),
    };
    for page in 0..12 {
        commit(&busy, [], (0..MAX_WRITES as u64).map(|at| put(page * 1000 + at, b"x"))).await;
        commit(
            &busy,
            [Precondition::FenceIs(fence(page))],
            [
                Write::Raise(fence(page + 1)),
                Write::put(RowId::new(TableId(21), b"large"), vec![page as u8; 200_000]),
            ],
        )
        .await;
    }
    let told = Commit::new([], [put(1, b"y")]).at(StoreTime::from_ms(77));
    busy.commit(told, WITHIN).await.expect("commits");
    busy.left.store(4, Ordering::Relaxed);
    let mut file = Cursor::new(Vec::new());
    let manifest = backup(&busy, &mut file, WITHIN).await.expect("is written");
    assert_eq!(busy.left.load(Ordering::Relaxed), 0, "it was in use");
    file.set_position(0);
    assert_eq!(verify(&mut file).await.expect("is whole"), manifest);
    file.set_position(0);
    let restored = MemoryStore::new();
    assert_eq!(
        restore(&restored, &mut file, WITHIN).await.expect("is restored"),
        manifest
    );
    assert_eq!(content(&restored).await, content(&busy).await);
    assert!(
        manifest.records[&TableId(20)] > content(&busy).await.len() as u64,
        "some rows were told twice"
    );
    let head = restored.moved(Revision(0), WITHIN).await.expect("reads");
    assert_eq!(head.time, StoreTime::from_ms(77));
    commit(&restored, [Precondition::FenceIs(fence(12))], [put(0, b"")]).await;
    file.set_position(0);
    assert!(matches!(
        restore(&restored, &mut file, WITHIN).await,
        Err(RestoreError::NotEmpty)
    ));
}

#[tokio::test(start_paused = true)]
async fn what_the_suite_leaves_behind_is_restored() {
    let store = Arc::new(MemoryStore::keeping(50));
    let subject = Subject {
        store: Arc::clone(&store) as Arc<dyn Store>,
        kept_deletions: 50,
    };
    conformance::check(&subject).await;
    let mut file = Cursor::new(Vec::new());
    backup(&*store, &mut file, WITHIN).await.expect("is written");
    let restored = MemoryStore::new();
    restore(&restored, &mut Cursor::new(file.into_inner()), WITHIN)
        .await
        .expect("is restored");
    assert_eq!(content(&restored).await, content(&*store).await);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_backup_is_refused_before_anything_is_restored() {
    let store = MemoryStore::new();
    commit(&store, [], (0..3).map(|key| put(key, b"value"))).await;
    let mut file = Cursor::new(Vec::new());
    backup(&store, &mut file, WITHIN).await.expect("is written");
    let whole = file.into_inner();
    let empty = MemoryStore::new();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        for damaged in [changed, whole[..at].to_vec()] {
            let refused = restore(&empty, &mut Cursor::new(damaged), WITHIN).await;
            assert!(
                matches!(refused, Err(RestoreError::Damaged(_))),
                "byte {at}: {refused:?}"
            );
        }
    }
    assert_eq!(content(&empty).await, []);
    assert!(restore(&empty, &mut Cursor::new(whole), WITHIN).await.is_ok());
}
