use super::*;

const HELD: [u32; 6] = [1_000, 500, 500, 20, 300, 200];
const CLEAN: Response = Response::Continue;

/// Checks without a violation every 10 cycles in `cycles`; gives each change of authority with its cycle.
fn run(standing: &mut Standing, cycles: std::ops::RangeInclusive<u64>) -> Vec<(u64, Authority)> {
    let mut changes = Vec::new();
    for cycle in cycles.step_by(10) {
        if let Some(Change::Authority { to, .. }) = standing.on_verdict(cycle, CLEAN, &HELD) {
            changes.push((cycle, to));
        }
    }
    changes
}

/// The same for a frozen level, by the checks of the floor.
fn watch(standing: &mut Standing, cycles: std::ops::RangeInclusive<u64>, bad: &[u64]) -> Vec<(u64, Change)> {
    let checks = cycles.step_by(10);
    checks
        .filter_map(|cycle| Some((cycle, standing.on_floor_check(cycle, !bad.contains(&cycle))?)))
        .collect()
}

fn at_full() -> Standing {
    let mut standing = Standing::default();
    run(&mut standing, 1_000..=1_500);
    assert_eq!(standing.stage(), Stage::Full);
    standing
}

fn recovered(to: Authority) -> Change {
    Change::Authority { to, reason: "recovery" }
}

#[test]
fn section_9_2_activation_is_advisory_for_200_half_for_300_then_full() {
    let mut standing = Standing::default();
    let expected = [
        (1_000, Authority::Advisory),
        (1_200, Authority::Half),
        (1_500, Authority::Full),
    ];
    assert_eq!(run(&mut standing, 1_000..=2_000), expected);
    assert_eq!(standing.waiting_for(&HELD), "");
}

#[test]
fn each_of_the_six_criteria_alone_one_short_holds_the_level_in_shadow() {
    for criterion in 0..6 {
        let mut sustained = HELD;
        sustained[criterion] -= 1;
        let mut standing = Standing::default();
        assert_eq!(
            standing.on_verdict(1_000, CLEAN, &sustained),
            None,
            "criterion {}",
            criterion + 1
        );
        let waiting = standing.waiting_for(&sustained);
        assert!(
            waiting.starts_with(CRITERIA_NAMES[criterion]) && !waiting.contains(','),
            "{waiting}"
        );
        sustained[criterion] += 1;
        assert!(standing.on_verdict(1_010, CLEAN, &sustained).is_some());
    }
}

#[test]
fn a_violation_in_shadow_keeps_it_there() {
    let mut standing = Standing::default();
    assert_eq!(standing.on_verdict(1_000, Response::Throttle, &HELD), None);
    assert_eq!(standing.stage(), Stage::Shadow);
}

#[test]
fn instability_on_the_way_up_steps_back_by_one_as_in_diagram_9_2() {
    let mut standing = Standing::default();
    run(&mut standing, 1_000..=1_300);
    assert_eq!(standing.authority(), Authority::Half);
    let back = standing.on_verdict(1_310, Response::Throttle, &HELD);
    let reason = "instability";
    let to = Authority::Advisory;
    assert_eq!(back, Some(Change::Authority { to, reason }));
    assert_eq!(
        run(&mut standing.clone(), 1_320..=1_600),
        [(1_510, Authority::Half)],
        "200 cycles anew"
    );
    let back = standing.on_verdict(1_320, Response::Rebalance, &HELD);
    let to = Authority::Shadow;
    assert_eq!(back, Some(Change::Authority { to, reason }));
    assert_eq!(
        run(&mut standing, 1_330..=1_330),
        [(1_330, Authority::Advisory)],
        "the criteria still hold"
    );
}

#[test]
fn at_full_one_violation_throttles_only_and_two_rebalance_through_advisory_and_half() {
    let mut standing = at_full();
    assert_eq!(standing.on_verdict(2_000, Response::Throttle, &HELD), None);
    let (to, reason) = (Authority::Advisory, "rebalance");
    let change = standing.on_verdict(2_010, Response::Rebalance, &HELD);
    assert_eq!(change, Some(Change::Authority { to, reason }));
    let expected = [(2_110, Authority::Half), (2_210, Authority::Full)];
    assert_eq!(run(&mut standing, 2_020..=2_500), expected);
}

#[test]
fn section_6_4_recovery_is_frozen_50_advisory_100_half_100_then_full() {
    let mut standing = at_full();
    standing.freeze(3_000, false);
    assert_eq!(standing.authority(), Authority::Frozen);
    assert_eq!(
        watch(&mut standing, 3_010..=3_050, &[]),
        [(3_050, recovered(Authority::Advisory))]
    );
    let expected = [(3_150, Authority::Half), (3_250, Authority::Full)];
    assert_eq!(run(&mut standing, 3_060..=3_500), expected);
}

#[test]
fn a_freeze_between_two_checks_waits_for_50_whole_cycles() {
    let mut standing = at_full();
    standing.freeze(3_005, false);
    // The check at 3,010 speaks for 3,001 to 3,010; the first that is of the freeze alone is that at 3,020.
    assert_eq!(
        watch(&mut standing, 3_010..=3_060, &[]),
        [(3_060, recovered(Authority::Advisory))]
    );
}

