//! Goals in whole agents: what a turn owes to them, and a goal that runs from its submission to its success.

use rungs_mind::body::Surroundings;
use rungs_mind::goals::{GoalState, SubmitError};
use rungs_mind::l3::{
    Action, Available, Duty, Floor, GroupSet, IdentityId, Input, Kernel, KernelConfig, Outcomes, Pace, Refusal, Step,
    TaskTurn,
};
use rungs_mind::report::{FloorReport, GuardReadings};
use rungs_mind::stack::Stack;
use rungs_types::{AgentSpec, EventKind, GoalId, GoalSpec};
use std::sync::Arc;

const STANDING: Floor = Floor::Standing {
    uncertainty: 0.1,
    seof: 0.4,
    structural: true,
    trial: None,
};

fn input(cycle: u64) -> Input<'static> {
    Input {
        cycle,
        observation: &[1.0, 2.0],
        outcomes: Outcomes::default(),
        advice: None,
        floor: STANDING,
        pace: Pace::default(),
        resources: &[],
        available: Available::default(),
    }
}

/// A kernel that has seen a hundred cycles.
fn seasoned() -> Kernel {
    let config = KernelConfig {
        identity: IdentityId::of("default/dutiful"),
        groups: [0, 1].into(),
        seed: 1,
        exploration_rate: 0.0,
    };
    let mut kernel = Kernel::new(config).expect("valid");
    for cycle in 1..=100 {
        kernel.step(&input(cycle), &mut |_: &Action| Ok(()));
    }
    kernel
}

fn owing(task: Action) -> Duty {
    Duty {
        task: Some(task),
        exploration_rate: None,
    }
}

/// The next turn of such a kernel, with this task.
fn turn(task: Action, floor: Floor, available: Available, refusal: Option<Refusal>) -> Step {
    let last = Input {
        floor,
        available,
        ..input(101)
    };
    seasoned().step_on_duty(&last, owing(task), &mut |_: &Action| refusal.map_or(Ok(()), Err))
}

const FASTER: Action = Action::SampleFaster { group: 1 };

fn open() -> Available {
    Available {
        faster: GroupSet::first(2),
        ..Available::default()
    }
}

#[test]
fn a_task_comes_before_what_the_kernel_would_do_of_itself() {
    let step = turn(FASTER, STANDING, open(), None);
    assert_eq!((step.action, step.task, step.refused), (FASTER, TaskTurn::Granted, 0));
}

#[test]
fn a_task_that_the_gate_refuses_is_not_done_and_counts() {
    let step = turn(FASTER, STANDING, open(), Some(Refusal::Ethics));
    assert_eq!((step.action, step.task), (Action::Hold, TaskTurn::Refused));
    assert!(step.refused >= 1 && !step.facts.ethical_first_pass);
}

#[test]
fn a_task_that_the_environment_does_not_offer_is_refused() {
    let step = turn(FASTER, STANDING, Available::default(), None);
    assert_eq!((step.action, step.task), (Action::Hold, TaskTurn::Refused));
    assert_eq!(step.refused, 1);
}

#[test]
fn a_task_waits_while_nothing_is_decided_or_structural_change_is_closed() {
    let stabilizing = turn(FASTER, Floor::Failed, open(), None);
    assert_eq!(
        (stabilizing.action, stabilizing.task),
        (Action::Hold, TaskTurn::Deferred)
    );
    let closed = Floor::Standing {
        uncertainty: 0.1,
        seof: 0.4,
        structural: false,
        trial: None,
    };
    assert_eq!(turn(FASTER, closed, open(), None).task, TaskTurn::Deferred);
    let incidents = Available {
        incidents: true,
        ..open()
    };
    let speaking = turn(Action::RaiseIncident { group: 0 }, closed, incidents, None);
    assert_eq!(speaking.task, TaskTurn::Granted, "it changes nothing of the agent");
}

#[test]
fn tasks_that_ask_peers_do_so_once_in_fifty_cycles_and_the_others_wait() {
    let mut kernel = seasoned();
    let mut turns = Vec::new();
    for cycle in 101..=210 {
        let available = Available {
            peers: true,
            ..Available::default()
        };
        let asking = Action::AskPeer {
            group: (cycle % 2) as u16,
        };
        let perceived = Input {
            available,
            ..input(cycle)
        };
        let step = kernel.step_on_duty(&perceived, owing(asking), &mut |_: &Action| Ok(()));
        turns.push((cycle, step.task));
    }
    let asked: Vec<u64> = turns
        .iter()
        .filter(|(_, turn)| *turn == TaskTurn::Granted)
        .map(|(cycle, _)| *cycle)
        .collect();
    assert_eq!(asked, [101, 151, 201]);
    let waited = turns.iter().filter(|(_, turn)| *turn == TaskTurn::Deferred).count();
    assert_eq!(waited, 107, "of 110 turns, and none is refused");
}

