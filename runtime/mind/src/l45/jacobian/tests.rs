use super::*;
use nalgebra::SVector;

const REST: [f64; 5] = [0.6, 0.6, 0.6, 0.3, 0.6];

/// Levels of x(t+1) = REST + J (x(t) - REST) from `x`.
fn law(jacobian: Jacobian, x: [f64; 5], count: usize) -> Vec<[f64; 5]> {
    let rest = SVector::from(REST);
    let mut x = SVector::from(x);
    (0..count)
        .map(|_| {
            let level = x.into();
            x = rest + jacobian * (x - rest);
            level
        })
        .collect()
}

fn rotation(rho: f64, angle: f64) -> Jacobian {
    let (sin, cos) = angle.sin_cos();
    let mut jacobian = Jacobian::from_diagonal_element(0.3);
    (jacobian[(0, 0)], jacobian[(0, 3)]) = (rho * cos, -rho * sin);
    (jacobian[(3, 0)], jacobian[(3, 3)]) = (rho * sin, rho * cos);
    jacobian
}

/// 300 cycles that wobble by 0.002 about [`REST`], with period 7 and 3.
fn settled() -> SpectralDetector {
    let mut detector = SpectralDetector::default();
    for cycle in 0..300_u32 {
        let wobble = 0.002 * (f64::from(cycle % 7) / 3.0 - 1.0) + 0.001 * (f64::from(cycle % 3) - 1.0);
        detector.observe(REST.map(|v| v + wobble));
    }
    detector
}

/// Worst reading of the checks each 10 cycles over `levels`.
fn worst(detector: &mut SpectralDetector, levels: impl IntoIterator<Item = [f64; 5]>) -> SpectralReading {
    let mut worst = SpectralReading::default();
    for (cycle, level) in (1..).zip(levels) {
        detector.observe(level);
        if cycle % 10 == 0 {
            let reading = detector.check();
            assert!((0.0..=MAX_RHO).contains(&reading.rho));
            if reading.rho > worst.rho {
                worst = reading;
            }
        }
    }
    worst
}

#[test]
fn fewer_than_ten_transitions_are_unknown() {
    let mut detector = SpectralDetector::default();
    assert_eq!(
        detector.check(),
        SpectralReading {
            rho: 0.0,
            state: RhoState::Unknown
        }
    );
    for level in law(rotation(0.9, 1.0), [0.9, 0.6, 0.6, 0.5, 0.6], 10) {
        detector.observe(level);
        assert_eq!(detector.check().state, RhoState::Unknown);
        assert_eq!(detector.jacobian(), None);
    }
    detector.observe(REST);
    assert_eq!(detector.check().state, RhoState::Stable);
}

#[test]
fn one_component_is_fitted_with_intercept_and_ridge_as_by_hand() {
    // Only S moves: 0.5, 0.7, 0.5, 0.7 ... ; 20 transitions, x - mean = ∓0.1, y - mean = ±0.1:
    // slope = -20 (0.01) / (20 (0.01) + 0.001) = -0.2 / 0.201.
    let mut detector = SpectralDetector::default();
    for cycle in 0..21 {
        detector.observe([if cycle % 2 == 0 { 0.5 } else { 0.7 }, 0.4, 0.4, 0.4, 0.4]);
    }
    let jacobian = detector.jacobian().unwrap();
    assert!((jacobian[(0, 0)] + 0.2 / 0.201).abs() < 1e-12);
    assert!(jacobian.iter().skip(1).all(|v| v.abs() < 1e-12));
    let fit = detector.window(0).unwrap();
    // Residual 20 (0.1 (1 - 0.2 / 0.201))², movement 20 (0.2)².
    assert!((fit.explained - (1.0 - (0.5 * (1.0 - 0.2 / 0.201_f64)).powi(2))).abs() < 1e-12);
}

#[test]
fn the_law_of_a_window_is_recovered() {
    let planted = rotation(1.05, 0.9);
    let mut detector = SpectralDetector::default();
    for level in law(planted, [0.9, 0.5, 0.8, 0.2, 0.4], 21) {
        detector.observe(level);
    }
    let found = detector.jacobian().unwrap();
    for (row, column) in [(0, 0), (0, 3), (3, 0), (3, 3)] {
        assert!((found[(row, column)] - planted[(row, column)]).abs() < 0.01, "{found}");
    }
}

