//! Level 4.9 looks ahead: the same worlds with and without what is about to be decided.
//!
//! A [`Scene`] is where the agent stands: its decision state with the five resources of section 5.1, the law of its own
//! state, and the seeds of the worlds. A [`WhatIf`] is what would be different. All phases of a pass share one scene,
//! so that whatever they compare, they compare in the same worlds.
//!
//! What is decided acts on what is looked ahead:
//! - *a goal* uses resources and moves; it expands the agent, which is C_L4 for 200 cycles and by that, as the law has it,
//!   any other component of X; the knobs that its tasks turn are turned from the start, as if no Level 4.8 overruled them;
//! - *values* (section 4.3) order the goals, weigh the terms of SEOF, prefer another of the strategies that Level 4.8 has
//!   compared, and scale exploration, all by what is derived from them ([`Derived`]).
//!
//! The spectral radius is the law's, whatever is decided: condition 1 of a decision is that of the live state.

use super::below::Below;
use super::resources::{Cascade, DEPENDENCIES, Gauge, Gauges, RESOURCES, ResourceKind, cascade, project};
use super::stability::Readings;
use super::values::{DIMENSIONS, Derived, ValueDimension, ValueVector};
use crate::budget::Budget;
use crate::goals::GoalRecord;
use crate::l48::observe::domain_of;
use crate::l48::plan::comparator::preferred;
use crate::l48::plan::sight::{ahead, waits_for};
use crate::l48::plan::{Scored, Strategy};
use crate::lookahead::{
    Course, DecisionState, Domain, Dynamics, Goal, LookaheadError, LookaheadReport, MAX_GOALS, MAX_RESOURCES,
    ReportPool, ResourceState, Rollout, Trajectories, live_hash,
};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use rungs_types::goal::{GoalSpec, Knob, KnobSetting, Origin, TaskAction};
use serde::{Deserialize, Serialize};

/// Worlds of one look.
pub const TRAJECTORIES: usize = 4;
/// Performance of a domain of which nothing is known.
const UNKNOWN_PERFORMANCE: f64 = 0.5;
/// Cycles within which goals expand the agent, and how many of them do so at full velocity (L4.5: one in 20 cycles).
const EXPANSION_CYCLES: u64 = 200;
const FULL_EXPANSION: f64 = 10.0;
/// Resilience of a goal that nothing is known of.
const UNKNOWN_RESILIENCE: f64 = 0.5;

/// A goal as a Lookahead takes it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prospective {
    goal: Goal,
    /// Share of the agent's budget that it asks for.
    share: f64,
    /// Feasibility, resilience, value, urgency, alignment, each in [0, 1].
    terms: [f64; 5],
    /// Where it turns each knob to.
    turns: [Option<f64>; Knob::ALL.len()],
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    state: DecisionState,
    dynamics: Dynamics,
    seeds: [u64; TRAJECTORIES],
    gauges: Gauges,
    /// The strategy in force, and those that Level 4.8 has compared.
    strategy: Strategy,
    compared: Vec<Scored>,
    /// Expansion velocity now: goals that the agent gave itself within 200 cycles.
    expansion: f64,
    goals: Vec<Prospective>,
}

/// What would be different.
#[derive(Debug, Clone, PartialEq)]
pub struct WhatIf {
    /// Goals beside those that there are.
    pub added: Vec<Prospective>,
    /// The values.
    pub values: ValueVector,
    /// The factor of exploration.
    pub exploration: f64,
    /// What is lost of the compute at once, as a share of the whole.
    pub stake: f64,
    /// Multiple of the world's errors and of consumption: those of a scenario.
    pub scenario: (f64, f64),
}

impl WhatIf {
    /// Nothing is, under these values.
    pub fn nothing(values: ValueVector) -> Self {
        Self {
            added: Vec::new(),
            values,
            exploration: 1.0,
            stake: 0.0,
            scenario: (1.0, 1.0),
        }
    }
}

