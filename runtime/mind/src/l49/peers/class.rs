//! Strategy classes, and what trust makes of them (MSCP Level 4.9, sections 6.2 and 6.5).

use super::trust::TrustLevel;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What another agent does (section 6.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyClass {
    /// More than 0.70 of the interactions are good, and what is good for one is good for the other.
    Cooperative,
    /// More than half are good, and the outcomes have little to do with each other.
    Neutral,
    /// Fewer than 0.30 are good, and what is good for one is bad for the other.
    Competitive,
    /// Too few interactions, or none of the three.
    #[default]
    Unknown,
}

impl StrategyClass {
    /// The class of a share of good interactions and an alignment in [-1, 1]. What lies between the rows of the table
    /// is unknown, which is treated with caution; so is NaN.
    pub fn of(positive_rate: f64, alignment: f64) -> Self {
        if positive_rate > 0.70 && alignment > 0.30 {
            StrategyClass::Cooperative
        } else if positive_rate > 0.50 && (-0.30..=0.30).contains(&alignment) {
            StrategyClass::Neutral
        } else if positive_rate < 0.30 && alignment < -0.30 {
            StrategyClass::Competitive
        } else {
            StrategyClass::Unknown
        }
    }

    /// The class that an agent of this trust is treated as (section 6.5): full cooperation from Moderate on; at Low no
    /// more than neutral; at Minimal competitive, whatever it seems.
    pub fn as_trusted(self, level: TrustLevel) -> Self {
        match (level, self) {
            (TrustLevel::Minimal, _) => StrategyClass::Competitive,
            (TrustLevel::Low, StrategyClass::Cooperative) => StrategyClass::Neutral,
            _ => self,
        }
    }
}

impl fmt::Display for StrategyClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            StrategyClass::Cooperative => "cooperative",
            StrategyClass::Neutral => "neutral",
            StrategyClass::Competitive => "competitive",
            StrategyClass::Unknown => "unknown",
        })
    }
}
