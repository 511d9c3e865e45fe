//! [`Fence`]: who may still write for a shard. The epoch of a shard is a row of the store; each commit that moves the
//! shard raises it, and each commit on behalf of its owner carries it, so that whoever owned the shard before is refused
//! from that commit on, whatever it believes.

use crate::cluster::commit::{RowId, TableId};
use crate::cluster::read::Row;
use rungs_types::Epoch;
use std::fmt;

/// The table that holds the epochs; nobody writes it but [`Write::Raise`](super::Write::Raise).
pub const FENCES: TableId = TableId(0);

/// A shard and an epoch of it. A shard that was never raised is in epoch 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence {
    /// The shard.
    pub shard: u16,
    /// The epoch that a commit carries, or to which it raises the shard.
    pub epoch: Epoch,
}

impl Fence {
    /// The same shard, one epoch later.
    #[must_use]
    pub fn next(self) -> Self {
        let epoch = self.epoch.next();
        Self { epoch, ..self }
    }

    /// The row that holds the epoch.
    pub fn row(self) -> RowId {
        RowId::new(FENCES, self.shard.to_be_bytes())
    }

    /// Reads such a row.
    pub fn read(row: &Row) -> Option<Self> {
        let shard = u16::from_be_bytes(row.key.as_slice().try_into().ok()?);
        let epoch = Epoch(u64::from_be_bytes(row.value.as_slice().try_into().ok()?));
        Some(Self { shard, epoch })
    }

    /// The value of that row in this epoch; none in epoch 0.
    pub fn value(self) -> Option<Vec<u8>> {
        (self.epoch.0 > 0).then(|| self.epoch.0.to_be_bytes().to_vec())
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} {}", self.shard, self.epoch)
    }
}
