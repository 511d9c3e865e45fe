//! Identity integrity (IIS): how far the identity has departed from what it was when it had settled.
//!
//! Invariant: once the reference is set, nothing but an operator's reset changes it.

use crate::numeric::history::History;
use serde::{Deserialize, Serialize};

/// Components of the identity vector.
const COMPONENTS: usize = 5;
/// The place of capability confidence in it.
const CAPABILITY: usize = 2;
/// Converged cycles that the reference is the mean of.
pub const REFERENCE_CYCLES: usize = 200;
/// The cycle before which the reference is not taken.
pub const REFERENCE_FROM_CYCLE: u64 = 500;
/// Departure of capability confidence that counts at most: confidence is meant to follow evidence.
pub const CAPABILITY_DEPARTURE: f64 = 0.10;

/// IIS of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Integrity {
    /// The identity of the last converged cycles; gone once the reference is taken.
    settling: Option<History<[f64; COMPONENTS]>>,
    reference: [f64; COMPONENTS],
}

impl Default for Integrity {
    fn default() -> Self {
        Self {
            settling: Some(History::new(REFERENCE_CYCLES)),
            reference: [0.0; COMPONENTS],
        }
    }
}

impl Integrity {
    /// Takes in one cycle and gives 1 - |I - I_ref| / |I_ref|, clamped to [0, 1]; `None` while there is no reference.
    ///
    /// I_ref is the mean of I over the first 200 converged cycles that end at cycle 500 or later; cycles that have not
    /// converged are passed over. A component that is not a number has departed as far as it can.
    pub fn update(&mut self, cycle: u64, identity: &[f64; COMPONENTS], converged: bool) -> Option<f64> {
        if let Some(settling) = &mut self.settling {
            if converged && identity.iter().all(|v| (0.0..=1.0).contains(v)) {
                settling.push(*identity);
            }
            if cycle < REFERENCE_FROM_CYCLE || !settling.is_full() {
                return None;
            }
            let count = settling.len() as f64;
            self.reference = std::array::from_fn(|c| settling.iter().map(|i| i[c]).sum::<f64>() / count);
            self.settling = None;
        }
        Some(self.departure_from(identity))
    }

    /// The reference; `None` while warming up.
    pub fn reference(&self) -> Option<[f64; COMPONENTS]> {
        self.settling.is_none().then_some(self.reference)
    }

    /// Forgets the reference: an operator says that the agent is to be someone else from now on.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    fn departure_from(&self, identity: &[f64; COMPONENTS]) -> f64 {
        let (mut departed, mut length) = (0.0, 0.0);
        for (c, (own, reference)) in identity.iter().zip(&self.reference).enumerate() {
            let mut difference = if own.is_nan() {
                1.0
            } else {
                (own - reference).clamp(-1.0, 1.0)
            };
            if c == CAPABILITY {
                difference = difference.clamp(-CAPABILITY_DEPARTURE, CAPABILITY_DEPARTURE);
            }
            departed += difference * difference;
            length += reference * reference;
        }
        if length > 0.0 {
            (1.0 - (departed / length).sqrt()).clamp(0.0, 1.0)
        } else if departed > 0.0 {
            0.0
        } else {
            1.0
        }
    }

    /// Every number is one that the module could have reached by itself.
    pub(super) fn is_valid(&self) -> bool {
        let share = |v: &f64| (0.0..=1.0).contains(v);
        let settling = self.settling.as_ref();
        self.reference.iter().all(share)
            && settling.is_none_or(|s| s.capacity() == REFERENCE_CYCLES && s.iter().all(|i| i.iter().all(share)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of squared length 4.5625; the values are exact in binary.
    const CALM: [f64; COMPONENTS] = [1.0, 1.0, 0.75, 1.0, 1.0];

    fn settled() -> Integrity {
        let mut integrity = Integrity::default();
        (1..=500).for_each(|cycle| {
            integrity.update(cycle, &CALM, true);
        });
        integrity
    }

    #[test]
    fn it_warms_up_until_two_hundred_converged_cycles_end_at_five_hundred() {
        let mut integrity = Integrity::default();
        assert!((1..=499).all(|cycle| integrity.update(cycle, &CALM, true).is_none()));
        assert_eq!(integrity.update(500, &CALM, true), Some(1.0));
        let mut late = Integrity::default();
        assert!((1..=400).all(|cycle| late.update(cycle, &CALM, false).is_none()));
        assert!((401..=599).all(|cycle| late.update(cycle, &CALM, true).is_none()));
        assert_eq!(late.update(600, &CALM, true), Some(1.0));
    }

    #[test]
    fn cycles_that_have_not_converged_are_passed_over() {
        let mut integrity = Integrity::default();
        for cycle in 1..500 {
            let (identity, converged) = if cycle % 2 == 0 {
                (CALM, true)
            } else {
                ([0.0; COMPONENTS], false)
            };
            integrity.update(cycle, &identity, converged);
        }
        assert_eq!(integrity.update(500, &CALM, true), Some(1.0));
        assert_eq!(integrity.reference(), Some(CALM));
    }

    #[test]
    fn departure_is_relative_to_the_length_of_the_reference() {
        let mut integrity = settled();
        // |I_ref| = sqrt(4 + 0.5625); value alignment falls by 0.3.
        let iis = integrity
            .update(501, &[1.0, 0.7, 0.75, 1.0, 1.0], true)
            .expect("settled");
        assert!((iis - (1.0 - 0.3 / 4.5625_f64.sqrt())).abs() < 1e-12);
    }

    #[test]
    fn capability_confidence_counts_up_to_a_tenth_either_way() {
        let mut integrity = settled();
        let mut iis = |confidence| {
            integrity
                .update(501, &[1.0, 1.0, confidence, 1.0, 1.0], true)
                .expect("settled")
        };
        let tenth = 1.0 - 0.1 / 4.5625_f64.sqrt();
        assert!((iis(0.7) - (1.0 - 0.05 / 4.5625_f64.sqrt())).abs() < 1e-12);
        assert!((iis(0.0) - tenth).abs() < 1e-12 && (iis(1.0) - tenth).abs() < 1e-12);
    }

    #[test]
    fn only_a_reset_changes_the_reference() {
        let mut integrity = settled();
        (501..5000).for_each(|cycle| {
            integrity.update(cycle, &[0.5; COMPONENTS], true);
        });
        assert_eq!(integrity.reference(), Some(CALM));
        integrity.reset();
        assert_eq!(integrity.update(5000, &[0.5; COMPONENTS], true), None);
        assert_eq!(
            (5001..=5199)
                .filter_map(|cycle| integrity.update(cycle, &[0.5; COMPONENTS], true))
                .count(),
            1
        );
        assert_eq!(integrity.reference(), Some([0.5; COMPONENTS]));
    }

    proptest! {
        #[test]
        fn iis_is_a_share_whatever_comes(identities in prop::collection::vec(prop::array::uniform5(any::<f64>()), 1..40)) {
            let mut integrity = settled();
            let mut fresh = Integrity::default();
            for identity in identities {
                let iis = integrity.update(501, &identity, true).expect("settled");
                prop_assert!((0.0..=1.0).contains(&iis));
                fresh.update(600, &identity, true);
                prop_assert!(fresh.is_valid());
            }
        }
    }
}
