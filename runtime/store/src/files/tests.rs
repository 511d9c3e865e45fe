use super::*;
use crate::snapshot::MAX_SNAPSHOT_BYTES;
use tempfile::TempDir;

fn agent(text: &str) -> AgentId {
    text.parse().expect("an agent")
}

fn open() -> (TempDir, FileSnapshots) {
    let folder = TempDir::new().expect("a folder");
    let store = FileSnapshots::open(folder.path()).expect("opens");
    (folder, store)
}

/// Two snapshots, `old` and `new`, and the path of the new one.
fn two() -> (TempDir, FileSnapshots, PathBuf) {
    let (folder, store) = open();
    store.put(&agent("acme/a"), 1, b"old").expect("writes");
    store.put(&agent("acme/a"), 1, b"new").expect("writes");
    let path = folder.path().join("acme/a/00000000000000000002.snap");
    (folder, store, path)
}

/// What is found, and why something else was not.
fn latest(store: &FileSnapshots) -> (Option<Vec<u8>>, Vec<Refused>) {
    let latest = store.latest(&agent("acme/a"), 1).expect("reads");
    (latest.snapshot.map(|snapshot| snapshot.bytes), latest.refused)
}

fn refused(reason: Reason) -> Vec<Refused> {
    vec![Refused { sequence: 2, reason }]
}

fn stamp(epoch: u64, sequence: u64) -> Stamp {
    let epoch = Epoch(epoch);
    Stamp { epoch, sequence }
}

fn meta(epoch: u64, sequence: u64) -> SnapshotMeta {
    SnapshotMeta {
        epoch: Epoch(epoch),
        sequence,
        version: 1,
    }
}

#[test]
fn files_conform() {
    let mut folders = Vec::new();
    crate::conformance::check(|| {
        let (folder, store) = open();
        folders.push(folder);
        store
    });
}

#[test]
fn what_was_put_is_there_after_the_store_is_opened_again() {
    let (folder, store, _) = two();
    drop(store);
    let store = FileSnapshots::open(folder.path()).expect("opens");
    assert_eq!(latest(&store), (Some(b"new".to_vec()), Vec::new()));
    assert_eq!(store.put(&agent("acme/a"), 1, b"next").expect("writes").sequence, 3);
    assert_eq!(store.list().expect("lists"), [agent("acme/a")]);
}

#[test]
fn a_corrupt_a_torn_and_a_newer_file_are_refused_by_name_and_the_one_before_is_used() {
    let (_folder, store, path) = two();
    let whole = fs::read(&path).expect("reads");
    let mut corrupt = whole.clone();
    corrupt[65] ^= 1;
    let mut newer = whole.clone();
    newer[8] = 7;
    let table = [
        (corrupt, Reason::Corrupt),
        (whole[..whole.len() - 1].to_vec(), Reason::Torn),
        (Vec::new(), Reason::Torn),
        (vec![0; MAX_FILE_BYTES + 10], Reason::Torn),
        (newer, Reason::NewerFormat { found: 7, newest: 1 }),
    ];
    for (file, reason) in table {
        fs::write(&path, file).expect("writes");
        assert_eq!(latest(&store), (Some(b"old".to_vec()), refused(reason)));
    }
    // Writing goes on, with a number of its own.
    assert_eq!(store.put(&agent("acme/a"), 1, b"next").expect("writes").sequence, 3);
    assert_eq!(latest(&store), (Some(b"next".to_vec()), Vec::new()));
}

#[test]
fn a_snapshot_under_the_name_of_another_is_refused() {
    let (_folder, store, path) = two();
    fs::copy(path.with_file_name("00000000000000000001.snap"), &path).expect("copies");
    assert_eq!(
        latest(&store),
        (Some(b"old".to_vec()), refused(Reason::Misplaced { found: stamp(0, 1) }))
    );
}

#[test]
fn when_all_are_damaged_there_is_none_and_all_are_named() {
    let (_folder, store, path) = two();
    for name in ["00000000000000000001.snap", "00000000000000000002.snap"] {
        fs::write(path.with_file_name(name), b"noise").expect("writes");
    }
    let (snapshot, refused) = latest(&store);
    let sequences: Vec<_> = refused.iter().map(|refused| refused.sequence).collect();
    assert_eq!((snapshot, sequences), (None, vec![2, 1]));
}

#[test]
fn what_a_crash_left_and_what_is_not_ours_is_not_read() {
    let (folder, store, path) = two();
    fs::write(path.with_file_name(TEMPORARY_FILE), b"half").expect("writes");
    for name in [
        "3.snap",
        "notes.txt",
        "00000000000000000009.snap.bak",
        ".snap",
        "+0000000000000000004.snap",
        "00000000000000000000-00000000000000000004.snap",
        "00000000000000000001-4.snap",
        "1-00000000000000000004.snap",
    ] {
        fs::write(path.with_file_name(name), b"noise").expect("writes");
    }
    fs::create_dir_all(folder.path().join("Not A Tenant/x")).expect("makes");
    fs::create_dir_all(folder.path().join("acme/empty")).expect("makes");
    assert_eq!(latest(&store), (Some(b"new".to_vec()), Vec::new()));
    assert_eq!(store.list().expect("lists"), [agent("acme/a")]);
    assert_eq!(store.put(&agent("acme/a"), 1, b"next").expect("writes").sequence, 3);
}

#[test]
fn a_link_in_place_of_the_temporary_file_is_not_followed() {
    let (folder, store, path) = two();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, b"precious").expect("writes");
    std::os::unix::fs::symlink(&elsewhere, path.with_file_name(TEMPORARY_FILE)).expect("links");
    store.put(&agent("acme/a"), 1, b"next").expect("writes");
    assert_eq!(fs::read(&elsewhere).expect("reads"), b"precious");
}

