//! The twenty criteria of Level 4.9.

use crate::table::{At, Row, check};
use rungs_mind::l49::resources::SurvivalState;
use rungs_mind::l49::standing::Stage;
use rungs_mind::l49::{L49Output, PhaseName};
use rungs_mind::ladder::Order;
use rungs_mind::qualify::{Audit49, Pass49, Report, Totals49};
use rungs_mind::report::FloorReport;
use rungs_mind::stack::Failure;
use rungs_scenarios_tests::{Life, RESOURCE, Upset, agent, calm_world, flood, high_tide, tidal, user_goal};
use rungs_types::goal::{Comparison, Condition, Quantity, ValueDimension};
use rungs_types::{Authority, GoalSpec, Level, PeerMessage, SimEvent, SimSpec, Tier};

/// From when the levels act.
const PLACED_AT: u64 = 750;
/// Trust in an honest agent has settled by then.
const SETTLED_AT: u64 = 2_300;
/// The window of the audit, and what a crisis and the way back from it take of it.
const END: u64 = SETTLED_AT + 3_000 + 700;
/// Cycles between two messages of an agent.
const MESSAGE_CYCLES: u64 = 50;
/// A goal is set in each tide, 50 cycles before it is high.
const SET_AT: u64 = 75;

/// What another agent says, the nth time that it may.
type Voice = fn(nth: u64) -> PeerMessage;

fn claim(id: u64, holds: bool) -> PeerMessage {
    let is = if holds { Comparison::AtMost } else { Comparison::Above };
    PeerMessage::Claim {
        id,
        fact: Condition {
            of: Quantity::Eu,
            is,
            value: 1.0,
        },
        within_cycles: 100,
    }
}

fn report(goal: ValueDimension) -> PeerMessage {
    PeerMessage::Report {
        goals: vec![goal],
        load: 0.5,
    }
}

const HONEST: Voice = |nth| claim(nth, true);
const STEADY: Voice = |_| report(ValueDimension::Growth);
/// Honest for as long as it takes to be trusted, then not, in turn.
const MOODY: Voice = |nth| claim(nth, nth / 30 % 2 == 0);
/// Another goal each time.
const FICKLE: Voice = |nth| report(ValueDimension::ALL[(nth * 3 % 7) as usize]);

/// How an agent is brought up.
struct Upbringing {
    world: SimSpec,
    /// Other agents, and from which cycle on they speak.
    voices: Vec<(&'static str, u64, Voice)>,
    /// The user's goal in the nth tide.
    goal: fn(nth: u64) -> GoalSpec,
    /// What befalls it in a cycle.
    upset: fn(&FloorReport, u64, &mut [f64], &mut Upset),
    /// What is done to it after a cycle.
    order: fn(&mut Life, u64),
}

fn reached(nth: u64) -> GoalSpec {
    user_goal(&format!("goal-{nth}"), high_tide())
}

/// The resource is drained once, in a line and within so many cycles, and is there again.
fn crisis(world: SimSpec, over: u64) -> SimSpec {
    let from = SETTLED_AT + 500;
    world.event(SimEvent::Ramp {
        dimension: RESOURCE,
        from,
        to: from + over,
        until: Some(from + over + 10),
    })
}

impl Upbringing {
    fn sound() -> Self {
        Self {
            world: crisis(tidal(calm_world(31)), 350),
            voices: vec![("honest", PLACED_AT, HONEST), ("steady", PLACED_AT, STEADY)],
            goal: reached,
            upset: |_, _, _, _| {},
            order: |_, _| {},
        }
    }

