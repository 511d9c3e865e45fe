//! The environment as the kernel sees it: all dimensions, their groups, and which forecaster speaks for each group.

use super::action::{Action, ActionKind, Forecaster, MAX_GROUPS};
use super::dimension::{Dimension, Expectation, MAX_OBSERVATION};
use super::graph::{Graph, Route, Trial, TrialOrder, TrialReport, TrialStage};
use super::models::Models;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Forecasts of an observation before which a comparison of forecasters says nothing.
pub const MIN_EVIDENCE: u32 = 50;
/// Missing samples in a row after which a dimension is out of sight.
pub(super) const OUT_OF_SIGHT: u32 = 3;

/// How far a dimension may come from its forecast before what was said of it was wrong, in standard deviations,
const OUTLOOK_SD: f64 = 4.0;
/// and at least, as a share of the forecast.
const OUTLOOK_SHARE: f64 = 1e-3;

/// All dimensions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    groups: Arc<[u16]>,
    dimensions: Vec<Dimension>,
    /// Whose forecast is used for each group.
    graph: Graph,
}

/// What one cycle's observations said.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sight {
    /// Dimensions that were observed.
    pub observed: u32,
    /// Root mean square over the observed dimensions of the forecast error, in running standard deviations; `None`
    /// when none had a forecast.
    pub error: Option<f64>,
    /// Share of them inside their 90 % interval.
    pub hits: Option<f64>,
}

/// How good the kernel's forecasts are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Skill {
    /// Mean over dimensions of the mean absolute error divided by that of persistence, over about the last 100
    /// observations; `None` without evidence.
    pub ratio: Option<f64>,
    /// Mean over dimensions of the share of realised values inside the 90 % interval.
    pub coverage: Option<f64>,
    /// Observations that were forecast.
    pub observations: u64,
}

/// What a dimension is expected to be for a while: what is said of it to others, who may check it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// The forecast of the next observation, in the dimension's unit.
    pub value: f64,
    /// It is not expected to fall below this, in the dimension's unit.
    pub lowest: f64,
    /// It is not expected to rise above this, in the dimension's unit.
    pub highest: f64,
}

impl Outlook {
    /// Around a forecast, of a dimension with this running standard deviation. Two values of a stationary process that
    /// have nothing to do with each other any more differ by more than 4 standard deviations once in 200 times; what never
    /// moved may still be a thousandth off, as whoever checks it has filtered it.
    pub fn new(forecast: f64, sd: f64) -> Self {
        let margin = (OUTLOOK_SD * sd).max(OUTLOOK_SHARE * forecast.abs());
        Self {
            value: forecast,
            lowest: forecast - margin,
            highest: forecast + margin,
        }
    }
}

impl Environment {
    /// An environment that has not been seen. `groups` gives each dimension's group, counted from 0.
    pub fn new(groups: Arc<[u16]>) -> Self {
        let count = group_count(&groups);
        let dimensions = vec![Dimension::default(); groups.len()];
        Self {
            groups,
            dimensions,
            graph: Graph::new(count),
        }
    }

    /// Each dimension's group.
    pub fn groups(&self) -> &Arc<[u16]> {
        &self.groups
    }

    /// Number of groups.
    pub fn group_count(&self) -> usize {
        self.graph.routes.len()
    }

    /// The dimensions of a group.
    pub fn members(&self, group: u16) -> impl Iterator<Item = (usize, &Dimension)> {
        self.dimensions
            .iter()
            .enumerate()
            .filter(move |(d, _)| self.groups[*d] == group)
    }

    /// Who speaks for a group.
    pub fn speaker(&self, group: u16) -> Forecaster {
        self.graph.settled(group).first()
    }

    /// From a group's sensors to its forecast, whatever is being tried.
    pub fn route(&self, group: u16) -> Route {
        self.graph.settled(group)
    }

    /// Does what L4.5 asks for, and says whether that changed the graph for good. A trial that is not asked for any more
    /// is dropped: the old route was there all the time.
    pub fn follow(&mut self, order: Option<TrialOrder>) -> bool {
        let Some(order) = order.filter(|order| usize::from(order.group) < self.group_count()) else {
            self.graph.trial = None;
            return false;
        };
        if order.number > self.graph.last_number {
            self.graph.last_number = order.number;
            self.graph.committed = false;
            self.graph.trial = Some(Trial {
                order,
                route: self.recomposed(&order),
            });
            self.forget_routes(order.group);
        }
        let Some(trial) = self
            .graph
            .trial
            .as_mut()
            .filter(|trial| trial.order.number == order.number)
        else {
            return false;
        };
        trial.order.stage = order.stage;
        let Some(route) = trial.route.filter(|_| order.stage == TrialStage::Commit) else {
            return false;
        };
        self.graph.routes[usize::from(order.group)] = route;
        self.graph.trial = None;
        self.graph.committed = true;
        self.forget_routes(order.group);
        true
    }

