//! Post-conditions of the simulated world, against figures worked out by hand.

use super::*;
use proptest::prelude::*;
use rungs_types::{SimDimension, SimEvent};

fn rows(spec: &SimSpec, cycles: usize) -> Vec<Vec<f64>> {
    let mut sim = Sim::new(spec).expect("valid");
    let width = sim.describe().dimensions.len();
    (0..cycles)
        .map(|_| {
            let mut row = vec![f64::NAN; width];
            assert_eq!(sim.observe(Duration::ZERO, &mut row), Ok(Observed::Row));
            row
        })
        .collect()
}

/// One column of the rows.
fn column(rows: &[Vec<f64>], index: usize) -> Vec<f64> {
    rows.iter().map(|row| row[index]).collect()
}

/// Two dimensions of memory `phi`, mean 10 and sigma 2.
fn pair(phi: f64) -> SimSpec {
    let dimension = SimDimension {
        group: 0,
        phi,
        mean: 10.0,
        sigma: 2.0,
        capacity: None,
    };
    SimSpec::new(0, 7).dimension(dimension).dimension(dimension)
}

fn moments(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let lagged = values.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum::<f64>() / n;
    (mean, variance.sqrt(), lagged / variance)
}

#[test]
fn mean_sigma_and_memory_are_those_of_the_specification() {
    // Standard errors at n = 100,000 and phi = 0.8: mean 2 x 3 / 316 = 0.019; phi 0.6 / 316 = 0.002; sigma 0.7 %.
    let values = column(&rows(&pair(0.8), 100_000), 0);
    let (mean, sigma, phi) = moments(&values);
    assert!((mean - 10.0).abs() < 0.08, "mean {mean}");
    assert!((sigma - 2.0).abs() < 0.05, "sigma {sigma}");
    assert!((phi - 0.8).abs() < 0.01, "phi {phi}");
}

#[test]
fn dimensions_and_neighbouring_seeds_are_uncorrelated() {
    let mut next_seed = pair(0.0);
    next_seed.seed += 1;
    let one = rows(&pair(0.0), 20_000);
    let other = rows(&next_seed, 20_000);
    let correlation = |a: &[f64], b: &[f64]| {
        let products = a.iter().zip(b).map(|(x, y)| (x - 10.0) * (y - 10.0));
        products.sum::<f64>() / (4.0 * a.len() as f64)
    };
    // The standard error is 1 / sqrt(20,000) = 0.007.
    assert!(correlation(&column(&one, 0), &column(&one, 1)).abs() < 0.03);
    assert!(correlation(&column(&one, 0), &column(&other, 0)).abs() < 0.03);
    assert!(correlation(&column(&one, 1), &column(&other, 0)).abs() < 0.03);
}

#[test]
fn the_same_seed_gives_the_same_rows_and_another_seed_others() {
    let spec = SimSpec::new(5, 3).dropout(0.2);
    let bits = |spec: &SimSpec| -> Vec<u64> { rows(spec, 50).concat().iter().map(|x| x.to_bits()).collect() };
    assert_eq!(bits(&spec), bits(&spec));
    assert_ne!(
        bits(&spec),
        bits(&SimSpec {
            seed: 4,
            ..spec.clone()
        })
    );
}

#[test]
fn an_event_leaves_other_dimensions_and_earlier_cycles_as_they_were() {
    let calm = rows(&pair(0.5), 40);
    let planted = pair(0.5).event(SimEvent::Shock {
        dimension: 1,
        at: 20,
        sigmas: 5.0,
    });
    let shocked = rows(&planted, 40);
    assert_eq!(column(&calm, 0), column(&shocked, 0));
    assert_eq!(column(&calm, 1)[..20], column(&shocked, 1)[..20]);
    // The difference is 5 sigma = 10, and halves each cycle with phi = 0.5.
    for lag in 0..10_usize {
        let difference = shocked[20 + lag][1] - calm[20 + lag][1];
        let expected = 10.0 * 0.5_f64.powi(i32::try_from(lag).expect("small"));
        assert!((difference - expected).abs() < 1e-9, "lag {lag}: {difference}");
    }
}

