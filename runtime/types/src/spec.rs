//! What an agent is to be: its environment, its seed, its rate. Read from files, commands and code alike.

mod sim;

pub use sim::{
    MAX_SIM_EVENTS, MAX_SIM_MAGNITUDE, MAX_SIM_PERIOD_CYCLES, SIM_PHI_RANGE, SimDimension, SimEvent, SimSpec,
};

use crate::id::AgentId;
use crate::level::Level;
use crate::name::AgentName;
use serde::{Deserialize, Serialize};

/// Fewest and most cycles per second.
pub const RATE_RANGE_HZ: std::ops::RangeInclusive<f64> = 0.1..=1000.0;
/// Fewest and most particles of the world model's filter.
pub const PARTICLES_RANGE: std::ops::RangeInclusive<u32> = 10..=10_000;
/// Least and most of its processor quota, in processors.
pub const CPU_QUOTA_RANGE: std::ops::RangeInclusive<f64> = 0.001..=64.0;
/// Shortest and longest time after which an agent rests, in seconds.
pub const RESTS_AFTER_RANGE_S: std::ops::RangeInclusive<u32> = 1..=86_400;
/// Most dimensions of an environment.
pub const MAX_DIMENSIONS: usize = 64;
/// Longest path of a recording, in bytes.
pub const MAX_PATH_BYTES: usize = 4096;
/// Slowest and fastest playback of a recording, as a multiple of its own time.
pub const SPEED_RANGE: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;

/// An agent, as asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// Its identity, `[tenant/]name`.
    pub agent: AgentId,
    /// What it watches and acts on.
    #[serde(default)]
    pub environment: EnvironmentSpec,
    /// Cycles per second, 0.1 to 1000.
    #[serde(default = "default_rate_hz")]
    pub rate_hz: f64,
    /// Seed of all its randomness; the same seed and observations give the same decisions.
    #[serde(default)]
    pub seed: u64,
    /// Particles of the belief filter, 10 to 10,000.
    #[serde(default = "default_particles")]
    pub particles: u32,
    /// Deadline of a level phase, in milliseconds, 1 to 60,000; a phase that misses it freezes its level.
    #[serde(default = "default_phase_deadline_ms")]
    pub phase_deadline_ms: u64,
    /// The highest level that it has: L4.5, L4.8 or L4.9.
    #[serde(default = "default_highest")]
    pub highest: Level,
    /// Processors that it may use, 0.001 to 64: near it the agent makes its period longer, and an agent that is over it at
    /// its longest period is parked. Without it there is no limit.
    #[serde(default)]
    pub cpu_quota: Option<f64>,
    /// The group of agents of its tenant that it reports to, and whose reports it gets.
    #[serde(default)]
    pub group: Option<AgentName>,
    /// After how long without a message or an open goal it rests until it is wanted, in seconds, 1 to 86,400. Without it, it
    /// runs always.
    #[serde(default)]
    pub rests_after_s: Option<u32>,
}

fn default_highest() -> Level {
    Level::L49
}

fn default_rate_hz() -> f64 {
    10.0
}

fn default_particles() -> u32 {
    100
}

fn default_phase_deadline_ms() -> u64 {
    250
}

impl AgentSpec {
    /// An agent that watches this machine at 10 cycles a second.
    pub fn new(agent: AgentId) -> Self {
        Self {
            agent,
            environment: EnvironmentSpec::default(),
            rate_hz: default_rate_hz(),
            seed: 0,
            particles: default_particles(),
            phase_deadline_ms: default_phase_deadline_ms(),
            highest: default_highest(),
            cpu_quota: None,
            group: None,
            rests_after_s: None,
        }
    }

    /// The address of its group, if it is in one.
    pub fn group_address(&self) -> Option<AgentId> {
        self.group.clone().map(|name| self.agent.beside(name))
    }

    /// Checks every range and says which field is out of it.
    pub fn validate(&self) -> Result<(), SpecError> {
        let out_of = |field, found: String, expected: &str| {
            Err(SpecError::OutOfRange {
                field,
                found,
                expected: expected.to_owned(),
            })
        };
        if !RATE_RANGE_HZ.contains(&self.rate_hz) {
            return out_of("rate_hz", self.rate_hz.to_string(), "0.1 to 1000");
        }
        if !PARTICLES_RANGE.contains(&self.particles) {
            return out_of("particles", self.particles.to_string(), "10 to 10000");
        }
        if !(1..=60_000).contains(&self.phase_deadline_ms) {
            return out_of("phase_deadline_ms", self.phase_deadline_ms.to_string(), "1 to 60000");
        }
        if !matches!(self.highest, Level::L45 | Level::L48 | Level::L49) {
            return out_of("highest", self.highest.to_string(), "L4.5, L4.8 or L4.9");
        }
        if let Some(quota) = self.cpu_quota.filter(|quota| !CPU_QUOTA_RANGE.contains(quota)) {
            return out_of("cpu_quota", quota.to_string(), "0.001 to 64");
        }
        if let Some(rests) = self.rests_after_s.filter(|rests| !RESTS_AFTER_RANGE_S.contains(rests)) {
            return out_of("rests_after_s", rests.to_string(), "1 to 86400");
        }
        self.environment.validate()
    }
}

