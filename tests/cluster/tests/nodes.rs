//! A node process that is killed is reported, the agents of the others run on, and it rejoins under its name.

use rungs_cluster_tests::{Cluster, WITHIN};
use rungs_test_support::eventually;
use serde_json::Value;

async fn cycles_on(cluster: &Cluster, node: &str) -> u64 {
    let rows = cluster.json(&format!("agents {node}")).await;
    rows.as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| row["cycles"].as_u64())
        .sum()
}

fn incarnation(report: &Value) -> Option<u64> {
    report["node"].as_str()?.split_once('~')?.1.parse().ok()
}

#[tokio::test]
async fn a_killed_node_is_reported_and_comes_back_while_the_others_run_on() {
    let mut cluster = Cluster::start("kill", &["--nodes", "3", "--agents", "9", "--rate", "20"]).await;
    let before = cluster.json("call @n2/admin node.info").await;
    let (first, third) = (cycles_on(&cluster, "n1").await, cycles_on(&cluster, "n3").await);
    cluster.kill("n2").await;
    let reported = |line: &str| line.contains("n2 ENDED by signal 9");
    cluster
        .up()
        .line("the end of n2 to be reported", WITHIN, reported)
        .await
        .expect("it is reported");
    let back = eventually("n2 to be back", WITHIN, async || {
        let answer = cluster.exec("call @n2/admin node.info").await;
        let report: Value = serde_json::from_slice(&answer.stdout).ok()?;
        let peers = report["peers"].as_array()?;
        let linked = peers.len() == 2 && peers.iter().all(|peer| peer["up"] == true);
        (linked && incarnation(&report) > incarnation(&before)).then_some(report)
    })
    .await
    .expect("it comes back under its name");
    assert_eq!(back["peers"].as_array().map(Vec::len), Some(2), "{back}");
    assert!(cycles_on(&cluster, "n1").await > first, "the agents of n1 run on");
    assert!(cycles_on(&cluster, "n3").await > third, "the agents of n3 run on");
    cluster.stop().await;
}
