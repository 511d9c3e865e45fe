use super::*;
use proptest::prelude::*;

fn node(text: &str) -> NodeId {
    text.parse().expect("a node id")
}

#[test]
fn a_lease_is_read_as_it_was_written() {
    let lease = Lease {
        holder: node("n1~1767225600000"),
        token: Epoch(7),
        ends_at: StoreTime::from_ms(9),
    };
    assert_eq!(LeaseTable::decode(1, &LeaseTable::encode(&lease)), Some(lease));
    assert_eq!(LeaseTable::decode(1, b"short"), None);
    let name = "node/n1".to_owned();
    assert_eq!(LeaseTable::read_key(&LeaseTable::key(&name)), Some(name));
}

proptest! {
    #[test]
    fn a_lease_goes_to_another_only_when_it_is_over(holder in 0..3_u64, asks in 0..3_u64, ends in 0..20_u64, now in 0..20_u64, token in 1..9_u64) {
        let node = |number: u64| node(&format!("n{number}~1"));
        let found = Lease { holder: node(holder), token: Epoch(token), ends_at: StoreTime::from_ms(ends) };
        let time = StoreTime::from_ms(now);
        let request = Request { holder: node(asks), ttl: Duration::from_millis(5), now: time };
        match decide(Some(&found), &request, time) {
            Ok((lease, not_before)) => {
                prop_assert_eq!(lease.ends_at, StoreTime::from_ms(now + 5));
                if now < ends {
                    prop_assert_eq!((holder, lease.token), (asks, found.token));
                } else {
                    prop_assert_eq!((lease.token, not_before), (found.token.next(), found.ends_at));
                }
            }
            Err(error) => {
                prop_assert!(now < ends && holder != asks);
                prop_assert_eq!(error, LeaseError::Taken(found));
            }
        }
    }
}
