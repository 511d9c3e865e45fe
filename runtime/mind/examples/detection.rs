//! Counts false alarms and detections of the invariants in simulated agents and prints them as tables.
//!
//! `cargo run -p rungs-mind --example detection -- 200` simulates 200 agents of each kind; without a count, 20.

#[path = "../tests/detection/agent.rs"]
mod agent;
#[path = "../tests/detection/runaway.rs"]
mod runaway;
#[path = "../tests/detection/signs.rs"]
mod signs;
#[path = "../tests/detection/spectral.rs"]
mod spectral;
#[path = "../tests/detection/state.rs"]
mod state;

const DEFAULT_AGENTS: u64 = 20;

fn main() -> Result<(), std::num::ParseIntError> {
    let agents = std::env::args()
        .nth(1)
        .map_or(Ok(DEFAULT_AGENTS), |count| count.parse())?;
    spectral::print(&spectral::false_alarms(agents), &spectral::detections(agents));
    println!(
        "\n{:<34}{:<26}{:>6}{:>8}",
        "planted in an agent", "sign", "shown", "cycles"
    );
    for rho in [1.05, 1.2] {
        for mode in runaway::MODES {
            runaway::detect(rho, mode, agents).print(&format!("rho {rho}, {mode:?}"));
        }
    }
    for (failure, what) in agent::FAILURES {
        agent::detect(failure, agents).print(what);
    }
    agent::healthy(agents).print();
    Ok(())
}
