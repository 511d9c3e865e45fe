//! The cycle rate that fits a machine: fast enough to watch an agent climb within a minute, slow enough to leave the
//! machine to its other work.

use std::num::NonZero;

/// Fastest rate that is chosen without being asked for, in cycles per second.
pub const MAX_RATE_HZ: f64 = 50.0;
/// Slowest rate that is chosen.
pub const MIN_RATE_HZ: f64 = 1.0;
/// Share of the machine's processors that the agents may take.
const SHARE: f64 = 0.25;
/// What a cycle costs at most with its part of the levels above, in seconds: the targets of P6 and P7 (25 us a cycle,
/// 5 ms each tenth), a quarter of the latter for an agent without strategies.
const CYCLE_COST_S: f64 = 150e-6;

/// The rate for so many agents on this machine.
pub fn that_fits(agents: u32) -> f64 {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get) as f64;
    for_machine(agents, processors)
}

fn for_machine(agents: u32, processors: f64) -> f64 {
    let affordable = processors * SHARE / (f64::from(agents.max(1)) * CYCLE_COST_S);
    affordable.clamp(MIN_RATE_HZ, MAX_RATE_HZ).floor()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_agents_run_at_the_highest_rate_and_many_share_the_machine() {
        assert_eq!(for_machine(12, 2.0), 50.0);
        assert_eq!(for_machine(0, 2.0), 50.0);
        assert_eq!(for_machine(300, 2.0), 11.0);
        assert_eq!(for_machine(1000, 1.0), 1.0);
    }
}
