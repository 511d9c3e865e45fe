//! Attainment: how likely it is that what a goal wants comes to hold (MSCP Level 4.8, Definition 10: among the skills
//! that a goal requires is that of bringing about what it is seen by).
//!
//! What conditions look at is remembered every ten cycles for a thousand cycles, and so is what became of the last goals by
//! what they did and what they were seen by. The chance of a goal is made of three things:
//! - How often: in so many of the samples at which its success did not hold it came to hold, for as long as it must, at the
//!   next. That of one sample gives that of all of its time. What was rare or never is told from how probable it is at all.
//! - How far: each quantity as a process of first order on its way back to its mean, from where it is now. The success is
//!   as probable at each sample to come; of samples that are much alike only the share counts that is new.
//! - How well: the share of the last goals of its sort that were reached.
//!
//! The mean of the first two, times the third.
//!
//! Invariants:
//! 1. A chance is in [0, 1]; too short a record gives none.
//! 2. The record and the lessons are bounded; whatever comes in, what is read back is refused or could have been written.

mod lessons;
mod record;

pub use lessons::{Lessons, LessonsSummary, MAX_LESSONS, OUTCOMES};
pub use record::{MIN_SAMPLES, SAMPLE_CYCLES, SAMPLES, Usual};

use super::ObserveOutput;
use crate::goals::{HOLD_CYCLES, SETTLE_CYCLES};
use crate::numeric::normal;
use crate::report::{CycleReport, FloorReport};
use record::{Record, Row};
use rungs_types::goal::{Comparison, Condition, GoalSpec, Quantity, Success};
use serde::{Deserialize, Serialize};

/// Samples in a row for which a success must hold.
const HELD_SAMPLES: usize = (HOLD_CYCLES as usize).div_ceil(SAMPLE_CYCLES);
/// Samples for which it counts how probable a success is at all, beside those of the record.
const PROBABLE_SAMPLES: f64 = 10.0;
/// Goals that count as reached before there were any of a sort.
const TRUSTED_GOALS: f64 = 2.0;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attainment {
    record: Record,
    lessons: Lessons,
}

impl Attainment {
    /// Nothing seen yet, in an environment with so many dimensions.
    pub fn new(dimensions: usize) -> Self {
        Self {
            record: Record::new(dimensions),
            lessons: Lessons::default(),
        }
    }

    /// The same, with what became of goals before.
    pub fn with_lessons(dimensions: usize, lessons: Lessons) -> Self {
        Self {
            lessons,
            ..Self::new(dimensions)
        }
    }

    /// It is of an environment with so many dimensions.
    pub fn is_for(&self, dimensions: usize) -> bool {
        self.record.dimensions() == dimensions
    }

    /// Takes in a report: how the quantities are at its end, and what became of goals.
    pub fn step(&mut self, report: &CycleReport, floor: &FloorReport, world: &ObserveOutput) {
        self.record.note(report, floor, world);
        report.goals.closed.iter().for_each(|record| self.lessons.note(record));
    }

    /// What a quantity usually is; `None` while it is not known for long enough.
    pub fn usual(&self, of: Quantity) -> Option<Usual> {
        self.record.usual(of)
    }

    /// The level that a quantity has kept to, for as long as a success must hold, at half of the times; `lower`: it is to be
    /// at most the level, else at least. `None` while it is not known for long enough.
    pub fn level(&self, of: Quantity, lower: bool) -> Option<f64> {
        let kept = self.record.kept(of, lower, HELD_SAMPLES)?;
        // Of an even number the worse one: it was kept to at least half of the times.
        let last = kept.len() - 1;
        Some(kept[if lower { last.div_ceil(2) } else { last / 2 }])
    }

    /// The best level that a quantity has kept to, for as long as a success must hold; see [`Attainment::level`].
    pub fn best(&self, of: Quantity, lower: bool) -> Option<f64> {
        let kept = self.record.kept(of, lower, HELD_SAMPLES)?;
        if lower {
            kept.first().copied()
        } else {
            kept.last().copied()
        }
    }

    /// What became of goals of each sort.
    pub fn lessons(&self) -> &Lessons {
        &self.lessons
    }

