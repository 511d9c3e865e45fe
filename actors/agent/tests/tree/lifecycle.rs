//! What runs, in which order it stops, and what a host does with its agents.

use crate::reach::call;
use crate::support::{Node, cycle, id, spec};
use rungs_agent::AgentError;
use rungs_agent::messages::AgentState;
use rungs_types::{AgentSpec, Authority, Level};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn an_agent_cycles_and_its_levels_run() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 100).await;
    let status = agent.status();
    assert_eq!(status.late_cycles, 0);
    assert_eq!(
        status.authority[..3],
        [Authority::Full, Authority::Full, Authority::Shadow]
    );
    assert!(status.eu.is_some_and(|eu| (0.0..=1.0).contains(&eu)), "{status:?}");
    let description = agent.describe().await.expect("answers");
    let roles: Vec<_> = description.actors.iter().map(|actor| actor.role.as_str()).collect();
    assert_eq!(
        roles,
        [
            "kernel",
            "guard",
            "l45",
            "l48",
            "l48/emit",
            "l48/verify",
            "l48/plan",
            "l48/introspect",
            "l48/observe",
            "l49"
        ]
    );
    assert_eq!(description.levels.len(), 4);
    let model = description.self_model.expect("level 4.8 has passed");
    assert!(
        model
            .skills
            .iter()
            .any(|row| row.skill == "logical reasoning" && row.outcomes > 0),
        "{model:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_at_level_45_has_four_actors() {
    let node = Node::paused().await;
    let agent = node
        .hosts
        .spawn(AgentSpec {
            highest: Level::L45,
            ..spec("ops-1")
        })
        .await;
    let agent = agent.expect("starts");
    cycle(&agent, 50).await;
    let description = agent.describe().await.expect("answers");
    assert_eq!(description.actors.len(), 3, "and the root: {:?}", description.actors);
    assert_eq!(agent.status().authority[2], Authority::Frozen);
    assert!(agent.freeze(Level::L48, "ada").is_err(), "it has no L4.8");
}

