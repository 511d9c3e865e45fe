//! When a failed agent is started again, and when it is left alone.

use serde::{Deserialize, Serialize};

/// Failures within [`PARK_WINDOW_MS`] that park the agent: the fifth restart is not carried out.
pub const PARK_FAILURES: usize = 5;
/// The window in which they count.
pub const PARK_WINDOW_MS: u64 = 60_000;
/// The delay before the first restart in a window; it doubles with each further one.
pub const BACKOFF_FIRST_MS: u64 = 100;
/// The longest delay.
pub const BACKOFF_MAX_MS: u64 = 10_000;

/// The failures of the last minute. Whoever restarts the agent keeps it across restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarts {
    /// Times of the last failures, oldest first, at most [`PARK_FAILURES`].
    failures_ms: Vec<u64>,
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartDecision {
    /// Start it again.
    After {
        /// How long to wait before.
        delay_ms: u64,
    },
    /// Leave it stopped and raise an incident.
    Park,
}

impl Restarts {
    /// Counts the failure and decides.
    pub fn on_failure(&mut self, now_ms: u64) -> RestartDecision {
        self.failures_ms
            .retain(|then| now_ms.saturating_sub(*then) < PARK_WINDOW_MS);
        self.failures_ms.push(now_ms);
        let failures = self.failures_ms.len();
        if failures >= PARK_FAILURES {
            self.failures_ms.clear();
            return RestartDecision::Park;
        }
        let delay_ms = BACKOFF_FIRST_MS.saturating_mul(1 << (failures - 1)).min(BACKOFF_MAX_MS);
        RestartDecision::After { delay_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_failure_within_a_minute_parks_and_the_delays_before_it_double() {
        let mut restarts = Restarts::default();
        let delays: Vec<_> = (0..4).map(|i| restarts.on_failure(i * 14_000)).collect();
        let expected = [100, 200, 400, 800].map(|delay_ms| RestartDecision::After { delay_ms });
        assert_eq!(delays, expected);
        assert_eq!(restarts.on_failure(59_999), RestartDecision::Park);
    }

    #[test]
    fn a_failure_sixty_seconds_old_no_longer_counts() {
        let mut restarts = Restarts::default();
        for i in 0..4 {
            restarts.on_failure(i * 14_000);
        }
        // At 60.000 s the first, at 0 s, has left the window: four remain, so the fourth delay.
        assert_eq!(restarts.on_failure(60_000), RestartDecision::After { delay_ms: 800 });
    }
}
