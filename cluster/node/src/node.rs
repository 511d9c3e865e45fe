//! [`Node`]: a running node, as an embedding program holds it.

use crate::assembly::Parts;
use crate::builder::NodeBuilder;
use crate::stop::StopReason;
use crate::user::UserActor;
use anyhow::Context as _;
use rungs_agent::AgentHandle;
use rungs_directory::activation;
use rungs_directory::activation::messages::{Activate, Register, Unregister};
use rungs_host::{Delivered, EventFilter, EventStream, Format, Payload, Refusal, Router, Wire};
use rungs_mesh::Identity;
use rungs_types::{Address, AgentId, AgentSpec, NodeName, UserName};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a call by name waits for its answer.
pub const CALL_DEADLINE: Duration = Duration::from_secs(5);
/// How long an agent may take to start or to stop.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How often an actor that is not there yet is looked for.
const FIND_PERIOD: Duration = Duration::from_millis(100);

/// A running node; cheap to clone. It runs until [`Node::shutdown`].
#[derive(Clone)]
pub struct Node {
    parts: Arc<Parts>,
}

impl Node {
    /// Describes a node to be started.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

    #[cfg(test)]
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Its name.
    pub fn name(&self) -> &NodeName {
        self.parts.directory.node()
    }

    /// Where it listens.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.parts.transport.local_addr()
    }

    /// Waits until an actor or agent somewhere in the cluster can be found, at most [`CALL_DEADLINE`].
    pub async fn reachable(&self, address: &str) -> crate::Result<()> {
        let address: Address = address.parse()?;
        let mut tries = tokio::time::interval(FIND_PERIOD);
        let find = async {
            loop {
                tries.tick().await;
                if self.parts.directory.owner(&address).await.is_ok() {
                    return;
                }
            }
        };
        let found = tokio::time::timeout(CALL_DEADLINE, find).await;
        found.with_context(|| format!("{address} is not found within {} s", CALL_DEADLINE.as_secs()))
    }

    /// Registers an agent of this node and starts it, or resumes it from its last state. One that is registered already goes on
    /// if this is what it is to be, and starts anew if not. It comes back with the node until [`Node::forget`].
    ///
    /// # Errors
    /// If its shard is not placed here, its specification is wrong, or it does not start.
    pub async fn spawn(&self, spec: AgentSpec) -> crate::Result<AgentHandle> {
        let agent = spec.agent.clone();
        let record = self.parts.records.get(&agent).await?;
        let same = record.as_ref().is_some_and(|record| record.spec == spec);
        if record.is_some() && !same {
            self.forget(&agent).await?;
        }
        if same {
            self.activator(&Activate { agent: agent.clone() }).await?;
        } else {
            self.activator(&Register { spec }).await?;
        }
        self.agent(&agent).with_context(|| format!("{agent} has ended again"))
    }

    /// Stops an agent of this node and forgets it; its state stays, and is there when it is spawned again.
    pub async fn forget(&self, agent: &AgentId) -> crate::Result<()> {
        let agent = agent.clone();
        self.activator(&Unregister { agent }).await
    }

    async fn activator<W: Wire>(&self, message: &W) -> crate::Result<W::Reply> {
        let to = activation::address(self.name());
        let payload = Payload::of(message, Format::Binary)?;
        Ok(self.parts.directory.ask(to, payload, START_DEADLINE).await?.decode()?)
    }

    /// Whether an agent's shard is placed on this node.
    pub fn owns(&self, agent: &AgentId) -> bool {
        self.parts.directory.owner_of(agent).as_ref() == Some(self.name())
    }

    /// An agent of this node.
    pub fn agent(&self, agent: &AgentId) -> Option<AgentHandle> {
        self.parts.hosts.get(agent)
    }

    /// Puts an actor of the program under this node's supervision: it is restarted when it fails, and reachable from
    /// every node and the shell as `user:name` once [`UserActor::start`] has said what it receives.
    pub fn register<A, M>(
        &self,
        name: &str,
        actor: impl Fn() -> A + Send + Sync + 'static,
    ) -> crate::Result<UserActor<A, M>>
    where
        A: ractor::Actor<Msg = Delivered<M>, Arguments = ()>,
        M: Send + 'static,
    {
        Ok(UserActor::new(Arc::clone(&self.parts), UserName::new(name)?, actor))
    }

    /// Asks an actor anywhere in the cluster by its address and waits at most [`CALL_DEADLINE`].
    pub async fn call<W: Wire>(&self, to: &str, message: &W) -> crate::Result<W::Reply> {
        let to: Address = to.parse()?;
        let payload = Payload::of(message, Format::Binary)?;
        Ok(self.parts.directory.ask(to, payload, CALL_DEADLINE).await?.decode()?)
    }

    /// Sends to an actor anywhere in the cluster and does not wait for it.
    pub async fn tell<W: Wire>(&self, to: &str, message: &W) -> crate::Result<()> {
        let to: Address = to.parse()?;
        Ok(self
            .parts
            .directory
            .tell(to, Payload::of(message, Format::Binary)?)
            .await?)
    }

    /// The events of agents anywhere in the cluster.
    pub async fn watch(&self, filter: EventFilter) -> Result<EventStream, Refusal> {
        self.parts.directory.subscribe(filter).await
    }

    /// Breaks an actor of this node at its next message, with a panic; only if the node was built with
    /// [`NodeBuilder::allow_faults`].
    pub fn inject_panic(&self, target: &str) -> crate::Result<()> {
        Ok(self
            .parts
            .faults
            .inject(target.parse()?, rungs_host::faults::Fault::Panic)?)
    }

    /// From now on the node shows this certificate to its peers; see
    /// [`ClusterTransport::renew`](rungs_mesh::ClusterTransport::renew).
    ///
    /// # Errors
    /// If it is no successor of the one before.
    pub fn renew(&self, identity: Identity) -> crate::Result<()> {
        Ok(self.parts.transport.renew(identity)?)
    }

    /// Waits until the node is to stop: because the shell or [`Node::shutdown`] asks for it, or because it cannot go on.
    /// It goes on until [`Node::shutdown`], which a program is to call then.
    pub async fn stop_requested(&self) -> StopReason {
        self.parts.stop.requested().await
    }

    /// Stops in order: agents (their state is saved), users' actors, links.
    ///
    /// # Errors
    /// If the node had to stop because it cannot go on (a [`Failure`](crate::Failure)), or if not everything stopped in time.
    pub async fn shutdown(&self) -> crate::Result<()> {
        self.parts.shut_down().await
    }
}