impl Prospective {
    /// A goal that is about to be set.
    pub fn candidate(spec: &GoalSpec, feasibility: f64, alignment: f64) -> Self {
        Self {
            goal: Goal {
                progress: 0.0,
                rate_per_cycle: 1.0 / f64::from(spec.tier.horizon_cycles()),
                cost_per_cycle: [0.0; MAX_RESOURCES],
                domain: domain(spec),
                depends_on: 0,
            },
            share: spec.budget.share,
            terms: [feasibility, UNKNOWN_RESILIENCE, value(spec), 0.0, alignment].map(unit),
            turns: turns(spec),
        }
    }

    fn open(record: &GoalRecord, cycle: u64, depends_on: u8) -> Self {
        let age = cycle.saturating_sub(record.approved_at.unwrap_or(cycle)).max(1) as f64;
        let urgency = record
            .spec
            .deadline_cycles
            .map_or(0.0, |deadline| age / deadline as f64);
        Self {
            // What it costs, the scene says: by what its resources are.
            goal: ahead(record, cycle, &[], depends_on),
            share: record.spec.budget.share,
            terms: [1.0, UNKNOWN_RESILIENCE, value(&record.spec), urgency, 1.0].map(unit),
            // What it has turned is in force, and what it will turn is part of how things go on.
            turns: Default::default(),
        }
    }

    /// The strategy with its knobs turned.
    fn turned(&self, strategy: Strategy) -> Strategy {
        let settings = Knob::ALL.into_iter().zip(self.turns);
        settings.fold(strategy, |strategy, (knob, to)| match to {
            Some(to) => strategy.with(KnobSetting { knob, to }),
            None => strategy,
        })
    }

    /// What it uses of each resource in a cycle: its share of what the agent uses.
    fn cost(&self, gauges: &Gauges) -> [f64; MAX_RESOURCES] {
        std::array::from_fn(|index| {
            let metered = ResourceKind::ALL.get(index).filter(|kind| is_spent(**kind));
            let gauge = metered.and_then(|kind| gauges[*kind as usize]);
            gauge.map_or(0.0, |gauge| self.share * gauge.consumption)
        })
    }
}

/// Working uses it up; the others go and come by themselves.
fn is_spent(kind: ResourceKind) -> bool {
    matches!(kind, ResourceKind::Compute | ResourceKind::Memory)
}

fn unit(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
}

/// What it brings, relative to one that brings 1 at once.
fn value(spec: &GoalSpec) -> f64 {
    spec.reward.immediate
}

/// Where its tasks turn each knob to, the last one.
fn turns(spec: &GoalSpec) -> [Option<f64>; Knob::ALL.len()] {
    let mut turns = [None; Knob::ALL.len()];
    for task in &spec.tasks {
        if let TaskAction::Turn(KnobSetting { knob, to }) = task.does {
            turns[knob.index()] = Some(to);
        }
    }
    turns
}

/// Expansion velocity of these goals at `cycle`: those that no user set within 200 cycles, by how many are full velocity.
fn expansion<'a>(goals: impl Iterator<Item = &'a GoalRecord>, cycle: u64) -> f64 {
    let lately = |record: &&GoalRecord| cycle.saturating_sub(record.set_at) < EXPANSION_CYCLES;
    let own = goals.filter(|record| record.spec.origin != Origin::User);
    own.filter(lately).count() as f64 / FULL_EXPANSION
}

fn domain(spec: &GoalSpec) -> u8 {
    let group = spec.tasks.iter().find_map(|task| task.does.group());
    domain_of(group.unwrap_or(0))
}

impl Scene {
    /// Where the agent stands.
    pub fn new(below: &Below, gauges: &Gauges, dynamics: Dynamics, seeds: [u64; TRAJECTORIES]) -> Self {
        let strategy = below.plan.chosen.strategy;
        let skill = below.floor.performance.unwrap_or(UNKNOWN_PERFORMANCE);
        let last = below
            .report
            .groups
            .iter()
            .map(|group| domain_of(*group))
            .max()
            .unwrap_or(0);
        let mut state = DecisionState {
            x: below.floor.x,
            structural_pending: !below.level48.world.pending.is_empty(),
            ..DecisionState::default()
        };
        for domain in &mut state.domains[..=usize::from(last)] {
            *domain = Some(Domain::watching(skill));
        }
        let taken = &below.open[..below.open.len().min(MAX_GOALS)];
        let goals = taken.iter().map(|record| {
            let depends_on = waits_for(record, taken);
            Prospective::open(record, below.cycle(), depends_on)
        });
        Self {
            state,
            dynamics,
            seeds,
            gauges: *gauges,
            strategy,
            compared: below.plan.comparison.ranked.clone(),
            expansion: expansion(below.open.iter().chain(below.closed.iter()), below.cycle()),
            goals: goals.collect(),
        }
    }

