//! From a signal to a goal that the kernel's executor can carry out (MSCP Level 4.9, section 3.2, "synthesize goal").
//!
//! A recipe for each value dimension, shortage and skill says what is done and by what it is to be seen that it helped:
//! the first quantity of its list that is worse than usual, and has been better for as long as it must be. So the success of
//! a goal never holds when it is set, it is one that can be reached, and no goal is made where nothing could tell whether it
//! was.

use super::detect::group_variances;
use super::signal::Signal;
use crate::goals::{SETTLE_CYCLES, action_of};
use crate::l3::ActionKind;
use crate::l48::introspect::attain::SAMPLE_CYCLES;
use crate::l48::introspect::capability::{General, Skill};
use crate::l49::ahead::scaled;
use crate::l49::below::Below;
use crate::l49::resources::ResourceKind;
use crate::l49::values::{DIMENSIONS, ValueDimension};
use crate::lookahead::Trajectories;
use rungs_types::goal::{
    Comparison, Condition, GoalBudget, GoalSpec, Knob, KnobSetting, MAX_INTENT_BYTES, Origin, PeriodStep, Quantity,
    Reward, Speaker, Success, TaskAction, TaskSpec,
};
use rungs_types::{Authority, GoalId, SkillName, TaskName, Tier};
use std::collections::BTreeMap;

/// By how much a quantity is to get better at least, as a share of itself.
pub const IMPROVEMENT: f64 = 0.10;
/// By how many of its standard deviations it must be worse than what it usually keeps to.
const NOTICEABLE_SD: f64 = 0.5;
/// How much of its distance from where it has been it is to make good.
pub const RECOVERY: f64 = 0.5;
/// By how much SEOF is to rise at least.
const SEOF_STEP: f64 = 0.02;
/// Attempts at a task after a failed one.
const RETRIES: u8 = 2;
/// Share of the agent's budget that a goal asks for at first.
const SHARE: f64 = 0.1;
/// What is closer to its best than this cannot be seen to get better.
const LEAST: f64 = 1e-3;
/// What its tasks may take, as a multiple of the tier's horizon; then what it did may take its time to show.
const WORKING_HORIZONS: u64 = 2;

/// A goal that has not been validated yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Idea {
    /// As it would be set.
    pub spec: GoalSpec,
    /// Half its main value dimension, half the purpose; sums to 1.
    pub intent: [f64; DIMENSIONS],
}

impl Idea {
    /// How long it is likely to take, in cycles: the horizon of its tier, in proportion to its scope.
    pub fn duration_cycles(&self) -> f64 {
        f64::from(self.spec.tier.horizon_cycles()) * self.spec.budget.share / SHARE
    }

    /// The same with its budget scaled by `factor`.
    #[must_use]
    pub fn reduced(&self, factor: f64) -> Self {
        let mut reduced = self.clone();
        let budget = &mut reduced.spec.budget;
        budget.share *= factor;
        budget.actions = ((f64::from(budget.actions) * factor).ceil() as u32).max(1);
        reduced
    }
}

/// What is done, and by what it is seen that it helped.
struct Recipe {
    tasks: Vec<TaskAction>,
    seen_by: Vec<Quantity>,
}

