use super::*;
use crate::budget::Unlimited;
use crate::l48::fixtures::report;
use crate::l48::observe::{Observe, ObserveOutput};
use crate::report::CycleReport;
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::StandardNormal;
use std::sync::{Arc, LazyLock};

/// Dimensions of the world below.
const DIMENSIONS: usize = 8;
const CONFIG: ObserveConfig = ObserveConfig {
    dimensions: DIMENSIONS,
    particles: 100,
    seed: 11,
};
/// Cycles that the model watches before it is stored, and after.
const BEFORE: u64 = 4_000;
const AFTER: u64 = 200;
/// What of the 8 KiB of a stored Level 4.8 the world model may have; the rest is for where the level stands.
const MOST_BYTES: usize = 7_000;

/// Rows of what an agent may watch: two seasons, three persistent quantities, a walk, bursts, and one that never moves.
fn world(seed: u64) -> Vec<[f64; DIMENSIONS]> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut state = [0.0; DIMENSIONS];
    (0..BEFORE + AFTER)
        .map(|cycle| {
            let mut normal = || rng.sample::<f64, _>(StandardNormal);
            let season = |period: u64| (cycle % period < period / 3) as u8 as f64;
            for (x, phi) in state.iter_mut().zip([0.0, 0.0, 0.5, 0.9, 0.99, 1.0, 0.0, 0.0]) {
                *x = phi * *x + normal();
            }
            [
                60.0 * season(48) + 2.0 * state[0],
                1e3 * season(288) + 50.0 * state[1],
                40.0 + state[2],
                state[3] + normal(),
                state[4],
                8e9 + 1e6 * state[5],
                if state[6] > 1.5 { 4096.0 * state[6] } else { 0.0 },
                16.0,
            ]
        })
        .collect()
}

/// The report of ten rows, or of the last one alone.
fn rows_up_to(rows: &[[f64; DIMENSIONS]], last: u64, alone: bool) -> CycleReport {
    let mut report = report(last, DIMENSIONS, |cycle, dim| rows[cycle as usize - 1][dim]);
    if alone {
        report.facts.drain(..9);
        report.observations.drain(..9 * DIMENSIONS);
    }
    report
}

/// A model that has watched the world until it is stored.
fn watched(rows: &[[f64; DIMENSIONS]]) -> Observe {
    let mut observe = Observe::new(CONFIG).expect("valid");
    for last in (10..=BEFORE).step_by(10) {
        let report = rows_up_to(rows, last, false);
        observe.step(&report, true, &Unlimited).expect("a good report");
    }
    observe
}

/// One output for each row after that.
fn go_on(observe: &mut Observe, rows: &[[f64; DIMENSIONS]]) -> Vec<ObserveOutput> {
    let one = |last| observe.step(&rows_up_to(rows, last, true), true, &Unlimited);
    (BEFORE + 1..=BEFORE + AFTER)
        .map(one)
        .collect::<Result<_, _>>()
        .expect("good reports")
}

/// Mean absolute errors of a dimension's forecasts over the first rows.
fn error(outputs: &[ObserveOutput], rows: &[[f64; DIMENSIONS]], dim: usize, first: usize) -> f64 {
    let next = &rows[BEFORE as usize + 1..];
    let errors = outputs.iter().zip(next).take(first);
    errors
        .map(|(output, row)| (output.forecasts[dim].mean - row[dim]).abs())
        .sum::<f64>()
        / first as f64
}

fn bytes(summary: &ObserveSummary) -> Vec<u8> {
    bincode::serde::encode_to_vec(summary, bincode::config::standard()).expect("encodes")
}

fn stored(observe: &Observe) -> Observe {
    let bytes = bytes(&observe.state().summary());
    let (summary, _): (ObserveSummary, _) =
        bincode::serde::decode_from_slice(&bytes, bincode::config::standard()).expect("decodes");
    Observe::from_state(Arc::new(summary.restore(CONFIG).expect("undamaged")))
}

