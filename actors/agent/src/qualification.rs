//! How a level stands in its audit, as people and programs read it.

use rungs_mind::qualify::{Category, Reading, Report, Standing, Verdict};
use rungs_types::Level;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A level's audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Qualification {
    /// Of which level.
    pub level: Level,
    /// The last cycle it covers.
    pub cycle: u64,
    /// The level qualifies.
    pub qualified: bool,
    /// The name of its score: SMS or AMS.
    pub score_name: String,
    /// The score, in [0, 1].
    pub score: f64,
    /// The score from which the level qualifies.
    pub needed: f64,
    /// Why it does not; empty if it does.
    pub reasons: Vec<String>,
    /// What else is to be known.
    pub notes: Vec<String>,
    /// The categories.
    pub categories: Vec<CategoryRow>,
    /// The criteria.
    pub criteria: Vec<CriterionRow>,
}

/// A category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CategoryRow {
    /// Its short name, with which the ids of its criteria begin.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its weight in the score.
    pub weight: f64,
    /// What it comes to, in [0, 1]; absent without evidence, and if it is left out.
    pub score: Option<f64>,
    /// It is left out, and its weight goes to the others.
    pub left_out: bool,
}

/// A criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CriterionRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What was found; absent without evidence.
    pub value: Option<f64>,
    /// What was asked for, such as `>= 0.7`.
    pub target: String,
    /// How near the value is to the target, in [0, 1]; absent without evidence.
    pub score: Option<f64>,
    /// What follows.
    pub verdict: Finding,
    /// What follows, in words: with how much of the window there is while it fills.
    pub state: String,
}

/// What follows for a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It is met.
    Passed,
    /// It is not met.
    Failed,
    /// Nothing says anything of it.
    NoEvidence,
    /// The window is not full yet.
    WarmingUp,
}

impl From<&Report> for Qualification {
    fn from(report: &Report) -> Self {
        Self {
            level: report.level,
            cycle: report.cycle,
            qualified: report.qualified,
            score_name: report.score_name.to_string(),
            score: report.score,
            needed: report.needed,
            reasons: report.reasons.clone(),
            notes: report.notes.clone(),
            categories: report.categories.iter().map(CategoryRow::from).collect(),
            criteria: report.readings.iter().map(CriterionRow::from).collect(),
        }
    }
}

impl From<&Category> for CategoryRow {
    fn from(category: &Category) -> Self {
        Self {
            id: category.id.to_string(),
            name: category.name.to_string(),
            weight: category.weight,
            score: (category.standing == Standing::Scored).then_some(category.score),
            left_out: category.standing == Standing::LeftOut,
        }
    }
}

impl From<&Reading> for CriterionRow {
    fn from(reading: &Reading) -> Self {
        Self {
            id: reading.id.to_string(),
            name: reading.name.to_string(),
            value: reading.value,
            target: reading.target.to_string(),
            score: reading.score,
            verdict: match reading.verdict {
                Verdict::Passed => Finding::Passed,
                Verdict::Failed => Finding::Failed,
                Verdict::NoEvidence => Finding::NoEvidence,
                Verdict::WarmingUp { .. } => Finding::WarmingUp,
            },
            state: reading.verdict.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_mind::qualify::Audit49;

    #[test]
    fn a_report_reads_the_same_to_programs_and_what_is_not_known_is_absent() {
        let qualification = Qualification::from(&Audit49::default().report());
        assert_eq!((qualification.level, &*qualification.score_name), (Level::L49, "AMS"));
        assert_eq!((qualification.categories.len(), qualification.criteria.len()), (5, 20));
        assert!(qualification.categories.iter().all(|category| category.score.is_none()));
        assert_eq!(
            qualification
                .categories
                .iter()
                .filter(|category| category.left_out)
                .count(),
            1
        );
        let first = &qualification.criteria[0];
        assert_eq!((first.value, first.verdict), (None, Finding::WarmingUp));
        assert_eq!((&*first.target, &*first.state), (">= 5", "warming up (0 of 3000)"));
    }
}
