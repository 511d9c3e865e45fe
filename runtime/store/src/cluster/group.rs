//! [`GroupCommit`]: commits that come at the same time are written as one, and each gets its own answer.
//!
//! One batch is under way at a time; what comes meanwhile waits and makes the next, so that batches grow with the load and
//! a commit that comes alone does not wait for others.
//!
//! Invariants:
//! 1. A commit whose caller has gone, or whose deadline has passed, before it was taken into a batch is never written:
//!    its caller is told so for certain.
//! 2. At most [`MAX_WAITING_COMMITS`] wait, and a batch is within the limits below.

use crate::cluster::commit::{Commit, CommitError, Outcome};
use crate::cluster::limits::MAX_BATCH_BYTES;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// Commits that wait for a batch; one more is told that the store is overloaded.
pub const MAX_WAITING_COMMITS: usize = 4096;
/// Most commits of a batch.
pub const MAX_BATCH_COMMITS: usize = 256;
/// Most preconditions and writes of a batch: each is a statement where a database is behind it. A commit alone may have
/// more.
pub const MAX_BATCH_STEPS: usize = 1024;

/// Why a batch has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchError {
    /// No commit of it was applied, nor will be.
    NotApplied,
    /// Not known.
    Unknown,
}

/// Writes batches, one after the other.
pub trait WriteBatch: Send + 'static {
    /// Writes all commits in this order, each as the one before has left the store, and returns their outcomes. Tries
    /// again as long as it is safe, until the time is over.
    fn write(
        &mut self,
        batch: &[Commit],
        until: Instant,
    ) -> impl Future<Output = Result<Vec<Outcome>, BatchError>> + Send;
}

/// The way into the batches. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GroupCommit {
    queue: mpsc::Sender<Waiting>,
}

/// A commit that waits. Whoever takes it out of its place decides: the batch, or the caller who gives up.
#[derive(Debug)]
struct Waiting {
    place: Arc<Mutex<Option<Commit>>>,
    until: Instant,
    answer: oneshot::Sender<Result<Outcome, CommitError>>,
}

/// Empties the place of a commit whose caller has gone.
struct Place(Arc<Mutex<Option<Commit>>>);

impl Place {
    fn take(&self) -> Option<Commit> {
        take(&self.0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.take();
    }
}

fn take(place: &Mutex<Option<Commit>>) -> Option<Commit> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// The way in, and the work, which ends when all ways in are gone and is to be run as a task of its own.
pub fn group_commit(writer: impl WriteBatch) -> (GroupCommit, impl Future<Output = ()> + Send) {
    let (queue, waiting) = mpsc::channel(MAX_WAITING_COMMITS);
    (GroupCommit { queue }, run(writer, waiting))
}

impl GroupCommit {
    /// Has a commit written.
    ///
    /// # Errors
    /// See [`CommitError`].
    pub async fn commit(&self, commit: Commit, within: Duration) -> Result<Outcome, CommitError> {
        commit.check()?;
        let until = Instant::now() + within;
        let place = Place(Arc::new(Mutex::new(Some(commit))));
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            place: Arc::clone(&place.0),
            until,
            answer,
        };
        self.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => CommitError::Unavailable,
        })?;
        match timeout_at(until, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) if place.take().is_some() => Err(CommitError::Unavailable),
            Ok(Err(_)) | Err(_) => Err(CommitError::Unknown),
        }
    }
}

#[derive(Default)]
struct Batch {
    commits: Vec<Commit>,
    answers: Vec<oneshot::Sender<Result<Outcome, CommitError>>>,
    bytes: usize,
    steps: usize,
    until: Option<Instant>,
}

impl Batch {
    /// Takes a commit in, or gives it back if there is no room for it.
    fn take(&mut self, waiting: Waiting) -> Option<Waiting> {
        let mut place = waiting.place.lock().unwrap_or_else(PoisonError::into_inner);
        // Its caller has gone.
        let commit = place.as_ref()?;
        let (bytes, steps) = (commit.bytes(), commit.preconditions.len() + commit.writes.len());
        let room = self.commits.len() < MAX_BATCH_COMMITS
            && self.bytes + bytes <= MAX_BATCH_BYTES
            && self.steps + steps <= MAX_BATCH_STEPS;
        if !room && !self.commits.is_empty() {
            drop(place);
            return Some(waiting);
        }
        self.commits.extend(place.take());
        drop(place);
        self.answers.push(waiting.answer);
        self.bytes += bytes;
        self.steps += steps;
        self.until = self.until.max(Some(waiting.until));
        None
    }

    fn answer(self, outcomes: Result<Vec<Outcome>, BatchError>) {
        let all: Vec<_> = match outcomes {
            Ok(outcomes) => {
                assert_eq!(outcomes.len(), self.answers.len(), "an outcome for each commit");
                outcomes.into_iter().map(Ok).collect()
            }
            Err(BatchError::NotApplied) => vec![Err(CommitError::Unavailable); self.answers.len()],
            Err(BatchError::Unknown) => vec![Err(CommitError::Unknown); self.answers.len()],
        };
        for (answer, outcome) in self.answers.into_iter().zip(all) {
            // Who has gone needs no answer.
            drop(answer.send(outcome));
        }
    }
}

async fn run(mut writer: impl WriteBatch, mut waiting: mpsc::Receiver<Waiting>) {
    let mut left_over = None;
    loop {
        let first = match left_over.take() {
            Some(first) => Some(first),
            None => waiting.recv().await,
        };
        let Some(first) = first else {
            return;
        };
        let mut batch = Batch::default();
        left_over = batch.take(first);
        while left_over.is_none()
            && let Ok(next) = waiting.try_recv()
        {
            left_over = batch.take(next);
        }
        if let Some(until) = batch.until {
            let outcomes = writer.write(&batch.commits, until).await;
            batch.answer(outcomes);
        }
    }
}

#[cfg(test)]
mod tests;
