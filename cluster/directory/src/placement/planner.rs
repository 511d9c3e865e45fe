//! How a map follows its nodes: [`plan`], and [`rebalance`] when an operator asks.
//!
//! 1. What lost its owner gets one at once, [`MAX_GIVEN`] in a version; all else is handed over, at most [`MAX_IN_FLIGHT`]
//!    at a time.
//! 2. Nothing moves between nodes that stay, unless an operator pins or asks for balance. A node that joins takes what it
//!    wants more than the owner does, up to its ceiling; so at most 1.2/N of the shards move when a node joins N.
//! 3. A ceiling is 1.2 times a node's share by weight (consistent hashing with bounded loads: Mirrokni, Thorup and
//!    Zadimoghaddam, 2018). It bends when all nodes are at theirs: a shard without an owner is worse.
//!
//! The same map, nodes and pins give the same plan on every machine.

use super::candidate::first_choice;
use super::{
    Candidate, Holding, MAX_STEPS, MapVersion, Move, Pins, Plan, Reason, SHARDS, Score, Shard, ShardMap, Standing,
};
use rungs_types::NodeName;
use std::collections::BTreeMap;

/// Most shards that are being handed over at a time, in the whole cluster.
pub const MAX_IN_FLIGHT: usize = 128;
/// Most shards that get an owner at once in one version; the rest in the next.
pub const MAX_GIVEN: usize = MAX_STEPS - MAX_IN_FLIGHT;

/// A node may have this many tenths of its share.
const CEILING_TENTHS: u64 = 12;

/// What should change in the map, given who is there.
pub fn plan(map: &ShardMap, candidates: &[Candidate], pins: &Pins) -> Plan {
    let mut planning = Planning::new(map, candidates, pins);
    planning.cancel();
    planning.give();
    planning.hand_over(|planning, shard, owner| planning.pinned(shard, owner));
    planning.hand_over(|planning, shard, owner| planning.drained(shard, owner));
    planning.hand_over(|planning, shard, owner| planning.joined(shard, owner));
    planning.settle();
    planning.plan
}

/// What would have to change for every shard to be where it is wanted most; what has no living owner is left to [`plan`].
///
/// To see it is a dry run. To carry it out, apply it and ask again until nothing is left: each plan has no more moves
/// than may be in flight.
pub fn rebalance(map: &ShardMap, candidates: &[Candidate], pins: &Pins) -> Plan {
    let mut planning = Planning::new(map, candidates, pins);
    // As if nothing were placed yet: each shard in turn gets the node that wants it most and has room.
    planning.loads.clear();
    planning.hand_over(|planning, shard, owner| {
        let to = planning.target(shard, None)?.clone();
        *planning.loads.entry(to.clone()).or_default() += 1;
        (to != owner.node).then_some((to, Reason::Rebalance))
    });
    planning.plan
}

/// In which order nodes try to change a version of the map: those first that may get shards, each version in another
/// order.
pub fn line(candidates: &[Candidate], version: MapVersion) -> impl Iterator<Item = &NodeName> {
    let turn = Shard((version.0 % u64::from(SHARDS)) as u16);
    let place = |it: &Candidate| (it.standing == Standing::Draining, Score::of(&it.node, 1, turn).hash);
    let mut line: Vec<_> = candidates.iter().map(|it| (place(it), &it.node)).collect();
    line.sort();
    line.into_iter().map(|(_, node)| node)
}

struct Planning<'a> {
    map: &'a ShardMap,
    candidates: Vec<&'a Candidate>,
    pins: &'a Pins,
    /// What each node in the map's table is, if it is there.
    present: Vec<Option<&'a Candidate>>,
    ceilings: BTreeMap<&'a NodeName, usize>,
    /// How many shards each node has or is getting, by what is planned so far.
    loads: BTreeMap<NodeName, usize>,
    /// Moves that may still begin.
    room: usize,
    /// Shards that stay where they are until the next plan.
    taken: Vec<bool>,
    /// Joining nodes that have not got all yet.
    unsettled: Vec<NodeName>,
    plan: Plan,
}

impl<'a> Planning<'a> {
    fn new(map: &'a ShardMap, candidates: &'a [Candidate], pins: &'a Pins) -> Self {
        let mut candidates: Vec<_> = candidates.iter().collect();
        candidates.sort_by(|a, b| a.node.cmp(&b.node));
        let receivers = || candidates.iter().filter(|it| it.receives());
        let total: u64 = receivers().map(|it| u64::from(it.weight())).sum();
        let ceiling = |it: &Candidate| {
            let share = CEILING_TENTHS * u64::from(SHARDS) * u64::from(it.weight()) / (10 * total);
            usize::try_from(share).unwrap_or(usize::MAX).max(1)
        };
        let ceilings = receivers().map(|it| (&it.node, ceiling(it))).collect();
        let mut loads = BTreeMap::new();
        for (_, holding) in map.holdings() {
            if let Some(node) = holding.next.or(holding.owner) {
                *loads.entry(node.clone()).or_default() += 1;
            }
        }
        let plan = Plan {
            from: map.version(),
            ..Plan::default()
        };
        let find = |node: &NodeName| candidates.iter().copied().find(|it| it.node == *node);
        let present = map.nodes.iter().map(find).collect();
        Self {
            map,
            present,
            candidates,
            pins,
            ceilings,
            loads,
            room: MAX_IN_FLIGHT.saturating_sub(map.moving()),
            taken: map.holdings().map(|(_, holding)| holding.next.is_some()).collect(),
            unsettled: Vec::new(),
            plan,
        }
    }

