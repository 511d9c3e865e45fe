//! An unevaluated sum of two doubles: 106 bits of mantissa, just the operations that a characteristic polynomial needs.
//!
//! Algorithms: Dekker (1971) and Knuth's two-sum, with the exact product by fused multiply-add.

use std::ops::{Add, Mul};

/// `high + low` with |low| at most half a unit in the last place of `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DoubleDouble {
    high: f64,
    low: f64,
}

impl DoubleDouble {
    pub(super) const ZERO: Self = Self { high: 0.0, low: 0.0 };

    /// The nearest double.
    pub(super) fn high(self) -> f64 {
        self.high
    }

    /// Applies `f` to both parts: right for what is exact and linear, as a product with a power of two.
    pub(super) fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            high: f(self.high),
            low: f(self.low),
        }
    }

    /// The quotient by a double other than 0.
    pub(super) fn divided_by(self, divisor: f64) -> Self {
        let quotient = self.high / divisor;
        let product = Self::from(quotient) * Self::from(-divisor);
        let rest = self + product;
        let (high, low) = quick_two_sum(quotient, rest.high / divisor);
        Self { high, low }
    }
}

impl From<f64> for DoubleDouble {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

impl Add for DoubleDouble {
    type Output = Self;

    /// Relative error at most 2^-104, also under cancellation.
    fn add(self, other: Self) -> Self {
        let (high, low) = two_sum(self.high, other.high);
        let (carry, rest) = two_sum(self.low, other.low);
        let (high, low) = quick_two_sum(high, low + carry);
        let (high, low) = quick_two_sum(high, low + rest);
        Self { high, low }
    }
}

impl Mul for DoubleDouble {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let product = self.high * other.high;
        let error = self.high.mul_add(other.high, -product);
        let (high, low) = quick_two_sum(product, error + (self.high * other.low + self.low * other.high));
        Self { high, low }
    }
}

/// `a + b` and its rounding error.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// As [`two_sum`], for |a| >= |b| or a = 0.
fn quick_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}
