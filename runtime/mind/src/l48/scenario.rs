//! Scenarios: five ways in which the environment may go on, weighed by how well each has fitted (MSCP Level 4.8,
//! section 3.3).
//!
//! A scenario is a path and a spread of each dimension, counted from the belief at the last report: baseline follows
//! Definition 9; optimistic is calmer; in pessimistic and disruption today's departure from the long-run mean stays,
//! with a wider spread; in alternative it is gone at once. What is realised before the next report is compared with
//! the paths that were drawn before it.
//!
//! - Probabilities: prior times likelihood of the last 100 rows. Ten rows share the report from which they were drawn,
//!   so they count as one: the exponent is the mean log likelihood times a tenth of the rows.
//! - Envelope: between the 5 % and the 95 % quantile of the mixture of all scenarios.

use super::ar::{Model, Transition};
use crate::numeric::bits::{BitWindow, Tally};
use crate::numeric::condense::{Refused, narrow};
use crate::numeric::normal;
use crate::numeric::window::Window;
use crate::report::REPORT_CYCLES;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of scenarios.
pub const SCENARIOS: usize = 5;
/// Rows over which the fit is taken.
const FIT_ROWS: usize = 100;
/// Realised values per dimension over which coverage is taken.
const COVERAGE_OBSERVATIONS: u16 = 200;
/// Share of the mixture below, and above, the envelope.
const ENVELOPE_TAIL: f64 = 0.05;
/// The least probability: a scenario that never fits stays in view.
const MIN_PROBABILITY: f64 = 0.02;
/// Least log likelihood of a row and scenario: one wild value must not decide for 100 rows.
const MIN_LN_FIT: f64 = -20.0;
/// Greatest log likelihood that a snapshot may hold: that of the least variance is 6.
const MAX_LN_FIT: f64 = 20.0;
/// Rows that a snapshot keeps as their mean: about those of two reports.
const KEPT_TOGETHER: usize = 2 * REPORT_CYCLES;

/// Which scenario.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Current trends go on.
    #[default]
    Baseline,
    /// Calm, and resources last longer.
    Optimistic,
    /// Departures stay, and resources go faster.
    Pessimistic,
    /// A major shift.
    Disruption,
    /// Back to the long run at once.
    Alternative,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Baseline => "baseline",
            Kind::Optimistic => "optimistic",
            Kind::Pessimistic => "pessimistic",
            Kind::Disruption => "disruption",
            Kind::Alternative => "alternative",
        })
    }
}

/// One scenario.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Which.
    pub kind: Kind,
    /// Its probability now; the five sum to 1.
    pub probability: f64,
    /// Factor on the standard deviation of what is forecast.
    pub spread: f64,
    /// Factor on the consumption of resources.
    pub consumption: f64,
}

/// What makes a scenario: kind, prior, spread, consumption, and how much of a departure is left after each step
/// relative to Definition 9.
const TABLE: [(Kind, f64, f64, f64, Departure); SCENARIOS] = [
    (Kind::Baseline, 0.50, 1.0, 1.0, Departure::Decays),
    (Kind::Optimistic, 0.15, 0.6, 0.7, Departure::Decays),
    (Kind::Pessimistic, 0.20, 1.5, 1.5, Departure::Stays),
    (Kind::Disruption, 0.10, 3.0, 2.0, Departure::Stays),
    (Kind::Alternative, 0.05, 1.0, 1.0, Departure::Gone),
];

/// What becomes of today's departure from the long-run mean.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Departure {
    Decays,
    Stays,
    Gone,
}

/// Where a dimension stood at the last report, in standard deviations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Anchor {
    /// Posterior mean.
    pub mean: f64,
    /// Posterior variance.
    pub variance: f64,
    /// Transition over one cycle.
    pub transition: Transition,
    /// Observation noise.
    pub noise: f64,
}

impl Anchor {
    /// From a belief's moments and its model, whose transition is taken over one cycle.
    pub fn new(mean: f64, variance: f64, model: &Model, interval_cycles: f64) -> Self {
        Self {
            mean,
            variance,
            transition: model.transition.over(1.0 / interval_cycles),
            noise: model.noise,
        }
    }

    /// Mean and variance of the observation `cycles` later in a scenario.
    fn outlook(&self, index: usize, cycles: u64) -> (f64, f64) {
        let (_, _, spread, _, departure) = TABLE[index];
        let ahead = self.transition.over(cycles as f64);
        let mean = match departure {
            Departure::Decays => ahead.predict(self.mean),
            Departure::Stays => self.mean,
            Departure::Gone => self.transition.mean,
        };
        let variance = ahead.phi * ahead.phi * self.variance + ahead.variance + self.noise;
        (mean, spread * spread * variance)
    }
}

/// The scenarios with their evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scenarios {
    fits: [Window; SCENARIOS],
    inside: Vec<BitWindow>,
    probabilities: [f64; SCENARIOS],
}

impl Scenarios {
    /// The priors, for this many dimensions.
    pub fn new(dimensions: usize) -> Self {
        Self {
            fits: std::array::from_fn(|_| Window::new(FIT_ROWS)),
            inside: vec![BitWindow::new(COVERAGE_OBSERVATIONS); dimensions],
            probabilities: TABLE.map(|(_, prior, ..)| prior),
        }
    }

