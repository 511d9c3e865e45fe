//! The report as a whole.

use super::*;
use crate::numeric::history::History;
use crate::qualify::events::Event;

#[test]
fn a_level_that_meets_all_fourteen_criteria_qualifies_and_the_numbers_are_those_fed() {
    let report = fed(&healthy()).report();
    assert!(
        report.readings.iter().all(|reading| reading.verdict == Passing::Passed),
        "{report}"
    );
    assert!(report.qualified && report.still_met() && report.reasons.is_empty());
    let expected = [
        ("EA-1", 0.80),
        ("EA-2", 0.875),
        ("EA-3", 0.0),
        // The alarm at 470; the report with the shock begins with 491.
        ("EA-4", 21.0),
        ("SM-5", 0.0625),
        ("SM-6", 1.0),
        ("SM-7", 20.0),
        ("SM-8", 1.0),
        ("SA-9", 0.60),
        ("SA-10", 0.75),
        ("SP-11", 1.0),
        ("SP-12", 0.99),
        ("SP-13", 0.0),
        ("SP-14", 0.0),
    ];
    for (id, expected) in expected {
        assert!(
            (value(&report, id).expect(id) - expected).abs() < 1e-6,
            "{id}: {report}"
        );
    }
    // EU: 210 of 300 passes below 0.15; all else 1.
    assert!((report.score - 0.97).abs() < 1e-12, "{}", report.score);
    assert_eq!((report.cycle, report.needed, &*report.score_name), (3_000, 0.80, "SMS"));
}

#[test]
fn no_target_moves_by_two_percent_unseen() {
    let targets: Vec<(f64, bool)> = CRITERIA.iter().map(|c| (c.target.value, c.target.always)).collect();
    let expected = [
        0.70, 0.85, 0.15, 20.0, 0.10, 0.90, 20.0, 0.75, 0.60, 0.70, 0.95, 1.0, 15.0, 0.10,
    ];
    assert_eq!(targets.iter().map(|(value, _)| *value).collect::<Vec<_>>(), expected);
    let always: Vec<usize> = (0..14).filter(|place| targets[*place].1).collect();
    assert_eq!(always, [11], "the spectral radius only");
    assert_eq!((NEEDED_SMS, NEEDED_SMS_FOR_L49, LOW_EU), (0.80, 0.85, 0.15));
    assert_eq!((PROBE_CYCLES, block::BLOCK_CYCLES, block::BLOCKS), (500, 100, 30));
    assert_eq!((CENTRAL, WIDTH_TOLERANCE), (0.80, 0.02));
    assert_eq!((ALARM_RES, ALARM_RUNWAY_CYCLES, FORESHADOW), (0.40, 100.0, 0.5));
    assert_eq!(correction::DUE_CYCLES, 20);
    let weights: Vec<f64> = CATEGORIES.iter().map(|kind| kind.weight).collect();
    assert_eq!(weights, [0.25, 0.25, 0.20, 0.20, 0.10]);
}

#[test]
fn the_sms_is_the_hand_worked_sum_of_definition_13() {
    let report = changed(|nth, world| {
        // EA: coverage at half its target, a gap of 0.30: see below.
        world.world.scenario_coverage = Some(0.425);
        // SM: MCE at twice its target.
        world.capability.mce = Some(0.20);
        // SA: robustness at half its target.
        world.plan = Some(plan(0.35));
        // SP: runs of 30 cycles against an invariant.
        if (100..103).contains(&nth) {
            world.verdict.violations = vec![violation(Invariant::Spectral)];
        }
        // EU: low in half of the passes.
        world.world.eu = if nth % 2 == 0 { 0.1 } else { 0.2 };
    });
    let scores: Vec<f64> = report.categories.iter().map(|category| category.score).collect();
    // (1 + 0.5 + 1 + 1) / 4, (0.5 + 1 + 1 + 1) / 4, (1 + 0.5) / 2, (1 + 1 + 0.5 + 1) / 4, 0.5.
    for (score, expected) in scores.iter().zip([0.875, 0.875, 0.75, 0.875, 0.5]) {
        assert!((score - expected).abs() < 1e-6, "{score} {expected}: {report}");
    }
    let sms = 0.25 * 0.875 + 0.25 * 0.875 + 0.20 * 0.75 + 0.20 * 0.875 + 0.10 * 0.5;
    assert!((report.score - sms).abs() < 1e-6 && report.qualified && !report.still_met());
}

