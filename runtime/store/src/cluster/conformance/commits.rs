//! Commits: all or nothing, in one order, under preconditions, within limits.

use super::{Subject, WITHIN, table};
use crate::cluster::commit::{Commit, CommitError, Outcome, Precondition, Revision, RowId, StoreTime, Write};
use crate::cluster::fence::{FENCES, Fence};
use crate::cluster::limits::{
    MAX_BATCH_BYTES, MAX_INDEXES, MAX_KEY_BYTES, MAX_PRECONDITIONS, MAX_VALUE_BYTES, MAX_WRITES, Malformed,
};
use crate::cluster::{Inserted, insert_if_absent};
use rungs_types::Epoch;
use std::time::Duration;

pub(super) async fn check(subject: &Subject) {
    what_is_committed_is_there(subject).await;
    a_commit_is_applied_as_a_whole_or_not_at_all(subject).await;
    the_first_precondition_that_fails_is_told(subject).await;
    the_last_write_of_a_row_counts(subject).await;
    a_stale_epoch_is_refused(subject).await;
    time_is_told_by_commits_and_never_goes_back(subject).await;
    an_insert_without_a_fence_happens_once(subject).await;
    of_those_that_want_the_same_one_wins(subject).await;
    everything_has_a_limit(subject).await;
}

async fn what_is_committed_is_there(subject: &Subject) {
    let row = RowId::new(table(1), b"a");
    assert_eq!(subject.get(&row).await, None);
    let first = subject.write([], [Write::put(row.clone(), b"1")]).await;
    let found = subject.get(&row).await.expect("is there");
    assert_eq!(
        (found.key, found.value, found.revision),
        (b"a".to_vec(), b"1".to_vec(), first)
    );
    let second = subject.write([], [Write::put(row.clone(), b"")]).await;
    assert!(second > first, "{second} comes after {first}");
    let found = subject.get(&row).await.expect("is there");
    assert_eq!((found.value, found.revision), (Vec::new(), second));
    assert_eq!(subject.head().await.revision, second);
    subject
        .write(
            [],
            [Write::Delete(row.clone()), Write::Delete(RowId::new(table(1), b"none"))],
        )
        .await;
    assert_eq!(subject.get(&row).await, None);
    // Bytes are bytes, and the empty key is a key.
    for key in [
        vec![],
        vec![0],
        vec![0, 0],
        vec![0xFF; MAX_KEY_BYTES],
        b"it's \"quoted\"; --".to_vec(),
    ] {
        let row = RowId::new(table(1), key.clone());
        subject.write([], [Write::put(row.clone(), key.clone())]).await;
        assert_eq!(subject.get(&row).await.map(|row| row.value), Some(key));
    }
}

async fn a_commit_is_applied_as_a_whole_or_not_at_all(subject: &Subject) {
    let [one, two, three] = [b"1", b"2", b"3"].map(|key| RowId::new(table(2), key));
    let both = subject
        .write(
            [Precondition::Absent(one.clone())],
            [Write::put(one.clone(), b"x"), Write::put(two.clone(), b"y")],
        )
        .await;
    for row in [&one, &two] {
        assert_eq!(subject.get(row).await.map(|row| row.revision), Some(both));
    }
    let before = subject.head().await.revision;
    let writes = [
        Write::put(one.clone(), b"z"),
        Write::Delete(two.clone()),
        Write::put(three.clone(), b"z"),
    ];
    assert_eq!(subject.conflict([Precondition::Absent(two.clone())], writes).await, 0);
    assert_eq!(subject.get(&one).await.map(|row| row.value), Some(b"x".to_vec()));
    assert_eq!(subject.get(&two).await.map(|row| row.value), Some(b"y".to_vec()));
    assert_eq!(subject.get(&three).await, None);
    assert_eq!(subject.head().await.revision, before, "a conflict is no commit");
}

async fn the_first_precondition_that_fails_is_told(subject: &Subject) {
    let [there, gone] = [b"there", b"gone."].map(|key| RowId::new(table(3), key));
    let revision = subject.write([], [Write::put(there.clone(), b"x")]).await;
    let gone_at = subject.write([], [Write::put(gone.clone(), b"x")]).await;
    subject.write([], [Write::Delete(gone.clone())]).await;
    let holds = [
        Precondition::Absent(gone.clone()),
        Precondition::RevisionIs(there.clone(), revision),
        Precondition::FenceIs(Fence {
            shard: 9,
            epoch: Epoch(0),
        }),
        Precondition::NotBefore(StoreTime::from_ms(0)),
        Precondition::Before(StoreTime::from_ms(i64::MAX as u64)),
    ];
    let fails = [
        Precondition::Absent(there.clone()),
        Precondition::RevisionIs(there.clone(), Revision(revision.0 - 1)),
        Precondition::RevisionIs(there.clone(), Revision(revision.0 + 1)),
        Precondition::RevisionIs(gone.clone(), gone_at),
        Precondition::RevisionIs(RowId::new(table(3), b"never"), revision),
        Precondition::FenceIs(Fence {
            shard: 9,
            epoch: Epoch(1),
        }),
        Precondition::NotBefore(StoreTime::from_ms(i64::MAX as u64)),
        Precondition::Before(StoreTime::from_ms(0)),
    ];
    let write = || [Write::put(RowId::new(table(3), b"other"), b"x")];
    subject.write(holds.clone(), write()).await;
    for fail in fails {
        assert_eq!(subject.conflict([fail.clone()], write()).await, 0, "{fail:?}");
        let mut all = holds.to_vec();
        all.extend([fail.clone(), Precondition::Absent(there.clone())]);
        assert_eq!(subject.conflict(all, write()).await, holds.len(), "{fail:?}");
    }
}

