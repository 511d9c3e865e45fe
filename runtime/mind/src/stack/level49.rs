//! Level 4.9 in the stack: its orchestrator, its phases while it makes passes, and what it has come to.

use super::Stack;
use super::level48::Failure;
use crate::budget::Unlimited;
use crate::desk::Proposal;
use crate::l48;
use crate::l48::plan::PURPOSE;
use crate::l49::goals::Generate;
use crate::l49::peers::Relate;
use crate::l49::resources::Survive;
use crate::l49::stability::Assess;
use crate::l49::values::Evolve;
use crate::l49::{Aside, Baton, Below, Bundle, L49Output, Orchestrator, PhaseError, PhaseName, Qualification, Quotas};
use crate::ladder::{Action, Fault, Request};
use crate::qualify::{Audit49, Report};
use rungs_types::{Authority, Level, RolePath};
use std::sync::Arc;

/// The phases of one generation.
#[derive(Debug)]
struct Line {
    generate: Generate,
    evolve: Evolve,
    survive: Survive,
    relate: Relate,
    assess: Assess,
}

impl Line {
    fn from_bundle(bundle: &Bundle) -> Self {
        Self {
            generate: Generate::from_state(Arc::clone(&bundle.generate)),
            evolve: Evolve::from_state(Arc::clone(&bundle.evolve)),
            survive: Survive::from_state(Arc::clone(&bundle.survive)),
            relate: Relate::from_state(Arc::clone(&bundle.relate)),
            assess: Assess::from_state(Arc::clone(&bundle.assess)),
        }
    }

    fn carry(&mut self, phase: PhaseName, baton: &mut Baton) -> Result<(), PhaseError> {
        match phase {
            PhaseName::Goals => self.generate.carry(baton, &Unlimited),
            PhaseName::Values => self.evolve.carry(baton, &Unlimited),
            PhaseName::Resources => self.survive.carry(baton),
            PhaseName::Peers => self.relate.carry(baton),
            PhaseName::Stability => self.assess.carry(baton, &Unlimited),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Level49 {
    orchestrator: Orchestrator,
    line: Option<Line>,
    planted: Option<(PhaseName, Failure)>,
    output: Option<Arc<L49Output>>,
    audit: Audit49,
}

impl Level49 {
    pub(super) fn new(first: Bundle) -> Self {
        Self {
            orchestrator: Orchestrator::new(first),
            line: None,
            planted: None,
            output: None,
            audit: Audit49::default(),
        }
    }

    pub(super) fn plant(&mut self, phase: PhaseName, failure: Failure) {
        self.planted = Some((phase, failure));
    }

    pub(super) fn waiting_for(&self) -> String {
        self.orchestrator.waiting_for()
    }

    /// What the last pass came to; told once.
    pub(super) fn take_output(&mut self) -> Option<Arc<L49Output>> {
        self.output.take()
    }

    /// What an action of the ladder means for the level.
    pub(super) fn obey(&mut self, action: &Action, cycle: u64) {
        self.orchestrator.obey(action, cycle);
        if matches!(action, Action::FreezeFrom { level, .. } if *level <= Level::L49) {
            self.line = None;
        }
    }

    /// Carries the baton through the phases; the first that fails ends it.
    fn carry(&mut self, baton: &mut Baton) -> Result<(), (PhaseName, Failure)> {
        let bundle = self.orchestrator.verified();
        let bundle = bundle.expect("invariant: a level has a first bundle");
        let line = self.line.get_or_insert_with(|| Line::from_bundle(&bundle));
        for phase in PhaseName::ALL {
            if let Some(planted) = self.planted.take_if(|(at, _)| *at == phase) {
                return Err(planted);
            }
            let carried = line.carry(phase, baton);
            carried.map_err(|error| (phase, Failure::Panic(error.to_string())))?;
        }
        Ok(())
    }
}

impl Stack {
    /// A verified pass of Level 4.8 goes up.
    pub(super) fn hand_up_to_49(&mut self, passed: &l48::Baton) {
        if self.level49.is_none() || self.ladder.authority(Level::L48) == Authority::Frozen {
            return;
        }
        let aside = Aside {
            purpose: PURPOSE,
            mail: std::mem::take(&mut self.mail),
            // Nobody is asked: a stack has no way to another agent.
            unanswered: Vec::new(),
            qualification: self
                .qualification()
                .as_ref()
                .map(Qualification::from)
                .unwrap_or_default(),
            quotas: Quotas {
                own_resources: self.spec.environment.is_simulated(),
                ..Quotas::default()
            },
            group: self.spec.group.clone(),
        };
        let Some(below) = Below::of(passed, aside) else {
            return;
        };
        let cycle = below.cycle();
        let Some(level49) = self.level49.as_mut() else {
            return;
        };
        let mut turn = level49.orchestrator.on_below(below);
        let mut requests = turn.requests();
        requests.extend(level49.orchestrator.constrain());
        self.requests(Level::L49, requests, cycle);
        if let Some(mut baton) = turn.into_baton() {
            self.pass_of_49(&mut baton, cycle);
        }
    }

    fn pass_of_49(&mut self, baton: &mut Baton, cycle: u64) {
        let l48 = self.qualification();
        let Some(level49) = self.level49.as_mut() else {
            return;
        };
        match level49.carry(baton) {
            Ok(()) => {
                let back = level49.orchestrator.on_baton(baton);
                if back.output.is_some() {
                    let rollbacks = level49.orchestrator.standing().recovery().rollbacks();
                    level49.audit.feed_baton(baton, rollbacks, l48.as_ref());
                }
                let mut requests = back.requests;
                requests.extend(level49.orchestrator.constrain());
                level49.output.clone_from(&back.output);
                requests.extend(back.output.map(Request::Act));
                self.requests(Level::L49, requests, cycle);
            }
            Err((phase, failure)) => {
                let role = RolePath::new(phase.role()).expect("invariant: a constant that is a valid role");
                let fault = match failure {
                    Failure::Panic(message) => Fault::Panic {
                        level: Level::L49,
                        role,
                        message,
                    },
                    // Nothing but this pass waits for it: its time is over at once.
                    Failure::Deadline => Fault::MissedDeadline {
                        level: Level::L49,
                        role,
                        deadline_ms: self.spec.phase_deadline_ms,
                    },
                };
                self.fault(&fault, cycle);
            }
        }
    }

    /// What Level 4.9 has decided: its goals go to the kernel's desk. Messages are the caller's to send.
    pub(super) fn act_on(&mut self, output: &L49Output) {
        for injection in &output.goals.inject {
            self.desk.propose(Proposal {
                epoch: output.pass.epoch,
                injection: injection.clone(),
            });
        }
    }

    /// Makes a phase of L4.9 fail when the baton next comes to it.
    pub fn plant_in_49(&mut self, phase: PhaseName, failure: Failure) {
        if let Some(level49) = &mut self.level49 {
            level49.plant(phase, failure);
        }
    }

    /// How Level 4.9 stands in its audit; `None` of an agent that does not have it.
    pub fn autonomy_qualification(&self) -> Option<Report> {
        self.level49.as_ref().map(|level| level.audit.report())
    }

    /// Where Level 4.9 stands: the check of its live state, also while it makes no passes; what is in force; the verified
    /// states of its phases. `None` of an agent that does not have it.
    pub fn autonomy(&self) -> Option<&Orchestrator> {
        self.level49.as_ref().map(|level| &level.orchestrator)
    }

    /// Why L4.9 is not at full authority; empty when it is.
    pub fn autonomy_waits_for(&self) -> String {
        self.level49.as_ref().map_or_else(String::new, Level49::waiting_for)
    }
}
