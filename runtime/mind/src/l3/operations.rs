//! What the agent did and what came of it, over the last 50 cycles: the data that the identity vector is measured from.

use super::action::ActionKind;
use super::affect::Causes;
use super::identity::COMPONENTS;
use crate::numeric::history::History;
use crate::numeric::running::RunningMean;
use crate::numeric::window::Window;
use serde::{Deserialize, Serialize};

/// Cycles over which the self-model looks back.
pub const CYCLES: usize = 50;
/// Cycles over which the long-run distribution of actions averages.
const LONG_RUN_CYCLES: u32 = 1000;
/// Closed goals that goal persistence looks back on.
const CLOSED_GOALS: usize = 20;
/// Cycles without a closed task after which forecasts stand for tasks.
const TASK_MEMORY_CYCLES: u32 = 100;
/// Standard deviation of persona consistency that counts as full volatility.
const CONSISTENCY_SD: f64 = 0.2;
/// Before any evidence, one success and one failure are taken for granted (Laplace's rule of succession): confidence
/// starts at a half and the first outcome does not make it certain.
const PRIOR_OUTCOMES: [f64; 2] = [1.0, 0.0];

/// What came of earlier actions since the last cycle, as the host counted it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Tasks that succeeded.
    pub tasks_succeeded: u16,
    /// Tasks that failed.
    pub tasks_failed: u16,
    /// Tasks and messages that were proposed (the kernel's own actions are counted by itself).
    pub proposals: u16,
    /// Those of them that policy or ethics denied.
    pub denied: u16,
    /// Goals that closed as they were set.
    pub goals_kept: u16,
    /// Goals that were abandoned, or closed other than they were set.
    pub goals_broken: u16,
    /// Skills and goals that the agent gave itself.
    pub expansions: u16,
    /// Decisions about strategy made above the kernel.
    pub strategy_decisions: u16,
    /// Those of them that changed strategy or goal.
    pub strategy_changes: u16,
    /// Those of the changes that took back an earlier one.
    pub strategy_flips: u16,
    /// Effects with a Lookahead's origin; each is a breach.
    pub breaches: u16,
}

impl Outcomes {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Outcomes) -> Outcomes {
        let sum = |of: fn(&Outcomes) -> u16| of(&self).saturating_add(of(&other));
        Outcomes {
            tasks_succeeded: sum(|o| o.tasks_succeeded),
            tasks_failed: sum(|o| o.tasks_failed),
            proposals: sum(|o| o.proposals),
            denied: sum(|o| o.denied),
            goals_kept: sum(|o| o.goals_kept),
            goals_broken: sum(|o| o.goals_broken),
            expansions: sum(|o| o.expansions),
            strategy_decisions: sum(|o| o.strategy_decisions),
            strategy_changes: sum(|o| o.strategy_changes),
            strategy_flips: sum(|o| o.strategy_flips),
            breaches: sum(|o| o.breaches),
        }
    }
}

/// What the operational data say of the self.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// The identity vector as measured, each in [0, 1].
    pub identity: [f64; COMPONENTS],
    /// Standard deviation of persona consistency over 50 cycles, in units of 0.2, clamped to 1.
    pub consistency_volatility: f64,
    /// (Abandoned or mutated of the last 20 closed goals) / (closed + 20), in [0, 0.5].
    pub goal_mutation: f64,
}

/// The operational data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operations {
    recent_kinds: History<ActionKind>,
    long_run: [f64; 8],
    /// Cycles in `long_run`, counted up to its horizon.
    long_run_cycles: u32,
    proposals: Window,
    denied: Window,
    succeeded: Window,
    failed: Window,
    /// Share of successes: of tasks, or of forecasts that stayed inside their interval.
    success: RunningMean,
    cycles_since_task: u32,
    valence: Window,
    consistency: Window,
    /// True for each closed goal that was broken.
    goals: History<bool>,
    seof: Window,
}

impl Default for Operations {
    fn default() -> Self {
        let mut success = RunningMean::new(CYCLES as u32);
        PRIOR_OUTCOMES.into_iter().for_each(|outcome| success.push(outcome));
        Self {
            recent_kinds: History::new(CYCLES),
            long_run: [0.0; 8],
            long_run_cycles: 0,
            proposals: Window::new(CYCLES),
            denied: Window::new(CYCLES),
            succeeded: Window::new(CYCLES),
            failed: Window::new(CYCLES),
            success,
            cycles_since_task: TASK_MEMORY_CYCLES,
            valence: Window::new(CYCLES),
            consistency: Window::new(CYCLES),
            goals: History::new(CLOSED_GOALS),
            seof: Window::new(CYCLES),
        }
    }
}

