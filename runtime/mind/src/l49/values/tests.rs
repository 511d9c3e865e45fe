use super::*;
use crate::budget::BudgetExceeded;
use crate::lookahead::{Broken, LookaheadError, LookaheadReport, MAX_RESOURCES};
use proptest::prelude::*;
use rungs_types::Invariant;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard()).unwrap()
}

fn restore<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let read = bincode::serde::decode_from_slice(bytes, bincode::config::standard());
    read.ok().map(|(value, _)| value)
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

fn vector(weights: [f64; DIMENSIONS]) -> ValueVector {
    ValueVector::try_from(weights).unwrap()
}

fn growth(delta: f64) -> Mutation {
    let dimension = ValueDimension::Growth;
    Mutation { dimension, delta }
}

fn trial(seof: f64) -> Trial {
    Trial {
        seof,
        intact: true,
        goal_rate: Some(0.5),
    }
}

/// A simulation in which a mutation changes nothing.
fn neutral(_: &ValueVector, _: u32) -> Result<Trial, LookaheadError> {
    Ok(trial(0.4))
}

/// Admits, approves and applies.
fn mutate(values: &mut Values, mutation: Mutation, cycle: u64) -> Applied {
    values.admit(values.check(&mutation, cycle).unwrap());
    let pending = *values.pending().last().unwrap();
    let verdict = values.evaluate(&pending, cycle, neutral);
    assert_eq!(verdict, Verdict::Approved);
    assert!(values.settle(&pending, verdict, cycle));
    *values.reversible(cycle).last().unwrap()
}

#[test]
fn the_baseline_weighs_stability_growth_and_purpose_most_and_sums_to_1() {
    let weights = *ValueVector::BASELINE.weights();
    assert_eq!(weights, [0.20, 0.20, 0.20, 0.15, 0.10, 0.10, 0.05]);
    close(weights.iter().sum(), 1.0);
    assert_eq!(ValueVector::default().total_drift(), 0.0);
}

#[test]
fn weights_off_the_simplex_are_refused() {
    for wrong in [
        [0.3, 0.2, 0.2, 0.15, 0.10, 0.10, 0.05],
        [0.25, 0.2, 0.2, 0.15, 0.10, 0.15, -0.05],
        [f64::NAN, 0.2, 0.2, 0.15, 0.10, 0.10, 0.05],
        [f64::INFINITY, 0.2, 0.2, 0.15, 0.10, 0.10, 0.05],
        [0.0; DIMENSIONS],
    ] {
        assert!(ValueVector::try_from(wrong).is_err(), "{wrong:?}");
        assert_eq!(restore::<ValueVector>(&bytes(&wrong)), None, "{wrong:?}");
    }
}

#[test]
fn a_renormalised_change_counts_as_drift_of_every_dimension() {
    // 0.25 / 1.05 = 0.238095; the six others shrink by 1/21: in all as much as growth gains.
    let after = ValueVector::BASELINE.with(ValueDimension::Growth, 0.05);
    close(after.weight(ValueDimension::Growth), 0.238_095_238_1);
    close(after.weight(ValueDimension::Stability), 0.190_476_190_5);
    close(after.max_drift(), 0.038_095_238_1);
    close(after.total_drift(), 0.076_190_476_2);
}

#[test]
fn a_weight_does_not_go_below_0() {
    let low = vector([0.20, 0.20, 0.20, 0.17, 0.10, 0.10, 0.03]);
    let after = low.with(ValueDimension::AgentCooperation, -0.05);
    assert_eq!(after.weight(ValueDimension::AgentCooperation), 0.0);
    close(after.weight(ValueDimension::Efficiency), 0.17 / 0.97);
}

