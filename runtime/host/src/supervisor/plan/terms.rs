//! The terms of the plan: how a child ends, what it is doing, what is decided, what is to be done, what may be asked.

use super::MAX_CHILDREN;
use crate::tasks::shorten;
use rungs_types::RolePath;
use std::fmt;
use std::time::Duration;

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It stopped or drained, and its `post_stop` ran.
    Clean,
    /// It was killed, or its task was cancelled.
    Killed,
    /// It panicked, returned an error or did not start; its last words.
    Failed(String),
}

impl Exit {
    /// A failure with its last words, shortened.
    pub fn failed(words: &str) -> Self {
        Self::Failed(shorten(words))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Clean => f.write_str("stopped"),
            Exit::Killed => f.write_str("killed"),
            Exit::Failed(words) => write!(f, "failed: {words}"),
        }
    }
}

/// What becomes of a child that was told to stop, once it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It stays known and rests.
    Idle,
    /// It leaves the table.
    Forget,
    /// It starts again, not before this time.
    Wait {
        /// The time.
        due: Duration,
    },
}

/// What a child is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildState {
    /// Known, not asked to run.
    Idle,
    /// Started.
    Running,
    /// Told to stop, or about to be.
    Stopping {
        /// When it was told to drain; `None` while another must end first.
        told_at: Option<Duration>,
        /// When its deadline passed and it was killed.
        killed_at: Option<Duration>,
        /// What then.
        then: Then,
    },
    /// To be started, not before this time.
    Waiting {
        /// The time.
        due: Duration,
    },
    /// Failed too often; rests until it is started by hand.
    Parked,
}

/// The answer to an exit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Not a child, or of an earlier generation, or one that is already dealt with: nothing to do.
    Stale,
    /// It ended as it was told to.
    AsTold {
        /// The child.
        role: RolePath,
        /// What becomes of it.
        then: Then,
    },
    /// It is not to be restarted and leaves the table.
    Forget {
        /// The child.
        role: RolePath,
    },
    /// It starts again after a pause; those that depend on it stop first and start again after it.
    Restart {
        /// The child.
        role: RolePath,
        /// Who stops, last started first.
        stop: Vec<RolePath>,
        /// The pause.
        after: Duration,
    },
    /// It failed too often and rests; those that depend on it stop and wait for it.
    Park {
        /// The child.
        role: RolePath,
        /// Who stops, last started first.
        stop: Vec<RolePath>,
    },
    /// Children failed too often: the supervisor fails.
    Escalate {
        /// The child that was one too many.
        role: RolePath,
        /// Restarts within the window.
        restarts: u32,
    },
}

/// Something to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Tell the child to drain.
    Drain(RolePath),
    /// Its time is over: kill it.
    Kill(RolePath),
    /// It did not even end when killed: let go of it.
    Abandon(RolePath),
    /// Start it, as this generation.
    Start(RolePath, u32),
}

/// What a person or a parent asks of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Run.
    Start,
    /// Stop and stay known.
    Stop,
    /// Stop and leave the table.
    Remove,
}

/// Why the table does not take a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A child with this role exists.
    #[error("a child {role} exists already")]
    Duplicate {
        /// The role.
        role: RolePath,
    },
    /// [`MAX_CHILDREN`] are there.
    #[error("{MAX_CHILDREN} children; expected no more")]
    Full,
    /// No child has this role.
    #[error("no child {role}")]
    Unknown {
        /// The role.
        role: RolePath,
    },
    /// The supervisor is shutting down.
    #[error("the supervisor is shutting down")]
    Closing,
}
