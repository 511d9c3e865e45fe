//! Level 4.8: goals in their order, strategies, allocation, scenarios.

use super::told;
use rungs_mind::l48::L48Output;
use rungs_mind::l48::plan::{Pathology, PlanOutput, Remedy, Strategy};
use rungs_types::GoalId;
use rungs_types::goal::Knob;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The open goals as they are ranked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GoalOrder {
    /// The last cycle it covers.
    pub cycle: u64,
    /// The goals, the highest priority first.
    pub ranked: Vec<OrderedGoal>,
    /// What is wrong with them, in a line each.
    pub pathologies: Vec<String>,
    /// What is done about that.
    pub remedies: Vec<String>,
}

/// A goal with its priority.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderedGoal {
    /// Which.
    pub goal: GoalId,
    /// Its priority, in [0, 1].
    pub priority: f64,
    /// It has no place in its tier and waits.
    pub queued: bool,
}

/// How strategies compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Strategies {
    /// The last cycle it covers.
    pub cycle: u64,
    /// The strategy in force after the pass.
    pub chosen: String,
    /// The one before.
    pub before: String,
    /// The candidates, the highest score first; none while nothing can be compared.
    pub candidates: Vec<StrategyRow>,
    /// Share of the scenarios in which the selected one is within 10 % of the best.
    pub robustness: Option<f64>,
    /// Trajectories of each candidate in each scenario.
    pub trajectories: u32,
}

/// One candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StrategyRow {
    /// Which sort of strategy.
    pub strategy: String,
    /// Where its knobs are.
    pub settings: BTreeMap<String, f64>,
    /// It came out first.
    pub selected: bool,
    /// The score (MSCP Level 4.8, Definition 7), in [0, 1].
    pub score: f64,
    /// EV, rescaled, in [0, 1].
    pub ev: f64,
    /// RA, in [0, 1].
    pub ra: f64,
    /// SI, in [0, 1].
    pub si: f64,
    /// The 5 % quantile of the change of SEOF over the scenarios.
    pub var: f64,
    /// Mean of the outcomes that are not above it.
    pub cvar: f64,
    /// Expected share of the goals complete at the end.
    pub goal_progress: f64,
    /// Expected share of the scarcest resource used up.
    pub resource_cost: f64,
}

/// Who may use how much of the agent's budget; all of it sums to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Allocation {
    /// The last cycle it covers.
    pub cycle: u64,
    /// Stability monitoring.
    pub guard: f64,
    /// Held back.
    pub reserve: f64,
    /// The goals that get something.
    pub goals: Vec<GrantRow>,
}

/// What a goal may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GrantRow {
    /// Which.
    pub goal: GoalId,
    /// Its share.
    pub share: f64,
}

/// How the world may go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scenarios {
    /// The last cycle it covers.
    pub cycle: u64,
    /// Each scenario.
    pub scenarios: Vec<ScenarioRow>,
    /// Environmental uncertainty.
    pub eu: Option<f64>,
    /// Risk exposure.
    pub res: Option<f64>,
    /// Cycles of runway; absent without an end in sight.
    pub rdf: Option<f64>,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioRow {
    /// Which.
    pub scenario: String,
    /// Its probability now; they sum to 1.
    pub probability: f64,
    /// Factor on the spread of what is forecast.
    pub spread: f64,
    /// Factor on what is used up.
    pub consumption: f64,
}

impl From<&PlanOutput> for GoalOrder {
    fn from(plan: &PlanOutput) -> Self {
        let ranked = plan.stack.ranked.iter().map(|ranked| OrderedGoal {
            goal: ranked.goal.clone(),
            priority: ranked.priority,
            queued: ranked.queued,
        });
        Self {
            cycle: plan.cycle,
            ranked: ranked.collect(),
            pathologies: plan.stack.pathologies.iter().map(pathology).collect(),
            remedies: plan.stack.remedies.iter().map(remedy).collect(),
        }
    }
}

fn pathology(found: &Pathology) -> String {
    match found {
        Pathology::Conflict {
            stronger,
            weaker,
            overlap,
        } => format!("{stronger} and {weaker} act on the same: {:.0} %", 100.0 * overlap),
        Pathology::Circular { goals } => {
            let names: Vec<&str> = goals.iter().map(GoalId::as_str).collect();
            format!("{} wait for each other in a circle", names.join(", "))
        }
        Pathology::Stale { goal, idle_cycles } => format!("nothing was done for {goal} in {idle_cycles} cycles"),
    }
}

