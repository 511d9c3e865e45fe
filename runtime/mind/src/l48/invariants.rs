//! The five stability invariants (MSCP Level 4.8, section 6.1), their limits at each authority, and the compound
//! severity of what violates them (Definition 12).
//!
//! Used by the verifier in each pass, and by the orchestrator to see whether a frozen level has recovered.
//! A number that is not finite violates its invariant, whatever the limit.

use crate::numeric::bits::BitWindow;
use crate::numeric::condense::Refused;
use crate::report::{FloorReport, RhoState};
use rungs_types::{Authority, Invariant, Violation};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Cycles averaged on each side of the Lyapunov comparison.
pub const LYAPUNOV_MEAN_CYCLES: usize = 10;
/// By how much the later mean of V must exceed the earlier one to count.
pub const LYAPUNOV_RISE: f64 = 0.01;
/// Below this a rise of V is noise of a healthy agent.
pub const LYAPUNOV_FLOOR: f64 = 0.10;
/// Cycles over which rises are counted.
pub const LYAPUNOV_WINDOW: u16 = 200;
/// The magnitude of a sandbox breach, and of a spectral radius that is not a number.
pub const BREACH_MAGNITUDE: f64 = 3.0;
/// The largest magnitude: a violation beyond it is no worse.
pub const MAX_MAGNITUDE: f64 = 10.0;

/// The limits that the invariants are held to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Largest share of the last 200 cycles in which V may rise.
    pub lyapunov_share: f64,
    /// The spectral radius must stay below it.
    pub rho: f64,
    /// From here on the spectral radius is a warning, which counts as a violation of magnitude 0.
    pub rho_warning: f64,
    /// Least identity integrity.
    pub iis: f64,
    /// Environmental uncertainty must stay below it while structural decisions are pending.
    pub eu: f64,
}

impl Limits {
    /// Those of section 6.1.
    pub const FULL: Limits = Limits {
        lyapunov_share: 0.05,
        rho: 1.0,
        rho_warning: 0.98,
        iis: 0.85,
        eu: 0.80,
    };

    /// The values that a healthy agent shows: no rise of V, rho at its warning, integrity at its comfort point, EU at
    /// its target.
    pub const NOMINAL: Limits = Limits {
        lyapunov_share: 0.0,
        rho: 0.98,
        rho_warning: 0.98,
        iis: 0.95,
        eu: 0.15,
    };

    /// At half authority each limit lies halfway to its nominal value ("halved veto threshold", section 6.4): share
    /// 0.025, rho 0.99, IIS 0.90, EU 0.475.
    pub fn at(authority: Authority) -> Self {
        if authority != Authority::Half {
            return Self::FULL;
        }
        let halfway = |full: f64, nominal: f64| 0.5 * (full + nominal);
        Self {
            lyapunov_share: halfway(Self::FULL.lyapunov_share, Self::NOMINAL.lyapunov_share),
            rho: halfway(Self::FULL.rho, Self::NOMINAL.rho),
            rho_warning: halfway(Self::FULL.rho_warning, Self::NOMINAL.rho_warning),
            iis: halfway(Self::FULL.iis, Self::NOMINAL.iis),
            eu: halfway(Self::FULL.eu, Self::NOMINAL.eu),
        }
    }
}

/// What is checked beside the floor's report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uncertain {
    /// Environmental uncertainty (Definition 2).
    pub eu: f64,
    /// A structural decision waits for the verdict.
    pub structural_pending: bool,
}

impl Uncertain {
    /// A level that does not compute decides nothing.
    pub const IDLE: Uncertain = Uncertain {
        eu: 0.0,
        structural_pending: false,
    };
}

/// Remembers V of the last cycles and checks the five invariants. A stored one that cannot have been is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawMonitor", into = "RawMonitor")]
pub struct Monitor {
    /// V of the last 20 cycles, oldest first.
    recent: VecDeque<f64>,
    /// Whether each of the last 200 cycles counted as a rise.
    rises: BitWindow,
    /// V of the last report held a number that is not finite.
    broken: bool,
}

impl Default for Monitor {
    fn default() -> Self {
        Self {
            recent: VecDeque::with_capacity(2 * LYAPUNOV_MEAN_CYCLES),
            rises: BitWindow::new(LYAPUNOV_WINDOW),
            broken: false,
        }
    }
}

/// What [`Monitor`] reads and writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RawMonitor {
    recent: VecDeque<f64>,
    rises: BitWindow,
    broken: bool,
}

impl TryFrom<RawMonitor> for Monitor {
    type Error = Refused;

    fn try_from(RawMonitor { recent, rises, broken }: RawMonitor) -> Result<Self, Refused> {
        if recent.len() > 2 * LYAPUNOV_MEAN_CYCLES || recent.iter().any(|v| !v.is_finite()) {
            return Err(Refused("V of the last cycles"));
        }
        if rises.capacity() != LYAPUNOV_WINDOW {
            return Err(Refused("the share of rises"));
        }
        Ok(Self { recent, rises, broken })
    }
}

impl From<Monitor> for RawMonitor {
    fn from(Monitor { recent, rises, broken }: Monitor) -> Self {
        Self { recent, rises, broken }
    }
}

