//! The hosts of a node's agents: `agents` is the supervisor at the top, below it one host for each 256 agents, so that
//! no list of links grows without bound.
//!
//! ```text
//! agents                 knows which agents there are, and starts hosts
//! ├─ agents/0            supervises up to 256 agents; one never reaches another
//! │  ├─ ops-1            an agent's root
//! │  └─ ops-2
//! └─ agents/1
//! ```
//! Supervised by the node (or, in an embedding program or a test, by nobody). Decided elsewhere: whether and when a
//! failed agent starts again, by the ladder's `Restarts`; this is the one that waits and starts it.
//!
//! Invariants:
//! 1. An agent that fails, fails to start, or is parked changes nothing for another.
//! 2. A name runs at most once on a node.
//! 3. The table outlives the hosts: a host that fails is started again with its agents.

mod host;
mod top;

use crate::error::AgentError;
use crate::handle::AgentHandle;
use crate::messages::{AgentEntry, AgentState, SpawnAgent, StopAgent, UnparkAgent};
use crate::runtime::AgentRuntime;
use crate::shared::Shared;
use ractor::{Actor, ActorCell, SpawnErr};
use rungs_host::hosting::Hosting;
use rungs_host::supervisor::Started;
use rungs_host::{Handle, Mailbox, Request, TreeView, Wire};
use rungs_types::{AgentId, AgentSpec, Epoch};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use top::{HostsMessage, Top};

/// Agents that one host supervises.
pub const AGENTS_PER_HOST: usize = 256;
/// How long an agent may take to start or to stop, as seen by a caller.
pub const START_DEADLINE: Duration = Duration::from_secs(60);
/// The role of the top in its node's tree.
pub const ROLE: &str = "agents";
/// Messages that the top's mailbox holds.
const MAX_MESSAGES: u32 = 4096;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// The hosts of a node's agents; cheap to clone.
#[derive(Clone)]
pub struct Hosts {
    runtime: Arc<AgentRuntime>,
    table: Arc<Table>,
    handle: Handle<HostsMessage>,
    view: TreeView,
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosts")
            .field("node", &self.runtime.node)
            .finish_non_exhaustive()
    }
}

/// The agents of the node. Written by the top only; read by everyone.
#[derive(Debug, Default)]
struct Table(RwLock<BTreeMap<AgentId, Row>>);

#[derive(Debug, Clone)]
struct Row {
    shared: Arc<Shared>,
    host: usize,
}

impl Table {
    fn read<T>(&self, look: impl FnOnce(&BTreeMap<AgentId, Row>) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut BTreeMap<AgentId, Row>) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn get(&self, agent: &AgentId) -> Option<Row> {
        self.read(|rows| rows.get(agent).cloned())
    }
}

impl Hosts {
    /// Starts the top, below `parent` or as a root.
    pub async fn start(runtime: Arc<AgentRuntime>, parent: Option<ActorCell>) -> Result<Self, SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let (view, table) = (TreeView::new(), Arc::new(Table::default()));
        let top = Top {
            runtime: Arc::clone(&runtime),
            table: Arc::clone(&table),
            mailbox: Arc::clone(&mailbox),
            view: view.clone(),
        };
        let handle = match parent {
            Some(parent) => {
                let hosting = Hosting {
                    address: top.address(),
                    mailbox,
                    faults: Arc::clone(&runtime.faults),
                    meter: Arc::default(),
                };
                hosting.spawn(top, (), parent).await?
            }
            None => Handle::sharing(Actor::spawn(None, top, ()).await?.0, mailbox),
        };
        Ok(Self {
            runtime,
            table,
            handle,
            view,
        })
    }

    /// For the supervisor above.
    pub fn started(&self) -> Started {
        Started::from(&self.handle).with_subtree(self.view.clone())
    }

    /// The top, to be watched by whoever is above it.
    pub fn cell(&self) -> ActorCell {
        self.handle.cell()
    }

    /// What is supervised, as the shell shows it.
    pub fn view(&self) -> &TreeView {
        &self.view
    }

    /// Starts an agent and waits until it runs. No other node can start it: shards and their epochs are of no matter.
    pub async fn spawn(&self, spec: AgentSpec) -> Result<AgentHandle, AgentError> {
        self.spawn_in(spec, Epoch::default()).await
    }

    /// Starts an agent in an epoch of its shard, and waits until it runs. When the shard moves, it cannot write any more
    /// where others read it.
    pub async fn spawn_in(&self, spec: AgentSpec, epoch: Epoch) -> Result<AgentHandle, AgentError> {
        let agent = spec.agent.clone();
        self.ask(SpawnAgent { spec, epoch }).await?;
        self.get(&agent).ok_or(AgentError::NotHere { agent })
    }

    /// Stops an agent in order, with a last snapshot, and forgets it.
    pub async fn stop(&self, agent: &AgentId) -> Result<AgentEntry, AgentError> {
        self.ask(StopAgent { agent: agent.clone() }).await
    }

    /// Starts a parked agent again.
    pub async fn unpark(&self, agent: &AgentId) -> Result<AgentEntry, AgentError> {
        self.ask(UnparkAgent { agent: agent.clone() }).await
    }

    /// An agent of this node, running or not.
    pub fn get(&self, agent: &AgentId) -> Option<AgentHandle> {
        let row = self.table.get(agent)?;
        Some(AgentHandle::new(Arc::clone(&self.runtime), row.shared))
    }

    /// All agents of this node, by name.
    pub fn list(&self) -> Vec<AgentEntry> {
        self.table
            .read(|rows| rows.values().map(|row| row.shared.entry()).collect())
    }

    /// The agents that run and have had nothing to do for as long as their specification says.
    pub fn idle(&self) -> Vec<AgentId> {
        let now = self.runtime.clock.elapsed();
        let idle = |row: &&Row| row.shared.is_idle(now) && row.shared.entry().state == AgentState::Running;
        self.table.read(|rows| {
            rows.values()
                .filter(idle)
                .map(|row| row.shared.agent().clone())
                .collect()
        })
    }

    /// Stops all agents in order, and the hosts; `false` if that is not done by the deadline.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        // A top that has ended cannot be drained, and needs no waiting either.
        drop(self.handle.cell().drain());
        self.handle.cell().wait(Some(deadline)).await.is_ok()
    }

    async fn ask<W>(&self, message: W) -> Result<W::Reply, AgentError>
    where
        W: Wire,
        HostsMessage: From<Request<W>>,
    {
        let answer = self
            .handle
            .ask(START_DEADLINE, |reply| Request { message, reply }.into())
            .await;
        Ok(answer?)
    }
}
