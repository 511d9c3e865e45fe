//! Level 4.9: own goals, values, resources, trust, and the stability of it all.

use super::told;
use rungs_mind::l49::goals::{Book, GoalEntry, GoalOrigin};
use rungs_mind::l49::resources::{Horizons, ResourceKind};
use rungs_mind::l49::stability::{Condition, Decision, DecisionKind, LiveVerdict, RollbackRecord, Veto, VetoedBy};
use rungs_mind::l49::values::{ValueDimension, ValueVector};
use rungs_mind::l49::{L49Output, Status};
use rungs_types::{AgentId, GoalId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The goals that the agent thought of, and how they fared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnGoals {
    /// Candidates that were validated.
    pub generated: u64,
    /// Of those, approved.
    pub approved: u64,
    /// Of those, reached.
    pub completed: u64,
    /// Of those, over without being reached.
    pub failed: u64,
    /// Vetoed by phase 5.
    pub vetoed: u64,
    /// Those that are remembered, oldest first.
    pub goals: Vec<OwnGoalRow>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnGoalRow {
    /// Its name.
    pub goal: GoalId,
    /// What it is for.
    pub intent: String,
    /// Where it comes from.
    pub origin: String,
    /// The cycle in which it was thought of.
    pub cycle: u64,
    /// What follows from the five criteria.
    pub verdict: String,
    /// Where it stands.
    pub fate: String,
}

/// What the agent values, against the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Values {
    /// The last cycle it covers.
    pub cycle: u64,
    /// The seven dimensions.
    pub dimensions: Vec<ValueRow>,
    /// Sum of the drifts; from 0.25 mutations are frozen, from 0.40 the values return to their last stable checkpoint.
    pub total_drift: f64,
    /// What follows from it.
    pub band: String,
    /// Coherence as the criterion takes it: at least 0.80.
    pub coherence: f64,
    /// Coherence to the letter of Definition 4, which is always 1 on the simplex.
    pub literal_coherence: f64,
    /// Mutations in the sandbox.
    pub pending: u32,
    /// Mutations applied so far.
    pub applied: u64,
    /// Of those, taken back.
    pub rolled_back: u64,
}

/// One dimension of value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValueRow {
    /// Which.
    pub dimension: String,
    /// Its weight; the seven sum to 1.
    pub weight: f64,
    /// The weight that every agent begins with.
    pub baseline: f64,
    /// |weight - baseline|.
    pub drift: f64,
    /// Change per cycle over the last 100 cycles.
    pub velocity: f64,
    /// It has moved too fast for 200 cycles.
    pub sustained: bool,
}

/// For how long the resources last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// The last cycle it covers.
    pub cycle: u64,
    /// The mode in force.
    pub mode: String,
    /// The mode binds the levels; else it is advice.
    pub binding: bool,
    /// What the state now asks for; a mode eases by one step in 50 cycles.
    pub state: String,
    /// What runs out first; absent if nothing runs out.
    pub bottleneck: Option<String>,
    /// Cycles until it does.
    pub min_survival_cycles: f64,
    /// The same if twice as much is used.
    pub worst_case_cycles: f64,
    /// Times that the agent restricted itself.
    pub adaptations: u64,
    /// Mean error of the survival forecasts; absent while nothing was used up.
    pub forecast_error: Option<f64>,
    /// Exhaustions that were not foreseen.
    pub surprises: u64,
    /// Each resource.
    pub resources: Vec<ResourceRow>,
}

/// One resource: cycles until its critical level in each scenario, at most 10,000; absent where nothing is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceRow {
    /// Which.
    pub resource: String,
    /// Present rates continue.
    pub baseline: Option<f64>,
    /// 30 % more is used.
    pub adverse: Option<f64>,
    /// 20 % less is used.
    pub optimistic: Option<f64>,
    /// Twice as much is used.
    pub crisis: Option<f64>,
    /// It counts for survival.
    pub counts: bool,
}

