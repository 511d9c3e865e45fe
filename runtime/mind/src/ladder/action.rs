//! What a supervisor is told to do.

use crate::l49::{Constraints, L49Output};
use crate::report::Advice;
use rungs_types::{Authority, Cause, CheckpointId, EventKind, Level, RolePath};
use std::sync::Arc;

/// One thing to do. A list is carried out in order, each before the next.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The authority of this level and of every level above it is `Frozen` at once, and their epochs are those that
    /// the ladder now says; orchestrators start stage 0 of their re-enablement.
    FreezeFrom {
        /// The lowest level that is frozen.
        level: Level,
        /// Until an operator thaws it: the re-enablement does not start by itself.
        hold: bool,
    },
    /// Take back what the level put into the level below. Whoever carries it out tells how many pieces
    /// ([`EventKind::Withdrawn`]).
    Withdraw {
        /// The level.
        level: Level,
        /// The verified state it goes back to.
        checkpoint: CheckpointId,
    },
    /// Give each phase of the level its state of the checkpoint.
    Revert {
        /// The level.
        level: Level,
        /// The verified state.
        checkpoint: CheckpointId,
    },
    /// Start the actor again, from the checkpoint, when its level next computes. Whoever carries it out tells it
    /// ([`EventKind::Restarted`]), for it knows the generation.
    Restart {
        /// Its place in the agent's tree.
        role: RolePath,
        /// Why the one before ended.
        cause: Cause,
    },
    /// L3 runs in stabilization mode (all deltas halved) while this is on, whatever its own complexity says.
    Stabilize {
        /// On or off.
        on: bool,
    },
    /// Start the whole agent again from its last snapshot.
    RestartAgent {
        /// How long to wait before.
        delay_ms: u64,
        /// Why the one before ended.
        cause: Cause,
    },
    /// Snapshot the agent, stop it and leave it stopped until an operator starts it.
    Park {
        /// Why.
        cause: Cause,
    },
    /// The level stays down until an operator clears it.
    Suspend {
        /// The level.
        level: Level,
    },
    /// The level starts its re-enablement in this cycle.
    Reenable {
        /// The level.
        level: Level,
    },
    /// An operator puts the level on this authority; its own protocol does not raise it further.
    Place {
        /// The level.
        level: Level,
        /// The authority.
        authority: Authority,
    },
    /// Write the authority into the cell that the kernel reads.
    SetAuthority {
        /// The level.
        level: Level,
        /// What it was.
        from: Authority,
        /// What it is now.
        to: Authority,
    },
    /// Hand the advice to the kernel.
    Advise(Arc<Advice>),
    /// Let each level do what the mode of the resources permits: the kernel explores less, L4.5 makes no structural change,
    /// L4.8 asks for no more than its ceiling.
    Constrain(Constraints),
    /// Set the goals, and send the messages, of a verified pass of Level 4.9.
    Act(Arc<L49Output>),
    /// Tell it, with the cycle of the decision.
    Emit(EventKind),
}

impl Action {
    /// It takes authority away: applied first and persisted after. Everything else is persisted first.
    pub fn is_demotion(&self) -> bool {
        match self {
            Action::FreezeFrom { .. } | Action::Withdraw { .. } | Action::Suspend { .. } | Action::Park { .. } => true,
            Action::SetAuthority { from, to, .. } => to < from,
            Action::Stabilize { on } => *on,
            _ => false,
        }
    }
}
