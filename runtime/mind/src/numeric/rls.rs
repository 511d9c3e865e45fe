//! Recursive least squares with exponential forgetting.
//!
//! Minimises `sum over k of forgetting^(n-k) (y_k - theta . x_k)^2 + forgetting^n |theta|^2 / prior_variance`
//! (L. Ljung, *System Identification*, section 11.2). Shared by L3's prediction model and the autoregressive
//! forecasters above it.
//!
//! Invariants:
//! 1. Every stored number is finite: a sample that would break this is refused and changes nothing.
//! 2. The covariance is symmetric by construction (only the upper triangle is stored) and its diagonal stays in
//!    `(0, prior_variance]`: where forgetting would wind it up, only the direction that the sample informs is forgotten
//!    (R. Kulhavy, "Restricted exponential forgetting in real-time identification", Automatica 23, 1987).
//! 3. Nothing is allocated after construction.

use serde::{Deserialize, Serialize};

/// Most regressors.
pub const MAX_DIM: usize = 32;
/// Largest `x . P x` that is taken in; beyond it the regressors were not standardised and the gain has no precision.
pub const MAX_ENERGY: f64 = 1e12;
/// Largest coefficient; a fit beyond it says nothing about standardised data.
pub const MAX_THETA: f64 = 1e9;

/// The estimator. Its serde form is its whole state; a state that breaks an invariant is refused on reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RlsState", into = "RlsState")]
pub struct Rls {
    /// Coefficients, `dim` of them.
    theta: Vec<f64>,
    /// Upper triangle of the covariance P, row by row: `dim (dim + 1) / 2`.
    covariance: Vec<f64>,
    /// Weight of a sample one step older, in (0, 1].
    forgetting: f64,
    /// Prior variance of each coefficient, > 0.
    prior_variance: f64,
    /// How often the covariance lost definiteness to rounding and went back to the prior.
    resets: u32,
}

/// What [`Rls`] reads and writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RlsState {
    theta: Vec<f64>,
    covariance: Vec<f64>,
    forgetting: f64,
    prior_variance: f64,
    resets: u32,
}

/// Why a stored state is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RlsError {
    /// The number of coefficients is out of range.
    #[error("{found} coefficients; expected 1 to {MAX_DIM}")]
    Dimension {
        /// How many there are.
        found: usize,
    },
    /// The covariance has the wrong number of entries.
    #[error("{found} covariance entries; expected {expected}")]
    Shape {
        /// How many there are.
        found: usize,
        /// How many the coefficients call for.
        expected: usize,
    },
    /// A number is outside its range.
    #[error("{field} is {found}; expected {expected}")]
    Range {
        /// Which number.
        field: &'static str,
        /// Its value.
        found: f64,
        /// The range.
        expected: &'static str,
    },
}

impl Rls {
    /// An estimator with all coefficients 0 and covariance `prior_variance` times the identity.
    ///
    /// # Panics
    /// On a `dim` outside 1..=[`MAX_DIM`], a `forgetting` outside (0, 1] or a `prior_variance` that is not positive
    /// and finite: these are constants of the caller.
    pub fn new(dim: usize, forgetting: f64, prior_variance: f64) -> Self {
        let mut covariance = vec![0.0; triangle(dim)];
        set_diagonal(&mut covariance, dim, prior_variance);
        let state = RlsState {
            theta: vec![0.0; dim],
            covariance,
            forgetting,
            prior_variance,
            resets: 0,
        };
        match Self::try_from(state) {
            Ok(rls) => rls,
            Err(error) => panic!("constants of the caller: {error}"),
        }
    }

    /// Number of coefficients.
    pub fn dim(&self) -> usize {
        self.theta.len()
    }

