use super::*;
use crate::name::TaskName;

fn below(dimension: u16, value: f64) -> Condition {
    Condition {
        of: Quantity::Dimension(dimension),
        is: Comparison::Below,
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

fn goal() -> GoalSpec {
    GoalSpec {
        goal: GoalId::new("calm").unwrap(),
        intent: "keep the load low".into(),
        origin: Origin::User,
        tier: Tier::Tactical,
        success: Success {
            all: vec![below(0, 2.0)],
            any: Vec::new(),
        },
        tasks: vec![task("look", &[]), task("act", &["look"])],
        after: Vec::new(),
        deadline_cycles: None,
        budget: GoalBudget::default(),
        skills: Vec::new(),
        reward: Reward::default(),
        weights: BTreeMap::new(),
    }
}

fn refusal(change: impl FnOnce(&mut GoalSpec)) -> String {
    let mut spec = goal();
    change(&mut spec);
    spec.validate().expect_err("out of range").to_string()
}

fn accepted(change: impl FnOnce(&mut GoalSpec)) -> bool {
    let mut spec = goal();
    change(&mut spec);
    spec.validate().is_ok()
}

#[test]
fn a_goal_of_few_words_is_complete() {
    let json = r#"{
        "goal": "calm", "intent": "keep the load low",
        "success": { "all": [{ "of": { "dimension": 0 }, "is": "below", "value": 2.0 }] },
        "tasks": [
            { "name": "look", "does": { "sample_faster": { "group": 0 } } },
            { "name": "act", "does": { "sample_faster": { "group": 0 } }, "after": ["look"] }
        ]
    }"#;
    let spec: GoalSpec = serde_json::from_str(json).unwrap();
    assert_eq!(spec, goal());
    assert_eq!(spec.validate(), Ok(()));
    let again: GoalSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(again, spec);
    assert!(serde_json::from_str::<GoalSpec>(&json.replace("\"intent\"", "\"intend\"")).is_err());
}

#[test]
fn the_caps_of_the_tiers_are_three_seven_and_fifteen() {
    assert_eq!(Tier::ALL.map(Tier::cap), [3, 7, 15]);
    assert_eq!(Tier::ALL.map(Tier::horizon_cycles), [1_000, 200, 50]);
    assert_eq!(
        Tier::ALL.map(|tier| tier.to_string()),
        ["strategic", "operational", "tactical"]
    );
}

#[test]
fn each_bound_is_inclusive_and_its_refusal_names_the_field() {
    assert!(accepted(|g| g.intent = "x".repeat(280)));
    assert_eq!(
        refusal(|g| g.intent = "x".repeat(281)),
        "goal.intent is 281 bytes; expected 1 to 280 bytes"
    );
    assert!(refusal(|g| g.intent.clear()).starts_with("goal.intent is 0 bytes"));
    assert!(accepted(|g| g.deadline_cycles = Some(10_000_000)));
    assert!(refusal(|g| g.deadline_cycles = Some(0)).starts_with("goal.deadline_cycles is 0"));
    assert!(refusal(|g| g.deadline_cycles = Some(10_000_001)).contains("1 to 10000000"));
    assert!(accepted(|g| g.budget.actions = 10_000));
    assert!(refusal(|g| g.budget.actions = 0).starts_with("goal.budget.actions is 0"));
    assert!(refusal(|g| g.budget.actions = 10_001).starts_with("goal.budget.actions is 10001"));
    assert!(accepted(|g| g.budget.share = 0.9));
    for share in [0.0, 0.91, f64::NAN] {
        assert!(refusal(|g| g.budget.share = share).starts_with("goal.budget.share is"));
    }
    assert_eq!(
        refusal(|g| g.weights = [(ValueDimension::Growth, 1.5)].into()),
        "goal.weights is 1.5; expected 0 to 1"
    );
    assert!(refusal(|g| g.weights = [(ValueDimension::Growth, 0.0)].into()).contains("one above 0"));
    assert!(accepted(|g| g.weights = [(ValueDimension::Growth, 1.0)].into()));
}

#[test]
fn a_success_needs_a_condition_with_a_number() {
    assert_eq!(
        refusal(|g| g.success = Success::default()),
        "goal.success is empty; expected at least one condition"
    );
    assert!(refusal(|g| g.success.all[0].value = f64::NAN).starts_with("goal.success.all is NaN"));
    assert!(accepted(|g| g.success.any = vec![below(0, 1.0); 16]));
    assert!(refusal(|g| g.success.any = vec![below(0, 1.0); 17]).starts_with("goal.success.any is 17"));
}

#[test]
fn tasks_form_a_dag_of_known_names() {
    assert!(refusal(|g| g.tasks.clear()).starts_with("goal.tasks is 0"));
    let numbered = |count: usize| (0..count).map(|i| task(&format!("t{i}"), &[])).collect::<Vec<_>>();
    assert!(accepted(|g| g.tasks = numbered(32)));
    assert!(refusal(|g| g.tasks = numbered(33)).starts_with("goal.tasks is 33"));
    assert_eq!(
        refusal(|g| g.tasks[1].after = vec![TaskName::new("gone").unwrap()]),
        "goal.tasks.after is gone in task act; expected tasks of the same goal"
    );
    assert_eq!(
        refusal(|g| g.tasks[0].after = vec![TaskName::new("act").unwrap()]),
        "goal.tasks.after is a circle with look; expected an order without circles"
    );
    assert!(refusal(|g| g.tasks[0].after = vec![TaskName::new("look").unwrap()]).contains("a circle with look"));
    assert_eq!(
        refusal(|g| g.tasks.push(task("look", &[]))),
        "goal.tasks.name is look twice; expected each once"
    );
    assert!(accepted(|g| g.tasks[0].retries = 5));
    assert!(refusal(|g| g.tasks[0].retries = 6).starts_with("goal.tasks.retries is 6"));
    assert!(refusal(|g| g.tasks[0].deadline_cycles = Some(0)).starts_with("goal.tasks.deadline_cycles is 0"));
}

#[test]
fn a_knob_is_set_within_its_range_and_a_counted_one_to_a_whole_number() {
    let turn = |knob, to| move |g: &mut GoalSpec| g.tasks[0].does = TaskAction::Turn(KnobSetting { knob, to });
    for knob in Knob::ALL {
        let (low, high) = knob.range();
        assert!(accepted(turn(knob, low)) && accepted(turn(knob, high)), "{knob}");
        for wrong in [low - 0.01, high + 0.01, f64::NAN] {
            assert!(
                refusal(turn(knob, wrong)).starts_with("goal.tasks.does.to is"),
                "{knob}"
            );
        }
        assert_eq!(Knob::ALL[knob.index()], knob);
    }
    assert_eq!(
        refusal(turn(Knob::ParallelTasks, 1.5)),
        "goal.tasks.does.to is 1.5 for parallel_tasks; expected a whole number, 1 to 8"
    );
    assert!(accepted(turn(Knob::RiskCap, 0.55)));
}

#[test]
fn a_goal_waits_for_other_goals_only() {
    let others = |count: usize| {
        (0..count)
            .map(|i| GoalId::new(&format!("g{i}")).unwrap())
            .collect::<Vec<_>>()
    };
    assert!(accepted(|g| g.after = others(8)));
    assert!(refusal(|g| g.after = others(9)).starts_with("goal.after is 9"));
    assert_eq!(
        refusal(|g| g.after = vec![g.goal.clone()]),
        "goal.after is calm; expected another goal"
    );
    assert!(refusal(|g| g.skills = vec![SkillName::new("a").unwrap(); 2]).contains("a twice"));
}

#[test]
fn a_delayed_reward_is_at_most_twice_the_immediate_one() {
    let delayed = |after, amount| DelayedReward { after, amount };
    assert!(accepted(
        |g| g.reward.delayed = vec![delayed(1, 2.0), delayed(100, -2.0)]
    ));
    assert!(refusal(|g| g.reward.delayed = vec![delayed(1, 2.001)]).starts_with("goal.reward.delayed.amount is 2.001"));
    assert!(refusal(|g| g.reward.delayed = vec![delayed(1, f64::NAN)]).contains("amount is NaN"));
    assert!(refusal(|g| g.reward.delayed = vec![delayed(0, 1.0)]).contains("after is 0"));
    assert!(refusal(|g| g.reward.delayed = vec![delayed(101, 1.0)]).contains("after is 101"));
    assert!(refusal(|g| g.reward.delayed = vec![delayed(2, 1.0); 2]).contains("a rising order"));
    assert!(refusal(|g| g.reward.immediate = f64::INFINITY).contains("immediate is inf"));
}

#[test]
fn what_is_not_part_of_the_environment_is_refused_by_its_field() {
    let mut spec = goal();
    assert_eq!(spec.validate_for(1, 1), Ok(()));
    spec.tasks[1].when = vec![below(4, 1.0)];
    assert_eq!(
        spec.validate_for(4, 1).unwrap_err().to_string(),
        "goal.condition.dimension is 4; expected below 4, the dimensions of the environment"
    );
    spec.tasks[1].does = TaskAction::AskPeer { group: 2 };
    assert_eq!(
        spec.validate_for(5, 2).unwrap_err().to_string(),
        "goal.tasks.does.group is 2; expected below 2, the groups of the environment"
    );
}

#[test]
fn each_comparison_is_strict_or_not_as_it_says() {
    let at = |is, measured| {
        let condition = Condition {
            of: Quantity::Eu,
            is,
            value: 1.0,
        };
        condition.holds(Some(measured))
    };
    for (is, expected) in [
        (Comparison::Below, [true, false, false]),
        (Comparison::AtMost, [true, true, false]),
        (Comparison::AtLeast, [false, true, true]),
        (Comparison::Above, [false, false, true]),
    ] {
        let found = [0.999, 1.0, 1.001].map(|measured| at(is, measured));
        assert_eq!(found, expected.map(Some), "{is:?}");
        assert_eq!(at(is, f64::NAN), None);
    }
}

#[test]
fn a_success_is_unknown_only_where_what_is_missing_decides() {
    let (known, missing) = (below(0, 2.0), below(1, 2.0));
    let success = |all: &[Condition], any: &[Condition]| Success {
        all: all.to_vec(),
        any: any.to_vec(),
    };
    // Dimension 0 has a value, dimension 1 has none.
    let holds = |success: Success, value: f64| success.holds(|of| (of == Quantity::Dimension(0)).then_some(value));
    assert_eq!(holds(success(&[known], &[]), 1.0), Some(true));
    assert_eq!(holds(success(&[known], &[]), 2.0), Some(false));
    assert_eq!(holds(success(&[known, missing], &[]), 1.0), None);
    assert_eq!(holds(success(&[missing, known], &[]), 2.0), Some(false));
    assert_eq!(holds(success(&[], &[missing, known]), 1.0), Some(true));
    assert_eq!(holds(success(&[], &[missing, known]), 2.0), None);
    assert_eq!(holds(success(&[known], &[known]), 1.0), Some(true));
    assert_eq!(holds(success(&[missing], &[known]), 2.0), Some(false));
}

#[test]
fn only_what_counts_up_must_not_be_repeated() {
    assert!(!TaskAction::SampleFaster { group: 0 }.is_idempotent());
    assert!(!TaskAction::AskPeer { group: 0 }.is_idempotent());
    assert!(TaskAction::ClearIncident.is_idempotent());
    assert!(
        TaskAction::Turn(KnobSetting {
            knob: Knob::RiskCap,
            to: 0.5
        })
        .is_idempotent()
    );
}
