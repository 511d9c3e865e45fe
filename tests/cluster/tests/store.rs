//! A cluster has one store: on three of its nodes, or on the one that it began with. The others are clients of it.

use rungs::prelude::*;
use rungs_cli::local::LocalCluster;
use rungs_cli::store::StoreSecrets;
use rungs_cluster_tests::{Cluster, UP_WITHIN, WITHIN};
use rungs_directory::records::{AgentRecord, Origin, Records};
use rungs_store::cluster::limits::KEPT_DELETIONS;
use rungs_store_raft::{RaftStore, Remote, heartbeat};
use rungs_test_support::{eventually, temp_dir};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Numbers of names of which each of four nodes has some: where a name belongs never changes.
const NAMES: std::ops::RangeInclusive<u32> = 1..=12;

/// The records of a cluster, read as any of its clients does.
async fn records(dir: &Path) -> Records {
    let cluster = LocalCluster::load(dir).expect("there is a cluster");
    let store = cluster.store(dir).expect("it has a store");
    let remote = Remote {
        voters: store.voters.iter().map(|voter| voter.client).collect(),
        secret: StoreSecrets::read(&store.secrets).expect("they are kept").client_secret,
        tls: false,
        heartbeat: heartbeat(store.voters.len()),
        kept_deletions: KEPT_DELETIONS,
    };
    let store = RaftStore::connect(remote, WITHIN).await.expect("a majority is there");
    Records::new(Arc::new(store))
}

async fn record(records: &Records, name: &str) -> Option<AgentRecord> {
    records.get(&name.parse().expect("a name")).await.expect("reads")
}

/// Waits until a node's own replica answers it.
async fn takes_part(dir: &Path, node: &str) {
    let log = dir.join(node).join("node.log");
    let joined = eventually("the voter to take part", WITHIN, async || {
        let log = std::fs::read_to_string(&log).ok()?;
        log.contains("the replica of this voter takes part").then_some(())
    });
    joined.await.unwrap_or_else(|error| panic!("{node}: {error}"));
}

/// Spawns agents and says which node has each; where the node is down, nobody has.
async fn spawn(cluster: &Cluster, prefix: &str) -> BTreeMap<String, Option<String>> {
    let mut placed = BTreeMap::new();
    for number in NAMES {
        let name = format!("{prefix}{number}");
        let output = cluster.exec(&format!("spawn {name} --env sim:8:7 --rate 10")).await;
        let node = serde_json::from_slice::<Value>(&output.stdout).ok();
        let node = node.filter(|_| output.status.success());
        placed.insert(name, node.and_then(|node| Some(node.as_str()?.to_owned())));
    }
    placed
}

fn nodes(placed: &BTreeMap<String, Option<String>>) -> BTreeSet<&str> {
    placed.values().flatten().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_have_one_store_and_go_on_without_the_voter_that_led() {
    let cluster = Cluster::start("store", &["--nodes", "4", "--agents", "4", "--rate", "10"]).await;
    let records = records(cluster.dir()).await;
    let placed = spawn(&cluster, "before-z").await;
    assert_eq!(nodes(&placed), BTreeSet::from(["n1", "n2", "n3", "n4"]), "{placed:?}");
    for name in placed.keys() {
        let origin = record(&records, name).await.map(|record| record.origin);
        assert_eq!(origin, Some(Origin::Order), "{name}");
    }
    let by = record(&records, "ops-1").await.map(|record| record.origin);
    assert!(matches!(by, Some(Origin::Configuration(Some(_)))), "{by:?}");
    for node in ["n1", "n2", "n3"] {
        takes_part(cluster.dir(), node).await;
    }
    // It began the cluster, so it leads. Without its configuration it does not come back.
    let config = cluster.dir().join("n1/node.toml");
    std::fs::rename(&config, config.with_extension("away")).expect("it is there");
    cluster.kill("n1").await;
    let placed = spawn(&cluster, "after-z").await;
    assert_eq!(nodes(&placed), BTreeSet::from(["n2", "n3", "n4"]), "{placed:?}");
    for (name, node) in placed {
        assert_eq!(record(&records, &name).await.is_some(), node.is_some(), "{name}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_registered_is_there_when_all_voters_come_back() {
    let cluster = Cluster::start("again", &["--nodes", "3", "--agents", "3", "--rate", "10"]).await;
    let placed = spawn(&cluster, "keeps-").await;
    for node in ["n1", "n2", "n3"] {
        takes_part(cluster.dir(), node).await;
    }
    let voters = LocalCluster::load(cluster.dir()).expect("it is there").voters;
    let dir = cluster.end().await;
    let cluster = Cluster::start_in(dir, &["--nodes", "3", "--agents", "2", "--rate", "20"]).await;
    assert_eq!(LocalCluster::load(cluster.dir()).expect("it is there").voters, voters);
    let mut expected: BTreeSet<String> = placed.keys().cloned().collect();
    expected.extend(["ops-1", "ops-2"].map(str::to_owned));
    let there = eventually("all agents to run", WITHIN, async || {
        let agents = cluster.json("agents").await;
        let names = agents.as_array()?.iter().filter_map(|row| row["agent"].as_str());
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        (names == expected).then_some(())
    });
    there.await.expect("they were registered");
    cluster.stop().await;
}

/// A node with a store of its own, as all nodes had before clusters had one, and an agent that is registered there.
async fn node_of_before(dir: &Path, node: &str, agent: &str) {
    let data = dir.join(node).join("data");
    std::fs::create_dir_all(&data).expect("made");
    let started = NodeBuilder::default().name(node).data_dir(&data).start().await;
    let started = started.expect("it starts");
    let spec = AgentSpec::new(agent.parse().expect("a name"));
    started.spawn(spec).await.expect("it is registered");
    started.shutdown().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_stores_of_their_own_bring_what_was_registered_into_the_first_ones() {
    let dir = temp_dir("of-before").expect("a folder can be made");
    let mut members = String::new();
    for (node, agent, port) in [("n1", "web-1", 1), ("n2", "web-2", 2), ("n3", "web-3", 3)] {
        node_of_before(dir.path(), node, agent).await;
        members += &format!(
            "[[members]]\nname = \"{node}\"\naddress = \"127.0.0.1:{}\"\n",
            19_000 + port
        );
    }
    std::fs::write(dir.path().join("cluster.toml"), members).expect("written");
    let mut cluster = Cluster::start_in(dir, &["--nodes", "3", "--agents", "0"]).await;
    let hint = |line: &str| line.starts_with("store:  on n1 alone");
    cluster.up().line("a hint", UP_WITHIN, hint).await.expect("it says so");
    let records = records(cluster.dir()).await;
    for agent in ["web-1", "web-2", "web-3"] {
        let origin = record(&records, agent).await.map(|record| record.origin);
        assert_eq!(origin, Some(Origin::Order), "{agent}");
        let running = eventually("the agent to run", WITHIN, async || {
            let status = cluster.exec(&format!("call {agent} agent.status")).await;
            status.status.success().then_some(())
        });
        running.await.unwrap_or_else(|error| panic!("{agent}: {error}"));
    }
    for (node, is_moved) in [("n1", false), ("n2", true), ("n3", true)] {
        let before = cluster.dir().join(node).join("data/store.before");
        assert_eq!(before.exists(), is_moved, "{node}");
    }
    cluster.stop().await;
}
