//! The actor that measurements and tests talk to.

use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr};
use rungs_host::{Delivered, EndpointBuilder, Endpoints, Handle, Mailbox, Reply, Request, Wire};
use rungs_types::Address;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Messages that the mailbox of a [`Target`] holds.
pub const TARGET_MESSAGES: u32 = 32 * 1024;
/// Bytes that the mailbox of a [`Target`] holds.
pub const TARGET_BYTES: u64 = 64 * 1024 * 1024;

/// Comes back as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    /// Anything.
    pub text: String,
}

impl Wire for Echo {
    const KIND: &'static str = "bench.echo";
    type Reply = String;

    fn example() -> Self {
        Self {
            text: "hello".to_owned(),
        }
    }
}

/// Is counted; asked, it answers with the count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Anything.
    pub text: String,
}

impl Wire for Count {
    const KIND: &'static str = "bench.count";
    type Reply = u64;

    fn example() -> Self {
        Self {
            text: "hello".to_owned(),
        }
    }
}

/// Is answered after a while; meanwhile nothing else is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// How long, in milliseconds, at most 60,000.
    pub ms: u64,
}

impl Wire for Delay {
    const KIND: &'static str = "bench.delay";
    type Reply = ();

    fn example() -> Self {
        Self { ms: 10 }
    }
}

/// What a [`Target`] receives.
#[derive(Debug)]
pub enum TargetMessage {
    /// See [`Echo`].
    Echo(String, Reply<String>),
    /// See [`Count`].
    Count(Reply<u64>),
    /// See [`Delay`].
    Delay(u64, Reply<()>),
}

impl From<Request<Echo>> for TargetMessage {
    fn from(request: Request<Echo>) -> Self {
        Self::Echo(request.message.text, request.reply)
    }
}

impl From<Request<Count>> for TargetMessage {
    fn from(request: Request<Count>) -> Self {
        Self::Count(request.reply)
    }
}

impl From<Request<Delay>> for TargetMessage {
    fn from(request: Request<Delay>) -> Self {
        Self::Delay(request.message.ms, request.reply)
    }
}

/// The actor; its counter can be read from outside.
pub struct Target {
    counted: Arc<AtomicU64>,
}

/// A running [`Target`].
#[derive(Clone)]
pub struct TargetHandle {
    /// The way to it.
    pub handle: Handle<TargetMessage>,
    counted: Arc<AtomicU64>,
}

impl TargetHandle {
    /// [`Count`] messages handled so far.
    pub fn counted(&self) -> u64 {
        self.counted.load(Ordering::Acquire)
    }
}

impl Target {
    /// Starts the actor and makes it reachable at an address.
    pub async fn start(endpoints: &Endpoints, at: Address, mailbox: Mailbox) -> Result<TargetHandle, SpawnErr> {
        let counted = Arc::new(AtomicU64::new(0));
        let target = Self {
            counted: Arc::clone(&counted),
        };
        let (actor, _) = Actor::spawn(None, target, ()).await?;
        let handle = Handle::new(actor, mailbox);
        let endpoint = EndpointBuilder::new(handle.clone())
            .receives::<Echo>()
            .receives::<Count>()
            .receives::<Delay>();
        endpoints.register(at, endpoint.build());
        Ok(TargetHandle { handle, counted })
    }
}

impl Actor for Target {
    type Msg = Delivered<TargetMessage>;
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
            TargetMessage::Echo(text, reply) => reply.send(Ok(text)),
            TargetMessage::Count(reply) => reply.send(Ok(self.counted.fetch_add(1, Ordering::AcqRel) + 1)),
            TargetMessage::Delay(ms, reply) => {
                tokio::time::sleep(Duration::from_millis(ms.min(60_000))).await;
                reply.send(Ok(()));
            }
        }
        Ok(())
    }
}
