//! One dimension as the kernel sees it: what it expects next, how sure it is, and how well each forecaster did.
//!
//! Forecasts are of the next observation, whenever it comes. Four forecasters run side by side; the one that the
//! dimension's group has chosen speaks. Invariant: every number that leaves is finite, or `None`.

mod routes;

use super::action::{ActionKind, Forecaster};
use super::belief::{Belief, Process};
use super::graph::Route;
use crate::numeric::running::{RunningMean, Scale};
use serde::{Deserialize, Serialize};

/// Observations beyond this magnitude are no measurement and count as missing.
pub const MAX_OBSERVATION: f64 = 1e100;
/// Regressors of the linear model: constant, value, last change.
pub const REGRESSORS: usize = 3;
/// Weight of an observation one step older in the linear model.
pub const FORGETTING: f64 = 0.98;
/// Prior variance of the linear model's coefficients (regressors and target have unit scale).
pub const PRIOR_VARIANCE: f64 = 1.0;
/// Changes before which their usual size is unknown.
const MIN_CHANGES: u32 = 3;
/// Largest forecast: a value, plus or minus 6 usual changes of at most twice the largest observation.
const MAX_FORECAST: f64 = 1e102;
/// Observations over which coverage is counted.
const COVERAGE_HORIZON: u32 = 1000;
/// Standardised numbers are cut at this magnitude.
const CUT: f64 = 6.0;
/// Errors in running standard deviations are cut at this magnitude.
const ERROR_CUT: f64 = 10.0;
/// Observations over which values and changes are scaled.
const SCALE_HORIZON: u32 = 1000;
const CHANGE_HORIZON: u32 = 200;
/// Observations over which the error's size is known.
const ERROR_HORIZON: u32 = 50;
/// How much wider an error is taken after one sample.
const FEW_SAMPLES: f64 = 1.2;
/// Observations over which forecasters are compared.
pub const SKILL_HORIZON: u32 = 100;
/// Observations over which a corrector knows the mean error.
const BIAS_HORIZON: u32 = 50;
/// Sampling periods over which the usual gap is known.
const GAP_HORIZON: u32 = 20;
/// Observations over which surprises are counted.
const SURPRISE_HORIZON: u32 = 20;
/// An error of more standard deviations than this is a surprise.
pub const SURPRISE_SD: f64 = 4.0;
/// Weight of the newest value in exponential smoothing.
const SMOOTHING: f64 = 0.3;
/// Share of observations that the interval should hold.
const COVERAGE: f64 = 0.90;
/// Half width of a Gaussian 90 % interval, in standard deviations: where the adaptive one starts.
const GAUSSIAN_HALF_WIDTH: f64 = 1.645;
/// Step of the adaptive interval; its long-run coverage is [`COVERAGE`] whatever the distribution
/// (Gibbs and Candes, "Adaptive Conformal Inference Under Distribution Shift", 2021).
const INTERVAL_STEP: f64 = 0.05;
/// Bounds of the interval's half width, in standard deviations.
const HALF_WIDTH_RANGE: (f64, f64) = (0.25, 6.0);

/// What the kernel expects of the next observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// The forecast of the forecaster that speaks.
    pub forecast: f64,
    /// Standard deviation of its error: 0 while it was never wrong, `None` before the first.
    pub sd: Option<f64>,
    /// Half the width of its 90 % interval.
    pub half_width: Option<f64>,
}

/// What an observation said about what was expected.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Seen {
    /// Forecast error in running standard deviations of the dimension, within plus or minus 10; `None` without a
    /// forecast.
    pub error_sd: Option<f64>,
    /// Inside the 90 % interval; `None` without a forecast.
    pub hit: Option<bool>,
}

/// One sample for the linear model of an action's kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lesson {
    /// The kind of the last action that touched the dimension before the observation.
    pub kind: ActionKind,
    /// What was known before it.
    pub regressors: [f64; REGRESSORS],
    /// The change that came, in usual changes, within plus or minus 6.
    pub target: f64,
}

