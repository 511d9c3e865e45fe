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

mod probe;
mod profile;
mod registry;
mod summary;
mod watched;

pub use probe::{PROBE_ROWS, PROBE_SD, Probed};
pub use profile::{Known, Profile, divergence, similarity};
pub use registry::{Fate, MAX_REGISTERED, Registry, UnknownDomain};
pub use summary::{DetectorSummary, MAX_KEPT_DOMAINS};

use crate::l48::observe::Score;
use crate::report::CycleReport;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use watched::{View, Watched};

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
        let count = group_count(&groups);
        let watched = (0..count).map(|group| Watched::new(members(&groups, group)));
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
        let count = group_count(&self.groups);
        let mut each = self.watched.iter().enumerate();
        self.watched.len() == count && each.all(|(group, watched)| watched.is_valid(members(&self.groups, group)))
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
            let was_open = self.registry.is_open(group);
            self.registry.note(&reading, cycle);
            match (was_open, reading.is_unknown()) {
                (false, true) => watched.begin_unknown(),
                (open, _) => watched.learn(&view, open, values),
            }
            watched.count_clean(&reading);
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

fn group_count(groups: &[u16]) -> usize {
    groups.iter().map(|group| usize::from(*group) + 1).max().unwrap_or(0)
}

fn members(groups: &[u16], group: usize) -> usize {
    groups.iter().filter(|of| usize::from(**of) == group).count()
}

#[cfg(test)]
mod tests;
