//! One group of sensors: what its reports are judged by, and what is learnt from them.

use super::profile::{Known, Profile, divergence, similarity};
use super::{MAX_KNOWN, Reading, WARM_UP_REPORTS, best_of};
use crate::l48::observe::Score;
use crate::numeric::running::{RunningMean, Scale};
use crate::report::CycleReport;
use serde::{Deserialize, Serialize};

/// Reports over which the error's mean and standard deviation are taken.
const ERROR_REPORTS: u32 = 200;
/// Observations over which the usual error of a dimension is taken.
const ERROR_OBSERVATIONS: u32 = 500;
/// Values of a report before which a strategy has no score.
const MIN_SCORED: u32 = 5;
/// Relative errors are cut here.
const MAX_RELATIVE_ERROR: f64 = 100.0;

/// What is remembered of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Watched {
    /// The last values, by dimension.
    pub(super) recent: Vec<Profile>,
    pub(super) known: Vec<Known>,
    /// What is being learnt of a domain that is unknown.
    pub(super) candidate: Option<Known>,
    /// Usual absolute forecast error, by dimension.
    pub(super) usual_error: Vec<RunningMean>,
    /// Error of a report relative to the usual one.
    pub(super) errors: Scale,
    pub(super) reports: u32,
    pub(super) clean: u8,
}

/// One group in one report.
pub(super) struct View<'a> {
    pub(super) cycle: u64,
    pub(super) group: u16,
    pub(super) members: Vec<usize>,
    pub(super) report: &'a CycleReport,
    pub(super) scores: &'a [Score],
}

impl View<'_> {
    /// The place of a dimension in the group.
    fn place(&self, dimension: usize) -> Option<usize> {
        self.members.iter().position(|member| *member == dimension)
    }

    /// Scores of the ways to forecast the group: this level's and the kernel's.
    fn strategies(&self) -> Vec<f64> {
        let of_level = self
            .scores
            .iter()
            .filter(|score| self.place(usize::from(score.dimension)).is_some());
        let level = share_inside(of_level.map(|score| (score.observed - score.forecast, score.half_width)));
        let rows = 0..self.report.facts.len();
        let cells = rows.flat_map(|row| {
            self.members
                .iter()
                .map(move |member| row * self.report.dimensions + member)
        });
        let of_kernel = cells.filter_map(|cell| {
            let observed = *self.report.observations.get(cell)?;
            Some((
                observed - self.report.forecasts.get(cell)?,
                *self.report.forecast_half_width.get(cell)?,
            ))
        });
        level.into_iter().chain(share_inside(of_kernel)).collect()
    }
}

/// Share of errors within their half width; `None` of fewer than five.
fn share_inside(errors: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let known = errors.filter(|(error, half_width)| error.is_finite() && half_width.is_finite());
    let (inside, count) = known.fold((0, 0), |(inside, count), (error, half_width)| {
        (inside + u32::from(error.abs() <= half_width), count + 1)
    });
    (count >= MIN_SCORED).then(|| f64::from(inside) / f64::from(count))
}

impl Watched {
    /// Nothing seen of a group of so many dimensions.
    pub(super) fn new(dimensions: usize) -> Self {
        Self {
            recent: vec![Profile::default(); dimensions],
            known: Vec::new(),
            candidate: None,
            usual_error: vec![RunningMean::new(ERROR_OBSERVATIONS); dimensions],
            errors: Scale::new(ERROR_REPORTS),
            reports: 0,
            clean: 0,
        }
    }

    /// The state is one of a group of so many dimensions.
    pub(super) fn is_valid(&self, dimensions: usize) -> bool {
        let fits = |known: &Known| known.dimensions() == dimensions;
        self.recent.len() == dimensions
            && self.recent.iter().all(Profile::is_valid)
            && self.usual_error.len() == dimensions
            && self.known.len() <= MAX_KNOWN
            && self.known.iter().chain(&self.candidate).all(fits)
    }

