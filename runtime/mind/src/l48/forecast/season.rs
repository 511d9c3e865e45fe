//! Seasons: a period found in the autocorrelation, the mean value at each phase of it, and an autoregression on both.
//!
//! A period is the lag of the highest peak of the autocorrelation that is at least 0.3, stands at least 0.2 above some
//! shorter lag (a merely persistent series has no such dip), and was found by two looks in a row.

mod summary;

pub(super) use summary::SeasonSummary;

use super::ar::{self, RobustAr};
use crate::numeric::running::Scale;
use crate::numeric::window::Window;
use serde::Serialize;

/// The longest period, in observations: a day of 5-minute values is 288, a week of half-hourly ones 336.
pub const MAX_PERIOD: usize = 360;
/// The shortest: what is shorter lies within the autoregression's reach.
const MIN_PERIOD: usize = 8;
/// The least autocorrelation at the period.
const MIN_PEAK: f64 = 0.3;
/// How far the peak stands above the least autocorrelation at a shorter lag.
const MIN_RISE: f64 = 0.2;
/// Observations between two looks.
const LOOK_EVERY: u32 = 50;
/// Horizon of the running autocorrelation, in observations.
const HORIZON: u32 = 2_000;
/// Weight of the newest value in a phase's mean.
const PROFILE_RATE: f64 = 0.3;
/// Weight of the newest departure from the profile.
const DEPARTURE_RATE: f64 = 0.1;
/// Lags beside the profile in the autoregression.
const LAGS: usize = 6;
/// Regressors: lags, the profile at the next phase, at the last, around the next, and the intercept.
const REGRESSORS: usize = LAGS + 4;

/// The running autocorrelation and, once found, the season.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Season {
    /// Ring of the last departures from the mean, in standard deviations.
    past: Vec<f32>,
    next: usize,
    /// Running mean product with the value `lag` before, for lags 1, 2, ...
    products: Vec<f32>,
    mean: f64,
    variance: f64,
    count: u32,
    candidate: usize,
    profile: Option<Box<Profile>>,
}

/// A season.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Profile {
    /// Mean value at each phase, in the environment's units.
    values: Vec<f64>,
    /// The phase of the next observation.
    phase: usize,
    /// Running departure from the profile.
    departure: f64,
    ar: RobustAr,
}

impl Default for Season {
    fn default() -> Self {
        Self {
            past: Vec::new(),
            next: 0,
            products: Vec::new(),
            mean: 0.0,
            variance: 0.0,
            count: 0,
            candidate: 0,
            profile: None,
        }
    }
}

impl Season {
    /// Learns from the next observation, before it is in `history` and `before`.
    pub(super) fn learn(&mut self, y: f64, history: &Window, before: &Scale) {
        let Some(profile) = &mut self.profile else { return };
        if let Some(x) = profile.regressors(history, before) {
            profile.ar.learn(&x, before.in_sd(y - before.mean(), ar::CLIP_SD));
        }
        let value = &mut profile.values[profile.phase];
        profile.departure += DEPARTURE_RATE * (y - *value - profile.departure);
        *value += PROFILE_RATE * (y - *value);
        profile.phase = (profile.phase + 1) % profile.values.len();
    }

    /// Takes the observation, in standard deviations, into the autocorrelation, and looks for a period now and then.
    pub(super) fn observe(&mut self, z: f64, scale: &Scale) {
        self.count = self.count.saturating_add(1);
        let rate = |count: u32| 1.0 / f64::from(count.clamp(1, HORIZON));
        self.mean += rate(self.count) * (z - self.mean);
        let departure = z - self.mean;
        self.variance += rate(self.count) * (departure * departure - self.variance);
        let (newer, older) = self.past.split_at(self.next);
        let before = newer.iter().rev().chain(older.iter().rev());
        if self.products.len() < self.past.len() {
            self.products.push(0.0);
        }
        for ((lag, product), past) in (1u32..).zip(&mut self.products).zip(before) {
            let share = rate(self.count - lag) as f32;
            *product += share * (departure as f32 * past - *product);
        }
        if self.past.len() < MAX_PERIOD {
            self.past.push(departure as f32);
        } else {
            self.past[self.next] = departure as f32;
        }
        self.next = (self.next + 1) % MAX_PERIOD;
        if self.count.is_multiple_of(LOOK_EVERY) {
            self.look(scale);
        }
    }

    fn look(&mut self, scale: &Scale) {
        let found = self.find_period().unwrap_or(0);
        let confirmed = found == self.candidate && found > 0;
        self.candidate = found;
        let known = self.profile.as_ref().map_or(0, |profile| profile.values.len());
        // After a restart from a snapshot the autocorrelation is young: it knows nothing better than a longer season.
        if confirmed && found != known && self.reach() > known {
            let newest_last = self.past[self.next..].iter().chain(&self.past[..self.next]);
            let skip = self.past.len() - found;
            let raw = |&departure: &f32| scale.mean() + scale.sd() * (f64::from(departure) + self.mean);
            self.profile = Some(Box::new(Profile {
                values: newest_last.skip(skip).map(raw).collect(),
                phase: 0,
                departure: 0.0,
                ar: RobustAr::new(REGRESSORS),
            }));
        }
    }

    /// The lags that are known: those that two thirds of the data reach.
    fn reach(&self) -> usize {
        let young = self.count as usize * 2 / 3;
        self.products.len().min(self.past.len()).min(young)
    }

    /// The lag of the highest peak that counts, among those that are known.
    fn find_period(&self) -> Option<usize> {
        if self.variance <= 0.0 {
            return None;
        }
        let reach = self.reach();
        let correlation = |lag: usize| f64::from(self.products[lag - 1]) / self.variance;
        let (mut least, mut best) = (f64::INFINITY, None);
        for lag in 1..reach {
            let here = correlation(lag);
            least = least.min(here);
            let peak = lag >= MIN_PERIOD && here >= correlation(lag - 1) && here >= correlation(lag + 1);
            let highest = best.is_none_or(|(_, height)| here > height);
            if peak && highest && here >= MIN_PEAK && here - least >= MIN_RISE {
                best = Some((lag, here));
            }
        }
        best.map(|(lag, _)| lag)
    }

    /// What the profile and the autoregression on it say of the next observation; `None` without a season.
    pub(super) fn opinions(&self, history: &Window, scale: &Scale) -> [Option<f64>; 2] {
        let Some(profile) = &self.profile else { return [None; 2] };
        let on_profile = profile.regressors(history, scale).and_then(|x| profile.ar.predict(&x));
        [
            Some(profile.values[profile.phase] + profile.departure),
            on_profile.map(|z| scale.mean() + scale.sd() * z),
        ]
    }

    /// The period found, in observations.
    #[cfg(test)]
    pub(super) fn period(&self) -> Option<usize> {
        self.profile.as_ref().map(|profile| profile.values.len())
    }
}

impl Profile {
    fn regressors(&self, history: &Window, scale: &Scale) -> Option<[f64; REGRESSORS]> {
        let lags = ar::lags::<LAGS>(history, scale)?;
        let period = self.values.len();
        let at = |ahead: usize| {
            let value = self.values[(self.phase + period + ahead - 2) % period];
            scale.in_sd(value - scale.mean(), ar::CLIP_SD)
        };
        // `at(2)` is the next phase.
        let around = (0..5).map(at).sum::<f64>() / 5.0;
        let mut x = [1.0; REGRESSORS];
        x[..LAGS].copy_from_slice(&lags);
        (x[LAGS], x[LAGS + 1], x[LAGS + 2]) = (at(2), at(1), around);
        Some(x)
    }
}

#[cfg(test)]
mod tests;