#[test]
fn a_level_shift_and_an_oscillation_are_added_on_top() {
    let calm = rows(&pair(0.5), 60);
    let planted = pair(0.5)
        .event(SimEvent::LevelShift {
            dimension: 0,
            at: 10,
            sigmas: -1.5,
        })
        .event(SimEvent::Oscillation {
            dimension: 1,
            from: 20,
            to: 40,
            sigmas: 3.0,
            period_cycles: 8,
        });
    let shifted = rows(&planted, 60);
    for cycle in 0..60 {
        let level = if cycle < 10 { 0.0 } else { -3.0 };
        assert!(
            (shifted[cycle][0] - calm[cycle][0] - level).abs() < 1e-9,
            "cycle {cycle}"
        );
        let wave = match cycle {
            // An eighth of a turn is sin(pi / 4), two eighths 1, six eighths -1.
            21 => 6.0 * std::f64::consts::FRAC_1_SQRT_2,
            22 | 30 | 38 => 6.0,
            26 | 34 => -6.0,
            0..=20 | 24 | 28 | 32 | 36 | 40.. => 0.0,
            _ => continue,
        };
        assert!(
            (shifted[cycle][1] - calm[cycle][1] - wave).abs() < 1e-9,
            "cycle {cycle}"
        );
    }
}

#[test]
fn variance_is_multiplied_within_its_cycles_only() {
    let planted = pair(0.0).event(SimEvent::Variance {
        dimension: None,
        from: 20_000,
        to: 40_000,
        factor: 9.0,
    });
    let values = column(&rows(&planted, 60_000), 1);
    for (part, expected) in [(0, 2.0), (1, 6.0), (2, 2.0)] {
        let (_, sigma, _) = moments(&values[part * 20_000..(part + 1) * 20_000]);
        assert!((sigma / expected - 1.0).abs() < 0.02, "part {part}: {sigma}");
    }
}

#[test]
fn a_gap_hides_one_dimension_or_all_and_nothing_else() {
    let gap = |dimension, from, to| SimEvent::Gap { dimension, from, to };
    let calm = rows(&pair(0.5), 30);
    let planted = rows(&pair(0.5).event(gap(Some(1), 5, 8)).event(gap(None, 10, 12)), 30);
    for cycle in 0..30 {
        let hidden = [
            (10..12).contains(&cycle),
            (5..8).contains(&cycle) || (10..12).contains(&cycle),
        ];
        for (dimension, hidden) in hidden.into_iter().enumerate() {
            let cell = planted[cycle][dimension];
            assert_eq!(cell.is_nan(), hidden, "cycle {cycle}, dimension {dimension}");
            assert!(hidden || cell == calm[cycle][dimension]);
        }
    }
}

#[test]
fn a_ramp_fills_a_resource_in_a_line_and_releases_it() {
    let resource = SimDimension {
        group: 0,
        phi: 0.5,
        mean: 40.0,
        sigma: 0.0,
        capacity: Some(100.0),
    };
    let ramp = SimEvent::Ramp {
        dimension: 0,
        from: 10,
        to: 40,
        until: Some(50),
    };
    let values = column(&rows(&SimSpec::new(0, 1).dimension(resource).event(ramp), 60), 0);
    for (cycle, value) in values.into_iter().enumerate() {
        let expected = match cycle {
            0..=10 | 50.. => 40.0,
            11..40 => 40.0 + 2.0 * (cycle as f64 - 10.0),
            40..50 => 100.0,
        };
        assert!((value - expected).abs() < 1e-9, "cycle {cycle}: {value}");
    }
}

#[test]
fn a_resource_stays_between_nothing_and_its_capacity() {
    let resource = SimDimension {
        mean: 5.0,
        sigma: 50.0,
        capacity: Some(10.0),
        ..SimDimension::default()
    };
    let values = column(&rows(&SimSpec::new(0, 1).dimension(resource), 1000), 0);
    assert!(values.iter().all(|value| (0.0..=10.0).contains(value)));
    assert!(values.contains(&0.0) && values.contains(&10.0));
}

#[test]
fn a_slower_group_misses_more_and_a_faster_one_less() {
    let spec = SimSpec::new(4, 1).period_cycles(4);
    let mut sim = Sim::new(&spec).expect("valid");
    let mut share_missing = |command: Option<Command>| {
        if let Some(command) = command {
            sim.act(command).expect("within its limits");
        }
        let mut row = [0.0; 4];
        let mut missing = [0; 4];
        for _ in 0..64 {
            sim.observe(Duration::ZERO, &mut row).expect("endless");
            for (count, cell) in missing.iter_mut().zip(row) {
                *count += usize::from(cell.is_nan());
            }
        }
        missing
    };
    assert_eq!(share_missing(None), [48, 48, 48, 48]);
    assert_eq!(
        share_missing(Some(Command::SampleSlower { group: 1 })),
        [48, 48, 56, 56]
    );
    assert_eq!(
        share_missing(Some(Command::SampleFaster { group: 0 })),
        [32, 32, 56, 56]
    );
    assert_eq!(share_missing(Some(Command::SampleFaster { group: 0 })), [0, 0, 56, 56]);
}

