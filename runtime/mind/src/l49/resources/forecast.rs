//! How good the survival horizons were: what was foreseen of each exhaustion, and when (criteria RA-2 and RA-4).

use super::cascade::Cascade;
use super::mode::MODE_CYCLES;
use super::survival::{Gauge, MAX_HORIZON_CYCLES, RESOURCES, ResourceKind, SurvivalState};
use crate::numeric::bits::BitWindow;
use crate::numeric::condense::Refused;
use crate::numeric::history::History;
use crate::numeric::window::Window;
use serde::{Deserialize, Serialize};

/// Forecasts remembered for each dimension: those of 5 passes, 250 cycles.
const MAX_FORECASTS: usize = 5;
/// Largest relative error of a forecast that was right (MSCP Level 4.9, criterion RA-2).
const RIGHT_TO: f64 = 0.20;
/// Falls over which the accuracy of cascades is taken.
const MAX_FALLS: u16 = 20;
/// Exhaustions over which the error is taken.
const MAX_EXHAUSTIONS: usize = 20;

/// A resource reached its critical level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Exhaustion {
    /// Which.
    pub kind: ResourceKind,
    /// |foreseen - real| / real of the cycles that the oldest forecast in memory gave it, at most 1; `None` without a
    /// forecast before it.
    pub error: Option<f64>,
    /// A forecast at least 10 cycles before said less than 50, or that resources were constrained and was right to within a
    /// fifth: no surprise. Below 50 cycles the level is mostly frozen before it makes a pass.
    pub foreseen: bool,
}

/// The forecasts of the last passes, and how they fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawRecord")]
pub struct ForecastRecord {
    /// Cycle and baseline horizon.
    forecasts: [History<(u64, f64)>; RESOURCES],
    /// It is used up, and has not been above its warning level since.
    exhausted: [bool; RESOURCES],
    errors: Window,
    surprises: u64,
}

/// What [`ForecastRecord`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawRecord {
    forecasts: [History<(u64, f64)>; RESOURCES],
    exhausted: [bool; RESOURCES],
    errors: Window,
    surprises: u64,
}

impl TryFrom<RawRecord> for ForecastRecord {
    type Error = Refused;

    fn try_from(raw: RawRecord) -> Result<Self, Refused> {
        let RawRecord {
            forecasts,
            exhausted,
            errors,
            surprises,
        } = raw;
        let horizon = |of: &(u64, f64)| (0.0..=MAX_HORIZON_CYCLES).contains(&of.1);
        let sane = forecasts.iter().all(|all| {
            let ordered = all.iter().zip(all.iter().skip(1)).all(|(a, b)| a.0 < b.0);
            all.capacity() == MAX_FORECASTS && ordered && all.iter().all(|one| horizon(&one))
        });
        let errors_sane = errors.len() <= MAX_EXHAUSTIONS && errors.iter().all(|e| (0.0..=1.0).contains(&e));
        if sane && errors_sane {
            Ok(Self {
                forecasts,
                exhausted,
                errors,
                surprises,
            })
        } else {
            Err(Refused("the survival forecasts"))
        }
    }
}

impl Default for ForecastRecord {
    fn default() -> Self {
        Self {
            forecasts: std::array::from_fn(|_| History::new(MAX_FORECASTS)),
            exhausted: [false; RESOURCES],
            errors: Window::new(MAX_EXHAUSTIONS),
            surprises: 0,
        }
    }
}

impl ForecastRecord {
    /// The exhaustion that this gauge is, if it is the first at or below the critical level.
    pub fn exhaustion(&self, kind: ResourceKind, gauge: &Gauge, cycle: u64) -> Option<Exhaustion> {
        if self.exhausted[kind as usize] || gauge.level > kind.thresholds().critical {
            return None;
        }
        let forecasts = || self.forecasts[kind as usize].iter().filter(|(then, _)| *then < cycle);
        let error_of = |(then, horizon): (u64, f64)| {
            let real = (cycle - then) as f64;
            ((horizon - real).abs() / real).min(1.0)
        };
        let told = |(then, horizon): (u64, f64)| match SurvivalState::of(horizon) {
            _ if cycle - then < MODE_CYCLES => false,
            SurvivalState::Critical => true,
            state => state >= SurvivalState::Constrained && error_of((then, horizon)) <= RIGHT_TO,
        };
        Some(Exhaustion {
            kind,
            error: forecasts().next().map(error_of),
            foreseen: forecasts().any(told),
        })
    }

