//! Where messages for agents go: [`Routing`] is what a directory asks, [`Routes`] the answer of a node that follows the map of
//! its cluster, [`Fixed`] that of one that follows its configuration.

use crate::copies::Holders;
use crate::handover::{Arrival, Ownership, Phase, Route, RouteError};
use crate::placement::candidate::copy_holder;
use crate::placement::{Candidate, MapVersion, Placement, Shard, StaticPlacement};
use arc_swap::ArcSwap;
use rungs_host::lease::LeaseGate;
use rungs_types::{Epoch, NodeName};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;

/// Decides where a message for an agent goes.
pub trait Routing: Send + Sync + 'static {
    /// Where a message goes that is for an agent of this shard and has no endpoint here.
    fn route(&self, arrival: Arrival) -> Route;

    /// The owner of a shard; `None` while it has none.
    fn owner(&self, shard: Shard) -> Option<NodeName>;

    /// The nodes that are there or should be, sorted.
    fn members(&self) -> Vec<NodeName>;

    /// The map that messages are sent by; none where there is none that changes.
    fn version(&self) -> Option<MapVersion>;
}

/// What stands for the version of a map in a message that was sent on already, where there is none.
const SENT_ON: MapVersion = MapVersion(1);

/// A placement that never changes, as a node or a client sees it. What arrives at the wrong
/// node is sent on once, so that no message can circle between nodes that disagree.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// This node.
    pub node: NodeName,
    /// Who owns what.
    pub placement: StaticPlacement,
}

impl Routing for Fixed {
    fn route(&self, arrival: Arrival) -> Route {
        match self.placement.owner(arrival.shard) {
            Some(owner) if *owner == self.node => Route::Here(Epoch(1)),
            Some(owner) if arrival.sent_by < Some(SENT_ON) => Route::Forward {
                to: owner.clone(),
                version: arrival.sent_by.map_or(MapVersion::default(), |_| SENT_ON),
            },
            Some(_) => Route::Refuse(RouteError::Astray(arrival.shard, SENT_ON)),
            None => Route::Refuse(RouteError::Nobody(arrival.shard)),
        }
    }

    fn owner(&self, shard: Shard) -> Option<NodeName> {
        self.placement.owner(shard).cloned()
    }

    fn members(&self) -> Vec<NodeName> {
        self.placement.members().to_vec()
    }

    fn version(&self) -> Option<MapVersion> {
        None
    }
}

/// What a node follows, as its membership saw it last.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) ownership: Ownership,
    /// Who is there or should be, sorted.
    pub(crate) members: Vec<NodeName>,
    /// Who may own shards.
    pub(crate) candidates: Vec<Candidate>,
    /// Whether this node is its whole cluster and always was.
    pub(crate) alone: bool,
}

/// See the module. Written by the node's membership only, read by everyone without waiting.
#[derive(Debug)]
pub struct Routes {
    gate: LeaseGate,
    followed: ArcSwap<Followed>,
    settled: watch::Sender<bool>,
}

impl Routes {
    /// Of a node that follows nothing yet, and refuses everything; it expects these members besides itself.
    pub fn new(node: NodeName, expected: impl IntoIterator<Item = NodeName>, gate: LeaseGate) -> Self {
        let members: BTreeSet<NodeName> = expected.into_iter().chain([node.clone()]).collect();
        Self {
            gate,
            followed: ArcSwap::from_pointee(Followed {
                members: members.into_iter().collect(),
                ownership: Ownership::new(node),
                candidates: Vec::new(),
                alone: false,
            }),
            settled: watch::Sender::new(false),
        }
    }

    /// Whether the node may act.
    pub fn gate(&self) -> &LeaseGate {
        &self.gate
    }

    pub(crate) fn follow(&self, followed: Followed) {
        self.followed.store(Arc::new(followed));
    }

    pub(crate) fn set_settled(&self, settled: bool) {
        self.settled
            .send_if_modified(|before| std::mem::replace(before, settled) != settled);
    }

    /// Waits until the node acts and every shard has an owner that began.
    pub async fn settled(&self) {
        // The sender is a field of `self`: it cannot be gone.
        drop(self.settled.subscribe().wait_for(|settled| *settled).await);
    }

    /// The shards whose agents may run here, each with its epoch.
    pub fn owned(&self) -> Vec<(Shard, Epoch)> {
        let followed = self.followed.load();
        let owned = |shard: &Shard| followed.ownership.phase(*shard) == Some(&Phase::Owned);
        let epoch = |shard: Shard| (shard, followed.ownership.map().holding(shard).epoch);
        Shard::all().filter(owned).map(epoch).collect()
    }
}

impl Holders for Routes {
    fn holder(&self, shard: Shard) -> Option<NodeName> {
        let followed = self.followed.load();
        copy_holder(&followed.candidates, shard, followed.ownership.node()).cloned()
    }

    fn owned(&self, shard: Shard) -> Option<Epoch> {
        let followed = self.followed.load();
        let owned = followed.ownership.phase(shard).is_some();
        owned.then(|| followed.ownership.map().holding(shard).epoch)
    }

    fn alone(&self) -> bool {
        self.followed.load().alone
    }
}

impl Routing for Routes {
    fn route(&self, arrival: Arrival) -> Route {
        self.followed.load().ownership.route(arrival, self.gate.is_open())
    }

    fn owner(&self, shard: Shard) -> Option<NodeName> {
        self.followed.load().ownership.map().holding(shard).owner.cloned()
    }

    fn members(&self) -> Vec<NodeName> {
        self.followed.load().members.clone()
    }

    fn version(&self) -> Option<MapVersion> {
        Some(self.followed.load().ownership.map().version())
    }
}
