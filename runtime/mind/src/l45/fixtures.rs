//! Goals for the tests of this level.

use crate::goals::{GoalRecord, GoalState, TaskRecord};
use rungs_types::goal::{
    Comparison, Condition, GoalBudget, GoalSpec, Origin, Quantity, Reward, Success, TaskAction, TaskSpec, Tier,
};
use rungs_types::{CheckpointId, GoalId, TaskName};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An open goal that samples the groups faster and is reached when dimension 0 is at least 1.
pub(super) fn goal(number: u64, origin: Origin, does: Vec<TaskAction>) -> GoalRecord {
    let tasks: Vec<TaskSpec> = does
        .into_iter()
        .enumerate()
        .map(|(index, does)| TaskSpec {
            name: TaskName::new(&format!("t{index}")).expect("valid"),
            does,
            after: Vec::new(),
            when: Vec::new(),
            retries: 0,
            deadline_cycles: None,
        })
        .collect();
    GoalRecord {
        tasks: vec![TaskRecord::default(); tasks.len()],
        spec: Arc::new(GoalSpec {
            goal: GoalId::new(&format!("g{number}")).expect("valid"),
            intent: "something".into(),
            origin,
            tier: Tier::Tactical,
            success: of(&[Quantity::Dimension(0)]),
            tasks,
            after: Vec::new(),
            deadline_cycles: None,
            budget: GoalBudget::default(),
            skills: Vec::new(),
            reward: Reward::default(),
            weights: BTreeMap::new(),
        }),
        number,
        checkpoint: CheckpointId::default(),
        state: GoalState::Active,
        set_at: 0,
        approved_at: Some(0),
        closed_at: None,
        progressed_at: 0,
        settled_at: None,
        met: 0,
        actions: 0,
        held_cycles: 0,
    }
}

/// All of them at least 1.
pub(super) fn of(quantities: &[Quantity]) -> Success {
    Success {
        all: quantities
            .iter()
            .map(|of| Condition {
                of: *of,
                is: Comparison::AtLeast,
                value: 1.0,
            })
            .collect(),
        any: Vec::new(),
    }
}
