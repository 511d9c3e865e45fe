use super::sight::{alignment, feasibility};
use super::*;
use crate::budget::Unlimited;
use crate::goals::{Change, GoalTable};
use crate::l45::frames::Ballot;
use crate::l48::fixtures::{CONFIG, PASSED, calm_world, healthy_floor, report};
use crate::l48::observe::Observe;
use crate::report::{DivergenceBand, Resource};
use rungs_types::goal::{
    Comparison as Is, Condition, GoalBudget, GoalSpec, Origin, Quantity, Reward, Success, TaskAction, TaskSpec, Tier,
    ValueDimension,
};
use rungs_types::{CheckpointId, GoalId, SkillName, TaskName};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

fn spec(name: &str) -> GoalSpec {
    GoalSpec {
        goal: GoalId::new(name).unwrap(),
        intent: "reach one".into(),
        origin: Origin::User,
        tier: Tier::Operational,
        success: Success {
            all: vec![Condition {
                of: Quantity::Dimension(0),
                is: Is::AtLeast,
                value: 100.0,
            }],
            any: Vec::new(),
        },
        tasks: vec![TaskSpec {
            name: TaskName::new("a").unwrap(),
            does: TaskAction::SampleFaster { group: 0 },
            after: Vec::new(),
            when: Vec::new(),
            retries: 0,
            deadline_cycles: None,
        }],
        after: Vec::new(),
        deadline_cycles: None,
        budget: GoalBudget::default(),
        skills: Vec::new(),
        reward: Reward::default(),
        weights: BTreeMap::new(),
    }
}

/// An agent whose state wobbles about its home, in a calm world.
struct Agent {
    observe: Observe,
    plan: Plan,
    goals: GoalTable,
    last: u64,
    permitted: bool,
    reduced: bool,
    c_l4: f64,
    /// What L4.5 says beside what it measures.
    shape: fn(&mut FloorReport),
}

impl Agent {
    fn new() -> Self {
        Self {
            observe: Observe::new(CONFIG).unwrap(),
            plan: Plan::new(3),
            goals: GoalTable::default(),
            last: 0,
            permitted: true,
            reduced: false,
            c_l4: 0.1,
            shape: |_| {},
        }
    }

    fn set(&mut self, spec: GoalSpec) {
        let goal = spec.goal.clone();
        let set = Change::Set {
            spec: Arc::new(spec),
            checkpoint: CheckpointId(0),
        };
        self.goals.apply(&set, self.last);
        self.goals.apply(&Change::Approve { goal }, self.last);
    }

    fn try_pass(&mut self, budget: &dyn Budget) -> Result<PlanOutput, BudgetExceeded> {
        self.last += 10;
        let wave = |cycle: u64, dim: usize| ((cycle * (37 + dim as u64)) % 11) as f64;
        let mut report = report(self.last, 2, wave);
        report.resources = vec![Resource {
            level: 1e6,
            consumption_per_cycle: 1.0,
            utilisation: 0.3,
        }];
        let x = |cycle: u64| {
            let wobble = 0.01 * (wave(cycle, 0) / 10.0 - 0.5);
            [1.0 - self.c_l4 + wobble, 1.0, 0.95, 0.1 - wobble, 1.0]
        };
        let mut floor = FloorReport {
            x: x(self.last),
            states: report.facts.iter().map(|facts| x(facts.cycle)).collect(),
            performance: Some(0.7),
            seof: 0.4,
            ..healthy_floor(self.last)
        };
        (self.shape)(&mut floor);
        let world = self.observe.step(&report, true, &Unlimited).unwrap();
        let state = self.observe.state();
        let goals: Vec<GoalRecord> = self.goals.running().into_iter().cloned().collect();
        let input = Planning {
            report: &report,
            floor: &floor,
            world: &world,
            source: BeliefTrajectories::new(&state, &report.groups),
            goals: &goals,
            skills: &|_: &SkillName| None,
            purpose: &PURPOSE,
            structural_permitted: self.permitted,
            reduced: self.reduced,
        };
        self.plan.step(&input, budget)
    }

