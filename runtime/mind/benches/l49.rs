//! What one cycle of Level 4.9 costs (P7: at most 10 ms): fifty cycles of an agent of eight dimensions with three goals at
//! full authority - five passes of Level 4.8 and, where there is one, a pass of Level 4.9. The difference is that pass.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_mind::Stack;
use rungs_mind::body::Surroundings;
use rungs_mind::ladder::Order;
use rungs_types::{AgentSpec, Authority, Level};
use std::hint::black_box;

const DIMENSIONS: usize = 8;
const GROUP_OF: [u16; DIMENSIONS] = [0, 0, 1, 1, 2, 2, 3, 3];
/// Cycles before anything is measured.
const WARM_CYCLES: usize = 4_000;
/// Cycles from one pass of Level 4.9 to the next.
const PASS_CYCLES: usize = 50;

struct Agent {
    stack: Stack,
    rng: Pcg64Mcg,
    state: [f64; DIMENSIONS],
}

impl Agent {
    fn new(highest: Level) -> Self {
        let spec = AgentSpec {
            highest,
            ..AgentSpec::new("bench".parse().expect("a name"))
        };
        let surroundings = Surroundings {
            groups: (0..4).map(|group| format!("group {group}")).collect(),
            group_of: GROUP_OF.into(),
            capacities: vec![None; DIMENSIONS],
            adjustable: true,
        };
        let mut agent = Self {
            stack: Stack::new(&spec, &surroundings).expect("valid"),
            rng: Pcg64Mcg::seed_from_u64(1),
            state: [0.0; DIMENSIONS],
        };
        agent.run(WARM_CYCLES);
        for level in [Level::L48, Level::L49].into_iter().filter(|level| *level <= highest) {
            let (to, who) = (Authority::Full, "bench".to_owned());
            agent
                .stack
                .order(&Order::Authority { level, to, who })
                .expect("accepted");
        }
        for nth in 0..3 {
            let goal = serde_json::json!({
                "goal": format!("g{nth}"), "intent": "see more", "tier": "strategic",
                "success": { "all": [{ "of": { "dimension": nth }, "is": "at_least", "value": 1e9 }] },
                "tasks": [{ "name": "a", "does": { "sample_faster": { "group": nth } } }],
            });
            let goal = serde_json::from_value(goal).expect("a goal");
            agent.stack.submit(goal).expect("taken");
        }
        agent.run(10 * PASS_CYCLES);
        agent
    }

    fn run(&mut self, cycles: usize) {
        for _ in 0..cycles {
            for x in &mut self.state {
                let shock: f64 = StandardNormal.sample(&mut self.rng);
                *x = 0.8 * *x + 0.6 * shock;
            }
            black_box(self.stack.step(&self.state));
        }
    }
}

fn l49(criterion: &mut Criterion) {
    for level in [Level::L48, Level::L49] {
        let mut agent = Agent::new(level);
        criterion.bench_function(&format!("50 cycles up to {level}, 8 dimensions, 3 goals"), |b| {
            b.iter_batched(|| (), |()| agent.run(PASS_CYCLES), BatchSize::PerIteration)
        });
    }
}

criterion_group!(benches, l49);
criterion_main!(benches);
