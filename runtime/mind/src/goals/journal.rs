//! What happens to goals, numbered, so that it can be kept and told again: the state is a fold of it.

use super::change::Change;
use super::record::TaskState;
use super::table::GoalTable;
use crate::l48::plan::Strategy;
use rungs_types::GoalId;
use rungs_types::goal::{KnobSetting, TaskAction};
use serde::{Deserialize, Serialize};

/// Changes that wait to be taken; more than this are not kept, and the numbers show the gap.
pub const MAX_UNTAKEN: usize = 4096;

/// A change with its number and its cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts up by one, from 1, over the life of the agent.
    pub seq: u64,
    /// The cycle in which it happened.
    pub cycle: u64,
    /// What happened.
    pub change: Change,
}

/// What of the goals is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunnerState {
    /// The goals.
    pub table: GoalTable,
    /// The agent's own strategy, with what tasks have turned.
    pub own: Strategy,
    /// The number of the last change that is in it.
    pub seq: u64,
}

impl RunnerState {
    /// The state, which was as of cycle `at`, as it counts in an agent that goes on at `cycle`: if that is earlier, because
    /// the agent's time goes on from an older snapshot or from none, everything is as long ago as it was.
    #[must_use]
    pub fn brought_to(mut self, at: u64, cycle: u64) -> Self {
        let ahead = at.saturating_sub(cycle);
        if ahead > 0 {
            let records = self.table.open.iter_mut().chain(&mut self.table.closed);
            records.for_each(|record| record.put_back(ahead));
        }
        self
    }

    /// Carries out the next change.
    pub fn apply(&mut self, change: &Change, cycle: u64) {
        self.seq += 1;
        if let Change::Done { goal, task } = change
            && let Some(setting) = self.turned_by(goal, *task)
        {
            self.own = self.own.with(setting);
        }
        self.table.apply(change, cycle);
    }

    /// The knob that a task under way turns.
    fn turned_by(&self, goal: &GoalId, task: u8) -> Option<KnobSetting> {
        let record = self.table.get(goal).filter(|record| record.state.is_open())?;
        let (_, spec, own) = record.each_task().nth(usize::from(task))?;
        match (spec.does, own.state) {
            (TaskAction::Turn(setting), TaskState::InFlight { .. }) => Some(setting),
            _ => None,
        }
    }
}

/// The entries that a state at `seq` does not have, as they count in an agent that goes on at `cycle`: its time goes on
/// from its snapshot, so what came later counts as having happened then. Also how many are missing before and between
/// them.
pub(super) fn tail(seq: u64, entries: Vec<Entry>, cycle: u64) -> (Vec<Entry>, u64) {
    let (mut last, mut missing) = (seq, 0);
    let mut tail = Vec::new();
    for mut entry in entries {
        if entry.seq <= last {
            continue;
        }
        missing += entry.seq - last - 1;
        last = entry.seq;
        if let Change::Retry { not_before, .. } = &mut entry.change {
            *not_before = not_before.saturating_sub(entry.cycle.saturating_sub(cycle));
        }
        entry.cycle = entry.cycle.min(cycle);
        tail.push(entry);
    }
    (tail, missing)
}
