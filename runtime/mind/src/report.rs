//! What passes between the levels: reports upward, advice downward. All of it immutable once handed over.
//!
//! Kernel (L3) → L4.5 → L4.8: [`CycleReport`], [`FloorReport`]. L4.8 → kernel: [`Advice`].

mod permits;
mod surprise;

use crate::goals::{GoalRecord, Refusal};
use crate::l3::ActionKind;
use crate::l3::graph::{TrialOrder, TrialReport};
use crate::l45::frames::{Ballot, FRAMES};
use crate::l45::projection::{Posture, SelfProjection};
use crate::l45::purpose::PurposeReport;
use crate::l45::recomposition::Recompositions;
use crate::l48::plan::InForce;
use rungs_types::{Authority, CheckpointId, Epoch, GoalId, Level};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// L3 cycles between two L4.5 verifications and two L4.8 cycles (MSCP Level 4.8, section 1.4).
pub const REPORT_CYCLES: usize = 10;
/// Most cycles that one report carries; a level that is slower than this loses the oldest.
pub const MAX_REPORT_CYCLES: usize = 100;

/// Scalars of one L3 cycle that the levels above need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CycleFacts {
    /// The cycle's number, from 1.
    pub cycle: u64,
    /// Identity vector I, each in [0, 1]: persona consistency, value alignment, capability confidence, emotional
    /// stability, goal persistence.
    pub identity: [f64; 5],
    /// L2 norm of the predicted minus the actual change of I.
    pub identity_error: f64,
    /// RMS of the environment's prediction error in running standard deviations; NaN without an observation.
    pub environment_error: f64,
    /// L3's self-model has converged (mean identity error below 0.02 over 20 cycles).
    pub converged: bool,
    /// Identity volatility, belief entropy H_bel, goal mutation frequency, consistency volatility: each in [0, 1].
    pub volatility: [f64; 4],
    /// L3 complexity C in [0, 1].
    pub complexity: f64,
    /// In stabilization mode.
    pub stabilizing: bool,
    /// The cycle was late or ran with a stretched period.
    pub late: bool,
    /// The kind of this cycle's action.
    pub action: ActionKind,
    /// The group that it is about, if it is about one.
    pub action_group: Option<u16>,
    /// The action of this cycle passed the ethical kernel at its first proposal.
    pub ethical_first_pass: bool,
    /// The action's target was the agent itself.
    pub self_directed: bool,
    /// Depth of self-referential optimisation of the action (0 = acts on the world or holds).
    pub self_reference_depth: u8,
    /// Tasks that succeeded and failed in this cycle.
    pub tasks: [u16; 2],
    /// Mean calibrated confidence over skills.
    pub confidence: f64,
    /// Skills and goals that the agent gave itself in this cycle.
    pub expansions: u16,
    /// Decisions about strategy in this cycle: each choice among actions, and those of the levels above.
    pub strategy_decisions: u16,
    /// Those of them that changed the agent's configuration, strategy or goal.
    pub strategy_changes: u16,
    /// Those of the changes that took back an earlier one.
    pub strategy_flips: u16,
    /// Utilisation of the resource used most, in [0, 1].
    pub utilisation: f64,
    /// The identity hash changed and the measured step exceeded 0.1.
    pub identity_drift: bool,
    /// Effects with a Lookahead's origin that reached the kernel; each is a breach of the sandbox.
    pub breaches: u16,
}

/// All that happened since the last report: one row of facts and one row of `dimensions` observations, forecasts and
/// forecast standard deviations per cycle. NaN = missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CycleReport {
    /// Dimensions of the environment.
    pub dimensions: usize,
    /// Group of each dimension (0-based), same length as `dimensions`.
    pub groups: Arc<[u16]>,
    /// One per cycle, oldest first.
    pub facts: Vec<CycleFacts>,
    /// Row-major, `facts.len() * dimensions`, in the environment's units.
    pub observations: Vec<f64>,
    /// What L3 had forecast for each observation, same shape; NaN before the first forecast.
    pub forecasts: Vec<f64>,
    /// Standard deviation of L3's forecast error, same shape.
    pub forecast_sd: Vec<f64>,
    /// Half the width of L3's 90 % interval, same shape.
    pub forecast_half_width: Vec<f64>,
    /// Resource levels and consumption per cycle at the end of the report, pairs.
    pub resources: Vec<Resource>,
    /// What the trial of a recomposed graph has shown so far; `None` before the first.
    pub trial: Option<TrialReport>,
    /// Cycles that were dropped before the first row because the reader was slow.
    pub dropped_cycles: u64,
    /// The goals, as they are at the end of the report.
    pub goals: GoalReport,
}

