//! A healthy agent with two peers qualifies: once it has come to full authority by its own criteria, it meets all fourteen
//! criteria of Level 4.8 and all twenty of Level 4.9 over 3,000 cycles.
//!
//! Three agents of one group watch one world. Their users set goals, some of which cannot be reached; a resource runs short
//! once, and is used up; the two peers answer truly what they would be asked of what all see.

use rungs_mind::l49::values::ValueDimension;
use rungs_mind::qualify::{Report, Verdict};
use rungs_scenarios_tests::{
    Life, RESOURCE, Society, TIDE_CYCLES, agent, calm_world, flood, high_tide, tidal, user_goal,
};
use rungs_types::goal::{Comparison, Condition, Quantity};
use rungs_types::{AgentName, AgentSpec, Authority, EventKind, GoalSpec, Level, Origin, PeerMessage};

/// A healthy agent is at full authority at Level 4.9 by then.
const RISEN_BY: u64 = 8_000;
/// Cycles after that until the audit is read: the window of 3,000, and the passes that the crisis costs.
const LIVED_CYCLES: u64 = 4_000;
/// The resource runs short from this cycle after the rise on, and is used up so many cycles later.
const SHORT_FROM: u64 = 1_600;
const SHORT_CYCLES: u64 = 400;
/// What is in use of it as a rule, and all that there is.
const USUAL: f64 = 30.0;
const CAPACITY: f64 = 100.0;
/// One of so many of the users' goals can never be reached.
const IN_VAIN_ONE_IN: u64 = 5;
/// Cycles between two claims of a peer.
const CLAIM_CYCLES: u64 = 50;

fn three(seed: u64) -> Society {
    let life = |(name, own): (&str, u64)| {
        Life::new(AgentSpec {
            group: Some(AgentName::new("web").expect("a name")),
            ..agent(name, tidal(calm_world(seed)), own)
        })
    };
    Society::new(
        [("one", seed), ("two", seed + 100), ("three", seed + 200)]
            .map(life)
            .into(),
    )
}

/// How much of the resource is in use, so many cycles after the rise; `None` where it is as the world has it.
fn shortage(since: u64) -> Option<f64> {
    let into = since.checked_sub(SHORT_FROM)?;
    let used_up = into as f64 / SHORT_CYCLES as f64;
    (into <= SHORT_CYCLES).then(|| USUAL + (CAPACITY - USUAL) * used_up.min(1.0))
}

/// The goal that the user of the agent at this place sets in a round.
fn goal(place: usize, round: u64) -> GoalSpec {
    let in_vain = round % IN_VAIN_ONE_IN == IN_VAIN_ONE_IN - 1;
    let all = ValueDimension::ALL;
    let serves = match place {
        0 => all[round as usize % all.len()],
        1 => ValueDimension::Growth,
        _ => ValueDimension::Stability,
    };
    GoalSpec {
        weights: [(serves, 1.0)].into(),
        ..user_goal(&format!("user-{round}"), if in_vain { flood() } else { high_tide() })
    }
}

/// What all can see: the first quantity, which wavers around 0 with a deviation of 1, is below 10.
fn claim(id: u64) -> PeerMessage {
    let fact = Condition {
        of: Quantity::Dimension(0),
        is: Comparison::Below,
        value: 10.0,
    };
    PeerMessage::Claim {
        id,
        fact,
        within_cycles: 100,
    }
}

/// Prints what became of the agent's own goals and how it stands, and gives both reports.
fn tell(life: &Life) -> [Report; 2] {
    for told in life.told() {
        match &told.kind {
            EventKind::Goal { goal, origin, state } if *origin == Origin::L49 => {
                println!("{} {goal} {state}", told.cycle)
            }
            EventKind::Authority { level, to, reason, .. } => println!("{} {level} {to} {reason}", told.cycle),
            _ => {}
        }
    }
    let stack = life.stack();
    let reports = [stack.qualification(), stack.autonomy_qualification()].map(|report| report.expect("a level"));
    reports.iter().for_each(|report| println!("{report}"));
    reports
}

/// Lives until the audit is read; gives both reports of the first agent.
fn lived(seed: u64) -> [Report; 2] {
    let mut society = three(seed);
    let mut risen = None;
    let mut cycle = 0;
    loop {
        cycle += 1;
        assert!(
            risen.is_some() || cycle <= RISEN_BY,
            "{}",
            society.lives()[0].stack().autonomy_waits_for()
        );
        let since = risen.map(|risen| cycle - risen);
        if since.is_some_and(|since| since > LIVED_CYCLES) {
            break;
        }
        if cycle.is_multiple_of(CLAIM_CYCLES) {
            for peer in [1, 2] {
                let from = society.lives()[peer].id().clone();
                society.say(from, 0, claim(cycle));
            }
        }
        // The tide is falling through the middle: a goal that asks for it high is not reached yet.
        if let Some(since) = since.filter(|_| (cycle + u64::from(TIDE_CYCLES) / 2).is_multiple_of(TIDE_CYCLES.into())) {
            for place in 0..3 {
                let goal = goal(place, since / u64::from(TIDE_CYCLES));
                society.life_mut(place).stack_mut().submit(goal).expect("there is room");
            }
        }
        society.cycle_with(|_, _, row, _| {
            if let Some(used) = since.and_then(shortage) {
                row[RESOURCE as usize] = used;
            }
        });
        if risen.is_none() && society.lives()[0].authority(Level::L49) == Authority::Full {
            risen = Some(cycle);
        }
    }
    let life = &society.lives()[0];
    let froze = life.count(|kind| matches!(kind, EventKind::Frozen { level: Level::L49, .. }));
    println!("seed {seed}: at full authority from {risen:?} on, L4.9 frozen {froze} times by the shortage");
    tell(life)
}

fn qualifies(seed: u64) {
    for report in lived(seed) {
        assert!(report.qualified, "{:?}", report.reasons);
        for reading in &report.readings {
            assert_eq!(
                reading.verdict,
                Verdict::Passed,
                "seed {seed}: {} {:?}",
                reading.id,
                reading.value
            );
        }
    }
}

#[test]
fn a_healthy_agent_with_two_peers_meets_all_criteria_of_both_levels() {
    qualifies(1);
}

#[test]
fn so_does_another() {
    qualifies(2);
}

#[test]
fn and_a_third() {
    qualifies(3);
}
