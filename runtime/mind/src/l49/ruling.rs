//! What phase 5 has said of a pass, and what is in force by it.
//!
//! Phases 1 to 4 only ask. What they ask for stays in their states, with the number of the pass, until the next pass
//! brings the [`Ruling`]: what passed is carried out then, and all else has not happened. A pass that never came back
//! verified has no ruling, so that nothing of it is left either.

use super::resources::Modes;
use super::values::ValueVector;
use serde::{Deserialize, Serialize};

/// Most decisions of one phase in one pass.
pub const MAX_DECISIONS: usize = 16;

/// Which decisions of a pass may be carried out, in the order in which each phase asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// The number of the pass.
    pub pass: u64,
    /// Phase 1: goals.
    pub goals: Vec<bool>,
    /// Phase 2: at most one change of the values.
    pub values: Vec<bool>,
    /// Phase 3: at most one change of the mode.
    pub resources: Vec<bool>,
    /// Phase 4: recommendations and messages.
    pub peers: Vec<bool>,
    /// The level acts: at Half authority or above. Else it only advises, and no goal, change of value or message leaves.
    pub acts: bool,
    /// The live state violated no condition: the values in force are stable.
    pub sound: bool,
}

impl Ruling {
    /// What was stored is what a ruling can have been.
    pub fn is_valid(&self) -> bool {
        let parts = [&self.goals, &self.values, &self.resources, &self.peers];
        parts.iter().all(|part| part.len() <= MAX_DECISIONS)
    }
}

/// What is in force: the values, and the mode of the resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct InForce {
    /// The values.
    pub values: ValueVector,
    /// The mode.
    pub modes: Modes,
}
