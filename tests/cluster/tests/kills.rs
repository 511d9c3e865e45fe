//! Nodes are killed, drained and left: their agents go on elsewhere, and what was acknowledged is not lost.

use rungs_cluster_tests::{Cluster, WITHIN};
use rungs_test_support::{eventually, program};
use serde_json::Value;
use std::time::Duration;
use tokio::process::Command;

/// Kills in a run that names no number.
const KILLS: &str = "3";
/// Says how many kills there are; only this test reads it.
const KILLS_VARIABLE: &str = "RUNGS_CLUSTER_TEST_KILLS";
/// How long they may take.
const KILLS_WITHIN: Duration = Duration::from_secs(3_600);
/// Agents of the clusters whose nodes end.
const AGENTS: usize = 24;

#[tokio::test]
async fn no_goal_that_was_acknowledged_is_lost_when_nodes_are_killed() {
    let kills = std::env::var(KILLS_VARIABLE).unwrap_or_else(|_| KILLS.to_owned());
    let mut bench = Command::new(program());
    bench.args(["bench", "kills", "--json", "--agents", "30", "--kills", &kills]);
    bench.env_remove(KILLS_VARIABLE).kill_on_drop(true);
    let output = tokio::time::timeout(KILLS_WITHIN, bench.output()).await;
    let output = output.expect("it ends").expect("the program runs");
    let (printed, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{errors}");
    let figure = |what: &str| {
        let lines = printed
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut found = lines.filter(|line| line["what"].as_str() == Some(what));
        found
            .next()
            .and_then(|line| line["value"].as_f64())
            .unwrap_or_else(|| panic!("no {what} in {printed}"))
    };
    assert_eq!(figure("of these lost"), 0.0, "{errors}");
    assert!(figure("goals acknowledged") > 0.0);
    assert!(figure("agents that had to answer") > 0.0);
}

/// The agents that answer, and the nodes that they are on.
async fn placed(cluster: &Cluster) -> Vec<(String, String)> {
    let agents = cluster.exec("agents").await;
    let agents: Value = serde_json::from_slice(&agents.stdout).unwrap_or_default();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = agents.as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| (text(row, "agent"), text(row, "node"))).collect()
}

/// Waits until all agents run, and none of them on a node.
async fn all_but_on(cluster: &Cluster, node: &str) {
    let gone = eventually("all agents to run elsewhere", WITHIN, async || {
        let placed = placed(cluster).await;
        (placed.len() == AGENTS && placed.iter().all(|(_, at)| at != node)).then_some(())
    });
    gone.await.unwrap_or_else(|error| panic!("{node}: {error}"));
    for number in 1..=AGENTS {
        cluster
            .json(&format!("call ops-{number} agent.status --timeout 20s"))
            .await;
    }
}

async fn state(cluster: &Cluster, node: &str) -> Option<String> {
    let members = cluster.exec("members").await;
    let members: Value = serde_json::from_slice(&members.stdout).ok()?;
    let mut rows = members.as_array()?.iter();
    let row = rows.find(|row| row["node"].as_str() == Some(node))?;
    row["state"].as_str().map(str::to_owned)
}

async fn until_state(cluster: &Cluster, node: &str, wanted: &str) {
    let reached = eventually("the member to be so", WITHIN, async || {
        (state(cluster, node).await.as_deref() == Some(wanted)).then_some(())
    });
    reached.await.unwrap_or_else(|error| panic!("{node} {wanted}: {error}"));
}

async fn three(name: &str) -> Cluster {
    let agents = AGENTS.to_string();
    let cluster = Cluster::start(name, &["--nodes", "3", "--agents", &agents, "--rate", "5"]).await;
    for node in ["n1", "n2", "n3"] {
        until_state(&cluster, node, "live").await;
    }
    let spread = eventually("every node to have agents", WITHIN, async || {
        let placed = placed(&cluster).await;
        let on = |node: &str| placed.iter().any(|(_, at)| at == node);
        (placed.len() == AGENTS && on("n1") && on("n2") && on("n3")).then_some(())
    });
    spread.await.expect("they are spread");
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_of_a_node_that_does_not_come_back_go_on_elsewhere_with_what_they_know() {
    let cluster = three("gone").await;
    let before = placed(&cluster).await;
    let (agent, _) = before
        .iter()
        .find(|(_, node)| node == "n2")
        .expect("it has some")
        .clone();
    let copied = eventually("its cycles to be copied", WITHIN, async || {
        let nodes = cluster.json("nodes").await;
        let cycles = cluster.json(&format!("call {agent} agent.status")).await["cycles"].as_u64()?;
        let fresh = |row: &Value| row["report"]["copy_age_ms"].as_u64().is_some_and(|age| age < 5_000);
        (cycles >= 60 && nodes.as_array()?.iter().all(fresh)).then_some(())
    });
    copied.await.expect("it is copied");
    // Without its configuration it does not come back.
    let config = cluster.dir().join("n2/node.toml");
    std::fs::rename(&config, config.with_extension("away")).expect("it is there");
    cluster.kill("n2").await;
    all_but_on(&cluster, "n2").await;
    until_state(&cluster, "n2", "dead").await;
    let cycles = cluster.json(&format!("call {agent} agent.status")).await["cycles"].as_u64();
    assert!(cycles >= Some(30), "it did not begin anew: {cycles:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_drained_filled_again_and_left_while_every_agent_answers() {
    let cluster = three("drained").await;
    cluster.json("drain n3").await;
    all_but_on(&cluster, "n3").await;
    assert_eq!(state(&cluster, "n3").await.as_deref(), Some("draining"));
    cluster.json("drain n3 --undo").await;
    until_state(&cluster, "n3", "live").await;
    let moved = eventually("it to have agents again", WITHIN, async || {
        placed(&cluster)
            .await
            .iter()
            .any(|(_, node)| node == "n3")
            .then_some(())
    });
    moved.await.expect("it gets its share");
    cluster.json("leave n1").await;
    all_but_on(&cluster, "n1").await;
    until_state(&cluster, "n1", "left").await;
    let (_, nobody) = cluster.refused("drain n9").await;
    assert!(nobody.contains("n9 is no present member"), "{nobody}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_is_moved_and_kept_where_an_operator_wants_it() {
    let cluster = three("moved").await;
    let (agent, from) = placed(&cluster).await.swap_remove(0);
    let to = ["n1", "n2", "n3"]
        .into_iter()
        .find(|node| *node != from)
        .expect("another");
    cluster.json(&format!("move {agent} {to}")).await;
    let there = eventually("the agent to be there", WITHIN, async || {
        let placed = placed(&cluster).await;
        placed
            .iter()
            .any(|(name, node)| *name == agent && node == to)
            .then_some(())
    });
    there.await.expect("it moves");
    let shard = cluster.json(&format!("shards {agent}")).await;
    assert_eq!(
        (shard["owner"].as_str(), shard["pinned"].as_bool()),
        (Some(to), Some(true)),
        "{shard}"
    );
    let plan = cluster.json("rebalance --dry-run").await;
    assert_eq!(plan["moving"].as_u64(), Some(0), "what is pinned stays: {plan}");
    cluster.json(&format!("move {agent} --unpin")).await;
    let plan = cluster.json("rebalance --dry-run").await;
    assert_eq!(plan["moving"].as_u64(), Some(1), "it would go home: {plan}");
    cluster.stop().await;
}
