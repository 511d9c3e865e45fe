use super::*;
use crate::goals::{CONSTRAINED_SHARE, GoalState, HOLD_CYCLES, TaskState};
use crate::l45::purpose::{Finding, MAX_FINDINGS, Pathology as Ill, Remedy as Cure};
use rungs_types::TaskName;
use rungs_types::goal::{
    Comparison, Condition, GoalBudget, Knob, KnobSetting, Quantity, Reward, Success, TaskSpec, Tier,
};
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
    let ask = Action::AskPeer { group: 0 };
    runner.end(ask, TaskTurn::Granted);
    assert_eq!(runner.take_outcomes().tasks_succeeded, 0, "nobody has answered");
    runner.came_out(ask, true);
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
    runner.came_out(action, false);
    assert_eq!(
        tasks(&runner),
        [TaskState::InFlight { since: cycle }],
        "that was the kernel's"
    );
    runner.came_out(action, true);
    assert_eq!(tasks(&runner), [TaskState::Done]);
    runner.came_out(action, true);
    assert_eq!(runner.take_outcomes().tasks_succeeded, 1);
}

#[test]
fn a_question_without_an_answer_has_failed_an_attempt() {
    let mut runner = runner();
    runner.submit(&goal(&[ASK]), CheckpointId(0), true).unwrap();
    let ask = Action::AskPeer { group: 0 };
    let mut cycle = 0;
    // One retry: two questions.
    for _ in 0..2 {
        cycle = until_owed(&mut runner, cycle + 1);
        runner.end(ask, TaskTurn::Granted);
        assert_eq!(tasks(&runner), [TaskState::InFlight { since: cycle }]);
        runner.came_out(ask, false);
    }
    runner.begin(cycle + 1, &[0.0], None);
    assert!(matches!(state(&runner), GoalState::Failed(_)));
    assert_eq!(runner.take_outcomes().tasks_failed, 1);
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
    let mut advice = advice(10);
    advice.plan.choice.strategy = Strategy::AGGRESSIVE;
    let mut rate = |authority| runner.begin(21, &[0.0], Some((&advice, authority))).exploration_rate;
    assert_eq!(rate(Authority::Advisory), Some(0.02));
    assert!((rate(Authority::Half).unwrap() - 0.035).abs() < 1e-12);
    assert_eq!(rate(Authority::Full), Some(0.05));
    assert_eq!(
        runner.begin(22, &[0.0], None).exploration_rate,
        Some(0.02),
        "withdrawn with the advice"
    );
    let given_in_half = Advice {
        authority: Authority::Half,
        ..advice
    };
    let rate = runner.begin(23, &[0.0], Some((&given_in_half, Authority::Full)));
    assert!((rate.exploration_rate.unwrap() - 0.035).abs() < 1e-12);
}

#[test]
fn the_fallback_of_a_rebalance_holds_whole_in_advisory_and_not_in_shadow() {
    let mut runner = with_three_goals();
    let mut advice = advice(10);
    advice.plan = crate::l48::plan::InForce::fallback();
    let knobs = |runner: &mut Runner, cycle, authority| {
        runner.begin(cycle, &[0.0], Some((&advice, authority)));
        let limits = runner.strategy().limits();
        (limits.parallel_tasks, limits.risk_cap)
    };
    for (cycle, authority) in [(20, Authority::Advisory), (21, Authority::Half), (22, Authority::Full)] {
        assert_eq!(knobs(&mut runner, cycle, authority), (1, 0.40), "{authority}");
    }
    assert_eq!(knobs(&mut runner, 23, Authority::Shadow), (3, 0.60), "the kernel's own");
}

/// Advice of the report of this cycle, at full authority, that asks for nothing.
fn advice(from_cycle: u64) -> Advice {
    Advice {
        level: rungs_types::Level::L48,
        epoch: rungs_types::Epoch(0),
        authority: Authority::Full,
        checkpoint: CheckpointId(1),
        from_cycle,
        effective_at: from_cycle + 10,
        forecast: Vec::new(),
        variance: vec![0.4],
        confidence: None,
        eu: 0.1,
        res: 0.2,
        rdf: 300.0,
        structural_permitted: true,
        plan: crate::l48::plan::InForce::default(),
    }
}

/// Three goals: two of the level's, `a` and `b`, and a user's, `u`.
fn with_three_goals() -> Runner {
    let mut runner = runner();
    for (name, origin) in [("a", Origin::L48), ("b", Origin::L48), ("u", Origin::User)] {
        let spec = GoalSpec {
            goal: GoalId::new(name).unwrap(),
            origin,
            ..GoalSpec::clone(&goal(&[FASTER]))
        };
        assert!(runner.submit(&Arc::new(spec), CheckpointId(1), true).unwrap());
    }
    runner
}

