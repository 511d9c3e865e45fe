//! Calibration of confidence (MSCP Level 4.8, Definition 5 and section 8.2).
//!
//! Overconfidence is corrected faster than underconfidence, because it leads to what is riskier. Within the dead band of
//! 0.10 confidence moves a tenth of the way: with the seed's corrections alone a perfect skill would park at an error of
//! up to 0.10 for ever.

use serde::{Deserialize, Serialize};

/// Half of the dead band: an error up to this is within it.
pub const DEAD_BAND: f64 = 0.10;
/// What overconfidence loses per pass.
pub const OVER_STEP: f64 = 0.05;
/// What underconfidence gains per pass.
pub const UNDER_STEP: f64 = 0.03;
/// Share of the gap that is closed per pass within the dead band.
pub const DEAD_BAND_SHARE: f64 = 0.10;
/// MCE is to be below this.
pub const TARGET: f64 = 0.10;
/// MCE may be up to this when the domain has just become unknown.
pub const ADAPTING_TARGET: f64 = 0.15;
/// Cycles in which the target goes from the latter to the former.
pub const ADAPTING_CYCLES: u64 = 200;
/// Differences below this are those of arithmetic: 0.8 - 0.7 is within the dead band.
const EPSILON: f64 = 1e-9;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Confidence above the success rate by more than 0.10.
    Over,
    /// Below by more than 0.10.
    Under,
    /// Neither.
    Near,
}

/// A confidence after one correction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibrated {
    /// The new confidence, in [0, 1].
    pub confidence: f64,
    /// |confidence - success rate| before it.
    pub error: f64,
    /// What was found.
    pub correction: Correction,
}

/// Corrects a confidence once. Both numbers are in [0, 1]; one that is not a number counts as 0.
pub fn correct(confidence: f64, success_rate: f64) -> Calibrated {
    let share = |value: f64| if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    let (confidence, success_rate) = (share(confidence), share(success_rate));
    let error = confidence - success_rate;
    let (correction, corrected) = if error > DEAD_BAND + EPSILON {
        (Correction::Over, confidence - OVER_STEP)
    } else if error < -DEAD_BAND - EPSILON {
        (Correction::Under, confidence + UNDER_STEP)
    } else {
        (Correction::Near, confidence - DEAD_BAND_SHARE * error)
    };
    Calibrated {
        confidence: share(corrected),
        error: error.abs(),
        correction,
    }
}

/// What MCE is to be below (remark to Definition 5): relaxed to 0.15 when a domain has become unknown, and tightened in
/// a straight line to 0.10 over the 200 cycles after.
pub fn target(cycles_since_unknown: Option<u64>) -> f64 {
    let since = cycles_since_unknown.unwrap_or(ADAPTING_CYCLES).min(ADAPTING_CYCLES);
    let left = (ADAPTING_CYCLES - since) as f64 / ADAPTING_CYCLES as f64;
    TARGET + (ADAPTING_TARGET - TARGET) * left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(confidence: f64, success_rate: f64) -> (f64, Correction) {
        let calibrated = correct(confidence, success_rate);
        ((calibrated.confidence * 1e6).round() / 1e6, calibrated.correction)
    }

    #[test]
    fn overconfidence_loses_five_hundredths() {
        // Adversarial negotiation of section 4.1: 0.70 against 0.45.
        assert_eq!(after(0.70, 0.45), (0.65, Correction::Over));
        assert!((correct(0.70, 0.45).error - 0.25).abs() < 1e-12);
    }

    #[test]
    fn underconfidence_gains_three_hundredths() {
        assert_eq!(after(0.45, 0.70), (0.48, Correction::Under));
    }

    #[test]
    fn an_error_of_a_tenth_is_within_the_dead_band_on_both_sides() {
        // Abstract planning of section 4.1: 0.65 against 0.55; a tenth of the gap is 0.01.
        assert_eq!(after(0.65, 0.55), (0.64, Correction::Near));
        assert_eq!(
            after(0.80, 0.70),
            (0.79, Correction::Near),
            "0.8 - 0.7 is 0.1, whatever the bits say"
        );
        assert_eq!(after(0.651, 0.55), (0.601, Correction::Over));
        assert_eq!(after(0.55, 0.65), (0.56, Correction::Near));
        assert_eq!(after(0.549, 0.65), (0.579, Correction::Under));
    }

    #[test]
    fn a_perfect_skill_does_not_park_at_the_edge_of_the_dead_band() {
        // From 0.91 against 1.0: nine tenths of the gap remain after each pass.
        let mut confidence = 0.91;
        (0..22).for_each(|_| confidence = correct(confidence, 1.0).confidence);
        assert!((confidence - (1.0 - 0.09 * 0.9_f64.powi(22))).abs() < 1e-12);
        assert!(1.0 - confidence < 0.01);
    }

    #[test]
    fn overconfidence_of_a_quarter_is_within_the_band_after_three_passes() {
        // 0.70 against 0.45: 0.65, 0.60, 0.55, and then a tenth of 0.10.
        let mut confidence = 0.70;
        for expected in [0.65, 0.60, 0.55, 0.54] {
            confidence = correct(confidence, 0.45).confidence;
            assert!((confidence - expected).abs() < 1e-12, "{confidence} {expected}");
        }
    }

    #[test]
    fn what_is_not_a_number_counts_as_nothing() {
        assert_eq!(correct(f64::NAN, f64::NAN), correct(0.0, 0.0));
        assert_eq!(correct(f64::INFINITY, 0.5), correct(1.0, 0.5));
    }

    #[test]
    fn the_target_is_relaxed_while_the_agent_adapts() {
        let hundredths = |since| (target(since) * 1e4).round() / 1e4;
        assert_eq!(hundredths(None), 0.10);
        assert_eq!(
            [0, 100, 199, 200, 9_999].map(|cycles| hundredths(Some(cycles))),
            [0.15, 0.125, 0.1003, 0.10, 0.10]
        );
    }

    proptest! {
        #[test]
        fn confidence_stays_a_share_and_never_moves_away_from_the_success_rate(
            confidence in -1.0..2.0_f64, rate in -1.0..2.0_f64,
        ) {
            let (from, to) = (confidence.clamp(0.0, 1.0), rate.clamp(0.0, 1.0));
            let calibrated = correct(confidence, rate);
            prop_assert!((0.0..=1.0).contains(&calibrated.confidence));
            prop_assert!((calibrated.confidence - to).abs() <= (from - to).abs() + 1e-12);
        }
    }
}
