//! Simulated X of an agent, healthy and with a planted runaway mode.
//!
//! X moves by x(t+1) = m + J (x(t) - m) + e, cut off at 0 and 1. J has one dominant mode (real, alternating or
//! rotating) in a random, mildly non-normal basis; its other eigenvalues lie in [-0.3, 0.8].

use nalgebra::{SMatrix, SVector};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

type Matrix = SMatrix<f64, 5, 5>;
type Vector = SVector<f64, 5>;

/// How the dominant mode moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A positive eigenvalue.
    Real,
    /// A negative one: the sign changes each cycle.
    Alternating,
    /// A complex pair with an angle between 0.3 and 2.8.
    Rotating,
}

/// All modes.
pub(crate) const MODES: [Mode; 3] = [Mode::Real, Mode::Alternating, Mode::Rotating];

/// What disturbs X.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noise {
    /// Gaussian.
    Gaussian,
    /// Student's t with three degrees of freedom.
    HeavyTailed,
    /// Gaussian, and every 200 cycles on average the uncertainty jumps by up to 0.6 and decays, and S with it.
    Shocks,
}

/// One simulated agent's X.
pub(crate) struct StateSim {
    jacobian: Matrix,
    mean: Vector,
    x: Vector,
    shock: Vector,
    sd: f64,
    noise: Noise,
}

/// Room on both sides of the mean: what runs away can be followed for a while.
pub(crate) const WITH_ROOM: [f64; 5] = [0.70, 0.65, 0.75, 0.35, 0.70];
/// As a healthy agent is: all but at the edge of [0, 1], which stops most modes soon.
pub(crate) const AT_THE_EDGE: [f64; 5] = [0.92, 0.95, 0.96, 0.15, 0.98];

impl StateSim {
    /// A healthy X: spectral radius up to `max_rho`, noise of 0.001 to 0.025 (log-uniform).
    pub(crate) fn healthy(mean: [f64; 5], max_rho: f64, noise: Noise, rng: &mut Pcg64) -> Self {
        let rho = rng.random_range(0.2..max_rho);
        let mode = MODES[rng.random_range(0..MODES.len())];
        let mean = Vector::from(mean);
        let sd = 10.0_f64.powf(rng.random_range(-3.0..-1.6));
        Self {
            jacobian: jacobian(rho, mode, rng),
            mean,
            x: mean,
            shock: Vector::zeros(),
            sd,
            noise,
        }
    }

    /// From now on the dominant mode is this one.
    pub(crate) fn plant(&mut self, rho: f64, mode: Mode, rng: &mut Pcg64) {
        self.jacobian = jacobian(rho, mode, rng);
    }

    /// X of the next cycle.
    pub(crate) fn step(&mut self, rng: &mut Pcg64) -> [f64; 5] {
        let mut noise = Vector::from_fn(|_, _| normal(rng)) * self.sd;
        if self.noise == Noise::HeavyTailed {
            let chi_squared: f64 = (0..3).map(|_| normal(rng).powi(2)).sum();
            noise /= (chi_squared / 3.0).sqrt();
        }
        self.x = (self.mean + self.jacobian * (self.x - self.mean) + noise).map(|v| v.clamp(0.0, 1.0));
        if self.noise == Noise::Shocks && rng.random_bool(0.005) {
            let size = rng.random_range(0.1..0.6);
            self.shock[3] += size;
            self.shock[0] -= 0.3 * size;
        }
        let shown = (self.x + self.shock).map(|v| v.clamp(0.0, 1.0));
        self.shock *= 0.93;
        shown.into()
    }
}

fn jacobian(rho: f64, mode: Mode, rng: &mut Pcg64) -> Matrix {
    let mut modes = Matrix::zeros();
    for i in 0..5 {
        modes[(i, i)] = rng.random_range(-0.3..rho.min(0.8));
    }
    match mode {
        Mode::Real => modes[(0, 0)] = rho,
        Mode::Alternating => modes[(0, 0)] = -rho,
        Mode::Rotating => {
            let (sin, cos) = rng.random_range(0.3_f64..2.8).sin_cos();
            (modes[(0, 0)], modes[(0, 1)]) = (rho * cos, -rho * sin);
            (modes[(1, 0)], modes[(1, 1)]) = (rho * sin, rho * cos);
        }
    }
    let rotation = Matrix::from_fn(|_, _| normal(rng)).qr().q();
    let stretch = Vector::from_fn(|_, _| 2.0_f64.powf(rng.random_range(-1.0..1.0)));
    let basis = rotation * Matrix::from_diagonal(&stretch);
    let inverse = Matrix::from_diagonal(&stretch.map(f64::recip)) * rotation.transpose();
    basis * modes * inverse
}

fn normal(rng: &mut Pcg64) -> f64 {
    StandardNormal.sample(rng)
}
