//! Where a piece of work is, so that an actor which does not move is found whether it computes, waits or spins.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Resolution of the timers that compare with a deadline: an end this close to it counts as late.
const SLACK: Duration = Duration::from_millis(2);

/// Where it is.
#[derive(Debug, Clone, Copy, Default)]
enum Where {
    /// Nowhere: there is no work.
    #[default]
    Idle,
    /// With a worker, since then: handed to it, taken up, or computing.
    With(usize, Instant),
    /// Waits for a thread; nobody is to blame for that.
    Queued,
    /// The worker is known to be late.
    Late(usize),
}

/// The track of one piece of work. Workers are numbered by whoever uses it.
#[derive(Debug, Default)]
pub(crate) struct Track(Mutex<Where>);

impl Track {
    fn set(&self, place: Where) {
        // Nothing can panic while it is held.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// The worker has it from now on.
    pub(crate) fn with(&self, worker: usize) {
        self.set(Where::With(worker, Instant::now()));
    }

    /// It waits for a thread.
    pub(crate) fn queued(&self) {
        self.set(Where::Queued);
    }

    /// The worker's time was over, as the thread pool says.
    pub(crate) fn late(&self, worker: usize) {
        self.set(Where::Late(worker));
    }

    /// It is done.
    pub(crate) fn done(&self) {
        self.set(Where::Idle);
    }

    /// The worker whose time is over, or how long to wait before asking again.
    pub(crate) fn overdue(&self, deadline: Duration) -> Result<usize, Duration> {
        let place = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match place {
            Where::Idle | Where::Queued => Err(deadline),
            Where::Late(worker) => Ok(worker),
            Where::With(worker, since) => match deadline.saturating_sub(since.elapsed()) {
                left if left <= SLACK => Ok(worker),
                left => Err(left),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_worker_that_has_it_runs_out_of_time() {
        let deadline = Duration::from_millis(250);
        let track = Track::default();
        tokio::time::advance(deadline * 2).await;
        assert_eq!(track.overdue(deadline), Err(deadline));
        track.with(1);
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(track.overdue(deadline), Err(Duration::from_millis(150)));
        track.queued();
        tokio::time::advance(deadline).await;
        assert_eq!(track.overdue(deadline), Err(deadline));
        track.with(2);
        tokio::time::advance(Duration::from_millis(248)).await;
        assert_eq!(track.overdue(deadline), Ok(2));
        track.done();
        assert_eq!(track.overdue(deadline), Err(deadline));
        track.late(1);
        assert_eq!(track.overdue(deadline), Ok(1));
    }
}
