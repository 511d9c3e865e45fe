//! A simulated world, written out: its dimensions and what is planted in it, cycle by cycle. This is the text form;
//! what the numbers do is in `rungs-environments`.
//!
//! Magnitudes are in `sigma`, a dimension's long-run standard deviation, so that one scenario fits any scale. Cycles
//! count from 0; a range `from..to` includes `from` and excludes `to`.

mod event;

pub use event::SimEvent;

use super::{MAX_DIMENSIONS, SpecError};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Memory of a dimension from one cycle to the next; 0 is white noise.
pub const SIM_PHI_RANGE: RangeInclusive<f64> = 0.0..=0.999;
/// Most planted events.
pub const MAX_SIM_EVENTS: usize = 256;
/// Largest period of a group's sensors, in cycles.
pub const MAX_SIM_PERIOD_CYCLES: u32 = 64;
/// Largest magnitude of a mean, a sigma, a capacity or an event.
pub const MAX_SIM_MAGNITUDE: f64 = 1e12;

/// A seeded world: independent AR(1) dimensions, in groups, and planted events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimSpec {
    /// Seed of the world (the agent has its own); the same seed gives the same noise whatever is planted.
    #[serde(default)]
    pub seed: u64,
    /// The dimensions, 1 to 64.
    pub dimensions: Vec<SimDimension>,
    /// Cycles until the world ends; without it, it never does.
    #[serde(default)]
    pub cycles: Option<u64>,
    /// Cycles from one sample of a group to the next, 1 to 64; an agent can change it for itself.
    #[serde(default = "default_period_cycles")]
    pub period_cycles: u32,
    /// Share of the samples that are lost at random, 0 to below 1.
    #[serde(default)]
    pub dropout: f64,
    /// What is planted, at most 256; events that overlap add up.
    #[serde(default)]
    pub events: Vec<SimEvent>,
}

/// One dimension: `x' = mean + phi (x - mean) + noise`, its long-run standard deviation `sigma`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimDimension {
    /// Index of its group; the groups are counted from 0 without a hole.
    pub group: u16,
    /// Memory from one cycle to the next, 0 to 0.999.
    pub phi: f64,
    /// Long-run mean.
    pub mean: f64,
    /// Long-run standard deviation, 0 or more.
    pub sigma: f64,
    /// Makes it a finite resource: its value stays between 0 and this.
    pub capacity: Option<f64>,
}

impl Default for SimDimension {
    fn default() -> Self {
        Self {
            group: 0,
            phi: 0.8,
            mean: 0.0,
            sigma: 1.0,
            capacity: None,
        }
    }
}

fn default_period_cycles() -> u32 {
    1
}

impl SimSpec {
    /// A calm world without end: `dimensions` standard ones, two to a group, and nothing planted.
    pub fn new(dimensions: u32, seed: u64) -> Self {
        let group_of = |index: u32| u16::try_from(index / 2).unwrap_or(u16::MAX);
        Self {
            seed,
            dimensions: (0..dimensions)
                .map(|index| SimDimension {
                    group: group_of(index),
                    ..SimDimension::default()
                })
                .collect(),
            cycles: None,
            period_cycles: default_period_cycles(),
            dropout: 0.0,
            events: Vec::new(),
        }
    }

    /// Appends a dimension.
    pub fn dimension(mut self, dimension: SimDimension) -> Self {
        self.dimensions.push(dimension);
        self
    }

    /// Ends the world after so many cycles.
    pub fn cycles(mut self, cycles: u64) -> Self {
        self.cycles = Some(cycles);
        self
    }

    /// Gives every group's sensors this period, in cycles.
    pub fn period_cycles(mut self, cycles: u32) -> Self {
        self.period_cycles = cycles;
        self
    }

    /// Loses this share of the samples at random.
    pub fn dropout(mut self, share: f64) -> Self {
        self.dropout = share;
        self
    }

    /// Plants an event.
    pub fn event(mut self, event: SimEvent) -> Self {
        self.events.push(event);
        self
    }

    /// Checks every range and says which field is out of it, and where.
    pub fn validate(&self) -> Result<(), SpecError> {
        let count = self.dimensions.len();
        expect(
            (1..=MAX_DIMENSIONS).contains(&count),
            "environment.dimensions",
            &count,
            "1 to 64",
        )?;
        let events = self.events.len();
        expect(events <= MAX_SIM_EVENTS, "environment.events", &events, "at most 256")?;
        let period = self.period_cycles;
        let period_fits = (1..=MAX_SIM_PERIOD_CYCLES).contains(&period);
        expect(period_fits, "environment.period_cycles", &period, "1 to 64")?;
        expect(
            (0.0..1.0).contains(&self.dropout),
            "environment.dropout",
            &self.dropout,
            "0 to below 1",
        )?;
        let groups = 1 + self.dimensions.iter().map(|d| usize::from(d.group)).max().unwrap_or(0);
        for group in 0..groups.min(count + 1) {
            let used = self.dimensions.iter().any(|d| usize::from(d.group) == group);
            expect(
                used,
                "environment.dimensions.group",
                &format!("never {group}"),
                "groups without a hole",
            )?;
        }
        self.dimensions
            .iter()
            .enumerate()
            .try_for_each(|(index, d)| d.validate(index))?;
        self.events
            .iter()
            .enumerate()
            .try_for_each(|(index, e)| e.validate(index, &self.dimensions))
    }
}

