//! A local cluster on disk: `cluster.toml` (members, voters of the store), the store's secrets, one folder a node
//! (configuration, data, log) and the certificate authority. `up` writes it, `shell` and `exec` read it.

mod voters;

pub use voters::{SECRETS_FILE, voters_of};

use crate::config::{ConfigError, Member, NodeConfig, Origin, StoreConfig, StoreVoter, text_of};
use crate::store::StoreFileError;
use rungs_types::{AgentSpec, NodeName};
use serde::{Deserialize, Serialize};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// The file that makes a folder a cluster.
pub const CLUSTER_FILE: &str = "cluster.toml";

/// Ports from which those of new clusters are chosen: below those that systems give to outgoing connections, so that
/// none of these takes the port of a member that starts later.
const PORTS: std::ops::RangeInclusive<u16> = 20_000..=31_999;

/// Most nodes of a local cluster.
pub const MAX_NODES: u32 = 16;

/// What `cluster.toml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalCluster {
    /// Its members.
    pub members: Vec<Member>,
    /// Those of them that hold a replica of the store, chosen once; none where the node has a store of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voters: Vec<StoreVoter>,
}

/// A cluster whose ports are held: no other program gets one of them while these sockets live.
#[derive(Debug)]
pub struct Prepared {
    /// The cluster as `cluster.toml` says.
    pub cluster: LocalCluster,
    /// A listening socket for each member, in the order of the members.
    pub sockets: Vec<TcpListener>,
}

/// Why a folder is not usable as a cluster.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// There is no cluster in it.
    #[error("{} is not there; start a cluster with `rungs up --data {}`, name its folder with --data, or write the cluster's nodes into that file: [[members]] with name and address", file.display(), dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
        /// The file that is missing.
        file: PathBuf,
    },
    /// The file is not what it should be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// How its store is reached cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreFileError),
    /// Voters would not be among the nodes.
    #[error("the store of the cluster in {} is on {voters}, which have to be among the nodes; expected --nodes {needed} or more, or another folder with --data", dir.display())]
    TooFewNodes {
        /// The folder.
        dir: PathBuf,
        /// The voters.
        voters: String,
        /// Nodes that include them all.
        needed: u32,
    },
    /// There are replicas, and nothing says who they are.
    #[error("{} has no [[voters]], but {} holds a replica of the cluster's store, which is of use only at its old addresses; put them back into the file", file.display(), store.display())]
    LostVoters {
        /// Where voters should be.
        file: PathBuf,
        /// A replica.
        store: PathBuf,
    },
    /// The folder cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which path.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> LocalError {
    let path = path.to_owned();
    move |error| LocalError::Io { path, error }
}

impl LocalCluster {
    /// Reads the cluster of a folder.
    pub fn load(dir: &Path) -> Result<Self, LocalError> {
        let file = dir.join(CLUSTER_FILE);
        let text = match text_of(&file) {
            Err(ConfigError::Read { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LocalError::Missing {
                    dir: dir.to_owned(),
                    file,
                });
            }
            text => text?,
        };
        Ok(toml::from_str(&text).map_err(|error| ConfigError::Toml {
            origin: Origin::File(file.display().to_string()),
            error: Box::new(error),
        })?)
    }

    /// The cluster of the folder with so many nodes: the one that is there with its ports, as far as they are free,
    /// and its voters, or a new one. The members' ports are taken from now on.
    pub fn prepare(dir: &Path, nodes: u32) -> Result<Prepared, LocalError> {
        let before = match Self::load(dir) {
            Ok(cluster) => Some(cluster),
            Err(LocalError::Missing { .. }) => None,
            Err(error) => return Err(error),
        };
        let names: Vec<NodeName> = (1..=nodes).map(name_of).collect();
        let voters = match before.as_ref().map(|cluster| &cluster.voters) {
            Some(voters) if !voters.is_empty() => voters.clone(),
            _ => voters::choose(dir, &names)?,
        };
        check_among(dir, &voters, &names)?;
        let (mut sockets, mut members) = (Vec::new(), Vec::new());
        for name in names {
            let listed = before.iter().flat_map(|cluster| &cluster.members);
            let old = listed.into_iter().find(|member| member.name == name);
            let (socket, address) = take_port(old.map(|member| member.address), dir).map_err(io(dir))?;
            sockets.push(socket);
            members.push(match old {
                Some(old) => Member { address, ..old.clone() },
                None => Member::new(name, address),
            });
        }
        let cluster = Self { members, voters };
        cluster.save(dir)?;
        Ok(Prepared { cluster, sockets })
    }

    /// How its store is reached from a node of it; `None` where a node has one of its own.
    pub fn store(&self, dir: &Path) -> Option<StoreConfig> {
        let voters = self.voters.clone();
        (!voters.is_empty()).then(|| StoreConfig {
            secrets: dir.join(SECRETS_FILE),
            tls: None,
            voters,
        })
    }

    /// Writes `cluster.toml`, so that a shell finds the cluster.
    pub fn save(&self, dir: &Path) -> Result<(), LocalError> {
        std::fs::create_dir_all(dir).map_err(io(dir))?;
        write(
            &dir.join(CLUSTER_FILE),
            &toml::to_string(self).expect("every field has a TOML form"),
        )
    }

