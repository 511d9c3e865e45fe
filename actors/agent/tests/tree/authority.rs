//! Authority: no level above the one below it, and what an operator may order.

use crate::support::{Node, cycle, spec};
use rungs_types::{Authority, Level};

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
