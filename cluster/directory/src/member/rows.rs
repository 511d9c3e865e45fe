//! The table of membership: who is there, who may act, who owns what, and what operators keep where. One table, so that one
//! look sees all of it as of one commit.

use crate::membership::{LeaseRow, MemberRow};
use crate::placement::encoding;
use crate::placement::{Pins, ShardMap};
use rungs_host::codec;
use rungs_store::cluster::TableId;
use rungs_store::cluster::table::Table;
use rungs_types::NodeName;
use std::sync::Arc;

/// First byte of a key. They stay the same for ever.
const MAP: u8 = 1;
const PINS: u8 = 2;
const MEMBER: u8 = 3;
const LEASE: u8 = 4;

/// Names a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RowKey {
    /// The one map.
    Map,
    /// The one list of pins.
    Pins,
    /// A node's membership.
    Member(NodeName),
    /// A node's lease.
    Lease(NodeName),
}

/// What a row holds. The key says which of them it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    Map(Arc<ShardMap>),
    Pins(Arc<Pins>),
    Member(MemberRow),
    Lease(LeaseRow),
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct MembershipTable;

impl Table for MembershipTable {
    const ID: TableId = TableId(17);
    const NAME: &'static str = "membership";
    const SCHEMA: u16 = 1;
    type Key = RowKey;
    type Value = Row;

    fn key(key: &RowKey) -> Vec<u8> {
        let (kind, name) = match key {
            RowKey::Map => (MAP, ""),
            RowKey::Pins => (PINS, ""),
            RowKey::Member(node) => (MEMBER, node.as_str()),
            RowKey::Lease(node) => (LEASE, node.as_str()),
        };
        let mut bytes = vec![kind];
        bytes.extend_from_slice(name.as_bytes());
        bytes
    }

    fn read_key(bytes: &[u8]) -> Option<RowKey> {
        let (kind, name) = bytes.split_first()?;
        let node = || NodeName::new(std::str::from_utf8(name).ok()?).ok();
        match *kind {
            MAP if name.is_empty() => Some(RowKey::Map),
            PINS if name.is_empty() => Some(RowKey::Pins),
            MEMBER => node().map(RowKey::Member),
            LEASE => node().map(RowKey::Lease),
            _ => None,
        }
    }

    fn encode(row: &Row) -> Vec<u8> {
        let (kind, bytes) = match row {
            Row::Map(map) => (MAP, encoding::encode(map)),
            Row::Pins(pins) => (PINS, encoded(pins.as_ref())),
            Row::Member(row) => (MEMBER, encoded(row)),
            Row::Lease(row) => (LEASE, encoded(row)),
        };
        let mut value = vec![kind];
        value.extend(bytes);
        value
    }

    fn decode(_schema: u16, bytes: &[u8]) -> Option<Row> {
        let (kind, bytes) = bytes.split_first()?;
        Some(match *kind {
            MAP => Row::Map(Arc::new(encoding::decode(bytes).ok()?)),
            PINS => Row::Pins(Arc::new(codec::decode(bytes).ok()?)),
            MEMBER => Row::Member(codec::decode(bytes).ok()?),
            LEASE => Row::Lease(codec::decode(bytes).ok()?),
            _ => return None,
        })
    }
}

fn encoded<T: serde::Serialize>(row: &T) -> Vec<u8> {
    codec::encode(row).expect("invariant: a row of membership is smaller than the codec's limit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::{Identity, MemberState};
    use crate::placement::{MapStep, Shard, Zone};
    use rungs_mesh::role::Role;

    #[test]
    fn rows_and_keys_come_back_from_their_bytes() {
        let node = NodeName::new("n1").unwrap();
        for key in [
            RowKey::Map,
            RowKey::Pins,
            RowKey::Member(node.clone()),
            RowKey::Lease(node.clone()),
        ] {
            assert_eq!(MembershipTable::read_key(&MembershipTable::key(&key)), Some(key));
        }
        let step = MapStep::Give {
            shard: Shard::new(7).unwrap(),
            to: node.clone(),
        };
        let mut pins = Pins::default();
        pins.pin(Shard::new(3).unwrap(), node).unwrap();
        let holder: rungs_types::NodeId = "n1~7".parse().unwrap();
        let identity = Identity {
            node: holder.clone(),
            role: Role::Voter,
            zone: Zone::default(),
            weight: 2,
            address: None,
        };
        let state = MemberState::Live;
        for row in [
            Row::Map(Arc::new(ShardMap::default().apply(&[step]).unwrap())),
            Row::Pins(Arc::new(pins)),
            Row::Member(MemberRow { identity, state }),
            Row::Lease(LeaseRow { holder, renewal: 4 }),
        ] {
            assert_eq!(MembershipTable::decode(1, &MembershipTable::encode(&row)), Some(row));
        }
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for bytes in [&[][..], &[9], &[MAP, b'x'], &[MEMBER], &[LEASE, 0xff]] {
            assert_eq!(MembershipTable::read_key(bytes), None, "{bytes:?}");
        }
        for bytes in [&[][..], &[9, 1], &[MAP], &[MEMBER, 1], &[LEASE]] {
            assert_eq!(MembershipTable::decode(1, bytes), None, "{bytes:?}");
        }
    }
}
