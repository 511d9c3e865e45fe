//! [`Directory`]: sends by address.
//!
//! A message goes to the endpoint on this node, or to the node that owns the address. What arrives here for an agent of
//! another node is sent on once; a second time it is refused with `not_found`, so that no message can circle.
//!
//! Errors, each with what the caller can do: `not_found` (no such actor; check the name), `overloaded` (the mailbox or
//! the link is full; retry later), `node_down` (the owner, which is named, is not reachable; nothing was sent),
//! `target_ended` and `deadline_exceeded` (it may have been executed), `malformed` (it does not decode).

use crate::activation::{Activation, Letter};
use crate::actor::{self, Locate};
use crate::groups::Known;
use crate::placement::{Placement, Shard};
use crate::stream;
use crate::users::Users;
use futures::future::BoxFuture;
use rungs_host::endpoints::ReplySender;
use rungs_host::{Context, EventFilter, EventStream, Format, Payload, Refusal, Router, tasks};
use rungs_mesh::mesh::not_found;
use rungs_mesh::{Forward, Mesh, Misdirected, Outbound};
use rungs_types::{Address, ErrorCode, MAX_DEADLINE, NodeName, UserName};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

/// Longest look-up of a user's actor on another node.
pub const LOCATE_DEADLINE: Duration = Duration::from_millis(500);
/// How long a message that nobody waits for an answer of waits for its agent to start.
pub const TELL_WAIT: Duration = Duration::from_secs(30);
/// Questions that are being sent on at a time.
pub const MAX_FORWARDED: usize = 1024;

/// Why a question to a group is refused.
const GROUP_ANSWERS_NOTHING: &str = "a group answers nothing; tell it, or ask one of its agents";

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// To an endpoint on this node, if there is one.
    Here,
    /// To another node.
    Node(NodeName),
}

/// The directory of a node; cheap to clone.
#[derive(Clone)]
pub struct Directory {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) mesh: Mesh,
    pub(crate) placement: Arc<dyn Placement>,
    users: Users,
    pub(crate) known: Known,
    forwarded: Arc<Semaphore>,
    /// Starts agents that do not run, if this node does so.
    activation: OnceLock<Activation>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory")
            .field("node", self.node())
            .finish_non_exhaustive()
    }
}

impl Directory {
    /// The directory over a mesh. From now on it also decides on what arrives for addresses that are not here.
    pub fn new(mesh: Mesh, placement: Arc<dyn Placement>) -> Self {
        let inner = Arc::new(Inner {
            mesh: mesh.clone(),
            placement,
            users: Users::default(),
            known: Known::default(),
            forwarded: Arc::new(Semaphore::new(MAX_FORWARDED)),
            activation: OnceLock::new(),
        });
        mesh.set_forward(Arc::new(Forwarding(Arc::downgrade(&inner))));
        Self { inner }
    }

    /// Says who starts agents of this node that are wanted and do not run. Only the first call counts; until then a message
    /// for them is refused with `not_found`.
    pub fn set_activation(&self, activation: Activation) {
        drop(self.inner.activation.set(activation));
    }

    /// This node.
    pub fn node(&self) -> &NodeName {
        &self.inner.mesh.node().name
    }

    /// The mesh below.
    pub fn mesh(&self) -> &Mesh {
        &self.inner.mesh
    }

    /// The shards that are placed on this node.
    pub fn own_shards(&self) -> Vec<Shard> {
        let own = |shard: &Shard| self.inner.placement.owner(*shard) == Some(self.node());
        Shard::all().filter(own).collect()
    }

    /// The node that owns an agent's shard.
    pub fn owner_of(&self, agent: &rungs_types::AgentId) -> Option<NodeName> {
        self.inner.placement.owner(Shard::of(agent)).cloned()
    }
}

impl Inner {
    pub(crate) fn node(&self) -> &NodeName {
        &self.mesh.node().name
    }

    fn of_node(&self, node: &NodeName) -> Place {
        if node == self.node() {
            Place::Here
        } else {
            Place::Node(node.clone())
        }
    }

