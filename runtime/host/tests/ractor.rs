//! What this crate relies on, or works around, in ractor 0.16.5. Whoever raises the version reads here what has changed.

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, ActorStatus, Message, SupervisionEvent, registry};
use rungs_host::Delivered;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// What an actor's life leaves behind.
#[derive(Default)]
struct Life {
    handled: AtomicU32,
    post_stop: AtomicBool,
    state_dropped: AtomicBool,
}

struct State(Arc<Life>);

impl Drop for State {
    fn drop(&mut self) {
        self.0.state_dropped.store(true, Ordering::Release);
    }
}

enum Do {
    Count,
    Panic,
    Hang,
    CountTwice,
}

struct Subject {
    fails_to_start: bool,
    lingers: Duration,
}

const PLAIN: Subject = Subject {
    fails_to_start: false,
    lingers: Duration::ZERO,
};

impl Actor for Subject {
    type Msg = Delivered<Do>;
    type State = State;
    type Arguments = Arc<Life>;

    async fn pre_start(&self, _: ActorRef<Self::Msg>, life: Arc<Life>) -> Result<State, ActorProcessingErr> {
        match self.fails_to_start {
            true => Err("will not".into()),
            false => Ok(State(life)),
        }
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            Do::Count => drop(state.0.handled.fetch_add(1, Ordering::AcqRel)),
            Do::Panic => panic!("told to"),
            Do::Hang => std::future::pending().await,
            Do::CountTwice => {
                let again = myself.send_message(message(Do::Count));
                assert!(again.is_err(), "a draining actor takes nothing, not from itself either");
                state.0.handled.fetch_add(1, Ordering::AcqRel);
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut State) -> Result<(), ActorProcessingErr> {
        tokio::time::sleep(self.lingers).await;
        state.0.post_stop.store(true, Ordering::Release);
        Ok(())
    }
}

fn message<M>(message: M) -> Delivered<M> {
    Delivered {
        message,
        context: None,
        credit: rungs_host::Credit::unmetered(),
    }
}

async fn start(subject: Subject) -> (ActorRef<Delivered<Do>>, Arc<Life>) {
    let life = Arc::<Life>::default();
    let (actor, _) = Actor::spawn(None, subject, Arc::clone(&life)).await.expect("starts");
    (actor, life)
}

fn send(actor: &ActorRef<Delivered<Do>>, what: Do) {
    actor.send_message(message(what)).expect("alive");
}

async fn end(actor: &ActorCell) {
    actor.wait(Some(SECOND * 10)).await.expect("ends");
}

#[tokio::test(start_paused = true)]
async fn stop_drops_what_is_queued_and_drain_handles_it_first() {
    let (stopped, life) = start(PLAIN).await;
    send(&stopped, Do::Count);
    stopped.stop(None);
    end(&stopped).await;
    assert_eq!(life.handled.load(Ordering::Acquire), 0);
    assert!(life.post_stop.load(Ordering::Acquire));
    let (drained, life) = start(PLAIN).await;
    send(&drained, Do::CountTwice);
    send(&drained, Do::Count);
    drained.drain().expect("alive");
    end(&drained).await;
    assert_eq!(life.handled.load(Ordering::Acquire), 2);
    assert!(life.post_stop.load(Ordering::Acquire));
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_a_kill_skip_post_stop_but_drop_the_state() {
    for kill in [false, true] {
        let (actor, life) = start(PLAIN).await;
        if kill {
            send(&actor, Do::Hang);
            tokio::task::yield_now().await;
            actor.kill();
        } else {
            send(&actor, Do::Panic);
        }
        end(&actor).await;
        assert!(!life.post_stop.load(Ordering::Acquire), "kill: {kill}");
        assert!(life.state_dropped.load(Ordering::Acquire), "kill: {kill}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_stop_does_not_wait_and_stop_then_wait_does() {
    let lingering = Subject {
        lingers: SECOND,
        ..PLAIN
    };
    let (actor, life) = start(lingering).await;
    actor.stop(None);
    let second = actor.stop_and_wait(None, Some(SECOND * 10)).await;
    assert!(second.is_err(), "the stop port is used up");
    assert!(!life.post_stop.load(Ordering::Acquire));
    end(&actor).await;
    assert!(life.post_stop.load(Ordering::Acquire));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_free_again_before_post_stop_has_run() {
    let name = "a_name_of_this_test_only".to_owned();
    let lingering = || Subject {
        lingers: SECOND,
        ..PLAIN
    };
    let life = Arc::<Life>::default();
    let (first, _) = Actor::spawn(Some(name.clone()), lingering(), Arc::clone(&life))
        .await
        .expect("starts");
    first.stop(None);
    while first.get_status() < ActorStatus::Stopping {
        tokio::task::yield_now().await;
    }
    // So a name guards no single activation, and none of our actors has one.
    let (second, _) = Actor::spawn(Some(name.clone()), lingering(), Arc::default())
        .await
        .expect("the name is free");
    assert!(!life.post_stop.load(Ordering::Acquire));
    assert_eq!(
        registry::where_is(name).map(|cell| cell.get_id()),
        Some(second.get_id())
    );
    end(&first).await;
}

/// Notes the events it gets.
struct Watcher(Arc<Mutex<Vec<String>>>);

impl Actor for Watcher {
    type Msg = Delivered<()>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let line = match event {
            SupervisionEvent::ActorTerminated(_, state, reason) => {
                format!("terminated, state {}, {reason:?}", state.is_some())
            }
            SupervisionEvent::ActorFailed(_, error) => format!("failed, {error}"),
            _ => return Ok(()),
        };
        self.0.lock().expect("not poisoned").push(line);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_gets_the_state_after_a_clean_stop_only_and_hears_nothing_of_a_failed_start() {
    let events = Arc::<Mutex<Vec<String>>>::default();
    let (watcher, _) = Actor::spawn(None, Watcher(Arc::clone(&events)), ())
        .await
        .expect("starts");
    let refuses = Subject {
        fails_to_start: true,
        ..PLAIN
    };
    let failed = Actor::spawn_linked(None, refuses, Arc::default(), watcher.get_cell()).await;
    assert!(failed.is_err());
    for how in ["stop", "kill", "panic"] {
        let linked = Actor::spawn_linked(None, PLAIN, Arc::default(), watcher.get_cell()).await;
        let (actor, _) = linked.expect("starts");
        match how {
            // A reason that says otherwise does not make it a kill.
            "stop" => actor.stop(Some("killed".into())),
            "kill" => actor.kill(),
            _ => send(&actor, Do::Panic),
        }
        end(&actor).await;
    }
    tokio::time::sleep(SECOND).await;
    let expected = [
        "terminated, state true, Some(\"killed\")",
        "terminated, state false, Some(\"killed\")",
        "failed, told to",
    ];
    assert_eq!(*events.lock().expect("not poisoned"), expected);
}

#[test]
fn a_bare_string_is_remotable_under_the_cluster_feature_and_a_delivered_one_is_not() {
    assert!(<String as Message>::serializable());
    assert!(!<Delivered<String> as Message>::serializable());
    assert!(!<Delivered<()> as Message>::serializable());
}
