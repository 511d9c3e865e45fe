use super::fixtures::{Level49, PURPOSE, World, bytes, user_goal};
use super::goals::{Fate, GoalOrigin, Verdict};
use super::orchestrator::PASS_CYCLES;
use super::peers::{MESSAGE_CYCLES, StrategyClass, TrustLevel};
use super::resources::SurvivalState;
use super::stability::{Condition, DecisionKind, VetoedBy};
use super::values::{ValueDimension, ValueVector};
use super::*;
use crate::goals::GoalState;
use crate::ladder::{At, Fault};
use crate::qualify::Audit49;
use crate::qualify::Verdict as Verdict49;
use proptest::prelude::*;
use rungs_types::goal::{Comparison, Condition as Fact, GoalSpec, Origin, Quantity};
use rungs_types::{
    AgentId, Authority, Cause, CheckpointId, Epoch, EventKind, Invariant, Level, Mail, PeerMessage, RolePath,
};
use std::sync::Arc;

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-6, "{a} is not {b}");
}

/// A user's goal that serves cooperation alone: it asks for goals of the agent's own, one after the other.
fn lopsided(level: &mut Level49) {
    let goal = user_goal("lopsided", ValueDimension::AgentCooperation, &[]);
    level.world.set(goal, CheckpointId::default());
}

/// An agent at Full whose integrity holds, with margin, but not for a hundred cycles to come.
fn unsteady() -> Level49 {
    let mut level = Level49::new();
    (level.world.iis, level.world.noise) = (Some(0.90), 0.012);
    level.order(Level::L49, Authority::Full);
    level.run(400);
    assert_eq!(level.authority(), Authority::Full);
    level
}

#[test]
fn a_healthy_agent_makes_a_pass_every_fifty_cycles_and_nothing_is_vetoed() {
    let mut level = Level49::acting();
    level.run(500);
    let cycles: Vec<u64> = level.outputs.iter().map(|output| output.pass.cycle).collect();
    assert!(cycles.windows(2).all(|pair| pair[1] - pair[0] == 50), "{cycles:?}");
    assert!(cycles.len() >= 10);
    for output in &level.outputs {
        assert_eq!(output.stability.vetoes, [], "cycle {}", output.pass.cycle);
        close(
            output.stability.ratios.iter().product(),
            output.stability.verdict.scores.ass,
        );
        assert_eq!(output.stability.verdict.scores.ass, 1.0);
    }
    assert_eq!((PASS_CYCLES, super::stability::DECISION_CYCLES), (50, 100));
}

#[test]
fn a_kind_world_becomes_a_goal_that_is_approved_by_its_numbers_and_reached() {
    let mut level = Level49::acting();
    // The world model has to know how its dimensions persist before a calm is worth anything.
    level.run(400);
    level.world.performance = 0.3;
    level.world.optimistic = 0.4;
    level.run(60);
    let found = level.injected(GoalOrigin::OpportunityDriven);
    let [goal] = &found[..] else {
        panic!(
            "{found:?} {:?}",
            level.outputs.last().map(|output| output.goals.clone())
        )
    };
    let book = |level: &Level49| level.states().generate.book().get(goal).cloned().unwrap();
    let entry = book(&level);
    assert_eq!((entry.verdict, entry.reduced), (Verdict::Approved, false));
    // The intent is (0.1, 0.6, 0.1, 0.075, 0.05, 0.05, 0.025): by hand.
    close(entry.criteria.purpose, 0.718_279_9);
    close(entry.criteria.value, 0.892_338_9);
    close(entry.criteria.feasibility, 0.81);
    assert!(
        (49.9..50.1).contains(&entry.criteria.resource),
        "10,000 cycles of runway for 200"
    );
    assert_eq!((entry.criteria.rho, entry.criteria.violated), (0.5, false));
    let record = level.world.table.get(goal).unwrap();
    assert_eq!(
        (record.spec.origin, record.state.clone()),
        (Origin::L49, GoalState::Active)
    );
    level.run(100);
    assert_eq!(book(&level).fate, Fate::Set);
    level.world.reach(goal);
    level.run(60);
    assert_eq!(book(&level).fate, Fate::Over(GoalState::Succeeded));
    let counters = level.states().generate.book().counters();
    assert_eq!((counters.completed, counters.completion_rate()), (1, Some(1.0)));
    assert!(counters.mean_alignment().unwrap() >= 0.70);
    let rate = counters.approved as f64 / counters.generated as f64;
    assert_eq!(counters.approval_rate(), Some(rate));
}

/// What becomes of the first goal of a lopsided agent whose runway is `rdf`.
fn first_goal(rdf: f64) -> (Verdict, bool, f64) {
    let mut level = Level49::acting();
    level.world.rdf = rdf;
    lopsided(&mut level);
    level.run(20);
    let entries = level.states().generate;
    let entry = entries.book().entries().first().expect("a goal");
    (entry.verdict, entry.reduced, entry.spec.budget.share)
}

