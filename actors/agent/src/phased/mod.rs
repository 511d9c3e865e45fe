//! A level made of phases: the supervisor of its phase actors, and the host of its orchestrator. Which level, and what its
//! structs are, says its [`Phased`] definition: [`crate::level48`] and [`crate::level49`].
//!
//! Supervised by the agent's root, which restarts it from its last [`Part`]. Decided elsewhere: where the level stands
//! by its orchestrator in `rungs_mind`, what a failure means by `rungs_mind::ladder` behind the governor. Here a failure
//! is told to the governor before anything else is done, and the ladder's actions are carried out on the phases.
//!
//! Invariants:
//! 1. The phases exist only while the level is at least in Shadow; they start from the last verified bundle, which is
//!    how a revert gives each phase its own state back.
//! 2. At most one baton is under way. A baton that does not come home in time freezes the level.
//! 3. An input's credit is given back when its pass has ended, however it ended: the next one waits, merged, below.
//! 4. After each message the part is published, so that a supervisor that fails loses no decision.

mod children;
pub(crate) mod level;
mod line;
mod phase;

use crate::messages::{GetRoleState, RoleState};
use crate::track::Track;
use crate::tree::{Registered, Tree, role};
pub(crate) use level::{Begun, Carry, CarryError, Part, PassId, Phased};
use line::{Errand, Line};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};
use rungs_host::supervisor::{Children, Exit, Exited, Policy, Started};
use rungs_host::{Credit, Delivered, EndpointBuilder, Handle, Mailbox, Request, Timer, TreeView};
use rungs_mind::ladder::{Action, At, Fault};
use rungs_types::{Cause, Epoch, RolePath};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Messages that its mailbox holds; what the tree itself sends is bounded by credits and goes past it.
const MAX_MESSAGES: u32 = 64;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 256 * 1024;
/// How long the phases may drain when the level stops: one baton.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// What the level receives.
#[derive(Debug)]
pub(crate) enum LevelMessage<L: Phased> {
    /// What the level below hands up; the credit is held while the pass is under way.
    Input(L::Input, Credit),
    /// A baton came home.
    Returned(Box<L::Baton>),
    /// The ladder wants something done.
    Obey(Obedience),
    /// A deadline may have passed for the pass of this number.
    Check(u64),
    /// Something is due for the phases.
    Wake,
    /// Its state, for people.
    State(Request<GetRoleState>),
}

impl<L: Phased> From<Request<GetRoleState>> for LevelMessage<L> {
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

/// Where the level publishes its [`Part`].
pub(crate) type PartCell<L> = Mutex<Arc<Part<L>>>;

/// See the module.
pub(crate) struct PhasedLevel<L: Phased> {
    tree: Arc<Tree>,
    part: Arc<PartCell<L>>,
    mailbox: Arc<Mailbox>,
    view: TreeView,
    level: PhantomData<fn() -> L>,
}

/// The pass under way.
struct Flight {
    pass: u64,
    track: Arc<Track>,
    _deadline: Timer,
    _credit: Credit,
}

/// The state of a [`PhasedLevel`].
pub(crate) struct Leading<L: Phased> {
    part: Part<L>,
    handle: Handle<LevelMessage<L>>,
    children: Children,
    line: Option<Arc<Line<L>>>,
    flight: Option<Flight>,
    /// Phases that failed and have not been started since, with the reason.
    failed: BTreeMap<RolePath, Cause>,
    generations: BTreeMap<RolePath, u32>,
    passes: u64,
    /// The last cycle that it was told of.
    cycle: u64,
    _registered: Registered,
}

impl<L: Phased> PhasedLevel<L> {
    /// Starts the level from a part, below the agent's root.
    pub(crate) async fn spawn(
        tree: Arc<Tree>,
        part: Arc<PartCell<L>>,
        root: ActorCell,
    ) -> Result<(Handle<LevelMessage<L>>, Started), ractor::SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let view = TreeView::new();
        let hosting = tree.hosting(Some(&role(L::ROLE)), &mailbox);
        let actor = Self {
            tree,
            part,
            mailbox,
            view: view.clone(),
            level: PhantomData,
        };
        let handle = hosting.spawn(actor, (), root).await?;
        let started = Started::from(&handle).with_subtree(view);
        Ok((handle, started))
    }
}

impl<L: Phased> Actor for PhasedLevel<L> {
    type Msg = Delivered<LevelMessage<L>>;
    type State = Leading<L>;
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, (): ()) -> Result<Leading<L>, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle.clone()).receives::<GetRoleState>().build();
        let policy = Policy {
            stop_within_ms: STOP_WITHIN.as_millis() as u64,
            ..Policy::ONE_FOR_ONE
        };
        let wake = handle.clone();
        let timers = self.tree.runtime.timers.clone();
        let children = Children::new(policy, self.tree.shared.spec.seed, timers, move || {
            wake.signal(LevelMessage::Wake)
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
            cycle: 0,
            _registered: self.tree.register(Some(&role(L::ROLE)), &self.mailbox, endpoint),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Leading<L>,
    ) -> Result<(), ActorProcessingErr> {
        match delivered.message {
            LevelMessage::Input(input, credit) => {
                self.begin(input, credit, &myself.get_cell(), state).await?;
            }
            LevelMessage::Returned(baton) => self.end(&baton, state),
            LevelMessage::Obey(obedience) => self.obey(obedience, &myself.get_cell(), state).await?,
            LevelMessage::Check(pass) => self.check(pass, state)?,
            LevelMessage::Wake => drop(Box::pin(state.children.wake(&myself.get_cell())).await?),
            LevelMessage::State(request) => request.reply.send(Ok(describe(state))),
        }
        self.publish(state);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Leading<L>,
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

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Leading<L>) -> Result<(), ActorProcessingErr> {
        Box::pin(state.children.shutdown()).await;
        self.publish(state);
        Ok(())
    }
}

