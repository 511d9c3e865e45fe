//! Membership of one node: [`Membership::step`] takes what happened and says what to do. It never waits, reads no clock and
//! no store; an actor, a simulation or a model does that for it.
//!
//! 1. A node acts only while it holds a lease ([`lease`]), and only for shards that the map gives it at the epoch it acts
//!    with. Where it cannot renew, as in the smaller half of a partition, it stops its agents before the lease ends and says
//!    so; when the store answers again it joins by itself, at higher epochs.
//! 2. Only a lease that ended makes a member dead. A session that broke makes it suspect: others plan without waiting for
//!    it, and nothing else.
//! 3. No node leads. Any member changes the map, on condition that it still is the version it decided by; they take turns
//!    ([`Timing::stagger`]) only to save conflicts.
//! 4. An answer that did not come may have come true. Nothing is concluded from it but that the store has to be read.
//! 5. After its own commit a node acts by no state of the store that is older.

mod duties;
mod join;
pub mod lease;
pub mod operate;
pub mod records;
mod renew;
pub mod skew;
pub mod timing;
pub mod voters;

pub use records::{Answer, Identity, LeaseRow, MemberRow, MemberState, Need, Proposal, Revision, View, Write};
pub use rungs_mesh::role::Role;
pub use skew::{ClockSample, Skew};
pub use timing::{Time, Timing, TimingError};

use crate::handover::{Arrival, Ownership, Route, ShardAction};
use crate::placement::{Candidate, MapVersion, Shard};
use lease::{Lease, Watch};
use rungs_types::{NodeId, NodeName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How often at least a node has to be told that time passed.
pub const MAX_TICK: Duration = Duration::from_millis(100);

/// How soon at the earliest the store is read again after it did not show yet what it was read for.
pub const MIN_READ_GAP: Duration = Duration::from_millis(50);

/// Names a proposal in its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// Time passed; at least every [`MAX_TICK`].
    Tick,
    /// The store as it was read, or as a watch showed it. May be old.
    Seen(Arc<View>),
    /// What became of a proposal.
    Answered {
        /// Which.
        ticket: Ticket,
        /// What.
        answer: Answer,
    },
    /// How the clocks compare, as [`Action::CheckClock`] asked.
    Clock(Skew),
    /// The mesh gained or lost its session with a node.
    Session {
        /// The node.
        peer: NodeName,
        /// Whether there is one now.
        up: bool,
    },
    /// Somebody acts by a map that this node has not seen.
    NewerMap(MapVersion),
    /// The agents of a shard that was to be held have stopped.
    Released(Shard),
    /// Hand everything over and leave.
    Leave,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read the store.
    Read,
    /// Put this to the store.
    Propose {
        /// Comes back with the answer.
        ticket: Ticket,
        /// What.
        proposal: Proposal,
    },
    /// Compare this node's clock with a member's.
    CheckClock,
    /// Stop all agents and refuse what is held for them. From `by` on nothing may act.
    Stop {
        /// When it has to be done.
        by: Time,
    },
    /// A shard's part.
    Shard(ShardAction),
    /// Tell operators.
    Say(Notice),
}

/// What operators hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The node has a lease and acts.
    Serving,
    /// It could not renew its lease, and has stopped. It tries to join again.
    Fenced,
    /// Others ended its lease.
    Expelled,
    /// A later start of the same node took its name. This one is over.
    Superseded(NodeId),
    /// It has left.
    Left,
    /// Its clock is wrong, so it does not join. Positive if it is behind.
    ClockOff {
        /// By how much.
        ahead_ms: i64,
    },
    /// It found a member's lease ended.
    Dead(NodeName),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serving => write!(f, "serving"),
            Self::Fenced => write!(
                f,
                "fenced: the lease could not be renewed; not serving until it joins again"
            ),
            Self::Expelled => write!(f, "expelled: the lease was ended by others; joining again"),
            Self::Superseded(by) => write!(f, "superseded by {by}"),
            Self::Left => write!(f, "left"),
            Self::ClockOff { ahead_ms } => write!(
                f,
                "not joining: the cluster's clocks are {ahead_ms} ms ahead of this one"
            ),
            Self::Dead(node) => write!(f, "{node} is dead: its lease ended"),
        }
    }
}

/// Whether the start of this node before this one is known to have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predecessor {
    /// It is: this one holds the lock on its data folder. Its lease can be taken over at once.
    Ended,
    /// It is not: its lease has to end first.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// It holds no lease and tries to get one.
    Outside,
    /// It holds a lease.
    Member(Lease),
    /// It will never act again.
    Over,
}

