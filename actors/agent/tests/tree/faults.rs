//! Failures of the actors below and beside Level 4.8: the tree heals, and nobody else notices.

use crate::support::{Node, cycle, id, inject, spec, until};
use rungs_agent::AgentHandle;
use rungs_agent::messages::AgentState;
use rungs_host::faults::Fault;
use rungs_types::{Authority, Cause, EventKind, Level};
use std::time::Duration;

async fn two(node: &Node) -> [AgentHandle; 2] {
    let mut agents = Vec::new();
    for name in ["ops-1", "ops-2"] {
        let agent = node.hosts.spawn(spec(name)).await.expect("starts");
        cycle(&agent, 60).await;
        agents.push(agent);
    }
    agents.try_into().expect("two")
}

fn restarted(wanted: &'static str) -> impl Fn(&EventKind) -> bool {
    move |kind| matches!(kind, EventKind::Restarted { role, .. } if role.as_str() == wanted)
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_every_actor_in_turn_heals_and_leaves_the_other_agent_alone() {
    for (role, healed_as) in [
        ("guard", "guard"),
        ("l45", "l45"),
        ("l48", "l48"),
        ("l48/observe", "l48/observe"),
        ("l48/introspect", "l48/introspect"),
        ("l48/plan", "l48/plan"),
        ("l48/verify", "l48/verify"),
        ("l48/emit", "l48/emit"),
        ("kernel", "agent"),
        ("", "agent"),
    ] {
        let node = Node::paused().await;
        let [agent, other] = two(&node).await;
        let mut events = agent.events();
        let mut others = other.events();
        let address = if role.is_empty() {
            "ops-1".to_owned()
        } else {
            format!("ops-1#{role}")
        };
        inject(&node, &address, Fault::Panic);
        if role.is_empty() {
            // The root hears of its fault with its next message.
            assert!(agent.describe().await.is_err());
        }
        until(&mut events, restarted(healed_as)).await;
        let (at, other_at) = (agent.cycle(), other.cycle());
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(agent.cycle() >= at + 195, "{role}: {} after {at}", agent.cycle());
        assert_eq!(other.cycle() - other_at, 200, "{role}");
        assert!(
            agent.authorities()[2] >= Authority::Shadow,
            "{role}: {:?}",
            agent.authorities()
        );
        assert_eq!(other.status().late_cycles, 0);
        let described = agent.describe().await.expect("answers");
        assert_eq!(described.actors.len(), 10, "{role}: {:?}", described.actors);
        // The other agent has told nothing but its state.
        while let Ok(Some(watched)) = tokio::time::timeout(Duration::ZERO, others.next()).await {
            let rungs_host::Watched::Event(event) = watched else {
                panic!("{watched:?}")
            };
            assert!(matches!(event.kind, EventKind::Status(_)), "{role}: {event:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_floor_freezes_what_stands_on_it_and_has_its_authority_back_when_it_runs() {
    let node = Node::paused().await;
    let [agent, _] = two(&node).await;
    let mut events = agent.events();
    inject(&node, "ops-1#l45", Fault::Panic);
    let event = until(&mut events, |kind| matches!(kind, EventKind::Frozen { .. })).await;
    assert!(matches!(
        &event.kind,
        EventKind::Frozen {
            level: Level::L45,
            cause: Cause::Panic { .. },
            ..
        }
    ));
    let back = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::Authority {
                level: Level::L45,
                to: Authority::Full,
                ..
            }
        )
    };
    until(&mut events, back).await;
    let shadow = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::Authority {
                level: Level::L48,
                to: Authority::Shadow,
                ..
            }
        )
    };
    until(&mut events, shadow).await;
    assert_eq!(agent.status().late_cycles, 0);
}

