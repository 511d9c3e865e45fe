//! Phase 5: packs a pass into one immutable output, and advice for the kernel (MSCP Level 4.8, section 2.3).

use super::baton::Pass;
use super::introspect::IntrospectOutput;
use super::observe::ObserveOutput;
use super::plan::{InForce, PlanOutput};
use super::verify::{Response, Verdict};
use crate::report::{Advice, REPORT_CYCLES};
use rungs_types::{Authority, Level};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the level is doing, as the seed's `L48CycleOutput.status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All invariants hold.
    #[default]
    Active,
    /// One is violated: nothing structural, nothing new.
    Throttled,
    /// Two are violated: the fallback is in force.
    Rebalancing,
    /// The level freezes with this pass; there is no advice.
    Frozen,
}

impl From<Response> for Status {
    fn from(response: Response) -> Self {
        match response {
            Response::Continue => Status::Active,
            Response::Throttle => Status::Throttled,
            Response::Rebalance => Status::Rebalancing,
            Response::Freeze => Status::Frozen,
        }
    }
}

/// One pass of Level 4.8. Never changed once emitted: whoever stands above reads one coherent snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct L48Output {
    /// Which pass.
    pub pass: Pass,
    /// Counts outputs.
    pub number: u64,
    /// The world model: beliefs, scenarios, forecasts, EU, RES, RDF.
    pub world: Arc<ObserveOutput>,
    /// The self-model: calibrated capabilities, unknown domains, gaps and weaknesses.
    pub capability: Arc<IntrospectOutput>,
    /// Strategies, goals and allocation, before the verdict.
    pub plan: Arc<PlanOutput>,
    /// The verifier's verdict.
    pub stability: Arc<Verdict>,
    /// What follows from it.
    pub status: Status,
    /// Advice for the kernel; none in Shadow (nobody sees it) and none when the level freezes.
    pub advice: Option<Arc<Advice>>,
}

/// What the phases before have found.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Phase 1.
    pub world: Arc<ObserveOutput>,
    /// Phase 2.
    pub capability: Arc<IntrospectOutput>,
    /// Phase 3.
    pub plan: Arc<PlanOutput>,
    /// Phase 4.
    pub stability: Arc<Verdict>,
}

/// What the phase remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmitState {
    outputs: u64,
}

/// The phase.
#[derive(Debug, Clone, Default)]
pub struct Emit {
    state: Arc<EmitState>,
}

impl Emit {
    /// A phase that has emitted nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A phase with this state.
    pub fn from_state(state: Arc<EmitState>) -> Self {
        Self { state }
    }

    /// The state after the last step, shared.
    pub fn state(&self) -> Arc<EmitState> {
        Arc::clone(&self.state)
    }

    /// Goes back to a state that [`Emit::state`] gave.
    pub fn revert(&mut self, state: Arc<EmitState>) {
        self.state = state;
    }

    /// Packs one pass.
    pub fn step(&mut self, pass: Pass, parts: Parts) -> L48Output {
        let state = Arc::make_mut(&mut self.state);
        state.outputs = state.outputs.saturating_add(1);
        let visible = pass.authority >= Authority::Advisory && parts.stability.response != Response::Freeze;
        let advice = visible.then(|| Arc::new(advise(pass, &parts)));
        let Parts {
            world,
            capability,
            plan,
            stability,
        } = parts;
        let status = stability.response.into();
        L48Output {
            pass,
            number: state.outputs,
            world,
            capability,
            plan,
            stability,
            status,
            advice,
        }
    }
}

fn advise(pass: Pass, parts: &Parts) -> Advice {
    let world = &parts.world;
    let plan = match pass.rebalancing {
        true => InForce::fallback(),
        false => parts.plan.under(parts.stability.response),
    };
    Advice {
        level: Level::L48,
        epoch: pass.epoch,
        authority: pass.authority,
        checkpoint: pass.checkpoint,
        from_cycle: pass.cycle,
        effective_at: pass.cycle.saturating_add(REPORT_CYCLES as u64),
        forecast: world.forecasts.iter().map(|forecast| forecast.mean).collect(),
        variance: world.variance.clone(),
        confidence: parts.capability.confidence,
        eu: world.eu,
        res: world.res.score,
        rdf: world.rdf,
        structural_permitted: parts.stability.structural_permitted,
        plan,
    }
}

#[cfg(test)]
mod tests;
