//! [`ComputePool`]: threads for the synchronous work of level phases, which may spin and cannot be killed.
//!
//! Why a pool of jobs and not actors on a second runtime: an actor that spins holds a worker of its runtime together
//! with every task queued behind it, so one agent's fault would reach others. Here the actors stay light and
//! asynchronous; only a phase's step, with the phase's state moved into it, goes to a thread. The thread belongs to that
//! one job. A job past its deadline loses its thread: the caller learns it at once, a replacement takes the next job,
//! and the state inside the lost job is restored by the caller from its checkpoint.
//!
//! Invariants:
//! 1. At most `threads` jobs run that are not abandoned; the others wait their turn, first come first served. The
//!    deadline of a job counts from its start on the thread, so nobody's job is late because of another's.
//! 2. The [`AtomicBool`] that a job gets is set at its deadline, and when nobody waits for it any more; a job that asks
//!    it in each iteration gives its thread back within [`ABANDON_GRACE`] and counts as stalled, not as abandoned.
//! 3. More than [`MAX_ABANDONED_THREADS`] abandoned threads: no further job is taken and the node is told to drain.

use crate::faults::Faults;
use crate::metering::Meter;
use crate::tasks::{last_words, spawn_on};
use rungs_types::Address;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

/// Abandoned threads that a node bears; with one more it drains itself.
pub const MAX_ABANDONED_THREADS: usize = 2;
/// Jobs that may wait for a thread.
pub const MAX_WAITING_JOBS: usize = 4096;
/// How long after its deadline a job may take to see that its time is over.
pub const ABANDON_GRACE: Duration = Duration::from_millis(50);
/// Most threads of a pool.
pub const MAX_COMPUTE_THREADS: usize = 256;

/// Why a job has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// Not done by its deadline. What was moved into it is lost.
    #[error("computation not done within {} ms", deadline.as_millis())]
    Stalled {
        /// The deadline.
        deadline: Duration,
    },
    /// It panicked. What was moved into it is lost.
    #[error("computation panicked: {message}")]
    Panicked {
        /// Its last words.
        message: String,
    },
    /// [`MAX_WAITING_JOBS`] wait already; the job was not started.
    #[error("{MAX_WAITING_JOBS} computations wait; expected fewer")]
    Busy,
    /// The pool takes no more jobs, because of abandoned threads or because it ends; the job was not started.
    #[error("the compute pool is draining")]
    Draining,
}

/// For whom a job runs, and for how long.
#[derive(Debug, Clone)]
pub struct Job {
    /// The actor, for injected faults and for the log.
    pub address: Address,
    /// Longest time on the thread.
    pub deadline: Duration,
    /// Who pays.
    pub meter: Arc<Meter>,
}

/// How a pool is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComputeStats {
    /// Jobs that run and are not abandoned.
    pub running: usize,
    /// Jobs that wait for a thread.
    pub waiting: usize,
    /// Threads that are lost to a job at this moment.
    pub abandoned: usize,
    /// Threads that were ever lost to a job.
    pub abandoned_ever: usize,
}

struct Inner {
    threads: usize,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    abandoned: AtomicUsize,
    abandoned_ever: AtomicUsize,
    draining: AtomicBool,
    on_exhausted: Box<dyn Fn(usize) + Send + Sync>,
    faults: Arc<Faults>,
    runtime: Handle,
    // Kept alive here; `None` on a runtime of somebody else.
    own: Option<Runtime>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.own.take() {
            // A spinning job must not hold up the end of the node.
            runtime.shutdown_background();
        }
    }
}

/// A cheap, cloneable way to the pool.
#[derive(Clone)]
pub struct ComputePool(Arc<Inner>);

impl ComputePool {
    /// A pool with `threads` threads of its own (1 to [`MAX_COMPUTE_THREADS`]). `on_exhausted` is told once, with the
    /// number of abandoned threads, when there are more than [`MAX_ABANDONED_THREADS`]: the node is to drain.
    pub fn start(
        threads: usize,
        faults: Arc<Faults>,
        on_exhausted: impl Fn(usize) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let threads = threads.clamp(1, MAX_COMPUTE_THREADS);
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            // Every running job may have to be abandoned before the pool stops taking new ones.
            .max_blocking_threads(2 * threads + MAX_ABANDONED_THREADS + 1)
            .thread_name("rungs-compute")
            .enable_time()
            .build()?;
        let handle = runtime.handle().clone();
        Ok(Self::new(
            threads,
            handle,
            Some(runtime),
            faults,
            Box::new(on_exhausted),
        ))
    }