#[test]
fn no_name_leads_out_of_the_folder() {
    for name in ["..", "../x", "a/../../x", "/etc/x", "a\\b", "a\0b", ".", "", "A"] {
        assert!(name.parse::<AgentId>().is_err(), "{name:?}");
    }
    let (folder, store) = open();
    let longest = format!("{}/{}", "t".repeat(63), "a".repeat(63));
    store.put(&agent(&longest), 1, b"x").expect("writes");
    assert!(store.folder(&agent(&longest)).starts_with(folder.path()));
    assert_eq!(store.list().expect("lists"), [agent(&longest)]);
}

#[test]
fn a_second_store_on_the_same_folder_is_refused_until_the_first_is_gone() {
    let (folder, store) = open();
    let second = FileSnapshots::open(folder.path()).map(|_| ());
    assert!(matches!(second, Err(StoreError::InUse { path }) if path == folder.path()));
    drop(store);
    FileSnapshots::open(folder.path()).expect("opens");
}

#[test]
fn a_full_disk_is_an_error_of_its_own_and_leaves_the_last_snapshot() {
    // /dev/full takes no byte, as a full disk does.
    let full = OpenOptions::new().write(true).open("/dev/full").expect("opens");
    let meta = meta(0, 1);
    let error = write_synced(full, meta, b"x").expect_err("full");
    let error = StoreError::io("write", Path::new("x"), error);
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
}

#[test]
fn a_write_that_fails_leaves_the_last_snapshot_and_nothing_half_done() {
    let (_folder, store, path) = two();
    // A folder in the way stops the writer, whatever user the test runs as.
    fs::create_dir(path.with_file_name(TEMPORARY_FILE)).expect("makes");
    let error = store.put(&agent("acme/a"), 1, b"next").expect_err("cannot");
    assert!(matches!(error, StoreError::Io { action: "write", .. }), "{error}");
    assert_eq!(latest(&store), (Some(b"new".to_vec()), Vec::new()));
    let too_large = store.put(&agent("acme/a"), 1, &vec![0; MAX_SNAPSHOT_BYTES + 1]);
    assert!(matches!(too_large, Err(StoreError::TooLarge { .. })));
    assert_eq!(latest(&store), (Some(b"new".to_vec()), Vec::new()));
}

#[test]
fn a_root_that_is_a_file_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("file");
    fs::write(&root, b"x").expect("writes");
    assert!(matches!(
        FileSnapshots::open(&root),
        Err(StoreError::Io { action: "make", .. })
    ));
}

#[test]
fn names_tell_the_order_whatever_the_epoch() {
    for stamp in [stamp(0, 1), stamp(1, 7), stamp(u64::MAX, u64::MAX), Stamp::default()] {
        assert_eq!(stamp_of(&file_name(stamp)), Some(stamp));
    }
    assert_eq!(
        file_name(stamp(0, 7)),
        "00000000000000000007.snap",
        "as before there were epochs"
    );
}

#[test]
fn a_snapshot_from_elsewhere_takes_the_place_of_a_damaged_one() {
    let (_folder, store, path) = two();
    fs::write(&path, b"noise").expect("writes");
    let elsewhere = Snapshot {
        meta: meta(0, 2),
        bytes: b"elsewhere".to_vec(),
    };
    assert!(store.adopt(&agent("acme/a"), &elsewhere).expect("writes"));
    assert_eq!(latest(&store), (Some(b"elsewhere".to_vec()), Vec::new()));
    fs::write(&path, b"noise").expect("writes");
    let before = Snapshot {
        meta: meta(0, 1),
        ..elsewhere.clone()
    };
    assert!(
        !store.adopt(&agent("acme/a"), &before).expect("reads"),
        "the one before is good"
    );
    let one_less = Snapshot {
        meta: meta(0, 1),
        bytes: b"less".to_vec(),
    };
    fs::write(path.with_file_name("00000000000000000001.snap"), b"noise").expect("writes");
    assert!(store.adopt(&agent("acme/a"), &one_less).expect("writes"));
    assert_eq!(latest(&store), (Some(b"less".to_vec()), refused(Reason::Torn)));
    assert_eq!(store.put(&agent("acme/a"), 1, b"next").expect("writes").sequence, 3);
}

#[test]
fn what_is_held_is_told_with_its_size() {
    let (_folder, store, path) = two();
    store.put_in(&agent("acme/a"), Epoch(2), 1, b"third").expect("writes");
    fs::write(path, b"noise").expect("writes");
    let held = store.held().expect("lists");
    let [
        Held {
            agent: found,
            last,
            bytes,
            written,
        },
    ] = &held[..]
    else {
        panic!("{held:?}")
    };
    assert_eq!((found, *last), (&agent("acme/a"), stamp(2, 3)));
    assert_eq!(*bytes, (format::HEADER_BYTES + 5 + 5) as u64);
    assert!(*written > SystemTime::UNIX_EPOCH);
}

#[test]
fn folders_that_an_earlier_process_made_are_synced_once_before_anything_in_them_is_called_durable() {
    let dir = tempfile::tempdir().expect("a folder");
    let (root, synced) = (dir.path(), Synced::default());
    let tenant = root.join("acme");
    assert!(
        synced.once(root, &tenant).is_err(),
        "what is not there cannot be synced"
    );
    std::fs::create_dir(&tenant).expect("made");
    synced.once(root, &tenant).expect("synced");
    // It is known from now on, and not looked at again.
    std::fs::remove_dir(&tenant).expect("removed");
    synced.once(root, &tenant).expect("known");
}
