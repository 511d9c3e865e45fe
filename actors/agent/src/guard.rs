//! The guard: the existential guard and the ethical kernel's hash check, as an actor of its own, in a context of its
//! own. It reads the kernel's raw reports and nothing that a level could have smoothed.
//!
//! Supervised by the agent's root and restarted one for one. Decided elsewhere: the stages by
//! `rungs_mind::l45::sentry`, what follows from them by `rungs_mind::ladder`.
//!
//! Invariants:
//! 1. Each report that it has read is a heartbeat. The kernel counts those that are missing; three in a row are treated
//!    as the critical stage.
//! 2. A level above L4.5 is frozen once when the stage becomes critical, not at each report of that stage.

use crate::messages::{GetRoleState, RoleState};
use crate::tree::{Registered, Tree, role};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use rungs_host::{Delivered, EndpointBuilder, Handle, Mailbox, Request};
use rungs_mind::l45::EthicalKernel;
pub(crate) use rungs_mind::l45::Sentry as GuardState;
use rungs_mind::report::CycleReport;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The guard's role in the agent's tree.
pub(crate) const ROLE: &str = "guard";
/// Messages that its mailbox holds: a guard that is further behind has missed its heartbeats long ago.
const MAX_MESSAGES: u32 = 16;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 1024 * 1024;

/// The guard's last heartbeat, as the last cycle that it has read; the kernel watches it.
#[derive(Debug, Default)]
pub(crate) struct Beat(AtomicU64);

impl Beat {
    /// The last cycle read.
    pub(crate) fn last_cycle(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn beat(&self, cycle: u64) {
        self.0.store(cycle, Ordering::Release);
    }
}

/// What the guard receives.
#[derive(Debug)]
pub(crate) enum GuardMessage {
    /// What L3 did since the last report.
    Report {
        /// The report.
        report: Arc<CycleReport>,
        /// A snapshot is wanted at this report.
        cut: bool,
    },
    /// Its state, for people.
    State(Request<GetRoleState>),
}

impl From<Request<GetRoleState>> for GuardMessage {
    fn from(request: Request<GetRoleState>) -> Self {
        Self::State(request)
    }
}

/// See the module.
pub(crate) struct Guard {
    tree: Arc<Tree>,
    mailbox: Arc<Mailbox>,
}

/// The state of a [`Guard`].
pub(crate) struct Guarding {
    state: Box<GuardState>,
    ethics: EthicalKernel,
    _registered: Registered,
}

impl Guard {
    /// Starts the guard from a state, below the agent's root.
    pub(crate) async fn spawn(
        tree: Arc<Tree>,
        state: Box<GuardState>,
        root: ActorCell,
    ) -> Result<Handle<GuardMessage>, SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let hosting = tree.hosting(Some(&role(ROLE)), &mailbox);
        hosting.spawn(Self { tree, mailbox }, state, root).await
    }
}

impl Actor for Guard {
    type Msg = Delivered<GuardMessage>;
    type State = Guarding;
    type Arguments = Box<GuardState>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        state: Box<GuardState>,
    ) -> Result<Guarding, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle).receives::<GetRoleState>().build();
        Ok(Guarding {
            state,
            ethics: EthicalKernel::default(),
            _registered: self.tree.register(Some(&role(ROLE)), &self.mailbox, endpoint),
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        guarding: &mut Guarding,
    ) -> Result<(), ActorProcessingErr> {
        let Guarding { state, ethics, .. } = guarding;
        match delivered.message {
            GuardMessage::Report { report, cut } => {
                let faults = state.read(&report, ethics);
                for fault in faults {
                    self.tree
                        .shared
                        .governor
                        .fault(&fault, self.tree.at_cycle(state.cycle()));
                }
                self.tree.guard_beat.beat(state.cycle());
                if cut {
                    self.tree.parts().guard = Some(state.clone());
                }
            }
            GuardMessage::State(request) => request.reply.send(Ok(RoleState {
                role: ROLE.to_owned(),
                cycle: state.cycle(),
                steps: state.reports(),
                detail: format!("stage {:?}", state.stage()).to_lowercase(),
            })),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, guarding: &mut Guarding) -> Result<(), ActorProcessingErr> {
        self.tree.parts().guard = Some(guarding.state.clone());
        Ok(())
    }
}