    /// A shard's owner, if it is there.
    fn keeper(&self, shard: Shard) -> Option<&'a Candidate> {
        let owner = self.map.entries[shard.index()].owner;
        self.present.get(usize::from(owner)).copied().flatten()
    }

    fn receives(&self, node: &NodeName) -> bool {
        self.ceilings.contains_key(node)
    }

    fn has_room(&self, node: &NodeName) -> bool {
        let load = self.loads.get(node).copied().unwrap_or_default();
        self.ceilings.get(node).is_some_and(|ceiling| load < *ceiling)
    }

    /// Where a shard goes that has to go somewhere: to its pin, or to the node that wants it most and has room.
    fn target(&self, shard: Shard, except: Option<&NodeName>) -> Option<&'a NodeName> {
        let pinned = self.pins.of(shard).filter(|node| self.receives(node));
        let receivers = || {
            let receivers = self.candidates.iter().copied();
            receivers.filter(move |it| it.receives() && Some(&it.node) != except)
        };
        pinned.or_else(|| {
            let with_room = first_choice(receivers().filter(|it| self.has_room(&it.node)), shard);
            with_room
                .or_else(|| first_choice(receivers(), shard))
                .map(|it| &it.node)
        })
    }

    fn note(&mut self, shard: Shard, from: Option<&NodeName>, to: NodeName, reason: Reason) {
        self.taken[shard.index()] = true;
        self.plan.moves.push(Move {
            shard,
            from: from.cloned(),
            to,
            reason,
        });
    }

    fn shift(&mut self, from: Option<&NodeName>, to: &NodeName) {
        if let Some(load) = from.and_then(|node| self.loads.get_mut(node)) {
            *load -= 1;
        }
        *self.loads.entry(to.clone()).or_default() += 1;
    }

    /// Ends moves to nodes that may get nothing any more, if the owner is there to keep the shard.
    fn cancel(&mut self) {
        let map = self.map;
        for (shard, Holding { owner, next, .. }) in map.holdings() {
            let (Some(owner), Some(next)) = (owner, next) else {
                continue;
            };
            if !self.receives(next) && self.keeper(shard).is_some() && self.plan.cancelled.len() < MAX_IN_FLIGHT {
                self.plan.cancelled.push(shard);
                self.shift(Some(next), owner);
                // What its owner should lose all the same moves elsewhere in the next plan.
            }
        }
    }

    /// Gives away what has no living owner: to where it was moving if it was, since that node expects it.
    fn give(&mut self) {
        let map = self.map;
        for (shard, Holding { owner, next, .. }) in map.holdings() {
            if self.keeper(shard).is_some() {
                continue;
            }
            if self.plan.moves.len() == MAX_GIVEN {
                self.plan.waiting += usize::from(!self.ceilings.is_empty());
                continue;
            }
            let expected = next.filter(|next| self.receives(next));
            let Some(to) = expected.or_else(|| self.target(shard, None)).cloned() else {
                continue;
            };
            self.shift(next.or(owner), &to);
            let reason = match owner {
                Some(_) => Reason::OwnerGone,
                None => Reason::Unowned,
            };
            self.note(shard, owner, to, reason);
        }
    }

    /// Begins the moves that a rule wants, as far as there is room.
    fn hand_over(&mut self, rule: impl Fn(&mut Self, Shard, &'a Candidate) -> Option<(NodeName, Reason)>) {
        for shard in Shard::all() {
            let Some(owner) = self.keeper(shard).filter(|_| !self.taken[shard.index()]) else {
                continue;
            };
            let Some((to, reason)) = rule(self, shard, owner) else {
                continue;
            };
            if reason != Reason::Rebalance {
                self.shift(Some(&owner.node), &to);
            }
            if self.room > 0 {
                self.room -= 1;
                self.note(shard, Some(&owner.node), to, reason);
            } else {
                self.taken[shard.index()] = true;
                self.plan.waiting += 1;
            }
        }
    }

    fn pinned(&mut self, shard: Shard, owner: &Candidate) -> Option<(NodeName, Reason)> {
        let to = self
            .pins
            .of(shard)
            .filter(|to| self.receives(to) && **to != owner.node)?;
        Some((to.clone(), Reason::Pinned))
    }

    fn drained(&mut self, shard: Shard, owner: &Candidate) -> Option<(NodeName, Reason)> {
        if owner.receives() {
            return None;
        }
        let to = self.target(shard, Some(&owner.node))?;
        Some((to.clone(), Reason::Draining))
    }

    fn joined(&mut self, shard: Shard, owner: &Candidate) -> Option<(NodeName, Reason)> {
        if self.pins.of(shard).is_some_and(|pin| *pin == owner.node) {
            return None;
        }
        let has = owner.score(shard);
        let joining = self.candidates.iter().copied();
        let joining = joining.filter(|it| it.standing == Standing::Joining && it.node != owner.node);
        let wanting = joining.filter(|it| it.score(shard).beats(has) && self.has_room(&it.node));
        let to = first_choice(wanting, shard)?.node.clone();
        self.unsettled.push(to.clone());
        Some((to, Reason::Joined))
    }

    /// A joining node is settled when nothing moves to it and nothing is to.
    fn settle(&mut self) {
        let moving: Vec<_> = self.map.holdings().filter_map(|(_, holding)| holding.next).collect();
        let joining = self.candidates.iter().filter(|it| it.standing == Standing::Joining);
        let settled = joining.filter(|it| !moving.contains(&&it.node) && !self.unsettled.contains(&it.node));
        self.plan.settled = settled.map(|it| it.node.clone()).collect();
    }
}

#[cfg(test)]
mod tests;
