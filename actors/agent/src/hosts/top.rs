//! The top of the hosts: knows which agents there are, gives each to a host, and starts hosts as they are needed.
//!
//! Supervised by the node. Decides only who goes where: the first host that has room.
use super::host::{HostActor, HostLink, HostMessage};
use super::{AGENTS_PER_HOST, ROLE, Row, Table};
use crate::error::AgentError;
use crate::governor::Governor;
use crate::log::EventLog;
use crate::messages::{AgentEntry, ListAgents, MAX_LISTED_AGENTS, SpawnAgent, StopAgent, UnparkAgent};
use crate::runtime::AgentRuntime;
use crate::shared::Shared;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use rungs_host::supervisor::plan::Request as ChildRequest;
use rungs_host::supervisor::{Change, ChildSpec, Children, Policy, Restart, StopOrder};
use rungs_host::{Delivered, EndpointBuilder, Handle, Mailbox, Refusal, Reply, Request, TreeView};
use rungs_mind::ladder::Ladder;
use rungs_types::{Address, AgentId, AgentSpec, RolePath};
use std::sync::Arc;
use std::time::Duration;

/// How long a host may take to stop its agents.
const STOP_WITHIN: Duration = Duration::from_secs(25);

/// How the top treats its hosts.
const POLICY: Policy = Policy {
    stop_within_ms: 30_000,
    stop_order: StopOrder::Together,
    ..Policy::ONE_FOR_ONE
};

/// What the top receives.
#[derive(Debug)]
pub(crate) enum HostsMessage {
    /// See [`SpawnAgent`].
    Spawn(Request<SpawnAgent>),
    /// See [`StopAgent`].
    Stop(Request<StopAgent>),
    /// See [`UnparkAgent`].
    Unpark(Request<UnparkAgent>),
    /// See [`ListAgents`].
    List(Request<ListAgents>),
    /// An agent has been stopped, or never ran: its name is free.
    Gone(AgentId),
    /// Something is due for the hosts.
    Wake,
}

macro_rules! received {
    ($($wire:ident => $variant:ident),+ $(,)?) => {$(
        impl From<Request<$wire>> for HostsMessage {
            fn from(request: Request<$wire>) -> Self {
                Self::$variant(request)
            }
        }
    )+};
}
received!(SpawnAgent => Spawn, StopAgent => Stop, UnparkAgent => Unpark, ListAgents => List);

/// See the module.
pub(super) struct Top {
    pub(super) runtime: Arc<AgentRuntime>,
    pub(super) table: Arc<Table>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) view: TreeView,
}

/// The state of a [`Top`].
pub(super) struct Topped {
    handle: Handle<HostsMessage>,
    children: Children,
    hosts: Vec<HostLink>,
}

fn host_role(index: usize) -> RolePath {
    RolePath::new(&format!("agents/{index}")).expect("invariant: a valid role")
}

