//! The capability matrix: what the agent can do, how sure it is of it, and what came of it (MSCP Level 4.8, sections
//! 1.5 and 4.1).
//!
//! A row is a skill, a column its domain: C(d, s) is the confidence of skill s in domain d. Skills are the forecasting of
//! each group of sensors, each kind of action that promises something (holding promises nothing), each tool and kind of
//! task once it was used, and the seed's four general ones. Each keeps its last 50 outcomes.
//!
//! Invariants:
//! 1. Rows stand in the order of their skills, each skill once, at most [`MAX_SKILLS`].
//! 2. A confidence is in [0, 1]; nothing but calibration moves it.
//! 3. A skill with fewer than [`MIN_SAMPLES`] outcomes has no success rate, and enters no mean.

mod record;
mod skill;
mod summary;

pub use record::{MIN_SAMPLES, OUTCOMES, Record, RecordError};
pub use skill::{Domain, General, Skill};
pub use summary::MatrixSummary;

use super::calibration::{Correction, correct};
use crate::l48::scenario;
use serde::{Deserialize, Serialize};

/// Most skills of one agent.
pub const MAX_SKILLS: usize = 128;
/// Confidence without evidence: as likely as not.
pub const FIRST_CONFIDENCE: f64 = 0.5;
/// A domain whose mean confidence is below this is low in confidence (section 1.5).
pub const LOW_CONFIDENCE: f64 = 0.5;
/// Weight of the newest confidence in the one that a change is measured from: about the last 100 cycles.
const REFERENCE_RATE: f64 = 0.1;

/// What came of using a skill once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The skill that was used.
    pub skill: Skill,
    /// It did what it was used for.
    pub succeeded: bool,
    /// The cycle at which that was known.
    pub cycle: u64,
    /// The scenario that was the most probable then.
    pub scenario: scenario::Kind,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Row {
    skill: Skill,
    confidence: f64,
    record: Record,
    /// |confidence - success rate| as the last calibration found it.
    error: Option<f64>,
    /// What the confidence was lately: a change is measured from it.
    reference: f64,
    /// Overconfidence was found at this cycle and is not corrected yet.
    overconfident_since: Option<u64>,
    last_used: u64,
}

impl Row {
    fn new(skill: Skill) -> Self {
        Self {
            skill,
            confidence: FIRST_CONFIDENCE,
            record: Record::default(),
            error: None,
            reference: FIRST_CONFIDENCE,
            overconfident_since: None,
            last_used: 0,
        }
    }

    fn is_valid(&self) -> bool {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        share(self.confidence) && share(self.reference) && self.error.is_none_or(share)
    }
}

/// What is known of one skill.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Capability {
    /// Which.
    pub skill: Skill,
    /// Calibrated confidence, in [0, 1].
    pub confidence: f64,
    /// Share of successes among the last 50; `None` of fewer than 10.
    pub success_rate: Option<f64>,
    /// |confidence - success rate| before this pass's correction; `None` without a success rate.
    pub calibration_error: Option<f64>,
    /// Success rate of the newer half less that of the older half.
    pub trend: Option<f64>,
    /// Outcomes held, at most 50.
    pub outcomes: u32,
}

/// Overconfidence that is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected {
    /// Whose.
    pub skill: Skill,
    /// From its detection until the error was at most 0.10.
    pub cycles: u64,
}

/// The matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Row>", into = "Vec<Row>")]
pub struct Matrix {
    rows: Vec<Row>,
}

/// Why a stored matrix is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    /// It is too large.
    #[error("{found} skills; expected at most {MAX_SKILLS}")]
    Size {
        /// How many.
        found: usize,
    },
    /// Rows are out of order, or a skill has two.
    #[error("the skills are not in order, each once")]
    Order,
    /// A number is out of range.
    #[error("{skill} has a confidence or an error outside 0 to 1")]
    Range {
        /// Whose.
        skill: Skill,
    },
}

impl Matrix {
    /// The matrix of an agent that watches this many groups and has done nothing.
    pub fn new(groups: u16) -> Self {
        Self {
            rows: Skill::of_watcher(groups).into_iter().map(Row::new).collect(),
        }
    }

    /// Takes an outcome in. A skill that is used for the first time gets a row; where there is no room, the tool or kind
    /// of task not used for longest goes, and without one the outcome is dropped.
    pub fn note(&mut self, outcome: &Outcome) {
        let found = self.rows.binary_search_by_key(&outcome.skill, |row| row.skill);
        let index = match found {
            Ok(index) => index,
            Err(_) if self.rows.len() >= MAX_SKILLS && !self.make_room() => return,
            Err(_) => {
                let index = self.rows.partition_point(|row| row.skill < outcome.skill);
                self.rows.insert(index, Row::new(outcome.skill));
                index
            }
        };
        let row = &mut self.rows[index];
        row.record.push(outcome.succeeded);
        row.last_used = outcome.cycle;
    }

