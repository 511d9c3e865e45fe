//! [`Directory`]: sends by address.
//!
//! A message goes to the endpoint on this node, or to the node that owns the address. What is for an agent and cannot go to
//! either now is the business of [`agents`]: it waits, is sent on, or starts its agent.
//!
//! Errors, each with what the caller can do: `not_found` (no such actor; check the name), `overloaded` (the mailbox or
//! the link is full; retry later), `node_down` (the owner, which is named, is not reachable or does not serve; nothing was
//! executed; of a question to an agent this is the answer only when its deadline is over),
//! `target_ended` and `deadline_exceeded` (it may have been executed), `malformed` (it does not decode).

mod agents;

use crate::activation::{Activation, Letter};
use crate::actor::{self, Locate};
use crate::groups::Known;
use crate::handover::{Arrival, Route};
use crate::holding::Holding;
use crate::member::MemberHandle;
use crate::placement::{MapVersion, Shard};
use crate::routing::Routing;
use crate::stream;
use crate::users::Users;
use arc_swap::ArcSwapOption;
use futures::future::BoxFuture;
use rungs_host::endpoints::ReplySender;
use rungs_host::{Context, EventFilter, EventStream, Format, Payload, Refusal, Router};
use rungs_mesh::mesh::not_found;
use rungs_mesh::{Mesh, Outbound};
use rungs_types::{Address, ErrorCode, MAX_DEADLINE, NodeName, UserName};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

/// Longest look-up of a user's actor on another node.
pub const LOCATE_DEADLINE: Duration = Duration::from_millis(500);
/// How long the owner of an agent is looked for while there is none.
const OWNER_DEADLINE: Duration = Duration::from_secs(3);
/// How long a message that nobody waits for an answer of waits for its agent to start.
pub const TELL_WAIT: Duration = Duration::from_secs(30);
/// Questions that are being sent on at a time.
pub const MAX_FORWARDED: usize = 1024;

/// Why a question to a group is refused.
const GROUP_ANSWERS_NOTHING: &str = "a group answers nothing; tell it, or ask one of its agents";

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// To an endpoint on this node, or whatever this node does for an agent without one.
    Here,
    /// To another node, by a map if that has to do with it.
    Node(NodeName, Option<MapVersion>),
}

/// The directory of a node; cheap to clone.
#[derive(Clone)]
pub struct Directory {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) mesh: Mesh,
    pub(crate) routing: Arc<dyn Routing>,
    users: Users,
    pub(crate) known: Known,
    forwarded: Arc<Semaphore>,
    /// Starts agents that do not run, if this node does so.
    activation: ArcSwapOption<Activation>,
    /// What waits for a shard or a map.
    holding: Holding,
    /// Told of maps that this node has not read, if it follows one.
    member: OnceLock<MemberHandle>,
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
    pub fn new(mesh: Mesh, routing: Arc<dyn Routing>) -> Self {
        let inner = Arc::new(Inner {
            mesh: mesh.clone(),
            routing,
            users: Users::default(),
            known: Known::default(),
            forwarded: Arc::new(Semaphore::new(MAX_FORWARDED)),
            activation: ArcSwapOption::empty(),
            holding: Holding::default(),
            member: OnceLock::new(),
        });
        mesh.set_forward(Arc::new(agents::Forwarding(Arc::downgrade(&inner))));
        Self { inner }
    }

    /// Says who starts agents of this node that are wanted and do not run. Only the first call counts; until then a message
    /// for them is refused with `not_found`.
    pub fn set_activation(&self, activation: Activation) {
        let activation = Arc::new(activation);
        let none: Option<Arc<Activation>> = None;
        drop(self.inner.activation.compare_and_swap(&none, Some(activation)));
    }

    /// Lets go of who starts agents, when the node has stopped: each holds the other.
    pub fn end(&self) {
        self.inner.activation.store(None);
    }

    /// Says who is to be told of maps that this node has not read. Only the first call counts.
    pub fn set_member(&self, member: MemberHandle) {
        drop(self.inner.member.set(member));
    }

    /// This node.
    pub fn node(&self) -> &NodeName {
        &self.inner.mesh.node().name
    }

    /// The mesh below.
    pub fn mesh(&self) -> &Mesh {
        &self.inner.mesh
    }

    /// The node that owns an agent's shard.
    pub fn owner_of(&self, agent: &rungs_types::AgentId) -> Option<NodeName> {
        self.inner.routing.owner(Shard::of(agent))
    }
}

impl Inner {
    pub(crate) fn node(&self) -> &NodeName {
        &self.mesh.node().name
    }

    /// Where an address is, as far as it can be said without asking others; `None` for a user's actor that is not here
    /// and not known.
    fn place(&self, to: &Address) -> Result<Option<Place>, Refusal> {
        if self.mesh.endpoints().get(to).is_some() {
            return Ok(Some(Place::Here));
        }
        Ok(match to {
            Address::Agent { agent, .. } => {
                let (shard, sent_by) = (Shard::of(agent), None);
                Some(match self.routing.route(Arrival { shard, sent_by }) {
                    Route::Here(_) | Route::Hold | Route::ReadFirst(_) => Place::Here,
                    Route::Forward { to, version } => self.reachable(to, version),
                    Route::Refuse(error) => return Err(agents::refusal(error)),
                })
            }
            Address::Node { node, .. } if node == self.node() => Some(Place::Here),
            Address::Node { node, .. } => Some(Place::Node(node.clone(), None)),
            Address::User(name) => self.users.get(name).map(|node| Place::Node(node, None)),
            Address::Group(_) => return Err(Refusal::new(ErrorCode::Refused, GROUP_ANSWERS_NOTHING)),
        })
    }

