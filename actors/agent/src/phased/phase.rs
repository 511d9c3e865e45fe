//! A phase as an actor: it takes the baton, computes on the node's level threads, and hands it on.
//!
//! Supervised by its level and never restarted by itself: when it ends, the level freezes first. Nothing is decided here.
//!
//! Invariants:
//! 1. The phase's state is in the actor or in the one job that computes with it, never in two places; a job that is
//!    abandoned keeps its copy, and the next phase actor starts from the last verified bundle.
//! 2. A baton goes to the next phase or, from the last, home; one that cannot go on ends the phase.

use super::level::{Carry, Phased};
use super::line::Errand;
use crate::messages::{GetRoleState, RoleState};
use crate::tree::{Registered, Tree, role};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rungs_host::compute::ComputeError;
use rungs_host::{Delivered, EndpointBuilder, Handle, Mailbox, Request};
use rungs_types::Address;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Messages that a phase's mailbox holds: the baton is sent past it, so these are questions of operators.
const MAX_MESSAGES: u32 = 16;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 64 * 1024;

/// What a phase receives.
#[derive(Debug)]
pub(crate) enum PhaseMessage<L: Phased> {
    /// The baton.
    Carry(Errand<L>),
    /// Its state, for people.
    State(Request<GetRoleState>),
}

impl<L: Phased> From<Request<GetRoleState>> for PhaseMessage<L> {
    fn from(request: Request<GetRoleState>) -> Self {
        Self::State(request)
    }
}

/// See the module.
pub(super) struct PhaseActor<L> {
    tree: Arc<Tree>,
    mailbox: Arc<Mailbox>,
    address: Address,
    /// Its place in the line.
    place: usize,
    level: PhantomData<fn() -> L>,
}

/// The state of a [`PhaseActor`].
pub(super) struct Carrying<L> {
    /// `None` only while a job computes with it.
    phase: Option<Box<dyn Carry<L>>>,
    steps: u64,
    cycle: u64,
    _registered: Registered,
}

impl<L: Phased> PhaseActor<L> {
    /// Starts the phase at this place of the line from a verified bundle, below its level.
    pub(super) async fn spawn(
        place: usize,
        tree: Arc<Tree>,
        bundle: Arc<L::Bundle>,
        level: ractor::ActorCell,
    ) -> Result<Handle<PhaseMessage<L>>, ractor::SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let hosting = tree.hosting(Some(&role(L::PHASES[place])), &mailbox);
        let address = hosting.address.clone();
        let actor = Self {
            tree,
            mailbox,
            address,
            place,
            level: PhantomData,
        };
        hosting.spawn(actor, bundle, level).await
    }
}

impl<L: Phased> Actor for PhaseActor<L> {
    type Msg = Delivered<PhaseMessage<L>>;
    type State = Carrying<L>;
    type Arguments = Arc<L::Bundle>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        bundle: Arc<L::Bundle>,
    ) -> Result<Carrying<L>, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle).receives::<GetRoleState>().build();
        let role = role(L::PHASES[self.place]);
        Ok(Carrying {
            phase: Some(L::phase(self.place, &bundle)),
            steps: 0,
            cycle: L::bundle_cycle(&bundle),
            _registered: self.tree.register(Some(&role), &self.mailbox, endpoint),
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Carrying<L>,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            PhaseMessage::Carry(errand) => self.carry(errand, state).await,
            PhaseMessage::State(request) => {
                request.reply.send(Ok(RoleState {
                    role: L::PHASES[self.place].to_owned(),
                    cycle: state.cycle,
                    steps: state.steps,
                    detail: format!("{} batons carried", state.steps),
                }));
                Ok(())
            }
        }
    }
}

impl<L: Phased> PhaseActor<L> {
    async fn carry(&self, mut errand: Errand<L>, state: &mut Carrying<L>) -> Result<(), ActorProcessingErr> {
        let mut phase = state
            .phase
            .take()
            .ok_or("invariant: a phase is lent to one job at a time")?;
        let place = self.place;
        let track = Arc::clone(&errand.track);
        track.queued();
        let started = Arc::clone(&track);
        let job = move |budget: &AtomicBool| {
            started.with(place);
            let carried = phase.carry(&mut errand.baton, budget);
            (phase, errand, carried)
        };
        let computed = self.tree.compute(&self.address, job).await;
        if let Err(ComputeError::Stalled { .. }) = &computed {
            track.late(place);
        }
        let (phase, errand, carried) = computed?;
        carried?;
        state.phase = Some(phase);
        state.steps += 1;
        state.cycle = L::pass(&errand.baton).cycle;
        errand.hand_to(place + 1);
        Ok(())
    }
}