    /// The scenarios as they stand.
    pub fn list(&self) -> Vec<Scenario> {
        let each = TABLE.iter().zip(self.probabilities);
        each.map(|(&(kind, _, spread, consumption, _), probability)| Scenario {
            kind,
            probability,
            spread,
            consumption,
        })
        .collect()
    }

    /// Compares one row, `cycles` after the anchors, with the scenarios: pairs of dimension and realised value, in
    /// standard deviations.
    pub fn compare(&mut self, anchors: &[Option<Anchor>], cycles: u64, realised: &[(usize, f64)]) {
        let (mut fits, mut count) = ([0.0; SCENARIOS], 0.0);
        for &(dim, value) in realised {
            let Some(anchor) = anchors.get(dim).copied().flatten() else {
                continue;
            };
            let mut below = 0.0;
            for (index, fit) in fits.iter_mut().enumerate() {
                let (mean, variance) = anchor.outlook(index, cycles);
                *fit += normal::ln_density(value, mean, variance).max(MIN_LN_FIT);
                below += self.probabilities[index] * normal::cdf((value - mean) / variance.sqrt());
            }
            self.inside[dim].push((ENVELOPE_TAIL..=1.0 - ENVELOPE_TAIL).contains(&below));
            count += 1.0;
        }
        if count > 0.0 {
            self.fits
                .iter_mut()
                .zip(fits)
                .for_each(|(window, fit)| window.push(fit / count));
        }
    }

    /// Weighs the scenarios anew. `stress`, in [0, 1], is what the causal graph's active causes may bring about: the odds
    /// of the pessimistic scenario and of disruption are multiplied by 1 + stress, those of the optimistic one divided.
    pub fn reweigh(&mut self, stress: f64) {
        let lean = if stress.is_nan() {
            0.0
        } else {
            stress.clamp(0.0, 1.0).ln_1p()
        };
        let reports = self.fits[0].len() as f64 / REPORT_CYCLES as f64;
        let mut logs = [0.0; SCENARIOS];
        for ((log, window), (kind, prior, ..)) in logs.iter_mut().zip(&self.fits).zip(TABLE) {
            let cause = match kind {
                Kind::Pessimistic | Kind::Disruption => lean,
                Kind::Optimistic => -lean,
                Kind::Baseline | Kind::Alternative => 0.0,
            };
            *log = prior.ln() + cause + reports * window.mean().unwrap_or(0.0);
        }
        let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights = logs.map(|log| (log - greatest).exp());
        let total: f64 = weights.iter().sum();
        // A floor under each, and the rest in proportion: the sum stays 1.
        let free = 1.0 - MIN_PROBABILITY * SCENARIOS as f64;
        self.probabilities = weights.map(|weight| MIN_PROBABILITY + free * weight / total);
    }

    /// Share of the last 200 realised values of each dimension inside the envelope, over all dimensions; `None` before
    /// the first.
    pub fn coverage(&self) -> Option<f64> {
        let known = self.inside.iter().filter_map(BitWindow::share);
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), share| (sum + share, count + 1.0));
        (count > 0.0).then(|| sum / count)
    }

    /// What a snapshot keeps: the fits in means of twenty rows, and the shares of realised values inside.
    pub fn summary(&self) -> ScenariosSummary {
        let means = |window: &Window| {
            let values: Vec<f64> = window.iter().collect();
            let mean = |rows: &[f64]| narrow(rows.iter().sum::<f64>() / rows.len() as f64);
            values.chunks(KEPT_TOGETHER).map(mean).collect()
        };
        ScenariosSummary {
            rows: self.fits[0].len() as u8,
            fits: self.fits.each_ref().map(means),
            inside: self.inside.iter().map(BitWindow::tally).collect(),
        }
    }

    /// From what a snapshot of this many dimensions kept.
    pub fn from_summary(summary: &ScenariosSummary, dimensions: usize) -> Result<Self, Refused> {
        let rows = usize::from(summary.rows);
        let fit = |mean: &f32| (MIN_LN_FIT - 1e-3..=MAX_LN_FIT).contains(&f64::from(*mean));
        let whole = |means: &Vec<f32>| means.len() == rows.div_ceil(KEPT_TOGETHER) && means.iter().all(fit);
        if rows > FIT_ROWS || !summary.fits.iter().all(whole) || summary.inside.len() != dimensions {
            return Err(Refused("the scenarios"));
        }
        let inside = summary.inside.iter();
        let inside = inside.map(|&tally| BitWindow::from_tally(COVERAGE_OBSERVATIONS, tally));
        let mut scenarios = Self {
            inside: inside
                .collect::<Result<_, _>>()
                .map_err(|_| Refused("a scenario's coverage"))?,
            ..Self::new(dimensions)
        };
        for (window, means) in scenarios.fits.iter_mut().zip(&summary.fits) {
            (0..rows).for_each(|row| window.push(f64::from(means[row / KEPT_TOGETHER])));
        }
        scenarios.reweigh(0.0);
        Ok(scenarios)
    }
}

/// What a snapshot keeps of [`Scenarios`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenariosSummary {
    rows: u8,
    fits: [Vec<f32>; SCENARIOS],
    inside: Vec<Tally>,
}

#[cfg(test)]
mod tests;
