//! P1: tell and ask on one node, by address through the router with credit, against raw ractor.

use super::report::{Figure, Target, median_of};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use rungs_host::{Context, Format};
use rungs_host::{Delivered, EndpointBuilder, Endpoints, Handle, Mailbox, Payload, Request, Wire};
use rungs_types::{Address, UserName};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Tells of one run.
const TELLS: u64 = 300_000;
/// Asks of one run.
const ASKS: u64 = 50_000;
/// Messages under way at a time.
const WINDOW: u64 = 1000;
const DEADLINE: Duration = Duration::from_secs(30);

/// The message of the measurement.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Ping {
    /// Counts up.
    pub n: u64,
}

impl Wire for Ping {
    const KIND: &'static str = "ping";
    type Reply = u64;

    fn example() -> Self {
        Self { n: 1 }
    }
}

/// What the measured actor receives.
pub struct Ponged(Request<Ping>);

impl From<Request<Ping>> for Ponged {
    fn from(request: Request<Ping>) -> Self {
        Self(request)
    }
}

/// Counts and answers.
pub struct Pong {
    seen: Arc<AtomicU64>,
}

impl Actor for Pong {
    type Msg = Delivered<Ponged>;
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
        self.seen.fetch_add(1, Ordering::Release);
        let Ponged(request) = delivered.message;
        request.reply.send(Ok(request.message.n));
        Ok(())
    }
}

/// The baseline: an actor as ractor's own users write it.
struct Raw {
    seen: Arc<AtomicU64>,
}

enum RawMessage {
    Tell(u64),
    Ask(u64, RpcReplyPort<u64>),
}

impl ractor::Message for RawMessage {}

impl Actor for Raw {
    type Msg = RawMessage;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<RawMessage>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<RawMessage>,
        message: RawMessage,
        last: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        self.seen.fetch_add(1, Ordering::Release);
        match message {
            RawMessage::Tell(n) => *last = n,
            // A caller that no longer waits is no error.
            RawMessage::Ask(n, reply) => drop(reply.send(n)),
        }
        Ok(())
    }
}

/// Sends `TELLS` messages with at most `WINDOW` under way and returns messages per second.
async fn pipelined(seen: &AtomicU64, mut send: impl FnMut(u64) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let before = seen.load(Ordering::Acquire);
    let began = Instant::now();
    for n in 0..TELLS {
        send(n)?;
        while n + before - seen.load(Ordering::Acquire).min(n + before) > WINDOW {
            tokio::task::yield_now().await;
        }
    }
    while seen.load(Ordering::Acquire) < before + TELLS {
        tokio::task::yield_now().await;
    }
    Ok(TELLS as f64 / began.elapsed().as_secs_f64())
}

async fn raw_run() -> anyhow::Result<(f64, f64)> {
    let seen = Arc::new(AtomicU64::new(0));
    let (actor, task) = Actor::spawn(
        None,
        Raw {
            seen: Arc::clone(&seen),
        },
        (),
    )
    .await?;
    let tells = pipelined(&seen, |n| Ok(actor.send_message(RawMessage::Tell(n))?)).await?;
    let began = Instant::now();
    for n in 0..ASKS {
        ractor::call_t!(actor, RawMessage::Ask, DEADLINE.as_millis() as u64, n)?;
    }
    let ask_us = began.elapsed().as_secs_f64() * 1e6 / ASKS as f64;
    actor.stop(None);
    task.await?;
    Ok((tells, ask_us))
}

async fn own_run() -> anyhow::Result<(f64, f64)> {
    let seen = Arc::new(AtomicU64::new(0));
    let (actor, task) = Actor::spawn(
        None,
        Pong {
            seen: Arc::clone(&seen),
        },
        (),
    )
    .await?;
    let endpoints = Endpoints::new();
    let address = Address::User(UserName::new("pong")?);
    let handle = Handle::new(actor.clone(), Mailbox::default());
    endpoints.register(address.clone(), EndpointBuilder::new(handle).receives::<Ping>().build());
    let tells = pipelined(&seen, |n| {
        let endpoint = endpoints
            .get(&address)
            .ok_or_else(|| anyhow::anyhow!("the actor is registered"))?;
        Ok(endpoint.deliver(Payload::of(&Ping { n }, Format::Binary)?, Context::default(), None)?)
    })
    .await?;
    let began = Instant::now();
    for n in 0..ASKS {
        let endpoint = endpoints
            .get(&address)
            .ok_or_else(|| anyhow::anyhow!("the actor is registered"))?;
        let (reply, answer) = tokio::sync::oneshot::channel();
        endpoint.deliver(
            Payload::of(&Ping { n }, Format::Binary)?,
            Context::default(),
            Some(reply),
        )?;
        let payload = tokio::time::timeout(DEADLINE, answer).await???;
        let _: u64 = payload.decode()?;
    }
    let ask_us = began.elapsed().as_secs_f64() * 1e6 / ASKS as f64;
    actor.stop(None);
    task.await?;
    Ok((tells, ask_us))
}

/// Runs both in turn, so that a noisy machine is noisy for both.
pub async fn measure(runs: u32) -> anyhow::Result<Vec<Figure>> {
    let (mut raw, mut own) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        raw.push(raw_run().await?);
        own.push(own_run().await?);
    }
    let tells = |runs: &[(f64, f64)]| median_of(runs, |run| run.0);
    let asks = |runs: &[(f64, f64)]| median_of(runs, |run| run.1);
    Ok(vec![
        Figure {
            id: "P1",
            what: "tell by address, 1 node, encoded, with credit",
            value: tells(&own),
            unit: "1/s",
            baseline: "raw ractor",
            baseline_value: Some(tells(&raw)),
            target: Target::RatioAtLeast(0.5),
        },
        Figure {
            id: "P1",
            what: "ask by address, 1 node",
            value: asks(&own),
            unit: "us",
            baseline: "raw ractor",
            baseline_value: Some(asks(&raw)),
            target: Target::None,
        },
    ])
}
