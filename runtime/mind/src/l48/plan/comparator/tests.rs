use super::*;
use proptest::prelude::{any, prop, prop_assert, proptest};

/// A row whose largest C_L4 is the same in every scenario.
fn row(archetype: Archetype, impacts: &[f64], c_l4: f64) -> Row {
    let outcome = |seof_impact: &f64| Outcome {
        seof_impact: *seof_impact,
        max_c_l4: c_l4,
        ..Outcome::default()
    };
    Row {
        archetype,
        strategy: Strategy::of(archetype).unwrap(),
        outcomes: impacts.iter().map(outcome).collect(),
    }
}

const NOW: Strategy = Strategy::BALANCED;
const EVEN: [f64; 4] = [0.25; 4];

#[test]
fn the_example_of_the_evaluation_matrix_selects_strategy_b() {
    // Section 5.2, with the priors of the four scenarios (0.50, 0.15, 0.20, 0.10) and the worst outcome as RA.
    let rows = [
        row(Archetype::Aggressive, &[0.8, 0.9, 0.3, 0.1], 0.9),
        row(Archetype::Balanced, &[0.7, 0.7, 0.6, 0.4], 0.6),
        row(Archetype::Conservative, &[0.5, 0.5, 0.7, 0.6], 0.5),
    ];
    let found = compare(&rows, &[0.50, 0.15, 0.20, 0.10], &NOW);
    let selected = found.selected().unwrap();
    assert_eq!(selected.archetype, Archetype::Balanced);
    // Expected 0.605, 0.615, 0.525 over 0.95: rescaled 8/9, 1, 0.
    let by = |archetype| {
        found
            .ranked
            .iter()
            .find(|scored| scored.archetype == archetype)
            .unwrap()
    };
    assert!((by(Archetype::Aggressive).expected - 8.0 / 9.0).abs() < 1e-12);
    assert_eq!(
        (by(Archetype::Balanced).expected, by(Archetype::Conservative).expected),
        (1.0, 0.0)
    );
    // 0.40 * 1 + 0.35 * 0.4 + 0.25 * 1.
    assert!((selected.score - 0.79).abs() < 1e-12);
}

#[test]
fn the_weights_of_definition_7_are_forty_thirty_five_and_twenty_five() {
    assert_eq!(weigh(1.0, 0.0, 1.0), 0.40);
    assert_eq!(weigh(0.0, 1.0, 1.0), 0.35);
    assert_eq!(weigh(0.0, 0.0, 0.0), 0.25);
    assert!((weigh(1.0, 1.0, 0.0) - 1.0).abs() < 1e-12);
}

#[test]
fn risk_adjustment_is_taken_of_the_worst_scenario() {
    let mut risky = row(Archetype::Balanced, &[0.0; 4], 0.1);
    risky.outcomes[2].max_c_l4 = 0.7;
    let found = compare(&[risky], &[0.97, 0.01, 0.01, 0.01], &NOW);
    assert!((found.ranked[0].risk_adjustment - 0.3).abs() < 1e-12);
}

#[test]
fn value_at_risk_is_the_five_percent_quantile_and_the_conditional_one_the_mean_below() {
    // Position 0.05 * 3 = 0.15 between -0.4 and 0: -0.34; at or below it only -0.4.
    let found = compare(&[row(Archetype::Balanced, &[0.3, -0.4, 0.1, 0.0], 0.1)], &EVEN, &NOW);
    assert!((found.ranked[0].value_at_risk + 0.34).abs() < 1e-12);
    assert!((found.ranked[0].conditional_value_at_risk + 0.4).abs() < 1e-12);
    let same = compare(&[row(Archetype::Balanced, &[0.2; 4], 0.1)], &EVEN, &NOW);
    let scored = same.ranked[0];
    assert_eq!((scored.value_at_risk, scored.conditional_value_at_risk), (0.2, 0.2));
    assert_eq!((quantile(&[], 0.05), quantile(&[7.0], 0.05)), (0.0, 7.0));
    assert!((quantile(&[0.0, 1.0, 2.0, 3.0, 4.0], 0.25) - 1.0).abs() < 1e-12);
}

