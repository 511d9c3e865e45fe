//! The node's one timer wheel. Everything that happens later on this node - an agent's cycle, a delayed restart, a
//! lease renewal - is an entry here, never a sleeping task of its own.
//!
//! Invariants:
//! 1. A callback runs at most once per due time; ticks that came too late are skipped and counted, never made up for.
//! 2. After [`Timer::cancel`] (or the drop of the [`Timer`]) returns, no callback starts.
//! 3. At most [`MAX_TIMERS`] are live. A callback that panics ends its own timer only.
//!
//! Callbacks run on the wheel's task one after another: they only send a message.

use crate::tasks;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::time::{DelayQueue, delay_queue};

/// Most live timers of a node.
pub const MAX_TIMERS: usize = 1 << 20;
/// Longest delay and longest period; a longer one is cut to it.
pub const MAX_DELAY: Duration = Duration::from_secs(365 * 24 * 3600);
/// Shortest period, the resolution of the wheel; a shorter one is lengthened to it.
pub const MIN_PERIOD: Duration = Duration::from_millis(1);

/// The node has [`MAX_TIMERS`] live timers; nothing was scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room for timer {name}; expected fewer than {MAX_TIMERS} live timers")]
pub struct TooManyTimers {
    /// The name of the timer that was refused.
    pub name: &'static str,
}

/// What a periodic callback learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// When this one was due.
    pub due: Instant,
    /// Ticks that were due since the last call and were skipped.
    pub missed: u64,
}

enum Callback {
    Once(Option<Box<dyn FnOnce() + Send>>),
    Every {
        period: Duration,
        tick: Box<dyn FnMut(Tick) + Send>,
    },
}

struct Entry {
    id: u64,
    name: &'static str,
    due: Instant,
    callback: Callback,
    cancelled: Arc<AtomicBool>,
    _place: Place,
}

enum Command {
    Insert(Entry),
    Cancel(u64),
}

/// One of the [`MAX_TIMERS`] places; given back on drop.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A cheap, cloneable way to the timer wheel.
#[derive(Debug, Clone)]
pub struct Timers {
    commands: mpsc::UnboundedSender<Command>,
    live: Arc<AtomicUsize>,
    next_id: Arc<AtomicUsize>,
}

/// A scheduled callback; dropping it cancels.
#[derive(Debug)]
#[must_use = "dropping a timer cancels it"]
pub struct Timer {
    id: u64,
    cancelled: Arc<AtomicBool>,
    // `None` once detached.
    commands: Option<mpsc::UnboundedSender<Command>>,
}

impl Timer {
    /// No callback starts after this returns.
    pub fn cancel(self) {
        drop(self);
    }

    /// Lets the timer run on without anybody able to cancel it.
    pub fn detach(mut self) {
        self.commands = None;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(commands) = &self.commands {
            self.cancelled.store(true, Ordering::Release);
            // A wheel that has ended holds no timer either.
            drop(commands.send(Command::Cancel(self.id)));
        }
    }
}

impl Timers {
    /// Starts the wheel's task on the current runtime; it ends with the last clone or the runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start() -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        tasks::spawn("timers", run(receiver));
        Self {
            commands,
            live: Arc::new(AtomicUsize::new(0)),
            next_id: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// Calls `callback` once, `after` from now. `name` is for the log.
    pub fn once(
        &self,
        name: &'static str,
        after: Duration,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<Timer, TooManyTimers> {
        self.insert(name, after, Callback::Once(Some(Box::new(callback))))
    }

    /// Calls `tick` first `after` from now and then each `period`, on the grid that the first call sets.
    pub fn every(
        &self,
        name: &'static str,
        after: Duration,
        period: Duration,
        tick: impl FnMut(Tick) + Send + 'static,
    ) -> Result<Timer, TooManyTimers> {
        let period = period.clamp(MIN_PERIOD, MAX_DELAY);
        let tick = Box::new(tick);
        self.insert(name, after, Callback::Every { period, tick })
    }

    /// Timers that are scheduled and not cancelled.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    fn insert(&self, name: &'static str, after: Duration, callback: Callback) -> Result<Timer, TooManyTimers> {
        let before = self.live.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::clone(&self.live));
        if before >= MAX_TIMERS {
            return Err(TooManyTimers { name });
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) as u64;
        let cancelled = Arc::new(AtomicBool::new(false));
        let entry = Entry {
            id,
            name,
            due: Instant::now() + after.min(MAX_DELAY),
            callback,
            cancelled: Arc::clone(&cancelled),
            _place: place,
        };
        // It ends with the runtime only, and then nobody waits for a timer any more.
        drop(self.commands.send(Command::Insert(entry)));
        Ok(Timer {
            id,
            cancelled,
            commands: Some(self.commands.clone()),
        })
    }
}

#[derive(Default)]
struct Wheel {
    queue: DelayQueue<Entry>,
    keys: HashMap<u64, delay_queue::Key>,
}

async fn run(mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut wheel = Wheel::default();
    loop {
        tokio::select! {
            // What is due goes before what is new, so that a flood of new timers delays no old one.
            biased;
            entry = wheel.due() => wheel.fire(entry),
            command = commands.recv() => match command {
                Some(Command::Insert(entry)) => wheel.insert(entry),
                Some(Command::Cancel(id)) => wheel.cancel(id),
                None => return,
            },
        }
    }
}

impl Wheel {
    /// The next entry that is due; pending while there is none.
    async fn due(&mut self) -> Entry {
        std::future::poll_fn(|context| match self.queue.poll_expired(context) {
            Poll::Ready(Some(expired)) => Poll::Ready(expired.into_inner()),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn insert(&mut self, entry: Entry) {
        let (id, due) = (entry.id, entry.due);
        let key = self.queue.insert_at(entry, due);
        self.keys.insert(id, key);
    }

    fn cancel(&mut self, id: u64) {
        if let Some(key) = self.keys.remove(&id) {
            self.queue.try_remove(&key);
        }
    }

    fn fire(&mut self, mut entry: Entry) {
        self.keys.remove(&entry.id);
        if entry.cancelled.load(Ordering::Acquire) {
            return;
        }
        let mut again = None;
        let called = match &mut entry.callback {
            Callback::Once(callback) => match callback.take() {
                Some(callback) => catch_unwind(AssertUnwindSafe(callback)),
                None => Ok(()),
            },
            Callback::Every { period, tick } => {
                let due = entry.due;
                let (missed, next) = grid(due, *period, Instant::now());
                again = Some(next);
                catch_unwind(AssertUnwindSafe(|| tick(Tick { due, missed })))
            }
        };
        match (called, again) {
            (Ok(()), Some(next)) => {
                entry.due = next;
                self.insert(entry);
            }
            (Ok(()), None) => {}
            (Err(panic), _) => {
                let panic = tasks::last_words(panic.as_ref());
                tracing::error!(timer = entry.name, panic, "timer callback panicked; the timer ends");
            }
        }
    }
}

/// For a tick that was due at `due` and runs at `now`: how many later ticks are already missed, and when the next is.
fn grid(due: Instant, period: Duration, now: Instant) -> (u64, Instant) {
    let behind = now.saturating_duration_since(due);
    let missed = u64::try_from(behind.as_nanos() / period.as_nanos()).unwrap_or(u64::MAX);
    let into_period = Duration::from_nanos(u64::try_from(behind.as_nanos() % period.as_nanos()).unwrap_or(0));
    (missed, due + (behind - into_period) + period)
}

#[cfg(test)]
mod tests;
