//! The goals of one agent, cycle by cycle: what the kernel's driver holds. Before a turn it says what the turn owes to the
//! goals ([`Runner::begin`]), after it what came of that ([`Runner::end`]); outcomes that come later it is told
//! ([`Runner::came_out`]).
//!
//! Knobs are turned here: the strategy in force is the agent's own, with what tasks have turned, blended with the advised
//! one by the weight of the advice.

mod ahead;

use super::MAX_CLOSED;
use super::change::{Change, tally};
use super::grants::Grants;
use super::journal::RunnerState;
use super::observed::{FloorSight, Observed, WorldSight};
use super::record::{GoalRecord, GoalView, Waiver};
use super::relief::{Relief, merges};
use super::start::{Start, TaskOutcome, action_of};
use super::table::{GoalTable, Refusal, Submission, SubmitError};
use crate::desk::Orders;
use crate::l3::{Action, Duty, Outcomes, TaskTurn};
use crate::l48::plan::{Remedy, Strategy};
use crate::l49::{Constraints, Injection};
use crate::lookahead::UNSEEN_CYCLES;
use crate::report::{Advice, GoalReport};
use ahead::Ahead;
use rungs_types::goal::{GoalSpec, Origin, TaskAction};
use rungs_types::{Authority, CheckpointId, EventKind, GoalId};
use std::collections::VecDeque;
use std::sync::Arc;

/// Changes of sampling and questions that wait for their outcome.
const MAX_AWAITED: usize = 64;

/// See the module.
#[derive(Debug, Clone)]
pub struct Runner {
    state: RunnerState,
    groups: usize,
    cycle: u64,
    /// The last value of each dimension and its cycle.
    last: Vec<Option<(f64, u64)>>,
    values: Vec<f64>,
    variance: Vec<f64>,
    floor: Option<FloorSight>,
    world: Option<WorldSight>,
    /// The strategy in force.
    strategy: Strategy,
    /// The task that this turn owes.
    owed: Option<Start>,
    /// Changes of sampling and questions to peers under way, oldest first, with the task of each that is one's.
    awaited: VecDeque<(Action, Option<Start>)>,
    outcomes: Outcomes,
    /// The advice that is followed, by the cycle that it is from.
    followed: Option<u64>,
    grants: Grants,
    /// Closed since the last report.
    closed: Vec<GoalRecord>,
    /// Not set since the last report.
    refused: Vec<(GoalId, Refusal)>,
    /// What the mode of the resources permits.
    constraints: Constraints,
    /// What of goals is to be told.
    news: Vec<EventKind>,
    ahead: Ahead,
}

impl Runner {
    /// No goals, in an environment of so many dimensions and groups.
    pub fn new(dimensions: usize, groups: usize) -> Self {
        Self::restored(RunnerState::default(), dimensions, groups, 0)
    }

    /// Goes on where [`Runner::snapshot`] was taken, at this cycle: what was under way is repeated where that does no harm.
    /// Nobody keeps its changes; see [`Runner::resumed`].
    pub fn restored(state: RunnerState, dimensions: usize, groups: usize, cycle: u64) -> Self {
        let mut runner = Self::at_rest(state, dimensions, groups, cycle);
        runner.recover();
        runner
    }

    fn at_rest(state: RunnerState, dimensions: usize, groups: usize, cycle: u64) -> Self {
        Self {
            strategy: state.own,
            state,
            groups,
            cycle,
            last: vec![None; dimensions],
            values: vec![f64::NAN; dimensions],
            variance: Vec::new(),
            floor: None,
            world: None,
            owed: None,
            awaited: VecDeque::new(),
            outcomes: Outcomes::default(),
            followed: None,
            grants: Grants::default(),
            closed: Vec::new(),
            refused: Vec::new(),
            constraints: Constraints::default(),
            news: Vec::new(),
            ahead: Ahead::unkept(),
        }
    }

    /// All that is stored.
    pub fn snapshot(&self) -> RunnerState {
        self.state.clone()
    }

    /// The goals.
    pub fn table(&self) -> &GoalTable {
        &self.state.table
    }

    /// Every goal, for people.
    pub fn views(&self) -> Vec<GoalView> {
        self.state.table.views()
    }

    /// How many goals are open.
    pub fn open_count(&self) -> usize {
        self.state.table.open().len()
    }

    /// A goal, open or remembered.
    pub fn goal(&self, goal: &GoalId) -> Option<&GoalRecord> {
        self.state.table.get(goal)
    }

    /// The strategy in force.
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Sets a goal; false if it was there already. `permitted`: the agent may set itself goals.
    pub fn submit(
        &mut self,
        spec: &Arc<GoalSpec>,
        checkpoint: CheckpointId,
        permitted: bool,
    ) -> Result<bool, SubmitError> {
        let observed = self.observed();
        let at = Submission {
            checkpoint,
            observed: &observed,
            dimensions: self.last.len(),
            groups: self.groups,
            creation_permitted: permitted,
        };
        let change = self.state.table.submit(spec, &at)?;
        let set = change.is_some();
        if set && spec.origin != Origin::User {
            self.outcomes.expansions = self.outcomes.expansions.saturating_add(1);
        }
        self.apply(change);
        Ok(set)
    }

