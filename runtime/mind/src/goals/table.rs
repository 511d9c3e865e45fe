//! The table: which goals there are, and who may add to it and take from it.

use super::change::Change;
use super::observed::Observed;
use super::places::{Candidate, give_places};
use super::record::{GoalRecord, GoalState, GoalView, Waiver};
use super::{MAX_CLOSED, MAX_OPEN};
use rungs_types::goal::{GoalSpec, Origin};
use rungs_types::{CheckpointId, EventKind, GoalId, SpecError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// See the module above.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TableState", into = "TableState")]
pub struct GoalTable {
    /// Oldest first.
    pub(super) open: Vec<GoalRecord>,
    /// The one that was closed first, first.
    pub(super) closed: Vec<GoalRecord>,
    /// Highest priority first.
    pub(super) order: Vec<GoalId>,
    /// Goals set so far.
    pub(super) numbers: u64,
}

/// What [`GoalTable`] reads and writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TableState {
    open: Vec<GoalRecord>,
    closed: Vec<GoalRecord>,
    order: Vec<GoalId>,
    numbers: u64,
}

/// Why a stored table is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// More goals than a table holds.
    #[error("{found} goals; expected at most {most}")]
    TooMany {
        /// How many.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A record that no table could have come to.
    #[error("goal {goal} is damaged, in the wrong list or there twice")]
    Record {
        /// Which.
        goal: GoalId,
    },
}

/// Why a goal is not set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SubmitError {
    /// A field is out of its range.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is another goal of this name; choose another name.
    #[error("there is another goal {goal}")]
    Taken {
        /// The name.
        goal: GoalId,
    },
    /// The table is full; wait until a goal is closed, or cancel one.
    #[error("{open} goals are open, as many as there may be")]
    Full {
        /// How many are open.
        open: usize,
    },
    /// What it is to reach holds already; ask for something that does not.
    #[error("goal {goal} has nothing to reach: its success holds already")]
    AlreadyHolds {
        /// The name.
        goal: GoalId,
    },
    /// Goal creation is not permitted at the moment, and no user asks for it.
    #[error("no new goals are permitted at the moment")]
    NotPermitted,
}

/// Why a goal of the agent's own was not set, for the level that had asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// What it is to reach holds already.
    AlreadyHolds,
    /// The guard or the last verdict does not permit new goals.
    NotPermitted,
    /// As many goals are open as there may be.
    Full,
    /// It is no goal for this agent, or there is another of its name.
    Unfit,
}

impl From<&SubmitError> for Refusal {
    fn from(error: &SubmitError) -> Self {
        match error {
            SubmitError::AlreadyHolds { .. } => Refusal::AlreadyHolds,
            SubmitError::NotPermitted => Refusal::NotPermitted,
            SubmitError::Full { .. } => Refusal::Full,
            SubmitError::Spec(_) | SubmitError::Taken { .. } => Refusal::Unfit,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Refusal::AlreadyHolds => "not set: it was reached already",
            Refusal::NotPermitted => "not set: no new goals were permitted",
            Refusal::Full => "not set: as many goals were open as may be",
            Refusal::Unfit => "not set: it is no goal for this agent",
        })
    }
}

/// Where a goal is to be set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Submission<'a> {
    /// The verified state of the level that sets it; 0 for a user.
    pub checkpoint: CheckpointId,
    /// What is observed.
    pub observed: &'a Observed<'a>,
    /// Dimensions of the environment.
    pub dimensions: usize,
    /// Groups of the environment.
    pub groups: usize,
    /// The guard and the last verdict permit the agent to set itself goals.
    pub creation_permitted: bool,
}

impl GoalTable {
    /// Decides whether a goal is set. The same goal again changes nothing and is no error, so that a caller who got no
    /// answer can ask again.
    pub fn submit(&self, spec: &Arc<GoalSpec>, at: &Submission<'_>) -> Result<Option<Change>, SubmitError> {
        spec.validate()?;
        spec.validate_for(at.dimensions, at.groups)?;
        if let Some(there) = self.open.iter().find(|record| record.spec.goal == spec.goal) {
            return if there.spec == *spec {
                Ok(None)
            } else {
                Err(SubmitError::Taken {
                    goal: spec.goal.clone(),
                })
            };
        }
        if spec.origin != Origin::User && !at.creation_permitted {
            return Err(SubmitError::NotPermitted);
        }
        if self.open.len() >= MAX_OPEN {
            return Err(SubmitError::Full { open: self.open.len() });
        }
        if spec.success.holds(|of| at.observed.measure(of)) == Some(true) {
            return Err(SubmitError::AlreadyHolds {
                goal: spec.goal.clone(),
            });
        }
        Ok(Some(Change::Set {
            spec: Arc::clone(spec),
            checkpoint: at.checkpoint,
        }))
    }

