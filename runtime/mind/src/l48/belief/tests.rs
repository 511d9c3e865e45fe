use super::*;
use crate::budget::Unlimited;
use crate::l48::ar::{Model, Transition};
use rand::SeedableRng;
use std::sync::atomic::AtomicBool;

/// The exact posterior of a linear Gaussian dimension.
struct Kalman {
    mean: f64,
    variance: f64,
}

impl Kalman {
    fn step(&mut self, model: &Model, observation: Option<f64>) {
        let transition = model.transition;
        self.mean = transition.predict(self.mean);
        self.variance = transition.phi.powi(2) * self.variance + transition.variance;
        if let Some(y) = observation {
            let gain = self.variance / (self.variance + model.noise);
            self.mean += gain * (y - self.mean);
            self.variance *= 1.0 - gain;
        }
    }
}

/// Definition 9 with unit long-run variance, seen through noise of this variance.
fn model(phi: f64, noise: f64) -> Model {
    let variance = 1.0 - phi * phi;
    Model {
        transition: Transition {
            phi,
            mean: 0.0,
            variance,
        },
        noise,
    }
}

const PRECISE: f64 = 0.0025;
const BALANCED: f64 = 0.25;
const VAGUE: f64 = 4.0;

struct Fit {
    /// Root mean square distance to the exact mean, in posterior standard deviations.
    rmse: f64,
    /// Share of true states inside the central 90 % interval.
    coverage: f64,
    /// Runs with a number that is not finite.
    broken: usize,
}

/// Runs the filter beside the exact one, `seeds` times 200 steps.
fn against_kalman(dims: usize, phi: f64, noise: f64, particles: usize, seeds: u64) -> Fit {
    let model = model(phi, noise);
    let (mut squares, mut inside, mut count, mut broken) = (0.0, 0usize, 0usize, 0);
    for seed in 0..seeds {
        let mut world = Pcg64Mcg::seed_from_u64(seed);
        let mut rng = Pcg64Mcg::seed_from_u64(seed + 1_000_000);
        let mut scratch = Scratch::default();
        let mut beliefs: Vec<_> = (0..dims).map(|_| Belief::new(1, particles, &mut rng)).collect();
        let mut exact: Vec<_> = (0..dims)
            .map(|_| Kalman {
                mean: 0.0,
                variance: 1.0,
            })
            .collect();
        let mut state: Vec<f64> = (0..dims).map(|_| world.sample(StandardNormal)).collect();
        let mut finite = true;
        for _ in 0..200 {
            for dim in 0..dims {
                let shock: f64 = world.sample(StandardNormal);
                state[dim] = model.transition.predict(state[dim]) + model.transition.variance.sqrt() * shock;
                let blur: f64 = world.sample(StandardNormal);
                let y = state[dim] + noise.sqrt() * blur;
                exact[dim].step(&model, Some(y));
                beliefs[dim].observe_direct(&model.transition, noise, y, &mut scratch, &mut rng);
                let (mean, variance) = (beliefs[dim].mean()[0], beliefs[dim].variance()[0]);
                finite &= mean.is_finite() && variance.is_finite() && variance >= 0.0;
                squares += (mean - exact[dim].mean).powi(2) / exact[dim].variance;
                inside += usize::from((state[dim] - mean).abs() <= 1.644_853_6 * variance.sqrt());
                count += 1;
            }
        }
        broken += usize::from(!finite);
    }
    Fit {
        rmse: (squares / count as f64).sqrt(),
        coverage: inside as f64 / count as f64,
        broken,
    }
}

fn check_against_kalman(dims: usize, seeds: u64) {
    for phi in [0.5, 0.9, 0.99] {
        for noise in [PRECISE, BALANCED, VAGUE] {
            let Fit { rmse, coverage, broken } = against_kalman(dims, phi, noise, 100, seeds);
            println!("D {dims} phi {phi} noise {noise}: rmse {rmse:.3} sd, coverage {coverage:.3}");
            assert!(
                rmse <= 0.18,
                "D {dims} phi {phi} noise {noise}: rmse {rmse:.3} posterior sd"
            );
            assert!(
                (0.85..=0.95).contains(&coverage),
                "D {dims} phi {phi} noise {noise}: {coverage:.3}"
            );
            assert_eq!(broken, 0);
        }
    }
}

