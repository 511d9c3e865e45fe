//! What a snapshot keeps of the matrix: the skills that were used.

use super::{MAX_SKILLS, Matrix, OUTCOMES, Record, Row, Skill};
use crate::l48::introspect::summary::half::Share;
use crate::numeric::condense::Refused;
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixSummary(Vec<KeptRow>);

/// One skill.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct KeptRow {
    skill: Skill,
    confidence: Share,
    outcomes: u8,
    /// Successes of the newer half, and of the rest.
    successes: [u8; 2],
    overconfident_since: Option<u64>,
}

impl Matrix {
    /// What a snapshot keeps of it.
    pub fn summary(&self) -> MatrixSummary {
        let used = self.rows.iter().filter(|row| !row.record.is_empty());
        let kept = used.map(|row| KeptRow {
            skill: row.skill,
            confidence: Share::of(row.confidence),
            outcomes: row.record.len() as u8,
            successes: row.record.successes_by_half(),
            overconfident_since: row.overconfident_since,
        });
        MatrixSummary(kept.collect())
    }

    /// The matrix that goes on from a summary, of an agent that watches this many groups.
    pub fn from_summary(summary: &MatrixSummary, groups: u16) -> Result<Self, Refused> {
        if summary.0.len() > MAX_SKILLS {
            return Err(Refused("the number of skills"));
        }
        let mut matrix = Self::new(groups);
        for kept in &summary.0 {
            let confidence = kept.confidence.get();
            let record = Record::of_halves(u32::from(kept.outcomes), kept.successes);
            let Some(record) = record else {
                return Err(Refused("a skill's outcomes"));
            };
            let row = Row {
                confidence,
                reference: confidence,
                record,
                overconfident_since: kept.overconfident_since,
                ..Row::new(kept.skill)
            };
            match matrix.rows.binary_search_by_key(&kept.skill, |row| row.skill) {
                Ok(index) => matrix.rows[index] = row,
                Err(index) if kept.skill.is_learnt() && matrix.rows.len() < MAX_SKILLS => {
                    matrix.rows.insert(index, row)
                }
                Err(_) => return Err(Refused("a skill")),
            }
        }
        Ok(matrix)
    }
}

impl Record {
    /// Successes of the newer half, and of the rest.
    fn successes_by_half(&self) -> [u8; 2] {
        let half = self.len() / 2;
        let newer = (self.bits() & ((1 << half) - 1)).count_ones();
        [newer as u8, (self.bits().count_ones() - newer) as u8]
    }

    /// A record with these successes in its newer half and in the rest; `None` where they do not fit.
    fn of_halves(len: u32, [newer, older]: [u8; 2]) -> Option<Self> {
        let half = len / 2;
        let (newer, older) = (u32::from(newer), u32::from(older));
        if len > OUTCOMES || newer > half || older > len - half {
            return None;
        }
        // The oldest are the highest bits.
        let ones = |count: u32| (1_u64 << count) - 1;
        let bits = ones(newer) | ones(older) << (len - older);
        Self::try_from((bits, len as u8)).ok()
    }
}