    fn pass(&mut self) -> PlanOutput {
        self.try_pass(&Unlimited).unwrap()
    }
}

#[test]
fn while_resources_are_short_half_of_the_candidates_are_compared_and_the_one_in_force_always() {
    let mut agent = Agent::new();
    (0..6).for_each(|_| drop(agent.pass()));
    let whole = agent.pass().comparison.ranked.len();
    agent.reduced = true;
    let reduced = agent.pass();
    assert_eq!((whole, reduced.comparison.ranked.len()), (4, 2));
    let in_force = reduced.before.strategy;
    assert!(reduced.comparison.ranked.iter().any(|row| row.strategy == in_force));
}

#[test]
fn nothing_is_compared_before_the_law_of_the_state_is_known() {
    let mut agent = Agent::new();
    for _ in 0..4 {
        let output = agent.pass();
        assert_eq!(output.comparison, Comparison::default());
        assert_eq!((output.chosen.archetype, output.changed), (Archetype::Balanced, false));
    }
    // Fifty cycles.
    assert!(agent.pass().comparison.selected().is_some());
}

#[test]
fn the_archetypes_the_learned_and_a_neighbour_are_compared_and_never_more_than_seven() {
    let mut agent = Agent::new();
    let mut most = 0;
    for pass in 0..60 {
        let output = agent.pass();
        let ranked = &output.comparison.ranked;
        most = most.max(ranked.len());
        assert!(ranked.len() <= 7 && (pass < 4 || ranked.len() >= 3));
        for archetype in Archetype::ALL {
            assert!(pass < 4 || ranked.iter().any(|scored| scored.archetype == archetype));
        }
        assert!(
            ranked
                .iter()
                .all(|scored| scored.score.is_finite() && scored.score > 0.0)
        );
    }
    assert!(most >= 4);
}

#[test]
fn no_archetype_is_a_candidate_that_projection_frames_or_divergence_close() {
    let candidates = |shape: fn(&mut FloorReport)| {
        let mut agent = Agent::new();
        agent.shape = shape;
        (0..DWELL_PASSES - 2).for_each(|_| drop(agent.pass()));
        let ranked = agent.pass().comparison.ranked;
        let has = |archetype| ranked.iter().any(|scored| scored.archetype == archetype);
        Archetype::ALL.map(has)
    };
    assert_eq!(candidates(|_| {}), [true, true, true]);
    assert_eq!(
        candidates(|floor| floor.projection.aggressive_open = false),
        [false, true, true]
    );
    assert_eq!(
        candidates(|floor| {
            for ballot in &mut floor.votes.posture {
                *ballot = Some(Ballot {
                    yes: 2,
                    passed: false,
                    ..PASSED
                });
            }
        }),
        [false, true, false]
    );
    // The balanced one is in force, and the conservative frame decides.
    assert_eq!(
        candidates(|floor| floor.divergence_band = DivergenceBand::Frozen),
        [false, true, true]
    );
}

#[test]
fn an_aggressive_strategy_whose_course_closes_is_left_at_once() {
    let aggressive = Choice {
        archetype: Archetype::Aggressive,
        strategy: Strategy::AGGRESSIVE,
    };
    let next = |shape: fn(&mut FloorReport), permitted| {
        let mut agent = Agent::new();
        (0..3).for_each(|_| drop(agent.pass()));
        let mut state = PlanState::clone(&agent.plan.state());
        (state.in_force, state.before) = (aggressive, aggressive);
        agent.plan = Plan::from_state(Arc::new(state));
        (agent.shape, agent.permitted) = (shape, permitted);
        let output = agent.pass();
        assert_eq!(output.before, aggressive);
        output.chosen.archetype
    };
    let closed: fn(&mut FloorReport) = |floor| floor.projection.aggressive_open = false;
    let frozen: fn(&mut FloorReport) = |floor| floor.divergence_band = DivergenceBand::Frozen;
    assert_eq!(next(|_| {}, true), Archetype::Aggressive);
    assert_eq!(next(closed, true), Archetype::Balanced);
    assert_eq!(next(frozen, true), Archetype::Conservative);
    assert_eq!(next(closed, false), Archetype::Aggressive, "nothing changes now");
}

