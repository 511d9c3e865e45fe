//! Level 4.5 as an actor: it reads the kernel's reports on the node's level threads, and hands what it finds to the
//! kernel's desk and to Level 4.8.
//!
//! Supervised by the agent's root; when it ends, or does not answer in time, L3 goes on in stabilization mode and every
//! level above is frozen first. Decided elsewhere: the floor by `rungs_mind::l45::Level45`.
//!
//! Invariants:
//! 1. One report is under way; its credit is given back when the floor report is written, and the kernel merges until
//!    then.
//! 2. What it finds is dropped if it was frozen meanwhile.
//! 3. A report for Level 4.8 waits here, merged with later ones, while the level is busy. It holds at most 100
//!    cycles and says how many were lost.

use crate::agent::AgentMessage;
use crate::kernel::KernelPart;
use crate::level48::Level48Message;
use crate::messages::{GetRoleState, ResetIdentity, RoleState, operator};
use crate::mind::Foresight;
use crate::tree::{Registered, Tree, role};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use rungs_host::compute::ComputeError;
use rungs_host::{Credit, Delivered, EndpointBuilder, Handle, Mailbox, Request};
use rungs_mind::l3::Floor;
use rungs_mind::l45::{Level45, Level45State};
use rungs_mind::merge::Pending;
use rungs_mind::report::{CycleReport, FloorReport};
use rungs_types::{Address, Authority, EventKind, Level};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The level's role in the agent's tree.
pub(crate) const ROLE: &str = "l45";
/// Messages that its mailbox holds.
const MAX_MESSAGES: u32 = 16;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 1024 * 1024;
/// Reports that Level 4.8 takes at a time.
pub(crate) const REPORTS_IN_FLIGHT: u32 = 1;

/// The kernel's state at a report, on its way to a snapshot: the level adds its own, so that both stand at one cycle.
#[derive(Debug)]
pub(crate) struct Cut {
    /// The kernel after the report was taken.
    pub(crate) kernel: Box<KernelPart>,
    /// Level 4.5 after it has read the report.
    pub(crate) floor: Option<Box<Level45State>>,
}

/// What the level receives.
#[derive(Debug)]
pub(crate) enum Level45Message {
    /// What L3 did since the last report.
    Report {
        /// The report.
        report: Arc<CycleReport>,
        /// Given back when it has been read.
        credit: Credit,
        /// A snapshot is wanted at this report.
        cut: Option<Cut>,
    },
    /// See [`ResetIdentity`].
    ResetIdentity(Request<ResetIdentity>),
    /// Its state, for people.
    State(Request<GetRoleState>),
}

impl From<Request<GetRoleState>> for Level45Message {
    fn from(request: Request<GetRoleState>) -> Self {
        Self::State(request)
    }
}

/// See the module.
pub(crate) struct Level45Actor {
    tree: Arc<Tree>,
    mailbox: Arc<Mailbox>,
    address: Address,
}

/// What the level needs to start.
pub(crate) struct Level45Start {
    /// The level as it is to go on.
    pub(crate) level: Box<Level45>,
    /// The last cycle that it has read.
    pub(crate) cycle: u64,
}

/// The state of a [`Level45Actor`].
pub(crate) struct Standing {
    /// `None` only while a job computes with it.
    level: Option<Box<Level45>>,
    cycle: u64,
    reports: u64,
    pending: Option<Pending>,
    /// Room for one report at Level 4.8.
    above: Arc<Mailbox>,
    _registered: Registered,
}

impl Level45Actor {
    /// Starts the level, below the agent's root.
    pub(crate) async fn spawn(
        tree: Arc<Tree>,
        start: Level45Start,
        root: ActorCell,
    ) -> Result<Handle<Level45Message>, SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let hosting = tree.hosting(Some(&role(ROLE)), &mailbox);
        let address = hosting.address.clone();
        hosting.spawn(Self { tree, mailbox, address }, start, root).await
    }
}

