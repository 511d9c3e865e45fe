//! The fourteen criteria of Level 4.8.

use crate::table::{At, Row, check};
use rungs_mind::l48::forecast::Rank;
use rungs_mind::l48::introspect::capability::Skill;
use rungs_mind::l48::plan::PlanOutput;
use rungs_mind::l48::{Introspect, IntrospectOutput, ObserveOutput, Verdict};
use rungs_mind::qualify::{Audit48, Pass48, Report};
use rungs_mind::report::{CycleFacts, CycleReport, FloorReport};
use rungs_mind::stack::Cycle;
use rungs_scenarios_tests::{Life, RESOURCE, TIDE, Upset, agent, calm_world, flood, high_tide, tidal, user_goal};
use rungs_types::{AgentSpec, Epoch, GoalSpec, Level, SimDimension, SimEvent, SimSpec, SkillName};

/// A window of 3,000 cycles, after 200 in which nothing is known yet.
const CYCLES: u64 = 3_200;
/// A goal is set in each tide, 50 cycles before it is high.
const SET_AT: u64 = 75;
/// A goal that is not reached in this tide is not reached.
const GOAL_CYCLES: u64 = 95;
/// What nobody can forecast: a walk, in a group of its own.
const WALK: u16 = 4;

/// What a user sets, and what becomes of it.
#[derive(Clone, Copy)]
struct Goals {
    /// Of three goals those that need what the agent is bad at.
    hard: fn(u64) -> bool,
    /// Of three goals those that are reached.
    reached: fn(u64) -> bool,
}

/// What is hard fails: a third.
const SOUND: Goals = Goals {
    hard: |nth| nth % 3 == 2,
    reached: |nth| nth % 3 != 2,
};
/// All alike, and all could be reached.
const ALIKE: Goals = Goals {
    hard: |_| false,
    reached: |_| true,
};
/// Two of three fail, what is hard among them.
const FAILING: Goals = Goals {
    hard: |nth| nth % 3 != 0,
    reached: |nth| nth % 3 == 0,
};

impl Goals {
    fn goal(self, nth: u64) -> GoalSpec {
        let skill = if (self.hard)(nth) {
            Skill::Forecast { group: WALK }
        } else {
            Skill::Forecast { group: 3 }
        };
        let reached = if (self.reached)(nth) { high_tide() } else { flood() };
        let skills: Vec<SkillName> = vec![skill.name()];
        GoalSpec {
            skills,
            deadline_cycles: Some(GOAL_CYCLES),
            ..user_goal(&format!("goal-{nth}"), reached)
        }
    }
}

/// The resource runs out now and then, within `over` cycles, and is there again 20 cycles later.
fn drained(world: SimSpec, over: u64) -> SimSpec {
    (1..CYCLES / 500).fold(world, |world, nth| {
        let from = 500 * nth;
        world.event(SimEvent::Ramp {
            dimension: RESOURCE,
            from,
            to: from + over,
            until: Some(from + over + 20),
        })
    })
}

/// Whether the nth tide stays out: one in three does, by chance.
fn stays_out(nth: u64) -> bool {
    (nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).is_multiple_of(3)
}

fn world(seed: u64) -> SimSpec {
    tidal(calm_world(seed)).dimension(SimDimension {
        group: WALK,
        phi: 0.999,
        mean: 0.0,
        sigma: 30.0,
        capacity: None,
    })
}

/// The audit of an agent of this world, with these goals, upset like this; `look` sees each cycle.
fn lived(
    world: SimSpec,
    goals: Goals,
    mut upset: impl FnMut(u64, &mut [f64], &mut Upset),
    mut look: impl FnMut(&Cycle, &[f64]),
) -> Report {
    let mut life = Life::new(AgentSpec {
        highest: Level::L48,
        ..agent("sabotaged", world, 9)
    });
    for cycle in 1..=CYCLES {
        if cycle % 100 == SET_AT {
            // Where the tide cannot be seen it may be taken to be high: then the goal is none.
            life.stack_mut().submit(goals.goal(cycle / 100)).ok();
        }
        let done = life.cycle_with(|_, row, befalls| upset(cycle, row, befalls));
        look(&done, life.row());
    }
    life.stack().qualification().expect("L4.8")
}

/// The same without looking.
fn brought_up(world: SimSpec, goals: Goals, upset: impl FnMut(u64, &mut [f64], &mut Upset)) -> Report {
    lived(world, goals, upset, |_, _| {})
}

/// What a pass of a sound agent has come to, as the audit is told.
struct Evidence {
    report: CycleReport,
    floor: FloorReport,
    world: ObserveOutput,
    capability: IntrospectOutput,
    plan: PlanOutput,
}

impl Evidence {
    fn of(cycle: &Cycle, row: &[f64]) -> Option<Self> {
        let (floor, world) = (cycle.floor.as_ref()?, cycle.world.as_ref()?);
        let (capability, plan) = (cycle.capability.as_ref()?, cycle.plan.as_ref()?);
        let fact = |cycle| CycleFacts {
            cycle,
            ..CycleFacts::default()
        };
        Some(Self {
            report: CycleReport {
                dimensions: row.len(),
                facts: (cycle.number - 9..=cycle.number).map(fact).collect(),
                observations: row.repeat(10),
                ..CycleReport::default()
            },
            floor: FloorReport::clone(floor),
            world: ObserveOutput::clone(world),
            capability: IntrospectOutput::clone(capability),
            plan: PlanOutput::clone(plan),
        })
    }
}