#[test]
fn the_strategy_changes_at_most_once_in_ten_passes() {
    let mut agent = Agent::new();
    let changed: Vec<usize> = (0..100).filter(|_| agent.pass().changed).collect();
    assert_eq!(changed.first(), Some(&9), "the tenth pass");
    assert!(changed.windows(2).all(|pair| pair[1] - pair[0] >= 10), "{changed:?}");
    assert!(agent.plan.state().learned().len() <= MAX_LEARNED);
    assert!(agent.plan.state().is_valid());
}

#[test]
fn the_strategy_stays_while_structural_change_is_not_permitted() {
    let mut agent = Agent::new();
    agent.permitted = false;
    assert!((0..60).all(|_| !agent.pass().changed));
}

#[test]
fn a_change_that_was_vetoed_has_not_happened() {
    let mut agent = Agent::new();
    let changed = (0..200)
        .map(|_| agent.pass())
        .find(|output| output.changed)
        .expect("it changes within 200 passes");
    assert_ne!(changed.chosen, changed.before);
    agent.permitted = false;
    let after = agent.pass();
    assert_eq!((after.chosen, after.changed), (changed.before, false));
}

#[test]
fn the_same_inputs_give_the_same_plan_also_across_a_restart() {
    let (mut one, mut other) = (Agent::new(), Agent::new());
    for pass in 0..40 {
        if pass % 7 == 0 {
            let config = bincode::config::standard();
            let bytes = bincode::serde::encode_to_vec(&*other.plan.state(), config).unwrap();
            let (state, _): (PlanState, _) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
            assert!(state.is_valid());
            other.plan = Plan::from_state(Arc::new(state));
        }
        assert_eq!(one.pass(), other.pass(), "{pass}");
    }
}

#[test]
fn a_pass_whose_time_is_over_leaves_the_phase_as_it_was() {
    let mut agent = Agent::new();
    (0..10).for_each(|_| drop(agent.pass()));
    let before = agent.plan.state();
    assert_eq!(agent.try_pass(&AtomicBool::new(true)), Err(BudgetExceeded));
    assert_eq!(agent.plan.state(), before);
    let later = agent.pass();
    agent.plan.revert(before.clone());
    assert_eq!(agent.plan.state(), before);
    assert!(later.comparison.selected().is_some());
}

#[test]
fn a_state_that_is_not_a_number_changes_nothing() {
    let mut agent = Agent::new();
    (0..20).for_each(|_| drop(agent.pass()));
    agent.c_l4 = f64::NAN;
    let output = agent.pass();
    assert_eq!((output.comparison, output.changed), (Comparison::default(), false));
}

#[test]
fn a_verdict_takes_back_the_change_or_puts_the_fallback_in_force() {
    let chosen = Choice {
        archetype: Archetype::Aggressive,
        strategy: Strategy::AGGRESSIVE,
    };
    let output = PlanOutput {
        chosen,
        changed: true,
        allocation: allocator::allocate(&[], 0.1, 0.0, 1_000.0),
        ..PlanOutput::default()
    };
    assert_eq!(output.under(Response::Continue).choice, chosen);
    let throttled = output.under(Response::Throttle);
    assert_eq!(
        (throttled.choice, throttled.allocation),
        (Choice::default(), output.allocation.clone())
    );
    for response in [Response::Rebalance, Response::Freeze] {
        let held = output.under(response);
        assert_eq!(held.choice.strategy, Strategy::CONSERVATIVE);
        assert_eq!(held.allocation, Allocation::minimal());
    }
}

