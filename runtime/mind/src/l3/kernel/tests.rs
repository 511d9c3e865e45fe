use super::*;
use crate::l3::operations::Outcomes;
use crate::l3::{Available, GroupSet, Pace};
use crate::report::{Advice, MAX_REPORT_CYCLES, Resource};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_types::{Authority, CheckpointId, Epoch, Level};
use std::sync::Arc;

const STANDING: Floor = Floor::Standing {
    uncertainty: 0.1,
    seof: 0.6,
    structural: true,
    trial: None,
};

fn config(groups: &[u16]) -> KernelConfig {
    KernelConfig {
        identity: IdentityId::of("default/test"),
        groups: Arc::from(groups),
        seed: 7,
        exploration_rate: 0.0,
    }
}

fn everything(groups: usize) -> Available {
    Available {
        faster: GroupSet::first(groups),
        slower: GroupSet::first(groups),
        incidents: true,
        peers: true,
        longer_period: true,
        shorter_period: true,
    }
}

fn input<'a>(cycle: u64, observation: &'a [f64]) -> Input<'a> {
    Input {
        cycle,
        observation,
        outcomes: Outcomes::default(),
        advice: None,
        floor: STANDING,
        pace: Pace::default(),
        resources: &[],
        available: everything(1),
    }
}

fn granting(_: &Action) -> Result<(), Refusal> {
    Ok(())
}

/// AR(1) with this persistence, unit variance; with `noise` seen through noise of that variance.
struct World {
    phi: f64,
    state: f64,
    rng: Pcg64Mcg,
}

impl World {
    fn new(phi: f64, seed: u64) -> Self {
        Self {
            phi,
            state: 0.0,
            rng: Pcg64Mcg::seed_from_u64(seed),
        }
    }

    fn next(&mut self) -> f64 {
        let shock: f64 = StandardNormal.sample(&mut self.rng);
        self.state = self.phi * self.state + (1.0 - self.phi * self.phi).sqrt() * shock;
        self.state
    }
}

fn run(kernel: &mut Kernel, world: &mut World, cycles: std::ops::RangeInclusive<u64>) -> Vec<Step> {
    cycles
        .map(|cycle| kernel.step(&input(cycle, &[world.next()]), &mut granting))
        .collect()
}

#[test]
fn a_steady_world_leaves_the_self_converged_and_calm() {
    let mut kernel = Kernel::new(config(&[0])).expect("valid");
    let steps = run(&mut kernel, &mut World::new(0.7, 1), 1..=1000);
    for step in &steps[200..] {
        assert!(step.facts.converged && !step.facts.stabilizing, "{:?}", step.facts);
        assert!(step.facts.complexity < 0.3 && step.assessment.msi > 0.9);
        assert!(!step.facts.identity_drift);
    }
    let identity = steps[999].facts.identity;
    assert!(
        (0.8..=0.97).contains(&identity[2]),
        "about nine in ten forecasts hold: {identity:?}"
    );
}

#[test]
fn forecasts_of_an_autoregressive_world_beat_persistence_and_keep_their_coverage() {
    let mut kernel = Kernel::new(config(&[0])).expect("valid");
    run(&mut kernel, &mut World::new(0.5, 3), 1..=3000);
    let skill = kernel.skill();
    // The best forecast of this world has sqrt((1 - 0.25) / (2 - 1)) = 0.866 of persistence's error.
    let ratio = skill.ratio.expect("evidence");
    assert!((0.82..0.93).contains(&ratio), "{ratio}");
    let coverage = skill.coverage.expect("evidence");
    assert!((0.87..0.93).contains(&coverage), "{coverage}");
    assert_eq!(skill.observations, 2999);
}

#[test]
fn errors_are_those_of_the_prediction_made_the_cycle_before() {
    let mut kernel = Kernel::new(config(&[0])).expect("valid");
    let mut world = World::new(0.5, 5);
    run(&mut kernel, &mut world, 1..=300);
    let expectation = kernel.state.environment.expectation(0).expect("observed");
    let predicted = kernel.state.last.expect("stepped").predicted;
    let before = kernel.state.identity.vector();
    let value = world.next();
    let step = kernel.step(&input(301, &[value]), &mut granting);
    let report = kernel.take_report();
    assert_eq!(report.forecasts[report.forecasts.len() - 1], expectation.forecast);
    let after = step.facts.identity;
    let error: f64 = (0..5)
        .map(|c| (predicted[c] - (after[c] - before[c])).powi(2))
        .sum::<f64>()
        .sqrt();
    assert!((step.facts.identity_error - error).abs() < 1e-12);
}

