//! [`NodeBuilder`]: what a node is to be, with defaults for a program that only wants agents.

use crate::assembly;
use crate::node::Node;
use anyhow::Context as _;
use rungs_agent::{Environment, EnvironmentError};
use rungs_cli::config::{Member, StoreConfig};
use rungs_cli::local::LocalCluster;
use rungs_environments::Factory;
use rungs_host::telemetry::Telemetry;
use rungs_mesh::{Ca, Identity, Listen, Renewal, Role};
use rungs_types::{AgentId, AgentSpec, NodeName};
use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of a node that was given none.
const DEFAULT_NAME: &str = "n1";
/// The file in the data folder that is locked while the node lives.
const LOCK_FILE: &str = "node.lock";

/// What a node is to be. Without any setting: one node named `n1` on loopback, its data in `.rungs`, an authority of
/// its own, so that `rungs shell` reaches it.
pub struct NodeBuilder {
    pub(crate) name: Option<String>,
    pub(crate) data: PathBuf,
    /// Taken when the node starts.
    pub(crate) listen: Option<Listen>,
    pub(crate) members: Vec<Member>,
    pub(crate) store: Option<StoreConfig>,
    pub(crate) agents: Vec<AgentSpec>,
    pub(crate) identity: Option<Identity>,
    /// Where the next certificate comes from.
    pub(crate) renewal: Renewal,
    pub(crate) allow_faults: bool,
    pub(crate) environments: Vec<(String, Factory)>,
    pub(crate) telemetry: Option<Telemetry>,
}

impl Default for NodeBuilder {
    fn default() -> Self {
        Self {
            name: None,
            data: PathBuf::from(rungs_cli::args::DEFAULT_DATA),
            listen: Some(Listen::At(SocketAddr::from(([127, 0, 0, 1], 0)))),
            members: Vec::new(),
            store: None,
            agents: Vec::new(),
            identity: None,
            renewal: Renewal::Program,
            allow_faults: false,
            environments: Vec::new(),
            telemetry: None,
        }
    }
}

impl NodeBuilder {
    /// The node's name, unique in its cluster.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Where it keeps snapshots and, unless it is given one, its identity.
    #[must_use]
    pub fn data_dir(mut self, data: impl AsRef<Path>) -> Self {
        self.data = data.as_ref().to_owned();
        self
    }

