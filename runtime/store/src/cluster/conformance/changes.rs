//! Watching: the last state of each row that changed, whole commits, gaps told.

use super::{Subject, WITHIN, table};
use crate::cluster::change::{Change, Since, Watch};
use crate::cluster::commit::{Revision, RowId, TableId, Write};
use crate::cluster::limits::{MAX_PAGE_ROWS, MAX_WRITES};
use crate::cluster::read::ReadError;
use std::sync::Arc;
use std::time::Duration;

/// As short as a wait can be that is known to be in vain.
const SHORT: Duration = Duration::from_millis(20);

pub(super) async fn check(subject: &Subject) {
    a_watcher_is_told_what_has_changed(subject).await;
    a_watcher_of_a_part_is_told_of_that_part(subject).await;
    the_changes_of_a_commit_are_not_torn_apart(subject).await;
    a_watcher_that_waits_is_woken(subject).await;
    a_gap_is_told(subject).await;
}

fn row(number: u16, key: &[u8]) -> RowId {
    RowId::new(table(number), key)
}

fn since(table: TableId, after: Revision) -> Since {
    let (table, prefix) = (Some(table), Vec::new());
    let began = Revision(0);
    Since {
        table,
        prefix,
        after,
        began,
    }
}

impl Subject {
    /// All changes since, once the local replica has come as far as the store.
    async fn changes(&self, since: Since) -> Result<Vec<Change>, ReadError> {
        let head = self.head().await.revision;
        self.store.moved(Revision(head.0 - 1), WITHIN).await?;
        let (mut told, mut since) = (Vec::new(), since);
        while since.after < head {
            let more = self.store.changes(since.clone(), WITHIN).await?;
            assert!(more.through > since.after, "an answer leads on");
            since.go_on(&more);
            told.extend(more.changes);
        }
        Ok(told)
    }
}

fn short(changes: &[Change]) -> Vec<(&[u8], Option<&[u8]>)> {
    let short = changes
        .iter()
        .map(|change| (change.key.as_slice(), change.value.as_deref()));
    short.collect()
}

async fn a_watcher_is_told_what_has_changed(subject: &Subject) {
    let start = subject.head().await.revision;
    let first = subject
        .write([], [Write::put(row(30, b"a"), b"1"), Write::put(row(30, b"b"), b"1")])
        .await;
    let told = subject.changes(since(table(30), start)).await.expect("tells");
    assert_eq!(
        short(&told),
        [(b"a".as_slice(), Some(b"1".as_slice())), (b"b", Some(b"1"))]
    );
    assert!(
        told.iter()
            .all(|change| (change.table, change.revision) == (table(30), first))
    );
    // Only the last state of a row, in the order of the commits that made it.
    let put = Write::Put {
        row: row(30, b"a"),
        value: b"2".to_vec(),
        indexes: vec![None, Some(b"i".to_vec())],
    };
    let second = subject.write([], [put]).await;
    subject.write([], [Write::Delete(row(30, b"b"))]).await;
    let told = subject.changes(since(table(30), start)).await.expect("tells");
    assert_eq!(short(&told), [(b"a".as_slice(), Some(b"2".as_slice())), (b"b", None)]);
    assert_eq!(
        (told[0].revision, &told[0].indexes),
        (second, &vec![None, Some(b"i".to_vec())])
    );
    let told = subject.changes(since(table(30), second)).await.expect("tells");
    assert_eq!(short(&told), [(b"b".as_slice(), None)]);
    // What is deleted and put again is there; deleting what is not there is no change.
    subject
        .write([], [Write::put(row(30, b"b"), b"3"), Write::Delete(row(30, b"c"))])
        .await;
    let told = subject.changes(since(table(30), second)).await.expect("tells");
    assert_eq!(short(&told), [(b"b".as_slice(), Some(b"3".as_slice()))]);
}

