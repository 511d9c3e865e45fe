//! Questions to one peer that wait for their answers.
//!
//! Invariant: every entry leaves by an answer, by its asker (deadline, dropped future) or by the end of the conversation.

use rungs_host::{Payload, Refusal};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Most questions to one peer that wait at a time.
pub const MAX_PENDING_ASKS: usize = 16 * 1024;

/// Where an answer goes.
pub(crate) type Answer = oneshot::Sender<Result<Payload, Refusal>>;

/// The waiting questions by number; `None` once the conversation has ended.
#[derive(Debug)]
pub(crate) struct Pending(Mutex<Option<HashMap<u64, Answer>>>);

impl Default for Pending {
    fn default() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u64, Answer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another question may be asked.
    pub(crate) fn has_room(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|waiting| waiting.len() < MAX_PENDING_ASKS)
    }

    /// Waits for the answer with this number. After the end the answer is dropped, which its receiver sees.
    pub(crate) fn insert(&self, sequence: u64, answer: Answer) {
        if let Some(waiting) = self.lock().as_mut() {
            waiting.insert(sequence, answer);
        }
    }

    /// Takes the question out, if it still waits.
    pub(crate) fn remove(&self, sequence: u64) -> Option<Answer> {
        self.lock().as_mut()?.remove(&sequence)
    }

    /// The conversation has ended: nothing waits any more.
    pub(crate) fn close(&self) {
        drop(self.lock().take());
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().as_ref().map_or(0, HashMap::len)
    }
}
