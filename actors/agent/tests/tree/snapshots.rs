//! Snapshots: an agent goes on where it was, and after an end that was not in order with less authority.

use crate::support::{Node, World, cycle, id, later, memory, paused_runtime, spec, until};
use rungs_agent::{Command, Description, Environment, EnvironmentError, Observed};
use rungs_store::{Follower, MemorySnapshots, SnapshotMeta, SnapshotStore, Snapshots, Stamp};
use rungs_types::{AgentId, AgentSpec, Authority, Cause, Epoch, EventKind, Level};
use std::sync::Arc;
use std::time::Duration;

/// Runs a life of a node in a runtime of its own; the runtime ends as a killed process does, without any farewell.
fn life<T>(snapshots: &Snapshots, live: impl AsyncFnOnce(Node) -> T) -> T {
    life_in(&|name| Box::new(World::new(name)), snapshots, live)
}

/// The same in an environment of this seed.
fn life_in<T>(
    environment: &'static (dyn Fn(u64) -> Box<dyn Environment> + Sync),
    snapshots: &Snapshots,
    live: impl AsyncFnOnce(Node) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let snapshots = snapshots.clone();
    let lived = runtime.block_on(async {
        let mut parts = paused_runtime(snapshots);
        let own = Arc::get_mut(&mut parts).expect("nobody has it yet");
        own.environments = Arc::new(move |_, agent| Ok(environment(agent.name.as_str().len() as u64)));
        live(Node::start(parts).await).await
    });
    runtime.shutdown_background();
    lived
}

/// The first group of the test world alone.
struct Half {
    world: World,
    description: Description,
}

impl Half {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let mut description = world.describe().clone();
        description.dimensions.truncate(2);
        description.groups.truncate(1);
        Self { world, description }
    }
}

impl Environment for Half {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn observe(&mut self, since: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        let mut whole = vec![f64::NAN; self.world.describe().dimensions.len()];
        let observed = self.world.observe(since, &mut whole)?;
        row.copy_from_slice(&whole[..row.len()]);
        Ok(observed)
    }

    fn act(&mut self, command: Command) -> Result<(), EnvironmentError> {
        self.world.act(command)
    }
}

#[test]
fn an_agent_stopped_in_order_goes_on_at_its_cycle_with_its_authority() {
    let store = memory();
    let stopped_at = life(&store, async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        cycle(&agent, 137).await;
        agent
            .authority(Level::L48, Authority::Half, "ada")
            .await
            .expect("accepted");
        node.hosts.stop(&id("ops-1")).await.expect("stops");
        agent.cycle()
    });
    life(&store, async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        assert_eq!((agent.cycle(), agent.status().cycles), (stopped_at, stopped_at));
        assert_eq!(agent.authorities()[2], Authority::Half);
        let mut events = agent.events();
        cycle(&agent, stopped_at + 100).await;
        assert_eq!(agent.status().late_cycles, 0);
        assert_eq!(agent.authorities()[2], Authority::Half);
        let first = until(&mut events, |_| true).await;
        assert!(first.seq > 1, "numbers go on");
    });
}

#[test]
fn an_agent_whose_process_died_goes_on_from_the_last_snapshot_with_its_level_demoted() {
    let store = memory();
    let died_at = life(&store, async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        cycle(&agent, 137).await;
        agent
            .authority(Level::L48, Authority::Full, "ada")
            .await
            .expect("accepted");
        cycle(&agent, 190).await;
        agent.cycle()
    });
    life(&store, async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        let at = agent.cycle();
        assert!(
            at >= died_at - 60 && at <= died_at,
            "at most 5 s are lost: {at} of {died_at}"
        );
        assert_eq!(agent.authorities()[2], Authority::Frozen, "demoted again");
        let mut events = agent.events();
        let risen = until(&mut events, |kind| {
            matches!(kind, EventKind::Authority { level: Level::L48, .. })
        })
        .await;
        let EventKind::Authority { to, reason, .. } = &risen.kind else {
            panic!("{risen:?}")
        };
        assert_eq!((*to, reason.as_str()), (Authority::Advisory, "recovery"));
    });
}

#[test]
fn a_demotion_outlives_a_process_that_dies_right_after_it() {
    let store = memory();
    life(&store, async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        cycle(&agent, 60).await;
        agent
            .authority(Level::L48, Authority::Full, "ada")
            .await
            .expect("accepted");
        // In force, and not persisted: nothing ran since.
        agent.freeze(Level::L48, "ada").expect("accepted");
    });
    life(&store, async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        assert_eq!(agent.authorities()[2], Authority::Frozen);
    });
}

#[test]
fn a_suspension_outlives_the_process() {
    let store = memory();
    life(&store, async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        cycle(&agent, 60).await;
        agent
            .authority(Level::L48, Authority::Full, "ada")
            .await
            .expect("accepted");
        let mut events = agent.events();
        for _ in 0..4 {
            let fault = rungs_host::faults::Fault::Panic;
            node.runtime
                .faults
                .inject("ops-1#l48/emit".parse().expect("an address"), fault)
                .expect("allowed");
            until(&mut events, |kind| matches!(kind, EventKind::Frozen { .. })).await;
            let next = |kind: &EventKind| {
                let risen = matches!(
                    kind,
                    EventKind::Authority {
                        to: Authority::Advisory,
                        ..
                    }
                );
                risen || matches!(kind, EventKind::Suspended { .. })
            };
            until(&mut events, next).await;
        }
        later(Duration::from_secs(1)).await;
    });
    life(&store, async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        later(Duration::from_secs(60)).await;
        assert_eq!(agent.authorities()[2], Authority::Frozen);
        assert!(
            agent
                .describe()
                .await
                .expect("answers")
                .status
                .waiting_for
                .contains("suspended")
        );
    });
}

