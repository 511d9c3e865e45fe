//! What can be recomposed, and how a recomposition ends.

use crate::l3::graph::{Operation, TrialOrder};
use serde::{Deserialize, Serialize};

/// A node of the agent's processing graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// What a group's values are filtered with.
    Filter(u16),
    /// Who forecasts a group.
    Forecaster(u16),
    /// What watches a group's errors: surprise, divergence, the spectral detector. Recomposed, it could be made not to see.
    Detector(u16),
    /// Who carries out tasks of a kind. There is one for each kind: nothing to recompose.
    Executor,
    /// The ethical kernel.
    EthicalKernel,
    /// The existential guard.
    Guard,
    /// The identity vector and its reference.
    Identity,
}

impl Node {
    /// A recomposition may change it.
    pub fn is_open(self) -> bool {
        matches!(self, Node::Filter(_) | Node::Forecaster(_))
    }

    /// The node that an operation on a group changes.
    pub fn of(operation: Operation, group: u16) -> Node {
        match operation {
            Operation::Bypass => Node::Filter(group),
            _ => Node::Forecaster(group),
        }
    }
}

/// Why a recomposition ended without a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolledBack {
    /// The operation has nothing to act on in this graph.
    NotApplicable,
    /// SEOF did not rise by 8 %.
    NoGain,
    /// The frames were against it.
    Outvoted,
    /// C_L4 or IIS left their bounds, or structural change is not permitted any more.
    OutOfBounds,
    /// The kernel did not do it, or has changed the group itself.
    Unheard,
}

/// What became of recompositions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recompositions {
    /// Committed.
    pub committed: u32,
    /// Rolled back.
    pub rolled_back: u32,
    /// The last one that ended: the order, and why if it was rolled back.
    pub last: Option<(TrialOrder, Option<RolledBack>)>,
}
