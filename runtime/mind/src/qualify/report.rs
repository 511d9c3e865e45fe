//! What an audit says of a level: each criterion, each category, the score, and whether that qualifies.

use super::category::{Category, Standing};
use super::criterion::{Reading, Verdict};
use rungs_types::Level;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A score that is less than needed by no more than this is not: sums of hundredths are not exact in binary.
pub const WEIGHT_TOLERANCE: f64 = 1e-9;

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of which level.
    pub level: Level,
    /// The last cycle it covers.
    pub cycle: u64,
    /// The name of its score: SMS or AMS.
    pub score_name: Cow<'static, str>,
    /// The score: the weighted mean of the categories, in [0, 1].
    pub score: f64,
    /// The score from which the level qualifies.
    pub needed: f64,
    /// The level qualifies.
    pub qualified: bool,
    /// Why it does not; empty if it does.
    pub reasons: Vec<String>,
    /// What else is to be known.
    pub notes: Vec<String>,
    /// The categories, in the order of the definition.
    pub categories: Vec<Category>,
    /// The criteria, in the order of the definition.
    pub readings: Vec<Reading>,
}

/// What a report is made of.
pub(super) struct Parts {
    pub(super) level: Level,
    pub(super) cycle: u64,
    pub(super) score_name: &'static str,
    pub(super) needed: f64,
    pub(super) categories: Vec<Category>,
    pub(super) readings: Vec<Reading>,
    pub(super) notes: Vec<String>,
    /// Cycles seen and needed.
    pub(super) window: [u32; 2],
}

impl Report {
    pub(super) fn of(parts: Parts) -> Self {
        let Parts {
            level,
            cycle,
            score_name,
            needed,
            categories,
            readings,
            notes,
            window: [n, of],
        } = parts;
        let score = weighted(&categories);
        let mut reasons = Vec::new();
        if n < of {
            reasons.push(format!("warming up ({n} of {of} cycles)"));
        }
        for category in categories.iter().filter(|c| c.standing == Standing::NoEvidence) {
            reasons.push(format!("{}: no evidence of any criterion", category.name));
        }
        for reading in readings.iter().filter(|reading| reading.bars()) {
            reasons.push(format!(
                "{} {}: must hold always, and did not",
                reading.id, reading.name
            ));
        }
        if score < needed - WEIGHT_TOLERANCE {
            reasons.push(format!("{score_name} {score:.3} is below {needed:.2}"));
        }
        Self {
            level,
            cycle,
            score_name: Cow::Borrowed(score_name),
            score,
            needed,
            qualified: reasons.is_empty(),
            reasons,
            notes,
            categories,
            readings,
        }
    }

    /// The reading of a criterion by its id.
    pub fn reading(&self, id: &str) -> Option<&Reading> {
        self.readings.iter().find(|reading| reading.id == id)
    }

    /// The level qualifies, and with this score at least: Level 4.9 asks for more of Level 4.8 than that it qualifies
    /// ([`NEEDED_SMS_FOR_L49`](super::l48::NEEDED_SMS_FOR_L49)).
    pub fn reaches(&self, score: f64) -> bool {
        self.qualified && self.score >= score - WEIGHT_TOLERANCE
    }

    /// All criteria are still met: the level qualifies, and none has failed. What has no evidence is not held against it:
    /// an agent to which nothing happens for 3,000 cycles has nothing to forecast.
    pub fn still_met(&self) -> bool {
        self.qualified && self.readings.iter().all(|reading| reading.verdict != Verdict::Failed)
    }

    /// The window is not full yet.
    pub fn is_warming_up(&self) -> bool {
        self.readings
            .iter()
            .any(|reading| matches!(reading.verdict, Verdict::WarmingUp { .. }))
    }
}

/// The mean of the categories by their weights, without those that are left out; in [0, 1], and 0 of none.
fn weighted(categories: &[Category]) -> f64 {
    let counted = categories.iter().filter(|c| c.standing != Standing::LeftOut);
    let (sum, weights) = counted.fold((0.0, 0.0), |(sum, weights), category| {
        (sum + category.weight * category.score, weights + category.weight)
    });
    super::ratio(sum, weights).map_or(0.0, |score| score.clamp(0.0, 1.0))
}