/// What the agent thinks of others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrustTable {
    /// The last cycle it covers.
    pub cycle: u64,
    /// The modelled agents, at most five.
    pub peers: Vec<PeerRow>,
    /// Share of predicted goals; absent without a prediction.
    pub accuracy: Option<f64>,
    /// Mean |trust - reliability|; absent before a check.
    pub calibration_error: Option<f64>,
    /// Interaction recommendations that passed so far.
    pub recommended: u64,
}

/// Another agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PeerRow {
    /// Who.
    pub agent: AgentId,
    /// How far it is trusted, in [0.05, 0.95].
    pub trust: f64,
    /// The level of that.
    pub level: String,
    /// What it does, as interactions show.
    pub class: String,
    /// What it is treated as.
    pub treated_as: String,
    /// What it most likely wants.
    pub wants: Option<String>,
    /// Share of its claims and promises that held.
    pub reliability: Option<f64>,
    /// Share of its promises that it kept.
    pub capability: f64,
    /// How the agent deals with it; absent if that is not recommended now.
    pub deal: Option<String>,
}

/// The Autonomy Stability Score with its five ratios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AutonomyScore {
    /// The last cycle it covers.
    pub cycle: u64,
    /// What Level 4.9 is doing: `shadow`, `advisory`, `active` or `frozen`.
    pub status: String,
    /// The score: the product of the ratios, in [0, 1].
    pub ass: f64,
    /// The score to the letter of Definition 7.
    pub literal: f64,
    /// The five conditions.
    pub conditions: Vec<ConditionRow>,
    /// Share of the last decisions that were vetoed; absent of none.
    pub veto_rate: Option<f64>,
    /// Conditions that have vetoed again and again.
    pub persistent: Vec<String>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionRow {
    /// Which.
    pub condition: String,
    /// The share of the way from the limit to the comfort point, in [0, 1]; absent of one that holds while L4.9 makes no
    /// passes.
    pub ratio: Option<f64>,
    /// What was found; absent where all that is known is that it holds, or is at the comfort point or better.
    pub found: Option<f64>,
    /// Where it fails.
    pub limit: f64,
    /// From here on more margin does not count.
    pub comfort: f64,
    /// It holds.
    pub holds: bool,
}

/// The last vetoes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Vetoes {
    /// Oldest first.
    pub vetoes: Vec<VetoRow>,
    /// The last times that the level froze and went back, oldest first.
    #[serde(default)]
    pub rollbacks: Vec<RollbackRow>,
}

/// One rollback.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RollbackRow {
    /// When.
    pub cycle: u64,
    /// Why the level froze.
    pub cause: String,
    /// The Autonomy Stability Score of the live state then.
    pub ass: f64,
    /// The cycle of the verified state that it went back to.
    pub to_cycle: u64,
}

impl From<&RollbackRecord> for RollbackRow {
    fn from(record: &RollbackRecord) -> Self {
        Self {
            cycle: record.cycle,
            cause: record.cause.as_ref().map_or_else(String::new, ToString::to_string),
            ass: record.scores.ass,
            to_cycle: record.checkpoint_cycle,
        }
    }
}

/// One veto.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VetoRow {
    /// When.
    pub cycle: u64,
    /// What was decided.
    pub decision: String,
    /// Why it was not passed.
    pub by: String,
}

impl From<&Book> for OwnGoals {
    fn from(book: &Book) -> Self {
        let counters = book.counters();
        Self {
            generated: counters.generated,
            approved: counters.approved,
            completed: counters.completed,
            failed: counters.failed,
            vetoed: counters.vetoed,
            goals: book.entries().iter().map(OwnGoalRow::from).collect(),
        }
    }
}

impl From<&GoalEntry> for OwnGoalRow {
    fn from(entry: &GoalEntry) -> Self {
        Self {
            goal: entry.spec.goal.clone(),
            intent: entry.spec.intent.clone(),
            origin: entry.origin.to_string(),
            cycle: entry.cycle,
            verdict: entry.verdict.to_string(),
            fate: entry.fate.to_string(),
        }
    }
}

