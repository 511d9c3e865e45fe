use super::*;
use crate::budget::Unlimited;
use crate::l48::observe::{Observe, ObserveConfig};
use crate::report::CycleFacts;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;

fn reading(similarity: f64, error_sd: f64, best_strategy: f64, divergence: f64) -> Reading {
    Reading {
        group: 0,
        similarity: Some(similarity),
        error_sd: Some(error_sd),
        best_strategy: Some(best_strategy),
        divergence: Some(divergence),
        criteria: [false; 4],
    }
    .judged()
}

#[test]
fn each_criterion_is_met_beyond_its_threshold_and_not_at_it() {
    assert_eq!(reading(0.3, 2.0, 0.3, 0.5).criteria, [false; 4]);
    assert_eq!(reading(0.299, 2.001, 0.299, 0.501).criteria, [true; 4]);
}

#[test]
fn two_of_four_criteria_make_a_domain_unknown_and_one_does_not() {
    assert!(!reading(0.1, 0.0, 0.9, 0.0).is_unknown());
    for two in [
        reading(0.1, 3.0, 0.9, 0.0),
        reading(0.9, 0.0, 0.1, 0.9),
        reading(0.1, 0.0, 0.9, 0.9),
    ] {
        assert!(two.is_unknown(), "{two:?}");
    }
}

#[test]
fn a_criterion_without_evidence_is_not_met() {
    let none = Reading {
        similarity: None,
        error_sd: None,
        best_strategy: None,
        divergence: None,
        ..reading(0.0, 9.0, 0.0, 9.0)
    };
    assert_eq!(none.judged().criteria, [false; 4]);
}

#[test]
fn all_of_the_best_five_strategies_must_fail() {
    assert_eq!(
        best_of(&[0.29, 0.1, 0.2, 0.0, 0.25, 0.9]),
        Some(0.29),
        "the sixth is not looked at"
    );
    assert_eq!(best_of(&[0.1, 0.3]), Some(0.3));
    assert_eq!((best_of(&[]), best_of(&[f64::NAN])), (None, None));
}

/// A world model with the detector behind it, fed with rows of two groups.
struct Bench {
    observe: Observe,
    detector: Detector,
    cycle: u64,
    rng: Pcg64Mcg,
    state: [f64; 3],
}

impl Bench {
    fn new(seed: u64) -> Self {
        let config = ObserveConfig {
            dimensions: 3,
            particles: 20,
            seed,
        };
        Self {
            observe: Observe::new(config).expect("valid"),
            detector: Detector::new([0, 0, 1].into()),
            cycle: 0,
            rng: Pcg64Mcg::seed_from_u64(seed),
            state: [0.0; 3],
        }
    }

    /// One report of AR(1) processes (persistence 0.8, standard deviation 1), seen through `sight`.
    fn report(&mut self, sight: impl Fn(usize, f64) -> f64) -> Vec<Reading> {
        let mut report = CycleReport {
            dimensions: 3,
            groups: [0, 0, 1].into(),
            ..CycleReport::default()
        };
        self.fill(&mut report, sight);
        let world = self.observe.step(&report, false, &Unlimited).expect("computes");
        self.detector.step(self.cycle, &report, &world.scores)
    }

    /// The last report once more, with its scores.
    fn last(&self) -> (CycleReport, Vec<Score>) {
        let mut copy = Bench {
            observe: self.observe.clone(),
            detector: self.detector.clone(),
            rng: self.rng.clone(),
            ..*self
        };
        let mut report = CycleReport {
            dimensions: 3,
            groups: [0, 0, 1].into(),
            ..CycleReport::default()
        };
        copy.fill(&mut report, usual);
        let world = copy.observe.step(&report, false, &Unlimited).expect("computes");
        (report, world.scores)
    }

    fn probe(&self, seed: u64) -> Probed {
        let (report, scores) = self.last();
        self.detector.probe(&report, &scores, seed)
    }

    fn fill(&mut self, report: &mut CycleReport, sight: impl Fn(usize, f64) -> f64) {
        for _ in 0..10 {
            self.cycle += 1;
            report.facts.push(CycleFacts {
                cycle: self.cycle,
                ..CycleFacts::default()
            });
            for (dimension, state) in self.state.iter_mut().enumerate() {
                *state = 0.8 * *state + 0.6 * self.rng.sample::<f64, _>(StandardNormal);
                report.observations.push(sight(dimension, *state));
            }
        }
    }

    fn reports(&mut self, count: usize, sight: impl Fn(usize, f64) -> f64 + Copy) -> usize {
        (0..count)
            .filter(|_| self.report(sight).iter().any(Reading::is_unknown))
            .count()
    }
}

fn usual(_: usize, state: f64) -> f64 {
    50.0 + state
}

