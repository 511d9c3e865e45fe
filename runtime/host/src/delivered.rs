//! [`Delivered`], the one message type that meets ractor, and [`Handle`], the one way to send it.
//!
//! Every actor, ours and users', has `type Msg = Delivered<M>`: nobody derives anything, a credit is given back when
//! the message is dropped, and injected faults and trace context enter in one place.

use crate::mailbox::{Credit, Held, Mailbox, Overloaded};
use crate::wire::{Refusal, Reply};
use ractor::{ActorCell, ActorRef};
use rungs_types::{Address, MAX_DEADLINE, MessageId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// On whose word a message comes, as far as that is proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Caller {
    /// This node's own: the node, its agents, or the program around it.
    #[default]
    Here,
    /// Another node's.
    Node,
    /// An operator's, whose certificate says so.
    Operator,
}

/// What travels beside a message.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Trace and span of the sender (W3C ids), if it is traced.
    pub trace: Option<(u128, u64)>,
    /// Who sent it, if known. A remote sender says so itself; who may send what is decided by [`Context::caller`].
    pub from: Option<Address>,
    /// On whose word it comes.
    pub caller: Caller,
    /// The id under which a remote sender knows it.
    pub message_id: Option<MessageId>,
    /// Given back when the message is dropped: its share of the window of the link it came over.
    pub held: Held,
}

/// A message on its way into an actor.
#[derive(Debug)]
pub struct Delivered<M> {
    /// The message.
    pub message: M,
    /// Trace context and sender, if it has any: most local messages have none and travel light.
    pub context: Option<Box<Context>>,
    /// Given back when this is dropped.
    pub credit: Credit,
}

// Not remotable: `Message`'s defaults under `cluster` say "not serialisable", so no peer ever learns of the actor.
impl<M: Send + 'static> ractor::Message for Delivered<M> {}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TellError {
    /// The mailbox is full; retry later.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The actor has ended.
    #[error("the actor has ended")]
    Ended,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It was not sent.
    #[error(transparent)]
    Tell(#[from] TellError),
    /// No answer in time; the message may have been executed.
    #[error("no answer within {} ms; it may have been executed", .0.as_millis())]
    DeadlineExceeded(Duration),
    /// The actor ended or dropped the question; it may have been executed.
    #[error("the actor ended before it answered; the message may have been executed")]
    NoReply,
    /// The actor answered that it will not.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A cheap, cloneable way to an actor on this node.
pub struct Handle<M: Send + 'static> {
    actor: ActorRef<Delivered<M>>,
    mailbox: Arc<Mailbox>,
}

impl<M: Send + 'static> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            mailbox: Arc::clone(&self.mailbox),
        }
    }
}

impl<M: Send + 'static> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.actor.get_id()).finish()
    }
}

impl<M: Send + 'static> Handle<M> {
    /// A handle with a mailbox of its own; all handles of one actor must be clones of one.
    pub fn new(actor: ActorRef<Delivered<M>>, mailbox: Mailbox) -> Self {
        Self {
            actor,
            mailbox: Arc::new(mailbox),
        }
    }

    /// A handle with a mailbox that others already hold.
    pub fn sharing(actor: ActorRef<Delivered<M>>, mailbox: Arc<Mailbox>) -> Self {
        Self { actor, mailbox }
    }

    /// The ractor reference, for supervision.
    pub fn actor(&self) -> &ActorRef<Delivered<M>> {
        &self.actor
    }

    /// The untyped ractor cell, for supervision.
    pub fn cell(&self) -> ActorCell {
        self.actor.get_cell()
    }

    /// The mailbox, for its depth.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Sends, at most once.
    pub fn tell(&self, message: M) -> Result<(), TellError> {
        self.send(message, None, size_of::<M>() as u64)
    }

    /// Sends with a context; `bytes` is what the message weighs against the mailbox.
    pub fn tell_with(&self, message: M, context: Context, bytes: u64) -> Result<(), TellError> {
        self.send(message, Some(Box::new(context)), bytes)
    }

    fn send(&self, message: M, context: Option<Box<Context>>, bytes: u64) -> Result<(), TellError> {
        let credit = self.mailbox.admit(bytes)?;
        let delivered = Delivered {
            message,
            context,
            credit,
        };
        self.actor.send_message(delivered).map_err(|_| TellError::Ended)
    }

    /// Sends past the bound of the mailbox: for timers and supervisors that send to their own actor and have at most a
    /// few messages on the way. An actor that has ended no longer cares.
    pub fn signal(&self, message: M) {
        let delivered = Delivered {
            message,
            context: None,
            credit: Credit::unmetered(),
        };
        drop(self.actor.send_message(delivered));
    }

    /// Asks and waits at most `deadline` (cut at [`MAX_DEADLINE`]). Dropping the future abandons the question.
    pub async fn ask<R: Send + 'static>(
        &self,
        deadline: Duration,
        make: impl FnOnce(Reply<R>) -> M,
    ) -> Result<R, AskError> {
        let deadline = deadline.min(MAX_DEADLINE);
        let (reply, answer) = Reply::local();
        self.tell(make(reply))?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(result)) => Ok(result?),
            Ok(Err(_)) => Err(AskError::NoReply),
            Err(_) => Err(AskError::DeadlineExceeded(deadline)),
        }
    }
}

#[cfg(test)]
mod tests;
