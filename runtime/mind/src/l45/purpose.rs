//! Purpose reflection (L4.5): whether what the agent is after still serves what it is there for.
//!
//! At each check every open goal is looked at: how far it is aligned with the purpose, and whether it is ill in one of
//! three ways ([`Pathology`]). PCS sums that up; when it is low, or the frames cannot agree, a reflection is due, and what
//! it finds names the goals at fault and a remedy for each. What becomes of them is the kernel's ([`crate::goals::Relief`]).
//!
//! Invariants:
//! 1. A goal that a user assigned is never merged away, paused or pruned: the remedy for it is to constrain it.
//! 2. A reflection that is due takes place within [`DUE_CYCLES`].
//! 3. A finding stands as long as its goal is at fault, which each check looks at, and no longer.
//! 4. Without goals there is no PCS, and G of X is 1.

mod aim;
mod pathology;
#[cfg(test)]
mod tests;

pub use aim::{Aim, PURPOSE, own_share};
pub use pathology::{
    CONSTRAIN_ABOVE, CORRELATION_CHECKS, Finding, MERGE_ABOVE, MIN_CORRELATION_CHECKS, PAUSE_ABOVE, Pathology, Remedy,
};

use self::pathology::Track;
use crate::goals::GoalRecord;
use crate::numeric::window::Window;
use crate::report::REPORT_CYCLES;
use serde::{Deserialize, Serialize};

/// Value dimensions (MSCP Level 4.9, section 4.1).
pub const DIMENSIONS: usize = 7;
/// Goals that are looked at; those that were set first, as many as there are places in the three tiers and some that wait.
pub const MAX_AIMS: usize = 32;
/// PCS below which a reflection is due (L4.5) …
pub const REFLECT_BELOW: f64 = 0.6;
/// … within so many cycles.
pub const DUE_CYCLES: u64 = 50;
/// What alignment, change of SEOF and pathology weigh in PCS (L4.5); the sum plus 1 is divided by the most that it can be.
pub const PCS_WEIGHTS: [f64; 3] = [0.4, 0.4, 0.2];
/// A value dimension whose goals are aligned less than this on average …
pub const ALIGNED_FROM: f64 = 0.7;
/// … for so many cycles is misaligned (L4.9, origin VALUE_ALIGNED).
pub const MISALIGNED_CYCLES: u32 = 200;
/// Checks over which SEOF's change is taken: 100 cycles.
const SEOF_CHECKS: usize = 10;
/// Findings that a reflection keeps, the worst first.
pub const MAX_FINDINGS: usize = 8;

/// What purpose reflection says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PurposeReport {
    /// Open goals that were looked at.
    pub goals: u32,
    /// Purpose coherence PCS, in [0, 1]; `None` without goals.
    pub pcs: Option<f64>,
    /// Mean alignment of the goals with the purpose, in [0, 1]; `None` without goals.
    pub alignment_score: Option<f64>,
    /// The same of the goals that serve each value dimension, weighed by how much they serve it, in the order of
    /// [`rungs_types::goal::ValueDimension::ALL`]; `None` where none does.
    pub alignments: [Option<f64>; DIMENSIONS],
    /// Value dimensions whose goals have been out of line for 200 cycles.
    pub misaligned: [bool; DIMENSIONS],
    /// The cycle by which a reflection takes place.
    pub due_at_cycle: Option<u64>,
    /// The cycle of the last reflection.
    pub reflected_at_cycle: Option<u64>,
    /// What the last reflection found and is still so, the worst first.
    pub findings: [Option<Finding>; MAX_FINDINGS],
}

/// What is known of the agent's goals and how they do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Purpose {
    tracks: Vec<Track>,
    seof: Window,
    /// C_L4 at the last check.
    c_l4: Option<f64>,
    /// PCS when the goals last became others; `None` before the check after that.
    baseline: Option<f64>,
    /// Cycles for which each dimension has been out of line.
    out_of_line_cycles: [u32; DIMENSIONS],
    report: PurposeReport,
}