#[test]
fn an_sms_of_four_fifths_qualifies_and_less_does_not() {
    // EU 0 costs a tenth; EA at three fifths by coverage at 0 and a gap too wide costs what is left, or a little more.
    let with = |coverage: f64| {
        changed(|_, world| {
            world.world.eu = 0.5;
            world.world.scenario_coverage = Some(coverage);
            world.capability.mce = Some(0.25);
        })
    };
    // SM: (0.4 + 3) / 4 = 0.85; EA: (3 + c / 0.85) / 4.
    let report = with(0.85 * 0.02);
    let expected = 0.25 * (3.02 / 4.0) + 0.25 * 0.85 + 0.40;
    assert!(
        (report.score - expected).abs() < 1e-6 && report.qualified,
        "{}",
        report.score
    );
    let report = with(0.0);
    assert!((report.score - 0.80).abs() < 1e-6, "{}", report.score);
    let report = changed(|_, world| {
        world.world.eu = 0.5;
        world.world.scenario_coverage = Some(0.0);
        world.capability.mce = Some(0.27);
    });
    assert!(
        !report.qualified && report.reasons == ["SMS 0.798 is below 0.80"],
        "{report}"
    );
}

#[test]
fn level_49_asks_for_an_sms_of_eighty_five_hundredths() {
    let report = |score: f64, qualified| Report {
        score,
        qualified,
        ..fed(&healthy()[..1]).report()
    };
    assert!(report(0.85, true).reaches(NEEDED_SMS_FOR_L49) && !report(0.849, true).reaches(NEEDED_SMS_FOR_L49));
    assert!(!report(0.9, false).reaches(NEEDED_SMS_FOR_L49));
}

#[test]
fn nothing_is_passed_before_three_thousand_cycles_and_nothing_qualifies() {
    let mut audit = Audit48::new(7);
    for (nth, world) in (0_u32..).zip(&healthy()) {
        assert_eq!(audit.seen(), 10 * nth);
        if nth % 50 == 49 {
            let report = audit.report();
            let warming = Passing::WarmingUp { n: 10 * nth, of: 3_000 };
            assert!(
                report.readings.iter().all(|reading| reading.verdict == warming),
                "{report}"
            );
            assert!(!report.qualified && report.is_warming_up() && !report.still_met());
            assert_eq!(report.reasons[0], format!("warming up ({} of 3000 cycles)", 10 * nth));
        }
        audit.feed(&world.pass());
    }
    assert!(audit.report().qualified);
}

#[test]
fn what_has_no_evidence_is_never_passed_and_its_weight_goes_to_the_others() {
    let report = changed(|_, world| {
        (world.world.scenario_coverage, world.world.shocks) = (None, 0);
        world.capability.corrected.clear();
        world.closed.clear();
        world.open.clear();
    });
    for id in ["EA-2", "EA-4", "SM-7", "SM-8", "SA-9"] {
        let reading = report.reading(id).expect("a criterion");
        assert_eq!(
            (reading.verdict, reading.value, reading.score),
            (Passing::NoEvidence, None, None),
            "{id}"
        );
    }
    assert!((report.score - 0.97).abs() < 1e-12 && report.qualified && report.still_met());
}

