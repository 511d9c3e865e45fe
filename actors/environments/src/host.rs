//! `host`: the live metrics of this machine and process.
//!
//! [`HostSensors`] belongs to the node; each agent that watches the host gets a [`Host`] from it. All of them share one
//! sampler thread, which runs while there is at least one [`Host`]. A group of sensors is read as often as the agent
//! that wants it most often; each agent sees every sample, every second, every fourth and so on, as its own
//! [`Command`]s say.
//!
//! Who reads what: [`source`] is the contract with the sensors, `machine` the sensors of this machine, `sampler` the
//! thread and its schedule, `board` what it shares with the agents.
//!
//! Invariants:
//! 1. `observe` never waits, and allocates nothing unless it fails.
//! 2. An agent sees a sample at most once. One that is slower than its sensors sees the newest.
//! 3. Values are finite or NaN.

mod board;
mod machine;
mod sampler;
pub mod source;

pub use machine::{RuntimeProbe, RuntimeReading};
pub use source::{Sensor, SensorError, SensorGroup, SensorKind, SensorPlan, SensorSource};

use board::{Board, DEFAULT_STEP, Sample, Step};
use machine::Machine;
use rungs_agent::{Command, Description, Environment, EnvironmentError, Observed};
use sampler::Sampler;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// An agent that gets nothing for so many of its shortest period calls the host unreadable.
const STALL_PERIODS: u32 = 10;
/// It does not do so before this.
const MIN_STALL: Duration = Duration::from_secs(10);

type Opener = dyn Fn() -> Result<Box<dyn SensorSource>, SensorError> + Send + Sync;

/// The sensors of a node, shared by its agents. Cheap to clone.
#[derive(Clone)]
pub struct HostSensors {
    open: Arc<Opener>,
    running: Arc<Mutex<Weak<Sampler>>>,
}

impl fmt::Debug for HostSensors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostSensors").finish_non_exhaustive()
    }
}

impl HostSensors {
    /// The sensors of this machine. `data_dir` says which disk is meant; `probe` tells about the node itself, and
    /// without it those dimensions are left out.
    pub fn machine(data_dir: impl Into<PathBuf>, probe: Option<RuntimeProbe>) -> Self {
        let data_dir = data_dir.into();
        Self::from_source(move || Ok(Box::new(Machine::open(&data_dir, probe.clone())?)))
    }

    /// Other sensors; `open` is called each time the first agent comes.
    pub fn from_source(open: impl Fn() -> Result<Box<dyn SensorSource>, SensorError> + Send + Sync + 'static) -> Self {
        Self {
            open: Arc::new(open),
            running: Arc::default(),
        }
    }

    /// An environment for one agent. The first one looks at the machine, which takes some milliseconds, and starts the
    /// sampler; when the last is dropped the sampler ends.
    pub fn environment(&self) -> Result<Host, EnvironmentError> {
        // The lock holds a pointer, which no panic leaves half written.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let sampler = match running.upgrade() {
            Some(sampler) => sampler,
            None => {
                let sampler = (self.open)().and_then(Sampler::start).map_err(unreadable)?;
                let sampler = Arc::new(sampler);
                *running = Arc::downgrade(&sampler);
                sampler
            }
        };
        Ok(Host::new(sampler))
    }
}

fn unreadable(error: SensorError) -> EnvironmentError {
    EnvironmentError::Unreadable {
        environment: machine::NAME.to_owned(),
        reason: error.to_string(),
    }
}

/// The host as one agent sees it.
#[derive(Debug)]
pub struct Host {
    sampler: Arc<Sampler>,
    groups: Box<[Watched]>,
    /// When the agent last saw something new, by its own time; none before its first cycle.
    last_new: Option<Duration>,
}

/// A group as one agent sees it.
#[derive(Debug, Clone)]
struct Watched {
    step: Step,
    /// Number of the last sample that was looked at.
    number: u64,
    /// When the last sample that was handed out was taken.
    taken_at: Option<Duration>,
}

impl Host {
    fn new(sampler: Arc<Sampler>) -> Self {
        let watched = Watched {
            step: DEFAULT_STEP,
            number: 0,
            taken_at: None,
        };
        let groups = vec![watched; sampler.board.groups()].into_boxed_slice();
        for group in 0..groups.len() {
            sampler.board.join(group, DEFAULT_STEP);
        }
        sampler.wake();
        Self {
            sampler,
            groups,
            last_new: None,
        }
    }

    /// How long there may be nothing new.
    fn stall(&self) -> Duration {
        let board = &self.sampler.board;
        let periods = self
            .groups
            .iter()
            .enumerate()
            .map(|(group, watched)| board.period(group, watched.step));
        periods.min().unwrap_or_default() * STALL_PERIODS
    }

    fn change(&mut self, group: u16, change: impl Fn(&Board, usize, Step) -> Option<Step>) -> Result<(), String> {
        let board = &self.sampler.board;
        let index = usize::from(group);
        let known = self.groups.len();
        let Some(watched) = self.groups.get_mut(index) else {
            return Err(format!("there is no group {group}; expected 0 to {}", known - 1));
        };
        let Some(step) = change(board, index, watched.step) else {
            let period = board.period(index, watched.step);
            return Err(format!("{} is sampled each {period:?}, the limit", board.name(index)));
        };
        board.join(index, step);
        board.leave(index, watched.step);
        watched.step = step;
        self.sampler.wake();
        Ok(())
    }
}

impl Environment for Host {
    fn describe(&self) -> &Description {
        &self.sampler.description
    }

    fn observe(&mut self, now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        crate::check_row(&self.sampler.description, row)?;
        row.fill(f64::NAN);
        let sampler = &*self.sampler;
        let mut last_new = *self.last_new.get_or_insert(now);
        for (group, watched) in self.groups.iter_mut().enumerate() {
            sampler.board.read_newer(group, watched.number, |sample| {
                watched.number = sample.number;
                let wanted = sampler.board.period(group, watched.step);
                if watched.is_due(sample, wanted) {
                    watched.taken_at = Some(sample.taken_at);
                    last_new = now;
                    for (index, value) in sampler.members[group].iter().zip(&sample.values) {
                        row[*index] = *value;
                    }
                }
            });
        }
        self.last_new = Some(last_new);
        let silence = now.saturating_sub(last_new);
        if silence < MIN_STALL || silence < self.stall() {
            return Ok(Observed::Row);
        }
        Err(EnvironmentError::Unreadable {
            environment: sampler.description.name.clone(),
            reason: format!("no sensor has given anything for {} s", silence.as_secs()),
        })
    }

    fn act(&mut self, command: Command) -> Result<(), EnvironmentError> {
        let changed = match command {
            Command::SampleFaster { group } => self.change(group, Board::faster),
            Command::SampleSlower { group } => self.change(group, |_, _, step| Board::slower(step)),
        };
        changed.map_err(|reason| EnvironmentError::NotApplicable {
            environment: self.sampler.description.name.clone(),
            reason,
        })
    }
}

impl Watched {
    /// Whether this agent wants to see a sample that it has not looked at yet. Half a period of the sampler is the room
    /// that it needs to be early or late; its period divides the agent's, where no limit comes between them.
    fn is_due(&self, sample: &Sample, wanted: Duration) -> bool {
        self.taken_at
            .is_none_or(|taken_at| sample.taken_at + sample.period / 2 >= taken_at + wanted)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for (group, watched) in self.groups.iter().enumerate() {
            self.sampler.board.leave(group, watched.step);
        }
    }
}

#[cfg(test)]
mod tests;
