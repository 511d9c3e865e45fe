//! Error codes: what a caller can do next, in one table with exit codes.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Longest deadline a call may ask for.
pub const MAX_DEADLINE: Duration = Duration::from_secs(300);

/// What went wrong, as seen by the caller. Every refusal on the wire carries one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No agent or actor has this address; check the name.
    NotFound,
    /// The message does not decode, or its kind is not one the actor receives; nothing was executed.
    Malformed,
    /// The message is larger than the limit; nothing was executed.
    TooLarge,
    /// The mailbox is full; nothing was executed, retry later.
    Overloaded,
    /// The node that owns the target is not reachable; nothing was sent.
    NodeDown,
    /// No answer before the deadline; the message may have been executed.
    DeadlineExceeded,
    /// The target ended while the call was under way; the message may have been executed.
    TargetEnded,
    /// The target refused the request and says why; nothing was executed.
    Refused,
    /// The caller may not do this.
    Forbidden,
    /// A version the node does not speak.
    Incompatible,
    /// A defect; the log has more.
    Internal,
}

impl ErrorCode {
    /// Whether the message may have been executed although the caller got an error.
    pub fn may_have_executed(self) -> bool {
        matches!(
            self,
            ErrorCode::DeadlineExceeded | ErrorCode::TargetEnded | ErrorCode::Internal
        )
    }

    /// The exit code of a command that ends with this error. Bad usage of the command itself is 2.
    pub fn exit_code(self) -> u8 {
        1
    }

    /// The code as in JSON, such as `not_found`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::NotFound => "not_found",
            ErrorCode::Malformed => "malformed",
            ErrorCode::TooLarge => "too_large",
            ErrorCode::Overloaded => "overloaded",
            ErrorCode::NodeDown => "node_down",
            ErrorCode::DeadlineExceeded => "deadline_exceeded",
            ErrorCode::TargetEnded => "target_ended",
            ErrorCode::Refused => "refused",
            ErrorCode::Forbidden => "forbidden",
            ErrorCode::Incompatible => "incompatible",
            ErrorCode::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
