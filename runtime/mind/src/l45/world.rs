//! The world as L4.5 knows it: how wrong forecasts of each dimension are, and how often it is seen. It is what a
//! self-projection is driven by: the world reaches the agent only by surprise, and for that no world model of a level
//! above is needed.
//!
//! Invariants: 1. a Lookahead looks at no more than [`MAX_WATCHED`] dimensions, evenly picked, so that its cost does not
//! grow with the environment. 2. A dimension that was never seen is never seen in it.

use crate::lookahead::{DimensionLaw, MAX_DOMAINS, Trajectories};
use crate::numeric::normal::MEAN_ABSOLUTE;
use crate::numeric::running::RunningMean;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most dimensions that a self-projection follows.
pub const MAX_WATCHED: usize = 8;
/// Observations over which the size of errors is known, as for the divergence.
const ERROR_HORIZON: u32 = 50;
/// Sampling periods over which the usual gap is known.
const GAP_HORIZON: u32 = 20;
/// Errors are cut at this many forecast standard deviations.
const ERROR_CUT: f64 = 5.0;

/// One dimension.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Watched {
    /// |error| in forecast standard deviations.
    error: RunningMean,
    gap: RunningMean,
    unseen_cycles: u32,
}

/// All dimensions, and the surprise of the row that is being taken in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    dimensions: Vec<Watched>,
    sum: f64,
    count: u32,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new(dimensions: usize) -> Self {
        let watched = Watched {
            error: RunningMean::new(ERROR_HORIZON),
            gap: RunningMean::new(GAP_HORIZON),
            unseen_cycles: u32::MAX,
        };
        Self {
            dimensions: vec![watched; dimensions],
            sum: 0.0,
            count: 0,
        }
    }

    /// Takes in one dimension's cell of a row: NaN where there is none.
    pub fn observe(&mut self, dimension: usize, value: f64, forecast: f64, sd: f64) {
        let Some(own) = self.dimensions.get_mut(dimension) else {
            return;
        };
        if !value.is_finite() {
            own.unseen_cycles = own.unseen_cycles.saturating_add(1);
            return;
        }
        if own.unseen_cycles < u32::MAX {
            own.gap.push(f64::from(own.unseen_cycles) + 1.0);
        }
        own.unseen_cycles = 0;
        let error = (value - forecast).abs() / sd;
        if error.is_finite() {
            let error = error.min(ERROR_CUT);
            own.error.push(error);
            self.sum += error;
            self.count += 1;
        }
    }

    /// Ends a row and gives its surprise: mean |error| in forecast standard deviations / 0.798, - 1; `None` where nothing
    /// was forecast and seen.
    pub fn cycle(&mut self) -> Option<f64> {
        let (sum, count) = (self.sum, self.count);
        (self.sum, self.count) = (0.0, 0);
        (count > 0).then(|| sum / f64::from(count) / MEAN_ABSOLUTE - 1.0)
    }

    /// The world for a Lookahead.
    pub fn ahead<'a>(&'a self, groups: &'a Arc<[u16]>) -> Ahead<'a> {
        Ahead {
            stride: self.dimensions.len().div_ceil(MAX_WATCHED).max(1),
            watch: self,
            groups,
        }
    }

    /// Every number is one that the module could have reached by itself.
    pub(super) fn is_valid(&self, dimensions: usize) -> bool {
        let errors = |w: &Watched| w.error.get().is_none_or(|e| (0.0..=ERROR_CUT).contains(&e));
        let gaps = |w: &Watched| w.gap.get().is_none_or(|gap| gap >= 1.0);
        self.dimensions.len() == dimensions
            && self.dimensions.iter().all(|w| errors(w) && gaps(w))
            && self.sum.is_finite()
    }
}

/// See [`Watch::ahead`].
#[derive(Debug, Clone, Copy)]
pub struct Ahead<'a> {
    watch: &'a Watch,
    groups: &'a Arc<[u16]>,
    stride: usize,
}

