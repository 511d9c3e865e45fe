//! Level 4.9 as a level of phases: goals → values → resources → peers → stability. What they compute is in
//! `rungs_mind::l49`, how they are run in [`crate::phased`]. It takes in every verified pass of Level 4.8, merges those
//! that come while it computes, and makes a pass of its own every fifth.

use crate::phased::{Begun, Carry, CarryError, LevelMessage, Part, PartCell, PassId, Phased};
use crate::tree::{Link, Tree};
use rungs_mind::budget::Budget;
use rungs_mind::l49::goals::Generate;
use rungs_mind::l49::peers::Relate;
use rungs_mind::l49::resources::Survive;
use rungs_mind::l49::stability::Assess;
use rungs_mind::l49::values::Evolve;
use rungs_mind::l49::{Baton, Below, Bundle, Orchestrator, PhaseName};
use rungs_mind::ladder::{Action, Ladder, Request};
use rungs_mind::qualify::Audit49;
use rungs_types::{Authority, Level};
use std::sync::Arc;

/// Passes of Level 4.8 that may wait for the level: one that is computed with, and those of the time that may take.
pub(crate) const PASSES_IN_FLIGHT: u32 = 16;

/// See the module.
#[derive(Debug)]
pub(crate) enum Level49 {}

/// What it receives.
pub(crate) type Level49Message = LevelMessage<Level49>;
/// Where it stands.
pub(crate) type Level49Part = Part<Level49>;
/// Where it publishes that.
pub(crate) type Level49Cell = PartCell<Level49>;

impl Phased for Level49 {
    const LEVEL: Level = Level::L49;
    const ROLE: &'static str = "l49";
    const PHASES: &'static [&'static str] = &["l49/goals", "l49/values", "l49/resources", "l49/peers", "l49/stability"];

    type Input = Box<Below>;
    type Baton = Baton;
    type Bundle = Bundle;
    type Orchestrator = Orchestrator;
    type Audit = Audit49;

    fn cycle(below: &Self::Input) -> u64 {
        below.cycle()
    }

    fn begin(orchestrator: &mut Orchestrator, below: Self::Input) -> Begun<Baton> {
        let mut turn = orchestrator.on_below(*below);
        let mut requests = turn.requests();
        requests.extend(orchestrator.constrain());
        Begun {
            baton: turn.into_baton(),
            requests,
            lost: false,
        }
    }

    fn end(part: &mut Part<Self>, baton: &Baton, tree: &Arc<Tree>) -> Vec<Request> {
        let back = part.orchestrator.on_baton(baton);
        let mut requests = back.requests;
        requests.extend(part.orchestrator.constrain());
        if let Some(output) = back.output {
            let rollbacks = part.orchestrator.standing().recovery().rollbacks();
            let l48 = tree.shared.l48_report();
            Arc::make_mut(&mut part.audit).feed_baton(baton, rollbacks, l48.as_deref());
            tree.shared.post_autonomy(&output);
            requests.push(Request::Act(output));
        }
        requests
    }

    fn obey(orchestrator: &mut Orchestrator, action: &Action, cycle: u64) {
        // A revert gives the bundle from which the phases start next; they are gone since the freeze.
        orchestrator.obey(action, cycle);
    }

    fn align(orchestrator: &mut Orchestrator, ladder: &Ladder, cycle: u64) -> Vec<Request> {
        orchestrator.align(ladder, cycle);
        // What the levels below were told of the mode they have forgotten.
        orchestrator.constrain().into_iter().collect()
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
            PhaseName::Goals => Box::new(Generate::from_state(Arc::clone(&bundle.generate))),
            PhaseName::Values => Box::new(Evolve::from_state(Arc::clone(&bundle.evolve))),
            PhaseName::Resources => Box::new(Survive::from_state(Arc::clone(&bundle.survive))),
            PhaseName::Peers => Box::new(Relate::from_state(Arc::clone(&bundle.relate))),
            PhaseName::Stability => Box::new(Assess::from_state(Arc::clone(&bundle.assess))),
        }
    }

    fn link(tree: &Tree) -> &Link<Level49Message> {
        &tree.level49
    }

    fn show(tree: &Tree, orchestrator: &Orchestrator) {
        let (waiting_for, ass) = (orchestrator.waiting_for(), orchestrator.live().scores.ass);
        tree.shared.post(|status| {
            status.autonomy_waits_for = waiting_for;
            status.ass = Some(ass);
        });
    }
}

// The phases that look ahead ask their budget; the others are over what is bounded and small.
impl Carry<Level49> for Generate {
    fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), CarryError> {
        Ok(Generate::carry(self, baton, budget)?)
    }
}

impl Carry<Level49> for Evolve {
    fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), CarryError> {
        Ok(Evolve::carry(self, baton, budget)?)
    }
}

impl Carry<Level49> for Survive {
    fn carry(&mut self, baton: &mut Baton, _: &dyn Budget) -> Result<(), CarryError> {
        Ok(Survive::carry(self, baton)?)
    }
}

impl Carry<Level49> for Relate {
    fn carry(&mut self, baton: &mut Baton, _: &dyn Budget) -> Result<(), CarryError> {
        Ok(Relate::carry(self, baton)?)
    }
}

impl Carry<Level49> for Assess {
    fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), CarryError> {
        Ok(Assess::carry(self, baton, budget)?)
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
                .eq(Level49::PHASES.iter().copied())
        );
    }
}
