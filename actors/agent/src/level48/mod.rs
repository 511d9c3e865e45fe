//! Level 4.8: the supervisor of its phase actors, and the host of its orchestrator.
//!
//! Supervised by the agent's root, which restarts it from its last [`Part`]. Decided elsewhere: where the level stands
//! by `rungs_mind::l48::Orchestrator`, what a failure means by `rungs_mind::ladder` behind the governor. Here a failure
//! is told to the governor before anything else is done, and the ladder's actions are carried out on the phases.
//!
//! Invariants:
//! 1. The phases exist only while the level is at least in Shadow; they start from the last verified bundle, which is
//!    how a revert gives each phase its own state back.
//! 2. At most one baton is under way. A baton that does not come home in time freezes the level.
//! 3. A report's credit is given back when its pass has ended, however it ended: the next report waits, merged, below.
//! 4. After each message the part is published, so that a supervisor that fails loses no decision.

mod emit;
mod introspect;
mod line;
mod observe;
mod phase;
mod phases;
mod plan;
mod verify;

use crate::messages::{GetRoleState, RoleState};
use crate::track::Track;
use crate::tree::{Registered, Tree, role};
use line::{Errand, Leg, Line};
use phase::PhaseMessage;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use rungs_host::supervisor::{Children, Exit, Exited, Policy, Started};
use rungs_host::{Credit, Delivered, EndpointBuilder, Handle, Mailbox, Request, Timer, TreeView};
use rungs_mind::l48::{Baton, Orchestrator, Turn};
use rungs_mind::ladder::{Action, At, Fault};
use rungs_mind::report::{CycleReport, FloorReport};
use rungs_types::{Cause, Epoch, Level, RolePath};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The role of the supervisor in the agent's tree.
pub(crate) const ROLE: &str = "l48";
/// Messages that its mailbox holds; what the tree itself sends is bounded by credits and goes past it.
const MAX_MESSAGES: u32 = 64;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 256 * 1024;
/// How long the phases may drain when the level stops: one baton.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// What the level receives.
#[derive(Debug)]
pub(crate) enum Level48Message {
    /// What L3 did, with what L4.5 says of it; the credit is held while the pass is under way.
    Report(Arc<CycleReport>, Arc<FloorReport>, Credit),
    /// A baton came home.
    Returned(Box<Baton>),
    /// The ladder wants something done.
    Obey(Obedience),
    /// A deadline may have passed for the pass of this number.
    Check(u64),
    /// Something is due for the phases.
    Wake,
    /// Its state, for people.
    State(Request<GetRoleState>),
}

impl From<Request<GetRoleState>> for Level48Message {
    fn from(request: Request<GetRoleState>) -> Self {
        Self::State(request)
    }
}

/// One action of the ladder for this level.
#[derive(Debug, Clone)]
pub(crate) struct Obedience {
    /// Counts up per agent; a restarted supervisor is told again what its part does not know.
    pub(crate) number: u64,
    /// When it was decided.
    pub(crate) at: At,
    /// The level's epoch after it.
    pub(crate) epoch: Epoch,
    /// What to do.
    pub(crate) action: Action,
}

/// All that the level knows between two messages. Cheap to make: the bundle is shared.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The last [`Obedience`] that is in it.
    pub(crate) obeyed: u64,
    /// The level's epoch.
    pub(crate) epoch: Epoch,
    /// Where the level stands, with the last verified bundle.
    pub(crate) orchestrator: Orchestrator,
}

/// Where the level publishes its [`Part`].
pub(crate) type PartCell = Mutex<Arc<Part>>;

/// See the module.
pub(crate) struct Level48 {
    tree: Arc<Tree>,
    part: Arc<PartCell>,
    mailbox: Arc<Mailbox>,
    view: TreeView,
}

/// The pass under way.
struct Flight {
    pass: u64,
    track: Arc<Track>,
    _deadline: Timer,
    _credit: Credit,
}

/// The state of a [`Level48`].
pub(crate) struct Leading {
    part: Part,
    handle: Handle<Level48Message>,
    children: Children,
    line: Option<Arc<Line>>,
    flight: Option<Flight>,
    /// Phases that failed and have not been started since, with the reason.
    failed: BTreeMap<RolePath, Cause>,
    generations: BTreeMap<RolePath, u32>,
    passes: u64,
    _registered: Registered,
}

