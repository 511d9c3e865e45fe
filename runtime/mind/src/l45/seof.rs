//! The self-evolution objective SEOF, and the ensemble that keeps it honest.

use crate::l3::ActionKind;
use crate::numeric::history::History;
use crate::numeric::window::Window;
use crate::report::Resource;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

/// Cycles over which derivatives and oscillation are taken.
pub const CYCLES: usize = 100;
/// The highest SEOF at rest, when derivatives are 0: 0.25 + 0.20 IIS …
pub const REST: f64 = 0.45;
/// … and with two or more domains, 0.20 CDI.
pub const REST_WITH_DOMAINS: f64 = 0.65;
/// Range of an ensemble weight.
pub const WEIGHT_RANGE: (f64, f64) = (0.15, 0.40);
/// Cycles of one direction after which the ensemble is perturbed: what only ever rises is being gamed.
pub const MONOTONIC_CYCLES: u32 = 300;
/// Runway, in cycles, at which survival is full.
const FULL_RUNWAY_CYCLES: f64 = 1000.0;
/// Cycles over which the variety of actions is counted.
const EXPLORATION_CYCLES: usize = 200;
/// Largest change of a weight by a perturbation.
const PERTURBATION: f64 = 0.10;

/// What SEOF of one cycle is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Parts {
    /// P(t); `None` without evidence.
    pub performance: Option<f64>,
    /// C_L4.
    pub c_l4: f64,
    /// Capability diversity.
    pub cdi: f64,
    /// Domains with evidence.
    pub domains: usize,
    /// Identity integrity; `None` while warming up: nothing is counted for it.
    pub iis: Option<f64>,
    /// Changes of strategy or goal that took back an earlier one.
    pub flips: u16,
    /// The cycle's action.
    pub action: ActionKind,
}

/// SEOF of one cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// SEOF, in [-1, 1].
    pub seof: f64,
    /// SEOF over its highest value at rest, at least 0.
    pub maturity: f64,
    /// The ensemble's value, in [0, 1].
    pub ensemble: f64,
    /// dP/dt and dC_L4/dt per 100 cycles, each in [-1, 1].
    pub trends: [f64; 2],
    /// R_osc, in [0, 1].
    pub oscillation: f64,
}

/// SEOF of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seof {
    performance: History<Option<f64>>,
    c_l4: Window,
    flips: History<u16>,
    actions: History<ActionKind>,
    ensemble: Ensemble,
}

impl Seof {
    /// Nothing known yet; `seed` is that of the perturbations.
    pub fn new(seed: u64) -> Self {
        Self {
            performance: History::new(CYCLES + 1),
            c_l4: Window::new(CYCLES + 1),
            flips: History::new(CYCLES),
            actions: History::new(EXPLORATION_CYCLES),
            ensemble: Ensemble::new(seed),
        }
    }

    /// Takes in one cycle: 0.25 dP/dt + 0.25 (1 - dC_L4/dt) + 0.20 CDI + 0.20 IIS - 0.10 R_osc. Derivatives are per 100
    /// cycles, clamped to [-1, 1], and 0 where one of the two ends is not known.
    pub fn update(&mut self, parts: &Parts, resources: &[Resource]) -> Reading {
        self.performance.push(parts.performance);
        self.c_l4.push(parts.c_l4);
        self.flips.push(parts.flips);
        self.actions.push(parts.action);
        let growth = self.performance_growth();
        let complexity = self.complexity_growth();
        let oscillation = self.oscillation();
        let seof = 0.25 * growth + 0.25 * (1.0 - complexity) + 0.20 * parts.cdi + 0.20 * parts.iis.unwrap_or(0.0)
            - 0.10 * oscillation;
        let seof = seof.clamp(-1.0, 1.0);
        let rest = if parts.domains >= 2 { REST_WITH_DOMAINS } else { REST };
        let components = [
            (1.0 - parts.c_l4).clamp(0.0, 1.0) * (1.0 + growth) / 2.0,
            parts.cdi,
            survival(resources),
            self.exploration(),
        ];
        Reading {
            seof,
            maturity: (seof / rest).max(0.0),
            ensemble: self.ensemble.update(seof, &components),
            trends: [growth, complexity],
            oscillation,
        }
    }

    fn performance_growth(&self) -> f64 {
        let ends = self
            .performance
            .oldest()
            .flatten()
            .zip(self.performance.newest().flatten());
        ends.filter(|_| self.performance.is_full())
            .map_or(0.0, |(then, now)| (now - then).clamp(-1.0, 1.0))
    }