#[test]
fn in_1_to_4_dimensions_the_mean_stays_within_0_18_posterior_sd_of_the_exact_one() {
    (1..=4).for_each(|dims| check_against_kalman(dims, 4));
}

#[test]
fn no_run_of_1000_seeds_is_ever_not_finite() {
    for noise in [PRECISE, VAGUE] {
        let fit = against_kalman(2, 0.9, noise, 100, 500);
        assert_eq!(fit.broken, 0);
        assert!(fit.rmse <= 0.18, "{}", fit.rmse);
    }
}

#[test]
fn any_number_of_particles_from_10_to_10000_works() {
    let bounds = [(10, 0.45), (100, 0.18), (10_000, 0.02)];
    for (particles, bound) in bounds {
        let fit = against_kalman(1, 0.9, BALANCED, particles, 2);
        assert_eq!(fit.broken, 0);
        assert!(fit.rmse < bound, "{particles} particles: {}", fit.rmse);
    }
}

#[test]
fn gaps_of_100_steps_and_values_that_are_not_numbers_are_predicted_through() {
    let model = model(0.95, BALANCED);
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    let mut scratch = Scratch::default();
    let (mut belief, mut exact) = (
        Belief::new(1, 100, &mut rng),
        Kalman {
            mean: 0.0,
            variance: 1.0,
        },
    );
    let mut squares = 0.0;
    let mut counted = 0.0;
    for step in 0..3_000 {
        let gap = step % 200 >= 100;
        let y = if gap { f64::NAN } else { (f64::from(step) / 40.0).sin() };
        exact.step(&model, (!gap).then_some(y));
        let health = belief.observe_direct(&model.transition, model.noise, y, &mut scratch, &mut rng);
        assert!(!health.shock && belief.mean()[0].is_finite());
        squares += (belief.mean()[0] - exact.mean).powi(2) / exact.variance;
        counted += 1.0;
    }
    assert!((squares / counted).sqrt() <= 0.18, "{}", (squares / counted).sqrt());
    for y in [f64::INFINITY, f64::NEG_INFINITY] {
        belief.observe_direct(&model.transition, model.noise, y, &mut scratch, &mut rng);
        assert!(belief.mean()[0].abs() < 3.0, "no number, no observation");
    }
}

#[test]
fn an_outlier_of_50_sigma_is_counted_as_a_shock_and_forgotten() {
    let model = model(0.9, BALANCED);
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    let mut scratch = Scratch::default();
    let mut belief = Belief::new(1, 100, &mut rng);
    let mut shocks = 0;
    for step in 0..600 {
        let y = if step % 100 == 99 { 50.0 } else { 0.2 };
        let health = belief.observe_direct(&model.transition, model.noise, y, &mut scratch, &mut rng);
        shocks += u32::from(health.shock);
        assert_eq!(health.shock, health.degenerate());
        if y == 50.0 {
            assert!(
                health.shock && (belief.mean()[0] - 50.0).abs() < 1.0,
                "reinitialised around it"
            );
        }
        if step % 100 == 60 {
            assert!(
                (belief.mean()[0] - 0.2).abs() < 0.5,
                "step {step}: {}",
                belief.mean()[0]
            );
        }
    }
    // Each outlier is one shock, and the first value after it, 45 sigma back, another one.
    assert_eq!(shocks, 11, "six outliers, five returns");
}

#[test]
fn an_observation_is_an_outlier_just_beyond_six_sd_of_every_particles_prediction() {
    let model = model(0.5, 0.25);
    let limit = 6.0 * (model.transition.variance + model.noise).sqrt();
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    let belief = Belief::new(1, 50, &mut rng);
    let highest = belief
        .particles()
        .map(|(state, _)| 0.5 * state[0])
        .fold(f64::NEG_INFINITY, f64::max);
    for (beyond, shock) in [(-1e-6, false), (1e-6, true)] {
        let mut belief = belief.clone();
        let y = highest + limit + beyond;
        let health = belief.observe_direct(&model.transition, model.noise, y, &mut Scratch::default(), &mut rng);
        assert_eq!(health.shock, shock);
    }
}

