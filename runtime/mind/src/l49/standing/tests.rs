use super::*;
use crate::l48::plan::Pathology;
use crate::l49::fixtures::{Level49, World};
use crate::l49::resources::SurvivalState;
use crate::l49::stability::{Readings, live};
use rungs_types::GoalId;

const ALL: [bool; CRITERIA] = [true; CRITERIA];

fn readings(rho: f64) -> LiveVerdict {
    live(&Readings {
        rho,
        identity: Some(0.97),
        total_drift: 0.0,
        min_survival_cycles: 10_000.0,
        cascade_depth: 0,
    })
}

/// Healthy, marginal (ASS 0.125) and critical.
fn healthy() -> LiveVerdict {
    readings(0.5)
}
fn marginal() -> LiveVerdict {
    readings(0.97)
}
fn critical() -> LiveVerdict {
    readings(0.99)
}

/// Ten cycles at a time with these criteria and this live state, to `until`; the changes.
fn drive(
    standing: &mut Standing,
    from: u64,
    until: u64,
    now: &[bool; CRITERIA],
    verdict: &LiveVerdict,
) -> Vec<(u64, Authority)> {
    let mut changes = Vec::new();
    for cycle in (from + 10..=until).step_by(10) {
        let criteria = standing.on_criteria(now, cycle);
        let live = standing.on_live(verdict, cycle);
        changes.extend(criteria.into_iter().chain(live).map(|change| (cycle, change.to)));
    }
    changes
}

#[test]
fn the_way_up_takes_the_windows_a_hundred_checks_then_500_200_and_200_cycles() {
    let mut standing = Standing::default();
    // Criterion 6 has held for 1,000 cycles at 1,010; that is the first of 100 checks.
    let changes = drive(&mut standing, 0, 1_990, &ALL, &healthy());
    assert_eq!(standing.stage(), Stage::Checking { checks: 99 });
    assert_eq!(changes, []);
    let changes = drive(&mut standing, 1_990, 3_500, &ALL, &healthy());
    assert_eq!(
        changes,
        [
            (2_500, Authority::Advisory),
            (2_700, Authority::Half),
            (2_900, Authority::Full)
        ]
    );
    assert_eq!(standing.waiting_for(3_500), "");
}

#[test]
fn one_check_that_fails_counts_the_hundred_anew() {
    let mut standing = Standing::default();
    drive(&mut standing, 0, 1_500, &ALL, &healthy());
    let mut fails = ALL;
    fails[3] = false;
    drive(&mut standing, 1_500, 1_510, &fails, &healthy());
    drive(&mut standing, 1_510, 2_500, &ALL, &healthy());
    assert_eq!(standing.stage(), Stage::Checking { checks: 99 });
    drive(&mut standing, 2_500, 2_510, &ALL, &healthy());
    assert_eq!(standing.stage(), Stage::Shadow { since: 2_510 });
}

/// What holds of a healthy world with one thing changed.
fn with(change: impl Fn(&mut World)) -> [bool; CRITERIA] {
    let mut world = World::new();
    change(&mut world);
    criteria(&world.next())
}

#[test]
fn each_criterion_alone_holds_the_level_back_and_is_named() {
    let goal = || GoalId::new("g").unwrap();
    let plant: [&dyn Fn(&mut World); CRITERIA] = [
        &|world| world.qualification.qualified = false,
        &|world| world.qualification.sms = Some(0.849),
        &|world| {
            world.pathologies = vec![Pathology::Stale {
                goal: goal(),
                idle_cycles: 300,
            }]
        },
        &|world| world.mce = Some(0.08),
        &|world| world.eu = 0.20,
        &|world| world.violated = true,
    ];
    for (index, plant) in plant.into_iter().enumerate() {
        let mut level = Level49::new();
        plant(&mut level.world);
        level.run(2_300);
        assert!(matches!(
            level.orchestrator.standing().stage(),
            Stage::Checking { checks: 0 }
        ));
        let waits = level.orchestrator.waiting_for();
        for (other, name) in CRITERIA_NAMES.into_iter().enumerate() {
            assert_eq!(waits.contains(name), other == index, "{waits}");
        }
    }
    assert_eq!(with(|_| {}), ALL);
}

#[test]
fn criteria_without_evidence_do_not_hold_and_each_has_its_boundary() {
    assert!(!with(|world| world.qualification.sms = None)[1]);
    assert!(with(|world| world.qualification.sms = Some(0.85))[1]);
    assert!(!with(|world| world.mce = None)[3]);
    assert!(with(|world| world.mce = Some(0.0799))[3]);
    assert!(with(|world| world.eu = 0.1999)[4]);
    assert!(!with(|world| world.tier = 1)[5]);
    let mut held = Held::default();
    held.note(&ALL, 0);
    let missing = |cycle| held.missing(cycle).collect::<Vec<_>>();
    assert_eq!(missing(0), [2, 4, 5]);
    assert_eq!(missing(499), [2, 4, 5]);
    assert_eq!(missing(500), [5]);
    assert_eq!(missing(999), [5]);
    assert!(missing(1_000).is_empty());
}

fn at(authority: Authority) -> Standing {
    let mut standing = Standing::default();
    standing.place(0, authority);
    standing.place(0, Authority::Full);
    standing.stage = match authority {
        Authority::Shadow => Stage::Shadow { since: 0 },
        Authority::Advisory => Stage::Advisory { since: 0 },
        Authority::Half => Stage::Half { since: 0 },
        _ => Stage::Full,
    };
    // It came there by itself.
    standing.placed = false;
    standing
}

