//! [`Children`]: carries out what [`plan`](super::plan) decides. Embedded in the state of a supervising actor, which
//! calls it from three places and does its own in between:
//!
//! ```text
//! handle_supervisor_evt:  if let Some(exited) = children.observe(&event) { …; children.react(exited, &cell).await? }
//! handle, on its wake-up: children.wake(&cell).await?
//! post_stop:              children.shutdown().await
//! ```
//!
//! Invariant: after each of these calls the published tree equals the table, and one timer is set for what comes next.

use super::plan::{ChildState, Decision, Exit, KILL_GRACE, Plan, PlanError, Request, Step, Then};
use super::policy::{Policy, Restart, StopOrder};
use super::tree::{NodeState, Note, Row, TreeView};
use crate::delivered::Handle;
use crate::mailbox::Mailbox;
use crate::timer::{Timer, Timers};
use futures::future::{BoxFuture, join_all};
use ractor::{ActorCell, ActorId, ActorStatus, SupervisionEvent};
use rungs_types::RolePath;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a child may drain, unless its [`ChildSpec`] says otherwise.
pub const DEFAULT_STOP_WITHIN: Duration = Duration::from_secs(5);
/// How long a child may take to start, unless its [`ChildSpec`] says otherwise.
pub const DEFAULT_START_WITHIN: Duration = Duration::from_secs(10);

/// Why a child did not start.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

type Start = Arc<dyn Fn(StartContext) -> BoxFuture<'static, Result<Started, StartError>> + Send + Sync>;
type Notify = Arc<dyn Fn() + Send + Sync>;

/// What a child needs to know to start.
#[derive(Debug, Clone)]
pub struct StartContext {
    /// To be linked to, by `spawn_linked`.
    pub supervisor: ActorCell,
    /// The child's role.
    pub role: RolePath,
    /// Which start this is; 1 is the first.
    pub generation: u32,
}

/// A child that has started.
#[derive(Debug, Clone)]
pub struct Started {
    cell: ActorCell,
    mailbox: Option<Arc<Mailbox>>,
    subtree: Option<TreeView>,
    note: Note,
}

impl From<ActorCell> for Started {
    fn from(cell: ActorCell) -> Self {
        Self {
            cell,
            mailbox: None,
            subtree: None,
            note: Note::default(),
        }
    }
}

impl<M: Send + 'static> From<&Handle<M>> for Started {
    fn from(handle: &Handle<M>) -> Self {
        Self {
            mailbox: Some(Arc::clone(handle.mailbox())),
            ..Self::from(handle.cell())
        }
    }
}

impl Started {
    /// Shows the child's own children below it.
    #[must_use]
    pub fn with_subtree(mut self, subtree: TreeView) -> Self {
        self.subtree = Some(subtree);
        self
    }

    /// Shows a text beside the child.
    #[must_use]
    pub fn with_note(mut self, note: Note) -> Self {
        self.note = note;
        self
    }
}

/// A child to be: its role, its policy and how to start it.
#[derive(Clone)]
pub struct ChildSpec {
    role: RolePath,
    restart: Restart,
    stop_within: Duration,
    start_within: Duration,
    start: Start,
}

impl std::fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChildSpec({}, {:?})", self.role, self.restart)
    }
}

