//! A runaway mode planted in X of an agent, as L4.5 measures it and Level 4.8 judges it.
//!
//! Complexity and identity of the reports are moved by x(t+1) = m + J (x(t) - m) + e in two of the five components of X;
//! all else is calm. So what is measured is the way from the kernel's facts through L4.5's detector to a verdict.

use super::signs::{self, Delays};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use rungs_mind::budget::Unlimited;
use rungs_mind::l45::{Level45, Level45Config};
use rungs_mind::l48::{Bundle, Emit, Introspect, Observe, ObserveConfig, Orchestrator, Plan, Turn, Verify};
use rungs_mind::ladder::{Action, At, Ladder, Order};
use rungs_mind::report::{CycleFacts, CycleReport, FloorReport, REPORT_CYCLES};
use rungs_types::{Authority, CheckpointId, EventKind, Level};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Complexity and identity integrity at rest: room on both sides.
const REST: [f64; 2] = [0.25, 0.95];
/// Standard deviation of what disturbs them in a cycle.
const NOISE: f64 = 0.003;
const PLANTED_AT: u64 = 1_000;
const WITHIN: u64 = 200;
const BEFORE: u64 = 200;

/// How the dominant mode moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Away from rest.
    Real,
    /// To and fro.
    Alternating,
    /// Round and round, by 0.9 radians a cycle.
    Rotating,
}

/// All modes.
pub(crate) const MODES: [Mode; 3] = [Mode::Real, Mode::Alternating, Mode::Rotating];

fn jacobian(rho: f64, mode: Mode) -> [[f64; 2]; 2] {
    // Eigenvectors (1, 1) and (1, -1) for the two that are real.
    let with = |first: f64| {
        let (mean, half) = (0.5 * (first + 0.3), 0.5 * (first - 0.3));
        [[mean, half], [half, mean]]
    };
    match mode {
        Mode::Real => with(rho),
        Mode::Alternating => with(-rho),
        Mode::Rotating => {
            let (sin, cos) = 0.9_f64.sin_cos();
            [[rho * cos, -rho * sin], [rho * sin, rho * cos]]
        }
    }
}

/// L4.5, L4.8 and the ladder, on reports made by hand.
struct Levels {
    level45: Level45,
    orchestrator: Orchestrator,
    phases: (Observe, Introspect, Plan, Verify, Emit),
    ladder: Ladder,
    told: Vec<EventKind>,
    departure: [f64; 2],
    rng: Pcg64Mcg,
}

impl Levels {
    fn new(seed: u64) -> Self {
        let config = ObserveConfig {
            dimensions: 2,
            particles: 20,
            seed,
        };
        let groups: Arc<[u16]> = Arc::from([0, 1]);
        let phases = (
            Observe::new(config).expect("valid"),
            Introspect::new(Arc::clone(&groups)),
            Plan::new(seed),
            Verify::new(),
            Emit::new(),
        );
        let first = Bundle {
            checkpoint: CheckpointId(0),
            cycle: 0,
            observe: phases.0.state(),
            introspect: phases.1.state(),
            plan: phases.2.state(),
            verify: phases.3.state(),
            emit: phases.4.state(),
        };
        let mut levels = Self {
            level45: Level45::new(Level45Config { groups, seed }).expect("valid"),
            orchestrator: Orchestrator::new(first),
            phases,
            ladder: Ladder::new(Level::L48),
            told: Vec::new(),
            departure: [0.0; 2],
            rng: Pcg64Mcg::seed_from_u64(seed),
        };
        let (level, to, who) = (Level::L48, Authority::Full, "ada".to_owned());
        let actions = levels.ladder.on_order(&Order::Authority { level, to, who });
        levels.carry_out(actions.expect("accepted"), 0);
        levels
    }

    fn carry_out(&mut self, actions: Vec<Action>, cycle: u64) {
        for action in actions {
            if let Some(bundle) = self.orchestrator.obey(&action, cycle) {
                self.phases.0.revert(Arc::clone(&bundle.observe));
                self.phases.1.revert(Arc::clone(&bundle.introspect));
                self.phases.2.revert(Arc::clone(&bundle.plan));
                self.phases.3.revert(Arc::clone(&bundle.verify));
                self.phases.4.revert(Arc::clone(&bundle.emit));
            }
            if let Action::Emit(kind) = action {
                self.told.push(kind);
            }
        }
    }

