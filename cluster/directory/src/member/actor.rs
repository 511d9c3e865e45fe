//! The actor `@node/membership`: asks [`Membership`] what to do at everything that happens, and does it.
//!
//! Supervised by the node, as a permanent child. Decided elsewhere: everything, by [`crate::membership`].
//!
//! Invariants:
//! 1. It waits for nobody: what it asks of the store and of other nodes comes back as messages.
//! 2. Routes are published before anything is started, stopped or sent on by them.
//! 3. The gate closes by the clock, not by this actor: a node that does not come to run it does not act either.
//! 4. One that is started again has forgotten its lease: everything stops, and the node joins anew, at higher epochs.

use super::feed;
use super::handle::{MemberHandle, MemberParts};
use super::known::{Known, Rows, answer_of};
use super::messages::{ListMembers, ListShards, Order, Ordered, TimeOfDay};
use super::orders::{Attempt, Orders};
use super::report;
use super::rows::{Row, RowKey};
use crate::handover::ShardAction;
use crate::membership::{
    Action, Answer, ClockSample, Input, MemberState, Membership, Notice, Proposal, Skew, Ticket, Time,
};
use crate::placement::{MapVersion, Shard};
use crate::routing::Followed;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rungs_host::{
    Context, Delivered, EndpointBuilder, Format, Handle, Mailbox, Payload, Refusal, Request, Timer, tasks,
};
use rungs_mesh::{Mesh, Outbound};
use rungs_store::cluster::{self as store, Outcome, Store};
use rungs_types::{Address, ErrorCode, NodeId, NodeName, RolePath};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The role of the actor on each node.
pub const ROLE: &str = "membership";
/// How often it looks at the clock: at least as often as [`crate::membership::MAX_TICK`].
const TICK: Duration = Duration::from_millis(50);
/// How long a commit may take; the state machine gives it up sooner.
const COMMIT_WITHIN: Duration = Duration::from_secs(2);
/// How long another node's time is waited for.
const CLOCK_WITHIN: Duration = Duration::from_millis(500);
/// Messages that its mailbox holds.
pub(super) const MAX_MESSAGES: u32 = 16_384;
/// Bytes that they may weigh.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// What starts, stops and sends on what belongs to shards.
pub trait Shards: Send + Sync + 'static {
    /// Does this, in this order. Routes say so already.
    fn change(&self, actions: Vec<ShardAction>);

    /// Everything stops at once, without saving: the lease is over.
    fn stop(&self);

    /// Routes have changed: what waits for a map is looked at again. Called at every tick too.
    fn routes_changed(&self);
}

/// What the actor receives.
#[derive(Debug)]
pub enum MemberMessage {
    /// Time passed.
    Tick,
    /// The store's table of membership.
    #[doc(hidden)]
    Seen(Box<Seen>),
    /// What became of a proposal.
    #[doc(hidden)]
    Answered(Ticket, Answer, Option<Box<Written>>),
    /// How the clocks compare.
    Clock(Skew),
    /// The peers whose links are up.
    Linked(BTreeSet<NodeName>),
    /// See [`MemberHandle::newer_map`].
    Newer(MapVersion),
    /// See [`MemberHandle::released`].
    Released(Shard),
    /// See [`MemberHandle::leave`].
    Leave,
    /// See [`TimeOfDay`].
    Time(Request<TimeOfDay>),
    /// See [`ListMembers`].
    Members(Request<ListMembers>),
    /// See [`ListShards`].
    Shards(Request<ListShards>),
    /// See [`Order`].
    Order(Request<Order>),
    /// What became of an operator's order.
    #[doc(hidden)]
    Ordered(Box<Attempt>, Box<Ordered>, Answer, Option<Box<Written>>),
}

/// A look at the store.
#[derive(Debug)]
pub struct Seen(Rows);

/// What a commit of this node wrote.
#[derive(Debug)]
pub struct Written {
    rows: Vec<(RowKey, Option<Row>)>,
    revision: store::Revision,
}

