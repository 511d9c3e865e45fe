//! Spectral detector: is the agent's own state X about to run away?
//!
//! Owns the recent levels of X = [S, G, I, U, E] and the verdict on the spectral radius of their Jacobian (MSCP Level
//! 4.8, invariant 2: below 1.0, warning from 0.98).
//!
//! Invariants: 1. a level that is not a number, or not near [0, 1], is a [`RhoState::Violation`] for as long as its
//! window lasts, never a pass. 2. What is handed on is finite, in [0, [`MAX_RHO`]]. 3. Nothing is allocated after
//! construction. 4. The same levels give the same reading, whenever and how often it is asked for.
//!
//! # The rule
//! The estimate itself (`fit`) is least squares with an intercept on 20 transitions. Its noise alone reaches 0.98 in
//! one healthy window of 70, and every upset that comes and goes looks like growth for a while. So a window is
//! *evidence* only if
//! - in 2 of its last 10 cycles some component lies more than 4 standard deviations (floor 0.01) from its mean over the
//!   200 cycles before, and
//! - its Jacobian explains at least 0.75 of the movement of the component that it explains most. What moves by its own
//!   law explains its own changes; a jump, a drift or noise does not, however far it goes.
//!
//! The windows that end in the last 10 cycles are all looked at, because a mode that grows by 1.2 each cycle crosses
//! the whole range of X within two checks; the radius that speaks is the one that 3 of them reach. Below the
//! warning, what is handed on is min(rho of the newest window, 0.90). Levels cut off at 0 or 1 are no outcome of the
//! law and left out of the fit.
//!
//! # Figures
//! `cargo run -p rungs-mind --example detection -- 200`: healthy X of five kinds (spectral radius up to 0.95, heavy
//! tails, shocks that jump and decay), 26 alarms in 5,000,000 cycles, 0.05 in 10,000. X computed from real operational
//! series watched alone and stacked by three and six, 160,000 cycles: none; such series themselves, scaled to [0, 1]
//! and stacked by five, 37,000 cycles: 2 (a warning and its violation).
//!
//! Planted modes, 200 each, found within 200 cycles (a violation in brackets), and the median cycles until then. "With
//! room" X starts near 0.7; "at the edge" it starts within 0.1 of 0 or 1, which stops most modes by themselves.
//!
//! | rho and mode | with room | cycles | at the edge | cycles |
//! | --- | --- | --- | --- | --- |
//! | 1.05 real | 50 % (48) | 89 | 12 % (11) | 82 |
//! | 1.05 alternating | 100 % (100) | 41 | 71 % (64) | 49 |
//! | 1.05 rotating | 100 % (100) | 33 | 66 % (54) | 43 |
//! | 1.2 real | 90 % (90) | 28 | 48 % (47) | 29 |
//! | 1.2 alternating | 100 % (100) | 21 | 91 % (90) | 23 |
//! | 1.2 rotating | 100 % (100) | 19 | 97 % (97) | 22 |
//!
//! The same with outliers alone as evidence, in two checks in a row: 1.2 real 42 %, 1.05 rotating at the edge 22 %,
//! and 0.12 alarms in 10,000 cycles on the real series, 1.35 on the series themselves.

mod fit;
#[cfg(test)]
mod tests;

pub use fit::Jacobian;

use crate::numeric::spectral::{NotFinite, spectral_radius_or_bound};
use crate::report::RhoState;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use thiserror::Error;

/// Components of X.
pub const COMPONENTS: usize = 5;
/// Transitions in the least-squares window.
pub const WINDOW_TRANSITIONS: usize = 20;
/// Fewest transitions that a row of the Jacobian is estimated from.
pub const MIN_TRANSITIONS: usize = 10;
/// Ridge on the Jacobian, in squared units of X.
pub const RIDGE: f64 = 1e-3;
/// Spectral radius from which the detector warns.
pub const WARNING_RHO: f64 = 0.98;
/// Spectral radius from which the invariant is violated.
pub const VIOLATION_RHO: f64 = 1.0;
/// Highest radius handed on without evidence: estimation noise reaches it and says nothing.
pub const UNSUSPECTED_RHO: f64 = 0.90;
/// Highest radius handed on, and the one that stands for a state that is not a number: beyond every collapse tier.
pub const MAX_RHO: f64 = 2.0;
/// X lies in [0, 1] by definition; a level further out than this is no level.
pub const MAX_LEVEL: f64 = 100.0;

