use super::*;
use crate::l48::fixtures::{calm_world, healthy_floor};
use crate::l48::observe::Structural;
use crate::report::RhoState;
use rungs_types::Invariant;

fn verdict(floor: &FloorReport, world: &ObserveOutput) -> Verdict {
    Verify::new().step(floor, world, Authority::Full, Epoch(0))
}

fn names(verdict: &Verdict) -> Vec<Invariant> {
    verdict.violations.iter().map(|v| v.invariant).collect()
}

#[test]
fn section_8_4_no_violation_continues() {
    let verdict = verdict(&healthy_floor(10), &calm_world(10));
    assert!(verdict.passed() && verdict.structural_permitted);
    assert_eq!(
        (verdict.severity, verdict.response, verdict.cycle),
        (0.0, Response::Continue, 10)
    );
}

#[test]
fn section_8_4_one_violation_throttles_and_forbids_structural_change() {
    let mut floor = healthy_floor(10);
    floor.rho = 0.985;
    let verdict = verdict(&floor, &calm_world(10));
    assert_eq!(names(&verdict), [Invariant::Spectral], "a warning counts as one");
    assert_eq!((verdict.severity, verdict.response), (0.0, Response::Throttle));
    assert!(!verdict.passed() && !verdict.structural_permitted);
}

#[test]
fn section_8_4_two_violations_rebalance() {
    let mut floor = healthy_floor(10);
    (floor.rho, floor.iis) = (1.02, Some(0.80));
    let verdict = verdict(&floor, &calm_world(10));
    assert_eq!(names(&verdict), [Invariant::Spectral, Invariant::Identity]);
    assert!((verdict.severity - 0.7).abs() < 1e-9, "0.02 / 0.10 + 0.05 / 0.10");
    assert_eq!(verdict.response, Response::Rebalance);
}

#[test]
fn section_8_4_three_violations_freeze_however_slight() {
    let mut floor = healthy_floor(10);
    (floor.rho_state, floor.iis) = (RhoState::Warning, Some(0.849));
    let mut world = calm_world(10);
    (world.eu, world.pending) = (0.80, vec![Structural::SwitchForecaster { dimension: 0 }]);
    let verdict = verdict(&floor, &world);
    assert_eq!(
        names(&verdict),
        [Invariant::Spectral, Invariant::Identity, Invariant::Uncertainty]
    );
    assert!(verdict.severity < 0.02);
    assert_eq!(verdict.response, Response::Freeze);
}

#[test]
fn definition_12_a_severity_above_2_freezes_and_2_does_not() {
    let mut floor = healthy_floor(10);
    floor.iis = Some(0.65);
    let at_two = verdict(&floor, &calm_world(10));
    assert!((at_two.severity - 2.0).abs() < 1e-9);
    assert_eq!(Response::to(1, 2.0), Response::Throttle);
    floor.iis = Some(0.64);
    let above = verdict(&floor, &calm_world(10));
    assert!((above.severity - 2.1).abs() < 1e-9);
    assert_eq!(above.response, Response::Freeze);
}

#[test]
fn a_breached_sandbox_freezes_alone() {
    let mut floor = healthy_floor(10);
    floor.contained = false;
    assert_eq!(
        verdict(&floor, &calm_world(10)).response,
        Response::Freeze,
        "severity 3"
    );
}

#[test]
fn at_half_authority_the_halved_thresholds_decide() {
    let mut floor = healthy_floor(10);
    floor.iis = Some(0.88);
    let step = |authority| {
        Verify::new()
            .step(&floor, &calm_world(10), authority, Epoch(0))
            .response
    };
    assert_eq!(step(Authority::Full), Response::Continue);
    assert_eq!(step(Authority::Half), Response::Throttle);
}

#[test]
fn where_the_floor_forbids_structural_change_a_passed_check_does_not_permit_it() {
    let mut floor = healthy_floor(10);
    floor.structural_permitted = false;
    let verdict = verdict(&floor, &calm_world(10));
    assert!(verdict.passed() && !verdict.structural_permitted);
}

