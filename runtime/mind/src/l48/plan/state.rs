//! What phase 3 remembers, and the step that changes it.

use super::allocator::{Ask, allocate};
use super::comparator::{Comparison, Row, compare};
use super::courses::{is_open, retreat};
use super::goal_stack::{GoalStack, Remedy, evaluate};
use super::learned::{Learned, MAX_LEARNED, keep, note};
use super::sight::sight;
use super::simulate::{Prospect, Scene, decision_state};
use super::strategy::{Archetype, Strategy};
use super::{Allocation, Choice, DWELL_PASSES, MAX_TRAJECTORIES, PlanOutput, Planning, SIMULATED_CYCLES};
use crate::budget::{Budget, BudgetExceeded};
use crate::l45::jacobian::SpectralReading;
use crate::lookahead::{LookaheadError, MAX_GOALS, SelfModel, live_hash};
use crate::report::{CycleReport, FloorReport};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rungs_types::goal::{Knob, MAX_GOAL_SHARE};
use serde::{Deserialize, Serialize};

/// Resilience of a goal that no Lookahead looks at.
const UNKNOWN_RESILIENCE: f64 = 0.5;

/// See the module above. Its serde form is its whole state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanState {
    pub(super) rng: Pcg64Mcg,
    /// The law of the agent's own state.
    model: SelfModel,
    pub(super) in_force: Choice,
    /// The one before the last change.
    pub(super) before: Choice,
    /// Passes since the last change.
    pub(super) since_change: u32,
    pub(super) learned: Vec<Learned>,
    /// Which neighbour is tried next.
    pub(super) neighbour: u32,
}

