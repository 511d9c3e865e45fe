//! A healthy agent must be able to rise: an agent that watches a machine, with most dimensions missing in most cycles,
//! meets all six activation criteria of L4.8 soon, and an upset world holds it back.

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_mind::Stack;
use rungs_mind::body::Surroundings;
use rungs_mind::l3::Outcomes;
use rungs_mind::report::{DivergenceBand, FloorReport, RhoState};
use rungs_types::{AgentSpec, GoalId, GoalSpec, Level};
use std::sync::Arc;

/// Cycles (for the fourth: checks) that each criterion must be sustained.
const NEEDED: [u32; 6] = [1000, 500, 500, 20, 300, 200];
/// Cycles by which a healthy agent has sustained all of them.
const RISEN_BY: u64 = 1600;

/// How one quantity of a machine moves.
#[derive(Clone, Copy)]
enum Motion {
    /// Autoregressive with this persistence, seen through noise of this share of its deviation.
    Wavering(f64, f64),
    /// A slow walk, as of memory in use.
    Walking,
    /// Nearly always 0, now and then a burst, as of bytes written.
    Bursting,
    /// Skewed and independent, as of latencies.
    Skewed,
    /// Never changes.
    Fixed,
}

/// One quantity: its group, the cycles between two samples, its motion.
#[derive(Clone, Copy)]
struct Sensor(u16, u64, Motion);

/// A machine at 50 cycles a second: processor every 250 ms, memory and disk each second or so, load every 5 s, the
/// agent's own latency and queue in every cycle.
const MACHINE: [Sensor; 11] = [
    Sensor(0, 12, Motion::Wavering(0.7, 0.3)),
    Sensor(0, 12, Motion::Wavering(0.4, 0.5)),
    Sensor(1, 50, Motion::Walking),
    Sensor(1, 50, Motion::Fixed),
    Sensor(2, 25, Motion::Bursting),
    Sensor(2, 25, Motion::Wavering(0.6, 0.1)),
    Sensor(3, 250, Motion::Wavering(0.95, 0.0)),
    Sensor(3, 250, Motion::Wavering(0.99, 0.0)),
    Sensor(3, 250, Motion::Wavering(0.995, 0.0)),
    Sensor(4, 1, Motion::Skewed),
    Sensor(4, 1, Motion::Wavering(0.0, 1.0)),
];

struct World {
    sensors: Vec<Sensor>,
    state: Vec<f64>,
    rng: Pcg64Mcg,
}

impl World {
    fn new(sensors: &[Sensor], seed: u64) -> Self {
        Self {
            sensors: sensors.to_vec(),
            state: vec![0.0; sensors.len()],
            rng: Pcg64Mcg::seed_from_u64(seed),
        }
    }

    fn row(&mut self, cycle: u64) -> Vec<f64> {
        let rng = &mut self.rng;
        let sample = |(Sensor(_, every, motion), x): (&Sensor, &mut f64)| {
            if !cycle.is_multiple_of(*every) {
                return f64::NAN;
            }
            let mut normal = || -> f64 { StandardNormal.sample(rng) };
            match *motion {
                Motion::Wavering(phi, noise) => {
                    *x = phi * *x + (1.0 - phi * phi).sqrt() * normal();
                    40.0 + 10.0 * *x + 10.0 * noise * normal()
                }
                Motion::Walking => {
                    *x += normal();
                    8e9 + 1e6 * *x
                }
                Motion::Bursting if rng.random_range(0.0..1.0) < 0.1 => {
                    4096.0 * rng.random_range(1.0..100.0_f64).round()
                }
                Motion::Bursting => 0.0,
                Motion::Skewed => LogNormal::new(3.0, 0.5).expect("valid").sample(rng),
                Motion::Fixed => 16.0,
            }
        };
        self.sensors.iter().zip(&mut self.state).map(sample).collect()
    }
}

/// L3 and L4.5 of an agent, with its body: what it does costs what it costs.
struct Agent {
    stack: Stack,
    floor: Arc<FloorReport>,
}