/// The dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dimension {
    scale: Scale,
    change: Scale,
    belief: Belief,
    /// The last two observations, newest first.
    last: [Option<f64>; 2],
    last_cycle: u64,
    gap: RunningMean,
    level: f64,
    /// Forecast of each forecaster; meaningless before the first observation.
    forecasts: [f64; 4],
    /// Mean absolute error of each forecaster.
    mae: [RunningMean; 4],
    /// Mean error of the settled route before its corrector.
    bias: RunningMean,
    /// Mean absolute error of the settled route, of the one that is tried and of persistence, since routes last changed.
    routed: [RunningMean; 3],
    square_error: RunningMean,
    half_width_sd: f64,
    hits: RunningMean,
    surprises: RunningMean,
    /// The kind of the last action that touched the dimension since its last observation.
    pending_kind: ActionKind,
}

impl Default for Dimension {
    fn default() -> Self {
        Self {
            scale: Scale::new(SCALE_HORIZON),
            change: Scale::new(CHANGE_HORIZON),
            belief: Belief::default(),
            last: [None; 2],
            last_cycle: 0,
            gap: RunningMean::new(GAP_HORIZON),
            level: 0.0,
            forecasts: [0.0; 4],
            mae: [RunningMean::new(SKILL_HORIZON); 4],
            bias: RunningMean::new(BIAS_HORIZON),
            routed: [RunningMean::new(SKILL_HORIZON); 3],
            square_error: RunningMean::new(ERROR_HORIZON),
            half_width_sd: GAUSSIAN_HALF_WIDTH,
            hits: RunningMean::new(COVERAGE_HORIZON),
            surprises: RunningMean::new(SURPRISE_HORIZON),
            pending_kind: ActionKind::Hold,
        }
    }
}

impl Dimension {
    /// What is expected of the next observation; `None` before the first.
    pub fn expectation(&self, route: impl Into<Route>) -> Option<Expectation> {
        self.last[0]?;
        let sd = self.error_sd();
        let half_width = sd.map(|sd| self.half_width_sd * sd);
        Some(Expectation {
            forecast: self.forecast(&route.into()),
            sd,
            half_width,
        })
    }

    /// Running standard deviation of the observations; 0 before the second.
    pub fn sd(&self) -> f64 {
        self.scale.sd()
    }

    /// Judges what was expected by an observation (finite, at most [`MAX_OBSERVATION`] in magnitude), and gives the
    /// lesson for the linear model: `None` while changes have no scale yet.
    pub fn compare(&mut self, value: f64, route: impl Into<Route>) -> (Seen, Option<Lesson>) {
        let Some(last) = self.last[0] else {
            return (Seen::default(), None);
        };
        for (mae, forecast) in self.mae.iter_mut().zip(self.forecasts) {
            mae.push((value - forecast).abs());
        }
        let error = value - self.forecast(&route.into());
        let seen = Seen {
            error_sd: Some(self.scale.in_sd(error, ERROR_CUT)),
            hit: self.judge(error),
        };
        let unit = self.usual_change();
        let lesson = (self.change.count() >= MIN_CHANGES && unit > 0.0).then(|| Lesson {
            kind: self.pending_kind,
            regressors: self.regressors(),
            target: ((value - last) / unit).clamp(-CUT, CUT),
        });
        (seen, lesson)
    }

    /// Judges the interval by an error, adapts it, and takes the error in: whether it was a hit, `None` before the first
    /// interval.
    fn judge(&mut self, error: f64) -> Option<bool> {
        let Some(sd) = self.error_sd() else {
            self.square_error.push(error * error);
            return None;
        };
        let hit = error.abs() <= self.half_width_sd * sd;
        if sd > 0.0 {
            let step = INTERVAL_STEP * if hit { COVERAGE - 1.0 } else { COVERAGE };
            self.half_width_sd = (self.half_width_sd * step.exp()).clamp(HALF_WIDTH_RANGE.0, HALF_WIDTH_RANGE.1);
        }
        let known = self.square_error.count() >= ERROR_HORIZON;
        let counted = if known && sd > 0.0 {
            error.abs().min(ERROR_CUT * sd)
        } else {
            error.abs()
        };
        self.hits.push(f64::from(u8::from(hit)));
        self.surprises
            .push(f64::from(u8::from(known && error.abs() > SURPRISE_SD * sd)));
        self.square_error.push(counted * counted);
        Some(hit)
    }