impl PlanState {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Pcg64Mcg::seed_from_u64(seed),
            model: SelfModel::default(),
            in_force: Choice::default(),
            before: Choice::default(),
            since_change: 0,
            learned: Vec::new(),
            neighbour: 0,
        }
    }

    /// A state that was read back can be used only if this holds.
    pub fn is_valid(&self) -> bool {
        let sort = |choice: &Choice| Strategy::of(choice.archetype).is_none_or(|strategy| strategy == choice.strategy);
        self.learned.len() <= MAX_LEARNED
            && self.learned.iter().all(|known| (-1.0..=1.0).contains(&known.worth))
            && sort(&self.in_force)
            && sort(&self.before)
    }

    /// The strategy in force.
    pub fn in_force(&self) -> Choice {
        self.in_force
    }

    /// The strategies that were learned.
    pub fn learned(&self) -> &[Learned] {
        &self.learned
    }

    /// One pass. On an error the state is between two steps and to be dropped.
    pub(super) fn advance(&mut self, input: &Planning<'_>, budget: &dyn Budget) -> Result<PlanOutput, BudgetExceeded> {
        self.watch(input.report, input.floor);
        if !input.structural_permitted && self.since_change == 0 {
            // The change of the last pass was vetoed: it has not happened.
            self.in_force = self.before;
        }
        note(&mut self.learned, &self.in_force.strategy, input.floor.seof);
        self.since_change = self.since_change.saturating_add(1);
        let before = self.in_force;
        if let Some(choice) = retreat(input.floor, &before).filter(|_| input.structural_permitted) {
            self.put_in_force(choice);
        }
        let compared = self.compare(input, budget)?;
        if input.structural_permitted && self.since_change >= DWELL_PASSES {
            self.choose(&compared.comparison);
        }
        let stack = self.stack(input, &compared.resilience);
        let allocation = self.allocate(input, &stack);
        Ok(PlanOutput {
            cycle: input.floor.cycle,
            chosen: self.in_force,
            before,
            changed: self.in_force != before,
            comparison: compared.comparison,
            trajectories: compared.trajectories,
            stack,
            allocation,
            contained: compared.contained,
        })
    }

    /// Learns the law of X from the cycles of the report.
    fn watch(&mut self, report: &CycleReport, floor: &FloorReport) {
        // The last states belong to the last rows; what was lost before them breaks no chain that it was not in.
        let skipped = report.facts.len().saturating_sub(floor.states.len());
        for (x, row) in floor.states.iter().zip(skipped..) {
            self.model.observe(*x, 0.0, report.surprise(row));
        }
    }

    /// Compares the candidates, if the law is known.
    fn compare(&mut self, input: &Planning<'_>, budget: &dyn Budget) -> Result<Compared, BudgetExceeded> {
        let mut candidates = self.candidates(input.floor);
        if input.reduced {
            halve(&mut candidates, &self.in_force);
        }
        let current = self.in_force.strategy;
        let cycles = current.depth_cycles();
        let pairs = (candidates.len() * input.world.scenarios.len()) as u32;
        let trajectories = (SIMULATED_CYCLES / (pairs * cycles).max(1)).clamp(1, MAX_TRAJECTORIES);
        // Drawn whether they are used or not, so that what is drawn later does not depend on it.
        let seeds: Vec<u64> = (0..trajectories).map(|_| self.rng.random()).collect();
        let reading = SpectralReading {
            rho: input.floor.rho,
            state: input.floor.rho_state,
        };
        let Some(dynamics) = self.model.dynamics(reading, None) else {
            return Ok(Compared::default());
        };
        let scene = Scene::new(input, dynamics);
        let before = self.live(input);
        let looked = look_at(&candidates, &current, |strategy| {
            scene.look(strategy, &current, &seeds, cycles, budget)
        })?;
        let contained = self.live(input) == before;
        let Some((rows, now)) = looked else {
            return Ok(Compared {
                contained,
                ..Compared::default()
            });
        };
        let probabilities: Vec<f64> = input
            .world
            .scenarios
            .iter()
            .map(|scenario| scenario.probability)
            .collect();
        Ok(Compared {
            comparison: compare(&rows, &probabilities, &current),
            resilience: resilience(&now, &probabilities),
            trajectories,
            contained,
        })
    }

    /// What Lookaheads are made from, as it stands now: the state of the agent, and the strategies that there are.
    fn live(&self, input: &Planning<'_>) -> [u8; 32] {
        let each = [self.in_force, self.before].map(|choice| choice.strategy);
        let strategies = each.into_iter().chain(self.learned.iter().map(|known| known.strategy));
        let mut also: Vec<f64> = strategies.flat_map(<[f64; Knob::ALL.len()]>::from).collect();
        also.extend(self.learned.iter().map(|known| known.worth));
        also.push(f64::from(self.since_change));
        live_hash(&decision_state(input), &also)
    }

    /// The three archetypes, what was learned, and one neighbour of the strategy in force, as far as L4.5 leaves them open,
    /// and the one in force: seven at most.
    fn candidates(&mut self, floor: &FloorReport) -> Vec<Choice> {
        let archetypes = Archetype::ALL.into_iter().filter_map(|archetype| {
            let strategy = Strategy::of(archetype)?;
            Some(Choice { archetype, strategy })
        });
        let learned = |strategy| Choice {
            archetype: Archetype::Learned,
            strategy,
        };
        let mut all: Vec<Choice> = archetypes.collect();
        all.extend(self.learned.iter().map(|known| learned(known.strategy)));
        all.retain(|choice| is_open(floor, choice));
        let neighbour = self.in_force.strategy.neighbour(self.neighbour);
        self.neighbour = (self.neighbour + 1) % (2 * Knob::ALL.len() as u32);
        let neighbour = Some(learned(neighbour)).filter(|choice| is_open(floor, choice));
        for choice in [Some(self.in_force), neighbour].into_iter().flatten() {
            if !all.iter().any(|other| other.strategy == choice.strategy) {
                all.push(choice);
            }
        }
        all
    }

    fn choose(&mut self, comparison: &Comparison) {
        let Some(selected) = comparison.selected() else {
            return;
        };
        if selected.strategy == self.in_force.strategy {
            return;
        }
        if selected.archetype == Archetype::Learned {
            keep(&mut self.learned, selected.strategy);
        }
        self.put_in_force(Choice {
            archetype: selected.archetype,
            strategy: selected.strategy,
        });
    }

    fn put_in_force(&mut self, choice: Choice) {
        self.before = self.in_force;
        self.in_force = choice;
        self.since_change = 0;
    }

    fn stack(&self, input: &Planning<'_>, resilience: &[f64]) -> GoalStack {
        let mut sighted: Vec<(u64, _)> = input
            .goals
            .iter()
            .enumerate()
            .map(|(index, record)| {
                let resilience = resilience.get(index).copied().unwrap_or(UNKNOWN_RESILIENCE);
                let goal = sight(record, input.floor.cycle, resilience, input.skills, input.purpose);
                (record.number, goal)
            })
            .collect();
        sighted.sort_by_key(|(number, _)| *number);
        let goals: Vec<_> = sighted.into_iter().map(|(_, goal)| goal).collect();
        evaluate(&goals)
    }

    /// Shares out to the goals that have a place; the weaker one of a conflict asks for less, the stronger for more.
    fn allocate(&self, input: &Planning<'_>, stack: &GoalStack) -> Allocation {
        let mut asks: Vec<Ask> = Vec::new();
        for ranked in stack.ranked.iter().filter(|ranked| !ranked.queued) {
            let record = input.goals.iter().find(|record| record.spec.goal == ranked.goal);
            asks.extend(record.map(|record| Ask {
                goal: ranked.goal.clone(),
                share: record.spec.budget.share,
                priority: ranked.priority,
            }));
        }
        for remedy in &stack.remedies {
            let Remedy::Reallocate { to, from, share } = remedy else {
                continue;
            };
            let place = |goal: &rungs_types::GoalId| asks.iter().position(|ask| ask.goal == *goal);
            if let (Some(to), Some(from)) = (place(to), place(from)) {
                let given = share * asks[from].share;
                asks[from].share -= given;
                asks[to].share = (asks[to].share + given).min(MAX_GOAL_SHARE);
            }
        }
        let reserve = self.in_force.strategy.get(Knob::ReserveShare);
        allocate(&asks, reserve, input.world.res.score, input.world.rdf)
    }
}

