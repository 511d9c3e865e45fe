use super::start::back_off;
use super::*;
use crate::l3::{Action, Outcomes};
use crate::l45::purpose::MAX_FINDINGS;
use proptest::prelude::*;
use rungs_types::goal::{
    Comparison, Condition, GoalBudget, GoalSpec, Knob, KnobSetting, Origin, Quantity, Reward, Success, TaskAction,
    TaskSpec, Tier,
};
use rungs_types::{CheckpointId, GoalId, TaskName};
use std::collections::BTreeMap;
use std::sync::Arc;

const CALM: FloorSight = FloorSight {
    seof: 0.4,
    iis: Some(0.95),
    c_l4: 0.1,
    uncertainty: 0.1,
    findings: [None; MAX_FINDINGS],
    growth: true,
};
const LIMITS: Limits = Limits {
    parallel_tasks: 2,
    retry_budget: 5,
    risk_cap: 0.6,
    harmless_only: false,
};

fn id(name: &str) -> GoalId {
    GoalId::new(name).unwrap()
}

fn at_least(value: f64) -> Condition {
    Condition {
        of: Quantity::Dimension(0),
        is: Comparison::AtLeast,
        value,
    }
}

fn task(name: &str, after: &[&str]) -> TaskSpec {
    TaskSpec {
        name: TaskName::new(name).unwrap(),
        does: TaskAction::SampleFaster { group: 0 },
        after: after.iter().map(|name| TaskName::new(name).unwrap()).collect(),
        when: Vec::new(),
        retries: 0,
        deadline_cycles: None,
    }
}

/// A goal that is reached when dimension 0 is at least 1.
fn goal(name: &str, tasks: Vec<TaskSpec>) -> GoalSpec {
    GoalSpec {
        goal: id(name),
        intent: "reach one".into(),
        origin: Origin::User,
        tier: Tier::Tactical,
        success: Success {
            all: vec![at_least(1.0)],
            any: Vec::new(),
        },
        tasks,
        after: Vec::new(),
        deadline_cycles: None,
        budget: GoalBudget::default(),
        skills: Vec::new(),
        reward: Reward::default(),
        weights: BTreeMap::new(),
    }
}

/// A table with a world of one dimension.
struct World {
    table: GoalTable,
    cycle: u64,
    value: f64,
    c_l4: f64,
    limits: Limits,
    /// How attempts come out, by the name of the task; what is not named is done.
    fails: Vec<&'static str>,
    started: Vec<String>,
    /// Outcomes are held back.
    silent: bool,
    outcomes: Outcomes,
}

impl World {
    fn new() -> Self {
        Self {
            table: GoalTable::default(),
            cycle: 0,
            value: 0.0,
            c_l4: CALM.c_l4,
            limits: LIMITS,
            fails: Vec::new(),
            started: Vec::new(),
            silent: false,
            outcomes: Outcomes::default(),
        }
    }

    fn with<T>(&self, look: impl FnOnce(&Observed<'_>) -> T) -> T {
        let floor = FloorSight {
            c_l4: self.c_l4,
            ..CALM
        };
        look(&Observed {
            dimensions: &[self.value],
            variance: &[0.1],
            floor: Some(floor),
            world: None,
        })
    }

    fn submit(&mut self, spec: GoalSpec, checkpoint: u64) -> Result<bool, SubmitError> {
        let spec = Arc::new(spec);
        let change = self.with(|observed| {
            let at = Submission {
                checkpoint: CheckpointId(checkpoint),
                observed,
                dimensions: 1,
                groups: 1,
                creation_permitted: true,
            };
            self.table.submit(&spec, &at)
        })?;
        let set = change.is_some();
        self.apply(change);
        Ok(set)
    }

    fn apply(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            tally(&change, &mut self.outcomes);
            self.table.apply(&change, self.cycle);
        }
    }

    /// One cycle; each started attempt has its outcome at once unless the world is silent.
    fn cycle(&mut self) {
        self.cycle += 1;
        let changes = self.with(|observed| self.table.decide(self.cycle, observed, &self.limits));
        self.apply(changes);
        let start = self.with(|observed| self.table.next(self.cycle, observed, &self.limits, &Grants::default()));
        let Some(start) = start else { return };
        self.apply([start.change()]);
        let name = self.table.get(&start.goal).unwrap().spec.tasks[usize::from(start.task)]
            .name
            .to_string();
        let failed = self.fails.contains(&name.as_str());
        self.started.push(name);
        if !self.silent {
            let outcome = if failed { TaskOutcome::Failed } else { TaskOutcome::Done };
            self.report(&start.report(outcome));
        }
    }