    /// Cancels a goal of this origin; whether it was open.
    pub fn cancel(&mut self, goal: &GoalId, origin: Origin) -> bool {
        let change = self.state.table.cancel(goal, origin);
        let cancelled = change.is_some();
        self.apply(change);
        cancelled
    }

    /// Takes back what an origin has set since a checkpoint; how many goals.
    pub fn withdraw(&mut self, origin: Origin, checkpoint: CheckpointId) -> u32 {
        let changes = self.state.table.withdraw(origin, checkpoint);
        let count = changes.len() as u32;
        self.apply(changes);
        count
    }

    /// What has become of the goals since it was last asked.
    pub fn report(&mut self) -> GoalReport {
        let table = &self.state.table;
        let running = table.running();
        let waits = |record: &&GoalRecord| !running.iter().any(|other| other.number == record.number);
        let waiting = table.open().iter().filter(waits);
        GoalReport {
            open: running.iter().copied().chain(waiting).cloned().collect(),
            closed: std::mem::take(&mut self.closed),
            refused: std::mem::take(&mut self.refused),
        }
    }

    /// What L4.5 has said last.
    pub fn hear(&mut self, floor: Option<FloorSight>) {
        self.floor = floor;
    }

    /// Carries out what the levels above want of the goals: takes back, then sets, and keeps to the mode of the resources.
    /// A goal that the table refuses is told of, also to the level that asked for it; while the floor does not permit growth,
    /// or has not spoken, it refuses all that no user sets.
    pub fn obey(&mut self, orders: Orders) {
        self.constraints = orders.constraints;
        for (origin, checkpoint) in orders.withdrawn {
            self.withdraw(origin, checkpoint);
        }
        let permitted = self.floor.is_some_and(|floor| floor.growth);
        for Injection { spec, checkpoint } in orders.injections {
            if let Err(refused) = self.submit(&spec, checkpoint, permitted) {
                let summary = format!("goal {} of {} is not set: {refused}", spec.goal, spec.origin);
                self.news.push(EventKind::Warning { summary });
                if self.refused.len() == MAX_CLOSED {
                    self.refused.remove(0);
                }
                self.refused.push((spec.goal.clone(), (&refused).into()));
            }
        }
    }

    /// Goals that were set, and that are over, since it was last asked.
    pub fn take_news(&mut self) -> Vec<EventKind> {
        std::mem::take(&mut self.news)
    }

    /// A cycle begins with this row; `advised` is the advice in force with the authority of its level. Gives what the turn
    /// owes.
    pub fn begin(&mut self, cycle: u64, row: &[f64], advised: Option<(&Advice, Authority)>) -> Duty {
        self.cycle = cycle;
        self.see(row);
        let advised = advised.map(|(advice, authority)| (advice, weight(advice, authority)));
        if advised.map(|(advice, _)| advice.from_cycle) != self.followed {
            self.follow(advised);
        }
        let own = self.state.own;
        self.strategy = advised.map_or(own, |(advice, weight)| advice.plan.choice.strategy.blend(&own, weight));
        self.relieve();
        let plan = advised.map(|(advice, weight)| (&advice.plan, weight));
        self.grants.cycle(plan, self.state.table.open(), &self.constraints);
        let changes = self.state.table.decide(cycle, &self.observed(), &self.limits());
        self.apply(changes);
        self.choose();
        self.duty()
    }

    /// Other advice than in the last cycle, or none any more: what the world model says, the order of the goals, and what
    /// is done about those with which something is wrong. An order is followed or not: at half authority it is.
    fn follow(&mut self, advised: Option<(&Advice, f64)>) {
        self.followed = advised.map(|(advice, _)| advice.from_cycle);
        self.world = advised.map(|(advice, _)| WorldSight {
            eu: advice.eu,
            res: advice.res,
            rdf: advice.rdf,
        });
        self.variance.clear();
        self.variance
            .extend_from_slice(advised.map_or(&[], |(advice, _)| &advice.variance));
        let followed = advised
            .filter(|(_, weight)| *weight > 0.0)
            .map(|(advice, _)| &advice.plan);
        let order = followed.map_or_else(Vec::new, |plan| plan.order.clone());
        if self.state.table.order() != order {
            self.apply([Change::Order { goals: order }]);
        }
        for remedy in followed.iter().flat_map(|plan| &plan.remedies) {
            // Shares are in the allocation already, and a review is whoever reads it's.
            if let Remedy::Abandon { goal, circular } = remedy {
                let why = if *circular { Waiver::Circular } else { Waiver::Stale };
                let set_by_a_user = |record: &GoalRecord| record.spec.origin == Origin::User;
                if !self.state.table.get(goal).is_some_and(set_by_a_user) {
                    let change = self.state.table.abandon(goal, why);
                    self.apply(change);
                }
            }
        }
    }