#[test]
fn a_category_without_any_evidence_fails_and_bars_qualification_whatever_the_score() {
    let report = changed(|_, world| {
        world.plan = None;
        world.closed.clear();
        world.open.clear();
        world.world.eu = 0.0;
    });
    assert_eq!(report.categories[2].standing, Standing::NoEvidence);
    // 0.80 without it: the number is enough, and the level is not.
    assert!((report.score - 0.80).abs() < 1e-6 && !report.qualified, "{report}");
    assert_eq!(report.reasons, ["strategic acuity: no evidence of any criterion"]);
}

#[test]
fn a_level_that_has_done_nothing_has_no_evidence_of_anything() {
    let report = Audit48::new(1).report();
    assert_eq!(
        (report.score, report.qualified, report.readings.len()),
        (0.0, false, 14)
    );
    assert!(report.readings.iter().all(|reading| reading.value.is_none()));
    assert!(
        report
            .categories
            .iter()
            .all(|category| category.standing == Standing::NoEvidence)
    );
}

#[test]
fn a_report_is_a_table_that_people_can_read() {
    let report = changed(|nth, world| {
        world.closed.clear();
        world.open.clear();
        if nth == 200 {
            world.floor.rho = 1.0;
        }
    });
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "L4.8 at cycle 3000: not qualified, SMS 0.920 (0.80 needed)");
    assert_eq!(lines[1], "EA environmental awareness (weight 0.25): 1.000");
    assert_eq!(
        lines[2],
        "  EA-1   prediction accuracy                     0.8  >= 0.7      passed"
    );
    assert_eq!(
        lines[10],
        "  SM-8   skill gap prediction                      -  >= 0.75     no evidence"
    );
    assert_eq!(
        lines.last(),
        Some(&"not qualified: SP-12 spectral radius: must hold always, and did not")
    );
}

#[test]
fn an_audit_is_small_and_reads_back_equal_and_goes_on_alike() {
    let worlds = healthy();
    let mut audit = fed(&worlds);
    let stored = bincode::serde::encode_to_vec(&audit, bincode::config::standard()).expect("stored");
    let rings = block::BLOCKS * std::mem::size_of::<block::Block>()
        + 32 * std::mem::size_of::<Event<u32>>()
        + 64 * std::mem::size_of::<Event<u32>>()
        + 64 * (std::mem::size_of::<goals::Predicted>() + std::mem::size_of::<Event<goals::Outcome>>())
        + 20 * std::mem::size_of::<f64>();
    let resident = std::mem::size_of::<Audit48>() + rings;
    println!("{} bytes stored, {resident} resident", stored.len());
    assert!(
        stored.len() <= 8 << 10 && resident <= 8 << 10,
        "{} {resident}",
        stored.len()
    );
    let (mut back, _): (Audit48, _) =
        bincode::serde::decode_from_slice(&stored, bincode::config::standard()).expect("read");
    assert_eq!(back, audit);
    for world in &worlds[..100] {
        audit.feed(&world.pass());
        back.feed(&world.pass());
    }
    assert_eq!((back.report(), back), (audit.report(), audit));
}

#[test]
fn a_stored_audit_that_no_passes_could_have_left_is_refused() {
    let audit = fed(&healthy()[..30]);
    type Break = fn(&mut Audit48);
    let breaks: [(&str, Break); 9] = [
        ("the probes of an audit", |audit| audit.since_probe = 500),
        ("the blocks of an audit", |audit| audit.blocks.current().completed = 9),
        ("the blocks of an audit", |audit| audit.blocks.current().flagged = 9),
        ("the blocks of an audit", |audit| audit.blocks.current().rises = 900),
        ("the blocks of an audit", |audit| {
            audit.blocks.current().robustness = f32::NAN
        }),
        ("the alarms of an audit", |audit| audit.alarms.leads = History::new(33)),
        ("the corrections of an audit", |audit| {
            audit.corrections.corrected = History::new(65)
        }),
        ("the goals of an audit", |audit| audit.goals.outcomes = History::new(65)),
        ("the goals of an audit", |audit| {
            let feasibility = 1.5;
            audit.goals.predicted.push(goals::Predicted {
                number: 1,
                feasibility,
                active: true,
            });
        }),
    ];
    for (what, spoil) in breaks {
        let mut broken = audit.clone();
        spoil(&mut broken);
        let refused = Audit48::try_from(RawAudit48::from(broken)).expect_err(what);
        assert_eq!(refused.0, what);
    }
}

