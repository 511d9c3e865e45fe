//! Agents that rest: they cost nothing, wake for a message from any node, and keep their state.

use rungs_cluster_tests::{Cluster, WITHIN};
use rungs_test_support::eventually;

async fn resting(cluster: &Cluster) -> u64 {
    let nodes = cluster.json("nodes").await;
    let nodes = nodes.as_array().expect("a list").iter();
    nodes.filter_map(|node| node["report"]["passive"].as_u64()).sum()
}

/// On how many nodes there are copies of the state of `demo`.
fn copies(cluster: &Cluster) -> usize {
    let held = |node: &&str| cluster.dir().join(node).join("data/copies/default/demo").is_dir();
    ["n1", "n2"].iter().filter(|node| held(node)).count()
}

/// How far the copies of each node's agents are behind, in milliseconds.
async fn copy_ages(cluster: &Cluster) -> Vec<u64> {
    let nodes = cluster.json("nodes").await;
    let nodes = nodes.as_array().expect("a list").iter();
    nodes
        .filter_map(|node| node["report"]["copy_age_ms"].as_u64())
        .collect()
}

async fn cycles(cluster: &Cluster) -> u64 {
    // The question wakes the agent.
    let status = cluster.json("call demo agent.status --timeout 30s").await;
    status["cycles"].as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_rests_wakes_for_a_message_and_goes_on_where_it_was() {
    let cluster = Cluster::start("passive", &["--nodes", "2", "--agents", "1"]).await;
    let placed = cluster
        .json("spawn demo --env sim:8:7 --rate 100 --rests-after 60m")
        .await;
    let (_, again) = cluster.refused("spawn demo").await;
    assert!(again.contains("agent demo is registered already"), "{again}");
    let ran = eventually("a hundred cycles", WITHIN, async || {
        let cycles = cycles(&cluster).await;
        (cycles >= 100).then_some(cycles)
    });
    let ran = ran.await.expect("it cycles");
    assert_eq!(cluster.json("passivate demo").await, placed, "where it runs");
    assert_eq!(resting(&cluster).await, 1);
    let copied = eventually("its state to be on the other node", WITHIN, async || {
        (copies(&cluster) == 1 && copy_ages(&cluster).await == [0, 0]).then_some(())
    });
    copied.await.expect("it is copied");
    let listed = cluster.json("agents").await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let tree = cluster.refused("tree demo").await.1;
    assert!(tree.contains("has no agent demo"), "nothing of it runs: {tree}");

    assert!(cycles(&cluster).await >= ran, "it goes on from its last state");
    assert_eq!(resting(&cluster).await, 0);
    let always = cluster.refused("passivate ops-1").await.1;
    assert!(always.contains("ops-1 is to run always"), "{always}");
    cluster.json("stop demo").await;
    let gone = cluster.refused("call demo agent.status").await.1;
    assert!(gone.contains("not_found"), "{gone}");
    assert_eq!(copies(&cluster), 0, "nothing of it stays on the other node");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_that_were_spawned_are_there_again_after_their_node_was_killed() {
    let cluster = Cluster::start("registered", &["--nodes", "1", "--agents", "1"]).await;
    cluster.json("spawn keeps --env sim:8:7 --rate 100").await;
    cluster
        .json("spawn demo --env sim:8:7 --rate 100 --rests-after 60m")
        .await;
    cluster.json("passivate demo").await;
    cluster.json("spawn gone --env sim:8:7").await;
    cluster.json("stop gone").await;
    cluster.kill("n1").await;
    let back = eventually("the node to be back with its agents", WITHIN, async || {
        let agents = cluster.exec("agents").await;
        let agents: serde_json::Value = serde_json::from_slice(&agents.stdout).ok()?;
        let names: Vec<String> = agents.as_array()?.iter().map(|row| row["agent"].to_string()).collect();
        (names.len() == 2).then_some(names)
    });
    let back = back.await.expect("they are back");
    assert_eq!(
        back,
        ["\"keeps\"", "\"ops-1\""],
        "what rests rests, what was stopped is gone"
    );
    assert_eq!(resting(&cluster).await, 1);
    cycles(&cluster).await;
    assert_eq!(
        resting(&cluster).await,
        0,
        "it is known, and was started by the question"
    );
    cluster.stop().await;
}
