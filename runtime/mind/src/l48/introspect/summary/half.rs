//! Numbers in two bytes.

use crate::numeric::condense::narrow;
use serde::{Deserialize, Serialize};

/// The upper half of an `f32`: its range with eight bits of precision, 0.4 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::l48::introspect) struct Half([u8; 2]);

impl Half {
    /// The nearest to a value; NaN becomes 0.
    pub(in crate::l48::introspect) fn of(value: f64) -> Self {
        let rounded = narrow(value).to_bits() + 0x8000;
        Self(((rounded >> 16) as u16).to_le_bytes())
    }

    /// The value, which may be anything that an `f32` may be.
    pub(in crate::l48::introspect) fn get(self) -> f64 {
        f64::from(f32::from_bits(u32::from(u16::from_le_bytes(self.0)) << 16))
    }
}

/// A share of 1, to 8e-6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::l48::introspect) struct Share([u8; 2]);

impl Share {
    /// The nearest to a value, within 0 to 1.
    pub(in crate::l48::introspect) fn of(value: f64) -> Self {
        Self(((value.clamp(0.0, 1.0) * f64::from(u16::MAX)).round() as u16).to_le_bytes())
    }

    /// The value.
    pub(in crate::l48::introspect) fn get(self) -> f64 {
        f64::from(u16::from_le_bytes(self.0)) / f64::from(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_is_within_four_thousandths_over_its_whole_range() {
        for value in [1e-30, 3.0e-9, 0.123_456, 1.0, 255.7, 8.1e9, 1e30] {
            let half = Half::of(value).get();
            assert!((half / value - 1.0).abs() <= 0.004, "{value} {half}");
            assert_eq!(Half::of(-value).get(), -half);
        }
        assert_eq!([0.0, f64::NAN].map(|value| Half::of(value).get()), [0.0; 2]);
        assert!(Half::of(f64::INFINITY).get().is_finite());
    }

    #[test]
    fn a_share_is_within_a_hundred_thousandth() {
        for value in [0.0, 0.15, 0.5, 0.987_654, 1.0] {
            assert!((Share::of(value).get() - value).abs() <= 8e-6);
        }
        assert_eq!(
            [-1.0, 2.0, f64::NAN].map(|value| Share::of(value).get()),
            [0.0, 1.0, 0.0]
        );
    }
}
