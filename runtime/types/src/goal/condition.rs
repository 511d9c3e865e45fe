//! What is observed, and what is asked of it. Flat on purpose: a stored or received condition cannot be nested so
//! deeply that reading it exhausts the stack.

use super::expect;
use crate::spec::SpecError;
use serde::{Deserialize, Serialize};

/// Most conditions in one list.
pub const MAX_CONDITIONS: usize = 16;
/// Largest magnitude of a value that something is compared with.
const MAX_MAGNITUDE: f64 = 1e15;

/// A quantity that is observed or measured, never one that the agent sets itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// The last observed value of a dimension, in the environment's units.
    Dimension(u16),
    /// How uncertain the agent is of a dimension: posterior variance over long-run variance.
    Variance(u16),
    /// Environmental uncertainty (MSCP Level 4.8, Definition 2).
    Eu,
    /// Risk exposure (Definition 3).
    Res,
    /// Runway in cycles (Definition 4).
    Rdf,
    /// The self-evolution objective of L4.5.
    Seof,
    /// Identity integrity.
    Iis,
    /// The complexity index of L4.5.
    CL4,
    /// The uncertainty index of L4.5.
    Uncertainty,
}

impl Quantity {
    /// The dimension that it is of, if it is of one.
    pub fn dimension(self) -> Option<u16> {
        match self {
            Quantity::Dimension(dimension) | Quantity::Variance(dimension) => Some(dimension),
            _ => None,
        }
    }
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Less than.
    Below,
    /// Less than or equal.
    AtMost,
    /// Greater than or equal.
    AtLeast,
    /// Greater than.
    Above,
}

/// One comparison of a quantity with a value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Of what.
    pub of: Quantity,
    /// How it must compare.
    pub is: Comparison,
    /// With what, at most 1e15 in magnitude.
    pub value: f64,
}

impl Condition {
    /// Whether it holds of a measured value; `None` if there is none, or it is not a number.
    pub fn holds(&self, measured: Option<f64>) -> Option<bool> {
        let measured = measured.filter(|measured| !measured.is_nan())?;
        Some(match self.is {
            Comparison::Below => measured < self.value,
            Comparison::AtMost => measured <= self.value,
            Comparison::AtLeast => measured >= self.value,
            Comparison::Above => measured > self.value,
        })
    }

    fn validate(&self, field: &'static str) -> Result<(), SpecError> {
        let fits = self.value.abs() <= MAX_MAGNITUDE;
        expect(fits, field, &self.value, "at most 1e15 in magnitude")
    }
}

/// When a goal is reached: all of the one list hold, and one of the other if it has any.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Success {
    /// All of these, at most 16.
    #[serde(default)]
    pub all: Vec<Condition>,
    /// And one of these, at most 16.
    #[serde(default)]
    pub any: Vec<Condition>,
}

impl Success {
    /// All conditions.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.all.iter().chain(&self.any)
    }

    /// Whether it holds, given what was measured; `None` where a value is missing and the others do not decide it.
    pub fn holds(&self, measured: impl Fn(Quantity) -> Option<f64>) -> Option<bool> {
        let one = |condition: &Condition| condition.holds(measured(condition.of));
        let all = all_hold(self.all.iter().map(&one));
        // Some of them hold unless all fail to.
        let any = all_hold(self.any.iter().map(|c| one(c).map(|holds| !holds))).map(|none| !none);
        if self.any.is_empty() {
            all
        } else {
            all_hold([all, any].into_iter())
        }
    }

    pub(super) fn validate(&self) -> Result<(), SpecError> {
        let some = !(self.all.is_empty() && self.any.is_empty());
        expect(some, "goal.success", &"empty", "at least one condition")?;
        validate_list(&self.all, "goal.success.all")?;
        validate_list(&self.any, "goal.success.any")
    }
}

/// False if one is false, unknown if one is unknown, else true (Kleene).
pub(super) fn all_hold(mut each: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    each.try_fold(Some(true), |all, one| match one {
        Some(false) => Err(()),
        None => Ok(None),
        Some(true) => Ok(all),
    })
    .unwrap_or(Some(false))
}

pub(super) fn validate_list(conditions: &[Condition], field: &'static str) -> Result<(), SpecError> {
    let count = conditions.len();
    expect(count <= MAX_CONDITIONS, field, &count, "at most 16 conditions")?;
    conditions.iter().try_for_each(|condition| condition.validate(field))
}
