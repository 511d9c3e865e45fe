//! Real processes on loopback: this test program starts itself again as a node ([`node`]) and tells it by lines on its
//! input what to do.

mod flood;
mod impostor;
mod node;

use rungs_mesh::{Ca, Role};
use rungs_test_support::{Process, Signal, TempDir, temp_dir};
use rungs_types::NodeName;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::Command;

/// Long enough for anything on a busy machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// The role that a started copy of this program plays.
const PLAYS: &str = "RUNGS_MESH_TEST_PLAYS";

/// Does nothing unless this program was started by one of its tests.
#[test]
fn a_started_copy_plays_its_role() {
    let Ok(role) = std::env::var(PLAYS) else { return };
    let words: Vec<&str> = role.split(' ').collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match words[..] {
        ["node", dir, name, ref seeds @ ..] => runtime.block_on(node::run(Path::new(dir), name, seeds)),
        ["impostor", dir, name, cookie, address] => {
            runtime.block_on(impostor::run(Path::new(dir), name, cookie, address));
        }
        _ => panic!("no role {role:?}"),
    }
}

fn program() -> PathBuf {
    std::env::current_exe().expect("a running test knows its program")
}

fn start(role: &str) -> Process {
    start_with(Command::new(program()), role)
}

fn start_with(mut command: Command, role: &str) -> Process {
    command
        .args(["--exact", "a_started_copy_plays_its_role", "--nocapture"])
        .env(PLAYS, role);
    Process::start(command).expect("starts")
}

/// A cluster folder with certificates for the names.
fn cluster(names: &[&str]) -> TempDir {
    let dir = temp_dir("mesh").expect("a folder");
    let ca = Ca::create_or_load(dir.path()).expect("an authority");
    for name in names {
        let name = NodeName::new(name).expect("a name");
        let identity = ca.issue(&name, &[Role::Member]).expect("a certificate");
        identity.save(dir.path()).expect("saved");
    }
    dir
}

struct Node {
    process: Process,
    address: SocketAddr,
}

async fn node(dir: &TempDir, name: &str, seeds: &[SocketAddr]) -> Node {
    let seeds: String = seeds.iter().map(|seed| format!(" {seed}")).collect();
    listening(start(&format!("node {} {name}{seeds}", dir.path().display()))).await
}

async fn listening(mut process: Process) -> Node {
    let line = process
        .line("its address", PATIENCE, |line| line.starts_with("listening "))
        .await
        .expect("listens");
    let address = line["listening ".len()..].parse().expect("an address");
    Node { process, address }
}

impl Node {
    /// Tells the node something and returns what it says to it.
    async fn say(&mut self, command: &str) -> String {
        self.process.write_line(command).await.expect("takes input");
        let line = self
            .process
            .line(command, PATIENCE, |line| line.starts_with("= "))
            .await
            .expect("answers");
        line["= ".len()..].to_owned()
    }

    async fn up(&mut self, peers: &str) {
        assert_eq!(self.say(&format!("up {peers}")).await, "up");
    }

    /// The peer echoes. A link that was reset may look up for a moment longer, and a new one has no room before its
    /// first credit: both refusals ask for a later try.
    async fn echoed_by(&mut self, peer: &str) {
        let tries = async {
            loop {
                let answer = self.say(&format!("echo {peer} 64")).await;
                if !answer.starts_with("overloaded ") && !answer.starts_with("node_down ") {
                    return answer;
                }
            }
        };
        let answer = tokio::time::timeout(PATIENCE, tries).await.expect("a link");
        assert_eq!(answer, "the same");
    }
}

#[tokio::test]
async fn nodes_ask_and_tell_each_other_and_only_gateways_can_be_sent_to() {
    let dir = cluster(&["n1", "n2", "n3"]);
    let mut one = node(&dir, "n1", &[]).await;
    let mut two = node(&dir, "n2", &[one.address]).await;
    let mut three = node(&dir, "n3", &[one.address, two.address]).await;
    one.up("n2 n3").await;
    two.up("n1 n3").await;
    three.up("n1 n2").await;
    for (from, to) in [(&mut one, "n2"), (&mut two, "n3"), (&mut three, "n1")] {
        for size in [0, 64, 300_000, 4_000_000] {
            assert_eq!(from.say(&format!("echo {to} {size}")).await, "the same");
        }
        assert_eq!(from.say(&format!("tell {to} 5000")).await, "5000 in order");
        assert_eq!(from.say("remotable").await, "2 of 2 are gateways");
        assert_eq!(
            from.say(&format!("ask {to} ops-9")).await,
            format!("not_found {to} has no ops-9")
        );
    }
}

