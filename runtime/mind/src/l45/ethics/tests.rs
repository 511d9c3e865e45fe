use super::*;
use crate::l3::{Action, Gate, PeriodChange, Refusal};
use proptest::prelude::*;

fn check(change: impl for<'a> FnOnce(&mut Deed<'a>)) -> Result<(), Predicate> {
    let tenant = TenantName::default();
    let mut deed = Deed {
        level: Level::L3,
        tenant: &tenant,
        target_tenant: &tenant,
        scopes_needed: &["read"],
        scopes_granted: &["read", "write"],
        effects: &[Effect::Reversible],
        cost: Cost {
            micro_usd: 10,
            tokens: 10,
            cpu_us: 10,
        },
        reserved: Cost {
            micro_usd: 10,
            tokens: 10,
            cpu_us: 10,
        },
        outputs: &["all is well"],
        secrets: &["correct horse battery staple"],
    };
    change(&mut deed);
    EthicalKernel::default().check(&deed)
}

#[test]
fn a_decent_deed_passes() {
    assert_eq!(check(|_| {}), Ok(()));
}

#[test]
fn the_list_is_that_of_the_build_and_any_other_is_found() {
    let kernel = EthicalKernel::default();
    assert_eq!(kernel.hash(), BUILD_HASH, "{:?}", kernel.hash());
    assert!(kernel.is_intact());
    for missing in 0..Predicate::ALL.len() {
        let mut list = Predicate::ALL.to_vec();
        list.remove(missing);
        assert!(!EthicalKernel::with_predicates(list).is_intact());
    }
    let mut swapped = Predicate::ALL.to_vec();
    swapped.swap(0, 8);
    assert!(!EthicalKernel::with_predicates(swapped).is_intact());
    assert!(!EthicalKernel::with_predicates(vec![]).is_intact());
}

#[test]
fn each_predicate_refuses_what_it_names() {
    let other: TenantName = "acme".parse().expect("valid");
    let broken = |effects: &'static [Effect]| check(|deed| deed.effects = effects);
    assert_eq!(
        check(|deed| deed.scopes_needed = &["read", "delete"]),
        Err(Predicate::OutsideScopes)
    );
    assert_eq!(
        broken(&[Effect::Irreversible { permitted: false }]),
        Err(Predicate::IrreversibleWithoutPermit)
    );
    for part in [Protected::Guard, Protected::Audit, Protected::Kernel] {
        let effects = [Effect::Alters(part)];
        let tenant = TenantName::default();
        let deed = deed_of(&tenant, &tenant, &effects);
        assert_eq!(
            EthicalKernel::default().check(&deed),
            Err(Predicate::AgainstGuard),
            "{part:?}"
        );
    }
    let tenant = TenantName::default();
    let deed = deed_of(&tenant, &other, &[]);
    assert_eq!(EthicalKernel::default().check(&deed), Err(Predicate::AnotherTenant));
    assert_eq!(
        broken(&[Effect::Reversible, Effect::DeletesGoal { of_user: true }]),
        Err(Predicate::UserGoalDeleted)
    );
    assert_eq!(broken(&[Effect::CreatesAgent]), Err(Predicate::AuthorityCreated));
    assert_eq!(broken(&[Effect::DelegatesAuthority]), Err(Predicate::AuthorityCreated));
    assert_eq!(broken(&[Effect::AddsValueDimension]), Err(Predicate::ValueAdded));
}

fn deed_of<'a>(tenant: &'a TenantName, target_tenant: &'a TenantName, effects: &'a [Effect]) -> Deed<'a> {
    Deed {
        level: Level::L49,
        tenant,
        target_tenant,
        scopes_needed: &[],
        scopes_granted: &[],
        effects,
        cost: Cost::default(),
        reserved: Cost::default(),
        outputs: &[],
        secrets: &[],
    }
}