    fn report(&mut self, report: &TaskReport) -> bool {
        let change = self.table.settle(report, self.cycle, &self.limits);
        let counted = change.is_some();
        self.apply(change);
        counted
    }

    fn cycles(&mut self, count: u64) {
        (0..count).for_each(|_| self.cycle());
    }

    fn state(&self, name: &str) -> GoalState {
        self.table.get(&id(name)).unwrap().state.clone()
    }

    /// As after a restart from a snapshot.
    fn restart(&mut self) {
        let config = bincode::config::standard();
        let bytes = bincode::serde::encode_to_vec(&self.table, config).unwrap();
        let (table, _): (GoalTable, _) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
        assert_eq!(table, self.table);
        self.table = table;
        let changes = self.table.recover(self.cycle);
        self.apply(changes);
    }
}

fn failed_at(world: &World, name: &str) -> Option<Failure> {
    match world.state(name) {
        GoalState::Failed(failure) => Some(failure),
        _ => None,
    }
}

#[test]
fn a_goal_succeeds_after_its_condition_has_held_for_twenty_cycles_after_an_own_action() {
    let mut world = World::new();
    world.submit(goal("g", vec![task("a", &[])]), 0).unwrap();
    world.cycle();
    assert_eq!(world.state("g"), GoalState::Active);
    world.cycle();
    assert_eq!(world.started, ["a"]);
    world.value = 1.0;
    world.cycles(19);
    assert_eq!(world.state("g"), GoalState::Active);
    world.cycle();
    assert_eq!(world.state("g"), GoalState::Succeeded);
    assert_eq!((world.outcomes.tasks_succeeded, world.outcomes.goals_kept), (1, 1));
    assert_eq!(world.table.get(&id("g")).unwrap().progress(), 1.0);
}

#[test]
fn a_condition_that_lapses_for_a_cycle_or_is_out_of_sight_is_counted_anew() {
    for lapse in [0.0, f64::NAN] {
        let mut world = World::new();
        world.submit(goal("g", vec![task("a", &[])]), 0).unwrap();
        world.cycles(2);
        world.value = 1.0;
        world.cycles(19);
        world.value = lapse;
        world.cycle();
        world.value = 1.0;
        world.cycles(19);
        assert_eq!(world.state("g"), GoalState::Active, "{lapse}");
        world.cycle();
        assert_eq!(world.state("g"), GoalState::Succeeded);
    }
}

#[test]
fn a_condition_that_holds_without_an_own_action_is_no_success() {
    let mut world = World::new();
    let mut waits = task("a", &[]);
    waits.when = vec![Condition {
        of: Quantity::Uncertainty,
        is: Comparison::Above,
        value: 0.9,
    }];
    world.submit(goal("g", vec![waits]), 0).unwrap();
    world.cycles(2);
    world.value = 1.0;
    world.cycles(100);
    assert_eq!(world.state("g"), GoalState::Active);
    assert!(world.started.is_empty());
}

#[test]
fn a_goal_that_holds_already_is_refused_or_if_it_had_to_wait_abandoned() {
    let mut world = World::new();
    world.value = 1.0;
    let refused = world.submit(goal("g", vec![task("a", &[])]), 0);
    assert_eq!(refused, Err(SubmitError::AlreadyHolds { goal: id("g") }));
    // Not known yet: it waits for the first evidence.
    world.value = f64::NAN;
    world.submit(goal("g", vec![task("a", &[])]), 0).unwrap();
    world.cycles(3);
    assert_eq!(world.state("g"), GoalState::Waiting);
    world.value = 1.0;
    world.cycle();
    assert_eq!(world.state("g"), GoalState::Abandoned(Waiver::AlreadyHolds));
    assert_eq!((world.outcomes.goals_broken, world.outcomes.goals_kept), (0, 0));
}