/// A proposal that has no answer yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    ticket: Ticket,
    at: Time,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Renew { renewal: u64 },
    Join { renewal: u64 },
    Drain,
    Leave,
    Finish,
    Duty { dead: Vec<NodeName> },
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Membership {
    me: Identity,
    timing: Timing,
    predecessor: Predecessor,
    state: State,
    leaving: bool,
    clock: Option<Skew>,
    /// The latest state of the store that was seen.
    view: Arc<View>,
    /// Whether the view was read since the last answer: only then may something be decided by it.
    is_fresh: bool,
    /// Whether the number of the last renewal is known.
    knows_lease: bool,
    /// States of the store before this one are not acted by.
    floor: Revision,
    /// A map that is known to exist.
    newest: MapVersion,
    watches: BTreeMap<NodeName, Watch>,
    suspects: BTreeSet<NodeName>,
    ownership: Ownership,
    renewing: Option<Sent>,
    proposed: Option<Sent>,
    tickets: Ticket,
    reading: Option<Time>,
    read_at: Time,
    read_not_before: Time,
    clock_at: Time,
    /// Until then what it had may still be stopping; it does not begin again before.
    stopped_at: Time,
    duties: duties::Duties,
}

impl Membership {
    /// A node that is about to join.
    pub fn new(me: Identity, timing: Timing, predecessor: Predecessor) -> Result<Self, TimingError> {
        timing.check()?;
        Ok(Self {
            ownership: Ownership::new(me.node.name.clone()),
            me,
            timing,
            predecessor,
            state: State::Outside,
            leaving: false,
            clock: None,
            view: Arc::default(),
            is_fresh: false,
            knows_lease: true,
            floor: Revision::default(),
            newest: MapVersion::default(),
            watches: BTreeMap::new(),
            suspects: BTreeSet::new(),
            renewing: None,
            proposed: None,
            tickets: Ticket::default(),
            reading: None,
            read_at: Time::default(),
            read_not_before: Time::default(),
            clock_at: Time::default(),
            stopped_at: Time::default(),
            duties: duties::Duties::default(),
        })
    }

    /// This node.
    pub fn node(&self) -> &NodeId {
        &self.me.node
    }

    /// The store as this node has seen it last.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What this node owns, and the map it follows.
    pub fn ownership(&self) -> &Ownership {
        &self.ownership
    }

    /// Whether this node may act in the name of what it owns.
    pub fn acts(&self, now: Time) -> bool {
        matches!(&self.state, State::Member(lease) if now < lease.ends_at(&self.timing))
    }

    /// Until when this node may act, unless it renews its lease; none if it may not.
    pub fn acts_until(&self) -> Option<Time> {
        match &self.state {
            State::Member(lease) => Some(lease.ends_at(&self.timing)),
            State::Outside | State::Over => None,
        }
    }

    /// Whether it was told to leave.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether there is anybody else who could take a shard.
    pub fn can_hand_over(&self) -> bool {
        let others = self.view.candidates(&|node| *node == self.me.node.name);
        others.iter().any(Candidate::receives)
    }

    /// Whether it will never act again.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Whether the mesh has lost a node. It may be well.
    pub fn is_suspect(&self, node: &NodeName) -> bool {
        self.suspects.contains(node)
    }

    /// Where a message goes.
    pub fn route(&self, now: Time, arrival: Arrival) -> Route {
        self.ownership.route(arrival, self.acts(now))
    }

    /// Takes in what happened, and says what to do, in this order.
    pub fn step(&mut self, now: Time, input: Input) -> Vec<Action> {
        let mut out = Vec::new();
        if self.is_over() {
            return out;
        }
        self.stop_in_time(now, &mut out);
        match input {
            Input::Tick => {}
            Input::Seen(view) => self.see(now, view, &mut out),
            Input::Answered { ticket, answer } => self.take_answer(now, ticket, answer, &mut out),
            Input::Clock(skew) => self.compare(skew, &mut out),
            Input::Session { peer, up } => {
                if up {
                    self.suspects.remove(&peer);
                } else {
                    self.suspects.insert(peer);
                }
            }
            Input::NewerMap(version) => self.newest = self.newest.max(version),
            Input::Released(shard) => self.ownership.released(shard),
            Input::Leave => self.leaving = true,
        }
        self.give_up_waiting(now, &mut out);
        self.pursue(now, &mut out);
        out
    }

    /// What it wants at this moment, the most urgent first.
    fn pursue(&mut self, now: Time, out: &mut Vec<Action>) {
        match &self.state {
            State::Over => return,
            State::Outside => self.join(now, out),
            State::Member(lease) => {
                let lease = *lease;
                self.renew(now, lease, out);
                self.leave(now, out);
                self.finish(now, out);
                self.do_duty(now, out);
            }
        }
        let asked = self.view.map.version() < self.newest || !self.is_fresh || !self.knows_lease;
        let is_due = (asked && now >= self.read_not_before) || now >= self.read_at;
        if self.reading.is_none() && is_due {
            self.reading = Some(now);
            out.push(Action::Read);
        }
    }