    /// Writes the configuration of each node and returns where.
    pub fn configure(&self, dir: &Path, agents: &[AgentSpec]) -> Result<Vec<(NodeName, PathBuf)>, LocalError> {
        let mut files = Vec::new();
        for member in &self.members {
            let home = node_home(dir, &member.name);
            std::fs::create_dir_all(&home).map_err(io(&home))?;
            let text = format!(
                "name = \"{}\"\ndata = {:?}\ncertificates = {:?}\n",
                member.name,
                voters::data_of(dir, &member.name),
                dir
            );
            let config = NodeConfig {
                listen: member.address,
                zone: member.zone.clone(),
                allow_faults: true,
                store: self.store(dir),
                members: self.members.clone(),
                agents: agents.to_vec(),
                ..NodeConfig::parse("node", &text, [], &[])?
            };
            let file = home.join("node.toml");
            write(&file, &config.to_toml())?;
            files.push((member.name.clone(), file));
        }
        Ok(files)
    }
}

fn name_of(index: u32) -> NodeName {
    NodeName::new(&format!("n{index}")).expect("n and digits are a name")
}

/// A voter that does not run would be one that is down for ever.
fn check_among(dir: &Path, voters: &[StoreVoter], names: &[NodeName]) -> Result<(), LocalError> {
    if voters.iter().all(|voter| names.contains(&voter.node)) {
        return Ok(());
    }
    let is_voter = |index: &u32| voters.iter().any(|voter| voter.node == name_of(*index));
    let listed: Vec<&str> = voters.iter().map(|voter| voter.node.as_str()).collect();
    Err(LocalError::TooFewNodes {
        dir: dir.to_owned(),
        voters: listed.join(", "),
        needed: (1..=MAX_NODES).rev().find(is_voter).unwrap_or(MAX_NODES),
    })
}

/// The folder of one node.
pub fn node_home(dir: &Path, node: &NodeName) -> PathBuf {
    dir.join(node.as_str())
}

/// Listens on the wanted address, or on the first free port of loopback from one that the folder's name chooses, so
/// that two clusters seldom want the same.
fn take_port(wanted: Option<SocketAddr>, dir: &Path) -> std::io::Result<(TcpListener, SocketAddr)> {
    let first = dir
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(u16::from(*byte)));
    let (from, count) = (*PORTS.start(), PORTS.end() - PORTS.start());
    let ports = (0..count).map(|step| from + (first % count + step) % count);
    let chosen = ports.chain([0]).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let mut last = std::io::ErrorKind::AddrInUse.into();
    for address in wanted.into_iter().chain(chosen) {
        match TcpListener::bind(address) {
            Ok(socket) => {
                let address = socket.local_addr()?;
                return Ok((socket, address));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Writes beside the target and renames, so that a reader never sees half a file.
fn write(path: &Path, text: &str) -> Result<(), LocalError> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).map_err(io(&beside))?;
    std::fs::rename(&beside, path).map_err(io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_keeps_names_and_ports() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = LocalCluster::prepare(dir.path(), 3).expect("prepared").cluster;
        let second = LocalCluster::prepare(dir.path(), 3).expect("prepared").cluster;
        assert_eq!(first, second);
        assert_eq!(LocalCluster::load(dir.path()).expect("there"), first);
        let mut ports: Vec<_> = first.members.iter().map(|member| member.address.port()).collect();
        ports.dedup();
        assert_eq!(ports.len(), 3);
    }

    #[test]
    fn ports_are_held_as_long_as_their_sockets_live() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = LocalCluster::prepare(dir.path(), 3).expect("prepared");
        let taken =
            |cluster: &LocalCluster| -> Vec<_> { cluster.members.iter().map(|member| member.address).collect() };
        let second = LocalCluster::prepare(dir.path(), 3).expect("prepared").cluster;
        let both: std::collections::BTreeSet<_> = taken(&first.cluster).into_iter().chain(taken(&second)).collect();
        assert_eq!(both.len(), 6, "no port is given out twice");
        for address in both {
            assert!(PORTS.contains(&address.port()), "{address}");
        }
    }

    #[test]
    fn a_folder_without_a_cluster_says_what_to_do() {
        let dir = tempfile::tempdir().expect("a folder");
        let error = LocalCluster::load(dir.path()).expect_err("missing").to_string();
        assert!(error.contains("rungs up --data"), "{error}");
    }

    #[test]
    fn each_node_gets_a_configuration_that_loads() {
        let dir = tempfile::tempdir().expect("a folder");
        let cluster = LocalCluster::prepare(dir.path(), 2).expect("prepared").cluster;
        let agents = [AgentSpec::new(rungs_shell::command::default_agent(1))];
        for (name, file) in cluster.configure(dir.path(), &agents).expect("written") {
            let config = NodeConfig::load(&file, [], &[]).expect("valid");
            assert_eq!((config.name, config.members.len(), config.agents.len()), (name, 2, 1));
        }
    }
}
