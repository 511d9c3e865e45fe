//! What Level 4.5 has found wrong with goals ([`crate::l45::purpose`]), put in force.
//!
//! Merged: the goal is given up in favour of the one that does the same. Constrained: it has half of the cycles that it
//! would have. Paused: no task of it is started while the finding stands.
//!
//! Invariants:
//! 1. A user's goal is only ever constrained.
//! 2. A goal that another open goal waits for is not merged away, as that would end the other: it is constrained.

use super::change::Change;
use super::record::{GoalRecord, GoalState, Waiver};
use crate::l45::purpose::{Finding, MAX_FINDINGS, Pathology, Remedy};
use rungs_types::GoalId;
use rungs_types::goal::Origin;

/// What a constrained goal keeps of its cycles (L4.5, "goes on with less").
pub const CONSTRAINED_SHARE: f64 = 0.5;

/// Which goals go on with less, and which rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relief {
    constrained: Vec<GoalId>,
    paused: Vec<GoalId>,
}

/// What becomes of a goal.
#[derive(Debug, Clone, Copy)]
enum Fate<'a> {
    /// It is given up in favour of this one.
    Merged(&'a GoalRecord),
    Constrained,
    Paused,
}

/// The findings on goals that are open, with what becomes of each.
fn fates<'a>(
    findings: &[Option<Finding>; MAX_FINDINGS],
    open: &'a [GoalRecord],
) -> impl Iterator<Item = (&'a GoalRecord, Fate<'a>)> {
    let numbered = move |number: u64| open.iter().find(|record| record.number == number);
    let is_awaited = move |goal: &GoalId| open.iter().any(|other| other.spec.after.contains(goal));
    findings.iter().flatten().filter_map(move |finding| {
        let record = numbered(finding.goal)?;
        let fate = match (finding.remedy, finding.pathology) {
            _ if record.spec.origin == Origin::User => Fate::Constrained,
            (Remedy::Merge, Pathology::Redundant { with }) if !is_awaited(&record.spec.goal) => {
                Fate::Merged(numbered(with)?)
            }
            (Remedy::Pause, _) => Fate::Paused,
            (Remedy::Merge | Remedy::Constrain, _) => Fate::Constrained,
        };
        Some((record, fate))
    })
}

/// The goals that are given up in favour of another, each with that; no goal is given up for one that is so itself.
pub fn merges(findings: &[Option<Finding>; MAX_FINDINGS], open: &[GoalRecord]) -> Vec<Change> {
    let mut gone: Vec<u64> = Vec::new();
    let mut changes = Vec::new();
    for (record, fate) in fates(findings, open) {
        let Fate::Merged(into) = fate else { continue };
        if !gone.contains(&into.number) && !gone.contains(&record.number) {
            gone.push(record.number);
            changes.push(Change::Close {
                goal: record.spec.goal.clone(),
                state: GoalState::Abandoned(Waiver::Merged(into.spec.goal.clone())),
            });
        }
    }
    changes
}

impl Relief {
    /// What holds under these findings.
    pub fn of(findings: &[Option<Finding>; MAX_FINDINGS], open: &[GoalRecord]) -> Self {
        let mut relief = Self::default();
        for (record, fate) in fates(findings, open) {
            let list = match fate {
                Fate::Constrained => &mut relief.constrained,
                Fate::Paused => &mut relief.paused,
                Fate::Merged(_) => continue,
            };
            if !list.contains(&record.spec.goal) {
                list.push(record.spec.goal.clone());
            }
        }
        relief
    }

    /// What the goal keeps of its cycles, in (0, 1].
    pub fn share(&self, goal: &GoalId) -> f64 {
        if self.constrained.contains(goal) {
            CONSTRAINED_SHARE
        } else {
            1.0
        }
    }

    /// No task of the goal is started.
    pub fn rests(&self, goal: &GoalId) -> bool {
        self.paused.contains(goal)
    }

    /// Goals with which it is otherwise than `before`, and how it is.
    pub(super) fn told(&self, before: &Relief) -> Vec<(GoalId, &'static str)> {
        let new = |now: &[GoalId], then: &[GoalId], state| {
            let new: Vec<_> = now.iter().filter(|goal| !then.contains(goal)).cloned().collect();
            new.into_iter().map(move |goal| (goal, state))
        };
        new(&self.constrained, &before.constrained, "constrained")
            .chain(new(&self.paused, &before.paused, "paused"))
            .chain(new(&before.constrained, &self.constrained, "constrained no more"))
            .chain(new(&before.paused, &self.paused, "paused no more"))
            .collect()
    }
}
