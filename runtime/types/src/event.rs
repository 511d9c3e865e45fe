//! Events: what an agent's supervisors tell about it. Watch, logs and audit read nothing else.

use crate::address::RolePath;
use crate::autonomy::Violated;
use crate::goal::Origin;
use crate::id::{AgentId, CheckpointId};
use crate::level::{Authority, Level};
use crate::name::{GoalId, NodeName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One event of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up per agent without gaps; a reader that misses numbers has lagged.
    pub seq: u64,
    /// The node the agent runs on.
    pub node: NodeName,
    /// The agent.
    pub agent: AgentId,
    /// The agent's L3 cycle at which it happened.
    pub cycle: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The state of the agent, told every so often, not at each cycle.
    Status(AgentStatus),
    /// A level was frozen, with every level above it.
    Frozen {
        /// The lowest frozen level.
        level: Level,
        /// Why.
        cause: Cause,
        /// The verified state it goes back to.
        checkpoint: CheckpointId,
    },
    /// A level's phases have their state of the checkpoint again.
    Reverted {
        /// The level.
        level: Level,
        /// The verified state.
        checkpoint: CheckpointId,
    },
    /// What the level had put into the level below since the checkpoint was taken back.
    Withdrawn {
        /// The level.
        level: Level,
        /// The verified state after which it was put there.
        checkpoint: CheckpointId,
        /// How many pieces of advice.
        count: u32,
    },
    /// The authority of a level changed.
    Authority {
        /// The level.
        level: Level,
        /// Before.
        from: Authority,
        /// After.
        to: Authority,
        /// Why, such as `activation` or `recovery`.
        reason: String,
    },
    /// The stability verifier found violated invariants.
    Verdict {
        /// The level whose verifier spoke.
        level: Level,
        /// What is violated, with numbers.
        violations: Vec<Violation>,
        /// The compound severity (MSCP Level 4.8, Definition 12).
        severity: f64,
        /// What is done: `throttle`, `rebalance` or `freeze`.
        response: String,
    },
    /// The level stays down until an operator clears it.
    Suspended {
        /// The level.
        level: Level,
        /// Why.
        cause: Cause,
    },
    /// An actor of the tree was started again.
    Restarted {
        /// Its role; the agent's own is `agent`.
        role: RolePath,
        /// How often it has been started; 1 is the first start.
        generation: u32,
        /// Why the one before ended.
        cause: Cause,
    },
    /// The agent failed too often and rests until an operator starts it.
    Parked {
        /// The last failure.
        cause: Cause,
    },
    /// A goal was set, or is over.
    Goal {
        /// Which.
        goal: GoalId,
        /// Who set it.
        origin: Origin,
        /// `set`, or how it ended.
        state: String,
    },
    /// The resources are in another mode (MSCP Level 4.9, section 5.3).
    Mode {
        /// The mode.
        mode: String,
        /// The most authority that L4.8 may have in it.
        l48: Authority,
        /// The most that L4.9 may have.
        l49: Authority,
    },
    /// Something that a person should look at.
    Incident {
        /// Raised or cleared.
        raised: bool,
        /// What, in one line.
        summary: String,
    },
    /// The environment or the filter reported something out of the ordinary.
    Warning {
        /// What, in one line.
        summary: String,
    },
    /// An operator has the agent's identity measured by a new reference.
    IdentityReset {
        /// Who.
        who: String,
    },
}

/// The state of an agent in one line of a status view.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AgentStatus {
    /// Cycles completed since the agent's first start.
    pub cycles: u64,
    /// Authority by level: L3, L4.5, L4.8, L4.9, L6. A level that does not run is `Frozen`.
    pub authority: [Authority; 5],
    /// Environmental uncertainty (MSCP Level 4.8, Definition 2); absent while unknown.
    pub eu: Option<f64>,
    /// Risk exposure score (Definition 3).
    pub res: Option<f64>,
    /// Mean absolute forecast error relative to that of persistence; below 1 is better than persistence.
    pub forecast_ratio: Option<f64>,
    /// Share of realised values inside the 90 % forecast interval.
    pub coverage: Option<f64>,
    /// Identity integrity (IIS); absent while warming up.
    pub iis: Option<f64>,
    /// C_L4, the complexity index of L4.5.
    pub c_l4: f64,
    /// Freezes since the agent's first start.
    pub freezes: u32,
    /// Cycles left out or late since the agent's first start.
    pub late_cycles: u64,
    /// Why L4.8 is not at full authority, in a few words; empty when it is.
    pub waiting_for: String,
    /// Why L4.9 is not at full authority, likewise; empty also of an agent without it.
    pub autonomy_waits_for: String,
    /// The Autonomy Stability Score (MSCP Level 4.9, Definition 7); absent while L4.9 has not looked.
    pub ass: Option<f64>,
}

