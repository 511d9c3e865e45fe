//! Complexity C of the self-model, the mode that protects it, and how the kernel judges its own stability.

use super::identity::ACCELERATION_LIMIT;
use crate::numeric::window::Window;
use serde::{Deserialize, Serialize};

/// Stabilization mode is entered at this complexity …
pub const ENTER_STABILIZATION: f64 = 0.7;
/// … and left below this one.
pub const LEAVE_STABILIZATION: f64 = 0.5;
/// Deepest level at which the kernel reflects on itself.
pub const MAX_DEPTH: u8 = 3;
/// Below this index of meta-cognitive stability the kernel reflects one level deeper.
pub const ESCALATE_MSI: f64 = 0.5;
/// Cycles that a depth lasts before the next change.
pub const DEPTH_CYCLES: u32 = 50;
/// Cycles over which the self-model's error must be small.
const CONVERGENCE_CYCLES: usize = 20;
/// Mean error of the predicted change of I below which the self-model has converged.
pub const CONVERGED_ERROR: f64 = 0.02;

/// C = 0.30 identity volatility + 0.25 H_bel + 0.25 goal mutation frequency + 0.20 consistency volatility, of the four
/// in this order, each in [0, 1].
pub fn complexity(volatility: &[f64; 4]) -> f64 {
    let [identity, belief, goals, consistency] = volatility;
    0.30 * identity + 0.25 * belief + 0.25 * goals + 0.20 * consistency
}

/// Stabilization mode, with hysteresis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stabilization {
    on: bool,
}

impl Stabilization {
    /// The mode is on.
    pub fn is_on(self) -> bool {
        self.on
    }

    /// On at C >= 0.7 or acceleration > 2; off at C < 0.5 unless still accelerating.
    pub fn update(&mut self, complexity: f64, acceleration: f64) {
        if complexity >= ENTER_STABILIZATION || acceleration > ACCELERATION_LIMIT {
            self.on = true;
        } else if complexity < LEAVE_STABILIZATION {
            self.on = false;
        }
    }
}

/// How well the kernel predicts itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reflection {
    /// Errors of the predicted change of I.
    errors: Window,
    /// The same in units of the largest change, over the cycles that MSI looks at.
    relative_errors: Window,
    depth: u8,
    since_change: u32,
}

/// What the kernel thinks of its own stability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelfAssessment {
    /// The mean error of the predicted change of I over 20 cycles is below 0.02.
    pub converged: bool,
    /// Meta-cognitive stability index, in [0, 1].
    pub msi: f64,
    /// How deep the kernel reflects: 1 watches its errors, 2 holds structural change back, 3 asks for a person.
    pub depth: u8,
    /// The index is below 0.5.
    pub escalate: bool,
}

impl Default for Reflection {
    fn default() -> Self {
        Self {
            errors: Window::new(CONVERGENCE_CYCLES),
            relative_errors: Window::new(super::operations::CYCLES),
            depth: 1,
            since_change: 0,
        }
    }
}

impl Reflection {
    /// The error at which everything went right so far.
    pub fn depth(&self) -> u8 {
        self.depth
    }

    /// Takes in one prediction error of I and the volatilities, and judges.
    ///
    /// MSI = 1 - 0.4 identity volatility - 0.3 goal mutation frequency - 0.3 variance of the prediction error over 50
    /// cycles (the error in units of the largest change of a component, the variance clamped to 1).
    pub fn assess(&mut self, identity_error: Option<f64>, volatility: &[f64; 4]) -> SelfAssessment {
        if let Some(error) = identity_error {
            self.errors.push(error);
            self.relative_errors.push(error / super::identity::DELTA_MAX);
        }
        let spread = self.relative_errors.sd().map_or(0.0, |sd| (sd * sd).min(1.0));
        let msi = (1.0 - 0.4 * volatility[0] - 0.3 * volatility[2] - 0.3 * spread).clamp(0.0, 1.0);
        let escalate = msi < ESCALATE_MSI;
        self.since_change = self.since_change.saturating_add(1);
        if escalate && self.depth < MAX_DEPTH && (self.depth == 1 || self.since_change >= DEPTH_CYCLES) {
            self.depth += 1;
            self.since_change = 0;
        } else if !escalate && self.depth > 1 && self.since_change >= DEPTH_CYCLES {
            self.depth -= 1;
            self.since_change = 0;
        }
        let converged = self.errors.is_full() && self.errors.mean().is_some_and(|mean| mean < CONVERGED_ERROR);
        SelfAssessment {
            converged,
            msi,
            depth: self.depth,
            escalate,
        }
    }