    /// The coefficients.
    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// Sets the coefficients and leaves the covariance: a prior mean. Values that are not finite count as 0.
    ///
    /// # Panics
    /// If `theta` has another length than [`Rls::dim`].
    pub fn set_theta(&mut self, theta: &[f64]) {
        assert_eq!(theta.len(), self.dim(), "one value per coefficient");
        for (own, new) in self.theta.iter_mut().zip(theta) {
            *own = if new.is_finite() {
                new.clamp(-MAX_THETA, MAX_THETA)
            } else {
                0.0
            };
        }
    }

    /// How often the covariance went back to the prior because rounding had made it indefinite.
    pub fn resets(&self) -> u32 {
        self.resets
    }

    /// The fitted value at `x`; `None` if `x` has the wrong length or the value is not finite.
    pub fn predict(&self, x: &[f64]) -> Option<f64> {
        if x.len() != self.dim() {
            return None;
        }
        let value: f64 = self.theta.iter().zip(x).map(|(t, x)| t * x).sum();
        value.is_finite().then_some(value)
    }

    /// `x . P x`: how uncertain the fitted value at `x` is, in units of the noise variance, at least 0.
    /// `None` if `x` has the wrong length or the value is not finite.
    pub fn variance_at(&self, x: &[f64]) -> Option<f64> {
        if x.len() != self.dim() {
            return None;
        }
        let energy = dot(&self.project(x), x);
        energy.is_finite().then_some(energy.max(0.0))
    }

    /// Takes in one sample and gives the prediction error before it, `y - theta . x`; `None` if the sample is refused
    /// (wrong length, a number that is not finite, or beyond [`MAX_ENERGY`] or [`MAX_THETA`]), which changes nothing.
    pub fn update(&mut self, x: &[f64], y: f64) -> Option<f64> {
        let error = y - self.predict(x)?;
        if !error.is_finite() {
            return None;
        }
        let projected = self.project(x);
        let energy = self.energy(&projected, x)?;
        if energy <= 0.0 {
            return Some(error);
        }
        let gain = error / (self.forgetting + energy);
        let fits = |(t, p): (&f64, &f64)| (t + gain * p).abs() <= MAX_THETA;
        if !self.theta.iter().zip(&projected).all(fits) {
            return None;
        }
        for (theta, p) in self.theta.iter_mut().zip(&projected) {
            *theta += gain * p;
        }
        self.update_covariance(&projected, energy);
        Some(error)
    }

    /// Takes in where a sample was, and not what its value was: the covariance is as after [`Rls::update`], the
    /// coefficients stay. For coefficients that are known from elsewhere with the samples they were fitted to. A sample
    /// that would be refused changes nothing.
    pub fn inform(&mut self, x: &[f64]) {
        if x.len() != self.dim() {
            return;
        }
        let projected = self.project(x);
        if let Some(energy) = self.energy(&projected, x).filter(|energy| *energy > 0.0) {
            self.update_covariance(&projected, energy);
        }
    }

    /// `x . P x`, of P x; `None` if it is not taken in. At 0 the sample has no direction and informs nothing; below,
    /// rounding had made P indefinite.
    fn energy(&mut self, projected: &[f64; MAX_DIM], x: &[f64]) -> Option<f64> {
        let energy = dot(projected, x);
        if energy < 0.0 {
            self.reset_covariance();
        }
        (energy <= MAX_ENERGY).then_some(energy)
    }

    /// `P <- (P - P x x'P / (forgetting + x'P x)) / forgetting`, or its form without wind-up (invariant 2).
    fn update_covariance(&mut self, projected: &[f64; MAX_DIM], energy: f64) {
        let dim = self.dim();
        let (mut shrink, mut scale) = (1.0 / (self.forgetting + energy), 1.0 / self.forgetting);
        let winds_up = |(i, p): (usize, &f64)| {
            let variance = self.covariance[diagonal(dim, i)];
            (variance - p * p * shrink) * scale > self.prior_variance
        };
        if projected[..dim].iter().enumerate().any(winds_up) {
            // Never below 0: a faint sample would otherwise raise the variance along itself without bound.
            let informed = (self.forgetting - (1.0 - self.forgetting) / energy).max(0.0);
            (shrink, scale) = (informed / (1.0 + informed * energy), 1.0);
        }
        let mut entry = 0;
        for i in 0..dim {
            let row = projected[i] * shrink;
            for &column in &projected[i..dim] {
                self.covariance[entry] = (self.covariance[entry] - row * column) * scale;
                entry += 1;
            }
        }
        if !(0..dim).all(|i| self.covariance[diagonal(dim, i)] > 0.0) {
            self.reset_covariance();
        }
    }

