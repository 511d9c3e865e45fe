//! The phase, the last of a pass: it checks the live state, and every decision of phases 1 to 4 on a Lookahead of the
//! state after it. Its veto is absolute: what it does not pass does not leave the level.
//!
//! Decisions are judged in the order of the phases, each on top of those that passed before it, in the same worlds. One
//! that takes back or restricts (a roll-back, a worse mode) is vetoed only if a condition fails by it that holds
//! without it: else a state that is bad already would forbid the way out of it. For the same reason it passes where
//! nothing can be looked ahead, and is never barred.

use super::conditions::{Condition, Readings, Violated, ratios, violations};
use super::judge::{Action, Decision, DecisionVerdict, LiveVerdict, judge, live};
use super::veto::VetoTracker;
use crate::budget::{Budget, BudgetExceeded};
use crate::l49::ahead::{Scene, WhatIf};
use crate::l49::below::Below;
use crate::l49::goals::GoalsOutput;
use crate::l49::peers::{PeerAct, PeersOutput};
use crate::l49::resources::{DEPENDENCIES, RESOURCES, Regime, ResourcesOutput, cascade};
use crate::l49::ruling::{InForce, Ruling};
use crate::l49::values::ValuesOutput;
use crate::lookahead::{LookaheadError, LookaheadReport};
use rungs_types::Authority;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Cycles that a decision is looked ahead.
pub const DECISION_CYCLES: u32 = 100;
/// Most vetoes remembered for people.
const MAX_VETOES_TOLD: usize = 32;

/// Why a decision was not passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VetoedBy {
    /// These conditions would not hold.
    Conditions(Vec<Violated>),
    /// The state after it could not be told.
    Unknown,
    /// Decisions like it were vetoed again and again.
    Barred,
    /// The level freezes with this pass.
    Freeze,
}

/// One veto.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Veto {
    /// When.
    pub cycle: u64,
    /// What was decided.
    pub decision: Decision,
    /// Why it was not passed.
    pub by: VetoedBy,
}

/// What the phase found.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessed {
    /// The check of the live state.
    pub verdict: LiveVerdict,
    /// The ratio of each condition, in the order of section 7.1: ASS is their product.
    pub ratios: [f64; 5],
    /// What may be carried out.
    pub ruling: Ruling,
    /// What was vetoed in this pass.
    pub vetoes: Vec<Veto>,
    /// What is in force from now on.
    pub in_force: InForce,
    /// Share of the last decisions that were vetoed (AS-3); `None` of none.
    pub veto_rate: Option<f64>,
    /// Conditions that have vetoed again and again; what they vetoed is not tried again.
    pub persistent: Vec<Condition>,
}

/// What the phase remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AssessState {
    tracker: VetoTracker,
    /// What was left of each resource at the last pass.
    levels: [Option<f64>; RESOURCES],
    vetoes: VecDeque<Veto>,
}

impl AssessState {
    /// A state that was read back can be used only if this holds; the tracker was checked when it was read.
    pub fn is_valid(&self) -> bool {
        let level = |level: &f64| (0.0..=1.0).contains(level);
        self.levels.iter().flatten().all(level) && self.vetoes.len() <= MAX_VETOES_TOLD
    }

    /// The last vetoes, oldest first.
    pub fn vetoes(&self) -> impl ExactSizeIterator<Item = &Veto> {
        self.vetoes.iter()
    }

    /// Counts vetoes.
    pub fn tracker(&self) -> &VetoTracker {
        &self.tracker
    }
}

/// What one step takes in.
#[derive(Clone, Copy)]
pub struct Assessing<'a> {
    /// What the levels below say.
    pub below: &'a Below,
    /// Phase 1.
    pub goals: &'a GoalsOutput,
    /// Phase 2.
    pub values: &'a ValuesOutput,
    /// Phase 3.
    pub resources: &'a ResourcesOutput,
    /// Phase 4.
    pub peers: &'a PeersOutput,
    /// What is in force.
    pub in_force: &'a InForce,
    /// The authority of the level.
    pub authority: Authority,
    /// The number of the pass.
    pub pass: u64,
    /// An operator has cleared what was barred.
    pub clear_vetoes: bool,
}

/// The phase.
#[derive(Debug, Clone, Default)]
pub struct Assess {
    state: Arc<AssessState>,
}

impl Assess {
    /// A phase that has judged nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A phase with this state.
    pub fn from_state(state: Arc<AssessState>) -> Self {
        Self { state }
    }

    /// The state after the last step, shared.
    pub fn state(&self) -> Arc<AssessState> {
        Arc::clone(&self.state)
    }

