use super::*;
use crate::l48::fixtures::healthy_floor;

const CERTAIN: Uncertain = Uncertain {
    eu: 0.1,
    structural_pending: true,
};

fn check(floor: &FloorReport, uncertain: Uncertain, limits: &Limits) -> Vec<Violation> {
    let mut monitor = Monitor::default();
    monitor.note(&floor.lyapunov);
    monitor.check(floor, uncertain, limits)
}

/// Which invariants are violated on a floor that differs from the healthy one as said.
fn with(limits: &Limits, change: impl Fn(&mut FloorReport)) -> Vec<(Invariant, f64)> {
    let mut floor = healthy_floor(10);
    change(&mut floor);
    let violations = check(&floor, CERTAIN, limits);
    violations.iter().map(|v| (v.invariant, v.magnitude)).collect()
}

fn close(found: &[(Invariant, f64)], expected: &[(Invariant, f64)]) -> bool {
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(f, e)| f.0 == e.0 && (f.1 - e.1).abs() < 1e-9)
}

#[test]
fn on_a_healthy_floor_all_five_hold() {
    assert_eq!(check(&healthy_floor(10), CERTAIN, &Limits::FULL), []);
}

#[test]
fn at_half_authority_each_limit_lies_halfway_to_its_nominal_value() {
    let half = Limits::at(Authority::Half);
    let found = [half.lyapunov_share, half.rho, half.iis, half.eu];
    let expected = [0.025, 0.99, 0.90, 0.475];
    assert!(
        found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-12),
        "{found:?}"
    );
    assert_eq!(half.rho_warning, 0.98);
    for authority in [Authority::Shadow, Authority::Advisory, Authority::Full] {
        assert_eq!(Limits::at(authority), Limits::FULL);
    }
}

#[test]
fn the_spectral_radius_warns_from_0_98_and_is_violated_from_1() {
    let rho = |rho: f64| with(&Limits::FULL, |floor| floor.rho = rho);
    assert_eq!(rho(0.979_999), []);
    assert!(
        close(&rho(0.98), &[(Invariant::Spectral, 0.0)]),
        "a warning counts, with magnitude 0"
    );
    assert!(close(&rho(0.999_999), &[(Invariant::Spectral, 0.0)]));
    assert!(close(&rho(1.0), &[(Invariant::Spectral, 0.0)]));
    assert!(close(&rho(1.05), &[(Invariant::Spectral, 0.5)]), "(1.05 - 1) / 0.10");
    let detector = |state| with(&Limits::FULL, |floor| floor.rho_state = state);
    assert!(close(&detector(RhoState::Warning), &[(Invariant::Spectral, 0.0)]));
    assert!(close(&detector(RhoState::Violation), &[(Invariant::Spectral, 0.0)]));
    assert_eq!(detector(RhoState::Unknown), []);
    let half = with(&Limits::at(Authority::Half), |floor| floor.rho = 1.05);
    assert!(close(&half, &[(Invariant::Spectral, 0.6)]), "(1.05 - 0.99) / 0.10");
}

#[test]
fn identity_integrity_below_0_85_is_violated_and_warming_up_is_not() {
    let iis = |iis: Option<f64>| with(&Limits::FULL, |floor| floor.iis = iis);
    assert_eq!(iis(Some(0.85)), []);
    assert_eq!(iis(None), []);
    assert!(
        close(&iis(Some(0.80)), &[(Invariant::Identity, 0.5)]),
        "(0.85 - 0.80) / 0.10"
    );
    let half = with(&Limits::at(Authority::Half), |floor| floor.iis = Some(0.88));
    assert!(close(&half, &[(Invariant::Identity, 0.2)]), "(0.90 - 0.88) / 0.10");
}

#[test]
fn a_breached_sandbox_has_magnitude_3() {
    assert!(close(
        &with(&Limits::FULL, |floor| floor.contained = false),
        &[(Invariant::Sandbox, 3.0)]
    ));
}

#[test]
fn uncertainty_from_0_80_is_violated_only_while_a_structural_decision_waits() {
    let eu = |eu: f64, structural_pending: bool| {
        let uncertain = Uncertain { eu, structural_pending };
        let violations = check(&healthy_floor(10), uncertain, &Limits::FULL);
        violations
            .iter()
            .map(|v| (v.invariant, v.magnitude))
            .collect::<Vec<_>>()
    };
    assert_eq!(eu(0.799_999, true), []);
    assert_eq!(eu(0.80, false), []);
    assert!(close(&eu(0.80, true), &[(Invariant::Uncertainty, 0.0)]));
    assert!(
        close(&eu(0.90, true), &[(Invariant::Uncertainty, 0.5)]),
        "(0.90 - 0.80) / 0.20"
    );
}

