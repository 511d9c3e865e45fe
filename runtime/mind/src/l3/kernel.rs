//! One turn of the loop: predict, act, compare, update.

use super::action::{Action, Available, Gate, REFUSED_DEPTH, Refusal};
use super::affect::Affect;
use super::choose::{self, Candidate, Situation};
use super::complexity::{self, MAX_DEPTH, SelfAssessment};
use super::environment::{Outlook, Sight, Skill};
use super::graph::{TrialOrder, TrialStage};
use super::identity::{DELTA_MAX, IdentityId, Motion, distance, norm};
use super::input::{
    Duty, EXPLORATION_RANGE, Floor, Heeded, Input, KernelConfig, KernelError, MAX_REFUSALS, Step, TaskTurn,
};
use super::rows;
use super::state::{KernelState, LastTurn};
use crate::report::{CycleFacts, CycleReport};

/// From this depth of reflection on, structural change is held back.
const HOLD_BACK_DEPTH: u8 = 2;
/// The place of capability confidence in I.
const CAPABILITY: usize = 2;

/// L3. Never waits, never fails: whatever comes in, a turn ends with an action.
#[derive(Debug, Clone)]
pub struct Kernel {
    config: KernelConfig,
    state: KernelState,
    candidates: Vec<Candidate>,
}

impl Kernel {
    /// A kernel that has seen nothing.
    pub fn new(config: KernelConfig) -> Result<Self, KernelError> {
        config.validate()?;
        let state = KernelState::new(&config);
        Ok(Self::assemble(config, state))
    }

    /// A kernel that goes on where [`Kernel::snapshot`] was taken.
    pub fn restore(config: KernelConfig, state: KernelState) -> Result<Self, KernelError> {
        config.validate()?;
        state.check(&config)?;
        Ok(Self::assemble(config, state))
    }

    fn assemble(config: KernelConfig, state: KernelState) -> Self {
        // Per group: faster, slower, switch, incident or clearing, ask; and holding and two changes of period.
        let most = 5 * state.environment.group_count() + 3;
        Self {
            config,
            state,
            candidates: Vec::with_capacity(most),
        }
    }

    /// The whole state; [`Kernel::restore`] goes on from it as if nothing had happened.
    pub fn snapshot(&self) -> KernelState {
        self.state.clone()
    }

    /// Who the agent is.
    pub fn identity_id(&self) -> IdentityId {
        self.config.identity
    }

    /// How good the kernel's forecasts are.
    pub fn skill(&self) -> Skill {
        self.state.environment.skill()
    }

    /// What can be said of a dimension to others at a cycle; see [`Environment::outlook`].
    ///
    /// [`Environment::outlook`]: super::environment::Environment::outlook
    pub fn outlook(&self, dimension: usize, cycle: u64) -> Option<Outlook> {
        self.state.environment.outlook(dimension, cycle)
    }

    /// The kernel's mood.
    pub fn affect(&self) -> Affect {
        self.state.affect
    }

    /// Cycles in the report under construction.
    pub fn report_cycles(&self) -> usize {
        self.state.report.facts.len()
    }

    /// The report under construction, as far as it is. A reader that is slow takes it later: it holds up to
    /// [`crate::report::MAX_REPORT_CYCLES`] cycles, and counts the older ones that it lost.
    pub fn take_report(&mut self) -> CycleReport {
        std::mem::replace(&mut self.state.report, rows::empty(&self.config.groups))
    }

    /// The same, without allocation: `spent` becomes the report, and its room is used again.
    pub fn swap_report(&mut self, spent: &mut CycleReport) {
        rows::recycle(spent, &self.config.groups);
        std::mem::swap(&mut self.state.report, spent);
    }

    /// A change of sampling was carried out, or could not be.
    pub fn sampled(&mut self, action: Action, done: bool) {
        if !done {
            self.state.habits.refused(action);
        }
    }

