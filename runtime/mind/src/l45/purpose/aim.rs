//! A goal as purpose reflection sees it.

use super::DIMENSIONS;
use crate::goals::GoalRecord;
use rungs_types::goal::{MAX_TASKS, Origin, PeriodStep, Quantity, Speaker, TaskAction};
use serde::{Deserialize, Serialize};

/// The purpose of an agent that has none of its own: the weights of MSCP Level 4.9, section 4.1.
pub const PURPOSE: [f64; DIMENSIONS] = [0.20, 0.20, 0.20, 0.15, 0.10, 0.10, 0.05];

/// What a goal is made of. Plain data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Aim {
    /// The goal's number.
    pub number: u64,
    /// A user assigned it.
    pub assigned: bool,
    /// Share of it that is done, in [0, 1].
    pub progress: f64,
    /// What it serves: a weight of 0 to 1 for each value dimension; the purpose, if it does not say.
    pub weights: [f64; DIMENSIONS],
    /// Cosine of what it serves with the purpose, in [0, 1].
    pub alignment: f64,
    /// How far it acts on the agent itself and is judged by what the agent thinks of itself, in [0, 1].
    pub self_reinforcement: f64,
    /// Its progress depends on the agent's own goals only.
    pub depends_on_itself: bool,
    /// How it enters a Lookahead: progress in a cycle, in [0, 1], share of the agent's budget, the group that it is about,
    /// and whether it waits for another goal.
    pub rate_per_cycle: f64,
    /// See above.
    pub budget_share: f64,
    /// See above.
    pub group: Option<u16>,
    /// See above.
    pub waits: bool,
    /// What its tasks do, a number for each, in rising order without repetition; the first `steps` count.
    does: [u64; MAX_TASKS],
    steps: u8,
}

impl Aim {
    /// Reads a goal; `all` are the goals among which its prerequisites are looked for.
    pub fn of<'a>(record: &GoalRecord, all: impl Iterator<Item = &'a GoalRecord> + Clone) -> Self {
        let spec = &record.spec;
        let mut does = [0; MAX_TASKS];
        let mut steps = 0;
        for task in spec.tasks.iter().take(MAX_TASKS) {
            let step = number_of(task.does);
            if let Err(place) = does[..steps].binary_search(&step) {
                does[place..=steps].rotate_right(1);
                does[place] = step;
                steps += 1;
            }
        }
        let mut weights = PURPOSE;
        if !spec.weights.is_empty() {
            weights = [0.0; DIMENSIONS];
            for (value, weight) in &spec.weights {
                weights[value.index()] = *weight;
            }
        }
        Self {
            number: record.number,
            assigned: spec.origin == Origin::User,
            progress: record.progress(),
            alignment: cosine(&weights, &PURPOSE),
            weights,
            self_reinforcement: self_reinforcement(record),
            depends_on_itself: depends_on_itself(record, all),
            rate_per_cycle: rate(record),
            budget_share: spec.budget.share,
            group: spec.tasks.iter().find_map(|task| task.does.group()),
            waits: !record.prerequisites_met(),
            does,
            steps: steps as u8,
        }
    }

    /// Jaccard index of what the tasks of two goals do, in [0, 1].
    pub fn overlap(&self, other: &Aim) -> f64 {
        let [own, others] = [self, other].map(|aim| &aim.does[..usize::from(aim.steps)]);
        let both = own.iter().filter(|step| others.binary_search(step).is_ok()).count();
        let either = own.len() + others.len() - both;
        if either == 0 { 0.0 } else { both as f64 / either as f64 }
    }

    pub(super) fn is_valid(&self) -> bool {
        let share = |value: &f64| (0.0..=1.0).contains(value);
        let steps = usize::from(self.steps);
        steps <= MAX_TASKS
            && self.does[..steps].windows(2).all(|w| w[0] < w[1])
            && [
                self.progress,
                self.alignment,
                self.self_reinforcement,
                self.rate_per_cycle,
                self.budget_share,
            ]
            .iter()
            .all(share)
            && self.weights.iter().all(share)
    }
}

