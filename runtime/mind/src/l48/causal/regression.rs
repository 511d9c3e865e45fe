//! Lagged regression: how much of a node's departure from normal follows from another's, some cycles before.
//!
//! For each pair and lag l: `effect(t) = s cause(t - l) + p effect(t - l)`, in standard deviations. The effect's own past
//! is in the equation so that a cause which only moved together with it, then, is not taken for one (C. W. J. Granger,
//! 1969). With c the covariances of the last cycles, exponentially weighed,
//! `s = (c_ce(l) c_ee(0) - c_ee(l) c_ce(0)) / (c_cc(0) c_ee(0) - c_ce(0)^2)`.
//!
//! Invariant: all numbers are finite; the state's size is fixed by the number of nodes.

use crate::numeric::running::Scale;
use serde::Serialize;

/// Cycles by which a cause may precede its effect; 0 is for the covariances of one and the same cycle.
pub const LAGS: [u16; 7] = [0, 1, 2, 5, 10, 15, 20];
/// The longest.
pub const MAX_LAG: usize = 20;
/// Cycles over which covariances are taken.
const HORIZON_CYCLES: f64 = 1_000.0;
/// Cycles before which nothing is concluded.
pub const MIN_CYCLES: u32 = 200;
/// The least strength that is an edge.
pub const MIN_STRENGTH: f64 = 0.2;
/// Standard errors of a coefficient of white noise that a strength must exceed: a node has up to 90 candidates.
pub const MIN_STANDARD_ERRORS: f64 = 4.0;
/// Standard deviations at which a value is cut.
const CUT_SD: f64 = 4.0;
/// Share of a variance product below which two nodes are one and the same.
const COLLINEAR: f64 = 1e-6;

/// An edge between two nodes, by their number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// What comes first.
    pub cause: usize,
    /// What follows.
    pub effect: usize,
    /// After how many cycles.
    pub lag: u16,
    /// Standardised coefficient, in [-1, 1].
    pub strength: f64,
}

/// The covariances.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Regression {
    nodes: usize,
    scales: Vec<Scale>,
    /// The last rows in standard deviations, newest last; 0 (the mean) where nothing was known.
    rows: Vec<Vec<f64>>,
    /// By lag, cause, effect.
    covariances: Vec<f64>,
    cycles: u32,
}

impl Regression {
    /// Nothing seen of this many nodes.
    pub fn new(nodes: usize) -> Self {
        Self {
            nodes,
            scales: vec![Scale::new(HORIZON_CYCLES as u32); nodes],
            rows: Vec::with_capacity(MAX_LAG + 1),
            covariances: vec![0.0; LAGS.len() * nodes * nodes],
            cycles: 0,
        }
    }

    /// Takes in one cycle; NaN = not known.
    pub fn push(&mut self, row: &[f64]) {
        let each = self.scales.iter_mut().zip(row);
        let standardised = each.map(|(scale, &value)| {
            let z = match value.is_nan() {
                true => 0.0,
                false => scale.in_sd(value - scale.mean(), CUT_SD),
            };
            scale.push(value);
            z
        });
        let row: Vec<f64> = standardised.collect();
        if self.rows.len() > MAX_LAG {
            self.rows.remove(0);
        }
        self.rows.push(row);
        self.cycles = self.cycles.saturating_add(1);
        let rate = (1.0 / f64::from(self.cycles)).max(1.0 / HORIZON_CYCLES);
        let newest = self.rows.len() - 1;
        for (at, lag) in LAGS.into_iter().enumerate() {
            let Some(before) = newest.checked_sub(usize::from(lag)) else {
                break;
            };
            for cause in 0..self.nodes {
                for effect in 0..self.nodes {
                    let product = self.rows[before][cause] * self.rows[newest][effect];
                    let place = self.place(at, cause, effect);
                    self.covariances[place] += rate * (product - self.covariances[place]);
                }
            }
        }
    }

    fn place(&self, lag: usize, cause: usize, effect: usize) -> usize {
        (lag * self.nodes + cause) * self.nodes + effect
    }

    fn covariance(&self, lag: usize, cause: usize, effect: usize) -> f64 {
        self.covariances[self.place(lag, cause, effect)]
    }

    /// Standardised coefficient of `effect` on `cause` at the lag of this place in [`LAGS`]; `None` where one of them
    /// never moved or both are one and the same.
    pub fn strength(&self, lag: usize, cause: usize, effect: usize) -> Option<f64> {
        let c = |lag, a, b| self.covariance(lag, a, b);
        let (own, others, both) = (c(0, effect, effect), c(0, cause, cause), c(0, cause, effect));
        let determinant = others * own - both * both;
        if determinant <= COLLINEAR * others * own {
            return None;
        }
        let coefficient = (c(lag, cause, effect) * own - c(lag, effect, effect) * both) / determinant;
        Some((coefficient * (others / own).sqrt()).clamp(-1.0, 1.0))
    }

    /// What a strength must reach: the least that is an edge, and four standard errors of a coefficient of white noise,
    /// `1 / sqrt(n (1 - r^2))` with r the correlation of cause and effect in one and the same cycle.
    fn least_strength(&self, cause: usize, effect: usize) -> f64 {
        let c = |a, b| self.covariance(0, a, b);
        let unshared = 1.0 - c(cause, effect).powi(2) / (c(cause, cause) * c(effect, effect));
        let evidence = f64::from(self.cycles).min(HORIZON_CYCLES) * unshared;
        MIN_STRENGTH.max(MIN_STANDARD_ERRORS / evidence.sqrt())
    }