#[test]
fn goals_are_ranked_get_their_share_and_gain_resilience_from_the_scenarios() {
    let mut agent = Agent::new();
    agent.set(spec("calm"));
    agent.set(GoalSpec {
        deadline_cycles: Some(200),
        ..spec("urgent")
    });
    let first = agent.pass();
    let names: Vec<&str> = first.stack.ranked.iter().map(|ranked| ranked.goal.as_str()).collect();
    assert_eq!(names, ["urgent", "calm"]);
    // Feasible 0.25, of unknown resilience 0.075, the highest value 0.25, 10 of 200 cycles over 0.01, aligned 0.15.
    assert!((first.stack.ranked[0].priority - 0.735).abs() < 1e-12);
    // Both act on group 0: the weaker one gives up all of its tenth.
    assert!(matches!(
        first.stack.pathologies[..],
        [Pathology::Conflict { overlap: 1.0, .. }]
    ));
    let share = |name: &str| first.allocation.share_of(&GoalId::new(name).unwrap());
    assert!((share("urgent") - 0.2).abs() < 1e-12 && share("calm") == 0.0);
    assert!(first.allocation.is_valid());
    (0..5).for_each(|_| drop(agent.pass()));
    let later = agent.pass();
    assert!(later.comparison.ranked.iter().all(|scored| scored.resource_cost < 0.01));
    // 70 of 200 cycles are over: 0.07. It gets on in every scenario, a little slower where the world surprises.
    let resilience = (later.stack.ranked[0].priority - (0.25 + 0.25 + 0.07 + 0.15)) / 0.15;
    assert!((0.7..=1.0 + 1e-9).contains(&resilience), "{resilience}");
}

#[test]
fn feasibility_is_the_product_of_confidences_and_alignment_a_cosine() {
    let skilled = GoalSpec {
        skills: ["a", "b", "c"].map(|name| SkillName::new(name).unwrap()).to_vec(),
        ..spec("g")
    };
    let known = |skill: &SkillName| match skill.as_str() {
        "a" => Some(0.8),
        "b" => Some(0.5),
        _ => None,
    };
    // The third is not known: a half.
    assert!((feasibility(&skilled, &known) - 0.2).abs() < 1e-12);
    assert_eq!(feasibility(&spec("g"), &known), 1.0);
    let serves = |weights: &[(ValueDimension, f64)]| GoalSpec {
        weights: weights.iter().copied().collect(),
        ..spec("g")
    };
    let half = serves(&[(ValueDimension::Stability, 1.0)]);
    let purpose = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert!((alignment(&half, &purpose) - 0.5_f64.sqrt()).abs() < 1e-12);
    assert_eq!(alignment(&serves(&[(ValueDimension::Safety, 1.0)]), &purpose), 0.0);
    assert_eq!(alignment(&spec("g"), &purpose), 1.0);
    assert_eq!(alignment(&half, &[0.0; 7]), 0.0);
    assert_eq!(alignment(&half, &[f64::NAN; 7]), 0.0);
}

#[test]
fn a_world_without_scenarios_or_resources_is_planned_for_all_the_same() {
    let mut agent = Agent::new();
    (0..10).for_each(|_| drop(agent.pass()));
    let report = CycleReport {
        groups: vec![0, 0].into(),
        dimensions: 2,
        ..CycleReport::default()
    };
    let (floor, world, state) = (healthy_floor(500), calm_world(500), agent.observe.state());
    let input = Planning {
        report: &report,
        floor: &floor,
        world: &world,
        source: BeliefTrajectories::new(&state, &report.groups),
        goals: &[],
        skills: &|_: &SkillName| None,
        purpose: &PURPOSE,
        structural_permitted: true,
        reduced: false,
    };
    let output = agent.plan.step(&input, &Unlimited).unwrap();
    assert!(!output.changed && output.allocation.is_valid() && output.stack.ranked.is_empty());
}

#[test]
fn the_default_purpose_weighs_the_value_dimensions_as_their_baseline() {
    assert_eq!(PURPOSE, [0.20, 0.20, 0.20, 0.15, 0.10, 0.10, 0.05]);
}