    /// A pool on the blocking threads of the current runtime. For tests in paused time, which then stands still while a
    /// job runs.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn on_current_runtime(
        threads: usize,
        faults: Arc<Faults>,
        on_exhausted: impl Fn(usize) + Send + Sync + 'static,
    ) -> Self {
        let threads = threads.clamp(1, MAX_COMPUTE_THREADS);
        Self::new(threads, Handle::current(), None, faults, Box::new(on_exhausted))
    }

    fn new(
        threads: usize,
        runtime: Handle,
        own: Option<Runtime>,
        faults: Arc<Faults>,
        on_exhausted: Box<dyn Fn(usize) + Send + Sync>,
    ) -> Self {
        Self(Arc::new(Inner {
            threads,
            slots: Arc::new(Semaphore::new(threads)),
            waiting: AtomicUsize::new(0),
            abandoned: AtomicUsize::new(0),
            abandoned_ever: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            on_exhausted,
            faults,
            runtime,
            own,
        }))
    }

    /// Runs `work` on a thread and waits for it. Its argument is set when its time is over. Dropping the future sets it
    /// too, and the result is lost.
    pub async fn run<T: Send + 'static>(
        &self,
        job: Job,
        work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        let slot = self.slot().await?;
        let expired = Arc::new(AtomicBool::new(false));
        let _expire = ExpireOnDrop(Arc::clone(&expired));
        let (result, answer) = oneshot::channel();
        // The watch outlives this future: also a job that nobody waits for must not keep its thread.
        let watch = Arc::clone(&self.0).watch(job, work, slot, expired, result);
        spawn_on(&self.0.runtime, "compute", watch);
        answer.await.unwrap_or(Err(ComputeError::Draining))
    }

    /// How the pool is doing.
    pub fn stats(&self) -> ComputeStats {
        ComputeStats {
            running: self.0.threads.saturating_sub(self.0.slots.available_permits()),
            waiting: self.0.waiting.load(Ordering::Acquire),
            abandoned: self.0.abandoned.load(Ordering::Acquire),
            abandoned_ever: self.0.abandoned_ever.load(Ordering::Acquire),
        }
    }

    /// Waits for one of the `threads` slots.
    async fn slot(&self) -> Result<OwnedSemaphorePermit, ComputeError> {
        self.check_open()?;
        let waiting = Waiting::enter(&self.0.waiting).ok_or(ComputeError::Busy)?;
        let slot = Arc::clone(&self.0.slots).acquire_owned().await;
        drop(waiting);
        // It may have been closed meanwhile.
        self.check_open()?;
        slot.map_err(|_| ComputeError::Draining)
    }

    fn check_open(&self) -> Result<(), ComputeError> {
        match self.0.draining.load(Ordering::Acquire) {
            true => Err(ComputeError::Draining),
            false => Ok(()),
        }
    }
}

impl Inner {
    async fn watch<T: Send + 'static>(
        self: Arc<Self>,
        job: Job,
        work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
        slot: OwnedSemaphorePermit,
        expired: Arc<AtomicBool>,
        result: oneshot::Sender<Result<T, ComputeError>>,
    ) {
        let (has_started, started) = oneshot::channel();
        let Job {
            address,
            deadline,
            meter,
        } = job;
        let (faults, budget, at) = (Arc::clone(&self.faults), Arc::clone(&expired), address.clone());
        let mut thread = self.runtime.spawn_blocking(move || {
            // Whether the watch still lives is of no interest here.
            let _watched = has_started.send(());
            // What the job owns is dropped with its panic, so nobody sees it half-done.
            let work = AssertUnwindSafe(|| meter.measure(|| work_or_fault(&faults, &at, &budget, work)));
            catch_unwind(work).map_err(|panic| ComputeError::Panicked {
                message: last_words(panic.as_ref()),
            })
        });
        if started.await.is_err() {
            // The runtime ended first; the sender of the result goes with it.
            return;
        }
        let done = match timeout(deadline, &mut thread).await {
            Ok(done) => done.unwrap_or(Err(ComputeError::Draining)),
            Err(_) => {
                expired.store(true, Ordering::Release);
                drop(result.send(Err(ComputeError::Stalled { deadline })));
                if timeout(ABANDON_GRACE, &mut thread).await.is_err() {
                    self.abandon(&address, slot);
                    // It may come back, after hours perhaps; then it is no longer lost.
                    drop(thread.await);
                    let left = self.abandoned.fetch_sub(1, Ordering::AcqRel) - 1;
                    tracing::warn!(%address, abandoned = left, "an abandoned computation has ended after all");
                }
                return;
            }
        };
        // The slot is free before the caller goes on, so that its next job finds it.
        drop(slot);
        drop(result.send(done));
    }

    /// Gives the slot of a stuck thread to a replacement.
    fn abandon(&self, address: &Address, slot: OwnedSemaphorePermit) {
        let abandoned = self.abandoned.fetch_add(1, Ordering::AcqRel) + 1;
        self.abandoned_ever.fetch_add(1, Ordering::AcqRel);
        tracing::error!(%address, abandoned, "computation does not end; its thread is abandoned and replaced");
        if abandoned > MAX_ABANDONED_THREADS && !self.draining.swap(true, Ordering::AcqRel) {
            (self.on_exhausted)(abandoned);
        }
        drop(slot);
    }
}

fn work_or_fault<T>(faults: &Faults, address: &Address, budget: &AtomicBool, work: impl FnOnce(&AtomicBool) -> T) -> T {
    faults.on_compute(address);
    work(budget)
}

struct ExpireOnDrop(Arc<AtomicBool>);

impl Drop for ExpireOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// One of the [`MAX_WAITING_JOBS`] places in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let before = count.fetch_add(1, Ordering::AcqRel);
        let waiting = Self(count);
        (before < MAX_WAITING_JOBS).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
