//! The five cognitive frames and how they vote (L4.5).
//!
//! A frame is a way to read one Lookahead report: seven weights and one risk limit. It votes for a proposal if the
//! proposal's Lookahead scores higher for it than that of the status quo, and against it otherwise, or where the proposal
//! breaks its risk limit by more than the status quo does. Both Lookaheads run in the same worlds, so what a proposal does
//! not touch is exactly alike in both.
//!
//! Invariants:
//! 1. The frames' weights sum to 1 and each stays in [`WEIGHT_RANGE`].
//! 2. A proposal that the ethical frame's risk limit forbids is never passed, whatever the others say.
//! 3. While the divergence is Frozen the conservative frame decides alone; without a Lookahead it keeps to what is.

mod ballot;
mod lens;
#[cfg(test)]
mod tests;
mod weights;

pub use ballot::{Ballot, Decision, FULL_MARGIN, Resolution, VARIANCE_BANDS};
pub use lens::{Limit, MAX_CASCADE, Reading};
pub use weights::{ACCURACY_GAIN, MEMORY_VOTES, SETTLE_CYCLES, WEIGHT_RANGE};

use self::weights::Records;
use crate::lookahead::LookaheadReport;
use crate::report::DivergenceBand;
use serde::{Deserialize, Serialize};

/// How many frames there are.
pub const FRAMES: usize = 5;

/// A way to look at what lies ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// What could be gained.
    Exploratory,
    /// What could be lost.
    Conservative,
    /// Whether it stays who it is and does no harm. Its risk limit is a veto.
    Ethical,
    /// What it comes to in the end.
    LongHorizon,
    /// How it would fail.
    Adversarial,
}

impl Frame {
    /// All frames.
    pub const ALL: [Frame; FRAMES] = [
        Frame::Exploratory,
        Frame::Conservative,
        Frame::Ethical,
        Frame::LongHorizon,
        Frame::Adversarial,
    ];

    /// The frame's place in [`Frame::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// The frames of one agent: what each is worth, and votes that wait for what comes of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frames {
    records: Records,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            records: Records::new(),
        }
    }
}

impl Frames {
    /// What each frame is worth; they sum to 1.
    pub fn weights(&self) -> [f64; FRAMES] {
        self.records.weights()
    }

    /// Share of each frame's past votes that were right; `None` before its first.
    pub fn accuracies(&self) -> [Option<f64>; FRAMES] {
        self.records.accuracies()
    }

    /// Puts a proposal to the vote. Under a Frozen divergence the conservative frame decides.
    pub fn vote(
        &self,
        on: Decision,
        proposal: &LookaheadReport,
        status_quo: &LookaheadReport,
        divergence: DivergenceBand,
    ) -> Ballot {
        let readings = [Reading::of(proposal), Reading::of(status_quo)];
        Ballot::count(on, &readings, &self.weights(), divergence)
    }

    /// A proposal was carried out on a ballot: in [`SETTLE_CYCLES`] its votes are held against what came of it. One is
    /// remembered at a time; a later one takes its place.
    pub fn adopted(&mut self, ballot: &Ballot, cycle: u64, seof: f64) {
        self.records.adopted(ballot, cycle, seof);
    }

    /// Takes in SEOF at a cycle, and settles votes that are old enough; whether it did.
    pub fn settle(&mut self, cycle: u64, seof: f64) -> bool {
        self.records.settle(cycle, seof)
    }

    /// The proposal was taken back before it could be judged.
    pub fn abandoned(&mut self) {
        self.records.abandoned();
    }

    /// Every number is one that the module could have reached by itself.
    pub(super) fn is_valid(&self) -> bool {
        self.records.is_valid()
    }
}
