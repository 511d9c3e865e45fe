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
mod tests {
    use super::*;

    fn acted(operations: &mut Operations, kind: ActionKind, cycles: usize) {
        (0..cycles).for_each(|_| operations.acted(kind, 0, &Outcomes::default()));
    }

    #[test]
    fn without_data_the_self_is_consistent_and_half_confident() {
        let measured = Operations::default().measure(None);
        assert_eq!(measured.identity, [1.0, 1.0, 0.5, 1.0, 1.0]);
        assert_eq!((measured.consistency_volatility, measured.goal_mutation), (0.0, 0.0));
    }

    #[test]
    fn persona_consistency_is_the_cosine_of_recent_and_long_run_actions() {
        let mut operations = Operations::default();
        acted(&mut operations, ActionKind::Hold, 50);
        acted(&mut operations, ActionKind::AskPeer, 50);
        // Recent: all AskPeer. Long run: a half each. Cosine 1 / sqrt 2.
        assert!((operations.measure(None).identity[0] - 0.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn value_alignment_is_the_share_of_proposals_that_were_not_denied() {
        let mut operations = Operations::default();
        operations.acted(
            ActionKind::Hold,
            1,
            &Outcomes {
                proposals: 4,
                denied: 2,
                ..Outcomes::default()
            },
        );
        // Proposals 1 + 1 + 4, denied 1 + 2.
        assert_eq!(operations.measure(None).identity[1], 0.5);
    }

    #[test]
    fn confidence_is_the_success_of_tasks_or_of_forecasts_without_tasks() {
        let mut operations = Operations::default();
        operations.take_in(&Outcomes::default(), Some(0.8));
        // One success, one failure, and 0.8.
        assert!((operations.measure(None).identity[2] - 0.6).abs() < 1e-15);
        let tasks = Outcomes {
            tasks_succeeded: 1,
            tasks_failed: 3,
            ..Outcomes::default()
        };
        operations.take_in(&tasks, Some(1.0));
        // And 0.25: the forecast of this cycle does not count beside a task.
        assert!((operations.measure(None).identity[2] - 0.5125).abs() < 1e-15);
        for _ in 0..100 {
            operations.take_in(&Outcomes::default(), Some(1.0));
        }
        assert!((operations.measure(None).identity[2] - 0.5125).abs() < 1e-15);
        operations.take_in(&Outcomes::default(), Some(1.0));
        assert!((operations.measure(None).identity[2] - 3.05 / 5.0).abs() < 1e-15);
    }

    #[test]
    fn calibrated_confidence_counts_by_its_weight() {
        let mut operations = Operations::default();
        assert!((operations.measure(Some((0.6, 0.5))).identity[2] - 0.55).abs() < 1e-15);
        assert_eq!(operations.measure(Some((0.6, 1.0))).identity[2], 0.6);
        assert_eq!(operations.measure(Some((f64::NAN, 1.0))).identity[2], 0.5);
    }

    #[test]
    fn emotional_stability_falls_with_the_spread_of_valence() {
        let mut operations = Operations::default();
        for valence in [0.5, 0.1] {
            operations.felt(valence);
        }
        assert!((operations.measure(None).identity[3] - 0.8).abs() < 1e-15);
    }

    #[test]
    fn goal_persistence_counts_broken_goals_among_the_last_twenty() {
        let mut operations = Operations::default();
        operations.take_in(
            &Outcomes {
                goals_kept: 3,
                goals_broken: 2,
                ..Outcomes::default()
            },
            None,
        );
        // 2 / (5 + 20).
        assert!((operations.measure(None).goal_mutation - 0.08).abs() < 1e-15);
        operations.take_in(
            &Outcomes {
                goals_broken: u16::MAX,
                ..Outcomes::default()
            },
            None,
        );
        assert_eq!(operations.measure(None).identity[4], 0.5);
    }

    #[test]
    fn consistency_volatility_is_its_spread_in_fifths() {
        let mut operations = Operations::default();
        acted(&mut operations, ActionKind::Hold, 1);
        operations.measure(None);
        acted(&mut operations, ActionKind::Hold, 49);
        acted(&mut operations, ActionKind::AskPeer, 50);
        // Persona consistency 1, then 1 / sqrt 2: deviation half the difference.
        let volatility = operations.measure(None).consistency_volatility;
        assert!((volatility - (1.0 - 0.5_f64.sqrt()) / 2.0 / 0.2).abs() < 1e-12);
    }

    #[test]
    fn affect_is_caused_by_shares_of_tasks_and_a_rise_of_seof() {
        let mut operations = Operations::default();
        operations.take_in(
            &Outcomes {
                tasks_succeeded: 3,
                tasks_failed: 1,
                ..Outcomes::default()
            },
            None,
        );
        operations.causes(0.0, 0.0, Some(0.4));
        let causes = operations.causes(0.3, 0.2, Some(0.5));
        assert_eq!(
            (causes.succeeded, causes.failed, causes.uncertainty, causes.risk),
            (0.75, 0.25, 0.3, 0.2)
        );
        assert!((causes.seof_rise - 0.1).abs() < 1e-15);
        assert_eq!(operations.causes(0.0, 0.0, Some(0.1)).seof_rise, 0.0);
    }
}
