//! Goals of the kernel's table as the goal stack and the Lookahead see them.

use super::goal_stack::Sighted;
use super::reward::{evr, horizon_steps};
use crate::goals::{GoalRecord, GoalState, TaskState};
use crate::l48::IntrospectOutput;
use crate::l48::introspect::attain::Attainment;
use crate::l48::introspect::capability::Skill;
use crate::l48::introspect::gap::{Demand, Requirement};
use crate::l48::observe::domain_of;
use crate::lookahead::{Goal, MAX_RESOURCES};
use crate::report::Resource;
use rungs_types::SkillName;
use rungs_types::goal::{GoalSpec, Origin, TaskAction, TaskSpec};

/// The purpose of an agent that has none of its own: the weights of MSCP Level 4.9, section 4.1.
pub const PURPOSE: [f64; 7] = [0.20, 0.20, 0.20, 0.15, 0.10, 0.10, 0.05];
/// Confidence in a skill of which nothing is known.
const UNKNOWN_CONFIDENCE: f64 = 0.5;
/// What tasks act on beside groups, as targets.
const PERIOD_TARGET: u32 = 1 << 16;
const INCIDENT_TARGET: u32 = PERIOD_TARGET + 1;
const KNOB_TARGETS: u32 = PERIOD_TARGET + 2;

/// What is known of skills.
pub trait SkillSight {
    /// Calibrated confidence, in [0, 1]; `None` for a skill that is not known.
    fn confidence(&self, skill: &SkillName) -> Option<f64>;

    /// How likely what the goal is seen by comes about, in [0, 1]; `None` while nothing is known of it.
    fn attainment(&self, _: &GoalSpec) -> Option<f64> {
        None
    }
}

impl<F: Fn(&SkillName) -> Option<f64>> SkillSight for F {
    fn confidence(&self, skill: &SkillName) -> Option<f64> {
        self(skill)
    }
}

impl SkillSight for IntrospectOutput {
    fn confidence(&self, skill: &SkillName) -> Option<f64> {
        let skill = Skill::named(skill)?;
        let known = self.capabilities.iter().find(|capability| capability.skill == skill);
        known.map(|capability| capability.confidence)
    }
}

/// Phase 2's picture of the agent: its skills, and what it can bring about.
#[derive(Debug, Clone, Copy)]
pub struct SelfSight<'a> {
    /// The skills.
    pub output: &'a IntrospectOutput,
    /// What can be brought about.
    pub attainment: &'a Attainment,
}

impl SkillSight for SelfSight<'_> {
    fn confidence(&self, skill: &SkillName) -> Option<f64> {
        self.output.confidence(skill)
    }

    fn attainment(&self, spec: &GoalSpec) -> Option<f64> {
        self.attainment.chance(spec)
    }
}

/// What the open goals ask of the agent: those of their skills that are skills of its.
pub(in crate::l48) fn demands(goals: &[GoalRecord]) -> Vec<Requirement> {
    let each = goals.iter().map(|record| Requirement {
        what: Demand::Goal { number: record.number },
        skills: record.spec.skills.iter().filter_map(Skill::named).collect(),
    });
    each.collect()
}

/// SkillGap(g): the product of the confidences of the skills that it needs (Definition 10); 1 without any. Among them is,
/// unnamed, that of bringing about what the goal is seen by.
pub fn feasibility(spec: &GoalSpec, skills: &dyn SkillSight) -> f64 {
    let each = spec
        .skills
        .iter()
        .map(|skill| skills.confidence(skill).unwrap_or(UNKNOWN_CONFIDENCE));
    let each = each.chain(skills.attainment(spec));
    each.map(|c| if c.is_nan() { 0.0 } else { c.clamp(0.0, 1.0) }).product()
}

