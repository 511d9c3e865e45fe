//! In steady state the floor and the audits allocate nothing: an agent's cycle must not wait for memory, and a node with ten thousand
//! of them must not fragment it.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_mind::budget::Unlimited;
use rungs_mind::l3::{Action, Available, Floor, GroupSet, IdentityId, Input, Kernel, KernelConfig, Outcomes, Pace};
use rungs_mind::l45::{Level45, Level45Config};
use rungs_mind::l48::{Baton, Bundle, Emit, Introspect, Observe, ObserveConfig, Orchestrator, Plan, Turn, Verify};
use rungs_mind::lookahead::{
    Course, DecisionState, DimensionLaw, Domain, Dynamics, Goal, ResourceState, Rollout, Trajectories,
};
use rungs_mind::qualify::{Audit48, Audit49, Pass49};
use rungs_mind::report::{CycleReport, FloorReport, Resource};
use rungs_types::CheckpointId;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

thread_local! {
    /// Allocations of this thread; other tests run on other threads.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting.
struct Counting;

fn count() {
    // A thread that is ending has no counter left; nothing is measured there.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

#[allow(
    unsafe_code,
    reason = "a global allocator cannot be written without; it only counts and passes on"
)]
// SAFETY: every method passes its arguments on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(old, layout, new_size) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const GROUPS: [u16; 8] = [0, 0, 1, 1, 2, 3, 3, 4];

/// A kernel and its floor in a world of eight autoregressive dimensions with gaps.
struct Agent {
    kernel: Kernel,
    level: Level45,
    spent: CycleReport,
    floor: FloorReport,
    heard: Floor,
    state: [f64; 8],
    rng: Pcg64Mcg,
}

impl Agent {
    fn new() -> Self {
        let groups: Arc<[u16]> = Arc::from(GROUPS);
        let config = KernelConfig {
            identity: IdentityId::of("default/still"),
            groups: Arc::clone(&groups),
            seed: 1,
            exploration_rate: 0.05,
        };
        Self {
            kernel: Kernel::new(config).expect("valid"),
            level: Level45::new(Level45Config { groups, seed: 1 }).expect("valid"),
            spent: CycleReport::default(),
            floor: FloorReport::default(),
            heard: Floor::Silent,
            state: [0.0; 8],
            rng: Pcg64Mcg::seed_from_u64(4),
        }
    }

    fn cycle(&mut self, cycle: u64) {
        let mut row = [f64::NAN; 8];
        for (d, (cell, x)) in row.iter_mut().zip(&mut self.state).enumerate() {
            let shock: f64 = StandardNormal.sample(&mut self.rng);
            *x = 0.7 * *x + 0.7 * shock;
            if cycle.is_multiple_of(1 + d as u64) {
                *cell = *x;
            }
        }
        let resources = [Resource {
            level: 1000.0,
            consumption_per_cycle: 0.1,
            utilisation: 0.4,
        }];
        let input = Input {
            cycle,
            observation: &row,
            outcomes: Outcomes {
                tasks_succeeded: u16::from(cycle.is_multiple_of(50)),
                ..Outcomes::default()
            },
            advice: None,
            floor: self.heard,
            pace: Pace {
                late: cycle.is_multiple_of(97),
                ..Pace::default()
            },
            resources: &resources,
            available: Available {
                faster: GroupSet::first(5),
                slower: GroupSet::first(5),
                incidents: true,
                peers: true,
                longer_period: true,
                shorter_period: true,
            },
        };
        self.kernel.step(&input, &mut |_: &Action| Ok(()));
        if cycle.is_multiple_of(10) {
            self.kernel.swap_report(&mut self.spent);
            self.level.step_into(&self.spent, &mut self.floor);
            self.heard = Floor::from(&self.floor);
        }
    }
}

