//! Copies of snapshots: what an agent knows follows it to another node, also when its node has died.
//!
//! ```text
//! owner                                    holder, see [`holders`]
//!  keeper ── put ──▶ snapshots (files)
//!               │ written                   @node/copies
//!               ▼                              │
//!            queue ── copies.put, batched ───▶ shelf (files, bounded)
//!               │
//!               └── index row per agent, batched, fenced ──▶ store
//!
//! new owner: index of the shard (one read) → own files late enough? → else copies.get from who has it → own files
//! ```
//! The copy of an agent's last snapshot lags behind it by the time a message takes, as long as its holder is up; how old
//! the oldest snapshot is that no holder has confirmed is told as `copy age`. An agent at rest writes nothing; so that it has
//! a copy also when its holder is lost, the index is gone through again and again (`repair` in `sender`). A node that is
//! alone copies nothing, reads no index and asks nobody.
//!
//! Invariants:
//! 1. Of each agent at most one copy is on its way, always of its last snapshot; what is written meanwhile makes one more.
//! 2. A holder never replaces a copy by an older one ([`Stamp`](rungs_store::Stamp)), nor uses a damaged one.
//! 3. An agent does not start from a snapshot that is older than another one which the index names and a node that is up
//!    has; if none has it, the agent says so.
//! 4. Nothing here is needed for an agent to go on writing snapshots on its own node.
//!
//! ## Why the index has a row for each agent, and not one for each shard
//! Say 10,000 agents of a cluster are dirty, and look every 5 s: they are in 3,740 of the 4,096 shards. Each row is a step of
//! a commit, and so is each fence, of which there is one for each shard either way; a commit has at most 400 fences and 512
//! rows.
//!
//! | a row for each | steps a round | commits | bytes, 10,000 agents known | bytes, 1,000,000 known |
//! | --- | --- | --- | --- | --- |
//! | shard | 7,500 | 10 | 0.6 MB | 55 MB: 11 MB/s |
//! | agent | 13,700 | 20 | 1 MB | 1 MB: 0.2 MB/s |
//!
//! Three replicas write some 4,500 rows of 4 KiB, 18 MB, in a second. A row for each shard names all its agents, also those
//! that rest, so its bytes grow with what is known and not with what changes; and its writer would have to keep the list of
//! all of them in memory. So there is a row for each agent, of some 60 bytes. To write fewer of them, one that differs in
//! its number alone is written every third round only ([`REPEAT_EVERY`](index::REPEAT_EVERY)): whoever looks for an agent
//! learns from it whom to ask, and is given the last that is there. So the 10,000 agents take 900 rows and fences a second.

pub mod actor;
mod handle;
pub mod holders;
pub mod index;
pub mod messages;
mod outgoing;
mod queue;
mod recall;
mod sender;
pub mod shelf;

pub use actor::{ROLE, address};
pub use handle::{Copies, CopiesParts};
pub use holders::Holders;
pub use outgoing::Outgoing;
pub use shelf::{Shelf, ShelfLimits};

#[cfg(test)]
mod tests;
