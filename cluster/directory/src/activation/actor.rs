//! The actor `@node/activator`: carries out what the [`Activator`] decides. It starts agents and lets them rest through
//! [`Guests`], gives them what waited, and tells senders why something cannot be given.
//!
//! Supervised by the node, as a permanent child. Decided elsewhere: everything, by [`super::machine`].
//!
//! Invariants:
//! 1. It waits for nobody: starts and rests run as tasks of their own and come back as messages.
//! 2. Whoever waits for an answer gets one, or learns by the end of the actor that there will be none.

use super::action::{Action, Arrival, Failure, Wanted};
use super::door;
use super::follow::{Followed, Follower};
use super::handle::ActivationParts;
use super::machine::Activator;
use super::messages::{Activate, Passivate, Register, Unregister};
use super::waiting::Parcel;
use crate::placement::Shard;
use crate::records::{AgentRecord, Origin};
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

    /// The agents that have had nothing to do for as long as their specification says.
    fn idle(&self) -> Vec<AgentId>;

    /// The agents that run.
    fn running(&self) -> Vec<AgentId>;

    /// What an agent that runs was started as.
    fn spec(&self, agent: &AgentId) -> Option<AgentSpec>;
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
}

/// What the actor receives.
#[derive(Debug)]
pub(crate) enum ActivatorMessage {
    /// Something for an agent without an endpoint, until a moment.
    Wanted(AgentId, Box<Letter>, Instant),
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
    /// An agent runs, or does not.
    Started(AgentId, Epoch, Result<(), StartError>),
    /// An agent has ended.
    Rested(AgentId),
    /// These shards are this node's from now on.
    Own(Vec<Arrival>),
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
}

/// The state of an [`ActivatorActor`].
pub(super) struct Activating {
    pub(super) handle: Handle<ActivatorMessage>,
    pub(super) machine: Activator<Letter>,
    began: Instant,
    /// Who waits for an agent to run, and who for one to rest.
    starting: BTreeMap<AgentId, Vec<Reply<()>>>,
    resting: BTreeMap<AgentId, Vec<Reply<()>>>,
    /// Agents that have been registered and have not run yet.
    new: BTreeSet<AgentId>,
    /// Records that changed while their agents started or came to rest.
    pub(super) put_off: BTreeMap<AgentId, Option<AgentRecord>>,
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
            .receives::<Passivate>();
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
            ActivatorMessage::Wanted(agent, letter, until) => {
                let parcel = Parcel {
                    bytes: letter.payload.bytes.len() as u64,
                    content: *letter,
                    until: until.saturating_duration_since(state.began),
                };
                state.machine.wanted(&agent, Wanted::For(parcel), now)
            }
            ActivatorMessage::Activate(request) => self.activate(request, state),
            ActivatorMessage::Passivate(request) => self.passivate(request, state),
            ActivatorMessage::Started(agent, epoch, Ok(())) => {
                state.new.remove(&agent);
                answer(state.starting.remove(&agent), &Ok(()));
                state.machine.started(&agent, epoch)
            }
            ActivatorMessage::Started(agent, epoch, Err(error)) => {
                self.failed(&agent, epoch, &error, state);
                return Ok(());
            }
            ActivatorMessage::Rested(agent) => {
                answer(state.resting.remove(&agent), &Ok(()));
                state.machine.rested(&agent)
            }
            ActivatorMessage::Own(shards) => {
                let arrivals = shards.into_iter();
                arrivals.flat_map(|arrival| state.machine.own(arrival)).collect()
            }
            ActivatorMessage::Register(request) => {
                self.register(*request, state);
                Vec::new()
            }
            ActivatorMessage::Registered(record, reply) => self.registered(&record, reply, state),
            ActivatorMessage::Unregister(request) => {
                self.unregister(request, state);
                Vec::new()
            }
            ActivatorMessage::Forget(agent) => state.machine.forget(&agent),
            ActivatorMessage::Records(followed) => self.followed(followed, state)?,
            ActivatorMessage::Tick => self.tick(now, state),
        };
        self.carry_out(actions, None, state);
        self.parts.counts.set(state.machine.counts());
        Ok(())
    }
}

