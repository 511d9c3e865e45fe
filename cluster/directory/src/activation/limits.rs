//! [`Limits`]: how much may wait for agents, and how much may happen at a time.

use std::time::Duration;

/// How much may wait, and how much may happen at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Agents that start at a time.
    pub activating: usize,
    /// Messages that wait for one agent.
    pub parcels_per_agent: usize,
    /// Bytes that they weigh.
    pub bytes_per_agent: u64,
    /// Messages that wait for all agents.
    pub parcels: usize,
    /// Bytes that they weigh.
    pub bytes: u64,
    /// Agents that are remembered because they did not start.
    pub failures: usize,
    /// How long an agent that did not start is left alone; doubled with each time in a row.
    pub first_pause: Duration,
    /// The longest such time.
    pub longest_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            activating: 64,
            parcels_per_agent: 256,
            bytes_per_agent: 1 << 20,
            parcels: 65_536,
            bytes: 64 << 20,
            failures: 4_096,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
        }
    }
}
