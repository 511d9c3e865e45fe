//! A process with one voter is killed at arbitrary moments; nothing that it had acknowledged is lost.

use super::*;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

/// Set for the writing process only: the folder to write to, and the addresses.
const FOLDER: &str = "RUNGS_TEST_RAFT_FOLDER";
const KILLS: u64 = 4;
/// Writers of the process, so that there are batches of several commits.
const WRITERS: u64 = 8;

fn row(writer: u64, number: u64) -> RowId {
    RowId::new(TableId(20), [writer.to_be_bytes(), number.to_be_bytes()].concat())
}

/// Writes until it is killed, and says of each commit that it is durable.
async fn write_forever(told: &str) {
    let parts: Vec<_> = told.split(';').collect();
    let [replica, client] = [1, 2].map(|at| parts[at].parse().expect("an address"));
    let alone = [Voter { id: 1, replica, client }];
    let store = Arc::new(one(Path::new(parts[0]), &alone).await);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut number = count(&store, writer).await;
            loop {
                let absent = Precondition::Absent(row(writer, number));
                let commit = Commit::new([absent], [Write::put(row(writer, number), vec![7; 1000])]);
                let outcome = store.commit(commit, WITHIN).await.expect("commits");
                assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
                let mut out = std::io::stdout().lock();
                // A parent that is gone reads nothing any more.
                if writeln!(out, "durable {writer} {number}.").is_err() {
                    return;
                }
                number += 1;
            }
        });
    }
    writers.join_next().await;
}

/// How many rows a writer has; they are numbered from 0 without a gap.
async fn count(store: &RaftStore, writer: u64) -> u64 {
    let (mut count, mut next) = (
        0,
        Some(Scan::prefix(
            TableId(20),
            rungs_store::cluster::By::Key,
            &writer.to_be_bytes(),
            1000,
        )),
    );
    while let Some(scan) = next {
        let page = store
            .scan(scan.clone(), Consistency::Consistent, WITHIN)
            .await
            .expect("scans");
        for found in page.rows {
            assert_eq!(found.key, row(writer, count).key, "rows of a writer have no gap");
            count += 1;
        }
        next = page.next.map(|after| scan.after(after));
    }
    count
}

/// Starts a writer, kills it after some acknowledgements, and returns how many each of its writers had.
fn write_and_kill(told: &str, acknowledged: u64) -> [u64; WRITERS as usize] {
    let mut process = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "tests::killed::what_was_acknowledged_survives_kill_9",
            "--exact",
            "--nocapture",
        ])
        .env(FOLDER, told)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let out = BufReader::new(process.stdout.take().expect("piped"));
    let mut last = [0; WRITERS as usize];
    let mut seen = 0;
    for line in out.lines() {
        let line = line.expect("text");
        let words: Vec<_> = line.trim_end_matches('.').split(' ').collect();
        let (["durable", writer, number], true) = (&words[..], line.ends_with('.')) else {
            continue;
        };
        let (writer, number): (usize, u64) = (writer.parse().expect("a number"), number.parse().expect("a number"));
        last[writer] = number + 1;
        seen += 1;
        if seen == acknowledged {
            process.kill().expect("kills");
        }
    }
    process.wait().expect("ended");
    assert!(seen >= acknowledged, "the writer ended by itself");
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    if let Ok(told) = std::env::var(FOLDER) {
        return write_forever(&told).await;
    }
    let folder = tempfile::TempDir::new().expect("a folder");
    let alone = voters(1);
    let Voter { replica, client, .. } = alone[0];
    let told = format!("{};{replica};{client}", folder.path().display());
    for round in 0..KILLS {
        let told = told.clone();
        let killed = tokio::task::spawn_blocking(move || write_and_kill(&told, 10 + 37 * round));
        let last = killed.await.expect("was killed");
        let store = one(folder.path(), &alone).await;
        for (writer, acknowledged) in (0..).zip(last) {
            let there = count(&store, writer).await;
            // At most the one under way was written and not acknowledged.
            let allowed = acknowledged..=acknowledged + 1;
            let held = acknowledged == 0 || allowed.contains(&there);
            assert!(
                held,
                "round {round}, writer {writer}: {there} are there, {acknowledged} were acknowledged"
            );
        }
        store.close().await.expect("closes");
    }
}
