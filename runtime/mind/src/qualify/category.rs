//! A category of criteria, and what it comes to.

use super::criterion::Reading;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How a category stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It has a score.
    Scored,
    /// Nothing in it has evidence: it fails.
    NoEvidence,
    /// It is left out, and its weight goes to the others.
    LeftOut,
}

/// A category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Category {
    /// Its short name, with which the ids of its criteria begin.
    pub id: Cow<'static, str>,
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its weight in the level's score.
    pub weight: f64,
    /// What it comes to, in [0, 1]; 0 if it fails or is left out.
    pub score: f64,
    /// How it stands.
    pub standing: Standing,
}

/// What a category is, whatever it comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kind {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) weight: f64,
}

impl Kind {
    /// The category with these criteria: the mean of the scores of those that have evidence.
    pub(super) fn of(&self, readings: &[Reading]) -> Category {
        let known = readings.iter().filter_map(|reading| reading.score);
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), score| (sum + score, count + 1.0));
        self.scored(super::ratio(sum, count))
    }

    /// The category with this score; `None` without evidence.
    pub(super) fn scored(&self, score: Option<f64>) -> Category {
        let standing = match score {
            Some(_) => Standing::Scored,
            None => Standing::NoEvidence,
        };
        self.standing(score.unwrap_or(0.0), standing)
    }

    /// The category left out.
    pub(super) fn left_out(&self) -> Category {
        self.standing(0.0, Standing::LeftOut)
    }

    fn standing(&self, score: f64, standing: Standing) -> Category {
        Category {
            id: Cow::Borrowed(self.id),
            name: Cow::Borrowed(self.name),
            weight: self.weight,
            score,
            standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::criterion::{Criterion, Target};
    use super::*;

    const KIND: Kind = Kind {
        id: "EA",
        name: "environmental awareness",
        weight: 0.25,
    };

    fn reading(value: Option<f64>) -> Reading {
        let criterion = Criterion {
            id: "EA-1",
            name: "accuracy",
            target: Target::at_least(0.8),
        };
        Reading::new(&criterion, value, 3_000, 3_000)
    }

    #[test]
    fn the_weight_of_what_has_no_evidence_goes_to_the_others_of_its_category() {
        let category = KIND.of(&[reading(Some(0.4)), reading(None), reading(Some(0.9))]);
        assert_eq!((category.score, category.standing), (0.75, Standing::Scored));
    }

    #[test]
    fn a_category_without_any_evidence_fails() {
        let category = KIND.of(&[reading(None), reading(None)]);
        assert_eq!((category.score, category.standing), (0.0, Standing::NoEvidence));
    }
}
