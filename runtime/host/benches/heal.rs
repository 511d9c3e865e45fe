//! From the panic of a child to the answer of its successor: the least that ractor needs, and what our supervisor makes
//! of it (decision, restart intensity, published tree).

use criterion::{Criterion, criterion_group, criterion_main};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use rungs_host::supervisor::{ChildSpec, Policy, Restart, StartContext, Started, SupervisorSpec};
use rungs_host::{Delivered, Handle, Mailbox, Reply, SupervisorHandle, Timers};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

const ASK: Duration = Duration::from_secs(60);

enum Message {
    Ping(Reply<()>),
    Panic,
}

type Restarted = mpsc::UnboundedSender<Handle<Message>>;

struct Child;

impl Actor for Child {
    type Msg = Delivered<Message>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            Message::Ping(reply) => reply.send(Ok(())),
            Message::Panic => panic!("on purpose"),
        }
        Ok(())
    }
}

/// Restarts its child at once, always.
struct Plain;

impl Plain {
    async fn start(myself: &ActorRef<Delivered<()>>, restarted: &Restarted) -> Result<(), ActorProcessingErr> {
        let (child, _) = Actor::spawn_linked(None, Child, (), myself.get_cell()).await?;
        Ok(restarted.send(Handle::new(child, Mailbox::default()))?)
    }
}

impl Actor for Plain {
    type Msg = Delivered<()>;
    type State = Restarted;
    type Arguments = Restarted;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        restarted: Restarted,
    ) -> Result<Restarted, ActorProcessingErr> {
        Self::start(&myself, &restarted).await?;
        Ok(restarted)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        restarted: &mut Restarted,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(..) => Self::start(&myself, restarted).await,
            _ => Ok(()),
        }
    }
}

async fn supervised(restarted: Restarted) -> SupervisorHandle {
    let role = rungs_types::RolePath::new("child").expect("a role");
    let start = move |context: StartContext| {
        let restarted = restarted.clone();
        async move {
            let (child, _) = Actor::spawn_linked(None, Child, (), context.supervisor).await?;
            let handle = Handle::new(child, Mailbox::default());
            let started = Started::from(&handle);
            restarted.send(handle)?;
            Ok(started)
        }
    };
    let spec = SupervisorSpec {
        // A window of nothing: every restart is the first one.
        policy: Policy {
            window_ms: 0,
            ..Policy::ONE_FOR_ONE
        },
        seed: 0,
        timers: Timers::start(),
        children: vec![ChildSpec::new(role, Restart::Permanent, start)],
        observer: None,
    };
    SupervisorHandle::spawn(spec, None).await.expect("starts")
}

/// Panics the child and asks its successor.
async fn heal(handle: &mut Handle<Message>, restarted: &mut mpsc::UnboundedReceiver<Handle<Message>>) {
    handle.tell(Message::Panic).expect("alive");
    *handle = restarted.recv().await.expect("restarted");
    handle.ask(ASK, Message::Ping).await.expect("answers");
}

fn bench(criterion: &mut Criterion) {
    // Writing a backtrace would be most of the time.
    std::panic::set_hook(Box::new(|_| ()));
    let runtime: Runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime");
    let mut group = criterion.benchmark_group("heal");
    let (sender, mut restarted) = mpsc::unbounded_channel();
    let _plain = runtime.block_on(async { Actor::spawn(None, Plain, sender).await.expect("starts") });
    let mut handle = runtime.block_on(restarted.recv()).expect("started");
    group.bench_function("ractor", |bencher| {
        bencher.iter(|| runtime.block_on(heal(&mut handle, &mut restarted)));
    });
    let (sender, mut restarted) = mpsc::unbounded_channel();
    let _supervisor = runtime.block_on(supervised(sender));
    let mut handle = runtime.block_on(restarted.recv()).expect("started");
    group.bench_function("supervisor", |bencher| {
        bencher.iter(|| runtime.block_on(heal(&mut handle, &mut restarted)));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
