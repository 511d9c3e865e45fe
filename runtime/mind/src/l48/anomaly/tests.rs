use super::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

fn run(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut anomaly = Anomaly::default();
    values.into_iter().map(|value| anomaly.take(value)).collect()
}

/// High by day and low by night, with noise.
fn days(rows: usize, seed: u64) -> Vec<f64> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let level = |row: usize| if row % 96 >= 48 { 80.0 } else { 20.0 };
    (0..rows).map(|row| level(row) + rng.random_range(-3.0..3.0)).collect()
}

fn strange(scores: &[f64]) -> Vec<usize> {
    let over = scores.iter().enumerate().filter(|(_, score)| **score >= 4.2);
    over.map(|(row, _)| row).collect()
}

#[test]
fn a_value_outside_the_range_is_told_in_ranges_and_then_known() {
    let mut anomaly = Anomaly::default();
    for (value, beyond) in [
        (5.0, 0.0),
        (5.0, 0.0),
        (9.0, 0.0),
        (11.0, 0.5),
        (10.0, 0.0),
        (2.0, 0.5),
        (11.0, 0.0),
    ] {
        assert_eq!(anomaly.beyond(value), beyond, "{value}");
    }
    assert!((OF_RANGE.tell(0.09) - USUAL).abs() < 1e-12 && (OF_RANGE.tell(0.9) - USUAL - 0.755).abs() < 1e-12);
    assert_eq!((OF_RANGE.tell(0.0), OF_RANGE.tell(1e-300)), (0.0, 0.0));
}

#[test]
fn the_nearest_stretch_is_the_one_that_every_comparison_finds() {
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    let values: Vec<f64> = (0..300).map(|_| rng.random_range(0.0..1.0)).collect();
    let mut novelty = Novelty::new(2, 3);
    values.iter().for_each(|value| {
        novelty.take(*value);
    });
    let mean = |end: usize, part: usize| 0.5 * (values[end - 2 * part] + values[end - 2 * part - 1]);
    let distance = |a: usize, b: usize| (0..3).map(|part| (mean(a, part) - mean(b, part)).powi(2)).sum::<f64>();
    let nearest = (5..=293).map(|end| distance(299, end)).fold(f64::INFINITY, f64::min);
    assert!((novelty.nearest().expect("known") - (nearest / 3.0).sqrt()).abs() < 1e-12);
}

#[test]
fn days_that_are_as_always_are_not_strange_and_one_that_stays_low_is() {
    let mut values = days(3_000, 1);
    assert_eq!(strange(&run(values.clone())), [] as [usize; 0]);
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    // Night at noon: each value is one of every day.
    values[2_448..2_496].fill_with(|| 20.0 + rng.random_range(-3.0..3.0));
    let found = strange(&run(values));
    assert!(
        !found.is_empty() && found.iter().all(|row| (2_448..2_600).contains(row)),
        "{found:?}"
    );
}

#[test]
fn a_spike_is_strange_once_and_while_it_lasts_it_is_the_same() {
    let mut values = days(2_000, 3);
    values[1_500..1_510].fill(200.0);
    assert_eq!(strange(&run(values))[0], 1_500);
    let mut anomaly = Anomaly {
        count: 1_000,
        ..Anomaly::default()
    };
    assert_eq!(
        [5.0, 4.0, 5.0, 6.0].map(|strange| anomaly.rested(strange)),
        [5.0, 0.0, 0.0, 6.0]
    );
    anomaly.count += REST;
    assert_eq!(anomaly.rested(5.5), 0.0, "the sixth is one of the last 200");
    anomaly.count += 1;
    assert_eq!(anomaly.rested(5.6), 5.6);
}

#[test]
fn memory_is_bounded_and_what_is_not_a_number_is_passed_over() {
    let mut novelty = Novelty::new(1, 2);
    for step in 0..40_000_u32 {
        // Alternating values are found at once: the search ends early.
        novelty.means.push(f64::from(step % 2));
        if novelty.means.len() == 2 * novelty.most() {
            novelty.take(0.0);
            assert!(novelty.means.len() <= 2 * novelty.most());
        }
    }
    let scores = run(days(400, 4)
        .into_iter()
        .flat_map(|value| [value, f64::NAN, f64::INFINITY]));
    assert_eq!(scores.len(), 1_200);
    assert!(scores.iter().all(|score| score.is_finite() && *score >= 0.0));
    let huge = run((0..400).map(|row| if row % 2 == 0 { 1e150 } else { -1e150 }));
    assert!(huge.iter().all(|score| score.is_finite()));
    assert!(run(std::iter::repeat_n(7.0, 400)).iter().all(|score| *score == 0.0));
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
    assert_eq!((anomaly.count, anomaly.low, anomaly.high), (2, 3.0, 5.0));
}
