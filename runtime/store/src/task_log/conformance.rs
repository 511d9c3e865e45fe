//! What every [`TaskLogStore`] must do, whatever it is made of.

use super::{Base, LogEntry, MAX_BASE_BYTES, MAX_ENTRY_BYTES, MAX_LOG_BYTES, Tail, TaskLogStore};
use crate::snapshot::StoreError;
use rungs_types::{AgentId, Epoch};

/// The epoch of a shard that was never moved.
const NOW: Epoch = Epoch(0);

fn agent(text: &str) -> AgentId {
    text.parse().expect("an agent")
}

fn entry(seq: u64, bytes: usize) -> LogEntry {
    LogEntry {
        seq,
        bytes: vec![seq as u8; bytes],
    }
}

fn entries(seqs: std::ops::RangeInclusive<u64>) -> Vec<LogEntry> {
    seqs.map(|seq| entry(seq, seq as usize % 40)).collect()
}

fn found(store: &impl TaskLogStore, name: &str, after: u64) -> Vec<LogEntry> {
    let Tail {
        entries, torn_bytes, ..
    } = store.read(&agent(name), after).expect("reads");
    assert_eq!(torn_bytes, 0);
    entries
}

fn base(seq: u64) -> Base {
    let bytes = format!("as of {seq}").into_bytes();
    Base { seq, bytes }
}

/// Runs the suite; `empty` makes an empty store.
pub(super) fn check<S: TaskLogStore>(mut empty: impl FnMut() -> S) {
    nothing_is_known_of_a_stranger(&empty());
    what_is_appended_is_found_in_order(&empty());
    an_append_can_be_repeated_and_numbers_may_leave_gaps(&empty());
    a_sync_makes_all_before_it_durable(&empty());
    what_is_trimmed_may_go_and_the_rest_stays(&empty());
    agents_do_not_see_each_other(&empty());
    sizes_are_bounded(&empty());
    threads_may_share_it(&empty());
}

fn nothing_is_known_of_a_stranger(store: &impl TaskLogStore) {
    assert_eq!(found(store, "a", 0), []);
    store.trim(&agent("a"), NOW, &base(7)).expect("trims");
    assert!(!store.remove(&agent("a"), NOW).expect("removes"));
    assert_eq!(store.append(&agent("a"), NOW, &[], true).expect("appends"), 0);
    assert_eq!(found(store, "a", 0), []);
}

fn what_is_appended_is_found_in_order(store: &impl TaskLogStore) {
    let all = entries(1..=90);
    for batch in all.chunks(7) {
        store.append(&agent("a"), NOW, batch, false).expect("appends");
    }
    assert_eq!(found(store, "a", 0), all);
    assert_eq!(found(store, "a", 60), all[60..]);
    assert_eq!(found(store, "a", 90), []);
}

fn an_append_can_be_repeated_and_numbers_may_leave_gaps(store: &impl TaskLogStore) {
    store.append(&agent("a"), NOW, &entries(1..=5), true).expect("appends");
    assert_eq!(
        store.append(&agent("a"), NOW, &entries(3..=7), true).expect("appends"),
        7
    );
    assert_eq!(
        store
            .append(&agent("a"), NOW, &entries(20..=22), true)
            .expect("appends"),
        22
    );
    let expected = [entries(1..=7), entries(20..=22)].concat();
    assert_eq!(found(store, "a", 0), expected);
}

fn a_sync_makes_all_before_it_durable(store: &impl TaskLogStore) {
    assert!(store.append(&agent("a"), NOW, &entries(1..=5), false).expect("appends") <= 5);
    assert_eq!(store.append(&agent("a"), NOW, &[], true).expect("appends"), 5);
    assert_eq!(
        store.append(&agent("a"), NOW, &entries(6..=6), true).expect("appends"),
        6
    );
}

fn what_is_trimmed_may_go_and_the_rest_stays(store: &impl TaskLogStore) {
    let all: Vec<_> = (1..=300).map(|seq| entry(seq, 1000)).collect();
    store.append(&agent("a"), NOW, &all, true).expect("appends");
    store.trim(&agent("a"), NOW, &base(250)).expect("trims");
    assert_eq!(found(store, "a", 250), all[250..]);
    assert_eq!(found(store, "a", 0), all[250..], "enough to be made shorter");
    store.trim(&agent("a"), NOW, &base(300)).expect("trims");
    assert_eq!(found(store, "a", 300), []);
    // Numbers that were given are not given again.
    store.append(&agent("a"), NOW, &all[290..], true).expect("appends");
    store.append(&agent("a"), NOW, &[entry(301, 3)], true).expect("appends");
    assert_eq!(found(store, "a", 300), [entry(301, 3)]);
}

fn agents_do_not_see_each_other(store: &impl TaskLogStore) {
    let names = ["a", "a-b", "acme/a", "acme/zz", "b"];
    for (index, name) in names.iter().enumerate() {
        store
            .append(&agent(name), NOW, &[entry(index as u64 + 1, 9)], true)
            .expect("appends");
    }
    assert!(store.remove(&agent("acme/a"), NOW).expect("removes"));
    for (index, name) in names.iter().enumerate() {
        let there = found(store, name, 0);
        if *name == "acme/a" {
            assert_eq!(there, []);
        } else {
            assert_eq!(there, [entry(index as u64 + 1, 9)], "{name}");
        }
    }
    store
        .append(&agent("acme/a"), NOW, &[entry(1, 2)], true)
        .expect("appends");
    assert_eq!(found(store, "acme/a", 0), [entry(1, 2)]);
}