    /// One turn without a duty.
    pub fn step(&mut self, input: &Input<'_>, gate: &mut impl Gate) -> Step {
        self.step_on_duty(input, Duty::default(), gate)
    }

    /// One turn. The task of the duty, if there is one, is proposed before anything else.
    pub fn step_on_duty(&mut self, input: &Input<'_>, duty: Duty, gate: &mut impl Gate) -> Step {
        let heeded = input.heed(self.config.groups.len());
        let recomposed = self.recompose(input, &heeded);
        let state = &mut self.state;
        rows::open_row(&mut state.report, input.observation, &state.environment);
        let sight = state
            .environment
            .observe(input.cycle, input.observation, &mut state.models);
        state.operations.take_in(&input.outcomes, sight.hits);
        state.habits.cycle(input.pace.late);

        let own = self.update_self(input, &heeded);
        let assessment = self.state.reflection.assess(own.error, &own.volatility);
        self.feel(input, &heeded, own.volatility[1]);
        let mood = Mood {
            stabilizing: own.stabilizing,
            depth: assessment.depth,
        };
        let turn = self.act(input, &heeded, mood, duty, gate);
        self.expect(turn.action, &own, input);

        let mut facts = self.facts(input, &sight, &own, &turn, &assessment);
        facts.strategy_decisions = facts.strategy_decisions.saturating_add(u16::from(recomposed));
        facts.strategy_changes = facts.strategy_changes.saturating_add(u16::from(recomposed));
        let KernelState {
            report, environment, ..
        } = &mut self.state;
        rows::close_row(report, facts, input.resources, environment);
        Step {
            action: turn.action,
            refused: turn.refused,
            task: turn.task,
            facts,
            motion: own.motion,
            identity_hash: self.state.identity.hash(),
            assessment,
            observed: sight.observed,
        }
    }

    /// Follows the recomposition that L4.5 tries, and says whether the graph has changed for good. Where structural change
    /// is not open, the new graph is computed and not used.
    fn recompose(&mut self, input: &Input<'_>, heeded: &Heeded<'_>) -> bool {
        let Floor::Standing { trial, .. } = input.floor else {
            return self.state.environment.follow(None);
        };
        let open = is_structural_open(input, heeded, 0);
        let order = trial.map(|order| TrialOrder {
            stage: if open { order.stage } else { TrialStage::Shadow },
            ..order
        });
        self.state.environment.follow(order)
    }

    /// Compare and update: measures I, moves it, and learns what the last action did to it.
    fn update_self(&mut self, input: &Input<'_>, heeded: &Heeded<'_>) -> SelfUpdate {
        let state = &mut self.state;
        let measured = state
            .operations
            .measure(heeded.confidence.map(|confidence| (confidence, heeded.weight)));
        let told = state.stabilization.is_on() || input.floor == Floor::Failed;
        let motion = state.identity.move_towards(measured.identity, told);
        let error = state.last.map(|last| {
            state.models.learn_identity(last.action.kind(), &last.motion, &motion);
            distance(&last.predicted, &motion.taken)
        });
        state.steps.push(norm(&motion.taken));
        let identity_volatility = (state.steps.sd().unwrap_or(0.0) / DELTA_MAX).min(1.0);
        let belief_entropy = state.environment.belief_entropy(input.cycle);
        let volatility = [
            identity_volatility,
            belief_entropy,
            measured.goal_mutation,
            measured.consistency_volatility,
        ];
        let complexity = complexity::complexity(&volatility);
        state.stabilization.update(complexity, motion.acceleration);
        let stabilizing = motion.halved || state.stabilization.is_on();
        let confidence = measured.identity[CAPABILITY];
        SelfUpdate {
            motion,
            volatility,
            complexity,
            error,
            stabilizing,
            confidence,
        }
    }