#[test]
fn after_a_freeze_the_lyapunov_share_is_counted_anew() {
    let mut verify = Verify::new();
    let mut floor = healthy_floor(10);
    for step in 0..4 {
        floor.lyapunov = vec![0.2 + 0.1 * f64::from(step); 10];
        verify.step(&floor, &calm_world(10), Authority::Full, Epoch(0));
    }
    floor.lyapunov = vec![0.5; 10];
    let before = verify.clone().step(&floor, &calm_world(10), Authority::Full, Epoch(0));
    assert!(before.lyapunov_share > 0.05 && !before.passed());
    let after = verify.step(&floor, &calm_world(10), Authority::Full, Epoch(1));
    assert_eq!(after.lyapunov_share, 0.0);
    assert!(after.passed());
}

#[test]
fn a_revert_gives_the_state_back_byte_for_byte() {
    let bytes = |verify: &Verify| {
        let state = &*verify.state();
        bincode::serde::encode_to_vec(state, bincode::config::standard()).expect("encodes")
    };
    let mut verify = Verify::new();
    let mut floor = healthy_floor(10);
    floor.lyapunov = vec![0.31; 10];
    verify.step(&floor, &calm_world(10), Authority::Full, Epoch(0));
    let (state, before) = (verify.state(), bytes(&verify));
    floor.lyapunov = vec![0.9; 10];
    verify.step(&floor, &calm_world(20), Authority::Half, Epoch(0));
    assert_ne!(bytes(&verify), before);
    verify.revert(state);
    assert_eq!(bytes(&verify), before);
}

#[test]
fn a_stored_monitor_that_cannot_have_been_is_refused() {
    type Stored = (Vec<f64>, crate::numeric::bits::BitWindow, bool);
    let read = |recent: Vec<f64>, capacity: u16| {
        let stored: Stored = (recent, crate::numeric::bits::BitWindow::new(capacity), false);
        let bytes = bincode::serde::encode_to_vec((stored, Epoch(0)), bincode::config::standard()).expect("encodes");
        bincode::serde::decode_from_slice::<VerifyState, _>(&bytes, bincode::config::standard()).is_ok()
    };
    assert!(read(vec![0.1; 20], 200));
    assert!(!read(vec![0.1; 21], 200), "more than are compared");
    assert!(!read(vec![f64::NAN], 200));
    assert!(!read(vec![f64::INFINITY], 200));
    assert!(!read(vec![0.1], 100), "another window");
}

proptest::proptest! {
    /// Any bytes: refused, or a verifier that goes on with finite numbers.
    #[test]
    fn whatever_is_stored_nothing_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let read = bincode::serde::decode_from_slice::<VerifyState, _>(&bytes, bincode::config::standard());
        if let Ok((state, _)) = read {
            let mut verify = Verify::from_state(Arc::new(state));
            for epoch in [Epoch(0), Epoch(u64::MAX)] {
                let verdict = verify.step(&healthy_floor(10), &calm_world(10), Authority::Full, epoch);
                proptest::prop_assert!(verdict.severity.is_finite() && verdict.lyapunov_share.is_finite());
            }
        }
    }

    /// The same of a true state of which some bytes were changed.
    #[test]
    fn nor_of_a_damaged_one(at in 0..200_usize, value in proptest::prelude::any::<u8>()) {
        let mut verify = Verify::new();
        for cycle in 1..=30 {
            verify.step(&healthy_floor(10 * cycle), &calm_world(10 * cycle), Authority::Full, Epoch(3));
        }
        let mut bytes = bincode::serde::encode_to_vec(&*verify.state(), bincode::config::standard()).expect("encodes");
        let at = at % bytes.len();
        bytes[at] = value;
        let read = bincode::serde::decode_from_slice::<VerifyState, _>(&bytes, bincode::config::standard());
        if let Ok((state, _)) = read {
            let verdict = Verify::from_state(Arc::new(state)).step(
                &healthy_floor(310),
                &calm_world(310),
                Authority::Full,
                Epoch(3),
            );
            proptest::prop_assert!(verdict.severity.is_finite());
        }
    }
}

#[test]
fn a_severity_of_2_02_freezes_and_one_of_1_98_throttles() {
    assert_eq!(Response::to(1, 1.98), Response::Throttle);
    assert_eq!(Response::to(1, 2.02), Response::Freeze);
}
