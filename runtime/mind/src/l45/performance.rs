//! P(t) and CDI: how well the agent does its work, and over how many domains.
//!
//! The work of an agent with tasks is its tasks; that of an agent that watches is its forecasts, and its domains are its
//! groups of dimensions. Observations are counted, not cycles; a persistence that was never wrong is no evidence.

use crate::l3::action::MAX_GROUPS;
use crate::numeric::history::History;
use crate::numeric::running::RunningMean;
use crate::numeric::window::Window;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Tasks, and observations of a dimension, that performance looks back on.
pub const OUTCOMES: usize = 100;
/// Tasks, and observations of a dimension, before which there is no evidence.
pub const MIN_OUTCOMES: usize = 10;
/// Cycles without a task after which forecasts are the agent's work.
const TASK_MEMORY_CYCLES: u32 = 1000;
/// Cycles within which a fall of the success rate is looked for, and the fall that is a warning.
const FALL_CYCLES: usize = 200;
const WARNING_FALL: f64 = 0.25;
/// Skill of a forecast that is as good as persistence is this less 1.
const SKILL_AT_ZERO_ERROR: f64 = 1.5;

/// Skill in one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Skill {
    last: Option<f64>,
    error: RunningMean,
    persistence_error: RunningMean,
}

impl Default for Skill {
    fn default() -> Self {
        let horizon = OUTCOMES as u32;
        Self {
            last: None,
            error: RunningMean::new(horizon),
            persistence_error: RunningMean::new(horizon),
        }
    }
}

impl Skill {
    /// clamp(1.5 - MAE / MAE of persistence, 0, 1).
    fn value(&self) -> Option<f64> {
        let (error, persistence) = self.error.get().zip(self.persistence_error.get())?;
        let evidence = self.error.count() >= MIN_OUTCOMES as u32 && persistence > 0.0;
        evidence.then(|| (SKILL_AT_ZERO_ERROR - error / persistence).clamp(0.0, 1.0))
    }
}

/// Performance and diversity of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    skills: Vec<Skill>,
    tasks: History<bool>,
    cycles_since_task: u32,
    /// Success rate of tasks in each of the last cycles.
    success: Window,
}

/// What the cycle's performance is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// P(t), in [0, 1]; `None` without evidence.
    pub performance: Option<f64>,
    /// Capability diversity, in [0, 1].
    pub cdi: f64,
    /// Domains with evidence.
    pub domains: usize,
    /// P(t) is that of tasks, not of forecasts.
    pub of_tasks: bool,
    /// The success rate of tasks fell by more than 0.25 within 200 cycles.
    pub success_fall: bool,
}

impl Performance {
    /// Nothing done yet.
    pub fn new(dimensions: usize) -> Self {
        Self {
            skills: vec![Skill::default(); dimensions],
            tasks: History::new(OUTCOMES),
            cycles_since_task: u32::MAX,
            success: Window::new(FALL_CYCLES),
        }
    }

    /// Takes in one observation of a dimension and what had been forecast. Either may be NaN.
    pub fn observe(&mut self, dimension: usize, value: f64, forecast: f64) {
        let Some(skill) = self.skills.get_mut(dimension).filter(|_| value.is_finite()) else {
            return;
        };
        if let Some(last) = skill.last.filter(|_| forecast.is_finite()) {
            skill.error.push((value - forecast).abs());
            skill.persistence_error.push((value - last).abs());
        }
        skill.last = Some(value);
    }

    /// Takes in the tasks that succeeded and failed in a cycle, and gives its reading. Call it once per cycle, after the
    /// cycle's observations.
    pub fn cycle(&mut self, [succeeded, failed]: [u16; 2], groups: &Arc<[u16]>) -> Reading {
        self.take_tasks(usize::from(succeeded), usize::from(failed));
        let success = self.tasks.share().filter(|_| self.tasks.len() >= MIN_OUTCOMES);
        if let Some(success) = success {
            self.success.push(success);
        }
        let highest = self.success.max().unwrap_or(0.0);
        let success_fall = success.is_some_and(|now| highest - now > WARNING_FALL);
        let (masses, domains) = self.masses(groups);
        let of_tasks = success.filter(|_| self.cycles_since_task <= TASK_MEMORY_CYCLES);
        Reading {
            of_tasks: of_tasks.is_some(),
            performance: of_tasks.or_else(|| self.forecast_skill()),
            cdi: normalised_entropy(&masses[..domains]),
            domains,
            success_fall,
        }
    }

    /// More tasks in one cycle than the history holds are taken in by their share.
    fn take_tasks(&mut self, succeeded: usize, failed: usize) {
        let total = succeeded + failed;
        if total == 0 {
            self.cycles_since_task = self.cycles_since_task.saturating_add(1);
            return;
        }
        self.cycles_since_task = 0;
        let (mut good, mut bad) = (succeeded, failed);
        if total > OUTCOMES {
            good = (succeeded * OUTCOMES + total / 2) / total;
            bad = OUTCOMES - good;
        }
        (0..good).for_each(|_| self.tasks.push(true));
        (0..bad).for_each(|_| self.tasks.push(false));
    }

    /// Mean over the dimensions with evidence.
    fn forecast_skill(&self) -> Option<f64> {
        let (sum, count) = self
            .skills
            .iter()
            .filter_map(Skill::value)
            .fold((0.0, 0), |(s, n), v| (s + v, n + 1));
        (count > 0).then(|| sum / f64::from(count))
    }

    /// Mean forecast skill of each group; `None` without evidence.
    pub fn skills(&self, groups: &Arc<[u16]>) -> [Option<f64>; MAX_GROUPS] {
        let mut sums = [(0.0, 0_u32); MAX_GROUPS];
        for (skill, group) in self.skills.iter().zip(groups.iter()) {
            if let Some((value, slot)) = skill.value().zip(sums.get_mut(usize::from(*group))) {
                *slot = (slot.0 + value, slot.1 + 1);
            }
        }
        sums.map(|(sum, count)| (count > 0).then(|| sum / f64::from(count)))
    }

    /// Mean skill of each group with evidence, first, and how many there are.
    fn masses(&self, groups: &Arc<[u16]>) -> ([f64; MAX_GROUPS], usize) {
        let (mut masses, mut domains) = ([0.0; MAX_GROUPS], 0);
        for mass in self.skills(groups).into_iter().flatten() {
            masses[domains] = mass;
            domains += 1;
        }
        (masses, domains)
    }

    /// The shape is that of an environment with this many dimensions.
    pub(super) fn is_valid(&self, dimensions: usize) -> bool {
        self.skills.len() == dimensions
            && self.skills.iter().all(|s| s.last.is_none_or(f64::is_finite))
            && self.tasks.capacity() == OUTCOMES
    }
}

/// Shannon entropy of the masses' distribution over its largest value, in [0, 1]; 0 for fewer than two masses, or none
/// above 0.
fn normalised_entropy(masses: &[f64]) -> f64 {
    let total: f64 = masses.iter().sum();
    if masses.len() < 2 || total <= 0.0 {
        return 0.0;
    }
    let entropy: f64 = masses
        .iter()
        .map(|m| m / total)
        .filter(|p| *p > 0.0)
        .map(|p| -p * p.ln())
        .sum();
    (entropy / (masses.len() as f64).ln()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
