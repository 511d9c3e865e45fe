//! The actor `@node/goals`: accepts goals for any agent of the cluster, and offers those that wait to the agents of this node.
//!
//! Supervised by the node, as a permanent child; it keeps no state. Decided elsewhere: whether an agent takes a goal, by its
//! kernel.
//!
//! Invariants:
//! 1. Who is told that a goal is accepted finds it in the agent's log or in the inbox, whatever ends when.
//! 2. A goal leaves the inbox when its agent has it durably, or has refused it for good.
//! 3. The actor waits for nobody: what takes time is done in tasks, of which there are at most [`MAX_AT_ONCE`].

use futures::{StreamExt as _, stream};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use rungs_agent::goals::{AcceptGoal, GoalEntry, TakeGoal, acceptor_of, kernel_of};
use rungs_directory::Directory;
use rungs_directory::inbox::{Accepted, GoalInbox, InboxError, Waiting};
use rungs_directory::records::Records;
use rungs_host::{
    Delivered, EndpointBuilder, Format, Handle, Mailbox, Payload, Refusal, Request, Router as _, Timer, Timers, tasks,
};
use rungs_types::goal::Origin;
use rungs_types::{AgentId, ErrorCode, GoalSpec};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How often the inbox is looked at for agents of this node.
const LOOK_PERIOD: Duration = Duration::from_secs(5);
/// How long whoever submits a goal waits for the agent to take it; then it is accepted, and the agent takes it later.
const TAKE_AT_ONCE_WITHIN: Duration = Duration::from_secs(2);
/// How long an agent may take, with its start if it rests, when nobody waits.
const TAKE_WITHIN: Duration = Duration::from_secs(30);
/// Goals that are being accepted at a time.
const MAX_AT_ONCE: usize = 256;
/// Goals that are being offered at a time.
const OFFERED_AT_ONCE: usize = 16;

/// What the actor receives.
#[derive(Debug)]
pub(crate) enum GoalsMessage {
    /// See [`AcceptGoal`].
    Accept(Box<Request<AcceptGoal>>),
    /// Time to look at the inbox.
    Look,
}

impl From<Request<AcceptGoal>> for GoalsMessage {
    fn from(request: Request<AcceptGoal>) -> Self {
        Self::Accept(Box::new(request))
    }
}

/// What it works with.
#[derive(Debug, Clone)]
pub(crate) struct Goals {
    pub(crate) directory: Directory,
    pub(crate) records: Records,
    pub(crate) inbox: GoalInbox,
}

/// See the module.
pub(crate) struct GoalsActor {
    goals: Goals,
    at_once: Arc<Semaphore>,
    /// One look at a time.
    looking: Arc<Semaphore>,
}

/// What becomes of a goal that was offered.
#[derive(Debug)]
enum Fate {
    /// The agent has it, durably.
    Set(GoalEntry),
    /// The agent will never take it.
    Refused(Refusal),
    /// Not now; it is offered again.
    Later(Refusal),
}

impl Fate {
    fn of(answer: Result<GoalEntry, Refusal>) -> Self {
        match answer {
            Ok(entry) => Self::Set(entry),
            Err(refusal) => match refusal.code {
                ErrorCode::Malformed | ErrorCode::Refused => Self::Refused(refusal),
                // Not found too: an agent that is being started again has no kernel.
                _ => Self::Later(refusal),
            },
        }
    }
}

impl GoalsActor {
    /// Starts the actor and makes it reachable.
    pub(crate) async fn start(
        goals: Goals,
        timers: &Timers,
        supervisor: ActorCell,
    ) -> Result<Handle<GoalsMessage>, SpawnErr> {
        let at = acceptor_of(goals.directory.node());
        let endpoints = Arc::clone(goals.directory.mesh().endpoints());
        let actor = Self {
            goals,
            at_once: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            looking: Arc::new(Semaphore::new(1)),
        };
        let (actor, _) = Actor::spawn_linked(None, actor, timers.clone(), supervisor).await?;
        let handle = Handle::new(actor, Mailbox::default());
        endpoints.register(
            at,
            EndpointBuilder::new(handle.clone()).receives::<AcceptGoal>().build(),
        );
        Ok(handle)
    }

    fn accept(&self, request: Request<AcceptGoal>) {
        let Request { message, reply } = request;
        let Ok(place) = Arc::clone(&self.at_once).try_acquire_owned() else {
            let text = "too many goals are being accepted on this node; submit it again, here or on another node";
            return reply.send(Err(Refusal::new(ErrorCode::Overloaded, text)));
        };
        let goals = self.goals.clone();
        tasks::spawn("accept a goal", async move {
            reply.send(goals.accept(message).await);
            drop(place);
        });
    }

    fn look(&self) {
        // One that takes longer than the period is looked after by itself.
        let Ok(place) = Arc::clone(&self.looking).try_acquire_owned() else {
            return;
        };
        let goals = self.goals.clone();
        tasks::spawn("offer goals", async move {
            goals.offer_all().await;
            drop(place);
        });
    }
}

