//! Detection of unknown domains (MSCP Level 4.8, section 4.2). A domain is a group of sensors in one regime.
//!
//! Each report, four criteria per group; two or more make its domain unknown:
//! 1. similarity of the context's signature to every known domain below 0.3;
//! 2. a forecast error more than 2 standard deviations above its historical mean;
//! 3. every one of the best five strategies scores below 0.3 - the strategies of a watching agent are its ways to
//!    forecast the group, and their score is the share of the report's values inside their 90 % interval;
//! 4. the distribution of features more than 0.5 nat from every known one.
//!
//! An unknown domain is entered in a registry. It is over when three reports in a row are clean, and known once it has
//! been watched for 100 observations: then it is no longer unlike all that was seen.
//!
//! Invariants:
//! 1. A criterion without evidence is not met; nothing is said before [`WARM_UP_REPORTS`] reports.
//! 2. A report is judged before anything is learnt from it.
//! 3. At most [`MAX_KNOWN`] known domains per group and [`MAX_REGISTERED`] entries; all numbers are finite.

mod profile;
mod registry;

pub use profile::{Known, Profile, divergence, similarity};
pub use registry::{Fate, MAX_REGISTERED, Registry, UnknownDomain};

use crate::l48::observe::Score;
use crate::numeric::running::{RunningMean, Scale};
use crate::report::CycleReport;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Similarity below which a context is like nothing known.
pub const MIN_SIMILARITY: f64 = 0.3;
/// Standard deviations above the historical mean from which an error is a spike.
pub const SPIKE_SD: f64 = 2.0;
/// Strategies that are looked at, the best first.
pub const TOP_STRATEGIES: usize = 5;
/// Score below which a strategy fails.
pub const FAILING_SCORE: f64 = 0.3;
/// Divergence above which the features are of another distribution, in nat per dimension.
pub const MAX_DIVERGENCE: f64 = 0.5;
/// Criteria that make a domain unknown.
pub const CRITERIA_NEEDED: usize = 2;
/// Known domains of a group; the one not met for longest is forgotten.
pub const MAX_KNOWN: usize = 4;
/// Reports with a group's values before which nothing is said of it.
pub const WARM_UP_REPORTS: u32 = 20;
/// Observations after which an unknown domain is known.
pub const LEARNT_AFTER: u32 = 100;
/// Clean reports in a row after which it is over.
pub const CLEAN_REPORTS: u8 = 3;
/// Reports over which the error's mean and standard deviation are taken.
const ERROR_REPORTS: u32 = 200;
/// Observations over which the usual error of a dimension is taken.
const ERROR_OBSERVATIONS: u32 = 500;
/// Values of a report before which a strategy has no score.
const MIN_SCORED: u32 = 5;
/// Relative errors are cut here.
const MAX_RELATIVE_ERROR: f64 = 100.0;

/// What one report said of one group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Which.
    pub group: u16,
    /// Similarity to the nearest known domain, in [0, 1].
    pub similarity: Option<f64>,
    /// Forecast error in standard deviations above its historical mean.
    pub error_sd: Option<f64>,
    /// Score of the best strategy, in [0, 1].
    pub best_strategy: Option<f64>,
    /// Divergence from the nearest known distribution, in nat per dimension.
    pub divergence: Option<f64>,
    /// Which of the four criteria are met.
    pub criteria: [bool; 4],
}

impl Reading {
    /// Two or more criteria are met.
    pub fn is_unknown(&self) -> bool {
        self.criteria.iter().filter(|met| **met).count() >= CRITERIA_NEEDED
    }

    /// The criteria of these numbers.
    fn judged(mut self) -> Self {
        self.criteria = [
            self.similarity.is_some_and(|value| value < MIN_SIMILARITY),
            self.error_sd.is_some_and(|value| value > SPIKE_SD),
            self.best_strategy.is_some_and(|value| value < FAILING_SCORE),
            self.divergence.is_some_and(|value| value > MAX_DIVERGENCE),
        ];
        self
    }
}

/// The score of the best of the first five strategies; `None` without one.
pub fn best_of(scores: &[f64]) -> Option<f64> {
    let top = scores
        .iter()
        .take(TOP_STRATEGIES)
        .copied()
        .filter(|score| !score.is_nan());
    top.reduce(f64::max)
}