#[test]
fn a_regression_in_shadow_or_advisory_goes_back_to_the_check() {
    let mut fails = ALL;
    fails[4] = false;
    for authority in [Authority::Shadow, Authority::Advisory] {
        let mut standing = at(authority);
        standing.on_criteria(&fails, 10);
        assert_eq!(standing.stage(), Stage::Checking { checks: 0 });
        assert!(!standing.runs());
    }
}

#[test]
fn once_it_acts_only_qualification_and_instability_take_it_back_to_advisory() {
    for authority in [Authority::Half, Authority::Full] {
        for index in 0..CRITERIA {
            let mut fails = ALL;
            fails[index] = false;
            let mut standing = at(authority);
            let change = standing.on_criteria(&fails, 10);
            let expected = [0, 5].contains(&index).then_some(Authority::Advisory);
            assert_eq!(change.map(|change| change.to), expected, "{index}");
        }
    }
}

#[test]
fn thin_margins_make_it_advise_and_it_comes_back_by_200_and_200_cycles() {
    let mut standing = at(Authority::Full);
    let change = standing.on_live(&marginal(), 10);
    assert_eq!(change.map(|change| change.to), Some(Authority::Advisory));
    let changes = drive(&mut standing, 10, 600, &ALL, &healthy());
    assert_eq!(changes, [(210, Authority::Half), (410, Authority::Full)]);
}

#[test]
fn after_a_freeze_it_monitors_for_100_cycles_and_a_new_critical_score_begins_them_anew() {
    let mut standing = at(Authority::Full);
    standing.freeze(0, false);
    assert_eq!(standing.authority(), Authority::Frozen);
    assert_eq!(drive(&mut standing, 0, 90, &ALL, &healthy()), []);
    standing.on_live(&critical(), 90);
    assert_eq!(drive(&mut standing, 90, 180, &ALL, &healthy()), []);
    let changes = drive(&mut standing, 180, 700, &ALL, &healthy());
    assert_eq!(
        changes,
        [
            (190, Authority::Advisory),
            (390, Authority::Half),
            (590, Authority::Full)
        ]
    );
}

#[test]
fn a_level_that_had_not_been_at_full_begins_at_the_check_after_a_freeze() {
    let mut standing = Standing::default();
    drive(&mut standing, 0, 2_600, &ALL, &healthy());
    assert_eq!(standing.authority(), Authority::Advisory);
    standing.freeze(2_600, false);
    let changes = drive(&mut standing, 2_600, 2_800, &ALL, &healthy());
    assert_eq!(changes, [(2_700, Authority::Shadow)]);
    assert!(matches!(standing.stage(), Stage::Checking { .. }));
}

#[test]
fn nothing_but_an_operator_ends_a_suspension_or_a_held_freeze() {
    for held in [true, false] {
        let mut standing = at(Authority::Full);
        standing.freeze(0, held);
        if !held {
            standing.suspend();
        }
        assert_eq!(drive(&mut standing, 0, 2_000, &ALL, &healthy()), []);
        standing.reenable(2_000);
        let changes = drive(&mut standing, 2_000, 2_200, &ALL, &healthy());
        assert_eq!(changes, [(2_100, Authority::Advisory)]);
    }
}

#[test]
fn the_mode_and_the_operator_are_ceilings() {
    let mut standing = at(Authority::Full);
    let expected = [
        (SurvivalState::Constrained, Authority::Half),
        (SurvivalState::Warning, Authority::Advisory),
        (SurvivalState::Critical, Authority::Frozen),
        (SurvivalState::Adequate, Authority::Full),
    ];
    for (mode, authority) in expected {
        let change = standing.on_regime(&Regime::of(mode)).expect("a change");
        assert_eq!((change.to, standing.authority()), (authority, authority));
    }
    standing.place(0, Authority::Half);
    drive(&mut standing, 0, 1_000, &ALL, &healthy());
    assert_eq!(standing.authority(), Authority::Half);
    assert_eq!(standing.waiting_for(1_000), "an operator: at most half");
}

#[test]
fn nothing_advances_while_a_condition_is_violated_or_a_ceiling_holds() {
    let mut standing = at(Authority::Half);
    let violated = LiveVerdict {
        violations: critical().violations,
        ..healthy()
    };
    assert_eq!(drive(&mut standing, 0, 1_000, &ALL, &violated), []);
    standing.on_regime(&Regime::of(SurvivalState::Constrained));
    assert_eq!(drive(&mut standing, 1_000, 2_000, &ALL, &healthy()), []);
    assert_eq!(standing.stage(), Stage::Half { since: 0 });
}

#[test]
fn where_an_operator_puts_it_the_level_stays_without_the_criteria_and_falls_back_when_unstable() {
    let mut standing = Standing::default();
    standing.place(100, Authority::Full);
    let (mut cycle, nothing_but_stable) = (110, [false, false, false, false, false, true]);
    while cycle < 2_000 {
        assert_eq!(standing.on_criteria(&nothing_but_stable, cycle), None);
        cycle += 10;
    }
    assert_eq!((standing.authority(), standing.runs()), (Authority::Full, true));
    let change = standing.on_criteria(&[true, true, true, true, true, false], cycle);
    assert_eq!(change.map(|change| change.to), Some(Authority::Advisory));
    // After a freeze the criteria count again.
    standing.freeze(cycle, false);
    assert!(!standing.placed);
}
