//! [`SupervisorActor`]: a supervisor that only supervises. The trees of a node are made of it: node root, hosts of
//! agents, users' actors. Supervised by its own parent; the root by nobody.
//!
//! Decisions: [`plan`](super::plan). When it escalates it has drained its children and then fails; when it stops or
//! drains it has drained them too.

use super::change::{Change, ShutdownReport};
use super::child::{ChildSpec, Started};
use super::children::Children;
use super::plan::{ChildState, PlanError, Request};
use super::policy::Policy;
use super::tree::TreeView;
use crate::delivered::{AskError, Delivered, Handle};
use crate::mailbox::Mailbox;
use crate::timer::Timers;
use crate::wire::{Refusal, Reply};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use rungs_types::{ErrorCode, RolePath};
use std::sync::Arc;
use std::time::Duration;

/// Callers that may wait for children to stop at the same time.
const MAX_WAITING: usize = 1024;

/// Told of every change; it only sends or logs.
pub type Observer = Arc<dyn Fn(&Change) + Send + Sync>;

/// What a [`SupervisorActor`] is made of.
pub struct SupervisorSpec {
    /// How it treats its children.
    pub policy: Policy,
    /// Spreads the pauses of supervisors that are otherwise equal.
    pub seed: u64,
    /// The node's timer wheel.
    pub timers: Timers,
    /// The children to begin with, in order of start.
    pub children: Vec<ChildSpec>,
    /// Told of every change.
    pub observer: Option<Observer>,
}

/// What a [`SupervisorActor`] receives.
#[derive(Debug)]
pub enum SupervisorMessage {
    /// Adds a child and starts it.
    Add(ChildSpec, Reply<()>),
    /// Asks something of a child; answered when it is so, or when a stop is done.
    Request(RolePath, Request, Reply<()>),
    /// Something has become due.
    Wake,
}

/// See the module.
pub struct SupervisorActor;

/// The state of a [`SupervisorActor`].
pub struct Supervising {
    children: Children,
    observer: Option<Observer>,
    // Who waits for which child to stop.
    waiting: Vec<(RolePath, Reply<()>)>,
}

/// A cheap, cloneable way to a [`SupervisorActor`].
#[derive(Clone)]
pub struct SupervisorHandle {
    handle: Handle<SupervisorMessage>,
    view: TreeView,
}

impl SupervisorHandle {
    /// Starts a supervisor, below `parent` or as a root.
    pub async fn spawn(spec: SupervisorSpec, parent: Option<ActorCell>) -> Result<Self, SpawnErr> {
        let mailbox = Arc::new(Mailbox::default());
        let view = TreeView::new();
        let arguments = (spec, Arc::clone(&mailbox), view.clone());
        let (actor, _) = match parent {
            Some(parent) => Actor::spawn_linked(None, SupervisorActor, arguments, parent).await?,
            None => Actor::spawn(None, SupervisorActor, arguments).await?,
        };
        let handle = Handle::sharing(actor, mailbox);
        Ok(Self { handle, view })
    }

    /// Adds a child behind all others and starts it.
    pub async fn add(&self, child: ChildSpec, deadline: Duration) -> Result<(), AskError> {
        self.handle
            .ask(deadline, |reply| SupervisorMessage::Add(child, reply))
            .await
    }

    /// Asks a child to start, to stop or to stop and be forgotten; returns when it has.
    pub async fn request(&self, role: RolePath, request: Request, deadline: Duration) -> Result<(), AskError> {
        let message = |reply| SupervisorMessage::Request(role, request, reply);
        self.handle.ask(deadline, message).await
    }

    /// The actor, to be linked to.
    pub fn cell(&self) -> ActorCell {
        self.handle.cell()
    }

    /// What it supervises, as the shell shows it.
    pub fn view(&self) -> &TreeView {
        &self.view
    }