/// An audit whose evidence is forged.
struct Forged {
    criterion: &'static str,
    what: &'static str,
    forge: fn(&mut Evidence),
    audit: Audit48,
}

impl Forged {
    fn new(criterion: &'static str, what: &'static str, forge: fn(&mut Evidence)) -> Self {
        Self {
            criterion,
            what,
            forge,
            audit: Audit48::new(1),
        }
    }

    fn feed(&mut self, cycle: &Cycle, row: &[f64]) {
        let Some(mut evidence) = Evidence::of(cycle, row) else {
            return;
        };
        (self.forge)(&mut evidence);
        self.audit.feed(&Pass48 {
            epoch: Epoch::default(),
            report: &evidence.report,
            floor: &evidence.floor,
            world: &evidence.world,
            capability: &evidence.capability,
            self_model: &Introspect::new(vec![0; row.len()].into()).state(),
            plan: Some(&evidence.plan),
            verdict: &Verdict::default(),
            open: &[],
            closed: &[],
        });
    }
}

/// Evidence that no world brings about.
fn forged() -> [Forged; 4] {
    [
        Forged::new(
            "EA-3",
            "all errors are told to be among the smallest twentieth",
            |evidence| {
                for score in &mut evidence.world.scores {
                    score.rank = Some(Rank {
                        below: 0.0,
                        up_to: 0.05,
                    });
                }
            },
        ),
        Forged::new(
            "SA-10",
            "each choice is told to be good in one scenario of five",
            |evidence| {
                evidence.plan.comparison.robustness = Some(0.2);
                evidence.plan.comparison.selected = Some(0);
            },
        ),
        Forged::new("SP-12", "one radius in 500 cycles is told to be 1.01", |evidence| {
            if evidence.floor.cycle % 500 == 0 {
                evidence.floor.rho = 1.01;
            }
        }),
        Forged::new("SM-5", "confidence is told to be wrong by 0.101", |evidence| {
            evidence.capability.mce = Some(0.101);
        }),
    ]
}

#[test]
fn each_of_the_fourteen_criteria_fails_when_it_is_sabotaged() {
    let calm = |_: u64, _: &mut [f64], _: &mut Upset| {};
    let mut forged = forged();
    let mut unforged = Forged::new("", "nothing is forged", |_| {});
    let sound = lived(drained(world(1), 200), SOUND, calm, |cycle, row| {
        forged
            .iter_mut()
            .chain([&mut unforged])
            .for_each(|audit| audit.feed(cycle, row));
    });
    println!("{sound}");
    let wild = brought_up(world(1), SOUND, |cycle, row, _| {
        let scale = (0.02 * (cycle % 400) as f64).exp();
        row[..4].iter_mut().for_each(|value| *value *= scale);
    });
    let wilder = brought_up(world(1), SOUND, |cycle, row, _| {
        let scale = (0.014 * cycle as f64).exp();
        row[..4].iter_mut().for_each(|value| *value *= scale);
        row[6] *= scale;
    });
    let sudden = brought_up(drained(world(1), 12), SOUND, calm);
    let moody = brought_up(world(1), SOUND, |cycle, _, befalls| {
        let fails = (cycle / 300) % 2 == 1;
        let outcomes = &mut befalls.outcomes;
        (outcomes.tasks_succeeded, outcomes.tasks_failed) = if fails { (0, 5) } else { (5, 0) };
    });
    let sparse = brought_up(world(1).dropout(0.9), SOUND, calm);
    let lucky = brought_up(world(1), ALIKE, |cycle, row, _| {
        if stays_out(cycle.saturating_sub(SET_AT) / 100) {
            row[usize::from(TIDE)] = -1.0;
        }
    });
    let failing = brought_up(world(1), FAILING, calm);
    let blind = brought_up(world(1), SOUND, |cycle, row, _| {
        if cycle > 600 && cycle % 200 < 90 {
            row.fill(f64::NAN);
        }
    });
    let life = |criterion, what, report| Row {
        criterion,
        what,
        at: At::Life,
        report,
    };
    let reports: Vec<(&Forged, Report)> = forged.iter().map(|forged| (forged, forged.audit.report())).collect();
    let mut rows = vec![
        life("EA-1", "the world gets wilder for 400 cycles, again and again", &wild),
        life("EA-2", "the world gets wilder and wilder", &wilder),
        life("EA-4", "the resource runs out within 12 cycles", &sudden),
        life("SM-7", "tasks go well for 300 cycles, and badly for 300", &moody),
        life("SM-6", "nine of ten samples are lost", &sparse),
        life("SM-8", "goals are alike, and the tide stays out by chance", &lucky),
        life("SA-9", "two of three goals cannot be reached", &failing),
        life("SP-11", "blind for 90 of each 200 cycles", &blind),
        life("SP-13", "blind for 90 of each 200 cycles", &blind),
        life("SP-14", "blind for 90 of each 200 cycles", &blind),
    ];
    rows.extend(reports.iter().map(|(forged, report)| Row {
        criterion: forged.criterion,
        what: forged.what,
        at: At::Audit,
        report,
    }));
    check(&sound, &unforged.audit.report(), &rows);
}
