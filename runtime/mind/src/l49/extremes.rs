//! The worst that the live state has been since the last verified pass: what the audit of the level judges it by (criteria
//! AS-1 and AS-2). A pass sees little of it: where a reading is bad enough, the level freezes and makes none.

use crate::report::FloorReport;
use serde::{Deserialize, Serialize};

/// A reading, and its cycle.
type Found = (f64, u64);

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Extremes {
    rho: Option<Found>,
    identity: Option<Found>,
}

impl Extremes {
    /// One reading of the live state. A radius or an integrity that is not a number is the worst there is.
    pub fn of(floor: &FloorReport) -> Self {
        let or = |value: f64, worst: f64| if value.is_nan() { worst } else { value };
        Self {
            rho: Some((or(floor.rho, f64::INFINITY), floor.cycle)),
            identity: floor.iis.map(|iis| (or(iis, 0.0), floor.cycle)),
        }
    }

    /// The worse of both, in each.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let worse = |a: Option<Found>, b: Option<Found>, is: fn(f64, f64) -> bool| match (a, b) {
            (Some(a), Some(b)) if is(b.0, a.0) => Some(b),
            (a, b) => a.or(b),
        };
        Self {
            rho: worse(self.rho, other.rho, |a, b| a > b),
            identity: worse(self.identity, other.identity, |a, b| a < b),
        }
    }

    /// What of it is not older than so many cycles at `cycle`.
    #[must_use]
    pub fn within(self, cycle: u64, cycles: u64) -> Self {
        let young = |found: &Found| cycle.saturating_sub(found.1) < cycles;
        Self {
            rho: self.rho.filter(young),
            identity: self.identity.filter(young),
        }
    }

    /// The largest spectral radius.
    pub fn max_rho(&self) -> Option<f64> {
        self.rho.map(|(rho, _)| rho)
    }

    /// The least identity integrity; `None` while it warms up.
    pub fn min_identity(&self) -> Option<f64> {
        self.identity.map(|(identity, _)| identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cycle: u64, rho: f64, iis: Option<f64>) -> Extremes {
        Extremes::of(&FloorReport {
            cycle,
            rho,
            iis,
            ..FloorReport::default()
        })
    }

    #[test]
    fn the_worst_of_each_stays_until_it_is_too_old() {
        let all = [(10, 0.5, Some(0.9)), (20, 0.99, Some(0.95)), (30, 0.7, None)];
        let seen = all.map(|(cycle, rho, iis)| of(cycle, rho, iis));
        let seen = seen.into_iter().fold(Extremes::default(), Extremes::and);
        assert_eq!((seen.max_rho(), seen.min_identity()), (Some(0.99), Some(0.9)));
        let young = seen.within(110, 100);
        assert_eq!((young.max_rho(), young.min_identity()), (Some(0.99), None));
        assert_eq!(Extremes::default().max_rho(), None);
    }

    #[test]
    fn what_is_not_a_number_is_the_worst() {
        let seen = of(10, 0.5, Some(0.9)).and(of(20, f64::NAN, Some(f64::NAN)));
        assert_eq!((seen.max_rho(), seen.min_identity()), (Some(f64::INFINITY), Some(0.0)));
    }
}