    /// The resources as they are.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// What it was made from is what it was: no Lookahead in it has changed anything (MSCP Level 4.8, invariant 4).
    pub fn is_contained(&self, below: &Below) -> bool {
        let live = |scene: &Scene| {
            let strategies =
                std::iter::once(&scene.strategy).chain(scene.compared.iter().map(|scored| &scored.strategy));
            let knobs = strategies.copied().flat_map(<[f64; Knob::ALL.len()]>::from);
            let also: Vec<f64> = knobs.chain([scene.expansion]).collect();
            live_hash(&scene.state_with(&WhatIf::nothing(ValueVector::BASELINE)), &also)
        };
        live(&Scene::new(below, &self.gauges, self.dynamics, self.seeds)) == live(self)
    }

    /// What becomes of the agent in `cycles` cycles if `change` is made: all worlds as one report.
    pub fn look(
        &self,
        change: &WhatIf,
        source: &impl Trajectories,
        cycles: u32,
        budget: &dyn Budget,
    ) -> Result<LookaheadReport, LookaheadError> {
        let (state, course) = (self.state_with(change), self.course(change));
        let mut pool = ReportPool::default();
        for seed in self.seeds {
            let rng = Pcg64Mcg::seed_from_u64(seed);
            let mut rollout = Rollout::start_on(&course, &state, &self.dynamics, source, rng)?;
            rollout.advance(cycles, budget)?;
            pool.add(&rollout.report());
        }
        pool.report().ok_or(LookaheadError::Count {
            what: "trajectories",
            found: 0,
            most: TRAJECTORIES as u32,
        })
    }

    /// What the five conditions are checked on after `change`, `cycles` ahead; `alone` is the same without it. `identity`
    /// is read only if the agent's is known.
    pub fn readings(&self, change: &WhatIf, alone: &LookaheadReport, after: &LookaheadReport, warm: bool) -> Readings {
        let without = self.levels(alone, 0.0);
        let with = self.levels(after, change.stake);
        let Cascade { depth, .. } = cascade(&without, &with, &DEPENDENCIES);
        let survival = project(&self.gauges_with(change));
        let readings = Readings::after(after, change.values.total_drift(), survival.min_survival, depth);
        Readings {
            identity: readings.identity.filter(|_| warm),
            ..readings
        }
    }

    /// The levels at the end of a look.
    fn levels(&self, report: &LookaheadReport, stake: f64) -> [Option<f64>; RESOURCES] {
        std::array::from_fn(|kind| {
            let lost = if kind == ResourceKind::Compute as usize {
                stake
            } else {
                0.0
            };
            self.gauges[kind].map(|gauge| gauge.level - lost - report.spent[kind])
        })
    }

    /// The resources with what is added in use, and what is at stake gone.
    fn gauges_with(&self, change: &WhatIf) -> Gauges {
        std::array::from_fn(|index| {
            let kind = ResourceKind::ALL[index];
            self.gauges[index].map(|gauge| {
                let costs = change.added.iter().map(|added| added.cost(&self.gauges)[index]);
                let lost = if kind == ResourceKind::Compute {
                    change.stake
                } else {
                    0.0
                };
                Gauge {
                    level: (gauge.level - lost).max(0.0),
                    consumption: gauge.consumption + costs.sum::<f64>(),
                    ..gauge
                }
            })
        })
    }