/// What is remembered of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Watched {
    /// The last values, by dimension.
    recent: Vec<Profile>,
    known: Vec<Known>,
    /// What is being learnt of a domain that is unknown.
    candidate: Option<Known>,
    /// Usual absolute forecast error, by dimension.
    usual_error: Vec<RunningMean>,
    /// Error of a report relative to the usual one.
    errors: Scale,
    reports: u32,
    clean: u8,
}

/// The detector. A copy of it can be shown a planted shift: nothing of it is shared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    groups: Arc<[u16]>,
    watched: Vec<Watched>,
    registry: Registry,
}

impl Detector {
    /// A detector that knows nothing. `groups` has the group of each dimension.
    pub fn new(groups: Arc<[u16]>) -> Self {
        let count = groups.iter().map(|group| usize::from(*group) + 1).max().unwrap_or(0);
        let watched = (0..count).map(|group| {
            let dimensions = groups.iter().filter(|of| usize::from(**of) == group).count();
            Watched {
                recent: vec![Profile::default(); dimensions],
                known: Vec::new(),
                candidate: None,
                usual_error: vec![RunningMean::new(ERROR_OBSERVATIONS); dimensions],
                errors: Scale::new(ERROR_REPORTS),
                reports: 0,
                clean: 0,
            }
        });
        Self {
            watched: watched.collect(),
            registry: Registry::default(),
            groups,
        }
    }

    /// All unknown domains that are remembered.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Known domains of a group.
    pub fn known_domains(&self, group: u16) -> usize {
        self.watched
            .get(usize::from(group))
            .map_or(0, |watched| watched.known.len())
    }

    /// The state fits this environment.
    pub fn is_for(&self, groups: &[u16]) -> bool {
        *self.groups == *groups && self.is_valid()
    }

    fn is_valid(&self) -> bool {
        let fresh = Self::new(Arc::clone(&self.groups));
        let sound = |(watched, fresh): (&Watched, &Watched)| {
            let dimensions = fresh.recent.len();
            let fits = |known: &Known| known.dimensions() == dimensions;
            watched.recent.len() == dimensions
                && watched.recent.iter().all(Profile::is_valid)
                && watched.usual_error.len() == dimensions
                && watched.known.len() <= MAX_KNOWN
                && watched.known.iter().chain(&watched.candidate).all(fits)
        };
        self.watched.len() == fresh.watched.len() && self.watched.iter().zip(&fresh.watched).all(sound)
    }

    /// Judges a report, with the forecasts that were made of its values, and learns from it. A report of another
    /// environment says nothing.
    pub fn step(&mut self, cycle: u64, report: &CycleReport, scores: &[Score]) -> Vec<Reading> {
        if *report.groups != *self.groups || report.dimensions != self.groups.len() {
            return Vec::new();
        }
        let groups = Arc::clone(&self.groups);
        let mut readings = Vec::new();
        for (index, watched) in self.watched.iter_mut().enumerate() {
            let group = index as u16;
            let view = View {
                cycle,
                group,
                members: (0..groups.len())
                    .filter(|dimension| groups[*dimension] == group)
                    .collect(),
                report,
                scores,
            };
            let values = watched.look(&view);
            if values == 0 {
                continue;
            }
            let reading = watched.judge(&view);
            let unknown = reading.is_unknown();
            self.registry.note(&reading, cycle);
            watched.learn(&view, unknown || self.registry.is_open(group), values);
            watched.clean = if unknown { 0 } else { watched.clean.saturating_add(1) };
            if watched
                .candidate
                .as_ref()
                .is_some_and(|known| known.observations() >= LEARNT_AFTER)
            {
                watched.adopt();
                self.registry.close(group, Fate::Learnt { cycle });
            } else if watched.clean >= CLEAN_REPORTS && self.registry.is_open(group) {
                watched.candidate = None;
                self.registry.close(group, Fate::Passed { cycle });
            }
            readings.push(reading);
        }
        readings
    }
}

/// One group in one report.
struct View<'a> {
    cycle: u64,
    group: u16,
    members: Vec<usize>,
    report: &'a CycleReport,
    scores: &'a [Score],
}

impl View<'_> {
    /// The place of a dimension in the group.
    fn place(&self, dimension: usize) -> Option<usize> {
        self.members.iter().position(|member| *member == dimension)
    }

    /// Scores of the ways to forecast the group: this level's and the kernel's.
    fn strategies(&self) -> Vec<f64> {
        let of_level = self
            .scores
            .iter()
            .filter(|score| self.place(usize::from(score.dimension)).is_some());
        let level = share_inside(of_level.map(|score| (score.observed - score.forecast, score.half_width)));
        let rows = 0..self.report.facts.len();
        let cells = rows.flat_map(|row| {
            self.members
                .iter()
                .map(move |member| row * self.report.dimensions + member)
        });
        let of_kernel = cells.filter_map(|cell| {
            let observed = *self.report.observations.get(cell)?;
            Some((
                observed - self.report.forecasts.get(cell)?,
                *self.report.forecast_half_width.get(cell)?,
            ))
        });
        level.into_iter().chain(share_inside(of_kernel)).collect()
    }
}

