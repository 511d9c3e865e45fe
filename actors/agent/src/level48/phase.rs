//! A phase of Level 4.8 as an actor: it takes the baton, computes on the node's level threads, and hands it on.
//!
//! Supervised by [`super::Level48`] and never restarted by itself: when it ends, the level freezes first. Nothing is
//! decided here.
//!
//! Invariants:
//! 1. The phase's state is in the actor or in the one job that computes with it, never in two places; a job that is
//!    abandoned keeps its copy, and the next phase actor starts from the last verified bundle.
//! 2. A baton goes to the next phase or, from the last, home; one that cannot go on ends the phase.

use super::line::{Errand, Leg};
use crate::messages::{GetRoleState, RoleState};
use crate::tree::{Registered, Tree, role};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rungs_host::compute::ComputeError;
use rungs_host::{Delivered, EndpointBuilder, Handle, Mailbox, Request};
use rungs_mind::budget::Budget;
use rungs_mind::l48::baton::PhaseError;
use rungs_mind::l48::{Baton, Bundle};
use rungs_types::Address;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Messages that a phase's mailbox holds: the baton is sent past it, so these are questions of operators.
const MAX_MESSAGES: u32 = 16;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 64 * 1024;

/// What one phase computes.
pub(super) trait Phase: Send + Sync + Sized + 'static {
    /// Its place in the line.
    const LEG: Leg;

    /// The phase with its state of a verified pass.
    fn from_bundle(bundle: &Bundle) -> Self;

    /// Adds its leg to the baton.
    fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), PhaseError>;
}

/// What a phase receives.
#[derive(Debug)]
pub(super) enum PhaseMessage {
    /// The baton.
    Carry(Errand),
    /// Its state, for people.
    State(Request<GetRoleState>),
}

impl From<Request<GetRoleState>> for PhaseMessage {
    fn from(request: Request<GetRoleState>) -> Self {
        Self::State(request)
    }
}

/// See the module.
pub(super) struct PhaseActor<P> {
    tree: Arc<Tree>,
    mailbox: Arc<Mailbox>,
    address: Address,
    phase: PhantomData<fn() -> P>,
}

/// The state of a [`PhaseActor`].
pub(super) struct Carrying<P> {
    /// `None` only while a job computes with it.
    phase: Option<P>,
    steps: u64,
    cycle: u64,
    _registered: Registered,
}

impl<P: Phase> PhaseActor<P> {
    /// Starts the phase from a verified bundle, below its level.
    pub(super) async fn spawn(
        tree: Arc<Tree>,
        bundle: Arc<Bundle>,
        level: ractor::ActorCell,
    ) -> Result<Handle<PhaseMessage>, ractor::SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let hosting = tree.hosting(Some(&role(P::LEG.role())), &mailbox);
        let address = hosting.address.clone();
        let actor = Self {
            tree,
            mailbox,
            address,
            phase: PhantomData,
        };
        hosting.spawn(actor, bundle, level).await
    }
}

impl<P: Phase> Actor for PhaseActor<P> {
    type Msg = Delivered<PhaseMessage>;
    type State = Carrying<P>;
    type Arguments = Arc<Bundle>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        bundle: Arc<Bundle>,
    ) -> Result<Carrying<P>, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle).receives::<GetRoleState>().build();
        let role = role(P::LEG.role());
        Ok(Carrying {
            phase: Some(P::from_bundle(&bundle)),
            steps: 0,
            cycle: bundle.cycle,
            _registered: self.tree.register(Some(&role), &self.mailbox, endpoint),
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Carrying<P>,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            PhaseMessage::Carry(errand) => self.carry(errand, state).await,
            PhaseMessage::State(request) => {
                request.reply.send(Ok(RoleState {
                    role: P::LEG.role().to_owned(),
                    cycle: state.cycle,
                    steps: state.steps,
                    detail: format!("{} batons carried", state.steps),
                }));
                Ok(())
            }
        }
    }
}

impl<P: Phase> PhaseActor<P> {
    async fn carry(&self, mut errand: Errand, state: &mut Carrying<P>) -> Result<(), ActorProcessingErr> {
        let mut phase = state
            .phase
            .take()
            .ok_or("invariant: a phase is lent to one job at a time")?;
        let track = Arc::clone(&errand.track);
        track.queued();
        let started = Arc::clone(&track);
        let job = move |budget: &AtomicBool| {
            started.with(P::LEG.index());
            let carried = phase.carry(&mut errand.baton, budget);
            (phase, errand, carried)
        };
        let computed = self.tree.compute(&self.address, job).await;
        if let Err(ComputeError::Stalled { .. }) = &computed {
            track.late(P::LEG.index());
        }
        let (phase, errand, carried) = computed?;
        carried?;
        state.phase = Some(phase);
        state.steps += 1;
        state.cycle = errand.baton.pass.cycle;
        errand.pass_on(P::LEG);
        Ok(())
    }
}
