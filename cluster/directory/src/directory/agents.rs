//! Messages for agents: where each goes now, and what becomes of those that cannot go yet.
//!
//! 1. An endpoint is there while its agent takes messages in: what is for it goes there, in order.
//! 2. Without one the map decides: this node's agent is started, another's message is sent on, and what belongs to a shard
//!    that is being handed over, or was sent by a map that is not read yet, waits in [`Holding`](crate::holding::Holding).
//! 3. What waits keeps its order: nothing overtakes it on the way to the same shard.
//! 4. A question that certainly was not executed is asked again until its deadline: its agent's node may just have died.

use super::{Directory, Inner, LOCATE_DEADLINE, Place, TELL_WAIT, outbound};
use crate::activation::{Letter, give, refuse};
use crate::actor::{self, Owner};
use crate::handover::{Arrival, Route, RouteError};
use crate::holding::{Next, RETRY_AFTER};
use crate::placement::{MapVersion, Shard};
use rungs_host::{Context, Format, Payload, Refusal, tasks};
use rungs_mesh::mesh::not_found;
use rungs_mesh::{Forward, Misdirected};
use rungs_types::{Address, ErrorCode, NodeName};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// How long after a question was refused by somebody who cannot answer it now it is asked again.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What a sender is told of a message that is not taken. Nothing was executed.
pub(super) fn refusal(error: RouteError) -> Refusal {
    Refusal {
        retry_after_ms: Some(RETRY_AFTER.as_millis() as u64),
        ..Refusal::new(ErrorCode::NodeDown, &error.to_string())
    }
}

impl Directory {
    /// Routes have changed: looks again at what waits.
    pub fn routes_changed(&self) {
        self.inner.look_again();
    }

    /// Takes back messages of agents that were this node's when they came, and sends them on their way. Holds the directory
    /// weakly: whoever gives back is a part of it.
    pub fn readmitter(&self) -> Box<dyn Fn(Letter) + Send + Sync> {
        let inner = Arc::downgrade(&self.inner);
        Box::new(move |letter| {
            // Without a directory the way back is dropped, and its asker learns that.
            if let Some(inner) = inner.upgrade() {
                inner.readmit(letter);
            }
        })
    }
}

impl Inner {
    /// Where a node is that should be asked: it, or, where the placement is only a guess and it is not there, any other.
    pub(super) fn reachable(&self, to: NodeName, version: MapVersion) -> Place {
        let peers = self.mesh.peers();
        if self.routing.version().is_some() || self.routing.members().contains(self.node()) || peers.contains_key(&to) {
            return Place::Node(to, Some(version));
        }
        let members = self.routing.members();
        let other = members.into_iter().find(|node| peers.contains_key(node));
        Place::Node(other.unwrap_or(to), Some(version))
    }

    /// Asks a node which node an address leads to.
    pub(super) async fn ask_owner(&self, node: &NodeName, address: &Address) -> Result<NodeName, Refusal> {
        let address = address.clone();
        let payload = Payload::of(&Owner { address }, Format::Binary)?;
        let (to, context) = (actor::address(node), Context::default());
        let question = outbound(&to, &payload, &context, None);
        self.mesh.ask(node, question, LOCATE_DEADLINE).await?.decode()
    }

    /// Asks an agent, again and again while nobody can have executed it.
    pub(super) async fn ask_agent(
        &self,
        to: &Address,
        payload: Payload,
        deadline: Duration,
    ) -> Result<Payload, Refusal> {
        let end = Instant::now() + deadline;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.ask_once(to, payload.clone(), left).await {
                Err(refusal) if refusal.code == ErrorCode::NodeDown && Instant::now() + ASK_AGAIN < end => {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                answer => return answer,
            }
        }
    }

    /// Takes a message for this node, or for an agent wherever it is.
    pub(super) fn admit(&self, letter: Letter) -> Result<(), Refusal> {
        if let Some(endpoint) = self.mesh.endpoints().get(&letter.to) {
            return endpoint.deliver(letter.payload, letter.context, letter.reply);
        }
        let Address::Agent { agent, .. } = &letter.to else {
            return Err(not_found(&letter.to, self.node()));
        };
        let shard = Shard::of(agent);
        if self.holding.has(shard) {
            return self.holding.push(shard, letter);
        }
        match self.route(shard, &letter) {
            Route::Hold | Route::ReadFirst(_) => self.holding.push(shard, letter),
            route => self.go(letter, route),
        }
    }

