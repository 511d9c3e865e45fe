//! P6: one cycle of L3 with its part of L4.5, over a simulated world of 8 dimensions.

use super::report::{Figure, Target, median, median_of};
use rungs_agent::Environment;
use rungs_environments::Sim;
use rungs_mind::l3::{Action, Available, Floor, Input, Kernel, Outcomes, Pace};
use rungs_mind::l45::Level45;
use rungs_mind::report::{CycleReport, FloorReport, REPORT_CYCLES};
use rungs_mind::setup;
use rungs_types::AgentSpec;
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

/// Median time of a cycle in each of `runs` runs, in microseconds, beside that of L3 alone; a tenth of each L4.5 pass is
/// part of its cycles.
pub fn measure(runs: u32) -> anyhow::Result<Vec<Figure>> {
    let times = (0..runs)
        .map(|seed| run(u64::from(seed)))
        .collect::<anyhow::Result<Vec<Times>>>()?;
    Ok(vec![Figure {
        id: "P6",
        what: "cycle of L3 and L4.5, 8 dimensions",
        value: median_of(&times, |times| times.with_floor_us),
        unit: "us",
        baseline: "L3 alone",
        baseline_value: Some(median_of(&times, |times| times.alone_us)),
        target: Target::AtMost(25.0),
    }])
}

/// L3 and L4.5 of one agent in a simulated world.
pub struct LowerLevels {
    world: Sim,
    kernel: Kernel,
    level45: Level45,
    spent: CycleReport,
    floor: Floor,
    row: Vec<f64>,
    cycle: u64,
}

impl LowerLevels {
    /// At their first cycle.
    pub fn new(seed: u64) -> anyhow::Result<Self> {
        let world = Sim::new(&SimSpec::new(DIMENSIONS, seed))?;
        let dimensions = &world.describe().dimensions;
        let groups: Arc<[u16]> = dimensions.iter().map(|dimension| dimension.group).collect();
        let spec = AgentSpec {
            seed,
            ..AgentSpec::new("bench".parse()?)
        };
        Ok(Self {
            world,
            kernel: Kernel::new(setup::kernel(&spec, Arc::clone(&groups)))?,
            level45: Level45::new(setup::floor(&spec, groups))?,
            spent: CycleReport::default(),
            floor: Floor::Silent,
            row: vec![f64::NAN; DIMENSIONS as usize],
            cycle: 0,
        })
    }

    fn observe(&mut self) -> anyhow::Result<()> {
        self.cycle += 1;
        self.row.fill(f64::NAN);
        self.world
            .observe(Duration::from_millis(100 * self.cycle), &mut self.row)?;
        Ok(())
    }

    /// One cycle; every tenth ends with a pass of L4.5.
    fn step(&mut self) -> Option<FloorReport> {
        let input = Input {
            cycle: self.cycle,
            observation: &self.row,
            outcomes: Outcomes::default(),
            advice: None,
            floor: self.floor,
            pace: Pace::default(),
            resources: &[],
            available: Available::default(),
        };
        self.kernel.step(&input, &mut |_: &Action| Ok(()));
        if !self.cycle.is_multiple_of(REPORT_CYCLES as u64) {
            return None;
        }
        self.kernel.swap_report(&mut self.spent);
        let answer = self.level45.step(&self.spent);
        self.floor = Floor::from(&answer);
        Some(answer)
    }

    /// Runs to the next pass of L4.5: what L3 reported, and L4.5's answer.
    pub fn report(&mut self) -> anyhow::Result<(CycleReport, FloorReport)> {
        loop {
            self.observe()?;
            if let Some(answer) = self.step() {
                return Ok((self.spent.clone(), answer));
            }
        }
    }
}

/// Times of a cycle.
struct Times {
    with_floor_us: f64,
    alone_us: f64,
}

fn run(seed: u64) -> anyhow::Result<Times> {
    let mut levels = LowerLevels::new(seed)?;
    let mut times = Vec::with_capacity(CYCLES as usize);
    for cycle in 1..=WARM_UP + CYCLES {
        levels.observe()?;
        let began = Instant::now();
        levels.step();
        if cycle > WARM_UP {
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    // Nine of ten cycles have no pass of L4.5: its share is spread over them.
    let passes: f64 = times.iter().skip(REPORT_CYCLES - 1).step_by(REPORT_CYCLES).sum();
    let alone_us = median(times);
    let pass_us = (passes / (CYCLES as f64 / REPORT_CYCLES as f64) - alone_us).max(0.0);
    Ok(Times {
        with_floor_us: alone_us + pass_us / REPORT_CYCLES as f64,
        alone_us,
    })
}