#[test]
fn a_snapshot_that_cannot_be_read_is_told_of_and_the_agent_starts_anew() {
    let store = MemorySnapshots::new();
    store.put(&id("ops-1"), 1, b"not a record").expect("kept");
    life(&Snapshots::new(store), async |node| {
        let mut hub = node.runtime.events.subscribe();
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        assert_eq!(agent.cycle(), 0);
        let event = hub.recv().await.expect("told");
        let EventKind::Warning { summary } = &event.kind else {
            panic!("{event:?}")
        };
        assert!(summary.contains("does not decode"), "{summary}");
        cycle(&agent, 50).await;
    });
}

/// Knows of a later snapshot than there is.
struct Lost;

impl Follower for Lost {
    fn epoch(&self, _: &AgentId) -> Epoch {
        Epoch(9)
    }

    fn written(&self, _: &AgentId, _: SnapshotMeta, _: usize) {}

    fn missing(&self, _: &AgentId) -> Option<Stamp> {
        let (epoch, sequence) = (Epoch(1), 7);
        Some(Stamp { epoch, sequence })
    }
}

#[test]
fn an_agent_tells_that_a_later_snapshot_was_known_and_which_it_uses() {
    let store = memory().followed(Arc::new(Lost));
    for used in ["the agent starts anew", "snapshot 1 of e2 is used"] {
        life(&store, async |node| {
            let mut hub = node.runtime.events.subscribe();
            node.hosts.spawn_in(spec("ops-1"), Epoch(2)).await.expect("starts");
            let event = hub.recv().await.expect("told");
            let EventKind::Warning { summary } = &event.kind else {
                panic!("{event:?}")
            };
            let expected = format!("snapshot 7 of e1 is known, but no node that had it answers; {used}");
            assert_eq!(*summary, expected);
            node.hosts.stop(&id("ops-1")).await.expect("stops");
        });
    }
}

#[test]
fn a_snapshot_of_another_environment_is_not_taken_for_this_one() {
    let store = memory();
    life(&store, async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        cycle(&agent, 60).await;
        node.hosts.stop(&id("ops-1")).await.expect("stops");
    });
    // The same name in another tenant has a record of its own.
    life(&store, async |node| {
        let agent = node.hosts.spawn(spec("acme/ops-1")).await.expect("starts");
        assert_eq!(agent.cycle(), 0);
    });
}

#[test]
fn after_a_kernel_failure_the_agent_goes_on_from_its_last_snapshot() {
    life(&memory(), async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        cycle(&agent, 200).await;
        let mut events = agent.events();
        let fault = rungs_host::faults::Fault::Panic;
        node.runtime
            .faults
            .inject("ops-1#kernel".parse().expect("an address"), fault)
            .expect("allowed");
        let event = until(&mut events, |kind| matches!(kind, EventKind::Restarted { .. })).await;
        assert!(event.cycle >= 140 && event.cycle <= 201, "{event:?}");
        let EventKind::Restarted {
            role,
            generation,
            cause,
        } = &event.kind
        else {
            panic!("{event:?}")
        };
        assert_eq!((role.as_str(), *generation), ("agent", 2));
        assert!(matches!(cause, Cause::Panic { role, .. } if role.as_str() == "kernel"));
    });
}

#[test]
fn a_level_that_begins_anew_does_not_have_the_authority_of_the_one_before() {
    let store = memory();
    let highest = |highest| AgentSpec {
        highest,
        ..spec("ops-1")
    };
    life(&store, async |node| {
        let agent = node.hosts.spawn(highest(Level::L49)).await.expect("starts");
        cycle(&agent, 60).await;
        for level in [Level::L48, Level::L49] {
            agent.authority(level, Authority::Full, "ada").await.expect("accepted");
        }
        cycle(&agent, 120).await;
        node.hosts.stop(&id("ops-1")).await.expect("stops");
    });
    // The same agent sees only half of it: its kernel and its levels begin anew, its ladder goes on.
    life_in(&|seed| Box::new(Half::new(seed)), &store, async |node| {
        let mut hub = node.runtime.events.subscribe();
        let agent = node.hosts.spawn(highest(Level::L49)).await.expect("starts");
        assert_eq!(agent.authorities()[2..4], [Authority::Frozen; 2]);
        let mut told = String::new();
        while !told.contains("begins anew") {
            let event = hub.recv().await.expect("told");
            if let EventKind::Frozen { level, cause, .. } = &event.kind {
                assert_eq!(*level, Level::L48);
                told = cause.to_string();
            }
        }
        for at in (10..=1_000).step_by(10) {
            cycle(&agent, at).await;
            assert!(agent.authorities()[2] <= Authority::Shadow, "cycle {at}");
        }
        assert_eq!(agent.authorities()[2], Authority::Shadow, "it is on its way up");
    });
}

#[test]
fn a_level_that_an_agent_gets_later_can_be_frozen() {
    let store = memory();
    life(&store, async |node| {
        let agent = node.hosts.spawn(spec("ops-1")).await.expect("starts");
        cycle(&agent, 60).await;
        node.hosts.stop(&id("ops-1")).await.expect("stops");
    });
    life(&store, async |node| {
        let higher = AgentSpec {
            highest: Level::L49,
            ..spec("ops-1")
        };
        let agent = node.hosts.spawn(higher).await.expect("starts");
        cycle(&agent, 100).await;
        assert_eq!(agent.authorities()[2..4], [Authority::Shadow; 2]);
        agent.freeze(Level::L49, "ada").expect("it has this level");
        assert_eq!(agent.authorities()[2..4], [Authority::Shadow, Authority::Frozen]);
    });
}
