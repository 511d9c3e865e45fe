use super::*;
use proptest::prelude::*;

const CALM: StateVector = StateVector {
    stability: 0.9,
    goals: 1.0,
    identity: 0.95,
    uncertainty: 0.1,
    ethics: 1.0,
};

#[test]
fn v_is_as_by_hand_and_zero_only_at_rest() {
    // 0.357 * 0.01 + 0.286 * 0.01 + 0.214 * 0.0025.
    assert!((CALM.lyapunov() - 0.006_965).abs() < 1e-15);
    let collapsed = StateVector {
        stability: 0.0,
        goals: 0.0,
        identity: 0.0,
        uncertainty: 1.0,
        ethics: 0.0,
    };
    assert!((collapsed.lyapunov() - 1.0).abs() < 1e-12);
    let rest = StateVector {
        stability: 1.0,
        goals: 0.0,
        identity: 1.0,
        uncertainty: 0.0,
        ethics: 1.0,
    };
    assert_eq!(rest.lyapunov(), 0.0);
    let unethical = StateVector { ethics: 0.9, ..CALM };
    assert!((unethical.lyapunov() - CALM.lyapunov() - 0.00143).abs() < 1e-15);
}

#[test]
fn each_component_has_its_tiers_and_the_worst_wins() {
    let tier = |change: &dyn Fn(&mut StateVector), rho: f64| {
        let mut x = CALM;
        change(&mut x);
        x.tier(rho)
    };
    for (stability, expected) in [(0.5, 0), (0.499, 1), (0.4, 1), (0.399, 2), (0.3, 2), (0.299, 3)] {
        assert_eq!(tier(&|x| x.stability = stability, 0.0), expected, "S {stability}");
    }
    for (uncertainty, expected) in [(0.599, 0), (0.6, 1), (0.699, 1), (0.7, 2), (0.799, 2), (0.8, 3)] {
        assert_eq!(tier(&|x| x.uncertainty = uncertainty, 0.0), expected, "U {uncertainty}");
    }
    for (identity, expected) in [(0.90, 0), (0.899, 1), (0.88, 1), (0.879, 2), (0.85, 2), (0.849, 3)] {
        assert_eq!(tier(&|x| x.identity = identity, 0.0), expected, "I {identity}");
    }
    for (rho, expected) in [(0.949, 0), (0.95, 1), (0.999, 1), (1.0, 2), (1.199, 2), (1.2, 3)] {
        assert_eq!(tier(&|_| {}, rho), expected, "rho {rho}");
    }
    assert_eq!(tier(&|x| x.stability = 0.45, 1.3), 3);
}

#[test]
fn a_tier_goes_up_at_once_and_down_after_fifty_stable_cycles() {
    let mut collapse = Collapse::default();
    assert_eq!((collapse.update(2), collapse.update(1)), (2, 2));
    assert!((2..50).all(|_| collapse.update(0) == 2));
    assert_eq!(collapse.update(0), 1);
    assert!((1..50).all(|_| collapse.update(0) == 1));
    assert_eq!(collapse.update(1), 1, "as bad as before: counted anew");
    assert!((1..50).all(|_| collapse.update(0) == 1));
    assert_eq!(collapse.update(0), 0);
    assert_eq!(collapse.update(3), 3);
}

#[test]
fn a_rise_of_the_mean_counts_above_a_hundredth_and_a_tenth() {
    let share = |before: f64, now: f64| {
        let mut decay = Decay::default();
        (0..10).for_each(|_| decay.update(before));
        (0..10).for_each(|_| decay.update(now));
        decay.share()
    };
    assert_eq!(share(0.10, 0.11), 0.0, "a rise of just a hundredth");
    assert_eq!(share(0.10, 0.111), 1.0 / 20.0, "counted in the last cycle");
    assert_eq!(share(0.08, 0.0999), 0.0, "below a tenth");
    assert_eq!(share(0.2, 0.1), 0.0);
}

#[test]
fn rises_are_forgotten_after_two_hundred_cycles() {
    let mut decay = Decay::default();
    (0..10).for_each(|_| decay.update(0.1));
    (0..10).for_each(|_| decay.update(0.5));
    let share = decay.share();
    assert!(share > 0.0);
    (0..220).for_each(|_| decay.update(0.5));
    assert_eq!(decay.share(), 0.0);
}

#[test]
fn each_invariant_alone_can_fail_the_check() {
    let good = Checked {
        rising_share: ALLOWED_SHARE,
        rho: 0.9,
        rho_state: RhoState::Stable,
        iis: Some(0.85),
        contained: true,
        uncertainty: 0.79,
    };
    assert!(good.all_hold());
    assert!(
        Checked {
            rho: 0.0,
            rho_state: RhoState::Unknown,
            ..good
        }
        .all_hold()
    );
    for bad in [
        Checked {
            rising_share: 0.055,
            ..good
        },
        Checked { rho: 1.0, ..good },
        Checked { rho: f64::NAN, ..good },
        Checked {
            rho_state: RhoState::Warning,
            ..good
        },
        Checked {
            rho_state: RhoState::Violation,
            ..good
        },
        Checked {
            iis: Some(0.849),
            ..good
        },
        Checked { iis: None, ..good },
        Checked {
            contained: false,
            ..good
        },
        Checked {
            uncertainty: 0.80,
            ..good
        },
    ] {
        assert!(!bad.all_hold(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn v_of_shares_is_a_share(x in prop::array::uniform5(0.0..=1.0f64)) {
        let [stability, goals, identity, uncertainty, ethics] = x;
        let x = StateVector { stability, goals, identity, uncertainty, ethics };
        prop_assert!((0.0..=1.0 + 1e-12).contains(&x.lyapunov()));
        prop_assert!(x.tier(0.5) <= 3);
    }
}