#[test]
fn a_command_at_its_limit_or_to_no_group_is_refused() {
    let mut sim = Sim::new(&SimSpec::new(2, 1)).expect("valid");
    let refusal = |result: Result<(), EnvironmentError>| result.expect_err("refused").to_string();
    let faster = refusal(sim.act(Command::SampleFaster { group: 0 }));
    assert_eq!(faster, "sim does not do that: the group is sampled each cycle already");
    for _ in 0..6 {
        sim.act(Command::SampleSlower { group: 0 })
            .expect("1 to 64 cycles is six doublings");
    }
    let slower = refusal(sim.act(Command::SampleSlower { group: 0 }));
    assert_eq!(
        slower,
        "sim does not do that: the group is sampled each 64 cycles, the limit"
    );
    let unknown = refusal(sim.act(Command::SampleSlower { group: 1 }));
    assert_eq!(unknown, "sim does not do that: there is no group 1; expected 0 to 0");
}

#[test]
fn random_losses_have_the_share_of_the_specification() {
    let rows = rows(&SimSpec::new(2, 1).dropout(0.25), 10_000).concat();
    let lost = rows.iter().filter(|value| value.is_nan()).count() as f64 / rows.len() as f64;
    // The standard error is sqrt(0.25 x 0.75 / 20,000) = 0.003.
    assert!((lost - 0.25).abs() < 0.012, "{lost}");
}

#[test]
fn the_world_ends_after_its_cycles_and_leaves_the_row_alone() {
    let mut sim = Sim::new(&SimSpec::new(1, 1).cycles(3)).expect("valid");
    let mut row = [f64::NAN];
    for _ in 0..3 {
        assert_eq!(sim.observe(Duration::ZERO, &mut row), Ok(Observed::Row));
    }
    row[0] = 42.0;
    for _ in 0..2 {
        assert_eq!(sim.observe(Duration::ZERO, &mut row), Ok(Observed::End));
    }
    assert_eq!(row, [42.0]);
}

#[test]
fn a_row_of_the_wrong_length_is_refused() {
    let mut sim = Sim::new(&SimSpec::new(2, 1)).expect("valid");
    let error = sim.observe(Duration::ZERO, &mut [0.0]).expect_err("too short");
    assert_eq!(error.to_string(), "sim: a row of 1 values; expected 2");
}

fn any_event(dimensions: u32) -> impl Strategy<Value = SimEvent> {
    let one = 0..dimensions;
    let size = -1e12..1e12;
    prop_oneof![
        (one.clone(), 0_u64..50, size.clone()).prop_map(|(dimension, at, sigmas)| SimEvent::Shock {
            dimension,
            at,
            sigmas
        }),
        (0_u64..50, 1_u64..50, 0.0..1e12).prop_map(|(from, length, factor)| SimEvent::Variance {
            dimension: None,
            from,
            to: from + length,
            factor
        }),
        (one.clone(), 0_u64..50, 1_u64..50).prop_map(|(dimension, from, length)| SimEvent::Ramp {
            dimension,
            from,
            to: from + length,
            until: None
        }),
        (one, 0_u64..50, 2_u32..50, size).prop_map(|(dimension, from, period_cycles, sigmas)| {
            SimEvent::Oscillation {
                dimension,
                from,
                to: u64::MAX,
                sigmas,
                period_cycles,
            }
        }),
    ]
}

proptest! {
    #[test]
    fn no_valid_world_leaves_its_range_or_stops_being_finite(
        seed in any::<u64>(),
        events in prop::collection::vec(any_event(2), 0..40),
        phi in 0.0..0.999,
        sigma in 0.0..1e12,
    ) {
        let dimension = SimDimension { group: 0, phi, mean: 1e6, sigma, capacity: Some(1e9) };
        let open = SimDimension { capacity: None, ..dimension };
        let mut spec = SimSpec::new(0, seed).dimension(dimension).dimension(open);
        spec.events = events;
        // A ramp on the open dimension is not a valid event.
        spec.events.retain(|event| !matches!(event, SimEvent::Ramp { dimension: 1, .. }));
        for row in rows(&spec, 60) {
            prop_assert!((0.0..=1e9).contains(&row[0]));
            prop_assert!(row[1].is_finite());
        }
    }
}
