//! What a caller of an agent, or of the hosts of agents, can be refused, and what it can do next.

use crate::environment::EnvironmentError;
use rungs_host::{AskError, Refusal};
use rungs_mind::ladder::OrderError;
use rungs_types::{AgentId, ErrorCode, SpecError};

/// Why an agent did not do what was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AgentError {
    /// No such agent on this node; ask the directory where it lives.
    #[error("no agent {agent} on this node")]
    NotHere {
        /// Who was asked for.
        agent: AgentId,
    },
    /// An agent of this name runs here already; use it or stop it first.
    #[error("agent {agent} runs already")]
    RunsAlready {
        /// The agent.
        agent: AgentId,
    },
    /// The agent is between two starts; try again.
    #[error("agent {agent} is being started again")]
    Starting {
        /// The agent.
        agent: AgentId,
    },
    /// The agent failed too often; start it again when the cause is found.
    #[error("agent {agent} is parked; start it first")]
    Parked {
        /// The agent.
        agent: AgentId,
    },
    /// Only a parked agent can be started again.
    #[error("agent {agent} is not parked")]
    NotParked {
        /// The agent.
        agent: AgentId,
    },
    /// The node hosts as many agents as it may; place it elsewhere.
    #[error("the node hosts {agents} agents; expected fewer than {limit}")]
    Full {
        /// How many it hosts.
        agents: usize,
        /// How many it may.
        limit: usize,
    },
    /// The specification is wrong; correct it.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The environment does not open; correct the specification or the environment.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The order does not fit the state of the level.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The agent's snapshots cannot be read or written now.
    #[error("snapshots of {agent}: {reason}")]
    Snapshots {
        /// The agent.
        agent: AgentId,
        /// What the store said.
        reason: String,
    },
    /// The tree did not start.
    #[error("agent {agent} did not start: {reason}")]
    NotStarted {
        /// The agent.
        agent: AgentId,
        /// Its last words.
        reason: String,
    },
    /// The question has no answer; the text says whether it may have been executed.
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl AgentError {
    /// What the caller can do next.
    pub fn code(&self) -> ErrorCode {
        match self {
            AgentError::NotHere { .. } => ErrorCode::NotFound,
            AgentError::Spec(_) => ErrorCode::Malformed,
            AgentError::Starting { .. } | AgentError::Full { .. } => ErrorCode::Overloaded,
            AgentError::RunsAlready { .. }
            | AgentError::Parked { .. }
            | AgentError::NotParked { .. }
            | AgentError::Environment(_)
            | AgentError::Order(_) => ErrorCode::Refused,
            AgentError::Snapshots { .. } | AgentError::NotStarted { .. } => ErrorCode::Internal,
            AgentError::Ask(error) => match error {
                AskError::Tell(tell) => Refusal::from(tell.clone()).code,
                AskError::DeadlineExceeded(_) => ErrorCode::DeadlineExceeded,
                AskError::NoReply => ErrorCode::TargetEnded,
                AskError::Refused(refusal) => refusal.code,
            },
        }
    }
}

impl From<AgentError> for Refusal {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Ask(AskError::Refused(refusal)) => refusal,
            AgentError::Ask(AskError::Tell(tell)) => tell.into(),
            other => Refusal::new(other.code(), &other.to_string()),
        }
    }
}