impl Agent {
    fn new(sensors: &[Sensor]) -> Self {
        let group_of: Vec<u16> = sensors.iter().map(|Sensor(group, ..)| *group).collect();
        let groups = group_of.iter().max().map_or(0, |last| usize::from(*last) + 1);
        let surroundings = Surroundings {
            groups: (0..groups).map(|group| format!("g{group}")).collect(),
            capacities: vec![None; group_of.len()],
            group_of,
            adjustable: true,
        };
        let spec = AgentSpec {
            seed: 1,
            highest: Level::L45,
            ..AgentSpec::new("healthy".parse().expect("a name"))
        };
        Self {
            stack: Stack::new(&spec, &surroundings).expect("valid"),
            floor: Arc::default(),
        }
    }

    fn cycle(&mut self, row: &[f64], late: bool, outcomes: Outcomes) {
        if let Some(floor) = self.stack.step_with(row, outcomes, late).floor {
            self.floor = floor;
        }
    }

    fn risen(&self) -> bool {
        self.floor
            .sustained
            .iter()
            .zip(NEEDED)
            .all(|(count, needed)| *count >= needed)
    }
}

/// The first cycle at which all six criteria are met.
fn rises_at(sensors: &[Sensor], seed: u64, cycles: u64) -> Option<u64> {
    let (mut world, mut agent) = (World::new(sensors, seed), Agent::new(sensors));
    (1..=cycles).find(|cycle| {
        let row = world.row(*cycle);
        agent.cycle(&row, false, Outcomes::default());
        agent.risen()
    })
}

#[test]
fn an_agent_that_watches_a_machine_rises_in_time() {
    for seed in 0..20 {
        let risen = rises_at(&MACHINE, seed, RISEN_BY);
        assert!(risen.is_some(), "seed {seed} has not risen by {RISEN_BY}");
    }
}

#[test]
fn so_does_one_whose_dimensions_are_of_any_persistence_and_period() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    for seed in 0..20 {
        let sensors: Vec<Sensor> = (0..8)
            .map(|d| {
                let phi = [0.0, 0.3, 0.6, 0.9, 0.99, 0.999][rng.random_range(0..6)];
                let every = [1, 2, 5, 12, 40, 250][rng.random_range(0..6)];
                // One sensor in each cycle at least, or the agent is blind for longer than fifty.
                Sensor(d % 5, if d == 0 { 1 } else { every }, Motion::Wavering(phi, 0.2))
            })
            .collect();
        let risen = rises_at(&sensors, seed, RISEN_BY);
        assert!(risen.is_some(), "seed {seed} has not risen by {RISEN_BY}");
    }
}

#[test]
fn once_risen_it_stays_up() {
    let (mut world, mut agent) = (World::new(&MACHINE, 5), Agent::new(&MACHINE));
    let (mut up, mut checks) = (0, 0);
    for cycle in 1..=8000 {
        let row = world.row(cycle);
        agent.cycle(&row, false, Outcomes::default());
        if cycle > RISEN_BY && cycle.is_multiple_of(10) {
            checks += 1;
            up += u32::from(agent.risen());
            assert!(!matches!(agent.floor.rho_state, RhoState::Violation), "cycle {cycle}");
            assert!(
                agent.floor.iis.is_some_and(|iis| iis >= 0.90),
                "cycle {cycle}: {:?}",
                agent.floor.iis
            );
        }
    }
    assert!(f64::from(up) >= 0.95 * f64::from(checks), "{up} of {checks}");
}

/// A goal that waits for one that is never set.
fn waiting(number: u64) -> GoalSpec {
    let text = format!(
        r#"{{"goal": "g{number}", "intent": "wait", "success": {{"all": [{{"of": {{"dimension": 0}}, "is": "above", "value": 1e9}}]}},
            "tasks": [{{"name": "look", "does": {{"sample_faster": {{"group": 0}}}}}}], "after": ["never"]}}"#
    );
    serde_json::from_str(&text).expect("a goal")
}

