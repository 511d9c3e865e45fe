//! The kernel: L3 as an actor. One cycle at each tick of the node's timer wheel; it waits for nobody.
//!
//! Supervised by the agent's root; when it ends, the agent is started again from its last snapshot. Decided elsewhere:
//! the turn by `rungs_mind::l3::Kernel`, what it may do by `rungs_mind::body`.
//!
//! Invariants:
//! 1. A cycle awaits nothing: it reads the authority cell and the desk, turns, acts, and hands reports on without
//!    waiting for room. A level that is busy gets the report later, merged.
//! 2. At most one tick is in the mailbox; those that came meanwhile are counted as late cycles and not made up for.
//! 3. No action is carried out that the body's gate has not granted, nor one that does harm when it is repeated before
//!    it is durable that it is about to be (`journal`).

mod ask;
mod message;

use ask::Asking;
pub(crate) use message::KernelMessage;
use message::{Pulse, closed};

use crate::environment::{Command, Environment, EnvironmentError, Observed};
use crate::goals::{self, CancelGoal, GetGoal, GoalEntry, ListGoals, SubmitGoal, TakeGoal};
use crate::guard::GuardMessage;
use crate::journal::Journal;
use crate::level45::{Cut, Level45Message};
use crate::messages::{Ask, GetRoleState, RoleState};
use crate::quota::Quota;
use crate::tree::{Registered, Tree, role};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use rungs_host::{Delivered, EndpointBuilder, Handle, Mailbox, Refusal, Reply, Tick, Timer};
use rungs_mind::body::{self, Body, BodyState, Perceived};
use rungs_mind::goals::{Runner, RunnerState};
use rungs_mind::l3::{self, Action, KernelState, PeriodChange};
use rungs_mind::l45::Heartbeat;
use rungs_mind::l45::guard::MAX_MISSED_BEATS;
use rungs_mind::ladder::Fault;
use rungs_mind::report::REPORT_CYCLES;
use rungs_types::{Authority, EventKind, Level};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The kernel's role in the agent's tree.
pub(crate) const ROLE: &str = "kernel";
/// Messages that its mailbox holds: one tick, and questions of operators.
const MAX_MESSAGES: u32 = 64;
/// Bytes that they may weigh.
const MAX_BYTES: u64 = 256 * 1024;
/// How often the agent tells its state, at most.
const STATUS_PERIOD: Duration = Duration::from_secs(1);

/// What the kernel knows, as it goes into a snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KernelPart {
    /// Cycles since the agent's first start.
    pub(crate) cycle: u64,
    /// Late ones of them.
    pub(crate) late_cycles: u64,
    /// Time since the first cycle, in microseconds.
    pub(crate) elapsed_us: u64,
    /// L3.
    pub(crate) kernel: KernelState,
    /// What it can do.
    pub(crate) body: BodyState,
    /// Its goals, and the knobs that their tasks have turned.
    pub(crate) goals: RunnerState,
}

/// What the kernel needs to start.
pub(crate) struct KernelStart {
    /// L3 as it is to go on. Boxed, as it is moved through the start of the actor.
    pub(crate) kernel: Box<l3::Kernel>,
    /// What it can do.
    pub(crate) body: Body,
    /// Its goals.
    pub(crate) goals: Runner,
    /// Where goes what happens to them.
    pub(crate) journal: Journal,
    /// What it watches and acts on.
    pub(crate) environment: Box<dyn Environment>,
    /// Cycles, late cycles and time before this start.
    pub(crate) cycle: u64,
    /// See [`KernelPart::late_cycles`].
    pub(crate) late_cycles: u64,
    /// See [`KernelPart::elapsed_us`].
    pub(crate) elapsed: Duration,
}

/// See the module.
pub(crate) struct KernelActor {
    tree: Arc<Tree>,
    mailbox: Arc<Mailbox>,
}

/// The state of a [`KernelActor`].
pub(crate) struct Cycling {
    start: KernelStart,
    handle: Handle<KernelMessage>,
    row: Vec<f64>,
    began: Instant,
    before: Duration,
    pulse: Arc<Pulse>,
    timer: Option<Timer>,
    /// Room for one report at L4.5.
    above: Arc<Mailbox>,
    heartbeat: Heartbeat,
    reported: u64,
    told: Instant,
    quota: Quota,
    unreadable: bool,
    asking: Asking,
    _registered: Registered,
}

impl KernelActor {
    /// Starts the kernel, below the agent's root.
    pub(crate) async fn spawn(
        tree: Arc<Tree>,
        start: KernelStart,
        root: ActorCell,
    ) -> Result<Handle<KernelMessage>, SpawnErr> {
        let mailbox = Arc::new(Mailbox::bounded(MAX_MESSAGES, MAX_BYTES));
        let hosting = tree.hosting(Some(&role(ROLE)), &mailbox);
        hosting.spawn(Self { tree, mailbox }, start, root).await
    }
}

