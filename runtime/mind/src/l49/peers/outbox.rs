//! How often the agent may speak: one message in 50 cycles, to at most five agents or to one group.

use super::table::MAX_PEERS;
use serde::{Deserialize, Serialize};

/// Cycles between two messages.
pub const MESSAGE_CYCLES: u64 = 50;

/// Why a message is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendRefusal {
    /// Too soon after the last one.
    #[error("a message may be sent from cycle {from} on")]
    TooSoon {
        /// The first cycle in which it may be sent.
        from: u64,
    },
    /// To nobody, or to too many.
    #[error("{found} recipients; expected 1 to {MAX_PEERS}, or a group")]
    Recipients {
        /// How many.
        found: usize,
    },
}

/// To whom a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// So many agents.
    Agents(usize),
    /// A group; the gateway fans it out.
    Group,
}

/// Remembers when the last message was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    last: Option<u64>,
}

impl Outbox {
    /// Whether a message may be sent at `cycle`.
    pub fn check(&self, audience: Audience, cycle: u64) -> Result<(), SendRefusal> {
        if let Audience::Agents(found) = audience
            && !(1..=MAX_PEERS).contains(&found)
        {
            return Err(SendRefusal::Recipients { found });
        }
        let from = self.last.map_or(0, |last| last.saturating_add(MESSAGE_CYCLES));
        if cycle < from {
            return Err(SendRefusal::TooSoon { from });
        }
        Ok(())
    }

    /// Notes that one was sent.
    pub fn sent(&mut self, cycle: u64) {
        self.last = Some(self.last.map_or(cycle, |last| last.max(cycle)));
    }
}
