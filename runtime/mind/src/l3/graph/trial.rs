//! What is tried on a graph, how far it has come, and what it has shown.

use super::{Operation, Route, TENTHS};
use serde::{Deserialize, Serialize};

/// How far a trial has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialStage {
    /// Computed, not used.
    #[default]
    Shadow,
    /// Used in a fifth of the cycles.
    Fifth,
    /// Used in four fifths.
    Most,
    /// Used in all.
    Whole,
    /// It is the graph from now on.
    Commit,
}

impl TrialStage {
    /// Share of cycles in which the new route is used, in tenths.
    pub fn tenths(self) -> u32 {
        match self {
            TrialStage::Shadow => 0,
            TrialStage::Fifth => 2,
            TrialStage::Most => 8,
            TrialStage::Whole | TrialStage::Commit => TENTHS,
        }
    }
}

/// What L4.5 asks the kernel to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialOrder {
    /// Counts trials from 1; each number is used once.
    pub number: u32,
    /// The group whose graph is recomposed.
    pub group: u16,
    /// How.
    pub operation: Operation,
    /// How far.
    pub stage: TrialStage,
}

/// What a trial has shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrialReport {
    /// The order's number.
    pub number: u32,
    /// The operation can act on the group's graph.
    pub applicable: bool,
    /// It was committed.
    pub committed: bool,
    /// Forecast skill of the group on its old route and on the new one, since the trial began, over the same observations:
    /// mean over its dimensions of 1.5 - MAE / MAE of persistence, each in [0, 1]; `None` without enough of them.
    pub skill: Option<[f64; 2]>,
}

/// The trial that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(in crate::l3) struct Trial {
    pub(in crate::l3) order: TrialOrder,
    /// The new route; `None` where the operation cannot act.
    pub(in crate::l3) route: Option<Route>,
}
