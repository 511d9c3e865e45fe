use super::super::category::Standing;
use super::super::criterion::Verdict;
use super::*;
use proptest::prelude::*;

/// An audit of 60 passes in which all twenty criteria are met: each is at its target, or just on the right side of it.
fn healthy() -> Vec<Pass49> {
    let mut totals = Totals49::default();
    let passes = (1..=60_u64).map(|nth| {
        totals.decisions += 10;
        match nth {
            // 5 novel goals, 10 judged, 3 approved, 1 completed.
            10..=14 => {
                totals = Totals49 {
                    generated: totals.generated + 1,
                    judged: totals.judged + 2,
                    ..totals
                }
            }
            15..=17 => totals.approved += 1,
            20 => totals.completed += 1,
            // 20 mutations, all sandboxed, one taken back.
            21..=40 => {
                totals.mutations += 1;
                totals.mutations_sandboxed += 1;
                totals.mutations_taken_back += u64::from(nth == 40);
            }
            41 => totals.adaptations += 1,
            42..=44 => totals.recommendations += 1,
            // 89 of 600 decisions.
            45 => totals.vetoes += 89,
            50..=54 => totals.rollbacks += 1,
            _ => {}
        }
        Pass49 {
            cycle: 50 * nth,
            totals,
            alignment: (15..=17).contains(&nth).then_some(0.75),
            values_operational: true,
            total_drift: 0.249,
            survival_operational: true,
            survival_error: (nth > 30).then_some(0.1875),
            constrained: nth == 41,
            peers: 2,
            prediction_accuracy: Some(0.625),
            trust_error: Some(0.140625),
            max_rho: Some(0.979),
            min_identity: Some(0.88),
            l48_met: (nth > 30).then_some(true),
        }
    });
    passes.collect()
}

fn report_of(passes: &[Pass49]) -> Report {
    let mut audit = Audit49::default();
    passes.iter().for_each(|pass| audit.feed(pass));
    audit.report()
}

/// The healthy audit with each pass changed.
fn changed(change: impl FnMut(&mut Pass49)) -> Report {
    let mut passes = healthy();
    passes.iter_mut().for_each(change);
    report_of(&passes)
}

fn value(report: &Report, id: &str) -> Option<f64> {
    report.reading(id).expect("a criterion").value
}

fn failed(report: &Report) -> Vec<&str> {
    let failed = report
        .readings
        .iter()
        .filter(|reading| reading.verdict == Verdict::Failed);
    failed.map(|reading| &*reading.id).collect()
}

#[test]
fn a_level_that_meets_all_twenty_criteria_at_their_targets_qualifies_with_an_ams_of_one() {
    let report = report_of(&healthy());
    assert_eq!(failed(&report), Vec::<&str>::new());
    assert!(
        report.readings.iter().all(|reading| reading.verdict == Verdict::Passed),
        "{report}"
    );
    assert_eq!(
        (report.qualified, report.readings.len(), report.cycle),
        (true, 20, 3_000)
    );
    assert!((report.score - 1.0).abs() < 1e-12 && report.still_met());
    let expected = [
        ("AG-1", 5.0),
        ("AG-2", 0.3),
        ("AG-3", 1.0),
        ("AG-4", 0.75),
        ("VR-1", 1.0),
        ("VR-2", 0.249),
        ("VR-3", 1.0),
        ("VR-4", 0.95),
        ("RA-1", 1.0),
        ("RA-2", 0.1875),
        ("RA-3", 1.0),
        ("RA-4", 0.0),
        ("MA-1", 0.625),
        ("MA-2", 0.140625),
        ("MA-3", 3.0),
        ("AS-1", 0.979),
        ("AS-2", 0.88),
        ("AS-3", 89.0 / 600.0),
        ("AS-4", 5.0),
        ("AS-5", 1.0),
    ];
    for (id, expected) in expected {
        assert!((value(&report, id).expect(id) - expected).abs() < 1e-12, "{id}");
    }
}

