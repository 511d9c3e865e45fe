//! Where a node keeps what must outlive an actor and a process: snapshots of agents, and the logs of what has happened to
//! their goals since, on the node's own disk.
//!
//! Start reading at [`snapshot`] (the trait, its promises and its errors), then [`files`] (how a snapshot becomes
//! durable); [`memory`] is for tests and for nodes without a disk. [`offload`] is how actors call either: input and
//! output block, and an actor must not. [`task_log`] is built alike.
//!
//! [`cluster`] is what a whole cluster agrees on: rows in a replicated store.
//!
//! Every implementation passes the one conformance suite of its trait.

pub mod cluster;
pub mod files;
pub mod memory;
pub mod offload;
pub mod snapshot;
pub mod task_log;

#[cfg(test)]
mod conformance;

pub use files::FileSnapshots;
pub use memory::MemorySnapshots;
pub use offload::{Follower, Snapshots};
pub use snapshot::{
    Latest, MAX_SNAPSHOT_BYTES, Reason, Refused, Snapshot, SnapshotMeta, SnapshotStore, Stamp, StoreError, content_hash,
};
pub use task_log::{
    Base, FileTaskLogs, LogEntry, MemoryTaskLogs, StoreTaskLogs, Tail, TaskLog, TaskLogStore, TaskLogs,
};