#[test]
fn tasks_run_in_the_order_of_their_dag_and_independent_ones_in_parallel() {
    let tasks = || {
        vec![
            task("d", &["b", "c"]),
            task("a", &[]),
            task("b", &["a"]),
            task("c", &["a"]),
        ]
    };
    let mut world = World::new();
    world.submit(goal("g", tasks()), 0).unwrap();
    world.cycles(10);
    assert_eq!(world.started, ["a", "b", "c", "d"]);

    let mut silent = World::new();
    silent.silent = true;
    silent
        .submit(goal("g", vec![task("a", &[]), task("b", &[]), task("c", &[])]), 0)
        .unwrap();
    silent.cycles(10);
    assert_eq!(silent.started, ["a", "b"], "two at the same time");
}

#[test]
fn a_task_waits_for_its_conditions() {
    let mut world = World::new();
    let mut careful = task("a", &[]);
    careful.when = vec![at_least(0.5)];
    world.submit(goal("g", vec![careful]), 0).unwrap();
    world.value = 0.49;
    world.cycles(10);
    assert!(world.started.is_empty());
    world.value = f64::NAN;
    world.cycles(10);
    assert!(world.started.is_empty(), "unknown is not true");
    world.value = 0.5;
    world.cycle();
    assert_eq!(world.started, ["a"]);
}

#[test]
fn a_failed_attempt_is_repeated_as_often_as_the_task_and_the_strategy_allow() {
    for (retries, budget, attempts) in [(0, 5, 1), (2, 5, 3), (5, 1, 2), (5, 0, 1)] {
        let mut world = World::new();
        world.limits.retry_budget = budget;
        world.fails = vec!["a"];
        let stubborn = TaskSpec {
            retries,
            ..task("a", &[])
        };
        world.submit(goal("g", vec![stubborn, task("b", &["a"])]), 0).unwrap();
        world.cycles(200);
        assert_eq!(world.started.len(), attempts, "{retries} {budget}");
        assert_eq!(failed_at(&world, "g"), Some(Failure::Task(TaskName::new("a").unwrap())));
        assert_eq!((world.outcomes.tasks_failed, world.outcomes.goals_kept), (1, 1));
    }
}

#[test]
fn attempts_wait_longer_each_time_and_never_more_than_twice_the_base() {
    for failures in 0..5 {
        let base = 2_u64 << failures;
        for (number, task) in [(1, 0), (2, 0), (1, 1), (u64::MAX, 31)] {
            let wait = back_off(number, task, failures);
            assert!((base..=2 * base).contains(&wait), "{wait}");
            assert_eq!(wait, back_off(number, task, failures), "the same in every run");
        }
    }
    let spread: std::collections::BTreeSet<u64> = (0..32).map(|task| back_off(1, task, 3)).collect();
    assert!(spread.len() > 8, "{spread:?}");
}

#[test]
fn a_task_fails_at_its_deadline_whether_it_waits_or_is_under_way() {
    let limited = |when: Vec<Condition>| TaskSpec {
        when,
        deadline_cycles: Some(10),
        ..task("a", &[])
    };
    for (silent, when) in [(true, vec![]), (false, vec![at_least(0.5)])] {
        let mut world = World::new();
        world.silent = silent;
        world.submit(goal("g", vec![limited(when)]), 0).unwrap();
        // Approved in cycle 1, ready in 2, over in 12, and the goal with it in 13.
        world.cycles(12);
        assert_eq!(world.state("g"), GoalState::Active);
        world.cycle();
        assert_eq!(failed_at(&world, "g"), Some(Failure::Task(TaskName::new("a").unwrap())));
    }
}

#[test]
fn a_goal_fails_at_its_deadline_and_not_a_cycle_before() {
    let mut world = World::new();
    let limited = GoalSpec {
        deadline_cycles: Some(30),
        ..goal("g", vec![task("a", &[])])
    };
    world.submit(limited.clone(), 0).unwrap();
    world.cycles(30);
    assert_eq!(world.state("g"), GoalState::Active);
    world.cycle();
    assert_eq!(failed_at(&world, "g"), Some(Failure::Deadline));

    // Held for the twentieth time in the very cycle of the deadline: reached.
    let mut world = World::new();
    world.submit(limited, 0).unwrap();
    world.cycles(11);
    world.value = 1.0;
    world.cycles(20);
    assert_eq!(world.state("g"), GoalState::Succeeded);
}

