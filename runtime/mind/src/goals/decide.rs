//! What follows, at a cycle, from what is observed.

use super::change::Change;
use super::observed::Observed;
use super::record::{Failure, GoalRecord, GoalState, TaskRecord, TaskState, Waiver};
use super::start::Limits;
use super::table::GoalTable;
use super::{HOLD_CYCLES, LOST_CYCLES, SETTLE_CYCLES};
use rungs_types::goal::TaskSpec;
use rungs_types::{GoalId, TaskName};

impl GoalTable {
    /// Everything that happens at this cycle by itself: approvals, successes, deadlines, tasks that become ready.
    pub fn decide(&self, cycle: u64, observed: &Observed<'_>, limits: &Limits) -> Vec<Change> {
        let mut changes = Vec::new();
        for record in self.running() {
            match record.state {
                GoalState::Waiting => changes.extend(self.admit(record, observed)),
                GoalState::Active => Turn::of(record, cycle, observed, limits).decide(&mut changes),
                _ => {}
            }
        }
        // Who waits for a goal that is gone waits in vain, with a place or without.
        for record in &self.open {
            if let Some(before) = self.lost_prerequisite(record) {
                changes.push(close(
                    record,
                    GoalState::Abandoned(Waiver::Prerequisite(before.clone())),
                ));
            }
        }
        changes
    }

    fn admit(&self, record: &GoalRecord, observed: &Observed<'_>) -> Option<Change> {
        match record.spec.success.holds(|of| observed.measure(of))? {
            false => Some(Change::Approve {
                goal: record.spec.goal.clone(),
            }),
            true => Some(close(record, GoalState::Abandoned(Waiver::AlreadyHolds))),
        }
    }

    fn lost_prerequisite<'a>(&self, record: &'a GoalRecord) -> Option<&'a GoalId> {
        let mut unmet = record.spec.after.iter().enumerate();
        let lost = |goal: &GoalId| self.closed.iter().any(|closed| closed.spec.goal == *goal);
        unmet
            .find(|(index, before)| record.met & (1 << index) == 0 && lost(before))
            .map(|(_, before)| before)
    }

    /// After a restart: what was under way is started again if that does no harm, and is uncertain otherwise.
    pub fn recover(&self, cycle: u64) -> Vec<Change> {
        let each = self.open.iter().flat_map(|record| {
            let flying = record
                .each_task()
                .filter(|(_, _, task)| is_flying(task) || task.intended && task.state == TaskState::Waiting);
            flying.map(|(index, spec, _)| lost(record, index, spec, cycle, false))
        });
        each.collect()
    }
}

fn is_flying(task: &TaskRecord) -> bool {
    matches!(task.state, TaskState::InFlight { .. })
}

/// An attempt whose outcome will not come; it counts as a failure unless a restart cut it off.
fn lost(record: &GoalRecord, index: usize, spec: &TaskSpec, cycle: u64, failed: bool) -> Change {
    let (goal, task) = (record.spec.goal.clone(), index as u8);
    if !spec.does.is_idempotent() {
        Change::Doubt { goal, task }
    } else if !failed || record.tasks[index].failures < spec.retries {
        Change::Retry {
            goal,
            task,
            not_before: cycle,
            failed,
        }
    } else {
        Change::GiveUp { goal, task }
    }
}

fn close(record: &GoalRecord, state: GoalState) -> Change {
    Change::Close {
        goal: record.spec.goal.clone(),
        state,
    }
}

/// One active goal in one cycle.
struct Turn<'a> {
    record: &'a GoalRecord,
    cycle: u64,
    /// Its success has held for so many cycles with this one.
    held: u32,
    limits: &'a Limits,
}

impl<'a> Turn<'a> {
    fn of(record: &'a GoalRecord, cycle: u64, observed: &Observed<'_>, limits: &'a Limits) -> Self {
        let holds = record.spec.success.holds(|of| observed.measure(of)) == Some(true);
        let acted = record.done() > 0;
        Self {
            record,
            cycle,
            held: if holds && acted { record.held_cycles + 1 } else { 0 },
            limits,
        }
    }