impl Trajectories for Ahead<'_> {
    fn dimensions(&self) -> usize {
        self.watch.dimensions.len().div_ceil(self.stride)
    }

    /// White noise of the size of the forecast's errors: what is left when the forecast is taken out.
    fn law(&self, dimension: usize) -> DimensionLaw {
        let index = dimension * self.stride;
        let watched = &self.watch.dimensions[index];
        let interval = watched.gap.get().map(|gap| gap.round().clamp(1.0, 1e6) as u32);
        DimensionLaw {
            phi: 0.0,
            mean: 0.0,
            innovation_sd: 1.0,
            noise_sd: 0.0,
            belief_mean: 0.0,
            belief_variance: 1.0,
            error_ratio: watched.error.get().unwrap_or(MEAN_ABSOLUTE) / MEAN_ABSOLUTE,
            interval_cycles: interval,
            unseen_cycles: watched.unseen_cycles,
            domain: domain_of(self.groups[index]),
        }
    }

    fn draw_start(&self, _: usize, _: &mut Pcg64Mcg) -> f64 {
        0.0
    }
}

/// The domain of a group; beyond the last there is one for all that are left.
pub(super) fn domain_of(group: u16) -> u8 {
    usize::from(group).min(MAX_DOMAINS - 1) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprise_is_the_mean_error_of_a_row_over_its_expectation() {
        let mut watch = Watch::new(3);
        watch.observe(0, 2.0, 1.0, 1.0);
        watch.observe(1, 1.0, 0.0, 0.5);
        watch.observe(2, f64::NAN, 0.0, 1.0);
        watch.observe(7, 1.0, 0.0, 1.0);
        let surprise = watch.cycle().expect("two were seen");
        assert!((surprise - (1.5 / (2.0 / std::f64::consts::PI).sqrt() - 1.0)).abs() < 1e-12);
        assert_eq!(watch.cycle(), None);
        // Cut at five deviations; what is not a number is no evidence.
        watch.observe(0, 100.0, 0.0, 1.0);
        watch.observe(1, 1.0, f64::NAN, 1.0);
        watch.observe(2, 1.0, 1.0, 0.0);
        assert!((watch.cycle().expect("one") - (5.0 * 1.253_314_137_315_500_3 - 1.0)).abs() < 1e-12);
    }

    #[test]
    fn what_was_seen_every_third_cycle_is_expected_every_third_and_what_never_was_never() {
        let mut watch = Watch::new(2);
        for cycle in 0..40 {
            watch.observe(0, if cycle % 3 == 0 { 1.0 } else { f64::NAN }, 0.0, 0.5);
            watch.observe(1, f64::NAN, 0.0, 1.0);
            watch.cycle();
        }
        let groups: Arc<[u16]> = Arc::from([3, 40]);
        let ahead = watch.ahead(&groups);
        let (seen, never) = (ahead.law(0), ahead.law(1));
        assert_eq!((seen.interval_cycles, seen.unseen_cycles, seen.domain), (Some(3), 0, 3));
        assert!((seen.error_ratio - 2.0 * 1.253_314_137_315_500_3).abs() < 1e-12);
        assert_eq!(
            (never.interval_cycles, never.unseen_cycles, never.domain),
            (None, u32::MAX, 15)
        );
        assert_eq!(never.error_ratio, 1.0);
        assert!(watch.is_valid(2) && !watch.is_valid(3));
    }

    #[test]
    fn no_more_than_eight_dimensions_are_followed_evenly_picked() {
        for (dimensions, followed, stride) in [(1, 1, 1), (8, 8, 1), (9, 5, 2), (17, 6, 3), (64, 8, 8)] {
            let watch = Watch::new(dimensions);
            let groups: Arc<[u16]> = (0..dimensions as u16).collect();
            let ahead = watch.ahead(&groups);
            assert_eq!((ahead.dimensions(), ahead.stride), (followed, stride), "{dimensions}");
            assert_eq!(
                ahead.law(followed - 1).domain,
                domain_of(((followed - 1) * stride) as u16)
            );
        }
    }
}