    fn see(&mut self, now: Time, view: Arc<View>, out: &mut Vec<Action>) {
        self.reading = None;
        self.read_at = now.after(self.timing.read);
        let is_old = view.revision < self.floor || view.revision < self.view.revision;
        if is_old || view.map.version() < self.newest {
            self.read_not_before = now.after(MIN_READ_GAP);
        }
        if is_old {
            return;
        }
        self.is_fresh = true;
        self.knows_lease = true;
        self.view = view;
        self.watch(now);
        self.find_self(now, out);
        let map = Arc::clone(&self.view.map);
        self.newest = self.newest.max(map.version());
        if matches!(self.state, State::Member(_)) {
            let actions = self.ownership.follow(&map);
            out.extend(actions.into_iter().map(Action::Shard));
        } else {
            self.ownership.learn(&map);
        }
    }

    /// Watches the leases of all others, and of earlier starts of this node.
    fn watch(&mut self, now: Time) {
        let view = Arc::clone(&self.view);
        self.watches.retain(|node, _| view.leases.contains_key(node));
        for (node, row) in view.leases.iter().filter(|(_, row)| row.holder != self.me.node) {
            match self.watches.get_mut(node) {
                Some(watch) => watch.see(row, now),
                None => drop(self.watches.insert(node.clone(), Watch::new(row.clone(), now))),
            }
        }
    }

    fn take_answer(&mut self, now: Time, ticket: Ticket, answer: Answer, out: &mut Vec<Action>) {
        let is = |sent: &&mut Option<Sent>| sent.as_ref().is_some_and(|sent| sent.ticket == ticket);
        let slots = [&mut self.renewing, &mut self.proposed];
        // An answer that was given up is no news: the store has been read since, or will be.
        let Some(sent) = slots.into_iter().find(is).and_then(Option::take) else {
            return;
        };
        self.conclude(now, sent, answer, out);
    }

    fn conclude(&mut self, now: Time, sent: Sent, answer: Answer, out: &mut Vec<Action>) {
        if let Kind::Renew { renewal } = sent.kind {
            return self.renewed(renewal, sent.at, answer);
        }
        self.is_fresh = false;
        let Answer::Committed(revision) = answer else {
            return;
        };
        self.floor = self.floor.max(revision);
        match sent.kind {
            Kind::Join { renewal } => self.joined(now, renewal, sent.at, out),
            Kind::Leave => self.end(Notice::Left, now, out),
            Kind::Duty { dead } => out.extend(dead.into_iter().map(Notice::Dead).map(Action::Say)),
            Kind::Renew { .. } | Kind::Drain | Kind::Finish => {}
        }
    }

    /// What was not answered in time has an unknown outcome.
    fn give_up_waiting(&mut self, now: Time, out: &mut Vec<Action>) {
        let answer = self.timing.answer;
        let late = |sent: &mut Sent| now.since(sent.at) >= answer;
        let given_up = [self.renewing.take_if(late), self.proposed.take_if(late)];
        for sent in given_up.into_iter().flatten() {
            self.conclude(now, sent, Answer::Unknown, out);
        }
        self.reading.take_if(|at| now.since(*at) >= answer);
    }

    fn propose(&mut self, now: Time, kind: Kind, proposal: Proposal, out: &mut Vec<Action>) {
        self.tickets.0 += 1;
        let ticket = self.tickets;
        let is_renewal = matches!(kind, Kind::Renew { .. });
        let sent = Sent { ticket, at: now, kind };
        match is_renewal {
            true => self.renewing = Some(sent),
            false => self.proposed = Some(sent),
        }
        out.push(Action::Propose { ticket, proposal });
    }

    /// Whether something may be decided by the view.
    fn decides(&self) -> bool {
        self.is_fresh && self.proposed.is_none()
    }

    /// Writes what only the owner of a shard may: that it is handed over, or begins again.
    fn finish(&mut self, now: Time, out: &mut Vec<Action>) {
        let steps = match self.decides() {
            true => self.ownership.changes(),
            false => return,
        };
        if steps.is_empty() {
            return;
        }
        let map = self.view.map.apply(&steps);
        let map = map.expect("what a node has to change fits the map that it follows");
        let proposal = Proposal {
            needs: vec![Need::Map(self.view.map.version())],
            writes: vec![Write::Map(Arc::new(map))],
        };
        self.propose(now, Kind::Finish, proposal, out);
    }

    fn end(&mut self, notice: Notice, now: Time, out: &mut Vec<Action>) {
        self.state = State::Over;
        self.ownership.clear();
        out.push(Action::Stop { by: now });
        out.push(Action::Say(notice));
    }
}

#[cfg(test)]
mod tests;
