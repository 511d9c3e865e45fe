//! Phase 3 of Level 4.8, plan, as a phase actor computes it: it asks its budget in every Lookahead.

use super::line::Leg;
use super::phase::Phase;
use rungs_mind::budget::Budget;
use rungs_mind::l48::baton::PhaseError;
use rungs_mind::l48::{Baton, Bundle, Plan};
use std::sync::Arc;

impl Phase for Plan {
    const LEG: Leg = Leg::Plan;

    fn from_bundle(bundle: &Bundle) -> Self {
        Self::from_state(Arc::clone(&bundle.plan))
    }

    fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), PhaseError> {
        Plan::carry(self, baton, budget)
    }
}
