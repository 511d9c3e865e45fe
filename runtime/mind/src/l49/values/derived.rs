//! What the values weigh: the weights of SEOF, of goal priority and of the strategy score, re-derived from a value vector
//! (MSCP Level 4.9, section 4.3: "re-derive SEOF weights, goal priorities, strategy scores").
//!
//! Each term is carried by one dimension. Its weight is that of the level below times how much more (or less) the
//! dimension weighs than at the baseline, and all are scaled so that they sum to what they did. At the baseline they are
//! those of the levels below, bit for bit. What the levels below compute for themselves keeps their own weights: these are for
//! Lookaheads ([`crate::l49::ahead`]).

use super::vector::{ValueDimension, ValueVector};

/// A weight of the level below, and the dimension that carries it.
type Term = (f64, ValueDimension);

/// SEOF (L4.5): dP/dt, 1 - dC_L4/dt, CDI, IIS, R_osc (which is subtracted).
const SEOF: [Term; 5] = [
    (0.25, ValueDimension::Growth),
    (0.25, ValueDimension::Stability),
    (0.20, ValueDimension::Exploration),
    (0.20, ValueDimension::PurposeFidelity),
    (0.10, ValueDimension::Stability),
];
/// Goal priority (L4.8): feasibility, resilience, value, urgency, alignment.
const PRIORITY: [Term; 5] = [
    (0.25, ValueDimension::Efficiency),
    (0.15, ValueDimension::Safety),
    (0.25, ValueDimension::Growth),
    (0.20, ValueDimension::Stability),
    (0.15, ValueDimension::PurposeFidelity),
];
/// StrategyScore (L4.8, Definition 7): expected value, risk adjustment, 1 - inertia.
const STRATEGY: [Term; 3] = [
    (0.40, ValueDimension::Growth),
    (0.35, ValueDimension::Safety),
    (0.25, ValueDimension::Exploration),
];

/// Weights, each at least 0; each group sums to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Derived {
    /// SEOF: dP/dt, 1 - dC_L4/dt, CDI, IIS, and R_osc, which is subtracted.
    pub seof: [f64; 5],
    /// Goal priority: feasibility, resilience, value, urgency, alignment.
    pub priority: [f64; 5],
    /// Strategy score: expected value, risk adjustment, 1 - inertia.
    pub strategy: [f64; 3],
}

impl Derived {
    /// Those of a value vector.
    pub fn of(vector: &ValueVector) -> Self {
        Self {
            seof: derive(SEOF, vector),
            priority: derive(PRIORITY, vector),
            strategy: derive(STRATEGY, vector),
        }
    }
}

fn derive<const N: usize>(terms: [Term; N], vector: &ValueVector) -> [f64; N] {
    let base = terms.map(|(weight, _)| weight);
    let grown = terms.map(|(weight, by)| weight * (vector.weight(by) / ValueVector::BASELINE.weight(by)));
    let (whole, sum) = (base.iter().sum::<f64>(), grown.iter().sum::<f64>());
    // A vector that values none of the dimensions that carry a group says nothing about it.
    if sum > 0.0 {
        grown.map(|weight| weight * (whole / sum))
    } else {
        base
    }
}
