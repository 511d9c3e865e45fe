//! The values in force, those that wait in the sandbox, and what can be taken back.

use super::drift::{DriftBand, DriftStatus};
use super::mutation::{Admission, MAX_MUTATIONS, MAX_PENDING, MUTATION_WINDOW_CYCLES, Mutation};
use super::sandbox::{self, Rejection, SANDBOX_LIMIT_CYCLES, Trial, Verdict};
use super::vector::ValueVector;
use crate::lookahead::LookaheadError;
use crate::numeric::condense::Refused;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// For so long a mutation can be taken back.
pub const ROLLBACK_CYCLES: u64 = 500;
/// Most mutations that can be taken back: three in each of the windows that 500 cycles touch.
const MAX_APPLIED: usize = 9;

/// A mutation in the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// The change.
    pub mutation: Mutation,
    /// The cycle in which it was admitted.
    pub since: u64,
}

/// A mutation in force.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// The change.
    pub mutation: Mutation,
    /// The cycle in which it was applied.
    pub cycle: u64,
    /// The values before it.
    pub before: ValueVector,
}

/// How mutations fared (criteria VR-3 and VR-4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutationRecord {
    /// Applied, all of them after the sandbox.
    pub applied: u64,
    /// Of those, taken back.
    pub rolled_back: u64,
}

impl MutationRecord {
    /// Share of the applied mutations that did not have to be taken back; `None` of none.
    pub fn preserved(&self) -> Option<f64> {
        (self.applied > 0).then(|| 1.0 - self.rolled_back as f64 / self.applied as f64)
    }
}

/// The values of an agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawValues")]
pub struct Values {
    vector: ValueVector,
    /// The last vector that was verified as stable.
    checkpoint: ValueVector,
    pending: VecDeque<Pending>,
    /// Mutations that can be taken back, oldest first.
    applied: VecDeque<Applied>,
    /// Cycles of the last mutations, those taken back among them.
    recent: VecDeque<u64>,
    record: MutationRecord,
}

/// What [`Values`] is read back from: the same fields, not checked yet.
#[derive(Deserialize)]
struct RawValues {
    vector: ValueVector,
    checkpoint: ValueVector,
    pending: VecDeque<Pending>,
    applied: VecDeque<Applied>,
    recent: VecDeque<u64>,
    record: MutationRecord,
}

impl TryFrom<RawValues> for Values {
    type Error = Refused;

    fn try_from(raw: RawValues) -> Result<Self, Refused> {
        let RawValues {
            vector,
            checkpoint,
            pending,
            applied,
            recent,
            record,
        } = raw;
        let mut sizes = pending
            .iter()
            .map(|p| p.mutation)
            .chain(applied.iter().map(|a| a.mutation));
        let sizes = sizes.all(|mutation| mutation.size().is_ok());
        let dimensions = pending.iter().enumerate().all(|(at, one)| {
            let mut others = pending.iter().skip(at + 1);
            others.all(|other| other.mutation.dimension != one.mutation.dimension)
        });
        let ordered = applied
            .iter()
            .zip(applied.iter().skip(1))
            .all(|(a, b)| a.cycle <= b.cycle)
            && recent.iter().zip(recent.iter().skip(1)).all(|(a, b)| a <= b);
        let counts = pending.len() <= MAX_PENDING
            && applied.len() <= MAX_APPLIED
            && recent.len() <= MAX_MUTATIONS
            && record.rolled_back <= record.applied;
        let stable = !DriftBand::of(checkpoint.total_drift()).freezes_mutations();
        if !(sizes && dimensions && ordered && counts && stable) {
            return Err(Refused("the values"));
        }
        Ok(Self {
            vector,
            checkpoint,
            pending,
            applied,
            recent,
            record,
        })
    }
}

impl Values {
    /// The weights in force.
    pub fn vector(&self) -> &ValueVector {
        &self.vector
    }

    /// The last weights that were verified as stable.
    pub fn checkpoint(&self) -> &ValueVector {
        &self.checkpoint
    }

