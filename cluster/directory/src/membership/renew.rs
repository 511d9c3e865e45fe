//! Keeping the lease, and giving it up: in time, when others took it, or when the node leaves.

use super::lease::Lease;
use super::records::{Answer, LeaseRow, MemberState, Need, Proposal, Write};
use super::{Action, Kind, Membership, Notice, State, Time};
use rungs_types::NodeId;

impl Membership {
    /// Stops before the lease ends (self-fencing).
    pub(super) fn stop_in_time(&mut self, now: Time, out: &mut Vec<Action>) {
        if let State::Member(lease) = self.state
            && now >= lease.stops_at(&self.timing)
        {
            self.fall_out(Notice::Fenced, lease.ends_at(&self.timing), out);
        }
    }

    fn fall_out(&mut self, notice: Notice, by: Time, out: &mut Vec<Action>) {
        self.state = State::Outside;
        self.is_fresh = false;
        self.renewing = None;
        self.stopped_at = by;
        self.ownership.clear();
        // Whoever did not reach the store cannot tell who else did not: all get their time again.
        self.watches.clear();
        out.push(Action::Stop { by });
        out.push(Action::Say(notice));
    }

    pub(super) fn renew(&mut self, now: Time, lease: Lease, out: &mut Vec<Action>) {
        if self.renewing.is_some() || !self.knows_lease || now < lease.renews_at(&self.timing) {
            return;
        }
        let holder = self.me.node.clone();
        let node = holder.name.clone();
        let row = |renewal| LeaseRow {
            holder: holder.clone(),
            renewal,
        };
        let renewal = lease.renewal + 1;
        let proposal = Proposal {
            needs: vec![Need::Lease(node, Some(row(lease.renewal)))],
            writes: vec![Write::Lease(row(renewal))],
        };
        self.propose(now, Kind::Renew { renewal }, proposal, out);
    }

    pub(super) fn renewed(&mut self, renewal: u64, sent: Time, answer: Answer) {
        match (&mut self.state, answer) {
            (State::Member(lease), Answer::Committed(_)) => *lease = Lease { renewal, sent },
            // An earlier renewal came true late, or the lease is lost; the store says which.
            _ => self.knows_lease = false,
        }
    }

    /// Looks for its own lease in what it has just read.
    pub(super) fn find_self(&mut self, now: Time, out: &mut Vec<Action>) {
        let me = &self.me.node;
        let row = self.view.members.get(&me.name);
        let newer = row
            .map(|row| &row.identity.node)
            .filter(|node| node.incarnation > me.incarnation);
        if let Some(newer) = newer.cloned() {
            return self.end(Notice::Superseded(newer), now, out);
        }
        let State::Member(lease) = &mut self.state else {
            return;
        };
        match self.view.leases.get(&me.name) {
            Some(found) if found.holder == *me => {
                // A renewal came true whose answer did not come. When it was sent is not known any more, so the time of
                // the one before counts.
                if self.renewing.is_none() {
                    lease.renewal = lease.renewal.max(found.renewal);
                }
            }
            _ if self.leaving && row.is_some_and(|row| row.state == MemberState::Left) => {
                self.end(Notice::Left, now, out);
            }
            _ => self.fall_out(Notice::Expelled, now.after(self.timing.stop), out),
        }
    }

    /// Says that it is leaving; and leaves, when it has handed over all that it had.
    pub(super) fn leave(&mut self, now: Time, out: &mut Vec<Action>) {
        let State::Member(lease) = self.state else {
            return;
        };
        if !self.leaving || !self.decides() {
            return;
        }
        let NodeId { name, .. } = self.me.node.clone();
        let Some(row) = self.view.members.get(&name).cloned() else {
            return;
        };
        let mut after = row.clone();
        if row.state != MemberState::Draining {
            after.state = MemberState::Draining;
            let proposal = Proposal {
                needs: vec![Need::Member(name, Some(row))],
                writes: vec![Write::Member(after)],
            };
            return self.propose(now, Kind::Drain, proposal, out);
        }
        if self.view.map.names(&name) || self.renewing.is_some() {
            return;
        }
        after.state = MemberState::Left;
        let held = LeaseRow {
            holder: self.me.node.clone(),
            renewal: lease.renewal,
        };
        let proposal = Proposal {
            needs: vec![
                Need::Member(name.clone(), Some(row)),
                Need::Lease(name.clone(), Some(held)),
                Need::Map(self.view.map.version()),
            ],
            writes: vec![Write::Member(after), Write::DropLease(name)],
        };
        self.propose(now, Kind::Leave, proposal, out);
    }
}
