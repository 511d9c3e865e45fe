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

use super::change::{Change, Escalation, Exited, ShutdownReport};
use super::child::{ChildSpec, Start, StartContext, Started};
use super::plan::{ChildState, Decision, Exit, Plan, PlanError, Request, Step, Then};
use super::policy::Policy;
use super::stop::stop_all;
use super::tree::{NodeState, Row, TreeView};
use crate::tasks;
use crate::timer::{Timer, Timers};
use ractor::{ActorCell, ActorId, ActorStatus, SupervisionEvent};
use rungs_types::RolePath;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

type Notify = Arc<dyn Fn() + Send + Sync>;

struct Live {
    start: Start,
    start_within: Duration,
    started: Option<Started>,
    last_exit: Option<Exit>,
    started_before: u32,
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
            started_before: spec.started_before,
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
        let mut actors = Vec::new();
        for child in self.plan.children().iter().rev() {
            let started = self.live.get_mut(&child.role).and_then(|live| live.started.take());
            actors.extend(started.map(|started| (child.role.clone(), started.cell, child.stop_within)));
        }
        let report = stop_all(actors, order, until).await;
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
                // A node without room for one more timer still heals; this is rare enough for a task of its own.
                tracing::error!(%error, "supervisor sleeps without a timer");
                let notify = Arc::clone(&self.notify);
                let sleep = tokio::time::sleep(due.saturating_sub(now));
                tasks::spawn("supervisor wake", async move {
                    sleep.await;
                    notify();
                });
            }
        }
    }

    fn publish(&self) {
        let rows = self.plan.children().iter().map(|child| {
            let live = self.live.get(&child.role);
            let started = live.and_then(|live| live.started.as_ref());
            let before = live.map_or(0, |live| live.started_before);
            Row {
                role: child.role.clone(),
                state: match child.state {
                    ChildState::Idle => NodeState::Idle,
                    ChildState::Running => NodeState::Running,
                    ChildState::Stopping { .. } => NodeState::Stopping,
                    ChildState::Waiting { .. } => NodeState::Waiting,
                    ChildState::Parked => NodeState::Parked,
                },
                generation: child.generation.saturating_add(before),
                restarts: child.restarts.saturating_add(u64::from(before)),
                actor: started.map(|started| started.cell.get_id().pid()),
                mailbox: started.and_then(|started| started.mailbox.clone()),
                note: started.map(|started| started.note.clone()).unwrap_or_default(),
                subtree: started.and_then(|started| started.subtree.clone()),
            }
        });
        self.view.publish(rows.collect());
    }
}

#[cfg(test)]
mod tests;
