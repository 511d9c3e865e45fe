//! The sampler: one thread that reads the sensors for all agents of a node.
//!
//! When a group is due and what becomes of a reading is decided in [`Schedule::tick`], which takes time as an argument;
//! the thread only carries the clock to it and sleeps in between. It ends when the [`Sampler`] is dropped, which the
//! last agent's environment does.
//!
//! Invariants:
//! 1. A group is read as often as the agent that wants it most often, and not at all if none does.
//! 2. A published value is finite or NaN, and a sample has at least one that is finite.
//! 3. A source that fails or panics is asked again, ever more slowly, up to [`MAX_BACKOFF_DOUBLINGS`].

use super::board::Board;
use super::source::{SensorError, SensorKind, SensorSource};
use rungs_agent::Description;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Duration;

/// After so many failures in a row the wait does not double any more (64 periods).
const MAX_BACKOFF_DOUBLINGS: u32 = 6;

/// A running sampler, shared by the environments of all agents.
#[derive(Debug)]
pub(super) struct Sampler {
    pub(super) board: Arc<Board>,
    pub(super) description: Description,
    /// Indices of the dimensions of each group.
    pub(super) members: Box<[Box<[usize]>]>,
    /// None if something else drives the schedule.
    thread: Option<Thread>,
}

impl Sampler {
    /// A sampler that nobody drives yet, and the schedule to drive it with.
    pub(super) fn undriven(source: Box<dyn SensorSource>) -> Result<(Self, Schedule), SensorError> {
        let plan = source.plan().clone();
        plan.validate()?;
        let board = Arc::new(Board::new(&plan));
        let members = (0..).zip(&plan.groups).map(|(group, _)| plan.members(group)).collect();
        let sampler = Self {
            board: Arc::clone(&board),
            description: plan.describe(),
            members,
            thread: None,
        };
        Ok((sampler, Schedule::new(source, board)))
    }

    /// Starts the thread.
    pub(super) fn start(source: Box<dyn SensorSource>) -> Result<Self, SensorError> {
        let (mut sampler, schedule) = Self::undriven(source)?;
        let thread = thread::Builder::new()
            .name("sensors".to_owned())
            .spawn(move || run(schedule));
        let thread = thread.map_err(|error| SensorError::Unreadable {
            what: sampler.description.name.clone(),
            reason: format!("its thread cannot be started: {error}"),
        })?;
        sampler.thread = Some(thread.thread().clone());
        Ok(sampler)
    }

    /// Lets the schedule look at the demand anew.
    pub(super) fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.board.stop();
        self.wake();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "rates are changes of the machine's counters over the machine's time; nothing else is derived from it"
)]
fn run(mut schedule: Schedule) {
    let origin = std::time::Instant::now();
    let clock = || origin.elapsed();
    while !schedule.board.is_stopped() {
        match schedule.tick(&clock) {
            Some(next) => thread::park_timeout(next.saturating_sub(clock())),
            None => thread::park(),
        }
    }
}

/// When each group is read, and what is remembered from one reading to the next.
pub(super) struct Schedule {
    source: Box<dyn SensorSource>,
    board: Arc<Board>,
    groups: Box<[GroupState]>,
}

struct GroupState {
    kinds: Box<[SensorKind]>,
    /// When it was last asked, well or not.
    asked_at: Option<Duration>,
    due: Duration,
    failures_in_row: u32,
    /// The last good readings, and their time.
    previous: Option<Duration>,
    previous_readings: Box<[f64]>,
    readings: Box<[f64]>,
    values: Box<[f64]>,
}

