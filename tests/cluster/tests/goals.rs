//! Goals outlive the process and the snapshots of their node.

use rungs_cluster_tests::{Cluster, WITHIN};
use rungs_test_support::eventually;
use serde_json::Value;

/// One task, and a success that never comes.
const GOAL: &str = r#"{"goal":"keep","intent":"wait",
    "success":{"all":[{"of":{"dimension":0},"is":"above","value":1e9}]},
    "tasks":[{"name":"tell","does":{"raise_incident":{"group":0}}}]}"#;

async fn shown(cluster: &Cluster) -> Option<Value> {
    let shown = cluster.exec("goal show ops-1 keep").await;
    serde_json::from_slice::<Value>(&shown.stdout)
        .ok()
        .filter(|shown| shown["set"].is_object())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goal_outlives_a_killed_node_and_its_snapshots_and_no_task_is_done_twice() {
    let cluster = Cluster::start("goals", &["--nodes", "1", "--agents", "1", "--rate", "100"]).await;
    for _ in 0..2 {
        let set = cluster.json(&format!("goal submit ops-1 {GOAL}")).await;
        assert_eq!(
            (&set["goal"], &set["origin"]),
            (&"keep".into(), &"user".into()),
            "{set}"
        );
    }
    let done = eventually("its task to be done", WITHIN, async || {
        let shown = shown(&cluster).await?;
        (shown["set"]["tasks"][0]["state"] == "done").then_some(shown)
    });
    let done = done.await.expect("it works");
    assert_eq!(done["set"]["tasks"][0]["attempts"], 1);

    let data = cluster.dir().join("n1/data");
    assert!(!data.join("tasks").exists());
    std::fs::remove_dir_all(data.join("snapshots")).expect("was there");
    cluster.kill("n1").await;
    let back = eventually("the goal to be back", WITHIN, async || shown(&cluster).await);
    let back = back.await.expect("it was acknowledged");
    let task = &back["set"]["tasks"][0];
    assert_eq!(
        (&task["state"], &task["attempts"]),
        (&"done".into(), &1.into()),
        "{back}"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goal_is_accepted_while_its_agent_does_not_answer_and_taken_once_when_it_does() {
    let cluster = Cluster::start("accepted", &["--nodes", "1", "--agents", "1", "--rate", "100"]).await;
    // Longer than a cycle may take: the kernel is killed, and starts again.
    cluster.json("inject delay ops-1#kernel --ms 8000").await;
    let set = cluster.json(&format!("goal submit ops-1 {GOAL}")).await;
    assert_eq!(
        (&set["goal"], &set["state"]),
        (&"keep".into(), &"accepted".into()),
        "{set}"
    );
    cluster.json("inject clear ops-1#kernel").await;
    let done = eventually("its task to be done", WITHIN, async || {
        let shown = shown(&cluster).await?;
        (shown["set"]["tasks"][0]["state"] == "done").then_some(shown)
    });
    let done = done.await.expect("the agent takes it");
    assert_eq!(done["set"]["tasks"][0]["attempts"], 1);
    // By any node, and for an agent that rests; what no agent is there for is refused.
    cluster
        .json("spawn demo --env sim:8:7 --rate 100 --rests-after 60m")
        .await;
    cluster.json("passivate demo").await;
    let set = cluster.json(&format!("goal submit demo {GOAL}")).await;
    assert_eq!(set["origin"], "user", "{set}");
    let (exit, error) = cluster.refused(&format!("goal submit nobody {GOAL}")).await;
    assert_eq!(
        (exit, error.contains("no agent nobody is registered")),
        (Some(1), true),
        "{error}"
    );
    cluster.stop().await;
}