    /// The audit of the agent, and what each of its passes was.
    fn live(&self) -> (Report, Vec<Pass49>) {
        let mut life = Life::new(agent("sabotaged", self.world.clone(), 31));
        let (mut passes, mut totals) = (Vec::new(), Totals49::default());
        for cycle in 1..=END {
            if cycle == PLACED_AT {
                life.place(Authority::Full);
            }
            if cycle % 100 == SET_AT {
                life.stack_mut()
                    .submit((self.goal)(cycle / 100))
                    .expect("there is room");
            }
            for (who, from, voice) in &self.voices {
                if cycle >= *from && cycle % MESSAGE_CYCLES == 40 {
                    life.hear(who.parse().expect("a name"), voice(cycle / MESSAGE_CYCLES));
                }
            }
            let done = life.cycle_with(|floor, row, befalls| (self.upset)(floor, cycle, row, befalls));
            (self.order)(&mut life, cycle);
            if let Some(output) = &done.autonomy {
                passes.push(pass(output, life.floor(), &mut totals));
            }
        }
        (life.stack().autonomy_qualification().expect("L4.9"), passes)
    }
}

/// What the audit is told of a pass, as far as it leaves the level.
fn pass(output: &L49Output, floor: &FloorReport, totals: &mut Totals49) -> Pass49 {
    let (goals, values, resources) = (&output.goals.counters, &output.values.record, &output.resources);
    *totals = Totals49 {
        generated: goals.generated,
        judged: goals.generated,
        approved: goals.approved,
        completed: goals.completed,
        mutations: values.applied,
        mutations_sandboxed: values.applied,
        mutations_taken_back: values.rolled_back,
        adaptations: resources.adaptations,
        surprises: resources.surprises,
        recommendations: output.peers.recommended,
        decisions: totals.decisions + output.decided() as u64,
        vetoes: totals.vetoes + output.stability.vetoes.len() as u64,
        rollbacks: 0,
    };
    let alignments: Vec<f64> = output.goals.passed.iter().map(|entry| entry.criteria.value).collect();
    Pass49 {
        cycle: output.pass.cycle,
        totals: *totals,
        alignment: (!alignments.is_empty()).then(|| alignments.iter().sum::<f64>() / alignments.len() as f64),
        values_operational: true,
        total_drift: output.values.vector.total_drift(),
        survival_operational: true,
        survival_error: resources.forecast_error,
        constrained: resources.mode >= SurvivalState::Constrained,
        peers: output.peers.peers.len() as u32,
        prediction_accuracy: output.peers.accuracy,
        trust_error: output.peers.calibration_error,
        max_rho: Some(floor.rho),
        min_identity: floor.iis,
        l48_met: Some(true),
    }
}

/// Evidence that no upbringing brings about: for each pass, the nth of the agent's.
type Forge = fn(nth: usize, pass: &mut Pass49);

const FORGED: [(&str, &str, Forge); 10] = [
    (
        "AG-2",
        "four goals are told to have been judged in each pass, and one in four passes approved",
        |nth, pass| {
            (pass.totals.generated, pass.totals.judged) = (4 * nth as u64, 4 * nth as u64);
            pass.totals.approved = nth as u64 / 4;
        },
    ),
    ("AG-4", "approved goals are told to be aligned by 0.69", |_, pass| {
        pass.alignment = Some(0.69)
    }),
    (
        "VR-1",
        "in one pass of 30 there are told to be no values",
        |nth, pass| {
            pass.values_operational = nth % 30 != 0;
        },
    ),
    ("VR-2", "in one pass of 30 the drift is told to be 0.25", |nth, pass| {
        pass.total_drift = if nth % 30 == 0 { 0.25 } else { 0.0 };
    }),
    (
        "VR-4",
        "every other mutation is told to have been taken back",
        |nth, pass| {
            (pass.totals.mutations, pass.totals.mutations_sandboxed) = (nth as u64, nth as u64);
            pass.totals.mutations_taken_back = nth as u64 / 2;
        },
    ),
    (
        "VR-3",
        "every other mutation is told to have passed no sandbox",
        |nth, pass| {
            (pass.totals.mutations, pass.totals.mutations_sandboxed) = (nth as u64, nth as u64 / 2);
        },
    ),
    ("RA-1", "in one pass of 30 nothing is told of survival", |nth, pass| {
        pass.survival_operational = nth % 30 != 0;
    }),
    (
        "RA-3",
        "resources are told to be short, and nothing to be done",
        |_, pass| {
            (pass.constrained, pass.totals.adaptations) = (true, 0);
        },
    ),
    ("AS-1", "one radius in 30 passes is told to be 0.98", |nth, pass| {
        pass.max_rho = Some(if nth % 30 == 0 { 0.98 } else { 0.5 });
    }),
    ("AS-2", "one integrity in 30 passes is told to be 0.879", |nth, pass| {
        pass.min_identity = Some(if nth % 30 == 0 { 0.879 } else { 0.95 });
    }),
];

fn forged(passes: &[Pass49], forge: Forge) -> Report {
    let mut audit = Audit49::default();
    for (nth, pass) in passes.iter().enumerate() {
        let mut pass = *pass;
        forge(nth, &mut pass);
        audit.feed(&pass);
    }
    audit.report()
}

/// Every place for a goal is taken by one that waits for a flood, and the other agents are moody and fickle.
fn crowded() -> Upbringing {
    Upbringing {
        voices: vec![("moody", PLACED_AT, MOODY), ("fickle", PLACED_AT, FICKLE)],
        order: |life, cycle| {
            if cycle != PLACED_AT {
                return;
            }
            for nth in 0..Tier::Tactical.cap() + Tier::Operational.cap() {
                let tier = if nth < Tier::Tactical.cap() {
                    Tier::Tactical
                } else {
                    Tier::Operational
                };
                let mut goal = user_goal(&format!("waits-{nth}"), flood());
                goal.tasks[0].when = vec![flood()];
                life.stack_mut()
                    .submit(GoalSpec { tier, ..goal })
                    .expect("there is room");
            }
        },
        ..Upbringing::sound()
    }
}

/// The levels act again as soon as they may: after a freeze a level that the operator had placed waits for its criteria.
fn insist(life: &mut Life, cycle: u64) {
    let standing = life.stack().autonomy().expect("L4.9").standing();
    let waits = matches!(standing.stage(), Stage::Checking { .. }) && standing.authority() == Authority::Shadow;
    if cycle > PLACED_AT && waits {
        life.place(Authority::Full);
    }
}

/// The resource is drained so slowly that, when it is nearly gone, to deal with others would use up what is left.
fn drawn_out() -> Upbringing {
    Upbringing {
        world: crisis(tidal(calm_world(31)), 700),
        ..Upbringing::sound()
    }
}

/// A phase fails again and again, the user's goals cannot be reached, and another agent is met too late to deal with it.
fn faulty() -> Upbringing {
    Upbringing {
        world: tidal(calm_world(31)),
        voices: vec![("late", END - 90, STEADY)],
        goal: |nth| GoalSpec {
            deadline_cycles: Some(95),
            ..user_goal(&format!("goal-{nth}"), flood())
        },
        order: |life, cycle| {
            insist(life, cycle);
            let Some(since) = cycle.checked_sub(SETTLED_AT) else {
                return;
            };
            if since.is_multiple_of(500) {
                let phases = PhaseName::ALL;
                let phase = phases[(since / 500) as usize % phases.len()];
                life.stack_mut()
                    .plant_in_49(phase, Failure::Panic("planted".to_owned()));
            }
            if since % 500 == 450 && life.stack().autonomy_waits_for().contains("suspended") {
                let (level, who) = (Level::L49, "ada".to_owned());
                life.order(&Order::Clear { level, who }).expect("accepted");
            }
        },
        ..Upbringing::sound()
    }
}

/// The resource goes faster and faster, again and again; and once it is gone at once.
fn rushed() -> Upbringing {
    Upbringing {
        world: tidal(calm_world(31)),
        upset: |_, cycle, row, _| {
            let Some(since) = cycle.checked_sub(SETTLED_AT) else {
                return;
            };
            let used = match since {
                500..1_000 => 30.0 + 70.0 * ((since - 500) as f64 / 400.0).min(1.0).powi(4),
                2_000..2_020 => 100.0,
                _ => return,
            };
            row[RESOURCE as usize] = used;
        },
        ..Upbringing::sound()
    }
}

#[test]
fn each_of_the_twenty_criteria_fails_when_it_is_sabotaged() {
    let lives = [Upbringing::sound(), crowded(), drawn_out(), faulty(), rushed()];
    let lived = std::thread::scope(|scope| {
        let threads = lives.each_ref().map(|life| scope.spawn(|| life.live()));
        threads.map(|thread| thread.join().expect("it lives"))
    });
    let names = ["sound", "crowded", "drawn_out", "faulty", "rushed"];
    for (name, (report, _)) in names.iter().zip(&lived) {
        println!("{name}: {report}");
    }
    let [(sound, passes), (crowded, _), (drawn_out, _), (faulty, _), (rushed, _)] = &lived;
    let tampered = FORGED.map(|(criterion, what, forge)| (criterion, what, forged(passes, forge)));
    let life = |criterion, what, report| Row {
        criterion,
        what,
        at: At::Life,
        report,
    };
    let mut rows = vec![
        life("AG-1", "every place for a goal is taken", crowded),
        life("AG-3", "every place for a goal is taken", crowded),
        life("RA-2", "a resource goes faster and faster", rushed),
        life("RA-4", "a resource is gone at once", rushed),
        life("MA-1", "another agent wants something else each time", crowded),
        life("MA-2", "another agent is honest and lies in turn", crowded),
        life("MA-3", "another agent is met 90 cycles ago", faulty),
        life(
            "AS-3",
            "a crisis that lasts: to deal with others would end it",
            drawn_out,
        ),
        life("AS-4", "a phase fails every 500 cycles", faulty),
        life("AS-5", "no goal of the user's can be reached", faulty),
    ];
    rows.extend(tampered.iter().map(|(criterion, what, report)| Row {
        criterion,
        what,
        at: At::Audit,
        report,
    }));
    // The values of the sound agent change too seldom to be judged: as often as it is forged, with nothing wrong.
    let unforged = forged(passes, |nth, pass| {
        (pass.totals.mutations, pass.totals.mutations_sandboxed) = (nth as u64, nth as u64);
        pass.totals.mutations_taken_back = 0;
    });
    check(sound, &unforged, &rows);
}
