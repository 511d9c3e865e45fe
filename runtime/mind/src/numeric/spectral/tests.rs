//! References: where a matrix is P J P⁻¹ with the unimodular integer P below and dyadic J, its entries are exact in
//! doubles and ρ is read off J. The other constants are the largest |eigenvalue| of the matrix of doubles as written,
//! by mpmath 1.4 `eig` with 120 digits, rounded to 40.

use super::double_double::DoubleDouble;
use super::*;

type M5 = SMatrix<f64, 5, 5>;

/// Unimodular, condition number about 100.
#[rustfmt::skip]
const P: [f64; 25] = [
    1., 1., 0., -1., 0.,
    1., 2., 1., -1., 1.,
    0., -1., 0., -1., -1.,
    1., 1., 1., -1., 1.,
    0., 1., 1., -1., 1.,
];
#[rustfmt::skip]
const P_INVERSE: [f64; 25] = [
    0., 0., 0., 1., -1.,
    0., 1., 0., -1., 0.,
    -2., 2., 1., 0., -1.,
    -1., 1., 0., 0., -1.,
    1., -2., -1., 1., 1.,
];

fn matrix(rows: [[f64; 5]; 5]) -> M5 {
    M5::from_fn(|i, j| rows[i][j])
}

/// P `j` P⁻¹: the same eigenvalues in a basis that shows none of them.
fn similar_to(j: [[f64; 5]; 5]) -> M5 {
    let (p, p_inverse) = (M5::from_row_slice(&P), M5::from_row_slice(&P_INVERSE));
    assert_eq!(p * p_inverse, M5::identity());
    p * matrix(j) * p_inverse
}

#[track_caller]
fn check(a: M5, expected: f64, relative: f64) {
    let rho = spectral_radius(&a).unwrap();
    assert!(
        (rho - expected).abs() <= relative * expected,
        "found {rho:e}, expected {expected:e}"
    );
    assert!(
        gershgorin_bound(&a).unwrap() >= expected * (1.0 - relative),
        "the bound is below the radius"
    );
}

#[test]
fn a_random_matrix_matches_the_reference() {
    let a = matrix([
        [-0.352, -0.698, 0.302, -0.855, 0.072],
        [-0.269, -0.884, 0.015, -0.925, -0.133],
        [-0.86, -0.819, -0.151, 0.654, -0.752],
        [-0.554, 0.255, 0.895, 0.154, -0.207],
        [0.953, -0.907, 0.717, -0.421, -0.711],
    ]);
    check(a, 1.432_488_433_738_493_4, 1e-12);
}

#[test]
fn a_matrix_of_order_sixteen_matches_the_reference() {
    let a = SMatrix::<f64, 16, 16>::from_fn(|i, j| (((i * 7 + j * 13 + (i * j) % 5) % 11) as f64 - 5.0) / 8.0);
    let rho = spectral_radius(&a).unwrap();
    assert!((rho / 1.577_763_229_026_870_2 - 1.0).abs() < 1e-12, "found {rho}");
}

#[test]
fn badly_scaled_rows_and_columns_are_balanced_first() {
    let a = matrix([
        [0.672, -0.000535, -1150.0, 3.6e-07, -48.699999999999996],
        [-15.0, -0.645, 2360000.0, 0.00037, 10200.0],
        [
            5.2600000000000005e-05,
            -2.6100000000000002e-08,
            0.273,
            1.32e-11,
            0.0011200000000000001,
        ],
        [-61000.0, 476.0, 6230000000.0, -0.036, 23000000.0],
        [-0.00615, 2.8199999999999997e-06, 20.599999999999998, 6.9e-09, 0.451],
    ]);
    check(a, 0.969_563_283_957_115, 1e-12);
}