fn remedy(done: &Remedy) -> String {
    match done {
        Remedy::Reallocate { to, from, share } => {
            format!("{from} gives {:.0} % of what it asks for to {to}", 100.0 * share)
        }
        Remedy::Abandon { goal, circular: true } => format!("{goal} is abandoned, so that the circle ends"),
        Remedy::Abandon { goal, circular: false } => format!("{goal} is abandoned"),
        Remedy::Review { goal } => format!("{goal} is to be reviewed by whoever set it"),
    }
}

impl From<&PlanOutput> for Strategies {
    fn from(plan: &PlanOutput) -> Self {
        let compared = &plan.comparison;
        let selected = compared.selected.map(usize::from);
        let candidates = compared.ranked.iter().enumerate().map(|(place, scored)| StrategyRow {
            strategy: scored.archetype.to_string(),
            settings: settings(&scored.strategy),
            selected: selected == Some(place),
            score: scored.score,
            ev: scored.expected,
            ra: scored.risk_adjustment,
            si: scored.inertia,
            var: scored.value_at_risk,
            cvar: scored.conditional_value_at_risk,
            goal_progress: scored.goal_progress,
            resource_cost: scored.resource_cost,
        });
        Self {
            cycle: plan.cycle,
            chosen: plan.chosen.archetype.to_string(),
            before: plan.before.archetype.to_string(),
            candidates: candidates.collect(),
            robustness: compared.robustness,
            trajectories: plan.trajectories,
        }
    }
}

fn settings(strategy: &Strategy) -> BTreeMap<String, f64> {
    let each = Knob::ALL.into_iter().map(|knob| (knob.to_string(), strategy.get(knob)));
    each.collect()
}

impl From<&PlanOutput> for Allocation {
    fn from(plan: &PlanOutput) -> Self {
        let grants = plan.allocation.goals.iter().map(|grant| GrantRow {
            goal: grant.goal.clone(),
            share: grant.share,
        });
        Self {
            cycle: plan.cycle,
            guard: plan.allocation.guard,
            reserve: plan.allocation.reserve,
            goals: grants.collect(),
        }
    }
}

impl From<&L48Output> for Scenarios {
    fn from(output: &L48Output) -> Self {
        let world = &output.world;
        let scenarios = world.scenarios.iter().map(|scenario| ScenarioRow {
            scenario: scenario.kind.to_string(),
            probability: scenario.probability,
            spread: scenario.spread,
            consumption: scenario.consumption,
        });
        Self {
            cycle: output.pass.cycle,
            scenarios: scenarios.collect(),
            eu: told(world.eu),
            res: told(world.res.score),
            rdf: told(world.rdf),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_mind::l48::plan::{Comparison, GoalStack, Scored};

    fn goal(name: &str) -> GoalId {
        name.parse().expect("a name")
    }

    #[test]
    fn what_is_wrong_with_goals_is_said_in_words() {
        let stack = GoalStack {
            pathologies: vec![
                Pathology::Conflict {
                    stronger: goal("a"),
                    weaker: goal("b"),
                    overlap: 0.75,
                },
                Pathology::Circular {
                    goals: vec![goal("c"), goal("d")],
                },
            ],
            remedies: vec![
                Remedy::Reallocate {
                    to: goal("a"),
                    from: goal("b"),
                    share: 0.75,
                },
                Remedy::Review { goal: goal("d") },
            ],
            ..GoalStack::default()
        };
        let plan = PlanOutput {
            stack,
            ..PlanOutput::default()
        };
        let order = GoalOrder::from(&plan);
        assert_eq!(
            order.pathologies,
            ["a and b act on the same: 75 %", "c, d wait for each other in a circle"]
        );
        assert_eq!(
            order.remedies,
            [
                "b gives 75 % of what it asks for to a",
                "d is to be reviewed by whoever set it"
            ]
        );
    }

    #[test]
    fn the_candidate_that_came_out_first_is_marked_also_after_a_tie() {
        let plan = PlanOutput {
            comparison: Comparison {
                ranked: vec![Scored::default(); 3],
                selected: Some(1),
                robustness: Some(0.8),
            },
            ..PlanOutput::default()
        };
        let rows = Strategies::from(&plan).candidates;
        let marked: Vec<bool> = rows.iter().map(|row| row.selected).collect();
        assert_eq!(marked, [false, true, false]);
    }
}
