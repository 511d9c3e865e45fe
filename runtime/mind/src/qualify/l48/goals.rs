//! SM-8 and SA-9: what was predicted of goals, and what became of them.

use super::block::Block;
use crate::goals::{GoalRecord, GoalState, MAX_OPEN};
use crate::l48::plan::{SkillSight, feasibility};
use crate::numeric::condense::Refused;
use crate::numeric::history::History;
use crate::qualify::events::{Event, auc, within};
use crate::qualify::share;
use serde::{Deserialize, Serialize};

/// Outcomes remembered with what was predicted of them.
const MAX_OUTCOMES: usize = 64;

/// A goal that is open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OpenGoal {
    /// Its number in the kernel's table.
    pub number: u64,
    /// Its feasibility now (MSCP Level 4.8, Definition 10), in [0, 1].
    pub feasibility: f64,
    /// It is worked on: what is predicted of it from now on is no prediction any more.
    pub active: bool,
}

impl OpenGoal {
    /// A goal of the kernel's table, with the confidence in the skills that it needs; `None` of a closed one.
    pub fn of(record: &GoalRecord, skills: &dyn SkillSight) -> Option<Self> {
        record.state.is_open().then(|| Self {
            number: record.number,
            feasibility: feasibility(&record.spec, skills),
            active: record.state == GoalState::Active,
        })
    }
}

/// A goal that is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedGoal {
    /// Its number in the kernel's table.
    pub number: u64,
    /// What became of it; `None` of one that nobody wanted any more, that was reached before anything was done, that
    /// was merged into another, or withdrawn with its level.
    pub succeeded: Option<bool>,
}

impl ClosedGoal {
    /// A goal of the kernel's table; `None` of an open one.
    pub fn of(record: &GoalRecord) -> Option<Self> {
        let succeeded = record.outcome();
        if record.state.is_open() {
            return None;
        }
        Some(Self {
            number: record.number,
            succeeded,
        })
    }
}

/// What was predicted of a goal and came of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    feasibility: f32,
    succeeded: bool,
}

/// What is predicted of a goal that is open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Predicted {
    pub(super) number: u64,
    pub(super) feasibility: f32,
    pub(super) active: bool,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Goals {
    /// At most as many as may be open.
    pub(super) predicted: Vec<Predicted>,
    pub(super) outcomes: History<Event<Outcome>>,
}

impl Default for Goals {
    fn default() -> Self {
        Self {
            predicted: Vec::with_capacity(MAX_OPEN),
            outcomes: History::new(MAX_OUTCOMES),
        }
    }
}

impl Goals {
    pub(super) fn step(&mut self, open: &[OpenGoal], closed: &[ClosedGoal], block: u32, into: &mut Block) {
        for goal in closed {
            let Some(place) = self.predicted.iter().position(|known| known.number == goal.number) else {
                continue;
            };
            let Predicted { feasibility, .. } = self.predicted.remove(place);
            let Some(succeeded) = goal.succeeded else { continue };
            into.closed = into.closed.saturating_add(1);
            into.completed = into.completed.saturating_add(u16::from(succeeded));
            let what = Outcome { feasibility, succeeded };
            self.outcomes.push(Event { block, what });
        }
        let is_open = |known: &Predicted| open.iter().any(|goal| goal.number == known.number);
        self.predicted.retain(is_open);
        for goal in open {
            self.predict(goal);
        }
    }

    fn predict(&mut self, goal: &OpenGoal) {
        let now = Predicted {
            number: goal.number,
            feasibility: share(goal.feasibility).unwrap_or(0.0) as f32,
            active: goal.active,
        };
        match self.predicted.iter().position(|known| known.number == goal.number) {
            // The last word before the work began is the prediction.
            Some(place) if !self.predicted[place].active => self.predicted[place] = now,
            Some(_) => {}
            None if self.predicted.len() < MAX_OPEN => self.predicted.push(now),
            None => {}
        }
    }

    /// The area under the curve; `None` unless some succeeded and some did not.
    pub(super) fn auc(&self, oldest: u32) -> Option<f64> {
        let outcomes = || within(&self.outcomes, oldest);
        auc(
            outcomes()
                .filter(|outcome| outcome.succeeded)
                .map(|outcome| outcome.feasibility),
            || {
                outcomes()
                    .filter(|outcome| !outcome.succeeded)
                    .map(|outcome| outcome.feasibility)
            },
        )
    }

    /// Checks what was read back, and makes room again for as many as there may be.
    pub(super) fn checked(mut self) -> Result<Self, Refused> {
        let share = |feasibility: f32| (0.0..=1.0).contains(&feasibility);
        let valid = self.predicted.len() <= MAX_OPEN
            && self.predicted.iter().all(|known| share(known.feasibility))
            && self.outcomes.capacity() == MAX_OUTCOMES
            && self.outcomes.iter().all(|event| share(event.what.feasibility));
        self.predicted
            .reserve_exact(MAX_OPEN.saturating_sub(self.predicted.len()));
        valid.then_some(self).ok_or(Refused("the goals of an audit"))
    }
}