    /// How likely a goal is to be reached in its time once it is worked on, in [0, 1]. `None` while nothing is known of it.
    pub fn chance(&self, spec: &GoalSpec) -> Option<f64> {
        if self.record.len() < MIN_SAMPLES {
            return None;
        }
        let cycles = spec.deadline_cycles.unwrap_or(SETTLE_CYCLES).min(SETTLE_CYCLES);
        let samples = cycles as usize / SAMPLE_CYCLES;
        let sought = self.sought(&spec.success)?;
        let probable = sought.likelihood(|one| (one.usual.mean, one.usual.sd));
        // At the first samples it cannot have held for long enough yet.
        let ends = (samples + 1).saturating_sub(HELD_SAMPLES);
        let often = self.how_often(&spec.success, probable, ends);
        let near = sought.how_near(samples);
        let tally = self.lessons.tally(spec);
        let well = (f64::from(tally.count) + TRUSTED_GOALS) / (f64::from(tally.len) + TRUSTED_GOALS);
        let chance = 0.5 * (often + near) * well;
        chance.is_finite().then(|| chance.clamp(0.0, 1.0))
    }

    /// What is known of each quantity of a success; `None` if it is not all known.
    fn sought(&self, success: &Success) -> Option<Sought> {
        let row = self.record.rows().last()?;
        let one = |condition: &Condition| {
            Some(One {
                condition: *condition,
                usual: self.usual(condition.of)?,
                now: row.get(condition.of, true)?,
            })
        };
        Some(Sought {
            all: success.all.iter().map(one).collect::<Option<_>>()?,
            any: success.any.iter().map(one).collect::<Option<_>>()?,
        })
    }

    /// How likely a success that does not hold is to have held for [`HELD_SAMPLES`] at one of so many samples, as often as it
    /// did; `probable` is how likely it is at all.
    fn how_often(&self, success: &Success, probable: f64, ends: usize) -> f64 {
        let (mut before, mut begun) = (0.0, 0.0);
        // Of what was before the record nothing is known: it does not count as not having held.
        let mut streak = HELD_SAMPLES;
        for row in self.record.rows() {
            let was_held = streak >= HELD_SAMPLES;
            let holds = row_holds(&row, success);
            streak = if holds == Some(true) { streak + 1 } else { 0 };
            if !was_held && holds.is_some() {
                before += 1.0;
                begun += f64::from(u8::from(streak >= HELD_SAMPLES));
            }
        }
        let each: f64 = (begun + PROBABLE_SAMPLES * probable) / (before + PROBABLE_SAMPLES);
        1.0 - (1.0 - each).powi(ends as i32)
    }
}

/// What is known of the quantity of a condition.
#[derive(Debug, Clone, Copy)]
struct One {
    condition: Condition,
    usual: Usual,
    now: f64,
}

/// What is known of a success: all of the one, and one of the other if there is any.
#[derive(Debug)]
struct Sought {
    all: Vec<One>,
    any: Vec<One>,
}

impl Sought {
    /// How likely the success is to come to hold within so many samples, by where its quantities are now.
    fn how_near(&self, samples: usize) -> f64 {
        let each = self.all.iter().chain(&self.any);
        let alike = each.map(|one| one.usual.memory).fold(0.0, f64::max);
        let never: f64 = (HELD_SAMPLES..=samples)
            .map(|ahead| {
                let likely = self.likelihood(|One { usual, now, .. }| {
                    let left = usual.memory.powi(ahead as i32);
                    let mean = usual.mean + left * (now - usual.mean);
                    (mean, usual.sd * (1.0 - left * left).sqrt())
                });
                (1.0 - likely).powf(1.0 - alike)
            })
            .product();
        1.0 - never
    }

    /// How likely the success is if its quantities are normal, with the mean and deviation that `law` gives, and independent
    /// of each other.
    fn likelihood(&self, law: impl Fn(&One) -> (f64, f64)) -> f64 {
        let one = |one: &One| {
            let (mean, sd) = law(one);
            beyond(&one.condition, mean, sd)
        };
        let all: f64 = self.all.iter().map(one).product();
        let none: f64 = self.any.iter().map(|any| 1.0 - one(any)).product();
        if self.any.is_empty() { all } else { all * (1.0 - none) }
    }
}

/// The success held at a sample; `None` if that says nothing of it. What moved within the sample must have held at both ends.
fn row_holds(row: &Row<'_>, success: &Success) -> Option<bool> {
    let low = success.holds(|of| row.get(of, true))?;
    let high = success.holds(|of| row.get(of, false))?;
    Some(low && high)
}

/// How likely a condition is to hold of a normal quantity.
fn beyond(condition: &Condition, mean: f64, sd: f64) -> f64 {
    if sd <= 0.0 {
        return f64::from(u8::from(condition.holds(Some(mean)) == Some(true)));
    }
    let below = normal::cdf((condition.value - mean) / sd);
    match condition.is {
        Comparison::Below | Comparison::AtMost => below,
        Comparison::AtLeast | Comparison::Above => 1.0 - below,
    }
}

#[cfg(test)]
mod tests;
