//! What an agent did on a recording, in figures.

use rungs_mind::l48::observe::Score;
use rungs_mind::l49::Orchestrator;
use rungs_mind::l49::stability::Band;
use rungs_mind::report::RhoState;
use rungs_mind::stack::{Cycle, Told};
use rungs_types::{Authority, EventKind, Invariant, Level};
use serde::Serialize;

/// The identity integrity below which the invariant is violated.
const IDENTITY_LIMIT: f64 = rungs_mind::l48::invariants::Limits::FULL.iis;
/// Cycles for which alarms are told.
const ALARM_CYCLES: f64 = 10_000.0;
/// A ratio below this counts as this in a geometric mean.
const LEAST_RATIO: f64 = 1e-6;

/// Forecasts of one dimension against what came.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Accuracy {
    scored: u64,
    error_sum: f64,
    persistence_sum: f64,
    with_interval: u64,
    inside: u64,
}

impl Accuracy {
    fn take(&mut self, score: &Score) {
        let error = (score.observed - score.forecast).abs();
        self.scored += 1;
        self.error_sum += error;
        self.persistence_sum += (score.observed - score.persistence).abs();
        if score.half_width.is_finite() {
            self.with_interval += 1;
            self.inside += u64::from(error <= score.half_width);
        }
    }

    /// Mean absolute error relative to that of persistence; a persistence error of 0 is no evidence.
    fn ratio(&self) -> Option<f64> {
        (self.persistence_sum > 0.0).then(|| self.error_sum / self.persistence_sum)
    }
}

/// Alarms by what raised them. An alarm is a rise of severity; as long as it lasts, it is the same alarm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Alarms {
    /// The spectral detector: to a warning, or on to a violation.
    pub spectral: u64,
    /// Identity integrity below its limit.
    pub identity: u64,
    /// V(X) rises in too many cycles.
    pub lyapunov: u64,
}

impl Alarms {
    /// For each 10,000 of so many cycles.
    pub fn per_10_000(&self, cycles: u64) -> AlarmRates {
        let rate = |count: u64| count as f64 * ALARM_CYCLES / cycles.max(1) as f64;
        AlarmRates {
            spectral: rate(self.spectral),
            identity: rate(self.identity),
            lyapunov: rate(self.lyapunov),
        }
    }
}

/// Alarms for each 10,000 cycles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AlarmRates {
    /// See [`Alarms::spectral`].
    pub spectral: f64,
    /// See [`Alarms::identity`].
    pub identity: f64,
    /// See [`Alarms::lyapunov`].
    pub lyapunov: f64,
}

/// How Level 4.9 stands on the healthy rows, by its own measure. Without labels every row counts as healthy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Autonomy {
    /// Healthy rows since identity integrity was first measured: before, that one of the five conditions counts as met,
    /// and the score says less.
    pub checked: u64,
    /// Of those, rows with an Autonomy Stability Score above 0.5.
    pub comfortable: u64,
    /// Decisions made.
    pub decisions: u64,
    /// Of those, vetoed.
    pub vetoes: u64,
}

impl Autonomy {
    fn add(&mut self, other: &Self) {
        self.checked += other.checked;
        self.comfortable += other.comfortable;
        self.decisions += other.decisions;
        self.vetoes += other.vetoes;
    }

    /// Share of the rows with a comfortable score; `None` of none.
    pub fn comfortable_share(&self) -> Option<f64> {
        (self.checked > 0).then(|| self.comfortable as f64 / self.checked as f64)
    }

    /// Share of the decisions that were vetoed; `None` of none.
    pub fn veto_rate(&self) -> Option<f64> {
        (self.decisions > 0).then(|| self.vetoes as f64 / self.decisions as f64)
    }
}

/// Counts up while an agent is driven.
#[derive(Debug, Clone)]
pub struct Tally {
    rows: u64,
    dimensions: Vec<Accuracy>,
    eu_sum: f64,
    passes: u64,
    alarms: Alarms,
    /// Severity at the last check: spectral, identity, Lyapunov.
    severity: [u8; 3],
    incidents: u64,
    freezes: u64,
    highest: Rung,
    last: Rung,
    autonomy: Autonomy,
    /// The identity has its reference.
    known: bool,
    unplaced: Option<String>,
}

