//! The two checks: of a decision, and of the live state.

use super::conditions::{Band, Readings, Scores, Violated, scores, violations};
use super::veto::{Pattern, VetoTracker};
use crate::lookahead::LookaheadError;
use serde::{Deserialize, Serialize};

/// Which phase decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Phase 1: a goal.
    Goal,
    /// Phase 2: a mutation of the values.
    Value,
    /// Phase 3: a strategy under scarce resources.
    Resource,
    /// Phase 4: an interaction with another agent.
    Peer,
}

/// A proposed decision of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which phase decides.
    pub kind: DecisionKind,
    /// What is the same in decisions of one kind: the origin of a goal, a dimension of value, a peer. A number that the
    /// phase gives it.
    pub subject: u64,
}

/// What becomes of a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum DecisionVerdict {
    /// It may be carried out.
    Passed(Scores),
    /// It is not carried out: these conditions would not hold after it.
    Vetoed {
        /// Which, at least one.
        violations: Vec<Violated>,
        /// The scores after it.
        scores: Scores,
    },
    /// It is not carried out: the state after it could not be told.
    Unknown(LookaheadError),
    /// It is not carried out: decisions of this pattern were vetoed again and again.
    Barred,
}

impl DecisionVerdict {
    /// It may be carried out.
    pub fn passed(&self) -> bool {
        matches!(self, DecisionVerdict::Passed(_))
    }
}

/// Checks the state after a decision. `state_after` is the Lookahead; it is not asked for a barred pattern.
pub fn judge<S>(decision: &Decision, tracker: &VetoTracker, state_after: S) -> DecisionVerdict
where
    S: FnOnce(&Decision) -> Result<Readings, LookaheadError>,
{
    if tracker.barred(&Pattern::of(decision)) {
        return DecisionVerdict::Barred;
    }
    let readings = match state_after(decision) {
        Ok(readings) => readings,
        Err(error) => return DecisionVerdict::Unknown(error),
    };
    let (violations, scores) = (violations(&readings), scores(&readings));
    if violations.is_empty() {
        DecisionVerdict::Passed(scores)
    } else {
        DecisionVerdict::Vetoed { violations, scores }
    }
}

/// What the level does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Goes on.
    #[default]
    Continue,
    /// Advises only.
    Advisory,
    /// Freezes and reverts to Level 4.8.
    Freeze,
}

impl Action {
    /// The action of a band.
    pub fn of(band: Band) -> Self {
        match band {
            Band::Healthy | Band::Adequate => Action::Continue,
            Band::Marginal => Action::Advisory,
            Band::Critical => Action::Freeze,
        }
    }
}

/// The check of the live state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveVerdict {
    /// What does not hold, in the order of section 7.1.
    pub violations: Vec<Violated>,
    /// The scores.
    pub scores: Scores,
    /// What the level does.
    pub action: Action,
}

impl LiveVerdict {
    /// All five hold.
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Checks the live state; also while the level is frozen. A violated condition leaves no margin, so the score is 0 and
/// the level freezes.
pub fn live(readings: &Readings) -> LiveVerdict {
    let scores = scores(readings);
    LiveVerdict {
        violations: violations(readings),
        scores,
        action: Action::of(scores.band()),
    }
}