    /// The depth is one that exists.
    pub(super) fn is_valid(&self) -> bool {
        (1..=MAX_DEPTH).contains(&self.depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complexity_weighs_as_written() {
        assert!((complexity(&[1.0; 4]) - 1.0).abs() < 1e-15);
        assert!((complexity(&[0.2, 0.4, 0.0, 0.5]) - (0.06 + 0.1 + 0.1)).abs() < 1e-15);
    }

    #[test]
    fn stabilization_is_entered_at_seven_tenths_and_left_below_a_half() {
        let mut mode = Stabilization::default();
        for (c, acceleration, on) in [
            (0.699, 2.0, false),
            (0.7, 0.0, true),
            (0.5, 0.0, true),
            (0.499, 2.1, true),
            (0.499, 2.0, false),
            (0.0, 2.001, true),
            (0.0, 0.0, false),
        ] {
            mode.update(c, acceleration);
            assert_eq!(mode.is_on(), on, "C {c}, acceleration {acceleration}");
        }
    }

    #[test]
    fn the_self_model_converges_when_twenty_errors_average_below_two_hundredths() {
        let mut reflection = Reflection::default();
        for _ in 0..19 {
            assert!(!reflection.assess(Some(0.0), &[0.0; 4]).converged);
        }
        assert!(reflection.assess(Some(0.399), &[0.0; 4]).converged);
        let mut reflection = Reflection::default();
        for _ in 0..19 {
            reflection.assess(Some(0.0), &[0.0; 4]);
        }
        assert!(!reflection.assess(Some(0.4), &[0.0; 4]).converged);
    }

    #[test]
    fn msi_is_as_by_hand() {
        let mut reflection = Reflection::default();
        // Errors 0 and 0.05: 0 and 1 in units of the largest change, variance 0.25.
        reflection.assess(Some(0.0), &[0.0; 4]);
        let judged = reflection.assess(Some(0.05), &[0.5, 1.0, 0.2, 1.0]);
        assert!((judged.msi - (1.0 - 0.2 - 0.06 - 0.075)).abs() < 1e-12);
        assert!(!judged.escalate);
    }

    #[test]
    fn an_unstable_self_is_reflected_on_deeper_and_never_beyond_three() {
        let mut reflection = Reflection::default();
        let depths = |reflection: &mut Reflection, volatility: [f64; 4], cycles: u32| {
            (0..cycles)
                .map(|_| reflection.assess(Some(0.0), &volatility).depth)
                .last()
                .expect("cycles")
        };
        let unstable = [1.0, 0.0, 0.5, 0.0]; // MSI 0.45
        assert_eq!(depths(&mut reflection, unstable, 1), 2);
        assert_eq!(depths(&mut reflection, unstable, 49), 2);
        assert_eq!(depths(&mut reflection, unstable, 1), 3);
        assert_eq!(depths(&mut reflection, unstable, 500), 3);
        assert_eq!(depths(&mut reflection, [0.0; 4], 1), 2);
        assert_eq!(depths(&mut reflection, [0.0; 4], 50), 1);
    }

    #[test]
    fn a_half_is_not_below_a_half() {
        let mut reflection = Reflection::default();
        // 1 - 0.4 - 0.1: the sum is a hair off 0.5 in binary, so the two sides are taken apart by 1e-9.
        let third = 1.0 / 3.0;
        assert!(!reflection.assess(None, &[1.0, 0.0, third - 1e-9, 0.0]).escalate);
        assert!(reflection.assess(None, &[1.0, 0.0, third + 1e-9, 0.0]).escalate);
    }
}
