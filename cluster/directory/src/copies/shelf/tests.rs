use super::*;
use rungs_store::SnapshotMeta;
use rungs_types::Epoch;
use tempfile::TempDir;

const HEADER: u64 = HEADER_BYTES as u64;
const LIMITS: ShelfLimits = ShelfLimits {
    agents: 3,
    bytes: 1_000,
};

fn agent(text: &str) -> AgentId {
    text.parse().expect("an agent")
}

fn copy(name: &str, epoch: u64, sequence: u64, bytes: usize) -> SnapshotCopy {
    let meta = SnapshotMeta {
        epoch: Epoch(epoch),
        sequence,
        version: 1,
    };
    let bytes = vec![sequence as u8; bytes];
    SnapshotCopy::new(agent(name), Snapshot { meta, bytes })
}

async fn shelf(folder: &TempDir) -> Shelf {
    let shelf = Shelf::open(folder.path(), LIMITS).expect("opens");
    shelf.load().await.expect("reads");
    shelf
}

async fn found(shelf: &Shelf, name: &str) -> Option<(u64, u64)> {
    let snapshot = shelf.get(&agent(name), 1).await.expect("reads");
    snapshot.map(|snapshot| (snapshot.meta.epoch.0, snapshot.meta.sequence))
}

#[tokio::test]
async fn a_later_copy_stays_and_the_same_may_come_again() {
    let folder = TempDir::new().expect("a folder");
    let shelf = shelf(&folder).await;
    assert_eq!(shelf.put(copy("a", 2, 4, 10)).await, Kept::Kept);
    assert_eq!(shelf.put(copy("a", 2, 4, 10)).await, Kept::Kept);
    let later = Kept::Later {
        epoch: Epoch(2),
        sequence: 4,
    };
    for (epoch, sequence) in [(2, 3), (1, 9)] {
        assert_eq!(shelf.put(copy("a", epoch, sequence, 10)).await, later);
    }
    assert_eq!(shelf.put(copy("a", 3, 1, 10)).await, Kept::Kept);
    assert_eq!(found(&shelf, "a").await, Some((3, 1)));
    let mut changed = copy("a", 3, 2, 10);
    changed.bytes[0] ^= 1;
    let refused = Kept::Refused {
        reason: "the content is not what its hash says".to_owned(),
    };
    assert_eq!(shelf.put(changed).await, refused);
    assert_eq!(found(&shelf, "a").await, Some((3, 1)));
}

#[tokio::test]
async fn a_damaged_copy_is_refused_and_the_one_before_used() {
    let folder = TempDir::new().expect("a folder");
    let shelf = shelf(&folder).await;
    for sequence in 1..=2 {
        shelf.put(copy("acme/a", 1, sequence, 10)).await;
    }
    let file = folder
        .path()
        .join("acme/a/00000000000000000001-00000000000000000002.snap");
    let mut bytes = std::fs::read(&file).expect("there");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(&file, bytes).expect("written");
    assert_eq!(found(&shelf, "acme/a").await, Some((1, 1)));
    assert_eq!(
        shelf.put(copy("acme/a", 1, 2, 10)).await,
        Kept::Kept,
        "it may be sent again"
    );
    assert_eq!(found(&shelf, "acme/a").await, Some((1, 2)));
}

#[tokio::test]
async fn what_was_put_longest_ago_makes_room_also_after_a_start() {
    let folder = TempDir::new().expect("a folder");
    let first = shelf(&folder).await;
    for name in ["a", "b", "c", "a", "d"] {
        let before = first.last(&agent(name)).map_or(0, |line| line.last.sequence);
        assert_eq!(first.put(copy(name, 1, before + 1, 100)).await, Kept::Kept);
    }
    assert_eq!(first.size(), (3, 400 + 4 * HEADER), "the last of three, and one before");
    assert_eq!(found(&first, "b").await, None);
    assert_eq!(first.put(copy("e", 1, 1, 750)).await, Kept::Kept);
    assert_eq!(first.size(), (2, 850 + 2 * HEADER), "by bytes");
    assert_eq!(
        (found(&first, "a").await, found(&first, "d").await),
        (None, Some((1, 1)))
    );
    let refused = first.put(copy("f", 1, 1, 1_001)).await;
    assert!(
        matches!(refused, Kept::Refused { reason } if reason.contains("1065 bytes")),
        "alone it is too much"
    );
    first.put(copy("g", 1, 1, 100)).await;
    drop(first);
    let second = shelf(&folder).await;
    assert_eq!(second.size(), (2, 850 + 2 * HEADER), "the same two");
    assert!(second.has(&agent("g")) && found(&second, "g").await.is_some());
}

#[tokio::test]
async fn copies_up_to_the_last_that_was_known_are_dropped_and_later_ones_not() {
    let folder = TempDir::new().expect("a folder");
    let shelf = shelf(&folder).await;
    shelf.put(copy("a", 2, 4, 10)).await;
    let stamp = |epoch, sequence| {
        let epoch = Epoch(epoch);
        Stamp { epoch, sequence }
    };
    assert!(!shelf.remove(&agent("a"), stamp(2, 3)).await.expect("nothing to do"));
    assert!(!shelf.remove(&agent("b"), stamp(9, 9)).await.expect("nothing to do"));
    assert!(shelf.remove(&agent("a"), stamp(2, 4)).await.expect("removed"));
    assert_eq!((shelf.size(), found(&shelf, "a").await), ((0, 0), None));
}
