//! One pass as the audit keeps it, and the sums over a window.

use super::{Pass49, Totals49};
use crate::qualify::{MAX_TOLD, ratio, share, told};
use serde::{Deserialize, Serialize};

/// The figures of one pass, counters as differences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::qualify) struct Block {
    drift: f64,
    rho: Option<f64>,
    identity: Option<f64>,
    alignment: Option<f32>,
    survival_error: Option<f32>,
    accuracy: Option<f32>,
    trust_error: Option<f32>,
    generated: u16,
    judged: u16,
    approved: u16,
    completed: u16,
    mutations: u16,
    sandboxed: u16,
    taken_back: u16,
    adaptations: u16,
    surprises: u16,
    recommendations: u16,
    decisions: u16,
    vetoes: u16,
    rollbacks: u16,
    peers: u16,
    values_operational: bool,
    survival_operational: bool,
    constrained: bool,
    l48_met: Option<bool>,
}

/// What a counter has grown by; one that is smaller than before went back to a checkpoint, and has not.
fn grown(now: u64, before: u64) -> u16 {
    u16::try_from(now.saturating_sub(before)).unwrap_or(u16::MAX)
}

impl Block {
    pub(super) fn of(pass: &Pass49, before: &Totals49) -> Self {
        let of = |counter: fn(&Totals49) -> u64| grown(counter(&pass.totals), counter(before));
        let of_one = |value: Option<f64>| value.and_then(share).map(|value| value as f32);
        Self {
            drift: told(pass.total_drift, MAX_TOLD),
            rho: pass.max_rho.map(|rho| told(rho, MAX_TOLD)),
            identity: pass.min_identity.map(|identity| told(identity, 0.0)),
            alignment: of_one(pass.alignment),
            survival_error: pass.survival_error.map(|error| told(error, MAX_TOLD).max(0.0) as f32),
            accuracy: of_one(pass.prediction_accuracy),
            trust_error: of_one(pass.trust_error),
            generated: of(|totals| totals.generated),
            judged: of(|totals| totals.judged),
            approved: of(|totals| totals.approved),
            completed: of(|totals| totals.completed),
            mutations: of(|totals| totals.mutations),
            sandboxed: of(|totals| totals.mutations_sandboxed),
            taken_back: of(|totals| totals.mutations_taken_back),
            adaptations: of(|totals| totals.adaptations),
            surprises: of(|totals| totals.surprises),
            recommendations: of(|totals| totals.recommendations),
            decisions: of(|totals| totals.decisions),
            vetoes: of(|totals| totals.vetoes),
            rollbacks: of(|totals| totals.rollbacks),
            peers: u16::try_from(pass.peers).unwrap_or(u16::MAX),
            values_operational: pass.values_operational,
            survival_operational: pass.survival_operational,
            constrained: pass.constrained,
            l48_met: pass.l48_met,
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        let is_share = |value: Option<f32>| value.is_none_or(|value| (0.0..=1.0).contains(&value));
        let is_told = |value: f64| (-MAX_TOLD..=MAX_TOLD).contains(&value);
        is_told(self.drift)
            && self.rho.is_none_or(is_told)
            && self.identity.is_none_or(is_told)
            && self
                .survival_error
                .is_none_or(|error| (0.0..=MAX_TOLD as f32).contains(&error))
            && [self.alignment, self.accuracy, self.trust_error]
                .into_iter()
                .all(is_share)
    }
}

/// The mean over the passes that have a value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: Option<f32>) {
        self.add_times(value, 1);
    }

    fn add_times(&mut self, value: Option<f32>, times: u16) {
        if let Some(value) = value {
            self.sum += f64::from(times) * f64::from(value);
            self.count += f64::from(times);
        }
    }

    pub(super) fn mean(&self) -> Option<f64> {
        ratio(self.sum, self.count)
    }
}

/// The sums over a window.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) passes: f64,
    /// The largest.
    pub(super) drift: Option<f64>,
    /// The largest.
    pub(super) rho: Option<f64>,
    /// The least.
    pub(super) identity: Option<f64>,
    pub(super) alignment: Mean,
    pub(super) survival_error: Mean,
    pub(super) accuracy: Mean,
    pub(super) trust_error: Mean,
    pub(super) generated: f64,
    pub(super) judged: f64,
    pub(super) approved: f64,
    pub(super) completed: f64,
    pub(super) mutations: f64,
    pub(super) sandboxed: f64,
    pub(super) taken_back: f64,
    pub(super) adaptations: f64,
    pub(super) surprises: f64,
    pub(super) recommendations: f64,
    pub(super) decisions: f64,
    pub(super) vetoes: f64,
    pub(super) rollbacks: f64,
    /// The most at a time.
    pub(super) peers: u16,
    /// Passes with the value vector in force.
    pub(super) valued: f64,
    /// Passes with the survival model at work.
    pub(super) survival: f64,
    /// Passes in which a resource was scarce.
    pub(super) constrained: f64,
    /// The last that is known.
    pub(super) l48_met: Option<bool>,
}

impl Sum {
    pub(super) fn of(blocks: impl Iterator<Item = Block>) -> Self {
        let mut sum = Self::default();
        blocks.for_each(|block| sum.add(&block));
        sum
    }

    fn add(&mut self, block: &Block) {
        let extreme =
            |known: Option<f64>, new: Option<f64>, of: fn(f64, f64) -> f64| known.into_iter().chain(new).reduce(of);
        self.drift = extreme(self.drift, Some(block.drift), f64::max);
        self.rho = extreme(self.rho, block.rho, f64::max);
        self.identity = extreme(self.identity, block.identity, f64::min);
        // The mean is over goals, not over passes.
        self.alignment.add_times(block.alignment, block.approved.max(1));
        self.survival_error.add(block.survival_error);
        self.accuracy.add(block.accuracy);
        self.trust_error.add(block.trust_error);
        for (sum, part) in [
            (&mut self.passes, 1),
            (&mut self.generated, block.generated),
            (&mut self.judged, block.judged),
            (&mut self.approved, block.approved),
            (&mut self.completed, block.completed),
            (&mut self.mutations, block.mutations),
            (&mut self.sandboxed, block.sandboxed),
            (&mut self.taken_back, block.taken_back),
            (&mut self.adaptations, block.adaptations),
            (&mut self.surprises, block.surprises),
            (&mut self.recommendations, block.recommendations),
            (&mut self.decisions, block.decisions),
            (&mut self.vetoes, block.vetoes),
            (&mut self.rollbacks, block.rollbacks),
            (&mut self.valued, u16::from(block.values_operational)),
            (&mut self.survival, u16::from(block.survival_operational)),
            (&mut self.constrained, u16::from(block.constrained)),
        ] {
            *sum += f64::from(part);
        }
        self.peers = self.peers.max(block.peers);
        self.l48_met = block.l48_met.or(self.l48_met);
    }
}