#[test]
fn a_number_that_is_not_finite_violates_its_invariant_whatever_the_rest() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(close(
            &with(&Limits::FULL, |floor| floor.rho = bad),
            &[(Invariant::Spectral, 3.0)]
        ));
        assert!(close(
            &with(&Limits::FULL, |floor| floor.iis = Some(bad)),
            &[(Invariant::Identity, 8.5)]
        ));
        let lyapunov = with(&Limits::FULL, |floor| floor.lyapunov[4] = bad);
        assert!(close(&lyapunov, &[(Invariant::Lyapunov, 3.8)]), "(1 - 0.05) / 0.25");
        let uncertain = Uncertain {
            eu: bad,
            structural_pending: false,
        };
        let found = check(&healthy_floor(10), uncertain, &Limits::FULL);
        assert_eq!(found[0].invariant, Invariant::Uncertainty);
        assert!(found.iter().all(|v| v.value.is_finite() && v.magnitude.is_finite()));
    }
}

#[test]
fn a_cycle_counts_when_the_mean_v_of_10_exceeds_the_10_before_by_more_than_0_01_and_is_above_0_10() {
    let rises = |first: f64, second: f64| {
        let mut monitor = Monitor::default();
        monitor.note(&[first; 10]);
        monitor.note(&[second; 10]);
        (monitor.lyapunov_share() * 200.0).round() as u32
    };
    // Only the 20th cycle has 20 before and including it. Means differ by second - first.
    assert_eq!(rises(0.20, 0.2101), 1);
    assert_eq!(rises(0.20, 0.2099), 0, "a rise of less than 0.01");
    assert_eq!(rises(0.05, 0.0999), 0, "below 0.10");
    assert_eq!(rises(0.05, 0.1001), 1);
    assert_eq!(rises(0.30, 0.20), 0, "falling");
}

#[test]
fn ten_rises_of_the_last_200_cycles_are_5_percent_and_hold_and_eleven_do_not() {
    let mut monitor = Monitor::default();
    monitor.note(&[0.2; 20]);
    // A step to 0.5: the mean of the last ten exceeds that before from the first step cycle on (by 0.03), through the
    // 19th, when nine of the ten before are at the old level.. counted cycle by cycle below.
    let mut seen = 0;
    let mut held_at = Vec::new();
    for _ in 0..40 {
        monitor.note(&[0.5]);
        let count = (monitor.lyapunov_share() * 200.0).round() as u32;
        if count > seen {
            seen = count;
            let floor = healthy_floor(10);
            held_at.push(monitor.check(&floor, CERTAIN, &Limits::FULL).is_empty());
        }
    }
    // Difference after k steps: 0.03 k up to k = 10, then 0.03 (20 - k): above 0.01 for k = 1 to 19.
    assert_eq!(seen, 19);
    let expected: Vec<bool> = (1..=19).map(|count| count <= 10).collect();
    assert_eq!(held_at, expected);
    let violation = monitor.check(&healthy_floor(10), CERTAIN, &Limits::FULL)[0];
    assert!((violation.value - 0.095).abs() < 1e-12 && (violation.magnitude - 0.18).abs() < 1e-12);
    // 200 calm cycles later all have left the window.
    monitor.note(&[0.5; 199]);
    assert_eq!(monitor.check(&healthy_floor(10), CERTAIN, &Limits::FULL), []);
    monitor.restart();
    assert_eq!(monitor, Monitor::default());
}

#[test]
fn definition_12_divides_magnitudes_by_priorities_1_1_1_2_2() {
    let one = |invariant, magnitude| violation(invariant, 0.0, 0.0, magnitude);
    let all = Invariant::ALL.map(|invariant| one(invariant, 1.0));
    // Lyapunov 1/2 + spectral 1 + identity 1 + sandbox 1 + uncertainty 1/2.
    assert!((compound_severity(&all) - 4.0).abs() < 1e-12);
    assert_eq!(compound_severity(&[]), 0.0);
    assert_eq!(one(Invariant::Spectral, 1e9).magnitude, MAX_MAGNITUDE);
}

#[test]
fn a_level_that_does_not_compute_is_uncertain_of_nothing_and_decides_nothing() {
    let Uncertain { eu, structural_pending } = Uncertain::IDLE;
    assert_eq!((eu, structural_pending), (0.0, false));
}
