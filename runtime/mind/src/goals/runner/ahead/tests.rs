use super::*;
use crate::goals::{FloorSight, TaskState};
use crate::l3::{Action, TaskTurn};
use proptest::prelude::*;
use rungs_types::goal::{
    Comparison, Condition, GoalBudget, GoalSpec, Knob, KnobSetting, Origin, Quantity, Reward, Success, TaskAction,
    TaskSpec, Tier,
};
use rungs_types::{CheckpointId, GoalId, TaskName};
use std::collections::BTreeMap;
use std::sync::Arc;

const FASTER: TaskAction = TaskAction::SampleFaster { group: 1 };
const TELL: TaskAction = TaskAction::RaiseIncident { group: 1 };
const TURN: TaskAction = TaskAction::Turn(KnobSetting {
    knob: Knob::RetryBudget,
    to: 2.0,
});

/// A goal whose tasks follow each other; it is reached when the only dimension is at least 1.
fn goal(name: &str, does: &[TaskAction]) -> Arc<GoalSpec> {
    let name_of = |index: usize| TaskName::new(&format!("t{index}")).unwrap();
    let tasks = does.iter().enumerate().map(|(index, does)| TaskSpec {
        name: name_of(index),
        does: *does,
        after: index.checked_sub(1).map(name_of).into_iter().collect(),
        when: Vec::new(),
        retries: 1,
        deadline_cycles: None,
    });
    let reached = Condition {
        of: Quantity::Dimension(0),
        is: Comparison::AtLeast,
        value: 1.0,
    };
    Arc::new(GoalSpec {
        goal: GoalId::new(name).unwrap(),
        intent: "reach one".into(),
        origin: Origin::User,
        tier: Tier::Tactical,
        success: Success {
            all: vec![reached],
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

/// A runner whose changes are kept, that goes on from this at cycle 0.
fn resumed(state: RunnerState, kept: Vec<Entry>, cycle: u64) -> Runner {
    let mut runner = Runner::resumed(state, kept, 1, 2, cycle);
    runner.hear(Some(FloorSight {
        c_l4: 0.1,
        ..FloorSight::default()
    }));
    runner
}

fn with_goal(does: &[TaskAction]) -> Runner {
    let mut runner = resumed(RunnerState::default(), Vec::new(), 0);
    assert_eq!(runner.submit(&goal("g", does), CheckpointId(0), true), Ok(true));
    runner
}

fn tasks(runner: &Runner) -> Vec<TaskState> {
    let record = runner.table().get(&GoalId::new("g").unwrap()).unwrap();
    record.tasks.iter().map(|task| task.state).collect()
}

/// Cycles until a change of this kind is to be kept; gives all that were, and the cycle.
fn until(runner: &mut Runner, from: u64, wanted: impl Fn(&Change) -> bool) -> (Vec<Entry>, u64) {
    let mut kept = runner.take_journal();
    for cycle in from..from + 20 {
        assert_eq!(runner.begin(cycle, &[0.0], None).task, None);
        kept.extend(runner.take_journal());
        if kept.last().is_some_and(|entry| wanted(&entry.change)) {
            return (kept, cycle);
        }
        runner.end(Action::Hold, TaskTurn::None);
    }
    panic!("not within twenty cycles: {kept:?}")
}

fn is_intention(change: &Change) -> bool {
    matches!(change, Change::Intend { .. })
}

#[test]
fn a_task_whose_repetition_does_harm_is_owed_when_its_intention_is_durable() {
    let mut runner = with_goal(&[FASTER]);
    let (kept, cycle) = until(&mut runner, 1, is_intention);
    assert_eq!(
        kept.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
        (1..=runner.seq()).collect::<Vec<_>>()
    );
    runner.durable(runner.seq() - 1, false);
    assert_eq!(runner.duty().task, None);
    runner.end(Action::Hold, TaskTurn::None);
    // Nothing is written twice while it waits.
    assert_eq!(runner.begin(cycle + 1, &[0.0], None).task, None);
    assert_eq!(runner.take_journal(), []);
    runner.durable(runner.seq(), false);
    let action = Action::SampleFaster { group: 1 };
    assert_eq!(runner.duty().task, Some(action));
    // The kernel may have no turn for it; it is owed again without being intended again.
    runner.end(Action::Hold, TaskTurn::Deferred);
    assert_eq!(runner.begin(cycle + 2, &[0.0], None).task, Some(action));
    runner.end(action, TaskTurn::Granted);
    runner.came_out(action, true);
    let changes: Vec<_> = runner.take_journal().into_iter().map(|entry| entry.change).collect();
    assert!(
        matches!(changes[..], [Change::Start { .. }, Change::Done { .. }]),
        "{changes:?}"
    );
}

#[test]
fn a_task_whose_repetition_does_no_harm_waits_for_nothing() {
    let mut runner = with_goal(&[TELL]);
    let owed = (1..10).find(|cycle| runner.begin(*cycle, &[0.0], None).task.is_some());
    assert!(owed.is_some());
}

#[test]
fn a_task_that_was_intended_when_the_agent_ended_is_uncertain_and_told_of() {
    let mut runner = with_goal(&[FASTER]);
    let (kept, cycle) = until(&mut runner, 1, is_intention);
    let mut again = resumed(RunnerState::default(), kept, 0);
    assert_eq!(tasks(&again), [TaskState::Uncertain]);
    let news = again.take_news();
    assert!(
        matches!(&news[..], [EventKind::Warning { summary }] if summary.contains("task t0 of goal g")),
        "{news:?}"
    );
    for cycle in 1..cycle + 30 {
        again.durable(again.seq(), false);
        assert_eq!(again.begin(cycle, &[0.0], None).task, None);
        again.end(Action::Hold, TaskTurn::None);
    }
}

#[test]
fn while_nothing_can_be_made_durable_only_harmless_tasks_begin() {
    let mut runner = with_goal(&[FASTER]);
    until(&mut runner, 1, is_intention);
    assert_eq!(
        runner.submit(&goal("h", &[TELL]), CheckpointId(0), true),
        Ok(true),
        "what is asked of it is taken"
    );
    runner.end(Action::Hold, TaskTurn::None);
    runner.durable(0, true);
    let mut acted = Vec::new();
    for cycle in 20..40 {
        let task = runner.begin(cycle, &[0.0], None).task;
        acted.extend(task);
        runner.end(
            task.unwrap_or(Action::Hold),
            if task.is_some() {
                TaskTurn::Granted
            } else {
                TaskTurn::None
            },
        );
    }
    assert_eq!(acted, [Action::RaiseIncident { group: 1 }]);
    let withheld = runner.take_journal();
    let withheld = withheld
        .iter()
        .filter(|entry| matches!(entry.change, Change::Withhold { .. }));
    assert_eq!(withheld.count(), 1);
    // And it begins when the store is back.
    runner.durable(runner.seq(), false);
    runner.begin(40, &[0.0], None);
    runner.durable(runner.seq(), false);
    assert_eq!(runner.duty().task, Some(Action::SampleFaster { group: 1 }));
}

#[test]
fn what_is_missing_is_told_and_no_number_is_given_twice() {
    let mut runner = with_goal(&[FASTER]);
    let (mut kept, _) = until(&mut runner, 1, is_intention);
    kept.remove(1);
    let mut again = resumed(RunnerState::default(), kept, 0);
    assert!(again.seq() >= runner.seq());
    let news = again.take_news();
    assert!(
        matches!(&news[0], EventKind::Warning { summary } if summary.starts_with("1 changes")),
        "{news:?}"
    );
}

#[test]
fn a_runner_that_nobody_keeps_gathers_nothing() {
    let mut runner = Runner::new(1, 2);
    runner.submit(&goal("g", &[FASTER]), CheckpointId(0), true).unwrap();
    assert_eq!(runner.take_journal(), []);
}

/// What may become of a turn's task.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Done,
    Fails,
    Refused,
    Deferred,
    Flies,
}

fn fates() -> impl Strategy<Value = Vec<(Fate, bool)>> {
    let fate = prop_oneof![
        4 => Just(Fate::Done),
        1 => Just(Fate::Fails),
        1 => Just(Fate::Refused),
        1 => Just(Fate::Deferred),
        1 => Just(Fate::Flies),
    ];
    prop::collection::vec((fate, any::<bool>()), 1..120)
}

proptest! {
    #[test]
    fn the_state_is_the_fold_of_what_is_kept_and_nothing_done_is_done_again(
        fates in fates(),
        cut: prop::sample::Index,
    ) {
        let mut runner = with_goal(&[TURN, FASTER, TELL, FASTER, TELL, FASTER]);
        let (mut snapshot, mut kept) = (RunnerState::default(), runner.take_journal());
        let cut = cut.index(fates.len());
        for (index, (fate, durable)) in fates.iter().enumerate() {
            let cycle = index as u64 + 1;
            let value = f64::from(u8::from(index > 60));
            runner.begin(cycle, &[value], None);
            if *durable {
                runner.durable(runner.seq(), false);
            }
            let task = runner.duty().task;
            match (task, fate) {
                (None, _) => runner.end(Action::Hold, TaskTurn::None),
                (Some(_), Fate::Refused) => runner.end(Action::Hold, TaskTurn::Refused),
                (Some(_), Fate::Deferred) => runner.end(Action::Hold, TaskTurn::Deferred),
                (Some(action), fate) => {
                    runner.end(action, TaskTurn::Granted);
                    if !matches!(fate, Fate::Flies) {
                        runner.came_out(action, matches!(fate, Fate::Done));
                    }
                }
            }
            kept.extend(runner.take_journal());
            if index == cut {
                snapshot = runner.snapshot();
            }
        }
        let cycle = fates.len() as u64;
        // With and without a snapshot, and with what the snapshot has already.
        let whole = Runner::restored(runner.snapshot(), 1, 2, cycle).snapshot();
        prop_assert_eq!(&Runner::resumed(snapshot, kept.clone(), 1, 2, cycle).snapshot(), &whole);
        let again = Runner::resumed(RunnerState::default(), kept, 1, 2, cycle);
        prop_assert_eq!(&again.snapshot(), &whole);
        let (before, after) = (tasks(&runner), tasks(&again));
        for (before, after) in before.iter().zip(after) {
            prop_assert_eq!(*before == TaskState::Done, after == TaskState::Done);
        }
    }
}

#[test]
fn a_state_of_a_later_cycle_counts_as_long_ago_as_it_was() {
    let mut runner = with_goal(&[TELL, FASTER]);
    let told = (100..110).find(|cycle| {
        let task = runner.begin(*cycle, &[0.0], None).task;
        runner.end(
            task.unwrap_or(Action::Hold),
            match task {
                Some(_) => TaskTurn::Granted,
                None => TaskTurn::None,
            },
        );
        task.is_some_and(|tell| {
            runner.came_out(tell, true);
            true
        })
    });
    let told = told.expect("the first task is owed");
    let (_, cycle) = until(&mut runner, told + 1, is_intention);
    let state = runner.snapshot();
    assert_eq!(state.clone().brought_to(cycle, cycle + 5), state, "never forward");
    let back = state.clone().brought_to(cycle, cycle - 50);
    let (before, after) = (&state.table.open()[0], &back.table.open()[0]);
    assert_eq!(after.approved_at.unwrap() + 50, before.approved_at.unwrap());
    assert_eq!(after.progressed_at + 50, before.progressed_at);
    assert_eq!(after.tasks[1].ready_at.unwrap() + 50, before.tasks[1].ready_at.unwrap());
    let from_nothing = state.clone().brought_to(cycle, 0);
    let record = &from_nothing.table.open()[0];
    assert_eq!((record.set_at, record.approved_at), (0, Some(0)));
    assert_eq!(record.tasks[0].state, TaskState::Done);
    // It goes on: what is done is done, and what was intended may have been done.
    let resumed = resumed(from_nothing, Vec::new(), 0);
    assert_eq!(tasks(&resumed), [TaskState::Done, TaskState::Uncertain]);
    assert!(resumed.seq() > state.seq, "numbers go on");
}
