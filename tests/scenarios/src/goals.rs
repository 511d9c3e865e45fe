//! Goals that users set in scenarios, and a world in which they are reached.

use rungs_types::goal::{
    Comparison, Condition, GoalBudget, Knob, KnobSetting, Quantity, Reward, Success, TaskAction, TaskSpec,
};
use rungs_types::{GoalId, GoalSpec, Origin, SimDimension, SimEvent, SimSpec, Tier};

/// The dimension that [`tidal`] adds to the calm world.
pub const TIDE: u16 = 5;
/// From one high tide to the next; the first is in cycle 25.
pub const TIDE_CYCLES: u32 = 100;
/// Above this the tide is high: 37 cycles of each hundred.
const HIGH: f64 = 0.4;

/// The world with a tide between -1 and 1 as its sixth dimension, in a group of its own.
pub fn tidal(world: SimSpec) -> SimSpec {
    let tide = SimDimension {
        group: 3,
        phi: 0.0,
        mean: 0.0,
        sigma: 0.1,
        capacity: None,
    };
    world.dimension(tide).event(SimEvent::Oscillation {
        dimension: u32::from(TIDE),
        from: 0,
        to: u64::MAX,
        sigmas: 10.0,
        period_cycles: TIDE_CYCLES,
    })
}

/// The tide is high.
pub fn high_tide() -> Condition {
    Condition {
        of: Quantity::Dimension(TIDE),
        is: Comparison::Above,
        value: HIGH,
    }
}

/// The tide is so high as it never is.
pub fn flood() -> Condition {
    Condition {
        value: 100.0,
        ..high_tide()
    }
}

/// A user's goal, reached once `reached` has held for 20 cycles after its one task, which is done at high tide.
///
/// # Panics
/// If the name is none.
pub fn user_goal(name: &str, reached: Condition) -> GoalSpec {
    GoalSpec {
        goal: GoalId::new(name).expect("a name"),
        intent: "have it so".into(),
        origin: Origin::User,
        tier: Tier::Tactical,
        success: Success {
            all: vec![reached],
            any: Vec::new(),
        },
        tasks: vec![TaskSpec {
            name: "prepare".parse().expect("a name"),
            does: TaskAction::Turn(KnobSetting {
                knob: Knob::RetryBudget,
                to: 2.0,
            }),
            after: Vec::new(),
            when: vec![high_tide()],
            retries: 0,
            deadline_cycles: None,
        }],
        after: Vec::new(),
        deadline_cycles: None,
        budget: GoalBudget::default(),
        skills: Vec::new(),
        reward: Reward::default(),
        weights: std::collections::BTreeMap::new(),
    }
}