#[test]
fn nothing_is_said_of_the_first_twenty_reports() {
    let mut bench = Bench::new(1);
    for _ in 0..20 {
        let readings = bench.report(|_, state| 1e6 * state);
        assert!(
            readings
                .iter()
                .all(|reading| reading.similarity.is_none() && reading.criteria == [false; 4])
        );
    }
    assert!(bench.report(usual).iter().all(|reading| reading.similarity.is_some()));
}

#[test]
fn of_sixty_planted_shifts_at_least_nine_tenths_are_flagged_and_of_steady_reports_at_most_two_percent() {
    let (mut flagged, mut false_alarms, mut steady) = (0, 0, 0);
    for seed in 0..20 {
        let mut bench = Bench::new(seed);
        bench.reports(60, usual);
        false_alarms += bench.reports(100, usual);
        steady += 100;
        let shifts: [fn(usize, f64) -> f64; 3] = [
            |_, state| 58.0 + state,
            |_, state| 50.0 + 5.0 * state,
            |dimension, state| {
                if dimension < 2 {
                    45.0 - 2.0 * state
                } else {
                    50.0 + state
                }
            },
        ];
        for shift in shifts {
            // A probe: the shift is shown to a copy.
            let mut probe = Bench {
                observe: bench.observe.clone(),
                detector: bench.detector.clone(),
                rng: bench.rng.clone(),
                ..bench
            };
            flagged += usize::from(probe.reports(5, shift) > 0);
        }
    }
    println!("{flagged} of 60 flagged, {false_alarms} false alarms in {steady} steady reports");
    assert!(flagged >= 54, "{flagged} of 60");
    assert!(false_alarms * 50 <= steady, "{false_alarms} of {steady}");
}

#[test]
fn a_group_of_slow_sensors_is_shown_the_report_as_often_as_it_takes_for_fifty_rows() {
    let bench = Bench::new(1);
    let (mut report, _) = bench.last();
    let shown = |report: &CycleReport| [0, 1].map(|group| bench.detector.reports_for(group, report));
    assert_eq!(shown(&report), [5, 5]);
    // Of the third dimension, alone in its group, three values are left: 17 times three are 51.
    report
        .observations
        .chunks_exact_mut(3)
        .skip(3)
        .for_each(|row| row[2] = f64::NAN);
    assert_eq!(shown(&report), [5, 17]);
    report
        .observations
        .chunks_exact_mut(3)
        .skip(2)
        .for_each(|row| row[2] = f64::NAN);
    assert_eq!(shown(&report), [5, 20], "two: 25, but 20 at most");
}

#[test]
fn seeded_probes_are_flagged_nine_times_in_ten_and_leave_the_detector_as_it_was() {
    assert_eq!((PROBE_ROWS, PROBE_SD), (50, [4.0, 8.0]));
    let mut all = Probed::default();
    for seed in 0..20 {
        let mut bench = Bench::new(seed);
        assert_eq!(bench.probe(seed), Probed::default(), "nothing is known yet");
        bench.reports(60, usual);
        let before = bench.detector.clone();
        for nth in 0..3 {
            let found = bench.probe(100 * seed + nth);
            assert!(found.planted <= 2 && found.flagged <= found.planted, "{found:?}");
            assert_eq!(found, bench.probe(100 * seed + nth), "the same seed, the same probe");
            (all.planted, all.flagged) = (all.planted + found.planted, all.flagged + found.flagged);
        }
        assert_eq!(bench.detector, before);
    }
    println!("{all:?}");
    assert!(all.planted >= 100 && 10 * all.flagged >= 9 * all.planted, "{all:?}");
}

#[test]
fn a_probe_without_a_shift_is_not_flagged() {
    let mut bench = Bench::new(3);
    bench.reports(60, usual);
    let (report, scores) = bench.last();
    let zero = vec![Some(0.0); 3];
    let (same, same_scores) = probe::moved(&report, &scores, &zero, true);
    assert_eq!((&same.observations, &same_scores), (&report.observations, &scores));
    let mut copy = bench.detector.clone();
    let readings = copy.step(bench.cycle + 10, &same, &same_scores);
    assert!(readings.iter().all(|reading| !reading.is_unknown()));
}

#[test]
fn a_group_that_is_unknown_already_is_not_probed_and_a_shift_leads_four_to_eight_deviations_beyond() {
    let mut bench = Bench::new(5);
    bench.reports(60, usual);
    let (report, _) = bench.last();
    for seed in 0..50 {
        let shifts = bench.detector.shifts(&report, &mut Pcg64Mcg::seed_from_u64(seed));
        for (place, shift) in shifts.iter().take(2).enumerate() {
            let watched = &bench.detector.watched[0];
            let (level, sd) = watched.known[0].level(place).expect("known");
            let at = watched.recent[place].mean() + shift.expect("probed");
            let deviations = ((at - level) / sd).abs();
            assert!((4.0 - 1e-9..8.0 + 1e-9).contains(&deviations), "{deviations}");
        }
    }
    bench.reports(
        3,
        |dimension, state| if dimension == 2 { 80.0 + state } else { 50.0 + state },
    );
    assert_eq!(bench.probe(1).planted, 1, "group 1 is unknown");
}

