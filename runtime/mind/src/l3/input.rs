//! What the kernel is made for, what one turn takes in, and what it gives.

use super::action::{Action, Available, MAX_GROUPS};
use super::complexity::SelfAssessment;
use super::graph::TrialOrder;
use super::identity::{IdentityId, Motion};
use super::operations::Outcomes;
use crate::report::{Advice, CycleFacts, FloorReport, Resource};
use rungs_types::Authority;
use rungs_types::spec::MAX_DIMENSIONS;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Cycles after which advice is too old to be heeded.
pub const ADVICE_CYCLES: u64 = 100;
/// Refused proposals in one cycle after which the kernel holds.
pub const MAX_REFUSALS: u16 = 4;
/// Exploration rates that are accepted.
pub const EXPLORATION_RANGE: std::ops::RangeInclusive<f64> = 0.0..=0.2;
/// What an agent's kernel is made for.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelConfig {
    /// Who the agent is.
    pub identity: IdentityId,
    /// The group of each dimension, counted from 0: at most 64 dimensions, groups below 64.
    pub groups: Arc<[u16]>,
    /// Seed of the kernel's randomness.
    pub seed: u64,
    /// Probability per cycle that an action better than holding is taken at random instead of the best, 0 to 0.2.
    pub exploration_rate: f64,
}

/// Why a kernel cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum KernelError {
    /// Too many dimensions.
    #[error("{found} dimensions; expected 1 to {MAX_DIMENSIONS}")]
    Dimensions {
        /// How many there are.
        found: usize,
    },
    /// A group number is too large.
    #[error("group {found}; expected below {MAX_GROUPS}")]
    Group {
        /// The number.
        found: u16,
    },
    /// The exploration rate is out of range.
    #[error("exploration rate {found}; expected 0 to 0.2")]
    Exploration {
        /// The rate.
        found: f64,
    },
    /// The state is another agent's.
    #[error("state of identity {found}; expected {expected}")]
    Identity {
        /// Whose it is.
        found: IdentityId,
        /// Whose it should be.
        expected: IdentityId,
    },
    /// The state cannot have been reached by a kernel of this configuration.
    #[error("the {part} of the stored state is damaged or of another environment")]
    State {
        /// Which part.
        part: &'static str,
    },
}

impl KernelConfig {
    /// Checks every range.
    pub fn validate(&self) -> Result<(), KernelError> {
        let dimensions = self.groups.len();
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(KernelError::Dimensions { found: dimensions });
        }
        if let Some(&found) = self.groups.iter().find(|group| usize::from(**group) >= MAX_GROUPS) {
            return Err(KernelError::Group { found });
        }
        if !EXPLORATION_RANGE.contains(&self.exploration_rate) {
            return Err(KernelError::Exploration {
                found: self.exploration_rate,
            });
        }
        Ok(())
    }
}
/// What the floor says to the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub enum Floor {
    /// L4.5 has not spoken yet.
    #[default]
    Silent,
    /// L4.5 stands.
    Standing {
        /// Uncertainty index U.
        uncertainty: f64,
        /// SEOF.
        seof: f64,
        /// Structural change is permitted.
        structural: bool,
        /// The recomposition of the kernel's graph that is being tried.
        trial: Option<TrialOrder>,
    },
    /// L4.5 has failed: the kernel stays in stabilization mode.
    Failed,
}

impl From<&FloorReport> for Floor {
    fn from(report: &FloorReport) -> Self {
        let FloorReport {
            uncertainty,
            seof,
            structural_permitted,
            trial,
            ..
        } = *report;
        Floor::Standing {
            uncertainty,
            seof,
            structural: structural_permitted,
            trial,
        }
    }
}

/// How the agent keeps its own pace. What the machine does is not in it: a busy machine shows as late cycles, and as
/// observations, and is no reason of its own to be slower.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pace {
    /// At least one cycle before this one was missed.
    pub late: bool,
    /// The period in force is longer than the nominal one.
    pub stretched: bool,
    /// Processor time that the agent uses, as a share of its quota; above 1 it is over quota, 0 without a quota.
    pub quota_share: f64,
}