async fn a_watcher_of_a_part_is_told_of_that_part(subject: &Subject) {
    let start = subject.head().await.revision;
    let keys: [&[u8]; 4] = [b"a", b"ab", b"b", b"\xFF"];
    subject.write([], keys.map(|key| Write::put(row(31, key), b"x"))).await;
    subject.write([], [Write::put(row(32, b"ab"), b"y")]).await;
    let of = |number: Option<u16>, prefix: &[u8]| Since {
        table: number.map(table),
        prefix: prefix.to_vec(),
        ..since(table(0), start)
    };
    let told = subject.changes(of(Some(31), b"a")).await.expect("tells");
    assert_eq!(
        short(&told),
        [(b"a".as_slice(), Some(b"x".as_slice())), (b"ab", Some(b"x"))]
    );
    let told = subject.changes(of(Some(31), b"\xFF")).await.expect("tells");
    assert_eq!(short(&told), [(b"\xFF".as_slice(), Some(b"x".as_slice()))]);
    let told = subject.changes(of(None, b"ab")).await.expect("tells");
    assert_eq!(
        short(&told),
        [(b"ab".as_slice(), Some(b"x".as_slice())), (b"ab", Some(b"y"))]
    );
    assert_eq!(subject.changes(of(Some(33), b"")).await, Ok(vec![]));
}

async fn the_changes_of_a_commit_are_not_torn_apart(subject: &Subject) {
    let start = subject.head().await.revision;
    let commits = MAX_PAGE_ROWS / MAX_WRITES + 1;
    for commit in 0..commits as u64 {
        let keys = (0..MAX_WRITES as u64 - 1).map(|at| (commit * 1000 + at).to_be_bytes());
        subject.write([], keys.map(|key| Write::put(row(34, &key), b"x"))).await;
    }
    let head = subject.head().await.revision;
    subject.store.moved(Revision(head.0 - 1), WITHIN).await.expect("reads");
    let (mut after, mut rows) = (start, 0);
    while after < head {
        let told = subject
            .store
            .changes(since(table(34), after), WITHIN)
            .await
            .expect("tells");
        assert!(
            told.changes
                .iter()
                .all(|change| change.revision > after && change.revision <= told.through)
        );
        assert_eq!(told.changes.len() % (MAX_WRITES - 1), 0, "whole commits");
        rows += told.changes.len();
        after = told.through;
    }
    assert_eq!(rows, commits * (MAX_WRITES - 1));
}

async fn a_watcher_that_waits_is_woken(subject: &Subject) {
    let start = subject.head().await.revision;
    subject
        .store
        .moved(Revision(start.0.saturating_sub(1)), WITHIN)
        .await
        .expect("reads");
    let mut watch = Watch::new(Arc::clone(&subject.store), since(table(35), start));
    assert_eq!(watch.next(SHORT).await, Ok(vec![]), "nothing has happened");
    let write = subject.write([], [Write::put(row(35, b"a"), b"1")]);
    let (told, _) = both(watch.next(WITHIN), write).await;
    assert_eq!(short(&told.expect("tells")), [(b"a".as_slice(), Some(b"1".as_slice()))]);
    // Others' changes do not wake it for good.
    subject.write([], [Write::put(row(36, b"a"), b"1")]).await;
    assert_eq!(watch.next(SHORT).await, Ok(vec![]));
    subject.write([], [Write::Delete(row(35, b"a"))]).await;
    assert_eq!(
        short(&watch.next(WITHIN).await.expect("tells")),
        [(b"a".as_slice(), None)]
    );
}

/// Awaits both at the same time.
async fn both<A, B>(one: impl Future<Output = A>, two: impl Future<Output = B>) -> (A, B) {
    tokio::join!(one, two)
}

async fn a_gap_is_told(subject: &Subject) {
    let start = subject
        .write([], [Write::put(row(37, b"a"), b"1"), Write::put(row(37, b"b"), b"1")])
        .await;
    let deleted = subject.write([], [Write::Delete(row(37, b"a"))]).await;
    for _ in 0..subject.kept_deletions {
        subject.write([], [Write::put(row(38, b"a"), b"x")]).await;
    }
    let told = subject.changes(since(table(37), start)).await;
    assert!(
        matches!(told, Err(ReadError::Gap { forgotten }) if forgotten >= deleted),
        "{told:?}"
    );
    // Who knows nothing yet misses nothing, and who has seen the deletion does not either.
    let told = subject.changes(since(table(37), Revision(0))).await.expect("tells");
    assert_eq!(short(&told), [(b"b".as_slice(), Some(b"1".as_slice()))]);
    assert_eq!(subject.changes(since(table(37), deleted)).await, Ok(vec![]));
}
