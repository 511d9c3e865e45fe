//! What phase 1 remembers, and the step that changes it.

use super::{ObserveConfig, ObserveError, ObserveOutput, Score, Structural, check_report};
use crate::budget::Budget;
use crate::l48::belief::Scratch;
use crate::l48::causal::{CausalGraph, Causes};
use crate::l48::dimension::Dimension;
use crate::l48::risk::{RiskExposure, exposure, mean_of_known, runway_cycles, staleness};
use crate::l48::scenario::{Anchor, Scenarios};
use crate::report::CycleReport;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::Serialize;

/// The world model. Its serde form is its whole state, particles included, to compare; it is stored as its
/// [`summary`](ObserveState::summary), and there is no other way to read one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObserveState {
    pub(super) config: ObserveConfig,
    /// The last cycle known.
    pub(super) cycle: u64,
    pub(super) rng: Pcg64Mcg,
    pub(super) dimensions: Vec<Dimension>,
    pub(super) scenarios: Scenarios,
    /// What brings about what; its groups are those of the first report.
    pub(super) causal: Option<CausalGraph>,
    pub(super) anchors: Vec<Option<Anchor>>,
    /// The cycle of the anchors.
    pub(super) anchored: u64,
}

impl ObserveState {
    pub(super) fn new(config: ObserveConfig) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(config.seed);
        let particles = config.particles as usize;
        Self {
            config,
            cycle: 0,
            dimensions: (0..config.dimensions)
                .map(|_| Dimension::new(particles, &mut rng))
                .collect(),
            scenarios: Scenarios::new(config.dimensions),
            causal: None,
            anchors: vec![None; config.dimensions],
            anchored: 0,
            rng,
        }
    }

    /// The last cycle known.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Takes in a report. On an error the state is between two steps and to be dropped.
    pub(super) fn advance(
        &mut self,
        report: &CycleReport,
        structural_permitted: bool,
        scratch: &mut Scratch,
        budget: &dyn Budget,
    ) -> Result<ObserveOutput, ObserveError> {
        check_report(report, self.config.dimensions)?;
        if structural_permitted {
            self.dimensions
                .iter_mut()
                .for_each(|dimension| dimension.forecaster.switch());
        }
        let mut degenerate = false;
        let mut scores = Vec::with_capacity(report.observations.len());
        let mut realised = Vec::with_capacity(self.config.dimensions);
        for (facts, row) in report
            .facts
            .iter()
            .zip(report.observations.chunks_exact(self.config.dimensions))
        {
            // A cycle number that does not rise comes from a host that counts anew: no time has passed unseen.
            let unseen = facts.cycle.saturating_sub(self.cycle.saturating_add(1));
            self.cycle = facts.cycle;
            realised.clear();
            for (index, (dimension, &y)) in self.dimensions.iter_mut().zip(row).enumerate() {
                budget.check()?;
                dimension.pass(unseen, &mut self.rng);
                scores.extend(score(dimension, index, y, facts.cycle));
                if let Some(seen) = dimension.observe(y, facts.cycle, scratch, &mut self.rng) {
                    degenerate |= seen.health.degenerate();
                    realised.push((index, seen.standardised));
                }
            }
            let ahead = facts.cycle.saturating_sub(self.anchored).max(1);
            self.scenarios.compare(&self.anchors, ahead, &realised);
        }
        let causal = self
            .causal
            .get_or_insert_with(|| CausalGraph::of_groups(&report.groups));
        causal.step(report, &scores);
        self.scenarios.reweigh(causal.stress());
        for (anchor, dimension) in self.anchors.iter_mut().zip(&self.dimensions) {
            *anchor = dimension.anchor();
        }
        self.anchored = self.cycle;
        Ok(ObserveOutput {
            scores,
            ..self.tell(report, degenerate)
        })
    }

    fn tell(&self, report: &CycleReport, degenerate: bool) -> ObserveOutput {
        let each = || self.dimensions.iter();
        let variance: Vec<f64> = each().map(|dimension| dimension.variance_at(self.cycle)).collect();
        let last_seen = each().filter_map(|dimension| dimension.last_seen).max().unwrap_or(0);
        let res = RiskExposure::new(
            exposure(&report.resources),
            mean_of_known(each().map(|dimension| dimension.surprises.violations())),
            staleness(self.cycle.saturating_sub(last_seen)),
            mean_of_known(each().map(|dimension| dimension.surprises.shocks())),
        );
        let pending = each().enumerate().filter_map(|(index, dimension)| {
            let dimension_number = index as u16;
            let waits = dimension.forecaster.better() != dimension.forecaster.speaker();
            waits.then_some(Structural::SwitchForecaster {
                dimension: dimension_number,
            })
        });
        ObserveOutput {
            cycle: self.cycle,
            eu: variance.iter().sum::<f64>() / variance.len() as f64,
            res,
            rdf: runway_cycles(&report.resources),
            mean: each().map(Dimension::mean).collect(),
            variance,
            forecasts: each().map(Dimension::forecast).collect(),
            scenarios: self.scenarios.list(),
            causes: self.causal.as_ref().map_or_else(Causes::default, CausalGraph::causes),
            scenario_coverage: self.scenarios.coverage(),
            forecast_ratio: geometric_mean(each().filter_map(|d| d.forecaster.ratio(&d.history))),
            interval_coverage: mean(each().filter_map(|d| d.forecaster.coverage())),
            degenerate,
            shocks: each().map(|dimension| dimension.shocks).sum(),
            scores: Vec::new(),
            pending: pending.collect(),
        }
    }
}

/// The forecast of `y`, which the dimension has not seen yet; `None` if it is missing, or the first.
fn score(dimension: &Dimension, index: usize, y: f64, cycle: u64) -> Option<Score> {
    let persistence = dimension.history.newest().filter(|_| y.is_finite())?;
    let forecast = dimension.forecast();
    Some(Score {
        cycle,
        dimension: index as u16,
        forecast: forecast.mean,
        half_width: forecast.half_width,
        persistence,
        observed: y,
        rank: dimension.forecaster.rank((y - forecast.mean).abs()),
        persistence_rank: dimension.forecaster.rank((y - persistence).abs()),
    })
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// The geometric mean; a ratio of 0 counts as 1e-6.
fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    mean(values.map(|value| value.max(1e-6).ln())).map(f64::exp)
}
