use super::*;

fn series(rows: usize, windows: &[(usize, usize)], detected: &[(usize, f64)]) -> Series {
    let mut scores = vec![0.0; rows];
    detected.iter().for_each(|&(row, score)| scores[row] = score);
    Series {
        scores,
        windows: windows.iter().map(|&(first, last)| Window { first, last }).collect(),
    }
}

fn near(found: Option<f64>, expected: f64) {
    let found = found.expect("there are windows");
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
}

#[test]
fn the_first_750_rows_at_most_are_not_judged() {
    let rows = [0, 6, 7, 100, 4_999, 5_000, 22_695];
    assert_eq!(rows.map(probation), [0, 0, 1, 15, 749, 750, 750]);
}

#[test]
fn the_sigmoid_is_that_of_the_benchmark() {
    for (place, value) in [
        (-1.0, 0.986_614_298_151_430_3),
        (-0.5, 0.848_283_639_957_512_9),
        (0.0, 0.0),
        (1.0, -0.986_614_298_151_430_3),
        (2.999, -0.999_999_385_128_864_5),
        (3.0, -1.0),
    ] {
        assert!((scaled_sigmoid(place) - value).abs() < 1e-9, "{place}");
    }
}

#[test]
fn a_detector_that_finds_all_windows_at_once_has_100_and_one_that_says_nothing_0() {
    let windows = [(40, 49), (70, 79)];
    let best = best(&[series(100, &windows, &[(40, 1.0), (70, 0.9)])]);
    near(best.nab, 100.0);
    assert_eq!(
        (best.threshold, best.found, best.windows, best.false_alarms),
        (0.9, 2, 2, 0)
    );
    let silent = at(&[series(100, &windows, &[])], 0.5);
    near(silent.nab, 0.0);
    assert_eq!(
        (silent.precision(), silent.recall(), silent.f1()),
        (None, Some(0.0), Some(0.0))
    );
}

/// By hand: rows 40..=49, found at row 45, which is 5 of 10 from the right edge: `s(-5/10) / s(-1)` =
/// 0.848283640 / 0.986614298 = 0.859792567 where 1 was lost. A false alarm 20 rows behind, at 20/9 widths:
/// `2 / (1 + e^(100/9)) - 1` = -0.999970110. One far before: -1. Each of these by 0.11: total 0.859792567 - 0.109996712
/// - 0.11 = 0.639795855, told between -1 and 1: 100 (0.639795855 + 1) / 2 = 81.989792742.
#[test]
fn a_late_detection_and_two_false_alarms_are_worth_what_they_are_by_hand() {
    let (late, behind) = (
        0.848_283_639_957_513 / 0.986_614_298_151_430,
        2.0 / (1.0 + (100.0_f64 / 9.0).exp()) - 1.0,
    );
    let one = [series(
        100,
        &[(40, 49)],
        &[(45, 1.0), (69, 1.0), (30, 1.0), (47, 1.0), (3, 1.0)],
    )];
    let verdict = at(&one, 1.0);
    near(verdict.nab, 50.0 * (late + 0.11 * (behind - 1.0) + 1.0));
    near(verdict.nab, 81.989_792_741_756);
    assert_eq!((verdict.found, verdict.false_alarms), (1, 2), "row 3 is not judged");
    assert_eq!(verdict.precision(), Some(1.0 / 3.0));
    assert_eq!((verdict.recall(), verdict.f1()), (Some(1.0), Some(0.5)));
}

#[test]
fn one_threshold_is_sought_for_all_series() {
    let loud = series(100, &[(40, 49)], &[(40, 5.0), (60, 4.0)]);
    let quiet = series(100, &[(40, 49)], &[(40, 3.0)]);
    // Down to 3, both are found, and the false alarm of the first, 11/9 widths behind its window, is taken with it.
    let loss = 2.0 / (1.0 + (5.0_f64 * 11.0 / 9.0).exp()) - 1.0;
    let both = best(&[loud.clone(), quiet]);
    assert_eq!(both.threshold, 3.0);
    near(both.nab, 100.0 * (4.0 + 0.11 * loss) / 4.0);
    // Alone, the first is better off without it.
    assert_eq!(best(&[loud]).threshold, 5.0);
}

#[test]
fn scores_that_are_none_detect_nothing_and_without_windows_there_is_no_score() {
    let nothing = best(&[series(100, &[(40, 49)], &[(45, f64::NAN)])]);
    assert_eq!((nothing.threshold, nothing.nab), (f64::INFINITY, Some(0.0)));
    let none = at(&[series(100, &[], &[(50, 1.0)])], 0.5);
    assert_eq!((none.nab, none.recall(), none.false_alarms), (None, None, 1));
    assert_eq!(best(&[]).nab, None);
}

#[test]
fn a_window_that_ends_before_rows_are_judged_is_nobodys_loss() {
    let verdict = at(&[series(100, &[(2, 5), (40, 49)], &[(40, 1.0)])], 1.0);
    assert_eq!((verdict.found, verdict.windows), (1, 1));
    // A perfect detector is counted both: 100 (1 + 1) / (2 + 1).
    near(verdict.nab, 200.0 / 3.0);
}

#[test]
fn a_window_of_one_row_has_a_width() {
    let verdict = at(&[series(100, &[(50, 50)], &[(50, 1.0), (51, 1.0)])], 1.0);
    near(verdict.nab, 50.0 * (2.0 - 0.11 * 0.986_614_298_151_430_3));
}