    fn state_with(&self, change: &WhatIf) -> DecisionState {
        let mut state = self.state;
        let weights = Derived::of(&change.values).priority;
        let priority = |goal: &Prospective| -> f64 { weights.iter().zip(goal.terms).map(|(w, term)| w * term).sum() };
        // What is about to be decided is looked at: of eight places it has one, whatever its priority is.
        let added = &change.added[..change.added.len().min(MAX_GOALS)];
        let kept = &self.goals[..self.goals.len().min(MAX_GOALS - added.len())];
        let mut order: Vec<(usize, &Prospective)> = kept.iter().chain(added).enumerate().collect();
        order.sort_by(|(a, one), (b, other)| priority(other).total_cmp(&priority(one)).then(a.cmp(b)));
        let place = |index: usize| order.iter().position(|(of, _)| *of == index);
        for (slot, (own, prospective)) in state.goals.iter_mut().zip(&order) {
            let before = (0..MAX_GOALS).filter(|bit| prospective.goal.depends_on & (1 << bit) != 0);
            let places = before.filter_map(|bit| place(bit).or(place(*own)));
            let moved = places.fold(0, |bits, index| bits | 1 << index);
            *slot = Some(Goal {
                cost_per_cycle: prospective.cost(&self.gauges),
                depends_on: moved,
                ..prospective.goal
            });
        }
        for goal in state.goals.iter().flatten() {
            let slot = &mut state.domains[usize::from(goal.domain)];
            *slot = slot.or(Some(Domain::watching(UNKNOWN_PERFORMANCE)));
        }
        fill_domains(&mut state);
        for (index, kind) in ResourceKind::ALL.into_iter().enumerate() {
            // What the goals that there are use is in what is measured already.
            let used: f64 = kept.iter().map(|goal| goal.cost(&self.gauges)[index]).sum();
            let lost = if kind == ResourceKind::Compute {
                change.stake
            } else {
                0.0
            };
            state.resources[index] = self.gauges[index].map(|gauge| ResourceState {
                level: (gauge.level - lost).max(0.0),
                base_per_cycle: gauge.consumption - gauge.replenishment - used,
                warning_level: kind.thresholds().warning,
            });
        }
        state
    }

    fn course(&self, change: &WhatIf) -> Course {
        let usual = ValueVector::BASELINE.weight(ValueDimension::Exploration);
        let factor = change.values.weight(ValueDimension::Exploration) / usual * change.exploration;
        let derived = Derived::of(&change.values);
        let preferred = self.preferred(&derived);
        let strategy = change
            .added
            .iter()
            .fold(preferred, |strategy, added| added.turned(strategy));
        let today = |knob| self.strategy.get(knob);
        let explores = today(Knob::ExplorationRate);
        let more = strategy.get(Knob::ExplorationRate) - explores;
        let attempts = |strategy: &Strategy| 1 + strategy.limits().retry_budget;
        // Of what holds goals back, what is not changed is in how they got on until today.
        let moved = |knob| Some(strategy.get(knob)).filter(|to| *to != today(knob));
        let added = change.added.len() as f64 / FULL_EXPANSION;
        let (spread, consumption) = change.scenario;
        Course {
            parallel_goals: strategy.limits().parallel_tasks.max(1),
            attempts: attempts(&strategy),
            attempts_today: attempts(&self.strategy),
            risk_cap: moved(Knob::RiskCap).unwrap_or(Course::AS_TODAY.risk_cap),
            reserve_share: moved(Knob::ReserveShare).unwrap_or(Course::AS_TODAY.reserve_share),
            exploration: (explores * (factor - 1.0) + more * factor).clamp(-1.0, 1.0),
            expansion: (self.expansion + added).min(1.0) - self.expansion.min(1.0),
            objective: derived.seof,
            spread,
            consumption,
        }
    }

    /// The strategy that values prefer where others than the baseline do; else the one in force.
    fn preferred(&self, derived: &Derived) -> Strategy {
        let usual = Derived::of(&ValueVector::BASELINE);
        let of = |derived: &Derived| preferred(&self.compared, &derived.strategy);
        of(derived)
            .filter(|other| of(&usual) != Some(*other))
            .unwrap_or(self.strategy)
    }
}

/// Domains are the first ones: those before one that is known are known as well.
fn fill_domains(state: &mut DecisionState) {
    let last = state.domains.iter().rposition(Option::is_some).unwrap_or(0);
    for domain in &mut state.domains[..=last] {
        *domain = domain.or(Some(Domain::watching(UNKNOWN_PERFORMANCE)));
    }
}