impl<L: Phased> PhasedLevel<L> {
    /// An input: a pass begins, or what is known is only watched.
    async fn begin(
        &self,
        input: L::Input,
        credit: Credit,
        myself: &ActorCell,
        state: &mut Leading<L>,
    ) -> Result<(), ActorProcessingErr> {
        let cycle = L::cycle(&input);
        state.cycle = cycle;
        let begun = L::begin(&mut state.part.orchestrator, input);
        if begun.lost {
            // The credit allows one input at a time, so this one came past it; it is not worth a pass.
            tracing::warn!(agent = %self.tree.shared.agent(), level = %L::LEVEL, cycle, "an input came during a pass");
        }
        if !begun.requests.is_empty() {
            let at = self.tree.at_cycle(cycle);
            let governor = &self.tree.shared.governor;
            governor.requests(L::LEVEL, state.part.epoch, begun.requests, at);
        }
        let Some(baton) = begun.baton else {
            return Ok(());
        };
        if state.line.is_none() {
            Box::pin(self.start_phases(cycle, myself, state)).await?;
        }
        let Some(line) = state.line.clone() else {
            return Ok(());
        };
        let pass = L::pass(&baton).number;
        let errand = Errand::new(baton, line);
        state.flight = Some(Flight {
            pass,
            track: Arc::clone(&errand.track),
            _deadline: self.deadline(pass, self.tree.phase_deadline(), state)?,
            _credit: credit,
        });
        errand.hand_to(0);
        Ok(())
    }

    /// A baton is home: what the orchestrator wants goes to the governor.
    fn end(&self, baton: &L::Baton, state: &mut Leading<L>) {
        let pass = L::pass(baton);
        if state.flight.take_if(|flight| flight.pass == pass.number).is_none() {
            return;
        }
        state.passes += 1;
        let requests = L::end(&mut state.part, baton, &self.tree);
        let at = self.tree.at_cycle(pass.cycle);
        self.tree.shared.governor.requests(L::LEVEL, pass.epoch, requests, at);
    }

    /// An action of the ladder.
    async fn obey(
        &self,
        order: Obedience,
        myself: &ActorCell,
        state: &mut Leading<L>,
    ) -> Result<(), ActorProcessingErr> {
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
        L::obey(&mut state.part.orchestrator, &action, at.cycle);
        state.part.obeyed = number;
        state.part.epoch = epoch;
        match action {
            Action::FreezeFrom { level, .. } if level <= L::LEVEL => Box::pin(self.stop_phases(myself, state)).await?,
            Action::Restart { role, cause } => drop(state.failed.insert(role, cause)),
            _ => {}
        }
        Ok(())
    }

    /// A deadline may have passed.
    fn check(&self, pass: u64, state: &mut Leading<L>) -> Result<(), ActorProcessingErr> {
        let Some(flight) = state.flight.as_ref().filter(|flight| flight.pass == pass) else {
            return Ok(());
        };
        match flight.track.overdue(self.tree.phase_deadline()) {
            Ok(worker) => self.fault(&self.missed(worker), state),
            Err(left) => {
                let deadline = self.deadline(pass, left, state)?;
                if let Some(flight) = &mut state.flight {
                    flight._deadline = deadline;
                }
            }
        }
        Ok(())
    }

    fn deadline(&self, pass: u64, after: Duration, state: &Leading<L>) -> Result<Timer, ActorProcessingErr> {
        let handle = state.handle.clone();
        let check = move || handle.signal(LevelMessage::Check(pass));
        Ok(self.tree.runtime.timers.once("phase deadline", after, check)?)
    }

    /// A phase ended without having been told to.
    fn phase_failed(&self, exited: &Exited, state: &mut Leading<L>) {
        let overdue = |flight: &Flight| flight.track.overdue(self.tree.phase_deadline()).ok();
        let late = state.flight.as_ref().and_then(overdue);
        let fault = match late.filter(|place| L::PHASES[*place] == exited.role.as_str()) {
            Some(place) => self.missed(place),
            None => Fault::Panic {
                level: L::LEVEL,
                role: exited.role.clone(),
                message: match &exited.exit {
                    Exit::Failed(words) => words.clone(),
                    Exit::Clean | Exit::Killed => exited.exit.to_string(),
                },
            },
        };
        self.fault(&fault, state);
    }

    fn missed(&self, place: usize) -> Fault {
        Fault::MissedDeadline {
            level: L::LEVEL,
            role: role(L::PHASES[place]),
            deadline_ms: self.tree.shared.spec.phase_deadline_ms,
        }
    }

    /// Tells the governor: when this returns, the freeze is in force. The pass under way is over.
    fn fault(&self, fault: &Fault, state: &mut Leading<L>) {
        self.tree.shared.governor.fault(fault, self.tree.at());
        state.flight = None;
        state.line = None;
    }

    /// Shows where the level stands, and keeps it for the supervisor's successor.
    fn publish(&self, state: &Leading<L>) {
        L::show(&self.tree, &state.part.orchestrator);
        *self.part.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(state.part.clone());
    }
}

fn describe<L: Phased>(state: &Leading<L>) -> RoleState {
    let waiting_for = L::waiting_for(&state.part.orchestrator);
    RoleState {
        role: L::ROLE.to_owned(),
        cycle: state.cycle,
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
