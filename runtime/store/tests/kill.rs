//! A process that writes snapshots is killed at arbitrary moments; nothing that it had acknowledged is lost.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rungs_store::{FileSnapshots, SnapshotStore};
use rungs_types::AgentId;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Set for the writing process only: the folder to write to.
const FOLDER: &str = "RUNGS_TEST_STORE_FOLDER";
const KILLS: u32 = 24;
const AGENTS: [&str; 2] = ["a", "acme/b"];

fn agent(text: &str) -> AgentId {
    text.parse().expect("an agent")
}

/// What snapshot number `sequence` of an agent holds: length and bytes depend on the number.
fn content(sequence: u64) -> Vec<u8> {
    let length = (sequence * 7919) % 20_000;
    (0..length).map(|at| (at ^ sequence.rotate_left(3)) as u8).collect()
}

/// Writes until it is killed, and says after each snapshot that it is durable.
fn write_forever(folder: &Path) {
    let store = FileSnapshots::open(folder).expect("opens: nobody else is alive");
    let mut next = AGENTS.map(|name| {
        let latest = store.latest(&agent(name), 1).expect("reads");
        latest.snapshot.map_or(1, |snapshot| snapshot.meta.sequence + 1)
    });
    loop {
        for (index, name) in AGENTS.iter().enumerate() {
            let meta = store.put(&agent(name), 1, &content(next[index])).expect("writes");
            assert_eq!(meta.sequence, next[index]);
            let mut out = std::io::stdout().lock();
            // A parent that is gone reads nothing any more.
            if writeln!(out, "durable {index} {}.", meta.sequence).is_err() {
                return;
            }
            next[index] += 1;
        }
    }
}

/// Starts a writer, kills it after some acknowledgements and some spins more, and returns the last acknowledged numbers.
fn write_and_kill(folder: &Path, acknowledged: usize, spins: u32) -> [u64; 2] {
    let mut writer = Command::new(std::env::current_exe().expect("this test"))
        .args(["what_was_acknowledged_survives_kill_9", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let out = BufReader::new(writer.stdout.take().expect("piped"));
    let mut last = [0; 2];
    let (mut killed, mut count) = (false, 0);
    for line in out.lines() {
        let Some((index, sequence)) = acknowledgement(&line.expect("text")) else {
            continue;
        };
        last[index] = sequence;
        count += 1;
        if count >= acknowledged && !killed {
            for _ in 0..spins {
                std::hint::spin_loop();
            }
            writer.kill().expect("kills");
            killed = true;
        }
    }
    writer.wait().expect("ended");
    assert!(killed, "the writer ended by itself");
    last
}

/// Reads `durable <index> <sequence>.`; the full stop shows that the line is whole, which the last one may not be.
fn acknowledgement(line: &str) -> Option<(usize, u64)> {
    let words: Vec<_> = line.strip_suffix('.')?.split(' ').collect();
    let ["durable", index, sequence] = words[..] else {
        return None;
    };
    Some((index.parse().ok()?, sequence.parse().ok()?))
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_forever(Path::new(&folder));
    }
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut random = Pcg64Mcg::seed_from_u64(9);
    let mut total = 0;
    for round in 0..KILLS {
        let acknowledged = random.random_range(1..12);
        // Up to the time of a few writes, so that the kill falls into every part of one.
        let spins = random.random_range(0..200_000);
        let last = write_and_kill(folder.path(), acknowledged, spins);
        // The lock went with the process.
        let store = FileSnapshots::open(folder.path()).expect("opens");
        for (name, last) in AGENTS.iter().zip(last) {
            let latest = store.latest(&agent(name), 1).expect("reads");
            assert_eq!(latest.refused, [], "round {round}, {name}");
            let snapshot = latest.snapshot.map(|snapshot| (snapshot.meta.sequence, snapshot.bytes));
            let (sequence, bytes) = snapshot.unwrap_or((0, content(0)));
            assert!(
                sequence >= last,
                "round {round}, {name}: {sequence} is there, {last} was acknowledged"
            );
            assert!(
                bytes == content(sequence),
                "round {round}, {name}: number {sequence} has other bytes"
            );
            total = total.max(sequence);
        }
    }
    assert!(total >= u64::from(KILLS) / 2, "{total} snapshots were written");
}
