//! The step for any likelihood.

use super::{Belief, ENTROPY_FLOOR, Health, SUPPORT_SD, Scratch, bounded};
use crate::budget::{Budget, BudgetExceeded};
use crate::l48::ar::Transition;
use crate::numeric::normal;
use rand::RngExt;
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;

/// Children of each particle.
const CHILDREN: usize = 16;
/// Effective children below which the observation may lie where no particle is.
const FEW_CHILDREN: f64 = 4.0;
/// Standard deviations of the long run over which the belief then looks for the observation.
const SEARCH_SD: f64 = 4.0;
/// Standard deviation of a Metropolis proposal, in those of the transition.
const MOVE_SD: f64 = 0.25;

impl Belief {
    /// One step of the block: it moves by `transitions` (one per dimension) and is then seen through
    /// `ln_likelihood(state)`, the logarithm of the observation's density given a state, up to a constant. A value
    /// that is not a number counts as impossible. Out of time, the belief is between two steps and to be dropped.
    pub fn observe(
        &mut self,
        transitions: &[Transition],
        ln_likelihood: &dyn Fn(&[f64]) -> f64,
        scratch: &mut Scratch,
        rng: &mut Pcg64Mcg,
        budget: &dyn Budget,
    ) -> Result<Health, BudgetExceeded> {
        self.spread(transitions, scratch, rng);
        let best = self.weigh(ln_likelihood, scratch, budget)?;
        let mut health = scratch.weights.health();
        if health.ess < FEW_CHILDREN && self.search(transitions, best, ln_likelihood, scratch, rng, budget)? {
            health.shock = true;
        }
        health.jittered = health.entropy < ENTROPY_FLOOR;
        self.take_moments(scratch);
        scratch.pick_sorted(self.len(), self.dims, rng);
        for (state, &pick) in self.states.chunks_exact_mut(self.dims).zip(&scratch.picks) {
            let from = pick as usize * self.dims;
            state.copy_from_slice(&scratch.points[from..from + self.dims]);
        }
        self.equal_weights();
        if !health.shock {
            self.move_copies(transitions, ln_likelihood, scratch, rng, budget)?;
        }
        Ok(health)
    }

    /// Children of all particles, drawn from the transition; stratified where there is one dimension.
    fn spread(&self, transitions: &[Transition], scratch: &mut Scratch, rng: &mut Pcg64Mcg) {
        scratch.points.clear();
        scratch.parents.clear();
        for state in self.states.chunks_exact(self.dims) {
            scratch
                .parents
                .extend(transitions.iter().zip(state).map(|(t, &value)| t.predict(value)));
            for child in 0..CHILDREN {
                for (transition, &value) in transitions.iter().zip(state) {
                    let noise = if self.dims == 1 {
                        let share = (child as f64 + rng.random::<f64>()) / CHILDREN as f64;
                        normal::quantile(share.clamp(1e-9, 1.0 - 1e-9))
                    } else {
                        rng.sample(StandardNormal)
                    };
                    scratch
                        .points
                        .push(bounded(transition.predict(value) + transition.variance.sqrt() * noise));
                }
            }
        }
    }

    /// Weighs the children; gives the greatest log likelihood among them.
    fn weigh(
        &self,
        ln_likelihood: &dyn Fn(&[f64]) -> f64,
        scratch: &mut Scratch,
        budget: &dyn Budget,
    ) -> Result<f64, BudgetExceeded> {
        let children = scratch.points.len() / self.dims;
        let per_particle = children / self.len();
        let Scratch { points, weights, .. } = scratch;
        let mut best = f64::NEG_INFINITY;
        let mut exceeded = Ok(());
        weights.set(points.chunks_exact(self.dims).enumerate().map(|(index, point)| {
            if index % per_particle == 0 && exceeded.is_ok() {
                exceeded = budget.check();
            }
            let ln = if exceeded.is_ok() {
                ln_likelihood(point)
            } else {
                f64::NEG_INFINITY
            };
            let ln = if ln.is_nan() { f64::NEG_INFINITY } else { ln };
            best = best.max(ln);
            ln + self.weights[index / per_particle].ln()
        }));
        exceeded.map(|()| best)
    }

    /// Looks for the observation all over the long-run range. If a state there explains it so much better than every
    /// child that it lies beyond their support, the points of the search replace the children.
    fn search(
        &self,
        transitions: &[Transition],
        best: f64,
        ln_likelihood: &dyn Fn(&[f64]) -> f64,
        scratch: &mut Scratch,
        rng: &mut Pcg64Mcg,
        budget: &dyn Budget,
    ) -> Result<bool, BudgetExceeded> {
        scratch.spare.clone_from(&scratch.points);
        for point in scratch.points.chunks_exact_mut(self.dims) {
            for (value, transition) in point.iter_mut().zip(transitions) {
                let reach = SEARCH_SD * transition.long_run_variance().sqrt();
                *value = bounded(transition.mean + reach * rng.sample::<f64, _>(StandardNormal));
            }
        }
        let found = self.weigh(ln_likelihood, scratch, budget)?;
        if found - best > 0.5 * SUPPORT_SD * SUPPORT_SD || (best == f64::NEG_INFINITY && found > best) {
            return Ok(true);
        }
        std::mem::swap(&mut scratch.points, &mut scratch.spare);
        self.weigh(ln_likelihood, scratch, budget)?;
        Ok(false)
    }

    fn take_moments(&mut self, scratch: &Scratch) {
        let weights = scratch.weights.normalised();
        for dim in 0..self.dims {
            let values = || scratch.points.iter().skip(dim).step_by(self.dims).zip(weights);
            let mean: f64 = values().map(|(value, weight)| weight * value).sum();
            self.mean[dim] = bounded(mean);
            self.variance[dim] = values().map(|(value, weight)| weight * (value - mean).powi(2)).sum();
        }
    }

    /// One Metropolis step for each copy of a child that was picked before: it keeps the product of the parent's
    /// transition and the likelihood.
    fn move_copies(
        &mut self,
        transitions: &[Transition],
        ln_likelihood: &dyn Fn(&[f64]) -> f64,
        scratch: &mut Scratch,
        rng: &mut Pcg64Mcg,
        budget: &dyn Budget,
    ) -> Result<(), BudgetExceeded> {
        let Scratch {
            points, parents, picks, ..
        } = scratch;
        let proposal = points;
        proposal.truncate(self.dims);
        for index in 1..self.len() {
            if picks[index] != picks[index - 1] {
                continue;
            }
            budget.check()?;
            let state = &mut self.states[index * self.dims..(index + 1) * self.dims];
            let parent = picks[index] as usize / CHILDREN * self.dims;
            let predicted = &parents[parent..parent + self.dims];
            let ln_target = |point: &[f64]| {
                let moves = point.iter().zip(predicted).zip(transitions);
                let ln_moves: f64 = moves.map(|((x, p), t)| -0.5 * (x - p).powi(2) / t.variance).sum();
                ln_moves + ln_likelihood(point)
            };
            for ((slot, &value), transition) in proposal.iter_mut().zip(state.iter()).zip(transitions) {
                let step = MOVE_SD * transition.variance.sqrt() * rng.sample::<f64, _>(StandardNormal);
                *slot = bounded(value + step);
            }
            let ln_ratio = ln_target(proposal) - ln_target(state);
            if ln_ratio >= rng.random::<f64>().ln() {
                state.copy_from_slice(proposal);
            }
        }
        Ok(())
    }
}
