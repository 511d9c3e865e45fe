//! The baton: what passes through the phases of Level 4.8 and comes back to the orchestrator verified, or not at all.
//!
//! There is no side channel between phases: a phase reads the legs before its own and adds its own, with its output
//! and a shared copy of its state after the step.

use super::emit::{Emit, EmitState, L48Output, Parts};
use super::introspect::{Introspect, IntrospectOutput, IntrospectState, Introspected};
use super::observe::{BeliefTrajectories, Observe, ObserveError, ObserveOutput, ObserveState};
use super::plan::sight::demands;
use super::plan::{PURPOSE, Plan, PlanOutput, PlanState, Planning, SelfSight};
use super::verify::{Verdict, Verify, VerifyState};
use crate::budget::{Budget, BudgetExceeded};
use crate::report::{CycleReport, FloorReport};
use rungs_types::{Authority, CheckpointId, Epoch};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Under what a pass runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// Counts passes begun.
    pub number: u64,
    /// The level's epoch; a baton of a smaller one is stale.
    pub epoch: Epoch,
    /// The authority in force.
    pub authority: Authority,
    /// The last L3 cycle that the pass knows.
    pub cycle: u64,
    /// The id that its states get if it comes back verified.
    pub checkpoint: CheckpointId,
    /// The last verdict permits structural changes.
    pub structural_permitted: bool,
    /// The mode of the resources leaves the level half of its candidates.
    pub reduced: bool,
    /// The level only advises since two invariants were violated: the fallback stays in force.
    pub rebalancing: bool,
}

/// A phase's part of a baton.
#[derive(Debug, Clone, PartialEq)]
pub struct Leg<O, S> {
    /// What the phase found.
    pub output: Arc<O>,
    /// Its state after the step.
    pub state: Arc<S>,
}

/// One pass on its way.
#[derive(Debug, Clone)]
pub struct Baton {
    /// Under what it runs.
    pub pass: Pass,
    /// What L3 did and saw since the last pass.
    pub report: Arc<CycleReport>,
    /// What L4.5 says of it.
    pub floor: Arc<FloorReport>,
    /// Phase 1.
    pub observe: Option<Leg<ObserveOutput, ObserveState>>,
    /// Phase 2.
    pub introspect: Option<Leg<IntrospectOutput, IntrospectState>>,
    /// Phase 3.
    pub plan: Option<Leg<PlanOutput, PlanState>>,
    /// Phase 4.
    pub verify: Option<Leg<Verdict, VerifyState>>,
    /// Phase 5.
    pub emit: Option<Leg<L48Output, EmitState>>,
}

/// The phases in the order of the baton.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseName {
    /// Phase 1.
    Observe,
    /// Phase 2.
    Introspect,
    /// Phase 3.
    Plan,
    /// Phase 4.
    Verify,
    /// Phase 5.
    Emit,
}

impl PhaseName {
    /// In the order of the baton.
    pub const ALL: [PhaseName; 5] = [
        PhaseName::Observe,
        PhaseName::Introspect,
        PhaseName::Plan,
        PhaseName::Verify,
        PhaseName::Emit,
    ];

    /// Its place in [`PhaseName::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The role of the phase's actor in the agent's tree.
    pub fn role(self) -> &'static str {
        match self {
            PhaseName::Observe => "l48/observe",
            PhaseName::Introspect => "l48/introspect",
            PhaseName::Plan => "l48/plan",
            PhaseName::Verify => "l48/verify",
            PhaseName::Emit => "l48/emit",
        }
    }
}

/// Why a phase gives a baton back unfinished; the level freezes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhaseError {
    /// Phase 1 gave no output.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// Phase 3 was still looking ahead when its time was over.
    #[error("plan: {0}")]
    Plan(#[from] BudgetExceeded),
    /// The baton has not been where this phase needs it to have been.
    #[error("the baton came to {phase} without having passed {missing}")]
    OutOfOrder {
        /// This phase.
        phase: &'static str,
        /// The phase before.
        missing: &'static str,
    },
}

impl Baton {
    /// A baton at the start of a pass.
    pub fn new(pass: Pass, report: Arc<CycleReport>, floor: Arc<FloorReport>) -> Self {
        Self {
            pass,
            report,
            floor,
            observe: None,
            introspect: None,
            plan: None,
            verify: None,
            emit: None,
        }
    }
}

