use super::*;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// The exact minimiser of the weighted, regularised squares, from the normal equations.
fn batch(samples: &[(Vec<f64>, f64)], forgetting: f64, prior_variance: f64) -> Vec<f64> {
    let dim = samples[0].0.len();
    let mut information = DMatrix::identity(dim, dim) / prior_variance;
    let mut right = DVector::zeros(dim);
    for (x, y) in samples {
        let x = DVector::from_column_slice(x);
        information = information * forgetting + &x * x.transpose();
        right = right * forgetting + x * *y;
    }
    information
        .lu()
        .solve(&right)
        .expect("regular")
        .iter()
        .copied()
        .collect()
}

fn samples(dim: usize, count: usize, seed: u64) -> Vec<(Vec<f64>, f64)> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let x: Vec<f64> = (0..dim).map(|_| rng.random_range(-1.0..1.0)).collect();
            let y = x.iter().enumerate().map(|(i, x)| (i as f64 - 1.0) * x).sum::<f64>() + rng.random_range(-0.1..0.1);
            (x, y)
        })
        .collect()
}

#[test]
fn the_first_scalar_update_is_as_by_hand() {
    // P = 4, x = 1, y = 2, forgetting 0.5: gain 4 / 4.5, theta 16 / 9, P = min-form (4 - 16 / 4.5) / 0.5 = 8 / 9.
    let mut rls = Rls::new(1, 0.5, 4.0);
    assert_eq!(rls.update(&[1.0], 2.0), Some(2.0));
    assert!((rls.theta()[0] - 16.0 / 9.0).abs() < 1e-15);
    assert!((rls.variance_at(&[1.0]).expect("finite") - 8.0 / 9.0).abs() < 1e-15);
}

#[test]
fn it_equals_the_normal_equations() {
    for (dim, forgetting) in [(1, 0.98), (3, 0.98), (12, 0.999), (5, 1.0)] {
        let samples = samples(dim, 400, dim as u64);
        let mut rls = Rls::new(dim, forgetting, 1e6);
        for (x, y) in &samples {
            assert!(rls.update(x, *y).is_some());
        }
        // The early steps, where wind-up is held back, differ from plain forgetting only in the weight of the prior,
        // which is 1e-6 of one sample.
        for (own, exact) in rls.theta().iter().zip(batch(&samples, forgetting, 1e6)) {
            assert!((own - exact).abs() < 1e-6, "dim {dim}: {own} {exact}");
        }
        assert_eq!(rls.resets(), 0);
    }
}

#[test]
fn a_direction_without_news_keeps_its_variance_and_the_other_still_forgets() {
    let mut rls = Rls::new(2, 0.9, 100.0);
    for _ in 0..10_000 {
        rls.update(&[1.0, 1.0], 2.0);
    }
    let quiet = rls.variance_at(&[1.0, -1.0]).expect("finite");
    assert!((1.0..=400.0).contains(&quiet), "{quiet}");
    // After a change of the world the informed direction follows within 1/(1 - 0.9) samples, as without the bound.
    for _ in 0..50 {
        rls.update(&[1.0, 1.0], 6.0);
    }
    let followed = rls.predict(&[1.0, 1.0]).expect("finite");
    assert!((followed - 6.0).abs() < 0.05, "{followed}");
}

#[test]
fn faint_samples_do_not_wind_the_covariance_up() {
    let mut rls = Rls::new(1, 0.98, 10.0);
    for _ in 0..100_000 {
        rls.update(&[1e-9], 0.0);
    }
    let variance = rls.variance_at(&[1.0]).expect("finite");
    assert!(variance > 9.0 && variance <= 10.0, "{variance}");
}

#[test]
fn a_refused_sample_changes_nothing() {
    let mut rls = Rls::new(2, 0.98, 100.0);
    rls.update(&[1.0, 0.5], 1.0);
    let before = rls.clone();
    let bad: [(&[f64], f64); 7] = [
        (&[f64::NAN, 0.0], 1.0),
        (&[f64::INFINITY, 0.0], 1.0),
        (&[1.0, 0.0], f64::NAN),
        (&[1.0, 0.0], f64::NEG_INFINITY),
        (&[1e200, 0.0], 1.0),
        (&[1.0, 0.0], 1e308),
        (&[1.0], 1.0),
    ];
    for (x, y) in bad {
        assert_eq!(rls.update(x, y), None, "{x:?} {y}");
        assert_eq!(rls, before);
    }
    assert_eq!(rls.predict(&[1.0]), None);
    assert_eq!(rls.variance_at(&[f64::NAN, 0.0]), None);
}