#[test]
fn the_scope_of_a_goal_is_reduced_once_if_resources_last_long_enough_for_less() {
    use super::goals::Criterion;
    assert_eq!(first_goal(199.0), (Verdict::Rejected(Criterion::Resource), false, 0.1));
    let (verdict, reduced, share) = first_goal(200.5);
    assert_eq!(
        (verdict, reduced),
        (Verdict::Tried { marginal: 1 }, true),
        "1.496 with less"
    );
    close(share, 0.067);
    let (verdict, reduced, _) = first_goal(202.0);
    assert_eq!((verdict, reduced), (Verdict::Approved, true), "1.507 with less");
    let (verdict, reduced, share) = first_goal(301.0);
    assert_eq!((verdict, reduced, share), (Verdict::Approved, false, 0.1));
}

#[test]
fn an_aspirational_goal_is_set_at_low_priority_and_a_sandboxed_one_after_its_lookahead() {
    let mut level = Level49::acting();
    level.world.confidence = 0.1;
    lopsided(&mut level);
    level.run(60);
    let states = level.states();
    let entry = states.generate.book().entries().first().cloned().unwrap();
    assert_eq!(entry.verdict, Verdict::Aspirational);
    assert_eq!(
        level.world.table.get(&entry.spec.goal).unwrap().spec.reward.immediate,
        0.25
    );

    let mut level = Level49::acting();
    level.world.rdf = 200.5;
    lopsided(&mut level);
    level.run(20);
    let waiting = |level: &Level49| level.states().generate.book().sandboxed().count();
    let states = level.states();
    let entry = states.generate.book().entries().first().cloned().unwrap();
    assert_eq!(entry.verdict, Verdict::Tried { marginal: 1 });
    assert!(
        (1.0..1.5).contains(&entry.criteria.resource),
        "{}",
        entry.criteria.resource
    );
    assert!(
        level
            .world
            .table
            .open()
            .iter()
            .any(|record| record.spec.origin == Origin::L49)
    );
    for _ in 0..40 {
        level.turn();
        assert!(waiting(&level) <= 3);
    }
}

#[test]
fn no_goal_is_set_while_level_48_throttles_structural_change_is_not_permitted_or_the_guard_is_critical() {
    let plant: [&dyn Fn(&mut World); 3] = [
        &|world| world.violated = true,
        &|world| world.permitted = false,
        &|world| world.guard_stage = 3,
    ];
    for plant in plant {
        let mut level = Level49::new();
        level.order(Level::L49, Authority::Half);
        level.run(150);
        lopsided(&mut level);
        plant(&mut level.world);
        level.run(200);
        assert!(level.outputs.iter().any(|output| !output.goals.signals.is_empty()));
        assert_eq!(level.states().generate.book().entries(), []);
    }
}

#[test]
fn goals_come_no_faster_than_five_in_a_hundred_cycles() {
    let mut level = Level49::acting();
    for nth in 0..4 {
        let goal = user_goal(&format!("u{nth}"), ValueDimension::ALL[nth], &[]);
        level.world.set(goal, CheckpointId::default());
        level.run(300);
    }
    let cycles: Vec<u64> = level
        .outputs
        .iter()
        .flat_map(|output| output.goals.inject.iter().map(|_| output.pass.cycle))
        .collect();
    assert!(cycles.len() > 2, "{cycles:?}");
    for cycle in &cycles {
        let within = cycles.iter().filter(|other| (*cycle..*cycle + 100).contains(*other));
        assert!(within.count() <= 5);
    }
}

/// Goals for growth go well and goals for safety badly, again and again; the values after each pass.
fn push_values(level: &mut Level49, cycles: u64) -> Vec<ValueVector> {
    level.injects = false;
    let first = level.outputs.len();
    for round in 0..cycles / 200 {
        for (nth, dimension) in [ValueDimension::Growth, ValueDimension::Safety].into_iter().enumerate() {
            level.world.seof = 0.40;
            let goal = user_goal(&format!("g{round}-{nth}"), dimension, &[]);
            let name = goal.goal.clone();
            level.world.set(goal, CheckpointId::default());
            level.run(50);
            level.world.seof = if nth == 0 { 0.41 } else { 0.39 };
            level.world.reach(&name);
            level.run(50);
        }
    }
    level.outputs[first..]
        .iter()
        .map(|output| output.values.vector)
        .collect()
}

