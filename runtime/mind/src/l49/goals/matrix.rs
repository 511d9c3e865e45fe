//! The validation filter: five criteria, each pass, marginal or fail, and what follows (MSCP Level 4.9, sections 3.3 and
//! 9.2).

use super::signal::GoalOrigin;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Purpose alignment: fails below the first, passes from the second.
pub const PURPOSE: (f64, f64) = (0.50, 0.60);
/// Value alignment: likewise.
pub const VALUE: (f64, f64) = (0.60, 0.70);
/// Feasibility: likewise.
pub const FEASIBILITY: (f64, f64) = (0.05, 0.15);
/// Resource viability, runway by estimated duration: likewise.
pub const RESOURCE: (f64, f64) = (1.0, 1.5);
/// Spectral radius from which the stability simulation is marginal; from 1.0 an invariant is violated.
pub const SPECTRAL_MARGINAL: f64 = 0.95;
/// What is left of the budget of a goal whose scope is reduced.
pub const SCOPE_FACTOR: f64 = 0.67;
/// Cycles of the stability simulation (criterion 5).
pub const STABILITY_CYCLES: u32 = 100;
/// Cycles of the Lookahead that decides on a sandboxed goal.
pub const SANDBOX_CYCLES: u32 = 200;

/// One of the five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criterion {
    /// 1: cosine of its intent with the purpose.
    Purpose,
    /// 2: how little it would move the values.
    Value,
    /// 3: product of the confidences of the skills that it needs.
    Feasibility,
    /// 4: runway by its estimated duration.
    Resource,
    /// 5: what 100 cycles with it do.
    Stability,
}

impl Criterion {
    /// All five, in the order of section 3.3.
    pub const ALL: [Criterion; 5] = [
        Criterion::Purpose,
        Criterion::Value,
        Criterion::Feasibility,
        Criterion::Resource,
        Criterion::Stability,
    ];
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Criterion::Purpose => "purpose_misaligned",
            Criterion::Value => "value_misaligned",
            Criterion::Feasibility => "infeasible",
            Criterion::Resource => "insufficient_resources",
            Criterion::Stability => "stability_risk",
        })
    }
}

/// How a criterion stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// It passes.
    Pass,
    /// Nearly.
    Marginal,
    /// It fails.
    Fail,
}

/// The five numbers of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Criteria {
    /// Purpose alignment, in [0, 1].
    pub purpose: f64,
    /// Value alignment, in [0, 1].
    pub value: f64,
    /// Feasibility, in [0, 1].
    pub feasibility: f64,
    /// Resource viability, at least 0.
    pub resource: f64,
    /// Largest spectral radius of the simulation.
    pub rho: f64,
    /// An invariant was violated in the simulation, or it could not be made.
    pub violated: bool,
}

impl Criteria {
    /// How a criterion stands. NaN fails.
    pub fn grade(&self, criterion: Criterion) -> Grade {
        let (found, (fails_below, passes_from)) = match criterion {
            Criterion::Purpose => (self.purpose, PURPOSE),
            Criterion::Value => (self.value, VALUE),
            Criterion::Feasibility => (self.feasibility, FEASIBILITY),
            Criterion::Resource => (self.resource, RESOURCE),
            Criterion::Stability => return self.stability(),
        };
        if found >= passes_from {
            Grade::Pass
        } else if found >= fails_below {
            Grade::Marginal
        } else {
            Grade::Fail
        }
    }

    fn stability(&self) -> Grade {
        if self.violated || self.rho.is_nan() {
            Grade::Fail
        } else if self.rho >= SPECTRAL_MARGINAL {
            Grade::Marginal
        } else {
            Grade::Pass
        }
    }

    /// The combined decision: any fail rejects, the first one is named; feasibility alone marginal is aspirational; any
    /// other marginal goes to the sandbox. A marginal resource is first a matter of scope: see [`Criteria::wants_less`].
    pub fn verdict(&self) -> Verdict {
        let with = |grade: Grade| self.with(grade);
        if let Some(failed) = with(Grade::Fail).next() {
            return Verdict::Rejected(failed);
        }
        match with(Grade::Marginal).collect::<Vec<_>>()[..] {
            [] => Verdict::Approved,
            [Criterion::Feasibility] => Verdict::Aspirational,
            ref marginal => Verdict::Sandboxed {
                marginal: marginal.len() as u8,
            },
        }
    }

    /// The criteria that stand so, in their order.
    pub fn with(&self, grade: Grade) -> impl Iterator<Item = Criterion> + '_ {
        Criterion::ALL.into_iter().filter(move |c| self.grade(*c) == grade)
    }

    /// The resource is marginal and nothing fails: with less scope it might pass.
    pub fn wants_less(&self) -> bool {
        let fails = Criterion::ALL
            .into_iter()
            .any(|criterion| self.grade(criterion) == Grade::Fail);
        !fails && self.grade(Criterion::Resource) == Grade::Marginal
    }

    /// The numbers with what is not finite made so, for whoever reads them: NaN and what is below 0 as 0.
    pub(super) fn finite(self) -> Self {
        let finite = |value: f64| if value.is_nan() { 0.0 } else { value.clamp(0.0, 1e6) };
        Self {
            purpose: finite(self.purpose),
            value: finite(self.value),
            feasibility: finite(self.feasibility),
            resource: finite(self.resource),
            rho: finite(self.rho),
            violated: self.violated || self.rho.is_nan(),
        }
    }
}

/// What becomes of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All five pass.
    Approved,
    /// Only feasibility is marginal: approved, at low priority.
    Aspirational,
    /// It waits for its 200 cycles of Lookahead.
    Sandboxed {
        /// Criteria that are marginal.
        marginal: u8,
    },
    /// It was marginal, and 200 cycles of Lookahead found nothing wrong with it: approved.
    Tried {
        /// Criteria that are marginal.
        marginal: u8,
    },
    /// One fails.
    Rejected(Criterion),
    /// It would have been sandboxed, and the sandbox is full.
    SandboxFull,
    /// It was reached while it waited in the sandbox.
    Overtaken,
}

impl Verdict {
    /// It may be proposed to phase 5.
    pub fn is_approved(self) -> bool {
        matches!(self, Verdict::Approved | Verdict::Aspirational | Verdict::Tried { .. })
    }
}

fn counted(criteria: u8) -> String {
    match criteria {
        1 => "1 criterion".to_owned(),
        more => format!("{more} criteria"),
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Approved => f.write_str("approved"),
            Verdict::Aspirational => f.write_str("approved: aspirational"),
            Verdict::Tried { marginal } => {
                write!(
                    f,
                    "approved: marginal on {}, and sound in the sandbox",
                    counted(*marginal)
                )
            }
            Verdict::Sandboxed { marginal } => write!(f, "sandboxed: marginal on {}", counted(*marginal)),
            Verdict::Rejected(criterion) => write!(f, "rejected: {criterion}"),
            Verdict::Overtaken => f.write_str("rejected: reached while it was in the sandbox"),
            Verdict::SandboxFull => f.write_str("rejected: the sandbox is full"),
        }
    }
}

/// The number of an origin as a decision of phase 5 knows it.
pub(super) fn subject(origin: GoalOrigin) -> u64 {
    origin.index() as u64
}
