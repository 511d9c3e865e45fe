//! What a supervising actor learns of its children: exits, changes, escalations, and how a shutdown went.

use super::plan::Exit;
use rungs_types::RolePath;

/// A child has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exited {
    /// Which.
    pub role: RolePath,
    /// Which start of it.
    pub generation: u32,
    /// How.
    pub exit: Exit,
    /// Its supervisor had told it to stop.
    pub as_told: bool,
}

/// Something that happened to a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It started, not after a fault.
    Started {
        /// Which.
        role: RolePath,
        /// Which start of it.
        generation: u32,
    },
    /// It started again after it, or one it depends on, had ended.
    Restarted {
        /// Which.
        role: RolePath,
        /// Which start of it.
        generation: u32,
        /// How the one before had ended.
        cause: Exit,
    },
    /// It stopped as it was told to and rests.
    Stopped {
        /// Which.
        role: RolePath,
    },
    /// It ended and left the table.
    Forgotten {
        /// Which.
        role: RolePath,
        /// How it ended.
        exit: Exit,
    },
    /// It failed too often and rests until it is started by hand.
    Parked {
        /// Which.
        role: RolePath,
        /// How it ended the last time.
        cause: Exit,
    },
    /// It did not end even when killed; its supervisor has let go of it.
    Abandoned {
        /// Which.
        role: RolePath,
    },
}

/// Children failed too often; the supervisor is to end. All other children have been drained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{role} {exit} after {restarts} restarts within {window_ms} ms")]
pub struct Escalation {
    /// The child that was one too many.
    pub role: RolePath,
    /// How it ended.
    pub exit: Exit,
    /// Restarts within the window.
    pub restarts: u32,
    /// The window, in milliseconds.
    pub window_ms: u64,
}

/// How a shutdown went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Children that ended in time, with their `post_stop`.
    pub drained: Vec<RolePath>,
    /// Children that had to be killed.
    pub killed: Vec<RolePath>,
    /// Children that did not end even when killed.
    pub abandoned: Vec<RolePath>,
}