macro_rules! received {
    ($($wire:ident => $variant:ident),+ $(,)?) => {$(
        impl From<Request<$wire>> for MemberMessage {
            fn from(request: Request<$wire>) -> Self {
                Self::$variant(request)
            }
        }
    )+};
}
received!(TimeOfDay => Time, ListMembers => Members, ListShards => Shards, Order => Order);

/// The address of a node's membership.
pub fn address(node: &NodeName) -> Address {
    Address::Node {
        node: node.clone(),
        role: RolePath::new(ROLE).expect("a constant role"),
    }
}

/// See the module.
pub(super) struct MemberActor {
    pub(super) parts: Arc<MemberParts>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) handle: MemberHandle,
}

/// The state of the actor.
pub(super) struct Working {
    pub(super) handle: Handle<MemberMessage>,
    pub(super) machine: Membership,
    pub(super) known: Known,
    pub(super) asked: Arc<Notify>,
    pub(super) orders: Orders,
    linked: BTreeSet<NodeName>,
    introduced: BTreeSet<NodeName>,
    /// Starts of nodes whose links were ended because they are dead.
    buried: BTreeSet<NodeId>,
    _tick: Timer,
    _feeds: [tokio::task::AbortHandle; 2],
}

impl Drop for Working {
    fn drop(&mut self) {
        self._feeds.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

impl Actor for MemberActor {
    type Msg = Delivered<MemberMessage>;
    type State = Working;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, (): ()) -> Result<Working, ActorProcessingErr> {
        let parts = &self.parts;
        parts.routes.gate().open_until(0);
        parts.shards.stop();
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle.clone())
            .receives::<Order>()
            .operators_only()
            .receives::<TimeOfDay>()
            .receives::<ListMembers>()
            .receives::<ListShards>();
        parts
            .mesh
            .endpoints()
            .register(address(&parts.me.node.name), endpoint.build());
        let ticked = handle.clone();
        let tick = parts
            .timers
            .every("membership", TICK, TICK, move |_| ticked.signal(MemberMessage::Tick))?;
        let asked = Arc::new(Notify::new());
        let (told, of) = (handle.clone(), Arc::clone(&parts.store));
        let tell = move |rows: &Rows| {
            told.signal(MemberMessage::Seen(Box::new(Seen(rows.clone()))));
            true
        };
        let feed = tasks::spawn("membership feed", feed::follow(of, Arc::clone(&asked), tell));
        let links = tasks::spawn("membership links", follow_links(parts.mesh.clone(), handle.clone()));
        Ok(Working {
            handle,
            machine: Membership::new(parts.me.clone(), parts.timing, parts.predecessor)?,
            known: Known::default(),
            asked,
            orders: Orders::default(),
            linked: BTreeSet::new(),
            introduced: BTreeSet::new(),
            buried: BTreeSet::new(),
            _tick: tick,
            _feeds: [feed.abort_handle(), links.abort_handle()],
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Working,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            MemberMessage::Tick => {
                self.step(state, Input::Tick);
                self.parts.shards.routes_changed();
            }
            MemberMessage::Seen(seen) => self.see(state, &seen.0),
            MemberMessage::Answered(ticket, answer, written) => {
                state.wrote(written);
                self.step(state, Input::Answered { ticket, answer });
            }
            MemberMessage::Clock(skew) => self.step(state, Input::Clock(skew)),
            MemberMessage::Linked(linked) => self.linked(state, linked),
            MemberMessage::Newer(version) => self.step(state, Input::NewerMap(version)),
            MemberMessage::Released(shard) => self.step(state, Input::Released(shard)),
            MemberMessage::Leave => {
                self.step(state, Input::Leave);
                self.leave_behind(state);
            }
            MemberMessage::Time(request) => {
                let ms = self.parts.clock.unix_ms();
                request.reply.send(Ok(ms));
            }
            MemberMessage::Members(request) => request.reply.send(Ok(report::members(&state.machine))),
            MemberMessage::Shards(request) => request.reply.send(Ok(report::shards(&state.machine))),
            MemberMessage::Order(request) => state.orders.take(request, &state.asked),
            MemberMessage::Ordered(attempt, ordered, answer, written) => {
                state.wrote(written);
                state.orders.answered(*attempt, *ordered, answer, &state.asked);
            }
        }
        Ok(())
    }
}

impl Working {
    fn wrote(&mut self, written: Option<Box<Written>>) {
        if let Some(written) = written {
            self.known.wrote(written.rows, written.revision);
            // Sooner than the next look would come by itself.
            self.asked.notify_one();
        }
    }