impl Actor for Level45Actor {
    type Msg = Delivered<Level45Message>;
    type State = Standing;
    type Arguments = Level45Start;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        start: Level45Start,
    ) -> Result<Standing, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle).receives::<GetRoleState>().build();
        Ok(Standing {
            level: Some(start.level),
            cycle: start.cycle,
            reports: 0,
            pending: None,
            above: Arc::new(Mailbox::bounded(REPORTS_IN_FLIGHT, MAX_BYTES)),
            _registered: self.tree.register(Some(&role(ROLE)), &self.mailbox, endpoint),
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Standing,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            Level45Message::Report { report, credit, cut } => {
                self.read(report, state).await?;
                self.tree.floor_track.done();
                drop(credit);
                if let Some(cut) = cut {
                    let floor = state.level.as_ref().map(|level| Box::new(level.snapshot()));
                    self.tree.shared.signal_root(AgentMessage::Cut(Cut { floor, ..cut }));
                }
            }
            Level45Message::ResetIdentity(request) => self.reset_identity(request, state)?,
            Level45Message::State(request) => request.reply.send(Ok(RoleState {
                role: ROLE.to_owned(),
                cycle: state.cycle,
                steps: state.reports,
                detail: match &state.pending {
                    None => format!("{} reports read", state.reports),
                    Some(pending) => format!("{} cycles wait for L4.8", pending.cycles()),
                },
            })),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Standing) -> Result<(), ActorProcessingErr> {
        let floor = state.level.as_ref().map(|level| Box::new(level.snapshot()));
        self.tree.parts().floor = floor;
        Ok(())
    }
}

impl Level45Actor {
    /// Forgets the identity reference, tells who wanted that, and has it kept with the next report.
    fn reset_identity(&self, request: Request<ResetIdentity>, state: &mut Standing) -> Result<(), ActorProcessingErr> {
        let level = state.level.as_mut();
        level
            .ok_or("invariant: a level is lent to one job at a time")?
            .reset_identity_reference();
        let shared = &self.tree.shared;
        let who = operator(&request.message.who);
        shared.log.emit(shared.cycle(), EventKind::IdentityReset { who });
        shared.post(|status| status.iis = None);
        self.tree.request_cut();
        request.reply.send(Ok(shared.governor.standing(Level::L45)));
        Ok(())
    }

    /// Reads a report unless the level is frozen, and hands on what it found.
    async fn read(&self, report: Arc<CycleReport>, state: &mut Standing) -> Result<(), ActorProcessingErr> {
        let standing = || self.tree.shared.governor.reader().read(Level::L45);
        let began = standing();
        if began.authority == Authority::Frozen {
            return Ok(());
        }
        let mut level = state
            .level
            .take()
            .ok_or("invariant: a level is lent to one job at a time")?;
        // Looked up at each report rather than told, so that a level that was started again is constrained as before.
        level.constrain(self.tree.desk.constraints().floor_degraded());
        let (read, tree) = (Arc::clone(&report), Arc::clone(&self.tree));
        self.tree.floor_track.queued();
        let job = move |_: &AtomicBool| {
            tree.floor_track.with(0);
            let floor = level.step(&read);
            tree.floor_track.done();
            (level, floor)
        };
        let computed = self.tree.compute(&self.address, job).await;
        if let Err(ComputeError::Stalled { .. }) = &computed {
            self.tree.floor_track.late(0);
        }
        let (level, floor) = computed?;
        state.level = Some(level);
        state.cycle = floor.cycle;
        state.reports += 1;
        // It may have been frozen while it computed, and thawed again: what it found is of the time before.
        let stands = || {
            let now = standing();
            now.authority > Authority::Frozen && now.epoch == began.epoch
        };
        if !self.tree.desk.report(Floor::from(&floor), (&floor).into(), stands) {
            return Ok(());
        }
        self.tree.shared.post(|status| {
            status.iis = floor.iis;
            status.c_l4 = floor.c_l4;
        });
        self.tree.shared.post_foresight(Foresight::from(&floor));
        self.hand_up(report, floor, state);
        Ok(())
    }

    /// To Level 4.8 if it has room for a report; else it waits, merged with what waits already.
    fn hand_up(&self, report: Arc<CycleReport>, floor: FloorReport, state: &mut Standing) {
        let Some(level48) = self.tree.level48.get() else {
            return;
        };
        let pending = match state.pending.take() {
            None => Pending::new(report, floor),
            Some(pending) => pending.with(&report, floor),
        };
        match state.above.admit(0) {
            Ok(credit) => {
                let (report, floor) = pending.into_parts();
                level48.signal(Level48Message::Input((report, floor), credit));
            }
            Err(_) => state.pending = Some(pending),
        }
    }
}
