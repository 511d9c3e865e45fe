//! The actor `@node/activator`: carries out what the [`Activator`] decides. It starts agents and lets them rest through
//! [`Guests`], gives them what waited, and tells senders why something cannot be given.
//!
//! Supervised by the node, as a permanent child. Decided elsewhere: everything, by [`super::machine`].
//!
//! Invariants:
//! 1. It waits for nobody: starts and rests run as tasks of their own and come back as messages.
//! 2. Whoever waits for an answer gets one, or learns by the end of the actor that there will be none.

use super::action::{Action, Failure, Wanted};
use super::index::Index;
use super::limits::Limits;
use super::machine::Activator;
use super::messages::{Activate, Passivate};
use super::waiting::{Parcel, Unwanted, Why};
use crate::placement::Shard;
use futures::future::BoxFuture;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use rungs_host::endpoints::ReplySender;
use rungs_host::{
    Context, Delivered, EndpointBuilder, Endpoints, Handle, Mailbox, Payload, Refusal, Reply, Request, Timer, Timers,
    tasks,
};
use rungs_mesh::mesh::not_found;
use rungs_types::{Address, AgentId, Epoch, ErrorCode, NodeName, RolePath};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The role of the activator on each node.
pub const ROLE: &str = "activator";
/// How often it looks for agents that are idle, and for messages that nobody waits for any more.
const TICK: Duration = Duration::from_secs(1);
/// Messages that its mailbox holds, on their way to what waits.
const MAX_MESSAGES: u32 = 65_536;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 64 << 20;

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
    /// An operator wants an agent to run.
    Activate(Request<Activate>),
    /// An operator wants an agent to rest.
    Passivate(Request<Passivate>),
    /// An agent runs, or does not.
    Started(AgentId, Epoch, Result<(), StartError>),
    /// An agent has ended.
    Rested(AgentId),
    /// These shards are this node's from now on.
    Own(Vec<(Shard, Epoch, Index)>),
    /// An agent was registered: whether it is to run always.
    Register(AgentId, bool),
    /// An agent was deleted.
    Forget(AgentId),
    /// Time has passed.
    Tick,
}

impl From<Request<Activate>> for ActivatorMessage {
    fn from(request: Request<Activate>) -> Self {
        Self::Activate(request)
    }
}

impl From<Request<Passivate>> for ActivatorMessage {
    fn from(request: Request<Passivate>) -> Self {
        Self::Passivate(request)
    }
}

/// The way to the activator of this node; cheap to clone.
#[derive(Debug, Clone)]
pub struct Activation {
    handle: Handle<ActivatorMessage>,
}