impl Actor for KernelActor {
    type Msg = Delivered<KernelMessage>;
    type State = Cycling;
    type Arguments = KernelStart;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, start: KernelStart) -> Result<Cycling, ActorProcessingErr> {
        let handle = Handle::sharing(myself, Arc::clone(&self.mailbox));
        let endpoint = EndpointBuilder::new(handle.clone())
            .receives::<GetRoleState>()
            .receives::<SubmitGoal>()
            .receives::<TakeGoal>()
            .receives::<CancelGoal>()
            .receives::<ListGoals>()
            .receives::<GetGoal>()
            .receives::<Ask>()
            .build();
        let now = Instant::now();
        let mut cycling = Cycling {
            row: vec![f64::NAN; start.environment.describe().dimensions.len()],
            began: now,
            before: start.elapsed,
            pulse: Arc::default(),
            timer: None,
            above: Arc::new(Mailbox::bounded(1, MAX_BYTES)),
            heartbeat: Heartbeat::new(REPORT_CYCLES as u64, start.cycle),
            reported: start.cycle,
            told: now,
            quota: Quota::new(self.tree.shared.spec.cpu_quota),
            unreadable: false,
            asking: Asking::default(),
            start,
            handle,
            _registered: self.tree.register(Some(&role(ROLE)), &self.mailbox, endpoint),
        };
        let kernel = cycling.handle.clone();
        cycling
            .start
            .journal
            .on_change(move || kernel.signal(KernelMessage::Durable));
        self.pace(&mut cycling)?;
        Ok(cycling)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        delivered: Self::Msg,
        state: &mut Cycling,
    ) -> Result<(), ActorProcessingErr> {
        if !delivered.message.is_internal() {
            self.tree.hear();
        }
        match delivered.message {
            KernelMessage::Tick(due) => {
                let missed = state.pulse.take();
                if self.acts() {
                    self.cycle(due, missed, state)?;
                }
                self.tree.kernel_track.done();
            }
            KernelMessage::Submit(request) if !self.acts() => request.reply.send(Err(closed())),
            KernelMessage::Cancel(request) if !self.acts() => request.reply.send(Err(closed())),
            KernelMessage::Submit(request) => {
                let set = goals::submit(&mut state.start.goals, request.message.spec);
                self.answer(request.reply, set, state);
            }
            KernelMessage::Take(request) => {
                let taken = goals::take(&mut state.start.goals, request.message);
                self.answer(request.reply, taken, state);
            }
            KernelMessage::Cancel(request) => {
                let cancelled = goals::cancel(&mut state.start.goals, &request.message.goal);
                self.answer(request.reply, cancelled, state);
            }
            KernelMessage::Durable => {
                let news = state.start.journal.look(&mut state.start.goals);
                self.tell_of_journal(news, state);
            }
            KernelMessage::Ask(request) => self.asked(request, state),
            KernelMessage::Told(asked) => self.told(*asked, state),
            KernelMessage::Goals(request) => request.reply.send(Ok(goals::list(&state.start.goals))),
            KernelMessage::Goal(request) => {
                let shown = goals::show(&state.start.goals, &request.message.goal);
                request.reply.send(shown);
            }
            KernelMessage::State(request) => {
                let stretch = state.start.body.stretch();
                request.reply.send(Ok(RoleState {
                    role: ROLE.to_owned(),
                    cycle: state.start.cycle,
                    steps: state.start.cycle,
                    detail: format!(
                        "{} late cycles, {} cycles wait for L4.5, period stretched {stretch} times",
                        state.start.late_cycles,
                        state.start.kernel.report_cycles()
                    ),
                }));
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut Cycling) -> Result<(), ActorProcessingErr> {
        state.start.goals.rest();
        self.write_journal(state);
        state.start.journal.settle().await;
        self.tree.parts().kernel = Some(Box::new(part(state)));
        Ok(())
    }
}

/// The kernel's state for a snapshot.
fn part(state: &Cycling) -> KernelPart {
    let elapsed = state.before + state.began.elapsed();
    KernelPart {
        cycle: state.start.cycle,
        late_cycles: state.start.late_cycles,
        elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        kernel: state.start.kernel.snapshot(),
        body: state.start.body.snapshot(),
        goals: state.start.goals.snapshot(),
    }
}

impl KernelActor {
    /// Sets the timer to the period in force.
    fn pace(&self, state: &mut Cycling) -> Result<(), ActorProcessingErr> {
        let nominal = Duration::from_secs_f64(1.0 / self.tree.shared.spec.rate_hz);
        let period = nominal * state.start.body.stretch();
        let (pulse, kernel, tree) = (Arc::clone(&state.pulse), state.handle.clone(), Arc::clone(&self.tree));
        let tick = move |tick: Tick| pulse.beat(tick, &tree.kernel_track, &kernel);
        state.timer = Some(self.tree.runtime.timers.every("cycle", period, period, tick)?);
        Ok(())
    }

    /// Whether the node may act in the name of its agents. A process that slept through the end of its lease looks here
    /// before anything else is done.
    fn acts(&self) -> bool {
        self.tree.runtime.gate.is_open()
    }

    /// One turn, that was due at a moment.
    fn cycle(&self, due: Instant, missed: u64, state: &mut Cycling) -> Result<(), ActorProcessingErr> {
        if !self.observe(state) {
            return Ok(());
        }
        let shared = &self.tree.shared;
        let start = &mut state.start;
        start.cycle += 1;
        start.late_cycles += missed;
        let standing = shared.governor.reader().read(Level::L48);
        let (floor, advice) = self.tree.desk.read(start.cycle, standing.epoch);
        start.goals.hear(self.tree.desk.sight());
        let autonomy = shared.governor.reader().read(Level::L49);
        let acts = (autonomy.authority >= Authority::Half).then_some(autonomy.epoch);
        start.goals.obey(self.tree.desk.take_orders(acts));
        let advised = advice.as_deref().map(|advice| (advice, standing.authority));
        start.goals.begin(start.cycle, &state.row, advised);
        // What is owed may wait for what has just been written.
        let news = start.journal.write(&mut start.goals);
        let mut duty = start.goals.duty();
        let asks = matches!(duty.task, Some(Action::AskPeer { .. }));
        if asks && !state.asking.is_free() {
            // It waits until the question that is on its way is over.
            duty.task = None;
        }
        let perceived = Perceived {
            cycle: start.cycle,
            row: &state.row,
            outcomes: start.goals.take_outcomes(),
            floor,
            advice: advised,
            late: missed > 0,
            quota_share: state.quota.share(),
            // Nothing of an answer is an observation: of itself the kernel has no use for one.
            peers: asks && state.asking.is_free() && self.tree.has_peers(),
        };
        let step = start.body.turn_on_duty(&mut start.kernel, &perceived, duty);
        start.goals.end(step.action, step.task);
        for kind in start.goals.take_news().into_iter().chain(news) {
            shared.log.emit(start.cycle, kind);
        }
        shared.set_cycle(start.cycle);
        shared.set_open_goals(start.goals.open_count());
        self.perform(step.action, state)?;
        self.tree.runtime.decisions.note(due.elapsed());
        self.write_journal(state);
        if let Some(error) = state.start.journal.broken() {
            return Err(error.to_string().into());
        }
        if state.start.cycle.is_multiple_of(REPORT_CYCLES as u64) {
            self.report(state);
        }
        self.tell(state);
        Ok(())
    }

    /// Hands over what has happened to goals.
    fn write_journal(&self, state: &mut Cycling) {
        let news = state.start.journal.write(&mut state.start.goals);
        self.tell_of_journal(news, state);
    }

    fn tell_of_journal(&self, news: Option<EventKind>, state: &Cycling) {
        if let Some(kind) = news {
            self.tree.shared.log.emit(state.start.cycle, kind);
        }
    }

    /// Answers a caller: a refusal at once, and what was done when it is durable.
    fn answer(&self, reply: Reply<GoalEntry>, done: Result<GoalEntry, Refusal>, state: &mut Cycling) {
        match done {
            Ok(entry) => {
                let KernelStart { goals, journal, .. } = &mut state.start;
                let news = journal.answer(goals, reply, entry);
                self.tell_of_journal(news, state);
            }
            Err(refusal) => reply.send(Err(refusal)),
        }
    }

    /// Fills the row; false when a recording has ended and there is nothing left to do.
    fn observe(&self, state: &mut Cycling) -> bool {
        let now = state.before + state.began.elapsed();
        state.row.fill(f64::NAN);
        match state.start.environment.observe(now, &mut state.row) {
            Ok(Observed::Row) => state.unreadable = false,
            Ok(Observed::End) => {
                self.tree.shared.log.emit(
                    state.start.cycle,
                    EventKind::Warning {
                        summary: "the recording has ended; the agent cycles no more".to_owned(),
                    },
                );
                state.timer = None;
                return false;
            }
            Err(error) => {
                // What was filled before the error is not to be trusted.
                state.row.fill(f64::NAN);
                self.complain(&error, state);
            }
        }
        true
    }

    /// Tells of an environment that cannot be read, once until it can be read again.
    fn complain(&self, error: &EnvironmentError, state: &mut Cycling) {
        if std::mem::replace(&mut state.unreadable, true) {
            return;
        }
        let summary = error.to_string();
        let kind = match error {
            EnvironmentError::Broken { .. } => EventKind::Incident { raised: true, summary },
            _ => EventKind::Warning { summary },
        };
        self.tree.shared.log.emit(state.start.cycle, kind);
    }

    /// Carries out an action that the gate has granted.
    fn perform(&self, action: Action, state: &mut Cycling) -> Result<(), ActorProcessingErr> {
        let start = &mut state.start;
        if let Some(incident) = body::incident(action, &start.environment.describe().groups) {
            self.tree.shared.log.emit(start.cycle, incident);
        }
        match action {
            // A switch of forecaster the kernel has carried out itself.
            Action::Hold | Action::SwitchForecaster { .. } => {}
            Action::RaiseIncident { .. } | Action::ClearIncident => {}
            Action::AskPeer { group } => self.ask(group, state),
            Action::SampleFaster { group } => {
                let done = start.environment.act(Command::SampleFaster { group }).is_ok();
                start.body.sampled(action, done);
                start.kernel.sampled(action, done);
                start.goals.came_out(action, done);
            }
            Action::SampleSlower { group } => {
                let done = start.environment.act(Command::SampleSlower { group }).is_ok();
                start.body.sampled(action, done);
                start.kernel.sampled(action, done);
                start.goals.came_out(action, done);
            }
            Action::ChangePeriod { change } => self.change_period(change, state)?,
        }
        Ok(())
    }

    fn change_period(&self, change: PeriodChange, state: &mut Cycling) -> Result<(), ActorProcessingErr> {
        let before = state.start.body.stretch();
        if state.start.body.change_period(change) != before {
            self.pace(state)?;
        }
        Ok(())
    }

    /// Hands the report on if L4.5 has room for it; otherwise it grows, and is handed on ten cycles later.
    fn report(&self, state: &mut Cycling) {
        let cycle = state.start.cycle;
        self.watch_guard(state);
        let (Some(level45), Ok(credit)) = (self.tree.level45.get(), state.above.admit(0)) else {
            return;
        };
        let mut report = state.start.kernel.take_report();
        report.goals = state.start.goals.report();
        let report = Arc::new(report);
        let cut = self.tree.take_cut_request();
        if let Some(guard) = self.tree.guard.get() {
            // A guard that is too far behind misses this one, and so a heartbeat.
            drop(guard.tell(GuardMessage::Report {
                report: Arc::clone(&report),
                cut,
            }));
        }
        state.reported = cycle;
        let cut = cut.then(|| Cut {
            kernel: Box::new(part(state)),
            floor: None,
        });
        self.tree.floor_track.with(0);
        level45.signal(Level45Message::Report { report, credit, cut });
    }

    /// Heartbeats are due for reports that were sent; three in a row without one are a fault.
    fn watch_guard(&self, state: &mut Cycling) {
        state.heartbeat.beat(self.tree.guard_beat.last_cycle());
        let missed = state.heartbeat.missed(state.reported);
        if missed >= MAX_MISSED_BEATS {
            let in_a_row = u32::try_from(missed).unwrap_or(u32::MAX);
            let at = self.tree.at_cycle(state.start.cycle);
            self.tree
                .shared
                .governor
                .fault(&Fault::HeartbeatMissed { in_a_row }, at);
        }
    }

    /// Over quota at the longest period, for too long, is a fault.
    fn look_at_quota(&self, state: &mut Cycling) {
        let shared = &self.tree.shared;
        let busy_nanos = shared.meter.read().busy_nanos;
        let stretch = state.start.body.stretch();
        let parks = state.quota.look(state.began.elapsed(), busy_nanos, stretch);
        if let Some(share) = state.quota.measured() {
            self.tree.set_quota_share(share);
        }
        if let Some(share) = parks {
            let at = self.tree.at_cycle(state.start.cycle);
            shared.governor.fault(&Fault::Quota { share }, at);
        }
    }

    /// Writes on the board, and tells watchers every so often.
    fn tell(&self, state: &mut Cycling) {
        let shared = &self.tree.shared;
        let (cycles, late_cycles) = (state.start.cycle, state.start.late_cycles);
        shared.post(|status| {
            status.cycles = cycles;
            status.late_cycles = late_cycles;
        });
        if state.told.elapsed() >= STATUS_PERIOD {
            state.told = Instant::now();
            state.start.journal.write_out();
            shared.log.emit(cycles, EventKind::Status(shared.status()));
            self.look_at_quota(state);
        }
    }
}