    fn make_room(&mut self) -> bool {
        let evictable = self.rows.iter().enumerate().filter(|(_, row)| row.skill.is_learnt());
        let oldest = evictable.min_by_key(|(_, row)| row.last_used).map(|(index, _)| index);
        oldest.map(|index| self.rows.remove(index)).is_some()
    }

    /// Corrects every confidence once (section 8.2), and gives the overconfidence that is over.
    pub fn calibrate(&mut self, cycle: u64) -> Vec<Corrected> {
        let mut corrected = Vec::new();
        for row in &mut self.rows {
            row.reference += REFERENCE_RATE * (row.confidence - row.reference);
            let Some(rate) = row.record.success_rate() else {
                row.error = None;
                continue;
            };
            let found = correct(row.confidence, rate);
            row.error = Some(found.error);
            row.confidence = found.confidence;
            match (found.correction, row.overconfident_since) {
                (Correction::Over, None) => row.overconfident_since = Some(cycle),
                (Correction::Over, Some(_)) | (_, None) => {}
                (_, Some(since)) => {
                    row.overconfident_since = None;
                    let cycles = cycle.saturating_sub(since);
                    corrected.push(Corrected {
                        skill: row.skill,
                        cycles,
                    });
                }
            }
        }
        corrected
    }

    /// Every skill, in order.
    pub fn capabilities(&self) -> Vec<Capability> {
        let row = |row: &Row| Capability {
            skill: row.skill,
            confidence: row.confidence,
            success_rate: row.record.success_rate(),
            calibration_error: row.error,
            trend: row.record.trend(),
            outcomes: row.record.len(),
        };
        self.rows.iter().map(row).collect()
    }

    /// Confidence in a skill; `None` of one that the agent does not have.
    pub fn confidence(&self, skill: Skill) -> Option<f64> {
        let index = self.rows.binary_search_by_key(&skill, |row| row.skill).ok()?;
        Some(self.rows[index].confidence)
    }

    /// How far each confidence has moved lately; only skills with evidence.
    pub fn changes(&self) -> Vec<(Skill, f64)> {
        let known = self.rows.iter().filter(|row| row.record.success_rate().is_some());
        known.map(|row| (row.skill, row.confidence - row.reference)).collect()
    }

    /// Mean calibrated confidence over the skills with evidence; `None` without one.
    pub fn mean_confidence(&self) -> Option<f64> {
        let known = self.rows.iter().filter(|row| row.record.success_rate().is_some());
        mean(known.map(|row| row.confidence))
    }

    /// MCE (Definition 5): mean of |confidence - success rate| over the skills with evidence, as the last calibration
    /// found them; `None` without one.
    pub fn mean_calibration_error(&self) -> Option<f64> {
        mean(self.rows.iter().filter_map(|row| row.error))
    }

    /// Domains whose mean confidence over the skills with evidence is below [`LOW_CONFIDENCE`], the lowest first.
    pub fn low_domains(&self) -> Vec<(Domain, f64)> {
        let of = |domain: Domain| {
            let known = self.rows.iter().filter(|row| row.record.success_rate().is_some());
            let mean = mean(
                known
                    .filter(|row| row.skill.domain() == domain)
                    .map(|row| row.confidence),
            );
            mean.filter(|mean| *mean < LOW_CONFIDENCE).map(|mean| (domain, mean))
        };
        let mut low: Vec<_> = Domain::ALL.into_iter().filter_map(of).collect();
        low.sort_by(|a, b| a.1.total_cmp(&b.1));
        low
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

impl TryFrom<Vec<Row>> for Matrix {
    type Error = MatrixError;

    fn try_from(rows: Vec<Row>) -> Result<Self, MatrixError> {
        if rows.len() > MAX_SKILLS {
            return Err(MatrixError::Size { found: rows.len() });
        }
        if !rows.is_sorted_by(|a, b| a.skill < b.skill) {
            return Err(MatrixError::Order);
        }
        match rows.iter().find(|row| !row.is_valid()) {
            Some(row) => Err(MatrixError::Range { skill: row.skill }),
            None => Ok(Self { rows }),
        }
    }
}

impl From<Matrix> for Vec<Row> {
    fn from(matrix: Matrix) -> Self {
        matrix.rows
    }
}

#[cfg(test)]
mod tests;
