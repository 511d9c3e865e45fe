//! A host: the supervisor of up to 256 agents.
//!
//! Supervised by the top of the hosts; when it is started again its agents are too. Decided elsewhere: what the end of an
//! agent means, by the agent's own ladder, before the end by its root and otherwise here.
//!
//! Invariant: each agent's end, pause and start concern that agent alone; the host waits for none of them.

use super::top::HostsMessage;
use crate::agent::{self, Root, words};
use crate::error::AgentError;
use crate::messages::{AgentEntry, AgentState};
use crate::runtime::AgentRuntime;
use crate::shared::{End, Shared};
use crate::tree::{Tree, role};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use rungs_host::hosting::Hosting;
use rungs_host::supervisor::plan::Request as ChildRequest;
use rungs_host::supervisor::{Change, ChildSpec, Children, Exited, Policy, Restart, Started, StopOrder};
use rungs_host::{Delivered, Handle, Mailbox, Refusal, Reply, Timer, TreeView};
use rungs_mind::ladder::{Action, Fault};
use rungs_types::{Address, AgentId, Cause, EventKind, RolePath};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long an agent may take to stop, with its last snapshot.
const AGENT_STOP_WITHIN: Duration = Duration::from_secs(15);
/// Messages that a host's mailbox holds; the top sends past it, and bounds what it sends by the number of agents.
const MAX_MESSAGES: u32 = 1024;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 1024 * 1024;

/// How a host treats its agents. They are temporary children: the ladder of each decides about its restarts.
const POLICY: Policy = Policy {
    stop_order: StopOrder::Together,
    stop_within_ms: 20_000,
    ..Policy::HOST
};

/// What a host receives.
#[derive(Debug)]
pub(super) enum HostMessage {
    /// Start this agent; somebody may wait for it.
    Start(Arc<Shared>, Option<Reply<AgentEntry>>),
    /// Stop this agent and forget it.
    Stop(AgentId, Reply<AgentEntry>),
    /// Start this parked agent again.
    Unpark(AgentId, Reply<AgentEntry>),
    /// The start of an agent is complete.
    Booted(AgentId),
    /// The pause before an agent's next start is over.
    Due(AgentId),
    /// Something is due for the children.
    Wake,
}

/// The way to a host, also after it was started again.
#[derive(Debug, Clone, Default)]
pub(super) struct HostLink(Arc<Mutex<Option<Handle<HostMessage>>>>);

impl HostLink {
    pub(super) fn set(&self, handle: Handle<HostMessage>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }

    /// Sends; a caller whose message is lost with its host learns that nobody answers.
    pub(super) fn signal(&self, message: HostMessage) {
        if let Some(handle) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            handle.signal(message);
        }
    }
}

/// See the module.
pub(super) struct HostActor {
    runtime: Arc<AgentRuntime>,
    top: Handle<HostsMessage>,
    mailbox: Arc<Mailbox>,
    view: TreeView,
}

/// An agent of this host.
struct Guest {
    shared: Arc<Shared>,
    /// It has not run yet: if it does not start, it is forgotten.
    new: bool,
    /// Why it is being started again.
    cause: Option<Cause>,
    /// Who waits for its start.
    starting: Option<Reply<AgentEntry>>,
    /// Who waits for its end.
    stopping: Vec<Reply<AgentEntry>>,
    /// The pause before its next start.
    pause: Option<Timer>,
}

/// The state of a [`HostActor`].
pub(super) struct Guests {
    handle: Handle<HostMessage>,
    children: Children,
    guests: BTreeMap<RolePath, Guest>,
}

/// An agent's role below its host: its full name.
fn guest_role(agent: &AgentId) -> RolePath {
    RolePath::new(&agent.to_string()).expect("invariant: names are segments of a role, and two of them fit")
}

impl HostActor {
    pub(super) async fn spawn(
        runtime: Arc<AgentRuntime>,
        top: Handle<HostsMessage>,
        role: RolePath,
        supervisor: ActorCell,
    ) -> Result<(Handle<HostMessage>, Started), SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let view = TreeView::new();
        let hosting = Hosting {
            address: Address::Node {
                node: runtime.node.clone(),
                role,
            },
            mailbox: Arc::clone(&mailbox),
            faults: Arc::clone(&runtime.faults),
            meter: Arc::default(),
        };
        let actor = Self {
            runtime,
            top,
            mailbox,
            view: view.clone(),
        };
        let handle = hosting.spawn(actor, (), supervisor).await?;
        let started = Started::from(&handle).with_subtree(view);
        Ok((handle, started))
    }
}