#[test]
fn each_sabotage_fails_its_criterion_and_only_that() {
    type Sabotage = fn(&mut Pass49);
    let table: [(&str, Sabotage); 20] = [
        ("AG-1", |pass| pass.totals.generated = pass.totals.generated.min(4)),
        ("AG-2", |pass| {
            pass.totals.judged += pass.totals.judged / 50 + u64::from(pass.totals.judged == 10)
        }),
        ("AG-3", |pass| pass.totals.completed = 0),
        ("AG-4", |pass| pass.alignment = pass.alignment.map(|_| 0.69)),
        ("VR-1", |pass| pass.values_operational = pass.cycle != 500),
        ("VR-2", |pass| {
            pass.total_drift = if pass.cycle == 500 { 0.25 } else { 0.0 }
        }),
        ("VR-3", |pass| {
            pass.totals.mutations_sandboxed -= u64::from(pass.cycle > 1_500)
        }),
        ("VR-4", |pass| {
            pass.totals.mutations_taken_back += u64::from(pass.cycle > 2_500)
        }),
        ("RA-1", |pass| pass.survival_operational = pass.cycle != 500),
        ("RA-2", |pass| pass.survival_error = pass.survival_error.map(|_| 0.201)),
        ("RA-3", |pass| pass.totals.adaptations = 0),
        ("RA-4", |pass| pass.totals.surprises = u64::from(pass.cycle > 1_000)),
        ("MA-1", |pass| pass.prediction_accuracy = Some(0.599)),
        ("MA-2", |pass| pass.trust_error = Some(0.151)),
        ("MA-3", |pass| {
            pass.totals.recommendations = pass.totals.recommendations.min(2)
        }),
        ("AS-1", |pass| {
            pass.max_rho = Some(if pass.cycle == 500 { 0.98 } else { 0.5 })
        }),
        ("AS-2", |pass| {
            pass.min_identity = Some(if pass.cycle == 500 { 0.879 } else { 0.95 })
        }),
        ("AS-3", |pass| pass.totals.vetoes += u64::from(pass.cycle > 2_500)),
        ("AS-4", |pass| pass.totals.rollbacks += u64::from(pass.cycle > 2_900)),
        ("AS-5", |pass| pass.l48_met = pass.l48_met.map(|_| pass.cycle < 3_000)),
    ];
    for (id, sabotage) in table {
        let report = changed(sabotage);
        assert_eq!(failed(&report), [id], "{report}");
        let reading = report.reading(id).expect("a criterion");
        assert_eq!(report.qualified, !reading.target.always, "{report}");
        assert_eq!(reading.bars(), reading.target.always);
    }
}

#[test]
fn no_target_moves_by_two_percent_unseen() {
    let targets: Vec<(f64, bool)> = CRITERIA.iter().map(|c| (c.target.value, c.target.always)).collect();
    let graded = |value| (value, false);
    let always = |value| (value, true);
    let expected = [
        [graded(5.0), graded(0.30), graded(1.0), graded(0.70), always(1.0)],
        [always(0.25), always(1.0), graded(0.95), always(1.0), graded(0.20)],
        [graded(1.0), always(0.0), graded(0.60), graded(0.15), graded(3.0)],
        [always(0.98), always(0.88), graded(0.15), graded(5.0), always(1.0)],
    ];
    assert_eq!(targets, expected.concat());
    assert_eq!(
        (NEEDED_AMS, PASS_CYCLES, WINDOW_PASSES, WINDOW_CYCLES),
        (0.80, 50, 60, 3_000)
    );
}

#[test]
fn the_ams_is_the_hand_worked_sum_of_definition_11() {
    let report = changed(|pass| {
        // AG: 2 of 5 goals, the rest met: (0.4 + 1 + 1 + 1) / 4 = 0.85.
        pass.totals.generated = pass.totals.generated.min(2);
        // VR: 10 of 20 taken back: (1 + 1 + 1 + 0.5 / 0.95) / 4.
        pass.totals.mutations_taken_back = if pass.cycle >= 2_000 { 10 } else { 0 };
        // RA: an error of 0.4: (1 + 0.5 + 1 + 1) / 4 = 0.875.
        pass.survival_error = pass.survival_error.map(|_| 0.4);
        // MA: (0.3 / 0.6 + 1 + 1) / 3 = 5 / 6.
        pass.prediction_accuracy = Some(0.3);
        // AS: 10 rollbacks: (1 + 1 + 1 + 0.5 + 1) / 5 = 0.9.
        pass.totals.rollbacks *= 2;
    });
    let vr = (3.0 + 0.5 / 0.95) / 4.0;
    let scores: Vec<f64> = report.categories.iter().map(|category| category.score).collect();
    for (score, expected) in scores.iter().zip([0.85, vr, 0.875, 5.0 / 6.0, 0.9]) {
        assert!((score - expected).abs() < 1e-6, "{score} {expected}");
    }
    let ams = 0.25 * 0.85 + 0.20 * vr + 0.20 * 0.875 + 0.15 * 5.0 / 6.0 + 0.20 * 0.9;
    assert!(
        (report.score - ams).abs() < 1e-6 && report.qualified,
        "{}",
        report.score
    );
    assert!(!report.still_met(), "criteria have failed");
}