    /// Takes in a gauge, and the exhaustion that [`Self::exhaustion`] found in it. A resource is exhausted once until it has
    /// been above its warning level again.
    pub fn apply(&mut self, kind: ResourceKind, gauge: &Gauge, found: Option<&Exhaustion>) {
        let exhausted = &mut self.exhausted[kind as usize];
        if let Some(found) = found {
            *exhausted = true;
            found.error.into_iter().for_each(|error| self.errors.push(error));
            self.surprises = self.surprises.saturating_add(u64::from(!found.foreseen));
            self.forecasts[kind as usize].clear();
        } else if gauge.level >= kind.thresholds().warning {
            *exhausted = false;
        }
    }

    /// Takes in the baseline horizon of a pass; of what is used up nothing is foreseen.
    pub fn foresee(&mut self, kind: ResourceKind, horizon: f64, cycle: u64) {
        let exhausted = self.exhausted[kind as usize];
        let forecasts = &mut self.forecasts[kind as usize];
        let late = forecasts.newest().is_none_or(|(last, _)| cycle > last);
        if late && !exhausted && (0.0..=MAX_HORIZON_CYCLES).contains(&horizon) {
            forecasts.push((cycle, horizon));
        }
    }

    /// Mean error of the last 20 exhaustions (RA-2: below 0.20); `None` while nothing was exhausted.
    pub fn error(&self) -> Option<f64> {
        self.errors.mean()
    }

    /// Exhaustions that were not foreseen (RA-4: 0).
    pub fn surprises(&self) -> u64 {
        self.surprises
    }
}

/// Which falls were expected of shortages, and how many of them came (section 2.2: at least 0.70).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawCascades")]
pub struct CascadeRecord {
    /// When the last expectation is due, and what is expected to be short by then.
    expected: Option<(u64, [bool; RESOURCES])>,
    came: BitWindow,
}

/// What [`CascadeRecord`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawCascades {
    expected: Option<(u64, [bool; RESOURCES])>,
    came: BitWindow,
}

impl TryFrom<RawCascades> for CascadeRecord {
    type Error = Refused;

    fn try_from(RawCascades { expected, came }: RawCascades) -> Result<Self, Refused> {
        if came.capacity() == MAX_FALLS && expected.is_none_or(|(_, short)| short.contains(&true)) {
            Ok(Self { expected, came })
        } else {
            Err(Refused("the cascade forecasts"))
        }
    }
}

impl Default for CascadeRecord {
    fn default() -> Self {
        Self {
            expected: None,
            came: BitWindow::new(MAX_FALLS),
        }
    }
}

impl CascadeRecord {
    /// Takes in the levels of a pass and the cascade that is projected from them. What was expected counts once it is
    /// due; until then nothing new is expected. A resource that is no longer measured says nothing.
    pub fn apply(&mut self, levels: &[Option<f64>; RESOURCES], projected: &Cascade, cycle: u64) {
        let short = |level: Option<f64>, kind: ResourceKind| level.map(|level| level < kind.thresholds().warning);
        match self.expected {
            Some((due, _)) if cycle < due => return,
            Some((_, expected)) => {
                let expected = ResourceKind::ALL.into_iter().filter(|kind| expected[*kind as usize]);
                let came = expected.filter_map(|kind| short(levels[kind as usize], kind));
                came.for_each(|came| self.came.push(came));
            }
            None => {}
        }
        let falls = ResourceKind::ALL.map(|kind| {
            let now = short(levels[kind as usize], kind);
            now == Some(false) && short(projected.projected[kind as usize], kind) == Some(true)
        });
        let due = cycle.saturating_add(u64::from(projected.delay_cycles));
        self.expected = falls.contains(&true).then_some((due, falls));
    }

    /// Share of the last 20 expected falls that came; `None` of none.
    pub fn accuracy(&self) -> Option<f64> {
        self.came.share()
    }
}