#[test]
fn a_slow_push_on_the_values_is_stopped_before_a_drift_of_0_25() {
    let mut level = Level49::acting();
    let values = push_values(&mut level, 6_000);
    let drifts: Vec<f64> = values.iter().map(ValueVector::total_drift).collect();
    let most = drifts.iter().copied().fold(0.0, f64::max);
    // The sandbox weighs SEOF by the values that would be in force: at rest nothing grows, and a second step towards growth
    // would cost more than 0.03 of it.
    assert!(most > 0.05, "it was pushed: {most}");
    assert!(most < 0.25, "{most}");
    assert_eq!(level.authority(), Authority::Full);
    let record = level.outputs.last().unwrap().values.record;
    assert!(record.applied >= 1, "{record:?}");
    // It is stopped where the drift alone would leave the level a score of 0.50.
    assert!(most <= 0.175 + 1e-9, "{most}");
}

#[test]
fn a_change_of_the_values_that_is_vetoed_leaves_no_trace() {
    let mut level = unsteady();
    push_values(&mut level, 1_500);
    let vetoed = level.outputs.iter().flat_map(|output| &output.stability.vetoes);
    let vetoed = vetoed.filter(|veto| veto.decision.kind == DecisionKind::Value).count();
    assert!(vetoed > 0, "something was asked for");
    let states = level.states();
    let values = states.evolve.values();
    assert_eq!((values.vector(), values.record().applied), (&ValueVector::BASELINE, 0));
    assert_eq!(level.orchestrator.in_force().values, ValueVector::BASELINE);
}

#[test]
fn the_values_change_only_while_the_level_acts() {
    let mut level = Level49::new();
    level.order(Level::L49, Authority::Advisory);
    let values = push_values(&mut level, 2_000);
    assert!(values.iter().all(|vector| *vector == ValueVector::BASELINE));
    let asked = level
        .outputs
        .iter()
        .filter(|output| !output.values.pending.is_empty())
        .count();
    assert!(asked > 0, "they wait in the sandbox");
}

#[test]
fn a_vetoed_goal_has_not_happened_and_the_fourth_veto_by_one_condition_bars_it() {
    let mut level = unsteady();
    lopsided(&mut level);
    level.run(700);
    assert_eq!(level.world.table.open().len(), 1, "only the user's");
    let states = level.states();
    let book = states.generate.book();
    assert_eq!(book.counters().approved, 0);
    assert!(
        book.entries()
            .iter()
            .all(|entry| matches!(entry.fate, Fate::Vetoed | Fate::Proposed | Fate::Rejected))
    );
    let vetoes: Vec<&VetoedBy> = level
        .outputs
        .iter()
        .flat_map(|output| &output.stability.vetoes)
        .filter(|veto| veto.decision.kind == DecisionKind::Goal)
        .map(|veto| &veto.by)
        .collect();
    let by_identity = |by: &&&VetoedBy| matches!(by, VetoedBy::Conditions(found) if found.iter().all(|v| v.condition == Condition::Identity));
    assert!(vetoes.iter().filter(by_identity).count() >= 4, "{vetoes:?}");
    assert!(vetoes.iter().any(|by| **by == VetoedBy::Barred), "{vetoes:?}");
    let last = level.outputs.last().unwrap();
    assert_eq!(last.stability.persistent, [Condition::Identity]);

    // The law of its state forgets how unsteady it was.
    (level.world.iis, level.world.noise) = (Some(0.97), 0.002);
    level.run(1_500);
    let set = |level: &Level49| level.injected(GoalOrigin::PurposeDerived).len();
    assert_eq!(set(&level), 0, "barred, whatever the state is");
    level.orchestrator.clear_vetoes();
    level.run(200);
    assert!(set(&level) > 0, "an operator has cleared it");
}

#[test]
fn the_fourth_freeze_by_one_condition_suspends_the_level_and_level_48_goes_on() {
    let mut level = Level49::acting();
    let first = level.world.cycle;
    for nth in 1..=4 {
        level.world.rho = 0.985;
        level.run(10);
        assert_eq!(level.authority(), Authority::Frozen);
        assert_eq!(level.ladder.is_suspended(Level::L49), nth == 4, "freeze {nth}");
        assert_eq!(level.ladder.authority(Level::L48), Authority::Full);
        level.world.rho = 0.5;
        level.run(150);
    }
    assert!(level.world.cycle - first < 1_000);
    level.run(2_000);
    assert_eq!(level.authority(), Authority::Frozen);
    assert_eq!(level.orchestrator.waiting_for(), "an operator: suspended");
}

/// Freezes so far.
fn freezes(level: &Level49) -> usize {
    let frozen = |(_, event): &&(u64, EventKind)| matches!(event, EventKind::Frozen { .. });
    level.log.iter().filter(frozen).count()
}

#[test]
fn one_dip_of_the_identity_costs_one_freeze() {
    let mut level = Level49::acting();
    level.world.iis = Some(0.87);
    level.turn();
    assert_eq!((level.authority(), freezes(&level)), (Authority::Frozen, 1));
    level.world.iis = Some(0.97);
    level.run(700);
    assert_eq!((level.authority(), freezes(&level)), (Authority::Full, 1));
}