    /// Takes the observation in. [`Dimension::expect`] must follow.
    pub fn absorb(&mut self, value: f64, cycle: u64) {
        if let Some(last) = self.last[0] {
            let steps = self.overdue(cycle) + 1;
            self.gap.push(cycle.saturating_sub(self.last_cycle) as f64);
            self.change.push(value - last);
            self.belief.observe(value, steps);
            self.level += SMOOTHING * (value - self.level);
        } else {
            self.belief.observe(value, 1);
            self.level = value;
        }
        self.scale.push(value);
        self.last = [Some(value), self.last[0]];
        self.last_cycle = cycle;
        self.pending_kind = ActionKind::Hold;
    }

    /// Forecasts the next observation; `change` is what the linear model of the chosen action's kind makes of
    /// [`Dimension::regressors`], in usual changes.
    pub fn expect(&mut self, kind: ActionKind, change: Option<f64>) {
        let Some(last) = self.last[0] else { return };
        self.pending_kind = kind;
        let change = change.map_or(0.0, |c| c.clamp(-CUT, CUT)) * self.usual_change();
        self.forecasts[Forecaster::Linear.index()] = last + change;
        self.forecasts[Forecaster::Belief.index()] = self.belief.forecast(1).unwrap_or(last);
        self.forecasts[Forecaster::Smoothing.index()] = self.level;
        self.forecasts[Forecaster::Persistence.index()] = last;
    }

    /// What the linear model reads: 1, the last value standardised, the last change in usual changes; the latter two
    /// within plus or minus 6.
    pub fn regressors(&self) -> [f64; REGRESSORS] {
        let [Some(last), before] = self.last else {
            return [1.0, 0.0, 0.0];
        };
        let unit = self.usual_change();
        let change = match before {
            Some(before) if unit > 0.0 => ((last - before) / unit).clamp(-CUT, CUT),
            _ => 0.0,
        };
        [1.0, self.scale.in_sd(last - self.scale.mean(), CUT), change]
    }

    /// Root mean square of the change from one observation to the next; 0 before the first change.
    fn usual_change(&self) -> f64 {
        self.change.variance().sqrt().hypot(self.change.mean())
    }

    /// Root mean square of the forecast's errors, wider by 1.2 / n after n of them: about what Student's t asks of few
    /// samples at 90 %. `None` before the first.
    fn error_sd(&self) -> Option<f64> {
        let few = 1.0 + FEW_SAMPLES / f64::from(self.square_error.count().max(1));
        self.square_error.get().map(|square| square.sqrt() * few)
    }

    /// Samples that should have come since the last one and did not.
    pub fn overdue(&self, cycle: u64) -> u32 {
        let usual = self.gap.get().unwrap_or(1.0).max(1.0);
        let periods = (cycle.saturating_sub(self.last_cycle) as f64 / usual + 0.5).floor();
        (periods - 1.0).clamp(0.0, f64::from(u32::MAX - 1)) as u32
    }

    /// Posterior over long-run variance of L3's belief at this cycle, in [0, 1].
    pub fn uncertainty(&self, cycle: u64) -> f64 {
        self.belief.uncertainty(self.overdue(cycle))
    }

    /// The same just before the next sample.
    pub fn uncertainty_at_next(&self, cycle: u64) -> f64 {
        self.belief.uncertainty(self.overdue(cycle).saturating_add(1))
    }

    /// The process that the belief has found; `None` while there is too little to tell.
    pub fn process(&self) -> Option<Process> {
        self.belief.process()
    }

    /// Mean absolute error of a forecaster over about the last 100 observations; `None` before the first forecast.
    pub fn mae(&self, forecaster: Forecaster) -> Option<f64> {
        self.mae[forecaster.index()].get()
    }

    /// Observations that were forecast.
    pub fn forecast_count(&self) -> u32 {
        self.mae[Forecaster::Persistence.index()].count()
    }

    /// Share of the last 1000 forecast observations inside the 90 % interval.
    pub fn coverage(&self) -> Option<f64> {
        self.hits.get()
    }

    /// Share of about the last 20 observations that were more than 4 standard deviations off.
    pub fn surprise(&self) -> f64 {
        self.surprises.get().unwrap_or(0.0)
    }

    /// Every number is one that the dimension could have reached by itself.
    pub(super) fn is_valid(&self) -> bool {
        let known = self.last.iter().flatten().chain(&self.forecasts).chain([&self.level]);
        known.into_iter().all(|v| v.abs() <= MAX_FORECAST)
            && (HALF_WIDTH_RANGE.0..=HALF_WIDTH_RANGE.1).contains(&self.half_width_sd)
            && self.belief.is_valid()
    }
}

#[cfg(test)]
mod tests;