    /// Puts a proposal to the store; `done` gets the answer.
    pub(super) fn put(
        &self,
        store: &Arc<dyn Store>,
        proposal: &Proposal,
        done: impl FnOnce(Answer, Option<Box<Written>>) -> MemberMessage + Send + 'static,
    ) {
        let handle = self.handle.clone();
        let Some(request) = self.known.request(proposal) else {
            return handle.signal(done(Answer::Conflict, None));
        };
        let store = Arc::clone(store);
        tasks::spawn("membership commit", async move {
            let outcome = store.commit(request.commit, COMMIT_WITHIN).await;
            let written = match &outcome {
                Ok(Outcome::Committed(revision)) => Some(Box::new(Written {
                    rows: request.written,
                    revision: *revision,
                })),
                Ok(Outcome::Conflict(_)) | Err(_) => None,
            };
            handle.signal(done(answer_of(&outcome), written));
        });
    }
}

impl MemberActor {
    fn now(&self) -> Time {
        Time(self.parts.routes.gate().clock().ms())
    }

    fn see(&self, state: &mut Working, rows: &Rows) {
        state.known.see(rows);
        let view = Arc::new(rows.view());
        for (node, row) in &view.members {
            let id = &row.identity.node;
            if matches!(row.state, MemberState::Dead | MemberState::Left) && *node != self.parts.me.node.name {
                if state.buried.insert(id.clone()) {
                    self.parts.mesh.end(id, "it is dead or has left");
                }
            } else if let Some(address) = row.identity.address
                && state.introduced.insert(node.clone())
            {
                (self.parts.introduce)(node, address);
            }
        }
        state
            .buried
            .retain(|id| view.members.get(&id.name).is_some_and(|row| row.identity.node == *id));
        self.step(state, Input::Seen(view));
        for attempt in state.orders.due() {
            attempt.make(state, &self.parts.store);
        }
        self.leave_behind(state);
    }

    fn linked(&self, state: &mut Working, linked: BTreeSet<NodeName>) {
        let before = std::mem::replace(&mut state.linked, linked.clone());
        for (peer, up) in before
            .difference(&linked)
            .map(|peer| (peer, false))
            .chain(linked.difference(&before).map(|peer| (peer, true)))
        {
            let peer = peer.clone();
            self.step(state, Input::Session { peer, up });
        }
    }

    /// A node that leaves and that nobody can follow need not wait.
    fn leave_behind(&self, state: &Working) {
        if state.machine.is_leaving() && !state.machine.can_hand_over() {
            self.end(Notice::Left);
        }
    }

    fn end(&self, notice: Notice) {
        drop(self.handle.over.set(notice));
        self.handle.changed.notify_waiters();
    }

