//! [`MemoryStore`]: a store that lives as long as the process. For tests, for simulation (it reads no clock and makes no
//! choice by chance) and for nodes that need not remember.

mod state;

use crate::cluster::change::{Changes, Since};
use crate::cluster::commit::{Commit, CommitError, Outcome, Revision, RowId};
use crate::cluster::limits::KEPT_DELETIONS;
use crate::cluster::read::{Consistency, Head, Page, ReadError, Row, Scan, Seen};
use crate::cluster::{Answer, Store};
use state::State;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// See the module.
pub struct MemoryStore {
    state: Mutex<State>,
    head: watch::Sender<Head>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::keeping(KEPT_DELETIONS)
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that remembers deletions for this many commits.
    pub fn keeping(kept_deletions: u64) -> Self {
        Self {
            state: Mutex::new(State::keeping(kept_deletions)),
            head: watch::Sender::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing between the first and the last change of a commit can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, commit: Commit) -> Result<Outcome, CommitError> {
        commit.check()?;
        let mut state = self.state();
        let outcome = state.apply(commit);
        self.head.send_replace(state.head());
        Ok(outcome)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("head", &*self.head.borrow())
            .finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    fn commit(&self, commit: Commit, _within: Duration) -> Answer<'_, Outcome, CommitError> {
        Box::pin(async move { self.apply(commit) })
    }

    fn get(&self, row: RowId, _how: Consistency, _within: Duration) -> Answer<'_, Seen<Option<Row>>, ReadError> {
        Box::pin(async move {
            let state = self.state();
            let (head, value) = (state.head(), state.get(&row));
            Ok(Seen { head, value })
        })
    }

    fn scan(&self, scan: Scan, _how: Consistency, _within: Duration) -> Answer<'_, Page, ReadError> {
        Box::pin(async move {
            scan.check()?;
            Ok(self.state().scan(&scan))
        })
    }

    fn changes(&self, since: Since, _within: Duration) -> Answer<'_, Changes, ReadError> {
        Box::pin(async move { self.state().changes(&since) })
    }

    fn moved(&self, past: Revision, within: Duration) -> Answer<'_, Head, ReadError> {
        Box::pin(async move {
            let mut head = self.head.subscribe();
            let further = head.wait_for(|head| head.revision > past);
            match tokio::time::timeout(within, further).await {
                Ok(Ok(head)) => Ok(*head),
                // Over, or (which cannot be while `self` lives) nobody is left to go further.
                Ok(Err(_)) | Err(_) => Ok(self.state().head()),
            }
        })
    }
}

#[cfg(test)]
mod tests;
