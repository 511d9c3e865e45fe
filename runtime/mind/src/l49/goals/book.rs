//! What became of each goal that the agent thought of: for people, for the audit and for novelty. Bounded: the oldest that
//! is over makes room.

use super::matrix::{Criteria, Verdict};
use super::novelty::Profile;
use super::signal::{GoalOrigin, Signal};
use crate::goals::{GoalRecord, GoalState, Refusal};
use rungs_types::GoalId;
use rungs_types::goal::GoalSpec;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Most goals remembered.
pub const MAX_ENTRIES: usize = 64;

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was not approved.
    Rejected,
    /// It waits for its Lookahead.
    Sandboxed,
    /// It was approved, and waits for the word of phase 5.
    Proposed,
    /// Phase 5 did not let it pass.
    Vetoed,
    /// It was passed while the level only advises: it is shown, and not set.
    Advised,
    /// It was set in the kernel's table.
    Set,
    /// The kernel did not set it.
    Refused(Refusal),
    /// It is over.
    Over(GoalState),
}

impl Fate {
    /// What was decided is that it does not leave the level, or not yet.
    pub fn stays(&self) -> bool {
        matches!(self, Fate::Rejected | Fate::Sandboxed | Fate::Vetoed | Fate::Advised)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fate::Rejected => f.write_str("rejected"),
            Fate::Sandboxed => f.write_str("in the sandbox"),
            Fate::Proposed => f.write_str("proposed"),
            Fate::Vetoed => f.write_str("vetoed"),
            Fate::Advised => f.write_str("advised"),
            Fate::Set => f.write_str("set"),
            Fate::Refused(why) => why.fmt(f),
            Fate::Over(state) => state.fmt(f),
        }
    }
}

/// One goal, as `goal ID` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoalEntry {
    /// As it was, or would have been, set.
    pub spec: Arc<GoalSpec>,
    /// Where it comes from.
    pub origin: GoalOrigin,
    /// What was seen.
    pub signal: Signal,
    /// When it was thought of.
    pub cycle: u64,
    /// The five criteria.
    pub criteria: Criteria,
    /// What follows from them.
    pub verdict: Verdict,
    /// Its scope was reduced once.
    pub reduced: bool,
    /// Where it stands.
    pub fate: Fate,
}

impl GoalEntry {
    /// What makes it alike to others.
    pub fn profile(&self) -> Profile {
        Profile {
            skills: self.spec.skills.clone(),
            tier: self.spec.tier,
            origin: Some(self.origin),
        }
    }

    fn is_over(&self) -> bool {
        !matches!(self.fate, Fate::Sandboxed | Fate::Proposed | Fate::Set)
    }
}

/// How the agent's goals fared (Definition 2, criteria AG-1 to AG-4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Novel candidates that were validated.
    pub generated: u64,
    /// Of those, approved by the filter and passed by phase 5.
    pub approved: u64,
    /// Of those, reached.
    pub completed: u64,
    /// Of those, tried to the end and not reached.
    pub failed: u64,
    /// Vetoed by phase 5.
    pub vetoed: u64,
    /// Sum of the value alignments of the approved ones.
    alignment: f64,
}

impl Counters {
    /// GoalApprovalRate (Definition 2: at least 0.30); `None` of none.
    pub fn approval_rate(&self) -> Option<f64> {
        (self.generated > 0).then(|| self.approved as f64 / self.generated as f64)
    }

    /// Share of the approved goals that were tried to the end which were reached (section 2.2: at least 0.50); `None` of none.
    pub fn completion_rate(&self) -> Option<f64> {
        let over = self.completed.saturating_add(self.failed);
        (over > 0).then(|| self.completed as f64 / over as f64)
    }

    /// Mean value alignment of the approved goals (AG-4: at least 0.70); `None` of none.
    pub fn mean_alignment(&self) -> Option<f64> {
        (self.approved > 0).then(|| self.alignment / self.approved as f64)
    }
}

/// The goals and their counters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    entries: Vec<GoalEntry>,
    counters: Counters,
}

