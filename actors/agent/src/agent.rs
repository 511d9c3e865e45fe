//! The agent's root: its address, the supervisor of its kernel, guard and levels, and the one that carries out what the
//! ladder decides.
//!
//! Supervised by its host, which starts it again with the ladder's back-off. Decided elsewhere: everything about
//! authority, freezes and restarts of the agent, by `rungs_mind::ladder` behind the governor; how children are restarted,
//! by the host's `supervisor::plan`.
//!
//! Invariants:
//! 1. A failure is told to the governor before anything else is done about it.
//! 2. Decisions are carried out in the order in which they were taken. A demotion is in force before it is persisted; a
//!    promotion is persisted before it is in force.
//! 3. Stop order: levels, guard, kernel. Each leaves its state behind, and the last snapshot is written when all have.
//! 4. Level 4.8 is told every action that concerns it, once and in order, whether or not its supervisor failed meanwhile.

use crate::environment::Description;
use crate::keeper::Keeper;
use crate::kernel::{self};
use crate::level45::{self, Cut};
use crate::level48::Level48;
use crate::level49::Level49;
use crate::messages::*;
use crate::mind::{GetMind, GetOwnGoal};
use crate::phased::Phased;
use crate::relay::Relay;
use crate::snapshot::Record;
use crate::tree::{Registered, Tree, role};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use rungs_host::supervisor::{Change, Children, Exit, Exited, Policy, Started};
use rungs_host::{Delivered, EndpointBuilder, Handle, Mailbox, Membership, Reply, Request, Timer, TreeView};
use rungs_mind::ladder::Fault;
use rungs_types::{Cause, EventKind, Level, RolePath};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The role under which the root appears in events.
pub(crate) const ROLE: &str = "agent";
/// Messages that the root's mailbox holds.
const MAX_MESSAGES: u32 = 256;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 1024 * 1024;
/// How long a cycle may take from its tick to its end before the kernel counts as stuck.
pub(crate) const CYCLE_DEADLINE: Duration = Duration::from_secs(2);

/// How the root treats its children: guard and levels are started again one for one; too often, and the root fails.
const POLICY: Policy = Policy {
    max_restarts: 10,
    window_ms: 60_000,
    backoff_base_ms: 50,
    backoff_max_ms: 5_000,
    stop_within_ms: 10_000,
    ..Policy::ONE_FOR_ONE
};

/// What the root receives.
#[derive(Debug)]
pub(crate) enum AgentMessage {
    /// See [`GetStatus`].
    Status(Request<GetStatus>),
    /// See [`Describe`].
    Describe(Request<Describe>),
    /// See [`Qualify`].
    Qualify(Request<Qualify>),
    /// See [`GetMind`].
    Mind(Request<GetMind>),
    /// See [`GetOwnGoal`].
    OwnGoal(Request<GetOwnGoal>),
    /// See [`GetForecast`].
    Forecast(Request<GetForecast>),
    /// See [`Freeze`].
    Freeze(Request<Freeze>),
    /// See [`Thaw`].
    Thaw(Request<Thaw>),
    /// See [`SetAuthority`].
    Authority(Request<SetAuthority>),
    /// See [`Clear`].
    Clear(Request<Clear>),
    /// See [`ResetIdentity`].
    ResetIdentity(Request<ResetIdentity>),
    /// See [`TakeSnapshot`].
    Snapshot(Request<TakeSnapshot>),
    /// See [`GetPeers`].
    Peers(Request<GetPeers>),
    /// See [`Say`].
    Say(Box<Request<Say>>),
    /// Load and start the children; the first message of a root.
    Boot,
    /// Decisions wait at the governor.
    Decided,
    /// Something is due for the children.
    Wake,
    /// The kernel's and the floor's states at one report.
    Cut(Cut),
    /// A child does not move.
    Stuck(&'static str),
}

impl AgentMessage {
    /// From the agent's own tree, its host or its ladder.
    fn is_internal(&self) -> bool {
        use AgentMessage::{Boot, Cut, Decided, Stuck, Wake};
        matches!(self, Boot | Decided | Wake | Cut(_) | Stuck(_))
    }
}

macro_rules! received {
    ($($wire:ident => $variant:ident),+ $(,)?) => {$(
        impl From<Request<$wire>> for AgentMessage {
            fn from(request: Request<$wire>) -> Self {
                Self::$variant(request)
            }
        }
    )+};
}
received!(
    GetStatus => Status, Describe => Describe, Qualify => Qualify, GetForecast => Forecast, Freeze => Freeze, Thaw => Thaw,
    SetAuthority => Authority, Clear => Clear, TakeSnapshot => Snapshot, GetMind => Mind, GetOwnGoal => OwnGoal,
    GetPeers => Peers, ResetIdentity => ResetIdentity,
);

impl From<Request<Say>> for AgentMessage {
    fn from(request: Request<Say>) -> Self {
        Self::Say(Box::new(request))
    }
}

/// Called when the boot is complete; of one that failed, [`End::NotBooted`] tells.
pub(crate) type Ready = Box<dyn FnOnce() + Send>;

/// See the module.
pub(crate) struct Root {
    pub(crate) tree: Arc<Tree>,
    mailbox: Arc<Mailbox>,
    view: TreeView,
}

/// The state of a [`Root`].
pub(crate) struct Rooted {
    pub(crate) handle: Handle<AgentMessage>,
    pub(crate) children: Children,
    pub(crate) keeper: Keeper,
    pub(crate) ready: Option<Ready>,
    pub(crate) description: Option<Description>,
    /// The way to Level 4.8, if the agent has it.
    pub(crate) level48: Option<Relay<Level48>>,
    /// The way to Level 4.9, likewise.
    pub(crate) level49: Option<Relay<Level49>>,
    /// Why children that the ladder wants restarted have failed.
    pub(crate) causes: BTreeMap<RolePath, Cause>,
    /// Callers that wait for a snapshot.
    pub(crate) snapshots: Vec<Reply<SnapshotTaken>>,
    /// The ladder may have granted more than is in force, because that is not known to be persisted: since the start, or
    /// since the store failed.
    pub(crate) unpersisted: bool,
    pub(crate) watch: Option<Timer>,
    _registered: Registered,
    _member: Option<Membership>,
}

impl Root {
    /// Starts a root below its host; what it loads and starts comes after, and `ready` is told how that went.
    pub(crate) async fn spawn(
        tree: Arc<Tree>,
        ready: Ready,
        host: ActorCell,
    ) -> Result<(Handle<AgentMessage>, Started), SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let view = TreeView::new();
        let hosting = tree.hosting(None, &mailbox);
        let root = Self {
            tree,
            mailbox,
            view: view.clone(),
        };
        let handle = hosting.spawn(root, ready, host).await?;
        let started = Started::from(&handle).with_subtree(view);
        Ok((handle, started))
    }
}

