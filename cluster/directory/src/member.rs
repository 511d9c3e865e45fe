//! A node's membership at work: carries out what [`crate::membership`] decides.
//!
//! ```text
//! store ── feed ──▶ @node/membership ──▶ routes (who owns what, until when this node may act)
//!   ▲                │    │    │
//!   └── proposals ───┘    │    └──────▶ shards (the activator: own, release, lose; the directory: what waits for a map)
//!                         └───────────▶ mesh (links of dead nodes end, addresses of new ones are dialed)
//! ```
//!
//! Read [`actor`] first, then [`known`] (how a proposal becomes a commit).

pub mod actor;
mod feed;
mod handle;
mod known;
pub mod messages;
mod orders;
mod report;
mod rows;

pub use actor::{ROLE, Shards, address};
pub use handle::{Introduce, MemberHandle, MemberParts};

#[cfg(test)]
mod tests;
