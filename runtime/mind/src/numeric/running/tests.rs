use super::*;
use proptest::prelude::*;

#[test]
fn it_is_a_plain_mean_up_to_the_horizon_and_exponential_after() {
    let mut mean = RunningMean::new(4);
    assert_eq!(mean.get(), None);
    for value in [1.0, 2.0, 3.0, 6.0] {
        mean.push(value);
    }
    assert_eq!(mean.get(), Some(3.0));
    mean.push(7.0);
    assert_eq!(mean.get(), Some(4.0));
    mean.push(f64::NAN);
    assert_eq!((mean.get(), mean.count()), (Some(4.0), 5));
}

#[test]
fn a_scale_is_the_population_variance_until_its_horizon() {
    let mut scale = Scale::new(100);
    for value in [2.0, 4.0, 4.0, 6.0] {
        scale.push(value);
    }
    assert_eq!((scale.mean(), scale.variance(), scale.count()), (4.0, 2.0, 4));
    assert!((scale.in_sd(2.0, 6.0) - 2.0_f64.sqrt()).abs() < 1e-15);
    assert_eq!(scale.in_sd(-100.0, 6.0), -6.0);
}

#[test]
fn a_gross_value_counts_as_six_deviations_once_fifty_are_in() {
    let mut scale = Scale::new(1000);
    for i in 0..50 {
        scale.push(if i % 2 == 0 { 1.0 } else { -1.0 });
    }
    assert!((scale.variance() - 1.0).abs() < 1e-14);
    scale.push(1e12);
    // As the value 6 would: mean 6/51, variance 50/51 (1 + 36/51).
    assert!((scale.mean() - 6.0 / 51.0).abs() < 1e-15);
    assert!((scale.variance() - 50.0 / 51.0 * (1.0 + 36.0 / 51.0)).abs() < 1e-14);
}

#[test]
fn a_difference_in_what_never_moved_is_the_limit() {
    let scale = Scale::new(10);
    assert_eq!(
        (scale.in_sd(1e-9, 6.0), scale.in_sd(-1e-9, 6.0), scale.in_sd(0.0, 6.0)),
        (6.0, -6.0, 0.0)
    );
    assert_eq!(scale.in_sd(f64::NAN, 6.0), 0.0);
}

#[test]
fn a_damaged_average_is_refused() {
    assert!(
        RunningMean::try_from(Raw {
            horizon: 0,
            count: 0,
            mean: 0.0
        })
        .is_err()
    );
    assert!(
        RunningMean::try_from(Raw {
            horizon: 1,
            count: 0,
            mean: f64::NAN
        })
        .is_err()
    );
    assert!(
        Scale::try_from(RawScale {
            horizon: 1,
            count: 0,
            mean: 0.0,
            variance: -1.0
        })
        .is_err()
    );
    assert!(
        Scale::try_from(RawScale {
            horizon: 1,
            count: 0,
            mean: 0.0,
            variance: f64::INFINITY
        })
        .is_err()
    );
}

proptest! {
    #[test]
    fn whatever_goes_in_finite_numbers_come_out(values in prop::collection::vec(any::<f64>(), 0..200)) {
        let (mut mean, mut scale) = (RunningMean::new(20), Scale::new(20));
        for value in values {
            mean.push(value);
            scale.push(value);
            prop_assert!(mean.get().is_none_or(f64::is_finite));
            prop_assert!(scale.mean().is_finite() && scale.sd().is_finite() && scale.sd() >= 0.0);
            prop_assert!(scale.in_sd(value, 6.0).abs() <= 6.0);
            prop_assert!(Scale::try_from(RawScale::from(scale)).is_ok());
        }
    }
}