impl Default for Purpose {
    fn default() -> Self {
        Self {
            tracks: Vec::new(),
            seof: Window::new(SEOF_CHECKS + 1),
            c_l4: None,
            baseline: None,
            out_of_line_cycles: [0; DIMENSIONS],
            report: PurposeReport::default(),
        }
    }
}

impl Purpose {
    /// Takes in the open goals as they stand. Nothing is allocated while they are the same.
    pub fn take_goals<'a>(&mut self, goals: impl Iterator<Item = &'a GoalRecord> + Clone) {
        let open = goals.clone().filter(|goal| goal.state.is_open());
        let before = self.tracks.len();
        self.tracks
            .retain(|track| open.clone().any(|goal| goal.number == track.aim.number));
        let mut others = self.tracks.len() != before;
        for record in open {
            let aim = Aim::of(record, goals.clone());
            let known = self.tracks.iter().position(|track| track.aim.number == aim.number);
            match known {
                Some(index) => self.tracks[index].aim = aim,
                None if self.tracks.len() < MAX_AIMS => {
                    self.tracks.push(Track::new(aim));
                    others = true;
                }
                None => {}
            }
        }
        if others {
            self.baseline = None;
        }
        // Without a second key: numbers are unique.
        self.tracks.sort_unstable_by_key(|track| track.aim.number);
    }

    /// Share of the open goals whose progress depends on the agent's own goals only; `None` without goals.
    pub fn own_share(&self) -> Option<f64> {
        let own = self.tracks.iter().filter(|track| track.aim.depends_on_itself).count();
        (!self.tracks.is_empty()).then(|| own as f64 / self.tracks.len() as f64)
    }

    /// The goals that are looked at, those that were set first coming first.
    pub fn aims(&self) -> impl Iterator<Item = &Aim> {
        self.tracks.iter().map(|track| &track.aim)
    }

    /// PCS of the last check; `None` without goals.
    pub fn pcs(&self) -> Option<f64> {
        self.report.pcs
    }

    /// G as the spectral detector is to see it: 1 less what PCS has fallen since the goals last became others. That a goal
    /// is set or closed moves G at once, and it is not the agent's own dynamics that did it.
    pub fn settled(&self) -> f64 {
        let change = self.report.pcs.zip(self.baseline).map_or(0.0, |(pcs, then)| pcs - then);
        (1.0 + change).clamp(0.0, 1.0)
    }

    /// What the last check found.
    pub fn report(&self) -> &PurposeReport {
        &self.report
    }

    /// The frames cannot agree: a reflection is due.
    pub fn escalate(&mut self, cycle: u64) {
        let by = cycle.saturating_add(DUE_CYCLES);
        self.report.due_at_cycle = Some(self.report.due_at_cycle.map_or(by, |due| due.min(by)));
    }

    /// One check, each ten cycles.
    pub fn check(&mut self, cycle: u64, c_l4: f64, seof: f64) {
        let change = self.c_l4.map(|before| c_l4 - before);
        self.c_l4 = c_l4.is_finite().then_some(c_l4);
        self.seof.push(seof);
        for track in &mut self.tracks {
            track.check(change);
        }
        self.recede();
        self.report.goals = self.tracks.len() as u32;
        self.report.pcs = self.coherence();
        self.baseline = self.baseline.or(self.report.pcs);
        self.align();
        if self.report.pcs.is_some_and(|pcs| pcs < REFLECT_BELOW) {
            self.escalate(cycle);
        }
        // The next check would be too late.
        let next = cycle.saturating_add(REPORT_CYCLES as u64);
        if self.report.due_at_cycle.is_some_and(|due| next > due) {
            self.reflect(cycle);
        }
    }

    /// Change of SEOF over 100 cycles, in [-1, 1]; 0 while it is not known.
    fn seof_change(&self) -> f64 {
        let ends = self.seof.oldest().zip(self.seof.newest());
        let change = ends
            .filter(|_| self.seof.is_full())
            .map_or(0.0, |(then, now)| now - then);
        change.clamp(-1.0, 1.0)
    }

    /// PCS = (mean over goals of 0.4 alignment + 0.4 dSEOF - 0.2 pathology, plus 1) / 1.8.
    fn coherence(&self) -> Option<f64> {
        let [aligned, change, ill] = PCS_WEIGHTS;
        let each = self.tracks.iter().map(|track| {
            aligned * track.aim.alignment + change * self.seof_change() - ill * pathology::share(track, &self.tracks)
        });
        let count = self.tracks.len();
        (count > 0).then(|| ((each.sum::<f64>() / count as f64 + 1.0) / (1.0 + aligned + change)).clamp(0.0, 1.0))
    }

    fn align(&mut self) {
        let count = self.tracks.len();
        let sum: f64 = self.tracks.iter().map(|track| track.aim.alignment).sum();
        self.report.alignment_score = (count > 0).then(|| sum / count as f64);
        for d in 0..DIMENSIONS {
            let (mut served, mut weight) = (0.0, 0.0);
            for aim in self.tracks.iter().map(|track| &track.aim) {
                served += aim.weights[d] * aim.alignment;
                weight += aim.weights[d];
            }
            let alignment = (weight > 0.0).then(|| (served / weight).clamp(0.0, 1.0));
            let cycles = &mut self.out_of_line_cycles[d];
            *cycles = match alignment {
                Some(alignment) if alignment < ALIGNED_FROM => cycles.saturating_add(REPORT_CYCLES as u32),
                _ => 0,
            };
            self.report.alignments[d] = alignment;
            self.report.misaligned[d] = *cycles >= MISALIGNED_CYCLES;
        }
    }

    /// What was found and is not so any more is no finding.
    fn recede(&mut self) {
        let found = std::mem::take(&mut self.report.findings);
        for finding in found.iter().flatten() {
            let index = self.tracks.iter().position(|track| track.aim.number == finding.goal);
            let now = index.map_or_else(Default::default, |index| pathology::find(index, &self.tracks));
            let same = |now: &&Finding| now.pathology.is_like(finding.pathology);
            if let Some(now) = now.iter().flatten().find(same) {
                keep(&mut self.report.findings, *now);
            }
        }
    }

    fn reflect(&mut self, cycle: u64) {
        self.report.due_at_cycle = None;
        self.report.reflected_at_cycle = Some(cycle);
        self.report.findings = [None; MAX_FINDINGS];
        for index in 0..self.tracks.len() {
            for finding in pathology::find(index, &self.tracks).into_iter().flatten() {
                keep(&mut self.report.findings, finding);
            }
        }
    }

    /// Every number is one that the module could have reached by itself.
    pub(super) fn is_valid(&self) -> bool {
        let share = |value: &f64| (0.0..=1.0).contains(value);
        let numbers = self.tracks.windows(2).all(|w| w[0].aim.number < w[1].aim.number);
        self.tracks.len() <= MAX_AIMS
            && numbers
            && self.tracks.iter().all(Track::is_valid)
            && self.c_l4.is_none_or(f64::is_finite)
            && self.baseline.iter().all(share)
            && self.report.pcs.iter().all(share)
            && self.report.alignment_score.iter().all(share)
            && self.report.alignments.iter().flatten().all(share)
    }
}

/// Keeps the findings whose measure exceeds its limit by most, in that order.
fn keep(findings: &mut [Option<Finding>; MAX_FINDINGS], finding: Finding) {
    let place = findings
        .iter()
        .position(|kept| kept.is_none_or(|kept| kept.excess() < finding.excess()));
    if let Some(place) = place {
        findings[place..].rotate_right(1);
        findings[place] = Some(finding);
    }
}
