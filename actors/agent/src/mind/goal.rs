//! One goal that Level 4.9 thought of, with everything that was said of it.

use rungs_mind::l49::goals::{
    Criteria, Criterion, FEASIBILITY, GoalEntry, Grade, PURPOSE, RESOURCE, SPECTRAL_MARGINAL, VALUE,
};
use rungs_types::goal::GoalSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The goal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnGoal {
    /// As it was, or would have been, set.
    pub spec: GoalSpec,
    /// Where it comes from.
    pub origin: String,
    /// What was seen.
    pub signal: String,
    /// The cycle in which it was thought of.
    pub cycle: u64,
    /// The five criteria.
    pub criteria: Vec<CriterionGrade>,
    /// What follows from them.
    pub verdict: String,
    /// Its scope was reduced once, so that the resources suffice.
    pub reduced: bool,
    /// Where it stands.
    pub fate: String,
}

/// How one criterion stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CriterionGrade {
    /// Which.
    pub criterion: String,
    /// What was found.
    pub value: f64,
    /// What passes, and what fails.
    pub target: String,
    /// `pass`, `marginal` or `fail`.
    pub grade: String,
}

impl From<&GoalEntry> for OwnGoal {
    fn from(entry: &GoalEntry) -> Self {
        Self {
            spec: GoalSpec::clone(&entry.spec),
            origin: entry.origin.to_string(),
            signal: entry.signal.to_string(),
            cycle: entry.cycle,
            criteria: Criterion::ALL
                .map(|criterion| graded(&entry.criteria, criterion))
                .into(),
            verdict: entry.verdict.to_string(),
            reduced: entry.reduced,
            fate: entry.fate.to_string(),
        }
    }
}

fn graded(criteria: &Criteria, criterion: Criterion) -> CriterionGrade {
    let from = |(fails_below, passes_from): (f64, f64)| format!(">= {passes_from:.2}, fails below {fails_below:.2}");
    let (name, value, target) = match criterion {
        Criterion::Purpose => ("purpose alignment", criteria.purpose, from(PURPOSE)),
        Criterion::Value => ("value alignment", criteria.value, from(VALUE)),
        Criterion::Feasibility => ("feasibility", criteria.feasibility, from(FEASIBILITY)),
        Criterion::Resource => ("resource viability", criteria.resource, from(RESOURCE)),
        Criterion::Stability => {
            let target = format!("< {SPECTRAL_MARGINAL:.2}, fails if an invariant breaks");
            ("stability (spectral radius)", criteria.rho, target)
        }
    };
    CriterionGrade {
        criterion: name.to_owned(),
        value,
        target,
        grade: match criteria.grade(criterion) {
            Grade::Pass => "pass",
            Grade::Marginal => "marginal",
            Grade::Fail => "fail",
        }
        .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_criterion_says_its_number_its_target_and_its_grade() {
        let criteria = Criteria {
            purpose: 0.7,
            value: 0.65,
            feasibility: 0.01,
            resource: 2.0,
            rho: 0.97,
            violated: false,
        };
        let rows = Criterion::ALL.map(|criterion| graded(&criteria, criterion));
        let grades: Vec<&str> = rows.iter().map(|row| &*row.grade).collect();
        assert_eq!(grades, ["pass", "marginal", "fail", "pass", "marginal"]);
        assert_eq!(rows[1].target, ">= 0.70, fails below 0.60");
        assert_eq!(
            (rows[4].value, &*rows[4].target),
            (0.97, "< 0.95, fails if an invariant breaks")
        );
    }
}