/// How far an agent stands: its highest level that is at least visible, with its authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Rung {
    /// The level.
    pub level: Level,
    /// Its authority.
    pub authority: Authority,
}

impl Rung {
    fn of(authorities: [Authority; Level::ALL.len()]) -> Self {
        let each = Level::ALL.into_iter().zip(authorities);
        let mut visible = each.filter(|(_, authority)| *authority >= Authority::Advisory);
        let (level, authority) = visible.next_back().unwrap_or((Level::L3, Authority::Full));
        Self { level, authority }
    }
}

impl Tally {
    /// Nothing yet, of so many dimensions.
    pub fn new(dimensions: usize) -> Self {
        let ground = Rung {
            level: Level::L3,
            authority: Authority::Full,
        };
        Self {
            rows: 0,
            dimensions: vec![Accuracy::default(); dimensions],
            eu_sum: 0.0,
            passes: 0,
            alarms: Alarms::default(),
            severity: [0; 3],
            incidents: 0,
            freezes: 0,
            highest: ground,
            last: ground,
            autonomy: Autonomy::default(),
            known: false,
            unplaced: None,
        }
    }

    /// One cycle more.
    pub fn take(&mut self, cycle: &Cycle, authorities: [Authority; Level::ALL.len()]) {
        self.rows += 1;
        self.last = Rung::of(authorities);
        self.highest = self.highest.max(self.last);
        if let Some(floor) = &cycle.floor {
            self.known |= floor.iis.is_some();
            let spectral = match floor.rho_state {
                RhoState::Unknown | RhoState::Stable => 0,
                RhoState::Warning => 1,
                RhoState::Violation => 2,
            };
            self.alarms.spectral += risen(&mut self.severity[0], spectral);
            let identity = u8::from(floor.iis.is_some_and(|iis| iis < IDENTITY_LIMIT));
            self.alarms.identity += risen(&mut self.severity[1], identity);
        }
        if let Some(world) = &cycle.world {
            self.passes += 1;
            self.eu_sum += world.eu;
            self.score(&world.scores);
            let lyapunov = u8::from(cycle.told.iter().any(violates_lyapunov));
            self.alarms.lyapunov += risen(&mut self.severity[2], lyapunov);
        }
        for told in &cycle.told {
            match told.kind {
                EventKind::Incident { raised: true, .. } => self.incidents += 1,
                EventKind::Frozen { .. } => self.freezes += 1,
                _ => {}
            }
        }
    }

    /// How Level 4.9 stands after a healthy row.
    pub fn autonomy(&mut self, cycle: &Cycle, level49: Option<&Orchestrator>) {
        let Some(level49) = level49.filter(|_| self.known) else {
            return;
        };
        self.autonomy.checked += 1;
        self.autonomy.comfortable += u64::from(level49.live().scores.band() == Band::Healthy);
        if let Some(output) = &cycle.autonomy {
            self.autonomy.decisions += output.decided() as u64;
            self.autonomy.vetoes += output.stability.vetoes.len() as u64;
        }
    }

    /// Which levels an operator was to put on an authority and never could, and why.
    pub fn placed(&mut self, unplaced: Option<String>) {
        self.unplaced = unplaced;
    }

    /// Forecasts against what came.
    pub fn score(&mut self, scores: &[Score]) {
        for score in scores {
            self.dimensions[usize::from(score.dimension)].take(score);
        }
    }

    /// All of it.
    pub fn summary(&self, recording: String, bad_rows: u64, first_bad_row: Option<String>) -> Summary {
        let each = || self.dimensions.iter();
        Summary {
            recording,
            rows: self.rows,
            bad_rows,
            first_bad_row,
            dimensions: self.dimensions.len(),
            scored: each().map(|accuracy| accuracy.scored).sum(),
            forecast_ratio: geometric_mean(each().filter_map(Accuracy::ratio)),
            inside: each().map(|accuracy| accuracy.inside).sum(),
            with_interval: each().map(|accuracy| accuracy.with_interval).sum(),
            eu: (self.passes > 0).then(|| self.eu_sum / self.passes as f64),
            incidents: self.incidents,
            alarms: self.alarms,
            freezes: self.freezes,
            autonomy: self.autonomy,
            highest: self.highest,
            last: self.last,
            unplaced: self.unplaced.clone(),
        }
    }
}