#[tokio::test]
async fn what_is_for_operators_needs_a_certificate_of_one() {
    let dir = cluster(&["n1", "n2"]);
    let ca = Ca::load(dir.path()).expect("the authority");
    for (name, roles) in [("n3", &[Role::Admin][..]), ("n4", &[])] {
        let name = NodeName::new(name).expect("a name");
        ca.issue(&name, roles).expect("issued").save(dir.path()).expect("saved");
    }
    let one = node(&dir, "n1", &[]).await;
    let mut two = node(&dir, "n2", &[one.address]).await;
    two.up("n1").await;
    assert_eq!(
        two.say("ask n1 user:guarded").await,
        "forbidden bench.echo is for operators; expected a certificate with the role admin"
    );
    assert_eq!(two.say("ask n1 ops-1").await, "");
    let mut three = node(&dir, "n3", &[one.address]).await;
    three.up("n1").await;
    assert_eq!(three.say("ask n1 user:guarded").await, "");
    let mut four = node(&dir, "n4", &[one.address]).await;
    let refused = "forbidden the certificate of n4";
    let refusal = four.say("refused n1").await;
    assert!(refusal.starts_with(refused), "{refusal}");
}

#[tokio::test]
async fn a_killed_node_comes_back_under_its_name() {
    let dir = cluster(&["n1", "n2"]);
    let mut one = node(&dir, "n1", &[]).await;
    let mut two = node(&dir, "n2", &[one.address]).await;
    one.up("n2").await;
    for _ in 0..2 {
        two.process.signal(Signal::KILL).expect("alive");
        two.process.exit(PATIENCE).await.expect("ends");
        assert_eq!(one.say("down n2").await, "down");
        assert_eq!(one.say("ask n2 ops-1").await, "node_down node n2 is not reachable");
        two = node(&dir, "n2", &[one.address]).await;
        one.up("n2").await;
        one.echoed_by("n2").await;
    }
}

#[tokio::test]
async fn a_node_that_lost_its_peer_dials_it_until_it_is_back() {
    let dir = cluster(&["n1", "n2"]);
    let one = node(&dir, "n1", &[]).await;
    let address = one.address;
    let mut two = node(&dir, "n2", &[address]).await;
    two.up("n1").await;
    drop(one);
    assert_eq!(two.say("down n1").await, "down");
    let role = format!("node {} n1@{address}", dir.path().display());
    let _one = start(&role);
    two.up("n1").await;
    two.echoed_by("n1").await;
}

#[tokio::test]
async fn a_panic_on_the_way_into_an_actor_resets_the_links_and_they_come_again() {
    let dir = cluster(&["n1", "n2"]);
    let mut one = node(&dir, "n1", &[]).await;
    let mut two = node(&dir, "n2", &[one.address]).await;
    one.up("n2").await;
    two.up("n1").await;
    let answer = one.say("bomb n2").await;
    assert!(answer.starts_with("target_ended "), "{answer}");
    one.up("n2").await;
    one.echoed_by("n2").await;
    assert_eq!(two.say("remotable").await, "2 of 2 are gateways");
}

#[tokio::test]
async fn a_link_ends_with_a_certificate_and_comes_again_with_the_next_one() {
    let dir = cluster(&["n1", "n2"]);
    let ca = Ca::load(dir.path()).expect("the authority");
    let name = NodeName::new("n2").expect("a name");
    let short_lived = ca
        .issue_for(&name, &[Role::Member], Duration::from_secs(12))
        .expect("issued");
    short_lived.save(dir.path()).expect("saved");
    let mut one = node(&dir, "n1", &[]).await;
    let mut two = node(&dir, "n2", &[one.address]).await;
    one.up("n2").await;
    two.up("n1").await;
    assert_eq!(one.say("down n2").await, "down", "its certificate has ended");
    let next = ca.issue(&name, &[Role::Member]).expect("issued");
    next.save(dir.path()).expect("saved");
    assert_eq!(two.say("renew").await, "renewed");
    one.up("n2").await;
    one.echoed_by("n2").await;
}