#[test]
fn an_unclean_check_starts_the_50_clean_cycles_anew() {
    let mut standing = at_full();
    standing.freeze(3_000, false);
    // The clean run is 3,050 to 3,090.
    let changes = watch(&mut standing, 3_010..=3_090, &[3_040]);
    assert_eq!(changes, [(3_090, recovered(Authority::Advisory))]);
}

#[test]
fn a_clean_run_that_ends_at_t0_plus_100_recovers_and_one_that_would_end_later_suspends() {
    let mut standing = at_full();
    standing.freeze(3_000, false);
    let mut later = standing;
    let changes = watch(&mut standing, 3_010..=3_100, &[3_050]);
    assert_eq!(changes, [(3_100, recovered(Authority::Advisory))]);
    assert_eq!(
        watch(&mut later, 3_010..=3_200, &[3_020, 3_060]),
        [(3_100, Change::NoRecovery)]
    );
    assert_eq!(later.stage(), Stage::Suspended);
    assert_eq!(later.on_verdict(3_210, CLEAN, &HELD), None);
    later.freeze(3_220, false);
    assert_eq!(later.stage(), Stage::Suspended, "a freeze does not end a suspension");
    later.reenable(3_300);
    assert_eq!(
        watch(&mut later, 3_310..=3_350, &[]),
        [(3_350, recovered(Authority::Advisory))]
    );
}

#[test]
fn a_freeze_between_two_checks_counts_its_100_cycles_from_its_own_cycle() {
    let mut standing = at_full();
    standing.freeze(3_003, false);
    // t0 + 100 = 3,103: five clean checks by 3,100 count, a run that ends at 3,110 does not.
    assert_eq!(
        watch(&mut standing.clone(), 3_010..=3_110, &[3_020, 3_060]),
        [(3_110, Change::NoRecovery)]
    );
    let changes = watch(&mut standing, 3_010..=3_110, &[3_050]);
    assert_eq!(changes, [(3_100, recovered(Authority::Advisory))]);
}

#[test]
fn a_level_that_was_never_at_full_recovers_to_shadow() {
    let mut standing = Standing::default();
    run(&mut standing, 1_000..=1_300);
    standing.freeze(1_305, false);
    let changes = watch(&mut standing, 1_310..=1_360, &[]);
    assert_eq!(changes, [(1_360, recovered(Authority::Shadow))]);
}

#[test]
fn instability_in_recovery_steps_back_within_recovery() {
    let mut standing = at_full();
    standing.freeze(3_000, false);
    watch(&mut standing, 3_010..=3_050, &[]);
    assert_eq!(
        standing.on_verdict(3_100, Response::Throttle, &HELD),
        None,
        "the 100 cycles of Advisory start anew"
    );
    assert_eq!(run(&mut standing, 3_110..=3_200), [(3_200, Authority::Half)]);
    standing.on_verdict(3_210, Response::Throttle, &HELD);
    assert_eq!(
        run(&mut standing, 3_220..=3_410),
        [(3_310, Authority::Half), (3_410, Authority::Full)]
    );
}

#[test]
fn a_held_freeze_waits_for_its_operator() {
    let mut standing = at_full();
    standing.freeze(3_000, true);
    assert_eq!(watch(&mut standing, 3_010..=4_000, &[]), []);
    standing.freeze(4_000, false);
    assert_eq!(
        watch(&mut standing, 4_010..=4_100, &[]),
        [],
        "a fault does not release it"
    );
    assert_eq!(standing.waiting_for(&HELD), "an operator: frozen");
    standing.reenable(5_000);
    assert_eq!(
        watch(&mut standing, 5_010..=5_050, &[]),
        [(5_050, recovered(Authority::Advisory))]
    );
}

#[test]
fn an_operators_ceiling_stops_the_rise() {
    let mut standing = Standing::default();
    standing.place(1_000, Authority::Advisory);
    assert_eq!(run(&mut standing, 1_010..=2_000), []);
    assert_eq!(standing.waiting_for(&HELD), "an operator: at most advisory");
    standing.place(2_000, Authority::Full);
    assert_eq!(standing.authority(), Authority::Full);
    standing.freeze(2_100, false);
    let changes = watch(&mut standing, 2_110..=2_150, &[]);
    assert_eq!(changes, [(2_150, recovered(Authority::Advisory))]);
}

#[test]
fn cycles_of_a_damaged_snapshot_do_not_overflow() {
    let (since, path) = (u64::MAX, Path::Recovery);
    let stages = [
        Stage::Advisory { since, path },
        Stage::Half { since, path },
        Stage::Frozen {
            since,
            clean: u8::MAX,
            held: false,
        },
    ];
    for stage in stages {
        let mut standing = Standing {
            stage,
            ..Standing::default()
        };
        assert!(!standing.waiting_for(&HELD).is_empty());
        standing.on_verdict(10, CLEAN, &HELD);
        standing.on_floor_check(10, true);
    }
}
