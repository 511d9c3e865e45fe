//! Three voters in three processes: the leader is killed, the others go on, and nothing that was acknowledged is lost.

use super::*;
use rungs_store::cluster::By;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;

/// Set for the voters only: folder, number and addresses.
const VOTER: &str = "RUNGS_TEST_RAFT_VOTER";
/// Nothing takes longer than this, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked whether a voter has joined.
const PACE: Duration = Duration::from_millis(20);
/// Longest wait of a voter for one commit: longer than an election.
const SHORT: Duration = Duration::from_secs(3);
/// Added to the number of a voter that joins without voting.
const LEARNS: u64 = 10;
/// Acknowledgements after which a voter is believed to work.
const ENOUGH: u64 = 20;
/// Acknowledgements after which who was away needs a copy of all rows.
const AWAY: u64 = 100;

fn row(writer: u64, number: u64) -> RowId {
    RowId::new(TableId(20), [writer.to_be_bytes(), number.to_be_bytes()].concat())
}

/// A line to the parent. One that is gone reads nothing any more.
fn say(line: &str) {
    drop(writeln!(std::io::stdout().lock(), "{line}."));
}

/// Joins as far as a voter does that is killed before it votes, says so, and goes on until it is.
async fn learn(config: Config) {
    let this = config.this;
    let config = rungs_store_replica::NodeConfig {
        learner_only: true,
        ..crate::start::node_config(config).expect("a configuration")
    };
    let _replica = rungs_store_replica::start(config).await.expect("starts");
    say(&format!("learns {this} 0 0"));
    std::future::pending().await
}

/// Adds as many rows as each line of its input says; when that ends, says how many rows of each writer there are.
async fn vote(voter: &str) {
    let parts: Vec<_> = voter.split(';').collect();
    let this: u64 = parts[1].parse().expect("a number");
    let addresses: Vec<SocketAddr> = parts[2..]
        .iter()
        .map(|text| text.parse().expect("an address"))
        .collect();
    let voters = (1..).zip(addresses.chunks(2)).map(|(id, pair)| Voter {
        id,
        replica: pair[0],
        client: pair[1],
    });
    if this > LEARNS {
        return learn(config(Path::new(parts[0]), this - LEARNS, voters.collect())).await;
    }
    let config = config(Path::new(parts[0]), this, voters.collect());
    let store = RaftStore::open(config, OPEN).await.expect("opens");
    // Until then the others do without it, also where one of them dies.
    while !store.takes_part() {
        tokio::time::sleep(PACE).await;
    }
    let (order, orders) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let rows: u64 = line.parse().expect("a number");
            if order.send(rows).is_err() {
                return;
            }
        }
    });
    tokio::select! {
        () = obey(&store, this, orders) => {}
        ended = store.ended() => {
            say(&format!("ended {this} 0 0"));
            panic!("{ended}");
        }
    }
    // Others may still be at it.
    let all = async || counted(&store).await.expect("there is a majority").0;
    loop {
        let (before, mut kept) = (all().await, Vec::new());
        for writer in 1..=3 {
            kept.push(count(&store, writer).await);
        }
        if all().await == before {
            for (writer, kept) in (1..).zip(kept) {
                say(&format!("kept {writer} {kept} {before}"));
            }
            return;
        }
    }
}

async fn obey(store: &RaftStore, this: u64, mut orders: tokio::sync::mpsc::UnboundedReceiver<u64>) {
    let mut number = count(store, this).await;
    while let Some(rows) = orders.recv().await {
        for _ in 0..rows {
            add(store, this, number).await;
            let leader = store.leader().await.unwrap_or_default();
            say(&format!("wrote {this} {number} {leader}"));
            number += 1;
        }
    }
}

/// The row that all voters count up with each row they add.
fn counter() -> RowId {
    RowId::new(TableId(21), b"rows")
}

/// The counter, and the condition that it is still so.
async fn counted(store: &RaftStore) -> Option<(u64, Precondition)> {
    let found = store.get(counter(), Consistency::Consistent, SHORT).await.ok()?;
    Some(match found.value {
        None => (0, Precondition::Absent(counter())),
        Some(row) => {
            let value = row.value.try_into().expect("eight bytes");
            (
                u64::from_be_bytes(value),
                Precondition::RevisionIs(counter(), row.revision),
            )
        }
    })
}