    /// P x, padded with zeros.
    fn project(&self, x: &[f64]) -> [f64; MAX_DIM] {
        let mut out = [0.0; MAX_DIM];
        let mut rest = self.covariance.as_slice();
        for i in 0..x.len() {
            let (row, below) = rest.split_at(x.len() - i);
            rest = below;
            let mut sum = row[0] * x[i];
            for (offset, &p) in row.iter().enumerate().skip(1) {
                sum += p * x[i + offset];
                out[i + offset] += p * x[i];
            }
            out[i] += sum;
        }
        out
    }

    fn reset_covariance(&mut self) {
        let dim = self.dim();
        self.covariance.fill(0.0);
        set_diagonal(&mut self.covariance, dim, self.prior_variance);
        self.resets = self.resets.saturating_add(1);
    }
}

impl TryFrom<RlsState> for Rls {
    type Error = RlsError;

    fn try_from(state: RlsState) -> Result<Self, RlsError> {
        let RlsState {
            theta,
            covariance,
            forgetting,
            prior_variance,
            resets,
        } = state;
        let dim = theta.len();
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(RlsError::Dimension { found: dim });
        }
        if covariance.len() != triangle(dim) {
            return Err(RlsError::Shape {
                found: covariance.len(),
                expected: triangle(dim),
            });
        }
        let range = |field, found, expected| Err(RlsError::Range { field, found, expected });
        if !(forgetting > 0.0 && forgetting <= 1.0) {
            return range("forgetting", forgetting, "above 0 and at most 1");
        }
        if !(prior_variance > 0.0 && prior_variance.is_finite()) {
            return range("prior variance", prior_variance, "above 0 and finite");
        }
        if let Some(&found) = theta.iter().find(|t| t.is_nan() || t.abs() > MAX_THETA) {
            return range("coefficient", found, "at most 1e9 in magnitude");
        }
        if let Some(&found) = covariance.iter().find(|p| !p.is_finite()) {
            return range("covariance entry", found, "finite");
        }
        let variances = (0..dim).map(|i| covariance[diagonal(dim, i)]);
        if let Some(found) = variances.into_iter().find(|p| !(*p > 0.0 && *p <= prior_variance)) {
            return range("variance", found, "above 0 and at most the prior's");
        }
        Ok(Self {
            theta,
            covariance,
            forgetting,
            prior_variance,
            resets,
        })
    }
}

impl From<Rls> for RlsState {
    fn from(rls: Rls) -> Self {
        let Rls {
            theta,
            covariance,
            forgetting,
            prior_variance,
            resets,
        } = rls;
        Self {
            theta,
            covariance,
            forgetting,
            prior_variance,
            resets,
        }
    }
}

/// Entries of the upper triangle of a `dim` by `dim` matrix.
fn triangle(dim: usize) -> usize {
    dim * (dim + 1) / 2
}

/// Where the `i`-th diagonal entry is in the upper triangle stored row by row.
fn diagonal(dim: usize, i: usize) -> usize {
    triangle(dim) - triangle(dim - i)
}

fn set_diagonal(covariance: &mut [f64], dim: usize, value: f64) {
    for i in 0..dim {
        covariance[diagonal(dim, i)] = value;
    }
}

fn dot(padded: &[f64; MAX_DIM], x: &[f64]) -> f64 {
    padded.iter().zip(x).map(|(p, x)| p * x).sum()
}

#[cfg(test)]
mod tests;
