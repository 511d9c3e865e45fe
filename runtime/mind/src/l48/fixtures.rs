//! What several tests of the level start from.

use super::observe::{ObserveConfig, ObserveOutput};
use crate::l45::frames::{Ballot, Decision, FRAMES, Resolution};
use crate::l45::projection::SelfProjection;
use crate::report::{CycleFacts, CycleReport, DivergenceBand, FloorReport, RhoState, Votes};

/// A ballot on an archetype that all frames are for.
pub(crate) const PASSED: Ballot = Ballot {
    on: Decision::Archetype,
    votes: [1.0; FRAMES],
    yes: FRAMES as u32,
    vetoed: false,
    variance: 0.0,
    resolution: Resolution::Proceed,
    passed: true,
};

/// A floor on which all five invariants hold, all six criteria have held for long, and every course is open.
pub(crate) fn healthy_floor(cycle: u64) -> FloorReport {
    FloorReport {
        cycle,
        c_l4: 0.1,
        iis: Some(0.95),
        rho: 0.9,
        rho_state: RhoState::Stable,
        lyapunov: vec![0.02; 10],
        ethics_intact: true,
        contained: true,
        structural_permitted: true,
        sustained: [1_000, 500, 500, 20, 300, 200],
        divergence_band: DivergenceBand::Normal,
        projection: SelfProjection {
            aggressive_open: true,
            ..SelfProjection::default()
        },
        votes: Votes {
            posture: [Some(PASSED); 2],
            ..Votes::default()
        },
        ..FloorReport::default()
    }
}

/// A world about which little is uncertain.
pub(crate) fn calm_world(cycle: u64) -> ObserveOutput {
    ObserveOutput {
        cycle,
        eu: 0.1,
        rdf: 10_000.0,
        variance: vec![0.1],
        forecasts: vec![Default::default()],
        ..ObserveOutput::default()
    }
}

/// A small world model.
pub(crate) const CONFIG: ObserveConfig = ObserveConfig {
    dimensions: 2,
    particles: 50,
    seed: 7,
};

/// A report of the ten cycles up to `last` in which each dimension shows `value(cycle, dimension)`.
pub(crate) fn report(last: u64, dimensions: usize, value: impl Fn(u64, usize) -> f64) -> CycleReport {
    let cycles = last - 9..=last;
    let fact = |cycle| CycleFacts {
        cycle,
        ..CycleFacts::default()
    };
    CycleReport {
        dimensions,
        groups: vec![0; dimensions].into(),
        facts: cycles.clone().map(fact).collect(),
        observations: cycles
            .flat_map(|cycle| (0..dimensions).map(move |dim| (cycle, dim)))
            .map(|(cycle, dim)| value(cycle, dim))
            .collect(),
        ..CycleReport::default()
    }
}