#[test]
fn the_literal_coherence_is_always_1_and_that_of_the_criterion_falls_with_tension() {
    assert_eq!(ValueVector::BASELINE.coherence(), 1.0);
    // Growth and safety weigh 0.40: tension 0.5, over three pairs.
    let tense = vector([0.20, 0.24, 0.20, 0.05, 0.10, 0.16, 0.05]);
    close(tense.coherence(), 1.0 - 0.5 / 3.0);
    assert_eq!(tense.literal_coherence(), 1.0);
    // 0.35 is not tense; from 0.45 on tension is complete.
    close(vector([0.20, 0.22, 0.20, 0.10, 0.10, 0.13, 0.05]).coherence(), 1.0);
    close(
        vector([0.10, 0.30, 0.20, 0.10, 0.05, 0.20, 0.05]).coherence(),
        2.0 / 3.0,
    );
    let one = vector([0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    close(one.coherence(), 1.0 / 3.0);
    assert_eq!(one.literal_coherence(), 1.0);
}

#[test]
fn a_goal_is_aligned_by_how_little_it_would_move_the_values() {
    // |v| = sqrt(0.165); |e_growth - v| = sqrt(0.765): 1 - 0.1 * 0.874643 / 0.406202.
    let mut intent = [0.0; DIMENSIONS];
    intent[ValueDimension::Growth as usize] = 1.0;
    close(
        ValueVector::BASELINE.alignment(&intent, 0.1),
        1.0 - 0.1 * (0.765_f64 / 0.165).sqrt(),
    );
    assert_eq!(ValueVector::BASELINE.alignment(&intent, 0.0), 1.0);
    assert_eq!(ValueVector::BASELINE.alignment(&intent, 0.9), 0.0, "not below 0");
    assert_eq!(ValueVector::BASELINE.alignment(&[0.0; DIMENSIONS], 0.1), 0.0);
    assert_eq!(ValueVector::BASELINE.alignment(&[f64::NAN; DIMENSIONS], 0.1), 0.0);
    assert_eq!(ValueVector::BASELINE.alignment(&intent, f64::NAN), 0.0);
}

#[test]
fn at_the_baseline_the_derived_weights_are_those_of_the_levels_below() {
    let Derived {
        seof,
        priority,
        strategy,
    } = Derived::of(&ValueVector::BASELINE);
    assert_eq!(seof, [0.25, 0.25, 0.20, 0.20, 0.10]);
    assert_eq!(priority, [0.25, 0.15, 0.25, 0.20, 0.15]);
    assert_eq!(strategy, [0.40, 0.35, 0.25]);
}

#[test]
fn a_value_that_weighs_more_carries_more_of_what_it_stands_for() {
    // Growth from 0.20 to 0.25, safety from 0.10 to 0.05: strategy 0.40 * 1.25, 0.35 * 0.5, 0.25 = 0.925 in all.
    let bold = vector([0.20, 0.25, 0.20, 0.15, 0.10, 0.05, 0.05]);
    let [expected, risk, change] = Derived::of(&bold).strategy;
    close(expected, 0.5 / 0.925);
    close(risk, 0.175 / 0.925);
    close(change, 0.25 / 0.925);
    // SEOF: 0.3125, 0.25, 0.20, 0.20, 0.10 = 1.0625.
    close(Derived::of(&bold).seof[0], 0.3125 / 1.0625);
    let only_cooperation = vector([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(Derived::of(&only_cooperation), Derived::of(&ValueVector::BASELINE));
}

#[test]
fn drift_is_moderate_from_0_10_elevated_from_0_25_and_critical_from_0_40() {
    let bands = [0.0, 0.0999, 0.10, 0.2499, 0.25, 0.3999, 0.40, 2.0, f64::NAN].map(DriftBand::of);
    use DriftBand::{Critical, Elevated, Moderate, Nominal};
    assert_eq!(
        bands,
        [
            Nominal, Nominal, Moderate, Moderate, Elevated, Elevated, Critical, Critical, Critical
        ]
    );
    assert_eq!(
        [Nominal, Moderate, Elevated, Critical].map(DriftBand::freezes_mutations),
        [false, false, true, true]
    );
    assert_eq!(
        [Nominal, Moderate, Elevated, Critical].map(DriftBand::reverts),
        [false, false, false, true]
    );
}

#[test]
fn drift_is_checked_every_50_cycles() {
    let mut monitor = DriftMonitor::default();
    assert!(monitor.due(7), "never checked");
    let status = monitor.check(&ValueVector::BASELINE, 7);
    monitor.apply(&status, &ValueVector::BASELINE);
    assert!(!monitor.due(56));
    assert!(monitor.due(57));
}

/// Growth at 0.06 per 50 cycles, either way: 0.0012 per cycle.
fn moving(step: u64) -> ValueVector {
    let growth = 0.06 * step as f64;
    let rest = (1.0 - growth) / 6.0;
    vector(std::array::from_fn(|d| if d == 1 { growth } else { rest }))
}

#[test]
fn a_weight_that_moves_faster_than_0_001_for_200_cycles_is_an_alert_and_halves_its_mutations() {
    for upward in [true, false] {
        let mut monitor = DriftMonitor::default();
        for check in 0..=6_u64 {
            let vector = moving(if upward { check } else { 6 - check });
            let status = monitor.check(&vector, 50 * check);
            let found = status.dimensions[ValueDimension::Growth as usize];
            let velocity = if upward { 0.0012 } else { -0.0012 };
            close(found.velocity, if check < 2 { 0.0 } else { velocity });
            assert_eq!(found.sustained, check == 6, "fast since cycle 100: 200 cycles at 300");
            assert!(!status.dimensions[0].sustained, "the others move by 0.0002");
            monitor.apply(&status, &vector);
        }
        assert_eq!(monitor.mutation_factor(ValueDimension::Growth), 0.5);
        assert_eq!(monitor.mutation_factor(ValueDimension::Safety), 1.0);
        let still = moving(if upward { 6 } else { 0 });
        for check in 7..=8 {
            monitor.apply(&monitor.check(&still, 50 * check), &still);
        }
        assert_eq!(monitor.mutation_factor(ValueDimension::Growth), 1.0, "it stands still");
    }
}

/// 20 goals, half of which serve growth; `good` of those gained SEOF, and 10 - `good` of the others.
fn goals(good: usize) -> Evidence {
    let mut evidence = Evidence::default();
    for goal in 0..20 {
        let serves = goal < 10;
        let gains = if serves { goal < good } else { goal - 10 < 10 - good };
        let mut shares = [0.0; DIMENSIONS];
        shares[ValueDimension::Growth as usize] = f64::from(u8::from(serves));
        let seof_change = f64::from(u8::from(gains));
        evidence.note(GoalEvidence { shares, seof_change });
    }
    evidence
}

#[test]
fn a_mutation_is_a_tenth_of_the_correlation_at_most_0_05_and_none_up_to_0_3() {
    // 7 of 10 against 3 of 10: (49 - 9) / 100 = 0.4; 9 against 1: 0.8; 6 against 4: 0.2.
    let monitor = DriftMonitor::default();
    let deltas = |good| {
        goals(good)
            .proposals(&monitor)
            .iter()
            .map(|m| m.delta)
            .collect::<Vec<_>>()
    };
    close(goals(7).correlation(ValueDimension::Growth).unwrap(), 0.4);
    assert_eq!(goals(7).proposals(&monitor)[0].dimension, ValueDimension::Growth);
    close(deltas(7)[0], 0.04);
    close(deltas(3)[0], -0.04);
    assert_eq!(deltas(9), [0.05]);
    assert_eq!(deltas(1), [-0.05]);
    assert!(deltas(6).is_empty());
    assert_eq!(goals(7).correlation(ValueDimension::Safety), None, "it does not vary");
}

#[test]
fn nine_goals_are_no_evidence_and_ten_are() {
    let mut evidence = Evidence::default();
    for goal in 0..10 {
        assert_eq!(evidence.correlation(ValueDimension::Safety), None);
        let share = f64::from(goal) / 10.0;
        evidence.note(GoalEvidence {
            shares: [share; DIMENSIONS],
            seof_change: -share,
        });
    }
    close(evidence.correlation(ValueDimension::Safety).unwrap(), -1.0);
}

#[test]
fn mutations_are_proposed_every_200_cycles() {
    let mut evidence = Evidence::default();
    assert!(evidence.due(0));
    evidence.proposed_at(10);
    assert!(!evidence.due(209));
    assert!(evidence.due(210));
}

#[test]
fn a_mutation_above_0_05_is_refused_and_one_of_0_05_is_not() {
    let values = Values::default();
    for size in [0.05, -0.05] {
        assert!(values.check(&growth(size), 0).is_ok());
    }
    for size in [0.050_001, -0.050_001, 0.0, f64::NAN, f64::INFINITY] {
        assert!(
            matches!(values.check(&growth(size), 0), Err(Refusal::Size { .. })),
            "{size}"
        );
    }
}

#[test]
fn what_weighs_nothing_is_not_made_less_of_and_what_weighs_little_is() {
    let less = |delta| Mutation {
        dimension: ValueDimension::AgentCooperation,
        delta,
    };
    let nothing = at([0.22, 0.22, 0.20, 0.15, 0.11, 0.10, 0.0]);
    assert_eq!(nothing.check(&less(-0.05), 0), Err(Refusal::Size { delta: 0.0 }));
    assert!(nothing.check(&less(0.05), 0).is_ok());
    let little = at([0.22, 0.22, 0.20, 0.15, 0.10, 0.10, 0.01]);
    assert!(little.check(&less(-0.05), 0).is_ok());
}

fn at(weights: [f64; DIMENSIONS]) -> Values {
    #[derive(Serialize)]
    struct Raw {
        vector: ValueVector,
        checkpoint: ValueVector,
        pending: Vec<Pending>,
        applied: Vec<Applied>,
        recent: Vec<u64>,
        record: MutationRecord,
    }
    let raw = Raw {
        vector: vector(weights),
        checkpoint: ValueVector::BASELINE,
        pending: vec![],
        applied: vec![],
        recent: vec![],
        record: MutationRecord::default(),
    };
    restore(&bytes(&raw)).unwrap()
}

#[test]
fn a_dimension_drifts_by_0_15_at_most_and_may_always_come_back() {
    // Efficiency is at 0.25: 0.05 more is 0.15 from its baseline of 0.15 before the division.
    let efficiency = |delta| Mutation {
        dimension: ValueDimension::Efficiency,
        delta,
    };
    let values = at([0.17, 0.17, 0.18, 0.25, 0.08, 0.10, 0.05]);
    assert!(values.check(&efficiency(0.05), 0).is_ok());
    let values = at([0.17, 0.17, 0.179, 0.251, 0.08, 0.10, 0.05]);
    assert!(matches!(values.check(&efficiency(0.05), 0), Err(Refusal::Drift { .. })));
    assert!(values.check(&efficiency(-0.05), 0).is_ok());
}

#[test]
fn no_mutation_is_admitted_from_a_total_drift_of_0_25() {
    // Growth + 0.124 and stability - 0.124: 0.248; with 0.126: 0.252.
    let near = at([0.076, 0.324, 0.20, 0.15, 0.10, 0.10, 0.05]);
    assert!(near.check(&growth(-0.05), 0).is_ok());
    let over = at([0.074, 0.326, 0.20, 0.15, 0.10, 0.10, 0.05]);
    assert!(matches!(over.check(&growth(-0.05), 0), Err(Refusal::Frozen { .. })));
}

#[test]
fn a_mutation_that_makes_competing_values_incoherent_is_refused() {
    // Growth and safety weigh 0.405: tension 0.55. With safety + 0.04: 0.445 / 1.04 = 0.4279, tension 0.779, coherence
    // 0.7404.
    let values = at([0.19, 0.255, 0.19, 0.12, 0.07, 0.15, 0.025]);
    let safety = Mutation {
        dimension: ValueDimension::Safety,
        delta: 0.04,
    };
    assert!(matches!(values.check(&safety, 0), Err(Refusal::Incoherent { .. })));
    assert!(values.check(&Mutation { delta: 0.004, ..safety }, 0).is_ok());
}

#[test]
fn incoherent_values_may_become_more_coherent_and_not_less() {
    // Growth and safety weigh 0.415: tension 0.65, coherence 0.783.
    let values = at([0.17, 0.26, 0.17, 0.13, 0.08, 0.155, 0.035]);
    // 0.41 / 0.995 = 0.4121: coherence 0.793 is still too low, and better than it was.
    assert!(values.check(&growth(-0.005), 0).is_ok());
    assert!(matches!(
        values.check(&growth(0.01), 0),
        Err(Refusal::Incoherent { .. })
    ));
}

#[test]
fn two_mutations_that_pass_alone_are_not_both_applied_if_together_they_leave_the_bounds() {
    // Growth and safety weigh 0.38. Each + 0.03: 0.41 / 1.03 = 0.398, coherence 0.84; both: 0.44 / 1.06 = 0.415, 0.78.
    let mut values = at([0.19, 0.24, 0.19, 0.12, 0.08, 0.14, 0.04]);
    let safety = Mutation {
        dimension: ValueDimension::Safety,
        delta: 0.03,
    };
    for mutation in [growth(0.03), safety] {
        values.admit(values.check(&mutation, 0).unwrap());
    }
    let both: Vec<Pending> = values.pending().copied().collect();
    let verdicts: Vec<Verdict> = both
        .iter()
        .map(|pending| values.evaluate(pending, 0, neutral))
        .collect();
    assert_eq!(verdicts, [Verdict::Approved; 2]);
    assert!(values.settle(&both[0], verdicts[0], 0));
    assert!(!values.settle(&both[1], verdicts[1], 0));
    assert_eq!((values.pending().len(), values.record().applied), (0, 1));
    assert!(values.vector().coherence() >= MIN_COHERENCE);
}

#[test]
fn the_sandbox_holds_two_mutations_of_different_dimensions() {
    let mut values = Values::default();
    values.admit(values.check(&growth(0.01), 0).unwrap());
    assert_eq!(values.check(&growth(-0.01), 0), Err(Refusal::Sandbox), "same dimension");
    let of = |dimension| Mutation { dimension, delta: 0.01 };
    let stale = values.check(&of(ValueDimension::Efficiency), 0).unwrap();
    values.admit(values.check(&of(ValueDimension::Safety), 0).unwrap());
    assert_eq!(
        values.check(&of(ValueDimension::Efficiency), 0),
        Err(Refusal::Sandbox),
        "full"
    );
    values.admit(stale);
    assert_eq!(
        values.pending().len(),
        2,
        "an admission from before it was full is ignored"
    );
}

#[test]
fn the_fourth_mutation_within_200_cycles_is_refused() {
    let mut values = Values::default();
    for cycle in [10, 60, 110] {
        mutate(&mut values, growth(0.01), cycle);
    }
    assert_eq!(values.check(&growth(0.01), 209), Err(Refusal::TooMany { found: 4 }));
    assert!(
        values.check(&growth(0.01), 210).is_ok(),
        "that of cycle 10 is 200 cycles back"
    );
}

#[test]
fn mutations_in_the_sandbox_count_towards_the_three() {
    let mut values = Values::default();
    mutate(&mut values, growth(0.01), 10);
    mutate(&mut values, growth(0.01), 20);
    values.admit(values.check(&growth(0.01), 30).unwrap());
    let safety = Mutation {
        dimension: ValueDimension::Safety,
        delta: 0.01,
    };
    assert_eq!(values.check(&safety, 30), Err(Refusal::TooMany { found: 4 }));
}

#[test]
fn the_sandbox_allows_seof_to_lose_0_03_and_a_tenth_of_the_goals() {
    let without = trial(0.40);
    assert_eq!(judge(&without, &trial(0.37)), Ok(()));
    assert!(matches!(judge(&without, &trial(0.369)), Err(Rejection::Seof { .. })));
    let rate = |goal_rate| Trial { goal_rate, ..without };
    assert_eq!(judge(&without, &rate(Some(0.45))), Ok(()));
    assert!(matches!(
        judge(&without, &rate(Some(0.449))),
        Err(Rejection::Goals { .. })
    ));
    assert_eq!(judge(&rate(None), &rate(None)), Ok(()), "no goals to complete");
    let broken = Trial {
        intact: false,
        ..without
    };
    assert_eq!(judge(&without, &broken), Err(Rejection::Invariant));
    assert_eq!(judge(&broken, &without), Ok(()), "broken without it, whole with it");
    assert_eq!(judge(&without, &trial(f64::NAN)), Err(Rejection::Failed));
    assert_eq!(judge(&without, &rate(Some(f64::NAN))), Err(Rejection::Failed));
}

/// A simulation in which the mutation moves SEOF by `gap` after 150, 200 and 250 cycles.
fn gaps(gap: [f64; 3]) -> (Verdict, Vec<u32>) {
    let after = ValueVector::BASELINE.with(ValueDimension::Growth, 0.03);
    let mut asked = Vec::new();
    let verdict = run(&ValueVector::BASELINE, &after, |vector, cycles| {
        asked.push(cycles);
        let gap = gap[(cycles as usize - 150) / 50];
        Ok(trial(if *vector == after { 0.4 + gap } else { 0.4 }))
    });
    (verdict, asked)
}

#[test]
fn a_simulation_that_settles_is_judged_at_200_cycles_or_at_250() {
    assert_eq!(gaps([0.0, 0.01, 9.9]), (Verdict::Approved, vec![150, 150, 200, 200]));
    assert_eq!(gaps([0.0, 0.02, 0.03]).0, Verdict::Approved);
    assert_eq!(gaps([0.0, 0.02, 0.03]).1.last(), Some(&250));
    assert!(matches!(
        gaps([-0.03, -0.04, 0.0]).0,
        Verdict::Rejected(Rejection::Seof { .. })
    ));
}

#[test]
fn a_simulation_that_has_not_settled_by_250_cycles_is_a_timeout() {
    assert_eq!(gaps([0.0, 0.02, 0.031]).0, Verdict::Rejected(Rejection::Timeout));
    assert_eq!(gaps([0.0, f64::NAN, 0.0]).0, Verdict::Rejected(Rejection::Failed));
}

#[test]
fn a_mutation_waits_250_cycles_for_its_simulation_and_no_longer() {
    let mut values = Values::default();
    values.admit(values.check(&growth(0.01), 100).unwrap());
    let pending = *values.pending().next().unwrap();
    let no_time = |_: &ValueVector, _| Err(LookaheadError::Budget(BudgetExceeded));
    assert_eq!(values.evaluate(&pending, 350, no_time), Verdict::Waits);
    assert!(!values.settle(&pending, Verdict::Waits, 350));
    assert_eq!(values.pending().len(), 1);
    let late = values.evaluate(&pending, 351, neutral);
    assert_eq!(late, Verdict::Rejected(Rejection::Timeout));
    values.settle(&pending, late, 351);
    assert_eq!(values, Values::default());
}

#[test]
fn a_simulation_that_fails_rejects() {
    let mut values = Values::default();
    values.admit(values.check(&growth(0.01), 0).unwrap());
    let pending = *values.pending().next().unwrap();
    let failing = |_: &ValueVector, _| Err(LookaheadError::Range { what: "trend" });
    assert_eq!(
        values.evaluate(&pending, 0, failing),
        Verdict::Rejected(Rejection::Failed)
    );
}

#[test]
fn a_trial_is_read_from_a_lookahead_report() {
    let mut report = LookaheadReport {
        cycles: 200,
        seof_first: 0.4,
        seof_last: 0.3,
        max_c_l4: 0.2,
        min_iis: 0.9,
        max_uncertainty: 0.1,
        max_rho: 0.9,
        final_cdi: 0.5,
        goal_completion: Some(0.25),
        spent: [0.0; MAX_RESOURCES],
        broken: Broken::default(),
        cascade_depth: 0,
    };
    let expect = Trial {
        seof: 0.3,
        intact: true,
        goal_rate: Some(0.25),
    };
    assert_eq!(Trial::from(&report), expect);
    report.broken.insert(Invariant::Spectral);
    assert!(!Trial::from(&report).intact);
}

#[test]
fn nothing_but_an_approval_moves_a_weight() {
    let mut values = Values::default();
    values.admit(values.check(&growth(0.03), 0).unwrap());
    assert_eq!(values.vector(), &ValueVector::BASELINE);
    let pending = *values.pending().next().unwrap();
    let foreign = Pending { since: 1, ..pending };
    assert!(!values.settle(&foreign, Verdict::Approved, 0), "never admitted");
    assert_eq!(values.vector(), &ValueVector::BASELINE);
    assert!(values.settle(&pending, Verdict::Approved, 0));
    close(values.vector().weight(ValueDimension::Growth), 0.23 / 1.03);
    assert!(!values.settle(&pending, Verdict::Approved, 0), "once");
}

#[test]
fn a_mutation_is_taken_back_within_500_cycles_bit_for_bit_with_those_after_it() {
    let mut values = Values::default();
    let first = mutate(&mut values, growth(0.05), 100);
    let before = *values.vector();
    let second = mutate(&mut values, growth(-0.02), 400);
    let third = mutate(&mut values, growth(0.03), 450);
    assert!(!values.clone().roll_back(&first, 600), "500 cycles after it");
    assert!(values.clone().roll_back(&first, 599));
    assert_eq!(values.reversible(600).count(), 2);
    assert!(values.roll_back(&second, 600));
    assert_eq!(bytes(values.vector()), bytes(&before));
    assert!(!values.roll_back(&third, 600), "gone with the second");
    assert_eq!(
        values.record(),
        MutationRecord {
            applied: 3,
            rolled_back: 2
        }
    );
    close(values.record().preserved().unwrap(), 1.0 / 3.0);
}

#[test]
fn a_checkpoint_that_holds_a_mutation_goes_back_with_it() {
    let mut values = Values::default();
    let first = mutate(&mut values, growth(0.05), 100);
    values.verified();
    mutate(&mut values, growth(0.01), 150);
    values.roll_back(&first, 200);
    assert_eq!(values.checkpoint(), &ValueVector::BASELINE);
}

#[test]
fn a_critical_drift_reverts_to_the_last_stable_checkpoint() {
    let mut values = Values::default();
    mutate(&mut values, growth(0.05), 100);
    values.verified();
    let stable = *values.vector();
    mutate(&mut values, growth(0.05), 150);
    values.admit(values.check(&growth(0.01), 160).unwrap());
    let status = |band| DriftStatus {
        band,
        ..DriftMonitor::default().check(&stable, 200)
    };
    assert!(!values.follow(&status(DriftBand::Elevated)));
    assert!(values.follow(&status(DriftBand::Critical)));
    assert_eq!(values.vector(), &stable);
    assert_eq!(values.pending().len(), 0);
    assert_eq!(
        values.record(),
        MutationRecord {
            applied: 2,
            rolled_back: 1
        }
    );
    assert_eq!(values.reversible(200).count(), 1, "the one in the checkpoint");
}

#[test]
fn values_that_drifted_too_far_are_no_checkpoint() {
    let mut values = at([0.074, 0.326, 0.20, 0.15, 0.10, 0.10, 0.05]);
    values.verified();
    assert_eq!(values.checkpoint(), &ValueVector::BASELINE);
    let pending = Pending {
        mutation: growth(-0.05),
        since: 0,
    };
    assert_eq!(values.evaluate(&pending, 0, neutral), Verdict::Waits, "frozen");
}

#[derive(Debug, Clone)]
struct Op {
    cycles: u64,
    dimension: usize,
    delta: f64,
    seof: f64,
    kind: u8,
}

fn op() -> impl Strategy<Value = Op> {
    let number = prop_oneof![4 => -0.06..0.06, 1 => any::<f64>()];
    (0_u64..120, 0_usize..7, number.clone(), number, 0_u8..8).prop_map(|(cycles, dimension, delta, seof, kind)| Op {
        cycles,
        dimension,
        delta,
        seof,
        kind,
    })
}

proptest! {
    #[test]
    fn whatever_is_tried_the_weights_stay_on_the_simplex_within_their_bounds(ops in prop::collection::vec(op(), 1..60)) {
        let (mut values, mut cycle, mut times) = (Values::default(), 0, Vec::new());
        for Op { cycles, dimension, delta, seof, kind } in ops {
            cycle += cycles;
            let mutation = Mutation { dimension: ValueDimension::ALL[dimension], delta };
            let before = bytes(&values);
            match values.check(&mutation, cycle) {
                Ok(admission) => values.admit(admission),
                Err(_) => prop_assert_eq!(&bytes(&values), &before),
            }
            let pending = values.pending().next().copied();
            if let Some(pending) = pending.filter(|_| kind < 6) {
                let base = *values.vector();
                let simulate = |vector: &ValueVector, _| Ok(trial(if *vector == base { 0.0 } else { seof }));
                let verdict = values.evaluate(&pending, cycle, simulate);
                if values.settle(&pending, verdict, cycle) {
                    times.push(cycle);
                }
            }
            match kind {
                5 => values.verified(),
                6 => values.revert(),
                7 => {
                    let last = values.reversible(cycle).last().copied();
                    last.iter().for_each(|applied| prop_assert_ok(values.roll_back(applied, cycle)));
                }
                _ => {}
            }
            let vector = values.vector();
            prop_assert!(vector.weights().iter().all(|w| (0.0..=1.0).contains(w)));
            prop_assert!((vector.weights().iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(vector.max_drift() <= MAX_DIMENSION_DRIFT + 1e-9);
            prop_assert!((0.0..=1.0).contains(&vector.coherence()));
            prop_assert!(vector.coherence() >= MIN_COHERENCE);
            let window = times.iter().filter(|then| cycle - **then < MUTATION_WINDOW_CYCLES).count();
            prop_assert!(window <= MAX_MUTATIONS);
            let restored = restore::<Values>(&bytes(&values));
            prop_assert_eq!(restored.as_ref(), Some(&values));
        }
    }

    #[test]
    fn whatever_is_valued_derived_weights_are_a_distribution(raw in prop::array::uniform7(0.0..1.0_f64)) {
        let sum: f64 = raw.iter().sum();
        prop_assume!(sum > 1e-3);
        let Derived { seof, priority, strategy } = Derived::of(&vector(raw.map(|weight| weight / sum)));
        for group in [&seof[..], &priority, &strategy] {
            prop_assert!(group.iter().all(|weight| (0.0..=1.0 + 1e-12).contains(weight)));
            prop_assert!((group.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_rejected_mutation_leaves_no_trace(delta in -0.05..0.05, dimension in 0_usize..7, loss in 0.031..9.0_f64) {
        let mut values = Values::default();
        mutate(&mut values, growth(0.02), 50);
        let mutation = Mutation { dimension: ValueDimension::ALL[dimension], delta };
        let before = bytes(&values);
        if let Ok(admission) = values.check(&mutation, 400) {
            values.admit(admission);
            let base = *values.vector();
            let pending = *values.pending().next().unwrap();
            let simulate = |vector: &ValueVector, _| Ok(trial(if *vector == base { 0.0 } else { 0.0 - loss }));
            let verdict = values.evaluate(&pending, 400, simulate);
            prop_assert!(matches!(verdict, Verdict::Rejected(Rejection::Seof { .. })), "rejected for SEOF");
            values.settle(&pending, verdict, 400);
        }
        prop_assert_eq!(bytes(&values), before);
    }

    #[test]
    fn whatever_goals_report_proposals_are_finite_and_small(
        goals in prop::collection::vec((prop::array::uniform7(prop_oneof![3 => 0.0..1.0, 1 => any::<f64>()]), any::<f64>()), 0..60)
    ) {
        let mut evidence = Evidence::default();
        for (at, (shares, seof)) in goals.into_iter().enumerate() {
            let seof_change = if at % 3 == 0 { seof } else { seof.sin() };
            evidence.note(GoalEvidence { shares, seof_change });
        }
        for Mutation { delta, .. } in evidence.proposals(&DriftMonitor::default()) {
            prop_assert!(delta.abs() > 0.03 && delta.abs() <= MAX_MUTATION);
        }
        prop_assert_eq!(restore::<Evidence>(&bytes(&evidence)), Some(evidence));
    }

    #[test]
    fn stored_values_that_cannot_have_been_are_refused_or_whole(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut values = Values::default();
        mutate(&mut values, growth(0.02), 50);
        values.admit(values.check(&growth(0.02), 60).unwrap());
        let mut stored = bytes(&values);
        for (at, byte) in flips {
            let at = at.index(stored.len());
            stored[at] = byte;
        }
        if let Some(values) = restore::<Values>(&stored) {
            prop_assert!((values.vector().weights().iter().sum::<f64>() - 1.0).abs() < 1e-8);
            prop_assert!(values.pending().len() <= MAX_PENDING);
            prop_assert!(values.pending().all(|p| p.mutation.delta.abs() <= MAX_MUTATION));
        }
    }
}

fn prop_assert_ok(done: bool) {
    assert!(done, "the newest mutation can be taken back");
}

#[test]
fn a_correlation_of_0_303_asks_for_a_mutation_and_one_of_0_297_does_not() {
    // Two patterns that have nothing in common, each of mean 0 and size 1: their mixture correlates by its share.
    let asked = |correlation: f64| {
        let mut evidence = Evidence::default();
        for goal in 0..12 {
            let serves = if goal % 2 == 0 { 1.0 } else { -1.0 };
            let other = if goal % 4 < 2 { 1.0 } else { -1.0 };
            let mut shares = [0.0; DIMENSIONS];
            shares[ValueDimension::Growth as usize] = 0.5 + 0.1 * serves;
            let seof_change = 0.1 * (correlation * serves + (1.0 - correlation * correlation).sqrt() * other);
            evidence.note(GoalEvidence { shares, seof_change });
        }
        close(evidence.correlation(ValueDimension::Growth).unwrap(), correlation);
        !evidence.proposals(&DriftMonitor::default()).is_empty()
    };
    assert!(asked(0.303) && asked(-0.303));
    assert!(!asked(0.297) && !asked(-0.297));
}

#[test]
fn a_loss_of_seof_of_0_0302_is_too_much_and_one_of_0_0298_is_not() {
    assert_eq!(judge(&trial(0.40), &trial(0.3702)), Ok(()));
    assert!(matches!(
        judge(&trial(0.40), &trial(0.3698)),
        Err(Rejection::Seof { .. })
    ));
}

#[test]
fn a_simulation_that_moves_by_0_0101_has_not_settled_and_by_0_0099_it_has() {
    assert_eq!(gaps([0.0, 0.0099, 9.9]).0, Verdict::Approved);
    assert_eq!(gaps([0.0, 0.0101, 9.9]).0, Verdict::Rejected(Rejection::Timeout));
}

#[test]
fn a_velocity_of_0_00101_is_too_fast_and_one_of_0_00099_is_not() {
    let sustained = |velocity: f64| {
        let mut monitor = DriftMonitor::default();
        let mut last = false;
        for check in 0..=6_u64 {
            // What growth gains, safety and stability lose alike.
            let mut weights = *ValueVector::BASELINE.weights();
            let moved = velocity * 50.0 * check as f64;
            weights[ValueDimension::Growth as usize] += moved;
            weights[ValueDimension::Stability as usize] -= moved / 2.0;
            weights[ValueDimension::PurposeFidelity as usize] -= moved / 2.0;
            let vector = ValueVector::try_from(weights).unwrap();
            let status = monitor.check(&vector, 50 * check);
            last = status.dimensions[ValueDimension::Growth as usize].sustained;
            monitor.apply(&status, &vector);
        }
        last
    };
    assert!(sustained(0.001_01));
    assert!(!sustained(0.000_99));
}
