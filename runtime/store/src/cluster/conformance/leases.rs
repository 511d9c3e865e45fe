//! Leases on this store: one holder at a time, by the time that commits tell.

use super::{Subject, WITHIN};
use crate::cluster::commit::{Revision, StoreTime};
use crate::cluster::lease::{Held, LeaseError, Leases, Request};
use crate::cluster::read::Consistency;
use rungs_types::{Epoch, NodeId};
use std::sync::Arc;
use std::time::Duration;

const TTL: Duration = Duration::from_secs(6);

pub(super) async fn check(subject: &Subject) {
    a_lease_has_one_holder_until_it_is_over(subject).await;
    a_lease_that_is_over_is_not_renewed(subject).await;
    a_lost_answer_is_made_up_for(subject).await;
}

fn node(text: &str) -> NodeId {
    text.parse().expect("a node id")
}

fn request(holder: &str, now: StoreTime) -> Request {
    let (holder, ttl) = (node(holder), TTL);
    Request { holder, ttl, now }
}

/// Leases, a name that nobody has, and the time.
async fn fresh(subject: &Subject) -> (Leases, String, StoreTime) {
    let head = subject.head().await;
    let leases = Leases::of(Arc::clone(&subject.store));
    (leases, format!("node/{}", head.revision), head.time)
}

async fn a_lease_has_one_holder_until_it_is_over(subject: &Subject) {
    let (leases, name, start) = fresh(subject).await;
    let held = leases
        .acquire(&name, &request("n1~1", start), WITHIN)
        .await
        .expect("is free");
    assert_eq!((held.lease.token, held.lease.ends_at), (Epoch(1), start.after(TTL)));
    // Not for another node, and not for the same node started anew.
    for other in ["n2~1", "n1~2"] {
        let now = start.after(TTL / 2);
        let taken = leases.acquire(&name, &request(other, now), WITHIN).await;
        assert_eq!(taken, Err(LeaseError::Taken(held.lease.clone())), "{other}");
    }
    let now = start.after(TTL / 2);
    let longer = leases.renew(&held, TTL, now, WITHIN).await.expect("is held");
    assert_eq!((longer.lease.token, longer.lease.ends_at), (Epoch(1), now.after(TTL)));
    let over = longer.lease.ends_at;
    let just_before = StoreTime::from_ms(over.ms - 1);
    assert!(
        leases
            .acquire(&name, &request("n2~1", just_before), WITHIN)
            .await
            .is_err()
    );
    let other = leases
        .acquire(&name, &request("n2~1", over), WITHIN)
        .await
        .expect("is over");
    assert_eq!(
        (other.lease.token, other.lease.holder.clone()),
        (Epoch(2), node("n2~1"))
    );
    // The first one's clock may be slow: it is told all the same.
    for slow in [now, over] {
        assert_eq!(leases.renew(&longer, TTL, slow, WITHIN).await, Err(LeaseError::Lost));
    }
    leases.release(&other, over, WITHIN).await.expect("is held");
    let again = leases
        .acquire(&name, &request("n1~2", over), WITHIN)
        .await
        .expect("was given back");
    assert_eq!(again.lease.token, Epoch(3));
    let found = leases.get(&name, Consistency::Consistent, WITHIN).await.expect("reads");
    assert_eq!(found.value.map(|entry| entry.value), Some(again.lease));
}

async fn a_lease_that_is_over_is_not_renewed(subject: &Subject) {
    let (leases, name, start) = fresh(subject).await;
    let held = leases
        .acquire(&name, &request("n1~1", start), WITHIN)
        .await
        .expect("is free");
    let over = held.lease.ends_at;
    assert_eq!(leases.renew(&held, TTL, over, WITHIN).await, Err(LeaseError::Lost));
    // That renewal told the time: nobody may believe now that it is earlier.
    assert_eq!(subject.head().await.time, over);
    let again = leases
        .acquire(&name, &request("n1~1", start), WITHIN)
        .await
        .expect("is over");
    assert_eq!((again.lease.token, again.lease.ends_at), (Epoch(2), over.after(TTL)));
    leases.release(&again, over, WITHIN).await.expect("is held");
    assert_eq!(leases.release(&again, over, WITHIN).await, Err(LeaseError::Lost));
}

async fn a_lost_answer_is_made_up_for(subject: &Subject) {
    let (leases, name, start) = fresh(subject).await;
    let held = leases
        .acquire(&name, &request("n1~1", start), WITHIN)
        .await
        .expect("is free");
    let same = leases
        .acquire(&name, &request("n1~1", start.after(TTL / 3)), WITHIN)
        .await
        .expect("is its own");
    assert_eq!(same.lease.token, held.lease.token);
    // As if the answer to the second had been lost, and as if nothing was known of any.
    for revision in [held.revision, Revision(0)] {
        let old = Held {
            revision,
            ..held.clone()
        };
        let now = start.after(TTL / 2);
        let longer = leases.renew(&old, TTL, now, WITHIN).await.expect("is its own");
        assert_eq!((longer.lease.token, longer.lease.ends_at), (Epoch(1), now.after(TTL)));
    }
}
