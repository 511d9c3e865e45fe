use super::*;
use tempfile::TempDir;

const NOW: Epoch = Epoch(0);

fn base(seq: u64) -> Base {
    let bytes = Vec::new();
    Base { seq, bytes }
}

fn agent() -> AgentId {
    "acme/a".parse().expect("an agent")
}

fn open() -> (TempDir, FileTaskLogs) {
    let folder = TempDir::new().expect("a folder");
    let store = FileTaskLogs::open(folder.path()).expect("opens");
    (folder, store)
}

fn entries(seqs: std::ops::RangeInclusive<u64>) -> Vec<LogEntry> {
    let entry = |seq: u64| LogEntry {
        seq,
        bytes: vec![seq as u8; 20],
    };
    seqs.map(entry).collect()
}

/// A log of five entries, the first three durable, closed; the path of its file.
fn five() -> (TempDir, PathBuf) {
    let (folder, store) = open();
    store.append(&agent(), NOW, &entries(1..=3), true).expect("appends");
    store.append(&agent(), NOW, &entries(4..=5), false).expect("appends");
    let path = folder.path().join("acme/a.log");
    (folder, path)
}

fn again(folder: &TempDir) -> FileTaskLogs {
    FileTaskLogs::open(folder.path()).expect("opens")
}

#[test]
fn files_conform() {
    let mut folders = Vec::new();
    crate::task_log::conformance::check(|| {
        let (folder, store) = open();
        folders.push(folder);
        store
    });
}

#[test]
fn a_log_goes_on_after_the_store_is_opened_again() {
    let (folder, path) = five();
    let store = again(&folder);
    assert_eq!(store.read(&agent(), 2).expect("reads").entries, entries(3..=5));
    assert_eq!(store.append(&agent(), NOW, &entries(6..=6), true).expect("appends"), 6);
    assert_eq!(store.read(&agent(), 0).expect("reads").entries, entries(1..=6));
    assert_eq!(fs::metadata(path).expect("there").len(), 16 + 6 * 48);
}

#[test]
fn a_torn_end_is_reported_and_cut_off_by_the_next_append() {
    for torn in [1, 20, 47] {
        let (folder, path) = five();
        let whole = fs::read(&path).expect("reads");
        fs::write(&path, &whole[..whole.len() - torn]).expect("writes");
        let store = again(&folder);
        let tail = store.read(&agent(), 0).expect("reads");
        assert_eq!((tail.entries, tail.torn_bytes), (entries(1..=4), 48 - torn as u64));
        store.append(&agent(), NOW, &entries(5..=6), true).expect("appends");
        let tail = store.read(&agent(), 0).expect("reads");
        assert_eq!((tail.entries, tail.torn_bytes), (entries(1..=6), 0));
    }
}

#[test]
fn a_crash_before_the_first_entry_leaves_an_empty_log() {
    for bytes in [0, 5, 16] {
        let (folder, path) = five();
        let whole = fs::read(&path).expect("reads");
        fs::write(&path, &whole[..bytes]).expect("writes");
        let store = again(&folder);
        assert_eq!(store.read(&agent(), 0).expect("reads").entries, []);
        assert_eq!(store.append(&agent(), NOW, &entries(1..=2), true).expect("appends"), 2);
        assert_eq!(store.read(&agent(), 0).expect("reads").entries, entries(1..=2));
    }
}

#[test]
fn damage_before_what_was_durable_is_refused_with_what_to_do_and_nothing_is_written_over_it() {
    let (folder, path) = five();
    let mut file = fs::read(&path).expect("reads");
    file[16 + 48 + 30] ^= 1;
    fs::write(&path, &file).expect("writes");
    let store = again(&folder);
    for refused in [
        store.read(&agent(), 0).map(|_| ()),
        store.append(&agent(), NOW, &entries(6..=6), true).map(|_| ()),
        store.trim(&agent(), NOW, &base(3)),
    ] {
        let error = refused.expect_err("damaged");
        assert!(matches!(&error, StoreError::Damaged { at: 64, .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("acme/a.log") && text.contains("move it away to start"),
            "{text}"
        );
    }
    assert_eq!(fs::read(&path).expect("reads"), file);
    // What it says to do works.
    fs::rename(&path, path.with_extension("kept")).expect("moves");
    assert_eq!(store.read(&agent(), 0).expect("reads").entries, []);
    assert_eq!(store.append(&agent(), NOW, &entries(9..=9), true).expect("appends"), 9);
}

#[test]
fn damage_of_what_was_never_durable_ends_the_log() {
    let (folder, path) = five();
    let mut file = fs::read(&path).expect("reads");
    file[16 + 3 * 48 + 30] ^= 1;
    fs::write(&path, &file).expect("writes");
    let tail = again(&folder).read(&agent(), 0).expect("reads");
    assert_eq!((tail.entries, tail.torn_bytes), (entries(1..=3), 96));
}

#[test]
fn a_folder_has_one_process_and_a_log_stays_small() {
    let (folder, store) = open();
    assert!(matches!(
        FileTaskLogs::open(folder.path()),
        Err(StoreError::InUse { .. })
    ));
    for seq in (1..=10_000).step_by(10) {
        store
            .append(&agent(), NOW, &entries(seq..=seq + 9), false)
            .expect("appends");
        if seq % 500 == 1 {
            store
                .trim(&agent(), NOW, &base(seq.saturating_sub(500)))
                .expect("trims");
        }
    }
    assert_eq!(store.agents().expect("lists"), [agent()]);
    let bytes = fs::metadata(folder.path().join("acme/a.log")).expect("there").len();
    assert!(bytes < 2 * TRIM_FROM_BYTES, "{bytes}");
    assert_eq!(
        store.read(&agent(), 9_990).expect("reads").entries,
        entries(9_991..=10_000)
    );
}
