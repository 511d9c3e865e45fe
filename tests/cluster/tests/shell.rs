//! The shell reaches every actor of a running cluster, and every wrong order has its own error.

use rungs_cluster_tests::Cluster;
use serde_json::Value;

async fn agents(cluster: &Cluster) -> Vec<Value> {
    cluster.json("agents").await.as_array().expect("a list").clone()
}

#[tokio::test]
async fn an_operator_reaches_every_actor_and_wrong_orders_say_what_is_wrong() {
    let cluster = Cluster::start("shell", &["--nodes", "2", "--agents", "6", "--rate", "10"]).await;
    let rows = agents(&cluster).await;
    assert_eq!(rows.len(), 6);
    for row in &rows {
        let agent = row["agent"].as_str().expect("a name");
        let status = cluster.json(&format!("call {agent} agent.status")).await;
        assert!(status["cycles"].is_u64(), "{status}");
        let kinds = cluster.json(&format!("describe {agent}#kernel")).await;
        assert!(kinds.as_array().is_some_and(|kinds| !kinds.is_empty()), "{kinds}");
    }
    for node in ["n1", "n2"] {
        let report = cluster.json(&format!("call @{node}/admin node.info")).await;
        assert_eq!(report["peers"].as_array().map(Vec::len), Some(1), "{report}");
    }
    for (order, code, expected) in [
        ("call nobody agent.status", 1, "not_found"),
        ("call ops-1#nothing role.state", 1, "not_found"),
        ("call @n9/admin node.info", 1, "node_down"),
        ("call user:nobody greet", 1, "not_found"),
        ("call ops-1 agent.fly", 1, "malformed"),
        ("call ops-1 'agent.freeze {\"level\":\"L9\"}'", 1, "L4.8"),
        ("call ops-1 'agent.freeze {\"levle\":\"L4.8\"}'", 1, "levle"),
        ("call ops-1 'agent.freeze {'", 2, "not JSON"),
        ("freeze ops-1 L9", 2, "expected L3"),
        ("frobnicate", 2, "frobnicate"),
    ] {
        let (exit, error) = cluster.refused(order).await;
        assert_eq!(exit, Some(code), "{order}: {error}");
        assert!(error.contains(expected), "{order}: {error}");
    }
    cluster.stop().await;
}

#[tokio::test]
async fn an_agent_is_spawned_where_its_name_belongs_and_stopped_by_name() {
    let cluster = Cluster::start("spawn", &["--nodes", "2", "--agents", "1", "--rate", "10"]).await;
    cluster.json("spawn demo-7 --env sim:4:7 --rate 50").await;
    assert_eq!(agents(&cluster).await.len(), 2);
    let (_, again) = cluster.refused("spawn demo-7 --env sim:4:7").await;
    assert!(again.contains("demo-7"), "{again}");
    cluster.json("stop demo-7").await;
    let (exit, gone) = cluster.refused("call demo-7 agent.status").await;
    assert_eq!(exit, Some(1), "{gone}");
    cluster.stop().await;
}
