//! Risk exposure (MSCP Level 4.8, Definition 3), runway (Definition 4), and the surprises of a dimension from which
//! two of the four parts are counted.

use crate::numeric::bits::{BitWindow, Tally};
use crate::numeric::condense::Refused;
use crate::report::Resource;
use serde::{Deserialize, Serialize};

/// Innovations over which violated assumptions are counted.
const ASSUMPTION_OBSERVATIONS: u16 = 100;
/// Half the width of a 95 % interval, in standard deviations.
const INTERVAL_95_SD: f64 = 1.96;
/// Share outside a 95 % interval that is no surprise.
const EXPECTED_OUTSIDE: f64 = 0.05;
/// Observations over which shocks are counted.
const SHOCK_OBSERVATIONS: u16 = 50;
/// Standard deviations beyond which an observation is a shock.
const SHOCK_SD: f64 = 3.0;
/// Factor by which the share of shocks counts: a fifth of all is the most.
const SHOCK_WEIGHT: f64 = 5.0;
/// Cycles without any observation at which the model counts as entirely stale.
pub const STALE_CYCLES: u64 = 50;
/// Utilisation from which a resource is exposed.
const EXPOSED_UTILISATION: f64 = 0.7;
/// Longest runway told, in cycles.
pub const MAX_RUNWAY_CYCLES: f64 = 10_000.0;
/// The epsilon of Definition 4, per cycle.
const EPSILON: f64 = 1e-9;

/// Risk exposure and its parts, each in [0, 1].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RiskExposure {
    /// I_exp: how far the resource used most is beyond 70 % use.
    pub exposure: f64,
    /// A_viol: share of the last 100 innovations outside their 95 % interval, beyond the 5 % that belong there.
    pub violations: f64,
    /// M_stale: cycles since the last observation of anything, of 50.
    pub staleness: f64,
    /// E_shock: share of the last 50 observations beyond 3 standard deviations, five times.
    pub shocks: f64,
    /// The composite: 0.35, 0.25, 0.20, 0.20.
    pub score: f64,
}

impl RiskExposure {
    /// The composite of Definition 3. Parts are cut to [0, 1]; one that is not a number counts 1.
    pub fn new(exposure: f64, violations: f64, staleness: f64, shocks: f64) -> Self {
        let cut = |part: f64| if part.is_nan() { 1.0 } else { part.clamp(0.0, 1.0) };
        let [exposure, violations, staleness, shocks] = [exposure, violations, staleness, shocks].map(cut);
        Self {
            exposure,
            violations,
            staleness,
            shocks,
            score: 0.35 * exposure + 0.25 * violations + 0.20 * staleness + 0.20 * shocks,
        }
    }
}

/// I_exp: the largest of `(utilisation - 0.7) / 0.3` over the resources, cut to [0, 1]; 0 without resources.
pub fn exposure(resources: &[Resource]) -> f64 {
    let one = |resource: &Resource| {
        let part = (resource.utilisation - EXPOSED_UTILISATION) / (1.0 - EXPOSED_UTILISATION);
        if part.is_nan() { 1.0 } else { part.clamp(0.0, 1.0) }
    };
    resources.iter().map(one).fold(0.0, f64::max)
}

/// RDF (Definition 4): cycles until the first resource is used up, at most 10,000; a resource that is not consumed
/// lasts that long, one whose numbers are not finite counts as used up.
pub fn runway_cycles(resources: &[Resource]) -> f64 {
    let one = |resource: &Resource| {
        let cycles = resource.level.max(0.0) / (resource.consumption_per_cycle.max(0.0) + EPSILON);
        if resource.level.is_finite() && resource.consumption_per_cycle.is_finite() {
            cycles.min(MAX_RUNWAY_CYCLES)
        } else {
            0.0
        }
    };
    resources.iter().map(one).fold(MAX_RUNWAY_CYCLES, f64::min)
}

/// M_stale: cycles since the last observation of anything.
pub fn staleness(cycles: u64) -> f64 {
    cycles.min(STALE_CYCLES) as f64 / STALE_CYCLES as f64
}

/// How surprising a dimension's last observations were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Surprises {
    outside: BitWindow,
    shocks: BitWindow,
}

impl Default for Surprises {
    fn default() -> Self {
        Self {
            outside: BitWindow::new(ASSUMPTION_OBSERVATIONS),
            shocks: BitWindow::new(SHOCK_OBSERVATIONS),
        }
    }
}

impl Surprises {
    /// Takes in an innovation, in standard deviations of its prediction.
    pub fn note(&mut self, z: f64) {
        self.outside.push(z.abs() > INTERVAL_95_SD);
        self.shocks.push(z.abs() > SHOCK_SD);
    }

    /// A_viol of this dimension; `None` before the first innovation.
    pub fn violations(&self) -> Option<f64> {
        let share = self.outside.share()?;
        Some(((share - EXPECTED_OUTSIDE) / (1.0 - EXPECTED_OUTSIDE)).max(0.0))
    }

    /// E_shock of this dimension; `None` before the first innovation.
    pub fn shocks(&self) -> Option<f64> {
        Some((SHOCK_WEIGHT * self.shocks.share()?).min(1.0))
    }