/// Adds a row and counts it, as often as it takes, and returns when the replica of this voter knows of it.
async fn add(store: &RaftStore, this: u64, number: u64) {
    // Whether a commit had no outcome, so that the row may be there already.
    let mut unknown = false;
    loop {
        let Some((count, unchanged)) = counted(store).await else {
            say(&format!("refused {this} {number} 0"));
            continue;
        };
        let must = [Precondition::Absent(row(this, number)), unchanged];
        let counts = Write::put(counter(), (count + 1).to_be_bytes());
        let commit = Commit::new(must, [Write::put(row(this, number), b"x"), counts]);
        match store.commit(commit, SHORT).await {
            Ok(Outcome::Committed(revision)) => {
                while !knows(store, revision).await {}
                return;
            }
            Ok(Outcome::Conflict(0)) if unknown => return,
            Ok(Outcome::Conflict(0)) => panic!("row {number} was written by somebody else"),
            // Another voter was first.
            Ok(Outcome::Conflict(_)) => {}
            Err(error) => {
                unknown |= error == CommitError::Unknown;
                say(&format!("refused {this} {number} 0"));
            }
        }
    }
}

/// Whether the replica of this voter comes to know of a commit.
async fn knows(store: &RaftStore, revision: Revision) -> bool {
    let before = Revision(revision.0 - 1);
    let head = store.moved(before, SHORT).await.expect("reads");
    head.revision >= revision
}

/// How many rows a writer has; they are numbered from 0 without a gap.
async fn count(store: &RaftStore, writer: u64) -> u64 {
    let (mut count, mut next) = (0, Some(Scan::prefix(TableId(20), By::Key, &writer.to_be_bytes(), 1000)));
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

/// What a voter says: a word and three numbers.
type Line = (String, [u64; 3]);

/// The processes, and what they say.
struct Cluster {
    folder: tempfile::TempDir,
    addresses: String,
    processes: BTreeMap<u64, (Child, ChildStdin)>,
    lines: (mpsc::Sender<Line>, mpsc::Receiver<Line>),
    /// Rows that each voter said it wrote.
    wrote: BTreeMap<u64, u64>,
    leader: u64,
}

impl Cluster {
    fn new() -> Self {
        let addresses = voters(3)
            .iter()
            .map(|voter| format!(";{};{}", voter.replica, voter.client))
            .collect();
        Self {
            folder: tempfile::TempDir::new().expect("a folder"),
            addresses,
            processes: BTreeMap::new(),
            lines: mpsc::channel(),
            wrote: BTreeMap::new(),
            leader: 0,
        }
    }

    fn start(&mut self, voter: u64) {
        let folder = self.folder.path().join(format!("v{}", voter % LEARNS));
        let mut process = Command::new(std::env::current_exe().expect("this test"))
            .args([
                "tests::three::the_leader_is_killed_and_nothing_acknowledged_is_lost",
                "--exact",
                "--nocapture",
            ])
            .env(VOTER, format!("{};{voter}{}", folder.display(), self.addresses))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let out = BufReader::new(process.stdout.take().expect("piped"));
        let lines = self.lines.0.clone();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok).filter_map(|line| read(&line)) {
                // A test that has ended listens no more.
                drop(lines.send(line));
            }
        });
        let input = process.stdin.take().expect("piped");
        self.processes.insert(voter, (process, input));
    }

    /// Kills a voter.
    fn kill(&mut self, voter: u64) {
        let (mut process, _input) = self.processes.remove(&voter).expect("lives");
        process.kill().expect("kills");
        process.wait().expect("ended");
    }

    /// The next line.
    fn listen(&mut self) -> Line {
        let (word, numbers) = self
            .lines
            .1
            .recv_timeout(PATIENCE)
            .expect("somebody says something in time");
        if word == "wrote" {
            self.wrote.insert(numbers[0], numbers[1] + 1);
            self.leader = if numbers[2] == 0 { self.leader } else { numbers[2] };
        }
        if word == "ended" {
            self.kill(numbers[0]);
            self.start(numbers[0]);
        }
        (word, numbers)
    }

    /// Has a voter write so many rows more.
    fn order(&mut self, voter: u64, rows: u64) {
        let (_, input) = self.processes.get_mut(&voter).expect("lives");
        writeln!(input, "{rows}").expect("is heard");
    }

    /// Has each of these write so many rows more, and waits until they have.
    fn all_write(&mut self, voters: &[u64], rows: u64) {
        let wrote = |cluster: &Self, voter: &u64| cluster.wrote.get(voter).copied().unwrap_or_default();
        let goals: Vec<u64> = voters.iter().map(|voter| wrote(self, voter) + rows).collect();
        for voter in voters {
            self.order(*voter, rows);
        }
        while voters
            .iter()
            .zip(&goals)
            .any(|(voter, goal)| wrote(self, voter) < *goal)
        {
            if let (word, [voter, ..]) = self.listen()
                && word == "ended"
            {
                self.order(voter, rows);
            }
        }
    }
}