#[test]
fn a_goal_whose_tasks_are_done_has_two_hundred_cycles_to_show_it() {
    let mut world = World::new();
    world.submit(goal("g", vec![task("a", &[])]), 0).unwrap();
    // Approved in 1, done in 2, settled in 3.
    world.cycles(202);
    assert_eq!(world.state("g"), GoalState::Active);
    world.cycle();
    assert_eq!(failed_at(&world, "g"), Some(Failure::NotReached));
}

#[test]
fn a_goal_out_of_actions_fails_and_knobs_cost_none() {
    let mut world = World::new();
    let turn = TaskSpec {
        does: TaskAction::Turn(KnobSetting {
            knob: Knob::RetryBudget,
            to: 1.0,
        }),
        ..task("a", &[])
    };
    let spec = GoalSpec {
        budget: GoalBudget { actions: 1, share: 0.1 },
        ..goal("g", vec![turn, task("b", &["a"]), task("c", &["b"])])
    };
    world.submit(spec, 0).unwrap();
    world.cycles(10);
    assert_eq!(world.started, ["a", "b"]);
    assert_eq!(failed_at(&world, "g"), Some(Failure::Budget));
}

#[test]
fn nothing_is_started_from_the_risk_cap_on_or_without_a_floor() {
    let mut world = World::new();
    world.submit(goal("g", vec![task("a", &[])]), 0).unwrap();
    world.c_l4 = 0.6;
    world.cycles(5);
    assert!(world.started.is_empty());
    let blind = Observed::default();
    assert_eq!(world.table.next(9, &blind, &LIMITS, &Grants::default()), None);
    world.c_l4 = 0.599;
    world.cycle();
    assert_eq!(world.started, ["a"]);
}

#[test]
fn an_outcome_of_another_attempt_changes_nothing() {
    let mut world = World::new();
    world.silent = true;
    let stubborn = TaskSpec {
        retries: 3,
        ..task("a", &[])
    };
    world.submit(goal("g", vec![stubborn]), 0).unwrap();
    world.cycles(2);
    let report = |attempt, outcome| TaskReport {
        goal: id("g"),
        task: 0,
        attempt,
        outcome,
    };
    assert!(!world.report(&report(2, TaskOutcome::Done)));
    assert!(world.report(&report(1, TaskOutcome::Failed)));
    assert!(!world.report(&report(1, TaskOutcome::Done)), "late, and told twice");
    world.cycles(10);
    assert!(!world.report(&report(1, TaskOutcome::Done)));
    assert!(world.report(&report(2, TaskOutcome::Done)));
    assert!(!world.report(&TaskReport {
        goal: id("gone"),
        ..report(1, TaskOutcome::Done)
    }));
}

#[test]
fn a_restart_repeats_nothing_that_is_done_and_nothing_that_might_be() {
    let turn = TaskSpec {
        does: TaskAction::ClearIncident,
        ..task("clear", &["a"])
    };
    let mut world = World::new();
    world
        .submit(
            goal(
                "g",
                vec![task("a", &[]), turn, task("count", &["a"]), task("end", &["count"])],
            ),
            0,
        )
        .unwrap();
    world.cycles(2);
    world.silent = true;
    world.cycles(3);
    assert_eq!(world.started, ["a", "clear", "count"]);
    world.restart();
    world.silent = false;
    world.cycles(20);
    assert_eq!(
        world.started,
        ["a", "clear", "count", "clear"],
        "only what does no harm twice"
    );
    let states: Vec<TaskState> = world
        .table
        .get(&id("g"))
        .unwrap()
        .tasks
        .iter()
        .map(|task| task.state)
        .collect();
    assert_eq!(
        states,
        [
            TaskState::Done,
            TaskState::Done,
            TaskState::Uncertain,
            TaskState::Waiting
        ]
    );
    world.cycles(250);
    assert_eq!(
        failed_at(&world, "g"),
        Some(Failure::Uncertain(TaskName::new("count").unwrap()))
    );
}

#[test]
fn an_uncertain_task_does_not_fail_a_goal_that_is_reached_all_the_same() {
    let mut world = World::new();
    world
        .submit(goal("g", vec![task("a", &[]), task("b", &["a"])]), 0)
        .unwrap();
    world.cycles(2);
    world.silent = true;
    world.cycles(2);
    world.restart();
    world.value = 1.0;
    world.cycles(20);
    assert_eq!(world.state("g"), GoalState::Succeeded);
}

