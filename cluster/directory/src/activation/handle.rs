//! [`Activation`]: the way to the activator of a node, also after it was started again.

use super::action::Arrival;
use super::actor::{ActivatorActor, ActivatorMessage, Guests, Letter};
use super::door::Door;
use super::limits::Limits;
use crate::handover::ShardAction;
use crate::placement::Shard;
use crate::records::{RecordError, Records};
use ractor::{Actor, ActorCell, SpawnErr};
use rungs_host::supervisor::Started;
use rungs_host::{Context, Endpoints, Handle, Mailbox, Refusal, Timers};
use rungs_types::{AgentId, Epoch, ErrorCode, NodeName};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Messages that its mailbox holds, on their way to what waits.
const MAX_MESSAGES: u32 = 65_536;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 64 << 20;

/// What the activator needs of its node.
pub struct ActivationParts {
    /// The node.
    pub node: NodeName,
    /// Runs agents.
    pub guests: Arc<dyn Guests>,
    /// Which agents there are.
    pub records: Records,
    /// Where agents are found.
    pub endpoints: Arc<Endpoints>,
    /// Its timer wheel.
    pub timers: Timers,
    /// How much may wait.
    pub limits: Limits,
    /// How many agents are known, and how many of them are not passive.
    pub counts: Counts,
    /// Takes back what came for a shard that is not this node's any more.
    pub moved: Box<dyn Fn(Letter) + Send + Sync>,
    /// Told of each shard whose last agent has come to rest, because it was to leave.
    pub released: Box<dyn Fn(Shard) + Send + Sync>,
}

/// How many agents are known on a node, and how many of them run, start or come to rest.
#[derive(Debug, Default)]
pub struct Counts {
    known: AtomicUsize,
    live: AtomicUsize,
}

impl Counts {
    pub(super) fn set(&self, (known, live): (usize, usize)) {
        self.known.store(known, Ordering::Relaxed);
        self.live.store(live, Ordering::Relaxed);
    }

    /// Agents that are known.
    pub fn known(&self) -> usize {
        self.known.load(Ordering::Relaxed)
    }

    /// Agents that rest.
    pub fn passive(&self) -> usize {
        self.known().saturating_sub(self.live.load(Ordering::Relaxed))
    }
}

/// Why the activator does not start.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// Which agents there are cannot be read.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// The actor does not start.
    #[error("the activator does not start: {0}")]
    Spawn(#[from] SpawnErr),
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Activation {
    parts: Arc<ActivationParts>,
    actor: Arc<RwLock<Option<Handle<ActivatorMessage>>>>,
    door: Arc<Door>,
}

impl std::fmt::Debug for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Activation")
            .field("node", &self.parts.node)
            .finish_non_exhaustive()
    }
}

impl Activation {
    /// Nothing runs yet.
    pub fn new(parts: ActivationParts) -> Self {
        Self {
            parts: Arc::new(parts),
            actor: Arc::default(),
            door: Arc::default(),
        }
    }

    /// Starts the activator below its supervisor: it reads which agents of these shards there are, takes over those that run
    /// already, and starts those that are to run always.
    ///
    /// # Errors
    /// If the records cannot be read, or the actor does not start.
    pub async fn start(&self, shards: Vec<(Shard, Epoch)>, supervisor: ActorCell) -> Result<Started, ActivationError> {
        // Before the index is read: what changes from now on is told.
        let since = self.parts.records.since().await?;
        let indices = self.parts.records.index(shards.iter().map(|(shard, _)| *shard)).await?;
        self.door.forget();
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let actor = ActivatorActor {
            parts: Arc::clone(&self.parts),
            mailbox: Arc::clone(&mailbox),
            since,
            door: Arc::clone(&self.door),
        };
        let (actor, _) = Actor::spawn_linked(None, actor, (), supervisor).await?;
        let handle = Handle::sharing(actor, mailbox);
        let mut running: BTreeMap<Shard, Vec<AgentId>> = BTreeMap::new();
        for agent in self.parts.guests.running() {
            running.entry(Shard::of(&agent)).or_default().push(agent);
        }
        let epochs: BTreeMap<Shard, Epoch> = shards.into_iter().collect();
        let arrivals = indices.into_iter().map(|(shard, known)| Arrival {
            shard,
            epoch: epochs[&shard],
            known,
            running: running.remove(&shard).unwrap_or_default(),
        });
        handle.signal(ActivatorMessage::Begin(arrivals.collect()));
        let started = Started::from(&handle);
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        Ok(started)
    }

    fn actor(&self) -> Result<Handle<ActivatorMessage>, Refusal> {
        let actor = self.actor.read().unwrap_or_else(PoisonError::into_inner);
        let text = format!("{} is just starting", self.parts.node);
        actor.clone().ok_or_else(|| Refusal::new(ErrorCode::Overloaded, &text))
    }

    /// Does with shards what the map says, in this order.
    pub fn change(&self, actions: Vec<ShardAction>) {
        if let Ok(actor) = self.actor() {
            actor.signal(ActivatorMessage::Change(actions));
        }
    }

    /// Ends all that runs: nothing of it is this node's any more.
    pub fn stop(&self) {
        if let Ok(actor) = self.actor() {
            actor.signal(ActivatorMessage::Stop);
        }
    }

    /// Gives a message to an agent of this node that has no endpoint, at the latest until its deadline.
    ///
    /// # Errors
    /// If too much is on its way already. Whatever else goes wrong is the answer to the letter.
    pub fn want(&self, agent: &AgentId, letter: Letter) -> Result<(), Refusal> {
        let actor = self.actor()?;
        self.door.pass(agent, letter, &self.parts.endpoints, |letter| {
            let bytes = letter.payload.bytes.len() as u64;
            let message = ActivatorMessage::Wanted(agent.clone(), Box::new(letter));
            Ok(actor.tell_with(message, Context::default(), bytes)?)
        })
    }

    /// How many agents are known, and how many rest.
    pub fn counts(&self) -> &Counts {
        &self.parts.counts
    }
}