#[test]
fn only_the_first_moved_value_of_a_dimension_is_a_surprise_to_its_forecaster() {
    let report = CycleReport {
        forecasts: vec![0.0; 20],
        ..crate::l48::fixtures::report(
            10,
            2,
            |cycle, dimension| {
                if cycle == 1 && dimension == 1 { f64::NAN } else { 0.0 }
            },
        )
    };
    let (first, _) = probe::moved(&report, &[], &[Some(3.0), Some(5.0)], true);
    assert_eq!(first.forecasts[..6], [0.0, 0.0, 3.0, 0.0, 3.0, 5.0]);
    assert_eq!(first.observations[2..4], [3.0, 5.0]);
    let (second, _) = probe::moved(&report, &[], &[Some(3.0), Some(5.0)], false);
    assert_eq!(second.forecasts[..4], [3.0, 5.0, 3.0, 5.0]);
}

#[test]
fn a_shift_in_one_group_leaves_the_other_known() {
    let mut bench = Bench::new(5);
    bench.reports(60, usual);
    bench.reports(
        3,
        |dimension, state| if dimension == 2 { 80.0 + state } else { 50.0 + state },
    );
    assert!(bench.detector.registry().is_open(1) && !bench.detector.registry().is_open(0));
}

#[test]
fn an_unknown_domain_is_known_after_a_hundred_observations_and_then_no_longer_flagged() {
    let mut bench = Bench::new(7);
    bench.reports(60, usual);
    let new = |_, state| 90.0 + state;
    // What was seen before it was found unknown does not count: ten reports of ten rows after the first.
    bench.reports(10, new);
    assert_eq!(bench.detector.known_domains(0), 1, "90 observations");
    bench.reports(1, new);
    let entries = bench.detector.registry().entries();
    assert!(
        entries.iter().any(|entry| matches!(entry.fate, Fate::Learnt { .. })),
        "{entries:?}"
    );
    assert!(bench.detector.known_domains(0) >= 2);
    let registered = bench.detector.registry().registered();
    bench.reports(40, new);
    assert_eq!(bench.detector.registry().registered(), registered);
}

#[test]
fn a_domain_that_was_left_for_a_moment_is_over_after_three_clean_reports() {
    let mut bench = Bench::new(9);
    bench.reports(60, usual);
    bench.reports(1, |_, state| 70.0 + state);
    assert_eq!(bench.reports(2, usual), 0);
    assert!(bench.detector.registry().is_open(0), "two clean reports");
    assert_eq!(bench.reports(1, usual), 0);
    assert!(!bench.detector.registry().is_open(0), "three");
    let entry = bench.detector.registry().entries()[0];
    assert!(matches!(entry.fate, Fate::Passed { .. }), "{entry:?}");
}

#[test]
fn a_group_keeps_at_most_four_known_domains() {
    let mut bench = Bench::new(11);
    bench.reports(40, usual);
    for regime in 1..=6 {
        let level = 50.0 + 60.0 * f64::from(regime);
        bench.reports(25, move |_, state| level + state);
    }
    assert_eq!(bench.detector.known_domains(0), MAX_KNOWN);
}

#[test]
fn a_report_of_another_environment_says_nothing() {
    let mut detector = Detector::new([0, 1].into());
    let before = detector.clone();
    let report = crate::l48::fixtures::report(10, 3, |_, _| 1.0);
    assert!(detector.step(10, &report, &[]).is_empty());
    assert_eq!(detector, before);
    assert!(detector.is_for(&[0, 1]) && !detector.is_for(&[0, 0]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn whatever_is_observed_no_reading_is_other_than_a_number(
        rows in prop::collection::vec(prop::num::f64::ANY, 90 * 3),
    ) {
        let mut bench = Bench::new(1);
        let mut values = rows.into_iter().cycle();
        bench.reports(25, usual);
        for _ in 0..9 {
            let row: Vec<f64> = values.by_ref().take(3).collect();
            for reading in bench.report(|dimension, _| row[dimension]) {
                let numbers = [reading.similarity, reading.error_sd, reading.best_strategy, reading.divergence];
                prop_assert!(numbers.into_iter().flatten().all(f64::is_finite), "{reading:?}");
            }
        }
        prop_assert!(bench.detector.is_for(&[0, 0, 1]));
    }
}