#[test]
fn informed_of_where_samples_were_it_is_as_certain_as_after_them_and_says_the_same_as_before() {
    let samples = samples(3, 50, 9);
    let (mut fitted, mut informed) = (Rls::new(3, 0.98, 1.0), Rls::new(3, 0.98, 1.0));
    informed.set_theta(&[1.0, 2.0, 3.0]);
    for (x, y) in &samples {
        fitted.update(x, *y).expect("taken in");
        informed.inform(x);
    }
    assert_eq!(informed.covariance, fitted.covariance);
    assert_eq!(informed.theta(), [1.0, 2.0, 3.0]);
    let before = informed.clone();
    for bad in [&[f64::NAN; 3][..], &[1e200; 3], &[1.0; 2]] {
        informed.inform(bad);
        assert_eq!(informed, before, "{bad:?}");
    }
}

#[test]
fn its_state_reads_back_to_the_same_bytes_and_goes_on_alike() {
    let samples = samples(4, 60, 9);
    let mut rls = Rls::new(4, 0.98, 100.0);
    for (x, y) in &samples[..30] {
        rls.update(x, *y);
    }
    let bytes = bincode::serde::encode_to_vec(&rls, bincode::config::standard()).expect("serialises");
    let (mut restored, _): (Rls, _) =
        bincode::serde::decode_from_slice(&bytes, bincode::config::standard()).expect("valid");
    assert_eq!(
        bincode::serde::encode_to_vec(&restored, bincode::config::standard()).expect("serialises"),
        bytes
    );
    for (x, y) in &samples[30..] {
        assert_eq!(rls.update(x, *y), restored.update(x, *y));
    }
    assert_eq!(rls, restored);
}

#[test]
fn a_damaged_state_is_refused_by_field() {
    let good = RlsState::from(Rls::new(2, 0.98, 100.0));
    let refused = |change: &dyn Fn(&mut RlsState)| {
        let mut state = good.clone();
        change(&mut state);
        Rls::try_from(state).expect_err("damaged").to_string()
    };
    assert_eq!(refused(&|s| s.theta.clear()), "0 coefficients; expected 1 to 32");
    assert_eq!(refused(&|s| s.theta.push(0.0)), "3 covariance entries; expected 6");
    assert!(refused(&|s| s.forgetting = 0.0).starts_with("forgetting is 0"));
    assert!(refused(&|s| s.forgetting = 1.01).starts_with("forgetting is 1.01"));
    assert!(refused(&|s| s.prior_variance = f64::INFINITY).starts_with("prior variance is inf"));
    assert!(refused(&|s| s.theta[1] = f64::NAN).starts_with("coefficient is NaN"));
    assert!(refused(&|s| s.covariance[1] = f64::NAN).starts_with("covariance entry is NaN"));
    assert!(refused(&|s| s.covariance[2] = 101.0).starts_with("variance is 101"));
    assert!(refused(&|s| s.covariance[0] = 0.0).starts_with("variance is 0"));
}

proptest! {
    #[test]
    fn whatever_goes_in_the_state_stays_valid(
        inputs in prop::collection::vec((prop::collection::vec(any::<f64>(), 3), any::<f64>()), 1..60),
        scale in prop_oneof![Just(1.0), Just(1e-300), Just(1e-3)],
    ) {
        let mut rls = Rls::new(3, 0.98, 100.0);
        for (x, y) in inputs {
            let x: Vec<f64> = x.iter().map(|x| x * scale).collect();
            if let Some(error) = rls.update(&x, y) {
                prop_assert!(error.is_finite());
            }
            let valid = Rls::try_from(RlsState::from(rls.clone()));
            prop_assert!(valid.is_ok(), "{:?} {:?}", valid, rls);
        }
    }

    #[test]
    fn moderate_samples_keep_it_valid_for_long(seed in any::<u64>(), forgetting in 0.5..=1.0f64) {
        let mut rls = Rls::new(3, forgetting, 100.0);
        for (x, y) in samples(3, 2_000, seed) {
            prop_assert!(rls.update(&x, y).is_some());
        }
        prop_assert!(Rls::try_from(RlsState::from(rls.clone())).is_ok());
        prop_assert_eq!(rls.resets(), 0);
    }
}
