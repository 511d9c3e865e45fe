//! The board between one sampler and many agents: the last sample of each group, and how often each is wanted.
//!
//! Invariants:
//! 1. An agent never waits: it takes a sample if nobody writes it at that moment, and else at its next cycle.
//! 2. The demand for a group counts each agent exactly once, also while it changes its mind.

use super::source::{SensorGroup, SensorPlan};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// How often an agent wants a group: the group's period times 2^(step - [`DEFAULT_STEP`]), not below its fastest.
pub(super) type Step = u8;
/// The group's own period.
pub(super) const DEFAULT_STEP: Step = 3;
/// Number of steps: from an eighth of the period to sixteen times it.
const STEPS: usize = 8;
const SLOWEST_STEP: Step = STEPS as Step - 1;

/// The board.
#[derive(Debug)]
pub(super) struct Board {
    groups: Box<[Group]>,
    stopped: AtomicBool,
}

#[derive(Debug)]
struct Group {
    spec: SensorGroup,
    /// Number of the last sample; it lets an agent see without the lock that there is nothing new.
    number: AtomicU64,
    sample: RwLock<Sample>,
    /// Agents at each step.
    demand: [AtomicU32; STEPS],
}

/// One reading of a group. Times are of the sampler's clock.
#[derive(Debug)]
pub(super) struct Sample {
    /// From 1; 0 before the first.
    pub(super) number: u64,
    pub(super) taken_at: Duration,
    /// The period at which the group was being sampled.
    pub(super) period: Duration,
    /// Finite or NaN, in the order of the plan.
    pub(super) values: Box<[f64]>,
}

impl Board {
    pub(super) fn new(plan: &SensorPlan) -> Self {
        let groups = (0..).zip(&plan.groups).map(|(index, spec)| Group {
            spec: spec.clone(),
            number: AtomicU64::new(0),
            sample: RwLock::new(Sample {
                number: 0,
                taken_at: Duration::ZERO,
                period: spec.period,
                values: vec![f64::NAN; plan.members(index).len()].into(),
            }),
            demand: Default::default(),
        });
        Self {
            groups: groups.collect(),
            stopped: AtomicBool::new(false),
        }
    }

    /// Tells the sampler to end.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn name(&self, group: usize) -> &str {
        &self.groups[group].spec.name
    }

    /// The period of a group at a step.
    pub(super) fn period(&self, group: usize, step: Step) -> Duration {
        let spec = &self.groups[group].spec;
        let period = spec.period * (1_u32 << step) / (1_u32 << DEFAULT_STEP);
        period.max(spec.fastest)
    }

    /// The step that samples a group twice as often, or as often as it can be; none at the limit.
    pub(super) fn faster(&self, group: usize, step: Step) -> Option<Step> {
        let faster = step.checked_sub(1)?;
        (self.period(group, faster) < self.period(group, step)).then_some(faster)
    }

    /// The step that samples half as often; none at the limit.
    pub(super) fn slower(step: Step) -> Option<Step> {
        (step < SLOWEST_STEP).then_some(step + 1)
    }

    /// An agent begins to want a group.
    pub(super) fn join(&self, group: usize, step: Step) {
        self.groups[group].demand[usize::from(step)].fetch_add(1, Ordering::SeqCst);
    }

    /// An agent no longer wants a group.
    pub(super) fn leave(&self, group: usize, step: Step) {
        self.groups[group].demand[usize::from(step)].fetch_sub(1, Ordering::SeqCst);
    }

    /// The shortest period that any agent wants of a group; none if nobody wants it.
    pub(super) fn demanded_period(&self, group: usize) -> Option<Duration> {
        let demand = &self.groups[group].demand;
        let fastest = (0..).zip(demand).find(|(_, agents)| agents.load(Ordering::SeqCst) > 0);
        fastest.map(|(step, _)| self.period(group, step))
    }

    /// Puts up a new sample.
    pub(super) fn publish(&self, group: usize, taken_at: Duration, period: Duration, values: &[f64]) {
        let slot = &self.groups[group];
        // A poisoned lock means that a reader panicked; readers change nothing.
        let mut sample = slot.sample.write().unwrap_or_else(PoisonError::into_inner);
        sample.number += 1;
        sample.taken_at = taken_at;
        sample.period = period;
        sample.values.copy_from_slice(values);
        slot.number.store(sample.number, Ordering::Release);
    }

    /// Shows the last sample of a group if it is newer than number `seen`; never waits.
    pub(super) fn read_newer<T>(&self, group: usize, seen: u64, read: impl FnOnce(&Sample) -> T) -> Option<T> {
        let slot = &self.groups[group];
        if slot.number.load(Ordering::Acquire) <= seen {
            return None;
        }
        slot.sample.try_read().ok().map(|sample| read(&sample))
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::{Sensor, SensorKind};
    use super::*;

    #[test]
    fn a_sample_that_is_being_written_is_left_for_the_next_time() {
        let period = Duration::from_secs(1);
        let board = Board::new(&SensorPlan {
            name: String::new(),
            groups: vec![SensorGroup {
                name: String::new(),
                period,
                fastest: period,
            }],
            sensors: vec![Sensor {
                name: String::new(),
                unit: String::new(),
                group: 0,
                kind: SensorKind::Gauge,
                capacity: None,
            }],
        });
        let look = |seen| board.read_newer(0, seen, |sample| (sample.number, sample.values[0]));
        assert_eq!(look(0), None);
        board.publish(0, Duration::ZERO, period, &[5.0]);
        let writing = board.groups[0].sample.write().expect("not poisoned");
        assert_eq!(look(0), None);
        drop(writing);
        assert_eq!(look(0), Some((1, 5.0)));
        assert_eq!(look(1), None);
    }
}