    /// What the trial has shown; `None` before the first.
    pub fn trial(&self) -> Option<TrialReport> {
        if self.graph.last_number == 0 {
            return None;
        }
        let trial = self.graph.trial.as_ref();
        let skills = trial.filter(|trial| trial.route.is_some()).map(|trial| {
            let known = self
                .members(trial.order.group)
                .filter_map(|(_, dimension)| dimension.route_skills(MIN_EVIDENCE));
            known.fold(([0.0; 2], 0.0), |([old, new], count), [a, b]| {
                ([old + a, new + b], count + 1.0)
            })
        });
        let skill = skills.filter(|(_, count)| *count > 0.0);
        Some(TrialReport {
            number: self.graph.last_number,
            applicable: trial.is_some_and(|trial| trial.route.is_some()),
            committed: self.graph.committed,
            skill: skill.map(|(sums, count)| sums.map(|sum| sum / count)),
        })
    }

    /// The route that an order asks for.
    fn recomposed(&self, order: &TrialOrder) -> Option<Route> {
        let mut ranked = Forecaster::ALL.map(|forecaster| (self.relative_error(order.group, forecaster), forecaster));
        // Stable: of equal errors the first forecaster comes first.
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let members = self.members(order.group).count();
        self.graph
            .settled(order.group)
            .after(order.operation, &ranked.map(|(_, forecaster)| forecaster), members)
    }

    /// Sum over a group's dimensions of a forecaster's error in errors of persistence.
    fn relative_error(&self, group: u16, forecaster: Forecaster) -> f64 {
        let each = self.members(group).filter_map(|(_, dimension)| {
            let usual = dimension.mae(Forecaster::Persistence).filter(|mae| *mae > 0.0)?;
            Some((dimension.mae(forecaster)? / usual).min(MAX_RATIO))
        });
        each.sum()
    }

    fn forget_routes(&mut self, group: u16) {
        for (dimension, own) in self.dimensions.iter_mut().zip(self.groups.iter()) {
            if *own == group {
                dimension.forget_routes();
            }
        }
    }

    /// What is expected of a dimension; `None` before its first observation.
    pub fn expectation(&self, dimension: usize) -> Option<Expectation> {
        self.dimensions
            .get(dimension)?
            .expectation(self.graph.used(self.groups[dimension]))
    }

    /// What can be said of a dimension to others; `None` before its first observation, and of one that has not been seen
    /// for longer than usual.
    pub fn outlook(&self, dimension: usize, cycle: u64) -> Option<Outlook> {
        let known = self.dimensions.get(dimension)?;
        let forecast = self.expectation(dimension)?.forecast;
        (known.overdue(cycle) < OUT_OF_SIGHT).then(|| Outlook::new(forecast, known.sd()))
    }

    /// Takes in one row of observations. What is not a number, not finite or beyond 1e100 is missing; so is what a
    /// short row lacks, and what a long one has too much of is not looked at.
    pub fn observe(&mut self, cycle: u64, row: &[f64], models: &mut Models) -> Sight {
        let (mut observed, mut squares, mut errors, mut hits, mut judged) = (0, 0.0, 0, 0, 0);
        for (d, &value) in row.iter().enumerate().take(self.dimensions.len()) {
            if measurement(value).is_none() {
                continue;
            }
            observed += 1;
            let group = self.groups[d];
            let (settled, tried) = (self.graph.settled(group), self.graph.tried(group));
            let used = self.graph.used(group);
            let dimension = &mut self.dimensions[d];
            // Of a plain route that nothing is compared with, the forecaster's own error says all.
            if tried.is_some() || settled.plain().is_none() {
                dimension.judge_routes(value, &settled, tried.as_ref().map(|(_, route)| route));
            }
            let (seen, lesson) = dimension.compare(value, used);
            if let Some(lesson) = lesson {
                models.learn_change(d, &lesson);
            }
            if let Some(error) = seen.error_sd {
                squares += error * error;
                errors += 1;
            }
            if let Some(hit) = seen.hit {
                hits += u32::from(hit);
                judged += 1;
            }
            dimension.absorb(value, cycle);
            let change = models.predict_change(ActionKind::Hold, d, &dimension.regressors());
            dimension.expect(ActionKind::Hold, change);
        }
        self.graph.turn();
        Sight {
            observed,
            error: (errors > 0).then(|| (squares / f64::from(errors)).sqrt()),
            hits: (judged > 0).then(|| f64::from(hits) / f64::from(judged)),
        }
    }

