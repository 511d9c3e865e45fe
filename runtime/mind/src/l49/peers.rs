//! Phase 4: what the agent believes of the few other agents that it deals with, how far it trusts them, and what it
//! should do with them (MSCP Level 4.9, section 6). Cooperative and neutral planning only: it never optimises for harm.
//!
//! ```text
//! messages → Ledger (claims and promises, checked against own observation) → Peer: goals by Bayes, reliability, trust,
//! outcomes → StrategyClass → Matrix::recommend → Recommendation
//! ```
//!
//! Invariants:
//! 1. Trust is in [0.05, 0.95], always; it is lost faster than it is earned.
//! 2. At most 5 agents are modelled, and nothing about one grows without bound.
//! 3. An agent cannot buy trust by being forgotten: what was known of it when it was evicted is the most it starts with.
//! 4. Only what the agent observed itself counts for reliability; what another says of itself does not.

mod belief;
mod class;
mod game;
mod interaction;
mod ledger;
mod outbox;
mod peer;
mod relate;
mod speak;
mod table;
#[cfg(test)]
mod tests;
mod trust;

pub use belief::{GoalBelief, GoalKind, MAX_GOAL_KINDS};
pub use class::StrategyClass;
pub use game::PeerAction;
pub use interaction::{MAX_ACTIONS, Matrix, MatrixError, Outcome, Recommendation};
pub use ledger::{Ledger, MAX_OPEN, Pledge, PledgeKind};
pub use outbox::{Audience, MESSAGE_CYCLES, Outbox, SendRefusal};
pub use peer::{Interaction, MAX_INTERACTIONS, MIN_INTERACTIONS, Peer};
pub use relate::{Outgoing, PeerAct, PeerProposal, PeerView, PeersOutput, Recipients, Relate, RelateState, Relating};
pub use table::{MAX_FORGOTTEN, MAX_PEERS, Peers};
pub use trust::{MAX_TRUST, MIN_TRUST, Trust, TrustLevel};
