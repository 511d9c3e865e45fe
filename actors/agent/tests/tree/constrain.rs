//! What Level 4.9 asks of Level 4.5 while resources are critical: the tree and the driver without actors do the same.

use crate::support::{Node, World, cycle, memory, paused_runtime, spec};
use rungs_agent::{
    AgentEvents, AgentHandle, AgentRuntime, Command, Description, Environment, EnvironmentError, Observed,
};
use rungs_host::Watched;
use rungs_mind::Stack;
use rungs_mind::l3::Action;
use rungs_mind::l45::projection::Posture;
use rungs_mind::ladder::Order;
use rungs_types::{AgentSpec, Authority, EnvironmentSpec, EventKind, Level};
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "ops-1";
/// An operator puts Level 4.9 at full authority after this cycle.
const PLACED: u64 = 51;
/// In these cycles the resource is used up, and in as many after them it comes back.
const SHORT: std::ops::Range<u64> = 1_205..1_315;
/// What is left above a tenth falls by this factor in a cycle. Over fifty cycles, the rate is that of their middle: it
/// lasts for 62 / e^(25 / 62) = 41 cycles more at any time, which is critical (below 50) and no violation (below 30).
const LEFT: f64 = 0.984;
/// How much the resource wavers: as much as another dimension, by this factor. One that never moved would be a shock.
const WAVER: f64 = 0.4;
/// Where Level 4.5 is looked at: five cycles after a report, so that nothing is under way.
const LOOKS: [u64; 5] = [1_195, 1_295, 1_345, 1_745, 2_395];

/// The world of the other tests with a resource: about half of it is in use, and more and more in [`SHORT`].
struct Scarce {
    world: World,
    description: Description,
    rows: u64,
}

impl Scarce {
    fn new() -> Self {
        let world = World::new(5);
        let mut description = world.describe().clone();
        description.dimensions[3].capacity = Some(100.0);
        Self {
            world,
            description,
            rows: 0,
        }
    }
}

impl Environment for Scarce {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn observe(&mut self, now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError> {
        self.rows += 1;
        let observed = self.world.observe(now, row)?;
        let begun = self.rows.saturating_sub(SHORT.start);
        let length = SHORT.end - SHORT.start;
        let short = begun.min((2 * length).saturating_sub(begun));
        row[3] = 90.0 - 40.0 * LEFT.powi(short as i32) + WAVER * row[3];
        Ok(observed)
    }

    fn act(&mut self, command: Command) -> Result<(), EnvironmentError> {
        self.world.act(command)
    }
}

/// In a simulated world the resources are the agent's own.
fn simulated() -> AgentSpec {
    AgentSpec {
        environment: EnvironmentSpec::Sim { dimensions: 4, seed: 5 },
        ..spec(NAME)
    }
}

/// The horizons at which Level 4.5 has projected each course.
type Ahead = Vec<(String, u32)>;

/// The modes that were told, with their cycles, and how far Level 4.5 looked ahead at [`LOOKS`].
type Seen = (Vec<(u64, EventKind)>, Vec<Ahead>);

fn is_told(kind: &EventKind) -> bool {
    !matches!(kind, EventKind::Status(_))
}

async fn take(events: &mut AgentEvents, told: &mut Vec<(u64, EventKind)>) {
    while let Ok(next) = tokio::time::timeout(Duration::from_millis(1), events.next()).await {
        match next.expect("the node runs") {
            Watched::Event(event) if is_told(&event.kind) => told.push((event.cycle, event.kind.clone())),
            Watched::Event(_) => {}
            Watched::Lagged(lost) => panic!("{lost} events lost"),
        }
    }
}

async fn ahead(agent: &AgentHandle) -> Ahead {
    let mind = agent.mind().await.expect("answers");
    let courses = mind.projection.expect("it has looked").courses;
    courses
        .into_iter()
        .map(|row| (row.course, row.horizon_cycles))
        .collect()
}

async fn by_actors() -> Seen {
    let runtime = AgentRuntime {
        environments: Arc::new(|_, _| Ok(Box::new(Scarce::new()))),
        ..AgentRuntime::clone(&paused_runtime(memory()))
    };
    let node = Node::start(Arc::new(runtime)).await;
    let agent = node.hosts.spawn(simulated()).await.expect("starts");
    let (mut events, mut told, mut looks) = (agent.events(), Vec::new(), Vec::new());
    cycle(&agent, PLACED).await;
    assert_eq!(agent.cycle(), PLACED);
    for level in [Level::L48, Level::L49] {
        agent.authority(level, Authority::Full, "ada").await.expect("accepted");
    }
    for look in LOOKS {
        // In parts, so that the hub need not keep all events of a long stretch.
        for part in (agent.cycle()..=look).step_by(100).chain([look]) {
            cycle(&agent, part).await;
            take(&mut events, &mut told).await;
        }
        assert_eq!(agent.cycle(), look);
        looks.push(ahead(&agent).await);
    }
    assert_eq!(agent.status().late_cycles, 0);
    (told, looks)
}

fn by_stack() -> Seen {
    let mut world = Scarce::new();
    let surroundings = world.describe().surroundings();
    let mut stack = Stack::new(&simulated(), &surroundings).expect("valid");
    let (mut row, mut told) = ([f64::NAN; 4], Vec::new());
    let (mut looks, mut last) = (Vec::new(), Ahead::new());
    while looks.len() < LOOKS.len() {
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
        if let Some(floor) = &turned.floor {
            let of = |posture: Posture| {
                let course = format!("{posture:?}").to_lowercase();
                let horizons = floor.projection.paths[posture.index()].horizons;
                horizons
                    .into_iter()
                    .flatten()
                    .map(move |outlook| (course.clone(), outlook.cycles))
            };
            last = Posture::ALL.into_iter().flat_map(of).collect();
        }
        told.extend(turned.told.into_iter().map(|told| (told.cycle, told.kind)));
        if turned.number == PLACED {
            for level in [Level::L48, Level::L49] {
                let (to, who) = (Authority::Full, "ada".to_owned());
                stack.order(&Order::Authority { level, to, who }).expect("accepted");
            }
        }
        if LOOKS.contains(&turned.number) {
            looks.push(last.clone());
        }
    }
    (told.into_iter().filter(|(_, kind)| is_told(kind)).collect(), looks)
}

#[tokio::test(start_paused = true)]
async fn while_resources_are_critical_the_floor_looks_fifty_cycles_ahead_in_the_tree_as_in_the_driver() {
    let ((told, looks), (told_by_stack, stack_looks)) = (by_actors().await, by_stack());
    for (index, (left, right)) in told.iter().zip(&told_by_stack).enumerate() {
        assert_eq!(left, right, "event {index}");
    }
    assert_eq!(told.len(), told_by_stack.len());
    assert_eq!(looks, stack_looks);
    let farthest: Vec<u32> = looks
        .iter()
        .map(|ahead| ahead.iter().map(|(_, cycles)| *cycles).max().unwrap_or(0))
        .collect();
    let modes: Vec<&str> = told
        .iter()
        .filter_map(|(_, kind)| match kind {
            EventKind::Mode { mode, .. } => Some(mode.as_str()),
            _ => None,
        })
        .collect();
    assert!(modes.contains(&"critical"), "{modes:?}");
    assert!(farthest[0] > 50, "before: {farthest:?}");
    assert_eq!(farthest[1..3], [50, 50], "while it lasts");
    assert!(farthest[4] > 50, "and when it is over: {farthest:?}");
}
