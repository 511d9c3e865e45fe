use super::*;
use rungs_agent::goals::TaskDetail;
use rungs_agent::mind::{CriterionGrade, GrantRow, OrderedGoal, OwnGoalRow};

fn name(text: &str) -> GoalId {
    text.parse().expect("a name")
}

fn entry(goal: &str, tier: &str, state: &str, after: &[&str]) -> GoalEntry {
    GoalEntry {
        goal: name(goal),
        intent: format!("reach {goal}"),
        origin: "l49".into(),
        tier: tier.into(),
        state: state.into(),
        tasks_done: 1,
        tasks: 2,
        actions: 3,
        after: after.iter().map(|goal| name(goal)).collect(),
    }
}

fn stack(goals: Vec<GoalEntry>) -> Stack {
    Stack {
        goals,
        order: None,
        allocation: None,
        own: None,
    }
}

#[test]
fn goals_stand_in_their_tier_below_what_they_wait_for() {
    let goals = stack(vec![
        entry("b", "tactical", "active", &[]),
        entry("a", "strategic", "active", &[]),
        entry("a1", "tactical", "waiting", &["a"]),
        entry("a2", "operational", "waiting", &["gone", "a"]),
        entry("a21", "tactical", "queued", &["a2"]),
        entry("old", "tactical", "succeeded", &["a"]),
    ]);
    let text = tree(&goals, Style::default());
    let starts = [
        "goal ",
        "strategic",
        "  a",
        "  ├─ a1  ",
        "  └─ a2  ",
        "     └─ a21  ",
        "tactical",
        "  b",
        "closed, the last",
        "  old",
    ];
    for (line, start) in text.lines().zip(starts) {
        assert!(line.starts_with(start), "{start:?} in\n{text}");
    }
    assert_eq!(text.lines().count(), starts.len(), "{text}");
}

#[test]
fn a_circle_is_drawn_once() {
    let goals = stack(vec![
        entry("a", "tactical", "waiting", &["c"]),
        entry("b", "tactical", "waiting", &["a"]),
        entry("c", "tactical", "waiting", &["b"]),
        entry("d", "tactical", "waiting", &["c"]),
    ]);
    let text = tree(&goals, Style::default());
    assert_eq!(text.lines().count(), 6, "{text}");
    for goal in ["a", "b", "c", "d"] {
        assert_eq!(text.matches(&format!("reach {goal}\n")).count(), 1, "{goal} in\n{text}");
    }
}

#[test]
fn priority_share_and_what_is_wrong_are_told() {
    let mut goals = stack(vec![entry("calm", "tactical", "active", &[])]);
    goals.order = Some(GoalOrder {
        cycle: 100,
        ranked: vec![OrderedGoal {
            goal: name("calm"),
            priority: 0.714,
            queued: false,
        }],
        pathologies: vec!["nothing was done for calm in 300 cycles".into()],
        remedies: vec!["calm is to be reviewed by whoever set it".into()],
    });
    goals.allocation = Some(Allocation {
        cycle: 100,
        guard: 0.1,
        reserve: 0.8,
        goals: vec![GrantRow {
            goal: name("calm"),
            share: 0.1,
        }],
    });
    goals.own = Some(OwnGoals {
        generated: 2,
        approved: 1,
        completed: 1,
        failed: 0,
        vetoed: 0,
        goals: vec![OwnGoalRow {
            goal: name("l49-1"),
            intent: "last longer".into(),
            origin: "survival".into(),
            cycle: 90,
            verdict: "approved".into(),
            fate: "succeeded".into(),
        }],
    });
    let expected = "\
goal      state   priority  share  tasks  actions  set by  waits for  intent
tactical
  calm    active      0.71   10 %    1/2        3  L4.9    -          reach calm
wrong: nothing was done for calm in 300 cycles
done about it: calm is to be reviewed by whoever set it

of its own: 2 thought of, 1 approved, 1 reached, 0 not reached, 0 vetoed
own goal  from      cycle  verdict   now        intent
l49-1     survival     90  approved  succeeded  last longer
";
    assert_eq!(tree(&goals, Style::default()), expected);
}

#[test]
fn an_agent_without_goals_says_so() {
    assert_eq!(tree(&stack(Vec::new()), Style::default()), "no goals\n");
}

fn spec() -> GoalSpec {
    serde_json::from_str(
        r#"{"goal":"calm","intent":"have somebody\nlook","success":{"all":[{"of":{"dimension":0},"is":"below","value":80}],
            "any":[{"of":"eu","is":"at_most","value":0.125}]},
            "tasks":[{"name":"tell","does":{"raise_incident":{"group":0}},"retries":1,
                      "when":[{"of":{"dimension":0},"is":"above","value":90}]}],
            "after":["first"],"deadline_cycles":500}"#,
    )
    .expect("a goal")
}

#[test]
fn a_goal_that_was_set_shows_state_deadline_and_tasks() {
    let set = GoalDetail {
        spec: spec(),
        state: "active".into(),
        set_at: 100,
        approved_at: Some(120),
        closed_at: None,
        deadline_at: Some(620),
        actions: 3,
        held_cycles: 4,
        tasks: vec![TaskDetail {
            name: "tell".parse().expect("a name"),
            state: "done".into(),
            attempts: 2,
            failures: 1,
            deadline_at: None,
        }],
    };
    let shown = Shown {
        set: Some(set),
        own: None,
    };
    let expected = "\
calm: have somebody look
  set           by user at cycle 100, tactical
  state         active since cycle 120
  holds         for 4 of 20 cycles
  used          3 of 100 actions
  deadline      cycle 620
  reached when  dimension 0 < 80, and EU <= 0.125
  time          500 cycles from its approval
  asks for      10 % of the budget
  waits for     first

task  does                             state  attempts  failed  deadline  after  when
tell  raise an incident about group 0  done        2/2       1         -  -      dimension 0 > 90
";
    assert_eq!(goal(&shown, Style::default()), expected);
}

#[test]
fn a_goal_that_was_only_thought_of_shows_where_it_comes_from_and_its_criteria() {
    let own = OwnGoal {
        spec: spec(),
        origin: "survival".into(),
        signal: "resources are constrained: 150 cycles left of compute".into(),
        cycle: 90,
        criteria: vec![CriterionGrade {
            criterion: "purpose alignment".into(),
            value: 0.55,
            target: ">= 0.60, fails below 0.50".into(),
            grade: "marginal".into(),
        }],
        verdict: "sandboxed: marginal on 1 criterion".into(),
        reduced: true,
        fate: "in the sandbox".into(),
    };
    let shown = Shown {
        set: None,
        own: Some(own),
    };
    let text = goal(&shown, Style::default());
    let expected = "\
calm: have somebody look
  thought of    at cycle 90, from survival: resources are constrained: 150 cycles left of compute
  verdict       sandboxed: marginal on 1 criterion (its scope was reduced)
  now           in the sandbox
";
    assert!(text.starts_with(expected), "{text}");
    let criteria = "\
criterion          value  passes                     grade
purpose alignment  0.550  >= 0.60, fails below 0.50  marginal
";
    assert!(text.contains(criteria), "{text}");
    assert!(text.contains("raise an incident about group 0  not set"), "{text}");
}
