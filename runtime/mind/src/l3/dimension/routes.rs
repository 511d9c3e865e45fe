//! What the routes of a group's graph make of a dimension's forecasters, and how well each does.

use super::{Dimension, MAX_FORECAST, SKILL_HORIZON};
use crate::l3::action::Forecaster;
use crate::l3::graph::{Route, Voices};
use crate::numeric::running::RunningMean;

/// Observations before which the error of a route is not known.
const ROUTE_EVIDENCE: u32 = 50;
/// Skill of a forecast that is as good as persistence is this less 1 (L4.5).
const SKILL_AT_ZERO_ERROR: f64 = 1.5;

impl Dimension {
    /// Judges the group's settled route, and the one that is tried, by an observation. Call it before
    /// [`Dimension::absorb`].
    pub fn judge_routes(&mut self, value: f64, settled: &Route, tried: Option<&Route>) {
        let Some(last) = self.last[0] else { return };
        let base = Route {
            corrected: false,
            ..*settled
        };
        let errors = [
            Some(value - self.forecast(settled)),
            tried.map(|route| value - self.forecast(route)),
            Some(value - last),
        ];
        for (mean, error) in self.routed.iter_mut().zip(errors) {
            if let Some(error) = error {
                mean.push(error.abs());
            }
        }
        self.bias.push(value - self.forecast(&base));
    }

    /// Routes have changed: what is known of their errors is of others.
    pub fn forget_routes(&mut self) {
        self.routed = [RunningMean::new(SKILL_HORIZON); 3];
    }

    /// Forecast skill of the settled route and of the one that is tried, over the same observations: 1.5 - MAE / MAE of
    /// persistence, in [0, 1]; `None` before `least` of them, or where persistence was never wrong.
    pub fn route_skills(&self, least: u32) -> Option<[f64; 2]> {
        let [settled, tried, persistence] = &self.routed;
        let usual = persistence.get().filter(|mae| *mae > 0.0 && tried.count() >= least)?;
        let skill = |mean: &RunningMean| Some((SKILL_AT_ZERO_ERROR - mean.get()? / usual).clamp(0.0, 1.0));
        Some([skill(settled)?, skill(tried)?])
    }

    /// Mean absolute error on a route; of what is more than one forecaster only since routes last changed, and from 50
    /// observations on.
    pub fn route_mae(&self, route: &Route) -> Option<f64> {
        let routed = &self.routed[0];
        let known = || routed.get().filter(|_| routed.count() >= ROUTE_EVIDENCE);
        route.plain().map_or_else(known, |one| self.mae(one))
    }

    /// The forecast of a route; meaningless before the first observation.
    pub(super) fn forecast(&self, route: &Route) -> f64 {
        let of = |forecaster| self.voice(forecaster, route.filtered);
        let forecast = match route.voices {
            Voices::One(one) => of(one),
            Voices::Both(one, two) => 0.5 * of(one) + 0.5 * of(two),
            Voices::Each => of(self.best()),
        };
        let forecast = if route.corrected {
            forecast + self.bias.get().unwrap_or(0.0)
        } else {
            forecast
        };
        forecast.clamp(-MAX_FORECAST, MAX_FORECAST)
    }

    /// What one forecaster says; without its filter it reads the last value instead of what the filter makes of it.
    fn voice(&self, forecaster: Forecaster, filtered: bool) -> f64 {
        let last = self.last[0].unwrap_or(0.0);
        match forecaster {
            Forecaster::Smoothing if !filtered => last,
            Forecaster::Belief if !filtered => self
                .belief
                .process()
                .map_or(last, |process| process.mean + process.phi * (last - process.mean)),
            filtered => self.forecasts[filtered.index()],
        }
    }

    /// The forecaster with the smallest error; the first of equal ones.
    fn best(&self) -> Forecaster {
        let known = Forecaster::ALL
            .into_iter()
            .filter_map(|f| self.mae(f).map(|mae| (f, mae)));
        known
            .reduce(|best, next| if next.1 < best.1 { next } else { best })
            .map_or_else(Forecaster::default, |(best, _)| best)
    }
}
