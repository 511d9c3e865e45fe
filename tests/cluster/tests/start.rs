//! How a local cluster starts: beside others, and when it cannot.

use rungs_cluster_tests::{Cluster, UP_WITHIN};
use rungs_test_support::{Process, program, temp_dir};
use tokio::process::Command;
use tokio::task::JoinSet;

/// Clusters that start at the same time.
const CLUSTERS: usize = 3;

#[tokio::test]
async fn clusters_that_start_together_take_no_port_of_each_other() {
    let mut starts = JoinSet::new();
    for index in 0..CLUSTERS {
        starts
            .spawn(async move { Cluster::start(&format!("start-{index}"), &["--nodes", "2", "--agents", "0"]).await });
    }
    let mut ports = std::collections::BTreeSet::new();
    for cluster in starts.join_all().await {
        let text = std::fs::read_to_string(cluster.dir().join("cluster.toml")).expect("it is there");
        let addresses = text.lines().filter(|line| line.starts_with("address"));
        ports.extend(addresses.map(str::to_owned));
        cluster.stop().await;
    }
    assert_eq!(ports.len(), 2 * CLUSTERS, "{ports:?}");
}

#[tokio::test]
async fn a_shell_for_a_cluster_that_does_not_run_says_so() {
    let cluster = Cluster::start("ended", &["--nodes", "1", "--agents", "0"]).await;
    let dir = temp_dir("ended-copy").expect("a folder can be made");
    for file in ["cluster.toml", "ca/ca.pem", "ca/ca.key", "ca/cookie", "ca/cluster-id"] {
        let to = dir.path().join(file);
        std::fs::create_dir_all(to.parent().expect("it has one")).expect("it can be made");
        std::fs::copy(cluster.dir().join(file), to).expect("copied");
    }
    cluster.stop().await;
    let mut command = Command::new(program());
    command.args(["exec", "nodes", "--data"]).arg(dir.path());
    let output = command.output().await.expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("no node listens; is `rungs up` running?"), "{error}");
}

#[tokio::test]
async fn through_one_node_a_shell_with_nothing_but_the_authority_reaches_the_agents_of_all() {
    let cluster = Cluster::start("through", &["--nodes", "2", "--agents", "6", "--rate", "10"]).await;
    let rows = cluster.json("agents").await;
    let of = |node: &str| {
        let mut rows = rows.as_array().expect("a list").iter();
        let row = rows.find(|row| row["node"] == node).expect("each node has one");
        row["agent"].as_str().expect("a name").to_owned()
    };
    let dir = temp_dir("through-copy").expect("a folder can be made");
    std::fs::create_dir(dir.path().join("ca")).expect("it is empty");
    for file in ["ca/ca.pem", "ca/ca.key", "ca/cookie", "ca/cluster-id"] {
        std::fs::copy(cluster.dir().join(file), dir.path().join(file)).expect("copied");
    }
    let listed = std::fs::read_to_string(cluster.dir().join("cluster.toml")).expect("it is there");
    let address = listed.lines().find_map(|line| line.strip_prefix("address = "));
    let address = address.expect("each member has one").trim_matches('"');
    let run = async |line: &str, arguments: &[&str]| {
        let mut command = Command::new(program());
        command
            .arg("exec")
            .arg(line)
            .arg("--json")
            .arg("--data")
            .arg(dir.path());
        command.args(arguments).output().await.expect("it runs")
    };
    for agent in [of("n1"), of("n2")] {
        let output = run(&format!("call {agent} agent.status"), &["--connect", address]).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{agent}: {error}");
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(status["cycles"].is_u64(), "{status}");
    }
    let output = run("nodes", &[]).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("cluster.toml is not there"),
        "without a node to connect to: {error}"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_node_that_cannot_start_is_reported_with_its_last_words() {
    let dir = temp_dir("last-words").expect("a folder can be made");
    std::fs::create_dir(dir.path().join("n1")).expect("it is empty");
    std::fs::write(dir.path().join("n1/data"), "in the way").expect("written");
    let mut command = Command::new(program());
    command
        .args(["up", "--nodes", "1", "--agents", "0", "--data"])
        .arg(dir.path());
    let mut up = Process::start(command).expect("the program starts");
    let status = up.exit(UP_WITHIN).await.expect("it ends");
    let is_reason = |line: &str| line.starts_with("error: node n1 ended at its start");
    let line = up.line("the reason", UP_WITHIN, is_reason).await.expect("it says why");
    assert_eq!(status.code(), Some(1));
    assert!(
        line.contains("with exit code 1: cannot make") && line.contains("node.log"),
        "{line}"
    );
}
