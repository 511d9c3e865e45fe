//! One agent in its simulated world.

use rungs_agent::{Command, Environment as _, Observed};
use rungs_environments::Sim;
use rungs_mind::Stack;
use rungs_mind::l3::{Action, Outcomes};
use rungs_mind::l49::L49Output;
use rungs_mind::ladder::{Order, OrderError};
use rungs_mind::report::FloorReport;
use rungs_mind::stack::{Cycle, Told};
use rungs_types::{AgentId, AgentSpec, Authority, EnvironmentSpec, EventKind, Level, Mail, PeerMessage};
use rungs_types::{SimDimension, SimSpec};
use std::sync::Arc;
use std::time::Duration;

/// Particles of an agent in a scenario: enough for a world of few dimensions, and five times as fast as by default.
const PARTICLES: u32 = 20;
/// Who gives orders.
const OPERATOR: &str = "ada";

/// What befalls an agent in one cycle, beside what its world shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Upset {
    /// What came of its actions, beside what comes of its goals.
    pub outcomes: Outcomes,
    /// The cycle began late.
    pub late: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Life {
    spec: AgentSpec,
    stack: Stack,
    world: Sim,
    /// What the world has shown last; NaN = missing.
    row: Vec<f64>,
    /// The last report of L4.5.
    floor: Arc<FloorReport>,
    /// The last pass of L4.9.
    autonomy: Option<Arc<L49Output>>,
    told: Vec<Told>,
}

/// An agent of this name in this world: all levels, few particles, `seed` for all its randomness.
///
/// # Panics
/// If the name is none.
pub fn agent(name: &str, world: SimSpec, seed: u64) -> AgentSpec {
    AgentSpec {
        environment: EnvironmentSpec::Scenario(world),
        particles: PARTICLES,
        seed,
        ..AgentSpec::new(name.parse().expect("a name"))
    }
}

/// The dimension of the calm world that is a resource.
pub const RESOURCE: u32 = 4;

/// A world in which nothing happens: four quantities that waver, of two groups, and a resource of which 30 % is in use.
pub fn calm_world(seed: u64) -> SimSpec {
    SimSpec::new(4, seed).dimension(SimDimension {
        group: 2,
        phi: 0.5,
        mean: 30.0,
        sigma: 0.5,
        capacity: Some(100.0),
    })
}

impl Life {
    /// An agent that has seen nothing.
    ///
    /// # Panics
    /// If its world is not a simulated one that is written out, or one of the two is not valid.
    pub fn new(spec: AgentSpec) -> Self {
        let EnvironmentSpec::Scenario(world) = &spec.environment else {
            panic!("{:?} is no scenario", spec.environment);
        };
        let world = Sim::new(world).expect("a valid world");
        let surroundings = world.describe().surroundings();
        Self {
            stack: Stack::new(&spec, &surroundings).expect("a valid agent"),
            world,
            row: vec![f64::NAN; surroundings.group_of.len()],
            floor: Arc::default(),
            autonomy: None,
            told: Vec::new(),
            spec,
        }
    }

    /// One cycle.
    pub fn cycle(&mut self) -> Cycle {
        self.cycle_with(|_, _, _| {})
    }

    /// One cycle in which `upset`, which is given the last report of L4.5, may change what is seen (one value for each
    /// dimension; NaN = missing) and what comes of it all.
    ///
    /// # Panics
    /// If the world has ended.
    pub fn cycle_with(&mut self, upset: impl FnOnce(&FloorReport, &mut [f64], &mut Upset)) -> Cycle {
        let observed = self.world.observe(Duration::ZERO, &mut self.row);
        assert_eq!(observed, Ok(Observed::Row), "the world goes on");
        let mut befalls = Upset::default();
        upset(&self.floor, &mut self.row, &mut befalls);
        let cycle = self.stack.step_with(&self.row, befalls.outcomes, befalls.late);
        if let Some(action) = cycle.action {
            self.perform(action);
        }
        if let Some(floor) = &cycle.floor {
            self.floor = Arc::clone(floor);
        }
        if cycle.autonomy.is_some() {
            self.autonomy.clone_from(&cycle.autonomy);
        }
        self.told.extend(cycle.told.iter().cloned());
        cycle
    }

    /// So many cycles.
    pub fn run(&mut self, cycles: u64) {
        (0..cycles).for_each(|_| drop(self.cycle()));
    }

    fn perform(&mut self, action: Action) {
        let command = match action {
            Action::SampleFaster { group } => Command::SampleFaster { group },
            Action::SampleSlower { group } => Command::SampleSlower { group },
            _ => return,
        };
        let done = self.world.act(command).is_ok();
        self.stack.sampled(action, done);
    }

    /// An operator puts L4.8, and L4.9 where the agent has it, on this authority; the criteria are not waited for.
    ///
    /// # Panics
    /// If the order is refused.
    pub fn place(&mut self, to: Authority) {
        for level in [Level::L48, Level::L49] {
            if level <= self.spec.highest {
                let who = OPERATOR.to_owned();
                self.order(&Order::Authority { level, to, who }).expect("accepted");
            }
        }
    }

    /// An operator's order.
    pub fn order(&mut self, order: &Order) -> Result<(), OrderError> {
        self.stack.order(order)
    }

    /// Another agent says something.
    pub fn hear(&mut self, from: AgentId, message: PeerMessage) {
        self.stack.deliver(Mail { from, message });
    }

    /// Who it is.
    pub fn id(&self) -> &AgentId {
        &self.spec.agent
    }

    /// As it was asked for.
    pub fn spec(&self) -> &AgentSpec {
        &self.spec
    }

    /// The mind.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The mind, for what needs no word of its own here: goals, failures that are planted.
    pub fn stack_mut(&mut self) -> &mut Stack {
        &mut self.stack
    }

    /// What the world has shown last, one value for each dimension; NaN = missing.
    pub fn row(&self) -> &[f64] {
        &self.row
    }

    /// The last report of L4.5.
    pub fn floor(&self) -> &FloorReport {
        &self.floor
    }

    /// The last verified pass of L4.9; `None` before the first.
    pub fn autonomy(&self) -> Option<&L49Output> {
        self.autonomy.as_deref()
    }

    /// The authority of a level.
    pub fn authority(&self, level: Level) -> Authority {
        self.stack.authorities()[level.index()]
    }

    /// Everything that was told, oldest first.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// How many of the events told so far are such.
    pub fn count(&self, such: impl Fn(&EventKind) -> bool) -> usize {
        self.told.iter().filter(|told| such(&told.kind)).count()
    }
}