#[test]
fn the_environment_error_counts_observed_dimensions_only() {
    let mut kernel = Kernel::new(config(&[0, 0, 0])).expect("valid");
    let mut worlds = [World::new(0.0, 1), World::new(0.0, 2)];
    for cycle in 1..=100 {
        let row = [worlds[0].next(), f64::NAN, worlds[1].next()];
        let step = kernel.step(&input(cycle, &row), &mut granting);
        assert_eq!(step.observed, 2);
    }
    let step = kernel.step(&input(101, &[f64::NAN; 3]), &mut granting);
    assert!(step.facts.environment_error.is_nan());
    let forecast = kernel.state.environment.expectation(0).expect("observed").forecast;
    // An error of exactly 50 in one dimension of deviation about 1 is cut at 10; the other two are missing.
    let step = kernel.step(&input(102, &[forecast + 50.0, f64::NAN, f64::NAN]), &mut granting);
    assert_eq!(step.facts.environment_error, 10.0);
}

#[test]
fn an_uncertain_group_is_sampled_faster_when_that_helps_and_white_noise_is_not() {
    let sampled = |phi: f64| {
        let mut kernel = Kernel::new(config(&[0])).expect("valid");
        let steps = run(&mut kernel, &mut World::new(phi, 11), 1..=1000);
        steps[300..]
            .iter()
            .any(|s| s.action == Action::SampleFaster { group: 0 })
    };
    assert!(sampled(0.6));
    assert!(!sampled(0.0), "nothing helps");
    assert!(!sampled(0.995), "nothing is uncertain");
}

#[test]
fn nothing_but_hold_happens_in_stabilization_mode_or_without_a_floor() {
    let mut kernel = Kernel::new(config(&[0])).expect("valid");
    let mut world = World::new(0.6, 11);
    for cycle in 1..=400 {
        let observation = [world.next()];
        let step = kernel.step(
            &Input {
                floor: Floor::Failed,
                ..input(cycle, &observation)
            },
            &mut granting,
        );
        assert!(step.facts.stabilizing && step.motion.halved);
        assert_eq!((step.action, step.facts.strategy_decisions), (Action::Hold, 0));
    }
}

#[test]
fn a_floor_that_has_not_spoken_permits_no_structural_change() {
    let forbidding = Floor::Standing {
        uncertainty: 0.1,
        seof: 0.6,
        structural: false,
        trial: None,
    };
    for floor in [Floor::Silent, forbidding] {
        let mut kernel = Kernel::new(config(&[0])).expect("valid");
        let mut world = World::new(0.6, 11);
        for cycle in 1..=400 {
            let observation = [world.next()];
            let step = kernel.step(
                &Input {
                    floor,
                    ..input(cycle, &observation)
                },
                &mut granting,
            );
            assert!(!step.action.kind().is_structural());
        }
    }
}

#[test]
fn what_the_gate_refuses_is_not_taken_and_counts_against_alignment() {
    let mut kernel = Kernel::new(config(&[0])).expect("valid");
    let mut world = World::new(0.6, 11);
    let (mut asked, mut refused) = (0, 0);
    let mut last = None;
    for cycle in 1..=200 {
        let observation = [world.next()];
        let step = kernel.step(&input(cycle, &observation), &mut |_: &Action| {
            asked += 1;
            Err(Refusal::Ethics)
        });
        assert_eq!(step.action, Action::Hold);
        assert_eq!(step.facts.ethical_first_pass, step.refused == 0);
        refused += u32::from(step.refused);
        last = Some(step.facts.identity[1]);
    }
    assert!(asked > 0 && refused == asked);
    assert!(last.expect("stepped") < 1.0);
}

#[test]
fn policy_refusals_do_not_count_against_ethics() {
    let mut kernel = Kernel::new(config(&[0])).expect("valid");
    let mut world = World::new(0.6, 11);
    let mut refused = 0;
    for cycle in 1..=200 {
        let observation = [world.next()];
        let step = kernel.step(&input(cycle, &observation), &mut |_: &Action| Err(Refusal::Policy));
        refused += step.refused;
        assert!(step.facts.ethical_first_pass);
    }
    assert!(refused > 0);
}

