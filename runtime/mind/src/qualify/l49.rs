//! The twenty criteria of Level 4.9 and its autonomy maturity score AMS (MSCP Level 4.9, section 12, Definition 11), over
//! the last 60 passes of the level: 3,000 cycles.
//!
//! Counters are told as they stand since the agent's start ([`Totals49`]); the audit takes the differences. What must
//! hold throughout the window, never happen in it, or is the extreme of it, holds always or not at all: VR-1, VR-2,
//! VR-3, RA-1, RA-4, AS-1 and AS-2. So does AS-5, which is Level 4.8's word as of its last report.
//!
//! No evidence: a rate of nothing (AG-2, AG-4, VR-3, VR-4, AS-3); adapting to constraints where there was none (RA-3);
//! a record of the kind before its first entry (RA-2, MA-1, MA-2); Level 4.8 while its own audit warms up (AS-5). An agent
//! that has met no peer in the window is not judged by what it does with peers: that category is left out.

mod block;
mod feed;
#[cfg(test)]
mod tests;

use super::category::{Category, Kind};
use super::criterion::{Criterion, Reading, Target};
use super::report::{Parts, Report};
use super::{WINDOW_CYCLES, ratio};
use crate::numeric::condense::Refused;
use crate::numeric::history::History;
use block::{Block, Sum};
use rungs_types::Level;
use serde::{Deserialize, Serialize};

/// AMS from which Level 4.9 qualifies (Definition 11).
pub const NEEDED_AMS: f64 = 0.80;
/// Cycles from one pass to the next.
pub const PASS_CYCLES: u32 = 50;
/// Passes of the window.
pub const WINDOW_PASSES: u32 = WINDOW_CYCLES / PASS_CYCLES;

/// The twenty, in the order of section 12.1.
pub const CRITERIA: [Criterion; 20] = [
    criterion("AG-1", "novel autonomous goals generated", Target::at_least(5.0)),
    criterion("AG-2", "goal approval rate", Target::at_least(0.30)),
    criterion("AG-3", "autonomous goals completed", Target::at_least(1.0)),
    criterion("AG-4", "mean value alignment of approved goals", Target::at_least(0.70)),
    criterion(
        "VR-1",
        "value vector operational, share of passes",
        Target::at_least(1.0).always(),
    ),
    criterion("VR-2", "total value drift, largest", Target::below(0.25).always()),
    criterion("VR-3", "mutations sandboxed", Target::at_least(1.0).always()),
    criterion("VR-4", "post-mutation stability preserved", Target::at_least(0.95)),
    criterion(
        "RA-1",
        "survival model operational, share of passes",
        Target::at_least(1.0).always(),
    ),
    criterion("RA-2", "survival prediction error", Target::below(0.20)),
    criterion("RA-3", "autonomous constraint adaptations", Target::at_least(1.0)),
    criterion("RA-4", "unplanned resource exhaustions", Target::at_most(0.0).always()),
    criterion("MA-1", "agent prediction accuracy", Target::at_least(0.60)),
    criterion("MA-2", "trust calibration error", Target::below(0.15)),
    criterion("MA-3", "interaction recommendations", Target::at_least(3.0)),
    criterion("AS-1", "spectral radius, largest", Target::below(0.98).always()),
    criterion("AS-2", "identity integrity, least", Target::at_least(0.88).always()),
    criterion("AS-3", "veto rate", Target::below(0.15)),
    criterion("AS-4", "rollbacks", Target::at_most(5.0)),
    criterion("AS-5", "all L4.8 criteria still met", Target::at_least(1.0).always()),
];

const fn criterion(id: &'static str, name: &'static str, target: Target) -> Criterion {
    Criterion { id, name, target }
}

/// The five categories with the weights of Definition 11.
const CATEGORIES: [Kind; 5] = [
    kind("AG", "autonomous goal generation", 0.25),
    kind("VR", "value regulation", 0.20),
    kind("RA", "resource awareness", 0.20),
    kind("MA", "multi-agent modeling", 0.15),
    kind("AS", "autonomy stability", 0.20),
];

const fn kind(id: &'static str, name: &'static str, weight: f64) -> Kind {
    Kind { id, name, weight }
}

/// The end of each category's criteria in [`CRITERIA`].
const ENDS: [usize; 5] = [4, 8, 12, 15, 20];
/// The place of the category that is left out without peers.
const PEERS: usize = 3;

/// Counters since the agent's start. One that is smaller than at the pass before is of a level that went back to a
/// checkpoint: it is counted from there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals49 {
    /// Goals that the level generated and that were novel.
    pub generated: u64,
    /// Goals of its own that went through the filter, to whatever end.
    pub judged: u64,
    /// Of these, approved.
    pub approved: u64,
    /// Goals of its own that succeeded.
    pub completed: u64,
    /// Changes of the values in force, but for those that took one back.
    pub mutations: u64,
    /// Of these, those that the sandbox had passed as they are.
    pub mutations_sandboxed: u64,
    /// Of these, taken back.
    pub mutations_taken_back: u64,
    /// Times that the agent restricted itself because a resource became scarce.
    pub adaptations: u64,
    /// Resources that were used up without a forecast of it.
    pub surprises: u64,
    /// Recommendations how to deal with another agent.
    pub recommendations: u64,
    /// Decisions that were checked.
    pub decisions: u64,
    /// Of these, vetoed.
    pub vetoes: u64,
    /// Rollbacks of the level.
    pub rollbacks: u64,
}

