//! Why a node stops: somebody asked for it, or it has lost a part of itself without which it can promise nothing. Then it
//! stops in order as well, and its program ends with a failure, so that whoever keeps it running starts it anew.
//!
//! Invariant: the first reason counts; what ends while a node stops is no failure.

use rungs_host::tasks;
use rungs_store_raft::Ended;
use tokio::sync::watch;

/// Why a node stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked for it: an operator, or the program.
    Asked,
    /// It cannot go on.
    Failed(Failure),
}

/// What a node has lost that it cannot go on without.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Its store: it can neither read nor promise anything.
    #[error("the node has lost its store: {0}")]
    Store(Ended),
    /// Too many threads of its levels.
    #[error("{abandoned} threads are lost to phases that do not end")]
    Threads {
        /// How many are lost.
        abandoned: usize,
    },
    /// The top of one of its supervision trees, which nothing starts again; the log before says what has failed below it.
    #[error("the supervisor of {tree} has ended, and nothing starts it again")]
    Supervisor {
        /// What it supervised.
        tree: &'static str,
    },
}

/// Whether and why a node is to stop; clones are of the same node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(watch::Sender<Option<StopReason>>);

impl Stop {
    /// The node is to stop because somebody wants it to.
    pub(crate) fn ask(&self) {
        self.set(StopReason::Asked);
    }

    /// The node is to stop because it cannot go on.
    pub(crate) fn fail(&self, failure: Failure) {
        if self.set(StopReason::Failed(failure.clone())) {
            tracing::error!(%failure, "the node stops");
        }
    }

    fn set(&self, reason: StopReason) -> bool {
        self.0.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(reason);
            first
        })
    }

    /// What it has lost, if it stops for that.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match &*self.0.borrow() {
            Some(StopReason::Failed(failure)) => Some(failure.clone()),
            Some(StopReason::Asked) | None => None,
        }
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Whether the node may hand its shards over before it stops. One that has lost its store or the actors that would do it
    /// would wait in vain.
    pub(crate) fn can_leave(&self) -> bool {
        !matches!(self.failure(), Some(Failure::Store(_) | Failure::Supervisor { .. }))
    }

    /// Waits until it is to stop.
    pub(crate) async fn requested(&self) -> StopReason {
        let mut reasons = self.0.subscribe();
        loop {
            if let Some(reason) = reasons.borrow_and_update().clone() {
                return reason;
            }
            reasons
                .changed()
                .await
                .expect("invariant: the sender is a field of self");
        }
    }

    /// The node fails when `loss` returns, unless it stops before.
    pub(crate) fn when_lost(&self, name: &'static str, loss: impl Future<Output = Failure> + Send + 'static) {
        let stop = self.clone();
        tasks::spawn(name, async move {
            tokio::select! {
                biased;
                _ = stop.requested() => {}
                failure = loss => stop.fail(failure),
            }
        });
    }
}

#[cfg(test)]
mod tests;