/// What a goal serves: its weights, scaled to sum to 1; those of `purpose` if it says nothing.
pub fn served(spec: &GoalSpec, purpose: &[f64; DIMENSIONS]) -> [f64; DIMENSIONS] {
    let named = ValueDimension::ALL.map(|dimension| spec.weights.get(&dimension).copied().unwrap_or(0.0));
    let weights = if spec.weights.is_empty() { *purpose } else { named };
    scaled(&weights)
}

/// The same direction with the sum 1; all alike if it is none.
pub fn scaled(weights: &[f64; DIMENSIONS]) -> [f64; DIMENSIONS] {
    let sane = weights.map(|weight| if weight.is_finite() { weight.max(0.0) } else { 0.0 });
    let sum: f64 = sane.iter().sum();
    if sum > 0.0 && sum.is_finite() {
        sane.map(|weight| weight / sum)
    } else {
        [1.0 / DIMENSIONS as f64; DIMENSIONS]
    }
}

/// Cosine of two directions, in [0, 1]; 0 if one is none.
pub fn cosine(a: &[f64; DIMENSIONS], b: &[f64; DIMENSIONS]) -> f64 {
    let dot = |a: &[f64; DIMENSIONS], b: &[f64; DIMENSIONS]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    if cosine.is_finite() {
        cosine.clamp(0.0, 1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l49::fixtures::{World, user_goal};
    use crate::lookahead::MAX_DOMAINS;
    use rungs_types::CheckpointId;
    use std::sync::Arc;

    #[test]
    fn what_nothing_is_known_of_counts_a_half() {
        let mut world = World::new();
        world.set(user_goal("g", ValueDimension::Growth, &[]), CheckpointId::default());
        let mut below = world.next();
        let floor = Arc::make_mut(&mut below.floor);
        floor.performance = None;
        let mut scene = Scene::new(&below, &Gauges::default(), Dynamics::default(), [1, 2, 3, 4]);
        assert_eq!(
            scene.state.domains[..3],
            [Some(Domain::watching(0.5)), Some(Domain::watching(0.5)), None]
        );
        let candidate = Prospective::candidate(&user_goal("h", ValueDimension::Growth, &[]), 1.0, 1.0);
        assert_eq!((scene.goals[0].terms[1], candidate.terms[1]), (0.5, 0.5), "resilience");
        // Domains that only what is about to be decided works in, and those before them.
        scene.state.domains = [None; MAX_DOMAINS];
        let mut what_if = WhatIf::nothing(ValueVector::BASELINE);
        what_if.added = vec![candidate];
        what_if.added[0].goal.domain = 2;
        assert_eq!(
            scene.state_with(&what_if).domains[..3],
            [Some(Domain::watching(0.5)); 3]
        );
    }

    /// A scene whose identity answers to half of what S does.
    fn scene(world: &mut World) -> (Below, Scene) {
        let below = world.next();
        let mut law = Dynamics {
            rest: below.floor.x,
            rho: 0.5,
            ..Dynamics::default()
        };
        law.jacobian[2][0] = 0.5;
        let scene = Scene::new(&below, &Gauges::default(), law, [1, 2, 3, 4]);
        (below, scene)
    }

    fn look(below: &Below, scene: &Scene, change: &WhatIf) -> LookaheadReport {
        let source = below.source();
        scene
            .look(change, &source, 100, &crate::budget::Unlimited)
            .expect("a report")
    }

    fn adding(specs: &[GoalSpec]) -> WhatIf {
        let mut what_if = WhatIf::nothing(ValueVector::BASELINE);
        what_if.added = specs
            .iter()
            .map(|spec| Prospective::candidate(spec, 1.0, 1.0))
            .collect();
        what_if
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn each_goal_that_the_agent_gives_itself_is_complexity_and_its_identity_answers_to_it() {
        let mut world = World::new();
        let (below, scene) = scene(&mut world);
        let goal = |name: &str| user_goal(name, ValueDimension::Growth, &[]);
        let alone = look(&below, &scene, &WhatIf::nothing(ValueVector::BASELINE));
        let one = look(&below, &scene, &adding(&[goal("a")]));
        let five = look(&below, &scene, &adding(&["a", "b", "c", "d", "e"].map(goal)));
        close(one.max_c_l4 - alone.max_c_l4, 0.02);
        close(five.max_c_l4 - alone.max_c_l4, 0.10);
        close(alone.min_iis - one.min_iis, 0.01);
        close(alone.min_iis - five.min_iis, 0.05);
        // What was vetoed for the identity was so by what was decided.
        let warm = |report: &LookaheadReport| scene.readings(&adding(&[]), &alone, report, true).identity;
        assert!(warm(&five).unwrap() < 0.93 && warm(&alone).unwrap() > 0.95);
        // An agent that expands at full velocity does not expand more.
        for nth in 0..10 {
            let spec = GoalSpec {
                origin: Origin::L49,
                ..goal(&format!("own-{nth}"))
            };
            world.set(spec, CheckpointId::default());
        }
        let (below, scene) = self::scene(&mut world);
        let alone = look(&below, &scene, &WhatIf::nothing(ValueVector::BASELINE));
        close(
            look(&below, &scene, &adding(&[goal("a")])).max_c_l4 - alone.max_c_l4,
            0.0,
        );
    }

    #[test]
    fn a_knob_that_a_goal_turns_is_turned_in_what_is_looked_ahead() {
        let (below, scene) = scene(&mut World::new());
        let turning = |knob, to| {
            let mut spec = user_goal("turns", ValueDimension::Growth, &[]);
            spec.tasks[0].does = TaskAction::Turn(KnobSetting { knob, to });
            spec
        };
        let plain = user_goal("plain", ValueDimension::Growth, &[]);
        let usual = scene.course(&adding(std::slice::from_ref(&plain)));
        let of = |knob, to| scene.course(&adding(&[turning(knob, to)]));
        assert_eq!(
            (usual.risk_cap, usual.reserve_share, usual.exploration),
            (2.0, 0.0, 0.0)
        );
        close(of(Knob::ExplorationRate, 0.1).exploration, 0.08);
        assert_eq!(of(Knob::RiskCap, 0.4).risk_cap, 0.4);
        assert_eq!(of(Knob::ReserveShare, 0.4).reserve_share, 0.4);
        assert_eq!(of(Knob::ParallelTasks, 1.0).parallel_goals, 1);
        let tried = of(Knob::RetryBudget, 3.0);
        assert_eq!((tried.attempts, tried.attempts_today), (4, 3));
        let [explores, does_not] = [turning(Knob::ExplorationRate, 0.1), plain].map(|spec| {
            let report = look(&below, &scene, &adding(&[spec]));
            report.max_c_l4
        });
        // 0.15 of what more is explored, as its window fills: half of it in a hundred cycles.
        close(explores - does_not, 0.15 * 0.08 / 2.0);
    }

    #[test]
    fn values_weigh_seof_and_prefer_a_strategy_in_what_is_looked_ahead() {
        let (below, mut scene) = scene(&mut World::new());
        let growth = ValueVector::BASELINE.with(ValueDimension::Growth, 0.05);
        assert_eq!(
            scene.course(&WhatIf::nothing(growth)).objective,
            Derived::of(&growth).seof
        );
        let seof = |values| look(&below, &scene, &WhatIf::nothing(values)).seof_last;
        assert!(seof(growth) < seof(ValueVector::BASELINE), "at rest nothing grows");
        let scored = |strategy, expected, risk_adjustment| Scored {
            strategy,
            expected,
            risk_adjustment,
            ..Scored::default()
        };
        scene.compared = vec![
            scored(Strategy::BALANCED, 0.5, 0.8),
            scored(Strategy::AGGRESSIVE, 0.65, 0.5),
        ];
        let parallel = |scene: &Scene, values| scene.course(&WhatIf::nothing(values)).parallel_goals;
        let bold = ValueVector::BASELINE
            .with(ValueDimension::Growth, 0.15)
            .with(ValueDimension::Safety, -0.15);
        assert_eq!(
            (parallel(&scene, ValueVector::BASELINE), parallel(&scene, bold)),
            (3, 6)
        );
        scene.compared.clear();
        assert_eq!(parallel(&scene, bold), 3, "nothing was compared");
    }
}