    fn facts(&mut self, cycle: u64, jacobian: [[f64; 2]; 2]) -> CycleFacts {
        let before = self.departure;
        for (row, x) in jacobian.iter().zip(&mut self.departure) {
            let noise: f64 = StandardNormal.sample(&mut self.rng);
            *x = row[0] * before[0] + row[1] * before[1] + NOISE * noise;
        }
        let complexity = (REST[0] + self.departure[0]).clamp(0.0, 0.5);
        let integrity = (REST[1] + self.departure[1]).clamp(0.0, 1.0);
        self.departure = [complexity - REST[0], integrity - REST[1]];
        // |I| is 2 at the reference: value alignment departs by twice what integrity lacks. C_L4 is half of volatility.
        let shift = if cycle > 520 { 2.0 * (1.0 - integrity) } else { 0.0 };
        CycleFacts {
            cycle,
            identity: [0.9, 1.0 - shift, 0.8, 0.9, (4.0_f64 - 0.81 - 1.0 - 0.64 - 0.81).sqrt()],
            converged: true,
            volatility: [2.0 * complexity; 4],
            ethical_first_pass: true,
            confidence: 0.8,
            strategy_decisions: 1,
            ..CycleFacts::default()
        }
    }

    /// Ten cycles; gives the signs at their end.
    fn turn(&mut self, first: u64, jacobian: impl Fn(u64) -> [[f64; 2]; 2]) -> Vec<&'static str> {
        let mut report = CycleReport {
            dimensions: 2,
            groups: Arc::from([0, 1]),
            ..CycleReport::default()
        };
        let last = first + REPORT_CYCLES as u64 - 1;
        for cycle in first..=last {
            report.facts.push(self.facts(cycle, jacobian(cycle)));
            let value = if cycle % 2 == 0 { 1.0 } else { -1.0 };
            report.observations.extend([value; 2]);
            report.forecasts.extend([value - 1.4; 2]);
            report.forecast_sd.extend([1.75; 2]);
            report.forecast_half_width.extend([2.9; 2]);
        }
        let floor = Arc::new(self.level45.step(&report));
        self.told.clear();
        self.judge(Arc::new(report), Arc::clone(&floor), last);
        signs::of(&floor, None, self.told.iter())
    }

    fn judge(&mut self, report: Arc<CycleReport>, floor: Arc<FloorReport>, cycle: u64) {
        let requests = match self.orchestrator.on_report(report, floor) {
            Turn::Begin(mut baton) => {
                self.phases.0.carry(&mut baton, &Unlimited).expect("a good report");
                self.phases.1.carry(&mut baton).expect("in order");
                self.phases.2.carry(&mut baton, &Unlimited).expect("in order");
                self.phases.3.carry(&mut baton).expect("in order");
                self.phases.4.carry(&mut baton).expect("in order");
                self.orchestrator.on_baton(&baton)
            }
            Turn::Idle(requests) => requests,
            Turn::Busy => Vec::new(),
        };
        for request in requests {
            let actions = self.ladder.on_request(Level::L48, request, At { cycle, now_ms: 0 });
            self.carry_out(actions, cycle);
        }
    }
}

/// What `agents` agents show of a mode of this spectral radius.
pub(crate) fn detect(rho: f64, mode: Mode, agents: u64) -> Delays {
    let mut delays = Delays::default();
    for seed in 0..agents {
        let mut levels = Levels::new(seed);
        let planted_at = PLANTED_AT + seed % REPORT_CYCLES as u64;
        let (mut before, mut first) = (Vec::new(), BTreeMap::new());
        for start in (1..=PLANTED_AT + WITHIN).step_by(REPORT_CYCLES) {
            let signs = levels.turn(start, |cycle| match cycle > planted_at {
                true => jacobian(rho, mode),
                false => jacobian(0.7, mode),
            });
            let last = start + REPORT_CYCLES as u64 - 1;
            if last <= planted_at {
                if last + BEFORE > planted_at {
                    before.extend(signs);
                }
                continue;
            }
            for sign in signs {
                first.entry(sign).or_insert(last - planted_at);
            }
        }
        delays.agent(&before, first);
    }
    delays
}
