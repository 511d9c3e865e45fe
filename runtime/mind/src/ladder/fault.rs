//! What goes into the ladder: faults, an operator's orders, and requests of the levels' orchestrators.

use crate::l49::{Constraints, L49Output};
use crate::report::Advice;
use rungs_types::autonomy::Violated;
use rungs_types::{Authority, Cause, CheckpointId, EventKind, Level, RolePath, Violation};
use std::sync::Arc;

/// Something went wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// A phase actor of a level panicked, returned an error, or its level's supervisor did.
    Panic {
        /// The level it belongs to; L4.5 or above ([`Fault::KernelFailed`] is for L3).
        level: Level,
        /// The actor.
        role: RolePath,
        /// Its last words, at most 200 characters.
        message: String,
    },
    /// A phase did not finish in time.
    MissedDeadline {
        /// The level it belongs to.
        level: Level,
        /// The actor.
        role: RolePath,
        /// The deadline.
        deadline_ms: u64,
    },
    /// The verifier's response is to freeze: three or more violated invariants, or a severity above 2.0.
    Invariants {
        /// The level whose verifier spoke.
        level: Level,
        /// What is violated.
        violations: Vec<Violation>,
        /// The compound severity (MSCP Level 4.8, Definition 12).
        severity: f64,
    },
    /// The Autonomy Stability Score of the live state is below 0.05 (MSCP Level 4.9, section 7.2).
    Autonomy {
        /// The conditions that do not hold.
        violated: Vec<Violated>,
        /// The score.
        ass: f64,
    },
    /// The existential guard is at its critical stage.
    GuardCritical {
        /// The metric that is worst.
        metric: String,
    },
    /// The existential guard missed heartbeats; three in a row count as critical.
    HeartbeatMissed {
        /// How many in a row.
        in_a_row: u32,
    },
    /// The kernel (L3) failed.
    KernelFailed {
        /// The actor.
        role: RolePath,
        /// Its last words.
        message: String,
    },
    /// The ethical kernel's hash is not that of the build.
    EthicsHash,
    /// The agent is over its processor quota and its period cannot get longer.
    Quota {
        /// Use as a share of the quota.
        share: f64,
    },
    /// The level did not recover within the time of its re-enablement protocol.
    NoRecovery {
        /// The level.
        level: Level,
        /// Why it was frozen.
        cause: Cause,
    },
}

impl Fault {
    /// The lowest level that the fault takes down.
    pub fn level(&self) -> Level {
        match self {
            Fault::Panic { level, .. }
            | Fault::MissedDeadline { level, .. }
            | Fault::Invariants { level, .. }
            | Fault::NoRecovery { level, .. } => (*level).max(Level::L45),
            Fault::Autonomy { .. } => Level::L49,
            // The guard's critical stage freezes self-modification, goal creation and skill acquisition: all that
            // stands above the floor.
            Fault::GuardCritical { .. } | Fault::HeartbeatMissed { .. } => Level::L48,
            Fault::KernelFailed { .. } | Fault::EthicsHash | Fault::Quota { .. } => Level::L3,
        }
    }

    /// The cause as events tell it.
    pub fn cause(&self) -> Cause {
        match self {
            Fault::Panic { role, message, .. } | Fault::KernelFailed { role, message } => Cause::Panic {
                role: role.clone(),
                message: message.chars().take(MAX_MESSAGE_CHARS).collect(),
            },
            Fault::MissedDeadline { role, deadline_ms, .. } => Cause::MissedDeadline {
                role: role.clone(),
                deadline_ms: *deadline_ms,
            },
            Fault::Invariants {
                violations, severity, ..
            } => Cause::Invariants {
                violations: violations.clone(),
                severity: *severity,
            },
            Fault::Autonomy { violated, ass } => Cause::Autonomy {
                violated: violated.clone(),
                ass: *ass,
            },
            Fault::GuardCritical { metric } => Cause::Guard { metric: metric.clone() },
            Fault::HeartbeatMissed { in_a_row } => Cause::Guard {
                metric: format!("{in_a_row} heartbeats missed"),
            },
            Fault::EthicsHash => Cause::EthicsHash,
            Fault::Quota { share } => Cause::Quota { share: *share },
            Fault::NoRecovery { cause, .. } => cause.clone(),
        }
    }

    /// The actor that has to be started again.
    pub fn failed_role(&self) -> Option<&RolePath> {
        match self {
            Fault::Panic { role, .. } | Fault::MissedDeadline { role, .. } | Fault::KernelFailed { role, .. } => {
                Some(role)
            }
            _ => None,
        }
    }
}

/// Longest last words of an actor that a cause keeps.
const MAX_MESSAGE_CHARS: usize = 200;

/// What an operator orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Freeze the level, and all above, until it is thawed. Does not count towards suspension.
    Freeze {
        /// The level.
        level: Level,
        /// Who says so.
        who: String,
    },
    /// Start the re-enablement of a frozen level now.
    Thaw {
        /// The level.
        level: Level,
        /// Who says so.
        who: String,
    },
    /// End a suspension and forget the freezes that led to it; the re-enablement starts now.
    Clear {
        /// The level.
        level: Level,
        /// Who says so.
        who: String,
    },
    /// Put the level on this authority; its own protocol does not raise it further. `Frozen` is [`Order::Freeze`].
    Authority {
        /// The level.
        level: Level,
        /// The authority.
        to: Authority,
        /// Who says so.
        who: String,
    },
}

impl Order {
    /// The level it is about.
    pub fn level(&self) -> Level {
        match self {
            Order::Freeze { level, .. }
            | Order::Thaw { level, .. }
            | Order::Clear { level, .. }
            | Order::Authority { level, .. } => *level,
        }
    }
}

/// Why an order is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// L3 is always on.
    #[error("L3 is always on; expected L4.5 or above")]
    AlwaysOn,
    /// The agent does not have this level.
    #[error("the agent has no {level}")]
    NoSuchLevel {
        /// The level.
        level: Level,
    },
    /// Only a frozen level can be thawed.
    #[error("{level} is not frozen")]
    NotFrozen {
        /// The level.
        level: Level,
    },
    /// A frozen level gets authority by its re-enablement only.
    #[error("{level} is frozen; thaw it first")]
    Frozen {
        /// The level.
        level: Level,
    },
    /// A suspended level has to be cleared first.
    #[error("{level} is suspended; clear it first")]
    Suspended {
        /// The level.
        level: Level,
    },
    /// Only a suspension can be cleared.
    #[error("{level} is not suspended")]
    NotSuspended {
        /// The level.
        level: Level,
    },
    /// A parked agent has to be started first.
    #[error("the agent is parked; start it first")]
    Parked,
}

/// What a level's orchestrator asks for, in the order in which it is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Something went wrong.
    Fault(Fault),
    /// The level's protocol moves it to this authority.
    Authority {
        /// The authority.
        to: Authority,
        /// Why, such as `activation`, `recovery`, `rebalance` or `instability`.
        reason: String,
    },
    /// A baton came back verified; this is where the level goes back to from now on.
    Verified(CheckpointId),
    /// What the mode of the resources lets each level do from now on.
    Constrain(Constraints),
    /// What Level 4.9 has decided: goals for the kernel, messages to other agents.
    Act(Arc<L49Output>),
    /// Advice for the kernel.
    Advise(Arc<Advice>),
    /// An event.
    Tell(EventKind),
}
