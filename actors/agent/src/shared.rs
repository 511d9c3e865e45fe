//! What outlives a restart of an agent's tree: its governor, its event log, its board, and the way to its root.
//!
//! Owned by the agent's host; every actor of the tree and every [`crate::AgentHandle`] has a reference. It holds no
//! cognition, so that an agent that rests costs little.

use crate::agent::AgentMessage;
use crate::error::AgentError;
use crate::governor::Governor;
use crate::log::EventLog;
use crate::messages::{AgentEntry, AgentState};
use crate::mind::Foresight;
use rungs_host::Handle;
use rungs_host::metering::Meter;
use rungs_mind::l48::{IntrospectOutput, L48Output};
use rungs_mind::l49::L49Output;
use rungs_mind::qualify::Report;
use rungs_mind::report::Advice;
use rungs_types::{AgentId, AgentSpec, AgentStatus, Cause, Epoch};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What the agent was asked to be.
    pub(crate) spec: AgentSpec,
    /// The epoch of its shard in which it was started.
    pub(crate) epoch: Epoch,
    /// Decides about authority.
    pub(crate) governor: Governor,
    /// Tells what happens.
    pub(crate) log: EventLog,
    /// What it costs.
    pub(crate) meter: Arc<Meter>,
    /// The last advice that may be seen.
    pub(crate) advice: watch::Sender<Option<Arc<Advice>>>,
    board: Mutex<AgentStatus>,
    /// What the levels came to in their last passes.
    minds: Mutex<Minds>,
    cycle: AtomicU64,
    /// When it last heard something from outside its tree, in milliseconds of the node's clock.
    heard_ms: AtomicU64,
    open_goals: AtomicU32,
    generation: AtomicU32,
    place: Mutex<Place>,
    end: Mutex<Option<End>>,
}

/// What the levels came to in their last passes.
#[derive(Debug, Default)]
struct Minds {
    foresight: Option<Box<Foresight>>,
    level48: Option<Arc<L48Output>>,
    l48_report: Option<Arc<Report>>,
    level49: Option<Arc<L49Output>>,
}

/// What a root says of its own end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    /// To be started again after a pause.
    Restart {
        /// The pause.
        delay: Duration,
        /// What failed.
        cause: Cause,
    },
    /// To rest until an operator starts it.
    Park,
    /// It could not start.
    NotBooted(AgentError),
}

/// Whether the tree runs, and where.
#[derive(Debug)]
enum Place {
    /// Its root takes messages.
    Running(Handle<AgentMessage>),
    /// It does not; why.
    Resting(AgentState),
}

impl Shared {
    /// An agent that has not been started.
    pub(crate) fn new(spec: AgentSpec, epoch: Epoch, governor: Governor, log: EventLog) -> Self {
        Self {
            spec,
            epoch,
            governor,
            log,
            meter: Arc::default(),
            advice: watch::Sender::new(None),
            board: Mutex::default(),
            minds: Mutex::default(),
            cycle: AtomicU64::new(0),
            heard_ms: AtomicU64::new(0),
            open_goals: AtomicU32::new(0),
            generation: AtomicU32::new(0),
            place: Mutex::new(Place::Resting(AgentState::Starting)),
            end: Mutex::new(None),
        }
    }

    /// The agent.
    pub(crate) fn agent(&self) -> &AgentId {
        &self.spec.agent
    }

    /// The last L3 cycle.
    pub(crate) fn cycle(&self) -> u64 {
        self.cycle.load(Ordering::Acquire)
    }

    /// A cycle is complete.
    pub(crate) fn set_cycle(&self, cycle: u64) {
        self.cycle.store(cycle, Ordering::Release);
    }

    /// Somebody outside its tree has spoken to it, or it has been started.
    pub(crate) fn hear(&self, now: Duration) {
        self.heard_ms.store(millis(now), Ordering::Relaxed);
    }

