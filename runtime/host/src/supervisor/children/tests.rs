//! Real actors under a real supervisor, in paused time. Also the faults of ractor that this module works around.

use super::super::actor::{SupervisorHandle, SupervisorSpec};
use super::super::child::DEFAULT_STOP_WITHIN;
use super::super::policy::Restart;
use super::*;
use crate::delivered::{AskError, Delivered, Handle};
use crate::mailbox::Mailbox;
use crate::wire::Reply;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

const ASK: Duration = Duration::from_secs(60);
const MS: Duration = Duration::from_millis(1);

type Log = Arc<Mutex<Vec<String>>>;

fn role(text: &str) -> RolePath {
    RolePath::new(text).expect("a role")
}

fn lines(log: &Log) -> Vec<String> {
    log.lock().expect("not poisoned").clone()
}

fn note(log: &Log, line: String) {
    log.lock().expect("not poisoned").push(line);
}

/// An actor that writes down its life.
struct Probe {
    name: RolePath,
    log: Log,
    // How long its post_stop takes.
    lingers: Duration,
}

enum ProbeMessage {
    Ping(Reply<u32>),
    Work(u32),
    Panic,
    Fail,
    Hang,
    Spin(Arc<AtomicBool>),
}

impl Actor for Probe {
    type Msg = Delivered<ProbeMessage>;
    type State = u32;
    type Arguments = u32;

    async fn pre_start(&self, _: ActorRef<Self::Msg>, generation: u32) -> Result<u32, ActorProcessingErr> {
        note(&self.log, format!("{} starts {generation}", self.name));
        Ok(generation)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        generation: &mut u32,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            ProbeMessage::Ping(reply) => reply.send(Ok(*generation)),
            ProbeMessage::Work(number) => note(&self.log, format!("{} works {number}", self.name)),
            ProbeMessage::Panic => panic!("told to"),
            ProbeMessage::Fail => return Err("told to fail".into()),
            ProbeMessage::Hang => std::future::pending().await,
            ProbeMessage::Spin(released) => {
                while !released.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, _: &mut u32) -> Result<(), ActorProcessingErr> {
        tokio::time::sleep(self.lingers).await;
        note(&self.log, format!("{} stopped", self.name));
        Ok(())
    }
}

/// Everything that a test needs of a family of probes.
struct Family {
    log: Log,
    changes: Arc<Mutex<Vec<Change>>>,
    handles: Arc<Mutex<BTreeMap<RolePath, Handle<ProbeMessage>>>>,
}

impl Family {
    fn new() -> Self {
        Self {
            log: Log::default(),
            changes: Arc::default(),
            handles: Arc::default(),
        }
    }

    fn child(&self, name: &str, restart: Restart) -> ChildSpec {
        self.lingering(name, restart, Duration::ZERO)
    }

    fn lingering(&self, name: &str, restart: Restart, lingers: Duration) -> ChildSpec {
        let (log, handles) = (Arc::clone(&self.log), Arc::clone(&self.handles));
        ChildSpec::new(role(name), restart, move |context: StartContext| {
            let (log, handles) = (Arc::clone(&log), Arc::clone(&handles));
            async move {
                let probe = Probe {
                    name: context.role.clone(),
                    log,
                    lingers,
                };
                let (actor, _) = Actor::spawn_linked(None, probe, context.generation, context.supervisor).await?;
                let handle = Handle::new(actor, Mailbox::default());
                let started = Started::from(&handle);
                handles.lock().expect("not poisoned").insert(context.role, handle);
                Ok(started)
            }
        })
    }

    async fn supervisor(&self, policy: Policy, children: Vec<ChildSpec>) -> SupervisorHandle {
        let changes = Arc::clone(&self.changes);
        let spec = SupervisorSpec {
            policy,
            seed: 1,
            timers: Timers::start(),
            children,
            observer: Some(Arc::new(move |change| {
                changes.lock().expect("not poisoned").push(change.clone());
            })),
        };
        SupervisorHandle::spawn(spec, None).await.expect("starts")
    }

    fn handle(&self, name: &str) -> Handle<ProbeMessage> {
        self.handles.lock().expect("not poisoned")[&role(name)].clone()
    }