#[test]
fn an_attempt_without_an_outcome_is_lost_after_a_thousand_cycles() {
    let mut world = World::new();
    world.silent = true;
    world.submit(goal("g", vec![task("a", &[])]), 0).unwrap();
    // Started in cycle 2.
    world.cycles(1_001);
    let state = |world: &World| world.table.get(&id("g")).unwrap().tasks[0].state;
    assert_eq!(state(&world), TaskState::InFlight { since: 2 });
    world.cycle();
    assert_eq!(state(&world), TaskState::Uncertain);
}

#[test]
fn a_goal_waits_for_those_before_it_and_is_abandoned_with_them() {
    let after = |name: &str, before: &str| GoalSpec {
        after: vec![id(before)],
        ..goal(name, vec![task("a", &[])])
    };
    let mut world = World::new();
    // In any order.
    world.submit(after("second", "first"), 0).unwrap();
    world.submit(goal("first", vec![task("a", &[])]), 0).unwrap();
    world.cycles(2);
    world.value = 1.0;
    world.cycles(10);
    assert_eq!(world.state("second"), GoalState::Waiting);
    world.cycles(11);
    assert_eq!(world.state("first"), GoalState::Succeeded);
    assert_eq!(world.state("second"), GoalState::Abandoned(Waiver::AlreadyHolds));

    let mut world = World::new();
    world.submit(goal("first", vec![task("a", &[])]), 0).unwrap();
    world.submit(after("second", "first"), 0).unwrap();
    let cancel = world.table.cancel(&id("first"), Origin::User);
    world.apply(cancel);
    world.cycle();
    assert_eq!(
        world.state("second"),
        GoalState::Abandoned(Waiver::Prerequisite(id("first")))
    );
    assert_eq!(world.outcomes.goals_broken, 1);
}

#[test]
fn a_level_takes_back_its_own_goals_since_the_checkpoint_and_nobody_elses() {
    let mut world = World::new();
    let of = |name: &str, origin| GoalSpec {
        origin,
        ..goal(name, vec![task("a", &[])])
    };
    world.submit(of("user", Origin::User), 0).unwrap();
    world.submit(of("old", Origin::L49), 7).unwrap();
    world.submit(of("new", Origin::L49), 8).unwrap();
    world.submit(of("strategy", Origin::L48), 8).unwrap();
    world.cycles(2);
    let withdrawn = world.table.withdraw(Origin::L49, CheckpointId(7));
    assert_eq!(withdrawn.len(), 1);
    world.apply(withdrawn);
    assert_eq!(world.state("new"), GoalState::Withdrawn);
    for name in ["user", "old", "strategy"] {
        assert_eq!(world.state(name), GoalState::Active, "{name}");
    }
    assert!(world.table.withdraw(Origin::User, CheckpointId(0)).is_empty());
    assert!(world.table.cancel(&id("user"), Origin::L49).is_none());
    assert!(world.table.cancel(&id("user"), Origin::User).is_some());
    assert!(world.table.cancel(&id("new"), Origin::L49).is_none(), "closed");
}

#[test]
fn the_same_goal_twice_is_one_and_another_of_its_name_is_refused() {
    let mut world = World::new();
    let spec = goal("g", vec![task("a", &[])]);
    assert_eq!(world.submit(spec.clone(), 0), Ok(true));
    assert_eq!(world.submit(spec.clone(), 0), Ok(false));
    let other = GoalSpec {
        intent: "another".into(),
        ..spec
    };
    assert_eq!(world.submit(other, 0), Err(SubmitError::Taken { goal: id("g") }));
    let foreign = goal(
        "h",
        vec![TaskSpec {
            does: TaskAction::AskPeer { group: 1 },
            ..task("a", &[])
        }],
    );
    assert!(matches!(world.submit(foreign, 0), Err(SubmitError::Spec(_))));
}

