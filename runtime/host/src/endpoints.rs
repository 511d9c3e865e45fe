//! The endpoints table: which actors of this node are reachable by name, and what they receive. The mesh (bincode) and
//! the shell (JSON) both deliver through it. It also decides who may send what: some kinds only operators may send from
//! elsewhere, and [`Endpoint::deliver`] refuses them of other nodes.
//!
//! Invariant: an entry leaves with its actor (a held reference would keep most of the actor's memory): the actor keeps
//! the [`Registration`] in its state, which is dropped however the actor ends; and an entry whose actor has ended is
//! never handed out.

use crate::delivered::{Caller, Context, Handle, TellError};
use crate::groups::Groups;
use crate::mailbox::Mailbox;
use crate::wire::{Format, Payload, Refusal, Reply, Request, Wire};
use dashmap::{DashMap, DashSet};
use ractor::{ActorCell, ActorStatus};
use rungs_types::{Address, AgentId, ErrorCode};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::oneshot;

/// Where the answer to a delivered payload goes; `None` for a `tell`.
pub type ReplySender = Option<oneshot::Sender<Result<Payload, Refusal>>>;

type Deliver = Box<dyn Fn(Payload, Context, ReplySender) -> Result<(), Refusal> + Send + Sync>;

/// One message kind that an endpoint receives, as `describe` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KindDescription {
    /// [`Wire::KIND`].
    pub kind: String,
    /// [`Wire::VERSION`].
    pub version: u16,
    /// A message to copy, as JSON text.
    pub example: String,
    /// JSON Schema of the message, as text.
    pub schema: String,
    /// JSON Schema of the reply, as text.
    pub reply_schema: String,
}

struct Kind {
    name: &'static str,
    version: u16,
    /// Of what comes from elsewhere, only an operator's is taken.
    operators_only: bool,
    describe: fn() -> KindDescription,
    deliver: Deliver,
}

/// An actor that is reachable by name.
pub struct Endpoint {
    kinds: Vec<Kind>,
    actor: ActorCell,
    mailbox: Arc<Mailbox>,
}

/// Collects what an actor with messages `M` receives by name.
pub struct EndpointBuilder<M: Send + 'static> {
    handle: Handle<M>,
    kinds: Vec<Kind>,
}

impl<M: Send + 'static> EndpointBuilder<M> {
    /// An endpoint that receives nothing yet.
    pub fn new(handle: Handle<M>) -> Self {
        Self {
            handle,
            kinds: Vec::new(),
        }
    }

    /// Adds one message type.
    #[must_use]
    pub fn receives<W: Wire>(mut self) -> Self
    where
        M: From<Request<W>>,
    {
        let handle = self.handle.clone();
        let deliver: Deliver = Box::new(move |payload, context, reply| {
            let message: W = payload.decode()?;
            let reply = match reply {
                Some(sender) => Reply::bytes::<W>(payload.format, sender),
                None => Reply::nowhere(),
            };
            let bytes = payload.bytes.len() as u64;
            handle
                .tell_with(Request { message, reply }.into(), context, bytes)
                .map_err(Refusal::from)
        });
        self.kinds.push(Kind {
            name: W::KIND,
            version: W::VERSION,
            operators_only: false,
            describe: describe::<W>,
            deliver,
        });
        self
    }

    /// Of what was added so far, only operators may send anything from elsewhere; other nodes may not.
    #[must_use]
    pub fn operators_only(mut self) -> Self {
        for kind in &mut self.kinds {
            kind.operators_only = true;
        }
        self
    }

    /// The finished endpoint.
    pub fn build(self) -> Endpoint {
        Endpoint {
            kinds: self.kinds,
            actor: self.handle.cell(),
            mailbox: Arc::clone(self.handle.mailbox()),
        }
    }
}

fn describe<W: Wire>() -> KindDescription {
    let text = |value: serde_json::Result<String>| value.unwrap_or_default();
    KindDescription {
        kind: W::KIND.to_owned(),
        version: W::VERSION,
        example: text(serde_json::to_string(&W::example())),
        schema: text(serde_json::to_string(&schemars::schema_for!(W))),
        reply_schema: text(serde_json::to_string(&schemars::schema_for!(W::Reply))),
    }
}

impl From<TellError> for Refusal {
    fn from(error: TellError) -> Self {
        match &error {
            TellError::Overloaded(full) => Refusal {
                retry_after_ms: Some(full.retry_after.as_millis() as u64),
                ..Refusal::new(ErrorCode::Overloaded, &error.to_string())
            },
            TellError::Ended => Refusal::new(ErrorCode::NotFound, &error.to_string()),
        }
    }
}

