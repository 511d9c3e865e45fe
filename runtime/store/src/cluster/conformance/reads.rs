//! Reads: in order, by key and by index, in pages that lead on.

use super::{Subject, WITHIN, keys, table};
use crate::cluster::commit::{Precondition, RowId, Write};
use crate::cluster::limits::{MAX_PAGE_BYTES, MAX_PAGE_ROWS, MAX_VALUE_BYTES, Malformed};
use crate::cluster::read::{By, Consistency, ReadError, Scan};

pub(super) async fn check(subject: &Subject) {
    rows_come_in_the_order_of_their_keys(subject).await;
    rows_come_in_the_order_of_an_index(subject).await;
    an_index_follows_its_row(subject).await;
    a_page_is_bounded_and_leads_on(subject).await;
    tables_do_not_see_each_other(subject).await;
    a_local_read_comes_to_know_what_was_committed(subject).await;
}

fn put(number: u16, key: &[u8]) -> Write {
    Write::put(RowId::new(table(number), key), key)
}

fn indexed(number: u16, key: &[u8], indexes: &[Option<&[u8]>]) -> Write {
    Write::Put {
        row: RowId::new(table(number), key),
        value: b"x".to_vec(),
        indexes: indexes.iter().map(|key| key.map(<[u8]>::to_vec)).collect(),
    }
}

async fn rows_come_in_the_order_of_their_keys(subject: &Subject) {
    let sorted: [&[u8]; 8] = [b"", b"\0", b"a", b"a\0", b"ab", b"b", b"\xFF", b"\xFF\xFF"];
    let mut writes: Vec<_> = sorted.iter().map(|key| put(20, key)).collect();
    writes.reverse();
    subject.write([], writes).await;
    for max_rows in [1, 2, 3, 8, 100] {
        let rows = subject.scan(Scan::all(table(20), max_rows)).await.expect("scans");
        assert_eq!(keys(&rows), sorted, "{max_rows} at a time");
    }
    let prefixes: [(&[u8], &[usize]); 5] = [
        (b"a", &[2, 3, 4]),
        (b"ab", &[4]),
        (b"c", &[]),
        (b"\xFF", &[6, 7]),
        (b"\0", &[1]),
    ];
    for (prefix, places) in prefixes {
        let rows = subject
            .scan(Scan::prefix(table(20), By::Key, prefix, 2))
            .await
            .expect("scans");
        let expected: Vec<_> = places.iter().map(|place| sorted[*place]).collect();
        assert_eq!(keys(&rows), expected, "{prefix:?}");
    }
    let range = Scan {
        from: b"a\0".to_vec(),
        to: Some(b"b".to_vec()),
        ..Scan::all(table(20), 1)
    };
    assert_eq!(
        keys(&subject.scan(range).await.expect("scans")),
        [b"a\0".as_slice(), b"ab"]
    );
}

async fn rows_come_in_the_order_of_an_index(subject: &Subject) {
    let writes = [
        indexed(21, b"1", &[Some(b"red"), Some(b"9")]),
        indexed(21, b"2", &[Some(b"blue"), Some(b"8")]),
        indexed(21, b"3", &[Some(b"red"), None]),
        indexed(21, b"4", &[None, Some(b"7"), None, Some(b"x")]),
        indexed(21, b"5", &[]),
    ];
    subject.write([], writes).await;
    let by = |index, prefix: &'static [u8]| Scan::prefix(table(21), By::Index(index), prefix, 1);
    let cases: [(Scan, &[&[u8]]); 6] = [
        (by(0, b""), &[b"2", b"1", b"3"]),
        (by(0, b"red"), &[b"1", b"3"]),
        (by(0, b"green"), &[]),
        (by(1, b""), &[b"4", b"2", b"1"]),
        (by(2, b""), &[]),
        (by(3, b""), &[b"4"]),
    ];
    for (scan, expected) in cases {
        for max_rows in [1, 2, 5] {
            let scan = Scan {
                max_rows,
                ..scan.clone()
            };
            assert_eq!(
                keys(&subject.scan(scan.clone()).await.expect("scans")),
                expected,
                "{scan:?}"
            );
        }
    }
    let beyond = subject.scan(by(4, b"")).await;
    assert!(matches!(
        beyond,
        Err(ReadError::Malformed(Malformed::TooManyIndexes { .. }))
    ));
}