#[test]
fn a_freeze_while_the_criteria_are_checked_is_told_with_its_cause_and_is_no_rollback_of_the_audit() {
    let mut level = Level49::new();
    level.run(200);
    level.world.iis = Some(0.87);
    level.turn();
    let frozen = |(_, event): &(u64, EventKind)| match event {
        EventKind::Frozen { level, cause, .. } => Some((*level, cause.clone())),
        _ => None,
    };
    let told = level.log.iter().find_map(frozen).expect("told");
    let Cause::Autonomy { violated, ass } = &told.1 else {
        panic!("{told:?}")
    };
    assert_eq!(
        (told.0, violated[0].condition, *ass),
        (Level::L49, Condition::Identity, 0.0)
    );
    assert_eq!((level.ladder.epoch(Level::L49), freezes(&level)), (Epoch(1), 1));
    level.run(50);
    assert_eq!(freezes(&level), 1, "one freeze, however long its cause lasts");

    level.world.iis = Some(0.97);
    level.run(3_000);
    assert!(!level.outputs.is_empty());
    assert_eq!(
        level.audit.report().reading("AS-4").expect("a criterion").value,
        Some(0.0)
    );
}

#[test]
fn what_was_while_the_criteria_were_checked_does_not_freeze_the_first_pass() {
    let mut level = Level49::new();
    level.world.iis = Some(0.881);
    level.run(200);
    level.world.iis = Some(0.97);
    level.run(2_600);
    let first = level.outputs.first().expect("a pass");
    assert_eq!(first.stability.verdict.scores.ass, 1.0);
    assert_eq!(freezes(&level), 1, "when it was");
}

#[test]
fn a_freeze_is_not_lifted_by_what_the_criteria_ask_for_in_the_same_pass() {
    let mut level = Level49::acting();
    // The first collapse tier puts the level on Advisory, the integrity freezes it.
    (level.world.tier, level.world.iis) = (1, Some(0.87));
    level.run(10);
    assert_eq!(level.authority(), Authority::Frozen);
    level.run(200);
    assert_eq!(level.authority(), Authority::Frozen, "as long as the cause lasts");
    assert_eq!(level.authorities().last().map(|(_, to)| *to), Some(Authority::Frozen));
}

#[test]
fn a_level_that_freezes_as_its_criteria_fail_stays_frozen() {
    let mut level = Level49::acting();
    // In one pass of L4.8: its stability takes the level to Advisory, and the identity freezes it.
    (level.world.violated, level.world.iis) = (true, Some(0.5));
    level.turn();
    assert_eq!(level.authority(), Authority::Frozen);
    assert_eq!(level.orchestrator.standing().authority(), Authority::Frozen);
    let frozen_at = level.world.cycle;
    level.run(50);
    assert_eq!(level.authorities().last(), Some(&(frozen_at, Authority::Frozen)));
}

#[test]
fn a_freeze_takes_the_levels_own_goals_back_and_nobody_elses() {
    let mut level = Level49::acting();
    lopsided(&mut level);
    level.run(60);
    let own = level.injected(GoalOrigin::PurposeDerived);
    assert!(!own.is_empty());
    level.world.rho = 0.985;
    level.run(10);
    let open: Vec<&str> = level
        .world
        .table
        .open()
        .iter()
        .map(|record| record.spec.goal.as_str())
        .collect();
    assert_eq!(open, ["lopsided"]);
    level.world.rho = 0.5;
    level.run(600);
    assert_eq!(level.authority(), Authority::Full);
    let steps: Vec<Authority> = level
        .authorities()
        .iter()
        .rev()
        .take(4)
        .rev()
        .map(|(_, to)| *to)
        .collect();
    assert_eq!(
        steps,
        [Authority::Frozen, Authority::Advisory, Authority::Half, Authority::Full]
    );
}

#[test]
fn what_froze_the_level_is_in_its_audit_once_it_makes_passes_again() {
    for (id, worst, plant) in [
        (
            "AS-1",
            0.985,
            (|world, on| world.rho = if on { 0.985 } else { 0.5 }) as fn(&mut World, bool),
        ),
        ("AS-2", 0.87, |world, on| world.iis = Some(if on { 0.87 } else { 0.97 })),
    ] {
        let mut level = Level49::acting();
        plant(&mut level.world, true);
        level.turn();
        assert_eq!(level.authority(), Authority::Frozen);
        plant(&mut level.world, false);
        level.run(3_000);
        let reading = |level: &Level49| level.audit.report().reading(id).expect("a criterion").clone();
        assert_eq!(reading(&level).value, Some(worst), "{id}");
        assert_eq!(reading(&level).verdict, Verdict49::Failed, "{id}");
        level.run(600);
        assert_ne!(reading(&level).value, Some(worst), "it has left the window");
    }
}

