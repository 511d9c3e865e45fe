//! [`Ownership`]: what a node does with each shard it owns, and where a message for a shard goes.
//!
//! ```text
//!            Begin seen            all stopped            Finish committed and seen
//! owned ───────────────▶ releasing ───────────▶ released ───────────────────────────▶ another node's
//!   ▲  Cancel seen: resume   │                      │
//!   └────────────────────────┴──────────────────────┘
//! ```
//!
//! 1. From releasing on, new messages are held, and what runs finishes. So no message is refused, and none is handled by
//!    both.
//! 2. Only the owner finishes a move. While its lease holds, nobody takes a shard from it.
//! 3. If the owner dies while it releases, its lease ends and the target gets the shard; what was held dies with it, as
//!    any message on its way would. If the target dies, the move is called off and the owner resumes. If the target dies
//!    after it got the shard, the shard goes on to another, and what was held follows the newer map.
//! 4. A message is sent on only by a newer map than the one that brought it, so it cannot circle. Mostly that is once.
//! 5. A shard that is lost without a handover stops at once: whoever has it now has a higher epoch.

use crate::placement::{Holding, MAX_STEPS, MapStep, MapVersion, SHARDS, Shard, ShardMap};
use rungs_types::{Epoch, NodeName};
use std::sync::Arc;

/// How far a shard is on its way to another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Its agents run here.
    Owned,
    /// Its agents finish and stop; what arrives is held.
    Releasing,
    /// Its agents have stopped; what arrives is held.
    Released,
}

/// What has to be done with a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardAction {
    /// Its agents may run here from now on.
    Start {
        /// The shard.
        shard: Shard,
        /// What they act with.
        epoch: Epoch,
    },
    /// Hold what arrives, let what runs finish, snapshot and stop, and say when that is done.
    Hold {
        /// The shard.
        shard: Shard,
        /// Where it will go.
        to: NodeName,
    },
    /// It stays: deliver what is held, here.
    Resume {
        /// The shard.
        shard: Shard,
        /// What its agents act with.
        epoch: Epoch,
    },
    /// It is another node's: stop what still runs, at once, and send on what is held, to whom the map names now.
    Pass {
        /// The shard.
        shard: Shard,
    },
}

/// A message that came for a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its agent's shard.
    pub shard: Shard,
    /// The map by which another node sent it here; none if it begins here.
    pub sent_by: Option<MapVersion>,
}

/// What to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Deliver it.
    Here(Epoch),
    /// Keep it until the shard's [`ShardAction::Resume`] or [`ShardAction::Pass`].
    Hold,
    /// Keep it until this node has read that version of the map, and ask again.
    ReadFirst(MapVersion),
    /// Send it on, with this node's version.
    Forward {
        /// To whom.
        to: NodeName,
        /// By which map.
        version: MapVersion,
    },
    /// Tell its sender. Nothing was executed.
    Refuse(RouteError),
}

/// Why a message is not taken. It was not executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No node owns the shard yet. Try again.
    #[error("no node owns {0}")]
    Nobody(Shard),
    /// The node that owns it has no lease at present. Try again.
    #[error("the owner of {0} does not serve at present")]
    NotServing(Shard),
    /// It was sent here by the map that this node has, by which the shard is elsewhere. Read the map and send it again.
    #[error("{0} is not here by map {1}, by which it was sent")]
    Astray(Shard, MapVersion),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    epoch: Epoch,
    phase: Phase,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Ownership {
    node: NodeName,
    map: Arc<ShardMap>,
    /// The first map that it followed with its lease.
    base: Option<Arc<ShardMap>>,
    /// Whether there may be something to write in the map.
    has_changes: bool,
    /// By the shard's number.
    shards: Vec<Option<Held>>,
}

impl Ownership {
    /// Of a node that has no shard yet.
    pub fn new(node: NodeName) -> Self {
        Self {
            node,
            map: Arc::default(),
            base: None,
            has_changes: false,
            shards: vec![None; usize::from(SHARDS)],
        }
    }

    /// The node.
    pub fn node(&self) -> &NodeName {
        &self.node
    }

    /// The map that it follows.
    pub fn map(&self) -> &Arc<ShardMap> {
        &self.map
    }

    /// How far a shard is, if it is here.
    pub fn phase(&self, shard: Shard) -> Option<&Phase> {
        self.shards[shard.index()].as_ref().map(|held| &held.phase)
    }

    /// Whether every shard has an owner, and each of this node's has begun in this lease.
    pub fn is_settled(&self) -> bool {
        let mut holdings = self.map.holdings();
        holdings.all(|(shard, holding)| match holding.owner {
            Some(owner) => *owner != self.node || self.shards[shard.index()].is_some(),
            None => false,
        })
    }

