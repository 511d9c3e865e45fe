//! The actor `@node/activator`: carries out what the [`Activator`] decides. It starts agents and lets them rest through
//! [`Guests`], gives them what waited, and tells senders why something cannot be given.
//!
//! Supervised by the node, as a permanent child. Decided elsewhere: everything, by [`super::machine`].
//!
//! Invariants:
//! 1. It waits for nobody: starts and rests run as tasks of their own and come back as messages.
//! 2. Whoever waits for an answer gets one, or learns by the end of the actor that there will be none.
//! 3. No agent starts before the one of the same name that ran here has ended, in whatever epoch that was.
//! 4. What came for a shard that is not this node's any more goes back to the directory, which sends it on.

use super::action::{Action, Arrival, Failure, Wanted};
use super::arriving::Arriving;
use super::door::{self, Door};
use super::follow::{Followed, Follower};
use super::handle::ActivationParts;
use super::machine::Activator;
use super::messages::{Activate, Passivate, Register, Unregister};
use super::waiting::{Parcel, Why};
use crate::handover::ShardAction;
use crate::placement::{MapVersion, Shard};
use crate::records::{AgentRecord, RecordError};
use futures::future::BoxFuture;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rungs_host::endpoints::ReplySender;
use rungs_host::{
    Context, Delivered, EndpointBuilder, Handle, Mailbox, Payload, Refusal, Reply, Request, Timer, tasks,
};
use rungs_mesh::mesh::not_found;
use rungs_store::cluster::Since;
use rungs_types::{Address, AgentId, AgentSpec, Epoch, ErrorCode, NodeName, RolePath};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The role of the activator on each node.
pub const ROLE: &str = "activator";
/// How often it looks for agents that are idle, and for messages that nobody waits for any more.
const TICK: Duration = Duration::from_secs(1);

/// When to try again to reach an agent that is just starting again.
const RETRY_ABSENT: Duration = Duration::from_millis(500);

/// Why an agent does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartError {
    /// There is no record of it.
    Unknown,
    /// It cannot be started now; why.
    Failed(Refusal),
}

/// What runs agents on this node. The directory knows no kind of actor: it starts and stops through this.
pub trait Guests: Send + Sync + 'static {
    /// Starts an agent from its record and its last state, in an epoch of its shard.
    fn start(&self, agent: AgentId, epoch: Epoch) -> BoxFuture<'static, Result<(), StartError>>;

    /// Lets an agent work off what it has received, save its state and end. Returns when it has ended.
    fn rest(&self, agent: AgentId) -> BoxFuture<'static, ()>;

    /// An agent is registered no more: what was kept of it elsewhere need not be.
    fn forget(&self, _agent: AgentId) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// The agents that have had nothing to do for as long as their specification says.
    fn idle(&self) -> Vec<AgentId>;

    /// The agents that run.
    fn running(&self) -> Vec<AgentId>;

    /// What an agent that runs was started as; none if that is not known, and then a change of its record waits for its
    /// next start.
    fn spec(&self, _agent: &AgentId) -> Option<AgentSpec> {
        None
    }

    /// Why an agent that runs, or a role of it, is not to be found at this moment.
    fn absence(&self, of: &Address) -> Refusal {
        let text = format!("{of} is not there at this moment; its agent may just be starting again");
        Refusal {
            retry_after_ms: Some(RETRY_ABSENT.as_millis() as u64),
            ..Refusal::new(ErrorCode::Overloaded, &text)
        }
    }
}

/// A message on its way to an agent that does not run.
#[derive(Debug)]
pub struct Letter {
    /// The agent or one of its roles.
    pub to: Address,
    /// What.
    pub payload: Payload,
    /// Trace and sender.
    pub context: Context,
    /// Where the answer goes, if one is expected.
    pub reply: ReplySender,
    /// When nobody waits for it any more.
    pub until: Instant,
    /// The map by which another node sent it here; none if it begins here.
    pub sent_by: Option<MapVersion>,
}

