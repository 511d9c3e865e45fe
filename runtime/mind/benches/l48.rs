//! What one cycle of Level 4.8 costs (P7), with 100 particles and eight dimensions, ten rows to a report, three goals and
//! the strategies that are candidates looked ahead 200 cycles in five scenarios, and what its
//! snapshot costs: condensed, and restored.

use criterion::{Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_mind::budget::Unlimited;
use rungs_mind::goals::{Change, GoalRecord, GoalTable};
use rungs_mind::l45::frames::{Ballot, Decision, FRAMES, Resolution};
use rungs_mind::l45::projection::SelfProjection;
use rungs_mind::l48::{Bundle, Emit, Introspect, Observe, ObserveConfig, Orchestrator, Plan, Turn, Verify};
use rungs_mind::report::{
    CycleFacts, CycleReport, DivergenceBand, FloorReport, GoalReport, REPORT_CYCLES, Resource, RhoState, Votes,
};
use rungs_types::{CheckpointId, GoalId};
use std::hint::black_box;
use std::sync::Arc;

const DIMENSIONS: usize = 8;
const GROUPS: [u16; DIMENSIONS] = [0, 0, 1, 1, 2, 3, 3, 4];
const CONFIG: ObserveConfig = ObserveConfig {
    dimensions: DIMENSIONS,
    particles: 100,
    seed: 1,
};
/// Reports before anything is measured: all windows are full, and seasons are found.
const WARM_REPORTS: u64 = 300;
/// Reports of the world that are made in advance, so that making them is not measured.
const REPORTS: usize = 600;

/// A ballot on an archetype that all frames are for.
const PASSED: Ballot = Ballot {
    on: Decision::Archetype,
    votes: [1.0; FRAMES],
    yes: FRAMES as u32,
    vetoed: false,
    variance: 0.0,
    resolution: Resolution::Proceed,
    passed: true,
};

/// The level as its supervisor drives it.
struct Level {
    orchestrator: Orchestrator,
    observe: Observe,
    introspect: Introspect,
    plan: Plan,
    verify: Verify,
    emit: Emit,
    reports: Vec<CycleReport>,
    turns: u64,
}

impl Level {
    /// `seasonal`: every dimension has a season, so that both of its forecasters work.
    fn new(seasonal: bool) -> Self {
        let (observe, verify, emit) = (Observe::new(CONFIG).expect("valid"), Verify::new(), Emit::new());
        let introspect = Introspect::new(Arc::from(GROUPS));
        let plan = Plan::new(1);
        let first = Bundle {
            checkpoint: CheckpointId(0),
            cycle: 0,
            observe: observe.state(),
            introspect: introspect.state(),
            plan: plan.state(),
            verify: verify.state(),
            emit: emit.state(),
        };
        let mut level = Self {
            orchestrator: Orchestrator::new(first),
            observe,
            introspect,
            plan,
            verify,
            emit,
            reports: reports(seasonal),
            turns: 0,
        };
        (0..WARM_REPORTS).for_each(|_| level.turn());
        level
    }

    fn turn(&mut self) {
        self.turns += 1;
        let mut report = self.reports[self.turns as usize % REPORTS].clone();
        let last = self.turns * REPORT_CYCLES as u64;
        let first = last - REPORT_CYCLES as u64 + 1;
        for (cycle, facts) in (first..).zip(&mut report.facts) {
            facts.cycle = cycle;
        }
        let floor = FloorReport {
            cycle: last,
            rho: 0.9,
            rho_state: RhoState::Stable,
            x: state(last),
            states: (first..=last).map(state).collect(),
            performance: Some(0.7),
            seof: 0.4,
            lyapunov: vec![0.02; REPORT_CYCLES],
            iis: Some(0.95),
            ethics_intact: true,
            contained: true,
            structural_permitted: true,
            sustained: [1_000, 500, 500, 20, 300, 200],
            // Every course is open, so that as many candidates are compared as there can be.
            divergence_band: DivergenceBand::Normal,
            projection: SelfProjection {
                aggressive_open: true,
                ..SelfProjection::default()
            },
            votes: Votes {
                posture: [Some(PASSED); 2],
                ..Votes::default()
            },
            ..FloorReport::default()
        };
        let Turn::Begin(mut baton) = self.orchestrator.on_report(Arc::new(report), Arc::new(floor)) else {
            panic!("nothing is under way");
        };
        self.observe.carry(&mut baton, &Unlimited).expect("a good report");
        self.introspect.carry(&mut baton).expect("in order");
        self.plan.carry(&mut baton, &Unlimited).expect("in order");
        self.verify.carry(&mut baton).expect("in order");
        self.emit.carry(&mut baton).expect("in order");
        black_box(self.orchestrator.on_baton(&baton));
    }
}

/// X of an agent whose state wobbles about its home.
fn state(cycle: u64) -> [f64; 5] {
    let wobble = 0.01 * ((cycle * 37 % 11) as f64 / 10.0 - 0.5);
    [0.9 + wobble, 1.0, 0.95, 0.1 - wobble, 1.0]
}

/// Three goals that are worked on.
fn goals() -> Vec<GoalRecord> {
    let mut table = GoalTable::default();
    for nth in 0..3_u16 {
        let goal = GoalId::new(&format!("g{nth}")).expect("a name");
        let spec = serde_json::json!({
            "goal": goal.as_str(), "intent": "see more", "tier": "operational",
            "success": { "all": [{ "of": { "dimension": nth }, "is": "at_least", "value": 1e9 }] },
            "tasks": [{ "name": "a", "does": { "sample_faster": { "group": nth } } }],
        });
        let spec = Arc::new(serde_json::from_value(spec).expect("a goal"));
        let checkpoint = CheckpointId(0);
        table.apply(&Change::Set { spec, checkpoint }, 0);
        table.apply(&Change::Approve { goal }, 0);
    }
    table.open().to_vec()
}

fn reports(seasonal: bool) -> Vec<CycleReport> {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut state = [0.0; DIMENSIONS];
    let mut cycle = 0;
    let mut row = || {
        cycle += 1;
        for x in &mut state {
            let shock: f64 = StandardNormal.sample(&mut rng);
            *x = 0.8 * *x + 0.6 * shock;
        }
        let level = if seasonal && cycle % 48 < 16 { 20.0 } else { 0.0 };
        state.map(|x| x + level)
    };
    let goals = goals();
    (0..REPORTS)
        .map(|_| CycleReport {
            dimensions: DIMENSIONS,
            groups: Arc::from(GROUPS),
            facts: vec![CycleFacts::default(); REPORT_CYCLES],
            observations: (0..REPORT_CYCLES).flat_map(|_| row()).collect(),
            resources: vec![Resource {
                level: 1e6,
                consumption_per_cycle: 1.0,
                utilisation: 0.3,
            }],
            goals: GoalReport {
                open: goals.clone(),
                ..GoalReport::default()
            },
            ..CycleReport::default()
        })
        .collect()
}

fn l48(criterion: &mut Criterion) {
    for (world, seasonal) in [("no season", false), ("a season in each", true)] {
        let mut level = Level::new(seasonal);
        criterion.bench_function(&format!("l4.8 cycle, 8 dimensions, {world}"), |b| {
            b.iter(|| level.turn())
        });
        let state = level.observe.state();
        let summary = state.summary();
        criterion.bench_function(&format!("l4.8 summary, {world}"), |b| b.iter(|| state.summary()));
        let restore = || summary.restore(CONFIG).expect("undamaged");
        criterion.bench_function(&format!("l4.8 restore, {world}"), |b| b.iter(restore));
    }
}

criterion_group!(benches, l48);
criterion_main!(benches);