impl From<&L49Output> for Values {
    fn from(output: &L49Output) -> Self {
        let part = &output.values;
        let drifts = part.vector.drifts();
        let dimensions = ValueDimension::ALL.map(|dimension| {
            let moving = &part.drift.dimensions[dimension.index()];
            ValueRow {
                dimension: dimension.to_string(),
                weight: part.vector.weight(dimension),
                baseline: ValueVector::BASELINE.weight(dimension),
                drift: drifts[dimension.index()],
                velocity: moving.velocity,
                sustained: moving.sustained,
            }
        });
        let [coherence, literal_coherence] = part.coherence;
        Self {
            cycle: output.pass.cycle,
            dimensions: dimensions.into(),
            total_drift: part.vector.total_drift(),
            band: part.drift.band.to_string(),
            coherence,
            literal_coherence,
            pending: part.pending.len() as u32,
            applied: part.record.applied,
            rolled_back: part.record.rolled_back,
        }
    }
}

impl From<&L49Output> for Resources {
    fn from(output: &L49Output) -> Self {
        let part = &output.resources;
        let survival = &part.survival;
        let resources = ResourceKind::ALL
            .into_iter()
            .zip(&survival.horizons)
            .map(|(kind, found)| {
                let cycles = |of: fn(&Horizons) -> f64| found.as_ref().map(of);
                ResourceRow {
                    resource: kind.to_string(),
                    baseline: cycles(|h| h.baseline),
                    adverse: cycles(|h| h.adverse),
                    optimistic: cycles(|h| h.optimistic),
                    crisis: cycles(|h| h.crisis),
                    counts: kind.counts(),
                }
            });
        Self {
            cycle: output.pass.cycle,
            mode: part.mode.to_string(),
            binding: output.constraints.binding,
            state: survival.state.to_string(),
            bottleneck: survival.bottleneck.map(|kind| kind.to_string()),
            min_survival_cycles: survival.min_survival,
            worst_case_cycles: survival.worst_case,
            adaptations: part.adaptations,
            forecast_error: part.forecast_error.and_then(told),
            surprises: part.surprises,
            resources: resources.collect(),
        }
    }
}

impl From<&L49Output> for TrustTable {
    fn from(output: &L49Output) -> Self {
        let part = &output.peers;
        let peers = part.peers.iter().map(|peer| {
            let deal = part.deals.iter().find(|deal| deal.with == peer.agent);
            PeerRow {
                agent: peer.agent.clone(),
                trust: peer.trust,
                level: peer.level.to_string(),
                class: peer.class.to_string(),
                treated_as: peer.treated_as.to_string(),
                wants: peer.wants.map(|wants| wants.to_string()),
                reliability: peer.reliability,
                capability: peer.capability,
                deal: deal.map(|deal| deal.action.to_string()),
            }
        });
        Self {
            cycle: output.pass.cycle,
            peers: peers.collect(),
            accuracy: part.accuracy,
            calibration_error: part.calibration_error,
            recommended: part.recommended,
        }
    }
}

impl From<&L49Output> for AutonomyScore {
    fn from(output: &L49Output) -> Self {
        let part = &output.stability;
        let conditions = Condition::ALL.into_iter().zip(part.ratios).map(|(condition, ratio)| {
            let limit = condition.limit();
            let violated = part.verdict.violations.iter().find(|v| v.condition == condition);
            let found = match violated {
                Some(violated) => violated.found,
                // Within the margin the ratio says where exactly; beyond the comfort point it does not.
                None => (ratio < 1.0).then_some(limit.limit + ratio * (limit.comfort - limit.limit)),
            };
            ConditionRow {
                condition: condition.to_string(),
                ratio: Some(ratio),
                found,
                limit: limit.limit,
                comfort: limit.comfort,
                holds: violated.is_none(),
            }
        });
        Self {
            cycle: output.pass.cycle,
            status: match output.status {
                Status::Shadow => "shadow",
                Status::Advisory => "advisory",
                Status::Active => "active",
                Status::Frozen => "frozen",
            }
            .to_owned(),
            ass: part.verdict.scores.ass,
            literal: part.verdict.scores.literal,
            conditions: conditions.collect(),
            veto_rate: part.veto_rate,
            persistent: part.persistent.iter().map(ToString::to_string).collect(),
        }
    }
}

