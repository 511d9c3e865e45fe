//! The figures of a pass, out of its baton.

use super::{Audit49, Pass49, Totals49};
use crate::l49::resources::SurvivalState;
use crate::l49::{Baton, L49Output, Status};
use crate::qualify::Report;

/// How far the sum of the values may be from 1.
const SUM_TOLERANCE: f64 = 1e-9;

impl Audit49 {
    /// Takes a pass in that has come home and was verified: whose baton the orchestrator took; one that was not finished, or
    /// freezes the level, is none. `rollbacks`: of the level so far; `l48`: the audit of Level 4.8.
    pub fn feed_baton(&mut self, baton: &Baton, rollbacks: u64, l48: Option<&Report>) {
        let Some(assessed) = &baton.assess else {
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
        let goals = output.goals.counters;
        self.feed(&Pass49 {
            cycle: baton.pass.cycle,
            totals: Totals49 {
                generated: goals.generated,
                judged: goals.generated,
                approved: goals.approved,
                completed: goals.completed,
                // No change of the values has another way into force than through the sandbox.
                mutations: output.values.record.applied,
                mutations_sandboxed: output.values.record.applied,
                mutations_taken_back: output.values.record.rolled_back,
                adaptations: output.resources.adaptations,
                surprises: output.resources.surprises,
                recommendations: output.peers.recommended,
                decisions: before.decisions.saturating_add(decided as u64),
                vetoes: before.vetoes.saturating_add(vetoed),
                rollbacks,
            },
            alignment: alignment(output),
            values_operational: (output.values.vector.weights().iter().sum::<f64>() - 1.0).abs() < SUM_TOLERANCE,
            total_drift: output.values.vector.total_drift(),
            survival_operational: output.resources.survival.min_survival.is_finite(),
            survival_error: output.resources.forecast_error,
            constrained: output.resources.mode >= SurvivalState::Constrained,
            peers: output.peers.peers.len() as u32,
            prediction_accuracy: output.peers.accuracy,
            trust_error: output.peers.calibration_error,
            max_rho: Some(baton.below.floor.rho),
            min_identity: baton.below.floor.iis,
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