impl Actor for Root {
    type Msg = Delivered<AgentMessage>;
    type State = Rooted;
    type Arguments = Ready;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, ready: Ready) -> Result<Rooted, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle.clone())
            .receives::<GetStatus>()
            .receives::<Describe>()
            .receives::<Qualify>()
            .receives::<GetMind>()
            .receives::<GetOwnGoal>()
            .receives::<GetForecast>()
            .receives::<Freeze>()
            .receives::<Thaw>()
            .receives::<SetAuthority>()
            .receives::<Clear>()
            .receives::<ResetIdentity>()
            .receives::<TakeSnapshot>()
            .receives::<GetPeers>()
            .receives::<Say>()
            .build();
        let (wake, timers) = (handle.clone(), self.tree.runtime.timers.clone());
        let children = Children::new(POLICY, self.tree.shared.spec.seed, timers, move || {
            wake.signal(AgentMessage::Wake)
        });
        handle.signal(AgentMessage::Boot);
        Ok(Rooted {
            handle,
            children: children.publishing(self.view.clone()),
            keeper: Keeper::new(Arc::clone(&self.tree), None, None, &Record::default()),
            ready: Some(ready),
            description: None,
            level48: None,
            level49: None,
            causes: BTreeMap::new(),
            snapshots: Vec::new(),
            unpersisted: true,
            watch: None,
            _registered: self.tree.register(None, &self.mailbox, endpoint),
            _member: self.tree.join_group(),
        })
    }

    // What is rare and large is boxed, here and below: the actor's task holds room for the largest future in it, and
    // there are many agents.
    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Rooted,
    ) -> Result<(), ActorProcessingErr> {
        let cell = myself.get_cell();
        let mut ordered = None;
        if !delivered.message.is_internal() {
            self.tree.hear();
        }
        match delivered.message {
            AgentMessage::Boot => Box::pin(self.boot(&cell, state)).await?,
            AgentMessage::Wake => {
                let changes = Box::pin(state.children.wake(&cell)).await?;
                self.changed(changes, state);
            }
            AgentMessage::Decided => {}
            AgentMessage::Cut(cut) => Box::pin(self.save(&cut, state)).await,
            AgentMessage::Stuck(role) => self.stuck(role, state),
            AgentMessage::Status(request) => request.reply.send(Ok(self.tree.shared.status())),
            AgentMessage::Describe(request) => request.reply.send(Ok(self.describe(state))),
            AgentMessage::Qualify(request) => self.qualification(request, state),
            AgentMessage::Mind(request) => request.reply.send(Ok(self.mind(state))),
            AgentMessage::OwnGoal(request) => request.reply.send(Ok(Self::own_goal(&request.message.goal, state))),
            AgentMessage::Forecast(request) => request.reply.send(Ok(self.forecast(state))),
            AgentMessage::Snapshot(request) => self.snapshot_wanted(request, state),
            AgentMessage::Peers(request) => request.reply.send(Ok(self.acquaintance())),
            AgentMessage::Say(request) => self.hear(*request),
            AgentMessage::Freeze(request) => ordered = self.freeze(request),
            AgentMessage::Thaw(request) => ordered = self.thaw(request),
            AgentMessage::Authority(request) => ordered = self.authority(request),
            AgentMessage::Clear(request) => ordered = self.clear(request),
            AgentMessage::ResetIdentity(request) => self.reset_identity(request),
        }
        self.carry_out_all(&cell, state).await;
        self.answer(ordered);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Rooted,
    ) -> Result<(), ActorProcessingErr> {
        let Some(exited) = state.children.observe(&event) else {
            return Ok(());
        };
        // The event holds the child's last state, and with it its entry in the endpoints table.
        drop(event);
        let cell = myself.get_cell();
        if !exited.as_told {
            self.failed(&exited, state);
            self.carry_out_all(&cell, state).await;
        }
        let changes = Box::pin(state.children.react(exited, &cell)).await?;
        self.changed(changes, state);
        self.carry_out_all(&cell, state).await;
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Rooted) -> Result<(), ActorProcessingErr> {
        state.watch = None;
        self.tree.shared.governor.detach();
        Box::pin(state.children.shutdown()).await;
        let (kernel, floor) = {
            let mut parts = self.tree.parts();
            (parts.kernel.take(), parts.floor.take())
        };
        // A kernel that failed left nothing behind: the agent goes on from the last record.
        let Some(kernel) = kernel else {
            return Ok(());
        };
        if let Err(error) = Box::pin(state.keeper.save_cut(&Cut { kernel, floor }, true)).await {
            self.warn(&format!("the last snapshot was not written: {error}"));
        }
        Ok(())
    }
}

