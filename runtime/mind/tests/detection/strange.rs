//! How strange planted incidents are to the anomaly score, and how often it is wrong: series that no constant was found
//! with.

use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rungs_mind::l48::anomaly::Anomaly;
use rungs_mind::l48::observe::Score;
use std::ops::Range;

/// Values of a series, and of a day.
pub(crate) const ROWS: usize = 4_000;
const DAY: usize = 96;

/// A series with one incident.
pub(crate) struct Planted {
    pub(crate) what: &'static str,
    pub(crate) values: Vec<f64>,
    /// Rows of the incident and as many behind it as its trace may take to show: a long stretch.
    pub(crate) rows: Range<usize>,
}

/// High by day, low by night, with noise.
fn days(rng: &mut Pcg64Mcg) -> Vec<f64> {
    let level = |row: usize| if (32..80).contains(&(row % DAY)) { 80.0 } else { 20.0 };
    let noisy = (0..ROWS).map(|row| level(row) + 3.0 * rng.sample::<f64, _>(StandardNormal));
    noisy.collect()
}

/// AR(1), phi 0.9, of long-run standard deviation 1.
fn wandering(rng: &mut Pcg64Mcg) -> Vec<f64> {
    let mut value = 0.0;
    let next = |_| {
        value = 0.9 * value + 0.19_f64.sqrt() * rng.sample::<f64, _>(StandardNormal);
        value
    };
    (0..ROWS).map(next).collect()
}

/// A wave of a day, with noise.
fn wave(rng: &mut Pcg64Mcg) -> Vec<f64> {
    let angle = |row: usize| (row % DAY) as f64 / DAY as f64 * std::f64::consts::TAU;
    let noisy = (0..ROWS).map(|row| 10.0 * angle(row).sin() + 0.5 * rng.sample::<f64, _>(StandardNormal));
    noisy.collect()
}

/// The series of one seed.
pub(crate) fn planted(seed: u64) -> Vec<Planted> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    // At any time of a day, after twenty days at least.
    let at = 2_000 + rng.random_range(0..1_000);
    let rows = |length: usize| at..at + length + DAY;
    let mut all = Vec::new();
    let mut plant = |what, mut values: Vec<f64>, length: usize, change: &mut dyn FnMut(&mut f64)| {
        values[at..at + length].iter_mut().for_each(change);
        all.push(Planted {
            what,
            values,
            rows: rows(length),
        });
    };
    plant("a spike of ten standard deviations", wandering(&mut rng), 1, &mut |v| {
        *v += 10.0
    });
    plant("a level that moves by eight", wandering(&mut rng), 50, &mut |v| {
        *v += 8.0
    });
    plant("a value between day and night", days(&mut rng), 5, &mut |v| {
        *v = 0.1 * *v + 45.0
    });
    plant("a sensor that stands still", wave(&mut rng), 60, &mut |v| *v = 0.0);
    // A night from ten days before, in place of a day: no value and no run of values is new.
    let mut values = days(&mut rng);
    let noon = at / DAY * DAY + 32;
    values.copy_within(noon - 10 * DAY + 48..noon - 10 * DAY + 96, noon);
    all.push(Planted {
        what: "night at noon",
        values,
        rows: noon..noon + 48 + DAY,
    });
    all
}

/// How strange each row is.
pub(crate) fn scores(values: &[f64]) -> Vec<f64> {
    let mut anomaly = Anomaly::default();
    let pairs = values.windows(2).map(|pair| {
        anomaly.step(&Score {
            persistence: pair[0],
            observed: pair[1],
            ..Score::default()
        })
    });
    std::iter::once(0.0).chain(pairs).collect()
}