fn risen(before: &mut u8, now: u8) -> u64 {
    u64::from(now > std::mem::replace(before, now))
}

fn violates_lyapunov(told: &Told) -> bool {
    match &told.kind {
        EventKind::Verdict { violations, .. } => violations.iter().any(|v| v.invariant == Invariant::Lyapunov),
        _ => false,
    }
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| {
        (sum + value.max(LEAST_RATIO).ln(), count + 1)
    });
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

/// One recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The file or folder.
    pub recording: String,
    /// Rows, which is cycles.
    pub rows: u64,
    /// Rows that were none and were skipped.
    pub bad_rows: u64,
    /// Where the first of them was and what was wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_bad_row: Option<String>,
    /// Columns of values.
    pub dimensions: usize,
    /// Observations that were forecast.
    pub scored: u64,
    /// Mean absolute error of the one-step forecasts relative to persistence, geometric mean over dimensions; `None`
    /// without evidence.
    pub forecast_ratio: Option<f64>,
    /// Observations inside their 90 % interval.
    pub inside: u64,
    /// Observations that had one.
    pub with_interval: u64,
    /// Mean environmental uncertainty over L4.8's passes.
    pub eu: Option<f64>,
    /// Incidents raised.
    pub incidents: u64,
    /// Alarms raised.
    pub alarms: Alarms,
    /// Freezes.
    pub freezes: u64,
    /// How Level 4.9 stood.
    pub autonomy: Autonomy,
    /// The highest rung reached.
    pub highest: Rung,
    /// The rung at the end.
    pub last: Rung,
    /// Which levels an operator was to put on an authority and never could, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unplaced: Option<String>,
}

impl Summary {
    /// Share of observations inside their interval.
    pub fn coverage(&self) -> Option<f64> {
        (self.with_interval > 0).then(|| self.inside as f64 / self.with_interval as f64)
    }
}

/// All recordings together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Total {
    /// How many.
    pub recordings: usize,
    /// Rows of all.
    pub rows: u64,
    /// Rows that were none.
    pub bad_rows: u64,
    /// Geometric mean of the recordings' ratios.
    pub forecast_ratio: Option<f64>,
    /// Recordings that have one.
    pub with_ratio: usize,
    /// Share of all observations inside their 90 % interval.
    pub coverage: Option<f64>,
    /// Mean over the recordings.
    pub eu: Option<f64>,
    /// Incidents raised.
    pub incidents: u64,
    /// Alarms raised.
    pub alarms: Alarms,
    /// Alarms for each 10,000 cycles.
    pub alarms_per_10_000: AlarmRates,
    /// Freezes.
    pub freezes: u64,
    /// How Level 4.9 stood.
    pub autonomy: Autonomy,
}

impl Total {
    /// Of these.
    pub fn of(summaries: &[Summary]) -> Self {
        let sum = |of: fn(&Summary) -> u64| summaries.iter().map(of).sum::<u64>();
        let ratios = || summaries.iter().filter_map(|summary| summary.forecast_ratio);
        let (rows, inside, with_interval) = (sum(|s| s.rows), sum(|s| s.inside), sum(|s| s.with_interval));
        let eus: Vec<f64> = summaries.iter().filter_map(|summary| summary.eu).collect();
        let alarms = Alarms {
            spectral: sum(|s| s.alarms.spectral),
            identity: sum(|s| s.alarms.identity),
            lyapunov: sum(|s| s.alarms.lyapunov),
        };
        let mut autonomy = Autonomy::default();
        summaries.iter().for_each(|summary| autonomy.add(&summary.autonomy));
        Self {
            recordings: summaries.len(),
            rows,
            bad_rows: sum(|s| s.bad_rows),
            forecast_ratio: geometric_mean(ratios()),
            with_ratio: ratios().count(),
            coverage: (with_interval > 0).then(|| inside as f64 / with_interval as f64),
            eu: (!eus.is_empty()).then(|| eus.iter().sum::<f64>() / eus.len() as f64),
            incidents: sum(|s| s.incidents),
            alarms,
            alarms_per_10_000: alarms.per_10_000(rows),
            freezes: sum(|s| s.freezes),
            autonomy,
        }
    }
}