#[tokio::test(start_paused = true)]
async fn a_floor_or_a_kernel_that_stalls_is_found_and_started_again() {
    for (role, healed_as, words) in [
        ("l45", "l45", "l45 missed its deadline of 250 ms"),
        ("kernel", "agent", "kernel panicked: no cycle within 2000 ms"),
    ] {
        let node = Node::paused().await;
        let [agent, other] = two(&node).await;
        let mut events = agent.events();
        inject(&node, &format!("ops-1#{role}"), Fault::StallAwait);
        let event = until(&mut events, restarted(healed_as)).await;
        let EventKind::Restarted { cause, .. } = &event.kind else {
            panic!("{event:?}")
        };
        assert_eq!(cause.to_string(), words);
        let at = agent.cycle();
        cycle(&agent, at + 100).await;
        assert_eq!(other.status().late_cycles, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_misses_three_heartbeats_counts_as_critical() {
    let node = Node::paused().await;
    let [agent, _] = two(&node).await;
    let mut events = agent.events();
    inject(&node, "ops-1#guard", Fault::StallAwait);
    let event = until(&mut events, |kind| matches!(kind, EventKind::Frozen { .. })).await;
    let EventKind::Frozen {
        level: Level::L48,
        cause: Cause::Guard { metric },
        ..
    } = &event.kind
    else {
        panic!("{event:?}");
    };
    assert_eq!(metric, "3 heartbeats missed");
    assert_eq!(agent.status().late_cycles, 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_floor_gets_merged_reports_and_the_kernel_never_waits() {
    let node = Node::paused().await;
    let [agent, _] = two(&node).await;
    // 1.5 s a report: a report comes each second.
    inject(&node, "ops-1#l45", Fault::DelayMs(1_500));
    node.runtime.faults.clear(&"ops-1#l45".parse().expect("an address"));
    inject(&node, "ops-1#l48/emit", Fault::DelayMs(200));
    let at = agent.cycle();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(agent.cycle() - at, 300);
    assert_eq!(agent.status().late_cycles, 0);
}

#[tokio::test(start_paused = true)]
async fn the_fifth_failure_within_a_minute_parks_the_agent_until_an_operator_starts_it() {
    let node = Node::paused().await;
    let [agent, other] = two(&node).await;
    let mut events = agent.events();
    for failure in 1..=5 {
        inject(&node, "ops-1#kernel", Fault::Panic);
        if failure < 5 {
            until(&mut events, restarted("agent")).await;
        }
    }
    until(&mut events, |kind| matches!(kind, EventKind::Parked { .. })).await;
    until(&mut events, |kind| {
        matches!(kind, EventKind::Incident { raised: true, .. })
    })
    .await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(agent.entry().state, AgentState::Parked);
    assert_eq!(
        agent.describe().await.expect_err("rests").to_string(),
        "agent ops-1 is parked; start it first"
    );
    assert!(
        node.hosts.unpark(&id("ops-2")).await.is_err(),
        "the other is not parked"
    );
    let at = agent.cycle();
    assert_eq!(
        node.hosts.unpark(&id("ops-1")).await.expect("starts").state,
        AgentState::Running
    );
    cycle(&agent, at + 100).await;
    assert_eq!(agent.authorities()[1], Authority::Full);
    let shadow = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::Authority {
                level: Level::L48,
                to: Authority::Shadow,
                ..
            }
        )
    };
    until(&mut events, shadow).await;
    assert_eq!(other.status().late_cycles, 0);
}

#[tokio::test(start_paused = true)]
async fn a_parked_agent_can_be_stopped_and_its_name_used_again() {
    let node = Node::paused().await;
    let [agent, _] = two(&node).await;
    let mut events = agent.events();
    for failure in 1..=5 {
        inject(&node, "ops-1#kernel", Fault::Panic);
        if failure < 5 {
            until(&mut events, restarted("agent")).await;
        }
    }
    until(&mut events, |kind| matches!(kind, EventKind::Parked { .. })).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    node.hosts.stop(&id("ops-1")).await.expect("stops");
    node.hosts.spawn(spec("ops-1")).await.expect("starts");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_is_started_again_with_its_agents() {
    let node = Node::paused().await;
    let [agent, other] = two(&node).await;
    let mut events = agent.events();
    inject(&node, "@n1/agents/0", Fault::Panic);
    // The host hears of its fault with its next message.
    node.hosts.spawn(spec("ops-3")).await.expect_err("lost with its host");
    until(&mut events, restarted("agent")).await;
    for agent in [&agent, &other] {
        let at = agent.cycle();
        cycle(agent, at + 50).await;
    }
}
