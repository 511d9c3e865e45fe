//! Connections that nobody has authenticated: many of them, at an acceptor with a link to a peer.

use crate::{Node, PATIENCE, cluster, listening, node, program, start_with};
use rungs_host::tasks;
use rungs_test_support::eventually;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinSet;

/// How many connections flood the node; `.ci/long` sets more.
const COUNT: &str = "RUNGS_MESH_TEST_FLOOD";
const DEFAULT_COUNT: usize = 1000;
/// Connections of the flood that are open at a time: more than the node takes in, so that its backlog is full.
const AT_A_TIME: usize = 400;
/// How long one of them stays.
const STAY: Duration = Duration::from_secs(2);
/// Most memory that the flood may cost the node.
const MAX_RISE_BYTES: u64 = 16 << 20;
/// Questions of one measurement.
const QUESTIONS: usize = 400;
/// Measurements during the flood: one that the machine leaves alone is enough.
const ROUNDS: usize = 8;

/// Open files, sockets among them, of a node that is to run out of them.
const MAX_FILES: usize = 48;

/// What one connection says.
fn says(number: usize) -> Vec<u8> {
    match number % 4 {
        // Nothing.
        0 => Vec::new(),
        1 => vec![0x5a; 4096],
        // A TLS record that claims as much as one may have, and goes on like that, 16 MiB of it.
        2 => [&[0x16, 3, 1, 0x40, 0][..], &vec![1; 64 * 1024]].concat(),
        // The beginning of a handshake: a greeting of 500 bytes, of which 40 come.
        _ => [&[0x16, 3, 1, 1, 0xf9, 1, 0, 1, 0xf5, 3, 3][..], &[7; 40]].concat(),
    }
}

async fn one_connection(address: SocketAddr, number: usize) {
    let connected = tokio::time::timeout(STAY, TcpStream::connect(address)).await;
    let Ok(Ok(mut stream)) = connected else { return };
    let words = says(number);
    let repeat = if number % 4 == 2 { 256 } else { 1 };
    let talking = async {
        for _ in 0..repeat {
            if stream.write_all(&words).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    // Cut off by the node, or after its time.
    tokio::time::timeout(STAY, talking).await.ok();
}

async fn flood(address: SocketAddr, count: usize) {
    let mut open = JoinSet::new();
    for number in 0..count {
        if open.len() >= AT_A_TIME {
            open.join_next().await;
        }
        open.spawn(one_connection(address, number));
    }
    while open.join_next().await.is_some() {}
}

fn resident_bytes(node: &Node) -> u64 {
    let id = node.process.id().expect("runs");
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")).expect("a size");
    kib.trim().parse::<u64>().expect("a number") * 1024
}

async fn round_trip_us(node: &mut Node) -> u64 {
    let answer = node.say(&format!("rtt n1 {QUESTIONS}")).await;
    answer.parse().unwrap_or_else(|_| panic!("no time: {answer}"))
}

#[tokio::test]
async fn a_flood_of_connections_costs_little_memory_and_does_not_slow_a_link_down() {
    let count = std::env::var(COUNT).map_or(DEFAULT_COUNT, |count| count.parse().expect("a count"));
    let dir = cluster(&["n1", "n2", "n3"]);
    let mut one = node(&dir, "n1", &[]).await;
    let mut two = node(&dir, "n2", &[one.address]).await;
    two.up("n1").await;
    let mut before = 0;
    for _ in 0..3 {
        before = before.max(round_trip_us(&mut two).await);
    }
    let resident = resident_bytes(&one);
    let flood = tasks::spawn("flood", flood(one.address, count));
    let (mut fastest, mut most) = (u64::MAX, 0);
    let mut rounds = 0;
    while rounds < ROUNDS || !flood.is_finished() {
        fastest = fastest.min(round_trip_us(&mut two).await);
        most = most.max(resident_bytes(&one));
        rounds += 1;
    }
    flood.await.expect("no panic");
    let rise = most.saturating_sub(resident);
    assert!(rise <= MAX_RISE_BYTES, "{} MiB more than before", rise >> 20);
    assert!(fastest <= 2 * before, "{fastest} us; before, it took {before}");
    assert_eq!(two.say("resumed n1").await, "0", "the link stayed up");
    // And when it is over, who belongs here comes in.
    let mut three = node(&dir, "n3", &[one.address]).await;
    three.up("n1").await;
    one.up("n2 n3").await;
}

/// Computing time so far, in hundredths of a second.
fn computed(node: &Node) -> u64 {
    let id = node.process.id().expect("runs");
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("runs");
    // User and system time are the 12th and 13th field behind the name.
    let fields = stat.rsplit(") ").next().expect("fields").split(' ');
    let times = fields.skip(11).take(2);
    times.map(|field| field.parse::<u64>().expect("a time")).sum()
}

#[tokio::test]
async fn a_node_without_a_socket_to_spare_keeps_its_links_and_waits() {
    let dir = cluster(&["n1", "n2", "n3"]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 48 && exec \"$0\" \"$@\""])
        .arg(program());
    let role = format!("node {} n1", dir.path().display());
    let mut one = listening(start_with(limited, &role)).await;
    let mut two = node(&dir, "n2", &[one.address]).await;
    two.up("n1").await;
    one.up("n2").await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(one.address).await.expect("the backlog has room"));
    }
    let before = computed(&one);
    assert_eq!(two.say("echo n1 64").await, "the same");
    let files = format!("/proc/{}/fd", one.process.id().expect("runs"));
    eventually("no socket is to spare", PATIENCE, || async {
        let files = std::fs::read_dir(&files).expect("runs").count();
        (files >= MAX_FILES - 1).then_some(())
    })
    .await
    .expect("all are taken");
    // Until the node cuts the first one off, it has nobody to accept and no socket to do it with.
    let cut_off = tokio::time::timeout(PATIENCE, silent[0].read(&mut [0])).await;
    assert!(matches!(cut_off, Ok(Ok(0) | Err(_))));
    let computed = computed(&one) - before;
    assert!(
        computed < 100,
        "{computed} hundredths of a second in five seconds of waiting"
    );
    assert_eq!(one.say("echo n2 64").await, "the same");
    drop(silent);
    let mut three = node(&dir, "n3", &[one.address]).await;
    three.up("n1").await;
}