/// A line, if it is a whole one of a voter's.
fn read(line: &str) -> Option<Line> {
    let words: Vec<_> = line.strip_suffix('.')?.split(' ').collect();
    let [
        word @ ("wrote" | "refused" | "kept" | "ended" | "learns"),
        one,
        two,
        three,
    ] = words[..]
    else {
        return None;
    };
    let [one, two, three] = [one, two, three].map(|text| text.parse().expect("a number"));
    Some((word.to_owned(), [one, two, three]))
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (process, _) in self.processes.values_mut() {
            // It may have ended.
            drop(process.kill());
            drop(process.wait());
        }
    }
}

#[test]
fn the_leader_is_killed_and_nothing_acknowledged_is_lost() {
    if let Ok(voter) = std::env::var(VOTER) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        return runtime.expect("a runtime").block_on(vote(&voter));
    }
    let mut cluster = Cluster::new();
    for voter in 1..=3 {
        cluster.start(voter);
    }
    cluster.all_write(&[1, 2, 3], ENOUGH);
    let dead = cluster.leader;
    cluster.kill(dead);
    let others: Vec<u64> = (1..=3).filter(|voter| *voter != dead).collect();
    cluster.all_write(&others, AWAY);
    assert_ne!(cluster.leader, dead, "another leads");
    // One alone is no majority, and says so.
    cluster.kill(others[1]);
    cluster.order(others[0], 1);
    while !matches!(cluster.listen(), (word, [voter, ..]) if word == "refused" && voter == others[0]) {}
    // They come back and take part.
    cluster.start(dead);
    cluster.start(others[1]);
    cluster.all_write(&[1, 2, 3], ENOUGH);
    // One says what is there: all of it, also what the dead one wrote.
    let acknowledged = cluster.wrote.clone();
    let (mut process, input) = cluster.processes.remove(&others[0]).expect("lives");
    drop(input);
    let (mut kept, mut rows, mut counted) = (0, 0, 0);
    while kept < acknowledged.len() {
        let (word, [writer, count, all]) = cluster.listen();
        if word == "kept" {
            (rows, counted) = (rows + count, all);
            let acknowledged = acknowledged[&writer];
            assert!(acknowledged >= ENOUGH);
            assert!(
                count >= acknowledged,
                "{writer}: {count} are there, {acknowledged} were acknowledged"
            );
            kept += 1;
        }
    }
    assert_eq!(counted, rows, "each row was counted once");
    process.wait().expect("ended");
}

#[test]
fn the_calls_of_a_client_outlive_the_leader() {
    let mut cluster = Cluster::new();
    for voter in 1..=3 {
        cluster.start(voter);
    }
    cluster.all_write(&[1, 2, 3], ENOUGH);
    let clients = cluster.addresses.split(';').skip(2).step_by(2);
    let remote = Remote {
        voters: clients.map(|text| text.parse().expect("an address")).collect(),
        secret: "a secret of clients".to_owned(),
        tls: false,
        heartbeat: Duration::from_millis(50),
        kept_deletions: KEPT,
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = runtime.block_on(RaftStore::connect(remote, OPEN)).expect("connects");
    let commit = |number: u64| {
        let commit = Commit::new([], [Write::put(row(9, number), b"x")]);
        let committed = runtime.block_on(client.commit(commit, WITHIN));
        assert!(matches!(committed, Ok(Outcome::Committed(_))), "{committed:?}");
    };
    (0..ENOUGH).for_each(commit);
    cluster.kill(cluster.leader);
    (ENOUGH..2 * ENOUGH).for_each(commit);
    assert_eq!(runtime.block_on(count(&client, 9)), 2 * ENOUGH);
}

#[test]
fn a_voter_that_was_killed_before_it_voted_does_when_it_comes_back() {
    let mut cluster = Cluster::new();
    for voter in [1, 2 + LEARNS, 3] {
        cluster.start(voter);
    }
    while cluster.listen().0 != "learns" {}
    cluster.kill(2 + LEARNS);
    cluster.start(2);
    cluster.all_write(&[1, 2, 3], ENOUGH);
    // Without its vote one of three is no majority of two.
    cluster.kill(3);
    cluster.all_write(&[1, 2], ENOUGH);
}