fn advice(authority: Authority, variance: f64) -> Advice {
    Advice {
        level: Level::L48,
        epoch: Epoch(1),
        authority,
        checkpoint: CheckpointId(1),
        from_cycle: 0,
        effective_at: 10,
        forecast: vec![0.0],
        variance: vec![variance],
        confidence: Some(0.4),
        eu: variance,
        res: 0.1,
        rdf: 1000.0,
        structural_permitted: true,
        plan: crate::l48::plan::InForce::default(),
    }
}

/// Steps 1..=400 of the same world under advice that is renewed every ten cycles.
fn advised(authority: Authority, cell: Authority, change: impl Fn(&mut Advice)) -> Vec<Step> {
    let mut kernel = Kernel::new(config(&[0])).expect("valid");
    let mut world = World::new(0.6, 11);
    let mut advice = advice(authority, 0.0);
    change(&mut advice);
    (1..=400)
        .map(|cycle: u64| {
            if cycle.is_multiple_of(10) {
                (advice.from_cycle, advice.effective_at) = (cycle - 10, cycle);
            }
            let observation = [world.next()];
            kernel.step(
                &Input {
                    advice: Some((&advice, cell)),
                    ..input(cycle, &observation)
                },
                &mut granting,
            )
        })
        .collect()
}

fn samples_faster(steps: &[Step]) -> bool {
    steps.iter().any(|s| s.action == Action::SampleFaster { group: 0 })
}

#[test]
fn advice_changes_the_decision_by_its_weight_alone() {
    let nothing = |_: &mut Advice| {};
    // The advised variance is 0: nothing would be gained by a faster sample.
    assert!(
        samples_faster(&advised(Authority::Advisory, Authority::Full, nothing)),
        "advisory has no weight"
    );
    assert!(
        samples_faster(&advised(Authority::Full, Authority::Advisory, nothing)),
        "the cell bounds it"
    );
    assert!(!samples_faster(&advised(Authority::Full, Authority::Full, nothing)));
}

#[test]
fn advisory_advice_leaves_every_step_as_it_is_without_any() {
    let mut kernel = Kernel::new(config(&[0])).expect("valid");
    let without = run(&mut kernel, &mut World::new(0.6, 11), 1..=400);
    assert_eq!(
        format!("{:?}", advised(Authority::Advisory, Authority::Full, |_| {})),
        format!("{without:?}")
    );
}

#[test]
fn heavy_advice_can_forbid_structural_change_and_calibrates_confidence() {
    let forbidding = |advice: &mut Advice| {
        advice.structural_permitted = false;
        advice.variance = vec![1.0];
    };
    assert!(!samples_faster(&advised(Authority::Half, Authority::Half, forbidding)));
    assert!(samples_faster(&advised(
        Authority::Advisory,
        Authority::Half,
        forbidding
    )));
    let confidence = advised(Authority::Full, Authority::Full, |_| {})
        .last()
        .expect("steps")
        .facts
        .confidence;
    assert_eq!(confidence, 0.4);
}

#[test]
fn advice_that_is_early_old_or_of_another_environment_is_nothing() {
    let observation = [0.0];
    let heed = |cycle: u64, change: &dyn Fn(&mut Advice)| {
        let mut advice = advice(Authority::Full, 0.5);
        change(&mut advice);
        Input {
            advice: Some((&advice, Authority::Full)),
            ..input(cycle, &observation)
        }
        .heed(1)
        .weight
    };
    assert_eq!(heed(9, &|_| {}), 0.0);
    assert_eq!(heed(10, &|_| {}), 1.0);
    assert_eq!(heed(100, &|_| {}), 1.0);
    assert_eq!(heed(101, &|_| {}), 0.0);
    assert_eq!(heed(50, &|advice| advice.variance.push(0.5)), 0.0);
    assert_eq!(heed(50, &|advice| advice.res = f64::NAN), 1.0);
}

#[test]
fn a_lost_resource_reading_counts_as_used_up() {
    let resources = [Resource {
        utilisation: 0.3,
        ..Resource::default()
    }];
    let row = [0.0];
    assert_eq!(
        Input {
            resources: &resources,
            ..input(1, &row)
        }
        .utilisation(),
        0.3
    );
    let resources = [Resource {
        utilisation: f64::NAN,
        ..Resource::default()
    }];
    assert_eq!(
        Input {
            resources: &resources,
            ..input(1, &row)
        }
        .utilisation(),
        1.0
    );
    assert_eq!(input(1, &row).utilisation(), 0.0);
}

