//! One-step forecasts against the best there can be, which is known of a generated series, and against persistence on
//! recordings.

use super::super::report::{Figure, Target};
use super::{alone, incidents};
use crate::args::Replay;
use crate::replay;
use anyhow::Context as _;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rungs_mind::Stack;
use rungs_mind::body::Surroundings;
use rungs_types::{AgentId, AgentName, AgentSpec};
use std::path::Path;

/// Values of a generated series, and those at its start that are not counted.
const VALUES: usize = 6_000;
const UNCOUNTED: usize = 500;
/// Values of a day.
const DAY: usize = 96;

/// Mean absolute errors over the same values.
struct Errors {
    own: f64,
    persistence: f64,
    /// Of whoever knows how the series was made.
    best: f64,
    /// Of exponential smoothing with weight 0.3.
    smoothing: f64,
    /// Share of values inside the 90 % interval.
    inside: f64,
}

/// An agent over a series of values, each with what the one who made it would have forecast.
fn errors(series: &[(f64, f64)]) -> anyhow::Result<Errors> {
    let surroundings = Surroundings {
        groups: vec!["series".to_owned()],
        group_of: vec![0],
        capacities: vec![None],
        adjustable: false,
    };
    let name = AgentName::new("bench").expect("invariant: a constant that is a valid name");
    let mut stack = Stack::new(&AgentSpec::new(AgentId::of_default_tenant(name)), &surroundings)?;
    let mut scores = Vec::with_capacity(series.len());
    for (value, _) in series {
        let cycle = stack.step(&[*value]);
        scores.extend(cycle.world.iter().flat_map(|world| world.scores.iter().copied()));
    }
    let mut smoothed = series[0].0;
    let mut sums = [0.0; 5];
    let mut count = 0.0;
    let by_row = series.iter().enumerate().skip(1);
    for ((row, (value, best)), score) in by_row.zip(&scores) {
        anyhow::ensure!(score.cycle == row as u64 + 1, "every value but the first is forecast");
        if row >= UNCOUNTED {
            let own = (value - score.forecast).abs();
            let terms = [
                own,
                (value - score.persistence).abs(),
                (value - best).abs(),
                (value - smoothed).abs(),
                f64::from(own <= score.half_width),
            ];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
            count += 1.0;
        }
        smoothed += 0.3 * (value - smoothed);
    }
    let [own, persistence, best, smoothing, inside] = sums.map(|sum| sum / count);
    Ok(Errors {
        own,
        persistence,
        best,
        smoothing,
        inside,
    })
}

/// AR(1) with phi 0.5.
fn autoregression() -> Vec<(f64, f64)> {
    let mut rng = Pcg64Mcg::seed_from_u64(21);
    let mut value = 0.0;
    let next = |_| {
        let best = 0.5 * value;
        value = best + rng.sample::<f64, _>(StandardNormal);
        (50.0 + value, 50.0 + best)
    };
    (0..VALUES).map(next).collect()
}

/// High by day, low by night, with noise.
fn days() -> Vec<(f64, f64)> {
    let mut rng = Pcg64Mcg::seed_from_u64(22);
    let next = |row: usize| {
        let level = if (32..80).contains(&(row % DAY)) { 80.0 } else { 20.0 };
        (level + 3.0 * rng.sample::<f64, _>(StandardNormal), level)
    };
    (0..VALUES).map(next).collect()
}

/// On series whose best forecast is known.
pub(super) fn generated() -> anyhow::Result<Vec<Figure>> {
    let (autoregression, days) = (errors(&autoregression())?, errors(&days())?);
    let against = |what, errors: &Errors, most| Figure {
        id: "M6",
        what,
        value: errors.own,
        unit: "MAE",
        baseline: "who made the series",
        baseline_value: Some(errors.best),
        target: Target::RatioAtMost(most),
    };
    let smoothing = |what, errors: &Errors| Figure {
        baseline: "exp. smoothing",
        baseline_value: Some(errors.smoothing),
        target: Target::RatioAtMost(1.0),
        ..against(what, errors, 1.0)
    };
    let share = Target::Within(0.88, 0.92);
    Ok(vec![
        against("forecast of AR(1), phi 0.5", &autoregression, 1.05),
        smoothing("forecast of AR(1), phi 0.5", &autoregression),
        alone(
            "M6",
            "AR(1) in the 90 % interval",
            autoregression.inside,
            "share",
            share,
        ),
        against("forecast of days of 96 values", &days, 1.25),
        smoothing("forecast of days of 96 values", &days),
        alone(
            "M6",
            "days of 96 values, error to persistence",
            days.own / days.persistence,
            "ratio",
            Target::AtMost(0.80),
        ),
        alone("M6", "days in the 90 % interval", days.inside, "share", share),
    ])
}

/// On the recordings in a folder, with labels or without.
pub(super) fn recorded(dir: &Path, labels: Option<&Path>) -> anyhow::Result<Vec<Figure>> {
    let replay = Replay {
        traces: Vec::new(),
        dir: Some(dir.to_owned()),
        stack: false,
        seed: 0,
        particles: 100,
        json: false,
        events: None,
        limit: None,
        plot: None,
        labels: labels.map(Path::to_owned),
        threshold: None,
        place: None,
    };
    let (total, detection) = replay::figures(&replay)?;
    let ratio = total.forecast_ratio.context("no recording has evidence of forecasts")?;
    let inside = total.coverage.context("no recording has an interval")?;
    let mut figures = vec![
        alone(
            "M6",
            "recordings, error to persistence (geometric mean)",
            ratio,
            "ratio",
            Target::AtMost(0.80),
        ),
        alone(
            "M6",
            "recordings in the 90 % interval",
            inside,
            "share",
            Target::Within(0.88, 0.92),
        ),
    ];
    if let Some((detection, labels)) = detection.as_ref().zip(labels) {
        figures.extend(incidents::figures(&replay, labels, detection)?);
    }
    Ok(figures)
}