/// What is worked on, and what came of what was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GoalReport {
    /// The open goals: those that have a place, in the order in force, and then those that wait.
    pub open: Vec<GoalRecord>,
    /// Those closed since the last report, the first one first; of more than a table remembers, the last ones.
    pub closed: Vec<GoalRecord>,
    /// Goals that a level had asked for since the last report and that were not set, the first one first; of more than a
    /// table remembers, the last ones.
    pub refused: Vec<(GoalId, Refusal)>,
}

/// One resource of the agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// What is left, in the resource's unit.
    pub level: f64,
    /// What is used up in a cycle, in the same unit.
    pub consumption_per_cycle: f64,
    /// Share in use, in [0, 1].
    pub utilisation: f64,
}

/// L4.5's answer to a cycle report: the floor on which L4.8 stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FloorReport {
    /// Last cycle it covers.
    pub cycle: u64,
    /// X = [S, G, I, U, E].
    pub x: [f64; 5],
    /// Complexity C_L4 in [0, 1].
    pub c_l4: f64,
    /// Identity integrity; `None` while warming up.
    pub iis: Option<f64>,
    /// Self-evolution objective SEOF in [-1, 1].
    pub seof: f64,
    /// SEOF divided by the highest value it can have at rest (0.45, or 0.65 with two or more domains).
    pub seof_maturity: f64,
    /// P(t): success rate of tasks, or forecast skill without tasks, in [0, 1]; `None` without evidence.
    pub performance: Option<f64>,
    /// Capability diversity CDI in [0, 1].
    pub cdi: f64,
    /// The ensemble's second opinion on the same, in [0, 1]: stability-weighted growth, diversity, long-horizon survival
    /// and exploration.
    pub seof_ensemble: f64,
    /// Uncertainty index U in [0, 1].
    pub uncertainty: f64,
    /// Horizons count half (U is at or above 0.7).
    pub horizons_halved: bool,
    /// Divergence in [0, 1]; 1 while nothing was observed.
    pub divergence: f64,
    /// What the divergence asks for.
    pub divergence_band: DivergenceBand,
    /// Spectral radius of the Jacobian as handed on, and what the detector says of it.
    pub rho: f64,
    /// The detector's verdict on `rho`.
    pub rho_state: RhoState,
    /// V(X) of each cycle covered, oldest first (at most [`MAX_REPORT_CYCLES`]).
    pub lyapunov: Vec<f64>,
    /// X of each cycle covered, as `lyapunov`.
    pub states: Vec<[f64; 5]>,
    /// Worst collapse tier, 0 (none) to 3.
    pub tier: u8,
    /// Existential guard stage, 0 (normal) to 3 (critical).
    pub guard_stage: u8,
    /// What the guard measured.
    pub guard: GuardReadings,
    /// The ethical kernel's hash is that of the build.
    pub ethics_intact: bool,
    /// Sandbox contained: no breach was reported in the cycles covered. A breach is an effect with a Lookahead's origin, or
    /// a live decision state whose hash a Lookahead changed; whoever looks ahead reports it.
    pub contained: bool,
    /// The success rate fell by more than 0.25 within 200 cycles.
    pub success_fall: bool,
    /// Structural changes are permitted (guard, tier and uncertainty allow them).
    pub structural_permitted: bool,
    /// For how many consecutive cycles each activation criterion of L4.8 has held, in the order of MSCP Level 4.8,
    /// section 9.1; criterion 4 counts consecutive passed checks.
    pub sustained: [u32; 6],
    /// Where the agent is going, on three courses.
    pub projection: SelfProjection,
    /// The course that the frames are for.
    pub posture: Posture,
    /// How the frames voted: last on a posture, last on a recomposition.
    pub votes: Votes,
    /// Whether what the agent is after serves its purpose.
    pub purpose: PurposeReport,
    /// The recomposition under way.
    pub trial: Option<TrialOrder>,
    /// What became of recompositions so far.
    pub recompositions: Recompositions,
}

