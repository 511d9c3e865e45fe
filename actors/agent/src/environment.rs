//! [`Environment`]: what an agent watches and acts on. Implementations live in `actors/environments` and in embedding
//! programs; the agent knows only this trait.
//!
//! Contract: no method blocks. An environment that must wait for something (a device, a network) samples in the
//! background and hands out what it has; between samples a dimension is missing.

use rungs_mind::body::Surroundings;
use std::time::Duration;

/// What an environment is made of. Constant for its lifetime.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// What it is, such as `host` or a file name.
    pub name: String,
    /// The observed dimensions, 1 to [`rungs_types::spec::MAX_DIMENSIONS`].
    pub dimensions: Vec<Dimension>,
    /// Names of the groups that dimensions refer to.
    pub groups: Vec<String>,
    /// Whether [`Command`] is obeyed; a recorded trace can only be watched.
    pub adjustable: bool,
}

/// One observed quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    /// Its name, such as `cpu_user`.
    pub name: String,
    /// Its unit, such as `percent` or `bytes/s`; empty for a pure number.
    pub unit: String,
    /// Index of its group.
    pub group: u16,
    /// `Some(capacity)` if it measures how much of a finite resource is in use, in the same unit; exposure and
    /// runway are computed from it.
    pub capacity: Option<f64>,
}

impl Description {
    /// An environment that can only be watched.
    pub fn new(name: &str, groups: &[&str], dimensions: Vec<Dimension>) -> Self {
        let groups = groups.iter().map(ToString::to_string).collect();
        Self {
            name: name.to_owned(),
            dimensions,
            groups,
            adjustable: false,
        }
    }

    /// What an agent's body needs to know of it.
    pub fn surroundings(&self) -> Surroundings {
        Surroundings {
            groups: self.groups.clone(),
            group_of: self.dimensions.iter().map(|dimension| dimension.group).collect(),
            capacities: self.dimensions.iter().map(|dimension| dimension.capacity).collect(),
            adjustable: self.adjustable,
        }
    }
}

impl Dimension {
    /// A quantity that is no finite resource.
    pub fn new(name: &str, unit: &str, group: u16) -> Self {
        Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            group,
            capacity: None,
        }
    }
}

/// A change that an agent makes to its environment's sensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Sample a group twice as often, down to the environment's limit.
    SampleFaster {
        /// Index of the group.
        group: u16,
    },
    /// Sample a group half as often, up to the environment's limit.
    SampleSlower {
        /// Index of the group.
        group: u16,
    },
}

/// What an observation brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// The row was filled; missing values are NaN.
    Row,
    /// A recording has ended; the row was not touched.
    End,
}

/// Why an environment did not do what was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EnvironmentError {
    /// The sensors cannot be read now; the row counts as missing.
    #[error("{environment} cannot be read: {reason}")]
    Unreadable {
        /// Which environment.
        environment: String,
        /// Why, in one line.
        reason: String,
    },
    /// The input behind it is not what it should be; it will not become better.
    #[error("{environment}: {reason}")]
    Broken {
        /// Which environment.
        environment: String,
        /// What was found, where, and what was expected.
        reason: String,
    },
    /// The command has no effect here: the environment is not adjustable or at its limit.
    #[error("{environment} does not do that: {reason}")]
    NotApplicable {
        /// Which environment.
        environment: String,
        /// Why, in one line.
        reason: String,
    },
}

/// What an agent watches and acts on.
pub trait Environment: Send + 'static {
    /// What it is made of.
    fn describe(&self) -> &Description;

    /// Fills `row` (one value per dimension) with what is new at `now` (time since the agent's first cycle); a
    /// dimension without a new sample is NaN.
    fn observe(&mut self, now: Duration, row: &mut [f64]) -> Result<Observed, EnvironmentError>;

    /// Carries out a command.
    fn act(&mut self, command: Command) -> Result<(), EnvironmentError>;
}
