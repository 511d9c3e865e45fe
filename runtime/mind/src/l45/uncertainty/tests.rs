use super::*;
use proptest::prelude::*;

fn cell(value: f64, forecast: f64, sd: f64, half_width: f64) -> Cell {
    Cell {
        value,
        forecast,
        sd,
        half_width,
    }
}

/// One dimension that alternates between 1 and -1 (deviation 1); forecasts are `error` off.
fn run(uncertainty: &mut Uncertainty, cycles: u32, error: f64, sd: f64, half_width: f64) -> Reading {
    let mut reading = None;
    for i in 0..cycles {
        let value = if i % 2 == 0 { 1.0 } else { -1.0 };
        uncertainty.observe(0, &cell(value, value - error, sd, half_width));
        reading = Some(uncertainty.cycle());
    }
    reading.expect("cycles")
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

#[test]
fn an_agent_that_is_as_usual_is_certain() {
    let mut uncertainty = Uncertainty::new(1);
    let reading = run(&mut uncertainty, 1000, 0.4, 0.5, 0.8);
    assert!(close(reading.uncertainty, 0.0), "{reading:?}");
    // 0.4 / 0.5 / 0.798 - 1 = 0.002506.
    assert!(reading.divergence.is_some_and(|d| close(d, 0.8 / 0.798 - 1.0)));
}

#[test]
fn before_any_observation_everything_is_uncertain() {
    let mut uncertainty = Uncertainty::new(1);
    for _ in 0..5 {
        assert_eq!(
            uncertainty.cycle(),
            Reading {
                uncertainty: 1.0,
                divergence: None
            }
        );
    }
    // Seen once: nothing is known of forecasts yet, each part is still 1.
    uncertainty.observe(0, &cell(1.0, f64::NAN, f64::NAN, f64::NAN));
    assert_eq!(
        uncertainty.cycle(),
        Reading {
            uncertainty: 1.0,
            divergence: None
        }
    );
}

#[test]
fn fifty_cycles_without_an_observation_are_blindness_and_forty_nine_are_not() {
    let mut uncertainty = Uncertainty::new(1);
    run(&mut uncertainty, 500, 0.4, 0.5, 0.8);
    for _ in 0..49 {
        assert!(uncertainty.cycle().uncertainty < 0.01);
    }
    assert_eq!(
        uncertainty.cycle(),
        Reading {
            uncertainty: 1.0,
            divergence: None
        }
    );
    assert!(run(&mut uncertainty, 1, 0.4, 0.5, 0.8).uncertainty < 0.01);
}

#[test]
fn variance_counts_by_a_third_of_its_excess() {
    let mut uncertainty = Uncertainty::new(1);
    run(&mut uncertainty, 1000, 0.4, 0.5, 0.8);
    // sd 1.0: four times the variance, excess 3, part 1. The error grows with it, so that nothing else changes.
    let mut one = uncertainty.clone();
    let reading = run(&mut one, 1, 0.4, 0.5 * 2.5_f64.sqrt(), 0.8);
    assert!(
        close(reading.uncertainty, 0.30 * 0.5),
        "variance ratio 2.5: {reading:?}"
    );
    let reading = run(&mut uncertainty, 1, 0.4, 5.0, 0.8);
    assert!(close(reading.uncertainty, 0.30), "cut at 1: {reading:?}");
}

#[test]
fn width_counts_by_its_excess() {
    let mut uncertainty = Uncertainty::new(1);
    run(&mut uncertainty, 1000, 0.4, 0.5, 0.8);
    let reading = run(&mut uncertainty, 1, 0.4, 0.5, 1.2);
    assert!(close(reading.uncertainty, 0.25 * 0.5), "{reading:?}");
}

#[test]
fn errors_count_by_their_excess_and_their_rise() {
    let mut uncertainty = Uncertainty::new(1);
    run(&mut uncertainty, 1000, 0.4, 0.5, 0.8);
    // After 50 cycles at 1.25 times the error, with the forecast deviation as it was: the gap is 0.25 over its median,
    // and divergence has risen from 0.0025 to 1 / 0.798 - 1 = 0.2531.
    let reading = run(&mut uncertainty, 50, 0.5, 0.5, 0.8);
    let divergence = 1.0 / 0.798 - 1.0;
    assert!(reading.divergence.is_some_and(|d| close(d, divergence)), "{reading:?}");
    let rise = divergence - (0.8 / 0.798 - 1.0);
    assert!(close(reading.uncertainty, 0.25 * 0.25 + 0.20 * rise), "{reading:?}");
    // Half of the last 1,000 cycles later, the new error is the usual one.
    let reading = run(&mut uncertainty, 600, 0.5, 0.5, 0.8);
    assert!(close(reading.uncertainty, 0.0), "{reading:?}");
}

#[test]
fn errors_are_cut_at_five_deviations() {
    let mut uncertainty = Uncertainty::new(1);
    let reading = run(&mut uncertainty, 100, 1e9, 0.5, 0.8);
    assert_eq!(reading.divergence, Some(1.0));
    // One gross error among fifty: (49 * 0.8 + 5) / 50 / 0.798 - 1.
    let mut uncertainty = Uncertainty::new(1);
    run(&mut uncertainty, 200, 0.4, 0.5, 0.8);
    let reading = run(&mut uncertainty, 1, 1e9, 0.5, 0.8);
    assert!(
        reading
            .divergence
            .is_some_and(|d| close(d, (49.0 * 0.8 + 5.0) / 50.0 / 0.798 - 1.0)),
        "{reading:?}"
    );
}

#[test]
fn what_never_moves_is_no_evidence_of_error_and_certain() {
    let mut uncertainty = Uncertainty::new(2);
    let mut reading = None;
    for i in 0..500 {
        let value = if i % 2 == 0 { 1.0 } else { -1.0 };
        uncertainty.observe(0, &cell(value, value - 0.4, 0.5, 0.8));
        uncertainty.observe(1, &cell(7.0, 7.0, 0.0, 0.0));
        reading = Some(uncertainty.cycle());
    }
    let reading = reading.expect("cycles");
    assert!(close(reading.uncertainty, 0.0) && reading.divergence.is_some_and(|d| close(d, 0.8 / 0.798 - 1.0)));
    uncertainty.observe(1, &cell(8.0, 7.0, 0.0, 0.0));
    let moved = uncertainty.cycle().divergence.expect("observed");
    assert!(
        moved > 0.09,
        "a forecast that was certain and wrong is as far off as can be: {moved}"
    );
}

#[test]
fn divergence_counts_rows_with_observations_only() {
    let mut uncertainty = Uncertainty::new(1);
    for i in 0..200_u32 {
        let value = if (i / 12) % 2 == 0 { 1.0 } else { -1.0 };
        if i % 12 == 0 {
            uncertainty.observe(0, &cell(value, value - 0.4, 0.5, 0.8));
        }
        let reading = uncertainty.cycle();
        let rows = i / 12 + 1;
        assert_eq!(reading.divergence.is_some(), rows >= 10, "cycle {i}");
    }
}

#[test]
fn bands_are_split_at_a_tenth_a_quarter_and_a_half() {
    for (divergence, expected) in [
        (Some(0.099), DivergenceBand::Normal),
        (Some(0.10), DivergenceBand::Warning),
        (Some(0.249), DivergenceBand::Warning),
        (Some(0.25), DivergenceBand::Recalibrate),
        (Some(0.499), DivergenceBand::Recalibrate),
        (Some(0.50), DivergenceBand::Frozen),
        (Some(f64::NAN), DivergenceBand::Frozen),
        (None, DivergenceBand::Frozen),
    ] {
        assert_eq!(band(divergence), expected, "{divergence:?}");
    }
}

proptest! {
    #[test]
    fn readings_are_shares_whatever_comes(
        rows in prop::collection::vec(prop::array::uniform4(any::<f64>()), 1..120),
        sane in prop::collection::vec(any::<bool>(), 120),
    ) {
        let mut uncertainty = Uncertainty::new(2);
        for ([value, forecast, sd, half_width], sane) in rows.into_iter().zip(sane) {
            uncertainty.observe(0, &cell(value, forecast, sd.abs(), half_width.abs()));
            uncertainty.observe(2, &cell(value, forecast, sd, half_width));
            if sane {
                uncertainty.observe(1, &cell(1.0, 0.5, 0.4, 0.6));
            }
            let reading = uncertainty.cycle();
            prop_assert!((0.0..=1.0).contains(&reading.uncertainty), "{reading:?}");
            prop_assert!(reading.divergence.is_none_or(|d| (0.0..=1.0).contains(&d)));
            prop_assert!(uncertainty.is_valid(2), "{uncertainty:?}");
        }
    }
}

#[test]
fn divergence_may_not_rise_over_a_hundred_cycles() {
    let mut uncertainty = Uncertainty::new(1);
    run(&mut uncertainty, 1000, 0.4, 0.5, 0.8);
    let at = |rows: f64| ((50.0 - rows) * 0.8 + rows) / 50.0 / 0.798 - 1.0;
    // A hundred cycles after the errors grew by a quarter, what was before is the cycle before they did; a cycle later
    // it is the one in which one row of fifty had grown.
    let reading = run(&mut uncertainty, 100, 0.5, 0.5, 0.8);
    assert!(
        close(reading.uncertainty, 0.25 * 0.25 + 0.20 * (at(50.0) - at(0.0))),
        "{reading:?}"
    );
    let reading = run(&mut uncertainty, 1, 0.5, 0.5, 0.8);
    assert!(
        close(reading.uncertainty, 0.25 * 0.25 + 0.20 * (at(50.0) - at(1.0))),
        "{reading:?}"
    );
}

#[test]
fn what_is_usual_is_the_median_of_100_entries_ten_cycles_apart() {
    let mut uncertainty = Uncertainty::new(1);
    run(&mut uncertainty, 1000, 0.4, 0.5, 0.8);
    // After 490 cycles 51 of 100 entries are of before; after 500 there are 50, and the median lies between 0.4 and
    // the next, which is the mean of the first ten of fifty rows at 0.5: 0.42.
    let reading = run(&mut uncertainty, 490, 0.5, 0.5, 0.8);
    assert!(close(reading.uncertainty, 0.25 * (0.5 / 0.40 - 1.0)), "{reading:?}");
    let reading = run(&mut uncertainty, 10, 0.5, 0.5, 0.8);
    assert!(close(reading.uncertainty, 0.25 * (0.5 / 0.41 - 1.0)), "{reading:?}");
}