#[test]
fn a_jump_of_the_measured_self_drifts_and_stabilizes() {
    let mut kernel = Kernel::new(config(&[0])).expect("valid");
    let mut world = World::new(0.7, 1);
    run(&mut kernel, &mut world, 1..=300);
    let observation = [world.next()];
    let denied = Outcomes {
        proposals: 100,
        denied: 100,
        ..Outcomes::default()
    };
    let step = kernel.step(
        &Input {
            outcomes: denied,
            ..input(301, &observation)
        },
        &mut granting,
    );
    // Denials are measured from the next cycle on.
    assert!(!step.facts.identity_drift);
    let observation = [world.next()];
    let step = kernel.step(&input(302, &observation), &mut granting);
    assert!(step.facts.identity_drift && step.facts.stabilizing && step.motion.acceleration > 2.0);
    assert!(
        (step.motion.taken[1] + 0.025).abs() < 1e-12,
        "half of the largest change"
    );
}

#[test]
fn the_same_seed_decides_alike_and_another_explores_otherwise() {
    let decide = |seed: u64| {
        let config = KernelConfig {
            seed,
            exploration_rate: 0.2,
            ..config(&[0, 1, 2])
        };
        let mut kernel = Kernel::new(config).expect("valid");
        let mut worlds = [11, 12, 13, 14].map(|seed| World::new(0.6, seed));
        let mut step = |cycle| {
            let row: [f64; 4] = std::array::from_fn(|d| worlds[d].next());
            kernel
                .step(
                    &Input {
                        available: everything(4),
                        ..input(cycle, &row)
                    },
                    &mut granting,
                )
                .action
        };
        (1..=1000).map(&mut step).collect::<Vec<_>>()
    };
    assert_eq!(decide(1), decide(1));
    assert!((2..10).any(|seed| decide(seed) != decide(1)));
}

fn bytes(state: &KernelState) -> Vec<u8> {
    bincode::serde::encode_to_vec(state, bincode::config::standard()).expect("serialises")
}

#[test]
fn a_restored_kernel_is_the_same_to_the_byte_and_goes_on_alike() {
    let mut kernel = Kernel::new(KernelConfig {
        exploration_rate: 0.1,
        ..config(&[0, 1])
    })
    .expect("valid");
    let (mut a, mut b) = (World::new(0.6, 1), World::new(0.9, 2));
    let mut row = |cycle: u64| [a.next(), if cycle.is_multiple_of(5) { b.next() } else { f64::NAN }];
    for cycle in 1..=777_u64 {
        if cycle.is_multiple_of(10) {
            kernel.take_report();
        }
        kernel.step(&input(cycle, &row(cycle)), &mut granting);
    }
    let stored = bytes(&kernel.snapshot());
    let (state, read): (KernelState, usize) =
        bincode::serde::decode_from_slice(&stored, bincode::config::standard()).expect("reads back");
    assert_eq!(read, stored.len());
    let mut restored = Kernel::restore(kernel.config.clone(), state).expect("valid");
    assert_eq!(bytes(&restored.snapshot()), stored);
    for cycle in 778..=1200 {
        let observation = row(cycle);
        let (x, y) = (
            kernel.step(&input(cycle, &observation), &mut granting),
            restored.step(&input(cycle, &observation), &mut granting),
        );
        assert_eq!(format!("{x:?}"), format!("{y:?}"));
    }
    assert_eq!(bytes(&kernel.snapshot()), bytes(&restored.snapshot()));
}

#[test]
fn a_state_of_another_agent_or_environment_is_refused() {
    let kernel = Kernel::new(config(&[0])).expect("valid");
    let other = KernelConfig {
        identity: IdentityId::of("default/other"),
        ..config(&[0])
    };
    assert!(matches!(
        Kernel::restore(other, kernel.snapshot()),
        Err(KernelError::Identity { .. })
    ));
    let other = config(&[0, 0]);
    assert_eq!(
        Kernel::restore(other, kernel.snapshot()).err(),
        Some(KernelError::State { part: "environment" })
    );
    let mut damaged = kernel.snapshot();
    damaged.affect.anxiety = f64::NAN;
    assert_eq!(
        Kernel::restore(config(&[0]), damaged).err(),
        Some(KernelError::State { part: "affect" })
    );
    let mut damaged = kernel.snapshot();
    damaged.report.forecasts.push(0.0);
    assert_eq!(
        Kernel::restore(config(&[0]), damaged).err(),
        Some(KernelError::State { part: "report" })
    );
}

