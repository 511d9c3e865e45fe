//! Whole agents in simulated worlds, healthy and with a planted failure: what they show of it, and when.

use super::signs::{self, Delays};
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_mind::Stack;
use rungs_mind::body::Surroundings;
use rungs_mind::l3::{Action, Outcomes};
use rungs_types::{AgentSpec, Authority, EventKind, Invariant, Level};
use std::collections::BTreeMap;

/// Dimensions of the world: processor and latency that waver, memory that walks, bursts, a slow one, and a disk that
/// fills up and is emptied.
const DIMENSIONS: usize = 6;
/// The failure is planted in one of the ten cycles after this one; the agent is at full authority since 1,510 or so.
const PLANTED_AT: u64 = 2_000;
/// Cycles in which it must show.
const WITHIN: u64 = 500;
/// Cycles before the planting whose signs do not count after it.
const BEFORE: u64 = 200;
/// Cycles of a healthy life.
const HEALTHY_CYCLES: u64 = 5_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The world moves by the root of five as much.
    VarianceTimesFive,
    /// All that the agent proposes is denied.
    IdentityAttack,
    /// Nothing is seen any more.
    SensorsLost,
    /// Of its tasks 30 % succeed, where 85 % did.
    SuccessFalls,
    /// The disk fills up by 0.3 % in each cycle.
    ResourceRamp,
}

/// All failures.
pub(crate) const FAILURES: [(Failure, &str); 5] = [
    (Failure::VarianceTimesFive, "variance x5"),
    (Failure::IdentityAttack, "identity attack (all denied)"),
    (Failure::SensorsLost, "all sensors lost"),
    (Failure::SuccessFalls, "success rate .85 to .30"),
    (Failure::ResourceRamp, "resource ramp, 0.3 % a cycle"),
];

struct World {
    state: [f64; DIMENSIONS],
    full: f64,
    rng: Pcg64Mcg,
}

impl World {
    fn row(&mut self, cycle: u64, failure: Option<Failure>) -> [f64; DIMENSIONS] {
        let mut normal = || -> f64 { StandardNormal.sample(&mut self.rng) };
        for (x, phi) in self.state.iter_mut().zip([0.7, 0.4, 0.99, 0.0, 0.95, 0.0]) {
            let wild = match failure {
                Some(Failure::VarianceTimesFive) => 5.0_f64.sqrt(),
                _ => 1.0,
            };
            let phi: f64 = phi;
            *x = phi * *x + wild * (1.0 - phi * phi).sqrt() * normal();
        }
        match failure {
            Some(Failure::ResourceRamp) => self.full = (self.full + 0.3).min(100.0),
            _ => self.full = 30.0,
        }
        if failure == Some(Failure::SensorsLost) {
            return [f64::NAN; DIMENSIONS];
        }
        let [processor, latency, memory, burst, slow, disk] = self.state;
        [
            40.0 + 10.0 * processor + 3.0 * normal(),
            20.0 + 5.0 * latency,
            8e9 + 1e7 * memory,
            if burst > 1.3 { 4096.0 * burst } else { 0.0 },
            if cycle.is_multiple_of(5) {
                100.0 + 20.0 * slow
            } else {
                f64::NAN
            },
            self.full + 0.5 * disk,
        ]
    }

    fn outcomes(&mut self, failure: Option<Failure>) -> Outcomes {
        let rate = if failure == Some(Failure::SuccessFalls) {
            0.30
        } else {
            0.85
        };
        let succeeds = self.rng.random_bool(rate);
        Outcomes {
            tasks_succeeded: u16::from(succeeds),
            tasks_failed: u16::from(!succeeds),
            proposals: 2,
            denied: if failure == Some(Failure::IdentityAttack) { 2 } else { 0 },
            ..Outcomes::default()
        }
    }
}

/// An agent in its world.
struct Life {
    stack: Stack,
    world: World,
}