impl Observe {
    /// Runs phase 1 on the baton.
    pub fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), PhaseError> {
        let output = Arc::new(self.step(&baton.report, baton.pass.structural_permitted, budget)?);
        baton.observe = Some(Leg {
            output,
            state: self.state(),
        });
        Ok(())
    }
}

impl Introspect {
    /// Runs phase 2 on the baton.
    pub fn carry(&mut self, baton: &mut Baton) -> Result<(), PhaseError> {
        let observed = baton.observe.as_ref();
        let observed = observed.ok_or(PhaseError::OutOfOrder {
            phase: "introspect",
            missing: "observe",
        })?;
        // There are no tools yet whose outcomes are not in the report.
        let output = self.step(&Introspected {
            report: &baton.report,
            floor: &baton.floor,
            world: &observed.output,
            epoch: baton.pass.epoch,
            outcomes: &[],
            demands: &demands(&baton.report.goals.open),
        });
        baton.introspect = Some(Leg {
            output: Arc::new(output),
            state: self.state(),
        });
        Ok(())
    }
}

impl Plan {
    /// Runs phase 3 on the baton.
    pub fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), PhaseError> {
        let missing = |missing| PhaseError::OutOfOrder { phase: "plan", missing };
        let observed = baton.observe.as_ref().ok_or(missing("observe"))?;
        let introspected = baton.introspect.as_ref().ok_or(missing("introspect"))?;
        let output = self.step(
            &Planning {
                report: &baton.report,
                floor: &baton.floor,
                world: &observed.output,
                source: BeliefTrajectories::new(&observed.state, &baton.report.groups),
                goals: &baton.report.goals.open,
                skills: &SelfSight {
                    output: &introspected.output,
                    attainment: introspected.state.attainment(),
                },
                purpose: &PURPOSE,
                structural_permitted: baton.pass.structural_permitted,
                reduced: baton.pass.reduced,
            },
            budget,
        )?;
        baton.plan = Some(Leg {
            output: Arc::new(output),
            state: self.state(),
        });
        Ok(())
    }
}

impl Verify {
    /// Runs phase 4 on the baton.
    pub fn carry(&mut self, baton: &mut Baton) -> Result<(), PhaseError> {
        let missing = |missing| PhaseError::OutOfOrder {
            phase: "verify",
            missing,
        };
        let observed = baton.observe.as_ref().ok_or(missing("observe"))?;
        let planned = baton.plan.as_ref().ok_or(missing("plan"))?;
        // What a Lookahead of this pass changed is a breach of this pass.
        let breached = (!planned.output.contained).then(|| FloorReport {
            contained: false,
            ..FloorReport::clone(&baton.floor)
        });
        let floor = breached.as_ref().unwrap_or(&baton.floor);
        let verdict = self.step(floor, &observed.output, baton.pass.authority, baton.pass.epoch);
        baton.verify = Some(Leg {
            output: Arc::new(verdict),
            state: self.state(),
        });
        Ok(())
    }
}

impl Emit {
    /// Runs phase 5 on the baton.
    pub fn carry(&mut self, baton: &mut Baton) -> Result<(), PhaseError> {
        let missing = |missing| PhaseError::OutOfOrder { phase: "emit", missing };
        let observed = baton.observe.as_ref().ok_or(missing("observe"))?;
        let introspected = baton.introspect.as_ref().ok_or(missing("introspect"))?;
        let planned = baton.plan.as_ref().ok_or(missing("plan"))?;
        let verified = baton.verify.as_ref().ok_or(missing("verify"))?;
        let parts = Parts {
            world: Arc::clone(&observed.output),
            capability: Arc::clone(&introspected.output),
            plan: Arc::clone(&planned.output),
            stability: Arc::clone(&verified.output),
        };
        let output = self.step(baton.pass, parts);
        baton.emit = Some(Leg {
            output: Arc::new(output),
            state: self.state(),
        });
        Ok(())
    }
}

/// The states of all phases after one verified pass: what the level goes back to.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// Its id.
    pub checkpoint: CheckpointId,
    /// The last L3 cycle that it knows.
    pub cycle: u64,
    /// Phase 1.
    pub observe: Arc<ObserveState>,
    /// Phase 2.
    pub introspect: Arc<IntrospectState>,
    /// Phase 3.
    pub plan: Arc<PlanState>,
    /// Phase 4.
    pub verify: Arc<VerifyState>,
    /// Phase 5.
    pub emit: Arc<EmitState>,
}
