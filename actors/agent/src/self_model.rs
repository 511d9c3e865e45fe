//! What an agent knows of itself, as people and programs read it: Level 4.8's self-model with names for groups.

use rungs_mind::l48::IntrospectOutput;
use rungs_mind::l48::introspect::capability::Skill;
use rungs_mind::l48::introspect::gap::{Demand, GapReason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the agent can do, what it does not know, and what it lacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SelfModel {
    /// The last cycle it covers.
    pub cycle: u64,
    /// Mean calibrated confidence over the skills with evidence; absent without one.
    pub confidence: Option<f64>,
    /// Mean calibration error (MSCP Level 4.8, Definition 5); absent without evidence.
    pub mce: Option<f64>,
    /// What it is to be below.
    pub mce_target: f64,
    /// Every skill.
    pub skills: Vec<SkillRow>,
    /// The groups of sensors whose domain is unknown now.
    pub unknown_groups: Vec<String>,
    /// Domains that were registered as unknown since the start.
    pub unknown_registered: u64,
    /// What is asked for and may not be done, in one line each, the least feasible first.
    pub gaps: Vec<String>,
    /// What consistently fails in which scenario, in one line each, the worst first.
    pub weaknesses: Vec<String>,
}

/// One skill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SkillRow {
    /// Its name.
    pub skill: String,
    /// What it is about.
    pub domain: String,
    /// Calibrated confidence, in [0, 1].
    pub confidence: f64,
    /// Share of successes among the last 50 outcomes; absent of fewer than 10.
    pub success_rate: Option<f64>,
    /// |confidence - success rate|; absent of fewer than 10 outcomes.
    pub calibration_error: Option<f64>,
    /// Success rate of the newer half less that of the older half.
    pub trend: Option<f64>,
    /// Outcomes held, at most 50.
    pub outcomes: u32,
    /// Its domain is unknown now: the confidence was earned elsewhere.
    pub unknown: bool,
}

impl SelfModel {
    /// The model with these names of groups.
    pub(crate) fn named(output: &IntrospectOutput, groups: &[String]) -> Self {
        let group_name = |group: u16| match groups.get(usize::from(group)) {
            Some(name) => name.clone(),
            None => format!("group {group}"),
        };
        let skill_name = |skill: Skill| match skill {
            Skill::Forecast { group } => format!("forecast {}", group_name(group)),
            skill => skill.to_string(),
        };
        let is_unknown = |skill: Skill| match skill {
            Skill::Forecast { group } => output.unknown.iter().any(|unknown| unknown.group == group),
            _ => false,
        };
        let skills = output.capabilities.iter().map(|capability| SkillRow {
            skill: skill_name(capability.skill),
            domain: capability.skill.domain().to_string(),
            confidence: capability.confidence,
            success_rate: capability.success_rate,
            calibration_error: capability.calibration_error,
            trend: capability.trend,
            outcomes: capability.outcomes,
            unknown: is_unknown(capability.skill),
        });
        let gaps = output.gaps.iter().map(|gap| {
            let what = match gap.what {
                Demand::Watch { group } => format!("watching {}", group_name(group)),
                Demand::Goal { number } => format!("goal {number}"),
            };
            let reason = match gap.reason {
                GapReason::Infeasible => "not feasible",
                GapReason::UnknownDomain => "unknown domain",
            };
            let weakest = gap
                .weakest
                .map_or_else(String::new, |skill| format!(", weakest {}", skill_name(skill)));
            format!("{what}: {reason} ({:.2}{weakest})", gap.feasibility)
        });
        let weaknesses = output.weaknesses.iter().map(|weakness| {
            let (skill, percent) = (skill_name(weakness.skill), 100.0 * weakness.failure_rate);
            format!(
                "{skill} in {}: {percent:.0} % of {} fail",
                weakness.scenario, weakness.outcomes
            )
        });
        Self {
            cycle: output.cycle,
            confidence: output.confidence,
            mce: output.mce,
            mce_target: output.mce_target,
            skills: skills.collect(),
            unknown_groups: output.unknown.iter().map(|unknown| group_name(unknown.group)).collect(),
            unknown_registered: output.unknown_registered,
            gaps: gaps.collect(),
            weaknesses: weaknesses.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_mind::l48::introspect::gap::Gap;
    use rungs_mind::l48::introspect::unknown::{Fate, UnknownDomain};
    use rungs_mind::l48::introspect::weakness::Weakness;
    use rungs_mind::l48::scenario::Kind;

    #[test]
    fn skills_gaps_and_weaknesses_have_the_names_of_their_groups() {
        let skill = Skill::Forecast { group: 1 };
        let output = IntrospectOutput {
            gaps: vec![Gap {
                what: Demand::Watch { group: 1 },
                feasibility: 0.1,
                weakest: Some(skill),
                reason: GapReason::UnknownDomain,
            }],
            weaknesses: vec![Weakness {
                skill,
                scenario: Kind::Disruption,
                failure_rate: 0.875,
                outcomes: 16,
                last_seen: 10,
            }],
            unknown: vec![UnknownDomain {
                number: 1,
                group: 1,
                since: 10,
                criteria: [true, false, false, true],
                fate: Fate::Open,
            }],
            ..IntrospectOutput::default()
        };
        let model = SelfModel::named(&output, &["cpu".to_owned(), "disk".to_owned()]);
        assert_eq!(model.unknown_groups, ["disk"]);
        assert_eq!(
            model.gaps,
            ["watching disk: unknown domain (0.10, weakest forecast disk)"]
        );
        assert_eq!(model.weaknesses, ["forecast disk in disruption: 88 % of 16 fail"]);
        let unnamed = SelfModel::named(&output, &[]);
        assert_eq!(unnamed.unknown_groups, ["group 1"]);
    }
}