#[test]
fn cycles_in_which_the_level_was_frozen_take_nothing_from_its_window() {
    let mut worlds = healthy();
    for world in &mut worlds[150..] {
        world.report.facts.iter_mut().for_each(|facts| facts.cycle += 5_000);
        world.floor.cycle += 5_000;
        world.epoch = world.epoch.next();
    }
    let report = fed(&worlds).report();
    assert!(!report.is_warming_up() && report.cycle == 8_000);
    // The freeze took back one of 300 decisions.
    assert!((value(&report, "SP-14").expect("known") - 1.0 / 300.0).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_fed_the_sms_is_a_share_and_all_that_is_told_is_a_number(
        floats in prop::collection::vec(prop::num::f64::ANY, 13),
        numbers in prop::collection::vec(prop::num::u64::ANY, 11),
    ) {
        let mut audit = Audit48::new(numbers[0]);
        let self_model = watched();
        for nth in 1..=310_u64 {
            let float = |place: u64| floats[((place + nth) % 13) as usize];
            let number = |place: u64| numbers[((place + nth) % 11) as usize];
            let flag = |place: u64| number(place) >> (nth % 64) & 1 == 1;
            let mut world = world(nth, &self_model);
            world.epoch = Epoch(number(0) >> 62);
            world.world.eu = float(0);
            world.world.rdf = float(1);
            world.world.res.score = float(2);
            world.world.shocks = number(1);
            world.world.cycle = number(2);
            world.floor.cycle = number(2);
            world.world.scenario_coverage = flag(1).then(|| float(3));
            for score in &mut world.world.scores {
                score.rank = flag(2).then(|| Rank { below: float(4) as f32, up_to: float(5) as f32 });
                score.persistence_rank = flag(3).then(|| Rank { below: float(6) as f32, up_to: float(7) as f32 });
                score.observed = float(8);
            }
            world.capability.mce = flag(4).then(|| float(9));
            world.capability.capabilities = vec![capability(float(10), float(11), float(12))];
            world.capability.corrected = vec![Corrected { skill: SKILL, cycles: number(3) }];
            world.floor.rho = float(1);
            world.floor.rho_state = if flag(5) { RhoState::Violation } else { RhoState::Stable };
            world.floor.lyapunov = vec![float(2); (number(4) % 101) as usize];
            world.report.resources = vec![Resource { level: float(3), ..Resource::default() }];
            world.plan = flag(6).then(|| plan(float(4)));
            if flag(7) {
                world.verdict.violations = vec![violation(Invariant::Sandbox)];
                world.verdict.response = Response::Rebalance;
            }
            world.open = vec![OpenGoal { number: number(5) % 3, feasibility: float(5), active: flag(8) }];
            world.closed = vec![ClosedGoal { number: number(6) % 3, succeeded: flag(9).then(|| flag(10)) }];
            audit.feed(&world.pass());
        }
        let report = audit.report();
        prop_assert!((0.0..=1.0).contains(&report.score), "{}", report.score);
        prop_assert!(report.categories.iter().all(|category| (0.0..=1.0).contains(&category.score)));
        for reading in &report.readings {
            let sound = reading.value.is_none_or(f64::is_finite) && reading.score.is_none_or(|s| (0.0..=1.0).contains(&s));
            prop_assert!(sound, "{reading:?}");
        }
        prop_assert!(!report.to_string().contains("NaN"));
        let stored = RawAudit48::from(audit.clone());
        prop_assert_eq!(Audit48::try_from(stored).expect("valid"), audit);
    }
}