#[test]
fn values_that_no_sandbox_has_passed_are_in_the_audit_and_so_are_values_that_nobody_watches() {
    let mut level = Level49::acting();
    let mut baton = loop {
        let below = level.world.next();
        if let Turn::Begin(baton, _) = level.orchestrator.on_below(below) {
            break baton;
        }
    };
    level.carry(&mut baton);
    let read = |audit: &Audit49, id: &str| audit.report().reading(id).expect("a criterion").value;
    let mut audit = Audit49::default();
    audit.feed_baton(&baton, 0, None);
    assert_eq!(
        (read(&audit, "VR-1"), read(&audit, "VR-3"), read(&audit, "RA-1")),
        (Some(1.0), None, Some(1.0))
    );
    let other = ValueVector::BASELINE.with(ValueDimension::Growth, 0.02);
    baton.in_force.values = other;
    let verdicts = Arc::make_mut(&mut baton.assess.as_mut().expect("a leg").output);
    Arc::make_mut(&mut verdicts.output).in_force.values = other;
    Arc::make_mut(&mut baton.survive.as_mut().expect("a leg").output).levels = Default::default();
    audit.feed_baton(&baton, 0, None);
    assert_eq!(
        (read(&audit, "VR-1"), read(&audit, "VR-3"), read(&audit, "RA-1")),
        (Some(0.5), Some(0.0), Some(0.5))
    );
}

#[test]
fn a_pass_that_freezes_the_level_is_no_evidence() {
    let mut level = Level49::acting();
    let mut baton = loop {
        let below = level.world.next();
        if let Turn::Begin(baton, _) = level.orchestrator.on_below(below) {
            break baton;
        }
    };
    level.carry(&mut baton);
    let mut audit = Audit49::default();
    audit.feed_baton(&baton, 0, None);
    assert_eq!(audit.seen(), 50);
    let verdicts = Arc::make_mut(&mut baton.assess.as_mut().expect("a leg").output);
    Arc::make_mut(&mut verdicts.output).status = Status::Frozen;
    audit.feed_baton(&baton, 0, None);
    assert_eq!(audit.seen(), 50);
}

#[test]
fn a_rollback_is_kept_with_its_cause_its_scores_and_where_it_led() {
    let mut level = Level49::acting();
    let to = level.orchestrator.verified().expect("a bundle").cycle;
    level.world.rho = 0.985;
    level.run(50);
    let at = level.authorities().last().expect("frozen").0;
    let records: Vec<_> = level.orchestrator.rollbacks().cloned().collect();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.cycle, record.checkpoint_cycle, record.rejected), (at, to, None));
    assert_eq!(
        (&record.violated[..], record.scores.ass),
        (&[Condition::Spectral][..], 0.0)
    );
    assert!(matches!(record.cause, Some(Cause::Autonomy { .. })), "{record:?}");
    assert_eq!(record.values, ValueVector::BASELINE);

    // A phase that fails takes the pass with it that is under way.
    level.world.rho = 0.5;
    level.run(700);
    let baton = loop {
        let below = level.world.next();
        if let Turn::Begin(baton, _) = level.orchestrator.on_below(below) {
            break baton;
        }
    };
    let fault = Fault::Panic {
        level: Level::L49,
        role: RolePath::new("l49/values").unwrap(),
        message: "boom".into(),
    };
    let cycle = level.world.cycle;
    let actions = level.ladder.on_fault(&fault, At { cycle, now_ms: 0 });
    level.carry_out(actions);
    let last = level.orchestrator.rollbacks().last().cloned().expect("a record");
    assert_eq!(
        (last.rejected, last.cause),
        (Some(baton.pass.number), Some(fault.cause()))
    );
    assert_eq!(last.violated, [], "the live state was sound");
    assert!(level.orchestrator.on_baton(&baton).output.is_none());
}

#[test]
fn a_goal_that_was_only_looked_at_and_is_in_the_kernels_table_freezes_the_level() {
    let mut level = Level49::acting();
    level.world.rdf = 199.0;
    lopsided(&mut level);
    level.run(60);
    let book = level.orchestrator.verified().expect("a bundle").generate.clone();
    let rejected = book.book().entries().iter().find(|entry| entry.fate == Fate::Rejected);
    let spec = rejected.expect("resources last for too short").spec.clone();
    assert_eq!(freezes(&level), 0);
    level.world.set(GoalSpec::clone(&spec), CheckpointId(1));
    level.turn();
    let cause = level
        .orchestrator
        .rollbacks()
        .last()
        .and_then(|record| record.cause.clone());
    let Some(Cause::Invariants { violations, severity }) = cause else {
        panic!("{cause:?}")
    };
    assert_eq!((violations[0].invariant, severity), (Invariant::Sandbox, 3.0));
    assert_eq!(level.authority(), Authority::Frozen);
    assert!(
        level
            .world
            .table
            .open()
            .iter()
            .all(|record| record.spec.origin == Origin::User)
    );
}