    /// What a snapshot keeps: how many, and not when each of them was.
    pub fn summary(&self) -> SurprisesSummary {
        SurprisesSummary {
            outside: self.outside.tally(),
            shocks: self.shocks.tally(),
        }
    }

    /// From what a snapshot kept.
    pub fn from_summary(summary: SurprisesSummary) -> Result<Self, Refused> {
        let window = |capacity, tally| BitWindow::from_tally(capacity, tally).map_err(|_| Refused("the surprises"));
        Ok(Self {
            outside: window(ASSUMPTION_OBSERVATIONS, summary.outside)?,
            shocks: window(SHOCK_OBSERVATIONS, summary.shocks)?,
        })
    }
}

/// What a snapshot keeps of [`Surprises`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurprisesSummary {
    outside: Tally,
    shocks: Tally,
}

/// The mean over those that have evidence; 0 of none.
pub fn mean_of_known(values: impl Iterator<Item = Option<f64>>) -> f64 {
    let (sum, count) = values
        .flatten()
        .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(level: f64, consumption_per_cycle: f64, utilisation: f64) -> Resource {
        Resource {
            level,
            consumption_per_cycle,
            utilisation,
        }
    }

    #[test]
    fn definition_3_weighs_its_parts_35_25_20_20() {
        let res = RiskExposure::new(0.5, 0.2, 0.1, 1.0);
        assert!((res.score - (0.175 + 0.05 + 0.02 + 0.2)).abs() < 1e-12);
        assert!((RiskExposure::new(9.0, 9.0, 9.0, f64::NAN).score - 1.0).abs() < 1e-12);
        assert_eq!(RiskExposure::new(-1.0, 0.0, 0.0, 0.0).score, 0.0);
    }

    #[test]
    fn exposure_starts_at_70_percent_and_is_full_at_100() {
        for (utilisation, expected) in [(0.7, 0.0), (0.85, 0.5), (1.0, 1.0), (1.2, 1.0), (f64::NAN, 1.0)] {
            let found = exposure(&[resource(1.0, 0.0, 0.2), resource(1.0, 0.0, utilisation)]);
            assert!((found - expected).abs() < 1e-12, "{utilisation}: {found}");
        }
        assert_eq!(exposure(&[]), 0.0);
    }

    #[test]
    fn definition_4_is_level_over_consumption_of_the_shortest_and_caps_at_10000() {
        assert!((runway_cycles(&[resource(300.0, 2.0, 0.5), resource(50.0, 1.0, 0.5)]) - 50.0).abs() < 1e-6);
        assert_eq!(runway_cycles(&[resource(1.0, 0.0, 0.0)]), 10_000.0);
        assert_eq!(runway_cycles(&[resource(1.0, -5.0, 0.0)]), MAX_RUNWAY_CYCLES);
        assert_eq!(runway_cycles(&[]), MAX_RUNWAY_CYCLES);
        assert_eq!(runway_cycles(&[resource(0.0, 0.0, 0.0)]), 0.0);
        assert_eq!(runway_cycles(&[resource(f64::NAN, 1.0, 0.0)]), 0.0);
        assert_eq!(runway_cycles(&[resource(1.0, f64::INFINITY, 0.0)]), 0.0);
    }

    #[test]
    fn surprises_count_the_last_100_and_the_last_50() {
        let mut surprises = Surprises::default();
        assert_eq!((surprises.violations(), surprises.shocks()), (None, None));
        // 100 innovations: 24 outside 1.96, of which the last 5 beyond 3.
        (0..76).for_each(|_| surprises.note(1.96));
        (0..19).for_each(|_| surprises.note(-3.0));
        (0..5).for_each(|_| surprises.note(3.01));
        assert!((surprises.violations().expect("known") - 0.19 / 0.95).abs() < 1e-12);
        assert!(
            (surprises.shocks().expect("known") - 0.5).abs() < 1e-12,
            "5 of 50, five times"
        );
        (0..50).for_each(|_| surprises.note(9.0));
        assert_eq!(surprises.shocks(), Some(1.0));
    }

    #[test]
    fn an_innovation_of_1_97_is_outside_its_interval_and_the_last_hundred_count() {
        let mut surprises = Surprises::default();
        (0..100).for_each(|_| surprises.note(1.97));
        assert!((surprises.violations().expect("known") - 1.0).abs() < 1e-12);
        (0..99).for_each(|_| surprises.note(1.95));
        assert_eq!(surprises.violations(), Some(0.0), "one of a hundred is less than five");
        let mut surprises = Surprises::default();
        surprises.note(1.97);
        (0..9).for_each(|_| surprises.note(1.97));
        (0..90).for_each(|_| surprises.note(0.0));
        assert!(
            (surprises.violations().expect("known") - 0.05 / 0.95).abs() < 1e-12,
            "ten of a hundred"
        );
        surprises.note(0.0);
        assert!(
            (surprises.violations().expect("known") - 0.04 / 0.95).abs() < 1e-12,
            "nine of a hundred"
        );
    }

    #[test]
    fn a_model_is_stale_by_a_fiftieth_each_cycle() {
        assert_eq!([0, 25, 50, 5_000].map(staleness), [0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn means_leave_out_what_has_no_evidence() {
        assert_eq!(mean_of_known([Some(1.0), None, Some(3.0)].into_iter()), 2.0);
        assert_eq!(mean_of_known([None, None].into_iter()), 0.0);
    }
}
