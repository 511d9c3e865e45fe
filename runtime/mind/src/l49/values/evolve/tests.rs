use super::*;
use crate::l45::Stage;
use crate::l49::fixtures::World;
use crate::l49::values::DIMENSIONS;

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