    /// For each pair the lag at which the cause is strongest, if it is strong enough, the strongest pair first; `None`
    /// while there are too few cycles to tell.
    pub fn edges(&self) -> Option<Vec<Found>> {
        if self.cycles < MIN_CYCLES {
            return None;
        }
        let mut edges = Vec::new();
        for cause in 0..self.nodes {
            for effect in (0..self.nodes).filter(|effect| *effect != cause) {
                let at_lag = |at: usize| {
                    self.strength(at, cause, effect).map(|strength| Found {
                        cause,
                        effect,
                        lag: LAGS[at],
                        strength,
                    })
                };
                let lags = (1..LAGS.len()).filter_map(at_lag);
                let best = lags.reduce(|best, next| {
                    if next.strength.abs() > best.strength.abs() {
                        next
                    } else {
                        best
                    }
                });
                edges.extend(best.filter(|edge| edge.strength.abs() >= self.least_strength(cause, effect)));
            }
        }
        edges.sort_by(|a, b| {
            let order = (a.cause, a.effect).cmp(&(b.cause, b.effect));
            b.strength.abs().total_cmp(&a.strength.abs()).then(order)
        });
        Some(edges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_distr::StandardNormal;
    use rand_pcg::Pcg64Mcg;

    /// Pairs (cause, effect) with the effect `share` of the cause `lag` cycles before, and noise.
    fn driven(lag: usize, share: f64, cycles: usize) -> Regression {
        let mut rng = Pcg64Mcg::seed_from_u64(11);
        let mut noise = move || rng.sample::<f64, _>(StandardNormal);
        let mut regression = Regression::new(3);
        let mut causes: Vec<f64> = Vec::new();
        for cycle in 0..cycles {
            causes.push(noise());
            let from = cycle.checked_sub(lag).map_or(0.0, |before| causes[before]);
            let effect = share * from + (1.0 - share * share).sqrt() * noise();
            regression.push(&[causes[cycle], effect, noise()]);
        }
        regression
    }

    #[test]
    fn a_cause_is_found_with_its_lag_and_strength_and_nothing_else_is() {
        for (lag, share) in [(1, 0.8), (5, 0.5), (20, 0.6)] {
            let edges = driven(lag, share, 2_000).edges().expect("enough cycles");
            assert_eq!(edges.len(), 1, "{edges:?}");
            let edge = edges[0];
            assert_eq!((edge.cause, edge.effect, usize::from(edge.lag)), (0, 1, lag));
            assert!((edge.strength - share).abs() < 0.1, "{edge:?}");
        }
    }

    #[test]
    fn nothing_is_concluded_before_200_cycles() {
        assert_eq!(driven(1, 0.9, 199).edges(), None);
        assert!(driven(1, 0.9, 200).edges().is_some_and(|edges| edges.len() == 1));
    }

    #[test]
    fn what_explains_itself_needs_no_cause() {
        // Both follow one slow wave, in the same cycle: either's past predicts the other, and nothing more than its own.
        let mut regression = Regression::new(2);
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let mut wave = 0.0;
        for _ in 0..3_000 {
            wave = 0.9 * wave + rng.sample::<f64, _>(StandardNormal);
            let mut jitter = || 0.01 * rng.sample::<f64, _>(StandardNormal);
            regression.push(&[wave + jitter(), wave + jitter()]);
        }
        let plain = regression.covariance(1, 0, 1);
        assert!(plain > 0.8, "correlated: {plain}");
        assert!(regression.edges().is_some_and(|edges| edges.is_empty()));
    }

    #[test]
    fn the_coefficient_is_that_of_the_normal_equations() {
        let mut regression = Regression::new(2);
        let lag = 1;
        for (place, value) in [
            ((0, 0, 0), 2.0), // c_cc(0)
            ((0, 1, 1), 1.0), // c_ee(0)
            ((0, 0, 1), 0.5), // c_ce(0)
            ((lag, 0, 1), 0.9),
            ((lag, 1, 1), 0.4),
        ] {
            let place = regression.place(place.0, place.1, place.2);
            regression.covariances[place] = value;
        }
        // (0.9 x 1 - 0.4 x 0.5) / (2 x 1 - 0.25) = 0.4; in standard deviations 0.4 sqrt(2 / 1).
        assert!((regression.strength(lag, 0, 1).expect("regular") - 0.4 * 2.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_strength_is_an_edge_from_a_fifth_and_from_four_standard_errors() {
        let mut regression = Regression::new(2);
        for node in 0..2 {
            let place = regression.place(0, node, node);
            regression.covariances[place] = 1.0;
        }
        // 4 / sqrt 200 = 0.2828; 4 / sqrt 1000 = 0.1265, and more than a thousand cycles are not known.
        for (cycles, least) in [(200, 4.0 / 200.0_f64.sqrt()), (1_000, 0.2), (5_000, 0.2)] {
            regression.cycles = cycles;
            assert!((regression.least_strength(0, 1) - least).abs() < 1e-12, "{cycles}");
        }
        // At 1,000 cycles with a correlation of 0.8 the evidence is that of 360.
        let place = regression.place(0, 0, 1);
        regression.covariances[place] = 0.8;
        assert!((regression.least_strength(0, 1) - 4.0 / 360.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn what_never_moved_and_what_is_unknown_cause_nothing() {
        let mut regression = Regression::new(2);
        for cycle in 0..300_u32 {
            regression.push(&[f64::NAN, f64::from(cycle % 7)]);
        }
        assert_eq!(regression.strength(1, 0, 1), None);
        assert_eq!(regression.edges(), Some(Vec::new()));
        assert!(regression.covariances.iter().all(|c| c.is_finite()));
    }
}