#[test]
fn an_ams_just_below_four_fifths_does_not_qualify() {
    // Each criterion that counts in parts at `share` of its target: AMS by the categories' always and graded criteria.
    let report = changed(|pass| {
        pass.totals.generated = 0;
        pass.totals.approved = 0;
        pass.alignment = None;
    });
    // AG: (0 + 0 + 1) / 3; the alignment of nothing is no evidence. 0.25 / 3 + 0.75 = 0.8333.
    assert!(
        (report.score - (0.25 / 3.0 + 0.75)).abs() < 1e-12 && report.qualified,
        "{}",
        report.score
    );
    let report = changed(|pass| {
        pass.totals.generated = 0;
        pass.totals.approved = 0;
        pass.alignment = None;
        // MA: 0, 1, 1: 0.15 x 2 / 3, so 0.7833.
        pass.prediction_accuracy = Some(0.0);
    });
    assert!(
        (report.score - (0.25 / 3.0 + 0.60 + 0.10)).abs() < 1e-12 && !report.qualified,
        "{}",
        report.score
    );
    assert_eq!(report.reasons, ["AMS 0.783 is below 0.80"]);
}

#[test]
fn an_agent_without_peers_is_judged_without_that_category_and_the_report_says_so() {
    let alone = |pass: &mut Pass49| {
        pass.peers = 0;
        (pass.prediction_accuracy, pass.trust_error, pass.totals.recommendations) = (None, None, 0);
    };
    let report = changed(alone);
    assert_eq!(report.categories[PEERS].standing, Standing::LeftOut);
    assert_eq!(
        report.notes,
        ["multi-agent modeling left out: the agent has met no peer in the window"]
    );
    assert!(report.qualified && (report.score - 1.0).abs() < 1e-12);
    // The others keep their proportions: AG at 0.75 costs 0.25 x 0.25 / 0.85.
    let report = changed(|pass| {
        alone(pass);
        pass.totals.completed = 0;
    });
    assert!((report.score - (1.0 - 0.0625 / 0.85)).abs() < 1e-12, "{}", report.score);
    // With a peer of which nothing is known the category is judged, and what was not recommended counts.
    let report = changed(|pass| {
        alone(pass);
        pass.peers = 1;
    });
    assert_eq!(
        (value(&report, "MA-1"), value(&report, "MA-2"), value(&report, "MA-3")),
        (None, None, Some(0.0))
    );
    assert!((report.score - 0.85).abs() < 1e-12 && failed(&report) == ["MA-3"]);
}

#[test]
fn what_has_no_evidence_is_never_passed_and_its_weight_goes_to_the_others() {
    let report = changed(|pass| {
        pass.totals = Totals49 {
            generated: pass.totals.generated,
            completed: pass.totals.completed,
            ..Totals49::default()
        };
        (pass.alignment, pass.survival_error, pass.constrained) = (None, None, false);
        (pass.max_rho, pass.min_identity, pass.l48_met) = (None, None, None);
    });
    for id in [
        "AG-2", "AG-4", "VR-3", "VR-4", "RA-2", "RA-3", "AS-1", "AS-2", "AS-3", "AS-5",
    ] {
        let reading = report.reading(id).expect("a criterion");
        assert_eq!(
            (reading.verdict, reading.value, reading.score),
            (Verdict::NoEvidence, None, None),
            "{id}"
        );
    }
    let without_ma3 = 0.15 * 2.0 / 3.0;
    assert!((report.score - (0.85 + without_ma3)).abs() < 1e-12, "{report}");
}

#[test]
fn nothing_is_passed_before_sixty_passes_and_nothing_qualifies() {
    let passes = healthy();
    let mut audit = Audit49::default();
    for (nth, pass) in passes.iter().enumerate() {
        let report = audit.report();
        let warming = Verdict::WarmingUp {
            n: 50 * nth as u32,
            of: 3_000,
        };
        assert!(report.readings.iter().all(|reading| reading.verdict == warming));
        assert!(!report.qualified && report.is_warming_up() && !report.still_met());
        assert_eq!(report.reasons[0], format!("warming up ({} of 3000 cycles)", 50 * nth));
        audit.feed(pass);
    }
    assert!(audit.report().qualified && !audit.report().is_warming_up());
}

#[test]
fn nothing_at_all_fails_every_category_with_peers_left_out() {
    let report = Audit49::default().report();
    assert_eq!(report.score, 0.0);
    let standings: Vec<Standing> = report.categories.iter().map(|category| category.standing).collect();
    let none = Standing::NoEvidence;
    assert_eq!(standings, [none, none, none, Standing::LeftOut, none]);
    assert!(
        report
            .reasons
            .contains(&"value regulation: no evidence of any criterion".to_owned())
    );
}