    /// Does what helps against what Level 4.5 has found: also without advice, as it is no matter of the levels above.
    fn relieve(&mut self) {
        let findings = self.floor.map(|floor| floor.findings).unwrap_or_default();
        let merged = merges(&findings, self.state.table.open());
        self.apply(merged);
        let relief = Relief::of(&findings, self.state.table.open());
        for (goal, state) in relief.told(self.grants.relief()) {
            let open = self.state.table.get(&goal).filter(|record| record.state.is_open());
            self.news.extend(open.map(|record| EventKind::Goal {
                goal: record.spec.goal.clone(),
                origin: record.spec.origin,
                state: state.to_owned(),
            }));
        }
        self.grants.relieve(relief);
    }

    /// The next task that is an action; knobs are turned on the way, each once.
    fn next(&mut self) -> Option<Start> {
        loop {
            let limits = self.limits();
            let start = self
                .state
                .table
                .next(self.cycle, &self.observed(), &limits, &self.grants)?;
            if !matches!(start.does, TaskAction::Turn(_)) {
                return Some(start);
            }
            self.apply([start.change()]);
            self.settle(&start, TaskOutcome::Done);
        }
    }

    /// The turn is over: what became of its task, and which action it took.
    pub fn end(&mut self, action: Action, task: TaskTurn) {
        let owed = self.owed.take();
        let start = match (owed, task) {
            (Some(start), TaskTurn::Granted) => {
                self.grants.spend(&start.goal);
                self.start(&start);
                Some(start)
            }
            (Some(start), TaskTurn::Refused) => {
                self.start(&start);
                self.settle(&start, TaskOutcome::Failed);
                None
            }
            _ => None,
        };
        if comes_out_later(action) {
            // What comes back is matched with what was asked for: also where it was no task.
            if self.awaited.len() == MAX_AWAITED {
                self.awaited.pop_front();
            }
            self.awaited.push_back((action, start));
        } else if let Some(start) = start {
            self.settle(&start, TaskOutcome::Done);
        }
    }

    /// A change of sampling was carried out, or could not be; a question to a peer was answered, or was not.
    pub fn came_out(&mut self, action: Action, done: bool) {
        let Some(index) = self.awaited.iter().position(|(awaited, _)| *awaited == action) else {
            return;
        };
        if let Some((_, Some(start))) = self.awaited.remove(index) {
            self.settle(&start, if done { TaskOutcome::Done } else { TaskOutcome::Failed });
        }
    }

    /// What tasks and goals have come to since it was last asked, for the kernel's next turn.
    pub fn take_outcomes(&mut self) -> Outcomes {
        std::mem::take(&mut self.outcomes)
    }

    fn settle(&mut self, start: &Start, outcome: TaskOutcome) {
        let limits = self.limits();
        let change = self.state.table.settle(&start.report(outcome), self.cycle, &limits);
        self.apply(change);
    }

    fn apply(&mut self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            self.apply_at(&change, self.cycle);
        }
    }

    fn apply_at(&mut self, change: &Change, cycle: u64) {
        tally(change, &mut self.outcomes);
        self.state.apply(change, cycle);
        self.ahead.note(self.state.seq, cycle, change);
        self.news.extend(self.state.table.news(change));
        if let Change::Close { goal, .. } = change {
            if self.closed.len() == MAX_CLOSED {
                self.closed.remove(0);
            }
            self.closed.extend(self.state.table.get(goal).cloned());
        }
    }

    fn see(&mut self, row: &[f64]) {
        for ((last, value), seen) in self.last.iter_mut().zip(&mut self.values).zip(row) {
            if seen.is_finite() {
                *last = Some((*seen, self.cycle));
            }
            let known = last.filter(|(_, at)| self.cycle.saturating_sub(*at) < u64::from(UNSEEN_CYCLES));
            *value = known.map_or(f64::NAN, |(value, _)| value);
        }
    }

    fn observed(&self) -> Observed<'_> {
        Observed {
            dimensions: &self.values,
            variance: &self.variance,
            floor: self.floor,
            world: self.world,
        }
    }
}

/// Its outcome is told by [`Runner::came_out`]; everything else is done by whoever has taken the turn, in the same cycle.
fn comes_out_later(action: Action) -> bool {
    matches!(
        action,
        Action::SampleFaster { .. } | Action::SampleSlower { .. } | Action::AskPeer { .. }
    )
}

/// What advice weighs under this authority of its level. The fallback that is in force while the level rebalances holds
/// whole: without it the kernel would do more than before.
fn weight(advice: &Advice, authority: Authority) -> f64 {
    let authority = authority.min(advice.authority);
    match advice.plan.fallback && authority >= Authority::Advisory {
        true => Authority::Full.weight(),
        false => authority.weight(),
    }
}

#[cfg(test)]
mod tests;