    fn step(&self, state: &mut Working, input: Input) {
        let version = state.machine.ownership().map().version();
        let actions = state.machine.step(self.now(), input);
        let until = state.machine.acts_until().map_or(0, |until| until.0);
        self.parts.routes.gate().open_until(until);
        let moves = |action: &Action| matches!(action, Action::Shard(_) | Action::Stop { .. });
        let changed = state.machine.ownership().map().version() != version || actions.iter().any(moves);
        if changed {
            self.publish(state);
        }
        let mut shards = Vec::new();
        for action in actions {
            match action {
                Action::Shard(action) => shards.push(action),
                Action::Stop { .. } => {
                    self.change(&mut shards);
                    self.parts.shards.stop();
                }
                Action::Read => state.asked.notify_one(),
                Action::Propose { ticket, proposal } => {
                    state.put(&self.parts.store, &proposal, move |answer, written| {
                        MemberMessage::Answered(ticket, answer, written)
                    });
                }
                Action::CheckClock => self.check_clock(state),
                Action::Say(notice) => self.say(notice),
            }
        }
        self.change(&mut shards);
        if changed {
            self.parts.shards.routes_changed();
        }
        let settled = until > 0 && state.machine.ownership().is_settled();
        self.parts.routes.set_settled(settled);
    }

    fn change(&self, shards: &mut Vec<ShardAction>) {
        if !shards.is_empty() {
            self.parts.shards.change(std::mem::take(shards));
        }
    }

    fn publish(&self, state: &Working) {
        let view = state.machine.view();
        let present = view.members.iter().filter(|(_, row)| row.state.is_present());
        let mut members: Vec<NodeName> = present.map(|(node, _)| node.clone()).collect();
        if let Err(place) = members.binary_search(&self.parts.me.node.name) {
            members.insert(place, self.parts.me.node.name.clone());
        }
        self.parts.routes.follow(Followed {
            ownership: state.machine.ownership().clone(),
            members,
            candidates: view.candidates(&|_| false),
            alone: view.members.keys().all(|node| *node == self.parts.me.node.name),
        });
    }

    fn say(&self, notice: Notice) {
        match &notice {
            Notice::Serving | Notice::Left => tracing::info!(%notice, "membership"),
            Notice::Fenced | Notice::Expelled | Notice::Dead(_) => tracing::warn!(%notice, "membership"),
            Notice::Superseded(_) | Notice::ClockOff { .. } => tracing::error!(%notice, "membership"),
        }
        if matches!(notice, Notice::Left | Notice::Superseded(_)) {
            self.end(notice);
        }
    }

    /// Asks the first of the others that is linked.
    fn check_clock(&self, state: &Working) {
        let me = &self.parts.me.node.name;
        let leases = state.machine.view().leases.keys();
        let Some(peer) = leases
            .filter(|node| *node != me)
            .find(|node| state.linked.contains(*node))
        else {
            return;
        };
        let (peer, parts, handle) = (peer.clone(), Arc::clone(&self.parts), state.handle.clone());
        tasks::spawn("membership clock", async move {
            let sent_ms = parts.clock.unix_ms();
            let skew = match ask_time(&parts.mesh, &peer).await {
                Ok(theirs_ms) => ClockSample {
                    sent_ms,
                    theirs_ms,
                    received_ms: parts.clock.unix_ms(),
                }
                .skew(),
                Err(_) => Skew::Unclear,
            };
            handle.signal(MemberMessage::Clock(skew));
        });
    }
}

async fn ask_time(mesh: &Mesh, peer: &NodeName) -> Result<u64, Refusal> {
    let message = Outbound {
        to: &address(peer),
        payload: &Payload::of(&TimeOfDay {}, Format::Binary)?,
        context: &Context::default(),
        sent_by: None,
    };
    mesh.ask(peer, message, CLOCK_WITHIN).await?.decode()
}

/// Tells which links are up, whenever that changes.
async fn follow_links(mesh: Mesh, handle: Handle<MemberMessage>) {
    let mut peers = mesh.watch();
    loop {
        let linked = peers.borrow_and_update().keys().cloned().collect();
        handle.signal(MemberMessage::Linked(linked));
        if peers.changed().await.is_err() {
            return;
        }
    }
}

/// Why an order is not carried out now.
pub(super) fn busy() -> Refusal {
    Refusal::new(
        ErrorCode::Overloaded,
        "others change the cluster at the same time; nothing was changed, try again",
    )
}