impl Level48 {
    /// Starts the level from a part, below the agent's root.
    pub(crate) async fn spawn(
        tree: Arc<Tree>,
        part: Arc<PartCell>,
        root: ActorCell,
    ) -> Result<(Handle<Level48Message>, Started), ractor::SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let view = TreeView::new();
        let hosting = tree.hosting(Some(&role(ROLE)), &mailbox);
        let actor = Self {
            tree,
            part,
            mailbox,
            view: view.clone(),
        };
        let handle = hosting.spawn(actor, (), root).await?;
        let started = Started::from(&handle).with_subtree(view);
        Ok((handle, started))
    }
}

impl Actor for Level48 {
    type Msg = Delivered<Level48Message>;
    type State = Leading;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, (): ()) -> Result<Leading, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle.clone()).receives::<GetRoleState>().build();
        let policy = Policy {
            stop_within_ms: STOP_WITHIN.as_millis() as u64,
            ..Policy::ONE_FOR_ONE
        };
        let wake = handle.clone();
        let timers = self.tree.runtime.timers.clone();
        let children = Children::new(policy, self.tree.shared.spec.seed, timers, move || {
            wake.signal(Level48Message::Wake)
        });
        let part = self.part.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(Leading {
            part: Part::clone(&part),
            handle,
            children: children.publishing(self.view.clone()),
            line: None,
            flight: None,
            failed: BTreeMap::new(),
            generations: BTreeMap::new(),
            passes: 0,
            _registered: self.tree.register(Some(&role(ROLE)), &self.mailbox, endpoint),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Leading,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            Level48Message::Report(report, floor, credit) => {
                self.begin(report, floor, credit, &myself.get_cell(), state).await?;
            }
            Level48Message::Returned(baton) => self.end(&baton, state),
            Level48Message::Obey(obedience) => self.obey(obedience, &myself.get_cell(), state).await?,
            Level48Message::Check(pass) => self.check(pass, state)?,
            Level48Message::Wake => drop(Box::pin(state.children.wake(&myself.get_cell())).await?),
            Level48Message::State(request) => request.reply.send(Ok(describe(state))),
        }
        self.publish(state);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Leading,
    ) -> Result<(), ActorProcessingErr> {
        let exited = state.children.observe(&event);
        let Some(exited) = exited else {
            return Ok(());
        };
        if !exited.as_told {
            self.phase_failed(&exited, state);
        }
        // The event holds the phase's last state, and with it its entry in the endpoints table.
        drop(event);
        Box::pin(state.children.react(exited, &myself.get_cell())).await?;
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Leading) -> Result<(), ActorProcessingErr> {
        Box::pin(state.children.shutdown()).await;
        self.publish(state);
        Ok(())
    }
}

impl Level48 {
    /// A report: a pass begins, or the floor is watched while the level is frozen.
    async fn begin(
        &self,
        report: Arc<CycleReport>,
        floor: Arc<FloorReport>,
        credit: Credit,
        myself: &ActorCell,
        state: &mut Leading,
    ) -> Result<(), ActorProcessingErr> {
        let cycle = floor.cycle;
        match state.part.orchestrator.on_report(report, floor) {
            Turn::Begin(baton) => {
                if state.line.is_none() {
                    Box::pin(self.start_phases(cycle, myself, state)).await?;
                }
                let Some(line) = state.line.clone() else {
                    return Ok(());
                };
                let pass = baton.pass.number;
                let observe = line.observe.clone();
                let errand = Errand::new(baton, line);
                state.flight = Some(Flight {
                    pass,
                    track: Arc::clone(&errand.track),
                    _deadline: self.deadline(pass, self.tree.phase_deadline(), state)?,
                    _credit: credit,
                });
                observe.signal(PhaseMessage::Carry(errand));
            }
            Turn::Idle(requests) => {
                let at = self.tree.at_cycle(cycle);
                self.tree
                    .shared
                    .governor
                    .requests(Level::L48, state.part.epoch, requests, at);
            }
            // The credit allows one report at a time, so this one came past it; it is not worth a pass.
            Turn::Busy => tracing::warn!(agent = %self.tree.shared.agent(), cycle, "a report came during a pass"),
        }
        Ok(())
    }