#[test]
fn within_five_hundredths_the_higher_value_at_risk_wins_and_at_five_the_score() {
    // Aggressive: 0.40 * 1 + 0.35 * 0 + 0.25 * (1 - 0.1881) = 0.6030, value at risk 0.15 of the way from -1 to 2.
    let selected = |c_l4| {
        let rows = [
            row(Archetype::Aggressive, &[2.0, 2.0, 2.0, -1.0], 1.0),
            row(Archetype::Balanced, &[0.0; 4], c_l4),
        ];
        let found = compare(&rows, &EVEN, &NOW);
        assert_eq!(found.ranked[0].archetype, Archetype::Aggressive);
        found.selected().unwrap().archetype
    };
    // Balanced: 0.35 * 0.9 + 0.25 = 0.565, and 0.35 * 0.7 + 0.25 = 0.495.
    assert_eq!(selected(0.1), Archetype::Balanced);
    assert_eq!(selected(0.3), Archetype::Aggressive);
    let scored = |score, value_at_risk| {
        let scored = Scored {
            score,
            value_at_risk,
            ..Scored::default()
        };
        (0, scored)
    };
    assert_eq!(
        select(&[scored(0.75, -0.5), scored(0.70, 0.5)]),
        Some(0),
        "0.05 apart is no tie"
    );
    assert_eq!(select(&[scored(0.75, -0.5), scored(0.7001, 0.5)]), Some(1));
    assert_eq!(
        select(&[scored(0.75, 0.5), scored(0.7001, 0.5)]),
        Some(0),
        "equal values at risk"
    );
    assert_eq!(
        select(&[scored(0.75, -0.5), scored(0.74, -0.5), scored(0.73, 0.9)]),
        Some(0),
        "of the first two"
    );
    assert_eq!(select(&[scored(0.1, -1.0)]), Some(0));
    assert_eq!(select(&[]), None);
}

#[test]
fn equal_expectations_are_a_half_for_all() {
    let rows = Archetype::ALL.map(|archetype| row(archetype, &[0.1; 4], 0.2));
    let found = compare(&rows, &EVEN, &NOW);
    assert!(found.ranked.iter().all(|scored| scored.expected == 0.5));
    assert_eq!(
        found.selected().unwrap().archetype,
        Archetype::Balanced,
        "nothing speaks for a change"
    );
}

#[test]
fn what_is_not_a_number_or_missing_counts_as_the_worst() {
    let mut short = row(Archetype::Balanced, &[0.5, 0.5], 0.0);
    short.outcomes[0].seof_impact = f64::NAN;
    let found = compare(&[short, row(Archetype::Conservative, &[0.0; 4], 0.1)], &EVEN, &NOW);
    assert_eq!(found.selected().unwrap().archetype, Archetype::Conservative);
    let broken = found
        .ranked
        .iter()
        .find(|scored| scored.archetype == Archetype::Balanced)
        .unwrap();
    assert_eq!((broken.risk_adjustment, broken.expected), (0.0, 0.0));
    let blind = compare(
        &[row(Archetype::Balanced, &[0.0; 4], 0.1)],
        &[f64::NAN, 0.0, -1.0, 0.0],
        &NOW,
    );
    assert!(blind.ranked[0].score.is_finite());
}

#[test]
fn robustness_is_the_share_of_scenarios_within_a_tenth_of_the_best() {
    let both = |impacts: &[f64]| Row {
        strategy: NOW,
        ..row(Archetype::Balanced, impacts, 0.0)
    };
    // Best in three scenarios; in the fourth 0.35 + 0.25 = 0.60 against 1.00.
    let found = compare(&[both(&[1.0, 1.0, 1.0, 0.0]), both(&[0.0, 0.0, 0.0, 1.0])], &EVEN, &NOW);
    assert_eq!(found.robustness, Some(0.75));
    // 0.40 * 0.7475 + 0.60 = 0.899 against 1.00 in the first scenario; then 0.901.
    for (impact, expected) in [(0.7475, 0.75), (0.7525, 1.0)] {
        let rows = [
            both(&[1.0, 0.0, 0.0, 0.0]),
            both(&[impact, 1.0, 1.0, 1.0]),
            both(&[0.0; 4]),
        ];
        assert_eq!(compare(&rows, &EVEN, &NOW).robustness, Some(expected));
    }
    assert_eq!(compare(&[], &EVEN, &NOW), Comparison::default());
}

#[test]
fn at_most_seven_candidates_count() {
    let rows = vec![row(Archetype::Balanced, &[0.0; 4], 0.1); 9];
    assert_eq!(compare(&rows, &EVEN, &NOW).ranked.len(), 7);
}

proptest! {
    #[test]
    fn scores_are_shares_and_tails_are_ordered_whatever_comes_in(
        impacts in prop::collection::vec(prop::collection::vec(any::<f64>(), 0..8), 1..8),
        c_l4 in any::<f64>(), probabilities in prop::collection::vec(any::<f64>(), 1..8),
    ) {
        let rows: Vec<Row> = impacts.iter().map(|impacts| row(Archetype::Aggressive, impacts, c_l4)).collect();
        let found = compare(&rows, &probabilities, &NOW);
        for scored in &found.ranked {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&scored.score));
            prop_assert!(scored.conditional_value_at_risk <= scored.value_at_risk + 1e-12);
        }
        prop_assert!(found.ranked.windows(2).all(|pair| pair[0].score >= pair[1].score));
        prop_assert!(found.robustness.is_some_and(|share| (0.0..=1.0).contains(&share)));
        prop_assert!(found.selected.is_some_and(|index| index <= 1));
    }
}

#[test]
fn the_worst_impact_on_seof_is_minus_two() {
    let impact = |seof_impact| {
        let outcome = Outcome {
            seof_impact,
            ..Outcome::default()
        };
        outcome.sound().seof_impact
    };
    assert_eq!([f64::NAN, -2.01, -1.99].map(impact), [-2.0, -2.0, -1.99]);
}