    /// The mutations in the sandbox, oldest first.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = &Pending> {
        self.pending.iter()
    }

    /// The mutations that can still be taken back at `cycle`, oldest first.
    pub fn reversible(&self, cycle: u64) -> impl Iterator<Item = &Applied> {
        self.applied
            .iter()
            .filter(move |applied| cycle.saturating_sub(applied.cycle) < ROLLBACK_CYCLES)
    }

    /// How mutations fared.
    pub fn record(&self) -> MutationRecord {
        self.record
    }

    /// Mutations applied in the 200 cycles that end with `cycle`.
    pub(super) fn mutations_within(&self, cycle: u64) -> usize {
        let within = |then: &&u64| cycle.saturating_sub(**then) < MUTATION_WINDOW_CYCLES;
        self.recent.iter().filter(within).count()
    }

    /// Puts a mutation that passed the pre-check into the sandbox. An admission that was given before the sandbox
    /// filled up is ignored.
    pub fn admit(&mut self, admission: Admission) {
        let Admission { mutation, cycle } = admission;
        let taken = self.pending.iter().any(|p| p.mutation.dimension == mutation.dimension);
        if self.pending.len() < MAX_PENDING && !taken {
            self.pending.push_back(Pending { mutation, since: cycle });
        }
    }

    /// What becomes of a mutation in the sandbox: see [`sandbox::run`] for `simulate`. While mutations are frozen it
    /// waits; after 250 cycles it is rejected.
    pub fn evaluate<S>(&self, pending: &Pending, cycle: u64, simulate: S) -> Verdict
    where
        S: FnMut(&ValueVector, u32) -> Result<Trial, LookaheadError>,
    {
        if cycle.saturating_sub(pending.since) > u64::from(SANDBOX_LIMIT_CYCLES) {
            return Verdict::Rejected(Rejection::Timeout);
        }
        if DriftBand::of(self.vector.total_drift()).freezes_mutations() {
            return Verdict::Waits;
        }
        if let Err(refusal) = self.bounds(&pending.mutation) {
            return Verdict::Rejected(Rejection::Bounds(refusal));
        }
        let Mutation { dimension, delta } = pending.mutation;
        sandbox::run(&self.vector, &self.vector.with(dimension, delta), simulate)
    }

    /// Carries a verdict out. True if the mutation is now in force. One that is not in the sandbox, or would leave the
    /// bounds because another was applied since it was evaluated, is not applied.
    pub fn settle(&mut self, pending: &Pending, verdict: Verdict, cycle: u64) -> bool {
        let Some(at) = self.pending.iter().position(|other| other == pending) else {
            return false;
        };
        if verdict == Verdict::Waits {
            return false;
        }
        self.pending.remove(at);
        if verdict != Verdict::Approved || self.bounds(&pending.mutation).is_err() {
            return false;
        }
        self.put_in_force(pending.mutation, cycle);
        true
    }

    fn put_in_force(&mut self, mutation: Mutation, cycle: u64) {
        self.applied
            .retain(|applied| cycle.saturating_sub(applied.cycle) < ROLLBACK_CYCLES);
        self.recent
            .retain(|then| cycle.saturating_sub(*then) < MUTATION_WINDOW_CYCLES);
        if self.applied.len() == MAX_APPLIED {
            self.applied.pop_front();
        }
        if self.recent.len() == MAX_MUTATIONS {
            self.recent.pop_front();
        }
        let cycle = cycle.max(self.recent.back().copied().unwrap_or(0));
        self.applied.push_back(Applied {
            mutation,
            cycle,
            before: self.vector,
        });
        self.recent.push_back(cycle);
        self.record.applied = self.record.applied.saturating_add(1);
        self.vector = self.vector.with(mutation.dimension, mutation.delta);
    }

    /// Takes a mutation back, and those that were applied after it: the weights are, bit for bit, what they were before
    /// it. A checkpoint that held the mutation goes with it. True if it could still be taken back.
    pub fn roll_back(&mut self, applied: &Applied, cycle: u64) -> bool {
        let at = self.applied.iter().position(|other| other == applied);
        let Some(at) = at.filter(|_| cycle.saturating_sub(applied.cycle) < ROLLBACK_CYCLES) else {
            return false;
        };
        let later = self.applied.iter().skip(at + 1).map(|later| later.before);
        if later.chain([self.vector]).any(|vector| vector == self.checkpoint) {
            self.checkpoint = applied.before;
        }
        self.take_back_from(at);
        self.vector = applied.before;
        true
    }

    fn take_back_from(&mut self, at: usize) {
        let taken_back = (self.applied.len() - at) as u64;
        self.record.rolled_back = self.record.rolled_back.saturating_add(taken_back);
        self.applied.truncate(at);
    }

    /// The stability check passed: the weights in force are the checkpoint from now on, unless they have drifted so far
    /// that mutations are frozen.
    pub fn verified(&mut self) {
        if !DriftBand::of(self.vector.total_drift()).freezes_mutations() {
            self.checkpoint = self.vector;
        }
    }

    /// Back to the last stable checkpoint; nothing is left in the sandbox. The mutations since then count as taken back.
    pub fn revert(&mut self) {
        if self.vector != self.checkpoint {
            let since = self
                .applied
                .iter()
                .rposition(|applied| applied.before == self.checkpoint);
            self.take_back_from(since.unwrap_or(self.applied.len()));
        }
        self.vector = self.checkpoint;
        self.pending.clear();
    }

    /// What a drift check asks for: at a critical drift the values revert. True if they did.
    pub fn follow(&mut self, status: &DriftStatus) -> bool {
        let reverts = status.band.reverts();
        if reverts {
            self.revert();
        }
        reverts
    }
}
