//! What one cycle of the floor costs: L3 alone, and L3 with L4.5 (one report in ten cycles), with eight dimensions in
//! five groups and the most that the contract allows.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_mind::l3::{Action, Available, Floor, GroupSet, IdentityId, Input, Kernel, KernelConfig, Outcomes, Pace};
use rungs_mind::l45::{Level45, Level45Config};
use rungs_mind::report::{CycleReport, FloorReport};
use std::hint::black_box;
use std::sync::Arc;

/// Rows of the world that are made in advance, so that making them is not measured.
const ROWS: usize = 4096;

struct Agent {
    kernel: Kernel,
    level: Level45,
    spent: CycleReport,
    floor: FloorReport,
    rows: Vec<Vec<f64>>,
    cycle: u64,
}

impl Agent {
    fn new(groups: Arc<[u16]>) -> Self {
        let dimensions = groups.len();
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut state = vec![0.0; dimensions];
        let mut rows = Vec::with_capacity(ROWS);
        for _ in 0..ROWS {
            for x in &mut state {
                let shock: f64 = StandardNormal.sample(&mut rng);
                *x = 0.8 * *x + 0.6 * shock;
            }
            rows.push(state.clone());
        }
        let identity = IdentityId::of("default/bench");
        let config = KernelConfig {
            identity,
            groups: Arc::clone(&groups),
            seed: 1,
            exploration_rate: 0.01,
        };
        let mut agent = Self {
            kernel: Kernel::new(config).expect("valid"),
            level: Level45::new(Level45Config { groups, seed: 1 }).expect("valid"),
            spent: CycleReport::default(),
            floor: FloorReport::default(),
            rows,
            cycle: 0,
        };
        (0..2000).for_each(|_| agent.both());
        agent
    }

    fn kernel(&mut self) {
        self.cycle += 1;
        let groups = GroupSet::first(64);
        let input = Input {
            cycle: self.cycle,
            observation: &self.rows[self.cycle as usize % ROWS],
            outcomes: Outcomes::default(),
            advice: None,
            floor: if self.cycle > 10 {
                Floor::from(&self.floor)
            } else {
                Floor::Silent
            },
            pace: Pace::default(),
            resources: &[],
            available: Available {
                faster: groups,
                slower: groups,
                incidents: true,
                peers: true,
                ..Available::default()
            },
        };
        black_box(self.kernel.step(&input, &mut |_: &Action| Ok(())));
        if self.cycle.is_multiple_of(10) {
            self.kernel.swap_report(&mut self.spent);
        }
    }

    fn both(&mut self) {
        self.kernel();
        if self.cycle.is_multiple_of(10) {
            self.level.step_into(&self.spent, &mut self.floor);
        }
    }
}

fn cycle(criterion: &mut Criterion) {
    let worlds: [(&str, Arc<[u16]>); 2] = [
        ("8 dimensions", Arc::from([0, 0, 1, 1, 2, 3, 3, 4])),
        ("64 dimensions", (0..64).collect()),
    ];
    for (name, groups) in worlds {
        let mut agent = Agent::new(groups);
        criterion.bench_function(&format!("l3 cycle, {name}"), |b| b.iter(|| agent.kernel()));
        criterion.bench_function(&format!("l3 and l4.5 cycle, {name}"), |b| b.iter(|| agent.both()));
        let kernel = &agent.kernel;
        criterion.bench_function(&format!("l3 snapshot, {name}"), |b| {
            b.iter_batched(|| (), |()| kernel.snapshot(), BatchSize::SmallInput);
        });
    }
}

criterion_group!(benches, cycle);
criterion_main!(benches);
