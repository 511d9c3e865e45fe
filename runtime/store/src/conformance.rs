//! What every [`SnapshotStore`] must do, whatever it is made of.

use crate::snapshot::{
    KEPT_SNAPSHOTS, MAX_SNAPSHOT_BYTES, Reason, Refused, Snapshot, SnapshotMeta, SnapshotStore, StoreError,
};
use rungs_types::{AgentId, Epoch};

fn agent(text: &str) -> AgentId {
    text.parse().expect("an agent")
}

/// Runs the suite; `empty` makes an empty store.
pub(crate) fn check<S: SnapshotStore>(mut empty: impl FnMut() -> S) {
    nothing_is_known_of_a_stranger(&empty());
    what_is_put_last_is_found(&empty());
    only_the_last_are_kept(&empty());
    a_newer_content_is_refused_and_the_one_before_used(&empty());
    agents_do_not_see_each_other(&empty());
    a_removed_agent_starts_over(&empty());
    sizes_are_bounded(&empty());
    threads_may_share_it(&empty());
    an_epoch_never_falls(&empty());
    what_is_adopted_is_continued(&empty());
    a_later_epoch_wins_over_a_greater_number(&empty());
    nothing_older_is_adopted(&empty());
}

/// A snapshot that was written elsewhere.
fn elsewhere(epoch: u64, sequence: u64, version: u16, content: &str) -> Snapshot {
    Snapshot {
        meta: SnapshotMeta {
            epoch: Epoch(epoch),
            sequence,
            version,
        },
        bytes: content.as_bytes().to_vec(),
    }
}

fn found(store: &impl SnapshotStore) -> Snapshot {
    let latest = store.latest(&agent("a"), 1).expect("reads");
    latest.snapshot.expect("there")
}

fn nothing_is_known_of_a_stranger(store: &impl SnapshotStore) {
    let latest = store.latest(&agent("a"), u16::MAX).expect("reads");
    assert_eq!((latest.snapshot, latest.refused), (None, Vec::new()));
    assert!(!store.remove(&agent("a")).expect("removes"));
    assert_eq!(store.list().expect("lists"), []);
}

fn what_is_put_last_is_found(store: &impl SnapshotStore) {
    for number in 1..=5_u8 {
        let meta = store.put(&agent("a"), u16::from(number), &[number; 3]).expect("writes");
        assert_eq!((meta.sequence, meta.version), (u64::from(number), u16::from(number)));
        let latest = store.latest(&agent("a"), 9).expect("reads");
        let snapshot = latest.snapshot.expect("there");
        assert_eq!((snapshot.meta, snapshot.bytes), (meta, vec![number; 3]));
        assert_eq!(latest.refused, []);
    }
}

fn only_the_last_are_kept(store: &impl SnapshotStore) {
    // Each later one cannot be read by a reader of version 0, so that the search goes back as far as it can.
    for _ in 0..5 {
        store.put(&agent("a"), 1, b"x").expect("writes");
    }
    let latest = store.latest(&agent("a"), 0).expect("reads");
    assert_eq!(latest.snapshot, None);
    let sequences: Vec<_> = latest.refused.iter().map(|refused| refused.sequence).collect();
    assert_eq!(sequences, [5, 4]);
    assert_eq!(sequences.len(), KEPT_SNAPSHOTS);
}

fn a_newer_content_is_refused_and_the_one_before_used(store: &impl SnapshotStore) {
    store.put(&agent("a"), 1, b"old").expect("writes");
    store.put(&agent("a"), 2, b"new").expect("writes");
    let latest = store.latest(&agent("a"), 1).expect("reads");
    assert_eq!(latest.snapshot.map(|snapshot| snapshot.bytes), Some(b"old".to_vec()));
    let reason = Reason::NewerContent { found: 2, newest: 1 };
    assert_eq!(latest.refused, [Refused { sequence: 2, reason }]);
}

fn agents_do_not_see_each_other(store: &impl SnapshotStore) {
    let names = ["a", "a-b", "acme/a", "acme/zz", "b"];
    for name in names {
        store.put(&agent(name), 1, name.as_bytes()).expect("writes");
    }
    for name in names {
        let latest = store.latest(&agent(name), 1).expect("reads");
        assert_eq!(
            latest.snapshot.map(|snapshot| snapshot.bytes),
            Some(name.as_bytes().to_vec())
        );
    }
    let mut expected = names.map(agent);
    expected.sort();
    assert_eq!(store.list().expect("lists"), expected);
    assert!(store.remove(&agent("acme/a")).expect("removes"));
    assert!(store.latest(&agent("a"), 1).expect("reads").snapshot.is_some());
    assert_eq!(store.list().expect("lists").len(), 4);
}

