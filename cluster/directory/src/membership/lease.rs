//! The two sides of a lease: [`Lease`], by which a node may act, and [`Watch`], by which others know that it no longer may.
//!
//! The holder counts from when it *sent* the renewal that was confirmed; a watcher from when it first *saw* it, which is
//! later. The holder stops [`Timing::skew`] before the time is over, the watcher waits all of it. So as long as two clocks
//! do not drift apart by more than that within the time of a lease, nobody takes what its holder still has; what time of
//! day the clocks show does not matter, and no time crosses the network.
//!
//! A watcher's word is carried out on condition that the lease in the store is still the one it watched, so a renewal
//! that it has not seen yet wins.

use super::records::LeaseRow;
use super::timing::{Time, Timing};

/// A lease as its holder knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The number of the last renewal that was confirmed.
    pub renewal: u64,
    /// When that was sent.
    pub sent: Time,
}

impl Lease {
    /// When its holder begins to stop its agents.
    pub fn stops_at(&self, timing: &Timing) -> Time {
        self.sent.after(timing.holds().saturating_sub(timing.stop))
    }

    /// When its holder does nothing any more in the name of what it owned.
    pub fn ends_at(&self, timing: &Timing) -> Time {
        self.sent.after(timing.holds())
    }

    /// When it should be renewed.
    pub fn renews_at(&self, timing: &Timing) -> Time {
        self.sent.after(timing.renew)
    }
}

/// Another node's lease as this node has seen it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Watch {
    /// Its last renewal.
    pub row: LeaseRow,
    /// When this node first saw that.
    pub since: Time,
}

impl Watch {
    /// Begins to watch.
    pub fn new(row: LeaseRow, now: Time) -> Self {
        Self { row, since: now }
    }

    /// Takes in what the store says now.
    pub fn see(&mut self, row: &LeaseRow, now: Time) {
        if self.row != *row {
            *self = Self::new(row.clone(), now);
        }
    }

    /// When the lease is over unless it is renewed.
    pub fn ends_at(&self, timing: &Timing) -> Time {
        self.since.after(timing.ttl)
    }

    /// Whether its holder has stopped for certain, if the store still has this row.
    pub fn is_over(&self, timing: &Timing, now: Time) -> bool {
        now >= self.ends_at(timing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rungs_types::{Incarnation, NodeId, NodeName};

    const TIMING: Timing = Timing::DEFAULT;

    fn row(renewal: u64) -> LeaseRow {
        let name = NodeName::new("n1").unwrap();
        let incarnation = Incarnation(1);
        LeaseRow {
            holder: NodeId { name, incarnation },
            renewal,
        }
    }

    #[test]
    fn the_holder_has_stopped_before_a_watcher_says_so() {
        let lease = Lease {
            renewal: 1,
            sent: Time(10_000),
        };
        assert_eq!(lease.renews_at(&TIMING), Time(12_000));
        assert_eq!(lease.stops_at(&TIMING), Time(15_000));
        assert_eq!(lease.ends_at(&TIMING), Time(15_500));
        // It cannot be seen before it is sent.
        let watch = Watch::new(row(1), Time(10_000));
        assert!(!watch.is_over(&TIMING, Time(15_999)));
        assert!(watch.is_over(&TIMING, Time(16_000)));
    }

    #[test]
    fn only_a_renewal_prolongs_a_watch() {
        let mut watch = Watch::new(row(1), Time(0));
        watch.see(&row(1), Time(5_000));
        assert_eq!(watch.ends_at(&TIMING), Time(6_000));
        watch.see(&row(2), Time(5_000));
        assert_eq!(watch.ends_at(&TIMING), Time(11_000));
        let mut restarted = row(2);
        restarted.holder.incarnation = Incarnation(2);
        watch.see(&restarted, Time(7_000));
        assert_eq!(watch.ends_at(&TIMING), Time(13_000));
    }
}