impl ChildSpec {
    /// `start` spawns the actor linked to the supervisor of its context. It runs in the supervisor's handler: it must not
    /// ask the supervisor anything.
    pub fn new<F>(role: RolePath, restart: Restart, start: impl Fn(StartContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Started, StartError>> + Send + 'static,
    {
        Self {
            role,
            restart,
            stop_within: DEFAULT_STOP_WITHIN,
            start_within: DEFAULT_START_WITHIN,
            start: Arc::new(move |context| Box::pin(start(context))),
        }
    }

    /// How long it may drain before it is killed. A child that supervises needs more than its own children.
    #[must_use]
    pub fn stop_within(mut self, deadline: Duration) -> Self {
        self.stop_within = deadline;
        self
    }

    /// How long its start may take before it counts as failed.
    #[must_use]
    pub fn start_within(mut self, deadline: Duration) -> Self {
        self.start_within = deadline;
        self
    }

    /// Its role.
    pub fn role(&self) -> &RolePath {
        &self.role
    }
}

/// A child has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exited {
    /// Which.
    pub role: RolePath,
    /// Which start of it.
    pub generation: u32,
    /// How.
    pub exit: Exit,
    /// Its supervisor had told it to stop.
    pub as_told: bool,
}

/// Something that happened to a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It started, not after a fault.
    Started {
        /// Which.
        role: RolePath,
        /// Which start of it.
        generation: u32,
    },
    /// It started again after it, or one it depends on, had ended.
    Restarted {
        /// Which.
        role: RolePath,
        /// Which start of it.
        generation: u32,
        /// How the one before had ended.
        cause: Exit,
    },
    /// It stopped as it was told to and rests.
    Stopped {
        /// Which.
        role: RolePath,
    },
    /// It ended and left the table.
    Forgotten {
        /// Which.
        role: RolePath,
        /// How it ended.
        exit: Exit,
    },
    /// It failed too often and rests until it is started by hand.
    Parked {
        /// Which.
        role: RolePath,
        /// How it ended the last time.
        cause: Exit,
    },
    /// It did not end even when killed; its supervisor has let go of it.
    Abandoned {
        /// Which.
        role: RolePath,
    },
}

/// Children failed too often; the supervisor is to end. All other children have been drained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{role} {exit} after {restarts} restarts within {window_ms} ms")]
pub struct Escalation {
    /// The child that was one too many.
    pub role: RolePath,
    /// How it ended.
    pub exit: Exit,
    /// Restarts within the window.
    pub restarts: u32,
    /// The window, in milliseconds.
    pub window_ms: u64,
}

/// How a shutdown went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Children that ended in time, with their `post_stop`.
    pub drained: Vec<RolePath>,
    /// Children that had to be killed.
    pub killed: Vec<RolePath>,
    /// Children that did not end even when killed.
    pub abandoned: Vec<RolePath>,
}

struct Live {
    start: Start,
    start_within: Duration,
    started: Option<Started>,
    last_exit: Option<Exit>,
}

/// The children of one supervising actor.
pub struct Children {
    plan: Plan,
    live: BTreeMap<RolePath, Live>,
    by_id: HashMap<ActorId, (RolePath, u32)>,
    origin: Instant,
    timers: Timers,
    notify: Notify,
    next_wake: Option<(Duration, Timer)>,
    view: TreeView,
}