    /// Takes the report's values into the recent profiles; gives how many rows had one.
    pub(super) fn look(&mut self, view: &View<'_>) -> u32 {
        let mut rows = 0;
        for row in 0..view.report.facts.len() {
            let mut seen = false;
            for (profile, member) in self.recent.iter_mut().zip(&view.members) {
                let value = view.report.observations.get(row * view.report.dimensions + member);
                seen |= value.is_some_and(|value| profile.push(*value));
            }
            rows += u32::from(seen);
        }
        rows
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Reading {
        let ready = self.reports >= WARM_UP_REPORTS;
        let nearest = |measure: fn(&[Profile], &Known) -> Option<f64>, better: fn(f64, f64) -> f64| {
            let each = self.known.iter().filter_map(|known| measure(&self.recent, known));
            each.reduce(better).filter(|_| ready)
        };
        let error_sd = self.relative_error(view).filter(|_| ready).map(|error| {
            let above = error - self.errors.mean();
            self.errors.in_sd(above, MAX_RELATIVE_ERROR)
        });
        Reading {
            group: view.group,
            similarity: nearest(similarity, f64::max),
            error_sd,
            best_strategy: best_of(&view.strategies()).filter(|_| ready),
            divergence: nearest(divergence, f64::min),
            criteria: [false; 4],
        }
        .judged()
    }

    /// Mean over the report's values of the forecast error in usual errors of the dimension.
    fn relative_error(&self, view: &View<'_>) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        for score in view.scores {
            let Some(place) = view.place(usize::from(score.dimension)) else {
                continue;
            };
            let error = (score.observed - score.forecast).abs();
            let usual = self.usual_error[place].get().filter(|usual| *usual > 0.0);
            if let Some(usual) = usual.filter(|_| error.is_finite()) {
                sum += (error / usual).min(MAX_RELATIVE_ERROR);
                count += 1.0;
            }
        }
        (count > 0.0).then(|| sum / count)
    }

    /// The domain has just become unknown: its profile is taken anew, so that nothing of the domain before is in it.
    pub(super) fn begin_unknown(&mut self) {
        self.candidate = Some(Known::new(self.recent.len()));
        self.recent.fill(Profile::default());
    }

    /// Only a report that could have been judged is clean.
    pub(super) fn count_clean(&mut self, reading: &Reading) {
        if reading.is_unknown() {
            self.clean = 0;
        } else if reading.similarity.is_some() {
            self.clean = self.clean.saturating_add(1);
        }
    }

    pub(super) fn learn(&mut self, view: &View<'_>, unknown: bool, rows: u32) {
        if let Some(error) = self.relative_error(view) {
            self.errors.push(error);
        }
        for score in view.scores {
            if let Some(place) = view.place(usize::from(score.dimension)) {
                self.usual_error[place].push((score.observed - score.forecast).abs());
            }
        }
        self.reports = self.reports.saturating_add(1);
        let dimensions = self.recent.len();
        let domain = if unknown {
            self.candidate.get_or_insert_with(|| Known::new(dimensions))
        } else {
            if self.known.is_empty() {
                self.known.push(Known::new(dimensions));
            }
            let similar = |known: &Known| similarity(&self.recent, known).unwrap_or(0.0);
            let nearest = (0..self.known.len()).max_by(|a, b| {
                // The earlier of two equally near ones.
                similar(&self.known[*a])
                    .total_cmp(&similar(&self.known[*b]))
                    .then(b.cmp(a))
            });
            &mut self.known[nearest.expect("invariant: there is one")]
        };
        domain.learn(&self.recent, rows, view.cycle);
    }

    /// What was learnt of an unknown domain is known from now on.
    pub(super) fn adopt(&mut self) {
        let Some(candidate) = self.candidate.take() else {
            return;
        };
        if self.known.len() >= MAX_KNOWN {
            let oldest = (0..self.known.len()).min_by_key(|index| self.known[*index].last_met());
            self.known.remove(oldest.expect("invariant: a full list has an oldest"));
        }
        self.known.push(candidate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_has_a_score_from_five_values_on() {
        let errors = [
            (0.5, 1.0),
            (-1.0, 1.0),
            (1.001, 1.0),
            (0.0, 0.0),
            (f64::NAN, 1.0),
            (-0.2, 0.5),
        ];
        let share = |count| share_inside(errors.into_iter().take(count));
        // The fifth is not a number: five values are four.
        assert_eq!((share(5), share(6)), (None, Some(0.8)));
    }
}
