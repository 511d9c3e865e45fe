//! What the kernel receives: its ticks, and what operators and goals want of it.

use crate::goals::{CancelGoal, GetGoal, ListGoals, SubmitGoal, TakeGoal};
use crate::messages::{Ask, GetRoleState};
use crate::ports::Asked;
use crate::track::Track;
use rungs_host::{Handle, Refusal, Request, Tick};
use rungs_types::ErrorCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::time::Instant;

/// Why an agent of a node without a lease takes nothing. Nothing was done.
pub(super) fn closed() -> Refusal {
    Refusal::new(
        ErrorCode::NodeDown,
        "the agent's node does not act at present; nothing was done, try again",
    )
}

/// What the kernel receives.
#[derive(Debug)]
pub(crate) enum KernelMessage {
    /// The next cycle is due, since this moment.
    Tick(Instant),
    /// Its state, for people.
    State(Request<GetRoleState>),
    /// A user sets a goal.
    Submit(Box<Request<SubmitGoal>>),
    /// The cluster has accepted a user's goal.
    Take(Box<Request<TakeGoal>>),
    /// A user cancels one.
    Cancel(Request<CancelGoal>),
    /// The goals, for people.
    Goals(Request<ListGoals>),
    /// One of them.
    Goal(Request<GetGoal>),
    /// Another agent asks something.
    Ask(Request<Ask>),
    /// A question to another agent came out.
    Told(Box<Asked>),
    /// The task log has something for callers that wait.
    Durable,
}

impl KernelMessage {
    /// From the agent's own tree.
    pub(super) fn is_internal(&self) -> bool {
        matches!(self, Self::Tick(_) | Self::Durable | Self::Told(_))
    }
}

impl From<Request<GetRoleState>> for KernelMessage {
    fn from(request: Request<GetRoleState>) -> Self {
        Self::State(request)
    }
}

impl From<Request<SubmitGoal>> for KernelMessage {
    fn from(request: Request<SubmitGoal>) -> Self {
        Self::Submit(Box::new(request))
    }
}

impl From<Request<TakeGoal>> for KernelMessage {
    fn from(request: Request<TakeGoal>) -> Self {
        Self::Take(Box::new(request))
    }
}

impl From<Request<CancelGoal>> for KernelMessage {
    fn from(request: Request<CancelGoal>) -> Self {
        Self::Cancel(request)
    }
}

impl From<Request<ListGoals>> for KernelMessage {
    fn from(request: Request<ListGoals>) -> Self {
        Self::Goals(request)
    }
}

impl From<Request<GetGoal>> for KernelMessage {
    fn from(request: Request<GetGoal>) -> Self {
        Self::Goal(request)
    }
}

impl From<Request<Ask>> for KernelMessage {
    fn from(request: Request<Ask>) -> Self {
        Self::Ask(request)
    }
}

/// Ticks on their way: one in the mailbox, the others counted.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    in_mailbox: AtomicBool,
    missed: AtomicU64,
}

impl Pulse {
    pub(super) fn beat(&self, tick: Tick, track: &Track, kernel: &Handle<KernelMessage>) {
        self.missed.fetch_add(tick.missed, Ordering::AcqRel);
        if self.in_mailbox.swap(true, Ordering::AcqRel) {
            self.missed.fetch_add(1, Ordering::AcqRel);
        } else {
            track.with(0);
            kernel.signal(KernelMessage::Tick(tick.due));
        }
    }

    /// The tick is taken out of the mailbox; how many were missed since the last.
    pub(super) fn take(&self) -> u64 {
        self.in_mailbox.store(false, Ordering::Release);
        self.missed.swap(0, Ordering::AcqRel)
    }
}
