use super::*;
use crate::goals::{GoalState, HOLD_CYCLES, TaskState};
use rungs_types::TaskName;
use rungs_types::goal::{Comparison, Condition, GoalBudget, KnobSetting, Quantity, Reward, Success, TaskSpec, Tier};
use std::collections::BTreeMap;

fn goal(does: &[TaskAction]) -> Arc<GoalSpec> {
    let name = |index: usize| TaskName::new(&format!("t{index}")).unwrap();
    let tasks = does.iter().enumerate().map(|(index, does)| TaskSpec {
        name: name(index),
        does: *does,
        after: (0..index).map(name).collect(),
        when: Vec::new(),
        retries: 1,
        deadline_cycles: None,
    });
    Arc::new(GoalSpec {
        goal: GoalId::new("g").unwrap(),
        intent: "reach one".into(),
        origin: Origin::User,
        tier: Tier::Tactical,
        success: Success {
            all: vec![Condition {
                of: Quantity::Dimension(0),
                is: Comparison::AtLeast,
                value: 1.0,
            }],
            any: Vec::new(),
        },
        tasks: tasks.collect(),
        after: Vec::new(),
        deadline_cycles: None,
        budget: GoalBudget::default(),
        skills: Vec::new(),
        reward: Reward::default(),
        weights: BTreeMap::new(),
    })
}

fn runner() -> Runner {
    let mut runner = Runner::new(1, 2);
    runner.hear(Some(FloorSight {
        c_l4: 0.1,
        ..FloorSight::default()
    }));
    runner
}

const FASTER: TaskAction = TaskAction::SampleFaster { group: 1 };
const ASK: TaskAction = TaskAction::AskPeer { group: 0 };

fn turn(knob: Knob, to: f64) -> TaskAction {
    TaskAction::Turn(KnobSetting { knob, to })
}

fn state(runner: &Runner) -> &GoalState {
    &runner.table().get(&GoalId::new("g").unwrap()).unwrap().state
}

fn tasks(runner: &Runner) -> Vec<TaskState> {
    let record = runner.table().get(&GoalId::new("g").unwrap()).unwrap();
    record.tasks.iter().map(|task| task.state).collect()
}

#[test]
fn a_goal_runs_from_its_first_task_to_its_success() {
    let mut runner = runner();
    assert_eq!(runner.begin(1, &[0.0], None).task, None);
    runner.submit(&goal(&[ASK]), CheckpointId(0), true).unwrap();
    // Approved and ready in one cycle each, then owed.
    let mut cycle = 1;
    let duty = loop {
        cycle += 1;
        let duty = runner.begin(cycle, &[0.0], None);
        if duty.task.is_some() {
            break duty;
        }
        assert!(cycle < 6, "the task is owed within a few cycles");
    };
    assert_eq!(duty.task, Some(Action::AskPeer { group: 0 }));
    runner.end(Action::AskPeer { group: 0 }, TaskTurn::Granted);
    assert_eq!(runner.take_outcomes().tasks_succeeded, 1);
    for _ in 0..HOLD_CYCLES {
        assert_eq!(*state(&runner), GoalState::Active);
        cycle += 1;
        assert_eq!(runner.begin(cycle, &[1.0], None).task, None);
    }
    assert_eq!(*state(&runner), GoalState::Succeeded);
    assert_eq!(runner.take_outcomes().goals_kept, 1);
}

/// Begins cycles until a task is owed; gives the cycle.
fn until_owed(runner: &mut Runner, from: u64) -> u64 {
    (from..from + 20)
        .find(|cycle| runner.begin(*cycle, &[0.0], None).task.is_some())
        .expect("owed within twenty cycles")
}

#[test]
fn a_change_of_sampling_is_done_when_it_was_carried_out_and_the_kernels_own_is_no_task() {
    let mut runner = runner();
    runner.submit(&goal(&[FASTER]), CheckpointId(0), true).unwrap();
    let action = Action::SampleFaster { group: 1 };
    // One that the kernel takes of itself, under way before the task's.
    runner.begin(1, &[0.0], None);
    runner.end(action, TaskTurn::None);
    let cycle = until_owed(&mut runner, 2);
    runner.end(action, TaskTurn::Granted);
    runner.sampled(action, false);
    assert_eq!(
        tasks(&runner),
        [TaskState::InFlight { since: cycle }],
        "that was the kernel's"
    );
    runner.sampled(action, true);
    assert_eq!(tasks(&runner), [TaskState::Done]);
    runner.sampled(action, true);
    assert_eq!(runner.take_outcomes().tasks_succeeded, 1);
}

#[test]
fn a_refused_task_has_failed_an_attempt_and_a_deferred_one_has_not() {
    let mut runner = runner();
    runner.submit(&goal(&[ASK]), CheckpointId(0), true).unwrap();
    let mut cycle = 0;
    for _ in 0..5 {
        cycle = until_owed(&mut runner, cycle + 1);
        runner.end(Action::Hold, TaskTurn::Deferred);
    }
    // One retry: two refusals.
    for _ in 0..2 {
        cycle = until_owed(&mut runner, cycle + 1);
        runner.end(Action::Hold, TaskTurn::Refused);
    }
    runner.begin(cycle + 1, &[0.0], None);
    assert!(matches!(state(&runner), GoalState::Failed(_)));
    assert_eq!(runner.take_outcomes().tasks_failed, 1);
}

#[test]
fn a_turned_knob_is_in_force_at_once_and_stays_after_a_restart() {
    let mut runner = runner();
    let spec = goal(&[turn(Knob::ExplorationRate, 0.1), turn(Knob::ParallelTasks, 1.0), ASK]);
    runner.submit(&spec, CheckpointId(0), true).unwrap();
    let cycle = until_owed(&mut runner, 1);
    assert_eq!(runner.begin(cycle + 1, &[0.0], None).exploration_rate, Some(0.1));
    assert_eq!(runner.strategy().limits().parallel_tasks, 1);
    let restored = Runner::restored(runner.snapshot(), 1, 2, cycle);
    assert_eq!(restored.strategy(), runner.strategy());
    assert_eq!(tasks(&restored), tasks(&runner));
}

#[test]
fn advice_is_followed_by_its_weight() {
    let mut runner = runner();
    let mut rate = |weight| {
        runner
            .begin(1, &[0.0], Some((&Strategy::AGGRESSIVE, weight)))
            .exploration_rate
    };
    assert_eq!(rate(0.0), Some(0.02));
    assert!((rate(0.5).unwrap() - 0.035).abs() < 1e-12);
    assert_eq!(rate(1.0), Some(0.05));
    assert_eq!(
        runner.begin(2, &[0.0], None).exploration_rate,
        Some(0.02),
        "withdrawn with the advice"
    );
}

#[test]
fn a_dimension_that_was_not_seen_for_fifty_cycles_is_unknown() {
    let mut runner = runner();
    runner.begin(1, &[1.0], None);
    let unknown = |runner: &Runner| runner.observed().measure(Quantity::Dimension(0)).is_none();
    runner.begin(50, &[f64::NAN], None);
    assert!(!unknown(&runner));
    runner.begin(51, &[f64::NAN], None);
    assert!(unknown(&runner));
}

#[test]
fn the_default_duty_is_what_the_kernel_does_of_itself() {
    let duty = runner().begin(1, &[0.0], None);
    assert_eq!(duty.exploration_rate, Some(crate::setup::EXPLORATION_RATE));
    assert_eq!(duty.task, None);
}