    fn feel(&mut self, input: &Input<'_>, heeded: &Heeded<'_>, belief_entropy: f64) {
        let (index, seof) = match input.floor {
            Floor::Silent => (0.0, None),
            Floor::Standing { uncertainty, seof, .. } => (uncertainty, Some(seof).filter(|s| s.is_finite())),
            Floor::Failed => (1.0, None),
        };
        let uncertainty = (1.0 - heeded.weight) * belief_entropy + heeded.weight * heeded.uncertainty;
        let risk = index.max(heeded.weight * heeded.risk);
        let causes = self.state.operations.causes(uncertainty, risk, seof);
        self.state.affect.update(&causes);
        self.state.operations.felt(self.state.affect.valence());
    }

    /// Takes the best action that the gate grants, and remembers it.
    fn act(&mut self, input: &Input<'_>, heeded: &Heeded<'_>, mood: Mood, duty: Duty, gate: &mut impl Gate) -> Turn {
        let mut turn = Turn {
            action: Action::Hold,
            refused: 0,
            ethics: false,
            flip: false,
            decided: !mood.stabilizing,
            task: duty.task.map_or(TaskTurn::None, |_| TaskTurn::Deferred),
        };
        if !mood.stabilizing {
            let structural = is_structural_open(input, heeded, mood.depth);
            if let Some(task) = duty
                .task
                .filter(|task| self.is_time_for(*task, structural, input.cycle))
            {
                turn.try_task(task, &input.available, gate);
            }
            if turn.task != TaskTurn::Granted {
                self.list_candidates(input, heeded, mood.depth);
                self.propose(&mut turn, duty.exploration_rate, gate);
            }
        }
        let state = &mut self.state;
        let speaker = turn
            .action
            .group()
            .map(|group| state.environment.speaker(group))
            .unwrap_or_default();
        turn.flip = state.habits.acted(turn.action, input.cycle, speaker);
        state
            .operations
            .acted(turn.action.kind(), turn.refused, &input.outcomes);
        turn
    }

    /// A task waits while it would change what may not be changed now, and while the kernel rests from asking: whoever is
    /// asked counts how often, whatever it is for.
    fn is_time_for(&self, task: Action, structural: bool, cycle: u64) -> bool {
        let rests = matches!(task, Action::AskPeer { .. }) && !self.state.habits.rested(task, cycle);
        (structural || !task.kind().is_structural()) && !rests
    }

    fn list_candidates(&mut self, input: &Input<'_>, heeded: &Heeded<'_>, depth: u8) {
        let situation = Situation {
            cycle: input.cycle,
            environment: &self.state.environment,
            habits: &self.state.habits,
            available: &input.available,
            heeded: *heeded,
            quota_share: input.pace.quota_share,
            structural: is_structural_open(input, heeded, depth),
            calls_for_help: depth >= MAX_DEPTH,
        };
        situation.candidates(&mut self.candidates);
    }

    /// Asks the gate, best candidate first, until one is granted, holding is best, or too many were refused.
    fn propose(&mut self, turn: &mut Turn, exploration_rate: Option<f64>, gate: &mut impl Gate) {
        let KernelState { affect, rng, .. } = &mut self.state;
        let (least, most) = (*EXPLORATION_RANGE.start(), *EXPLORATION_RANGE.end());
        let advised = exploration_rate.filter(|rate| !rate.is_nan());
        let rate = advised.map_or(self.config.exploration_rate, |rate| rate.clamp(least, most));
        let mut proposal = choose::take_exploring(&mut self.candidates, rate, rng)
            .or_else(|| choose::take_best(&mut self.candidates, affect));
        while let Some(action) = proposal.filter(|action| *action != Action::Hold) {
            let Err(refusal) = ask(gate, &action) else {
                turn.action = action;
                return;
            };
            turn.refused += 1;
            turn.ethics |= refusal == Refusal::Ethics;
            let more = turn.refused < MAX_REFUSALS;
            proposal = more.then(|| choose::take_best(&mut self.candidates, affect)).flatten();
        }
    }

