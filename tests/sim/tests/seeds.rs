//! What holds for every seed, and that the witness would notice if it did not.

use rungs_sim::{Clocks, Options, Outcome, Sabotage, Violation, run};

/// Runs of each kind in every test run; `cargo sim` runs a thousand.
const SEEDS: u64 = 50;
/// Runs with clocks beyond the bound.
const BEYOND_SEEDS: u64 = 12;
/// Runs without faults.
const CALM_SEEDS: u64 = 8;
/// Enough for each sabotage to show in at least one; most show in the first.
const SABOTAGED_SEEDS: u64 = 100;

/// Runs the seeds on two threads; in the order of the seeds.
fn runs(seeds: u64, options: impl Fn(u64) -> Options + Sync) -> Vec<Outcome> {
    let half = |odd: u64| {
        let options = &options;
        move || {
            (0..seeds)
                .filter(|seed| seed % 2 == odd)
                .map(|seed| run(options(seed)))
                .collect::<Vec<_>>()
        }
    };
    let (even, odd) = std::thread::scope(|scope| {
        let odd = scope.spawn(half(1));
        (half(0)(), odd.join().expect("a run that panicked has said why"))
    });
    let mut odd = odd.into_iter();
    even.into_iter()
        .flat_map(|even| [Some(even), odd.next()])
        .flatten()
        .collect()
}

/// What is wrong with each, but what `allowed` says.
fn wrong(outcomes: &[Outcome], allowed: impl Fn(&Violation) -> bool) -> Vec<String> {
    let of = |(seed, outcome): (usize, &Outcome)| {
        let wrong = outcome.violations.iter().filter(|(_, violation)| !allowed(violation));
        wrong
            .map(|(at_ms, violation)| format!("seed {seed}, {at_ms} ms: {violation}"))
            .collect::<Vec<_>>()
    };
    outcomes.iter().enumerate().flat_map(of).collect()
}

#[test]
fn whatever_fails_no_agent_runs_twice_and_nothing_acknowledged_is_lost() {
    let outcomes = runs(SEEDS, Options::of);
    assert_eq!(wrong(&outcomes, |_| false), Vec::<String>::new());
    // The faults were real: nodes had to stop themselves, and messages had unknown outcomes.
    assert!(outcomes.iter().map(|it| it.fenced).sum::<usize>() > 20);
    assert!(outcomes.iter().map(|it| it.messages[2]).sum::<usize>() > 50);
    assert!(outcomes.iter().all(|it| it.messages[0] > 500 && it.outside > 1_000));
}

#[test]
fn with_clocks_beyond_the_bound_no_effect_is_stale_and_nothing_acknowledged_is_lost() {
    let beyond = |seed| Options {
        clocks: Clocks::Beyond,
        ..Options::of(seed)
    };
    let outcomes = runs(BEYOND_SEEDS, beyond);
    assert_eq!(wrong(&outcomes, Violation::depends_on_clocks), Vec::<String>::new());
    // The bound matters: beyond it two nodes may believe in one shard.
    assert!(!wrong(&outcomes, |violation| !violation.depends_on_clocks()).is_empty());
}

#[test]
fn nodes_that_join_drain_and_leave_cost_no_message() {
    let calm = |seed| Options {
        has_faults: false,
        ..Options::of(seed)
    };
    let outcomes = runs(CALM_SEEDS, calm);
    assert_eq!(wrong(&outcomes, |_| false), Vec::<String>::new());
    for (seed, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.messages[1..], [0; 3], "seed {seed}");
    }
}

#[test]
fn thirty_nodes_do_as_three_do() {
    let many = Options {
        nodes: Some(30),
        ..Options::of(1)
    };
    let outcome = run(many);
    assert_eq!(wrong(std::slice::from_ref(&outcome), |_| false), Vec::<String>::new());
    assert!(outcome.messages[0] > 2_000);
}

#[test]
fn the_same_seed_gives_the_same_log() {
    let kept = |seed| Options {
        keeps_log: true,
        ..Options::of(seed)
    };
    let (first, second) = (run(kept(7)), run(kept(7)));
    assert!(first.log.len() > 100);
    assert_eq!(first, second);
    assert_ne!(first.log, run(kept(8)).log);
}

#[test]
fn every_sabotage_is_noticed() {
    for sabotage in Sabotage::ALL {
        let broken = |seed| Options {
            sabotage: Some(sabotage),
            ..Options::of(seed)
        };
        let expected = match sabotage {
            Sabotage::NoFencing | Sabotage::RunWhileReleasing => "Overlap",
            Sabotage::NoEpochCheck => "StaleEffect",
            Sabotage::NoMapCompare => "Map(",
            Sabotage::TakeTwice => "Twice",
            Sabotage::AckBeforeCommit => "Lost",
        };
        let notices = |seed: &u64| {
            let found = wrong(&[run(broken(*seed))], |_| false);
            found.iter().any(|line| line.contains(expected))
        };
        let first = (0..SABOTAGED_SEEDS).find(notices);
        println!("{sabotage:?}: {expected} in seed {first:?}");
        assert!(first.is_some(), "{sabotage:?}");
    }
}