fn a_removed_agent_starts_over(store: &impl SnapshotStore) {
    store.put(&agent("a"), 1, b"x").expect("writes");
    store.put(&agent("a"), 1, b"y").expect("writes");
    assert!(store.remove(&agent("a")).expect("removes"));
    assert!(!store.remove(&agent("a")).expect("removes"));
    assert_eq!(store.latest(&agent("a"), 1).expect("reads").snapshot, None);
    assert_eq!(store.put(&agent("a"), 1, b"z").expect("writes").sequence, 1);
}

fn sizes_are_bounded(store: &impl SnapshotStore) {
    for bytes in [vec![], vec![7; MAX_SNAPSHOT_BYTES]] {
        store.put(&agent("a"), 1, &bytes).expect("writes");
        let latest = store.latest(&agent("a"), 1).expect("reads");
        assert!(latest.snapshot.expect("there").bytes == bytes);
    }
    let refused = store.put(&agent("a"), 1, &vec![7; MAX_SNAPSHOT_BYTES + 1]);
    let bytes = MAX_SNAPSHOT_BYTES + 1;
    assert!(matches!(refused, Err(StoreError::TooLarge { bytes: found }) if found == bytes));
    assert_eq!(store.put(&agent("a"), 1, b"x").expect("writes").sequence, 3);
}

fn threads_may_share_it(store: &impl SnapshotStore) {
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            scope.spawn(move || {
                for number in 0..10_u8 {
                    // One agent of its own and one of all.
                    let own = agent(&format!("t{thread}"));
                    store.put(&own, 1, &[thread, number]).expect("writes");
                    store.put(&agent("all"), 1, &[thread, number]).expect("writes");
                    assert!(store.latest(&agent("all"), 1).expect("reads").snapshot.is_some());
                }
                let own = store.latest(&agent(&format!("t{thread}")), 1).expect("reads");
                assert_eq!(own.snapshot.expect("there").bytes, [thread, 9]);
            });
        }
    });
    let all = store.latest(&agent("all"), 1).expect("reads");
    assert_eq!(all.snapshot.expect("there").meta.sequence, 40);
    assert_eq!(all.refused, []);
}

fn an_epoch_never_falls(store: &impl SnapshotStore) {
    let put = |epoch, content: &[u8]| store.put_in(&agent("a"), Epoch(epoch), 1, content).expect("writes");
    let written = [put(2, b"x"), put(1, b"y"), put(3, b"z")];
    let stamps = written.map(|meta| (meta.epoch.0, meta.sequence));
    assert_eq!(stamps, [(2, 1), (2, 2), (3, 3)]);
    let meta = store.put(&agent("a"), 1, b"w").expect("writes");
    assert_eq!((meta.epoch, meta.sequence), (Epoch(3), 4));
    assert_eq!(found(store).meta, meta);
}

fn what_is_adopted_is_continued(store: &impl SnapshotStore) {
    let snapshot = elsewhere(2, 7, 1, "moved");
    assert!(store.adopt(&agent("a"), &snapshot).expect("writes"));
    assert_eq!(found(store), snapshot, "as it was written");
    assert_eq!(store.list().expect("lists"), [agent("a")]);
    let next = store.put_in(&agent("a"), Epoch(3), 1, b"next").expect("writes");
    assert_eq!((next.epoch, next.sequence), (Epoch(3), 8));
    assert_eq!(found(store).bytes, b"next");
    // The one before is still there.
    store.put(&agent("a"), 9, b"unreadable").expect("writes");
    assert_eq!(found(store).bytes, b"next");
}

fn a_later_epoch_wins_over_a_greater_number(store: &impl SnapshotStore) {
    for number in 1..=5_u8 {
        store.put_in(&agent("a"), Epoch(1), 1, &[number]).expect("writes");
    }
    let snapshot = elsewhere(2, 4, 1, "went on elsewhere from number 3");
    assert!(store.adopt(&agent("a"), &snapshot).expect("writes"));
    assert_eq!(found(store), snapshot);
    let next = store.put_in(&agent("a"), Epoch(3), 1, b"next").expect("writes");
    assert_eq!((next.epoch, next.sequence), (Epoch(3), 5));
    assert_eq!(found(store).bytes, b"next");
}

fn nothing_older_is_adopted(store: &impl SnapshotStore) {
    let kept = elsewhere(2, 4, 1, "kept");
    assert!(store.adopt(&agent("a"), &kept).expect("writes"));
    for (epoch, sequence) in [(2, 4), (2, 3), (1, 9)] {
        let older = elsewhere(epoch, sequence, 1, "older");
        assert!(!store.adopt(&agent("a"), &older).expect("reads"));
        assert_eq!(found(store), kept);
    }
    let large = Snapshot {
        bytes: vec![7; MAX_SNAPSHOT_BYTES + 1],
        ..elsewhere(3, 1, 1, "")
    };
    let refused = store.adopt(&agent("a"), &large);
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
}