#[test]
fn a_weight_entropy_below_one_nat_is_resampled_with_jitter() {
    let mut rng = Pcg64Mcg::seed_from_u64(6);
    let mut belief = Belief::new(1, 100, &mut rng);
    // A nearly constant, precisely seen state: of 100 standard normal particles two or three are near enough.
    let transition = Transition {
        phi: 1.0 - 1e-9,
        mean: 0.0,
        variance: 3e-5,
    };
    let health = belief.observe_direct(&transition, 3e-5, 0.5, &mut Scratch::default(), &mut rng);
    assert!(
        health.entropy < 1.0 && health.jittered && health.degenerate(),
        "{health:?}"
    );
    let mut states: Vec<_> = belief.particles().map(|(state, _)| state[0]).collect();
    states.sort_by(f64::total_cmp);
    states.dedup();
    assert_eq!(states.len(), 100, "no two particles are the same");
    assert!((belief.mean()[0] - 0.5).abs() < 0.05);
    let equal: Vec<_> = belief.particles().map(|(_, weight)| weight).collect();
    assert_eq!(equal, vec![0.01; 100]);
}

#[test]
fn a_change_of_units_changes_nothing_but_the_units() {
    let mut rng = Pcg64Mcg::seed_from_u64(7);
    let mut belief = Belief::new(1, 20, &mut rng);
    let before = belief.clone();
    belief.rescale(0, 4.0, -1.0);
    for ((after, _), (state, _)) in belief.particles().zip(before.particles()) {
        assert_eq!(after[0], 4.0 * state[0] - 1.0);
    }
    assert_eq!(belief.variance()[0], 16.0);
    belief.rescale(0, f64::INFINITY, f64::NAN);
    assert!(belief.particles().all(|(state, _)| state[0].is_finite()));
}

/// The reference of the general step: a plain bootstrap filter with very many particles, seen as a histogram.
struct Bootstrap {
    states: Vec<f64>,
}

impl Bootstrap {
    fn step(&mut self, transition: &Transition, ln_likelihood: &dyn Fn(&[f64]) -> f64, rng: &mut Pcg64Mcg) {
        let sd = transition.variance.sqrt();
        let moved: Vec<f64> = self
            .states
            .iter()
            .map(|&state| transition.predict(state) + sd * rng.sample::<f64, _>(StandardNormal))
            .collect();
        let weights: Vec<f64> = moved.iter().map(|&state| ln_likelihood(&[state]).exp()).collect();
        let (total, count) = (weights.iter().sum::<f64>(), moved.len());
        let (mut next, mut cumulative) = (0, weights[0]);
        for pick in 0..count {
            let target = (pick as f64 + 0.5) / count as f64 * total;
            while cumulative < target && next + 1 < count {
                next += 1;
                cumulative += weights[next];
            }
            self.states[pick] = moved[next];
        }
    }
}

/// Shares of weight in 16 bins of a quarter to each side of 0, and beyond.
fn histogram(points: impl Iterator<Item = (f64, f64)>) -> [f64; 18] {
    let mut shares = [0.0; 18];
    for (state, weight) in points {
        let bin = (4.0 * state + 9.0).floor().clamp(0.0, 17.0);
        shares[bin as usize] += weight;
    }
    shares
}

/// Mean total variation to 100,000 bootstrap particles over 100 steps of a state of which only a function is seen.
fn total_variation(seen: fn(f64) -> f64, noise: f64, particles: usize, seed: u64) -> f64 {
    let transition = model(0.95, 1.0).transition;
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut scratch = Scratch::default();
    let mut belief = Belief::new(1, particles, &mut rng);
    let mut reference = Bootstrap {
        states: (0..100_000).map(|_| rng.sample(StandardNormal)).collect(),
    };
    let (mut state, mut sum, steps): (f64, f64, u32) = (0.8, 0.0, 100);
    for _ in 0..steps {
        state = transition.predict(state) + transition.variance.sqrt() * rng.sample::<f64, _>(StandardNormal);
        let y = seen(state) + noise.sqrt() * rng.sample::<f64, _>(StandardNormal);
        let ln_likelihood = |point: &[f64]| -0.5 * (y - seen(point[0])).powi(2) / noise;
        belief
            .observe(&[transition], &ln_likelihood, &mut scratch, &mut rng, &Unlimited)
            .expect("no limit");
        reference.step(&transition, &ln_likelihood, &mut rng);
        let own = histogram(belief.particles().map(|(state, weight)| (state[0], weight)));
        let exact = histogram(reference.states.iter().map(|&state| (state, 1e-5)));
        sum += 0.5 * own.iter().zip(exact).map(|(a, b)| (a - b).abs()).sum::<f64>();
    }
    sum / f64::from(steps)
}