    /// Predicts what the chosen action will change in the dimensions that it touches, and carries out a switch of
    /// forecaster.
    pub fn act(&mut self, action: Action, models: &Models) {
        if let Action::SwitchForecaster { group, to } = action
            && let Some(route) = self.graph.routes.get_mut(usize::from(group))
        {
            *route = to.into();
            // What was tried was tried against another route.
            self.graph.trial = self.graph.trial.filter(|trial| trial.order.group != group);
            self.forget_routes(group);
        }
        if action == Action::Hold {
            return;
        }
        for (d, dimension) in self.dimensions.iter_mut().enumerate() {
            if action.touches(self.groups[d]) {
                let change = models.predict_change(action.kind(), d, &dimension.regressors());
                dimension.expect(action.kind(), change);
            }
        }
    }

    /// H_bel: mean over dimensions of posterior over long-run variance, in [0, 1]; 1 without dimensions.
    pub fn belief_entropy(&self, cycle: u64) -> f64 {
        if self.dimensions.is_empty() {
            return 1.0;
        }
        let sum: f64 = self.dimensions.iter().map(|d| d.uncertainty(cycle)).sum();
        (sum / self.dimensions.len() as f64).clamp(0.0, 1.0)
    }

    /// How good the forecasts are. A dimension whose persistence was never wrong is no evidence.
    pub fn skill(&self) -> Skill {
        let (mut ratio, mut ratios, mut coverage, mut covered, mut observations) = (0.0, 0, 0.0, 0, 0);
        for (dimension, group) in self.dimensions.iter().zip(self.groups.iter()) {
            observations += u64::from(dimension.forecast_count());
            if let Some(share) = dimension.coverage() {
                coverage += share;
                covered += 1;
            }
            let persistence = dimension.mae(Forecaster::Persistence).filter(|mae| *mae > 0.0);
            if let Some((own, persistence)) = dimension.route_mae(&self.graph.settled(*group)).zip(persistence) {
                ratio += (own / persistence).min(MAX_RATIO);
                ratios += 1;
            }
        }
        Skill {
            ratio: (ratios > 0).then(|| ratio / f64::from(ratios)),
            coverage: (covered > 0).then(|| coverage / f64::from(covered)),
            observations,
        }
    }

    /// The forecaster that would have served the group best, with the share of the speaker's error that it would have
    /// saved (mean over the group's dimensions, may be negative); `None` without [`MIN_EVIDENCE`] or another forecaster.
    pub fn better_forecaster(&self, group: u16) -> Option<(Forecaster, f64)> {
        let route = self.graph.settled(group);
        let saved = |candidate: Forecaster| {
            let (mut sum, mut count) = (0.0, 0);
            for (_, dimension) in self.members(group) {
                let own = dimension
                    .route_mae(&route)
                    .filter(|mae| *mae > 0.0 && dimension.forecast_count() >= MIN_EVIDENCE);
                if let Some((own, other)) = own.zip(dimension.mae(candidate)) {
                    sum += 1.0 - (other / own).min(MAX_RATIO);
                    count += 1;
                }
            }
            (count > 0).then(|| sum / f64::from(count))
        };
        Forecaster::ALL
            .into_iter()
            .filter(|candidate| route.plain() != Some(*candidate))
            .filter_map(|candidate| saved(candidate).map(|share| (candidate, share)))
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    /// The shape is that of these groups and every number is one that could have been reached.
    pub(super) fn is_valid(&self, groups: &Arc<[u16]>) -> bool {
        self.groups == *groups
            && self.dimensions.len() == groups.len()
            && self.graph.is_valid(group_count(groups))
            && self.dimensions.iter().all(Dimension::is_valid)
    }
}

/// Ratios of errors are cut here: a forecaster a hundred times worse is as bad as one can be.
const MAX_RATIO: f64 = 100.0;

/// The value, if it is one that a sensor can have measured.
pub fn measurement(value: f64) -> Option<f64> {
    (value.abs() <= MAX_OBSERVATION).then_some(value)
}

fn group_count(groups: &[u16]) -> usize {
    groups
        .iter()
        .map(|g| usize::from(*g) + 1)
        .max()
        .unwrap_or(0)
        .min(MAX_GROUPS)
}

#[cfg(test)]
mod tests;