/// What one turn takes in.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The cycle's number, from 1.
    pub cycle: u64,
    /// One value per dimension; NaN = missing. A short row's rest is missing.
    pub observation: &'a [f64],
    /// What came of earlier actions.
    pub outcomes: Outcomes,
    /// The newest advice of the current epoch, with the authority cell's value.
    pub advice: Option<(&'a Advice, Authority)>,
    /// What L4.5 says.
    pub floor: Floor,
    /// How the agent keeps its pace.
    pub pace: Pace,
    /// The agent's resources.
    pub resources: &'a [Resource],
    /// What can be done.
    pub available: Available,
}

/// What the goals and the strategy in force ask of one turn.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Duty {
    /// The action of a goal's task: it comes before what the kernel would do of itself.
    pub task: Option<Action>,
    /// The exploration rate in force; `None` for the configured one. Out of [`EXPLORATION_RANGE`] it is cut off there.
    pub exploration_rate: Option<f64>,
}

/// What became of a duty's task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskTurn {
    /// There was none.
    #[default]
    None,
    /// It is this turn's action.
    Granted,
    /// The gate refused it.
    Refused,
    /// Nothing was decided in this turn, it would have changed what may not be changed now, or it asks a peer too soon after
    /// the last question: another time.
    Deferred,
}

/// What one turn decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The action to carry out. The gate has granted it.
    pub action: Action,
    /// Proposals that the gate refused before it.
    pub refused: u16,
    /// What became of the duty's task.
    pub task: TaskTurn,
    /// The row of facts that went into the report.
    pub facts: CycleFacts,
    /// How I moved.
    pub motion: Motion,
    /// SHA-256 of I quantised to 1e-4.
    pub identity_hash: [u8; 32],
    /// How the kernel judges itself.
    pub assessment: SelfAssessment,
    /// Dimensions that were observed.
    pub observed: u32,
}

/// What of the advice counts in one cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heeded<'a> {
    /// 0, 0.5 or 1.
    pub weight: f64,
    /// Posterior variance of each dimension, standardised; one per dimension, or none where nothing is advised.
    pub variance: &'a [f64],
    /// Risk exposure, in [0, 1].
    pub risk: f64,
    /// Environmental uncertainty, in [0, 1].
    pub uncertainty: f64,
    /// Mean calibrated confidence.
    pub confidence: Option<f64>,
    /// Structural change is permitted.
    pub structural: bool,
}

impl Heeded<'_> {
    /// Without advice nothing is added and nothing is forbidden.
    pub const NOTHING: Heeded<'static> = Heeded {
        weight: 0.0,
        variance: &[],
        risk: 0.0,
        uncertainty: 0.0,
        confidence: None,
        structural: true,
    };
}

impl<'a> Input<'a> {
    /// What of the advice counts: nothing before it takes effect, when it is older than [`ADVICE_CYCLES`], when it is of
    /// another environment, or when the lesser of its authority and the cell's has no weight. A number that is missing
    /// counts as the worst.
    pub fn heed(&self, dimensions: usize) -> Heeded<'a> {
        let Some((advice, cell)) = self.advice else {
            return Heeded::NOTHING;
        };
        let current = advice.effective_at <= self.cycle
            && self.cycle.saturating_sub(advice.from_cycle) <= ADVICE_CYCLES
            && advice.variance.len() == dimensions;
        let weight = advice.authority.min(cell).weight();
        if !current || weight == 0.0 {
            return Heeded::NOTHING;
        }
        Heeded {
            weight,
            variance: &advice.variance,
            risk: share_or_worst(advice.res),
            uncertainty: share_or_worst(advice.eu),
            confidence: advice.confidence.filter(|confidence| confidence.is_finite()),
            structural: advice.structural_permitted,
        }
    }

    /// Utilisation of the resource used most, in [0, 1].
    pub fn utilisation(&self) -> f64 {
        self.resources
            .iter()
            .map(|r| share_or_worst(r.utilisation))
            .fold(0.0, f64::max)
    }
}

/// The value within [0, 1]; 1 for one that is not a number.
fn share_or_worst(value: f64) -> f64 {
    if value.is_nan() { 1.0 } else { value.clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_advice_nothing_is_added_and_nothing_is_forbidden() {
        let none = Heeded::NOTHING;
        assert_eq!((none.weight, none.risk, none.uncertainty), (0.0, 0.0, 0.0));
        assert!(none.variance.is_empty() && none.confidence.is_none() && none.structural);
    }
}
