//! Supervision policy as data: which exits are faults, who restarts with whom, how often, after what pause.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most restarts that a policy may allow in its window; what it remembers is bounded by it.
pub const MAX_RESTARTS: u32 = 1000;

/// Which exits of a child are followed by a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Every exit.
    Permanent,
    /// A panic, an error or a kill; after a clean stop the child is forgotten.
    Transient,
    /// None; the child is forgotten.
    Temporary,
}

/// Who restarts when one child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The child alone.
    OneForOne,
    /// The child and all that started after it, because they depend on it.
    RestForOne,
}

/// How several children are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopOrder {
    /// One after another, last started first; each waits for the one before.
    Reverse,
    /// All at once: the children do not need each other.
    Together,
}

/// What happens when restarts exceed the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exhausted {
    /// The supervisor fails, and its own supervisor decides. Restarts of all its children count together.
    Escalate,
    /// The child rests until it is started by hand. Each child counts for itself, so that one never reaches another.
    Park,
}

/// How a supervisor treats its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Who restarts when one child does.
    pub strategy: Strategy,
    /// How children are stopped.
    pub stop_order: StopOrder,
    /// What happens after more than [`Policy::max_restarts`] within [`Policy::window_ms`].
    pub exhausted: Exhausted,
    /// Restarts allowed in the window, at most [`MAX_RESTARTS`].
    pub max_restarts: u32,
    /// The window, in milliseconds.
    pub window_ms: u64,
    /// Pause before the second restart of a child within the window, in milliseconds; the first has none, each further
    /// one doubles it.
    pub backoff_base_ms: u64,
    /// Longest pause, in milliseconds.
    pub backoff_max_ms: u64,
    /// Time in which all children together must have stopped when the supervisor does, in milliseconds.
    pub stop_within_ms: u64,
}

impl Policy {
    /// Children that do not depend on each other, and a supervisor that fails when they fail too often.
    pub const ONE_FOR_ONE: Self = Self {
        strategy: Strategy::OneForOne,
        stop_order: StopOrder::Reverse,
        exhausted: Exhausted::Escalate,
        max_restarts: 5,
        window_ms: 30_000,
        backoff_base_ms: 50,
        backoff_max_ms: 5_000,
        stop_within_ms: 30_000,
    };

    /// As [`Policy::ONE_FOR_ONE`], but each child stands on those started before it.
    pub const REST_FOR_ONE: Self = Self {
        strategy: Strategy::RestForOne,
        ..Self::ONE_FOR_ONE
    };

    /// A host of many independent children, one of which never reaches another.
    pub const HOST: Self = Self {
        stop_order: StopOrder::Together,
        exhausted: Exhausted::Park,
        ..Self::ONE_FOR_ONE
    };

    /// The pause before the restart of a child that was restarted `earlier` times within the window: none for the first,
    /// then `base * 2^(earlier - 1)`, at most the maximum, of which `jitter` (of 2^64) takes away up to half. Whatever
    /// failed together comes back spread out.
    pub fn backoff(&self, earlier: u32, jitter: u64) -> Duration {
        let Some(doublings) = earlier.checked_sub(1) else {
            return Duration::ZERO;
        };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        let full_ms = self.backoff_base_ms.saturating_mul(factor).min(self.backoff_max_ms);
        let cut_ms = (u128::from(full_ms / 2) * u128::from(jitter)) >> 64;
        Duration::from_millis(full_ms - cut_ms as u64)
    }

    pub(super) fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }

    pub(super) fn stop_within(&self) -> Duration {
        Duration::from_millis(self.stop_within_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_is_immediate_and_later_ones_double_up_to_the_maximum() {
        let policy = Policy {
            backoff_base_ms: 100,
            backoff_max_ms: 1000,
            ..Policy::ONE_FOR_ONE
        };
        let pauses = [0, 1, 2, 3, 4, 5, 6, 1000].map(|earlier| policy.backoff(earlier, 0).as_millis());
        assert_eq!(pauses, [0, 100, 200, 400, 800, 1000, 1000, 1000]);
    }

    #[test]
    fn jitter_takes_away_up_to_half() {
        let policy = Policy {
            backoff_base_ms: 100,
            backoff_max_ms: 1000,
            ..Policy::ONE_FOR_ONE
        };
        assert_eq!(policy.backoff(3, u64::MAX / 2), Duration::from_millis(301));
        assert_eq!(policy.backoff(3, u64::MAX), Duration::from_millis(201));
        let endless = Policy {
            backoff_base_ms: u64::MAX,
            backoff_max_ms: u64::MAX,
            ..policy
        };
        assert_eq!(endless.backoff(70, 0), Duration::from_millis(u64::MAX));
    }

    #[test]
    fn a_policy_is_data() {
        let text = serde_json::to_string(&Policy::HOST).expect("encodes");
        assert_eq!(serde_json::from_str::<Policy>(&text).expect("decodes"), Policy::HOST);
        assert!(serde_json::from_str::<Policy>(&text.replace("window_ms", "window")).is_err());
    }
}