impl ActivatorActor {
    fn tick(&self, now: Duration, state: &mut Activating) -> Vec<Action<Letter>> {
        let mut actions = state.machine.sweep(now);
        let idle = self.parts.guests.idle();
        actions.extend(idle.iter().flat_map(|agent| state.machine.idle(agent)));
        let put_off = std::mem::take(&mut state.put_off);
        actions.extend(put_off.into_iter().flat_map(|changed| self.compare(changed, state)));
        actions
    }

    /// Writes the record first: what was answered as registered is there after a crash.
    fn register(&self, request: Request<Register>, state: &Activating) {
        let Request { message, reply } = request;
        let spec = message.spec;
        if let Err(error) = spec.validate() {
            return reply.send(Err(Refusal::new(ErrorCode::Malformed, &error.to_string())));
        }
        if state.machine.epoch(Shard::of(&spec.agent)).is_none() {
            let text = format!("{} does not own the shard of {}", self.parts.node, spec.agent);
            return reply.send(Err(Refusal::new(ErrorCode::NodeDown, &text)));
        }
        let (records, done) = (self.parts.records.clone(), state.handle.clone());
        let origin = Origin::Order;
        let record = Box::new(AgentRecord { spec, origin });
        tasks::spawn("register", async move {
            match records.insert(&record).await {
                Ok(true) => done.signal(ActivatorMessage::Registered(record, reply)),
                Ok(false) => {
                    let text = format!("agent {} is registered already", record.spec.agent);
                    reply.send(Err(Refusal::new(ErrorCode::Refused, &text)));
                }
                Err(error) => reply.send(Err(error.into())),
            }
        });
    }

    fn registered(&self, record: &AgentRecord, reply: Reply<()>, state: &mut Activating) -> Vec<Action<Letter>> {
        let (agent, now) = (&record.spec.agent, state.now());
        let (_, mut actions) = state.machine.register(agent, record.is_resident());
        actions.extend(state.machine.wanted(agent, Wanted::ToRun, now));
        if state.machine.is_active(agent) {
            // Who follows the records was faster.
            reply.send(Ok(()));
            return actions;
        }
        state.new.insert(agent.clone());
        state.starting.entry(agent.clone()).or_default().push(reply);
        actions
    }

    /// Ends the agent first: one whose record is gone must not run.
    fn unregister(&self, request: Request<Unregister>, state: &Activating) {
        let Request { message, reply } = request;
        let agent = message.agent;
        if !state.machine.knows(&agent) {
            return reply.send(Err(not_found(&agent.into(), &self.parts.node)));
        }
        let active = state.machine.is_active(&agent);
        if !active && !state.machine.is_passive(&agent) {
            let text = format!("{agent} is just starting or coming to rest; try again");
            return reply.send(Err(Refusal::new(ErrorCode::Overloaded, &text)));
        }
        let rest = active.then(|| self.parts.guests.rest(agent.clone()));
        let (records, done) = (self.parts.records.clone(), state.handle.clone());
        tasks::spawn("unregister", async move {
            if let Some(rest) = rest {
                rest.await;
            }
            let deleted = records.delete(&agent).await;
            if deleted.is_ok() {
                done.signal(ActivatorMessage::Forget(agent));
            } else {
                // It is still registered, and rests.
                done.signal(ActivatorMessage::Rested(agent));
            }
            reply.send(deleted.map_err(Refusal::from));
        });
    }