/// The goal that a signal asks for, numbered `number` among the agent's own; `None` if nothing that the agent can do
/// serves it, or nothing could tell whether it did.
pub fn synthesize(signal: &Signal, below: &Below, number: u64) -> Option<Idea> {
    let Recipe { tasks, seen_by } = recipe(signal, below)?;
    let can_be_moved = |of: &&Quantity| tasks.iter().any(|task| moves(task, **of, below));
    let success = seen_by
        .iter()
        .filter(can_be_moved)
        .find_map(|of| better(*of, signal, below))?;
    let tasks: Vec<TaskAction> = tasks
        .into_iter()
        .filter(|task| moves(task, success.of, below))
        .collect();
    if !below.floor.structural_permitted && tasks.iter().any(is_structural) {
        return None;
    }
    let main = signal.serves();
    let intent = intent(main, &below.purpose);
    let origin = signal.origin();
    let tier = tier(signal);
    let goal = GoalId::new(&format!("l49-{origin}-{number}")).expect("invariant: a short lower-case name");
    let actions = tasks.len() as u32 * (1 + u32::from(RETRIES));
    let spec = GoalSpec {
        goal,
        intent: shortened(&signal.to_string()),
        origin: Origin::L49,
        tier,
        success: Success {
            all: vec![success],
            any: Vec::new(),
        },
        skills: skills(&tasks),
        tasks: chain(&tasks),
        after: Vec::new(),
        deadline_cycles: Some(WORKING_HORIZONS * u64::from(tier.horizon_cycles()) + SETTLE_CYCLES),
        budget: GoalBudget { actions, share: SHARE },
        reward: Reward::default(),
        weights: weights(&intent),
    };
    let dimensions = below.report.dimensions;
    let groups = below
        .report
        .groups
        .iter()
        .map(|group| usize::from(*group) + 1)
        .max()
        .unwrap_or(0);
    let runs = spec.validate().is_ok() && spec.validate_for(dimensions, groups).is_ok();
    runs.then_some(Idea { spec, intent })
}

fn tier(signal: &Signal) -> Tier {
    match signal {
        Signal::Shortage { .. } | Signal::Curiosity { .. } => Tier::Tactical,
        _ => Tier::Operational,
    }
}

/// Half the main dimension, half the purpose vector: a one-hot intent could never reach a purpose alignment of 0.50.
fn intent(main: ValueDimension, purpose: &[f64; DIMENSIONS]) -> [f64; DIMENSIONS] {
    let mut intent = scaled(purpose).map(|weight| 0.5 * weight);
    intent[main.index()] += 0.5;
    intent
}

fn weights(intent: &[f64; DIMENSIONS]) -> BTreeMap<ValueDimension, f64> {
    let each = ValueDimension::ALL.into_iter().zip(intent);
    each.map(|(dimension, weight)| (dimension, weight.clamp(0.0, 1.0)))
        .collect()
}

fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_INTENT_BYTES)].to_owned()
}

/// One task after the other.
fn chain(actions: &[TaskAction]) -> Vec<TaskSpec> {
    let name = |index: usize| TaskName::new(&format!("t{}", index + 1)).expect("invariant: a short lower-case name");
    let task = |(index, does): (usize, &TaskAction)| TaskSpec {
        name: name(index),
        does: *does,
        after: index.checked_sub(1).map(name).into_iter().collect(),
        when: Vec::new(),
        retries: RETRIES,
        deadline_cycles: None,
    };
    actions.iter().enumerate().map(task).collect()
}

/// The skills that the tasks use, each once.
fn skills(actions: &[TaskAction]) -> Vec<SkillName> {
    let mut skills: Vec<Skill> = actions.iter().map(|action| skill_of(*action)).collect();
    skills.sort_unstable();
    skills.dedup();
    skills.into_iter().map(Skill::name).collect()
}

fn skill_of(action: TaskAction) -> Skill {
    Skill::Act(match action {
        TaskAction::SampleFaster { .. } => ActionKind::SampleFaster,
        TaskAction::SampleSlower { .. } => ActionKind::SampleSlower,
        TaskAction::SwitchForecaster { .. } => ActionKind::SwitchForecaster,
        TaskAction::RaiseIncident { .. } => ActionKind::RaiseIncident,
        TaskAction::ClearIncident => ActionKind::ClearIncident,
        TaskAction::AskPeer { .. } => ActionKind::AskPeer,
        TaskAction::ChangePeriod { .. } => ActionKind::ChangePeriod,
        TaskAction::Turn(setting) => {
            return Skill::General(match setting.knob {
                Knob::ExplorationRate => General::LogicalReasoning,
                Knob::ParallelTasks | Knob::PlanningDepth | Knob::RiskCap => General::AbstractPlanning,
                Knob::RetryBudget | Knob::ReserveShare => General::ResourceManagement,
            });
        }
    })
}

