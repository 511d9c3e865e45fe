//! Agents of one group on three node processes talk to each other over sockets, and come to model each other.

use rungs_cluster_tests::{Cluster, WITHIN};
use rungs_test_support::eventually;
use serde_json::Value;
use std::collections::BTreeSet;

/// One agent for each of three nodes: where a name belongs never changes.
const AGENTS: [&str; 3] = ["web-1", "web-2", "web-6"];

/// The agents that this one models.
async fn modelled(cluster: &Cluster, agent: &str) -> (BTreeSet<String>, Value) {
    let known = cluster.json(&format!("call {agent} agent.peers")).await;
    let names = known["modelled"].as_array().expect("a list").iter();
    let names = names.map(|peer| peer["agent"].as_str().expect("a name").to_owned());
    (names.collect(), known)
}

/// Sets a goal whose task asks another agent, and waits until that is done.
async fn ask_over_the_wire(cluster: &Cluster, agent: &str) {
    let goal = r#"{"goal":"learn","intent":"know more","success":{"all":[{"of":{"dimension":0},"is":"above","value":1e12}]},
        "tasks":[{"name":"ask","does":{"ask_peer":{"group":0}},"retries":5}]}"#;
    cluster.json(&format!("goal submit {agent} {goal}")).await;
    let done = eventually("the question to be answered", WITHIN, async || {
        let shown = cluster.json(&format!("goal show {agent} learn")).await;
        (shown["set"]["tasks"][0]["state"] == "done").then_some(())
    });
    done.await.expect("it is answered");
    let (_, known) = modelled(cluster, agent).await;
    assert!(known["answered"].as_u64() >= Some(1), "{known}");
}

#[tokio::test]
async fn agents_of_one_group_on_three_nodes_model_each_other_and_strangers_are_refused() {
    let cluster = Cluster::start("peers", &["--nodes", "3", "--agents", "0"]).await;
    let spawned = AGENTS
        .map(|agent| format!("spawn {agent} --rate 50 --group web\n"))
        .concat();
    let spawned = cluster.shell(&spawned).await;
    let nodes = String::from_utf8_lossy(&spawned.stdout);
    let nodes: BTreeSet<&str> = nodes.lines().collect();
    assert_eq!(nodes, BTreeSet::from(["\"n1\"", "\"n2\"", "\"n3\""]));
    let place = |agent| format!("authority {agent} L4.8 full --yes\nauthority {agent} L4.9 half --yes\n");
    let placed = cluster.shell(&AGENTS.map(place).concat()).await;
    assert!(placed.status.success(), "{}", String::from_utf8_lossy(&placed.stderr));
    for agent in AGENTS {
        let others = AGENTS.iter().filter(|other| **other != agent);
        let others: BTreeSet<String> = others.map(ToString::to_string).collect();
        let known = eventually("the others to be modelled", WITHIN, async || {
            let (names, known) = modelled(&cluster, agent).await;
            (names == others).then_some(known)
        });
        let known = known.await.expect("each reports to the others");
        assert!(known["heard"].as_u64() >= Some(2), "{known}");
    }
    let [first, second, _] = AGENTS;
    ask_over_the_wire(&cluster, first).await;
    let say =
        |from: &str, message: &str| format!("call {first} agent.peer {{\"from\":\"{from}\",\"message\":{message}}}");
    let ask = |from: &str, about: &str| {
        format!("call {second}#kernel agent.ask {{\"from\":\"{from}\",\"about\":\"{about}\"}}")
    };
    const KEPT: &str = "{\"kept\":{\"id\":1}}";
    // At once again, from one shell: 50 cycles are a second.
    let twice = format!("{0}\n{0}\n", say("ops-77", KEPT));
    let twice = cluster.shell(&twice).await;
    let error = String::from_utf8_lossy(&twice.stderr);
    assert!(
        String::from_utf8_lossy(&twice.stdout).contains("cycle"),
        "the first is heard"
    );
    assert!(
        error.contains("overloaded") && error.contains("one message in 50 cycles"),
        "{error}"
    );
    for (order, code, reason) in [
        (
            say("acme/ops-7", KEPT),
            "forbidden",
            "hears other agents of its tenant, not acme/ops-7",
        ),
        (say(first, KEPT), "forbidden", "hears other agents of its tenant, not"),
        (
            say("ops-78", "{\"bid\":{\"offer\":1,\"confidence\":2}}"),
            "malformed",
            "peer.bid.confidence",
        ),
        (say("ops-78", "{\"shout\":{}}"), "malformed", "unknown variant"),
        (
            ask("acme/ops-7", "cpu"),
            "forbidden",
            "hears other agents of its tenant, not acme/ops-7",
        ),
        (ask("ops-77", "the moon"), "not_found", "expected one of"),
    ] {
        let (exit, error) = cluster.refused(&order).await;
        assert_eq!(exit, Some(1), "{order}: {error}");
        assert!(error.contains(code) && error.contains(reason), "{order}: {error}");
    }
    cluster.stop().await;
}
