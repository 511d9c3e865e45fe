//! [`Holders`]: which node should hold the copies of a shard's snapshots.

use crate::placement::Shard;
use rungs_types::{Epoch, NodeName};

/// Says where the copies of this node's shards go. Asked at each snapshot: it must be quick and must not wait.
pub trait Holders: Send + Sync + 'static {
    /// The node that should hold copies of a shard that this node owns; none while there is no other.
    fn holder(&self, shard: Shard) -> Option<NodeName>;

    /// The epoch in which this node owns a shard; none if it does not.
    fn owned(&self, shard: Shard) -> Option<Epoch>;

    /// Whether this node is its whole cluster and always was, so that nothing of its agents is anywhere else.
    fn alone(&self) -> bool;
}