/// An agent over two quantities of which the first rises once somebody was told about it.
struct Life {
    stack: Stack,
    told: bool,
}

impl Life {
    fn new() -> Self {
        let spec = AgentSpec::new("ops-1".parse().expect("a name"));
        let surroundings = Surroundings {
            groups: vec!["first".into(), "second".into()],
            group_of: vec![0, 1],
            capacities: vec![None, None],
            adjustable: false,
        };
        Self {
            stack: Stack::new(&spec, &surroundings).expect("valid"),
            told: false,
        }
    }

    fn cycles(&mut self, count: u64) {
        for _ in 0..count {
            let wave = ((self.stack.cycle() * 37) % 11) as f64;
            let first = if self.told { 90.0 } else { 40.0 } + wave;
            let cycle = self.stack.step(&[first, 40.0 - wave]);
            let raised = |kind: &EventKind| matches!(kind, EventKind::Incident { raised: true, .. });
            self.told |= cycle.told.iter().any(|told| raised(&told.kind));
        }
    }

    fn state(&self) -> &GoalState {
        &self
            .stack
            .goals()
            .get(&GoalId::new("repair").expect("a name"))
            .expect("set")
            .state
    }
}

fn repair() -> GoalSpec {
    let above = |value: f64| rungs_types::goal::Condition {
        of: rungs_types::goal::Quantity::Dimension(0),
        is: rungs_types::goal::Comparison::Above,
        value,
    };
    GoalSpec {
        goal: GoalId::new("repair").expect("a name"),
        intent: "have somebody look at the first quantity".into(),
        origin: rungs_types::Origin::L49,
        tier: rungs_types::Tier::Tactical,
        success: rungs_types::goal::Success {
            all: vec![above(80.0)],
            any: Vec::new(),
        },
        tasks: vec![rungs_types::goal::TaskSpec {
            name: "tell".parse().expect("a name"),
            does: rungs_types::goal::TaskAction::RaiseIncident { group: 0 },
            after: Vec::new(),
            when: vec![above(30.0)],
            retries: 0,
            deadline_cycles: None,
        }],
        after: Vec::new(),
        deadline_cycles: Some(1_000),
        budget: rungs_types::goal::GoalBudget::default(),
        skills: Vec::new(),
        reward: rungs_types::goal::Reward::default(),
        weights: std::collections::BTreeMap::new(),
    }
}

#[test]
fn a_goal_that_is_submitted_to_an_agent_runs_and_succeeds() {
    let mut life = Life::new();
    life.cycles(100);
    assert!(!life.told);
    assert_eq!(life.stack.submit(repair()), Ok(true));
    assert_eq!(life.stack.submit(repair()), Ok(false), "the same goal");
    life.cycles(60);
    assert!(life.told, "the task was carried out");
    assert_eq!(*life.state(), GoalState::Succeeded);
    let record = life.stack.goals().get(&repair().goal).expect("remembered");
    assert_eq!(
        record.spec.origin,
        rungs_types::Origin::User,
        "whoever submits is a user"
    );
    assert_eq!(record.actions, 1);
    let again = GoalSpec {
        intent: "once more".into(),
        ..repair()
    };
    assert!(matches!(
        life.stack.submit(again),
        Err(SubmitError::AlreadyHolds { .. })
    ));
}

/// A floor report without what is about goals: G and its law, purpose, GSRS, and what lies ahead.
fn measured(floor: Arc<FloorReport>) -> FloorReport {
    let floor = Arc::unwrap_or_clone(floor);
    let [s, _, i, u, e] = floor.x;
    FloorReport {
        x: [s, 1.0, i, u, e],
        rho: 0.0,
        states: floor
            .states
            .iter()
            .map(|[s, _, i, u, e]| [*s, 1.0, *i, *u, *e])
            .collect(),
        guard: GuardReadings {
            gsrs: None,
            ..floor.guard
        },
        purpose: Default::default(),
        projection: Default::default(),
        votes: Default::default(),
        posture: Default::default(),
        ..floor
    }
}

#[test]
fn an_agent_with_a_goal_that_waits_decides_as_one_without() {
    let (mut with, mut without) = (Life::new(), Life::new());
    let waiting = GoalSpec {
        after: vec![GoalId::new("never").expect("a name")],
        ..repair()
    };
    assert_eq!(with.stack.submit(waiting), Ok(true));
    for _ in 0..500 {
        let (a, b) = (with.stack.step(&[1.0, 2.0]), without.stack.step(&[1.0, 2.0]));
        assert_eq!((a.action, a.floor.map(measured)), (b.action, b.floor.map(measured)));
    }
    assert!(with.stack.cancel(&repair().goal));
}
