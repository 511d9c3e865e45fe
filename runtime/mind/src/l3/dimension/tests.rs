use super::*;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal, StudentT};
use rand_pcg::Pcg64Mcg;

/// Sees a value every `gap` cycles.
fn see(dimension: &mut Dimension, values: impl IntoIterator<Item = f64>, gap: u64) {
    for value in values {
        dimension.compare(value, Forecaster::Persistence);
        let cycle = dimension.last_cycle + gap;
        dimension.absorb(value, cycle);
        dimension.expect(ActionKind::Hold, None);
    }
}

#[test]
fn forecasts_of_the_next_value_are_as_by_hand() {
    let mut dimension = Dimension::default();
    assert_eq!(dimension.expectation(Forecaster::Linear), None);
    see(&mut dimension, [1.0, 3.0], 1);
    // Smoothing: 1 + 0.3 * 2. Persistence: 3. Linear without a lesson: 3; told one usual change (2): 5.
    let forecast = |d: &Dimension, speaker| d.expectation(speaker).expect("observed").forecast;
    assert_eq!(forecast(&dimension, Forecaster::Smoothing), 1.6);
    assert_eq!(forecast(&dimension, Forecaster::Persistence), 3.0);
    assert_eq!(forecast(&dimension, Forecaster::Linear), 3.0);
    dimension.expect(ActionKind::AskPeer, Some(1.0));
    assert_eq!(forecast(&dimension, Forecaster::Linear), 5.0);
    dimension.expect(ActionKind::Hold, Some(1e9));
    assert_eq!(forecast(&dimension, Forecaster::Linear), 3.0 + 6.0 * 2.0);
}

#[test]
fn the_error_of_the_forecast_is_measured_in_deviations_of_the_dimension() {
    let mut dimension = Dimension::default();
    assert_eq!(dimension.compare(5.0, Forecaster::Persistence).0, Seen::default());
    see(&mut dimension, [1.0, 3.0, 1.0, 3.0], 1);
    // Deviation 1 around 2; persistence expects 3.
    assert_eq!(dimension.compare(0.5, Forecaster::Persistence).0.error_sd, Some(-2.5));
    assert_eq!(dimension.compare(1e9, Forecaster::Persistence).0.error_sd, Some(10.0));
}

#[test]
fn the_interval_starts_with_the_first_error_wider_for_few_and_adapts_with_each() {
    let mut dimension = Dimension::default();
    see(&mut dimension, [1.0], 1);
    let expected = |d: &Dimension| d.expectation(Forecaster::Persistence).expect("observed");
    assert_eq!((expected(&dimension).sd, expected(&dimension).half_width), (None, None));
    assert_eq!(dimension.compare(3.0, Forecaster::Persistence).0.hit, None);
    // One error of 2: 2 (1 + 1.2), and 1.645 of that.
    assert!((expected(&dimension).sd.expect("one error") - 4.4).abs() < 1e-12);
    assert!((expected(&dimension).half_width.expect("one error") - 1.645 * 4.4).abs() < 1e-12);
    // A hit narrows by exp(-0.005); another error of 2 leaves the root mean square, now with (1 + 0.6).
    assert_eq!(dimension.compare(3.0, Forecaster::Persistence).0.hit, Some(true));
    let half_width = expected(&dimension).half_width.expect("errors");
    assert!((half_width - 1.645 * (-0.005_f64).exp() * 3.2).abs() < 1e-12);
    // A miss widens by exp(0.045).
    assert_eq!(
        dimension.compare(1.0 + 3.2 * 1.64, Forecaster::Persistence).0.hit,
        Some(false)
    );
    assert!((dimension.half_width_sd - 1.645 * (0.04_f64).exp()).abs() < 1e-12);
}

#[test]
fn a_lesson_carries_what_was_known_and_what_came() {
    let mut dimension = Dimension::default();
    see(&mut dimension, [1.0, 3.0, 1.0], 1);
    assert_eq!(
        dimension.compare(3.0, Forecaster::Linear).1,
        None,
        "two changes have no usual size yet"
    );
    see(&mut dimension, [3.0], 1);
    // Mean 2, deviation 1, last 3, last change 2, usual change 2; then a change of -2.
    let lesson = dimension.compare(1.0, Forecaster::Linear).1.expect("three changes");
    assert_eq!(
        (lesson.regressors, lesson.target, lesson.kind),
        ([1.0, 1.0, 1.0], -1.0, ActionKind::Hold)
    );
}