impl Actor for HostActor {
    type Msg = Delivered<HostMessage>;
    type State = Guests;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, (): ()) -> Result<Guests, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let wake = handle.clone();
        let children = Children::new(POLICY, 0, self.runtime.timers.clone(), move || {
            wake.signal(HostMessage::Wake)
        });
        Ok(Guests {
            handle,
            children: children.publishing(self.view.clone()),
            guests: BTreeMap::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Guests,
    ) -> Result<(), ActorProcessingErr> {
        let cell = myself.get_cell();
        match delivered.message {
            HostMessage::Start(shared, reply) => self.start(shared, reply, &cell, state).await?,
            HostMessage::Stop(agent, reply) => self.stop(agent, reply, &cell, state).await?,
            HostMessage::Unpark(agent, reply) => self.unpark(agent, reply, &cell, state).await?,
            HostMessage::Booted(agent) => self.booted(&agent, state),
            HostMessage::Due(agent) => {
                if let Some(guest) = state.guests.get_mut(&guest_role(&agent)) {
                    guest.pause = None;
                    self.launch(&guest_role(&agent), &cell, state).await?;
                }
            }
            HostMessage::Wake => drop(state.children.wake(&cell).await?),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Guests,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(exited) = state.children.observe(&event) {
            // The event holds the root's last state, and with it its entry in the endpoints table.
            drop(event);
            self.ended(&exited, state);
            state.children.react(exited, &myself.get_cell()).await?;
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Guests) -> Result<(), ActorProcessingErr> {
        state.children.shutdown().await;
        for guest in state.guests.values() {
            guest.shared.rest(AgentState::Stopped);
        }
        Ok(())
    }
}

impl HostActor {
    async fn start(
        &self,
        shared: Arc<Shared>,
        reply: Option<Reply<AgentEntry>>,
        myself: &ActorCell,
        state: &mut Guests,
    ) -> Result<(), ActorProcessingErr> {
        let role = guest_role(shared.agent());
        // Without a caller it is started again after its host has failed.
        let cause = reply.is_none().then(|| Cause::Panic {
            role: crate::tree::role(super::ROLE),
            message: "the host failed".into(),
        });
        let guest = Guest {
            shared,
            new: reply.is_some(),
            cause,
            starting: reply,
            stopping: Vec::new(),
            pause: None,
        };
        state.guests.insert(role.clone(), guest);
        self.launch(&role, myself, state).await
    }

    /// Starts the tree; how its boot went comes as a message.
    async fn launch(&self, role: &RolePath, myself: &ActorCell, state: &mut Guests) -> Result<(), ActorProcessingErr> {
        let Some(guest) = state.guests.get(role) else {
            return Ok(());
        };
        let shared = Arc::clone(&guest.shared);
        shared.rest(AgentState::Starting);
        shared.hear(self.runtime.clock.elapsed());
        shared.begin_generation();
        let (runtime, host) = (Arc::clone(&self.runtime), state.handle.clone());
        let child = ChildSpec::new(role.clone(), Restart::Temporary, move |context| {
            let tree = Arc::new(Tree::new(Arc::clone(&runtime), Arc::clone(&shared)));
            let (host, agent) = (host.clone(), shared.agent().clone());
            let ready = Box::new(move || host.signal(HostMessage::Booted(agent)));
            async move {
                let (_, started) = Root::spawn(tree, ready, context.supervisor).await?;
                Ok(started)
            }
        });
        state.children.add(child.stop_within(AGENT_STOP_WITHIN))?;
        let changes = state.children.request(role, ChildRequest::Start, myself).await??;
        for change in changes {
            if let Change::Forgotten { exit, .. } = change {
                self.failed(role, &words(&exit), state);
            }
        }
        Ok(())
    }

    fn booted(&self, agent: &AgentId, state: &mut Guests) {
        let Some(guest) = state.guests.get_mut(&guest_role(agent)) else {
            return;
        };
        guest.new = false;
        if let Some(reply) = guest.starting.take() {
            reply.send(Ok(guest.shared.entry()));
        }
        if let Some(cause) = guest.cause.take() {
            let (role, generation) = (role(agent::ROLE), guest.shared.entry().generation);
            let restarted = EventKind::Restarted {
                role,
                generation,
                cause,
            };
            guest.shared.log.emit(guest.shared.cycle(), restarted);
        }
    }

    /// A root has ended.
    fn ended(&self, exited: &Exited, state: &mut Guests) {
        let Some(guest) = state.guests.get(&exited.role) else {
            return;
        };
        guest.shared.governor.detach();
        if exited.as_told {
            self.forget(&exited.role, state);
        } else {
            self.failed(&exited.role, &words(&exited.exit), state);
        }
    }

    /// A root has ended, on purpose or not, without having been told to; or it has not even started.
    fn failed(&self, role: &RolePath, words: &str, state: &mut Guests) {
        let host = state.handle.clone();
        let Some(guest) = state.guests.get_mut(role) else {
            return;
        };
        let shared = Arc::clone(&guest.shared);
        let agent = shared.agent().clone();
        let end = shared.take_end();
        if let Some(reply) = guest.starting.take() {
            let error = match &end {
                Some(End::NotBooted(error)) => error.clone(),
                _ => AgentError::NotStarted {
                    agent: agent.clone(),
                    reason: words.to_owned(),
                },
            };
            reply.send(Err(Refusal::from(error)));
        }
        if guest.new {
            self.forget(role, state);
            return;
        }
        let end = match end {
            Some(End::NotBooted(_)) | None => self.decide(&shared, words),
            Some(end) => end,
        };
        match end {
            End::Restart { delay, cause } => {
                shared.rest(AgentState::Waiting);
                guest.cause = Some(cause);
                let due = host.clone();
                let name = agent.clone();
                match self
                    .runtime
                    .timers
                    .once("restart", delay, move || due.signal(HostMessage::Due(name)))
                {
                    Ok(timer) => guest.pause = Some(timer),
                    // Better too early than never.
                    Err(_) => host.signal(HostMessage::Due(agent)),
                }
            }
            End::Park | End::NotBooted(_) => shared.rest(AgentState::Parked),
        }
    }

    /// A root that could not decide about its own end: its ladder is asked here, and its events are told.
    fn decide(&self, shared: &Shared, words: &str) -> End {
        let (role, message) = (role(agent::ROLE), words.to_owned());
        let at = self.runtime.at(shared.cycle());
        shared.governor.fault(&Fault::KernelFailed { role, message }, at);
        let mut end = End::Park;
        while let Some(decision) = shared.governor.next() {
            for action in decision.actions {
                match action {
                    Action::Emit(kind) => shared.log.emit(decision.at.cycle, kind),
                    Action::RestartAgent { delay_ms, cause } => {
                        end = End::Restart {
                            delay: Duration::from_millis(delay_ms),
                            cause,
                        };
                    }
                    Action::Park { .. } => end = End::Park,
                    // The next tree is brought in line with the ladder when it starts.
                    _ => {}
                }
            }
        }
        end
    }

    async fn stop(
        &self,
        agent: AgentId,
        reply: Reply<AgentEntry>,
        myself: &ActorCell,
        state: &mut Guests,
    ) -> Result<(), ActorProcessingErr> {
        let role = guest_role(&agent);
        let Some(guest) = state.guests.get_mut(&role) else {
            reply.send(Err(Refusal::from(AgentError::NotHere { agent })));
            return Ok(());
        };
        guest.stopping.push(reply);
        if state.children.plan().child(&role).is_none() {
            // It rests: there is nothing to wait for.
            self.forget(&role, state);
            return Ok(());
        }
        state.children.request(&role, ChildRequest::Remove, myself).await??;
        Ok(())
    }

    async fn unpark(
        &self,
        agent: AgentId,
        reply: Reply<AgentEntry>,
        myself: &ActorCell,
        state: &mut Guests,
    ) -> Result<(), ActorProcessingErr> {
        let role = guest_role(&agent);
        let parked = |guest: &&mut Guest| guest.shared.entry().state == AgentState::Parked;
        let Some(guest) = state.guests.get_mut(&role).filter(parked) else {
            reply.send(Err(Refusal::from(AgentError::NotParked { agent })));
            return Ok(());
        };
        guest.starting = Some(reply);
        guest.shared.governor.unpark(self.runtime.at(guest.shared.cycle()));
        self.launch(&role, myself, state).await
    }

    /// The agent is no longer of this host.
    fn forget(&self, role: &RolePath, state: &mut Guests) {
        let Some(guest) = state.guests.remove(role) else {
            return;
        };
        guest.shared.rest(AgentState::Stopped);
        let entry = guest.shared.entry();
        self.top.signal(HostsMessage::Gone(entry.agent.clone()));
        for reply in guest.stopping {
            reply.send(Ok(entry.clone()));
        }
    }
}