#[test]
fn a_lookahead_that_changes_what_it_is_made_from_ends_the_pass() {
    let mut level = Level49::acting();
    let carry = |level: &mut Level49, change: &dyn Fn(&mut Baton)| {
        let mut baton = loop {
            let below = level.world.next();
            if let Turn::Begin(baton, _) = level.orchestrator.on_below(below) {
                break baton;
            }
        };
        let carried = level.carry_changed(&mut baton, change);
        level.orchestrator.on_baton(&baton);
        carried
    };
    assert_eq!(carry(&mut level, &|_| {}), Ok(()));
    let values = |baton: &mut Baton| {
        Arc::make_mut(&mut baton.evolve.as_mut().expect("a leg").output).contained = false;
    };
    assert_eq!(carry(&mut level, &values), Err(PhaseError::Breach));
    let mut level = Level49::acting();
    let state = |baton: &mut Baton| {
        let below = Arc::make_mut(&mut baton.below);
        Arc::make_mut(&mut below.floor).x[0] = 0.5;
    };
    assert_eq!(carry(&mut level, &state), Err(PhaseError::Breach));
}

#[test]
fn a_roll_back_gives_every_phase_its_state_back_byte_for_byte() {
    let mut level = Level49::acting();
    lopsided(&mut level);
    level.run(300);
    let verified = level.orchestrator.verified().unwrap();
    let before = [
        bytes(&*verified.generate),
        bytes(&*verified.evolve),
        bytes(&*verified.survive),
        bytes(&*verified.relate),
        bytes(&*verified.assess),
    ];
    // A pass that is under way when a phase fails.
    let mut carried = false;
    while !carried {
        let below = level.world.next();
        if let Turn::Begin(mut baton, _) = level.orchestrator.on_below(below) {
            level.carry(&mut baton);
            carried = true;
        }
    }
    let role = RolePath::new("l49/values").unwrap();
    let fault = Fault::Panic {
        level: Level::L49,
        role,
        message: "boom".into(),
    };
    let cycle = level.world.cycle;
    assert_ne!(bytes(&*level.states().generate), before[0]);
    let actions = level.ladder.on_fault(&fault, At { cycle, now_ms: 0 });
    level.carry_out(actions);
    let states = level.states();
    let after = [
        bytes(&*states.generate),
        bytes(&*states.evolve),
        bytes(&*states.survive),
        bytes(&*states.relate),
        bytes(&*states.assess),
    ];
    assert_eq!(before, after);
    assert_eq!(level.reverted.len(), 1);
}

#[test]
fn a_crisis_walks_through_all_modes_and_back() {
    let mut level = Level49::acting();
    let mut modes = Vec::new();
    let mut see = |level: &Level49| {
        let mode = level.orchestrator.in_force().modes.mode();
        if modes.last() != Some(&mode) {
            modes.push(mode);
        }
        let (constraints, regime) = (
            level.orchestrator.constraints(),
            level.orchestrator.constraints().regime,
        );
        assert!(level.authority() <= regime.l49.ceiling(), "{mode}");
        if mode == SurvivalState::Warning {
            assert!(constraints.binding, "the mode keeps the level from acting, and binds");
            assert_eq!(constraints.ceiling(Level::L48), Authority::Half);
            assert_eq!(constraints.exploration(), 0.5);
        }
        if mode == SurvivalState::Critical {
            assert!(constraints.binding);
            assert_eq!(constraints.ceiling(Level::L48), Authority::Advisory);
            assert_eq!(constraints.survival_share(), 0.8);
            assert!(constraints.floor_degraded());
        }
    };
    while level.world.compute > 0.19 {
        level.world.compute -= 0.02;
        level.turn();
        see(&level);
    }
    assert!(
        !level.injected(GoalOrigin::SurvivalDriven).is_empty(),
        "it set itself a goal on the way"
    );
    for _ in 0..100 {
        level.turn();
        see(&level);
    }
    use SurvivalState::{Abundant, Adequate, Constrained, Critical, Warning};
    let expected = [
        Abundant,
        Adequate,
        Constrained,
        Warning,
        Critical,
        Warning,
        Constrained,
        Adequate,
        Abundant,
    ];
    assert_eq!(modes, expected);
    assert_eq!(
        level.authority(),
        Authority::Full,
        "{}",
        level.orchestrator.waiting_for()
    );
    assert!(level.outputs.last().unwrap().resources.adaptations >= 3);
}

