//! Spectral radius of a small dense real matrix: the largest modulus of its eigenvalues.
//!
//! Two answers, never mixed up: [`gershgorin_bound`] is a cheap upper bound, [`spectral_radius`] is the value. What may
//! stop at the bound says so by calling [`spectral_radius_or_bound`].
//!
//! How the value is found: balance (Parlett and Reinsch, powers of two, so nothing is rounded), then all eigenvalues by
//! a real Schur decomposition. Power iteration would be shorter and misses complex and opposite-sign pairs. Where two
//! eigenvalues lie so close that double precision cannot give [`RELATIVE_ACCURACY`], and where the QR iteration does
//! not converge (it stalls on cyclic permutations), the roots of the characteristic polynomial speak (`polynomial`).
//!
//! Invariants: 1. every loop is bounded. 2. A matrix with a NaN or an infinity is [`NotFinite`], never a number.
//! 3. No allocation.

mod double_double;
mod polynomial;
#[cfg(test)]
mod tests;

use nalgebra::allocator::Allocator;
use nalgebra::{Const, DefaultAllocator, DimDiff, DimSub, SMatrix, Schur, U1};
use thiserror::Error;

/// Below this the Gershgorin bound speaks for the spectral radius (no invariant is near).
pub const BOUND_IS_ENOUGH: f64 = 0.95;
/// Relative accuracy of [`spectral_radius`] unless a dominant Jordan block is larger than 3. A block of size n gives
/// about 1e-32^(1/n), times the root of the matrix's condition: 1e-6 for n = 5, 1e-4 for n = 8.
pub const RELATIVE_ACCURACY: f64 = 1e-9;

/// Sweeps of balancing; each but the last shrinks some row and column by at least 5 %.
const MAX_BALANCE_SWEEPS: usize = 100;
/// A scaling must shrink row plus column to this share to be worth it (Parlett and Reinsch).
const BALANCE_GAIN: f64 = 0.95;
/// Largest binary exponent of one scaling: its factor and the inverse are normal doubles.
const MAX_SCALING: i32 = 1000;
/// QR iterations per eigenvalue (the customary bound).
const QR_ITERATIONS_PER_EIGENVALUE: usize = 30;
/// Eigenvalues from this share of the largest modulus on may turn out to be the largest.
const DOMINANT_SHARE: f64 = 0.9;

/// The matrix has an entry that is NaN or infinite: there is no spectral radius to speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("found a matrix entry that is not finite at row {row}, column {column}, expected finite entries")]
pub struct NotFinite {
    /// Row, from 0.
    pub row: usize,
    /// Column, from 0.
    pub column: usize,
}

/// Upper bound on the spectral radius of the `N` x `N` matrix `a`: the outermost reach of the Gershgorin discs, by rows
/// or by columns, whichever is tighter. At least 0; may be infinite for entries near the largest double.
pub fn gershgorin_bound<const N: usize>(a: &SMatrix<f64, N, N>) -> Result<f64, NotFinite> {
    require_finite(a)?;
    let mut by_rows = 0.0_f64;
    let mut by_columns = 0.0_f64;
    for i in 0..N {
        by_rows = by_rows.max(a.row(i).iter().map(|x| x.abs()).sum());
        by_columns = by_columns.max(a.column(i).iter().map(|x| x.abs()).sum());
    }
    Ok(by_rows.min(by_columns))
}

/// Spectral radius of the `N` x `N` matrix `a` to [`RELATIVE_ACCURACY`]; meant for `N` up to 16.
pub fn spectral_radius<const N: usize>(a: &SMatrix<f64, N, N>) -> Result<f64, NotFinite>
where
    Const<N>: DimSub<U1>,
    DefaultAllocator: Allocator<Const<N>, DimDiff<Const<N>, U1>> + Allocator<DimDiff<Const<N>, U1>>,
{
    require_finite(a)?;
    let mut balanced = *a;
    balance(&mut balanced);
    let largest = balanced.amax();
    if largest == 0.0 {
        return Ok(0.0);
    }
    let exponent = binary_exponent(largest);
    let scaled = balanced.map(|x| scale_by_power(x, -exponent));
    let rho = match eigenvalues_by_schur(scaled) {
        Some(eigenvalues) if well_separated(&eigenvalues, scaled.norm()) => largest_modulus(&eigenvalues),
        _ => polynomial::largest_root_modulus(&polynomial::characteristic(&scaled)),
    };
    Ok(scale_by_power(rho, exponent))
}

/// The [`gershgorin_bound`] if it is below [`BOUND_IS_ENOUGH`], else the [`spectral_radius`]: right wherever only
/// values from there on matter, and never too low.
pub fn spectral_radius_or_bound<const N: usize>(a: &SMatrix<f64, N, N>) -> Result<f64, NotFinite>
where
    Const<N>: DimSub<U1>,
    DefaultAllocator: Allocator<Const<N>, DimDiff<Const<N>, U1>> + Allocator<DimDiff<Const<N>, U1>>,
{
    let bound = gershgorin_bound(a)?;
    if bound < BOUND_IS_ENOUGH {
        Ok(bound)
    } else {
        spectral_radius(a)
    }
}

fn require_finite<const N: usize>(a: &SMatrix<f64, N, N>) -> Result<(), NotFinite> {
    for row in 0..N {
        for column in 0..N {
            if !a[(row, column)].is_finite() {
                return Err(NotFinite { row, column });
            }
        }
    }
    Ok(())
}

