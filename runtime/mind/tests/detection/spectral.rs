//! How often the spectral detector cries wolf, and how often it sees the wolf.

use super::state::{AT_THE_EDGE, MODES, Mode, Noise, StateSim, WITH_ROOM};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use rungs_mind::l45::jacobian::SpectralDetector;
use rungs_mind::report::RhoState;

const CHECK_EVERY: u64 = 10;
const AGENT_CYCLES: u64 = 5_000;
const PLANTED_AT: u64 = 500;
/// Cycles after the planting in which it must be found.
const FOUND_WITHIN: u64 = 200;

/// False alarms of one kind of healthy agent.
pub(crate) struct FalseAlarms {
    pub(crate) label: String,
    pub(crate) cycles: u64,
    /// Rises of the verdict to a warning or a violation.
    pub(crate) alarms: u64,
}

impl FalseAlarms {
    pub(crate) fn per_10_000(&self) -> f64 {
        self.alarms as f64 * 1e4 / self.cycles as f64
    }
}

/// `agents` healthy agents of each kind, 5,000 cycles each.
pub(crate) fn false_alarms(agents: u64) -> Vec<FalseAlarms> {
    let kinds = [
        ("rho < 0.7", AT_THE_EDGE, 0.7, Noise::Gaussian),
        ("rho < 0.95", AT_THE_EDGE, 0.95, Noise::Gaussian),
        ("rho < 0.95, with room", WITH_ROOM, 0.95, Noise::Gaussian),
        ("rho < 0.9, heavy tails", AT_THE_EDGE, 0.9, Noise::HeavyTailed),
        ("rho < 0.9, shocks", AT_THE_EDGE, 0.9, Noise::Shocks),
    ];
    kinds
        .into_iter()
        .enumerate()
        .map(|(kind, (label, mean, rho, noise))| {
            let mut alarms = 0;
            for agent in 0..agents {
                let mut rng = Pcg64::seed_from_u64(1_000_000 * kind as u64 + agent);
                let mut sim = StateSim::healthy(mean, rho, noise, &mut rng);
                alarms += count_alarms((0..AGENT_CYCLES).map(|_| sim.step(&mut rng)));
            }
            FalseAlarms {
                label: label.into(),
                cycles: agents * AGENT_CYCLES,
                alarms,
            }
        })
        .collect()
}

/// Rises of the verdict over a series of X.
pub(crate) fn count_alarms(series: impl Iterator<Item = [f64; 5]>) -> u64 {
    let mut detector = SpectralDetector::default();
    let mut alarms = 0;
    let mut before = RhoState::Unknown;
    for (cycle, x) in (1..).zip(series) {
        detector.observe(x);
        if u64::is_multiple_of(cycle, CHECK_EVERY) {
            let state = detector.check().state;
            alarms += u64::from(severity(state) > severity(before));
            before = state;
        }
    }
    alarms
}

fn severity(state: RhoState) -> u8 {
    match state {
        RhoState::Unknown | RhoState::Stable => 0,
        RhoState::Warning => 1,
        RhoState::Violation => 2,
    }
}

/// How one planted mode is found.
pub(crate) struct Detection {
    pub(crate) rho: f64,
    pub(crate) mode: Mode,
    pub(crate) with_room: bool,
    pub(crate) planted: u64,
    /// Warned or violated, and violated.
    pub(crate) found: u64,
    pub(crate) violated: u64,
    /// Median cycles from the planting to the first alarm.
    pub(crate) median_cycles: Option<u64>,
}

impl Detection {
    pub(crate) fn found_share(&self) -> f64 {
        self.found as f64 / self.planted as f64
    }
}

/// `agents` plantings of each radius and mode.
pub(crate) fn detections(agents: u64) -> Vec<Detection> {
    let mut rows = Vec::new();
    for with_room in [true, false] {
        for rho in [1.05, 1.2] {
            for mode in MODES {
                rows.push(detect(rho, mode, with_room, agents));
            }
        }
    }
    rows
}

fn detect(rho: f64, mode: Mode, with_room: bool, agents: u64) -> Detection {
    let mean = if with_room { WITH_ROOM } else { AT_THE_EDGE };
    let mut delays = Vec::new();
    let mut violated = 0;
    for agent in 0..agents {
        let mut rng = Pcg64::seed_from_u64(77_777 + agent);
        let mut sim = StateSim::healthy(mean, 0.9, Noise::Gaussian, &mut rng);
        let mut detector = SpectralDetector::default();
        let planted_at = PLANTED_AT + rng.random_range(0..CHECK_EVERY);
        for _ in 0..planted_at {
            detector.observe(sim.step(&mut rng));
        }
        sim.plant(rho, mode, &mut rng);
        let (mut delay, mut violation) = (None, false);
        for cycle in 1..=FOUND_WITHIN {
            detector.observe(sim.step(&mut rng));
            if (planted_at + cycle).is_multiple_of(CHECK_EVERY) {
                let severity = severity(detector.check().state);
                violation |= severity == 2;
                if severity > 0 {
                    delay = delay.or(Some(cycle));
                }
            }
        }
        delays.extend(delay);
        violated += u64::from(violation);
    }
    delays.sort_unstable();
    let median_cycles = delays.get(delays.len() / 2).copied();
    Detection {
        rho,
        mode,
        with_room,
        planted: agents,
        found: delays.len() as u64,
        violated,
        median_cycles,
    }
}

/// Both tables.
pub(crate) fn print(false_alarms: &[FalseAlarms], detections: &[Detection]) {
    println!("{:<26}{:>10}{:>8}{:>12}", "healthy X", "cycles", "alarms", "per 10,000");
    for row in false_alarms {
        println!(
            "{:<26}{:>10}{:>8}{:>12.2}",
            row.label,
            row.cycles,
            row.alarms,
            row.per_10_000()
        );
    }
    println!(
        "{:<6}{:<13}{:<11}{:>8}{:>9}{:>15}",
        "rho", "mode", "mean", "found", "violated", "median cycles"
    );
    for row in detections {
        let mean = if row.with_room { "with room" } else { "at the edge" };
        let violated = 100 * row.violated / row.planted;
        let cycles = row.median_cycles.map_or("-".into(), |c| c.to_string());
        let (mode, found) = (format!("{:?}", row.mode), 100.0 * row.found_share());
        println!(
            "{:<6}{mode:<13}{mean:<11}{found:>7.0}%{violated:>8}%{cycles:>15}",
            row.rho
        );
    }
}
