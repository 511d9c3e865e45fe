//! The world model of Level 4.8: what a step of its particle filter costs beside a bootstrap filter of as many
//! particles, how far both are from the exact posterior (the Kalman filter's, which a linear Gaussian world has), and
//! what a whole pass of the level costs (P7).

use super::cycle::LowerLevels;
use super::report::{Figure, Target, median, median_of};
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rungs_mind::budget::Unlimited;
use rungs_mind::l48::ar::{Model, Transition};
use rungs_mind::l48::baton::{Baton, Pass};
use rungs_mind::l48::belief::{Belief, Scratch};
use rungs_mind::l48::emit::Emit;
use rungs_mind::l48::observe::{Observe, ObserveConfig};
use rungs_mind::l48::verify::Verify;
use rungs_mind::l48::{Introspect, Plan};
use rungs_types::Authority;
use std::sync::Arc;
use tokio::time::Instant;

/// Particles of each dimension, of both filters.
pub(super) const PARTICLES: usize = 100;
/// Dimensions of the world.
const DIMENSIONS: usize = 8;
/// Observations of one run.
const STEPS: usize = 2_000;
/// Persistence of the world; its long-run variance is 1.
const PHI: f64 = 0.9;
/// Variances of the observation's noise.
pub(super) const PRECISE: f64 = 0.0025;
pub(super) const BALANCED: f64 = 0.25;
/// Passes of one run that are measured, after as many that are not.
const PASSES: u64 = 200;
pub(super) const BASELINE: &str = "bootstrap filter";

/// Weighted particles that are moved by the transition and weighted by the likelihood (N. Gordon et al., 1993).
pub(super) struct Bootstrap {
    states: Vec<f64>,
    weights: Vec<f64>,
    spare: Vec<f64>,
}

impl Bootstrap {
    pub(super) fn new(rng: &mut Pcg64Mcg) -> Self {
        Self {
            states: (0..PARTICLES).map(|_| rng.sample(StandardNormal)).collect(),
            weights: vec![1.0 / PARTICLES as f64; PARTICLES],
            spare: vec![0.0; PARTICLES],
        }
    }

    /// One observation; returns the posterior mean.
    pub(super) fn step(&mut self, model: &Model, y: f64, rng: &mut Pcg64Mcg) -> f64 {
        let sd = model.transition.variance.sqrt();
        let mut greatest = f64::NEG_INFINITY;
        for (state, weight) in self.states.iter_mut().zip(&mut self.weights) {
            *state = model.transition.predict(*state) + sd * rng.sample::<f64, _>(StandardNormal);
            *weight = weight.ln() - 0.5 * (y - *state).powi(2) / model.noise;
            greatest = greatest.max(*weight);
        }
        self.weights
            .iter_mut()
            .for_each(|weight| *weight = (*weight - greatest).exp());
        let sum: f64 = self.weights.iter().sum();
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
        let mean = self
            .states
            .iter()
            .zip(&self.weights)
            .map(|(state, weight)| state * weight)
            .sum();
        let effective = 1.0 / self.weights.iter().map(|weight| weight * weight).sum::<f64>();
        if effective < 0.5 * PARTICLES as f64 {
            self.resample(rng);
        }
        mean
    }

    /// Systematic resampling.
    fn resample(&mut self, rng: &mut Pcg64Mcg) {
        let share = 1.0 / PARTICLES as f64;
        let (mut at, mut below, mut index) = (share * rng.random::<f64>(), self.weights[0], 0);
        for slot in &mut self.spare {
            while below < at && index + 1 < PARTICLES {
                index += 1;
                below += self.weights[index];
            }
            *slot = self.states[index];
            at += share;
        }
        std::mem::swap(&mut self.states, &mut self.spare);
        self.weights.fill(share);
    }
}

/// The exact posterior.
pub(super) struct Kalman {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Kalman {
    /// Before the first observation, in a world whose long-run variance is 1.
    pub(super) fn prior() -> Self {
        Self {
            mean: 0.0,
            variance: 1.0,
        }
    }