#[test]
fn a_configuration_out_of_range_is_refused_by_name() {
    let refused = |config: KernelConfig| Kernel::new(config).expect_err("refused").to_string();
    assert_eq!(refused(config(&[])), "0 dimensions; expected 1 to 64");
    assert_eq!(refused(config(&[0; 65])), "65 dimensions; expected 1 to 64");
    assert_eq!(refused(config(&[64])), "group 64; expected below 64");
    let exploring = KernelConfig {
        exploration_rate: f64::NAN,
        ..config(&[0])
    };
    assert_eq!(refused(exploring), "exploration rate NaN; expected 0 to 0.2");
}

#[test]
fn a_report_merges_until_it_is_taken_and_never_grows_beyond_its_limit() {
    let mut kernel = Kernel::new(config(&[0])).expect("valid");
    let mut world = World::new(0.5, 1);
    run(&mut kernel, &mut world, 1..=35);
    assert_eq!(kernel.report_cycles(), 35);
    let mut report = kernel.take_report();
    assert_eq!((report.facts.len(), kernel.report_cycles()), (35, 0));
    run(&mut kernel, &mut world, 36..=500);
    assert!(kernel.report_cycles() <= MAX_REPORT_CYCLES);
    kernel.swap_report(&mut report);
    assert_eq!(report.dropped_cycles + report.facts.len() as u64, 465);
    assert_eq!(
        (report.facts.last().map(|f| f.cycle), kernel.report_cycles()),
        (Some(500), 0)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_but_finite_numbers_leaves(
        rows in prop::collection::vec(prop::array::uniform3(any::<f64>()), 1..80),
        uncertainty in any::<f64>(), seof in any::<f64>(), utilisation in any::<f64>(), scale in any::<u16>(),
        eu in any::<f64>(),
    ) {
        let mut kernel = Kernel::new(config(&[0, 0, 1])).expect("valid");
        let resources = [Resource { utilisation, level: seof, consumption_per_cycle: eu }];
        let mut advice = advice(Authority::Full, 0.0);
        (advice.variance, advice.eu, advice.res, advice.confidence) = (vec![eu, seof, 0.1], eu, seof, Some(eu));
        let outcomes = Outcomes {
            tasks_succeeded: scale, tasks_failed: 3, proposals: 1, denied: scale, goals_broken: scale, ..Outcomes::default()
        };
        for (cycle, row) in (1..).zip(&rows) {
            let floor = Floor::Standing { uncertainty, seof, structural: true, trial: None };
            let input = Input {
                outcomes, floor, resources: &resources, advice: Some((&advice, Authority::Full)),
                available: everything(2), ..input(cycle, row)
            };
            let step = kernel.step(&input, &mut granting);
            let facts = step.facts;
            let shares = facts.identity.iter().chain(&facts.volatility).chain([&facts.complexity, &facts.confidence]);
            for share in shares.chain([&facts.utilisation, &step.assessment.msi]) {
                prop_assert!((0.0..=1.0).contains(share), "{facts:?}");
            }
            prop_assert!(facts.identity_error.is_finite());
            prop_assert!(facts.environment_error.is_nan() || facts.environment_error <= 10.0);
        }
        let report = kernel.take_report();
        for column in [&report.observations, &report.forecasts, &report.forecast_sd, &report.forecast_half_width] {
            prop_assert!(column.iter().all(|v| !v.is_infinite()));
        }
        prop_assert!(kernel.state.check(&kernel.config).is_ok());
        let skill = kernel.skill();
        prop_assert!(skill.ratio.is_none_or(f64::is_finite) && skill.coverage.is_none_or(f64::is_finite));
    }

    #[test]
    fn any_gaps_in_any_order_are_survived(present in prop::collection::vec(any::<[bool; 2]>(), 1..300), seed in any::<u64>()) {
        let mut kernel = Kernel::new(config(&[0, 1])).expect("valid");
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        for (cycle, present) in (1..).zip(present) {
            let row = present.map(|p| if p { rng.random_range(-5.0..5.0) } else { f64::NAN });
            let step = kernel.step(&Input { available: everything(2), ..input(cycle, &row) }, &mut granting);
            prop_assert!((0.0..=1.0).contains(&step.facts.volatility[1]));
        }
        prop_assert!(kernel.state.check(&kernel.config).is_ok());
    }
}

#[test]
fn structural_change_is_held_back_from_a_depth_of_two_on() {
    let input = input(1, &[]);
    let open = |depth| is_structural_open(&input, &Heeded::NOTHING, depth);
    assert_eq!([0, 1, 2, 3].map(open), [true, true, false, false]);
}