    async fn find(&self, to: &Address) -> Result<Place, Refusal> {
        match (self.place(to)?, to) {
            (Some(place), _) => Ok(place),
            (None, Address::User(name)) => self.find_user(name).await.map(|node| Place::Node(node, None)),
            (None, _) => Err(not_found(to, self.node())),
        }
    }

    /// Asks all peers at once for a user's actor.
    async fn find_user(&self, name: &UserName) -> Result<NodeName, Refusal> {
        let missing = || Refusal::new(ErrorCode::NotFound, &format!("no node has user:{name}"));
        if self.users.is_missing(name) {
            return Err(missing());
        }
        let _turn = self.users.look_up().await?;
        // Somebody else may have looked for it meanwhile.
        if let Some(node) = self.users.get(name) {
            return Ok(node);
        }
        if self.users.is_missing(name) {
            return Err(missing());
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
                    sent_by: None,
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

    pub(crate) async fn tell(&self, to: Address, payload: Payload) -> Result<(), Refusal> {
        if let Address::Group(group) = &to {
            return self.tell_group(group, None, &payload).await.map(|_| ());
        }
        match self.find(&to).await? {
            Place::Here => self.admit(letter(to, payload, None, TELL_WAIT)),
            Place::Node(node, version) => {
                let context = Context::default();
                let told = self.mesh.tell(&node, outbound(&to, &payload, &context, version));
                self.forget_if_wrong(&to, told)
            }
        }
    }

    async fn ask(&self, to: Address, payload: Payload, deadline: Duration) -> Result<Payload, Refusal> {
        let deadline = deadline.min(MAX_DEADLINE);
        match to {
            Address::Agent { .. } => self.ask_agent(&to, payload, deadline).await,
            _ => self.ask_once(&to, payload, deadline).await,
        }
    }

    async fn ask_once(&self, to: &Address, payload: Payload, deadline: Duration) -> Result<Payload, Refusal> {
        let until = Instant::now() + deadline;
        let late = |_| {
            let ms = deadline.as_millis();
            let text = format!("{to} was not found within {ms} ms; nothing was sent");
            Refusal::new(ErrorCode::DeadlineExceeded, &text)
        };
        let place = tokio::time::timeout_at(until, self.find(to)).await.map_err(late)??;
        let deadline = until.saturating_duration_since(Instant::now());
        match place {
            Place::Here => self.ask_here(to, payload, deadline).await,
            Place::Node(node, version) => {
                let context = Context::default();
                let question = outbound(to, &payload, &context, version);
                let answer = self.mesh.ask(&node, question, deadline).await;
                self.forget_if_wrong(to, answer)
            }
        }
    }

    async fn ask_here(&self, to: &Address, payload: Payload, deadline: Duration) -> Result<Payload, Refusal> {
        let (sender, answer) = oneshot::channel();
        self.admit(letter(to.clone(), payload, Some(sender), deadline))?;
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

    /// The node that an address leads to. Where nobody has it at this moment, as while a cluster begins, it is looked for again.
    async fn owner(&self, of: &Address) -> Result<NodeName, Refusal> {
        let end = Instant::now() + OWNER_DEADLINE;
        loop {
            match self.owner_now(of).await {
                Err(refusal) if refusal.code == ErrorCode::NodeDown && Instant::now() < end => {
                    tokio::time::sleep(agents::ASK_AGAIN).await;
                }
                owner => return owner,
            }
        }
    }

    pub(crate) async fn owner_now(&self, of: &Address) -> Result<NodeName, Refusal> {
        Ok(match self.find(of).await? {
            Place::Here => self.node().clone(),
            Place::Node(node, None) => node,
            // By no map, so only a guess: the node that is asked knows.
            Place::Node(node, Some(MapVersion(0))) => self.ask_owner(&node, of).await?,
            Place::Node(node, Some(_)) => node,
        })
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

fn letter(to: Address, payload: Payload, reply: ReplySender, wait: Duration) -> Letter {
    Letter {
        to,
        payload,
        context: Context::default(),
        reply,
        until: Instant::now() + wait,
        sent_by: None,
    }
}

fn outbound<'a>(
    to: &'a Address,
    payload: &'a Payload,
    context: &'a Context,
    sent_by: Option<MapVersion>,
) -> Outbound<'a> {
    Outbound {
        to,
        payload,
        context,
        sent_by: sent_by.map(|version| version.0),
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
        self.inner.routing.members()
    }

    fn owner<'a>(&'a self, of: &'a Address) -> BoxFuture<'a, Result<NodeName, Refusal>> {
        Box::pin(self.inner.owner(of))
    }

    fn subscribe(&self, filter: EventFilter) -> BoxFuture<'_, Result<EventStream, Refusal>> {
        Box::pin(async move { Ok(stream::merged(self.inner.mesh.clone(), filter)) })
    }
}

#[cfg(test)]
mod tests;