/// What is done can change the quantity: nobody is to take credit for what comes by itself. What is sampled more often, or
/// asked for, is known better, if it was not seen in each report already; another forecaster changes how good forecasts are,
/// of which uncertainty and the performance in SEOF are made; what samples less spares resources.
fn moves(task: &TaskAction, of: Quantity, below: &Below) -> bool {
    let known = matches!(of, Quantity::Variance(_) | Quantity::Eu);
    let foreseen = matches!(of, Quantity::Uncertainty | Quantity::Seof);
    match *task {
        TaskAction::SampleFaster { group } | TaskAction::AskPeer { group } => {
            foreseen || known && is_slow(below, group, SAMPLE_CYCLES as u32)
        }
        TaskAction::SwitchForecaster { .. } => foreseen,
        TaskAction::SampleSlower { .. } | TaskAction::ChangePeriod { .. } => {
            matches!(of, Quantity::Rdf | Quantity::Res)
        }
        TaskAction::Turn(_) => !known && !matches!(of, Quantity::Dimension(_)),
        TaskAction::RaiseIncident { .. } | TaskAction::ClearIncident => false,
    }
}

/// It waits while structural change is not permitted: a goal of such tasks would only grow old. That is so for long after the
/// guard has warned, as it does when most of the goals are the agent's own.
fn is_structural(task: &TaskAction) -> bool {
    action_of(task).is_some_and(|action| action.kind().is_structural())
}

/// A member of the group is seen less often than every so many cycles.
fn is_slow(below: &Below, group: u16, cycles: u32) -> bool {
    let source = below.source();
    let slow = |dimension: usize| source.law(dimension).interval_cycles.is_none_or(|usual| usual > cycles);
    let groups = below.report.groups.iter().enumerate();
    let mut members = groups.filter(|(_, of)| **of == group).map(|(dimension, _)| dimension);
    members.any(|dimension| dimension < source.dimensions() && slow(dimension))
}

fn recipe(signal: &Signal, below: &Below) -> Option<Recipe> {
    let sight = Sight::of(below)?;
    Some(match signal {
        Signal::Environmental { .. } => sight.serve(ValueDimension::Growth, sight.uncertain),
        Signal::CapabilityGap { skill, .. } => return sight.practise(skill),
        Signal::PurposeRealignment { dimension, .. } | Signal::Neglected { dimension, .. } => {
            sight.serve(*dimension, sight.uncertain)
        }
        Signal::Curiosity { group, .. } => sight.serve(ValueDimension::Exploration, *group),
        Signal::Shortage { bottleneck, .. } => sight.survive(*bottleneck),
    })
}

/// What recipes look at.
struct Sight<'a> {
    below: &'a Below,
    /// The most and the least uncertain group.
    uncertain: u16,
    certain: u16,
}

impl<'a> Sight<'a> {
    /// `None` if no group is known.
    fn of(below: &'a Below) -> Option<Self> {
        let groups = group_variances(below);
        let most = groups.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let least = groups.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(Self {
            below,
            uncertain: most.0,
            certain: least.0,
        })
    }

