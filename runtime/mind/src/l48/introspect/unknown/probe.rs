//! Seeded probes: a planted shift is shown to a copy of the detector, to see whether it would be flagged (MSCP Level 4.8,
//! section 11.1, criterion 6).
//!
//! Each group of which enough is known, and which is not unknown already, is moved beyond all that is known of it: four
//! to eight standard deviations from the outermost known level, up or down. The copy is shown the last report over and
//! over, moved. Only the first moved value of a dimension is a surprise to the forecaster, which follows it at once: a
//! detector that lives on forecast errors alone does not find it.

use super::profile::Profile;
use super::watched::Watched;
use super::{Detector, Reading, WARM_UP_REPORTS};
use crate::l48::observe::Score;
use crate::report::CycleReport;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

/// Rows with a value of the group within which a shift is to be flagged: five reports of a group that is seen in each
/// cycle, more of one whose sensors are slower, as all that is learnt of it counts observations.
pub const PROBE_ROWS: u64 = 50;
/// Reports that a probe takes at most, however slow the sensors are: twenty values are what a recent profile is made of.
const MAX_PROBE_REPORTS: u64 = 20;
/// How far beyond the outermost known level a shift leads, in standard deviations: from, and up to.
pub const PROBE_SD: [f64; 2] = [4.0, 8.0];

/// What came of a probe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Shifts that were planted, one in each group that could be judged.
    pub planted: u16,
    /// Those of them that were flagged.
    pub flagged: u16,
}

impl Detector {
    /// Shows a planted shift in each group to a copy of this detector, which stays as it is. The last report and its
    /// scores are what is moved.
    pub fn probe(&self, report: &CycleReport, scores: &[Score], seed: u64) -> Probed {
        let fits = *report.groups == *self.groups
            && report.dimensions == self.groups.len()
            && report.observations.len() == report.facts.len() * report.dimensions;
        if !fits {
            return Probed::default();
        }
        let shifts = self.shifts(report, &mut Pcg64Mcg::seed_from_u64(seed));
        let planted: Vec<(u16, u64)> = (0_u16..)
            .zip(&self.watched)
            .filter(|(group, _)| {
                self.groups
                    .iter()
                    .zip(&shifts)
                    .any(|(of, by)| of == group && by.is_some())
            })
            .map(|(group, _)| (group, self.reports_for(group, report)))
            .collect();
        let Some(longest) = planted.iter().map(|(_, reports)| *reports).max() else {
            return Probed::default();
        };
        let mut copy = self.clone();
        let mut flagged = vec![false; planted.len()];
        let last = report.facts.last().map_or(0, |facts| facts.cycle);
        for nth in 0..longest {
            let (report, scores) = moved(report, scores, &shifts, nth == 0);
            let cycle = last.saturating_add((nth + 1) * report.facts.len() as u64);
            for reading in copy
                .step(cycle, &report, &scores)
                .iter()
                .filter(|r| Reading::is_unknown(r))
            {
                let in_time = |(group, reports): &(u16, u64)| *group == reading.group && nth < *reports;
                let place = planted.iter().position(in_time);
                place.into_iter().for_each(|place| flagged[place] = true);
            }
        }
        Probed {
            planted: planted.len() as u16,
            flagged: flagged.into_iter().filter(|flagged| *flagged).count() as u16,
        }
    }

    /// How many times the report is shown until it has brought as many rows of a group as a shift is to be flagged in.
    pub(super) fn reports_for(&self, group: u16, report: &CycleReport) -> u64 {
        let seen = |row: &&[f64]| {
            row.iter()
                .zip(&*self.groups)
                .any(|(y, of)| *of == group && y.is_finite())
        };
        let rows = report.observations.chunks_exact(report.dimensions).filter(seen).count();
        PROBE_ROWS.div_ceil(rows.max(1) as u64).min(MAX_PROBE_REPORTS)
    }

    /// By how much each dimension is moved; `None` for one of a group that is not probed.
    pub(super) fn shifts(&self, report: &CycleReport, rng: &mut Pcg64Mcg) -> Vec<Option<f64>> {
        let mut shifts = vec![None; self.groups.len()];
        for (group, watched) in (0_u16..).zip(&self.watched) {
            // Drawn for every group, so that what is drawn for one does not depend on the others.
            let (sd, up) = (rng.random_range(PROBE_SD[0]..PROBE_SD[1]), rng.random::<bool>());
            let members = || (0..self.groups.len()).filter(|dimension| self.groups[*dimension] == group);
            let seen = members().any(|dimension| is_seen(report, dimension));
            if watched.reports < WARM_UP_REPORTS || self.registry.is_open(group) || !seen {
                continue;
            }
            for (place, dimension) in members().enumerate() {
                shifts[dimension] = beyond(watched, place, if up { sd } else { -sd });
            }
        }
        shifts
    }
}

/// The way from where a dimension is now to `sd` standard deviations beyond all that is known of it.
fn beyond(watched: &Watched, place: usize, sd: f64) -> Option<f64> {
    let levels = watched.known.iter().filter_map(|known| known.level(place));
    let outermost = levels.map(|(level, deviation)| level + sd * deviation);
    let outermost = outermost.reduce(|a, b| if sd > 0.0 { a.max(b) } else { a.min(b) })?;
    let now = watched.recent.get(place).map(Profile::mean)?;
    Some(outermost - now).filter(|shift| shift.is_finite())
}

fn is_seen(report: &CycleReport, dimension: usize) -> bool {
    let rows = report.observations.chunks_exact(report.dimensions);
    rows.into_iter().any(|row| row[dimension].is_finite())
}

/// The report and its scores, moved. In the first one, the first value of each dimension comes as a surprise.
pub(super) fn moved(
    report: &CycleReport,
    scores: &[Score],
    shifts: &[Option<f64>],
    is_first: bool,
) -> (CycleReport, Vec<Score>) {
    let by = |dimension: usize| shifts.get(dimension).copied().flatten().unwrap_or(0.0);
    let (mut report, mut scores) = (report.clone(), scores.to_vec());
    let mut surprised: Vec<bool> = vec![!is_first; report.dimensions];
    for (cell, value) in report.observations.iter_mut().enumerate() {
        let dimension = cell % report.dimensions;
        *value += by(dimension);
        let follows = surprised[dimension];
        surprised[dimension] |= value.is_finite();
        if let Some(forecast) = report.forecasts.get_mut(cell).filter(|_| follows) {
            *forecast += by(dimension);
        }
    }
    surprised.fill(!is_first);
    for score in &mut scores {
        let dimension = usize::from(score.dimension);
        score.observed += by(dimension);
        if let Some(surprised) = surprised.get_mut(dimension) {
            score.forecast += if *surprised { by(dimension) } else { 0.0 };
            score.persistence += if *surprised { by(dimension) } else { 0.0 };
            *surprised = true;
        }
    }
    (report, scores)
}
