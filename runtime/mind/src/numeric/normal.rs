//! The standard normal distribution: density, distribution function and quantile.

use std::f64::consts::{PI, SQRT_2};

/// Mean of |z| for a standard normal z: sqrt(2 / pi).
pub const MEAN_ABSOLUTE: f64 = 0.797_884_560_802_865_4;

/// Natural logarithm of the density of a normal distribution at `x`; `variance` is positive.
pub fn ln_density(x: f64, mean: f64, variance: f64) -> f64 {
    let distance = x - mean;
    -0.5 * (distance * distance / variance + (2.0 * PI * variance).ln())
}

/// Share of a standard normal below `x`, to 2e-7; 0 and 1 at the infinities.
pub fn cdf(x: f64) -> f64 {
    0.5 * erfc(-x / SQRT_2)
}

/// Complementary error function, to 1.2e-7 relative (W. H. Press et al., *Numerical Recipes*, section 6.2: a Chebyshev
/// fit to the logarithm).
fn erfc(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let polynomial = COEFFICIENTS.iter().rev().fold(0.0, |sum, c| sum * t + c);
    let tail = t * (polynomial - x * x).exp();
    if x >= 0.0 { tail } else { 2.0 - tail }
}

/// The value below which a standard normal lies with probability `p` in (0, 1), to 1.2e-9 relative; the infinities at
/// and beyond the ends (P. J. Acklam's rational approximation).
pub fn quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] = [
        7.784695709041462e-3,
        3.224671290700398e-1,
        2.445134137142996,
        3.754408661907416,
        1.0,
    ];
    /// Below this (and above its complement) the tail formula holds.
    const TAIL: f64 = 0.02425;
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        polynomial(&C, q) / polynomial(&D, q)
    };
    if p <= 0.0 {
        f64::NEG_INFINITY
    } else if p >= 1.0 {
        f64::INFINITY
    } else if p < TAIL {
        tail(p)
    } else if p > 1.0 - TAIL {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        q * polynomial(&A, q * q) / polynomial(&B, q * q)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values of scipy.stats.norm, 16 digits.
    #[test]
    fn the_distribution_function_matches_tabulated_values() {
        let table = [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_543),
            (-1.0, 0.158_655_253_931_457),
            (1.959_963_984_540_054, 0.975),
            (-3.0, 0.001_349_898_031_630_095),
            (6.0, 0.999_999_999_013_412),
        ];
        for (x, expected) in table {
            assert!((cdf(x) - expected).abs() < 2e-7, "cdf({x}) = {}", cdf(x));
        }
        assert_eq!((cdf(f64::NEG_INFINITY), cdf(f64::INFINITY)), (0.0, 1.0));
    }

    #[test]
    fn the_quantile_matches_tabulated_values_and_inverts_the_distribution() {
        let table = [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.05, -1.644_853_626_951_472),
            (0.001, -3.090_232_306_167_814),
        ];
        for (p, expected) in table {
            assert!((quantile(p) - expected).abs() < 1e-8, "quantile({p}) = {}", quantile(p));
        }
        for step in 1..1_000 {
            let p = f64::from(step) / 1_000.0;
            assert!((cdf(quantile(p)) - p).abs() < 3e-7, "p = {p}");
        }
    }

    #[test]
    fn the_log_density_is_that_of_the_formula() {
        // N(1; 3, 4): -(1 - 3)^2 / 8 - ln(2 pi 4) / 2 = -0.5 - 1.612_085_713_764_618.
        assert!((ln_density(1.0, 3.0, 4.0) - -2.112_085_713_764_618).abs() < 1e-14);
    }

    #[test]
    fn the_mean_absolute_value_is_the_root_of_two_over_pi() {
        assert!((MEAN_ABSOLUTE * MEAN_ABSOLUTE * PI - 2.0).abs() < 1e-14);
    }
}