#[tokio::test]
async fn nodes_outlive_their_certificates_whether_they_issue_the_next_ones_or_are_given_them() {
    let dir = cluster(&["n1", "n2"]);
    let ca = Ca::load(dir.path()).expect("the authority");
    let [one, two] = ["n1", "n2"].map(|name| NodeName::new(name).expect("a name"));
    let short = |name: &NodeName, seconds| {
        let identity = ca.issue_for(name, &[Role::Member], Duration::from_secs(seconds));
        identity.expect("issued").save(dir.path()).expect("saved");
    };
    short(&one, 8);
    short(&two, 8);
    // n1 sees the authority in its folder, n2 has a folder without.
    let apart = temp_dir("mesh-apart").expect("a folder");
    let hand_over = || {
        for file in [
            "ca/ca.pem",
            "ca/cookie",
            "ca/cluster-id",
            "nodes/n2.key",
            "nodes/n2.pem",
        ] {
            let to = apart.path().join(file);
            std::fs::create_dir_all(to.parent().expect("it has one")).expect("made");
            std::fs::copy(dir.path().join(file), to).expect("copied");
        }
    };
    hand_over();
    let mut first = node(&dir, "n1", &[]).await;
    let mut second = node(&apart, "n2", &[first.address]).await;
    for node in [&mut first, &mut second] {
        assert_eq!(node.say("keep").await, "kept");
    }
    first.up("n2").await;
    second.up("n1").await;
    short(&two, 3600);
    hand_over();
    // The link ends with the first certificate of either, and goes on with the next ones: twice with those of n1.
    let resumed = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while first.say("resumed n2").await.parse().unwrap_or(0) < 2 {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, resumed)
        .await
        .expect("the next certificates are shown");
    first.echoed_by("n2").await;
    second.echoed_by("n1").await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let (dir, other) = (cluster(&["n1", "n2"]), cluster(&["n3"]));
    let mut one = node(&dir, "n1", &[]).await;
    let mut three = node(&other, "n3", &[one.address]).await;
    let mut two = node(&dir, "n2", &[one.address, three.address]).await;
    one.up("n2").await;
    two.up("n1").await;
    // Meanwhile n3 has tried, and n2 has tried n3.
    for node in [&mut one, &mut two] {
        assert_eq!(node.say("peers").await.split(' ').count(), 1);
    }
    assert_eq!(three.say("peers").await, "");
}

#[tokio::test]
async fn a_session_needs_the_name_of_its_certificate_and_the_cookie() {
    let dir = cluster(&["n1", "n2"]);
    let mut one = node(&dir, "n1", &[]).await;
    let folder = dir.path().display();
    // The certificate is that of n2 in all cases.
    for (name, cookie, end) in [
        ("n9~1", "right", "ended"),
        ("nonsense", "right", "ended"),
        ("n2~1", "wrong", "ended"),
        ("n2~1", "right", "without a gateway: ended"),
    ] {
        let mut impostor = start(&format!("impostor {folder} {name} {cookie} {}", one.address));
        let line = impostor.line("its end", PATIENCE, |line| line.starts_with("= ")).await;
        assert!(line.is_ok(), "{name} with the {cookie} cookie: {end}");
        assert_eq!(one.say("peers").await, "");
    }
    assert_eq!(one.say("connections 0").await, "0 connections");
}

#[tokio::test]
async fn silent_connections_do_not_keep_a_node_out() {
    let dir = cluster(&["n1", "n2"]);
    let mut one = node(&dir, "n1", &[]).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(one.address).await.expect("connects"));
    }
    assert_eq!(one.say("connections 0").await, "0 connections");
    let mut two = node(&dir, "n2", &[one.address]).await;
    two.up("n1").await;
    one.up("n2").await;
    assert_eq!(one.say("echo n2 64").await, "the same");
    drop(silent);
}
