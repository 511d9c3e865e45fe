//! Phase 1 of Level 4.8, observe, as a phase actor computes it.

use super::line::Leg;
use super::phase::Phase;
use rungs_mind::budget::Budget;
use rungs_mind::l48::baton::PhaseError;
use rungs_mind::l48::{Baton, Bundle, Observe};
use std::sync::Arc;

impl Phase for Observe {
    const LEG: Leg = Leg::Observe;

    fn from_bundle(bundle: &Bundle) -> Self {
        Self::from_state(Arc::clone(&bundle.observe))
    }

    fn carry(&mut self, baton: &mut Baton, budget: &dyn Budget) -> Result<(), PhaseError> {
        Observe::carry(self, baton, budget)
    }
}