    /// Cancels a goal, if it is open and of this origin: nobody cancels another's.
    pub fn cancel(&self, goal: &GoalId, origin: Origin) -> Option<Change> {
        self.abandon(goal, Waiver::Cancelled)
            .filter(|_| self.get(goal).is_some_and(|record| record.spec.origin == origin))
    }

    /// Gives up a goal that is open.
    pub fn abandon(&self, goal: &GoalId, why: Waiver) -> Option<Change> {
        let open = self.get(goal).filter(|record| record.state.is_open());
        open.map(|record| Change::Close {
            goal: record.spec.goal.clone(),
            state: GoalState::Abandoned(why),
        })
    }

    /// Takes back what `origin` has set since it was at `checkpoint`. A user's goals are never taken back so.
    pub fn withdraw(&self, origin: Origin, checkpoint: CheckpointId) -> Vec<Change> {
        let since = |record: &&GoalRecord| {
            origin != Origin::User && record.spec.origin == origin && record.checkpoint > checkpoint
        };
        let withdrawn = self.open.iter().filter(since).map(|record| Change::Close {
            goal: record.spec.goal.clone(),
            state: GoalState::Withdrawn,
        });
        withdrawn.collect()
    }

    /// The goal, open or remembered.
    pub fn get(&self, goal: &GoalId) -> Option<&GoalRecord> {
        self.open
            .iter()
            .chain(&self.closed)
            .find(|record| record.spec.goal == *goal)
    }

    /// The open goals, oldest first.
    pub fn open(&self) -> &[GoalRecord] {
        &self.open
    }

    /// What of a change that was just applied is to be told.
    pub(super) fn news(&self, change: &Change) -> Option<EventKind> {
        let (goal, state) = match change {
            Change::Set { spec, .. } => (&spec.goal, "set".to_owned()),
            Change::Close { goal, state } => (goal, state.to_string()),
            _ => return None,
        };
        let origin = self.get(goal)?.spec.origin;
        Some(EventKind::Goal {
            goal: goal.clone(),
            origin,
            state,
        })
    }

    /// The order that was given, the highest priority first.
    pub fn order(&self) -> &[GoalId] {
        &self.order
    }

    /// The closed goals that are remembered, the one closed last at the end.
    pub fn closed(&self) -> &[GoalRecord] {
        &self.closed
    }

    /// Every goal, for people: those that are worked on, those that wait, those that are closed.
    pub fn views(&self) -> Vec<GoalView> {
        let running = self.running();
        let waiting = self
            .open
            .iter()
            .filter(|r| !running.iter().any(|other| other.number == r.number));
        let queued = waiting.map(|record| record.view(record.prerequisites_met()));
        let run = running.iter().map(|record| record.view(false));
        let closed = self.closed.iter().rev().map(|record| record.view(false));
        run.chain(queued).chain(closed).collect()
    }

    /// Those that have a place, highest priority first: by the order that was given, then as they were set.
    pub fn running(&self) -> Vec<&GoalRecord> {
        let rank = |record: &GoalRecord| {
            let ordered = self.order.iter().position(|goal| *goal == record.spec.goal);
            ordered.unwrap_or(usize::MAX)
        };
        let mut able: Vec<&GoalRecord> = self.open.iter().filter(|record| record.prerequisites_met()).collect();
        able.sort_by_key(|record| (rank(record), record.number));
        let candidates: Vec<Candidate> = able
            .iter()
            .map(|record| Candidate {
                tier: record.spec.tier,
                assigned: record.spec.origin == Origin::User,
            })
            .collect();
        give_places(&candidates)
            .running
            .into_iter()
            .map(|index| able[index])
            .collect()
    }
}

impl TryFrom<TableState> for GoalTable {
    type Error = RestoreError;

    fn try_from(state: TableState) -> Result<Self, RestoreError> {
        let TableState {
            open,
            closed,
            order,
            numbers,
        } = state;
        for (found, most) in [
            (open.len(), MAX_OPEN),
            (closed.len(), MAX_CLOSED),
            (order.len(), MAX_OPEN),
        ] {
            if found > most {
                return Err(RestoreError::TooMany { found, most });
            }
        }
        let all: Vec<&GoalRecord> = open.iter().chain(&closed).collect();
        for (index, record) in all.iter().enumerate() {
            let in_place = record.state.is_open() == (index < open.len());
            let twice = all[..index]
                .iter()
                .any(|other| other.spec.goal == record.spec.goal || other.number == record.number);
            if twice || !in_place || !record.is_valid() || record.number > numbers {
                return Err(RestoreError::Record {
                    goal: record.spec.goal.clone(),
                });
            }
        }
        Ok(Self {
            open,
            closed,
            order,
            numbers,
        })
    }
}

impl From<GoalTable> for TableState {
    fn from(table: GoalTable) -> Self {
        let GoalTable {
            open,
            closed,
            order,
            numbers,
        } = table;
        Self {
            open,
            closed,
            order,
            numbers,
        }
    }
}
