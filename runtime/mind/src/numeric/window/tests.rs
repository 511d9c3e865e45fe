use super::*;
use proptest::prelude::*;

fn window(capacity: usize, values: &[f64]) -> Window {
    let mut window = Window::new(capacity);
    values.iter().for_each(|v| window.push(*v));
    window
}

#[test]
fn statistics_are_those_of_the_last_values_by_hand() {
    // The last four of 9, 2, 4, 4, 6: mean 4, squares 4 + 0 + 0 + 4 = 8, sd sqrt 2, median 4, slope (6-2)*1.5/5 = 1.2.
    let w = window(4, &[9.0, 2.0, 4.0, 4.0, 6.0]);
    assert_eq!(w.iter().collect::<Vec<_>>(), [2.0, 4.0, 4.0, 6.0]);
    assert_eq!(
        (w.oldest(), w.newest(), w.sum(), w.max()),
        (Some(2.0), Some(6.0), 16.0, Some(6.0))
    );
    assert_eq!(w.mean(), Some(4.0));
    assert_eq!(w.sd(), Some(2.0_f64.sqrt()));
    assert_eq!(w.median(), Some(4.0));
    assert!((w.slope().expect("two or more") - 1.2).abs() < 1e-15);
}

#[test]
fn an_odd_count_has_a_middle_value_and_an_even_one_the_mean_of_two() {
    assert_eq!(window(5, &[3.0, 1.0, 2.0]).median(), Some(2.0));
    assert_eq!(window(5, &[3.0, 1.0, 2.0, 10.0]).median(), Some(2.5));
    assert_eq!(window(2, &[MAX_VALUE, MAX_VALUE]).median(), Some(MAX_VALUE));
}

#[test]
fn too_few_values_have_no_statistic() {
    let mut w = Window::new(3);
    assert_eq!(
        (w.mean(), w.sd(), w.median(), w.slope(), w.newest(), w.oldest()),
        (None, None, None, None, None, None)
    );
    w.push(f64::NAN);
    assert!(w.is_empty());
    w.push(1.0);
    assert_eq!(
        (w.mean(), w.sd(), w.slope(), w.newest()),
        (Some(1.0), None, None, Some(1.0))
    );
    assert!(!w.is_full());
    w.clear();
    assert!(w.is_empty());
}

#[test]
fn a_damaged_window_is_refused() {
    let refused = |capacity, values| {
        Window::try_from(HistoryState { capacity, values })
            .expect_err("damaged")
            .to_string()
    };
    assert_eq!(refused(1, vec![0.0, 1.0]), "2 values; expected at most 1");
    assert_eq!(
        refused(2, vec![f64::NAN]),
        "value NaN; expected at most 1e150 in magnitude"
    );
    assert!(refused(2, vec![f64::INFINITY]).starts_with("value inf"));
}

proptest! {
    #[test]
    fn no_statistic_of_any_values_is_other_than_finite(values in prop::collection::vec(any::<f64>(), 0..40)) {
        let w = window(16, &values);
        for statistic in [w.mean(), w.sd(), w.median(), w.slope(), w.newest(), w.oldest(), w.max()] {
            prop_assert!(statistic.is_none_or(f64::is_finite), "{statistic:?}");
        }
        prop_assert!(w.sd().is_none_or(|sd| sd >= 0.0));
    }

    #[test]
    fn it_reads_back_and_goes_on_alike(values in prop::collection::vec(-1e3..1e3f64, 0..20), more in -1e3..1e3f64) {
        let mut w = window(7, &values);
        let mut restored = Window::try_from(HistoryState::from(w.clone())).expect("valid");
        w.push(more);
        restored.push(more);
        prop_assert_eq!(w.iter().collect::<Vec<_>>(), restored.iter().collect::<Vec<_>>());
        prop_assert_eq!(w.newest(), Some(more));
    }
}
