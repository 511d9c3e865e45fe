use super::*;
use crate::l45::Stage;
use crate::l49::fixtures::World;
use crate::l49::values::{DIMENSIONS, ValueDimension};

fn growth(delta: f64) -> Mutation {
    Mutation {
        dimension: ValueDimension::Growth,
        delta,
    }
}

fn below(cycle: u64, seof: f64) -> Below {
    let mut world = World::new();
    (world.cycle, world.seof) = (cycle - 10, seof);
    world.next()
}

/// A mutation has been in force since cycle 10, when SEOF was 0.40.
fn mutated() -> EvolveState {
    let mut state = EvolveState::default();
    let admission = state.values.check(&growth(0.02), 10).unwrap();
    state.values.admit(admission);
    let pending = *state.values.pending().next().unwrap();
    assert!(state.values.settle(&pending, Verdict::Approved, 10));
    state.watch(10, 0.40);
    state
}

#[test]
fn a_mutation_is_regretted_once_seof_has_lost_more_than_0_03() {
    let regretted = |seof| mutated().regretted(&below(110, seof)).is_some();
    assert!(!regretted(0.3702) && regretted(0.3698));
}

#[test]
fn what_a_mutation_has_done_can_be_told_after_a_hundred_cycles() {
    let regretted = |cycle| mutated().regretted(&below(cycle, 0.30)).is_some();
    assert_eq!([109, 110, 509, 510].map(regretted), [false, true, true, false]);
}

#[test]
fn the_drift_that_a_mutation_leaves_may_cost_half_of_the_score() {
    // From comfort at 0.10 to the limit at 0.25 half is left at 0.175.
    let bearable = |drift: f64| {
        // w + d over 1 + d: growth gains 0.8 d / (1 + d), the others together lose as much.
        let share = drift / 1.6;
        let pending = Pending {
            mutation: growth(share / (1.0 - share)),
            since: 10,
        };
        let mut state = EvolveState::default();
        let after = state.after(&ValueAct::Apply(pending)).total_drift();
        assert!((after - drift).abs() < 1e-12, "{after}");
        let mut rejected = Vec::new();
        let bearable = state.is_bearable(&pending, 20, &mut rejected);
        assert_eq!(rejected.is_empty(), bearable);
        bearable
    };
    assert!(bearable(0.1748) && !bearable(0.1752));
}

#[test]
fn the_guard_halves_mutation_at_its_second_stage_and_freezes_it_at_its_third() {
    let asked_at = |stage: u8| {
        let mut state = EvolveState::default();
        for goal in 0..20 {
            let mut shares = [0.0; DIMENSIONS];
            shares[ValueDimension::Growth as usize] = f64::from(goal % 2);
            let seof_change = 0.1 * f64::from(goal % 2);
            state.evidence.note(GoalEvidence { shares, seof_change });
        }
        let mut below = below(500, 0.4);
        Arc::make_mut(&mut below.floor).guard_stage = stage;
        state.admit(&below);
        state.values.pending().next().map(|pending| pending.mutation.delta)
    };
    assert_eq!([0, 1, 2, 3].map(asked_at), [Some(0.05), Some(0.05), Some(0.025), None]);
}

/// Twenty goals, half of which serve growth: 7 of those gained SEOF, and 3 of the others. Correlation 0.4.
fn evolving() -> EvolveState {
    let mut state = EvolveState::default();
    for goal in 0..20 {
        let serves = goal < 10;
        let gains = if serves { goal < 7 } else { goal < 13 };
        let mut shares = [0.0; DIMENSIONS];
        shares[crate::l49::values::ValueDimension::Growth.index()] = f64::from(u8::from(serves));
        let seof_change = f64::from(u8::from(gains));
        state.evidence.note(GoalEvidence { shares, seof_change });
    }
    state
}

/// The mutations that go into the sandbox at a stage of the guard.
fn admitted(stage: Stage, tier: u8) -> Vec<f64> {
    let mut below = World::new().next();
    let floor = Arc::make_mut(&mut below.floor);
    floor.guard_stage = stage.as_byte();
    floor.tier = tier;
    floor.structural_permitted = stage.permits_structure() && tier < 3;
    let mut state = evolving();
    state.admit(&below);
    state.values.pending().map(|pending| pending.mutation.delta).collect()
}

#[test]
fn a_warning_of_the_guard_halves_mutations_and_the_critical_stage_freezes_them() {
    let close = |found: Vec<f64>, expected: f64| {
        assert_eq!(found.len(), 1);
        assert!((found[0] - expected).abs() < 1e-12, "{found:?}");
    };
    close(admitted(Stage::Normal, 0), 0.04);
    close(admitted(Stage::Elevated, 0), 0.04);
    close(admitted(Stage::Warning, 0), 0.02);
    assert!(admitted(Stage::Critical, 0).is_empty());
    assert!(admitted(Stage::Warning, 3).is_empty(), "not the guard's warning alone");
}
