//! Phases that spin: real threads in real time, because nothing but a thread of its own contains a spin.

use crate::support::{Node, cycle, frozen, inject, spec, threaded_runtime, until};
use rungs_agent::AgentHandle;
use rungs_host::faults::Fault;
use rungs_types::{AgentSpec, Authority, Cause, EventKind, Level};

/// Real threads and real time: two agents' phases spin at once on a pool of two threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phases_that_spin_freeze_their_levels_and_every_kernel_goes_on() {
    let node = Node::start(threaded_runtime(2)).await;
    let mut agents = Vec::new();
    for name in ["a", "b", "c"] {
        let agent = node
            .hosts
            .spawn(AgentSpec {
                rate_hz: 50.0,
                ..spec(name)
            })
            .await
            .expect("starts");
        cycle(&agent, 20).await;
        agent
            .authority(Level::L48, Authority::Full, "ada")
            .await
            .expect("accepted");
        agents.push(agent);
    }
    let mut events: Vec<_> = agents[..2].iter().map(AgentHandle::events).collect();
    for name in ["a", "b"] {
        inject(&node, &format!("{name}#l48/observe"), Fault::StallSpin);
    }
    for stream in &mut events {
        let event = until(stream, frozen).await;
        let EventKind::Frozen {
            cause: Cause::MissedDeadline { role, .. },
            ..
        } = &event.kind
        else {
            panic!("{event:?}");
        };
        assert_eq!(role.as_str(), "l48/observe");
    }
    let before: Vec<_> = agents.iter().map(AgentHandle::cycle).collect();
    for (agent, before) in agents.iter().zip(before) {
        cycle(agent, before + 50).await;
    }
    assert_eq!(
        agents[2].authorities()[2],
        Authority::Full,
        "the third agent's phases found threads"
    );
    assert_eq!(node.runtime.compute.stats().abandoned_ever, 2);
    for name in ["a", "b"] {
        node.runtime
            .faults
            .clear(&format!("{name}#l48/observe").parse().expect("an address"));
    }
}
