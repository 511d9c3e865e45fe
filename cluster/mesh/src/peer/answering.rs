//! Questions of one peer that are being answered.
//!
//! Nothing waits for an answer: the waker that the actor's reply wakes sends it. A task for each question would cost
//! two more turns of the scheduler on the way back, which is much of what a question to another node costs.
//!
//! Invariant: every question leaves the table once: by its answer, by cancellation, by its deadline (swept once a
//! second; the asker has its own), or with the conversation. Then its receiver is dropped, and with it the cycle of references
//! between the receiver and the waker.

use super::Peer;
use rungs_host::{Payload, Refusal};
use rungs_types::ErrorCode;
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::Instant;

/// Most questions of one peer that are being answered at a time.
pub const MAX_SERVED_ASKS: usize = 16 * 1024;
/// Most questions that are remembered as withdrawn before they came; of more, the oldest may be executed.
const MAX_WITHDRAWN: usize = 256;

type Answer = Result<Payload, Refusal>;

/// One question.
struct Answering {
    peer: Weak<Peer>,
    sequence: u64,
    deadline: Instant,
    receiver: Mutex<Option<oneshot::Receiver<Answer>>>,
}

impl Answering {
    fn receiver(&self) -> MutexGuard<'_, Option<oneshot::Receiver<Answer>>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the receiver, and lets it wake this question when there is more to see.
    fn look(self: &Arc<Self>) -> Option<Answer> {
        let waker = Waker::from(Arc::clone(self));
        let mut receiver = self.receiver();
        // Not within the budget of the task that happens to run: that would wake without an answer.
        let mut answer = tokio::task::unconstrained(receiver.as_mut()?);
        match Pin::new(&mut answer).poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(answer) => {
                *receiver = None;
                Some(answer.unwrap_or_else(|_| Err(ended())))
            }
        }
    }

    fn take(&self) -> Option<Answer> {
        let mut receiver = self.receiver();
        let answer = match receiver.as_mut()?.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Closed) => Err(ended()),
            Err(TryRecvError::Empty) => return None,
        };
        *receiver = None;
        Some(answer)
    }

    fn drop_receiver(&self) {
        // Taken out first: dropping it may drop this question's waker.
        let receiver = self.receiver().take();
        drop(receiver);
    }

    fn send(&self, answer: Answer) {
        if let Some(peer) = self.peer.upgrade() {
            peer.answering.remove(self.sequence);
            peer.answer(self.sequence, answer);
        }
    }
}

impl Wake for Answering {
    fn wake(self: Arc<Self>) {
        if let Some(answer) = self.take() {
            self.send(answer);
        }
    }
}

fn ended() -> Refusal {
    Refusal::new(
        ErrorCode::TargetEnded,
        "the actor ended before it answered; the message may have been executed",
    )
}

/// The questions of one peer by number; `None` once the conversation has ended.
pub(super) struct Table {
    questions: Mutex<Option<HashMap<u64, Arc<Answering>>>>,
    /// Withdrawn before they came: what withdraws a question passes it on the way.
    withdrawn: Mutex<VecDeque<u64>>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            questions: Mutex::new(Some(HashMap::new())),
            withdrawn: Mutex::default(),
        }
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u64, Arc<Answering>>>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn withdrawn(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.withdrawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another question may be answered.
    pub(super) fn has_room(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|questions| questions.len() < MAX_SERVED_ASKS)
    }

    /// Sends the answer when it comes.
    pub(super) fn start(
        &self,
        peer: Weak<Peer>,
        sequence: u64,
        deadline: Instant,
        receiver: oneshot::Receiver<Answer>,
    ) {
        let question = Arc::new(Answering {
            peer,
            sequence,
            deadline,
            receiver: Mutex::new(Some(receiver)),
        });
        // Listed before it can be answered.
        match self.lock().as_mut() {
            Some(questions) => drop(questions.insert(sequence, Arc::clone(&question))),
            None => return,
        }
        if let Some(answer) = question.look() {
            question.send(answer);
        }
    }

    fn remove(&self, sequence: u64) -> Option<Arc<Answering>> {
        self.lock().as_mut()?.remove(&sequence)
    }

    /// The asker no longer waits.
    pub(super) fn cancel(&self, sequence: u64) {
        if let Some(question) = self.remove(sequence) {
            return question.drop_receiver();
        }
        // Answered already, or not here yet.
        let mut withdrawn = self.withdrawn();
        if withdrawn.len() == MAX_WITHDRAWN {
            withdrawn.pop_front();
        }
        withdrawn.push_back(sequence);
    }

    /// Whether the asker had stopped waiting before its question came.
    pub(super) fn is_withdrawn(&self, sequence: u64) -> bool {
        self.withdrawn().contains(&sequence)
    }

    /// Drops the questions whose time is over.
    pub(super) fn sweep(&self, now: Instant) {
        let over: Vec<_> = match self.lock().as_mut() {
            Some(questions) => questions.extract_if(|_, question| question.deadline <= now).collect(),
            None => return,
        };
        for (_, question) in over {
            question.drop_receiver();
        }
    }

    /// The conversation has ended: no answer can go back.
    pub(super) fn close(&self) {
        let questions = self.lock().take();
        for question in questions.into_iter().flatten() {
            question.1.drop_receiver();
        }
    }

    /// How many are being answered.
    pub(super) fn len(&self) -> usize {
        self.lock().as_ref().map_or(0, HashMap::len)
    }
}