    fn tell(&self, name: &str, message: ProbeMessage) {
        self.handle(name).tell(message).expect("alive");
    }

    /// The generation that answers.
    async fn ping(&self, name: &str) -> Result<u32, AskError> {
        self.handle(name).ask(ASK, ProbeMessage::Ping).await
    }

    fn last_change(&self) -> Option<Change> {
        self.changes.lock().expect("not poisoned").last().cloned()
    }
}

fn states(supervisor: &SupervisorHandle) -> Vec<(String, NodeState)> {
    let nodes = supervisor.view().snapshot();
    nodes.into_iter().map(|node| (node.role, node.state)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_an_error_are_healed_and_siblings_do_not_notice() {
    let family = Family::new();
    let children = ["a", "b"].map(|name| family.child(name, Restart::Permanent));
    let supervisor = family.supervisor(Policy::ONE_FOR_ONE, children.into()).await;
    family.tell("a", ProbeMessage::Panic);
    tokio::time::sleep(MS).await;
    assert_eq!(family.ping("a").await, Ok(2));
    let restarted = |generation, words: &str| {
        let cause = Exit::Failed(words.into());
        Some(Change::Restarted {
            role: role("a"),
            generation,
            cause,
        })
    };
    assert_eq!(family.last_change(), restarted(2, "told to"));
    family.tell("a", ProbeMessage::Fail);
    tokio::time::sleep(MS * 100).await;
    assert_eq!(family.ping("a").await, Ok(3));
    assert_eq!(family.last_change(), restarted(3, "told to fail"));
    assert_eq!(family.ping("b").await, Ok(1));
    let tree = supervisor.view().snapshot();
    assert_eq!((tree[0].generation, tree[0].restarts), (3, 2));
    assert_eq!((tree[1].generation, tree[1].restarts), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_killed_child_is_restarted_and_a_stopped_transient_one_is_forgotten() {
    let family = Family::new();
    let children = ["a", "b"].map(|name| family.child(name, Restart::Transient));
    let supervisor = family.supervisor(Policy::ONE_FOR_ONE, children.into()).await;
    family.handle("a").cell().kill();
    family.handle("b").cell().stop(Some("killed".into()));
    tokio::time::sleep(MS).await;
    assert_eq!(family.ping("a").await, Ok(2));
    assert_eq!(states(&supervisor), [("a".to_owned(), NodeState::Running)]);
}

#[tokio::test(start_paused = true)]
async fn a_back_off_is_waited_out_by_the_timer_while_the_supervisor_answers() {
    let family = Family::new();
    let policy = Policy {
        backoff_base_ms: 1000,
        ..Policy::ONE_FOR_ONE
    };
    let supervisor = family
        .supervisor(policy, vec![family.child("a", Restart::Permanent)])
        .await;
    for _ in 0..2 {
        family.tell("a", ProbeMessage::Panic);
        tokio::time::sleep(MS).await;
    }
    assert_eq!(states(&supervisor), [("a".to_owned(), NodeState::Waiting)]);
    supervisor
        .add(family.child("b", Restart::Permanent), MS)
        .await
        .expect("added at once");
    tokio::time::sleep(MS * 490).await;
    assert_eq!(lines(&family.log), ["a starts 1", "a starts 2", "b starts 1"]);
    tokio::time::sleep(MS * 520).await;
    assert_eq!(family.ping("a").await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_stops_drains_its_children_in_reverse_with_post_stop() {
    let family = Family::new();
    let children = ["a", "b", "c"].map(|name| family.lingering(name, Restart::Permanent, MS * 10));
    let supervisor = family.supervisor(Policy::ONE_FOR_ONE, children.into()).await;
    for number in 1..=2 {
        family.tell("b", ProbeMessage::Work(number));
    }
    supervisor.cell().stop(None);
    supervisor.cell().wait(Some(ASK)).await.expect("ends");
    let expected = ["b works 1", "b works 2", "c stopped", "b stopped", "a stopped"];
    assert_eq!(lines(&family.log)[3..], expected);
    assert_eq!(supervisor.view().snapshot(), []);
}

#[tokio::test(start_paused = true)]
async fn without_our_shutdown_ractor_kills_the_children_of_a_stopped_parent() {
    // The fault that the test above guards against: it must be looked at again when ractor changes.
    struct Plain;
    impl Actor for Plain {
        type Msg = Delivered<()>;
        type State = ();
        type Arguments = ();
        async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }
    let log = Log::default();
    let (parent, _) = Actor::spawn(None, Plain, ()).await.expect("starts");
    let probe = Probe {
        name: role("child"),
        log: Arc::clone(&log),
        lingers: Duration::ZERO,
    };
    let (child, _) = Actor::spawn_linked(None, probe, 1, parent.get_cell())
        .await
        .expect("starts");
    parent.stop(None);
    child.wait(Some(ASK)).await.expect("ends");
    assert_eq!(lines(&log), ["child starts 1"]);
    // And its default handler ends the parent with any child.
    let (parent, _) = Actor::spawn(None, Plain, ()).await.expect("starts");
    let (child, _) = Actor::spawn_linked(None, Plain, (), parent.get_cell())
        .await
        .expect("starts");
    child.stop(None);
    parent.wait(Some(ASK)).await.expect("ends");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_hangs_is_killed_after_its_deadline_and_the_others_still_drain() {
    let family = Family::new();
    let children = ["a", "b"].map(|name| family.child(name, Restart::Permanent));
    let supervisor = family.supervisor(Policy::ONE_FOR_ONE, children.into()).await;
    family.tell("b", ProbeMessage::Hang);
    let start = Instant::now();
    assert!(supervisor.shutdown(ASK).await);
    assert_eq!(start.elapsed().as_secs(), DEFAULT_STOP_WITHIN.as_secs());
    assert_eq!(lines(&family.log)[2..], ["a stopped"]);
}

#[tokio::test(start_paused = true)]
async fn the_overall_deadline_cuts_the_single_ones() {
    let family = Family::new();
    let policy = Policy {
        stop_within_ms: 7_000,
        ..Policy::ONE_FOR_ONE
    };
    let children = ["a", "b", "c", "d"].map(|name| family.child(name, Restart::Permanent));
    let supervisor = family.supervisor(policy, children.into()).await;
    for name in ["a", "b", "c", "d"] {
        family.tell(name, ProbeMessage::Hang);
    }
    let start = Instant::now();
    assert!(supervisor.shutdown(ASK).await);
    assert_eq!(start.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn children_of_a_host_stop_together() {
    let family = Family::new();
    let names = ["a", "b", "c", "d"];
    let children = names.map(|name| family.lingering(name, Restart::Permanent, MS * 1000));
    let supervisor = family.supervisor(Policy::HOST, children.into()).await;
    let start = Instant::now();
    assert!(supervisor.shutdown(ASK).await);
    assert!(start.elapsed() < MS * 1100, "{:?}", start.elapsed());
    assert_eq!(lines(&family.log).len(), 8);
}

#[tokio::test(start_paused = true)]
async fn rest_for_one_restarts_what_stands_on_the_failed_one() {
    let family = Family::new();
    let children = ["a", "b", "c"].map(|name| family.lingering(name, Restart::Permanent, MS * 10));
    let _supervisor = family.supervisor(Policy::REST_FOR_ONE, children.into()).await;
    family.tell("b", ProbeMessage::Panic);
    tokio::time::sleep(MS * 50).await;
    assert_eq!(lines(&family.log)[3..], ["c stopped", "b starts 2", "c starts 2"]);
    assert_eq!(family.ping("a").await, Ok(1));
    let cause = Exit::Clean;
    let restarted = Change::Restarted {
        role: role("c"),
        generation: 2,
        cause,
    };
    assert_eq!(family.last_change(), Some(restarted));
}

#[tokio::test(start_paused = true)]
async fn too_many_faults_drain_the_others_and_end_the_supervisor() {
    let family = Family::new();
    let policy = Policy {
        max_restarts: 1,
        ..Policy::ONE_FOR_ONE
    };
    let children = ["a", "b"].map(|name| family.child(name, Restart::Permanent));
    let supervisor = family.supervisor(policy, children.into()).await;
    for _ in 0..2 {
        family.tell("a", ProbeMessage::Panic);
        tokio::time::sleep(MS).await;
    }
    supervisor.cell().wait(Some(ASK)).await.expect("ends");
    assert_eq!(lines(&family.log)[2..], ["a starts 2", "b stopped"]);
}

#[tokio::test(start_paused = true)]
async fn an_escalation_restarts_the_whole_subtree_one_level_up() {
    let family = Arc::new(Family::new());
    let timers = Timers::start();
    let inner = {
        let family = Arc::clone(&family);
        ChildSpec::new(role("inner"), Restart::Permanent, move |context: StartContext| {
            let spec = SupervisorSpec {
                policy: Policy {
                    max_restarts: 0,
                    ..Policy::ONE_FOR_ONE
                },
                seed: 2,
                timers: timers.clone(),
                children: ["a", "b"].map(|name| family.child(name, Restart::Permanent)).into(),
                observer: None,
            };
            async move { Ok(SupervisorHandle::spawn(spec, Some(context.supervisor)).await?.started()) }
        })
    };
    let root = family.supervisor(Policy::ONE_FOR_ONE, vec![inner]).await;
    family.tell("a", ProbeMessage::Panic);
    tokio::time::sleep(MS).await;
    assert_eq!(family.ping("a").await, Ok(1));
    assert_eq!(
        lines(&family.log),
        ["a starts 1", "b starts 1", "b stopped", "a starts 1", "b starts 1"]
    );
    let Some(Change::Restarted {
        generation: 2,
        cause: Exit::Failed(words),
        ..
    }) = family.last_change()
    else {
        panic!("{:?}", family.last_change());
    };
    assert_eq!(words, "a failed: told to after 0 restarts within 30000 ms");
    let tree = root.view().snapshot();
    let below: Vec<_> = tree[0].children.iter().map(|node| node.role.as_str()).collect();
    assert_eq!(below, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_parks_the_child_that_keeps_failing_and_keeps_the_others() {
    let family = Family::new();
    let policy = Policy {
        max_restarts: 1,
        ..Policy::HOST
    };
    let children = ["a", "b"].map(|name| family.child(name, Restart::Permanent));
    let supervisor = family.supervisor(policy, children.into()).await;
    for _ in 0..2 {
        family.tell("a", ProbeMessage::Panic);
        tokio::time::sleep(MS).await;
    }
    assert_eq!(states(&supervisor)[0], ("a".to_owned(), NodeState::Parked));
    assert_eq!(family.ping("b").await, Ok(1));
    supervisor
        .request(role("a"), Request::Start, ASK)
        .await
        .expect("starts");
    assert_eq!(family.ping("a").await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn a_stop_returns_when_the_child_has_stopped_and_a_start_brings_it_back() {
    let family = Family::new();
    let children = vec![family.lingering("a", Restart::Permanent, MS * 100)];
    let supervisor = family.supervisor(Policy::ONE_FOR_ONE, children).await;
    supervisor.request(role("a"), Request::Stop, ASK).await.expect("stops");
    assert_eq!(lines(&family.log), ["a starts 1", "a stopped"]);
    assert_eq!(states(&supervisor), [("a".to_owned(), NodeState::Idle)]);
    supervisor
        .request(role("a"), Request::Start, ASK)
        .await
        .expect("starts");
    assert_eq!(family.ping("a").await, Ok(2));
    assert_eq!(
        family.last_change(),
        Some(Change::Started {
            role: role("a"),
            generation: 2
        })
    );
    supervisor
        .request(role("a"), Request::Remove, ASK)
        .await
        .expect("stops");
    assert_eq!(states(&supervisor), []);
    let gone = supervisor
        .request(role("a"), Request::Start, ASK)
        .await
        .expect_err("gone");
    assert_eq!(gone.to_string(), "no child a");
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_or_hangs_is_tried_again() {
    let family = Family::new();
    let tries = Arc::new(Mutex::new(0));
    let flaky = {
        let tries = Arc::clone(&tries);
        let steady = family.child("steady", Restart::Permanent);
        ChildSpec::new(role("flaky"), Restart::Permanent, move |context: StartContext| {
            *tries.lock().expect("not poisoned") += 1;
            let generation = context.generation;
            let start = (steady.start)(context);
            async move {
                match generation {
                    1 => Err("port in use".into()),
                    2 => std::future::pending().await,
                    _ => start.await,
                }
            }
        })
        .start_within(MS * 200)
    };
    let supervisor = family.supervisor(Policy::ONE_FOR_ONE, vec![flaky]).await;
    tokio::time::sleep(MS * 1000).await;
    assert_eq!(*tries.lock().expect("not poisoned"), 3);
    assert_eq!(family.ping("flaky").await, Ok(3));
    let cause = Exit::Failed("not started within 200 ms".into());
    let restarted = Change::Restarted {
        role: role("flaky"),
        generation: 3,
        cause,
    };
    assert_eq!(family.last_change(), Some(restarted));
    assert_eq!(states(&supervisor), [("flaky".to_owned(), NodeState::Running)]);
}

#[tokio::test(start_paused = true)]
async fn a_draining_supervisor_restarts_nobody() {
    let family = Family::new();
    let children = ["a", "b"].map(|name| family.lingering(name, Restart::Permanent, MS * 10));
    let supervisor = family.supervisor(Policy::ONE_FOR_ONE, children.into()).await;
    family.tell("a", ProbeMessage::Panic);
    assert!(supervisor.shutdown(ASK).await);
    assert_eq!(lines(&family.log), ["a starts 1", "b starts 1", "b stopped"]);
}

#[tokio::test(start_paused = true)]
async fn children_have_no_ractor_name_and_are_not_remotable() {
    let family = Family::new();
    let supervisor = family
        .supervisor(Policy::ONE_FOR_ONE, vec![family.child("a", Restart::Permanent)])
        .await;
    for cell in [supervisor.cell(), family.handle("a").cell()] {
        assert_eq!(cell.get_name(), None);
        assert!(!cell.supports_remoting());
    }
}

/// In real time: a handler that spins holds a thread and stops the paused clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_child_that_spins_and_cannot_be_killed_is_abandoned_and_replaced() {
    let family = Family::new();
    let spinning = family.child("a", Restart::Permanent).stop_within(MS);
    let supervisor = family.supervisor(Policy::ONE_FOR_ONE, vec![spinning]).await;
    let released = Arc::new(AtomicBool::new(false));
    let lost = family.handle("a");
    lost.tell(ProbeMessage::Spin(Arc::clone(&released))).expect("alive");
    supervisor
        .request(role("a"), Request::Stop, ASK)
        .await
        .expect("lets go of it");
    let changes = family.changes.lock().expect("not poisoned").split_off(1);
    let role_a = || role("a");
    assert_eq!(
        changes,
        [Change::Abandoned { role: role_a() }, Change::Stopped { role: role_a() }]
    );
    supervisor.request(role_a(), Request::Start, ASK).await.expect("starts");
    assert_eq!(family.ping("a").await, Ok(2));
    // The lost one ends after all; its supervisor does not mistake it for the one that took its place.
    released.store(true, Ordering::Release);
    lost.cell().wait(Some(ASK)).await.expect("ends");
    assert_eq!(family.ping("a").await, Ok(2));
    assert_eq!(supervisor.view().snapshot()[0].generation, 2);
}

#[tokio::test(start_paused = true)]
async fn starts_of_children_that_were_removed_are_shown_and_the_child_counts_its_own() {
    let family = Family::new();
    let again = family.child("a", Restart::Permanent).started_before(4);
    let fresh = family.child("b", Restart::Permanent);
    let supervisor = family.supervisor(Policy::ONE_FOR_ONE, vec![again, fresh]).await;
    let shown = || {
        let tree = supervisor.view().snapshot();
        tree.into_iter()
            .map(|node| (node.generation, node.restarts))
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(), [(5, 4), (1, 0)]);
    assert_eq!(family.ping("a").await, Ok(1), "its own first start");
    family.tell("a", ProbeMessage::Panic);
    tokio::time::sleep(MS).await;
    assert_eq!(family.ping("a").await, Ok(2));
    assert_eq!(shown(), [(6, 5), (1, 0)]);
    let change = family.last_change();
    assert!(
        matches!(change, Some(Change::Restarted { generation: 2, .. })),
        "{change:?}"
    );
    // The count cannot run over.
    let most = family.child("c", Restart::Permanent).started_before(u32::MAX);
    supervisor.add(most, MS).await.expect("added");
    assert_eq!(shown()[2], (u32::MAX, u64::from(u32::MAX)));
}
