//! The tree of actors and `rungs_mind::Stack`, which drives the same structs without actors: the same events.

use crate::support::{Node, World, cycle, inject, memory, paused_runtime, spec};
use rungs_agent::{
    AgentEvents, AgentHandle, AgentRuntime, Command, Description, Environment, EnvironmentError, Observed,
};
use rungs_host::Watched;
use rungs_host::faults::Fault;
use rungs_mind::Stack;
use rungs_mind::l3::Action;
use rungs_mind::l48::PhaseName;
use rungs_mind::ladder::Order;
use rungs_mind::stack::Failure;
use rungs_types::{AgentId, Authority, EventKind, Level};
use std::sync::Arc;
use std::time::Duration;

const CYCLES: u64 = 2_000;
const NAME: &str = "ops-1";

/// An event without the node, which the stack does not have, and without its number: those of the agent also count what
/// is left out here.
type Line = (AgentId, u64, EventKind);

/// The last that L4.8 and L4.5 found, bit for bit: EU, RES, forecast error, coverage, IIS, C_L4.
type Found = [Option<u64>; 6];

/// What befalls the agent after a cycle. None but the last of these is the cycle of a report, so that nothing is under
/// way.
const SCRIPT: [(u64, Step); 7] = [
    (51, Step::Place(Authority::Full)),
    (505, Step::Panic),
    (1_001, Step::Freeze),
    (1_103, Step::Thaw),
    (1_405, Step::Late),
    (1_708, Step::Place(Authority::Half)),
    (CYCLES, Step::End),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Place(Authority),
    Panic,
    Late,
    Freeze,
    Thaw,
    End,
}

/// The world of the other tests, in which the first group runs wild for 20 cycles now and then.
struct Disturbed {
    world: World,
    rows: u64,
}

impl Disturbed {
    fn new() -> Self {
        Self {
            world: World::new(5),
            rows: 0,
        }
    }
}

impl Environment for Disturbed {
    fn describe(&self) -> &Description {
        self.world.describe()
    }

    fn observe(&mut self, now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        self.rows += 1;
        let observed = self.world.observe(now, row)?;
        if self.rows % 600 >= 580 {
            row[..2].iter_mut().for_each(|value| *value *= 30.0);
        }
        Ok(observed)
    }

    fn act(&mut self, command: Command) -> Result<(), EnvironmentError> {
        self.world.act(command)
    }
}

/// Left out: the agent's status, which is told once a second by the clock. All else is compared.
fn compared(kind: &EventKind) -> bool {
    !matches!(kind, EventKind::Status(_))
}

/// Takes what has been told until nobody has anything more to say.
async fn take(events: &mut AgentEvents, lines: &mut Vec<Line>) {
    while let Ok(next) = tokio::time::timeout(Duration::from_millis(1), events.next()).await {
        match next.expect("the node runs") {
            Watched::Event(event) if compared(&event.kind) => {
                lines.push((event.agent.clone(), event.cycle, event.kind.clone()));
            }
            Watched::Event(_) => {}
            Watched::Lagged(lost) => panic!("{lost} events lost"),
        }
    }
}

async fn act(step: Step, node: &Node, agent: &AgentHandle) {
    match step {
        Step::Place(to) => drop(agent.authority(Level::L48, to, "ada").await.expect("accepted")),
        Step::Freeze => drop(agent.freeze(Level::L48, "ada").expect("accepted")),
        Step::Thaw => drop(agent.thaw(Level::L48, "ada").await.expect("accepted")),
        Step::Panic => inject(node, &format!("{NAME}#l48/observe"), Fault::Panic),
        Step::Late => inject(node, &format!("{NAME}#l48/emit"), Fault::StallAwait),
        Step::End => {}
    }
}

async fn told_by_actors() -> (Vec<Line>, Found) {
    let runtime = AgentRuntime {
        environments: Arc::new(|_, _| Ok(Box::new(Disturbed::new()))),
        ..AgentRuntime::clone(&paused_runtime(memory()))
    };
    let node = Node::start(Arc::new(runtime)).await;
    let mut lines = Vec::new();
    let agent = node.hosts.spawn(spec(NAME)).await.expect("starts");
    let mut events = agent.events();
    for (at, step) in SCRIPT {
        // In parts, so that the hub need not keep all events of a long stretch.
        for part in (agent.cycle()..=at).step_by(100).chain([at]) {
            cycle(&agent, part).await;
            take(&mut events, &mut lines).await;
        }
        assert_eq!(agent.cycle(), at);
        act(step, &node, &agent).await;
    }
    let status = agent.status();
    assert_eq!(status.late_cycles, 0);
    let found = [
        status.eu,
        status.res,
        status.forecast_ratio,
        status.coverage,
        status.iis,
        Some(status.c_l4),
    ];
    (lines, found.map(|value| value.map(f64::to_bits)))
}