    fn serve(&self, dimension: ValueDimension, group: u16) -> Recipe {
        let belief = TaskAction::SwitchForecaster {
            group,
            to: Speaker::Belief,
        };
        let doubt = || {
            self.variance_of(group)
                .into_iter()
                .chain([Quantity::Eu, Quantity::Uncertainty, Quantity::Seof])
                .collect()
        };
        let (tasks, seen_by): (Vec<Option<TaskAction>>, Vec<Quantity>) = match dimension {
            ValueDimension::Stability => (
                vec![self.turn(Knob::RiskCap, 0.8), self.turn(Knob::ParallelTasks, 0.5)],
                vec![Quantity::CL4, Quantity::Uncertainty, Quantity::Res],
            ),
            ValueDimension::Growth => (
                vec![Some(belief), self.turn(Knob::RetryBudget, 1.5)],
                vec![Quantity::Seof, Quantity::Uncertainty],
            ),
            ValueDimension::PurposeFidelity => (
                vec![self.turn(Knob::ExplorationRate, 0.5), Some(belief)],
                vec![Quantity::Iis, Quantity::CL4, Quantity::Seof],
            ),
            ValueDimension::Efficiency => (
                vec![
                    Some(TaskAction::SampleSlower { group: self.certain }),
                    self.turn(Knob::ReserveShare, 1.25),
                ],
                vec![Quantity::Rdf, Quantity::Res, Quantity::CL4],
            ),
            ValueDimension::Exploration => (
                vec![self.faster(group), Some(belief), self.turn(Knob::ExplorationRate, 1.5)],
                doubt(),
            ),
            ValueDimension::Safety => (
                vec![self.turn(Knob::ReserveShare, 1.5), self.turn(Knob::RiskCap, 0.8)],
                vec![Quantity::Res, Quantity::CL4, Quantity::Uncertainty],
            ),
            ValueDimension::AgentCooperation => (vec![Some(TaskAction::AskPeer { group }), Some(belief)], doubt()),
        };
        Recipe {
            tasks: tasks.into_iter().flatten().collect(),
            seen_by,
        }
    }

    fn survive(&self, bottleneck: Option<ResourceKind>) -> Recipe {
        match bottleneck {
            Some(ResourceKind::Compute | ResourceKind::Memory) => Recipe {
                tasks: [
                    Some(TaskAction::ChangePeriod {
                        change: PeriodStep::Longer,
                    }),
                    self.turn(Knob::ParallelTasks, 0.5),
                ]
                .into_iter()
                .flatten()
                .collect(),
                seen_by: vec![Quantity::Rdf, Quantity::Res, Quantity::CL4],
            },
            Some(ResourceKind::Observation) => self.serve(ValueDimension::Exploration, self.uncertain),
            _ => self.serve(ValueDimension::Stability, self.uncertain),
        }
    }

    /// What practises a skill; `None` of one that no action uses.
    fn practise(&self, skill: &SkillName) -> Option<Recipe> {
        let known = &self.below.level48.capability.capabilities;
        let skill = Skill::named(skill).filter(|skill| known.iter().any(|known| known.skill == *skill))?;
        let group = self.uncertain;
        let act = match skill {
            Skill::Forecast { group } => return Some(self.serve(ValueDimension::Exploration, group)),
            Skill::General(General::ResourceManagement) => {
                return Some(self.serve(ValueDimension::Efficiency, group));
            }
            Skill::General(General::AdversarialNegotiation) => {
                return Some(self.serve(ValueDimension::AgentCooperation, group));
            }
            Skill::General(_) => self.turn(Knob::PlanningDepth, 2.0)?,
            Skill::Act(ActionKind::SampleFaster) => self.faster(group)?,
            Skill::Act(ActionKind::SampleSlower) => TaskAction::SampleSlower { group: self.certain },
            Skill::Act(ActionKind::SwitchForecaster) => TaskAction::SwitchForecaster {
                group,
                to: Speaker::Belief,
            },
            Skill::Act(ActionKind::AskPeer) => TaskAction::AskPeer { group },
            Skill::Act(ActionKind::ChangePeriod) => TaskAction::ChangePeriod {
                change: PeriodStep::Longer,
            },
            // An incident is nothing to practise with, and tools and tasks are others' to give.
            Skill::Act(_) | Skill::Tool { .. } | Skill::Task { .. } => return None,
        };
        Some(Recipe {
            tasks: vec![act],
            seen_by: vec![
                Quantity::Uncertainty,
                Quantity::Seof,
                Quantity::Eu,
                Quantity::Res,
                Quantity::Rdf,
            ],
        })
    }