impl Schedule {
    fn new(source: Box<dyn SensorSource>, board: Arc<Board>) -> Self {
        let plan = source.plan();
        let groups = (0..).zip(&plan.groups).map(|(group, _)| {
            let kinds: Box<[SensorKind]> = plan
                .members(group)
                .iter()
                .map(|index| plan.sensors[*index].kind)
                .collect();
            let missing: Box<[f64]> = vec![f64::NAN; kinds.len()].into();
            GroupState {
                kinds,
                asked_at: None,
                due: Duration::ZERO,
                failures_in_row: 0,
                previous: None,
                previous_readings: missing.clone(),
                readings: missing.clone(),
                values: missing,
            }
        });
        let groups = groups.collect();
        Self { source, board, groups }
    }

    /// Reads what is due and says when to come again; none if nobody wants anything.
    pub(super) fn tick(&mut self, clock: &dyn Fn() -> Duration) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        for (index, group) in self.groups.iter_mut().enumerate() {
            let Some(period) = self.board.demanded_period(index) else {
                continue;
            };
            let now = clock();
            if group.is_due(now, period) {
                let values = group.read(&mut *self.source, index, now);
                if let Err(error) = &values {
                    group.failed(self.board.name(index), error);
                } else {
                    group.failures_in_row = 0;
                }
                if values.is_ok_and(|news| news) {
                    self.board.publish(index, now, period, &group.values);
                }
                group.plan_next(now, period);
            }
            next = Some(next.map_or(group.due, |next| next.min(group.due)));
        }
        next
    }
}

impl GroupState {
    /// Whether its time has come. A demand that has become faster brings the time forward.
    fn is_due(&mut self, now: Duration, period: Duration) -> bool {
        let wait = self.wait(period);
        let from_last = self.asked_at.map_or(now, |asked_at| asked_at + wait);
        self.due = self.due.min(from_last);
        now >= self.due
    }

    fn wait(&self, period: Duration) -> Duration {
        period * (1 << self.failures_in_row.min(MAX_BACKOFF_DOUBLINGS))
    }

    /// The next time is on the grid of the last, unless that has been missed.
    fn plan_next(&mut self, now: Duration, period: Duration) {
        let wait = self.wait(period);
        let on_grid = self.due + wait;
        self.due = if on_grid > now { on_grid } else { now + wait };
        self.asked_at = Some(now);
    }

    fn failed(&mut self, name: &str, error: &SensorError) {
        if self.failures_in_row == 0 {
            tracing::warn!(group = name, %error, "a sensor group cannot be read");
        }
        self.failures_in_row = self.failures_in_row.saturating_add(1);
    }

    /// Reads the group into `values` and says whether any is finite.
    fn read(&mut self, source: &mut dyn SensorSource, group: usize, now: Duration) -> Result<bool, SensorError> {
        self.readings.fill(f64::NAN);
        let index = u16::try_from(group).expect("a plan has at most 64 groups");
        // A source is plain readings: whatever a panic left in it, the next reading replaces.
        let read = catch_unwind(AssertUnwindSafe(|| source.read(index, &mut self.readings)));
        read.unwrap_or_else(|_| {
            Err(SensorError::Unreadable {
                what: format!("group {group}"),
                reason: "its source panicked".to_owned(),
            })
        })?;
        let seconds = self
            .previous
            .map_or(0.0, |previous| now.saturating_sub(previous).as_secs_f64());
        for (index, value) in self.values.iter_mut().enumerate() {
            let reading = self.readings[index];
            let seen = match self.kinds[index] {
                SensorKind::Gauge => reading,
                SensorKind::Counter => rate(self.previous_readings[index], reading, seconds),
            };
            *value = if seen.is_finite() { seen } else { f64::NAN };
        }
        self.previous = Some(now);
        std::mem::swap(&mut self.previous_readings, &mut self.readings);
        Ok(self.values.iter().any(|value| value.is_finite()))
    }
}

/// Change of a counter each second; NaN if there is no interval or the counter went backwards.
fn rate(previous: f64, current: f64, seconds: f64) -> f64 {
    if seconds > 0.0 && current >= previous {
        (current - previous) / seconds
    } else {
        f64::NAN
    }
}
