//! Trust in another agent (MSCP Level 4.9, Definition 10 and section 6.5).

use crate::numeric::condense::Refused;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Never entirely dismissive.
pub const MIN_TRUST: f64 = 0.05;
/// Never entirely trusting.
pub const MAX_TRUST: f64 = 0.95;
/// Trust in an agent of which nothing is known.
const FIRST_TRUST: f64 = 0.5;
/// Trust is earned slowly,
const EARNED: f64 = 0.03;
/// and lost quickly.
const LOST: f64 = 0.08;

/// Trust in [0.05, 0.95].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Trust(f64);

impl Default for Trust {
    fn default() -> Self {
        Self(FIRST_TRUST)
    }
}

impl TryFrom<f64> for Trust {
    type Error = Refused;

    fn try_from(value: f64) -> Result<Self, Refused> {
        if (MIN_TRUST..=MAX_TRUST).contains(&value) {
            Ok(Self(value))
        } else {
            Err(Refused("trust"))
        }
    }
}

impl Trust {
    /// The value.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Trust after a cycle in which `reliability` was observed: Trust + eta (reliability - Trust), eta = 0.03 upward and
    /// 0.08 downward. NaN says nothing; what is outside [0, 1] is cut.
    pub fn after(self, reliability: f64) -> Self {
        if reliability.is_nan() {
            return self;
        }
        let gap = reliability.clamp(0.0, 1.0) - self.0;
        let eta = if gap > 0.0 { EARNED } else { LOST };
        Self((self.0 + eta * gap).clamp(MIN_TRUST, MAX_TRUST))
    }

    /// The lesser of the two.
    pub(super) fn at_most(self, other: Self) -> Self {
        if other.0 < self.0 { other } else { self }
    }

    /// The level.
    pub fn level(self) -> TrustLevel {
        match self.0 {
            trust if trust >= 0.75 => TrustLevel::High,
            trust if trust >= 0.40 => TrustLevel::Moderate,
            trust if trust >= 0.20 => TrustLevel::Low,
            _ => TrustLevel::Minimal,
        }
    }
}

/// What follows from trust (section 6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustLevel {
    /// Below 0.20: defensive; assumed competitive; every assumption is verified.
    Minimal,
    /// From 0.20: neutral; own models only; what it says is discounted.
    Low,
    /// From 0.40: selective cooperation; claims are verified before acting.
    Moderate,
    /// From 0.75: full cooperation; information is shared and recommendations are accepted.
    High,
}

impl TrustLevel {
    /// Information is shared with it.
    pub fn shares_information(self) -> bool {
        self == TrustLevel::High
    }

    /// Its recommendations are accepted.
    pub fn accepts_recommendations(self) -> bool {
        self == TrustLevel::High
    }

    /// Its claims are verified before the agent acts on them.
    pub fn verifies_claims(self) -> bool {
        self != TrustLevel::High
    }

    /// The factor by which what it says counts beside the agent's own models.
    pub fn weight_of_claims(self) -> f64 {
        match self {
            TrustLevel::High => 1.0,
            TrustLevel::Moderate => 0.5,
            TrustLevel::Low | TrustLevel::Minimal => 0.0,
        }
    }
}

impl fmt::Display for TrustLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TrustLevel::Minimal => "minimal",
            TrustLevel::Low => "low",
            TrustLevel::Moderate => "moderate",
            TrustLevel::High => "high",
        })
    }
}
