//! The self-evolution objective SEOF, and the ensemble that keeps it honest.

use crate::l3::ActionKind;
use crate::numeric::history::History;
use crate::numeric::window::Window;
use crate::report::Resource;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

/// Cycles over which derivatives and oscillation are taken.
pub const CYCLES: usize = 100;
/// The highest SEOF at rest, when derivatives are 0: 0.25 + 0.20 IIS …
pub const REST: f64 = 0.45;
/// … and with two or more domains, 0.20 CDI.
pub const REST_WITH_DOMAINS: f64 = 0.65;
/// Range of an ensemble weight.
pub const WEIGHT_RANGE: (f64, f64) = (0.15, 0.40);
/// Cycles of one direction after which the ensemble is perturbed: what only ever rises is being gamed.
pub const MONOTONIC_CYCLES: u32 = 300;
/// Runway, in cycles, at which survival is full.
const FULL_RUNWAY_CYCLES: f64 = 1000.0;
/// Cycles over which the variety of actions is counted.
const EXPLORATION_CYCLES: usize = 200;
/// Largest change of a weight by a perturbation.
const PERTURBATION: f64 = 0.10;

/// What SEOF of one cycle is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Parts {
    /// P(t); `None` without evidence.
    pub performance: Option<f64>,
    /// C_L4.
    pub c_l4: f64,
    /// Capability diversity.
    pub cdi: f64,
    /// Domains with evidence.
    pub domains: usize,
    /// Identity integrity; `None` while warming up: nothing is counted for it.
    pub iis: Option<f64>,
    /// Changes of strategy or goal that took back an earlier one.
    pub flips: u16,
    /// The cycle's action.
    pub action: ActionKind,
}

/// SEOF of one cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// SEOF, in [-1, 1].
    pub seof: f64,
    /// SEOF over its highest value at rest, at least 0.
    pub maturity: f64,
    /// The ensemble's value, in [0, 1].
    pub ensemble: f64,
}

/// SEOF of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seof {
    performance: History<Option<f64>>,
    c_l4: Window,
    flips: History<u16>,
    actions: History<ActionKind>,
    ensemble: Ensemble,
}

impl Seof {
    /// Nothing known yet; `seed` is that of the perturbations.
    pub fn new(seed: u64) -> Self {
        Self {
            performance: History::new(CYCLES + 1),
            c_l4: Window::new(CYCLES + 1),
            flips: History::new(CYCLES),
            actions: History::new(EXPLORATION_CYCLES),
            ensemble: Ensemble::new(seed),
        }
    }

    /// Takes in one cycle: 0.25 dP/dt + 0.25 (1 - dC_L4/dt) + 0.20 CDI + 0.20 IIS - 0.10 R_osc. Derivatives are per 100
    /// cycles, clamped to [-1, 1], and 0 where one of the two ends is not known.
    pub fn update(&mut self, parts: &Parts, resources: &[Resource]) -> Reading {
        self.performance.push(parts.performance);
        self.c_l4.push(parts.c_l4);
        self.flips.push(parts.flips);
        self.actions.push(parts.action);
        let growth = self.performance_growth();
        let oscillation = self.oscillation();
        let seof = 0.25 * growth
            + 0.25 * (1.0 - self.complexity_growth())
            + 0.20 * parts.cdi
            + 0.20 * parts.iis.unwrap_or(0.0)
            - 0.10 * oscillation;
        let seof = seof.clamp(-1.0, 1.0);
        let rest = if parts.domains >= 2 { REST_WITH_DOMAINS } else { REST };
        let components = [
            (1.0 - parts.c_l4).clamp(0.0, 1.0) * (1.0 + growth) / 2.0,
            parts.cdi,
            survival(resources),
            self.exploration(),
        ];
        Reading {
            seof,
            maturity: (seof / rest).max(0.0),
            ensemble: self.ensemble.update(seof, &components),
        }
    }

    fn performance_growth(&self) -> f64 {
        let ends = self
            .performance
            .oldest()
            .flatten()
            .zip(self.performance.newest().flatten());
        ends.filter(|_| self.performance.is_full())
            .map_or(0.0, |(then, now)| (now - then).clamp(-1.0, 1.0))
    }

    fn complexity_growth(&self) -> f64 {
        let ends = self.c_l4.oldest().zip(self.c_l4.newest());
        ends.filter(|_| self.c_l4.is_full())
            .map_or(0.0, |(then, now)| (now - then).clamp(-1.0, 1.0))
    }

    /// R_osc: flips per cycle over 100 cycles, at most 1.
    fn oscillation(&self) -> f64 {
        let flips: u64 = self.flips.unordered().iter().map(|n| u64::from(*n)).sum();
        (flips as f64 / CYCLES as f64).min(1.0)
    }

