//! What a snapshot keeps of a season: its profile if there is one, else how far the search for one has come.
//!
//! A profile is kept in a byte per phase, without the autocorrelation: the search goes on from nothing beside it, and
//! replaces it only once it knows longer lags. Without a profile the autocorrelation is kept in a byte per lag; the lags
//! beyond the kept history rest until the history has grown to them.

use super::{MAX_PERIOD, MIN_PERIOD, Profile, REGRESSORS, Season};
use crate::l48::forecast::ar::{self, ArSummary, RobustAr};
use crate::numeric::condense::{Levels, Refused};
use crate::numeric::running::Scale;
use crate::numeric::window::{MAX_VALUE, Window};
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::l48::forecast) enum SeasonSummary {
    /// No season is known.
    Searching {
        count: u32,
        mean: f64,
        variance: f64,
        candidate: u16,
        /// The running mean products.
        products: Levels,
    },
    /// A season.
    Found {
        /// The mean value at each phase.
        values: Levels,
        phase: u16,
        departure: f64,
        ar: ArSummary,
    },
}

impl Season {
    /// What a snapshot keeps.
    pub(in crate::l48::forecast) fn summary(&self) -> SeasonSummary {
        match &self.profile {
            Some(profile) => {
                let values = profile.values.iter().copied();
                let centre = values.clone().sum::<f64>() / values.len() as f64;
                SeasonSummary::Found {
                    values: Levels::around(centre, values),
                    phase: profile.phase as u16,
                    departure: profile.departure,
                    ar: profile.ar.summary(),
                }
            }
            None => SeasonSummary::Searching {
                count: self.count,
                mean: self.mean,
                variance: self.variance,
                candidate: self.candidate as u16,
                products: Levels::around(0.0, self.products.iter().map(|&product| f64::from(product))),
            },
        }
    }

    /// From what a snapshot kept, with the values kept of the history, oldest first, and the scale that goes with them.
    pub(in crate::l48::forecast) fn from_summary(
        summary: &SeasonSummary,
        history: &[f64],
        scale: &Scale,
    ) -> Result<Self, Refused> {
        match summary {
            SeasonSummary::Searching {
                count,
                mean,
                variance,
                candidate,
                products,
            } => {
                products.check(MAX_PERIOD)?;
                let within = mean.abs() <= ar::CLIP_SD && (0.0..=4.0 * ar::CLIP_SD * ar::CLIP_SD).contains(variance);
                let lags = products.len() <= *count as usize && usize::from(*candidate) <= MAX_PERIOD;
                if !within || !lags {
                    return Err(Refused("a search for a season"));
                }
                let recent = history.len().min(*count as usize).min(MAX_PERIOD);
                let past = history.iter().skip(history.len() - recent);
                let past = past.map(|value| (scale.in_sd(value - scale.mean(), ar::CLIP_SD) - mean) as f32);
                Ok(Self {
                    past: past.collect(),
                    next: recent % MAX_PERIOD,
                    products: products.values().map(|product| product as f32).collect(),
                    mean: *mean,
                    variance: *variance,
                    count: *count,
                    candidate: usize::from(*candidate),
                    profile: None,
                })
            }
            SeasonSummary::Found {
                values,
                phase,
                departure,
                ar,
            } => {
                values.check(MAX_PERIOD)?;
                let phase = usize::from(*phase);
                if values.len() < MIN_PERIOD || phase >= values.len() || departure.is_nan() {
                    return Err(Refused("a season"));
                }
                if departure.abs() > 4.0 * MAX_VALUE {
                    return Err(Refused("a departure from a season"));
                }
                let profile = Profile {
                    values: values.values().collect(),
                    phase,
                    departure: *departure,
                    ar: RobustAr::from_summary(ar, REGRESSORS)?,
                };
                Ok(Self {
                    profile: Some(Box::new(profile)),
                    ..Self::default()
                })
            }
        }
    }

    /// Goes back by as many phases as there are values to [`Season::recall`].
    pub(in crate::l48::forecast) fn rewind(&mut self, values: usize) {
        if let Some(profile) = &mut self.profile {
            let period = profile.values.len();
            profile.phase = (profile.phase + period - values % period) % period;
        }
    }

    /// Takes in one of the values that the autoregression on the profile was fitted to, oldest first; `history` is that
    /// before it.
    pub(in crate::l48::forecast) fn recall(&mut self, y: f64, history: &Window, scale: &Scale, weight: f64) {
        let Some(profile) = &mut self.profile else { return };
        if let Some(x) = profile.regressors(history, scale) {
            let target = scale.in_sd(y - scale.mean(), ar::CLIP_SD);
            profile.ar.recall(&x, target, weight);
        }
        profile.phase = (profile.phase + 1) % profile.values.len();
    }
}

#[cfg(test)]
mod tests;
