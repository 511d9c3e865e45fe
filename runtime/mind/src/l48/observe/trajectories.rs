//! The world model as a source of trajectories: what a Lookahead draws its worlds from.

use super::state::ObserveState;
use crate::lookahead::{DimensionLaw, MAX_DOMAINS, Trajectories};
use rand::RngExt;
use rand_pcg::Pcg64Mcg;

/// A world model with the group of each of its dimensions, which is its domain of capability; groups beyond the last
/// domain that is told apart share it.
#[derive(Debug, Clone, Copy)]
pub struct BeliefTrajectories<'a> {
    state: &'a ObserveState,
    groups: &'a [u16],
}

impl<'a> BeliefTrajectories<'a> {
    /// Of a world model; `groups` has the group of each dimension, and one without counts as the first.
    pub fn new(state: &'a ObserveState, groups: &'a [u16]) -> Self {
        Self { state, groups }
    }
}

/// The domain of a group.
pub(crate) fn domain_of(group: u16) -> u8 {
    usize::from(group).min(MAX_DOMAINS - 1) as u8
}

impl Trajectories for BeliefTrajectories<'_> {
    fn dimensions(&self) -> usize {
        self.state.dimensions.len()
    }

    /// One that has never been seen is not expected to be.
    fn law(&self, dimension: usize) -> DimensionLaw {
        let domain = domain_of(self.groups.get(dimension).copied().unwrap_or(0));
        let unseen = DimensionLaw {
            phi: 0.0,
            mean: 0.0,
            innovation_sd: 1.0,
            noise_sd: 0.0,
            belief_mean: 0.0,
            belief_variance: 1.0,
            error_ratio: 1.0,
            interval_cycles: None,
            unseen_cycles: u32::MAX,
            domain,
        };
        let known = &self.state.dimensions[dimension];
        let (Some(anchor), Some(last_seen)) = (self.state.anchors[dimension], known.last_seen) else {
            return unseen;
        };
        DimensionLaw {
            phi: anchor.transition.phi,
            mean: anchor.transition.mean,
            innovation_sd: anchor.transition.variance.sqrt(),
            noise_sd: anchor.noise.sqrt(),
            belief_mean: anchor.mean,
            belief_variance: anchor.variance,
            interval_cycles: Some(known.interval_cycles().round() as u32),
            unseen_cycles: u32::try_from(self.state.cycle.saturating_sub(last_seen)).unwrap_or(u32::MAX),
            ..unseen
        }
    }

    fn draw_start(&self, dimension: usize, rng: &mut Pcg64Mcg) -> f64 {
        let mut left: f64 = rng.random();
        let mut last = 0.0;
        for (state, weight) in self.state.dimensions[dimension].belief.particles() {
            last = state[0];
            left -= weight;
            if left <= 0.0 {
                break;
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Unlimited;
    use crate::l48::fixtures::{CONFIG, report};
    use crate::l48::observe::Observe;
    use rand::SeedableRng;

    /// Dimension 0 is seen every cycle, dimension 1 never.
    fn observed() -> std::sync::Arc<ObserveState> {
        let mut observe = Observe::new(CONFIG).unwrap();
        for last in (10..=600).step_by(10) {
            let seen = |cycle: u64, dim| if dim == 0 { ((cycle * 37) % 11) as f64 } else { f64::NAN };
            observe.step(&report(last, 2, seen), true, &Unlimited).unwrap();
        }
        observe.state()
    }

    #[test]
    fn the_law_of_a_dimension_is_that_of_its_model_and_one_never_seen_is_not_expected() {
        let state = observed();
        let source = BeliefTrajectories::new(&state, &[0, 40]);
        assert_eq!(source.dimensions(), 2);
        let (seen, unseen) = (source.law(0), source.law(1));
        assert_eq!((seen.interval_cycles, seen.unseen_cycles, seen.domain), (Some(1), 0, 0));
        let anchor = state.anchors[0].unwrap();
        assert_eq!(
            (seen.phi, seen.belief_mean, seen.belief_variance),
            (anchor.transition.phi, anchor.mean, anchor.variance)
        );
        assert_eq!(
            (unseen.interval_cycles, usize::from(unseen.domain)),
            (None, MAX_DOMAINS - 1)
        );
    }

    #[test]
    fn a_start_is_a_particle_and_its_mean_that_of_the_belief() {
        let state = observed();
        let source = BeliefTrajectories::new(&state, &[0, 0]);
        let mut rng = Pcg64Mcg::seed_from_u64(5);
        let particles: Vec<f64> = state.dimensions[0]
            .belief
            .particles()
            .map(|(state, _)| state[0])
            .collect();
        let draws: Vec<f64> = (0..4_000).map(|_| source.draw_start(0, &mut rng)).collect();
        assert!(draws.iter().all(|draw| particles.contains(draw)));
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let expected: f64 = state.dimensions[0]
            .belief
            .particles()
            .map(|(state, weight)| state[0] * weight)
            .sum();
        assert!((mean - expected).abs() < 0.05, "{mean} {expected}");
    }
}
