//! The five conditions (MSCP Level 4.9, section 7.1), their margins, and the Autonomy Stability Score.

use crate::lookahead::LookaheadReport;
pub use rungs_types::autonomy::{Condition, Limit, Violated};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a condition says of a number.
trait Measured {
    /// `found` satisfies it. NaN satisfies nothing, and infinity only where more is better.
    fn holds(self, found: f64) -> bool;

    /// The margin as a share of the way from the limit to the comfort point, in [0, 1].
    fn ratio(self, found: f64) -> f64;

    /// Margin by threshold as Definition 7 has it, clamped as the remark to Proposition 1 says. The threshold of the
    /// cascade is 2.
    fn literal_ratio(self, found: f64) -> f64;
}

impl Measured for Condition {
    fn holds(self, found: f64) -> bool {
        let limit = self.limit().limit;
        match self {
            Condition::Spectral | Condition::ValueDrift | Condition::Cascade => found < limit,
            Condition::Identity => found >= limit,
            Condition::Survival => found > limit,
        }
    }

    fn ratio(self, found: f64) -> f64 {
        let Limit { limit, comfort } = self.limit();
        let ratio = (found - limit) / (comfort - limit);
        if ratio.is_nan() { 0.0 } else { ratio.clamp(0.0, 1.0) }
    }

    fn literal_ratio(self, found: f64) -> f64 {
        let threshold = if self == Condition::Cascade {
            2.0
        } else {
            self.limit().limit
        };
        let margin = match self {
            Condition::Spectral | Condition::ValueDrift | Condition::Cascade => threshold - found,
            Condition::Identity | Condition::Survival => found - threshold,
        };
        let ratio = margin / threshold;
        if ratio.is_nan() { 0.0 } else { ratio.clamp(0.0, 1.0) }
    }
}

/// What the conditions are checked on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Readings {
    /// Spectral radius of the Jacobian.
    pub rho: f64,
    /// Identity integrity; `None` while it warms up: then nothing reads it.
    pub identity: Option<f64>,
    /// TotalDrift of the values.
    pub total_drift: f64,
    /// Cycles until the first resource is critical.
    pub min_survival_cycles: f64,
    /// How far a failure spreads.
    pub cascade_depth: u8,
}

impl Readings {
    /// Those of a Lookahead: the worst on the way. The drift and the survival horizon are those that the decision
    /// leaves, which a Lookahead does not know; the depth is the larger of its own and that among resources.
    pub fn after(report: &LookaheadReport, total_drift: f64, min_survival_cycles: f64, resource_depth: u8) -> Self {
        Self {
            rho: report.max_rho,
            identity: Some(report.min_iis),
            total_drift,
            min_survival_cycles,
            cascade_depth: report.cascade_depth.max(resource_depth),
        }
    }

    /// What a condition is checked on.
    fn of(&self, condition: Condition) -> Option<f64> {
        match condition {
            Condition::Spectral => Some(self.rho).map(|rho| if rho >= 0.0 { rho } else { f64::NAN }),
            Condition::Identity => self.identity.map(finite_or_nan),
            Condition::ValueDrift => Some(self.total_drift).map(|drift| if drift >= 0.0 { drift } else { f64::NAN }),
            Condition::Survival => Some(finite_or_nan(self.min_survival_cycles)),
            Condition::Cascade => Some(f64::from(self.cascade_depth)),
        }
    }
}

/// An identity or a horizon that is not finite is no number: horizons are capped where they are computed.
fn finite_or_nan(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

/// The conditions that do not hold, in the order of section 7.1.
pub fn violations(readings: &Readings) -> Vec<Violated> {
    let check = |condition: Condition| {
        let found = readings.of(condition)?;
        (!condition.holds(found)).then(|| Violated {
            condition,
            found: Some(found).filter(|found| found.is_finite()),
            limit: condition.limit().limit,
        })
    };
    Condition::ALL.into_iter().filter_map(check).collect()
}

/// The score, as corrected and as the seed has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// ASS: the product over the conditions of the share of the way from the limit to the comfort point, in [0, 1].
    pub ass: f64,
    /// Definition 7 to the letter: the product of margin by threshold, each at most 1. Even a comfortable agent
    /// has less than 0.01, for a spectral radius of 0.90 is only 8 % below its threshold: reported, and followed by
    /// nothing.
    pub literal: f64,
}

impl Scores {
    /// The band of the score.
    pub fn band(&self) -> Band {
        Band::of(self.ass)
    }
}

/// The ratio of each condition, in the order of section 7.1, in [0, 1]: ASS is their product. An identity that warms up
/// does not count: 1.
pub fn ratios(readings: &Readings) -> [f64; 5] {
    Condition::ALL.map(|condition| readings.of(condition).map_or(1.0, |found| condition.ratio(found)))
}

/// Both scores. An identity that warms up does not count.
pub fn scores(readings: &Readings) -> Scores {
    let product = |ratio: fn(Condition, f64) -> f64| {
        let ratios = Condition::ALL.into_iter().map(|condition| {
            let found = readings.of(condition);
            found.map_or(1.0, |found| ratio(condition, found))
        });
        ratios.product()
    };
    Scores {
        ass: product(Condition::ratio),
        literal: product(Condition::literal_ratio),
    }
}

/// What a score means (section 7.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Below 0.05: freeze, revert to Level 4.8.
    #[default]
    Critical,
    /// From 0.05: advisory.
    Marginal,
    /// From 0.20: operational, thin margins.
    Adequate,
    /// Above 0.50: comfortable.
    Healthy,
}

impl Band {
    /// The band of a score; NaN is critical.
    pub fn of(ass: f64) -> Self {
        match ass {
            ass if ass > 0.50 => Band::Healthy,
            ass if ass >= 0.20 => Band::Adequate,
            ass if ass >= 0.05 => Band::Marginal,
            _ => Band::Critical,
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Band::Critical => "critical",
            Band::Marginal => "marginal",
            Band::Adequate => "adequate",
            Band::Healthy => "healthy",
        })
    }
}
