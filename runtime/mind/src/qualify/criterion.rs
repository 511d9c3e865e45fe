//! A criterion, and how it reads.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// On which side of the target a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The target or more.
    AtLeast,
    /// The target or less.
    AtMost,
    /// Less than the target.
    Below,
}

/// What a criterion asks for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The side.
    pub bound: Bound,
    /// The number.
    pub value: f64,
    /// It must hold always: it counts 1 or 0, and 0 bars qualification.
    pub always: bool,
}

impl Target {
    /// This much or more.
    pub const fn at_least(value: f64) -> Self {
        Self {
            bound: Bound::AtLeast,
            value,
            always: false,
        }
    }

    /// This much or less.
    pub const fn at_most(value: f64) -> Self {
        Self {
            bound: Bound::AtMost,
            value,
            always: false,
        }
    }

    /// Less than this.
    pub const fn below(value: f64) -> Self {
        Self {
            bound: Bound::Below,
            value,
            always: false,
        }
    }

    /// And that always.
    pub const fn always(self) -> Self {
        Self { always: true, ..self }
    }

    /// A value meets it; one that is not a number does not.
    pub fn is_met_by(&self, value: f64) -> bool {
        match self.bound {
            Bound::AtLeast => value >= self.value,
            Bound::AtMost => value <= self.value,
            Bound::Below => value < self.value,
        }
    }

    /// clamp(achieved / target), inverted where lower is better: in [0, 1], and 1 or 0 where it must hold always.
    pub fn score(&self, value: f64) -> f64 {
        if self.always {
            return f64::from(u8::from(self.is_met_by(value)));
        }
        let (over, under) = match self.bound {
            Bound::AtLeast => (value, self.value),
            Bound::AtMost | Bound::Below => (self.value, value),
        };
        // A target of 0 or a value of 0 where lower is better: all of it.
        let part = if under > 0.0 { over / under } else { 1.0 };
        if part.is_nan() || value.is_nan() {
            0.0
        } else {
            part.clamp(0.0, 1.0)
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.bound {
            Bound::AtLeast => ">=",
            Bound::AtMost => "<=",
            Bound::Below => "<",
        };
        let always = if self.always { " always" } else { "" };
        f.pad(&format!("{sign} {}{always}", Number(self.value)))
    }
}

/// A number as short as it can be told: at most three places behind the point.
pub(super) struct Number(pub(super) f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.3}", self.0);
        let short = text.trim_end_matches('0').trim_end_matches('.');
        f.pad(if short == "-0" { "0" } else { short })
    }
}

/// What a criterion is, whatever it reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criterion {
    /// Its id: category and number.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it asks for.
    pub target: Target,
}

/// What an audit says of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is met, over a full window.
    Passed,
    /// It is not met, over a full window.
    Failed,
    /// Nothing in the window says anything of it.
    NoEvidence,
    /// The window is not full yet.
    WarmingUp {
        /// Cycles seen.
        n: u32,
        /// Cycles needed.
        of: u32,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Passed => f.pad("passed"),
            Verdict::Failed => f.pad("failed"),
            Verdict::NoEvidence => f.pad("no evidence"),
            Verdict::WarmingUp { n, of } => f.pad(&format!("warming up ({n} of {of})")),
        }
    }
}

/// A criterion with what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The criterion's id.
    pub id: Cow<'static, str>,
    /// Its name.
    pub name: Cow<'static, str>,
    /// What was found; absent without evidence.
    pub value: Option<f64>,
    /// What was asked for.
    pub target: Target,
    /// clamp(achieved / target), in [0, 1]; absent without evidence.
    pub score: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
}

impl Reading {
    /// Reads a criterion of which this was found in `n` of the `of` cycles of a window.
    pub fn new(criterion: &Criterion, value: Option<f64>, n: u32, of: u32) -> Self {
        let Criterion { id, name, target } = *criterion;
        let value = value.map(|value| super::told(value, target.worst()));
        let verdict = match value {
            _ if n < of => Verdict::WarmingUp { n, of },
            None => Verdict::NoEvidence,
            Some(value) if target.is_met_by(value) => Verdict::Passed,
            Some(_) => Verdict::Failed,
        };
        Self {
            id: Cow::Borrowed(id),
            name: Cow::Borrowed(name),
            value,
            target,
            score: value.map(|value| target.score(value)),
            verdict,
        }
    }

