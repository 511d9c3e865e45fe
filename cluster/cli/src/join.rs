//! Joins a cluster as an operator: a hidden member of the mesh that owns no agent and no vote.

use crate::local::{LocalCluster, LocalError};
use anyhow::Context as _;
use rungs_directory::routing::Fixed;
use rungs_directory::{Directory, Member, StaticPlacement};
use rungs_host::clock::Clock;
use rungs_host::{Endpoints, EventHub, Router, Timers};
use rungs_mesh::cluster::{ClusterConfig, ClusterTransport, Renewal, Seed};
use rungs_mesh::{Ca, Identity, Mesh, MeshConfig, Peers, Role};
use rungs_types::{NodeId, NodeName};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How long a first link may take.
const JOIN_DEADLINE: Duration = Duration::from_secs(10);
/// How long to wait for it before asking whether anybody listens at all.
const PROBE_AFTER: Duration = Duration::from_millis(500);
/// How long the other links may take after the first.
const OTHERS_DEADLINE: Duration = Duration::from_secs(1);

/// How long it may take to learn that nobody listens; an address that answers later is waited for.
const REFUSAL_DEADLINE: Duration = Duration::from_millis(500);

/// An operator's place in the mesh.
pub struct Joined {
    /// Reaches every actor of the cluster.
    pub router: Arc<dyn Router>,
    mesh: Mesh,
    timers: Timers,
}

impl Joined {
    /// Closes the links.
    pub async fn leave(self) {
        self.mesh.stop().await;
        drop(self.timers);
    }
}

/// Joins the cluster of a folder, or through one node of it; returns when a first link is up, or, with `wait` off,
/// at once. Through a node it needs no more of the folder than the certificate authority: that node sends on what is for
/// the agents of others.
pub async fn join(dir: &Path, connect: Option<SocketAddr>, wait: bool) -> anyhow::Result<Joined> {
    let cluster = match LocalCluster::load(dir) {
        Err(LocalError::Missing { .. }) if connect.is_some() => None,
        cluster => Some(cluster?),
    };
    let listed = || cluster.iter().flat_map(|cluster| &cluster.members);
    let clock = Clock::system();
    let incarnation = clock.incarnation(None);
    let identity = operator(dir, incarnation.0)?;
    let addresses: Vec<SocketAddr> = match connect {
        Some(address) => vec![address],
        None => listed().map(|member| member.address).collect(),
    };
    let seed = |node: Option<NodeName>, address: SocketAddr| Seed {
        node,
        address: address.to_string(),
    };
    let seeds: Vec<Seed> = match connect {
        Some(address) => vec![seed(None, address)],
        None => listed()
            .map(|member| seed(Some(member.name.clone()), member.address))
            .collect(),
    };
    let node = NodeId {
        name: identity.name().clone(),
        incarnation,
    };
    let config = MeshConfig {
        node,
        roles: identity.roles(),
        cluster: identity.cluster().clone(),
    };
    let timers = Timers::start();
    let transport = ClusterConfig {
        identity,
        incarnation,
        listen: None,
        seeds,
    };
    let transport = ClusterTransport::bind(transport, timers.clone(), None).await?;
    transport.keep_certified(Renewal::Authority(dir.to_owned()));
    let mesh = Mesh::start(config, transport, Arc::new(Endpoints::new()), EventHub::default()).await?;
    if wait {
        let members = if connect.is_some() { 1 } else { listed().count() };
        if let Err(error) = first_link(&mesh, members, &addresses, dir).await {
            mesh.stop().await;
            return Err(error);
        }
    }
    let members = members(cluster.as_ref(), &mesh);
    let node = mesh.node().name.clone();
    let placement = StaticPlacement::new(members)?;
    let directory = Directory::new(mesh.clone(), Arc::new(Fixed { node, placement }));
    Ok(Joined {
        router: Arc::new(directory),
        mesh,
        timers,
    })
}

/// Who may have agents: those that the folder lists, or, without one, those that are linked.
fn members(cluster: Option<&LocalCluster>, mesh: &Mesh) -> Vec<Member> {
    let member = |node: &NodeName, weight| Member {
        node: node.clone(),
        weight,
    };
    match cluster {
        Some(cluster) => {
            let listed = cluster.members.iter();
            listed.map(|listed| member(&listed.name, listed.weight)).collect()
        }
        None => mesh.peers().keys().map(|node| member(node, 1)).collect(),
    }
}

/// Each session has a name of its own: of two with the same, the mesh would keep only the newer.
fn operator(dir: &Path, session: u64) -> anyhow::Result<Identity> {
    let ca = Ca::load(dir).context("an operator's certificate is issued from the cluster's folder")?;
    let name = NodeName::new(&format!("shell-{session:x}"))?;
    Ok(ca.issue(&name, &[Role::Admin])?)
}

async fn is_linked(peers: &mut watch::Receiver<Peers>, within: Duration) -> bool {
    let up = tokio::time::timeout(within, peers.wait_for(|peers| !peers.is_empty())).await;
    matches!(up, Ok(Ok(_)))
}

/// Waits for a first link, and then a moment for the others, so that the first command finds every node that is up.
async fn first_link(mesh: &Mesh, members: usize, addresses: &[SocketAddr], dir: &Path) -> anyhow::Result<()> {
    let mut peers = mesh.watch();
    let is_up = match is_linked(&mut peers, PROBE_AFTER).await {
        true => true,
        // Nodes that run are linked by now, as a rule, and are not bothered with a connection that says nothing.
        false if nobody_listens(addresses).await => return Err(no_cluster(dir, "no node listens")),
        false => is_linked(&mut peers, JOIN_DEADLINE).await,
    };
    if is_up {
        // A node that is down is no error here; the command that needs it says so.
        drop(tokio::time::timeout(OTHERS_DEADLINE, peers.wait_for(|peers| peers.len() >= members)).await);
        return Ok(());
    }
    let refusals = mesh.refusals();
    let reasons: Vec<String> = refusals
        .iter()
        .map(|(node, refusal)| format!("{node} refused: {refusal}"))
        .collect();
    let why = if reasons.is_empty() {
        "no node answers".to_owned()
    } else {
        reasons.join("; ")
    };
    Err(no_cluster(dir, &why))
}

fn no_cluster(dir: &Path, why: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "cannot join the cluster in {}: {why}; is `rungs up` running?",
        dir.display()
    )
}

/// Every address refuses connections: there is nothing to wait for.
async fn nobody_listens(addresses: &[SocketAddr]) -> bool {
    let refuses = |address: &SocketAddr| {
        let connect = TcpStream::connect(*address);
        async move { matches!(connect.await, Err(error) if error.kind() == ErrorKind::ConnectionRefused) }
    };
    let tries = futures::future::join_all(addresses.iter().map(refuses));
    let refused = tokio::time::timeout(REFUSAL_DEADLINE, tries).await;
    refused.is_ok_and(|refused| refused.into_iter().all(|refused| refused))
}