    /// Entropy of the kinds of action over 200 cycles, over its largest value.
    fn exploration(&self) -> f64 {
        let mut counts = [0.0_f64; 8];
        self.actions
            .unordered()
            .iter()
            .for_each(|kind| counts[kind.index()] += 1.0);
        let total = self.actions.len() as f64;
        let entropy: f64 = counts
            .iter()
            .filter(|n| **n > 0.0)
            .map(|n| -n / total * (n / total).ln())
            .sum();
        (entropy / 8.0_f64.ln()).clamp(0.0, 1.0)
    }

    /// Every number is one that the module could have reached by itself.
    pub(super) fn is_valid(&self) -> bool {
        self.performance.capacity() == CYCLES + 1
            && self.performance.iter().flatten().all(|p| (0.0..=1.0).contains(&p))
            && self.ensemble.is_valid()
    }
}

/// Shortest runway of a resource over a thousand cycles, in [0, 1]; 1 when nothing is used up.
fn survival(resources: &[Resource]) -> f64 {
    let of = |r: &Resource| {
        if !r.level.is_finite() || !r.consumption_per_cycle.is_finite() {
            0.0
        } else if r.consumption_per_cycle <= 0.0 {
            1.0
        } else {
            (r.level / r.consumption_per_cycle / FULL_RUNWAY_CYCLES).clamp(0.0, 1.0)
        }
    };
    resources.iter().map(of).fold(1.0, f64::min)
}

/// Four views of how well the agent evolves (stability-weighted growth, diversity, long-horizon survival, exploration),
/// weighed alike, until SEOF has moved in one direction for 300 cycles: then the weights are perturbed until it turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ensemble {
    weights: [f64; 4],
    last: Option<f64>,
    /// Cycles that SEOF has risen (positive) or fallen (negative) without turning.
    run: i32,
    rng: Pcg64Mcg,
}

impl Ensemble {
    fn new(seed: u64) -> Self {
        Self {
            weights: [0.25; 4],
            last: None,
            run: 0,
            rng: Pcg64Mcg::seed_from_u64(seed),
        }
    }

    fn update(&mut self, seof: f64, components: &[f64; 4]) -> f64 {
        let change = self.last.map_or(0.0, |last| seof - last);
        self.last = Some(seof);
        if change * f64::from(self.run) < 0.0 {
            (self.run, self.weights) = (0, [0.25; 4]);
        }
        if change != 0.0 {
            self.run = self.run.saturating_add(if change > 0.0 { 1 } else { -1 });
        }
        if change != 0.0 && self.run.unsigned_abs() == MONOTONIC_CYCLES {
            self.perturb();
        }
        let value: f64 = self.weights.iter().zip(components).map(|(w, c)| w * c).sum();
        value.clamp(0.0, 1.0)
    }

    /// Shifts the weights at random: the shifts are centred, so that the sum stays 1, and scaled so that none exceeds a
    /// tenth, so that every weight stays in its range.
    fn perturb(&mut self) {
        let mut shift = [0.0; 4];
        shift
            .iter_mut()
            .for_each(|s| *s = self.rng.random_range(-PERTURBATION..=PERTURBATION));
        let mean = shift.iter().sum::<f64>() / 4.0;
        let largest = shift.iter().map(|s| (s - mean).abs()).fold(f64::MIN_POSITIVE, f64::max);
        let scale = (PERTURBATION / largest).min(1.0);
        self.weights = shift.map(|s| 0.25 + (s - mean) * scale);
    }

