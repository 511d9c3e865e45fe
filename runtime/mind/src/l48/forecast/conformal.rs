//! Adaptive conformal intervals: the width is a quantile of the last 200 absolute errors, and the quantile's level
//! moves so that the share of observations inside stays on target even when the errors' distribution changes
//! (I. Gibbs and E. Candes, "Adaptive conformal inference under distribution shift", NeurIPS 2021).

use super::SCORED_OBSERVATIONS;
use crate::numeric::condense::{Refused, Spread, narrow};
use crate::numeric::history::MAX_CAPACITY;
use crate::numeric::window::Window;
use serde::{Deserialize, Serialize};

/// The share of observations that an interval is to hold.
pub const COVERAGE: f64 = 0.9;
/// How far the level moves for each observation inside or outside.
const STEP: f64 = 0.02;
/// A level beyond what the errors held can give: the interval is this many times the largest of them.
const BEYOND: f64 = 1.5;
/// Groups in which a snapshot keeps the errors.
const KEPT_GROUPS: usize = 32;

/// Where an absolute error falls among the last 200 of the same forecaster, as conformal prediction ranks it: of n errors
/// held, b below it and e equal to it, between b / (n + 1) and (b + e + 1) / (n + 1). Anywhere in between is as likely, so
/// that the ranks of errors that come in any order are uniform, also where many are equal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rank {
    /// The lower end, in [0, 1).
    pub below: f32,
    /// The upper end, in (0, 1], above the lower.
    pub up_to: f32,
}

impl Rank {
    /// How far the error lies inside the interval that is to hold this share of the errors: 1 inside, 0 outside, and a
    /// part of it where the share runs through errors that are equal.
    pub fn within(&self, level: f64) -> f64 {
        let (below, up_to) = (f64::from(self.below), f64::from(self.up_to));
        let part = (level - below) / (up_to - below);
        if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) }
    }
}

/// The errors of one forecaster and the level of its intervals.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conformal {
    errors: Window,
    /// Share of observations to lie outside, as adapted.
    outside: f64,
}

impl Default for Conformal {
    fn default() -> Self {
        Self {
            errors: Window::new(SCORED_OBSERVATIONS),
            outside: 1.0 - COVERAGE,
        }
    }
}

impl Conformal {
    /// Takes in the absolute error of a forecast; says whether it lay inside the interval given with it, `None` for
    /// the first.
    pub fn learn(&mut self, error: f64) -> Option<bool> {
        let inside = self.half_width().map(|width| error <= width);
        if let Some(inside) = inside {
            let missed = if inside { 0.0 } else { 1.0 };
            // Between 0 and 1 with one step of slack: beyond it nothing would change but the way back.
            self.outside = (self.outside + STEP * (1.0 - COVERAGE - missed)).clamp(-STEP, 1.0 + STEP);
        }
        self.errors.push(error);
        inside
    }

    /// Half the width of the interval around the next forecast; `None` before the first error.
    ///
    /// With n errors, the `ceil((n + 1)(1 - outside))`-th smallest; beyond the largest, 1.5 times it.
    pub fn half_width(&self) -> Option<f64> {
        let count = self.errors.len();
        if count == 0 {
            return None;
        }
        let rank = ((count + 1) as f64 * (1.0 - self.outside)).ceil();
        if rank > count as f64 {
            return self.errors.max().map(|largest| BEYOND * largest);
        }
        let mut scratch = [0.0; MAX_CAPACITY];
        let errors = &mut scratch[..count];
        errors
            .iter_mut()
            .zip(self.errors.iter())
            .for_each(|(slot, error)| *slot = error);
        let index = (rank.max(1.0) as usize) - 1;
        Some(*errors.select_nth_unstable_by(index, f64::total_cmp).1)
    }

    /// Where an absolute error falls among those held; `None` before the first.
    pub fn rank(&self, error: f64) -> Option<Rank> {
        let held = self.errors.len();
        if held == 0 || error.is_nan() {
            return None;
        }
        let (below, up_to) = self.errors.iter().fold((0_u16, 0_u16), |(below, up_to), one| {
            (below + u16::from(one < error), up_to + u16::from(one <= error))
        });
        let places = (held + 1) as f32;
        Some(Rank {
            below: f32::from(below) / places,
            up_to: f32::from(up_to + 1) / places,
        })
    }

    /// Mean absolute error over the last 200; `None` before the first.
    pub fn mean_error(&self) -> Option<f64> {
        self.errors.mean()
    }

    /// Errors held, at most 200.
    pub fn scored(&self) -> usize {
        self.errors.len()
    }

    /// What a snapshot keeps.
    pub(super) fn summary(&self) -> ConformalSummary {
        ConformalSummary {
            outside: narrow(self.outside),
            errors: Spread::of(self.errors.iter(), KEPT_GROUPS),
        }
    }

    /// From what a snapshot kept: as many errors of the same distribution, in an order of its own.
    pub(super) fn from_summary(summary: &ConformalSummary) -> Result<Self, Refused> {
        let outside = f64::from(summary.outside);
        summary.errors.check(SCORED_OBSERVATIONS)?;
        let values = summary.errors.values();
        if !(-STEP - 1e-6..=1.0 + STEP + 1e-6).contains(&outside) || values.iter().any(|error| *error < 0.0) {
            return Err(Refused("an interval"));
        }
        let mut errors = Window::new(SCORED_OBSERVATIONS);
        values.into_iter().for_each(|error| errors.push(error));
        Ok(Self { errors, outside })
    }
}

