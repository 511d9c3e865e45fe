//! Getting a lease: the first, one after a restart, and one after it was lost.
//!
//! What the node still owns by the map does not start before it has a higher epoch, so that everything that was sent in its
//! name before is stale, wherever it waits (see [`Ownership::changes`](crate::handover::Ownership::changes)).

use super::lease::Lease;
use super::records::{LeaseRow, MemberRow, MemberState, Need, Proposal, Write};
use super::skew::Skew;
use super::{Action, Kind, Membership, Notice, Predecessor, State, Time};
use rungs_mesh::role::Role;

impl Membership {
    pub(super) fn compare(&mut self, skew: Skew, out: &mut Vec<Action>) {
        self.clock = Some(skew);
        if let Skew::Beyond { ahead_ms } = skew {
            out.push(Action::Say(Notice::ClockOff { ahead_ms }));
        }
    }

    pub(super) fn join(&mut self, now: Time, out: &mut Vec<Action>) {
        if !self.decides() || now < self.stopped_at {
            return;
        }
        let lease = self.view.leases.get(&self.me.node.name);
        if self.leaving && lease.is_none_or(|row| row.holder != self.me.node) {
            // It has stopped, and has nothing any more that it could hand over.
            return self.end(Notice::Left, now, out);
        }
        if !self.has_right_clock(now, out) {
            return;
        }
        let name = &self.me.node.name;
        let lease = self.view.leases.get(name);
        let is_free = match lease {
            Some(row) if row.holder != self.me.node => {
                let is_over = self
                    .watches
                    .get(name)
                    .is_some_and(|watch| watch.is_over(&self.timing, now));
                self.predecessor == Predecessor::Ended || is_over
            }
            _ => true,
        };
        if !is_free {
            return;
        }
        let row = self.view.members.get(name);
        let renewal = lease.map_or(0, |row| row.renewal) + 1;
        let proposal = Proposal {
            needs: vec![
                Need::Member(name.clone(), row.cloned()),
                Need::Lease(name.clone(), lease.cloned()),
            ],
            writes: vec![
                Write::Member(MemberRow {
                    identity: self.me.clone(),
                    state: self.state_after(row, lease.is_some()),
                }),
                Write::Lease(LeaseRow {
                    holder: self.me.node.clone(),
                    renewal,
                }),
            ],
        };
        self.propose(now, Kind::Join { renewal }, proposal, out);
    }

    /// A clock is compared once, if there is anybody to compare with.
    fn has_right_clock(&mut self, now: Time, out: &mut Vec<Action>) -> bool {
        let others = self
            .view
            .leases
            .values()
            .any(|row| row.holder.name != self.me.node.name);
        if !others || self.clock == Some(Skew::Within) {
            return true;
        }
        if now >= self.clock_at {
            self.clock_at = now.after(self.timing.read);
            out.push(Action::CheckClock);
        }
        false
    }

    /// A node that was only out of reach is what it was before; any other joins anew.
    fn state_after(&self, row: Option<&MemberRow>, has_lease: bool) -> MemberState {
        if self.me.role == Role::Admin {
            return MemberState::Live;
        }
        match row {
            Some(row) if row.identity.node == self.me.node && has_lease => row.state,
            _ => MemberState::Joining,
        }
    }

    pub(super) fn joined(&mut self, now: Time, renewal: u64, sent: Time, out: &mut Vec<Action>) {
        let lease = Lease { renewal, sent };
        if self.state == State::Outside && now < lease.stops_at(&self.timing) {
            self.state = State::Member(lease);
            self.duties.begin_anew();
            out.push(Action::Say(Notice::Serving));
        }
    }
}
