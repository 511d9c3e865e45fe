//! X, V(X), the collapse tiers and the five invariants, as L4.5 judges them of itself.

use crate::numeric::history::History;
use crate::numeric::window::Window;
use crate::report::RhoState;
use serde::{Deserialize, Serialize};

/// Cycles of V(X) that are compared with those before.
const MEAN_CYCLES: usize = 10;
/// Rise of the mean V that counts.
pub const COUNTED_RISE: f64 = 0.01;
/// Mean V below which no rise counts.
pub const COUNTED_FROM: f64 = 0.10;
/// Cycles over which rises are counted.
pub const DECAY_CYCLES: usize = 200;
/// Share of them that is allowed.
pub const ALLOWED_SHARE: f64 = 0.05;
/// Stable cycles after which a collapse tier goes down by one.
pub const TIER_CYCLES: u32 = 50;
/// Least identity integrity.
pub const MIN_IIS: f64 = 0.85;
/// From this spectral radius on, the invariant is violated.
pub const MAX_RHO: f64 = 1.0;
/// From this uncertainty on, the invariant is violated.
pub const MAX_UNCERTAINTY: f64 = 0.80;

/// X = [S, G, I, U, E], each in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StateVector {
    /// S = 1 - C_L4.
    pub stability: f64,
    /// G = PCS; 1 without goals.
    pub goals: f64,
    /// I = IIS; 1 while it warms up, when nothing is known of a departure.
    pub identity: f64,
    /// U.
    pub uncertainty: f64,
    /// E: share of the last 200 actions that passed the ethical kernel at once.
    pub ethics: f64,
}

impl StateVector {
    /// As [S, G, I, U, E].
    pub fn to_array(self) -> [f64; 5] {
        [self.stability, self.goals, self.identity, self.uncertainty, self.ethics]
    }

    /// V(X) = 0.357 (1 - S)^2 + 0.286 U^2 + 0.214 (1 - I)^2 + 0.143 (E - 1)^2 (MSCP Level 4.8, Definition 11).
    pub fn lyapunov(self) -> f64 {
        0.357 * (1.0 - self.stability).powi(2)
            + 0.286 * self.uncertainty.powi(2)
            + 0.214 * (1.0 - self.identity).powi(2)
            + 0.143 * (1.0 - self.ethics).powi(2)
    }

    /// The worst of the tiers of S, U, I and rho, 0 (none) to 3.
    pub fn tier(self, rho: f64) -> u8 {
        let below = |value: f64, limits: [f64; 3]| limits.iter().filter(|limit| value < **limit).count();
        let from = |value: f64, limits: [f64; 3]| limits.iter().filter(|limit| value >= **limit).count();
        let worst = below(self.stability, [0.5, 0.4, 0.3])
            .max(from(self.uncertainty, [0.6, 0.7, 0.8]))
            .max(below(self.identity, [0.90, 0.88, 0.85]))
            .max(from(rho, [0.95, 1.0, 1.2]));
        worst as u8
    }
}

/// Collapse tier with hysteresis: up at once, down by one after 50 stable cycles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collapse {
    tier: u8,
    stable_cycles: u32,
}

impl Collapse {
    /// Takes in the cycle's own tier and gives the one in force.
    pub fn update(&mut self, tier: u8) -> u8 {
        if tier >= self.tier {
            *self = Self { tier, stable_cycles: 0 };
        } else {
            self.stable_cycles += 1;
            if self.stable_cycles >= TIER_CYCLES {
                *self = Self {
                    tier: self.tier - 1,
                    stable_cycles: 0,
                };
            }
        }
        self.tier
    }

    pub(super) fn is_valid(self) -> bool {
        self.tier <= 3 && self.stable_cycles < TIER_CYCLES
    }
}

/// Whether V decays: a cycle counts against it when the mean V of the last 10 cycles exceeds that of the 10 before by
/// more than 0.01 and is above 0.10.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decay {
    values: Window,
    counted: History<bool>,
}

impl Default for Decay {
    fn default() -> Self {
        Self {
            values: Window::new(2 * MEAN_CYCLES),
            counted: History::new(DECAY_CYCLES),
        }
    }
}

impl Decay {
    /// Takes in V of one cycle.
    pub fn update(&mut self, lyapunov: f64) {
        self.values.push(lyapunov);
        let (mut before, mut now) = (0.0, 0.0);
        for (i, value) in self.values.iter().enumerate() {
            *(if i < MEAN_CYCLES { &mut before } else { &mut now }) += value / MEAN_CYCLES as f64;
        }
        self.counted
            .push(self.values.is_full() && now - before > COUNTED_RISE && now > COUNTED_FROM);
    }

    /// Share of the last 200 cycles that count; 0 before the first.
    pub fn share(&self) -> f64 {
        self.counted.share().unwrap_or(0.0)
    }
}

/// What the five invariants look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checked {
    /// Share of cycles that count against the decay of V.
    pub rising_share: f64,
    /// The spectral detector's radius and verdict.
    pub rho: f64,
    /// The verdict.
    pub rho_state: RhoState,
    /// Identity integrity.
    pub iis: Option<f64>,
    /// No effect of a Lookahead reached the agent since the check before.
    pub contained: bool,
    /// U.
    pub uncertainty: f64,
}

impl Checked {
    /// Whether all five hold: decay of V for 95 % of cycles, rho below 1 without a warning, IIS of at least 0.85,
    /// sandbox contained, uncertainty below 0.80. An identity that is still warming up is no evidence, so it does not.
    pub fn all_hold(&self) -> bool {
        self.rising_share <= ALLOWED_SHARE
            && self.rho < MAX_RHO
            && !matches!(self.rho_state, RhoState::Warning | RhoState::Violation)
            && self.iis.is_some_and(|iis| iis >= MIN_IIS)
            && self.contained
            && self.uncertainty < MAX_UNCERTAINTY
    }
}

#[cfg(test)]
mod tests;