    /// Where it listens for other nodes and shells; port 0 takes a free one.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(Listen::At(address));
        self
    }

    /// The members of its cluster, itself among them; a cluster of several needs a [`store`](Self::store), too.
    #[must_use]
    pub fn members(mut self, members: Vec<Member>) -> Self {
        self.members = members;
        self
    }

    /// The store of its cluster, the same for all members. A node that is told of none has a store of its own.
    #[must_use]
    pub fn store(mut self, store: StoreConfig) -> Self {
        self.store = Some(store);
        self
    }

    /// The agents of its cluster, as configured: they are registered when the node starts, and those that an earlier
    /// configuration of this node listed are no more. One that another node's configuration lists as well stays as that says.
    #[must_use]
    pub fn agents(mut self, agents: Vec<AgentSpec>) -> Self {
        self.agents = agents;
        self
    }

    /// Who it is and whom it trusts. Before its certificate ends, the program gives it the next one with [`Node::renew`].
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self.renewal = Renewal::Program;
        self
    }

    /// Who it is and whom it trusts, from its files in a cluster folder. While it runs, it takes the next certificate from
    /// there, too; where the authority's key is, it issues it itself.
    ///
    /// # Errors
    /// If a file is missing or is not what its name says.
    pub fn certificates(mut self, folder: impl AsRef<Path>, name: &NodeName) -> crate::Result<Self> {
        self.identity = Some(Identity::load(folder.as_ref(), name)?);
        self.renewal = Renewal::Files(folder.as_ref().to_owned());
        self.name = Some(name.to_string());
        Ok(self)
    }

    /// Obey injected faults: for tests and demonstrations.
    #[must_use]
    pub fn allow_faults(mut self) -> Self {
        self.allow_faults = true;
        self
    }

    /// Lets agents watch an environment of the program's own, as [`rungs_types::EnvironmentSpec::Custom`].
    #[must_use]
    pub fn environment<E: Environment>(
        mut self,
        name: &str,
        make: impl Fn(&AgentId) -> Result<E, EnvironmentError> + Send + Sync + 'static,
    ) -> Self {
        let factory: Factory = Arc::new(move |agent| Ok(Box::new(make(agent)?)));
        self.environments.push((name.to_owned(), factory));
        self
    }

    /// Lets the shell change what is logged.
    #[must_use]
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = Some(telemetry);
        self
    }

    /// A member of a local cluster of so many nodes (`n1`, `n2` and so on) in a folder: the first call chooses ports and
    /// makes the authority. The members may be processes of their own, and `rungs shell --data FOLDER` reaches them.
    pub fn local_member(dir: impl AsRef<Path>, name: &str, nodes: u32) -> crate::Result<Self> {
        let dir = dir.as_ref();
        let (cluster, sockets) = match LocalCluster::load(dir) {
            Ok(cluster) if !cluster.voters.is_empty() => (cluster, Vec::new()),
            _ => {
                let prepared = LocalCluster::prepare(dir, nodes)?;
                (prepared.cluster, prepared.sockets)
            }
        };
        let name = NodeName::new(name)?;
        let member = cluster.members.iter().position(|member| member.name == name);
        let member = member.with_context(|| format!("{} has no member {name}", dir.display()))?;
        let listen = match sockets.into_iter().nth(member) {
            Some(socket) => Listen::On(socket),
            None => Listen::At(cluster.members[member].address),
        };
        let identity = Ca::create_or_load(dir)?.issue(&name, &[Role::Voter])?;
        let data = dir.join(name.as_str());
        let name = Some(name.to_string());
        Ok(Self {
            name,
            data,
            listen: Some(listen),
            store: cluster.store(dir),
            members: cluster.members,
            identity: Some(identity),
            renewal: Renewal::Authority(dir.to_owned()),
            ..Self::default()
        })
    }

    /// Starts the node.
    pub async fn start(mut self) -> crate::Result<Node> {
        let name = NodeName::new(self.name.as_deref().unwrap_or(DEFAULT_NAME))?;
        std::fs::create_dir_all(&self.data).with_context(|| format!("cannot make {}", self.data.display()))?;
        let lock = lock(&self.data)?;
        rungs_cli::config::check_store(&name, &self.members, self.store.as_ref())?;
        let own = self.identity.is_none();
        let identity = match self.identity.take() {
            Some(identity) => identity,
            None => {
                self.renewal = Renewal::Authority(self.data.clone());
                Ca::create_or_load(&self.data)?.issue(&name, &[Role::Voter])?
            }
        };
        let data = self.data.clone();
        let node = assembly::start(self, name.clone(), identity, lock).await?;
        if own && let Some(address) = node.local_addr() {
            // Whoever had a cluster in this folder keeps its voters.
            let voters = LocalCluster::load(&data).map_or_else(|_| Vec::new(), |cluster| cluster.voters);
            let members = vec![Member::new(name, address)];
            LocalCluster { members, voters }.save(&data)?;
        }
        Ok(node)
    }
}

/// Two processes with one data folder would both be the same node.
fn lock(data: &Path) -> crate::Result<File> {
    let path = data.join(LOCK_FILE);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "{} is in use by another node; each node needs a data folder of its own",
            data.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_is_one_nodes_at_a_time() {
        let dir = tempfile::tempdir().expect("a folder");
        let held = lock(dir.path()).expect("nobody has it");
        let error = lock(dir.path()).expect_err("it is held").to_string();
        let expected = format!("{} is in use by another node", dir.path().display());
        assert!(error.starts_with(&expected), "{error}");
        drop(held);
        lock(dir.path()).expect("nobody has it");
    }

    #[tokio::test]
    async fn a_node_of_several_has_to_be_told_of_their_store() {
        let dir = tempfile::tempdir().expect("a folder");
        let member = |name| Member::new(NodeName::new(name).expect("a name"), ([127, 0, 0, 1], 7101).into());
        let builder = NodeBuilder::default().data_dir(dir.path());
        let started = builder.members(vec![member("n1"), member("n2")]).start().await;
        let error = started.err().expect("there would be two stores").to_string();
        assert!(error.starts_with("store: absent; expected [store]"), "{error}");
    }
}