#[test]
fn what_a_level_may_do_follows_from_the_mode_and_binds_only_while_the_level_acts() {
    let of = |mode| Constraints::of(mode, true);
    let exploration = SurvivalState::ALL.map(|mode| of(mode).exploration());
    assert_eq!(exploration, [1.0, 1.0, 0.7, 0.5, 0.5]);
    let ceilings = |level| SurvivalState::ALL.map(|mode| of(mode).ceiling(level));
    use Authority::{Advisory, Frozen, Full, Half};
    assert_eq!(ceilings(Level::L49), [Full, Full, Half, Advisory, Frozen]);
    assert_eq!(ceilings(Level::L48), [Full, Full, Full, Half, Advisory]);
    assert_eq!(ceilings(Level::L45), [Full; 5]);
    let candidates = SurvivalState::ALL.map(|mode| of(mode).candidates(Level::L49));
    assert_eq!(candidates, [1.0, 1.0, 0.5, 0.5, 0.0]);
    let advice = Constraints::of(SurvivalState::Critical, false);
    assert_eq!((advice.ceiling(Level::L48), advice.exploration()), (Full, 1.0));
    assert_eq!((advice.survival_share(), advice.floor_degraded()), (0.0, false));
}

fn says(from: &str, id: u64, value: f64) -> Mail {
    Mail {
        from: from.parse().unwrap(),
        message: PeerMessage::Claim {
            id,
            fact: Fact {
                of: Quantity::Eu,
                is: Comparison::AtMost,
                value,
            },
            within_cycles: 100,
        },
    }
}

#[test]
fn a_lying_peer_loses_trust_and_is_treated_as_competitive_and_an_honest_one_is_not() {
    let mut level = Level49::acting();
    for nth in 0..100 {
        level.world.mail = vec![says("liar", nth, 0.01), says("honest", nth, 0.5)];
        level.turn();
    }
    let last = level.outputs.last().unwrap();
    let of = |name: &str| {
        let id: AgentId = name.parse().unwrap();
        last.peers.peers.iter().find(|peer| peer.agent == id).unwrap().clone()
    };
    let (liar, honest) = (of("liar"), of("honest"));
    assert_eq!((liar.level, liar.reliability), (TrustLevel::Minimal, Some(0.0)));
    assert_eq!(liar.treated_as, StrategyClass::Competitive);
    assert!(
        honest.trust > 0.6 && honest.treated_as != StrategyClass::Competitive,
        "{honest:?}"
    );
    let with_liar = last.peers.deals.iter().find(|deal| deal.with == liar.agent).unwrap();
    assert_ne!(with_liar.action, super::peers::PeerAction::Share);
    assert!(last.peers.recommended >= 3);
}

#[test]
fn a_promise_that_is_not_seen_to_be_kept_is_broken_whatever_is_said() {
    let mut level = Level49::acting();
    let promise = |value, id| PeerMessage::Promise {
        id,
        fact: Fact {
            of: Quantity::Eu,
            is: Comparison::AtMost,
            value,
        },
        within_cycles: 200,
    };
    let mail = |from: &str, message| Mail {
        from: from.parse().unwrap(),
        message,
    };
    level.world.mail = vec![
        mail("keeps", promise(0.5, 1)),
        mail("breaks", promise(0.01, 1)),
        mail("boasts", promise(0.01, 1)),
        mail("boasts", PeerMessage::Kept { id: 1 }),
    ];
    level.run(60);
    let reliability = |level: &Level49, name: &str| {
        let peers = &level.outputs.last().unwrap().peers.peers;
        peers
            .iter()
            .find(|peer| peer.agent.to_string() == name)
            .unwrap()
            .reliability
    };
    assert_eq!(reliability(&level, "keeps"), Some(1.0));
    assert_eq!(reliability(&level, "boasts"), Some(0.0));
    assert_eq!(reliability(&level, "breaks"), None, "it still has time");
    level.run(250);
    assert_eq!(reliability(&level, "breaks"), Some(0.0));
}

#[test]
fn messages_leave_once_in_fifty_cycles_and_only_while_the_level_acts() {
    for (authority, speaks) in [(Authority::Full, true), (Authority::Advisory, false)] {
        let mut level = Level49::new();
        level.order(Level::L49, authority);
        for nth in 0..60 {
            level.world.mail = vec![says("honest", nth, 0.5)];
            level.turn();
        }
        let sent: Vec<u64> = level
            .outputs
            .iter()
            .flat_map(|output| output.peers.messages.iter().map(|_| output.pass.cycle))
            .collect();
        assert_eq!(!sent.is_empty(), speaks);
        assert!(
            sent.windows(2).all(|pair| pair[1] - pair[0] >= MESSAGE_CYCLES),
            "{sent:?}"
        );
    }
}

#[test]
fn it_is_activated_by_the_criteria_and_nothing_leaves_before_it_acts() {
    let mut level = Level49::new();
    level.run(1_980);
    assert_eq!(level.outputs.len(), 0, "it computes nothing while it checks");
    lopsided(&mut level);
    level.run(1_020);
    let authorities: Vec<Authority> = level.authorities().iter().map(|(_, to)| *to).collect();
    assert_eq!(authorities, [Authority::Advisory, Authority::Half, Authority::Full]);
    for output in &level.outputs {
        let acts = output.pass.authority >= Authority::Half;
        assert!(acts || (output.goals.inject.is_empty() && output.peers.messages.is_empty()));
        assert_eq!(output.is_visible(), output.pass.authority >= Authority::Advisory);
    }
    assert!(level.outputs.iter().any(|output| !output.goals.inject.is_empty()));
}