    /// Learns of a map without acting by it: the node has no lease.
    pub fn learn(&mut self, map: &Arc<ShardMap>) {
        debug_assert!(map.version() >= self.map.version());
        self.map = Arc::clone(map);
    }

    /// Follows a map that is not older than the last; the node holds a lease.
    pub fn follow(&mut self, map: &Arc<ShardMap>) -> Vec<ShardAction> {
        self.learn(map);
        let base = Arc::clone(self.base.get_or_insert_with(|| Arc::clone(map)));
        let mut actions = Vec::new();
        self.has_changes = false;
        for (shard, Holding { owner, epoch, next }) in map.holdings() {
            let here = &mut self.shards[shard.index()];
            if owner != Some(&self.node) {
                if here.take().is_some() {
                    actions.push(ShardAction::Pass { shard });
                }
                continue;
            }
            match here {
                Some(held) if held.epoch == epoch => {
                    actions.extend(held.follow(shard, next));
                    self.has_changes |= held.phase == Phase::Released;
                    continue;
                }
                // Somebody began it again in this node's name.
                Some(_) => actions.push(ShardAction::Pass { shard }),
                None => {}
            }
            let then = base.holding(shard);
            if then.owner == owner && then.epoch == epoch {
                // From before this lease: it has to begin again first.
                self.has_changes = true;
                continue;
            }
            let mut held = Held {
                epoch,
                phase: Phase::Owned,
            };
            actions.push(ShardAction::Start { shard, epoch });
            actions.extend(held.follow(shard, next));
            *here = Some(held);
        }
        actions
    }

    /// The agents of a shard that was to be released have stopped.
    pub fn released(&mut self, shard: Shard) {
        if let Some(held) = &mut self.shards[shard.index()]
            && held.phase == Phase::Releasing
        {
            held.phase = Phase::Released;
            self.has_changes = true;
        }
    }

    /// What to write in the map, at most [`MAX_STEPS`] at a time: the end of every move whose shard is released; and for
    /// each shard that this node had before it got its lease, that it begins again.
    pub fn changes(&self) -> Vec<MapStep> {
        let Some(base) = self.base.as_ref().filter(|_| self.has_changes) else {
            return Vec::new();
        };
        let owned = Shard::all().zip(&self.shards);
        let changes = owned.filter_map(|(shard, held)| match held {
            Some(held) => (held.phase == Phase::Released).then_some(MapStep::Finish { shard }),
            None if !self.is_stale(base, shard) => None,
            // Nothing of it runs here, so nothing has to be finished.
            None if self.map.holding(shard).next.is_some() => Some(MapStep::Finish { shard }),
            None => Some(MapStep::Raise { shard }),
        });
        changes.take(MAX_STEPS).collect()
    }

    /// Whether the node had the shard at this epoch before it got its lease.
    fn is_stale(&self, base: &ShardMap, shard: Shard) -> bool {
        let (then, now) = (base.holding(shard), self.map.holding(shard));
        now.owner == Some(&self.node) && then.owner == now.owner && then.epoch == now.epoch
    }

    /// All is stopped: the node has no lease any more. What the next map says that it owns is what it had before.
    pub fn clear(&mut self) {
        self.base = None;
        self.shards.fill(None);
    }

    /// Where a message goes. `acts` says whether this node's lease holds at this moment.
    pub fn route(&self, arrival: Arrival, acts: bool) -> Route {
        let Arrival { shard, sent_by } = arrival;
        match &self.shards[shard.index()] {
            Some(_) if !acts => return Route::Refuse(RouteError::NotServing(shard)),
            Some(held) if held.phase == Phase::Owned => return Route::Here(held.epoch),
            Some(_) => return Route::Hold,
            None => {}
        }
        let mine = self.map.version();
        if let Some(newer) = sent_by.filter(|version| *version > mine) {
            return Route::ReadFirst(newer);
        }
        match self.map.holding(shard).owner {
            None => Route::Refuse(RouteError::Nobody(shard)),
            Some(owner) if *owner == self.node => Route::Refuse(RouteError::NotServing(shard)),
            Some(_) if sent_by == Some(mine) => Route::Refuse(RouteError::Astray(shard, mine)),
            Some(owner) => Route::Forward {
                to: owner.clone(),
                version: mine,
            },
        }
    }
}

impl Held {
    fn follow(&mut self, shard: Shard, next: Option<&NodeName>) -> Option<ShardAction> {
        match (next, &self.phase) {
            (Some(to), Phase::Owned) => {
                self.phase = Phase::Releasing;
                let to = to.clone();
                Some(ShardAction::Hold { shard, to })
            }
            (None, Phase::Releasing | Phase::Released) => {
                self.phase = Phase::Owned;
                let epoch = self.epoch;
                Some(ShardAction::Resume { shard, epoch })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