/// What a snapshot keeps of [`Conformal`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ConformalSummary {
    outside: f32,
    errors: Spread,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_distr::StandardNormal;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn a_rank_is_where_the_error_falls_and_equal_errors_share_their_places() {
        let mut conformal = Conformal::default();
        assert_eq!(conformal.rank(1.0), None);
        [1.0, 2.0, 2.0, 3.0]
            .into_iter()
            .for_each(|error| conformal.errors.push(error));
        let of = |error| conformal.rank(error).map(|rank| (rank.below, rank.up_to));
        assert_eq!(of(0.5), Some((0.0, 0.2)), "below all four: the first of five places");
        assert_eq!(of(2.0), Some((0.2, 0.8)), "one below, two equal");
        assert_eq!((of(9.0), of(f64::NAN)), (Some((0.8, 1.0)), None));
        let rank = conformal.rank(2.0).expect("known");
        assert_eq!([0.1, 0.2, 0.9].map(|level| rank.within(level)), [0.0, 0.0, 1.0]);
        assert!((rank.within(0.5) - 0.5).abs() < 1e-6, "halfway from 0.2 to 0.8");
        let broken = Rank { below: 0.5, up_to: 0.5 };
        assert_eq!(broken.within(0.5), 0.0);
    }

    #[test]
    fn ranks_of_errors_in_any_order_hold_as_many_as_they_say_also_where_most_are_equal() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        for still in [0.0, 0.7] {
            let (mut conformal, mut held, mut count) = (Conformal::default(), [0.0; 9], 0.0);
            for _ in 0..20_000 {
                let error = if rng.random::<f64>() < still {
                    0.0
                } else {
                    rng.sample::<f64, _>(StandardNormal).abs()
                };
                if let Some(rank) = conformal.rank(error) {
                    count += 1.0;
                    let level = |nth: usize| 0.1 * (nth + 1) as f64;
                    held.iter_mut()
                        .enumerate()
                        .for_each(|(nth, held)| *held += rank.within(level(nth)));
                }
                conformal.learn(error);
            }
            for (nth, held) in held.into_iter().enumerate() {
                assert!(
                    (held / count - 0.1 * (nth + 1) as f64).abs() < 0.015,
                    "{still}: {nth} {}",
                    held / count
                );
            }
        }
    }

    #[test]
    fn the_width_is_the_hand_worked_order_statistic() {
        let mut conformal = Conformal::default();
        assert_eq!((conformal.half_width(), conformal.mean_error()), (None, None));
        (1..=19).for_each(|error| conformal.errors.push(f64::from(error)));
        // ceil(20 x 0.9) = 18.
        assert_eq!(conformal.half_width(), Some(18.0));
        conformal.outside = 0.05;
        assert_eq!(conformal.half_width(), Some(19.0), "ceil(20 x 0.95) = 19");
        conformal.outside = 0.04;
        assert_eq!(
            conformal.half_width(),
            Some(28.5),
            "rank 20 of 19: 1.5 times the largest"
        );
        conformal.outside = 1.02;
        assert_eq!(conformal.half_width(), Some(1.0));
    }

    #[test]
    fn a_miss_widens_nine_times_as_much_as_a_hit_narrows() {
        let mut conformal = Conformal::default();
        assert_eq!(conformal.learn(1.0), None, "no interval yet");
        assert_eq!(conformal.outside, 1.0 - COVERAGE);
        assert_eq!(conformal.learn(1.0), Some(true), "on the edge is inside");
        assert!((conformal.outside - 0.102).abs() < 1e-12);
        assert_eq!(conformal.learn(9.0), Some(false));
        assert!((conformal.outside - 0.084).abs() < 1e-12);
    }

    #[test]
    fn coverage_stays_on_target_when_the_errors_grow_tenfold() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut conformal = Conformal::default();
        let mut inside = [0u32; 4];
        for step in 0..4_000 {
            let scale = if step / 1_000 % 2 == 0 { 1.0 } else { 10.0 };
            let error: f64 = rng.sample(StandardNormal);
            inside[step / 1_000] += u32::from(conformal.learn(scale * error.abs()) == Some(true));
        }
        assert!(
            inside.iter().all(|count| (870..=930).contains(count)),
            "{inside:?} of 1,000 each"
        );
    }

    #[test]
    fn a_summary_gives_as_many_errors_of_the_same_distribution_and_a_damaged_one_is_refused() {
        let mut conformal = Conformal::default();
        for error in 1..=199 {
            conformal.learn(f64::from(error));
        }
        let restored = Conformal::from_summary(&conformal.summary()).expect("undamaged");
        assert_eq!(restored.scored(), 199);
        let close = |a: Option<f64>, b: Option<f64>| (a.expect("known") / b.expect("known") - 1.0).abs() < 0.03;
        assert!(close(restored.half_width(), conformal.half_width()));
        assert!(close(restored.mean_error(), conformal.mean_error()));

        let damaged = |change: &dyn Fn(&mut ConformalSummary)| {
            let mut summary = conformal.summary();
            change(&mut summary);
            Conformal::from_summary(&summary)
        };
        for outside in [f32::NAN, -0.03, 1.03, f32::INFINITY] {
            assert!(damaged(&|summary| summary.outside = outside).is_err(), "{outside}");
        }
        let spread = |values: Vec<f64>| Spread::of(values.into_iter(), KEPT_GROUPS);
        assert!(
            damaged(&|summary| summary.errors = spread(vec![1.0, -1.0])).is_err(),
            "a negative error"
        );
        assert!(
            damaged(&|summary| summary.errors = spread(vec![1.0; 201])).is_err(),
            "too many"
        );
    }
}
