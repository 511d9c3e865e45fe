//! Authority: no level above the one below it, and what an operator may order.

use crate::support::{Node, cycle, spec, until};
use rungs_types::{Authority, EventKind, Level};

#[tokio::test(start_paused = true)]
async fn a_level_never_has_more_authority_than_the_level_below() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 20).await;
    for floor in [Authority::Half, Authority::Advisory, Authority::Shadow] {
        agent.authority(Level::L45, floor, "ada").await.expect("accepted");
        for wanted in [Authority::Shadow, Authority::Advisory, Authority::Half, Authority::Full] {
            let standing = agent.authority(Level::L48, wanted, "ada").await.expect("accepted");
            assert_eq!(standing.authority, wanted.min(floor));
            assert!(agent.authorities().is_sorted_by(|below, above| above <= below));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn l3_cannot_be_frozen_or_given_another_authority() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    let error = agent.freeze(Level::L3, "ada").expect_err("L3");
    assert_eq!(error.to_string(), "L3 is always on; expected L4.5 or above");
    assert!(agent.authority(Level::L3, Authority::Shadow, "ada").await.is_err());
    assert_eq!(agent.authorities()[0], Authority::Full);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_floor_leaves_l3_cycling_and_everything_above_frozen() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    cycle(&agent, 20).await;
    agent.freeze(Level::L45, "ada").expect("accepted");
    let (full, frozen) = (Authority::Full, Authority::Frozen);
    assert_eq!(agent.authorities(), [full, frozen, frozen, frozen, frozen]);
    cycle(&agent, 200).await;
    assert_eq!(agent.status().late_cycles, 0);
    let standing = agent.thaw(Level::L45, "ada").await.expect("accepted");
    assert_eq!(standing.authority, Authority::Full);
}

#[tokio::test(start_paused = true)]
async fn an_operator_has_the_identity_measured_by_a_new_reference() {
    let node = Node::paused().await;
    let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
    while agent.status().iis.is_none() {
        cycle(&agent, agent.cycle() + 10).await;
        assert!(agent.cycle() < 5_000, "a calm agent has a reference by then");
    }
    let mut events = agent.events();
    let standing = agent.reset_identity(" ada ").await.expect("accepted");
    assert_eq!((standing.level, standing.authority), (Level::L45, Authority::Full));
    let told = until(&mut events, |kind| matches!(kind, EventKind::IdentityReset { .. })).await;
    assert_eq!(told.kind, EventKind::IdentityReset { who: "ada".into() });
    let reset = agent.cycle();
    cycle(&agent, reset + 30).await;
    assert_eq!(agent.status().iis, None, "it warms up again");
    while agent.status().iis.is_none() {
        cycle(&agent, agent.cycle() + 10).await;
        assert!(agent.cycle() < reset + 2_000, "and has another one");
    }
    // Of 200 converged cycles, some of which were on their way when it was reset.
    assert!(agent.cycle() >= reset + 180, "{}", agent.cycle());
}
