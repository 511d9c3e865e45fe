//! Actions on trial: each promised an improvement, and is judged by what it improved once that must have come about.
//!
//! | action | promises | judged by | after |
//! | --- | --- | --- | --- |
//! | sample faster, ask a peer | less uncertainty about the group | its mean posterior variance is lower | 50 cycles |
//! | sample slower | no more than 0.10 of uncertainty | its mean posterior variance has risen by at most that | 50 cycles |
//! | switch forecaster | a smaller error of the kernel's | its error relative to persistence is lower | 50 cycles |
//! | raise an incident | something is wrong | more than 15 % of the group's values were outside their interval | at once |
//! | clear the incident | it is over | none was raised again | 200 cycles |
//! | change the period | no more late cycles | the share of late cycles has not risen | 50 cycles |
//!
//! Invariant: at most [`MAX_TRIALS`] trials; a further action is not judged.

use super::super::capability::{Outcome, Skill};
use super::Sums;
use crate::l3::ActionKind;
use crate::l3::action::MAX_GROUPS;
use crate::l48::observe::ObserveOutput;
use crate::l48::scenario;
use crate::numeric::running::RunningMean;
use crate::report::{CycleFacts, CycleReport};
use serde::{Deserialize, Serialize};

/// Most actions on trial.
pub const MAX_TRIALS: usize = 32;
/// Cycles after which most actions are judged.
pub const JUDGED_AFTER_CYCLES: u64 = 50;
/// Cycles after which a cleared incident is over.
pub const CLEARED_AFTER_CYCLES: u64 = 200;
/// Uncertainty that slower sampling may cost: what it counts as its cost.
pub const SLOWER_COSTS: f64 = 0.10;
/// Share of values outside their interval above which an incident was one: the kernel's own bound.
pub const INCIDENT_SHARE: f64 = 0.15;
/// Reports over which the kernel's relative error and the late cycles are taken.
const REPORTS: u32 = 5;
/// Relative errors are cut here.
const MAX_RATIO: f64 = 100.0;

/// One action on trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Trial {
    kind: ActionKind,
    group: Option<u16>,
    since: u64,
    /// The quantity that it is judged by, when it was taken.
    before: f64,
}

/// All actions on trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawTrials", into = "RawTrials")]
pub struct Trials {
    open: Vec<Trial>,
    /// The kernel's error relative to persistence, by group.
    kernel_error: Vec<RunningMean>,
    /// Share of late cycles.
    late: RunningMean,
}

/// What [`Trials`] reads and writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RawTrials {
    open: Vec<Trial>,
    kernel_error: Vec<RunningMean>,
    late: RunningMean,
}

/// Stored trials are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} actions on trial, or a damaged one; expected at most {MAX_TRIALS}")]
pub struct TrialsError {
    found: usize,
}

impl Trials {
    /// No action yet, in an environment with this many groups.
    pub fn new(groups: usize) -> Self {
        Self {
            open: Vec::new(),
            kernel_error: vec![RunningMean::new(REPORTS); groups.min(MAX_GROUPS)],
            late: RunningMean::new(REPORTS),
        }
    }

    /// Groups that are told apart.
    pub fn groups(&self) -> usize {
        self.kernel_error.len()
    }

    /// Takes a report in: new actions go on trial, and those whose time has come are judged.
    pub fn step(
        &mut self,
        groups: &[u16],
        report: &CycleReport,
        world: &ObserveOutput,
        scenario: scenario::Kind,
    ) -> Vec<Outcome> {
        let uncertainty = |group: Option<u16>| group.and_then(|group| mean_variance(group, groups, world));
        let mut judged = Vec::new();
        for facts in &report.facts {
            self.open_trial(facts, &uncertainty, &mut judged, &world.scores, groups);
        }
        self.measure(groups, report);
        let cycle = world.cycle;
        let open = std::mem::take(&mut self.open);
        for trial in open {
            let age = cycle.saturating_sub(trial.since);
            if age < due_after(trial.kind) {
                self.open.push(trial);
                continue;
            }
            let now = match trial.kind {
                ActionKind::SwitchForecaster => self.kernel_error_of(trial.group),
                ActionKind::ChangePeriod => self.late.get(),
                ActionKind::ClearIncident => Some(0.0),
                _ => uncertainty(trial.group),
            };
            judged.extend(now.map(|now| (trial.kind, kept_its_promise(trial.kind, trial.before, now))));
        }
        let outcome = |(kind, succeeded)| Outcome {
            skill: Skill::Act(kind),
            succeeded,
            cycle,
            scenario,
        };
        judged.into_iter().map(outcome).collect()
    }