impl Root {
    /// A child does not move: what is known of it is told, and it is killed; its end comes as an event.
    fn stuck(&self, stuck: &'static str, state: &Rooted) {
        let (role, at) = (role(stuck), self.tree.at());
        let Some(cell) = state.children.cell(&role).cloned() else {
            return;
        };
        let fault = if stuck == kernel::ROLE {
            let message = format!("no cycle within {} ms", CYCLE_DEADLINE.as_millis());
            Fault::KernelFailed { role, message }
        } else {
            self.tree.floor_track.done();
            let deadline_ms = self.tree.shared.spec.phase_deadline_ms;
            Fault::MissedDeadline {
                level: Level::L45,
                role,
                deadline_ms,
            }
        };
        self.tree.shared.governor.fault(&fault, at);
        cell.kill();
    }

    /// A child ended without having been told to.
    fn failed(&self, exited: &Exited, state: &mut Rooted) {
        let (failed, at) = (exited.role.clone(), self.tree.at());
        let message = words(&exited.exit);
        let level = match failed.as_str() {
            kernel::ROLE => {
                let fault = Fault::KernelFailed { role: failed, message };
                self.tree.shared.governor.fault(&fault, at);
                return;
            }
            level45::ROLE => Level::L45,
            Level48::ROLE => Level::L48,
            Level49::ROLE => Level::L49,
            _ => {
                // The guard: its heartbeats are counted, and it is back before three are missed.
                self.tree.guard.clear();
                state
                    .causes
                    .insert(failed.clone(), Cause::Panic { role: failed, message });
                return;
            }
        };
        let deadline_ms = self.tree.shared.spec.phase_deadline_ms;
        let late = level == Level::L45 && self.tree.floor_track.overdue(self.tree.phase_deadline()).is_ok();
        let fault = match late {
            true => Fault::MissedDeadline {
                level,
                role: failed,
                deadline_ms,
            },
            false => Fault::Panic {
                level,
                role: failed,
                message,
            },
        };
        self.tree.floor_track.done();
        self.tree.shared.governor.fault(&fault, at);
    }

    /// Children have started again.
    fn changed(&self, changes: Vec<Change>, state: &mut Rooted) {
        for change in changes {
            let Change::Restarted {
                role,
                generation,
                cause,
            } = change
            else {
                continue;
            };
            let message = words(&cause);
            let cause = state.causes.remove(&role).unwrap_or_else(|| Cause::Panic {
                role: role.clone(),
                message,
            });
            let restarted = EventKind::Restarted {
                role: role.clone(),
                generation,
                cause,
            };
            self.tree.shared.log.emit(self.tree.shared.cycle(), restarted);
            match role.as_str() {
                level45::ROLE => self.tree.shared.governor.floor_started(self.tree.at()),
                Level48::ROLE => state.level48.iter().for_each(|level| level.repeat(&self.tree)),
                Level49::ROLE => state.level49.iter().for_each(|level| level.repeat(&self.tree)),
                _ => {}
            }
        }
    }

    /// Tells watchers what a person should know.
    pub(crate) fn warn(&self, summary: &str) {
        let summary = rungs_host::tasks::shorten(summary);
        self.tree
            .shared
            .log
            .emit(self.tree.shared.cycle(), EventKind::Warning { summary });
    }
}

/// Last words of a child.
pub(crate) fn words(exit: &Exit) -> String {
    match exit {
        Exit::Failed(words) => words.clone(),
        Exit::Clean | Exit::Killed => exit.to_string(),
    }
}
