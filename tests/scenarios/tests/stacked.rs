//! An agent that watches several series side by side: on what is healthy of them it is stable and few decisions are vetoed.

use rungs_scenarios_tests::{Life, agent};
use rungs_types::{Authority, EventKind, SimDimension, SimEvent, SimSpec};

/// From here on the levels act, and it counts.
const PLACED_AT: u64 = 800;
const CYCLES: u64 = 4_000;
/// Group, persistence, scale, and cycles and height of a season in standard deviations, if it has one.
type Series = (u16, f64, f64, Option<(u32, f64)>);
const SERIES: [Series; 8] = [
    (0, 0.70, 10.0, Some((288, 2.0))),
    (1, 0.95, 200.0, None),
    (2, 0.00, 3.0, Some((288, 1.0))),
    (3, 0.99, 1e6, None),
    (4, 0.50, 0.02, Some((96, 1.5))),
    (5, 0.90, 40.0, None),
    (6, 0.30, 1.0, None),
    (7, 0.80, 500.0, Some((2016, 2.0))),
];
/// What is planted: series, first cycle, cycles, height in standard deviations. What comes within 100 cycles after it is
/// not called healthy either.
const INCIDENTS: [(u32, u64, u64, f64); 4] = [
    (0, 1_500, 60, 8.0),
    (3, 2_100, 80, 6.0),
    (5, 2_700, 40, 10.0),
    (7, 3_300, 100, 7.0),
];
const AFTERMATH_CYCLES: u64 = 100;

fn stacked(seed: u64) -> SimSpec {
    let mut world = SimSpec {
        dimensions: Vec::new(),
        ..SimSpec::new(1, seed)
    };
    for (index, (group, phi, sigma, season)) in SERIES.into_iter().enumerate() {
        let dimension = index as u32;
        world = world.dimension(SimDimension {
            group,
            phi,
            mean: 20.0 * sigma,
            sigma,
            capacity: None,
        });
        if let Some((period_cycles, sigmas)) = season {
            world = world.event(SimEvent::Oscillation {
                dimension,
                from: 0,
                to: u64::MAX,
                sigmas,
                period_cycles,
            });
        }
    }
    for (dimension, at, cycles, sigmas) in INCIDENTS {
        for (at, sigmas) in [(at, sigmas), (at + cycles, -sigmas)] {
            world = world.event(SimEvent::LevelShift { dimension, at, sigmas });
        }
    }
    world
}

fn is_healthy(cycle: u64) -> bool {
    let incident = |(_, at, cycles, _): (u32, u64, u64, f64)| (at..at + cycles + AFTERMATH_CYCLES).contains(&cycle);
    cycle > PLACED_AT && !INCIDENTS.into_iter().any(incident)
}

#[test]
fn on_healthy_stretches_few_decisions_are_vetoed_and_the_stability_score_is_comfortable() {
    let (mut cycles, mut comfortable, mut decisions, mut vetoes, mut least) = (0_u64, 0_u64, 0, 0, 1.0_f64);
    for seed in 0..3 {
        let mut life = Life::new(agent("stacked", stacked(seed), seed));
        for cycle in 1..=CYCLES {
            let done = life.cycle();
            if cycle == PLACED_AT {
                life.place(Authority::Full);
            }
            if !is_healthy(cycle) {
                continue;
            }
            let ass = life.stack().autonomy().expect("L4.9").live().scores.ass;
            cycles += 1;
            comfortable += u64::from(ass > 0.5);
            least = least.min(ass);
            if let Some(output) = done.autonomy {
                vetoes += output.stability.vetoes.len();
                decisions += output.decided();
            }
        }
        println!(
            "seed {seed}: {} freezes, L4.9 {}",
            life.count(|kind| matches!(kind, EventKind::Frozen { .. })),
            life.authority(rungs_types::Level::L49),
        );
    }
    let share = comfortable as f64 / cycles as f64;
    let rate = vetoes as f64 / f64::from(u32::try_from(decisions).expect("few")).max(1.0);
    println!(
        "ASS > 0.5 in {:.1} % of {cycles} healthy cycles (least {least:.3})",
        100.0 * share
    );
    println!("{vetoes} of {decisions} decisions vetoed: {rate:.3}");
    assert!(share >= 0.95, "{share}");
    assert!(decisions > 0, "nothing was decided");
    assert!(rate < 0.15, "{rate}");
}