impl Endpoint {
    /// Decodes the payload and puts it into the actor's mailbox, unless its sender may not send it.
    pub fn deliver(&self, payload: Payload, context: Context, reply: ReplySender) -> Result<(), Refusal> {
        let kind = self
            .kinds
            .iter()
            .find(|kind| kind.name == payload.kind)
            .ok_or_else(|| self.unknown(&payload))?;
        if kind.operators_only && context.caller == Caller::Node {
            let text = format!(
                "{} is for operators; expected a certificate with the role admin",
                kind.name
            );
            return Err(Refusal::new(ErrorCode::Forbidden, &text));
        }
        if kind.version != payload.version && payload.format == Format::Binary {
            let text = format!("{} version {}; expected {}", kind.name, payload.version, kind.version);
            return Err(Refusal::new(ErrorCode::Incompatible, &text));
        }
        (kind.deliver)(payload, context, reply)
    }

    fn unknown(&self, payload: &Payload) -> Refusal {
        let found: String = payload.kind.chars().take(80).collect();
        let names: Vec<_> = self.kinds.iter().map(|kind| kind.name).collect();
        Refusal::new(
            ErrorCode::Malformed,
            &format!("no message {found:?}; expected one of {}", names.join(", ")),
        )
    }

    /// What the actor receives.
    pub fn describe(&self) -> Vec<KindDescription> {
        self.kinds.iter().map(|kind| (kind.describe)()).collect()
    }

    /// The actor's mailbox, for its depth.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// An actor that drains takes nothing more in.
    fn has_ended(&self) -> bool {
        self.actor.get_status() >= ActorStatus::Draining
    }
}

/// An actor's entry in the table; dropping it takes the entry away, unless a later actor has replaced it.
#[derive(Debug)]
#[must_use = "dropping a registration takes the entry away"]
pub struct Registration {
    address: Address,
    endpoint: Arc<Endpoint>,
    endpoints: Weak<Endpoints>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(endpoints) = self.endpoints.upgrade() {
            endpoints.remove_if(&self.address, |entry| Arc::ptr_eq(entry, &self.endpoint));
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = self.kinds.iter().map(|kind| kind.name);
        f.debug_list().entries(kinds).finish()
    }
}

/// All endpoints of a node.
#[derive(Debug, Default)]
pub struct Endpoints {
    table: DashMap<Address, Arc<Endpoint>>,
    /// Agents that start and are not to be found yet.
    concealed: DashSet<AgentId>,
    /// How many, so that a look-up need not ask while there are none.
    concealing: AtomicUsize,
    groups: Arc<Groups>,
}

impl Endpoints {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which agents can be reached by the name of their group.
    pub fn groups(&self) -> &Arc<Groups> {
        &self.groups
    }

    /// Makes the actor reachable; replaces an entry of the same address (a restarted actor).
    pub fn register(&self, address: Address, endpoint: Endpoint) {
        self.table.insert(address, Arc::new(endpoint));
    }

    /// Makes the actor reachable for as long as the registration lives: until its state is dropped. Replaces an entry of
    /// the same address.
    pub fn register_while_alive(self: &Arc<Self>, address: Address, endpoint: Endpoint) -> Registration {
        let endpoint = Arc::new(endpoint);
        self.table.insert(address.clone(), Arc::clone(&endpoint));
        Registration {
            address,
            endpoint,
            endpoints: Arc::downgrade(self),
        }
    }

    /// Takes the entry away.
    pub fn remove(&self, address: &Address) {
        self.table.remove(address);
    }

    /// From now on the actors of an agent are found by [`Endpoints::get_concealed`] only, so that what waits for it comes
    /// first.
    pub fn conceal(&self, agent: &AgentId) {
        if self.concealed.insert(agent.clone()) {
            self.concealing.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// They are found by everyone again.
    pub fn reveal(&self, agent: &AgentId) {
        if self.concealed.remove(agent).is_some() {
            self.concealing.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The endpoint at an address, while its actor lives and is not concealed.
    pub fn get(&self, address: &Address) -> Option<Arc<Endpoint>> {
        let concealed = |agent| self.concealing.load(Ordering::Acquire) > 0 && self.concealed.contains(agent);
        match address {
            Address::Agent { agent, .. } if concealed(agent) => None,
            _ => self.get_concealed(address),
        }
    }

    /// The endpoint at an address, while its actor lives.
    pub fn get_concealed(&self, address: &Address) -> Option<Arc<Endpoint>> {
        let endpoint = self.table.get(address).map(|entry| Arc::clone(&entry))?;
        if endpoint.has_ended() {
            self.remove_if(address, |entry| Arc::ptr_eq(entry, &endpoint));
            return None;
        }
        Some(endpoint)
    }

    fn remove_if(&self, address: &Address, condition: impl FnOnce(&Arc<Endpoint>) -> bool) {
        self.table.remove_if(address, |_, entry| condition(entry));
    }

    /// All addresses of living actors, sorted.
    pub fn addresses(&self) -> Vec<Address> {
        self.table.retain(|_, entry| !entry.has_ended());
        let mut addresses: Vec<_> = self.table.iter().map(|entry| entry.key().clone()).collect();
        addresses.sort();
        addresses
    }
}

#[cfg(test)]
mod tests;
