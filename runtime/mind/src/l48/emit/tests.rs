use super::*;
use crate::l48::fixtures::calm_world;
use rungs_types::{CheckpointId, Epoch};

fn pass(authority: Authority) -> Pass {
    Pass {
        number: 4,
        epoch: Epoch(2),
        authority,
        cycle: 120,
        checkpoint: CheckpointId(9),
        structural_permitted: false,
    }
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