/// Does to the stack what [`act`] does to the tree.
fn act_on(stack: &mut Stack, step: Step) {
    let (level, who) = (Level::L48, "ada".to_owned());
    let order = match step {
        Step::Place(to) => Order::Authority { level, to, who },
        Step::Freeze => Order::Freeze { level, who },
        Step::Thaw => Order::Thaw { level, who },
        Step::Panic => return stack.plant(PhaseName::Observe, Failure::Panic("injected fault".to_owned())),
        Step::Late => return stack.plant(PhaseName::Emit, Failure::Deadline),
        Step::End => return,
    };
    stack.order(&order).expect("accepted");
}

fn told_by_stack() -> (Vec<Line>, Found) {
    let mut world = Disturbed::new();
    let surroundings = world.describe().surroundings();
    let mut stack = Stack::new(&spec(NAME), &surroundings).expect("valid");
    let (mut row, mut lines) = (vec![f64::NAN; surroundings.group_of.len()], Vec::new());
    let mut found = [None; 6];
    let mut script = SCRIPT.iter().peekable();
    for _ in 0..CYCLES {
        world.observe(Duration::ZERO, &mut row).expect("a row");
        let turned = stack.step(&row);
        let command = match turned.action {
            Some(Action::SampleFaster { group }) => Some(Command::SampleFaster { group }),
            Some(Action::SampleSlower { group }) => Some(Command::SampleSlower { group }),
            _ => None,
        };
        if let (Some(action), Some(command)) = (turned.action, command) {
            stack.sampled(action, world.act(command).is_ok());
        }
        if let Some(world) = &turned.world {
            let values = [
                Some(world.eu),
                Some(world.res.score),
                world.forecast_ratio,
                world.interval_coverage,
            ];
            found[..4].copy_from_slice(&values);
        }
        if let Some(floor) = &turned.floor {
            found[4..].copy_from_slice(&[floor.iis, Some(floor.c_l4)]);
        }
        // What an order brings about is told with the cycle after it.
        lines.extend(turned.told.into_iter().map(|told| (told.agent, told.cycle, told.kind)));
        while let Some((_, step)) = script.next_if(|(at, _)| *at == turned.number) {
            act_on(&mut stack, *step);
        }
    }
    (lines, found.map(|value: Option<f64>| value.map(f64::to_bits)))
}

#[tokio::test(start_paused = true)]
async fn the_actors_and_the_driver_without_actors_tell_the_same_over_two_thousand_cycles() {
    let ((by_actors, actors_found), (by_stack, stack_found)) = (told_by_actors().await, told_by_stack());
    for (index, (left, right)) in by_actors.iter().zip(&by_stack).enumerate() {
        assert_eq!(left, right, "event {index}");
    }
    assert_eq!(by_actors.len(), by_stack.len());
    assert_eq!(actors_found, stack_found);
    assert!(stack_found.iter().all(Option::is_some));
    let has = |wanted: fn(&EventKind) -> bool| by_stack.iter().any(|(_, _, kind)| wanted(kind));
    assert!(has(|kind| matches!(kind, EventKind::Incident { .. })));
    assert!(has(|kind| matches!(kind, EventKind::Restarted { .. })));
    assert!(has(|kind| matches!(kind, EventKind::Withdrawn { count: 2, .. })));
    let frozen = by_stack
        .iter()
        .filter(|(_, _, kind)| matches!(kind, EventKind::Frozen { .. }));
    assert_eq!(frozen.count(), 3, "a panic, an operator, a missed deadline");
    for rung in [Authority::Advisory, Authority::Half, Authority::Full] {
        let recovered = |kind: &EventKind| match kind {
            EventKind::Authority { to, reason, .. } => *to == rung && reason == "recovery",
            _ => false,
        };
        assert!(by_stack.iter().any(|(_, _, kind)| recovered(kind)), "{rung}");
    }
}