#[test]
fn an_agent_sets_itself_no_goal_while_that_is_not_permitted() {
    let table = GoalTable::default();
    let at = Submission {
        checkpoint: CheckpointId(1),
        observed: &Observed::default(),
        dimensions: 1,
        groups: 1,
        creation_permitted: false,
    };
    let of = |origin| {
        Arc::new(GoalSpec {
            origin,
            ..goal("g", vec![task("a", &[])])
        })
    };
    assert_eq!(table.submit(&of(Origin::L49), &at), Err(SubmitError::NotPermitted));
    assert!(matches!(table.submit(&of(Origin::User), &at), Ok(Some(_))));
}

#[test]
fn the_table_is_bounded_and_refuses_aloud() {
    let mut world = World::new();
    for number in 0..MAX_OPEN {
        world
            .submit(goal(&format!("g{number}"), vec![task("a", &[])]), 0)
            .unwrap();
    }
    let refused = world.submit(goal("more", vec![task("a", &[])]), 0);
    assert_eq!(refused, Err(SubmitError::Full { open: MAX_OPEN }));
    for round in 0..3 {
        for number in 0..MAX_OPEN {
            let cancel = world.table.cancel(&id(&format!("g{number}")), Origin::User);
            world.apply(cancel);
        }
        assert_eq!(
            (world.table.open().len(), world.table.closed().len()),
            (0, MAX_CLOSED),
            "{round}"
        );
        for number in 0..MAX_OPEN {
            world
                .submit(goal(&format!("g{number}"), vec![task("a", &[])]), 0)
                .unwrap();
        }
    }
}

#[test]
fn over_the_cap_the_lowest_priority_that_no_user_assigned_waits() {
    for (tier, cap) in [(Tier::Strategic, 3), (Tier::Operational, 7), (Tier::Tactical, 15)] {
        let of = |assigned| Candidate { tier, assigned };
        let full = vec![of(false); cap];
        assert_eq!(give_places(&full).queued, Vec::<usize>::new(), "{tier}");
        let over = vec![of(false); cap + 1];
        assert_eq!(give_places(&over).queued, [cap], "{tier}");
        // The lowest is a user's: the one above it waits.
        let mut mixed = over.clone();
        mixed[cap] = of(true);
        assert_eq!(give_places(&mixed).queued, [cap - 1], "{tier}");
        let users = vec![of(true); cap + 2];
        assert_eq!(give_places(&users).queued, [cap, cap + 1], "{tier}");
    }
}

#[test]
fn a_goal_without_a_place_is_shown_as_queued_and_gets_one_when_another_is_closed() {
    let mut world = World::new();
    for number in 0..4 {
        let spec = GoalSpec {
            tier: Tier::Strategic,
            ..goal(&format!("g{number}"), vec![task("a", &[])])
        };
        world.submit(spec, 0).unwrap();
    }
    world.cycles(3);
    assert_eq!(world.state("g3"), GoalState::Waiting);
    assert_eq!(world.table.views()[3].state, "queued");
    // The order of Level 4.8 decides who waits.
    world.apply([Change::Order {
        goals: vec![id("g3"), id("g1"), id("g2")],
    }]);
    world.cycle();
    assert_eq!(world.state("g3"), GoalState::Active);
    let running: Vec<&str> = world
        .table
        .running()
        .iter()
        .map(|record| record.spec.goal.as_str())
        .collect();
    assert_eq!(running, ["g3", "g1", "g2"]);
    let cancel = world.table.cancel(&id("g1"), Origin::User);
    world.apply(cancel);
    assert_eq!(world.table.running().len(), 3);
}

#[test]
fn every_action_of_a_task_is_one_of_the_kernel_and_a_knob_is_none() {
    assert_eq!(
        action_of(&TaskAction::AskPeer { group: 3 }),
        Some(Action::AskPeer { group: 3 })
    );
    assert_eq!(action_of(&TaskAction::ClearIncident), Some(Action::ClearIncident));
    let setting = KnobSetting {
        knob: Knob::RiskCap,
        to: 0.5,
    };
    assert_eq!(action_of(&TaskAction::Turn(setting)), None);
}