impl Operations {
    /// Takes in what the host counted. `forecast_hits` is the share of this cycle's observations inside their forecast
    /// interval, `None` without one: the success of an agent that only watches.
    pub fn take_in(&mut self, outcomes: &Outcomes, forecast_hits: Option<f64>) {
        let (succeeded, failed) = (f64::from(outcomes.tasks_succeeded), f64::from(outcomes.tasks_failed));
        self.succeeded.push(succeeded);
        self.failed.push(failed);
        self.cycles_since_task = self.cycles_since_task.saturating_add(1);
        if succeeded + failed > 0.0 {
            self.cycles_since_task = 0;
            self.success.push(succeeded / (succeeded + failed));
        } else if let Some(hits) = forecast_hits.filter(|_| self.cycles_since_task > TASK_MEMORY_CYCLES) {
            self.success.push(hits.clamp(0.0, 1.0));
        }
        for broken in [(outcomes.goals_kept, false), (outcomes.goals_broken, true)] {
            (0..usize::from(broken.0).min(CLOSED_GOALS)).for_each(|_| self.goals.push(broken.1));
        }
    }

    /// Takes in the cycle's own action and how many proposals the gate refused before it, with what the host counted.
    pub fn acted(&mut self, kind: ActionKind, refused: u16, outcomes: &Outcomes) {
        self.recent_kinds.push(kind);
        self.long_run_cycles = (self.long_run_cycles + 1).min(LONG_RUN_CYCLES);
        let rate = 1.0 / f64::from(self.long_run_cycles);
        for (index, share) in self.long_run.iter_mut().enumerate() {
            *share += rate * (f64::from(u8::from(index == kind.index())) - *share);
        }
        self.proposals
            .push(1.0 + f64::from(refused) + f64::from(outcomes.proposals));
        self.denied
            .push(f64::from(refused) + f64::from(outcomes.denied.min(outcomes.proposals)));
    }

    /// Takes in the cycle's valence.
    pub fn felt(&mut self, valence: f64) {
        self.valence.push(valence);
    }

    /// Measures the self. `calibrated` is the mean calibrated confidence that a level above knows, with its weight.
    pub fn measure(&mut self, calibrated: Option<(f64, f64)>) -> Measurement {
        let consistency = self.persona_consistency();
        self.consistency.push(consistency);
        let goal_mutation = self.goal_mutation();
        let valence_sd = self.valence.sd().unwrap_or(0.0);
        Measurement {
            identity: [
                consistency,
                1.0 - self.denied_share(),
                self.confidence(calibrated),
                (1.0 - valence_sd).clamp(0.0, 1.0),
                1.0 - goal_mutation,
            ],
            consistency_volatility: (self.consistency.sd().unwrap_or(0.0) / CONSISTENCY_SD).min(1.0),
            goal_mutation,
        }
    }

    /// What affect follows; the uncertainty and the risk come from whoever knows them best.
    pub fn causes(&mut self, uncertainty: f64, risk: f64, seof: Option<f64>) -> Causes {
        if let Some(seof) = seof {
            self.seof.push(seof);
        }
        let (succeeded, failed) = (self.succeeded.sum(), self.failed.sum());
        let tasks = (succeeded + failed).max(1.0);
        let rise = self
            .seof
            .newest()
            .zip(self.seof.oldest())
            .map_or(0.0, |(new, old)| new - old);
        Causes {
            uncertainty,
            failed: failed / tasks,
            succeeded: succeeded / tasks,
            risk,
            seof_rise: rise.max(0.0),
        }
    }

    /// Cosine similarity of the actions of the last 50 cycles to the long-run distribution; 1 before the first.
    fn persona_consistency(&self) -> f64 {
        let mut recent = [0.0; 8];
        for kind in self.recent_kinds.unordered() {
            recent[kind.index()] += 1.0;
        }
        let dot = |a: &[f64; 8], b: &[f64; 8]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let length = (dot(&recent, &recent) * dot(&self.long_run, &self.long_run)).sqrt();
        if length > 0.0 {
            (dot(&recent, &self.long_run) / length).clamp(0.0, 1.0)
        } else {
            1.0
        }
    }

    fn denied_share(&self) -> f64 {
        let proposals = self.proposals.sum();
        if proposals > 0.0 {
            (self.denied.sum() / proposals).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    fn confidence(&self, calibrated: Option<(f64, f64)>) -> f64 {
        let own = self.success.get().unwrap_or(0.0);
        match calibrated {
            Some((confidence, weight)) if confidence.is_finite() => {
                ((1.0 - weight) * own + weight * confidence.clamp(0.0, 1.0)).clamp(0.0, 1.0)
            }
            _ => own,
        }
    }

    fn goal_mutation(&self) -> f64 {
        let closed = self.goals.len() as f64;
        self.goals.share().unwrap_or(0.0) * closed / (closed + CLOSED_GOALS as f64)
    }

    /// The long-run distribution is one.
    pub(super) fn is_valid(&self) -> bool {
        self.long_run.iter().all(|share| (0.0..=1.0).contains(share)) && self.long_run_cycles <= LONG_RUN_CYCLES
    }
}

#[cfg(test)]
mod tests;
