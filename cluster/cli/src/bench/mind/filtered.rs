//! The particle filter against the exact posterior: the Kalman filter's, which a linear Gaussian world has.

use super::super::filter::{BALANCED, BASELINE, Bootstrap, Kalman, PARTICLES, PRECISE};
use super::super::report::{Figure, Target};
use super::alone;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;
use rungs_mind::l48::ar::{Model, Transition};
use rungs_mind::l48::belief::{Belief, Scratch};

/// Variance of an observation's noise that says little.
const VAGUE: f64 = 4.0;
/// Runs of each case, and observations of each run.
const SEEDS: u64 = 8;
const STEPS: usize = 250;
/// Standard deviations around the mean that hold 90 % of a normal distribution.
const CENTRAL_90: f64 = 1.644_853_626_951_472_9;

/// One case: a world of so many dimensions.
struct Case {
    dims: usize,
    phi: f64,
    noise: f64,
}

/// What a case came to.
struct Fit {
    /// Root mean square distance to the exact mean, in posterior standard deviations.
    own_sd: f64,
    bootstrap_sd: f64,
    /// Share of the true states inside the central 90 % interval.
    inside: f64,
    broken: u32,
}

impl Case {
    fn run(&self) -> Fit {
        let mut fit = Fit {
            own_sd: 0.0,
            bootstrap_sd: 0.0,
            inside: 0.0,
            broken: 0,
        };
        for seed in 0..SEEDS {
            self.run_one(seed, &mut fit);
        }
        let count = (SEEDS as usize * STEPS * self.dims) as f64;
        Fit {
            own_sd: (fit.own_sd / count).sqrt(),
            bootstrap_sd: (fit.bootstrap_sd / count).sqrt(),
            inside: fit.inside / count,
            broken: fit.broken,
        }
    }

    /// Adds the sums of one run.
    fn run_one(&self, seed: u64, sums: &mut Fit) {
        let variance = 1.0 - self.phi * self.phi;
        let transition = Transition {
            phi: self.phi,
            mean: 0.0,
            variance,
        };
        let noise = self.noise;
        let model = Model { transition, noise };
        let (mut world, mut rng) = (Pcg64Mcg::seed_from_u64(seed), Pcg64Mcg::seed_from_u64(seed + 1_000_000));
        let mut scratch = Scratch::default();
        let mut finite = true;
        for _ in 0..self.dims {
            let (mut belief, mut bootstrap) = (Belief::new(1, PARTICLES, &mut rng), Bootstrap::new(&mut rng));
            let mut exact = Kalman::prior();
            let mut state: f64 = world.sample(StandardNormal);
            for _ in 0..STEPS {
                state = transition.predict(state) + variance.sqrt() * world.sample::<f64, _>(StandardNormal);
                let y = state + noise.sqrt() * world.sample::<f64, _>(StandardNormal);
                exact.step(&model, y);
                belief.observe_direct(&transition, noise, y, &mut scratch, &mut rng);
                let (mean, posterior) = (belief.mean()[0], belief.variance()[0]);
                finite &= mean.is_finite() && posterior.is_finite();
                sums.own_sd += (mean - exact.mean).powi(2) / exact.variance;
                sums.bootstrap_sd += (bootstrap.step(&model, y, &mut rng) - exact.mean).powi(2) / exact.variance;
                sums.inside += f64::from((state - mean).abs() <= CENTRAL_90 * posterior.sqrt());
            }
        }
        sums.broken += u32::from(!finite);
    }
}

/// 36 cases: 1 to 4 dimensions, three persistences, three kinds of sensors.
pub(super) fn measure() -> Vec<Figure> {
    let mut fits = Vec::new();
    for dims in 1..=4 {
        for phi in [0.5, 0.9, 0.99] {
            fits.extend([PRECISE, BALANCED, VAGUE].map(|noise| Case { dims, phi, noise }.run()));
        }
    }
    let greatest = |of: fn(&Fit) -> f64| fits.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    let least = |of: fn(&Fit) -> f64| fits.iter().map(of).fold(f64::INFINITY, f64::min);
    let share = Target::Within(0.85, 0.95);
    vec![
        Figure {
            id: "M1",
            what: "filter to the exact (Kalman) mean, worst of 36 cases",
            value: greatest(|fit| fit.own_sd),
            unit: "sd",
            baseline: BASELINE,
            baseline_value: Some(greatest(|fit| fit.bootstrap_sd)),
            target: Target::AtMost(0.18),
        },
        alone(
            "M1",
            "states in its 90 % interval, least of 36 cases",
            least(|fit| fit.inside),
            "share",
            share,
        ),
        alone(
            "M1",
            "states in its 90 % interval, most of 36 cases",
            greatest(|fit| fit.inside),
            "share",
            share,
        ),
        alone(
            "M1",
            "runs with a number that is not finite",
            greatest(|fit| f64::from(fit.broken)),
            "runs",
            Target::AtMost(0.0),
        ),
    ]
}