/// What the actor receives.
#[derive(Debug)]
pub(crate) enum ActivatorMessage {
    /// Something for an agent without an endpoint.
    Wanted(AgentId, Box<Letter>),
    /// An operator wants an agent that is not known yet.
    Register(Box<Request<Register>>),
    /// Its record is written.
    Registered(Box<AgentRecord>, Reply<()>),
    /// An operator wants an agent to be no more.
    Unregister(Request<Unregister>),
    /// An operator wants an agent to run.
    Activate(Request<Activate>),
    /// An operator wants an agent to rest.
    Passivate(Request<Passivate>),
    /// An agent runs and has been given what waited: it is to be found by everyone, so often tried.
    Open(AgentId, u32),
    /// An agent runs, or does not.
    Started(AgentId, Epoch, Result<(), StartError>),
    /// An agent has ended.
    Rested(AgentId),
    /// These shards are this node's as it begins.
    Begin(Vec<Arrival>),
    /// Which agents these shards have that came.
    Own(Vec<Arrival>),
    /// Which agents they have cannot be read, and is read again later.
    Unread(Vec<(Shard, Epoch)>, RecordError),
    /// What becomes of shards.
    Change(Vec<ShardAction>),
    /// The lease is over: everything stops.
    Stop,
    /// An agent has ended that ran here when its shard was lost.
    Ended(AgentId),
    /// An agent has ended for good, its record is deleted.
    Forget(AgentId),
    /// Something was heard of records.
    Records(Followed),
    /// Time has passed.
    Tick,
}

macro_rules! received {
    ($($wire:ident),+ $(,)?) => {$(
        impl From<Request<$wire>> for ActivatorMessage {
            fn from(request: Request<$wire>) -> Self {
                Self::$wire(request)
            }
        }
    )+};
}
received!(Unregister, Activate, Passivate);

impl From<Request<Register>> for ActivatorMessage {
    fn from(request: Request<Register>) -> Self {
        Self::Register(Box::new(request))
    }
}

/// The address of a node's activator.
pub fn address(node: &NodeName) -> Address {
    Address::Node {
        node: node.clone(),
        role: RolePath::new(ROLE).expect("a constant role"),
    }
}

/// See the module.
pub(super) struct ActivatorActor {
    pub(super) parts: Arc<ActivationParts>,
    pub(super) mailbox: Arc<Mailbox>,
    /// From where on it follows the records.
    pub(super) since: Since,
    pub(super) door: Arc<Door>,
}

/// The state of an [`ActivatorActor`].
pub(super) struct Activating {
    pub(super) handle: Handle<ActivatorMessage>,
    pub(super) machine: Activator<Letter>,
    began: Instant,
    /// Who waits for an agent to run, and who for one to rest.
    pub(super) starting: BTreeMap<AgentId, Vec<Reply<()>>>,
    pub(super) resting: BTreeMap<AgentId, Vec<Reply<()>>>,
    /// Agents that have been registered and have not run yet.
    pub(super) new: BTreeSet<AgentId>,
    /// Records that changed while their agents started or came to rest.
    pub(super) put_off: BTreeMap<AgentId, Option<AgentRecord>>,
    /// Agents whose records are being deleted.
    pub(super) leaving: BTreeSet<AgentId>,
    /// Shards that came and whose agents are being read.
    pub(super) arriving: Arriving,
    /// Agents that run although their shards were lost, each with the epoch to start it in when it has ended.
    pub(super) ending: BTreeMap<AgentId, Option<Epoch>>,
    _tick: Timer,
    _follower: Follower,
}