#[test]
fn what_is_older_than_sixty_passes_is_forgotten() {
    let mut passes = healthy();
    passes[0].max_rho = Some(1.5);
    let mut audit = Audit49::default();
    passes.iter().for_each(|pass| audit.feed(pass));
    assert_eq!(value(&audit.report(), "AS-1"), Some(1.5));
    let last = passes[59];
    audit.feed(&Pass49 { cycle: 3_050, ..last });
    assert_eq!(value(&audit.report(), "AS-1"), Some(0.979));
}

#[test]
fn a_counter_that_went_back_with_its_level_counts_from_there_and_what_was_before_the_audit_does_not_count() {
    let pass = |generated| Pass49 {
        totals: Totals49 {
            generated,
            ..Totals49::default()
        },
        ..Pass49::default()
    };
    let mut audit = Audit49::new(pass(100).totals);
    [103, 2, 5]
        .into_iter()
        .for_each(|generated| audit.feed(&pass(generated)));
    assert_eq!(value(&audit.report(), "AG-1"), Some(6.0));
}

#[test]
fn the_mean_alignment_is_over_goals_and_not_over_passes() {
    let report = changed(|pass| {
        pass.totals.approved = match pass.cycle {
            0..100 => 0,
            100..200 => 3,
            _ => 4,
        };
        pass.alignment = match pass.cycle {
            100 => Some(0.5),
            200 => Some(1.0),
            _ => None,
        };
    });
    assert_eq!(value(&report, "AG-4"), Some(0.625));
}

#[test]
fn an_audit_is_small_and_reads_back_equal() {
    let mut audit = Audit49::default();
    healthy().iter().for_each(|pass| audit.feed(pass));
    let stored = bincode::serde::encode_to_vec(&audit, bincode::config::standard()).expect("stored");
    let resident = std::mem::size_of::<Audit49>() + WINDOW_PASSES as usize * std::mem::size_of::<Block>();
    println!("{} bytes stored, {resident} resident", stored.len());
    assert!(
        stored.len() <= 8 << 10 && resident <= 8 << 10,
        "{} {resident}",
        stored.len()
    );
    let (back, _): (Audit49, _) =
        bincode::serde::decode_from_slice(&stored, bincode::config::standard()).expect("read");
    assert_eq!(back, audit);
}

#[test]
fn a_stored_audit_that_no_passes_could_have_left_is_refused() {
    let raw = RawAudit49::from(Audit49::default());
    assert!(Audit49::try_from(raw.clone()).is_ok());
    let passes = History::new(59);
    assert!(Audit49::try_from(RawAudit49 { passes, ..raw }).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_is_fed_the_ams_is_a_share_and_all_that_is_told_is_a_number(
        floats in prop::collection::vec(prop::num::f64::ANY, 7),
        counters in prop::collection::vec(prop::num::u64::ANY, 13),
        flags in prop::num::u16::ANY,
    ) {
        let mut audit = Audit49::default();
        for nth in 0..62_u16 {
            let float = |place: usize| floats[(place + usize::from(nth)) % floats.len()];
            let count = |place: usize| counters[(place + usize::from(nth)) % counters.len()] >> (nth % 64);
            let flag = |place: u16| flags.rotate_left(u32::from(nth)) >> place & 1 == 1;
            audit.feed(&Pass49 {
                cycle: count(0),
                totals: Totals49 {
                    generated: count(0), judged: count(1), approved: count(2), completed: count(3), mutations: count(4),
                    mutations_sandboxed: count(5), mutations_taken_back: count(6), adaptations: count(7),
                    surprises: count(8), recommendations: count(9), decisions: count(10), vetoes: count(11),
                    rollbacks: count(12),
                },
                alignment: flag(0).then(|| float(0)),
                values_operational: flag(1),
                total_drift: float(1),
                survival_operational: flag(2),
                survival_error: flag(3).then(|| float(2)),
                constrained: flag(4),
                peers: count(1) as u32,
                prediction_accuracy: flag(5).then(|| float(3)),
                trust_error: flag(6).then(|| float(4)),
                max_rho: flag(7).then(|| float(5)),
                min_identity: flag(8).then(|| float(6)),
                l48_met: flag(9).then(|| flag(10)),
            });
            let report = audit.report();
            prop_assert!((0.0..=1.0).contains(&report.score), "{}", report.score);
            prop_assert!(report.categories.iter().all(|category| (0.0..=1.0).contains(&category.score)));
            for reading in &report.readings {
                prop_assert!(reading.value.is_none_or(f64::is_finite) && reading.score.is_none_or(|s| (0.0..=1.0).contains(&s)));
            }
            prop_assert!(!report.to_string().contains("NaN"));
        }
        let stored = RawAudit49::from(audit.clone());
        prop_assert_eq!(Audit49::try_from(stored).expect("valid"), audit);
    }
}