#[test]
fn samples_are_overdue_in_units_of_their_own_period() {
    let mut dimension = Dimension::default();
    see(&mut dimension, [1.0, 2.0, 1.0], 12);
    let overdue = |after: u64| dimension.overdue(dimension.last_cycle + after);
    assert_eq!((overdue(0), overdue(12), overdue(17)), (0, 0, 0));
    assert_eq!((overdue(18), overdue(29), overdue(30), overdue(120)), (1, 1, 2, 9));
    assert_eq!(Dimension::default().overdue(u64::MAX), u32::MAX - 1);
}

#[test]
fn the_interval_holds_nine_in_ten_whatever_the_distribution() {
    let mut rng = Pcg64Mcg::seed_from_u64(8);
    let heavy = StudentT::new(2.5).expect("valid");
    let mut draws: [Box<dyn FnMut() -> f64>; 3] = [
        Box::new({
            let mut rng = rng.clone();
            move || StandardNormal.sample(&mut rng)
        }),
        Box::new({
            let mut rng = rng.clone();
            move || heavy.sample(&mut rng)
        }),
        Box::new(move || rng.random_range(-1.0..1.0)),
    ];
    for (which, draw) in draws.iter_mut().enumerate() {
        let mut dimension = Dimension::default();
        see(&mut dimension, (0..5000).map(|_| draw()), 1);
        let coverage = dimension.coverage().expect("forecast");
        assert!((0.88..0.92).contains(&coverage), "distribution {which}: {coverage}");
    }
}

#[test]
fn a_surprise_is_an_error_of_more_than_four_deviations() {
    let mut dimension = Dimension::default();
    see(&mut dimension, (0..60).map(|i| if i % 2 == 0 { 0.5 } else { -0.5 }), 1);
    // Persistence was wrong by 1 each of 59 times: 1 + 1.2 / 59.
    let limit = 4.0 * (1.0 + 1.2 / 59.0);
    let mut near = dimension.clone();
    see(&mut near, [-0.5 + limit - 1e-9], 1);
    assert_eq!(near.surprise(), 0.0);
    see(&mut dimension, [-0.5 + limit + 1e-9], 1);
    assert!((dimension.surprise() - 0.05).abs() < 1e-12);
}

#[test]
fn a_gross_error_widens_the_deviation_by_ten_of_it_at_most() {
    let mut dimension = Dimension::default();
    see(&mut dimension, (0..61).map(|i| if i % 2 == 0 { 0.5 } else { -0.5 }), 1);
    see(&mut dimension, [1e90], 1);
    // Ten deviations of 1 + 1.2 / 60 each, squared, at a weight of 1/50.
    let sd = dimension
        .expectation(Forecaster::Persistence)
        .expect("observed")
        .sd
        .expect("errors");
    let square: f64 = 1.0 + ((10.0 * 1.02_f64).powi(2) - 1.0) / 50.0;
    assert!((sd - square.sqrt() * (1.0 + 1.2 / 61.0)).abs() < 1e-9, "{sd}");
}

#[test]
fn what_never_moves_is_expected_to_stay_and_surprises_when_it_does_not() {
    let mut dimension = Dimension::default();
    see(&mut dimension, [7.0; 60], 1);
    let expected = dimension.expectation(Forecaster::Linear).expect("observed");
    assert_eq!(
        expected,
        Expectation {
            forecast: 7.0,
            sd: Some(0.0),
            half_width: Some(0.0)
        }
    );
    assert_eq!(
        (dimension.uncertainty(60), dimension.mae(Forecaster::Persistence)),
        (0.0, Some(0.0))
    );
    let seen = dimension.compare(7.5, Forecaster::Linear).0;
    assert_eq!((seen.error_sd, seen.hit), (Some(10.0), Some(false)));
    assert!(dimension.surprise() > 0.0);
}

proptest! {
    #[test]
    fn whatever_is_measured_every_number_stays_finite(
        values in prop::collection::vec(prop_oneof![-MAX_OBSERVATION..=MAX_OBSERVATION, -1.0..1.0f64, Just(0.0), Just(5e-324)], 1..120),
        change in any::<f64>(),
    ) {
        let mut dimension = Dimension::default();
        for (cycle, value) in (1..).zip(values) {
            let (seen, lesson) = dimension.compare(value, Forecaster::Linear);
            prop_assert!(seen.error_sd.is_none_or(|e| e.abs() <= 10.0));
            if let Some(lesson) = lesson {
                prop_assert!(lesson.target.abs() <= 6.0 && lesson.regressors.iter().all(|r| r.abs() <= 6.0));
            }
            dimension.absorb(value, cycle);
            dimension.expect(ActionKind::Hold, Some(change));
            prop_assert!(dimension.is_valid(), "{dimension:?}");
            let expected = dimension.expectation(Forecaster::Linear).expect("observed");
            prop_assert!(expected.sd.is_none_or(f64::is_finite) && expected.half_width.is_none_or(f64::is_finite));
        }
    }
}