    fn decide(&self, changes: &mut Vec<Change>) {
        let record = self.record;
        if self.held >= HOLD_CYCLES {
            changes.push(close(record, GoalState::Succeeded));
            return;
        }
        if let Some(failure) = self.failure() {
            changes.push(close(record, GoalState::Failed(failure)));
            return;
        }
        let goal = || record.spec.goal.clone();
        if self.held != record.held_cycles {
            changes.push(Change::Hold {
                goal: goal(),
                cycles: self.held,
            });
        }
        if self.is_settled() != record.settled_at.is_some() {
            changes.push(Change::Settle {
                goal: goal(),
                settled: self.is_settled(),
            });
        }
        for (index, spec, task) in record.each_task() {
            changes.extend(self.decide_task(index, spec, task));
        }
    }

    fn decide_task(&self, index: usize, spec: &TaskSpec, task: &TaskRecord) -> Option<Change> {
        let (goal, number) = (self.record.spec.goal.clone(), index as u8);
        let open = matches!(task.state, TaskState::Waiting | TaskState::InFlight { .. });
        let over = |since: u64, cycles: u64| self.cycle.saturating_sub(since) >= cycles;
        match (task.state, task.ready_at, spec.deadline_cycles) {
            (_, Some(ready), Some(deadline)) if open && over(ready, u64::from(deadline)) => {
                Some(Change::GiveUp { goal, task: number })
            }
            (TaskState::InFlight { since }, ..) if over(since, LOST_CYCLES) => {
                Some(lost(self.record, index, spec, self.cycle, true))
            }
            (TaskState::Waiting, None, _) if spec.after.iter().all(|before| self.record.task_is_done(before)) => {
                Some(Change::Ready { goal, task: number })
            }
            _ => None,
        }
    }

    /// Why it cannot succeed any more. While its success holds, only the time can take it away.
    fn failure(&self) -> Option<Failure> {
        let record = self.record;
        let age = self.cycle.saturating_sub(record.approved_at.unwrap_or(self.cycle));
        if record.spec.deadline_cycles.is_some_and(|deadline| age >= deadline) {
            return Some(Failure::Deadline);
        }
        if self.held > 0 {
            return None;
        }
        if let Some(name) = self.first(TaskState::Failed) {
            return Some(Failure::Task(name));
        }
        if self.is_out_of_budget() {
            return Some(Failure::Budget);
        }
        let settled = record
            .settled_at
            .is_some_and(|since| self.cycle.saturating_sub(since) >= SETTLE_CYCLES);
        settled.then(|| {
            self.first(TaskState::Uncertain)
                .map_or(Failure::NotReached, Failure::Uncertain)
        })
    }

    fn first(&self, state: TaskState) -> Option<TaskName> {
        let mut tasks = self.record.each_task();
        tasks
            .find(|(_, _, task)| task.state == state)
            .map(|(_, spec, _)| spec.name.clone())
    }

    /// It needs another action, may take none, and none is under way.
    fn is_out_of_budget(&self) -> bool {
        let record = self.record;
        let needs = |(_, spec, task): (usize, &TaskSpec, &TaskRecord)| {
            self.limits.acts(&spec.does) && task.state == TaskState::Waiting && task.ready_at.is_some()
        };
        record.actions >= record.spec.budget.actions && record.in_flight() == 0 && record.each_task().any(needs)
    }

    /// No task of it can move any more: each is done, or waits for one that never will be.
    fn is_settled(&self) -> bool {
        let can_move = |(_, spec, task): (usize, &TaskSpec, &TaskRecord)| {
            is_flying(task) || task.state == TaskState::Waiting && !self.is_blocked(spec, self.record.tasks.len())
        };
        !self.record.each_task().any(can_move)
    }

    /// Some task before it, near or far, is uncertain or has failed. The depth ends a walk that no valid goal needs.
    fn is_blocked(&self, spec: &TaskSpec, depth: usize) -> bool {
        depth > 0
            && spec.after.iter().any(|before| {
                let mut tasks = self.record.each_task();
                let found = tasks.find(|(_, spec, _)| spec.name == *before);
                found.is_some_and(|(_, spec, task)| match task.state {
                    TaskState::Uncertain | TaskState::Failed => true,
                    TaskState::Done => false,
                    TaskState::Waiting | TaskState::InFlight { .. } => self.is_blocked(spec, depth - 1),
                })
            })
    }
}