/// Largest e with 2^e <= `x`, for normal and subnormal `x` > 0.
fn binary_exponent(x: f64) -> i32 {
    const MANTISSA_BITS: u32 = 52;
    const BIAS: i32 = 1023;
    let biased = (x.to_bits() >> MANTISSA_BITS) as i32;
    if biased == 0 {
        binary_exponent(x * 2.0_f64.powi(64)) - 64
    } else {
        biased - BIAS
    }
}

/// `x` * 2^`exponent`, in two steps because 2^1074 is not a double.
fn scale_by_power(x: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    x * 2.0_f64.powi(half) * 2.0_f64.powi(exponent - half)
}

/// Scales rows and columns by inverse powers of two until they are of like size, and cuts off the index whose row or
/// column couples to nothing else: its diagonal entry is an eigenvalue by itself. The eigenvalues stay the same.
fn balance<const N: usize>(a: &mut SMatrix<f64, N, N>) {
    for _ in 0..MAX_BALANCE_SWEEPS {
        let mut settled = true;
        for i in 0..N {
            let (row, column) = off_diagonal_sums(a, i);
            if row == 0.0 && column == 0.0 {
                continue;
            }
            if row == 0.0 || column == 0.0 {
                let own = a[(i, i)];
                a.row_mut(i).fill(0.0);
                a.column_mut(i).fill(0.0);
                a[(i, i)] = own;
                settled = false;
                continue;
            }
            // The power of two nearest to sqrt(row / column) makes both alike.
            let exponent = ((binary_exponent(row) - binary_exponent(column)) / 2).clamp(-MAX_SCALING, MAX_SCALING);
            let factor = 2.0_f64.powi(exponent);
            if column * factor + row / factor < BALANCE_GAIN * (column + row) {
                settled = false;
                a.column_mut(i).scale_mut(factor);
                a.row_mut(i).scale_mut(factor.recip());
            }
        }
        if settled {
            return;
        }
    }
}

fn off_diagonal_sums<const N: usize>(a: &SMatrix<f64, N, N>, i: usize) -> (f64, f64) {
    let others = |k: &usize| *k != i;
    let row = (0..N).filter(others).map(|k| a[(i, k)].abs()).sum();
    let column = (0..N).filter(others).map(|k| a[(k, i)].abs()).sum();
    (row, column)
}

/// Real and imaginary parts of all eigenvalues; `None` if the QR iteration does not converge.
fn eigenvalues_by_schur<const N: usize>(a: SMatrix<f64, N, N>) -> Option<[(f64, f64); N]>
where
    Const<N>: DimSub<U1>,
    DefaultAllocator: Allocator<Const<N>, DimDiff<Const<N>, U1>> + Allocator<DimDiff<Const<N>, U1>>,
{
    let (_, t): (_, SMatrix<f64, N, N>) =
        Schur::<f64, Const<N>>::try_new(a, f64::EPSILON, QR_ITERATIONS_PER_EIGENVALUE * N.max(1))?.unpack();
    let mut eigenvalues = [(0.0, 0.0); N];
    let mut i = 0;
    while i < N {
        if i + 1 < N && t[(i + 1, i)] != 0.0 {
            let pair = eigenvalues_2x2(t[(i, i)], t[(i, i + 1)], t[(i + 1, i)], t[(i + 1, i + 1)]);
            eigenvalues[i..i + 2].copy_from_slice(&pair);
            i += 2;
        } else {
            eigenvalues[i] = (t[(i, i)], 0.0);
            i += 1;
        }
    }
    eigenvalues
        .iter()
        .all(|(re, im)| re.is_finite() && im.is_finite())
        .then_some(eigenvalues)
}

/// Eigenvalues of [[a, b], [c, d]].
fn eigenvalues_2x2(a: f64, b: f64, c: f64, d: f64) -> [(f64, f64); 2] {
    let centre = 0.5 * (a + d);
    let half_gap = 0.5 * (a - d);
    let discriminant = half_gap * half_gap + b * c;
    if discriminant < 0.0 {
        let imaginary = (-discriminant).sqrt();
        [(centre, imaginary), (centre, -imaginary)]
    } else {
        let root = discriminant.sqrt();
        [(centre + root, 0.0), (centre - root, 0.0)]
    }
}

fn largest_modulus(eigenvalues: &[(f64, f64)]) -> f64 {
    eigenvalues.iter().map(|(re, im)| re.hypot(*im)).fold(0.0, f64::max)
}

/// Whether double precision gives the largest modulus to [`RELATIVE_ACCURACY`]. An eigenvalue at distance g from its
/// nearest neighbour moves by at most about ε ‖A‖ (‖A‖/g)^(n-1) under a perturbation of ε ‖A‖ (Golub and Van Loan,
/// Matrix Computations, 7.2).
fn well_separated(eigenvalues: &[(f64, f64)], norm: f64) -> bool {
    let rho = largest_modulus(eigenvalues);
    let order = eigenvalues.len() as i32;
    eigenvalues
        .iter()
        .enumerate()
        .filter(|(_, (re, im))| re.hypot(*im) >= DOMINANT_SHARE * rho)
        .all(|(i, own)| {
            let others = eigenvalues.iter().enumerate().filter(|(j, _)| *j != i);
            let gap = others
                .map(|(_, o)| (own.0 - o.0).hypot(own.1 - o.1))
                .fold(norm, f64::min);
            let error = f64::EPSILON * norm * (norm / gap).powi(order - 1);
            error <= 0.1 * RELATIVE_ACCURACY * rho
        })
}
