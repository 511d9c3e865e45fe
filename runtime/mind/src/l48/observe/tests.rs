use super::*;
use crate::budget::Unlimited;
use crate::l48::fixtures::{CONFIG, report};
use crate::l48::forecast::Source;
use crate::report::{CycleFacts, Resource};
use std::sync::atomic::AtomicBool;

fn phase() -> Observe {
    Observe::new(CONFIG).expect("valid")
}

fn wave(cycle: u64, dim: usize) -> f64 {
    100.0 * dim as f64 + (cycle as f64 / 9.0).sin()
}

/// Runs reports up to and including `last`, and gives the last output.
fn run(
    observe: &mut Observe,
    cycles: std::ops::RangeInclusive<u64>,
    value: impl Fn(u64, usize) -> f64,
) -> ObserveOutput {
    let mut output = ObserveOutput::default();
    for last in cycles.step_by(10) {
        output = observe
            .step(&report(last, 2, &value), true, &Unlimited)
            .expect("a good report");
    }
    output
}

#[test]
fn a_world_that_is_seen_well_has_little_uncertainty_and_risk() {
    let mut observe = phase();
    let output = run(&mut observe, 10..=1_000, wave);
    assert!(output.eu < 0.15, "EU {}", output.eu);
    assert!(output.res.score < 0.40, "RES {:?}", output.res);
    assert_eq!((output.cycle, output.rdf, output.shocks), (1_000, 10_000.0, 0));
    assert!(output.forecast_ratio.expect("known") < 0.9);
    assert!((0.85..=1.0).contains(&output.interval_coverage.expect("known")));
    assert!(output.scenario_coverage.expect("known") >= 0.85);
    for dim in 0..2 {
        assert!((output.mean[dim] - wave(1_000, dim)).abs() < 0.2, "{:?}", output.mean);
        let next = wave(1_001, dim);
        assert!(
            (output.forecasts[dim].mean - next).abs() < 0.1,
            "{:?}",
            output.forecasts[dim]
        );
    }
}

#[test]
fn definition_2_is_the_mean_variance_and_a_dimension_unseen_for_50_cycles_counts_1() {
    let mut observe = phase();
    let first_only = |cycle: u64, dim: usize| if dim == 0 { wave(cycle, 0) } else { f64::NAN };
    let output = run(&mut observe, 10..=500, first_only);
    assert_eq!(output.variance[1], 1.0, "never seen");
    assert!((output.eu - 0.5 * (output.variance[0] + 1.0)).abs() < 1e-12);

    let mut observe = phase();
    run(&mut observe, 10..=500, wave);
    // Dimension 1 was last seen at 500: at 540 that is 40 cycles ago, at 550 it is 50.
    let output = run(&mut observe, 510..=540, first_only);
    assert!(output.variance[1] < 1.0);
    let output = run(&mut observe, 550..=550, first_only);
    assert_eq!(output.variance[1], 1.0);
    let output = run(&mut observe, 560..=560, wave);
    assert!(output.variance[1] < 0.5, "seen again: {}", output.variance[1]);
}

#[test]
fn res_takes_its_parts_from_resources_innovations_age_and_shocks() {
    let mut observe = phase();
    run(&mut observe, 10..=500, wave);
    let mut blind = report(510, 2, |_, _| f64::NAN);
    blind.resources = vec![Resource {
        level: 30.0,
        consumption_per_cycle: 2.0,
        utilisation: 0.85,
    }];
    let output = observe.step(&blind, true, &Unlimited).expect("a good report");
    assert!((output.res.exposure - 0.5).abs() < 1e-9);
    assert!((output.res.staleness - 0.2).abs() < 1e-12, "10 of 50 cycles");
    assert!((output.rdf - 15.0).abs() < 1e-6);
    let before = output.shocks;
    let output = run(&mut observe, 520..=520, |cycle, dim| {
        if cycle == 515 { 1e4 } else { wave(cycle, dim) }
    });
    assert!(output.res.shocks > 0.0 && output.res.violations >= 0.0);
    assert!(
        output.shocks > before && output.degenerate,
        "an outlier reinitialises and is told"
    );
}

