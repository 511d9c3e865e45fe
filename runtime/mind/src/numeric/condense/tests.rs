use super::*;
use proptest::prelude::*;

#[test]
fn codes_keep_the_ends_zero_and_the_hand_worked_middle() {
    assert_eq!([-5.0, 0.0, 5.0].map(|value| encode(value, 5.0)), [-127, 0, 127]);
    assert_eq!((decode(127, 5.0), decode(-127, 5.0), decode(0, 5.0)), (5.0, -5.0, 0.0));
    // ln(1 + 255 x 0.1) / ln 256 x 127 = 3.277 / 5.545 x 127 = 75.05.
    assert_eq!(encode(0.1, 1.0), 75);
    // (256^(75/127) - 1) / 255.
    assert!((decode(75, 1.0) - 0.099_72).abs() < 1e-4);
    assert_eq!(encode(1.0, 0.0), 0, "nothing ever moved");
    assert_eq!(decode(i8::MIN, 1.0), -1.0, "a code that is never written is the limit");
}

#[test]
fn a_narrow_number_is_finite() {
    assert_eq!(narrow(f64::NAN), 0.0);
    assert!(narrow(f64::INFINITY).is_finite() && narrow(-1e300).is_finite());
    assert_eq!(narrow(0.25), 0.25);
}

#[test]
fn a_spread_keeps_mean_and_quantiles_and_takes_turns() {
    let spread = Spread::of((1..=200).map(f64::from), 40);
    let values = spread.values();
    assert_eq!((values.len(), spread.len()), (200, 200));
    let mean = values.iter().sum::<f64>() / 200.0;
    assert!((mean / 100.5 - 1.0).abs() < 0.01, "{mean}");
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    // Groups of five: the 180th is in 176..=180, whose mean is 178.
    assert!((sorted[179] / 178.0 - 1.0).abs() < 0.022, "{}", sorted[179]);
    // Any fifty in a row have about the mean of all.
    for window in values.windows(50) {
        let mean = window.iter().sum::<f64>() / 50.0;
        assert!((mean / 100.5 - 1.0).abs() < 0.1, "{mean}");
    }
}

#[test]
fn few_values_are_kept_one_by_one() {
    let spread = Spread::of([3.0, 1.0].into_iter(), 40);
    let mut values = spread.values();
    values.sort_by(f64::total_cmp);
    assert!((values[0] - 1.0).abs() < 0.023 && values[1] == 3.0, "{values:?}");
    assert_eq!(Spread::of(std::iter::empty(), 40).values(), [0.0; 0]);
}

#[test]
fn steps_end_at_the_newest_and_do_not_drift() {
    let walk: Vec<f64> = (0..200)
        .map(|i| 1e6 + f64::from(i) + (f64::from(i) / 3.0).sin())
        .collect();
    let read = Steps::of(&walk).values();
    assert_eq!(read.last(), walk.last());
    for (read, written) in read.iter().zip(&walk) {
        assert!((read - written).abs() < 0.03, "{read} for {written}");
    }
    assert_eq!(
        Steps::of(&[7.0; 5]).values(),
        [7.0; 5],
        "what never moved still does not"
    );
    assert!(Steps::of(&[]).values().is_empty());
}

#[test]
fn summaries_that_no_series_left_are_refused() {
    let levels = |centre, reach, count| Levels {
        centre,
        reach,
        codes: vec![1; count],
    };
    assert_eq!(levels(0.0, 1.0, 4).check(4), Ok(()));
    for bad in [
        levels(f64::NAN, 1.0, 4),
        levels(0.0, f64::NAN, 4),
        levels(0.0, -1.0, 4),
        levels(0.0, f64::INFINITY, 4),
        levels(1e300, 1.0, 4),
        levels(0.0, 1.0, 5),
    ] {
        assert!(bad.check(4).is_err(), "{bad:?}");
    }
    let steps = |newest, reach, count| Steps {
        newest,
        reach,
        codes: vec![1; count],
    };
    assert_eq!(steps(Some(1.0), 1.0, 3).check(4), Ok(()));
    for bad in [
        steps(Some(f64::NAN), 1.0, 3),
        steps(Some(1.0), f64::INFINITY, 3),
        steps(Some(1.0), 1.0, 4),
        steps(None, 1.0, 1),
    ] {
        assert!(bad.check(4).is_err(), "{bad:?}");
    }
    let spread = |len, count| Spread {
        len,
        means: levels(0.0, 1.0, count),
    };
    assert_eq!(spread(4, 2).check(4), Ok(()));
    for bad in [spread(5, 2), spread(2, 3), spread(2, 0)] {
        assert!(bad.check(4).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn a_level_is_within_2_3_percent_of_itself(values in prop::collection::vec(-1e9..1e9_f64, 1..200)) {
        let levels = Levels::around(0.0, values.iter().copied());
        let largest = values.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        for (read, written) in levels.values().zip(&values) {
            prop_assert!((read - written).abs() <= 0.023 * written.abs() + 1e-4 * largest);
        }
        prop_assert!(levels.check(values.len()).is_ok());
    }

    #[test]
    fn whatever_the_values_what_is_read_back_is_finite_and_passes_its_own_check(
        values in prop::collection::vec(-1e150..1e150_f64, 0..201),
    ) {
        let (steps, spread) = (Steps::of(&values), Spread::of(values.iter().map(|v| v.abs()), 40));
        prop_assert!(steps.check(201).is_ok() && spread.check(201).is_ok());
        prop_assert_eq!((steps.values().len(), spread.values().len()), (values.len(), values.len()));
        prop_assert!(steps.values().iter().chain(&spread.values()).all(|v| v.is_finite()));
    }
}