    /// Where an address is, as far as it can be said without asking others; `None` for a user's actor that is not here
    /// and not known.
    fn place(&self, to: &Address) -> Result<Option<Place>, Refusal> {
        if self.mesh.endpoints().get(to).is_some() {
            return Ok(Some(Place::Here));
        }
        Ok(match to {
            Address::Agent { agent, .. } => {
                let nobody = || Refusal::new(ErrorCode::NodeDown, &format!("no node owns the shard of {agent}"));
                Some(self.of_node(self.placement.owner(Shard::of(agent)).ok_or_else(nobody)?))
            }
            Address::Node { node, .. } => Some(self.of_node(node)),
            Address::User(name) => self.users.get(name).map(Place::Node),
            Address::Group(_) => return Err(Refusal::new(ErrorCode::Refused, GROUP_ANSWERS_NOTHING)),
        })
    }

    async fn find(&self, to: &Address) -> Result<Place, Refusal> {
        match (self.place(to)?, to) {
            (Some(place), _) => Ok(place),
            (None, Address::User(name)) => self.find_user(name).await.map(Place::Node),
            (None, _) => Err(not_found(to, self.node())),
        }
    }

    /// Asks all peers at once for a user's actor.
    async fn find_user(&self, name: &UserName) -> Result<NodeName, Refusal> {
        let missing = || Refusal::new(ErrorCode::NotFound, &format!("no node has user:{name}"));
        if self.users.is_missing(name) {
            return Err(missing());
        }
        let _place = self.users.look_up().await;
        if let Some(node) = self.users.get(name) {
            return Ok(node);
        }
        let question = Payload::of(&Locate { name: name.clone() }, Format::Binary)?;
        let peers = self.mesh.peers();
        let asked = peers.keys().map(|node| {
            let question = &question;
            Box::pin(async move {
                let to = actor::address(node);
                let message = Outbound {
                    to: &to,
                    payload: question,
                    context: &Context::default(),
                    forwarded: false,
                };
                let answer = self.mesh.ask(node, message, LOCATE_DEADLINE).await?;
                let here: bool = answer.decode()?;
                here.then(|| node.clone()).ok_or_else(missing)
            })
        });
        let asked: Vec<_> = asked.collect();
        let found = match asked.is_empty() {
            true => None,
            false => futures::future::select_ok(asked).await.ok().map(|(node, _)| node),
        };
        self.users.note(name, found.clone());
        found.ok_or_else(missing)
    }

    /// Puts a letter into the mailbox it is for, or lets its agent be started, at the latest within `wait`.
    fn deliver(&self, letter: Letter, wait: Duration) -> Result<(), Refusal> {
        if let Some(endpoint) = self.mesh.endpoints().get(&letter.to) {
            return endpoint.deliver(letter.payload, letter.context, letter.reply);
        }
        match (&letter.to, self.activation.get()) {
            (Address::Agent { agent, .. }, Some(activation)) => {
                let agent = agent.clone();
                activation.want(&agent, letter, Instant::now() + wait)
            }
            _ => Err(not_found(&letter.to, self.node())),
        }
    }

    /// What a peer has sent for an agent of this node that has no endpoint.
    fn deliver_from_peer(&self, message: Misdirected) -> Result<(), Refusal> {
        let wait = if message.reply.is_some() {
            message.deadline
        } else {
            TELL_WAIT
        };
        let letter = Letter {
            to: message.to,
            payload: message.payload,
            context: message.context,
            reply: message.reply,
        };
        self.deliver(letter, wait)
    }

    pub(crate) async fn tell(&self, to: Address, payload: Payload) -> Result<(), Refusal> {
        if let Address::Group(group) = &to {
            return self.tell_group(group, None, &payload).await.map(|_| ());
        }
        match self.find(&to).await? {
            Place::Here => self.deliver(letter(to, payload, None), TELL_WAIT),
            Place::Node(node) => {
                let told = self
                    .mesh
                    .tell(&node, outbound(&to, &payload, &Context::default(), false));
                self.forget_if_wrong(&to, told)
            }
        }
    }

    async fn ask(&self, to: Address, payload: Payload, deadline: Duration) -> Result<Payload, Refusal> {
        let deadline = deadline.min(MAX_DEADLINE);
        match self.find(&to).await? {
            Place::Here => self.ask_here(&to, payload, deadline).await,
            Place::Node(node) => {
                let context = Context::default();
                let answer = self
                    .mesh
                    .ask(&node, outbound(&to, &payload, &context, false), deadline)
                    .await;
                self.forget_if_wrong(&to, answer)
            }
        }
    }