#[test]
fn a_kernel_and_its_floor_allocate_nothing_once_every_kind_of_action_was_tried() {
    let mut agent = Agent::new();
    // By then the identity reference is taken and each kind of action has its models.
    (1..=5000).for_each(|cycle| agent.cycle(cycle));
    let before = ALLOCATIONS.get();
    (5001..=8000).for_each(|cycle| agent.cycle(cycle));
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

/// A world of one dimension that moves as its law says.
struct OneDimension;

impl Trajectories for OneDimension {
    fn dimensions(&self) -> usize {
        1
    }

    fn law(&self, _: usize) -> DimensionLaw {
        DimensionLaw {
            phi: 0.9,
            mean: 0.0,
            innovation_sd: 0.4,
            noise_sd: 0.1,
            belief_mean: 0.0,
            belief_variance: 0.1,
            error_ratio: 1.0,
            interval_cycles: Some(1),
            unseen_cycles: 0,
            domain: 0,
        }
    }

    fn draw_start(&self, _: usize, _: &mut Pcg64Mcg) -> f64 {
        0.0
    }
}

#[test]
fn a_lookahead_allocates_nothing_on_any_course_from_its_start_to_its_report() {
    let mut state = DecisionState::default();
    state.domains[0] = Some(Domain::watching(0.7));
    state.resources[0] = Some(ResourceState {
        level: 1e6,
        base_per_cycle: 1.0,
        warning_level: 100.0,
    });
    for goal in &mut state.goals {
        *goal = Some(Goal {
            rate_per_cycle: 1e-4,
            cost_per_cycle: [0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            ..Goal::default()
        });
    }
    let busy = Course {
        parallel_goals: 5,
        attempts: 4,
        attempts_today: 2,
        risk_cap: 2.0,
        reserve_share: 0.2,
        exploration: 0.1,
        spread: 1.5,
        consumption: 1.5,
        expansion: 0.1,
        ..Course::AS_TODAY
    };
    for course in [Course::AS_TODAY, busy] {
        let before = ALLOCATIONS.get();
        let rng = Pcg64Mcg::seed_from_u64(7);
        let mut rollout = Rollout::start_on(&course, &state, &Dynamics::default(), &OneDimension, rng).expect("valid");
        rollout.advance(1_000, &Unlimited).expect("no limit");
        assert!(rollout.report().spent[0] > 0.0);
        assert_eq!(ALLOCATIONS.get() - before, 0);
    }
}

#[test]
fn the_count_is_of_what_is_allocated() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

/// One pass of Level 4.8 over eight dimensions, carried through all phases.
fn passed() -> Box<Baton> {
    let config = ObserveConfig {
        dimensions: 8,
        particles: 100,
        seed: 1,
    };
    let mut observe = Observe::new(config).expect("valid");
    let (mut introspect, mut plan) = (Introspect::new(GROUPS.into()), Plan::new(1));
    let (mut verify, mut emit) = (Verify::new(), Emit::new());
    let mut orchestrator = Orchestrator::new(Bundle {
        checkpoint: CheckpointId(0),
        cycle: 0,
        observe: observe.state(),
        introspect: introspect.state(),
        plan: plan.state(),
        verify: verify.state(),
        emit: emit.state(),
    });
    let mut agent = Agent::new();
    for cycle in 1.. {
        agent.cycle(cycle);
        if !cycle.is_multiple_of(10) {
            continue;
        }
        let turn = orchestrator.on_report(Arc::new(agent.spent.clone()), Arc::new(agent.floor.clone()));
        let Turn::Begin(mut baton) = turn else {
            panic!("nothing is under way");
        };
        observe.carry(&mut baton, &Unlimited).expect("a good report");
        introspect.carry(&mut baton).expect("in order");
        plan.carry(&mut baton, &Unlimited).expect("in order");
        verify.carry(&mut baton).expect("in order");
        emit.carry(&mut baton).expect("in order");
        orchestrator.on_baton(&baton);
        if cycle >= 1_000 {
            return baton;
        }
    }
    unreachable!("cycles go on")
}

#[test]
fn an_audit_of_level_48_allocates_nothing_between_two_probes() {
    let baton = passed();
    let mut audit = Audit48::new(1);
    // Fifty passes are 500 cycles: the 50th and the 100th probe.
    (0..100).for_each(|_| audit.feed_baton(&baton));
    let before = ALLOCATIONS.get();
    (0..49).for_each(|_| audit.feed_baton(&baton));
    assert_eq!(ALLOCATIONS.get() - before, 0);
    audit.feed_baton(&baton);
    assert!(ALLOCATIONS.get() > before, "a probe copies the detector");
}

#[test]
fn an_audit_of_level_49_allocates_nothing() {
    let mut audit = Audit49::default();
    let before = ALLOCATIONS.get();
    (0..200).for_each(|nth| {
        audit.feed(&Pass49 {
            cycle: 50 * nth,
            alignment: Some(0.8),
            ..Pass49::default()
        });
    });
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