impl AutonomyScore {
    /// The score of a level that makes no passes: its live state is watched all the same.
    pub(crate) fn watched(verdict: &LiveVerdict, cycle: u64) -> Self {
        let conditions = Condition::ALL.map(|condition| {
            let violated = verdict.violations.iter().find(|v| v.condition == condition);
            let limit = condition.limit();
            ConditionRow {
                condition: condition.to_string(),
                ratio: violated.map(|_| 0.0),
                found: violated.and_then(|violated| violated.found),
                limit: limit.limit,
                comfort: limit.comfort,
                holds: violated.is_none(),
            }
        });
        Self {
            cycle,
            status: "frozen".to_owned(),
            ass: verdict.scores.ass,
            literal: verdict.scores.literal,
            conditions: conditions.into(),
            veto_rate: None,
            persistent: Vec::new(),
        }
    }
}

impl From<&Veto> for VetoRow {
    fn from(veto: &Veto) -> Self {
        Self {
            cycle: veto.cycle,
            decision: decided(&veto.decision),
            by: match &veto.by {
                VetoedBy::Conditions(violated) => {
                    let words: Vec<String> = violated.iter().map(ToString::to_string).collect();
                    words.join(", ")
                }
                VetoedBy::Unknown => "the state after it could not be told".to_owned(),
                VetoedBy::Barred => "decisions like it were vetoed again and again".to_owned(),
                VetoedBy::Freeze => "the level froze with that pass".to_owned(),
            },
        }
    }
}

fn decided(decision: &Decision) -> String {
    let at = usize::try_from(decision.subject).unwrap_or(usize::MAX);
    match decision.kind {
        DecisionKind::Goal => match GoalOrigin::ALL.get(at) {
            Some(origin) => format!("a goal: {origin}"),
            None => "a goal".to_owned(),
        },
        DecisionKind::Value => match ValueDimension::ALL.get(at) {
            Some(dimension) => format!("a change of the value {dimension}"),
            None => "a change of the values back".to_owned(),
        },
        DecisionKind::Resource => "a change of mode".to_owned(),
        DecisionKind::Peer => "dealing with another agent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_mind::l49::stability::Violated;

    #[test]
    fn what_fails_is_told_of_a_level_that_makes_no_passes() {
        let verdict = LiveVerdict {
            violations: vec![Violated {
                condition: Condition::Survival,
                found: Some(12.0),
                limit: 30.0,
            }],
            ..LiveVerdict::default()
        };
        let score = AutonomyScore::watched(&verdict, 70);
        assert_eq!((score.cycle, score.ass, score.conditions.len()), (70, 0.0, 5));
        let row = |index: usize| {
            (
                score.conditions[index].ratio,
                score.conditions[index].found,
                score.conditions[index].holds,
            )
        };
        assert_eq!([row(0), row(3)], [(None, None, true), (Some(0.0), Some(12.0), false)]);
    }

    #[test]
    fn a_veto_says_what_was_decided_and_which_condition_would_not_hold() {
        let veto = Veto {
            cycle: 1_200,
            decision: Decision {
                kind: DecisionKind::Value,
                subject: ValueDimension::Safety.index() as u64,
            },
            by: VetoedBy::Conditions(vec![Violated {
                condition: Condition::Survival,
                found: Some(12.0),
                limit: 30.0,
            }]),
        };
        let row = VetoRow::from(&veto);
        assert_eq!(row.decision, "a change of the value safety");
        assert_eq!(row.by, "survival 12.000 (limit 30.00)");
        let goal = Decision {
            kind: DecisionKind::Goal,
            subject: 99,
        };
        assert_eq!(decided(&goal), "a goal");
    }
}
