//! Spectral radius, risk and quantiles against constants of reference libraries.
//!
//! Matrices are P J P⁻¹ with a unimodular integer P and dyadic J, so that their entries are exact and the radius is read
//! off J; the others are by mpmath 1.4 `eig` with 120 digits. Value at risk is `numpy.quantile(x, .05)`, the conditional
//! one the mean of what is not above it, by numpy 2.4; quantiles of the normal distribution are by mpmath with 50 digits.

use super::super::report::{Figure, Target};
use super::alone;
use anyhow::Context as _;
use nalgebra::SMatrix;
use rungs_mind::l48::plan::{Archetype, Outcome, Row, Strategy, comparator};
use rungs_mind::numeric::{normal, spectral};

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

/// A matrix and its spectral radius.
type Known = (M5, f64);

/// P `j` P⁻¹.
fn similar_to(diagonal: [f64; 5], above: [f64; 4], below: [f64; 4]) -> M5 {
    let mut j = M5::from_diagonal(&diagonal.into());
    for k in 0..4 {
        (j[(k, k + 1)], j[(k + 1, k)]) = (above[k], below[k]);
    }
    M5::from_row_slice(&P) * j * M5::from_row_slice(&P_INVERSE)
}

/// Distinct eigenvalues: real, complex and of opposite signs on top, a companion and a non-normal band.
#[rustfmt::skip]
fn distinct() -> Vec<Known> {
    let none = [0.0; 4];
    vec![
        (similar_to([1.0, -1.0, 0.5, -0.5, 0.25], none, none), 1.0),
        // sqrt(0.625² + 0.875²)
        (similar_to([0.625, 0.625, 1.0, -0.5, 0.25], [-0.875, 0., 0., 0.], [0.875, 0., 0., 0.]), 1.075_290_658_380_328),
        (M5::from_row_slice(&[
            -0.352, -0.698, 0.302, -0.855, 0.072,
            -0.269, -0.884, 0.015, -0.925, -0.133,
            -0.86, -0.819, -0.151, 0.654, -0.752,
            -0.554, 0.255, 0.895, 0.154, -0.207,
            0.953, -0.907, 0.717, -0.421, -0.711,
        ]), 1.432_488_433_738_493_4),
        (M5::from_row_slice(&[
            0.9, 1., 1., 1., 0.,
            -0.9, 0.9, 1., 1., 1.,
            0., -0.9, 0.9, 1., 1.,
            0., 0., -0.9, 0.9, 1.,
            0., 0., 0., -0.9, 0.9,
        ]), 1.788_747_096_443_305_8),
        (M5::from_row_slice(&[
            0.5, -0.25, 0.125, 0.3, -0.6,
            1., 0., 0., 0., 0.,
            0., 1., 0., 0., 0.,
            0., 0., 1., 0., 0.,
            0., 0., 0., 1., 0.,
        ]), 0.955_715_056_297_652_5),
    ]
}

/// Jordan blocks of two and three.
fn jordan() -> Vec<Known> {
    let none = [0.0; 4];
    vec![
        (
            similar_to([0.96875, 0.96875, -0.5, 0.5, 0.25], [1.0, 0.0, 0.0, 0.0], none),
            0.96875,
        ),
        (
            similar_to([0.96875, 0.96875, 0.96875, -0.5, 0.25], [1.0, 1.0, 0.0, 0.0], none),
            0.96875,
        ),
    ]
}

fn worst(known: &[Known]) -> anyhow::Result<f64> {
    let mut worst: f64 = 0.0;
    for (matrix, radius) in known {
        let found = spectral::spectral_radius(matrix)?;
        worst = worst.max((found - radius).abs() / radius.max(f64::MIN_POSITIVE));
    }
    Ok(worst)
}

/// Largest error of value at risk and of the conditional one.
fn risk() -> anyhow::Result<[f64; 2]> {
    let spread: Vec<f64> = (0..80)
        .map(|i: i64| ((i * i * 37 + 11 * i) % 1009 - 504) as f64 / 640.0)
        .collect();
    let cases = [
        (vec![0.31, -0.42, 0.17, -0.05, 0.08, 0.55, -0.13], -0.333, -0.42),
        (vec![-0.9, 0.2, 0.1, 0.4, 0.3], -0.7, -0.9),
        (spread, -0.702_109_375, -0.753_906_25),
    ];
    let mut worst = [0.0_f64; 2];
    for (impacts, value_at_risk, conditional) in cases {
        let outcome = |&seof_impact: &f64| Outcome {
            seof_impact,
            ..Outcome::default()
        };
        let row = Row {
            archetype: Archetype::Balanced,
            strategy: Strategy::BALANCED,
            outcomes: impacts.iter().map(outcome).collect(),
        };
        let found = comparator::compare(&[row], &vec![1.0; impacts.len()], &Strategy::BALANCED);
        let scored = found.selected().context("one candidate is always selected")?;
        worst[0] = worst[0].max((scored.value_at_risk - value_at_risk).abs());
        worst[1] = worst[1].max((scored.conditional_value_at_risk - conditional).abs());
    }
    Ok(worst)
}

/// Largest relative error of the normal distribution's quantile.
fn normal_quantile() -> f64 {
    let known = [
        (0.001, -3.090_232_306_167_813_5),
        (0.02, -2.053_748_910_631_823),
        (0.3, -0.524_400_512_708_040_8),
        (0.8, 0.841_621_233_572_914_2),
        (0.95, 1.644_853_626_951_473),
        (0.9999, 3.719_016_485_455_680_5),
    ];
    known
        .iter()
        .map(|(p, z)| (normal::quantile(*p) / z - 1.0).abs())
        .fold(0.0, f64::max)
}

pub(super) fn measure() -> anyhow::Result<Vec<Figure>> {
    let defective = [(similar_to([0.96875; 5], [1.0; 4], [0.0; 4]), 0.96875)];
    let nilpotent = spectral::spectral_radius(&similar_to([0.0; 5], [1.0; 4], [0.0; 4]))?;
    let [value_at_risk, conditional] = risk()?;
    let nine = Target::AtMost(1e-9);
    Ok(vec![
        alone(
            "M2",
            "spectral radius, distinct eigenvalues, worst of 5",
            worst(&distinct())?,
            "rel.",
            nine,
        ),
        alone(
            "M2",
            "spectral radius, Jordan blocks, worse of 2",
            worst(&jordan())?,
            "rel.",
            nine,
        ),
        alone(
            "M2",
            "spectral radius, fully defective",
            worst(&defective)?,
            "rel.",
            Target::AtMost(1e-4),
        ),
        alone("M2", "spectral radius, nilpotent", nilpotent, "", Target::AtMost(0.0)),
        alone("M3", "value at risk, worst of 3", value_at_risk, "abs.", nine),
        alone("M3", "conditional value at risk, worst of 3", conditional, "abs.", nine),
        // The approximation is good to 1.2e-9; where it is used, seven digits are more than the evidence has.
        alone(
            "M3",
            "quantile of the normal distribution, worst of 6",
            normal_quantile(),
            "rel.",
            Target::AtMost(2e-9),
        ),
    ])
}
