//! What the frames are worth: votes held against what came of them.

use super::FRAMES;
use super::ballot::Ballot;
use serde::{Deserialize, Serialize};

/// Range of a frame's weight (L4.5).
pub const WEIGHT_RANGE: (f64, f64) = (0.10, 0.35);
/// A weight grows by this times the frame's accuracy at each settled vote, before all are scaled to 1 (L4.5).
pub const ACCURACY_GAIN: f64 = 0.05;
/// Cycles after which a vote is held against SEOF: the operational horizon.
pub const SETTLE_CYCLES: u64 = 200;
/// Settled votes of a frame that its accuracy counts.
pub const MEMORY_VOTES: u32 = 20;
/// What rounding can add to a weight or to their sum.
const TOLERANCE: f64 = 1e-9;

/// Votes that wait for what comes of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Open {
    cycle: u64,
    seof: f64,
    /// Who was for it.
    yes: [bool; FRAMES],
}

/// What each frame is worth, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Records {
    weights: [f64; FRAMES],
    /// A bit for each settled vote that was right, the newest lowest.
    right: [u32; FRAMES],
    settled: u32,
    open: Option<Open>,
}

impl Records {
    pub(super) fn new() -> Self {
        Self {
            weights: [1.0 / FRAMES as f64; FRAMES],
            right: [0; FRAMES],
            settled: 0,
            open: None,
        }
    }

    pub(super) fn weights(&self) -> [f64; FRAMES] {
        self.weights
    }

    pub(super) fn accuracies(&self) -> [Option<f64>; FRAMES] {
        let counted = self.settled.min(MEMORY_VOTES);
        self.right
            .map(|right| (counted > 0).then(|| f64::from(right.count_ones()) / f64::from(counted)))
    }

    pub(super) fn adopted(&mut self, ballot: &Ballot, cycle: u64, seof: f64) {
        self.open = seof.is_finite().then(|| Open {
            cycle,
            seof: seof.clamp(-1.0, 1.0),
            yes: ballot.votes.map(|vote| vote > 0.0),
        });
    }

    pub(super) fn abandoned(&mut self) {
        self.open = None;
    }

    pub(super) fn settle(&mut self, cycle: u64, seof: f64) -> bool {
        let Some(open) = self
            .open
            .filter(|open| cycle.saturating_sub(open.cycle) >= SETTLE_CYCLES)
        else {
            return false;
        };
        self.open = None;
        let rose = seof > open.seof;
        let mask = (1 << MEMORY_VOTES) - 1;
        for (right, yes) in self.right.iter_mut().zip(open.yes) {
            *right = (*right << 1 | u32::from(yes == rose)) & mask;
        }
        self.settled = self.settled.saturating_add(1);
        let accuracies = self.accuracies();
        for (weight, accuracy) in self.weights.iter_mut().zip(accuracies) {
            *weight *= 1.0 + ACCURACY_GAIN * accuracy.unwrap_or(0.0);
        }
        self.weights = within_range(self.weights);
        true
    }

    pub(super) fn is_valid(&self) -> bool {
        let (low, high) = WEIGHT_RANGE;
        let weight = |w: &f64| (low - TOLERANCE..=high + TOLERANCE).contains(w);
        self.weights.iter().all(weight)
            && (self.weights.iter().sum::<f64>() - 1.0).abs() <= TOLERANCE
            && self.right.iter().all(|right| right >> MEMORY_VOTES == 0)
            && self.open.is_none_or(|open| (-1.0..=1.0).contains(&open.seof))
    }
}

/// Scales positive weights to the sum 1 and clamps them; what the clamped ones took too much or too little of, the others
/// share in proportion. Each pass clamps at least one more for good, so as many passes as there are weights suffice.
pub(super) fn within_range(weights: [f64; FRAMES]) -> [f64; FRAMES] {
    let (low, high) = WEIGHT_RANGE;
    let mut fixed: [Option<f64>; FRAMES] = [None; FRAMES];
    let mut scaled = weights;
    for _ in 0..FRAMES {
        let taken: f64 = fixed.iter().flatten().sum();
        let free: f64 = weights
            .iter()
            .zip(&fixed)
            .filter(|(_, f)| f.is_none())
            .map(|(w, _)| w)
            .sum();
        let scale = if free > 0.0 { (1.0 - taken) / free } else { 0.0 };
        for (value, (weight, fixed)) in scaled.iter_mut().zip(weights.iter().zip(&fixed)) {
            *value = fixed.unwrap_or(weight * scale);
        }
        // All that are over first, or all that are under: fixing one side can free the other.
        let over: f64 = scaled.iter().map(|v| (v - high).max(0.0)).sum();
        let under: f64 = scaled.iter().map(|v| (low - v).max(0.0)).sum();
        if over <= 0.0 && under <= 0.0 {
            break;
        }
        for (value, fixed) in scaled.iter().zip(&mut fixed) {
            if over >= under && *value > high {
                *fixed = Some(high);
            } else if over < under && *value < low {
                *fixed = Some(low);
            }
        }
    }
    scaled
}
