//! Largest root modulus of a characteristic polynomial, in double-double arithmetic.
//!
//! Slower than a Schur decomposition and blunter (it gives the modulus and nothing else), but it cannot fail to
//! converge, and 106 bits leave 1e-32^(1/n) where n eigenvalues coincide.

use super::double_double::DoubleDouble;
use super::{binary_exponent, scale_by_power};
use nalgebra::SMatrix;

/// Root squarings: the bound of Fujiwara, wrong by at most a factor 2 n, is then right to ln(2 n) / 2^46 < 1e-13.
const ROOT_SQUARINGS: usize = 46;

/// The coefficients c_1 .. c_n of det(x - A) = x^n + c_1 x^(n-1) + ... + c_n, by Faddeev and LeVerrier:
/// M_1 = A, c_k = -tr(M_k) / k, M_(k+1) = A (M_k + c_k).
pub(super) fn characteristic<const N: usize>(a: &SMatrix<f64, N, N>) -> [DoubleDouble; N] {
    let a = a.map(DoubleDouble::from);
    let mut coefficients = [DoubleDouble::ZERO; N];
    let mut m = a;
    for (k, coefficient) in coefficients.iter_mut().enumerate() {
        let trace = (0..N).fold(DoubleDouble::ZERO, |sum, i| sum + m[(i, i)]);
        *coefficient = trace.divided_by(-((k + 1) as f64));
        for i in 0..N {
            m[(i, i)] = m[(i, i)] + *coefficient;
        }
        m = SMatrix::from_fn(|i, j| (0..N).fold(DoubleDouble::ZERO, |sum, l| sum + a[(i, l)] * m[(l, j)]));
    }
    coefficients
}

/// Largest root modulus of x^N + c_1 x^(N-1) + ... + c_N, by the method of Dandelin and Graeffe: each step squares all
/// roots, and the variable is rescaled by a power of two so that the largest root stays near 1.
pub(super) fn largest_root_modulus<const N: usize>(coefficients: &[DoubleDouble; N]) -> f64 {
    let mut c = *coefficients;
    let mut log2_modulus = 0.0;
    let mut root = 1.0; // 1 / 2^s after s squarings
    for _ in 0..ROOT_SQUARINGS {
        let Some(reach) = log2_reach(&c) else { return 0.0 };
        let exponent = reach.floor() as i32;
        for (k, coefficient) in c.iter_mut().enumerate() {
            *coefficient = coefficient.map(|x| scale_by_power(x, -exponent * (k as i32 + 1)));
        }
        log2_modulus += f64::from(exponent) * root;
        c = with_squared_roots(&c);
        root *= 0.5;
    }
    log2_reach(&c).map_or(0.0, |reach| (log2_modulus + reach * root).exp2())
}

/// log2 of max |c_k|^(1/k): between ρ / 2 (Fujiwara) and n ρ (Vieta). `None` if all coefficients are 0, hence ρ = 0.
fn log2_reach(c: &[DoubleDouble]) -> Option<f64> {
    let logs = c.iter().enumerate().filter(|(_, x)| x.high() != 0.0).map(|(k, x)| {
        let high = x.high().abs();
        let exponent = binary_exponent(high);
        (f64::from(exponent) + scale_by_power(high, -exponent).log2()) / (k + 1) as f64
    });
    logs.reduce(f64::max)
}

/// q with q(x²) = ± p(x) p(-x).
fn with_squared_roots<const N: usize>(c: &[DoubleDouble; N]) -> [DoubleDouble; N] {
    let coefficient = |k: usize| if k == 0 { DoubleDouble::from(1.0) } else { c[k - 1] };
    std::array::from_fn(|i| {
        let k = i + 1;
        let pairs = (1..=k.min(N - k)).fold(DoubleDouble::ZERO, |sum, j| {
            let sign = if (k - j).is_multiple_of(2) { 2.0 } else { -2.0 };
            sum + (coefficient(k - j) * coefficient(k + j)).map(|x| x * sign)
        });
        let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        pairs + (c[i] * c[i]).map(|x| x * sign)
    })
}
