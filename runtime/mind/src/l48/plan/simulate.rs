//! Looking strategies ahead: each candidate in each scenario, in the same worlds.

use super::Planning;
use super::comparator::Outcome;
use super::sight::{ahead, waits_for};
use super::strategy::Strategy;
use crate::budget::Budget;
use crate::goals::GoalRecord;
use crate::l48::observe::domain_of;
use crate::l48::scenario::Scenario;
use crate::lookahead::{
    Course, DecisionState, Domain, Dynamics, LookaheadError, LookaheadReport, MAX_GOALS, MAX_RESOURCES, ReportPool,
    ResourceState, Rollout,
};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use rungs_types::goal::Knob;

/// Runway below which a resource is a warning, in cycles (target of Definition 4).
const WARNING_CYCLES: f64 = 100.0;
/// Performance of a domain of which nothing is known.
const UNKNOWN_PERFORMANCE: f64 = 0.5;

/// From where everything is looked ahead.
pub(super) struct Scene<'a> {
    pub(super) input: &'a Planning<'a>,
    pub(super) state: DecisionState,
    pub(super) dynamics: Dynamics,
}

/// What a strategy comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Prospect {
    /// In each scenario.
    pub(super) outcomes: Vec<Outcome>,
    /// By how much each goal gets on, in each scenario.
    pub(super) gains: Vec<[f64; MAX_GOALS]>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(input: &'a Planning<'a>, dynamics: Dynamics) -> Self {
        Self {
            state: decision_state(input),
            input,
            dynamics,
        }
    }

    /// Looks a strategy ahead from one in force, once in each scenario for each seed.
    pub(super) fn look(
        &self,
        strategy: &Strategy,
        current: &Strategy,
        seeds: &[u64],
        cycles: u32,
        budget: &dyn Budget,
    ) -> Result<Prospect, LookaheadError> {
        let mut prospect = Prospect::default();
        for scenario in &self.input.world.scenarios {
            let course = course(strategy, current, scenario);
            let (mut pool, mut gains) = (ReportPool::default(), [0.0; MAX_GOALS]);
            for seed in seeds {
                let rng = Pcg64Mcg::seed_from_u64(*seed);
                let mut rollout = Rollout::start_on(&course, &self.state, &self.dynamics, &self.input.source, rng)?;
                rollout.advance(cycles, budget)?;
                pool.add(&rollout.report());
                for ((gain, after), before) in gains.iter_mut().zip(rollout.goal_progress()).zip(self.state.goals) {
                    let before = before.map_or(0.0, |goal| goal.progress);
                    *gain += (after.unwrap_or(before) - before) / seeds.len() as f64;
                }
            }
            let report = pool.report();
            prospect.outcomes.extend(report.map(|report| self.outcome(&report)));
            prospect.gains.push(gains);
        }
        Ok(prospect)
    }

    fn outcome(&self, report: &LookaheadReport) -> Outcome {
        let each = self.state.resources.iter().zip(report.spent);
        let shares = each.filter_map(|(resource, spent)| {
            let level = resource.as_ref()?.level;
            (level > 0.0).then(|| spent.max(0.0) / level)
        });
        Outcome {
            seof_impact: report.seof_last - report.seof_first,
            max_c_l4: report.max_c_l4,
            goal_progress: report.goal_completion.unwrap_or(0.0),
            resource_cost: shares.fold(0.0, f64::max),
        }
    }
}

/// A strategy in a scenario, compared with the one in force.
fn course(strategy: &Strategy, current: &Strategy, scenario: &Scenario) -> Course {
    let attempts = |strategy: &Strategy| 1 + strategy.limits().retry_budget;
    Course {
        parallel_goals: strategy.limits().parallel_tasks,
        attempts: attempts(strategy),
        attempts_today: attempts(current),
        risk_cap: strategy.limits().risk_cap,
        reserve_share: strategy.get(Knob::ReserveShare),
        exploration: strategy.get(Knob::ExplorationRate) - current.get(Knob::ExplorationRate),
        spread: scenario.spread,
        consumption: scenario.consumption,
        ..Course::AS_TODAY
    }
}

/// Goals beyond the first eight are constants, and with them whoever waits for them.
pub(super) fn decision_state(input: &Planning<'_>) -> DecisionState {
    let mut state = DecisionState {
        x: input.floor.x,
        structural_pending: !input.world.pending.is_empty(),
        ..DecisionState::default()
    };
    let skill = input.floor.performance.unwrap_or(UNKNOWN_PERFORMANCE);
    let last = input
        .report
        .groups
        .iter()
        .map(|group| domain_of(*group))
        .max()
        .unwrap_or(0);
    let last = goals(input)
        .iter()
        .fold(last, |last, goal| last.max(ahead(goal, 0, &[], 0).domain));
    for domain in &mut state.domains[..=usize::from(last)] {
        *domain = Some(Domain::watching(skill));
    }
    for (slot, resource) in state.resources.iter_mut().zip(&input.report.resources) {
        *slot = Some(ResourceState {
            level: resource.level.max(0.0),
            base_per_cycle: resource.consumption_per_cycle,
            warning_level: WARNING_CYCLES * resource.consumption_per_cycle.max(0.0),
        });
    }
    let used = &input.report.resources[..input.report.resources.len().min(MAX_RESOURCES)];
    for (slot, goal) in state.goals.iter_mut().zip(goals(input)) {
        *slot = Some(ahead(goal, input.floor.cycle, used, waits_for(goal, goals(input))));
    }
    state
}

/// The goals that enter a Lookahead.
fn goals<'a>(input: &Planning<'a>) -> &'a [GoalRecord] {
    &input.goals[..input.goals.len().min(MAX_GOALS)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l48::fixtures::{CONFIG, calm_world, healthy_floor};
    use crate::l48::observe::{BeliefTrajectories, Observe};
    use crate::l48::plan::PURPOSE;
    use crate::report::{CycleReport, FloorReport, Resource};

    #[test]
    fn what_is_not_known_performs_half_as_well_and_a_runway_of_a_hundred_cycles_is_a_warning() {
        let state = Observe::new(CONFIG).expect("valid").state();
        let report = CycleReport {
            groups: [0, 0].into(),
            resources: vec![Resource {
                level: 900.0,
                consumption_per_cycle: 3.0,
                utilisation: 0.5,
            }],
            ..CycleReport::default()
        };
        let start = |performance| {
            let (floor, world) = (
                FloorReport {
                    performance,
                    ..healthy_floor(10)
                },
                calm_world(10),
            );
            decision_state(&Planning {
                report: &report,
                floor: &floor,
                world: &world,
                source: BeliefTrajectories::new(&state, &report.groups),
                goals: &[],
                skills: &|_: &rungs_types::SkillName| None,
                purpose: &PURPOSE,
                structural_permitted: true,
                reduced: false,
            })
        };
        let unknown = start(None);
        assert_eq!(unknown.domains[0], Some(Domain::watching(0.5)));
        assert_eq!(start(Some(0.7)).domains[0], Some(Domain::watching(0.7)));
        assert_eq!(unknown.resources[0].map(|resource| resource.warning_level), Some(300.0));
    }
}