    fn is_valid(&self) -> bool {
        let (low, high) = WEIGHT_RANGE;
        self.weights.iter().all(|w| (low - 1e-12..=high + 1e-12).contains(w))
            && self.last.is_none_or(|l| (-1.0..=1.0).contains(&l))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CALM: Parts = Parts {
        performance: Some(0.6),
        c_l4: 0.1,
        cdi: 0.0,
        domains: 1,
        iis: Some(1.0),
        flips: 0,
        action: ActionKind::Hold,
    };

    fn last(cycles: impl Iterator<Item = Parts>) -> Reading {
        let mut seof = Seof::new(1);
        cycles.map(|parts| seof.update(&parts, &[])).last().expect("cycles")
    }

    #[test]
    fn at_rest_it_is_the_highest_there_is() {
        let one = last(std::iter::repeat_n(CALM, 300));
        assert!((one.seof - 0.45).abs() < 1e-12 && (one.maturity - 1.0).abs() < 1e-12);
        let two = last(std::iter::repeat_n(
            Parts {
                cdi: 1.0,
                domains: 2,
                ..CALM
            },
            300,
        ));
        assert!((two.seof - 0.65).abs() < 1e-12 && (two.maturity - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_counted_for_an_identity_that_is_warming_up() {
        let warming = last(std::iter::repeat_n(Parts { iis: None, ..CALM }, 10));
        assert!((warming.seof - 0.25).abs() < 1e-12 && (warming.maturity - 0.25 / 0.45).abs() < 1e-12);
    }

    #[test]
    fn derivatives_are_those_of_a_hundred_cycles() {
        // P rises by 0.2 and C by 0.1 within 100 cycles.
        let ramp = |cycles: u32| {
            last((0..cycles).map(|c| {
                let share = f64::from(c.min(100)) / 100.0;
                Parts {
                    performance: Some(0.4 + 0.2 * share),
                    c_l4: 0.1 + 0.1 * share,
                    ..CALM
                }
            }))
        };
        assert!((ramp(100).seof - 0.45).abs() < 1e-12, "not yet known");
        assert!((ramp(101).seof - (0.45 + 0.25 * 0.2 - 0.25 * 0.1)).abs() < 1e-12);
        assert!((ramp(201).seof - 0.45).abs() < 1e-12);
    }

    #[test]
    fn a_derivative_without_one_of_its_ends_is_zero() {
        let sudden = last((0..101).map(|c| Parts {
            performance: (c >= 50).then_some(0.9),
            ..CALM
        }));
        assert!((sudden.seof - 0.45).abs() < 1e-12);
    }

    #[test]
    fn flips_cost_a_tenth_of_their_rate() {
        let flipping = last((0..200).map(|c| Parts {
            flips: u16::from(c % 4 == 0),
            ..CALM
        }));
        assert!((flipping.seof - (0.45 - 0.1 * 0.25)).abs() < 1e-12);
        let mad = last((0..200).map(|_| Parts {
            flips: u16::MAX,
            ..CALM
        }));
        assert!((mad.seof - 0.35).abs() < 1e-12);
    }

    #[test]
    fn survival_is_the_shortest_runway_over_a_thousand_cycles() {
        let resource = |level, consumption_per_cycle| Resource {
            level,
            consumption_per_cycle,
            utilisation: 0.0,
        };
        assert_eq!(survival(&[]), 1.0);
        assert_eq!(survival(&[resource(10.0, 0.0), resource(5.0, 0.01)]), 0.5);
        assert_eq!(survival(&[resource(f64::NAN, 1.0)]), 0.0);
        assert_eq!(survival(&[resource(-3.0, 1.0)]), 0.0);
    }

    #[test]
    fn the_ensemble_weighs_its_four_views_alike() {
        // Growth 0.9 * 0.5, diversity 0, survival 1, exploration 0 (nothing but holding).
        let reading = last(std::iter::repeat_n(CALM, 10));
        assert!((reading.ensemble - 0.25 * 1.45).abs() < 1e-12);
        // Every kind alike: full exploration.
        let varied = last((0..200).map(|c| Parts {
            action: ActionKind::ALL[c % 8],
            ..CALM
        }));
        assert!((varied.ensemble - 0.25 * 2.45).abs() < 1e-12);
    }

    #[test]
    fn three_hundred_cycles_of_one_direction_perturb_the_weights_until_it_turns() {
        let mut ensemble = Ensemble::new(3);
        let weights = |ensemble: &mut Ensemble, seof: f64| {
            ensemble.update(seof, &[0.0; 4]);
            ensemble.weights
        };
        for cycle in 0..300 {
            assert_eq!(weights(&mut ensemble, f64::from(cycle) * 1e-4), [0.25; 4]);
        }
        let perturbed = weights(&mut ensemble, 300.0 * 1e-4);
        assert_ne!(perturbed, [0.25; 4]);
        assert!((perturbed.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(weights(&mut ensemble, 301.0 * 1e-4), perturbed);
        assert_eq!(weights(&mut ensemble, 0.0), [0.25; 4]);
        for _ in 0..1000 {
            weights(&mut ensemble, 0.0);
        }
        assert_eq!(ensemble.run, -1, "a halt is neither a turn nor a move");
    }

    proptest! {
        #[test]
        fn perturbed_weights_keep_their_range_and_sum(seed in any::<u64>()) {
            let mut ensemble = Ensemble::new(seed);
            for _ in 0..20 {
                ensemble.perturb();
                prop_assert!((ensemble.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                prop_assert!(ensemble.is_valid(), "{:?}", ensemble.weights);
            }
        }

        #[test]
        fn it_stays_in_range_for_any_shares(
            cycles in prop::collection::vec((prop::option::of(0.0..=1.0f64), prop::array::uniform3(0.0..=1.0f64), any::<u16>()), 1..250),
            level in any::<f64>(), consumption_per_cycle in any::<f64>(),
        ) {
            let mut seof = Seof::new(1);
            let resources = [Resource { level, consumption_per_cycle, utilisation: 0.0 }];
            for (performance, [c_l4, cdi, iis], flips) in cycles {
                let parts = Parts { performance, c_l4, cdi, domains: 2, iis: Some(iis), flips, action: ActionKind::Hold };
                let reading = seof.update(&parts, &resources);
                prop_assert!((-1.0..=1.0).contains(&reading.seof) && reading.maturity >= 0.0);
                prop_assert!((0.0..=1.0).contains(&reading.ensemble));
                prop_assert!(seof.is_valid());
            }
        }
    }
}