/// Over several worlds: how much larger the errors of a restored model are, geometric mean over dimensions that move.
#[test]
fn forecasts_and_uncertainty_go_on_as_if_nothing_had_happened() {
    let (mut logs, mut count) = ([0.0; 3], 0.0);
    let (mut eu, mut res, mut width) = (0.0_f64, 0.0_f64, 0.0);
    for seed in 0..6 {
        let rows = world(seed);
        let mut original = watched(&rows);
        let mut restored = stored(&original);
        let (original, restored) = (go_on(&mut original, &rows), go_on(&mut restored, &rows));
        for dim in 0..DIMENSIONS - 1 {
            for (log, first) in logs.iter_mut().zip([20, 100, 199]) {
                *log += (error(&restored, &rows, dim, first) / error(&original, &rows, dim, first)).ln();
            }
            count += 1.0;
        }
        // All but the bursts, of whose errors most are 0.
        for dim in 0..6 {
            let widths = |outputs: &[ObserveOutput]| outputs.iter().map(|o| o.forecasts[dim].half_width).sum::<f64>();
            width += (widths(&restored) / widths(&original)).ln() / 36.0;
        }
        for (original, restored) in original.iter().zip(&restored) {
            eu = eu.max((original.eu - restored.eu).abs());
            res = res.max((original.res.score - restored.res.score).abs());
        }
    }
    let ratios = logs.map(|log| (log / count).exp());
    let width = width.exp();
    println!("errors {ratios:.4?}, widths {width:.4}, EU within {eu:.4}, RES within {res:.4}");
    assert!(ratios.iter().all(|ratio| (0.98..1.01).contains(ratio)), "{ratios:?}");
    assert!((0.95..1.05).contains(&width), "{width}");
    assert!(eu < 0.05 && res < 0.02, "EU {eu}, RES {res}");
}

/// The longest season in every dimension, late cycles, and rows that are all shocks now and then.
#[test]
fn at_its_largest_it_is_below_7000_bytes_of_8_dimensions() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let rows: Vec<[f64; DIMENSIONS]> = (0..BEFORE + 10)
        .map(|cycle| {
            let level = if cycle % 359 < 100 { 1e6 } else { -1e6 };
            std::array::from_fn(|_| level + 1e4 * rng.sample::<f64, _>(StandardNormal))
        })
        .collect();
    let mut observe = Observe::new(CONFIG).expect("valid");
    for last in (10..=BEFORE).step_by(10) {
        let mut report = rows_up_to(&rows, last, false);
        report.facts.iter_mut().for_each(|facts| facts.cycle += 1 << 40);
        observe.step(&report, true, &Unlimited).expect("a good report");
    }
    let size = bytes(&observe.state().summary()).len();
    println!("{size} bytes");
    assert!(size <= MOST_BYTES, "{size}");
    let usual = watched(&world(0)).state();
    let whole = bincode::serde::encode_to_vec(&*usual, bincode::config::standard()).expect("encodes");
    let usual = bytes(&usual.summary()).len();
    println!("usually {usual} bytes, of a state of {}", whole.len());
    assert!(usual < size);
}

#[test]
fn the_same_summary_gives_the_same_state_and_particles_are_as_many_as_configured() {
    let summary = watched(&world(1)).state().summary();
    assert_eq!(summary.restore(CONFIG), summary.restore(CONFIG));
    let fewer = summary
        .restore(ObserveConfig {
            particles: 10,
            ..CONFIG
        })
        .expect("undamaged");
    for (kept, dimension) in summary
        .restore(CONFIG)
        .expect("undamaged")
        .dimensions
        .iter()
        .zip(&fewer.dimensions)
    {
        assert_eq!(dimension.belief.len(), 10);
        assert_eq!(dimension.belief.mean(), kept.belief.mean());
        let mean: f64 = dimension
            .belief
            .particles()
            .map(|(state, weight)| weight * state[0])
            .sum();
        let square = |(state, weight): (&[f64], f64)| weight * (state[0] - mean).powi(2);
        let variance: f64 = dimension.belief.particles().map(square).sum();
        assert!((mean - dimension.belief.mean()[0]).abs() < 1e-9);
        assert!((variance / dimension.belief.variance()[0] - 1.0).abs() < 1e-9);
    }
}

