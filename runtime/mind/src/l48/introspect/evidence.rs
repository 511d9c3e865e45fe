//! Evidence: what of a report counts as a success or failure of which skill.
//!
//! - Forecasting a group: a report - or as many as it takes for five values, where sensors are slower - succeeds if at
//!   least [`INSIDE_SHARE`] of the group's values were inside their 90 % interval and the mean error was below that of
//!   persistence. Where persistence was not wrong there is no evidence of errors.
//! - Actions promise something, and are judged once it must have come about ([`trials`]).
//! - Logical reasoning: a report succeeds if what the agent expected its actions to do to itself was wrong by less than
//!   0.02 in the mean, the bound of L3's convergence. Resource management: if the runway is above 100 cycles (Definition
//!   4). Abstract planning: a change of strategy succeeds unless it takes back an earlier one.
//! - Tasks succeed or fail as they were counted.

pub mod trials;

use super::capability::{General, Outcome, Skill};
use crate::l48::observe::{ObserveOutput, Score};
use crate::l48::scenario;
use crate::report::CycleReport;
use serde::{Deserialize, Serialize};

/// Share of a report's values that are to be inside their 90 % interval: with ten values one more than expected may be
/// outside.
pub const INSIDE_SHARE: f64 = 0.8;
/// Values before which nothing is said of a forecast.
pub const MIN_VALUES: u32 = 5;
/// Mean error of the self-prediction below which it came true (mind, L3: converged).
pub const REASONING_ERROR: f64 = 0.02;
/// Runway that good management keeps, in cycles (Definition 4).
pub const RUNWAY_CYCLES: f64 = 100.0;
/// Outcomes of one sort that one report brings at most.
pub const MAX_OF_A_SORT: u32 = 50;
/// The number of tasks whose kind is not told.
pub const PLAIN_TASK: u16 = 0;

/// The scenario that is the most probable now; the first of equals.
pub fn prevailing(world: &ObserveOutput) -> scenario::Kind {
    let each = world.scenarios.iter();
    let best = each.reduce(|best, next| {
        if next.probability > best.probability {
            next
        } else {
            best
        }
    });
    best.map_or(scenario::Kind::Baseline, |scenario| scenario.kind)
}

/// How well a group was forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Values that were forecast with an interval.
    pub judged: u32,
    /// Those inside it.
    pub inside: u32,
    /// Sum of absolute errors where persistence was wrong.
    pub error: f64,
    /// Sum of absolute errors of persistence.
    pub persistence: f64,
}

impl Sums {
    /// Those of one group in a report; `groups` has the group of each dimension.
    pub fn of(group: u16, groups: &[u16], scores: &[Score]) -> Self {
        let mut sums = Self::default();
        sums.add(group, groups, scores);
        sums
    }

    /// Takes in what a report says of the group.
    fn add(&mut self, group: u16, groups: &[u16], scores: &[Score]) {
        let of_group = |score: &&Score| groups.get(usize::from(score.dimension)) == Some(&group);
        for score in scores.iter().filter(of_group) {
            let error = (score.observed - score.forecast).abs();
            let persistence = (score.observed - score.persistence).abs();
            if error.is_finite() && persistence.is_finite() && score.half_width.is_finite() {
                self.judged += 1;
                self.inside += u32::from(error <= score.half_width);
                if persistence > 0.0 {
                    self.error += error;
                    self.persistence += persistence;
                }
            }
        }
    }

    /// Whether the forecast did what it is for, as soon as there are enough values: those of the next reports then
    /// count anew.
    fn judge(&mut self, group: u16, groups: &[u16], scores: &[Score]) -> Option<bool> {
        self.add(group, groups, scores);
        if self.judged < MIN_VALUES {
            return None;
        }
        std::mem::take(self).succeeded()
    }

    /// Share of values outside their interval; `None` of too few.
    pub fn outside_share(&self) -> Option<f64> {
        let share = || f64::from(self.judged - self.inside) / f64::from(self.judged);
        (self.judged >= MIN_VALUES).then(share)
    }

