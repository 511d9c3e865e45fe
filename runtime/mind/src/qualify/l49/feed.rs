//! The figures of a pass, out of its baton.

use super::{Audit49, Pass49, Totals49};
use crate::l49::resources::{ResourceKind, ResourcesOutput, SurvivalState};
use crate::l49::values::{ValueAct, ValueVector, ValuesOutput};
use crate::l49::{Baton, L49Output, Status};
use crate::qualify::Report;

/// How far two weights of a value may be apart, and the sum of all from 1.
const TOLERANCE: f64 = 1e-9;

impl Audit49 {
    /// Takes a pass in that has come home and was verified: whose baton the orchestrator took; one that was not finished, or
    /// freezes the level, is none. `rollbacks`: of the level so far; `l48`: the audit of Level 4.8.
    pub fn feed_baton(&mut self, baton: &Baton, rollbacks: u64, l48: Option<&Report>) {
        let (Some(evolved), Some(survived), Some(assessed)) = (&baton.evolve, &baton.survive, &baton.assess) else {
            return;
        };
        let output = &assessed.output.output;
        if output.status == Status::Frozen {
            return;
        }
        if self.passes.is_empty() {
            // What the level went back from before it made a pass is not of the window.
            self.totals.rollbacks = rollbacks;
        }
        let ruling = &assessed.output.ruling;
        let decisions = [&ruling.goals, &ruling.values, &ruling.resources, &ruling.peers];
        let decided: usize = decisions.iter().map(|part| part.len()).sum();
        let vetoed = output.stability.vetoes.len() as u64;
        let before = self.totals;
        let (changed, sandboxed) = mutated(&evolved.output, output);
        let goals = output.goals.counters;
        self.feed(&Pass49 {
            cycle: baton.pass.cycle,
            totals: Totals49 {
                generated: goals.generated,
                judged: goals.generated,
                approved: goals.approved,
                completed: goals.completed,
                mutations: before.mutations.saturating_add(u64::from(changed)),
                mutations_sandboxed: before.mutations_sandboxed.saturating_add(u64::from(sandboxed)),
                mutations_taken_back: output.values.record.rolled_back,
                adaptations: output.resources.adaptations,
                surprises: output.resources.surprises,
                recommendations: output.peers.recommended,
                decisions: before.decisions.saturating_add(decided as u64),
                vetoes: before.vetoes.saturating_add(vetoed),
                rollbacks,
            },
            alignment: alignment(output),
            values_operational: are_watched(&baton.in_force.values, &evolved.output.vector),
            total_drift: output.values.vector.total_drift(),
            survival_operational: is_told(&survived.output),
            survival_error: output.resources.forecast_error,
            constrained: output.resources.mode >= SurvivalState::Constrained,
            peers: output.peers.peers.len() as u32,
            prediction_accuracy: output.peers.accuracy,
            trust_error: output.peers.calibration_error,
            max_rho: baton.extremes.max_rho(),
            min_identity: baton.extremes.min_identity(),
            l48_met: l48.filter(|report| !report.is_warming_up()).map(Report::still_met),
        });
    }
}

/// Mean value alignment of the goals that passed.
fn alignment(output: &L49Output) -> Option<f64> {
    let passed = &output.goals.passed;
    let sum: f64 = passed.iter().map(|entry| entry.criteria.value).sum();
    (!passed.is_empty()).then(|| sum / passed.len() as f64)
}

/// The values by which the pass decides are those whose drift phase 2 watches, and are whole.
fn are_watched(in_force: &ValueVector, watched: &ValueVector) -> bool {
    let same = |(a, b): (&f64, &f64)| (a - b).abs() < TOLERANCE;
    let sum: f64 = in_force.weights().iter().sum();
    in_force.weights().iter().zip(watched.weights()).all(same) && (sum - 1.0).abs() < TOLERANCE
}

/// Something that the agent cannot do without is measured, and how long each of it lasts is told.
fn is_told(resources: &ResourcesOutput) -> bool {
    let measured = |kind: &ResourceKind| kind.counts() && resources.levels[*kind as usize].is_some();
    ResourceKind::ALL.iter().any(measured) && resources.survival.min_survival.is_finite()
}

/// Whether other values are in force after the pass than before, but for what was taken back; and whether that is what the
/// sandbox passed, and nothing else.
fn mutated(evolved: &ValuesOutput, output: &L49Output) -> (bool, bool) {
    let (before, after) = (&evolved.vector, &output.in_force.values);
    let changed = before != after && !output.values.change.is_some_and(|act| act.is_protective());
    let sandboxed = matches!(output.values.change, Some(ValueAct::Apply(pending))
        if evolved.pending.contains(&pending) && evolved.proposal.is_some_and(|proposal| proposal.after == *after));
    (changed, changed && sandboxed)
}
