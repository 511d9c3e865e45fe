//! What a snapshot keeps of the detector: what is usual in the known domains, and which are unknown.

use super::profile::{Known, KnownSummary};
use super::watched::Watched;
use super::{Detector, Registry, UnknownDomain, WARM_UP_REPORTS, group_count, members};
use crate::l48::introspect::summary::half::Half;
use crate::numeric::condense::Refused;
use crate::numeric::running::{RunningMean, Scale};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Known domains of a group that are kept: those met last.
pub const MAX_KEPT_DOMAINS: usize = 2;

/// Unknown domains that are kept, the oldest.
const MAX_KEPT_OPEN: usize = 4;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorSummary {
    groups: Vec<GroupSummary>,
    open: Vec<UnknownDomain>,
    registered: u64,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct GroupSummary {
    known: Vec<KnownSummary>,
    /// Usual absolute error of each dimension; 0 where it is not known.
    usual_error: Vec<Half>,
    /// Mean and variance of a report's relative error.
    errors: [Half; 2],
    /// Reports watched, up to the warm-up.
    reports: u8,
}

impl Detector {
    /// What a snapshot keeps of it.
    pub fn summary(&self) -> DetectorSummary {
        DetectorSummary {
            groups: self.watched.iter().map(Watched::summary).collect(),
            open: self.registry.open().take(MAX_KEPT_OPEN).copied().collect(),
            registered: self.registry.registered(),
        }
    }

    /// The detector that goes on from a summary; `groups` has the group of each dimension.
    pub fn from_summary(summary: &DetectorSummary, groups: Arc<[u16]>) -> Result<Self, Refused> {
        if summary.groups.len() != group_count(&groups) {
            return Err(Refused("the number of groups"));
        }
        let each = summary.groups.iter().enumerate();
        let watched = each.map(|(group, kept)| Watched::from_summary(kept, members(&groups, group)));
        Ok(Self {
            watched: watched.collect::<Result<_, _>>()?,
            registry: Registry::of_open(&summary.open, summary.registered).ok_or(Refused("an unknown domain"))?,
            groups,
        })
    }
}

impl Watched {
    fn summary(&self) -> GroupSummary {
        let mut known: Vec<&Known> = self.known.iter().collect();
        known.sort_by_key(|known| std::cmp::Reverse(known.last_met()));
        let usual = self.usual_error.iter();
        GroupSummary {
            known: known.into_iter().take(MAX_KEPT_DOMAINS).map(Known::summary).collect(),
            usual_error: usual.map(|mean| Half::of(mean.get().unwrap_or(0.0))).collect(),
            errors: [self.errors.mean(), self.errors.variance()].map(Half::of),
            reports: self.reports.min(WARM_UP_REPORTS) as u8,
        }
    }

    fn from_summary(kept: &GroupSummary, dimensions: usize) -> Result<Self, Refused> {
        let mut watched = Self::new(dimensions);
        if kept.known.len() > MAX_KEPT_DOMAINS || kept.usual_error.len() != dimensions {
            return Err(Refused("a group's number of sensors"));
        }
        // Met last first; of the cycles at which they were met only the order counts.
        for (order, known) in kept.known.iter().rev().enumerate() {
            watched
                .known
                .push(Known::from_summary(known, dimensions, order as u64)?);
        }
        watched.reports = u32::from(kept.reports).min(WARM_UP_REPORTS);
        for (mean, kept) in watched.usual_error.iter_mut().zip(&kept.usual_error) {
            let error = kept.get();
            if error > 0.0 && error.is_finite() {
                resume_mean(mean, error, watched.reports);
            }
        }
        let [mean, variance] = kept.errors.map(Half::get);
        let sound = mean.is_finite() && mean >= 0.0 && variance.is_finite() && variance >= 0.0;
        if !sound {
            return Err(Refused("a group's usual error"));
        }
        resume_scale(&mut watched.errors, mean, variance, watched.reports);
        Ok(watched)
    }
}

/// A mean that has seen so many values and has come to this one.
pub(super) fn resume_mean(mean: &mut RunningMean, value: f64, count: u32) {
    (0..count).for_each(|_| mean.push(value));
}

/// A scale that has seen so many values, rounded up to pairs, with this mean and variance.
pub(super) fn resume_scale(scale: &mut Scale, mean: f64, variance: f64, count: u32) {
    let sd = variance.sqrt();
    for _ in 0..count.div_ceil(2) {
        scale.push(mean + sd);
        scale.push(mean - sd);
    }
}
