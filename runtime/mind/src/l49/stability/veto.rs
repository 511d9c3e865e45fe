//! Vetoes over time: their rate, and the conditions that veto again and again (MSCP Level 4.9, section 7.3, "persistent
//! veto tracking").

use super::conditions::Condition;
use super::judge::{Decision, DecisionKind, DecisionVerdict};
use crate::numeric::bits::BitWindow;
use crate::numeric::condense::Refused;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The trailing window.
pub const VETO_WINDOW_CYCLES: u64 = 1_000;
/// Vetoes by one condition in the window that are no more than bad luck; one more is persistent.
pub const MAX_VETOES: usize = 3;
/// Most vetoes remembered: the oldest go.
const MAX_REMEMBERED: usize = 64;
/// Most patterns barred: the oldest go.
const MAX_BARRED: usize = 64;
/// Decisions over which the veto rate is taken.
const RATE_DECISIONS: u16 = 256;

/// What makes two decisions the same attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pattern {
    /// Which phase decides.
    pub kind: DecisionKind,
    /// On what.
    pub subject: u64,
}

impl Pattern {
    /// The pattern of a decision.
    pub fn of(decision: &Decision) -> Self {
        let Decision { kind, subject } = *decision;
        Self { kind, subject }
    }
}

/// Counts vetoes. A stored one that cannot have been is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawTracker")]
pub struct VetoTracker {
    /// Oldest first.
    entries: VecDeque<(u64, Condition, Pattern)>,
    barred: VecDeque<(Condition, Pattern)>,
    vetoed: BitWindow,
}

/// What [`VetoTracker`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawTracker {
    entries: VecDeque<(u64, Condition, Pattern)>,
    barred: VecDeque<(Condition, Pattern)>,
    vetoed: BitWindow,
}

impl TryFrom<RawTracker> for VetoTracker {
    type Error = Refused;

    fn try_from(raw: RawTracker) -> Result<Self, Refused> {
        let RawTracker {
            entries,
            barred,
            vetoed,
        } = raw;
        let ordered = entries.iter().zip(entries.iter().skip(1)).all(|(a, b)| a.0 <= b.0);
        let sizes = entries.len() <= MAX_REMEMBERED && barred.len() <= MAX_BARRED;
        if ordered && sizes && vetoed.capacity() == RATE_DECISIONS {
            Ok(Self {
                entries,
                barred,
                vetoed,
            })
        } else {
            Err(Refused("the vetoes"))
        }
    }
}

impl Default for VetoTracker {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            barred: VecDeque::new(),
            vetoed: BitWindow::new(RATE_DECISIONS),
        }
    }
}

impl VetoTracker {
    /// Takes in what became of a decision. Once a condition has vetoed more than 3 times in 1,000 cycles, every pattern
    /// that it vetoed in them is barred. A barred decision counts as vetoed, and not again for its condition.
    pub fn note(&mut self, decision: &Decision, verdict: &DecisionVerdict, cycle: u64) {
        self.vetoed.push(!verdict.passed());
        let DecisionVerdict::Vetoed { violations, .. } = verdict else {
            return;
        };
        let cycle = cycle.max(self.entries.back().map_or(0, |(last, ..)| *last));
        self.entries
            .retain(|(then, ..)| cycle.saturating_sub(*then) < VETO_WINDOW_CYCLES);
        let pattern = Pattern::of(decision);
        for violated in violations {
            if self.entries.len() == MAX_REMEMBERED {
                self.entries.pop_front();
            }
            self.entries.push_back((cycle, violated.condition, pattern));
        }
        for condition in Condition::ALL {
            if self.count(condition, cycle) > MAX_VETOES {
                self.bar(condition);
            }
        }
    }

    fn bar(&mut self, condition: Condition) {
        for (_, by, pattern) in &self.entries {
            let entry = (condition, *pattern);
            if *by != condition || self.barred.contains(&entry) {
                continue;
            }
            if self.barred.len() == MAX_BARRED {
                self.barred.pop_front();
            }
            self.barred.push_back(entry);
        }
    }

    /// Vetoes by a condition in the 1,000 cycles that end with `cycle`.
    pub fn count(&self, condition: Condition, cycle: u64) -> usize {
        let within = |then: u64| cycle.saturating_sub(then) < VETO_WINDOW_CYCLES;
        let entries = self.entries.iter();
        entries
            .filter(|(then, by, _)| *by == condition && within(*then))
            .count()
    }

    /// The conditions with a systematic cause, in their order.
    pub fn persistent(&self) -> impl Iterator<Item = Condition> + '_ {
        let by = |condition: &Condition| self.barred.iter().any(|(barred, _)| barred == condition);
        Condition::ALL.into_iter().filter(by)
    }

    /// Decisions of this pattern are not tried again.
    pub fn barred(&self, pattern: &Pattern) -> bool {
        self.barred.iter().any(|(_, barred)| barred == pattern)
    }

    /// Share of the last 256 decisions that were not carried out (criterion AS-3: below 0.15); `None` of none.
    pub fn rate(&self) -> Option<f64> {
        self.vetoed.share()
    }

    /// An operator found the cause: the condition counts anew and its patterns may be tried again.
    pub fn clear(&mut self, condition: Condition) {
        self.entries.retain(|(_, by, _)| *by != condition);
        self.barred.retain(|(by, _)| *by != condition);
    }
}
