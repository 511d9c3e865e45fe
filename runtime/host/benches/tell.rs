//! What a credit, a context and a mailbox bound cost: the same messages to the same actor, sent by ractor alone and
//! through a [`Handle`], in one run. The figure to read is the ratio of the two.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use rungs_host::{Delivered, Faults, Handle, Hosting, Mailbox, Reply};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// Messages between two answers: fewer than a mailbox holds.
const BATCH: u64 = 1000;
const ASK: Duration = Duration::from_secs(60);

/// As much as an ordinary command carries.
type Work = [u64; 4];

enum Raw {
    Work(Work),
    Done(oneshot::Sender<u64>),
}

impl ractor::Message for Raw {}

enum Metered {
    Work(Work),
    Done(Reply<u64>),
}

/// Adds up what it gets; receives from ractor alone.
struct RawSum;

impl Actor for RawSum {
    type Msg = Raw;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Raw>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Raw>, message: Raw, sum: &mut u64) -> Result<(), ActorProcessingErr> {
        match message {
            Raw::Work(work) => *sum = sum.wrapping_add(work[0]),
            Raw::Done(reply) => drop(reply.send(*sum)),
        }
        Ok(())
    }
}

/// The same behind a [`Handle`].
struct Sum;

impl Actor for Sum {
    type Msg = Delivered<Metered>;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            Metered::Work(work) => *sum = sum.wrapping_add(work[0]),
            Metered::Done(reply) => reply.send(Ok(*sum)),
        }
        Ok(())
    }
}

/// Above the hosted actor, which wants a supervisor.
struct Parent;

impl Actor for Parent {
    type Msg = Delivered<()>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Self::Msg>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

async fn hosted(parent: ActorCell) -> Handle<Metered> {
    let hosting = Hosting {
        address: "bench".parse().expect("an address"),
        mailbox: Arc::new(Mailbox::default()),
        faults: Faults::off(),
        meter: Arc::default(),
    };
    hosting.spawn(Sum, (), parent).await.expect("starts")
}

async fn through(handle: &Handle<Metered>) -> u64 {
    for number in 0..BATCH {
        handle.tell(Metered::Work([number; 4])).expect("room for a batch");
    }
    handle.ask(ASK, Metered::Done).await.expect("answers")
}

async fn raw_through(actor: &ActorRef<Raw>) -> u64 {
    for number in 0..BATCH {
        actor.send_message(Raw::Work([number; 4])).expect("alive");
    }
    let (reply, answer) = oneshot::channel();
    actor.send_message(Raw::Done(reply)).expect("alive");
    answer.await.expect("answers")
}

fn tell(criterion: &mut Criterion) {
    let runtime: Runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime");
    let (raw, handle, hosted) = runtime.block_on(async {
        let (raw, _) = Actor::spawn(None, RawSum, ()).await.expect("starts");
        let (sum, _) = Actor::spawn(None, Sum, ()).await.expect("starts");
        let (parent, _) = Actor::spawn(None, Parent, ()).await.expect("starts");
        let handle = Handle::new(sum, Mailbox::default());
        (raw, handle, hosted(parent.get_cell()).await)
    });
    let mut group = criterion.benchmark_group("tell");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("ractor", |bencher| bencher.iter(|| runtime.block_on(raw_through(&raw))));
    group.bench_function("handle", |bencher| bencher.iter(|| runtime.block_on(through(&handle))));
    group.bench_function("handle, hosted", |bencher| {
        bencher.iter(|| runtime.block_on(through(&hosted)))
    });
    group.finish();
}

criterion_group!(benches, tell);
criterion_main!(benches);
