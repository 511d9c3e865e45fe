//! What members do for the cluster: find leases that ended, and make the map follow who is there.
//!
//! Who is first in line does it at once; each of the others waits a little longer, and finds it done. The line is
//! different for each version of the map, so that no node has all the work, and leaves out those that are suspect.

use super::records::{MemberState, Need, Proposal, View, Write};
use super::{Action, Kind, Membership, State, Time};
use crate::placement::planner;
use rungs_mesh::role::Role;
use rungs_types::NodeName;
use std::sync::Arc;

/// What was looked at last, and since when it is so.
#[derive(Debug, Clone, Default)]
pub(super) struct Duties {
    view: Arc<View>,
    dead: Vec<NodeName>,
    since: Time,
    /// Whether it was found that nothing is to be done.
    is_done: bool,
}

impl Duties {
    pub(super) fn begin_anew(&mut self) {
        *self = Self::default();
    }

    /// Keeps the time while nothing changed that a plan depends on.
    fn look(&mut self, view: &Arc<View>, dead: Vec<NodeName>, now: Time) {
        let is_same = Arc::ptr_eq(&self.view, view)
            || (self.view.map.version() == view.map.version()
                && self.view.pins == view.pins
                && self.view.members == view.members);
        self.view = Arc::clone(view);
        if !is_same || self.dead != dead {
            self.dead = dead;
            self.since = now;
            self.is_done = false;
        }
    }
}

impl Membership {
    pub(super) fn do_duty(&mut self, now: Time, out: &mut Vec<Action>) {
        let may = matches!(self.state, State::Member(_)) && self.me.role != Role::Admin;
        if !may || !self.decides() {
            return;
        }
        let dead = self.ended(now);
        self.duties.look(&self.view, dead, now);
        if self.duties.is_done {
            return;
        }
        let dead = self.duties.dead.clone();
        let Some(place) = self.place_in_line(&dead) else {
            return;
        };
        let turn = self.duties.since.after(self.timing.stagger.saturating_mul(place));
        if now < turn {
            return;
        }
        match propose(&self.view, &dead) {
            Some(proposal) => self.propose(now, Kind::Duty { dead }, proposal, out),
            None => self.duties.is_done = true,
        }
    }

    /// Members whose leases are over.
    fn ended(&self, now: Time) -> Vec<NodeName> {
        let over = self
            .watches
            .iter()
            .filter(|(_, watch)| watch.is_over(&self.timing, now));
        let over = over.filter(|(node, watch)| self.view.leases.get(*node) == Some(&watch.row));
        over.map(|(node, _)| node.clone()).collect()
    }

    fn place_in_line(&self, dead: &[NodeName]) -> Option<u32> {
        let is_out =
            |node: &NodeName| dead.contains(node) || (self.suspects.contains(node) && *node != self.me.node.name);
        let line = self.view.candidates(&is_out);
        planner::line(&line, self.view.map.version())
            .position(|node| *node == self.me.node.name)
            .map(|place| place as u32)
    }
}

/// Most members whose ends, and whose shares, are written in one commit: what is left is written in the next.
const MAX_AT_ONCE: usize = 16;

/// What should change, if anything.
fn propose(view: &View, dead: &[NodeName]) -> Option<Proposal> {
    let candidates = view.candidates(&|node| dead.contains(node));
    let plan = planner::plan(&view.map, &candidates, &view.pins);
    let mut proposal = Proposal {
        needs: vec![Need::Map(view.map.version())],
        writes: Vec::new(),
    };
    if !plan.is_empty() {
        let map = view.map.apply(&plan.steps());
        let map = map.expect("a plan fits the map that it was made for");
        proposal.writes.push(Write::Map(Arc::new(map)));
    }
    for node in dead.iter().take(MAX_AT_ONCE) {
        let lease = view.leases.get(node).cloned();
        proposal.needs.push(Need::Lease(node.clone(), lease));
        proposal.writes.push(Write::DropLease(node.clone()));
        proposal.change(view, node, MemberState::Dead);
    }
    for node in plan.settled.iter().take(MAX_AT_ONCE) {
        proposal.change(view, node, MemberState::Live);
    }
    (!proposal.writes.is_empty()).then_some(proposal)
}

impl Proposal {
    /// Changes what became of a member, if it is in the view; on condition that it is as the view says.
    fn change(&mut self, view: &View, node: &NodeName, state: MemberState) {
        let Some(row) = view.members.get(node) else {
            return;
        };
        let mut after = row.clone();
        after.state = state;
        self.needs.push(Need::Member(node.clone(), Some(row.clone())));
        self.writes.push(Write::Member(after));
    }
}
