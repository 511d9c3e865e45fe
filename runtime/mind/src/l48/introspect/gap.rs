//! Skill gaps: what the agent is asked for and may not be able to do (MSCP Level 4.8, Definition 10).
//!
//! The feasibility of a goal is the product of the confidence in all skills that it needs; below the threshold there is
//! a gap, and the weakest contributing skill is to be acquired first. The threshold is that of MSCP Level 4.9, section
//! 4: below 0.15 a goal is aspirational at best.

use super::capability::Skill;
use serde::{Deserialize, Serialize};

/// Feasibility below which there is a gap.
pub const FEASIBILITY_THRESHOLD: f64 = 0.15;
/// Confidence in a skill that the agent does not have.
pub const NO_SKILL: f64 = 0.0;

/// What the agent is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The goal, or the group of sensors that is to be watched.
    pub what: Demand,
    /// All skills that it needs.
    pub skills: Vec<Skill>,
}

/// Who asks for skills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// The standing duty of an agent that watches: to forecast this group.
    Watch {
        /// Which.
        group: u16,
    },
    /// A goal, by its number in the goal stack.
    Goal {
        /// Which.
        number: u64,
    },
}

/// Why there is a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Feasibility is below the threshold.
    Infeasible,
    /// The domain is unknown: confidence that was earned elsewhere says nothing.
    UnknownDomain,
}

/// A gap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// What is asked for.
    pub what: Demand,
    /// Its feasibility, in [0, 1].
    pub feasibility: f64,
    /// The skill to be acquired first; `None` of a demand without skills.
    pub weakest: Option<Skill>,
    /// Why.
    pub reason: GapReason,
}

/// SkillGap(g) (Definition 10): the product of the confidence in each required skill, 1 of none. What is not a share
/// counts as one. A gap is of skills that can be acquired; the plan, which asks whether a goal will be reached, adds how
/// likely what it is seen by comes about (`plan::feasibility`).
pub fn feasibility(confidences: impl IntoIterator<Item = f64>) -> f64 {
    confidences.into_iter().map(share).product()
}

/// The gap of a demand, if there is one. `confidence` is that of a skill, or `None` of one that the agent does not have;
/// `unknown` says that the demand's domain is unknown.
pub fn gap(demand: &Requirement, confidence: impl Fn(Skill) -> Option<f64>, unknown: bool) -> Option<Gap> {
    let of = |skill: &Skill| share(confidence(*skill).unwrap_or(NO_SKILL));
    let feasibility = feasibility(demand.skills.iter().map(of));
    let reason = match (unknown, feasibility < FEASIBILITY_THRESHOLD) {
        (true, _) => GapReason::UnknownDomain,
        (false, true) => GapReason::Infeasible,
        (false, false) => return None,
    };
    // The first of equally weak ones.
    let weakest = demand.skills.iter().min_by(|a, b| of(a).total_cmp(&of(b)));
    Some(Gap {
        what: demand.what,
        feasibility,
        weakest: weakest.copied(),
        reason,
    })
}

/// All gaps, the least feasible first.
pub fn gaps(
    demands: &[&Requirement],
    confidence: impl Fn(Skill) -> Option<f64>,
    unknown: impl Fn(Demand) -> bool,
) -> Vec<Gap> {
    let found = demands
        .iter()
        .filter_map(|demand| gap(demand, &confidence, unknown(demand.what)));
    let mut gaps: Vec<Gap> = found.collect();
    gaps.sort_by(|a, b| a.feasibility.total_cmp(&b.feasibility).then(a.what.cmp(&b.what)));
    gaps
}

fn share(value: f64) -> f64 {
    if value.is_nan() {
        NO_SKILL
    } else {
        value.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::capability::General;
    use super::*;

    const LOGIC: Skill = Skill::General(General::LogicalReasoning);
    const PLANNING: Skill = Skill::General(General::AbstractPlanning);
    const TOOL: Skill = Skill::Tool { number: 1 };

    fn demand(number: u64, skills: &[Skill]) -> Requirement {
        Requirement {
            what: Demand::Goal { number },
            skills: skills.to_vec(),
        }
    }

    /// Section 4.1: logical reasoning 0.85, abstract planning 0.65; tool 1 at `tool`.
    fn table(tool: f64) -> impl Fn(Skill) -> Option<f64> {
        move |skill| match skill {
            LOGIC => Some(0.85),
            PLANNING => Some(0.65),
            TOOL => Some(tool),
            _ => None,
        }
    }

    #[test]
    fn feasibility_is_the_product_of_the_confidence_in_all_required_skills() {
        assert!((feasibility([0.85, 0.65, 0.5]) - 0.27625).abs() < 1e-12);
        assert_eq!(feasibility([]), 1.0);
        assert_eq!(feasibility([0.5, f64::NAN]), 0.0);
    }

    #[test]
    fn a_feasibility_of_fifteen_hundredths_is_no_gap_and_less_is() {
        assert_eq!(gap(&demand(1, &[TOOL]), table(0.15), false), None);
        let found = gap(&demand(1, &[TOOL]), table(0.149), false).expect("a gap");
        assert_eq!((found.reason, found.weakest), (GapReason::Infeasible, Some(TOOL)));
    }

    #[test]
    fn the_weakest_contributing_skill_is_to_be_acquired_first() {
        // 0.85 x 0.65 x 0.2 = 0.1105.
        let found = gap(&demand(1, &[LOGIC, TOOL, PLANNING]), table(0.2), false).expect("a gap");
        assert!((found.feasibility - 0.1105).abs() < 1e-12);
        assert_eq!(found.weakest, Some(TOOL));
    }

    #[test]
    fn a_skill_that_the_agent_does_not_have_makes_a_goal_infeasible() {
        let found = gap(&demand(1, &[LOGIC, Skill::Task { number: 9 }]), table(1.0), false).expect("a gap");
        assert_eq!(
            (found.feasibility, found.weakest),
            (0.0, Some(Skill::Task { number: 9 }))
        );
    }

    #[test]
    fn a_demand_in_an_unknown_domain_is_a_gap_whatever_the_confidence() {
        let found = gap(&demand(1, &[LOGIC]), table(1.0), true).expect("a gap");
        assert_eq!((found.reason, found.feasibility), (GapReason::UnknownDomain, 0.85));
    }

    #[test]
    fn gaps_stand_with_the_least_feasible_first() {
        let demands = [demand(1, &[TOOL]), demand(2, &[TOOL, PLANNING]), demand(3, &[LOGIC])];
        let demands: Vec<&Requirement> = demands.iter().collect();
        let found = gaps(&demands, table(0.1), |_| false);
        let order: Vec<Demand> = found.iter().map(|gap| gap.what).collect();
        assert_eq!(order, [Demand::Goal { number: 2 }, Demand::Goal { number: 1 }]);
    }
}
