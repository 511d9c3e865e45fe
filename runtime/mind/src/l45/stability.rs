//! X, V(X), the collapse tiers and the five invariants, as L4.5 judges them of itself.

use crate::numeric::history::History;
use crate::numeric::window::Window;
use crate::report::RhoState;
use serde::{Deserialize, Serialize};

/// Cycles of V(X) that are compared with those before.
const MEAN_CYCLES: usize = 10;
/// Rise of the mean V that counts.
pub const COUNTED_RISE: f64 = 0.01;
/// Mean V below which no rise counts.
pub const COUNTED_FROM: f64 = 0.10;
/// Cycles over which rises are counted.
pub const DECAY_CYCLES: usize = 200;
/// Share of them that is allowed.
pub const ALLOWED_SHARE: f64 = 0.05;
/// Stable cycles after which a collapse tier goes down by one.
pub const TIER_CYCLES: u32 = 50;
/// Least identity integrity.
pub const MIN_IIS: f64 = 0.85;
/// From this spectral radius on, the invariant is violated.
pub const MAX_RHO: f64 = 1.0;
/// From this uncertainty on, the invariant is violated.
pub const MAX_UNCERTAINTY: f64 = 0.80;

/// X = [S, G, I, U, E], each in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StateVector {
    /// S = 1 - C_L4.
    pub stability: f64,
    /// G = PCS; 1 without goals.
    pub goals: f64,
    /// I = IIS; 1 while it warms up, when nothing is known of a departure.
    pub identity: f64,
    /// U.
    pub uncertainty: f64,
    /// E: share of the last 200 actions that passed the ethical kernel at once.
    pub ethics: f64,
}

impl StateVector {
    /// As [S, G, I, U, E].
    pub fn to_array(self) -> [f64; 5] {
        [self.stability, self.goals, self.identity, self.uncertainty, self.ethics]
    }

    /// V(X) = 0.357 (1 - S)^2 + 0.286 U^2 + 0.214 (1 - I)^2 + 0.143 (E - 1)^2 (MSCP Level 4.8, Definition 11).
    pub fn lyapunov(self) -> f64 {
        0.357 * (1.0 - self.stability).powi(2)
            + 0.286 * self.uncertainty.powi(2)
            + 0.214 * (1.0 - self.identity).powi(2)
            + 0.143 * (1.0 - self.ethics).powi(2)
    }

    /// The worst of the tiers of S, U, I and rho, 0 (none) to 3.
    pub fn tier(self, rho: f64) -> u8 {
        let below = |value: f64, limits: [f64; 3]| limits.iter().filter(|limit| value < **limit).count();
        let from = |value: f64, limits: [f64; 3]| limits.iter().filter(|limit| value >= **limit).count();
        let worst = below(self.stability, [0.5, 0.4, 0.3])
            .max(from(self.uncertainty, [0.6, 0.7, 0.8]))
            .max(below(self.identity, [0.90, 0.88, 0.85]))
            .max(from(rho, [0.95, 1.0, 1.2]));
        worst as u8
    }
}

/// Collapse tier with hysteresis: up at once, down by one after 50 stable cycles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collapse {
    tier: u8,
    stable_cycles: u32,
}

impl Collapse {
    /// Takes in the cycle's own tier and gives the one in force.
    pub fn update(&mut self, tier: u8) -> u8 {
        if tier >= self.tier {
            *self = Self { tier, stable_cycles: 0 };
        } else {
            self.stable_cycles += 1;
            if self.stable_cycles >= TIER_CYCLES {
                *self = Self {
                    tier: self.tier - 1,
                    stable_cycles: 0,
                };
            }
        }
        self.tier
    }

    pub(super) fn is_valid(self) -> bool {
        self.tier <= 3 && self.stable_cycles < TIER_CYCLES
    }
}

/// Whether V decays: a cycle counts against it when the mean V of the last 10 cycles exceeds that of the 10 before by
/// more than 0.01 and is above 0.10.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decay {
    values: Window,
    counted: History<bool>,
}

impl Default for Decay {
    fn default() -> Self {
        Self {
            values: Window::new(2 * MEAN_CYCLES),
            counted: History::new(DECAY_CYCLES),
        }
    }
}

impl Decay {
    /// Takes in V of one cycle.
    pub fn update(&mut self, lyapunov: f64) {
        self.values.push(lyapunov);
        let (mut before, mut now) = (0.0, 0.0);
        for (i, value) in self.values.iter().enumerate() {
            *(if i < MEAN_CYCLES { &mut before } else { &mut now }) += value / MEAN_CYCLES as f64;
        }
        self.counted
            .push(self.values.is_full() && now - before > COUNTED_RISE && now > COUNTED_FROM);
    }

    /// Share of the last 200 cycles that count; 0 before the first.
    pub fn share(&self) -> f64 {
        self.counted.share().unwrap_or(0.0)
    }
}

/// What the five invariants look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checked {
    /// Share of cycles that count against the decay of V.
    pub rising_share: f64,
    /// The spectral detector's radius and verdict.
    pub rho: f64,
    /// The verdict.
    pub rho_state: RhoState,
    /// Identity integrity.
    pub iis: Option<f64>,
    /// No effect of a Lookahead reached the agent since the check before.
    pub contained: bool,
    /// U.
    pub uncertainty: f64,
}

impl Checked {
    /// Whether all five hold: decay of V for 95 % of cycles, rho below 1 without a warning, IIS of at least 0.85,
    /// sandbox contained, uncertainty below 0.80. An identity that is still warming up is no evidence, so it does not.
    pub fn all_hold(&self) -> bool {
        self.rising_share <= ALLOWED_SHARE
            && self.rho < MAX_RHO
            && !matches!(self.rho_state, RhoState::Warning | RhoState::Violation)
            && self.iis.is_some_and(|iis| iis >= MIN_IIS)
            && self.contained
            && self.uncertainty < MAX_UNCERTAINTY
    }
}

#[cfg(test)]
mod tests {
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
}
