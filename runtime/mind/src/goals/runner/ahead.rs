//! What is written before it is done, and what is handed out to be written.
//!
//! A task whose repetition does harm is intended first ([`Change::Intend`]) and owed only when that is durable, so that
//! after a crash nobody takes it for a task that was not begun. At most one task is intended at a time. A runner whose
//! changes nobody keeps has nothing to wait for.

use super::Runner;
use crate::goals::change::Change;
use crate::goals::journal::{Entry, MAX_UNTAKEN, RunnerState, tail};
use crate::goals::start::{Limits, Start};
use crate::l3::Duty;
use rungs_types::EventKind;
use rungs_types::goal::Knob;

/// The keeping of a runner's changes.
#[derive(Debug, Clone)]
pub(super) struct Ahead {
    /// What was not taken yet; `None` if nobody takes it.
    untaken: Option<Vec<Entry>>,
    /// The number of the last change that is durable.
    durable: u64,
    /// Nothing can be made durable at the moment.
    failing: bool,
    /// The task that is begun when the change of this number is durable.
    intended: Option<(Start, u64)>,
}

impl Ahead {
    pub(super) fn unkept() -> Self {
        Self {
            untaken: None,
            durable: u64::MAX,
            failing: false,
            intended: None,
        }
    }

    pub(super) fn note(&mut self, seq: u64, cycle: u64, change: &Change) {
        let change = change.clone();
        // Whoever takes them takes them in each cycle; where nobody comes, the gap tells.
        let room = self.untaken.as_mut().filter(|untaken| untaken.len() < MAX_UNTAKEN);
        if let Some(untaken) = room {
            untaken.push(Entry { seq, cycle, change });
        }
    }
}

impl Runner {
    /// Goes on where [`Runner::snapshot`] was taken and after what has been kept of the changes since, at this cycle.
    /// From now on every change waits for [`Runner::take_journal`]. What was under way is repeated where that does no
    /// harm.
    pub fn resumed(state: RunnerState, kept: Vec<Entry>, dimensions: usize, groups: usize, cycle: u64) -> Self {
        let (tail, missing) = tail(state.seq, kept, cycle);
        let mut runner = Self::at_rest(state, dimensions, groups, cycle);
        for Entry { seq, cycle, change } in tail {
            // Gaps keep their numbers: none is given twice.
            runner.state.seq = seq - 1;
            runner.apply_at(&change, cycle);
        }
        // It was told already when it happened.
        runner.news.clear();
        if missing > 0 {
            let summary =
                format!("{missing} changes of goals are not in the task log; goals may stand where they stood before");
            runner.news.push(EventKind::Warning { summary });
        }
        runner.strategy = runner.state.own;
        runner.ahead.untaken = Some(Vec::new());
        runner.ahead.durable = runner.state.seq;
        runner.recover();
        runner
    }

    /// Settles what was under way when the agent ended, and tells of what is not known to be done.
    pub(super) fn recover(&mut self) {
        let changes = self.state.table.recover(self.cycle);
        for change in &changes {
            if let Change::Doubt { goal, task } = change {
                let spec = self.state.table.get(goal).map(|record| &record.spec);
                let name = spec.and_then(|spec| spec.tasks.get(usize::from(*task)));
                let name = name.map_or_else(String::new, |task| task.name.to_string());
                let summary = format!(
                    "task {name} of goal {goal} was under way; it is not known whether it was done, and it is not repeated"
                );
                self.news.push(EventKind::Warning { summary });
            }
        }
        self.apply(changes);
    }

    /// The number of the last change.
    pub fn seq(&self) -> u64 {
        self.state.seq
    }

    /// The changes since it was last asked, to be kept in this order.
    pub fn take_journal(&mut self) -> Vec<Entry> {
        self.ahead.untaken.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The changes up to this number are durable. `failing`: no others will be soon, so that nothing is begun whose
    /// repetition does harm.
    pub fn durable(&mut self, seq: u64, failing: bool) {
        self.ahead.durable = self.ahead.durable.max(seq);
        self.ahead.failing = failing;
    }

    /// What the turn owes, which is more than [`super::Runner::begin`] has given if a change has become durable since.
    pub fn duty(&mut self) -> Duty {
        if let Some((start, seq)) = &self.ahead.intended
            && *seq <= self.ahead.durable
        {
            self.owed = Some(start.clone());
        }
        Duty {
            task: self.owed.as_ref().and_then(|start| super::action_of(&start.does)),
            exploration_rate: Some(self.constraints.exploration() * self.strategy.get(Knob::ExplorationRate)),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            harmless_only: self.ahead.failing,
            ..self.strategy.limits()
        }
    }

    /// Chooses the task of the turn: owed at once, or intended.
    pub(super) fn choose(&mut self) {
        self.owed = None;
        let chosen = self.next();
        if let Some((intended, _)) = &self.ahead.intended {
            if chosen.as_ref() == Some(intended) {
                return;
            }
            let (goal, task) = (intended.goal.clone(), intended.task);
            self.ahead.intended = None;
            self.apply([Change::Withhold { goal, task }]);
        }
        match chosen {
            Some(start) if self.ahead.untaken.is_some() && !start.does.is_idempotent() => {
                let (goal, task) = (start.goal.clone(), start.task);
                self.apply([Change::Intend { goal, task }]);
                self.ahead.intended = Some((start, self.state.seq));
            }
            chosen => self.owed = chosen,
        }
    }

    /// The agent ends in order: what is intended is not begun.
    pub fn rest(&mut self) {
        if let Some((start, _)) = self.ahead.intended.take() {
            let (goal, task) = (start.goal, start.task);
            self.apply([Change::Withhold { goal, task }]);
        }
    }

    /// An attempt begins.
    pub(super) fn start(&mut self, start: &Start) {
        self.ahead.intended = None;
        self.apply([start.change()]);
    }
}

#[cfg(test)]
mod tests;
