//! What operators are told of members and shards.

use super::messages::{MAX_MOVES_LISTED, MemberEntry, MoveEntry, ShardsReport};
use crate::membership::Membership;
use crate::placement::Shard;
use rungs_types::NodeName;

/// Who is there.
pub(super) fn members(machine: &Membership) -> Vec<MemberEntry> {
    let view = machine.view();
    let loads = view.map.loads();
    let arriving = |node: &NodeName| {
        let next = |shard: Shard| view.map.holding(shard).next == Some(node);
        Shard::all().filter(|shard| next(*shard)).count() as u32
    };
    let entries = view.members.iter().map(|(node, row)| MemberEntry {
        node: node.clone(),
        incarnation: row.identity.node.incarnation.0,
        role: row.identity.role.to_string(),
        zone: row.identity.zone.to_string(),
        weight: row.identity.weight,
        state: row.state,
        has_lease: view.leases.contains_key(node),
        is_suspect: machine.is_suspect(node),
        shards: loads.get(node).map_or(0, |count| *count as u32),
        arriving: arriving(node),
        address: row.identity.address,
    });
    entries.collect()
}

/// Who owns what.
pub(super) fn shards(machine: &Membership) -> ShardsReport {
    let view = machine.view();
    let map = &view.map;
    let moving = map.holdings().filter_map(|(shard, holding)| {
        let to = holding.next?.clone();
        Some(MoveEntry {
            shard: shard.number(),
            from: holding.owner.cloned(),
            to,
            reason: None,
        })
    });
    ShardsReport {
        version: map.version().0,
        unowned: map.holdings().filter(|(_, holding)| holding.owner.is_none()).count() as u32,
        moves: moving.take(MAX_MOVES_LISTED).collect(),
        moving: map.moving() as u32,
        pinned: view
            .pins
            .iter()
            .map(|(shard, node)| (shard.number(), node.clone()))
            .collect(),
        owned: map
            .loads()
            .into_iter()
            .map(|(node, count)| (node.clone(), count as u32))
            .collect(),
    }
}