    /// A group is sampled faster only if it is not seen in every cycle already.
    fn faster(&self, group: u16) -> Option<TaskAction> {
        is_slow(self.below, group, 1).then_some(TaskAction::SampleFaster { group })
    }

    /// The variance of the group's most uncertain dimension.
    fn variance_of(&self, group: u16) -> Option<Quantity> {
        let variance = &self.below.level48.world.variance;
        let known = self
            .dimensions_of(group)
            .filter(|dimension| variance.get(*dimension).is_some_and(|v| v.is_finite()));
        let most = known.max_by(|a, b| variance[*a].total_cmp(&variance[*b]).then(b.cmp(a)))?;
        Some(Quantity::Variance(u16::try_from(most).ok()?))
    }

    fn dimensions_of(&self, group: u16) -> impl Iterator<Item = usize> {
        let groups = self.below.report.groups.iter().enumerate();
        groups
            .filter(move |(_, of)| **of == group)
            .map(|(dimension, _)| dimension)
    }

    /// The knob of the strategy in force turned by `factor`, by one at least if it counts; `None` if it is at its end, or
    /// if that would be in vain: the strategy of a Level 4.8 at full authority is in force as it is.
    fn turn(&self, knob: Knob, factor: f64) -> Option<TaskAction> {
        if self.below.level48.pass.authority >= Authority::Full {
            return None;
        }
        let now = self.below.plan.chosen.strategy.get(knob);
        let (low, high) = knob.range();
        let step = now * (factor - 1.0);
        let step = if knob.is_whole() {
            step.signum() * step.abs().round().max(1.0)
        } else {
            step
        };
        let to = (now + step).clamp(low, high);
        let setting = KnobSetting { knob, to };
        ((to - now).abs() > LEAST && setting.is_valid()).then_some(TaskAction::Turn(setting))
    }
}

/// The condition that a quantity gets better; `None` if it is not measured, not known for long enough, or has too little to
/// gain. What is worse than usual by more than what chance does to it is to come nearer to the level that it keeps to half of
/// the time; while the world is kind, to the best that it has kept to.
fn better(of: Quantity, signal: &Signal, below: &Below) -> Option<Condition> {
    let now = below.observed().measure(of).filter(|now| now.is_finite())?;
    let lower = is_better_lower(of);
    let past = &below.attainment;
    let usual = past.level(of, lower)?;
    let by_chance = NOTICEABLE_SD * past.usual(of)?.sd;
    let is_worse = if lower { now - usual } else { usual - now } >= by_chance;
    let recovered = is_worse.then(|| nearer(of, now, usual)).flatten();
    let is_kind = matches!(signal, Signal::Environmental { .. });
    recovered.or_else(|| nearer(of, now, past.best(of, lower).filter(|_| is_kind)?))
}

/// The less of it, the better.
fn is_better_lower(of: Quantity) -> bool {
    !matches!(of, Quantity::Rdf | Quantity::Iis | Quantity::Seof)
}

/// That a quantity makes good half of what it is away from a level that is better; that half is worth it.
fn nearer(of: Quantity, now: f64, level: f64) -> Option<Condition> {
    let lower = is_better_lower(of);
    let value = now + RECOVERY * (level - now);
    let gain = if lower { now - value } else { value - now };
    let worthwhile = match of {
        Quantity::Iis => IMPROVEMENT * (1.0 - now),
        Quantity::Seof => SEOF_STEP,
        _ => IMPROVEMENT * now,
    };
    let is = if lower { Comparison::AtMost } else { Comparison::AtLeast };
    (gain >= worthwhile.max(LEAST)).then_some(Condition { of, is, value })
}

#[cfg(test)]
mod tests;
