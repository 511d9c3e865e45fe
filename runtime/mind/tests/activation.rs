//! Each of the six activation criteria of Level 4.8, failed alone in a simulated agent, holds the level in Shadow; without
//! a failure it rises (MSCP Level 4.8, section 9.1).

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rungs_mind::Stack;
use rungs_mind::body::Surroundings;
use rungs_mind::l3::Outcomes;
use rungs_mind::l48::standing::{CRITERIA_NAMES, CRITERIA_SUSTAINED};
use rungs_mind::report::FloorReport;
use rungs_types::{AgentSpec, Authority, Level};
use std::sync::Arc;

/// Cycles of one life: a healthy agent is at Advisory from 1,000 on and at Full 500 later.
const CYCLES: u64 = 1_540;
/// Before it the identity has no reference: I_ref is taken from 200 cycles that end at cycle 500 or later.
const REFERENCE_TAKEN: u64 = 700;

/// How much further the world moves, for so many of 250 cycles, where forecasts are to diverge.
const WILD: f64 = 3.0;
const WILD_CYCLES: u64 = 12;

/// What happens in one cycle.
#[derive(Default)]
struct Planted {
    outcomes: Outcomes,
    late: bool,
    /// Factor on how far the world moves.
    wildness: f64,
}

/// Four quantities of two groups, persistence 0.8, around 40.
struct World {
    state: [f64; 4],
    rng: Pcg64Mcg,
}

impl World {
    fn row(&mut self, wildness: f64) -> [f64; 4] {
        for x in &mut self.state {
            *x = 0.8 * *x + self.rng.random_range(-1.0..1.0);
        }
        self.state.map(|x| 40.0 + 5.0 * wildness * x)
    }
}

/// What is left of an agent's life: the last floor report, why L4.8 waits, and the highest authority it had.
struct Life {
    floor: Arc<FloorReport>,
    waiting_for: String,
    highest: Authority,
}

fn live(plant: impl Fn(u64) -> Planted) -> Life {
    let surroundings = Surroundings {
        groups: vec!["first".into(), "second".into()],
        group_of: vec![0, 0, 1, 1],
        capacities: vec![None; 4],
        adjustable: true,
    };
    let spec = AgentSpec {
        seed: 1,
        particles: 20,
        highest: Level::L48,
        ..AgentSpec::new("sim".parse().expect("a name"))
    };
    let mut stack = Stack::new(&spec, &surroundings).expect("valid");
    let mut world = World {
        state: [0.0; 4],
        rng: Pcg64Mcg::seed_from_u64(5),
    };
    let (mut floor, mut highest) = (Arc::default(), Authority::Frozen);
    for cycle in 1..=CYCLES {
        let planted = plant(cycle);
        let row = world.row(planted.wildness);
        let done = stack.step_with(&row, planted.outcomes, planted.late);
        floor = done.floor.unwrap_or(floor);
        highest = highest.max(stack.authorities()[Level::L48.index()]);
    }
    Life {
        floor,
        waiting_for: stack.waiting_for(),
        highest,
    }
}

/// A calm cycle with four proposals, none denied.
fn calm() -> Planted {
    Planted {
        outcomes: Outcomes {
            proposals: 4,
            ..Outcomes::default()
        },
        late: false,
        wildness: 1.0,
    }
}

/// One task a cycle: in each 480 cycles the first 80 fail, then so slowly more of them succeed that C_L4 stays low.
fn slump(cycle: u64) -> Planted {
    let share = |phase: u64| match phase {
        0..80 => 0.0,
        _ => 0.2 + 0.8 * (phase - 80) as f64 / 400.0,
    };
    let done = |cycle: u64| (cycle / 480 * 480..=cycle).map(|c| share(c % 480)).sum::<f64>() as u64;
    let succeeded = cycle % 480 >= 80 && done(cycle) > done(cycle - 1);
    let mut planted = calm();
    planted.outcomes.tasks_succeeded = u16::from(succeeded);
    planted.outcomes.tasks_failed = u16::from(!succeeded);
    planted
}

/// The failures, in the order of the criteria.
const PLANTS: [fn(u64) -> Planted; 6] = [
    |cycle| {
        let mut planted = calm();
        planted.outcomes.expansions = u16::from(cycle.is_multiple_of(20));
        planted
    },
    slump,
    |cycle| {
        let mut planted = calm();
        (planted.outcomes.proposals, planted.outcomes.denied) = (3, u16::from(cycle > REFERENCE_TAKEN));
        planted
    },
    |cycle| {
        let mut planted = calm();
        // Each freezes the level in Shadow, from which it is back after 50 cycles; a fourth would suspend it.
        planted.outcomes.breaches = u16::from([995, 1_185, 1_375].contains(&cycle));
        planted
    },
    |cycle| {
        let mut planted = calm();
        if cycle % 250 < WILD_CYCLES {
            planted.wildness = WILD;
        }
        planted
    },
    |cycle| {
        let mut planted = calm();
        planted.late = cycle.is_multiple_of(100);
        planted
    },
];

#[test]
fn without_a_failure_the_level_rises() {
    let life = live(|_| calm());
    assert_eq!((life.highest, life.waiting_for.as_str()), (Authority::Full, ""));
}

#[test]
fn each_failure_alone_holds_the_level_in_shadow_and_the_level_says_which() {
    let mut wrong = Vec::new();
    for (criterion, plant) in PLANTS.into_iter().enumerate() {
        let life = live(plant);
        let alone = life.waiting_for.starts_with(CRITERIA_NAMES[criterion]) && !life.waiting_for.contains(',');
        println!("{}: {:?} {}", criterion + 1, life.floor.sustained, life.waiting_for);
        if life.highest != Authority::Shadow || !alone {
            wrong.push((criterion + 1, life.waiting_for));
        }
        for (other, (held, needed)) in life.floor.sustained.iter().zip(CRITERIA_SUSTAINED).enumerate() {
            assert!(
                other == criterion || *held >= needed,
                "{}: {} has {held}",
                criterion + 1,
                other + 1
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