impl Children {
    /// No children yet. `notify` sends the supervising actor the message on which it calls [`Children::wake`]; `seed`
    /// spreads the pauses of supervisors that are otherwise equal.
    pub fn new(policy: Policy, seed: u64, timers: Timers, notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            plan: Plan::new(policy, seed),
            live: BTreeMap::new(),
            by_id: HashMap::new(),
            origin: Instant::now(),
            timers,
            notify: Arc::new(notify),
            next_wake: None,
            view: TreeView::new(),
        }
    }

    /// Publishes into a view that somebody already has.
    #[must_use]
    pub fn publishing(mut self, view: TreeView) -> Self {
        self.view = view;
        self
    }

    /// Where the children are shown.
    pub fn view(&self) -> &TreeView {
        &self.view
    }

    /// Adds a child behind all others, without starting it.
    pub fn add(&mut self, spec: ChildSpec) -> Result<(), PlanError> {
        self.plan.add(spec.role.clone(), spec.restart, spec.stop_within)?;
        let live = Live {
            start: spec.start,
            start_within: spec.start_within,
            started: None,
            last_exit: None,
        };
        self.live.insert(spec.role, live);
        self.publish();
        Ok(())
    }

    /// Starts all children in order. One that does not start is tried again by the policy.
    pub async fn start_all(&mut self, myself: &ActorCell) -> Result<Vec<Change>, Escalation> {
        let roles: Vec<_> = self.plan.children().iter().map(|child| child.role.clone()).collect();
        for role in &roles {
            // A role just read from the table is known, and a table that is closing starts nothing.
            drop(self.plan.request(role, Request::Start, self.now()));
        }
        self.advance(myself, Vec::new()).await
    }

    /// Asks a child to start, to stop or to stop and be forgotten. A parked child that is started counts from zero.
    pub async fn request(
        &mut self,
        role: &RolePath,
        request: Request,
        myself: &ActorCell,
    ) -> Result<Result<Vec<Change>, Escalation>, PlanError> {
        self.plan.request(role, request, self.now())?;
        Ok(self.advance(myself, Vec::new()).await)
    }

    /// The exit that an event tells of; `None` for an event that is none, of a stranger, or of an earlier generation.
    /// Nothing is decided yet.
    pub fn observe(&self, event: &SupervisionEvent) -> Option<Exited> {
        let (cell, exit) = match event {
            SupervisionEvent::ActorTerminated(cell, state, _) => {
                // ractor hands the state over after a clean stop, and after nothing else.
                let exit = if state.is_some() { Exit::Clean } else { Exit::Killed };
                (cell, exit)
            }
            SupervisionEvent::ActorFailed(cell, error) => (cell, Exit::failed(&error.to_string())),
            _ => return None,
        };
        let (role, generation) = self.by_id.get(&cell.get_id())?.clone();
        let child = self.plan.child(&role)?;
        (child.generation == generation).then_some(Exited {
            as_told: matches!(child.state, ChildState::Stopping { .. }),
            role,
            generation,
            exit,
        })
    }

    /// Decides about an exit and does what can be done now.
    pub async fn react(&mut self, exited: Exited, myself: &ActorCell) -> Result<Vec<Change>, Escalation> {
        let mut changes = Vec::new();
        self.on_exit(&exited.role, exited.generation, exited.exit, &mut changes)
            .await?;
        self.advance(myself, changes).await
    }

    /// Does what has become due. Called late or twice it does no harm.
    pub async fn wake(&mut self, myself: &ActorCell) -> Result<Vec<Change>, Escalation> {
        self.next_wake = None;
        self.advance(myself, Vec::new()).await
    }

    /// Drains all children, last started first or together, each within its deadline and all within the policy's; who
    /// does not end is killed, who cannot be killed is left behind. Nothing starts any more.
    pub async fn shutdown(&mut self) -> ShutdownReport {
        self.next_wake = None;
        let until = Instant::now() + self.plan.policy().stop_within();
        let order = self.plan.policy().stop_order;
        self.plan.close();
        self.publish();
        let mut stops = Vec::new();
        for child in self.plan.children().iter().rev() {
            let started = self.live.get_mut(&child.role).and_then(|live| live.started.take());
            if let Some(started) = started {
                stops.push(stop(child.role.clone(), started.cell, child.stop_within, until));
            }
        }
        let ends = match order {
            StopOrder::Together => join_all(stops).await,
            StopOrder::Reverse => in_turn(stops, until).await,
        };
        let mut report = ShutdownReport::default();
        for (role, end) in ends {
            match end {
                End::Drained => report.drained.push(role),
                End::Killed => report.killed.push(role),
                End::Abandoned => report.abandoned.push(role),
            }
        }
        self.by_id.clear();
        self.view.publish(Vec::new());
        report
    }

    /// A running child's actor.
    pub fn cell(&self, role: &RolePath) -> Option<&ActorCell> {
        let running = self.plan.child(role)?.state == ChildState::Running;
        let started = self.live.get(role)?.started.as_ref()?;
        running.then_some(&started.cell)
    }

    /// What is known of the children, in order of start.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    async fn on_exit(
        &mut self,
        role: &RolePath,
        generation: u32,
        exit: Exit,
        changes: &mut Vec<Change>,
    ) -> Result<(), Escalation> {
        let now = self.now();
        let decision = self.plan.on_exit(role, generation, &exit, now);
        if decision == Decision::Stale {
            return Ok(());
        }
        tracing::debug!(%role, generation, %exit, ?decision, "child ended");
        self.plan.apply(&decision, now);
        if let Some(live) = self.live.get_mut(role) {
            live.last_exit = Some(exit.clone());
            // A reference to an ended actor would keep most of its memory.
            if let Some(started) = live.started.take() {
                self.by_id.remove(&started.cell.get_id());
            }
        }
        let role = role.clone();
        match decision {
            Decision::Stale | Decision::Restart { .. } => {}
            Decision::AsTold { then, .. } => changes.extend(self.settled(role, then, exit)),
            Decision::Forget { .. } => changes.extend(self.settled(role, Then::Forget, exit)),
            Decision::Park { .. } => changes.push(Change::Parked { role, cause: exit }),
            Decision::Escalate { restarts, .. } => {
                self.shutdown().await;
                let window_ms = self.plan.policy().window_ms;
                return Err(Escalation {
                    role,
                    exit,
                    restarts,
                    window_ms,
                });
            }
        }
        Ok(())
    }

    fn settled(&mut self, role: RolePath, then: Then, exit: Exit) -> Option<Change> {
        match then {
            Then::Wait { .. } => None,
            Then::Idle => {
                // The next start is not after a fault.
                if let Some(live) = self.live.get_mut(&role) {
                    live.last_exit = None;
                }
                Some(Change::Stopped { role })
            }
            Then::Forget => {
                self.live.remove(&role);
                Some(Change::Forgotten { role, exit })
            }
        }
    }

    /// Carries out steps until none is left, then sets the timer for the next.
    async fn advance(&mut self, myself: &ActorCell, mut changes: Vec<Change>) -> Result<Vec<Change>, Escalation> {
        // A supervisor that is itself on its way out starts nothing: ractor would refuse the link.
        let open = myself.get_status() < ActorStatus::Draining;
        loop {
            let mut steps = self.plan.steps(self.now());
            steps.retain(|step| open || !matches!(step, Step::Start(..)));
            if steps.is_empty() {
                break;
            }
            for step in steps {
                self.carry_out(&step, myself, &mut changes).await?;
            }
        }
        self.forget_removed();
        self.set_timer();
        self.publish();
        Ok(changes)
    }

    async fn carry_out(
        &mut self,
        step: &Step,
        myself: &ActorCell,
        changes: &mut Vec<Change>,
    ) -> Result<(), Escalation> {
        let now = self.now();
        let then = |plan: &Plan, role| match plan.child(role).map(|child| child.state) {
            Some(ChildState::Stopping { then, .. }) => Some(then),
            _ => None,
        };
        match step {
            Step::Drain(role) => {
                if let Some(started) = self.live.get(role).and_then(|live| live.started.as_ref()) {
                    // An actor that has ended cannot be drained; its event is on the way.
                    drop(started.cell.drain());
                }
                self.plan.done(step, now);
            }
            Step::Kill(role) => {
                tracing::warn!(%role, "child did not stop in time; killed");
                if let Some(started) = self.live.get(role).and_then(|live| live.started.as_ref()) {
                    started.cell.kill();
                }
                self.plan.done(step, now);
            }
            Step::Abandon(role) => {
                tracing::error!(%role, "child did not end when killed; abandoned");
                let then = then(&self.plan, role);
                self.plan.done(step, now);
                if let Some(started) = self.live.get_mut(role).and_then(|live| live.started.take()) {
                    started.cell.unlink(myself.clone());
                    self.by_id.remove(&started.cell.get_id());
                }
                changes.push(Change::Abandoned { role: role.clone() });
                changes.extend(then.and_then(|then| self.settled(role.clone(), then, Exit::Killed)));
            }
            Step::Start(role, generation) => {
                self.plan.done(step, now);
                self.start(role, *generation, myself, changes).await?;
            }
        }
        Ok(())
    }

    async fn start(
        &mut self,
        role: &RolePath,
        generation: u32,
        myself: &ActorCell,
        changes: &mut Vec<Change>,
    ) -> Result<(), Escalation> {
        let Some(live) = self.live.get_mut(role) else {
            return Ok(());
        };
        let context = StartContext {
            supervisor: myself.clone(),
            role: role.clone(),
            generation,
        };
        let started = match tokio::time::timeout(live.start_within, (live.start)(context)).await {
            Ok(Ok(started)) => started,
            Ok(Err(error)) => return self.start_failed(role, generation, &error.to_string(), changes).await,
            Err(_) => {
                let words = format!("not started within {} ms", live.start_within.as_millis());
                return self.start_failed(role, generation, &words, changes).await;
            }
        };
        let id = started.cell.get_id();
        if started.cell.try_get_supervisor().is_none() && started.cell.get_status() < ActorStatus::Stopping {
            started.cell.link(myself.clone());
        }
        self.by_id.insert(id, (role.clone(), generation));
        live.started = Some(started);
        let role = role.clone();
        changes.push(match live.last_exit.take() {
            None => Change::Started { role, generation },
            Some(cause) => Change::Restarted {
                role,
                generation,
                cause,
            },
        });
        Ok(())
    }

    async fn start_failed(
        &mut self,
        role: &RolePath,
        generation: u32,
        words: &str,
        changes: &mut Vec<Change>,
    ) -> Result<(), Escalation> {
        tracing::warn!(%role, generation, error = words, "child did not start");
        // Boxed: a start that fails shuts the others down, which is large and rare.
        Box::pin(self.on_exit(role, generation, Exit::failed(words), changes)).await
    }

    /// Drops what the table has forgotten without an exit: children removed while they did not run.
    fn forget_removed(&mut self) {
        let plan = &self.plan;
        if self.live.len() != plan.children().len() {
            self.live.retain(|role, _| plan.child(role).is_some());
        }
    }

    fn set_timer(&mut self) {
        let now = self.now();
        let Some(due) = self.plan.next_wake(now) else {
            self.next_wake = None;
            return;
        };
        if self.next_wake.as_ref().is_some_and(|(set, _)| *set == due) {
            return;
        }
        let notify = Arc::clone(&self.notify);
        let timer = self
            .timers
            .once("supervisor", due.saturating_sub(now), move || notify());
        match timer {
            Ok(timer) => self.next_wake = Some((due, timer)),
            Err(error) => {
                // Better too early than never: the actor wakes at once and tries again.
                tracing::error!(%error, "supervisor has no timer");
                (self.notify)();
            }
        }
    }

    fn publish(&self) {
        let rows = self.plan.children().iter().map(|child| {
            let started = self.live.get(&child.role).and_then(|live| live.started.as_ref());
            Row {
                role: child.role.clone(),
                state: match child.state {
                    ChildState::Idle => NodeState::Idle,
                    ChildState::Running => NodeState::Running,
                    ChildState::Stopping { .. } => NodeState::Stopping,
                    ChildState::Waiting { .. } => NodeState::Waiting,
                    ChildState::Parked => NodeState::Parked,
                },
                generation: child.generation,
                restarts: child.restarts,
                actor: started.map(|started| started.cell.get_id().pid()),
                mailbox: started.and_then(|started| started.mailbox.clone()),
                note: started.map(|started| started.note.clone()).unwrap_or_default(),
                subtree: started.and_then(|started| started.subtree.clone()),
            }
        });
        self.view.publish(rows.collect());
    }
}

/// One stop after another while there is time, then what is left together.
async fn in_turn<F: Future>(stops: Vec<F>, until: Instant) -> Vec<F::Output> {
    let mut ends = Vec::new();
    let mut stops = stops.into_iter();
    while Instant::now() < until
        && let Some(stop) = stops.next()
    {
        ends.push(stop.await);
    }
    ends.extend(join_all(stops).await);
    ends
}

enum End {
    Drained,
    Killed,
    Abandoned,
}

/// Drains one actor until the earlier of both deadlines, then kills it, then lets go of it.
async fn stop(role: RolePath, cell: ActorCell, within: Duration, until: Instant) -> (RolePath, End) {
    let left = until.saturating_duration_since(Instant::now());
    // An actor that has ended cannot be drained, and needs no waiting either.
    drop(cell.drain());
    if cell.wait(Some(within.min(left))).await.is_ok() {
        return (role, End::Drained);
    }
    tracing::warn!(%role, "child did not stop in time; killed");
    cell.kill();
    if cell.wait(Some(KILL_GRACE)).await.is_ok() {
        return (role, End::Killed);
    }
    tracing::error!(%role, "child did not end when killed; abandoned");
    (role, End::Abandoned)
}

#[cfg(test)]
mod tests;
