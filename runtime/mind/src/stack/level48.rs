//! Level 4.8 in the stack: its orchestrator, its phases while it is at least in Shadow, and what waits for it.

use super::{Cycle, Stack};
use crate::budget::Unlimited;
use crate::l48::baton::PhaseError;
use crate::l48::observe::Score;
use crate::l48::{Baton, Bundle, Emit, Introspect, Observe, Orchestrator, PhaseName, Plan, Turn, Verify};
use crate::ladder::{Action, Fault};
use crate::merge::Pending;
use crate::report::{CycleReport, FloorReport};
use rungs_types::{Cause, EventKind, Level, RolePath};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a phase is made to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It panics with this message.
    Panic(String),
    /// It does not come back before its deadline.
    Deadline,
}

/// The phases of one generation.
#[derive(Debug)]
struct Line {
    observe: Observe,
    introspect: Introspect,
    plan: Plan,
    verify: Verify,
    emit: Emit,
}

impl Line {
    fn from_bundle(bundle: &Bundle) -> Self {
        Self {
            observe: Observe::from_state(Arc::clone(&bundle.observe)),
            introspect: Introspect::from_state(Arc::clone(&bundle.introspect)),
            plan: Plan::from_state(Arc::clone(&bundle.plan)),
            verify: Verify::from_state(Arc::clone(&bundle.verify)),
            emit: Emit::from_state(Arc::clone(&bundle.emit)),
        }
    }