impl Activating {
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Actor for ActivatorActor {
    type Msg = Delivered<ActivatorMessage>;
    type State = Activating;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, (): ()) -> Result<Activating, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle.clone())
            .receives::<Register>()
            .receives::<Unregister>()
            .receives::<Activate>()
            .receives::<Passivate>()
            .operators_only();
        self.parts
            .endpoints
            .register(address(&self.parts.node), endpoint.build());
        let ticked = handle.clone();
        let tick = self
            .parts
            .timers
            .every("activator", TICK, TICK, move |_| ticked.signal(ActivatorMessage::Tick))?;
        let follower = Follower::start(self.parts.records.clone(), self.since.clone(), handle.clone());
        Ok(Activating {
            handle,
            machine: Activator::new(self.parts.limits),
            began: Instant::now(),
            starting: BTreeMap::new(),
            resting: BTreeMap::new(),
            new: BTreeSet::new(),
            put_off: BTreeMap::new(),
            leaving: BTreeSet::new(),
            arriving: Arriving::new(self.parts.limits),
            ending: BTreeMap::new(),
            _tick: tick,
            _follower: follower,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Activating,
    ) -> Result<(), ActorProcessingErr> {
        let now = state.now();
        let actions = match delivered.message {
            ActivatorMessage::Wanted(agent, letter) => {
                self.door.came(&agent);
                self.wanted(&agent, *letter, state)
            }
            ActivatorMessage::Open(agent, tries) => {
                if !self.door.open(&agent, tries, &self.parts.endpoints) {
                    state.handle.signal(ActivatorMessage::Open(agent, tries + 1));
                }
                return Ok(());
            }
            ActivatorMessage::Activate(request) => self.activate(request, state),
            ActivatorMessage::Passivate(request) => self.passivate(request, state),
            ActivatorMessage::Started(agent, epoch, Ok(())) => self.started(&agent, epoch, state),
            ActivatorMessage::Started(agent, epoch, Err(error)) => {
                self.failed(&agent, epoch, &error, state);
                return Ok(());
            }
            ActivatorMessage::Rested(agent) => {
                state.leaving.remove(&agent);
                answer(state.resting.remove(&agent), &Ok(()));
                state.machine.rested(&agent)
            }
            ActivatorMessage::Begin(arrivals) => {
                let arrivals = arrivals.into_iter();
                arrivals.flat_map(|arrival| state.machine.own(arrival)).collect()
            }
            ActivatorMessage::Own(arrivals) => self.own(arrivals, state),
            ActivatorMessage::Unread(shards, error) => {
                tracing::warn!(%error, shards = shards.len(), "which agents there are cannot be read; it is tried again");
                state.arriving.unread(&shards);
                Vec::new()
            }
            ActivatorMessage::Change(actions) => self.change(actions, state),
            ActivatorMessage::Stop => self.stop(state),
            ActivatorMessage::Ended(agent) => self.ended(agent, state),
            ActivatorMessage::Register(request) => {
                self.register(*request, state);
                Vec::new()
            }
            ActivatorMessage::Registered(record, reply) => self.registered(&record, reply, state),
            ActivatorMessage::Unregister(request) => {
                self.unregister(request, state);
                Vec::new()
            }
            ActivatorMessage::Forget(agent) => {
                state.leaving.remove(&agent);
                state.machine.forget(&agent)
            }
            ActivatorMessage::Records(followed) => self.followed(followed, state)?,
            ActivatorMessage::Tick => self.tick(now, state),
        };
        self.carry_out(actions, None, state);
        self.parts.counts.set(state.machine.counts());
        Ok(())
    }
}

impl ActivatorActor {
    fn started(&self, agent: &AgentId, epoch: Epoch, state: &mut Activating) -> Vec<Action<Letter>> {
        state.new.remove(agent);
        answer(state.starting.remove(agent), &Ok(()));
        if state.machine.epoch(Shard::of(agent)) == Some(epoch) {
            // Behind all that is on its way already.
            state.handle.signal(ActivatorMessage::Open(agent.clone(), 0));
        }
        state.machine.started(agent, epoch)
    }