    /// Predicts what the action will change, in the environment and in the self.
    fn expect(&mut self, action: Action, own: &SelfUpdate, input: &Input<'_>) {
        let state = &mut self.state;
        state.environment.act(action, &state.models);
        let stabilizing = state.stabilization.is_on() || input.floor == Floor::Failed;
        let predicted = state.models.predict_identity(action.kind(), &own.motion, stabilizing);
        state.last = Some(LastTurn {
            motion: own.motion,
            action,
            predicted,
        });
    }

    fn facts(
        &self,
        input: &Input<'_>,
        sight: &Sight,
        own: &SelfUpdate,
        turn: &Turn,
        assessment: &SelfAssessment,
    ) -> CycleFacts {
        let (outcomes, kind) = (&input.outcomes, turn.action.kind());
        CycleFacts {
            cycle: input.cycle,
            identity: self.state.identity.vector(),
            identity_error: own.error.unwrap_or(0.0),
            environment_error: sight.error.unwrap_or(f64::NAN),
            converged: assessment.converged,
            volatility: own.volatility,
            complexity: own.complexity,
            stabilizing: own.stabilizing,
            late: input.pace.late || input.pace.stretched,
            action: kind,
            action_group: turn.action.group(),
            ethical_first_pass: !turn.ethics,
            self_directed: kind.is_self_directed(),
            self_reference_depth: kind.self_reference_depth(),
            tasks: [outcomes.tasks_succeeded, outcomes.tasks_failed],
            confidence: own.confidence,
            expansions: outcomes.expansions,
            strategy_decisions: outcomes.strategy_decisions.saturating_add(u16::from(turn.decided)),
            strategy_changes: outcomes
                .strategy_changes
                .saturating_add(u16::from(kind.is_structural())),
            strategy_flips: outcomes.strategy_flips.saturating_add(u16::from(turn.flip)),
            utilisation: input.utilisation(),
            identity_drift: own.motion.drift,
            breaches: outcomes.breaches,
        }
    }
}

/// What the cycle did to the self-model.
#[derive(Debug, Clone, Copy, PartialEq)]
struct SelfUpdate {
    motion: Motion,
    volatility: [f64; 4],
    complexity: f64,
    error: Option<f64>,
    stabilizing: bool,
    confidence: f64,
}

/// What the cycle decided.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Turn {
    action: Action,
    refused: u16,
    /// Ethics refused a proposal.
    ethics: bool,
    /// The action took back an earlier one.
    flip: bool,
    /// There was a choice.
    decided: bool,
    /// What became of the duty's task.
    task: TaskTurn,
}

impl Turn {
    /// Proposes a task's action. What the environment does not offer now is refused like what the gate refuses.
    fn try_task(&mut self, task: Action, available: &Available, gate: &mut impl Gate) {
        let answer = if available.offers(task) {
            ask(gate, &task)
        } else {
            Err(Refusal::Policy)
        };
        self.task = TaskTurn::Refused;
        match answer {
            Ok(()) => (self.action, self.task) = (task, TaskTurn::Granted),
            Err(refusal) => {
                self.refused += 1;
                self.ethics |= refusal == Refusal::Ethics;
            }
        }
    }
}

/// In which mood the cycle is decided.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Mood {
    /// Nothing is decided.
    stabilizing: bool,
    /// Depth of reflection.
    depth: u8,
}

/// Structural change is open to the kernel: the floor, what is heeded, and its own reflection permit it.
fn is_structural_open(input: &Input<'_>, heeded: &Heeded<'_>, depth: u8) -> bool {
    let floor_permits = matches!(input.floor, Floor::Standing { structural: true, .. });
    floor_permits && heeded.structural && depth < HOLD_BACK_DEPTH
}

/// The gate's word; what optimises itself too deeply is refused before it is asked.
fn ask(gate: &mut impl Gate, action: &Action) -> Result<(), Refusal> {
    if action.kind().self_reference_depth() >= REFUSED_DEPTH {
        return Err(Refusal::Ethics);
    }
    gate.permit(action)
}

#[cfg(test)]
mod tests;
