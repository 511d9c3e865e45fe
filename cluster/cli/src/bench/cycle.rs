//! P6: one cycle of L3 with its part of L4.5, over a simulated world of 8 dimensions.

use super::report::{Figure, Target, median};
use rungs_agent::Environment;
use rungs_environments::Sim;
use rungs_mind::l3::{Action, Available, Floor, IdentityId, Input, Kernel, KernelConfig, Outcomes, Pace};
use rungs_mind::l45::{Level45, Level45Config};
use rungs_mind::report::{CycleReport, REPORT_CYCLES};
use rungs_types::spec::SimSpec;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Dimensions of the world.
const DIMENSIONS: u32 = 8;
/// Cycles before anything is measured: windows are full, room is allocated.
const WARM_UP: u64 = 2_000;
/// Cycles that are measured.
const CYCLES: u64 = 10_000;

/// Median time of a cycle in each of `runs` runs, in microseconds; a tenth of each L4.5 pass is part of its cycles.
pub fn measure(runs: u32) -> anyhow::Result<Vec<Figure>> {
    let times = (0..runs)
        .map(|seed| run(u64::from(seed)))
        .collect::<anyhow::Result<Vec<f64>>>()?;
    Ok(vec![Figure {
        id: "P6",
        what: "cycle of L3 and L4.5, 8 dimensions, median",
        value: median(times),
        unit: "us",
        baseline: "",
        baseline_value: None,
        target: Target::AtMost(25.0),
    }])
}

fn run(seed: u64) -> anyhow::Result<f64> {
    let mut world = Sim::new(&SimSpec::new(DIMENSIONS, seed))?;
    let groups: Arc<[u16]> = world
        .describe()
        .dimensions
        .iter()
        .map(|dimension| dimension.group)
        .collect();
    let identity = IdentityId::of("bench");
    let config = KernelConfig {
        identity,
        groups: Arc::clone(&groups),
        seed,
        exploration_rate: 0.02,
    };
    let mut kernel = Kernel::new(config)?;
    let mut level45 = Level45::new(Level45Config { groups, seed })?;
    let mut row = vec![f64::NAN; DIMENSIONS as usize];
    let mut spent = CycleReport::default();
    let mut floor = Floor::Silent;
    let mut times = Vec::with_capacity(CYCLES as usize);
    for cycle in 1..=WARM_UP + CYCLES {
        row.fill(f64::NAN);
        world.observe(Duration::from_millis(100 * cycle), &mut row)?;
        let began = Instant::now();
        let input = Input {
            cycle,
            observation: &row,
            outcomes: Outcomes::default(),
            advice: None,
            floor,
            pace: Pace::default(),
            resources: &[],
            available: Available::default(),
        };
        kernel.step(&input, &mut |_: &Action| Ok(()));
        if cycle.is_multiple_of(REPORT_CYCLES as u64) {
            kernel.swap_report(&mut spent);
            floor = Floor::from(&level45.step(&spent));
        }
        if cycle > WARM_UP {
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    // Nine of ten cycles have no pass of L4.5: its share is spread over them.
    let passes: f64 = times.iter().skip(REPORT_CYCLES - 1).step_by(REPORT_CYCLES).sum();
    let plain = median(times.clone());
    Ok(plain + (passes / (CYCLES as f64 / REPORT_CYCLES as f64) - plain).max(0.0) / REPORT_CYCLES as f64)
}