async fn an_index_follows_its_row(subject: &Subject) {
    let by = |prefix: &'static [u8]| Scan::prefix(table(22), By::Index(0), prefix, 10);
    subject.write([], [indexed(22, b"1", &[Some(b"new")])]).await;
    subject.write([], [indexed(22, b"1", &[Some(b"old")])]).await;
    assert_eq!(keys(&subject.scan(by(b"")).await.expect("scans")), [b"1"]);
    assert_eq!(subject.scan(by(b"new")).await, Ok(vec![]));
    subject.write([], [indexed(22, b"1", &[])]).await;
    assert_eq!(subject.scan(by(b"")).await, Ok(vec![]));
    subject.write([], [indexed(22, b"1", &[Some(b"last")])]).await;
    subject.write([], [Write::Delete(RowId::new(table(22), b"1"))]).await;
    assert_eq!(subject.scan(by(b"")).await, Ok(vec![]));
}

async fn a_page_is_bounded_and_leads_on(subject: &Subject) {
    for max_rows in [0, MAX_PAGE_ROWS + 1] {
        let refused = subject.scan(Scan::all(table(23), max_rows)).await;
        assert_eq!(
            refused,
            Err(ReadError::Malformed(Malformed::PageSize { rows: max_rows }))
        );
    }
    let rows = 2 * MAX_PAGE_BYTES / MAX_VALUE_BYTES;
    for at in 0..rows as u8 {
        subject
            .write([], [Write::put(RowId::new(table(23), [at]), vec![at; MAX_VALUE_BYTES])])
            .await;
    }
    let scan = Scan::all(table(23), 100);
    let page = subject
        .store
        .scan(scan.clone(), Consistency::Consistent, WITHIN)
        .await
        .expect("scans");
    assert_eq!(page.rows.len(), rows / 2);
    assert_eq!(page.head.revision, subject.head().await.revision);
    let found = subject.scan(scan).await.expect("scans");
    assert_eq!(found.len(), rows);
    assert!(
        (0..)
            .zip(&found)
            .all(|(at, row)| row.value == vec![at; MAX_VALUE_BYTES])
    );
}

async fn tables_do_not_see_each_other(subject: &Subject) {
    subject.write([], [put(24, b"a"), put(25, b"b"), put(26, b"c")]).await;
    assert_eq!(
        keys(&subject.scan(Scan::all(table(25), 10)).await.expect("scans")),
        [b"b"]
    );
    assert_eq!(subject.get(&RowId::new(table(25), b"a")).await, None);
    subject
        .write(
            [Precondition::Absent(RowId::new(table(25), b"a"))],
            [Write::Delete(RowId::new(table(25), b"c"))],
        )
        .await;
    assert!(subject.get(&RowId::new(table(26), b"c")).await.is_some());
}

async fn a_local_read_comes_to_know_what_was_committed(subject: &Subject) {
    let row = RowId::new(table(27), b"a");
    let revision = subject.write([], [Write::put(row.clone(), b"x")]).await;
    let before = crate::cluster::Revision(revision.0 - 1);
    let head = subject.store.moved(before, WITHIN).await.expect("reads");
    assert!(head.revision >= revision);
    let local = subject
        .store
        .get(row.clone(), Consistency::Local, WITHIN)
        .await
        .expect("reads");
    assert_eq!(local.value.map(|row| row.revision), Some(revision));
    let page = subject
        .store
        .scan(Scan::all(table(27), 1), Consistency::Local, WITHIN)
        .await
        .expect("scans");
    assert_eq!(keys(&page.rows), [b"a"]);
}
