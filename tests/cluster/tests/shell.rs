//! The shell reaches every actor of a running cluster, and every wrong order has its own error.

use rungs_cluster_tests::{Cluster, WITHIN};
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
        assert_eq!(row["environment"], "host", "it is JSON, not a text with JSON in it");
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
        ("call ops-1 'agent.freeze {\"level\":5}'", 1, "field `level`: "),
        ("call ops-1 'agent.freeze {}'", 1, "missing field `level`"),
        ("call ops-1 'agent.freeze 5'", 1, "malformed"),
        ("call ops-1 'agent.freeze {'", 1, "not JSON"),
        ("send ops-1 'agent.freeze {'", 1, "not JSON"),
        ("send nobody", 2, "<MESSAGE>"),
        ("call @n1 node.info", 2, "expected @node/role"),
        (
            "call ops-1 agent.status --timeout soon",
            2,
            "expected a number with ms, s or m",
        ),
        ("spawn x --rate 0", 2, "is not a rate"),
        ("spawn x --particles 1", 2, "10..=10000"),
        ("spawn x --env trace:/none.csv", 1, "none.csv"),
        ("spawn x --env custom:none", 1, "none"),
        ("thaw ops-1 L4.5", 1, "refused"),
        ("stop nobody", 1, "not_found"),
        ("tree nobody", 1, "not_found"),
        ("log loud", 1, "expected off, error, warn, info, debug or trace"),
        ("inject delay ops-1#kernel --ms 0", 2, "1..=60000"),
        ("inject panic nobody#kernel", 1, "not_found"),
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
async fn each_way_in_which_a_message_is_lost_has_its_own_error() {
    let mut cluster = Cluster::start("lost", &["--nodes", "2", "--agents", "2", "--rate", "10"]).await;
    let rows = agents(&cluster).await;
    let agent = rows[0]["agent"].as_str().expect("a name");
    // An actor that takes its time.
    cluster.json(&format!("inject delay {agent}#l45 --ms 2000")).await;
    let (exit, error) = cluster
        .refused(&format!("call {agent}#l45 role.state --timeout 100ms"))
        .await;
    assert_eq!(exit, Some(1), "{error}");
    assert!(
        error.contains("deadline_exceeded") && error.contains("may have been executed"),
        "{error}"
    );
    // An actor whose mailbox is full: more messages than it holds, and then a question.
    cluster.json(&format!("inject stall-await {agent}#l45")).await;
    let flood = format!("send {agent}#l45 role.state\n").repeat(1100);
    let full = cluster.shell(&format!("{flood}call {agent}#l45 role.state\n")).await;
    let error = String::from_utf8_lossy(&full.stderr);
    assert_eq!(full.status.code(), Some(1), "{error}");
    assert!(error.contains("overloaded") && error.contains("retry"), "{error}");
    // A node that an operator has stopped. Its answer may come, or the link may end before.
    cluster.exec("call @n2/admin node.shutdown").await;
    let is_left_alone = |line: &str| line.contains("n2 ENDED") && line.contains("left alone");
    let left_alone = cluster.up().line("n2 to be left alone", WITHIN, is_left_alone);
    left_alone.await.expect("it is left alone");
    let (exit, error) = cluster.refused("call @n2/admin node.info").await;
    assert_eq!(exit, Some(1), "{error}");
    assert!(error.contains("node_down"), "{error}");
    let nodes = cluster.json("nodes").await;
    assert_eq!(
        (&nodes[1]["node"], &nodes[1]["report"]),
        (&Value::from("n2"), &Value::Null)
    );
    assert!(
        nodes[0]["node"] == "n1" && nodes[0]["report"]["agents"].is_u64(),
        "{nodes}"
    );
    // An agent that nobody has may be on the node that does not answer: that is said, and waited for.
    let watched = cluster.exec("watch nobody --for 100ms").await;
    let note = String::from_utf8_lossy(&watched.stderr);
    assert!(watched.status.success(), "{note}");
    assert!(
        note.contains("no node that answers has an agent nobody; n2 does not"),
        "{note}"
    );
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

#[tokio::test]
async fn a_goal_is_set_shown_and_cancelled_and_each_view_of_a_mind_is_there() {
    let cluster = Cluster::start("goals", &["--nodes", "2", "--agents", "1", "--rate", "10"]).await;
    let goal = r#"{"goal":"calm","intent":"never reached","success":{"all":[{"of":{"dimension":0},"is":"below","value":-1}]},
        "tasks":[{"name":"tell","does":{"raise_incident":{"group":0}},"when":[{"of":{"dimension":0},"is":"below","value":-1}]}]}"#;
    let set = cluster.json(&format!("goal submit ops-1 {goal}")).await;
    assert_eq!(set["goal"], "calm", "{set}");
    let listed = cluster.json("goals ops-1").await;
    let names: Vec<&Value> = listed["goals"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|goal| &goal["goal"])
        .collect();
    assert!(names.contains(&&Value::from("calm")), "{listed}");
    let shown = cluster.json("goal show ops-1 calm").await;
    assert_eq!(shown["set"]["tasks"][0]["name"], "tell", "{shown}");
    assert_eq!(shown["own"], Value::Null, "{shown}");
    let cancelled = cluster.json("goal cancel ops-1 calm --yes").await;
    assert_eq!(cancelled["state"], "abandoned: cancelled", "{cancelled}");
    let mind = cluster.json("mind ops-1").await;
    for view in [
        "strategies",
        "allocation",
        "scenarios",
        "capabilities",
        "votes",
        "projection",
        "values",
        "resources",
        "trust",
        "ass",
        "vetoes",
    ] {
        assert!(mind.get(view).is_some(), "{view} in {mind}");
        cluster.json(&format!("mind ops-1 {view}")).await;
    }
    let audit = cluster.json("qualify ops-1 L4.9").await;
    assert_eq!(audit["level"], "L4.9", "{audit}");
    for (order, code, expected) in [
        ("goal show ops-1 calmer", 1, "not_found"),
        ("goal cancel ops-1 calm --yes", 1, "not_found"),
        ("goal submit ops-1 {\"goal\":\"x\"}", 1, "missing field"),
        ("goal submit ops-1 no/such.json", 1, "no/such.json"),
        ("mind ops-1 soul", 2, "possible values"),
        ("qualify ops-1 L4.5", 1, "expected L4.8 or L4.9"),
        ("watch nobody", 1, "not_found"),
    ] {
        let (exit, error) = cluster.refused(order).await;
        assert_eq!(exit, Some(code), "{order}: {error}");
        assert!(error.contains(expected), "{order}: {error}");
    }
    cluster.stop().await;
}