impl Life {
    fn new(seed: u64) -> Self {
        let surroundings = Surroundings {
            groups: ["cpu", "memory", "disk"].map(String::from).to_vec(),
            group_of: vec![0, 0, 1, 2, 2, 2],
            capacities: vec![None, None, None, None, None, Some(100.0)],
            adjustable: true,
        };
        let spec = AgentSpec {
            seed,
            particles: 50,
            highest: Level::L48,
            ..AgentSpec::new("sim".parse().expect("a name"))
        };
        let world = World {
            state: [0.0; DIMENSIONS],
            full: 30.0,
            rng: Pcg64Mcg::seed_from_u64(1_000 + seed),
        };
        Self {
            stack: Stack::new(&spec, &surroundings).expect("valid"),
            world,
        }
    }

    /// One cycle: the signs of a report, if there is one, and the violations of its verdict.
    fn step(&mut self, failure: Option<Failure>) -> (Vec<&'static str>, Vec<Invariant>) {
        let cycle = self.stack.cycle() + 1;
        let row = self.world.row(cycle, failure);
        let outcomes = self.world.outcomes(failure);
        let done = self.stack.step_with(&row, outcomes, false);
        if let Some(action @ (Action::SampleFaster { .. } | Action::SampleSlower { .. })) = done.action {
            self.stack.sampled(action, false);
        }
        let kinds = || done.told.iter().map(|told| &told.kind);
        let violated = kinds().flat_map(|kind| match kind {
            EventKind::Verdict { violations, .. } => violations.iter().map(|v| v.invariant).collect(),
            _ => Vec::new(),
        });
        let signs = match &done.floor {
            Some(floor) => signs::of(floor, done.world.as_deref(), kinds()),
            None => Vec::new(),
        };
        (signs, violated.collect())
    }
}

/// What `agents` agents show of one failure.
pub(crate) fn detect(failure: Failure, agents: u64) -> Delays {
    let mut delays = Delays::default();
    for seed in 0..agents {
        let mut life = Life::new(seed);
        let planted_at = PLANTED_AT + seed % 10;
        let mut before = Vec::new();
        while life.stack.cycle() < planted_at {
            let (signs, _) = life.step(None);
            if life.stack.cycle() + BEFORE > planted_at {
                before.extend(signs);
            }
        }
        let mut first = BTreeMap::new();
        for delay in 1..=WITHIN {
            for sign in life.step(Some(failure)).0 {
                first.entry(sign).or_insert(delay);
            }
        }
        delays.agent(&before, first);
    }
    delays
}

/// How often healthy agents are told of a violation, and how many of them reached full authority.
#[derive(Debug, Default)]
pub(crate) struct Healthy {
    pub(crate) cycles: u64,
    pub(crate) agents: u64,
    pub(crate) at_full: u64,
    pub(crate) freezes: u64,
    /// Times that an invariant became violated after it had held.
    pub(crate) alarms: BTreeMap<&'static str, u64>,
}

impl Healthy {
    pub(crate) fn of(&self, invariant: Invariant) -> u64 {
        self.alarms.get(signs::invariant(invariant)).copied().unwrap_or(0)
    }

    pub(crate) fn print(&self) {
        let Self {
            agents,
            cycles,
            at_full,
            freezes,
            ..
        } = self;
        println!("\n{agents} healthy agents, {cycles} cycles: {at_full} at full authority, {freezes} freezes; alarms:");
        for invariant in Invariant::ALL {
            let alarms = self.of(invariant);
            let per_10_000 = alarms as f64 * 1e4 / self.cycles as f64;
            println!(
                "{:<26}{alarms:>6}{per_10_000:>8.2} per 10,000",
                signs::invariant(invariant)
            );
        }
    }
}

/// `agents` healthy lives of 5,000 cycles.
pub(crate) fn healthy(agents: u64) -> Healthy {
    let mut healthy = Healthy::default();
    for seed in 0..agents {
        let mut life = Life::new(seed);
        let mut held = Vec::new();
        for cycle in 1..=HEALTHY_CYCLES {
            let (_, violated) = life.step(None);
            for invariant in violated.iter().filter(|invariant| !held.contains(*invariant)) {
                *healthy.alarms.entry(signs::invariant(*invariant)).or_default() += 1;
            }
            if cycle.is_multiple_of(10) {
                held = violated;
            }
        }
        healthy.cycles += HEALTHY_CYCLES;
        healthy.agents += 1;
        healthy.freezes += u64::from(life.stack.freezes());
        healthy.at_full += u64::from(life.stack.authorities()[Level::L48.index()] == Authority::Full);
    }
    healthy
}
