mod encrypted;
mod killed;
mod three;

use super::*;
use crate::batch::{BatchId, Plan, Said};
use rungs_store::cluster::backup::{backup, restore};
use rungs_store::cluster::conformance::{Subject, check};
use rungs_store::cluster::{MemoryStore, Precondition, TableId, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

/// Longer than a start takes, also on a busy machine.
const OPEN: Duration = Duration::from_secs(60);
const WITHIN: Duration = Duration::from_secs(30);
const KEPT: u64 = 40;

/// Addresses that are free now.
fn voters(count: u64) -> Vec<Voter> {
    // All are held before the first is given back, so that they differ.
    let listeners: Vec<_> = (0..2 * count)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"))
        .collect();
    let addresses: Vec<SocketAddr> = listeners.iter().map(|l| l.local_addr().expect("bound")).collect();
    let voter = |(id, pair): (u64, &[SocketAddr])| Voter {
        id,
        replica: pair[0],
        client: pair[1],
    };
    (1..).zip(addresses.chunks(2)).map(voter).collect()
}

fn config(folder: &Path, this: u64, voters: Vec<Voter>) -> Config {
    let secrets = Secrets {
        replica: "a secret of replicas".to_owned(),
        client: "a secret of clients".to_owned(),
    };
    Config {
        heartbeat: Duration::from_millis(50),
        kept_deletions: KEPT,
        // Few, so that the tests see what happens then.
        entries_until_copy: 60,
        catch_up: Duration::from_secs(4),
        ..Config::new(folder.to_owned(), this, voters, secrets)
    }
}

/// A voter keeps its addresses: the others, and it itself, know it by them.
async fn one(folder: &Path, voters: &[Voter]) -> RaftStore {
    RaftStore::open(config(folder, 1, voters.to_vec()), OPEN)
        .await
        .expect("opens")
}

fn put(key: u64) -> Write {
    Write::put(RowId::new(TableId(20), key.to_be_bytes()), b"x")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_voter_conforms_and_knows_it_all_when_it_comes_back() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let alone = voters(1);
    let store = Arc::new(one(folder.path(), &alone).await);
    let subject = Subject {
        store: Arc::clone(&store) as Arc<dyn Store>,
        kept_deletions: KEPT,
    };
    check(&subject).await;
    let elsewhere = MemoryStore::new();
    let mut file = std::io::Cursor::new(Vec::new());
    let manifest = backup(&*store, &mut file, WITHIN).await.expect("is written");
    assert_eq!(
        restore(&elsewhere, &mut file, WITHIN).await.expect("is restored"),
        manifest
    );
    let in_use = RaftStore::open(config(folder.path(), 1, voters(1)), OPEN).await;
    assert!(matches!(in_use, Err(OpenError::InUse(_))), "{in_use:?}");
    let committed = store.commit(Commit::new([], [put(1)]), WITHIN).await.expect("commits");
    drop(subject);
    let store = Arc::into_inner(store).expect("nobody else has it");
    store.close().await.expect("closes");
    drop(store);
    let store = one(folder.path(), &alone).await;
    let row = RowId::new(TableId(20), 1_u64.to_be_bytes());
    let found = store.get(row, Consistency::Consistent, WITHIN).await.expect("reads");
    assert_eq!(found.value.map(|row| Outcome::Committed(row.revision)), Some(committed));
    // A program that knows more formats was here.
    let note = (
        crate::schema::NOTE.into(),
        vec![rungs_store_replica::Param::Integer(99)],
    );
    store.replica.transaction(vec![note]).await.expect("notes");
    let refused = format::bring_up(&store.replica, store.heartbeat, Instant::now() + OPEN).await;
    assert!(
        matches!(refused, Err(OpenError::Newer(newer)) if newer.found == 99),
        "{refused:?}"
    );
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_sent_again_is_applied_once() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let store = one(folder.path(), &voters(1)).await;
    let absent = |key: u64| Precondition::Absent(RowId::new(TableId(20), key.to_be_bytes()));
    let commits = [
        Commit::new([absent(1)], [put(1)]),
        Commit::new([absent(3), absent(1)], [put(2)]),
        Commit::new([], [put(3)]),
    ];
    let id = |number| BatchId {
        session: vec![7; 16],
        number,
    };
    let send = async |plan: &Plan| {
        let rows = store.replica.transaction(plan.statements()).await.expect("is answered");
        plan.read(&rows).expect("is of the plan")
    };
    let committed = |revision| Outcome::Committed(Revision(revision));
    let outcomes = vec![committed(1), Outcome::Conflict(1), committed(2)];
    let first = Plan::new(&id(1), &commits, KEPT);
    assert_eq!(send(&first).await, Said::Applied(outcomes.clone()));
    for _ in 0..2 {
        assert_eq!(send(&first).await, Said::Before);
        let left = store.reader.left_behind(&id(1), Instant::now() + WITHIN).await;
        let (revision, conflicts) = left.expect("is known");
        assert_eq!(first.left_behind(revision, &conflicts), Some(outcomes.clone()));
    }
    let head = store.moved(Revision(1), WITHIN).await.expect("reads");
    assert_eq!(head.revision, Revision(2));
    // A number is not left out, and what is late is not applied.
    assert_eq!(send(&Plan::new(&id(3), &commits, KEPT)).await, Said::Lost);
    let second = Plan::new(&id(2), &[Commit::new([absent(1)], [put(9)])], KEPT);
    assert_eq!(send(&second).await, Said::Applied(vec![Outcome::Conflict(0)]));
    assert_eq!(send(&first).await, Said::Lost);
    // The next batch begins without the conflicts of the one before.
    let third = Plan::new(&id(3), &[Commit::new([], [put(9)])], KEPT);
    assert_eq!(send(&third).await, Said::Applied(vec![committed(3)]));
    let left = store.reader.left_behind(&id(3), Instant::now() + WITHIN).await;
    assert_eq!(left, Some((Revision(3), vec![])));
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_conforms_too() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let config = config(folder.path(), 1, voters(1));
    let remote = Remote {
        voters: vec![config.voters[0].client],
        secret: config.secrets.client.clone(),
        tls: false,
        heartbeat: config.heartbeat,
        kept_deletions: KEPT,
    };
    let store = RaftStore::open(config, OPEN).await.expect("opens");
    let client = RaftStore::connect(remote.clone(), OPEN).await.expect("connects");
    let subject = Subject {
        store: Arc::new(client),
        kept_deletions: KEPT,
    };
    check(&subject).await;
    let stranger = Remote {
        secret: "a secret of strangers".to_owned(),
        ..remote
    };
    let refused = RaftStore::connect(stranger, Duration::from_secs(1)).await;
    assert!(matches!(refused, Err(OpenError::NoMajority)), "{refused:?}");
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_not_let_in() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = tempfile::TempDir::new().expect("a folder");
    let config = config(folder.path(), 1, voters(1));
    let (addresses, secret) = (
        [config.voters[0].client, config.voters[0].replica],
        config.secrets.client.clone(),
    );
    let store = RaftStore::open(config, OPEN).await.expect("opens");
    let ask = async |address: SocketAddr, path: &str, header: &str| {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connects");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer.split(' ').nth(1).map(str::to_owned).expect("a status")
    };
    for path in ["/cluster/membership/sqlite", "/cluster/metrics/sqlite"] {
        assert_eq!(
            ask(addresses[0], path, &format!("X-API-SECRET: {secret}\r\n")).await,
            "200",
            "{path}"
        );
        for header in ["", "X-API-SECRET: a secret of clientz\r\n"] {
            assert_eq!(ask(addresses[0], path, header).await, "401", "{path}");
        }
        assert_eq!(
            ask(addresses[1], path, &format!("X-API-SECRET: {secret}\r\n")).await,
            "404",
            "{path}"
        );
    }
    store.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_majority_is_told_in_time() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let config = config(folder.path(), 2, voters(3));
    let alone = RaftStore::open(config, Duration::from_secs(1)).await;
    assert!(matches!(alone, Err(OpenError::NoMajority)), "{alone:?}");
}
