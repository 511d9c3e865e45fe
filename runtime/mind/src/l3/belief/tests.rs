use super::*;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

/// An AR(1) state of variance 1 around 10, seen through noise.
fn run(phi: f64, noise: f64, count: usize, seed: u64) -> (Belief, Vec<(f64, f64)>) {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let mut belief = Belief::default();
    let mut state = normal();
    let mut errors = Vec::new();
    for _ in 0..count {
        state = phi * state + (1.0 - phi * phi).sqrt() * normal();
        belief.observe(10.0 + state + noise.sqrt() * normal(), 1);
        errors.push((belief.state - 10.0 - state, belief.variance));
    }
    (belief, errors)
}

#[test]
fn parameters_are_found_from_the_autocovariances() {
    let (mut phis, mut noises) = (0.0, 0.0);
    for seed in 0..20 {
        let process = run(0.9, 0.5, 2000, seed).0.process().expect("observed");
        phis += process.phi / 20.0;
        noises += process.noise / 20.0;
    }
    assert!((phis - 0.9).abs() < 0.06, "{phis}");
    assert!((noises - 0.5).abs() < 0.15, "{noises}");
}

#[test]
fn the_posterior_is_as_good_as_it_says() {
    let (mut squares, mut said, mut count) = (0.0, 0.0, 0.0);
    for seed in 0..10 {
        let (belief, errors) = run(0.9, 0.5, 1000, seed);
        let scale = belief.process().expect("observed").variance;
        for (error, variance) in &errors[300..] {
            squares += error * error;
            said += variance * scale;
            count += 1.0;
        }
    }
    let ratio: f64 = squares / said;
    assert!((0.8..1.6).contains(&ratio), "{ratio} over {count}");
}

#[test]
fn a_step_of_the_filter_is_as_by_hand() {
    let process = Process {
        phi: 0.5,
        mean: 2.0,
        variance: 4.0,
        noise: 1.0,
        certainty: 1.0,
    };
    let belief = Belief {
        state: 6.0,
        variance: 0.2,
        ..Belief::default()
    };
    // One step: 2 + 0.5 * 4 = 4; 1 - 0.25 * 0.8 = 0.8. Two steps: 3; 1 - 0.8 / 16 = 0.95.
    assert_eq!(belief.predicted(&process, 1), (4.0, 0.8));
    assert_eq!(belief.predicted(&process, 2), (3.0, 0.95));
    assert_eq!(belief.predicted(&process, u32::MAX), (2.0, 1.0));
}

#[test]
fn white_noise_falls_back_to_the_first_autocorrelation() {
    let mut belief = Belief::default();
    for i in 0..400 {
        belief.observe(if i % 2 == 0 { 1.0 } else { -1.0 }, 1);
    }
    let process = belief.process().expect("observed");
    assert_eq!(process.phi, 0.0);
    assert!((process.noise / (process.noise + process.variance) - 0.01).abs() < 1e-12);
    assert_eq!(belief.uncertainty(1), 1.0);
    assert!(belief.uncertainty(0) < 0.02);
}

#[test]
fn chance_is_no_certainty_and_persistence_is() {
    let certainty = |phi: f64| run(phi, 0.0, 1000, 4).0.process().expect("observed").certainty;
    assert!(certainty(0.0) < 0.1);
    // 1 - 2 / (sqrt 200 * 0.9) = 0.84, with the first autocorrelation near 0.9.
    assert!((certainty(0.9) - 0.84).abs() < 0.03, "{}", certainty(0.9));
}

#[test]
fn nothing_is_known_before_five_observations_and_all_of_what_never_moved() {
    let mut belief = Belief::default();
    assert_eq!((belief.forecast(1), belief.uncertainty(0)), (None, 1.0));
    for _ in 0..4 {
        belief.observe(3.0, 1);
        assert_eq!(belief.uncertainty(0), 1.0);
    }
    belief.observe(3.0, 1);
    assert_eq!((belief.forecast(1), belief.uncertainty(7)), (Some(3.0), 0.0));
}

proptest! {
    #[test]
    fn whatever_is_observed_the_belief_stays_finite(
        values in prop::collection::vec(prop_oneof![-1e100..1e100f64, -1.0..1.0f64, Just(0.0), Just(1e-300)], 0..60),
        steps in 0..20_000_u32,
    ) {
        let mut belief = Belief::default();
        for value in values {
            belief.observe(value, steps.max(1));
            prop_assert!(belief.is_valid(), "{belief:?}");
            prop_assert!(belief.forecast(steps).is_some_and(f64::is_finite));
            prop_assert!((0.0..=1.0).contains(&belief.uncertainty(steps)));
        }
    }
}
