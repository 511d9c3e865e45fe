use super::*;

/// At 1 around a long-run mean of 0: phi 0.5, innovation 0.75 (so a long-run variance of 1), noise 0.25.
fn anchor() -> Anchor {
    let transition = Transition {
        phi: 0.5,
        mean: 0.0,
        variance: 0.75,
    };
    Anchor {
        mean: 1.0,
        variance: 0.25,
        transition,
        noise: 0.25,
    }
}

fn index(kind: Kind) -> usize {
    TABLE.iter().position(|row| row.0 == kind).expect("in the table")
}

#[test]
fn the_five_of_section_3_3_start_with_their_priors() {
    let list = Scenarios::new(1).list();
    let found: Vec<_> = list
        .iter()
        .map(|scenario| (scenario.kind, scenario.probability))
        .collect();
    let expected = [
        (Kind::Baseline, 0.50),
        (Kind::Optimistic, 0.15),
        (Kind::Pessimistic, 0.20),
        (Kind::Disruption, 0.10),
        (Kind::Alternative, 0.05),
    ];
    assert_eq!(found, expected);
}

#[test]
fn outlooks_are_the_hand_worked_ones() {
    // Two cycles on: phi^2 = 0.25; mean 0.25; variance 0.0625 x 0.25 + (1 - 0.0625) + 0.25 = 1.203125.
    let outlook = |kind| anchor().outlook(index(kind), 2);
    let close = |(mean, variance): (f64, f64), m: f64, v: f64| (mean - m).abs() < 1e-12 && (variance - v).abs() < 1e-12;
    assert!(close(outlook(Kind::Baseline), 0.25, 1.203_125));
    assert!(close(outlook(Kind::Optimistic), 0.25, 0.36 * 1.203_125));
    assert!(close(outlook(Kind::Pessimistic), 1.0, 2.25 * 1.203_125));
    assert!(close(outlook(Kind::Disruption), 1.0, 9.0 * 1.203_125));
    assert!(close(outlook(Kind::Alternative), 0.0, 1.203_125));
}

#[test]
fn without_evidence_the_priors_stay_but_for_the_floor() {
    let mut scenarios = Scenarios::new(1);
    scenarios.reweigh(0.0);
    // 0.02 + 0.9 x prior.
    let expected = [0.47, 0.155, 0.20, 0.11, 0.065];
    assert!(
        scenarios
            .probabilities
            .iter()
            .zip(expected)
            .all(|(p, e)| (p - e).abs() < 1e-12)
    );
}