/// Share of errors within their half width; `None` of fewer than five.
fn share_inside(errors: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let known = errors.filter(|(error, half_width)| error.is_finite() && half_width.is_finite());
    let (inside, count) = known.fold((0, 0), |(inside, count), (error, half_width)| {
        (inside + u32::from(error.abs() <= half_width), count + 1)
    });
    (count >= MIN_SCORED).then(|| f64::from(inside) / f64::from(count))
}

impl Watched {
    /// Takes the report's values into the recent profiles; gives how many rows had one.
    fn look(&mut self, view: &View<'_>) -> u32 {
        let mut rows = 0;
        for row in 0..view.report.facts.len() {
            let mut seen = false;
            for (profile, member) in self.recent.iter_mut().zip(&view.members) {
                let value = view.report.observations.get(row * view.report.dimensions + member);
                seen |= value.is_some_and(|value| profile.push(*value));
            }
            rows += u32::from(seen);
        }
        rows
    }

    fn judge(&self, view: &View<'_>) -> Reading {
        let ready = self.reports >= WARM_UP_REPORTS;
        let nearest = |measure: fn(&[Profile], &Known) -> Option<f64>, better: fn(f64, f64) -> f64| {
            let each = self.known.iter().filter_map(|known| measure(&self.recent, known));
            each.reduce(better).filter(|_| ready)
        };
        let error_sd = self.relative_error(view).filter(|_| ready).map(|error| {
            let above = error - self.errors.mean();
            self.errors.in_sd(above, MAX_RELATIVE_ERROR)
        });
        Reading {
            group: view.group,
            similarity: nearest(similarity, f64::max),
            error_sd,
            best_strategy: best_of(&view.strategies()).filter(|_| ready),
            divergence: nearest(divergence, f64::min),
            criteria: [false; 4],
        }
        .judged()
    }

    /// Mean over the report's values of the forecast error in usual errors of the dimension.
    fn relative_error(&self, view: &View<'_>) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        for score in view.scores {
            let Some(place) = view.place(usize::from(score.dimension)) else {
                continue;
            };
            let error = (score.observed - score.forecast).abs();
            let usual = self.usual_error[place].get().filter(|usual| *usual > 0.0);
            if let Some(usual) = usual.filter(|_| error.is_finite()) {
                sum += (error / usual).min(MAX_RELATIVE_ERROR);
                count += 1.0;
            }
        }
        (count > 0.0).then(|| sum / count)
    }

    fn learn(&mut self, view: &View<'_>, unknown: bool, rows: u32) {
        if let Some(error) = self.relative_error(view) {
            self.errors.push(error);
        }
        for score in view.scores {
            if let Some(place) = view.place(usize::from(score.dimension)) {
                self.usual_error[place].push((score.observed - score.forecast).abs());
            }
        }
        self.reports = self.reports.saturating_add(1);
        let dimensions = self.recent.len();
        let domain = if unknown {
            self.candidate.get_or_insert_with(|| Known::new(dimensions))
        } else {
            if self.known.is_empty() {
                self.known.push(Known::new(dimensions));
            }
            let similar = |known: &Known| similarity(&self.recent, known).unwrap_or(0.0);
            let nearest = (0..self.known.len()).max_by(|a, b| {
                // The earlier of two equally near ones.
                similar(&self.known[*a])
                    .total_cmp(&similar(&self.known[*b]))
                    .then(b.cmp(a))
            });
            &mut self.known[nearest.expect("invariant: there is one")]
        };
        domain.learn(&self.recent, rows, view.cycle);
    }

    /// What was learnt of an unknown domain is known from now on.
    fn adopt(&mut self) {
        let Some(candidate) = self.candidate.take() else {
            return;
        };
        if self.known.len() >= MAX_KNOWN {
            let oldest = (0..self.known.len()).min_by_key(|index| self.known[*index].last_met());
            self.known.remove(oldest.expect("invariant: a full list has an oldest"));
        }
        self.known.push(candidate);
    }
}

#[cfg(test)]
mod tests;