impl Monitor {
    /// Counts anew: after a freeze the cycles before it say nothing.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// Takes in V of the cycles since the last report; gives how many of these cycles counted.
    ///
    /// A cycle counts as a rise if the mean V of the last 10 cycles exceeds that of the 10 before by more than 0.01
    /// and is above 0.10: a stationary, noisy V rises in half of all single steps.
    pub fn note(&mut self, lyapunov: &[f64]) -> u16 {
        self.broken = lyapunov.iter().any(|v| !v.is_finite());
        let mut counted = 0;
        for &v in lyapunov {
            if !v.is_finite() {
                self.recent.clear();
                self.rises.push(true);
                counted += 1;
                continue;
            }
            if self.recent.len() == 2 * LYAPUNOV_MEAN_CYCLES {
                self.recent.pop_front();
            }
            self.recent.push_back(v);
            let rise = self.recent.len() == 2 * LYAPUNOV_MEAN_CYCLES && {
                let sum = |from: usize| self.recent.range(from..from + LYAPUNOV_MEAN_CYCLES).sum::<f64>();
                let before = sum(0) / LYAPUNOV_MEAN_CYCLES as f64;
                let last = sum(LYAPUNOV_MEAN_CYCLES) / LYAPUNOV_MEAN_CYCLES as f64;
                last - before > LYAPUNOV_RISE && last > LYAPUNOV_FLOOR
            };
            self.rises.push(rise);
            counted += u16::from(rise);
        }
        counted
    }

    /// Rises among the last 200 cycles, as a share of 200; cycles not yet seen count as calm.
    pub fn lyapunov_share(&self) -> f64 {
        f64::from(self.rises.count()) / f64::from(LYAPUNOV_WINDOW)
    }

    /// Checks all five, in the order of section 6.1. Call [`Monitor::note`] first.
    pub fn check(&self, floor: &FloorReport, uncertain: Uncertain, limits: &Limits) -> Vec<Violation> {
        [
            self.check_lyapunov(limits),
            check_spectral(floor, limits),
            check_identity(floor, limits),
            check_sandbox(floor),
            check_uncertainty(uncertain, limits),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn check_lyapunov(&self, limits: &Limits) -> Option<Violation> {
        let share = if self.broken { 1.0 } else { self.lyapunov_share() };
        let (limit, scale) = (limits.lyapunov_share, 0.25);
        (share > limit).then(|| violation(Invariant::Lyapunov, share, limit, (share - limit) / scale))
    }
}

fn check_spectral(floor: &FloorReport, limits: &Limits) -> Option<Violation> {
    let (rho, of) = (floor.rho, Invariant::Spectral);
    if !(rho.is_finite() && rho >= 0.0) {
        return Some(violation(of, BREACH_MAGNITUDE, limits.rho, BREACH_MAGNITUDE));
    }
    if floor.rho_state == RhoState::Violation || rho >= limits.rho {
        return Some(violation(of, rho, limits.rho, (rho - limits.rho) / 0.10));
    }
    let warned = floor.rho_state == RhoState::Warning || rho >= limits.rho_warning;
    warned.then(|| violation(of, rho, limits.rho_warning, 0.0))
}

fn check_identity(floor: &FloorReport, limits: &Limits) -> Option<Violation> {
    let iis = floor.iis?;
    let iis = if iis.is_finite() { iis } else { 0.0 };
    (iis < limits.iis).then(|| violation(Invariant::Identity, iis, limits.iis, (limits.iis - iis) / 0.10))
}

fn check_sandbox(floor: &FloorReport) -> Option<Violation> {
    (!floor.contained).then(sandbox_breach)
}

/// A breach of the sandbox, whoever finds it.
pub(crate) fn sandbox_breach() -> Violation {
    violation(Invariant::Sandbox, 1.0, 0.0, BREACH_MAGNITUDE)
}

fn check_uncertainty(uncertain: Uncertain, limits: &Limits) -> Option<Violation> {
    let Uncertain { eu, structural_pending } = uncertain;
    if !eu.is_finite() {
        return Some(violation(Invariant::Uncertainty, 1.0, limits.eu, BREACH_MAGNITUDE));
    }
    let violated = eu >= limits.eu && structural_pending;
    violated.then(|| violation(Invariant::Uncertainty, eu, limits.eu, (eu - limits.eu) / 0.20))
}

fn violation(invariant: Invariant, value: f64, limit: f64, magnitude: f64) -> Violation {
    Violation {
        invariant,
        value,
        limit,
        magnitude: magnitude.clamp(0.0, MAX_MAGNITUDE),
    }
}

/// The priority of an invariant in Definition 12: 1 weighs most.
pub fn priority(invariant: Invariant) -> f64 {
    match invariant {
        Invariant::Spectral | Invariant::Identity | Invariant::Sandbox => 1.0,
        Invariant::Lyapunov | Invariant::Uncertainty => 2.0,
    }
}

/// The compound severity: the sum of magnitude / priority (MSCP Level 4.8, Definition 12).
pub fn compound_severity(violations: &[Violation]) -> f64 {
    violations.iter().map(|v| v.magnitude / priority(v.invariant)).sum()
}

#[cfg(test)]
mod tests;
