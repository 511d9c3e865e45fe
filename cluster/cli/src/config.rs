//! The configuration of one node: a TOML file, then `RUNGS_...` variables, then `--set key=value`, the later winning.
//!
//! It lives here and not beside the assembly because `rungs up` writes it for the nodes it starts.

use rungs_types::{AgentSpec, NodeName, SpecError};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Largest configuration file, in bytes.
pub const MAX_CONFIG_BYTES: u64 = 1024 * 1024;
/// Most members of a cluster.
pub const MAX_MEMBERS: usize = 1000;
/// Most agents that a configuration starts.
pub const MAX_AGENTS: usize = 10_000;
/// Variables that begin with this set the key behind it: `RUNGS_ALLOW_FAULTS=true`.
pub const VARIABLE_PREFIX: &str = "RUNGS_";
/// Variables with the prefix that are not configuration: they belong to the test suite.
const OTHER_VARIABLES: [&str; 1] = ["RUNGS_CI"];

/// One node, as configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The node's name, unique in the cluster and the name in its certificate; the certificate also says which cluster.
    pub name: NodeName,
    /// Where it listens for other nodes and shells.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Where it keeps snapshots.
    pub data: PathBuf,
    /// The folder with the cluster's authority (`ca`), and this node's certificate and key (`nodes`).
    pub certificates: PathBuf,
    /// Region, for placement.
    #[serde(default = "default_place")]
    pub region: String,
    /// Zone, for placement.
    #[serde(default = "default_place")]
    pub zone: String,
    /// Obey `inject`.
    #[serde(default)]
    pub allow_faults: bool,
    /// What is logged, such as `info` or `info,rungs_mesh=debug`.
    #[serde(default = "default_log")]
    pub log: String,
    /// How logs look.
    #[serde(default)]
    pub log_format: LogFormat,
    /// All members of the cluster, this node among them or not.
    #[serde(default)]
    pub members: Vec<Member>,
    /// Agents of the cluster; the node starts those that are placed on it.
    #[serde(default)]
    pub agents: Vec<AgentSpec>,
}

/// How logs look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// One member of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name.
    pub name: NodeName,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its capacity relative to the others, 1 to 1000.
    #[serde(default = "default_weight")]
    pub weight: u32,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn default_place() -> String {
    "default".to_owned()
}

fn default_weight() -> u32 {
    1
}

fn default_log() -> String {
    // A link that ends is told by the mesh; ractor_cluster tells each of its steps once more.
    "info,ractor_cluster=error".to_owned()
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read: {error}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is too large.
    #[error("{}: {bytes} bytes; expected at most {MAX_CONFIG_BYTES}", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Not TOML, an unknown key or a wrong value; the text names line and key.
    #[error("{source_name}: {error}")]
    Toml {
        /// The file, or the setting.
        source_name: String,
        /// Where and what.
        error: Box<toml::de::Error>,
    },
    /// `--set` without `=`, or with a path through something that is not a table.
    #[error("--set {setting}: expected key=value, such as allow_faults=true or log=debug")]
    Setting {
        /// What was given.
        setting: String,
    },
    /// A value outside its range.
    #[error("{field}: {found}; expected {expected}")]
    OutOfRange {
        /// The key.
        field: &'static str,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// An agent outside its ranges.
    #[error("agents, {agent}: {error}")]
    Agent {
        /// Which agent.
        agent: String,
        /// What is wrong with it.
        error: SpecError,
    },
}

impl NodeConfig {
    /// Reads a file and puts variables and settings over it.
    pub fn load(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
        settings: &[String],
    ) -> Result<Self, ConfigError> {
        let read = |error| ConfigError::Read {
            path: path.to_owned(),
            error,
        };
        let bytes = std::fs::metadata(path).map_err(read)?.len();
        if bytes > MAX_CONFIG_BYTES {
            return Err(ConfigError::TooLarge {
                path: path.to_owned(),
                bytes,
            });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::parse(&path.display().to_string(), &text, variables, settings)
    }

    /// The same for a text.
    pub fn parse(
        source_name: &str,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
        settings: &[String],
    ) -> Result<Self, ConfigError> {
        let toml_error = |error| ConfigError::Toml {
            source_name: source_name.to_owned(),
            error: Box::new(error),
        };
        let mut variables: Vec<_> = variables
            .into_iter()
            .filter(|(name, _)| !OTHER_VARIABLES.contains(&name.as_str()))
            .filter_map(|(name, value)| Some((name.strip_prefix(VARIABLE_PREFIX)?.to_ascii_lowercase(), value)))
            .collect();
        variables.sort();
        let config: Self = if variables.is_empty() && settings.is_empty() {
            // Straight from the text, so that an error names line and column.
            toml::from_str(text).map_err(toml_error)?
        } else {
            let _: Self = toml::from_str(text).or_else(|error| {
                // A key that is only missing may still come from a setting.
                if error.message().starts_with("missing field") {
                    Self::with(text, &variables, settings)
                } else {
                    Err(toml_error(error))
                }
            })?;
            Self::with(text, &variables, settings)?
        };
        config.validate()?;
        Ok(config)
    }

    fn with(text: &str, variables: &[(String, String)], settings: &[String]) -> Result<Self, ConfigError> {
        let as_error = |name: &str| {
            let source_name = name.to_owned();
            move |error| ConfigError::Toml {
                source_name,
                error: Box::new(error),
            }
        };
        let mut table: toml::Table = toml::from_str(text).map_err(as_error("configuration"))?;
        for (key, value) in variables {
            table.insert(key.clone(), parse_value(value));
        }
        for setting in settings {
            let (key, value) = setting.split_once('=').ok_or_else(|| ConfigError::Setting {
                setting: setting.clone(),
            })?;
            table.insert(key.trim().to_owned(), parse_value(value));
        }
        let names: Vec<&str> = settings.iter().map(String::as_str).collect();
        let source = format!("settings {}", names.join(" "));
        toml::Value::Table(table).try_into().map_err(as_error(source.trim()))
    }

    /// Checks every range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let out_of = |field, found: String, expected| Err(ConfigError::OutOfRange { field, found, expected });
        if let Some(member) = self.members.iter().find(|member| !(1..=1000).contains(&member.weight)) {
            return out_of("members, weight", member.weight.to_string(), "1 to 1000");
        }
        if self.members.len() > MAX_MEMBERS {
            return out_of("members", self.members.len().to_string(), "at most 1000");
        }
        if self.agents.len() > MAX_AGENTS {
            return out_of("agents", self.agents.len().to_string(), "at most 10000");
        }
        let mut names: Vec<_> = self.members.iter().map(|member| &member.name).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return out_of("members", format!("{} twice", twice[0]), "each name once");
        }
        for spec in &self.agents {
            spec.validate().map_err(|error| ConfigError::Agent {
                agent: spec.agent.to_string(),
                error,
            })?;
        }
        Ok(())
    }

    /// The configuration as a file that [`NodeConfig::load`] reads back.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field has a TOML form")
    }
}

/// A TOML value if the text is one, else the text itself: `--set log=debug` needs no quotes.
fn parse_value(text: &str) -> toml::Value {
    let line = format!("value = {}", text.trim());
    let parsed = toml::from_str::<toml::Table>(&line)
        .ok()
        .filter(|table| table.len() == 1);
    parsed
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.trim().to_owned()))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
