//! What operators want changed: decided by the state of the store at that moment, and decided anew when somebody was faster.

use super::actor::{MemberMessage, Working, busy};
use super::messages::{Change, MAX_MOVES_LISTED, MoveEntry, Order, Ordered};
use crate::membership::operate::{self, OperateError};
use crate::membership::{Answer, Proposal, View};
use crate::placement::{Move, Shard};
use rungs_host::{Refusal, Reply, Request};
use rungs_store::cluster::Store;
use rungs_types::ErrorCode;
use std::sync::Arc;
use tokio::sync::Notify;

/// Orders that wait or are under way.
const MAX_ORDERS: usize = 64;
/// How often an order is tried.
const MAX_TRIES: u32 = 8;

/// An order, and how often it was tried.
#[derive(Debug)]
pub struct Attempt {
    change: Change,
    reply: Reply<Ordered>,
    tries: u32,
}

/// The orders that wait for the next look at the store.
#[derive(Debug, Default)]
pub(super) struct Orders {
    waiting: Vec<Attempt>,
}

impl Orders {
    pub(super) fn take(&mut self, request: Request<Order>, asked: &Notify) {
        let Request { message, reply } = request;
        if self.waiting.len() >= MAX_ORDERS {
            return reply.send(Err(busy()));
        }
        self.waiting.push(Attempt {
            change: message.change,
            reply,
            tries: 0,
        });
        asked.notify_one();
    }

    /// Those that are to be tried now.
    pub(super) fn due(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.waiting)
    }

    pub(super) fn answered(&mut self, attempt: Attempt, ordered: Ordered, answer: Answer, asked: &Notify) {
        match answer {
            Answer::Committed(_) => attempt.reply.send(Ok(ordered)),
            Answer::Conflict if attempt.tries < MAX_TRIES => {
                self.waiting.push(attempt);
                asked.notify_one();
            }
            Answer::Conflict => attempt.reply.send(Err(busy())),
            Answer::Unknown => attempt.reply.send(Err(Refusal::new(
                ErrorCode::DeadlineExceeded,
                "the store did not answer; it may have been done: look, and order it again if not",
            ))),
        }
    }
}

impl Attempt {
    /// Puts what is wanted to the store, or says why it cannot be.
    pub(super) fn make(mut self, state: &Working, store: &Arc<dyn Store>) {
        self.tries += 1;
        match decide(&self.change, state.machine.view()) {
            Err(refusal) => self.reply.send(Err(refusal)),
            Ok((ordered, None)) => self.reply.send(Ok(ordered)),
            Ok((ordered, Some(proposal))) => {
                let (attempt, ordered) = (Box::new(self), Box::new(ordered));
                state.put(store, &proposal, move |answer, written| {
                    MemberMessage::Ordered(attempt, ordered, answer, written)
                });
            }
        }
    }
}

/// What an order comes to, and what to put to the store for it, if anything.
fn decide(change: &Change, view: &View) -> Result<(Ordered, Option<Proposal>), Refusal> {
    let refused = |error: OperateError| {
        let code = match error {
            OperateError::NotPresent(_) => ErrorCode::NotFound,
            OperateError::Pinned(_) => ErrorCode::Refused,
        };
        Refusal::new(code, &error.to_string())
    };
    let shard =
        |number: u16| Shard::try_from(number).map_err(|error| Refusal::new(ErrorCode::Malformed, &error.to_string()));
    let mut ordered = Ordered::by(view.map.version());
    let proposal = match change {
        Change::Drain { node } => Some(operate::drain(view, node).map_err(refused)?),
        Change::Undrain { node } => Some(operate::undrain(view, node).map_err(refused)?),
        Change::Pin { shard: number, node } => {
            if !view.members.get(node).is_some_and(|row| row.state.is_present()) {
                return Err(refused(OperateError::NotPresent(node.clone())));
            }
            Some(operate::pin(view, shard(*number)?, node).map_err(refused)?)
        }
        Change::Unpin { shard: number } => Some(operate::unpin(view, shard(*number)?)),
        Change::Rebalance { dry_run } => {
            let (plan, proposal) = operate::rebalance(view);
            ordered.moving = (plan.moves.len() + plan.waiting) as u32;
            ordered.moves = plan.moves.iter().take(MAX_MOVES_LISTED).map(entry).collect();
            proposal.filter(|_| !dry_run)
        }
    };
    Ok((ordered, proposal))
}

fn entry(it: &Move) -> MoveEntry {
    MoveEntry {
        shard: it.shard.number(),
        from: it.from.clone(),
        to: it.to.clone(),
        reason: Some(it.reason.to_string()),
    }
}
