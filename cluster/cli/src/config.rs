//! The configuration of one node: a TOML file, then `RUNGS_...` variables, then `--set key=value`, the later winning.
//!
//! It lives here and not beside the assembly because `rungs up` writes it for the nodes it starts.

mod error;
mod read;
mod store;

pub use error::{ConfigError, Origin};
pub(crate) use read::text_of;
pub use store::{StoreConfig, StoreTls, StoreVoter, VOTERS, WrongValue, check_store};

use rungs_types::{AgentSpec, NodeName};
use serde::{Deserialize, Deserializer, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Largest configuration file, in bytes.
pub const MAX_CONFIG_BYTES: u64 = 1024 * 1024;
/// Most members of a cluster.
pub const MAX_MEMBERS: usize = 1000;
/// Most agents that a configuration starts.
pub const MAX_AGENTS: usize = 10_000;
/// Variables that begin with this set the key behind it: `RUNGS_ALLOW_FAULTS=true`.
pub const VARIABLE_PREFIX: &str = "RUNGS_";

/// One node, as configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The node's name, unique in the cluster and the name in its certificate; the certificate also says which cluster.
    pub name: NodeName,
    /// Where it listens for other nodes and shells.
    #[serde(default = "default_listen", deserialize_with = "address")]
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
    /// The store of the cluster, which a node of a cluster of several has to be told; without it the node is the only voter of
    /// a store of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreConfig>,
    /// All members of the cluster, this node among them or not.
    #[serde(default)]
    pub members: Vec<Member>,
    /// Agents of the cluster; each runs on the node that it is placed on.
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
    #[serde(deserialize_with = "address")]
    pub address: SocketAddr,
    /// Its capacity relative to the others, 1 to 1000.
    #[serde(default = "default_weight")]
    pub weight: u32,
    /// What it fails together with: a rack, a room. 1 to 63 visible ASCII characters.
    #[serde(default = "default_place")]
    pub zone: String,
}

impl Member {
    /// One as large as any other, in the default zone.
    pub fn new(name: NodeName, address: SocketAddr) -> Self {
        Self {
            name,
            address,
            weight: default_weight(),
            zone: default_place(),
        }
    }
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
    // A link that ends is told by the mesh; ractor_cluster tells each of its steps once more. What the store cannot do is told
    // by whoever needs it; hiqlite calls errors what is so at each first start, when voters do not know each other yet.
    "info,ractor_cluster=error,openraft=error,hiqlite=error,hiqlite::client=off,hiqlite::init=off".to_owned()
}

/// An address, with an error that says what one looks like.
fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| {
        serde::de::Error::custom(format!(
            "{text:?} is not an address; expected IP:PORT with a port up to 65535, such as 127.0.0.1:7101"
        ))
    })
}

impl NodeConfig {
    /// The configuration as a file that [`NodeConfig::load`] reads back.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field has a TOML form")
    }
}

#[cfg(test)]
mod tests;