/// Why a level was frozen, an actor restarted or an agent parked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An actor panicked or returned an error.
    Panic {
        /// Which.
        role: RolePath,
        /// Its last words, at most 200 characters.
        message: String,
    },
    /// A phase did not finish in time.
    MissedDeadline {
        /// Which.
        role: RolePath,
        /// The deadline, in milliseconds.
        deadline_ms: u64,
    },
    /// Stability invariants are violated.
    Invariants {
        /// Which, with numbers.
        violations: Vec<Violation>,
        /// The compound severity.
        severity: f64,
    },
    /// The Autonomy Stability Score of L4.9 is below 0.05.
    Autonomy {
        /// The conditions that do not hold, with numbers; none if all margins are merely thin.
        violated: Vec<Violated>,
        /// The score (MSCP Level 4.9, Definition 7).
        ass: f64,
    },
    /// The existential guard is at its critical stage, or missed three heartbeats.
    Guard {
        /// The metric that is worst.
        metric: String,
    },
    /// A level below froze, and this one with it.
    LevelBelow {
        /// Which.
        level: Level,
    },
    /// A person said so.
    Operator {
        /// Who.
        who: String,
    },
    /// The ethical kernel is not the one that was built.
    EthicsHash,
    /// The agent used more than its processor quota, also at its longest period.
    Quota {
        /// Use as a share of the quota.
        share: f64,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Panic { role, message } => write!(f, "{role} panicked: {message}"),
            Cause::MissedDeadline { role, deadline_ms } => write!(f, "{role} missed its deadline of {deadline_ms} ms"),
            Cause::Invariants { violations, severity } => {
                for violation in violations {
                    write!(f, "{violation}, ")?;
                }
                write!(f, "severity {severity:.2}")
            }
            Cause::Autonomy { violated, ass } => {
                for violated in violated {
                    write!(f, "{violated}, ")?;
                }
                write!(f, "autonomy stability {ass:.3}")
            }
            Cause::Guard { metric } => write!(f, "existential guard critical: {metric}"),
            Cause::LevelBelow { level } => write!(f, "{level} below is frozen"),
            Cause::Operator { who } => write!(f, "ordered by {who}"),
            Cause::EthicsHash => write!(f, "the ethical kernel's hash differs from the build's"),
            Cause::Quota { share } => write!(f, "{:.0} % of the processor quota in use", share * 100.0),
        }
    }
}

/// The five stability invariants (MSCP Level 4.8, section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Invariant {
    /// V(X) does not rise in at least 95 % of cycles.
    Lyapunov,
    /// The spectral radius of the Jacobian stays below 1.
    Spectral,
    /// Identity integrity stays at or above 0.85.
    Identity,
    /// Lookahead has no effect outside itself.
    Sandbox,
    /// Environmental uncertainty is below 0.80 for structural decisions.
    Uncertainty,
}

impl Invariant {
    /// All five, in the seed's order.
    pub const ALL: [Invariant; 5] = [
        Invariant::Lyapunov,
        Invariant::Spectral,
        Invariant::Identity,
        Invariant::Sandbox,
        Invariant::Uncertainty,
    ];

    /// The name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Invariant::Lyapunov => "lyapunov",
            Invariant::Spectral => "spectral",
            Invariant::Identity => "identity",
            Invariant::Sandbox => "sandbox",
            Invariant::Uncertainty => "uncertainty",
        }
    }
}

/// One violated invariant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// The measured value.
    pub value: f64,
    /// The limit it passed.
    pub limit: f64,
    /// The violation magnitude of Definition 12.
    pub magnitude: f64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {:.3} (limit {:.2})",
            self.invariant.as_str(),
            self.value,
            self.limit
        )
    }
}
