use super::*;
use rungs_mind::ladder::Action;
use rungs_types::RolePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn at(cycle: u64) -> At {
    At { cycle, now_ms: cycle }
}

fn panic_of(role: &str) -> Fault {
    Fault::Panic {
        level: Level::L48,
        role: RolePath::new(role).expect("a role"),
        message: "x".into(),
    }
}

fn wish(to: Authority) -> Request {
    Request::Authority {
        to,
        reason: "activation".into(),
    }
}

/// A governor whose L4.8 has full authority, by the way that promotions go.
fn at_full() -> Governor {
    let governor = Governor::new(Ladder::new(Level::L48));
    governor.requests(Level::L48, Epoch(0), vec![wish(Authority::Full)], at(1));
    assert!(governor.promote(Level::L48, Authority::Full));
    assert!(governor.next().is_some());
    governor
}

#[test]
fn a_promotion_is_in_force_only_when_it_is_carried_out() {
    let governor = Governor::new(Ladder::new(Level::L48));
    governor.requests(Level::L48, Epoch(0), vec![wish(Authority::Full)], at(1));
    let reader = governor.reader();
    assert_eq!(
        reader.read(Level::L48).authority,
        Authority::Shadow,
        "decided, not persisted"
    );
    assert!(governor.promote(Level::L48, Authority::Full));
    assert_eq!(reader.read(Level::L48).authority, Authority::Full);
}

#[test]
fn a_freeze_is_in_force_when_the_call_returns_and_its_rest_waits_in_order() {
    let governor = at_full();
    assert!(governor.fault(&panic_of("l48/observe"), at(5)));
    let standing = governor.reader().read(Level::L48);
    assert_eq!((standing.authority, standing.epoch), (Authority::Frozen, Epoch(1)));
    assert!(!governor.fault(&panic_of("l48/emit"), at(5)), "it is frozen already");
    let decision = governor.next().expect("to be carried out");
    assert_eq!((decision.at.cycle, decision.epochs[2]), (5, Epoch(1)));
    assert!(matches!(
        decision.actions[0],
        Action::FreezeFrom {
            level: Level::L48,
            hold: false
        }
    ));
    assert!(governor.next().is_none());
}

#[test]
fn a_promotion_that_a_freeze_has_overtaken_is_not_put_in_force() {
    let governor = Governor::new(Ladder::new(Level::L48));
    governor.requests(Level::L48, Epoch(0), vec![wish(Authority::Full)], at(1));
    governor.fault(&panic_of("l48/observe"), at(2));
    assert!(!governor.promote(Level::L48, Authority::Full));
    assert_eq!(governor.reader().read(Level::L48).authority, Authority::Frozen);
}

#[test]
fn what_a_level_asks_for_under_an_epoch_that_has_passed_changes_nothing() {
    let governor = at_full();
    governor.fault(&panic_of("l48/observe"), at(5));
    governor.next();
    governor.requests(Level::L48, Epoch(0), vec![wish(Authority::Full)], at(6));
    assert!(governor.next().is_none());
    assert_eq!(governor.ladder().authority(Level::L48), Authority::Frozen);
}

#[test]
fn decisions_of_a_dead_tree_wait_for_the_next_one() {
    let governor = at_full();
    governor.fault(&panic_of("l48/observe"), at(5));
    let rung = Arc::new(AtomicUsize::new(0));
    let bell = Arc::clone(&rung);
    governor.attach(move || {
        bell.fetch_add(1, Ordering::AcqRel);
    });
    assert_eq!(rung.load(Ordering::Acquire), 1, "it rings at once");
    governor.fault(&Fault::EthicsHash, at(6));
    assert_eq!(rung.load(Ordering::Acquire), 2);
    governor.detach();
    assert_eq!(
        [governor.next().map(|d| d.at.cycle), governor.next().map(|d| d.at.cycle)],
        [Some(5), Some(6)]
    );
}

#[test]
fn a_wrong_hash_of_the_ethical_kernel_parks_the_agent_until_an_operator_starts_it() {
    let governor = at_full();
    governor.fault(&Fault::EthicsHash, at(5));
    assert_eq!(governor.reader().read(Level::L45).authority, Authority::Frozen);
    let decision = governor.next().expect("to be carried out");
    assert!(
        decision
            .actions
            .iter()
            .any(|action| matches!(action, Action::Park { .. }))
    );
    governor.unpark(at(6));
    let decision = governor.next().expect("to be carried out");
    assert!(decision.actions.contains(&Action::Reenable { level: Level::L48 }));
}

#[test]
fn a_record_counts_at_the_first_start_only() {
    let record = at_full();
    record.fault(&panic_of("l48/observe"), at(5));
    let governor = Governor::new(Ladder::new(Level::L48));
    governor.resume_once(Some(record.ladder()), Level::L48, at(6));
    assert_eq!(governor.reader().read(Level::L48), record.reader().read(Level::L48));
    governor.resume_once(Some(Ladder::new(Level::L48)), Level::L48, at(6));
    assert_eq!(governor.reader().read(Level::L48).epoch, Epoch(1));
}

#[test]
fn a_level_that_the_record_does_not_know_can_be_frozen() {
    let governor = Governor::new(Ladder::new(Level::L49));
    governor.resume_once(Some(at_full().ladder()), Level::L49, at(5));
    let reader = governor.reader();
    assert!(governor.promote(Level::L49, Authority::Shadow), "once it is persisted");
    governor.requests(Level::L49, Epoch(0), vec![wish(Authority::Full)], at(6));
    assert!(governor.promote(Level::L49, Authority::Full));
    let fault = Fault::Autonomy {
        violated: Vec::new(),
        ass: 0.01,
    };
    assert!(governor.fault(&fault, at(7)));
    let standing = reader.read(Level::L49);
    assert_eq!((standing.authority, standing.epoch), (Authority::Frozen, Epoch(1)));
    assert!(!governor.promote(Level::L49, Authority::Full), "and stays so");
}

#[test]
fn decisions_that_nobody_carries_out_are_bounded() {
    let governor = Governor::new(Ladder::new(Level::L48));
    for cycle in 0..2 * MAX_DECISIONS as u64 {
        let to = if cycle % 2 == 0 {
            Authority::Advisory
        } else {
            Authority::Shadow
        };
        governor.requests(Level::L48, Epoch(0), vec![wish(to)], at(cycle));
    }
    let waiting = std::iter::from_fn(|| governor.next()).count();
    assert_eq!(waiting, MAX_DECISIONS);
}
