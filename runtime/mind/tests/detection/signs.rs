//! By what an agent shows that something is wrong: its warnings, the invariants of Level 4.8, and a freeze.

use rungs_mind::l48::ObserveOutput;
use rungs_mind::report::{DivergenceBand, FloorReport, RhoState};
use rungs_types::{EventKind, Invariant, Level};
use std::collections::BTreeMap;

/// Risk exposure from which lead time is counted.
const RISK: f64 = 0.40;
/// Runway below which a resource is about to run out, in cycles.
const SHORT_RUNWAY_CYCLES: f64 = 200.0;

/// The signs of one report, with the events told since the last.
pub(crate) fn of<'a>(
    floor: &FloorReport,
    world: Option<&ObserveOutput>,
    told: impl Iterator<Item = &'a EventKind>,
) -> Vec<&'static str> {
    let mut signs = Vec::new();
    let mut add = |holds: bool, sign| {
        if holds {
            signs.push(sign);
        }
    };
    add(
        matches!(floor.rho_state, RhoState::Warning | RhoState::Violation),
        "floor: rho",
    );
    add(
        floor.divergence_band >= DivergenceBand::Warning,
        "floor: divergence 0.10",
    );
    add(
        floor.divergence_band >= DivergenceBand::Recalibrate,
        "floor: divergence 0.25",
    );
    add(floor.horizons_halved, "floor: uncertainty 0.70");
    add(floor.success_fall, "floor: success fell");
    add(floor.tier >= 3, "floor: tier 3");
    if let Some(world) = world {
        add(world.res.score >= RISK, "L4.8: RES 0.40");
        add(world.rdf < SHORT_RUNWAY_CYCLES, "L4.8: runway below 200");
    }
    for kind in told {
        match kind {
            EventKind::Incident { raised: true, .. } => add(true, "L3: incident"),
            EventKind::Verdict { violations, .. } => violations
                .iter()
                .for_each(|violation| add(true, invariant(violation.invariant))),
            EventKind::Frozen { level: Level::L48, .. } => add(true, "freeze of L4.8"),
            _ => {}
        }
    }
    signs
}

/// The name of a violated invariant in the tables.
pub(crate) fn invariant(invariant: Invariant) -> &'static str {
    match invariant {
        Invariant::Lyapunov => "invariant: Lyapunov",
        Invariant::Spectral => "invariant: spectral",
        Invariant::Identity => "invariant: identity",
        Invariant::Sandbox => "invariant: sandbox",
        Invariant::Uncertainty => "invariant: uncertainty",
    }
}

/// Cycles from a planted failure to each sign that was not there before it, over many agents.
#[derive(Default)]
pub(crate) struct Delays {
    agents: usize,
    delays: BTreeMap<&'static str, Vec<u64>>,
}

impl Delays {
    /// Takes in one agent: the first cycle of each sign after the planting, and those of the 200 cycles before.
    pub(crate) fn agent(&mut self, before: &[&'static str], first: BTreeMap<&'static str, u64>) {
        self.agents += 1;
        for (sign, delay) in first {
            if !before.contains(&sign) {
                self.delays.entry(sign).or_default().push(delay);
            }
        }
    }

    /// The share of agents that showed the sign, and the median of cycles until then.
    pub(crate) fn of(&mut self, sign: &str) -> (f64, Option<u64>) {
        let Some(delays) = self.delays.get_mut(sign) else {
            return (0.0, None);
        };
        delays.sort_unstable();
        (
            delays.len() as f64 / self.agents as f64,
            delays.get(delays.len() / 2).copied(),
        )
    }

    /// A line for each sign that at least a quarter of the agents showed, the soonest first.
    pub(crate) fn print(&mut self, what: &str) {
        let signs: Vec<_> = self.delays.keys().copied().collect();
        let mut rows: Vec<_> = signs.into_iter().map(|sign| (self.of(sign), sign)).collect();
        rows.retain(|((share, _), _)| *share >= 0.25);
        rows.sort_by_key(|((_, median), _)| *median);
        if rows.is_empty() {
            println!("{what:<34}nothing");
        }
        for (index, ((share, median), sign)) in rows.into_iter().enumerate() {
            let what = if index == 0 { what } else { "" };
            let median = median.unwrap_or_default();
            println!("{what:<34}{sign:<26}{:>5.0}%{median:>8}", 100.0 * share);
        }
    }
}
