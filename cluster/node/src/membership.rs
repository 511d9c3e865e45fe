//! The node as a member of its cluster: what its membership is made of, and what becomes of shards here.

use crate::builder::NodeBuilder;
use rungs_directory::Directory;
use rungs_directory::activation::Activation;
use rungs_directory::handover::ShardAction;
use rungs_directory::member::{MemberParts, Shards};
use rungs_directory::membership::{Identity, Predecessor, Timing};
use rungs_directory::placement::Zone;
use rungs_directory::routing::Routes;
use rungs_host::{Clock, Timers};
use rungs_mesh::Role;
use rungs_mesh::cluster::{ClusterTransport, Seed};
use rungs_mesh::{Mesh, Roles};
use rungs_store::cluster::Store;
use std::sync::Arc;

/// What the membership of a node needs besides who it is.
pub(crate) struct Around {
    pub(crate) mesh: Mesh,
    pub(crate) transport: Arc<ClusterTransport>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) timers: Timers,
    pub(crate) clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) activation: Activation,
}

/// The membership of a node, not yet running.
pub(crate) fn parts(builder: &NodeBuilder, roles: Roles, around: Around) -> MemberParts {
    let Around {
        mesh,
        transport,
        store,
        routes,
        timers,
        clock,
        directory,
        activation,
    } = around;
    let node = mesh.node().clone();
    let listed = builder.members.iter().find(|member| member.name == node.name);
    let me = Identity {
        role: role(roles),
        zone: listed
            .and_then(|member| Zone::new(&member.zone).ok())
            .unwrap_or_default(),
        weight: listed.map_or(1, |member| member.weight),
        address: transport.local_addr(),
        node,
    };
    let known: Vec<_> = builder.members.iter().map(|member| member.name.clone()).collect();
    let introduce = Box::new(move |node: &rungs_types::NodeName, address: std::net::SocketAddr| {
        if !known.contains(node) && transport.local_addr() != Some(address) {
            transport.add_seed(Seed {
                node: Some(node.clone()),
                address: address.to_string(),
            });
        }
    });
    MemberParts {
        me,
        // Whoever ran here before held the lock on the data folder that this process holds now.
        predecessor: Predecessor::Ended,
        timing: Timing::DEFAULT,
        store,
        mesh,
        routes,
        timers,
        clock,
        shards: Arc::new(NodeShards { directory, activation }),
        introduce,
    }
}

/// A voter is one first of all: roles of a certificate are what a node may be.
fn role(roles: Roles) -> Role {
    let owns = roles.iter().find(|role| *role != Role::Admin);
    owns.unwrap_or(Role::Member)
}

/// What becomes of shards on this node: agents start and stop, and what waits is looked at again.
struct NodeShards {
    directory: Directory,
    activation: Activation,
}

impl Shards for NodeShards {
    fn change(&self, actions: Vec<ShardAction>) {
        self.activation.change(actions);
    }

    fn stop(&self) {
        self.activation.stop();
    }

    fn routes_changed(&self) {
        self.directory.routes_changed();
    }
}