    fn route(&self, shard: Shard, letter: &Letter) -> Route {
        let sent_by = letter.sent_by;
        let route = self.routing.route(Arrival { shard, sent_by });
        if let (Route::ReadFirst(version), Some(member)) = (&route, self.member.get()) {
            member.newer_map(*version);
        }
        route
    }

    /// Does with a message what the map says, which is not to wait.
    fn go(&self, letter: Letter, route: Route) -> Result<(), Refusal> {
        match route {
            Route::Here(_) => match (&letter.to, self.activation.load_full()) {
                (Address::Agent { agent, .. }, Some(activation)) => activation.want(&agent.clone(), letter),
                _ => Err(not_found(&letter.to, self.node())),
            },
            Route::Forward { to, version } => self.send_on(&to, letter, version),
            Route::Refuse(error) => Err(refusal(error)),
            Route::Hold | Route::ReadFirst(_) => Err(refusal(RouteError::NotServing(shard_of(&letter.to)))),
        }
    }

    fn send_on(&self, node: &NodeName, letter: Letter, version: MapVersion) -> Result<(), Refusal> {
        let Letter {
            to,
            payload,
            context,
            reply,
            until,
            ..
        } = letter;
        let Some(reply) = reply else {
            return self.mesh.tell(node, outbound(&to, &payload, &context, Some(version)));
        };
        let full = || Refusal::new(ErrorCode::Overloaded, "too many questions are being sent on");
        let place = Arc::clone(&self.forwarded).try_acquire_owned().map_err(|_| full())?;
        let (mesh, node) = (self.mesh.clone(), node.clone());
        tasks::spawn("directory forward", async move {
            let left = until.saturating_duration_since(Instant::now());
            let answer = mesh
                .ask(&node, outbound(&to, &payload, &context, Some(version)), left)
                .await;
            // An asker that no longer waits is no error.
            drop(reply.send(answer));
            drop(place);
        });
        Ok(())
    }

    pub(super) fn look_again(&self) {
        let next = |shard: Shard, letter: &Letter| match self.route(shard, letter) {
            Route::Hold | Route::ReadFirst(_) => Next::Wait,
            _ => Next::Go,
        };
        let go = |shard: Shard, letter: Letter| {
            let route = self.route(shard, &letter);
            give(letter, |letter| self.go(letter, route));
        };
        let late = |mut letter: Letter| {
            let text = format!(
                "the shard of {} did not come to rest in time; nothing was executed",
                letter.to
            );
            refuse(letter.reply.take(), Refusal::new(ErrorCode::DeadlineExceeded, &text));
        };
        self.holding.look(Instant::now(), next, go, late);
    }

    pub(super) fn readmit(&self, letter: Letter) {
        let shard = shard_of(&letter.to);
        match self.route(shard, &letter) {
            route @ (Route::Forward { .. } | Route::Refuse(_)) if !self.holding.has(shard) => {
                give(letter, |letter| self.go(letter, route));
            }
            // It is looked at again with the next map or tick: whoever gave it back knows less than the map at present.
            _ => drop(self.holding.push(shard, letter)),
        }
    }
}

fn shard_of(to: &Address) -> Shard {
    match to {
        Address::Agent { agent, .. } => Shard::of(agent),
        // Nothing else waits.
        _ => Shard::default(),
    }
}

/// What the mesh asks when a message is for nobody here.
pub(super) struct Forwarding(pub(super) Weak<Inner>);

impl Forward for Forwarding {
    fn forward(&self, message: Misdirected) -> Result<(), Refusal> {
        let stopped = || Refusal::new(ErrorCode::NodeDown, "the directory has stopped");
        let inner = self.0.upgrade().ok_or_else(stopped)?;
        if !matches!(message.to, Address::Agent { .. }) {
            // Who has a user's actor or another node's is the sender's to find out.
            return Err(not_found(&message.to, inner.node()));
        }
        let wait = match message.reply {
            Some(_) => message.deadline,
            None => TELL_WAIT,
        };
        inner.admit(Letter {
            to: message.to,
            payload: message.payload,
            context: message.context,
            reply: message.reply,
            until: Instant::now() + wait,
            sent_by: message.sent_by.map(MapVersion),
        })
    }
}