async fn the_last_write_of_a_row_counts(subject: &Subject) {
    let row = RowId::new(table(4), b"a");
    subject
        .write(
            [],
            [
                Write::put(row.clone(), b"1"),
                Write::Delete(row.clone()),
                Write::put(row.clone(), b"2"),
            ],
        )
        .await;
    assert_eq!(subject.get(&row).await.map(|row| row.value), Some(b"2".to_vec()));
    subject
        .write([], [Write::put(row.clone(), b"3"), Write::Delete(row.clone())])
        .await;
    assert_eq!(subject.get(&row).await, None);
    // What a commit writes is not what its own preconditions see.
    subject
        .write([Precondition::Absent(row.clone())], [Write::put(row.clone(), b"4")])
        .await;
}

async fn a_stale_epoch_is_refused(subject: &Subject) {
    // Other runs of the suite on this store may have raised it.
    let shard = 4095;
    let row = RowId::new(table(5), b"a");
    let at = |epoch| Fence {
        shard,
        epoch: Epoch(epoch),
    };
    let found = subject.get(&at(0).row()).await.map(|row| row.value);
    let now = found.map_or(0, |value| u64::from_be_bytes(value.try_into().expect("eight bytes")));
    let raise = |from, to| ([Precondition::FenceIs(at(from))], [Write::Raise(at(to))]);
    let (must, writes) = raise(now, now + 3);
    subject.write(must, writes).await;
    let write = || [Write::put(row.clone(), b"x")];
    for stale in [0, now, now + 2, now + 4] {
        assert_eq!(
            subject.conflict([Precondition::FenceIs(at(stale))], write()).await,
            0,
            "{stale}"
        );
    }
    subject.write([Precondition::FenceIs(at(now + 3))], write()).await;
    let other = Fence {
        shard: 4094,
        epoch: Epoch(now + 3),
    };
    assert_eq!(subject.conflict([Precondition::FenceIs(other)], write()).await, 0);
    let (must, writes) = raise(now, now + 4);
    assert_eq!(subject.conflict(must, writes).await, 0);
    let unchecked = [
        Commit::new([], [Write::Raise(at(now + 4))]),
        Commit::new([Precondition::FenceIs(other)], [Write::Raise(at(now + 4))]),
        Commit::new([Precondition::FenceIs(at(now + 3))], [Write::Raise(at(now + 3))]),
    ];
    for commit in unchecked {
        let refused = subject.refused(commit).await;
        assert!(
            matches!(refused, CommitError::Malformed(Malformed::UncheckedRaise(_))),
            "{refused}"
        );
    }
    for write in [Write::put(at(0).row(), b"x"), Write::Delete(at(0).row())] {
        let refused = subject.refused(Commit::new([], [write])).await;
        assert_eq!(refused, CommitError::Malformed(Malformed::WritesFences));
    }
    assert_eq!(FENCES, at(0).row().table);
}

async fn time_is_told_by_commits_and_never_goes_back(subject: &Subject) {
    let start = subject.head().await.time;
    let [soon, later] = [10, 20].map(|ms| start.after(Duration::from_millis(ms)));
    let write = || [Write::put(RowId::new(table(6), b"a"), b"x")];
    assert_eq!(subject.conflict([Precondition::NotBefore(soon)], write()).await, 0);
    // A commit's own time counts for its own preconditions.
    let commit = Commit::new([Precondition::NotBefore(soon), Precondition::Before(later)], write()).at(soon);
    assert!(matches!(subject.commit(commit).await, Outcome::Committed(_)));
    assert_eq!(subject.head().await.time, soon);
    // A slow clock does not turn it back, and the time of a commit that conflicts counts.
    let absent = Precondition::Absent(RowId::new(table(6), b"a"));
    for (told, then) in [(start, soon), (later, later), (soon, later)] {
        let commit = Commit::new([absent.clone()], write()).at(told);
        assert_eq!(subject.commit(commit).await, Outcome::Conflict(0));
        assert_eq!(subject.head().await.time, then);
    }
    subject.write([Precondition::NotBefore(later)], write()).await;
}