impl Actor for GoalsActor {
    type Msg = Delivered<GoalsMessage>;
    type State = Timer;
    type Arguments = Timers;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, timers: Timers) -> Result<Timer, ActorProcessingErr> {
        let own = Handle::new(myself, Mailbox::default());
        Ok(timers.every("goal inbox", Duration::ZERO, LOOK_PERIOD, move |_| {
            own.signal(GoalsMessage::Look)
        })?)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        _: &mut Timer,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            GoalsMessage::Accept(request) => self.accept(*request),
            GoalsMessage::Look => self.look(),
        }
        Ok(())
    }
}

impl Goals {
    /// Makes a goal durable, then offers it to its agent; who submits it learns what the agent says, if it says it soon.
    async fn accept(&self, message: AcceptGoal) -> Result<GoalEntry, Refusal> {
        let AcceptGoal { agent, spec, key } = message;
        let spec = GoalSpec {
            origin: Origin::User,
            ..spec
        };
        spec.validate()
            .map_err(|error| Refusal::new(ErrorCode::Malformed, &error.to_string()))?;
        if self.records.get(&agent).await.map_err(Refusal::from)?.is_none() {
            let text = format!("no agent {agent} is registered");
            return Err(Refusal::new(ErrorCode::NotFound, &text));
        }
        let key = key.unwrap_or_else(|| format!("{}/{}", agent.name, spec.goal));
        let accepted = self.inbox.accept(&key, Waiting { agent, spec }).await;
        let accepted = accepted.map_err(|error| refusal(&error))?;
        match self.offer(&accepted, TAKE_AT_ONCE_WITHIN).await {
            Fate::Set(entry) => Ok(entry),
            Fate::Refused(refusal) => Err(refusal),
            Fate::Later(refusal) => {
                tracing::info!(agent = %accepted.waiting.agent, goal = %accepted.waiting.spec.goal, %refusal,
                    "a goal is accepted, and its agent has not taken it yet");
                Ok(GoalEntry::accepted(&accepted.waiting.spec))
            }
        }
    }

    /// Offers what waits to the agents whose shards are this node's.
    async fn offer_all(&self) {
        let node = self.directory.node();
        let own = |agent: &AgentId| self.directory.owner_of(agent).as_ref() == Some(node);
        let waiting = match self.inbox.waiting(own).await {
            Ok(waiting) => waiting,
            Err(error) => return tracing::warn!(%error, "the inbox of goals cannot be read"),
        };
        let offers = stream::iter(waiting).for_each_concurrent(OFFERED_AT_ONCE, async |accepted| {
            let (agent, goal) = (&accepted.waiting.agent, &accepted.waiting.spec.goal);
            match self.offer(&accepted, TAKE_WITHIN).await {
                Fate::Set(_) => {}
                Fate::Refused(refusal) => tracing::warn!(%agent, %goal, %refusal, "an accepted goal is not set"),
                Fate::Later(refusal) => {
                    tracing::debug!(%agent, %goal, %refusal, "a goal waits on");
                    if refusal.code == ErrorCode::NotFound {
                        self.forget_if_unregistered(&accepted).await;
                    }
                }
            }
        });
        offers.await;
    }

    /// An agent that is no more takes no goal.
    async fn forget_if_unregistered(&self, accepted: &Accepted) {
        let (agent, goal) = (&accepted.waiting.agent, &accepted.waiting.spec.goal);
        if matches!(self.records.get(agent).await, Ok(None)) && self.inbox.take_out(accepted).await.is_ok() {
            tracing::warn!(%agent, %goal, "an accepted goal is given up: its agent is registered no more");
        }
    }

    /// Offers a goal to its agent, wherever it is, and takes it out of the inbox if that settles it.
    async fn offer(&self, accepted: &Accepted, within: Duration) -> Fate {
        let fate = Fate::of(self.ask(accepted, within).await);
        if !matches!(fate, Fate::Later(_))
            && let Err(error) = self.inbox.take_out(accepted).await
        {
            // The agent knows it again when it is offered once more.
            tracing::debug!(%error, "a goal that was taken is still in the inbox");
        }
        fate
    }

    async fn ask(&self, accepted: &Accepted, within: Duration) -> Result<GoalEntry, Refusal> {
        let Waiting { agent, spec } = &accepted.waiting;
        let take = TakeGoal {
            spec: spec.clone(),
            number: accepted.number,
        };
        let payload = Payload::of(&take, Format::Binary)?;
        self.directory.ask(kernel_of(agent), payload, within).await?.decode()
    }
}

fn refusal(error: &InboxError) -> Refusal {
    let code = match error {
        InboxError::Key { .. } => ErrorCode::Malformed,
        InboxError::Taken { .. } => ErrorCode::Refused,
        InboxError::Full { .. } | InboxError::Write(_) | InboxError::Read(_) => ErrorCode::Overloaded,
    };
    Refusal::new(code, &error.to_string())
}