impl SimDimension {
    fn validate(&self, index: usize) -> Result<(), SpecError> {
        let at = |value: f64| format!("{value} in dimension {index}");
        let size = |value: f64| value.abs() <= MAX_SIM_MAGNITUDE;
        expect(
            SIM_PHI_RANGE.contains(&self.phi),
            "environment.dimensions.phi",
            &at(self.phi),
            "0 to 0.999",
        )?;
        expect(
            size(self.mean),
            "environment.dimensions.mean",
            &at(self.mean),
            "at most 1e12 in magnitude",
        )?;
        let sigma_fits = self.sigma >= 0.0 && size(self.sigma);
        expect(sigma_fits, "environment.dimensions.sigma", &at(self.sigma), "0 to 1e12")?;
        let Some(capacity) = self.capacity else { return Ok(()) };
        let capacity_fits = capacity > 0.0 && size(capacity);
        expect(
            capacity_fits,
            "environment.dimensions.capacity",
            &at(capacity),
            "above 0, at most 1e12",
        )?;
        let mean_fits = (0.0..=capacity).contains(&self.mean);
        expect(
            mean_fits,
            "environment.dimensions.mean",
            &at(self.mean),
            "0 to the capacity",
        )
    }
}

fn expect(
    holds: bool,
    field: &'static str,
    found: &dyn std::fmt::Display,
    expected: &'static str,
) -> Result<(), SpecError> {
    if holds {
        return Ok(());
    }
    Err(SpecError::OutOfRange {
        field,
        found: found.to_string(),
        expected: expected.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(spec: SimSpec) -> String {
        spec.validate().expect_err("out of range").to_string()
    }

    #[test]
    fn a_calm_world_of_any_allowed_size_is_valid() {
        for dimensions in [1, 2, 7, 64] {
            assert_eq!(SimSpec::new(dimensions, 1).validate(), Ok(()));
        }
        assert_eq!(
            refusal(SimSpec::new(0, 1)),
            "environment.dimensions is 0; expected 1 to 64"
        );
        assert_eq!(
            refusal(SimSpec::new(65, 1)),
            "environment.dimensions is 65; expected 1 to 64"
        );
    }

    #[test]
    fn a_number_out_of_range_is_refused_with_its_place() {
        let dimension = |change: fn(&mut SimDimension)| {
            let mut dimension = SimDimension {
                group: 1,
                ..SimDimension::default()
            };
            change(&mut dimension);
            refusal(SimSpec::new(2, 1).dimension(dimension))
        };
        assert_eq!(
            dimension(|d| d.phi = 1.0),
            "environment.dimensions.phi is 1 in dimension 2; expected 0 to 0.999"
        );
        assert!(dimension(|d| d.phi = f64::NAN).contains("phi is NaN"));
        assert!(dimension(|d| d.sigma = -1.0).contains("sigma is -1"));
        assert!(dimension(|d| d.mean = f64::INFINITY).contains("mean is inf"));
        assert!(dimension(|d| d.capacity = Some(0.0)).contains("capacity is 0"));
        assert!(dimension(|d| (d.mean, d.capacity) = (2.0, Some(1.0))).contains("expected 0 to the capacity"));
        assert!(dimension(|d| d.group = 3).contains("group is never 1; expected groups without a hole"));
        assert!(refusal(SimSpec::new(1, 0).dropout(1.0)).contains("dropout is 1"));
        assert!(refusal(SimSpec::new(1, 0).period_cycles(0)).contains("period_cycles is 0"));
    }

    #[test]
    fn an_event_that_cannot_happen_is_refused_with_its_place() {
        let event = |event| refusal(SimSpec::new(2, 1).event(event));
        let gap = |dimension, from, to| SimEvent::Gap { dimension, from, to };
        assert_eq!(
            event(gap(None, 5, 5)),
            "environment.events.to is 5 in event 0; expected a cycle after `from`"
        );
        assert!(event(gap(Some(2), 0, 1)).contains("dimension is 2 in event 0"));
        let shock = SimEvent::Shock {
            dimension: 0,
            at: 0,
            sigmas: f64::NAN,
        };
        assert!(event(shock).contains("sigmas is NaN"));
        let ramp = |until| SimEvent::Ramp {
            dimension: 1,
            from: 0,
            to: 9,
            until,
        };
        assert!(event(ramp(None)).contains("expected a dimension with a capacity"));
        assert!(event(ramp(Some(8))).contains("until is 8"));
        let events = SimSpec::new(1, 0).event(gap(None, 0, 1));
        let too_many = SimSpec {
            events: vec![events.events[0]; MAX_SIM_EVENTS + 1],
            ..events
        };
        assert!(refusal(too_many).contains("events is 257"));
    }
}
