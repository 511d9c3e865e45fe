//! Messages from a peer: to the actor they are for, and the answer back.

use super::{Peer, Sender, enclose, payload};
use crate::envelope::{Class, Envelope};
use crate::mesh::Misdirected;
use crate::role::{Role, Roles};
use bytes::Bytes;
use rungs_host::tasks::last_words;
use rungs_host::{Caller, Context, Endpoint, Held, Payload, Refusal, Window};
use rungs_types::{Address, ErrorCode, MAX_DEADLINE};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What the messages of one frame have in common. It does not outlive the frame: an endpoint held longer would keep a
/// stopped actor's memory.
pub(crate) struct Cache {
    /// On whose word they come: that of the certificate of the link that brought them.
    caller: Caller,
    /// The endpoint of the message before.
    last: Option<(String, Arc<Endpoint>)>,
}

impl Cache {
    /// For a frame from a peer with these roles.
    pub(super) fn of(roles: Roles) -> Self {
        let caller = if roles.contains(Role::Admin) {
            Caller::Operator
        } else {
            Caller::Node
        };
        Self { caller, last: None }
    }
}

impl Peer {
    /// Delivers a message. An error breaks the protocol and ends the link; what is only wrong with the message is
    /// refused.
    pub(super) fn serve(&self, bytes: &Bytes, envelope: &Envelope<'_>, cache: &mut Cache) -> Result<(), Refusal> {
        let weight = bytes.len() as u64;
        if !self.window.take(weight) {
            return Err(Refusal::new(ErrorCode::Overloaded, "more than the window it was given"));
        }
        let held = Held::of(Arc::clone(&self.window) as Arc<dyn Window>, weight);
        let deadline = envelope.deadline.unwrap_or(MAX_DEADLINE).min(MAX_DEADLINE);
        let delivery = AssertUnwindSafe(|| {
            if envelope.class == Class::Ask {
                self.serve_ask(bytes, envelope, deadline, held, cache)
            } else {
                self.deliver(bytes, envelope, deadline, held, None, cache)
            }
        });
        // An actor's own code turns the message into its own; what a panic of it leaves undone is in nobody's hands.
        let delivered = catch_unwind(delivery).unwrap_or_else(|panic| Err(panicked(envelope, panic.as_ref())));
        match delivered {
            Ok(()) => drop(self.counters.delivered.fetch_add(1, Ordering::Relaxed)),
            Err(refusal) => self.refuse(envelope.sequence, &refusal),
        }
        Ok(())
    }

    fn serve_ask(
        &self,
        bytes: &Bytes,
        envelope: &Envelope<'_>,
        deadline: Duration,
        held: Held,
        cache: &mut Cache,
    ) -> Result<(), Refusal> {
        if self.answering.is_withdrawn(envelope.sequence) {
            // Nobody waits for an answer.
            return Ok(());
        }
        if !self.answering.has_room() {
            return Err(Refusal {
                retry_after_ms: Some(super::RETRY_AFTER.as_millis() as u64),
                ..Refusal::new(ErrorCode::Overloaded, "too many questions are being answered")
            });
        }
        let (sender, answer) = oneshot::channel();
        self.deliver(bytes, envelope, deadline, held, Some(sender), cache)?;
        let until = Instant::now() + deadline;
        self.answering.start(self.me.clone(), envelope.sequence, until, answer);
        Ok(())
    }

    /// Sends an answer back.
    pub(super) fn answer(&self, sequence: u64, answer: Result<Payload, Refusal>) {
        let payload = match answer {
            Ok(payload) => payload,
            Err(refusal) => return self.refuse(sequence, &refusal),
        };
        let mut reply = enclose(Class::Reply, &payload);
        reply.sequence = sequence;
        if let Err(error) = self.outgoing.push(&reply, Sender::Caller) {
            let text = format!("it was executed, but its answer cannot be sent: {error}");
            self.refuse(sequence, &Refusal::new(ErrorCode::Internal, &text));
        }
        self.hurry();
    }

    fn deliver(
        &self,
        bytes: &Bytes,
        envelope: &Envelope<'_>,
        deadline: Duration,
        held: Held,
        reply: rungs_host::endpoints::ReplySender,
        cache: &mut Cache,
    ) -> Result<(), Refusal> {
        let missing = || Refusal::new(ErrorCode::Malformed, "a message for nobody");
        let target = envelope.to.ok_or_else(missing)?;
        let payload = payload(bytes, envelope)?;
        let context = Context {
            trace: envelope.trace,
            from: envelope.from.map(parse).transpose()?,
            message_id: envelope.message_id,
            caller: cache.caller,
            held,
        };
        if let Some((text, endpoint)) = &cache.last
            && text == target
        {
            return endpoint.deliver(payload, context, reply);
        }
        let to = parse(target)?;
        if let Some(endpoint) = self.local.endpoints.get(&to) {
            let delivered = endpoint.deliver(payload, context, reply);
            cache.last = Some((target.to_owned(), endpoint));
            return delivered;
        }
        self.local.misdirected(Misdirected {
            from: self.identity().node.clone(),
            to,
            payload,
            context,
            reply,
            deadline,
            sent_by: envelope.map,
        })
    }
}

fn panicked(envelope: &Envelope<'_>, panic: &(dyn Any + Send)) -> Refusal {
    let target = envelope.to.unwrap_or_default();
    let words = last_words(panic);
    tracing::error!(target, panic = words, "a message made its target panic");
    let text = format!("{target} panicked when the message came; it may have been executed: {words}");
    Refusal::new(ErrorCode::TargetEnded, &text)
}

fn parse(text: &str) -> Result<Address, Refusal> {
    text.parse()
        .map_err(|error: rungs_types::address::AddressError| Refusal::new(ErrorCode::Malformed, &error.to_string()))
}