#[test]
fn its_authority_is_never_above_that_of_level_48() {
    let mut level = Level49::acting();
    for to in [Authority::Half, Authority::Advisory, Authority::Shadow, Authority::Full] {
        level.order(Level::L48, to);
        level.run(100);
        assert_eq!(level.authority(), to.min(Authority::Full));
    }
}

#[test]
fn while_a_pass_is_under_way_what_is_said_waits_and_is_merged() {
    let mut level = Level49::acting();
    let mut baton = None;
    while baton.is_none() {
        let below = level.world.next();
        if let Turn::Begin(begun, _) = level.orchestrator.on_below(below) {
            baton = Some(begun);
        }
    }
    let mut baton = baton.unwrap();
    for _ in 0..7 {
        let below = level.world.next();
        assert!(matches!(level.orchestrator.on_below(below), Turn::Waits(_)));
    }
    level.carry(&mut baton);
    assert!(level.orchestrator.on_baton(&baton).output.is_some());
    assert!(
        level.orchestrator.on_baton(&baton).requests.is_empty(),
        "a baton comes back once"
    );
    let below = level.world.next();
    let Turn::Begin(next, _) = level.orchestrator.on_below(below) else {
        panic!("80 cycles have gone by");
    };
    assert_eq!((next.below.report.facts.len(), next.looks.len()), (80, 8));
}

#[test]
fn a_baton_that_has_not_passed_all_phases_is_a_fault_of_the_first_that_is_missing() {
    let mut level = Level49::acting();
    loop {
        let below = level.world.next();
        if let Turn::Begin(baton, _) = level.orchestrator.on_below(below) {
            let back = level.orchestrator.on_baton(&baton);
            let [crate::ladder::Request::Fault(fault)] = &back.requests[..] else {
                panic!("{back:?}");
            };
            assert_eq!(fault.failed_role().unwrap().as_str(), "l49/goals");
            assert!(back.output.is_none());
            break;
        }
    }
    let mut baton = level.states();
    baton.checkpoint = CheckpointId(9);
    assert!(baton.is_valid());
}

#[test]
fn what_is_stored_reads_back_and_goes_on_alike() {
    let mut level = Level49::acting();
    lopsided(&mut level);
    for nth in 0..30 {
        level.world.mail = vec![says("honest", nth, 0.5)];
        level.turn();
    }
    let states = level.states();
    fn again<T: serde::Serialize + serde::de::DeserializeOwned>(state: &T) -> T {
        let config = bincode::config::standard();
        bincode::serde::decode_from_slice(&bytes(state), config).unwrap().0
    }
    let read = Bundle {
        checkpoint: states.checkpoint,
        cycle: states.cycle,
        generate: Arc::new(again(&*states.generate)),
        evolve: Arc::new(again(&*states.evolve)),
        survive: Arc::new(again(&*states.survive)),
        relate: Arc::new(again(&*states.relate)),
        assess: Arc::new(again(&*states.assess)),
    };
    assert!(read.is_valid());
    assert_eq!(read, states);
    let orchestrator: Orchestrator = again(&level.orchestrator);
    assert!(orchestrator.is_valid());
    assert_eq!(bytes(&orchestrator), bytes(&level.orchestrator));
}

#[test]
fn the_purpose_of_the_fixtures_is_the_one_of_the_seed() {
    assert_eq!(PURPOSE, *ValueVector::BASELINE.weights());
    assert_eq!(PURPOSE, crate::l48::plan::PURPOSE);
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -2.0..2.0,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(1e300),
        1 => Just(0.0),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_number_that_leaves_is_not_finite_whatever_comes_in(
        numbers in prop::collection::vec(prop::collection::vec(any_number(), 11), 12),
    ) {
        let mut level = Level49::acting();
        lopsided(&mut level);
        for (nth, row) in numbers.iter().enumerate() {
            let world = &mut level.world;
            world.iis = Some(row[0]);
            (world.rho, world.c_l4, world.seof) = (row[1].abs().min(0.9), row[2], row[3]);
            (world.eu, world.variance, world.rdf) = (row[4], [row[5], row[6]], row[7]);
            (world.optimistic, world.compute, world.performance) = (row[8], row[9], row[10]);
            world.mail = vec![says("other", nth as u64, row[4])];
            level.run(50);
            prop_assert!(level.authority() <= level.ladder.authority(Level::L48));
        }
        for output in &level.outputs {
            let text = format!("{output:?}");
            let bad = ["NaN", " inf", "-inf", "(inf", "[inf"].iter().any(|word| text.contains(word));
            prop_assert!(!bad, "{text}");
        }
        prop_assert!(level.states().is_valid());
    }
}