    pub(super) fn step(&mut self, model: &Model, y: f64) {
        let transition = model.transition;
        let variance = transition.phi.powi(2) * self.variance + transition.variance;
        let gain = variance / (variance + model.noise);
        let predicted = transition.predict(self.mean);
        self.mean = predicted + gain * (y - predicted);
        self.variance = (1.0 - gain) * variance;
    }
}

/// What one run of both filters over the same observations gave.
struct Fit {
    own_us: f64,
    bootstrap_us: f64,
    /// Root mean square distance to the exact mean, in posterior standard deviations.
    own_sd: f64,
    bootstrap_sd: f64,
}

fn fit(noise: f64, seed: u64) -> Fit {
    let variance = 1.0 - PHI * PHI;
    let transition = Transition {
        phi: PHI,
        mean: 0.0,
        variance,
    };
    let model = Model { transition, noise };
    let mut world = Pcg64Mcg::seed_from_u64(seed);
    let mut rng = Pcg64Mcg::seed_from_u64(seed + 1_000_000);
    let mut scratch = Scratch::default();
    let mut beliefs: Vec<_> = (0..DIMENSIONS).map(|_| Belief::new(1, PARTICLES, &mut rng)).collect();
    let mut bootstraps: Vec<_> = (0..DIMENSIONS).map(|_| Bootstrap::new(&mut rng)).collect();
    let mut exact: Vec<_> = (0..DIMENSIONS).map(|_| Kalman::prior()).collect();
    let mut state: Vec<f64> = (0..DIMENSIONS).map(|_| world.sample(StandardNormal)).collect();
    let (mut row, mut means) = ([0.0; DIMENSIONS], [0.0; DIMENSIONS]);
    let (mut times, mut squares) = ([Vec::new(), Vec::new()], [0.0; 2]);
    for _ in 0..STEPS {
        for (x, y) in state.iter_mut().zip(&mut row) {
            *x = transition.predict(*x) + variance.sqrt() * world.sample::<f64, _>(StandardNormal);
            *y = *x + noise.sqrt() * world.sample::<f64, _>(StandardNormal);
        }
        let began = Instant::now();
        for (belief, &y) in beliefs.iter_mut().zip(&row) {
            belief.observe_direct(&transition, noise, y, &mut scratch, &mut rng);
        }
        times[0].push(began.elapsed().as_secs_f64() * 1e6);
        let began = Instant::now();
        for ((bootstrap, &y), mean) in bootstraps.iter_mut().zip(&row).zip(&mut means) {
            *mean = bootstrap.step(&model, y, &mut rng);
        }
        times[1].push(began.elapsed().as_secs_f64() * 1e6);
        for (index, exact) in exact.iter_mut().enumerate() {
            exact.step(&model, row[index]);
            for (sum, mean) in squares.iter_mut().zip([beliefs[index].mean()[0], means[index]]) {
                *sum += (mean - exact.mean).powi(2) / exact.variance;
            }
        }
    }
    let [own_us, bootstrap_us] = times.map(median);
    let [own_sd, bootstrap_sd] = squares.map(|sum| (sum / (STEPS * DIMENSIONS) as f64).sqrt());
    Fit {
        own_us,
        bootstrap_us,
        own_sd,
        bootstrap_sd,
    }
}

/// Median time of a pass of Level 4.8 over a report of ten cycles, in microseconds.
fn pass_us(seed: u64) -> anyhow::Result<f64> {
    let mut lower = LowerLevels::new(seed)?;
    let mut observe = Observe::new(ObserveConfig {
        dimensions: DIMENSIONS,
        particles: PARTICLES as u32,
        seed,
    })?;
    let mut introspect = Introspect::new(lower.groups());
    let (mut plan, mut verify, mut emit) = (Plan::new(seed), Verify::new(), Emit::new());
    let mut times = Vec::new();
    for number in 1..=2 * PASSES {
        let (report, floor) = lower.report()?;
        let pass = Pass {
            number,
            authority: Authority::Full,
            cycle: floor.cycle,
            ..Pass::default()
        };
        let mut baton = Baton::new(pass, Arc::new(report), Arc::new(floor));
        let began = Instant::now();
        observe.carry(&mut baton, &Unlimited)?;
        introspect.carry(&mut baton)?;
        plan.carry(&mut baton, &Unlimited)?;
        verify.carry(&mut baton)?;
        emit.carry(&mut baton)?;
        if number > PASSES {
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    Ok(median(times))
}

/// Runs both filters over the same observations, and passes of the level.
pub fn measure(runs: u32) -> anyhow::Result<Vec<Figure>> {
    let seeds = || (0..u64::from(runs)).map(|seed| 7 * seed);
    let balanced: Vec<Fit> = seeds().map(|seed| fit(BALANCED, seed)).collect();
    let precise: Vec<Fit> = seeds().map(|seed| fit(PRECISE, seed)).collect();
    let passes = seeds().map(pass_us).collect::<anyhow::Result<Vec<f64>>>()?;
    let row = |id, what, unit, target, values: [f64; 2]| Figure {
        id,
        what,
        value: values[0],
        unit,
        baseline: BASELINE,
        baseline_value: Some(values[1]),
        target,
    };
    let distance = |fits: &[Fit]| {
        [
            median_of(fits, |fit| fit.own_sd),
            median_of(fits, |fit| fit.bootstrap_sd),
        ]
    };
    let times = [
        median_of(&balanced, |fit| fit.own_us),
        median_of(&balanced, |fit| fit.bootstrap_us),
    ];
    Ok(vec![
        row(
            "PF",
            "filter step, 8 dimensions of 100 particles",
            "us",
            Target::None,
            times,
        ),
        row(
            "PF",
            "distance to the exact mean, balanced noise",
            "sd",
            Target::AtMost(0.18),
            distance(&balanced),
        ),
        row(
            "PF",
            "distance to the exact mean, precise sensors",
            "sd",
            Target::AtMost(0.18),
            distance(&precise),
        ),
        Figure {
            id: "P7",
            what: "pass of L4.8, 8 dimensions, 100 particles",
            value: median(passes),
            unit: "us",
            baseline: "",
            baseline_value: None,
            // The target is for a pass with plans and their look-ahead; this one has none.
            target: Target::None,
        },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_nearer_to_the_exact_posterior_than_a_bootstrap_filter() {
        for noise in [PRECISE, BALANCED] {
            let fit = fit(noise, 3);
            assert!(fit.own_sd <= 0.18, "{}", fit.own_sd);
            assert!(fit.own_sd < fit.bootstrap_sd, "{} {}", fit.own_sd, fit.bootstrap_sd);
        }
    }

    #[test]
    fn a_pass_can_be_measured() {
        assert!(pass_us(1).expect("it runs") > 0.0);
    }
}