    fn open_trial(
        &mut self,
        facts: &CycleFacts,
        uncertainty: &impl Fn(Option<u16>) -> Option<f64>,
        judged: &mut Vec<(ActionKind, bool)>,
        scores: &[crate::l48::observe::Score],
        groups: &[u16],
    ) {
        let (kind, group) = (facts.action, facts.action_group);
        let before = match kind {
            ActionKind::Hold => return,
            ActionKind::RaiseIncident => {
                // The one before was not over.
                let cleared = |trial: &Trial| trial.kind == ActionKind::ClearIncident;
                if let Some(at) = self.open.iter().position(cleared) {
                    self.open.remove(at);
                    judged.push((ActionKind::ClearIncident, false));
                }
                let share = group.and_then(|group| Sums::of(group, groups, scores).outside_share());
                judged.extend(share.map(|share| (kind, share > INCIDENT_SHARE)));
                return;
            }
            ActionKind::SwitchForecaster => self.kernel_error_of(group),
            ActionKind::ChangePeriod => self.late.get().or(Some(0.0)),
            ActionKind::ClearIncident => Some(0.0),
            ActionKind::SampleFaster | ActionKind::SampleSlower | ActionKind::AskPeer => uncertainty(group),
        };
        if let Some(before) = before.filter(|_| self.open.len() < MAX_TRIALS) {
            self.open.push(Trial {
                kind,
                group,
                since: facts.cycle,
                before,
            });
        }
    }

    /// The kernel's relative error and the late cycles, with this report.
    fn measure(&mut self, groups: &[u16], report: &CycleReport) {
        for (group, mean) in self.kernel_error.iter_mut().enumerate() {
            let member = |dimension: &usize| groups.get(*dimension).is_some_and(|of| usize::from(*of) == group);
            if let Some(ratio) = relative_error((0..report.dimensions).filter(member), report) {
                mean.push(ratio);
            }
        }
        if !report.facts.is_empty() {
            let late = report.facts.iter().filter(|facts| facts.late).count();
            self.late.push(late as f64 / report.facts.len() as f64);
        }
    }

    fn kernel_error_of(&self, group: Option<u16>) -> Option<f64> {
        self.kernel_error.get(usize::from(group?))?.get()
    }

    /// The level was frozen: what was on trial counts as failed, in the scenario then.
    pub fn interrupt(&mut self, cycle: u64, scenario: scenario::Kind) -> Vec<Outcome> {
        let failed = |trial: Trial| Outcome {
            skill: Skill::Act(trial.kind),
            succeeded: false,
            cycle,
            scenario,
        };
        std::mem::take(&mut self.open).into_iter().map(failed).collect()
    }
}

fn due_after(kind: ActionKind) -> u64 {
    match kind {
        ActionKind::ClearIncident => CLEARED_AFTER_CYCLES,
        _ => JUDGED_AFTER_CYCLES,
    }
}

/// The quantity that the action is judged by came to be `now`, as the action promised.
pub fn kept_its_promise(kind: ActionKind, before: f64, now: f64) -> bool {
    match kind {
        ActionKind::SampleFaster | ActionKind::AskPeer | ActionKind::SwitchForecaster => now < before,
        ActionKind::SampleSlower => now <= before + SLOWER_COSTS,
        ActionKind::ChangePeriod | ActionKind::ClearIncident => now <= before,
        ActionKind::Hold | ActionKind::RaiseIncident => true,
    }
}

/// Mean posterior variance of a group; `None` of one without a dimension.
fn mean_variance(group: u16, groups: &[u16], world: &ObserveOutput) -> Option<f64> {
    let members = world.variance.iter().zip(groups).filter(|(_, of)| **of == group);
    let (sum, count) = members.fold((0.0, 0.0), |(sum, count), (variance, _)| (sum + variance, count + 1.0));
    (count > 0.0).then(|| sum / count).filter(|mean: &f64| mean.is_finite())
}

/// The kernel's mean absolute error in a report relative to that of persistence; `None` without evidence.
fn relative_error(members: impl Iterator<Item = usize>, report: &CycleReport) -> Option<f64> {
    let (mut error, mut persistence) = (0.0, 0.0);
    for dimension in members {
        let mut last: Option<f64> = None;
        for row in 0..report.facts.len() {
            let cell = row * report.dimensions + dimension;
            let Some(observed) = report.observations.get(cell).copied().filter(|value| value.is_finite()) else {
                continue;
            };
            let forecast = report.forecasts.get(cell).copied().filter(|value| value.is_finite());
            if let Some((forecast, last)) = forecast.zip(last) {
                error += (observed - forecast).abs();
                persistence += (observed - last).abs();
            }
            last = Some(observed);
        }
    }
    let ratio = error / persistence;
    (persistence > 0.0 && ratio.is_finite()).then(|| ratio.min(MAX_RATIO))
}

impl TryFrom<RawTrials> for Trials {
    type Error = TrialsError;

    fn try_from(raw: RawTrials) -> Result<Self, TrialsError> {
        let sound = |trial: &Trial| trial.before.is_finite();
        if raw.open.len() > MAX_TRIALS || raw.kernel_error.len() > MAX_GROUPS || !raw.open.iter().all(sound) {
            return Err(TrialsError { found: raw.open.len() });
        }
        Ok(Self {
            open: raw.open,
            kernel_error: raw.kernel_error,
            late: raw.late,
        })
    }
}

impl From<Trials> for RawTrials {
    fn from(trials: Trials) -> Self {
        Self {
            open: trials.open,
            kernel_error: trials.kernel_error,
            late: trials.late,
        }
    }
}

#[cfg(test)]
mod tests;