    /// It must hold always, and did not.
    pub fn bars(&self) -> bool {
        self.target.always && self.score == Some(0.0)
    }
}

impl Target {
    /// The value that is told for one that is not a number.
    fn worst(&self) -> f64 {
        match self.bound {
            Bound::AtLeast => -super::MAX_TOLD,
            Bound::AtMost | Bound::Below => super::MAX_TOLD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCURACY: Criterion = Criterion {
        id: "EA-1",
        name: "accuracy",
        target: Target::at_least(0.70),
    };

    #[test]
    fn at_least_and_at_most_hold_at_their_target_and_below_does_not() {
        for (target, below, at, above) in [
            (Target::at_least(0.5), false, true, true),
            (Target::at_most(0.5), true, true, false),
            (Target::below(0.5), true, false, false),
        ] {
            assert_eq!(
                [0.499, 0.5, 0.501].map(|value| target.is_met_by(value)),
                [below, at, above]
            );
            assert!(!target.is_met_by(f64::NAN));
        }
    }

    #[test]
    fn a_score_is_achieved_over_target_inverted_where_lower_is_better() {
        let at_least = Target::at_least(0.8);
        assert_eq!(
            [0.0, 0.4, 0.8, 0.9, -1.0, f64::NAN].map(|v| at_least.score(v)),
            [0.0, 0.5, 1.0, 1.0, 0.0, 0.0]
        );
        for lower in [Target::at_most(20.0), Target::below(20.0)] {
            assert_eq!(
                [0.0, 10.0, 20.0, 40.0, 80.0].map(|v| lower.score(v)),
                [1.0, 1.0, 1.0, 0.5, 0.25]
            );
            assert_eq!((lower.score(f64::NAN), lower.score(f64::INFINITY)), (0.0, 0.0));
        }
        assert_eq!(
            (Target::at_least(0.0).score(0.0), Target::at_most(0.0).score(3.0)),
            (1.0, 0.0)
        );
    }

    #[test]
    fn what_must_hold_always_counts_one_or_nothing() {
        let always = Target::below(1.0).always();
        assert_eq!(
            [0.99, 1.0, 1.01, f64::NAN].map(|value| always.score(value)),
            [1.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn a_reading_warms_up_until_the_window_is_full_and_then_passes_fails_or_has_no_evidence() {
        let verdict = |value, n| Reading::new(&ACCURACY, value, n, 3_000).verdict;
        assert_eq!(verdict(Some(0.9), 2_999), Verdict::WarmingUp { n: 2_999, of: 3_000 });
        assert_eq!(verdict(None, 0), Verdict::WarmingUp { n: 0, of: 3_000 });
        assert_eq!(verdict(Some(0.70), 3_000), Verdict::Passed);
        assert_eq!(verdict(Some(0.699), 3_000), Verdict::Failed);
        assert_eq!(verdict(None, 3_000), Verdict::NoEvidence);
    }

    #[test]
    fn a_value_that_is_not_a_number_fails_and_is_told_as_one() {
        for criterion in [
            ACCURACY,
            Criterion {
                target: Target::below(1.0),
                ..ACCURACY
            },
        ] {
            let reading = Reading::new(&criterion, Some(f64::NAN), 3_000, 3_000);
            assert_eq!(
                (reading.verdict, reading.score.map(|s| s < 1e-5)),
                (Verdict::Failed, Some(true))
            );
            assert!(reading.value.is_some_and(f64::is_finite));
        }
    }

    #[test]
    fn only_what_must_hold_always_bars_and_only_with_evidence() {
        let always = Criterion {
            target: Target::below(1.0).always(),
            ..ACCURACY
        };
        let bars = |criterion: &Criterion, value| Reading::new(criterion, value, 1, 3_000).bars();
        assert!(bars(&always, Some(1.0)) && !bars(&always, Some(0.9)) && !bars(&always, None));
        assert!(!bars(&ACCURACY, Some(0.0)));
    }

    #[test]
    fn targets_and_numbers_are_told_as_short_as_they_can_be() {
        assert_eq!(Target::at_least(0.7).to_string(), ">= 0.7");
        assert_eq!(Target::at_most(20.0).to_string(), "<= 20");
        assert_eq!(Target::below(1.0).always().to_string(), "< 1 always");
        assert_eq!(
            [0.81249, -0.0001, 100.0].map(|n| Number(n).to_string()),
            ["0.812", "0", "100"]
        );
    }
}
