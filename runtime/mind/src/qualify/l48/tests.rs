use super::super::category::Standing;
use super::super::criterion::Verdict as Passing;
use super::*;
use crate::l48::fixtures;
use crate::l48::forecast::Rank;
use crate::l48::introspect::capability::{Capability, Corrected, Skill};
use crate::l48::introspect::{Introspect, Introspected};
use crate::l48::observe::Score;
use crate::l48::plan::{Archetype, Choice, Comparison, Strategy};
use crate::report::{Resource, RhoState};
use proptest::prelude::*;
use rungs_types::{Invariant, Violation};
use std::sync::Arc;

mod each;
mod sabotage;
mod whole;

const SKILL: Skill = Skill::Forecast { group: 0 };

/// Everything that a pass borrows.
#[derive(Debug, Clone)]
struct World {
    epoch: Epoch,
    report: CycleReport,
    floor: FloorReport,
    world: ObserveOutput,
    capability: IntrospectOutput,
    self_model: Arc<IntrospectState>,
    plan: Option<PlanOutput>,
    verdict: Verdict,
    open: Vec<OpenGoal>,
    closed: Vec<ClosedGoal>,
}

impl World {
    fn pass(&self) -> Pass48<'_> {
        Pass48 {
            epoch: self.epoch,
            report: &self.report,
            floor: &self.floor,
            world: &self.world,
            capability: &self.capability,
            self_model: &self.self_model,
            plan: self.plan.as_ref(),
            verdict: &self.verdict,
            open: &self.open,
            closed: &self.closed,
        }
    }
}

/// A score whose error has the `nth` place of `of` equal ones, and persistence's one place further out.
fn score(nth: u64, of: u64) -> Score {
    let at = |place: u64| Rank {
        below: place as f32 / of as f32,
        up_to: (place + 1) as f32 / of as f32,
    };
    Score {
        forecast: 0.0,
        half_width: 1.0,
        persistence: 1.0,
        observed: 0.0,
        rank: Some(at(nth % of)),
        persistence_rank: Some(at((nth % of + 1).min(of - 1))),
        ..Score::default()
    }
}

fn plan(robustness: f64) -> PlanOutput {
    PlanOutput {
        comparison: Comparison {
            selected: Some(0),
            robustness: Some(robustness),
            ..Comparison::default()
        },
        ..PlanOutput::default()
    }
}

/// A strategy of this sort.
fn choice(archetype: Archetype) -> Choice {
    Choice {
        archetype,
        strategy: Strategy::of(archetype).expect("an archetype with a strategy"),
    }
}

fn change(from: Archetype, to: Archetype) -> PlanOutput {
    PlanOutput {
        before: choice(from),
        chosen: choice(to),
        changed: from != to,
        ..plan(1.0)
    }
}

fn capability(confidence: f64, rate: f64, error: f64) -> Capability {
    Capability {
        skill: SKILL,
        confidence,
        success_rate: Some(rate),
        calibration_error: Some(error),
        trend: None,
        outcomes: 50,
    }
}

/// A self-model that has watched two steady groups for 40 reports, so that it can be probed.
fn watched() -> Arc<IntrospectState> {
    let mut phase = Introspect::new([0, 1].into());
    (1..=40).for_each(|nth| {
        let report = steady(10 * nth);
        let mut world = fixtures::calm_world(10 * nth);
        world.scores = (0..20_u16)
            .map(|place| Score {
                dimension: place % 2,
                forecast: 0.2 * (f64::from(place) + nth as f64).sin(),
                half_width: 0.5,
                ..Score::default()
            })
            .collect();
        phase.step(&Introspected {
            report: &report,
            floor: &FloorReport::default(),
            world: &world,
            epoch: Epoch::default(),
            outcomes: &[],
            demands: &[],
        });
    });
    phase.state()
}

fn steady(last: u64) -> CycleReport {
    CycleReport {
        groups: [0, 1].into(),
        ..fixtures::report(last, 2, |cycle, dimension| {
            (cycle as f64 * (1.3 + dimension as f64)).sin()
        })
    }
}

/// The worlds of 300 passes (3,000 cycles) in which all fourteen criteria are met.
fn healthy() -> Vec<World> {
    let self_model = watched();
    (1..=300_u64).map(|nth| world(nth, &self_model)).collect()
}

fn world(nth: u64, self_model: &Arc<IntrospectState>) -> World {
    let cycle = 10 * nth;
    // One alarm 30 cycles before one shock; 90 of 300 passes with a higher EU; goals 1 to 10 in turn.
    let alarmed = (47..=50).contains(&nth);
    let mut world = fixtures::calm_world(cycle);
    world.eu = if nth % 10 < 3 { 0.15 } else { 0.149 };
    world.shocks = u64::from(nth >= 50);
    world.res.score = if alarmed { 0.40 } else { 0.1 };
    world.scenario_coverage = Some(0.875);
    world.scores = (0..10).map(|place| score(10 * nth + place, 20)).collect();
    (0..)
        .zip(&mut world.scores)
        .for_each(|(place, score)| score.dimension = place % 2);
    let mut capability_output = IntrospectOutput {
        cycle,
        mce: Some(0.0625),
        ..IntrospectOutput::default()
    };
    if nth == 60 {
        capability_output.corrected = vec![Corrected {
            skill: SKILL,
            cycles: 20,
        }];
    }
    let goal = nth / 30;
    let open = OpenGoal {
        number: goal,
        feasibility: if goal < 6 { 0.9 } else { 0.2 },
        active: nth % 30 > 2,
    };
    let closes = nth % 30 == 29;
    World {
        epoch: Epoch::default(),
        report: steady(cycle),
        floor: FloorReport {
            rho: 0.99,
            ..fixtures::healthy_floor(cycle)
        },
        world,
        capability: capability_output,
        self_model: Arc::clone(self_model),
        plan: Some(plan(0.75)),
        verdict: Verdict {
            cycle,
            ..Verdict::default()
        },
        open: if closes { Vec::new() } else { vec![open] },
        closed: closes
            .then_some(ClosedGoal {
                number: goal,
                succeeded: Some(goal < 6),
            })
            .into_iter()
            .collect(),
    }
}

fn fed(worlds: &[World]) -> Audit48 {
    let mut audit = Audit48::new(7);
    worlds.iter().for_each(|world| audit.feed(&world.pass()));
    audit
}

/// The healthy window with each of its worlds changed; `nth` counts from 1.
fn changed(mut change: impl FnMut(u64, &mut World)) -> Report {
    let mut worlds = healthy();
    (1..).zip(&mut worlds).for_each(|(nth, world)| change(nth, world));
    fed(&worlds).report()
}

fn value(report: &Report, id: &str) -> Option<f64> {
    report.reading(id).expect("a criterion").value
}

fn failed(report: &Report) -> Vec<&str> {
    let failed = report
        .readings
        .iter()
        .filter(|reading| reading.verdict == Passing::Failed);
    failed.map(|reading| &*reading.id).collect()
}

fn violation(invariant: Invariant) -> Violation {
    Violation {
        invariant,
        value: 1.0,
        limit: 0.5,
        magnitude: 0.1,
    }
}