    fn activate(&self, request: Request<Activate>, state: &mut Activating) -> Vec<Action<Letter>> {
        let (agent, now) = (request.message.agent, state.now());
        if state.machine.is_active(&agent) {
            request.reply.send(Ok(()));
            return Vec::new();
        }
        if !state.machine.knows(&agent) {
            request.reply.send(Err(not_found(&agent.into(), &self.parts.node)));
            return Vec::new();
        }
        let actions = state.machine.wanted(&agent, Wanted::ToRun, now);
        if state.machine.is_passive(&agent) {
            let text = format!("{agent} did not start a moment ago; it is left alone for a while");
            request.reply.send(Err(Refusal::new(ErrorCode::Overloaded, &text)));
        } else {
            state.starting.entry(agent).or_default().push(request.reply);
        }
        actions
    }

    fn passivate(&self, request: Request<Passivate>, state: &mut Activating) -> Vec<Action<Letter>> {
        let agent = request.message.agent;
        if !state.machine.knows(&agent) {
            request.reply.send(Err(not_found(&agent.into(), &self.parts.node)));
            return Vec::new();
        }
        let actions = state.machine.idle(&agent);
        if !actions.is_empty() {
            state.resting.entry(agent).or_default().push(request.reply);
        } else if state.machine.is_passive(&agent) {
            request.reply.send(Ok(()));
        } else {
            let refusal = if state.machine.is_resident(&agent) {
                let text = format!("{agent} is to run always: its specification has no rests_after_s");
                Refusal::new(ErrorCode::Refused, &text)
            } else {
                let text = format!("{agent} is just starting or coming to rest; try again");
                Refusal::new(ErrorCode::Overloaded, &text)
            };
            request.reply.send(Err(refusal));
        }
        actions
    }

    fn failed(&self, agent: &AgentId, epoch: Epoch, error: &StartError, state: &mut Activating) {
        let (failure, refusal) = match error {
            StartError::Unknown => (Failure::Unknown, not_found(&agent.clone().into(), &self.parts.node)),
            StartError::Failed(refusal) => (Failure::Failed, refusal.clone()),
        };
        tracing::warn!(%agent, %refusal, "agent does not start");
        answer(state.starting.remove(agent), &Err(refusal.clone()));
        if state.new.remove(agent) {
            return self.withdraw(agent.clone(), state);
        }
        let now = state.now();
        let actions = state.machine.failed(agent, epoch, failure, now);
        self.carry_out(actions, Some(&refusal), state);
    }

    /// An agent that was registered and has never run: it leaves no trace.
    fn withdraw(&self, agent: AgentId, state: &mut Activating) {
        let actions = state.machine.forget(&agent);
        let records = self.parts.records.clone();
        tasks::spawn("withdraw a registration", async move {
            if let Err(error) = records.delete(&agent).await {
                tracing::warn!(%agent, %error, "the record of an agent that does not start is not deleted");
            }
        });
        self.carry_out(actions, None, state);
    }

    /// Does it; `cause` is why an agent has just failed to start.
    fn carry_out(&self, actions: Vec<Action<Letter>>, cause: Option<&Refusal>, state: &Activating) {
        for action in actions {
            match action {
                Action::Activate { agent, epoch } => {
                    let (start, done) = (self.parts.guests.start(agent.clone(), epoch), state.handle.clone());
                    tasks::spawn("activate", async move {
                        let started = start.await;
                        done.signal(ActivatorMessage::Started(agent, epoch, started));
                    });
                }
                Action::Passivate { agent } => {
                    let (rest, done) = (self.parts.guests.rest(agent.clone()), state.handle.clone());
                    tasks::spawn("passivate", async move {
                        rest.await;
                        done.signal(ActivatorMessage::Rested(agent));
                    });
                }
                Action::Deliver { contents, .. } => {
                    contents
                        .into_iter()
                        .for_each(|letter| door::deliver(letter, &self.parts.endpoints, &self.parts.node));
                }
                Action::GiveBack(unwanted) => door::give_back(unwanted, cause, &self.parts.node),
                Action::Released { shard } => tracing::info!(shard = shard.number(), "shard released"),
            }
        }
    }
}

fn answer(waiting: Option<Vec<Reply<()>>>, with: &Result<(), Refusal>) {
    for reply in waiting.into_iter().flatten() {
        reply.send(with.clone());
    }
}
