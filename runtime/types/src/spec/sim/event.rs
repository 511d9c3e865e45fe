//! What can be planted in a simulated world, and when.

use super::super::SpecError;
use super::{MAX_SIM_MAGNITUDE, SimDimension, expect};
use serde::{Deserialize, Serialize};

/// Something planted. Without a `dimension` it concerns all of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SimEvent {
    /// A jump that decays as the dimension's memory does.
    Shock {
        /// Which dimension.
        dimension: u32,
        /// The cycle of the jump.
        at: u64,
        /// Its height, in sigma.
        sigmas: f64,
    },
    /// The noise has another variance for a while.
    Variance {
        /// Which dimension.
        #[serde(default)]
        dimension: Option<u32>,
        /// First cycle.
        from: u64,
        /// First cycle after it.
        to: u64,
        /// Multiple of the variance, 0 or more.
        factor: f64,
    },
    /// Samples are missing.
    Gap {
        /// Which dimension.
        #[serde(default)]
        dimension: Option<u32>,
        /// First cycle.
        from: u64,
        /// First cycle after it.
        to: u64,
    },
    /// A resource climbs in a line from its mean to its capacity, and stays exhausted until it is released.
    Ramp {
        /// Which dimension; it has a capacity.
        dimension: u32,
        /// Last cycle at the mean.
        from: u64,
        /// First cycle at the capacity.
        to: u64,
        /// First cycle back at the mean; without it the resource stays exhausted.
        #[serde(default)]
        until: Option<u64>,
    },
    /// The mean moves and stays.
    LevelShift {
        /// Which dimension.
        dimension: u32,
        /// First cycle at the new level.
        at: u64,
        /// By how much, in sigma.
        sigmas: f64,
    },
    /// A sine on top, beginning at 0.
    Oscillation {
        /// Which dimension.
        dimension: u32,
        /// First cycle.
        from: u64,
        /// First cycle after it.
        to: u64,
        /// Its amplitude, in sigma.
        sigmas: f64,
        /// Length of one turn, in cycles, 2 or more.
        period_cycles: u32,
    },
}

impl SimEvent {
    /// The dimension it names; none if it concerns all.
    fn named_dimension(&self) -> Option<u32> {
        match *self {
            Self::Variance { dimension, .. } | Self::Gap { dimension, .. } => dimension,
            Self::Shock { dimension, .. }
            | Self::Ramp { dimension, .. }
            | Self::LevelShift { dimension, .. }
            | Self::Oscillation { dimension, .. } => Some(dimension),
        }
    }

    pub(super) fn validate(&self, index: usize, dimensions: &[SimDimension]) -> Result<(), SpecError> {
        let at = |value: &dyn std::fmt::Display| format!("{value} in event {index}");
        let span = |from: u64, to: u64| expect(from < to, "environment.events.to", &at(&to), "a cycle after `from`");
        let size = |sigmas: f64| {
            let fits = sigmas.abs() <= MAX_SIM_MAGNITUDE;
            expect(
                fits,
                "environment.events.sigmas",
                &at(&sigmas),
                "at most 1e12 in magnitude",
            )
        };
        let named = self.named_dimension().map_or(0, |dimension| dimension as usize);
        let known = named < dimensions.len();
        expect(
            known,
            "environment.events.dimension",
            &at(&named),
            "the index of a dimension",
        )?;
        match *self {
            Self::Shock { sigmas, .. } | Self::LevelShift { sigmas, .. } => size(sigmas),
            Self::Gap { from, to, .. } => span(from, to),
            Self::Variance { from, to, factor, .. } => {
                span(from, to)?;
                let fits = (0.0..=MAX_SIM_MAGNITUDE).contains(&factor);
                expect(fits, "environment.events.factor", &at(&factor), "0 to 1e12")
            }
            Self::Ramp { from, to, until, .. } => {
                span(from, to)?;
                let released = until.is_none_or(|until| until >= to);
                expect(
                    released,
                    "environment.events.until",
                    &at(&until.unwrap_or(0)),
                    "`to` or later",
                )?;
                let finite = dimensions[named].capacity.is_some();
                expect(
                    finite,
                    "environment.events.dimension",
                    &at(&named),
                    "a dimension with a capacity",
                )
            }
            Self::Oscillation {
                from,
                to,
                sigmas,
                period_cycles,
                ..
            } => {
                span(from, to)?;
                size(sigmas)?;
                let turns = period_cycles >= 2;
                expect(
                    turns,
                    "environment.events.period_cycles",
                    &at(&period_cycles),
                    "2 or more",
                )
            }
        }
    }
}