/// Cycles in which evidence counts: those since the last check, at the cadence of L4.5.
const RECENT_CYCLES: usize = 10;
/// How many of the windows that end in them must be evidence.
const EVIDENCE_WINDOWS: usize = 3;
/// How many of a window's last [`RECENT_CYCLES`] must be far out.
const FAR_OUT_CYCLES: usize = 2;
/// Levels before the oldest window that say what is usual, and the fewest that do.
const BASELINE_LEVELS: usize = 200;
const MIN_BASELINE_LEVELS: usize = 100;
/// How far out is far.
const FAR_OUT_SD: f64 = 4.0;
const SD_FLOOR: f64 = 0.01;
/// Least share of movement that the Jacobian must explain.
const EXPLAINED_SHARE: f64 = 0.75;
/// Levels that the windows ending in the recent cycles cover.
const WINDOWS_LEVELS: usize = WINDOW_TRANSITIONS + RECENT_CYCLES;
const CAPACITY: usize = BASELINE_LEVELS + WINDOWS_LEVELS;

/// One check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SpectralReading {
    /// Spectral radius as handed on, in [0, [`MAX_RHO`]]; 0 while unknown.
    pub rho: f64,
    /// The verdict.
    pub state: RhoState,
}

impl SpectralReading {
    const NOT_A_NUMBER: Self = Self {
        rho: MAX_RHO,
        state: RhoState::Violation,
    };
}

/// The detector of one agent (see the module). Its serde form is its whole state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "State", into = "State")]
pub struct SpectralDetector {
    /// Oldest first; a level that is no level is replaced by the one before it.
    levels: VecDeque<[f64; COMPONENTS]>,
    /// Cycles until the last such level has left the windows.
    poisoned_cycles: usize,
}

impl Default for SpectralDetector {
    fn default() -> Self {
        Self {
            levels: VecDeque::with_capacity(CAPACITY),
            poisoned_cycles: 0,
        }
    }
}

impl SpectralDetector {
    /// Takes X of one cycle.
    pub fn observe(&mut self, x: [f64; COMPONENTS]) {
        if self.levels.len() == CAPACITY {
            self.levels.pop_front();
        }
        if is_level(&x) {
            self.poisoned_cycles = self.poisoned_cycles.saturating_sub(1);
            self.levels.push_back(x);
        } else {
            self.poisoned_cycles = WINDOWS_LEVELS;
            // Keeps the transitions aligned; by the time a reading is trusted again, it has left the windows.
            self.levels.push_back(self.levels.back().copied().unwrap_or_default());
        }
    }

    /// What the levels so far say; meant for every tenth cycle.
    pub fn check(&self) -> SpectralReading {
        if self.poisoned_cycles > 0 {
            return SpectralReading::NOT_A_NUMBER;
        }
        let Some(newest) = self.window(0) else {
            return SpectralReading::default();
        };
        let (Ok(rho), Ok(evident)) = (spectral_radius_or_bound(&newest.jacobian), self.evident_rho()) else {
            return SpectralReading::NOT_A_NUMBER;
        };
        if evident >= WARNING_RHO {
            let state = if evident >= VIOLATION_RHO {
                RhoState::Violation
            } else {
                RhoState::Warning
            };
            SpectralReading {
                rho: evident.min(MAX_RHO),
                state,
            }
        } else {
            SpectralReading {
                rho: rho.min(UNSUSPECTED_RHO),
                state: RhoState::Stable,
            }
        }
    }

    /// Jacobian of the newest window as estimated, suspect or not; `None` with fewer than [`MIN_TRANSITIONS`].
    pub fn jacobian(&self) -> Option<Jacobian> {
        self.window(0).map(|fit| fit.jacobian)
    }

    /// The fit of the window that ended `age` cycles ago.
    fn window(&self, age: usize) -> Option<fit::Fit> {
        let end = self.levels.len().checked_sub(age + 1)?;
        let first = end.saturating_sub(WINDOW_TRANSITIONS);
        (end - first >= MIN_TRANSITIONS).then(|| fit::fit(&self.levels, first..end))
    }