/// Looks each candidate ahead; gives them with what became of them, and what becomes of the agent under the one in force.
/// `None` where a number is missing: nothing can be said of the future, and so nothing is changed.
fn look_at(
    candidates: &[Choice],
    current: &Strategy,
    look: impl Fn(&Strategy) -> Result<Prospect, LookaheadError>,
) -> Result<Option<(Vec<Row>, Prospect)>, BudgetExceeded> {
    let mut rows = Vec::with_capacity(candidates.len());
    let mut now = Prospect::default();
    for candidate in candidates {
        match look(&candidate.strategy) {
            Ok(prospect) => {
                if candidate.strategy == *current {
                    now.clone_from(&prospect);
                }
                rows.push(Row {
                    archetype: candidate.archetype,
                    strategy: candidate.strategy,
                    outcomes: prospect.outcomes,
                });
            }
            Err(LookaheadError::Budget(over)) => return Err(over),
            Err(_) => return Ok(None),
        }
    }
    Ok(Some((rows, now)))
}

/// Leaves half of the candidates, rounded up: the first ones, and in any case the one in force.
fn halve(candidates: &mut Vec<Choice>, in_force: &Choice) {
    let kept = candidates.len().div_ceil(2);
    let others = candidates.iter().filter(|choice| choice.strategy != in_force.strategy);
    let others: Vec<Choice> = others.take(kept.saturating_sub(1)).copied().collect();
    candidates.retain(|choice| choice.strategy == in_force.strategy || others.contains(choice));
}

/// What a comparison found.
#[derive(Debug)]
struct Compared {
    comparison: Comparison,
    /// Of each goal that was looked at.
    resilience: Vec<f64>,
    trajectories: u32,
    /// See [`PlanOutput::contained`].
    contained: bool,
}

impl Default for Compared {
    /// Nothing was looked ahead.
    fn default() -> Self {
        Self {
            comparison: Comparison::default(),
            resilience: Vec::new(),
            trajectories: 0,
            contained: true,
        }
    }
}

/// Of each goal, how well it gets on over the scenarios, relative to the one in which it gets on best: 1 if it gets on in
/// all as well, 0 if in none.
fn resilience(now: &Prospect, probabilities: &[f64]) -> Vec<f64> {
    if now.gains.is_empty() {
        return Vec::new();
    }
    let total: f64 = probabilities.iter().sum();
    let of = |goal: usize| {
        let best = now.gains.iter().map(|gains| gains[goal]).fold(0.0, f64::max);
        let mean: f64 = now
            .gains
            .iter()
            .zip(probabilities)
            .map(|(gains, p)| p * gains[goal])
            .sum();
        if best > 0.0 && total > 0.0 {
            (mean / total / best).clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    (0..MAX_GOALS).map(of).collect()
}