    async fn ask_here(&self, to: &Address, payload: Payload, deadline: Duration) -> Result<Payload, Refusal> {
        let (sender, answer) = oneshot::channel();
        self.deliver(letter(to.clone(), payload, Some(sender)), deadline)?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => {
                let text = format!("{to} ended before it answered; the message may have been executed");
                Err(Refusal::new(ErrorCode::TargetEnded, &text))
            }
            Err(_) => {
                let ms = deadline.as_millis();
                let text = format!("no answer from {to} within {ms} ms; it may have been executed");
                Err(Refusal::new(ErrorCode::DeadlineExceeded, &text))
            }
        }
    }

    /// A user's actor that is not where it was is looked for again next time.
    fn forget_if_wrong<T>(&self, to: &Address, result: Result<T, Refusal>) -> Result<T, Refusal> {
        if let (Err(refusal), Address::User(name)) = (&result, to)
            && matches!(
                refusal.code,
                ErrorCode::NotFound | ErrorCode::NodeDown | ErrorCode::TargetEnded
            )
        {
            self.users.forget(name);
        }
        result
    }
}

fn letter(to: Address, payload: Payload, reply: ReplySender) -> Letter {
    Letter {
        to,
        payload,
        context: Context::default(),
        reply,
    }
}

fn outbound<'a>(to: &'a Address, payload: &'a Payload, context: &'a Context, forwarded: bool) -> Outbound<'a> {
    Outbound {
        to,
        payload,
        context,
        forwarded,
    }
}

impl Router for Directory {
    fn tell(&self, to: Address, payload: Payload) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(self.inner.tell(to, payload))
    }

    fn ask(&self, to: Address, payload: Payload, deadline: Duration) -> BoxFuture<'_, Result<Payload, Refusal>> {
        Box::pin(self.inner.ask(to, payload, deadline))
    }

    fn members(&self) -> Vec<NodeName> {
        self.inner.placement.members().to_vec()
    }

    fn owner<'a>(&'a self, of: &'a Address) -> BoxFuture<'a, Result<NodeName, Refusal>> {
        Box::pin(async move {
            Ok(match self.inner.find(of).await? {
                Place::Here => self.node().clone(),
                Place::Node(node) => node,
            })
        })
    }

    fn subscribe(&self, filter: EventFilter) -> BoxFuture<'_, Result<EventStream, Refusal>> {
        Box::pin(async move { Ok(stream::merged(self.inner.mesh.clone(), filter)) })
    }
}

/// What the mesh asks when a message is for nobody here.
struct Forwarding(Weak<Inner>);

impl Forward for Forwarding {
    fn forward(&self, message: Misdirected) -> Result<(), Refusal> {
        let stopped = || Refusal::new(ErrorCode::NodeDown, "the directory has stopped");
        let inner = self.0.upgrade().ok_or_else(stopped)?;
        let owner = match &message.to {
            Address::Agent { agent, .. } => inner.placement.owner(Shard::of(agent)),
            // Who has a user's actor or another node's is the sender's to find out.
            Address::Node { .. } | Address::User(_) | Address::Group(_) => None,
        };
        if owner == Some(inner.node()) {
            return inner.deliver_from_peer(message);
        }
        let elsewhere = owner.filter(|owner| **owner != message.from.name);
        let Some(owner) = elsewhere.filter(|_| !message.forwarded).cloned() else {
            return Err(not_found(&message.to, inner.node()));
        };
        let Misdirected {
            to,
            payload,
            context,
            reply,
            deadline,
            ..
        } = message;
        let Some(reply) = reply else {
            return inner.mesh.tell(&owner, outbound(&to, &payload, &context, true));
        };
        let full = || Refusal::new(ErrorCode::Overloaded, "too many questions are being sent on");
        let place = Arc::clone(&inner.forwarded).try_acquire_owned().map_err(|_| full())?;
        let mesh = inner.mesh.clone();
        tasks::spawn("directory forward", async move {
            let answer = mesh
                .ask(&owner, outbound(&to, &payload, &context, true), deadline)
                .await;
            // An asker that no longer waits is no error.
            drop(reply.send(answer));
            drop(place);
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
