//! A resource that runs out and comes back: the agent restricts itself step by step, and eases step by step.

use rungs_mind::l49::goals::GoalOrigin;
use rungs_mind::l49::resources::{Regime, SurvivalState};
use rungs_scenarios_tests::{Life, RESOURCE, agent, calm_world};
use rungs_types::{Authority, EventKind, Level, SimEvent};

/// From when the levels act.
const PLACED_AT: u64 = 700;
/// From here on it is drained, in a line: of the 70 % that are left 60 go until 10 % (critical), 771 of 900 cycles, …
const DRAINED_FROM: u64 = 1_000;
const EXHAUSTED_AT: u64 = 1_900;
/// … until it is there again.
const RELEASED_AT: u64 = 1_920;
const END: u64 = 3_000;

/// The mode in force, and what it permits and what is so, after a cycle.
struct Seen {
    cycle: u64,
    mode: SurvivalState,
    l48: Authority,
    l49: Authority,
    min_survival: Option<f64>,
}

fn lived() -> (Life, Vec<Seen>) {
    let drain = SimEvent::Ramp {
        dimension: RESOURCE,
        from: DRAINED_FROM,
        to: EXHAUSTED_AT,
        until: Some(RELEASED_AT),
    };
    let mut life = Life::new(agent("drained", calm_world(3).event(drain), 3));
    let mut seen = Vec::new();
    while life.stack().cycle() < END {
        let cycle = life.cycle();
        if cycle.number == PLACED_AT {
            life.place(Authority::Full);
        }
        let mode = life.stack().autonomy().expect("L4.9").in_force().modes.mode();
        seen.push(Seen {
            cycle: cycle.number,
            mode,
            l48: life.authority(Level::L48),
            l49: life.authority(Level::L49),
            min_survival: cycle.autonomy.map(|output| output.resources.survival.min_survival),
        });
    }
    (life, seen)
}

#[test]
fn a_crisis_walks_through_all_modes_and_back_and_binds_every_level() {
    let (life, seen) = lived();
    let mut modes: Vec<SurvivalState> = Vec::new();
    for now in seen.iter().filter(|now| now.cycle > PLACED_AT) {
        if modes.last() != Some(&now.mode) {
            modes.push(now.mode);
            println!("cycle {}: {} (L4.8 {}, L4.9 {})", now.cycle, now.mode, now.l48, now.l49);
        }
        if let Some(left) = now.min_survival.filter(|left| *left < 10_000.0) {
            println!("  cycle {}: {left:.0} cycles left", now.cycle);
        }
    }
    use SurvivalState::{Abundant, Adequate, Constrained, Critical, Warning};
    let whole = [
        Abundant,
        Adequate,
        Constrained,
        Warning,
        Critical,
        Warning,
        Constrained,
        Adequate,
        Abundant,
    ];
    assert_eq!(modes, whole);
    // A mode is in force one pass of L4.8 after it is due: ten cycles.
    for pair in seen.windows(20) {
        let (first, last) = (&pair[0], &pair[19]);
        if first.cycle > PLACED_AT && first.mode == last.mode {
            let regime = Regime::of(last.mode);
            assert!(
                last.l48 <= regime.l48.ceiling(),
                "cycle {}: L4.8 {}",
                last.cycle,
                last.l48
            );
            assert!(
                last.l49 <= regime.l49.ceiling(),
                "cycle {}: L4.9 {}",
                last.cycle,
                last.l49
            );
        }
    }
    let told: Vec<&str> = life
        .told()
        .iter()
        .filter_map(|told| match &told.kind {
            EventKind::Mode { mode, .. } => Some(mode.as_str()),
            _ => None,
        })
        .collect();
    println!("told: {told:?}");
    let last = life.autonomy().expect("a pass");
    println!(
        "adaptations {}, surprises {}, forecast error {:?}, at the end L4.8 {}, L4.9 {} ({})",
        last.resources.adaptations,
        last.resources.surprises,
        last.resources.forecast_error,
        life.authority(Level::L48),
        life.authority(Level::L49),
        life.stack().autonomy_waits_for(),
    );
    assert!(last.resources.adaptations >= 3);
    assert_eq!(last.resources.surprises, 0, "it was foreseen");
    assert_eq!(life.authority(Level::L48), Authority::Full);
    assert_eq!(life.authority(Level::L49), Authority::Full);
}

#[test]
fn on_the_way_down_it_sets_itself_a_goal_to_survive() {
    let (life, _) = lived();
    let states = life.stack().autonomy().expect("L4.9").verified().expect("a bundle");
    let entries = states.generate.book().entries();
    for entry in entries {
        println!(
            "cycle {}: {} ({}): {}",
            entry.cycle, entry.spec.goal, entry.verdict, entry.fate
        );
    }
    assert!(entries.iter().any(|entry| entry.origin == GoalOrigin::SurvivalDriven));
}