    /// A baton is home: what the orchestrator wants goes to the governor.
    fn end(&self, baton: &Baton, state: &mut Leading) {
        if state
            .flight
            .take_if(|flight| flight.pass == baton.pass.number)
            .is_none()
        {
            return;
        }
        state.passes += 1;
        let requests = state.part.orchestrator.on_baton(baton);
        let shared = &self.tree.shared;
        if let Some(emit) = &baton.emit {
            let world = &emit.output.world;
            shared.post(|status| {
                status.eu = Some(world.eu);
                status.res = Some(world.res.score);
                status.forecast_ratio = world.forecast_ratio;
                status.coverage = world.interval_coverage;
            });
            shared.post_self_model(&emit.output.capability);
        }
        let at = self.tree.at_cycle(baton.pass.cycle);
        shared.governor.requests(Level::L48, baton.pass.epoch, requests, at);
    }

    /// An action of the ladder.
    async fn obey(&self, order: Obedience, myself: &ActorCell, state: &mut Leading) -> Result<(), ActorProcessingErr> {
        if order.number <= state.part.obeyed {
            return Ok(());
        }
        let Obedience {
            number,
            at,
            epoch,
            action,
        } = order;
        // A revert gives the bundle from which the phases start next; they are gone since the freeze.
        state.part.orchestrator.obey(&action, at.cycle);
        state.part.obeyed = number;
        state.part.epoch = epoch;
        match action {
            Action::FreezeFrom { level, .. } if level <= Level::L48 => {
                Box::pin(self.stop_phases(myself, state)).await?
            }
            Action::Restart { role, cause } => drop(state.failed.insert(role, cause)),
            _ => {}
        }
        Ok(())
    }

    /// A deadline may have passed.
    fn check(&self, pass: u64, state: &mut Leading) -> Result<(), ActorProcessingErr> {
        let Some(flight) = state.flight.as_ref().filter(|flight| flight.pass == pass) else {
            return Ok(());
        };
        match flight.track.overdue(self.tree.phase_deadline()) {
            Ok(worker) => self.fault(&self.missed(Leg::ALL[worker]), state),
            Err(left) => {
                let deadline = self.deadline(pass, left, state)?;
                if let Some(flight) = &mut state.flight {
                    flight._deadline = deadline;
                }
            }
        }
        Ok(())
    }

    fn deadline(&self, pass: u64, after: Duration, state: &Leading) -> Result<Timer, ActorProcessingErr> {
        let handle = state.handle.clone();
        let check = move || handle.signal(Level48Message::Check(pass));
        Ok(self.tree.runtime.timers.once("phase deadline", after, check)?)
    }

    /// A phase ended without having been told to.
    fn phase_failed(&self, exited: &Exited, state: &mut Leading) {
        let overdue = |flight: &Flight| flight.track.overdue(self.tree.phase_deadline()).ok();
        let late = state.flight.as_ref().and_then(overdue).map(|worker| Leg::ALL[worker]);
        let fault = match late.filter(|leg| leg.role() == exited.role.as_str()) {
            Some(leg) => self.missed(leg),
            None => Fault::Panic {
                level: Level::L48,
                role: exited.role.clone(),
                message: match &exited.exit {
                    Exit::Failed(words) => words.clone(),
                    Exit::Clean | Exit::Killed => exited.exit.to_string(),
                },
            },
        };
        self.fault(&fault, state);
    }

    fn missed(&self, leg: Leg) -> Fault {
        Fault::MissedDeadline {
            level: Level::L48,
            role: role(leg.role()),
            deadline_ms: self.tree.shared.spec.phase_deadline_ms,
        }
    }

    /// Tells the governor: when this returns, the freeze is in force. The pass under way is over.
    fn fault(&self, fault: &Fault, state: &mut Leading) {
        self.tree.shared.governor.fault(fault, self.tree.at());
        state.flight = None;
        state.line = None;
    }

    /// Shows where the level stands, and keeps it for the supervisor's successor.
    fn publish(&self, state: &Leading) {
        let waiting_for = state.part.orchestrator.waiting_for();
        self.tree.shared.post(|status| status.waiting_for = waiting_for);
        *self.part.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(state.part.clone());
    }
}

fn describe(state: &Leading) -> RoleState {
    let waiting_for = state.part.orchestrator.waiting_for();
    RoleState {
        role: ROLE.to_owned(),
        cycle: state.part.orchestrator.verified().map_or(0, |bundle| bundle.cycle),
        steps: state.passes,
        detail: if waiting_for.is_empty() {
            "at full authority".to_owned()
        } else {
            format!("waits for {waiting_for}")
        },
    }
}

#[cfg(test)]
mod tests;