    /// Goes back to a state that [`Assess::state`] gave.
    pub fn revert(&mut self, state: Arc<AssessState>) {
        self.state = state;
    }

    /// One pass. When the time is over the state is as before.
    pub fn step(&mut self, input: &Assessing<'_>, budget: &dyn Budget) -> Result<Assessed, BudgetExceeded> {
        let mut next = AssessState::clone(&self.state);
        let assessed = next.advance(input, budget)?;
        self.state = Arc::new(next);
        Ok(assessed)
    }
}

/// The live state as the conditions see it; `before` is what was left of the resources at the last check.
pub(in crate::l49) fn live_readings(
    below: &Below,
    total_drift: f64,
    min_survival_cycles: f64,
    before: &[Option<f64>; RESOURCES],
    now: &[Option<f64>; RESOURCES],
) -> Readings {
    Readings {
        rho: below.floor.rho,
        identity: below.floor.iis,
        total_drift,
        min_survival_cycles,
        cascade_depth: cascade(before, now, &DEPENDENCIES).depth,
    }
}

/// Where decisions are judged: the state with all that has passed so far.
struct Bench<'a> {
    input: &'a Assessing<'a>,
    budget: &'a dyn Budget,
    /// Cycle, and whether the level freezes with this pass.
    cycle: u64,
    freezes: bool,
    /// With all that has passed.
    so_far: WhatIf,
    alone: Option<LookaheadReport>,
    vetoes: Vec<Veto>,
}

impl AssessState {
    fn advance(&mut self, input: &Assessing<'_>, budget: &dyn Budget) -> Result<Assessed, BudgetExceeded> {
        if input.clear_vetoes {
            Condition::ALL
                .into_iter()
                .for_each(|condition| self.tracker.clear(condition));
        }
        let readings = live_readings(
            input.below,
            input.values.vector.total_drift(),
            input.resources.survival.min_survival,
            &self.levels,
            &input.resources.levels,
        );
        let verdict = live(&readings);
        self.levels = input.resources.levels;
        let mut bench = Bench::new(input, verdict.action == Action::Freeze, budget)?;
        let acts = input.authority >= Authority::Half;
        let goals = self.judge_goals(&mut bench)?;
        let values = self.judge_values(&mut bench, acts)?;
        let resources = self.judge_resources(&mut bench)?;
        let peers = self.judge_peers(&mut bench, acts)?;
        let in_force = InForce {
            values: bench.so_far.values,
            modes: match input.resources.proposal {
                Some(_) if resources.first() != Some(&true) => input.in_force.modes,
                _ => input.resources.modes,
            },
        };
        let vetoes = std::mem::take(&mut bench.vetoes);
        for veto in &vetoes {
            if self.vetoes.len() == MAX_VETOES_TOLD {
                self.vetoes.pop_front();
            }
            self.vetoes.push_back(veto.clone());
        }
        Ok(Assessed {
            ratios: ratios(&readings),
            ruling: Ruling {
                pass: input.pass,
                goals,
                values,
                resources,
                peers,
                acts,
                sound: verdict.passed(),
            },
            verdict,
            vetoes,
            in_force,
            veto_rate: self.tracker.rate(),
            persistent: self.tracker.persistent().collect(),
        })
    }

    fn judge_goals(&mut self, bench: &mut Bench<'_>) -> Result<Vec<bool>, BudgetExceeded> {
        let mut passed = Vec::new();
        for proposal in &bench.input.goals.proposals {
            let mut change = bench.so_far.clone();
            change.added.push(GoalsOutput::prospective(proposal));
            passed.push(self.decide(&proposal.decision, change, false, bench)?);
        }
        Ok(passed)
    }

    /// A change of the values that takes nothing back needs authority to be in force.
    fn judge_values(&mut self, bench: &mut Bench<'_>, acts: bool) -> Result<Vec<bool>, BudgetExceeded> {
        let Some(proposal) = &bench.input.values.proposal else {
            return Ok(Vec::new());
        };
        let protective = proposal.act.is_protective();
        let before = bench.so_far.clone();
        let change = WhatIf {
            values: proposal.after,
            ..before.clone()
        };
        let passed = self.decide(&proposal.act.decision(), change, protective, bench)?;
        if passed && !acts && !protective {
            bench.so_far = before;
            return Ok(vec![false]);
        }
        Ok(vec![passed])
    }

