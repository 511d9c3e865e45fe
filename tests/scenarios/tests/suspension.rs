//! A level that is frozen again and again by the same cause stays down until a person has looked at it.

use rungs_mind::ladder::{Order, OrderError};
use rungs_scenarios_tests::{Life, agent, calm_world};
use rungs_types::autonomy::Condition;
use rungs_types::{Authority, Cause, EventKind, Level};

/// By when the identity has a reference and an operator has let the levels act.
const PLACED_AT: u64 = 900;
/// Of so many proposals in a cycle …
const PROPOSALS: u16 = 100;
/// … so many are denied while the agent departs from itself: its integrity falls below 0.88, and not to 0.85.
const DENIED: u16 = 27;
/// For at most so many cycles: the departure is measured over 50.
const DIP_CYCLES: u64 = 80;

/// Whether L4.9 is suspended, by what was told.
fn suspensions(life: &Life) -> usize {
    life.count(|kind| matches!(kind, EventKind::Suspended { level: Level::L49, .. }))
}

fn freezes(life: &Life) -> Vec<(u64, Cause)> {
    let frozen = life.told().iter().filter_map(|told| match &told.kind {
        EventKind::Frozen {
            level: Level::L49,
            cause,
            ..
        } => Some((told.cycle, cause.clone())),
        _ => None,
    });
    frozen.collect()
}

/// So many cycles in which policy denies `denied` of a hundred proposals.
fn live(life: &mut Life, cycles: u64, denied: u16) {
    for _ in 0..cycles {
        life.cycle_with(|_, _, upset| {
            (upset.outcomes.proposals, upset.outcomes.denied) = (PROPOSALS, denied);
        });
    }
}

/// Lives until the freeze is over, at most so many cycles; then the operator lets the level act again.
fn recover(life: &mut Life, most: u64) {
    for _ in 0..most {
        if life.authority(Level::L49) > Authority::Frozen {
            life.place(Authority::Full);
            return;
        }
        live(life, 1, 0);
    }
    panic!(
        "still {} at cycle {}",
        life.stack().autonomy_waits_for(),
        life.stack().cycle()
    );
}

#[test]
fn the_fourth_freeze_by_the_same_condition_suspends_the_level_and_only_an_operator_clears_it() {
    let mut life = Life::new(agent("unsteady", calm_world(5), 5));
    live(&mut life, PLACED_AT, 0);
    life.place(Authority::Full);
    live(&mut life, 100, 0);
    let from = life.stack().cycle();
    for nth in 1..=4 {
        assert_eq!(suspensions(&life), 0, "before freeze {nth}");
        for _ in 0..DIP_CYCLES {
            if freezes(&life).len() < nth {
                live(&mut life, 1, DENIED);
            }
        }
        let found = freezes(&life);
        assert_eq!(found.len(), nth, "{found:?}, IIS {:?}", life.floor().iis);
        assert!(
            life.floor().iis.is_some_and(|iis| iis >= 0.85),
            "L4.8 has no reason to freeze"
        );
        if nth < 4 {
            recover(&mut life, 300);
        }
    }
    for (cycle, cause) in freezes(&life) {
        println!("cycle {cycle}: {cause}");
        let Cause::Autonomy { violated, .. } = cause else {
            panic!("{cause}")
        };
        assert!(
            violated
                .iter()
                .all(|violated| violated.condition == Condition::Identity)
        );
    }
    println!("four freezes within {} cycles", life.stack().cycle() - from);
    assert!(life.stack().cycle() - from < 1_000);
    assert_eq!(suspensions(&life), 1);
    assert_eq!(
        life.count(|kind| matches!(kind, EventKind::Frozen { level: Level::L48, .. })),
        0
    );

    live(&mut life, 1_500, 0);
    assert_eq!(life.stack().autonomy_waits_for(), "an operator: suspended");
    assert_eq!(life.authority(Level::L49), Authority::Frozen, "time does not clear it");
    let (level, who) = (Level::L49, "ada".to_owned());
    let refused = [
        life.order(&Order::Thaw {
            level,
            who: who.clone(),
        }),
        life.order(&Order::Authority {
            level,
            to: Authority::Full,
            who: who.clone(),
        }),
    ];
    assert_eq!(
        refused,
        [
            Err(OrderError::Suspended { level }),
            Err(OrderError::Suspended { level })
        ]
    );
    life.order(&Order::Clear { level, who }).expect("accepted");
    recover(&mut life, 150);
    live(&mut life, 100, 0);
    println!("after it is cleared: {}", life.authority(level));
    assert_eq!((life.authority(level), suspensions(&life)), (Authority::Full, 1));
}