/// The last ballots of the five frames, and what each frame is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Votes {
    /// On the aggressive course, and on the conservative one; `None` before the first projection.
    pub posture: [Option<Ballot>; 2],
    /// On a recomposition; `None` before the first.
    pub structural: Option<Ballot>,
    /// The frames' weights, in the order of [`crate::l45::frames::Frame::ALL`]; they sum to 1 in every report that has a
    /// cycle.
    pub weights: [f64; FRAMES],
}

/// What the guard measured; a metric that this agent does not have is absent, not 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GuardReadings {
    /// ROD: depth of self-referential optimisation, the largest of the report.
    pub rod: u8,
    /// CAS: slope of mean confidence per cycle over 200 cycles; absent until 50 cycles are known.
    pub cas: Option<f64>,
    /// IFI: how far apart the frames see the identity; absent until 50 cycles are known.
    pub ifi: Option<f64>,
    /// GSRS: how much goals and actions refer to the agent itself; absent without goals.
    pub gsrs: Option<f64>,
}

/// What a divergence asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DivergenceBand {
    /// Below 0.10.
    Normal,
    /// Below 0.25.
    Warning,
    /// Below 0.50: forecasts are to be recalibrated.
    Recalibrate,
    /// From 0.50, and while nothing was observed: projections are frozen and the conservative frame decides.
    #[default]
    Frozen,
}

/// What the spectral detector says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RhoState {
    /// Fewer than 10 transitions: rho counts as 0.
    #[default]
    Unknown,
    /// Below the warning.
    Stable,
    /// At or above 0.98 in two suspect checks.
    Warning,
    /// At or above 1.0 in two suspect checks, or not a number.
    Violation,
}

/// What a level says to the kernel. Advice of an older epoch than the authority cell's is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// Who says it.
    pub level: Level,
    /// The level's epoch; a freeze raises it.
    pub epoch: Epoch,
    /// The authority under which it was given; its weight is that of the lesser of this and the authority cell's.
    pub authority: Authority,
    /// The verified state behind it.
    pub checkpoint: CheckpointId,
    /// The last cycle that was known.
    pub from_cycle: u64,
    /// The first cycle at which the kernel may use it: `from_cycle + 10`.
    pub effective_at: u64,
    /// Forecast of each dimension for one cycle ahead of the last observation, in the environment's units.
    pub forecast: Vec<f64>,
    /// Posterior variance of each dimension, standardised; the kernel samples uncertain groups faster.
    pub variance: Vec<f64>,
    /// Mean calibrated confidence over skills (L4.8's capability matrix); `None` while no skill has enough outcomes.
    pub confidence: Option<f64>,
    /// Environmental uncertainty (Definition 2).
    pub eu: f64,
    /// Risk exposure (Definition 3).
    pub res: f64,
    /// Cycles of runway (Definition 4).
    pub rdf: f64,
    /// Structural changes (change of sampling, forecaster or period) are permitted.
    pub structural_permitted: bool,
    /// The strategy, the order of the goals, what is done about those with which something is wrong, and who may use how
    /// much.
    pub plan: InForce,
}

#[cfg(test)]
mod tests {
    use crate::l3::operations::Outcomes;
    use crate::l3::{Action, Available, Floor, GroupSet, Input, Kernel, Pace, Refusal};
    use crate::setup;
    use rungs_types::AgentSpec;

    #[test]
    fn a_kernel_whose_reports_nobody_takes_keeps_a_hundred_cycles_and_loses_them_by_ten() {
        let spec = AgentSpec::new("ops-1".parse().expect("a name"));
        let mut kernel = Kernel::new(setup::kernel(&spec, [0].into())).expect("valid");
        let mut kept = Vec::new();
        for cycle in 1..=111 {
            let input = Input {
                cycle,
                observation: &[1.0],
                outcomes: Outcomes::default(),
                advice: None,
                floor: Floor::Silent,
                pace: Pace::default(),
                resources: &[],
                available: Available {
                    faster: GroupSet::first(1),
                    slower: GroupSet::first(1),
                    incidents: false,
                    peers: false,
                    longer_period: false,
                    shorter_period: false,
                },
            };
            kernel.step(&input, &mut |_: &Action| Ok::<(), Refusal>(()));
            kept.push(kernel.report_cycles());
        }
        assert_eq!([99, 100, 109, 110].map(|nth| kept[nth]), [100, 91, 100, 91]);
        assert_eq!(kernel.take_report().dropped_cycles, 20);
    }
}