/// Its progress goes on as fast as it did; before the first, as fast as its tier looks ahead.
fn rate(record: &GoalRecord) -> f64 {
    let usual = 1.0 / f64::from(record.spec.tier.horizon_cycles());
    let age = record
        .approved_at
        .map(|at| record.progressed_at.saturating_sub(at).max(1) as f64);
    match (record.progress(), age) {
        (progress, Some(age)) if progress > 0.0 => (progress / age).min(1.0),
        _ => usual,
    }
}

/// Share of the open goals whose progress depends on the agent's own goals only (GSRS); `None` without open goals.
pub fn own_share<'a>(goals: impl Iterator<Item = &'a GoalRecord> + Clone) -> Option<f64> {
    let (mut own, mut count) = (0.0, 0.0);
    for goal in goals.clone().filter(|goal| goal.state.is_open()) {
        count += 1.0;
        own += f64::from(u8::from(depends_on_itself(goal, goals.clone())));
    }
    (count > 0.0).then(|| own / count)
}

/// The agent gave it itself, nothing of the world says when it is reached, and no goal that it waits for is a user's. A
/// prerequisite that is not known is not held against it.
fn depends_on_itself<'a>(record: &GoalRecord, all: impl Iterator<Item = &'a GoalRecord> + Clone) -> bool {
    let spec = &record.spec;
    let mut before = spec.after.iter();
    spec.origin != Origin::User
        && spec.success.conditions().all(|condition| is_of_itself(condition.of))
        && before.all(|name| {
            let mut known = all.clone().filter(|goal| goal.spec.goal == *name);
            known.all(|goal| goal.spec.origin != Origin::User)
        })
}

/// Half the share of its tasks whose target is the agent itself, half the share of its conditions that are of what the
/// agent measures of itself.
fn self_reinforcement(record: &GoalRecord) -> f64 {
    let tasks = &record.spec.tasks;
    let inward = tasks.iter().filter(|task| is_inward(task.does)).count();
    let (mut own, mut conditions) = (0_u32, 0_u32);
    for condition in record.spec.success.conditions() {
        conditions += 1;
        own += u32::from(is_of_itself(condition.of));
    }
    0.5 * inward as f64 / tasks.len().max(1) as f64 + 0.5 * f64::from(own) / f64::from(conditions.max(1))
}

/// Measured of the agent itself, not of the world.
fn is_of_itself(of: Quantity) -> bool {
    matches!(
        of,
        Quantity::Seof | Quantity::Iis | Quantity::CL4 | Quantity::Uncertainty
    )
}

/// Its target is the agent itself.
fn is_inward(does: TaskAction) -> bool {
    matches!(
        does,
        TaskAction::SwitchForecaster { .. } | TaskAction::ChangePeriod { .. } | TaskAction::Turn(_)
    )
}

/// A number for what a task does: equal for equal actions, different for different ones.
fn number_of(does: TaskAction) -> u64 {
    let of = |kind: u64, what: u64| kind << 60 | what;
    match does {
        TaskAction::SampleFaster { group } => of(1, u64::from(group)),
        TaskAction::SampleSlower { group } => of(2, u64::from(group)),
        TaskAction::SwitchForecaster { group, to } => {
            let to = match to {
                Speaker::Linear => 0,
                Speaker::Belief => 1,
                Speaker::Smoothing => 2,
                Speaker::Persistence => 3,
            };
            of(3, to << 16 | u64::from(group))
        }
        TaskAction::RaiseIncident { group } => of(4, u64::from(group)),
        TaskAction::ClearIncident => of(5, 0),
        TaskAction::AskPeer { group } => of(6, u64::from(group)),
        TaskAction::ChangePeriod { change } => of(7, u64::from(change == PeriodStep::Shorter)),
        // Settings that differ by less than a part in 2^36 are the same.
        TaskAction::Turn(setting) => of(8, (setting.knob.index() as u64) << 52 | setting.to.to_bits() >> 12),
    }
}

fn cosine(own: &[f64; DIMENSIONS], purpose: &[f64; DIMENSIONS]) -> f64 {
    let product = |a: &[f64; DIMENSIONS], b: &[f64; DIMENSIONS]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let cosine = product(own, purpose) / (product(own, own) * product(purpose, purpose)).sqrt();
    if cosine.is_finite() {
        cosine.clamp(0.0, 1.0)
    } else {
        0.0
    }
}
