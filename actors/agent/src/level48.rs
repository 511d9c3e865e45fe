//! Level 4.8 as a level of phases: observe → introspect → plan → verify → emit. What they compute is in `rungs_mind::l48`,
//! how they are run in [`crate::phased`].

use crate::level49::Level49Message;
use crate::phased::{Begun, Carry, CarryError, LevelMessage, Part, PartCell, PassId, Phased};
use crate::tree::{Link, Tree};
use rungs_mind::budget::Budget;
use rungs_mind::l48::plan::PURPOSE;
use rungs_mind::l48::{Baton, Bundle, Emit, Introspect, Observe, Orchestrator, PhaseName, Plan, Turn, Verify};
use rungs_mind::l49::{Aside, Below, Qualification};
use rungs_mind::ladder::{Action, Ladder, Request};
use rungs_mind::qualify::Audit48;
use rungs_mind::report::{CycleReport, FloorReport};
use rungs_types::{Authority, Level};
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub(crate) enum Level48 {}

/// What it receives.
pub(crate) type Level48Message = LevelMessage<Level48>;
/// Where it stands.
pub(crate) type Level48Part = Part<Level48>;
/// Where it publishes that.
pub(crate) type Level48Cell = PartCell<Level48>;

impl Phased for Level48 {
    const LEVEL: Level = Level::L48;
    const ROLE: &'static str = "l48";
    const PHASES: &'static [&'static str] = &["l48/observe", "l48/introspect", "l48/plan", "l48/verify", "l48/emit"];

    type Input = (Arc<CycleReport>, Arc<FloorReport>);
    type Baton = Baton;
    type Bundle = Bundle;
    type Orchestrator = Orchestrator;
    type Audit = Audit48;

    fn cycle((_, floor): &Self::Input) -> u64 {
        floor.cycle
    }

    fn begin(orchestrator: &mut Orchestrator, (report, floor): Self::Input) -> Begun<Baton> {
        let (baton, requests, lost) = match orchestrator.on_report(report, floor) {
            Turn::Begin(baton) => (Some(baton), Vec::new(), false),
            Turn::Idle(requests) => (None, requests, false),
            Turn::Busy => (None, Vec::new(), true),
        };
        Begun { baton, requests, lost }
    }

    fn end(part: &mut Part<Self>, baton: &Baton, tree: &Arc<Tree>) -> Vec<Request> {
        Arc::make_mut(&mut part.audit).feed_baton(baton);
        let requests = part.orchestrator.on_baton(baton);
        if let Some(emit) = &baton.emit {
            let world = &emit.output.world;
            tree.shared.post(|status| {
                status.eu = Some(world.eu);
                status.res = Some(world.res.score);
                status.forecast_ratio = world.forecast_ratio;
                status.coverage = world.interval_coverage;
            });
            tree.shared.post_level48(&emit.output);
        }
        hand_up(part, baton, tree);
        requests
    }

    fn obey(orchestrator: &mut Orchestrator, action: &Action, cycle: u64) {
        // A revert gives the bundle from which the phases start next; they are gone since the freeze.
        orchestrator.obey(action, cycle);
    }

    fn align(orchestrator: &mut Orchestrator, ladder: &Ladder, cycle: u64) -> Vec<Request> {
        orchestrator.align(ladder, cycle);
        Vec::new()
    }

    fn authority(orchestrator: &Orchestrator) -> Authority {
        orchestrator.standing().authority()
    }

    fn waiting_for(orchestrator: &Orchestrator) -> String {
        orchestrator.waiting_for()
    }

    fn verified(orchestrator: &Orchestrator) -> Option<Arc<Bundle>> {
        orchestrator.verified()
    }

    fn bundle_cycle(bundle: &Bundle) -> u64 {
        bundle.cycle
    }

    fn pass(baton: &Baton) -> PassId {
        PassId {
            number: baton.pass.number,
            epoch: baton.pass.epoch,
            cycle: baton.pass.cycle,
            checkpoint: baton.pass.checkpoint,
        }
    }

    fn phase(index: usize, bundle: &Bundle) -> Box<dyn Carry<Self>> {
        match PhaseName::ALL[index] {
            PhaseName::Observe => Box::new(Observe::from_state(Arc::clone(&bundle.observe))),
            PhaseName::Introspect => Box::new(Introspect::from_state(Arc::clone(&bundle.introspect))),
            PhaseName::Plan => Box::new(Plan::from_state(Arc::clone(&bundle.plan))),
            PhaseName::Verify => Box::new(Verify::from_state(Arc::clone(&bundle.verify))),
            PhaseName::Emit => Box::new(Emit::from_state(Arc::clone(&bundle.emit))),
        }
    }

    fn link(tree: &Tree) -> &Link<Level48Message> {
        &tree.level48
    }

    fn show(tree: &Tree, orchestrator: &Orchestrator) {
        let waiting_for = orchestrator.waiting_for();
        tree.shared.post(|status| status.waiting_for = waiting_for);
    }
}

/// Gives Level 4.9 a pass to read. One that does not get on with what it has misses this one.
fn hand_up(part: &Part<Level48>, baton: &Baton, tree: &Arc<Tree>) {
    let Some(level49) = tree.level49.get() else {
        return;
    };
    let report = Arc::new(part.audit.report());
    tree.shared.post_l48_report(&report);
    let Ok(credit) = tree.above_48.admit(0) else {
        return;
    };
    let come = tree.inbox().take();
    let aside = Aside {
        purpose: PURPOSE,
        mail: come.mail,
        unanswered: come.unanswered,
        group: tree.shared.spec.group.clone(),
        quotas: tree.quotas(),
        qualification: Qualification::from(&*report),
    };
    if let Some(below) = Below::of(baton, aside) {
        level49.signal(Level49Message::Input(Box::new(below), credit));
    }
}

// The loops of observe and plan are long, and ask their budget; the others are over what is bounded and small.
impl Carry<Level48> for Observe {
    fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), CarryError> {
        Ok(Observe::carry(self, baton, budget)?)
    }
}

impl Carry<Level48> for Introspect {
    fn carry(&mut self, baton: &mut Baton, _: &dyn Budget) -> Result<(), CarryError> {
        Ok(Introspect::carry(self, baton)?)
    }
}

impl Carry<Level48> for Plan {
    fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), CarryError> {
        Ok(Plan::carry(self, baton, budget)?)
    }
}

impl Carry<Level48> for Verify {
    fn carry(&mut self, baton: &mut Baton, _: &dyn Budget) -> Result<(), CarryError> {
        Ok(Verify::carry(self, baton)?)
    }
}

impl Carry<Level48> for Emit {
    fn carry(&mut self, baton: &mut Baton, _: &dyn Budget) -> Result<(), CarryError> {
        Ok(Emit::carry(self, baton)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_are_those_of_the_phases_in_the_order_of_the_baton() {
        assert!(
            PhaseName::ALL
                .iter()
                .map(|phase| phase.role())
                .eq(Level48::PHASES.iter().copied())
        );
    }
}