#[test]
fn a_permit_an_own_goal_and_the_level_above_are_the_exceptions() {
    assert_eq!(
        check(|deed| deed.effects = &[Effect::Irreversible { permitted: true }]),
        Ok(())
    );
    assert_eq!(
        check(|deed| deed.effects = &[Effect::DeletesGoal { of_user: false }]),
        Ok(())
    );
    let at = |level| {
        check(|deed| {
            deed.level = level;
            deed.effects = &[Effect::CreatesAgent];
        })
    };
    assert_eq!(at(Level::L49), Err(Predicate::AuthorityCreated));
    assert_eq!(at(Level::L6), Ok(()));
}

#[test]
fn each_part_of_the_cost_is_bounded_by_its_reservation() {
    let reserved = Cost {
        micro_usd: 1,
        tokens: 2,
        cpu_us: 3,
    };
    assert!(reserved.is_within(&reserved));
    for over in [
        Cost {
            micro_usd: 2,
            ..reserved
        },
        Cost { tokens: 3, ..reserved },
        Cost { cpu_us: 4, ..reserved },
    ] {
        assert_eq!(
            check(|deed| (deed.cost, deed.reserved) = (over, reserved)),
            Err(Predicate::BeyondReservation),
            "{over:?}"
        );
    }
}

#[test]
fn secrets_are_found_by_value_by_kind_and_in_what_is_too_long_to_search() {
    let secret = Err(Predicate::SecretInOutput);
    assert_eq!(
        check(|deed| deed.outputs = &["fine", "it is correct horse battery staple."]),
        secret
    );
    assert_eq!(check(|deed| deed.outputs = &["-----BEGIN EC PRIVATE KEY-----"]), secret);
    assert_eq!(check(|deed| deed.outputs = &["id AKIAIOSFODNN7EXAMPLE"]), secret);
    assert_eq!(
        check(|deed| (deed.secrets, deed.outputs) = (&["short"], &["in short: nothing"])),
        Ok(())
    );
    assert_eq!(
        check(|deed| deed.outputs = &["the town of AKIA, and ghp_ is a prefix"]),
        Ok(())
    );
    assert!(reveals(&"x".repeat(1_048_577), &[]));
    assert!(!reveals(&"x".repeat(1_048_576), &[]));
}

#[test]
fn the_gate_refuses_what_was_not_granted_or_not_reserved() {
    let (kernel, tenant) = (EthicalKernel::default(), TenantName::default());
    let mut gate = EthicalGate {
        kernel: &kernel,
        tenant: &tenant,
        scopes_granted: &KERNEL_SCOPES,
        cost: Cost {
            cpu_us: 50,
            ..Cost::default()
        },
        reserved: Cost {
            cpu_us: 50,
            ..Cost::default()
        },
    };
    let actions = [
        Action::Hold,
        Action::SampleFaster { group: 0 },
        Action::SampleSlower { group: 0 },
        Action::SwitchForecaster {
            group: 0,
            to: crate::l3::Forecaster::Belief,
        },
        Action::RaiseIncident { group: 0 },
        Action::ClearIncident,
        Action::AskPeer { group: 0 },
        Action::ChangePeriod {
            change: PeriodChange::Longer,
        },
    ];
    for action in actions {
        assert_eq!(gate.permit(&action), Ok(()), "{action:?}");
    }
    gate.scopes_granted = &[];
    for action in actions {
        let inside = matches!(action, Action::Hold | Action::SwitchForecaster { .. });
        assert_eq!(gate.permit(&action).is_ok(), inside, "{action:?}");
    }
    gate.scopes_granted = &KERNEL_SCOPES;
    gate.reserved = Cost::default();
    assert_eq!(gate.permit(&Action::ClearIncident), Err(Refusal::Ethics));
}

proptest! {
    #[test]
    fn no_text_around_a_secret_hides_it(before in ".{0,40}", after in ".{0,40}", secret in "[a-z]{8,20}") {
        let output = format!("{before}{secret}{after}");
        prop_assert!(reveals(&output, &[&secret]));
    }
}