#[test]
fn a_non_normal_band_matrix_matches_the_reference() {
    let a = matrix([
        [0.9, 1.0, 1.0, 1.0, 0.0],
        [-0.9, 0.9, 1.0, 1.0, 1.0],
        [0.0, -0.9, 0.9, 1.0, 1.0],
        [0.0, 0.0, -0.9, 0.9, 1.0],
        [0.0, 0.0, 0.0, -0.9, 0.9],
    ]);
    check(a, 1.788_747_096_443_305_8, 1e-12);
}

#[test]
fn a_companion_matrix_matches_the_reference() {
    let a = matrix([
        [0.5, -0.25, 0.125, 0.3, -0.6],
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0],
    ]);
    check(a, 0.955_715_056_297_652_5, 1e-12);
}

#[test]
fn two_nearly_equal_eigenvalues_are_told_apart() {
    let a = matrix([
        [0.97, 1.0, 0.0, 0.0, 0.0],
        [1e-07, 0.97, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.5, 0.2, 0.0],
        [0.0, 0.0, -0.2, 0.5, 0.0],
        [0.1, 0.0, 0.0, 0.0, 0.3],
    ]);
    check(a, 0.970_316_227_766_016_8, 1e-12);
}

#[test]
fn a_dominant_pair_of_opposite_signs_is_seen() {
    let a = similar_to([
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, -1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.5, 0.0, 0.0],
        [0.0, 0.0, 0.0, -0.5, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.25],
    ]);
    check(a, 1.0, 1e-12);
}

#[test]
fn a_dominant_complex_pair_is_seen() {
    let a = similar_to([
        [0.625, -0.875, 0.0, 0.0, 0.0],
        [0.875, 0.625, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, -0.5, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.25],
    ]);
    check(a, (0.625_f64 * 0.625 + 0.875 * 0.875).sqrt(), 1e-12);
}

#[test]
fn a_jordan_block_of_two_keeps_nine_digits() {
    let a = similar_to([
        [0.96875, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.96875, 0.0, 0.0, 0.0],
        [0.0, 0.0, -0.5, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.5, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.25],
    ]);
    check(a, 0.96875, RELATIVE_ACCURACY);
}

#[test]
fn a_jordan_block_of_three_keeps_nine_digits() {
    let a = similar_to([
        [0.96875, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.96875, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.96875, 0.0, 0.0],
        [0.0, 0.0, 0.0, -0.5, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.25],
    ]);
    check(a, 0.96875, RELATIVE_ACCURACY);
}

#[test]
fn a_defective_complex_pair_keeps_nine_digits() {
    let a = similar_to([
        [0.75, -0.5, 1.0, 0.0, 0.0],
        [0.5, 0.75, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.75, -0.5, 0.0],
        [0.0, 0.0, 0.5, 0.75, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.25],
    ]);
    check(a, 0.8125_f64.sqrt(), RELATIVE_ACCURACY);
}

#[test]
fn a_fully_defective_matrix_keeps_four_digits() {
    // Not dyadic on purpose: the first product already rounds.
    let a = similar_to([
        [0.96875, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.96875, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.96875, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.96875, 1.0],
        [0.0, 0.0, 0.0, 0.0, 0.96875],
    ]);
    check(a, 0.96875, 1e-4);
}

#[test]
fn a_nilpotent_matrix_has_radius_zero() {
    let shift = similar_to([
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
    ]);
    assert_eq!(spectral_radius(&shift).unwrap(), 0.0);
    assert_eq!(spectral_radius(&M5::zeros()).unwrap(), 0.0);
}

#[test]
fn a_cyclic_permutation_on_which_qr_stalls_has_radius_one() {
    let a = M5::from_fn(|i, j| f64::from((i + 1) % 5 == j));
    check(a, 1.0, 1e-12);
    check(a * -0.5, 0.5, 1e-12);
}

#[test]
fn a_reducible_matrix_ignores_what_couples_its_blocks() {
    let mut a = M5::from_diagonal_element(0.5);
    a[(0, 0)] = -0.75;
    a[(0, 4)] = 1e200;
    a[(1, 4)] = -1e200;
    check(a, 0.75, 1e-12);
}

