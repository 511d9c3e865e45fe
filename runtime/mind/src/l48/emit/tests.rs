use super::*;
use crate::l48::fixtures::calm_world;
use crate::l48::plan::{Allocation, Archetype, Choice, Grant, InForce, Ranked, Remedy, Strategy};
use rungs_types::goal::Tier;
use rungs_types::{CheckpointId, Epoch, GoalId};

fn pass(authority: Authority) -> Pass {
    Pass {
        number: 4,
        epoch: Epoch(2),
        authority,
        cycle: 120,
        checkpoint: CheckpointId(9),
        structural_permitted: false,
        reduced: false,
        rebalancing: false,
    }
}

/// A change to the aggressive strategy, one goal, and another that is given up.
fn plan() -> PlanOutput {
    let goal = |name| GoalId::new(name).unwrap();
    let mut plan = PlanOutput {
        chosen: Choice {
            archetype: Archetype::Aggressive,
            strategy: Strategy::AGGRESSIVE,
        },
        ..PlanOutput::default()
    };
    plan.allocation.goals.push(Grant {
        goal: goal("a"),
        share: 0.2,
    });
    plan.stack.ranked.push(Ranked {
        goal: goal("a"),
        tier: Tier::Tactical,
        priority: 0.5,
        queued: false,
    });
    plan.stack.remedies.push(Remedy::Abandon {
        goal: goal("b"),
        circular: false,
    });
    plan
}

fn emit(authority: Authority, response: Response) -> L48Output {
    let verdict = Verdict {
        response,
        structural_permitted: response == Response::Continue,
        ..Verdict::default()
    };
    let capability = IntrospectOutput {
        confidence: Some(0.7),
        ..IntrospectOutput::default()
    };
    let parts = Parts {
        world: Arc::new(calm_world(120)),
        capability: Arc::new(capability),
        plan: Arc::new(plan()),
        stability: Arc::new(verdict),
    };
    Emit::new().step(pass(authority), parts)
}

#[test]
fn advice_of_cycle_n_takes_effect_at_n_plus_10_and_names_its_origin() {
    let advice = emit(Authority::Half, Response::Continue).advice.expect("visible");
    assert_eq!((advice.from_cycle, advice.effective_at), (120, 130));
    assert_eq!(
        (advice.level, advice.epoch, advice.checkpoint),
        (Level::L48, Epoch(2), CheckpointId(9))
    );
    assert_eq!((advice.authority, advice.structural_permitted), (Authority::Half, true));
    assert_eq!(advice.confidence, Some(0.7), "mean calibrated confidence");
    assert_eq!((advice.eu, advice.rdf, advice.variance.len()), (0.1, 10_000.0, 1));
}

#[test]
fn advice_carries_of_the_plan_what_holds_under_the_verdict() {
    let planned = |response| emit(Authority::Full, response).advice.expect("visible").plan.clone();
    let goals = |plan: &InForce| (plan.allocation.goals.len(), plan.order.len(), plan.remedies.len());
    let active = planned(Response::Continue);
    assert_eq!(
        (active.choice.archetype, goals(&active)),
        (Archetype::Aggressive, (1, 1, 1))
    );
    let throttled = planned(Response::Throttle);
    assert_eq!(
        (throttled.choice.archetype, goals(&throttled)),
        (Archetype::Balanced, (1, 1, 0)),
        "no change of strategy, and nothing is given up"
    );
    let rebalancing = planned(Response::Rebalance);
    assert_eq!((rebalancing.choice, goals(&rebalancing)), (Choice::FALLBACK, (0, 0, 0)));
    assert_eq!(rebalancing.allocation, Allocation::minimal());
}

#[test]
fn shadow_is_hidden_and_advisory_is_visible() {
    assert_eq!(emit(Authority::Shadow, Response::Continue).advice, None);
    assert!(emit(Authority::Advisory, Response::Continue).advice.is_some());
}

#[test]
fn a_freezing_pass_gives_no_advice_and_the_status_follows_the_response() {
    let frozen = emit(Authority::Full, Response::Freeze);
    assert_eq!((frozen.status, frozen.advice), (Status::Frozen, None));
    let throttled = emit(Authority::Full, Response::Throttle);
    assert_eq!(throttled.status, Status::Throttled);
    assert!(!throttled.advice.expect("still visible").structural_permitted);
    assert_eq!(emit(Authority::Full, Response::Rebalance).status, Status::Rebalancing);
    assert_eq!(emit(Authority::Full, Response::Continue).status, Status::Active);
}