    /// Whether the forecast did what it is for; `None` without evidence.
    pub fn succeeded(&self) -> Option<bool> {
        let outside = self.outside_share().filter(|_| self.persistence > 0.0)?;
        Some(1.0 - outside >= INSIDE_SHARE - 1e-9 && self.error < self.persistence)
    }
}

/// The outcomes of a report that are known at once; `forecasts` has what is still to be judged of each group's.
pub fn outcomes(groups: &[u16], forecasts: &mut [Sums], report: &CycleReport, world: &ObserveOutput) -> Vec<Outcome> {
    let scenario = prevailing(world);
    let mut outcomes = Vec::new();
    let mut add = |skill: Skill, succeeded: bool, times: u32| {
        let outcome = Outcome {
            skill,
            succeeded,
            cycle: world.cycle,
            scenario,
        };
        outcomes.extend((0..times.min(MAX_OF_A_SORT)).map(|_| outcome));
    };
    for (group, forecast) in (0..).zip(forecasts) {
        if let Some(succeeded) = forecast.judge(group, groups, &world.scores) {
            add(Skill::Forecast { group }, succeeded, 1);
        }
    }
    let facts = &report.facts;
    if !facts.is_empty() {
        let error = facts.iter().map(|facts| facts.identity_error).sum::<f64>() / facts.len() as f64;
        add(Skill::General(General::LogicalReasoning), error < REASONING_ERROR, 1);
    }
    if !report.resources.is_empty() {
        add(
            Skill::General(General::ResourceManagement),
            world.rdf > RUNWAY_CYCLES,
            1,
        );
    }
    let flips: u32 = facts.iter().map(|facts| u32::from(facts.strategy_flips)).sum();
    let changes: u32 = facts.iter().map(|facts| u32::from(facts.strategy_changes)).sum();
    let planning = Skill::General(General::AbstractPlanning);
    add(planning, true, changes.saturating_sub(flips));
    add(planning, false, flips);
    for (index, succeeded) in [true, false].into_iter().enumerate() {
        let tasks = facts.iter().map(|facts| u32::from(facts.tasks[index])).sum();
        add(Skill::Task { number: PLAIN_TASK }, succeeded, tasks);
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l48::fixtures;
    use crate::l48::scenario::{Kind, Scenario};
    use crate::report::Resource;

    fn score(dimension: u16, error: f64, persistence: f64) -> Score {
        Score {
            cycle: 1,
            dimension,
            forecast: 10.0,
            half_width: 1.0,
            persistence: 10.0 + error - persistence,
            observed: 10.0 + error,
            ..Score::default()
        }
    }

    fn succeeded(errors: &[f64], persistence: f64) -> Option<bool> {
        let scores: Vec<Score> = errors.iter().map(|error| score(0, *error, persistence)).collect();
        Sums::of(0, &[0], &scores).succeeded()
    }

    #[test]
    fn a_forecast_succeeds_inside_its_interval_and_better_than_persistence() {
        // Eight of ten inside, mean error 0.75.
        let eight = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1.75, 1.75];
        assert_eq!(succeeded(&eight, 0.8125), Some(true));
        assert_eq!(succeeded(&eight, 0.75), Some(false), "no better than persistence");
        let seven = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1.1, 1.1, 1.1];
        assert_eq!(succeeded(&seven, 9.0), Some(false), "too many outside");
    }

    #[test]
    fn four_values_and_a_persistence_that_was_never_wrong_are_no_evidence() {
        assert_eq!(succeeded(&[0.1; 4], 1.0), None);
        assert_eq!(succeeded(&[0.1; 5], 1.0), Some(true));
        assert_eq!(succeeded(&[0.0; 10], 0.0), None);
        assert_eq!(succeeded(&[f64::NAN; 10], 1.0), None);
        // Wrong by 0.9 four times where nothing changed, and by 0.5 where persistence was wrong by 0.6.
        let mut scores = vec![score(0, 0.9, 0.0); 4];
        scores.push(score(0, 0.5, 0.6));
        assert_eq!(Sums::of(0, &[0], &scores).succeeded(), Some(true));
    }

    #[test]
    fn what_is_seldom_seen_is_judged_over_as_many_reports_as_it_takes() {
        let mut sums = Sums::default();
        let of = |count: usize| vec![score(0, 0.5, 1.0); count];
        let judged = [2, 2, 1, 4, 0, 3].map(|count| sums.judge(0, &[0], &of(count)));
        assert_eq!(judged, [None, None, Some(true), None, None, Some(true)]);
        assert_eq!(sums, Sums::default());
    }

    fn world() -> ObserveOutput {
        ObserveOutput {
            cycle: 10,
            rdf: 100.0,
            scenarios: [(Kind::Baseline, 0.3), (Kind::Disruption, 0.5)]
                .map(|(kind, probability)| Scenario {
                    kind,
                    probability,
                    ..Scenario::default()
                })
                .into(),
            ..ObserveOutput::default()
        }
    }

    fn at_once(report: &CycleReport, world: &ObserveOutput) -> Vec<Outcome> {
        outcomes(&[0], &mut [Sums::default()], report, world)
    }

    fn counted(outcomes: &[Outcome], skill: Skill) -> (usize, usize) {
        let of_skill = |succeeded: bool| {
            let matching = outcomes.iter().filter(|o| (o.skill, o.succeeded) == (skill, succeeded));
            matching.count()
        };
        (of_skill(true), of_skill(false))
    }

    #[test]
    fn an_outcome_has_the_prevailing_scenario() {
        let report = fixtures::report(10, 1, |_, _| 0.0);
        let outcomes = at_once(&report, &world());
        assert!(
            outcomes
                .iter()
                .all(|outcome| outcome.scenario == Kind::Disruption && outcome.cycle == 10)
        );
        assert_eq!(prevailing(&ObserveOutput::default()), Kind::Baseline);
    }

    #[test]
    fn reasoning_fails_from_a_mean_error_of_two_hundredths() {
        let mut report = fixtures::report(10, 1, |_, _| 0.0);
        let reasoning = Skill::General(General::LogicalReasoning);
        report.facts[0].identity_error = 0.199;
        assert_eq!(counted(&at_once(&report, &world()), reasoning), (1, 0));
        report.facts[0].identity_error = 0.2;
        assert_eq!(counted(&at_once(&report, &world()), reasoning), (0, 1));
        report.facts[0].identity_error = f64::NAN;
        assert_eq!(counted(&at_once(&report, &world()), reasoning), (0, 1));
    }

    #[test]
    fn management_needs_a_runway_above_100_cycles_and_a_resource() {
        let mut report = fixtures::report(10, 1, |_, _| 0.0);
        let management = Skill::General(General::ResourceManagement);
        assert_eq!(counted(&at_once(&report, &world()), management), (0, 0));
        report.resources = vec![Resource::default()];
        assert_eq!(counted(&at_once(&report, &world()), management), (0, 1));
        let long = ObserveOutput { rdf: 100.1, ..world() };
        assert_eq!(counted(&at_once(&report, &long), management), (1, 0));
    }

    #[test]
    fn planning_and_tasks_are_counted_and_bounded() {
        let mut report = fixtures::report(10, 1, |_, _| 0.0);
        (report.facts[2].strategy_changes, report.facts[2].strategy_flips) = (3, 1);
        report.facts[4].tasks = [4, 2];
        report.facts[5].tasks = [u16::MAX, 0];
        let outcomes = at_once(&report, &world());
        assert_eq!(counted(&outcomes, Skill::General(General::AbstractPlanning)), (2, 1));
        assert_eq!(counted(&outcomes, Skill::Task { number: PLAIN_TASK }), (50, 2));
    }
}
