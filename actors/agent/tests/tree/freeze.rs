//! Freeze and revert: causes, what goes on below, and how authority returns.

use crate::support::{Node, at_full, cycle, frozen, inject, until};
use rungs_host::faults::Fault;
use rungs_types::{Authority, Cause, EventKind, Level};
use std::time::Duration;

/// Injects a fault and gives the cause of the freeze that follows; checks that L3 misses no cycle over it.
async fn freeze_by(fault: Fault, role: &str) -> Cause {
    let node = Node::paused().await;
    let agent = at_full(&node, "ops-1").await;
    cycle(&agent, 100).await;
    let mut events = agent.events();
    inject(&node, &format!("ops-1#{role}"), fault);
    let event = until(&mut events, frozen).await;
    assert_eq!(agent.authorities()[2], Authority::Frozen);
    // A little more than 100 periods, so that no cycle falls on either end.
    let at = agent.cycle();
    tokio::time::sleep(Duration::from_millis(10_020)).await;
    assert_eq!(agent.cycle() - at, 100);
    assert_eq!(agent.status().late_cycles, 0);
    match &event.kind {
        EventKind::Frozen {
            level: Level::L48,
            cause,
            ..
        } => cause.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_any_phase_freezes_the_level_and_no_cycle_is_missed() {
    for role in ["l48/observe", "l48/introspect", "l48/plan", "l48/verify", "l48/emit"] {
        let cause = freeze_by(Fault::Panic, role).await;
        assert_eq!(cause.to_string(), format!("{role} panicked: injected fault"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_phase_that_stalls_at_an_await_misses_its_deadline() {
    for role in ["l48/observe", "l48/introspect", "l48/plan", "l48/verify", "l48/emit"] {
        let cause = freeze_by(Fault::StallAwait, role).await;
        assert_eq!(cause.to_string(), format!("{role} missed its deadline of 250 ms"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_baton_that_is_lost_on_the_way_is_a_missed_deadline() {
    let cause = freeze_by(Fault::Drop(1), "l48/verify").await;
    assert_eq!(cause.to_string(), "l48/verify missed its deadline of 250 ms");
}

#[tokio::test(start_paused = true)]
async fn a_delay_longer_than_the_deadline_freezes_and_a_shorter_one_does_not() {
    let cause = freeze_by(Fault::DelayMs(400), "l48/emit").await;
    assert_eq!(cause.to_string(), "l48/emit missed its deadline of 250 ms");
    let node = Node::paused().await;
    let agent = at_full(&node, "ops-1").await;
    inject(&node, "ops-1#l48/emit", Fault::DelayMs(100));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(agent.authorities()[2], Authority::Full);
}

#[tokio::test(start_paused = true)]
async fn a_failed_supervisor_of_the_level_freezes_it_and_is_started_again() {
    let cause = freeze_by(Fault::Panic, "l48").await;
    assert_eq!(cause.to_string(), "l48 panicked: injected fault");
}

#[tokio::test(start_paused = true)]
async fn an_operator_freezes_at_once_and_thaws_into_the_levels_own_protocol() {
    let node = Node::paused().await;
    let agent = at_full(&node, "ops-1").await;
    let mut events = agent.events();
    let epoch = agent.describe().await.expect("answers").levels[2].standing.epoch;
    let standing = agent.freeze(Level::L48, "ada").expect("accepted");
    assert_eq!((standing.authority, standing.epoch), (Authority::Frozen, epoch.next()));
    let event = until(&mut events, frozen).await;
    assert!(matches!(&event.kind, EventKind::Frozen { cause: Cause::Operator { who }, .. } if who == "ada"));
    // Held: no recovery however clean the floor is.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(agent.authorities()[2], Authority::Frozen);
    let roles = agent.describe().await.expect("answers").actors;
    assert!(
        roles.iter().all(|actor| !actor.role.starts_with("l48/")),
        "no phase runs while it is frozen: {roles:?}"
    );
    agent.thaw(Level::L48, "ada").await.expect("accepted");
    let thawed = agent.cycle();
    let mut rises = Vec::new();
    while rises.len() < 3 {
        let event = until(&mut events, |kind| {
            matches!(kind, EventKind::Authority { level: Level::L48, .. })
        })
        .await;
        if let EventKind::Authority { to, reason, .. } = &event.kind
            && *to > Authority::Frozen
        {
            assert_eq!(reason, "recovery");
            rises.push((*to, event.cycle));
        }
    }
    let [advisory, half, full] = [rises[0], rises[1], rises[2]];
    assert_eq!(
        [advisory.0, half.0, full.0],
        [Authority::Advisory, Authority::Half, Authority::Full]
    );
    assert!(
        (50..=70).contains(&(advisory.1 - thawed)),
        "five clean checks: {rises:?} after {thawed}"
    );
    assert_eq!([half.1 - advisory.1, full.1 - half.1], [100, 100]);
}

#[tokio::test(start_paused = true)]
async fn a_level_that_freezes_four_times_for_one_reason_is_suspended_until_cleared() {
    let node = Node::paused().await;
    let agent = at_full(&node, "ops-1").await;
    let mut events = agent.events();
    for round in 1..=4 {
        inject(&node, "ops-1#l48/verify", Fault::Panic);
        until(&mut events, frozen).await;
        if round < 4 {
            let risen = |kind: &EventKind| {
                matches!(
                    kind,
                    EventKind::Authority {
                        level: Level::L48,
                        to: Authority::Advisory,
                        ..
                    }
                )
            };
            until(&mut events, risen).await;
        }
    }
    let suspended = |kind: &EventKind| matches!(kind, EventKind::Suspended { level: Level::L48, .. });
    until(&mut events, suspended).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(agent.authorities()[2], Authority::Frozen);
    assert!(
        agent.thaw(Level::L48, "ada").await.is_err(),
        "a suspension is cleared, not thawed"
    );
    agent.clear(Level::L48, "ada").await.expect("accepted");
    until(&mut events, |kind| {
        matches!(
            kind,
            EventKind::Authority {
                to: Authority::Advisory,
                ..
            }
        )
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_phase_that_failed_is_told_of_when_it_starts_again() {
    let node = Node::paused().await;
    let agent = at_full(&node, "ops-1").await;
    let mut events = agent.events();
    inject(&node, "ops-1#l48/verify", Fault::Panic);
    let event = until(&mut events, |kind| matches!(kind, EventKind::Restarted { .. })).await;
    let EventKind::Restarted {
        role,
        generation,
        cause,
    } = &event.kind
    else {
        panic!("{event:?}");
    };
    assert_eq!((role.as_str(), *generation), ("l48/verify", 2));
    assert!(matches!(cause, Cause::Panic { .. }));
}

#[tokio::test(start_paused = true)]
async fn numbers_of_events_have_no_gap() {
    let node = Node::paused().await;
    let agent = at_full(&node, "ops-1").await;
    let mut events = agent.events();
    inject(&node, "ops-1#l48/emit", Fault::Panic);
    let mut last = None;
    for _ in 0..20 {
        let event = until(&mut events, |_| true).await;
        assert!(
            last.is_none_or(|last| event.seq == last + 1),
            "{} after {last:?}",
            event.seq
        );
        last = Some(event.seq);
    }
}
