//! How X answers: the law that a Lookahead moves the agent's own state by, learned from its cycles.
//!
//! x(t+1) = m + J (x(t) - m) + B (s(t+1) - s̄) + e with s the surprise of the cycle. m and s̄ are running means, J and B
//! recursive least squares on what departs from them. One window of 20 transitions, as the spectral detector takes
//! it, would be too short for this: its noise alone gives slow modes that a projection over 1,000 cycles lives by.
//!
//! Invariants: 1. the law is finite. 2. Its Jacobian is stable unless the detector has evidence that X is not.

use super::{LookaheadError, require};
use crate::l45::jacobian::{Jacobian, MAX_RHO, SpectralReading};
use crate::numeric::rls::Rls;
use crate::numeric::running::RunningMean;
use crate::numeric::spectral::spectral_radius;
use crate::report::RhoState;
use serde::{Deserialize, Serialize};

/// Cycles over which means and the spread of e are taken.
pub const HORIZON_CYCLES: u32 = 200;
/// Cycles before which there is no law.
pub const MIN_CYCLES: u32 = 50;
/// Weight of a cycle one older in J and B: a memory of 200 cycles.
const FORGETTING: f64 = 0.995;
/// Prior variance of the entries of J and B: a ridge of 1e-3 in squared units of X, as the detector has it.
const PRIOR_VARIANCE: f64 = 1e3;
/// Largest spectral radius that a stable law is left with.
const MAX_STABLE_RHO: f64 = 0.97;
/// Surprise is cut off here: |z| is cut off at 5 standard deviations.
pub const MAX_SURPRISE: f64 = 6.0;
/// Largest entry of a law.
const MAX_ENTRY: f64 = 1e3;
/// Regressors: X and surprise.
const REGRESSORS: usize = 6;

/// The law of X.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Dynamics {
    /// m: where X is at home. S without the part of complexity that growth keeps up.
    pub rest: [f64; 5],
    /// J, rows = what is moved.
    pub jacobian: [[f64; 5]; 5],
    /// B: change of X per unit of surprise.
    pub response: [f64; 5],
    /// s̄: the surprise at which nothing is pushed.
    pub usual_surprise: f64,
    /// Standard deviation of e.
    pub noise_sd: [f64; 5],
    /// Spectral radius as the detector hands it on.
    pub rho: f64,
}

impl Dynamics {
    pub(super) fn check(&self) -> Result<(), LookaheadError> {
        self.rest.iter().try_for_each(|v| require("rest of X", *v, 0.0, 1.0))?;
        self.jacobian
            .as_flattened()
            .iter()
            .try_for_each(|v| require("Jacobian", *v, -MAX_ENTRY, MAX_ENTRY))?;
        self.response
            .iter()
            .try_for_each(|v| require("response to surprise", *v, -MAX_ENTRY, MAX_ENTRY))?;
        self.noise_sd
            .iter()
            .try_for_each(|v| require("noise of X", *v, 0.0, 1.0))?;
        require("usual surprise", self.usual_surprise, -1.0, MAX_SURPRISE)?;
        require("spectral radius", self.rho, 0.0, MAX_RHO)
    }
}

/// Learns the [`Dynamics`] of one agent, a cycle at a time. Its serde form is its whole state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelfModel {
    /// One row of J and B for each component of X.
    rows: [Rls; 5],
    rest: [RunningMean; 5],
    residual_squares: [RunningMean; 5],
    surprise: RunningMean,
    /// X of the cycle before, without growth.
    before: Option<[f64; 5]>,
}

impl Default for SelfModel {
    fn default() -> Self {
        let mean = || RunningMean::new(HORIZON_CYCLES);
        Self {
            rows: std::array::from_fn(|_| Rls::new(REGRESSORS, FORGETTING, PRIOR_VARIANCE)),
            rest: std::array::from_fn(|_| mean()),
            residual_squares: std::array::from_fn(|_| mean()),
            surprise: mean(),
            before: None,
        }
    }
}

impl SelfModel {
    /// Takes in one cycle: X, the part of C_L4 that growth keeps up, and the surprise (mean |error| in forecast
    /// standard deviations over the dimensions observed, / 0.798, - 1); `None` if nothing was observed. A cycle whose X
    /// is not in [0, 1] breaks the chain and teaches nothing.
    pub fn observe(&mut self, x: [f64; 5], growth_complexity: f64, surprise: Option<f64>) {
        let mut x = x;
        x[0] += growth_complexity;
        if !x.iter().all(|v| (0.0..=1.0).contains(v)) {
            self.before = None;
            return;
        }
        let surprise = surprise.filter(|s| s.is_finite()).map(|s| s.clamp(-1.0, MAX_SURPRISE));
        if let Some(surprise) = surprise {
            self.surprise.push(surprise);
        }
        for (rest, level) in self.rest.iter_mut().zip(x) {
            rest.push(level);
        }
        if let Some(before) = self.before {
            self.learn(before, x, surprise);
        }
        self.before = Some(x);
    }

    fn learn(&mut self, before: [f64; 5], x: [f64; 5], surprise: Option<f64>) {
        let rest = self.rest();
        let mut regressors = [0.0; REGRESSORS];
        for c in 0..5 {
            regressors[c] = before[c] - rest[c];
        }
        regressors[5] = surprise.map_or(0.0, |s| s - self.usual_surprise());
        for c in 0..5 {
            if let Some(residual) = self.rows[c].update(&regressors, x[c] - rest[c]) {
                self.residual_squares[c].push(residual * residual);
            }
        }
    }

    /// The law so far; `None` before [`MIN_CYCLES`], or while the reading is of a state that is not a number.
    ///
    /// `reading` is the spectral detector's, `recent` its Jacobian: while it warns, that one is the law. Else the slow
    /// one is, scaled down to a radius of 0.97 if it is above.
    pub fn dynamics(&self, reading: SpectralReading, recent: Option<Jacobian>) -> Option<Dynamics> {
        if self.rest[0].count() < MIN_CYCLES {
            return None;
        }
        let runaway = matches!(reading.state, RhoState::Warning | RhoState::Violation);
        let jacobian = match recent {
            Some(recent) if runaway => recent,
            _ => self.stable_jacobian()?,
        };
        let dynamics = Dynamics {
            rest: self.rest(),
            jacobian: std::array::from_fn(|row| std::array::from_fn(|column| jacobian[(row, column)])),
            response: std::array::from_fn(|row| self.rows[row].theta()[5]),
            usual_surprise: self.usual_surprise(),
            noise_sd: std::array::from_fn(|c| self.residual_squares[c].get().unwrap_or(0.0).sqrt().min(1.0)),
            rho: reading.rho,
        };
        dynamics.check().is_ok().then_some(dynamics)
    }

    fn stable_jacobian(&self) -> Option<Jacobian> {
        let jacobian = Jacobian::from_fn(|row, column| self.rows[row].theta()[column]);
        let rho = spectral_radius(&jacobian).ok()?;
        Some(if rho > MAX_STABLE_RHO {
            jacobian * (MAX_STABLE_RHO / rho)
        } else {
            jacobian
        })
    }

    fn rest(&self) -> [f64; 5] {
        std::array::from_fn(|c| self.rest[c].get().unwrap_or(0.0))
    }

    fn usual_surprise(&self) -> f64 {
        self.surprise.get().unwrap_or(0.0)
    }
}