fn sizes_are_bounded(store: &impl TaskLogStore) {
    let large = store.append(&agent("a"), NOW, &[entry(1, 1), entry(2, MAX_ENTRY_BYTES + 1)], true);
    assert!(matches!(large, Err(StoreError::EntryTooLarge { bytes }) if bytes == MAX_ENTRY_BYTES + 1));
    assert_eq!(found(store, "a", 0), []);
    let mut seq = 0;
    let full = loop {
        let batch: Vec<_> = (seq + 1..=seq + 16).map(|seq| entry(seq, MAX_ENTRY_BYTES)).collect();
        match store.append(&agent("a"), NOW, &batch, false) {
            Ok(_) => seq += 16,
            Err(error) => break error,
        }
        assert!(seq * MAX_ENTRY_BYTES as u64 <= MAX_LOG_BYTES);
    };
    assert!(matches!(full, StoreError::LogFull { .. }), "{full}");
    assert_eq!(
        found(store, "a", 0).len() as u64,
        seq,
        "the batch that found no room is left out as a whole"
    );
    store.trim(&agent("a"), NOW, &base(seq)).expect("trims");
    let next = entry(seq + 1, MAX_ENTRY_BYTES);
    assert_eq!(
        store
            .append(&agent("a"), NOW, std::slice::from_ref(&next), true)
            .expect("appends"),
        seq + 1
    );
    assert_eq!(found(store, "a", seq), [next]);
}

fn threads_may_share_it(store: &impl TaskLogStore) {
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            scope.spawn(move || {
                let own = agent(&format!("t{thread}"));
                for seq in 1..=20 {
                    store
                        .append(&own, NOW, &[entry(seq, 5)], seq % 4 == 0)
                        .expect("appends");
                    store.trim(&own, NOW, &base(seq / 2)).expect("trims");
                }
            });
        }
    });
    for thread in 0..4 {
        assert_eq!(found(store, &format!("t{thread}"), 10).len(), 10);
    }
}

/// Runs the suite of stores that keep bases.
pub(super) fn check_bases<S: TaskLogStore>(mut empty: impl FnMut() -> S) {
    what_is_forgotten_is_in_the_base(&empty());
    a_base_may_be_ahead_of_the_log(&empty());
    an_older_base_changes_nothing(&empty());
    bases_are_bounded_and_may_be_large(&empty());
}

fn based(store: &impl TaskLogStore, name: &str) -> Option<Base> {
    store.read(&agent(name), 0).expect("reads").base
}

fn what_is_forgotten_is_in_the_base(store: &impl TaskLogStore) {
    let all: Vec<_> = (1..=300).map(|seq| entry(seq, 1000)).collect();
    store.append(&agent("a"), NOW, &all, true).expect("appends");
    assert_eq!(based(store, "a"), None);
    for seq in [100, 200, 290] {
        store.trim(&agent("a"), NOW, &base(seq)).expect("trims");
        let first = found(store, "a", 0).first().expect("there").seq;
        let kept = based(store, "a").map_or(0, |base| base.seq);
        assert_eq!(first, kept + 1, "nothing is missing between the base and the entries");
    }
    assert!(based(store, "a").is_some());
    assert_eq!(based(store, "b"), None);
    assert!(store.remove(&agent("a"), NOW).expect("removes"));
    assert_eq!((based(store, "a"), found(store, "a", 0)), (None, Vec::new()));
}

fn a_base_may_be_ahead_of_the_log(store: &impl TaskLogStore) {
    store.append(&agent("a"), NOW, &entries(1..=3), true).expect("appends");
    store.keep(&agent("a"), NOW, &base(9)).expect("keeps");
    assert_eq!((based(store, "a"), found(store, "a", 0)), (Some(base(9)), Vec::new()));
    // What it stands for is there already.
    assert_eq!(
        store.append(&agent("a"), NOW, &entries(8..=11), true).expect("appends"),
        11
    );
    assert_eq!(found(store, "a", 0), entries(10..=11));
    store.keep(&agent("new"), NOW, &base(4)).expect("keeps");
    assert_eq!(based(store, "new"), Some(base(4)));
}

fn an_older_base_changes_nothing(store: &impl TaskLogStore) {
    store.append(&agent("a"), NOW, &entries(1..=9), true).expect("appends");
    store.keep(&agent("a"), NOW, &base(5)).expect("keeps");
    store.keep(&agent("a"), NOW, &base(3)).expect("passes over");
    store.trim(&agent("a"), NOW, &base(5)).expect("passes over");
    assert_eq!(
        (based(store, "a"), found(store, "a", 0)),
        (Some(base(5)), entries(6..=9))
    );
}

fn bases_are_bounded_and_may_be_large(store: &impl TaskLogStore) {
    let of = |seq: u64, bytes: usize| Base {
        seq,
        bytes: vec![seq as u8; bytes],
    };
    store.append(&agent("a"), NOW, &entries(1..=9), true).expect("appends");
    let large = store.keep(&agent("a"), NOW, &of(5, MAX_BASE_BYTES + 1));
    assert!(matches!(large, Err(StoreError::BaseTooLarge { .. })));
    for (seq, bytes) in [(5, MAX_BASE_BYTES), (6, 3), (7, 1 << 20), (8, 0)] {
        store.keep(&agent("a"), NOW, &of(seq, bytes)).expect("keeps");
        assert_eq!(based(store, "a"), Some(of(seq, bytes)));
        assert_eq!(found(store, "a", 0), entries(seq + 1..=9));
    }
}