async fn an_insert_without_a_fence_happens_once(subject: &Subject) {
    let row = RowId::new(table(7), b"tenant/key");
    let insert = |value: &[u8]| insert_if_absent(&*subject.store, Write::put(row.clone(), value), WITHIN);
    let Ok(Inserted::New(revision)) = insert(b"first").await else {
        panic!("it is new");
    };
    assert_eq!(insert(b"second").await, Ok(Inserted::WasThere));
    let found = subject.get(&row).await.expect("is there");
    assert_eq!((found.value, found.revision), (b"first".to_vec(), revision));
    let refused = insert_if_absent(&*subject.store, Write::Delete(row.clone()), WITHIN).await;
    assert_eq!(refused, Err(CommitError::Malformed(Malformed::NotAPut)));
}

async fn of_those_that_want_the_same_one_wins(subject: &Subject) {
    const WRITERS: u64 = 8;
    const ROUNDS: u64 = 5;
    let row = RowId::new(table(8), b"counter");
    subject.write([], [Write::put(row.clone(), 0_u64.to_be_bytes())]).await;
    // Each adds one, again and again, whatever the others do in between.
    let add = |writer: u64| {
        let row = row.clone();
        async move {
            let mut added = 0;
            while added < ROUNDS {
                let found = subject.get(&row).await.expect("is there");
                let count = u64::from_be_bytes(found.value.try_into().expect("eight bytes"));
                let must = [Precondition::RevisionIs(row.clone(), found.revision)];
                let mine = Write::put(RowId::new(table(8), (writer * 1000 + added).to_be_bytes()), b"");
                let writes = [Write::put(row.clone(), (count + 1).to_be_bytes()), mine];
                if let Outcome::Committed(_) = subject.commit(Commit::new(must, writes)).await {
                    added += 1;
                }
            }
        }
    };
    together((0..WRITERS).map(add)).await;
    let found = subject.get(&row).await.expect("is there");
    assert_eq!(found.value, (WRITERS * ROUNDS).to_be_bytes());
    let rows = subject
        .scan(crate::cluster::Scan::all(table(8), 100))
        .await
        .expect("scans");
    assert_eq!(rows.len() as u64, WRITERS * ROUNDS + 1);
}

/// Polls all of them until each has ended.
async fn together(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut left: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        left.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if left.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

async fn everything_has_a_limit(subject: &Subject) {
    /// What keys and preconditions take of the largest commit, for each of its four values.
    const ROOM: usize = MAX_PRECONDITIONS + 1;
    let row = |key: Vec<u8>| RowId::new(table(9), key);
    let put = |bytes: usize| Write::put(row(b"a".to_vec()), vec![7; bytes]);
    let indexed = |indexes| Write::Put {
        row: row(b"a".to_vec()),
        value: Vec::new(),
        indexes,
    };
    let key = vec![7; MAX_KEY_BYTES + 1];
    let absent = || Precondition::Absent(row(b"none".to_vec()));
    let too_large = (MAX_BATCH_BYTES / MAX_VALUE_BYTES) + 1;
    let refused: [(Commit, &str); 10] = [
        (Commit::new([], []), "0 writes"),
        (Commit::new([], vec![put(1); MAX_WRITES + 1]), "513 writes"),
        (
            Commit::new(vec![absent(); MAX_PRECONDITIONS + 1], [put(1)]),
            "401 preconditions",
        ),
        (Commit::new([], [Write::put(row(key.clone()), b"")]), "a key of 513"),
        (Commit::new([], [Write::Delete(row(key.clone()))]), "a key of 513"),
        (
            Commit::new([Precondition::Absent(row(key.clone()))], [put(1)]),
            "a key of 513",
        ),
        (Commit::new([], [indexed(vec![Some(key)])]), "a key of 513"),
        (Commit::new([], [indexed(vec![None; MAX_INDEXES + 1])]), "5 indexes"),
        (Commit::new([], [put(MAX_VALUE_BYTES + 1)]), "a value of"),
        (Commit::new([], vec![put(MAX_VALUE_BYTES); too_large]), "a commit of"),
    ];
    for (commit, what) in refused {
        let error = subject.refused(commit).await.to_string();
        assert!(error.starts_with(what), "{error}: {what}");
    }
    // The largest that is allowed.
    let full = MAX_BATCH_BYTES / MAX_VALUE_BYTES;
    let largest = (0..full).map(|at| Write::put(row(vec![at as u8]), vec![at as u8; MAX_VALUE_BYTES - ROOM]));
    subject.write(vec![absent(); MAX_PRECONDITIONS], largest).await;
    let found = subject.get(&row(vec![1])).await.expect("is there");
    assert!(found.value == vec![1; MAX_VALUE_BYTES - ROOM]);
    let most = (0..MAX_WRITES as u64).map(|at| Write::put(row(at.to_be_bytes().to_vec()), b"x"));
    subject.write([], most).await;
}