fn ids(names: &[&str]) -> Vec<GoalId> {
    names.iter().map(|name| GoalId::new(name).unwrap()).collect()
}

fn open(runner: &mut Runner) -> Vec<GoalId> {
    runner
        .report()
        .open
        .into_iter()
        .map(|record| record.spec.goal.clone())
        .collect()
}

#[test]
fn goals_are_ordered_as_advised_from_half_authority_on_and_as_set_again_without_advice() {
    let mut runner = with_three_goals();
    let mut advice = advice(10);
    advice.plan.order = ids(&["u", "b", "a"]);
    for (cycle, authority, order) in [
        (20, Authority::Advisory, ["a", "b", "u"]),
        (21, Authority::Half, ["u", "b", "a"]),
    ] {
        // Advice of another cycle, so that it is looked at anew.
        advice.from_cycle = cycle - 10;
        runner.begin(cycle, &[0.0], Some((&advice, authority)));
        assert_eq!(open(&mut runner), ids(&order), "{authority}");
    }
    runner.begin(22, &[0.0], None);
    assert_eq!(open(&mut runner), ids(&["a", "b", "u"]));
}

#[test]
fn what_the_world_model_says_is_known_to_goals_while_it_speaks() {
    let mut runner = runner();
    let measured = |runner: &Runner| {
        (
            runner.observed().measure(Quantity::Res),
            runner.observed().measure(Quantity::Variance(0)),
        )
    };
    assert_eq!(measured(&runner), (None, None));
    runner.begin(20, &[0.0], Some((&advice(10), Authority::Advisory)));
    assert_eq!(measured(&runner), (Some(0.2), Some(0.4)));
    runner.begin(21, &[0.0], None);
    assert_eq!(measured(&runner), (None, None));
}

#[test]
fn a_goal_that_the_plan_gives_up_is_abandoned_and_a_users_never() {
    let mut runner = with_three_goals();
    let mut advice = advice(10);
    let give_up = |goal: &str, circular| Remedy::Abandon {
        goal: GoalId::new(goal).unwrap(),
        circular,
    };
    advice.plan.remedies = vec![give_up("a", true), give_up("u", false), give_up("b", false)];
    runner.begin(20, &[0.0], Some((&advice, Authority::Full)));
    let report = runner.report();
    assert_eq!(report.open.len(), 1);
    assert_eq!(report.open[0].spec.goal.as_str(), "u");
    let closed: Vec<_> = report
        .closed
        .iter()
        .map(|record| (record.spec.goal.as_str(), record.state.clone()))
        .collect();
    assert_eq!(
        closed,
        [
            ("a", GoalState::Abandoned(Waiver::Circular)),
            ("b", GoalState::Abandoned(Waiver::Stale)),
        ]
    );
    assert!(runner.report().closed.is_empty(), "told once");
}

