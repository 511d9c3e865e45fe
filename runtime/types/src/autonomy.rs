//! The five conditions under which an agent may decide for itself what it wants (MSCP Level 4.9, section 7.1).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// 1: the spectral radius stays below 0.98.
    Spectral,
    /// 2: identity integrity stays at 0.88 or above.
    Identity,
    /// 3: total value drift stays below 0.25.
    ValueDrift,
    /// 4: resources last for more than 30 cycles.
    Survival,
    /// 5: a failure spreads to a depth of 2 at most.
    Cascade,
}

/// Where a condition fails and where it is comfortable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Where its margin is 0.
    pub limit: f64,
    /// From here on more margin does not count.
    pub comfort: f64,
}

impl Condition {
    /// All five, in the order of section 7.1.
    pub const ALL: [Condition; 5] = [
        Condition::Spectral,
        Condition::Identity,
        Condition::ValueDrift,
        Condition::Survival,
        Condition::Cascade,
    ];

    /// The limit and the comfort point. A cascade fails at a depth of 3.
    pub fn limit(self) -> Limit {
        let (limit, comfort) = match self {
            Condition::Spectral => (0.98, 0.90),
            Condition::Identity => (0.88, 0.95),
            Condition::ValueDrift => (0.25, 0.10),
            Condition::Survival => (30.0, 200.0),
            Condition::Cascade => (3.0, 0.0),
        };
        Limit { limit, comfort }
    }

    /// The name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Condition::Spectral => "spectral",
            Condition::Identity => "identity",
            Condition::ValueDrift => "value_drift",
            Condition::Survival => "survival",
            Condition::Cascade => "cascade",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A condition that does not hold. Its numbers are finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Violated {
    /// Which.
    pub condition: Condition,
    /// What was found; `None` if it was no finite number.
    pub found: Option<f64>,
    /// Where it fails.
    pub limit: f64,
}

impl fmt::Display for Violated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (condition, limit) = (self.condition, self.limit);
        match self.found {
            Some(found) => write!(f, "{condition} {found:.3} (limit {limit:.2})"),
            None => write!(f, "{condition} is not a number (limit {limit:.2})"),
        }
    }
}
