//! What leaves Level 4.9: one immutable snapshot of a pass, for the kernel, for Level 4.8 and for people.

use super::goals::{Counters, GoalEntry, Signal};
use super::peers::{Outgoing, PeerAction, PeerView, Recommendation};
use super::resources::{Operation, Regime, Survival, SurvivalState};
use super::ruling::InForce;
use super::stability::{Condition, LiveVerdict, Veto};
use super::values::{DriftStatus, MutationRecord, Pending, ValueAct, ValueVector};
use crate::l48::Pass;
use rungs_types::goal::{GoalSpec, KnobSetting};
use rungs_types::{AgentId, Authority, CheckpointId, Level};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the level is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It computes, and nobody sees it.
    #[default]
    Shadow,
    /// It advises.
    Advisory,
    /// It acts.
    Active,
    /// It freezes with this pass.
    Frozen,
}

/// A goal for the kernel's table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Injection {
    /// The goal, of origin L4.9.
    pub spec: Arc<GoalSpec>,
    /// The verified state behind it: by this it can be taken back.
    pub checkpoint: CheckpointId,
}

/// What the mode of the resources lets each level do (MSCP Level 4.9, section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Constraints {
    /// The mode behind them.
    pub mode: SurvivalState,
    /// What holds in it.
    pub regime: Regime,
    /// They are to be obeyed: the level acts, or the mode is what keeps it from that. Else they are advice.
    pub binding: bool,
}

impl Constraints {
    /// Those of a mode.
    pub fn of(mode: SurvivalState, binding: bool) -> Self {
        let regime = Regime::of(mode);
        Self { mode, regime, binding }
    }

    fn operation(&self, level: Level) -> Operation {
        match level {
            _ if !self.binding => Operation::Full,
            Level::L45 => self.regime.l45,
            Level::L48 => self.regime.l48,
            Level::L49 | Level::L6 => self.regime.l49,
            Level::L3 => Operation::Full,
        }
    }

    /// The most authority that a level may have.
    pub fn ceiling(&self, level: Level) -> Authority {
        self.operation(level).ceiling()
    }

    /// The factor of the candidates that a level considers.
    pub fn candidates(&self, level: Level) -> f64 {
        self.operation(level).candidates()
    }

    /// The factor of exploration.
    pub fn exploration(&self) -> f64 {
        if self.binding { self.regime.exploration } else { 1.0 }
    }

    /// Share of the allocator's budget that goes to guard, kernel and survival goals before anything else.
    pub fn survival_share(&self) -> f64 {
        if self.binding { self.regime.survival_share } else { 0.0 }
    }

    /// L4.5 makes no structural change and looks no more than 50 cycles ahead.
    pub fn floor_degraded(&self) -> bool {
        self.operation(Level::L45) == Operation::Degraded
    }
}

impl Default for Constraints {
    fn default() -> Self {
        Self::of(SurvivalState::Abundant, false)
    }
}

/// Phase 1 of a pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GoalsPart {
    /// What was seen.
    pub signals: Vec<Signal>,
    /// Goals for the kernel's table; none unless the level acts.
    pub inject: Vec<Injection>,
    /// The goals that passed, with their numbers, whether they are set or only shown.
    pub passed: Vec<GoalEntry>,
    /// Goals that were rejected or sandboxed.
    pub others: Vec<GoalEntry>,
    /// How goals fared so far.
    pub counters: Counters,
}

/// Phase 2 of a pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValuesPart {
    /// The values in force from now on.
    pub vector: ValueVector,
    /// How far they had drifted before this pass's change.
    pub drift: DriftStatus,
    /// Coherence, as the criterion takes it, and as the seed defines it.
    pub coherence: [f64; 2],
    /// The mutations in the sandbox.
    pub pending: Vec<Pending>,
    /// The change that came into force.
    pub change: Option<ValueAct>,
    /// How mutations fared.
    pub record: MutationRecord,
}

/// Phase 3 of a pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourcesPart {
    /// For how long the resources last.
    pub survival: Survival,
    /// The mode in force from now on.
    pub mode: SurvivalState,
    /// Times that the mode got worse than Adequate (RA-3).
    pub adaptations: u64,
    /// Mean error of the survival forecasts (RA-2); `None` while nothing was used up.
    pub forecast_error: Option<f64>,
    /// Exhaustions that were not foreseen (RA-4).
    pub surprises: u64,
    /// Share of the expected falls that came.
    pub cascade_accuracy: Option<f64>,
}

/// How to deal with an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deal {
    /// With whom.
    pub with: AgentId,
    /// How.
    pub action: PeerAction,
    /// What to expect of it.
    pub recommendation: Recommendation,
}

/// Phase 4 of a pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PeersPart {
    /// The modelled agents.
    pub peers: Vec<PeerView>,
    /// How to deal with them.
    pub deals: Vec<Deal>,
    /// What is to be sent; none unless the level acts.
    pub messages: Vec<Outgoing>,
    /// Settings that agents of high trust recommend.
    pub lessons: Vec<(AgentId, Vec<KnobSetting>)>,
    /// Share of predicted goals (MA-1); `None` without a prediction.
    pub accuracy: Option<f64>,
    /// Mean |trust - reliability| (MA-2); `None` before a check.
    pub calibration_error: Option<f64>,
    /// Recommendations that passed so far (MA-3).
    pub recommended: u64,
}

/// Phase 5 of a pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StabilityPart {
    /// The check of the live state, with ASS.
    pub verdict: LiveVerdict,
    /// The ratio of each condition: ASS is their product.
    pub ratios: [f64; 5],
    /// What was vetoed in this pass.
    pub vetoes: Vec<Veto>,
    /// Share of the last decisions that were vetoed (AS-3); `None` of none.
    pub veto_rate: Option<f64>,
    /// Conditions that have vetoed again and again.
    pub persistent: Vec<Condition>,
}

/// One pass of Level 4.9. Never changed once emitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct L49Output {
    /// Which pass.
    pub pass: Pass,
    /// What the level is doing.
    pub status: Status,
    /// Phase 1.
    pub goals: GoalsPart,
    /// Phase 2.
    pub values: ValuesPart,
    /// Phase 3.
    pub resources: ResourcesPart,
    /// Phase 4.
    pub peers: PeersPart,
    /// Phase 5.
    pub stability: StabilityPart,
    /// What is in force from now on.
    pub in_force: InForce,
    /// What the levels below are to obey.
    pub constraints: Constraints,
}

impl L49Output {
    /// Decisions of the pass, passed or vetoed: goals, changes of the values, ways to deal with others, messages. A change of
    /// mode is not among them, unless it was vetoed: most of them protect, and are let through.
    pub fn decided(&self) -> usize {
        let passed = self.goals.passed.len()
            + usize::from(self.values.change.is_some())
            + self.peers.deals.len()
            + self.peers.messages.len();
        passed + self.stability.vetoes.len()
    }

    /// People and the levels below may see it.
    pub fn is_visible(&self) -> bool {
        self.pass.authority >= Authority::Advisory && self.status != Status::Frozen
    }
}