    fn tick(&self, now: Duration, state: &mut Activating) -> Vec<Action<Letter>> {
        self.read(state.arriving.due(), state);
        for late in state.arriving.late(Instant::now()) {
            door::refuse_late(late);
        }
        let mut actions = state.machine.sweep(now);
        let idle = self.parts.guests.idle();
        actions.extend(idle.iter().flat_map(|agent| state.machine.idle(agent)));
        let put_off = std::mem::take(&mut state.put_off);
        actions.extend(put_off.into_iter().flat_map(|changed| self.compare(changed, state)));
        actions
    }

    pub(super) fn wanted(&self, agent: &AgentId, letter: Letter, state: &mut Activating) -> Vec<Action<Letter>> {
        if state.leaving.contains(agent) {
            door::refuse_leaving(letter, agent);
            return Vec::new();
        }
        let letter = match state.arriving.hold(agent, letter) {
            None => return Vec::new(),
            Some(letter) => letter,
        };
        let parcel = Parcel {
            bytes: letter.payload.bytes.len() as u64,
            until: letter.until.saturating_duration_since(state.began),
            content: letter,
        };
        let now = state.now();
        state.machine.wanted(agent, Wanted::For(parcel), now)
    }

    /// Starts an agent, when one of its name that still runs has ended.
    fn start(&self, agent: AgentId, epoch: Epoch, state: &mut Activating) {
        if let Some(then) = state.ending.get_mut(&agent) {
            *then = Some(epoch);
            return;
        }
        self.parts.endpoints.conceal(&agent);
        let (start, done) = (self.parts.guests.start(agent.clone(), epoch), state.handle.clone());
        tasks::spawn("activate", async move {
            let started = start.await;
            done.signal(ActivatorMessage::Started(agent, epoch, started));
        });
    }

    fn failed(&self, agent: &AgentId, epoch: Epoch, error: &StartError, state: &mut Activating) {
        let (failure, refusal) = match error {
            StartError::Unknown => (Failure::Unknown, not_found(&agent.clone().into(), &self.parts.node)),
            StartError::Failed(refusal) => (Failure::Failed, refusal.clone()),
        };
        tracing::warn!(%agent, %refusal, "agent does not start");
        self.parts.endpoints.reveal(agent);
        answer(state.starting.remove(agent), &Err(refusal.clone()));
        if state.new.remove(agent) {
            return self.withdraw(agent.clone(), state);
        }
        let now = state.now();
        let actions = state.machine.failed(agent, epoch, failure, now);
        self.carry_out(actions, Some(&refusal), state);
    }

    /// Does it; `cause` is why an agent has just failed to start.
    pub(super) fn carry_out(&self, actions: Vec<Action<Letter>>, cause: Option<&Refusal>, state: &mut Activating) {
        for action in actions {
            match action {
                Action::Activate { agent, epoch } => self.start(agent, epoch, state),
                Action::Passivate { agent } => {
                    let (rest, done) = (self.parts.guests.rest(agent.clone()), state.handle.clone());
                    tasks::spawn("passivate", async move {
                        rest.await;
                        done.signal(ActivatorMessage::Rested(agent));
                    });
                }
                Action::Deliver { contents, .. } => {
                    let absent = |to: &Address| self.parts.guests.absence(to);
                    contents
                        .into_iter()
                        .for_each(|letter| door::deliver(letter, &self.parts.endpoints, absent));
                }
                Action::GiveBack(unwanted) if unwanted.why == Why::Moved => (self.parts.moved)(unwanted.content),
                Action::GiveBack(unwanted) => door::give_back(unwanted, cause, &self.parts.node),
                Action::Released { shard } => (self.parts.released)(shard),
            }
        }
    }
}

fn answer(waiting: Option<Vec<Reply<()>>>, with: &Result<(), Refusal>) {
    for reply in waiting.into_iter().flatten() {
        reply.send(with.clone());
    }
}