impl Activation {
    /// Starts the activator below its supervisor and makes it reachable.
    pub async fn start(
        node: NodeName,
        guests: Arc<dyn Guests>,
        endpoints: Arc<Endpoints>,
        timers: Timers,
        limits: Limits,
        supervisor: ActorCell,
    ) -> Result<Self, SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let actor = ActivatorActor {
            node,
            guests,
            endpoints,
            timers,
            limits,
            mailbox: Arc::clone(&mailbox),
        };
        let (actor, _) = Actor::spawn_linked(None, actor, (), supervisor).await?;
        Ok(Self {
            handle: Handle::sharing(actor, mailbox),
        })
    }

    /// For the supervisor.
    pub fn cell(&self) -> ActorCell {
        self.handle.cell()
    }

    /// Gives a message to an agent of this node that has no endpoint, at the latest until a moment.
    ///
    /// # Errors
    /// If too much is on its way already. Whatever else goes wrong is the answer to the letter.
    pub fn want(&self, agent: &AgentId, letter: Letter, until: Instant) -> Result<(), Refusal> {
        let bytes = letter.payload.bytes.len() as u64;
        let message = ActivatorMessage::Wanted(agent.clone(), Box::new(letter), until);
        Ok(self.handle.tell_with(message, Context::default(), bytes)?)
    }

    /// These shards are this node's from now on, each with an epoch and the agents that are known.
    pub fn own(&self, shards: Vec<(Shard, Epoch, Index)>) {
        self.handle.signal(ActivatorMessage::Own(shards));
    }

    /// An agent of this node was registered; `resident`: it is to run always.
    pub fn register(&self, agent: AgentId, resident: bool) {
        self.handle.signal(ActivatorMessage::Register(agent, resident));
    }

    /// An agent of this node was deleted, and has been stopped.
    pub fn forget(&self, agent: AgentId) {
        self.handle.signal(ActivatorMessage::Forget(agent));
    }

    /// An agent of this node has ended without having been told to by the activator.
    pub fn ended(&self, agent: AgentId) {
        self.handle.signal(ActivatorMessage::Rested(agent));
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
struct ActivatorActor {
    node: NodeName,
    guests: Arc<dyn Guests>,
    endpoints: Arc<Endpoints>,
    timers: Timers,
    limits: Limits,
    mailbox: Arc<Mailbox>,
}

/// The state of an [`ActivatorActor`].
struct Activating {
    handle: Handle<ActivatorMessage>,
    machine: Activator<Letter>,
    began: Instant,
    /// Who waits for an agent to run, and who for one to rest.
    starting: BTreeMap<AgentId, Vec<Reply<()>>>,
    resting: BTreeMap<AgentId, Vec<Reply<()>>>,
    _tick: Timer,
}

impl Activating {
    fn now(&self) -> Duration {
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
            .receives::<Activate>()
            .receives::<Passivate>();
        self.endpoints.register(address(&self.node), endpoint.build());
        let ticked = handle.clone();
        let tick = self
            .timers
            .every("activator", TICK, TICK, move |_| ticked.signal(ActivatorMessage::Tick))?;
        Ok(Activating {
            handle,
            machine: Activator::new(self.limits),
            began: Instant::now(),
            starting: BTreeMap::new(),
            resting: BTreeMap::new(),
            _tick: tick,
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
            ActivatorMessage::Own(shards) => shards
                .into_iter()
                .flat_map(|(shard, epoch, known)| state.machine.own(shard, epoch, known))
                .collect(),
            ActivatorMessage::Register(agent, resident) => state.machine.register(&agent, resident).1,
            ActivatorMessage::Forget(agent) => state.machine.forget(&agent),
            ActivatorMessage::Tick => {
                let mut actions = state.machine.sweep(now);
                let idle = self.guests.idle();
                actions.extend(idle.iter().flat_map(|agent| state.machine.idle(agent)));
                actions
            }
        };
        self.carry_out(actions, None, state);
        Ok(())
    }
}

impl ActivatorActor {
    fn activate(&self, request: Request<Activate>, state: &mut Activating) -> Vec<Action<Letter>> {
        let (agent, now) = (request.message.agent, state.now());
        if state.machine.is_active(&agent) {
            request.reply.send(Ok(()));
            return Vec::new();
        }
        if !state.machine.knows(&agent) {
            request.reply.send(Err(not_found(&agent.into(), &self.node)));
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
            request.reply.send(Err(not_found(&agent.into(), &self.node)));
            return Vec::new();
        }
        let actions = state.machine.idle(&agent);
        if !actions.is_empty() {
            state.resting.entry(agent).or_default().push(request.reply);
        } else if state.machine.is_passive(&agent) {
            request.reply.send(Ok(()));
        } else {
            let text = format!("{agent} is to run always, or is just starting or coming to rest");
            request.reply.send(Err(Refusal::new(ErrorCode::Refused, &text)));
        }
        actions
    }

    fn failed(&self, agent: &AgentId, epoch: Epoch, error: &StartError, state: &mut Activating) {
        let (failure, refusal) = match error {
            StartError::Unknown => (Failure::Unknown, not_found(&agent.clone().into(), &self.node)),
            StartError::Failed(refusal) => (Failure::Failed, refusal.clone()),
        };
        tracing::warn!(%agent, %refusal, "agent does not start");
        answer(state.starting.remove(agent), &Err(refusal.clone()));
        let now = state.now();
        let actions = state.machine.failed(agent, epoch, failure, now);
        self.carry_out(actions, Some(&refusal), state);
    }

    /// Does it; `cause` is why an agent has just failed to start.
    fn carry_out(&self, actions: Vec<Action<Letter>>, cause: Option<&Refusal>, state: &Activating) {
        for action in actions {
            match action {
                Action::Activate { agent, epoch } => {
                    let (start, done) = (self.guests.start(agent.clone(), epoch), state.handle.clone());
                    tasks::spawn("activate", async move {
                        let started = start.await;
                        done.signal(ActivatorMessage::Started(agent, epoch, started));
                    });
                }
                Action::Passivate { agent } => {
                    let (rest, done) = (self.guests.rest(agent.clone()), state.handle.clone());
                    tasks::spawn("passivate", async move {
                        rest.await;
                        done.signal(ActivatorMessage::Rested(agent));
                    });
                }
                Action::Deliver { contents, .. } => contents.into_iter().for_each(|letter| self.deliver(letter)),
                Action::GiveBack(unwanted) => self.give_back(unwanted, cause),
                Action::Released { shard } => tracing::info!(shard = shard.number(), "shard released"),
            }
        }
    }

    fn deliver(&self, letter: Letter) {
        let Letter {
            to,
            payload,
            context,
            reply,
        } = letter;
        let Some(endpoint) = self.endpoints.get(&to) else {
            return refuse(reply, not_found(&to, &self.node));
        };
        let Some(asker) = reply else {
            // Of a `tell` nobody learns.
            drop(endpoint.deliver(payload, context, None));
            return;
        };
        // The way back goes with the message, and is lost with one that is refused at the door: the asker keeps its own.
        let (reply, answered) = oneshot::channel();
        match endpoint.deliver(payload, context, Some(reply)) {
            Err(refusal) => refuse(Some(asker), refusal),
            Ok(()) => drop(tasks::spawn("answer of an agent that was started", async move {
                let ended = || {
                    Refusal::new(
                        ErrorCode::TargetEnded,
                        &format!("{to} ended; the message may have been executed"),
                    )
                };
                let answer = answered.await.unwrap_or_else(|_| Err(ended()));
                drop(asker.send(answer));
            })),
        }
    }

    fn give_back(&self, unwanted: Unwanted<Letter>, cause: Option<&Refusal>) {
        let Unwanted { agent, content, why } = unwanted;
        let text = match why {
            Why::Unknown => return refuse(content.reply, not_found(&content.to, &self.node)),
            Why::Full => format!("too much waits for {agent} to start"),
            Why::Failing { .. } => match cause {
                Some(cause) => format!("{agent} does not start: {}", cause.message),
                None => format!("{agent} did not start a moment ago"),
            },
            Why::Late => format!("{agent} did not start in time; nothing was executed"),
            Why::Moved => format!("{agent} is moving to another node; nothing was executed"),
        };
        let retry_after_ms = match why {
            Why::Failing { retry_after } => Some(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX)),
            _ => None,
        };
        let refusal = Refusal {
            retry_after_ms,
            ..Refusal::new(why.code(), &text)
        };
        refuse(content.reply, refusal);
    }
}

fn answer(waiting: Option<Vec<Reply<()>>>, with: &Result<(), Refusal>) {
    for reply in waiting.into_iter().flatten() {
        reply.send(with.clone());
    }
}

/// Tells the sender, if it waits for an answer; of a `tell` nobody learns.
fn refuse(reply: ReplySender, refusal: Refusal) {
    if let Some(reply) = reply {
        // An asker that no longer waits is no error.
        drop(reply.send(Err(refusal)));
    }
}