impl Book {
    /// What was stored is what a book can have come to.
    pub fn is_valid(&self) -> bool {
        let counters = &self.counters;
        let over = counters.completed.saturating_add(counters.failed);
        let once = |at: usize| {
            self.entries[..at]
                .iter()
                .all(|other| other.spec.goal != self.entries[at].spec.goal)
        };
        let sane = |entry: &GoalEntry| {
            let Criteria {
                purpose,
                value,
                feasibility,
                resource,
                rho,
                ..
            } = entry.criteria;
            let finite = [purpose, value, feasibility, resource, rho]
                .iter()
                .all(|number| number.is_finite());
            finite && entry.spec.validate().is_ok()
        };
        self.entries.len() <= MAX_ENTRIES
            && (0..self.entries.len()).all(once)
            && self.entries.iter().all(sane)
            && counters.approved <= counters.generated
            && over <= counters.approved
            && counters.alignment >= 0.0
            && counters.alignment <= counters.approved as f64
    }

    /// The goals, oldest first.
    pub fn entries(&self) -> &[GoalEntry] {
        &self.entries
    }

    /// One of them.
    pub fn get(&self, goal: &GoalId) -> Option<&GoalEntry> {
        self.entries.iter().find(|entry| entry.spec.goal == *goal)
    }

    /// How they fared.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The candidates in the sandbox, oldest first.
    pub fn sandboxed(&self) -> impl Iterator<Item = &GoalEntry> {
        self.entries.iter().filter(|entry| entry.fate == Fate::Sandboxed)
    }

    /// Notes a candidate that was validated.
    pub(super) fn note(&mut self, entry: GoalEntry) {
        self.counters.generated = self.counters.generated.saturating_add(1);
        self.keep(entry);
    }

    /// A candidate that was in the sandbox has its verdict, or phase 5 has spoken of one.
    pub(super) fn keep(&mut self, entry: GoalEntry) {
        if let Some(known) = self.entries.iter_mut().find(|known| known.spec.goal == entry.spec.goal) {
            *known = entry;
            return;
        }
        if self.entries.len() == MAX_ENTRIES {
            let over = self.entries.iter().position(GoalEntry::is_over);
            self.entries.remove(over.unwrap_or(0));
        }
        self.entries.push(entry);
    }

    /// Phase 5 has passed it, and the level acts or only advises.
    pub(super) fn passed(&mut self, entry: GoalEntry, acts: bool) {
        self.counters.approved = self.counters.approved.saturating_add(1);
        self.counters.alignment += entry.criteria.value.clamp(0.0, 1.0);
        let fate = if acts { Fate::Set } else { Fate::Advised };
        self.keep(GoalEntry { fate, ..entry });
    }

    /// Phase 5 has not passed it.
    pub(super) fn vetoed(&mut self, entry: GoalEntry) {
        self.counters.vetoed = self.counters.vetoed.saturating_add(1);
        let fate = Fate::Vetoed;
        self.keep(GoalEntry { fate, ..entry });
    }

    /// Takes in goals that the kernel has closed; one that is told again changes nothing.
    pub(super) fn close(&mut self, closed: &[GoalRecord]) {
        for record in closed.iter().filter(|record| !record.state.is_open()) {
            let mut entries = self.entries.iter_mut();
            let Some(entry) = entries.find(|e| e.spec.goal == record.spec.goal && e.fate == Fate::Set) else {
                continue;
            };
            entry.fate = Fate::Over(record.state.clone());
            let count = match record.outcome() {
                Some(true) => &mut self.counters.completed,
                Some(false) => &mut self.counters.failed,
                None => continue,
            };
            *count = count.saturating_add(1);
        }
    }

    /// Takes in goals that the kernel did not set.
    pub(super) fn refuse(&mut self, refused: &[(GoalId, Refusal)]) {
        for (goal, why) in refused {
            let mut entries = self.entries.iter_mut();
            if let Some(entry) = entries.find(|e| e.spec.goal == *goal && e.fate == Fate::Set) {
                entry.fate = Fate::Refused(*why);
            }
        }
    }
}

#[cfg(test)]
mod tests;