#[test]
fn the_radius_scales_with_the_matrix_over_the_range_of_doubles() {
    let a = similar_to([
        [0.625, -0.875, 0.0, 0.0, 0.0],
        [0.875, 0.625, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, -0.5, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.25],
    ]);
    let rho = spectral_radius(&a).unwrap();
    for exponent in [-1000, -300, 300, 1000] {
        let factor = 2.0_f64.powi(exponent);
        assert_eq!(spectral_radius(&(a * factor)).unwrap(), rho * factor);
    }
    let tiny = M5::from_diagonal_element(5e-324);
    assert_eq!(spectral_radius(&tiny).unwrap(), 5e-324);
}

#[test]
fn polynomial_and_schur_agree_where_eigenvalues_are_apart() {
    let a = matrix([
        [-0.459, -0.23, 0.379, -0.383, 0.098],
        [0.167, -0.153, 0.057, -0.525, -0.528],
        [-0.353, 0.216, -0.087, -0.223, 0.103],
        [-0.056, -0.24, 0.353, 0.239, -0.307],
        [0.089, 0.03, 0.45, 0.275, -0.254],
    ]);
    let by_schur = largest_modulus(&eigenvalues_by_schur(a).unwrap());
    let by_polynomial = polynomial::largest_root_modulus(&polynomial::characteristic(&a));
    assert!(
        (by_schur / 0.743_071_839_567_607_6 - 1.0).abs() < 1e-13,
        "found {by_schur}"
    );
    assert!(
        (by_polynomial / 0.743_071_839_567_607_6 - 1.0).abs() < 1e-12,
        "found {by_polynomial}"
    );
}

#[test]
fn the_bound_is_the_smaller_of_row_and_column_sums() {
    let mut a = M5::zeros();
    a[(0, 0)] = 0.5;
    a[(0, 1)] = -0.25;
    a[(0, 2)] = 0.25;
    assert_eq!(gershgorin_bound(&a).unwrap(), 0.5); // rows give 1.0, columns 0.5
    assert_eq!(gershgorin_bound(&a.transpose()).unwrap(), 0.5);
}

#[test]
fn the_shortcut_stops_at_a_bound_below_the_limit_only() {
    let mut a = M5::from_diagonal_element(0.5);
    a[(0, 1)] = 0.25;
    a[(1, 2)] = 0.25;
    assert_eq!(spectral_radius_or_bound(&a).unwrap(), 0.75);
    a[(0, 1)] = 0.5;
    a[(1, 2)] = 0.5;
    let rho = spectral_radius_or_bound(&a).unwrap();
    assert!((rho - 0.5).abs() < 1e-9, "found {rho}");
}

#[test]
fn an_entry_that_is_not_finite_is_refused() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut a = M5::identity();
        a[(3, 1)] = bad;
        let expected = NotFinite { row: 3, column: 1 };
        assert_eq!(spectral_radius(&a), Err(expected));
        assert_eq!(gershgorin_bound(&a), Err(expected));
        assert_eq!(spectral_radius_or_bound(&a), Err(expected));
    }
}

#[test]
fn double_double_products_are_exact_to_106_bits() {
    let x = DoubleDouble::from(1.0 + f64::EPSILON);
    let square = x * x; // 1 + 2ε + ε²
    let rest = square + DoubleDouble::from(-1.0 - 2.0 * f64::EPSILON);
    assert_eq!(rest.high(), f64::EPSILON * f64::EPSILON);
}

#[test]
fn a_bound_of_0_94_is_handed_on_and_beyond_0_95_the_radius_itself() {
    // Nilpotent: its radius is 0, its bound the entry.
    let radius = |entry: f64| spectral_radius_or_bound(&SMatrix::<f64, 2, 2>::new(0.0, entry, 0.0, 0.0)).unwrap();
    assert!((radius(0.94) - 0.94).abs() < 1e-12);
    assert!(radius(0.96) < 1e-6);
}
