//! From a signal to a goal that the kernel's executor can carry out (MSCP Level 4.9, section 3.2, "synthesize goal").
//!
//! A recipe for each value dimension, shortage and skill says what is done and by what it is to be seen that it helped:
//! the first quantity of its list that is measured, and can still get better. So the success of a goal never holds when
//! it is set, and no goal is made where nothing could tell whether it was reached.

use super::detect::group_variances;
use super::signal::Signal;
use crate::l3::ActionKind;
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
use rungs_types::{GoalId, SkillName, TaskName, Tier};
use std::collections::BTreeMap;

/// By how much a quantity is to get better, as a share of itself.
pub const IMPROVEMENT: f64 = 0.10;
/// By how much SEOF is to rise at least.
const SEOF_STEP: f64 = 0.02;
/// Attempts at a task after a failed one.
const RETRIES: u8 = 2;
/// Share of the agent's budget that a goal asks for at first.
const SHARE: f64 = 0.1;
/// Runway beyond which more says nothing, in cycles.
const MAX_RDF: f64 = 10_000.0;
/// What is closer to its best than this cannot be seen to get better.
const LEAST: f64 = 1e-3;
/// Deadline as a multiple of the tier's horizon.
const DEADLINE_HORIZONS: u64 = 2;

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
    let recipe = recipe(signal, below)?;
    let success = recipe.seen_by.iter().find_map(|of| better(*of, signal, below))?;
    let main = signal.serves();
    let intent = intent(main, &below.purpose);
    let origin = signal.origin();
    let tier = tier(signal);
    let goal = GoalId::new(&format!("l49-{origin}-{number}")).expect("invariant: a short lower-case name");
    let tasks = chain(&recipe.tasks);
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
        skills: skills(&recipe.tasks),
        tasks,
        after: Vec::new(),
        deadline_cycles: Some(DEADLINE_HORIZONS * u64::from(tier.horizon_cycles())),
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
                .chain([Quantity::Eu, Quantity::Uncertainty])
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
            seen_by: vec![Quantity::Uncertainty, Quantity::Seof, Quantity::Eu],
        })
    }

    /// A group is sampled faster only if it is not seen in every cycle already.
    fn faster(&self, group: u16) -> Option<TaskAction> {
        let source = self.below.source();
        let slow = |dimension: usize| source.law(dimension).interval_cycles.is_none_or(|cycles| cycles > 1);
        let mut members = self
            .dimensions_of(group)
            .filter(|dimension| *dimension < source.dimensions());
        members.any(slow).then_some(TaskAction::SampleFaster { group })
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

    /// The knob of the strategy in force turned by `factor`, by one at least if it counts; `None` if it is at its end.
    fn turn(&self, knob: Knob, factor: f64) -> Option<TaskAction> {
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

/// The condition that a quantity is better than it is; `None` if it is not measured, or as good as it can be.
fn better(of: Quantity, signal: &Signal, below: &Below) -> Option<Condition> {
    let now = below.observed().measure(of).filter(|now| now.is_finite())?;
    let (is, value) = match of {
        Quantity::Rdf => (Comparison::AtLeast, now * (1.0 + IMPROVEMENT)),
        Quantity::Iis => (Comparison::AtLeast, now + IMPROVEMENT * (1.0 - now)),
        Quantity::Seof => {
            let step = match signal {
                Signal::Environmental { gain, .. } => (0.5 * gain).max(SEOF_STEP),
                _ => SEOF_STEP,
            };
            (Comparison::AtLeast, now + step)
        }
        _ => (Comparison::AtMost, now * (1.0 - IMPROVEMENT)),
    };
    let reachable = match of {
        Quantity::Rdf => now > 0.0 && value <= MAX_RDF,
        Quantity::Iis => 1.0 - now > LEAST,
        Quantity::Seof => value <= 1.0,
        _ => now > LEAST,
    };
    reachable.then_some(Condition { of, is, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l49::fixtures::World;

    fn found(of: Quantity, gain: f64, change: impl FnOnce(&mut World)) -> Option<f64> {
        let mut world = World::new();
        change(&mut world);
        let signal = Signal::Environmental {
            probability: 0.4,
            gain,
            window_cycles: 200,
        };
        better(of, &signal, &world.next()).map(|condition| condition.value)
    }

    #[test]
    fn seof_is_to_rise_by_half_of_the_gain_and_by_0_02_at_least() {
        let rise = |gain| found(Quantity::Seof, gain, |world| world.seof = 0.4).map(|value| value - 0.4);
        for (gain, expected) in [(0.0399, 0.02), (0.06, 0.03)] {
            assert!(rise(gain).is_some_and(|rise| (rise - expected).abs() < 1e-12), "{gain}");
        }
    }

    #[test]
    fn what_is_nearly_as_good_as_it_can_be_is_not_to_be_made_better() {
        // A tenth more than 9,090 is 9,999.
        let rdf = |now| found(Quantity::Rdf, 0.1, |world| world.rdf = now).is_some();
        assert!(rdf(9_090.0) && !rdf(9_091.0));
        let eu = |now| found(Quantity::Eu, 0.1, |world| world.eu = now).is_some();
        assert!(eu(0.001_01) && !eu(0.000_99));
        let iis = |now| found(Quantity::Iis, 0.1, |world| world.iis = Some(now)).is_some();
        assert!(iis(0.998_99) && !iis(0.999_01));
    }
}
