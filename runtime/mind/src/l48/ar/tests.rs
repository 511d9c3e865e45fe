use super::*;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn autocovariances_of_a_noisy_ar1_give_phi_and_noise_back() {
    // State variance 2, phi 0.8, noise 0.5: g0 = 2.5, g1 = 1.6, g2 = 1.28.
    let model = Model::from_autocovariances(3.0, [2.5, 1.6, 1.28]);
    assert!(close(model.transition.phi, 0.8) && close(model.noise, 0.5));
    assert!(close(model.transition.variance, 2.0 * 0.36) && model.transition.mean == 3.0);
}

#[test]
fn where_g1_is_at_most_a_tenth_of_g0_plain_yule_walker_holds() {
    // At the boundary g1 = 0.1 g0: phi = 0.1, noise at its floor, whatever g2 says.
    let model = Model::from_autocovariances(0.0, [1.0, 0.1, 0.09]);
    assert!(close(model.transition.phi, 0.1) && close(model.noise, 0.01));
    // Just above it: phi = g2 / g1 = 0.9 / 1.01 and noise 1 - 0.101 / phi.
    let model = Model::from_autocovariances(0.0, [1.0, 0.101, 0.09]);
    let phi = 0.09 / 0.101;
    assert!(close(model.transition.phi, phi) && close(model.noise, 1.0 - 0.101 / phi));
}

#[test]
fn persistence_stays_within_0_and_0_999_and_noise_above_its_floor() {
    let falling = Model::from_autocovariances(0.0, [1.0, -0.5, 0.2]);
    assert_eq!(falling.transition.phi, 0.0);
    let rising = Model::from_autocovariances(0.0, [1.0, 0.9, 0.95]);
    assert_eq!(rising.transition.phi, 0.999);
    let negative_second = Model::from_autocovariances(0.0, [1.0, 0.4, -0.2]);
    assert!(close(negative_second.noise, 0.01) && negative_second.transition.phi == 0.0);
    let flat = Model::from_autocovariances(0.0, [0.0; 3]);
    assert_eq!((flat.noise, flat.transition.variance), (MIN_VARIANCE, MIN_VARIANCE));
}

#[test]
fn two_half_steps_are_one_step() {
    let step = Transition {
        phi: 0.81,
        mean: 2.0,
        variance: 0.5,
    };
    let half = step.over(0.5);
    assert!(close(half.phi, 0.9));
    let twice = half.phi * half.phi * half.variance + half.variance;
    assert!(close(twice, step.variance));
    assert!(close(half.predict(half.predict(7.0)), step.predict(7.0)));
}

#[test]
fn learning_finds_a_simulated_model_within_its_sampling_error() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut mean = [0.0; 2];
    let rounds = 200;
    for _ in 0..rounds {
        let (mut history, mut state) = (Window::new(LEARN_OBSERVATIONS), 0.0);
        for _ in 0..LEARN_OBSERVATIONS {
            state = 0.9 * state + 0.19_f64.sqrt() * rng.sample::<f64, _>(StandardNormal);
            let noise: f64 = rng.sample(StandardNormal);
            history.push(50.0 + 10.0 * (state + 0.5 * noise));
        }
        let model = Model::learn(&history, 50.0, 10.0);
        mean[0] += model.transition.phi / f64::from(rounds);
        mean[1] += model.noise / f64::from(rounds);
    }
    // True: 0.9 and 0.25. The estimate of phi is biased downward by about (1 + 3 phi) / n = 0.02 and more by noise.
    assert!((0.82..0.92).contains(&mean[0]), "phi {}", mean[0]);
    assert!((0.15..0.30).contains(&mean[1]), "noise {}", mean[1]);
}

#[test]
fn without_enough_observations_or_without_spread_the_prior_holds() {
    let mut history = Window::new(201);
    (0..29).for_each(|i| history.push(f64::from(i)));
    assert_eq!(Model::learn(&history, 0.0, 1.0), Model::PRIOR);
    history.push(29.0);
    assert_ne!(Model::learn(&history, 0.0, 1.0), Model::PRIOR);
    assert_eq!(Model::learn(&history, 0.0, 0.0), Model::PRIOR);
    (0..400).for_each(|i| history.push(if i % 2 == 0 { 1e150 } else { -1e150 }));
    let model = Model::learn(&history, 0.0, 1e-150);
    assert!(
        model.transition.variance.is_finite() && model.noise.is_finite(),
        "{model:?}"
    );
}

#[test]
fn only_the_last_200_values_count() {
    let (mut long, mut short) = (Window::new(201), Window::new(200));
    long.push(1e6);
    for step in 0..200 {
        let value = f64::from(step % 7);
        long.push(value);
        short.push(value);
    }
    assert_eq!(Model::learn(&long, 3.0, 2.0), Model::learn(&short, 3.0, 2.0));
}
