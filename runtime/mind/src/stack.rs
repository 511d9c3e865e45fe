//! The stack: all levels of one agent, with its ladder, under one single-threaded driver.
//!
//! It does what the actors of an agent's tree do, with the same structs and in the order in which they do it when
//! nobody has to wait: the kernel turns, and every ten cycles sentry, L4.5 and L4.8 read its report; what they ask for
//! and what fails goes to the ladder, and the ladder's actions are carried out at once. Recordings are replayed on it.
//!
//! Invariants:
//! 1. The same specification, surroundings and rows give the same cycles and events, bit for bit.
//! 2. No level is told anything but by the ladder's actions; advice of the report of cycle n counts from n + 10 on.
//! 3. Events are numbered from 1 without gaps. Which of the agent's events are not here: its status, which is told by
//!    the clock, and what only a host can notice (actors that start again, snapshots that cannot be written).

mod actions;
mod level48;
mod level49;
#[cfg(test)]
mod tests;

pub use level48::Failure;

use crate::body::{self, Body, Perceived, Surroundings};
use crate::desk::Desk;
use crate::goals::{GoalTable, Runner, SubmitError};
use crate::l3::{Action, Floor, Kernel, KernelError, Outcomes};
use crate::l45::{EthicalKernel, Level45, Level45Error, Sentry};
use crate::l48::observe::{ConfigError, Score};
use crate::l48::{IntrospectOutput, ObserveOutput, PhaseName, PlanOutput};
use crate::l49::below::MAX_MAIL;
use crate::l49::{Bundle as Bundle49, L49Output};
use crate::ladder::{At, Ladder, Order, OrderError};
use crate::qualify::Report;
use crate::report::{FloorReport, REPORT_CYCLES};
use crate::setup;
use level48::Level48;
use level49::Level49;
use rungs_types::{AgentId, AgentSpec, Authority, CheckpointId, EventKind, GoalId, GoalSpec, Level, Mail, Origin};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Why a stack cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StackError {
    /// L3 cannot.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// L4.5 cannot.
    #[error(transparent)]
    Floor(#[from] Level45Error),
    /// L4.8 cannot.
    #[error(transparent)]
    World(#[from] ConfigError),
}

/// One event, as a watcher of the agent sees it, without the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Counts up by one.
    pub seq: u64,
    /// The agent.
    pub agent: AgentId,
    /// Its L3 cycle.
    pub cycle: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What came of one row.
#[derive(Debug, Clone, Default)]
pub struct Cycle {
    /// Its number, from 1.
    pub number: u64,
    /// What the kernel did. A change of sampling is the caller's to carry out and to answer with [`Stack::sampled`].
    pub action: Option<Action>,
    /// L4.5's report, in every tenth cycle.
    pub floor: Option<Arc<FloorReport>>,
    /// L4.8's world model, if it took in a report.
    pub world: Option<Arc<ObserveOutput>>,
    /// L4.8's self-model, if the pass came so far.
    pub capability: Option<Arc<IntrospectOutput>>,
    /// L4.8's plan, if the pass came so far.
    pub plan: Option<Arc<PlanOutput>>,
    /// What Level 4.9 has come to, if it made a pass.
    pub autonomy: Option<Arc<L49Output>>,
    /// What was told.
    pub told: Vec<Told>,
}

/// See the module.
#[derive(Debug)]
pub struct Stack {
    spec: AgentSpec,
    groups: Vec<String>,
    cycle: u64,
    kernel: Kernel,
    body: Body,
    desk: Desk,
    goals: Runner,
    sentry: Sentry,
    ethics: EthicalKernel,
    level45: Level45,
    level48: Option<Level48>,
    level49: Option<Level49>,
    ladder: Ladder,
    /// What other agents said, until Level 4.9 reads it.
    mail: Vec<Mail>,
    ended: bool,
    seq: u64,
    told: Vec<Told>,
}

impl Stack {
    /// An agent that has seen nothing.
    pub fn new(spec: &AgentSpec, surroundings: &Surroundings) -> Result<Self, StackError> {
        let groups: Arc<[u16]> = surroundings.group_of.as_slice().into();
        let level48 = match spec.highest >= Level::L48 {
            true => Some(Level48::new(setup::first_bundle(spec, &groups)?, spec.seed)),
            false => None,
        };
        Ok(Self {
            groups: surroundings.groups.clone(),
            cycle: 0,
            kernel: Kernel::new(setup::kernel(spec, Arc::clone(&groups)))?,
            body: Body::new(spec.agent.tenant.clone(), surroundings).asking(spec.highest >= Level::L49),
            goals: Runner::new(surroundings.group_of.len(), surroundings.groups.len()),
            desk: Desk::default(),
            sentry: Sentry::default(),
            ethics: EthicalKernel::default(),
            level45: Level45::new(setup::floor(spec, groups))?,
            level48,
            level49: (spec.highest >= Level::L49).then(|| Level49::new(Bundle49::first(spec.seed))),
            mail: Vec::new(),
            ladder: Ladder::new(spec.highest),
            ended: false,
            seq: 0,
            told: Vec::new(),
            spec: spec.clone(),
        })
    }

    /// How Level 4.8 stands in its audit; `None` of an agent that does not have it.
    pub fn qualification(&self) -> Option<Report> {
        self.level48.as_ref().map(Level48::qualification)
    }

    /// One cycle with this row; NaN = missing. An agent that has ended ([`Stack::has_ended`]) does nothing.
    pub fn step(&mut self, row: &[f64]) -> Cycle {
        self.step_with(row, Outcomes::default(), false)
    }

    /// The same, with what came of tasks, and for a cycle that began late.
    pub fn step_with(&mut self, row: &[f64], outcomes: Outcomes, late: bool) -> Cycle {
        if self.ended {
            return Cycle::default();
        }
        self.cycle += 1;
        let epoch = self.ladder.epoch(Level::L48);
        let (floor, advice) = self.desk.read(self.cycle, epoch);
        let authority = self.ladder.authority(Level::L48);
        let acts = self.ladder.authority(Level::L49) >= Authority::Half;
        self.goals
            .obey(self.desk.take_orders(acts.then(|| self.ladder.epoch(Level::L49))));
        let advised = advice.as_deref().map(|advice| (advice, authority));
        let duty = self.goals.begin(self.cycle, row, advised);
        let perceived = Perceived {
            cycle: self.cycle,
            row,
            outcomes: outcomes.and(self.goals.take_outcomes()),
            floor,
            advice: advised,
            late,
            // Processor time is the host's to meter; a stack has none to answer for.
            quota_share: 0.0,
            peers: false,
        };
        let turn = self.body.turn_on_duty(&mut self.kernel, &perceived, duty);
        let action = turn.action;
        self.goals.end(action, turn.task);
        for kind in self.goals.take_news() {
            self.tell(self.cycle, kind);
        }
        let mut cycle = Cycle {
            number: self.cycle,
            action: Some(action),
            ..Cycle::default()
        };
        self.perform(action);
        if self.cycle.is_multiple_of(REPORT_CYCLES as u64) {
            self.report(&mut cycle);
        }
        self.end_late_pass();
        cycle.autonomy = self.level49.as_mut().and_then(Level49::take_output);
        cycle.told = std::mem::take(&mut self.told);
        cycle
    }

    /// What of an action concerns the agent itself.
    fn perform(&mut self, action: Action) {
        if let Some(incident) = body::incident(action, &self.groups) {
            self.tell(self.cycle, incident);
        }
        if let Action::ChangePeriod { change } = action {
            self.body.change_period(change);
        }
    }

    /// The report of the last ten cycles goes to the sentry and up the levels.
    fn report(&mut self, cycle: &mut Cycle) {
        let mut report = self.kernel.take_report();
        report.goals = self.goals.report();
        let report = Arc::new(report);
        for fault in self.sentry.read(&report, &self.ethics) {
            self.fault(&fault, self.sentry.cycle());
        }
        if self.ladder.authority(Level::L45) == Authority::Frozen {
            return;
        }
        let floor = self.level45.step(&report);
        self.desk.set_floor(Floor::from(&floor));
        self.goals.hear(Some((&floor).into()));
        cycle.floor = Some(Arc::new(floor.clone()));
        self.hand_up(report, floor, cycle);
    }

    /// A change of sampling was carried out, or could not be.
    pub fn sampled(&mut self, action: Action, done: bool) {
        self.body.sampled(action, done);
        self.kernel.sampled(action, done);
        self.goals.came_out(action, done);
    }

    /// Sets a user's goal; false if it was there already.
    pub fn submit(&mut self, spec: GoalSpec) -> Result<bool, SubmitError> {
        let spec = GoalSpec {
            origin: Origin::User,
            ..spec
        };
        self.goals.submit(&Arc::new(spec), CheckpointId::default(), true)
    }

    /// Cancels a user's goal; whether it was open.
    pub fn cancel(&mut self, goal: &GoalId) -> bool {
        self.goals.cancel(goal, Origin::User)
    }

    /// Another agent says something. Of what is more than a pass reads, the first stays.
    pub fn deliver(&mut self, mail: Mail) {
        if self.mail.len() < MAX_MAIL {
            self.mail.push(mail);
        }
    }

    /// The goals.
    pub fn goals(&self) -> &GoalTable {
        self.goals.table()
    }

    /// Carries out an operator's order, or says why not.
    pub fn order(&mut self, order: &Order) -> Result<(), OrderError> {
        let actions = self.ladder.on_order(order)?;
        self.carry_out(actions, self.cycle);
        Ok(())
    }

    /// Makes a phase of L4.8 fail when the baton next comes to it.
    pub fn plant(&mut self, phase: PhaseName, failure: Failure) {
        if let Some(level48) = &mut self.level48 {
            level48.plant(phase, failure);
        }
    }

    /// The last cycle.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// The authority in force, lowest level first.
    pub fn authorities(&self) -> [Authority; 5] {
        self.ladder.authorities()
    }

    /// Freezes so far.
    pub fn freezes(&self) -> u32 {
        self.ladder.freezes()
    }

    /// Why L4.8 is not at full authority; empty when it is.
    pub fn waiting_for(&self) -> String {
        self.level48.as_ref().map_or_else(String::new, Level48::waiting_for)
    }

    /// The agent was parked: nobody is here to start it again.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Scores of the forecasts for the rows since the last report, which no pass has taken in yet: a recording need not
    /// end with a report. Changes nothing but the report, which is taken.
    pub fn tail_scores(&mut self) -> Vec<Score> {
        let report = self.kernel.take_report();
        self.level48
            .as_ref()
            .map_or_else(Vec::new, |level| level.scores_of(&report))
    }

    /// When something happens, as the ladder counts it: by the agent's rate, as there is no clock.
    fn at(&self, cycle: u64) -> At {
        At {
            cycle,
            now_ms: (cycle as f64 * 1_000.0 / self.spec.rate_hz) as u64,
        }
    }

    fn tell(&mut self, cycle: u64, kind: EventKind) {
        self.seq += 1;
        self.told.push(Told {
            seq: self.seq,
            agent: self.spec.agent.clone(),
            cycle,
            kind,
        });
    }
}