    fn judge_resources(&mut self, bench: &mut Bench<'_>) -> Result<Vec<bool>, BudgetExceeded> {
        let Some(proposal) = &bench.input.resources.proposal else {
            return Ok(Vec::new());
        };
        let factor = |mode| Regime::of(mode).exploration;
        let change = WhatIf {
            exploration: factor(proposal.to) / factor(proposal.from),
            ..bench.so_far.clone()
        };
        let passed = self.decide(&proposal.decision(), change, proposal.is_protective(), bench)?;
        Ok(vec![passed])
    }

    /// Nothing is said by a level that only advises.
    fn judge_peers(&mut self, bench: &mut Bench<'_>, acts: bool) -> Result<Vec<bool>, BudgetExceeded> {
        let mut passed = Vec::new();
        for proposal in &bench.input.peers.proposals {
            if !acts && matches!(proposal.act, PeerAct::Say(_)) {
                passed.push(false);
                continue;
            }
            let mut change = bench.so_far.clone();
            change.stake = (change.stake + proposal.stake).min(1.0);
            passed.push(self.decide(&proposal.decision, change, false, bench)?);
        }
        Ok(passed)
    }

    /// Judges one decision, and counts it. What passes is part of the state from then on.
    fn decide(
        &mut self,
        decision: &Decision,
        change: WhatIf,
        protective: bool,
        bench: &mut Bench<'_>,
    ) -> Result<bool, BudgetExceeded> {
        if bench.freezes {
            bench.veto(decision, VetoedBy::Freeze);
            return Ok(false);
        }
        let verdict = match bench.judge(decision, &change, &self.tracker) {
            DecisionVerdict::Unknown(LookaheadError::Budget(over)) => return Err(over),
            verdict => verdict,
        };
        let passed = verdict.passed() || (protective && bench.is_no_worse(&verdict));
        if !protective {
            self.tracker.note(decision, &verdict, bench.cycle);
        }
        if passed {
            bench.so_far = change;
            return Ok(true);
        }
        let by = match verdict {
            DecisionVerdict::Vetoed { violations, .. } => VetoedBy::Conditions(violations),
            DecisionVerdict::Barred => VetoedBy::Barred,
            DecisionVerdict::Unknown(_) | DecisionVerdict::Passed(_) => VetoedBy::Unknown,
        };
        bench.veto(decision, by);
        Ok(false)
    }
}

impl<'a> Bench<'a> {
    fn new(input: &'a Assessing<'a>, freezes: bool, budget: &'a dyn Budget) -> Result<Self, BudgetExceeded> {
        let mut bench = Self {
            input,
            budget,
            cycle: input.below.cycle(),
            freezes,
            so_far: WhatIf::nothing(input.values.vector),
            alone: None,
            vetoes: Vec::new(),
        };
        bench.alone = match bench.look(&bench.so_far) {
            Ok(report) => Some(report),
            Err(LookaheadError::Budget(over)) => return Err(over),
            Err(_) => None,
        };
        Ok(bench)
    }

    fn scene(&self) -> Result<&Scene, LookaheadError> {
        self.input.goals.scene.as_deref().ok_or(LookaheadError::Range {
            what: "law of the agent's own state",
        })
    }

    fn look(&self, change: &WhatIf) -> Result<LookaheadReport, LookaheadError> {
        self.scene()?
            .look(change, &self.input.below.source(), DECISION_CYCLES, self.budget)
    }

    fn readings(&self, change: &WhatIf, after: &LookaheadReport) -> Result<Readings, LookaheadError> {
        let alone = self.alone.as_ref().unwrap_or(after);
        let warm = self.input.below.floor.iis.is_some();
        Ok(self.scene()?.readings(change, alone, after, warm))
    }

    fn judge(&self, decision: &Decision, change: &WhatIf, tracker: &VetoTracker) -> DecisionVerdict {
        judge(decision, tracker, |_| {
            let after = self.look(change)?;
            self.readings(change, &after)
        })
    }

    /// Of a decision that takes back or restricts: no condition fails by it that holds without it.
    fn is_no_worse(&self, verdict: &DecisionVerdict) -> bool {
        let DecisionVerdict::Vetoed { violations: found, .. } = verdict else {
            return true;
        };
        let Some(readings) = self.alone.and_then(|alone| self.readings(&self.so_far, &alone).ok()) else {
            return true;
        };
        let without = violations(&readings);
        let failed = |violated: &Violated| without.iter().any(|other| other.condition == violated.condition);
        found.iter().all(failed)
    }

    fn veto(&mut self, decision: &Decision, by: VetoedBy) {
        self.vetoes.push(Veto {
            cycle: self.cycle,
            decision: *decision,
            by,
        });
    }
}