    /// So many of its goals are open.
    pub(crate) fn set_open_goals(&self, open: usize) {
        self.open_goals
            .store(u32::try_from(open).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Whether it has had nothing to do for as long as its specification says.
    pub(crate) fn is_idle(&self, now: Duration) -> bool {
        let Some(rests_after_s) = self.spec.rests_after_s else {
            return false;
        };
        let quiet_ms = millis(now).saturating_sub(self.heard_ms.load(Ordering::Relaxed));
        self.open_goals.load(Ordering::Relaxed) == 0 && quiet_ms >= u64::from(rests_after_s) * 1000
    }

    /// Writes on the board; the closure only assigns.
    pub(crate) fn post(&self, write: impl FnOnce(&mut AgentStatus)) {
        write(&mut self.board.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn minds(&self) -> MutexGuard<'_, Minds> {
        self.minds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts up what Level 4.5 foresees.
    pub(crate) fn post_foresight(&self, foresight: Foresight) {
        match &mut self.minds().foresight {
            Some(last) => **last = foresight,
            none => *none = Some(Box::new(foresight)),
        }
    }

    /// What Level 4.5 foresaw last; none before its first report.
    pub(crate) fn foresight(&self) -> Option<Foresight> {
        self.minds().foresight.as_deref().cloned()
    }

    /// Puts up what Level 4.8 came to.
    pub(crate) fn post_level48(&self, output: &Arc<L48Output>) {
        self.minds().level48 = Some(Arc::clone(output));
    }

    /// What Level 4.8 came to last; none before its first pass.
    pub(crate) fn level48(&self) -> Option<Arc<L48Output>> {
        self.minds().level48.clone()
    }

    /// The newest self-model; none before Level 4.8's first pass.
    pub(crate) fn self_model(&self) -> Option<Arc<IntrospectOutput>> {
        self.minds()
            .level48
            .as_ref()
            .map(|output| Arc::clone(&output.capability))
    }

    /// Puts up the audit of Level 4.8.
    pub(crate) fn post_l48_report(&self, report: &Arc<Report>) {
        self.minds().l48_report = Some(Arc::clone(report));
    }

    /// The audit of Level 4.8 as of its last pass.
    pub(crate) fn l48_report(&self) -> Option<Arc<Report>> {
        self.minds().l48_report.clone()
    }

    /// Puts up what Level 4.9 came to.
    pub(crate) fn post_autonomy(&self, output: &Arc<L49Output>) {
        self.minds().level49 = Some(Arc::clone(output));
    }

    /// What Level 4.9 came to last; none before its first pass.
    pub(crate) fn autonomy(&self) -> Option<Arc<L49Output>> {
        self.minds().level49.clone()
    }

    /// The board, with what the governor knows.
    pub(crate) fn status(&self) -> AgentStatus {
        let mut status = self.board.lock().unwrap_or_else(PoisonError::into_inner).clone();
        status.authority = self.governor.reader().all();
        status.freezes = self.governor.freezes();
        status
    }

    /// The tree is being started once more; which time it is.
    pub(crate) fn begin_generation(&self) -> u32 {
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The tree runs.
    pub(crate) fn run(&self, root: Handle<AgentMessage>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Place::Running(root);
    }

    /// The tree does not run; the reference to its root is let go of.
    pub(crate) fn rest(&self, state: AgentState) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Place::Resting(state);
    }

    /// Sends the root something that it bounds itself; nobody is told if it does not run.
    pub(crate) fn signal_root(&self, message: AgentMessage) {
        if let Ok(root) = self.root() {
            root.signal(message);
        }
    }

    /// What the root wants its host to do after it.
    pub(crate) fn end_with(&self, end: End) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    /// What the root wanted, if it ended on purpose; asked once.
    pub(crate) fn take_end(&self) -> Option<End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The root, or why there is none.
    pub(crate) fn root(&self) -> Result<Handle<AgentMessage>, AgentState> {
        match &*self.place.lock().unwrap_or_else(PoisonError::into_inner) {
            Place::Running(root) => Ok(root.clone()),
            Place::Resting(state) => Err(*state),
        }
    }

    /// The agent as its host lists it.
    pub(crate) fn entry(&self) -> AgentEntry {
        AgentEntry {
            agent: self.agent().clone(),
            state: self.root().map_or_else(|state| state, |_| AgentState::Running),
            generation: self.generation.load(Ordering::Acquire),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
