//! A world that turns kind becomes a goal of the agent's own, and the goal is reached; its whole story can be read.

use rungs_mind::goals::GoalState;
use rungs_mind::l49::goals::{Criterion, Fate, GoalEntry, GoalOrigin, Grade, Signal};
use rungs_scenarios_tests::{Life, agent, calm_world};
use rungs_types::{Authority, Origin, SimEvent};

/// From when the levels act.
const PLACED_AT: u64 = 750;
const END: u64 = 4_000;
/// One of these agents takes an opportunity, and the first is looked at: not every one comes upon one that it can take.
const SEEDS: std::ops::Range<u64> = 21..27;
/// The world is wild for so many cycles, then calm for as many, in turn.
const SPELL_CYCLES: u64 = 250;

/// Tasks go badly, one in five of them, from the middle of a wild spell until the calm that follows it is well under way:
/// what the agent can then take of the calm it has had before.
fn fails(cycle: u64) -> bool {
    let into = cycle.saturating_sub(PLACED_AT) % (2 * SPELL_CYCLES);
    cycle > PLACED_AT && (150..400).contains(&into) && cycle.is_multiple_of(5)
}

fn world(seed: u64) -> rungs_types::SimSpec {
    let spells = (PLACED_AT..END).step_by(2 * SPELL_CYCLES as usize);
    spells.fold(calm_world(seed), |world, from| {
        world.event(SimEvent::Variance {
            dimension: None,
            from,
            to: from + SPELL_CYCLES,
            factor: 9.0,
        })
    })
}

fn book(life: &Life) -> Vec<GoalEntry> {
    let states = life.stack().autonomy().expect("L4.9").verified().expect("a bundle");
    states.generate.book().entries().to_vec()
}

fn tell(life: &Life, entry: &GoalEntry) {
    let criteria = &entry.criteria;
    println!(
        "goal {} ({}), thought of at cycle {}",
        entry.spec.goal, entry.origin, entry.cycle
    );
    println!("  seen: {}", entry.signal);
    println!(
        "  purpose {:.3}, value {:.3}, feasibility {:.3}, resource {:.1}, rho {:.3}, violated {}: {}",
        criteria.purpose,
        criteria.value,
        criteria.feasibility,
        criteria.resource,
        criteria.rho,
        criteria.violated,
        entry.verdict
    );
    for task in &entry.spec.tasks {
        println!("  task {}: {:?}", task.name, task.does);
    }
    println!("  success: {:?}", entry.spec.success.all);
    println!("  fate: {}", entry.fate);
    if let Some(record) = life.stack().goals().get(&entry.spec.goal) {
        println!(
            "  {:?}, {} tasks done, {} actions",
            record.state,
            record.done(),
            record.actions
        );
    }
}

/// Brings an agent up, tells the stories of all its own goals, and gives an opportunity that it took, if it took one.
fn lived(seed: u64) -> (Life, Option<GoalEntry>) {
    let mut life = Life::new(agent("opportune", world(seed), seed));
    println!("seed {seed}");
    for cycle in 1..=END {
        if cycle == PLACED_AT {
            life.place(Authority::Full);
        }
        let done = life.cycle_with(|_, _, upset| {
            let outcomes = &mut upset.outcomes;
            (outcomes.tasks_succeeded, outcomes.tasks_failed) = if fails(cycle) { (0, 1) } else { (1, 0) };
        });
        let signals = done.autonomy.iter().flat_map(|output| &output.goals.signals);
        let kind = |signal: &&Signal| matches!(signal, Signal::Environmental { .. });
        signals
            .filter(kind)
            .for_each(|signal| println!("cycle {cycle}, SEOF {:.3}: {signal}", life.floor().seof));
    }
    let entries = book(&life);
    entries.iter().for_each(|entry| tell(&life, entry));
    let taken = |entry: &GoalEntry| {
        entry.origin == GoalOrigin::OpportunityDriven && entry.fate == Fate::Over(GoalState::Succeeded)
    };
    (life, entries.into_iter().find(taken))
}

#[test]
fn an_opportunity_becomes_a_goal_of_its_own_that_is_reached_and_its_story_can_be_read() {
    let mut lives = SEEDS.map(lived);
    let (life, entry) = lives
        .find_map(|(life, entry)| Some((life, entry?)))
        .expect("an opportunity that was taken");
    let Signal::Environmental { probability, gain, .. } = entry.signal else {
        panic!("{:?}", entry.signal)
    };
    assert!(probability > 0.30 && gain > 0.05, "MSCP Level 4.9, section 9.1");
    assert!(entry.verdict.is_approved(), "{}", entry.verdict);
    for criterion in Criterion::ALL {
        assert_ne!(entry.criteria.grade(criterion), Grade::Fail, "{criterion}");
    }
    let record = life.stack().goals().get(&entry.spec.goal).expect("remembered");
    assert_eq!(
        (record.spec.origin, &record.state),
        (Origin::L49, &GoalState::Succeeded)
    );
    assert!(record.done() > 0, "by something that it did");
}