    fn carry(&mut self, phase: PhaseName, baton: &mut Baton) -> Result<(), PhaseError> {
        match phase {
            PhaseName::Observe => self.observe.carry(baton, &Unlimited),
            PhaseName::Introspect => self.introspect.carry(baton),
            PhaseName::Plan => self.plan.carry(baton, &Unlimited),
            PhaseName::Verify => self.verify.carry(baton),
            PhaseName::Emit => self.emit.carry(baton),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Level48 {
    orchestrator: Orchestrator,
    line: Option<Line>,
    /// A phase that does not come back, and the cycle at which its deadline is over.
    late: Option<(PhaseName, u64)>,
    /// A report that waits, merged with later ones, while a phase is late.
    pending: Option<Pending>,
    /// Phases that failed and have not been started since, with the reason.
    failed: BTreeMap<RolePath, Cause>,
    /// Starts of each phase; all are started together.
    generation: u32,
    planted: Option<(PhaseName, Failure)>,
}

impl Level48 {
    pub(super) fn new(first: Bundle) -> Self {
        Self {
            orchestrator: Orchestrator::new(first),
            line: None,
            late: None,
            pending: None,
            failed: BTreeMap::new(),
            generation: 0,
            planted: None,
        }
    }

    pub(super) fn plant(&mut self, phase: PhaseName, failure: Failure) {
        self.planted = Some((phase, failure));
    }

    pub(super) fn waiting_for(&self) -> String {
        self.orchestrator.waiting_for()
    }

    /// What an action of the ladder means for the level.
    pub(super) fn obey(&mut self, action: &Action, cycle: u64) {
        self.orchestrator.obey(action, cycle);
        match action {
            Action::FreezeFrom { level, .. } if *level <= Level::L48 => {
                self.line = None;
                self.late = None;
            }
            Action::Restart { role, cause } if PhaseName::ALL.iter().any(|phase| phase.role() == role.as_str()) => {
                self.failed.insert(role.clone(), cause.clone());
            }
            _ => {}
        }
    }

    /// Starts the phases from the last verified bundle unless they run; gives what is to be told of it.
    fn start_phases(&mut self) -> Vec<EventKind> {
        if self.line.is_some() {
            return Vec::new();
        }
        let bundle = self
            .orchestrator
            .verified()
            .expect("invariant: a level has a first bundle");
        self.line = Some(Line::from_bundle(&bundle));
        self.generation += 1;
        let generation = self.generation;
        // Last first: whoever hands on finds the next one there.
        let roles = PhaseName::ALL.into_iter().rev().map(role);
        roles
            .filter_map(|role| {
                let cause = self.failed.remove(&role)?;
                Some(EventKind::Restarted {
                    role,
                    generation,
                    cause,
                })
            })
            .collect()
    }

    /// Carries the baton through the phases; the first that fails ends it.
    fn carry(&mut self, baton: &mut Baton) -> Result<(), (PhaseName, Failure)> {
        let line = self.line.as_mut().expect("invariant: phases run while a pass does");
        for phase in PhaseName::ALL {
            if let Some(planted) = self.planted.take_if(|(at, _)| *at == phase) {
                return Err(planted);
            }
            let carried = line.carry(phase, baton);
            carried.map_err(|error| (phase, Failure::Panic(error.to_string())))?;
        }
        Ok(())
    }

    /// How well the rows of a report were forecast; a copy of phase 1 reads it, or nobody while there is none.
    pub(super) fn scores_of(&self, report: &CycleReport) -> Vec<Score> {
        let Some(line) = &self.line else {
            return Vec::new();
        };
        let mut observe = line.observe.clone();
        observe
            .step(report, false, &Unlimited)
            .map_or_else(|_| Vec::new(), |output| output.scores)
    }
}

impl Stack {
    /// A report with L4.5's answer: to Level 4.8, or to what waits for it.
    pub(super) fn hand_up(&mut self, report: Arc<CycleReport>, floor: FloorReport, into: &mut Cycle) {
        let Some(level48) = self.level48.as_mut() else {
            return;
        };
        let pending = match level48.pending.take() {
            None => Pending::new(report, floor),
            Some(pending) => pending.with(&report, floor),
        };
        if level48.late.is_some() {
            level48.pending = Some(pending);
            return;
        }
        let (report, floor) = pending.into_parts();
        let cycle = floor.cycle;
        match level48.orchestrator.on_report(report, floor) {
            Turn::Begin(baton) => {
                for kind in level48.start_phases() {
                    self.tell(cycle, kind);
                }
                let baton = self.pass(*baton, cycle);
                into.world = baton.observe.map(|leg| leg.output);
                into.capability = baton.introspect.map(|leg| leg.output);
                into.plan = baton.plan.map(|leg| leg.output);
            }
            Turn::Idle(requests) => self.requests(Level::L48, requests, cycle),
            Turn::Busy => unreachable!("invariant: a pass that is under way is late"),
        }
    }

    /// One pass of Level 4.8, with all that follows from it. Gives the baton as far as it came.
    fn pass(&mut self, mut baton: Baton, cycle: u64) -> Baton {
        let Some(level48) = self.level48.as_mut() else {
            return baton;
        };
        match level48.carry(&mut baton) {
            Ok(()) => {
                let requests = level48.orchestrator.on_baton(&baton);
                self.requests(Level::L48, requests, cycle);
                self.hand_up_to_49(&baton);
            }
            Err((phase, Failure::Panic(message))) => {
                let (level, role) = (Level::L48, role(phase));
                self.fault(&Fault::Panic { level, role, message }, self.cycle);
            }
            Err((phase, Failure::Deadline)) => {
                let period_ms = f64::from(self.body.stretch()) * 1_000.0 / self.spec.rate_hz;
                let cycles = (self.spec.phase_deadline_ms as f64 / period_ms) as u64;
                level48.late = Some((phase, self.cycle + cycles));
            }
        }
        baton
    }

    /// The deadline of a late phase may be over.
    pub(super) fn end_late_pass(&mut self) {
        let cycle = self.cycle;
        let over = |(_, due): &mut (PhaseName, u64)| *due <= cycle;
        let late = self.level48.as_mut().and_then(|level48| level48.late.take_if(over));
        if let Some((phase, _)) = late {
            let fault = Fault::MissedDeadline {
                level: Level::L48,
                role: role(phase),
                deadline_ms: self.spec.phase_deadline_ms,
            };
            self.fault(&fault, cycle);
        }
    }
}

fn role(phase: PhaseName) -> RolePath {
    RolePath::new(phase.role()).expect("invariant: a constant that is a valid role")
}