/// Cosine of what the goal serves with the purpose, in [0, 1]; 1 for a goal that says nothing of it, and 0 if the purpose
/// is none.
pub(super) fn alignment(spec: &GoalSpec, purpose: &[f64; 7]) -> f64 {
    if spec.weights.is_empty() {
        return 1.0;
    }
    let (mut dot, mut own, mut other) = (0.0, 0.0, 0.0);
    for (index, purpose) in purpose.iter().enumerate() {
        let mut weights = spec.weights.iter();
        let weight = weights
            .find(|(value, _)| value.index() == index)
            .map_or(0.0, |(_, weight)| *weight);
        dot += weight * purpose;
        own += weight * weight;
        other += purpose * purpose;
    }
    let cosine = dot / (own * other).sqrt();
    if cosine.is_finite() {
        cosine.clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// A goal as the stack sees it at `cycle`.
pub(super) fn sight(
    record: &GoalRecord,
    cycle: u64,
    resilience: f64,
    skills: &dyn SkillSight,
    purpose: &[f64; 7],
) -> Sighted {
    let spec = &record.spec;
    let age = cycle.saturating_sub(record.approved_at.unwrap_or(record.set_at));
    let urgency = spec
        .deadline_cycles
        .map_or(0.0, |deadline| age as f64 / deadline as f64);
    Sighted {
        goal: spec.goal.clone(),
        tier: spec.tier,
        assigned: spec.origin == Origin::User,
        active: record.state == GoalState::Active,
        feasibility: feasibility(spec, skills),
        resilience,
        evr: evr(&spec.reward, horizon_steps(spec.tier)),
        urgency: urgency.min(1.0),
        alignment: alignment(spec, purpose),
        after: spec
            .after
            .iter()
            .enumerate()
            .filter(|(index, _)| record.met & (1 << index) == 0)
            .map(|(_, before)| before.clone())
            .collect(),
        targets: targets(&spec.tasks),
        idle_cycles: cycle.saturating_sub(record.progressed_at),
        blocked: is_blocked(record),
    }
}

/// It waits, a task is under way, or one that could start waits for its conditions.
fn is_blocked(record: &GoalRecord) -> bool {
    let waits = |(spec, task): (&TaskSpec, &crate::goals::TaskRecord)| match task.state {
        TaskState::InFlight { .. } => true,
        TaskState::Waiting => task.ready_at.is_some() && !spec.when.is_empty(),
        _ => false,
    };
    record.state != GoalState::Active || record.spec.tasks.iter().zip(&record.tasks).any(waits)
}

/// What tasks act on, each once, in rising order.
fn targets(tasks: &[TaskSpec]) -> Vec<u32> {
    let mut targets: Vec<u32> = tasks
        .iter()
        .map(|task| match task.does {
            TaskAction::SampleFaster { group }
            | TaskAction::SampleSlower { group }
            | TaskAction::SwitchForecaster { group, .. }
            | TaskAction::AskPeer { group } => u32::from(group),
            // There is one incident at a time, whatever it is about.
            TaskAction::RaiseIncident { .. } | TaskAction::ClearIncident => INCIDENT_TARGET,
            TaskAction::ChangePeriod { .. } => PERIOD_TARGET,
            TaskAction::Turn(setting) => KNOB_TARGETS + setting.knob.index() as u32,
        })
        .collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// A goal as a Lookahead takes it: its progress goes on as fast as it did, or, before the first, as fast as its tier looks
/// ahead; it uses of each resource its share of what the agent uses.
pub(crate) fn ahead(record: &GoalRecord, cycle: u64, resources: &[Resource], depends_on: u8) -> Goal {
    let progress = record.progress();
    let age = cycle.saturating_sub(record.approved_at.unwrap_or(cycle)).max(1) as f64;
    let usual = 1.0 / f64::from(record.spec.tier.horizon_cycles());
    let rate = if progress > 0.0 { progress / age } else { usual };
    let cost = |index: usize| {
        let used = resources
            .get(index)
            .map_or(0.0, |resource| resource.consumption_per_cycle);
        if used.is_finite() {
            record.spec.budget.share * used.max(0.0)
        } else {
            0.0
        }
    };
    let group = record.spec.tasks.iter().find_map(|task| task.does.group());
    Goal {
        progress,
        rate_per_cycle: rate.min(1.0),
        cost_per_cycle: std::array::from_fn::<f64, MAX_RESOURCES, _>(cost),
        domain: group.map_or(0, domain_of),
        depends_on,
    }
}

/// A bit for each goal among `taken` that must be complete before; one outside of it counts as the goal itself, so that
/// nothing moves that waits for what is not looked at.
pub(crate) fn waits_for(record: &GoalRecord, taken: &[GoalRecord]) -> u8 {
    let itself = taken.iter().position(|other| other.spec.goal == record.spec.goal);
    let unmet = record
        .spec
        .after
        .iter()
        .enumerate()
        .filter(|(index, _)| record.met & (1 << index) == 0);
    unmet.fold(0, |bits, (_, before)| {
        let place = taken.iter().position(|other| other.spec.goal == *before);
        bits | place.or(itself).map_or(0, |index| 1 << index)
    })
}