#[test]
fn levels_cut_off_at_zero_or_one_are_left_out_of_the_fit() {
    let (planted, rest) = (rotation(1.1, 0.7), SVector::from(REST));
    let mut detector = SpectralDetector::default();
    let mut x = SVector::from([0.7, 0.6, 0.6, 0.3, 0.6]);
    for _ in 0..21 {
        detector.observe(x.into());
        x = (rest + planted * (x - rest)).map(|v| v.clamp(0.0, 1.0));
    }
    let cut_off = detector.levels.iter().filter(|x| x[0] == 1.0 || x[3] == 0.0).count();
    assert!(cut_off >= 2, "{cut_off} levels at the edge");
    let rho = spectral_radius_or_bound(&detector.jacobian().unwrap()).unwrap();
    assert!((rho - 1.1).abs() < 0.02, "found {rho}");
}

#[test]
fn a_component_mostly_cut_off_has_no_row() {
    let mut detector = SpectralDetector::default();
    for cycle in 0..21 {
        let s = if cycle < 9 { 0.5 + 0.05 * f64::from(cycle) } else { 1.0 };
        detector.observe([s, 1.0, 0.9, 0.2, 1.0]);
    }
    let jacobian = detector.jacobian().unwrap();
    assert!(jacobian.row(0).iter().all(|v| *v == 0.0), "{jacobian}");
}

#[test]
fn a_settled_agent_hands_on_at_most_what_noise_reaches() {
    let reading = settled().check();
    assert_eq!(reading.state, RhoState::Stable);
    assert!(reading.rho <= UNSUSPECTED_RHO);
}

#[test]
fn a_growing_rotation_is_a_violation() {
    let reading = worst(&mut settled(), law(rotation(1.05, 0.9), [0.61, 0.6, 0.6, 0.3, 0.6], 80));
    assert_eq!(reading.state, RhoState::Violation);
    assert!((1.0..1.1).contains(&reading.rho), "found {}", reading.rho);
}

#[test]
fn a_rotation_that_neither_grows_nor_fades_is_a_warning_or_worse() {
    let reading = worst(
        &mut settled(),
        law(rotation(0.995, 0.9), [0.75, 0.6, 0.6, 0.3, 0.6], 30),
    );
    assert_eq!(reading.state, RhoState::Warning);
    assert!(
        (WARNING_RHO..VIOLATION_RHO).contains(&reading.rho),
        "found {}",
        reading.rho
    );
}

#[test]
fn real_growth_is_a_violation() {
    let mut jacobian = Jacobian::from_diagonal_element(0.3);
    jacobian[(3, 3)] = 1.2;
    let levels = law(jacobian, [0.6, 0.6, 0.6, 0.31, 0.6], 30);
    let cut_off = levels.into_iter().map(|x| x.map(|v| v.clamp(0.0, 1.0)));
    assert_eq!(worst(&mut settled(), cut_off).state, RhoState::Violation);
}

#[test]
fn a_jump_that_stays_is_no_alarm() {
    let jumped = (0..100).map(|cycle| [0.5, 0.6, 0.6, 0.8 + 0.001 * f64::from(cycle % 3), 0.6]);
    assert!(worst(&mut settled(), jumped).rho <= UNSUSPECTED_RHO);
}

#[test]
fn a_jump_that_fades_is_no_alarm() {
    let fading = (0..100).map(|cycle| [0.6, 0.6, 0.6, 0.3 + 0.5 * 0.93_f64.powi(cycle), 0.6]);
    assert!(worst(&mut settled(), fading).rho <= UNSUSPECTED_RHO);
}

#[test]
fn a_steady_drift_is_no_alarm() {
    let drift = (0..40).map(|cycle| {
        let noise = 0.002 * f64::from(cycle % 5 - 2);
        [0.6, 0.6, 0.6, 0.3 + 0.01 * f64::from(cycle) + noise, 0.6]
    });
    assert!(worst(&mut settled(), drift).rho <= UNSUSPECTED_RHO);
}

#[test]
fn without_a_baseline_nothing_is_suspect() {
    let mut detector = SpectralDetector::default();
    let reading = worst(&mut detector, law(rotation(1.05, 0.9), [0.61, 0.6, 0.6, 0.3, 0.6], 60));
    assert_eq!(
        reading,
        SpectralReading {
            rho: UNSUSPECTED_RHO,
            state: RhoState::Stable
        }
    );
}

#[test]
fn a_level_that_is_not_a_number_is_a_violation_until_it_has_left_the_windows() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        let mut detector = settled();
        detector.observe([0.6, 0.6, bad, 0.3, 0.6]);
        for _ in 0..WINDOWS_LEVELS {
            assert_eq!(
                detector.check(),
                SpectralReading {
                    rho: MAX_RHO,
                    state: RhoState::Violation
                }
            );
            detector.observe(REST);
        }
        assert_eq!(detector.check().state, RhoState::Stable);
    }
    let mut first = SpectralDetector::default();
    first.observe([f64::NAN; 5]);
    assert_eq!(first.check().state, RhoState::Violation);
}