#[test]
fn a_bimodal_posterior_is_within_0_1_total_variation_of_100000_bootstrap_particles() {
    for particles in [100, 1_000] {
        let magnitude = total_variation(f64::abs, 0.04, particles, 11);
        let square = total_variation(|x| x * x, 0.25, particles, 12);
        println!("{particles} particles: |x| {magnitude:.3}, x^2 {square:.3}");
        assert!(magnitude <= 0.1 && square <= 0.1, "|x| {magnitude:.3}, x^2 {square:.3}");
    }
}

#[test]
fn a_likelihood_over_two_dimensions_couples_them() {
    let transition = model(0.9, 1.0).transition;
    let mut rng = Pcg64Mcg::seed_from_u64(8);
    let mut scratch = Scratch::default();
    let mut belief = Belief::new(2, 1_000, &mut rng);
    // Only the sum is seen, as 2 with variance 0.01: by symmetry each mean is close to 1 and the parts are opposed.
    let sum_is_two = |state: &[f64]| -0.5 * (2.0 - state[0] - state[1]).powi(2) / 0.01;
    for _ in 0..5 {
        belief
            .observe(&[transition; 2], &sum_is_two, &mut scratch, &mut rng, &Unlimited)
            .expect("no limit");
    }
    assert!((belief.mean()[0] + belief.mean()[1] - 2.0).abs() < 0.05);
    assert!((belief.mean()[0] - 1.0).abs() < 0.3, "{:?}", belief.mean());
    let products = belief
        .particles()
        .map(|(s, w)| w * (s[0] - belief.mean()[0]) * (s[1] - belief.mean()[1]));
    assert!(products.sum::<f64>() < -0.5 * belief.variance()[0], "opposed");
}

#[test]
fn an_observation_far_from_all_children_is_searched_for_and_counts_as_a_shock() {
    let transition = model(0.99, 1.0).transition;
    let mut rng = Pcg64Mcg::seed_from_u64(9);
    let mut scratch = Scratch::default();
    let mut belief = Belief::new(1, 100, &mut rng);
    let near = |centre: f64| move |state: &[f64]| -0.5 * (state[0] - centre).powi(2) / 0.01;
    let mut step = |belief: &mut Belief, centre: f64| {
        let likelihood = near(centre);
        belief
            .observe(&[transition], &likelihood, &mut scratch, &mut rng, &Unlimited)
            .expect("no limit")
    };
    for _ in 0..20 {
        assert!(!step(&mut belief, 0.0).shock);
    }
    assert!(step(&mut belief, 6.0).shock);
    assert!((belief.mean()[0] - 6.0).abs() < 0.5, "{:?}", belief.mean());
    let impossible = belief.observe(&[transition], &|_| f64::NAN, &mut scratch, &mut rng, &Unlimited);
    assert!(impossible.is_ok() && belief.mean()[0].is_finite());
}

#[test]
fn a_general_step_out_of_time_says_so() {
    let mut rng = Pcg64Mcg::seed_from_u64(10);
    let mut belief = Belief::new(1, 10_000, &mut rng);
    let over = AtomicBool::new(true);
    let transition = model(0.9, 1.0).transition;
    let result = belief.observe(&[transition], &|_| 0.0, &mut Scratch::default(), &mut rng, &over);
    assert_eq!(result, Err(crate::budget::BudgetExceeded));
}

#[test]
fn a_weight_entropy_of_just_above_one_nat_is_not_resampled_with_jitter() {
    let mut rng = Pcg64Mcg::seed_from_u64(6);
    let belief = Belief::new(1, 100, &mut rng);
    let transition = Transition {
        phi: 1.0 - 1e-9,
        mean: 0.0,
        variance: 3e-5,
    };
    let mut near = [0, 0];
    for step in 0..4_000 {
        let y = -1.0 + 0.0005 * f64::from(step);
        let mut belief = belief.clone();
        let health = belief.observe_direct(&transition, 3e-5, y, &mut Scratch::default(), &mut rng);
        if health.shock {
            continue;
        }
        assert_eq!(health.jittered, health.entropy < 1.0, "{health:?}");
        near[0] += u32::from((0.98..1.0).contains(&health.entropy));
        near[1] += u32::from((1.0..1.02).contains(&health.entropy));
    }
    assert!(near[0] > 0 && near[1] > 0, "{near:?}");
}
