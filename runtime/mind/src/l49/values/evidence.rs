//! Why a value should change: goals that served it did the agent good, or harm.

use super::drift::DriftMonitor;
use super::mutation::{MAX_MUTATION, Mutation};
use super::vector::{DIMENSIONS, ValueDimension};
use crate::l49::correlation;
use crate::numeric::condense::Refused;
use crate::numeric::history::History;
use serde::{Deserialize, Serialize};

/// Cycles between two rounds of proposals.
pub const PROPOSAL_CYCLES: u64 = 200;
/// Closed goals that a proposal needs.
pub const MIN_EVIDENCE: usize = 10;
/// Closed goals that are remembered.
pub const MAX_EVIDENCE: usize = 50;
/// A correlation must exceed this in magnitude.
const MIN_CORRELATION: f64 = 0.3;
/// The change of weight that a correlation of 1 asks for.
const GAIN: f64 = 0.1;

/// What a closed goal says: how it served each value, and what became of SEOF.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GoalEvidence {
    /// Share of the goal's intent in each dimension, in [0, 1].
    pub shares: [f64; DIMENSIONS],
    /// Change of SEOF from its approval to its close, in [-2, 2].
    pub seof_change: f64,
}

impl GoalEvidence {
    fn is_sane(&self) -> bool {
        self.shares.iter().all(|share| (0.0..=1.0).contains(share)) && (-2.0..=2.0).contains(&self.seof_change)
    }
}

/// The last goals that closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawEvidence")]
pub struct Evidence {
    goals: History<GoalEvidence>,
    /// The last round of proposals.
    proposed: Option<u64>,
}

/// What [`Evidence`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawEvidence {
    goals: History<GoalEvidence>,
    proposed: Option<u64>,
}

impl TryFrom<RawEvidence> for Evidence {
    type Error = Refused;

    fn try_from(RawEvidence { goals, proposed }: RawEvidence) -> Result<Self, Refused> {
        if goals.capacity() == MAX_EVIDENCE && goals.iter().all(|goal| goal.is_sane()) {
            Ok(Self { goals, proposed })
        } else {
            Err(Refused("the evidence of closed goals"))
        }
    }
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            goals: History::new(MAX_EVIDENCE),
            proposed: None,
        }
    }
}

impl Evidence {
    /// Takes a closed goal in; one with a number outside its range says nothing.
    pub fn note(&mut self, goal: GoalEvidence) {
        if goal.is_sane() {
            self.goals.push(goal);
        }
    }

    /// Goals remembered.
    pub fn len(&self) -> usize {
        self.goals.len()
    }

    /// No goal is remembered.
    pub fn is_empty(&self) -> bool {
        self.goals.is_empty()
    }

    /// A round of proposals is due: 200 cycles after the last.
    pub fn due(&self, cycle: u64) -> bool {
        self.proposed
            .is_none_or(|last| cycle >= last.saturating_add(PROPOSAL_CYCLES))
    }

    /// Notes that a round took place.
    pub fn proposed_at(&mut self, cycle: u64) {
        self.proposed = Some(cycle);
    }

    /// Correlation of a dimension's share with the change of SEOF, in [-1, 1]; `None` of fewer than 10 goals, or where
    /// one of the two does not vary.
    pub fn correlation(&self, dimension: ValueDimension) -> Option<f64> {
        if self.goals.len() < MIN_EVIDENCE {
            return None;
        }
        let pairs: Vec<_> = self
            .goals
            .iter()
            .map(|goal| (goal.shares[dimension as usize], goal.seof_change))
            .collect();
        correlation(&pairs)
    }

    /// The mutations that the goals ask for, strongest correlation first: 0.1 times the correlation, at most 0.05,
    /// halved where the monitor has an alert. Only correlations above 0.3 in magnitude.
    pub fn proposals(&self, monitor: &DriftMonitor) -> Vec<Mutation> {
        let mut found: Vec<(f64, Mutation)> = ValueDimension::ALL
            .into_iter()
            .filter_map(|dimension| {
                let correlation = self.correlation(dimension)?;
                let delta = (GAIN * correlation).clamp(-MAX_MUTATION, MAX_MUTATION);
                let delta = delta * monitor.mutation_factor(dimension);
                (correlation.abs() > MIN_CORRELATION).then_some((correlation.abs(), Mutation { dimension, delta }))
            })
            .collect();
        found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        found.into_iter().map(|(_, mutation)| mutation).collect()
    }
}