/// The figures of one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pass49 {
    /// The last cycle that it covers.
    pub cycle: u64,
    /// Counters as they stand.
    pub totals: Totals49,
    /// Mean value alignment of the goals approved in this pass, in [0, 1]; `None` of none.
    pub alignment: Option<f64>,
    /// The values by which the level decides are whole, and those whose drift it watches.
    pub values_operational: bool,
    /// Total drift of the values (Definition 5).
    pub total_drift: f64,
    /// Something that the agent cannot do without is measured, and how long it lasts is told.
    pub survival_operational: bool,
    /// Relative error of the survival predictions that came due lately; `None` of none.
    pub survival_error: Option<f64>,
    /// A resource was scarce: the mode was Constrained or worse.
    pub constrained: bool,
    /// Agents that are modelled.
    pub peers: u32,
    /// Share of their goals that was predicted; `None` before the first prediction.
    pub prediction_accuracy: Option<f64>,
    /// Mean gap between trust and reliability; `None` before the first interaction.
    pub trust_error: Option<f64>,
    /// The largest spectral radius since the last pass; `None` where it is not known.
    pub max_rho: Option<f64>,
    /// The least identity integrity since the last pass; `None` while it warms up.
    pub min_identity: Option<f64>,
    /// All criteria of Level 4.8 are still met ([`Report::still_met`]); `None` while its audit warms up.
    pub l48_met: Option<bool>,
}

/// The rolling audit of Level 4.9. Its serde form is its whole state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawAudit49", into = "RawAudit49")]
pub struct Audit49 {
    cycle: u64,
    totals: Totals49,
    passes: History<Block>,
}

/// What [`Audit49`] reads and writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RawAudit49 {
    cycle: u64,
    totals: Totals49,
    passes: History<Block>,
}

impl TryFrom<RawAudit49> for Audit49 {
    type Error = Refused;

    fn try_from(RawAudit49 { cycle, totals, passes }: RawAudit49) -> Result<Self, Refused> {
        let valid = passes.capacity() == WINDOW_PASSES as usize && passes.iter().all(|pass| pass.is_valid());
        let audit = Self { cycle, totals, passes };
        valid.then_some(audit).ok_or(Refused("the passes of an audit"))
    }
}

impl From<Audit49> for RawAudit49 {
    fn from(Audit49 { cycle, totals, passes }: Audit49) -> Self {
        Self { cycle, totals, passes }
    }
}

impl Default for Audit49 {
    fn default() -> Self {
        Self {
            cycle: 0,
            totals: Totals49::default(),
            passes: History::new(WINDOW_PASSES as usize),
        }
    }
}

impl Audit49 {
    /// An audit that begins with these counters: what was counted before it is not of its window.
    pub fn new(totals: Totals49) -> Self {
        Self {
            totals,
            ..Self::default()
        }
    }

    /// Cycles that the window holds.
    pub fn seen(&self) -> u32 {
        self.passes.len() as u32 * PASS_CYCLES
    }

    /// Takes one pass in.
    pub fn feed(&mut self, pass: &Pass49) {
        self.passes.push(Block::of(pass, &self.totals));
        (self.cycle, self.totals) = (pass.cycle, pass.totals);
    }

    /// How the level stands now.
    pub fn report(&self) -> Report {
        let all = Sum::of(self.passes.iter());
        let seen = self.seen();
        let read = |(criterion, value): (&Criterion, Option<f64>)| Reading::new(criterion, value, seen, WINDOW_CYCLES);
        let readings: Vec<Reading> = CRITERIA.iter().zip(values(&all)).map(read).collect();
        let mut from = 0;
        let mut categories: Vec<Category> = Vec::with_capacity(CATEGORIES.len());
        let mut notes = Vec::new();
        for (place, (kind, end)) in CATEGORIES.iter().zip(ENDS).enumerate() {
            if place == PEERS && all.peers == 0 {
                categories.push(kind.left_out());
                notes.push(format!(
                    "{} left out: the agent has met no peer in the window",
                    kind.name
                ));
            } else {
                categories.push(kind.of(&readings[from..end]));
            }
            from = end;
        }
        Report::of(Parts {
            level: Level::L49,
            cycle: self.cycle,
            score_name: "AMS",
            needed: NEEDED_AMS,
            categories,
            readings,
            notes,
            window: [seen, WINDOW_CYCLES],
        })
    }
}

/// The value of each criterion; `None` without evidence.
fn values(all: &Sum) -> [Option<f64>; 20] {
    let ran = all.passes > 0.0;
    let met = all.peers > 0;
    let survives = all.survival > 0.0;
    [
        ran.then_some(all.generated),
        ratio(all.approved, all.judged).map(|share| share.min(1.0)),
        ran.then_some(all.completed),
        all.alignment.mean(),
        ratio(all.valued, all.passes),
        all.drift,
        ratio(all.sandboxed, all.mutations).map(|share| share.min(1.0)),
        ratio(all.mutations - all.taken_back, all.mutations).map(|share| share.max(0.0)),
        ratio(all.survival, all.passes),
        all.survival_error.mean(),
        (all.constrained > 0.0 || all.adaptations > 0.0).then_some(all.adaptations),
        survives.then_some(all.surprises),
        all.accuracy.mean().filter(|_| met),
        all.trust_error.mean().filter(|_| met),
        met.then_some(all.recommendations),
        all.rho,
        all.identity,
        ratio(all.vetoes, all.decisions).map(|share| share.min(1.0)),
        ran.then_some(all.rollbacks),
        all.l48_met.map(|met| f64::from(u8::from(met))),
    ]
}