impl Actor for Top {
    type Msg = Delivered<HostsMessage>;
    type State = Topped;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, (): ()) -> Result<Topped, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle.clone())
            .receives::<UnparkAgent>()
            .receives::<ListAgents>()
            .operators_only()
            .build();
        self.runtime.endpoints.register(self.address(), endpoint);
        let wake = handle.clone();
        let children = Children::new(POLICY, 0, self.runtime.timers.clone(), move || {
            wake.signal(HostsMessage::Wake)
        });
        Ok(Topped {
            handle,
            children: children.publishing(self.view.clone()),
            hosts: Vec::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Topped,
    ) -> Result<(), ActorProcessingErr> {
        let cell = myself.get_cell();
        match delivered.message {
            HostsMessage::Spawn(request) => {
                let Request { message, reply } = request;
                match self.place(message, &cell, state).await? {
                    Ok(row) => state.hosts[row.host].signal(HostMessage::Start(row.shared, Some(reply))),
                    Err(error) => reply.send(Err(error.into())),
                }
            }
            HostsMessage::Stop(request) => self.pass_on(request.message.agent, request.reply, state, HostMessage::Stop),
            HostsMessage::Unpark(request) => {
                self.pass_on(request.message.agent, request.reply, state, HostMessage::Unpark);
            }
            HostsMessage::List(request) => request.reply.send(Ok(self.list(&request.message))),
            HostsMessage::Gone(agent) => drop(self.table.write(|rows| rows.remove(&agent))),
            HostsMessage::Wake => self.changed(state.children.wake(&cell).await?, state),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Topped,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(exited) = state.children.observe(&event) {
            drop(event);
            let changes = state.children.react(exited, &myself.get_cell()).await?;
            self.changed(changes, state);
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Topped) -> Result<(), ActorProcessingErr> {
        state.children.shutdown().await;
        self.runtime.endpoints.remove(&self.address());
        Ok(())
    }
}

impl Top {
    pub(super) fn address(&self) -> Address {
        Address::Node {
            node: self.runtime.node.clone(),
            role: RolePath::new(ROLE).expect("invariant: a constant that is a valid role"),
        }
    }

    /// Takes an agent into the table, at the first host that has room.
    async fn place(
        &self,
        message: SpawnAgent,
        myself: &ActorCell,
        state: &mut Topped,
    ) -> Result<Result<Row, AgentError>, ActorProcessingErr> {
        let SpawnAgent { spec, epoch } = message;
        if let Err(error) = self.check(&spec) {
            return Ok(Err(error));
        }
        let mut load = vec![0_usize; state.hosts.len()];
        self.table
            .read(|rows| rows.values().for_each(|row| load[row.host] += 1));
        let host = match load.iter().position(|agents| *agents < AGENTS_PER_HOST) {
            Some(host) => host,
            None => self.add_host(myself, state).await?,
        };
        let log = EventLog::new(
            self.runtime.node.clone(),
            spec.agent.clone(),
            self.runtime.events.clone(),
        );
        let governor = Governor::new(Ladder::new(spec.highest));
        let row = Row {
            shared: Arc::new(Shared::new(spec, epoch, governor, log)),
            host,
        };
        self.table
            .write(|rows| rows.insert(row.shared.agent().clone(), row.clone()));
        Ok(Ok(row))
    }

    fn check(&self, spec: &AgentSpec) -> Result<(), AgentError> {
        spec.validate()?;
        let (known, agents) = self.table.read(|rows| (rows.contains_key(&spec.agent), rows.len()));
        let limit = self.runtime.max_agents;
        if known {
            return Err(AgentError::RunsAlready {
                agent: spec.agent.clone(),
            });
        }
        if agents >= limit {
            return Err(AgentError::Full { agents, limit });
        }
        Ok(())
    }

    async fn add_host(&self, myself: &ActorCell, state: &mut Topped) -> Result<usize, ActorProcessingErr> {
        let index = state.hosts.len();
        let link = HostLink::default();
        let (runtime, top, slot) = (Arc::clone(&self.runtime), state.handle.clone(), link.clone());
        let child = ChildSpec::new(host_role(index), Restart::Permanent, move |context| {
            let (runtime, top, slot) = (Arc::clone(&runtime), top.clone(), slot.clone());
            async move {
                let (handle, started) = HostActor::spawn(runtime, top, context.role, context.supervisor).await?;
                slot.set(handle);
                Ok(started)
            }
        });
        state.children.add(child.stop_within(STOP_WITHIN))?;
        let start = ChildRequest::Start;
        state.children.request(&host_role(index), start, myself).await??;
        state.hosts.push(link);
        Ok(index)
    }

    fn pass_on<R>(
        &self,
        agent: AgentId,
        reply: Reply<R>,
        state: &Topped,
        message: impl FnOnce(AgentId, Reply<R>) -> HostMessage,
    ) where
        R: serde::Serialize,
    {
        match self.table.get(&agent) {
            Some(row) => state.hosts[row.host].signal(message(agent, reply)),
            None => reply.send(Err(Refusal::from(AgentError::NotHere { agent }))),
        }
    }

    fn list(&self, request: &ListAgents) -> Vec<AgentEntry> {
        let limit = request.limit.min(MAX_LISTED_AGENTS) as usize;
        let after = |agent: &AgentId| request.after.as_ref().is_none_or(|after| agent > after);
        self.table.read(|rows| {
            let later = rows.values().filter(|row| after(row.shared.agent()));
            later.take(limit).map(|row| row.shared.entry()).collect()
        })
    }

    /// A host that has failed runs again, without its agents: they start again below it.
    fn changed(&self, changes: Vec<Change>, state: &Topped) {
        for change in changes {
            let Change::Restarted { role, .. } = change else {
                continue;
            };
            let Some(index) = (0..state.hosts.len()).find(|index| host_role(*index) == role) else {
                continue;
            };
            let rows = self.table.read(|rows| {
                rows.values()
                    .filter(|row| row.host == index)
                    .cloned()
                    .collect::<Vec<_>>()
            });
            for row in rows {
                state.hosts[index].signal(HostMessage::Start(row.shared, None));
            }
        }
    }
}
