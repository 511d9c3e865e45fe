//! Ridge least squares for the Jacobian of X in a window of levels.

use super::{COMPONENTS, MIN_TRANSITIONS, RIDGE};
use nalgebra::{SMatrix, SVector};
use std::collections::VecDeque;
use std::ops::Range;

/// The Jacobian, rows = what is moved, columns = what moves it.
pub type Jacobian = SMatrix<f64, COMPONENTS, COMPONENTS>;
type Level = SVector<f64, COMPONENTS>;

/// Squared movement of X within a window that is rounding, not movement.
const NO_MOVEMENT: f64 = 1e-12;

/// What a window of transitions says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    pub(super) jacobian: Jacobian,
    /// 1 - residual / movement of the component whose movement is explained most, in (-inf, 1]: movement is the sum of
    /// squared changes about their mean, so that a steady drift counts as none.
    pub(super) explained: f64,
}

/// Least squares x(t+1) = c + J x(t) over the transitions from `levels[t]` to `levels[t + 1]`, t in `transitions`, with
/// [`RIDGE`] on J and none on c. A component has no row of J (zeros) with fewer than [`MIN_TRANSITIONS`] outcomes that
/// are not cut off at 0 or 1.
pub(super) fn fit(levels: &VecDeque<[f64; COMPONENTS]>, transitions: Range<usize>) -> Fit {
    let mut jacobian = Jacobian::zeros();
    let mut most = NO_MOVEMENT;
    let mut explained = 0.0;
    for c in 0..COMPONENTS {
        let outcomes = transitions
            .clone()
            .filter(|t| levels[t + 1][c] != 0.0 && levels[t + 1][c] != 1.0);
        let Some(row) = Row::fit(levels, c, outcomes) else {
            continue;
        };
        jacobian.set_row(c, &row.coefficients.transpose());
        if row.movement - row.residual > most {
            most = row.movement - row.residual;
            explained = most / row.movement;
        }
    }
    Fit { jacobian, explained }
}

/// One row of the regression.
struct Row {
    coefficients: Level,
    /// Sum of squared residuals.
    residual: f64,
    /// Sum of squared changes about their mean.
    movement: f64,
}

impl Row {
    fn fit(
        levels: &VecDeque<[f64; COMPONENTS]>,
        c: usize,
        outcomes: impl Iterator<Item = usize> + Clone,
    ) -> Option<Self> {
        let count = outcomes.clone().count();
        if count < MIN_TRANSITIONS {
            return None;
        }
        let pairs = outcomes.map(|t| (Level::from(levels[t]), levels[t + 1][c]));
        let share = 1.0 / count as f64;
        let (sum_x, sum_y) = pairs
            .clone()
            .fold((Level::zeros(), 0.0), |(x, y), pair| (x + pair.0, y + pair.1));
        let (mean_x, mean_y) = (sum_x * share, sum_y * share);

        let mut gram = Jacobian::from_diagonal_element(RIDGE);
        let mut moment = Level::zeros();
        for (x, y) in pairs.clone() {
            let x = x - mean_x;
            gram.ger(1.0, &x, &x, 1.0);
            moment.axpy(y - mean_y, &x, 1.0);
        }
        let coefficients = gram.cholesky()?.solve(&moment);

        let (mut residual, mut movement) = (0.0, 0.0);
        for (x, y) in pairs {
            let (x, y) = (x - mean_x, y - mean_y);
            residual += (y - coefficients.dot(&x)).powi(2);
            movement += (y - x[c]).powi(2);
        }
        Some(Self {
            coefficients,
            residual,
            movement,
        })
    }
}