    /// Drains the supervisor, and it its children, and waits at most `deadline`; `false` if it is not done by then.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        // One that has ended cannot be drained, and needs no waiting either.
        drop(self.cell().drain());
        self.cell().wait(Some(deadline)).await.is_ok()
    }

    /// For the supervisor above.
    pub fn started(&self) -> Started {
        Started::from(&self.handle).with_subtree(self.view.clone())
    }
}

impl Actor for SupervisorActor {
    type Msg = Delivered<SupervisorMessage>;
    type State = Supervising;
    type Arguments = (SupervisorSpec, Arc<Mailbox>, TreeView);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (spec, mailbox, view): Self::Arguments,
    ) -> Result<Supervising, ActorProcessingErr> {
        let handle = Handle::sharing(myself.clone(), mailbox);
        let wake = move || handle.signal(SupervisorMessage::Wake);
        let mut children = Children::new(spec.policy, spec.seed, spec.timers, wake).publishing(view);
        for child in spec.children {
            children.add(child)?;
        }
        let mut state = Supervising {
            children,
            observer: spec.observer,
            waiting: Vec::new(),
        };
        let changes = state.children.start_all(&myself.get_cell()).await?;
        state.tell(changes);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Supervising,
    ) -> Result<(), ActorProcessingErr> {
        let myself = myself.get_cell();
        let changes = match delivered.message {
            SupervisorMessage::Wake => state.children.wake(&myself).await?,
            SupervisorMessage::Add(spec, reply) => {
                let role = spec.role().clone();
                match state.children.add(spec) {
                    Ok(()) => state.request(role, Request::Start, reply, &myself).await?,
                    Err(error) => refuse(reply, &error),
                }
            }
            SupervisorMessage::Request(role, request, reply) => state.request(role, request, reply, &myself).await?,
        };
        state.tell(changes);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Supervising,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(exited) = state.children.observe(&event) {
            let changes = state.children.react(exited, &myself.get_cell()).await?;
            state.tell(changes);
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Supervising) -> Result<(), ActorProcessingErr> {
        let ShutdownReport { killed, abandoned, .. } = state.children.shutdown().await;
        if !killed.is_empty() || !abandoned.is_empty() {
            tracing::warn!(?killed, ?abandoned, "children did not stop in time");
        }
        Ok(())
    }
}

impl Supervising {
    async fn request(
        &mut self,
        role: RolePath,
        request: Request,
        reply: Reply<()>,
        myself: &ActorCell,
    ) -> Result<Vec<Change>, ActorProcessingErr> {
        let changes = match self.children.request(&role, request, myself).await {
            Ok(changes) => changes?,
            Err(error) => return Ok(refuse(reply, &error)),
        };
        let stopping = self.children.plan().child(&role).map(|child| child.state);
        if !matches!(stopping, Some(ChildState::Stopping { .. })) {
            reply.send(Ok(()));
        } else if self.waiting.len() < MAX_WAITING {
            self.waiting.push((role, reply));
        } else {
            let text = format!("{MAX_WAITING} callers wait for children to stop; expected fewer");
            reply.send(Err(Refusal::new(ErrorCode::Overloaded, &text)));
        }
        Ok(changes)
    }

    /// Answers who waited for a child to stop, and tells the observer.
    fn tell(&mut self, changes: Vec<Change>) {
        for change in &changes {
            if let Some(observer) = &self.observer {
                observer(change);
            }
        }
        let plan = self.children.plan();
        let stops = |role: &RolePath| {
            let state = plan.child(role).map(|child| child.state);
            matches!(state, Some(ChildState::Stopping { .. }))
        };
        for (_, reply) in self.waiting.extract_if(.., |(role, _)| !stops(role)) {
            reply.send(Ok(()));
        }
    }
}

fn refuse(reply: Reply<()>, error: &PlanError) -> Vec<Change> {
    let code = match error {
        PlanError::Unknown { .. } => ErrorCode::NotFound,
        PlanError::Full => ErrorCode::Overloaded,
        PlanError::Duplicate { .. } | PlanError::Closing => ErrorCode::Refused,
    };
    reply.send(Err(Refusal::new(code, &error.to_string())));
    Vec::new()
}
