//! P(t) and CDI: how well the agent does its work, and over how many domains.
//!
//! The work of an agent with tasks is its tasks; that of an agent that watches is its forecasts, and its domains are its
//! groups of dimensions. Observations are counted, not cycles; a persistence that was never wrong is no evidence.

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

    /// Mean skill of each group with evidence, first, and how many there are.
    fn masses(&self, groups: &Arc<[u16]>) -> ([f64; crate::l3::action::MAX_GROUPS], usize) {
        let mut sums = [(0.0, 0_u32); crate::l3::action::MAX_GROUPS];
        for (skill, group) in self.skills.iter().zip(groups.iter()) {
            if let Some((value, slot)) = skill.value().zip(sums.get_mut(usize::from(*group))) {
                *slot = (slot.0 + value, slot.1 + 1);
            }
        }
        let (mut masses, mut domains) = ([0.0; crate::l3::action::MAX_GROUPS], 0);
        for (sum, count) in sums.into_iter().filter(|(_, count)| *count > 0) {
            masses[domains] = sum / f64::from(count);
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn groups(groups: &[u16]) -> Arc<[u16]> {
        Arc::from(groups)
    }

    /// A dimension that alternates between 0 and 1 (persistence is always 1 off) with a forecast that is `error` off.
    fn watch(performance: &mut Performance, dimension: usize, error: f64, times: usize) {
        for i in 0..times {
            let value = (i % 2) as f64;
            performance.observe(dimension, value, value + error);
        }
    }

    #[test]
    fn skill_is_one_and_a_half_less_the_ratio_to_persistence() {
        for (error, skill) in [(0.0, 1.0), (0.5, 1.0), (0.7, 0.8), (1.0, 0.5), (1.5, 0.0), (9.0, 0.0)] {
            let mut performance = Performance::new(1);
            watch(&mut performance, 0, error, 50);
            let read = performance.cycle([0, 0], &groups(&[0])).performance.expect("evidence");
            assert!((read - skill).abs() < 1e-12, "{error}: {read}");
        }
    }

    #[test]
    fn ten_forecasts_are_evidence_and_nine_are_none() {
        let mut performance = Performance::new(1);
        watch(&mut performance, 0, 0.7, 10);
        assert_eq!(
            performance.cycle([0, 0], &groups(&[0])).performance,
            None,
            "the first had no value before it"
        );
        performance.observe(0, 0.0, 0.7);
        assert!(performance.cycle([0, 0], &groups(&[0])).performance.is_some());
        let mut still = Performance::new(1);
        (0..100).for_each(|_| still.observe(0, 5.0, 5.0));
        assert_eq!(
            still.cycle([0, 0], &groups(&[0])).performance,
            None,
            "persistence was never wrong"
        );
    }

    #[test]
    fn tasks_come_before_forecasts_and_are_forgotten_after_a_thousand_cycles() {
        let mut performance = Performance::new(1);
        watch(&mut performance, 0, 0.5, 50);
        let one = groups(&[0]);
        assert_eq!(
            performance.cycle([4, 5], &one).performance,
            Some(1.0),
            "nine tasks are no evidence"
        );
        assert_eq!(performance.cycle([1, 0], &one).performance, Some(0.5));
        for _ in 0..1000 {
            assert_eq!(performance.cycle([0, 0], &one).performance, Some(0.5));
        }
        assert_eq!(performance.cycle([0, 0], &one).performance, Some(1.0));
    }

    #[test]
    fn a_flood_of_tasks_counts_by_its_share() {
        let mut performance = Performance::new(0);
        let read = performance.cycle([30_000, 10_000], &groups(&[])).performance;
        assert_eq!(read, Some(0.75));
    }

    #[test]
    fn a_fall_of_more_than_a_quarter_within_two_hundred_cycles_warns() {
        let mut performance = Performance::new(0);
        let none = groups(&[]);
        performance.cycle([100, 0], &none);
        for _ in 0..25 {
            assert!(!performance.cycle([0, 1], &none).success_fall);
        }
        assert!(performance.cycle([0, 1], &none).success_fall, "0.74 after 1");
        // Once 200 cycles at the lower rate have passed, it is the usual one.
        let mut falls = (0..200).map(|_| performance.cycle([0, 0], &none).success_fall);
        assert!(falls.by_ref().take(173).all(|fall| fall));
        assert!(!falls.last().expect("cycles"));
    }

    #[test]
    fn diversity_is_the_entropy_of_skill_over_groups() {
        let cdi = |errors: &[f64], of: &[u16]| {
            let mut performance = Performance::new(errors.len());
            errors
                .iter()
                .enumerate()
                .for_each(|(d, error)| watch(&mut performance, d, *error, 50));
            let reading = performance.cycle([0, 0], &groups(of));
            (reading.cdi, reading.domains)
        };
        assert_eq!(cdi(&[0.7], &[0]), (0.0, 1));
        assert_eq!(cdi(&[0.7, 0.7], &[3, 3]), (0.0, 1));
        let (even, domains) = cdi(&[0.7, 0.7, 0.7], &[0, 1, 2]);
        assert!((even - 1.0).abs() < 1e-12 && domains == 3);
        // Masses 0.75 (of 1.0 and 0.5) and 0.25: shares 3/4 and 1/4, entropy 0.811278 bits.
        let (uneven, _) = cdi(&[0.5, 1.0, 1.25], &[0, 0, 1]);
        assert!((uneven - 0.811_278_124_459_132_9).abs() < 1e-9, "{uneven}");
        assert_eq!(cdi(&[0.7, 9.0], &[0, 1]), (0.0, 2));
        assert_eq!(cdi(&[9.0, 9.0], &[0, 1]), (0.0, 2));
    }

    #[test]
    fn a_group_without_evidence_is_no_domain() {
        let mut performance = Performance::new(2);
        watch(&mut performance, 0, 0.7, 50);
        watch(&mut performance, 1, 0.7, 5);
        assert_eq!(performance.cycle([0, 0], &groups(&[0, 1])).domains, 1);
    }

    proptest! {
        #[test]
        fn readings_are_shares_whatever_comes(
            cycles in prop::collection::vec((prop::array::uniform4(any::<f64>()), any::<[u16; 2]>()), 1..60),
        ) {
            let mut performance = Performance::new(2);
            for ([a, b, c, d], tasks) in cycles {
                performance.observe(0, a, b);
                performance.observe(1, c, d);
                performance.observe(2, a, b);
                let reading = performance.cycle(tasks, &groups(&[0, 1]));
                prop_assert!(reading.performance.is_none_or(|p| (0.0..=1.0).contains(&p)));
                prop_assert!((0.0..=1.0).contains(&reading.cdi));
                prop_assert!(performance.is_valid(2));
            }
        }
    }
}