/// What an agent watches and acts on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EnvironmentSpec {
    /// The live metrics of this machine and process.
    #[default]
    Host,
    /// A recorded time series, one row each cycle.
    Trace {
        /// The CSV file, or a directory whose CSV files are the dimensions of one environment.
        path: String,
    },
    /// A recorded time series at the pace of its own timestamps.
    Playback {
        /// The CSV file; its first column is the time.
        path: String,
        /// 1 for real time, 60 for a minute each second; 0.001 to 1,000,000.
        speed: f64,
    },
    /// A seeded world for tests and demonstrations.
    Sim {
        /// Dimensions, 1 to 64.
        dimensions: u32,
        /// Seed of the world (the agent has its own).
        seed: u64,
    },
    /// A seeded world written out: its dimensions and what is planted in it.
    Scenario(SimSpec),
    /// One that the embedding program registered under this name.
    Custom {
        /// The registered name.
        name: String,
    },
}

impl EnvironmentSpec {
    /// A world made for the agent: its finite resources are the agent's own. A machine's are not.
    pub fn is_simulated(&self) -> bool {
        matches!(self, Self::Sim { .. } | Self::Scenario(_))
    }

    /// Checks every range and says which field is out of it. Whether a file exists or a name is registered shows when
    /// the environment is built.
    pub fn validate(&self) -> Result<(), SpecError> {
        let out_of = |field, found: String, expected: String| Err(SpecError::OutOfRange { field, found, expected });
        match self {
            Self::Host => Ok(()),
            Self::Trace { path } | Self::Playback { path, .. } if path.is_empty() || path.len() > MAX_PATH_BYTES => {
                let found = format!("{} bytes", path.len());
                out_of("environment.path", found, format!("1 to {MAX_PATH_BYTES} bytes"))
            }
            Self::Playback { speed, .. } if !SPEED_RANGE.contains(speed) => out_of(
                "environment.speed",
                speed.to_string(),
                format!("{} to {}", SPEED_RANGE.start(), SPEED_RANGE.end()),
            ),
            Self::Trace { .. } | Self::Playback { .. } => Ok(()),
            Self::Sim { dimensions, .. } if !(1..=MAX_DIMENSIONS as u32).contains(dimensions) => out_of(
                "environment.dimensions",
                dimensions.to_string(),
                format!("1 to {MAX_DIMENSIONS}"),
            ),
            Self::Sim { .. } => Ok(()),
            Self::Scenario(spec) => spec.validate(),
            Self::Custom { name } if name.is_empty() || name.len() > crate::name::MAX_NAME_CHARS => out_of(
                "environment.name",
                format!("{} bytes", name.len()),
                format!("1 to {} bytes", crate::name::MAX_NAME_CHARS),
            ),
            Self::Custom { .. } => Ok(()),
        }
    }
}

/// Why a specification is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// A number outside its range.
    #[error("{field} is {found}; expected {expected}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// The range.
        expected: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_zero_or_nan_is_refused_by_name() {
        let mut spec = AgentSpec::new(AgentId::of_default_tenant(AgentName::new("a").expect("valid")));
        assert_eq!(spec.validate(), Ok(()));
        for rate in [0.0, f64::NAN, 1001.0, -1.0] {
            spec.rate_hz = rate;
            let error = spec.validate().expect_err("out of range").to_string();
            assert!(error.starts_with("rate_hz is"), "{error}");
        }
    }

    #[test]
    fn a_processor_quota_out_of_range_is_refused_by_name() {
        let mut spec = AgentSpec::new(AgentId::of_default_tenant(AgentName::new("a").expect("valid")));
        spec.cpu_quota = Some(0.5);
        assert_eq!(spec.validate(), Ok(()));
        for quota in [0.0, f64::NAN, 65.0] {
            spec.cpu_quota = Some(quota);
            let error = spec.validate().expect_err("out of range").to_string();
            assert_eq!(error, format!("cpu_quota is {quota}; expected 0.001 to 64"));
        }
    }

    #[test]
    fn a_time_to_rest_out_of_range_is_refused_by_name() {
        let mut spec = AgentSpec::new(AgentId::of_default_tenant(AgentName::new("a").expect("valid")));
        for (rests, valid) in [(0, false), (1, true), (86_400, true), (86_401, false)] {
            spec.rests_after_s = Some(rests);
            let found = spec.validate().map_err(|error| error.to_string());
            let expected = format!("rests_after_s is {rests}; expected 1 to 86400");
            assert_eq!(found, if valid { Ok(()) } else { Err(expected) });
        }
    }

    #[test]
    fn an_environment_out_of_range_is_refused_with_its_agent() {
        let mut spec = AgentSpec::new(AgentId::of_default_tenant(AgentName::new("a").expect("valid")));
        let trace = |path: &str| EnvironmentSpec::Trace { path: path.to_owned() };
        let playback = |speed| EnvironmentSpec::Playback {
            path: "a.csv".to_owned(),
            speed,
        };
        let cases = [
            (trace(""), "environment.path is 0 bytes; expected 1 to 4096 bytes"),
            (playback(0.0), "environment.speed is 0; expected 0.001 to 1000000"),
            (
                playback(f64::NAN),
                "environment.speed is NaN; expected 0.001 to 1000000",
            ),
            (
                EnvironmentSpec::Sim {
                    dimensions: 65,
                    seed: 0,
                },
                "environment.dimensions is 65; expected 1 to 64",
            ),
            (
                EnvironmentSpec::Custom { name: String::new() },
                "environment.name is 0 bytes; expected 1 to 63 bytes",
            ),
        ];
        for (environment, expected) in cases {
            spec.environment = environment;
            assert_eq!(spec.validate().expect_err("out of range").to_string(), expected);
        }
        for environment in [
            trace("a.csv"),
            playback(1.0),
            EnvironmentSpec::Sim {
                dimensions: 64,
                seed: 0,
            },
        ] {
            spec.environment = environment;
            assert_eq!(spec.validate(), Ok(()));
        }
    }
}