#[test]
fn a_damaged_table_is_refused() {
    let mut world = World::new();
    world.submit(goal("g", vec![task("a", &[])]), 0).unwrap();
    world.cycles(3);
    let state = |change: fn(&mut GoalTable)| {
        let mut table = world.table.clone();
        change(&mut table);
        GoalTable::try_from(TableState::from(table))
    };
    assert!(state(|_| {}).is_ok());
    let refused = Err(RestoreError::Record { goal: id("g") });
    assert_eq!(state(|table| table.open[0].tasks.clear()), refused);
    assert_eq!(state(|table| table.open[0].held_cycles = 21), refused);
    assert_eq!(state(|table| table.open[0].tasks[0].failures = 2), refused);
    assert_eq!(state(|table| table.open[0].state = GoalState::Succeeded), refused);
    assert_eq!(state(|table| table.open[0].approved_at = None), refused);
    assert_eq!(state(|table| table.numbers = 0), refused);
    assert_eq!(state(|table| table.open.push(table.open[0].clone())), refused);
    assert_eq!(
        state(|table| table.open = vec![table.open[0].clone(); MAX_OPEN + 1]),
        Err(RestoreError::TooMany {
            found: MAX_OPEN + 1,
            most: MAX_OPEN
        })
    );
}

/// What a table may be put through.
#[derive(Debug, Clone)]
enum Event {
    Submit(u8, u8),
    Cycle(f64),
    Restart,
    Cancel(u8),
    Withdraw(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..90_u8, 0..4_u8).prop_map(|(number, origin)| Event::Submit(number, origin)),
        20 => prop_oneof![Just(0.0), Just(1.0), Just(f64::NAN)].prop_map(Event::Cycle),
        1 => Just(Event::Restart),
        1 => (0..90_u8).prop_map(Event::Cancel),
        1 => (0..4_u8).prop_map(Event::Withdraw),
    ]
}

const ORIGINS: [Origin; 4] = [Origin::User, Origin::L48, Origin::L49, Origin::L6];

proptest! {
    #[test]
    fn whatever_happens_the_table_stays_bounded_restorable_and_repeats_nothing_done(
        events in prop::collection::vec(event(), 1..120),
        fails in any::<bool>(),
    ) {
        let mut world = World::new();
        if fails {
            world.fails = vec!["b"];
        }
        for event in events {
            let done: Vec<(u64, usize)> = done_tasks(&world.table);
            match event {
                Event::Submit(number, origin) => {
                    let retried = TaskSpec { retries: 2, deadline_cycles: Some(40), ..task("b", &["a"]) };
                    let spec = GoalSpec {
                        origin: ORIGINS[usize::from(origin)],
                        tier: Tier::ALL[usize::from(number % 3)],
                        deadline_cycles: Some(100),
                        ..goal(&format!("g{number}"), vec![task("a", &[]), retried])
                    };
                    let _ = world.submit(spec, u64::from(number));
                }
                Event::Cycle(value) => {
                    world.value = value;
                    world.cycle();
                }
                Event::Restart => world.restart(),
                Event::Cancel(number) => {
                    let cancel = world.table.cancel(&id(&format!("g{number}")), Origin::User);
                    world.apply(cancel);
                }
                Event::Withdraw(origin) => {
                    let users = count_of(&world.table, Origin::User);
                    let changes = world.table.withdraw(ORIGINS[usize::from(origin)], CheckpointId(10));
                    world.apply(changes);
                    prop_assert_eq!(count_of(&world.table, Origin::User), users);
                }
            }
            prop_assert!(world.table.open().len() <= MAX_OPEN && world.table.closed().len() <= MAX_CLOSED);
            let state = TableState::from(world.table.clone());
            prop_assert!(GoalTable::try_from(state).is_ok());
            let now = done_tasks(&world.table);
            for (number, index) in done {
                let open = world.table.open().iter().any(|record| record.number == number);
                prop_assert!(!open || now.contains(&(number, index)), "done once, done for good");
            }
            for tier in Tier::ALL {
                let running = world.table.running().iter().filter(|record| record.spec.tier == tier).count();
                prop_assert!(running <= tier.cap());
            }
        }
    }
}

fn count_of(table: &GoalTable, origin: Origin) -> usize {
    table
        .open()
        .iter()
        .filter(|record| record.spec.origin == origin)
        .count()
}

fn done_tasks(table: &GoalTable) -> Vec<(u64, usize)> {
    let done = table.open().iter().flat_map(|record| {
        let tasks = record.tasks.iter().enumerate();
        tasks
            .filter(|(_, task)| task.state == TaskState::Done)
            .map(|(index, _)| (record.number, index))
            .collect::<Vec<_>>()
    });
    done.collect()
}