#[test]
fn goals_that_come_and_go_make_no_spectral_alarm() {
    let mut alarms = [0_u32; 2];
    for seed in 0..10 {
        for (goals, alarms) in [false, true].into_iter().zip(&mut alarms) {
            let (mut world, mut agent) = (World::new(&MACHINE, seed), Agent::new(&MACHINE));
            for cycle in 1..=4_000 {
                let row = world.row(cycle);
                agent.cycle(&row, false, Outcomes::default());
                if goals && cycle.is_multiple_of(300) {
                    agent.stack.submit(waiting(cycle / 300)).expect("there is room");
                    let before = GoalId::new(&format!("g{}", (cycle / 300).saturating_sub(2))).expect("a name");
                    agent.stack.cancel(&before);
                }
                let alarmed = matches!(agent.floor.rho_state, RhoState::Warning | RhoState::Violation);
                *alarms += u32::from(alarmed && cycle.is_multiple_of(10));
                assert!(!goals || cycle < 1_000 || agent.floor.x[1] < 1.0, "G is PCS");
            }
        }
    }
    assert_eq!(
        alarms,
        [0, 0],
        "checks of 4,000 with an alarm, without goals and with them"
    );
}

#[test]
fn a_blind_agent_does_not_rise() {
    let mut agent = Agent::new(&MACHINE);
    let row = [f64::NAN; MACHINE.len()];
    for _ in 1..=2000 {
        agent.cycle(&row, false, Outcomes::default());
    }
    assert_eq!((agent.floor.uncertainty, agent.floor.divergence), (1.0, 1.0));
    assert_eq!(agent.floor.divergence_band, DivergenceBand::Frozen);
    let [_, _, _, checks, adapted, _] = agent.floor.sustained;
    assert_eq!((checks, adapted), (0, 0), "nothing is certain, nothing is seen");
    assert!(!agent.floor.structural_permitted);
}

#[test]
fn an_agent_that_is_late_once_in_a_hundred_cycles_does_not_rise() {
    let (mut world, mut agent) = (World::new(&MACHINE, 2), Agent::new(&MACHINE));
    for cycle in 1..=2500 {
        let row = world.row(cycle);
        agent.cycle(&row, cycle.is_multiple_of(100), Outcomes::default());
        assert!(!agent.risen());
    }
    assert!(agent.floor.sustained[0] >= NEEDED[0] && agent.floor.sustained[5] < NEEDED[5]);
}

#[test]
fn a_world_that_gets_wilder_by_and_by_is_a_divergence_and_a_calm_one_is_none() {
    let wild = |growth: f64| {
        let sensors = [Sensor(0, 1, Motion::Wavering(0.5, 0.0)); 4];
        let (mut world, mut agent) = (World::new(&sensors, 3), Agent::new(&sensors));
        let mut scale = 1.0;
        for cycle in 1..=2000 {
            let row: Vec<f64> = world.row(cycle).iter().map(|v| v * scale).collect();
            agent.cycle(&row, false, Outcomes::default());
            if cycle > 1500 {
                scale *= growth;
            }
        }
        agent.floor.divergence
    };
    assert!(wild(1.0) < 0.10);
    assert!(wild(1.05) > 0.30, "{}", wild(1.05));
}

#[test]
fn denials_depart_from_the_identity_and_tasks_that_fail_are_noticed() {
    let (mut world, mut agent) = (World::new(&MACHINE, 4), Agent::new(&MACHINE));
    let (mut fell, mut departed) = (false, false);
    for cycle in 1..=3000 {
        let row = world.row(cycle);
        let failing = cycle > 2000;
        let outcomes = Outcomes {
            tasks_succeeded: u16::from(!failing && cycle.is_multiple_of(2)),
            tasks_failed: u16::from(failing && cycle.is_multiple_of(2)),
            proposals: 2,
            denied: if cycle > 2500 { 2 } else { 0 },
            ..Outcomes::default()
        };
        agent.cycle(&row, false, outcomes);
        if cycle <= 2000 {
            assert!(!agent.floor.success_fall);
        }
        fell |= agent.floor.success_fall;
        if cycle > 2500 {
            departed |= agent.floor.iis.is_some_and(|iis| iis < 0.85);
        } else {
            // Capability confidence may fall to nothing: its departure counts up to a tenth.
            assert!(
                agent.floor.iis.is_none_or(|iis| iis > 0.90),
                "cycle {cycle}: {:?}",
                agent.floor.iis
            );
        }
    }
    assert!(fell && departed);
    assert!(agent.floor.tier >= 3 && !agent.floor.structural_permitted);
}