#[tokio::test(start_paused = true)]
async fn a_name_runs_once_and_is_free_after_a_stop() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 20).await;
    let second = node.hosts.spawn(spec("ops-1")).await.expect_err("runs already");
    assert_eq!(second.to_string(), "agent ops-1 runs already");
    let entry = node.hosts.stop(&id("ops-1")).await.expect("stops");
    assert_eq!(entry.state, AgentState::Stopped);
    assert!(node.hosts.get(&id("ops-1")).is_none());
    assert!(matches!(agent.describe().await, Err(AgentError::NotHere { .. })));
    node.hosts.spawn(spec("ops-1")).await.expect("starts again");
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_does_not_open_starts_nothing() {
    let mut runtime = (*Node::paused().await.runtime).clone();
    runtime.environments = std::sync::Arc::new(|_, agent| {
        Err(rungs_agent::EnvironmentError::Broken {
            environment: agent.to_string(),
            reason: "no such file".into(),
        })
    });
    let node = Node::start(runtime.into()).await;
    let error = node.hosts.spawn(spec("ops-1")).await.expect_err("does not open");
    assert_eq!(error.to_string(), "ops-1: no such file");
    assert!(node.hosts.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_full_of_agents_refuses_the_next() {
    let mut runtime = (*Node::paused().await.runtime).clone();
    runtime.max_agents = 2;
    let node = Node::start(runtime.into()).await;
    for name in ["a", "b"] {
        node.hosts.spawn(spec(name)).await.expect("room");
    }
    let error = node.hosts.spawn(spec("c")).await.expect_err("full");
    assert_eq!(error.to_string(), "the node hosts 2 agents; expected fewer than 2");
}

#[tokio::test(start_paused = true)]
async fn three_hundred_agents_have_two_hosts_and_all_cycle() {
    let node = Node::paused().await;
    for index in 0..300 {
        let name = format!("a{index}");
        node.hosts
            .spawn(AgentSpec {
                highest: Level::L45,
                ..spec(&name)
            })
            .await
            .expect("starts");
    }
    assert_eq!(node.hosts.view().snapshot().len(), 2);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(node.hosts.list().iter().all(|entry| entry.state == AgentState::Running));
    let slowest = node
        .hosts
        .list()
        .iter()
        .filter_map(|entry| node.hosts.get(&entry.agent))
        .map(|a| a.cycle())
        .min();
    assert!(slowest >= Some(19), "{slowest:?}");
    assert!(node.hosts.shutdown(Duration::from_secs(60)).await);
    assert!(
        node.runtime.endpoints.addresses().is_empty(),
        "{:?}",
        node.runtime.endpoints.addresses()
    );
}

#[tokio::test(start_paused = true)]
async fn the_audit_of_level_48_goes_on_where_it_was_when_the_agent_comes_back() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 200).await;
    let before = agent
        .qualification(Level::L48)
        .await
        .expect("answers")
        .expect("it has level 4.8");
    assert_eq!(
        (before.level, before.criteria.len(), before.qualified),
        (Level::L48, 14, false)
    );
    let accuracy = &before.criteria[0];
    assert!(
        accuracy.value.is_some() && accuracy.state.ends_with("of 3000)"),
        "{accuracy:?}"
    );
    node.hosts.stop(&id("ops-1")).await.expect("stops");
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts again");
    let seen = |state: &str| -> u32 {
        state["warming up (".len()..]
            .split(' ')
            .next()
            .map_or(0, |n| n.parse().expect("n"))
    };
    let after = agent
        .qualification(Level::L48)
        .await
        .expect("answers")
        .expect("it has level 4.8");
    let (before, after) = (seen(&before.criteria[0].state), seen(&after.criteria[0].state));
    assert!(before >= 150 && after >= before, "{before} {after}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_level_48_has_no_audit() {
    let node = Node::paused().await;
    let spec = AgentSpec {
        highest: Level::L45,
        ..spec("ops-1")
    };
    let agent = node.hosts.spawn(spec).await.expect("starts");
    cycle(&agent, 20).await;
    assert_eq!(agent.qualification(Level::L48).await.expect("answers"), None);
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_idle_when_nobody_has_spoken_to_it_and_no_goal_is_open() {
    let node = Node::paused().await;
    let rests = AgentSpec {
        rests_after_s: Some(3),
        highest: Level::L45,
        ..spec("rests")
    };
    let agent = node.hosts.spawn(rests).await.expect("starts");
    let always = node.hosts.spawn(spec("always")).await.expect("starts");
    let seconds = |seconds: f64| tokio::time::sleep(Duration::from_secs_f64(seconds));
    seconds(2.9).await;
    assert_eq!(node.hosts.idle(), []);
    agent.describe().await.expect("answers");
    seconds(2.9).await;
    assert_eq!(node.hosts.idle(), [], "it was spoken to");
    seconds(0.2).await;
    assert_eq!(node.hosts.idle(), [id("rests")], "the other one runs always");
    let goal = r#"{"spec":{"goal":"wait","intent":"wait","tasks":[{"name":"wait","does":"clear_incident",
        "when":[{"of":{"dimension":0},"is":"above","value":1000.0}]}],
        "success":{"all":[{"of":{"dimension":0},"is":"above","value":1000.0}]}}}"#;
    call(&node, "rests#kernel", "goal.submit", goal).await.expect("answers");
    seconds(60.0).await;
    assert_eq!(node.hosts.idle(), [], "it has something to do");
    call(&node, "rests#kernel", "goal.cancel", r#"{"goal":"wait"}"#)
        .await
        .expect("answers");
    seconds(3.1).await;
    assert_eq!(node.hosts.idle(), [id("rests")]);
    node.hosts.stop(&id("rests")).await.expect("stops");
    assert_eq!(node.hosts.idle(), [], "it does not run");
    drop(always);
}