#[test]
fn a_goal_with_a_small_grant_acts_seldom() {
    let mut runner = runner();
    runner.submit(&goal(&[FASTER, FASTER]), CheckpointId(0), true).unwrap();
    let mut advice = advice(10);
    advice.plan.allocation.goals = vec![crate::l48::plan::Grant {
        goal: GoalId::new("g").unwrap(),
        share: 0.1,
    }];
    let mut acted = Vec::new();
    for cycle in 20..60 {
        let duty = runner.begin(cycle, &[0.0], Some((&advice, Authority::Full)));
        let Some(action) = duty.task else {
            runner.end(Action::Hold, TaskTurn::None);
            continue;
        };
        runner.end(action, TaskTurn::Granted);
        runner.came_out(action, true);
        acted.push(cycle);
    }
    assert_eq!(acted.len(), 2);
    // In the second cycle it had 1.2, and 0.2 was left: eight cycles of 0.1 later there is enough again.
    assert_eq!((acted[0], acted[1]), (21, 29));
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

/// What is wrong with the goal of this number.
fn finding(goal: u64, pathology: Ill, remedy: Cure) -> Option<Finding> {
    let measure = 0.9;
    Some(Finding {
        goal,
        pathology,
        measure,
        remedy,
    })
}

fn found(runner: &mut Runner, all: &[Option<Finding>]) {
    let mut findings = [None; MAX_FINDINGS];
    findings[..all.len()].copy_from_slice(all);
    runner.hear(Some(FloorSight {
        c_l4: 0.1,
        findings,
        ..FloorSight::default()
    }));
}

fn states(runner: &mut Runner) -> Vec<(String, String)> {
    let told = runner.take_news().into_iter().filter_map(|kind| match kind {
        EventKind::Goal { goal, state, .. } => Some((goal.to_string(), state)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_redundant_goal_is_given_up_for_the_other_and_a_users_goes_on_with_less() {
    let mut runner = with_three_goals();
    states(&mut runner);
    // `b` does what `a` does, and so does the user's; `a` itself is as good as the user's.
    let twin = |goal, with| finding(goal, Ill::Redundant { with }, Cure::Merge);
    found(&mut runner, &[twin(2, 1), twin(3, 1), twin(1, 2)]);
    runner.begin(1, &[0.0], None);
    let closed = runner.report().closed;
    let merged = GoalState::Abandoned(Waiver::Merged(GoalId::new("a").unwrap()));
    assert_eq!(closed.len(), 1);
    assert_eq!((closed[0].spec.goal.as_str(), &closed[0].state), ("b", &merged));
    assert_eq!(open(&mut runner), ids(&["a", "u"]));
    let told = [("b", "abandoned: a does the same"), ("u", "constrained")];
    assert_eq!(
        states(&mut runner),
        told.map(|(goal, state)| (goal.to_owned(), state.to_owned()))
    );
    assert_eq!(runner.take_outcomes().goals_broken, 1);
}

#[test]
fn a_goal_that_another_waits_for_is_not_merged_away() {
    let mut runner = with_three_goals();
    let waiting = GoalSpec {
        goal: GoalId::new("w").unwrap(),
        after: ids(&["b"]),
        ..GoalSpec::clone(&goal(&[FASTER]))
    };
    runner.submit(&Arc::new(waiting), CheckpointId(0), true).unwrap();
    found(&mut runner, &[finding(2, Ill::Redundant { with: 1 }, Cure::Merge)]);
    runner.begin(1, &[0.0], None);
    assert_eq!(open(&mut runner).len(), 4);
    assert_eq!(
        runner.grants.relief().share(&GoalId::new("b").unwrap()),
        CONSTRAINED_SHARE
    );
}

#[test]
fn no_task_of_a_paused_goal_is_started_while_the_finding_stands() {
    let mut runner = runner();
    let own = GoalSpec {
        origin: Origin::L49,
        ..GoalSpec::clone(&goal(&[turn(Knob::RiskCap, 0.5), ASK]))
    };
    runner.submit(&Arc::new(own), CheckpointId(1), true).unwrap();
    states(&mut runner);
    let paused = finding(1, Ill::Destabilising, Cure::Pause);
    for cycle in 1..=50 {
        found(&mut runner, &[paused]);
        assert_eq!(runner.begin(cycle, &[0.0], None).task, None, "{cycle}");
        runner.end(Action::Hold, TaskTurn::None);
    }
    assert!(tasks(&runner).iter().all(|task| *task == TaskState::Waiting));
    found(&mut runner, &[]);
    assert_eq!(until_owed(&mut runner, 51), 52, "the knob at 51, the action after it");
    let told = states(&mut runner);
    let states: Vec<&str> = told.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(states, ["paused", "paused no more"]);
}

#[test]
fn a_users_goal_is_never_paused() {
    let mut runner = runner();
    runner.submit(&goal(&[ASK]), CheckpointId(0), true).unwrap();
    found(&mut runner, &[finding(1, Ill::Destabilising, Cure::Pause)]);
    assert!(until_owed(&mut runner, 1) < 6);
}

#[test]
fn goals_of_the_agents_own_are_set_only_while_growth_is_permitted() {
    let set = |growth: Option<bool>| {
        let mut runner = Runner::new(1, 2);
        runner.hear(growth.map(|growth| FloorSight {
            growth,
            ..FloorSight::default()
        }));
        let own = GoalSpec {
            origin: Origin::L49,
            ..GoalSpec::clone(&goal(&[ASK]))
        };
        runner.obey(Orders {
            injections: vec![Injection {
                spec: Arc::new(own),
                checkpoint: CheckpointId(1),
            }],
            ..Orders::default()
        });
        let users = runner.submit(
            &Arc::new(GoalSpec {
                goal: GoalId::new("u").unwrap(),
                ..GoalSpec::clone(&goal(&[ASK]))
            }),
            CheckpointId(0),
            false,
        );
        assert_eq!(users, Ok(true));
        let refused = |kind: &EventKind| matches!(kind, EventKind::Warning { summary } if summary.ends_with("no new goals are permitted at the moment"));
        let report = runner.report();
        let told = runner.take_news().iter().any(refused);
        assert_eq!(runner.report().refused, [], "told once");
        (report.open.len(), told, report.refused)
    };
    let refusal = || vec![(goal(&[ASK]).goal.clone(), Refusal::NotPermitted)];
    assert_eq!(set(Some(true)), (2, false, Vec::new()));
    assert_eq!(set(Some(false)), (1, true, refusal()));
    assert_eq!(set(None), (1, true, refusal()), "the floor has not spoken");
}