#[test]
fn values_that_are_not_numbers_gaps_and_outliers_leave_finite_outputs() {
    let mut observe = phase();
    let wild = |cycle: u64, dim: usize| match (cycle % 97, dim) {
        (0, _) => f64::NAN,
        (1, 0) => f64::INFINITY,
        (2, 1) => -1e300,
        (3, 0) => 1e30,
        (20..60, 1) => f64::NAN,
        _ => wave(cycle, dim),
    };
    let mut last = 0;
    while last < 3_000 {
        // Some reports are lost: up to 40 cycles that no row covers.
        last += if last % 300 == 0 { 50 } else { 10 };
        let output = observe
            .step(&report(last, 2, wild), true, &Unlimited)
            .expect("a good report");
        let numbers = [output.eu, output.res.score, output.rdf];
        assert!(numbers.iter().all(|number| number.is_finite()), "{output:?}");
        let listed = output.mean.iter().chain(&output.variance);
        let forecasts = output.forecasts.iter().flat_map(|f| [&f.mean, &f.half_width]);
        assert!(
            listed.chain(forecasts).all(|number| number.is_finite()) || last < 100,
            "{output:?}"
        );
    }
}

#[test]
fn a_switch_of_forecasters_waits_for_permission() {
    // A slow process under much noise: its belief is the exact model, which the online forecaster only approaches.
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(1);
    let mut normal = move || rng.sample::<f64, _>(rand_distr::StandardNormal);
    let (mut states, mut values) = ([0.0; 2], Vec::new());
    for _ in 0..4_000 {
        states = states.map(|state| 0.97 * state + 0.24 * normal());
        values.push(states.map(|state| state + normal()));
    }
    let value = |cycle: u64, dim: usize| values[cycle as usize - 1][dim];
    let mut observe = phase();
    let mut step = |permitted: bool| {
        let last = observe.state().cycle() + 10;
        assert!(last <= 4_000, "the belief never became the better one");
        observe
            .step(&report(last, 2, value), permitted, &Unlimited)
            .expect("a good report")
    };
    let waiting = loop {
        let output = step(false);
        assert!(
            output
                .forecasts
                .iter()
                .all(|forecast| forecast.source == Source::Online),
            "no permission"
        );
        if let Some(Structural::SwitchForecaster { dimension }) = output.pending.first().copied() {
            break usize::from(dimension);
        }
    };
    let output = step(true);
    assert_eq!(output.forecasts[waiting].source, Source::Belief);
}

#[test]
fn the_same_seed_and_reports_give_the_same_output_and_another_seed_another() {
    let with = |seed| {
        let mut observe = Observe::new(ObserveConfig { seed, ..CONFIG }).expect("valid");
        run(&mut observe, 10..=300, wave)
    };
    assert_eq!(with(1), with(1));
    assert_ne!(with(1).mean, with(2).mean);
}

#[test]
fn a_malformed_report_is_refused_by_name_and_changes_nothing() {
    let mut observe = phase();
    run(&mut observe, 10..=100, wave);
    let before = observe.state();
    let mut refused = |report: &CycleReport| {
        let error = observe.step(report, true, &Unlimited).expect_err("malformed");
        assert_eq!(observe.state(), before);
        error.to_string()
    };
    let good = report(110, 2, wave);
    let other = report(110, 3, wave);
    assert_eq!(refused(&other), "the report is malformed: 3 dimensions; expected 2");
    let mut short = good.clone();
    short.observations.pop();
    assert_eq!(
        refused(&short),
        "the report is malformed: 19 observations; expected 20, one row per cycle"
    );
    let mut long = good.clone();
    long.facts = vec![CycleFacts::default(); 101];
    assert_eq!(
        refused(&long),
        "the report is malformed: 101 cycles; expected at most 100"
    );
}

#[test]
fn out_of_time_the_state_is_as_before() {
    let mut observe = phase();
    run(&mut observe, 10..=100, wave);
    let before = observe.state();
    let over = AtomicBool::new(true);
    let error = observe.step(&report(110, 2, wave), true, &over).expect_err("no time");
    assert_eq!(error, ObserveError::Budget(BudgetExceeded));
    assert_eq!(observe.state(), before);
    over.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(observe.step(&report(110, 2, wave), true, &over).is_ok());
}

#[test]
fn a_configuration_out_of_range_is_refused_by_name() {
    let new = |dimensions, particles| {
        Observe::new(ObserveConfig {
            dimensions,
            particles,
            seed: 0,
        })
        .map(|_| ())
    };
    assert_eq!(new(0, 100), Err(ConfigError::Dimensions { found: 0 }));
    assert_eq!(new(65, 100), Err(ConfigError::Dimensions { found: 65 }));
    assert_eq!(new(64, 9), Err(ConfigError::Particles { found: 9 }));
    assert_eq!(new(64, 10), Ok(()));
    let error = new(1, 10_001).expect_err("too many").to_string();
    assert_eq!(error, "10001 particles; expected 10 to 10000");
}