#[test]
fn a_model_that_has_seen_nothing_or_little_is_stored_too() {
    let rows = world(2);
    let mut observe = Observe::new(CONFIG).expect("valid");
    for last in (10..=40).step_by(10) {
        let mut restored = stored(&observe);
        let report = rows_up_to(&rows, last, false);
        let (there, here) = (
            restored.step(&report, true, &Unlimited).expect("a good report"),
            observe.step(&report, true, &Unlimited).expect("a good report"),
        );
        assert!((there.eu - here.eu).abs() < 0.1, "{} for {}", there.eu, here.eu);
        assert_eq!((there.cycle, there.shocks), (here.cycle, here.shocks));
    }
}

#[test]
fn what_never_moved_has_no_ratio_after_either() {
    let rows = vec![[16.0; DIMENSIONS]; (BEFORE + AFTER) as usize];
    let mut restored = stored(&watched(&rows));
    let output = &go_on(&mut restored, &rows)[0];
    assert_eq!(output.forecast_ratio, None);
    assert_eq!(output.forecasts[0].mean, 16.0);
}

#[test]
fn a_summary_of_another_environment_or_configuration_is_refused_by_name() {
    let summary = watched(&world(3)).state().summary();
    let refused = |config| summary.restore(config).expect_err("of another").to_string();
    let with = |dimensions, particles| ObserveConfig {
        dimensions,
        particles,
        seed: 0,
    };
    assert_eq!(refused(with(7, 100)), "8 dimensions; expected 7");
    assert_eq!(refused(with(0, 100)), "0 dimensions; expected 1 to 64");
    assert_eq!(refused(with(8, 9)), "9 particles; expected 10 to 10000");
    let mut damaged = summary.clone();
    damaged.scenarios = Scenarios::new(7).summary();
    assert_eq!(
        damaged.restore(CONFIG),
        Err(RestoreError::Part(Refused("the scenarios")))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Bytes that an attacker or a broken disk changed: refused, or a model that goes on with finite numbers.
    #[test]
    fn whatever_is_stored_nothing_panics_and_what_comes_out_is_finite(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        seed in 0..2_u64,
    ) {
        let mut bytes = SUMMARIES[seed as usize].clone();
        for (at, value) in damage {
            *at.get_mut(&mut bytes) = value;
        }
        let decoded: Result<(ObserveSummary, _), _> =
            bincode::serde::decode_from_slice(&bytes, bincode::config::standard().with_limit::<100_000>());
        let Ok((summary, _)) = decoded else { return Ok(()) };
        let Ok(state) = summary.restore(CONFIG) else { return Ok(()) };
        let mut observe = Observe::from_state(Arc::new(state));
        let from = observe.state().cycle();
        for step in 1..=12 {
            let mut report = rows_up_to(&WORLDS[seed as usize], 10 * step, false);
            report.facts.iter_mut().for_each(|facts| facts.cycle = from.saturating_add(facts.cycle));
            let output = observe.step(&report, true, &Unlimited).expect("a good report");
            let numbers = output.mean.iter().chain(&output.variance).copied();
            let forecasts = output.forecasts.iter().flat_map(|f| [f.mean, f.half_width]);
            let rest = [output.eu, output.res.score, output.rdf];
            prop_assert!(numbers.chain(forecasts).chain(rest).all(f64::is_finite), "{:?}", output);
            prop_assert!(output.scenarios.iter().all(|s| (0.0..=1.0).contains(&s.probability)));
        }
        prop_assert!(observe.state().summary().restore(CONFIG).is_ok());
    }
}

static WORLDS: LazyLock<[Vec<[f64; DIMENSIONS]>; 2]> = LazyLock::new(|| [world(4), world(5)]);
static SUMMARIES: LazyLock<[Vec<u8>; 2]> =
    LazyLock::new(|| WORLDS.each_ref().map(|rows| bytes(&watched(rows).state().summary())));