    fn complexity_growth(&self) -> f64 {
        let ends = self.c_l4.oldest().zip(self.c_l4.newest());
        ends.filter(|_| self.c_l4.is_full())
            .map_or(0.0, |(then, now)| (now - then).clamp(-1.0, 1.0))
    }

    /// R_osc: flips per cycle over 100 cycles, at most 1.
    fn oscillation(&self) -> f64 {
        let flips: u64 = self.flips.unordered().iter().map(|n| u64::from(*n)).sum();
        (flips as f64 / CYCLES as f64).min(1.0)
    }

    /// Entropy of the kinds of action over 200 cycles, over its largest value.
    fn exploration(&self) -> f64 {
        let mut counts = [0.0_f64; 8];
        self.actions
            .unordered()
            .iter()
            .for_each(|kind| counts[kind.index()] += 1.0);
        let total = self.actions.len() as f64;
        let entropy: f64 = counts
            .iter()
            .filter(|n| **n > 0.0)
            .map(|n| -n / total * (n / total).ln())
            .sum();
        (entropy / 8.0_f64.ln()).clamp(0.0, 1.0)
    }

    /// Every number is one that the module could have reached by itself.
    pub(super) fn is_valid(&self) -> bool {
        self.performance.capacity() == CYCLES + 1
            && self.performance.iter().flatten().all(|p| (0.0..=1.0).contains(&p))
            && self.ensemble.is_valid()
    }
}

/// Shortest runway of a resource over a thousand cycles, in [0, 1]; 1 when nothing is used up.
fn survival(resources: &[Resource]) -> f64 {
    let of = |r: &Resource| {
        if !r.level.is_finite() || !r.consumption_per_cycle.is_finite() {
            0.0
        } else if r.consumption_per_cycle <= 0.0 {
            1.0
        } else {
            (r.level / r.consumption_per_cycle / FULL_RUNWAY_CYCLES).clamp(0.0, 1.0)
        }
    };
    resources.iter().map(of).fold(1.0, f64::min)
}

/// Four views of how well the agent evolves (stability-weighted growth, diversity, long-horizon survival, exploration),
/// weighed alike, until SEOF has moved in one direction for 300 cycles: then the weights are perturbed until it turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ensemble {
    weights: [f64; 4],
    last: Option<f64>,
    /// Cycles that SEOF has risen (positive) or fallen (negative) without turning.
    run: i32,
    rng: Pcg64Mcg,
}

impl Ensemble {
    fn new(seed: u64) -> Self {
        Self {
            weights: [0.25; 4],
            last: None,
            run: 0,
            rng: Pcg64Mcg::seed_from_u64(seed),
        }
    }

    fn update(&mut self, seof: f64, components: &[f64; 4]) -> f64 {
        let change = self.last.map_or(0.0, |last| seof - last);
        self.last = Some(seof);
        if change * f64::from(self.run) < 0.0 {
            (self.run, self.weights) = (0, [0.25; 4]);
        }
        if change != 0.0 {
            self.run = self.run.saturating_add(if change > 0.0 { 1 } else { -1 });
        }
        if change != 0.0 && self.run.unsigned_abs() == MONOTONIC_CYCLES {
            self.perturb();
        }
        let value: f64 = self.weights.iter().zip(components).map(|(w, c)| w * c).sum();
        value.clamp(0.0, 1.0)
    }

    /// Shifts the weights at random: the shifts are centred, so that the sum stays 1, and scaled so that none exceeds a
    /// tenth, so that every weight stays in its range.
    fn perturb(&mut self) {
        let mut shift = [0.0; 4];
        shift
            .iter_mut()
            .for_each(|s| *s = self.rng.random_range(-PERTURBATION..=PERTURBATION));
        let mean = shift.iter().sum::<f64>() / 4.0;
        let largest = shift.iter().map(|s| (s - mean).abs()).fold(f64::MIN_POSITIVE, f64::max);
        let scale = (PERTURBATION / largest).min(1.0);
        self.weights = shift.map(|s| 0.25 + (s - mean) * scale);
    }

    fn is_valid(&self) -> bool {
        let (low, high) = WEIGHT_RANGE;
        self.weights.iter().all(|w| (low - 1e-12..=high + 1e-12).contains(w))
            && self.last.is_none_or(|l| (-1.0..=1.0).contains(&l))
    }
}

#[cfg(test)]
mod tests;