#[test]
fn a_restored_detector_goes_on_as_the_one_that_was_stored() {
    let mut detector = settled();
    detector.observe([f64::NAN; 5]);
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(&detector, config).unwrap();
    let (mut restored, _): (SpectralDetector, _) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
    assert_eq!(restored, detector);
    for level in law(rotation(1.05, 0.9), [0.61, 0.6, 0.6, 0.3, 0.6], 80) {
        detector.observe(level);
        restored.observe(level);
        assert_eq!(restored.check(), detector.check());
    }
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let try_from = |levels, poisoned_cycles| {
        SpectralDetector::try_from(State {
            levels,
            poisoned_cycles,
        })
    };
    assert_eq!(
        try_from(vec![REST; CAPACITY + 1], 0),
        Err(StateError::TooManyLevels { found: CAPACITY + 1 })
    );
    assert_eq!(
        try_from(vec![REST, [f64::NAN; 5]], 0),
        Err(StateError::NotALevel { index: 1 })
    );
    assert_eq!(try_from(vec![REST], 31), Err(StateError::TooPoisoned { found: 31 }));
    assert!(try_from(vec![REST; CAPACITY], 30).is_ok());
}

#[test]
fn the_buffer_never_grows() {
    let mut detector = settled();
    let capacity = detector.levels.capacity();
    for _ in 0..1_000 {
        detector.observe(REST);
    }
    assert_eq!(
        (detector.levels.len(), detector.levels.capacity()),
        (CAPACITY, capacity)
    );
}

#[test]
fn a_rotation_that_grows_by_a_hundredth_is_a_violation() {
    let levels = law(rotation(1.01, 0.9), [0.75, 0.6, 0.6, 0.3, 0.6], 30);
    let reading = worst(&mut settled(), levels);
    assert_eq!(reading.state, RhoState::Violation);
    assert!((1.0..1.02).contains(&reading.rho), "found {}", reading.rho);
}

#[test]
fn at_most_0_90_is_handed_on_without_evidence_and_2_for_what_is_no_number() {
    let mut detector = SpectralDetector::default();
    let reading = worst(&mut detector, law(rotation(1.05, 0.9), [0.61, 0.6, 0.6, 0.3, 0.6], 60));
    assert_eq!(reading.rho, 0.90);
    detector.observe([f64::NAN; 5]);
    assert_eq!(detector.check().rho, 2.0);
}

#[test]
fn a_level_of_100_is_one_and_a_level_of_101_is_none() {
    assert!(is_level(&[100.0, -100.0, 0.0, 0.0, 0.0]));
    assert!(!is_level(&[101.0, 0.0, 0.0, 0.0, 0.0]));
    assert!(!is_level(&[0.0, -101.0, 0.0, 0.0, 0.0]));
}

#[test]
fn what_is_usual_is_known_from_a_hundred_levels_before_the_windows_and_reaches_four_deviations() {
    let mut detector = SpectralDetector::default();
    (0..129).for_each(|_| detector.observe(REST));
    assert!(detector.usual().is_none());
    detector.observe(REST);
    let usual = detector.usual().expect("a hundred levels");
    // Nothing moves: the deviation counts as 0.01.
    assert!(
        usual.reach.iter().all(|reach| (reach - 0.04).abs() < 1e-15),
        "{:?}",
        usual.reach
    );
    for cycle in 0..230 {
        detector.observe(REST.map(|v| if cycle % 2 == 0 { v + 0.05 } else { v - 0.05 }));
    }
    assert_eq!(
        detector.levels.len(),
        230,
        "thirty in the windows and two hundred before"
    );
    let usual = detector.usual().expect("two hundred levels");
    assert!(
        usual.reach.iter().all(|reach| (reach - 0.2).abs() < 1e-9),
        "{:?}",
        usual.reach
    );
}

#[test]
fn three_windows_with_two_cycles_far_out_are_evidence_and_two_are_none() {
    let mut detector = SpectralDetector::default();
    (0..300).for_each(|_| detector.observe(REST));
    let mut jacobian = Jacobian::from_diagonal_element(0.3);
    jacobian[(3, 3)] = -1.2;
    let mut far_out = 0;
    for level in law(jacobian, [0.6, 0.6, 0.6, 0.3001, 0.6], 60) {
        detector.observe(level);
        far_out += u32::from((level[3] - 0.3).abs() > 0.04);
        // The newest window has so many cycles far out, the one before it one less, the third two less.
        assert_eq!(detector.evident_rho().expect("finite") > 1.0, far_out >= 4, "{far_out}");
        if far_out == 5 {
            return;
        }
    }
    panic!("the mode does not grow");
}
