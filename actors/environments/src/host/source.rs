//! Where readings come from: [`SensorSource`], and what it says about its sensors ([`SensorPlan`]).

use rungs_agent::{Description, Dimension};
use rungs_types::spec::MAX_DIMENSIONS;
use std::time::Duration;

/// Shortest period of a group.
pub const MIN_PERIOD: Duration = Duration::from_millis(10);
/// Longest period of a group before an agent asks for a slower one.
pub const MAX_PERIOD: Duration = Duration::from_secs(3600);

/// Reads sensors. It may block: only the sampler's thread calls it.
pub trait SensorSource: Send + 'static {
    /// What there is to read. Constant for its lifetime.
    fn plan(&self) -> &SensorPlan;

    /// Reads the sensors of a group into `readings`, in the order of the plan; what cannot be read is NaN.
    fn read(&mut self, group: u16, readings: &mut [f64]) -> Result<(), SensorError>;
}

/// The groups and sensors of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorPlan {
    /// What it is, such as `host`.
    pub name: String,
    /// The groups, at least one.
    pub groups: Vec<SensorGroup>,
    /// The sensors, 1 to 64.
    pub sensors: Vec<Sensor>,
}

/// Sensors that are read together.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorGroup {
    /// Its name, such as `cpu`.
    pub name: String,
    /// Time from one sample to the next unless an agent asks for another, 10 ms to 1 h.
    pub period: Duration,
    /// The shortest period that still brings news, 10 ms to `period`.
    pub fastest: Duration,
}

/// One sensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// Its name, such as `memory_used`.
    pub name: String,
    /// The unit of what agents see: of the reading, or of its change each second.
    pub unit: String,
    /// Index of its group.
    pub group: u16,
    /// What a reading is.
    pub kind: SensorKind,
    /// The most there is of it, if it is how much of a finite resource is in use; above 0.
    pub capacity: Option<f64>,
}

/// What a reading is, and what agents see of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SensorKind {
    /// How much there is; agents see it as it is.
    Gauge,
    /// How much there has been since some time; agents see its change each second. Where it goes backwards it was
    /// reset or has wrapped, and that interval is missing.
    Counter,
}

/// Why a source cannot be read or is not accepted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SensorError {
    /// The machine does not give it.
    #[error("{what} cannot be read: {reason}")]
    Unreadable {
        /// What was asked for.
        what: String,
        /// Why, in one line.
        reason: String,
    },
    /// Its plan is not one.
    #[error("the sensor plan of {source_name}: {field} is {found}; expected {expected}")]
    Plan {
        /// Which source.
        source_name: String,
        /// Which field.
        field: &'static str,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
}

impl SensorPlan {
    /// Checks every range and says which field is out of it.
    pub fn validate(&self) -> Result<(), SensorError> {
        let expect = |holds: bool, field, found: &dyn std::fmt::Debug, expected| {
            if holds {
                return Ok(());
            }
            Err(SensorError::Plan {
                source_name: self.name.clone(),
                field,
                found: format!("{found:?}"),
                expected,
            })
        };
        let sensors = self.sensors.len();
        expect((1..=MAX_DIMENSIONS).contains(&sensors), "sensors", &sensors, "1 to 64")?;
        let groups = self.groups.len();
        expect(
            (1..=sensors).contains(&groups),
            "groups",
            &groups,
            "1 to the number of sensors",
        )?;
        for group in &self.groups {
            let period_fits = (MIN_PERIOD..=MAX_PERIOD).contains(&group.period);
            expect(period_fits, "period", &group.period, "10 ms to 1 h")?;
            let fastest_fits = (MIN_PERIOD..=group.period).contains(&group.fastest);
            expect(fastest_fits, "fastest", &group.fastest, "10 ms to the period")?;
        }
        for sensor in &self.sensors {
            let known = usize::from(sensor.group) < groups;
            expect(known, "group", &sensor.group, "the index of a group")?;
            let capacity_fits = sensor
                .capacity
                .is_none_or(|capacity| capacity > 0.0 && capacity.is_finite());
            expect(capacity_fits, "capacity", &sensor.capacity, "a finite number above 0")?;
        }
        Ok(())
    }

    /// Indices of the sensors of a group.
    pub(super) fn members(&self, group: u16) -> Box<[usize]> {
        let members = self
            .sensors
            .iter()
            .enumerate()
            .filter(|(_, sensor)| sensor.group == group);
        members.map(|(index, _)| index).collect()
    }

    /// What agents are told.
    pub(super) fn describe(&self) -> Description {
        let dimension = |sensor: &Sensor| Dimension {
            name: sensor.name.clone(),
            unit: sensor.unit.clone(),
            group: sensor.group,
            capacity: sensor.capacity,
        };
        Description {
            name: self.name.clone(),
            dimensions: self.sensors.iter().map(dimension).collect(),
            groups: self.groups.iter().map(|group| group.name.clone()).collect(),
            adjustable: true,
        }
    }
}