    /// The radius that [`EVIDENCE_WINDOWS`] of the recent windows reach; 0 without such evidence.
    fn evident_rho(&self) -> Result<f64, NotFinite> {
        let Some(usual) = self.usual() else { return Ok(0.0) };
        let mut highest = [0.0; EVIDENCE_WINDOWS]; // descending
        for age in 0..RECENT_CYCLES {
            let cycles = self.levels.iter().rev().skip(age).take(RECENT_CYCLES);
            if cycles.filter(|x| usual.is_far_out(x)).count() < FAR_OUT_CYCLES {
                continue;
            }
            let Some(fit) = self.window(age).filter(|fit| fit.explained >= EXPLAINED_SHARE) else {
                continue;
            };
            let rho = spectral_radius_or_bound(&fit.jacobian)?;
            let rank = highest.iter().position(|h| rho > *h);
            if let Some(rank) = rank {
                highest[rank..].rotate_right(1);
                highest[rank] = rho;
            }
        }
        Ok(highest[EVIDENCE_WINDOWS - 1])
    }

    /// Mean and spread of the levels before the windows; `None` while they are too few.
    fn usual(&self) -> Option<Usual> {
        let count = self
            .levels
            .len()
            .checked_sub(WINDOWS_LEVELS)
            .filter(|n| *n >= MIN_BASELINE_LEVELS)?;
        let levels = self.levels.iter().take(count);
        let mut usual = Usual {
            mean: [0.0; COMPONENTS],
            reach: [0.0; COMPONENTS],
        };
        for c in 0..COMPONENTS {
            let mean = levels.clone().map(|x| x[c]).sum::<f64>() / count as f64;
            let variance = levels.clone().map(|x| (x[c] - mean).powi(2)).sum::<f64>() / count as f64;
            usual.mean[c] = mean;
            usual.reach[c] = FAR_OUT_SD * variance.sqrt().max(SD_FLOOR);
        }
        Some(usual)
    }
}

/// Where X is at home.
struct Usual {
    mean: [f64; COMPONENTS],
    reach: [f64; COMPONENTS],
}

impl Usual {
    fn is_far_out(&self, x: &[f64; COMPONENTS]) -> bool {
        (0..COMPONENTS).any(|c| (x[c] - self.mean[c]).abs() > self.reach[c])
    }
}

fn is_level(x: &[f64; COMPONENTS]) -> bool {
    x.iter().all(|v| v.abs() <= MAX_LEVEL)
}

/// What [`SpectralDetector`] reads and writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    levels: Vec<[f64; COMPONENTS]>,
    poisoned_cycles: usize,
}

/// Why a stored detector is refused.
#[derive(Debug, Clone, PartialEq, Error)]
enum StateError {
    #[error("found {found} levels, expected at most {CAPACITY}")]
    TooManyLevels { found: usize },
    #[error("found a level that is not finite or beyond {MAX_LEVEL} at index {index}, expected levels of X")]
    NotALevel { index: usize },
    #[error("found {found} poisoned cycles, expected at most {WINDOWS_LEVELS}")]
    TooPoisoned { found: usize },
}

impl TryFrom<State> for SpectralDetector {
    type Error = StateError;

    fn try_from(state: State) -> Result<Self, StateError> {
        let State {
            levels,
            poisoned_cycles,
        } = state;
        if levels.len() > CAPACITY {
            return Err(StateError::TooManyLevels { found: levels.len() });
        }
        if let Some(index) = levels.iter().position(|x| !is_level(x)) {
            return Err(StateError::NotALevel { index });
        }
        if poisoned_cycles > WINDOWS_LEVELS {
            return Err(StateError::TooPoisoned { found: poisoned_cycles });
        }
        let mut detector = Self {
            poisoned_cycles,
            ..Self::default()
        };
        detector.levels.extend(levels);
        Ok(detector)
    }
}

impl From<SpectralDetector> for State {
    fn from(detector: SpectralDetector) -> Self {
        Self {
            levels: detector.levels.into(),
            poisoned_cycles: detector.poisoned_cycles,
        }
    }
}
