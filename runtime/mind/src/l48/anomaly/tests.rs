use super::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

fn run(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut anomaly = Anomaly::default();
    values.into_iter().map(|value| anomaly.take(value)).collect()
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
}

/// High by day and low by night, with noise.
fn days(rows: usize, seed: u64) -> Vec<f64> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let level = |row: usize| if row % 96 >= 48 { 80.0 } else { 20.0 };
    (0..rows).map(|row| level(row) + rng.random_range(-3.0..3.0)).collect()
}

fn greatest(scores: &[f64]) -> (usize, f64) {
    let by_row = scores.iter().copied().enumerate();
    by_row.max_by(|a, b| a.1.total_cmp(&b.1)).expect("there are scores")
}

/// By hand: on a ramp each value is 1 from the nearest, and each 16 are 16 from the 16 before: sqrt(1 * 16) = 4 each
/// time, and 96 each time of the long stretches: all are alike. Then, of 300 values, the next is 363 in place of 300: 64
/// from the nearest, and the last 16 are sqrt((15 * 16² + (363 - 284)²) / 16) = 25.1010458 from those that end with 284:
/// together sqrt(64 * 25.1010458) = 40.0807543, 10.0201886 times the furthest of the 200 that are known from the 101st
/// on: log10(201) + log10(10.0201886) = 2.3031961 + 1.0008759.
#[test]
fn a_value_that_is_further_from_all_before_than_any_was_is_as_strange_as_by_hand() {
    let mut values: Vec<f64> = (0..300).map(f64::from).collect();
    assert_eq!(run(values.clone()), [0.0; 300]);
    values.push(363.0);
    near(run(values)[300], 3.304_072_0);
}

/// By hand: segments of 8 are in turn 0 and 10, and each stretch of 12 segments was there before. The last, of index 51,
/// is 0 where 10 had its turn: one mean of 12 is 10 from the nearest stretch. Stretches are compared from the segment of
/// index 23 on; to index 50 these are 28, and none was as far: 1 of 29. Each value alone is an old one.
#[test]
fn a_long_stretch_of_known_values_in_an_order_that_was_not_is_as_strange_as_by_hand() {
    let level = |segment: usize| if segment % 2 == 1 && segment < 50 { 10.0 } else { 0.0 };
    let scores = run((0..52 * 8).map(|row| level(row / 8)));
    let strange: Vec<usize> = (0..scores.len()).filter(|row| scores[*row] > 0.0).collect();
    assert_eq!(strange, [52 * 8 - 1]);
    near(scores[52 * 8 - 1], 29.0_f64.log10());
}

#[test]
fn of_ordinary_values_one_in_a_hundred_has_a_score_of_two_or_more() {
    let mut rng = Pcg64Mcg::seed_from_u64(6);
    let mut anomaly = Anomaly::default();
    let scores: Vec<f64> = (0..20_000)
        .map(|_| {
            anomaly.count += 1;
            anomaly.of_short(rng.random_range(0.0..1.0))
        })
        .collect();
    let share = |least: f64| scores[5_000..].iter().filter(|score| **score >= least).count() as f64 / 15_000.0;
    assert!((0.007..0.013).contains(&share(2.0)), "{}", share(2.0));
    assert!((0.07..0.13).contains(&share(1.0)), "{}", share(1.0));
}

#[test]
fn of_days_that_are_as_always_none_is_beyond_what_is_ordinary_and_one_that_stays_low_is() {
    let mut values = days(3_000, 1);
    // No more than a record by a little: one of 3,000, log10(3000) = 3.48.
    let (_, ordinary) = greatest(&run(values.clone()));
    assert!(ordinary < 3.7, "{ordinary}");
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    // Night at noon: each value is one of every day.
    values[2_448..2_496].fill_with(|| 20.0 + rng.random_range(-3.0..3.0));
    let (row, strange) = greatest(&run(values));
    assert!((2_448..2_600).contains(&row) && strange > ordinary, "{row} {strange}");
}

#[test]
fn a_spike_is_strange_once_and_while_it_lasts_it_is_the_same() {
    let mut values = days(2_000, 3);
    values[1_500..1_510].fill(200.0);
    let scores = run(values);
    assert_eq!(greatest(&scores).0, 1_500);
    assert!(scores[1_501..1_600].iter().all(|score| *score == 0.0));
    let mut anomaly = Anomaly {
        count: 1_000,
        ..Anomaly::default()
    };
    assert_eq!(
        [5.0, 4.0, 5.0, 0.0, 6.0].map(|strange| anomaly.rested(strange)),
        [5.0, 0.0, 0.0, 0.0, 6.0]
    );
    anomaly.count += REST;
    assert_eq!(anomaly.rested(5.5), 0.0, "the sixth is one of the last 100");
    anomaly.count += 1;
    assert_eq!(anomaly.rested(5.6), 5.6);
}

#[test]
fn scores_are_finite_and_what_is_not_a_number_is_passed_over() {
    let plain = days(600, 4);
    let with_gaps = run(plain.iter().flat_map(|value| [*value, f64::NAN, f64::INFINITY]));
    assert!(with_gaps.iter().all(|score| score.is_finite() && *score >= 0.0));
    let kept: Vec<f64> = with_gaps.iter().copied().step_by(3).collect();
    assert_eq!(kept, run(plain));
    let huge = run((0..600).map(|row| {
        if row % 7 == 0 {
            1e300
        } else {
            -1e300 * f64::from(row) / 600.0
        }
    }));
    assert!(huge.iter().all(|score| score.is_finite()));
    assert!(run(std::iter::repeat_n(7.0, 600)).iter().all(|score| *score == 0.0));
}

#[test]
fn scores_do_not_depend_on_unit_and_origin() {
    // In steps of 2^-12, of which a power of two and this shift leave the distances as they are but for the unit.
    let plain: Vec<f64> = days(1_500, 5).iter().map(|v| (v * 4_096.0).round() / 4_096.0).collect();
    let shifted = run(plain.iter().map(|value| value * 1_024.0 + 65_536.0));
    let scores = run(plain);
    assert!(scores.iter().any(|score| *score > 1.0));
    assert_eq!(shifted, scores);
}

#[test]
fn the_first_observation_is_known_from_what_persistence_says_of_the_second() {
    let mut anomaly = Anomaly::default();
    let score = Score {
        persistence: 3.0,
        observed: 5.0,
        ..Score::default()
    };
    anomaly.step(&score);
    assert_eq!((anomaly.count, anomaly.values.nearest(1)), (2, Some(2.0)));
}

#[test]
fn a_score_is_told_when_it_is_above_those_of_the_last_hundred() {
    for (later, told) in [(100, 0.0), (101, 2.0)] {
        let mut anomaly = Anomaly {
            count: 1,
            ..Anomaly::default()
        };
        assert_eq!(anomaly.rested(3.0), 3.0);
        anomaly.count += later;
        assert_eq!(anomaly.rested(2.0), told, "{later} later");
    }
}

#[test]
fn an_observation_is_known_for_4096_more() {
    for (between, distance) in [(4_095, 0.0), (4_096, 1000.0)] {
        let mut values = Anomaly::default().values;
        values.push(1000.0);
        (0..between).for_each(|_| values.push(0.0));
        values.push(1000.0);
        assert_eq!(values.nearest(1), Some(distance), "{between} between");
    }
}