#[test]
fn a_tenth_of_the_rows_counts_as_evidence() {
    let mut scenarios = Scenarios::new(1);
    for _ in 0..20 {
        scenarios.compare(&[Some(anchor())], 2, &[(0, 0.25)]);
    }
    scenarios.reweigh(0.0);
    // At the baseline's mean, baseline and optimistic differ by the log of their spreads: ln 0.6 per row, twice.
    let [baseline, optimistic, ..] = scenarios.probabilities.map(|p| p - MIN_PROBABILITY);
    let expected = 0.15 / 0.50 / (0.6_f64 * 0.6);
    assert!(
        (optimistic / baseline - expected).abs() < 1e-9,
        "{}",
        optimistic / baseline
    );
    assert!((scenarios.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn calm_favours_the_optimistic_and_shifts_favour_the_disruption() {
    let most = |value: f64| {
        let mut scenarios = Scenarios::new(1);
        for _ in 0..100 {
            scenarios.compare(&[Some(anchor())], 1, &[(0, value)]);
            scenarios.reweigh(0.0);
        }
        let list = scenarios.list();
        assert!(list.iter().all(|scenario| scenario.probability >= MIN_PROBABILITY));
        list.into_iter()
            .max_by(|a, b| a.probability.total_cmp(&b.probability))
            .expect("five")
            .kind
    };
    assert_eq!(most(0.5), Kind::Optimistic);
    assert_eq!(most(6.0), Kind::Disruption);
    assert_eq!(
        most(1e9),
        Kind::Baseline,
        "equally impossible under all: the priors decide"
    );
}

#[test]
fn the_envelope_lies_between_the_5_and_95_percent_quantiles_of_the_mixture() {
    let covered = |value: f64| {
        let mut scenarios = Scenarios::new(1);
        scenarios.compare(&[Some(anchor())], 1, &[(0, value)]);
        scenarios.coverage()
    };
    // One cycle on: variance 0.25 x 0.25 + 0.75 + 0.25 = 1.0625, sd 1.0308. Share of the mixture below x, by hand for
    // x = 3.0: baseline 0.5 x Phi(2.4254) + optimistic 0.15 x Phi(4.0423) + pessimistic 0.2 x Phi(1.2935)
    // + disruption 0.1 x Phi(0.6468) + alternative 0.05 x Phi(2.9104) = 0.9510.
    assert_eq!(covered(3.0), Some(0.0));
    // For x = 2.9: 0.5 x 0.9901 + 0.15 x 0.9999 + 0.2 x 0.8903 + 0.1 x 0.7305 + 0.05 x 0.9976 = 0.9460.
    assert_eq!(covered(2.9), Some(1.0));
    assert_eq!(Scenarios::new(1).coverage(), None);
}

#[test]
fn what_was_never_anchored_says_nothing() {
    let mut scenarios = Scenarios::new(2);
    scenarios.compare(&[None, Some(anchor())], 1, &[(0, 9.0)]);
    assert_eq!(scenarios.coverage(), None);
    assert_eq!(scenarios.fits[0].len(), 0);
    scenarios.compare(&[None, Some(anchor())], 1, &[]);
    assert_eq!(scenarios.fits[0].len(), 0, "a row without observations is no evidence");
}

#[test]
fn stress_makes_bad_scenarios_likelier_and_the_good_one_less_likely() {
    let mut scenarios = Scenarios::new(1);
    scenarios.reweigh(0.5);
    // Odds 0.50, 0.15 / 1.5, 0.20 x 1.5, 0.10 x 1.5, 0.05: together 1.1; 0.02 for each, and 0.9 shared in proportion.
    let expected = [0.50, 0.10, 0.30, 0.15, 0.05].map(|odds| 0.02 + 0.9 * odds / 1.1);
    for (scenario, expected) in scenarios.list().iter().zip(expected) {
        assert!((scenario.probability - expected).abs() < 1e-12, "{scenario:?}");
    }
    scenarios.reweigh(f64::NAN);
    assert!(
        (scenarios.list()[0].probability - (0.02 + 0.9 * 0.5)).abs() < 1e-12,
        "no stress"
    );
}

#[test]
fn a_summary_weighs_alike_and_a_damaged_one_is_refused() {
    let mut scenarios = Scenarios::new(2);
    let anchor = Anchor::new(0.5, 0.1, &Model::PRIOR, 1.0);
    for row in 1..=95 {
        scenarios.compare(&[Some(anchor), None], row % 10 + 1, &[(0, 0.4), (1, 3.0)]);
    }
    scenarios.reweigh(0.0);
    let good = scenarios.summary();
    let restored = Scenarios::from_summary(&good, 2).expect("undamaged");
    for (there, here) in restored.list().iter().zip(scenarios.list()) {
        assert!(
            (there.probability - here.probability).abs() < 1e-3,
            "{there:?} {here:?}"
        );
    }
    assert_eq!(restored.coverage(), scenarios.coverage());

    let refused = |change: &dyn Fn(&mut ScenariosSummary)| {
        let mut summary = good.clone();
        change(&mut summary);
        Scenarios::from_summary(&summary, 2).is_err()
    };
    assert!(refused(&|s| s.rows = 101));
    assert!(refused(&|s| s.rows = 80), "means that no rows are behind");
    assert!(refused(&|s| s.fits[4].truncate(3)));
    for fit in [f32::NAN, -21.0, 21.0, f32::INFINITY] {
        assert!(refused(&|s| s.fits[1][2] = fit), "{fit}");
    }
    assert!(refused(&|s| s.inside.truncate(1)));
    assert!(refused(&|s| s.inside[0].count = 201));
    assert!(Scenarios::from_summary(&good, 3).is_err(), "of another environment");
}

#[test]
fn a_value_at_the_5_05th_percentile_is_inside_the_envelope_and_one_at_the_4_95th_is_not() {
    // The last scenario alone, without a spread of its own: the mixture is its normal distribution.
    let mut scenarios = Scenarios::new(1);
    scenarios.probabilities = [0.0, 0.0, 0.0, 0.0, 1.0];
    let (mean, variance) = anchor().outlook(index(Kind::Alternative), 1);
    for (percentile, expected) in [(0.0505, 1.0), (0.0495, 0.5), (0.9495, 2.0 / 3.0), (0.9505, 0.5)] {
        let value = mean + variance.sqrt() * normal::quantile(percentile);
        scenarios.compare(&[Some(anchor())], 1, &[(0, value)]);
        let coverage = scenarios.coverage().expect("compared");
        assert!((coverage - expected).abs() < 1e-12, "{percentile}: {coverage}");
    }
}

#[test]
fn coverage_is_that_of_the_last_200_values_and_fit_that_of_the_last_100_rows() {
    let mut scenarios = Scenarios::new(1);
    let mut compare = |value: f64| {
        scenarios.compare(&[Some(anchor())], 1, &[(0, value)]);
        (scenarios.coverage().expect("compared"), scenarios.fits[0].len())
    };
    assert_eq!(compare(50.0), (0.0, 1));
    let at = |count: usize, compare: &mut dyn FnMut(f64) -> (f64, usize)| {
        (0..count).map(|_| compare(0.5)).last().expect("compared")
    };
    assert_eq!(at(199, &mut compare), (199.0 / 200.0, 100));
    assert_eq!(at(1, &mut compare), (1.0, 100));
}
