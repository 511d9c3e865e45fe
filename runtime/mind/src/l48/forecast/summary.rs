//! What a snapshot keeps of a dimension's forecasters.
//!
//! Kept: coefficients, regrets, the season's profile, and the distributions of errors. Not kept: the covariances of the
//! autoregressions (91 and 55 numbers). They are made anew from where the kept values lie, as often as samples count by
//! forgetting, which is what they are but for the samples that are no longer known.

use super::ar::{self, ArSummary, RobustAr};
use super::combine::CombinationSummary;
use super::conformal::ConformalSummary;
use super::season::{Season, SeasonSummary};
use super::{Combination, Conformal, EXPERTS, Forecaster, HISTORY, ORDER, SCORED_OBSERVATIONS, Source};
use crate::numeric::bits::{BitWindow, Tally};
use crate::numeric::condense::Refused;
use crate::numeric::running::Scale;
use crate::numeric::window::{MAX_VALUE, Window};
use serde::{Deserialize, Serialize};

/// Values of the history that a snapshot keeps.
pub(in crate::l48) const KEPT_VALUES: usize = 96;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::l48) struct ForecasterSummary {
    speaker: Source,
    belief: ConformalSummary,
    online: ConformalSummary,
    inside: Tally,
    ar: ArSummary,
    smoothed: f64,
    season: SeasonSummary,
    combination: CombinationSummary,
}

impl Forecaster {
    /// What a snapshot keeps.
    pub(in crate::l48) fn summary(&self) -> ForecasterSummary {
        ForecasterSummary {
            speaker: self.speaker,
            belief: self.belief.summary(),
            online: self.online.summary(),
            inside: self.inside.tally(),
            ar: self.ar.summary(),
            smoothed: self.smoothed,
            season: self.season.summary(),
            combination: self.combination.summary(),
        }
    }

    /// From what a snapshot kept, with the values kept of the history, oldest first, and the scale that goes with them.
    pub(in crate::l48) fn from_summary(
        summary: &ForecasterSummary,
        values: &[f64],
        scale: &Scale,
    ) -> Result<Self, Refused> {
        let inside = BitWindow::from_tally(SCORED_OBSERVATIONS as u16, summary.inside);
        if summary.smoothed.is_nan() || summary.smoothed.abs() > MAX_VALUE {
            return Err(Refused("a smoothed value"));
        }
        let mut forecaster = Self {
            speaker: summary.speaker,
            belief: Conformal::from_summary(&summary.belief)?,
            online: Conformal::from_summary(&summary.online)?,
            inside: inside.map_err(|_| Refused("a coverage"))?,
            ar: RobustAr::from_summary(&summary.ar, ORDER + 1)?,
            smoothed: summary.smoothed,
            season: Season::from_summary(&summary.season, values, scale)?,
            combination: Combination::from_summary(&summary.combination)?,
            opinions: [None; EXPERTS],
            next: None,
        };
        forecaster.recall(values, scale);
        Ok(forecaster)
    }

    fn recall(&mut self, values: &[f64], scale: &Scale) {
        let weight = ar::weight_of_each(values.len(), scale.count());
        let mut history = Window::new(HISTORY);
        self.season.rewind(values.len());
        for &y in values {
            if let Some(lags) = ar::lags::<ORDER>(&history, scale) {
                let target = scale.in_sd(y - scale.mean(), ar::CLIP_SD);
                self.ar
                    .recall(&ar::with_intercept::<{ ORDER + 1 }>(&lags), target, weight);
            }
            self.season.recall(y, &history, scale, weight);
            history.push(y);
        }
        if let Some(last) = history.newest() {
            self.opine(last, &history, scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_summary_is_refused() {
        let good = Forecaster::default().summary();
        let read = |change: &dyn Fn(&mut ForecasterSummary)| {
            let mut summary = good.clone();
            change(&mut summary);
            Forecaster::from_summary(&summary, &[], &Scale::new(1_000)).is_ok()
        };
        assert!(read(&|_| {}));
        for smoothed in [f64::NAN, f64::INFINITY, -1e200] {
            assert!(!read(&|summary| summary.smoothed = smoothed));
        }
        assert!(!read(&|summary| summary.inside = Tally { len: 201, count: 0 }));
        assert!(!read(&|summary| summary.inside = Tally { len: 1, count: 2 }));
        assert!(
            !read(&|summary| summary.ar = RobustAr::new(ORDER).summary()),
            "of another order"
        );
    }
}
